"""The innermost TCP or UDP header of each packet, as tshark has it."""
import subprocess

FIELDS = ["frame.number", "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport",
          "udp.srcport", "udp.dstport"]
# What these hold is not the packet's own: the packet that an error is about, samples of others.
QUOTES = {"icmp", "icmpv6", "sflow"}
NUMBER = {"tcp": 6, "udp": 17}


def innermost(row):
    """(protocol, source, port, destination, port), or None."""
    number, layers, *values = row
    columns = dict(zip(FIELDS[2:], (v.split(",") if v else [] for v in values)))
    seen = {"ip": 0, "ipv6": 0, "tcp": 0, "udp": 0}
    network = found = None
    for layer in layers.split(":"):
        if layer in QUOTES:
            break
        if layer not in seen:
            continue
        i = seen[layer]
        seen[layer] += 1
        if layer in ("ip", "ipv6"):
            network, found = (columns[layer + ".src"][i], columns[layer + ".dst"][i]), None
        elif network is not None and len(columns[layer + ".dstport"]) > i:
            found = (NUMBER[layer], network[0], int(columns[layer + ".srcport"][i]), network[1],
                     int(columns[layer + ".dstport"][i]))
    return found


def from_tshark(path, *options):
    """Packet number -> (innermost header or None, its layers)."""
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a", *options]
    for f in FIELDS:
        command += ["-e", f]
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if not out.stdout and out.returncode:
        raise RuntimeError(out.stderr.strip())
    rows = (line.split("|") for line in out.stdout.splitlines())
    return {int(r[0]): (innermost(r), r[1]) for r in rows}


def from_segments(program, path):
    """Packet number -> (the same or None, path or verdict)."""
    out = subprocess.run([program, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if not out.stdout and out.returncode:
        raise RuntimeError(out.stderr.strip())
    found = {}
    for line in out.stdout.splitlines():
        number, *rest = line.split()
        if len(rest) == 1:
            found[int(number)] = (None, rest[0])
        else:
            proto, src, sport, dst, dport, _, way = rest
            found[int(number)] = ((int(proto), src, int(sport), dst, int(dport)), way)
    return found
