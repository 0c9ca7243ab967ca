/* Events put in order: by time known, then packet, then sequence; never before their hold time is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>

#include "event/merge.h"

enum { N = 500 };

static struct mm_event_pool pool;
static struct mm_event_merge merge;

/* The sequence number of the next event, or -1. */
static int64_t take(int64_t until_ns)
{
	struct mm_event *ev = mm_event_merge_take(&merge, until_ns);
	if (ev == NULL)
		return -1;
	int64_t seq = (int64_t)ev->seq;
	mm_event_free(&pool, ev);
	return seq;
}

static int set_up(void **state)
{
	(void)state;
	mm_event_pool_init(&pool, N);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	while (take(INT64_MAX) >= 0)
		;
	mm_event_merge_done(&merge);
	int left = (int)pool.n_live;
	mm_event_pool_done(&pool);
	return left;
}

static void put(int64_t key_ns, uint32_t file, uint64_t number, uint64_t seq, bool is_response)
{
	struct mm_event *ev = mm_event_alloc(&pool);
	assert_non_null(ev);
	ev->key_ns = key_ns;
	ev->seq = seq;
	ev->request_pkt = (struct mm_pkt){ file, is_response ? 1 : number };
	if (is_response)
		ev->response_pkt = (struct mm_pkt){ file, number };
	assert_int_equal(mm_event_merge_put(&merge, ev), MM_OK);
}

static void test_order(void **state)
{
	(void)state;
	put(30, 0, 1, 1, false);
	put(10, 1, 1, 2,
	        false); /* same time: the lower file, then the lower packet, then the sequence */
	put(10, 0, 7, 3, true);
	put(10, 0, 5, 4, false);
	put(10, 0, 5, 6, false);
	put(10, 0, 5, 5, false);
	put(20, 0, 1, 7, false);
	static const int64_t expected[] = { 4, 5, 6, 3, 2, 7, 1, -1 };
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		assert_int_equal(take(INT64_MAX), expected[i]);
}

static void test_hold(void **state)
{
	(void)state;
	put(10, 0, 1, 1, false);
	put(20, 0, 2, 2, false);
	assert_int_equal(take(9), -1);
	assert_int_equal(take(10), 1);
	assert_int_equal(take(19), -1);
	put(15, 0, 3, 3, false); /* late, but not too late */
	assert_int_equal(take(20), 3);
	assert_int_equal(take(20), 2);
	assert_int_equal(take(20), -1);
}

static void test_many(void **state)
{
	(void)state;
	uint64_t random = 1;
	for (uint64_t i = 0; i < N; i++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		int64_t key = (int64_t)(random >> 60);
		put(key, 0, 1, (uint64_t)key * 10000 + i, false);
	}
	int64_t last = -1, n = 0;
	for (int64_t seq = take(INT64_MAX); seq >= 0; seq = take(INT64_MAX), n++) {
		assert_true(seq > last);
		last = seq;
	}
	assert_int_equal(n, N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hold, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
