"""The Kerberos messages of a capture, as tshark dissects them and as mintmark's events tell them.

Both sides are brought to the same form: one dictionary per message, without what only one side knows. Repeats are
removed on tshark's side as mintmark's dissectors define them: a message whose bytes (all fields with their values)
were seen before on the same flow in the same direction is a retransmission and counts once, at its first frame."""
import hashlib
import subprocess
import xml.etree.ElementTree as ET

from mintest import packet

TYPES = {"as_req": "AS-REQ", "as_rep": "AS-REP", "tgs_req": "TGS-REQ", "tgs_rep": "TGS-REP",
         "ap_req": "AP-REQ", "krb_error": "KRB-ERROR"}
KDC_TYPES = {10: "AS-REQ", 11: "AS-REP", 12: "TGS-REQ", 13: "TGS-REP", 30: "KRB-ERROR"}
PA_TGS_REQ, PA_FX_FAST = "1", "136"
UINT32 = 1 << 32
# tshark's names of the protocols that carry a message -> mintmark's; the innermost one counts. mintmark's smb2 reads
# the SESSION_SETUP of its predecessor too.
CARRIERS = {"smb": "smb2", "smb2": "smb2", "ldap": "ldap", "http": "http", "dcerpc": "dcerpc",
            "kpasswd": "kpasswd", "dns": "dns"}
# Exception: mintmark has no such carrier. GSS-TSIG (RFC 3645) shows tickets to DNS servers in TKEY records.
UNREAD_CARRIERS = {"dns"}


# tshark

def name_of(node):
    return node.get("name") or ""


def find(node, *path):
    """The first element down this path of direct children, by field name without "kerberos."."""
    for step in path:
        node = next((c for c in node if name_of(c) == "kerberos." + step), None)
        if node is None:
            return None
    return node


def number(node, *path):
    node = find(node, *path)
    return None if node is None else int(node.get("show"), 0)


def signed(node, field):
    """An INTEGER as DER means it. Clients write nonces of 32 random bits without a leading zero, and tshark shows
    those of fewer than 4 bytes as unsigned: so the bytes are read here."""
    node = find(node, field)
    return None if node is None else int.from_bytes(bytes.fromhex(node.get("value")), "big", signed=True)


def text(node):
    """A string as it is on the wire: its bytes, read as mintmark's output shows them."""
    return bytes.fromhex(node.get("value") or "").decode("utf-8", "replace")


def realm(node, field="realm"):
    node = find(node, field)
    return "" if node is None else text(node)


def principal(node, which, part):
    """A PrincipalName's components, joined."""
    node = find(node, which + "_element")
    if node is None:
        return ""
    return "/".join(text(s) for s in node.iter() if name_of(s) == "kerberos." + part)


def ticket(node):
    """What stands outside the encryption of a Ticket."""
    enc = find(node, "enc_part_element")
    cipher = bytes.fromhex(find(enc, "cipher").get("value"))
    kvno = number(enc, "kvno")
    return {"fingerprint": hashlib.sha256(cipher).hexdigest()[:32], "length": len(cipher),
            "realm": realm(node), "sname": principal(node, "sname", "SNameString"),
            "etype": number(enc, "etype"), "kvno": None if kvno is None else kvno % UINT32}


def tickets(node, field):
    """The tickets in the AP-REQs of padata of one type, or of a list of tickets."""
    return [ticket(t) for n in node.iter() if name_of(n) == field
            for t in n.iter() if name_of(t) in ("kerberos.ticket_element", "kerberos.Ticket_element")]


def read_request(body):
    req = find(body, "req_body_element")
    padata = find(body, "padata")
    entries = [] if padata is None else [p for p in padata if name_of(p) == "kerberos.PA_DATA_element"]
    types = [find(p, "padata_type") for p in entries]
    shown = {PA_TGS_REQ: [], PA_FX_FAST: []}
    for entry, kind in zip(entries, types):
        # tshark hangs the value's dissection below the type.
        if kind is not None and kind.get("show") in shown:
            shown[kind.get("show")] += tickets(entry, "kerberos.ap_req_element")
    etypes = find(req, "kdc-req-body.etype")
    more = find(req, "additional_tickets")
    return {"cname": principal(req, "cname", "CNameString"), "realm": realm(req),
            "sname": principal(req, "sname", "SNameString"),
            "nonce": signed(req, "nonce") % UINT32,
            "etypes": [] if etypes is None else [int(e.get("show"))
                                                 for e in etypes if name_of(e) == "kerberos.ENCTYPE"],
            "padata": [int(k.get("show")) for k in types if k is not None],
            "presented": shown[PA_TGS_REQ], "armor": shown[PA_FX_FAST],
            "evidence": [] if more is None else tickets(more, name_of(more))}


def read_reply(body):
    enc = find(body, "enc_part_element")
    kvno = number(enc, "kvno")
    return {"cname": principal(body, "cname", "CNameString"), "crealm": realm(body, "crealm"),
            "issued": [ticket(find(body, "ticket_element"))], "etype": number(enc, "etype"),
            "kvno": None if kvno is None else kvno % UINT32}


def read_error(body):
    return {"code": number(body, "error_code")}


def read_ap_req(body):
    return {"presented": [ticket(find(body, "ticket_element"))],
            "etype": number(body, "authenticator_element", "etype")}


READERS = {"AS-REQ": read_request, "TGS-REQ": read_request, "AS-REP": read_reply, "TGS-REP": read_reply,
           "AP-REQ": read_ap_req, "KRB-ERROR": read_error}


def kerberos_in(node, carrier):
    """All kerberos dissections below a node that are not inside another one, with their carrier."""
    stack = [(node, carrier)]
    found = []
    while stack:
        at, carrier = stack.pop()
        name = name_of(at)
        if name == "kerberos" and at.tag == "proto":
            found.append((at, carrier))
            continue
        carrier = CARRIERS.get(name, carrier) if at.tag == "proto" else carrier
        stack += [(child, carrier) for child in reversed(at)]
    return found


def flow(frame):
    """Source and destination as ADDRESS:PORT: those of the innermost headers."""
    at = {}
    for field in frame.iter("field"):
        n = name_of(field)
        if n in ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport",
                 "udp.dstport"):
            at[n.partition(".")[2]] = field.get("show")
    return f"{at.get('src')}:{at.get('srcport')}", f"{at.get('dst')}:{at.get('dstport')}"


def digest(node):
    """Of a dissection's fields and values, wherever in its packet it stood."""
    h = hashlib.sha256()
    for n in node.iter():
        h.update(f"{name_of(n)}={n.get('value') or n.get('show')};".encode())
    return h.hexdigest()


def tshark_frames(path):
    """The PDML of every frame with Kerberos in it."""
    cmd = ["tshark", "-n", "-r", path, "-T", "pdml", "-Y", "kerberos",
           "-o", "tcp.reassemble_out_of_order:TRUE", "-o", "kerberos.decrypt:FALSE"]
    p = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for _, node in ET.iterparse(p.stdout):
        if node.tag == "packet":
            yield node
            node.clear()
    p.stdout.close()
    p.wait()


def lossy_flows(path):
    """Connections in which tshark misses segments, each as the set of its two ends."""
    fields = [a for f in ("ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport") for a in ("-e", f)]
    out = subprocess.run(["tshark", "-n", "-r", path, "-Y", "tcp.analysis.lost_segment", "-T", "fields", *fields],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout
    rows = [line.split("\t") for line in out.splitlines()]
    return {frozenset((f"{r[0] or r[1]}:{r[2]}", f"{r[3] or r[4]}:{r[5]}")) for r in rows}


def is_cut(frame):
    """Whether the capture holds only part of what was sent."""
    return any(name_of(n) in ("_ws.short", "_ws.unreassembled") for n in frame.iter())


def frame_number(frame):
    return next(int(f.get("show")) for f in frame.iter("field") if name_of(f) == "frame.number")


def from_tshark(path):
    """All messages of a capture, repeats removed as the module's first comment says; and the frames that the
    capture's snapshot length has cut, whose messages are left out."""
    messages, seen, cut = [], set(), set()
    for frame in tshark_frames(path):
        if is_cut(frame):
            cut.add(frame_number(frame))
            continue
        where = flow(frame)
        pipe = any(name_of(p) in ("smb", "smb2") for p in frame)
        for node, carrier in kerberos_in(frame, "kerberos"):
            if pipe and carrier == "dcerpc":
                carrier = "smb2"  # a named pipe: mintmark names the outer one
            for child in node:
                kind = TYPES.get(name_of(child).removeprefix("kerberos.").removesuffix("_element"))
                if kind is None or carrier in UNREAD_CARRIERS:
                    continue
                key = (where, carrier, digest(child))
                if key in seen:
                    continue
                seen.add(key)
                messages.append({"frame": frame_number(frame), "type": kind, "carrier": carrier,
                                 "from": where[0], "to": where[1], **READERS[kind](child)})
    return messages, cut


# mintmark

def credentials(event, role):
    return [{"fingerprint": c["fingerprint"], "length": c["length"], "realm": c.get("issuer", ""),
             "sname": c.get("service", ""), "etype": c["etype"], "kvno": c.get("kvno")}
            for c in event.get("mintmark.credentials", []) if c["role"] == role]


def request_of(event):
    k = "mintmark.kerberos."
    return {"cname": event.get(k + "cname", ""), "realm": event.get(k + "realm", ""),
            "sname": event.get(k + "sname", ""), "nonce": event.get(k + "nonce", -1) % UINT32,
            "etypes": event.get(k + "etypes", []), "padata": event.get(k + "padata", []),
            "presented": credentials(event, "presented"), "armor": credentials(event, "armor"),
            "evidence": credentials(event, "evidence")}


def response_of(event, kind):
    k = "mintmark.kerberos."
    if kind == "KRB-ERROR":
        return {"code": event.get(k + "error_code")}
    return {"cname": event.get(k + "reply_cname", ""), "crealm": event.get(k + "reply_crealm", ""),
            "issued": credentials(event, "issued"), "etype": event.get(k + "reply_etype"),
            "kvno": event.get(k + "reply_kvno")}


def from_mintmark(events):
    """The messages that the events of one capture tell of."""
    messages = []
    for e in events:
        asked, answered = packet(e.get("mintmark.request.packet")), packet(e.get("mintmark.response.packet"))
        client = f"{e['source.ip']}:{e['source.port']}"
        server = f"{e['destination.ip']}:{e['destination.port']}"
        carrier = e["mintmark.protocol"]
        to_server = {"frame": asked, "carrier": carrier, "from": client, "to": server}
        to_client = {"frame": answered, "carrier": carrier, "from": server, "to": client}
        request = KDC_TYPES.get(e.get("mintmark.kerberos.request_type"))
        reply = KDC_TYPES.get(e.get("mintmark.kerberos.reply_type"))
        if request and asked:
            messages.append({**to_server, "type": request, **request_of(e)})
        if reply and answered:
            messages.append({**to_client, "type": reply, **response_of(e, reply)})
        if "mintmark.kerberos.ap_options" in e and not request:
            messages.append({**to_server, "type": "AP-REQ",
                             "presented": credentials(e, "presented"),
                             "etype": e["mintmark.kerberos.authenticator_etype"]})
            if e.get("mintmark.status.domain") == "kerberos":
                messages.append({**to_client, "type": "KRB-ERROR", "code": e["mintmark.status.code"]})
    return messages
