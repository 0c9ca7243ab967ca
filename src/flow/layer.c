/* Layers: who reads two streams, and the streams found inside them. */
#include "flow/internal.h"

#include <stdlib.h>

static size_t state_bytes(const struct mm_dissector *d)
{
	return d->state_size < sizeof(void *) ? sizeof(void *) : d->state_size;
}

bool mm_layer_claim(struct mm_flow_table *t, struct mm_flow_layer *l,
        const struct mm_dissector *self, size_t proto)
{
	void *state = t->free_state[proto];
	if (state != NULL)
		memcpy(&t->free_state[proto], state, sizeof t->free_state[0]);
	else if ((state = malloc(state_bytes(self))) == NULL)
		return false;
	memset(state, 0, state_bytes(self));
	l->self = self;
	l->proto = proto;
	l->state = state;
	return true;
}

void mm_layer_free_state(struct mm_flow_table *t, struct mm_flow_layer *l)
{
	if (l->state == NULL)
		return;
	if (l->self->done != NULL)
		l->self->done(l->state);
	memcpy(l->state, &t->free_state[l->proto], sizeof t->free_state[0]);
	t->free_state[l->proto] = l->state;
	l->state = NULL;
}

struct mm_flow_layer *mm_layer_inner(struct mm_flow_table *t, struct mm_flow_layer *l)
{
	if (l->inner != NULL || l->deaf)
		return l->inner;
	struct mm_flow_layer *in = t->free_inner;
	bool room = l->depth < MM_FLOW_DEPTH && t->n_inner < t->conf.tracked_max;
	if (room && in != NULL)
		t->free_inner = in->outer;
	else if (room)
		in = malloc(sizeof(struct mm_inner));
	if (!room || in == NULL) {
		t->stats.n_inner_limit++;
		l->deaf = true;
		return NULL;
	}
	struct mm_inner *whole = (struct mm_inner *)(void *)in;
	*in = (struct mm_flow_layer){
		.s = whole->s, .outer = l, .flow = l->flow, .depth = (uint8_t)(l->depth + 1)
	};
	for (unsigned side = 0; side < 2; side++)
		mm_stream_init(&whole->s[side]);
	t->n_inner++;
	t->stats.n_inner++;
	l->inner = in;
	return in;
}

void mm_layer_free_inner(struct mm_flow_table *t, struct mm_flow_layer *l)
{
	while (l->inner != NULL) {
		struct mm_flow_layer *last = l;
		while (last->inner->inner != NULL)
			last = last->inner;
		struct mm_flow_layer *in = last->inner;
		for (unsigned side = 0; side < 2; side++)
			mm_stream_release(&in->s[side], &t->pool);
		mm_layer_free_state(t, in);
		t->n_inner--;
		in->outer = t->free_inner;
		t->free_inner = in;
		last->inner = NULL;
	}
}

void mm_layer_done(struct mm_flow_table *t)
{
	while (t->free_inner != NULL) {
		struct mm_flow_layer *in = t->free_inner;
		t->free_inner = in->outer;
		free(in);
	}
}
