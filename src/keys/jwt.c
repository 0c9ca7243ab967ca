/* Taking JWTs apart. */
#include "keys/jwt.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/base64.h"

enum {
	JWS_PARTS = 3,
	JWE_PARTS = 5,
};

static bool is_base64url(int b)
{
	return (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') ||
	       b == '-' || b == '_';
}

bool mm_jwt_looks(struct mm_slice text)
{
	/* '{"' in base64url; other writers put white space there. */
	static const char *const starts[] = { "eyJ", "eyA", "ewo", "ew0", "eyI" };
	size_t n_parts = 1;
	bool start = false;
	if (text.len > MM_JWT_MAX)
		return false;
	for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
		start = start || mm_slice_eq(mm_first(text, 3), mm_slice_str(starts[i]));
	for (size_t i = 0; i < text.len && start; i++) {
		int b = mm_at(text, i);
		n_parts += b == '.';
		start = b == '.' || is_base64url(b);
	}
	return start && (n_parts == JWS_PARTS || n_parts == JWE_PARTS);
}

/* The object that this part of base64url holds. */
static json_t *read_part(struct mm_slice part, enum mm_json_fault *fault)
{
	size_t n;
	json_t *object = NULL;
	uint8_t *text = malloc(part.len + 1);
	*fault = MM_JSON_BAD;
	if (text != NULL && mm_base64url_decode(part, text, part.len + 1, &n))
		object = mm_json_object(mm_slice(text, n), fault);
	free(text);
	return object;
}

bool mm_jwt_parse(struct mm_slice text, struct mm_jwt *out)
{
	out->header = out->claims = NULL;
	out->signature_len = 0;
	out->encrypted = false;
	out->fault = MM_JSON_GOOD;
	if (!mm_jwt_looks(text))
		return false;
	size_t first = mm_find8(text, 0, '.');
	size_t second = mm_find8(text, first + 1, '.');
	struct mm_slice payload = mm_first(mm_after(text, first + 1), second - first - 1);
	struct mm_slice signature = mm_after(text, second + 1);
	out->header = read_part(mm_first(text, first), &out->fault);
	if (out->header == NULL)
		return false;
	out->encrypted = mm_find8(signature, 0, '.') != signature.len;
	out->signed_part = mm_first(text, second);
	if (out->encrypted)
		return true;
	if (!mm_base64url_decode(
	            signature, out->signature, sizeof out->signature, &out->signature_len)) {
		mm_jwt_done(out);
		return false;
	}
	out->claims = read_part(payload, &out->fault);
	return true;
}

void mm_jwt_done(struct mm_jwt *jwt)
{
	json_decref(jwt->header);
	json_decref(jwt->claims);
	jwt->header = jwt->claims = NULL;
}

/* The header with another nonce, as it is written. */
static char *header_with(const struct mm_jwt *jwt, const char *nonce)
{
	json_t *header = json_copy(jwt->header); /* members stay in their order */
	char *text = NULL;
	if (header != NULL && json_object_set_new(header, "nonce", json_string(nonce)) == 0)
		text = json_dumps(header, JSON_COMPACT);
	json_decref(header);
	return text;
}

uint8_t *mm_jwt_digested(const struct mm_jwt *jwt, size_t *len)
{
	enum { SHA256_B = 32, NONCE_TEXT = 48 };
	uint8_t digest[SHA256_B];
	char nonce[NONCE_TEXT];
	struct mm_slice plain = mm_json_str(jwt->header, "nonce");
	if (plain.len == 0 || EVP_Digest(plain.p, plain.len, digest, NULL, EVP_sha256(), NULL) != 1)
		return NULL;
	char *header =
	        header_with(jwt, mm_base64url_encode(mm_slice(digest, sizeof digest), nonce));
	if (header == NULL)
		return NULL;
	struct mm_slice text = mm_slice_str(header);
	struct mm_slice rest = mm_after(jwt->signed_part, mm_find8(jwt->signed_part, 0, '.'));
	size_t room = mm_base64url_room(text.len);
	char *out = malloc(room + rest.len);
	if (out != NULL) {
		size_t n = strlen(mm_base64url_encode(text, out));
		memcpy(out + n, rest.p, rest.len);
		*len = n + rest.len;
	}
	free(header);
	return (uint8_t *)out;
}
