/* A growable text buffer, and the writer of JSON that every event passes. */
#ifndef MM_OUTPUT_BUF_H
#define MM_OUTPUT_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { MM_BUF_SECOND = 19 };

struct mm_buf {
	char *p;
	size_t len, room;
	bool failed; /* memory was out: what is in it is cut */
	int64_t second; /* of the time that was written last, and how it was written; empty: none was */
	char second_text[MM_BUF_SECOND];
};

void mm_buf_done(struct mm_buf *b);
void mm_buf_reset(struct mm_buf *b);

/** mm_buf_reserve() when there is no room left. */
bool mm_buf_grow(struct mm_buf *b, size_t n);

/** Room for n more bytes and a NUL behind the len that are there; false, with failed set, when memory is out. */
static inline bool mm_buf_reserve(struct mm_buf *b, size_t n)
{
	return n < b->room - b->len && !b->failed ? true : mm_buf_grow(b, n);
}

/* In the header, so that what is written of our own words is copied without a call. */
static inline void mm_buf_put(struct mm_buf *b, const void *p, size_t len)
{
	if (!mm_buf_reserve(b, len))
		return;
	if (len != 0)
		memcpy(b->p + b->len, p, len);
	b->len += len;
	b->p[b->len] = '\0';
}

static inline void mm_buf_str(struct mm_buf *b, const char *s)
{
	mm_buf_put(b, s, strlen(s));
}

void mm_buf_printf(struct mm_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mm_buf_i64(struct mm_buf *b, int64_t v);
void mm_buf_u64(struct mm_buf *b, uint64_t v);

/** An IPv4 address, in network order, as inet_ntop() writes it. */
void mm_buf_ipv4(struct mm_buf *b, const uint8_t addr[4]);

/** A number with this many decimals (0 to 9), rounded half away from zero; no locale changes it, and there is no
 * negative zero. What does not fit in 64 bits, and what is no number, is written as the nearest that does, and as 0. */
void mm_buf_fixed(struct mm_buf *b, double v, unsigned decimals);

/** A JSON string with quotes: control characters, '"' and '\' escaped, invalid UTF-8 replaced by U+FFFD, DEL and
 * the bidirectional controls escaped too, so that a terminal may show it. */
void mm_buf_json(struct mm_buf *b, const char *p, size_t len);

/** Text as it may be shown to a terminal: what mm_buf_json() escapes or replaces becomes '?', but for '"' and '\\'. */
void mm_buf_safe(struct mm_buf *b, const char *p, size_t len);

/** A time as ISO 8601 in UTC with nanoseconds: 2026-01-31T12:00:00.000000000Z */
void mm_buf_time(struct mm_buf *b, int64_t time_ns);

#endif
