#!/bin/sh
# What is unfinished is an issue, not a word in the tree.
. "$(dirname "$0")/tap.sh"

words='TO''DO|FIX''ME|XX''X|HA''CK'
for dir in src include tests man; do
	result "$dir has no note of unfinished work" \
		"$(find "$dir" -type f ! -name '*.pcap*' ! -path '*/corpus/*' -exec grep -nIwE "$words" {} +)"
done

plan
