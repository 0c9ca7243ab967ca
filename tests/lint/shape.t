#!/bin/sh
# The shape of the source: every file is built, shipped and introduced; functions fit on a screen.
. "$(dirname "$0")/tap.sh"

bad=$(find src include tests -name '*.[ch]' -o -path 'tests/*' -name '*.t' | LC_ALL=C sort |
	while read -r f; do
		case $f in
		tests/lab/* | tests/golden/*) continue ;; # shipped as whole directories
		tests/unit/test_*.c) want=${f%.c} ;;      # a program of that name
		*) want=$f ;;
		esac
		grep -qE "(^|[[:space:]])$want([[:space:]]|\$)" Makefile.am || echo "$f"
	done)
result "every source and test is in Makefile.am" "$bad"

bad=$(for f in $(find src include tests -name '*.[ch]' | LC_ALL=C sort); do
	case $(head -n 1 "$f") in
	'/*' | '/* '*) ;;
	*) echo "$f" ;;
	esac
done)
result "every file begins with what it is for" "$bad"

bad=$(for f in $(find src -name '*.[ch]' | LC_ALL=C sort); do
	awk -v f="$f" '/^{$/ { start = NR } /^}$/ && start {
		if (NR - start - 1 > 80)
			print f ":" start ": " NR - start - 1 " lines"
		start = 0
	}' "$f"
done)
result "no function is longer than 80 lines" "$bad"

bad=$(for f in $(find src include -name '*.h' | LC_ALL=C sort); do
	guard=MM_$(echo "${f#src/}" | sed 's|^include/mintmark/|PUBLIC_|' | tr a-z./ A-Z__)
	case $f in
	include/*) guard='MINTMARK_.*' ;;
	esac
	grep -qE "^#ifndef $guard\$" "$f" || echo "$f: no #ifndef $guard"
done)
result "every header is guarded by its own name" "$bad"

bad=$(grep -nE '\<(exit|_exit|abort|syslog|setjmp|longjmp|alloca|strcpy|strcat|sprintf|gets|strtok)[[:space:]]*\(' \
	$(find src -name '*.[ch]' ! -name main.c | LC_ALL=C sort) |
	grep -v '^src/priv/monitor\.c:[0-9]*:[[:space:]]*_exit(') # the end of a process of its own
result "no call that library code must not make" "$bad"

bad=$(grep -nE '\<(time|gettimeofday|clock_gettime|rand|random|getrandom|arc4random)\(' \
	$(find src -name '*.[ch]' ! -name main.c ! -name engine.c ! -path src/capture/clock.c | LC_ALL=C sort))
result "no clock and no random source but the context's own" "$bad"

plan
