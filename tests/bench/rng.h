/* Random numbers for the generator: splitmix64, good enough for shapes, payload and keys that guard nothing. */
#ifndef MM_TESTS_RNG_H
#define MM_TESTS_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/** A number in [0, n). */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

/** A number in [low, high]. */
static inline uint32_t rng_range(struct rng *r, uint32_t low, uint32_t high)
{
	return low + rng_below(r, high - low + 1);
}

static inline bool rng_percent(struct rng *r, uint32_t percent)
{
	return rng_below(r, 100) < percent;
}

static inline void rng_fill(struct rng *r, uint8_t *to, size_t n)
{
	for (; n >= 8; n -= 8, to += 8) {
		uint64_t z = rng_next(r);

		for (unsigned i = 0; i < 8; i++)
			to[i] = (uint8_t)(z >> (8 * i));
	}
	for (; n > 0; n--)
		*to++ = (uint8_t)rng_next(r);
}

#endif
