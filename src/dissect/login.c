/* Logging on with a password over HTTP: Basic (RFC 7617), a form, or a UsernameToken in SOAP (WS-Trust 1.3, WS-Security
 * UsernameToken Profile 1.1). Who logged on and whether it was right is read, never the password. */
#include "dissect/oauth.h"

enum {
	ROOM = 8 * 1024, /* octets of a user's name, decoded, and more */
	USER_MAX = 256,
};

/* Microsoft identity platform, AADSTS error codes, as they stand in error_description. */
enum mm_meaning mm_login_meaning(struct mm_slice error, struct mm_slice description)
{
	static const struct {
		const char *code;
		enum mm_meaning meaning;
	} codes[] = {
		{ "AADSTS50126", MM_MEANING_BAD_PASSWORD },
		{ "AADSTS50034", MM_MEANING_NO_SUCH_USER },
		{ "AADSTS50053", MM_MEANING_LOCKED },
		{ "AADSTS50057", MM_MEANING_LOCKED },
		{ "AADSTS50055", MM_MEANING_RIGHT_BUT },
		{ "AADSTS50076", MM_MEANING_RIGHT_BUT },
		{ "AADSTS50079", MM_MEANING_RIGHT_BUT },
		{ "AADSTS50158", MM_MEANING_RIGHT_BUT },
		{ "AADSTS53003", MM_MEANING_RIGHT_BUT },
		{ "AADSTS50128", MM_MEANING_NONE },
		{ "AADSTS50059", MM_MEANING_NONE },
	};
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (mm_find(description, 0, mm_slice_str(codes[i].code)) != description.len)
			return codes[i].meaning;
	/* RFC 6749 section 5.2: the resource owner's credentials are the grant that is invalid. */
	return mm_slice_eq(error, mm_slice_str("invalid_grant")) ? MM_MEANING_REFUSED
	                                                         : MM_MEANING_NONE;
}

static void emit(struct mm_dissect *d, const struct mm_web_exchange *x, const char *action,
        struct mm_slice user, enum mm_meaning meaning)
{
	if (user.len == 0 || user.len > USER_MAX)
		return;
	struct mm_event *ev = mm_web_event(d, x, MM_EV_REQUEST, action);
	if (ev == NULL)
		return;
	mm_oauth_place(ev, x);
	ev->user = mm_event_str(ev, user);
	ev->meaning = meaning;
	ev->outcome = meaning == MM_MEANING_PASSWORD_RIGHT ? MM_SUCCESS
	              : meaning == MM_MEANING_NONE         ? MM_UNKNOWN
	                                                   : MM_FAILURE;
	mm_dissect_emit(d, ev);
}

static void basic(struct mm_dissect *d, const struct mm_web_exchange *x, uint8_t *room)
{
	struct mm_slice user;
	bool proxy = false;
	if (!mm_web_basic_user(x, false, room, ROOM, &user)) {
		proxy = true;
		if (!mm_web_basic_user(x, true, room, ROOM, &user))
			return;
	}
	unsigned refusal = proxy ? 407 : 401;
	enum mm_meaning meaning = x->status == refusal                  ? MM_MEANING_REFUSED
	                          : x->status >= 200 && x->status < 400 ? MM_MEANING_PASSWORD_RIGHT
	                                                                : MM_MEANING_NONE;
	emit(d, x, "http-basic", user, meaning);
}

static bool holds(struct mm_slice s, const char *word)
{
	return mm_find(s, 0, mm_slice_str(word)) != s.len;
}

/* Is it a page that asks for the password (again)? */
static bool is_login_page(const struct mm_web_message *m)
{
	return mm_web_is_type(m, "text/html") &&
	       (holds(m->body, "type=\"password\"") || holds(m->body, "type='password'") ||
	               holds(m->body, "type=password"));
}

/* A form is answered by the form again, or by an error, when the password is wrong; by a redirection or a page when it is
 * right. A redirection back to where the form came from, or that speaks of an error, is a refusal. */
static enum mm_meaning form_meaning(const struct mm_web_exchange *x)
{
	struct mm_slice location;
	if (x->status == 400 || x->status == 401 || x->status == 403 || x->status == 422)
		return MM_MEANING_REFUSED;
	if (x->status >= 300 && x->status < 400) {
		if (!mm_web_header(&x->response, "location", 0, &location))
			return MM_MEANING_NONE;
		struct mm_web_uri uri;
		mm_web_uri(location, &uri);
		bool again = mm_slice_eq(uri.path, x->path) || holds(location, "error") ||
		             holds(location, "fail");
		return again ? MM_MEANING_REFUSED : MM_MEANING_PASSWORD_RIGHT;
	}
	const uint32_t part = MM_WEB_BODY_TRUNCATED | MM_WEB_BODY_OPAQUE;
	if (x->status == 200 && (x->response.flags & MM_WEB_BODY_KEPT) &&
	        (is_login_page(&x->response) || !(x->response.flags & part)))
		return is_login_page(&x->response) ? MM_MEANING_REFUSED : MM_MEANING_PASSWORD_RIGHT;
	return MM_MEANING_NONE;
}

/* The text of the first element of this local name: "<o:Username>anna</o:Username>". */
static struct mm_slice element(struct mm_slice xml, const char *name)
{
	struct mm_slice mark = mm_slice_str(name);
	for (size_t at = mm_find(xml, 0, mark); at < xml.len; at = mm_find(xml, at + 1, mark)) {
		int before = at != 0 ? mm_at(xml, at - 1) : -1;
		struct mm_slice rest = mm_after(xml, at + mark.len);
		int next = mm_at(rest, 0);
		if ((before != '<' && before != ':') || (next != '>' && next != ' '))
			continue;
		rest = mm_after(rest, mm_find8(rest, 0, '>') + 1);
		return mm_first(rest, mm_find8(rest, 0, '<'));
	}
	return mm_slice(NULL, 0);
}

static void ws_trust(struct mm_dissect *d, const struct mm_web_exchange *x)
{
	struct mm_slice body = x->request.body, answer = x->response.body;
	if (!holds(body, "UsernameToken") || !holds(body, "Password"))
		return;
	struct mm_slice user = element(body, "Username");
	enum mm_meaning meaning = MM_MEANING_NONE;
	if (holds(answer, "FailedAuthentication") || holds(answer, "AuthenticationFailure"))
		meaning = mm_login_meaning(mm_slice_str("invalid_grant"), answer);
	else if (holds(answer, "RequestSecurityTokenResponse"))
		meaning = MM_MEANING_PASSWORD_RIGHT;
	else if (holds(answer, "AADSTS"))
		meaning = mm_login_meaning(mm_slice(NULL, 0), answer);
	else if (x->status == 401)
		meaning = MM_MEANING_REFUSED;
	emit(d, x, "ws-trust", user, meaning);
}

void mm_login_exchange(struct mm_dissect *d, struct mm_web_exchange *x)
{
	uint8_t room[ROOM];
	struct mm_slice user;
	basic(d, x, room);
	if (mm_web_login_user(x, room, sizeof room, &user))
		emit(d, x, "http-login", user, form_meaning(x));
	else if (mm_web_is_xml(&x->request) || mm_web_is_type(&x->request, "application/soap+xml"))
		ws_trust(d, x);
	mm_web_wipe(x, room, sizeof room);
}
