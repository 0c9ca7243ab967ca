"""Databases in MaxMind's format (MaxMind DB File Format Specification 2.0), made by hand: records of 24 bits, IPv6 tree.

write(path, kind, {"203.0.113.0/24": {...}}): values are dicts, lists, str, float (double) and int, which is
uint16 or uint32, or another where it is a pair (type, int)."""
import ipaddress
import struct

MARK = b"\xab\xcd\xefMaxMind.com"
SEPARATOR = bytes(16)
STRING, DOUBLE, UINT16, UINT32, MAP, UINT64, ARRAY = 2, 3, 5, 6, 7, 9, 11


def control(kind, size):
    """A control byte, and what follows it for long values; types above 7 take another byte."""
    head = [0 if kind > 7 else kind << 5]
    more = [kind - 7] if kind > 7 else []
    if size >= 29:
        assert size < 29 + 256
        return bytes([head[0] | 29] + more + [size - 29])
    return bytes([head[0] | size] + more)


def encode(value):
    if isinstance(value, dict):
        return control(MAP, len(value)) + b"".join(encode(k) + encode(v) for k, v in value.items())
    if isinstance(value, list):
        return control(ARRAY, len(value)) + b"".join(encode(v) for v in value)
    if isinstance(value, str):
        raw = value.encode()
        return control(STRING, len(raw)) + raw
    if isinstance(value, float):
        return control(DOUBLE, 8) + struct.pack(">d", value)
    kind, number = value if isinstance(value, tuple) else (UINT16 if value < 65536 else UINT32, value)
    raw = number.to_bytes(8, "big").lstrip(b"\0")
    return control(kind, len(raw)) + raw


def tree(networks):
    """Nodes of two: None, ("node", n) or ("data", name)."""
    nodes = [[None, None]]
    for name in networks:
        net = ipaddress.ip_network(name)
        bits = int(net.network_address) << (128 - net.max_prefixlen if net.version == 6 else 0)
        depth = net.prefixlen + (96 if net.version == 4 else 0)
        at = 0
        for i in range(depth - 1):
            side = bits >> (127 - i) & 1
            if nodes[at][side] is None:
                nodes.append([None, None])
                nodes[at][side] = ("node", len(nodes) - 1)
            at = nodes[at][side][1]
        nodes[at][bits >> (128 - depth) & 1] = ("data", name)
    return nodes


def write(path, kind, networks):
    nodes, data, offsets = tree(networks), b"", {}
    for name, value in networks.items():
        offsets[name] = len(data)
        data += encode(value)

    def record(entry):
        if entry is None:
            return len(nodes)
        return entry[1] if entry[0] == "node" else len(nodes) + 16 + offsets[entry[1]]

    meta = {"binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": (UINT64, 1700000000),
            "database_type": kind, "description": {"en": "made for a test"}, "ip_version": 6, "languages": ["en"],
            "node_count": (UINT32, len(nodes)), "record_size": 24}
    with open(path, "wb") as f:
        for node in nodes:
            f.write(b"".join(record(side).to_bytes(3, "big") for side in node))
        f.write(SEPARATOR + data + MARK + encode(meta))
