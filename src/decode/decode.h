/* One packet: link layer, tunnels, IP, fragments, TCP and UDP. */
#ifndef MM_DECODE_DECODE_H
#define MM_DECODE_DECODE_H

#include "base/err.h"
#include "base/hash.h"
#include "base/path.h"
#include "capture/capture.h"

/* TCP flags, RFC 9293 section 3.1. */
enum {
	MM_TCP_FIN = 0x01,
	MM_TCP_SYN = 0x02,
	MM_TCP_RST = 0x04,
	MM_TCP_PSH = 0x08,
	MM_TCP_ACK = 0x10,
};

/** A transport segment or datagram. */
struct mm_segment {
	struct mm_endpoint src, dst;
	uint8_t ip_proto; /* 6 or 17 */
	uint8_t tcp_flags;
	uint32_t seq, ack;
	/* Borrowed from the packet, or from the reassembled datagram until the next call. */
	struct mm_slice payload;
	size_t missing; /* payload bytes that were on the wire but not captured (snaplen) */
	/* Packet with the first fragment; the packet's own id when there was none. */
	struct mm_pkt first;
	struct mm_path path; /* tags and tunnels around the addresses */
};

enum mm_decode_verdict {
	MM_DECODE_SEGMENT,     /* *out is filled */
	MM_DECODE_FRAGMENT,    /* held until its datagram is whole */
	MM_DECODE_OTHER,       /* no IP, or no TCP or UDP: of no interest */
	MM_DECODE_MALFORMED,   /* contradicts its own lengths */
	MM_DECODE_UNSUPPORTED, /* link type unknown */
};

struct mm_decode_stats { /* nothing but uint64_t: mm_decode_stats_add() */
	uint64_t n_packets;
	uint64_t n_bytes; /* captured */
	uint64_t n_segments;
	uint64_t n_fragments; /* well-formed ones; atomic ones are none */
	uint64_t n_reassembled;
	uint64_t n_fragments_dropped; /* datagrams given up: time, limits, overlap, snaplen */
	uint64_t n_fragment_limit;    /* how often MM_FRAG_* limits were hit */
	uint64_t n_depth_limit;       /* how often MM_DECODE_DEPTH_MAX was hit: malformed, too */
	uint64_t n_other, n_malformed, n_unsupported;
	uint64_t n_cut; /* shorter than on the wire */
};

enum {
	MM_FRAG_DATAGRAMS_MAX = 1024,        /* datagrams in reassembly */
	MM_FRAG_BYTES_MAX = 8 * 1024 * 1024, /* of all of them */
	MM_FRAG_PIECES_MAX = 64,             /* fragments per datagram */
	MM_FRAG_TIMEOUT_S = 30,              /* RFC 791 suggests 15, RFC 8200 says 60 */
	MM_DECODE_DEPTH_MAX =
	        16, /* headers in one packet: tags, labels, tunnels, IPv6 extensions */
};

struct mm_decoder;

/** key: for the fragment table's hash. *out is owned by the caller. */
int mm_decoder_new(const struct mm_hash_key *key, struct mm_decoder **out) MM_MUST_CHECK;
void mm_decoder_free(struct mm_decoder *d);

/** Read one packet.
 *
 * Link layers: Ethernet II and 802.3 with LLC/SNAP carrying IP (in frames of any length), Linux
 * cooked v1 and v2, raw IP, BSD loopback in either byte order, LOOP, PPP with and without framing,
 * PPPoE, Cisco HDLC.
 * Tags: 802.1Q, 802.1ad and stacked ones (0x8100, 0x88a8, 0x9100), 802.1ah, FabricPath, VN-tag,
 * Cisco metadata; MPLS with IP or an Ethernet pseudowire in it, with or without control word;
 * PPPoE sessions.
 * Tunnels: IPv4 and IPv6 in each other and in themselves, GRE (RFC 2784, 2890) and PPTP's (RFC
 * 2637), ERSPAN I to III, MPLS in IP; over UDP VXLAN, GENEVE, GTP-U and Teredo, where port, header
 * and what is in it agree: a datagram of which they do not is handed out as what it is. The
 * addresses in *out are the innermost ones, path tells those around them.
 * IP: IPv4 with options, IPv6 with extension headers (RFC 8200 section 4), AH skipped; fragments
 * of both, of outer and inner datagrams, reassembled under the limits above, first copy of a byte
 * wins and overlap with different bytes gives the datagram up (RFC 5722). A fragment with bytes
 * not captured does so, too.
 *
 * Checksums are not judged (offload captures hold partial ones). IPv4 total length 0 and IPv6
 * payload length 0 are taken as "all of the packet" (TSO). Ethernet padding is cut off by the IP
 * length. A header that the snaplen cut off makes the packet MM_DECODE_OTHER (n_cut counts it), a
 * header that was not on the wire either makes it MM_DECODE_MALFORMED. *out is untouched unless
 * the verdict is MM_DECODE_SEGMENT. */
enum mm_decode_verdict mm_decode(
        struct mm_decoder *d, const struct mm_packet *pkt, struct mm_segment *out);

const struct mm_decode_stats *mm_decoder_stats(const struct mm_decoder *d);
/** Add up what two decoders counted. */
void mm_decode_stats_add(struct mm_decode_stats *sum, const struct mm_decode_stats *more);

#endif
