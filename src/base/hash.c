/* SipHash-1-3 in its two lengths and credential fingerprints. */
#include "base/hash.h"

#include <endian.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>

#include "base/siphash.h"

/* All of it but the finish. Every byte of many messages passes here: one load for each word. */
static inline __attribute__((always_inline)) void take_in(
        struct mm_sip *sip, const uint8_t *p, size_t len)
{
	uint64_t word, last = (uint64_t)(len & 0xff) << 56;
	size_t left = len;
	for (; left >= sizeof word; p += sizeof word, left -= sizeof word) {
		memcpy(&word, p, sizeof word);
		mm_sip_word(sip, le64toh(word));
	}
	uint32_t half = 0;
	unsigned at = 0;
	if (left >= sizeof half) {
		memcpy(&half, p, sizeof half);
		last |= le32toh(half);
		at = sizeof half;
	}
	for (; at < left; at++)
		last |= (uint64_t)p[at] << 8 * at;
	mm_sip_word(sip, last);
}

uint64_t mm_siphash(const struct mm_hash_key *key, const void *p, size_t len)
{
	struct mm_sip sip = mm_sip_begin(key);
	take_in(&sip, p, len);
	return mm_sip_end(&sip);
}

/* Of the form with 128 bits. */
static struct mm_id long_end(struct mm_sip *sip)
{
	struct mm_id id;
	sip->v[2] ^= 0xee;
	id.h[0] = mm_sip_finish(sip);
	sip->v[1] ^= 0xdd;
	id.h[1] = mm_sip_finish(sip);
	return id;
}

struct mm_id mm_id_of(const struct mm_hash_key *key, struct mm_slice bytes)
{
	struct mm_sip sip = mm_sip_begin(key);
	sip.v[1] ^= 0xee;
	take_in(&sip, bytes.p, bytes.len);
	return long_end(&sip);
}

void mm_bulk_key_init(struct mm_bulk_key *k, const struct mm_hash_key *key)
{
	k->key = *key;
	for (uint64_t i = 0; i < MM_BULK_WORDS; i++) {
		uint64_t number = htole64(i);
		k->words[i] = mm_siphash(key, &number, sizeof number);
	}
}

void mm_brief_key_init(struct mm_brief_key *k, const struct mm_hash_key *key)
{
	for (uint64_t i = 0; i < MM_BRIEF_WORDS; i++) {
		uint64_t number = htole64(MM_BULK_WORDS + i);
		k->words[i] = mm_siphash(key, &number, sizeof number);
	}
}

/* Black, Halevi, Krawczyk, Krovetz and Rogaway, "UMAC: Fast and Secure Message Authentication" (1999), section 4, with
 * words of 64 bits: two blocks of one length have the same sum with a chance of 2^-64 for whoever does not know the key.
 * Of len bytes, a multiple of 16 and at most a block. */
static unsigned __int128 nh(const struct mm_bulk_key *k, const uint8_t *p, size_t len)
{
	unsigned __int128 sum = 0;
	uint64_t a, b;
	for (size_t i = 0; i < len / sizeof a; i += 2) {
		memcpy(&a, p + i * sizeof a, sizeof a);
		memcpy(&b, p + (i + 1) * sizeof b, sizeof b);
		sum += (unsigned __int128)(uint64_t)(le64toh(a) + k->words[i]) *
		       (uint64_t)(le64toh(b) + k->words[i + 1]);
	}
	return sum;
}

struct mm_id mm_bulk_id_of(const struct mm_bulk_key *k, struct mm_slice bytes)
{
	enum { PAIR = 16, BLOCK = MM_BULK_WORDS * 8, TAIL = 64 };
	struct mm_sip sip = mm_sip_begin(&k->key);
	const uint8_t *p = bytes.p;
	size_t left = bytes.len;
	sip.v[1] ^= 0xee;
	while (left > TAIL) {
		size_t n = left < BLOCK ? left / PAIR * PAIR : BLOCK;
		unsigned __int128 sum = nh(k, p, n);
		mm_sip_word(&sip, (uint64_t)sum);
		mm_sip_word(&sip, (uint64_t)(sum >> 64));
		p += n;
		left -= n;
	}
	/* The length tells where the blocks end. */
	mm_sip_word(&sip, bytes.len);
	take_in(&sip, p, left);
	return long_end(&sip);
}

static pthread_once_t public_once = PTHREAD_ONCE_INIT;
static struct mm_bulk_key public_key;

static void public_init(void)
{
	static const struct mm_hash_key fixed = { 0x6d696e746d61726b, 0x6576656e742e6964 };
	mm_bulk_key_init(&public_key, &fixed);
}

uint64_t mm_public_id_of(struct mm_slice bytes)
{
	(void)pthread_once(&public_once, public_init); /* fails for a wrong argument alone */
	return mm_bulk_id_of(&public_key, bytes).h[0];
}

bool mm_id_eq(const struct mm_id *a, const struct mm_id *b)
{
	return a->h[0] == b->h[0] && a->h[1] == b->h[1];
}

/* Finding the algorithm anew for each digest, as SHA256() does, takes a third of its time. So each thread keeps a
 * context that knows it; it holds nothing from one digest to the next. */
static pthread_once_t sha_once = PTHREAD_ONCE_INIT;
static pthread_key_t sha_key;
static bool sha_key_made;

static void sha_free(void *ctx)
{
	EVP_MD_CTX_free(ctx);
}

static void sha_init(void)
{
	sha_key_made = pthread_key_create(&sha_key, sha_free) == 0;
}

/** This thread's context, ready for a digest; NULL when there is none to be had. */
static EVP_MD_CTX *sha_begin(void)
{
	if (pthread_once(&sha_once, sha_init) != 0 || !sha_key_made)
		return NULL;
	EVP_MD_CTX *ctx = pthread_getspecific(sha_key);
	if (ctx != NULL)
		return EVP_DigestInit_ex2(ctx, NULL, NULL) == 1 ? ctx : NULL;
	EVP_MD *md = EVP_MD_fetch(NULL, "SHA256", NULL);
	ctx = EVP_MD_CTX_new();
	bool ok = md != NULL && ctx != NULL && EVP_DigestInit_ex2(ctx, md, NULL) == 1 &&
	          pthread_setspecific(sha_key, ctx) == 0;
	EVP_MD_free(md); /* the context has its own reference */
	if (ok)
		return ctx;
	EVP_MD_CTX_free(ctx);
	return NULL;
}

struct mm_fp mm_fp_of(struct mm_slice opaque)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	struct mm_fp fp;
	EVP_MD_CTX *ctx = sha_begin();
	if (ctx == NULL || EVP_DigestUpdate(ctx, opaque.p, opaque.len) != 1 ||
	        EVP_DigestFinal_ex(ctx, digest, NULL) != 1)
		SHA256(opaque.p, opaque.len, digest);
	memcpy(fp.b, digest, sizeof fp.b);
	return fp;
}

bool mm_fp_is_set(const struct mm_fp *fp)
{
	static const struct mm_fp none;
	return !mm_fp_eq(fp, &none);
}

bool mm_fp_eq(const struct mm_fp *a, const struct mm_fp *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

const char *mm_fp_text(const struct mm_fp *fp, char out[MM_FP_TEXT])
{
	static const char hex[] = "0123456789abcdef";
	for (size_t i = 0; i < sizeof fp->b; i++) {
		out[2 * i] = hex[fp->b[i] >> 4];
		out[2 * i + 1] = hex[fp->b[i] & 15];
	}
	out[2 * sizeof fp->b] = '\0';
	return out;
}
