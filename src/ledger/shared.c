/* What many rows have in common. */
#include "ledger/shared.h"

void mm_shared_init(
        struct mm_table *t, const struct mm_hash_key *hash_key, size_t key_size, size_t rows_max)
{
	mm_table_init(t, hash_key, key_size, key_size + sizeof(uint32_t), rows_max + 1);
}

static uint32_t *count_of(const struct mm_table *t, void *elem)
{
	return (uint32_t *)(void *)((uint8_t *)elem + t->key_size);
}

uint32_t mm_shared_take(struct mm_table *t, const void *key)
{
	void *elem = mm_table_put(t, key, NULL);
	if (elem == NULL)
		return 0;
	++*count_of(t, elem);
	return mm_table_number(t, elem);
}

void mm_shared_drop(struct mm_table *t, uint32_t number)
{
	if (number == 0)
		return;
	void *elem = mm_table_at(t, number);
	if (--*count_of(t, elem) == 0)
		mm_table_remove(t, elem);
}

bool mm_shared_again(struct mm_table *t, uint32_t number)
{
	if (!mm_table_has(t, number))
		return false;
	++*count_of(t, mm_table_at(t, number));
	return true;
}

bool mm_shared_all(const struct mm_table *t)
{
	for (void *elem = mm_table_next(t, NULL); elem != NULL; elem = mm_table_next(t, elem))
		if (*count_of(t, elem) == 0)
			return false;
	return true;
}
