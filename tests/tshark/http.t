#!/usr/bin/env python3
# HTTP in every shipped capture: requests, statuses and header fields as mintmark read them against what tshark read.
# MM_TEST_PCAPS names another directory of captures.
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

TOOL = os.path.join(os.environ.get("top_builddir", "build"), "tests/tshark/exchanges")
SEPARATOR = "\x1e"
FIELDS1 = ("tcp.stream", "tcp.srcport", "tcp.dstport", "http.request.method", "http.request.uri", "http.request.version", "http.request.line",
           "http.response.code", "http.response.line", "http.response_in", "http.request_in", "frame.number")


def run(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="surrogateescape")


def text(hexadecimal):
    return bytes.fromhex(hexadecimal).decode("utf-8", "surrogateescape")


def fields_of(column):
    """Names in lower case with their values, sorted: a sieve for what is added, lost or changed."""
    pairs = [f.split(":") for f in column.split(",") if f]
    return sorted((text(n).lower(), text(v)) for n, v in pairs)


def from_mintmark(path):
    out = run(TOOL, path)
    exchanges = []
    for line in out.stdout.splitlines():
        c = line.split("\t")
        exchanges.append({
            "port": (int(c[1]), int(c[3])), "number": int(c[4]), "version": int(c[5]), "method": text(c[6]),
            "uri": text(c[8]) + ("?" + text(c[9]) if c[9] else ""), "status": int(c[10]),
            "request": fields_of(c[11]), "response": fields_of(c[13]),
            "authority": text(c[7]), "packets": (int(c[17]), int(c[18]))})
    return exchanges, out.stderr.strip()


def lines_of(value):
    """Header lines as tshark shows them."""
    pairs = []
    for line in value.split(SEPARATOR):
        name, colon, rest = line.replace("\\r\\n", "").replace("\r\n", "").partition(":")
        if colon:
            pairs.append((name.strip().lower(), rest.strip()))
    return sorted(pairs)


def cut_streams(path):
    """Connections of which the capture holds parts only."""
    out = run("tshark", "-n", "-r", path, "-Y", "tcp && frame.cap_len < frame.len",
              "-T", "fields", "-e", "tcp.stream").stdout
    return set(out.split())


def from_tshark1(path):
    """Requests and answers of HTTP/1 in order of each stream."""
    cut = cut_streams(path)
    argv = ["tshark", "-n", "-r", path, "-Y", "http.request || http.response", "-T", "fields", "-E", "separator=/t",
            "-E", "occurrence=a", "-E", "aggregator=" + SEPARATOR]
    for f in FIELDS1:
        argv += ["-e", f]
    streams = {}
    for line in run(*argv).stdout.split("\n"):
        c = dict(zip(FIELDS1, line.split("\t")))
        if len(c) != len(FIELDS1) or c["tcp.stream"] in cut:
            continue
        s = streams.setdefault(c["tcp.stream"], {"requests": [], "answers": []})
        if c["http.request.method"]:
            s["port"] = (int(c["tcp.srcport"]), int(c["tcp.dstport"]))
            s["requests"].append({"method": c["http.request.method"], "uri": c["http.request.uri"].split("#")[0],
                                  "request": lines_of(c["http.request.line"])})
        elif c["http.response.code"] and not c["http.response.code"].startswith("1"):
            s["answers"].append({"status": int(c["http.response.code"]), "response": lines_of(c["http.response.line"])})
    exchanges = []
    for s in streams.values():
        for i, request in enumerate(s["requests"]):
            answer = s["answers"][i] if i < len(s["answers"]) else {"status": 0, "response": []}
            exchanges.append({**request, **answer, "port": s["port"]})
    return exchanges


def headers2(frame):
    """Of a HEADERS frame of HTTP/2, and whether it is a whole block: tshark shows the fields in the last of its frames."""
    pairs = []
    for h in frame.iter("field"):
        if h.get("name") != "http2.header":
            continue
        part = {f.get("name"): f.get("show", "") for f in h.iter("field")}
        pairs.append((part.get("http2.header.name", ""), part.get("http2.header.value", "")))
    return pairs


def from_tshark2(path, ports):
    """Requests and answers of HTTP/2 by their streams; trailers belong to what they follow."""
    known = [a for p in ports for a in ("-d", f"tcp.port=={p},http2")]
    out = run("tshark", "-n", "-r", path, *known, "-Y", "http2.header", "-T", "pdml").stdout
    streams = {}
    if "<pdml" not in out:
        return []
    for packet in xml.fromstring(out.encode("utf-8", "surrogateescape")).iter("packet"):
        tcp = next(p for p in packet.iter("proto") if p.get("name") == "tcp")
        show = {f.get("name"): f.get("show") for f in tcp.iter("field")}
        ports = int(show["tcp.srcport"]), int(show["tcp.dstport"])
        for frame in (f for f in packet.iter("field") if f.get("name") == "http2.stream"):
            pairs = headers2(frame)
            number = next((f.get("show") for f in frame.iter("field") if f.get("name") == "http2.streamid"), None)
            pseudo = {n: v for n, v in pairs if n.startswith(":")}
            if not pairs or pseudo.get(":status", "").startswith("1"):
                continue
            side = "request" if ":method" in pseudo else "response"
            if not pseudo:
                side = "response" if (show["tcp.stream"], number, ports[::-1]) in streams else "request"
            port = ports if side == "request" else ports[::-1]
            x = streams.setdefault((show["tcp.stream"], number, port), {
                "port": port, "method": "", "uri": "", "status": 0, "request": [], "response": []})
            x[side] = sorted(x[side] + [(n, v.strip()) for n, v in pairs if not n.startswith(":")])
            x["method"] = pseudo.get(":method", x["method"])
            x["uri"] = pseudo.get(":path", x["uri"])
            x["status"] = int(pseudo.get(":status", x["status"]))
    return [x for x in streams.values() if x["method"]]


def key2(x):
    return x["port"], x["method"], x["uri"], x["status"], x["request"], x["response"]


def compare2(path):
    ours, err = from_mintmark(path)
    mine = sorted(key2(x) for x in ours if x["version"] == 20 and x["method"])
    theirs = sorted(key2(x) for x in from_tshark2(path, {x[0][1] for x in mine})) if mine else []
    bad = [err] if err else []
    bad += [f"only mintmark: {x}" for x in mine if x not in theirs]
    bad += [f"only tshark: {x}" for x in theirs if x not in mine]
    return len(mine), bad


def compare(path):
    ours, err = from_mintmark(path)
    bad = [err] if err else []
    theirs = from_tshark1(path)
    mine = [x for x in ours if x["version"] < 20 and x["method"]]
    waiting = {}
    for t in theirs:
        waiting.setdefault(t["port"], []).append(t)
    for m in sorted(mine, key=lambda x: x["packets"]):
        queue = waiting.get(m["port"])
        if not queue:
            bad.append(f"only mintmark: {m['port']} {m['method']} {m['uri']}")
            continue
        t = queue.pop(0)
        if t["status"] == 0 and m["status"] != 0: # tshark pairs no answer with an upgrade, nor across secrets inside a capture
            t = dict(t, status=m["status"], response=m["response"])
        bad += [f"{m['port']} {m['method']} {m['uri']}: {k}: mintmark {m[k]}, tshark {t[k]}"
                for k in ("method", "uri", "status", "request", "response") if m[k] != t[k]]
    bad += [f"only tshark: {t['port']} {t['method']} {t['uri']}" for q in waiting.values() for t in q]
    return len(mine), bad


def main():
    tap = mintest.Tap()
    if shutil.which("tshark") is None:
        tap.skip("tshark", "not installed")
        tap.plan()
        return
    total = 0
    for name, path in mintest.captures().items():
        with mintest.Plain(path) as plain:
            n, bad = compare(plain)
            n2, bad2 = compare2(plain)
            if ".dsb." in name: # tshark leaves out some requests where the secrets are inside
                bad2 = [b for b in bad2 if not b.startswith("only mintmark")]
        total += n + n2
        if n2 != 0 or bad2:
            tap.result(f"{name}: {n2} requests of HTTP/2 and their answers, as tshark reads them", bad2)
        if n != 0 or bad:
            tap.result(f"{name}: {n} requests of HTTP/1 and their answers, as tshark reads them", bad)
    tap.result("there is HTTP in the captures", [] if total else ["none"])
    tap.plan()


main()
