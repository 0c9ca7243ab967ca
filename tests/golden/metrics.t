#!/usr/bin/env python3
# The counters: in Prometheus' format, the same as the report's, written so that no reader sees half of them; and every
# counter that a stage keeps is among them.
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import exposition
import mintest

WAIT_S = 20
FILE = "m.prom"

# What the checker must find fault with, so that its silence says something.
BROKEN = [
    b"a_total 1\n",
    b"# HELP a_total x\n# TYPE a_total counter\na_total 1",
    b"# HELP a_total x\n# TYPE a_total counter\na_total one\n",
    b"# HELP a_total x\n# TYPE a_total counter\na_total 1\na_total 2\n",
    b"# HELP a_total x\n# HELP a_total x\n# TYPE a_total counter\na_total 1\n",
    b"# HELP a_total x\n# TYPE a_total count\na_total 1\n",
    b"# HELP a x\n# TYPE a counter\na 1\n",
    b"# HELP a_total x\n# TYPE a_total counter\na_total{b=\"\xff\"} 1\n",
    b"# HELP a_total x\n# TYPE a_total counter\na_total{b=\"\\x\"} 1\n",
    b"# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c} 1\n",
    b"# HELP a_total x\n# TYPE a_total counter\na_total{1=\"c\"} 1\n",
    b"# HELP a x\n# TYPE a gauge\n# HELP b x\n# TYPE b gauge\na 1\nb 1\na{c=\"d\"} 1\n",
]

# Structs in which stages count, and where the counters are read.
COUNTED = [
    ("src/decode/decode.h", "mm_decode_stats", "src/output/metrics.c"),
    ("src/flow/flow.h", "mm_flow_stats", "src/output/metrics.c"),
    ("src/flow/flow.h", "mm_flow_proto_stats", "src/output/metrics.c"),
    ("src/ledger/ledger.h", "mm_ledger", "src/output/metrics.c"),
    ("src/ledger/names.h", "mm_names", "src/output/metrics.c"),
    ("src/detect/detect.h", "mm_detect", "src/output/metrics.c"),
    ("src/base/table.h", "mm_table", "src/output/metrics.c"),
    ("src/event/event.h", "mm_event_pool", "src/crew.c"),
    ("src/crew.h", "mm_crew_stats", "src/engine.c"),
    ("src/ledger/ledger.h", "mm_loss", "src/output/metrics.c"),
]


def read(path):
    with open(path, "rb") as f:
        return f.read()


def checker(tap):
    tap.result("the checker sees what is wrong",
               [repr(raw) for raw in BROKEN if not exposition.Exposition(raw).complaints])
    good = exposition.Exposition(b'# HELP a_total x\n# TYPE a_total counter\n'
                                 b'a_total{b="\\\\\\"\\n",c=""} 1.5e3\na_total{b="",c=""} 2\n')
    tap.result("the checker reads what is right", good.complaints +
               [str(good.samples)] * (good.samples[0] != ("a_total", {"b": '\\"\n', "c": ""}, 1500.0)))


def against_report(tap, capture):
    """The report is made from the same stats by other code."""
    status, out, err = mintest.run("--metrics-file", FILE, "--counters", capture)
    raw = read(FILE)
    e = exposition.Exposition(raw)
    tap.result("the file is in Prometheus' format", e.complaints + [err] * (status != 0))

    def number(pattern):
        return float(re.search(pattern, out).group(1))

    events, findings = mintest.records(capture)
    packets = number(r"Packets\s+(\d+) packets")
    want = {
        "mintmark_packets_total": packets,
        "mintmark_capture_packets_total": packets,
        "mintmark_segments_total": number(r"(\d+) TCP or UDP"),
        "mintmark_flows_tcp_total": number(r"Flows\s+(\d+) TCP"),
        "mintmark_flows_udp_total": number(r"TCP, (\d+) UDP"),
        "mintmark_events_total": float(len(events)),
        "mintmark_credentials_issued_total": number(r"Credentials\s+(\d+) issued"),
        "mintmark_capture_read_bytes_total": float(os.path.getsize(capture)),
        "mintmark_capture_size_bytes": float(os.path.getsize(capture)),
        "mintmark_flows_live": 0.0,
        "mintmark_events_making": 0.0,
        "mintmark_events_waiting": 0.0,
        "mintmark_worker_segments_total": number(r"(\d+) TCP or UDP"),
        "mintmark_findings": float(len(findings)),
    }
    bad = [f"{k}: {e.get(k)}, not {v}" for k, v in want.items() if e.get(k) != v]
    for band in mintest.BANDS:
        n = sum(f["mintmark.band"] == band for f in findings)
        bad += [f"band {band}: {e.get('mintmark_findings', band=band)}"] * (e.get("mintmark_findings", band=band) != n)
    for protocol, n in re.findall(r"(\w+) (\d+)[,;]", re.search(r"Messages\s+(.*)", out).group(1)):
        got = e.get("mintmark_protocol_messages_total", protocol=protocol)
        bad += [f"messages of {protocol}: {got}"] * (got != float(n))
    tap.result("the counters are those of the report", bad)

    text = dict(line.rsplit(None, 1) for line in err.splitlines())
    lines = dict(line.rsplit(" ", 1) for line in raw.decode().splitlines() if not line.startswith("#"))
    differ = [k for k in text.keys() | lines.keys() if text.get(k) != lines.get(k) and "resident" not in k]
    tap.result("--counters prints the same", differ + [err[:200]] * (len(text) < 50))

    listed = [r.split("\t") for r in mintest.run("--list-metrics")[1].splitlines()[1:]]
    names = {n for n, _, _ in e.samples}
    bad = [f"not listed: {n}" for n in names - {r[0] for r in listed}]
    for name, kind, labels, help_ in listed:
        have = next((", ".join(sorted(found)) for n, found, _ in e.samples if n == name), None)
        if (e.types.get(name), e.helps.get(name), have) != (kind, help_, labels.replace("-", "")):
            bad.append(f"{name}: {e.types.get(name)} {{{have}}} {e.helps.get(name)}")
    tap.result("--list-metrics lists what is written", bad)


def odd_names(tap, capture):
    odd = 'a"b\\c\nd\x1b\u202e\xfc.pcapng'
    os.symlink(capture, odd)
    os.symlink(capture, b"\xff.pcapng")
    status, _, err = mintest.run("-q", "--json", "--metrics-file", FILE, odd, odd, b"\xff.pcapng")
    e = exposition.Exposition(read(FILE))
    got = [(found["index"], found["source"]) for n, found, _ in e.samples if n == "mintmark_capture_packets_total"]
    want = [("0", odd.replace("\x1b", "?").replace("\u202e", "?")), ("2", "?.pcapng")]
    tap.result("names of captures are escaped, and one may be given twice", e.complaints + [err] * (status != 0) +
               [str(got)] * (len(got) != 3 or [got[0], got[2]] != want))


def replaced(tap, capture):
    with open(FILE, "w") as f:
        f.write("old\n")
    with open(f".{FILE}.tmp", "w") as f:
        f.write("left by a run that was killed\n")
    with open(FILE) as old:
        status, _, err = mintest.run("-q", "--json", "--metrics-file", FILE, capture)
        kept = old.read()
    tap.result("the file is replaced, not written into", [err] * (status != 0) + [kept] * (kept != "old\n") +
               exposition.Exposition(read(FILE)).complaints + [str(os.listdir())] * (f".{FILE}.tmp" in os.listdir()))
    mode = os.stat(FILE).st_mode & 0o777
    tap.result("others may read it", [oct(mode)] * (mode != 0o644))


def refused(tap, capture):
    os.mkdir("directory")
    for name, path, why in [("a missing directory", "none/m.prom", "No such file or directory"),
                            ("a directory", "directory", "Is a directory")]:
        status, out, err = mintest.run("--metrics-file", path, capture)
        tap.result(f"told before the run: {name}", [f"exit status {status}"] * (status != 1) + ["a report"] * (out != "") +
                   [err] * (err != f"mintmark: {path}: {why}\n") + [str(os.listdir())] * (".directory.tmp" in os.listdir()))
    with open("copy.pcapng", "wb") as f:
        f.write(read(capture))
    status, _, err = mintest.run("--metrics-file", "copy.pcapng", "copy.pcapng")
    tap.result("a capture is not replaced", [err] * (status != 1 or "not overwritten" not in err) +
               ["it was"] * (read("copy.pcapng") != read(capture)))


def wait_for(stream, pattern):
    """What the stream says until it holds the pattern."""
    said = b""
    while re.search(pattern, said) is None and select.select([stream], [], [], WAIT_S)[0]:
        more = os.read(stream.fileno(), 65536)
        if not more:
            break
        said += more
    return said.decode()


def on_signal(tap, capture, workers):
    """Half of a capture, then a signal and some more of it, until the counters come: the run goes on."""
    raw = read(capture)
    at, said = len(raw) // 2, ""
    with open("events", "wb") as out:
        p = subprocess.Popen([mintest.MINTMARK, "-q", "--json", "-o", f"engine.workers={workers}", "-"], stdin=subprocess.PIPE, stdout=out,
                             stderr=subprocess.PIPE)
    p.stdin.write(raw[:at])
    p.stdin.flush()
    end = time.monotonic() + 2
    while os.path.getsize("events") == 0 and time.monotonic() < end:
        time.sleep(0.05)  # until its first event is out, if there is one so early, or its handlers are surely set
    while at < len(raw) and not said:
        p.send_signal(signal.SIGUSR1)
        p.stdin.write(raw[at:at + 10000])
        p.stdin.flush()
        at += 10000
        if select.select([p.stderr], [], [], 0.5)[0]:
            said = wait_for(p.stderr, rb"findings_dropped_total.*\n")
    p.stdin.write(raw[at:])
    _, rest = p.communicate(timeout=WAIT_S)
    got = re.search(r"^mintmark_packets_total +(\d+)$", said, re.M)
    with open(capture, "rb") as f:
        want = subprocess.run([mintest.MINTMARK, "-q", "--json", "-"], stdin=f, capture_output=True).stdout
    tap.result(f"SIGUSR1 prints the counters while it runs, with {workers} workers", [f"nothing: {said[:500]}"] * (got is None) +
               ["at the end only"] * (got is not None and int(got.group(1)) >= 425) +
               [f"exit status {p.returncode}: {rest}"] * (p.returncode != 0) +
               ["the output is another one"] * (read("events") != want))


def every_counter(tap):
    for header, struct, user in COUNTED:
        body = re.search(r"^struct %s \{(.*?)^\};" % struct, read(os.path.join(mintest.TREE, header)).decode(),
                         re.M | re.S).group(1)
        body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
        fields = [f.strip() for line in re.findall(r"\buint64_t\b([^;()*]*);", body) for f in line.split("[")[0].split(",")]
        text = read(os.path.join(mintest.TREE, user)).decode()
        tap.result(f"every counter of {struct} is a metric", ["no counters found"] * (not fields) +
                   [f for f in fields if re.search(r"\b%s\b" % f, text) is None])


def main():
    tap = mintest.Tap()
    paths = {mintest.stem(p): p for p in mintest.captures().values()}
    with tempfile.TemporaryDirectory() as tmp:
        os.chdir(tmp)
        checker(tap)
        against_report(tap, paths["golden-aes"])
        odd_names(tap, paths["benign-hour"])
        replaced(tap, paths["benign-hour"])
        refused(tap, paths["benign-hour"])
        for workers in (0, 3):
            on_signal(tap, paths["benign-hour"], workers)
        every_counter(tap)
        os.chdir("/")
    tap.plan()


main()
