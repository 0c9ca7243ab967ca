#!/usr/bin/env python3
# TLS end to end: captures of each kind of cipher suite with their key logs, what is inside against what tshark
# decrypts with the same log.
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

PCAPS = os.path.join(os.environ.get("srcdir", "."), "pcaps/tls")
MINTMARK = os.environ.get("MINTMARK", "./mintmark")


def run(*args):
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode()


def fields(path, keys, condition, *names):
    """Rows of tshark's fields, one per frame that fits."""
    args = ["tshark", "-r", path, "-Y", condition, "-T", "fields"]
    args += ["-o", f"tls.keylog_file:{keys}"] if keys else []
    for name in names:
        args += ["-e", name]
    return [line.split("\t") for line in run(*args).splitlines()]


def counters(path, *args):
    out = subprocess.run([MINTMARK, "--counters", "-q", *args, path], stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, check=False).stderr.decode()
    return {line.rsplit(None, 1)[0]: int(line.rsplit(None, 1)[1]) for line in out.splitlines()
            if line.startswith("mintmark_") and line.rsplit(None, 1)[1].isdigit()}


def events(path, *args):
    return mintest.records(path, *args)[0]


def messages(count):
    return count['mintmark_protocol_messages_total{protocol="http"}']


def check_suite(tap, path, keys):
    name = os.path.basename(path)[:-len(".pcap")]
    bad = []
    hellos = fields(path, keys, "tls.handshake.type == 2", "tcp.stream", "tls.handshake.ciphersuite")
    streams = sorted({r[0] for r in hellos}, key=int)
    ours = [e for e in events(path, "--keylog", keys) if e["event.action"] == "tls-handshake"]
    if len(ours) != len(streams):
        bad.append(f"{len(ours)} handshakes, tshark has {len(streams)}")
    version = "1.3" if name.startswith("tls13") else "1.2"
    for e in ours:
        for key, want in {"tls.version": version, "tls.client.server_name": "www.lab.example",
                          "tls.next_protocol": "http/1.1", "event.outcome": "success",
                          "mintmark.tls.decrypted": True}.items():
            if e.get(key) != want:
                bad.append(f"{key}: {e.get(key)}, not {want}")
        if not e["tls.resumed"] and e.get("tls.server.x509.subject.common_name") != "www.lab.example":
            bad.append("no name of the certificate")
        if ("mintmark.tls.client_cert_x5t" in e) != ("client-cert" in name):
            bad.append("client certificate")
    count = counters(path, "--keylog", keys)
    requests = len(fields(path, keys, "http.request", "http.request.uri"))
    # tshark shows an answer only where its end is clear. There is one to each request, but for these two servers, which
    # give none.
    answers = 0 if name in ("tls13-early", "tls13-update") else requests
    if requests == 0 or messages(count) != requests + answers:
        bad.append(f"{messages(count)} messages of HTTP, tshark has {requests} requests")
    # Its server took no early data: tshark shows no EndOfEarlyData.
    gaps = 1 if name == "tls13-early" else 0
    if count['mintmark_protocol_gaps_total{protocol="http"}'] != gaps or count["mintmark_tls_hidden_total"]:
        bad.append("something was not decrypted")
    tap.result(f"{name} is read as tshark reads it", bad)


def check_blind(tap, path):
    count = counters(path)
    report = run(MINTMARK, "-q", path)
    bad = []
    if count["mintmark_tls_hidden_total"] == 0 or messages(count) != 0:
        bad.append("hidden connections are not counted")
    if "TLS without keys: 2 connections, to 127.0.0.1 port 443 (www.lab.example) 2" not in " ".join(report.split()):
        bad.append(report)
    if [e for e in events(path) if e["mintmark.protocol"] == "tls"]:
        bad.append("events of what was not decrypted")
    told = [e for e in events(path, "-o", "tls.events=yes") if e["mintmark.protocol"] == "tls"]
    if len(told) != 2 or any(e["mintmark.tls.decrypted"] for e in told):
        bad.append("tls.events=yes tells of each")
    tap.result("without keys a connection is hidden", bad)


def same(outputs):
    return [] if len(set(outputs)) == 1 and outputs[0] else ["the outputs differ"]


def check_workers(tap, path, keys):
    out = [run(MINTMARK, "--json", "-q", "--keylog", keys, "-o", f"engine.workers={n}", path) for n in (0, 1, 2, 4)]
    tap.result("any number of workers gives the same", same(out))


def check_inside(tap, path, keys, work):
    """The secrets in the capture itself: before its packets, and between them, where they come too late."""
    if shutil.which("editcap") is None:
        tap.skip("secrets inside a capture", "no editcap")
        return
    inside = os.path.join(work, "inside.pcapng")
    run("editcap", "-F", "pcapng", "--inject-secrets", f"tls,{keys}", path, inside)
    want = [e for e in events(path, "--keylog", keys)]
    got = [events(inside, "-o", f"engine.workers={n}") for n in (0, 2)]
    bad = [] if len(got[0]) == len(want) != 0 and got[0] == got[1] else [f"{len(got[0])} events, not {len(want)}"]
    data = open(inside, "rb").read()
    blocks, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 4:at + 8], "little")
        blocks.append(data[at:at + size])
        at += size
    kinds = [int.from_bytes(b[:4], "little") for b in blocks]
    secrets = blocks.pop(kinds.index(10))
    late = os.path.join(work, "late.pcapng")
    n_packets = kinds.count(6)
    with open(late, "wb") as f:
        for i, block in enumerate(blocks):
            f.write(block)
            if i == len(blocks) - n_packets // 2:
                f.write(secrets)
    got = [events(late, "-o", f"engine.workers={n}") for n in (0, 1, 2, 4)]
    if not all(g == got[0] for g in got):
        bad.append("the number of workers decides what late secrets open")
    if len(got[0]) != 1:
        bad.append(f"{len(got[0])} connections opened by secrets that came between two")
    tap.result("secrets inside a capture hold from where they stand", bad)


LINK_HEADERS = {1: 14, 101: 0, 113: 16, 276: 20}
ASK, CONSENT = b"CONNECT www.lab.example:443 HTTP/1.1\r\nHost: www.lab.example\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"


def elsewhere(path, out, tunnel):
    """The capture with its servers on port 8080; tunnel: as a proxy, asked by CONNECT."""
    data = open(path, "rb").read()
    order = "little" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else "big"
    link = LINK_HEADERS[int.from_bytes(data[20:24], order)]
    at, whole, opened = 24, [data[:24]], set()

    def put(head, packet):
        size = len(packet).to_bytes(4, order)
        whole.append(head[:8] + size + size + packet)

    while at < len(data):
        head = data[at:at + 16]
        size = int.from_bytes(head[8:12], order)
        packet = bytearray(data[at + 16:at + 16 + size])
        at += 16 + size
        tcp = link + (packet[link] & 15) * 4
        client = 0 if packet[tcp + 2:tcp + 4] == b"\x01\xbb" else 1
        packet[tcp + 2 * (1 - client):tcp + 2 * (1 - client) + 2] = (8080).to_bytes(2, "big")
        flow = bytes(packet[tcp + 2 * client:tcp + 2 * client + 2])
        syn, ack = packet[tcp + 13] & 2, packet[tcp + 13] & 16

        def moved(offset, by):
            value = (int.from_bytes(packet[tcp + offset:tcp + offset + 4], "big") + by) % (1 << 32)
            return value.to_bytes(4, "big")

        def said(there, number, acked, text):
            front = bytearray(packet[:tcp + 20])
            front[link + 2:link + 4] = (len(front) - link + len(text)).to_bytes(2, "big")
            front[tcp + 12] = 0x50
            if there:
                front[tcp:tcp + 4] = packet[tcp + 2:tcp + 4] + packet[tcp:tcp + 2]
                front[link + 12:link + 20] = packet[link + 16:link + 20] + packet[link + 12:link + 16]
            front[tcp + 4:tcp + 12] = number + acked
            put(head, bytes(front) + text)

        if tunnel and not syn:
            if flow not in opened: # the client's ACK of the handshake
                put(head, bytes(packet))
                opened.add(flow)
                said(False, moved(4, 0), moved(8, 0), ASK)
                said(True, moved(8, 0), moved(4, len(ASK)), CONSENT)
                continue
            own, other = (ASK, CONSENT) if client == 0 else (CONSENT, ASK)
            number, acked = moved(4, len(own)), moved(8, len(other) if ack else 0)
            packet[tcp + 4:tcp + 12] = number + acked
        put(head, bytes(packet))
    with open(out, "wb") as f:
        f.write(b"".join(whole))


def check_elsewhere(tap, path, keys, work):
    def inside(capture):
        return [(e["event.action"], e.get("tls.cipher"), e["event.outcome"]) for e in events(capture, "--keylog", keys)
                if e["event.action"] == "tls-handshake"]
    for tunnel in (False, True):
        moved = os.path.join(work, "moved.pcap")
        elsewhere(path, moved, tunnel)
        bad = [] if inside(moved) == inside(path) != [] else [f"{inside(moved)}, not {inside(path)}"]
        ours, there = messages(counters(path, "--keylog", keys)), messages(counters(moved, "--keylog", keys))
        extra = 2 * len(inside(path)) if tunnel else 0
        bad += [] if there == ours + extra else [f"{there} messages of HTTP, not {ours} and {extra}"]
        tap.result("on a port of HTTP" + (", through its proxy," if tunnel else "") + " the same is read", bad)


def main():
    tap = mintest.Tap()
    paths = sorted(glob.glob(PCAPS + "/*.pcap"))
    if shutil.which("tshark") is None or not paths:
        tap.skip("TLS against tshark", "no tshark, or no captures")
        return tap.plan()
    for path in paths:
        check_suite(tap, path, path[:-len("pcap")] + "keys")
    path = PCAPS + "/tls13-aes256.pcap"
    keys = PCAPS + "/tls13-aes256.keys"
    check_blind(tap, path)
    check_workers(tap, path, keys)
    with tempfile.TemporaryDirectory() as work:
        check_inside(tap, path, keys, work)
        check_elsewhere(tap, path, keys, work)
    return tap.plan()


sys.exit(main())
