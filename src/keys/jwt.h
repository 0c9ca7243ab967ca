/* A JSON Web Token in JWS compact serialisation (RFC 7519, RFC 7515 section 7.1), taken apart but not verified.
 *
 *	BASE64URL(UTF8(JWS Protected Header)) || '.' || BASE64URL(JWS Payload) || '.' || BASE64URL(JWS Signature)
 *
 * A JWE (RFC 7516 section 7.1) has five parts, of which only the header can be read. */
#ifndef MM_KEYS_JWT_H
#define MM_KEYS_JWT_H

#include "keys/json.h"

enum {
	MM_JWT_MAX = 16 * 1024,      /* octets of a token; servers take headers of 8 to 64 KiB */
	MM_JWT_SIGNATURE_MAX = 1024, /* RSA of 8192 bits */
};

struct mm_jwt {
	json_t *header, *claims; /* owned. claims NULL: encrypted, detached, or no JSON object */
	struct mm_slice signed_part; /* header and payload with the '.' between; borrowed */
	size_t signature_len;
	uint8_t signature[MM_JWT_SIGNATURE_MAX];
	bool encrypted;
	enum mm_json_fault fault; /* of what could not be read */
};

/** Does this look like a JWT? Cheap: three or five parts of base64url, the first of which begins an object. */
bool mm_jwt_looks(struct mm_slice text);

/** Take it apart. False when it is none; out then holds nothing. The text must outlive out->signed_part. */
bool mm_jwt_parse(struct mm_slice text, struct mm_jwt *out);
void mm_jwt_done(struct mm_jwt *jwt);

/** What is signed where the header's "nonce" is sent plain and signed as its digest, BASE64URL(SHA-256(nonce)): so does
 * Microsoft's identity platform for audiences of its own. The caller frees it; NULL without such a header. *len: octets. */
uint8_t *mm_jwt_digested(const struct mm_jwt *jwt, size_t *len);

#endif
