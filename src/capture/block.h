/* Blocks: stretches of a capture in memory, kept as long as somebody uses a packet in them. */
#ifndef MM_CAPTURE_BLOCK_H
#define MM_CAPTURE_BLOCK_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct mm_block {
	atomic_uint n_users;
	size_t room;
	alignas(max_align_t) uint8_t bytes[];
};

/** A block with one user; NULL when memory is out. */
static inline struct mm_block *mm_block_new(size_t room)
{
	struct mm_block *b = malloc(sizeof *b + room);
	if (b == NULL)
		return NULL;
	atomic_init(&b->n_users, 1);
	b->room = room;
	return b;
}

/** One more user, on any thread that has it. */
static inline struct mm_block *mm_block_keep(struct mm_block *b)
{
	atomic_fetch_add_explicit(&b->n_users, 1, memory_order_relaxed);
	return b;
}

/** One user less; the last one frees it. Accepts NULL. */
static inline void mm_block_drop(struct mm_block *b)
{
	if (b != NULL && atomic_fetch_sub_explicit(&b->n_users, 1, memory_order_acq_rel) == 1)
		free(b);
}

/** Does nobody else use it, so that its bytes may change? */
static inline bool mm_block_is_mine(struct mm_block *b)
{
	return atomic_load_explicit(&b->n_users, memory_order_acquire) == 1;
}

enum { MM_SPARES = 32 };

/** Blocks that were read into, kept by whoever reads all the inputs of a run, to be used again once nobody reads them any
 * more: their memory is there, that of a new one has to be made first. A ring; all zero is an empty one. */
struct mm_spares {
	struct mm_block *blocks[MM_SPARES];
	size_t n; /* kept so far */
};

/** Keep the block, which is the caller's no more, in place of the one kept longest. */
static inline void mm_spares_put(struct mm_spares *s, struct mm_block *b)
{
	struct mm_block **place = &s->blocks[s->n++ % MM_SPARES];
	mm_block_drop(*place);
	*place = b;
}

/** One of at least this size that nobody uses, if the one kept longest is such; else NULL. */
static inline struct mm_block *mm_spares_take(struct mm_spares *s, size_t room)
{
	for (size_t i = 0; i < MM_SPARES; i++) {
		struct mm_block **place = &s->blocks[(s->n + i) % MM_SPARES], *b = *place;
		if (b == NULL)
			continue;
		if (!mm_block_is_mine(b))
			return NULL;
		*place = NULL;
		if (b->room >= room)
			return b;
		mm_block_drop(b);
	}
	return NULL;
}

static inline void mm_spares_done(struct mm_spares *s)
{
	for (size_t i = 0; i < MM_SPARES; i++)
		mm_block_drop(s->blocks[i]);
	*s = (struct mm_spares){ 0 };
}

#endif
