/* Slices and cursors: the one place where input is touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "guard.h"

static const uint8_t bytes[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09 };

static struct mm_cursor over(size_t n)
{
	return mm_cursor(mm_slice(bytes, n));
}

static void test_integers(void **state)
{
	(void)state;
	struct mm_cursor c = over(9);
	assert_int_equal(mm_be64(&c), 0x0102030405060708);
	assert_int_equal(mm_u8(&c), 9);
	assert_true(mm_end(&c));
	c = over(9);
	assert_int_equal(mm_le64(&c), 0x0807060504030201);
	c = over(7);
	assert_int_equal(mm_be16(&c), 0x0102);
	assert_int_equal(mm_le16(&c), 0x0403);
	assert_int_equal(mm_be24(&c), 0x050607);
	c = over(8);
	assert_int_equal(mm_be32(&c), 0x01020304);
	assert_int_equal(mm_le32(&c), 0x08070605);
	assert_true(mm_end(&c));
}

static void test_overrun_is_sticky(void **state)
{
	(void)state;
	struct mm_cursor c = over(3);
	assert_int_equal(mm_be32(&c), 0); /* not the three bytes there are */
	assert_true(c.err);
	assert_int_equal(c.len, 0);
	assert_int_equal(mm_u8(&c), 0);
	assert_false(mm_end(&c));
	assert_int_equal(mm_take(&c, 0).len, 0);
	assert_true(c.err); /* a read that fits does not clear it */
	assert_int_equal(mm_peek8(&c), -1);
}

static void test_huge_lengths(void **state)
{
	(void)state;
	struct mm_cursor c = over(3);
	struct mm_slice out = { bytes, 1 };
	assert_int_equal(mm_take(&c, SIZE_MAX).len, 0);
	assert_true(c.err);
	/* offset plus length overflows to a small number */
	assert_false(mm_sub(mm_slice(bytes, 9), 4, SIZE_MAX - 2, &out));
	assert_false(mm_sub(mm_slice(bytes, 9), SIZE_MAX, 2, &out));
	assert_false(mm_sub(mm_slice(bytes, 9), 10, 0, &out));
	assert_ptr_equal(out.p, bytes); /* untouched */
	assert_int_equal(out.len, 1);
	assert_true(mm_sub(mm_slice(bytes, 9), 9, 0, &out));
	assert_int_equal(out.len, 0);
	assert_true(mm_sub(mm_slice(bytes, 9), 4, 5, &out));
	assert_int_equal(out.p[0], 5);
	assert_int_equal(out.len, 5);
}

static void test_null_slices(void **state)
{
	(void)state;
	struct mm_slice none = { NULL, 0 }, out = { bytes, 1 };
	struct mm_cursor c = mm_cursor(none);
	assert_true(mm_end(&c));
	assert_int_equal(mm_rest(&c).len, 0);
	assert_true(mm_sub(none, 0, 0, &out));
	assert_int_equal(mm_after(none, 1).len, 0);
	assert_int_equal(mm_first(none, 1).len, 0);
	assert_true(mm_slice_eq(none, mm_slice(bytes, 0)));
	assert_int_equal(mm_find8(none, 0, 1), 0);
	assert_int_equal(mm_at(none, 0), -1);
	assert_int_equal(mm_u8(&c), 0);
	assert_true(c.err);
}

static void test_parts(void **state)
{
	(void)state;
	struct mm_slice s = mm_slice(bytes, 9);
	assert_int_equal(mm_first(s, 4).len, 4);
	assert_int_equal(mm_first(s, 40).len, 9);
	assert_int_equal(mm_after(s, 4).p[0], 5);
	assert_int_equal(mm_after(s, 4).len, 5);
	assert_int_equal(mm_after(s, 9).len, 0);
	assert_int_equal(mm_at(s, 8), 9);
	assert_int_equal(mm_at(s, 9), -1);
	struct mm_cursor c = over(9);
	mm_skip(&c, 2);
	assert_int_equal(mm_left(&c).len, 7);
	assert_int_equal(mm_peek8(&c), 3);
	assert_int_equal(mm_rest(&c).p[0], 3);
	assert_true(mm_end(&c));
}

static void test_search(void **state)
{
	(void)state;
	struct mm_slice s = mm_slice_str("abcabc");
	assert_int_equal(mm_find8(s, 0, 'c'), 2);
	assert_int_equal(mm_find8(s, 3, 'c'), 5);
	assert_int_equal(mm_find8(s, 0, 'x'), 6);
	assert_int_equal(mm_find8(s, 99, 'a'), 6);
	assert_int_equal(mm_find(s, 0, mm_slice_str("bc")), 1);
	assert_int_equal(mm_find(s, 2, mm_slice_str("bc")), 4);
	assert_int_equal(mm_find(s, 5, mm_slice_str("bc")), 6);
	assert_int_equal(mm_find(s, 7, mm_slice_str("")), 6);
	assert_false(mm_slice_eq(s, mm_slice_str("abcabd")));
	assert_false(mm_slice_eq(s, mm_slice_str("abcab")));
}

/* Every getter at every length before an inaccessible page. */
static void getters(void *arg, struct mm_slice input)
{
	(void)arg;
	struct mm_cursor c = mm_cursor(input);
	for (size_t n = 1; n <= 8; n++) {
		c = mm_cursor(input);
		(void)mm_be(&c, n);
		assert_int_equal(c.err, n > input.len);
		c = mm_cursor(input);
		(void)mm_le(&c, n);
		assert_int_equal(c.err, n > input.len);
	}
	assert_int_equal(mm_find8(input, 0, 0xff), input.len);
	assert_int_equal(mm_find(input, 0, mm_slice_str("\xff\xfe")), input.len);
}

static void test_every_prefix(void **state)
{
	(void)state;
	guard_every_prefix(bytes, sizeof bytes, getters, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_overrun_is_sticky),
		cmocka_unit_test(test_huge_lengths),
		cmocka_unit_test(test_null_slices),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_every_prefix),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
