/* What is ordinary here. */
#include "ledger/baseline.h"

struct total_key {
	uint32_t trait, issuer, scope;
};

struct total {
	struct total_key key;
	uint32_t unused;
	uint64_t n;
	int64_t latest;
	/* As a rule there is no other value: the one seen first is counted here, each other one by itself. */
	int64_t first;
	uint64_t n_first;
};

struct count_key {
	uint32_t trait, issuer, scope, unused;
	int64_t value;
};

struct count {
	struct count_key key;
	uint64_t n;
};

struct lengths {
	uint32_t key[2]; /* issuer, scope */
	uint64_t n;
	uint32_t min, max;
	uint32_t samples[MM_LENGTH_SAMPLES]; /* the latest, as a ring */
};

void mm_baseline_init(struct mm_baseline *b, const struct mm_hash_key *key, size_t max)
{
	memset(b, 0, sizeof *b);
	mm_table_init(&b->counts, key, sizeof(struct count_key), sizeof(struct count), max);
	mm_table_init(&b->totals, key, sizeof(struct total_key), sizeof(struct total), max);
	mm_table_init(&b->lengths, key, sizeof(uint32_t[2]), sizeof(struct lengths), max);
}

void mm_baseline_done(struct mm_baseline *b)
{
	mm_table_done(&b->counts);
	mm_table_done(&b->totals);
	mm_table_done(&b->lengths);
}

/* Need not be hard to guess: whoever makes two share a place makes them be searched for. */
static uint32_t near_of(uint32_t trait, uint32_t issuer, uint32_t scope)
{
	/* an odd constant with no pattern: 2^64 divided by the golden ratio */
	uint64_t h = ((uint64_t)issuer << 32 | scope) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 40) + trait;
}

static void *put(struct mm_table *t, uint32_t *near, const void *key)
{
	void *elem = mm_table_put_at(t, *near, key);
	if (elem != NULL)
		return elem;
	elem = mm_table_put(t, key, NULL);
	*near = elem != NULL ? mm_table_number(t, elem) : 0;
	return elem;
}

void mm_baseline_count(
        struct mm_baseline *b, enum mm_trait trait, uint32_t issuer, uint32_t scope, int64_t value)
{
	struct total_key total_key = { trait, issuer, scope };
	struct count_key count_key = { trait, issuer, scope, 0, value };
	struct mm_baseline_near *near = &b->near[near_of(trait, issuer, scope) % MM_BASELINE_NEAR];
	struct total *total = put(&b->totals, &near->total, &total_key);
	if (total == NULL)
		return;
	if (total->n == 0)
		total->first = value;
	bool first = value == total->first;
	struct count *count = first ? NULL : put(&b->counts, &near->count, &count_key);
	if (!first && count == NULL)
		return;
	total->n++;
	total->latest = value;
	if (first)
		total->n_first++;
	else
		count->n++;
}

struct mm_share mm_baseline_share(const struct mm_baseline *b, enum mm_trait trait, uint32_t issuer,
        uint32_t scope, int64_t value)
{
	struct total_key total_key = { trait, issuer, scope };
	struct count_key count_key = { trait, issuer, scope, 0, value };
	const struct total *total = mm_table_find(&b->totals, &total_key);
	struct mm_share share = { 0 };
	if (total == NULL)
		return share;
	share = (struct mm_share){ 0, total->n, total->latest };
	if (value == total->first) {
		share.k = total->n_first;
		return share;
	}
	/* The two are evicted apart: a count may have outlived the total it belonged to. */
	const struct count *count = mm_table_find(&b->counts, &count_key);
	if (count != NULL)
		share.k = count->n < total->n ? count->n : total->n;
	return share;
}

struct mm_share mm_baseline_once(
        const struct mm_baseline *b, enum mm_trait trait, uint32_t issuer, uint32_t scope)
{
	struct mm_share first = mm_baseline_share(b, trait, issuer, scope, 1);
	struct mm_share second = mm_baseline_share(b, trait, issuer, scope, 2);
	first.k -= second.k < first.k ? second.k : first.k;
	return first;
}

void mm_baseline_length(struct mm_baseline *b, uint32_t issuer, uint32_t scope, uint32_t length)
{
	uint32_t key[2] = { issuer, scope };
	uint32_t near = near_of(0, issuer, scope) % MM_BASELINE_NEAR_LENGTHS;
	struct lengths *l = put(&b->lengths, &b->near_lengths[near], key);
	if (l == NULL)
		return;
	if (l->n == 0 || length < l->min)
		l->min = length;
	if (length > l->max)
		l->max = length;
	l->samples[l->n++ % MM_LENGTH_SAMPLES] = length;
}

struct mm_length_rank mm_baseline_length_rank(
        const struct mm_baseline *b, uint32_t issuer, uint32_t scope, uint32_t length)
{
	/* Names, groups and padding make honest tickets of one kind differ by a few dozen bytes even where the
	 * few seen so far do not: half the spread, and never less than this. */
	enum { MARGIN_MIN = 16 };
	uint32_t key[2] = { issuer, scope };
	const struct lengths *l = mm_table_find(&b->lengths, key);
	struct mm_length_rank r = { 0 };
	if (l == NULL)
		return r;
	r.n = l->n;
	r.min = l->min;
	r.max = l->max;
	r.margin = (l->max - l->min) / 2 > MARGIN_MIN ? (l->max - l->min) / 2 : MARGIN_MIN;
	r.n_samples = l->n < MM_LENGTH_SAMPLES ? (uint32_t)l->n : MM_LENGTH_SAMPLES;
	bool low = (uint64_t)length * 2 < (uint64_t)l->min + l->max;
	for (uint32_t i = 0; i < r.n_samples; i++)
		if (low ? l->samples[i] <= length : l->samples[i] >= length)
			r.n_beyond++;
	uint32_t beyond = length < l->min ? l->min - length : length > l->max ? length - l->max : 0;
	r.margins = (double)beyond / r.margin;
	return r;
}

static void save_total(void *arg, struct mm_store *out, const void *elem)
{
	const struct total *total = elem;
	(void)arg;
	mm_store_u32(out, total->key.trait);
	mm_store_u32(out, total->key.issuer);
	mm_store_u32(out, total->key.scope);
	mm_store_u64(out, total->n);
	mm_store_u64(out, (uint64_t)total->latest);
	mm_store_u64(out, (uint64_t)total->first);
	mm_store_u64(out, total->n_first);
}

static void load_total(void *arg, struct mm_cursor *in, void *elem)
{
	struct total *total = elem;
	(void)arg;
	total->key.trait = mm_load_u32(in, MM_TRAIT_N - 1);
	total->key.issuer = mm_le32(in);
	total->key.scope = mm_le32(in);
	total->n = mm_le64(in);
	total->latest = (int64_t)mm_le64(in);
	total->first = (int64_t)mm_le64(in);
	total->n_first = mm_le64(in);
	if (total->n_first > total->n)
		mm_fail(in);
}

static void save_count(void *arg, struct mm_store *out, const void *elem)
{
	const struct count *count = elem;
	(void)arg;
	mm_store_u32(out, count->key.trait);
	mm_store_u32(out, count->key.issuer);
	mm_store_u32(out, count->key.scope);
	mm_store_u64(out, (uint64_t)count->key.value);
	mm_store_u64(out, count->n);
}

static void load_count(void *arg, struct mm_cursor *in, void *elem)
{
	struct count *count = elem;
	(void)arg;
	count->key.trait = mm_load_u32(in, MM_TRAIT_N - 1);
	count->key.issuer = mm_le32(in);
	count->key.scope = mm_le32(in);
	count->key.value = (int64_t)mm_le64(in);
	count->n = mm_le64(in);
}

static size_t n_samples(uint64_t n)
{
	return n < MM_LENGTH_SAMPLES ? (size_t)n : MM_LENGTH_SAMPLES;
}

static void save_lengths(void *arg, struct mm_store *out, const void *elem)
{
	const struct lengths *l = elem;
	(void)arg;
	mm_store_u32(out, l->key[0]);
	mm_store_u32(out, l->key[1]);
	mm_store_u64(out, l->n);
	mm_store_u32(out, l->min);
	mm_store_u32(out, l->max);
	for (size_t i = 0; i < n_samples(l->n); i++)
		mm_store_u32(out, l->samples[i]);
}

static void load_lengths(void *arg, struct mm_cursor *in, void *elem)
{
	struct lengths *l = elem;
	(void)arg;
	l->key[0] = mm_le32(in);
	l->key[1] = mm_le32(in);
	l->n = mm_le64(in);
	l->min = mm_le32(in);
	l->max = mm_le32(in);
	if (l->min > l->max)
		mm_fail(in);
	for (size_t i = 0; i < n_samples(l->n); i++)
		l->samples[i] = mm_le32(in);
}

void mm_baseline_save(const struct mm_baseline *b, struct mm_store *out)
{
	mm_table_save(&b->counts, out, save_count, NULL);
	mm_table_save(&b->totals, out, save_total, NULL);
	mm_table_save(&b->lengths, out, save_lengths, NULL);
}

int mm_baseline_load(struct mm_baseline *b, struct mm_cursor *in)
{
	int r;
	if ((r = mm_table_load(&b->counts, in, load_count, NULL)) != MM_OK ||
	        (r = mm_table_load(&b->totals, in, load_total, NULL)) != MM_OK ||
	        (r = mm_table_load(&b->lengths, in, load_lengths, NULL)) != MM_OK)
		return r;
	mm_table_shrink(&b->counts);
	mm_table_shrink(&b->totals);
	mm_table_shrink(&b->lengths);
	return mm_end(in) ? MM_OK : MM_ERR_CORRUPT;
}
