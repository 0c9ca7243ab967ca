"""Prometheus' text exposition format 0.0.4, read by its rules and nothing of mintmark's:
https://prometheus.io/docs/instrumenting/exposition_formats/ and, for the names, .../practices/naming/."""
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
VALUE = re.compile(r"[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|Inf|NaN)")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Broken(Exception):
    pass


def labels(text):
    """{a="b",c="d"} at the front of text: the labels, and what follows."""
    found, at = {}, 1
    while text[at:at + 1] != "}":
        m = LABEL.match(text, at)
        if m is None or m.group().startswith("__") or text[m.end():m.end() + 2] != '="':
            raise Broken(f"label: {text[at:]}")
        value, at = "", m.end() + 2
        while text[at:at + 1] != '"':
            step = 2 if text[at:at + 1] == "\\" else 1
            part = text[at:at + step]
            if part == "" or (step == 2 and part not in ESCAPES):
                raise Broken(f"escape: {text}")
            value, at = value + ESCAPES.get(part, part), at + step
        if m.group() in found:
            raise Broken(f"label twice: {text}")
        found[m.group()] = value
        at += 1
        if text[at:at + 1] == ",":
            at += 1
        elif text[at:at + 1] != "}":
            raise Broken(f"labels: {text}")
    return found, text[at + 1:]


def sample(line):
    """Name, labels and value."""
    m = NAME.match(line)
    if m is None:
        raise Broken(f"name: {line}")
    rest, found = line[m.end():], {}
    if rest.startswith("{"):
        found, rest = labels(rest)
    if VALUE.fullmatch(rest.strip(" ")) is None or not rest.startswith(" "):
        raise Broken(f"value: {line}")
    return m.group(), found, float(rest)


class Exposition:
    """All samples, [(name, labels, value)], and what is wrong with them."""

    def __init__(self, raw):
        self.samples, self.complaints, self.types, self.helps = [], [], {}, {}
        closed, last = set(), None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as e:
            self.complaints.append(str(e))
            return
        if not text.endswith("\n"):
            self.complaints.append("the last line does not end")
        for n, line in enumerate(text.split("\n")[:-1], 1):
            try:
                name = self.comment(line) if line.startswith("#") else self.value(line)
            except Broken as e:
                self.complaints.append(f"line {n}: {e}")
                continue
            if name != last and name in closed:
                self.complaints.append(f"line {n}: {name} is not in one piece")
            closed.add(name)
            last = name

    def comment(self, line):
        m = re.fullmatch(r"# (HELP|TYPE) (\S+) (.*)", line)
        if m is None or NAME.fullmatch(m.group(2)) is None:
            raise Broken(f"comment: {line}")
        kind, name, rest = m.groups()
        table = self.helps if kind == "HELP" else self.types
        if name in table:
            raise Broken(f"{kind} twice: {name}")
        if kind == "TYPE" and rest not in TYPES:
            raise Broken(f"type: {line}")
        if kind == "HELP" and re.search(r"\\(?![\\n])", rest):
            raise Broken(f"escape: {line}")
        if any(s[0] == name for s in self.samples):
            raise Broken(f"{kind} behind its samples: {name}")
        table[name] = rest
        return name

    def value(self, line):
        name, found, value = sample(line)
        if any(s[0] == name and s[1] == found for s in self.samples):
            raise Broken(f"sample twice: {line}")
        if name not in self.types or not self.helps.get(name):
            raise Broken(f"no type or no help: {name}")
        counter = self.types[name] == "counter"
        if counter != name.endswith("_total"):
            raise Broken(f"_total is for counters, and for each of them: {name}")
        if counter and not value >= 0:
            raise Broken(f"a counter below 0: {line}")
        self.samples.append((name, found, value))
        return name

    def get(self, name, **wanted):
        """The one value, or the sum of those with these labels; None for none."""
        found = [v for n, labels_, v in self.samples if n == name and wanted.items() <= labels_.items()]
        return sum(found) if found else None
