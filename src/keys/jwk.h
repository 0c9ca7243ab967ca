/* JSON Web Keys (RFC 7517) and what a signature of them proves (RFC 7515, RFC 7518), by OpenSSL. */
#ifndef MM_KEYS_JWK_H
#define MM_KEYS_JWK_H

#include <openssl/evp.h>

#include "base/hash.h"
#include "keys/jwt.h"

enum {
	MM_KID_TEXT = 128,
	MM_X5T_TEXT = 44,            /* SHA-256 in base64url; SHA-1 is shorter */
	MM_JWK_BYTES_MAX = 8 * 1024, /* octets of one key as text; RSA of 16384 bits takes 3 KiB */
	MM_JWK_RSA_BITS_MAX = 8192,  /* dearer ones to verify with are not used */
};

/** What is verified with: RFC 7518 section 3.1, RFC 8037. */
enum mm_alg {
	MM_ALG_UNKNOWN,
	MM_ALG_NONE,
	MM_ALG_HS256,
	MM_ALG_HS384,
	MM_ALG_HS512,
	MM_ALG_RS256,
	MM_ALG_RS384,
	MM_ALG_RS512,
	MM_ALG_PS256,
	MM_ALG_PS384,
	MM_ALG_PS512,
	MM_ALG_ES256,
	MM_ALG_ES384,
	MM_ALG_ES512,
	MM_ALG_EDDSA,
};

enum mm_alg mm_alg_of(struct mm_slice name);

/** "none" in any mixture of cases is one for verifiers that do not care (RFC 8725 section 3.1): MM_ALG_NONE as well. */
static inline bool mm_alg_is_hmac(enum mm_alg alg)
{
	return alg >= MM_ALG_HS256 && alg <= MM_ALG_HS512;
}

/** A public key, or a secret for HMAC. */
struct mm_jwk {
	struct mm_fp thumbprint; /* RFC 7638, cut to 16 octets */
	EVP_PKEY *pkey;          /* NULL: a secret, or of a type that is not known */
	uint8_t *secret;         /* kty "oct"; cleared when freed */
	size_t secret_len;
	char kid[MM_KID_TEXT];                        /* "" when absent; a longer one is cut */
	char x5t[MM_X5T_TEXT], x5t_s256[MM_X5T_TEXT]; /* of its certificate; "" when absent */
	struct mm_slice
	        issuer; /* member "issuer" of some providers' keys; borrowed from the JSON */
};

/** Read a key. False when there is nothing to verify with. */
bool mm_jwk_read(const json_t *json, struct mm_jwk *out);
/** The key of a certificate, the first of an "x5c" (RFC 7515 section 4.1.6: DER in base64), without thumbprint and kid. False
 * when it is none, or longer than MM_JWK_BYTES_MAX as text. The certificate itself is not judged. */
bool mm_jwk_of_cert(struct mm_slice text, struct mm_jwk *out);
void mm_jwk_done(struct mm_jwk *jwk);

/** Its text without white space and private members, and without certificates where it would be longer than
 * MM_JWK_BYTES_MAX; NULL when it is even so. Owned by the caller. */
char *mm_jwk_text(const json_t *json);

/** Three-valued: what cannot be told proves nothing. */
enum mm_verdict3 {
	MM_CANNOT_TELL,
	MM_VALID,
	MM_INVALID,
};

const char *mm_verdict3_name(enum mm_verdict3 verdict);

/** Does the signature verify with this key? MM_CANNOT_TELL when the algorithm is not one of the key's type. */
enum mm_verdict3 mm_jwk_verify(const struct mm_jwk *jwk, enum mm_alg alg, const struct mm_jwt *jwt);

/** Was a public key taken for the secret of an HMAC? (RFC 8725 section 2.1.) Tries the forms in which it is published:
 * SubjectPublicKeyInfo and PKCS #1 as PEM with and without a last line end and as DER, the modulus, and text: the key as it
 * stands in the set. Returns the form, or NULL. */
const char *mm_jwk_confused(
        const struct mm_jwk *jwk, const char *text, enum mm_alg alg, const struct mm_jwt *jwt);

/** Load what OpenSSL loads at first use, before the sandbox closes. */
void mm_jwk_init(void);

#endif
