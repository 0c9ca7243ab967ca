/* Exact-size buffers that end at an inaccessible page, and the two walks over a sample that every parser
 * must survive: each of its prefixes, and each of its bits flipped. */
#ifndef MM_TESTS_GUARD_H
#define MM_TESTS_GUARD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cursor.h"

struct guard {
	uint8_t *map;
	size_t map_len, room;
};

static inline struct guard guard_new(size_t room)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t data = (room + page - 1) / page * page;
	struct guard g = { NULL, data + page, data };
	g.map = mmap(NULL, g.map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g.map == MAP_FAILED || mprotect(g.map + data, page, PROT_NONE) != 0)
		abort();
	return g;
}

static inline void guard_free(struct guard *g)
{
	munmap(g->map, g->map_len);
}

/** A copy of the bytes whose last one lies just before the inaccessible page. */
static inline uint8_t *guard_put(struct guard *g, const uint8_t *p, size_t len)
{
	uint8_t *at = g->map + g->room - len;
	if (len != 0)
		memcpy(at, p, len);
	return at;
}

typedef void guard_fn(void *arg, struct mm_slice input);

static inline void guard_every_prefix(const uint8_t *p, size_t len, guard_fn *fn, void *arg)
{
	struct guard g = guard_new(len + 1);
	for (size_t n = 0; n <= len; n++)
		fn(arg, mm_slice(guard_put(&g, p, n), n));
	guard_free(&g);
}

static inline void guard_every_bitflip(const uint8_t *p, size_t len, guard_fn *fn, void *arg)
{
	struct guard g = guard_new(len + 1);
	uint8_t *at = guard_put(&g, p, len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		at[bit / 8] ^= (uint8_t)(1u << bit % 8);
		fn(arg, mm_slice(at, len));
		at[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	guard_free(&g);
}

#endif
