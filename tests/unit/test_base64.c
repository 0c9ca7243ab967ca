/* base64.c: the vectors of RFC 4648 section 10, what peers may leave out, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/base64.h"
#include "guard.h"

static const struct {
	const char *text, *want;
} good[] = {
	{ "", "" },
	{ "Zg==", "f" },
	{ "Zm8=", "fo" },
	{ "Zm9v", "foo" },
	{ "Zm9vYg==", "foob" },
	{ "Zm9vYmE=", "fooba" },
	{ "Zm9vYmFy", "foobar" },
	{ "Zg", "f" }, /* no padding */
	{ "Zm8", "fo" },
	{ "Zg=", "f" },
	{ "Zh==", "f" }, /* left-over bits set */
	{ "Zm9v\r\n\tYmFy", "foobar" },
	{ "+/+/", "\xfb\xff\xbf" },
};

static const char *const bad[] = { "Z", "Zm9vY", "Zg===", "Zg==Zg==", "Zm9v-_==", "Zm9v!", "=",
	"Zm\xff" };

static void test_good(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		uint8_t out[16];
		size_t n = 99;
		struct mm_slice text = mm_slice_str(good[i].text);
		assert_true(mm_base64_decode(text, out, mm_base64_room(text.len), &n));
		assert_int_equal(n, strlen(good[i].want));
		assert_memory_equal(out, good[i].want, n);
	}
}

static void test_bad(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		uint8_t out[16] = { 0 };
		static const uint8_t nothing[16];
		size_t n = 99;
		bool ok = mm_base64_decode(mm_slice_str(bad[i]), out, sizeof out, &n);
		assert_int_equal(ok, strcmp(bad[i], "=") == 0); /* padding of nothing is nothing */
		assert_int_equal(n, ok ? 0 : 99);
		assert_memory_equal(out, nothing, sizeof out);
	}
}

static void test_all_octets(void **unused)
{
	(void)unused;
	/* printf of the octets 0 to 255 through base64(1) of coreutils */
	static const char text[] =
	        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4"
	        "OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5fYGFiY2RlZmdoaWprbG1ub3Bx"
	        "cnN0dXZ3eHl6e3x9fn+AgYKDhIWGh4iJiouMjY6PkJGSk5SVlpeYmZqbnJ2en6ChoqOkpaanqKmq"
	        "q6ytrq+wsbKztLW2t7i5uru8vb6/wMHCw8TFxsfIycrLzM3Oz9DR0tPU1dbX2Nna29zd3t/g4eLj"
	        "5OXm5+jp6uvs7e7v8PHy8/T19vf4+fr7/P3+/w==";
	uint8_t out[256];
	size_t n = 0;
	assert_true(mm_base64_decode(mm_slice_str(text), out, sizeof out, &n));
	assert_int_equal(n, sizeof out);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(out[i], i);
}

enum { LONG = 20 };

/* The octet c in place i of a text of As, which stands for v (-1: for nothing). */
static void expect_octet(bool url, int c, size_t i, int v)
{
	uint8_t text[LONG], out[LONG], want[LONG / 4 * 3] = { 0 };
	size_t n = 0, shift = 18 - 6 * (i % 4);
	memset(text, 'A', sizeof text);
	text[i] = (uint8_t)c;
	struct mm_slice in = mm_slice(text, sizeof text);
	bool ok = url ? mm_base64url_decode(in, out, sizeof out, &n)
	              : mm_base64_decode(in, out, sizeof out, &n);
	assert_int_equal(ok, v >= 0);
	if (!ok)
		return;
	for (size_t b = 0; b < 3; b++)
		want[i / 4 * 3 + b] = (uint8_t)((uint32_t)v << shift >> (16 - 8 * b));
	assert_int_equal(n, sizeof want);
	assert_memory_equal(out, want, sizeof want);
}

/* Each octet at each place of a text that is long enough to be taken in larger pieces. */
static void test_each_octet(void **unused)
{
	static const char letters[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	(void)unused;
	for (int c = 1; c < 256; c++) {
		const char *at = strchr(letters, c);
		int letter = at != NULL ? (int)(at - letters) : -1;
		bool passed_over = strchr(" \t\r\n=", c) != NULL;
		for (size_t i = 0; i < LONG; i++) {
			if (!passed_over)
				expect_octet(false, c, i, c == '+' ? 62 : c == '/' ? 63 : letter);
			expect_octet(true, c, i, c == '-' ? 62 : c == '_' ? 63 : letter);
		}
	}
}

static void test_room(void **unused)
{
	(void)unused;
	struct guard g = guard_new(8);
	static const uint8_t room[8];
	size_t n = 99;
	assert_false(mm_base64_decode(mm_slice_str("Zm9v"), guard_put(&g, room, 2), 2, &n));
	assert_true(mm_base64_decode(mm_slice_str("Zm9v"), guard_put(&g, room, 3), 3, &n));
	assert_int_equal(n, 3);
	for (size_t len = 0; len <= 8; len++) /* what room() promises is enough */
		assert_true(mm_base64_room(len) >= (len * 6 + 7) / 8);
	guard_free(&g);
}

static void decode_any(void *arg, struct mm_slice input)
{
	uint8_t out[64];
	size_t n = 0;
	(void)arg;
	if (mm_base64_decode(input, out, sizeof out, &n))
		assert_true(n <= input.len);
}

static void test_hostile(void **unused)
{
	(void)unused;
	const char *text = "Zm9vYmFyZm9vYmE=";
	guard_every_prefix((const uint8_t *)text, strlen(text), decode_any, NULL);
	guard_every_bitflip((const uint8_t *)text, strlen(text), decode_any, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_all_octets),
		cmocka_unit_test(test_each_octet),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
