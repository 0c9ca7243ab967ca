# What the lab's tools share: reading captures, finding Kerberos tickets in them by their DER
# form, reading ccache and keytab files. Knows nothing of any dissector, so it can check one.
import base64
import hashlib
import re
import struct
from collections import defaultdict

ETHER = 1
MAGIC = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
         b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1)}


class Ticket:
    """The clear fields of one Ticket (RFC 4120 5.3) and the hash of its cipher."""

    def __init__(self, realm, sname, name_type, etype, kvno, cipher):
        self.realm, self.sname, self.name_type = realm, sname, name_type
        self.etype, self.kvno, self.cipher = etype, kvno, cipher
        self.fp = hashlib.sha256(cipher).hexdigest()[:32]

    def key(self):
        return (self.fp, self.realm, self.sname, self.kvno, self.etype)

    def kind(self):
        parts = self.sname.split("/")
        if parts[0] != "krbtgt" or len(parts) != 2:
            return "service"
        return "tgt" if parts[1].upper() == self.realm.upper() else "referral"


def tlv(b, i):
    """One DER element at i: tag, start and end of its contents."""
    tag, n, i = b[i], b[i + 1], i + 2
    if n & 0x80:
        k = n & 0x7F
        if not 1 <= k <= 3:
            raise ValueError
        n, i = int.from_bytes(b[i:i + k], "big"), i + k
    if i + n > len(b):
        raise ValueError
    return tag, i, i + n


def fields(b, i, end):
    """The context-tagged fields of the SEQUENCE at i."""
    tag, i, stop = tlv(b, i)
    if tag != 0x30 or stop > end:
        raise ValueError
    out = {}
    while i < stop:
        tag, at, nxt = tlv(b, i)
        if tag & 0xE0 != 0xA0 or nxt > stop:
            raise ValueError
        out[tag & 0x1F] = at
        i = nxt
    return out


def value(b, i, want):
    tag, at, end = tlv(b, i)
    if tag != want:
        raise ValueError
    return b[at:end]


def integer(b, i):
    return int.from_bytes(value(b, i, 0x02), "big", signed=True)


def principal(b, i):
    f = fields(b, i, len(b))
    tag, at, end = tlv(b, f[1])
    names = []
    while at < end:
        names.append(value(b, at, 0x1B).decode("utf-8"))
        at = tlv(b, at)[2]
    return integer(b, f[0]), names


def parse_ticket(b, i=0):
    """Parses the Ticket at i or raises; returns it and its end."""
    tag, at, end = tlv(b, i)
    if tag != 0x61:
        raise ValueError
    f = fields(b, at, end)
    if integer(b, f[0]) != 5:
        raise ValueError
    name_type, names = principal(b, f[2])
    e = fields(b, f[3], end)
    kvno = integer(b, e[1]) if 1 in e else None
    return Ticket(value(b, f[1], 0x1B).decode("utf-8"), "/".join(names), name_type,
                  integer(b, e[0]), kvno, value(b, e[2], 0x04)), end


def scan(b):
    """All tickets in a byte string, nested ones included."""
    i = b.find(b"\x61")
    while i >= 0:
        try:
            t, _ = parse_ticket(b, i)
            yield i, t
        except (ValueError, IndexError, KeyError, UnicodeDecodeError):
            pass
        i = b.find(b"\x61", i + 1)


def read_pcap(path):
    """Header (endian, nanoseconds per unit, link type) and packets (ns, bytes, original length)."""
    with open(path, "rb") as f:
        raw = f.read()
    endian, unit = MAGIC[raw[:4]]
    link = struct.unpack(endian + "I", raw[20:24])[0]
    out, i = [], 24
    while i + 16 <= len(raw):
        s, u, n, orig = struct.unpack(endian + "IIII", raw[i:i + 16])
        out.append((s * 10**9 + u * unit, raw[i + 16:i + 16 + n], orig))
        i += 16 + n
    return (endian, unit, link), out


def write_pcap(path, packets, endian="<", unit=1000, snaplen=262144):
    magic = 0xA1B2C3D4 if unit == 1000 else 0xA1B23C4D
    with open(path, "wb") as f:
        f.write(struct.pack(endian + "IHHiIII", magic, 2, 4, 0, 0, snaplen, ETHER))
        for ns, data, orig in packets:
            f.write(struct.pack(endian + "IIII", ns // 10**9, ns % 10**9 // unit, len(data), orig))
            f.write(data)


def ip_text(b):
    if len(b) == 4:
        return ".".join(map(str, b))
    import ipaddress
    return str(ipaddress.ip_address(b))


def record_size(data, i, port):
    """Head and body length of the message at i of a TCP run, by the service's framing."""
    if port in (88, 445, 464):
        return 4, struct.unpack_from(">I", data, i)[0] & 0xFFFFFF
    if port == 53:
        return 2, struct.unpack_from(">H", data, i)[0]
    if port == 389:
        if data[i] == 0x30:
            try:
                _, at, end = tlv(data, i)
            except ValueError:
                at, end = i, len(data) + 1
            return at - i, end - at
        return 4, struct.unpack_from(">I", data, i)[0]
    if port == 80:
        end = data.find(b"\r\n\r\n", i)
        return 0, (end + 4 if end >= 0 else len(data) + 1) - i
    return 0, struct.unpack_from("<H", data, i + 8)[0]


def whole_records(data, port):
    """The complete messages of a TCP run; what a hole cuts short does not count."""
    out, i = b"", 0
    try:
        while i < len(data):
            head, n = record_size(data, i, port)
            if n == 0 or i + head + n > len(data):
                break
            out += data[i:i + head + n]
            i += head + n
    except (struct.error, IndexError):
        pass
    return out


class Capture:
    """Streams of a capture: UDP datagrams and contiguous runs of TCP bytes, with addresses."""

    def __init__(self, path):
        self.head, self.packets = read_pcap(path)
        self.udp, self.tcp = [], defaultdict(list)
        self.frags = defaultdict(dict)
        for ns, data, _ in self.packets:
            try:
                self.frame(ns, data)
            except (IndexError, struct.error):
                pass

    def frame(self, ns, d):
        i, proto = 14, d[12:14]
        while proto in (b"\x81\x00", b"\x88\xa8"):
            proto, i = d[i + 2:i + 4], i + 4
        if proto == b"\x08\x00":
            ihl, total = (d[i] & 15) * 4, struct.unpack(">H", d[i + 2:i + 4])[0]
            fo = struct.unpack(">H", d[i + 6:i + 8])[0]
            src, dst, nxt = d[i + 12:i + 16], d[i + 16:i + 20], d[i + 9]
            body = d[i + ihl:i + total]
            more, off, ident = fo & 0x2000, (fo & 0x1FFF) * 8, d[i + 4:i + 6]
            if total > len(d) - i:
                return self.cut(ns, src, dst, nxt, body)
        elif proto == b"\x86\xdd":
            n, nxt = struct.unpack(">HB", d[i + 4:i + 7])
            src, dst, body = d[i + 8:i + 24], d[i + 24:i + 40], d[i + 40:i + 40 + n]
            more = off = 0
            if n > len(d) - i - 40:
                return self.cut(ns, src, dst, nxt, body)
            if nxt == 44:
                nxt, fo, ident = body[0], struct.unpack(">H", body[2:4])[0], body[4:8]
                more, off, body = fo & 1, fo & 0xFFF8, body[8:]
        else:
            return None
        if more or off:
            parts = self.frags[src, dst, ident, nxt]
            parts[off] = (body, not more)
            whole, last = b"", False
            while len(whole) in parts and not last:
                piece, last = parts[len(whole)]
                whole += piece
            if not last:
                return None
            body = whole
        return self.packet(ns, src, dst, nxt, body)

    def cut(self, ns, src, dst, nxt, body):
        """A frame cut by the snapshot length: TCP bytes up to there still count."""
        if nxt == 6 or nxt == 17:
            self.packet(ns, src, dst, nxt, body)

    def packet(self, ns, src, dst, nxt, b):
        sport, dport = struct.unpack(">HH", b[:4])
        way = (src, sport, dst, dport)
        if nxt == 17:
            self.udp.append((ns, way, b[8:]))
        elif nxt == 6:
            seq, off, flags = struct.unpack(">I4xBB", b[4:14])
            data = b[(off >> 4) * 4:]
            if flags & 2:
                # a SYN opens a new stream when the port pair is used again
                if self.tcp[way] and self.tcp[way][-1][0][1] != seq:
                    self.tcp[way].append([])
                elif not self.tcp[way]:
                    self.tcp[way].append([])
                self.tcp[way][-1].append((ns, seq, b""))
            if data:
                if not self.tcp[way]:
                    self.tcp[way].append([])
                self.tcp[way][-1].append((ns, seq, data))

    def runs(self):
        """(ns, is TCP, way, bytes) of every datagram and every hole-free run of a TCP direction."""
        for ns, way, data in self.udp:
            yield ns, False, way, data
        for way, streams in self.tcp.items():
            for segs in streams:
                if not segs:
                    continue
                base = segs[0][1] - 0x10000000
                segs = sorted(((seq - base) & 0xFFFFFFFF, ns, data) for ns, seq, data in segs)
                start, at, buf = None, None, b""
                for seq, ns, data in segs:
                    if not data:
                        continue
                    if at is None or seq > at:
                        if buf:
                            yield start, True, way, buf
                        start, at, buf = ns, seq, b""
                    if seq + len(data) > at:
                        buf += data[at - seq:]
                        at = seq + len(data)
                if buf:
                    yield start, True, way, buf

    def tickets(self):
        """(ns, src, sport, dst, dport, ticket) of every ticket to be read in the capture."""
        for ns, tcp, (src, sport, dst, dport), data in self.runs():
            if tcp:
                data = whole_records(data, min(sport, dport))
            where = (ip_text(src), sport, ip_text(dst), dport)
            for _, t in scan(data):
                yield (ns, *where, t)
            for m in re.finditer(rb"Negotiate ([A-Za-z0-9+/=]{40,})", data):
                try:
                    raw = base64.b64decode(m.group(1))
                except ValueError:
                    continue
                for _, t in scan(raw):
                    yield (ns, *where, t)


class Reader:
    def __init__(self, b):
        self.b, self.i = b, 0

    def num(self, fmt):
        v = struct.unpack_from(fmt, self.b, self.i)[0]
        self.i += struct.calcsize(fmt)
        return v

    def data(self, fmt=">I"):
        n = self.num(fmt)
        self.i += n
        return self.b[self.i - n:self.i]

    def principal(self):
        _, n = self.num(">I"), self.num(">I")
        realm = self.data().decode()
        return "/".join(self.data().decode() for _ in range(n)), realm


def read_ccache(path):
    """(client, server, Ticket) of every credential in a version 4 ccache file."""
    with open(path, "rb") as f:
        r = Reader(f.read())
    if r.num(">H") != 0x0504:
        return
    r.data(">H")
    r.principal()
    while r.i < len(r.b):
        client, server = r.principal(), r.principal()
        r.num(">H")
        r.data()
        r.i += 16 + 1 + 4
        for _ in range(2):
            for _ in range(r.num(">I")):
                r.num(">H")
                r.data()
        ticket, second = r.data(), r.data()
        del second
        if server[1] == "X-CACHECONF:":
            continue
        try:
            yield client, server, parse_ticket(ticket)[0]
        except (ValueError, IndexError, KeyError):
            continue


def read_keytab(path):
    """(principal, realm, kvno, etype, key) of every entry of a keytab file."""
    with open(path, "rb") as f:
        b = f.read()
    i = 2
    while i + 4 <= len(b):
        n = struct.unpack(">i", b[i:i + 4])[0]
        i += 4
        if n < 0:
            i -= n
            continue
        r, end = Reader(b[i:i + n]), n
        parts = r.num(">H")
        realm = r.data(">H").decode()
        name = "/".join(r.data(">H").decode() for _ in range(parts))
        r.i += 8
        kvno, etype = r.num(">B"), r.num(">H")
        key = r.data(">H")
        if end - r.i >= 4:
            kvno = r.num(">I") or kvno
        yield name, realm, kvno, etype, key
        i += n
