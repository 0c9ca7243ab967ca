#!/usr/bin/env python3
# The configuration file: what is read, what is told of a wrong one and at which line, who wins, and that the example
# and what --dump-config prints are such files.
import os
import re
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
import mintest

NAME = "test.conf"
EXAMPLE = os.path.join(mintest.TREE, "docs/mintmark.conf.example")

R = re.compile  # where libyaml words it

# What is told of a file, line by line, without its name.
WRONG = [
    ("an unknown section", "flow:\n  max: 100\nflwo:\n  max: 100\n",
     [":3: flwo: no such section; did you mean flow?"]),
    ("an unknown section like no other", "# comment\nzzzzzzzz:\n  max: 100\n", [":2: zzzzzzzz: no such section"]),
    ("an unknown key", "\n\nflow:\n  maxx: 100\n", [":4: flow.maxx: no such option; did you mean flow.max?"]),
    ("a key of another section", "flow:\n  rows: 100\n",
     [":2: flow.rows: no such option; did you mean ledger.rows?"]),
    ("an unknown key like no other", "flow:\n  abcdefghij: 1\n", [":2: flow.abcdefghij: no such option"]),
    ("a key with its section before it", "flow.max: 100\n",
     [':1: flow.max: write it as a mapping, "flow: { max: ... }"']),
    ("a value that is no number", "flow: { max: many }\n",
     [':1: flow.max: "many" is no count from 16 to 1000000000']),
    ("a value on a line of its own", "flow:\n  max:\n    many\n",
     [':3: flow.max: "many" is no count from 16 to 1000000000']),
    ("a value out of range", "flow:\n  max: 100\n  udp_timeout: 2d\n",
     [':3: flow.udp_timeout: "2d" is no time (s, m, h, d) in seconds from 1 to 86400']),
    ("an unknown unit", "flow:\n  buffer: 1T\n",
     [':2: flow.buffer: "1T" is no size (K, M, G) from 4096 to 1099511627776']),
    ("a fraction", "flow:\n  udp_timeout: 1.5\n",
     [':2: flow.udp_timeout: "1.5" is no time (s, m, h, d) in seconds from 1 to 86400']),
    ("an unknown word", "output:\n  min_band: severe\n  events: perhaps\n",
     [':2: output.min_band: "severe" is no band (low, medium, high, critical)',
      ':3: output.events: "perhaps" is no yes or no']),
    ("a key twice", "flow:\n  max: 100\n  buffer: 1M\n  max: 200\n",
     [":4: flow.max: given twice, first in line 2"]),
    ("a section twice", "flow:\n  max: 100\nledger:\n  rows: 100\nflow:\n  buffer: 1M\n",
     [":5: flow: given twice, first in line 1"]),
    ("no value", "flow:\n  max:\n  buffer: ~\ncapture:\n  filter: null\n",
     [":2: flow.max: no value", ":3: flow.buffer: no value", ":5: capture.filter: no value"]),
    ("a list for a value", "flow:\n  max: [1, 2]\n", [":2: flow.max: a list, where one value is wanted"]),
    ("a mapping for a value", "flow:\n  max:\n    a: 1\n", [":3: flow.max: a mapping, where one value is wanted"]),
    ("a word for a section", "flow: 5\n", [":1: flow: not a mapping of keys to values"]),
    ("a list for a section", "flow:\n  - max: 5\n", [":2: flow: not a mapping of keys to values"]),
    ("a list for all", "- flow\n", [":1: not a mapping of sections"]),
    ("a word for all", "flow\n", [":1: not a mapping of sections"]),
    ("a list for a key", "flow:\n  [a, b]: 1\n  max: 5\n",
     [":2: a key must be a word", ':3: flow.max: "5" is no count from 16 to 1000000000']),
    ("several errors", "a: 1\nflow: { max: 1, maxx: 2 }\noutput:\n  events: ja\n",
     [":1: a: no such section", ':2: flow.max: "1" is no count from 16 to 1000000000',
      ":2: flow.maxx: no such option; did you mean flow.max?", ':4: output.events: "ja" is no yes or no']),
    ("too many errors", "flow:\n" + "  a: 1\n" * 50,
     [f":{n}: flow.a: no such option" for n in range(2, 22)] + [": too many errors, the rest is not looked at"]),
    ("an anchor", "flow: &all\n  max: 100\n", [":1: flow: an anchor (&): anchors are not taken"]),
    ("an anchor at a value", "flow:\n  max: &n 100\n", [":2: flow.max: an anchor (&): anchors are not taken"]),
    ("an alias", "flow:\n  max: *n\n", [":2: flow.max: an alias (*): aliases are not taken"]),
    ("a tag", "flow:\n  max: !!int 100\n", [":2: flow.max: a tag (!): tags are not taken"]),
    ("a merge", "flow:\n  <<: { max: 100 }\n", [":2: flow.<<: no such option"]),
    ("aliases to aliases", "a: &a [x]\n" + "".join(
        f"{c}: &{c} [{', '.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi")),
     [f":{n}: {c}: no such section" for n, c in enumerate("abcdefghi", 1)]),
    ("two documents", "flow:\n  max: 100\n---\nflow:\n  max: 200\n", [":3: a second document"]),
    ("a tab", "flow:\n\tmax: 100\n", [":2: a tab: YAML is indented by spaces"]),
    ("a tab behind blanks", "flow:\n  max: 100\n \tbuffer: 1M\n", [R(":3: .*")]),
    ("a quote that does not end", 'flow:\n  max: "100\nledger:\n  rows: 5\n', [R(r":\d: found unexpected end of stream.*")]),
    ("a brace that does not end", "flow: {\n  max: 100\n\n", [R(r":\d: .*")]),
    ("a key without a colon", "flow:\n  max: 100\n  buffer\nledger:\n", [R(":4: could not find expected ':'.*")]),
    ("wrong indentation", "flow:\n  max: 100\n buffer: 1M\n", [R(":3: did not find expected key.*")]),
    ("Windows' line ends", "flow:\r\n  max: 100\r\n  maxx: 1\r\n",
     [":3: flow.maxx: no such option; did you mean flow.max?"]),
    ("a NUL byte", b"flow:\n  max: 1\x0000\n", [R(r":2: control characters are not allowed \(byte 0x00\)")]),
    ("a NUL escape", 'flow:\n  max: "100\\0"\n', [":2: flow.max: holds a NUL character"]),
    ("a control character", b"flow:\n  max: 1\x1b[2J\n", [R(r":2: control characters are not allowed \(byte 0x1b\)")]),
    ("a control character, escaped", 'flow:\n  max: "\\e[2J"\n  "\\e[2J": 1\n',
     [':2: flow.max: "?[2J" is no count from 16 to 1000000000', ":3: flow.?[2J: no such option"]),
    ("Latin-1", b"flow:\n  max: 100\ncapture:\n  filter: \"\xe4\"\n", [R(r":4: invalid (leading|trailing) UTF-8 octet.*")]),
    ("UTF-16", "flow:\n  max: 100\n".encode("utf-16"), [R(r":1: invalid leading UTF-8 octet \(byte 0xff\)")]),
    ("lists in lists", "flow:\n  max: " + "[" * 100000 + "\n", [R(":2: flow.max: a list.*"), ":2: nested too deep"]),
    ("mappings in mappings", "x:\n" + "".join(" " * n + "x:\n" for n in range(1, 1000)),
     [":1: x: no such section", ":10: nested too deep"]),
    ("10 MB of keys", "flow:\n" + "  a: 1\n" * 1500000, [": longer than 1048576 bytes"]),
    ("a byte more than 1 MiB", "#" * 1048576 + "\n", [": longer than 1048576 bytes"]),
    ("nothing", "", [": empty"]),
    ("a long key", "flow:\n  " + "a" * 1000 + ": 1\n", [":2: flow." + "a" * 63 + ": no such option"]),
    ("a long value", "flow:\n  max: " + "9" * 1000 + "\n",
     [':2: flow.max: "' + "9" * 60 + '..." is no count from 16 to 1000000000']),
]

RIGHT = [
    ("comments only", "# nothing\n", {}),
    ("an empty document", "---\n", {}),
    ("sections without keys", "flow:\nledger: {}\ncapture: # nothing\n", {}),
    ("a file for YAML 1.1", "%YAML 1.1\n---\nflow:\n  max: 100\n...\n", {"max": "100"}),
    ("a byte order mark", b"\xef\xbb\xbfflow:\n  max: 100\n", {"max": "100"}),
    ("no newline at the end", "flow: {max: 100}", {"max": "100"}),
    ("units", "flow:\n  buffer: 8388608\n  udp_timeout: 120s\n  gap_patience: 0\n",
     {"buffer": "8M", "udp_timeout": "2m", "gap_patience": "0"}),
    ("quoted values", "flow:\n  'max': '100'\n  \"buffer\": \"8M\"\n", {"max": "100", "buffer": "8M"}),
    ("words", "output:\n  events: off\n  min_band: critical\n", {"events": "no", "min_band": "critical"}),
    ("a time", "ledger:\n  complete_since: 2026-01-31T12:00:00Z\n", {"complete_since": "2026-01-31T12:00:00Z"}),
    ("a text of two lines", "capture:\n  filter: >-\n    port 88\n    or port 445\n",
     {"filter": '"port 88 or port 445"'}),
    ("1 MiB", "#" * 1048575 + "\n", {}),
]


def write(content, name=NAME):
    with open(name, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    return name


def matches(want, got):
    return want == got if isinstance(want, str) else want.fullmatch(got) is not None


def wrong_files(tap):
    for name, content, want in WRONG:
        write(content)
        status, out, err = mintest.run("-c", NAME, "--test-config")
        lines = [line.removeprefix(NAME) if line.startswith(NAME + ":") else "?" + line for line in err.splitlines()]
        bad = [f"exit status {status}, not 2"] * (status != 2) + ["something on standard output"] * (out != "")
        if len(lines) != len(want):
            bad.append(f"{len(lines)} lines, not {len(want)}: {lines}")
        bad += [f"{got}, not {w}" for w, got in zip(want, lines) if not matches(w, got)]
        tap.result(f"wrong: {name}", bad)


def dump(*args):
    """What --dump-config prints: its text, and the keys with their values."""
    status, out, err = mintest.run(*args, "--dump-config")
    if status != 0:
        return "", {"exit status": status, "err": err}
    return out, dict(re.findall(r"^  ([a-z_]+): (.*)$", out, re.M))


def right_files(tap):
    _, defaults = dump()
    for name, content, want in RIGHT:
        write(content)
        status, _, err = mintest.run("-c", NAME, "--test-config")
        _, got = dump("-c", NAME)
        tap.result(f"right: {name}", [f"exit status {status}: {err}"] * (status != 0) +
                   [f"{k}: {got.get(k)}" for k in {**defaults, **want, **got}
                    if got.get(k) != want.get(k, defaults.get(k))])


def unreadable(tap):
    os.mkdir("directory")
    for name, path, why in [("a missing file", "missing.conf", "No such file or directory"),
                            ("a directory", "directory", "Is a directory")]:
        status, _, err = mintest.run("-c", path, "--test-config")
        tap.result(name, [f"exit status {status}: {err}"] * (status != 1) + [err] * (f"{path}: {why}\n" not in err))


def who_wins(tap, capture):
    write("flow:\n  max: 100\n  buffer: 2M\noutput:\n  events: no\n")
    for order in (["-o", "flow.max=200", "-c", NAME], ["-c", NAME, "-o", "flow.max=200"]):
        _, got = dump(*order)
        tap.result(f"-o wins: {' '.join(order)}",
                   [str(got)] * ((got.get("max"), got.get("buffer"), got.get("events")) != ("200", "2M", "no")))
    status, out, err = mintest.run("-q", "--json", "-c", NAME, capture)
    plain = mintest.run("-q", "--json", capture)
    tap.result("a replay takes the options of -c", [err] * (status != 0) +
               ["events in spite of output.events: no"] * ('"event.kind":"event"' in out) +
               ["no events without it"] * ('"event.kind":"event"' not in plain[1]))
    write("flow:\n  max: 1\n")
    status, out, err = mintest.run("-c", NAME, capture)
    tap.result("a wrong file ends a run before it begins",
               [f"exit status {status}"] * (status != 2) + ["output"] * (out != "") +
               [err] * (err != NAME + ':2: flow.max: "1" is no count from 16 to 1000000000\n'))
    status, _, err = mintest.run("-c", NAME, "-c", NAME, capture)
    tap.result("-c is given once", [f"exit status {status}: {err}"] * (status != 2 or "twice" not in err))


def dumps(tap):
    text = 'a "quoted" \\ text:\n\twith # everything, ü, \x7f and \u2028 and \x85'
    out, _ = dump("-o", f"capture.filter={text}", "-o", "ledger.complete_since=2026-01-31T12:00:00Z")
    write(out)
    again, _ = dump("-c", NAME)
    tap.result("what is dumped is read back as the same", ["differs"] * (out != again or out == ""))
    try:
        import yaml
    except ImportError:
        tap.skip("another reader of YAML sees the same", "no python3-yaml")
        return
    got = yaml.safe_load(out)
    want = {}
    for row in mintest.run("--list-options")[1].splitlines()[1:]:
        name, _, default, *_ = row.split("\t")
        section, key = name.split(".")
        want.setdefault(section, {})[key] = default
    want["capture"]["filter"] = text
    bad = [f"{s}.{k}: {got.get(s, {}).get(k)!r}, not {v!r}" for s, keys in want.items() for k, v in keys.items()
           if k != "complete_since" and v != "-" and
           got.get(s, {}).get(k) not in (v, int(v) if v.isdigit() else v, {"yes": True, "no": False}.get(v, v))]
    tap.result("another reader of YAML sees the same", bad)


def example(tap):
    with open(EXAMPLE) as f:
        text = f.read()
    status, _, err = mintest.run("-c", EXAMPLE, "--test-config")
    tap.result("the example is right", [err] * (status != 0))
    defaults, _ = dump()
    body = defaults.split("\n", 1)[1]
    tap.result("the example has every option with its default",
               ["is not that of --dump-config"] * (not text.endswith("\n\n" + re.sub(r"(?m)^  ([a-z])", r"  #\1", body))))
    write(re.sub(r"(?m)^  #([a-z_]+:)", r"  \1", text))
    tap.result("its defaults are the defaults", ["differ"] * (dump("-c", NAME)[0] != defaults))


def main():
    tap = mintest.Tap()
    capture = next(p for n, p in mintest.captures().items() if mintest.stem(p) == "benign-hour")
    with tempfile.TemporaryDirectory() as tmp:
        os.chdir(tmp)
        wrong_files(tap)
        right_files(tap)
        unreadable(tap)
        who_wins(tap, capture)
        dumps(tap)
        example(tap)
        os.chdir("/")
    tap.plan()


main()
