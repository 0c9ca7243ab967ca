/* Base64. */
#include "base/base64.h"

enum {
	BITS = 6,    /* of one character */
	PAD_MAX = 2, /* RFC 4648 section 4: "=" or "==" */
	QUANTUM = 4, /* characters of a full group */
	BAD = -1,    /* no character of the alphabet */
};

/* All ones where low <= b <= high, else zero. */
static int within(int b, int low, int high)
{
	return ((low - 1 - b) & (b - high - 1)) >> 8;
}

/* RFC 4648 table 1, by arithmetic: there is no table to look up by a byte of a secret, and no branch that a processor guesses
 * wrong every other time. What stands for 62 and 63 differs between the alphabets. */
static int sextet(int b, int c62, int c63)
{
	int v = BAD;
	v += within(b, 'A', 'Z') & (b - 'A' + 1);
	v += within(b, 'a', 'z') & (b - 'a' + 26 + 1);
	v += within(b, '0', '9') & (b - '0' + 52 + 1);
	v += within(b, c62, c62) & (62 + 1);
	v += within(b, c63, c63) & (63 + 1);
	return v;
}

static bool is_space(uint8_t b)
{
	return b == ' ' || b == '\t' || b == '\r' || b == '\n';
}

static bool decode(struct mm_cursor *c, uint8_t *out, size_t room, size_t *n_out)
{
	size_t n_chars = 0, n_pad = 0;
	uint32_t bits = 0;
	unsigned n_bits = 0;
	while (c->len != 0) {
		uint8_t b = mm_u8(c);
		if (is_space(b))
			continue;
		if (b == '=') {
			if (++n_pad > PAD_MAX)
				return false;
			continue;
		}
		int v = sextet(b, '+', '/');
		if (v == BAD || n_pad != 0)
			return false;
		n_chars++;
		bits = (bits << BITS | (uint32_t)v) & 0xfff; /* never more than 12 bits wait */
		n_bits += BITS;
		if (n_bits < 8)
			continue;
		if (*n_out == room)
			return false;
		n_bits -= 8;
		out[(*n_out)++] = (uint8_t)(bits >> n_bits);
	}
	return n_chars % QUANTUM != 1;
}

bool mm_base64_decode(struct mm_slice text, uint8_t *out, size_t room, size_t *n)
{
	struct mm_cursor c = mm_cursor(text);
	size_t n_out = 0;
	if (!decode(&c, out, room, &n_out)) {
		explicit_bzero(out, n_out); /* it may have been a token */
		return false;
	}
	*n = n_out;
	return true;
}

bool mm_base64url_decode(struct mm_slice text, uint8_t *out, size_t room, size_t *n)
{
	struct mm_cursor c = mm_cursor(text);
	size_t n_out = 0;
	uint32_t bits = 0;
	unsigned n_bits = 0;
	bool good = text.len % QUANTUM != 1;
	while (c.len != 0 && good) {
		uint8_t b = mm_u8(&c);
		int v = sextet(b, '-', '_');
		good = v != BAD && (n_out < room || n_bits + BITS < 8);
		if (!good)
			break;
		bits = (bits << BITS | (uint32_t)v) & 0xfff;
		n_bits += BITS;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		out[n_out++] = (uint8_t)(bits >> n_bits);
	}
	if (!good || (bits & ((1u << n_bits) - 1)) != 0) {
		explicit_bzero(out, n_out);
		return false;
	}
	*n = n_out;
	return true;
}

const char *mm_base64url_encode(struct mm_slice bytes, char *out)
{
	static const char alphabet[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct mm_cursor c = mm_cursor(bytes);
	size_t at = 0;
	while (c.len != 0) {
		size_t n = c.len < 3 ? c.len : 3;
		uint32_t v = 0;
		for (size_t i = 0; i < 3; i++)
			v = v << 8 | (i < n ? mm_u8(&c) : 0);
		for (size_t i = 0; i <= n; i++)
			out[at++] = alphabet[v >> (18 - BITS * i) & 63];
	}
	out[at] = '\0';
	return out;
}
