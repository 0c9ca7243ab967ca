#!/usr/bin/env python3
# mintmark -i as a sensor runs: between two network namespaces of its own, in which tcpreplay sends shipped captures.
# What is found comes complete and at once; what is lost is told; and whatever breaks, nothing found until then is lost.
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import exposition
import mintest

LEFT, RIGHT = f"mm-faults-{os.getpid()}-l", f"mm-faults-{os.getpid()}-r"  # sends, receives
WAIT_S = 10
WITHIN_S = 1.0  # from the packet to the line
DAY_S = 20 * 3600  # how much earlier the sensor's warm-up was: twice a ticket's life


def call(*args):
    return subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def plug():
    """The pair: v0 on the left, v1 on the right."""
    return call("ip", "-n", LEFT, "link", "add", "v0", "mtu", "9000", "type", "veth", "peer", "name", "v1", "mtu",
                "9000", "netns", RIGHT).returncode == 0 and \
        all(call("ip", "-n", ns, "link", "set", dev, "up").returncode == 0 for ns, dev in ((LEFT, "v0"), (RIGHT, "v1")))


def set_up():
    """Why there can be no live capture; None: there is."""
    if os.getuid() != 0:
        return "not root"
    for tool in ("ip", "tcpreplay", "tcpdump", "mount", "unshare"):
        if shutil.which(tool) is None:
            return f"no {tool}"
    for ns in (LEFT, RIGHT):
        if call("ip", "netns", "add", ns).returncode != 0:
            return "no network namespaces"
        # Nobody but us sends: no IPv6, no addresses.
        call("ip", "netns", "exec", ns, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6")
    if not plug():
        return "no veth interfaces"
    why = call("timeout", "0.3", "ip", "netns", "exec", RIGHT, "tcpdump", "-i", "v1", "-w", "/dev/null").stdout.decode()
    return None if "listening on" in why else f"tcpdump can not capture: {why.strip()}"


def tear_down():
    for ns in (LEFT, RIGHT):
        call("ip", "netns", "del", ns)


class Capture:
    """A classic pcap in memory: [(time in ns, frame, length on the wire)]."""

    def __init__(self, name, packets=None):
        self.name = name
        if packets is not None:
            self.packets = packets
            return
        with mintest.Plain(next(p for p in mintest.captures().values() if mintest.stem(p) == name)) as plain, \
                open(plain, "rb") as f:
            raw = f.read()
        unit = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}[struct.unpack_from("<I", raw)[0]]
        self.packets, at = [], 24
        while at < len(raw):
            s, fraction, n, wire = struct.unpack_from("<IIII", raw, at)
            self.packets.append((s * 10**9 + fraction * unit, raw[at + 16:at + 16 + n], wire))
            at += 16 + n

    def write(self, path, shift_s=0.0):
        with open(path, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
            for t, frame, wire in self.packets:
                t = (t + int(shift_s * 1e9)) % (2**32 * 10**9)
                f.write(struct.pack("<IIII", t // 10**9, t % 10**9, len(frame), wire) + frame)
        return path


def send(path, *options, ns=LEFT, dev="v0"):
    p = call("ip", "netns", "exec", ns, "tcpreplay", "-q", "-K", "-i", dev, *options, path)
    if p.returncode != 0:
        raise RuntimeError("tcpreplay: " + p.stdout.decode("utf-8", "replace"))


class Watch:
    """mintmark -i v1, in the sandbox, ready; what it says is read by threads, the lines of stdout with their times."""

    def __init__(self, *args, stdout=subprocess.PIPE, devs=("v1",), before=(), ready=True):
        interfaces = [a for dev in devs for a in ("-i", dev)]
        self.p = subprocess.Popen(["ip", "netns", "exec", RIGHT, *before, mintest.MINTMARK, *args, *interfaces],
                                  stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE)
        self.lines, self.err, self.status = [], "", None
        self.threads = [threading.Thread(target=self.read_err, daemon=True)]
        if stdout == subprocess.PIPE:
            self.threads.append(threading.Thread(target=self.read_out, daemon=True))
        for t in self.threads:
            t.start()
        if ready:
            self.until("mintmark: confined: ")
            time.sleep(0.2)

    def read_out(self):
        for line in self.p.stdout:
            self.lines.append((time.time(), line.decode()))

    def read_err(self):
        while more := os.read(self.p.stderr.fileno(), 65536):
            self.err += more.decode("utf-8", "replace")

    def until(self, words, what=None):
        """Waits for words on standard error, or for a state of this."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if what(self) if what else words in self.err:
                return True
            if self.p.poll() is not None:
                break
            time.sleep(0.02)
        return bool(what(self)) if what else words in self.err

    def tell(self, number):
        self.p.send_signal(number)

    def end(self, number=signal.SIGTERM):
        """Ends it, or waits for its end."""
        if number is not None and self.p.poll() is None:
            self.p.send_signal(number)
        try:
            self.status = self.p.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.status = "it hangs"
            self.p.wait()
        for t in self.threads:
            t.join(1)
        return self

    @property
    def records(self):
        return [json.loads(line) for _, line in self.lines]

    @property
    def text(self):
        return "".join(line for _, line in self.lines)


def findings(records):
    """What was found, and of which ticket."""
    return sorted({(r["rule.name"], r["mintmark.fingerprint"]) for r in records if r["event.kind"] == "alert"})


def events(records):
    """What happened: without times and packets, and without what the order of packets in time decides."""
    return sorted((r["network.protocol"], r["event.action"], r["event.outcome"], r["source.ip"],
                   tuple(sorted(c["fingerprint"] for c in r.get("mintmark.credentials", []) if "fingerprint" in c)))
                  for r in records if r["event.kind"] == "event")


def differ(what, want, got):
    """Complaints unless both lists hold the same."""
    return [f"{what}: missing {x}" for x in want if want.count(x) > got.count(x)] + \
        [f"{what}: too much {x}" for x in got if got.count(x) > want.count(x)]


def expect(status, *watches):
    return [f"exit status {w.status}: {w.err}" for w in watches if w.status != status]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def read_records(path):
    """Whole lines; the last one may be cut when the disk was full."""
    return [json.loads(line) for line in read(path).splitlines(True) if line.endswith("\n")]


def counters(path):
    with open(path, "rb") as f:
        return exposition.Exposition(f.read())


def total(e, name):
    return sum(value for n, _, value in e.samples if n == name)


def late(watch):
    """How long findings took from their packet, in seconds: its time is the kernel's."""
    lags = []
    for at, line in watch.lines:
        r = json.loads(line)
        if r["event.kind"] == "alert":
            s, fraction = r["event.start"].rstrip("Z").split(".")
            known = time.mktime(time.strptime(s, "%Y-%m-%dT%H:%M:%S")) - time.timezone + float("0." + fraction)
            lags.append(at - known)
    return lags


def complete(tap, golden):
    """Every number of workers at once, on the same packets."""
    _, out, _ = mintest.run("--json", "-q", "--state", fresh(), "-r", golden.write("golden"))
    want = [json.loads(line) for line in out.splitlines()]
    watches = []
    for n in (0, 1, 2):
        watches.append(Watch("--json", "--state", fresh(), "--metrics-file", f"m{n}", "-o", f"engine.workers={n}"))
    send("golden", "-x", "4")
    time.sleep(WITHIN_S)
    told = [len(findings(w.records)) for w in watches]
    for n, w in enumerate(watches):
        w.end()
        e = counters(f"m{n}")
        tap.result(f"{n} workers: events and findings are those of the capture", expect(0, w) +
                   differ("finding", findings(want), findings(w.records)) +
                   differ("event", events(want), events(w.records)) + ["nothing found"] * (not findings(want)))
        lags = late(w)
        tap.result(f"{n} workers: a finding is told within {WITHIN_S:.0f} s of its packet",
                   [f"{lag:.3f} s" for lag in lags if not 0 <= lag <= WITHIN_S] +
                   ["not before the end"] * (told[n] != len(findings(want))))
        print("#   after " + ", ".join(f"{lag:.3f} s" for lag in lags))
        sent = len(golden.packets)
        names = ("mintmark_capture_packets_total", "mintmark_capture_kernel_received_total", "mintmark_packets_total",
                 "mintmark_ledger_sensor_seen_total")
        tap.result(f"{n} workers: as many packets are counted as were sent", e.complaints +
                   [f"{name}: {total(e, name)}, not {sent}" for name in names if total(e, name) != sent] +
                   [f"{total(e, name)} lost" for name in ("mintmark_capture_kernel_dropped_total",
                                                          "mintmark_ledger_sensor_lost_total") if total(e, name)])


n_fresh = 0


def fresh():
    """A directory with what the sensor has learnt in its warm-up."""
    global n_fresh
    n_fresh += 1
    return shutil.copytree("warm.state", f"{n_fresh}.state")


def ports(frame):
    """Of IPv4 and IPv6 alike: none of the other's offsets holds port 88 in these captures."""
    return [int.from_bytes(frame[at:at + 2], "big") for at in (34, 36, 54, 56)]


def drops(tap, warm, golden):
    """Tickets are issued while the program is stopped and its ring full; afterwards one of them is shown."""
    honest = [p for p in golden.packets if bytes([10, 77, 5, 66]) not in p[1][26:34]]
    issuing = Capture("issuing", [p for p in honest if 88 in ports(p[1])])
    one = bytes([10, 77, 5, 24])
    showing = Capture("showing", [p for p in honest if one in (p[1][26:30], p[1][30:34]) and 445 in ports(p[1])])
    Capture("filler", [p for p in warm.packets if 88 in ports(p[1])]).write("filler")
    issuing.write("issuing")
    showing.write("showing")
    stopped = Watch("--counters", "--metrics-file", "m", "-o", "capture.ring=256K", "-o", "engine.workers=1",
                    "--state", fresh())
    stopped.tell(signal.SIGSTOP)
    send("filler", "--topspeed")
    send("issuing", "--topspeed")
    blind = Watch("--counters", "-o", "engine.workers=1", "--state", fresh())  # saw nothing of it, and lost nothing
    stopped.tell(signal.SIGCONT)
    time.sleep(0.3)
    send("showing", "--pps", "2000")
    time.sleep(WITHIN_S)
    stopped.end()
    blind.end()
    e, text = counters("m"), stopped.text
    lost, received = (total(e, f"mintmark_capture_kernel_{n}_total") for n in ("dropped", "received"))
    sent = len(showing.packets) + len(issuing.packets) + sum(88 in ports(p[1]) for p in warm.packets)
    tap.result("what the kernel drops is counted", expect(0, stopped, blind) +
               [f"{lost} lost of {sent}"] * (lost < 2000) +
               [f"{received} received, {lost} lost, {sent} sent"] * (received + lost != sent) +
               ["not in --counters"] * (re.search(rf'kernel_dropped_total\S* +{lost:.0f}\n', stopped.err) is None))
    print(f"#   {lost:.0f} of {sent}")
    told = re.search(r"- (\d+) packets lost by this sensor", text)
    tap.result("the summary tells it", [] if told and int(told.group(1)) == lost else [text[-1500:]])
    counted = total(e, "mintmark_ledger_sensor_lost_total")
    rates = [float(re.search(r"BRACKEN\.INTERN +\d+\.\d h.* (\d+\.\d+) %", t).group(1)) for t in (text, blind.text)]
    tap.result("it lowers the coverage", [f"the ledger knows of {counted}"] * (counted != lost) +
               [f"miss rate {rates[0]} %, {rates[1]} % without loss"] * (rates[0] < 50 or rates[1] > 20))

    def orphans(w):
        return [float(re.search(rf'^mintmark_{name} +(\d+)$', w.err, re.M).group(1)) for name in
                (r'findings\{band="medium"\}', r'findings\{band="high"\}', r'findings\{band="critical"\}',
                 "findings_unscored", r'findings\{band="low"\}')]
    got, without = orphans(stopped), orphans(blind)
    tap.result("what was issued meanwhile makes no finding of medium or above",
               [f"{got}"] * (sum(got[:3]) != 0) + ["no ticket was shown"] * (sum(got) + sum(without) == 0))
    print(f"#   medium, high, critical, unscored, low: {got}; not having lost anything: {without}")


def on_tmpfs(mount, size):
    """Before mintmark: a file system of its own, which others reach through the process."""
    return ("sh", "-c", f"mount -t tmpfs -o size={size} none {mount} && exec \"$@\"", "sh")


def inside(watch, path):
    return f"/proc/{watch.p.pid}/root{os.path.abspath(path)}"


def start_faults():
    w = {}
    w["removed"] = Watch("--state", fresh(), "-w", "removed.ndjson", ready=False)
    w["no room"] = Watch("--json", stdout=open("/dev/full", "wb"), ready=False)
    reader, writer = os.pipe()
    w["closed"] = Watch("--json", "-w", "closed.ndjson", "--state", fresh(), stdout=writer, ready=False)
    os.close(writer)
    for name in ("filling", "state"):
        os.mkdir(name)
    w["filling"] = Watch("--state", fresh(), "-w", "filling/f", before=on_tmpfs("filling", "1M"), ready=False)
    kept = fresh()
    w["full state"] = Watch("--json", "--state", "state", "-o", "state.interval=1s", ready=False, before=(
        "sh", "-c", f"mount -t tmpfs -o size=200k none state && cp {kept}/* state && exec \"$@\"", "sh"))
    kept = fresh()
    w["read-only state"] = Watch("--json", "--state", kept, ready=False, before=(
        "sh", "-c", f"mount --bind {kept} {kept} && mount -o remount,ro,bind {kept} && exec \"$@\"", "sh"))
    os.mkdir("corrupt.state")
    with open("corrupt.state/mintmark.state", "wb") as f:
        f.write(b"\x5a" * 5000)
    w["corrupt"] = Watch("--json", "--state", "corrupt.state", ready=False)
    with open("conf", "w", encoding="utf-8") as f:
        f.write("output:\n  min_band: critical\n")
    w["reload"] = Watch("--json", "-c", "conf", "--state", shutil.copytree(fresh(), "reload.state"), "-o",
                        "state.interval=1d", ready=False)
    for each in w.values():
        each.until("mintmark: confined: ")
    time.sleep(0.2)
    os.close(reader)
    return w


def down_and_up(w):
    call("ip", "-n", RIGHT, "link", "set", "v1", "down")
    told = w["removed"].until("v1: is down")
    time.sleep(0.1)
    call("ip", "-n", RIGHT, "link", "set", "v1", "up")
    return told and w["removed"].until("v1: is up again")


def faults(tap, golden, substitution):
    """Each fault is one process's; the packets are all the same."""
    cut = len(golden.packets) * 6 // 10  # before the golden ticket is shown
    Capture("early", golden.packets[:cut]).write("early")
    Capture("late", golden.packets[cut:]).write("late")
    substitution.write("substitution")
    _, out, _ = mintest.run("--json", "-q", "--state", fresh(), "-r", "golden")
    want = findings([json.loads(line) for line in out.splitlines()])
    w = start_faults()
    send("early", "-x", "4")
    survived = down_and_up(w)
    send("late", "-x", "4")
    time.sleep(WITHIN_S)

    reloading = w["reload"]
    with open("conf", "w", encoding="utf-8") as f:
        f.write("output:\n  min_band: enormous\n")
    reloading.tell(signal.SIGHUP)
    refused = reloading.until("conf:2")
    reloading.tell(signal.SIGUSR1)
    printed = reloading.until("mintmark_findings_dropped_total")
    shown = reloading.err
    filled = open(inside(w["filling"], "filling/f"), "rb")
    with open(inside(w["filling"], "filling/filler"), "wb") as f:
        try:
            while True:
                os.write(f.fileno(), bytes(4096))
        except OSError:
            pass
    send("substitution", "-x", "4")
    time.sleep(WITHIN_S)
    before = findings(reloading.records)
    with open("conf", "w", encoding="utf-8") as f:
        f.write("output:\n  min_band: medium\n")
    reloading.tell(signal.SIGHUP)
    told = reloading.until("", lambda watch: findings(watch.records) != before)
    after = findings(reloading.records)

    reloading.end()
    call("ip", "-n", LEFT, "link", "del", "v0")
    for each in w.values():
        each.end(None)
    plug()
    by_faults(tap, w, want, survived)
    with filled:
        got = findings([json.loads(line) for line in filled.read().decode().splitlines(True) if line.endswith("\n")])
    full = w["filling"]
    tap.result("disk full under -w: an error, the report comes, and what was written stays", expect(1, full) +
               differ("finding", want, got) + lacks(full.err, "filling/f: No space left on device\n") +
               lacks(full.text, "orphan-tgt", "Summary"))
    tap.result("SIGHUP with a bad file: told with its line, the old one is in force", [shown[:500]] * (not refused) +
               differ("finding", want, before))
    tap.result("SIGHUP with a good one: another output.min_band shows what was held back",
               [f"shown: {after}"] * (not told or [x[0] for x in after if x not in before] != ["spn-substitution"]) +
               lacks(reloading.err, "mintmark: output.min_band: changed\n") +
               ["another option is told"] * (reloading.err.count(": changed") != 1))
    counted = re.search(r"^mintmark_packets_total +(\d+)$", shown, re.M)
    tap.result("SIGUSR1 prints the counters while it watches", ["nothing"] * (not printed) +
               [shown[:300]] * (counted is None or int(counted.group(1)) != len(golden.packets)))
    both = fresh()
    mintest.run("-q", "--json", "--state", both, "-r", "golden", "substitution")
    before, want, got = (known(state) for state in (fresh(), both, "reload.state"))
    tap.result("SIGTERM saves what was learnt", expect(0, reloading) +
               [f"{got} credentials were issued, not {want}; {before} before"] * (got != want or want <= before))


def known(state):
    """How many credentials were issued up to this snapshot: counted over a capture that issues none."""
    _, out, _ = mintest.run("-q", "--state", state, "-r", next(p for p in mintest.captures().values()
                                                              if mintest.stem(p) == "snaplen"))
    return int(re.search(r"Credentials +(\d+) issued", out).group(1))


def lacks(text, *words):
    return [f"no {word!r} in {text[-600:]!r}" for word in words if word not in text]


def by_faults(tap, w, want, survived):
    """Of those to which nothing else happens."""
    removed = w["removed"]
    tap.result("an interface that goes down and comes up is watched on", ["not told"] * (not survived) +
               differ("finding", want, [f for f in findings(read_records("removed.ndjson")) if f in want]))
    tap.result("an interface that is removed: an error, and what was found is reported", expect(1, removed) +
               lacks(removed.err, "mintmark: v1: the interface was removed\n") + lacks(removed.text, "orphan-tgt", "Summary") +
               ["told twice"] * (removed.err.count("removed") > 1))
    tap.result("no room for the output: an error", expect(1, w["no room"]) +
               lacks(w["no room"].err, "mintmark: standard output: No space left on device\n"))
    closed, quiet = w["closed"], ("confined", "is down", "is up")
    tap.result("a reader that goes away ends it without a word, and -w has what there was", expect(1, closed) +
               [line for line in closed.err.splitlines() if not any(word in line for word in quiet)] +
               ["nothing in -w"] * (not read_records("closed.ndjson")))
    for name, why in (("full state", "No space left on device"), ("read-only state", "Read-only file system")):
        tap.result(f"{name}: told, and everything is found", expect(1, w[name]) +
                   lacks(w[name].err, f"not saved: {why}\n") +
                   differ("finding", want, [f for f in findings(w[name].records) if f in want]))
    tap.result("full state: it is tried again", lacks(
        w["full state"].err, "No space left on device; tried again each interval\n"))
    kept = [f for f in os.listdir("corrupt.state") if f.startswith("mintmark.state.corrupt-")]
    tap.result("a corrupt snapshot is set aside, and told", lacks(w["corrupt"].err, "is no snapshot of mintmark; renamed to") +
               [str(os.listdir("corrupt.state"))] * (len(kept) != 1) +
               differ("finding", [f[1] for f in want], [f[1] for f in findings(w["corrupt"].records) if f in want]))


def jumps(tap, golden):
    """A capture whose clock steps. Of an interface the kernel's clock would have to be set, which is everybody's."""
    n = len(golden.packets)
    for name, at, by in (("back by an hour", n // 2, -3600), ("ahead by ten years", n // 2, 315360000),
                         ("back to 1970", n // 2, -1795320000), ("ahead to 2106", n // 2, 2499000000)):
        for back in (n, n * 3 // 4):
            packets = [(t + (by * 10**9 if at <= i < back else 0), f, w) for i, (t, f, w) in enumerate(golden.packets)]
            Capture("jump", packets).write("jump")
            for workers in (0, 2):
                status, out, err = mintest.run("-q", "--json", "-o", f"engine.workers={workers}", "-r", "jump")
                got = [json.loads(line) for line in out.splitlines()]
                n_events = sum(r["event.kind"] == "event" for r in got)
                tap.result(f"the clock steps {name}{'' if back == n else ' and returns'}, {workers} workers",
                           [err] * (status != 0) + [f"{n_events} events"] * (n_events < 60) +
                           ["the golden ticket is not mentioned"] *
                           ("ed6ac0d6571f9905dcc391bb80e384fb" not in out))


def halves():
    """Connections to KDCs that announce messages which never end, at the same time."""
    connections, segments, mss, packets = 64, 12, 1400, []

    def put(client, flags, seq, payload=b""):
        tcp = struct.pack(">HHIIBBHHH", 40000 + client, 88, seq, 1, 0x50, flags, 65535, 0, 0) + payload
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, b"\x0a\1\2\3", b"\x0a\1\2\4")
        packets.append((1700000000 * 10**9 + len(packets) * 1000, bytes(12) + b"\x08\x00" + ip + tcp, 54 + len(payload)))

    for c in range(connections):
        put(c, 2, 1000)
    for k in range(segments):
        for c in range(connections):  # RFC 4120 section 7.2.2: the length; then an AS-REQ of that length
            head = struct.pack(">I4s", 60000, b"\x6a\x82\xea\x5c") if k == 0 else b""
            put(c, 0x18, 1001 + k * mss, (head + bytes(mss))[:mss])
    return Capture("halves", packets)


def measured(*args):
    """Exit status, standard output, counters, and what else was said."""
    # By a shell that waits, as a process inherits the most memory of the one that it was before.
    p = subprocess.run(["sh", "-c", '"$@"; exit $?', "sh", mintest.MINTMARK, "-q", "--counters", *args],
                       stdin=subprocess.DEVNULL, capture_output=True)
    lines = p.stderr.decode("utf-8", "replace").splitlines()
    counted = dict(line.rsplit(None, 1) for line in lines if line.startswith("mintmark_"))
    return p.returncode, p.stdout.decode(), counted, [line for line in lines if not line.startswith("mintmark_")]


EVERYTHING, HALVES = "all captures", "messages that never end"
LIMITS = [  # each at its least, over what, and the counter that tells when it is hit
    ("flow.max=16", EVERYTHING, "mintmark_flows_evicted_total"),
    ("flow.tracked=16", EVERYTHING, "mintmark_flows_probe_limit_total"),
    ("flow.buffer=4096", HALVES, None),  # never less than the longest message that is read
    ("flow.buffer=4096", EVERYTHING, None),
    ("flow.buffer_total=65536", HALVES, "mintmark_stream_buffer_limit_total"),
    ("flow.buffer_total=65536", EVERYTHING, None),
    ("engine.events=64", EVERYTHING, None),
    ("engine.event_memory=65536", EVERYTHING, "mintmark_events_early_total"),
    ("ledger.rows=16", EVERYTHING, 'mintmark_ledger_evicted_total{table="rows"}'),
    ("detect.findings=16", EVERYTHING, "mintmark_findings_dropped_total"),
    ("engine.max_memory=64M", EVERYTHING, None),
]


def bounds(tap):
    inputs = {EVERYTHING: [p for p in mintest.captures().values() if mintest.stem(p) not in ("duplicated", "snaplen")],
              HALVES: [halves().write("halves")]}
    for limit, what, counter in LIMITS:
        for workers in (0, 2):
            status, out, counted, said = measured("--json", "-o", limit, "-o", f"engine.workers={workers}", "-r",
                                                  *inputs[what])
            got = findings([json.loads(line) for line in out.splitlines()])
            tap.result(f"{limit}, {workers} workers, {what}: it goes on{', and tells' if counter else ''}",
                       [f"exit status {status}: {said}"] * (status != 0 or bool(said)) +
                       [f"{counter} {counted.get(counter)}"] * (counter is not None and counted.get(counter, "0") == "0") +
                       ["nothing is found"] * (not got and what == EVERYTHING))
            print(f"#   {len(got)} findings, {int(counted.get('mintmark_resident_max_bytes', 0)) >> 20} MiB")


def floods(tap):
    """engine.max_memory against connections without end, tickets without end, and questions without an answer."""
    gen = os.path.join(os.environ.get("top_builddir", os.path.join(mintest.TREE, "build")), "tests/bench/gen")
    limit = 128 << 20
    with open(mintest.MINTMARK, "rb") as f:
        sanitized = b"__asan_" in f.read()  # whose shadow and quarantine are memory of their own
    for name, kind, packets, *more in (("connections", "flood", 600000), ("tickets", "auth", 200000),
                                       ("questions", "auth", 200000, "-f", "dst port 88")):
        if sanitized or not os.access(gen, os.X_OK):
            tap.skip(f"engine.max_memory=128M holds against {name}", "a sanitizer's build" if sanitized else "no tests/bench/gen")
            continue
        subprocess.run([gen, "--kind", kind, "--packets", str(packets), "flood"], check=True, stderr=subprocess.DEVNULL)
        for workers in (0, 2):
            status, _, counted, said = measured("--json", "-o", f"engine.max_memory={limit}", "-o", f"engine.workers={workers}",
                                                *more, "-r", "flood")
            used = int(counted.get("mintmark_resident_max_bytes", 0))
            tap.result(f"engine.max_memory=128M holds against {name}, {workers} workers", said * (status != 0) +
                       [f"{used >> 20} MiB"] * (not 0 < used <= limit))
            print(f"#   {used >> 20} MiB")
        os.unlink("flood")


def main():
    tap = mintest.Tap()
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as tmp:
        os.chdir(tmp)
        os.chmod(tmp, 0o755)
        golden = Capture("golden-aes")
        jumps(tap, golden)
        bounds(tap)
        floods(tap)
        why = set_up()
        try:
            if why is not None:
                tap.skip("mintmark -i in network namespaces", why)
            else:
                warm = Capture("warmup")
                warm.write("warm", time.time() - DAY_S - warm.packets[-1][0] / 1e9)
                mintest.run("-q", "--json", "--state", "warm.state", "-r", "warm")
                complete(tap, golden)
                drops(tap, warm, golden)
                faults(tap, golden, Capture("spn-substitution"))
        finally:
            tear_down()
            os.chdir(here)
    tap.plan()


main()
