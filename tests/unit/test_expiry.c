/* What ends first, against a search through all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ledger/expiry.h"

enum { N = 20000 };

static int64_t ends[N + 1];

static int64_t end_of(const void *arg, uint32_t number)
{
	(void)arg;
	return number <= N ? ends[number] : MM_EXPIRY_NEVER;
}

static uint32_t search(int64_t now_ns)
{
	uint32_t first = 0;
	for (uint32_t i = 1; i <= N; i++)
		if (ends[i] < now_ns && (first == 0 || ends[i] < ends[first]))
			first = i;
	return first;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *seed >> 33;
}

static void test_against_search(void **state)
{
	(void)state;
	struct mm_expiry e = { .end = end_of };
	uint64_t seed = 1;
	for (uint32_t i = 0; i <= N; i++)
		ends[i] = MM_EXPIRY_NEVER;
	assert_int_equal(mm_expiry_first(&e, INT64_MAX), 0);
	for (int64_t now = 0; now < 3000; now++) {
		uint32_t i = (uint32_t)(next_random(&seed) % N) + 1;
		ends[i] = now + (int64_t)(next_random(&seed) % 1000);
		mm_expiry_note(&e, i, ends[i]);
		i = (uint32_t)(next_random(&seed) % N) + 1;
		if (ends[i] != MM_EXPIRY_NEVER)
			ends[i] += 100; /* lives longer, untold */
		uint32_t first = search(now);
		assert_int_equal(mm_expiry_first(&e, now), first);
		if (first != 0 && next_random(&seed) % 3 != 0)
			ends[first] = MM_EXPIRY_NEVER; /* gone */
	}
	mm_expiry_done(&e);
}

static void test_bounds(void **state)
{
	(void)state;
	struct mm_expiry e = { .end = end_of };
	for (uint32_t i = 0; i <= N; i++)
		ends[i] = MM_EXPIRY_NEVER;
	ends[N] = 10;
	mm_expiry_note(&e, N, 10);
	assert_int_equal(mm_expiry_first(&e, 10), 0); /* that is its last moment */
	assert_int_equal(mm_expiry_first(&e, 11), N);
	ends[1] = 10;
	mm_expiry_note(&e, 1, 10);
	assert_int_equal(mm_expiry_first(&e, 11), 1); /* of equals the lowest */
	mm_expiry_done(&e);
	assert_int_equal(mm_expiry_first(&e, INT64_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_search),
		cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
