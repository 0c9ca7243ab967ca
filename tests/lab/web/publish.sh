# From raw captures to pcaps/web: the lab's clock, compression, key log, truth, manifest. Sourced by run.

. "$HERE/../manifest.sh"

# The scenarios of a set, in the order of the lab's calendar: the day first, all else after it
scenarios() {
	case $(world set) in
	main) echo web-day storm-0558 never-issued bad-signature alg-none alg-confusion embedded-jwk foreign-jku \
		unknown-kid long-lifetime template-break claim-mismatch replay-elsewhere refresh-reuse code-reuse \
		binding-break jwks-drift app-power-jump app-sweep new-credential consent-phish device-phish ropc-new-client \
		spray-fast spray-slow spray-wstrust spray-spread expired-accepted iat-before-key retired-key dormant-app ;;
	*) echo web-day storm-0558 never-issued ;;
	esac
}

EXPECT='capture\trule\ttoken\tlevel\tfrom\tclient_id\twhat'

put() { # put SCENARIO FIRST_BOOK_LINE FIRST_NOTE: ships LAB/raw/SCENARIO.raw
	local name=$NAME_PREFIX$1.$MW_MODE raw=$LAB/raw/$1.pcap n what=benign
	mkdir -p "$OUT"
	"$HERE/retime" "$LAB/raw/$1.raw" "$raw" "$LAB/clock.log" || return 1
	rm -f "$OUT/$name".pcap*
	zstd -q -19 -c "$raw" >"$OUT/$name.pcap.zst"
	[ "$MW_MODE" = http1 ] || keylog "$raw" "$OUT/$name.keylog"
	n=$("$HERE/truth" "$LAB/log/book.jsonl" "$2" "$LAB/log/notes.jsonl" "$3" "$OUT/$name.truth.tsv" "$LAB/raw/expect" "$name") || return 1
	set -- "$1" $n # uses, forged tokens, abused tokens
	[ "$3" -gt 0 ] && what=forged:$3
	[ "$3" = 0 ] && [ -s "$LAB/raw/expect" ] && what=abused:$4
	merge "$OUT/expect.tsv" "$EXPECT" "$name" <"$LAB/raw/expect"
	manifest "$name" pcap.zst "$raw" "tests/lab/web/run ($1)" "$(text "$1")" "$what"
	[ "$1.$MW_MODE" = storm-0558.tls13h2 ] && with_secrets "$name" "$raw"
	say "$name: $2 uses, $(stat -c %s "$OUT/$name.pcap.zst") bytes, $what"
}

with_secrets() { # with_secrets NAME RAW: the same capture once more as pcapng that holds its own secrets
	local name=${1%.tls13h2}.dsb
	editcap -F pcapng --inject-secrets "tls,$OUT/$1.keylog" "$2" "$LAB/raw/dsb.pcapng"
	zstd -q -f -19 "$LAB/raw/dsb.pcapng" -o "$OUT/$name.pcapng.zst"
	cp "$OUT/$1.truth.tsv" "$OUT/$name.truth.tsv"
	sed "s/^$1\t/$name\t/" "$LAB/raw/expect" | merge "$OUT/expect.tsv" "$EXPECT" "$name"
	manifest "$name" pcapng.zst "$2" "tests/lab/web/run (storm-0558)" "storm-0558 as pcapng with the decryption secrets inside" "$what"
}

keylog() { # only the secrets of the connections in this capture
	tshark -n -r "$1" -Y 'tls.handshake.type == 1' -T fields -e tls.handshake.random 2>/dev/null |
		tr ',' '\n' | sort -u >"$LAB/raw/randoms"
	sort -u "$LAB/log/keylog" | grep -F -f "$LAB/raw/randoms" >"$2"
}

text() {
	case $1 in
	web-day) echo "a working day: every grant, a key rotation, moves, proxies, stale passwords, opaque and long-lived tokens" ;;
	storm-0558) echo "enterprise token signed by the consumer key: accepted by mail, exchanged, used; refused by files" ;;
	never-issued) echo "token made with the current enterprise key, claims as real ones, never issued; accepted" ;;
	bad-signature) echo "other claims under a real signature, a forger's key under a real kid: accepted by times, refused by files" ;;
	alg-none) echo "alg none in three forms: accepted by times; refused by files" ;;
	alg-confusion) echo "HS256 with the public key as secret in five forms: accepted by times, one refused by files" ;;
	embedded-jwk) echo "signed by the key in its own header, accepted; beside it honest DPoP proofs" ;;
	foreign-jku) echo "jku and x5u of a foreign host, one fetched by the server" ;;
	unknown-kid) echo "kid of no issuer; beside it a rotation that the servers learn of by an unknown kid" ;;
	long-lifetime) echo "right key, valid for ten years" ;;
	template-break) echo "right key, claims not as the issuer writes them" ;;
	claim-mismatch) echo "tid against iss, iss against key, aud against server, ID token as access token" ;;
	replay-elsewhere) echo "stolen token from another network and program; beside it a phone that moves" ;;
	refresh-reuse) echo "rotated refresh tokens used again, by a thief, by the owner after the thief; beside it a race" ;;
	code-reuse) echo "authorization code redeemed again from elsewhere; beside it a retry within a second" ;;
	binding-break) echo "DPoP- and certificate-bound tokens as plain Bearer" ;;
	jwks-drift) echo "a key in one poisoned JWKS answer, then a token signed by it" ;;
	app-power-jump) echo "an application gets full_access_as_app" ;;
	app-sweep) echo "an application reads 46 mailboxes; beside it the archiver's daily 16" ;;
	new-credential) echo "a secret for an application that always signed its assertions" ;;
	consent-phish) echo "five people consent to an unknown application, tokens used elsewhere" ;;
	device-phish) echo "device codes asked for elsewhere, confirmed by victims; beside it a kiosk" ;;
	ropc-new-client) echo "password grant by a client that never used it; beside it one that always did" ;;
	spray-fast) echo "password spray over the password grant, one found and used" ;;
	spray-slow) echo "one name in 45 minutes over the login form, one found and used" ;;
	spray-wstrust) echo "spray over WS-Trust and the password grant, one found and used" ;;
	spray-spread) echo "a source and a name each over the password grant, one program, one found and used" ;;
	expired-accepted) echo "expired and premature tokens accepted" ;;
	iat-before-key) echo "iat hours before the key was first published" ;;
	retired-key) echo "signed by a key that left the set three days ago; accepted by times, refused by mail" ;;
	dormant-app) echo "an application silent for 42 days, then from another network" ;;
	esac
}
