/* Events put in order. */
#include "event/merge.h"

#include <stdlib.h>

static struct mm_pkt last_pkt(const struct mm_event *ev)
{
	return ev->response_pkt.number != 0 ? ev->response_pkt : ev->request_pkt;
}

static bool before(const struct mm_event_slot *a, const struct mm_event_slot *b)
{
	if (a->key_ns != b->key_ns)
		return a->key_ns < b->key_ns;
	struct mm_pkt x = last_pkt(a->ev), y = last_pkt(b->ev);
	if (x.file != y.file)
		return x.file < y.file;
	if (x.number != y.number)
		return x.number < y.number;
	return a->ev->seq < b->ev->seq;
}

void mm_event_merge_done(struct mm_event_merge *m)
{
	free(m->heap);
	*m = (struct mm_event_merge){ 0 };
}

int mm_event_merge_put(struct mm_event_merge *m, struct mm_event *ev)
{
	if (m->n == m->room) {
		size_t room = m->room == 0 ? 256 : m->room * 2;
		struct mm_event_slot *heap = realloc(m->heap, room * sizeof *heap);
		if (heap == NULL)
			return MM_ERR_NOMEM;
		m->heap = heap;
		m->room = room;
	}
	struct mm_event_slot slot = { ev->key_ns, ev };
	size_t i = m->n++;
	while (i > 0 && before(&slot, &m->heap[(i - 1) / 2])) {
		m->heap[i] = m->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	m->heap[i] = slot;
	return MM_OK;
}

struct mm_event *mm_event_merge_take(struct mm_event_merge *m, int64_t until_ns)
{
	if (m->n == 0 || m->heap[0].key_ns > until_ns)
		return NULL;
	struct mm_event *top = m->heap[0].ev;
	struct mm_event_slot last = m->heap[--m->n];
	size_t i = 0;
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= m->n)
			break;
		if (child + 1 < m->n && before(&m->heap[child + 1], &m->heap[child]))
			child++;
		if (!before(&m->heap[child], &last))
			break;
		m->heap[i] = m->heap[child];
		i = child;
	}
	if (m->n != 0)
		m->heap[i] = last;
	return top;
}
