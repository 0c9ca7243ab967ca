#!/usr/bin/env python3
"""Workers: whatever their number, the same bytes come out, and whatever goes wrong in the middle, the run ends.

A build with ThreadSanitizer exits with 66 when two threads touched the same: every case here holds the exit status."""
import fcntl
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.environ.get("top_srcdir", "."), "tests/lib"))
import mintest  # noqa: E402

WORKERS = (1, 2, 3, 8)
SETS = (["warmup", "golden-aes", "silver-smb", "duplicated"], ["alt-warmup", "alt-golden-aes", "alt-silver-smb"],
        ["big-endian", "vlan", "offload", "lost-frames", "snaplen"], ["benign-hour", "honest-errors", "late-sensor"], ["web-day", "storm-0558", "never-issued"])
ENDS_S = 60
REST_S = 0.05  # between two looks at a process
RESTS = 6      # looks in a row at which it must be found idle


def run(args, workers, stdin=None):
    """Exit status, standard output, standard error."""
    p = subprocess.run([mintest.MINTMARK, "-q", "-o", f"engine.workers={workers}", *args], input=stdin, capture_output=True,
                       timeout=ENDS_S, check=False)
    return p.returncode, p.stdout, p.stderr.decode(errors="replace")


def told(got):
    """What is wrong with a run that should go well."""
    bad = [] if got[0] == 0 else [f"exit status {got[0]}"]
    return bad + got[2].splitlines()[:6]


def same(tap, name, args, stdin=None, empty=False):
    """One case for each number of workers: the same as with none."""
    want = run(args, 0, stdin)
    tap.result(f"{name}: 0 workers", told(want) + ["nothing"] * (not want[1] and not empty))
    for workers in WORKERS:
        got = run(args, workers, stdin)
        differ = got[1] != want[1]
        lines = zip(want[1].split(b"\n"), got[1].split(b"\n"))
        first = next((f"{a[:200]} is now {b[:200]}" for a, b in lines if a != b), "lengths")
        tap.result(f"{name}: {workers} workers", told(got) + [f"differs: {first}"] * differ)


def captures(tap, paths):
    """Files, several at a time; a directory of them; standard input, compressed and not."""
    for names in SETS:
        files = [paths[n] for n in names]
        same(tap, "text of " + ", ".join(names), files)
        same(tap, "NDJSON of " + ", ".join(names), ["--json", *files])
    same(tap, "a directory", ["--json", mintest.CAPTURES])
    with open(paths["benign-day"], "rb") as f:
        same(tap, "compressed standard input", ["--json", "-"], f.read())
    with open(paths["benign-hour"], "rb") as f:
        same(tap, "standard input", ["--json", "-"], f.read())
    same(tap, "a filter", ["--json", "-f", "tcp port 88 or udp port 88", paths["benign-day"]])
    same(tap, "unanswered requests and short memory of flows",
         ["--json", "-o", "flow.udp_timeout=1", "-o", "flow.tcp_timeout=10", paths["benign-day"]])


def states(tap, paths, tmp):
    """--state: what a run leaves behind is the same for the next one, whoever made it."""
    def both(workers):
        state = os.path.join(tmp, f"state-{workers}")
        first = run(["--json", "--state", state, "-o", "state.interval=1", paths["warmup"]], workers)
        second = run(["--json", "--state", state, paths["golden-aes"]], workers)
        return told(first) + told(second), first[1] + second[1]
    want = both(0)
    tap.result("two runs that share a state: 0 workers", want[0] + ["no finding"] * (b'"alert"' not in want[1]))
    for workers in WORKERS:
        got = both(workers)
        tap.result(f"two runs that share a state: {workers} workers", got[0] + ["differs"] * (got[1] != want[1]))


def few_flows(tap, paths):
    """Tables of a few places, of which each worker has its share: that changes what is known, but bounds hold."""
    for workers in (0,) + WORKERS:
        status, _, err = run(["--counters", "--json", "-o", "flow.max=16", "-o", "flow.tracked=16", paths["benign-day"]], workers)
        count = {name: int(n) for name, n in re.findall(r"^mintmark_(flows_evicted_total|flows_total) +([0-9]+)$", err, re.M)}
        # Each worker has its share, rounded up.
        kept = count.get("flows_total", 0) - count.get("flows_evicted_total", 0)
        tap.result(f"flow.max=16: {workers} workers", [f"exit status {status}: {err[:300]}"] * (status != 0) +
                   [f"{kept} of {count} were not evicted"] * (not 0 < kept <= 16 + workers))


def little_room(tap, paths):
    """Waiting events at their least memory: they leave before their time, and none is lost."""
    def lines(workers, *options):
        got = run(["--json", *options, paths["benign-day"]], workers)
        events = [line for line in got[1].splitlines() if b'"event.kind":"alert"' not in line]
        return told(got), events
    want = lines(0)
    for workers in (0, 8):
        got = lines(workers, "-o", "engine.event_memory=65536", "-o", "engine.merge_hold=10000")
        tap.result(f"least engine.event_memory: {workers} workers",
                   want[0] + got[0] + [f"{len(got[1])} events of {len(want[1])}"] * (len(got[1]) != len(want[1])))


def full(tap, paths):
    """The disk is full: one line says so, and the run ends."""
    for workers in (0,) + WORKERS:
        got = run(["-w", "/dev/full", paths["benign-day"], paths["warmup"]], workers)
        want = "mintmark: /dev/full: No space left on device\n"
        tap.result(f"-w /dev/full: {workers} workers", [f"{got[0]}: {got[2]}"] * (got[0] != 1 or got[2] != want))


def first_packets(path, n_bytes):
    """The head of a classic capture, up to a packet's end; little-endian, uncompressed."""
    with open(path, "rb") as f:
        data = f.read()
    at = 24
    while at < n_bytes:
        at += 16 + struct.unpack_from("<I", data, at + 8)[0]
    return data[:at]


def idle(pid):
    """No thread of it runs."""
    tasks = f"/proc/{pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/stat", encoding="ascii", errors="replace") as f:
            if f.read().rpartition(")")[2].split()[0] != "S":
                return False
    return True


def wait_idle(p):
    """Until it has read all that is in its pipe, and done all that there is to do."""
    left = bytearray(4)
    n = 0
    until = time.monotonic() + ENDS_S
    while n < RESTS and time.monotonic() < until:
        fcntl.ioctl(p.stdin.fileno(), termios.FIONREAD, left)
        n = n + 1 if not any(left) and idle(p.pid) else 0
        time.sleep(REST_S)


def stopped(tap, path, tmp):
    """SIGINT while a pipe is waited for: the run ends as if its input had, though nothing more comes."""
    head = first_packets(path, 2600000)
    want = run(["--json", "-"], 0, head)
    for workers in (0,) + WORKERS:
        with open(os.path.join(tmp, "stopped"), "w+b") as out:
            with subprocess.Popen([mintest.MINTMARK, "-q", "--json", "-o", f"engine.workers={workers}", "-"],
                                  stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE) as p:
                p.stdin.write(head)
                p.stdin.flush()
                wait_idle(p)
                p.send_signal(signal.SIGINT)
                try:
                    status = p.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    status = "none: it waits on"
                p.stdin.close()
                said = p.stderr.read().decode(errors="replace")
                p.wait(timeout=ENDS_S)
            out.seek(0)
            got = out.read()
        tap.result(f"SIGINT while a pipe is waited for: {workers} workers", [f"exit status {status}"] * (status != 0) +
                   said.splitlines()[:6] + [f"{len(got)} bytes of {len(want[1])}"] * (got != want[1]))


def main():
    tap = mintest.Tap()
    tmp = tempfile.mkdtemp()
    paths = {}
    for path in mintest.captures().values():
        paths.setdefault(mintest.stem(path), path)  # of the web: in clear
    try:
        captures(tap, paths)
        states(tap, paths, tmp)
        few_flows(tap, paths)
        little_room(tap, paths)
        full(tap, paths)
        plain = os.path.join(tmp, "benign-day.pcap")
        with open(plain, "wb") as f:
            subprocess.run(["zstd", "-qdc", paths["benign-day"]], stdout=f, check=True)
        stopped(tap, plain, tmp)
    finally:
        shutil.rmtree(tmp)
    tap.plan()


main()
