/* What many rows have in common, kept once and counted: gone with the last row that names it.
 *
 * A table of elements that begin with their key, followed by a uint32_t that counts who names it. It never evicts: there is
 * room for one more than there are rows. */
#ifndef MM_LEDGER_SHARED_H
#define MM_LEDGER_SHARED_H

#include "base/table.h"

/** Make the table ready: elements of key_size bytes, a multiple of 4, and their count. rows_max: who can name them. */
void mm_shared_init(
        struct mm_table *t, const struct mm_hash_key *hash_key, size_t key_size, size_t rows_max);

/** Name the element with this key, made when there was none: its number; 0 when memory is out. */
uint32_t mm_shared_take(struct mm_table *t, const void *key);

/** No longer name it; 0 is none. */
void mm_shared_drop(struct mm_table *t, uint32_t number);

/** Of a table that was read again, where nothing is named yet: name the element of this number; false when there is none. */
bool mm_shared_again(struct mm_table *t, uint32_t number);

/** Is every element named? */
bool mm_shared_all(const struct mm_table *t);

#endif
