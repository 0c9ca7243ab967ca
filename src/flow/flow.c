/* The flow table: which flow a packet belongs to, and when a flow ends. */
#include "flow/internal.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	FLOWS_MAX_DEFAULT = 262144,
	TRACKED_MAX_DEFAULT = 65536,
	BUFFER_MAX_DEFAULT = 1024 * 1024,
	BUFFER_TOTAL_DEFAULT = 256 * 1024 * 1024,
	WEB_MEMORY_DEFAULT = 64 * 1024 * 1024,
	UDP_PROBE_DATAGRAMS = 4, /* datagrams shown to probe() before the flow is shunted */
	REFRESH_SHARE = 16, /* part of the time-out by which the order of last use may be stale */
};

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

void mm_flow_config_default(struct mm_flow_config *config)
{
	*config = (struct mm_flow_config){
		.flows_max = FLOWS_MAX_DEFAULT,
		.tracked_max = TRACKED_MAX_DEFAULT,
		.buffer_max = BUFFER_MAX_DEFAULT,
		.buffer_total_max = BUFFER_TOTAL_DEFAULT,
		.udp_timeout_ns = 30 * NS_PER_S,
		.tcp_timeout_ns = 3600 * NS_PER_S,
		.closed_timeout_ns = 10 * NS_PER_S,
		.gap_patience_ns = 150 * NS_PER_MS,
		.copy_window_ns = 50 * NS_PER_MS,
		.web_memory_max = WEB_MEMORY_DEFAULT,
		.ndpi = true,
	};
}

static int64_t later(int64_t time_ns, int64_t by_ns)
{
	int64_t sum;
	return __builtin_add_overflow(time_ns, by_ns, &sum) ? INT64_MAX : sum;
}

/* --- hash index ------------------------------------------------------------------------------------ */

static inline uint32_t hash_key(const struct mm_brief_key *key, const struct mm_flow_key *k)
{
	enum { IPV4 = 4, ADDR_WORDS = 4 };
	size_t len = k->family == IPV4 ? IPV4 : sizeof k->addr[0];
	uint64_t sum = mm_brief_add(key, key->words[0], 0, k->addr[0], len);
	sum = mm_brief_add(key, sum, ADDR_WORDS, k->addr[1], len);
	const uint32_t ends[] = { (uint32_t)k->port[0] << 16 | k->port[1],
		(uint32_t)k->proto << 8 | k->family };
	return mm_brief_end(mm_brief_add(key, sum, 2 * ADDR_WORDS, ends, sizeof ends));
}

/* Does a come behind b? Without a branch: a processor would guess it wrong every other time. */
static inline unsigned is_behind(const struct mm_endpoint *a, const struct mm_endpoint *b)
{
	uint64_t x[2], y[2];
	memcpy(x, a->addr.b, sizeof x);
	memcpy(y, b->addr.b, sizeof y);
	unsigned same = x[0] == y[0], same_addr = same & (x[1] == y[1]);
	return (be64toh(x[0]) > be64toh(y[0])) | (same & (be64toh(x[1]) > be64toh(y[1]))) |
	       (same_addr & (a->port > b->port));
}

/* The key with the lower endpoint first; the result is the side of src. */
static inline uint8_t make_key(const struct mm_segment *seg, struct mm_flow_key *k)
{
	const struct mm_endpoint *a = &seg->src, *b = &seg->dst;
	uint8_t side = (uint8_t)is_behind(a, b);
	memcpy(k->addr[side], a->addr.b, sizeof k->addr[0]);
	memcpy(k->addr[!side], b->addr.b, sizeof k->addr[0]);
	k->port[side] = a->port;
	k->port[!side] = b->port;
	k->proto = seg->ip_proto;
	k->family = a->addr.family;
	memset(k->pad, 0, sizeof k->pad);
	return side;
}

static inline struct mm_flow *find(
        const struct mm_flow_table *t, const struct mm_flow_key *k, uint32_t hash)
{
	for (uint32_t i = hash & t->mask; t->slots[i].flow != 0; i = (i + 1) & t->mask) {
		if (t->slots[i].hash != hash)
			continue;
		struct mm_flow *f = &t->flows[t->slots[i].flow - 1];
		if (memcmp(&f->key, k, sizeof *k) == 0)
			return f;
	}
	return NULL;
}

static void index_add(struct mm_flow_table *t, uint32_t flow, uint32_t hash)
{
	uint32_t i = hash & t->mask;
	while (t->slots[i].flow != 0)
		i = (i + 1) & t->mask;
	t->slots[i] = (struct mm_slot){ hash, flow + 1 };
}

static void index_remove(struct mm_flow_table *t, uint32_t flow, uint32_t hash)
{
	uint32_t i = hash & t->mask;
	while (t->slots[i].flow != flow + 1)
		i = (i + 1) & t->mask;
	/* Close the hole: move up what may stand there. */
	for (uint32_t j = (i + 1) & t->mask; t->slots[j].flow != 0; j = (j + 1) & t->mask) {
		uint32_t home = t->slots[j].hash & t->mask;
		if (((j - home) & t->mask) >= ((j - i) & t->mask)) {
			t->slots[i] = t->slots[j];
			i = j;
		}
	}
	t->slots[i] = (struct mm_slot){ 0, 0 };
}

/* --- order of last use ----------------------------------------------------------------------------- */

static inline uint32_t index_of(const struct mm_flow_table *t, const struct mm_flow *f)
{
	return (uint32_t)(f - t->flows);
}

static void lru_remove(struct mm_flow_table *t, struct mm_flow *f)
{
	struct mm_lru *l = &t->lru[f->list];
	if (f->prev != MM_NONE)
		t->flows[f->prev].next = f->next;
	else
		l->head = f->next;
	if (f->next != MM_NONE)
		t->flows[f->next].prev = f->prev;
	else
		l->tail = f->prev;
}

/* The flow certainly ran out by then: it may have been used until refresh_ns after it came to the head. */
static int64_t surely_out_ns(const struct mm_lru *l, const struct mm_flow *f)
{
	return later(f->used_ns, later(l->timeout_ns, l->refresh_ns));
}

static void lru_add(struct mm_flow_table *t, struct mm_flow *f, unsigned list)
{
	struct mm_lru *l = &t->lru[list];
	f->list = (uint8_t)list;
	f->used_ns = f->last_ns;
	f->prev = MM_NONE;
	f->next = l->head;
	if (l->head != MM_NONE)
		t->flows[l->head].prev = index_of(t, f);
	else
		l->tail = index_of(t, f);
	l->head = index_of(t, f);
	if (l->tail == index_of(t, f)) {
		int64_t out = surely_out_ns(l, f);
		if (out < t->next_expiry_ns)
			t->next_expiry_ns = out;
	}
}

static void lru_move(struct mm_flow_table *t, struct mm_flow *f)
{
	unsigned class = MM_LIST_TCP;
	const unsigned fins = MM_FIN_SEEN | MM_FIN_SEEN << 1, seen = MM_SEEN | MM_SEEN << 1;
	unsigned fin_sides = (f->bits & fins) / MM_FIN_SEEN,
	         seen_sides = (f->bits & seen) / MM_SEEN;
	if (f->key.proto == MM_UDP)
		class = MM_LIST_UDP;
	else if ((f->bits & MM_RST_SEEN) != 0 || (fin_sides & seen_sides) == seen_sides)
		class = MM_LIST_CLOSED; /* with one side seen, its FIN is all there will be */
	unsigned list = class + (f->track != NULL ? MM_LIST_TRACKED : 0);
	if (f->list == list && f->prev == MM_NONE) { /* a SYN: the flow was just made */
		f->used_ns = f->last_ns;
		return;
	}
	lru_remove(t, f);
	lru_add(t, f, list);
}

/* --- tracks ---------------------------------------------------------------------------------------- */

static bool is_tcp(const struct mm_flow *f)
{
	return f->key.proto == MM_TCP;
}

struct mm_track *mm_track_new(
        struct mm_flow_table *t, struct mm_flow *f, const struct mm_segment *seg)
{
	const size_t common = offsetof(struct mm_track, s);
	bool tcp = is_tcp(f);
	struct mm_track *tr = t->free_tracks[tcp];
	if (tr != NULL)
		t->free_tracks[tcp] = tr->newer;
	else if ((tr = malloc(tcp ? sizeof *tr : common)) == NULL)
		return NULL;
	memset(tr, 0, common);
	for (unsigned side = 0; side < 2 && tcp; side++)
		mm_stream_init(&tr->s[side]);
	mm_path_copy(&tr->info.path, &seg->path);
	tr->flow = tr->top.flow = index_of(t, f);
	tr->top.s = tr->s;
	t->n_tracks++;
	f->track = tr;
	f->mode = MM_FLOW_TRACKED;
	lru_move(t, f);
	return tr;
}

bool mm_track_claim(
        struct mm_flow_table *t, struct mm_flow *f, const struct mm_dissector *self, size_t proto)
{
	struct mm_track *tr = f->track;
	if (!mm_layer_claim(t, &tr->top, self, proto))
		return false;
	tr->mode = MM_TRACK_CLAIMED;
	if (self != tr->fallback)
		t->proto[proto].n_flows++;

	const struct mm_flow_key *k = &f->key;
	struct mm_endpoint *ends[2] = { &tr->info.client, &tr->info.server };
	for (unsigned i = 0; i < 2; i++) {
		unsigned side = i == 0 ? f->client : !f->client;
		ends[i]->addr.family = k->family;
		memcpy(ends[i]->addr.b, k->addr[side], sizeof ends[i]->addr.b);
		ends[i]->port = k->port[side];
	}
	tr->info.transport = k->proto == MM_TCP ? MM_TCP : MM_UDP;
	tr->info.community_id[0] = '\0';
	return true;
}

void mm_track_probe_stop(struct mm_flow_table *t, struct mm_track *tr)
{
	if (tr->older != NULL)
		tr->older->newer = tr->newer;
	else
		t->probing_oldest = tr->newer;
	if (tr->newer != NULL)
		tr->newer->older = tr->older;
	else
		t->probing_newest = tr->older;
	tr->older = tr->newer = NULL;
	tr->mode = MM_TRACK_HOLD;
	t->n_probing--;
}

void mm_track_probe_give_way(struct mm_flow_table *t)
{
	t->stats.n_probe_limit++;
	t->stats.n_unread[MM_FLOW_NAME_UNKNOWN]++;
	mm_flow_shunt(t, &t->flows[t->probing_oldest->flow]);
}

void mm_track_probe(struct mm_flow_table *t, struct mm_flow *f)
{
	struct mm_track *tr = f->track;
	if (t->n_probing == MM_FLOW_PROBING_MAX)
		mm_track_probe_give_way(t);
	tr->mode = MM_TRACK_PROBE;
	tr->newer = NULL;
	tr->older = t->probing_newest;
	if (tr->older != NULL)
		tr->older->newer = tr;
	else
		t->probing_oldest = tr;
	t->probing_newest = tr;
	t->n_probing++;
}

static void free_track(struct mm_flow_table *t, struct mm_flow *f)
{
	struct mm_track *tr = f->track;
	if (tr->mode == MM_TRACK_PROBE)
		mm_track_probe_stop(t, tr);
	mm_tcp_wait(t, tr, false);
	for (unsigned side = 0; side < 2 && is_tcp(f); side++)
		mm_stream_release(&tr->s[side], &t->pool);
	mm_layer_free_inner(t, &tr->top);
	mm_layer_free_state(t, &tr->top);
	t->n_tracks--;
	tr->newer = t->free_tracks[is_tcp(f)];
	t->free_tracks[is_tcp(f)] = tr;
	f->track = NULL;
}

void mm_flow_shunt(struct mm_flow_table *t, struct mm_flow *f)
{
	free_track(t, f);
	f->mode = MM_FLOW_SHUNTED;
	lru_move(t, f);
}

/* --- life of a flow -------------------------------------------------------------------------------- */

/* The flow ends at end_ns, and that is known at known_ns. */
static void end_flow(struct mm_flow_table *t, struct mm_flow *f, int64_t end_ns, int64_t known_ns)
{
	const unsigned payload = MM_PAYLOAD | MM_PAYLOAD << 1, syn = MM_SYN_SEEN | MM_SYN_SEEN << 1;
	if (f->mode == MM_FLOW_TRACKED && known_ns > f->track->known_ns)
		f->track->known_ns = known_ns;
	if (f->mode == MM_FLOW_TRACKED && f->key.proto == MM_TCP)
		mm_tcp_flush(t, f, end_ns);
	if (f->mode == MM_FLOW_TRACKED) {
		mm_frame_end(t, f, end_ns);
		free_track(t, f);
	}
	if (f->key.proto == MM_TCP && (f->bits & syn) == 0)
		t->stats.n_midstream++;
	if ((f->bits & payload) == MM_PAYLOAD || (f->bits & payload) == MM_PAYLOAD << 1)
		t->stats.n_one_way++;
	if (f->mode == MM_FLOW_NEW && f->n_probed != 0)
		t->stats.n_unread[f->held_for]++;
	t->stats.n_live--;
	lru_remove(t, f);
	index_remove(t, index_of(t, f), f->hash);
	f->next = t->free_flow;
	t->free_flow = index_of(t, f);
}

static int64_t runs_out_ns(const struct mm_flow_table *t, const struct mm_flow *f)
{
	int64_t out = later(f->last_ns, t->lru[f->list].timeout_ns);
	return out > t->retimed_ns ? out : t->retimed_ns;
}

/* It ends for want of packets. Whenever that is noticed, in expire() or by the next packet of its addresses, it is held
 * to be known when expire() would have noticed it at the latest. */
static void run_out(struct mm_flow_table *t, struct mm_flow *f)
{
	int64_t end_ns = runs_out_ns(t, f);
	end_flow(t, f, end_ns, later(end_ns, t->lru[f->list].refresh_ns));
}

static void expire(struct mm_flow_table *t)
{
	t->next_expiry_ns = INT64_MAX;
	for (unsigned i = 0; i < MM_LISTS; i++) {
		struct mm_lru *l = &t->lru[i];
		while (l->tail != MM_NONE) {
			struct mm_flow *f = &t->flows[l->tail];
			int64_t out = surely_out_ns(l, f);
			if (out > t->now_ns) {
				if (out < t->next_expiry_ns)
					t->next_expiry_ns = out;
				break;
			}
			run_out(t, f);
		}
	}
}

/* The table is full: flows that nobody reads first, then closed ones, then the least recently used. */
static void evict(struct mm_flow_table *t)
{
	static const uint8_t order[][MM_LIST_CLASSES] = {
		{ MM_LIST_TCP, MM_LIST_CLOSED, MM_LIST_UDP },
		{ MM_LIST_TRACKED + MM_LIST_CLOSED, MM_LIST_TRACKED + MM_LIST_CLOSED,
		        MM_LIST_TRACKED + MM_LIST_CLOSED },
		{ MM_LIST_TRACKED + MM_LIST_TCP, MM_LIST_TRACKED + MM_LIST_UDP,
		        MM_LIST_TRACKED + MM_LIST_UDP },
	};
	struct mm_flow *oldest = NULL;
	for (size_t i = 0; i < 3 && oldest == NULL; i++) {
		for (size_t k = 0; k < MM_LIST_CLASSES; k++) {
			uint32_t tail = t->lru[order[i][k]].tail;
			if (tail == MM_NONE)
				continue;
			if (oldest == NULL || t->flows[tail].used_ns < oldest->used_ns)
				oldest = &t->flows[tail];
		}
	}
	assert(oldest != NULL);
	t->stats.n_evicted++;
	unsigned list = oldest->list;
	end_flow(t, oldest, t->now_ns, t->now_ns);
	/* A full table stays full: the next to go is most likely this one. */
	if (t->lru[list].tail != MM_NONE)
		mm_flow_fetch_slot(t, t->flows[t->lru[list].tail].hash);
}

static struct mm_flow *new_flow(
        struct mm_flow_table *t, const struct mm_flow_key *k, uint32_t hash, int64_t time_ns)
{
	if (t->free_flow == MM_NONE && t->n_used == t->conf.flows_max)
		evict(t);
	uint32_t i = t->free_flow;
	if (i != MM_NONE)
		t->free_flow = t->flows[i].next;
	else
		i = t->n_used++;
	struct mm_flow *f = &t->flows[i];
	*f = (struct mm_flow){ .key = *k, .hash = hash, .last_ns = time_ns, .mode = MM_FLOW_NEW };
	index_add(t, i, hash);
	lru_add(t, f, k->proto == MM_TCP ? MM_LIST_TCP : MM_LIST_UDP);
	t->stats.n_flows++;
	t->stats.n_live++;
	if (k->proto == MM_TCP)
		t->stats.n_flows_tcp++;
	else
		t->stats.n_flows_udp++;
	return f;
}

/* --- packets --------------------------------------------------------------------------------------- */

/* Does this SYN begin another connection between the same ports? Of one that both ends are in, the client's word
 * is not enough: the server stays in it whatever SYN comes (RFC 5961 section 4), and so would all that follows go
 * unread. Another one shows by the server's answer. */
static bool is_next_connection(
        const struct mm_flow *f, unsigned side, const struct mm_segment *seg, int64_t time_ns)
{
	const unsigned seen = MM_SEEN | MM_SEEN << 1, fins = MM_FIN_SEEN | MM_FIN_SEEN << 1,
	               syns = MM_SYN_SEEN | MM_SYN_SEEN << 1;
	bool answer = (seg->tcp_flags & MM_TCP_ACK) != 0 && side != f->client;
	bool over = (f->bits & fins) == fins;
	if ((f->bits & MM_SYN_SEEN << side) != 0)
		return seg->seq != f->isn[side] && (answer || over || (f->bits & syns) != syns);
	/* A SYN that was overtaken by what followed it has an earlier time. */
	return (f->bits & MM_SEEN << side) != 0 && time_ns > f->last_ns &&
	       (answer || over || (f->bits & seen) != seen);
}

static void note_flags(
        struct mm_flow_table *t, struct mm_flow *f, unsigned side, const struct mm_segment *seg)
{
	const uint8_t marked = MM_TCP_SYN | MM_TCP_FIN | MM_TCP_RST;
	uint16_t before = f->bits;
	if ((seg->tcp_flags & marked) == 0 && (before & MM_SEEN << side) != 0)
		return;
	bool settled = f->mode == MM_FLOW_TRACKED && f->track->settled;
	if ((seg->tcp_flags & MM_TCP_SYN) != 0 && (before & MM_SYN_SEEN << side) == 0) {
		f->bits |= (uint16_t)(MM_SYN_SEEN << side);
		f->isn[side] = seg->seq;
		if (!f->client_sure && !settled) {
			f->client_sure = true;
			f->client = (uint8_t)((seg->tcp_flags & MM_TCP_ACK) != 0 ? !side : side);
		}
		/* Of several SYNs it is the one that was answered. */
		if ((seg->tcp_flags & MM_TCP_ACK) != 0 && f->track == NULL)
			f->isn[!side] = seg->ack - 1;
	}
	if ((seg->tcp_flags & MM_TCP_FIN) != 0 && (before & MM_FIN_SEEN << side) == 0) {
		f->bits |= (uint16_t)(MM_FIN_SEEN << side);
		f->fin[side] = mm_tcp_after(seg);
	}
	if ((seg->tcp_flags & MM_TCP_RST) != 0)
		f->bits |= MM_RST_SEEN;
	/* A flow is no longer one-way, and so perhaps no longer closed, when the other side shows. */
	f->bits |= (uint16_t)(MM_SEEN << side);
	if (f->bits != before)
		lru_move(t, f);
}

static uint64_t distance(int64_t a, int64_t b)
{
	return a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
}

/* A SPAN port that sees a datagram come and go shows it twice, and so do two sensors, perhaps with other tags, addresses
 * of the link layer and time to live; a client that asks again does so later. */
static bool is_copy(const struct mm_flow_table *t, struct mm_track *tr, unsigned side,
        const struct mm_packet *pkt, const struct mm_segment *seg, const struct mm_id *id)
{
	struct mm_recent now = { pkt->time_ns, id->h[0], seg->payload.len + 1 };
	for (size_t i = 0; i < MM_FLOW_RECENT; i++) {
		const struct mm_recent *r = &tr->recent[side][i];
		if (r->len == now.len && r->hash == now.hash &&
		        distance(r->time_ns, now.time_ns) <= (uint64_t)t->conf.copy_window_ns)
			return true;
	}
	tr->recent[side][tr->n_recent[side]++ % MM_FLOW_RECENT] = now;
	return false;
}

static void leave_datagrams(struct mm_flow_table *t, struct mm_flow *f)
{
	f->mode = MM_FLOW_SHUNTED;
	t->stats.n_unread[f->held_for]++;
}

/* A datagram of a flow whose ports tell nothing: the dissector that knows it, or NULL. */
static const struct mm_dissector *probe_datagram(struct mm_flow_table *t, struct mm_flow *f,
        unsigned side, const struct mm_packet *pkt, struct mm_slice payload, size_t *proto)
{
	uint8_t name = mm_class_signature(f, payload);
	if (name != MM_FLOW_NAME_UNKNOWN) {
		f->held_for = name;
		leave_datagrams(t, f);
		return NULL;
	}
	/* A copy is not another look. */
	uint64_t hash = mm_siphash(&t->conf.key, payload.p, payload.len);
	uint32_t digest = (uint32_t)(hash ^ hash >> 32) | 1;
	if (f->isn[side] == digest &&
	        distance(f->looked_ns[side], pkt->time_ns) <= (uint64_t)t->conf.copy_window_ns)
		return NULL;
	f->isn[side] = digest;
	f->looked_ns[side] = pkt->time_ns;
	const struct mm_dissector *self = NULL;
	bool ours = true;
	if (payload.len != 0)
		self = mm_class_probe(
		        &t->class, payload, mm_flow_dir(f, side), MM_UDP, NULL, proto);
	/* Nobody can be tried on a datagram that probe() refused: this gives the flow no more than a name. One question, which
	 * takes a microsecond, is enough for that. */
	if (payload.len != 0 && self == NULL && f->n_probed == 0)
		ours = mm_class_ask_datagram(t, f, side, payload);
	if (self == NULL && (!ours || ++f->n_probed >= UDP_PROBE_DATAGRAMS))
		leave_datagrams(t, f);
	return self;
}

static void take_datagram(struct mm_flow_table *t, struct mm_flow *f, unsigned side,
        const struct mm_packet *pkt, const struct mm_segment *seg)
{
	f->bits |= (uint16_t)(MM_SEEN << side);
	if (seg->payload.len + seg->missing == 0)
		return;
	f->bits |= (uint16_t)(MM_PAYLOAD << side);
	if (f->mode == MM_FLOW_SHUNTED)
		return;
	if (f->mode == MM_FLOW_NEW) {
		size_t proto;
		const struct mm_dissector *self = mm_class_flow(&t->class, f, &proto);
		if (self == NULL)
			self = probe_datagram(t, f, side, pkt, seg->payload, &proto);
		if (self == NULL)
			return;
		if (mm_track_new(t, f, seg) == NULL)
			return;
		if (!mm_track_claim(t, f, self, proto)) {
			mm_flow_shunt(t, f);
			return;
		}
	}
	struct mm_track *tr = f->track;
	struct mm_id id = mm_bulk_id_of(&t->bulk_key, seg->payload);
	if (is_copy(t, tr, side, pkt, seg, &id)) {
		t->stats.n_copies++;
		return;
	}
	mm_frame_datagram(t, f, side, pkt, seg, &id);
}

static inline bool is_crowded(const struct mm_flow_table *t)
{
	const struct mm_event_pool *pool = t->conf.pool;
	return t->n_tracks >= t->conf.tracked_max ||
	       (pool != NULL && pool->n_live >= pool->max_live / 4 * 3);
}

/* Flows that are looked into take memory, and hold events whose answer is outstanding. Before these take all there
 * are, so that nothing new can be taken down, the oldest of them end: many requests into the void must not blind the
 * others. */
static void make_room_for_tracks(struct mm_flow_table *t)
{
	enum { AT_ONCE = 8 }; /* one packet asks for far fewer */
	static const uint8_t order[] = { MM_LIST_TRACKED + MM_LIST_CLOSED,
		MM_LIST_TRACKED + MM_LIST_UDP, MM_LIST_TRACKED + MM_LIST_TCP };
	if (t->n_tracks >= t->conf.tracked_max && t->probing_oldest != NULL)
		mm_track_probe_give_way(t); /* rather than one that somebody reads */
	for (size_t i = 0; i < sizeof order; i++) {
		for (int k = 0; k < AT_ONCE; k++) {
			if (!is_crowded(t) || t->lru[order[i]].tail == MM_NONE)
				break;
			t->stats.n_evicted++;
			end_flow(t, &t->flows[t->lru[order[i]].tail], t->now_ns, t->now_ns);
		}
	}
}

static bool is_claimed(const struct mm_flow_table *t, const struct mm_flow_key *k)
{
	size_t ignored;
	return mm_class_port(&t->class, k->proto, k->port[0], &ignored) != NULL ||
	       mm_class_port(&t->class, k->proto, k->port[1], &ignored) != NULL;
}

void mm_flow_advance(struct mm_flow_table *t, int64_t now_ns)
{
	if (now_ns <= t->now_ns)
		return;
	t->now_ns = now_ns;
	/* What was waited for first: it was over before the flow ran out, though time may come in leaps past both. */
	if (now_ns >= t->next_look_ns)
		mm_tcp_look(t);
	if (now_ns >= t->next_expiry_ns)
		expire(t);
}

void mm_flow_shed(struct mm_flow_table *t, unsigned level)
{
	t->shed = level;
}

void mm_flow_place_of(
        const struct mm_brief_key *key, const struct mm_segment *seg, struct mm_flow_place *place)
{
	place->side = make_key(seg, &place->key);
	place->hash = hash_key(key, &place->key);
}

void mm_flow_fetch_slot(const struct mm_flow_table *t, uint32_t hash)
{
	__builtin_prefetch(&t->slots[hash & t->mask]);
}

/* The flow of this hash if it is in the place that the hash says or the next one, where nearly all are; else NULL. Going on
 * as find() does would cost more than it saves: how far is hard to foresee, for the processor, too. */
static inline const struct mm_flow *likely(const struct mm_flow_table *t, uint32_t hash)
{
	const struct mm_slot *slot = &t->slots[hash & t->mask];
	if (slot->hash != hash)
		slot = &t->slots[(hash + 1) & t->mask];
	return slot->hash == hash && slot->flow != 0 ? &t->flows[slot->flow - 1] : NULL;
}

void mm_flow_fetch(const struct mm_flow_table *t, uint32_t hash)
{
	const struct mm_flow *f = likely(t, hash);
	if (f != NULL) {
		__builtin_prefetch(f);
		__builtin_prefetch((const char *)f + 64);
	}
}

void mm_flow_fetch_track(const struct mm_flow_table *t, uint32_t hash)
{
	const struct mm_flow *f = likely(t, hash);
	const struct mm_track *tr = f != NULL ? f->track : NULL;
	if (tr == NULL)
		return;
	__builtin_prefetch(tr);
	for (unsigned side = 0; side < 2; side++) {
		__builtin_prefetch(&tr->s[side]);
		__builtin_prefetch(&tr->s[side].inline_marks);
	}
}

void mm_flow_packet(
        struct mm_flow_table *t, const struct mm_packet *pkt, const struct mm_segment *seg)
{
	struct mm_flow_place place;
	mm_flow_place_of(&t->hash_key, seg, &place);
	mm_flow_packet_at(t, pkt, seg, &place);
}

void mm_flow_packet_at(struct mm_flow_table *t, const struct mm_packet *pkt,
        const struct mm_segment *seg, const struct mm_flow_place *place)
{
	const struct mm_flow_key *k = &place->key;
	unsigned side = place->side;
	if (seg->ip_proto != MM_TCP && seg->ip_proto != MM_UDP)
		return;
	int64_t time_ns = pkt->time_ns;
	mm_flow_advance(t, time_ns);
	if (is_crowded(t))
		make_room_for_tracks(t);
	struct mm_flow *f = find(t, k, place->hash);
	if (f != NULL && time_ns >= runs_out_ns(t, f)) {
		run_out(t, f);
		f = NULL;
	}
	bool tcp = seg->ip_proto == MM_TCP, answer = false;
	if (f != NULL && tcp && (seg->tcp_flags & MM_TCP_SYN) != 0 &&
	        is_next_connection(f, side, seg, time_ns)) {
		answer = (seg->tcp_flags & MM_TCP_ACK) != 0 && (f->bits & MM_SEEN << !side) != 0;
		int64_t end_ns = time_ns > f->last_ns ? time_ns : f->last_ns;
		end_flow(t, f, end_ns, end_ns);
		f = NULL;
	}
	if (f == NULL) {
		bool aside = t->shed != 0 && !is_claimed(t, k);
		t->stats.n_shed_packets += aside && t->shed > 1;
		t->stats.n_shed_flows += aside && t->shed == 1;
		if (aside && t->shed > 1)
			return;
		f = new_flow(t, k, place->hash, time_ns);
		/* Of a SYN note_flags() does not need the ports to tell. */
		if (!tcp || (seg->tcp_flags & MM_TCP_SYN) == 0)
			f->client = mm_class_client(&t->class, k, side);
		if (aside)
			f->mode = MM_FLOW_SHUNTED;
	}
	if (answer) { /* to the SYN that was not believed */
		f->bits |= (uint16_t)((MM_SEEN | MM_SYN_SEEN) << !side);
		f->isn[!side] = seg->ack - 1;
	}
	if (time_ns > f->last_ns) {
		f->last_ns = time_ns;
		if (time_ns - f->used_ns > t->lru[f->list].refresh_ns) {
			lru_remove(t, f);
			lru_add(t, f, f->list);
		}
	}
	if (!tcp) {
		take_datagram(t, f, side, pkt, seg);
		return;
	}
	note_flags(t, f, side, seg);
	if (seg->payload.len + seg->missing != 0)
		f->bits |= (uint16_t)(MM_PAYLOAD << side);
	if (f->mode != MM_FLOW_SHUNTED)
		mm_tcp_segment(t, f, side, pkt, seg);
}

/* --- the table ------------------------------------------------------------------------------------- */

static void lru_times(struct mm_flow_table *t)
{
	const int64_t timeouts[MM_LIST_CLASSES] = { t->conf.tcp_timeout_ns,
		t->conf.closed_timeout_ns, t->conf.udp_timeout_ns };
	for (unsigned i = 0; i < MM_LISTS; i++) {
		int64_t timeout = timeouts[i % MM_LIST_CLASSES];
		int64_t refresh = timeout / REFRESH_SHARE;
		t->lru[i].timeout_ns = timeout;
		t->lru[i].refresh_ns = refresh < NS_PER_S ? refresh : NS_PER_S;
	}
}

static void lru_init(struct mm_flow_table *t)
{
	for (unsigned i = 0; i < MM_LISTS; i++)
		t->lru[i].head = t->lru[i].tail = MM_NONE;
	lru_times(t);
}

void mm_flow_retime(struct mm_flow_table *t, int64_t udp_timeout_ns, int64_t tcp_timeout_ns)
{
	t->conf.udp_timeout_ns = udp_timeout_ns;
	t->conf.tcp_timeout_ns = tcp_timeout_ns;
	t->retimed_ns = t->now_ns;
	t->next_expiry_ns = t->now_ns; /* worked out anew at the next packet */
	lru_times(t);
}

/* Zeroed memory for an array that is read at random for every packet: with large pages, where the system has
 * them, a packet costs no walk through the page tables. */
static void *map_array(size_t n, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, bytes, MADV_HUGEPAGE); /* only a wish */
	return p;
}

int mm_flow_table_new(const struct mm_flow_config *config, struct mm_flow_table **out)
{
	if (config->flows_max == 0 || config->flows_max > UINT32_MAX / 4)
		return MM_ERR_USAGE;
	struct mm_flow_table *t = calloc(1, sizeof *t);
	if (t == NULL)
		return MM_ERR_NOMEM;
	t->conf = *config;
	mm_bulk_key_init(&t->bulk_key, &config->key);
	mm_brief_key_init(&t->hash_key, &config->key);
	t->free_flow = MM_NONE;
	t->now_ns = INT64_MIN;
	t->retimed_ns = INT64_MIN;
	t->next_expiry_ns = INT64_MAX;
	t->next_look_ns = INT64_MAX;
	t->pool.max = config->buffer_total_max;
	lru_init(t);
	uint32_t n_slots = 4;
	while (n_slots < 2 * config->flows_max)
		n_slots *= 2;
	t->mask = n_slots - 1;
	int r = mm_class_init(&t->class);
	const struct mm_web_config web = { .memory_max = config->web_memory_max,
		.proxies = config->web_proxies,
		.n_proxies = config->n_web_proxies,
		.stats = &t->stats.web };
	t->web = mm_web_new(&web);
	t->slots = map_array(n_slots, sizeof *t->slots);
	t->flows = map_array(config->flows_max, sizeof *t->flows);
	t->proto = calloc(t->class.n + 1, sizeof *t->proto);
	t->free_state = calloc(t->class.n + 1, sizeof *t->free_state);
	if (r == MM_OK && (t->slots == NULL || t->flows == NULL || t->proto == NULL ||
	                          t->free_state == NULL || t->web == NULL))
		r = MM_ERR_NOMEM;
	if (r != MM_OK) {
		mm_flow_table_free(t);
		return r;
	}
	for (size_t i = 0; i < t->class.n; i++)
		if (mm_dissectors[i]->message_max > t->conf.buffer_max)
			t->conf.buffer_max = mm_dissectors[i]->message_max;
	*out = t;
	return MM_OK;
}

void mm_flow_table_free(struct mm_flow_table *t)
{
	if (t == NULL)
		return;
	/* What was not finished is freed without being told; its dissectors would emit. */
	for (unsigned i = 0; i < MM_LISTS && t->flows != NULL; i++)
		for (uint32_t k = t->lru[i].head; k != MM_NONE; k = t->flows[k].next)
			if (t->flows[k].track != NULL)
				free_track(t, &t->flows[k]);
	for (size_t i = 0; i < 2; i++) {
		struct mm_track *tr;
		while ((tr = t->free_tracks[i]) != NULL) {
			t->free_tracks[i] = tr->newer;
			free(tr);
		}
	}
	for (size_t i = 0; i < t->class.n && t->free_state != NULL; i++) {
		void *state = t->free_state[i];
		while (state != NULL) {
			void *next;
			memcpy(&next, state, sizeof next);
			free(state);
			state = next;
		}
	}
	mm_layer_done(t);
	mm_ndpi_free(t->ndpi);
	mm_web_free(t->web);
	mm_pool_done(&t->pool);
	free(t->free_state);
	free(t->proto);
	if (t->flows != NULL)
		munmap(t->flows, t->conf.flows_max * sizeof *t->flows);
	if (t->slots != NULL)
		munmap(t->slots, ((size_t)t->mask + 1) * sizeof *t->slots);
	free(t);
}

void mm_flow_finish(struct mm_flow_table *t)
{
	for (unsigned i = 0; i < MM_LISTS; i++)
		while (t->lru[i].tail != MM_NONE)
			run_out(t, &t->flows[t->lru[i].tail]);
}

void mm_flow_stats_add(struct mm_flow_stats *sum, const struct mm_flow_stats *more)
{
	uint64_t a[sizeof *sum / sizeof(uint64_t)], b[sizeof *sum / sizeof(uint64_t)];
	memcpy(a, sum, sizeof a);
	memcpy(b, more, sizeof b);
	for (size_t i = 0; i < sizeof a / sizeof a[0]; i++)
		a[i] += b[i];
	memcpy(sum, a, sizeof a);
}

const struct mm_flow_stats *mm_flow_stats(const struct mm_flow_table *t)
{
	return &t->stats;
}

const struct mm_flow_proto_stats *mm_flow_proto_stats(const struct mm_flow_table *t, size_t i)
{
	return &t->proto[i];
}
