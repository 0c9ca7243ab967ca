#!/bin/sh
# --state: a restart goes on as if there had been none, whatever happened to the run before or to its snapshot.
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${MINTMARK:=$top_srcdir/mintmark}"
. "$top_srcdir/tests/lint/tap.sh"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
cd pcaps || exit 1

# same WHAT FILE FILE
same()
{
	cmp -s "$2" "$3" || echo "$1 differ: $(diff "$2" "$3" | head -n 4 | cut -c 1-300)"
}

events()
{
	grep -v '"event.kind":"alert"' "$1"
}

# restart FIRST SECOND: two runs that share a state, against one over both.
restart()
{
	rm -rf "$tmp/s"
	"$MINTMARK" -q --json "$1" "$2" >"$tmp/both"
	"$MINTMARK" -q --json --state "$tmp/s" "$1" >"$tmp/first" || echo "exit status $? on $1"
	"$MINTMARK" -q --json "$1" | cmp -s - "$tmp/first" || echo "an empty state changes what is said of $1"
	"$MINTMARK" -q --json --state "$tmp/s" "$2" >"$tmp/second" || echo "exit status $? on $2"
	{ events "$tmp/first" && cat "$tmp/second"; } >"$tmp/joined"
	same "one run over $1 and $2 and two" "$tmp/both" "$tmp/joined"
	[ "$(ls "$tmp/s")" = mintmark.state ] || echo "left behind: $(ls "$tmp/s")"
}

for pair in \
	warmup.pcap.zst:golden-aes.pcap.zst \
	warmup.pcap.zst:silver-smb.pcap.zst \
	warmup.pcap.zst:late-sensor.pcap.zst \
	golden-aes.pcap.zst:silver-smb.pcap.zst \
	alt-warmup.pcap.zst:alt-golden-aes.pcap.zst \
	web/web-day.http1.pcap.zst:web/consent-phish.http1.pcap.zst \
	web/web-day.http1.pcap.zst:web/device-phish.http1.pcap.zst \
	web/web-day.http1.pcap.zst:web/replay-elsewhere.http1.pcap.zst; do
	result "$pair: a restart in between is not seen in the output" "$(restart "${pair%:*}" "${pair#*:}")"
done

# A golden ticket of the run before keeps the name of its capture.
"$MINTMARK" -q --json --state "$tmp/names" golden-aes.pcap.zst >/dev/null
bad=$("$MINTMARK" -q --json --state "$tmp/names" vlan.pcap.zst |
	grep -c '"event.kind":"alert".*"golden-aes.pcap.zst#' | grep -qv '^0$' || echo "no packet of golden-aes.pcap.zst#")
result "evidence of an earlier run keeps the name of its capture" "$bad"
bad=$("$MINTMARK" -q --json --state "$tmp/names" golden-aes.pcap.zst |
	grep -c '"golden-aes.pcap.zst\[until 20..-..-..T..:..:..Z\]#' | grep -qv '^0$' || echo "the name is not marked")
result "when another input is called the same, the earlier name is marked" "$bad"

# cold NAME PATTERN: the snapshot in $tmp/s is refused, said, kept aside; the run is as without one.
cold()
{
	"$MINTMARK" -q --json golden-aes.pcap.zst >"$tmp/want" 2>/dev/null
	"$MINTMARK" -q --json --state "$tmp/s" golden-aes.pcap.zst >"$tmp/out" 2>"$tmp/err" || echo "exit status $?"
	same "a cold run and this" "$tmp/want" "$tmp/out"
	grep -q "$1" "$tmp/err" || echo "not said: $(cat "$tmp/err")"
	[ "$(wc -l <"$tmp/err")" -eq 1 ] || echo "$(cat "$tmp/err")"
	ls "$tmp/s" | grep -q "^mintmark.state.$2-[0-9]*\$" || echo "not kept: $(ls "$tmp/s")"
	rm -f "$tmp"/s/mintmark.state.*
	"$MINTMARK" -q --state "$tmp/s" vlan.pcap.zst >/dev/null 2>"$tmp/err" || echo "exit status $? after that"
	[ ! -s "$tmp/err" ] || echo "still said: $(cat "$tmp/err")"
}

# patch OFFSET BYTE: over the snapshot of the last run.
patch()
{
	printf "$2" | dd of="$tmp/s/mintmark.state" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

rm -rf "$tmp/s"
"$MINTMARK" -q --state "$tmp/s" warmup.pcap.zst >/dev/null
patch 1000 '\377\001'
result "a damaged snapshot is put aside" "$(cold 'is damaged: its SHA-256 is another one' corrupt)"
head -c 5000 "$tmp/s/mintmark.state" >"$tmp/cut" && cat "$tmp/cut" >"$tmp/s/mintmark.state"
result "a cut snapshot is put aside" "$(cold 'not of the length it should have' corrupt)"
: >"$tmp/s/mintmark.state"
result "an empty snapshot is put aside" "$(cold 'is no snapshot of mintmark' corrupt)"
patch 8 '\143'
result "a snapshot of another version is put aside" "$(cold 'of another version' version)"

if command -v flock >/dev/null; then
	bad=$(flock "$tmp/s" "$MINTMARK" -q --state "$tmp/s" vlan.pcap.zst 2>&1 >/dev/null)
	[ "$bad" = "mintmark: state: $tmp/s: in use by another process" ] && bad=
	result "a directory in use is refused" "$bad"
else
	skip "a directory in use is refused" "no flock"
fi

bad=$("$MINTMARK" -q --state /dev/null vlan.pcap.zst 2>&1 >/dev/null) && bad="exit status 0: $bad"
[ "$bad" = "mintmark: state: /dev/null: Not a directory" ] && bad=
result "what is no directory is refused" "$bad"

# on FILESYSTEM_OPTIONS: the state on a file system of its own; what is reported is there, the failure is said.
on()
{
	unshare -rm sh -c '
		mkdir -p "$1/fs" && mount -t tmpfs -o "size=64k" none "$1/fs" && mkdir "$1/fs/s" || exit 77
		[ "$2" != ro ] || mount -o remount,ro "$1/fs" || exit 77
		"$MINTMARK" -q --json --user root --state "$1/fs/s" warmup.pcap.zst >"$1/out" 2>"$1/err"
		status=$?
		ls "$1/fs/s"
		exit $status' sh "$tmp" "$1"
	status=$?
	[ "$status" -ne 77 ] || return
	[ "$status" -eq 1 ] || echo "exit status $status"
	grep -q "not saved: $2" "$tmp/err" || echo "not said: $(cat "$tmp/err")"
	"$MINTMARK" -q --json warmup.pcap.zst | cmp -s - "$tmp/out" || echo "the output differs"
}

export MINTMARK
if unshare -rm sh -c 'mount -t tmpfs none /mnt' 2>/dev/null; then
	result "a full disk is said, and leaves nothing" "$(on full 'No space left on device')"
	result "a read-only directory is said" "$(on ro 'Read-only file system')"
else
	skip "a full disk is said, and leaves nothing" "no mount namespace"
	skip "a read-only directory is said" "no mount namespace"
fi

# fed SIGNAL INTERVAL: a run that reads a pipe whose writer stays, ended by the signal when all of the capture was read.
fed()
{
	rm -rf "$tmp/s" "$tmp/pipe"
	mkfifo "$tmp/pipe"
	sleep 60 >"$tmp/pipe" &
	writer=$!
	"$MINTMARK" -q --json --state "$tmp/s" -o "state.interval=$2" - <"$tmp/pipe" >"$tmp/out" 2>"$tmp/err" &
	run=$!
	zstd -qdc warmup.pcap.zst >"$tmp/pipe"
	lines=0
	before=-1
	i=0
	until { [ "$lines" -gt 700 ] && [ "$lines" -eq "$before" ]; } || [ $i -ge 60 ]; do
		sleep 0.5
		before=$lines
		lines=$(wc -l <"$tmp/out")
		i=$((i + 1))
	done
	kill "-$1" $run
	wait $run 2>/dev/null
	status=$?
	kill $writer
	wait $writer 2>/dev/null
}

# What is known of tickets issued: their number after a run over a capture that issues none.
known()
{
	"$MINTMARK" -q --state "$tmp/s" snaplen.pcap.zst | sed -n 's/^  Credentials *\([0-9]*\) issued.*/\1/p'
}

alone=$("$MINTMARK" -q snaplen.pcap.zst | sed -n 's/^  Credentials *\([0-9]*\) issued.*/\1/p')
"$MINTMARK" -q --json warmup.pcap.zst >"$tmp/all"
# Those that were issued an interval, and the hold time of the order of events, before the last event.
early=$(grep '"mintmark.kind":"issue"' "$tmp/all" | python3 -c '
import datetime, json, sys
lines = [json.loads(line) for line in sys.stdin]
at = [datetime.datetime.fromisoformat(e["@timestamp"][:26]) for e in lines]
print(sum(t < at[-1] - datetime.timedelta(seconds=float(sys.argv[1])) for t in at))' 7)
all=$(grep -c '"mintmark.kind":"issue"' "$tmp/all")

fed KILL 5
count=$(($(known) - alone))
[ "$count" -ge "$early" ] && bad= || bad="$count issued are known, $early of $all were issued an interval before the end"
[ "$early" -gt 100 ] || bad="only $early tickets were issued that early"
result "kill -9 loses no more than the interval" "$bad"

fed TERM 86400
count=$(($(known) - alone))
[ "$count" -eq "$all" ] && bad= || bad="$count of $all issued are known"
[ "$status" -eq 0 ] || bad="exit status $status: $(cat "$tmp/err")"
result "SIGTERM saves all that was read" "$bad"

plan
