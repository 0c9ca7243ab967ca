/* What the files of decode/ share: a packet on its way through its headers.
 *
 * decode.c reads the link layer, IP and the transport, tunnel.c all that wraps one of these in
 * another. One small function per header: each consumes its header, narrows what is left to what
 * the header says belongs to it, and tells which header comes next. */
#ifndef MM_DECODE_WALK_H
#define MM_DECODE_WALK_H

#include "decode/decode.h"

/** What comes next in the packet. */
enum mm_header {
	MM_HEADER_END, /* nothing: the verdict is in the walk */
	MM_HEADER_ETHERNET,
	MM_HEADER_VLAN,
	MM_HEADER_LLC,
	MM_HEADER_SLL,
	MM_HEADER_SLL2,
	MM_HEADER_NULL,
	MM_HEADER_RAW,
	MM_HEADER_IPV4,
	MM_HEADER_IPV6,
	MM_HEADER_IPV6_OPTIONS,
	MM_HEADER_IPV6_FRAGMENT,
	MM_HEADER_AH,
	MM_HEADER_TCP,
	MM_HEADER_UDP,
	/* tunnel.c reads these: */
	MM_HEADER_MPLS,
	MM_HEADER_PPPOE,
	MM_HEADER_PPP,
	MM_HEADER_CHDLC,
	MM_HEADER_PBB,
	MM_HEADER_FABRICPATH,
	MM_HEADER_VNTAG,
	MM_HEADER_CMD,
	MM_HEADER_GRE,
};

enum {
	MM_ETHERTYPE_IPV4 = 0x0800,
	MM_ETHERTYPE_IPV6 = 0x86dd,    /* RFC 2464 section 3 */
	MM_ETHERNET_LENGTH_MAX = 1500, /* up to this it is a length, IEEE 802.3 section 3.2.6 */
	MM_IPV4_IHL_MIN = 5,           /* in words of 4 bytes, RFC 791 section 3.1 */
	MM_IPV6_HEADER = 40,           /* RFC 8200 section 3 */
	MM_IPV6_ADDRESS = 16,
};

struct mm_walk {
	struct mm_cursor c; /* captured bytes not read yet of what the last header holds */
	size_t missing;     /* bytes of the same that were not captured */
	/* Addresses of the last IP header; their length tells the family. */
	struct mm_slice src, dst;
	struct mm_path *path; /* before the last IP header */
	bool reassembled;     /* c is in a reassembled datagram, and first is set */
	bool whole;           /* the same, of the last IP header: no fragment may be in it */
	enum mm_decode_verdict verdict;
	struct mm_pkt first;
	struct mm_decoder *d;
	const struct mm_packet *pkt;
	struct mm_segment *out;
};

static inline enum mm_header mm_walk_end(struct mm_walk *w, enum mm_decode_verdict verdict)
{
	w->verdict = verdict;
	return MM_HEADER_END;
}

/** The end of a packet that does not hold the next n bytes of a header. */
static inline enum mm_header mm_walk_short(struct mm_walk *w, size_t n)
{
	bool cut = w->missing >= n - w->c.len;
	return mm_walk_end(w, cut ? MM_DECODE_OTHER : MM_DECODE_MALFORMED);
}

/** Take the next n bytes into *h; false when they are not all there. */
static inline bool mm_walk_take(struct mm_walk *w, size_t n, struct mm_cursor *h)
{
	if (w->c.len < n)
		return false;
	*h = mm_cursor(mm_take(&w->c, n));
	return true;
}

/** Leave only n bytes: what follows is padding. False when the wire did not hold n. */
static inline bool mm_walk_narrow(struct mm_walk *w, size_t n)
{
	if (n <= w->c.len) {
		w->c = mm_cursor(mm_first(mm_left(&w->c), n));
		w->missing = 0;
		return true;
	}
	if (n - w->c.len > w->missing)
		return false;
	w->missing = n - w->c.len;
	return true;
}

/* tunnel.c */

/** The header that this EtherType announces, IPv4 and IPv6 among them; MM_HEADER_END when none is
 * known. */
enum mm_header mm_tunnel_ethertype(uint16_t type);

/** An IP header's protocol that is neither transport nor extension: the header in it, or the end.
 */
enum mm_header mm_tunnel_ip_proto(struct mm_walk *w, uint8_t proto);

/* UDP ports that tunnels are sent to; of Teredo either. */
enum {
	MM_PORT_GTP_U = 2152,  /* 3GPP TS 29.281 section 4.4.2 */
	MM_PORT_TEREDO = 3544, /* RFC 4380 section 2.7 */
	MM_PORT_VXLAN = 4789,  /* RFC 7348 section 5 */
	MM_PORT_VXLAN_GPE = 4790,
	MM_PORT_GENEVE = 6081,      /* RFC 8926 section 3.3 */
	MM_PORT_VXLAN_LINUX = 8472, /* before one was assigned, and still the default there */
};

static inline bool mm_tunnel_port(uint16_t src_port, uint16_t dst_port)
{
	return dst_port == MM_PORT_GTP_U || dst_port == MM_PORT_TEREDO ||
	       dst_port == MM_PORT_VXLAN || dst_port == MM_PORT_VXLAN_GPE ||
	       dst_port == MM_PORT_GENEVE || dst_port == MM_PORT_VXLAN_LINUX ||
	       src_port == MM_PORT_TEREDO;
}

/** What a UDP datagram on these ports carries, its tunnel's header being consumed; MM_HEADER_END,
 * and the walk as it was, when it is no tunnel. A port alone makes none: the tunnel's header must
 * be as its specification has it, and what is in it must begin like what it announces. */
enum mm_header mm_tunnel_udp(struct mm_walk *w, uint16_t src_port, uint16_t dst_port);

/** Read one of the headers that are tunnel.c's; of others MM_HEADER_END. */
enum mm_header mm_tunnel_read(struct mm_walk *w, enum mm_header header);

static inline enum mm_header mm_walk_ethertype(struct mm_walk *w, uint16_t type)
{
	if (type == MM_ETHERTYPE_IPV4)
		return MM_HEADER_IPV4;
	enum mm_header next = mm_tunnel_ethertype(type);
	return next != MM_HEADER_END ? next : mm_walk_end(w, MM_DECODE_OTHER);
}

#endif
