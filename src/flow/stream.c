/* One direction of a TCP connection. */
#include "flow/stream.h"

#include <assert.h>

void mm_stream_init(struct mm_stream *s)
{
	*s = (struct mm_stream){ .blocked = MM_BLOCKED_NOT, .sync = MM_SYNC_OK };
	s->marks = s->inline_marks;
}

static size_t marks_room(const struct mm_stream *s)
{
	return s->marks_cap == 0 ? MM_STREAM_MARKS_INLINE : s->marks_cap / sizeof *s->marks;
}

static void drop_marks(struct mm_stream *s, struct mm_pool *pool)
{
	if (s->marks_cap != 0)
		mm_pool_put(pool, s->marks, s->marks_cap);
	s->marks = s->inline_marks;
	s->marks_cap = 0;
	s->m0 = s->n_marks = 0;
}

void mm_stream_release(struct mm_stream *s, struct mm_pool *pool)
{
	drop_marks(s, pool);
	mm_pool_put(pool, s->buf, s->cap);
	s->buf = NULL;
	s->cap = 0;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void mm_stream_rebase(struct mm_stream *s, uint32_t base)
{
	/* Only before anything was delivered, so that offsets are small and start is 0. */
	int32_t delta = (int32_t)(base - s->base);
	s->base = base;
	if (delta < 0) {
		uint64_t up = (uint64_t)(-(int64_t)delta);
		for (size_t i = s->m0; i < s->n_marks; i++) {
			s->marks[i].off += up;
			s->marks[i].end += up;
		}
		s->buf_off += up;
		s->max_end += up;
		s->fin += up;
		return;
	}
	uint64_t down = (uint64_t)delta;
	/* Bytes before the SYN belong to no stream. */
	while (s->m0 < s->n_marks && s->marks[s->m0].off < down)
		s->m0++;
	for (size_t i = s->m0; i < s->n_marks; i++) {
		s->marks[i].off -= down;
		s->marks[i].end -= down;
	}
	if (mm_stream_empty(s)) {
		s->m0 = s->n_marks = 0;
	} else if (s->buf_off < down) {
		size_t cut = (size_t)(down - s->buf_off);
		if (cut < s->cap) /* there is no buffer for bytes that were not captured */
			memmove(s->buf, s->buf + cut, s->cap - cut);
		s->buf_off = down;
	}
	s->buf_off = minus(s->buf_off, down);
	s->max_end = minus(s->max_end, down);
	s->acked = minus(s->acked, down);
	s->fin = minus(s->fin, down);
}

size_t mm_stream_find(const struct mm_stream *s, uint64_t off)
{
	size_t lo = s->m0, hi = s->n_marks;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->marks[mid].end <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Make the buffer cover [lo, hi) besides what it holds. */
static bool ensure(struct mm_stream *s, struct mm_pool *pool, uint64_t lo, uint64_t hi)
{
	uint64_t live_lo = lo, live_hi = hi;
	if (s->buf != NULL && !mm_stream_empty(s)) {
		uint64_t first = s->marks[s->m0].off, last = s->marks[s->n_marks - 1].end;
		if (first < s->start)
			first = s->start;
		live_lo = first < lo ? first : lo;
		live_hi = last > hi ? last : hi;
	}
	if (s->buf != NULL && live_lo >= s->buf_off && live_hi - s->buf_off <= s->cap)
		return true;

	size_t span = (size_t)(live_hi - live_lo);
	uint8_t *to = s->buf;
	size_t cap = s->cap;
	/* Moving to the front pays only when it makes room for a while. */
	if (s->buf == NULL || span > cap - cap / 4) {
		to = mm_pool_get(pool, span, &cap);
		if (to == NULL)
			return false;
	}
	if (s->buf != NULL && !mm_stream_empty(s)) {
		uint64_t from = live_lo > s->buf_off ? live_lo : s->buf_off;
		uint64_t end = s->buf_off + s->cap;
		if (s->marks[s->n_marks - 1].end < end)
			end = s->marks[s->n_marks - 1].end;
		if (from < end)
			memmove(to + (from - live_lo), s->buf + (from - s->buf_off),
			        (size_t)(end - from));
	}
	if (to != s->buf) {
		mm_pool_put(pool, s->buf, s->cap);
		s->buf = to;
		s->cap = cap;
	}
	s->buf_off = live_lo;
	return true;
}

static bool room_for_mark(struct mm_stream *s, struct mm_pool *pool)
{
	size_t room = marks_room(s);
	if (s->n_marks < room)
		return true;
	size_t n = s->n_marks - s->m0;
	struct mm_mark *to = s->marks;
	size_t cap = s->marks_cap;
	if (n >= MM_STREAM_MARKS_MAX)
		return false;
	if (n > room - room / 4 || s->marks_cap == 0) {
		to = mm_pool_get(pool, (n + 1) * sizeof *to * 3 / 2, &cap);
		if (to == NULL)
			return false;
	}
	memmove(to, s->marks + s->m0, n * sizeof *to);
	if (to != s->marks) {
		if (s->marks_cap != 0)
			mm_pool_put(pool, s->marks, s->marks_cap);
		s->marks = to;
		s->marks_cap = cap;
	}
	s->m0 = 0;
	s->n_marks = (uint32_t)n;
	return true;
}

static bool same_packet(const struct mm_mark *a, const struct mm_mark *b)
{
	return a->pkt.number == b->pkt.number && a->pkt.file == b->pkt.file &&
	       a->time_ns == b->time_ns && a->ack == b->ack && a->has_ack == b->has_ack &&
	       a->lost == b->lost && a->n_before == b->n_before;
}

/* Note that mark's packet brought [lo, hi), which no mark covers and which belongs before the i-th. */
static bool put_mark(struct mm_stream *s, struct mm_pool *pool, size_t i, uint64_t lo, uint64_t hi,
        const struct mm_mark *mark)
{
	struct mm_mark *left = i > s->m0 ? &s->marks[i - 1] : NULL;
	struct mm_mark *right = i < s->n_marks ? &s->marks[i] : NULL;
	bool joins_right = right != NULL && right->off == hi && same_packet(right, mark);
	if (left != NULL && left->end == lo && same_packet(left, mark)) {
		left->end = hi;
		if (joins_right) {
			left->end = right->end;
			memmove(right, right + 1, (s->n_marks - i - 1) * sizeof *right);
			s->n_marks--;
		}
		return true;
	}
	if (joins_right) {
		right->off = lo;
		return true;
	}
	size_t rank = i - s->m0;
	if (!room_for_mark(s, pool))
		return false;
	i = s->m0 + rank;
	memmove(&s->marks[i + 1], &s->marks[i], (s->n_marks - i) * sizeof *s->marks);
	s->marks[i] = *mark;
	s->marks[i].off = lo;
	s->marks[i].end = hi;
	s->n_marks++;
	return true;
}

static uint64_t differing(const uint8_t *a, const uint8_t *b, size_t n)
{
	if (memcmp(a, b, n) == 0)
		return 0;
	uint64_t differ = 0;
	for (size_t i = 0; i < n; i++)
		differ += a[i] != b[i];
	return differ;
}

enum mm_insert mm_stream_insert(struct mm_stream *s, struct mm_pool *pool, struct mm_slice data,
        const struct mm_mark *mark, struct mm_insert_result *r)
{
	uint64_t lo = mark->off, hi = mark->end;
	assert(mark->lost || hi - lo == data.len);
	if (lo < s->start)
		lo = s->start;
	if (hi > s->max_end)
		s->max_end = hi;
	if (lo >= hi)
		return MM_INSERT_DONE;
	if (!mark->lost && !ensure(s, pool, lo, hi))
		return MM_INSERT_NO_ROOM;
	size_t i = mm_stream_find(s, lo);
	while (lo < hi) {
		uint64_t end = hi;
		const uint8_t *src = mark->lost ? NULL : data.p + (lo - mark->off);
		if (i < s->n_marks && s->marks[i].off <= lo) {
			if (s->marks[i].end < end)
				end = s->marks[i].end;
			if (!mark->lost && !s->marks[i].lost)
				r->conflict += differing(
				        s->buf + (lo - s->buf_off), src, (size_t)(end - lo));
		} else {
			if (i < s->n_marks && s->marks[i].off < end)
				end = s->marks[i].off;
			if (!put_mark(s, pool, i, lo, end, mark))
				return MM_INSERT_NO_ROOM;
			if (!mark->lost)
				memcpy(s->buf + (lo - s->buf_off), src, (size_t)(end - lo));
			r->fresh += end - lo;
		}
		lo = end;
		/* Marks may have been joined or moved. */
		i = mm_stream_find(s, lo);
	}
	return MM_INSERT_DONE;
}

struct mm_slice mm_stream_slice(const struct mm_stream *s, uint64_t from, uint64_t to)
{
	if (from >= to)
		return mm_slice(NULL, 0);
	assert(from >= s->buf_off && to - s->buf_off <= s->cap);
	return mm_slice(s->buf + (from - s->buf_off), (size_t)(to - from));
}

void mm_stream_trim(struct mm_stream *s, struct mm_pool *pool)
{
	while (s->m0 < s->n_marks && s->marks[s->m0].end <= s->start)
		s->m0++;
	if (s->m0 < s->n_marks)
		return;
	drop_marks(s, pool);
	mm_pool_put(pool, s->buf, s->cap);
	s->buf = NULL;
	s->cap = 0;
}
