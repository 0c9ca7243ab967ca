/*
 * Keys and signatures that are the same for the same seed on every machine. A key's numbers come from the generator;
 * PKCS#1 v1.5 has no chance in it, and the nonce of ECDSA comes from the generator, too, which is
 * why the signature is computed here from OpenSSL's curve: it lets nobody choose the nonce.
 */
#include "tokens.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	RSA_BITS = 2048,
	RSA_BYTES = RSA_BITS / 8,
	PRIME_BYTES = RSA_BYTES / 2,
	RSA_E = 65537,
	P256_BYTES = 32,
	KID_BYTES = 20, /* 27 characters of base64url */
};

struct token_key {
	bool ec;
	char kid[TOKEN_KID + 1];
	EVP_PKEY *pkey; /* RSA */
	EVP_MD_CTX *md;
	BN_CTX *bn;
	BIGNUM *n; /* RSA: the modulus; EC: the order of the curve */
	BIGNUM *d; /* EC: the private key */
	BIGNUM *x, *y;
	EC_GROUP *group;
};

size_t token_base64url(char *text, const uint8_t *p, size_t n)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *to = text;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
		             (left > 2 ? (uint32_t)p[i + 2] : 0);

		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		if (left > 1)
			*to++ = digits[v >> 6 & 63];
		if (left > 2)
			*to++ = digits[v & 63];
	}
	*to = '\0';
	return (size_t)(to - text);
}

/* ---- keys ---- */

/** The first prime from a random odd number on whose two highest bits are set, so that the product has all its bits. */
static bool make_prime(struct token_key *k, struct rng *r, BIGNUM *p)
{
	uint8_t bytes[PRIME_BYTES];
	int prime = 0;

	rng_fill(r, bytes, sizeof bytes);
	bytes[0] |= 0xc0;
	bytes[sizeof bytes - 1] |= 1;
	if (BN_bin2bn(bytes, sizeof bytes, p) == NULL)
		return false;
	while ((prime = BN_check_prime(p, k->bn, NULL)) == 0 ||
	        (prime == 1 && BN_mod_word(p, RSA_E) == 1))
		if (!BN_add_word(p, 2))
			return false;
	return prime == 1;
}

struct rsa_numbers {
	BIGNUM *e, *d, *p, *q, *dp, *dq, *qi;
};

static bool rsa_compute(struct token_key *k, struct rng *r, struct rsa_numbers *v)
{
	BIGNUM *p1 = BN_new(), *q1 = BN_new(), *phi = BN_new();
	bool good = p1 != NULL && q1 != NULL && phi != NULL && make_prime(k, r, v->p) &&
	            make_prime(k, r, v->q) && BN_set_word(v->e, RSA_E) &&
	            BN_mul(k->n, v->p, v->q, k->bn) && BN_sub(p1, v->p, BN_value_one()) &&
	            BN_sub(q1, v->q, BN_value_one()) && BN_mul(phi, p1, q1, k->bn) &&
	            BN_mod_inverse(v->d, v->e, phi, k->bn) != NULL &&
	            BN_mod(v->dp, v->d, p1, k->bn) && BN_mod(v->dq, v->d, q1, k->bn) &&
	            BN_mod_inverse(v->qi, v->q, v->p, k->bn) != NULL;

	BN_free(p1);
	BN_free(q1);
	BN_free(phi);
	return good;
}

static bool rsa_load(struct token_key *k, const struct rsa_numbers *v)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;
	bool good = b != NULL && ctx != NULL &&
	            OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, k->n) &&
	            OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, v->e) &&
	            OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_D, v->d) &&
	            OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_FACTOR1, v->p) &&
	            OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_FACTOR2, v->q) &&
	            OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_EXPONENT1, v->dp) &&
	            OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_EXPONENT2, v->dq) &&
	            OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, v->qi) &&
	            (params = OSSL_PARAM_BLD_to_param(b)) != NULL &&
	            EVP_PKEY_fromdata_init(ctx) == 1 &&
	            EVP_PKEY_fromdata(ctx, &k->pkey, EVP_PKEY_KEYPAIR, params) == 1;

	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static bool make_rsa(struct token_key *k, struct rng *r)
{
	struct rsa_numbers v = { BN_new(), BN_new(), BN_new(), BN_new(), BN_new(), BN_new(),
		BN_new() };
	bool good = v.e != NULL && v.d != NULL && v.p != NULL && v.q != NULL && v.dp != NULL &&
	            v.dq != NULL && v.qi != NULL && rsa_compute(k, r, &v) && rsa_load(k, &v);

	BN_free(v.e);
	BN_free(v.d);
	BN_free(v.p);
	BN_free(v.q);
	BN_free(v.dp);
	BN_free(v.dq);
	BN_free(v.qi);
	return good;
}

/** A number from 1 to the order of the curve less one. */
static bool make_scalar(const struct token_key *k, struct rng *r, BIGNUM *v)
{
	uint8_t bytes[P256_BYTES];

	do {
		rng_fill(r, bytes, sizeof bytes);
		if (BN_bin2bn(bytes, sizeof bytes, v) == NULL)
			return false;
	} while (BN_is_zero(v) || BN_cmp(v, k->n) >= 0);
	return true;
}

/** The coordinates of v times the generator; y may be NULL. */
static bool multiply(const struct token_key *k, const BIGNUM *v, BIGNUM *x, BIGNUM *y)
{
	EC_POINT *point = EC_POINT_new(k->group);
	bool good = point != NULL && EC_POINT_mul(k->group, point, v, NULL, NULL, k->bn) &&
	            EC_POINT_get_affine_coordinates(k->group, point, x, y, k->bn);

	EC_POINT_free(point);
	return good;
}

static bool make_ec(struct token_key *k, struct rng *r)
{
	k->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	k->d = BN_new();
	k->x = BN_new();
	k->y = BN_new();
	return k->group != NULL && k->d != NULL && k->x != NULL && k->y != NULL &&
	       EC_GROUP_get_order(k->group, k->n, k->bn) && make_scalar(k, r, k->d) &&
	       multiply(k, k->d, k->x, k->y);
}

struct token_key *token_key_new(struct rng *r, bool ec)
{
	struct token_key *k = calloc(1, sizeof *k);
	uint8_t name[KID_BYTES];

	if (k == NULL)
		return NULL;
	rng_fill(r, name, sizeof name);
	token_base64url(k->kid, name, sizeof name);
	k->ec = ec;
	k->md = EVP_MD_CTX_new();
	k->bn = BN_CTX_new();
	k->n = BN_new();
	if (k->md == NULL || k->bn == NULL || k->n == NULL ||
	        !(ec ? make_ec(k, r) : make_rsa(k, r))) {
		token_key_free(k);
		return NULL;
	}
	return k;
}

void token_key_free(struct token_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	EVP_MD_CTX_free(k->md);
	BN_CTX_free(k->bn);
	BN_free(k->n);
	BN_free(k->d);
	BN_free(k->x);
	BN_free(k->y);
	EC_GROUP_free(k->group);
	free(k);
}

static void put_number(char *text, const BIGNUM *v, int n)
{
	uint8_t bytes[RSA_BYTES];

	(void)BN_bn2binpad(v, bytes, n);
	token_base64url(text, bytes, (size_t)n);
}

void token_jwk(const struct token_key *k, char text[TOKEN_JWK])
{
	char a[RSA_BYTES * 4 / 3 + 3], b[P256_BYTES * 4 / 3 + 3];

	if (k->ec) {
		put_number(a, k->x, P256_BYTES);
		put_number(b, k->y, P256_BYTES);
		snprintf(text, TOKEN_JWK,
		        "{\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"crv\":\"P-256\","
		        "\"kid\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}",
		        k->kid, a, b);
		return;
	}
	put_number(a, k->n, RSA_BYTES);
	snprintf(text, TOKEN_JWK,
	        "{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":\"%s\","
	        "\"n\":\"%s\",\"e\":\"AQAB\"}",
	        k->kid, a);
}

/* ---- signatures ---- */

/** FIPS 186-4 section 6.4: r is the abscissa of nonce times the generator, s = (digest + r d) / nonce. */
static bool ecdsa(const struct token_key *k, struct rng *rng, const char *text, size_t n,
        uint8_t out[2 * P256_BYTES])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	BIGNUM *nonce = BN_new(), *r = BN_new(), *s = BN_new(), *z = BN_new();
	bool good = nonce != NULL && r != NULL && s != NULL && z != NULL &&
	            make_scalar(k, rng, nonce) && multiply(k, nonce, r, NULL) &&
	            BN_nnmod(r, r, k->n, k->bn) && SHA256((const uint8_t *)text, n, digest) &&
	            BN_bin2bn(digest, sizeof digest, z) != NULL &&
	            BN_mod_mul(s, r, k->d, k->n, k->bn) && BN_mod_add(s, s, z, k->n, k->bn) &&
	            BN_mod_inverse(nonce, nonce, k->n, k->bn) != NULL &&
	            BN_mod_mul(s, s, nonce, k->n, k->bn) &&
	            BN_bn2binpad(r, out, P256_BYTES) == P256_BYTES &&
	            BN_bn2binpad(s, out + P256_BYTES, P256_BYTES) == P256_BYTES;

	BN_free(nonce);
	BN_free(r);
	BN_free(s);
	BN_free(z);
	return good;
}

size_t token_sign(const struct token_key *k, struct rng *r, const char *typ, const char *claims,
        char text[TOKEN_TEXT])
{
	char header[128];
	uint8_t signature[RSA_BYTES];
	size_t n_signature = k->ec ? 2 * P256_BYTES : RSA_BYTES;
	int n_header =
	        snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"%s\",\"kid\":\"%s\"}",
	                k->ec ? "ES256" : "RS256", typ, k->kid);
	size_t n_claims = strlen(claims), most = (size_t)n_header + n_claims + n_signature;
	bool good;

	if (most * 4 / 3 + 8 > TOKEN_TEXT)
		return 0;

	size_t n = token_base64url(text, (const uint8_t *)header, (size_t)n_header);

	text[n++] = '.';
	n += token_base64url(text + n, (const uint8_t *)claims, n_claims);
	if (k->ec)
		good = ecdsa(k, r, text, n, signature);
	else
		good = EVP_DigestSignInit(k->md, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
		       EVP_DigestSign(k->md, signature, &n_signature, (const uint8_t *)text, n) ==
		               1;
	if (!good)
		return 0;
	text[n++] = '.';
	return n + token_base64url(text + n, signature, n_signature);
}
