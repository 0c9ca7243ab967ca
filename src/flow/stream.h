/* One direction of a TCP connection: sequence space, the bytes that cannot be handed on yet, and which packet
 * brought each of them.
 *
 * Positions are 64-bit offsets; offset 0 is the byte after the SYN (or, when that was not seen, a little before the
 * first byte seen). Four positions move forward only:
 *
 *     start         deliv             next hole           max_end
 *     |  in order   |  in order, but  |  out of order     |
 *     |  not yet a  |  the peer's data|                   |
 *     |  message    |  it acknowledges|                   |
 *     |             |  are not there  |                   |
 *
 * A SKIP moves start and deliv beyond max_end; what lies below start is dropped as it comes. */
#ifndef MM_FLOW_STREAM_H
#define MM_FLOW_STREAM_H

#include "base/addr.h"
#include "base/cursor.h"
#include "flow/pool.h"

enum {
	MM_STREAM_MARKS_INLINE = 3,
	MM_STREAM_MARKS_MAX =
	        16384, /* stretches of one direction; bounds its bookkeeping to 1 MiB */
	MM_STREAM_SLACK =
	        64 * 1024, /* room below the first byte seen without SYN, for earlier ones */
	MM_STREAM_AHEAD_MAX =
	        64 * 1024 * 1024, /* an ACK further beyond all bytes seen is not believed */
};

/** A stretch of bytes that one packet brought. */
struct mm_mark {
	uint64_t off, end;
	int64_t time_ns;
	struct mm_pkt pkt;
	uint32_t ack; /* what the packet acknowledged */
	bool has_ack;
	bool lost; /* on the wire but cut off by the snaplen: no bytes */
	uint16_t
	        n_before; /* an inner stream's: the packets before pkt that may have brought them, too */
};

enum mm_sync {
	MM_SYNC_OK,      /* start is where a message starts */
	MM_SYNC_SEARCH,  /* ask resync() */
	MM_SYNC_SEGMENT, /* wait for the start of the next segment */
};

/** Why deliv stands where it does. */
enum mm_blocked {
	MM_BLOCKED_NOT,  /* nothing behind it is known */
	MM_BLOCKED_HOLE, /* later bytes are here, the next ones are not */
	MM_BLOCKED_PEER, /* the next bytes acknowledge data of the peer that were not delivered */
	MM_BLOCKED_CUT,  /* the next bytes are lost for certain */
};

struct mm_stream {
	uint8_t *buf; /* buf[0] is the byte at buf_off */
	size_t cap;
	uint64_t buf_off;
	struct mm_mark
	        *marks;   /* [m0, n_marks), ascending, disjoint; inline_marks or from the pool */
	size_t marks_cap; /* bytes, when from the pool; 0: inline */
	uint32_t m0, n_marks;
	uint64_t start, deliv, max_end;
	uint64_t need;         /* frame() is asked again once deliv is here */
	uint64_t acked;        /* highest offset the peer acknowledged */
	uint64_t forgiven;     /* the peer's bytes need not wait for ours below this */
	uint64_t fin;          /* offset of the FIN, when has_fin */
	uint64_t skip_missing; /* bytes below start that were skipped and not seen */
	uint64_t probed;       /* bytes already shown to probe() */
	int64_t hole_acked_ns; /* packet time at which the peer acknowledged what is behind the hole that deliv stands at;
	                          INT64_MIN: before deliv came there, INT64_MAX: not yet */
	uint64_t blocked_at; /* deliv, when blocked was set */
	uint32_t base;       /* sequence number of offset 0 */
	enum mm_blocked blocked;
	enum mm_sync sync;
	struct mm_pkt lost_pkt; /* MM_SYNC_SEGMENT: the packet to get behind */
	bool based, syn, has_fin;
	struct mm_mark inline_marks[MM_STREAM_MARKS_INLINE];
};

enum mm_insert {
	MM_INSERT_DONE,
	MM_INSERT_NO_ROOM, /* the pool or the number of marks is at its limit; part may be in */
};

/** What an insertion found. */
struct mm_insert_result {
	uint64_t fresh;    /* bytes not seen before */
	uint64_t conflict; /* bytes seen before with other values */
};

void mm_stream_init(struct mm_stream *s);
/** Give everything buffered back. */
void mm_stream_release(struct mm_stream *s, struct mm_pool *pool);

static inline bool mm_stream_empty(const struct mm_stream *s)
{
	return s->m0 == s->n_marks;
}

/** The 64-bit offset of a sequence number: the one nearest to the highest byte seen. May be negative. */
static inline int64_t mm_stream_offset(const struct mm_stream *s, uint32_t seq)
{
	uint32_t ref = s->base + (uint32_t)s->max_end;
	return (int64_t)s->max_end + (int32_t)(seq - ref);
}

/** Set the sequence number of offset 0, and move what is buffered accordingly. */
void mm_stream_rebase(struct mm_stream *s, uint32_t base);

/** Index of the first mark that ends behind off; n_marks when there is none. */
size_t mm_stream_find(const struct mm_stream *s, uint64_t off);

/** Take in the bytes at mark->off; bytes already here stay. mark->end - mark->off is data.len, but for lost
 * stretches. */
enum mm_insert mm_stream_insert(struct mm_stream *s, struct mm_pool *pool, struct mm_slice data,
        const struct mm_mark *mark, struct mm_insert_result *r);

/** The buffered bytes [from, to), all of which must be here. */
struct mm_slice mm_stream_slice(const struct mm_stream *s, uint64_t from, uint64_t to);

/** Forget the marks below start, and the buffer when nothing is left. */
void mm_stream_trim(struct mm_stream *s, struct mm_pool *pool);

#endif
