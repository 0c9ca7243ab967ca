#!/usr/bin/env python3
# Confinement: what must kill kills, what a run needs passes, and the kernel says what is in force.
import gzip
import os
import pty
import pwd
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

TRESPASS = os.path.join(os.environ.get("top_builddir") or mintest.TREE, "tests/priv/trespass")
NO_SANDBOX = 77
WAIT_S = 20
NOBODY = 65534
CAP_DAC_OVERRIDE = 1 << 1
ROOT = os.geteuid() == 0
PROGRESS_PACKETS = 65536  # src/engine.c


def quiet_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def trespass(mode, act):
    p = subprocess.run([TRESPASS, mode, act], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                       timeout=WAIT_S * 2, preexec_fn=quiet_core)
    return p.returncode, p.stdout.strip(), p.stderr.strip()


def ended(status):
    if status >= 0:
        return f"exit status {status}"
    return f"killed by {signal.Signals(-status).name}"


def expect(want, got, *more):
    """Complaints when an exit status, or negative signal, is not that."""
    return [] if want == got else [f"{ended(got)}, not {ended(want)}", *more]


def until(condition):
    """Wait for it; False when it does not come."""
    end = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def proc_status(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            return dict(line.rstrip("\n").split(":", 1) for line in f)
    except OSError:
        return {}


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(c) for c in f.read().split()]
    except OSError:
        return []


class Live:
    """mintmark on a standard input that stays open; it is confined when this is made."""

    def __init__(self, *args, **kwargs):
        self.p = subprocess.Popen([mintest.MINTMARK, *args, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, **kwargs)
        self.stdin = self.p.stdin

    def feed(self, data):
        self.stdin.write(data)
        self.stdin.flush()

    def confined(self):
        """After the first bytes were fed: the captures are opened before."""
        name, value = ("Seccomp", "2") if SANDBOX else ("NoNewPrivs", "1")
        return until(lambda: proc_status(self.p.pid).get(name, "").strip() == value or self.p.poll() is not None)

    def end(self, sig=None):
        if sig is not None:
            self.p.send_signal(sig)
        else:
            self.stdin.close()
        try:
            status = self.p.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            self.p.kill()
            status = self.p.wait()
        out, err = self.p.stdout.read(), self.p.stderr.read().decode()
        if sig is not None:
            self.stdin.close()
        return status, out, err


def plain(path):
    with mintest.Plain(path) as p, open(p, "rb") as f:
        return f.read()


# Cases

def kills(tap):
    listed = subprocess.run([TRESPASS, "list"], capture_output=True, text=True, check=True).stdout
    acts = [line.split() for line in listed.splitlines()]
    for name, *kinds in acts:
        for kind, mode in (("kills", "confined"), ("monitor", "monitor")):
            what = f"{name} kills the {'monitor' if kind == 'monitor' else 'process'} (SIGSYS)"
            if kind not in kinds:
                continue
            if not SANDBOX:
                tap.skip(what, "sanitizers work in no sandbox")
                continue
            # Free of it, the same does not end by a signal: what kills is the filter.
            free, out, err = trespass("free", name)
            bad = [] if free in (0, 1) else [f"without the filter: {ended(free)}: {err}"]
            status, out, err = trespass(mode, name)
            tap.result(what, bad + expect(-signal.SIGSYS, status, out, err))
        for kind, want in (("works", 0), ("aborts", -signal.SIGABRT)):
            if kind not in kinds:
                continue
            if not SANDBOX:
                tap.skip(f"{name} {kind}", "sanitizers work in no sandbox")
                continue
            status, out, err = trespass("confined", name)
            tap.result(f"{name} {kind}", expect(want, status, out, err))


def landlock(tap):
    """Without the filter, Landlock alone refuses."""
    if not SANDBOX:
        tap.skip("Landlock alone refuses to open", "sanitizers work in no sandbox")
        return
    status, out, err = trespass("dropped", "open")
    if "no Landlock" in err:
        tap.skip("Landlock alone refuses to open", "none in this kernel")
        return
    tap.result("Landlock alone refuses to open",
               expect(1, status, err) + ([] if out == "Permission denied" else [out]))


def live(tap):
    name = "live capture with CAP_NET_RAW alone: packets, counters, close"
    if not SANDBOX or not ROOT:
        tap.skip(name, "not root" if SANDBOX else "sanitizers work in no sandbox")
        return
    status, out, err = trespass("confined", "live")
    if status == NO_SANDBOX:
        tap.skip(name, err)
        return
    tap.result(name, expect(0, status, out, err) + ([] if "user nobody" in err else [err]))


def status_of(tap, name, args, uid, **kwargs):
    """What /proc says of a run and of its monitor."""
    run = Live("-q", "-w", "events", *args, **kwargs)
    run.feed(DATA)
    confined = run.confined()
    s = {k: v.split() for k, v in proc_status(run.p.pid).items()}
    monitors = children(run.p.pid)
    m = {k: v.split() for k, v in proc_status(monitors[0]).items()} if monitors else {}
    status, _, err = run.end()
    if not confined or not s or not m:
        tap.result(name, [f"confined: {confined}, monitors: {monitors}, {ended(status)}: {err}"])
        return
    bad = expect(0, status, err)
    want = {"Uid": [str(uid)] * 4, "NoNewPrivs": ["1"], "CapEff": ["0" * 16], "CapPrm": ["0" * 16],
            "CapAmb": ["0" * 16], "CapInh": ["0" * 16]}
    if ROOT and not kwargs.get("user"):
        want["CapBnd"] = ["0" * 16]
        if uid != 0:
            want["Groups"] = []
    if SANDBOX:
        want["Seccomp"] = ["2"]
        bad += [f"monitor: Seccomp {m['Seccomp']}"] if m["Seccomp"] != ["2"] else []
    bad += [f"{k}: {s[k]}, not {v}" for k, v in want.items() if s[k] != v]
    bad += [f"monitor: NoNewPrivs {m['NoNewPrivs']}"] if m["NoNewPrivs"] != ["1"] else []
    bad += [f"monitor: CapEff {m['CapEff']}"] if int(m["CapEff"][0], 16) & ~CAP_DAC_OVERRIDE else []
    bad += ["the monitor is still there"] if os.path.exists(f"/proc/{monitors[0]}") else []
    tap.result(name, bad)


def statuses(tap):
    if not ROOT:
        status_of(tap, "unprivileged: stays who it is, no capabilities", [], os.geteuid())
        p = subprocess.run([mintest.MINTMARK, "--user", "root", CAPTURE], capture_output=True, text=True)
        tap.result("unprivileged: --user root is refused",
                   expect(1, p.returncode) + ([] if "only root can become root" in p.stderr else [p.stderr]))
        return
    try:
        default = pwd.getpwnam("mintmark").pw_uid
    except KeyError:
        default = pwd.getpwnam("nobody").pw_uid
    status_of(tap, "root becomes mintmark or nobody", [], default)
    status_of(tap, "--user daemon", ["--user", "daemon"], pwd.getpwnam("daemon").pw_uid)
    status_of(tap, "--user by number", ["-o", f"process.user={NOBODY}"], NOBODY)
    status_of(tap, "--user root: root without capabilities", ["--user", "root"], 0)
    p = subprocess.run([mintest.MINTMARK, "--user", "no-such-user", CAPTURE], capture_output=True, text=True)
    tap.result("an unknown user: told, nothing is read",
               expect(1, p.returncode) + ([] if p.stderr == "mintmark: process.user: no user no-such-user\n" and
                                          not p.stdout else [p.stderr, p.stdout]))
    # Run by somebody else, who must be able to reach the program.
    other = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    try:
        subprocess.run([mintest.MINTMARK, "--version"], check=True, stdout=subprocess.DEVNULL, **other)
    except (OSError, subprocess.CalledProcessError):
        tap.skip("started by an unprivileged user", "the build is not readable for nobody")
        return
    os.mkdir("theirs")
    os.chown("theirs", NOBODY, NOBODY)
    status_of(tap, "started by an unprivileged user", [], NOBODY, cwd="theirs", **other)


def same(tap):
    """In the sandbox and without: the same bytes, for every form of capture and of output."""
    forms = {"pcap": CAPTURE, "pcap.gz": "c.gz", "pcapng": PATHS["benign-hour"], "pcap.xz": PATHS["offload"],
             "pcap.zst": PATHS["spn-substitution"], "truncated": "cut", "empty packets": "tiny"}
    with gzip.open("c.gz", "wb") as f:
        f.write(DATA)
    with open("cut", "wb") as f:
        f.write(DATA[:-7])
    with open("tiny", "wb") as f:
        f.write(tiny(10))
    for name, path in forms.items():
        bad = []
        for args in ((), ("--json",), ("-w", "out"), ("-f", "port 88"), ("-o", "engine.workers=4", "--json"),
                     ("-o", "engine.workers=12")):
            results = []
            for sandbox in ("yes", "no"):
                r = mintest.run("-o", f"process.sandbox={sandbox}", *args, path)
                out = b""
                if args[:1] == ("-w",):
                    with open("out", "rb") as f:
                        out = f.read()
                results.append((r, out))
            bad += [f"{args}: {results[0][0][0]}, {results[0][0][2]}"] if results[0] != results[1] else []
            bad += expect(1 if name == "truncated" else 0, results[0][0][0], *results[0][0][2:])
        tap.result(f"{name}: text, --json, -w, -f, workers", bad)


def broken_outputs(tap):
    p = subprocess.Popen([mintest.MINTMARK, "--json", "-q", CAPTURE], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdout.read(1)
    p.stdout.close()
    tap.result("a reader that goes away", expect(1, p.wait(WAIT_S)) + p.stderr.read().decode().splitlines())
    for args, name in ((["--json"], "standard output"), (["-w", "/dev/full"], "-w"), ([], "text")):
        with open("/dev/full" if name != "-w" else "/dev/null", "wb") as full:
            p = subprocess.run([mintest.MINTMARK, "-q", *args, CAPTURE], stdout=full, stderr=subprocess.PIPE, text=True)
        tap.result(f"a full disk: {name}",
                   expect(1, p.returncode) + ([] if "No space left on device" in p.stderr else [p.stderr]))
    p = subprocess.run([mintest.MINTMARK, "-q", CAPTURE], stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                       preexec_fn=lambda: os.close(1))
    tap.result("a closed standard output", expect(1, p.returncode, p.stderr))
    p = subprocess.run([mintest.MINTMARK, "-q", "-w", "out", CAPTURE], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       text=True, preexec_fn=lambda: os.close(0))
    tap.result("a closed standard input", expect(0, p.returncode, p.stderr))


def signals(tap):
    for sig in (signal.SIGINT, signal.SIGTERM):
        run = Live("-w", "out")
        run.feed(DATA)
        run.confined()
        time.sleep(0.3)
        status, out, err = run.end(sig)
        bad = expect(0, status, err) + ([] if b"HIGH" in out and "stopped early" in err else [err, out[:200]])
        tap.result(f"{sig.name}: reports and ends", bad)
    run = Live("-q")
    run.feed(DATA)
    run.confined()
    status, _, err = run.end(signal.SIGHUP)
    tap.result("SIGHUP without an output in a file ends the program", expect(-signal.SIGHUP, status, err))
    # As a service manager does: to all processes at once, monitor and all.
    run = Live("-q", "-w", "out", start_new_session=True)
    run.feed(DATA)
    run.confined()
    os.rename("out", "out.1")
    for sig in (signal.SIGHUP, signal.SIGTERM):
        time.sleep(0.3)
        os.killpg(run.p.pid, sig)
    status, _, err = run.end()
    tap.result("SIGHUP and SIGTERM to the whole process group: still opened again",
               expect(0, status, err) + ([] if os.path.exists("out") else ["no out"]))


def halves():
    """The capture in two parts, cut between packets."""
    at, half = 24, len(DATA) // 2
    while at < half:
        at += 16 + struct.unpack("<I", DATA[at + 8:at + 12])[0]
    return DATA[:at], DATA[at:]


def rotation(tap):
    whole = subprocess.run([mintest.MINTMARK, "--json", "-q", "-"], input=DATA, stdout=subprocess.PIPE).stdout
    first, second = halves()

    def rotated(name, between, check, files, *args):
        for f in ("log", "log.1", "elsewhere"):
            if os.path.lexists(f):
                os.unlink(f)
        run = Live("-w", "log", *args)
        run.feed(first)
        run.confined()
        between(run)
        run.p.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        run.feed(second)
        status, _, err = run.end()
        got = b""
        for f in files:
            with open(f, "rb") as each:
                got += each.read()
        bad = expect(0, status, err) + ([] if got == whole else [f"{len(got)} of {len(whole)} bytes: {err}"])
        tap.result(name, bad + check(err))

    def move(_):
        os.rename("log", "log.1")

    def mode(err):
        modes = [oct(os.stat(f).st_mode) for f in ("log", "log.1")]
        return ([err] if err else []) + ([] if modes[0] == modes[1] else [f"modes {modes}"])

    def link(_):
        os.rename("log", "log.1")
        os.symlink("elsewhere", "log")

    def link_told(err):
        return (["the link was followed"] if os.path.exists("elsewhere") else []) + \
            ([] if re.fullmatch("mintmark: log: not opened again: .*symbolic.*\n", err) else [err])

    def shoot(run):
        os.rename("log", "log.1")
        for pid in children(run.p.pid):
            os.kill(pid, signal.SIGKILL)

    rotated("SIGHUP after mv: nothing is lost between the two files", move, mode, ("log.1", "log"))
    rotated("SIGHUP after mv, 3 workers: nothing is lost", move, mode, ("log.1", "log"), "-o", "engine.workers=3")
    rotated("SIGHUP without mv: goes on at the end of the file", lambda _: None, lambda err: [err] if err else [],
            ("log",))
    rotated("SIGHUP with a link in the file's place: told, the old file goes on", link, link_told, ("log.1",))
    rotated("SIGHUP without a monitor left: told, the old file goes on", shoot,
            lambda err: [] if "log: not opened again" in err else [err], ("log.1",))


def orphaned(tap):
    run = Live("-w", "log")
    run.feed(DATA)
    run.confined()
    monitors = children(run.p.pid)
    run.end(signal.SIGKILL)
    tap.result("a killed run leaves no monitor behind",
               ([] if len(monitors) == 1 else [f"monitors: {monitors}"]) +
               ([] if until(lambda: not any(os.path.exists(f"/proc/{m}") for m in monitors)) else ["it stays"]))


def tiny(n):
    """A capture of n Ethernet headers."""
    record = struct.pack("<IIII", 1700000000, 0, 14, 14) + bytes(14)
    return struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1) + record * n


def terminal(tap):
    """Colours on standard output, on standard error whom root became, and progress once it took a second."""
    try:
        primary, secondary = pty.openpty()
    except OSError as e:
        tap.skip("terminal: colours, and progress", str(e))
        return
    data = tiny(2 * PROGRESS_PACKETS + 10)
    p = subprocess.Popen([mintest.MINTMARK, "-"], stdin=subprocess.PIPE, stdout=secondary, stderr=secondary,
                         env={k: v for k, v in os.environ.items() if k != "NO_COLOR"})
    os.close(secondary)
    p.stdin.write(data[:len(data) // 2])
    p.stdin.flush()
    time.sleep(1.2)
    p.stdin.write(data[len(data) // 2:])
    p.stdin.close()
    seen = b""
    try:
        while select.select([primary], [], [], WAIT_S)[0]:
            got = os.read(primary, 65536)
            if not got:
                break
            seen += got
    except OSError:
        pass  # the other end is closed
    os.close(primary)
    tap.result("a terminal: progress and report", expect(0, p.wait(WAIT_S)) +
               ([] if b"2023-11-14 22:13 UTC" in seen else ["no progress: " + repr(seen[-300:])]) +
               ([] if ROOT == (b"mintmark: confined: user " in seen) else ["the user: " + repr(seen[:300])]))


def watched(tap, name, netns, user, *prefix):
    """mintmark -i lo with two workers: every thread is confined; SIGHUP on an idle line; what comes is seen."""
    os.mkdir("live")
    os.chown("live", user, user)
    p = subprocess.Popen(["ip", "netns", "exec", netns, *prefix, mintest.MINTMARK, "-i", "lo", "-w", "log", "-o",
                          "engine.workers=2", "-q"], cwd="live", stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def tasks(field):
        found = []
        try:
            for task in os.listdir(f"/proc/{p.pid}/task"):
                with open(f"/proc/{p.pid}/task/{task}/status") as f:
                    found += re.findall(rf"^{field}:\t(.*)$", f.read(), re.M)
        except OSError:
            return []
        return found

    def grown():
        try:
            return os.stat("live/log").st_size > 0
        except OSError:
            return False

    bad = [] if until(lambda: set(tasks("Seccomp")) == {"2"} or p.poll() is not None) else [str(tasks("Seccomp"))]
    bad += [f"threads: {len(tasks('Seccomp'))}"] if len(tasks("Seccomp")) < 2 else []
    for field, want in (("CapEff", "0" * 16), ("CapPrm", "0" * 16), ("NoNewPrivs", "1"), ("Uid", f"{user}\t" * 4)):
        bad += [f"{field}: {tasks(field)}"] if {t.strip() for t in tasks(field)} != {want.strip()} else []
    for capture, old in (("spn-substitution", "log.1"), ("golden-aes", None)):  # not twice: no retransmissions
        with mintest.Plain(PATHS[capture]) as path:
            subprocess.run(["ip", "netns", "exec", netns, "tcpreplay", "-q", "-t", "-i", "lo", path],
                           capture_output=True)
        bad += [] if until(grown) else ["no events"]
        if old:
            os.rename("live/log", "live/" + old)
            p.send_signal(signal.SIGHUP)
            bad += [] if until(lambda: os.path.exists("live/log")) else ["not opened again"]
    p.send_signal(signal.SIGTERM)
    try:
        status = p.wait(WAIT_S)
    except subprocess.TimeoutExpired:
        p.kill()
        status = p.wait()
    out, err = p.stdout.read().decode(), p.stderr.read().decode()
    tap.result(name, bad + expect(0, status, err, out[-200:]))
    shutil.rmtree("live")


def watching(tap):
    names = ("mintmark -i as root, two workers", "mintmark -i as nobody with CAP_NET_RAW alone")
    netns = f"mm-priv-{os.getpid()}"
    tools = [t for t in ("ip", "tcpreplay", "setpriv") if shutil.which(t) is None]
    why = "not root" if not ROOT else f"no {tools[0]}" if tools else None if SANDBOX else "no sandbox in this build"
    if why is None and subprocess.run(["ip", "netns", "add", netns], capture_output=True).returncode != 0:
        why = "no network namespaces"
    # As in a chroot, whose root is no mount point.
    if why is None and subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], capture_output=True).returncode != 0:
        subprocess.run(["ip", "netns", "del", netns], capture_output=True)
        why = "no network namespace can be entered"
    if why is not None:
        for name in names:
            tap.skip(name, why)
        return
    try:
        try:
            default = pwd.getpwnam("mintmark").pw_uid
        except KeyError:
            default = pwd.getpwnam("nobody").pw_uid
        watched(tap, names[0], netns, default)
        watched(tap, names[1], netns, NOBODY, "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                "--inh-caps=-all,+net_raw", "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw")
    finally:
        subprocess.run(["ip", "netns", "del", netns])


PATHS = {mintest.stem(p): p for p in mintest.captures().values()}
DATA = plain(PATHS["spn-substitution"])
CAPTURE = "capture.pcap"
SANDBOX = trespass("free", "signal")[0] != NO_SANDBOX


def main():
    tap = mintest.Tap()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup(1) would have the programs under test ignore it
    kills(tap)
    landlock(tap)
    live(tap)
    tmp = tempfile.mkdtemp()
    os.chmod(tmp, 0o755)
    os.chdir(tmp)
    try:
        with open(CAPTURE, "wb") as f:
            f.write(DATA)
        statuses(tap)
        same(tap)
        broken_outputs(tap)
        signals(tap)
        rotation(tap)
        orphaned(tap)
        terminal(tap)
        watching(tap)
    finally:
        os.chdir("/")
        shutil.rmtree(tmp)
    tap.plan()


main()
