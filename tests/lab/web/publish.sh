# From raw captures to pcaps/web: the lab's clock, compression, key log, truth, manifest. Sourced by run.

# The scenarios of a set, in the order of the lab's calendar: the day first, all else after it
scenarios() {
	case ${MW_SET:-main} in
	main) echo web-day storm-0558 ;;
	*) echo web-day storm-0558 never-issued ;;
	esac
}

merge() { # merge FILE HEADER NAME <LINES: replaces NAME's lines of a table
	{ [ -e "$1" ] && tail -n +2 "$1" | grep -v -P "^\Q$3\E(\.|\t)"; cat; } | LC_ALL=C sort >"$1.new"
	{ printf '%b\n' "$2"; cat "$1.new"; } >"$1"
	rm "$1.new"
}

put() { # put SCENARIO FIRST_BOOK_LINE FIRST_NOTE: ships LAB/raw/SCENARIO.raw
	local name=${MW_NAME_PREFIX:-}$1.$MW_MODE raw=$LAB/raw/$1.pcap n what=benign
	mkdir -p "$OUT"
	"$HERE/retime" "$LAB/raw/$1.raw" "$raw" "$LAB/clock.log" || return 1
	rm -f "$OUT/$name".pcap*
	zstd -q -19 -c "$raw" >"$OUT/$name.pcap.zst"
	[ "$MW_MODE" = http1 ] || keylog "$raw" "$OUT/$name.keylog"
	n=$("$HERE/truth" "$LAB/log/book.jsonl" "$2" "$LAB/log/notes.jsonl" "$3" "$OUT/$name.truth.tsv" "$LAB/raw/expect" "$name") || return 1
	set -- "$1" $n
	[ "$3" -gt 0 ] && what=forged:$3
	[ "$3" = 0 ] && [ -s "$LAB/raw/expect" ] && what=abused:$4
	merge "$OUT/expect.tsv" 'capture\trule\ttoken\tlevel\tfrom\tclient_id\twhat' "$name" <"$LAB/raw/expect"
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$name.pcap.zst" "$(sha256sum "$OUT/$name.pcap.zst" | cut -d' ' -f1)" \
		"tests/lab/web/run ($1)" "$(capinfos -TrMc "$raw" | cut -f2)" "$(text "$1")" "$what" |
		merge "$OUT/MANIFEST.tsv" 'file\tsha256\tmaker\tpackets\tdescription\texpectation' "$name"
	say "$name: $2 uses, $(stat -c %s "$OUT/$name.pcap.zst") bytes, $what"
}

keylog() { # only the secrets of the connections in this capture
	tshark -n -r "$1" -Y 'tls.handshake.type == 1' -T fields -e tls.handshake.random 2>/dev/null |
		tr ',' '\n' | sort -u >"$LAB/raw/randoms"
	sort -u "$LAB/log/keylog" | grep -F -f "$LAB/raw/randoms" >"$2"
}

text() {
	case $1 in
	web-day) echo "nine hours: every grant, a key rotation, moves, proxies, stale passwords, opaque and long-lived tokens" ;;
	storm-0558) echo "enterprise token signed by the consumer key: accepted by mail, exchanged, used; refused by files" ;;
	never-issued) echo "token made with the current enterprise key, claims as real ones, never issued; accepted" ;;
	esac
}
