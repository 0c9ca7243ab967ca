/* Signed tokens for the generator: keys made of its seed, and JWTs that they really sign (RFC 7515, RFC 7518). */
#ifndef MM_TESTS_TOKENS_H
#define MM_TESTS_TOKENS_H

#include "rng.h"

enum {
	TOKEN_KID = 27,   /* characters of a key's name */
	TOKEN_JWK = 640,  /* room for a key as JSON */
	TOKEN_TEXT = 2048 /* room for a token */
};

struct token_key;

/** RS256 with 2048 bits, or ES256. The same state of r gives the same key. NULL when it cannot be made. */
struct token_key *token_key_new(struct rng *r, bool ec);

void token_key_free(struct token_key *k);

/** The public key as a member of a JWKS, a JSON object. */
void token_jwk(const struct token_key *k, char text[TOKEN_JWK]);

/** Signs claims, a JSON object, with a typ of "JWT" or another. Returns the length of text, 0 when it cannot be signed. */
size_t token_sign(const struct token_key *k, struct rng *r, const char *typ, const char *claims,
        char text[TOKEN_TEXT]);

/** Appends n octets in base64url without padding at text and a NUL after them. Returns the characters written. */
size_t token_base64url(char *text, const uint8_t *p, size_t n);

#endif
