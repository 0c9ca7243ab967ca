/* A growable text buffer, and the writer of JSON that every event passes. */
#ifndef MM_OUTPUT_BUF_H
#define MM_OUTPUT_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mm_buf {
	char *p;
	size_t len, room;
	bool failed; /* memory was out: what is in it is cut */
};

void mm_buf_done(struct mm_buf *b);
void mm_buf_reset(struct mm_buf *b);
void mm_buf_put(struct mm_buf *b, const void *p, size_t len);
void mm_buf_str(struct mm_buf *b, const char *s);
void mm_buf_printf(struct mm_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mm_buf_i64(struct mm_buf *b, int64_t v);
void mm_buf_u64(struct mm_buf *b, uint64_t v);

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
