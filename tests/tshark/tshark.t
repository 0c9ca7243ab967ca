#!/usr/bin/env python3
# Every shipped capture, message by message: what mintmark read against what tshark read.
# MM_TEST_PCAPS names another directory of captures.
import os
import shutil
import subprocess
import sys
from collections import Counter

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest
from messages import from_mintmark, from_tshark, lossy_flows


def count(messages):
    return Counter((m["carrier"], m["type"]) for m in messages)


def tell(m):
    return " ".join(f"{k}={v}" for k, v in m.items())


def differences(ours, theirs):
    """The fields in which two messages differ."""
    return [f"frame {ours['frame']} {ours['type']}: {k}: mintmark {ours.get(k)}, tshark {theirs.get(k)}"
            for k in sorted(set(ours) | set(theirs)) if ours.get(k) != theirs.get(k) and k != "frame"]


def pair(ours, theirs):
    """Messages that stand in the same frame of the same carrier, in order; and those left over."""
    waiting = {}
    for m in theirs:
        waiting.setdefault((m["frame"], m["carrier"], m["type"]), []).append(m)
    pairs, left = [], []
    for m in ours:
        same = waiting.get((m["frame"], m["carrier"], m["type"]))
        if same:
            best = next((t for t in same if not differences(m, t)), same[0])
            same.remove(best)
            pairs.append((m, best))
        else:
            left.append(m)
    return pairs, left, [m for ms in waiting.values() for m in ms]


def same_elsewhere(ours, theirs):
    """Pair what was left over by content alone. Where segments arrive out of order, or a segment comes twice, tshark
    shows a message in the frame that filled the last hole and mintmark in the one with the message's last byte:
    so tshark's frame may be another one, the content may not."""
    for m in list(ours):
        twin = next((t for t in theirs if not differences(m, t)), None)
        if twin is not None:
            ours.remove(m)
            theirs.remove(twin)


def known_fingerprints(path):
    """Of the tickets that the capture's ground truth lists."""
    truth = os.path.join(os.path.dirname(path), mintest.stem(path) + ".truth.tsv")
    return {r["fingerprint"] for r in mintest.rows(truth)} if os.path.exists(truth) else set()


def beyond_tshark(plain, path, messages):
    """Exception: after a lost segment tshark does not find back into a stream, mintmark does. What mintmark alone
    reads in such a connection is right when the ground truth knows the ticket."""
    if not messages:
        return []
    lossy, known = lossy_flows(plain), known_fingerprints(path)
    return [m for m in messages if frozenset((m["from"], m["to"])) in lossy and
            all(t["fingerprint"] in known for t in m.get("presented", []) + m.get("issued", []))]


def compare(tap, name, path):
    with mintest.Plain(path) as plain:
        theirs, cut = from_tshark(plain)
        every = from_mintmark(mintest.records(plain)[0])
        ours = [m for m in every if m["frame"] not in cut]
        pairs, mine, yours = pair(ours, theirs)
        same_elsewhere(mine, yours)
        beyond = beyond_tshark(plain, path, mine)
    n_ours, n_theirs = count(m for m in ours if m not in beyond), count(theirs)
    tap.result(f"{name}: {len(theirs)} messages by carrier and type" +
               (f", and {len(beyond)} after lost segments" if beyond else ""),
               [f"{' '.join(k)}: mintmark {n_ours[k]}, tshark {n_theirs[k]}"
                for k in sorted(set(n_ours) | set(n_theirs)) if n_ours[k] != n_theirs[k]])
    bad = [d for ours, theirs in pairs for d in differences(ours, theirs)]
    bad += ["only mintmark: " + tell(m) for m in mine if m not in beyond]
    bad += ["only tshark: " + tell(m) for m in yours]
    # Exception: of a message that the capture holds in part tshark dissects what is there. mintmark may as well, but
    # the fingerprint of half a ticket would be nobody's.
    bad += ["ticket of a cut message: " + tell(m) for m in every if m["frame"] in cut and
            any(m.get(role) for role in ("presented", "issued", "armor", "evidence"))]
    tap.result(f"{name}: fields of each message", bad)
    return n_theirs


def main():
    tap = mintest.Tap()
    found = mintest.captures()
    if shutil.which("tshark") is None:
        tap.skip("tshark", "not installed")
        tap.plan()
        return
    total = Counter()
    for name, path in found.items():
        try:
            total += compare(tap, name, path)
        except (RuntimeError, subprocess.CalledProcessError) as e:
            tap.result(f"{name}: read", [e])
    # A test of nothing would pass.
    need = [("kerberos", t) for t in ("AS-REQ", "AS-REP", "TGS-REQ", "TGS-REP", "KRB-ERROR")]
    need += [(c, "AP-REQ") for c in ("smb2", "ldap", "http", "dcerpc", "kpasswd")]
    tap.result("every type of message and every carrier was met: " +
               ", ".join(f"{n} {' '.join(k)}" for k, n in sorted(total.items())),
               [" ".join(k) for k in need if not total[k]])
    tap.plan()


main()
