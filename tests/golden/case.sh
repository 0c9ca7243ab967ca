# For golden.t and update.sh, sourced: runs one case.
#
# A case is a directory with
#   args           the command line behind "mintmark", for the shell: redirections and quotes work
#   make           (optional) shell commands that make its input, run first
#   expect.ndjson  or expect.txt: standard output; none: nothing
#   expect.err     standard error; none: nothing
#   expect.status  exit status; none: 0
# It runs in an empty directory in which pcaps/ are the shipped captures.

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${MINTMARK:=$top_srcdir/mintmark}"
export MINTMARK
LC_ALL=C TZ=UTC
export LC_ALL TZ
golden=$top_srcdir/tests/golden
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

cases()
{
	for dir in "$golden"/*/; do
		[ -e "$dir/args" ] && basename "$dir"
	done
}

# run_case NAME: leaves $tmp/out, $tmp/err and $tmp/status.
run_case()
{
	rm -rf "$tmp/run"
	mkdir "$tmp/run"
	ln -s "$top_srcdir/pcaps" "$tmp/run/pcaps"
	(
		cd "$tmp/run" || exit 1
		# So that the name in its messages is the same everywhere.
		mintmark()
		{
			bash -c 'exec -a mintmark "$MINTMARK" "$@"' mintmark "$@"
		}
		if [ -e "$golden/$1/make" ]; then
			. "$golden/$1/make"
		fi
		eval "mintmark $(cat "$golden/$1/args")"
	) >"$tmp/out" 2>"$tmp/err" </dev/null
	echo $? >"$tmp/status"
}
