"""For the test scripts in Python: TAP, the shipped captures, and mintmark's output as values."""
import csv
import glob
import json
import os
import subprocess
import tempfile

TREE = os.environ.get("top_srcdir") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
MINTMARK = os.environ.get("MINTMARK") or os.path.join(TREE, "mintmark")
CAPTURES = os.environ.get("MM_TEST_PCAPS") or os.path.join(TREE, "pcaps")

BANDS = ["low", "medium", "high", "critical"]
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz"}
CAPTURE_SUFFIXES = (".pcap", ".pcapng", ".cap")
SHOWN = 12  # complaints of one test case that are printed




class Tap:
    """Test Anything Protocol, with the plan at the end."""

    def __init__(self):
        self.n = self.n_bad = 0

    def result(self, name, complaints=()):
        """One case: ok when there are no complaints; else they are shown."""
        self.n += 1
        bad = list(complaints)
        self.n_bad += bool(bad)
        print(f"{'not ' if bad else ''}ok {self.n} - {name}")
        for line in bad[:SHOWN]:
            print("#   " + str(line))
        if len(bad) > SHOWN:
            print(f"#   and {len(bad) - SHOWN} more")

    def skip(self, name, why):
        self.n += 1
        print(f"ok {self.n} - {name} # SKIP {why}")

    def plan(self):
        print(f"1..{self.n}", flush=True)


def captures():
    """The shipped captures, name -> path, sorted. The name is that of the file up to its first dot."""
    found = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(CAPTURES), "**/*"), recursive=True)):
        name = os.path.basename(path)
        for suffix in (".gz", ".zst", ".xz"):
            name = name.removesuffix(suffix)
        if name.endswith(CAPTURE_SUFFIXES) and os.path.isfile(path):
            found[os.path.relpath(path, CAPTURES)] = path
    return found


def stem(path):
    """Its name without .pcap and what follows."""
    return os.path.basename(path).split(".")[0]


def rows(path):
    """A table of tab-separated values with a header, as dictionaries."""
    with open(path, newline="") as f:
        return list(csv.DictReader((line for line in f if not line.startswith("#")),
                                   delimiter="\t", quoting=csv.QUOTE_NONE))


class Plain:
    """A capture's path, decompressed if need be, for tools that read no compression."""

    def __init__(self, path):
        self.path, self.made = path, None

    def __enter__(self):
        with open(self.path, "rb") as f:
            head = f.read(6)
        tool = next((t for magic, t in MAGIC.items() if head.startswith(magic)), None)
        if tool is None:
            return self.path
        with tempfile.NamedTemporaryFile(suffix=".pcap", delete=False) as out:
            self.made = out.name
            subprocess.run([tool, "-dc", self.path], stdout=out, check=True)
        return self.made

    def __exit__(self, *_):
        if self.made:
            os.unlink(self.made)


def run(*args):
    """mintmark's exit status, standard output and standard error."""
    p = subprocess.run([MINTMARK, *args], stdin=subprocess.DEVNULL, capture_output=True)
    return p.returncode, p.stdout.decode("utf-8"), p.stderr.decode("utf-8", "replace")


def records(*args):
    """Events and findings of one run over these captures."""
    status, out, err = run("--json", "-q", *args)
    if status != 0:
        raise RuntimeError(f"mintmark --json {' '.join(args)}: exit status {status}: {err.strip()}")
    events, findings = [], []
    for line in out.splitlines():
        record = json.loads(line)
        (findings if record["event.kind"] == "alert" else events).append(record)
    return events, findings


def packet(reference):
    """The number in FILE#N; None for none."""
    return None if reference is None else int(reference.rpartition("#")[2])


def at_least(finding, band):
    return BANDS.index(finding["mintmark.band"]) >= BANDS.index(band)


def brief(finding):
    """One line about a finding."""
    return (f"{finding['mintmark.band']} {finding['mintmark.score']} {finding['rule.name']} "
            f"{finding['mintmark.fingerprint']} {finding['mintmark.credential'].get('service')} "
            f"{' '.join(finding['mintmark.packets'][:2])}")
