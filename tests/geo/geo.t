#!/usr/bin/env python3
# Where addresses are: databases made here, as the operator's, over shipped captures. What the events and the findings say
# is held against what was put into them.
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest
import mmdb

OFFICE, EVIL, HOME = "203.0.113.9", "198.18.", "198.51.100."
LULEA, SYDNEY, KIRUNA = (65.5848, 22.1547), (-33.8688, 151.2093), (67.8558, 20.2253)


def place(country, city, at, radius):
    return {"country": {"iso_code": country}, "city": {"names": {"en": city, "de": "?"}},
            "location": {"latitude": at[0], "longitude": at[1], "accuracy_radius": radius}}


def databases(tmp):
    places, systems = os.path.join(tmp, "places.mmdb"), os.path.join(tmp, "systems.mmdb")
    mmdb.write(places, "Test-City", {
        "203.0.113.0/24": place("SE", "Luleå", LULEA, 5),
        "198.51.100.0/24": place("SE", "Luleå", LULEA, 50),
        "198.18.0.0/15": place("AU", "Sydney", SYDNEY, 20),
        "2001:db8::/32": place("SE", "Kiruna", KIRUNA, 20),
    })
    mmdb.write(systems, "Test-ASN", {
        "198.18.0.0/15": {"autonomous_system_number": 4200000001, "autonomous_system_organization": "Rent \"a\" Box"},
        "203.0.113.0/24": {"autonomous_system_number": (mmdb.UINT32, 64500), "autonomous_system_organization": "Office"},
    })
    return places, systems


def check_events(tap, args, path):
    with_, without = mintest.records(*args, path)[0], mintest.records(path)[0]
    bad = []
    for e in with_:
        who = "client" if "client.ip" in e else "source"
        addr = e[who + ".ip"]
        told = {k.removeprefix(who + "."): v for k, v in e.items() if ".geo." in k or ".as." in k}
        want = {}
        if addr.startswith("203.0.113.") or addr.startswith(HOME):
            want = {"geo.country_iso_code": "SE", "geo.city_name": "Luleå",
                    "geo.location": {"lat": LULEA[0], "lon": LULEA[1]}}
        if addr.startswith("203.0.113."):
            want |= {"as.number": 64500, "as.organization.name": "Office"}
        if addr.startswith(EVIL):
            want = {"geo.country_iso_code": "AU", "geo.city_name": "Sydney",
                    "geo.location": {"lat": SYDNEY[0], "lon": SYDNEY[1]},
                    "as.number": 4200000001, "as.organization.name": "Rent \"a\" Box"}
        if told != want:
            bad.append(f"{addr}: {told}, not {want}")
    seen = {e["source.ip"][:7] for e in with_}
    tap.result("events name places and systems of the databases", bad + ([] if len(seen) > 2 else [f"few addresses: {seen}"]))
    tap.result("and keep their ids without them", [f"{a['event.id']} {b['event.id']}" for a, b in zip(with_, without)
                                                   if a["event.id"] != b["event.id"]])


def check_travel(tap, args, path):
    truth = mintest.rows(path.partition(".pcap")[0] + ".truth.tsv")
    victims = {r["subject"] for r in truth if r["status"] == "abused" and r["from"].startswith(EVIL)}
    found = [f for f in mintest.records(*args, path)[1] if f["rule.name"] == "impossible-travel"]
    tap.result("a token shown from both ends of the world: impossible-travel says so, of its user alone",
               ([] if found else ["no finding"]) +
               [f"of {f['user.name']}" for f in found if f["user.name"] not in victims] +
               [f["mintmark.evidence"][0]["what"] for f in found
                if "Sydney, AU" not in f["mintmark.evidence"][0]["what"] or "SE" not in f["mintmark.evidence"][0]["what"]])
    tap.result("without databases nothing is said of places",
               [f["rule.name"] for f in mintest.records(path)[1] if f["rule.name"] == "impossible-travel"])


def check_restart(tap, args, tmp, day, path):
    """Two runs that share a state, against one over both: who was where, and how usual ways are, is in the snapshot."""
    def told(findings):
        return [(f["user.name"], f["mintmark.score"], [e["what"] for e in f["mintmark.evidence"]])
                for f in findings if f["rule.name"] == "impossible-travel"]
    state = os.path.join(tmp, "state")
    both = told(mintest.records(*args, day, path)[1])
    mintest.records(*args, "--state", state, day)
    again = told(mintest.records(*args, "--state", state, path)[1])
    cold = told(mintest.records(*args, path)[1])
    tap.result("a restart forgets nobody's way", [f"{again}, not {both}"] * (again != both))
    tap.result("and what was learnt before it counts", ["no finding"] * (not both) + ["the same without it"] * (cold == both))


def check_errors(tap, tmp, path):
    bad = os.path.join(tmp, "bad.mmdb")
    with open(bad, "wb") as f:
        f.write(b"\0" * 4096)
    for name, what in ((os.path.join(tmp, "none.mmdb"), "missing"), (bad, "no database")):
        status, _out, err = mintest.run("-q", "-o", f"geo.places={name}", path)
        tap.result(f"a file that is {what}: one line, named, status 1",
                   [] if status == 1 and name in err and err.count("\n") == 1 else [f"{status}: {err}"])


def main():
    tap = mintest.Tap()
    web = os.path.join(mintest.CAPTURES, "web")
    path = os.path.join(web, "replay-elsewhere.http1.pcap.zst")
    with tempfile.TemporaryDirectory() as tmp:
        places, systems = databases(tmp)
        args = ["-o", f"geo.places={places}", "-o", f"geo.systems={systems}"]
        check_events(tap, args, path)
        check_travel(tap, args, path)
        check_restart(tap, args, tmp, os.path.join(web, "web-day.http1.pcap.zst"), path)
        check_errors(tap, tmp, path)
    tap.plan()


main()
