#!/usr/bin/env python3
# The shipped captures against their ground truth: what was issued, what was forged, and what of it mintmark finds.
# Captures, MANIFEST.tsv and NAME.truth.tsv are explained in pcaps/README.md. MM_TEST_PCAPS names another directory.
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

WARMUP = "warmup"


class Capture:
    def __init__(self, path, manifest):
        self.path = path
        self.name = mintest.stem(path)
        self.expectation = manifest["expectation"]
        self.benign = self.expectation == "benign"
        self.description = manifest["description"]
        self.maker = manifest["maker"]
        self.truth = mintest.rows(os.path.join(os.path.dirname(path), self.name + ".truth.tsv"))

    def fingerprints(self, *statuses):
        return {r["fingerprint"] for r in self.truth if r["status"] in statuses}

    def lab(self):
        """Captures of another lab have its name before theirs."""
        return self.name.partition("-")[0] + "-" if self.name.startswith("alt-") else ""


def load():
    paths = mintest.captures()
    found = [Capture(paths[m["file"]], m)
             for m in mintest.rows(os.path.join(mintest.CAPTURES, "MANIFEST.tsv")) if m["file"] in paths]
    warmups = {c.lab(): c for c in found if c.name.endswith(WARMUP)}
    return [c for c in found if not c.name.endswith(WARMUP)], warmups


def serious(findings):
    return [f for f in findings if mintest.at_least(f, "medium")]


def on_honest(findings, *captures):
    """Findings of medium or above that are not rooted in a forged or modified ticket."""
    bad = set().union(*(c.fingerprints("forged", "modified") for c in captures))
    return [f"on an honest ticket: {mintest.brief(f)}" for f in serious(findings)
            if f["mintmark.fingerprint"] not in bad]


def not_found(findings, fingerprints, band):
    """Those of the fingerprints that have no finding of this band or above rooted in them."""
    best = {}
    for f in findings:
        fp = f["mintmark.fingerprint"]
        if fp not in best or f["mintmark.score"] > best[fp]["mintmark.score"]:
            best[fp] = f
    return [f"{fp} is not {band} or above: {mintest.brief(best[fp]) if fp in best else 'no finding'}"
            for fp in sorted(fingerprints) if fp not in best or not mintest.at_least(best[fp], band)]


# After the warm-up

def attack_after_warmup(tap, warmup, c):
    findings = mintest.records(warmup.path, c.path)[1]
    if c.fingerprints("forged"):
        tap.result(f"{c.name} after {warmup.name}: every forged ticket is high or above",
                   not_found(findings, c.fingerprints("forged"), "high"))
    if c.fingerprints("modified"):
        tap.result(f"{c.name} after {warmup.name}: every modified ticket is medium or above",
                   not_found(findings, c.fingerprints("modified"), "medium"))
    tap.result(f"{c.name} after {warmup.name}: nothing honest is medium or above",
               on_honest(findings, warmup, c))


def benign_after_warmup(tap, warmup, c):
    tap.result(f"{c.name} after {warmup.name}: nothing is medium or above",
               [mintest.brief(f) for f in serious(mintest.records(warmup.path, c.path)[1])])


def all_benign(tap, warmup, captures):
    """All of a lab in one run, each traffic once: not the forms that were made from another capture."""
    own = [c for c in captures if c.benign and c.lab() == warmup.lab() and
           re.search(r"\((.*)\)", c.maker).group(1) == c.name.removeprefix(c.lab())]
    findings = mintest.records(warmup.path, *(c.path for c in own))[1]
    tap.result(f"{', '.join(c.name for c in own)} after {warmup.name}: nothing is medium or above",
               [mintest.brief(f) for f in serious(findings)])


# Alone

def odd(c, row):
    """Whether a ticket differs outside its encryption, beyond length, from all honest ones for the same service in
    the same capture: in its key version or its encryption type."""
    same = [r for r in c.truth if r["status"] == "issued" and r["sname"] == row["sname"] and
            r["realm"] == row["realm"] and not r["note"].startswith("obtained with forged")]
    return bool(same) and (row["kvno"], row["etype"]) not in {(r["kvno"], r["etype"]) for r in same}


def bare_orphans(text):
    """Fingerprint -> reason, from the text's list of what was left unscored."""
    found, reason, inside = {}, "", False
    for line in text.splitlines():
        if re.match(r"\s*Bare orphans", line):
            inside = True
        elif inside and (m := re.match(r"\s*- ([0-9a-f]{32}) ", line)):
            found[m.group(1)] = reason
        elif inside and (m := re.match(r"\s*\d+ tickets? of (.*)", line)):
            reason = m.group(1).partition(": ")[2]
    return found


def alone(tap, c):
    findings = mintest.records(c.path)[1]
    if c.benign:
        tap.result(f"{c.name} alone: nothing is medium or above", [mintest.brief(f) for f in serious(findings)])
        return
    tap.result(f"{c.name} alone: nothing honest is medium or above", on_honest(findings, c))
    if c.fingerprints("modified"):
        tap.result(f"{c.name} alone: every modified ticket is medium or above",
                   not_found(findings, c.fingerprints("modified"), "medium"))
    forged = [r for r in c.truth if r["status"] == "forged"]
    plain = {r["fingerprint"] for r in forged if not odd(c, r)}
    strange = {r["fingerprint"] for r in forged} - plain
    if strange:
        tap.result(f"{c.name} alone: a forged ticket with another kvno or etype is medium or above",
                   not_found(findings, strange, "medium"))
    if plain:
        listed = bare_orphans(mintest.run("-q", c.path)[1])
        found = {f["mintmark.fingerprint"] for f in serious(findings)}
        tap.result(f"{c.name} alone: a forged ticket without is found, or listed as a bare orphan with a reason",
                   [f"{fp}: {not_found(findings, [fp], 'medium')}, not listed" for fp in plain - found
                    if not listed.get(fp)])


# Events

def credentials(events):
    """(fingerprint, issued or shown) -> [(event, credential)]"""
    found = {}
    for e in events:
        for c in e.get("mintmark.credentials", []):
            side = "issued" if c["role"] == "issued" else "shown"
            found.setdefault((c["fingerprint"], side), []).append((e, c))
    return found


def fields_of(row):
    return {"kind": row["kind"], "issuer": row["realm"], "service": row["sname"],
            "kvno": None if row["kvno"] == "-" else int(row["kvno"]), "etype": int(row["etype"]),
            "length": int(row["cipher_len"])}


def misread(row, seen):
    """What of this row no event tells."""
    want = fields_of(row)
    if not seen:
        return [f"{row['fingerprint']} {row['status']} {row['sname']}: no event"]
    got = [{k: c.get(k) for k in want} for _, c in seen]
    return [] if want in got else [f"{row['fingerprint']} {row['status']}: truth {want}, mintmark {got[0]}"]


def issued_to(row, seen):
    """To whom it was issued: the name, where the wire does not hide it, and the address."""
    for e, c in seen:
        if e["source.ip"] == row["client_ip"] and c.get("principal", row["cname"]) == row["cname"]:
            return []
    return [f"{row['fingerprint']} issued to {row['cname']} at {row['client_ip']}: mintmark "
            f"{seen[0][1].get('principal')} at {seen[0][0]['source.ip']}"] if seen else []


def outcomes(c, seen):
    """The manifest says whether its forged tickets were accepted or refused."""
    bad = []
    for row in c.truth:
        if row["status"] not in ("forged", "modified"):
            continue
        shown = [e for e, cred in seen.get((row["fingerprint"], "shown"), [])
                 if cred.get("service") == row["sname"] and cred["role"] == "presented"]
        accepted = any(e["event.outcome"] == "success" for e in shown)
        failed = any(e["event.outcome"] == "failure" for e in shown)
        if "accepted" in c.description and not accepted:
            bad.append(f"{row['fingerprint']} was accepted: {[e['event.outcome'] for e in shown]}")
        if "refused" in c.description and (accepted or not failed):
            bad.append(f"{row['fingerprint']} was refused: {[e['event.outcome'] for e in shown]}")
    return bad


def events(tap, c):
    seen = credentials(mintest.records(c.path)[0])
    issued = [r for r in c.truth if r["status"] == "issued"]
    shown = [r for r in c.truth if r["status"] != "issued"]
    bad = [line for r in issued for line in misread(r, seen.get((r["fingerprint"], "issued"), []))]
    bad += [line for r in issued for line in issued_to(r, seen.get((r["fingerprint"], "issued"), []))]
    known = {r["fingerprint"] for r in c.truth}
    bad += [f"{fp} is in no truth" for fp, _ in seen if fp not in known]
    tap.result(f"{c.name}: {len(issued)} tickets issued, each in an event", bad)
    if shown:
        tap.result(f"{c.name}: {len(shown)} tickets only shown, each in an event",
                   [line for r in shown for line in misread(r, seen.get((r["fingerprint"], "shown"), []))] +
                   [f"{r['fingerprint']} was not issued here" for r in shown
                    if r["status"] in ("forged", "earlier") and (r["fingerprint"], "issued") in seen])
    if not c.benign:
        tap.result(f"{c.name}: accepted or refused, as it was", outcomes(c, seen))


def main():
    tap = mintest.Tap()
    captures, warmups = load()
    for c in captures:
        events(tap, c)
        alone(tap, c)
        warmup = warmups.get(c.lab())
        if warmup is None:
            tap.result(f"{c.name}: has a warm-up", ["there is none"])
        elif c.benign:
            benign_after_warmup(tap, warmup, c)
        else:
            attack_after_warmup(tap, warmup, c)
    for warmup in warmups.values():
        events(tap, warmup)
        all_benign(tap, warmup, captures)
    tap.result("forged, modified and benign captures were read",
               [what for what in ("forged", "modified", "benign")
                if not any(c.expectation.startswith(what) for c in captures)])
    tap.result("each manifest counts its forged and modified tickets",
               [f"{c.name}: {c.expectation}" for c in captures for what in ("forged", "modified")
                if c.expectation.startswith(what) and
                int(c.expectation.partition(":")[2]) != len(c.fingerprints(what))])
    tap.plan()


main()
