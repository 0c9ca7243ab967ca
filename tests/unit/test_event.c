/* Events: strings, attributes, packets, copies, and the pool they come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "event/event.h"

static const struct mm_attr number = { "n", MM_ATTR_INT, "" }, text = { "t", MM_ATTR_STR, "" },
                            list = { "l", MM_ATTR_INTS, "" };
static struct mm_event_pool pool;

static const struct mm_event_room *room(const struct mm_event *ev)
{
	return (const struct mm_event_room *)ev;
}

static int set_up(void **state)
{
	mm_event_pool_init(&pool, 8);
	*state = mm_event_alloc(&pool);
	return *state == NULL;
}

static int tear_down(void **state)
{
	mm_event_free(&pool, *state);
	bool balanced = pool.n_live == 0;
	mm_event_pool_done(&pool);
	return balanced ? 0 : -1;
}

static void assert_text(struct mm_str s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	assert_memory_equal(s.p, expected, s.len);
}

static void test_strings(void **state)
{
	struct mm_event *ev = *state;
	char bytes[] = "alice";
	struct mm_str s = mm_event_str(ev, mm_slice_str(bytes));
	memset(bytes, 'x', sizeof bytes); /* the event holds a copy */
	assert_text(s, "alice");
	assert_int_equal(mm_event_str(ev, mm_slice(NULL, 0)).len, 0);
	s = mm_event_str(ev, mm_slice("a\0b", 3)); /* not a C string */
	assert_int_equal(s.len, 3);
	assert_int_equal(ev->flags, 0);
}

static void test_string_is_cut(void **state)
{
	struct mm_event *ev = *state;
	static const char longer[MM_STR_MAX + 1];
	assert_int_equal(mm_event_str(ev, mm_slice(longer, MM_STR_MAX)).len, MM_STR_MAX);
	assert_int_equal(ev->flags & MM_EVF_TRUNCATED, 0);
	assert_int_equal(mm_event_str(ev, mm_slice(longer, MM_STR_MAX + 1)).len, MM_STR_MAX);
	assert_int_equal(ev->flags & MM_EVF_TRUNCATED, MM_EVF_TRUNCATED);
}

static void test_text_is_full(void **state)
{
	struct mm_event *ev = *state;
	static const char much[MM_STR_MAX];
	size_t stored = 0;
	for (size_t i = 0; i < MM_EVENT_TEXT / MM_STR_MAX + 2; i++)
		stored += mm_event_str(ev, mm_slice(much, sizeof much)).len;
	assert_int_equal(stored, MM_EVENT_TEXT);
	assert_int_equal(ev->flags & MM_EVF_TRUNCATED, MM_EVF_TRUNCATED);
	assert_int_equal(
	        mm_event_join(ev, (struct mm_str){ room(ev)->text, 2 }, '/', mm_slice_str("c")).len,
	        0);
}

static void test_join(void **state)
{
	struct mm_event *ev = *state;
	struct mm_str s = mm_event_str(ev, mm_slice_str("krbtgt"));
	size_t before = room(ev)->n_text;
	s = mm_event_join(ev, s, '/', mm_slice_str("LAB.TEST"));
	assert_text(s, "krbtgt/LAB.TEST");
	assert_int_equal(room(ev)->n_text, before + 9); /* in place: nothing was copied twice */
	(void)mm_event_str(ev, mm_slice_str("between"));
	struct mm_str t = mm_event_join(ev, s, '@', mm_slice_str("X"));
	assert_text(t, "krbtgt/LAB.TEST@X");
	assert_text(s, "krbtgt/LAB.TEST");
	assert_text(mm_event_join(ev, (struct mm_str){ room(ev)->text, 0 }, '/', mm_slice_str("a")),
	        "a");
}

static void test_attributes(void **state)
{
	struct mm_event *ev = *state;
	static const int64_t numbers[] = { 18, 17, -133 };
	assert_null(mm_event_get(ev, &number));
	mm_event_put_int(ev, &number, -5);
	mm_event_put_str(ev, &text, mm_slice_str("x"));
	mm_event_put_ints(ev, &list, numbers, 3);
	assert_int_equal(mm_event_get(ev, &number)->number, -5);
	assert_text(mm_event_get(ev, &text)->str, "x");
	const struct mm_attr_value *v = mm_event_get(ev, &list);
	assert_int_equal(v->n_numbers, 3);
	assert_memory_equal(v->numbers, numbers, sizeof numbers);
	assert_int_equal(ev->flags, 0);
}

static void test_attribute_limits(void **state)
{
	struct mm_event *ev = *state;
	static const int64_t numbers[MM_EVENT_NUMBERS];
	static const struct mm_attr many[MM_EVENT_ATTRS];
	mm_event_put_ints(ev, &list, numbers, MM_EVENT_NUMBERS - 1);
	assert_int_equal(ev->flags, 0);
	mm_event_put_ints(ev, &many[0], numbers, 2);
	assert_int_equal(ev->attrs[1].n_numbers, 1);
	assert_int_equal(ev->flags, MM_EVF_TRUNCATED);
	ev->flags = 0;
	for (size_t i = ev->n_attrs; i < MM_EVENT_ATTRS; i++)
		mm_event_put_int(ev, &many[i], 1);
	assert_int_equal(ev->flags, 0);
	mm_event_put_int(ev, &number, 1);
	assert_int_equal(ev->n_attrs, MM_EVENT_ATTRS);
	assert_int_equal(ev->flags, MM_EVF_TRUNCATED);
}

/* What is said twice counts once, and takes no room. */
static void test_attribute_twice(void **state)
{
	struct mm_event *ev = *state;
	for (int64_t i = 1; i <= 2 * MM_EVENT_ATTRS; i++)
		mm_event_put_int(ev, &number, i);
	assert_int_equal(ev->n_attrs, 1);
	assert_int_equal(ev->attrs[0].number, 1);
	assert_int_equal(ev->flags, 0);
}

static void test_credentials(void **state)
{
	struct mm_event *ev = *state;
	assert_null(mm_event_find_cred(ev, MM_ROLE_ISSUED));
	for (size_t i = 0; i < MM_EVENT_CREDS; i++) {
		struct mm_cred *cred =
		        mm_event_cred(ev, i == 0 ? MM_ROLE_ARMOR : MM_ROLE_PRESENTED);
		assert_non_null(cred);
		assert_int_equal(cred->kvno, -1);
		assert_int_equal(cred->length, 0);
		cred->length = (uint32_t)i;
	}
	assert_int_equal(mm_event_find_cred(ev, MM_ROLE_PRESENTED)->length, 1); /* the first */
	assert_null(mm_event_cred(ev, MM_ROLE_ISSUED));
	assert_int_equal(ev->flags, MM_EVF_TRUNCATED);
}

/* An attacker may put armor and evidence before the ticket that counts. */
static void test_credentials_keep_room(void **state)
{
	struct mm_event *ev = *state;
	for (size_t i = 0; i < MM_EVENT_CREDS; i++)
		(void)mm_event_cred(ev, i % 2 == 0 ? MM_ROLE_ARMOR : MM_ROLE_EVIDENCE);
	assert_int_equal(ev->flags, MM_EVF_TRUNCATED);
	assert_non_null(mm_event_cred(ev, MM_ROLE_PRESENTED));
	assert_non_null(mm_event_cred(ev, MM_ROLE_ISSUED));
}

static void test_packets(void **state)
{
	struct mm_event *ev = *state;
	mm_event_add_pkts(ev, (struct mm_pkt){ 1, 9 }, (struct mm_pkt){ 1, 10 });
	mm_event_add_pkts(ev, (struct mm_pkt){ 1, 3 }, (struct mm_pkt){ 1, 3 });
	mm_event_add_pkts(ev, (struct mm_pkt){ 0, 50 }, (struct mm_pkt){ 1, 9 });
	mm_event_add_pkts(ev, (struct mm_pkt){ 0, 0 }, (struct mm_pkt){ 0, 0 }); /* none */
	static const struct mm_pkt expected[] = { { 0, 50 }, { 1, 3 }, { 1, 9 }, { 1, 10 } };
	assert_int_equal(ev->n_pkts, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(ev->pkts[i].file == expected[i].file &&
		            ev->pkts[i].number == expected[i].number);
	for (uint32_t i = 20; ev->flags == 0; i++)
		mm_event_add_pkts(ev, (struct mm_pkt){ 1, i }, (struct mm_pkt){ 1, i });
	assert_int_equal(ev->n_pkts, MM_EVENT_PKTS);
	assert_int_equal(ev->flags, MM_EVF_TRUNCATED);
}

static void test_pool_limit(void **state)
{
	(void)state;
	struct mm_event *all[8] = { NULL };
	for (size_t i = 0; i < 7; i++) /* one is out already */
		assert_non_null(all[i] = mm_event_alloc(&pool));
	assert_null(mm_event_alloc(&pool));
	assert_int_equal(pool.n_refused, 1);
	mm_event_put_int(all[3], &number, 1);
	all[3]->flags = MM_EVF_LOSSY;
	struct mm_event *reused = all[3];
	mm_event_free(&pool, all[3]);
	all[3] = mm_event_alloc(&pool);
	assert_ptr_equal(all[3], reused);
	assert_int_equal(all[3]->flags | all[3]->n_attrs | room(all[3])->n_text, 0); /* as new */
	assert_int_equal(all[3]->reply_kvno, -1);
	for (size_t i = 0; i < 7; i++)
		mm_event_free(&pool, all[i]);
	mm_event_free(&pool, NULL);
}

static void test_compare(void **state)
{
	(void)state;
	const struct mm_str a = { "LAB.test", 8 }, b = { "lab.TEST", 8 }, c = { "lab.tesu", 8 },
	                    none = { NULL, 0 };
	assert_true(mm_str_ieq(a, b));
	assert_false(mm_str_eq(a, b));
	assert_false(mm_str_ieq(a, c));
	assert_true(mm_str_eq(none, none) && mm_str_ieq(none, (struct mm_str){ "", 0 }));
	assert_false(mm_str_ieq(a, (struct mm_str){ "LAB.tes", 7 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_strings, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_string_is_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_text_is_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_join, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_attributes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_attribute_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_attribute_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_credentials, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_credentials_keep_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_packets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pool_limit, set_up, tear_down),
		cmocka_unit_test(test_compare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
