#!/bin/sh
# Who may include whom: base <- {capture, decode} <- flow <- dissect -> event <- ledger <- detect <- score <- output.
# What is not in this table is not allowed. detect reads its weights from score's table, conf names them as options,
# output tells every stage's counters.
. "$(dirname "$0")/tap.sh"

allowed='
base      base
capture   base capture
decode    base capture decode
event     base event
dissect   base event keys dissect
flow      base capture decode event keys dissect flow
geo       base geo
keys      base event keys
ledger    base event geo keys ledger
score     base event keys ledger score
detect    base event keys ledger score detect
state     base event keys ledger score detect state
output    base capture decode event geo keys dissect flow ledger score detect output
conf      base score conf
priv      base priv
'

# includes FILE...: "file: included" for every #include "..."
includes()
{
	sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$1" | sed "s|^|$1 |"
}

for dir in $(printf '%s' "$allowed" | awk '{ print $1 }'); do
	[ -d "src/$dir" ] || continue
	may=$(printf '%s' "$allowed" | awk -v d="$dir" '$1 == d { $1 = ""; print }')
	bad=$(for f in src/"$dir"/*.[ch]; do
		[ -e "$f" ] && includes "$f"
	done | while read -r file inc; do
		case " $may " in
		*" ${inc%%/*} "*) [ -e "src/$inc" ] || echo "$file includes $inc, which is not in src/" ;;
		*) echo "$file includes $inc" ;;
		esac
	done)
	result "src/$dir includes only:$may" "$bad"
done

bad=$(for d in src/*/; do
	d=$(basename "$d")
	printf '%s' "$allowed" | grep -q "^$d " || ls "src/$d" | sed "s|^|not in the table: src/$d/|"
done)
result "every directory of src is in the table" "$bad"

bad=$(includes src/main.c | awk '$2 != "mintmark/mintmark.h"')
result "main.c includes nothing of ours but mintmark/mintmark.h" "$bad"

bad=$(for f in include/mintmark/*.h; do
	includes "$f"
done | awk '$2 !~ /^mintmark\//')
result "the public headers include nothing private" "$bad"

plan
