/* Feeding a flow's dissector: the framing loop over a stream, gaps, datagrams, the end. */
#include "flow/internal.h"

static void emit(void *sink, struct mm_event *ev)
{
	struct mm_flow_table *t = sink;
	ev->seq = t->seq++;
	t->conf.emit(t->conf.sink, ev);
}

void mm_frame_context(
        struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_dissect *d)
{
	struct mm_track *tr = f->track;
	if (tr->info.community_id[0] == '\0')
		mm_community_id(
		        &tr->info.client, &tr->info.server, f->key.proto, 0, tr->info.community_id);
	*d = (struct mm_dissect){
		.self = tr->self,
		.state = tr->state,
		.flow = &tr->info,
		.dir = mm_flow_dir(f, side),
		.lossy = tr->lossy,
		.key = &t->bulk_key,
		.pool = t->conf.pool,
		.web = t->web,
		.emit = emit,
		.sink = t,
	};
}

/* What the dissector is told happened at this time, and was known no earlier than the flow's last decision. */
static void set_time(struct mm_dissect *d, const struct mm_track *tr, int64_t time_ns)
{
	d->time_ns = time_ns;
	d->now_ns = tr->known_ns > time_ns ? tr->known_ns : time_ns;
}

static void parse(struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_slice msg,
        const struct mm_mark *first, const struct mm_mark *last)
{
	struct mm_track *tr = f->track;
	struct mm_dissect d;
	mm_frame_context(t, f, side, &d);
	set_time(&d, tr, last->time_ns);
	d.first = first->pkt;
	d.last = last->pkt;
	t->proto[tr->proto].n_messages++;
	tr->read_any = true;
	tr->n_lost_run = 0;
	tr->self->parse(&d, msg);
}

static const struct mm_mark *mark_at(
        const struct mm_stream *s, uint64_t off, const struct mm_mark *direct)
{
	return direct != NULL ? direct : &s->marks[mm_stream_find(s, off)];
}

void mm_frame_report_loss(struct mm_flow_table *t, struct mm_flow *f, uint64_t n, int64_t time_ns)
{
	struct mm_dissect d;
	mm_frame_context(t, f, f->client, &d);
	set_time(&d, f->track, time_ns);
	struct mm_event *ev = mm_dissect_event(&d, MM_EV_LOSS, "loss");
	if (ev == NULL)
		return;
	ev->n_lost = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
	mm_dissect_emit(&d, ev);
}

void mm_frame_tell_gap(struct mm_flow_table *t, struct mm_flow *f, unsigned side, int64_t time_ns)
{
	struct mm_track *tr = f->track;
	tr->lossy = true;
	if (tr->self->gap == NULL)
		return;
	struct mm_dissect d;
	mm_frame_context(t, f, side, &d);
	set_time(&d, tr, time_ns);
	tr->self->gap(&d);
}

void mm_frame_gap(struct mm_flow_table *t, struct mm_flow *f, unsigned side, uint64_t to)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	uint64_t n_bytes = to - s->deliv;
	t->stats.n_gaps++;
	t->stats.n_gap_bytes += n_bytes;
	t->proto[tr->proto].n_gaps++;

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

/* Nothing more of interest: the dissector ends here. */
static void quit(struct mm_flow_table *t, struct mm_flow *f, int64_t now_ns)
{
	mm_frame_end(t, f, now_ns);
	mm_flow_shunt(t, f);
}

/* Not what the port promised, from the first byte on: let the others look, once. */
static bool ask_others(struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_slice a,
        const struct mm_mark *direct)
{
	struct mm_track *tr = f->track;
	const struct mm_dissector *self = tr->self;
	if (tr->tried || tr->read_any || tr->lossy || !tr->s[side].syn || tr->s[side].start != 0)
		return false;
	tr->tried = true;
	if (self->probe == NULL || self->probe(a, mm_flow_dir(f, side), MM_TCP))
		return false;
	mm_frame_end(t, f, mark_at(&tr->s[side], 0, direct)->time_ns);
	mm_track_free_state(t, tr);
	tr->fallback = self;
	tr->fallback_proto = tr->proto;
	tr->self = NULL;
	for (unsigned i = 0; i < 2; i++) {
		tr->s[i].probed = 0;
		tr->s[i].need = 0;
		tr->s[i].deliv = tr->s[i].start;
	}
	mm_track_probe(t, f);
	return true;
}

/* The bytes at the front are no message. */
static void lost(struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_slice a,
        const struct mm_mark *direct)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	if (ask_others(t, f, side, a, direct))
		return;
	t->stats.n_lost_sync++;
	t->proto[tr->proto].n_lost_sync++;
	const struct mm_mark *m = mark_at(s, s->start, direct);
	if (++tr->n_lost_run > MM_FLOW_LOST_MAX) {
		quit(t, f, m->time_ns);
		return;
	}
	if (tr->self->resync == NULL) {
		s->sync = MM_SYNC_SEGMENT;
		s->lost_pkt = m->pkt;
		return;
	}
	s->sync = MM_SYNC_SEARCH;
	s->start++;
}

/* A message longer than message_max, n bytes of it, or an unknown number. */
static void oversized(struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_slice a,
        size_t n, const struct mm_mark *direct)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	if (ask_others(t, f, side, a, direct))
		return;
	t->stats.n_oversized++;
	int64_t time_ns = mark_at(s, s->start, direct)->time_ns;
	tr->read_any = true;
	if (n == 0) {
		n = tr->self->message_max < a.len ? tr->self->message_max : a.len;
		s->sync = MM_SYNC_SEARCH;
	}
	s->start += n != 0 ? n : 1;
	mm_frame_tell_gap(t, f, side, time_ns);
}

/* Find where a message starts. False when more bytes are needed for that. */
static bool resync(struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_slice a,
        const struct mm_mark *direct)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	(void)t;
	if (s->sync == MM_SYNC_SEGMENT) {
		const struct mm_mark *m = mark_at(s, s->start, direct);
		if (m->pkt.number != s->lost_pkt.number || m->pkt.file != s->lost_pkt.file) {
			s->sync = MM_SYNC_OK;
			return true;
		}
		uint64_t left = m->end - s->start;
		s->start += left < a.len ? left : a.len;
		return true;
	}
	if (tr->self->resync == NULL) {
		s->sync = MM_SYNC_OK;
		return true;
	}
	size_t at = tr->self->resync(tr->state, mm_flow_dir(f, side), a);
	if (at < a.len) {
		s->start += at;
		s->sync = MM_SYNC_OK;
		return true;
	}
	s->need = s->start + a.len + 1;
	if (a.len > MM_FLOW_RESYNC_KEEP)
		s->start += a.len - MM_FLOW_RESYNC_KEEP;
	return false;
}

static void skip(
        struct mm_flow_table *t, struct mm_flow *f, unsigned side, size_t n, struct mm_slice a)
{
	/* Nothing real is longer; the sum of offsets stays far from its end. */
	static const uint64_t skip_max = (uint64_t)1 << 48;
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	uint64_t bytes = n < skip_max ? n : skip_max;
	tr->read_any = true;
	tr->n_lost_run = 0;
	t->stats.n_skipped_bytes += bytes;
	if (s->start < UINT64_MAX - 2 * skip_max)
		s->start += bytes;
	else
		s->start += a.len;
}

/* Act on what frame() said of a. False when it waits for more bytes. */
static bool act(struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_frame fr,
        struct mm_slice a, const struct mm_mark *direct)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	size_t max = tr->self->message_max;
	switch (fr.verdict) {
	case MM_FRAME_DONE:
		if (fr.n == 0)
			break;
		if (fr.n <= a.len && fr.n <= max) {
			const struct mm_mark *first = mark_at(s, s->start, direct);
			const struct mm_mark *last = mark_at(s, s->start + fr.n - 1, direct);
			parse(t, f, side, mm_first(a, fr.n), first, last);
			s->start += fr.n;
			return true;
		}
		goto wait;
	case MM_FRAME_MORE:
	wait:
		if (fr.n > max || a.len >= max) {
			oversized(t, f, side, a, fr.n > max ? fr.n : 0, direct);
			return true;
		}
		s->need = s->start + (fr.n > a.len ? fr.n : a.len + 1);
		return false;
	case MM_FRAME_SKIP:
		if (fr.n == 0)
			break;
		skip(t, f, side, fr.n, a);
		return true;
	case MM_FRAME_LOST:
		break;
	case MM_FRAME_QUIT:
		quit(t, f, mark_at(s, s->start, direct)->time_ns);
		return true;
	}
	lost(t, f, side, a, direct);
	return true;
}

void mm_frame_run(struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_slice avail,
        const struct mm_mark *direct)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	uint64_t origin = s->start;
	while (s->start - origin < avail.len) {
		struct mm_slice a = mm_after(avail, (size_t)(s->start - origin));
		if (s->start + a.len < s->need)
			break;
		if (s->sync != MM_SYNC_OK) {
			if (!resync(t, f, side, a, direct))
				break;
			continue;
		}
		struct mm_frame fr = tr->self->frame(tr->state, mm_flow_dir(f, side), a);
		if (!act(t, f, side, fr, a, direct))
			break;
		if (f->mode != MM_FLOW_TRACKED || tr->mode != MM_TRACK_CLAIMED)
			return;
	}
	if (s->start > s->deliv)
		s->deliv = s->start;
}

void mm_frame_datagram(struct mm_flow_table *t, struct mm_flow *f, unsigned side,
        const struct mm_packet *pkt, const struct mm_segment *seg, const struct mm_id *id)
{
	struct mm_track *tr = f->track;
	if (seg->payload.len > tr->self->message_max) {
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
	d.lossy = tr->lossy || seg->missing != 0;
	if (seg->missing != 0)
		mm_frame_report_loss(t, f, 1, pkt->time_ns);
	t->proto[tr->proto].n_messages++;
	tr->read_any = true;
	tr->self->parse(&d, seg->payload);
}

void mm_frame_end(struct mm_flow_table *t, struct mm_flow *f, int64_t now_ns)
{
	struct mm_track *tr = f->track;
	if (tr->self == NULL || tr->self->end == NULL || tr->mode != MM_TRACK_CLAIMED)
		return;
	struct mm_dissect d;
	mm_frame_context(t, f, f->client, &d);
	set_time(&d, tr, now_ns);
	tr->self->end(&d);
}
