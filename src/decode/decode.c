/* One packet, from its link layer to TCP or UDP.
 *
 * One small function per header, as walk.h has it; mm_decode() follows them for at most
 * MM_DECODE_DEPTH_MAX steps. A new encapsulation is one more function and one more case, in
 * tunnel.c. */
#include "decode/walk.h"

#include <stdlib.h>

#include "decode/frag.h"

enum {
	ETHERNET_HEADER = 14, /* IEEE 802.3 clause 3: two addresses of 6 bytes, type or length */
	ETHERNET_ADDRESSES = 12,
	ETHERTYPE_MIN = 0x0600,
	VLAN_HEADER = 4,
	VLAN_ID_MASK = 0x0fff,
	LLC_HEADER = 3,          /* DSAP, SSAP, control */
	LLC_SNAP = 0xaaaa03,     /* IEEE 802.2: both SAPs of SNAP, unnumbered information */
	SNAP_HEADER = 5,         /* organisation, type */
	SNAP_RFC1042 = 0x000000, /* RFC 1042: type is an EtherType */
	SNAP_802_1H = 0x0000f8,  /* IEEE 802.1H, the same through a bridge */
	SLL_HEADER = 16,         /* https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html */
	SLL_BEFORE_PROTOCOL = 14,
	SLL2_HEADER = 20, /* https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html */
	SLL_PROTOCOL_LLC = 0x0004,
	NULL_HEADER = 4, /* https://www.tcpdump.org/linktypes.html, LINKTYPE_NULL */
	AF_IPV4 = 2,
	AF_IPV6_LINUX = 10,
	AF_IPV6_BSD = 24,
	AF_IPV6_FREEBSD = 28,
	AF_IPV6_DARWIN = 30,
	LINK_RAW_OPENBSD = 14, /* DLT_RAW of OpenBSD, found in old files */
};

enum {
	IPV4_HEADER = 20, /* RFC 791 section 3.1 */
	IPV4_MORE = 0x2000,
	IPV4_OFFSET_MASK = 0x1fff,
	IPV4_ADDRESS = 4,
	IPV6_OPTIONS_MIN = 2, /* next header, length; RFC 8200 section 4.3 */
	IPV6_FRAGMENT = 8,    /* RFC 8200 section 4.5 */
	IPV6_MORE = 0x0001,
	IPV6_OFFSET_MASK = 0xfff8,
	FRAGMENT_UNIT = 8,
	AH_MIN = 2,            /* next header, length; RFC 4302 section 2 */
	TCP_HEADER = 20,       /* RFC 9293 section 3.1 */
	TCP_OFFSET_MIN = 5,    /* in words of 4 bytes */
	TCP_FLAGS_MASK = 0x3f, /* URG ACK PSH RST SYN FIN */
	UDP_HEADER = 8,        /* RFC 768 */
};

/* https://www.iana.org/assignments/protocol-numbers */
enum {
	PROTO_HOP_BY_HOP = 0,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_DEST_OPTIONS = 60,
};

struct mm_decoder {
	struct mm_decode_stats stats;
	struct mm_hash_key key;
	struct mm_frag_table *frags; /* made for the first fragment: most runs see none */
};

/** Type and length share a field: IEEE 802.3 section 3.2.6. */
static inline enum mm_header read_type_or_length(struct mm_walk *w, uint16_t type)
{
	if (type > MM_ETHERNET_LENGTH_MAX)
		return mm_walk_ethertype(w, type);
	if (!mm_walk_narrow(w, type))
		return mm_walk_end(w, MM_DECODE_MALFORMED);
	return MM_HEADER_LLC;
}

static inline enum mm_header read_ethernet(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, ETHERNET_HEADER, &h))
		return mm_walk_short(w, ETHERNET_HEADER);
	mm_skip(&h, ETHERNET_ADDRESSES);
	return read_type_or_length(w, mm_be16(&h));
}

/** TCI (2): priority, drop eligible, VLAN id; type or length (2). IEEE 802.1Q section 9.6. */
static enum mm_header read_vlan(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, VLAN_HEADER, &h))
		return mm_walk_short(w, VLAN_HEADER);
	uint16_t tci = mm_be16(&h);
	if ((tci & VLAN_ID_MASK) != 0) /* id 0 is a priority tag and names no VLAN */
		mm_path_add(w->path, MM_PATH_VLAN, tci & VLAN_ID_MASK);
	return read_type_or_length(w, mm_be16(&h));
}

static enum mm_header read_llc(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, LLC_HEADER, &h))
		return mm_walk_short(w, LLC_HEADER);
	if (mm_be24(&h) != LLC_SNAP)
		return mm_walk_end(w, MM_DECODE_OTHER);
	if (!mm_walk_take(w, SNAP_HEADER, &h))
		return mm_walk_short(w, SNAP_HEADER);
	uint32_t organisation = mm_be24(&h);
	if (organisation != SNAP_RFC1042 && organisation != SNAP_802_1H)
		return mm_walk_end(w, MM_DECODE_OTHER);
	return mm_walk_ethertype(w, mm_be16(&h));
}

static enum mm_header read_sll_protocol(struct mm_walk *w, uint16_t protocol)
{
	if (protocol >= ETHERTYPE_MIN)
		return mm_walk_ethertype(w, protocol);
	return protocol == SLL_PROTOCOL_LLC ? MM_HEADER_LLC : mm_walk_end(w, MM_DECODE_OTHER);
}

/** Packet type (2), ARPHRD_ (2), address length (2), address (8), protocol (2). */
static enum mm_header read_sll(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, SLL_HEADER, &h))
		return mm_walk_short(w, SLL_HEADER);
	mm_skip(&h, SLL_BEFORE_PROTOCOL);
	return read_sll_protocol(w, mm_be16(&h));
}

/** Protocol (2), reserved (2), interface (4), ARPHRD_ (2), packet type (1), address length (1),
 * address (8). */
static enum mm_header read_sll2(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, SLL2_HEADER, &h))
		return mm_walk_short(w, SLL2_HEADER);
	return read_sll_protocol(w, mm_be16(&h));
}

/** Address family (4), in the byte order of the capturing host (NULL) or big-endian (LOOP). */
static enum mm_header read_null(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, NULL_HEADER, &h))
		return mm_walk_short(w, NULL_HEADER);
	uint32_t family = mm_be32(&h);
	if (family > UINT16_MAX) /* all families are small: it is the other order */
		family = __builtin_bswap32(family);
	switch (family) {
	case AF_IPV4:
		return MM_HEADER_IPV4;
	case AF_IPV6_LINUX:
	case AF_IPV6_BSD:
	case AF_IPV6_FREEBSD:
	case AF_IPV6_DARWIN:
		return MM_HEADER_IPV6;
	default:
		return mm_walk_end(w, MM_DECODE_OTHER);
	}
}

/** No link layer: the IP version tells. */
static enum mm_header read_raw(struct mm_walk *w)
{
	int first = mm_peek8(&w->c);
	if (first < 0)
		return mm_walk_short(w, 1);
	switch (first >> 4) {
	case 4:
		return MM_HEADER_IPV4;
	case 6:
		return MM_HEADER_IPV6;
	default:
		return mm_walk_end(w, MM_DECODE_OTHER);
	}
}

static inline enum mm_header read_ip_proto(struct mm_walk *w, uint8_t proto)
{
	bool ipv6 = w->src.len == MM_IPV6_ADDRESS;
	switch (proto) {
	case PROTO_TCP:
		return MM_HEADER_TCP;
	case PROTO_UDP:
		return MM_HEADER_UDP;
	case PROTO_AH:
		return MM_HEADER_AH;
	case PROTO_HOP_BY_HOP:
	case PROTO_ROUTING:
	case PROTO_DEST_OPTIONS:
		return ipv6 ? MM_HEADER_IPV6_OPTIONS : mm_walk_end(w, MM_DECODE_OTHER);
	case PROTO_FRAGMENT:
		return ipv6 ? MM_HEADER_IPV6_FRAGMENT : mm_walk_end(w, MM_DECODE_OTHER);
	default:
		return mm_tunnel_ip_proto(w, proto);
	}
}

/** Give the rest of the packet, a fragment, to the table, and go on in the datagram when it is
 * whole. frag: offset, more, next_header, and of the key id and ip_proto. */
static enum mm_header read_fragment(struct mm_walk *w, struct mm_frag *frag)
{
	struct mm_frag_whole whole;
	/* A fragment of what was just put together is an attack. Another IP header's is not: a
	 * tunnel's datagram may be cut like any other. */
	if (w->whole)
		return mm_walk_end(w, MM_DECODE_MALFORMED);
	struct mm_decoder *d = w->d;
	if (d->frags == NULL && mm_frag_table_new(&d->key, &d->stats, &d->frags) != MM_OK) {
		d->stats.n_fragments_dropped++;
		return mm_walk_end(w, MM_DECODE_FRAGMENT);
	}
	frag->key.family = w->src.len == MM_IPV6_ADDRESS ? 6 : 4;
	if (w->path->len != 0)
		frag->key.path = *w->path;
	memcpy(frag->key.src, w->src.p, w->src.len);
	memcpy(frag->key.dst, w->dst.p, w->dst.len);
	frag->time_ns = w->pkt->time_ns;
	frag->id = w->reassembled ? w->first : w->pkt->id;
	frag->payload = mm_left(&w->c);
	frag->missing = w->missing;
	switch (mm_frag_add(w->d->frags, frag, &whole)) {
	case MM_FRAG_MALFORMED:
		return mm_walk_end(w, MM_DECODE_MALFORMED);
	case MM_FRAG_HELD:
		w->d->stats.n_fragments++;
		return mm_walk_end(w, MM_DECODE_FRAGMENT);
	case MM_FRAG_WHOLE:
		break;
	}
	w->d->stats.n_fragments++;
	w->c = mm_cursor(whole.payload);
	w->missing = 0;
	w->first = whole.first;
	w->reassembled = w->whole = true;
	return read_ip_proto(w, whole.next_header);
}

/** RFC 791 section 3.1: version and IHL (1), service (1), total length (2), identification (2),
 * flags and fragment offset (2), time to live (1), protocol (1), checksum (2), source (4),
 * destination (4), options. */
static inline enum mm_header read_ipv4(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, IPV4_HEADER, &h))
		return mm_walk_short(w, IPV4_HEADER);
	uint8_t version_ihl = mm_u8(&h);
	mm_skip(&h, 1);
	size_t total = mm_be16(&h);
	uint16_t id = mm_be16(&h);
	uint16_t flags = mm_be16(&h);
	mm_skip(&h, 1);
	uint8_t proto = mm_u8(&h);
	mm_skip(&h, 2);
	w->src = mm_take(&h, IPV4_ADDRESS);
	w->dst = mm_take(&h, IPV4_ADDRESS);
	size_t ihl = version_ihl & 0x0fu;
	if (version_ihl >> 4 != 4 || ihl < MM_IPV4_IHL_MIN)
		return mm_walk_end(w, MM_DECODE_MALFORMED);
	/* Length 0: a segment for the network card to cut up, too long for the field. */
	if (total != 0 && (total < ihl * 4 || !mm_walk_narrow(w, total - IPV4_HEADER)))
		return mm_walk_end(w, MM_DECODE_MALFORMED);
	if (ihl != MM_IPV4_IHL_MIN) {
		size_t options = ihl * 4 - IPV4_HEADER;
		if (!mm_walk_take(w, options, &h))
			return mm_walk_short(w, options);
	}
	if ((flags & (IPV4_MORE | IPV4_OFFSET_MASK)) == 0)
		return read_ip_proto(w, proto);
	struct mm_frag frag = {
		.key = { .id = id, .ip_proto = proto },
		.offset = (uint32_t)(flags & IPV4_OFFSET_MASK) * FRAGMENT_UNIT,
		.more = (flags & IPV4_MORE) != 0,
		.next_header = proto,
	};
	return read_fragment(w, &frag);
}

/** RFC 8200 section 3: version, class and flow label (4), payload length (2), next header (1), hop
 * limit (1), source (16), destination (16). */
static inline enum mm_header read_ipv6(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, MM_IPV6_HEADER, &h))
		return mm_walk_short(w, MM_IPV6_HEADER);
	unsigned version = mm_u8(&h) >> 4u;
	mm_skip(&h, 3);
	size_t length = mm_be16(&h);
	uint8_t next = mm_u8(&h);
	mm_skip(&h, 1);
	w->src = mm_take(&h, MM_IPV6_ADDRESS);
	w->dst = mm_take(&h, MM_IPV6_ADDRESS);
	/* Length 0: a jumbogram (RFC 2675), or as in IPv4. */
	if (version != 6 || (length != 0 && !mm_walk_narrow(w, length)))
		return mm_walk_end(w, MM_DECODE_MALFORMED);
	return read_ip_proto(w, next);
}

/** Skip the n bytes left of a header whose next header and length were read. */
static enum mm_header skip_extension(struct mm_walk *w, uint8_t next, size_t n)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, n, &h))
		return mm_walk_short(w, n);
	return read_ip_proto(w, next);
}

/** Hop-by-hop options, routing, destination options: next header (1), length (1) in units of 8
 * bytes without the first 8. RFC 8200 sections 4.3, 4.4, 4.6. */
static enum mm_header read_ipv6_options(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, IPV6_OPTIONS_MIN, &h))
		return mm_walk_short(w, IPV6_OPTIONS_MIN);
	uint8_t next = mm_u8(&h);
	return skip_extension(w, next, (mm_u8(&h) + (size_t)1) * 8 - IPV6_OPTIONS_MIN);
}

/** Next header (1), length (1) in units of 4 bytes minus 2, and more. RFC 4302 section 2. */
static enum mm_header read_ah(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, AH_MIN, &h))
		return mm_walk_short(w, AH_MIN);
	uint8_t next = mm_u8(&h);
	return skip_extension(w, next, (mm_u8(&h) + (size_t)2) * 4 - AH_MIN);
}

/** RFC 8200 section 4.5: next header (1), reserved (1), offset and more-flag (2), identification
 * (4). */
static enum mm_header read_ipv6_fragment(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, IPV6_FRAGMENT, &h))
		return mm_walk_short(w, IPV6_FRAGMENT);
	struct mm_frag frag = { .next_header = mm_u8(&h) };
	mm_skip(&h, 1);
	uint16_t flags = mm_be16(&h);
	frag.key.id = mm_be32(&h);
	frag.offset = flags & IPV6_OFFSET_MASK;
	frag.more = (flags & IPV6_MORE) != 0;
	/* Atomic fragments stand alone, whatever else carries their identification: RFC 6946. */
	if (frag.offset == 0 && !frag.more)
		return read_ip_proto(w, frag.next_header);
	return read_fragment(w, &frag);
}

/* Written in place: a value built first and then copied stalls on its own stores. */
static inline void put_endpoint(struct mm_endpoint *e, struct mm_slice s, uint16_t port)
{
	memset(e->addr.b, 0, sizeof e->addr.b);
	if (s.len == IPV4_ADDRESS) {
		e->addr.family = 4;
		memcpy(e->addr.b, s.p, IPV4_ADDRESS);
	} else {
		e->addr.family = 6;
		memcpy(e->addr.b, s.p, MM_IPV6_ADDRESS);
	}
	e->port = port;
}

/** Fill *out but for what only TCP has. */
static inline enum mm_header end_segment(
        struct mm_walk *w, uint8_t ip_proto, uint16_t src_port, uint16_t dst_port)
{
	struct mm_segment *out = w->out;
	put_endpoint(&out->src, w->src, src_port);
	put_endpoint(&out->dst, w->dst, dst_port);
	out->ip_proto = ip_proto;
	mm_path_copy(&out->path, w->path);
	out->payload = mm_left(&w->c);
	out->missing = w->missing;
	out->first = w->reassembled ? w->first : w->pkt->id;
	return mm_walk_end(w, MM_DECODE_SEGMENT);
}

/** RFC 9293 section 3.1: ports (2, 2), sequence (4), acknowledgment (4), data offset (4 bits),
 * reserved and flags (12 bits), window (2), checksum (2), urgent pointer (2), options. */
static inline enum mm_header read_tcp(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, TCP_HEADER, &h))
		return mm_walk_short(w, TCP_HEADER);
	uint16_t src_port = mm_be16(&h);
	uint16_t dst_port = mm_be16(&h);
	uint32_t seq = mm_be32(&h);
	uint32_t ack = mm_be32(&h);
	uint16_t flags = mm_be16(&h);
	size_t offset = (size_t)flags >> 12;
	if (offset < TCP_OFFSET_MIN)
		return mm_walk_end(w, MM_DECODE_MALFORMED);
	size_t options = offset * 4 - TCP_HEADER;
	if (options > w->c.len) {
		size_t cut = options - w->c.len;
		if (cut > w->missing)
			return mm_walk_end(w, MM_DECODE_MALFORMED);
		w->missing -= cut;
	}
	w->c = mm_cursor(mm_after(mm_left(&w->c), options));
	w->out->tcp_flags = flags & TCP_FLAGS_MASK;
	w->out->seq = seq;
	w->out->ack = ack;
	return end_segment(w, PROTO_TCP, src_port, dst_port);
}

/** RFC 768: ports (2, 2), length with this header (2), checksum (2). */
static enum mm_header read_udp(struct mm_walk *w)
{
	struct mm_cursor h;
	if (!mm_walk_take(w, UDP_HEADER, &h))
		return mm_walk_short(w, UDP_HEADER);
	uint16_t src_port = mm_be16(&h);
	uint16_t dst_port = mm_be16(&h);
	size_t length = mm_be16(&h);
	/* Length 0: longer than the field can say, RFC 2675 section 4. */
	if (length != 0 && (length < UDP_HEADER || !mm_walk_narrow(w, length - UDP_HEADER)))
		return mm_walk_end(w, MM_DECODE_MALFORMED);
	if (mm_tunnel_port(src_port, dst_port)) {
		enum mm_header inner = mm_tunnel_udp(w, src_port, dst_port);
		if (inner != MM_HEADER_END)
			return inner;
	}
	w->out->tcp_flags = 0;
	w->out->seq = 0;
	w->out->ack = 0;
	return end_segment(w, PROTO_UDP, src_port, dst_port);
}

static enum mm_header read_link(struct mm_walk *w, uint32_t linktype)
{
	if (linktype == MM_LINK_ETHERNET)
		return MM_HEADER_ETHERNET;
	switch (linktype) {
	case MM_LINK_NULL:
	case MM_LINK_LOOP:
		return MM_HEADER_NULL;
	case MM_LINK_RAW:
	case MM_LINK_RAW_OLD:
	case LINK_RAW_OPENBSD:
		return MM_HEADER_RAW;
	case MM_LINK_IPV4:
		return MM_HEADER_IPV4;
	case MM_LINK_IPV6:
		return MM_HEADER_IPV6;
	case MM_LINK_LINUX_SLL:
		return MM_HEADER_SLL;
	case MM_LINK_LINUX_SLL2:
		return MM_HEADER_SLL2;
	case MM_LINK_PPP:
	case MM_LINK_PPP_HDLC:
		return MM_HEADER_PPP;
	case MM_LINK_PPP_ETHER:
		return MM_HEADER_PPPOE;
	case MM_LINK_C_HDLC:
		return MM_HEADER_CHDLC;
	default:
		return mm_walk_end(w, MM_DECODE_UNSUPPORTED);
	}
}

static inline enum mm_header read_header(struct mm_walk *w, enum mm_header header)
{
	switch (header) {
	case MM_HEADER_ETHERNET:
		return read_ethernet(w);
	case MM_HEADER_VLAN:
		return read_vlan(w);
	case MM_HEADER_LLC:
		return read_llc(w);
	case MM_HEADER_SLL:
		return read_sll(w);
	case MM_HEADER_SLL2:
		return read_sll2(w);
	case MM_HEADER_NULL:
		return read_null(w);
	case MM_HEADER_RAW:
		return read_raw(w);
	case MM_HEADER_IPV4:
		return read_ipv4(w);
	case MM_HEADER_IPV6:
		return read_ipv6(w);
	case MM_HEADER_IPV6_OPTIONS:
		return read_ipv6_options(w);
	case MM_HEADER_IPV6_FRAGMENT:
		return read_ipv6_fragment(w);
	case MM_HEADER_AH:
		return read_ah(w);
	case MM_HEADER_TCP:
		return read_tcp(w);
	case MM_HEADER_UDP:
		return read_udp(w);
	case MM_HEADER_MPLS:
	case MM_HEADER_PPPOE:
	case MM_HEADER_PPP:
	case MM_HEADER_CHDLC:
	case MM_HEADER_PBB:
	case MM_HEADER_FABRICPATH:
	case MM_HEADER_VNTAG:
	case MM_HEADER_CMD:
	case MM_HEADER_GRE:
	case MM_HEADER_END:
		break;
	}
	return mm_tunnel_read(w, header);
}

static void count(struct mm_decode_stats *stats, enum mm_decode_verdict verdict)
{
	switch (verdict) {
	case MM_DECODE_SEGMENT:
		stats->n_segments++;
		break;
	case MM_DECODE_FRAGMENT: /* counted in read_fragment() */
		break;
	case MM_DECODE_OTHER:
		stats->n_other++;
		break;
	case MM_DECODE_MALFORMED:
		stats->n_malformed++;
		break;
	case MM_DECODE_UNSUPPORTED:
		stats->n_unsupported++;
		break;
	}
}

enum mm_decode_verdict mm_decode(
        struct mm_decoder *d, const struct mm_packet *pkt, struct mm_segment *out)
{
	bool cut = pkt->wire_len > pkt->data.len;
	struct mm_path path;
	mm_path_clear(&path);
	struct mm_walk w = {
		.c = mm_cursor(pkt->data),
		.missing = cut ? pkt->wire_len - pkt->data.len : 0,
		.path = &path,
		.d = d,
		.pkt = pkt,
		.out = out,
	};
	d->stats.n_packets++;
	d->stats.n_bytes += pkt->data.len;
	d->stats.n_cut += cut;
	enum mm_header next = read_link(&w, pkt->linktype);
	for (int depth = 0; next != MM_HEADER_END; depth++) {
		if (depth == MM_DECODE_DEPTH_MAX) {
			d->stats.n_depth_limit++;
			w.verdict = MM_DECODE_MALFORMED;
			break;
		}
		next = read_header(&w, next);
	}
	count(&d->stats, w.verdict);
	return w.verdict;
}

int mm_decoder_new(const struct mm_hash_key *key, struct mm_decoder **out)
{
	struct mm_decoder *d = calloc(1, sizeof *d);
	if (d == NULL)
		return MM_ERR_NOMEM;
	d->key = *key;
	*out = d;
	return MM_OK;
}

void mm_decoder_free(struct mm_decoder *d)
{
	if (d == NULL)
		return;
	mm_frag_table_free(d->frags);
	free(d);
}

void mm_decode_stats_add(struct mm_decode_stats *sum, const struct mm_decode_stats *more)
{
	uint64_t a[sizeof *sum / sizeof(uint64_t)], b[sizeof *sum / sizeof(uint64_t)];
	memcpy(a, sum, sizeof a);
	memcpy(b, more, sizeof b);
	for (size_t i = 0; i < sizeof a / sizeof a[0]; i++)
		a[i] += b[i];
	memcpy(sum, a, sizeof a);
}

const struct mm_decode_stats *mm_decoder_stats(const struct mm_decoder *d)
{
	return &d->stats;
}
