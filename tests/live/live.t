#!/bin/sh
# Live capture, between two network namespaces of its own: tcpreplay sends shipped captures into one end of a veth pair,
# watch.c reads the other end, and what it got is held against what was sent, and against what tcpdump got.
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir}"
. "$top_srcdir/tests/lint/tap.sh"
build=$(cd "$top_builddir" && pwd)

skip_all()
{
	skip "live capture" "$1"
	plan
	exit 0
}

[ "$(id -u)" -eq 0 ] || skip_all "not root"
for tool in ip tcpreplay tcpdump setpriv; do
	command -v $tool >/dev/null || skip_all "no $tool"
done

left=mm-live-$$-l right=mm-live-$$-r # sends, receives
tmp=$(mktemp -d) || exit 1
pid=
tear_down()
{
	[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
	ip netns del "$left" 2>/dev/null
	ip netns del "$right" 2>/dev/null
	rm -rf "$tmp"
}
trap tear_down EXIT
trap 'exit 1' HUP INT TERM
ip netns add "$left" 2>/dev/null && ip netns add "$right" 2>/dev/null || skip_all "no network namespaces"
# Nobody but us sends: no IPv6, no addresses.
for side in "$left" "$right"; do
	ip netns exec "$side" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null
done
ip -n "$right" link set lo up

plug() # the pair: v0 on the left, v1 on the right
{
	ip -n "$left" link add v0 mtu 9000 type veth peer name v1 mtu 9000 netns "$right" &&
		ip -n "$left" link set v0 up && ip -n "$right" link set v1 up
}
plug 2>/dev/null || skip_all "no veth interfaces"
ip netns exec "$right" tcpdump -i v1 -w /dev/null >"$tmp/tcpdump" 2>&1 &
pid=$!
sleep 0.3
kill $pid 2>/dev/null
wait $pid 2>/dev/null
pid=
grep -q 'listening on' "$tmp/tcpdump" || skip_all "tcpdump can not capture: $(tail -n 1 "$tmp/tcpdump")"

# For those who may not look into the build.
chmod 711 "$tmp"
cp "$build/tests/live/watch" "$tmp/watch" && chmod 755 "$tmp/watch" || exit 1

# capture NAME: the shipped one, not compressed, at $tmp/NAME.
capture()
{
	for f in "$top_srcdir/pcaps/$1".pcap*; do
		case $f in
		*.zst) zstd -qdc "$f" >"$tmp/$1" ;;
		*.gz) gzip -dc "$f" >"$tmp/$1" ;;
		*.xz) xz -dc "$f" >"$tmp/$1" ;;
		*) cp "$f" "$tmp/$1" ;;
		esac
	done
}
for name in golden-aes vlan big-endian rekeyed-service; do
	capture $name
done
n_golden=$(tcpdump -nn -r "$tmp/golden-aes" 2>/dev/null | wc -l)

# send [OPTION...] FILE...: by tcpreplay, from the left.
send()
{
	ip netns exec "$left" tcpreplay -q -K -i v0 "$@" >"$tmp/sent" 2>&1 || cat "$tmp/sent"
}

# until_said WORDS: waits for a line of the watcher.
until_said()
{
	tries=0
	until grep -qF -e "$1" "$tmp/said" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || return 1
		sleep 0.05
	done
}

# watch ARGUMENT...: begins to watch, on the right, in the sandbox.
watch()
{
	rm -f "$tmp"/got.*
	: >"$tmp/said" # what the one before said
	ip netns exec "$right" "$tmp/watch" -x -w "$tmp/got" "$@" >"$tmp/said" 2>&1 &
	pid=$!
	case $1 in
	-g) until_said ready ;;
	*) until_said started ;;
	esac
}

# finish: ends it; the exit status is in $status.
finish()
{
	sleep 0.1
	kill -TERM $pid 2>/dev/null
	wait $pid
	status=$?
	pid=
}

# sum FIELD: of all members.
sum()
{
	awk -v field="$1" '$1 == "member" { for (i = 3; i < NF; i++) if ($i == field) sum += $(i + 1) } END { print sum + 0 }' \
		"$tmp/said"
}

# expect WHAT...: complains unless the watcher ended well and each "FIELD N" holds for the sum of its members.
expect()
{
	[ "$status" -eq 0 ] || echo "exit status $status"
	while [ $# -gt 0 ]; do
		[ "$(sum "$1")" -eq "$2" ] || echo "$1: $(sum "$1"), not $2"
		shift 2
	done
	grep '^error' "$tmp/said"
}

# hex FILE...: the bytes of each packet on a line.
hex()
{
	for f in "$@"; do
		tcpdump -nn -t -xx -r "$f" 2>/dev/null | awk '
			/^\t0x/ { for (i = 2; i <= NF; i++) line = line $i; next }
			{ if (line != "") print line; line = "" }
			END { if (line != "") print line }'
	done
}

# same_bytes FILE...: complains unless the members together got exactly these packets, in any order.
same_bytes()
{
	hex "$@" | sort >"$tmp/want"
	hex "$tmp"/got.* | sort >"$tmp/have"
	[ -s "$tmp/want" ] || echo "nothing was sent"
	diff "$tmp/want" "$tmp/have" | cut -c 1-150 | head -n 10
}

# flows FILE: protocol, addresses and ports of each packet, the lesser end first.
flows()
{
	tcpdump -nn -t -r "$1" 2>/dev/null | awk '$1 ~ /^IP6?$/ && $3 == ">" {
		sub(":$", "", $4)
		print ($5 == "Flags" ? "tcp" : "other"), ($2 < $4) ? $2 " " $4 : $4 " " $2
	}'
}

# torn: complains of flows that more than one member has; needs two with flows.
torn()
{
	for k in 0 1; do
		flows "$tmp/got.$k" | sort -u >"$tmp/flows.$k"
		[ "$(wc -l <"$tmp/flows.$k")" -gt 10 ] || echo "member $k has $(wc -l <"$tmp/flows.$k") flows"
	done
	comm -12 "$tmp/flows.0" "$tmp/flows.1"
}

# Everything once, as tcpdump sees it.

watch v1
ip netns exec "$right" tcpdump -i v1 -w "$tmp/tcpdump.pcap" --time-stamp-precision=nano --immediate-mode -B 65536 \
	-Z root >"$tmp/tcpdump" 2>&1 &
tcpdump_pid=$!
sleep 0.5
send --pps 8000 "$tmp/golden-aes" "$tmp/vlan" "$tmp/big-endian"
sleep 0.3
kill $tcpdump_pid
wait $tcpdump_pid
finish
all=$(($(hex "$tmp/golden-aes" "$tmp/vlan" "$tmp/big-endian" | wc -l)))
result "all packets arrive once" "$(
	expect handed $all received $all dropped 0 interface 0
	same_bytes "$tmp/golden-aes" "$tmp/vlan" "$tmp/big-endian"
)"
result "as many as tcpdump counts" "$(grep -qx "$all packets captured" "$tmp/tcpdump" || cat "$tmp/tcpdump")"
result "in the order and with the time stamps of tcpdump, to the nanosecond" "$(
	for f in tcpdump.pcap got.0; do
		tcpdump --time-stamp-precision=nano -nn -tt -xx -r "$tmp/$f" >"$tmp/$f.text" 2>/dev/null
	done
	diff "$tmp/tcpdump.pcap.text" "$tmp/got.0.text" | head -n 4
)"
result "VLAN tags that the kernel takes off are put back" "$(
	want=$(tcpdump -nn -r "$tmp/vlan" vlan 2>/dev/null | wc -l)
	have=$(tcpdump -nn -r "$tmp/got.0" vlan 2>/dev/null | wc -l)
	[ "$want" -gt 100 ] && [ "$want" -eq "$have" ] || echo "$have tagged, not $want"
)"

# Two members.

watch -n 2 v1
send --topspeed "$tmp/golden-aes" "$tmp/vlan"
finish
all=$(hex "$tmp/golden-aes" "$tmp/vlan" | wc -l)
result "two members: all packets arrive once" "$(
	expect handed "$all" received "$all" dropped 0
	same_bytes "$tmp/golden-aes" "$tmp/vlan"
)"
result "two members: each flow is on one of them" "$(torn)"

# As on a host: one direction comes in, the other goes out.
tcpdump -r "$tmp/golden-aes" -w "$tmp/in" 'ip and src host 10.77.5.10' 2>/dev/null
tcpdump -r "$tmp/golden-aes" -w "$tmp/out" 'ip and not src host 10.77.5.10' 2>/dev/null
watch -n 2 v1
send --topspeed "$tmp/in"
ip netns exec "$right" tcpreplay -q -K -i v1 --topspeed "$tmp/out" >/dev/null 2>&1
finish
result "two members: a flow that comes in and goes out is on one of them" "$(
	expect
	same_bytes "$tmp/in" "$tmp/out"
	torn
)"

watch -n 2 v1
send --topspeed "$tmp/rekeyed-service"
finish
fragment='ip[6:2] & 0x3fff != 0'
n_fragments=$(tcpdump -nn -r "$tmp/rekeyed-service" "$fragment" 2>/dev/null | wc -l)
all=$(hex "$tmp/rekeyed-service" | wc -l)
result "two members: IPv4 fragments come as the datagrams they are of" "$(
	[ "$n_fragments" -eq 4 ] || echo "$n_fragments fragments sent"
	expect handed $((all - 2)) received $((all - 2)) dropped 0
	for f in "$tmp"/got.*; do
		tcpdump -nn -r "$f" "$fragment" 2>/dev/null
		tcpdump -nn -r "$f" 'udp and udp[4:2] > 1480' 2>/dev/null
	done >"$tmp/whole"
	[ "$(wc -l <"$tmp/whole")" -eq 2 ] || cat "$tmp/whole"
)"

ip netns exec "$left" tcpreplay -q -K -i v0 --pps 20000 --loop 30 "$tmp/golden-aes" >/dev/null 2>&1 &
replay_pid=$!
sleep 0.2
watch -n 8 v1
sleep 0.3
finish
result "eight members opened amid traffic: no packet arrives twice" "$(
	expect dropped 0
	[ "$(sum handed)" -gt 1000 ] || echo "$(sum handed) packets"
	for f in "$tmp"/got.*; do
		tcpdump --time-stamp-precision=nano -nn -tt -xx -r "$f" 2>/dev/null
	done | awk '/^\t0x/ { line = line $0; next } { print line; line = $0 } END { print line }' | sort | uniq -d | cut -c 1-100 |
		head -n 5
)"
wait $replay_pid

watch -g -n 2 v1
send --topspeed "$tmp/golden-aes"
kill -USR1 $pid
until_said started
send --topspeed "$tmp/vlan"
finish
result "two members: nothing is let in before the start" "$(
	expect dropped 0
	same_bytes "$tmp/vlan"
)"

# What is kept of them.

watch -n 2 -f 'port 88' v1
send --topspeed "$tmp/golden-aes"
finish
result "a filter is done by the kernel" "$(
	want=$(tcpdump -nn -r "$tmp/golden-aes" port 88 2>/dev/null | wc -l)
	expect handed "$want" received "$want" dropped 0
)"

watch -s 96 v1
send --topspeed "$tmp/golden-aes"
finish
lengths='s/.*, length \([0-9]*\):.*/\1/'
result "snaplen cuts packets and keeps their lengths" "$(
	expect handed "$n_golden"
	hex "$tmp/golden-aes" | cut -c 1-192 | sort >"$tmp/want"
	hex "$tmp/got.0" | sort | diff "$tmp/want" - | head -n 4
	tcpdump -nn -t -e -q -r "$tmp/golden-aes" 2>/dev/null | sed "$lengths" >"$tmp/want"
	tcpdump -nn -t -e -q -r "$tmp/got.0" 2>/dev/null | sed "$lengths" | diff "$tmp/want" - | head -n 4
)"

# The cooked header ends with the protocol, as the Ethernet header does: from there on they are the same. Frames with two
# tags are left out, which recent kernels give in a form that no reader can tell.
tcpdump -r "$tmp/vlan" -w "$tmp/single" 'ether proto 0x8100' 2>/dev/null
watch any
send --topspeed "$tmp/single"
finish
result "any: all packets, with their VLAN tags" "$(
	expect
	[ "$(hex "$tmp/single" | wc -l)" -gt 100 ] || echo "few are tagged"
	hex "$tmp/single" | cut -c 25- | sort >"$tmp/want"
	hex "$tmp/got.0" | cut -c 29- | sort | diff "$tmp/want" - | cut -c 1-150 | head -n 4
)"

for option in -p ''; do
	watch $option v1
	got=$(ip -n "$right" -d link show v1 | grep -o 'promiscuity [0-9]*')
	finish
	[ -n "$option" ] && want="promiscuity 0" || want="promiscuity 1"
	result "$want${option:+ with $option}" "$([ "$got" = "$want" ] || echo "$got")"
done

watch lo
ip netns exec "$right" tcpreplay -q -K -i lo --topspeed "$tmp/golden-aes" >/dev/null 2>&1
finish
result "lo: each packet once" "$(expect handed "$n_golden" received "$n_golden" dropped 0)"

# The machine may be busy: the best of three.
for try in 1 2 3; do
	watch v1
	send --pps 97 --limit 100 "$tmp/golden-aes"
	finish
	late=$(sum late)
	[ "$late" -gt 50 ] || break
done
result "at a low rate a packet is here within 50 ms" "$(
	expect handed 100
	[ "$late" -le 50 ] || echo "$late ms, try $try"
)"

# Drops are counted.

for ring in 1 262144; do
	watch -b $ring v1
	kill -STOP $pid
	send --topspeed --loop 5 "$tmp/golden-aes"
	kill -CONT $pid
	sleep 0.2
	send --pps 4000 "$tmp/golden-aes"
	finish
	result "a ring of $ring and a stopped process: what is not here is counted as dropped" "$(
		expect handed "$(sum received)"
		[ "$(sum dropped)" -gt "$n_golden" ] || echo "$(sum dropped) dropped"
		[ $(($(sum handed) + $(sum dropped))) -eq $((6 * n_golden)) ] || cat "$tmp/said"
	)"
done

# The interface comes and goes; the sandbox sees to it that it is the same socket.

watch -n 2 v1
ip -n "$right" link set v1 down
until_said "is down"
sleep 0.1
ip -n "$right" link set v1 up
until_said "is up again"
send --topspeed "$tmp/golden-aes"
finish
said=$(grep '^notice' "$tmp/said")
result "an interface that goes down and comes up is told once, and watched on" "$(
	expect handed "$n_golden"
	same_bytes "$tmp/golden-aes"
	[ "$said" = "notice v1: is down, waiting for it to come up
notice v1: is up again" ] || echo "$said"
)"

watch v1
ip -n "$right" link set v1 down
until_said "is down"
ip -n "$right" link set v1 name v1x
ip -n "$right" link set v1x up
until_said "is up again"
send --topspeed "$tmp/golden-aes"
finish
ip -n "$right" link set v1x down
ip -n "$right" link set v1x name v1
result "one that is renamed on the way is watched on" "$(
	expect handed "$n_golden"
	grep -qx 'notice v1: is up again' "$tmp/said" || cat "$tmp/said"
)"

watch v1
ip -n "$right" link set v1 up
until_said "is up again"
send --topspeed "$tmp/golden-aes"
finish
result "one that is down at the start is waited for" "$(
	expect handed "$n_golden"
	grep -qx 'notice v1: is down, waiting for it to come up' "$tmp/said" || cat "$tmp/said"
)"

for how in removed "removed while it is down"; do
	watch v1
	if [ "$how" = removed ]; then
		ip netns exec "$left" sh -c 'tcpreplay -q -K -i v0 --topspeed "$1" && ip link del v0' sh "$tmp/golden-aes" \
			>"$tmp/sent" 2>&1
	else
		send --topspeed "$tmp/golden-aes"
		ip -n "$right" link set v1 down
		until_said "is down"
		ip -n "$right" link del v1
	fi
	until_said error
	wait $pid
	status=$?
	pid=
	result "$how: an error, after all packets" "$(
		[ $status -eq 1 ] || echo "exit status $status"
		[ "$(grep '^error' "$tmp/said")" = "error v1: the interface was removed" ] || cat "$tmp/said"
		[ "$(sum handed)" -eq "$n_golden" ] || echo "$(sum handed) packets, not $n_golden"
	)"
	plug
done

# What is refused.

# refused WORDS ARGUMENT...
refused()
{
	want="error $1"
	shift
	ip netns exec "$right" "$tmp/watch" "$@" >"$tmp/said" 2>&1
	[ $? -eq 1 ] || echo "exit status not 1"
	[ "$(cat "$tmp/said")" = "$want" ] || cat "$tmp/said"
}
result "an interface that there is not" "$(refused "v7: no such interface" v7)"
result "a bad filter" "$(refused "v1: filter: can't parse filter expression: syntax error" -f 'prot 88' v1)"
result "no time stamps of the adapter" "$(
	watch -j adapter v1
	send --topspeed "$tmp/golden-aes"
	finish
	expect handed "$n_golden"
	grep -q "^notice v1: no time stamps of the adapter, the kernel's are used: " "$tmp/said" || cat "$tmp/said"
)"

# nobody CAPABILITIES COMMAND...: becomes the command, run by a user who has no others.
nobody()
{
	caps=$1
	shift
	exec ip netns exec "$right" setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps="$caps" \
		--ambient-caps="$caps" --bounding-set="$caps" "$@"
}
result "no permission" "$(
	(nobody -all "$tmp/watch" v1) >"$tmp/said" 2>&1
	[ $? -eq 1 ] || echo "exit status not 1"
	[ "$(cat "$tmp/said")" = "error v1: no permission to capture: run as root or give the program cap_net_raw" ] ||
		cat "$tmp/said"
)"
: >"$tmp/said"
nobody -all,+net_raw "$tmp/watch" -x -n 2 v1 >"$tmp/said" 2>&1 &
pid=$!
until_said started
send --topspeed "$tmp/golden-aes"
finish
result "cap_net_raw is enough" "$(expect handed "$n_golden")"

result "the list of interfaces" "$(
	ip netns exec "$right" "$tmp/watch" -D >"$tmp/said" 2>"$tmp/stderr" || echo "failed"
	cat "$tmp/stderr"
	tab=$(printf '\t')
	for line in "any${tab}Linux cooked${tab}up,running$tab" "lo${tab}Ethernet${tab}up,running,loopback$tab" \
		"v1${tab}Ethernet${tab}up"; do
		grep -q "^$line" "$tmp/said" || echo "no $line"
	done
	[ "$(wc -l <"$tmp/said")" -eq 4 ] || cat "$tmp/said"
)"
result "the list without permission says so" "$(
	(nobody -all "$tmp/watch" -D) >"$tmp/said" 2>"$tmp/stderr" || echo "failed"
	[ "$(wc -l <"$tmp/said")" -eq 4 ] || cat "$tmp/said"
	grep -qx "no permission to capture: run as root or give the program cap_net_raw" "$tmp/stderr" || cat "$tmp/stderr"
)"

plan
