/* hpack.c: the examples of RFC 7541 appendix C, tables whose beginning was missed, and hostile blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dissect/hpack.h"
#include "guard.h"

static size_t used;
static uint8_t text[MM_WEB_HEADERS_MAX];

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned byte;
	for (; *hex != '\0'; hex += *hex == ' ' ? 1 : 2)
		if (*hex != ' ' && sscanf(hex, "%2x", &byte) == 1)
			out[n++] = (uint8_t)byte;
	return n;
}

/* Read a block; the fields as "name: value\n". */
static const char *say(struct mm_hpack *h, const char *hex)
{
	static char out[8192];
	uint8_t bytes[512];
	struct mm_hpack_block b = { .text = text };
	out[0] = '\0';
	if (!mm_hpack_read(h, mm_slice(bytes, unhex(hex, bytes)), &b))
		return "no block";
	for (size_t i = 0; i < b.n; i++) {
		size_t at = strlen(out);
		snprintf(out + at, sizeof out - at, "%.*s: %.*s\n", (int)b.fields[i].name.len,
		        (const char *)b.fields[i].name.p, (int)b.fields[i].value.len,
		        (const char *)b.fields[i].value.p);
	}
	if (b.n_lost != 0) {
		size_t at = strlen(out);
		snprintf(out + at, sizeof out - at, "lost %u\n", (unsigned)b.n_lost);
	}
	return out;
}

static struct mm_hpack *table(void)
{
	used = 0;
	struct mm_hpack *h = mm_hpack_new(&used, 1 << 20);
	assert_non_null(h);
	return h;
}

static void done(struct mm_hpack *h)
{
	mm_hpack_free(h);
	assert_int_equal(used, 0);
}

/* Appendix C.2. */
static void test_representations(void **unused)
{
	(void)unused;
	static const char *const cases[][2] = {
		{ "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
		        "custom-key: custom-header\n" },
		{ "040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path\n" },
		{ "1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret\n" },
		{ "82", ":method: GET\n" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mm_hpack *h = table();
		assert_string_equal(say(h, cases[i][0]), cases[i][1]);
		done(h);
	}
}

#define FIRST  ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n"
#define SECOND FIRST "cache-control: no-cache\n"
#define THIRD                                                                                      \
	":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\n"          \
	"custom-key: custom-value\n"

/* Appendix C.3 and, with Huffman coding, C.4: three requests on one connection. */
static void test_requests(void **unused)
{
	(void)unused;
	static const char *const plain[] = { "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
		"8286 84be 5808 6e6f 2d63 6163 6865",
		"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65" };
	static const char *const huffman[] = { "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
		"8286 84be 5886 a8eb 1064 9cbf",
		"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf" };
	for (unsigned i = 0; i < 2; i++) {
		const char *const *blocks = i == 0 ? plain : huffman;
		struct mm_hpack *h = table();
		assert_string_equal(say(h, blocks[0]), FIRST);
		assert_string_equal(say(h, blocks[1]), SECOND);
		assert_string_equal(say(h, blocks[2]), THIRD);
		done(h);
	}
}

#define DATE_21  "date: Mon, 21 Oct 2013 20:13:21 GMT\n"
#define LOCATION "location: https://www.example.com\n"

/* Appendix C.5 and C.6: answers, with a table of 256 octets from which entries are evicted. 3f e1 01 says so. */
static void test_eviction(void **unused)
{
	(void)unused;
	static const char *const blocks[] = {
		"3fe1 01 4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 "
		"3230 "
		"3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 "
		"6d70 6c65 2e63 6f6d",
		"4803 3330 37c1 c0bf",
		"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d "
		"54c0 "
		"5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 "
		"5851 "
		"5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
	};
	struct mm_hpack *h = table();
	assert_string_equal(
	        say(h, blocks[0]), ":status: 302\ncache-control: private\n" DATE_21 LOCATION);
	assert_string_equal(
	        say(h, blocks[1]), ":status: 307\ncache-control: private\n" DATE_21 LOCATION);
	assert_string_equal(say(h, blocks[2]),
	        ":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 "
	        "GMT\n" LOCATION "content-encoding: gzip\nset-cookie: "
	                         "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; "
	        "version=1\n");
	done(h);
}

/* The second and third requests of C.3 without the first: what they add themselves is known. */
static void test_joined_midway(void **unused)
{
	(void)unused;
	struct mm_hpack *h = table();
	assert_string_equal(say(h, "8286 84be 5808 6e6f 2d63 6163 6865"),
	        ":method: GET\n:scheme: http\n:path: /\ncache-control: no-cache\nlost 1\n");
	/* be: cache-control, added last; bf: what was before it. */
	assert_string_equal(say(h, "be bf"), "cache-control: no-cache\nlost 1\n");
	/* A name that is not known: with its value (c0 + 0x3f as index 64), added without a name... */
	assert_string_equal(say(h, "7f 05 01 61"), "lost 1\n");
	/* ...so that the entries before it keep their places. */
	assert_string_equal(say(h, "bf be"), "cache-control: no-cache\nlost 1\n");
	assert_string_equal(say(h, "0f 37 01 61 82"), ":method: GET\nlost 1\n");
	done(h);
}

static void test_table_size(void **unused)
{
	(void)unused;
	struct mm_hpack *h = table();
	/* 1 MiB: more than is kept; the table is made as large as it may be. */
	assert_string_equal(say(h, "3f e1 ff 3f 40 01 61 01 62"), "a: b\n");
	assert_string_equal(say(h, "be"), "a: b\n");
	assert_string_equal(say(h, "20"), ""); /* emptied */
	assert_string_equal(say(h, "be"), "lost 1\n");
	done(h);
}

static void test_broken(void **unused)
{
	(void)unused;
	static const char *const blocks[] = {
		"80",                         /* index 0 */
		"40 0a 61",                   /* a string beyond the end */
		"ff ff ff ff ff ff ff ff 01", /* an integer without end */
		"82 3f e1 01",                /* a size update behind a field, section 4.2 */
		"40 01 61 82 ff ff",          /* not Huffman: padding longer than 7 bits */
	};
	for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
		struct mm_hpack *h = table();
		assert_string_equal(say(h, blocks[i]), "no block");
		done(h);
	}
}

/* One entry of 4000 octets, referred to by one octet each: 64 KiB of fields, then no more. */
static void test_bomb(void **unused)
{
	(void)unused;
	static uint8_t bytes[8192];
	struct mm_hpack *h = table();
	struct mm_hpack_block b = { .text = text };
	size_t n = unhex("40 01 61 7f a1 1e", bytes); /* 127 + 0xf21: 4000 */
	memset(bytes + n, 'x', 4000);
	memset(bytes + n + 4000, 0xbe, 100);
	assert_true(mm_hpack_read(h, mm_slice(bytes, n + 4100), &b));
	assert_true(b.cut);
	assert_int_equal(b.n, 16);
	memset(bytes, 0x82, 1000);
	assert_true(mm_hpack_read(h, mm_slice(bytes, 1000), &b));
	assert_true(b.cut);
	assert_int_equal(b.n, MM_WEB_FIELDS_MAX + 1);
	done(h);
}

static void test_no_memory(void **unused)
{
	(void)unused;
	used = 0;
	assert_null(mm_hpack_new(&used, 16));
	assert_int_equal(used, 0);
}

static void test_hostile(void **unused)
{
	(void)unused;
	uint8_t bytes[128], copy[128];
	struct guard guard = guard_new(sizeof bytes);
	size_t n =
	        unhex("3fe1 01 8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf 7e01 61 "
	              "0f37 0162",
	                bytes);
	for (size_t cut = 0; cut <= n; cut++) {
		struct mm_hpack *h = table();
		struct mm_hpack_block b = { .text = text };
		(void)mm_hpack_read(h, mm_slice(guard_put(&guard, bytes, cut), cut), &b);
		done(h);
	}
	for (size_t bit = 0; bit < n * 8; bit++) {
		struct mm_hpack *h = table();
		struct mm_hpack_block b = { .text = text };
		memcpy(copy, bytes, n);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		(void)mm_hpack_read(h, mm_slice(guard_put(&guard, copy, n), n), &b);
		(void)mm_hpack_read(h, mm_slice(guard_put(&guard, bytes, n), n), &b);
		done(h);
	}
	guard_free(&guard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_representations),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_joined_midway),
		cmocka_unit_test(test_table_size),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
