/* SipHash-1-3 and credential fingerprints. */
#include "base/hash.h"

#include <openssl/sha.h>

#include "base/siphash.h"

uint64_t mm_siphash(const struct mm_hash_key *key, const void *p, size_t len)
{
	struct mm_sip sip = mm_sip_begin(key);
	struct mm_cursor c = mm_cursor(mm_slice(p, len));
	while (c.len >= 8)
		mm_sip_word(&sip, mm_le64(&c));
	mm_sip_word(&sip, mm_le(&c, c.len) | (uint64_t)(len & 0xff) << 56);
	return mm_sip_end(&sip);
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
