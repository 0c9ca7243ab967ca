#!/usr/bin/env python3
# Protocols on ports that are not theirs: the shipped captures with their servers' ports rewritten give the same events
# but for the ports, Kerberos over UDP and TCP, LDAP, HTTP, SMB and the rest, with and without nDPI.
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

TCP, UDP, FRAGMENT = 6, 17, 44
ETHER_IPV4, ETHER_IPV6, ETHER_VLAN = 0x0800, 0x86dd, 0x8100
# What a flow's ports decide, and what follows from it.
OF_PORTS = ("source.port", "destination.port", "network.community_id", "event.id", "mintmark.server_port")
KNOWN = {88: 1088, 389: 10389, 80: 9999, 445: 4445, 464: 1464, 135: 1135, 3268: 13268}
HIGH = {88: 50088, 389: 50389, 80: 50080, 445: 50445}


def transport(frame):
    """Protocol and offset of the transport header of an Ethernet frame; (None, 0) when it has none."""
    at = 12
    kind, = struct.unpack_from(">H", frame, at)
    while kind == ETHER_VLAN:
        at += 4
        kind, = struct.unpack_from(">H", frame, at)
    at += 2
    if kind == ETHER_IPV4:
        later_fragment = struct.unpack_from(">H", frame, at + 6)[0] & 0x1fff
        proto, end = frame[at + 9], at + 4 * (frame[at] & 15)
        return (None, 0) if later_fragment else (proto, end)
    if kind == ETHER_IPV6:
        proto, end = frame[at + 6], at + 40
        if proto == FRAGMENT:
            later_fragment = struct.unpack_from(">H", frame, end + 2)[0] & 0xfff8
            proto, end = None if later_fragment else frame[end], end + 8
        return proto, end
    return None, 0


def rewrite(data, ports):
    """A classic little-endian capture with other ports; checksums are left wrong, as mintmark does not judge them."""
    out, at, n = bytearray(data), 24, 0
    while at < len(data):
        length, = struct.unpack_from("<I", data, at + 8)
        frame = bytes(data[at + 16:at + 16 + length])
        proto, l4 = transport(frame)
        if proto in (TCP, UDP) and l4 + 4 <= length:
            old = struct.unpack_from(">HH", frame, l4)
            new = [ports.get(p, p) for p in old]
            n += list(old) != new
            struct.pack_into(">HH", out, at + 16 + l4, *new)
        at += 16 + length
    return bytes(out), n


def run(path, *options):
    """The events of a capture without what hangs on ports, sorted; and their number."""
    got = subprocess.run([mintest.MINTMARK, "-q", "-r", path, "--json", *options],
                         check=True, stdout=subprocess.PIPE).stdout
    events = []
    for line in got.decode().splitlines():
        e = json.loads(line)
        if e["event.kind"] == "alert":  # its sentences name ports
            e = {k: e[k] for k in ("@timestamp", "event.kind", "rule.name", "mintmark.score", "mintmark.fingerprint")}
        for name in OF_PORTS:
            e.pop(name, None)
        events.append(json.dumps(e, sort_keys=True).replace(path, "FILE"))
    return sorted(events)


def differences(want, got):
    missing, more = list(want), []
    for e in got:
        if e in missing:
            missing.remove(e)
        else:
            more.append(e)
    return [f"{len(want)} events became {len(got)}"] * (len(want) != len(got)) + \
        ["missing: " + e[:400] for e in missing[:3]] + ["new: " + e[:400] for e in more[:3]]


def protocols(events):
    return {json.loads(e).get("mintmark.protocol") for e in events}


def check(tap, name, data, ports, *options):
    changed, n = rewrite(data, ports)
    with tempfile.TemporaryDirectory() as tmp:
        plain, other = os.path.join(tmp, "a.pcap"), os.path.join(tmp, "b.pcap")
        with open(plain, "wb") as f:
            f.write(data)
        with open(other, "wb") as f:
            f.write(changed)
        want, got = run(plain), run(other, *options)
    complaints = differences(want, got)
    if n == 0 or not want:
        complaints.append("nothing was rewritten, or there was nothing to find")
    tap.result(name, complaints)
    return protocols(got)


tap = mintest.Tap()
seen = set()
for path in mintest.captures().values():
    stem = mintest.stem(path)
    if stem not in ("warmup", "silver-http", "silver-smb", "vlan"):
        continue
    with mintest.Plain(path) as plain, open(plain, "rb") as f:
        capture = f.read()
    if capture[:4] not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
        tap.result(f"{stem} is a classic capture", [capture[:4].hex()])
        continue
    seen |= check(tap, f"{stem}: every server elsewhere", capture, KNOWN)
    check(tap, f"{stem}: the same without nDPI", capture, KNOWN, "-o", "flow.ndpi=no")
    check(tap, f"{stem}: among the clients' ports", capture, HIGH)
wanted = {"kerberos", "ldap", "http", "smb2"}
tap.result("kerberos, ldap, http and smb2 were among them", sorted(wanted - seen))
tap.plan()
