#!/bin/sh
# The same traffic gives the same bytes of NDJSON, however its packets are cut, ordered or repeated on their way to the
# sensor. replay.c tells the forms.
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir}"
replay=$top_builddir/tests/invariance/replay
seeds='1 2 3'
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0

# result NAME FILE...: ok when all these files are empty; else they are shown.
result()
{
	n=$((n + 1))
	case=$1
	shift
	if [ -z "$(cat "$@")" ]; then
		echo "ok $n - $case"
	else
		echo "not ok $n - $case"
		cat "$@" | cut -c 1-2000 | head -n 20 | sed 's/^/# /'
	fi
}

# plain CAPTURE: the same uncompressed; prints its path.
plain()
{
	out=$tmp/$(basename "$1" | sed 's/\.\(gz\|zst\|xz\)$//')
	[ -e "$out" ] || case $1 in
	*.gz) gzip -dc "$1" >"$out" ;;
	*.zst) zstd -qdc "$1" >"$out" ;;
	*.xz) xz -dc "$1" >"$out" ;;
	*) cp "$1" "$out" ;;
	esac
	echo "$out"
}

# find_capture NAME: the shipped file of this name, however it is compressed.
find_capture()
{
	for f in "$top_srcdir/pcaps/$1".pcap*; do
		[ -e "$f" ] && plain "$f" && return
	done
}

# form NAME FORM SEED FILE...: the output of this form against the plain one's, made before.
form()
{
	of=$1 form=$2 seed=$3
	shift 3
	: >"$tmp/bad"
	"$replay" "$form" "$seed" "$@" >"$tmp/got" 2>"$tmp/said" || cat "$tmp/said" >>"$tmp/bad"
	diff "$tmp/want" "$tmp/got" >"$tmp/diff"
	read -r fed _ moved _ <"$tmp/said"
	# A form that changes nothing would pass.
	case $form in
	cut) [ "$fed" -gt $((2 * n_plain)) ] ;;
	double) [ "$fed" -eq $((2 * n_plain)) ] ;;
	reorder) [ "$fed" -eq "$n_plain" ] && [ "$moved" -gt $((n_plain / 10)) ] ;;
	esac || echo "$fed packets fed and $moved moved, of $n_plain" >>"$tmp/bad"
	[ "$form" = reorder ] && form="reorder, seed $seed"
	result "$of: $form" "$tmp/bad" "$tmp/diff"
}

# want FILE...: the output of the plain form, into $tmp/want; its packets, into n_plain.
want()
{
	: >"$tmp/bad"
	"$replay" plain 0 "$@" >"$tmp/want" 2>"$tmp/said" || cp "$tmp/said" "$tmp/bad"
	read -r n_plain _ <"$tmp/said"
	[ -s "$tmp/want" ] || echo "no events" >>"$tmp/bad"
}

for capture in "$top_srcdir"/pcaps/*.pcap* "$top_srcdir"/pcaps/web/storm-0558.http1.pcap* \
	"$top_srcdir"/pcaps/web/embedded-jwk.http1.pcap* "$top_srcdir"/pcaps/web/spray-wstrust.http1.pcap* \
	"$top_srcdir"/pcaps/web/consent-phish.http1.pcap* "$top_srcdir"/pcaps/web/device-phish.http1.pcap*; do
	name=$(basename "$capture" | sed 's/\..*//')
	case $name in
	warmup | alt-warmup) continue ;; # benign-day and alt-benign again; read below
	esac
	file=$(plain "$capture")
	want "$file"
	result "$name: read plain" "$tmp/bad"
	form "$name" cut 0 "$file"
	form "$name" double 0 "$file"
	# Of frames that were taken twice, with two numbers and times, the first to arrive is named: their order counts.
	[ "$name" = duplicated ] && continue
	for seed in $seeds; do
		form "$name" reorder "$seed" "$file"
	done
done

# However many threads share the work.
mintmark=$top_builddir/mintmark
warmup=$(find_capture warmup)
for name in golden-aes lost-frames duplicated; do
	file=$(find_capture "$name")
	"$mintmark" -q --json -r "$warmup" "$file" -o engine.workers=0 >"$tmp/want" 2>"$tmp/bad"
	[ -s "$tmp/want" ] || echo "no events" >>"$tmp/bad"
	for workers in 1 2 8; do
		"$mintmark" -q --json -r "$warmup" "$file" -o engine.workers=$workers >"$tmp/got" 2>>"$tmp/bad"
		diff "$tmp/want" "$tmp/got" >"$tmp/diff"
		result "$name after warmup: $workers workers" "$tmp/bad" "$tmp/diff"
	done
done

# With findings in the output: what was learnt before them is part of their weights.
for name in golden-aes silver-smb; do
	file=$(find_capture "$name")
	want "$warmup" "$file"
	grep -q '"event.kind":"alert"' "$tmp/want" || echo "no finding" >>"$tmp/bad"
	result "$name after warmup: read plain, with findings" "$tmp/bad"
	form "$name after warmup" cut 0 "$warmup" "$file"
	form "$name after warmup" double 0 "$warmup" "$file"
	form "$name after warmup" reorder 4 "$warmup" "$file"
done

# The same of the web, where authorizations are followed over many flows; and by however many threads.
day=$(find_capture web/web-day.http1)
for name in consent-phish device-phish; do
	file=$(find_capture "web/$name.http1")
	want "$day" "$file"
	grep -q '"rule.name":"oauth-\(consent\|device-code\)"' "$tmp/want" || echo "no finding" >>"$tmp/bad"
	result "$name after the day: read plain, with its finding" "$tmp/bad"
	form "$name after the day" cut 0 "$day" "$file"
	form "$name after the day" double 0 "$day" "$file"
	form "$name after the day" reorder 5 "$day" "$file"
	"$mintmark" -q --json -r "$day" "$file" -o engine.workers=0 >"$tmp/want" 2>"$tmp/bad"
	[ -s "$tmp/want" ] || echo "no events" >>"$tmp/bad"
	for workers in 1 2 8; do
		"$mintmark" -q --json -r "$day" "$file" -o engine.workers=$workers >"$tmp/got" 2>>"$tmp/bad"
		diff "$tmp/want" "$tmp/got" >"$tmp/diff"
		result "$name after the day: $workers workers" "$tmp/bad" "$tmp/diff"
	done
done

# HTTP as those who read it get it, by flow: bodies, packets and all. Flows take turns in another order when packets do.
for name in benign-day lost-frames web/web-day.http1 web/storm-0558.http1; do
	file=$(find_capture "$name")
	[ -n "$file" ] || continue
	"${replay}_http" plain 0 "$file" 2>"$tmp/bad" | LC_ALL=C sort >"$tmp/want"
	[ -s "$tmp/want" ] && : >"$tmp/bad" || echo "no exchanges" >>"$tmp/bad"
	result "$name: HTTP read plain, $(wc -l <"$tmp/want") exchanges" "$tmp/bad"
	for form in cut double "reorder 1" "reorder 2"; do
		# shellcheck disable=SC2086  # the form and its seed
		"${replay}_http" $form $([ "$form" = "${form#* }" ] && echo 0) "$file" 2>/dev/null | LC_ALL=C sort >"$tmp/got"
		diff "$tmp/want" "$tmp/got" >"$tmp/diff"
		result "$name: HTTP, $form" "$tmp/diff"
	done
done
echo "1..$n"
