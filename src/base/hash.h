/* Hashes: keyed ones for tables of what an attacker chooses, SHA-256 fingerprints of credentials. */
#ifndef MM_BASE_HASH_H
#define MM_BASE_HASH_H

#include <string.h>

#include "base/cursor.h"
#include "base/err.h"

/** Key of a table's hash; from the context, so that runs can be repeated. */
struct mm_hash_key {
	uint64_t k0, k1;
};

/** SipHash-1-3 (Aumasson and Bernstein, 2012) of len bytes at p. */
uint64_t mm_siphash(const struct mm_hash_key *key, const void *p, size_t len);

/** Which bytes these were, among all that were seen under one key: for what never leaves the program. All zero: none. */
struct mm_id {
	uint64_t h[2];
};

/** SipHash-1-3 with 128 bits of output: whoever does not know the key can make no two with the same. */
struct mm_id mm_id_of(const struct mm_hash_key *key, struct mm_slice bytes);

enum { MM_BULK_WORDS = 128 };

/** What mm_bulk_id_of() needs, made once. */
struct mm_bulk_key {
	struct mm_hash_key key;
	uint64_t words[MM_BULK_WORDS];
};

void mm_bulk_key_init(struct mm_bulk_key *k, const struct mm_hash_key *key);

/** As mm_id_of(), of other values, for whole messages: a universal hash makes two words of each kilobyte before SipHash
 * takes them in, which costs a sixth. Two messages have the same id with a chance of 2^-64 for each block in which they
 * differ; nothing that depends on it may tell the sender more than that. */
struct mm_id mm_bulk_id_of(const struct mm_bulk_key *k, struct mm_slice bytes);

/** Half of the same under a key that everybody knows: the same everywhere and in every run. To name things by, not to trust. */
uint64_t mm_public_id_of(struct mm_slice bytes);

enum { MM_BRIEF_MAX = 128, MM_BRIEF_WORDS = MM_BRIEF_MAX / 4 + 1 };

/** What mm_brief_hash() needs, made once. */
struct mm_brief_key {
	uint64_t words[MM_BRIEF_WORDS];
};

void mm_brief_key_init(struct mm_brief_key *k, const struct mm_hash_key *key);

/** The parts of mm_brief_hash(), for keys in parts: begin with k->words[0], add what is at word number at and on. What is zero
 * need not be added. */
static inline uint64_t mm_brief_add(
        const struct mm_brief_key *k, uint64_t sum, size_t at, const void *p, size_t len)
{
	uint32_t word = 0;
	size_t i = 0;
	for (; i < len / sizeof word; i++) {
		memcpy(&word, (const uint8_t *)p + i * sizeof word, sizeof word);
		sum += word * k->words[at + i + 1];
	}
	if (len % sizeof word != 0) {
		word = 0;
		memcpy(&word, (const uint8_t *)p + i * sizeof word, len % sizeof word);
		sum += word * k->words[at + i + 1];
	}
	return sum;
}

static inline uint32_t mm_brief_end(uint64_t sum)
{
	uint32_t h = (uint32_t)(sum >> 32);
	h = (h ^ h >> 16) * UINT32_C(0x9e3779b1); /* odd: 2^32 divided by the golden ratio */
	return h ^ h >> 15;
}

/** 32 bits for tables whose keys are all of one length, at most MM_BRIEF_MAX bytes: a fifth of SipHash. Strongly
 * universal: whoever does not know the key, and sees nothing of what comes out, makes two keys meet with a chance of 2^-32.
 * Lemire and Kaser, "Strongly universal string hashing is fast" (2013), "Multilinear"; what is done to the sum
 * after that is one-to-one, and breaks up the even steps that a row of keys would make. */
static inline uint32_t mm_brief_hash(const struct mm_brief_key *k, const void *p, size_t len)
{
	return mm_brief_end(mm_brief_add(k, k->words[0], 0, p, len));
}

bool mm_id_eq(const struct mm_id *a, const struct mm_id *b);

/** A credential's fingerprint: the first 16 bytes of SHA-256 over its opaque bytes. All zero: none. */
struct mm_fp {
	uint8_t b[16];
};

enum { MM_FP_TEXT = 33 }; /* 32 hex digits and NUL */

struct mm_fp mm_fp_of(struct mm_slice opaque);
bool mm_fp_is_set(const struct mm_fp *fp);
bool mm_fp_eq(const struct mm_fp *a, const struct mm_fp *b);

/** Write 32 lower-case hex digits and a NUL to out; returns out. */
const char *mm_fp_text(const struct mm_fp *fp, char out[MM_FP_TEXT]);

#endif
