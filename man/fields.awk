# Bring the lists of a manual page up to date, from the tables that the program prints:
#
#	mintmark --list-fields | awk -f man/fields.awk - man/mintmark-events.5 >new
#	mintmark --list-options | awk -f man/fields.awk - man/mintmark.conf.5 >new
#
#	mintmark --list-metrics | awk -f man/fields.awk - man/mintmark.1 >new
#
# What stands between the lines '.\" table: begin' and '.\" table: end' is replaced. tests/golden/man.t
# fails when that changes anything.

BEGIN { FS = "\t" }

# Text that roff takes for nothing but text.
function plain(s)
{
	gsub(/\\/, "\\e", s)
	sub(/^[.']/, "\\\\\\&&", s)
	return s
}

# The table: name, type, description; metrics have their labels before the description, options have their default and when a change takes effect before the
# description.
NR == FNR {
	if (FNR == 1)
		next
	head = ".It Li " $1 " Pq " $2
	if (NF == 4 && $3 != "-")
		head = head "; labels: " $3
	if (NF == 5)
		head = ".It Li " $1 (($3 == "-") ? "" : " Ns = Ns " $3) " Pq " $2 (($4 == "live") ? "; live" : "")
	list = list head "\n" plain($NF) ".\n"
	next
}

/^\.\\" table: begin$/ {
	print
	printf "%s", list
	skipping = 1
}
/^\.\\" table: end$/ { skipping = 0 }
!skipping { print }
