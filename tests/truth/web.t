#!/usr/bin/env python3
# The web captures against what was forged and abused in them. pcaps/web/expect.tsv says what a reader should find:
# by whose rule, on which token, from where. NAME.truth.tsv are the servers' own books. MM_TEST_PCAPS names another
# directory.
#
# A rule whose detector "mintmark --list-detectors" does not name, and a capture in TLS while there is no --keylog, are
# told as not run.
import glob
import ipaddress
import os
import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

WEB = os.path.join(mintest.CAPTURES, "web")
DAY, STORM, NEVER = "web-day", "storm-0558", "never-issued"
CLEAR = "http1"
AT_ONCE = 2  # runs
# Rules that another one's detector holds as well.
DETECTED_BY = {"SPR-02": "SPR-01", "SPR-03": "SPR-01", "SPR-10": "SPR-01"}
# What a capture cannot show, with its reason: (scenario, transport, rule, what).
OUT_OF_SIGHT = {
    ("binding-break", CLEAR, "JWT-13", "certificate-bound token without the certificate, refused"):
        "the certificate is shown in TLS alone: nobody's use of the token shows one",
}


class Capture:
    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path).partition(".pcap")[0]
        self.scenario, _, self.transport = self.name.partition(".")
        self.world = "alt-" if self.scenario.startswith("alt-") else ""
        self.scenario = self.scenario.removeprefix("alt-")
        self.truth = mintest.rows(os.path.join(WEB, self.name + ".truth.tsv"))
        keylog = os.path.join(WEB, self.name + ".keylog")
        self.keylog = keylog if os.path.exists(keylog) else None
        self.expect = []

    def tokens(self, *statuses):
        return {r["token"] for r in self.truth if r["status"] in statuses}


def load():
    found = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(WEB), "*.pcap*"))):
        c = Capture(path)
        found[c.name] = c
    stray = []
    for row in mintest.rows(os.path.join(WEB, "expect.tsv")):
        row["rule"] = rule_id(row["rule"])
        if row["capture"] in found:
            found[row["capture"]].expect.append(row)
        else:
            stray.append(f"{row['capture']}: there is no such capture")
    return found, stray


def rule_id(rule):
    """SPR-1 is SPR-01."""
    family, _, number = rule.partition("-")
    return f"{family}-{int(number):02}" if number.isdigit() else rule


def detectors():
    lines = mintest.run("--list-detectors")[1].splitlines()
    return {line.split("\t")[1] for line in lines[1:]}


def can_decrypt():
    return "--keylog" in mintest.run("--help")[1]


# Runs: of each only once

class Runs:
    def __init__(self):
        self.known = {}

    @staticmethod
    def args(captures):
        """The captures and, where there are any, their key logs as one file, which is left open."""
        logs = [c.keylog for c in captures if c.keylog]
        if not logs:
            return [c.path for c in captures], None
        one = tempfile.NamedTemporaryFile(suffix=".keylog")
        for log in logs:
            with open(log, "rb") as f:
                one.write(f.read())
        one.flush()
        return ["--keylog", one.name, *(c.path for c in captures)], one

    def records(self, *captures):
        key = tuple(c.name for c in captures)
        if key not in self.known:
            args, _held = self.args(captures)
            self.known[key] = mintest.records(*args)
        return self.known[key]

    def warm_up(self, sets):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda s: self.records(*s), sets))


# Findings

def told(f):
    subject = f.get("mintmark.subject") or f.get("mintmark.credential", {}).get("service")
    return (f"{f['mintmark.band']} {f['mintmark.score']} {f['rule.name']} {f['mintmark.fingerprint']} {subject} "
            f"from {f['source.ip']} {' '.join(e['id'] for e in f['mintmark.evidence'])} "
            f"{' '.join(f['mintmark.packets'][:1])}")


def serious(findings):
    return [f for f in findings if mintest.at_least(f, "medium")]


def about_token(f):
    return "mintmark.credential" in f


def touched(f):
    """The tokens that a finding is rooted in or led to, and those it saw used."""
    found = {u.get(k) for u in f.get("mintmark.lineage", []) for k in ("shown", "obtained")} - {None}
    return found | ({f["mintmark.fingerprint"]} if about_token(f) else set())


def comes_from(f, place):
    """place: an address, a network, or "-"."""
    try:
        return ipaddress.ip_address(f["source.ip"]) in ipaddress.ip_network(place)
    except ValueError:
        return False


def names(f, row):
    return row["client_id"] != "-" and row["client_id"] in f.get("mintmark.subject", "")


def answers(f, row):
    """Whether a finding is about what this line of expect.tsv speaks of."""
    if row["token"] in touched(f):
        return True
    if row["token"] != "-" and row["rule"].startswith(("JWT-", "LED-")):
        return False
    if any(row["from"] + "," in e["what"] for e in f["mintmark.evidence"]):
        return not about_token(f)
    where = {u.get("client") for u in f.get("mintmark.lineage", [])} | {f["source.ip"]}
    return not about_token(f) and (names(f, row) or row["from"] in where or comes_from(f, row["from"]))


def dishonest(capture):
    """Tokens that are forged or abused, whoever else also uses them honestly."""
    return capture.tokens("forged", "abused") | {r["token"] for r in capture.expect} - {"-"}


def on_honest(findings, capture):
    """Findings of medium or above that nothing forged or abused explains."""
    bad = dishonest(capture)
    return ["on an honest token: " + told(f) if about_token(f) else "about somebody honest: " + told(f)
            for f in serious(findings)
            if not (f["mintmark.fingerprint"] in bad if about_token(f) else
                    bad & touched(f) or any(answers(f, r) for r in capture.expect))]


# Cases

def split(rows, have):
    """The lines whose detector there is, and the rules of the others."""
    run = [r for r in rows if DETECTED_BY.get(r["rule"], r["rule"]) in have]
    return run, [r["rule"] for r in rows if r not in run]


def found(tap, c, findings, have, counts):
    run, missing = split(c.expect, have)
    counts["absent"] += missing
    hidden = [r for r in run if (c.scenario, c.transport, r["rule"], r["what"]) in OUT_OF_SIGHT]
    run = [r for r in run if r not in hidden]
    bad = []
    for r in run:
        about = [f for f in findings if answers(f, r)]
        best = max(about, key=lambda f: f["mintmark.score"], default=None)
        counts["run"] += 1
        counts["rule"] += any(f["rule.id"] == DETECTED_BY.get(r["rule"], r["rule"]) for f in serious(about))
        counts["level"] += best is not None and mintest.at_least(best, r["level"])
        if best is None or not mintest.at_least(best, "medium"):
            bad.append(f"{r['rule']} {r['token']} from {r['from']}: {r['what']}: {told(best) if best else 'no finding'}")
    if run:
        tap.result(f"{c.name} after the day: {len(run)} forgeries and abuses are medium or above", bad)
    for r in hidden:
        counts["hidden"].append(f"{c.name} {r['rule']} {r['what']}: "
                                f"{OUT_OF_SIGHT[c.scenario, c.transport, r['rule'], r['what']]}")


def attack(tap, day, c, runs, have, counts):
    findings = runs.records(day, c)[1]
    found(tap, c, findings, have, counts)
    tap.result(f"{c.name} after the day: nothing honest is medium or above", on_honest(findings, c))
    tap.result(f"{c.name} alone: nothing honest is medium or above", on_honest(runs.records(c)[1], c))


def signer(kid, *captures):
    """The issuer whose honest tokens are signed by this key, and have been in one of these captures."""
    found = {r["issuer"] for c in captures for r in c.truth if r["kid"] == kid and r["status"] == "honest"
             and r["role"] == "issued"}
    return found.pop() if len(found) == 1 else None


def storm(tap, day, c, runs):
    """The first request with a token of the wrong issuer's key that a server took."""
    events, findings = runs.records(day, c)
    row = min((r for r in c.truth if r["status"] == "forged" and r["verdict"] == "accepted" and
               any(e["rule"] == "JWT-01" and e["token"] == r["token"] for e in c.expect)), key=lambda r: float(r["time"]))
    real = signer(row["kid"], day, c)
    f = next((f for f in findings if f["mintmark.fingerprint"] == row["token"] and about_token(f)), None)
    name = f"{c.name} after the day"
    if f is None:
        tap.result(f"{name}: a finding about the first use", [f"none on {row['token']}"])
        return
    uses = [e for e in events if row["token"] in [x["fingerprint"] for x in e.get("mintmark.credentials", [])]]
    tap.result(f"{name}: the first use is critical",
               ([] if f["mintmark.band"] == "critical" else [told(f)]) +
               ([] if uses and f["mintmark.lineage"][0]["packet"] == uses[0]["mintmark.request.packet"]
                else [f"begins with {f['mintmark.lineage'][:1]}"]))
    args, _held = Runs.args((day, c))
    text = re.sub(r"\s+", " ", mintest.run("-q", *args)[1])
    part = text[text.find(f"Fingerprint {row['token']}"):].partition(" Summary ")[0]
    part = part[:part.find("What else could explain it")]
    why = " ".join(e["what"] for e in f["mintmark.evidence"])
    want = [row["issuer"], real or "the key's own issuer", row["kid"], "the server accepted it"]
    tap.result(f"{name}: it names both issuers, the key, and that it was accepted",
               [f"not in the text: {w}" for w in want if w not in part] +
               [f"not in the evidence: {w}" for w in want if w not in why] +
               ([] if real != row["issuer"] else ["the truth knows one issuer only"]))
    derived = {r["token"] for r in c.truth if r["role"] == "issued" and r["from"] == row["from"]} | \
        {e["token"] for e in c.expect if e["rule"] == "LED-07"}
    shown = [e for e in events if any(x["role"] == "presented" and x["fingerprint"] in derived
                                      for x in e.get("mintmark.credentials", []))]
    tap.result(f"{name}: what was derived from it is tainted and in its finding",
               ([] if derived and shown else [f"derived: {derived}, shown {len(shown)} times"]) +
               [f"{t} is not in it" for t in derived - touched(f)] +
               [f"{e['event.id']} is not tainted" for e in shown if "tainted" not in e.get("mintmark.flags", [])])


def never_issued(tap, day, c, runs):
    """Made with the right key: the ledger alone finds it, where it sees the issuer; else it says that it does not."""
    events, findings = runs.records(day, c)
    forged = {r["token"]: r["issuer"] for r in c.truth if r["status"] == "forged"}
    missed = [f"{t}: no finding by JWT-06 of medium or above" for t in forged
              if not any(f["rule.id"] == "JWT-06" and f["mintmark.fingerprint"] == t for f in serious(findings))]
    tap.result(f"{c.name} after the day: found by token-orphan", missed)
    (issuer,) = set(forged.values())
    host = issuer.partition("://")[2].partition("/")[0]
    at = {e["destination.ip"] for e in events if e.get("url.domain", "").partition(":")[0] == host}
    args, _held = Runs.args((day, c))
    blind = ["-f", "not (" + " or ".join(f"host {a}" for a in sorted(at)) + ")", *args]
    findings = mintest.records(*blind)[1]
    text = re.sub(r"\s+", " ", mintest.run("-q", *blind)[1])
    unseen = text.partition("What it could not see")[2]
    tap.result(f"{c.name}, its issuer's leg out of sight: nothing is scored for want of an issuance",
               [told(f) for f in findings for e in f["mintmark.evidence"]
                if f.get("mintmark.credential", {}).get("issuer") == issuer and e["id"] == "never-issued" and e["weight"] > 0] +
               [told(f) for f in serious(findings) if f["mintmark.fingerprint"] in forged] +
               ([] if at else [f"{host} is nowhere"]))
    tap.result(f"{c.name}, its issuer's leg out of sight: the summary says so",
               [] if re.search(re.escape(issuer) + r": never seen to issue", unseen) else [f"it says: {unseen}"])
    tap.result(f"{c.name}, its issuer's leg out of sight: nothing is medium or above", [told(f) for f in serious(findings)])


# What a token's maker did to its signature, by the rule that the books name it for: forged with another key or none, or made
# with the issuer's own.
INVALID = {"JWT-01", "JWT-02", "JWT-03"}
VALID = {"JWT-06", "JWT-07", "JWT-08", "JWT-09", "JWT-10", "JWT-11", "JWT-13"}


def signatures(tap, day, c, runs):
    """Whether each JWT that was shown is signed by its issuer, as the books have it."""
    rules, told, bad = {}, {}, []
    for r in c.expect:
        rules.setdefault(r["token"], set()).add(r["rule"])
    for e in runs.records(day, c)[0]:
        shown = [x["fingerprint"] for x in e.get("mintmark.credentials", []) if x["role"] == "presented"]
        if "mintmark.jwt.signature" in e:
            told.setdefault(shown[0], set()).add(e["mintmark.jwt.signature"])
    honest = c.tokens("honest") - set(rules)
    # A key that nobody published cannot be known; and a key as JSON has more than one text.
    unsure = {r["token"] for r in c.expect if any(w in r["what"] for w in ("jku", "x5u", "(JWK)"))}
    for fp, said in told.items():
        forged = rules.get(fp, set())
        want = {"invalid"} if forged & INVALID else {"valid"} if forged & VALID else {"valid", "unknown"} if fp in honest else said
        want |= {"unknown"} if fp in unsure else set()
        bad += [f"{fp} {sorted(forged)}: {sorted(said)}"] * (not said <= want)
    sure = [fp for fp in honest & set(told) if told[fp] == {"valid"}]
    tap.result(f"{c.name} after the day: signatures of {len(told)} JWTs are what the books say", bad)
    tap.result(f"{c.name} after the day: nearly all honest ones are known to be valid",
               [] if len(sure) >= 0.9 * len(honest & set(told)) else [f"{len(sure)} of {len(honest & set(told))}"])


def transport(tap, captures, runs, have, counts):
    day = next((c for c in captures if c.scenario == DAY), None)
    if day is None: # secrets inside: the same as with a key log, of a run of its own
        print(f"# {captures[0].name}: no day to learn from")
        for c in captures:
            _events, findings = runs.records(c)
            tap.result(f"{c.name} alone: a critical finding, nothing honest",
                       ([] if any(f["mintmark.band"] == "critical" for f in findings) else ["none is critical"]) +
                       on_honest(findings, c))
        return
    attacks = [c for c in captures if c is not day]
    runs.warm_up([(day,)] + [s for c in attacks for s in ((day, c), (c,))])
    tap.result(f"{day.name} alone: nothing is medium or above", [told(f) for f in serious(runs.records(day)[1])])
    for c in attacks:
        attack(tap, day, c, runs, have, counts)
        signatures(tap, day, c, runs)
        if c.scenario == STORM:
            storm(tap, day, c, runs)
        if c.scenario == NEVER:
            never_issued(tap, day, c, runs)


def main():
    tap = mintest.Tap()
    all_found, stray = load()
    tap.result("every expectation has its capture, every attack its expectation", stray +
               [f"{c.name} expects nothing" for c in all_found.values() if c.scenario != DAY and not c.expect])
    have, decrypt, runs = detectors(), can_decrypt(), Runs()
    counts = {"run": 0, "rule": 0, "level": 0, "absent": [], "hidden": []}
    for world, t in sorted({(c.world, c.transport) for c in all_found.values()}):
        captures = [c for c in all_found.values() if (c.world, c.transport) == (world, t)]
        if t != CLEAR and not decrypt:
            tap.skip(f"{len(captures)} captures in {t}", "mintmark has no --keylog")
            continue
        transport(tap, captures, runs, have, counts)
    print(f"# {counts['run']} expectations were run: {counts['rule']} found by the rule they name, {counts['level']} at "
          f"the level they name or above")
    for rule in sorted(set(counts["absent"])):
        print(f"# not run: {counts['absent'].count(rule)} of {rule}, for which there is no detector")
    for line in counts["hidden"]:
        print(f"# not run: {line}")
    tap.plan()


main()
