/* What a dissector calls to make events of a message, and to give them away. */
#include "dissect/dissect.h"

struct mm_event *mm_dissect_event(struct mm_dissect *d, enum mm_event_kind kind, const char *action)
{
	struct mm_event *ev = mm_event_alloc(d->pool);
	if (ev == NULL)
		return NULL;
	ev->kind = kind;
	ev->action = action;
	ev->protocol = d->self->name;
	ev->src = d->flow->client;
	ev->dst = d->flow->server;
	ev->transport = d->flow->transport == MM_TCP ? "tcp" : "udp";
	memcpy(ev->community_id, d->flow->community_id, sizeof ev->community_id);
	mm_path_copy(&ev->path, &d->flow->path);
	ev->time_ns = d->time_ns;
	if (d->lossy)
		ev->flags |= MM_EVF_LOSSY;
	if (d->dir == MM_TO_SERVER) {
		ev->request_ns = d->time_ns;
		ev->request_pkt = d->last;
	} else {
		ev->response_ns = d->time_ns;
		ev->response_pkt = d->last;
	}
	mm_event_add_pkts(ev, d->first, d->last);
	if (d->inner != NULL)
		d->inner->dress(d, ev);
	return ev;
}

void mm_dissect_response(struct mm_dissect *d, struct mm_event *ev)
{
	ev->response_ns = d->time_ns;
	ev->response_pkt = d->last;
	if (d->lossy)
		ev->flags |= MM_EVF_LOSSY;
	mm_event_add_pkts(ev, d->first, d->last);
}

void mm_dissect_emit(struct mm_dissect *d, struct mm_event *ev)
{
	/* An event is known once the latest of its packets is. Packets may arrive out of the order of their
	 * times, so that this need not be the one at hand. */
	int64_t key = d->now_ns;
	if (ev->time_ns > key)
		key = ev->time_ns;
	if (ev->request_ns > key)
		key = ev->request_ns;
	if (ev->response_ns > key)
		key = ev->response_ns;
	ev->key_ns = key;
	if (d->lossy)
		ev->flags |= MM_EVF_LOSSY;
	d->emit(d->sink, ev);
}

void mm_dissect_drop(struct mm_dissect *d, struct mm_event *ev)
{
	mm_event_free(d->pool, ev);
}
