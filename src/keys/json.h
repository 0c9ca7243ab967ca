/* JSON from the wire, read by jansson within limits: no duplicate names (RFC 8259 section 4 leaves open which one counts,
 * and two readers that differ are an attack), no deep nesting. */
#ifndef MM_KEYS_JSON_H
#define MM_KEYS_JSON_H

#include <jansson.h>

#include "base/cursor.h"

enum {
	MM_JSON_DEPTH_MAX = 32,
	MM_JSON_BYTES_MAX = 256 * 1024,
};

enum mm_json_fault {
	MM_JSON_GOOD,
	MM_JSON_BAD,       /* no JSON, or no object */
	MM_JSON_DEEP,      /* nested deeper than MM_JSON_DEPTH_MAX */
	MM_JSON_DUPLICATE, /* a name stands twice in an object */
	MM_JSON_LONG,      /* more than MM_JSON_BYTES_MAX */
};

/** An object; NULL when it is none, then *fault (which may be NULL) says why. Freed by json_decref(). */
json_t *mm_json_object(struct mm_slice text, enum mm_json_fault *fault);

/** The string member of this name; empty when there is none. Borrowed from the object. */
struct mm_slice mm_json_str(const json_t *object, const char *name);

/** The integer member of this name, a NumericDate with a fraction included (RFC 7519 section 2); 0 when there is none or it
 * is out of the range of years 1970 to 9999. */
int64_t mm_json_date(const json_t *object, const char *name);

/** Seconds as nanoseconds, no later than what has room. */
static inline int64_t mm_date_ns(int64_t s)
{
	const int64_t ns_per_s = INT64_C(1000000000);
	return s > INT64_MAX / 2 / ns_per_s ? INT64_MAX / 2 : s * ns_per_s;
}

/** Before any thread or sandbox: jansson would else read a random source at its first object. */
void mm_json_init(uint64_t seed);

#endif
