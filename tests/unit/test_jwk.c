/* json.c, jwt.c, jwk.c: the vectors of RFC 4648, 7515, 7638 and 8037, signatures of each kind made by OpenSSL, each of them
 * altered, keys that are none, and hostile input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "guard.h"
#include "jose_build.h"
#include "keys/jwk.h"

#define CLAIMS "{\"iss\":\"https://a.example\",\"sub\":\"anna\"}"
#define JOE                                                                                        \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0" \
	"cnVlfQ"
#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define EC_KEY                                                                                     \
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define ED_KEY                                                                                     \
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"                              \
	"7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define N_7638                                                                                     \
	"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"  \
	"BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_" \
	"FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"        \
	"bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"

static const char *const alg_names[] = { "HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
	"PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA" };

static enum mm_alg alg_of(const char *name)
{
	return mm_alg_of(mm_slice_str(name));
}

static bool read_key(const char *text, struct mm_jwk *out)
{
	json_t *json = mm_json_object(mm_slice_str(text), NULL);
	assert_non_null(json);
	bool good = mm_jwk_read(json, out);
	out->issuer = mm_slice(NULL, 0);
	json_decref(json);
	return good;
}

static enum mm_verdict3 verify(const char *key, const char *alg, const char *token)
{
	struct mm_jwk jwk;
	struct mm_jwt jwt;
	assert_true(read_key(key, &jwk));
	assert_true(mm_jwt_parse(mm_slice_str(token), &jwt));
	enum mm_verdict3 v = mm_jwk_verify(&jwk, alg_of(alg), &jwt);
	mm_jwt_done(&jwt);
	mm_jwk_done(&jwk);
	return v;
}

/* RFC 7515 appendix A.1 to A.4, RFC 8037 appendix A.4. */
static void test_specifications(void **unused)
{
	(void)unused;
	static const struct {
		const char *alg, *key, *token;
	} cases[] = {
		{ "HS256",
		        "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
		        "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
		        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE
		        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" },
		{ "RS256",
		        "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
		        "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-"
		        "SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
		        "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
		        "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_"
		        "I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
		        "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"}",
		        "eyJhbGciOiJSUzI1NiJ9." JOE
		        ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__"
		        "dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
		        "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
		        "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_"
		        "dO--xi12jzDwusC-"
		        "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AX"
		        "LIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw" },
		{ "ES256", EC_KEY,
		        "eyJhbGciOiJFUzI1NiJ9." JOE
		        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
		        "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q" },
		{ "ES512",
		        "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":"
		        "\"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_"
		        "NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk\",\"y\":\"ADSmRA43Z1DSNx_"
		        "RvcLI87cdL07l6jQyyBXMoxVg_l2Th-"
		        "x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2\"}",
		        "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_"
		        "UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_"
		        "7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW"
		        "9ERBXukOXolLzeO_Jn" },
		{ "EdDSA", ED_KEY,
		        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_"
		        "MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_"
		        "MuM0KAg" },
	};
	for (size_t i = 0; i < N_OF(cases); i++) {
		char altered[2048];
		assert_int_equal(verify(cases[i].key, cases[i].alg, cases[i].token), MM_VALID);
		snprintf(altered, sizeof altered, "%s", cases[i].token);
		char *at = strrchr(altered, '.') + 5;
		*at = *at == 'A' ? 'B' : 'A';
		assert_int_equal(verify(cases[i].key, cases[i].alg, altered), MM_INVALID);
	}
}

/* RFC 7638 section 3.1 and RFC 8037 appendix A.3: other members, and their order, do not count. */
static void test_thumbprint(void **unused)
{
	(void)unused;
	static const struct {
		const char *key, *thumbprint;
	} cases[] = {
		{ "{\"kty\":\"RSA\",\"n\":\"" N_7638
		  "\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}",
		        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" },
		{ ED_KEY, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" },
	};
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct mm_jwk jwk;
		uint8_t want[32];
		size_t n;
		assert_true(read_key(cases[i].key, &jwk));
		assert_true(mm_base64url_decode(
		        mm_slice_str(cases[i].thumbprint), want, sizeof want, &n));
		assert_int_equal(n, 32);
		assert_memory_equal(jwk.thumbprint.b, want, sizeof jwk.thumbprint.b);
		mm_jwk_done(&jwk);
	}
}

/* RFC 4648 section 5, and section 10 with the padding left out (RFC 7515 section 2). */
static void test_base64url(void **unused)
{
	(void)unused;
	static const struct {
		const char *text, *want;
	} good[] = { { "", "" }, { "Zg", "f" }, { "Zm8", "fo" }, { "Zm9v", "foo" },
		{ "Zm9vYg", "foob" }, { "Zm9vYmE", "fooba" }, { "Zm9vYmFy", "foobar" },
		{ "-_-_", "\xfb\xff\xbf" } };
	static const char *const bad[] = { "Z", "Zm9vY", "Zg==", "Zh", "Zm9", "Zm9vYh", "+/+/",
		"Zm 9v", "Zm9v\n", "Zm9v.",
		"Zm\xff"
		"8" };
	for (size_t i = 0; i < N_OF(good); i++) {
		uint8_t out[16];
		char back[24];
		size_t n = 99;
		assert_true(mm_base64url_decode(
		        mm_slice_str(good[i].text), out, strlen(good[i].want), &n));
		assert_int_equal(n, strlen(good[i].want));
		assert_memory_equal(out, good[i].want, n);
		assert_string_equal(
		        mm_base64url_encode(mm_slice_str(good[i].want), back), good[i].text);
		assert_true(strlen(back) < mm_base64url_room(n));
		if (n != 0) /* one octet too few */
			assert_false(
			        mm_base64url_decode(mm_slice_str(good[i].text), out, n - 1, &n));
	}
	for (size_t i = 0; i < N_OF(bad); i++) {
		uint8_t out[16] = { 0 };
		static const uint8_t nothing[16];
		size_t n = 99;
		assert_false(mm_base64url_decode(mm_slice_str(bad[i]), out, sizeof out, &n));
		assert_int_equal(n, 99);
		assert_memory_equal(out, nothing, sizeof out);
	}
}

static void test_algorithms(void **unused)
{
	(void)unused;
	static const char *const none[] = { "none", "None", "NONE", "nOnE" };
	static const char *const unknown[] = { "", "non", "none ", "hs256", "RS128", "ES256K",
		"RSA-OAEP" };
	for (size_t i = 0; i < N_OF(none); i++)
		assert_int_equal(alg_of(none[i]), MM_ALG_NONE);
	for (size_t i = 0; i < N_OF(unknown); i++)
		assert_int_equal(alg_of(unknown[i]), MM_ALG_UNKNOWN);
	for (size_t i = 0; i < N_OF(alg_names); i++) {
		assert_true(alg_of(alg_names[i]) > MM_ALG_NONE);
		assert_int_equal(mm_alg_is_hmac(alg_of(alg_names[i])), alg_names[i][0] == 'H');
	}
}

/* One token and all that can be wrong with it. */
static void spoil(const struct signer *s, const struct signer *other)
{
	char key[JOSE_TEXT], other_key[JOSE_TEXT], token[JOSE_TEXT], bad[JOSE_TEXT],
	        part[JOSE_TEXT];
	uint8_t signature[JOSE_SIGNATURE];
	jwk_text(s, "", key);
	jwk_text(other, "", other_key);
	jwt_make(s, CLAIMS, token);
	assert_int_equal(verify(key, s->alg, token), MM_VALID);
	assert_int_equal(verify(other_key, s->alg, token), MM_INVALID);
	/* The signature of one token under the claims of another. */
	jwt_make(s, "{\"sub\":\"admin\"}", bad);
	memcpy(strrchr(bad, '.'), strrchr(token, '.'), strlen(strrchr(token, '.')) + 1);
	assert_int_equal(verify(key, s->alg, bad), MM_INVALID);
	jose_part("{\"alg\":\"x\"}", CLAIMS, part);
	size_t n = jose_sign(s, part, RSA_PSS_SALTLEN_DIGEST, true, signature);
	assert_int_equal(verify(key, s->alg, jose_join(part, signature, n, bad)), MM_VALID);
	assert_int_equal(verify(key, s->alg, jose_join(part, signature, n - 1, bad)), MM_INVALID);
	signature[n] = 0;
	assert_int_equal(verify(key, s->alg, jose_join(part, signature, n + 1, bad)), MM_INVALID);
	assert_int_equal(verify(key, s->alg, jose_join(part, signature, 0, bad)), MM_INVALID);
	for (size_t i = 0; i < n; i += n / 7) {
		signature[i] ^= 0x10;
		assert_int_equal(
		        verify(key, s->alg, jose_join(part, signature, n, bad)), MM_INVALID);
		signature[i] ^= 0x10;
	}
	/* The same under every other name of an algorithm. */
	for (size_t i = 0; i < N_OF(alg_names); i++) {
		bool same_type = s->pkey == NULL ? alg_names[i][0] == 'H'
		                 : EVP_PKEY_get_base_id(s->pkey) == EVP_PKEY_RSA
		                         ? strchr("RP", alg_names[i][0]) != NULL
		                         : strcmp(alg_names[i], s->alg) == 0;
		if (strcmp(alg_names[i], s->alg) != 0)
			assert_int_equal(verify(key, alg_names[i], token),
			        same_type ? MM_INVALID : MM_CANNOT_TELL);
	}
	assert_int_equal(verify(key, "none", token), MM_CANNOT_TELL);
}

static void test_each_algorithm(void **unused)
{
	(void)unused;
	struct signer s[N_OF(alg_names)];
	for (size_t i = 0; i < N_OF(alg_names); i++) {
		s[i] = signer_new(alg_names[i], "k");
		struct signer other = signer_new(alg_names[i], "k");
		spoil(&s[i], &other);
		signer_done(&other);
	}
	for (size_t i = 0; i < N_OF(alg_names); i++)
		signer_done(&s[i]);
}

/* RFC 7518 section 3.5: the salt is as long as the digest; section 3.4: no DER; and zeroes verify nothing. */
static void test_odd_signatures(void **unused)
{
	(void)unused;
	struct signer ps = signer_new("PS256", "k"), es = signer_new("ES256", "k");
	char key[JOSE_TEXT], token[JOSE_TEXT], part[JOSE_TEXT];
	uint8_t signature[JOSE_SIGNATURE] = { 0 };
	jose_part("{\"alg\":\"PS256\"}", CLAIMS, part);
	size_t n = jose_sign(&ps, part, 20, true, signature);
	assert_int_equal(
	        verify(jwk_text(&ps, "", key), "PS256", jose_join(part, signature, n, token)),
	        MM_INVALID);
	jose_part("{\"alg\":\"ES256\"}", CLAIMS, part);
	n = jose_sign(&es, part, 0, false, signature);
	assert_int_equal(
	        verify(jwk_text(&es, "", key), "ES256", jose_join(part, signature, n, token)),
	        MM_INVALID);
	memset(signature, 0, sizeof signature);
	assert_int_equal(verify(key, "ES256", jose_join(part, signature, 64, token)), MM_INVALID);
	memset(signature, 0xff, sizeof signature);
	assert_int_equal(verify(key, "ES256", jose_join(part, signature, 64, token)), MM_INVALID);
	signer_done(&ps);
	signer_done(&es);
}

/* What somebody who has only the public key signs with it. */
static const char *confuse(const struct signer *s, const char *alg, const void *secret, size_t len)
{
	static struct mm_jwk jwk;
	struct mm_jwt jwt;
	struct signer as = { .alg = alg };
	char header[64], part[JOSE_TEXT], token[JOSE_TEXT], key[JOSE_TEXT];
	uint8_t mac[JOSE_SIGNATURE];
	snprintf(header, sizeof header, "{\"alg\":\"%s\"}", alg);
	size_t n = jose_hmac(&as, secret, len, jose_part(header, CLAIMS, part), mac);
	assert_true(mm_jwt_parse(mm_slice_str(jose_join(part, mac, n, token)), &jwt));
	assert_true(read_key(jwk_text(s, "", key), &jwk));
	assert_int_equal(mm_jwk_verify(&jwk, alg_of(alg), &jwt), MM_CANNOT_TELL);
	json_t *json = mm_json_object(mm_slice_str(key), NULL);
	char *text = mm_jwk_text(json);
	json_decref(json);
	assert_string_equal(text, key);
	const char *form = mm_jwk_confused(&jwk, text, alg_of(alg), &jwt);
	assert_null(mm_jwk_confused(&jwk, text, MM_ALG_RS256, &jwt));
	jwt.signature[0] ^= 1;
	assert_null(mm_jwk_confused(&jwk, text, alg_of(alg), &jwt));
	free(text);
	mm_jwk_done(&jwk);
	mm_jwt_done(&jwt);
	return form;
}

static void confuse_pem(const struct signer *s, BIO *bio, const char *want)
{
	char *pem;
	long len = BIO_get_mem_data(bio, &pem);
	assert_true(len > 100);
	assert_string_equal(confuse(s, "HS256", pem, (size_t)len), want);
	assert_string_equal(confuse(s, "HS512", pem, (size_t)len - 1), want);
	assert_null(confuse(s, "HS256", pem, (size_t)len - 2));
	BIO_free(bio);
}

static void test_confusion(void **unused)
{
	(void)unused;
	static const char *const algs[] = { "RS256", "ES256", "EdDSA" };
	for (size_t i = 0; i < N_OF(algs); i++) {
		struct signer s = signer_new(algs[i], "k");
		char key[JOSE_TEXT];
		uint8_t *der = NULL;
		BIO *bio = BIO_new(BIO_s_mem());
		assert_int_equal(PEM_write_bio_PUBKEY(bio, s.pkey), 1);
		confuse_pem(&s, bio, "SubjectPublicKeyInfo PEM");
		int len = i2d_PUBKEY(s.pkey, &der);
		assert_string_equal(
		        confuse(&s, "HS384", der, (size_t)len), "SubjectPublicKeyInfo DER");
		OPENSSL_free(der);
		jwk_text(&s, "", key);
		assert_string_equal(confuse(&s, "HS256", key, strlen(key)), "JWK");
		assert_null(confuse(&s, "HS256", "secret", 6));
		signer_done(&s);
	}
	struct signer rsa = signer_new("RS256", "k");
	uint8_t *der = NULL, modulus[256];
	BIGNUM *n = NULL;
	int len = i2d_PublicKey(rsa.pkey, &der);
	assert_string_equal(confuse(&rsa, "HS256", der, (size_t)len), "PKCS #1 DER");
	OPENSSL_free(der);
	BIO *bio = BIO_new(BIO_s_mem());
	der = NULL;
	len = i2d_PublicKey(rsa.pkey, &der);
	PEM_write_bio(bio, "RSA PUBLIC KEY", "", der, len);
	OPENSSL_free(der);
	confuse_pem(&rsa, bio, "PKCS #1 PEM");
	assert_int_equal(EVP_PKEY_get_bn_param(rsa.pkey, OSSL_PKEY_PARAM_RSA_N, &n), 1);
	assert_int_equal(BN_bn2bin(n, modulus), 256);
	BN_free(n);
	assert_string_equal(confuse(&rsa, "HS256", modulus, sizeof modulus), "modulus");
	signer_done(&rsa);
}

/* Keys with which nothing can be verified, or nothing should be. */
static void test_no_keys(void **unused)
{
	(void)unused;
	static const char *const bad[] = {
		"{}",
		"{\"kty\":\"RSA\"}",
		"{\"kty\":\"RSA\",\"n\":\"" N_7638 "\"}",
		"{\"kty\":\"RSA\",\"n\":\"" N_7638 "\",\"e\":\"\"}",
		"{\"kty\":\"RSA\",\"n\":\"" N_7638 "\",\"e\":65537}",
		"{\"kty\":\"RSA\",\"n\":\"" N_7638 "\",\"e\":\"AQAC\"}",         /* even */
		"{\"kty\":\"RSA\",\"n\":\"" N_7638 "\",\"e\":\"AQAAAAAAAAAB\"}", /* 9 octets */
		"{\"kty\":\"RSA\",\"n\":\"" N_7638 "=\",\"e\":\"AQAB\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		"\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":"
		"\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"
		"tue659LNpXW6pCyStikYjKIWI5a0\"}",
		/* not on the curve: y + 1 */
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		"\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"
		"tue659LNpXW6pCyStikYjKIWI5a4\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"y\":"
		"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":"
		"\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"
		"tue659LNpXW6pCyStikYjKIWI5a0\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qY\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}",
		"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-"
		"FG-IK08\"}",
		"{\"kty\":\"oct\",\"k\":\"\"}",
		"{\"kty\":\"oct\",\"k\":\"A\"}",
		"{\"kty\":[\"RSA\"],\"n\":\"" N_7638 "\",\"e\":\"AQAB\"}",
	};
	for (size_t i = 0; i < N_OF(bad); i++) {
		struct mm_jwk jwk;
		assert_false(read_key(bad[i], &jwk));
		assert_null(jwk.pkey);
		assert_null(jwk.secret);
	}
}

static bool rsa_of(size_t octets, uint8_t last)
{
	char key[JOSE_TEXT];
	uint8_t n[1400];
	struct mm_jwk jwk;
	memset(n, 0xc3, sizeof n);
	n[octets - 1] = last;
	snprintf(key, sizeof key, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}",
	        jose_b64(n, octets));
	bool good = read_key(key, &jwk);
	mm_jwk_done(&jwk);
	return good;
}

static void test_rsa_sizes(void **unused)
{
	(void)unused;
	assert_true(rsa_of(256, 0xc1));
	assert_false(rsa_of(256, 0xc2)); /* even */
	assert_true(rsa_of(1024, 0xc1)); /* 8192 bits */
	assert_false(rsa_of(1025, 0xc1));
	assert_false(rsa_of(1300, 0xc1));
}

/* What is kept of a key has no private part, and no more than has room. */
static void test_text(void **unused)
{
	(void)unused;
	static char key[3 * MM_JWK_BYTES_MAX], filler[2 * MM_JWK_BYTES_MAX];
	static const char *const fields[] = { "x5c", "note" };
	memset(filler, 'A', sizeof filler - 1);
	json_t *json = mm_json_object(
	        mm_slice_str("{\"kty\":\"RSA\",\"n\":\"AQ\",\"d\":\"private\",\"p\":\"private\","
	                     "\"q\":\"private\",\"dp\":\"private\",\"dq\":\"private\",\"qi\":"
	                     "\"private\",\"oth\":[\"private\"],\"k\":\"private\",\"kid\":\"1\"}"),
	        NULL);
	char *text = mm_jwk_text(json);
	assert_string_equal(text, "{\"kty\":\"RSA\",\"n\":\"AQ\",\"kid\":\"1\"}");
	free(text);
	assert_non_null(json_object_get(json, "d")); /* the original is left as it is */
	json_decref(json);
	for (size_t i = 0; i < N_OF(fields); i++) {
		snprintf(key, sizeof key, "{\"kty\":\"oct\",\"%s\":[\"%s\"]}", fields[i], filler);
		json = mm_json_object(mm_slice_str(key), NULL);
		text = mm_jwk_text(json);
		json_decref(json);
		if (i == 0)
			assert_string_equal(text, "{\"kty\":\"oct\"}");
		else
			assert_null(text);
		free(text);
	}
}

static enum mm_json_fault fault_of(const char *text, size_t len)
{
	enum mm_json_fault fault = 99;
	json_t *json = mm_json_object(mm_slice(text, len), &fault);
	assert_int_equal(json != NULL, fault == MM_JSON_GOOD);
	json_decref(json);
	return fault;
}

static void test_json(void **unused)
{
	(void)unused;
	static const struct {
		const char *text;
		enum mm_json_fault fault;
	} cases[] = {
		{ "{}", MM_JSON_GOOD },
		{ "", MM_JSON_BAD },
		{ "[]", MM_JSON_BAD },
		{ "{} x", MM_JSON_BAD },
		{ "{\"a\":1", MM_JSON_BAD },
		{ "{\"a\":\"\xff\"}", MM_JSON_BAD }, /* no UTF-8 */
		{ "{\"a\":\"\\u0000\"}", MM_JSON_BAD },
		{ "{\"a\":1e999}", MM_JSON_BAD },
		{ "{\"iss\":\"a\",\"iss\":\"b\"}", MM_JSON_DUPLICATE },
		{ "{\"iss\":\"a\",\"\\u0069ss\":\"b\"}", MM_JSON_DUPLICATE },
		{ "{\"x\":{\"a\":1,\"a\":1}}", MM_JSON_DUPLICATE },
		{ "{\"x\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}", MM_JSON_GOOD },
		{ "{\"x\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}", MM_JSON_GOOD },
	};
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_int_equal(fault_of(cases[i].text, strlen(cases[i].text)), cases[i].fault);
	for (size_t depth = 31; depth <= 33; depth++) { /* with the object around them */
		char text[128] = "{\"a\":";
		size_t n = strlen(text);
		for (size_t i = 1; i < depth; i++)
			text[n++] = '[';
		for (size_t i = 1; i < depth; i++)
			text[n++] = ']';
		text[n++] = '}';
		assert_int_equal(fault_of(text, n),
		        depth <= MM_JSON_DEPTH_MAX ? MM_JSON_GOOD : MM_JSON_DEEP);
	}
	const size_t million = 1 << 20;
	char *text = malloc(million);
	memset(text, ' ', million);
	text[0] = '{';
	text[million - 1] = '}';
	assert_int_equal(fault_of(text, million), MM_JSON_LONG);
	text[MM_JSON_BYTES_MAX - 1] = '}';
	assert_int_equal(fault_of(text, MM_JSON_BYTES_MAX), MM_JSON_GOOD);
	memset(text, '[', million);
	assert_int_equal(fault_of(text, MM_JSON_BYTES_MAX), MM_JSON_DEEP);
	free(text);
}

/* RFC 7519 section 2: a NumericDate may have a fraction. */
static void test_dates(void **unused)
{
	(void)unused;
	json_t *json = mm_json_object(
	        mm_slice_str("{\"a\":1700000000,\"b\":1700000000.75,\"c\":-1,\"d\":\"1\",\"e\":"
	                     "253402300800,\"f\":1e300,\"g\":9223372036854775807,\"h\":0}"),
	        NULL);
	assert_int_equal(mm_json_date(json, "a"), 1700000000);
	assert_int_equal(mm_json_date(json, "b"), 1700000000);
	for (const char *name = "c\0d\0e\0f\0g\0h\0i\0"; *name != '\0'; name += 2)
		assert_int_equal(mm_json_date(json, name), 0);
	json_decref(json);
	assert_int_equal(mm_date_ns(2), INT64_C(2000000000));
	assert_true(mm_date_ns(INT64_C(253402300799)) > 0);
}

static bool parses(const char *text, struct mm_jwt *jwt)
{
	return mm_jwt_parse(mm_slice_str(text), jwt);
}

static void test_parts(void **unused)
{
	(void)unused;
	struct mm_jwt jwt;
	static const char *const none[] = { "", "eyJ", "eyJhbGciOiJub25lIn0",
		"eyJhbGciOiJub25lIn0.e30", "eyJhbGciOiJub25lIn0.e30..",
		"eyJhbGciOiJub25lIn0.e30.a.b.c.d", "abc.e30.", "eyJhbGciOiJub25lIn0=.e30.",
		"eyJhbGciOiJub25lIn0.e30.A", "eyJhbGciOiJub25lIn0.e30.YQ ",
		"eyJhbGciOiJub25lIn.e30.YQ", "ey.e30.YQ", "eyJhIjoxLCJhIjoyfQ.e30." };
	for (size_t i = 0; i < N_OF(none); i++) {
		assert_false(parses(none[i], &jwt));
		assert_null(jwt.header);
		assert_null(jwt.claims);
	}
	/* RFC 7515 appendix A.5: not signed. */
	assert_true(parses("eyJhbGciOiJub25lIn0." JOE ".", &jwt));
	assert_int_equal(jwt.signature_len, 0);
	assert_int_equal(mm_json_date(jwt.claims, "exp"), 1300819380);
	assert_true(mm_slice_eq(mm_json_str(jwt.claims, "iss"), mm_slice_str("joe")));
	mm_jwt_done(&jwt);
	/* Appendix F: detached. */
	assert_true(parses("eyJhbGciOiJub25lIn0..YQ", &jwt));
	assert_null(jwt.claims);
	assert_int_equal(jwt.signature_len, 1);
	mm_jwt_done(&jwt);
	/* {"a":1,"a":2} as claims, deep ones, none */
	assert_true(parses("eyJhbGciOiJub25lIn0.eyJhIjoxLCJhIjoyfQ.", &jwt));
	assert_null(jwt.claims);
	assert_int_equal(jwt.fault, MM_JSON_DUPLICATE);
	mm_jwt_done(&jwt);
	/* RFC 7516 appendix A.1: the header of a JWE, and nothing else of it. */
	assert_true(
	        parses("eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2ojaHV7LFpZc."
	               "48V1_ALb6US04U3b.5eym8TW_c8SuK0lt.XFBoMYUZodetZdvT",
	                &jwt));
	assert_true(jwt.encrypted);
	assert_null(jwt.claims);
	assert_true(mm_slice_eq(mm_json_str(jwt.header, "enc"), mm_slice_str("A256GCM")));
	struct mm_jwk jwk;
	assert_true(read_key(EC_KEY, &jwk));
	assert_int_equal(mm_jwk_verify(&jwk, MM_ALG_ES256, &jwt), MM_CANNOT_TELL);
	assert_null(mm_jwk_confused(&jwk, "", MM_ALG_HS256, &jwt));
	mm_jwk_done(&jwk);
	mm_jwt_done(&jwt);
}

static void test_lengths(void **unused)
{
	(void)unused;
	static char text[MM_JWT_MAX + 8];
	struct mm_jwt jwt;
	memset(text, 'A', sizeof text);
	memcpy(text, "eyJhbGciOiJub25lIn0.", 20);
	text[MM_JWT_MAX - 1] = '.';
	assert_true(mm_jwt_looks(mm_slice(text, MM_JWT_MAX)));
	assert_true(mm_jwt_parse(mm_slice(text, MM_JWT_MAX), &jwt));
	mm_jwt_done(&jwt);
	assert_false(mm_jwt_looks(mm_slice(text, MM_JWT_MAX + 1)));
	/* A signature longer than any key makes. */
	text[MM_JWT_MAX - 1] = 'A';
	memcpy(text + 20, "e30.", 4);
	size_t most = MM_JWT_SIGNATURE_MAX / 3 * 4 + 2;
	assert_true(mm_jwt_parse(mm_slice(text, 24 + most), &jwt));
	assert_int_equal(jwt.signature_len, MM_JWT_SIGNATURE_MAX);
	mm_jwt_done(&jwt);
	assert_false(mm_jwt_parse(mm_slice(text, 24 + most + 1), &jwt));
}

static struct mm_jwk es256;

static void read_any(void *arg, struct mm_slice input)
{
	struct mm_jwt jwt;
	struct mm_jwk jwk;
	const struct mm_slice *original = arg;
	if (mm_jwt_parse(input, &jwt)) {
		enum mm_verdict3 v = mm_jwk_verify(&es256, MM_ALG_ES256, &jwt);
		assert_true(v != MM_VALID || mm_slice_eq(input, *original));
		(void)mm_jwk_confused(&es256, "", MM_ALG_HS256, &jwt);
		mm_jwt_done(&jwt);
	}
	json_t *json = mm_json_object(input, NULL);
	if (json != NULL && mm_jwk_read(json, &jwk)) {
		char *text = mm_jwk_text(json);
		assert_non_null(text);
		free(text);
		mm_jwk_done(&jwk);
	}
	json_decref(json);
}

static void test_hostile(void **unused)
{
	(void)unused;
	struct signer s = signer_new("ES256", "k");
	char token[JOSE_TEXT], key[JOSE_TEXT];
	static const char *const others[] = { EC_KEY, ED_KEY,
		"{\"kty\":\"RSA\",\"n\":\"" N_7638 "\",\"e\":\"AQAB\"}" };
	assert_true(read_key(jwk_text(&s, "", key), &es256));
	struct mm_slice original = mm_slice_str(jwt_make(&s, CLAIMS, token));
	guard_every_prefix(original.p, original.len, read_any, &original);
	guard_every_bitflip(original.p, original.len, read_any, &original);
	for (size_t i = 0; i < N_OF(others); i++) {
		original = mm_slice_str(others[i]);
		guard_every_prefix(original.p, original.len, read_any, &original);
		guard_every_bitflip(original.p, original.len, read_any, &original);
	}
	mm_jwk_done(&es256);
	signer_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_specifications),
		cmocka_unit_test(test_thumbprint),
		cmocka_unit_test(test_base64url),
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_each_algorithm),
		cmocka_unit_test(test_odd_signatures),
		cmocka_unit_test(test_confusion),
		cmocka_unit_test(test_no_keys),
		cmocka_unit_test(test_rsa_sizes),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_hostile),
	};
	mm_json_init(1);
	mm_jwk_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
