/* The findings so far written down and read again. */
#include <stdlib.h>

#include "detect/detect.h"

static void save_finding(void *arg, struct mm_store *out, const void *elem)
{
	const struct mm_finding *f = elem;
	(void)arg;
	mm_store_text(out, f->detector->name, strlen(f->detector->name));
	mm_finding_save(f, out);
}

/* One of the few words that dissectors use, such as "kerberos" and "tgs-exchange": findings borrow them from
 * here as they do from dissectors. */
static const char *word(void *arg, struct mm_cursor *in)
{
	enum { WORD_MAX = 64 };
	struct mm_detect *d = arg;
	struct mm_slice text = mm_load_text(in, WORD_MAX);
	size_t i = 0;
	while (i < d->n_words && !mm_slice_eq(mm_slice_str(d->words[i]), text))
		i++;
	if (i < d->n_words)
		return d->words[i];
	bool plain = true;
	for (size_t k = 0; k < text.len; k++)
		plain = plain && mm_at(text, k) > ' ' && mm_at(text, k) < 0x7f;
	char *copy = plain && i < MM_DETECT_WORDS ? strndup((const char *)text.p, text.len) : NULL;
	if (copy == NULL) {
		mm_fail(in);
		return "";
	}
	d->words[d->n_words++] = copy;
	return copy;
}

static void load_finding(void *arg, struct mm_cursor *in, void *elem)
{
	enum { NAME_MAX_B = 64 };
	struct mm_finding_reader *reader = arg;
	struct mm_finding *f = elem;
	struct mm_slice name = mm_load_text(in, NAME_MAX_B);
	uint32_t i = 0;
	while (mm_detectors[i] != NULL && !mm_slice_eq(mm_slice_str(mm_detectors[i]->name), name))
		i++;
	f->detector = mm_detectors[i];
	if (f->detector == NULL)
		mm_fail(in);
	mm_finding_load(f, in, reader);
	f->key.detector = i;
}

void mm_detect_save(const struct mm_detect *d, struct mm_store *out)
{
	mm_store_u64(out, d->n_dropped);
	mm_table_save(&d->findings, out, save_finding, NULL);
}

int mm_detect_load(struct mm_detect *d, struct mm_cursor *in, struct mm_file_map *files)
{
	struct mm_finding_reader reader = { .word = word, .arg = d, .files = files };
	d->n_dropped = mm_le64(in);
	int r = mm_table_load(&d->findings, in, load_finding, &reader);
	if (r != MM_OK)
		return r;
	mm_table_shrink(&d->findings);
	mm_detect_count_roots(d);
	return mm_end(in) ? MM_OK : MM_ERR_CORRUPT;
}
