#!/usr/bin/env python3
# What an attacker sends to exhaust the reader, through the whole program: each is refused within its limit, counted, and
# what comes after it on another connection is read.
import gzip
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

CLIENT, SERVER, PORT, SEGMENT = b"\xc0\0\2\1", b"\xc0\0\2\2", 80, 16000
SYN, ACK, FIN, PUSH = 2, 16, 1, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSJ9.AAAA"
HONEST = f"GET /honest HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
# RFC 7932 and RFC 8878: a megabyte and more of one byte
BROTLI = bytes.fromhex("cbffff3ff82700e2b14020f7fe2fffff3ff04f00c4611180eefd07")
MEMORY_MAX = 200 << 20  # what the whole run may take


class Capture:
    """Raw IPv4 (LINKTYPE_RAW), a packet a millisecond."""

    def __init__(self, path):
        self.f = open(path, "wb")
        self.f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 101))
        self.n, self.port = 0, 40000

    def packet(self, back, seq, ack, flags, data=b""):
        ends = (SERVER, CLIENT, PORT, self.port) if back else (CLIENT, SERVER, self.port, PORT)
        tcp = struct.pack(">HHIIBBHHH", ends[2], ends[3], seq & 0xffffffff, ack & 0xffffffff, 0x50, flags, 65535, 0, 0) + data
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), self.n & 0xffff, 0, 64, 6, 0) + ends[0] + ends[1]
        self.f.write(struct.pack("<IIII", 1700000000 + self.n // 1000, self.n % 1000 * 1000, len(ip) + len(tcp), len(ip) + len(tcp)))
        self.f.write(ip + tcp)
        self.n += 1

    def talk(self, *turns):
        """A connection: (from the server?, bytes) in turns."""
        self.port += 1
        seq = [1000, 5000]
        self.packet(False, seq[0], 0, SYN)
        self.packet(True, seq[1], seq[0] + 1, SYN | ACK)
        seq = [s + 1 for s in seq]
        for back, data in turns:
            for i in range(0, len(data), SEGMENT):
                piece = data[i:i + SEGMENT]
                self.packet(back, seq[back], seq[not back], ACK | PUSH, piece)
                seq[back] += len(piece)
        self.packet(False, seq[0], seq[1], FIN | ACK)
        self.packet(True, seq[1], seq[0] + 1, FIN | ACK)


def frame2(kind, flags, stream, body=b""):
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


def answer(body, coding=None, kind="application/json"):
    more = f"Content-Encoding: {coding}\r\n" if coding else ""
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def zstd(data):
    return subprocess.run(["zstd", "-c", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout


def asked(body, coding=None):
    """A request for tokens, and an answer with this body."""
    form = b"grant_type=client_credentials&client_id=a"
    ask = b"POST /token HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/x-www-form-urlencoded\r\n" + \
        f"Content-Length: {len(form)}\r\n\r\n".encode() + form
    return (False, ask), (True, answer(body, coding))


def cases():
    """(what, its counter, the least it must count, turns of one connection)"""
    zeroes = b'{"access_token":"' + bytes(8 << 20)
    streams = b"".join(frame2(1, 4, 2 * i + 1, b"\x82\x84\x86\x41\x01a") for i in range(100000))
    header = b"GET / HTTP/1.1\r\nHost: a.example\r\nX: " + b"a" * (10 << 20) + b"\r\n\r\n"
    block = b"\x82\x84\x86\x41\x01a\0\x01x\x7f\x81\x7f" + b"a" * 16000
    headers2 = frame2(1, 0, 1, block) + b"".join(frame2(9, 0, 1, b"a" * 16000) for _ in range(650)) + frame2(9, 4, 1, b"")
    return [
        ("10 MB of headers in HTTP/1", "mintmark_http_headers_limit_total", 1, [(False, header)]),
        ("10 MB of headers in HTTP/2", "mintmark_http_headers_limit_total", 1, [(False, PREFACE + frame2(4, 0, 0) + headers2)]),
        ("100,000 streams", "mintmark_http_streams_limit_total", 90000, [(False, PREFACE + frame2(4, 0, 0) + streams)]),
        ("a gzip bomb", "mintmark_http_coding_bombs_total", 1, asked(gzip.compress(zeroes), "gzip")),
        ("a deflate bomb", "mintmark_http_coding_bombs_total", 1, asked(zlib.compress(zeroes), "deflate")),
        ("a zstd bomb", "mintmark_http_coding_bombs_total", 1, asked(zstd(zeroes), "zstd")),
        ("a brotli bomb", "mintmark_http_coding_bombs_total", 1, asked(BROTLI, "br")),
        ("JSON 10,000 deep", "mintmark_json_deep_total", 1, asked(b'{"access_token":' + b"[" * 10000 + b"]" * 10000 + b"}")),
        ("a name twice in JSON", "mintmark_json_duplicate_total", 1, asked(b'{"access_token":"a","access_token":"b"}')),
        ("a JWT with a claim twice", "mintmark_json_duplicate_total", 1, [
            (False, HONEST.replace(b"eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSJ9", b"eyJpc3MiOiJhIiwiaXNzIjoiYiJ9"))]),
    ]


def counters(stderr):
    return {k: int(v) for k, v in re.findall(r"^(\w+)\s+(\d+)$", stderr, re.M)}


def main():
    tap = mintest.Tap()
    with open(mintest.MINTMARK, "rb") as f:
        sanitized = b"__asan_" in f.read()  # whose shadow and quarantine are memory of their own
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "hostile.pcap")
        for what, counter, least, turns in cases():
            capture = Capture(path)
            capture.talk(*turns)
            capture.talk((False, HONEST), (True, answer(b"{}")))
            capture.f.close()
            status, out, err = mintest.run("--json", "--counters", path)
            counted = counters(err)
            after = [e for e in map(json.loads, out.splitlines()) if e.get("url.path") == "/honest" and e["event.outcome"] == "success"]
            used = counted.get("mintmark_resident_max_bytes", 0)
            tap.result(f"{what}: refused, counted, and what follows is read",
                       [f"exit status {status}: {err[-500:]}"] * (status != 0) +
                       [f"{counter} {counted.get(counter)}"] * (counted.get(counter, 0) < least) +
                       ["the honest request is not read"] * (not after) +
                       [f"{used >> 20} MiB"] * (not sanitized and not 0 < used < MEMORY_MAX))
    tap.plan()


main()
