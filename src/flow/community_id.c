/* Community ID v1: the flow identifier that joins our events with those of Zeek and Suricata. */

/* The one-shot functions of OpenSSL 3 look their algorithm up by name at each call, which costs more than the
 * hash; the plain SHA-1 functions are deprecated but do not. */
#define OPENSSL_API_COMPAT 0x10100000L

#include "flow/flow.h"

#include <openssl/sha.h>

enum {
	CID_INPUT_MAX = 2 + 16 + 16 + 1 + 1 + 2 + 2, /* seed, addresses, protocol, pad, ports */
};

static size_t put16(uint8_t *out, size_t at, uint16_t v)
{
	out[at] = (uint8_t)(v >> 8);
	out[at + 1] = (uint8_t)v;
	return at + 2;
}

static size_t put_addr(uint8_t *out, size_t at, const struct mm_addr *a)
{
	size_t len = a->family == 4 ? 4 : 16;
	memcpy(out + at, a->b, len);
	return at + len;
}

/* RFC 4648 section 4; 20 bytes leave one '=' of padding. */
static void base64_digest(const uint8_t digest[SHA_DIGEST_LENGTH], char *out)
{
	static const char alphabet[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t o = 0;
	for (size_t i = 0; i < SHA_DIGEST_LENGTH; i += 3) {
		unsigned b2 = i + 2 < SHA_DIGEST_LENGTH ? digest[i + 2] : 0;
		unsigned v = (unsigned)digest[i] << 16 | (unsigned)digest[i + 1] << 8 | b2;
		for (unsigned k = 0; k < 4; k++)
			out[o++] = alphabet[v >> (18 - 6 * k) & 63];
	}
	out[o - 1] = '=';
	out[o] = '\0';
}

void mm_community_id(const struct mm_endpoint *a, const struct mm_endpoint *b, uint8_t ip_proto,
        uint16_t seed, char out[MM_CID_TEXT])
{
	int order = mm_addr_cmp(&a->addr, &b->addr);
	if (order > 0 || (order == 0 && a->port > b->port)) {
		const struct mm_endpoint *swap = a;
		a = b;
		b = swap;
	}
	uint8_t in[CID_INPUT_MAX];
	size_t n = put16(in, 0, seed);
	n = put_addr(in, n, &a->addr);
	n = put_addr(in, n, &b->addr);
	in[n++] = ip_proto;
	in[n++] = 0;
	n = put16(in, n, a->port);
	n = put16(in, n, b->port);

	uint8_t digest[SHA_DIGEST_LENGTH];
	SHA_CTX ctx;
	SHA1_Init(&ctx);
	SHA1_Update(&ctx, in, n);
	SHA1_Final(digest, &ctx);
	out[0] = '1';
	out[1] = ':';
	base64_digest(digest, out + 2);
}
