/* Feeding dissectors: the framing loop over a layer's stream, gaps, datagrams, inner streams, the end. */
#include "flow/internal.h"

/* Where the framing loop is. */
struct loop {
	struct mm_flow_table *t;
	struct mm_flow *f;
	struct mm_flow_layer *l;
	struct mm_stream *s; /* l's, of this side */
	unsigned side;
	const struct mm_mark *direct; /* of all bytes, when they are not in the stream's buffer */
};

static bool run(const struct loop *at, struct mm_slice avail);

static void emit(void *sink, struct mm_event *ev)
{
	struct mm_flow_table *t = sink;
	ev->seq = t->seq++;
	t->conf.emit(t->conf.sink, ev);
}

static const struct mm_inner_ops inner_ops;

/* What a layer outside of this one says of TLS; the nearest counts. */
static const struct mm_tls_seen *tls_around(const struct mm_flow_layer *l)
{
	for (l = l->outer; l != NULL; l = l->outer)
		if (l->self != NULL && l->self->seen != NULL)
			return l->self->seen(l->state);
	return NULL;
}

static void context(struct mm_flow_table *t, struct mm_flow *f, struct mm_flow_layer *l,
        unsigned side, struct mm_dissect *d)
{
	struct mm_track *tr = f->track;
	if (tr->info.community_id[0] == '\0')
		mm_community_id(
		        &tr->info.client, &tr->info.server, f->key.proto, 0, tr->info.community_id);
	*d = (struct mm_dissect){
		.self = l->self,
		.state = l->state,
		.flow = &tr->info,
		.dir = mm_flow_dir(f, side),
		.lossy = l->lossy,
		.key = &t->bulk_key,
		.pool = t->conf.pool,
		.web = t->web,
		.emit = emit,
		.sink = t,
		.conf = &t->conf.dissect,
		.tls = tls_around(l),
		.inner = &inner_ops,
		.layer = l,
		.held_b = &t->held_b,
	};
}

void mm_frame_context(
        struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_dissect *d)
{
	context(t, f, &f->track->top, side, d);
}

/* What the dissector is told happened at this time, and was known no earlier than the flow's last decision. */
static void set_time(struct mm_dissect *d, const struct mm_track *tr, int64_t time_ns)
{
	d->time_ns = time_ns;
	d->now_ns = tr->known_ns > time_ns ? tr->known_ns : time_ns;
}

static const struct mm_mark *mark_at(const struct loop *at, uint64_t off)
{
	return at->direct != NULL ? at->direct : &at->s->marks[mm_stream_find(at->s, off)];
}

static void parse(const struct loop *at, struct mm_slice msg)
{
	struct mm_flow_layer *l = at->l;
	const struct mm_mark *first = mark_at(at, at->s->start);
	const struct mm_mark *last = mark_at(at, at->s->start + msg.len - 1);
	struct mm_dissect d;
	context(at->t, at->f, l, at->side, &d);
	set_time(&d, at->f->track, last->time_ns);
	d.first = first->pkt;
	d.first.number -= first->n_before;
	d.last = last->pkt;
	at->t->proto[l->proto].n_messages++;
	l->read_any = true;
	l->n_lost_run = 0;
	l->self->parse(&d, msg);
}

void mm_frame_report_loss(struct mm_flow_table *t, struct mm_flow *f, uint64_t n, int64_t time_ns)
{
	struct mm_dissect d;
	mm_frame_context(t, f, f->client, &d);
	if (d.self == NULL)
		return;
	set_time(&d, f->track, time_ns);
	struct mm_event *ev = mm_dissect_event(&d, MM_EV_LOSS, "loss");
	if (ev == NULL)
		return;
	ev->n_lost = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
	mm_dissect_emit(&d, ev);
}

static void tell_gap(struct mm_flow_table *t, struct mm_flow *f, struct mm_flow_layer *l,
        unsigned side, int64_t time_ns)
{
	l->lossy = true;
	if (l->self == NULL || l->self->gap == NULL)
		return;
	struct mm_dissect d;
	context(t, f, l, side, &d);
	set_time(&d, f->track, time_ns);
	l->self->gap(&d);
}

void mm_frame_tell_gap(struct mm_flow_table *t, struct mm_flow *f, unsigned side, int64_t time_ns)
{
	tell_gap(t, f, &f->track->top, side, time_ns);
}

void mm_frame_gap(struct mm_flow_table *t, struct mm_flow *f, unsigned side, uint64_t to)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	uint64_t n_bytes = to - s->deliv;
	t->stats.n_gaps++;
	t->stats.n_gap_bytes += n_bytes;
	t->proto[tr->top.proto].n_gaps++;

	/* Where a message of known length spans the hole, the next one starts behind it. */
	s->start = s->need > to ? s->need : to;
	s->deliv = s->start;
	s->need = 0;
	s->sync = MM_SYNC_SEARCH;
	size_t i = mm_stream_find(s, to);
	int64_t time_ns = i < s->n_marks ? s->marks[i].time_ns : tr->now_ns;
	mm_stream_trim(s, &t->pool);
	mm_frame_report_loss(t, f, 1, time_ns);
	/* Of forgiven bytes the dissector was told when they were forgiven: before what the peer sent after them. */
	if (to > s->forgiven)
		mm_frame_tell_gap(t, f, side, time_ns);
}

static void call_end(
        struct mm_flow_table *t, struct mm_flow *f, struct mm_flow_layer *l, int64_t now_ns)
{
	if (l->self != NULL && l->self->end != NULL && l->state != NULL) {
		struct mm_dissect d;
		context(t, f, l, f->client, &d);
		set_time(&d, f->track, now_ns);
		l->self->end(&d);
	}
	l->closed = true;
}

/* The layer's dissector ends, after those inside. What it had held back until then is read and ends after it; who reads that
 * has nothing to hold back of its own. */
static void end_layer(
        struct mm_flow_table *t, struct mm_flow *f, struct mm_flow_layer *top, int64_t now_ns)
{
	struct mm_flow_layer *l = top;
	while (l->inner != NULL)
		l = l->inner;
	for (;; l = l->outer) {
		bool alone = l->inner == NULL;
		call_end(t, f, l, now_ns);
		for (struct mm_flow_layer *in = l->inner; alone && in != NULL; in = in->inner) {
			in->deaf |= in->inner == NULL;
			call_end(t, f, in, now_ns);
		}
		l->deaf = true;
		if (l == top)
			return;
	}
}

void mm_frame_end(struct mm_flow_table *t, struct mm_flow *f, int64_t now_ns)
{
	if (f->track->mode == MM_TRACK_CLAIMED)
		end_layer(t, f, &f->track->top, now_ns);
}

/* Nothing more of interest: the dissector ends here. */
static void quit(const struct loop *at, int64_t now_ns)
{
	struct mm_flow_layer *l = at->l;
	end_layer(at->t, at->f, l, now_ns);
	if (l->depth == 0) {
		mm_flow_shunt(at->t, at->f);
		return;
	}
	mm_layer_free_inner(at->t, l);
	mm_layer_free_state(at->t, l);
	l->self = NULL;
	for (unsigned side = 0; side < 2; side++)
		mm_stream_release(&l->s[side], &at->t->pool);
}

/* Is there still somebody, and the same one, who reads the layer? */
static bool is_over(const struct loop *at)
{
	if (at->l->depth != 0)
		return at->l->closed;
	return at->f->mode != MM_FLOW_TRACKED || at->f->track->mode != MM_TRACK_CLAIMED;
}

/* The next bytes of both directions begin anew. */
static void begin_anew(struct mm_flow_layer *l)
{
	for (unsigned side = 0; side < 2; side++) {
		l->s[side].need = 0;
		l->s[side].sync = MM_SYNC_OK;
	}
	l->n_lost_run = 0;
	l->hint = NULL;
	l->becomes = l->deaf = l->closed = l->read_any = false;
}

/* The dissector called mm_dissect_become(). */
static void turn(const struct loop *at, int64_t now_ns)
{
	struct mm_flow_layer *l = at->l;
	end_layer(at->t, at->f, l, now_ns);
	mm_layer_free_inner(at->t, l);
	mm_layer_free_state(at->t, l);
	l->self = NULL;
	begin_anew(l);
	l->turned = true;
	at->f->track->tried |= l->depth == 0;
}

static size_t index_of(const struct mm_class *c, const struct mm_dissector *self)
{
	size_t i = 0;
	while (c->list[i] != self)
		i++;
	return i;
}

/* Who reads a layer that nobody reads yet? False when more bytes are needed for that. */
static bool find_reader(const struct loop *at, struct mm_slice a)
{
	struct mm_flow_layer *l = at->l;
	size_t proto = 0;
	const struct mm_dissector *self = l->next;
	struct mm_slice head = mm_first(a, MM_FLOW_HEAD);
	l->next = NULL;
	if (self != NULL)
		proto = index_of(&at->t->class, self);
	else
		self = mm_class_probe(&at->t->class, head, mm_flow_dir(at->f, at->side), MM_TCP,
		        l->except, &proto);
	if (self != NULL && mm_layer_claim(at->t, l, self, proto)) {
		at->t->proto[proto].n_flows++;
		return true;
	}
	if (self == NULL && head.len < MM_FLOW_HEAD) {
		at->s->need = at->s->start + a.len + 1;
		return false;
	}
	at->t->stats.n_inner_unread++;
	quit(at, mark_at(at, at->s->start)->time_ns);
	return true;
}

/* Not what the carrier promised, from the first byte on: let the others look, once. */
static bool ask_others_inside(const struct loop *at)
{
	struct mm_flow_layer *l = at->l;
	if (l->read_any || l->lossy || l->except != NULL || at->s->start != 0)
		return false;
	l->except = l->self;
	turn(at, mark_at(at, 0)->time_ns);
	return true;
}

/* Not what the port promised, from the first byte on: let the others look, once. */
static bool ask_others(const struct loop *at, struct mm_slice a)
{
	struct mm_track *tr = at->f->track;
	const struct mm_dissector *self = at->l->self;
	if (at->l->depth != 0)
		return ask_others_inside(at);
	if (tr->tried || at->l->read_any || at->l->lossy || !at->s->syn || at->s->start != 0)
		return false;
	tr->tried = true;
	if (self->probe == NULL || self->probe(a, mm_flow_dir(at->f, at->side), MM_TCP))
		return false;
	mm_frame_end(at->t, at->f, mark_at(at, 0)->time_ns);
	mm_layer_free_inner(at->t, at->l);
	mm_layer_free_state(at->t, at->l);
	at->l->closed = at->l->deaf = false;
	at->l->hint = NULL;
	tr->fallback = self;
	tr->fallback_proto = at->l->proto;
	at->l->self = NULL;
	for (unsigned i = 0; i < 2; i++) {
		tr->s[i].probed = 0;
		tr->s[i].need = 0;
		tr->s[i].deliv = tr->s[i].start;
	}
	mm_track_probe(at->t, at->f);
	return true;
}

/* The bytes at the front are no message. */
static void lost(const struct loop *at, struct mm_slice a)
{
	struct mm_stream *s = at->s;
	if (ask_others(at, a))
		return;
	at->t->stats.n_lost_sync++;
	at->t->proto[at->l->proto].n_lost_sync++;
	const struct mm_mark *m = mark_at(at, s->start);
	if (++at->l->n_lost_run > MM_FLOW_LOST_MAX) {
		quit(at, m->time_ns);
		return;
	}
	if (at->l->self->resync == NULL) {
		s->sync = MM_SYNC_SEGMENT;
		s->lost_pkt = m->pkt;
		return;
	}
	s->sync = MM_SYNC_SEARCH;
	s->start++;
}

/* A message longer than message_max, n bytes of it, or an unknown number. */
static void oversized(const struct loop *at, struct mm_slice a, size_t n)
{
	struct mm_stream *s = at->s;
	if (ask_others(at, a))
		return;
	at->t->stats.n_oversized++;
	int64_t time_ns = mark_at(at, s->start)->time_ns;
	at->l->read_any = true;
	if (n == 0) {
		n = at->l->self->message_max < a.len ? at->l->self->message_max : a.len;
		s->sync = MM_SYNC_SEARCH;
	}
	s->start += n != 0 ? n : 1;
	tell_gap(at->t, at->f, at->l, at->side, time_ns);
}

/* Find where a message starts. False when more bytes are needed for that. */
static bool resync(const struct loop *at, struct mm_slice a)
{
	const struct mm_dissector *self = at->l->self;
	struct mm_stream *s = at->s;
	if (s->sync == MM_SYNC_SEGMENT) {
		const struct mm_mark *m = mark_at(at, s->start);
		if (m->pkt.number != s->lost_pkt.number || m->pkt.file != s->lost_pkt.file) {
			s->sync = MM_SYNC_OK;
			return true;
		}
		uint64_t left = m->end - s->start;
		s->start += left < a.len ? left : a.len;
		return true;
	}
	if (self->resync == NULL) {
		s->sync = MM_SYNC_OK;
		return true;
	}
	size_t off = self->resync(at->l->state, mm_flow_dir(at->f, at->side), a);
	if (off < a.len) {
		s->start += off;
		s->sync = MM_SYNC_OK;
		return true;
	}
	s->need = s->start + a.len + 1;
	if (a.len > MM_FLOW_RESYNC_KEEP)
		s->start += a.len - MM_FLOW_RESYNC_KEEP;
	return false;
}

static void skip(const struct loop *at, size_t n, struct mm_slice a)
{
	/* Nothing real is longer; the sum of offsets stays far from its end. */
	static const uint64_t skip_max = (uint64_t)1 << 48;
	struct mm_stream *s = at->s;
	uint64_t bytes = n < skip_max ? n : skip_max;
	at->l->read_any = true;
	at->l->n_lost_run = 0;
	at->t->stats.n_skipped_bytes += bytes;
	if (s->start < UINT64_MAX - 2 * skip_max)
		s->start += bytes;
	else
		s->start += a.len;
}

/* Read the message at the front, and pass it. */
static void take(const struct loop *at, struct mm_slice msg)
{
	int64_t time_ns = mark_at(at, at->s->start + msg.len - 1)->time_ns;
	parse(at, msg);
	at->s->start += msg.len;
	if (at->l->becomes)
		turn(at, time_ns);
}

/* Act on what frame() said of a. False when it waits for more bytes. */
static bool act(const struct loop *at, struct mm_frame fr, struct mm_slice a)
{
	struct mm_stream *s = at->s;
	size_t max = at->l->self->message_max;
	switch (fr.verdict) {
	case MM_FRAME_DONE:
		if (fr.n == 0)
			break;
		if (fr.n <= a.len && fr.n <= max) {
			take(at, mm_first(a, fr.n));
			return true;
		}
		goto wait;
	case MM_FRAME_MORE:
	wait:
		if (fr.n > max || a.len >= max) {
			oversized(at, a, fr.n > max ? fr.n : 0);
			return true;
		}
		s->need = s->start + (fr.n > a.len ? fr.n : a.len + 1);
		return false;
	case MM_FRAME_SKIP:
		if (fr.n == 0)
			break;
		skip(at, fr.n, a);
		return true;
	case MM_FRAME_LOST:
		break;
	case MM_FRAME_QUIT:
		if (ask_others(at, a))
			return true;
		quit(at, mark_at(at, s->start)->time_ns);
		return true;
	}
	lost(at, a);
	return true;
}

/* One step over the bytes at the front. False when it waits for more of them. */
static bool step(const struct loop *at, struct mm_slice a)
{
	if (at->l->self == NULL)
		return find_reader(at, a);
	if (at->s->sync != MM_SYNC_OK)
		return resync(at, a);
	struct mm_frame fr = at->l->self->frame(at->l->state, mm_flow_dir(at->f, at->side), a);
	return act(at, fr, a);
}

/* False when the layer is not read any more: nothing of it, nor of the flow perhaps, may be touched. */
static bool run(const struct loop *at, struct mm_slice avail)
{
	struct mm_stream *s = at->s;
	uint64_t origin = s->start;
	while (s->start - origin < avail.len) {
		struct mm_slice a = mm_after(avail, (size_t)(s->start - origin));
		if (s->start + a.len < s->need || !step(at, a))
			break;
		if (is_over(at))
			return false;
	}
	if (s->start > s->deliv)
		s->deliv = s->start;
	return true;
}

void mm_frame_run(struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_slice avail,
        const struct mm_mark *direct)
{
	struct mm_track *tr = f->track;
	const struct loop at = { t, f, &tr->top, &tr->s[side], side, direct };
	(void)run(&at, avail);
}

void mm_frame_datagram(struct mm_flow_table *t, struct mm_flow *f, unsigned side,
        const struct mm_packet *pkt, const struct mm_segment *seg, const struct mm_id *id)
{
	struct mm_track *tr = f->track;
	if (seg->payload.len > tr->top.self->message_max) {
		t->stats.n_oversized++;
		mm_frame_tell_gap(t, f, side, pkt->time_ns);
		return;
	}
	struct mm_dissect d;
	mm_frame_context(t, f, side, &d);
	d.id = *id;
	set_time(&d, tr, pkt->time_ns);
	d.first = seg->first.number != 0 ? seg->first : pkt->id;
	d.last = pkt->id;
	d.lossy = tr->top.lossy || seg->missing != 0;
	if (seg->missing != 0)
		mm_frame_report_loss(t, f, 1, pkt->time_ns);
	t->proto[tr->top.proto].n_messages++;
	tr->top.read_any = true;
	tr->top.self->parse(&d, seg->payload);
}

/* --- inner streams --------------------------------------------------------------------------------- */

static struct loop loop_inside(const struct mm_dissect *d, struct mm_flow_layer *in)
{
	struct mm_flow_table *t = d->sink;
	struct mm_flow *f = &t->flows[in->flow];
	unsigned side = d->dir == MM_TO_SERVER ? f->client : !f->client;
	return (struct loop){ t, f, in, &in->s[side], side, NULL };
}

/* The next inner byte belongs to another message than the last ones. */
static void break_off(const struct loop *at, int64_t time_ns)
{
	struct mm_stream *s = at->s;
	if (at->l->closed)
		return;
	s->start = s->deliv = s->max_end; /* what is being skipped, too: how far on is not known */
	s->need = 0;
	s->sync = MM_SYNC_SEARCH;
	mm_stream_trim(s, &at->t->pool);
	if (at->l->self != NULL)
		at->t->proto[at->l->proto].n_gaps++;
	tell_gap(at->t, at->f, at->l, at->side, time_ns);
}

/* Bytes that wait for more of their message. */
static void keep(const struct loop *at, struct mm_slice bytes, const struct mm_mark *mark)
{
	struct mm_insert_result r = { 0, 0 };
	if (mm_stream_insert(at->s, &at->t->pool, bytes, mark, &r) == MM_INSERT_DONE)
		return;
	at->t->stats.n_buffer_limit++;
	break_off(at, mark->time_ns);
}

static void take_inner(struct loop *at, struct mm_slice bytes, struct mm_mark *mark)
{
	struct mm_stream *s = at->s;
	mark->off = s->max_end;
	mark->end = s->max_end + bytes.len;
	if (mark->off < s->start) { /* skipped over */
		uint64_t n = s->start - mark->off;
		s->max_end = mark->end < s->start ? mark->end : s->start;
		bytes = mm_after(bytes, n < bytes.len ? (size_t)n : bytes.len);
		mark->off = s->start;
		if (bytes.len == 0)
			return;
	}
	if (!mm_stream_empty(s)) {
		keep(at, bytes, mark);
		s->deliv = s->max_end;
		if (run(at, mm_stream_slice(s, s->start, s->deliv)) && !at->l->closed)
			mm_stream_trim(s, &at->t->pool);
		return;
	}
	s->deliv = s->max_end = mark->end;
	at->direct = mark;
	if (!run(at, bytes) || s->start >= mark->end)
		return;
	at->direct = NULL;
	bytes = mm_after(bytes, (size_t)(s->start - mark->off));
	mark->off = s->start;
	keep(at, bytes, mark);
}

static bool inner_bytes(struct mm_dissect *d, struct mm_slice bytes)
{
	struct mm_flow_table *t = d->sink;
	struct mm_flow_layer *l = d->layer, *in = l->closed ? NULL : mm_layer_inner(t, l);
	if (in == NULL || in->closed)
		return false;
	if (bytes.len == 0)
		return true;
	if (in->self == NULL && !in->turned && l->hint != NULL) {
		in->next = l->hint;
		in->turned = true;
	}
	struct loop at = loop_inside(d, in);
	struct mm_track *tr = at.f->track;
	if (d->now_ns > d->time_ns && d->now_ns > tr->known_ns) /* they were held back */
		tr->known_ns = d->now_ns;
	uint64_t n_before = d->first.file == d->last.file ? d->last.number - d->first.number : 0;
	struct mm_mark mark = { .time_ns = d->time_ns,
		.pkt = d->last,
		.n_before = n_before < UINT16_MAX ? (uint16_t)n_before : UINT16_MAX };
	take_inner(&at, bytes, &mark);
	return !in->closed;
}

static void inner_gap(struct mm_dissect *d)
{
	struct mm_flow_layer *l = d->layer;
	if (l->inner == NULL)
		return;
	struct loop at = loop_inside(d, l->inner);
	break_off(&at, d->time_ns);
}

static void inner_name(struct mm_dissect *d, const char *name)
{
	struct mm_flow_table *t = d->sink;
	struct mm_flow_layer *l = d->layer;
	l->hint = mm_class_name(&t->class, name);
}

static void become(struct mm_dissect *d, const char *name)
{
	struct mm_flow_table *t = d->sink;
	struct mm_flow_layer *l = d->layer;
	l->becomes = true;
	l->next = name != NULL ? mm_class_name(&t->class, name) : NULL;
}

static void dress(struct mm_dissect *d, struct mm_event *ev)
{
	const struct mm_flow_layer *l = d->layer;
	for (l = l->outer; l != NULL; l = l->outer)
		if (l->self != NULL && l->self->dress != NULL)
			l->self->dress(l->state, ev);
}

static const struct mm_inner_ops inner_ops = {
	.bytes = inner_bytes, .gap = inner_gap, .name = inner_name, .become = become, .dress = dress
};
