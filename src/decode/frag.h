/* Fragments of IPv4 and IPv6 datagrams, put together again.
 *
 * A datagram's bytes lie in fixed pages taken from one pool, with a bit for each 8 bytes that
 * came: RFC 791 and RFC 8200 count offsets in units of 8, so overlap is told unit by unit. All
 * memory is taken at the start. The table and the pool are bounded by MM_FRAG_* (decode.h); when
 * one is full the datagram that was least recently added to is given up. */
#ifndef MM_DECODE_FRAG_H
#define MM_DECODE_FRAG_H

#include "decode/decode.h"

/** What fragments of one datagram share: RFC 791 section 3.2, RFC 8200 section 4.5, and the path,
 * because networks kept apart by tags and tunnels may use the same addresses. Hashed and compared
 * as bytes: no padding. */
struct mm_frag_key {
	uint8_t src[16], dst[16]; /* unused bytes are zero */
	struct mm_path path;
	uint32_t id;
	uint8_t family;   /* 4 or 6 */
	uint8_t ip_proto; /* IPv4: the datagram's protocol; IPv6: 0, the first fragment's counts */
	uint8_t pad[2];   /* zero */
};

struct mm_frag {
	struct mm_frag_key key;
	int64_t time_ns;
	struct mm_pkt id;
	struct mm_slice payload; /* captured bytes */
	size_t missing;          /* bytes behind them that were not captured */
	uint32_t offset;         /* in bytes, a multiple of 8 */
	bool more;               /* another fragment follows */
	uint8_t next_header;     /* protocol of what the datagram carries; counts at offset 0 */
};

/** A datagram that is whole. */
struct mm_frag_whole {
	struct mm_slice payload; /* borrowed from the table until the second next one */
	struct mm_pkt first;     /* packet with offset 0 */
	uint8_t next_header;
};

enum mm_frag_verdict {
	MM_FRAG_HELD,      /* not whole yet, or given up */
	MM_FRAG_WHOLE,     /* *out is filled, and the table has forgotten the datagram */
	MM_FRAG_MALFORMED, /* no such fragment can be: ignored */
};

struct mm_frag_table;

/** stats: borrowed, gets n_reassembled, n_fragments_dropped and n_fragment_limit. *out is owned by
 * the caller. Error: MM_ERR_NOMEM. */
int mm_frag_table_new(const struct mm_hash_key *key, struct mm_decode_stats *stats,
        struct mm_frag_table **out) MM_MUST_CHECK;
void mm_frag_table_free(struct mm_frag_table *t);

/** Take in one fragment. A byte that comes twice must have the same value and all last fragments
 * must agree on the length, else the datagram is given up, and what still comes of it is ignored
 * until it would have timed out (RFC 5722 section 3); the same where a fragment was not captured
 * whole. Times out MM_FRAG_TIMEOUT_S after its first fragment came (RFC 8200 section 4.5), seen
 * when another fragment comes. */
enum mm_frag_verdict mm_frag_add(
        struct mm_frag_table *t, const struct mm_frag *frag, struct mm_frag_whole *out);

#endif
