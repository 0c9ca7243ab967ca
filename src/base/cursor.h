/* Untrusted bytes: slices, and cursors with a sticky error.
 *
 * A slice borrows bytes. A cursor reads a slice from front to back; a read past the end sets the error,
 * leaves the cursor at its end and yields zero or an empty slice, so a parser reads on and looks at the
 * error once. Nothing outside this file may index input or move a pointer into it. */
#ifndef MM_BASE_CURSOR_H
#define MM_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mm_slice {
	const uint8_t *p;
	size_t len;
};

struct mm_cursor {
	const uint8_t *p;
	size_t len; /* bytes left */
	bool err;   /* sticky: a read went past the end, or an element was not what it had to be */
};

static inline struct mm_slice mm_slice(const void *p, size_t len)
{
	return (struct mm_slice){ p, len };
}

/** A slice over a C string, without its NUL. */
static inline struct mm_slice mm_slice_str(const char *s)
{
	return (struct mm_slice){ (const uint8_t *)s, strlen(s) };
}

static inline struct mm_cursor mm_cursor(struct mm_slice s)
{
	return (struct mm_cursor){ s.p, s.len, false };
}

/** Mark the cursor failed and empty; every later read yields zero. */
static inline void mm_fail(struct mm_cursor *c)
{
	c->len = 0;
	c->err = true;
}

/** True when everything was read and nothing failed. */
static inline bool mm_end(const struct mm_cursor *c)
{
	return c->len == 0 && !c->err;
}

/** The next n bytes, borrowed; an empty slice and the error when fewer are left. */
static inline struct mm_slice mm_take(struct mm_cursor *c, size_t n)
{
	if (n > c->len) {
		mm_fail(c);
		return (struct mm_slice){ c->p, 0 };
	}
	struct mm_slice s = { c->p, n };
	if (n != 0)
		c->p += n;
	c->len -= n;
	return s;
}

static inline void mm_skip(struct mm_cursor *c, size_t n)
{
	(void)mm_take(c, n);
}

/** All that is left; the cursor is then at its end. */
static inline struct mm_slice mm_rest(struct mm_cursor *c)
{
	return mm_take(c, c->len);
}

/** All that is left, without moving. */
static inline struct mm_slice mm_left(const struct mm_cursor *c)
{
	return (struct mm_slice){ c->p, c->len };
}

/** The next byte without moving; -1 at the end. */
static inline int mm_peek8(const struct mm_cursor *c)
{
	return c->len == 0 ? -1 : c->p[0];
}

static inline uint64_t mm_be(struct mm_cursor *c, size_t n)
{
	struct mm_slice s = mm_take(c, n);
	uint64_t v = 0;
	for (size_t i = 0; i < s.len; i++)
		v = v << 8 | s.p[i];
	return v;
}

static inline uint64_t mm_le(struct mm_cursor *c, size_t n)
{
	struct mm_slice s = mm_take(c, n);
	uint64_t v = 0;
	for (size_t i = s.len; i > 0; i--)
		v = v << 8 | s.p[i - 1];
	return v;
}

/* The sizes that headers are made of are written out, without a loop: compilers make one load of each. */

static inline uint8_t mm_u8(struct mm_cursor *c)
{
	struct mm_slice s = mm_take(c, 1);
	return s.len == 0 ? 0 : s.p[0];
}

/* Those that every packet of the line takes are written out: no compiler makes one load of the loop above. */
static inline uint16_t mm_be16(struct mm_cursor *c)
{
	struct mm_slice s = mm_take(c, 2);
	return s.len == 0 ? 0 : (uint16_t)((unsigned)s.p[0] << 8 | s.p[1]);
}

static inline uint32_t mm_be24(struct mm_cursor *c)
{
	return (uint32_t)mm_be(c, 3);
}

static inline uint32_t mm_be32(struct mm_cursor *c)
{
	struct mm_slice s = mm_take(c, 4);
	return s.len == 0 ? 0
	                  : (uint32_t)s.p[0] << 24 | (uint32_t)s.p[1] << 16 |
	                            (uint32_t)s.p[2] << 8 | s.p[3];
}

static inline uint64_t mm_be64(struct mm_cursor *c)
{
	return mm_be(c, 8);
}

static inline uint16_t mm_le16(struct mm_cursor *c)
{
	struct mm_slice s = mm_take(c, 2);
	return s.len == 0 ? 0 : (uint16_t)((unsigned)s.p[1] << 8 | s.p[0]);
}

static inline uint32_t mm_le32(struct mm_cursor *c)
{
	struct mm_slice s = mm_take(c, 4);
	return s.len == 0 ? 0
	                  : (uint32_t)s.p[3] << 24 | (uint32_t)s.p[2] << 16 |
	                            (uint32_t)s.p[1] << 8 | s.p[0];
}

static inline uint64_t mm_le64(struct mm_cursor *c)
{
	struct mm_slice s = mm_take(c, 8);
	return s.len == 0
	               ? 0
	               : (uint64_t)s.p[7] << 56 | (uint64_t)s.p[6] << 48 | (uint64_t)s.p[5] << 40 |
	                         (uint64_t)s.p[4] << 32 | (uint64_t)s.p[3] << 24 |
	                         (uint64_t)s.p[2] << 16 | (uint64_t)s.p[1] << 8 | s.p[0];
}

/** The byte at i, or -1 when the slice ends before it. For probes and searches, not for parsing. */
static inline int mm_at(struct mm_slice s, size_t i)
{
	return i < s.len ? s.p[i] : -1;
}

/** The part of s at [off, off + len) in *out; false, and *out untouched, when it is not all inside. */
static inline bool mm_sub(struct mm_slice s, size_t off, size_t len, struct mm_slice *out)
{
	if (off > s.len || len > s.len - off)
		return false;
	*out = (struct mm_slice){ len == 0 ? s.p : s.p + off, len };
	return true;
}

/** The first n bytes of s, or all of it when it is shorter. */
static inline struct mm_slice mm_first(struct mm_slice s, size_t n)
{
	return (struct mm_slice){ s.p, n < s.len ? n : s.len };
}

/** Does part lie in whole? */
static inline bool mm_slice_holds(struct mm_slice whole, struct mm_slice part)
{
	uintptr_t from = (uintptr_t)whole.p, at = (uintptr_t)part.p;
	return at >= from && at - from <= whole.len && part.len <= whole.len - (at - from);
}

/** What follows the first n bytes of s; empty when it is shorter. */
static inline struct mm_slice mm_after(struct mm_slice s, size_t n)
{
	if (n >= s.len)
		return (struct mm_slice){ s.p, 0 };
	return (struct mm_slice){ s.p + n, s.len - n };
}

static inline bool mm_slice_eq(struct mm_slice a, struct mm_slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/** Index of byte b at or after from; s.len when there is none. */
static inline size_t mm_find8(struct mm_slice s, size_t from, uint8_t b)
{
	if (from >= s.len)
		return s.len;
	const uint8_t *hit = memchr(s.p + from, b, s.len - from);
	return hit == NULL ? s.len : (size_t)(hit - s.p);
}

/** Index of needle at or after from; s.len when there is none. */
static inline size_t mm_find(struct mm_slice s, size_t from, struct mm_slice needle)
{
	if (from > s.len || needle.len > s.len - from)
		return s.len;
	const uint8_t *hit = memmem(s.p + from, s.len - from, needle.p, needle.len);
	return hit == NULL ? s.len : (size_t)(hit - s.p);
}

#endif
