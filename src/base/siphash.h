/* SipHash-1-3, word by word: for keys whose shape is known, on the packet path. */
#ifndef MM_BASE_SIPHASH_H
#define MM_BASE_SIPHASH_H

#include "base/hash.h"

struct mm_sip {
	uint64_t v[4];
};

static inline uint64_t mm_sip_rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void mm_sip_round(struct mm_sip *s)
{
	uint64_t *v = s->v;
	v[0] += v[1];
	v[2] += v[3];
	v[1] = mm_sip_rotl(v[1], 13) ^ v[0];
	v[3] = mm_sip_rotl(v[3], 16) ^ v[2];
	v[0] = mm_sip_rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = mm_sip_rotl(v[1], 17) ^ v[2];
	v[3] = mm_sip_rotl(v[3], 21) ^ v[0];
	v[2] = mm_sip_rotl(v[2], 32);
}

/** The initial state: the key, and the ASCII of "somepseudorandomlygeneratedbytes". */
static inline struct mm_sip mm_sip_begin(const struct mm_hash_key *key)
{
	return (struct mm_sip){ { key->k0 ^ UINT64_C(0x736f6d6570736575),
		key->k1 ^ UINT64_C(0x646f72616e646f6d), key->k0 ^ UINT64_C(0x6c7967656e657261),
		key->k1 ^ UINT64_C(0x7465646279746573) } };
}

/** Take in eight bytes, as a little-endian number. */
static inline void mm_sip_word(struct mm_sip *s, uint64_t m)
{
	s->v[3] ^= m;
	mm_sip_round(s);
	s->v[0] ^= m;
}

static inline uint64_t mm_sip_finish(struct mm_sip *s)
{
	for (int i = 0; i < 3; i++)
		mm_sip_round(s);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

static inline uint64_t mm_sip_end(struct mm_sip *s)
{
	s->v[2] ^= 0xff;
	return mm_sip_finish(s);
}

#endif
