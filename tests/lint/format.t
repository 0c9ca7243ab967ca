#!/bin/sh
# clang-format 14 with the tree's .clang-format changes nothing.
. "$(dirname "$0")/tap.sh"

format=
for f in clang-format-14 clang-format; do
	case $($f --version 2>/dev/null) in
	*' 14.'*)
		format=$f
		break
		;;
	esac
done

for dir in src include tests; do
	if [ -z "$format" ]; then
		skip "$dir is formatted" "no clang-format 14"
		continue
	fi
	files=$(find "$dir" -name '*.[ch]' | LC_ALL=C sort)
	# shellcheck disable=SC2086  # our file names have no spaces
	bad=$($format --dry-run -Werror $files 2>&1 | sed -n 's/: error: .*//p')
	result "$dir is formatted" "$bad"
done

plan
