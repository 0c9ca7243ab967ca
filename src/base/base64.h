/* Base64, RFC 4648 section 4: how HTTP carries binary tokens. */
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

#endif
