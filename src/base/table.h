/* A bounded table: elements of one size found by a key of fixed size, the least recently used evicted.
 *
 * Open addressing over 32-bit slots, elements in chunks that never move, SipHash over the key: made for keys that
 * an attacker chooses. */
#ifndef MM_BASE_TABLE_H
#define MM_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"

struct mm_table_node;

struct mm_table {
	struct mm_hash_key hash_key;
	size_t key_size, elem_size, node_size, max;
	size_t n;           /* elements now */
	uint64_t n_evicted; /* elements that gave way to newer ones */
	uint32_t *slots;    /* index + 1; 0: free */
	size_t n_slots;     /* a power of two */
	uint8_t **chunks;
	size_t n_chunks, n_made;
	uint32_t free_head, lru_head, lru_tail; /* index + 1 */
	void (*evict)(void *arg, void *elem);   /* told before an element is reused; may be NULL */
	void *evict_arg;
};

/** Every element begins with its key: elem_size bytes, of which the first key_size are the key (no padding
 * inside it). At most max elements. Allocates nothing yet. */
void mm_table_init(struct mm_table *t, const struct mm_hash_key *hash_key, size_t key_size,
        size_t elem_size, size_t max);
void mm_table_done(struct mm_table *t);

/** The element with this key, borrowed until it is evicted; NULL when there is none. Does not count as use. */
void *mm_table_find(const struct mm_table *t, const void *key);

/** The element with this key, made (zero but for its key) when there was none; then *fresh is true. Counts as use.
 * NULL when memory is out. fresh may be NULL. */
void *mm_table_put(struct mm_table *t, const void *key, bool *fresh);

/** Take an element out; evict() is not told. */
void mm_table_remove(struct mm_table *t, void *elem);

/** Walk from the least to the most recently used: pass NULL to begin; NULL at the end. */
void *mm_table_next(const struct mm_table *t, const void *elem);

#endif
