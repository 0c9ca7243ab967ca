/* What is ordinary here: counts of values and the spread of lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ledger/baseline.h"

static const struct mm_hash_key key = { 1, 2 };
static struct mm_baseline b;

static int set_up(void **state)
{
	(void)state;
	mm_baseline_init(&b, &key, 16);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mm_baseline_done(&b);
	return 0;
}

static void test_shares(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		mm_baseline_count(&b, MM_TRAIT_KVNO, 1, 2, 5);
	mm_baseline_count(&b, MM_TRAIT_KVNO, 1, 2, -1);
	struct mm_share s = mm_baseline_share(&b, MM_TRAIT_KVNO, 1, 2, 5);
	assert_true(s.k == 3 && s.n == 4 && s.latest == -1);
	s = mm_baseline_share(&b, MM_TRAIT_KVNO, 1, 2, 6);
	assert_true(s.k == 0 && s.n == 4);
}

/* Trait, issuer and scope each keep their own. */
static void test_scopes(void **state)
{
	(void)state;
	mm_baseline_count(&b, MM_TRAIT_KVNO, 1, 2, 5);
	assert_int_equal(mm_baseline_share(&b, MM_TRAIT_ETYPE, 1, 2, 5).n, 0);
	assert_int_equal(mm_baseline_share(&b, MM_TRAIT_KVNO, 2, 2, 5).n, 0);
	assert_int_equal(mm_baseline_share(&b, MM_TRAIT_KVNO, 1, 1, 5).n, 0);
	assert_int_equal(mm_baseline_share(&b, MM_TRAIT_KVNO, 1, 2, 5).n, 1);
}

static void test_bounded(void **state)
{
	(void)state;
	for (int64_t v = 0; v < 1000; v++)
		mm_baseline_count(&b, MM_TRAIT_STACK, 1, 0, v);
	struct mm_share s = mm_baseline_share(&b, MM_TRAIT_STACK, 1, 0, 999);
	assert_true(s.n == 1000 && s.k == 1);
	assert_int_equal(mm_baseline_share(&b, MM_TRAIT_STACK, 1, 0, 0).k, 1);
	assert_int_equal(mm_baseline_share(&b, MM_TRAIT_STACK, 1, 0, 1).k, 0); /* forgotten */
	assert_int_equal(b.counts.n, 16);
}

static double margins(uint32_t length)
{
	return mm_baseline_length_rank(&b, 1, 2, length).margins;
}

/* 100, 110: half the spread is 5, so that the margin is the least one, 16. */
static void test_length_margin_least(void **state)
{
	(void)state;
	mm_baseline_length(&b, 1, 2, 100);
	mm_baseline_length(&b, 1, 2, 110);
	struct mm_length_rank r = mm_baseline_length_rank(&b, 1, 2, 84);
	assert_true(r.n == 2 && r.min == 100 && r.max == 110 && r.margin == 16);
	assert_true(r.margins >= 1.0 && r.margins <= 1.0); /* 16 below the least */
	assert_true(margins(83) > 1.0);
	assert_true(margins(85) < 1.0);
	assert_true(margins(126) >= 1.0 && margins(126) <= 1.0);
	assert_true(margins(100) <= 0 && margins(110) <= 0);
}

/* 100, 200: the margin is 50. */
static void test_length_margin_spread(void **state)
{
	(void)state;
	mm_baseline_length(&b, 1, 2, 100);
	mm_baseline_length(&b, 1, 2, 200);
	assert_true(margins(50) >= 1.0 && margins(50) <= 1.0);
	assert_true(margins(0) >= 2.0 && margins(0) <= 2.0);
	assert_true(margins(250) >= 1.0 && margins(250) <= 1.0);
	assert_true(margins(150) <= 0);
	assert_true(margins(UINT32_MAX) > 1e7); /* no overflow */
}

/* Of 10, 20, .. 100: those as far out on the same side. */
static void test_length_beyond(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 10; i++)
		mm_baseline_length(&b, 1, 2, i * 10);
	assert_int_equal(mm_baseline_length_rank(&b, 1, 2, 25).n_beyond, 2);
	assert_int_equal(mm_baseline_length_rank(&b, 1, 2, 90).n_beyond, 2);
	assert_int_equal(mm_baseline_length_rank(&b, 1, 2, 101).n_beyond, 0);
	assert_int_equal(mm_baseline_length_rank(&b, 1, 2, 25).n_samples, 10);
}

/* Only the latest samples are kept, but all count. */
static void test_length_ring(void **state)
{
	(void)state;
	mm_baseline_length(&b, 1, 2, 5);
	for (int i = 0; i < MM_LENGTH_SAMPLES; i++)
		mm_baseline_length(&b, 1, 2, 100);
	struct mm_length_rank r = mm_baseline_length_rank(&b, 1, 2, 5);
	assert_true(r.n == MM_LENGTH_SAMPLES + 1 && r.n_samples == MM_LENGTH_SAMPLES);
	assert_true(r.min == 5 && r.n_beyond == 0);
	assert_int_equal(mm_baseline_length_rank(&b, 2, 2, 5).n, 0);
	assert_true(
	        mm_baseline_length_rank(&b, 2, 2, 5).margins <= 0); /* nothing known: nothing odd */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shares, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_scopes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_length_margin_least, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_length_margin_spread, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_length_beyond, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_length_ring, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
