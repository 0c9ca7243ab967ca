/* A growable text buffer: numbers, times and strings as they leave the program.
 *
 * Every event passes here, so nothing goes through printf() but rare text; and nothing depends on the locale. */
#include "output/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_ROOM = 4096,
	ASCII_MAX = 0x7f,
};

void mm_buf_done(struct mm_buf *b)
{
	free(b->p);
	*b = (struct mm_buf){ 0 };
}

void mm_buf_reset(struct mm_buf *b)
{
	b->len = 0;
	b->failed = false;
}

bool mm_buf_grow(struct mm_buf *b, size_t n)
{
	if (b->failed)
		return false;
	size_t room = b->room != 0 ? b->room : FIRST_ROOM;
	while (n >= room - b->len && room <= SIZE_MAX / 2)
		room *= 2;
	char *p = n < room - b->len ? realloc(b->p, room) : NULL;
	if (p == NULL) {
		b->failed = true;
		return false;
	}
	b->p = p;
	b->room = room;
	return true;
}

void mm_buf_printf(struct mm_buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		b->failed = true;
	if (n < 0 || !mm_buf_reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/** Two digits at p. */
static inline void two_digits(char *p, unsigned v)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
	                            "25262728293031323334353637383940414243444546474849"
	                            "50515253545556575859606162636465666768697071727374"
	                            "75767778798081828384858687888990919293949596979899";
	memcpy(p, pairs + 2 * v, 2);
}

static size_t count_digits(uint64_t v)
{
	size_t n = 1;
	for (; v >= 10000; v /= 10000)
		n += 4;
	return n + (v >= 10) + (v >= 100) + (v >= 1000);
}

/** At least width digits. */
static void put_digits(struct mm_buf *b, uint64_t v, size_t width)
{
	if (v < 10 && width == 1) {
		char digit = (char)('0' + v);
		mm_buf_put(b, &digit, 1);
		return;
	}
	size_t n = count_digits(v);
	n = n < width ? width : n;
	if (!mm_buf_reserve(b, n))
		return;
	char *p = b->p + b->len, *end = p + n;
	b->len += n;
	*end = '\0';
	for (; v >= 100; v /= 100)
		two_digits(end -= 2, (unsigned)(v % 100));
	if (v >= 10)
		two_digits(end -= 2, (unsigned)v);
	else
		*--end = (char)('0' + v);
	while (end > p)
		*--end = '0';
}

void mm_buf_u64(struct mm_buf *b, uint64_t v)
{
	put_digits(b, v, 1);
}

void mm_buf_i64(struct mm_buf *b, int64_t v)
{
	if (v < 0)
		mm_buf_put(b, "-", 1);
	put_digits(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 1);
}

void mm_buf_fixed(struct mm_buf *b, double v, unsigned decimals)
{
	const double most = 9e18; /* below 2^63 */
	uint64_t scale = 1;
	for (unsigned i = 0; i < decimals && i < 9; i++)
		scale *= 10;
	double scaled = (v < 0 ? -v : v) * (double)scale + 0.5;
	uint64_t n = scaled >= most ? (uint64_t)most : scaled > 0 ? (uint64_t)scaled : 0;
	if (v < 0 && n != 0)
		mm_buf_put(b, "-", 1);
	mm_buf_u64(b, n / scale);
	if (scale == 1)
		return;
	mm_buf_put(b, ".", 1);
	put_digits(b, n % scale, decimals < 9 ? decimals : 9);
}

/* What a byte begins, in text of which nothing is known: 0 plain ASCII, else it needs a look. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < ASCII_MAX && c != '"' && c != '\\';
}

/** The character at p, left > 0 bytes of it, and its length in *n; U+FFFD for bytes that are no UTF-8 (RFC 3629
 * section 3), then *n is 1. */
static uint32_t utf8(const unsigned char *p, size_t left, size_t *n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800,
		0x10000 }; /* shorter would have done */
	size_t len = p[0] < 0x80   ? 1
	             : p[0] < 0xc2 ? 0
	             : p[0] < 0xe0 ? 2
	             : p[0] < 0xf0 ? 3
	             : p[0] < 0xf5 ? 4
	                           : 0;
	uint32_t c = len < 2 ? p[0] : p[0] & (ASCII_MAX >> len);
	bool ok = len != 0 && len <= left;
	for (size_t i = 1; ok && i < len; i++) {
		ok = (p[i] & 0xc0) == 0x80;
		c = c << 6 | (p[i] & 0x3f);
	}
	ok = ok && c >= least[len] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
	*n = ok ? len : 1;
	return ok ? c : 0xfffd;
}

/* Characters that would steer a terminal or make text read in another order than it is written. */
static bool is_steering(uint32_t c)
{
	return c < 0x20 || (c >= ASCII_MAX && c < 0xa0) || /* C0, DEL, C1 (ISO 6429) */
	       c == 0x061c || c == 0x200e ||
	       c == 0x200f ||                  /* bidirectional marks (Unicode UAX 9) */
	       (c >= 0x2028 && c <= 0x202e) || /* line ends, embeddings, overrides */
	       (c >= 0x2066 && c <= 0x2069);   /* isolates */
}

static void put_escape(struct mm_buf *b, uint32_t c)
{
	static const char hex[] = "0123456789abcdef";
	char out[6] = { '\\', 'u', hex[c >> 12 & 15], hex[c >> 8 & 15], hex[c >> 4 & 15],
		hex[c & 15] };
	switch (c) {
	case '"':
	case '\\':
		out[1] = (char)c;
		break;
	case '\n':
		out[1] = 'n';
		break;
	case '\r':
		out[1] = 'r';
		break;
	case '\t':
		out[1] = 't';
		break;
	default:
		mm_buf_put(b, out, 6);
		return;
	}
	mm_buf_put(b, out, 2);
}

/** Which of eight bytes are not plain, as the top bit of each; a byte after the first may be told wrongly. */
static uint64_t not_plain(uint64_t w)
{
	const uint64_t ones = UINT64_MAX / UINT8_MAX, tops = ones << 7;
	uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
	/* x - n borrows into the top bit of a byte below n; x + 1 carries into that of DEL */
	return ((w - ones * 0x20) | (quote - ones) | (slash - ones) | (w + ones) | w) & tops;
}

/** How many bytes at p can be copied as they are. */
static size_t plain_run(const unsigned char *p, size_t len)
{
	size_t n = 0;
	uint64_t w;
	for (; len - n >= sizeof w; n += sizeof w) {
		memcpy(&w, p + n, sizeof w);
		if (not_plain(w) != 0)
			break;
	}
	while (n < len && is_plain(p[n]))
		n++;
	return n;
}

static bool is_all_plain(const unsigned char *p, size_t len)
{
	uint64_t w;
	if (len < sizeof w)
		return plain_run(p, len) == len;
	for (size_t n = 0; len - n >= sizeof w; n += sizeof w) {
		memcpy(&w, p + n, sizeof w);
		if (not_plain(w) != 0)
			return false;
	}
	memcpy(&w, p + len - sizeof w, sizeof w);
	return not_plain(w) == 0;
}

/** As they are, in quotes. */
static void put_quoted(struct mm_buf *b, const char *text, size_t len)
{
	if (!mm_buf_reserve(b, len + 2))
		return;
	char *p = b->p + b->len;
	*p = '"';
	if (len != 0)
		memcpy(p + 1, text, len);
	memcpy(p + 1 + len, "\"", 2);
	b->len += len + 2;
}

void mm_buf_json(struct mm_buf *b, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	if (is_all_plain(p, len)) {
		put_quoted(b, text, len);
		return;
	}
	mm_buf_put(b, "\"", 1);
	for (size_t i = 0; i < len;) {
		size_t n = plain_run(p + i, len - i);
		mm_buf_put(b, p + i, n);
		i += n;
		if (i == len)
			break;
		uint32_t c = utf8(p + i, len - i, &n);
		if (c == 0xfffd)
			mm_buf_put(b, "\xef\xbf\xbd", 3);
		else if (is_steering(c) || c == '"' || c == '\\')
			put_escape(b, c);
		else
			mm_buf_put(b, p + i, n);
		i += n;
	}
	mm_buf_put(b, "\"", 1);
}

void mm_buf_safe(struct mm_buf *b, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	for (size_t i = 0; i < len;) {
		size_t n = plain_run(p + i, len - i);
		mm_buf_put(b, p + i, n);
		i += n;
		if (i == len)
			break;
		uint32_t c = utf8(p + i, len - i, &n);
		if (c == 0xfffd || is_steering(c))
			mm_buf_put(b, "?", 1);
		else
			mm_buf_put(b, p + i, n);
		i += n;
	}
}

void mm_buf_ipv4(struct mm_buf *b, const uint8_t addr[4])
{
	enum { LONGEST = 15 }; /* 255.255.255.255 */
	if (!mm_buf_reserve(b, LONGEST))
		return;
	char *p = b->p + b->len;
	for (size_t i = 0; i < 4; i++) {
		unsigned v = addr[i];
		if (v >= 100)
			*p++ = (char)('0' + v / 100);
		if (v >= 10)
			*p++ = (char)('0' + v / 10 % 10);
		*p++ = (char)('0' + v % 10);
		*p++ = '.';
	}
	*--p = '\0';
	b->len = (size_t)(p - b->p);
}

/* "2026-01-31T12:00:00" */
static void second_text(int64_t s, char out[MM_BUF_SECOND])
{
	enum { DAY_S = 86400, ERA_DAYS = 146097, ERA_YEARS = 400 };
	int64_t days = s / DAY_S, in_day = s % DAY_S;
	if (in_day < 0) {
		in_day += DAY_S;
		days--;
	}
	/* Civil date of a day number, counted in years that begin with March in eras of 400 years. */
	int64_t z =
	        days +
	        719468; /* days from 0000-03-01 to 1970-01-01; 64-bit ns never reach before year 0 */
	int64_t era = z / ERA_DAYS, doe = z % ERA_DAYS;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;
	int64_t year = yoe + era * ERA_YEARS + (month <= 2 ? 1 : 0);
	uint32_t sec = (uint32_t)in_day;
	memcpy(out, "0000-00-00T00:00:00", MM_BUF_SECOND);
	two_digits(out, (unsigned)(year / 100));
	two_digits(out + 2, (unsigned)(year % 100));
	two_digits(out + 5, (unsigned)month);
	two_digits(out + 8, (unsigned)(doy - (153 * mp + 2) / 5 + 1));
	two_digits(out + 11, sec / 3600);
	two_digits(out + 14, sec / 60 % 60);
	two_digits(out + 17, sec % 60);
}

void mm_buf_time(struct mm_buf *b, int64_t time_ns)
{
	enum { NS = 1000000000 };
	int64_t s = time_ns / NS, ns = time_ns % NS;
	if (ns < 0) {
		ns += NS;
		s--;
	}
	if (b->second_text[0] == '\0' ||
	        b->second != s) { /* as a rule it is that of the time before */
		second_text(s, b->second_text);
		b->second = s;
	}
	char out[] = "0000-00-00T00:00:00.000000000Z";
	uint32_t frac = (uint32_t)ns;
	memcpy(out, b->second_text, MM_BUF_SECOND);
	for (size_t i = 0; i < 8; i += 2, frac /= 100)
		two_digits(out + 27 - i, frac % 100);
	out[20] = (char)('0' + frac);
	mm_buf_put(b, out, sizeof out - 1);
}
