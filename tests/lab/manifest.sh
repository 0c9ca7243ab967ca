# The lists of captures, and of what goes with them. Sourced by both labs' publish.sh.

merge() { # merge FILE HEADER NAME <LINES: replaces NAME's lines of a table
	{ [ -e "$1" ] && tail -n +2 "$1" | grep -v -P "^\Q$3\E(\.|\t)"; cat; } | LC_ALL=C sort >"$1.new"
	{ printf '%b\n' "$2"; cat "$1.new"; } >"$1"
	rm "$1.new"
}

manifest() { # manifest NAME FORM RAW MAKER TEXT EXPECTATION
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1.$2" "$(sha256sum "$OUT/$1.$2" | cut -d' ' -f1)" "$4" \
		"$(capinfos -TrMc "$3" | cut -f2)" "$5" "$6" |
		merge "$OUT/MANIFEST.tsv" 'file\tsha256\tmaker\tpackets\tdescription\texpectation' "$1"
}
