/* A bounded table: elements of one size found by a key of fixed size, the least recently used evicted.
 *
 * Open addressing over 32-bit slots, elements in chunks that never move, a keyed hash: made for keys that
 * an attacker chooses. An element takes 8 bytes beyond its own size, and 5.4 of the index once the table is as full as
 * it may get. */
#ifndef MM_BASE_TABLE_H
#define MM_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/store.h"

struct mm_table_node;

struct mm_table {
	struct mm_brief_key hash_key;
	size_t key_size, elem_size, node_size, max;
	size_t n;           /* elements now */
	uint64_t n_evicted; /* elements that gave way to newer ones */
	uint32_t *slots;    /* number of an element, above it what tells others apart; 0: free */
	size_t n_slots;
	unsigned number_bits;
	uint8_t **chunks;
	size_t n_chunks, n_made;
	uint32_t free_head, lru_head, lru_tail; /* numbers */
	void (*evict)(void *arg, void *elem);   /* told before an element is reused; may be NULL */
	void *evict_arg;
};

/** Every element begins with its key: elem_size bytes, of which the first key_size, at most MM_BRIEF_MAX, are the key (no
 * padding inside it). Elements are aligned to 4 bytes when their size is no multiple of 8, else to 8. At most max elements,
 * of which MM_TABLE_MAX are counted. Allocates nothing yet. */
void mm_table_init(struct mm_table *t, const struct mm_hash_key *hash_key, size_t key_size,
        size_t elem_size, size_t max);
void mm_table_done(struct mm_table *t);

enum { MM_TABLE_MAX = 0x7fffffff };

/** The element with this key, borrowed until it is evicted; NULL when there is none. Does not count as use. */
void *mm_table_find(const struct mm_table *t, const void *key);

/** The element with this key, made (zero but for its key) when there was none; then *fresh is true. Counts as use.
 * NULL when memory is out. fresh may be NULL. */
void *mm_table_put(struct mm_table *t, const void *key, bool *fresh);

/** The same as mm_table_put() where the element that had this number before still has this key: without a search. NULL
 * when it has not; any number may be tried. */
void *mm_table_put_at(struct mm_table *t, uint32_t number, const void *key);

/** Take an element out; evict() is not told. */
void mm_table_remove(struct mm_table *t, void *elem);

/** The number of an element that is in the table, from 1: its own until it is evicted or removed, then free for
 * another one. */
uint32_t mm_table_number(const struct mm_table *t, const void *elem);

/** The element of this number, which must have been one; what it holds when it is in the table no more is not
 * defined. */
void *mm_table_at(const struct mm_table *t, uint32_t number);

/** Bytes of memory it holds: elements, links and index. */
size_t mm_table_bytes(const struct mm_table *t);

/** Write the table down: numbers, order of use and, by save(), each element; every record of at least one byte. In the order
 * of numbers, so that memory is read front to back. */
typedef void mm_table_save_fn(void *arg, struct mm_store *out, const void *elem);
void mm_table_save(
        const struct mm_table *t, struct mm_store *out, mm_table_save_fn *save, void *arg);

/** Fill an empty table from what mm_table_save() wrote. load() fills a zeroed element, key and all, from the cursor; it
 * marks the cursor failed when that is none. More than max elements are accepted when most of their numbers are in use;
 * mm_table_shrink() then evicts. MM_ERR_CORRUPT, MM_ERR_NOMEM: the table is good for nothing but mm_table_done(). */
typedef void mm_table_load_fn(void *arg, struct mm_cursor *in, void *elem);
int mm_table_load(
        struct mm_table *t, struct mm_cursor *in, mm_table_load_fn *load, void *arg) MM_MUST_CHECK;

/** Evict until no more than max are left. */
void mm_table_shrink(struct mm_table *t);

/** Is an element of this number in the table? */
bool mm_table_has(const struct mm_table *t, uint32_t number);

/** Walk from the least to the most recently used: pass NULL to begin; NULL at the end. */
void *mm_table_next(const struct mm_table *t, const void *elem);

#endif
