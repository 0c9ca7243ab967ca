/* Captures made byte by byte, in all their variants, whole, cut short and damaged. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "capture/block.h"
#include "capture/capture.h"
#include "guard.h"

/* ---- files in memory ---- */

struct bytes {
	uint8_t *p;
	size_t n, room;
	bool big; /* byte order of what is put */
};

static void put(struct bytes *b, const void *p, size_t n)
{
	if (b->n + n > b->room) {
		b->room = 2 * (b->n + n);
		b->p = realloc(b->p, b->room);
		assert_non_null(b->p);
	}
	if (n != 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void put_int(struct bytes *b, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)(v >> 8 * (b->big ? n - 1 - i : i));
		put(b, &byte, 1);
	}
}

static void put16(struct bytes *b, uint64_t v)
{
	put_int(b, v, 2);
}

static void put32(struct bytes *b, uint64_t v)
{
	put_int(b, v, 4);
}

static void put_pcap(struct bytes *b, uint32_t magic, uint32_t linktype)
{
	put32(b, magic);
	put16(b, 2);
	put16(b, 4);
	put32(b, 0);
	put32(b, 0);
	put32(b, 65535);
	put32(b, linktype);
}

static void put_record(
        struct bytes *b, uint32_t s, uint32_t frac, const char *data, uint32_t original)
{
	put32(b, s);
	put32(b, frac);
	put32(b, strlen(data));
	put32(b, original);
	put(b, data, strlen(data));
}

/** Begin a pcapng block; its length is put by block_end(). */
static size_t block_begin(struct bytes *b, uint32_t type)
{
	size_t at = b->n;
	put32(b, type);
	put32(b, 0);
	return at;
}

static void block_end(struct bytes *b, size_t at)
{
	while (b->n % 4 != 0)
		put(b, "", 1);
	size_t len = b->n - at + 4;
	put32(b, len);
	memcpy(b->p + at + 4, b->p + b->n - 4, 4);
}

static void put_section(struct bytes *b)
{
	size_t at = block_begin(b, 0x0a0d0d0a);
	put32(b, 0x1a2b3c4d);
	put16(b, 1);
	put16(b, 0);
	put_int(b, UINT64_MAX, 8);
	block_end(b, at);
}

/** resolution -1: no option; offset 0: no option. */
static void put_interface(
        struct bytes *b, uint16_t linktype, uint32_t snaplen, int resolution, int64_t offset)
{
	size_t at = block_begin(b, 1);
	put16(b, linktype);
	put16(b, 0);
	put32(b, snaplen);
	put16(b, 2); /* if_name: an option to be skipped */
	put16(b, 3);
	put(b, "en0", 4);
	if (resolution >= 0) {
		uint8_t r[4] = { (uint8_t)resolution };
		put16(b, 9);
		put16(b, 1);
		put(b, r, 4);
	}
	if (offset != 0) {
		put16(b, 14);
		put16(b, 8);
		put_int(b, (uint64_t)offset, 8);
	}
	put32(b, 0);
	block_end(b, at);
}

static void put_enhanced(
        struct bytes *b, uint32_t interface, uint64_t time, const char *data, uint32_t original)
{
	size_t at = block_begin(b, 6);
	put32(b, interface);
	put32(b, time >> 32);
	put32(b, time & UINT32_MAX);
	put32(b, strlen(data));
	put32(b, original);
	put(b, data, strlen(data));
	block_end(b, at);
}

static void put_block(struct bytes *b, uint32_t type, const void *p, size_t n)
{
	size_t at = block_begin(b, type);
	put(b, p, n);
	block_end(b, at);
}

static void drop(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){ 0 };
}

static char why[256];
static struct mm_spares spares;

static int open_filtered(
        struct mm_slice s, uint32_t file, const char *filter, struct mm_source **out)
{
	char path[64];
	int fd = memfd_create("capture", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, s.p == NULL ? (const void *)"" : s.p, s.len), (ssize_t)s.len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	why[0] = '\0';
	int r = mm_source_open_file(path, file, filter, NULL, &spares, out, why, sizeof why);
	close(fd);
	return r;
}

static int open_slice(struct mm_slice s, struct mm_source **out)
{
	return open_filtered(s, 7, NULL, out);
}

static struct mm_source *open_ok(const struct bytes *b)
{
	struct mm_source *s = NULL;
	assert_int_equal(open_slice(mm_slice(b->p, b->n), &s), MM_OK);
	return s;
}

static void expect(struct mm_source *s, uint64_t number, int64_t time_ns, uint32_t linktype,
        const char *data, uint32_t wire_len)
{
	struct mm_packet p;
	assert_int_equal(s->ops->next(s, &p), 1);
	assert_int_equal(p.id.file, 7);
	assert_int_equal(p.id.number, number);
	assert_int_equal(p.time_ns, time_ns);
	assert_int_equal(p.linktype, linktype);
	assert_int_equal(p.wire_len, wire_len);
	assert_true(mm_slice_eq(p.data, mm_slice_str(data)));
}

/** That next() gives r from here on, for the given reason, and close. */
static void expect_last(struct mm_source *s, int r, const char *reason)
{
	struct mm_packet p;
	assert_int_equal(s->ops->next(s, &p), r);
	assert_string_equal(s->why, reason);
	assert_int_equal(s->ops->next(s, &p), r);
	mm_source_close(s);
}

/** Read all: how many packets, and the last answer of next(). */
static size_t drain(struct mm_source *s, int *last)
{
	struct mm_packet p;
	volatile uint8_t sum = 0; /* so that every byte is touched under the sanitizer */
	size_t n = 0;
	while ((*last = s->ops->next(s, &p)) == 1) {
		for (size_t i = 0; i < p.data.len; i++)
			sum = (uint8_t)(sum + p.data.p[i]);
		assert_true(p.wire_len >= p.data.len);
		n++;
	}
	return n;
}

static void expect_no_open(const void *p, size_t n, int r, const char *reason)
{
	struct mm_source *s = NULL;
	assert_int_equal(open_slice(mm_slice(p, n), &s), r);
	assert_null(s);
	assert_string_equal(why, reason);
}

/* ---- pcap ---- */

static const int64_t second = 1000000000;

static void test_pcap_literal(void **state)
{
	(void)state;
	/* draft-ietf-opsawg-pcap figures 1 and 2, little-endian, one packet of 3 bytes at
	 * 1700000000.000042 */
	static const uint8_t file[] = { 0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 4, 0, 1, 0, 0, 0, 0x00, 0xf1, 0x53, 0x65, 42, 0, 0, 0, 3, 0, 0, 0, 60, 0, 0,
		0, 'a', 'b', 'c' };
	struct mm_source *s = NULL;
	assert_int_equal(open_slice(mm_slice(file, sizeof file), &s), MM_OK);
	assert_int_equal(s->size, sizeof file);
	assert_string_equal(s->ops->name, "pcap");
	expect(s, 1, 1700000000 * second + 42000, MM_LINK_ETHERNET, "abc", 60);
	assert_int_equal(s->n_packets, 1);
	assert_int_equal(s->offset, sizeof file);
	expect_last(s, 0, "");
}

static void test_pcap_variants(void **state)
{
	(void)state;
	static const struct {
		uint32_t magic;
		int64_t unit;
		bool modified;
	} kinds[] = { { 0xa1b2c3d4, 1000, false }, { 0xa1b23c4d, 1, false },
		{ 0xa1b2cd34, 1000, true } };
	for (size_t i = 0; i < 6; i++) {
		struct bytes b = { .big = i % 2 == 1 };
		/* FCS of 4 bytes present: bits that are no part of the link type */
		put_pcap(&b, kinds[i / 2].magic, 0x24000000 | MM_LINK_LINUX_SLL2);
		for (size_t j = 0; j < 2; j++) {
			put32(&b, 4000000000); /* beyond 2038 */
			put32(&b, 999999);
			put32(&b, 5);
			put32(&b, j == 0 ? 1500 : 4); /* smaller than captured: tolerated */
			if (kinds[i / 2].modified)
				put(&b, "\0\0\0\2\0\0\0\0", 8);
			put(&b, "hello", 5);
		}
		struct mm_source *s = open_ok(&b);
		int64_t time = 4000000000 * second + 999999 * kinds[i / 2].unit;
		expect(s, 1, time, MM_LINK_LINUX_SLL2, "hello", 1500);
		expect(s, 2, time, MM_LINK_LINUX_SLL2, "hello", 5);
		expect_last(s, 0, "");
		drop(&b);
	}
}

static void test_pcap_limits(void **state)
{
	(void)state;
	char *large = malloc(MM_CAPTURE_SNAPLEN + 2);
	assert_non_null(large);
	memset(large, 'x', MM_CAPTURE_SNAPLEN + 1);
	large[MM_CAPTURE_SNAPLEN + 1] = '\0';
	struct bytes b = { 0 };
	put_pcap(&b, 0xa1b2c3d4, 1);
	put_record(&b, 1, 0, large + 1, MM_CAPTURE_SNAPLEN);
	put_record(&b, 2, 0, large, MM_CAPTURE_SNAPLEN + 1);
	struct mm_source *s = open_ok(&b);
	expect(s, 1, second, MM_LINK_ETHERNET, large + 1, MM_CAPTURE_SNAPLEN);
	expect_last(s, MM_ERR_CORRUPT,
	        "packet 2, at byte 262184, claims 262145 bytes, more than 262144");
	drop(&b);
	free(large);
}

static void test_pcap_truncated(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	size_t ends[4];
	put_pcap(&b, 0xa1b2c3d4, 1);
	ends[0] = b.n;
	for (size_t i = 1; i < 4; i++) {
		put_record(&b, (uint32_t)i, 0, "some packet", 60);
		ends[i] = b.n;
	}
	for (size_t n = 4; n <= b.n; n++) {
		struct mm_source *s = NULL;
		int r = open_slice(mm_slice(b.p, n), &s);
		if (n < ends[0]) {
			assert_int_equal(r, MM_ERR_FORMAT);
			assert_string_equal(why, "no capture file (ends in its header)");
			continue;
		}
		assert_int_equal(r, MM_OK);
		size_t whole = n < ends[1] ? 0 : n < ends[2] ? 1 : n < ends[3] ? 2 : 3;
		assert_int_equal(drain(s, &r), whole);
		assert_int_equal(r, n == ends[whole] ? 0 : MM_ERR_TRUNCATED);
		if (n == ends[1] + 5)
			assert_string_equal(s->why, "truncated in packet 2, at byte 51");
		mm_source_close(s);
	}
	drop(&b);
}

static void test_no_capture(void **state)
{
	(void)state;
	struct mm_source *s = NULL;
	expect_no_open("", 0, MM_ERR_FORMAT, "empty file");
	expect_no_open(
	        "PK\3\4 and so on", 14, MM_ERR_FORMAT, "no capture file (begins with 50 4b 03 04)");
	expect_no_open("\xd4\xc3", 2, MM_ERR_FORMAT, "no capture file (begins with d4 c3)");
	struct bytes b = { 0 };
	put_pcap(&b, 0xa1b2c3d4, 1);
	b.p[4] = 3;
	expect_no_open(b.p, b.n, MM_ERR_FORMAT, "pcap version 3.4 is not known");
	drop(&b);
	assert_int_equal(
	        mm_source_open_file("/nonexistent", 0, NULL, NULL, &spares, &s, why, sizeof why),
	        MM_ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(why, "No such file or directory");
	assert_int_equal(
	        mm_source_open_file("/", 0, NULL, NULL, &spares, &s, why, sizeof why), MM_ERR_IO);
	assert_int_equal(errno, EISDIR);
	assert_null(s);
	mm_source_close(NULL);
}

/* ---- pcapng ---- */

struct secrets {
	size_t n;
	uint32_t type;
	char text[32];
};

static void on_secrets(void *arg, uint32_t type, struct mm_slice secrets)
{
	struct secrets *got = arg;
	got->n++;
	got->type = type;
	assert_true(secrets.len < sizeof got->text);
	memcpy(got->text, secrets.p, secrets.len);
	got->text[secrets.len] = '\0';
}

/** One section with all kinds of blocks; ends[] takes where each block ends, is_packet[] what it
 * is. */
static size_t put_everything(struct bytes *b, size_t ends[], bool is_packet[])
{
	size_t n = 0, at;
#define ENDS(packet) (ends[n] = b->n, is_packet[n++] = (packet))
	put_section(b);
	ENDS(false);
	put_interface(b, MM_LINK_ETHERNET, 4, -1, 0);
	ENDS(false);
	at = block_begin(b, 10);
	put32(b, 0x544c534b);
	put32(b, 6);
	put(b, "SECRET", 6);
	block_end(b, at);
	ENDS(false);
	put_enhanced(b, 0, 1700000000000042, "abcde", 60);
	ENDS(true);
	put_interface(b, MM_LINK_RAW, 0, 9, 0);
	ENDS(false);
	put_enhanced(b, 1, 1700000001000000007, "raw", 3);
	ENDS(true);
	put_block(b, 0x777, "unknown", 7);
	ENDS(false);
	at = block_begin(b, 3); /* simple: 4 of 9 bytes by the snaplen of the first interface */
	put32(b, 9);
	put(b, "simp", 4);
	block_end(b, at);
	ENDS(true);
	at = block_begin(b, 2); /* obsolete, with a drop count */
	put16(b, 1);
	put16(b, 0xffff);
	put32(b, 0);
	put32(b, 5);
	put32(b, 3);
	put32(b, 2); /* smaller than captured: tolerated */
	put(b, "old", 3);
	block_end(b, at);
	ENDS(true);
#undef ENDS
	return n;
}

static void expect_everything(struct mm_source *s, uint64_t first)
{
	expect(s, first, 1700000000 * second + 42000, MM_LINK_ETHERNET, "abcde", 60);
	expect(s, first + 1, 1700000001 * second + 7, MM_LINK_RAW, "raw", 3);
	expect(s, first + 2, 1700000001 * second + 7, MM_LINK_ETHERNET, "simp", 9);
	expect(s, first + 3, 5, MM_LINK_RAW, "old", 3);
}

static void test_pcapng_everything(void **state)
{
	(void)state;
	size_t ends[16];
	bool is_packet[16];
	for (int big = 0; big < 2; big++) {
		struct bytes b = { .big = big == 1 };
		(void)put_everything(&b, ends, is_packet);
		b.big = !b.big; /* a second section, in the other byte order */
		(void)put_everything(&b, ends, is_packet);
		struct mm_source *s = open_ok(&b);
		struct secrets got = { 0 };
		mm_source_on_secrets(s, on_secrets, &got);
		assert_string_equal(s->ops->name, "pcapng");
		expect_everything(s, 1);
		assert_int_equal(got.n, 1);
		assert_int_equal(got.type, 0x544c534b);
		assert_string_equal(got.text, "SECRET");
		expect_everything(s, 5);
		assert_int_equal(got.n, 2);
		assert_int_equal(s->n_packets, 8);
		expect_last(s, 0, "");
		drop(&b);
	}
}

static void test_pcapng_times(void **state)
{
	(void)state;
	static const struct {
		int resolution;
		int64_t offset;
		uint64_t time;
		int64_t ns;
	} cases[] = {
		{ 0, 0, 1700000000, 1700000000000000000 },
		{ 3, 0, 1700000000123, 1700000000123000000 },
		{ 6, 0, 1, 1000 },
		{ 9, 0, 1700000000123456789, 1700000000123456789 },
		{ 12, 0, 1700000000123999, 1700000000123 },
		{ 127, 0, UINT64_MAX, 0 },
		{ 0x80 | 10, 0, UINT64_C(1700000000) * 1024 + 512, 1700000000500000000 },
		{ 0x80 | 32, 0, (UINT64_C(1700000000) << 32) + (UINT64_C(1) << 31),
		        1700000000500000000 },
		{ 0x80 | 63, 0, UINT64_C(3) << 62, 1500000000 },
		{ 0x80 | 127, 0, UINT64_MAX, 0 },
		{ 6, 1700000000, 5, 1700000000000005000 },
		{ 6, -1, 5, -999995000 },
		{ 0, 0, UINT64_MAX, INT64_MAX },
		{ 9, INT64_MAX, UINT64_MAX, INT64_MAX },
		{ 9, INT64_MIN, 0, INT64_MIN },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes b = { .big = i % 2 == 1 };
		put_section(&b);
		put_interface(&b, 1, 0, cases[i].resolution, cases[i].offset);
		put_enhanced(&b, 0, cases[i].time, "x", 1);
		struct mm_source *s = open_ok(&b);
		expect(s, 1, cases[i].ns, 1, "x", 1);
		expect_last(s, 0, "");
		drop(&b);
	}
}

static void test_pcapng_truncated(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	size_t ends[16];
	bool is_packet[16];
	size_t n_blocks = put_everything(&b, ends, is_packet);
	for (size_t n = 4; n <= b.n; n++) {
		struct mm_source *s = NULL;
		int r = open_slice(mm_slice(b.p, n), &s);
		if (n < ends[0]) {
			assert_int_equal(r, MM_ERR_FORMAT);
			continue;
		}
		assert_int_equal(r, MM_OK);
		size_t whole = 0;
		bool boundary = false;
		for (size_t i = 0; i < n_blocks && ends[i] <= n; i++) {
			whole += is_packet[i];
			boundary = ends[i] == n;
		}
		assert_int_equal(drain(s, &r), whole);
		assert_int_equal(r, boundary ? 0 : MM_ERR_TRUNCATED);
		mm_source_close(s);
	}
	drop(&b);
}

/** A section, an interface and a good packet, which end at byte 96. */
static void put_start(struct bytes *b)
{
	put_section(b);
	put_interface(b, 1, 0, -1, 0);
	put_enhanced(b, 0, 1, "good", 4);
	assert_int_equal(b->n, 96);
}

static void expect_corrupt(struct bytes *b, const char *reason)
{
	struct mm_source *s = open_ok(b);
	expect(s, 1, 1000, 1, "good", 4);
	expect_last(s, MM_ERR_CORRUPT, reason);
	drop(b);
}

static void test_pcapng_corrupt(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	put_start(&b);
	put_enhanced(&b, 1, 1, "x", 1);
	expect_corrupt(&b, "packet 2, at byte 96, names interface 1 of 1");

	put_start(&b);
	put_enhanced(&b, 0, 1, "x", 1);
	b.p[96 + 8 + 12] = 5; /* captured length, in a block with room for 4 */
	expect_corrupt(&b, "packet 2, at byte 96, is larger than its block");
	put_start(&b);
	put_enhanced(&b, 0, 1, "x", 1);
	b.p[96 + 8 + 14] = 5; /* 5 << 16 */
	expect_corrupt(&b, "packet 2, at byte 96, claims 327681 bytes, more than 262144");

	put_start(&b);
	put_enhanced(&b, 0, 1, "x", 1);
	b.p[b.n - 4] ^= 4;
	expect_corrupt(&b, "two lengths of a block that differ after packet 1, at byte 96");
	static const uint32_t lengths[] = { 0, 8, 37, MM_CAPTURE_BLOCK + 4 };
	for (size_t i = 0; i < 4; i++) {
		put_start(&b);
		put32(&b, 6);
		put32(&b, lengths[i]);
		put32(&b, 0);
		expect_corrupt(&b, "bad block length after packet 1, at byte 96");
	}

	static const struct {
		uint32_t type;
		const char *reason;
	} shorts[] = {
		{ 1, "short interface description after packet 1, at byte 96" },
		{ 2, "short packet block after packet 1, at byte 96" },
		{ 3, "short simple packet block after packet 1, at byte 96" },
		{ 6, "short packet block after packet 1, at byte 96" },
		{ 10, "bad decryption secrets after packet 1, at byte 96" },
	};
	for (size_t i = 0; i < sizeof shorts / sizeof *shorts; i++) {
		put_start(&b);
		put_block(&b, shorts[i].type, "", 0);
		put32(&b, 0);
		expect_corrupt(&b, shorts[i].reason);
	}

	put_start(&b);
	put_section(&b);
	b.p[96 + 8] ^= 1;
	expect_corrupt(&b, "bad byte-order magic after packet 1, at byte 96");
	put_start(&b);
	put_section(&b);
	b.p[96 + 12] = 2;
	expect_corrupt(&b, "pcapng version that is not known after packet 1, at byte 96");
	/* A new section has no interfaces yet. */
	put_start(&b);
	put_section(&b);
	put_enhanced(&b, 0, 1, "x", 1);
	expect_corrupt(&b, "packet 2, at byte 124, names interface 0 of 0");
}

static void test_pcapng_interface_limit(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	put_section(&b);
	for (size_t i = 0; i <= MM_CAPTURE_INTERFACES; i++)
		put_block(&b, 1, "\1\0\0\0\0\0\0\0", 8);
	size_t good = b.n - 20;
	struct mm_source *s = open_ok(&b);
	expect_last(s, MM_ERR_CORRUPT, "too many interfaces after packet 0, at byte 1310748");
	b.n = good;
	put_enhanced(&b, MM_CAPTURE_INTERFACES - 1, 1, "x", 1);
	s = open_ok(&b);
	expect(s, 1, 1000, 1, "x", 1);
	expect_last(s, 0, "");
	drop(&b);
}

/** Packet numbers as tshark 4.0 shows them: it numbers these blocks too. */
static void test_pcapng_numbers(void **state)
{
	(void)state;
	static const struct {
		uint32_t type;
		uint64_t next;
	} cases[] = { { 9, 3 }, { 0x204, 3 }, { 0x216, 3 }, { 0x221, 3 }, { 0xbad, 3 },
		{ 0x40000bad, 3 }, { 0x208, 2 }, { 4, 2 }, { 5, 2 }, { 0x777, 2 } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes b = { 0 };
		put_start(&b);
		put_block(&b, cases[i].type, "\0\0\0\0", 4);
		put_enhanced(&b, 0, 2, "x", 1);
		struct mm_source *s = open_ok(&b);
		expect(s, 1, 1000, 1, "good", 4);
		expect(s, cases[i].next, 2000, 1, "x", 1);
		expect_last(s, 0, "");
		drop(&b);
	}
}

static void walk(void *arg, struct mm_slice input)
{
	(void)arg;
	struct mm_source *s = NULL;
	int r = open_filtered(input, 7, "tcp", &s);
	if (r == MM_OK) {
		(void)drain(s, &r);
		assert_true((r == 0) == (s->why[0] == '\0'));
		mm_source_close(s);
	} else {
		assert_true(why[0] != '\0');
	}
}

static void test_bitflips(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	size_t ends[16];
	bool is_packet[16];
	(void)put_everything(&b, ends, is_packet);
	guard_every_bitflip(b.p, b.n, walk, NULL);
	drop(&b);
	put_pcap(&b, 0xa1b2c3d4, 1);
	put_record(&b, 1, 0, "some packet", 60);
	guard_every_bitflip(b.p, b.n, walk, NULL);
	drop(&b);
}

/* ---- input ---- */

enum { MANY = 4000 };

/** Packets of all sizes, 3 MB, so that records lie across the blocks read; each tells its size in
 * its bytes. */
static void put_many(struct bytes *b)
{
	static char data[2048];
	put_pcap(b, 0xa1b23c4d, 1);
	for (uint32_t i = 0; i < MANY; i++) {
		size_t len = i * 7919u % 1511;
		memset(data, 'a' + (int)(len % 26), len);
		data[len] = '\0';
		put_record(b, i, i, data, 1600);
	}
}

static void expect_many(struct mm_source *s)
{
	struct mm_packet p;
	for (uint32_t i = 0; i < MANY; i++) {
		assert_int_equal(s->ops->next(s, &p), 1);
		size_t len = i * 7919u % 1511;
		assert_int_equal(p.data.len, len);
		assert_int_equal(p.id.number, i + 1);
		assert_int_equal(p.time_ns, i * second + i);
		for (size_t j = 0; j < len; j++)
			assert_true(p.data.p[j] == 'a' + len % 26);
		assert_true(s->offset <= s->size);
	}
	assert_int_equal(s->ops->next(s, &p), 0);
	assert_int_equal(s->offset, s->size);
	expect_last(s, 0, "");
}

static struct bytes gzip(struct mm_slice s)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	struct bytes b = { .room = deflateBound(&z, s.len) };
	b.p = malloc(b.room);
	assert_non_null(b.p);
	uint8_t *in = malloc(s.len + 1);
	assert_non_null(in);
	memcpy(in, s.p, s.len);
	z.next_in = in;
	z.avail_in = (uInt)s.len;
	z.next_out = b.p;
	z.avail_out = (uInt)b.room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	b.n = z.total_out;
	deflateEnd(&z);
	free(in);
	return b;
}

static struct bytes zstd(struct mm_slice s)
{
	struct bytes b = { .room = ZSTD_compressBound(s.len) };
	b.p = malloc(b.room);
	assert_non_null(b.p);
	ZSTD_CCtx *c = ZSTD_createCCtx();
	assert_non_null(c);
	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1)));
	b.n = ZSTD_compress2(c, b.p, b.room, s.p, s.len);
	ZSTD_freeCCtx(c);
	assert_false(ZSTD_isError(b.n));
	return b;
}

static struct bytes xz(struct mm_slice s)
{
	struct bytes b = { .room = lzma_stream_buffer_bound(s.len) };
	b.p = malloc(b.room);
	assert_non_null(b.p);
	assert_int_equal(
	        lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, s.p, s.len, b.p, &b.n, b.room),
	        LZMA_OK);
	return b;
}

static struct bytes (*const compress_with[])(struct mm_slice) = { gzip, zstd, xz };
static const char *const codecs[] = { "gzip", "zstd", "xz" };

static void test_blocks(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	put_many(&b);
	expect_many(open_ok(&b));
	for (size_t i = 0; i < 3; i++) {
		struct bytes z = compress_with[i](mm_slice(b.p, b.n));
		expect_many(open_ok(&z));
		/* two members, cut in the middle of a record; gzip and xz may be padded with
		 * zeros */
		struct bytes first = compress_with[i](mm_slice(b.p, 12345));
		struct bytes second_part = compress_with[i](mm_slice(b.p + 12345, b.n - 12345));
		put(&first, second_part.p, second_part.n);
		if (i != 1)
			put(&first, "\0\0\0\0\0\0\0", 8);
		expect_many(open_ok(&first));
		drop(&z);
		drop(&first);
		drop(&second_part);
	}
	drop(&b);
}

/** Cut at each length, a compressed capture gives packets and then the error; never a clean end. */
static void test_compressed_truncated(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	size_t half = 0;
	put_pcap(&b, 0xa1b2c3d4, 1);
	for (uint32_t i = 0; i < 40; i++) {
		half = i == 20 ? b.n : half;
		put_record(&b, i, i * 7919 % 1000, "some packet that is to be compressed", 60);
	}
	for (size_t i = 0; i < 3; i++) {
		struct bytes z = compress_with[i](mm_slice(b.p, half));
		struct bytes rest = compress_with[i](mm_slice(b.p + half, b.n - half));
		size_t first = z.n, most = 0;
		put(&z, rest.p, rest.n);
		for (size_t n = 6; n < z.n; n++) {
			struct mm_source *s = NULL;
			char reason[64];
			int r = open_slice(mm_slice(z.p, n), &s);
			if (r != MM_OK) {
				assert_int_equal(r, MM_ERR_FORMAT);
				assert_true(n < first);
				continue;
			}
			size_t packets = drain(s, &r);
			snprintf(reason, sizeof reason, "truncated %s data after packet %zu",
			        codecs[i], packets);
			assert_int_equal(r, n == first ? 0 : MM_ERR_TRUNCATED);
			assert_string_equal(s->why, n == first ? "" : reason);
			assert_true(n < first ? packets <= 20 : packets >= 20);
			most = packets > most ? packets : most;
			mm_source_close(s);
		}
		/* The last bytes are checksums; all that comes before them is given. */
		assert_int_equal(most, 40);
		drop(&z);
		drop(&rest);
	}
	drop(&b);
}

static void expect_many_then_corrupt(const struct bytes *z, const char *codec)
{
	char reason[64];
	int r;
	struct mm_source *s = open_ok(z);
	assert_int_equal(drain(s, &r), MANY);
	snprintf(reason, sizeof reason, "corrupt %s data after packet %d", codec, MANY);
	expect_last(s, MM_ERR_CORRUPT, reason);
}

static void test_compressed_corrupt(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	put_many(&b);
	for (size_t i = 0; i < 3; i++) {
		struct bytes z = compress_with[i](mm_slice(b.p, b.n));
		put(&z, "garbage, no member", 18);
		expect_many_then_corrupt(&z, codecs[i]);
		z.n -= 18;
		z.p[z.n - 2] ^= 0x10; /* the length, checksum or footer that ends it */
		expect_many_then_corrupt(&z, codecs[i]);
		drop(&z);
	}
	drop(&b);
	put_pcap(&b, 0xa1b2c3d4, 1);
	put_record(&b, 1, 0, "some packet", 60);
	for (size_t i = 0; i < 3; i++) {
		struct bytes z = compress_with[i](mm_slice(b.p, b.n));
		guard_every_bitflip(z.p, z.n, walk, NULL);
		drop(&z);
	}
	drop(&b);
}

static void test_compressed_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct bytes z = compress_with[i](mm_slice("", 0));
		expect_no_open(z.p, z.n, MM_ERR_FORMAT, "empty file");
		drop(&z);
		z = compress_with[i](mm_slice("PK\3\4", 4));
		expect_no_open(
		        z.p, z.n, MM_ERR_FORMAT, "no capture file (begins with 50 4b 03 04)");
		drop(&z);
	}
}

/** Frames that ask for more memory than a decoder may take. */
static void test_compressed_limits(void **state)
{
	(void)state;
	/* RFC 8878 section 3.1.1.1: magic, descriptor 0, window descriptor: exponent 18 of
	 * 2^(10+18) */
	static const uint8_t window[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3, 1, 0, 0 };
	expect_no_open(window, sizeof window, MM_ERR_FORMAT, "too large a window in zstd data");

	uint8_t head[LZMA_STREAM_HEADER_SIZE + LZMA_BLOCK_HEADER_SIZE_MAX];
	lzma_stream_flags flags = { .check = LZMA_CHECK_CRC32 };
	lzma_options_lzma lzma;
	assert_false(lzma_lzma_preset(&lzma, 1));
	lzma.dict_size = 1u << 30;
	lzma_filter filters[] = { { LZMA_FILTER_LZMA2, &lzma }, { LZMA_VLI_UNKNOWN, NULL } };
	lzma_block block = { .check = LZMA_CHECK_CRC32,
		.filters = filters,
		.compressed_size = LZMA_VLI_UNKNOWN,
		.uncompressed_size = LZMA_VLI_UNKNOWN };
	assert_int_equal(lzma_stream_header_encode(&flags, head), LZMA_OK);
	assert_int_equal(lzma_block_header_size(&block), LZMA_OK);
	assert_int_equal(lzma_block_header_encode(&block, head + LZMA_STREAM_HEADER_SIZE), LZMA_OK);
	expect_no_open(head, LZMA_STREAM_HEADER_SIZE + block.header_size, MM_ERR_FORMAT,
	        "too large a dictionary in xz data");
}

/** Standard input, which brings a few bytes at a time. */
static void test_stdin(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	size_t ends[16];
	bool is_packet[16];
	(void)put_everything(&b, ends, is_packet);
	int fds[2], keep = dup(STDIN_FILENO);
	assert_int_equal(pipe(fds), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bool ok = true;
		for (size_t i = 0; i < b.n && ok; i++)
			ok = write(fds[1], b.p + i, 1) == 1;
		_exit(ok ? 0 : 1);
	}
	close(fds[1]);
	assert_int_equal(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
	close(fds[0]);
	struct mm_source *s = NULL;
	assert_int_equal(
	        mm_source_open_file("-", 7, NULL, NULL, &spares, &s, why, sizeof why), MM_OK);
	assert_int_equal(s->size, 0);
	expect_everything(s, 1);
	assert_int_equal(s->offset, b.n);
	expect_last(s, 0, "");
	assert_int_equal(waitpid(child, NULL, 0), child);
	if (keep >= 0) {
		dup2(keep, STDIN_FILENO);
		close(keep);
	}
	drop(&b);
}

/* ---- filter ---- */

/* An IPv4 UDP packet from port 88 to 1000, RFC 791 and RFC 768; checksums are not looked at. */
static const uint8_t ip_88[] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
	0, 88, 3, 0xe8, 0, 8, 0, 0 };
static const uint8_t ether[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 };

/** An enhanced packet with the UDP packet, behind an Ethernet header or not, to be found or not. */
static void put_udp(struct bytes *b, uint32_t interface, bool with_ether, bool port_88)
{
	size_t len = sizeof ip_88 + (with_ether ? sizeof ether : 0);
	size_t at = block_begin(b, 6);
	put32(b, interface);
	put32(b, 0);
	put32(b, 1);
	put32(b, len);
	put32(b, len);
	if (with_ether)
		put(b, ether, sizeof ether);
	put(b, ip_88, sizeof ip_88);
	if (!port_88)
		b->p[b->n - 7] = 53;
	block_end(b, at);
}

static void expect_numbers(struct bytes *b, const char *filter, const uint64_t *numbers, size_t n)
{
	struct mm_source *s = NULL;
	struct mm_packet p;
	assert_int_equal(open_filtered(mm_slice(b->p, b->n), 7, filter, &s), MM_OK);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(s->ops->next(s, &p), 1);
		assert_int_equal(p.id.number, numbers[i]);
	}
	assert_int_equal(s->ops->next(s, &p), 0);
	assert_int_equal(s->n_packets, 5);
	assert_int_equal(s->n_filtered, 5 - n);
	expect_last(s, 0, "");
}

static void test_filter(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	put_section(&b);
	put_interface(&b, MM_LINK_ETHERNET, 0, -1, 0);
	put_interface(&b, MM_LINK_RAW, 0, -1, 0);
	put_udp(&b, 0, true, false);
	put_udp(&b, 0, true, true);
	put_udp(&b, 1, false, false);
	put_udp(&b, 1, false, true);
	put_udp(&b, 0, true, true);
	expect_numbers(&b, "udp port 88", (const uint64_t[]){ 2, 4, 5 }, 3);
	expect_numbers(&b, "len = 28", (const uint64_t[]){ 3, 4 }, 2);
	/* This has no meaning on raw IP: such packets do not match. */
	expect_numbers(
	        &b, "ether src 02:00:00:00:00:02 and port 88", (const uint64_t[]){ 2, 5 }, 2);
	expect_numbers(&b, "tcp", NULL, 0);
	struct mm_source *s = NULL;
	assert_int_equal(open_filtered(mm_slice(b.p, b.n), 7, "no such word", &s), MM_ERR_USAGE);
	assert_memory_equal(why, "filter: ", 8);
	drop(&b);
	/* Also where the link type is not known yet, and where it is the only one. */
	put_section(&b);
	assert_int_equal(open_filtered(mm_slice(b.p, b.n), 7, "no such word", &s), MM_ERR_USAGE);
	drop(&b);
	put_pcap(&b, 0xa1b2c3d4, MM_LINK_RAW);
	assert_int_equal(open_filtered(mm_slice(b.p, b.n), 7, "ether src 02:00:00:00:00:02", &s),
	        MM_ERR_USAGE);
	assert_null(s);
	drop(&b);
}

static void test_filter_limit(void **state)
{
	(void)state;
	struct bytes b = { 0 };
	put_section(&b);
	for (uint32_t i = 0; i <= MM_CAPTURE_FILTERS; i++) {
		put_interface(&b, (uint16_t)(200 + i), 0, -1, 0);
		put_enhanced(&b, i, 1, "x", 1);
	}
	struct mm_source *s = NULL;
	int r;
	assert_int_equal(open_filtered(mm_slice(b.p, b.n), 7, "greater 1", &s), MM_OK);
	assert_int_equal(drain(s, &r) + s->n_filtered, MM_CAPTURE_FILTERS);
	expect_last(s, MM_ERR_UNSUPPORTED, "more than 64 link types to filter, after packet 65");
	drop(&b);
}

/* ---- merge ---- */

static void count_errors(void *arg, const struct mm_source *s)
{
	(*(size_t *)arg)++;
	assert_string_equal(s->why, "truncated in packet 3, at byte 62");
}

static struct mm_source *timed(uint32_t file, const uint32_t *times, size_t n, size_t cut)
{
	struct bytes b = { 0 };
	struct mm_source *s = NULL;
	put_pcap(&b, 0xa1b2c3d4, 1);
	for (size_t i = 0; i < n; i++) {
		char text[4];
		snprintf(text, sizeof text, "%u%02u", file % 10, times[i] % 100);
		put_record(&b, times[i], 0, text, 60);
	}
	assert_int_equal(open_filtered(mm_slice(b.p, b.n - cut), file, NULL, &s), MM_OK);
	drop(&b);
	return s;
}

static void test_merge(void **state)
{
	(void)state;
	struct mm_merge *m = NULL;
	size_t errors = 0;
	assert_int_equal(mm_merge_new(&m), MM_OK);
	mm_merge_on_error(m, count_errors, &errors);
	assert_int_equal(
	        mm_merge_add(m, timed(0, (const uint32_t[]){ 10, 30, 20, 40 }, 4, 0)), MM_OK);
	assert_int_equal(mm_merge_add(m, timed(1, (const uint32_t[]){ 10, 25, 35 }, 3, 1)), MM_OK);
	assert_int_equal(mm_merge_add(m, timed(2, NULL, 0, 0)), MM_OK);
	assert_int_equal(mm_merge_add(m, timed(3, (const uint32_t[]){ 5, 30, 50 }, 3, 0)), MM_OK);
	assert_int_equal(mm_merge_add(m, timed(4, (const uint32_t[]){ 10, 30 }, 2, 0)), MM_OK);
	/* Of one time, the first source is first; 20 after 30 of file 0 stays behind it. */
	static const char *const order[] = { "305", "010", "110", "410", "125", "030", "020", "330",
		"430", "040", "350" };
	struct mm_packet p;
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		assert_int_equal(mm_merge_next(m, &p), 1);
		assert_true(mm_slice_eq(p.data, mm_slice_str(order[i])));
		assert_int_equal(p.id.file, order[i][0] - '0');
	}
	assert_int_equal(mm_merge_next(m, &p), 0);
	assert_int_equal(mm_merge_next(m, &p), 0);
	assert_int_equal(errors, 1);
	mm_merge_free(m);
	mm_merge_free(NULL);
}

/** Many sources against a plain sort. */
static void test_merge_many(void **state)
{
	(void)state;
	struct mm_merge *m = NULL;
	assert_int_equal(mm_merge_new(&m), MM_OK);
	for (uint32_t file = 0; file < 50; file++) {
		uint32_t times[20];
		for (uint32_t i = 0; i < 20; i++)
			times[i] = i * 100 + file * 37 % 100;
		assert_int_equal(mm_merge_add(m, timed(file, times, 20, 0)), MM_OK);
	}
	struct mm_packet p, last = { .time_ns = -1 };
	size_t n = 0;
	for (; mm_merge_next(m, &p) == 1; n++) {
		assert_true(p.time_ns > last.time_ns ||
		            (p.time_ns == last.time_ns && p.id.file > last.id.file));
		last = p;
	}
	assert_int_equal(n, 1000);
	mm_merge_free(m);
}

/* ---- expand ---- */

static void write_file(const char *dir, const char *name, const void *p, size_t n)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void free_paths(char **paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(paths[i]);
	free(paths);
}

static void test_expand(void **state)
{
	(void)state;
	static const char *const names[] = { "b.pcap", "a.pcapng.gz", "c.cap", "text", "empty",
		"d.xz", "e.zst" };
	static const struct {
		const char *p;
		size_t n;
	} contents[] = { { "\xa1\xb2\xc3\xd4", 4 }, { "\x1f\x8b\x08", 3 },
		{ "\x0a\x0d\x0d\x0a\x1c", 5 }, { "hello", 5 }, { "", 0 }, { "\xfd\x37zXZ\0", 6 },
		{ "\x28\xb5\x2f\xfd\0", 5 } };
	static const char *const found[] = { "a.pcapng.gz", "b.pcap", "c.cap", "d.xz", "e.zst" };
	char dir[] = "/tmp/test_capture_XXXXXX", path[256];
	char **paths = NULL;
	size_t n = 99;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(mm_capture_expand(dir, &paths, &n), MM_OK);
	assert_int_equal(n, 0);
	free_paths(paths, n);
	for (size_t i = 0; i < 7; i++)
		write_file(dir, names[i], contents[i].p, contents[i].n);
	snprintf(path, sizeof path, "%s/z.pcap", dir);
	assert_int_equal(mkdir(path, 0700), 0); /* not gone into */

	for (size_t slash = 0; slash < 2; slash++) {
		char arg[256];
		snprintf(arg, sizeof arg, "%s%s", dir, slash == 0 ? "" : "/");
		assert_int_equal(mm_capture_expand(arg, &paths, &n), MM_OK);
		assert_int_equal(n, 5);
		for (size_t i = 0; i < n; i++) {
			char want[300];
			snprintf(want, sizeof want, "%s/%s", dir, found[i]);
			assert_string_equal(paths[i], want);
		}
		free_paths(paths, n);
	}
	/* A file is itself, whatever it begins with; so is standard input. */
	const char *const alone[] = { "/dev/null", "-" };
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(mm_capture_expand(alone[i], &paths, &n), MM_OK);
		assert_int_equal(n, 1);
		assert_string_equal(paths[0], alone[i]);
		free_paths(paths, n);
	}
	rmdir(path);
	for (size_t i = 0; i < 7; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	assert_int_equal(mm_capture_expand(dir, &paths, &n), MM_ERR_IO);
	assert_int_equal(errno, ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap_literal),
		cmocka_unit_test(test_pcap_variants),
		cmocka_unit_test(test_pcap_limits),
		cmocka_unit_test(test_pcap_truncated),
		cmocka_unit_test(test_no_capture),
		cmocka_unit_test(test_pcapng_everything),
		cmocka_unit_test(test_pcapng_times),
		cmocka_unit_test(test_pcapng_truncated),
		cmocka_unit_test(test_pcapng_corrupt),
		cmocka_unit_test(test_pcapng_interface_limit),
		cmocka_unit_test(test_pcapng_numbers),
		cmocka_unit_test(test_bitflips),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_compressed_truncated),
		cmocka_unit_test(test_compressed_corrupt),
		cmocka_unit_test(test_compressed_nothing),
		cmocka_unit_test(test_compressed_limits),
		cmocka_unit_test(test_stdin),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_limit),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_many),
		cmocka_unit_test(test_expand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
