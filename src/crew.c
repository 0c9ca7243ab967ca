/* Workers, loads, batches, and the two jobs that are for one at a time. */
#include "crew.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture/block.h"
#include "capture/clock.h"
#include "event/batch.h"
#include "event/merge.h"

enum {
	LOAD_ITEMS = 256,        /* segments of one load */
	LOAD_BLOCKS = 8,         /* blocks of captures that they lie in */
	LOAD_SPILL = 256 * 1024, /* bytes of segments that lie in no block */
	ROUND_PACKETS = 2048,    /* read at once, until somebody else may */
	ROUND_BYTES = 4 << 20,   /* so many bytes at most: they stay in memory while a load waits */
	QUEUE_LOADS = 16,        /* that wait for a worker before reading stops */
	ANALYSE_BATCHES = 16,    /* that wait before analysing goes first */
	BATCHES_LEAST = 4,       /* of each worker */
	LIVE_PACKETS = 512,      /* of one interface in one go */
	LIVES_MAX = MM_CREW_LIVES_MAX,
	PROTOS_MAX = 64, /* dissectors */
	POLL_MS = 20,
	/* Packets read ahead: while they are decoded, the memory that the first of them will touch is fetched. */
	AHEAD = 32,
	BLOCK_HELD = 512 * 1024, /* larger ones are held for bytes alone that cannot be copied */
};

/* SETTLE_NS: packet time between two looks of a single thread at what is in order. */
#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define SETTLE_NS (10 * NS_PER_MS)
#define ATTEND_NS (50 * NS_PER_MS)               /* between two looks at what live workers made */
#define DELAY_NS  (MM_LIVE_DELAY_MS * NS_PER_MS) /* at most until a packet is handed to us */
#define COUNTS_NS (250 * NS_PER_MS)              /* between two looks at the kernel's counts */
#define LATE_NS   (200 * NS_PER_MS)              /* behind the line by so much: something is shed */

/* What a flow table needs of a packet: the segment, the packet's time and number. */
struct item {
	int64_t time_ns;
	struct mm_pkt id;
	struct mm_segment seg;
	struct mm_flow_place place;
};

/* Segments for one worker, in order. */
struct load {
	struct load *next;
	int64_t now_ns; /* packet time that reading has come to */
	size_t n_items, n_blocks, n_spilled;
	struct item items[LOAD_ITEMS];
	struct mm_block *blocks[LOAD_BLOCKS];
	uint8_t spill[LOAD_SPILL];
};

/* Of one worker, as others may read them. */
struct counts {
	struct mm_flow_stats flow;
	struct mm_decode_stats decode;
	struct mm_flow_proto_stats protos[PROTOS_MAX];
	struct mm_live_stats live; /* of its handles, summed; as of the last look */
	uint64_t n_packets, n_segments, n_events, n_refused, n_rooms;
	int64_t now_ns;
};

struct worker {
	struct mm_crew *crew;
	pthread_t thread;
	struct mm_flow_table *flows;
	struct mm_event_pool rooms;
	struct mm_batch *batch;     /* being filled */
	uint64_t n_refused;         /* events for which memory was out */
	struct mm_decoder *decoder; /* live */
	struct mm_live **lives;     /* n_lives of them; NULL where one ended */
	uint64_t n_packets, n_segments, n_events;
	int64_t now_ns,
	        looked_ns; /* latest packet time; wall time of the last look at the counts */
	struct mm_live_stats told; /* what of the counts the ledger knows */
	/* Under the crew's lock: */
	struct load *first, *last;
	size_t most_loads;
	_Atomic size_t n_loads; /* read without it, too */
	bool busy;              /* with a load */
	bool watching;
	unsigned n_retimed;   /* the crew's, when the worker looked last */
	struct counts counts; /* live */
	struct mm_live_stats per_live[MM_CREW_LIVES_MAX];
	int64_t until_ns; /* all events that were known by then have been handed over */
};

struct mm_crew {
	struct mm_crew_config config;
	struct mm_brief_key flow_key;
	size_t n_workers; /* at least 1 */
	size_t n_threads; /* beside the caller's */
	struct worker *workers;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	unsigned run;       /* how often mm_crew_run() was called */
	unsigned n_retimed; /* how often those who watch were given other ones: */
	int64_t udp_timeout_ns, tcp_timeout_ns; /* taken by each worker between two rounds */
	bool quit, ended, reading, analysing, stop, watched;
	bool held;             /* analysing: by the caller, between two mm_crew_watch() */
	bool due;              /* whoever analysed left some of it to others */
	size_t n_running;      /* threads in work() */
	_Atomic size_t n_idle; /* of these, those with nothing to do; read without the lock, too */
	struct mm_batch *filled, *filled_last, *free_batches;
	size_t n_filled, n_batches, batches_max;
	struct load *free_loads;

	/* Of whoever reads: */
	struct mm_decoder *decoder;
	struct load **open; /* by worker */
	uint64_t n_packets;
	int64_t first_ns, now_ns, settled_ns;
	uint64_t n_unread; /* segments dropped for want of memory */
	/* Of whoever analyses: */
	struct mm_event_merge waiting;
	uint64_t n_early;
	_Atomic int status; /* of the first event that could not be analysed */
};

/* --- batches --------------------------------------------------------------------------------------- */

static struct mm_batch *take_free_batch(struct mm_crew *c)
{
	struct mm_batch *b = c->free_batches;
	if (b != NULL) {
		c->free_batches = b->next;
	} else if (c->n_batches < c->batches_max && (b = mm_batch_new()) != NULL) {
		c->n_batches++;
		return b;
	}
	if (b != NULL)
		mm_batch_reset(b);
	return b;
}

/* Give the worker's batch to those who analyse. Under the lock. */
static void hand_over(struct worker *w)
{
	struct mm_crew *c = w->crew;
	struct mm_batch *b = w->batch;
	if (b == NULL || b->used == 0)
		return;
	w->batch = NULL;
	b->closed = true;
	b->next = NULL;
	if (c->filled_last != NULL)
		c->filled_last->next = b;
	else
		c->filled = b;
	c->filled_last = b;
	c->n_filled++;
}

static struct mm_batch *analyse_one(struct mm_crew *c, struct mm_event *ev)
{
	int r = c->config.ops->analyse(c->config.arg, ev);
	if (r != MM_OK && c->status == MM_OK)
		c->status = r;
	return mm_batch_drop(ev);
}

static void put_in_order(struct mm_crew *c, struct mm_batch *list, struct mm_batch **done)
{
	struct mm_batch *next;
	for (struct mm_batch *b = list; b != NULL; b = next) {
		next = b->next;
		struct mm_event *ev = NULL, *after = mm_batch_next(b, NULL);
		while ((ev = after) != NULL) {
			after = mm_batch_next(b, ev);
			if (mm_event_merge_put(&c->waiting, ev) == MM_OK)
				continue;
			c->n_early++;
			struct mm_batch *empty = analyse_one(c, ev);
			if (empty != NULL) {
				empty->next = *done;
				*done = empty;
			}
		}
	}
}

static int64_t order_limit(const struct mm_crew *c, int64_t until_ns)
{
	if (until_ns == INT64_MAX || until_ns < INT64_MIN + c->config.hold_ns)
		return until_ns;
	return until_ns - c->config.hold_ns;
}

/* The next event has lain there for a while: its memory is fetched during this one's analysis. Inlined, or gcc takes it for a
 * function that does nothing, and drops the call. */
static inline __attribute__((always_inline)) void fetch_next(const struct mm_crew *c)
{
	enum { LINE = 64, LINES = 16 };
	if (c->waiting.n == 0)
		return;
	const char *next = (const char *)c->waiting.heap[0].ev;
	for (size_t i = 0; i < LINES; i++)
		__builtin_prefetch(next + i * LINE);
}

/* Others have time to analyse, and nobody else for the worker's own loads. */
static bool has_better_to_do(const struct mm_crew *c, const struct worker *w)
{
	return w != NULL && w->n_loads != 0 && c->n_idle != 0;
}

/* Analyse what is known until then, in order. hungry: and then on, in the order that there is, until some batch is
 * empty. by: who does it, and may leave the rest to others, *due; NULL: nobody else will. Returns the empty ones. */
static struct mm_batch *drain(struct mm_crew *c, int64_t limit_ns, bool hungry,
        const struct worker *by, bool *due, struct mm_batch *done)
{
	for (;;) {
		if ((*due = has_better_to_do(c, by)))
			return done;
		struct mm_event *ev = mm_event_merge_take(&c->waiting, limit_ns);
		if (ev == NULL && hungry && done == NULL) {
			ev = mm_event_merge_take(&c->waiting, INT64_MAX);
			c->n_early += ev != NULL;
		}
		if (ev == NULL)
			return done;
		fetch_next(c);
		struct mm_batch *empty = analyse_one(c, ev);
		if (empty != NULL) {
			empty->next = done;
			done = empty;
		}
	}
}

/* By whoever has set c->analysing; by: see drain(). */
static void analyse(struct mm_crew *c, bool hungry, const struct worker *by)
{
	struct mm_batch *done = NULL, *empty;
	int64_t until_ns = INT64_MAX;
	bool due;
	pthread_mutex_lock(&c->lock);
	struct mm_batch *list = c->filled;
	c->filled = c->filled_last = NULL;
	c->n_filled = 0;
	for (size_t i = 0; i < c->n_workers; i++)
		until_ns = c->workers[i].until_ns < until_ns ? c->workers[i].until_ns : until_ns;
	pthread_mutex_unlock(&c->lock);
	put_in_order(c, list, &done);
	done = drain(c, order_limit(c, until_ns), hungry, by, &due, done);
	pthread_mutex_lock(&c->lock);
	c->due = due;
	while ((empty = done) != NULL) {
		done = empty->next;
		empty->next = c->free_batches;
		c->free_batches = empty;
	}
	pthread_mutex_unlock(&c->lock);
}

/* A batch to fill. When all wait for their time to come, some have to go before it. */
static struct mm_batch *next_batch(struct worker *w)
{
	struct mm_crew *c = w->crew;
	pthread_mutex_lock(&c->lock);
	hand_over(w);
	struct mm_batch *b = w->batch;
	while (b == NULL && (b = take_free_batch(c)) == NULL) {
		if (c->n_batches == 0)
			break; /* not even one: memory is out */
		if (c->analysing) {
			pthread_cond_wait(&c->changed, &c->lock);
			continue;
		}
		c->analysing = true;
		pthread_mutex_unlock(&c->lock);
		analyse(c, true, NULL);
		pthread_mutex_lock(&c->lock);
		c->analysing = false;
		pthread_cond_broadcast(&c->changed);
	}
	w->batch = b;
	pthread_mutex_unlock(&c->lock);
	return b;
}

/* From the flow table: pack the event. */
static void take_event(void *sink, struct mm_event *ev)
{
	struct worker *w = sink;
	struct mm_event *packed = w->batch != NULL ? mm_batch_add(w->batch, ev) : NULL;
	if (packed == NULL && next_batch(w) != NULL)
		packed = mm_batch_add(w->batch, ev);
	w->n_refused += packed == NULL;
	w->n_events += packed != NULL;
	mm_event_free(&w->rooms, ev);
}

/* For others to read while it watches. Under the lock. */
static void publish(struct worker *w)
{
	struct counts *c = &w->counts;
	c->flow = *mm_flow_stats(w->flows);
	if (w->decoder != NULL)
		c->decode = *mm_decoder_stats(w->decoder);
	for (size_t i = 0; i < PROTOS_MAX && mm_dissectors[i] != NULL; i++)
		c->protos[i] = *mm_flow_proto_stats(w->flows, i);
	c->n_packets = w->n_packets;
	c->n_segments = w->n_segments;
	c->n_events = w->n_events;
	c->n_refused = w->n_refused + w->rooms.n_refused;
	c->n_rooms = w->rooms.n_live;
	c->now_ns = w->now_ns;
}

/* What the worker has made is known up to this time. */
static void settle_up(struct worker *w, int64_t until_ns)
{
	pthread_mutex_lock(&w->crew->lock);
	hand_over(w);
	w->until_ns = until_ns;
	if (w->lives != NULL)
		publish(w);
	pthread_mutex_unlock(&w->crew->lock);
}

/* --- one thread ------------------------------------------------------------------------------------ */

/* All that one packet of the only thread leads to. Now and then, by packet time, what is in order is analysed. */
static int take_segment(
        struct mm_crew *c, const struct mm_packet *pkt, const struct mm_segment *seg)
{
	struct mm_flow_place place;
	mm_flow_place_of(&c->flow_key, seg, &place);
	struct worker *w = &c->workers[place.hash % c->n_workers];
	w->n_segments++;
	mm_flow_packet_at(w->flows, pkt, seg, &place);
	return c->status;
}

static void note_time(struct mm_crew *c, int64_t time_ns)
{
	if (c->n_packets++ == 0)
		c->first_ns = c->now_ns = c->settled_ns = time_ns;
	if (time_ns > c->now_ns)
		c->now_ns = time_ns;
}

/* The same, while all threads rest but the caller's. */
static int note_time_alone(struct mm_crew *c, int64_t time_ns)
{
	note_time(c, time_ns);
	if (c->now_ns - c->settled_ns < SETTLE_NS)
		return c->status;
	c->settled_ns = c->now_ns;
	for (size_t i = 0; i < c->n_workers; i++) {
		mm_flow_advance(c->workers[i].flows, c->now_ns);
		settle_up(&c->workers[i], c->now_ns);
	}
	analyse(c, false, NULL);
	return c->status;
}

/* A capture may claim any time. From 1970 to 2116 no sum or difference of two overflows. */
static int64_t sane_time(int64_t time_ns)
{
	return time_ns < 0 ? 0 : time_ns > INT64_MAX / 2 ? INT64_MAX / 2 : time_ns;
}

static enum mm_decode_verdict decode(
        struct mm_crew *c, struct mm_packet *pkt, struct mm_segment *seg)
{
	pkt->time_ns = sane_time(pkt->time_ns);
	enum mm_decode_verdict verdict = mm_decode(c->decoder, pkt, seg);
	if (verdict == MM_DECODE_UNSUPPORTED)
		c->config.ops->unsupported(c->config.arg, pkt);
	return verdict;
}

int mm_crew_segment(struct mm_crew *c, const struct mm_packet *pkt, const struct mm_segment *seg)
{
	int r = note_time_alone(c, pkt->time_ns);
	return r != MM_OK ? r : take_segment(c, pkt, seg);
}

int mm_crew_packet(struct mm_crew *c, const struct mm_packet *packet)
{
	struct mm_packet pkt = *packet;
	struct mm_segment seg;
	enum mm_decode_verdict verdict = decode(c, &pkt, &seg);
	int r = note_time_alone(c, pkt.time_ns);
	return r == MM_OK && verdict == MM_DECODE_SEGMENT ? take_segment(c, &pkt, &seg) : r;
}

/* --- reading, for all ------------------------------------------------------------------------------ */

static void free_load(struct mm_crew *c, struct load *l)
{
	for (size_t i = 0; i < l->n_blocks; i++)
		mm_block_drop(l->blocks[i]);
	l->n_blocks = 0;
	pthread_mutex_lock(&c->lock);
	l->next = c->free_loads;
	c->free_loads = l;
	pthread_mutex_unlock(&c->lock);
}

static struct load *new_load(struct mm_crew *c)
{
	pthread_mutex_lock(&c->lock);
	struct load *l = c->free_loads;
	if (l != NULL)
		c->free_loads = l->next;
	pthread_mutex_unlock(&c->lock);
	if (l == NULL)
		l = malloc(sizeof *l);
	if (l != NULL) {
		l->next = NULL;
		l->n_items = l->n_blocks = l->n_spilled = 0;
	}
	return l;
}

/* Queue what is open for the worker. */
static void send(struct mm_crew *c, size_t i)
{
	struct worker *w = &c->workers[i];
	struct load *l = c->open[i];
	c->open[i] = NULL;
	if (l == NULL)
		return;
	l->now_ns = c->now_ns;
	pthread_mutex_lock(&c->lock);
	if (w->last != NULL)
		w->last->next = l;
	else
		w->first = l;
	w->last = l;
	w->n_loads++;
	w->most_loads = w->n_loads > w->most_loads ? w->n_loads : w->most_loads;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/* The segment's bytes stay where they are if their block can be kept, else they are copied. */
static bool keep_bytes(struct load *l, const struct mm_packet *pkt, struct mm_segment *seg)
{
	struct mm_slice *s = &seg->payload;
	if (s->len == 0)
		return true;
	bool inside = pkt->block != NULL && mm_slice_holds(pkt->data, *s);
	/* A capture can have blocks of many megabytes. They are not held for the sake of a few bytes. */
	if (inside && (pkt->block->room <= BLOCK_HELD || s->len > LOAD_SPILL - l->n_spilled)) {
		for (size_t i = 0; i < l->n_blocks; i++)
			if (l->blocks[i] == pkt->block)
				return true;
		if (l->n_blocks == LOAD_BLOCKS)
			return false;
		l->blocks[l->n_blocks++] = mm_block_keep(pkt->block);
		return true;
	}
	if (s->len > LOAD_SPILL - l->n_spilled)
		return false;
	memcpy(l->spill + l->n_spilled, s->p, s->len);
	*s = mm_slice(l->spill + l->n_spilled, s->len);
	l->n_spilled += s->len;
	return true;
}

/* Put the segment into the load of its worker. */
static void dispatch(struct mm_crew *c, const struct mm_packet *pkt, struct mm_segment *seg)
{
	struct mm_flow_place place;
	mm_flow_place_of(&c->flow_key, seg, &place);
	size_t k = place.hash % c->n_workers;
	for (int tries = 0; tries < 2; tries++) {
		if (c->open[k] == NULL && (c->open[k] = new_load(c)) == NULL)
			break;
		struct load *l = c->open[k];
		if (l->n_items < LOAD_ITEMS && keep_bytes(l, pkt, seg)) {
			l->items[l->n_items++] =
			        (struct item){ pkt->time_ns, pkt->id, *seg, place };
			return;
		}
		send(c, k);
	}
	c->n_unread++;
}

/* Read some, and hand it out. At its end every worker has a load, if only to learn what time it is. */
static bool read_round(struct mm_crew *c)
{
	struct mm_packet pkt;
	struct mm_segment seg;
	bool more = true;
	size_t n_bytes = 0;
	for (int n = 0; n < ROUND_PACKETS && n_bytes < ROUND_BYTES && c->status == MM_OK; n++) {
		more = c->config.ops->read(c->config.arg, &pkt) > 0;
		if (!more)
			break;
		enum mm_decode_verdict verdict = decode(c, &pkt, &seg);
		note_time(c, pkt.time_ns);
		n_bytes += pkt.data.len;
		if (verdict == MM_DECODE_SEGMENT)
			dispatch(c, &pkt, &seg);
	}
	for (size_t i = 0; i < c->n_workers; i++) {
		if (c->open[i] == NULL)
			c->open[i] = new_load(c);
		send(c, i);
	}
	return more && c->status == MM_OK;
}

/* --- the threads ----------------------------------------------------------------------------------- */

/* The memory that these will touch, while there is other work. */
static void fetch_for(const struct mm_flow_table *flows, const struct item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mm_flow_fetch_slot(flows, items[i].place.hash);
	for (size_t i = 0; i < n; i++)
		mm_flow_fetch(flows, items[i].place.hash);
	for (size_t i = 0; i < n; i++)
		mm_flow_fetch_track(flows, items[i].place.hash);
}

static void take_load(struct worker *w, struct load *l)
{
	for (size_t i = 0; i < l->n_items; i++) {
		struct item *item = &l->items[i];
		struct mm_packet pkt = { .time_ns = item->time_ns, .id = item->id };
		if (i % AHEAD == 0)
			fetch_for(w->flows, item, l->n_items - i < AHEAD ? l->n_items - i : AHEAD);
		mm_flow_packet_at(w->flows, &pkt, &item->seg, &item->place);
	}
	w->n_segments += l->n_items;
	mm_flow_advance(w->flows, l->now_ns);
	settle_up(w, l->now_ns);
	free_load(w->crew, l);
}

static bool may_read(const struct mm_crew *c)
{
	if (c->reading || c->ended)
		return false;
	for (size_t i = 0; i < c->n_workers; i++)
		if (c->workers[i].n_loads > QUEUE_LOADS)
			return false;
	return true;
}

static bool may_analyse(const struct mm_crew *c, size_t n_batches)
{
	return !c->analysing && (c->n_filled >= n_batches || c->due);
}

static bool all_done(const struct mm_crew *c)
{
	if (!c->ended || c->reading || c->analysing || c->n_filled != 0 || c->due)
		return false;
	for (size_t i = 0; i < c->n_workers; i++)
		if (c->workers[i].first != NULL || c->workers[i].busy)
			return false;
	return true;
}

static struct load *next_load(struct worker *w)
{
	struct load *l = w->first;
	if (l == NULL)
		return NULL;
	w->first = l->next;
	if (w->first == NULL)
		w->last = NULL;
	w->n_loads--;
	return l;
}

/* The next thing to do for this thread: its own load, or one of the jobs. Under the lock, which is given away
 * meanwhile. False when there is nothing. */
static bool do_next(struct worker *w)
{
	struct mm_crew *c = w->crew;
	struct load *l;
	if ((!has_better_to_do(c, w) && may_analyse(c, ANALYSE_BATCHES)) ||
	        (w->first == NULL && !may_read(c) && may_analyse(c, 1))) {
		c->analysing = true;
		pthread_mutex_unlock(&c->lock);
		analyse(c, false, w);
		pthread_mutex_lock(&c->lock);
		c->analysing = false;
	} else if ((l = next_load(w)) != NULL) {
		w->busy = true;
		pthread_mutex_unlock(&c->lock);
		take_load(w, l);
		pthread_mutex_lock(&c->lock);
		w->busy = false;
	} else if (may_read(c)) {
		c->reading = true;
		pthread_mutex_unlock(&c->lock);
		bool more = read_round(c);
		pthread_mutex_lock(&c->lock);
		c->reading = false;
		c->ended = !more;
	} else {
		return false;
	}
	pthread_cond_broadcast(&c->changed);
	return true;
}

/* Under the lock. */
static void work(struct worker *w)
{
	struct mm_crew *c = w->crew;
	while (!all_done(c))
		if (!do_next(w)) {
			c->n_idle++;
			pthread_cond_wait(&c->changed, &c->lock);
			c->n_idle--;
		}
}

/* --- live ------------------------------------------------------------------------------------------ */

static void take_live(void *arg, struct mm_packet *pkt)
{
	struct worker *w = arg;
	struct mm_segment seg;
	pkt->time_ns = sane_time(pkt->time_ns);
	if (pkt->time_ns > w->now_ns)
		w->now_ns = pkt->time_ns;
	w->n_packets++;
	if (mm_decode(w->decoder, pkt, &seg) != MM_DECODE_SEGMENT)
		return;
	w->n_segments++;
	mm_flow_packet(w->flows, pkt, &seg);
}

/* Packets that the sensor lost are told to the ledger: what they held it cannot miss. */
static void tell_drops(struct worker *w, const struct mm_live_stats *now)
{
	uint64_t lost = now->n_dropped + now->n_interface - w->told.n_dropped - w->told.n_interface;
	uint64_t seen = now->n_received - w->told.n_received;
	struct mm_event *ev = lost == 0 && seen == 0 ? NULL : mm_event_alloc(&w->rooms);
	if (ev == NULL)
		return;
	ev->kind = MM_EV_LOSS;
	ev->protocol = ev->action = "loss";
	ev->time_ns = ev->key_ns = w->now_ns;
	ev->n_lost = lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX;
	ev->n_seen = seen < UINT32_MAX ? (uint32_t)seen : UINT32_MAX;
	w->told = *now;
	take_event(w, ev);
}

/* The kernel's counts of one handle. */
static void look_at_live(struct worker *w, size_t i)
{
	struct mm_live_stats each;
	mm_live_stats(w->lives[i], &each);
	/* The same number for all members of a group. */
	if (w != &w->crew->workers[0])
		each.n_interface = 0;
	pthread_mutex_lock(&w->crew->lock);
	w->per_live[i] = each;
	pthread_mutex_unlock(&w->crew->lock);
}

/* Those of all handles; one that ended counts with what it had then. */
static void look_at_counts(struct worker *w, int64_t now_ns)
{
	struct mm_live_stats sum = { 0 };
	w->looked_ns = now_ns;
	for (size_t i = 0; i < w->crew->config.n_lives; i++) {
		if (w->lives[i] != NULL)
			look_at_live(w, i);
		sum.n_received += w->per_live[i].n_received;
		sum.n_dropped += w->per_live[i].n_dropped;
		sum.n_interface += w->per_live[i].n_interface;
	}
	tell_drops(w, &sum);
	pthread_mutex_lock(&w->crew->lock);
	w->counts.live = sum;
	pthread_mutex_unlock(&w->crew->lock);
}

static void close_live(struct worker *w, size_t i)
{
	struct mm_crew *c = w->crew;
	struct mm_live *live = w->lives[i];
	bool told = false;
	look_at_live(w, i);
	pthread_mutex_lock(&c->lock);
	for (size_t k = 0; k < c->n_workers; k++) /* one tells for all who watch this interface */
		told |= c->workers[k].lives[i] == NULL;
	if (!told)
		c->config.ops->ended(c->config.arg, mm_live_why(live));
	w->lives[i] = NULL;
	pthread_mutex_unlock(&c->lock);
	mm_live_close(live);
}

/* Take what is there. Returns how many packets that were; negative when no interface is left. */
static int read_lives(struct worker *w, struct pollfd *fds, nfds_t *n_fds)
{
	int n = 0, n_open = 0;
	*n_fds = 0;
	for (size_t i = 0; i < w->crew->config.n_lives; i++) {
		int r = w->lives[i] == NULL ? 0
		                            : mm_live_read(w->lives[i], LIVE_PACKETS, take_live, w);
		if (r < 0)
			close_live(w, i);
		else
			n += r;
		if (w->lives[i] == NULL)
			continue;
		n_open++;
		fds[(*n_fds)++] =
		        (struct pollfd){ .fd = mm_live_fd(w->lives[i]), .events = POLLIN };
	}
	return n_open == 0 ? -1 : n;
}

/* Behind the line: leave aside first the flows that may be of interest, then those that are not known to be. */
static void shed_if_late(struct worker *w, int64_t now_ns)
{
	int64_t late_ns = now_ns - w->now_ns;
	mm_flow_shed(w->flows, late_ns > LATE_NS * 2 ? 2 : late_ns > LATE_NS ? 1 : 0);
}

static int watch_once(struct worker *w)
{
	struct pollfd fds[LIVES_MAX];
	nfds_t n_fds;
	int n = read_lives(w, fds, &n_fds);
	int64_t now_ns = mm_clock_wall_ns();
	if (n > 0)
		shed_if_late(w, now_ns);
	else if (now_ns - DELAY_NS > w->now_ns)
		w->now_ns = now_ns - DELAY_NS; /* nothing earlier is to come */
	if (n < 0 || now_ns - w->looked_ns >= COUNTS_NS || now_ns < w->looked_ns)
		look_at_counts(w, now_ns);
	mm_flow_advance(w->flows, w->now_ns);
	settle_up(w, w->now_ns);
	if (n == 0)
		(void)poll(fds, n_fds, POLL_MS);
	return n;
}

/* Under the lock. */
static void watch(struct worker *w)
{
	struct mm_crew *c = w->crew;
	int n = 0;
	while (!c->stop && !c->quit && n >= 0) {
		if (w->n_retimed != c->n_retimed)
			mm_flow_retime(w->flows, c->udp_timeout_ns, c->tcp_timeout_ns);
		w->n_retimed = c->n_retimed;
		pthread_mutex_unlock(&c->lock);
		n = watch_once(w);
		pthread_mutex_lock(&c->lock);
	}
	w->watching = false;
	w->until_ns = INT64_MAX; /* others wait for it no more */
}

static bool somebody_watches(struct mm_crew *c)
{
	bool yes = false;
	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->n_workers; i++)
		yes |= c->workers[i].watching;
	pthread_mutex_unlock(&c->lock);
	return yes;
}

/* Whoever calls mm_crew_watch() analyses until it returns, and nobody does before it is called again: what analysing uses
 * may be looked at in between. Workers that lack room meanwhile wait, and the kernel's rings fill. */
static void hold(struct mm_crew *c, bool yes)
{
	pthread_mutex_lock(&c->lock);
	while (yes && c->analysing)
		pthread_cond_wait(&c->changed, &c->lock);
	if (yes || c->held)
		c->analysing = yes;
	c->held = yes;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

/* What the caller's thread does meanwhile. */
static bool attend(struct mm_crew *c, bool alone)
{
	int64_t until_ns = mm_clock_steady_ns() + ATTEND_NS;
	struct timespec until = { .tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S };
	pthread_mutex_lock(&c->lock);
	if (!alone)
		(void)pthread_cond_timedwait(&c->changed, &c->lock, &until);
	while (c->analysing)
		pthread_cond_wait(&c->changed, &c->lock);
	c->analysing = true;
	pthread_mutex_unlock(&c->lock);
	analyse(c, false, NULL);
	bool go_on = c->config.ops->housekeeping(c->config.arg, mm_clock_wall_ns()) &&
	             c->status == MM_OK;
	pthread_mutex_lock(&c->lock);
	c->analysing = false;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return go_on;
}

static void begin_to_watch(struct mm_crew *c)
{
	for (size_t i = 0; i < c->n_workers; i++) {
		struct worker *w = &c->workers[i];
		w->watching = true;
		w->now_ns = mm_clock_wall_ns() - DELAY_NS;
		for (size_t k = 0; k < c->config.n_lives; k++)
			if (mm_live_start(w->lives[k]) != MM_OK)
				close_live(w, k);
	}
	c->first_ns = c->workers[0].now_ns;
	pthread_mutex_lock(&c->lock);
	c->watched = true;
	c->run++;
	c->n_running = c->n_threads;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static void end_watching(struct mm_crew *c)
{
	hold(c, false);
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	while (c->n_running != 0) {
		pthread_cond_broadcast(&c->changed);
		pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
}

int mm_crew_watch(struct mm_crew *c)
{
	bool alone = c->n_threads == 0, go_on = true;
	if (!c->watched)
		begin_to_watch(c);
	hold(c, false);
	while (go_on && somebody_watches(c)) {
		if (alone && watch_once(&c->workers[0]) < 0)
			c->workers[0].watching = false;
		go_on = attend(c, alone);
	}
	hold(c, true);
	return c->status;
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;
	struct mm_crew *c = w->crew;
	unsigned run = 0;
	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (c->run == run && !c->quit)
			pthread_cond_wait(&c->changed, &c->lock);
		if (c->quit)
			break;
		run = c->run;
		if (w->lives != NULL)
			watch(w);
		else
			work(w);
		c->n_running--;
		pthread_cond_broadcast(&c->changed);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

struct ahead {
	struct mm_packet pkt;
	struct mm_segment seg;
	enum mm_decode_verdict verdict;
	struct mm_flow_place place;
};

static int run_ahead(struct mm_crew *c, struct ahead *a, size_t n)
{
	struct worker *w = &c->workers[0];
	int r = MM_OK;
	for (size_t i = 0; i < n; i++)
		if (a[i].verdict == MM_DECODE_SEGMENT)
			mm_flow_fetch(w->flows, a[i].place.hash);
	for (size_t i = 0; i < n; i++)
		if (a[i].verdict == MM_DECODE_SEGMENT)
			mm_flow_fetch_track(w->flows, a[i].place.hash);
	for (size_t i = 0; i < n && r == MM_OK; i++) {
		r = note_time_alone(c, a[i].pkt.time_ns);
		if (r == MM_OK && a[i].verdict == MM_DECODE_SEGMENT) {
			w->n_segments++;
			mm_flow_packet_at(w->flows, &a[i].pkt, &a[i].seg, &a[i].place);
			r = c->status;
		}
	}
	return r;
}

/* The only thread is the only worker. */
static int run_alone(struct mm_crew *c)
{
	struct ahead *a = malloc(AHEAD * sizeof *a);
	struct mm_block *kept = NULL;
	int r = MM_OK, more = 1;
	if (a == NULL)
		return MM_ERR_NOMEM;
	while (r == MM_OK && more > 0) {
		size_t n = 0;
		while (n < AHEAD && (more = c->config.ops->read(c->config.arg, &a[n].pkt)) > 0) {
			struct ahead *e = &a[n++];
			e->verdict = decode(c, &e->pkt, &e->seg);
			if (e->verdict == MM_DECODE_SEGMENT) {
				mm_flow_place_of(&c->flow_key, &e->seg, &e->place);
				mm_flow_fetch_slot(c->workers[0].flows, e->place.hash);
				if (e->seg.payload.len != 0 &&
				        !mm_slice_holds(e->pkt.data, e->seg.payload))
					break;
			}
			if (e->pkt.block == NULL || c->config.prompt)
				break;
			if (kept == NULL)
				kept = mm_block_keep(e->pkt.block);
			else if (kept != e->pkt.block)
				break;
		}
		r = run_ahead(c, a, n);
		mm_block_drop(kept);
		kept = NULL;
	}
	free(a);
	return r;
}

int mm_crew_run(struct mm_crew *c)
{
	if (c->n_threads == 0)
		return run_alone(c);
	pthread_mutex_lock(&c->lock);
	c->ended = false;
	c->run++;
	c->n_running = c->n_threads;
	pthread_cond_broadcast(&c->changed);
	work(&c->workers[0]);
	while (c->n_running != 0)
		pthread_cond_wait(&c->changed, &c->lock);
	pthread_mutex_unlock(&c->lock);
	return c->status;
}

void mm_crew_retime(struct mm_crew *c, int64_t udp_timeout_ns, int64_t tcp_timeout_ns)
{
	bool at_once = c->config.lives == NULL || c->n_threads == 0;
	for (size_t i = 0; i < c->n_workers && at_once; i++)
		mm_flow_retime(c->workers[i].flows, udp_timeout_ns, tcp_timeout_ns);
	pthread_mutex_lock(&c->lock);
	c->udp_timeout_ns = udp_timeout_ns;
	c->tcp_timeout_ns = tcp_timeout_ns;
	c->n_retimed += at_once ? 0 : 1;
	pthread_mutex_unlock(&c->lock);
}

int mm_crew_finish(struct mm_crew *c)
{
	end_watching(c);
	for (size_t i = 0; i < c->n_workers; i++) {
		if (c->watched) /* what was lost until now counts, too */
			look_at_counts(&c->workers[i], c->workers[i].looked_ns);
		mm_flow_finish(c->workers[i].flows);
		settle_up(&c->workers[i], INT64_MAX);
	}
	analyse(c, false, NULL);
	return c->status;
}

/* --- beginning and end ----------------------------------------------------------------------------- */

static int new_worker(struct mm_crew *c, struct worker *w)
{
	struct mm_flow_config flow = c->config.flow;
	mm_event_pool_init(&w->rooms, c->config.rooms_max / c->n_workers + 1);
	w->crew = c;
	w->until_ns = INT64_MIN;
	if (c->config.lives != NULL) {
		w->lives = c->config.lives + (size_t)(w - c->workers) * c->config.n_lives;
		if (mm_decoder_new(&c->config.key, &w->decoder) != MM_OK)
			return MM_ERR_NOMEM;
	}
	flow.key = c->config.key;
	flow.flows_max = (flow.flows_max + c->n_workers - 1) / c->n_workers;
	flow.tracked_max = (flow.tracked_max + c->n_workers - 1) / c->n_workers;
	flow.buffer_total_max /= c->n_workers;
	flow.web_memory_max /= c->n_workers;
	flow.pool = &w->rooms;
	flow.emit = take_event;
	flow.sink = w;
	return mm_flow_table_new(&flow, &w->flows);
}

/* Captures: the caller is one of the workers. Live it analyses, unless it does everything. */
static int start_threads(struct mm_crew *c)
{
	size_t n = c->config.lives == NULL ? c->n_workers - 1 : c->config.n_workers;
	while (c->n_threads < n) {
		struct worker *w = &c->workers[c->n_workers - 1 - c->n_threads];
		int r = pthread_create(&w->thread, NULL, thread_main, w);
		if (r != 0) {
			errno = r;
			return MM_ERR_IO;
		}
		c->n_threads++;
	}
	return MM_OK;
}

int mm_crew_new(const struct mm_crew_config *config, struct mm_crew **out)
{
	struct mm_crew *c = calloc(1, sizeof *c);
	if (c == NULL)
		return MM_ERR_NOMEM;
	c->config = *config;
	mm_brief_key_init(&c->flow_key, &config->key);
	c->n_workers = config->n_workers > 1 ? config->n_workers : 1;
	c->batches_max = config->events_b / MM_BATCH_BYTES;
	if (c->batches_max < BATCHES_LEAST * c->n_workers)
		c->batches_max = BATCHES_LEAST * c->n_workers;
	pthread_condattr_t steady; /* the time of day may be set */
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, &steady);
	pthread_condattr_destroy(&steady);
	c->workers = calloc(c->n_workers, sizeof *c->workers);
	c->open = calloc(c->n_workers, sizeof(struct load *));
	int r = c->workers != NULL && c->open != NULL ? MM_OK : MM_ERR_NOMEM;
	if (r == MM_OK)
		r = mm_decoder_new(&config->key, &c->decoder);
	for (size_t i = 0; i < c->n_workers && r == MM_OK; i++)
		r = new_worker(c, &c->workers[i]);
	if (r == MM_OK)
		r = start_threads(c);
	if (r != MM_OK) {
		mm_crew_free(c);
		return r;
	}
	*out = c;
	return MM_OK;
}

static void free_batches(struct mm_batch *b)
{
	while (b != NULL) {
		struct mm_batch *next = b->next;
		free(b);
		b = next;
	}
}

static void free_loads(struct load *l)
{
	while (l != NULL) {
		struct load *next = l->next;
		for (size_t i = 0; i < l->n_blocks; i++)
			mm_block_drop(l->blocks[i]);
		free(l);
		l = next;
	}
}

void mm_crew_free(struct mm_crew *c)
{
	if (c == NULL)
		return;
	hold(c, false);
	pthread_mutex_lock(&c->lock);
	c->quit = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < c->n_threads; i++)
		pthread_join(c->workers[c->n_workers - 1 - i].thread, NULL);
	/* Flow tables first: they hold events that are in the making. */
	for (size_t i = 0; i < c->n_workers && c->workers != NULL; i++) {
		struct worker *w = &c->workers[i];
		mm_flow_table_free(w->flows);
		mm_event_pool_done(&w->rooms);
		mm_decoder_free(w->decoder);
		free_loads(w->first);
		if (w->batch != NULL)
			w->batch->next = NULL;
		free_batches(w->batch);
	}
	/* Batches whose events were never analysed are found through these. */
	for (struct mm_event *ev; (ev = mm_event_merge_take(&c->waiting, INT64_MAX)) != NULL;)
		free(mm_batch_drop(ev));
	mm_event_merge_done(&c->waiting);
	free_batches(c->filled);
	free_batches(c->free_batches);
	free_loads(c->free_loads);
	mm_decoder_free(c->decoder);
	for (size_t i = 0; c->config.lives != NULL && i < c->n_workers * c->config.n_lives; i++)
		mm_live_close(c->config.lives[i]);
	free(c->config.lives);
	free(c->workers);
	free(c->open);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* A worker's counts, as of now when it rests, else as it published them last. */
static struct counts counts_of(struct mm_crew *c, size_t worker)
{
	struct worker *w = &c->workers[worker];
	pthread_mutex_lock(&c->lock);
	if (!w->watching)
		publish(w);
	struct counts counts = w->counts;
	pthread_mutex_unlock(&c->lock);
	return counts;
}

void mm_crew_stats(struct mm_crew *c, struct mm_crew_stats *out)
{
	pthread_mutex_lock(&c->lock);
	uint64_t n_batches = c->n_batches;
	pthread_mutex_unlock(&c->lock);
	*out = (struct mm_crew_stats){ .decode = *mm_decoder_stats(c->decoder),
		.n_packets = c->n_packets,
		.first_ns = c->first_ns,
		.now_ns = c->now_ns,
		.n_events_refused = c->n_unread,
		.n_events_early = c->n_early,
		.n_waiting = c->waiting.n,
		.waiting_b = n_batches * MM_BATCH_BYTES,
		.waiting_max_b = (uint64_t)c->batches_max * MM_BATCH_BYTES };
	for (size_t i = 0; i < c->n_workers; i++) {
		struct counts w = counts_of(c, i);
		mm_flow_stats_add(&out->flow, &w.flow);
		mm_decode_stats_add(&out->decode, &w.decode);
		out->n_packets += w.n_packets;
		out->now_ns = w.now_ns > out->now_ns ? w.now_ns : out->now_ns;
		out->n_received += w.live.n_received;
		out->n_dropped += w.live.n_dropped;
		out->n_interface += w.live.n_interface;
		out->n_events_refused += w.n_refused;
		out->n_rooms += w.n_rooms;
	}
}

size_t mm_crew_workers(const struct mm_crew *c)
{
	return c->n_workers;
}

void mm_crew_worker_stats(struct mm_crew *c, size_t worker, struct mm_worker_stats *out)
{
	struct counts w = counts_of(c, worker);
	*out = (struct mm_worker_stats){ .n_segments = w.n_segments,
		.n_events = w.n_events,
		.most_loads = c->workers[worker].most_loads,
		.n_live = w.flow.n_live,
		.n_rooms = w.n_rooms };
}

struct mm_flow_proto_stats mm_crew_proto_stats(struct mm_crew *c, size_t proto)
{
	struct mm_flow_proto_stats sum = { 0 };
	for (size_t i = 0; i < c->n_workers; i++) {
		struct counts w = counts_of(c, i);
		sum.n_flows += w.protos[proto].n_flows;
		sum.n_messages += w.protos[proto].n_messages;
		sum.n_gaps += w.protos[proto].n_gaps;
		sum.n_lost_sync += w.protos[proto].n_lost_sync;
	}
	return sum;
}

struct mm_live_stats mm_crew_live_stats(struct mm_crew *c, size_t worker, size_t live)
{
	struct worker *w = &c->workers[worker];
	pthread_mutex_lock(&c->lock);
	struct mm_live_stats stats = w->per_live[live];
	pthread_mutex_unlock(&c->lock);
	return stats;
}
