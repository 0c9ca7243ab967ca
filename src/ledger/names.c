/* Names stored once. */
#include "ledger/names.h"

#include <stdlib.h>

struct entry {
	uint64_t key[2]; /* two keyed hashes of the text stand for it */
	uint32_t number;
};

void mm_names_init(struct mm_names *names, const struct mm_hash_key *key, size_t max)
{
	*names = (struct mm_names){ .max = max };
	mm_table_init(&names->index, key, sizeof(uint64_t[2]), sizeof(struct entry), max + 1);
}

void mm_names_done(struct mm_names *names)
{
	for (size_t i = 1; i < names->n; i++)
		free(names->texts[i]);
	free(names->texts);
	free(names->lengths);
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
	if (names->n == 0) {
		texts[0] = NULL;
		lengths[names->n++] = 0;
	}
	return true;
}

struct text_key {
	uint64_t h[2];
};

static struct text_key text_key(const struct mm_names *names, struct mm_str text)
{
	struct mm_hash_key second = { names->index.hash_key.k1, ~names->index.hash_key.k0 };
	return (struct text_key){ { mm_siphash(&names->index.hash_key, text.p, text.len),
		mm_siphash(&second, text.p, text.len) } };
}

uint32_t mm_names_find(const struct mm_names *names, struct mm_str text)
{
	if (text.len == 0)
		return 0;
	struct text_key key = text_key(names, text);
	const struct entry *known = mm_table_find(&names->index, &key);
	return known != NULL ? known->number : 0;
}

uint32_t mm_names_put(struct mm_names *names, struct mm_str text)
{
	uint32_t number = mm_names_find(names, text);
	if (text.len == 0 || number != 0)
		return number;
	struct text_key key = text_key(names, text);
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

struct mm_str mm_str_fold(struct mm_str text, char out[MM_STR_MAX])
{
	size_t len = text.len < MM_STR_MAX ? text.len : MM_STR_MAX;
	for (size_t i = 0; i < len; i++) {
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
