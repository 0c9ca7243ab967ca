/* ASN.1 elements over a cursor. */
#include "base/der.h"

enum {
	TAG_NUMBER_MASK = 0x1f,
	LENGTH_LONG = 0x80,
	LENGTH_OCTETS_MAX = 4, /* contents beyond 4 GiB are no authentication message */
};

/* As mm_der_header(). Kerberos is a few dozen elements for each message: reading one is worth inlining. */
static inline int read_header(struct mm_slice s, uint8_t *tag, size_t *header, size_t *body)
{
	struct mm_cursor c = mm_cursor(s);
	if (s.len < 2)
		return 0;
	uint8_t t = mm_u8(&c);
	uint8_t first = mm_u8(&c);
	if ((t & TAG_NUMBER_MASK) == TAG_NUMBER_MASK)
		return -1;
	size_t len = first;
	if (first & LENGTH_LONG) {
		size_t n = first & 0x7fu;
		if (n == 0 || n > LENGTH_OCTETS_MAX)
			return -1;
		if (n > c.len)
			return 0;
		len = n == 2 ? mm_be16(&c) : (size_t)mm_be(&c, n);
	}
	*tag = t;
	*header = s.len - c.len;
	*body = len;
	return 1;
}

/* The next element's tag and contents; false, and the error, when it is none or does not fit. */
static inline bool element(struct mm_cursor *c, uint8_t *tag, struct mm_slice *body)
{
	size_t header, len;
	if (read_header(mm_left(c), tag, &header, &len) != 1 || len > c->len - header) {
		mm_fail(c);
		return false;
	}
	mm_skip(c, header);
	*body = mm_take(c, len);
	return true;
}

/* Where the contents begin and how long they are, if the element has this tag, the length one of the forms that hold
 * nearly all of them, and all of it is there: 0 otherwise, which says no more than that somebody has to look closely. */
static inline size_t plain_header(const struct mm_cursor *c, uint8_t tag, size_t *len)
{
	enum { SHORT = 2, LONG1 = 3, LONG2 = 4 }; /* bytes of tag and length */
	const uint8_t *p = c->p;
	size_t header = SHORT;
	if (c->len < SHORT || p[0] != tag)
		return 0;
	*len = p[1];
	if (p[1] & LENGTH_LONG) {
		if (c->len < LONG2 || p[1] > (LENGTH_LONG | 2) || p[1] == LENGTH_LONG)
			return 0;
		header = p[1] == (LENGTH_LONG | 1) ? LONG1 : LONG2;
		*len = header == LONG1 ? p[2] : (size_t)p[2] << 8 | p[3];
	}
	return *len <= c->len - header ? header : 0;
}

static inline struct mm_cursor get(struct mm_cursor *c, uint8_t tag)
{
	uint8_t t;
	struct mm_slice body;
	size_t len, header = plain_header(c, tag, &len);
	if (header != 0 && (tag & TAG_NUMBER_MASK) != TAG_NUMBER_MASK) {
		struct mm_cursor contents = { c->p + header, len, false };
		c->p += header + len;
		c->len -= header + len;
		return contents;
	}
	if (mm_peek8(c) != tag || !element(c, &t, &body)) {
		mm_fail(c);
		return (struct mm_cursor){ c->p, 0, true };
	}
	return mm_cursor(body);
}

int mm_der_header(struct mm_slice s, uint8_t *tag, size_t *header, size_t *body)
{
	return read_header(s, tag, header, body);
}

bool mm_der_next(struct mm_cursor *c, uint8_t *tag, struct mm_slice *body)
{
	return c->len != 0 && element(c, tag, body);
}

struct mm_cursor mm_der_get(struct mm_cursor *c, uint8_t tag)
{
	return get(c, tag);
}

bool mm_der_opt(struct mm_cursor *c, uint8_t tag, struct mm_cursor *body)
{
	if (mm_peek8(c) != tag)
		return false;
	*body = get(c, tag);
	return !c->err;
}

static int64_t integer(struct mm_slice body, bool *ok)
{
	if (body.len == 0 || body.len > sizeof(int64_t)) {
		*ok = false;
		return 0;
	}
	struct mm_cursor c = mm_cursor(body);
	uint64_t v = (mm_peek8(&c) & 0x80) ? UINT64_MAX : 0;
	for (size_t i = 0; i < body.len; i++)
		v = v << 8 | body.p[i];
	return (int64_t)v;
}

int64_t mm_der_int(struct mm_cursor *c)
{
	bool ok = true;
	struct mm_cursor body = get(c, MM_DER_INTEGER);
	if (c->err)
		return 0;
	int64_t v = integer(mm_left(&body), &ok);
	if (!ok)
		mm_fail(c);
	return v;
}

struct mm_slice mm_der_string(struct mm_cursor *c, uint8_t tag)
{
	struct mm_cursor body = get(c, tag);
	return mm_left(&body);
}

uint32_t mm_der_flags(struct mm_cursor *c)
{
	struct mm_cursor body = mm_der_get(c, MM_DER_BIT_STRING);
	if (c->err)
		return 0;
	mm_skip(&body, 1); /* unused bits of the last octet */
	if (body.err) {
		mm_fail(c);
		return 0;
	}
	uint32_t v = 0;
	for (unsigned i = 0; i < 4; i++)
		v = v << 8 | (body.len != 0 ? mm_u8(&body) : 0u);
	return v;
}

/* Days from 1970-01-01 to the first of a month, proleptic Gregorian. */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
	return era * 146097 + doe - 719468;
}

static int64_t digits(struct mm_cursor *c, unsigned n)
{
	int64_t v = 0;
	for (unsigned i = 0; i < n; i++) {
		uint8_t b = mm_u8(c);
		if (b < '0' || b > '9') {
			mm_fail(c);
			return 0;
		}
		v = v * 10 + (b - '0');
	}
	return v;
}

int64_t mm_der_time(struct mm_cursor *c)
{
	struct mm_cursor t = mm_cursor(mm_der_string(c, MM_DER_GENERALIZED_TIME));
	int64_t year = digits(&t, 4), month = digits(&t, 2), day = digits(&t, 2);
	int64_t hour = digits(&t, 2), minute = digits(&t, 2), second = digits(&t, 2);
	if (t.err || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 ||
	        second > 60) {
		mm_fail(c);
		return 0;
	}
	return ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}
