#!/usr/bin/env python3
# What the command line does with its inputs and outputs, where the exact bytes do not matter but that they are the
# same, or that they are kept.
import json
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

MICRO, NANO = 0xa1b2c3d4, 0xa1b23c4d
LINK_UNKNOWN = 147  # DLT_USER0: for private use
WAIT_S = 10


# Captures, read and written

def read_pcap(path):
    """[(seconds, nanoseconds, data, wire length)] and the link type."""
    with mintest.Plain(path) as plain, open(plain, "rb") as f:
        raw = f.read()
    order = "<" if raw[:4] in (struct.pack("<I", MICRO), struct.pack("<I", NANO)) else ">"
    magic, _, _, _, _, _, link = struct.unpack(order + "IHHIIII", raw[:24])
    packets, at = [], 24
    while at < len(raw):
        s, frac, cap, wire = struct.unpack(order + "IIII", raw[at:at + 16])
        packets.append((s, frac if magic == NANO else frac * 1000, raw[at + 16:at + 16 + cap], wire))
        at += 16 + cap
    return packets, link


def pcap(packets, link, order="<", magic=MICRO):
    out = [struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 262144, link)]
    for s, ns, data, wire in packets:
        out += [struct.pack(order + "IIII", s, ns if magic == NANO else ns // 1000, len(data), wire), data]
    return b"".join(out)


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def pcapng(packets, link, order="<"):
    """Section header, one interface in microseconds, enhanced packets."""
    out = [block(order, 0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1)),
           block(order, 1, struct.pack(order + "HHI", link, 0, 0))]
    for s, ns, data, wire in packets:
        t = s * 1000000 + ns // 1000
        out.append(block(order, 6, struct.pack(order + "IIIII", 0, t >> 32, t & 0xffffffff, len(data), wire) + data))
    return b"".join(out)


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


def compress(tool, data):
    return subprocess.run([tool, "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


# mintmark, run

def ndjson(*args, **kwargs):
    """Standard output; anything but success is an error."""
    p = subprocess.run([mintest.MINTMARK, "--json", "-q", *args], capture_output=True, timeout=WAIT_S * 3, **kwargs)
    if p.returncode != 0 or p.stderr:
        raise RuntimeError(f"{args}: exit status {p.returncode}: {p.stderr.decode()[:300]}")
    return p.stdout


def without_packets(lines):
    """Records without what names their packets; times and all else stay."""
    kept = []
    for line in lines.splitlines():
        record = json.loads(line)
        record = {k: v for k, v in record.items() if "packet" not in k}
        for entry in record.get("mintmark.evidence", []) + record.get("mintmark.lineage", []):
            entry.pop("packets", None)
            entry.pop("packet", None)
        kept.append(record)
    return kept


def differ(want, got):
    return [] if want == got and want else [f"{len(got)} instead of {len(want)} bytes or records, or others"]


def one_line(stderr, *names):
    """Complaints about what should be one line that names these."""
    lines = stderr.splitlines()
    bad = [] if len(lines) == 1 else [f"{len(lines)} lines on standard error: {stderr[:300]}"]
    return bad + [f"{name} is not named: {stderr[:300]}" for name in names if name not in stderr]


# Cases

def forms(tap, packets, link):
    """Each form of file gives the same bytes. All have the same name, which is in the output."""
    plain = pcap(packets, link)
    made = {"big-endian": pcap(packets, link, ">"),
            "nanoseconds": pcap(packets, link, "<", NANO),
            "big-endian nanoseconds": pcap(packets, link, ">", NANO),
            "pcapng": pcapng(packets, link),
            "big-endian pcapng": pcapng(packets, link, ">"),
            "gzip": compress("gzip", plain), "zstd": compress("zstd", plain), "xz": compress("xz", plain),
            "gzip in two members": compress("gzip", plain[:5000]) + compress("gzip", plain[5000:]),
            "pcapng in zstd": compress("zstd", pcapng(packets, link))}
    want = ndjson(write("capture", plain))
    for name, data in made.items():
        tap.result(f"{name}: the same NDJSON", differ(want, ndjson(write("capture", data))))
    with open("capture", "rb") as f:
        tap.result("standard input, compressed: the same NDJSON",
                   differ(without_packets(want), without_packets(ndjson("-", stdin=f))))
    with open(write("capture", plain), "rb") as f:
        tap.result("-r - : the same NDJSON",
                   differ(want.replace(b'"capture#', b'"-#'), ndjson("-r", "-", stdin=f)))


def several(tap, packets, link):
    """Files that together hold a capture, in any order on the command line."""
    whole = without_packets(ndjson(write("whole", pcap(packets, link))))
    half = len(packets) // 2
    write("even", pcap(packets[::2], link))
    write("odd", pcap(packets[1::2], link, ">", NANO))
    write("first", pcap(packets[:half], link))
    write("second", pcapng(packets[half:], link))
    for names in (("even", "odd"), ("odd", "even"), ("first", "second"), ("second", "first")):
        tap.result(f"{' and '.join(names)} packets, merged by time",
                   differ(whole, without_packets(ndjson("-r", names[0], names[1]))))
    os.mkdir("dir")
    for name in ("first", "second"):
        os.rename(name, "dir/" + name)
    write("dir/notes.txt", b"no capture\n")
    os.mkdir("dir/below")
    write("dir/below/more", pcap(packets, link))
    tap.result("a directory: the captures in it, not below", differ(ndjson("dir/first", "dir/second"), ndjson("dir")))


def many(tap):
    """More captures than the soft limit on open files allows."""
    os.mkdir("many")
    for i in range(40):
        write(f"many/{i:02}", pcap([], 1))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    p = subprocess.run([mintest.MINTMARK, "many"], capture_output=True, text=True, timeout=WAIT_S,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20, hard)))
    tap.result("more captures than may be open by the soft limit",
               [] if p.returncode == 0 and not p.stderr else [f"exit status {p.returncode}: {p.stderr[:300]}"])


def truncated(tap, path):
    """Cut anywhere, a file gives what its whole packets give, and one line says where it broke."""
    packets, link = read_pcap(path)
    data, bad = pcap(packets, link), []
    for i in range(1, 13):
        at = 24 + (len(data) - 24) * i * 997 % (len(data) - 24)
        n, end = 0, 24
        while end + 16 + len(packets[n][2]) <= at:
            end += 16 + len(packets[n][2])
            n += 1
        if end == at:
            at += 1
        status, out, err = mintest.run("--json", "-q", write("capture", data[:at]))
        if status != 1:
            bad.append(f"cut at byte {at}: exit status {status}")
        bad += one_line(err, f"capture: truncated in packet {n + 1}, at byte {end}")
        want = mintest.run("--json", "-q", write("capture", pcap(packets[:n], link)))[1]
        if out != want:
            bad.append(f"cut at byte {at}: {len(out)} bytes, the {n} whole packets give {len(want)}")
    tap.result("cut at 12 places: what was readable is analysed, exit status 1", bad)


def corrupt(tap, path):
    packets, link = read_pcap(path)
    data = pcap(packets, link)
    broken = data + struct.pack("<IIII", 0, 0, 0xfffffff0, 0xfffffff0) + bytes(100)
    want = ndjson(write("capture", data))
    status, out, err = mintest.run("--json", "-q", write("capture", broken))
    tap.result("a packet of 4 GB: findings so far are kept, exit status 1",
               one_line(err, "capture", f"packet {len(packets) + 1}") + differ(want.decode(), out) +
               ([] if status == 1 else [f"exit status {status}"]))


def unknown_link_type(tap, path):
    packets, link = read_pcap(path)
    write("good", pcap(packets, link))
    write("strange", pcap(packets[:3], LINK_UNKNOWN))
    want = without_packets(ndjson("good"))
    for names in (["strange"], ["strange", "good"]):
        status, out, err = mintest.run("--json", "-q", *names)
        bad = one_line(err, "strange", str(LINK_UNKNOWN))
        bad += [] if status in (1, 2) else [f"exit status {status}"]
        bad += differ(want, without_packets(out)) if "good" in names else []
        tap.result(f"unknown link type, {' and '.join(names)}: told, exit status 1 or 2", bad)


def fail_on(tap, warmup, golden, benign):
    for band, captures, want in (("critical", (warmup, golden), 3), ("low", (warmup, golden), 3),
                                 ("medium", (benign,), 0), ("critical", (benign,), 0)):
        for more in ((), ("--json",)):
            status = mintest.run("-q", "--fail-on", band, *more, *captures)[0]
            tap.result(f"--fail-on {band} {' '.join(more)} {' '.join(map(mintest.stem, captures))}: exit status {want}",
                       [] if status == want else [f"exit status {status}"])


def outputs(tap, warmup, golden):
    want = ndjson(warmup, golden)
    status, text, err = mintest.run("-w", "events", warmup, golden)
    with open("events", "rb") as f:
        tap.result("-w FILE: the same as --json, and text", differ(want, f.read()) +
                   ([] if status == 0 and not err and "CRITICAL" in text else [f"exit status {status}: {err}"]))
    tap.result("-w - : the same as --json", differ(want.decode(), mintest.run("-q", "-w", "-", warmup, golden)[1]))
    p = subprocess.Popen([mintest.MINTMARK, "--json", warmup, golden], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    p.stdout.read(1)
    p.stdout.close()
    err = p.stderr.read().decode()
    tap.result("closed pipe: ends, exit status 1, no complaint",
               [] if p.wait(WAIT_S) == 1 and "ipe" not in err else [f"exit status {p.returncode}: {err}"])
    p = subprocess.run([mintest.MINTMARK, "-w", "events", warmup, golden], stderr=subprocess.PIPE, timeout=WAIT_S,
                       preexec_fn=lambda: os.close(1))
    with open("events", "rb") as f:
        tap.result("closed standard output: exit status 1, -w is whole", one_line(p.stderr.decode(), "standard output") +
                   differ(want, f.read()) + ([] if p.returncode == 1 else [f"exit status {p.returncode}"]))


def filters(tap, path):
    kinds = {json.loads(line)["mintmark.protocol"] for line in ndjson("-f", "port 88", path).splitlines()}
    tap.result("-f port 88: Kerberos alone", differ({"kerberos"}, kinds))
    out = ndjson("-f", "port 1", path)
    tap.result("-f port 1: nothing, and no failure", [out[:100]] if out else [])
    out = mintest.run("-q", "--json", "-o", "output.events=no", path)[1]
    tap.result("output.events=no: no events", [line[:100] for line in out.splitlines() if '"alert"' not in line])


def interrupted(tap, path):
    """SIGINT while standard input stays open: what was read is reported."""
    with mintest.Plain(path) as plain, open(plain, "rb") as f:
        data = f.read()
    p = subprocess.Popen([mintest.MINTMARK, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(data)
    p.stdin.flush()
    time.sleep(0.5)
    p.send_signal(signal.SIGINT)
    try:
        # The writer is still there: nothing but the signal ends the run.
        status = p.wait(WAIT_S)
    except subprocess.TimeoutExpired:
        p.kill()
        status = "none: had to be killed"
    out, err = p.stdout.read().decode(), p.stderr.read().decode()
    p.stdin.close()
    p.wait()
    tap.result("SIGINT: findings so far, exit status 0",
               ([] if status == 0 else [f"exit status {status}: {err[:300]}"]) +
               ([] if re.search(r"^HIGH ", out, re.M) else ["no finding: " + out[:200]]))


def main():
    tap = mintest.Tap()
    paths = {mintest.stem(p): p for p in mintest.captures().values()}
    with tempfile.TemporaryDirectory() as tmp:
        os.chdir(tmp)
        packets, link = read_pcap(paths["big-endian"])
        # Not all forms hold nanoseconds.
        packets = [(s, ns // 1000 * 1000, data, wire) for s, ns, data, wire in packets]
        forms(tap, packets, link)
        several(tap, packets, link)
        many(tap)
        truncated(tap, paths["spn-substitution"])
        corrupt(tap, paths["spn-substitution"])
        unknown_link_type(tap, paths["spn-substitution"])
        fail_on(tap, paths["warmup"], paths["golden-aes"], paths["benign-day"])
        outputs(tap, paths["warmup"], paths["golden-aes"])
        filters(tap, paths["benign-hour"])
        interrupted(tap, paths["spn-substitution"])
        os.chdir("/")
    tap.plan()


main()
