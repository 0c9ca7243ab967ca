/* Reading an exchange: header fields, parameters, cookies, logins, and the events made of it. */
#include "dissect/web.h"

#include "base/base64.h"
#include "dissect/exchange.h"

/* clang-format off */
const struct mm_attr mm_web_attrs[MM_WEB_N_ATTRS] = {
	[MM_WEB_ATTR_METHOD] = { "http.request.method", MM_ATTR_STR, "method, RFC 9110 section 9" },
	[MM_WEB_ATTR_PATH] = { "url.path", MM_ATTR_STR,
		"path of the request target without parameters and query, RFC 9112 section 3.2" },
	[MM_WEB_ATTR_HOST] = { "url.domain", MM_ATTR_STR,
		"Host field or :authority without port, RFC 9110 section 7.2" },
	[MM_WEB_ATTR_STATUS] = { "http.response.status_code", MM_ATTR_INT, "status code, RFC 9110 section 15" },
	[MM_WEB_ATTR_USER_AGENT] = { "user_agent.original", MM_ATTR_STR,
		"User-Agent field, RFC 9110 section 10.1.5" },
	[MM_WEB_ATTR_VERSION] = { "http.version", MM_ATTR_STR, "1.0, 1.1 or 2, RFC 9110 section 2.5" },
	[MM_WEB_ATTR_FORWARDED_FOR] = { "mintmark.http.forwarded_for", MM_ATTR_STR,
		"client that a trusted proxy named (http.proxies), RFC 7239 section 5.2" },
	[MM_WEB_ATTR_PROXIED_BY] = { "mintmark.http.forwarded_by", MM_ATTR_STR,
		"the proxy that named it: the connection's client" },
	[MM_WEB_ATTR_SCHEME] = { "mintmark.http.scheme", MM_ATTR_STR,
		"authentication scheme as spelled, RFC 4559 section 4" },
	[MM_WEB_ATTR_PROXY] = { "mintmark.http.proxy", MM_ATTR_BOOL,
		"The ticket was shown to a proxy: Proxy-Authorization, RFC 9110 section 11.7.2" },
};
/* clang-format on */

static bool is_blank(int b)
{
	return b == ' ' || b == '\t' || b == '\r' || b == '\n';
}

struct mm_slice mm_web_trim(struct mm_slice s)
{
	while (is_blank(mm_at(s, 0)))
		s = mm_after(s, 1);
	while (s.len != 0 && is_blank(mm_at(s, s.len - 1)))
		s = mm_first(s, s.len - 1);
	return s;
}

bool mm_web_is_word(struct mm_slice s, const char *word)
{
	size_t n = strlen(word);
	return s.len == n &&
	       mm_str_ieq((struct mm_str){ (const char *)s.p, s.len }, (struct mm_str){ word, n });
}

static bool ends_in(struct mm_slice s, const char *word)
{
	size_t n = strlen(word);
	return s.len > n && mm_at(s, s.len - n) == *word &&
	       mm_web_is_word(mm_after(s, s.len - n), word);
}

bool mm_web_header(
        const struct mm_web_message *m, const char *lower_name, size_t nth, struct mm_slice *value)
{
	struct mm_str want = { lower_name, strlen(lower_name) };
	if (m->names != 0 && (m->names & mm_web_name_bit(mm_str_slice(want))) == 0)
		return false;
	for (size_t i = 0; i < m->n_fields; i++) {
		struct mm_slice name = m->fields[i].name;
		/* Most differ in length or in the first letter. */
		if (name.len != want.len || (mm_at(name, 0) | 0x20) != *lower_name ||
		        !mm_str_ieq((struct mm_str){ (const char *)name.p, name.len }, want) ||
		        nth-- != 0)
			continue;
		*value = m->fields[i].value;
		return true;
	}
	return false;
}

struct mm_slice mm_web_media_type(const struct mm_web_message *m)
{
	struct mm_slice value;
	if (!mm_web_header(m, "content-type", 0, &value))
		return mm_slice(NULL, 0);
	return mm_web_trim(mm_first(value, mm_find8(value, 0, ';')));
}

bool mm_web_is_type(const struct mm_web_message *m, const char *type)
{
	return mm_web_is_word(mm_web_media_type(m), type);
}

static bool is_json(struct mm_slice type)
{
	return mm_web_is_word(type, "application/json") || ends_in(type, "+json");
}

static bool is_form(struct mm_slice type)
{
	return mm_web_is_word(type, "application/x-www-form-urlencoded");
}

static bool is_xml(struct mm_slice type)
{
	return mm_web_is_word(type, "text/xml") || mm_web_is_word(type, "application/xml") ||
	       (ends_in(type, "+xml") && !mm_web_is_word(mm_first(type, 6), "image/"));
}

bool mm_web_is_json(const struct mm_web_message *m)
{
	return is_json(mm_web_media_type(m));
}

bool mm_web_is_form(const struct mm_web_message *m)
{
	return is_form(mm_web_media_type(m));
}

bool mm_web_is_xml(const struct mm_web_message *m)
{
	return is_xml(mm_web_media_type(m));
}

enum mm_web_interest mm_web_interest(const struct mm_web_message *m)
{
	struct mm_slice type = mm_web_media_type(m);
	if (type.len == 0 || (mm_at(type, 0) | 0x20) == 'i') /* image/... */
		return MM_WEB_NO_INTEREST;
	if (mm_web_is_word(type, "text/html") || mm_web_is_word(type, "application/xhtml+xml"))
		return MM_WEB_PAGE;
	if (is_json(type) || is_form(type) || is_xml(type) || ends_in(type, "+jwt") ||
	        mm_web_is_word(type, "application/jwt") ||
	        mm_web_is_word(type, "application/kerberos"))
		return MM_WEB_OF_INTEREST;
	return MM_WEB_NO_INTEREST;
}

bool mm_web_scheme(struct mm_slice value, const char *scheme, struct mm_slice *rest)
{
	size_t n = strlen(scheme);
	if (!mm_web_is_word(mm_first(value, n), scheme) ||
	        (value.len > n && !is_blank(mm_at(value, n))))
		return false;
	*rest = mm_web_trim(mm_after(value, n));
	return true;
}

static int hex_digit(int b)
{
	if (b >= '0' && b <= '9')
		return b - '0';
	int lower = b | 0x20;
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* As much of text as can be decoded and fits. False when that is not all. */
static bool unescape(
        struct mm_slice text, bool plus, uint8_t *room, size_t room_b, struct mm_slice *out)
{
	struct mm_cursor c = mm_cursor(text);
	size_t n = 0;
	bool good = true;
	while (c.len != 0 && good) {
		int b = mm_u8(&c);
		if (b == '+' && plus) {
			b = ' ';
		} else if (b == '%') {
			int high = hex_digit(mm_u8(&c)), low = hex_digit(mm_u8(&c));
			good = !c.err && high >= 0 && low >= 0;
			b = high * 16 + low;
		}
		good = good && n < room_b;
		if (good)
			room[n++] = (uint8_t)b;
	}
	*out = mm_slice(room, n);
	return good;
}

/* Does it stand for itself? */
static bool is_plain(struct mm_slice text, bool plus)
{
	return mm_find8(text, 0, '%') == text.len && (!plus || mm_find8(text, 0, '+') == text.len);
}

bool mm_web_unescape(
        struct mm_slice text, bool plus, uint8_t *room, size_t room_b, struct mm_slice *out)
{
	struct mm_slice s;
	if (is_plain(text, plus)) {
		*out = text;
		return true;
	}
	if (!unescape(text, plus, room, room_b, &s))
		return false;
	*out = s;
	return true;
}

static size_t values_b(const struct mm_web_message *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->n_fields; i++)
		n += m->fields[i].value.len;
	return n;
}

void mm_web_wipe(const struct mm_web_exchange *x, uint8_t *room, size_t room_b)
{
	/* Decoding makes nothing longer. */
	size_t most =
	        x->request.body.len + x->query.len + values_b(&x->request) + values_b(&x->response);
	explicit_bzero(room, most < room_b ? most : room_b);
}

struct mm_web_params mm_web_params(struct mm_slice text, uint8_t *room, size_t room_b)
{
	return (struct mm_web_params){ .left = mm_cursor(text), .room = room, .room_b = room_b };
}

/* One half of a parameter. *used: how much of the room is taken. */
static struct mm_slice decode_part(
        const struct mm_web_params *it, struct mm_slice text, size_t *used, bool *cut)
{
	struct mm_slice out = text;
	if (is_plain(text, true))
		return out;
	if (!unescape(text, true, it->room + *used, it->room_b - *used, &out))
		*cut = true;
	*used += out.len;
	return out;
}

bool mm_web_param_next(struct mm_web_params *it, struct mm_web_param *p)
{
	struct mm_slice part = { 0 };
	while (it->left.len != 0 && part.len == 0) {
		part = mm_take(&it->left, mm_find8(mm_left(&it->left), 0, '&'));
		if (it->left.len != 0)
			mm_skip(&it->left, 1);
	}
	if (part.len == 0 || it->n == MM_WEB_PARAMS_MAX)
		return false;
	it->n++;
	size_t used = 0, equals = mm_find8(part, 0, '=');
	p->cut = false;
	p->name = decode_part(it, mm_first(part, equals), &used, &p->cut);
	p->value = decode_part(it, mm_after(part, equals + 1), &used, &p->cut);
	return true;
}

bool mm_web_param_find(struct mm_slice text, const char *name, uint8_t *room, size_t room_b,
        struct mm_web_param *p)
{
	struct mm_web_params it = mm_web_params(text, room, room_b);
	while (mm_web_param_next(&it, p))
		if (mm_slice_eq(p->name, mm_slice_str(name)))
			return true;
	return false;
}

struct mm_slice mm_web_form(const struct mm_web_message *m)
{
	return m->body.len != 0 && mm_web_is_form(m) ? m->body : mm_first(m->body, 0);
}

/* scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) */
static bool is_scheme(struct mm_slice s)
{
	bool good = s.len != 0;
	for (size_t i = 0; i < s.len && good; i++) {
		int b = mm_at(s, i), lower = b | 0x20;
		bool alpha = lower >= 'a' && lower <= 'z';
		good = alpha ||
		       (i != 0 && ((b >= '0' && b <= '9') || b == '+' || b == '-' || b == '.'));
	}
	return good;
}

static size_t find_any(struct mm_slice s, const char *set)
{
	size_t n = s.len;
	for (const char *p = set; *p != '\0'; p++) {
		size_t at = mm_find8(mm_first(s, n), 0, (uint8_t)*p);
		n = at < n ? at : n;
	}
	return n;
}

void mm_web_uri(struct mm_slice text, struct mm_web_uri *out)
{
	*out = (struct mm_web_uri){ 0 };
	size_t hash = mm_find8(text, 0, '#');
	out->fragment = mm_after(text, hash + 1);
	text = mm_first(text, hash);
	size_t mark = mm_find8(text, 0, '?');
	out->query = mm_after(text, mark + 1);
	text = mm_first(text, mark);
	size_t colon = find_any(text, ":/");
	if (mm_at(text, colon) == ':' && is_scheme(mm_first(text, colon))) {
		out->scheme = mm_first(text, colon);
		text = mm_after(text, colon + 1);
	}
	if (mm_at(text, 0) == '/' && mm_at(text, 1) == '/') {
		text = mm_after(text, 2);
		size_t slash = mm_find8(text, 0, '/');
		out->authority = mm_first(text, slash);
		text = mm_after(text, slash);
	}
	out->path = text;
}

struct mm_slice mm_web_host(struct mm_slice host)
{
	/* The last one: a password that is not escaped as it should be may hold others. */
	for (size_t at = mm_find8(host, 0, '@'); at != host.len; at = mm_find8(host, 0, '@'))
		host = mm_after(host, at + 1);
	size_t from = mm_at(host, 0) == '[' ? mm_find8(host, 0, ']') : 0; /* an IPv6 address */
	return mm_first(host, mm_find8(host, from, ':'));
}

struct mm_web_cookies mm_web_cookies(const struct mm_web_message *m)
{
	return (struct mm_web_cookies){ .m = m };
}

/* cookie-pair = cookie-name "=" cookie-value; the value may be quoted. */
static void read_cookie(struct mm_slice pair, struct mm_slice *name, struct mm_slice *value)
{
	size_t equals = mm_find8(pair, 0, '=');
	*name = mm_web_trim(mm_first(pair, equals));
	*value = mm_web_trim(mm_after(pair, equals + 1));
	if (value->len >= 2 && mm_at(*value, 0) == '"' && mm_at(*value, value->len - 1) == '"')
		*value = mm_after(mm_first(*value, value->len - 1), 1);
}

bool mm_web_cookie_next(struct mm_web_cookies *it, struct mm_slice *name, struct mm_slice *value)
{
	struct mm_slice field;
	while (it->n < MM_WEB_PARAMS_MAX) {
		if (it->left.len != 0) {
			struct mm_slice pair =
			        mm_take(&it->left, mm_find8(mm_left(&it->left), 0, ';'));
			if (it->left.len != 0)
				mm_skip(&it->left, 1);
			read_cookie(pair, name, value);
			if (name->len == 0)
				continue;
			it->n++;
			return true;
		}
		bool set = mm_web_header(it->m, "set-cookie", it->nth, &field);
		if (!set && !mm_web_header(it->m, "cookie", it->nth, &field))
			return false;
		it->nth++;
		it->left = mm_cursor(set ? mm_first(field, mm_find8(field, 0, ';')) : field);
	}
	return false;
}

bool mm_web_basic_user(const struct mm_web_exchange *x, bool proxy, uint8_t *room, size_t room_b,
        struct mm_slice *user)
{
	const char *name = proxy ? "proxy-authorization" : "authorization";
	struct mm_slice value, text;
	for (size_t i = 0; mm_web_header(&x->request, name, i, &value); i++) {
		size_t n = 0;
		if (!mm_web_scheme(value, "basic", &text) ||
		        !mm_base64_decode(text, room, room_b, &n))
			continue;
		size_t colon = mm_find8(mm_slice(room, n), 0, ':');
		explicit_bzero(room + colon, n - colon);
		*user = mm_slice(room, colon);
		return colon < n;
	}
	return false;
}

/* Is the name one of these, whatever its case, or does it end in one behind a separator ("login[password]",
 * "ctl00$Password")? */
static bool is_named(struct mm_slice name, const char *const *words)
{
	if (mm_at(name, name.len - 1) == ']')
		name = mm_first(name, name.len - 1);
	for (size_t i = 0; words[i] != NULL; i++) {
		size_t n = strlen(words[i]);
		if (mm_web_is_word(name, words[i]))
			return true;
		if (name.len <= n || !mm_web_is_word(mm_after(name, name.len - n), words[i]))
			continue;
		int before = mm_at(name, name.len - n - 1);
		if (before == '[' || before == '$' || before == '.' || before == ':' ||
		        before == '_' || before == '-')
			return true;
	}
	return false;
}

bool mm_web_login_user(
        const struct mm_web_exchange *x, uint8_t *room, size_t room_b, struct mm_slice *user)
{
	static const char *const secrets[] = { "password", "passwd", "passwort", "pass", "pwd",
		"pw", "passcode", "j_password", "userpassword", "loginpassword", NULL };
	static const char *const users[] = { "username", "user", "login", "email", "userid", "uid",
		"loginfmt", "user_name", "user_id", "j_username", "identifier", "account", "log",
		"loginname", "mail", "upn", "signinname", NULL };
	struct mm_slice form = mm_web_form(&x->request);
	struct mm_web_param p;
	bool secret = false, named = false;
	size_t kept = 0;
	struct mm_web_params it = mm_web_params(form, room, room_b);
	*user = mm_slice(room, 0);
	while (mm_web_param_next(&it, &p)) {
		if (is_named(p.name, secrets)) {
			secret = true;
		} else if (!named && is_named(p.name, users) && p.value.len != 0) {
			named = true;
			kept = p.value.len < room_b ? p.value.len : room_b;
			memmove(room, p.value.p, kept);
			*user = mm_slice(room, kept);
			/* What is decoded from now on goes behind it. */
			it.room = room + kept;
			it.room_b = room_b - kept;
		}
	}
	/* What is decoded is never longer than the form. */
	size_t left = room_b - kept;
	explicit_bzero(room + kept, left < form.len ? left : form.len);
	return secret;
}

/* Where a path has no parameters: those may hold a session or a token. */
static struct mm_slice plain_path(struct mm_slice path)
{
	return mm_first(path, mm_find8(path, 0, ';'));
}

static const char *version_name(enum mm_web_version version)
{
	switch (version) {
	case MM_WEB_HTTP_1_0:
		return "1.0";
	case MM_WEB_HTTP_1_1:
		return "1.1";
	case MM_WEB_HTTP_2:
		return "2";
	}
	return "";
}

void mm_web_put_request(struct mm_event *ev, const struct mm_web_exchange *x)
{
	struct mm_slice path = plain_path(x->path), agent;
	char text[MM_ADDR_TEXT];
	if (x->method.len != 0)
		mm_event_put_str(ev, &mm_web_attrs[MM_WEB_ATTR_METHOD], x->method);
	if (path.len != 0)
		mm_event_put_str(ev, &mm_web_attrs[MM_WEB_ATTR_PATH], path);
	if (x->host.len != 0)
		mm_event_put_str(ev, &mm_web_attrs[MM_WEB_ATTR_HOST], x->host);
	if (mm_web_header(&x->request, "user-agent", 0, &agent) && agent.len != 0)
		mm_event_put_str(ev, &mm_web_attrs[MM_WEB_ATTR_USER_AGENT], agent);
	if (!x->forwarded)
		return;
	mm_event_put_str(ev, &mm_web_attrs[MM_WEB_ATTR_FORWARDED_FOR],
	        mm_slice_str(mm_addr_text(&x->client, text)));
	mm_event_put_str(ev, &mm_web_attrs[MM_WEB_ATTR_PROXIED_BY],
	        mm_slice_str(mm_addr_text(&ev->src.addr, text)));
	ev->client = x->client;
}

struct mm_event *mm_web_event(struct mm_dissect *d, const struct mm_web_exchange *x,
        enum mm_event_kind kind, const char *action)
{
	const struct mm_web_message *q = &x->request, *r = &x->response;
	struct mm_event *ev = mm_dissect_event(d, kind, action);
	if (ev == NULL)
		return NULL;
	ev->protocol = "http";
	ev->n_pkts = 0;
	ev->request_ns = q->time_ns;
	ev->request_pkt = q->last;
	ev->response_ns = r->time_ns;
	ev->response_pkt = r->last;
	ev->time_ns = r->last.number != 0 ? r->time_ns : q->time_ns;
	if (q->last.number != 0)
		mm_event_add_pkts(ev, q->first, q->last);
	if (r->last.number != 0)
		mm_event_add_pkts(ev, r->first, r->last);
	if (((q->flags | r->flags) & MM_WEB_LOSSY) != 0)
		ev->flags |= MM_EVF_LOSSY;
	mm_web_put_request(ev, x);
	mm_event_put_str(
	        ev, &mm_web_attrs[MM_WEB_ATTR_VERSION], mm_slice_str(version_name(x->version)));
	if (x->status != 0)
		mm_event_put_int(ev, &mm_web_attrs[MM_WEB_ATTR_STATUS], x->status);
	return ev;
}
