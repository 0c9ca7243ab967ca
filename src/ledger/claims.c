/* Claims, and proofs of possession: what can be said of one token alone. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "ledger/tokens.h"

enum { UUID_TEXT = 36 }; /* RFC 9562 section 4 */

static char type_of(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return 'o';
	case JSON_ARRAY:
		return 'a';
	case JSON_STRING:
		return 's';
	case JSON_INTEGER:
	case JSON_REAL:
		return 'n';
	case JSON_TRUE:
	case JSON_FALSE:
		return 'b';
	case JSON_NULL:
		return '0';
	}
	return '?';
}

/* Does it stand in the token because it was asked for, in any token of its kind? It says nothing of who made it. */
static bool is_optional(const char *name)
{
	static const char *const names[] = { "nonce", "c_hash", "at_hash", "s_hash", "act",
		"may_act", "auth_time", "acr", "amr", "sid", NULL };
	for (size_t i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static void write_form(const struct mm_jwt *jwt, char *out, size_t room)
{
	struct mm_slice typ = mm_json_str(jwt->header, "typ");
	int n = snprintf(out, room, "typ=%.*s", (int)mm_first(typ, 32).len, (const char *)typ.p);
	size_t at = n > 0 ? (size_t)n : 0;
	const char *name;
	json_t *value;
	json_object_foreach(jwt->claims, name, value)
	{
		if (is_optional(name) || at >= room)
			continue;
		n = snprintf(out + at, room - at, ",%.40s:%c", name, type_of(value));
		at += n > 0 ? (size_t)n : 0;
	}
}

/* aud is a string or a list of strings, RFC 7519 section 4.1.3. */
static void write_audience(const json_t *claims, char out[MM_TOKEN_TEXT])
{
	const json_t *aud = json_object_get(claims, "aud");
	size_t at = 0, n = json_is_array(aud) ? json_array_size(aud) : json_is_string(aud);
	out[0] = '\0';
	for (size_t i = 0; i < n && at < MM_TOKEN_TEXT; i++) {
		const json_t *one = json_is_array(aud) ? json_array_get(aud, i) : aud;
		if (!json_is_string(one))
			continue;
		int len = snprintf(out + at, MM_TOKEN_TEXT - at, "%s%s", at != 0 ? " " : "",
		        json_string_value(one));
		at += len > 0 ? (size_t)len : 0;
	}
}

bool mm_claims_read(struct mm_slice token, struct mm_claims *c)
{
	static const char *const clients[] = { "client_id", "azp", "appid", "cid" };
	if (!mm_jwt_parse(token, &c->jwt))
		return false;
	if (c->jwt.claims == NULL) {
		mm_jwt_done(&c->jwt);
		return false;
	}
	const json_t *claims = c->jwt.claims;
	c->iss = mm_json_str(claims, "iss");
	c->tid = mm_json_str(claims, "tid");
	c->kid = mm_json_str(c->jwt.header, "kid");
	c->alg = mm_json_str(c->jwt.header, "alg");
	c->client = mm_slice(NULL, 0);
	for (size_t i = 0; i < sizeof clients / sizeof clients[0] && c->client.len == 0; i++)
		c->client = mm_json_str(claims, clients[i]);
	c->iat_s = mm_json_date(claims, "iat");
	c->nbf_s = mm_json_date(claims, "nbf");
	c->exp_s = mm_json_date(claims, "exp");
	write_audience(claims, c->aud);
	write_form(&c->jwt, c->form, sizeof c->form);
	return true;
}

static bool is_uuid(struct mm_slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		int b = mm_at(s, i);
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		bool hex = (b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'f');
		if (dash ? b != '-' : !hex)
			return false;
	}
	return s.len == UUID_TEXT;
}

bool mm_claims_tenant_differs(const struct mm_claims *c)
{
	if (!is_uuid(c->tid))
		return false;
	for (size_t i = 0; i + UUID_TEXT <= c->iss.len; i++) {
		struct mm_slice at = mm_first(mm_after(c->iss, i), UUID_TEXT);
		if (is_uuid(at))
			return strncasecmp((const char *)at.p, (const char *)c->tid.p, UUID_TEXT) !=
			       0;
	}
	return false;
}

static bool has_item(struct mm_slice list, struct mm_slice item)
{
	struct mm_cursor c = mm_cursor(list);
	while (c.len != 0) {
		if (mm_slice_eq(mm_take(&c, mm_find8(mm_left(&c), 0, ',')), item))
			return true;
		if (c.len != 0)
			mm_skip(&c, 1);
	}
	return false;
}

/* Up to three items of a that b does not have. */
static size_t only_in(
        struct mm_slice a, struct mm_slice b, const char *word, char *out, size_t room)
{
	enum { SHOWN = 3 };
	struct mm_cursor c = mm_cursor(a);
	size_t at = 0, n = 0;
	while (c.len != 0) {
		struct mm_slice item = mm_take(&c, mm_find8(mm_left(&c), 0, ','));
		if (c.len != 0)
			mm_skip(&c, 1);
		if (has_item(b, item) || n++ >= SHOWN || at >= room)
			continue;
		struct mm_slice name = mm_first(item, mm_find8(item, 0, ':'));
		int len = snprintf(out + at, room - at, "%s%.*s", n == 1 ? word : ", ",
		        (int)name.len, (const char *)name.p);
		at += len > 0 ? (size_t)len : 0;
	}
	return at < room ? at : room - 1;
}

void mm_claims_differ(const char *form, struct mm_str usual, char out[MM_TOKEN_TEXT])
{
	struct mm_slice a = mm_slice_str(form), b = mm_str_slice(usual);
	size_t at = only_in(b, a, "lacks ", out, MM_TOKEN_TEXT);
	char rest[MM_TOKEN_TEXT];
	if (at != 0 && at + 3 < MM_TOKEN_TEXT && only_in(a, b, "", rest, sizeof rest) != 0) {
		out[at++] = ';';
		out[at++] = ' ';
	}
	size_t more = only_in(a, b, "adds ", out + at, MM_TOKEN_TEXT - at);
	if (at + more == 0)
		snprintf(out, MM_TOKEN_TEXT, "their order differs");
	else
		out[at + more] = '\0';
	struct mm_str safe = { out, strlen(out) };
	for (size_t i = 0; i < safe.len; i++)
		out[i] = out[i] >= 0x20 && out[i] < 0x7f ? out[i] : '?';
}

/* --- DPoP ------------------------------------------------------------------------------------------ */

/* The first octets of a digest in base64url are these. */
static bool digest_is(struct mm_slice text, const struct mm_fp *fp)
{
	uint8_t digest[64];
	size_t n;
	return mm_base64url_decode(text, digest, sizeof digest, &n) && n >= sizeof fp->b &&
	       memcmp(digest, fp->b, sizeof fp->b) == 0;
}

/* Proxies change the front of a path: one must end as the other does. */
static bool same_place(struct mm_slice htu, struct mm_slice place)
{
	struct mm_slice mark = mm_slice_str("://");
	size_t from = mm_find(htu, 0, mark);
	htu = from < htu.len ? mm_after(htu, from + mark.len) : htu;
	htu = mm_after(htu, mm_find8(htu, 0, '/'));
	place = mm_after(place, mm_find8(place, 0, '/'));
	if (htu.len > place.len)
		htu = mm_after(htu, htu.len - place.len);
	else
		place = mm_after(place, place.len - htu.len);
	return mm_slice_eq(htu, place);
}

/* RFC 9449 section 4.2: "dpop+jwt"; a media type in any case, its "application/" left out or not (RFC 7515 section 4.1.9). */
static bool is_dpop_type(struct mm_slice typ)
{
	struct mm_slice front = mm_slice_str("application/"), want = mm_slice_str("dpop+jwt");
	if (typ.len == front.len + want.len &&
	        strncasecmp((const char *)typ.p, (const char *)front.p, front.len) == 0)
		typ = mm_after(typ, front.len);
	return typ.len == want.len &&
	       strncasecmp((const char *)typ.p, (const char *)want.p, want.len) == 0;
}

/* Shown with an access token it has its hash (section 4.3, check 11); in a request for one it has none: token is NULL. */
static bool claims_good(const struct mm_jwt *jwt, const struct mm_fp *token, struct mm_str method,
        struct mm_str place)
{
	struct mm_slice ath = mm_json_str(jwt->claims, "ath");
	struct mm_slice htm = mm_json_str(jwt->claims, "htm");
	struct mm_slice htu = mm_json_str(jwt->claims, "htu");
	htu = mm_first(htu, mm_find8(htu, 0, '?'));
	return (token == NULL || digest_is(ath, token)) &&
	       (method.len == 0 || mm_slice_eq(htm, mm_str_slice(method))) &&
	       (place.len == 0 || same_place(htu, mm_str_slice(place)));
}

bool mm_proof_good(struct mm_slice proof, struct mm_slice jkt, const struct mm_fp *token,
        struct mm_str method, struct mm_str place, struct mm_fp *id)
{
	struct mm_jwt jwt;
	struct mm_jwk jwk;
	*id = mm_fp_of(proof);
	if (!mm_jwt_parse(proof, &jwt))
		return false;
	const json_t *key = json_object_get(jwt.header, "jwk");
	enum mm_alg alg = mm_alg_of(mm_json_str(jwt.header, "alg"));
	bool good = jwt.claims != NULL && is_dpop_type(mm_json_str(jwt.header, "typ")) &&
	            json_is_object(key) && mm_jwk_read(key, &jwk);
	if (good) {
		/* none, an HMAC and another key's algorithm prove nothing; of an algorithm not known it cannot be told. */
		good = digest_is(jkt, &jwk.thumbprint) && claims_good(&jwt, token, method, place) &&
		       (alg == MM_ALG_UNKNOWN || mm_jwk_verify(&jwk, alg, &jwt) == MM_VALID);
		mm_jwk_done(&jwk);
	}
	mm_jwt_done(&jwt);
	return good;
}
