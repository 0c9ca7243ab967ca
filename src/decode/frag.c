/* Reassembly of fragments: a hash table of datagrams, a list of them by last use, a pool of pages.
 */
#include "decode/frag.h"

#include <assert.h>
#include <stdlib.h>

enum {
	UNIT = 8, /* fragment offsets count units of 8 bytes, RFC 791 section 3.1 */
	PAGE_UNITS = 256,
	PAGE = PAGE_UNITS * UNIT,
	DATAGRAM_MAX = 65535, /* largest payload length of either IP */
	DATAGRAM_PAGES = (DATAGRAM_MAX + PAGE - 1) / PAGE,
	POOL_PAGES = MM_FRAG_BYTES_MAX / PAGE,
	BUCKETS = 2 * MM_FRAG_DATAGRAMS_MAX, /* a power of 2 */
	NONE = 0xffff,                       /* no datagram, no page */
};

_Static_assert((int)MM_FRAG_DATAGRAMS_MAX < NONE && POOL_PAGES < NONE, "indexes fit 16 bits");
_Static_assert(POOL_PAGES > DATAGRAM_PAGES, "the largest datagram fits beside another");
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "BUCKETS is a power of 2");
_Static_assert(sizeof(struct mm_frag_key) == 72, "keys are hashed as bytes");

struct page {
	uint8_t unit[PAGE_UNITS][UNIT];
};

struct datagram {
	struct mm_frag_key key;
	int64_t start_ns;
	struct mm_pkt first;
	uint32_t total;   /* length, once the last fragment came; 0: unknown */
	uint32_t end_max; /* where the furthest fragment ended */
	uint32_t n_units; /* units that came */
	uint16_t n_pieces;
	uint16_t bucket;
	uint16_t chain;        /* next in the bucket, or in the free list */
	uint16_t older, newer; /* by last use */
	uint16_t page[DATAGRAM_PAGES];
	uint8_t next_header;
	bool started;  /* offset 0 came: first and next_header hold */
	bool given_up; /* holds nothing, and swallows what still comes */
};

struct mm_frag_table {
	struct mm_hash_key key;
	struct mm_decode_stats *stats;
	uint16_t bucket[BUCKETS];
	uint16_t newest, oldest;
	uint16_t free_datagram, free_page; /* heads of the lists of those used before */
	uint16_t n_datagrams, n_pages;     /* those ever used; the rest was never touched */
	struct datagram datagram[MM_FRAG_DATAGRAMS_MAX];
	uint16_t next_page[POOL_PAGES];
	uint8_t have[POOL_PAGES][PAGE_UNITS]; /* 1: the unit came */
	struct page page[POOL_PAGES];
	/* Two in turn: the addresses of a datagram that came inside another lie in that other one.
	 */
	struct page whole[2][DATAGRAM_PAGES];
	unsigned turn;
};

int mm_frag_table_new(
        const struct mm_hash_key *key, struct mm_decode_stats *stats, struct mm_frag_table **out)
{
	/* Zeroed memory of this size is not resident until it is used. */
	struct mm_frag_table *t = calloc(1, sizeof *t);
	if (t == NULL)
		return MM_ERR_NOMEM;
	t->key = *key;
	t->stats = stats;
	memset(t->bucket, 0xff, sizeof t->bucket);
	t->newest = t->oldest = NONE;
	t->free_datagram = t->free_page = NONE;
	*out = t;
	return MM_OK;
}

void mm_frag_table_free(struct mm_frag_table *t)
{
	free(t);
}

static void list_add(struct mm_frag_table *t, uint16_t i)
{
	struct datagram *d = &t->datagram[i];
	d->older = t->newest;
	d->newer = NONE;
	if (t->newest != NONE)
		t->datagram[t->newest].newer = i;
	else
		t->oldest = i;
	t->newest = i;
}

static void list_remove(struct mm_frag_table *t, uint16_t i)
{
	const struct datagram *d = &t->datagram[i];
	if (d->older != NONE)
		t->datagram[d->older].newer = d->newer;
	else
		t->oldest = d->newer;
	if (d->newer != NONE)
		t->datagram[d->newer].older = d->older;
	else
		t->newest = d->older;
}

static void release_pages(struct mm_frag_table *t, struct datagram *d)
{
	for (size_t i = 0; i < DATAGRAM_PAGES; i++) {
		uint16_t page = d->page[i];
		if (page == NONE)
			continue;
		t->next_page[page] = t->free_page;
		t->free_page = page;
		d->page[i] = NONE;
	}
}

static void give_up(struct mm_frag_table *t, struct datagram *d)
{
	if (d->given_up)
		return;
	release_pages(t, d);
	d->given_up = true;
	t->stats->n_fragments_dropped++;
}

/** Forget datagram i. */
static void forget(struct mm_frag_table *t, uint16_t i)
{
	struct datagram *d = &t->datagram[i];
	release_pages(t, d);
	list_remove(t, i);
	uint16_t *link = &t->bucket[d->bucket];
	while (*link != i)
		link = &t->datagram[*link].chain;
	*link = d->chain;
	d->chain = t->free_datagram;
	t->free_datagram = i;
}

static void evict_oldest(struct mm_frag_table *t)
{
	uint16_t i = t->oldest;
	t->stats->n_fragment_limit++;
	give_up(t, &t->datagram[i]);
	forget(t, i);
}

static bool timed_out(const struct datagram *d, int64_t now_ns)
{
	const uint64_t limit_ns = (uint64_t)MM_FRAG_TIMEOUT_S * 1000000000u;
	/* Captures may hold any two times: the difference of them may not fit the signed type. */
	return now_ns > d->start_ns && (uint64_t)now_ns - (uint64_t)d->start_ns > limit_ns;
}

static void expire(struct mm_frag_table *t, int64_t now_ns)
{
	while (t->oldest != NONE && timed_out(&t->datagram[t->oldest], now_ns)) {
		give_up(t, &t->datagram[t->oldest]);
		forget(t, t->oldest);
	}
}

static uint16_t add_datagram(struct mm_frag_table *t, const struct mm_frag *frag, uint16_t bucket)
{
	uint16_t i;
	if (t->free_datagram == NONE && t->n_datagrams == MM_FRAG_DATAGRAMS_MAX)
		evict_oldest(t);
	if (t->free_datagram != NONE) {
		i = t->free_datagram;
		t->free_datagram = t->datagram[i].chain;
	} else {
		i = t->n_datagrams++;
	}
	struct datagram *d = &t->datagram[i];
	*d = (struct datagram){
		.key = frag->key,
		.start_ns = frag->time_ns,
		.bucket = bucket,
		.chain = t->bucket[bucket],
	};
	memset(d->page, 0xff, sizeof d->page);
	t->bucket[bucket] = i;
	list_add(t, i);
	return i;
}

/** The datagram of this fragment, new if need be, as the most recently used. */
static uint16_t find_datagram(struct mm_frag_table *t, const struct mm_frag *frag)
{
	uint64_t hash = mm_siphash(&t->key, &frag->key, sizeof frag->key);
	uint16_t bucket = (uint16_t)(hash & (BUCKETS - 1));
	uint16_t i = t->bucket[bucket];
	while (i != NONE && memcmp(&t->datagram[i].key, &frag->key, sizeof frag->key) != 0)
		i = t->datagram[i].chain;
	if (i != NONE && timed_out(&t->datagram[i], frag->time_ns)) {
		give_up(t, &t->datagram[i]);
		forget(t, i);
		i = NONE;
	}
	if (i == NONE)
		return add_datagram(t, frag, bucket);
	list_remove(t, i);
	list_add(t, i);
	return i;
}

/** A page for datagram d, which is the most recently used: others make room. */
static uint16_t take_page(struct mm_frag_table *t, const struct datagram *d)
{
	while (t->free_page == NONE && t->n_pages == POOL_PAGES) {
		assert(&t->datagram[t->oldest] != d);
		evict_oldest(t);
	}
	uint16_t page = t->free_page;
	if (page != NONE)
		t->free_page = t->next_page[page];
	else
		page = t->n_pages++;
	memset(t->have[page], 0, sizeof t->have[page]);
	return page;
}

/** Put the fragment's bytes into d's pages; false when one contradicts what came before.
 * *fresh: units that had not come before. */
static bool store(
        struct mm_frag_table *t, struct datagram *d, const struct mm_frag *frag, uint32_t *fresh)
{
	struct mm_cursor c = mm_cursor(frag->payload);
	*fresh = 0;
	for (size_t at = frag->offset / UNIT; c.len > 0; at++) {
		uint16_t *page = &d->page[at / PAGE_UNITS];
		if (*page == NONE)
			*page = take_page(t, d);
		uint8_t *have = &t->have[*page][at % PAGE_UNITS];
		uint8_t *unit = t->page[*page].unit[at % PAGE_UNITS];
		struct mm_slice s = mm_take(&c, c.len < UNIT ? c.len : UNIT);
		if (*have && memcmp(unit, s.p, s.len) != 0)
			return false;
		if (*have)
			continue;
		memcpy(unit, s.p, s.len);
		*have = 1;
		++*fresh;
	}
	return true;
}

/** True when the fragment agrees with what is known of the datagram's length; notes what it says of
 * it. */
static bool length_agrees(struct datagram *d, const struct mm_frag *frag)
{
	uint32_t end = frag->offset + (uint32_t)frag->payload.len;
	if (end > d->end_max)
		d->end_max = end;
	if (!frag->more && d->total == 0)
		d->total = end;
	return d->total == 0 || (d->end_max <= d->total && (frag->more || end == d->total));
}

static void gather(struct mm_frag_table *t, uint16_t i, struct mm_frag_whole *out)
{
	const struct datagram *d = &t->datagram[i];
	struct page *whole = t->whole[t->turn++ % 2];
	for (size_t p = 0; p * PAGE < d->total; p++)
		whole[p] = t->page[d->page[p]];
	*out = (struct mm_frag_whole){
		.payload = mm_slice(whole, d->total),
		.first = d->first,
		.next_header = d->next_header,
	};
	t->stats->n_reassembled++;
	forget(t, i);
}

/** False when the fragment breaks the rules of RFC 791 section 3.1 and RFC 8200 section 4.5: it
 * holds something, in whole units unless it is the last, and ends where a datagram can. */
static bool well_formed(const struct mm_frag *frag)
{
	size_t on_wire = frag->payload.len + frag->missing;
	return frag->offset % UNIT == 0 && on_wire != 0 && on_wire <= DATAGRAM_MAX &&
	       frag->offset <= DATAGRAM_MAX - on_wire && (!frag->more || on_wire % UNIT == 0);
}

enum mm_frag_verdict mm_frag_add(
        struct mm_frag_table *t, const struct mm_frag *frag, struct mm_frag_whole *out)
{
	if (!well_formed(frag))
		return MM_FRAG_MALFORMED;
	expire(t, frag->time_ns);
	uint16_t i = find_datagram(t, frag);
	struct datagram *d = &t->datagram[i];
	uint32_t fresh;
	if (d->given_up)
		return MM_FRAG_HELD;
	if (frag->missing != 0 || !length_agrees(d, frag) || !store(t, d, frag, &fresh)) {
		give_up(t, d);
		return MM_FRAG_HELD;
	}
	if (fresh == 0)
		return MM_FRAG_HELD;
	if (d->n_pieces == MM_FRAG_PIECES_MAX) {
		t->stats->n_fragment_limit++;
		give_up(t, d);
		return MM_FRAG_HELD;
	}
	d->n_pieces++;
	d->n_units += fresh;
	if (frag->offset == 0 && !d->started) {
		d->started = true;
		d->first = frag->id;
		d->next_header = frag->next_header;
	}
	if (d->total == 0 || d->n_units != (d->total + UNIT - 1) / UNIT)
		return MM_FRAG_HELD;
	gather(t, i, out);
	return MM_FRAG_WHOLE;
}
