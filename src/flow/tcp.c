/* TCP reassembly: segments in, bytes in order to the dissector.
 *
 * Two orders are kept. Inside a direction bytes are handed on by sequence number. Between the directions a
 * byte is handed on after those that its packet acknowledges: a response never comes before its request, however
 * the two were swapped on the way to us. Where a capture lacks packets either order waits for ever; give_up() ends
 * that.
 *
 * What is given up, and what becomes known by it when, must not hang on which packet happens to come next, or the same
 * traffic would not give the same output. So patience runs in packet time, any flow's: from the time of the packet that
 * waits (or of the ACK that shows the hole to be lost) gap_patience_ns must pass twice. Packets that changed places by
 * less than once that time are then all here. mm_tcp_look() looks at the flows that wait; nothing waits longer than
 * that for want of packets of its own.
 *
 * Without its SYN a direction starts at the lowest byte that was seen until the flow is settled: until both SYNs
 * were seen or the same patience is over. Nothing is handed on before. Lower bytes that come later are not used. */
#include "flow/internal.h"

/* May bytes of this mark go before what the peer sends next? */
static bool gate_open(const struct mm_mark *m, const struct mm_stream *peer)
{
	if (!m->has_ack || !peer->based || peer->deliv > peer->max_end)
		return true;
	uint64_t reach = peer->deliv;
	if (peer->has_fin && reach == peer->fin)
		reach++;
	if (peer->forgiven > reach)
		reach = peer->forgiven;
	return (int32_t)(m->ack - (peer->base + (uint32_t)reach)) <= 0;
}

static enum mm_blocked advance(struct mm_stream *s, const struct mm_stream *peer)
{
	size_t i = mm_stream_find(s, s->deliv);
	for (; i < s->n_marks; i++) {
		const struct mm_mark *m = &s->marks[i];
		if (m->off > s->deliv)
			return MM_BLOCKED_HOLE;
		if (m->lost)
			return MM_BLOCKED_CUT;
		if (!gate_open(m, peer))
			return MM_BLOCKED_PEER;
		s->deliv = m->end;
	}
	return MM_BLOCKED_NOT;
}

static bool claimed(const struct mm_flow *f)
{
	return f->mode == MM_FLOW_TRACKED && f->track->mode == MM_TRACK_CLAIMED;
}

static bool probing(const struct mm_flow *f)
{
	return f->mode == MM_FLOW_TRACKED && f->track->mode == MM_TRACK_PROBE;
}

/* Hand on what one direction has. True when it got further. */
static bool pump_side(struct mm_flow_table *t, struct mm_flow *f, unsigned side)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	uint64_t before = s->deliv, last;
	enum mm_blocked why;
	do {
		last = s->deliv;
		why = advance(s, &tr->s[!side]);
		/* mm_frame_run() reads no more than lies before deliv, and may skip beyond it. */
		mm_frame_run(t, f, side, mm_stream_slice(s, s->start, s->deliv), NULL);
		if (!claimed(f))
			return false;
		size_t i = mm_stream_find(s, s->deliv);
		if (i < s->n_marks && s->marks[i].lost && s->marks[i].off <= s->deliv)
			mm_frame_gap(t, f, side, s->marks[i].end);
		mm_stream_trim(s, &t->pool);
	} while (s->deliv != last);
	if (why != s->blocked || s->deliv != s->blocked_at) {
		s->blocked = why;
		s->blocked_at = s->deliv;
		s->hole_acked_ns = INT64_MAX;
		if (why == MM_BLOCKED_HOLE && s->acked >= s->marks[mm_stream_find(s, s->deliv)].off)
			s->hole_acked_ns = INT64_MIN;
	}
	return s->deliv != before;
}

static void pump(struct mm_flow_table *t, struct mm_flow *f, unsigned side)
{
	bool moved = true;
	while (moved && claimed(f)) {
		moved = pump_side(t, f, side);
		if (claimed(f) && pump_side(t, f, !side))
			moved = true;
	}
}

/* When a direction stops waiting at the mark, in packet time; INT64_MAX: not as things are. *known_ns: when what it gives
 * up becomes known; INT64_MIN: as if nothing had been waited for. */
static int64_t patience_ends(const struct mm_flow_table *t, const struct mm_flow *f, unsigned side,
        const struct mm_mark *m, int64_t *known_ns)
{
	const struct mm_stream *s = &f->track->s[side];
	int64_t patience = t->conf.gap_patience_ns, acked_ns = INT64_MIN;
	*known_ns = INT64_MIN;
	if (s->blocked == MM_BLOCKED_HOLE) {
		bool one_way = (f->bits & MM_SEEN << !side) == 0;
		if (s->forgiven >= m->off)
			return INT64_MIN;
		if (!one_way && s->acked < m->off)
			return INT64_MAX;
		if (!one_way && s->hole_acked_ns != INT64_MAX)
			acked_ns = s->hole_acked_ns;
	}
	if (acked_ns <= m->time_ns + patience)
		return m->time_ns + 2 * patience;
	*known_ns = acked_ns;
	return acked_ns + patience;
}

/* Give up one thing that a direction waits for: a hole before a wait for the peer, the earlier packet first. force:
 * whether patience is over or not. False when there is nothing to give up. */
static bool give_up(struct mm_flow_table *t, struct mm_flow *f, bool force)
{
	struct mm_track *tr = f->track;
	const struct mm_mark *best = NULL;
	unsigned best_side = 0;
	int64_t best_known_ns = INT64_MIN;
	for (unsigned side = 0; side < 2; side++) {
		const struct mm_stream *s = &tr->s[side];
		if (s->blocked != MM_BLOCKED_HOLE && s->blocked != MM_BLOCKED_PEER)
			continue;
		const struct mm_mark *m = &s->marks[mm_stream_find(s, s->deliv)];
		int64_t known_ns;
		if (t->now_ns < patience_ends(t, f, side, m, &known_ns) && !force)
			continue;
		bool hole = s->blocked == MM_BLOCKED_HOLE;
		bool best_hole = best != NULL && tr->s[best_side].blocked == MM_BLOCKED_HOLE;
		if (best == NULL || (hole && !best_hole) ||
		        (hole == best_hole && m->time_ns < best->time_ns)) {
			best = m;
			best_side = side;
			best_known_ns = known_ns;
		}
	}
	if (best == NULL)
		return false;
	if (best_known_ns > tr->known_ns)
		tr->known_ns = best_known_ns;
	struct mm_stream *peer = &tr->s[!best_side];
	if (tr->s[best_side].blocked == MM_BLOCKED_HOLE) {
		mm_frame_gap(t, f, best_side, best->off);
	} else {
		/* The peer received what we did not see. It is counted when the hole shows, or at the end. */
		peer->forgiven =
		        (uint64_t)((int64_t)peer->deliv +
		                   (int32_t)(best->ack - (peer->base + (uint32_t)peer->deliv)));
		mm_frame_tell_gap(t, f, !best_side, best->time_ns);
	}
	pump(t, f, best_side);
	return claimed(f);
}

static bool is_settled(const struct mm_flow_table *t, const struct mm_flow *f)
{
	const struct mm_track *tr = f->track;
	const unsigned both = MM_SYN_SEEN | MM_SYN_SEEN << 1;
	return (f->bits & both) == both || tr->n_ticks >= MM_FLOW_SETTLE_MAX ||
	       t->now_ns - tr->first_ns >= 2 * t->conf.gap_patience_ns;
}

/* From now on it is known where the streams start, and who is the client. */
static void settle(struct mm_flow *f)
{
	struct mm_track *tr = f->track;
	tr->settled = true;
	for (unsigned side = 0; side < 2; side++) {
		struct mm_stream *s = &tr->s[side];
		if (s->syn || !s->based)
			continue;
		s->start = mm_stream_empty(s) ? s->max_end : s->marks[s->m0].off;
		s->deliv = s->start;
	}
}

/* Let the dissector have the flow if both are known. */
static void start(struct mm_flow_table *t, struct mm_flow *f)
{
	struct mm_track *tr = f->track;
	if (tr->mode != MM_TRACK_HOLD || !tr->settled)
		return;
	if (tr->top.self == NULL)
		tr->top.self = mm_class_flow(&t->class, f, &tr->top.proto);
	if (!mm_track_claim(t, f, tr->top.self, tr->top.proto)) {
		mm_flow_shunt(t, f);
		return;
	}
	for (unsigned side = 0; side < 2; side++)
		tr->s[side].sync = tr->s[side].syn ? MM_SYNC_OK : MM_SYNC_SEARCH;
}

/* The first bytes of a direction, as far as they are in order. */
struct head {
	struct mm_slice bytes;
	uint64_t end;               /* offset behind what is in order */
	const struct mm_mark *last; /* what brought the last of bytes; NULL: none */
	const struct mm_mark *next; /* behind a hole; NULL: nothing */
	bool fixed;                 /* it is known where the stream starts */
	bool full;                  /* no more will be looked at */
	bool over;                  /* no more will come */
};

static void head_of(const struct mm_track *tr, unsigned side, struct head *h)
{
	const struct mm_stream *s = &tr->s[side];
	size_t max = tr->fallback != NULL ? MM_FLOW_HEAD_CLAIMED : MM_FLOW_HEAD;
	uint64_t from = s->start;
	*h = (struct head){ .end = from, .fixed = s->syn || tr->settled };
	if (!h->fixed)
		return;
	/* What was in order when it was probed still is. */
	uint64_t to = s->probed != 0 ? from + s->probed - 1 : from;
	size_t i = mm_stream_find(s, to);
	for (; i < s->n_marks && s->marks[i].off <= to && to - from < max; i++) {
		if (s->marks[i].lost) {
			h->full = true;
			break;
		}
		h->last = &s->marks[i];
		h->end = to = s->marks[i].end;
	}
	if (i < s->n_marks && s->marks[i].off > to)
		h->next = &s->marks[i];
	h->full = h->full || to - from >= max;
	h->over = s->has_fin && s->fin == to;
	h->bytes = mm_first(mm_stream_slice(s, from, to), max);
}

/* Nobody knows the flow's first bytes: back to whom the port belongs, or to whom nDPI thinks of, or out. known_ns: when
 * that was to be known. */
static void stop_probing(struct mm_flow_table *t, struct mm_flow *f, int64_t known_ns)
{
	struct mm_track *tr = f->track;
	mm_track_probe_stop(t, tr);
	if (tr->fallback != NULL) {
		tr->top.self = tr->fallback;
		tr->top.proto = tr->fallback_proto;
	} else {
		struct mm_slice heads[2];
		for (unsigned side = 0; side < 2; side++) {
			struct head h;
			head_of(tr, side, &h);
			heads[side] = h.bytes;
		}
		tr->top.self = mm_class_ask(t, f, heads, &tr->top.proto);
		tr->tried = true;
	}
	if (known_ns > tr->known_ns)
		tr->known_ns = known_ns;
	if (tr->top.self == NULL)
		mm_flow_shunt(t, f);
	else
		start(t, f);
}

/* Is the head all that will be looked at, and is of the peer's here what its sender had received by then? */
static bool is_enough(const struct head *h, const struct head *peers, const struct mm_stream *peer)
{
	if (!h->full)
		return false;
	if (h->last == NULL || !h->last->has_ack || !peer->based || peers->full || peers->over)
		return true;
	return mm_stream_offset(peer, h->last->ack) <= (int64_t)peers->end;
}

/* The flow is looked at until one direction's head is full, or both are over, or what is missing of one can no longer be
 * waited for. This hangs on bytes and on packet time, not on how the bytes were cut. */
static bool give_up_probing(
        const struct mm_flow_table *t, struct mm_flow *f, const struct head h[2], int64_t *known_ns)
{
	struct mm_track *tr = f->track;
	*known_ns = INT64_MIN;
	for (unsigned side = 0; side < 2; side++)
		if (h[side].last != NULL && h[side].last->time_ns > *known_ns)
			*known_ns = h[side].last->time_ns;
	if ((h[0].over && h[1].over) || is_enough(&h[0], &h[1], &tr->s[1]) ||
	        is_enough(&h[1], &h[0], &tr->s[0]))
		return true;
	int64_t until_ns = INT64_MAX;
	for (unsigned side = 0; side < 2; side++) {
		const struct mm_stream *s = &tr->s[side];
		const struct mm_mark *m = h[side].next != NULL ? h[side].next
		                          : h[side].full       ? h[side].last
		                                               : NULL;
		if (m == NULL)
			continue;
		if (s->n_marks - mm_stream_find(s, h[side].end) > MM_FLOW_SETTLE_MAX)
			return true;
		if (m->time_ns + 2 * t->conf.gap_patience_ns < until_ns)
			until_ns = m->time_ns + 2 * t->conf.gap_patience_ns;
	}
	tr->lacking = until_ns != INT64_MAX;
	if (t->now_ns < until_ns)
		return false;
	*known_ns = until_ns;
	return true;
}

static void probe(struct mm_flow_table *t, struct mm_flow *f)
{
	struct mm_track *tr = f->track;
	struct head heads[2];
	for (unsigned side = 0; side < 2; side++)
		head_of(tr, side, &heads[side]);
	for (unsigned side = 0; side < 2; side++) {
		struct mm_stream *s = &tr->s[side];
		if (heads[side].bytes.len <= s->probed)
			continue;
		s->probed = heads[side].bytes.len;
		const struct mm_dissector *self = mm_class_probe(&t->class, heads[side].bytes,
		        mm_flow_dir(f, side), MM_TCP, tr->fallback, &tr->top.proto);
		unsigned name = mm_class_signature(f, heads[side].bytes);
		if (self == NULL && name != MM_FLOW_NAME_UNKNOWN && tr->fallback == NULL) {
			t->stats.n_unread[name]++;
			mm_flow_shunt(t, f);
			return;
		}
		if (self == NULL)
			continue;
		mm_track_probe_stop(t, tr);
		tr->top.self = self;
		if (heads[side].last->time_ns > tr->known_ns)
			tr->known_ns = heads[side].last->time_ns;
		start(t, f);
		return;
	}
	int64_t known_ns;
	if (give_up_probing(t, f, heads, &known_ns))
		stop_probing(t, f, known_ns);
}

/* Make room for bytes up to end. False when they shall not be taken in: no peer acknowledged what lies before
 * them, and it is more than a sender may have under way. */
static bool make_room(
        struct mm_flow_table *t, struct mm_flow *f, unsigned side, uint64_t off, uint64_t end)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	uint64_t max = t->conf.buffer_max;
	t->stats.n_buffer_limit++;
	bool one_way = (f->bits & MM_SEEN << !side) == 0;
	if (!one_way && off > s->max_end && off - s->max_end > max && s->acked < off)
		return false;
	if (!tr->settled) {
		settle(f);
		start(t, f);
	}
	if (probing(f))
		probe(t, f);
	if (probing(f))
		stop_probing(t, f, t->now_ns);
	if (claimed(f))
		pump(t, f, side);
	while (claimed(f) && end > s->start + max && give_up(t, f, true))
		;
	if (claimed(f) && end > s->start + max && off > s->deliv)
		mm_frame_gap(t, f, side, off);
	return claimed(f) && end <= s->start + max;
}

/* Put what cannot be handed on at once into the stream. */
static uint64_t buffer(struct mm_flow_table *t, struct mm_flow *f, unsigned side,
        struct mm_slice data, const struct mm_mark *mark)
{
	struct mm_stream *s = &f->track->s[side];
	struct mm_insert_result r = { 0, 0 };
	if (mark->end > s->start + t->conf.buffer_max &&
	        !make_room(t, f, side, mark->off, mark->end))
		return 0;
	enum mm_insert done = mm_stream_insert(s, &t->pool, data, mark, &r);
	/* What nobody has claimed gives way first. */
	while (done == MM_INSERT_NO_ROOM && s->n_marks - s->m0 < MM_STREAM_MARKS_MAX &&
	        t->probing_oldest != NULL && t->probing_oldest != f->track) {
		mm_track_probe_give_way(t);
		done = mm_stream_insert(s, &t->pool, data, mark, &r);
	}
	if (done == MM_INSERT_NO_ROOM) {
		/* Other flows hold the memory. What this one holds is handed on now. */
		t->stats.n_buffer_limit++;
		if (claimed(f))
			pump(t, f, side);
		while (claimed(f) && give_up(t, f, true))
			;
		if (claimed(f) &&
		        mm_stream_insert(s, &t->pool, data, mark, &r) == MM_INSERT_NO_ROOM &&
		        mm_stream_empty(s) && mark->end > s->deliv)
			mm_frame_gap(t, f, side, mark->end);
	}
	t->stats.n_overlap_conflict += r.conflict;
	return r.fresh;
}

/* Bytes below start were skipped, not read: whether they were seen only counts. */
static void count_skipped(struct mm_stream *s, uint64_t off, uint64_t end)
{
	uint64_t to = end < s->start ? end : s->start;
	if (off > s->max_end && s->max_end < s->start) {
		s->skip_missing += (off < s->start ? off : s->start) - s->max_end;
	} else if (s->skip_missing != 0 && off < to) {
		uint64_t filled = (to < s->max_end ? to : s->max_end) - off;
		s->skip_missing -= filled < s->skip_missing ? filled : s->skip_missing;
	}
}

/* Bytes in order, nothing buffered, nothing to wait for: read them where they are. False when it is not so. */
static bool read_in_place(struct mm_flow_table *t, struct mm_flow *f, unsigned side,
        struct mm_slice data, struct mm_mark *mark)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side], *peer = &tr->s[!side];
	if (tr->mode != MM_TRACK_CLAIMED || mark->off != s->start || s->deliv != s->start ||
	        !mm_stream_empty(s) || data.len == 0 || !gate_open(mark, peer))
		return false;
	s->deliv = mark->end;
	if (mark->end > s->max_end)
		s->max_end = mark->end;
	mm_frame_run(t, f, side, data, mark);
	if (f->mode != MM_FLOW_TRACKED)
		return true;
	if (s->start < mark->end) {
		struct mm_slice rest = mm_after(data, (size_t)(s->start - mark->off));
		mark->off = s->start;
		/* Once they are in the buffer, and only then, these bytes count as delivered. */
		s->deliv = s->start;
		(void)buffer(t, f, side, rest, mark);
		if (claimed(f))
			(void)advance(s, peer);
	}
	if (claimed(f) && !mm_stream_empty(peer))
		pump(t, f, !side);
	return true;
}

static void take_data(struct mm_flow_table *t, struct mm_flow *f, unsigned side,
        const struct mm_packet *pkt, const struct mm_segment *seg, int64_t at)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	struct mm_slice data = seg->payload;
	size_t missing = seg->missing;
	int64_t end = at + (int64_t)(data.len + missing);
	if (end <= (int64_t)s->start) {
		if (end <= (int64_t)s->max_end)
			t->stats.n_retransmitted++;
		if (at >= 0)
			count_skipped(s, (uint64_t)at, (uint64_t)end);
		if (end > (int64_t)s->max_end)
			s->max_end = (uint64_t)end;
		return;
	}
	if (at >= 0 && ((uint64_t)at < s->start || s->max_end < s->start))
		count_skipped(s, (uint64_t)at, (uint64_t)end);
	if (at < (int64_t)s->start) {
		size_t old = (size_t)((int64_t)s->start - at);
		missing -= old > data.len ? old - data.len : 0;
		data = mm_after(data, old);
		at = (int64_t)s->start;
	}
	struct mm_mark mark = { .off = (uint64_t)at,
		.end = (uint64_t)at + data.len,
		.time_ns = pkt->time_ns,
		.pkt = pkt->id,
		.ack = seg->ack,
		.has_ack = (seg->tcp_flags & MM_TCP_ACK) != 0 };
	if (missing == 0 && read_in_place(t, f, side, data, &mark))
		return;

	uint64_t max_end = s->max_end, off = mark.off, fresh = 0;
	if (data.len != 0)
		fresh = buffer(t, f, side, data, &mark);
	if (missing != 0 && f->mode == MM_FLOW_TRACKED) {
		mark.off = mark.end;
		mark.end += missing;
		mark.lost = true;
		fresh += buffer(t, f, side, mm_slice(NULL, 0), &mark);
	}
	if (f->mode != MM_FLOW_TRACKED)
		return;
	if (fresh == 0)
		t->stats.n_retransmitted++;
	else if (off != max_end && tr->settled)
		t->stats.n_out_of_order++;
	if (tr->mode == MM_TRACK_CLAIMED)
		pump(t, f, side);
}

static void note_syn(struct mm_track *tr, struct mm_stream *s, uint32_t isn)
{
	if (s->syn || (s->based && tr->settled))
		return;
	if (s->based)
		mm_stream_rebase(s, isn + 1);
	s->base = isn + 1;
	s->based = s->syn = true;
}

/* The FIN, which may come before the first bytes do. */
static void note_fin(struct mm_stream *s, uint32_t seq)
{
	int64_t fin = mm_stream_offset(s, seq);
	s->has_fin = fin >= 0;
	s->fin = (uint64_t)fin;
}

/* One that came when it was not known where the stream starts. */
static void note_early_fin(const struct mm_flow *f, unsigned side)
{
	struct mm_stream *s = &f->track->s[side];
	if (s->based && !s->has_fin && (f->bits & MM_FIN_SEEN << side) != 0)
		note_fin(s, f->fin[side]);
}

static void note_ack(struct mm_stream *s, uint32_t ack, int64_t time_ns)
{
	if (!s->based)
		return;
	int64_t off = mm_stream_offset(s, ack);
	if (off <= 0 || off > (int64_t)(s->max_end + MM_STREAM_AHEAD_MAX))
		return;
	if ((uint64_t)off > s->acked)
		s->acked = (uint64_t)off;
	if (s->blocked == MM_BLOCKED_HOLE && time_ns < s->hole_acked_ns &&
	        (uint64_t)off >= s->marks[mm_stream_find(s, s->deliv)].off)
		s->hole_acked_ns = time_ns;
}

static struct mm_track *new_track(
        struct mm_flow_table *t, struct mm_flow *f, int64_t time_ns, const struct mm_segment *seg)
{
	struct mm_track *tr = mm_track_new(t, f, seg);
	if (tr == NULL)
		return NULL;
	tr->first_ns = tr->now_ns = time_ns;
	tr->known_ns = INT64_MIN;
	tr->n_ticks = 1;
	for (unsigned side = 0; side < 2; side++)
		if ((f->bits & MM_SYN_SEEN << side) != 0) {
			note_syn(tr, &tr->s[side], f->isn[side]);
			note_early_fin(f, side);
		}
	size_t ignored;
	if (mm_class_flow(&t->class, f, &ignored) != NULL)
		tr->mode = MM_TRACK_HOLD;
	else
		mm_track_probe(t, f);
	return tr;
}

/* Show what there is to those who may know it; whoever does reads it, and may find that it is not his (once). */
static void probe_and_pump(struct mm_flow_table *t, struct mm_flow *f, unsigned side)
{
	while (probing(f)) {
		probe(t, f);
		if (!claimed(f))
			return;
		pump(t, f, side);
	}
}

/* --- waiting --------------------------------------------------------------------------------------- */

void mm_tcp_wait(struct mm_flow_table *t, struct mm_track *tr, bool waiting)
{
	if (tr->waiting == waiting)
		return;
	tr->waiting = waiting;
	if (waiting) {
		tr->wait_prev = NULL;
		tr->wait_next = t->waiting;
		if (t->waiting != NULL)
			t->waiting->wait_prev = tr;
		else
			t->next_look_ns = t->now_ns + t->conf.gap_patience_ns / MM_FLOW_LOOKS;
		t->waiting = tr;
		return;
	}
	if (t->look_next == tr)
		t->look_next = tr->wait_next;
	if (tr->wait_prev != NULL)
		tr->wait_prev->wait_next = tr->wait_next;
	else
		t->waiting = tr->wait_next;
	if (tr->wait_next != NULL)
		tr->wait_next->wait_prev = tr->wait_prev;
	if (t->waiting == NULL)
		t->next_look_ns = INT64_MAX;
}

/* Hand on what can be, decide what can be, and wait for the rest. */
static void move_on(struct mm_flow_table *t, struct mm_flow *f, unsigned side)
{
	probe_and_pump(t, f, side);
	while (claimed(f) && give_up(t, f, false))
		;
	struct mm_track *tr = f->track;
	if (f->mode != MM_FLOW_TRACKED)
		return;
	bool blocked = tr->mode == MM_TRACK_PROBE && tr->lacking;
	for (unsigned i = 0; i < 2; i++)
		blocked |=
		        tr->s[i].blocked == MM_BLOCKED_HOLE || tr->s[i].blocked == MM_BLOCKED_PEER;
	mm_tcp_wait(t, tr, !tr->settled || blocked);
}

static void settle_if_due(struct mm_flow_table *t, struct mm_flow *f)
{
	if (f->track->settled || !is_settled(t, f))
		return;
	settle(f);
	start(t, f);
	if (claimed(f))
		pump(t, f, f->client);
}

void mm_tcp_look(struct mm_flow_table *t)
{
	t->next_look_ns = t->now_ns + t->conf.gap_patience_ns / MM_FLOW_LOOKS;
	for (struct mm_track *tr = t->waiting; tr != NULL; tr = t->look_next) {
		struct mm_flow *f = &t->flows[tr->flow];
		t->look_next = tr->wait_next;
		settle_if_due(t, f);
		if (f->mode == MM_FLOW_TRACKED)
			move_on(t, f, f->client);
	}
	t->look_next = NULL;
}

void mm_tcp_segment(struct mm_flow_table *t, struct mm_flow *f, unsigned side,
        const struct mm_packet *pkt, const struct mm_segment *seg)
{
	struct mm_track *tr = f->track;
	bool syn = (seg->tcp_flags & MM_TCP_SYN) != 0;
	bool payload = seg->payload.len + seg->missing != 0 && (seg->tcp_flags & MM_TCP_RST) == 0;
	if (tr == NULL && (!payload || (tr = new_track(t, f, pkt->time_ns, seg)) == NULL))
		return;
	if (pkt->time_ns > tr->now_ns) {
		tr->now_ns = pkt->time_ns;
		tr->n_ticks++;
	}
	if (pkt->time_ns < tr->first_ns)
		tr->first_ns = pkt->time_ns;
	struct mm_stream *s = &tr->s[side];
	if (syn) {
		note_syn(tr, s, seg->seq);
		note_early_fin(f, side);
	}
	if ((seg->tcp_flags & MM_TCP_ACK) != 0)
		note_ack(&tr->s[!side], seg->ack, pkt->time_ns);
	settle_if_due(t, f);
	uint32_t seq = seg->seq + (syn ? 1 : 0);
	if (f->mode == MM_FLOW_TRACKED && payload) {
		if (!s->based) {
			s->based = true;
			s->max_end = tr->settled ? 0 : MM_STREAM_SLACK;
			s->base = seq - (uint32_t)s->max_end;
			note_early_fin(f, side);
		}
		take_data(t, f, side, pkt, seg, mm_stream_offset(s, seq));
	}
	if (f->mode == MM_FLOW_TRACKED && (seg->tcp_flags & MM_TCP_FIN) != 0 && s->based) {
		note_fin(s, mm_tcp_after(seg));
		if (claimed(f) && !mm_stream_empty(&tr->s[!side]))
			pump(t, f, !side);
	}
	if (f->mode == MM_FLOW_TRACKED)
		move_on(t, f, side);
}

/* Shorter than any message that hands out a credential: an alert that closes TLS, a GOAWAY of HTTP/2. */
enum { NO_CREDENTIAL_B = 64 };

/* What was sent by the numbers of FIN and ACK and not seen, or seen and dropped for want of memory. */
static void lost_at_end(struct mm_flow_table *t, struct mm_flow *f, unsigned side, int64_t now_ns)
{
	struct mm_track *tr = f->track;
	struct mm_stream *s = &tr->s[side];
	uint64_t n_bytes = s->skip_missing, n_gaps = n_bytes != 0;
	uint64_t sent = s->max_end, read = s->deliv < sent ? s->deliv : sent;
	if (s->has_fin && s->fin > sent)
		sent = s->fin;
	else if (!s->has_fin && s->acked > sent + 1) /* 1: a FIN that was not seen */
		sent = s->acked;
	if (sent != read && s->based && sent - read <= MM_STREAM_AHEAD_MAX) {
		n_bytes += sent - read;
		n_gaps++;
		mm_frame_tell_gap(t, f, side, now_ns);
	}
	t->stats.n_gaps += n_gaps;
	t->stats.n_gap_bytes += n_bytes;
	t->proto[tr->top.proto].n_gaps += n_gaps;
	bool farewell = n_gaps == 1 && n_bytes < NO_CREDENTIAL_B && s->skip_missing == 0 &&
	                s->start == s->deliv && s->need <= s->deliv;
	if (n_gaps != 0 && !farewell)
		mm_frame_report_loss(t, f, n_gaps, now_ns);
}

void mm_tcp_flush(struct mm_flow_table *t, struct mm_flow *f, int64_t now_ns)
{
	do {
		if (f->mode == MM_FLOW_TRACKED && !f->track->settled) {
			settle(f);
			start(t, f);
		}
		probe_and_pump(t, f, f->client);
		if (probing(f))
			stop_probing(t, f, now_ns);
		if (claimed(f))
			pump(t, f, f->client);
		while (claimed(f) && give_up(t, f, true))
			;
	} while (probing(f));
	for (unsigned side = 0; side < 2 && claimed(f); side++)
		lost_at_end(t, f, side, now_ns);
}
