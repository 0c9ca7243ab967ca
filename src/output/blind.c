/* Who could not be read. */
#include "output/blind.h"

void mm_blind_init(struct mm_blind_table *b, const struct mm_hash_key *key)
{
	mm_table_init(&b->rows, key, sizeof(struct mm_blind_key), sizeof(struct mm_blind_row),
	        MM_BLIND_ROWS);
	b->n = 0;
}

void mm_blind_done(struct mm_blind_table *b)
{
	mm_table_done(&b->rows);
}

void mm_blind_note(struct mm_blind_table *b, const struct mm_event *ev)
{
	struct mm_blind_key key;
	memset(&key, 0, sizeof key);
	key.server = ev->dst.addr;
	key.port = ev->dst.port;
	size_t len = ev->user.len < MM_BLIND_NAME - 1 ? ev->user.len : MM_BLIND_NAME - 1;
	key.name = mm_fp_of(mm_slice(ev->user.p, len));
	struct mm_blind_row *row = mm_table_put(&b->rows, &key, NULL);
	b->n++;
	if (row == NULL)
		return;
	if (row->n++ == 0 && len != 0)
		memcpy(row->name, ev->user.p, len);
}
