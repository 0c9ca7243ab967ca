/* What is known of attempts written down and read again. */
#include "ledger/attempts.h"

#define SUM_MAX 1e15 /* of what is summed up: far beyond what a sensor lives to see */

static void save_times(struct mm_store *out, const uint32_t *at_s, size_t n)
{
	uint16_t used = 0;
	for (size_t i = 0; i < n; i++)
		used = (uint16_t)(used + (at_s[i] != 0));
	mm_store_u16(out, used);
	for (size_t i = 0; i < n; i++) {
		if (at_s[i] == 0)
			continue;
		mm_store_u16(out, (uint16_t)i);
		mm_store_u32(out, at_s[i]);
	}
}

static void load_times(struct mm_cursor *in, uint32_t *at_s, size_t n)
{
	size_t used = mm_le16(in);
	if (used > n)
		mm_fail(in);
	for (size_t i = 0; i < used && !in->err; i++) {
		size_t bucket = mm_le16(in);
		uint32_t at = mm_le32(in);
		if (bucket >= n)
			mm_fail(in);
		else
			at_s[bucket] = at;
	}
}

static void save_name(struct mm_store *out, const char *name)
{
	mm_store_text(out, name, strlen(name));
}

static void load_name(struct mm_cursor *in, char out[MM_GUESS_NAME])
{
	struct mm_slice text = mm_load_text(in, MM_GUESS_NAME - 1);
	for (size_t i = 0; i < text.len; i++)
		out[i] = (char)(mm_at(text, i) > 0x20 && mm_at(text, i) < 0x7f ? mm_at(text, i)
		                                                               : '?');
	out[text.len] = '\0';
}

static void save_guesser(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_guesser *g = elem;
	(void)arg;
	mm_store_u64(out, g->key.id);
	mm_store_addr(out, &g->key.addr);
	mm_store_u8(out, g->key.kind);
	save_times(out, g->failed.at_s, MM_GUESS_BUCKETS);
	save_times(out, g->right.at_s, MM_GUESS_BUCKETS);
	save_times(out, g->sources_s, MM_GUESS_SOURCES);
	for (size_t w = 0; w < MM_GUESS_WINDOWS; w++) {
		mm_store_u32(out, g->past[w].begin_s);
		mm_store_u32(out, g->past[w].peak);
		mm_store_double(out, g->past[w].tiles);
		mm_store_double(out, g->past[w].x);
		mm_store_double(out, g->past[w].users);
	}
	mm_store_u32(out, g->first_s);
	mm_store_u32(out, g->last_s);
	mm_store_u32(out, g->suspect_s);
	mm_store_u64(out, g->n_failed);
	mm_store_u64(out, g->n_right);
	mm_store_u64(out, g->n_first_right);
	mm_store_double(out, g->first_week);
	mm_store_u32(out, g->first_week_s);
	mm_store_u32(out, g->protocols);
	mm_store_u32(out, g->n_new);
	mm_store_u32(out, g->n_ascending);
	mm_store_u32(out, g->n_gaps);
	mm_store_double(out, g->gap_sum);
	mm_store_double(out, g->gap_squares);
	mm_store_u64(out, (uint64_t)g->new_ns);
	mm_store_u32(out, g->n_names);
	mm_store_u32(out, g->n_hits);
	save_name(out, g->label);
	save_name(out, g->last_name);
	for (size_t i = 0; i < MM_GUESS_NAMES_SHOWN; i++)
		save_name(out, g->names[i]);
	for (size_t i = 0; i < MM_GUESS_HITS; i++) {
		save_name(out, g->hits[i].name);
		mm_store_u64(out, (uint64_t)g->hits[i].at_ns);
		mm_store_u8(out, g->hits[i].but);
	}
}

static void load_guesser(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_guesser *g = elem;
	(void)arg;
	g->key.id = mm_le64(in);
	g->key.addr = mm_load_addr(in);
	g->key.kind = mm_load_u8(in, MM_GUESS_KINDS - 1);
	load_times(in, g->failed.at_s, MM_GUESS_BUCKETS);
	load_times(in, g->right.at_s, MM_GUESS_BUCKETS);
	load_times(in, g->sources_s, MM_GUESS_SOURCES);
	for (size_t w = 0; w < MM_GUESS_WINDOWS; w++) {
		g->past[w].begin_s = mm_le32(in);
		g->past[w].peak = mm_le32(in);
		g->past[w].tiles = mm_load_double(in, 0, SUM_MAX);
		g->past[w].x = mm_load_double(in, 0, SUM_MAX);
		g->past[w].users = mm_load_double(in, 0, SUM_MAX);
	}
	g->first_s = mm_le32(in);
	g->last_s = mm_le32(in);
	g->suspect_s = mm_le32(in);
	g->n_failed = mm_le64(in);
	g->n_right = mm_le64(in);
	g->n_first_right = mm_load_u64(in, g->n_right);
	g->first_week = mm_load_double(in, 0, SUM_MAX);
	g->first_week_s = mm_le32(in);
	g->protocols = mm_le32(in);
	g->n_new = mm_le32(in);
	g->n_ascending = mm_load_u32(in, g->n_new);
	g->n_gaps = mm_load_u32(in, g->n_new);
	g->gap_sum = mm_load_double(in, -SUM_MAX, SUM_MAX);
	g->gap_squares = mm_load_double(in, 0, SUM_MAX * SUM_MAX);
	g->new_ns = mm_load_time(in);
	g->n_names = mm_le32(in);
	g->n_hits = mm_le32(in);
	load_name(in, g->label);
	load_name(in, g->last_name);
	for (size_t i = 0; i < MM_GUESS_NAMES_SHOWN; i++)
		load_name(in, g->names[i]);
	for (size_t i = 0; i < MM_GUESS_HITS; i++) {
		load_name(in, g->hits[i].name);
		g->hits[i].at_ns = mm_load_time(in);
		g->hits[i].but = mm_load_u8(in, 1);
	}
}

static void save_pair(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_pair *pair = elem;
	(void)arg;
	mm_store_u64(out, pair->key.user);
	mm_store_addr(out, &pair->key.addr);
	mm_store_u32(out, pair->failed_first_s);
	mm_store_u32(out, pair->failed_s);
	mm_store_u32(out, pair->right_first_s);
	mm_store_u32(out, pair->right_s);
	mm_store_u32(out, pair->asked_s);
}

static void load_pair(void *arg, struct mm_cursor *in, void *elem)
{
	struct mm_pair *pair = elem;
	(void)arg;
	pair->key.user = mm_le64(in);
	pair->key.addr = mm_load_addr(in);
	pair->failed_first_s = mm_le32(in);
	pair->failed_s = mm_le32(in);
	pair->right_first_s = mm_le32(in);
	pair->right_s = mm_le32(in);
	pair->asked_s = mm_le32(in);
}

/* Attempts of which another leg may come are not kept: no more than a moment of them is. */
void mm_attempts_save(const struct mm_attempts *a, struct mm_store *out)
{
	mm_store_u64(out, a->key.k0);
	mm_store_u64(out, a->key.k1);
	mm_store_u32(out, a->first_s);
	mm_store_u64(out, a->n_attempts);
	mm_store_u64(out, a->n_right);
	mm_store_u64(out, a->n_first_right);
	for (size_t kind = 0; kind < MM_GUESS_KINDS; kind++) {
		for (size_t w = 0; w < MM_GUESS_WINDOWS; w++) {
			const struct mm_guess_norm *norm = &a->norms[kind][w];
			mm_store_double(out, norm->n);
			mm_store_double(out, norm->x);
			mm_store_double(out, norm->users);
			mm_store_double(out, norm->users2);
			mm_store_double(out, norm->pairs);
		}
	}
	mm_table_save(&a->guessers, out, save_guesser, NULL);
	mm_table_save(&a->pairs, out, save_pair, NULL);
}

int mm_attempts_load(struct mm_attempts *a, struct mm_cursor *in)
{
	int r;
	a->key.k0 = mm_le64(in);
	a->key.k1 = mm_le64(in);
	a->first_s = mm_le32(in);
	a->n_attempts = mm_le64(in);
	a->n_right = mm_le64(in);
	a->n_first_right = mm_load_u64(in, a->n_right);
	for (size_t kind = 0; kind < MM_GUESS_KINDS; kind++) {
		for (size_t w = 0; w < MM_GUESS_WINDOWS; w++) {
			struct mm_guess_norm *norm = &a->norms[kind][w];
			norm->n = mm_load_double(in, 0, SUM_MAX);
			norm->x = mm_load_double(in, 0, SUM_MAX);
			norm->users = mm_load_double(in, 0, SUM_MAX);
			norm->users2 = mm_load_double(in, 0, SUM_MAX * SUM_MAX);
			norm->pairs = mm_load_double(in, 0, SUM_MAX * SUM_MAX);
		}
	}
	if ((r = mm_table_load(&a->guessers, in, load_guesser, NULL)) != MM_OK ||
	        (r = mm_table_load(&a->pairs, in, load_pair, NULL)) != MM_OK)
		return r;
	mm_table_shrink(&a->guessers);
	mm_table_shrink(&a->pairs);
	return mm_end(in) ? MM_OK : MM_ERR_CORRUPT;
}
