#!/bin/sh
# The manual pages tell all that the program has: each option in mintmark(1), each option of -o in mintmark.conf(5), each field in mintmark-events(5), each
# function in libmintmark(3); and the tables in them are those that the program prints.
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${MINTMARK:=$top_srcdir/mintmark}"
. "$top_srcdir/tests/lint/tap.sh"

# missing PAGE: the words of standard input that do not stand in the page.
missing()
{
	while read -r word; do
		grep -qF -e "$word" "$1" || echo "$1: no $word"
	done
}

some=$("$MINTMARK" --help | sed -n 's/^  \(-\(.\), \|    \)--\([a-z-]*\).*/\2 \3/p')
bad=$(echo "$some" | while read -r letter name; do
	[ -n "$name" ] || { name=$letter && letter=; }
	grep -qE "^\.It Fl ${letter:+$letter , }-$name( |\$)" man/mintmark.1 ||
		echo "man/mintmark.1: no ${letter:+-$letter, }--$name"
done)
[ "$(echo "$some" | wc -l)" -gt 10 ] || bad="--help lists nothing: $some"
result "every option of --help is in mintmark(1)" "$bad"

some=$("$MINTMARK" --list-options | sed 1d | cut -f1)
bad=$(echo "$some" | sed 's/^/.It Li /' | missing man/mintmark.conf.5)
[ "$(echo "$some" | wc -l)" -gt 5 ] || bad="--list-options lists nothing: $some"
result "every option of -o is in mintmark.conf(5)" "$bad"

some=$("$MINTMARK" --list-fields | sed 1d | cut -f1)
bad=$(echo "$some" | sed 's/^/.It Li /; s/$/ Pq /' | missing man/mintmark-events.5)
[ "$(echo "$some" | wc -l)" -gt 50 ] || bad="--list-fields lists nothing: $some"
result "every field is in mintmark-events(5)" "$bad"

bad=$(echo "$some" | LC_ALL=C sort | uniq -d)
result "no field is declared twice" "$bad"

some=$(grep -o '\<mintmark_[a-z_]*(' include/mintmark/mintmark.h | tr -d '(' | LC_ALL=C sort -u)
bad=$(echo "$some" | grep -v '_fn$' | sed 's/^/.Nm /' | missing man/libmintmark.3
	echo "$some" | while read -r name; do
		sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' man/libmintmark.3 |
			grep -qE "^\.F[no] $name( |\$)" || echo "man/libmintmark.3: no prototype of $name"
	done)
[ "$(echo "$some" | wc -l)" -gt 10 ] || bad="no functions found: $some"
result "every function is in libmintmark(3)" "$bad"

some=$(grep -o '\<MINTMARK_[A-Z_]*' include/mintmark/mintmark.h | grep -v '_H$' | LC_ALL=C sort -u)
bad=$(echo "$some" | missing man/libmintmark.3)
result "every constant is in libmintmark(3)" "$bad"

for row in options:mintmark.conf.5 metrics:mintmark.1 fields:mintmark-events.5; do
	page=man/${row#*:}
	bad=$("$MINTMARK" --list-"${row%%:*}" | awk -f man/fields.awk - "$page" | diff -u "$page" - 2>&1)
	result "the table in $page is that of --list-${row%%:*}" "$bad"
done

plan
