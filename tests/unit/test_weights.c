/* Weights of evidence: the arithmetic of the scoring model, and the sanity of its table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "score/weights.h"

static const double tiny = 1e-6;

static void assert_near(double a, double b)
{
	assert_true(fabs(a - b) < tiny);
}

/* Never seen among 99: (0 + 0.5) / (99 + 1) = 0.005. Where the bounds leave that alone it is what weighs. */
static void test_never_seen(void **state)
{
	(void)state;
	unsigned n_rows = 0;
	for (int i = 0; i < MM_W_N; i++) {
		enum mm_weight_id id = (enum mm_weight_id)i;
		const struct mm_weight *w = mm_weight(id);
		double db = 10 * log10(w->p_f / 0.005);
		if (w->h_min > 0.005 || w->h_max < 0.005 || db > w->max_db)
			continue;
		n_rows++;
		assert_near(mm_weigh(id, 0, 99), db);
	}
	assert_true(n_rows > 0);
}

/* Among none: 0.5, but not more than the protocol allows. Among a billion: the honest accidents remain. */
static void test_bounds(void **state)
{
	(void)state;
	for (int i = 0; i < MM_W_N; i++) {
		enum mm_weight_id id = (enum mm_weight_id)i;
		const struct mm_weight *w = mm_weight(id);
		double most = 10 * log10(w->p_f / w->h_min), least = 10 * log10(w->p_f / w->h_max);
		assert_near(mm_weigh(id, 0, 1e9), fmin(most, w->max_db));
		if (w->h_max <= 0.5)
			assert_near(mm_weigh(id, 0, 0), fmin(least, w->max_db));
	}
}

/* Seen 50 times among 99: (50 + 0.5) / 100 = 0.505, whatever the bounds say. */
static void test_seen(void **state)
{
	(void)state;
	const enum mm_weight_id id = MM_W_ETYPE_TGT;
	const struct mm_weight *w = mm_weight(id);
	assert_true(w->h_max < 0.505);
	assert_near(mm_weigh(id, 50, 99), 10 * log10(w->p_f / 0.505));
	/* a feature that all here have speaks against forgery: 99.5 / 100 */
	assert_true(mm_weigh(id, 99, 99) < 0);
	assert_near(mm_weigh(id, 99, 99), 10 * log10(w->p_f / 0.995));
	/* rarer is heavier */
	assert_true(mm_weigh(id, 1, 999) > mm_weigh(id, 1, 99));
}

/* SCORING: the weight of an orphan is -10 log10(m), m floored at 1e-5. */
static void test_orphan(void **state)
{
	(void)state;
	assert_near(mm_weigh_p(MM_W_ORPHAN, 1), 0);
	assert_near(mm_weigh_p(MM_W_ORPHAN, 0.1), 10);
	assert_near(mm_weigh_p(MM_W_ORPHAN, 0.001), 30);
	assert_near(mm_weigh_p(MM_W_ORPHAN, 1e-5), 50);
	assert_near(mm_weigh_p(MM_W_ORPHAN, 1e-9), 50);
	assert_near(mm_weigh_p(MM_W_ORPHAN, 0), 50);
}

static void test_cap(void **state)
{
	(void)state;
	unsigned n_capped = 0;
	for (int i = 0; i < MM_W_N; i++) {
		const struct mm_weight *w = mm_weight((enum mm_weight_id)i);
		if (10 * log10(w->p_f / w->h_min) <= w->max_db)
			continue;
		n_capped++;
		assert_near(mm_weigh((enum mm_weight_id)i, 0, 1e9), w->max_db);
		assert_near(mm_weigh((enum mm_weight_id)i, 1, 1e9), w->max_db);
	}
	assert_true(n_capped > 0);
}

/* 1 / (1 + 10^(-score / 10)) */
static void test_probability(void **state)
{
	(void)state;
	assert_near(mm_probability(0), 0.5);
	assert_near(mm_probability(10), 10.0 / 11.0);
	assert_near(mm_probability(-40), 1.0 / 10001.0);
	assert_near(mm_probability(20), 100.0 / 101.0);
	assert_near(mm_probability(-1e4), 0);
	assert_near(mm_probability(1e4), 1);
}

/* DESIGN section 6: low below 0, medium 0 to 10, high 10 to 20, critical above 20. */
static void test_bands(void **state)
{
	(void)state;
	assert_int_equal(mm_band_of(-0.01), MM_BAND_LOW);
	assert_int_equal(mm_band_of(0), MM_BAND_MEDIUM);
	assert_int_equal(mm_band_of(9.99), MM_BAND_MEDIUM);
	assert_int_equal(mm_band_of(10), MM_BAND_HIGH);
	assert_int_equal(mm_band_of(20), MM_BAND_HIGH);
	assert_int_equal(mm_band_of(20.01), MM_BAND_CRITICAL);
	assert_string_equal(mm_band_name(MM_BAND_LOW), "low");
	assert_string_equal(mm_band_name(MM_BAND_CRITICAL), "critical");
}

static void test_table(void **state)
{
	(void)state;
	for (int i = 0; i < MM_W_N; i++) {
		const struct mm_weight *w = mm_weight((enum mm_weight_id)i);
		assert_true(w->id != NULL && w->source != NULL && strlen(w->source) > 20);
		assert_true(w->p_f > 0 && w->p_f <= 1);
		assert_true(w->h_min > 0 && w->h_min <= w->h_max && w->h_max <= 1);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(w->id, mm_weight((enum mm_weight_id)k)->id);
	}
	assert_near(mm_weight(MM_W_PRIOR_FORGED)->max_db, -40); /* SCORING */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_seen),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_probability),
		cmocka_unit_test(test_bands),
		cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
