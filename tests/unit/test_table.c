/* The bounded table, against a model too simple to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/table.h"

enum { MODEL_MAX = 600 };

struct item {
	uint64_t key;
	uint64_t value;
};

/* Items from the least to the most recently used. */
struct model {
	struct item items[MODEL_MAX];
	size_t n, max;
};

static const struct mm_hash_key hash_key = { 7, 8 };

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *seed >> 33;
}

static struct item *model_find(struct model *m, uint64_t key)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].key == key)
			return &m->items[i];
	return NULL;
}

static void model_remove(struct model *m, size_t i)
{
	memmove(m->items + i, m->items + i + 1, (m->n - i - 1) * sizeof m->items[0]);
	m->n--;
}

static void model_put(struct model *m, uint64_t key, uint64_t value)
{
	struct item *known = model_find(m, key);
	if (known != NULL)
		model_remove(m, (size_t)(known - m->items));
	else if (m->n == m->max)
		model_remove(m, 0);
	m->items[m->n++] = (struct item){ key, value };
}

static void compare(const struct mm_table *t, const struct model *m)
{
	const struct item *item = NULL;
	assert_int_equal(t->n, m->n);
	for (size_t i = 0; i < m->n; i++) {
		item = mm_table_next(t, item);
		assert_non_null(item);
		assert_true(item->key == m->items[i].key && item->value == m->items[i].value);
		assert_ptr_equal(mm_table_find(t, &m->items[i].key), item);
	}
	assert_null(mm_table_next(t, item));
}

/* Keys from a small range, so that finding, making and evicting all happen; the run of a probe is long at three
 * quarters full, so that removal has something to move up. */
static void random_against_model(size_t max, uint64_t keys, size_t table_max)
{
	static struct model model;
	static uint32_t numbers[2000]; /* that the keys had last */
	struct mm_table t;
	uint64_t seed = max;
	memset(numbers, 0, sizeof numbers);
	model = (struct model){ .max = max };
	mm_table_init(&t, &hash_key, sizeof(uint64_t), sizeof(struct item), table_max);
	for (uint64_t i = 1; i <= 20000; i++) {
		uint64_t key = next_random(&seed) % keys;
		bool known = model_find(&model, key) != NULL, fresh;
		assert_int_equal(mm_table_find(&t, &key) != NULL, known);
		uint64_t choice = next_random(&seed) % 6;
		if (choice < 2)
			continue; /* looked up only: that is no use */
		if (choice == 2 && known) {
			mm_table_remove(&t, mm_table_find(&t, &key));
			model_remove(&model, (size_t)(model_find(&model, key) - model.items));
			continue;
		}
		struct item *item = NULL;
		if (choice == 3) {
			item = mm_table_put_at(&t, numbers[key], &key);
			assert_int_equal(item != NULL, known);
			fresh = false;
		}
		if (item == NULL) {
			item = mm_table_put(&t, &key, &fresh);
			assert_int_equal(fresh, !known);
		}
		assert_non_null(item);
		numbers[key] = mm_table_number(&t, item);
		assert_true(item->key == key);
		if (fresh)
			assert_true(item->value == 0);
		item->value = i;
		model_put(&model, key, i);
		if (i % 97 == 0)
			compare(&t, &model);
	}
	compare(&t, &model);
	mm_table_done(&t);
}

static void test_random(void **state)
{
	(void)state;
	random_against_model(1, 3, 1);
	random_against_model(2, 5, 2);
	random_against_model(47, 100, 47);
	random_against_model(48, 100, 48); /* exactly three quarters of the first 64 slots */
	random_against_model(49, 100, 49);
	random_against_model(MODEL_MAX, 2000, MODEL_MAX); /* more than one chunk */
	/* Numbers so long that a slot has hardly a bit beside them. */
	random_against_model(MODEL_MAX, 600, MM_TABLE_MAX);
	random_against_model(MODEL_MAX, 600, MM_TABLE_MAX / 2);
	random_against_model(MODEL_MAX, 600, (size_t)MM_TABLE_MAX + 1);
}

static void test_empty(void **state)
{
	(void)state;
	struct mm_table t;
	uint64_t key = 1;
	mm_table_init(&t, &hash_key, sizeof key, sizeof(struct item), 4);
	assert_null(mm_table_find(&t, &key));
	assert_null(mm_table_next(&t, NULL));
	mm_table_done(&t);
	mm_table_done(&t); /* nothing left to free */
}

static void note_evicted(void *arg, void *elem)
{
	uint64_t *sum = arg;
	*sum = *sum * 10 + ((const struct item *)elem)->key;
}

static void test_eviction_is_told_and_counted(void **state)
{
	(void)state;
	struct mm_table t;
	uint64_t told = 0;
	mm_table_init(&t, &hash_key, sizeof(uint64_t), sizeof(struct item), 3);
	t.evict = note_evicted;
	t.evict_arg = &told;
	for (uint64_t key = 1; key <= 3; key++)
		assert_non_null(mm_table_put(&t, &key, NULL));
	uint64_t one = 1, four = 4, five = 5;
	assert_non_null(mm_table_find(&t, &four) == NULL ? mm_table_put(&t, &one, NULL)
	                                                 : NULL); /* 1 is used again */
	assert_non_null(mm_table_put(&t, &four, NULL));
	assert_non_null(mm_table_put(&t, &five, NULL));
	assert_int_equal(told, 23); /* 2, then 3 */
	assert_int_equal(t.n_evicted, 2);
	assert_int_equal(t.n, 3);
	mm_table_done(&t);
}

static void test_elements_do_not_move(void **state)
{
	(void)state;
	struct mm_table t;
	uint64_t first = 0;
	mm_table_init(&t, &hash_key, sizeof(uint64_t), sizeof(struct item), 5000);
	struct item *item = mm_table_put(&t, &first, NULL);
	assert_non_null(item);
	item->value = 42;
	for (uint64_t key = 1; key < 5000; key++)
		assert_non_null(mm_table_put(&t, &key, NULL));
	assert_ptr_equal(mm_table_find(&t, &first), item);
	assert_int_equal(item->value, 42);
	mm_table_done(&t);
}

static void test_numbers(void **state)
{
	(void)state;
	struct mm_table t;
	mm_table_init(&t, &hash_key, sizeof(uint64_t), sizeof(struct item), 1000);
	for (uint64_t key = 1; key <= 1000; key++) {
		struct item *item = mm_table_put(&t, &key, NULL);
		assert_non_null(item);
		assert_int_equal(mm_table_number(&t, item), key);
		assert_ptr_equal(mm_table_at(&t, (uint32_t)key), item);
	}
	uint64_t key = 500;
	mm_table_remove(&t, mm_table_find(&t, &key));
	key = 5000;
	assert_int_equal(mm_table_number(&t, mm_table_put(&t, &key, NULL)), 500);
	mm_table_done(&t);
}

/* Elements whose size is no multiple of 8 are not padded to one. */
static void test_density(void **state)
{
	(void)state;
	struct mm_table t;
	enum { N = 100000, SIZE = 76 };
	mm_table_init(&t, &hash_key, sizeof(uint32_t), SIZE, N);
	for (uint32_t key = 0; key < N; key++)
		assert_non_null(mm_table_put(&t, &key, NULL));
	assert_true(mm_table_bytes(&t) >= (size_t)N * SIZE);
	assert_true((double)mm_table_bytes(&t) / N < SIZE + 8 + 4.0 * 4 / 3 + 0.3);
	mm_table_done(&t);
}

/* An element that is used again begins at zero, whatever was there before. */
static void test_reused_element_is_cleared(void **state)
{
	(void)state;
	struct mm_table t;
	bool fresh;
	mm_table_init(&t, &hash_key, sizeof(uint64_t), sizeof(struct item), 1);
	for (uint64_t key = 0; key < 10; key++) {
		struct item *item = mm_table_put(&t, &key, &fresh);
		assert_true(fresh && item != NULL && item->value == 0);
		item->value = UINT64_MAX;
	}
	mm_table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_eviction_is_told_and_counted),
		cmocka_unit_test(test_elements_do_not_move),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_density),
		cmocka_unit_test(test_reused_element_is_cleared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
