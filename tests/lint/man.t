#!/bin/sh
# The man pages are right mdoc.
. "$(dirname "$0")/tap.sh"

for page in man/*.[1-8]; do
	if command -v mandoc >/dev/null; then
		result "$page" "$(mandoc -Tlint -W warning "$page" 2>&1)"
	else
		skip "$page" "no mandoc"
	fi
done

plan
