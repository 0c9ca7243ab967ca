/* The key log: each label, what is no line of it, limits, and from when on a secret holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "guard.h"
#include "keys/keylog.h"

#define RANDOM "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SECRET "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"

static const struct mm_hash_key key = { 1, 2 };
static const struct mm_pkt packet = { 0, 1 };

static struct mm_keylog *new_log(size_t room, bool roll)
{
	struct mm_keylog *k;
	assert_int_equal(mm_keylog_new(&key, room, roll, &k), MM_OK);
	return k;
}

static void feed(struct mm_keylog *k, const char *text)
{
	mm_keylog_feed(k, mm_slice_str(text));
}

static struct mm_slice random_of(uint8_t last)
{
	static uint8_t b[MM_TLS_RANDOM];
	for (size_t i = 0; i < sizeof b; i++)
		b[i] = (uint8_t)i;
	b[sizeof b - 1] = last;
	return mm_slice(b, sizeof b);
}

static struct mm_keylog_stats stats_of(const struct mm_keylog *k)
{
	struct mm_keylog_stats s;
	mm_keylog_stats_of(k, &s);
	return s;
}

static void test_labels(void **state)
{
	static const char *const labels[MM_KEY_LABELS] = { "CLIENT_RANDOM",
		"CLIENT_EARLY_TRAFFIC_SECRET", "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
		"SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0",
		"SERVER_TRAFFIC_SECRET_0" };
	char line[256];
	(void)state;
	for (unsigned i = 0; i < MM_KEY_LABELS; i++) {
		struct mm_keylog *k = new_log(8, false);
		struct mm_secret s = { .len = 0 };
		assert_false(mm_keylog_is_used(k));
		snprintf(line, sizeof line, "# comment\n\n%s " RANDOM " " SECRET "\r\n", labels[i]);
		feed(k, line);
		assert_true(mm_keylog_is_used(k));
		assert_int_equal(stats_of(k).n_keys, 1);
		assert_int_equal(stats_of(k).n_bad, 0);
		for (unsigned j = 0; j < MM_KEY_LABELS; j++)
			assert_int_equal(mm_keylog_find(k, (enum mm_key_label)j, random_of(0x1f),
			                         &packet, 0, &s),
			        i == j);
		assert_int_equal(s.len, 32);
		assert_int_equal(s.b[0], 0xa0);
		assert_int_equal(s.b[31], 0xbf);
		assert_false(
		        mm_keylog_find(k, (enum mm_key_label)i, random_of(0x1e), &packet, 0, &s));
		assert_false(mm_keylog_find(
		        k, (enum mm_key_label)i, mm_first(random_of(0x1f), 31), &packet, 0, &s));
		mm_keylog_free(k);
	}
}

static void test_ignored(void **state)
{
	(void)state;
	struct mm_keylog *k = new_log(8, false);
	feed(k, "EXPORTER_SECRET " RANDOM " " SECRET "\n"
	        "EARLY_EXPORTER_SECRET " RANDOM " " SECRET "\n"
	        "CLIENT_TRAFFIC_SECRET_1 " RANDOM " " SECRET "\n"
	        "RSA 0011223344556677 " SECRET "\n");
	assert_int_equal(stats_of(k).n_ignored, 4);
	assert_int_equal(stats_of(k).n_bad, 0);
	assert_int_equal(stats_of(k).n_keys, 0);
	mm_keylog_free(k);
}

static void test_bad_lines(void **state)
{
	static const char *const lines[] = { "CLIENT_RANDOM", "CLIENT_RANDOM " RANDOM,
		"CLIENT_RANDOM " RANDOM "00 " SECRET, "CLIENT_RANDOM 00 " SECRET,
		"CLIENT_RANDOM " RANDOM " " SECRET "0", "CLIENT_RANDOM " RANDOM " " SECRET "zz",
		"CLIENT_RANDOM " RANDOM " " SECRET " more", "client_random " RANDOM " " SECRET,
		"CLIENT_RANDOM " RANDOM " " SECRET SECRET SECRET, "\x01\xff", "{}" };
	char line[512];
	(void)state;
	struct mm_keylog *k = new_log(8, false);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		snprintf(line, sizeof line, "%s\n", lines[i]);
		feed(k, line);
		assert_int_equal(stats_of(k).n_bad, i + 1);
	}
	/* A line without end costs no memory, and what follows it is read. */
	for (int i = 0; i < 100; i++)
		feed(k, "CLIENT_RANDOM CLIENT_RANDOM CLIENT_RANDOM ");
	feed(k, "\nCLIENT_RANDOM " RANDOM " " SECRET "\n");
	assert_int_equal(stats_of(k).n_keys, 1);
	mm_keylog_free(k);
}

/* The file grows by pieces that end anywhere. */
static void test_pieces(void **state)
{
	static const char text[] = "CLIENT_RANDOM " RANDOM " " SECRET "\n"
	                           "CLIENT_TRAFFIC_SECRET_0 " RANDOM " " SECRET "\n";
	(void)state;
	for (size_t n = 1; n < sizeof text; n++) {
		struct mm_keylog *k = new_log(8, false);
		for (size_t at = 0; at < sizeof text - 1; at += n)
			mm_keylog_feed(k, mm_first(mm_after(mm_slice_str(text), at), n));
		assert_int_equal(stats_of(k).n_keys, 2);
		assert_int_equal(stats_of(k).n_bad, 0);
		mm_keylog_free(k);
	}
}

static void add_many(struct mm_keylog *k, unsigned n)
{
	char line[256];
	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof line, "CLIENT_RANDOM %.62s%02x %s\n", RANDOM, i, SECRET);
		feed(k, line);
	}
}

static bool has(const struct mm_keylog *k, uint8_t last)
{
	struct mm_secret s;
	return mm_keylog_find(k, MM_KEY_MASTER, random_of(last), &packet, 0, &s);
}

static void test_limits(void **state)
{
	(void)state;
	struct mm_keylog *k = new_log(16, false);
	add_many(k, 20);
	add_many(k, 4); /* known already: nothing new */
	assert_int_equal(stats_of(k).n_keys, 16);
	assert_int_equal(stats_of(k).n_limit, 4);
	assert_true(has(k, 0));
	assert_false(has(k, 16));
	mm_keylog_free(k);

	k = new_log(16, true);
	add_many(k, 40);
	assert_int_equal(stats_of(k).n_keys, 16);
	assert_int_equal(stats_of(k).n_limit, 24);
	for (uint8_t i = 0; i < 40; i++)
		assert_int_equal(has(k, i), i >= 24);
	mm_keylog_free(k);
	assert_int_equal(mm_keylog_new(&key, 0, false, &k), MM_ERR_USAGE);
	mm_keylog_free(NULL);
}

static void test_since(void **state)
{
	struct mm_secret s;
	(void)state;
	struct mm_keylog *k = new_log(16, false);
	const struct mm_key_since since = { .file = 3, .number = 10, .time_ns = 500 };
	mm_keylog_read(k, mm_slice_str("CLIENT_RANDOM " RANDOM " " SECRET), &since);
	const struct {
		struct mm_pkt pkt;
		int64_t time_ns;
		bool holds;
	} rows[] = {
		{ { 3, 10 }, 600, false },
		{ { 3, 11 }, 600, true },
		{ { 3, 11 }, 400, true }, /* times may step back within a capture */
		{ { 2, 999 }, 500, false },
		{ { 2, 1 }, 501, true },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(mm_keylog_find(k, MM_KEY_MASTER, random_of(0x1f), &rows[i].pkt,
		                         rows[i].time_ns, &s),
		        rows[i].holds);
	feed(k, "CLIENT_RANDOM " RANDOM " " SECRET "\n"); /* the operator knows it, too */
	assert_true(mm_keylog_find(k, MM_KEY_MASTER, random_of(0x1f), &rows[0].pkt, 0, &s));
	mm_keylog_free(k);
}

static void feed_once(void *arg, struct mm_slice text)
{
	(void)arg;
	static const struct mm_key_since always = { .always = true };
	struct mm_keylog *k = new_log(4, true);
	mm_keylog_feed(k, text);
	mm_keylog_read(k, text, &always);
	assert_true(stats_of(k).n_keys <= 4);
	mm_keylog_free(k);
}

static void test_hostile(void **state)
{
	static const char text[] =
	        "# x\nCLIENT_RANDOM " RANDOM " " SECRET "\nEXPORTER_SECRET " RANDOM " " SECRET "\n";
	(void)state;
	guard_every_prefix((const uint8_t *)text, sizeof text - 1, feed_once, NULL);
	guard_every_bitflip((const uint8_t *)text, sizeof text - 1, feed_once, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
