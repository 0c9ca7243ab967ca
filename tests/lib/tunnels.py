"""Packets in every encapsulation that decode/ reads, built from the layouts of their specifications.

cases() gives (name, link type, frames, innermost header of the last frame, path): for tests/tshark/tunnels.t, which
asks tshark of them, and for tests/fuzz/make_corpus.
"""
import socket
import struct

ETHERNET, PPP, PPP_ETHER, RAW, C_HDLC = 1, 9, 51, 101, 104
MAC = b"\2\0\0\0\0\2" + b"\2\0\0\0\0\1"
# Under a label tshark believes in addresses of vendors that it knows. Their first nibble may be a control word's, or IP's.
MAC0, MAC4, MAC6 = (v + b"\0\0\2" + v + b"\0\0\1" for v in (b"\0\x1b\x21", b"\x48\xdf\x37", b"\x6c\x2b\x59"))
CLIENT, SERVER = ("10.1.2.3", "2001:db8::3"), ("192.168.1.2", "2001:db8::88")
NEAR, FAR = ("192.0.2.1", "2001:db8:1::1"), ("192.0.2.2", "2001:db8:1::2")
TEREDO = "2001:0:c000:221:0:3fff:3fff:fdfd"
TCP = struct.pack(">HHIIHHHH", 49153, 9999, 0x01020304, 0xa5060708, 0x5018, 1024, 0, 0) + b"hello"


def ip(proto, body, ends=(NEAR, FAR), ident=1, cut=0):
    src, dst = (socket.inet_aton(e[0]) for e in ends)
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), ident, cut, 64, proto, 0) + src + dst + body


def ip6(proto, body, ends=(NEAR, FAR)):
    src, dst = (socket.inet_pton(socket.AF_INET6, e[1]) for e in ends)
    return struct.pack(">IHBB", 6 << 28, len(body), proto, 64) + src + dst + body


def udp(port, body, sport=50000): return struct.pack(">HHHH", sport, port, 8 + len(body), 0) + body
def ether(kind, body, mac=MAC): return mac + struct.pack(">H", kind) + body
def tag(vlan, kind, body): return struct.pack(">HH", vlan, kind) + body
def label(n, body, bottom=True): return struct.pack(">I", n << 12 | bottom << 8 | 64) + body
def pppoe(session, body): return struct.pack(">BBHH", 0x11, 0, session, len(body)) + body


def gre(kind, body, checksum=None, key=None, seq=None):
    flags = (checksum is not None) << 15 | (key is not None) << 13 | (seq is not None) << 12
    words = [checksum if checksum is None else checksum << 16, key, seq]
    return struct.pack(">HH", flags, kind) + b"".join(struct.pack(">I", w) for w in words if w is not None) + body


def pptp(call, body, seq=1, ack=None):
    flags = 0x2001 | (seq is not None) << 12 | (ack is not None) << 7
    numbers = b"".join(struct.pack(">I", n) for n in (seq, ack) if n is not None)
    return struct.pack(">HHHH", flags, 0x880b, len(body), call) + numbers + body


def erspan2(session, vlan, kept, frame):
    return gre(0x88be, struct.pack(">HHI", 1 << 12 | vlan, kept << 11 | session, 5) + frame, seq=9)


def erspan3(session, vlan, frame, kind=0, sub=b""):
    head = struct.pack(">HHIHH", 2 << 12 | vlan, session, 12345, 0, kind << 10 | bool(sub))
    return gre(0x22eb, head + sub + frame, seq=9)


def vxlan(vni, body, flags=0x08000000): return struct.pack(">II", flags, vni << 8) + body


def geneve(vni, kind, body, options=b""):
    return struct.pack(">BBHI", len(options) // 4, 0, kind, vni << 8) + options + body


def gtp(teid, body, flags=0, more=b""):
    return struct.pack(">BBHI", 0x30 | flags, 255, len(more) + len(body), teid) + more + body


def pieces(packet, size, ident=7):
    """An IPv4 packet without options, cut up."""
    for at in range(0, len(packet) - 20, size):
        part = packet[20 + at:20 + at + size]
        more = 0x2000 if 20 + at + size < len(packet) else 0
        yield packet[:2] + struct.pack(">HHH", 20 + len(part), ident, more | at // 8) + packet[8:20] + part


def pieces6(packet, size, ident=7):
    proto, body = packet[6], packet[40:]
    for at in range(0, len(body), size):
        part = struct.pack(">BBHI", proto, 0, at | (at + size < len(body)), ident) + body[at:at + size]
        yield packet[:4] + struct.pack(">HB", len(part), 44) + packet[7:40] + part


IP = ip(6, TCP, (CLIENT, SERVER))
IP6 = ip6(6, TCP, (CLIENT, SERVER))
WANT4 = (6, CLIENT[0], 49153, SERVER[0], 9999)
WANT6 = (6, CLIENT[1], 49153, SERVER[1], 9999)
FRAME, FRAME6 = ether(0x800, IP), ether(0x86dd, IP6)
TAGGED = ether(0x8100, tag(12, 0x800, IP))


def link_cases():
    """Below IP: (name, link type, frame, path)."""
    two = label(100, label(200, IP6), False)
    yield "mpls", ETHERNET, ether(0x8847, label(16, IP)), "mpls:16"
    yield "mpls-multicast", ETHERNET, ether(0x8848, label(16, IP)), "mpls:16"
    yield "mpls-two-ipv6", ETHERNET, ether(0x8847, two), "mpls:100/mpls:200"
    yield "mpls-null", ETHERNET, ether(0x8847, label(0, IP)), "mpls:0"
    yield "mpls-padded", ETHERNET, ether(0x8847, label(1048575, IP) + bytes(9)), "mpls:1048575"
    yield "mpls-entropy", ETHERNET, ether(0x8847, label(16, label(7, label(77777, IP), False), False)), "mpls:16"
    for name, mac in (("-0", MAC0), ("-4", MAC4), ("-6", MAC6)):
        yield "mpls-frame" + name, ETHERNET, ether(0x8847, label(16, ether(0x800, IP, mac))), "mpls:16"
        yield ("mpls-frame-tagged" + name, ETHERNET,
               ether(0x8847, label(16, ether(0x8100, tag(12, 0x800, IP), mac))), "mpls:16/vlan:12")
        yield ("mpls-control-word" + name, ETHERNET,
               ether(0x8847, label(16, struct.pack(">I", 5) + ether(0x86dd, IP6, mac))), "mpls:16")
        yield ("mpls-control-word-tagged" + name, ETHERNET,
               ether(0x8847, label(16, bytes(4) + ether(0x8100, tag(12, 0x800, IP), mac))), "mpls:16/vlan:12")
    yield "pppoe", ETHERNET, ether(0x8864, pppoe(7, b"\0\x21" + IP)), "pppoe:7"
    yield "pppoe-ipv6-padded", ETHERNET, ether(0x8864, pppoe(65535, b"\0\x57" + IP6) + bytes(9)), "pppoe:65535"
    yield "pppoe-qinq", ETHERNET, ether(0x88a8, tag(3, 0x8100, tag(4, 0x8864, pppoe(7, b"\0\x21" + IP)))), "vlan:3/vlan:4/pppoe:7"
    yield "pbb", ETHERNET, ether(0x88e7, struct.pack(">I", 70000) + FRAME), "pbb:70000"
    yield "pbb-backbone-tag", ETHERNET, ether(0x88a8, tag(3, 0x88e7, struct.pack(">I", 0xe0000005) + TAGGED)), "vlan:3/pbb:5/vlan:12"
    yield "fabricpath", ETHERNET, ether(0x8903, struct.pack(">H", 5 << 6 | 32) + FRAME), "fabricpath:5"
    yield "vntag-up", ETHERNET, ether(0x8926, struct.pack(">HHH", 0x1234, 7, 0x800) + IP), "vntag:7"
    yield "vntag-down", ETHERNET, ether(0x8926, struct.pack(">HHH", 0x8005, 7, 0x8100) + tag(12, 0x800, IP)), "vntag:5/vlan:12"
    yield "metadata", ETHERNET, ether(0x8909, struct.pack(">BBHHH", 1, 1, 1, 300, 0x800) + IP), "sgt:300"
    yield "jumbo-llc", ETHERNET, ether(0x8870, b"\xaa\xaa\3\0\0\0\x08\0" + IP), ""
    yield "ppp", PPP, b"\xff\3\0\x21" + IP, ""
    yield "ppp-bare", PPP, b"\0\x57" + IP6, ""
    yield "ppp-short", PPP, b"\x21" + IP, ""
    yield "ppp-mpls", PPP, b"\xff\3\2\x81" + label(16, IP), "mpls:16"
    yield "pppoe-link", PPP_ETHER, pppoe(7, b"\0\x21" + IP), "pppoe:7"
    yield "hdlc", C_HDLC, b"\x0f\0\x08\0" + IP, ""
    yield "hdlc-ipv6", C_HDLC, b"\x8f\0\x86\xdd" + IP6, ""
    yield "hdlc-mpls", C_HDLC, b"\x0f\0\x88\x47" + label(16, IP), "mpls:16"


def ip_cases():
    """Over IP: (name, protocol, body, path below the outer address)."""
    yield "ipip", 4, IP, ""
    yield "ip6-inside", 41, IP6, ""
    yield "ipip-twice", 4, ip(4, IP, (FAR, NEAR)), "/ip"
    yield "mpls-inside", 137, label(16, IP), "/mpls:16"
    yield "gre", 47, gre(0x800, IP), "/gre"
    yield "gre-ipv6", 47, gre(0x86dd, IP6), "/gre"
    yield "gre-checksum", 47, gre(0x800, IP, checksum=0), "/gre"
    yield "gre-key", 47, gre(0x800, IP, key=4294967295), "/gre:4294967295"
    yield "gre-all", 47, gre(0x800, IP, 0, 5, 6), "/gre:5"
    yield "gre-frame", 47, gre(0x6558, TAGGED, key=5 << 8), "/gre:1280/vlan:12"
    yield "gre-mpls", 47, gre(0x8847, label(16, ether(0x800, IP, MAC0))), "/gre/mpls:16"
    yield "pptp", 47, pptp(9, b"\xff\3\0\x21" + IP), "/pptp:9"
    yield "pptp-ack", 47, pptp(9, b"\x21" + IP, ack=3), "/pptp:9"
    yield "pptp-ipv6", 47, pptp(65535, b"\0\x57" + IP6), "/pptp:65535"
    yield "erspan-1", 47, gre(0x88be, FRAME), "/gre/erspan"
    yield "erspan-2", 47, erspan2(7, 12, 2, FRAME), "/gre/erspan:7/vlan:12"
    yield "erspan-2-kept", 47, erspan2(1023, 12, 3, TAGGED), "/gre/erspan:1023/vlan:12"
    yield "erspan-2-untagged", 47, erspan2(7, 0, 0, FRAME6), "/gre/erspan:7"
    yield "erspan-3", 47, erspan3(7, 12, FRAME), "/gre/erspan:7/vlan:12"
    yield "erspan-3-subheader", 47, erspan3(7, 0, TAGGED, 0, struct.pack(">II", 1 << 26, 8)), "/gre/erspan:7/vlan:12"
    yield "erspan-3-ip", 47, erspan3(7, 0, IP, 2), "/gre/erspan:7"


def udp_cases():
    """Over UDP: (name, port, body, path below the outer address)."""
    container = b"\0\0\0\x85" + b"\1\0\5\0"  # 3GPP TS 38.415: PDU session container
    two = b"\0\7\0\x40" + b"\1\x08\x68\xc0" + b"\1\0\1\0"  # UDP port, then PDCP number
    origin = b"\0\0" + b"\x3c\x50" + b"\x3f\xff\xfd\xfe"
    authentication = b"\0\1\2\3" + b"id" + b"val" + bytes(8) + b"\0"
    teredo = ip6(6, TCP, (("", TEREDO), SERVER))
    yield "vxlan", 4789, vxlan(5001, FRAME), "/vxlan:5001"
    yield "vxlan-ipv6-tagged", 4789, vxlan(16777215, ether(0x8100, tag(12, 0x86dd, IP6))), "/vxlan:16777215/vlan:12"
    yield "vxlan-group", 4789, vxlan(5, FRAME, 0x88480009), "/vxlan:5"
    yield "vxlan-linux", 8472, vxlan(5, FRAME), "/vxlan:5"
    yield "vxlan-gpe", 4790, vxlan(5, FRAME, 0x0c000003), "/vxlan:5"
    yield "vxlan-gpe-ip", 4790, vxlan(5, IP, 0x0c000001), "/vxlan:5"
    yield "vxlan-gpe-ipv6", 4790, vxlan(5, IP6, 0x0c000002), "/vxlan:5"
    yield "geneve", 6081, geneve(5, 0x6558, FRAME), "/geneve:5"
    yield "geneve-options", 6081, geneve(16777215, 0x6558, TAGGED, bytes.fromhex("0102 80 01 deadbeef 0103 01 00")), "/geneve:16777215/vlan:12"
    yield "geneve-ip", 6081, geneve(5, 0x800, IP), "/geneve:5"
    yield "geneve-ipv6", 6081, geneve(5, 0x86dd, IP6), "/geneve:5"
    yield "gtp", 2152, gtp(4294967295, IP), "/gtp:4294967295"
    yield "gtp-ipv6", 2152, gtp(5, IP6), "/gtp:5"
    yield "gtp-sequence", 2152, gtp(5, IP, 2, b"\0\7\0\0"), "/gtp:5"
    yield "gtp-extension", 2152, gtp(5, IP, 4, container), "/gtp:5"
    yield "gtp-extensions", 2152, gtp(5, IP6, 7, two), "/gtp:5"
    yield "teredo", 3544, teredo, "/teredo"
    yield "teredo-origin", 3544, origin + teredo, "/teredo"
    yield "teredo-authentication", 3544, authentication + teredo, "/teredo"
    yield "teredo-both", 3544, authentication + origin + teredo, "/teredo"


def cut_cases():
    """In fragments: (name, frames, path)."""
    outer = ip(17, udp(4789, vxlan(5, FRAME)))
    yield "outer-fragments", [ether(0x800, p) for p in pieces(outer, 40)], "ip/vxlan:5"
    outer = ip6(47, gre(0x800, IP))
    yield "outer-fragments-ipv6", [ether(0x86dd, p) for p in pieces6(outer, 32)], "ip6/gre"
    yield "inner-fragments", [ether(0x800, ip(47, gre(0x800, p))) for p in pieces(IP, 24)], "ip/gre"
    yield "inner-fragments-ipv6", [ether(0x800, ip(17, udp(2152, gtp(5, p)))) for p in pieces6(IP6, 8)], "ip/gtp:5"
    both = []
    for i, inner in enumerate(pieces(IP, 24)):
        both += [ether(0x800, p) for p in pieces(ip(47, gre(0x6558, ether(0x800, inner))), 24, 20 + i)]
    yield "fragments-in-fragments", both, "ip/gre"
    three = []
    for i, inner in enumerate(pieces(IP, 24)):
        for j, middle in enumerate(pieces(ip(4, inner, (FAR, NEAR)), 24, 30 + i)):
            three += [ether(0x8100, tag(9, 0x800, p)) for p in pieces(ip(47, gre(0x800, middle)), 24, 40 + 8 * i + j)]
    yield "fragments-three-deep", three, "vlan:9/ip/gre/ip"


def cases():
    for name, link, frame, path in link_cases():
        yield name, link, [frame], WANT6 if IP6 in frame else WANT4, path
    for make, proto in ((ip_cases, None), (udp_cases, 17)):
        for name, number, body, path in make():
            want = WANT6 if IP6 in body else WANT4
            if name.startswith("teredo"):
                want = (6, TEREDO, 49153, SERVER[1], 9999)
            if proto == 17:
                number, body = proto, udp(number, body)
            yield name, ETHERNET, [ether(0x800, ip(number, body))], want, "ip" + path
            yield name + "-over-ipv6", ETHERNET, [ether(0x86dd, ip6(number, body))], want, "ip6" + path
    for name, frames, path in cut_cases():
        yield name, ETHERNET, frames, WANT6 if name.startswith("inner-fragments-ipv6") else WANT4, path
    deep = ether(0x8100, tag(100, 0x800, ip(47, erspan2(7, 0, 0, ether(0x8100, tag(12, 0x800, ip(17, udp(4789, vxlan(5, FRAME)))))))))
    yield "erspan-of-vxlan", ETHERNET, [deep], WANT4, "vlan:100/ip/gre/erspan:7/vlan:12/ip/vxlan:5"
    big = ip(6, TCP + bytes(8900), (CLIENT, SERVER))
    yield "jumbo", ETHERNET, [ether(0x800, big)], WANT4, ""
    yield "jumbo-in-vxlan", ETHERNET, [ether(0x800, ip(17, udp(4789, vxlan(5, ether(0x800, big)))))], WANT4, "ip/vxlan:5"


def pcap(link, frames):
    out = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, link)
    for i, f in enumerate(frames):
        out += struct.pack("<IIII", 1704067200, i, len(f), len(f)) + f
    return out
