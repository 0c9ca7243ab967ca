/* Base64. */
#include "base/base64.h"

#include <endian.h>

enum {
	BITS = 6,    /* of one character */
	PAD_MAX = 2, /* RFC 4648 section 4: "=" or "==" */
	QUANTUM = 4, /* characters of a full group */
	BAD = -1,    /* no character of the alphabet */
	BLOCK = 8,   /* characters taken at once */
	BLOCK_OUT = BLOCK / QUANTUM * 3,
};

#define EACH UINT64_C(0x0101010101010101)

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

/* Eight octets in one number, all below 128: 128 in each that is no less than c, else 0. */
static uint64_t at_least(uint64_t x, uint8_t c)
{
	return (x + EACH * (128u - c)) & EACH * 128;
}

/* 255 in each octet from low to high, else 0. */
static uint64_t between(uint64_t x, uint8_t low, uint8_t high)
{
	return (at_least(x, low) & ~at_least(x, (uint8_t)(high + 1))) / 128 * 255;
}

/* What text most often is: BLOCK characters of the alphabet, at once, by the same arithmetic as one. False, with out untouched,
 * when there is something else among them. */
static bool take_block(struct mm_slice text, uint8_t *out, uint8_t c62, uint8_t c63)
{
	uint64_t x;
	memcpy(&x, text.p, sizeof x);
	x = be64toh(x);
	if ((x & EACH * 128) != 0)
		return false;
	uint64_t upper = between(x, 'A', 'Z'), lower = between(x, 'a', 'z'),
	         digit = between(x, '0', '9'), is_62 = between(x, c62, c62),
	         is_63 = between(x, c63, c63);
	if ((upper | lower | digit | is_62 | is_63) != EACH * 255)
		return false;
	uint64_t v = x + (digit & EACH * (52 - '0'));
	v -= (upper & EACH * 'A') | (lower & EACH * ('a' - 26));
	v = (v & ~(is_62 | is_63)) | (is_62 & EACH * 62) | (is_63 & EACH * 63);
	/* 8 times 6 bits to 4 times 12, 2 times 24, 48 */
	v = (v >> 2 & UINT64_C(0x0fc00fc00fc00fc0)) | (v & UINT64_C(0x003f003f003f003f));
	v = (v >> 4 & UINT64_C(0x00fff00000fff000)) | (v & UINT64_C(0x00000fff00000fff));
	v = (v >> 8 & UINT64_C(0x0000ffffff000000)) | (v & UINT64_C(0x0000000000ffffff));
	v = htobe64(v << 16);
	memcpy(out, &v, BLOCK_OUT);
	return true;
}

/* As many blocks as there are at the cursor. */
static void take_blocks(
        struct mm_cursor *c, uint8_t *out, size_t room, size_t *n_out, uint8_t c62, uint8_t c63)
{
	struct mm_cursor ahead = *c;
	while (c->len >= BLOCK && room - *n_out >= BLOCK_OUT &&
	        take_block(mm_take(&ahead, BLOCK), out + *n_out, c62, c63)) {
		*c = ahead;
		*n_out += BLOCK_OUT;
	}
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
	take_blocks(c, out, room, n_out, '+', '/');
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
	take_blocks(&c, out, room, &n_out, '-', '_');
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
