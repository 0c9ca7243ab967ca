/* SipHash-1-3 and fingerprints against published vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "base/hash.h"

/* Key 00 01 .. 0f, message 00 01 .. (n - 1): the first, those around each block boundary and the last of the 64
 * vectors that the authors' reference implementation gives with one and three rounds. Output bytes in order. */
static const struct {
	size_t len;
	const char *hash;
} vectors[] = {
	{ 0, "dcc40f055801acab" },
	{ 1, "93ca577df39bf4c9" },
	{ 2, "4dd4c74d029bcb82" },
	{ 3, "fbf7dde7b80af88b" },
	{ 4, "2883d388605775cf" },
	{ 5, "673b53492fd5f9de" },
	{ 6, "a7229fc5502b0dc5" },
	{ 7, "4011b19b987d92d3" },
	{ 8, "8e9a298d11959036" },
	{ 9, "e43d066cb38ea425" },
	{ 15, "5699512a6dd820d3" },
	{ 16, "668b907d1add4fcc" },
	{ 17, "0cd8db639068f29c" },
	{ 24, "8c9c3467b2ae64f4" },
	{ 31, "bcd1218c1fdd7023" },
	{ 32, "0db6a7166c7b1581" },
	{ 63, "a8b3bbb76290199d" },
};

static void test_siphash(void **state)
{
	(void)state;
	/* the key's bytes as two little-endian numbers */
	const struct mm_hash_key key = { UINT64_C(0x0706050403020100),
		UINT64_C(0x0f0e0d0c0b0a0908) };
	uint8_t message[64];
	for (size_t i = 0; i < sizeof message; i++)
		message[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		uint64_t expected = 0;
		for (size_t k = 0; k < 8; k++) {
			unsigned byte;
			assert_int_equal(sscanf(vectors[i].hash + 2 * k, "%2x", &byte), 1);
			expected |= (uint64_t)byte << 8 * k;
		}
		assert_true(mm_siphash(&key, message, vectors[i].len) == expected);
	}
}

/* OpenSSL's, told to take one and three rounds. */
static void other_id(const uint8_t key[16], const uint8_t *p, size_t len, uint8_t out[16])
{
	size_t size = 16, n = 0;
	unsigned c = 1, d = 3;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c),
		OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	assert_int_equal(EVP_MAC_init(ctx, key, 16, params), 1);
	assert_int_equal(EVP_MAC_update(ctx, p, len), 1);
	assert_int_equal(EVP_MAC_final(ctx, out, &n, 16), 1);
	assert_int_equal(n, 16);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

static void test_id(void **state)
{
	(void)state;
	uint8_t message[1500], expected[16];
	for (size_t i = 0; i < sizeof message; i++)
		message[i] = (uint8_t)(i * 7);
	const struct mm_hash_key key = { UINT64_C(0x0706050403020100),
		UINT64_C(0x0f0e0d0c0b0a0908) };
	const uint8_t key_bytes[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	for (size_t len = 0; len <= sizeof message; len += len < 70 ? 1 : 143) {
		struct mm_id id = mm_id_of(&key, mm_slice(message, len));
		other_id(key_bytes, message, len, expected);
		for (size_t i = 0; i < 16; i++)
			assert_int_equal(id.h[i / 8] >> 8 * (i % 8) & 0xff, expected[i]);
	}
}

/* Of a program in another language, after the words in hash.h and the papers. */
static void test_bulk_id_vectors(void **state)
{
	(void)state;
	static const struct {
		size_t len;
		struct mm_id id;
	} rows[] = {
		{ 0, { { UINT64_C(0xbb68a2746f2be59a), UINT64_C(0x7dad9215f1864edc) } } },
		{ 64, { { UINT64_C(0x3066ebca241c06db), UINT64_C(0x3a30e029378ecb95) } } },
		{ 65, { { UINT64_C(0xc79ee48ee2fc1203), UINT64_C(0x15d756408356d587) } } },
		{ 1100, { { UINT64_C(0xbc2f6f8d401341ba), UINT64_C(0xcaec91aa4819011b) } } },
		{ 1500, { { UINT64_C(0x0b175dd31c061ff7), UINT64_C(0xb10890cb1d8ebf63) } } },
	};
	struct mm_bulk_key k;
	uint8_t message[1500];
	for (size_t i = 0; i < sizeof message; i++)
		message[i] = (uint8_t)(i * 7);
	mm_bulk_key_init(&k, &(struct mm_hash_key){
	                             UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) });
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct mm_id id = mm_bulk_id_of(&k, mm_slice(message, rows[i].len));
		assert_true(mm_id_eq(&id, &rows[i].id));
	}
}

/* Every bit counts, at every length around a block's and a tail's end; so does the length, and the key. */
static void test_bulk_id(void **state)
{
	(void)state;
	static const size_t lengths[] = { 0, 1, 15, 16, 63, 64, 65, 79, 80, 81, 1023, 1024, 1025,
		1087, 1088, 1089, 1104, 2048, 2500 };
	static struct mm_bulk_key k, other;
	uint8_t message[2501] = { 0 };
	mm_bulk_key_init(&k, &(struct mm_hash_key){ 1, 2 });
	mm_bulk_key_init(&other, &(struct mm_hash_key){ 1, 3 });
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		size_t len = lengths[i];
		struct mm_id id = mm_bulk_id_of(&k, mm_slice(message, len)), changed;
		changed = mm_bulk_id_of(&k, mm_slice(message, len));
		assert_true(mm_id_eq(&id, &changed));
		changed = mm_bulk_id_of(&k, mm_slice(message, len + 1));
		assert_false(mm_id_eq(&id, &changed));
		changed = mm_bulk_id_of(&other, mm_slice(message, len));
		assert_false(mm_id_eq(&id, &changed));
		for (size_t bit = 0; bit < 8 * len; bit++) {
			message[bit / 8] ^= (uint8_t)(1u << bit % 8);
			changed = mm_bulk_id_of(&k, mm_slice(message, len));
			message[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_false(mm_id_eq(&id, &changed));
		}
	}
}

/* Every bit counts, at every length; so does the key. */
static void test_brief(void **state)
{
	(void)state;
	static struct mm_brief_key k, other;
	uint8_t message[MM_BRIEF_MAX] = { 0 };
	mm_brief_key_init(&k, &(struct mm_hash_key){ 1, 2 });
	mm_brief_key_init(&other, &(struct mm_hash_key){ 1, 3 });
	for (size_t len = 1; len <= sizeof message; len++) {
		uint32_t h = mm_brief_hash(&k, message, len);
		assert_true(h != mm_brief_hash(&other, message, len));
		for (size_t bit = 0; bit < 8 * len; bit++) {
			message[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_true(h != mm_brief_hash(&k, message, len));
			message[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* Keys in a row, as addresses of a network are, spread as well as any: no bucket of a table as large as they are many
 * gets more than a few, under any of some hash keys. */
static void test_brief_spreads(void **state)
{
	(void)state;
	enum { N = 65536, MOST = 12 };
	static uint8_t n_in[N];
	for (uint64_t key = 0; key < 32; key++) {
		static struct mm_brief_key k;
		mm_brief_key_init(&k, &(struct mm_hash_key){ key, 0 });
		for (unsigned shift = 0; shift <= 16; shift += 8) {
			memset(n_in, 0, sizeof n_in);
			for (uint32_t i = 0; i < N; i++) {
				uint32_t row[10] = { 0x0a000001, i << shift, 0x01bb8000 };
				uint32_t h = mm_brief_hash(&k, row, sizeof row);
				assert_true(++n_in[h % N] <= MOST);
			}
		}
	}
}

static void test_siphash_key_matters(void **state)
{
	(void)state;
	const struct mm_hash_key a = { 0, 0 }, b = { 1, 0 }, c = { 0, 1 };
	assert_true(mm_siphash(&a, "x", 1) != mm_siphash(&b, "x", 1));
	assert_true(mm_siphash(&a, "x", 1) != mm_siphash(&c, "x", 1));
	assert_true(mm_siphash(&a, NULL, 0) == mm_siphash(&a, "x", 0));
}

static void test_fingerprint(void **state)
{
	(void)state;
	char text[MM_FP_TEXT];
	/* FIPS 180-4 example "abc", and SHA-256 of nothing */
	struct mm_fp abc = mm_fp_of(mm_slice_str("abc")), empty = mm_fp_of(mm_slice(NULL, 0));
	assert_string_equal(mm_fp_text(&abc, text), "ba7816bf8f01cfea414140de5dae2223");
	assert_string_equal(mm_fp_text(&empty, text), "e3b0c44298fc1c149afbf4c8996fb924");
	assert_true(mm_fp_is_set(&abc));
	assert_true(mm_fp_eq(&abc, &abc));
	assert_false(mm_fp_eq(&abc, &empty));
	struct mm_fp none = { { 0 } };
	assert_false(mm_fp_is_set(&none));
	none.b[15] = 1;
	assert_true(mm_fp_is_set(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_bulk_id),
		cmocka_unit_test(test_bulk_id_vectors),
		cmocka_unit_test(test_brief),
		cmocka_unit_test(test_brief_spreads),
		cmocka_unit_test(test_siphash_key_matters),
		cmocka_unit_test(test_fingerprint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
