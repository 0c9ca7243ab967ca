/* oauth.c, token.c, login.c: exchanges as the specifications show them, made by hand, and what becomes of them. Secrets and
 * opaque tokens are invented and all hold "S3CRET": no event's text does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "dissect/oauth.h"
#include "fake_gss.h"
#include "guard.h"
#include "keys/json.h"

#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define FORM    "application/x-www-form-urlencoded"
#define JSON    "application/json"
/* {"alg":"ES256","kid":"k1"} {"iss":"https://a.example","sub":"anna","aud":["x","y"],"client_id":"shop",
 * "iat":1700000000,"exp":1700003600,"jti":"j1","tid":"t1"}, not signed by anybody */
#define HEAD "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0"
#define BODY                                                                                       \
	"eyJpc3MiOiJodHRwczovL2EuZXhhbXBsZSIsInN1YiI6ImFubmEiLCJhdWQiOlsieCIsInkiXSwiY2xpZW50X2lk" \
	"Ijoic2hvcCIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwLCJqdGkiOiJqMSIsInRpZCI6InQxIn0"
#define JWT          HEAD "." BODY ".c2lnbmF0dXJl"
#define STATE_FP     "d580fbb165249f5e8afeec747a348f20"
#define USER_CODE_FP "1ee497e244316433239ea9b8c4352154"
#define OPAQUE       "S3CRET-opaque-token"

enum { FIELDS_MAX = 16 };

static struct mm_dissect d;
static struct mm_web_exchange x;
static struct mm_web_field fields[2][FIELDS_MAX];

static struct mm_web_message *side_of(bool answer)
{
	return answer ? &x.response : &x.request;
}

static void field(bool answer, const char *name, const char *value)
{
	struct mm_web_message *m = side_of(answer);
	assert_true(m->n_fields < FIELDS_MAX);
	fields[answer][m->n_fields++] =
	        (struct mm_web_field){ mm_slice_str(name), mm_slice_str(value) };
}

static void body(bool answer, const char *type, const char *text)
{
	field(answer, "Content-Type", type);
	side_of(answer)->body = mm_slice_str(text);
	side_of(answer)->flags |= MM_WEB_BODY_KEPT;
}

/* target: path and query. type NULL: no body. */
static void request(const char *method, const char *target, const char *type, const char *text)
{
	fake_reset();
	d = fake_dissect(&mm_oauth);
	struct mm_slice all = mm_slice_str(target);
	size_t mark = mm_find8(all, 0, '?');
	x = (struct mm_web_exchange){ .version = MM_WEB_HTTP_1_1,
		.method = mm_slice_str(method),
		.authority = mm_slice_str("a.example:8443"),
		.host = mm_slice_str("a.example"),
		.path = mm_first(all, mark),
		.query = mm_after(all, mark < all.len ? mark + 1 : mark) };
	for (unsigned i = 0; i < 2; i++) {
		*side_of(i) = (struct mm_web_message){ .fields = fields[i],
			.flags = MM_WEB_SEEN,
			.first = { 0, 1 + 2 * i },
			.last = { 0, 2 + 2 * i },
			.time_ns = 1000 + i };
	}
	if (type != NULL)
		body(false, type, text);
}

static bool has_secret(const struct mm_event *ev)
{
	const struct mm_event_room *room = (const struct mm_event_room *)ev;
	return memmem(room->text, room->n_text, "S3CRET", 6) != NULL ||
	       memmem(room->raw, room->n_raw, "S3CRET", 6) != NULL;
}

/* The answer comes; how many events there are now. */
static size_t answer(unsigned status, const char *type, const char *text)
{
	x.status = status;
	if (type != NULL)
		body(true, type, text);
	mm_oauth_exchange(&d, &x);
	free(d.state);
	assert_int_equal(fake.n_live, 0);
	for (size_t i = 0; i < fake.n_emitted; i++) {
		const struct mm_event *ev = fake.emitted[i];
		assert_false(has_secret(ev));
		assert_int_equal(ev->request_ns, 1000);
		assert_int_equal(ev->request_pkt.number, 2);
		assert_int_equal(ev->response_pkt.number, 4);
	}
	return fake.n_emitted;
}

static const struct mm_event *event(const char *action)
{
	for (size_t i = 0; i < fake.n_emitted; i++)
		if (strcmp(fake.emitted[i]->action, action) == 0)
			return fake.emitted[i];
	return NULL;
}

static void is_str(struct mm_str s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.p, want, s.len);
}

static const struct mm_attr_value *attr(const struct mm_event *ev, const char *name)
{
	for (size_t i = 0; i < ev->n_attrs; i++)
		if (strcmp(ev->attrs[i].attr->name, name) == 0)
			return &ev->attrs[i];
	return NULL;
}

static void is_attr(const struct mm_event *ev, const char *name, const char *want)
{
	assert_non_null(attr(ev, name));
	is_str(attr(ev, name)->str, want);
}

/* The nth credential of an event is this token, in this role, of this kind. */
static void is_cred(const struct mm_event *ev, size_t nth, enum mm_cred_role role,
        enum mm_cred_kind kind, const char *token)
{
	struct mm_fp fp = mm_fp_of(mm_slice_str(token));
	assert_true(nth < ev->n_creds);
	const struct mm_cred *c = &ev->creds[nth];
	assert_int_equal(c->role, role);
	assert_int_equal(c->kind, kind);
	assert_true(mm_fp_eq(&c->fp, &fp));
	assert_int_equal(c->length, strlen(token));
	if (strcmp(token, JWT) != 0) {
		assert_false(c->jwt);
		assert_int_equal(c->raw.len, 0);
		return;
	}
	assert_true(c->jwt);
	is_str(c->raw, JWT);
	is_str(c->issuer, "https://a.example");
	is_str(c->principal, "anna");
	is_str(c->principal_realm, "t1");
	is_str(c->service, "x y");
	is_str(c->client, "shop");
	is_str(c->kid, "k1");
	is_str(c->alg_name, "ES256");
	assert_int_equal(c->iat_s, 1700000000);
	assert_int_equal(c->nbf_s, 0);
	assert_int_equal(c->exp_s, 1700003600);
}

/* --- token requests -------------------------------------------------------------------------------- */

#define TOKENS                                                                                     \
	"{\"access_token\":\"" JWT "\",\"id_token\":\"" JWT "\",\"refresh_token\":\"" OPAQUE       \
	"-r\",\"token_type\":\"Bearer\",\"scope\":\"openid mail\"}"

static void test_grants(void **unused)
{
	(void)unused;
	static const struct {
		const char *form;
		enum mm_grant grant;
		enum mm_cred_kind kind; /* of what is shown */
		const char *shown;
	} cases[] = {
		{ "grant_type=authorization_code&code=S3CRET%2Bcode&redirect_uri=https%3A%2F%2Fx&"
		  "code_verifier=S3CRET",
		        MM_GRANT_CODE, MM_CRED_CODE, "S3CRET+code" },
		{ "grant_type=refresh_token&refresh_token=" OPAQUE, MM_GRANT_REFRESH,
		        MM_CRED_REFRESH_TOKEN, OPAQUE },
		{ "grant_type=client_credentials&scope=openid+mail", MM_GRANT_CLIENT, MM_CRED_NONE,
		        NULL },
		{ "grant_type=password&username=anna&password=S3CRET", MM_GRANT_PASSWORD,
		        MM_CRED_NONE, NULL },
		{ "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code="
		  "S3CRETd",
		        MM_GRANT_DEVICE, MM_CRED_CODE, "S3CRETd" },
		{ "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=" JWT
		  "&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
		        MM_GRANT_EXCHANGE, MM_CRED_ACCESS_TOKEN, JWT },
		{ "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" JWT,
		        MM_GRANT_JWT_BEARER, MM_CRED_ASSERTION, JWT },
		{ "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer&assertion="
		  "S3CRET",
		        MM_GRANT_SAML_BEARER, MM_CRED_ASSERTION, "S3CRET" },
		{ "grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id=S3CRETc",
		        MM_GRANT_CIBA, MM_CRED_CODE, "S3CRETc" },
		{ "grant_type=https%3A%2F%2Fmy.example%2Fgrant", MM_GRANT_OTHER, MM_CRED_NONE,
		        NULL },
	};
	for (size_t i = 0; i < N_OF(cases); i++) {
		request("POST", "/token", FORM, cases[i].form);
		assert_int_equal(answer(200, JSON, TOKENS), 1);
		const struct mm_event *ev = event("oauth-token");
		assert_non_null(ev);
		assert_string_equal(ev->protocol, "oauth");
		assert_int_equal(ev->kind, MM_EV_ISSUE);
		assert_int_equal(ev->outcome, MM_SUCCESS);
		assert_int_equal(ev->grant, cases[i].grant);
		is_str(ev->place, "a.example/token");
		is_str(ev->method, "POST");
		is_attr(ev, "mintmark.oauth.scope", "openid mail");
		size_t n = cases[i].shown != NULL;
		if (n != 0)
			is_cred(ev, 0, MM_ROLE_PRESENTED, cases[i].kind, cases[i].shown);
		assert_int_equal(ev->n_creds, n + 3);
		is_cred(ev, n, MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN, JWT);
		is_cred(ev, n + 1, MM_ROLE_ISSUED, MM_CRED_ID_TOKEN, JWT);
		is_cred(ev, n + 2, MM_ROLE_ISSUED, MM_CRED_REFRESH_TOKEN, OPAQUE "-r");
		is_str(ev->user, "anna");
		assert_int_equal(ev->meaning, cases[i].grant == MM_GRANT_PASSWORD
		                                      ? MM_MEANING_PASSWORD_RIGHT
		                                      : MM_MEANING_NONE);
	}
}

static void test_exchange_actor(void **unused)
{
	(void)unused;
	request("POST", "/token", FORM,
	        "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=" OPAQUE
	        "&actor_token=" JWT);
	assert_int_equal(answer(200, JSON, TOKENS), 1);
	is_cred(event("oauth-token"), 0, MM_ROLE_PRESENTED, MM_CRED_ACCESS_TOKEN, OPAQUE);
	is_cred(event("oauth-token"), 1, MM_ROLE_EVIDENCE, MM_CRED_ACCESS_TOKEN, JWT);
}

static void test_client_auth(void **unused)
{
	(void)unused;
	/* {"alg":"HS256"} and {"iss":"shop","sub":"shop"} in the last */
	static const struct {
		const char *more, *authorization;
		enum mm_client_auth auth;
		const char *app;
	} cases[] = {
		{ "&client_id=shop", NULL, MM_CLIENT_AUTH_NONE, "shop" },
		{ "&client_id=shop&client_secret=S3CRET", NULL, MM_CLIENT_AUTH_SECRET_POST,
		        "shop" },
		/* shop%3A1:S3CRET */
		{ "", "Basic c2hvcCUzQTE6UzNDUkVU", MM_CLIENT_AUTH_SECRET_BASIC, "shop:1" },
		{ "&client_assertion_type=x&client_assertion=" JWT, NULL,
		        MM_CLIENT_AUTH_PRIVATE_KEY_JWT, "anna" },
		{ "&client_assertion=eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJzaG9wIiwic3ViIjoic2hvcCJ9.YQ",
		        NULL, MM_CLIENT_AUTH_SECRET_JWT, "shop" },
	};
	for (size_t i = 0; i < N_OF(cases); i++) {
		char form[1024];
		snprintf(form, sizeof form, "grant_type=client_credentials%s", cases[i].more);
		request("POST", "/token", FORM, form);
		if (cases[i].authorization != NULL)
			field(false, "Authorization", cases[i].authorization);
		assert_int_equal(answer(200, JSON, "{\"access_token\":\"" OPAQUE "\"}"), 1);
		const struct mm_event *ev = event("oauth-token");
		assert_int_equal(ev->client_auth, cases[i].auth);
		is_str(ev->app, cases[i].app);
		is_cred(ev, ev->n_creds - 1, MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN, OPAQUE);
		if (cases[i].auth == MM_CLIENT_AUTH_PRIVATE_KEY_JWT)
			is_cred(ev, 0, MM_ROLE_EVIDENCE, MM_CRED_CLIENT_ASSERTION, JWT);
		if (cases[i].auth == MM_CLIENT_AUTH_SECRET_JWT)
			is_str(ev->creds[0].alg_name, "HS256");
	}
}

static void test_errors(void **unused)
{
	(void)unused;
	static const struct {
		const char *answer;
		unsigned status;
		enum mm_meaning meaning;
	} cases[] = {
		{ "{\"error\":\"invalid_grant\"}", 400, MM_MEANING_REFUSED },
		{ "{\"error\":\"invalid_client\"}", 401, MM_MEANING_NONE },
		{ "{\"error\":\"invalid_grant\",\"error_description\":\"AADSTS50126: S3CRET\"}",
		        400, MM_MEANING_BAD_PASSWORD },
		{ "{\"error\":\"invalid_grant\",\"error_description\":\"AADSTS50034: x\"}", 400,
		        MM_MEANING_NO_SUCH_USER },
		{ "{\"error\":\"invalid_grant\",\"error_description\":\"AADSTS50053: x\"}", 400,
		        MM_MEANING_LOCKED },
		{ "{\"error\":\"interaction_required\",\"error_description\":\"AADSTS50076: x\"}",
		        400, MM_MEANING_RIGHT_BUT },
		{ "no JSON", 500, MM_MEANING_NONE },
	};
	for (size_t i = 0; i < N_OF(cases); i++) {
		request("POST", "/token", FORM,
		        "grant_type=password&username=anna&password=S3CRET");
		assert_int_equal(answer(cases[i].status, JSON, cases[i].answer), 1);
		const struct mm_event *ev = event("oauth-token");
		assert_int_equal(ev->kind, MM_EV_REQUEST);
		assert_int_equal(ev->outcome, MM_FAILURE);
		assert_int_equal(ev->meaning, cases[i].meaning);
		assert_int_equal(ev->n_creds, 0);
		assert_int_equal(ev->status.code, cases[i].status);
		is_str(ev->user, "anna");
	}
	/* RFC 8628 section 3.5 */
	request("POST", "/token", FORM,
	        "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=S3CRETd");
	assert_int_equal(answer(400, JSON, "{\"error\":\"authorization_pending\"}"), 1);
	is_attr(event("oauth-token"), "mintmark.oauth.error", "authorization_pending");
}

/* What joins them is known, and not told. */
static void is_user_code(const struct mm_event *ev)
{
	char hex[MM_FP_TEXT];
	assert_string_equal(mm_fp_text(&ev->authorization, hex), USER_CODE_FP);
	assert_null(attr(ev, "mintmark.oauth.authorization"));
}

static void test_device(void **unused)
{
	(void)unused;
	request("POST", "/device_authorization", FORM, "client_id=tv&scope=openid");
	assert_int_equal(answer(200, JSON,
	                         "{\"device_code\":\"S3CRETd\",\"user_code\":\"S3CRET-U\","
	                         "\"verification_uri\":\"https://a.example/device\"}"),
	        1);
	const struct mm_event *ev = event("oauth-device-authorization");
	assert_non_null(ev);
	is_cred(ev, 0, MM_ROLE_ISSUED, MM_CRED_CODE, "S3CRETd");
	is_str(ev->app, "tv");
	is_user_code(ev);
	/* As it is typed elsewhere, RFC 8628 sections 3.3 and 6.1. */
	request("POST", "/device", FORM, "user_code=s3cret%20u");
	assert_int_equal(answer(302, NULL, NULL), 1);
	ev = event("oauth-device-verification");
	assert_int_equal(ev->kind, MM_EV_REQUEST);
	is_user_code(ev);
	request("POST", "/common/oauth2/deviceauth", FORM, "otc=S3CRETU");
	assert_int_equal(answer(200, "text/html", "<p>"), 1);
	is_user_code(event("oauth-device-verification"));
	/* A one-time password. */
	request("POST", "/common/SAS/ProcessAuth", FORM, "otc=123456&method=PhoneAppOTP");
	assert_int_equal(answer(200, "text/html", "<p>"), 0);
	request("GET", "/device", NULL, NULL);
	assert_int_equal(answer(200, "text/html", "<form>"), 0);
}

/* --- about tokens ---------------------------------------------------------------------------------- */

static void test_introspection(void **unused)
{
	(void)unused;
	request("POST", "/introspect", FORM, "token=" JWT "&token_type_hint=access_token");
	field(false, "Authorization", "Basic YXBpOlMzQ1JFVA==");
	assert_int_equal(
	        answer(200, JSON, "{\"active\":true,\"iss\":\"https://evil.example\"}"), 1);
	const struct mm_event *ev = event("oauth-introspection");
	assert_int_equal(ev->outcome, MM_SUCCESS);
	is_cred(ev, 0, MM_ROLE_EVIDENCE, MM_CRED_ACCESS_TOKEN, JWT);
	assert_int_equal(attr(ev, "mintmark.oauth.active")->number, 1);
	request("POST", "/introspect", FORM, "token=" OPAQUE);
	assert_int_equal(answer(200, JSON, "{\"active\":false}"), 1);
	ev = event("oauth-introspection");
	assert_int_equal(ev->outcome, MM_FAILURE);
	assert_int_equal(attr(ev, "mintmark.oauth.active")->number, 0);
	is_cred(ev, 0, MM_ROLE_EVIDENCE, MM_CRED_ACCESS_TOKEN, OPAQUE);
	/* What an opaque token does not show, the answer tells. */
	request("POST", "/introspect", FORM, "token=" OPAQUE);
	assert_int_equal(answer(200, JSON,
	                         "{\"active\":true,\"iss\":\"https://a.example\",\"sub\":\"anna\","
	                         "\"client_id\":\"shop\",\"iat\":1700000000,\"exp\":1700003600}"),
	        1);
	ev = event("oauth-introspection");
	is_str(ev->creds[0].issuer, "https://a.example");
	is_str(ev->creds[0].principal, "anna");
	is_str(ev->creds[0].client, "shop");
	assert_int_equal(ev->creds[0].exp_s, 1700003600);
	/* Not every "active" is one. */
	request("POST", "/thing", FORM, "name=x");
	assert_int_equal(answer(200, JSON, "{\"active\":true}"), 0);
	request("POST", "/thing", FORM, "token=" OPAQUE);
	assert_int_equal(answer(200, JSON, "{\"active\":\"yes\"}"), 0);
}

static void test_revocation(void **unused)
{
	(void)unused;
	request("POST", "/revoke", FORM, "token=" OPAQUE "&client_id=shop");
	assert_int_equal(answer(200, NULL, NULL), 1);
	is_cred(event("oauth-revocation"), 0, MM_ROLE_EVIDENCE, MM_CRED_ACCESS_TOKEN, OPAQUE);
	request("POST", "/comment", FORM, "token=" OPAQUE);
	assert_int_equal(answer(200, NULL, NULL), 0);
	request("POST", "/revoke", FORM, "token=" OPAQUE);
	assert_int_equal(answer(503, NULL, NULL), 0);
}

/* --- tokens shown ---------------------------------------------------------------------------------- */

static void shown(const char *where, const char *token, enum mm_scheme scheme)
{
	assert_int_equal(answer(200, NULL, NULL), 1);
	const struct mm_event *ev = event("bearer");
	assert_non_null(ev);
	assert_int_equal(ev->kind, MM_EV_PRESENT);
	assert_int_equal(ev->outcome, MM_SUCCESS);
	assert_int_equal(ev->scheme, scheme);
	is_attr(ev, "mintmark.oauth.where", where);
	is_cred(ev, 0, MM_ROLE_PRESENTED, MM_CRED_ACCESS_TOKEN, token);
	if (strcmp(token, JWT) != 0)
		return;
	is_attr(ev, "mintmark.jwt.jti", "j1");
	is_str(ev->user, "anna");
	is_str(ev->app, "shop");
}

static void test_where(void **unused)
{
	(void)unused;
	request("GET", "/orders;jsessionid=S3CRET?a=S3CRET", NULL, NULL);
	field(false, "User-Agent", "curl/8");
	field(false, "authorization", "bEARER  " JWT);
	shown("header", JWT, MM_SCHEME_BEARER);
	is_str(event("bearer")->agent, "curl/8");
	is_str(event("bearer")->place, "a.example/orders");
	request("GET", "/userinfo", NULL, NULL);
	field(false, "Authorization", "Bearer " OPAQUE);
	shown("header", OPAQUE, MM_SCHEME_BEARER);
	request("GET", "/orders", NULL, NULL);
	field(false, "Authorization", "DPoP " JWT);
	field(false, "DPoP", "a.proof.of-it");
	shown("header", JWT, MM_SCHEME_DPOP);
	is_str(event("bearer")->document, "a.proof.of-it");
	request("GET", "/orders", NULL, NULL);
	field(false, "Proxy-Authorization", "Bearer " JWT);
	shown("proxy-header", JWT, MM_SCHEME_BEARER);
	request("POST", "/orders", FORM, "x=1&access_token=" JWT);
	shown("form", JWT, MM_SCHEME_BEARER);
	request("GET", "/orders?x=1&access_token=" OPAQUE, NULL, NULL);
	shown("query", OPAQUE, MM_SCHEME_BEARER);
	request("GET", "/orders", NULL, NULL);
	field(false, "Cookie", "theme=dark; access_token=" JWT "; sid=S3CRET");
	shown("cookie", JWT, MM_SCHEME_BEARER);
	request("GET", "/socket", NULL, NULL);
	field(false, "Sec-WebSocket-Protocol", "chat, access_token." JWT);
	x.status = 101;
	shown("websocket", JWT, MM_SCHEME_BEARER);
	/* And where there is none. */
	static const char *const none[] = { "Bearer", "Bearer ", "Negotiate abc", "Digest x=y",
		"" };
	for (size_t i = 0; i < N_OF(none); i++) {
		request("GET", "/orders", NULL, NULL);
		field(false, "Authorization", none[i]);
		field(false, "Cookie", "session=" JWT "; token=short");
		assert_int_equal(answer(200, NULL, NULL), 0);
	}
}

/* The verifier's answer: RFC 6750 section 3. */
static void test_answers(void **unused)
{
	(void)unused;
	static const struct {
		unsigned status;
		const char *challenge, *error;
		enum mm_outcome outcome;
	} cases[] = {
		{ 200, NULL, NULL, MM_SUCCESS },
		{ 204, NULL, NULL, MM_SUCCESS },
		{ 101, NULL, NULL, MM_SUCCESS },
		{ 304, NULL, NULL, MM_SUCCESS },
		{ 401, "Bearer error=\"invalid_token\", error_description=\"x\"", "invalid_token",
		        MM_FAILURE },
		{ 401, NULL, NULL, MM_FAILURE },
		{ 403, "Bearer error=\"insufficient_scope\"", "insufficient_scope", MM_FAILURE },
		{ 403, NULL, NULL, MM_FAILURE },
		{ 404, NULL, NULL, MM_UNKNOWN },
		{ 500, NULL, NULL, MM_UNKNOWN },
		{ 302, NULL, NULL, MM_UNKNOWN },
	};
	for (size_t i = 0; i < N_OF(cases); i++) {
		request("GET", "/orders", NULL, NULL);
		field(false, "Authorization", "Bearer " JWT);
		if (cases[i].challenge != NULL)
			field(true, "WWW-Authenticate", cases[i].challenge);
		assert_int_equal(answer(cases[i].status, NULL, NULL), 1);
		assert_int_equal(event("bearer")->outcome, cases[i].outcome);
		assert_int_equal(event("bearer")->status.code, cases[i].status);
		if (cases[i].error != NULL)
			is_attr(event("bearer"), "mintmark.oauth.error", cases[i].error);
	}
}

static void test_client(void **unused)
{
	(void)unused;
	request("GET", "/orders", NULL, NULL);
	field(false, "Authorization", "Bearer " JWT);
	x.client = (struct mm_addr){ 4, { 198, 51, 100, 7 } };
	x.forwarded = true;
	assert_int_equal(answer(200, NULL, NULL), 1);
	assert_true(mm_addr_eq(mm_event_client(event("bearer")), &x.client));
}

/* --- authorization --------------------------------------------------------------------------------- */

static size_t redirect(const char *target, const char *location)
{
	request("GET", target, NULL, NULL);
	field(true, "Location", location);
	return answer(302, NULL, NULL);
}

static void test_authorize(void **unused)
{
	(void)unused;
	assert_int_equal(redirect("/authorize?response_type=code&client_id=shop&state=S3CRET&"
	                          "code_challenge_method=S256&prompt=consent",
	                         "https://shop.example/cb?code=S3CRETcode&state=S3CRET"),
	        1);
	const struct mm_event *ev = event("oauth-authorize");
	assert_int_equal(ev->kind, MM_EV_ISSUE);
	is_cred(ev, 0, MM_ROLE_ISSUED, MM_CRED_CODE, "S3CRETcode");
	is_str(ev->app, "shop");
	is_attr(ev, "mintmark.oauth.response_type", "code");
	is_attr(ev, "mintmark.oauth.code_challenge_method", "S256");
	is_attr(ev, "mintmark.oauth.prompt", "consent");
	/* implicit, hybrid */
	assert_int_equal(redirect("/authorize?response_type=token",
	                         "https://shop.example/cb#access_token=" JWT
	                         "&token_type=bearer&state=S3CRET"),
	        1);
	ev = event("oauth-authorize");
	assert_int_equal(ev->n_creds, 1);
	is_cred(ev, 0, MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN, JWT);
	assert_int_equal(ev->grant, MM_GRANT_IMPLICIT);
	is_str(ev->user, "anna");
	assert_int_equal(
	        redirect("/authorize?response_type=code%20id_token",
	                "https://shop.example/cb#code=S3CRETcode&id_token=" JWT "&state=S3CRET"),
	        1);
	ev = event("oauth-authorize");
	assert_int_equal(ev->n_creds, 2);
	is_cred(ev, 0, MM_ROLE_ISSUED, MM_CRED_CODE, "S3CRETcode");
	is_cred(ev, 1, MM_ROLE_ISSUED, MM_CRED_ID_TOKEN, JWT);
	/* What joins it to its request; this and user_code by SHA-256 of sha256sum(1), the first half. */
	request("GET", "/authorize?response_type=code&client_id=shop&state=S3CRET&prompt=consent",
	        NULL, NULL);
	assert_int_equal(answer(200, "text/html", "<form>"), 1);
	ev = event("oauth-authorization-request");
	assert_int_equal(ev->kind, MM_EV_REQUEST);
	assert_int_equal(ev->n_creds, 0);
	is_str(ev->app, "shop");
	is_attr(ev, "mintmark.oauth.prompt", "consent");
	is_attr(ev, "mintmark.oauth.authorization", STATE_FP);
	assert_int_equal(
	        redirect("/resume/1", "https://shop.example/cb?code=S3CRETc&state=S3CRET"), 1);
	is_attr(event("oauth-authorize"), "mintmark.oauth.authorization", STATE_FP);
	/* Pushed, RFC 9126 section 2. */
	request("POST", "/par", FORM, "response_type=code&client_id=shop&state=S3CRET");
	assert_int_equal(answer(201, JSON, "{\"request_uri\":\"urn:x\",\"expires_in\":60}"), 1);
	is_attr(event("oauth-authorization-request"), "mintmark.oauth.authorization", STATE_FP);
	/* Other redirections, and refusals. */
	assert_int_equal(redirect("/a", "https://x.example/?code=S3CRET"), 0);
	assert_int_equal(redirect("/a", "https://x.example/cb?error=access_denied&state=1"), 0);
	assert_int_equal(redirect("/a", "/next"), 0);
	assert_int_equal(redirect("/a", ""), 0);
}

static void test_form_post(void **unused)
{
	(void)unused;
	request("GET", "/authorize?response_mode=form_post", NULL, NULL);
	assert_int_equal(
	        answer(200, "text/html;charset=utf-8",
	                "<html><body onload=\"document.forms[0].submit()\"><form "
	                "method=\"post\"><input type=\"hidden\" name=\"state\" "
	                "value=\"S3CRET\"/><input type='hidden' name='id_token' value='" JWT
	                "'/><input name=\"access_token\" value=\"" JWT
	                "\"/><input name=\"id_token\" value=\"S3CRET\"></form>"),
	        1);
	const struct mm_event *ev = event("oauth-authorize");
	assert_int_equal(ev->kind, MM_EV_ISSUE);
	assert_int_equal(ev->n_creds, 2);
	is_cred(ev, 0, MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN, JWT);
	is_cred(ev, 1, MM_ROLE_ISSUED, MM_CRED_ID_TOKEN, JWT);
	/* A code, too, beside state; and a page that has some field of that name. */
	request("GET", "/authorize?response_mode=form_post", NULL, NULL);
	assert_int_equal(answer(200, "text/html",
	                         "<input name=\"code\" value=\"S3CRETcode\"><input name=\"state\" "
	                         "value=\"S3CRET\">"),
	        1);
	ev = event("oauth-authorize");
	assert_int_equal(ev->n_creds, 1);
	is_cred(ev, 0, MM_ROLE_ISSUED, MM_CRED_CODE, "S3CRETcode");
	request("GET", "/voucher", NULL, NULL);
	assert_int_equal(answer(200, "text/html", "<input name=\"code\" value=\"S3CRETcode\">"), 0);
	request("POST", "/cb", FORM, "state=S3CRET&id_token=" JWT);
	field(true, "Location", "/");
	assert_int_equal(answer(302, NULL, NULL), 1);
	ev = event("oidc-callback");
	assert_int_equal(ev->outcome, MM_SUCCESS);
	is_cred(ev, 0, MM_ROLE_EVIDENCE, MM_CRED_ID_TOKEN, JWT);
	request("GET", "/logout?id_token_hint=" JWT, NULL, NULL);
	assert_int_equal(answer(200, NULL, NULL), 1);
	is_cred(event("oidc-hint"), 0, MM_ROLE_EVIDENCE, MM_CRED_ID_TOKEN, JWT);
}

/* --- documents ------------------------------------------------------------------------------------- */

static void test_discovery(void **unused)
{
	(void)unused;
	request("GET", "/.well-known/openid-configuration", NULL, NULL);
	assert_int_equal(
	        answer(200, JSON,
	                "{\"issuer\":\"https://a.example\",\"token_endpoint\":\"x\",\"jwks_"
	                "uri\":\"https://a.example/jwks\",\"note\":\"S3CRET\"}"),
	        1);
	const struct mm_event *ev = event("oidc-discovery");
	assert_int_equal(ev->kind, MM_EV_KEY);
	is_str(ev->document,
	        "{\"issuer\":\"https://a.example\",\"jwks_uri\":\"https://a.example/jwks\"}");
	request("GET", "/x", NULL, NULL);
	assert_int_equal(answer(200, JSON, "{\"issuer\":\"a\",\"jwks_uri\":7}"), 0);
}

static void test_jwks(void **unused)
{
	(void)unused;
	static char set[200 * 1024], x5c[64 * 1024];
	request("GET", "/jwks", NULL, NULL);
	assert_int_equal(answer(200, "application/jwk-set+json",
	                         "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\",\"kid\":"
	                         "\"1\",\"d\":\"S3CRET\",\"p\":\"S3CRET\",\"q\":\"S3CRET\",\"dp\":"
	                         "\"S3CRET\",\"dq\":\"S3CRET\",\"qi\":\"S3CRET\",\"oth\":[{\"r\":"
	                         "\"S3CRET\"}]},{\"kty\":\"oct\",\"k\":\"S3CRET\"}]}"),
	        1);
	const struct mm_event *ev = event("jwks");
	assert_int_equal(ev->kind, MM_EV_KEY);
	assert_int_equal(attr(ev, "mintmark.jwks.keys")->number, 2);
	is_str(ev->document,
	        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\",\"kid\":\"1\"},"
	        "{\"kty\":\"oct\"}]}");
	/* Certificates are left out where they are too long. */
	memset(x5c, 'A', sizeof x5c - 1);
	snprintf(set, sizeof set, "{\"keys\":[{\"kty\":\"EC\",\"x5c\":[\"%s\"],\"kid\":\"1\"}]}",
	        x5c);
	request("GET", "/jwks", NULL, NULL);
	assert_int_equal(answer(200, JSON, set), 1);
	is_str(event("jwks")->document, "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"1\"}]}");
	x5c[100] = '\0';
	snprintf(set, sizeof set, "{\"keys\":[{\"kty\":\"EC\",\"x5c\":[\"%s\"]}]}", x5c);
	request("GET", "/jwks", NULL, NULL);
	assert_int_equal(answer(200, JSON, set), 1);
	is_str(event("jwks")->document, set);
	/* More keys than are read, and more JSON. */
	size_t n = (size_t)snprintf(set, sizeof set, "{\"keys\":[{\"kty\":\"EC\"}");
	for (unsigned i = 0; i < 10000; i++)
		n += (size_t)snprintf(set + n, sizeof set - n, ",{\"kty\":\"EC\"}");
	snprintf(set + n, sizeof set - n, "]}");
	request("GET", "/jwks", NULL, NULL);
	assert_int_equal(answer(200, JSON, set), 1);
	json_t *doc = mm_json_object(mm_str_slice(event("jwks")->document), NULL);
	assert_int_equal(json_array_size(json_object_get(doc, "keys")), 64);
	json_decref(doc);
	static const char *const none[] = { "{\"keys\":[]}", "{\"keys\":{}}", "{\"keys\":[1]}",
		"{\"keys\":[{\"id\":1}]}", "[{\"keys\":1}]",
		"{\"keys\":[{\"kty\":\"EC\"}],\"keys\":1}" };
	for (size_t i = 0; i < N_OF(none); i++) {
		request("GET", "/jwks", NULL, NULL);
		assert_int_equal(answer(200, JSON, none[i]), 0);
	}
}

/* --- logins ---------------------------------------------------------------------------------------- */

static void login(const char *action, enum mm_meaning meaning)
{
	const struct mm_event *ev = event(action);
	assert_non_null(ev);
	is_str(ev->user, "anna");
	assert_int_equal(ev->meaning, meaning);
	assert_int_equal(ev->outcome, meaning == MM_MEANING_PASSWORD_RIGHT ? MM_SUCCESS
	                              : meaning == MM_MEANING_NONE         ? MM_UNKNOWN
	                                                                   : MM_FAILURE);
}

static void test_login_form(void **unused)
{
	(void)unused;
	static const struct {
		unsigned status;
		const char *location, *page;
		enum mm_meaning meaning;
	} cases[] = {
		{ 302, "/home", NULL, MM_MEANING_PASSWORD_RIGHT },
		{ 302, "/login", NULL, MM_MEANING_REFUSED },
		{ 303, "https://a.example/login?next=%2F", NULL, MM_MEANING_REFUSED },
		{ 302, "/?error=1", NULL, MM_MEANING_REFUSED },
		{ 302, NULL, NULL, MM_MEANING_NONE },
		{ 200, NULL, "<form><input type=\"password\" name=p></form>", MM_MEANING_REFUSED },
		{ 200, NULL, "<h1>Welcome</h1>", MM_MEANING_PASSWORD_RIGHT },
		{ 200, NULL, NULL, MM_MEANING_NONE },
		{ 401, NULL, NULL, MM_MEANING_REFUSED },
		{ 403, NULL, NULL, MM_MEANING_REFUSED },
		{ 422, NULL, NULL, MM_MEANING_REFUSED },
		{ 500, NULL, NULL, MM_MEANING_NONE },
	};
	for (size_t i = 0; i < N_OF(cases); i++) {
		request("POST", "/login", FORM, "csrf=S3CRET&username=anna&password=S3CRET");
		if (cases[i].location != NULL)
			field(true, "Location", cases[i].location);
		assert_int_equal(answer(cases[i].status, cases[i].page != NULL ? "text/html" : NULL,
		                         cases[i].page),
		        1);
		login("http-login", cases[i].meaning);
	}
	/* A page that is not all there may have asked for the password again. */
	static const uint32_t part[] = { MM_WEB_BODY_TRUNCATED, MM_WEB_BODY_OPAQUE };
	for (size_t i = 0; i < N_OF(part); i++) {
		request("POST", "/login", FORM, "user=anna&password=S3CRET");
		x.response.flags |= part[i];
		(void)answer(200, "text/html", i == 0 ? "<h1>Welcome</h1>" : "");
		login("http-login", MM_MEANING_NONE);
	}
	request("POST", "/search", FORM, "username=anna&q=x");
	assert_int_equal(answer(200, NULL, NULL), 0);
}

static void test_basic(void **unused)
{
	(void)unused;
	request("GET", "/", NULL, NULL);
	field(false, "Authorization", "Basic YW5uYTpTM0NSRVQ="); /* anna:S3CRET */
	assert_int_equal(answer(200, NULL, NULL), 1);
	login("http-basic", MM_MEANING_PASSWORD_RIGHT);
	request("GET", "/", NULL, NULL);
	field(false, "Authorization", "Basic YW5uYTpTM0NSRVQ=");
	assert_int_equal(answer(401, NULL, NULL), 1);
	login("http-basic", MM_MEANING_REFUSED);
	request("CONNECT", "", NULL, NULL);
	field(false, "Proxy-Authorization", "Basic YW5uYTpTM0NSRVQ=");
	assert_int_equal(answer(407, NULL, NULL), 1);
	login("http-basic", MM_MEANING_REFUSED);
	request("GET", "/", NULL, NULL);
	field(false, "Authorization", "Basic !!!!");
	assert_int_equal(answer(401, NULL, NULL), 0);
}

static void test_ws_trust(void **unused)
{
	(void)unused;
	static const char ask[] =
	        "<s:Envelope><o:Security><o:UsernameToken><o:Username>anna</o:Username>"
	        "<o:Password Type=\"x\">S3CRET</o:Password></o:UsernameToken></o:Security>";
	static const struct {
		const char *answer;
		unsigned status;
		enum mm_meaning meaning;
	} cases[] = {
		{ "<t:RequestSecurityTokenResponse>S3CRET</t:RequestSecurityTokenResponse>", 200,
		        MM_MEANING_PASSWORD_RIGHT },
		{ "<s:Fault><s:Value>wsse:FailedAuthentication</s:Value></s:Fault>", 500,
		        MM_MEANING_REFUSED },
		{ "<s:Fault>wst:FailedAuthentication AADSTS50034: x</s:Fault>", 500,
		        MM_MEANING_NO_SUCH_USER },
		{ "<s:Fault>AADSTS50126: x</s:Fault>", 500, MM_MEANING_BAD_PASSWORD },
		{ "<s:Fault>AADSTS50053: x</s:Fault>", 500, MM_MEANING_LOCKED },
		{ "<s:Fault>AADSTS50076: x</s:Fault>", 500, MM_MEANING_RIGHT_BUT },
		{ "<s:Fault>busy</s:Fault>", 500, MM_MEANING_NONE },
		{ "", 401, MM_MEANING_REFUSED },
	};
	static const char *const types[] = { "application/soap+xml; charset=utf-8", "text/xml" };
	for (size_t i = 0; i < N_OF(cases); i++) {
		request("POST", "/trust/2005/usernamemixed", types[i % 2], ask);
		assert_int_equal(
		        answer(cases[i].status, "application/soap+xml", cases[i].answer), 1);
		login("ws-trust", cases[i].meaning);
	}
	request("POST", "/soap", "text/xml", "<a><Username>anna</Username></a>");
	assert_int_equal(answer(200, "text/xml", "<b/>"), 0);
}

/* --- hostile --------------------------------------------------------------------------------------- */

static void exchange_any(void *arg, struct mm_slice input)
{
	const unsigned *kind = arg;
	request("POST", "/token", NULL, NULL);
	switch (*kind) {
	case 0:
		body(false, FORM, "");
		x.request.body = input;
		break;
	case 1:
		body(false, FORM, "grant_type=refresh_token&refresh_token=a&token=b");
		body(true, JSON, "");
		x.response.body = input;
		break;
	case 2:
		body(true, JSON, "");
		x.response.body = input;
		break;
	case 3:
		field(false, "Authorization", "");
		fields[0][0].value = input;
		break;
	case 4:
		field(true, "Location", "");
		fields[1][0].value = input;
		x.status = 302;
		break;
	case 5:
		body(true, "text/html", "");
		x.response.body = input;
		break;
	case 6:
		field(false, "Cookie", "");
		fields[0][0].value = input;
		break;
	case 7:
		field(false, "Sec-WebSocket-Protocol", "");
		fields[0][0].value = input;
		break;
	default:
		body(false, "text/xml", "");
		x.request.body = input;
	}
	x.status = x.status != 0 ? x.status : 200;
	mm_oauth_exchange(&d, &x);
	free(d.state);
	assert_int_equal(fake.n_live, 0);
}

static void test_hostile(void **unused)
{
	(void)unused;
	static const struct {
		unsigned kind;
		const char *text;
	} cases[] = {
		{ 0, "grant_type=authorization_code&code=a%2Bb&client_id=x&client_assertion=" JWT },
		{ 0, "username=anna&password=S3CRET&id_token=" JWT },
		{ 1, TOKENS },
		{ 1, "{\"active\":true,\"iss\":\"a\",\"sub\":\"b\",\"exp\":1.5e9}" },
		{ 2, "{\"issuer\":\"https://a.example\",\"jwks_uri\":\"https://a.example/jwks\"}" },
		{ 2, "{\"keys\":[{\"kty\":\"EC\",\"x5c\":[\"AA\"],\"d\":\"S\"},{\"kty\":\"oct\"}]"
		     "}" },
		{ 2, "{\"device_code\":\"a\",\"user_code\":\"b\",\"access_token\":\"c\"}" },
		{ 3, "Bearer " JWT },
		{ 3, "Basic YW5uYTpTM0NSRVQ=" },
		{ 4, "https://shop.example/cb?a=b#code=c&id_token=" JWT "&state=S3CRET" },
		{ 5, "<input name=\"id_token\" value=\"" JWT
		     "\"><input name='access_token' value=''>" },
		{ 6, "a=b; access_token=" JWT "; token=" JWT },
		{ 7, "chat, bearer." JWT ", x" },
		{ 8, "<UsernameToken><o:Username a='b'>anna</o:Username><Password>p</Password>" },
	};
	for (size_t i = 0; i < N_OF(cases); i++) {
		unsigned kind = cases[i].kind;
		const uint8_t *p = (const uint8_t *)cases[i].text;
		guard_every_prefix(p, strlen(cases[i].text), exchange_any, &kind);
		guard_every_bitflip(p, strlen(cases[i].text), exchange_any, &kind);
	}
	fake_reset();
}

/* No event to be had; and no more than an event holds. */
static void test_limits(void **unused)
{
	(void)unused;
	static char form[128 * 1024];
	for (unsigned i = 0; i < 6; i++) {
		request("POST", "/token?access_token=" JWT, i % 2 == 0 ? FORM : NULL,
		        "grant_type=password&username=a&password=S3CRET");
		if (i == 3)
			field(true, "Location", "/cb?code=a&state=b");
		fake.no_events = true;
		assert_int_equal(answer(i == 3 ? 302 : 200, JSON,
		                         i == 5 ? "{\"keys\":[{\"kty\":\"EC\"}]}" : TOKENS),
		        0);
	}
	/* A token longer than is kept: by its fingerprint alone. */
	size_t n = (size_t)snprintf(form, sizeof form, "access_token=%s", HEAD ".");
	memset(form + n, 'A', 20 * 1024);
	strcpy(form + n + 20 * 1024, ".YQ");
	request("POST", "/orders", FORM, form);
	assert_int_equal(answer(200, NULL, NULL), 1);
	assert_false(event("bearer")->creds[0].jwt);
	assert_true(event("bearer")->creds[0].length > 20 * 1024);
	assert_int_equal(event("bearer")->creds[0].raw.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grants),
		cmocka_unit_test(test_exchange_actor),
		cmocka_unit_test(test_client_auth),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_device),
		cmocka_unit_test(test_introspection),
		cmocka_unit_test(test_revocation),
		cmocka_unit_test(test_where),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_authorize),
		cmocka_unit_test(test_form_post),
		cmocka_unit_test(test_discovery),
		cmocka_unit_test(test_jwks),
		cmocka_unit_test(test_login_form),
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_ws_trust),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_limits),
	};
	mm_json_init(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
