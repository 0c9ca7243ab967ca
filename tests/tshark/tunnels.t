#!/usr/bin/env python3
# Every encapsulation that decode/ reads: the innermost addresses and ports are those that tshark finds, and the path is
# the one that the packet was built with. And a shipped capture wrapped in tunnels, or shown twice in different ones, has
# the same events as it has plain.
import os
import shutil
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest
import tunnels
from innermost import from_segments, from_tshark

SEGMENTS = os.path.join(os.environ.get("top_builddir") or mintest.TREE + "/build", "tests/tshark/segments")
# Ports that tshark does not know by itself.
DECODE_AS = ("-d", "udp.port==8472,vxlan")
# Exceptions: tshark names ERSPAN's frame type, but reads no other than Ethernet; and under a label it takes a frame whose
# address begins with 4 or 6 for IP, however little the rest of it fits.
BEYOND_TSHARK = {"erspan-3-ip", "erspan-3-ip-over-ipv6", "mpls-frame-4", "mpls-frame-tagged-4", "mpls-frame-6",
                 "mpls-frame-tagged-6"}


def check(tap, case, first, ours, theirs):
    """The case's frames are those from first on."""
    name, _, frames, want, path = case
    last = first + len(frames) - 1
    bad = []
    if ours.get(last) != (want, path or "-"):
        bad.append(f"frame {last}: decode {ours.get(last)}, built as {want} in {path}")
    bad += [f"frame {i}: {ours.get(i)}, of {last}" for i in range(first, last) if ours.get(i) != (None, "fragment")]
    if theirs is not None and name not in BEYOND_TSHARK:
        found, layers = theirs.get(last, (None, ""))
        if found != want:
            bad.append(f"frame {last}: tshark {found} ({layers}), built as {want}")
    tap.result(name, bad)


def packets(path):
    """(nanoseconds, frame) of a little-endian classic capture."""
    with open(path, "rb") as f:
        data = f.read()
    unit = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}[struct.unpack("<I", data[:4])[0]]
    at = 24
    while at + 16 <= len(data):
        s, fraction, n, _ = struct.unpack("<IIII", data[at:at + 16])
        yield s * 10**9 + fraction * unit, data[at + 16:at + 16 + n]
        at += 16 + n


def events(list_):
    """Ids of the events in these packets, and their paths."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 262144, 1))
        for ns, frame in list_:
            file.write(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(frame), len(frame)) + frame)
        file.flush()
        found = mintest.records(file.name)[0]
    return sorted(r["event.id"] for r in found), {r.get("mintmark.path") for r in found}


def wrap(number, body): return tunnels.ether(0x800, tunnels.ip(number, body))


WRAPPED = {
    "erspan:7": ("ip/gre/erspan:7", lambda f: wrap(47, tunnels.erspan2(7, 0, 0, f))),
    "vxlan:5": ("vlan:9/ip/vxlan:5", lambda f: tunnels.ether(
        0x8100, tunnels.tag(9, 0x800, tunnels.ip(17, tunnels.udp(4789, tunnels.vxlan(5, f)))))),
    "pseudowire": ("mpls:16", lambda f: tunnels.ether(0x8847, tunnels.label(16, bytes(4) + f))),
}


def check_events(tap):
    """Whole connections through tunnels, and twice: plain, and three milliseconds later in a tunnel."""
    with mintest.Plain(mintest.captures()["vlan.pcap.zst"]) as plain:
        frames = list(packets(plain))
    ids, paths = events(frames)
    tap.result(f"{len(ids)} events", [] if len(ids) > 30 and paths == {"vlan:112", "vlan:3007/vlan:112"} else [paths])
    for name, (path, make) in WRAPPED.items():
        other, other_paths = events([(ns, make(f)) for ns, f in frames])
        bad = [] if other == ids else [f"{len(other)} events, {len(set(other) & set(ids))} of them the same"]
        bad += [p for p in other_paths ^ {path + "/" + p for p in paths}]
        tap.result(f"the same events in {name}", bad)
        twice = sorted(frames + [(ns + 3000000, make(f)) for ns, f in frames], key=lambda p: p[0])
        other, other_paths = events(twice)
        bad = [] if other == ids else [f"{len(other)} events, {len(set(other) & set(ids))} of them the same"]
        tap.result(f"the same events once more in {name}", bad + list(other_paths ^ paths))


def main():
    tap = mintest.Tap()
    check_events(tap)
    every = list(tunnels.cases())
    for link in sorted({c[1] for c in every}):
        cases = [c for c in every if c[1] == link]
        with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
            file.write(tunnels.pcap(link, [f for c in cases for f in c[2]]))
            file.flush()
            ours = from_segments(SEGMENTS, file.name)
            theirs = from_tshark(file.name, *DECODE_AS) if shutil.which("tshark") else None
        n = 1
        for case in cases:
            check(tap, case, n, ours, theirs)
            n += len(case[2])
    if not shutil.which("tshark"):
        tap.skip("tshark", "not installed")
    tap.plan()


main()
