#!/bin/sh
# Every case of this directory gives what it gave when its output was last reviewed. update.sh rewrites them.
. "$(dirname "$0")/case.sh"

n=0
for name in $(cases); do
	run_case "$name"
	dir=$golden/$name
	want=/dev/null
	for f in "$dir/expect.ndjson" "$dir/expect.txt"; do
		[ -e "$f" ] && want=$f
	done
	err=/dev/null
	[ -e "$dir/expect.err" ] && err=$dir/expect.err
	status=0
	[ -e "$dir/expect.status" ] && status=$(cat "$dir/expect.status")
	n=$((n + 1))
	if {
		diff -u "$want" "$tmp/out"
		diff -u "$err" "$tmp/err"
		[ "$status" = "$(cat "$tmp/status")" ] || echo "exit status $(cat "$tmp/status"), not $status"
	} >"$tmp/diff" && [ ! -s "$tmp/diff" ]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		cut -c 1-1000 "$tmp/diff" | head -n 40 | sed 's/^/# /'
	fi
done
echo "1..$n"
