#!/usr/bin/env python3
# Connections that turn to authentication late stay watched: HTTP kept alive, SMB authenticated again, LDAP bound
# again, each after much that bears none, on its own port and on another; and LDAP until StartTLS hides it.
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

CLIENT, SERVER = 0, 1
MSS = 1400
ROUNDS = 200  # of ordinary traffic before the late authentication


def der(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else b"\x82" + struct.pack(">H", n)) + body


def ldap(number, op):
    return der(0x30, der(0x02, struct.pack(">H", number)), op)


def result(tag):
    """LDAPResult, success: RFC 4511 section 4.1.9."""
    return der(tag, der(0x0a, b"\0"), der(0x04), der(0x04))


def bind(number, name):
    """A simple bind and its answer: RFC 4511 section 4.2."""
    return [(CLIENT, ldap(number, der(0x60, der(0x02, b"\3"), der(0x04, name), der(0x80, b"invented")))),
            (SERVER, ldap(number, result(0x61)))]


def search(number):
    """A search of the base object and its answers: RFC 4511 section 4.5."""
    request = der(0x63, der(0x04, b"dc=lab,dc=example"), der(0x0a, b"\0"), der(0x0a, b"\0"), der(0x02, b"\0"),
                  der(0x02, b"\0"), der(0x01, b"\0"), der(0x87, b"objectClass"), der(0x30))
    entry = der(0x64, der(0x04, b"dc=lab,dc=example"),
                der(0x30, der(0x30, der(0x04, b"description"), der(0x31, der(0x04, b"x" * 2000)))))
    return [(CLIENT, ldap(number, request)), (SERVER, ldap(number, entry) + ldap(number, result(0x65)))]


def starttls(number):
    """RFC 4511 section 4.14.1; then a ClientHello's record."""
    oid = b"1.3.6.1.4.1.1466.20037"
    return [(CLIENT, ldap(number, der(0x77, der(0x80, oid)))), (SERVER, ldap(number, result(0x78))),
            (CLIENT, b"\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03" + b"r" * 190)]


def get():
    """A page that asks for nothing: RFC 9112."""
    return [(CLIENT, b"GET /picture HTTP/1.1\r\nHost: www.lab.example\r\n\r\n"),
            (SERVER, b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"p" * 20000)]


def read(number):
    """SMB2 READ and 16 KiB of answer: MS-SMB2 sections 2.2.19 and 2.2.20."""
    def message(flags, body):
        header = struct.pack("<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, 1, 0, 8, 1, flags, 0, number, 0, 1, 1, b"")
        return struct.pack(">I", len(header + body)) + header + body
    return [(CLIENT, message(0, struct.pack("<HBBIQ16sIIIHH", 49, 80, 0, 16384, 0, b"f" * 16, 0, 0, 0, 0, 0) + b"\0")),
            (SERVER, message(1, struct.pack("<HBBIII", 17, 80, 0, 16384, 0, 0) + b"d" * 16384))]


def packets(path):
    """Time, source and destination port, flags and payload of a capture's TCP packets over IPv4, with their flow."""
    with mintest.Plain(path) as plain, open(plain, "rb") as f:
        data = f.read()
    at = 24
    while at < len(data):
        length, = struct.unpack_from("<I", data, at + 8)
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        ip = 14 + 4 * (frame[14] & 15)
        end = 14 + struct.unpack_from(">H", frame, 16)[0]
        ports = struct.unpack_from(">HH", frame, ip)
        yield frozenset((frame[26:30] + frame[ip:ip + 2], frame[30:34] + frame[ip + 2:ip + 4])), ports, \
            frame[ip + 4 * (frame[ip + 12] >> 4):end]


def conversation(path, port, needle):
    """What both sides of the first flow with needle said, as [(side, bytes)]: one entry per turn."""
    flows = {}
    for flow, (source, destination), payload in packets(path):
        if port not in (source, destination) or not payload:
            continue
        turns = flows.setdefault(flow, [])
        side = SERVER if source == port else CLIENT
        if turns and turns[-1][0] == side:
            turns[-1] = (side, turns[-1][1] + payload)
        else:
            turns.append((side, payload))
    return next(turns for turns in flows.values() if any(needle in payload for _, payload in turns))


def write(path, turns, port):
    """A connection that says this."""
    seq, number = [1000, 5000], 0
    ends = [(b"\x0a\x01\x02\x03", 40000), (b"\x0a\x01\x02\x04", port)]
    with open(path, "wb") as f:
        def put(side, flags, payload=b""):
            nonlocal number
            number += 1
            tcp = struct.pack(">HHIIBBHHH", ends[side][1], ends[not side][1], seq[side],
                              seq[not side] if flags != 2 else 0, 0x50, flags, 65535, 0, 0) + payload
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, ends[side][0], ends[not side][0])
            frame = bytes(12) + b"\x08\x00" + ip + tcp
            f.write(struct.pack("<IIII", 1700000000 + number // 1000, number % 1000 * 1000, len(frame), len(frame)) +
                    frame)
            seq[side] += len(payload) + bool(flags & 3)
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        put(CLIENT, 2)
        put(SERVER, 0x12)
        put(CLIENT, 0x10)
        for side, payload in turns:
            for i in range(0, len(payload), MSS):
                put(side, 0x18, payload[i:i + MSS])
        put(CLIENT, 0x11)
        put(SERVER, 0x11)
    return number


def events(turns, port):
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "a.pcap")
        write(path, turns, port)
        got = subprocess.run([mintest.MINTMARK, "-q", "-r", path, "--json"], check=True, stdout=subprocess.PIPE).stdout
    found = [json.loads(line) for line in got.decode().splitlines()]
    return [(e["event.action"], e["event.outcome"]) + tuple(c.get("fingerprint", "")
                                                           for c in e.get("mintmark.credentials", []))
            for e in found if e["event.kind"] == "event"]


def check(tap, name, turns, port, want, least=1):
    got = events(turns, port)
    bad = [] if got == want and len(want) >= least else [f"wanted {want}", f"got {got}"]
    tap.result(f"{name}, port {port}", bad)


def named(name):
    return next(p for p in mintest.captures().values() if mintest.stem(p) == name)


def main():
    tap = mintest.Tap()
    for port in 389, 10389:
        turns = bind(1, b"cn=first") + [t for i in range(ROUNDS) for t in search(2 + i)] + bind(900, b"cn=second")
        got = events(turns, port)
        tap.result(f"LDAP bound again after {ROUNDS} searches, port {port}",
                   [] if len(got) == 2 and got[0][1] == got[1][1] == "success" else [got])
        first = got[:1]
        turns = [t for i in range(ROUNDS) for t in search(2 + i)] + bind(900, b"cn=late") + starttls(901) + \
            bind(902, b"cn=hidden")
        check(tap, "LDAP bound late, and left at StartTLS", turns, port, first)

    web = conversation(named("silver-http"), 80, b"Authorization: Negotiate")
    want = events(web, 80)
    for port in 80, 9999:
        check(tap, f"HTTP kept alive for {ROUNDS} pages", get() * ROUNDS + web, port, want)
        check(tap, "HTTP authenticated twice", web + get() * ROUNDS + web, port, want + want)

    files = conversation(named("silver-smb"), 445, b"\x60\x82")
    want = events(files, 445)
    for port in 445, 4445:
        turns = files + [t for i in range(ROUNDS) for t in read(1000 + i)] + files
        check(tap, "SMB authenticated again", turns, port, want + want)
    tap.plan()


main()
