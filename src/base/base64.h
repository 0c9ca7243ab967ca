/* Base64, RFC 4648 sections 4 and 5: how HTTP and JOSE carry binary tokens. */
#ifndef MM_BASE_BASE64_H
#define MM_BASE_BASE64_H

#include "base/cursor.h"

/** Bytes that hold whatever n characters of base64 decode to. */
static inline size_t mm_base64_room(size_t n)
{
	return n / 4 * 3 + 3;
}

/** Decode text into out, which holds room bytes; *n: how many were written.
 * Padding may be missing and the bits it leaves over may be set; white space is passed over, as a header
 * field that was folded has it. False, with *n untouched and nothing of it left in out, on any other character, on data
 * after padding, on a lone last character and when out is too small. */
bool mm_base64_decode(struct mm_slice text, uint8_t *out, size_t room, size_t *n);

/** The same for base64url without padding or white space, RFC 7515 section 2; what is no canonical encoding is refused. */
bool mm_base64url_decode(struct mm_slice text, uint8_t *out, size_t room, size_t *n);

/** Characters that n bytes become in base64url, with a NUL. */
static inline size_t mm_base64url_room(size_t n)
{
	return (n + 2) / 3 * 4 + 1;
}

/** Encode; out holds mm_base64url_room(bytes.len). Returns out. */
const char *mm_base64url_encode(struct mm_slice bytes, char *out);

#endif
