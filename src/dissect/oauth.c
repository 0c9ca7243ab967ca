/* OAuth 2.0 (RFC 6749) and OpenID Connect in HTTP: where tokens are asked for, handed out, shown, asked about and withdrawn,
 * and where the keys that sign them are published.
 *
 *	POST /token                                        {"access_token":"eyJ...", "refresh_token":"...",
 *	grant_type=authorization_code&code=...              "id_token":"eyJ...", "token_type":"Bearer"}
 *
 *	GET /orders
 *	Authorization: Bearer eyJ...
 *
 * What an exchange is follows from what it carries, not from its path, which every provider chooses itself: a grant_type
 * makes a token request, "keys" a key set, "issuer" with "jwks_uri" a discovery document, "active" an introspection. */
#include "dissect/oauth.h"

#include <stdlib.h>

#include "keys/jwt.h"

enum {
	DOCUMENT_MAX = 36 * 1024, /* octets of a key set or discovery document that is passed on */
	KEYS_MAX = 64,
	COOKIES_MAX = 64,
};

const struct mm_attr mm_oauth_attrs[MM_OAUTH_ATTRS] = {
	[MM_OAUTH_ERROR] = { "mintmark.oauth.error", MM_ATTR_STR,
	        "error of the answer, RFC 6749 section 5.2, RFC 6750 section 3.1" },
	[MM_OAUTH_SCOPE] = { "mintmark.oauth.scope", MM_ATTR_STR, "scope, RFC 6749 section 3.3" },
	[MM_OAUTH_RESPONSE_TYPE] = { "mintmark.oauth.response_type", MM_ATTR_STR,
	        "response_type of an authorization request, RFC 6749 section 3.1.1" },
	[MM_OAUTH_CHALLENGE] = { "mintmark.oauth.code_challenge_method", MM_ATTR_STR,
	        "code_challenge_method, RFC 7636 section 4.3" },
	[MM_OAUTH_PROMPT] = { "mintmark.oauth.prompt", MM_ATTR_STR,
	        "prompt, OpenID Connect Core 1.0 section 3.1.2.1" },
	[MM_OAUTH_JTI] = { "mintmark.jwt.jti", MM_ATTR_STR,
	        "jti of the token shown, RFC 7519 section 4.1.7" },
	[MM_OAUTH_ACTIVE] = { "mintmark.oauth.active", MM_ATTR_BOOL,
	        "active of an introspection, RFC 7662 section 2.2" },
	[MM_OAUTH_WHERE] = { "mintmark.oauth.where", MM_ATTR_STR,
	        "where the token was shown: header, proxy-header, form, query, cookie, websocket" },
	[MM_OAUTH_KEYS] = { "mintmark.jwks.keys", MM_ATTR_INT,
	        "keys in a set, RFC 7517 section 5" },
	[MM_OAUTH_AUTHORIZATION] = { "mintmark.oauth.authorization", MM_ATTR_STR,
	        "fingerprint of state, RFC 6749 section 4.1.1: the same in an authorization "
	        "request and its answer" },
};

struct mm_event *mm_oauth_event(struct mm_dissect *d, const struct mm_web_exchange *x,
        enum mm_event_kind kind, const char *action)
{
	struct mm_event *ev = mm_web_event(d, x, kind, action);
	if (ev == NULL)
		return NULL;
	ev->protocol = mm_oauth.name;
	mm_oauth_place(ev, x);
	if (d->tls != NULL && d->tls->has_client_cert)
		memcpy(ev->cert.b, d->tls->client_cert_x5t, sizeof ev->cert.b);
	ev->no_cert = d->tls != NULL && d->tls->no_client_cert;
	return ev;
}

static bool is(struct mm_slice s, const char *word)
{
	return mm_slice_eq(s, mm_slice_str(word));
}

bool mm_oauth_param(
        const struct mm_web_exchange *x, const char *name, uint8_t *room, struct mm_slice *value)
{
	struct mm_web_param p;
	struct mm_slice form = mm_web_form(&x->request);
	struct mm_slice in = form.len != 0 ? form : x->query;
	if (in.len == 0 || !mm_web_param_find(in, name, room, MM_WEB_PARAM_ROOM, &p) || p.cut)
		return false;
	*value = p.value;
	return value->len != 0;
}

void mm_oauth_put_param(struct mm_event *ev, const struct mm_web_exchange *x, const char *name,
        size_t attr, uint8_t *room)
{
	struct mm_slice value;
	if (mm_oauth_param(x, name, room, &value))
		mm_event_put_str(ev, &mm_oauth_attrs[attr], value);
}

/* --- token requests -------------------------------------------------------------------------------- */

static enum mm_grant grant_of(struct mm_slice name)
{
	static const struct {
		const char *name;
		enum mm_grant grant;
	} grants[] = {
		{ "authorization_code", MM_GRANT_CODE },
		{ "refresh_token", MM_GRANT_REFRESH },
		{ "client_credentials", MM_GRANT_CLIENT },
		{ "password", MM_GRANT_PASSWORD },
		{ "urn:ietf:params:oauth:grant-type:device_code", MM_GRANT_DEVICE },
		{ "urn:ietf:params:oauth:grant-type:token-exchange", MM_GRANT_EXCHANGE },
		{ "urn:ietf:params:oauth:grant-type:jwt-bearer", MM_GRANT_JWT_BEARER },
		{ "urn:ietf:params:oauth:grant-type:saml2-bearer", MM_GRANT_SAML_BEARER },
		{ "urn:openid:params:grant-type:ciba", MM_GRANT_CIBA },
	};
	for (size_t i = 0; i < sizeof grants / sizeof grants[0]; i++)
		if (is(name, grants[i].name))
			return grants[i].grant;
	return MM_GRANT_OTHER;
}

/* What is shown to obtain tokens: the proof first, then what stands beside it. */
static void put_grant(
        struct mm_dissect *d, struct mm_event *ev, const struct mm_web_exchange *x, uint8_t *room)
{
	static const struct {
		const char *name;
		enum mm_cred_kind kind;
	} shown[] = {
		{ "code", MM_CRED_CODE },
		{ "refresh_token", MM_CRED_REFRESH_TOKEN },
		{ "device_code", MM_CRED_CODE },
		{ "auth_req_id", MM_CRED_CODE },
		{ "subject_token", MM_CRED_ACCESS_TOKEN },
		{ "assertion", MM_CRED_ASSERTION },
	};
	struct mm_slice value;
	bool proof = false;
	for (size_t i = 0; i < sizeof shown / sizeof shown[0] && !proof; i++)
		if (mm_oauth_param(x, shown[i].name, room, &value))
			proof = mm_oauth_cred(d, ev, MM_ROLE_PRESENTED, shown[i].kind, value) !=
			        NULL;
	if (mm_oauth_param(x, "actor_token", room, &value))
		(void)mm_oauth_cred(d, ev, MM_ROLE_EVIDENCE, MM_CRED_ACCESS_TOKEN, value);
}

/* How the client names itself, and by which name. */
static void put_client(
        struct mm_dissect *d, struct mm_event *ev, const struct mm_web_exchange *x, uint8_t *room)
{
	struct mm_slice value, name;
	if (mm_oauth_param(x, "client_id", room, &value))
		ev->app = mm_event_str(ev, value);
	ev->client_auth = MM_CLIENT_AUTH_NONE;
	if (mm_fp_is_set(&ev->cert))
		ev->client_auth = MM_CLIENT_AUTH_TLS;
	if (mm_oauth_param(x, "client_secret", room, &value))
		ev->client_auth = MM_CLIENT_AUTH_SECRET_POST;
	if (mm_web_basic_user(x, false, room, MM_WEB_PARAM_ROOM, &value)) {
		ev->client_auth = MM_CLIENT_AUTH_SECRET_BASIC;
		uint8_t plain[MM_STR_MAX];
		if (ev->app.len == 0 && mm_web_unescape(value, true, plain, sizeof plain, &name))
			ev->app = mm_event_str(ev, name);
	}
	if (!mm_oauth_param(x, "client_assertion", room, &value))
		return;
	struct mm_cred *cred =
	        mm_oauth_cred(d, ev, MM_ROLE_EVIDENCE, MM_CRED_CLIENT_ASSERTION, value);
	bool hmac = cred != NULL && cred->alg_name.len >= 2 &&
	            mm_slice_eq(mm_first(mm_str_slice(cred->alg_name), 2), mm_slice_str("HS"));
	ev->client_auth = hmac ? MM_CLIENT_AUTH_SECRET_JWT : MM_CLIENT_AUTH_PRIVATE_KEY_JWT;
	if (ev->app.len == 0 && cred != NULL)
		ev->app = cred->principal;
}

/* access_token, refresh_token and id_token of the answer (RFC 6749 section 5.1); true when there was one. */
static bool put_issued(struct mm_dissect *d, struct mm_event *ev, const json_t *answer)
{
	static const struct {
		const char *name;
		enum mm_cred_kind kind;
	} issued[] = {
		{ "access_token", MM_CRED_ACCESS_TOKEN },
		{ "id_token", MM_CRED_ID_TOKEN },
		{ "refresh_token", MM_CRED_REFRESH_TOKEN },
		{ "device_code", MM_CRED_CODE },
	};
	bool any = false;
	for (size_t i = 0; i < sizeof issued / sizeof issued[0]; i++) {
		struct mm_slice token = mm_json_str(answer, issued[i].name);
		struct mm_cred *cred = mm_oauth_cred(d, ev, MM_ROLE_ISSUED, issued[i].kind, token);
		any = any || cred != NULL;
		if (cred != NULL && cred->client.len == 0)
			cred->client = ev->app;
	}
	struct mm_slice scope = mm_json_str(answer, "scope");
	if (any && scope.len != 0)
		mm_event_put_str(ev, &mm_oauth_attrs[MM_OAUTH_SCOPE], scope);
	return any;
}

static void put_error(struct mm_event *ev, const json_t *answer)
{
	struct mm_slice error = mm_json_str(answer, "error");
	if (error.len != 0)
		mm_event_put_str(ev, &mm_oauth_attrs[MM_OAUTH_ERROR], error);
}

void mm_oauth_put_user(struct mm_event *ev)
{
	for (size_t i = 0; i < ev->n_creds; i++) {
		const struct mm_cred *c = &ev->creds[i];
		if (c->role != MM_ROLE_ISSUED || c->principal.len == 0 || ev->user.len != 0)
			continue;
		ev->user = c->principal;
		ev->user_realm = c->issuer;
	}
}

static void token_exchange(struct mm_dissect *d, const struct mm_web_exchange *x,
        const json_t *answer, struct mm_slice grant, uint8_t *room)
{
	struct mm_slice value;
	enum mm_grant type = grant_of(grant);
	struct mm_event *ev = mm_oauth_event(d, x, MM_EV_REQUEST, "oauth-token");
	if (ev == NULL)
		return;
	ev->grant = type;
	put_grant(d, ev, x, room);
	put_client(d, ev, x, room);
	if (type == MM_GRANT_PASSWORD && mm_oauth_param(x, "username", room, &value))
		ev->user = mm_event_str(ev, value);
	mm_oauth_put_param(ev, x, "scope", MM_OAUTH_SCOPE, room);
	struct mm_slice error = mm_json_str(answer, "error");
	if (put_issued(d, ev, answer))
		ev->kind = MM_EV_ISSUE;
	put_error(ev, answer);
	if (error.len != 0 || x->status >= 400)
		ev->outcome = MM_FAILURE;
	if (type == MM_GRANT_PASSWORD)
		ev->meaning =
		        ev->kind == MM_EV_ISSUE
		                ? MM_MEANING_PASSWORD_RIGHT
		                : mm_login_meaning(error, mm_json_str(answer, "error_description"));
	mm_oauth_put_user(ev);
	mm_dissect_emit(d, ev);
}

/* --- documents ------------------------------------------------------------------------------------- */

static void key_event(struct mm_dissect *d, const struct mm_web_exchange *x, const char *action,
        const char *text, size_t n_keys)
{
	struct mm_event *ev = mm_oauth_event(d, x, MM_EV_KEY, action);
	if (ev == NULL)
		return;
	ev->document = mm_event_raw(ev, mm_slice_str(text), DOCUMENT_MAX);
	if (n_keys != 0)
		mm_event_put_int(ev, &mm_oauth_attrs[MM_OAUTH_KEYS], (int64_t)n_keys);
	mm_dissect_emit(d, ev);
}

static char *set_text(json_t *keys, bool certificates)
{
	/* A private key that is published by mistake is not carried about. */
	static const char *const private[] = { "d", "p", "q", "dp", "dq", "qi", "oth", "k" };
	for (size_t i = 0; i < json_array_size(keys); i++) {
		json_t *key = json_array_get(keys, i);
		for (size_t n = 0; n < sizeof private / sizeof private[0]; n++)
			(void)json_object_del(key, private[n]);
		if (!certificates)
			(void)json_object_del(key, "x5c");
	}
	json_t *set = json_pack("{s:O}", "keys", keys);
	char *text = set != NULL ? json_dumps(set, JSON_COMPACT) : NULL;
	json_decref(set);
	return text;
}

/* Certificates are most of a large key set: then it is passed on without. */
static bool key_set(struct mm_dissect *d, const struct mm_web_exchange *x, const json_t *answer)
{
	json_t *keys = json_object_get(answer, "keys");
	size_t n = json_is_array(keys) ? json_array_size(keys) : 0;
	if (n == 0 || mm_json_str(json_array_get(keys, 0), "kty").len == 0)
		return false;
	while (json_array_size(keys) > KEYS_MAX)
		(void)json_array_remove(keys, json_array_size(keys) - 1);
	char *text = set_text(keys, true);
	if (text != NULL && strlen(text) > DOCUMENT_MAX) {
		free(text);
		text = set_text(keys, false);
	}
	if (text != NULL)
		key_event(d, x, "jwks", text, n);
	free(text);
	return true;
}

static bool discovery(struct mm_dissect *d, const struct mm_web_exchange *x, const json_t *answer)
{
	struct mm_slice issuer = mm_json_str(answer, "issuer"),
	                uri = mm_json_str(answer, "jwks_uri");
	if (issuer.len == 0 || uri.len == 0)
		return false;
	json_t *doc = json_object();
	(void)json_object_set(doc, "issuer", json_object_get(answer, "issuer"));
	(void)json_object_set(doc, "jwks_uri", json_object_get(answer, "jwks_uri"));
	char *text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	if (text != NULL)
		key_event(d, x, "oidc-discovery", text, 0);
	free(text);
	return true;
}

/* --- introspection --------------------------------------------------------------------------------- */

static bool introspection(
        struct mm_dissect *d, const struct mm_web_exchange *x, const json_t *answer, uint8_t *room)
{
	struct mm_slice token;
	const json_t *active = json_object_get(answer, "active");
	if (!json_is_boolean(active) || !mm_oauth_param(x, "token", room, &token))
		return false;
	struct mm_event *ev = mm_oauth_event(d, x, MM_EV_PRESENT, "oauth-introspection");
	if (ev == NULL)
		return true;
	struct mm_cred *cred = mm_oauth_cred(d, ev, MM_ROLE_EVIDENCE, MM_CRED_ACCESS_TOKEN, token);
	ev->outcome = json_is_true(active) ? MM_SUCCESS : MM_FAILURE;
	mm_event_put_bool(ev, &mm_oauth_attrs[MM_OAUTH_ACTIVE], json_is_true(active));
	if (cred != NULL && !cred->jwt) { /* what an opaque token does not show */
		cred->issuer = mm_event_str(ev, mm_json_str(answer, "iss"));
		cred->principal = mm_event_str(ev, mm_json_str(answer, "sub"));
		cred->client = mm_event_str(ev, mm_json_str(answer, "client_id"));
		cred->iat_s = mm_json_date(answer, "iat");
		cred->exp_s = mm_json_date(answer, "exp");
	}
	mm_dissect_emit(d, ev);
	return true;
}

/* RFC 7009: the answer is empty. */
static void revocation(struct mm_dissect *d, const struct mm_web_exchange *x, uint8_t *room)
{
	struct mm_slice token;
	if (mm_web_form(&x->request).len == 0 || x->status != 200 || x->response.body.len != 0 ||
	        mm_find(x->path, 0, mm_slice_str("revo")) == x->path.len ||
	        !mm_oauth_param(x, "token", room, &token))
		return;
	struct mm_event *ev = mm_oauth_event(d, x, MM_EV_ACTION, "oauth-revocation");
	if (ev == NULL)
		return;
	(void)mm_oauth_cred(d, ev, MM_ROLE_EVIDENCE, MM_CRED_ACCESS_TOKEN, token);
	mm_dissect_emit(d, ev);
}

/* --- tokens shown ---------------------------------------------------------------------------------- */

struct shown {
	struct mm_slice token;
	enum mm_scheme scheme;
	const char *where;
};

static bool in_header(const struct mm_web_exchange *x, const char *name, struct shown *s)
{
	struct mm_slice value;
	for (size_t i = 0; mm_web_header(&x->request, name, i, &value); i++) {
		s->scheme = mm_web_scheme(value, "bearer", &s->token) ? MM_SCHEME_BEARER
		            : mm_web_scheme(value, "dpop", &s->token) ? MM_SCHEME_DPOP
		                                                      : MM_SCHEME_NONE;
		if (s->scheme != MM_SCHEME_NONE && s->token.len != 0)
			return true;
	}
	return false;
}

/* RFC 6455 section 4.1: names of subprotocols, of which applications make one a token. */
static bool in_websocket(const struct mm_web_exchange *x, struct shown *s)
{
	struct mm_slice value;
	if (!mm_web_header(&x->request, "sec-websocket-protocol", 0, &value))
		return false;
	struct mm_cursor c = mm_cursor(value);
	while (c.len != 0) {
		struct mm_slice item = mm_take(&c, mm_find8(mm_left(&c), 0, ','));
		if (c.len != 0)
			mm_skip(&c, 1);
		while (mm_at(item, 0) == ' ')
			item = mm_after(item, 1);
		/* "access_token.eyJ..." and the like */
		size_t dot = mm_find(item, 0, mm_slice_str("eyJ"));
		if (dot < item.len && mm_jwt_looks(mm_after(item, dot))) {
			s->token = mm_after(item, dot);
			return true;
		}
	}
	return false;
}

/* A cookie of a session may be a JWT that signs nobody in elsewhere: those that are called a token, or that name an
 * issuer. */
static bool in_cookie(const struct mm_web_exchange *x, struct shown *s)
{
	struct mm_slice name, value;
	size_t n = 0;
	struct mm_web_cookies it = mm_web_cookies(&x->request);
	while (n++ < COOKIES_MAX && mm_web_cookie_next(&it, &name, &value)) {
		bool called = is(name, "access_token") || is(name, "token") || is(name, "jwt") ||
		              is(name, "AccessToken") || is(name, "bearer");
		if (called && value.len >= 16 &&
		        (mm_jwt_looks(value) || is(name, "access_token"))) {
			s->token = value;
			return true;
		}
	}
	return false;
}

static bool find_shown(const struct mm_web_exchange *x, struct shown *s, uint8_t *room)
{
	struct mm_web_param p;
	*s = (struct shown){ .where = "header" };
	if (in_header(x, "authorization", s))
		return true;
	s->where = "proxy-header";
	if (in_header(x, "proxy-authorization", s))
		return true;
	s->scheme = MM_SCHEME_BEARER;
	s->where = "websocket";
	if (in_websocket(x, s))
		return true;
	s->where = "form"; /* RFC 6750 section 2.2 */
	struct mm_slice form = mm_web_form(&x->request);
	if (form.len != 0 && mm_web_param_find(form, "access_token", room, MM_WEB_PARAM_ROOM, &p) &&
	        !p.cut) {
		s->token = p.value;
		return p.value.len != 0;
	}
	s->where = "query";
	if (x->query.len != 0 &&
	        mm_web_param_find(x->query, "access_token", room, MM_WEB_PARAM_ROOM, &p) &&
	        !p.cut) {
		s->token = p.value;
		return p.value.len != 0;
	}
	s->where = "cookie";
	return in_cookie(x, s);
}

/* error="invalid_token" of WWW-Authenticate, RFC 6750 section 3. */
static void put_challenge(struct mm_event *ev, const struct mm_web_exchange *x)
{
	struct mm_slice value, mark = mm_slice_str("error=\"");
	if (!mm_web_header(&x->response, "www-authenticate", 0, &value))
		return;
	size_t at = mm_find(value, 0, mark);
	if (at == value.len)
		return;
	value = mm_after(value, at + mark.len);
	mm_event_put_str(
	        ev, &mm_oauth_attrs[MM_OAUTH_ERROR], mm_first(value, mm_find8(value, 0, '"')));
	ev->outcome = MM_FAILURE;
}

static void presentation(struct mm_dissect *d, const struct mm_web_exchange *x, uint8_t *room)
{
	struct shown s;
	struct mm_slice proof;
	if (!find_shown(x, &s, room))
		return;
	struct mm_event *ev = mm_oauth_event(d, x, MM_EV_PRESENT, "bearer");
	if (ev == NULL)
		return;
	struct mm_cred *cred =
	        mm_oauth_cred(d, ev, MM_ROLE_PRESENTED, MM_CRED_ACCESS_TOKEN, s.token);
	ev->scheme = s.scheme;
	mm_event_put_str(ev, &mm_oauth_attrs[MM_OAUTH_WHERE], mm_slice_str(s.where));
	if (mm_web_header(&x->request, "dpop", 0, &proof))
		ev->document = mm_event_raw(ev, proof, MM_RAW_MAX / 2);
	if (x->status == 101 || x->status == 304)
		ev->outcome = MM_SUCCESS;
	if (x->status == 403)
		ev->outcome = MM_FAILURE;
	put_challenge(ev, x);
	if (cred != NULL) {
		ev->user = cred->principal;
		ev->user_realm = cred->issuer;
		ev->app = cred->client;
	}
	mm_dissect_emit(d, ev);
}

/* id_token that a browser brings to a client (form_post) or back to its issuer (id_token_hint): shown, but not as a proof. */
static void hint(struct mm_dissect *d, const struct mm_web_exchange *x, uint8_t *room)
{
	static const char *const names[] = { "id_token", "id_token_hint" };
	struct mm_slice value;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!mm_oauth_param(x, names[i], room, &value) || !mm_jwt_looks(value))
			continue;
		struct mm_event *ev =
		        mm_oauth_event(d, x, MM_EV_PRESENT, i == 0 ? "oidc-callback" : "oidc-hint");
		if (ev == NULL)
			return;
		if (x->status >= 300 && x->status < 400 && i == 0)
			ev->outcome = MM_SUCCESS;
		struct mm_cred *cred =
		        mm_oauth_cred(d, ev, MM_ROLE_EVIDENCE, MM_CRED_ID_TOKEN, value);
		if (cred != NULL)
			ev->user = cred->principal;
		mm_dissect_emit(d, ev);
		return;
	}
}

/* --- all of it ------------------------------------------------------------------------------------- */

/* The answer's JSON. What of it is of no interest is not read: most of the web is not about tokens. */
static json_t *answer_of(struct mm_dissect *d, const struct mm_web_exchange *x, bool asked)
{
	static const char *const words[] = { "\"keys\"", "\"jwks_uri\"", "\"access_token\"",
		"\"id_token\"", "\"active\"", "\"device_code\"" };
	struct mm_slice body = x->response.body;
	bool of_interest = asked;
	if (body.len == 0 || !mm_web_is_json(&x->response))
		return NULL;
	for (size_t i = 0; i < sizeof words / sizeof words[0] && !of_interest; i++)
		of_interest = mm_find(body, 0, mm_slice_str(words[i])) != body.len;
	if (!of_interest)
		return NULL;
	enum mm_json_fault fault;
	json_t *answer = mm_json_object(body, &fault);
	mm_oauth_fault(d, fault);
	return answer;
}

/* Tokens handed out without a grant that was read: device authorization, or another request of a provider's own. */
static void other_answer(
        struct mm_dissect *d, const struct mm_web_exchange *x, const json_t *answer, uint8_t *room)
{
	bool device = mm_json_str(answer, "device_code").len != 0 &&
	              mm_json_str(answer, "user_code").len != 0;
	if (mm_json_str(answer, "access_token").len == 0 && !device)
		return;
	struct mm_event *ev = mm_oauth_event(
	        d, x, MM_EV_ISSUE, device ? "oauth-device-authorization" : "oauth-token");
	if (ev == NULL)
		return;
	put_client(d, ev, x, room);
	mm_oauth_put_param(ev, x, "scope", MM_OAUTH_SCOPE, room);
	(void)put_issued(d, ev, answer);
	if (device)
		mm_oauth_put_user_code(ev, mm_json_str(answer, "user_code"));
	mm_oauth_put_user(ev);
	mm_dissect_emit(d, ev);
}

void mm_oauth_exchange(struct mm_dissect *d, struct mm_web_exchange *x)
{
	uint8_t room[MM_WEB_PARAM_ROOM];
	struct mm_slice grant = mm_slice(NULL, 0);
	uint8_t grant_room[128];
	struct mm_web_param p;
	struct mm_slice form = mm_web_form(&x->request);
	if (form.len != 0 &&
	        mm_web_param_find(form, "grant_type", grant_room, sizeof grant_room, &p))
		grant = p.value;
	json_t *answer = answer_of(d, x, grant.len != 0);
	presentation(d, x, room);
	if (grant.len != 0) {
		token_exchange(d, x, answer, grant, room);
	} else if (answer != NULL) {
		if (!key_set(d, x, answer) && !discovery(d, x, answer) &&
		        !introspection(d, x, answer, room))
			other_answer(d, x, answer, room);
	} else {
		mm_oauth_authorization(d, x, room);
		revocation(d, x, room);
		hint(d, x, room);
		mm_login_exchange(d, x);
	}
	json_decref(answer);
	mm_web_wipe(x, room, sizeof room);
}

const struct mm_dissector mm_oauth = {
	.name = "oauth",
	.spec = "RFC 6749",
	.help = "OAuth 2.0 and OpenID Connect in HTTP: tokens asked for, issued, shown; keys "
	        "published",
	.layer = MM_LAYER_MECHANISM,
	.attrs = mm_oauth_attrs,
	.n_attrs = MM_OAUTH_ATTRS,
};
