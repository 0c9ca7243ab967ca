/* A bounded table with LRU eviction. */
#include "base/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	CHUNK = 256, /* elements per chunk */
	SLOTS_MIN = 64,
	/* A saved table may be fuller than this one may become, but not mostly empty. */
	EMPTY_MOST = 1024,
};

#define FREE       UINT32_MAX
#define SAVED_FREE UINT32_C(0x80000000) /* of a saved link: beside the number */

/* Before each element. Of one that is not in the table prev is FREE, and next chains the free ones. */
struct mm_table_node {
	uint32_t prev, next; /* numbers in LRU order; 0: none */
};

static struct mm_table_node *node_at(const struct mm_table *t, uint32_t number)
{
	size_t i = number - 1;
	return (struct mm_table_node *)(void *)(t->chunks[i / CHUNK] + i % CHUNK * t->node_size);
}

static void *elem_of(struct mm_table_node *node)
{
	return node + 1;
}

void mm_table_init(struct mm_table *t, const struct mm_hash_key *hash_key, size_t key_size,
        size_t elem_size, size_t max)
{
	const size_t align =
	        elem_size % sizeof(uint64_t) == 0 ? sizeof(uint64_t) : sizeof(uint32_t);
	assert(key_size <= MM_BRIEF_MAX);
	*t = (struct mm_table){ .key_size = key_size,
		.elem_size = elem_size,
		.node_size = sizeof(struct mm_table_node) + (elem_size + align - 1) / align * align,
		.max = max < MM_TABLE_MAX ? max : MM_TABLE_MAX };
	mm_brief_key_init(&t->hash_key, hash_key);
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
	return mm_brief_hash(&t->hash_key, key, t->key_size);
}

/* Where the search for this hash begins: its upper bits, scaled to the slots, whose number is no power of two. */
static size_t home_of(const struct mm_table *t, uint32_t hash)
{
	return (size_t)((uint64_t)hash * t->n_slots >> 32);
}

static size_t next_slot(const struct mm_table *t, size_t i)
{
	return i + 1 == t->n_slots ? 0 : i + 1;
}

static uint32_t number_in(const struct mm_table *t, size_t slot)
{
	return t->slots[slot] & ((UINT32_C(1) << t->number_bits) - 1);
}

/* Above the number a slot holds how far it lies behind the element's home, or MOST when that is more than its bits can
 * tell, and above that the lowest bits of the hash: so that most other elements are told apart, and moved, without a look
 * at them. */
static unsigned distance_bits(const struct mm_table *t)
{
	return (32 - t->number_bits + 1) / 2;
}

static uint32_t distance_most(const struct mm_table *t)
{
	return (UINT32_C(1) << distance_bits(t)) - 1;
}

static uint32_t distance_in(const struct mm_table *t, uint32_t slot)
{
	return slot >> t->number_bits & distance_most(t);
}

/* With bits in the place of the hash's own. */
static uint32_t slot_with(const struct mm_table *t, uint32_t number, size_t distance, uint32_t tag)
{
	uint32_t most = distance_most(t);
	uint32_t kept = distance < most ? (uint32_t)distance : most;
	return tag | kept << t->number_bits | number;
}

static uint32_t tag_of(const struct mm_table *t, uint32_t hash)
{
	unsigned shift = t->number_bits + distance_bits(t);
	return shift < 32 ? hash << shift : 0;
}

static uint32_t tag_in(const struct mm_table *t, uint32_t slot)
{
	unsigned shift = t->number_bits + distance_bits(t);
	return shift < 32 ? slot >> shift << shift : 0;
}

/* Where the key is, or the free place where it would go. */
struct place {
	size_t slot, distance;
};

static struct place place_of(const struct mm_table *t, const void *key, uint32_t hash)
{
	uint32_t tag = tag_of(t, hash);
	struct place p = { home_of(t, hash), 0 };
	for (; t->slots[p.slot] != 0; p.slot = next_slot(t, p.slot), p.distance++) {
		uint32_t number = number_in(t, p.slot);
		if (t->slots[p.slot] == slot_with(t, number, p.distance, tag) &&
		        memcmp(elem_of(node_at(t, number)), key, t->key_size) == 0)
			break;
	}
	return p;
}

static size_t slot_of(const struct mm_table *t, const void *key)
{
	return place_of(t, key, hash_of(t, key)).slot;
}

void *mm_table_find(const struct mm_table *t, const void *key)
{
	if (t->n == 0)
		return NULL;
	size_t slot = slot_of(t, key);
	return t->slots[slot] == 0 ? NULL : elem_of(node_at(t, number_in(t, slot)));
}

/* Its neighbour in the order of use knows it. */
uint32_t mm_table_number(const struct mm_table *t, const void *elem)
{
	const struct mm_table_node *node = (const struct mm_table_node *)elem - 1;
	return node->prev != 0 ? node_at(t, node->prev)->next : t->lru_head;
}

void *mm_table_at(const struct mm_table *t, uint32_t number)
{
	return elem_of(node_at(t, number));
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

static void lru_append(struct mm_table *t, uint32_t number)
{
	struct mm_table_node *node = node_at(t, number);
	node->prev = t->lru_tail;
	node->next = 0;
	if (t->lru_tail != 0)
		node_at(t, t->lru_tail)->next = number;
	else
		t->lru_head = number;
	t->lru_tail = number;
}

static void lru_touch(struct mm_table *t, uint32_t number)
{
	if (number == t->lru_tail)
		return;
	lru_unlink(t, node_at(t, number));
	lru_append(t, number);
}

/* How far slot i lies behind slot from, around the end. */
static size_t steps(const struct mm_table *t, size_t from, size_t i)
{
	return i >= from ? i - from : i + t->n_slots - from;
}

/* How far the element in slot i lies behind its home. */
static size_t distance_of(const struct mm_table *t, size_t i)
{
	size_t distance = distance_in(t, t->slots[i]);
	if (distance < distance_most(t))
		return distance;
	return steps(t, home_of(t, hash_of(t, elem_of(node_at(t, number_in(t, i))))), i);
}

/* Linear probing without tombstones: what follows in the run moves up. */
static void slot_clear(struct mm_table *t, size_t hole)
{
	for (size_t i = next_slot(t, hole); t->slots[i] != 0; i = next_slot(t, i)) {
		size_t distance = distance_of(t, i), up = steps(t, hole, i);
		if (distance < up)
			continue;
		t->slots[hole] =
		        slot_with(t, number_in(t, i), distance - up, tag_in(t, t->slots[i]));
		hole = i;
	}
	t->slots[hole] = 0;
}

void mm_table_remove(struct mm_table *t, void *elem)
{
	struct mm_table_node *node = (struct mm_table_node *)elem - 1;
	size_t slot = slot_of(t, elem);
	uint32_t number = number_in(t, slot);
	slot_clear(t, slot);
	lru_unlink(t, node);
	node->prev = FREE;
	node->next = t->free_head;
	t->free_head = number;
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

/* Three quarters full at most. The last step is to just what max elements need. */
static size_t slots_wanted(const struct mm_table *t)
{
	size_t most = t->max + t->max / 3 + 2;
	size_t n_slots = t->n_slots == 0 ? SLOTS_MIN : t->n_slots * 2;
	return n_slots < most ? n_slots : most;
}

static bool grow_slots(struct mm_table *t)
{
	size_t n_slots = slots_wanted(t);
	uint32_t *slots = calloc(n_slots, sizeof *slots);
	if (slots == NULL)
		return false;
	free(t->slots);
	t->slots = slots;
	t->n_slots = n_slots;
	size_t number_max = t->max > t->n_made ? t->max : t->n_made;
	for (t->number_bits = 1; number_max >> t->number_bits != 0;)
		t->number_bits++;
	for (uint32_t number = t->lru_head; number != 0; number = node_at(t, number)->next) {
		uint32_t hash = hash_of(t, elem_of(node_at(t, number)));
		size_t i = home_of(t, hash), distance = 0;
		for (; slots[i] != 0; distance++)
			i = next_slot(t, i);
		slots[i] = slot_with(t, number, distance, tag_of(t, hash));
	}
	return true;
}

static bool grow_chunks(struct mm_table *t)
{
	/* Doubled: what grew step by step among the chunks would leave holes between them. */
	if ((t->n_chunks & (t->n_chunks - 1)) == 0) {
		size_t room = t->n_chunks == 0 ? 1 : t->n_chunks * 2;
		uint8_t **chunks = realloc(t->chunks, room * sizeof *chunks);
		if (chunks == NULL)
			return false;
		t->chunks = chunks;
	}
	t->chunks[t->n_chunks] = malloc(CHUNK * t->node_size);
	if (t->chunks[t->n_chunks] == NULL)
		return false;
	t->n_chunks++;
	return true;
}

/* The number of an element to be filled; 0 when memory is out. */
static uint32_t new_number(struct mm_table *t)
{
	uint32_t number = t->free_head;
	if (number != 0) {
		t->free_head = node_at(t, number)->next;
		return number;
	}
	if (t->n_made == t->n_chunks * CHUNK && !grow_chunks(t))
		return 0;
	return (uint32_t)++t->n_made;
}

/* A new element for a key that is not there. */
static void *put_fresh(struct mm_table *t, const void *key, uint32_t hash, struct place p)
{
	bool moved = t->n_slots == 0;
	if (t->n >= t->max) {
		evict_oldest(t);
		moved = true;
	}
	if ((t->n + 1) * 4 > t->n_slots * 3) {
		if (!grow_slots(t))
			return NULL;
		moved = true;
	}
	uint32_t number = new_number(t);
	if (number == 0)
		return NULL;
	void *elem = elem_of(node_at(t, number));
	memset(elem, 0, t->elem_size);
	memcpy(elem, key, t->key_size);
	if (moved)
		p = place_of(t, key, hash);
	t->slots[p.slot] = slot_with(t, number, p.distance, tag_of(t, hash));
	lru_append(t, number);
	t->n++;
	return elem;
}

void *mm_table_put(struct mm_table *t, const void *key, bool *fresh)
{
	uint32_t hash = hash_of(t, key), number;
	struct place p = { 0, 0 };
	if (fresh != NULL)
		*fresh = false;
	if (t->n_slots != 0) {
		p = place_of(t, key, hash);
		number = number_in(t, p.slot);
		if (number != 0) {
			lru_touch(t, number);
			return elem_of(node_at(t, number));
		}
	}
	void *elem = put_fresh(t, key, hash, p);
	if (fresh != NULL)
		*fresh = elem != NULL;
	return elem;
}

void *mm_table_put_at(struct mm_table *t, uint32_t number, const void *key)
{
	if (!mm_table_has(t, number) || memcmp(elem_of(node_at(t, number)), key, t->key_size) != 0)
		return NULL;
	lru_touch(t, number);
	return elem_of(node_at(t, number));
}

size_t mm_table_bytes(const struct mm_table *t)
{
	return t->n_chunks * (CHUNK * t->node_size + sizeof *t->chunks) +
	       t->n_slots * sizeof *t->slots;
}

void *mm_table_next(const struct mm_table *t, const void *elem)
{
	uint32_t number = t->lru_head;
	if (elem != NULL)
		number = ((const struct mm_table_node *)elem - 1)->next;
	return number == 0 ? NULL : elem_of(node_at(t, number));
}

bool mm_table_has(const struct mm_table *t, uint32_t number)
{
	return number != 0 && number <= t->n_made && node_at(t, number)->prev != FREE;
}

void mm_table_shrink(struct mm_table *t)
{
	while (t->n > t->max)
		evict_oldest(t);
}

void mm_table_save(
        const struct mm_table *t, struct mm_store *out, mm_table_save_fn *save, void *arg)
{
	mm_store_u32(out, (uint32_t)t->n_made);
	mm_store_u32(out, (uint32_t)t->n);
	mm_store_u32(out, t->lru_head);
	mm_store_u32(out, t->free_head);
	mm_store_u64(out, t->n_evicted);
	for (uint32_t number = 1; number <= t->n_made; number++) {
		struct mm_table_node *node = node_at(t, number);
		bool free_one = node->prev == FREE;
		mm_store_u32(out, node->next | (free_one ? SAVED_FREE : 0));
		if (!free_one)
			save(arg, out, elem_of(node));
	}
}

/* Elements and links as they were saved; whether they hang together is seen later. */
static int load_nodes(
        struct mm_table *t, struct mm_cursor *in, size_t n_made, mm_table_load_fn *load, void *arg)
{
	while (t->n_made < n_made && !in->err) {
		uint32_t number = new_number(t);
		if (number == 0)
			return MM_ERR_NOMEM;
		struct mm_table_node *node = node_at(t, number);
		uint32_t link = mm_le32(in);
		node->next = link & ~SAVED_FREE;
		node->prev = link & SAVED_FREE ? FREE : 0;
		memset(elem_of(node), 0, t->elem_size);
		if (node->prev != FREE)
			load(arg, in, elem_of(node));
	}
	return in->err ? MM_ERR_CORRUPT : MM_OK;
}

/* Does the chain that begins here hold n elements, all of them free or none? Each has one successor, so a chain that
 * comes to an end after n has not met one twice. */
static bool is_chain(const struct mm_table *t, uint32_t number, size_t n, bool free_ones)
{
	for (; n != 0; n--) {
		if (number == 0 || number > t->n_made ||
		        (node_at(t, number)->prev == FREE) != free_ones)
			return false;
		number = node_at(t, number)->next;
	}
	return number == 0;
}

static bool relink(struct mm_table *t, uint32_t lru_head)
{
	t->lru_head = lru_head;
	for (uint32_t number = lru_head; number != 0; number = node_at(t, number)->next) {
		node_at(t, number)->prev = t->lru_tail;
		t->lru_tail = number;
		const void *key = elem_of(node_at(t, number));
		uint32_t hash = hash_of(t, key);
		struct place p = place_of(t, key, hash);
		if (t->slots[p.slot] != 0)
			return false; /* twice the same key */
		t->slots[p.slot] = slot_with(t, number, p.distance, tag_of(t, hash));
	}
	return true;
}

int mm_table_load(struct mm_table *t, struct mm_cursor *in, mm_table_load_fn *load, void *arg)
{
	size_t n_made = mm_load_u32(in, MM_TABLE_MAX), n = mm_load_u32(in, MM_TABLE_MAX);
	uint32_t lru_head = mm_le32(in), free_head = mm_le32(in);
	t->n_evicted = mm_le64(in);
	/* Checked before memory is taken: what is claimed must be there. */
	if (n > n_made || n_made > in->len / sizeof(uint32_t) ||
	        n > in->len - n_made * sizeof(uint32_t) ||
	        (n_made > t->max && n_made / 2 > n + EMPTY_MOST))
		mm_fail(in);
	int r = in->err ? MM_ERR_CORRUPT : load_nodes(t, in, n_made, load, arg);
	if (r != MM_OK)
		return r;
	if (!is_chain(t, lru_head, n, false) || !is_chain(t, free_head, n_made - n, true))
		return MM_ERR_CORRUPT;
	size_t max = t->max;
	t->max = max > n_made ? max : n_made;
	while ((n + 1) * 4 > t->n_slots * 3 && n != 0)
		if (!grow_slots(t))
			return MM_ERR_NOMEM;
	t->max = max;
	t->n = n;
	t->free_head = free_head;
	return relink(t, lru_head) ? MM_OK : MM_ERR_CORRUPT;
}
