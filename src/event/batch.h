/* Batches: packed events back to back, handed from those who make them to those who analyse them.
 *
 * A batch is filled by one thread, closed, and then emptied by one other; its memory serves again when all its events were
 * dropped. */
#ifndef MM_EVENT_BATCH_H
#define MM_EVENT_BATCH_H

#include <stdalign.h>
#include <stddef.h>

#include "event/event.h"

enum { MM_BATCH_BYTES = 64 * 1024 };

struct mm_batch {
	struct mm_batch *next; /* for whoever holds it */
	size_t used, n_left;   /* bytes filled; events not dropped yet */
	bool closed;
	alignas(max_align_t) uint8_t bytes[];
};

enum { MM_BATCH_ROOM = MM_BATCH_BYTES - sizeof(struct mm_batch) };

/** A new batch of MM_BATCH_BYTES in all; NULL when memory is out. Freed by free(). */
struct mm_batch *mm_batch_new(void);

/** Make it empty and open. */
void mm_batch_reset(struct mm_batch *b);

/** A packed copy of the event; NULL when the batch has no room for it, as an empty one always has. */
struct mm_event *mm_batch_add(struct mm_batch *b, const struct mm_event *ev);

/** The first event when ev is NULL, else the one after ev; NULL when there is no more. */
struct mm_event *mm_batch_next(struct mm_batch *b, struct mm_event *ev);

/** Drop a packed event. The batch, if it is closed and this was its last event, else NULL. */
struct mm_batch *mm_batch_drop(struct mm_event *packed);

#endif
