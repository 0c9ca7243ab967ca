/* Bytes to be stored: little-endian numbers, one after the other, to be read again through a cursor.
 *
 * Made to be fast: a state of a million credentials is put into one while packets wait. */
#ifndef MM_BASE_STORE_H
#define MM_BASE_STORE_H

#include <endian.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/hash.h"

struct mm_store {
	uint8_t *p;
	size_t len, room;
	bool failed; /* memory was out: what is in it is cut */
};

void mm_store_done(struct mm_store *s);

/** Room for this many more bytes; false, and failed, when memory is out. */
bool mm_store_reserve(struct mm_store *s, size_t more);

static inline void mm_store_bytes(struct mm_store *s, const void *p, size_t len)
{
	if (len > s->room - s->len && !mm_store_reserve(s, len))
		return;
	if (len != 0)
		memcpy(s->p + s->len, p, len);
	s->len += len;
}

static inline void mm_store_u8(struct mm_store *s, uint8_t v)
{
	mm_store_bytes(s, &v, sizeof v);
}

static inline void mm_store_u16(struct mm_store *s, uint16_t v)
{
	v = htole16(v);
	mm_store_bytes(s, &v, sizeof v);
}

static inline void mm_store_u32(struct mm_store *s, uint32_t v)
{
	v = htole32(v);
	mm_store_bytes(s, &v, sizeof v);
}

static inline void mm_store_u64(struct mm_store *s, uint64_t v)
{
	v = htole64(v);
	mm_store_bytes(s, &v, sizeof v);
}

/** The bits of an IEEE 754 double. */
static inline void mm_store_double(struct mm_store *s, double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	mm_store_u64(s, bits);
}

static inline void mm_store_float(struct mm_store *s, float v)
{
	uint32_t bits;
	memcpy(&bits, &v, sizeof bits);
	mm_store_u32(s, bits);
}

/** Length in two bytes, then the text, cut at 65535. */
void mm_store_text(struct mm_store *s, const char *p, size_t len);

/** Family and 16 bytes. */
void mm_store_addr(struct mm_store *s, const struct mm_addr *addr);

/* Sections: a tag, the length of what follows, and that. */

/** Begin one; returns what mm_store_end() wants. */
size_t mm_store_begin(struct mm_store *s, uint32_t tag);
void mm_store_end(struct mm_store *s, size_t begun);

/* And read again. What is out of bounds fails the cursor. */

/** A number that must be at most max. */
uint64_t mm_load_u64(struct mm_cursor *c, uint64_t max);
uint32_t mm_load_u32(struct mm_cursor *c, uint32_t max);
uint8_t mm_load_u8(struct mm_cursor *c, uint8_t max);

/** A time from 1970 to 2116, so that no sum or difference of two overflows. */
int64_t mm_load_time(struct mm_cursor *c);

/** A double that must be a number from min to max. */
double mm_load_double(struct mm_cursor *c, double min, double max);
float mm_load_float(struct mm_cursor *c, float min, float max);

struct mm_slice mm_load_text(struct mm_cursor *c, size_t max);

/** An address as it must be: of a family there is, with zeroes in the bytes it does not use. */
struct mm_addr mm_load_addr(struct mm_cursor *c);
struct mm_fp mm_load_fp(struct mm_cursor *c);

/** The section that must come next, as a cursor of its own. */
struct mm_cursor mm_load_section(struct mm_cursor *c, uint32_t tag);

#endif
