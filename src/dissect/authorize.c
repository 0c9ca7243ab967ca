/* Authorizations (RFC 6749 section 4.1, OpenID Connect Core section 3, RFC 8628): a user is sent to the issuer on behalf of an
 * application, signs in there over some requests of the issuer's own, and is sent back with a code or tokens.
 *
 *	GET /authorize?client_id=app&response_type=code&state=af0ifjs&prompt=consent      the request
 *	...
 *	Location: https://app.example/cb?code=SplxlOBe&state=af0ifjs                      its answer
 *
 * What joins the messages is state, which the application made up; with a device code, the code that the user types. */
#include "dissect/oauth.h"
#include "keys/jwt.h"

enum {
	INPUTS_MAX = 64,    /* input elements read of one page */
	USER_CODE_MAX = 64, /* octets of a user_code */
};

static void put_state(struct mm_event *ev, struct mm_slice text)
{
	char hex[MM_FP_TEXT];
	if (text.len == 0)
		return;
	ev->authorization = mm_fp_of(text);
	mm_event_put_str(ev, &mm_oauth_attrs[MM_OAUTH_AUTHORIZATION],
	        mm_slice_str(mm_fp_text(&ev->authorization, hex)));
}

/* Letters and digits alone, in one case: how it is typed differs (RFC 8628 section 6.1). It is so short that its
 * fingerprint would give it away: that is not told. */
void mm_oauth_put_user_code(struct mm_event *ev, struct mm_slice user_code)
{
	uint8_t plain[USER_CODE_MAX];
	size_t n = 0;
	for (size_t i = 0; i < user_code.len && n < sizeof plain; i++) {
		int c = mm_at(user_code, i);
		if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
			plain[n++] = (uint8_t)c;
		else if (c >= 'a' && c <= 'z')
			plain[n++] = (uint8_t)(c - 'a' + 'A');
	}
	if (n != 0)
		ev->authorization = mm_fp_of(mm_slice(plain, n));
	explicit_bzero(plain, sizeof plain);
}

static bool is(struct mm_slice s, const char *word)
{
	return mm_slice_eq(s, mm_slice_str(word));
}

/* What the application asked for. */
static void put_request(struct mm_event *ev, const struct mm_web_exchange *x, uint8_t *room)
{
	struct mm_slice value;
	mm_oauth_put_param(ev, x, "response_type", MM_OAUTH_RESPONSE_TYPE, room);
	mm_oauth_put_param(ev, x, "code_challenge_method", MM_OAUTH_CHALLENGE, room);
	mm_oauth_put_param(ev, x, "prompt", MM_OAUTH_PROMPT, room);
	mm_oauth_put_param(ev, x, "scope", MM_OAUTH_SCOPE, room);
	if (mm_oauth_param(x, "client_id", room, &value))
		ev->app = mm_event_str(ev, value);
}

/* A token from the authorization endpoint: RFC 6749 section 4.2. */
static void put_access_token(struct mm_dissect *d, struct mm_event *ev, struct mm_slice token)
{
	if (mm_oauth_cred(d, ev, MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN, token) != NULL)
		ev->grant = MM_GRANT_IMPLICIT;
}

/* Codes and tokens among these parameters, issued by who redirects. */
static void put_redirect(
        struct mm_dissect *d, struct mm_event *ev, struct mm_slice params, uint8_t *room)
{
	struct mm_web_param p;
	if (mm_web_param_find(params, "code", room, MM_WEB_PARAM_ROOM, &p) && !p.cut)
		(void)mm_oauth_cred(d, ev, MM_ROLE_ISSUED, MM_CRED_CODE, p.value);
	if (mm_web_param_find(params, "access_token", room, MM_WEB_PARAM_ROOM, &p) && !p.cut)
		put_access_token(d, ev, p.value);
	if (mm_web_param_find(params, "id_token", room, MM_WEB_PARAM_ROOM, &p) && !p.cut)
		(void)mm_oauth_cred(d, ev, MM_ROLE_ISSUED, MM_CRED_ID_TOKEN, p.value);
}

static bool has_param(struct mm_slice params, const char *name, uint8_t *room)
{
	struct mm_web_param p;
	return params.len != 0 && mm_web_param_find(params, name, room, MM_WEB_PARAM_ROOM, &p);
}

/* A redirection that carries a code or tokens: state or iss beside them tells it from other parameters called so. */
static bool authorization_answer(
        struct mm_dissect *d, const struct mm_web_exchange *x, uint8_t *room)
{
	struct mm_slice location;
	struct mm_web_uri uri;
	struct mm_web_param state;
	if (x->status < 300 || x->status >= 400 ||
	        !mm_web_header(&x->response, "location", 0, &location))
		return false;
	mm_web_uri(location, &uri);
	struct mm_slice params = uri.fragment.len != 0 ? uri.fragment : uri.query;
	bool fragment = uri.fragment.len != 0 && (has_param(uri.fragment, "access_token", room) ||
	                                                 has_param(uri.fragment, "id_token", room));
	bool query = has_param(params, "code", room) &&
	             (has_param(params, "state", room) || has_param(params, "iss", room) ||
	                     has_param(params, "session_state", room));
	if (!fragment && !query)
		return false;
	struct mm_event *ev = mm_oauth_event(d, x, MM_EV_ISSUE, "oauth-authorize");
	if (ev == NULL)
		return true;
	ev->outcome = MM_SUCCESS;
	put_request(ev, x, room);
	if (mm_web_param_find(params, "state", room, MM_WEB_PARAM_ROOM, &state) && !state.cut)
		put_state(ev, state.value);
	put_redirect(d, ev, params, room);
	mm_oauth_put_user(ev);
	mm_dissect_emit(d, ev);
	return true;
}

/* The value of name="..." in a tag. */
static struct mm_slice tag_attribute(struct mm_slice tag, const char *name)
{
	struct mm_slice mark = mm_slice_str(name);
	for (size_t at = mm_find(tag, 0, mark); at < tag.len; at = mm_find(tag, at + 1, mark)) {
		struct mm_slice rest = mm_after(tag, at + mark.len);
		int quote = mm_at(rest, 1);
		if (mm_at(rest, 0) != '=' || (quote != '"' && quote != '\''))
			continue;
		rest = mm_after(rest, 2);
		return mm_first(rest, mm_find8(rest, 0, (uint8_t)quote));
	}
	return mm_slice(NULL, 0);
}

/* The inputs of a page that posts itself: RFC 6749 section 4.1.2 in a form. */
struct inputs {
	struct mm_slice code, access_token, id_token, state, iss;
};

static void read_inputs(struct mm_slice body, struct inputs *in)
{
	struct mm_slice mark = mm_slice_str("<input");
	const struct {
		const char *name;
		struct mm_slice *value;
	} known[] = {
		{ "code", &in->code },
		{ "access_token", &in->access_token },
		{ "id_token", &in->id_token },
		{ "state", &in->state },
		{ "iss", &in->iss },
	};
	size_t n = 0;
	for (size_t at = mm_find(body, 0, mark); at < body.len && n < INPUTS_MAX;
	        at = mm_find(body, at + 1, mark), n++) {
		struct mm_slice tag = mm_after(body, at);
		tag = mm_first(tag, mm_find8(tag, 0, '>'));
		struct mm_slice name = tag_attribute(tag, "name");
		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
			if (is(name, known[i].name) && known[i].value->len == 0)
				*known[i].value = tag_attribute(tag, "value");
	}
}

/* response_mode=form_post: a page with a form of hidden inputs that the browser posts to the client. */
static bool posting_page(struct mm_dissect *d, const struct mm_web_exchange *x, uint8_t *room)
{
	struct inputs in = { 0 };
	if (x->status != 200 || !mm_web_is_type(&x->response, "text/html"))
		return false;
	read_inputs(x->response.body, &in);
	bool code = in.code.len != 0 && (in.state.len != 0 || in.iss.len != 0);
	bool access_token = mm_jwt_looks(in.access_token), id_token = mm_jwt_looks(in.id_token);
	if (!code && !access_token && !id_token)
		return false;
	struct mm_event *ev = mm_oauth_event(d, x, MM_EV_ISSUE, "oauth-authorize");
	if (ev == NULL)
		return true;
	put_request(ev, x, room);
	put_state(ev, in.state);
	if (code)
		(void)mm_oauth_cred(d, ev, MM_ROLE_ISSUED, MM_CRED_CODE, in.code);
	if (access_token)
		put_access_token(d, ev, in.access_token);
	if (id_token)
		(void)mm_oauth_cred(d, ev, MM_ROLE_ISSUED, MM_CRED_ID_TOKEN, in.id_token);
	mm_oauth_put_user(ev);
	mm_dissect_emit(d, ev);
	return true;
}

/* An authorization request, RFC 6749 section 4.1.1, by way of the browser or pushed (RFC 9126 section 2.1). */
static void authorization_request(
        struct mm_dissect *d, const struct mm_web_exchange *x, uint8_t *room)
{
	struct mm_slice value;
	if (!mm_oauth_param(x, "response_type", room, &value) ||
	        !mm_oauth_param(x, "client_id", room, &value))
		return;
	struct mm_event *ev = mm_oauth_event(d, x, MM_EV_REQUEST, "oauth-authorization-request");
	if (ev == NULL)
		return;
	put_request(ev, x, room);
	if (mm_oauth_param(x, "state", room, &value))
		put_state(ev, value);
	mm_dissect_emit(d, ev);
}

static bool has_letter(struct mm_slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		int c = mm_at(s, i) | 0x20;
		if (c >= 'a' && c <= 'z')
			return true;
	}
	return false;
}

/* A user types, or was sent with, the code that a device shows (RFC 8628 section 3.3). */
static void device_verification(
        struct mm_dissect *d, const struct mm_web_exchange *x, uint8_t *room)
{
	/* The RFC's name, and that of Microsoft's identity platform, which calls one-time passwords so too: they are digits alone,
	 * too few for their fingerprint to hide them. */
	struct mm_slice value;
	bool found = mm_oauth_param(x, "user_code", room, &value) ||
	             (mm_oauth_param(x, "otc", room, &value) && has_letter(value));
	if (!found || value.len > USER_CODE_MAX)
		return;
	struct mm_event *ev = mm_oauth_event(d, x, MM_EV_REQUEST, "oauth-device-verification");
	if (ev == NULL)
		return;
	mm_oauth_put_user_code(ev, value);
	mm_dissect_emit(d, ev);
}

void mm_oauth_authorization(struct mm_dissect *d, const struct mm_web_exchange *x, uint8_t *room)
{
	if (authorization_answer(d, x, room) || posting_page(d, x, room))
		return;
	authorization_request(d, x, room);
	device_verification(d, x, room);
}
