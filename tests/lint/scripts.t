#!/bin/sh
# Every script is whole: its own interpreter can parse it.
. "$(dirname "$0")/tap.sh"

scripts=$(find bootstrap .ci tests pcaps -type f ! -name '*.[ch]' -size -200k |
	LC_ALL=C sort | while read -r f; do
	case $(head -c 2 "$f" | tr -d '\0') in '#!') echo "$f" ;; esac
done)

# check KIND: pass each script whose first line names KIND through its parser.
check()
{
	bad=$(for f in $scripts; do
		case $(head -n 1 "$f") in
		*/"$1" | */"$1 "* | *"env $1") ;;
		*) continue ;;
		esac
		case $1 in
		python3) python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$f" 2>&1 ;;
		*) "$1" -n "$f" 2>&1 ;;
		esac
	done)
	result "$1 scripts parse" "$bad"
}

check sh
check bash
if command -v python3 >/dev/null; then
	check python3
else
	skip "python3 scripts parse" "no python3"
fi

bad=$(for f in $scripts; do
	[ -x "$f" ] || echo "$f"
done)
result "scripts are executable" "$bad"

bad=$(for f in $scripts; do
	case $(head -n 1 "$f") in
	'#!/bin/sh' | '#!/bin/bash' | '#!/usr/bin/env bash' | '#!/usr/bin/env python3' | '#!/usr/bin/python3') ;;
	*) echo "$f: $(head -n 1 "$f")" ;;
	esac
done)
result "scripts are sh, bash or python3" "$bad"

plan
