/* DER for tests: elements made from the inside out, in memory that der_reset() takes back. */
#ifndef MM_TESTS_DER_BUILD_H
#define MM_TESTS_DER_BUILD_H

#include <assert.h>
#include <string.h>

#include "base/der.h"

enum { DER_ROOM = 4 << 20 };

static uint8_t der_memory[DER_ROOM];
static size_t der_used;

static inline void der_reset(void)
{
	der_used = 0;
}

static inline uint8_t *der_alloc(size_t n)
{
	assert(n <= DER_ROOM - der_used);
	der_used += n;
	return der_memory + der_used - n;
}

/** Slices one after the other. */
static inline struct mm_slice der_cat(size_t n, const struct mm_slice *parts)
{
	size_t len = 0;
	for (size_t i = 0; i < n; i++)
		len += parts[i].len;
	uint8_t *p = der_alloc(len), *at = p;
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len != 0)
			memcpy(at, parts[i].p, parts[i].len);
		at += parts[i].len;
	}
	return mm_slice(p, len);
}

/** An element; X.690 section 8.1.3, in the shortest form. */
static inline struct mm_slice der_wrap(uint8_t tag, size_t n, const struct mm_slice *parts)
{
	uint8_t head[4] = { tag };
	size_t n_head = 2;
	struct mm_slice body = der_cat(n, parts);
	assert(body.len < 65536);
	if (body.len < 0x80) {
		head[1] = (uint8_t)body.len;
	} else if (body.len < 0x100) {
		head[1] = 0x81;
		head[2] = (uint8_t)body.len;
		n_head = 3;
	} else {
		head[1] = 0x82;
		head[2] = (uint8_t)(body.len >> 8);
		head[3] = (uint8_t)body.len;
		n_head = 4;
	}
	return der_cat(2, (const struct mm_slice[]){ mm_slice(head, n_head), body });
}

#define DER_PARTS(...)                                                                             \
	sizeof((const struct mm_slice[]){ __VA_ARGS__ }) / sizeof(struct mm_slice),                \
	        (const struct mm_slice[])                                                          \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define EL(tag, ...) der_wrap((uint8_t)(tag), DER_PARTS(__VA_ARGS__))
#define SEQ(...)     EL(MM_DER_SEQUENCE, __VA_ARGS__)
#define CTX(n, ...)  EL(mm_der_context(n), __VA_ARGS__)
#define APP(n, ...)  EL(mm_der_application(n), __VA_ARGS__)
#define BYTES(...)                                                                                 \
	der_copy((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))
#define NOTHING mm_slice(NULL, 0)

static inline struct mm_slice der_copy(const uint8_t *p, size_t n)
{
	struct mm_slice s = mm_slice(p, n);
	return der_cat(1, &s);
}

static inline struct mm_slice der_integer(int64_t v)
{
	uint8_t b[8];
	size_t n = 8;
	for (size_t i = 0; i < 8; i++)
		b[i] = (uint8_t)((uint64_t)v >> (56 - 8 * i));
	while (n > 1 &&
	        ((b[8 - n] == 0 && b[9 - n] < 0x80) || (b[8 - n] == 0xff && b[9 - n] >= 0x80)))
		n--;
	return EL(MM_DER_INTEGER, mm_slice(b + 8 - n, n));
}

static inline struct mm_slice der_text(uint8_t tag, const char *s)
{
	return EL(tag, mm_slice_str(s));
}

static inline struct mm_slice der_general(const char *s)
{
	return der_text(MM_DER_GENERAL_STRING, s);
}

static inline struct mm_slice der_octets(struct mm_slice s)
{
	return EL(MM_DER_OCTET_STRING, s);
}

static inline struct mm_slice der_flags(uint32_t v)
{
	return EL(MM_DER_BIT_STRING,
	        BYTES(0, (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v));
}

#endif
