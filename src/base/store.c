/* Bytes to be stored. */
#include "base/store.h"

#include <stdlib.h>

void mm_store_done(struct mm_store *s)
{
	free(s->p);
	*s = (struct mm_store){ 0 };
}

bool mm_store_reserve(struct mm_store *s, size_t more)
{
	enum { ROOM_MIN = 4096 };
	size_t need, room = s->room < ROOM_MIN ? ROOM_MIN : s->room;
	uint8_t *p = NULL;
	if (s->failed)
		return false;
	if (more <= s->room - s->len)
		return true;
	bool fits = !__builtin_add_overflow(s->len, more, &need) && need <= SIZE_MAX / 2;
	while (fits && room < need)
		room *= 2;
	if (!fits || (p = realloc(s->p, room)) == NULL) {
		s->failed = true;
		s->room = s->len; /* what comes after a gap is not taken */
		return false;
	}
	s->p = p;
	s->room = room;
	return true;
}

void mm_store_text(struct mm_store *s, const char *p, size_t len)
{
	uint16_t n = len < UINT16_MAX ? (uint16_t)len : UINT16_MAX;
	mm_store_u16(s, n);
	mm_store_bytes(s, p, n);
}

size_t mm_store_begin(struct mm_store *s, uint32_t tag)
{
	mm_store_u32(s, tag);
	mm_store_u64(s, 0);
	return s->len;
}

void mm_store_end(struct mm_store *s, size_t begun)
{
	uint64_t len = htole64(s->len - begun);
	if (!s->failed)
		memcpy(s->p + begun - sizeof len, &len, sizeof len);
}

uint64_t mm_load_u64(struct mm_cursor *c, uint64_t max)
{
	uint64_t v = mm_le64(c);
	if (v <= max)
		return v;
	mm_fail(c);
	return 0;
}

uint32_t mm_load_u32(struct mm_cursor *c, uint32_t max)
{
	uint32_t v = mm_le32(c);
	if (v <= max)
		return v;
	mm_fail(c);
	return 0;
}

uint8_t mm_load_u8(struct mm_cursor *c, uint8_t max)
{
	uint8_t v = mm_u8(c);
	if (v <= max)
		return v;
	mm_fail(c);
	return 0;
}

int64_t mm_load_time(struct mm_cursor *c)
{
	return (int64_t)mm_load_u64(c, INT64_MAX / 2);
}

double mm_load_double(struct mm_cursor *c, double min, double max)
{
	uint64_t bits = mm_le64(c);
	double v;
	memcpy(&v, &bits, sizeof v);
	if (v >= min && v <= max)
		return v;
	mm_fail(c);
	return min;
}

float mm_load_float(struct mm_cursor *c, float min, float max)
{
	uint32_t bits = mm_le32(c);
	float v;
	memcpy(&v, &bits, sizeof v);
	if (v >= min && v <= max)
		return v;
	mm_fail(c);
	return min;
}

struct mm_slice mm_load_text(struct mm_cursor *c, size_t max)
{
	size_t len = mm_le16(c);
	if (len > max)
		mm_fail(c);
	return mm_take(c, c->err ? 0 : len);
}

void mm_store_addr(struct mm_store *s, const struct mm_addr *addr)
{
	mm_store_u8(s, addr->family);
	mm_store_bytes(s, addr->b, sizeof addr->b);
}

struct mm_addr mm_load_addr(struct mm_cursor *c)
{
	enum { IPV4 = 4, IPV6 = 6, IPV4_BYTES = 4 };
	struct mm_addr none = { 0 }, addr = { .family = mm_u8(c) };
	struct mm_slice b = mm_take(c, sizeof addr.b);
	size_t used = addr.family == IPV6 ? sizeof addr.b : addr.family == IPV4 ? IPV4_BYTES : 0;
	if (addr.family != 0 && used == 0)
		mm_fail(c);
	for (size_t i = used; i < b.len; i++)
		if (mm_at(b, i) != 0)
			mm_fail(c);
	if (c->err)
		return none;
	memcpy(addr.b, b.p, sizeof addr.b);
	return addr;
}

struct mm_fp mm_load_fp(struct mm_cursor *c)
{
	struct mm_fp fp = { { 0 } };
	struct mm_slice b = mm_take(c, sizeof fp.b);
	if (b.len == sizeof fp.b)
		memcpy(fp.b, b.p, sizeof fp.b);
	return fp;
}

struct mm_cursor mm_load_section(struct mm_cursor *c, uint32_t tag)
{
	if (mm_le32(c) != tag)
		mm_fail(c);
	uint64_t len = mm_le64(c);
	if (len > c->len)
		mm_fail(c);
	struct mm_cursor section = mm_cursor(mm_take(c, c->err ? 0 : (size_t)len));
	section.err = c->err;
	return section;
}
