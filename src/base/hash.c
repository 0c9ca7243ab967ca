/* SipHash-1-3 and credential fingerprints. */
#include "base/hash.h"

#include <openssl/sha.h>

static inline uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

uint64_t mm_siphash(const struct mm_hash_key *key, const void *p, size_t len)
{
	/* The initial state is the ASCII of "somepseudorandomlygeneratedbytes". */
	uint64_t v[4] = { key->k0 ^ UINT64_C(0x736f6d6570736575),
		key->k1 ^ UINT64_C(0x646f72616e646f6d), key->k0 ^ UINT64_C(0x6c7967656e657261),
		key->k1 ^ UINT64_C(0x7465646279746573) };
	struct mm_cursor c = mm_cursor(mm_slice(p, len));
	while (c.len >= 8) {
		uint64_t m = mm_le64(&c);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	uint64_t last = mm_le(&c, c.len) | (uint64_t)(len & 0xff) << 56;
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct mm_fp mm_fp_of(struct mm_slice opaque)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	struct mm_fp fp;
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
