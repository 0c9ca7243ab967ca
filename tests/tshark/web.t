#!/usr/bin/env python3
# The web captures, request by request and token by token: what mintmark read against what tshark read, and against the
# servers' own books (pcaps/web/NAME.truth.tsv). Tokens are taken from where tshark shows them and decoded here.
# MM_TEST_PCAPS names another directory of captures.
import base64
import glob
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
import zlib
from collections import Counter
from datetime import datetime, timezone
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlsplit

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

WEB = os.path.join(mintest.CAPTURES, "web")
FIELDS = ["frame.number", "tcp.stream", "http.request.method", "http.host", "http.request.uri", "http.user_agent",
          "http.response.code", "http.request_in", "http.authorization", "http.location", "http.file_data",
          "http.content_type"]
# RFC 6749, 7009, 7521, 7662, 8628, 8693; OpenID Connect
SHOWN = ("code", "refresh_token", "subject_token", "actor_token", "assertion", "client_assertion", "device_code", "token",
         "id_token_hint", "id_token", "access_token")
GIVEN = ("access_token", "refresh_token", "id_token", "device_code")
SCHEMES = ("bearer", "dpop")
HTTP2 = "tls13h2" # transports with their keys beside them: this, and HTTP/1 in TLS 1.2
GRANT_URN = "urn:ietf:params:oauth:grant-type:"


def fingerprint(token):
    return hashlib.sha256(token.encode()).hexdigest()[:32]


# tshark

def tshark(path, *options):
    command = ["tshark", "-n", "-r", path, "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "http", "-T", "json", *options]
    for f in FIELDS:
        command += ["-e", f]
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return [p["_source"]["layers"] for p in json.loads(out)]


def one(layers, field):
    return layers.get(field, [None])[0]


def message(layers):
    m = {f: one(layers, f) for f in FIELDS}
    m["frame"] = int(m["frame.number"])
    return m


def messages(path, *options):
    """Requests, and their answers, both by the frame in which the request ends, and its stream where there are several."""
    requests, answers = {}, {}
    for m in map(message, tshark(path, *options)):
        if m["http.request.method"]:
            requests[m["frame"], None] = m
        elif m["http.response.code"] and m["http.request_in"]:
            answers[int(m["http.request_in"]), None] = m
    return requests, answers


# HTTP/2, by streams: a message ends in the frame that says so (RFC 9113 section 8.1).

HEADERS2 = {":method": "http.request.method", ":authority": "http.host", ":path": "http.request.uri", ":status": "http.response.code",
            "user-agent": "http.user_agent", "authorization": "http.authorization", "location": "http.location",
            "content-type": "http.content_type", "content-encoding": "coding"}
DECODERS = {"gzip": gzip.decompress, "deflate": zlib.decompress}


def shows(node, name):
    return next((f.get("show") for f in node.iter("field") if f.get("name") == name), None)


def ends(node):
    return any(f.get("name") == "http2.flags.end_stream" and f.get("show") in ("1", "True") for f in node.iter("field"))


def content(m):
    """In the place of the last piece tshark shows the whole, where it knows the coding and python does not (brotli)."""
    raw = m["data"]
    if m["coding"] in DECODERS:
        raw = DECODERS[m["coding"]](raw)
    elif m["coding"]:
        raw = m["last"]
    return raw.decode("utf-8", "replace")


def messages2(path, *options):
    """As messages()."""
    command = ["tshark", "-n", "-r", path, *options, "-Y", "http2", "-T", "pdml"]
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    open_, requests, answers, asked = {}, {}, {}, {}
    for packet in xml.fromstring(out).iter("packet"):
        tcp = next(p for p in packet.iter("proto") if p.get("name") == "tcp")
        frame = int(shows(packet, "frame.number"))
        for part in (f for f in packet.iter("field") if f.get("name") == "http2.stream"):
            stream = shows(tcp, "tcp.stream"), shows(part, "http2.streamid")
            key = *stream, shows(tcp, "tcp.srcport")
            m = open_.setdefault(key, dict.fromkeys([*FIELDS, "coding"]) | {"data": b""})
            for h in (f for f in part.iter("field") if f.get("name") == "http2.header"):
                name, value = shows(h, "http2.header.name"), shows(h, "http2.header.value")
                if name in HEADERS2:
                    m[HEADERS2[name]] = value
            whole = next((f.get("value") for f in part.iter("field") if f.get("name") == "http2.body.reassembled.data"), None)
            piece = next((f.get("value") for f in part.iter("field") if f.get("name") == "http2.data.data"), None)
            m["data"] = bytes.fromhex(whole) if whole else m["data"] + bytes.fromhex(piece or "")
            m["frame"], m["last"] = frame, bytes.fromhex(piece or "")
            if m["http.response.code"] and stream in asked: # Exception: tshark does not show the end of each
                answers[asked[stream]] = m
            if not ends(part):
                continue
            if m["http.request.method"]:
                requests[frame, stream] = m
                asked[stream] = frame, stream
            del open_[key]
    for m in (*requests.values(), *answers.values()):
        m["http.file_data"] = content(m)
    return requests, answers


def parameters(text):
    return parse_qsl(text or "", keep_blank_values=True)


def is_type(m, kind):
    return kind in (m["http.content_type"] or "").lower()


def form(m):
    return parameters(m["http.file_data"]) if is_type(m, "x-www-form-urlencoded") else []


def body(m):
    if not is_type(m, "json"):
        return {}
    try:
        found = json.loads(m["http.file_data"] or "")
        return found if isinstance(found, dict) else {}
    except ValueError:
        return {}


def shown_in(request):
    """What a request shows: its tokens."""
    scheme, _, rest = (request["http.authorization"] or "").partition(" ")
    found = [rest.strip()] if scheme.lower() in SCHEMES else []
    fields = form(request) + parameters(urlsplit(request["http.request.uri"]).query)
    # Exception: the code that a browser carries to its client is not shown to the issuer yet, and makes no event.
    names = SHOWN if "grant_type" in dict(fields) else [n for n in SHOWN if n != "code"]
    return found + [v for k, v in fields if k in names and v]


class Inputs(HTMLParser):
    """The values of a page's form, by name."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "input" and attrs.get("name") and attrs.get("value"):
            self.found.append((attrs["name"], attrs["value"]))


def given_in(response):
    """What a response gives: its tokens."""
    found = [v for k, v in body(response).items() if k in GIVEN and isinstance(v, str)]
    if is_type(response, "html"):
        inputs = Inputs(response["http.file_data"] or "").found
        # A code in a page is told from the codes that people type by what stands beside it.
        code = ["code"] if {"state", "iss"} & {k for k, _ in inputs} else []
        found += [v for k, v in inputs if k in (*code, *GIVEN)]
    to = urlsplit(response["http.location"] or "")
    return found + [v for k, v in parameters(to.query) + parameters(to.fragment) if k in ("code", *GIVEN) and v]


# Tokens

def part(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def jwt(token):
    """Header and claims, or None for what is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims = part(parts[0]), part(parts[1])
    except ValueError:
        return None
    return (header, claims) if isinstance(header, dict) and isinstance(claims, dict) else None


def seconds(iso):
    """Of mintmark's time since 1970."""
    if iso is None:
        return None
    return int(datetime.strptime(iso.partition(".")[0], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp())


def first_audience(claims):
    aud = claims.get("aud")
    return aud[0] if isinstance(aud, list) and aud else aud


def client_of(claims):
    return next((claims[k] for k in ("client_id", "azp", "appid") if k in claims), None)


def token_differences(token, cred):
    """Fields of a token in which mintmark reads it otherwise."""
    header, claims = jwt(token)
    want = {"alg": header.get("alg"), "kid": header.get("kid"), "issuer": claims.get("iss"), "principal": claims.get("sub"),
            "service": first_audience(claims), "client": client_of(claims), "issued_at": claims.get("iat"),
            "expires": claims.get("exp"), "length": len(token)}
    # Exception: who names no client may have been issued to one that the request names: as its audience an ID token has
    # it (OpenID Connect Core section 2).
    if want["client"] is None:
        want["client"] = want["service"] if cred["kind"] == "id-token" and "client" in cred else cred.get("client")
    got = {k: cred.get(k) for k in want}
    got["issued_at"], got["expires"] = seconds(got["issued_at"]), seconds(got["expires"])
    return [f"{cred['kind']} {cred['fingerprint']}: {k}: mintmark {got[k]}, token {want[k]}"
            for k in want if got[k] != want[k]]


# Comparisons

def host_of(text):
    return (text or "").rpartition("@")[2].partition(":")[0].lower()


def path_of(uri):
    return urlsplit(uri).path.partition(";")[0]


def requests_of(events):
    return [e for e in events if e.get("http.request.method") and mintest.packet(e.get("mintmark.request.packet"))]


def request_differences(e, frame, r, a):
    want = {"http.request.method": r["http.request.method"], "url.domain": host_of(r["http.host"]),
            "url.path": path_of(r["http.request.uri"]), "user_agent.original": r["http.user_agent"],
            "http.response.status_code": int(a["http.response.code"]) if a else None,
            "mintmark.response.packet": a.get("frame")}
    got = {k: e.get(k) for k in want}
    got["mintmark.response.packet"] = mintest.packet(got["mintmark.response.packet"])
    got["url.domain"] = (got["url.domain"] or "").lower()
    # Exception: a page is read no further than a form for a password may stand in it, and what is no document is passed over.
    if a and not is_type(a, "json") and (got["mintmark.response.packet"] or 0) > frame:
        want["mintmark.response.packet"] = min(a["frame"], got["mintmark.response.packet"])
    return [f"frame {frame} {e['event.action']}: {k}: mintmark {got[k]}, tshark {want[k]}" for k in want if got[k] != want[k]]


def same_requests(events, requests, answers):
    """Of several requests that end in one frame an event is of one."""
    bad, ending = [], {}
    for key in requests:
        ending.setdefault(key[0], []).append(key)
    for e in requests_of(events):
        frame = mintest.packet(e["mintmark.request.packet"])
        found = [request_differences(e, frame, requests[k], answers.get(k, {})) for k in ending.get(frame, [])]
        bad += min(found, key=len, default=[f"{e['event.action']} in frame {frame}: tshark sees no request end there"])
    return bad


def seen_by(events, side):
    """(frame of the request, fingerprint) of what was issued or shown -> credential"""
    found = {}
    for e in events:
        if e.get("mintmark.oauth.where") in ("cookie", "websocket"): # not looked for in what tshark tells
            continue
        for c in e.get("mintmark.credentials", []):
            if (c["role"] == "issued") == (side == "issued"):
                found[mintest.packet(e.get("mintmark.request.packet")), c["fingerprint"]] = c
    return found


def tokens_of(them, find):
    """By the frame in which their request ends."""
    return {(frame, fingerprint(t)): t for (frame, _stream), m in them.items() for t in find(m)}


def same_tokens(tap, name, events, requests, answers):
    for side, theirs in (("shown", tokens_of(requests, shown_in)), ("issued", tokens_of(answers, given_in))):
        ours = seen_by(events, side)
        tap.result(f"{name}: {len(theirs)} tokens {side}, by frame and fingerprint",
                   [f"only tshark: frame {f} {fp} {theirs[f, fp][:40]}" for f, fp in sorted(set(theirs) - set(ours))] +
                   [f"only mintmark: frame {k[0]} {k[1]} {ours[k]['kind']}" for k in sorted(set(ours) - set(theirs), key=str)])
        jwts = [k for k in theirs if k in ours and jwt(theirs[k])]
        tap.result(f"{name}: header and claims of {len(jwts)} JWTs {side}",
                   [d for k in jwts for d in token_differences(theirs[k], ours[k])])


def same_grants(tap, name, events, requests):
    theirs = Counter(v.removeprefix(GRANT_URN) for r in requests.values() for k, v in form(r) if k == "grant_type")
    ours = Counter(e["mintmark.grant"] for e in requests_of(events)
                   if "mintmark.grant" in e and e["http.request.method"] == "POST")
    tap.result(f"{name}: {sum(theirs.values())} requests for tokens, by grant",
               [f"{g}: mintmark {ours[g]}, tshark {theirs[g]}" for g in sorted(set(ours) | set(theirs)) if ours[g] != theirs[g]])


# The servers' books

# Exceptions: what the books have and mintmark does not take for a credential. A proof (RFC 9449) opens nothing by itself, nor
# does the number under which a request was left (RFC 9126). Beside these, "front channel" is a code on the way to its client;
# one that the issuer gives inside a page, for the browser to post to the client, is seen when it is redeemed.
UNREAD = ("dpop_proof", "request_uri")
OUTCOMES = {"accepted": "success", "refused": "failure"}


def uses(events):
    """(fingerprint, issued or presented) -> outcomes, requests that were seen twice on their way counted once"""
    found = {}
    for e in events:
        if "copy" in e.get("mintmark.flags", []):
            continue
        for c in e.get("mintmark.credentials", []):
            side = "issued" if c["role"] == "issued" else "presented"
            found.setdefault((c["fingerprint"], side), []).append(e["event.outcome"])
    return found


def books(tap, name, events, truth):
    seen = uses(events)
    rows = [r for r in truth if r["kind"] not in UNREAD and r["note"] != "front channel"]
    bad = []
    for fp, side in sorted({(r["token"], r["role"]) for r in rows}):
        mine = [r for r in rows if (r["token"], r["role"]) == (fp, side)]
        told = f"{mine[0]['kind']} {fp} {side} at {mine[0]['server']}"
        got = Counter(seen.get((fp, side), []))
        if not got:
            bad.append(f"{told}: no event")
        elif side == "presented":
            want = Counter(OUTCOMES.get(r["verdict"], "failure") for r in mine)
            if want != got:
                bad.append(f"{told}: book {dict(want)}, mintmark {dict(got)}")
    tap.result(f"{name}: {len(rows)} lines of the books", bad)


def compare(tap, name, path, truth):
    keys = os.path.join(WEB, name + ".keylog")
    secret = os.path.exists(keys)
    with mintest.Plain(path) as plain:
        tls = ["-o", "tls.keylog_file:" + keys] if secret else []
        requests, answers = messages(plain, *tls)
        if HTTP2 in name:
            requests, answers = (a | b for a, b in zip((requests, answers), messages2(plain, *tls)))
    events = mintest.records(*(["--keylog", keys] if secret else []), path)[0]
    tap.result(f"{name}: {len(requests_of(events))} requests with an event: method, host, path, user agent, status",
               same_requests(events, requests, answers))
    same_tokens(tap, name, events, requests, answers)
    same_grants(tap, name, events, requests)
    books(tap, name, events, truth)


def main():
    tap = mintest.Tap()
    # All in clear and in TLS 1.2; of HTTP/2, which takes tshark long, the day and some.
    some = ("web-day", "storm-0558", "never-issued", "binding-break", "refresh-reuse", "device-phish")
    paths = sorted(p for pattern in ("*.http1", "*.tls12", *(f"{n}.{HTTP2}" for n in some))
                   for p in glob.glob(os.path.join(glob.escape(WEB), pattern + ".pcap*")))
    if shutil.which("tshark") is None:
        tap.skip("tshark", "not installed")
        tap.plan()
        return
    for path in paths:
        name = os.path.basename(path).partition(".pcap")[0]
        compare(tap, name, path, mintest.rows(os.path.join(WEB, name + ".truth.tsv")))
    tap.plan()


main()
