/* Events put in order: what flows make known in any order leaves by time, then packet number.
 *
 * Workers and reordered segments bring events slightly out of order. They wait here until packet time has moved on
 * by the hold time; it must exceed what flow/ may wait for late packets (three times flow.gap_patience). */
#ifndef MM_EVENT_MERGE_H
#define MM_EVENT_MERGE_H

#include "base/err.h"
#include "event/event.h"

/* The time stands beside the event, so that most comparisons touch no event. */
struct mm_event_slot {
	int64_t key_ns;
	struct mm_event *ev;
};

struct mm_event_merge {
	struct mm_event_slot *heap;
	size_t n, room;
};

/** Free the heap, not the events in it. */
void mm_event_merge_done(struct mm_event_merge *m);

/** Take the event in. On MM_ERR_NOMEM it stays the caller's. */
int mm_event_merge_put(struct mm_event_merge *m, struct mm_event *ev) MM_MUST_CHECK;

/** The next event with key_ns at or before until_ns, now the caller's; NULL when there is none. */
struct mm_event *mm_event_merge_take(struct mm_event_merge *m, int64_t until_ns);

#endif
