/* What wraps a frame or a packet in another: labels and tags of the link layer, and tunnels over IP
 * and UDP. */
#include "decode/walk.h"

/* https://www.iana.org/assignments/ieee-802-numbers */
enum {
	ETHERTYPE_ERSPAN_III = 0x22eb,
	ETHERTYPE_BRIDGING = 0x6558,  /* transparent Ethernet bridging, RFC 1701 */
	ETHERTYPE_VLAN = 0x8100,      /* IEEE 802.1Q C-TAG */
	ETHERTYPE_PPP = 0x880b,       /* RFC 7042 */
	ETHERTYPE_MPLS = 0x8847,      /* RFC 5332 */
	ETHERTYPE_MPLS_UP = 0x8848,   /* upstream-assigned label, once multicast; RFC 5332 */
	ETHERTYPE_PPPOE = 0x8864,     /* session stage, RFC 2516 section 4 */
	ETHERTYPE_JUMBO_LLC = 0x8870, /* draft-ietf-isis-ext-eth: LLC in frames beyond 1500 bytes */
	ETHERTYPE_VLAN_S = 0x88a8,    /* IEEE 802.1ad S-TAG */
	ETHERTYPE_ERSPAN = 0x88be,    /* types I and II */
	ETHERTYPE_PBB = 0x88e7,       /* IEEE 802.1ah I-TAG */
	ETHERTYPE_FABRICPATH = 0x8903,
	ETHERTYPE_CMD = 0x8909, /* Cisco metadata */
	ETHERTYPE_VNTAG = 0x8926,
	ETHERTYPE_VLAN_OLD = 0x9100, /* S-TAG before 802.1ad */
};

enum {
	ETHERNET_ADDRESSES = 12,
	ETHERNET_HEADER = 14,
	LLC_SNAP = 0xaaaa03,
	VLAN_ID_MASK = 0x0fff,
	MPLS_ENTRY = 4, /* RFC 3032 section 2.1 */
	MPLS_LABEL_SHIFT = 12,
	MPLS_BOTTOM = 0x100,
	MPLS_ENTROPY = 7,       /* Entropy Label Indicator, RFC 6790 section 3 */
	CONTROL_WORD = 4,       /* RFC 4385 section 3 */
	PPPOE_HEADER = 6,       /* RFC 2516 section 4 */
	PPPOE_SESSION = 0x1100, /* version 1, type 1, code of session data */
	PPP_FRAMING = 0xff03,   /* RFC 1662 section 3.1: address and control */
	PPP_IPV4 = 0x0021,      /* https://www.iana.org/assignments/ppp-numbers */
	PPP_IPV6 = 0x0057,
	PPP_MPLS = 0x0281,
	CHDLC_HEADER = 4, /* https://www.tcpdump.org/linktypes.html, LINKTYPE_C_HDLC */
	CHDLC_UNICAST = 0x0f00,
	CHDLC_MULTICAST = 0x8f00,
	PBB_TCI = 4, /* IEEE 802.1Q section 9.7, without the addresses of the customer */
	PBB_SID_MASK = 0xffffff,
	FABRICPATH_TAG = 2,
	FABRICPATH_FTAG_SHIFT = 6, /* the low bits are a time to live */
	VNTAG_HEADER = 6,          /* with the EtherType behind it */
	CMD_HEADER = 8,            /* the same */
	CMD_SGT =
	        0x010100, /* version 1, one option of 4 bytes; then its type, of which the low half is 1 */
};

/* RFC 2784, RFC 2890; version 1 is RFC 2637. */
enum {
	GRE_HEADER = 4,
	GRE_CHECKSUM = 0x8000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_REFUSED = 0x4c00, /* routing and what else of RFC 1701 went; RFC 2784 section 2.3 */
	GRE_ACK = 0x0080,
	GRE_VERSION_MASK = 0x0007,
	GRE_PPTP = 1,
	GRE_WORD = 4,
	PPTP_KEY = 4, /* payload length (2), call id (2) */
};

/* draft-foschiano-erspan-03 section 4 */
enum {
	ERSPAN_II_HEADER = 8,
	ERSPAN_II = 1, /* the version that it writes */
	ERSPAN_III_HEADER = 12,
	ERSPAN_III = 2,
	ERSPAN_SESSION_MASK = 0x03ff,
	ERSPAN_TAG_MASK = 0x1800, /* type II: how the frame's own tag travels */
	ERSPAN_TAG_KEPT = 0x1800, /* it is still in the frame */
	ERSPAN_III_SUBHEADER = 0x0001,
	ERSPAN_III_SUBHEADER_SIZE = 8,
	ERSPAN_III_FT_SHIFT = 10,
	ERSPAN_III_FT_MASK = 0x1f,
	ERSPAN_III_FT_ETHERNET = 0,
	ERSPAN_III_FT_IP = 2,
	ERSPAN_III_TIMESTAMP = 4,
};

/* https://www.iana.org/assignments/protocol-numbers */
enum {
	PROTO_IPV4 = 4,
	PROTO_IPV6 = 41,
	PROTO_GRE = 47,
	PROTO_MPLS = 137, /* RFC 4023 section 3.1 */
};

enum {
	VXLAN_VNI_VALID = 0x08000000,
	VXLAN_GROUP = 0x80000000,      /* draft-smith-vxlan-group-policy: the low half is a group */
	VXLAN_GROUP_BITS = 0x0048ffff, /* don't learn, policy applied, group */
	GENEVE_OPTIONS_SHIFT = 24,
	GENEVE_OPTIONS_WORD = 4,
	GENEVE_REFUSED =
	        0xc0bf0000, /* another version, a control packet (its own bit), reserved bits */
	GTP_HEADER = 8,     /* 3GPP TS 29.281 section 5.1 */
	GTP_FIXED_MASK = 0xf8ff, /* version, protocol type, spare bit, message type */
	GTP_G_PDU = 0x30ff,      /* version 1, GTP, 0; G-PDU */
	GTP_OPTIONAL = 0x0700,   /* any of E, S, PN: 4 more bytes */
	GTP_EXTENDED = 0x0400,   /* E: the last of them names an extension header */
	GTP_OPTIONAL_SKIP = 3,
	GTP_EXTENSION_WORD = 4,
	GTP_EXTENSION_FRAME = 2, /* its length and the next one's type */
	TEREDO_ORIGIN = 0x0000,  /* RFC 4380 section 5.1.1 */
	TEREDO_ORIGIN_SKIP = 6,
	TEREDO_AUTHENTICATION = 0x0001,
	TEREDO_NONCE = 9,           /* and the confirmation byte */
	TEREDO_PREFIX = 0x20010000, /* RFC 4380 section 2.6 */
	LINK_LOCAL_PREFIX = 0xfe800000,
	IPV6_BEFORE_LENGTH = 4,
	IPV6_BEFORE_SOURCE = 8,
};

enum mm_header mm_tunnel_ethertype(uint16_t type)
{
	switch (type) {
	case MM_ETHERTYPE_IPV4:
		return MM_HEADER_IPV4;
	case MM_ETHERTYPE_IPV6:
		return MM_HEADER_IPV6;
	case ETHERTYPE_VLAN:
	case ETHERTYPE_VLAN_S:
	case ETHERTYPE_VLAN_OLD:
		return MM_HEADER_VLAN;
	case ETHERTYPE_MPLS:
	case ETHERTYPE_MPLS_UP:
		return MM_HEADER_MPLS;
	case ETHERTYPE_PPPOE:
		return MM_HEADER_PPPOE;
	case ETHERTYPE_JUMBO_LLC:
		return MM_HEADER_LLC;
	case ETHERTYPE_PBB:
		return MM_HEADER_PBB;
	case ETHERTYPE_FABRICPATH:
		return MM_HEADER_FABRICPATH;
	case ETHERTYPE_CMD:
		return MM_HEADER_CMD;
	case ETHERTYPE_VNTAG:
		return MM_HEADER_VNTAG;
	default:
		return MM_HEADER_END;
	}
}

/* --- is it what it should be?
 * ---------------------------------------------------------------------- */

/** The IP header that the bytes begin with: one whose version and length fit the n_wire bytes there
 * were, of which it then says in *n how many are its packet's; MM_HEADER_END when there is none. */
static enum mm_header guess_ip(struct mm_slice s, size_t n_wire, size_t *n)
{
	struct mm_cursor c = mm_cursor(s);
	unsigned first = mm_u8(&c);
	mm_skip(&c, 1);
	size_t ihl = first & 0x0f;
	*n = mm_be16(&c);
	if (first >> 4 == 4 && !c.err && ihl >= MM_IPV4_IHL_MIN && *n >= ihl * 4 && *n <= n_wire)
		return MM_HEADER_IPV4;
	*n = MM_IPV6_HEADER + (size_t)mm_be16(&c);
	if (first >> 4 == 6 && !c.err && *n <= n_wire)
		return MM_HEADER_IPV6;
	return MM_HEADER_END;
}

/** Do the bytes begin with an Ethernet header whose type is one that this decoder reads, and do
 * they go on so? */
static bool guess_ethernet(struct mm_slice s, size_t n_wire)
{
	struct mm_cursor c = mm_cursor(s);
	mm_skip(&c, ETHERNET_ADDRESSES);
	uint16_t type = mm_be16(&c);
	if (c.err)
		return false;
	if (type <= MM_ETHERNET_LENGTH_MAX)
		return type <= n_wire - ETHERNET_HEADER && mm_be24(&c) == LLC_SNAP;
	enum mm_header next = mm_tunnel_ethertype(type);
	size_t n;
	if (next == MM_HEADER_IPV4 || next == MM_HEADER_IPV6)
		return guess_ip(mm_left(&c), n_wire - ETHERNET_HEADER, &n) == next;
	return next != MM_HEADER_END;
}

/* --- under an IP header: labels, tags, PPP
 * --------------------------------------------------------- */

/** What the last label is on: nothing tells but the first bits, as RFC 4928 section 3 explains and
 * RFC 4385 section 3 makes use of. Pseudowires without control word are older than that, and
 * addresses may begin with any nibble: what is IP to the last byte is IP, then what is a frame is
 * a frame. Only behind that come packets with padding; and the control word, as a tagged frame
 * without one could be taken for an untagged frame that has one. */
static enum mm_header read_labelled(struct mm_walk *w)
{
	struct mm_slice s = mm_left(&w->c);
	size_t n_wire = s.len + w->missing;
	struct mm_cursor h;
	size_t n;
	enum mm_header ip = guess_ip(s, n_wire, &n);
	if (ip != MM_HEADER_END && (n == n_wire || !guess_ethernet(s, n_wire)))
		return ip;
	if (guess_ethernet(s, n_wire))
		return MM_HEADER_ETHERNET;
	bool control = s.len > CONTROL_WORD && mm_at(s, 0) >> 4 == 0;
	if (!control || !guess_ethernet(mm_after(s, CONTROL_WORD), n_wire - CONTROL_WORD) ||
	        !mm_walk_take(w, CONTROL_WORD, &h))
		return mm_walk_end(w, MM_DECODE_OTHER);
	return MM_HEADER_ETHERNET;
}

/** Label (20 bits), traffic class (3), bottom of stack (1), time to live (8). RFC 3032 section 2.1.
 * A label of entropy differs from flow to flow and says nothing of the way: it is no part of the
 * path. */
static enum mm_header read_mpls(struct mm_walk *w)
{
	struct mm_cursor h;
	bool entropy = false;
	if (!mm_walk_take(w, MPLS_ENTRY, &h))
		return mm_walk_short(w, MPLS_ENTRY);
	uint32_t entry = mm_be32(&h), label = entry >> MPLS_LABEL_SHIFT;
	if (label == MPLS_ENTROPY && (entry & MPLS_BOTTOM) == 0) {
		if (!mm_walk_take(w, MPLS_ENTRY, &h))
			return mm_walk_short(w, MPLS_ENTRY);
		entry = mm_be32(&h);
		entropy = true;
	}
	if (!entropy)
		mm_path_add(w->path, MM_PATH_MPLS, label);
	return (entry & MPLS_BOTTOM) != 0 ? read_labelled(w) : MM_HEADER_MPLS;
}

/** Version and type (1), code (1), session (2), length (2). RFC 2516 section 4. */
static enum mm_header read_pppoe(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, PPPOE_HEADER, &h))
		return mm_walk_short(w, PPPOE_HEADER);
	uint16_t what = mm_be16(&h), session = mm_be16(&h);
	if (what != PPPOE_SESSION)
		return mm_walk_end(w, MM_DECODE_OTHER);
	if (!mm_walk_narrow(w, mm_be16(&h)))
		return mm_walk_end(w, MM_DECODE_MALFORMED);
	mm_path_add(w->path, MM_PATH_PPPOE, session);
	return MM_HEADER_PPP;
}

/** Address and control (2), which may be left out, and protocol (2), whose first byte may be left
 * out when it is zero: it ends with the first odd byte. RFC 1661 sections 2, 6.5 and 6.6. */
static enum mm_header read_ppp(struct mm_walk *w)
{
	struct mm_cursor c = w->c;
	uint16_t protocol = mm_be16(&c);
	if (!c.err && protocol == PPP_FRAMING) {
		w->c = c;
		protocol = mm_be16(&c);
	}
	int first = mm_peek8(&w->c);
	if (first >= 0 && (first & 1) != 0) {
		protocol = mm_u8(&w->c);
	} else {
		if (c.err)
			return mm_walk_short(w, sizeof protocol);
		w->c = c;
	}
	switch (protocol) {
	case PPP_IPV4:
		return MM_HEADER_IPV4;
	case PPP_IPV6:
		return MM_HEADER_IPV6;
	case PPP_MPLS:
		return MM_HEADER_MPLS;
	default:
		return mm_walk_end(w, MM_DECODE_OTHER);
	}
}

/** Address (1), control (1), EtherType (2). RFC 1547 section 4.3.1. */
static enum mm_header read_chdlc(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, CHDLC_HEADER, &h))
		return mm_walk_short(w, CHDLC_HEADER);
	uint16_t address = mm_be16(&h);
	if (address != CHDLC_UNICAST && address != CHDLC_MULTICAST)
		return mm_walk_end(w, MM_DECODE_OTHER);
	return mm_walk_ethertype(w, mm_be16(&h));
}

/** Flags (1), service id (3), and the customer's frame. IEEE 802.1Q section 9.7. */
static enum mm_header read_pbb(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, PBB_TCI, &h))
		return mm_walk_short(w, PBB_TCI);
	mm_path_add(w->path, MM_PATH_PBB, mm_be32(&h) & PBB_SID_MASK);
	return MM_HEADER_ETHERNET;
}

/** Forwarding tag (10 bits), time to live (6), and the frame. */
static enum mm_header read_fabricpath(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, FABRICPATH_TAG, &h))
		return mm_walk_short(w, FABRICPATH_TAG);
	mm_path_add(w->path, MM_PATH_FABRICPATH, mm_be16(&h) >> FABRICPATH_FTAG_SHIFT);
	return MM_HEADER_ETHERNET;
}

/** Direction (1 bit), pointer (1), destination interface (14), looped (1), reserved (1), version
 * (2), source interface (12); EtherType (2). Of the interfaces the one at the extender tells the
 * way: towards it the destination. */
static enum mm_header read_vntag(struct mm_walk *w)
{
	enum { TO_EXTENDER = 0x8000, DESTINATION_MASK = 0x3fff, SOURCE_MASK = 0x0fff };
	struct mm_cursor h;
	if (!mm_walk_take(w, VNTAG_HEADER, &h))
		return mm_walk_short(w, VNTAG_HEADER);
	uint16_t destination = mm_be16(&h), source = mm_be16(&h);
	mm_path_add(w->path, MM_PATH_VNTAG,
	        (destination & TO_EXTENDER) != 0 ? destination & DESTINATION_MASK
	                                         : source & SOURCE_MASK);
	return mm_walk_ethertype(w, mm_be16(&h));
}

/** Version (1), length (1), option type (2), security group (2); EtherType (2). */
static enum mm_header read_cmd(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, CMD_HEADER, &h))
		return mm_walk_short(w, CMD_HEADER);
	uint32_t what = mm_be24(&h), option = mm_u8(&h);
	if (what != CMD_SGT || option != 1)
		return mm_walk_end(w, MM_DECODE_OTHER);
	mm_path_add(w->path, MM_PATH_SGT, mm_be16(&h));
	return mm_walk_ethertype(w, mm_be16(&h));
}

/* --- over IP
 * --------------------------------------------------------------------------------------- */

/** The IP header read last is an outer one: whatever comes next begins anew. */
static void leave_ip(struct mm_walk *w)
{
	mm_path_add(w->path, w->src.len == MM_IPV6_ADDRESS ? MM_PATH_IP6 : MM_PATH_IP, 0);
	w->whole = false;
}

enum mm_header mm_tunnel_ip_proto(struct mm_walk *w, uint8_t proto)
{
	switch (proto) {
	case PROTO_IPV4:
		leave_ip(w);
		return MM_HEADER_IPV4;
	case PROTO_IPV6:
		leave_ip(w);
		return MM_HEADER_IPV6;
	case PROTO_GRE:
		leave_ip(w);
		return MM_HEADER_GRE;
	case PROTO_MPLS:
		leave_ip(w);
		return MM_HEADER_MPLS;
	default:
		return mm_walk_end(w, MM_DECODE_OTHER);
	}
}

static void add_erspan(struct mm_walk *w, uint16_t vlan, uint16_t flags, bool tag_in_frame)
{
	mm_path_add(w->path, MM_PATH_ERSPAN, flags & ERSPAN_SESSION_MASK);
	if ((vlan & VLAN_ID_MASK) != 0 && !tag_in_frame)
		mm_path_add(w->path, MM_PATH_VLAN, vlan & VLAN_ID_MASK);
}

/** Version (4 bits), VLAN (12), class (3), tag (2), truncated (1), session (10); reserved and index
 * (4). */
static enum mm_header read_erspan_ii(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, ERSPAN_II_HEADER, &h))
		return mm_walk_short(w, ERSPAN_II_HEADER);
	uint16_t vlan = mm_be16(&h), flags = mm_be16(&h);
	if (vlan >> 12 != ERSPAN_II)
		return mm_walk_end(w, MM_DECODE_OTHER);
	add_erspan(w, vlan, flags, (flags & ERSPAN_TAG_MASK) == ERSPAN_TAG_KEPT);
	return MM_HEADER_ETHERNET;
}

/** Version (4 bits), VLAN (12), class (3), health (2), truncated (1), session (10); time (4);
 * security group (2); protocol frame (1 bit), frame type (5), hardware (6), direction (1),
 * granularity (2), subheader follows (1). */
static enum mm_header read_erspan_iii(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, ERSPAN_III_HEADER, &h))
		return mm_walk_short(w, ERSPAN_III_HEADER);
	uint16_t vlan = mm_be16(&h), flags = mm_be16(&h);
	mm_skip(&h, ERSPAN_III_TIMESTAMP + sizeof(uint16_t));
	uint16_t more = mm_be16(&h);
	if (vlan >> 12 != ERSPAN_III)
		return mm_walk_end(w, MM_DECODE_OTHER);
	if ((more & ERSPAN_III_SUBHEADER) != 0 && !mm_walk_take(w, ERSPAN_III_SUBHEADER_SIZE, &h))
		return mm_walk_short(w, ERSPAN_III_SUBHEADER_SIZE);
	add_erspan(w, vlan, flags, false);
	switch (more >> ERSPAN_III_FT_SHIFT & ERSPAN_III_FT_MASK) {
	case ERSPAN_III_FT_ETHERNET:
		return MM_HEADER_ETHERNET;
	case ERSPAN_III_FT_IP:
		return MM_HEADER_RAW;
	default:
		return mm_walk_end(w, MM_DECODE_OTHER);
	}
}

/** RFC 2637 section 4.1: key (4), of it payload length (2) and call id (2); sequence and
 * acknowledgment number (4, 4) when flagged. Without a sequence number there is no payload. */
static enum mm_header read_pptp(struct mm_walk *w, uint16_t flags, uint16_t type)
{
	struct mm_cursor h;
	size_t n = (size_t)PPTP_KEY + ((flags & GRE_SEQUENCE) != 0 ? GRE_WORD : 0) +
	           ((flags & GRE_ACK) != 0 ? GRE_WORD : 0);
	if (type != ETHERTYPE_PPP || (flags & (GRE_CHECKSUM | GRE_KEY | GRE_REFUSED)) != GRE_KEY)
		return mm_walk_end(w, MM_DECODE_OTHER);
	if (!mm_walk_take(w, n, &h))
		return mm_walk_short(w, n);
	size_t length = mm_be16(&h);
	uint16_t call = mm_be16(&h);
	if ((flags & GRE_SEQUENCE) == 0)
		return mm_walk_end(w, MM_DECODE_OTHER);
	if (!mm_walk_narrow(w, length))
		return mm_walk_end(w, MM_DECODE_MALFORMED);
	mm_path_add(w->path, MM_PATH_PPTP, call);
	return MM_HEADER_PPP;
}

/** Flags and version (2), EtherType (2), then checksum with reserved (4), key (4), sequence number
 * (4) when flagged. RFC 2784 section 2, RFC 2890 section 2. */
static enum mm_header read_gre(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, GRE_HEADER, &h))
		return mm_walk_short(w, GRE_HEADER);
	uint16_t flags = mm_be16(&h), type = mm_be16(&h);
	if ((flags & GRE_VERSION_MASK) == GRE_PPTP)
		return read_pptp(w, flags, type);
	if ((flags & (GRE_VERSION_MASK | GRE_REFUSED)) != 0)
		return mm_walk_end(w, MM_DECODE_OTHER);
	size_t before_key = (flags & GRE_CHECKSUM) != 0 ? GRE_WORD : 0;
	size_t n = before_key + ((flags & GRE_KEY) != 0 ? GRE_WORD : 0) +
	           ((flags & GRE_SEQUENCE) != 0 ? GRE_WORD : 0);
	if (!mm_walk_take(w, n, &h))
		return mm_walk_short(w, n);
	mm_skip(&h, before_key);
	if ((flags & GRE_KEY) != 0)
		mm_path_add(w->path, MM_PATH_GRE_KEY, mm_be32(&h));
	else
		mm_path_add(w->path, MM_PATH_GRE, 0);
	switch (type) {
	case ETHERTYPE_BRIDGING:
		return MM_HEADER_ETHERNET;
	case ETHERTYPE_PPP:
		return MM_HEADER_PPP;
	case ETHERTYPE_ERSPAN: /* type I is the frame alone, and counts nothing */
		if ((flags & GRE_SEQUENCE) != 0)
			return read_erspan_ii(w);
		mm_path_add(w->path, MM_PATH_ERSPAN_I, 0);
		return MM_HEADER_ETHERNET;
	case ETHERTYPE_ERSPAN_III:
		return read_erspan_iii(w);
	default:
		return mm_walk_ethertype(w, type);
	}
}

/* --- over UDP
 * -------------------------------------------------------------------------------------- */

/** The header ended at c and was that of a tunnel: go on behind it. */
static enum mm_header enter(struct mm_walk *w, const struct mm_cursor *c, enum mm_path_kind kind,
        uint32_t id, enum mm_header next)
{
	leave_ip(w);
	mm_path_add(w->path, kind, id);
	w->c = *c;
	return next;
}

/** Flags (1), reserved (3), VNI (3), reserved (1). RFC 7348 section 5. */
static enum mm_header read_vxlan(struct mm_walk *w)
{
	struct mm_cursor c = w->c;
	uint32_t flags = mm_be32(&c), vni = mm_be32(&c);
	uint32_t allowed = (flags & VXLAN_GROUP) != 0 ? VXLAN_GROUP | VXLAN_GROUP_BITS : 0;
	bool sane = (flags & ~allowed) == VXLAN_VNI_VALID && (vni & 0xff) == 0;
	if (c.err || !sane || !guess_ethernet(mm_left(&c), c.len + w->missing))
		return MM_HEADER_END;
	return enter(w, &c, MM_PATH_VXLAN, vni >> 8, MM_HEADER_ETHERNET);
}

/** The same with a flag that the last byte of the reserved is what comes next.
 * draft-ietf-nvo3-vxlan-gpe section 3. */
static enum mm_header read_vxlan_gpe(struct mm_walk *w)
{
	enum { VNI_AND_NEXT_VALID = 0x0c000000, NEXT_IPV4 = 1, NEXT_IPV6 = 2, NEXT_ETHERNET = 3 };
	struct mm_cursor c = w->c;
	uint32_t flags = mm_be32(&c), vni = mm_be32(&c), next = flags & 0xff;
	size_t n_wire = c.len + w->missing, n;
	if (c.err || flags - next != VNI_AND_NEXT_VALID || (vni & 0xff) != 0)
		return MM_HEADER_END;
	enum mm_header inner = guess_ip(mm_left(&c), n_wire, &n);
	if (next == NEXT_ETHERNET && guess_ethernet(mm_left(&c), n_wire))
		return enter(w, &c, MM_PATH_VXLAN, vni >> 8, MM_HEADER_ETHERNET);
	if ((next == NEXT_IPV4 && inner == MM_HEADER_IPV4) ||
	        (next == NEXT_IPV6 && inner == MM_HEADER_IPV6))
		return enter(w, &c, MM_PATH_VXLAN, vni >> 8, inner);
	return MM_HEADER_END;
}

/** Version (2 bits), options' length (6), control (1), critical (1), reserved (6), EtherType (16);
 * VNI (3), reserved (1); options. RFC 8926 section 3.4. */
static enum mm_header read_geneve(struct mm_walk *w)
{
	struct mm_cursor c = w->c;
	uint32_t head = mm_be32(&c), vni = mm_be32(&c);
	mm_skip(&c, (size_t)(head >> GENEVE_OPTIONS_SHIFT & 0x3f) * GENEVE_OPTIONS_WORD);
	if (c.err || (head & GENEVE_REFUSED) != 0 || (vni & 0xff) != 0)
		return MM_HEADER_END;
	size_t n_wire = c.len + w->missing, n;
	uint16_t type = head & 0xffff;
	enum mm_header next = guess_ip(mm_left(&c), n_wire, &n);
	if (type == ETHERTYPE_BRIDGING && guess_ethernet(mm_left(&c), n_wire))
		next = MM_HEADER_ETHERNET;
	else if (next == MM_HEADER_END || mm_tunnel_ethertype(type) != next)
		return MM_HEADER_END;
	return enter(w, &c, MM_PATH_GENEVE, vni >> 8, next);
}

/** Flags (1), message type (1), length (2), TEID (4); when flagged sequence number (2), N-PDU
 * number (1), next extension (1), and the extensions. 3GPP TS 29.281 sections 5.1 and 5.2. */
static enum mm_header read_gtp(struct mm_walk *w)
{
	struct mm_cursor c = w->c;
	uint16_t head = mm_be16(&c);
	size_t length = mm_be16(&c), n;
	uint32_t teid = mm_be32(&c);
	if (c.err || (head & GTP_FIXED_MASK) != GTP_G_PDU || length != c.len + w->missing)
		return MM_HEADER_END;
	uint8_t extension = 0;
	if ((head & GTP_OPTIONAL) != 0) {
		mm_skip(&c, GTP_OPTIONAL_SKIP);
		extension = mm_u8(&c);
	}
	if ((head & GTP_EXTENDED) == 0)
		extension = 0; /* the field means nothing then */
	while (extension != 0 && !c.err) {
		n = (size_t)mm_u8(&c) * GTP_EXTENSION_WORD;
		if (n == 0)
			return MM_HEADER_END;
		mm_skip(&c, n - GTP_EXTENSION_FRAME);
		extension = mm_u8(&c);
	}
	enum mm_header next = c.err ? MM_HEADER_END : guess_ip(mm_left(&c), c.len + w->missing, &n);
	return next == MM_HEADER_END ? next : enter(w, &c, MM_PATH_GTP, teid, next);
}

/** The indications that may stand before the packet: authentication, then origin. RFC 4380 section
 * 5.1.1. */
static void skip_teredo_indications(struct mm_cursor *c)
{
	struct mm_cursor ahead = *c;
	uint16_t what = mm_be16(&ahead);
	if (!ahead.err && what == TEREDO_AUTHENTICATION) {
		size_t n_id = mm_u8(&ahead);
		size_t n_value = mm_u8(&ahead);
		mm_skip(&ahead, n_id + n_value + (size_t)TEREDO_NONCE);
		*c = ahead;
		what = mm_be16(&ahead);
	}
	if (!ahead.err && what == TEREDO_ORIGIN) {
		mm_skip(&ahead, TEREDO_ORIGIN_SKIP);
		*c = ahead;
	}
}

/** An IPv6 packet of Teredo addresses, or of link-local ones while they are sought, behind its
 * indications. Trailers may follow it (RFC 6081 section 4). */
static enum mm_header read_teredo(struct mm_walk *w)
{
	struct mm_cursor c = w->c;
	size_t n;
	skip_teredo_indications(&c);
	if (c.err || guess_ip(mm_left(&c), c.len + w->missing, &n) != MM_HEADER_IPV6)
		return MM_HEADER_END;
	struct mm_cursor h = c;
	mm_skip(&h, IPV6_BEFORE_SOURCE);
	uint32_t src = mm_be32(&h);
	mm_skip(&h, MM_IPV6_ADDRESS - sizeof src);
	uint32_t dst = mm_be32(&h);
	if (h.err || (src != TEREDO_PREFIX && dst != TEREDO_PREFIX && src != LINK_LOCAL_PREFIX))
		return MM_HEADER_END;
	return enter(w, &c, MM_PATH_TEREDO, 0, MM_HEADER_IPV6);
}

enum mm_header mm_tunnel_udp(struct mm_walk *w, uint16_t src_port, uint16_t dst_port)
{
	switch (dst_port) {
	case MM_PORT_VXLAN:
	case MM_PORT_VXLAN_LINUX:
		return read_vxlan(w);
	case MM_PORT_VXLAN_GPE:
		return read_vxlan_gpe(w);
	case MM_PORT_GENEVE:
		return read_geneve(w);
	case MM_PORT_GTP_U:
		return read_gtp(w);
	case MM_PORT_TEREDO:
		return read_teredo(w);
	default:
		return src_port == MM_PORT_TEREDO ? read_teredo(w) : MM_HEADER_END;
	}
}

enum mm_header mm_tunnel_read(struct mm_walk *w, enum mm_header header)
{
	/* clang-format off */
	switch (header) {
	case MM_HEADER_MPLS:		return read_mpls(w);
	case MM_HEADER_PPPOE:		return read_pppoe(w);
	case MM_HEADER_PPP:		return read_ppp(w);
	case MM_HEADER_CHDLC:		return read_chdlc(w);
	case MM_HEADER_PBB:		return read_pbb(w);
	case MM_HEADER_FABRICPATH:	return read_fabricpath(w);
	case MM_HEADER_VNTAG:		return read_vntag(w);
	case MM_HEADER_CMD:		return read_cmd(w);
	case MM_HEADER_GRE:		return read_gre(w);
	case MM_HEADER_END:
	case MM_HEADER_ETHERNET:
	case MM_HEADER_VLAN:
	case MM_HEADER_LLC:
	case MM_HEADER_SLL:
	case MM_HEADER_SLL2:
	case MM_HEADER_NULL:
	case MM_HEADER_RAW:
	case MM_HEADER_IPV4:
	case MM_HEADER_IPV6:
	case MM_HEADER_IPV6_OPTIONS:
	case MM_HEADER_IPV6_FRAGMENT:
	case MM_HEADER_AH:
	case MM_HEADER_TCP:
	case MM_HEADER_UDP:
		break;
	}
	/* clang-format on */
	return mm_walk_end(w, MM_DECODE_OTHER);
}
