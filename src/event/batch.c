/* Packed events back to back. */
#include "event/batch.h"

#include <assert.h>
#include <stdlib.h>

struct mm_batch *mm_batch_new(void)
{
	struct mm_batch *b = malloc(MM_BATCH_BYTES);
	if (b != NULL)
		mm_batch_reset(b);
	return b;
}

void mm_batch_reset(struct mm_batch *b)
{
	b->next = NULL;
	b->used = b->n_left = 0;
	b->closed = false;
}

struct mm_event *mm_batch_add(struct mm_batch *b, const struct mm_event *ev)
{
	size_t size = mm_event_packed_size(ev);
	assert(!b->closed && size <= MM_BATCH_ROOM);
	if (size > MM_BATCH_ROOM - b->used)
		return NULL;
	struct mm_event *packed = mm_event_pack(ev, b->bytes + b->used);
	packed->holder = b;
	b->used += size;
	b->n_left++;
	return packed;
}

struct mm_event *mm_batch_next(struct mm_batch *b, struct mm_event *ev)
{
	size_t at = 0;
	if (ev != NULL)
		at = (size_t)((uint8_t *)ev - b->bytes) + ev->packed_size;
	return at < b->used ? (struct mm_event *)(void *)(b->bytes + at) : NULL;
}

struct mm_batch *mm_batch_drop(struct mm_event *packed)
{
	struct mm_batch *b = packed->holder;
	assert(packed->packed_size != 0 && b->n_left != 0);
	b->n_left--;
	return b->n_left == 0 && b->closed ? b : NULL;
}
