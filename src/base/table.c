/* A bounded table with LRU eviction. */
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

enum {
	CHUNK = 256, /* elements per chunk */
	SLOTS_MIN = 64,
	ALIGN = 16,
};

struct mm_table_node {
	uint32_t prev, next; /* index + 1 in LRU order; next also chains the free list */
	uint32_t hash, index;
};

static struct mm_table_node *node_at(const struct mm_table *t, uint32_t ref)
{
	size_t i = ref - 1;
	return (struct mm_table_node *)(void *)(t->chunks[i / CHUNK] + i % CHUNK * t->node_size);
}

static void *elem_of(struct mm_table_node *node)
{
	return node + 1;
}

void mm_table_init(struct mm_table *t, const struct mm_hash_key *hash_key, size_t key_size,
        size_t elem_size, size_t max)
{
	*t = (struct mm_table){ .hash_key = *hash_key,
		.key_size = key_size,
		.elem_size = elem_size,
		.node_size = (sizeof(struct mm_table_node) + elem_size + ALIGN - 1) / ALIGN * ALIGN,
		.max = max };
}

void mm_table_done(struct mm_table *t)
{
	for (size_t i = 0; i < t->n_chunks; i++)
		free(t->chunks[i]);
	free(t->chunks);
	free(t->slots);
	*t = (struct mm_table){ 0 };
}

static uint32_t hash_of(const struct mm_table *t, const void *key)
{
	return (uint32_t)mm_siphash(&t->hash_key, key, t->key_size);
}

/* The slot that holds the key, or the free one where it would go. */
static size_t slot_of(const struct mm_table *t, const void *key, uint32_t hash)
{
	size_t i = hash & (t->n_slots - 1);
	while (t->slots[i] != 0) {
		struct mm_table_node *node = node_at(t, t->slots[i]);
		if (node->hash == hash && memcmp(elem_of(node), key, t->key_size) == 0)
			break;
		i = (i + 1) & (t->n_slots - 1);
	}
	return i;
}

void *mm_table_find(const struct mm_table *t, const void *key)
{
	if (t->n == 0)
		return NULL;
	size_t slot = slot_of(t, key, hash_of(t, key));
	return t->slots[slot] == 0 ? NULL : elem_of(node_at(t, t->slots[slot]));
}

static void lru_unlink(struct mm_table *t, struct mm_table_node *node)
{
	if (node->prev != 0)
		node_at(t, node->prev)->next = node->next;
	else
		t->lru_head = node->next;
	if (node->next != 0)
		node_at(t, node->next)->prev = node->prev;
	else
		t->lru_tail = node->prev;
}

static void lru_append(struct mm_table *t, struct mm_table_node *node)
{
	uint32_t ref = node->index + 1;
	node->prev = t->lru_tail;
	node->next = 0;
	if (t->lru_tail != 0)
		node_at(t, t->lru_tail)->next = ref;
	else
		t->lru_head = ref;
	t->lru_tail = ref;
}

/* Linear probing without tombstones: what follows in the run moves up. */
static void slot_clear(struct mm_table *t, size_t hole)
{
	size_t mask = t->n_slots - 1;
	for (size_t i = (hole + 1) & mask; t->slots[i] != 0; i = (i + 1) & mask) {
		size_t home = node_at(t, t->slots[i])->hash & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole] = 0;
}

void mm_table_remove(struct mm_table *t, void *elem)
{
	struct mm_table_node *node = (struct mm_table_node *)elem - 1;
	slot_clear(t, slot_of(t, elem, node->hash));
	lru_unlink(t, node);
	node->next = t->free_head;
	t->free_head = node->index + 1;
	t->n--;
}

static void evict_oldest(struct mm_table *t)
{
	void *elem = elem_of(node_at(t, t->lru_head));
	if (t->evict != NULL)
		t->evict(t->evict_arg, elem);
	mm_table_remove(t, elem);
	t->n_evicted++;
}

static bool grow_slots(struct mm_table *t)
{
	size_t n_slots = t->n_slots == 0 ? SLOTS_MIN : t->n_slots * 2;
	uint32_t *slots = calloc(n_slots, sizeof *slots);
	if (slots == NULL)
		return false;
	for (uint32_t ref = t->lru_head; ref != 0; ref = node_at(t, ref)->next) {
		size_t i = node_at(t, ref)->hash & (n_slots - 1);
		while (slots[i] != 0)
			i = (i + 1) & (n_slots - 1);
		slots[i] = ref;
	}
	free(t->slots);
	t->slots = slots;
	t->n_slots = n_slots;
	return true;
}

static bool grow_chunks(struct mm_table *t)
{
	uint8_t **chunks = realloc(t->chunks, (t->n_chunks + 1) * sizeof *chunks);
	if (chunks == NULL)
		return false;
	t->chunks = chunks;
	chunks[t->n_chunks] = malloc(CHUNK * t->node_size);
	if (chunks[t->n_chunks] == NULL)
		return false;
	t->n_chunks++;
	return true;
}

static struct mm_table_node *node_new(struct mm_table *t)
{
	if (t->free_head != 0) {
		struct mm_table_node *node = node_at(t, t->free_head);
		t->free_head = node->next;
		return node;
	}
	if (t->n_made == t->n_chunks * CHUNK && !grow_chunks(t))
		return NULL;
	uint32_t ref = (uint32_t)++t->n_made;
	struct mm_table_node *node = node_at(t, ref);
	node->index = ref - 1;
	return node;
}

void *mm_table_put(struct mm_table *t, const void *key, bool *fresh)
{
	uint32_t hash = hash_of(t, key);
	bool ignored;
	fresh = fresh != NULL ? fresh : &ignored;
	*fresh = false;
	if (t->n_slots != 0) {
		uint32_t ref = t->slots[slot_of(t, key, hash)];
		if (ref != 0) {
			struct mm_table_node *node = node_at(t, ref);
			lru_unlink(t, node);
			lru_append(t, node);
			return elem_of(node);
		}
	}
	if (t->n >= t->max)
		evict_oldest(t);
	if ((t->n + 1) * 4 > t->n_slots * 3 && !grow_slots(t))
		return NULL;
	struct mm_table_node *node = node_new(t);
	if (node == NULL)
		return NULL;
	node->hash = hash;
	memset(elem_of(node), 0, t->elem_size);
	memcpy(elem_of(node), key, t->key_size);
	t->slots[slot_of(t, key, hash)] = node->index + 1;
	lru_append(t, node);
	t->n++;
	*fresh = true;
	return elem_of(node);
}

void *mm_table_next(const struct mm_table *t, const void *elem)
{
	uint32_t ref = t->lru_head;
	if (elem != NULL)
		ref = ((const struct mm_table_node *)elem - 1)->next;
	return ref == 0 ? NULL : elem_of(node_at(t, ref));
}
