/* JWKs, and verification by OpenSSL. */
#include "keys/jwk.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <strings.h>

#include "base/base64.h"

enum {
	NUMBER_MAX = 2048, /* octets of one number of a key */
	P521_BYTES = 66,
};

struct alg_row {
	const char *name;
	enum mm_alg alg;
	const char *md;
	size_t coordinate; /* octets of r and s; RFC 7518 section 3.4 */
	const char *group;
};

static const struct alg_row algs[] = {
	{ "HS256", MM_ALG_HS256, "SHA256", 0, NULL },
	{ "HS384", MM_ALG_HS384, "SHA384", 0, NULL },
	{ "HS512", MM_ALG_HS512, "SHA512", 0, NULL },
	{ "RS256", MM_ALG_RS256, "SHA256", 0, NULL },
	{ "RS384", MM_ALG_RS384, "SHA384", 0, NULL },
	{ "RS512", MM_ALG_RS512, "SHA512", 0, NULL },
	{ "PS256", MM_ALG_PS256, "SHA256", 0, NULL },
	{ "PS384", MM_ALG_PS384, "SHA384", 0, NULL },
	{ "PS512", MM_ALG_PS512, "SHA512", 0, NULL },
	{ "ES256", MM_ALG_ES256, "SHA256", 32, "prime256v1" },
	{ "ES384", MM_ALG_ES384, "SHA384", 48, "secp384r1" },
	{ "ES512", MM_ALG_ES512, "SHA512", P521_BYTES, "secp521r1" },
	{ "EdDSA", MM_ALG_EDDSA, NULL, 0, NULL },
};

static const struct alg_row *row_of(enum mm_alg alg)
{
	for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++)
		if (algs[i].alg == alg)
			return &algs[i];
	return NULL;
}

enum mm_alg mm_alg_of(struct mm_slice name)
{
	for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++)
		if (mm_slice_eq(name, mm_slice_str(algs[i].name)))
			return algs[i].alg;
	bool none = name.len == 4 && strncasecmp((const char *)name.p, "none", 4) == 0;
	return none ? MM_ALG_NONE : MM_ALG_UNKNOWN;
}

/* --- reading --------------------------------------------------------------------------------------- */

/* A member that is base64url; its length, 0 when there is none. */
static size_t member(const json_t *json, const char *name, uint8_t out[NUMBER_MAX])
{
	size_t n = 0;
	struct mm_slice text = mm_json_str(json, name);
	return text.len != 0 && mm_base64url_decode(text, out, NUMBER_MAX, &n) ? n : 0;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return pkey;
}

/* RFC 7518 section 6.3.1 */
static EVP_PKEY *read_rsa(const json_t *json)
{
	uint8_t n[NUMBER_MAX], e[NUMBER_MAX];
	size_t n_len = member(json, "n", n), e_len = member(json, "e", e);
	if (n_len == 0 || e_len == 0 || e_len > 8 || n_len > MM_JWK_RSA_BITS_MAX / 8)
		return NULL;
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *bn = BN_bin2bn(n, (int)n_len, NULL), *be = BN_bin2bn(e, (int)e_len, NULL);
	if (bld != NULL && bn != NULL && be != NULL && BN_is_odd(bn) && BN_is_odd(be) &&
	        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
	        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
		pkey = from_params("RSA", bld);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn);
	BN_free(be);
	return pkey;
}

/* RFC 7518 section 6.2.1 */
static EVP_PKEY *read_ec(const json_t *json)
{
	static const struct {
		const char *crv;
		enum mm_alg alg;
	} curves[] = { { "P-256", MM_ALG_ES256 }, { "P-384", MM_ALG_ES384 },
		{ "P-521", MM_ALG_ES512 } };
	const struct alg_row *row = NULL;
	for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
		if (mm_slice_eq(mm_json_str(json, "crv"), mm_slice_str(curves[i].crv)))
			row = row_of(curves[i].alg);
	uint8_t x[NUMBER_MAX], y[NUMBER_MAX], point[1 + 2 * P521_BYTES] = { 4 };
	if (row == NULL || member(json, "x", x) != row->coordinate ||
	        member(json, "y", y) != row->coordinate)
		return NULL;
	memcpy(point + 1, x, row->coordinate);
	memcpy(point + 1 + row->coordinate, y, row->coordinate);
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	if (bld != NULL &&
	        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, row->group, 0) ==
	                1 &&
	        OSSL_PARAM_BLD_push_octet_string(
	                bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * row->coordinate) == 1)
		pkey = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return pkey;
}

/* RFC 8037 section 2 */
static EVP_PKEY *read_okp(const json_t *json)
{
	uint8_t x[NUMBER_MAX];
	size_t n = member(json, "x", x);
	struct mm_slice crv = mm_json_str(json, "crv");
	if (mm_slice_eq(crv, mm_slice_str("Ed25519")))
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, n);
	if (mm_slice_eq(crv, mm_slice_str("Ed448")))
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED448, NULL, x, n);
	return NULL;
}

/* The members that make up a key, in the order of RFC 7638 section 3. */
static const char *const *required(struct mm_slice kty)
{
	static const char *const rsa[] = { "e", "kty", "n", NULL };
	static const char *const ec[] = { "crv", "kty", "x", "y", NULL };
	static const char *const okp[] = { "crv", "kty", "x", NULL };
	static const char *const oct[] = { "k", "kty", NULL };
	static const char *const none[] = { NULL };
	return mm_slice_eq(kty, mm_slice_str("RSA"))   ? rsa
	       : mm_slice_eq(kty, mm_slice_str("EC"))  ? ec
	       : mm_slice_eq(kty, mm_slice_str("OKP")) ? okp
	       : mm_slice_eq(kty, mm_slice_str("oct")) ? oct
	                                               : none;
}

static json_t *pick(const json_t *json, const char *const *names)
{
	json_t *out = json_object();
	for (; out != NULL && *names != NULL; names++)
		if (json_object_get(json, *names) != NULL)
			(void)json_object_set(out, *names, json_object_get(json, *names));
	return out;
}

static struct mm_fp thumbprint(const json_t *json)
{
	struct mm_fp fp = { { 0 } };
	json_t *picked = pick(json, required(mm_json_str(json, "kty")));
	char *text = json_dumps(picked, JSON_COMPACT);
	if (text != NULL)
		fp = mm_fp_of(mm_slice_str(text));
	free(text);
	json_decref(picked);
	return fp;
}

static void copy_x5t(char out[MM_X5T_TEXT], struct mm_slice text)
{
	if (text.len != 0 && text.len < MM_X5T_TEXT)
		memcpy(out, text.p, text.len);
}

bool mm_jwk_read(const json_t *json, struct mm_jwk *out)
{
	struct mm_slice kty = mm_json_str(json, "kty"), kid = mm_json_str(json, "kid");
	uint8_t k[NUMBER_MAX];
	*out = (struct mm_jwk){ .issuer = mm_json_str(json, "issuer") };
	if (mm_slice_eq(kty, mm_slice_str("RSA")))
		out->pkey = read_rsa(json);
	else if (mm_slice_eq(kty, mm_slice_str("EC")))
		out->pkey = read_ec(json);
	else if (mm_slice_eq(kty, mm_slice_str("OKP")))
		out->pkey = read_okp(json);
	else if (mm_slice_eq(kty, mm_slice_str("oct")))
		out->secret_len = member(json, "k", k);
	ERR_clear_error();
	if (out->secret_len != 0 && (out->secret = malloc(out->secret_len)) != NULL)
		memcpy(out->secret, k, out->secret_len);
	explicit_bzero(k, sizeof k);
	if (out->pkey == NULL && out->secret == NULL)
		return false;
	out->thumbprint = thumbprint(json);
	kid = mm_first(kid, MM_KID_TEXT - 1);
	if (kid.len != 0)
		memcpy(out->kid, kid.p, kid.len);
	copy_x5t(out->x5t, mm_json_str(json, "x5t"));
	copy_x5t(out->x5t_s256, mm_json_str(json, "x5t#S256"));
	return true;
}

bool mm_jwk_of_cert(struct mm_slice text, struct mm_jwk *out)
{
	uint8_t der[MM_JWK_BYTES_MAX];
	size_t n;
	*out = (struct mm_jwk){ 0 };
	if (text.len > sizeof der || !mm_base64_decode(text, der, sizeof der, &n))
		return false;
	const unsigned char *p = der;
	X509 *cert = d2i_X509(NULL, &p, (long)n);
	EVP_PKEY *key = cert != NULL ? X509_get_pubkey(cert) : NULL;
	X509_free(cert);
	ERR_clear_error();
	if (key != NULL && EVP_PKEY_get_bits(key) > MM_JWK_RSA_BITS_MAX) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	out->pkey = key;
	return key != NULL;
}

void mm_jwk_done(struct mm_jwk *jwk)
{
	EVP_PKEY_free(jwk->pkey);
	if (jwk->secret != NULL)
		explicit_bzero(jwk->secret, jwk->secret_len);
	free(jwk->secret);
	jwk->pkey = NULL;
	jwk->secret = NULL;
}

/* As it was published, for somebody may have taken that very text for a secret; but what is private stays nowhere. */
char *mm_jwk_text(const json_t *json)
{
	static const char *const private[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };
	json_t *copy = json_copy((json_t *)(uintptr_t)json);
	for (size_t i = 0; i < sizeof private / sizeof private[0]; i++)
		(void)json_object_del(copy, private[i]);
	char *text = json_dumps(copy, JSON_COMPACT);
	if (text != NULL && strlen(text) > MM_JWK_BYTES_MAX) {
		free(text);
		(void)json_object_del(copy, "x5c");
		text = json_dumps(copy, JSON_COMPACT);
	}
	json_decref(copy);
	if (text == NULL || strlen(text) <= MM_JWK_BYTES_MAX)
		return text;
	free(text);
	return NULL;
}

/* --- verifying ------------------------------------------------------------------------------------- */

static enum mm_verdict3 verdict(bool good)
{
	ERR_clear_error();
	return good ? MM_VALID : MM_INVALID;
}

static bool hmac_is(struct mm_slice secret, const struct alg_row *row, const struct mm_jwt *jwt)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	size_t n = 0;
	if (EVP_Q_mac(NULL, "HMAC", NULL, row->md, NULL, secret.p, secret.len, jwt->signed_part.p,
	            jwt->signed_part.len, mac, sizeof mac, &n) == NULL)
		return false;
	return n == jwt->signature_len && CRYPTO_memcmp(mac, jwt->signature, n) == 0;
}

/* The two numbers of RFC 7518 section 3.4 as the DER that OpenSSL takes; its length. */
static int to_der(const struct mm_jwt *jwt, size_t coordinate, uint8_t **der)
{
	int len = 0;
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(jwt->signature, (int)coordinate, NULL);
	BIGNUM *s = BN_bin2bn(jwt->signature + coordinate, (int)coordinate, NULL);
	*der = NULL;
	if (sig != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(sig, r, s) == 1) {
		r = s = NULL; /* the signature's now */
		len = i2d_ECDSA_SIG(sig, der);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	return len;
}

static bool digest_verify(EVP_PKEY *pkey, const struct alg_row *row, struct mm_slice signature,
        const struct mm_jwt *jwt)
{
	EVP_PKEY_CTX *pctx = NULL;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool pss = row->alg >= MM_ALG_PS256 && row->alg <= MM_ALG_PS512;
	bool good = ctx != NULL &&
	            EVP_DigestVerifyInit_ex(ctx, &pctx, row->md, NULL, NULL, pkey, NULL) == 1 &&
	            (!pss || (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	                             EVP_PKEY_CTX_set_rsa_pss_saltlen(
	                                     pctx, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
	            EVP_DigestVerify(ctx, signature.p, signature.len, jwt->signed_part.p,
	                    jwt->signed_part.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}

static enum mm_verdict3 verify_ec(
        EVP_PKEY *pkey, const struct alg_row *row, const struct mm_jwt *jwt)
{
	char group[32] = "";
	uint8_t *der;
	if (EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1 ||
	        strcmp(group, row->group) != 0)
		return MM_CANNOT_TELL;
	if (jwt->signature_len != 2 * row->coordinate)
		return MM_INVALID;
	int len = to_der(jwt, row->coordinate, &der);
	bool good = len > 0 && digest_verify(pkey, row, mm_slice(der, (size_t)len), jwt);
	OPENSSL_free(der);
	return verdict(good);
}

const char *mm_verdict3_name(enum mm_verdict3 verdict)
{
	static const char *const names[] = { "unknown", "valid", "invalid" };
	return names[verdict];
}

enum mm_verdict3 mm_jwk_verify(const struct mm_jwk *jwk, enum mm_alg alg, const struct mm_jwt *jwt)
{
	const struct alg_row *row = row_of(alg);
	if (row == NULL || jwt->encrypted)
		return MM_CANNOT_TELL;
	if (mm_alg_is_hmac(alg))
		return jwk->secret == NULL
		               ? MM_CANNOT_TELL
		               : verdict(hmac_is(mm_slice(jwk->secret, jwk->secret_len), row, jwt));
	if (jwk->pkey == NULL)
		return MM_CANNOT_TELL;
	int type = EVP_PKEY_get_base_id(jwk->pkey);
	if (row->coordinate != 0)
		return type == EVP_PKEY_EC ? verify_ec(jwk->pkey, row, jwt) : MM_CANNOT_TELL;
	bool edwards = type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448;
	if (alg == MM_ALG_EDDSA ? !edwards : type != EVP_PKEY_RSA)
		return MM_CANNOT_TELL;
	return verdict(
	        digest_verify(jwk->pkey, row, mm_slice(jwt->signature, jwt->signature_len), jwt));
}

/* PEM with and without the line end that files end with. */
static bool pem_is(BIO *bio, const struct alg_row *row, const struct mm_jwt *jwt)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);
	if (len <= 0)
		return false;
	struct mm_slice pem = mm_slice(text, (size_t)len);
	return hmac_is(pem, row, jwt) || hmac_is(mm_first(pem, pem.len - 1), row, jwt);
}

static const char *confused_rsa(EVP_PKEY *pkey, const struct alg_row *row, const struct mm_jwt *jwt)
{
	const char *form = NULL;
	BIGNUM *n = NULL;
	uint8_t modulus[NUMBER_MAX];
	uint8_t *der = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	int len = i2d_PublicKey(pkey, &der);
	if (len > 0 && hmac_is(mm_slice(der, (size_t)len), row, jwt))
		form = "PKCS #1 DER";
	/* PKCS #1 as PEM: RSA PUBLIC KEY, RFC 8017 appendix A.1.1 */
	if (form == NULL && bio != NULL && len > 0 &&
	        PEM_write_bio(bio, "RSA PUBLIC KEY", "", der, len) > 0 && pem_is(bio, row, jwt))
		form = "PKCS #1 PEM";
	if (form == NULL && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 &&
	        BN_num_bytes(n) <= NUMBER_MAX &&
	        hmac_is(mm_slice(modulus, (size_t)BN_bn2bin(n, modulus)), row, jwt))
		form = "modulus";
	BN_free(n);
	OPENSSL_free(der);
	BIO_free(bio);
	return form;
}

static const char *confused_spki(
        EVP_PKEY *pkey, const struct alg_row *row, const struct mm_jwt *jwt)
{
	const char *form = NULL;
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(pkey, &der);
	BIO *bio = BIO_new(BIO_s_mem());
	if (bio != NULL && PEM_write_bio_PUBKEY(bio, pkey) == 1 && pem_is(bio, row, jwt))
		form = "SubjectPublicKeyInfo PEM";
	else if (len > 0 && hmac_is(mm_slice(der, (size_t)len), row, jwt))
		form = "SubjectPublicKeyInfo DER";
	OPENSSL_free(der);
	BIO_free(bio);
	return form;
}

const char *mm_jwk_confused(
        const struct mm_jwk *jwk, const char *text, enum mm_alg alg, const struct mm_jwt *jwt)
{
	const struct alg_row *row = row_of(alg);
	if (!mm_alg_is_hmac(alg) || jwk->pkey == NULL || jwt->encrypted)
		return NULL;
	const char *form = confused_spki(jwk->pkey, row, jwt);
	if (form == NULL && EVP_PKEY_get_base_id(jwk->pkey) == EVP_PKEY_RSA)
		form = confused_rsa(jwk->pkey, row, jwt);
	if (form == NULL && text != NULL && hmac_is(mm_slice_str(text), row, jwt))
		form = "JWK";
	ERR_clear_error();
	return form;
}

void mm_jwk_init(void)
{
	/* RFC 8037 appendix A.2 and RFC 7517 appendix A.1: any keys will do. */
	static const char *const keys[] = {
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
		"7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		"\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
		"\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}",
		"{\"kty\":\"RSA\",\"n\":"
		"\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT8"
		"6zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-"
		"5JsGY4Hc5n9yBXArwl93"
		"lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"
		"FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5"
		"hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
		"xBniIqbw0Ls"
		"1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\"}",
	};
	static const enum mm_alg with[] = { MM_ALG_EDDSA, MM_ALG_ES256, MM_ALG_PS256 };
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		struct mm_jwk jwk;
		json_t *json = mm_json_object(mm_slice_str(keys[i]), NULL);
		struct mm_jwt jwt = { .signed_part = mm_slice_str("x"), .signature_len = 64 };
		if (json != NULL && mm_jwk_read(json, &jwk)) {
			(void)mm_jwk_verify(&jwk, with[i], &jwt);
			(void)mm_jwk_confused(&jwk, NULL, MM_ALG_HS256, &jwt);
			mm_jwk_done(&jwk);
		}
		json_decref(json);
	}
}
