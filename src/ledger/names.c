/* Names stored once. */
#include "ledger/names.h"

#include <stdlib.h>

struct entry {
	struct mm_id key; /* stands for the text */
	uint32_t number;
};

enum {
	NEAR = 16384, /* a power of two */
};

void mm_names_init(struct mm_names *names, const struct mm_hash_key *key, size_t max)
{
	*names = (struct mm_names){ .key = *key, .max = max };
	mm_table_init(&names->index, key, sizeof(struct mm_id), sizeof(struct entry), max + 1);
}

void mm_names_done(struct mm_names *names)
{
	for (size_t i = 1; i < names->n; i++)
		free(names->texts[i]);
	free(names->texts);
	free(names->lengths);
	free(names->near);
	mm_table_done(&names->index);
}

static bool make_room(struct mm_names *names)
{
	if (names->n < names->room)
		return true;
	size_t room = names->room == 0 ? 64 : names->room * 2;
	char **texts = realloc(names->texts, room * sizeof *texts);
	if (texts == NULL)
		return false;
	names->texts = texts;
	uint16_t *lengths = realloc(names->lengths, room * sizeof *lengths);
	if (lengths == NULL)
		return false;
	names->lengths = lengths;
	names->room = room;
	if (names->near == NULL)
		names->near = calloc(NEAR, sizeof *names->near);
	if (names->n == 0) {
		texts[0] = NULL;
		lengths[names->n++] = 0;
	}
	return true;
}

/* Need not be hard to guess: whoever makes two names share a place makes them be searched for. */
static size_t near_of(struct mm_str text)
{
	/* odd, with no pattern: 2^64 divided by the golden ratio */
	const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t word, h = text.len * factor;
	size_t at = 0;
	for (; text.len - at >= sizeof word; at += sizeof word) {
		memcpy(&word, text.p + at, sizeof word);
		h = (h ^ h >> 32 ^ word) * factor;
	}
	for (; at < text.len; at++)
		h = (h ^ (uint8_t)text.p[at]) * factor;
	return (size_t)(h >> 40) % NEAR;
}

/* The number of this name if it is where it was lately. near: where it goes. */
static uint32_t find_near(const struct mm_names *names, struct mm_str text, uint32_t **near)
{
	*near = NULL;
	if (names->near == NULL)
		return 0;
	*near = &names->near[near_of(text)];
	uint32_t number = **near;
	bool same = number != 0 && names->lengths[number] == text.len &&
	            memcmp(names->texts[number], text.p, text.len) == 0;
	return same ? number : 0;
}

uint32_t mm_names_find(const struct mm_names *names, struct mm_str text)
{
	uint32_t *near, number;
	if (text.len == 0)
		return 0;
	if ((number = find_near(names, text, &near)) != 0)
		return number;
	struct mm_id key = mm_id_of(&names->key, mm_str_slice(text));
	const struct entry *known = mm_table_find(&names->index, &key);
	if (known != NULL && near != NULL)
		*near = known->number;
	return known != NULL ? known->number : 0;
}

/* A name that is not there yet. */
static uint32_t put_fresh(struct mm_names *names, struct mm_str text)
{
	struct mm_id key = mm_id_of(&names->key, mm_str_slice(text));
	char *copy = NULL;
	struct entry *fresh = NULL;
	if (names->n > names->max || !make_room(names) || (copy = malloc(text.len)) == NULL ||
	        (fresh = mm_table_put(&names->index, &key, NULL)) == NULL) {
		free(copy);
		names->n_refused++;
		return 0;
	}
	memcpy(copy, text.p, text.len);
	fresh->number = (uint32_t)names->n;
	names->texts[names->n] = copy;
	names->lengths[names->n++] = (uint16_t)text.len;
	return fresh->number;
}

uint32_t mm_names_put(struct mm_names *names, struct mm_str text)
{
	uint32_t number = mm_names_find(names, text);
	return text.len == 0 || number != 0 ? number : put_fresh(names, text);
}

/* Eight letters at once, in whatever order: no sum carries from one byte into the next. */
static uint64_t fold_word(uint64_t w)
{
	const uint64_t ones = UINT64_MAX / UINT8_MAX, tops = ones << 7;
	uint64_t low = w & ~tops;
	uint64_t from_a = low + ones * (0x80 - 'A'), after_z = low + ones * (0x80 - 'Z' - 1);
	uint64_t upper = from_a & ~after_z & ~w & tops;
	return w | upper >> 2; /* 0x80 to 0x20: the bit that makes it small */
}

struct mm_str mm_str_fold(struct mm_str text, char out[MM_STR_MAX])
{
	size_t len = text.len < MM_STR_MAX ? text.len : MM_STR_MAX;
	size_t i = 0;
	for (uint64_t word; len - i >= sizeof word; i += sizeof word) {
		memcpy(&word, text.p + i, sizeof word);
		word = fold_word(word);
		memcpy(out + i, &word, sizeof word);
	}
	for (; i < len; i++) {
		char c = text.p[i];
		out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	return (struct mm_str){ out, len };
}

uint32_t mm_names_find_folded(const struct mm_names *names, struct mm_str text)
{
	char folded[MM_STR_MAX];
	return mm_names_find(names, mm_str_fold(text, folded));
}

uint32_t mm_names_put_folded(struct mm_names *names, struct mm_str text)
{
	char folded[MM_STR_MAX];
	return mm_names_put(names, mm_str_fold(text, folded));
}

struct mm_str mm_names_text(const struct mm_names *names, uint32_t number)
{
	if (number == 0 || number >= names->n)
		return (struct mm_str){ "", 0 };
	return (struct mm_str){ names->texts[number], names->lengths[number] };
}

void mm_names_save(const struct mm_names *names, struct mm_store *out)
{
	mm_store_u64(out, names->n);
	mm_store_u64(out, names->n_refused);
	for (size_t i = 1; i < names->n; i++)
		mm_store_text(out, names->texts[i], names->lengths[i]);
}

int mm_names_load(struct mm_names *names, struct mm_cursor *in)
{
	uint64_t n = mm_load_u64(in, names->max + 1), n_refused = mm_le64(in);
	for (uint32_t i = 1; i < n && !in->err; i++) {
		struct mm_slice text = mm_load_text(in, UINT16_MAX);
		struct mm_str name = { (const char *)text.p, text.len };
		if (text.len == 0 || mm_names_find(names, name) != 0)
			mm_fail(in);
		else if (mm_names_put(names, name) != i)
			return MM_ERR_NOMEM;
	}
	names->n_refused = n_refused;
	return mm_end(in) ? MM_OK : MM_ERR_CORRUPT;
}
