/* Negotiate: tickets in header fields, and verdicts in the answers.
 *
 *	GET /a HTTP/1.1                            HTTP/1.1 200 OK
 *	Host: web.example                          WWW-Authenticate: Negotiate oYG2MIG...
 *	Authorization: Negotiate YIIGhwYJKo...     Content-Length: 12
 */
#include "dissect/negotiate.h"

#include "base/base64.h"

enum {
	/* Status codes, RFC 9110 section 15. */
	NOT_MODIFIED = 304,
	UNAUTHORIZED = 401,
	PROXY_AUTHENTICATION_REQUIRED = 407,
};

/* Emit what a slot holds with outcome unknown. */
static void release(struct mm_dissect *d, const struct mm_negotiate *n, struct mm_shown *slot)
{
	if (slot->shown.ev != NULL) {
		if (!n->answers)
			slot->shown.ev->flags |= MM_EVF_ONE_SIDED;
		mm_gss_end(d, &slot->shown);
	}
	*slot = (struct mm_shown){ 0 };
}

void mm_negotiate_end(struct mm_dissect *d, struct mm_negotiate *n)
{
	for (size_t i = 0; i < MM_SHOWN_MAX; i++)
		release(d, n, &n->shown[i]);
}

void mm_negotiate_end_one(struct mm_dissect *d, struct mm_negotiate *n, uint32_t order)
{
	for (size_t i = 0; i < MM_SHOWN_MAX; i++)
		if (n->shown[i].request == order && !n->shown[i].carried)
			release(d, n, &n->shown[i]);
}

/* The slot for a token: that of the negotiation it goes on with, a free one, or the oldest, which is then
 * given up. */
static struct mm_shown *slot_for(
        struct mm_dissect *d, struct mm_negotiate *n, uint32_t order, bool proxy)
{
	struct mm_shown *best = &n->shown[0];
	for (size_t i = 0; i < MM_SHOWN_MAX; i++) {
		struct mm_shown *slot = &n->shown[i];
		if (slot->carried && slot->proxy == proxy)
			return slot;
		if (best->shown.ev == NULL)
			continue;
		if (slot->shown.ev == NULL || order - slot->request > order - best->request)
			best = slot;
	}
	release(d, n, best);
	return best;
}

/* challenge or credentials = auth-scheme [ 1*SP token68 ], RFC 9110 section 11.3; a list of them in a
 * challenge. The first token of a scheme that carries Kerberos. */
static bool find_token(const struct mm_web_message *m, const char *name, struct mm_slice *scheme,
        struct mm_slice *token)
{
	static const char *const schemes[] = { "Negotiate", "Kerberos" };
	struct mm_slice value;
	for (size_t nth = 0; mm_web_header(m, name, nth, &value); nth++) {
		struct mm_cursor c = mm_cursor(value);
		while (c.len != 0) {
			struct mm_slice item =
			        mm_web_trim(mm_take(&c, mm_find8(mm_left(&c), 0, ',')));
			if (c.len != 0)
				mm_skip(&c, 1);
			for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
				*scheme = mm_first(item, strlen(schemes[i]));
				if (mm_web_scheme(item, schemes[i], token) && token->len != 0)
					return true;
			}
		}
	}
	return false;
}

static const char *request_field(bool proxy)
{
	return proxy ? "proxy-authorization" : "authorization";
}

static void request_token(struct mm_dissect *d, struct mm_negotiate *n,
        const struct mm_web_exchange *x, uint32_t order, bool proxy, bool answered)
{
	uint8_t token[MM_WEB_HEADERS_MAX / 4 * 3]; /* a header block holds no more */
	size_t len;
	struct mm_slice scheme, text;
	if (!find_token(&x->request, request_field(proxy), &scheme, &text) ||
	        !mm_base64_decode(text, token, sizeof token, &len))
		return;
	struct mm_shown *slot = slot_for(d, n, order, proxy);
	struct mm_event *ev =
	        mm_gss_request(d, &slot->shown, mm_slice(token, len), "http-negotiate");
	explicit_bzero(token, len);
	if (ev != NULL) {
		ev->protocol = "http";
		mm_web_put_request(ev, x);
		mm_event_put_str(ev, &mm_web_attrs[MM_WEB_ATTR_SCHEME], scheme);
		if (proxy)
			mm_event_put_bool(ev, &mm_web_attrs[MM_WEB_ATTR_PROXY], true);
	}
	slot->request = order;
	slot->proxy = proxy;
	slot->carried = false;
	if (slot->shown.ev == NULL || answered)
		release(d, n, slot);
}

void mm_negotiate_request(struct mm_dissect *d, struct mm_negotiate *n,
        const struct mm_web_exchange *x, uint32_t order, bool answered)
{
	struct mm_slice value;
	for (unsigned proxy = 0; proxy < 2; proxy++)
		if (mm_web_header(&x->request, request_field(proxy != 0), 0, &value))
			request_token(d, n, x, order, proxy != 0, answered);
}

/* Answers that a server may give before it has looked at the ticket: redirections, requests that are broken or too
 * large, and its own failures (RFC 9110 sections 15.4 to 15.6, RFC 6585 section 5). */
static bool says_nothing(unsigned status)
{
	static const uint16_t early[] = { 400, 408, 413, 414, 421, 429, 431 };
	for (size_t i = 0; i < sizeof early / sizeof early[0]; i++)
		if (status == early[i])
			return true;
	return (status >= 300 && status < 400 && status != NOT_MODIFIED) || status >= 500;
}

/* What the answer says to one presentation of its request. */
static void judge(struct mm_dissect *d, struct mm_negotiate *n, struct mm_shown *slot,
        const struct mm_web_exchange *x)
{
	uint8_t token[MM_WEB_HEADERS_MAX / 4 * 3];
	size_t len = 0;
	struct mm_slice scheme, text;
	unsigned refusal = slot->proxy ? PROXY_AUTHENTICATION_REQUIRED : UNAUTHORIZED;
	enum mm_verdict verdict =
	        says_nothing(x->status) ? MM_VERDICT_UNKNOWN : MM_VERDICT_ACCEPTED;
	if (x->status == PROXY_AUTHENTICATION_REQUIRED && !slot->proxy) {
		release(d, n, slot); /* the origin server was never asked */
		return;
	}
	if (!find_token(&x->response, slot->proxy ? "proxy-authenticate" : "www-authenticate",
	            &scheme, &text) ||
	        !mm_base64_decode(text, token, sizeof token, &len))
		len = 0;
	if (x->status == refusal)
		verdict = len != 0 ? MM_VERDICT_CONTINUE : MM_VERDICT_REFUSED;
	mm_gss_response(d, &slot->shown, mm_slice(token, len), verdict,
	        (struct mm_status){ MM_STATUS_HTTP, x->status });
	explicit_bzero(token, len);
	slot->carried = slot->shown.ev != NULL;
	if (!slot->carried)
		release(d, n, slot);
}

void mm_negotiate_response(struct mm_dissect *d, struct mm_negotiate *n,
        const struct mm_web_exchange *x, uint32_t order)
{
	for (size_t i = 0; i < MM_SHOWN_MAX; i++) {
		struct mm_shown *slot = &n->shown[i];
		if (slot->shown.ev != NULL && !slot->carried && slot->request == order)
			judge(d, n, slot, x);
	}
}
