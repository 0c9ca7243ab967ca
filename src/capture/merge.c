/* Several sources as one stream by time: a heap over one packet of each, looked at ahead. */
#include <stdlib.h>

#include "capture/capture.h"

struct slot {
	struct mm_source *source;
	struct mm_packet packet; /* its next one */
	size_t order;            /* in which it was added */
};

struct mm_merge {
	struct mm_source **sources; /* all, to be closed */
	size_t n_sources, sources_room;
	size_t n_started;  /* sources whose first packet was asked for */
	struct slot *heap; /* those that have a packet; as much room as sources */
	size_t n_heap;
	bool out; /* the packet of heap[0] was handed out */
	void (*on_error)(void *arg, const struct mm_source *s);
	void *on_error_arg;
};

int mm_merge_new(struct mm_merge **out)
{
	struct mm_merge *m = calloc(1, sizeof *m);
	if (m == NULL)
		return MM_ERR_NOMEM;
	*out = m;
	return MM_OK;
}

int mm_merge_add(struct mm_merge *m, struct mm_source *s)
{
	if (m->n_sources == m->sources_room) {
		size_t room = m->sources_room == 0 ? 4 : 2 * m->sources_room;
		struct mm_source **sources = reallocarray(m->sources, room, sizeof *sources);
		if (sources == NULL)
			return MM_ERR_NOMEM;
		m->sources = sources;
		struct slot *heap = reallocarray(m->heap, room, sizeof *heap);
		if (heap == NULL)
			return MM_ERR_NOMEM;
		m->heap = heap;
		m->sources_room = room;
	}
	m->sources[m->n_sources++] = s;
	return MM_OK;
}

void mm_merge_on_error(
        struct mm_merge *m, void (*fn)(void *arg, const struct mm_source *s), void *arg)
{
	m->on_error = fn;
	m->on_error_arg = arg;
}

/** Where times step back inside a source, its packet is the earliest of all and follows at once:
 * own order is kept. */
static bool before(const struct slot *a, const struct slot *b)
{
	int64_t at = a->packet.time_ns, bt = b->packet.time_ns;
	return at < bt || (at == bt && a->order < b->order);
}

static void swap(struct slot *a, struct slot *b)
{
	struct slot t = *a;
	*a = *b;
	*b = t;
}

static void sift_up(struct mm_merge *m, size_t i)
{
	for (size_t up; i > 0 && before(&m->heap[i], &m->heap[up = (i - 1) / 2]); i = up)
		swap(&m->heap[i], &m->heap[up]);
}

static void sift_down(struct mm_merge *m, size_t i)
{
	for (;;) {
		size_t least = 2 * i + 1;
		if (least >= m->n_heap)
			return;
		if (least + 1 < m->n_heap && before(&m->heap[least + 1], &m->heap[least]))
			least++;
		if (!before(&m->heap[least], &m->heap[i]))
			return;
		swap(&m->heap[i], &m->heap[least]);
		i = least;
	}
}

/** Look at the next packet of the slot's source; false when it has none. */
static bool advance(struct mm_merge *m, struct slot *slot)
{
	int r = slot->source->ops->next(slot->source, &slot->packet);
	if (r < 0 && m->on_error != NULL)
		m->on_error(m->on_error_arg, slot->source);
	return r > 0;
}

/** Of the only source: there is nothing to look ahead for. */
static int next_alone(struct mm_merge *m, struct mm_packet *out)
{
	struct mm_source *s = m->sources[0];
	int r = s->ops->next(s, out);
	if (r > 0)
		return 1;
	m->n_started = 1;
	if (r < 0 && m->on_error != NULL)
		m->on_error(m->on_error_arg, s);
	return 0;
}

int mm_merge_next(struct mm_merge *m, struct mm_packet *out)
{
	if (m->n_sources == 1 && m->n_started == 0)
		return next_alone(m, out);
	/* Only now may the source of the packet handed out last move on: the packet was borrowed
	 * until here. */
	if (m->out) {
		m->out = false;
		if (!advance(m, &m->heap[0]))
			m->heap[0] = m->heap[--m->n_heap];
		sift_down(m, 0);
	}
	while (m->n_started < m->n_sources) {
		struct slot *slot = &m->heap[m->n_heap];
		*slot = (struct slot){ m->sources[m->n_started], .order = m->n_started };
		m->n_started++;
		if (advance(m, slot))
			sift_up(m, m->n_heap++);
	}
	if (m->n_heap == 0)
		return 0;
	*out = m->heap[0].packet;
	m->out = true;
	return 1;
}

void mm_merge_free(struct mm_merge *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n_sources; i++)
		mm_source_close(m->sources[i]);
	free(m->sources);
	free(m->heap);
	free(m);
}
