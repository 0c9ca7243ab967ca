/* Blocks: stretches of a capture in memory, kept as long as somebody uses a packet in them. */
#ifndef MM_CAPTURE_BLOCK_H
#define MM_CAPTURE_BLOCK_H

#include <stdalign.h>
#include <stdatomic.h>
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

#endif
