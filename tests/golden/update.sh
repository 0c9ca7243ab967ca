#!/bin/sh
# Rewrites what the cases named, or all, expect. The difference is to be reviewed like code.
. "$(dirname "$0")/case.sh"

# keep FILE AS: non-empty output becomes an expectation.
keep()
{
	if [ -s "$1" ]; then
		cp "$1" "$2"
	else
		rm -f "$2"
	fi
}

[ $# -ne 0 ] || set -- $(cases)
for name; do
	run_case "$name"
	dir=$golden/$name
	rm -f "$dir"/expect.*
	case $(cat "$dir/args") in
	*--json*) keep "$tmp/out" "$dir/expect.ndjson" ;;
	*) keep "$tmp/out" "$dir/expect.txt" ;;
	esac
	keep "$tmp/err" "$dir/expect.err"
	[ "$(cat "$tmp/status")" = 0 ] || cp "$tmp/status" "$dir/expect.status"
done
