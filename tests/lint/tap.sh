# For the lint scripts, sourced: where the tree is, and TAP with a plan at the end.

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
cd "$top_srcdir" || exit 1
n=0

# result NAME COMPLAINTS: ok when there are no complaints; else they are shown.
result()
{
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

# skip NAME WHY
skip()
{
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

plan()
{
	echo "1..$n"
}
