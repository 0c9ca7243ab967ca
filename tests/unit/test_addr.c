/* Addresses: text, networks, order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/addr.h"

static const struct mm_addr v4 = { 4, { 192, 0, 2, 77 } };
static const struct mm_addr v6 = { 6,
	{ 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10 } };

static void test_text(void **state)
{
	(void)state;
	char text[MM_ADDR_TEXT];
	assert_string_equal(mm_addr_text(&v4, text), "192.0.2.77");
	assert_string_equal(mm_addr_text(&v6, text), "2001:db8:1:2:304:506:708:90a");
	/* RFC 5952 section 4.2: the longest run of zeros is shortened, the first of equals */
	const struct mm_addr zeros = { 6,
		{ 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1 } };
	assert_string_equal(mm_addr_text(&zeros, text), "2001:db8::1:0:0:1");
	const struct mm_addr none = { 0 };
	assert_string_equal(mm_addr_text(&none, text), "-");
	const struct mm_addr longest = { 6, { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		                                    255, 255, 255, 255, 255 } };
	assert_string_equal(
	        mm_addr_text(&longest, text), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void test_network(void **state)
{
	(void)state;
	char text[MM_ADDR_TEXT];
	struct mm_addr net = mm_addr_network(&v4);
	assert_string_equal(mm_addr_text(&net, text), "192.0.2.0");
	assert_int_equal(net.family, 4);
	net = mm_addr_network(&v6);
	assert_string_equal(mm_addr_text(&net, text), "2001:db8:1:2::");
}

static void test_order(void **state)
{
	(void)state;
	struct mm_addr above = v4;
	above.b[3]++;
	assert_true(mm_addr_eq(&v4, &v4));
	assert_false(mm_addr_eq(&v4, &v6));
	assert_true(mm_addr_cmp(&v4, &above) < 0);
	assert_true(mm_addr_cmp(&above, &v4) > 0);
	assert_true(mm_addr_cmp(&v4, &v6) < 0);
	above.b[3] = v4.b[3];
	above.family = 6; /* the same bytes in another family are another address */
	assert_false(mm_addr_eq(&v4, &above));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_network),
		cmocka_unit_test(test_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
