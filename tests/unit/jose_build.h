/* Keys and tokens for the tests, made and signed by OpenSSL: not by the code under test. */
#ifndef MM_TESTS_JOSE_BUILD_H
#define MM_TESTS_JOSE_BUILD_H

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

enum {
	JOSE_TEXT = 4096, /* of a key or a token */
	JOSE_SIGNATURE = 1024,
	JOSE_SECRET = 40,
};

/** What signs. */
struct signer {
	const char *alg, *kid;
	EVP_PKEY *pkey; /* NULL: HMAC with secret */
	char secret[JOSE_SECRET];
};

static inline bool jose_is(const struct signer *s, const char *family)
{
	return strncmp(s->alg, family, strlen(family)) == 0;
}

static inline const char *jose_md(const struct signer *s)
{
	if (strcmp(s->alg, "EdDSA") == 0)
		return NULL;
	return strcmp(s->alg + 2, "256") == 0   ? "SHA256"
	       : strcmp(s->alg + 2, "384") == 0 ? "SHA384"
	                                        : "SHA512";
}

/** Octets of one coordinate, RFC 7518 section 3.4. */
static inline size_t jose_half(const struct signer *s)
{
	return strcmp(s->alg, "ES256") == 0 ? 32 : strcmp(s->alg, "ES384") == 0 ? 48 : 66;
}

/** A new key for this algorithm. */
static inline struct signer signer_new(const char *alg, const char *kid)
{
	static unsigned number;
	struct signer s = { .alg = alg, .kid = kid };
	if (jose_is(&s, "HS"))
		snprintf(s.secret, sizeof s.secret, "an invented secret, number %u", ++number);
	else if (jose_is(&s, "RS") || jose_is(&s, "PS"))
		s.pkey = EVP_RSA_gen(2048);
	else if (jose_is(&s, "ES"))
		s.pkey = EVP_EC_gen(jose_half(&s) == 32   ? "prime256v1"
		                    : jose_half(&s) == 48 ? "secp384r1"
		                                          : "secp521r1");
	else
		s.pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert(s.pkey != NULL || s.secret[0] != '\0');
	return s;
}

static inline void signer_done(struct signer *s)
{
	EVP_PKEY_free(s->pkey);
	s->pkey = NULL;
}

static inline const char *jose_b64(const void *p, size_t len)
{
	static char ring[8][JOSE_TEXT];
	static unsigned at;
	char *out = ring[at++ % 8];
	assert(mm_base64url_room(len) <= JOSE_TEXT);
	return mm_base64url_encode(mm_slice(p, len), out);
}

static inline const char *jose_number(const struct signer *s, const char *param, size_t width)
{
	BIGNUM *n = NULL;
	uint8_t bytes[JOSE_SIGNATURE];
	if (EVP_PKEY_get_bn_param(s->pkey, param, &n) != 1)
		abort();
	size_t len = width != 0 ? width : (size_t)BN_num_bytes(n);
	if (BN_bn2binpad(n, bytes, (int)len) < 0)
		abort();
	BN_free(n);
	return jose_b64(bytes, len);
}

/** The public key as a JWK, without braces: members of other kinds can be set beside. */
static inline const char *jwk_members(const struct signer *s, char out[JOSE_TEXT])
{
	uint8_t raw[64];
	size_t len = sizeof raw;
	if (s->pkey == NULL)
		snprintf(out, JOSE_TEXT, "\"kty\":\"oct\",\"k\":\"%s\"",
		        jose_b64(s->secret, strlen(s->secret)));
	else if (jose_is(s, "ES"))
		snprintf(out, JOSE_TEXT,
		        "\"kty\":\"EC\",\"crv\":\"P-%s\",\"x\":\"%s\",\"y\":\"%s\"",
		        jose_half(s) == 66 ? "521" : s->alg + 2,
		        jose_number(s, OSSL_PKEY_PARAM_EC_PUB_X, jose_half(s)),
		        jose_number(s, OSSL_PKEY_PARAM_EC_PUB_Y, jose_half(s)));
	else if (strcmp(s->alg, "EdDSA") == 0 &&
	         EVP_PKEY_get_raw_public_key(s->pkey, raw, &len) == 1)
		snprintf(out, JOSE_TEXT, "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"",
		        jose_b64(raw, len));
	else
		snprintf(out, JOSE_TEXT, "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"",
		        jose_number(s, OSSL_PKEY_PARAM_RSA_N, 0),
		        jose_number(s, OSSL_PKEY_PARAM_RSA_E, 0));
	return out;
}

/** The same whole, with its kid. more: further members, each with a comma before it. */
static inline const char *jwk_text(const struct signer *s, const char *more, char out[JOSE_TEXT])
{
	char members[JOSE_TEXT];
	int n = snprintf(out, JOSE_TEXT, "{%s%s%s%s%s}", jwk_members(s, members),
	        s->kid != NULL ? ",\"kid\":\"" : "", s->kid != NULL ? s->kid : "",
	        s->kid != NULL ? "\"" : "", more);
	assert(n > 0 && n < JOSE_TEXT);
	return out;
}

/** HMAC of any text with any secret. */
static inline size_t jose_hmac(const struct signer *s, const void *secret, size_t secret_len,
        const char *text, uint8_t out[JOSE_SIGNATURE])
{
	size_t n = 0;
	if (EVP_Q_mac(NULL, "HMAC", NULL, jose_md(s), NULL, secret, secret_len,
	            (const uint8_t *)text, strlen(text), out, JOSE_SIGNATURE, &n) == NULL)
		abort();
	return n;
}

/** DER to r and s. */
static inline size_t jose_flat(const uint8_t *der, size_t len, size_t half, uint8_t *out)
{
	const uint8_t *at = der;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);
	if (sig == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int)half) < 0 ||
	        BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + half, (int)half) < 0)
		abort();
	ECDSA_SIG_free(sig);
	return 2 * half;
}

/** salt: of RSASSA-PSS. flat: ECDSA as JOSE has it; false: DER. */
static inline size_t jose_sign(
        const struct signer *s, const char *text, int salt, bool flat, uint8_t out[JOSE_SIGNATURE])
{
	EVP_PKEY_CTX *pctx = NULL;
	uint8_t raw[JOSE_SIGNATURE];
	size_t n = sizeof raw;
	if (s->pkey == NULL)
		return jose_hmac(s, s->secret, strlen(s->secret), text, out);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (EVP_DigestSignInit_ex(ctx, &pctx, jose_md(s), NULL, NULL, s->pkey, NULL) != 1)
		abort();
	if (jose_is(s, "PS") && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1 ||
	                                EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt) != 1))
		abort();
	if (EVP_DigestSign(ctx, raw, &n, (const uint8_t *)text, strlen(text)) != 1)
		abort();
	EVP_MD_CTX_free(ctx);
	if (jose_is(s, "ES") && flat)
		return jose_flat(raw, n, jose_half(s), out);
	memcpy(out, raw, n);
	return n;
}

/** header.claims, to be signed. */
static inline const char *jose_part(const char *header, const char *claims, char out[JOSE_TEXT])
{
	int n = snprintf(out, JOSE_TEXT, "%s.%s", jose_b64(header, strlen(header)),
	        jose_b64(claims, strlen(claims)));
	assert(n > 0 && n < JOSE_TEXT);
	return out;
}

static inline const char *jose_join(
        const char *part, const void *signature, size_t len, char out[JOSE_TEXT])
{
	int n = snprintf(out, JOSE_TEXT, "%s.%s", part, jose_b64(signature, len));
	assert(n > 0 && n < JOSE_TEXT);
	return out;
}

/** A token with this header. */
static inline const char *jwt_with(
        const struct signer *s, const char *header, const char *claims, char out[JOSE_TEXT])
{
	char part[JOSE_TEXT];
	uint8_t signature[JOSE_SIGNATURE];
	size_t n = jose_sign(
	        s, jose_part(header, claims, part), RSA_PSS_SALTLEN_DIGEST, true, signature);
	return jose_join(part, signature, n, out);
}

/** An ordinary token. */
static inline const char *jwt_make(const struct signer *s, const char *claims, char out[JOSE_TEXT])
{
	char header[256];
	snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"%s%s%s}", s->alg,
	        s->kid != NULL ? ",\"kid\":\"" : "", s->kid != NULL ? s->kid : "",
	        s->kid != NULL ? "\"" : "");
	return jwt_with(s, header, claims, out);
}

#endif
