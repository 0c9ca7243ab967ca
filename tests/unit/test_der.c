/* ASN.1 elements: X.690, and the types of RFC 4120 section 5.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/der.h"
#include "guard.h"

#define CURSOR(...) over((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static struct mm_cursor over(const uint8_t *p, size_t n)
{
	static uint8_t copy[512];
	assert_true(n <= sizeof copy);
	memcpy(copy, p, n);
	return mm_cursor(mm_slice(copy, n));
}

static struct mm_cursor time_of(const char *text)
{
	static uint8_t element[64];
	element[0] = MM_DER_GENERALIZED_TIME;
	element[1] = (uint8_t)strlen(text);
	memcpy(element + 2, text, strlen(text));
	return mm_cursor(mm_slice(element, 2 + strlen(text)));
}

static void test_header_forms(void **state)
{
	(void)state;
	uint8_t tag = 0;
	size_t header = 0, body = 0;
	struct mm_cursor c = CURSOR(0x30, 38);
	/* X.690 section 8.1.3.4: L = 38 is 0010 0110 */
	assert_int_equal(mm_der_header(mm_left(&c), &tag, &header, &body), 1);
	assert_int_equal(tag, 0x30);
	assert_int_equal(header, 2);
	assert_int_equal(body, 38); /* beyond the end: framing needs to know */
	/* X.690 section 8.1.3.5: L = 201 is 1000 0001 1100 1001 */
	c = CURSOR(0x04, 0x81, 0xc9);
	assert_int_equal(mm_der_header(mm_left(&c), &tag, &header, &body), 1);
	assert_int_equal(header, 3);
	assert_int_equal(body, 201);
	/* BER: more octets than needed */
	c = CURSOR(0x04, 0x84, 0, 0, 0, 5);
	assert_int_equal(mm_der_header(mm_left(&c), &tag, &header, &body), 1);
	assert_int_equal(header, 6);
	assert_int_equal(body, 5);
	c = CURSOR(0x04, 0x84, 0xff, 0xff, 0xff, 0xff);
	assert_int_equal(mm_der_header(mm_left(&c), &tag, &header, &body), 1);
	assert_int_equal(body, 0xffffffff);
}

static void test_header_short_or_refused(void **state)
{
	(void)state;
	uint8_t tag = 7;
	size_t header = 7, body = 7;
	struct mm_cursor c = CURSOR(0x30);
	assert_int_equal(mm_der_header(mm_left(&c), &tag, &header, &body), 0);
	c = CURSOR(0x30, 0x82, 1);
	assert_int_equal(mm_der_header(mm_left(&c), &tag, &header, &body), 0);
	c = CURSOR(0x30, 0x80, 0, 0); /* indefinite, 8.1.3.6 */
	assert_int_equal(mm_der_header(mm_left(&c), &tag, &header, &body), -1);
	c = CURSOR(0x30, 0x85, 0, 0, 0, 0, 1);
	assert_int_equal(mm_der_header(mm_left(&c), &tag, &header, &body), -1);
	c = CURSOR(0x1f, 0x81, 0, 1); /* tag number in further octets, 8.1.2.4 */
	assert_int_equal(mm_der_header(mm_left(&c), &tag, &header, &body), -1);
	assert_int_equal(tag, 7); /* all untouched */
	assert_int_equal(header, 7);
	assert_int_equal(body, 7);
}

static void test_next_and_get(void **state)
{
	(void)state;
	uint8_t tag;
	struct mm_slice body;
	struct mm_cursor c = CURSOR(0x02, 1, 5, 0x04, 2, 'h', 'i', 0x30, 0);
	assert_true(mm_der_next(&c, &tag, &body));
	assert_int_equal(tag, MM_DER_INTEGER);
	assert_int_equal(body.len, 1);
	struct mm_cursor wrong = c;
	assert_true(mm_der_get(&wrong, MM_DER_INTEGER).err);
	assert_true(wrong.err);
	assert_true(mm_slice_eq(mm_der_string(&c, MM_DER_OCTET_STRING), mm_slice_str("hi")));
	struct mm_cursor seq = mm_der_get(&c, MM_DER_SEQUENCE);
	assert_true(mm_end(&seq));
	assert_false(mm_der_next(&c, &tag, &body)); /* the end is no error */
	assert_false(c.err);
	assert_true(mm_der_get(&c, MM_DER_SEQUENCE)
	                    .err); /* but something that had to be there is missing */
	assert_true(c.err);
}

static void test_element_cut(void **state)
{
	(void)state;
	uint8_t tag;
	struct mm_slice body;
	struct mm_cursor c = CURSOR(0x04, 3, 'h', 'i');
	assert_false(mm_der_next(&c, &tag, &body));
	assert_true(c.err);
	c = CURSOR(0xa1, 0x82, 0xff, 0xff, 0);
	assert_true(mm_der_get(&c, mm_der_context(1)).err);
	assert_true(c.err);
}

static void test_optional(void **state)
{
	(void)state;
	struct mm_cursor body = { 0 }, c = CURSOR(0xa1, 1, 7, 0xa2, 5, 1);
	assert_false(mm_der_opt(&c, mm_der_context(0), &body));
	assert_false(c.err); /* left alone */
	assert_int_equal(c.len, 6);
	assert_true(mm_der_opt(&c, mm_der_context(1), &body));
	assert_int_equal(mm_u8(&body), 7);
	assert_false(mm_der_opt(&c, mm_der_context(2), &body)); /* it is that one, but broken */
	assert_true(c.err);
	assert_false(mm_der_opt(&c, mm_der_context(2), &body));
}

static void test_tags(void **state)
{
	(void)state;
	assert_int_equal(mm_der_context(0), 0xa0); /* X.690 section 8.1.2.2, 8.1.2.3 */
	assert_int_equal(mm_der_context(11), 0xab);
	assert_int_equal(mm_der_application(14), 0x6e); /* AP-REQ, as it begins on the wire */
	assert_int_equal(mm_der_application(30), 0x7e);
}

static void test_integer(void **state)
{
	(void)state;
	/* two's complement, X.690 section 8.3.3 */
	struct mm_cursor c = CURSOR(0x02, 1, 0, 0x02, 1, 0x7f, 0x02, 2, 0x00, 0x80, 0x02, 1, 0x80,
	        0x02, 2, 0xff, 0x7f, 0x02, 2, 0x01, 0x00, 0x02, 1, 0xff);
	assert_int_equal(mm_der_int(&c), 0);
	assert_int_equal(mm_der_int(&c), 127);
	assert_int_equal(mm_der_int(&c), 128);
	assert_int_equal(mm_der_int(&c), -128);
	assert_int_equal(mm_der_int(&c), -129);
	assert_int_equal(mm_der_int(&c), 256);
	assert_int_equal(mm_der_int(&c), -1);
	assert_true(mm_end(&c));
	/* RFC 4120 UInt32: 4294967295 takes five octets */
	c = CURSOR(0x02, 5, 0, 0xff, 0xff, 0xff, 0xff);
	assert_int_equal(mm_der_int(&c), INT64_C(4294967295));
	c = CURSOR(0x02, 8, 0x80, 0, 0, 0, 0, 0, 0, 0);
	assert_true(mm_der_int(&c) == INT64_MIN);
	assert_false(c.err);
}

static void test_integer_refused(void **state)
{
	(void)state;
	struct mm_cursor c = CURSOR(0x02, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1);
	assert_int_equal(mm_der_int(&c), 0);
	assert_true(c.err);
	c = CURSOR(0x02, 0);
	assert_int_equal(mm_der_int(&c), 0);
	assert_true(c.err);
	c = CURSOR(0x0a, 1, 1);
	assert_int_equal(mm_der_int(&c), 0);
	assert_true(c.err);
}

static void test_flags(void **state)
{
	(void)state;
	/* RFC 4120 section 5.2.8: bit 0 is the most significant of the first octet; forwardable is bit 1 */
	struct mm_cursor c = CURSOR(0x03, 5, 0, 0x40, 0x81, 0, 0x10);
	assert_true(mm_der_flags(&c) == 0x40810010);
	c = CURSOR(0x03, 2, 6, 0x40); /* peers that drop trailing zeros */
	assert_true(mm_der_flags(&c) == 0x40000000);
	c = CURSOR(0x03, 7, 0, 1, 2, 3, 4, 5, 6); /* more than 32: the first */
	assert_true(mm_der_flags(&c) == 0x01020304);
	assert_false(c.err);
	c = CURSOR(0x03, 1, 0);
	assert_true(mm_der_flags(&c) == 0);
	assert_false(c.err);
	c = CURSOR(0x03, 0); /* not even the octet of unused bits */
	assert_true(mm_der_flags(&c) == 0);
	assert_true(c.err);
}

static void test_time(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t s; /* date -u -d ... +%s */
	} times[] = {
		{ "19851106210627Z", 500159187 }, /* the example of RFC 4120 section 5.2.3 */
		{ "19700101000000Z", 0 }, { "19691231235959Z", -1 },
		{ "20000229235959Z", 951868799 },
		{ "21000301000000Z", INT64_C(4107542400) }, /* 2100 is no leap year */
		{ "20380119031408Z", INT64_C(2147483648) },
		{ "99991231235959Z", INT64_C(253402300799) },
		{ "19700101000060Z", 60 }, /* a leap second, as far as GeneralizedTime goes */
	};
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		struct mm_cursor c = time_of(times[i].text);
		assert_true(mm_der_time(&c) == times[i].s);
		assert_true(mm_end(&c));
	}
}

static void test_time_refused(void **state)
{
	(void)state;
	static const char *const texts[] = { "", "1985", "19851306210627Z", "19850006210627Z",
		"19851100210627Z", "19851132210627Z", "19851106240627Z", "19851106216027Z",
		"19851106210661Z", "1985110621062", "198511062106 7Z", "-9851106210627Z" };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct mm_cursor c = time_of(texts[i]);
		assert_true(mm_der_time(&c) == 0);
		assert_true(c.err);
	}
}

static void everything(void *arg, struct mm_slice input)
{
	(void)arg;
	uint8_t tag;
	struct mm_slice body;
	struct mm_cursor c = mm_cursor(input);
	struct mm_cursor seq = mm_der_get(&c, MM_DER_SEQUENCE);
	(void)mm_der_int(&seq);
	(void)mm_der_time(&seq);
	(void)mm_der_flags(&seq);
	while (mm_der_next(&seq, &tag, &body))
		assert_true(body.len <= input.len);
}

static void test_hostile(void **state)
{
	(void)state;
	static const uint8_t sample[] = "\x30\x81\x1f\x02\x01\x05\x18\x0f"
	                                "19851106210627Z"
	                                "\x03\x05\x00\x40\x00\x00\x00\x04\x00";
	guard_every_prefix(sample, sizeof sample - 1, everything, NULL);
	guard_every_bitflip(sample, sizeof sample - 1, everything, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_forms),
		cmocka_unit_test(test_header_short_or_refused),
		cmocka_unit_test(test_next_and_get),
		cmocka_unit_test(test_element_cut),
		cmocka_unit_test(test_optional),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_integer),
		cmocka_unit_test(test_integer_refused),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_time_refused),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
