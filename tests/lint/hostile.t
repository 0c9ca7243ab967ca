#!/bin/sh
# Untrusted bytes are read through cursors and slices only: in decode and dissect no byte of input is indexed,
# no pointer into it is moved, nothing is read through a cast struct or ntoh*().
. "$(dirname "$0")/tap.sh"

# code FILE: the file without comments, lines kept.
code()
{
	awk '{
		out = ""
		s = $0
		while (s != "") {
			if (inside) {
				i = index(s, "*/")
				if (i == 0)
					break
				s = substr(s, i + 2)
				inside = 0
			} else {
				i = index(s, "/*")
				if (i == 0) {
					out = out s
					break
				}
				out = out substr(s, 1, i - 1)
				s = substr(s, i + 2)
				inside = 1
			}
		}
		print out
	}' "$1"
}

# forbid NAME REGEX
forbid()
{
	bad=$(for f in src/decode/*.[ch] src/dissect/*.[ch]; do
		code "$f" | grep -nE -- "$2" | sed "s|^|$f:|"
	done)
	result "$1" "$bad"
}

forbid "no input is indexed" '(\.|->)p[[:space:]]*\['
forbid "no pointer into input is moved" \
	'(\.|->)p[[:space:]]*(\+|-[^>])|(\+\+|--)[a-z_>.-]*(\.|->)p\>|\+[[:space:]]*[a-z_]+(\.|->)p\>'
forbid "no pointer into input is followed" '\*[[:space:]]*\(?[a-z_]+(\.|->)p[[:space:]]*[;,)]'
forbid "no byte order function on memory" \
	'\<(ntoh|hton)[sl]\(|\<(be|le)(16|32|64)toh\('
forbid "no struct is laid over input" '\((const )?struct [a-z0-9_]+ \*\)'
forbid "no copy from input past the cursor" '\<mem(cpy|move)\([^;]*(\.|->)p[[:space:]]*[+-]'

plan
