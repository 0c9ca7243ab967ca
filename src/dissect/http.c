/* HTTP/1, RFC 9112, as far as the Negotiate scheme of RFC 4559 needs it: a ticket shown to a web server or
 * proxy (WinRM among them), and what it says of it.
 *
 *	GET /a HTTP/1.1                            HTTP/1.1 200 OK
 *	Host: web.example                          WWW-Authenticate: Negotiate oYG2MIG...
 *	Authorization: Negotiate YIIGhwYJKo...     Content-Length: 12
 *
 * Only header blocks are read. Bodies are measured (RFC 9112 section 6.3) and passed over, so that nothing in
 * them is ever taken for a header. Responses pair with requests by their order. */
#include "base/base64.h"
#include "dissect/gss.h"

enum {
	HEADERS_MAX = 64 * 1024, /* octets of a header block; servers take 8 to 64 KiB */
	CHUNK_LINE_MAX = 4096,   /* octets of a chunk-size or trailer line */
	CHUNK_DIGITS_MAX = 15,   /* hexadecimal digits of a chunk-size that cannot overflow */
	METHOD_MAX = 24,         /* octets of a method; the longest registered has 17 */
	VERSION_LEN = 8,         /* "HTTP/1.1" */
	STATUS_LINE_MIN = 12,    /* "HTTP/1.1 200" */
	SHOWN_MAX = 4,           /* presentations without a verdict on one connection */
	PIPELINE = 64,           /* requests without a response whose method is remembered */
	TLS_HANDSHAKE = 0x16,    /* ContentType, RFC 8446 section 5.1 */
	TLS_MAJOR = 0x03,

	/* Status codes, RFC 9110 section 15. */
	SWITCHING_PROTOCOLS = 101,
	OK = 200,
	MULTIPLE_CHOICES = 300,
	NO_CONTENT = 204,
	NOT_MODIFIED = 304,
	UNAUTHORIZED = 401,
	PROXY_AUTHENTICATION_REQUIRED = 407,
};

/* What comes next in one direction. */
enum expect {
	EXPECT_HEADERS,
	EXPECT_BODY,      /* body octets */
	EXPECT_CHUNK,     /* a chunk-size line */
	EXPECT_CHUNK_END, /* the line end after a chunk's data */
	EXPECT_TRAILER,   /* trailer fields and the empty line */
};

struct http_dir {
	enum expect expect;
	bool seen;
	size_t searched; /* octets at the front in which no header block ends */
	size_t body;     /* SIZE_MAX: until the connection closes */
};

struct http_shown {
	struct mm_presentation shown;
	uint32_t request; /* which request carried it, or its last leg */
	bool proxy;       /* in Proxy-Authorization */
	bool carried;     /* answered by another token: the next request goes on with it */
};

struct http_state {
	struct http_dir dirs[2];
	bool quit;
	uint32_t n_requests, n_responses;
	uint64_t head, connect; /* requests of these methods, by their number modulo PIPELINE */
	int64_t unasked_ns;     /* time of the last response that came without a request */
	struct http_shown shown[SHOWN_MAX];
};

enum {
	ATTR_METHOD,
	ATTR_PATH,
	ATTR_HOST,
	ATTR_USER_AGENT,
	ATTR_SCHEME,
	ATTR_PROXY,
	N_ATTRS,
};

static const struct mm_attr attrs[N_ATTRS] = {
	[ATTR_METHOD] = { "http.request.method", MM_ATTR_STR, "method, RFC 9110 section 9" },
	[ATTR_PATH] = { "url.path", MM_ATTR_STR,
	        "path of the request target without parameters and query, RFC 9112 section 3.2" },
	[ATTR_HOST] = { "url.domain", MM_ATTR_STR,
	        "Host field without port, RFC 9110 section 7.2" },
	[ATTR_USER_AGENT] = { "user_agent.original", MM_ATTR_STR,
	        "User-Agent field, RFC 9110 section 10.1.5" },
	[ATTR_SCHEME] = { "mintmark.http.scheme", MM_ATTR_STR,
	        "authentication scheme as spelled, RFC 4559 section 4" },
	[ATTR_PROXY] = { "mintmark.http.proxy", MM_ATTR_BOOL,
	        "The ticket was shown to a proxy: Proxy-Authorization, RFC 9110 section 11.7.2" },
};

static bool is_blank(int b)
{
	return b == ' ' || b == '\t';
}

static bool is_space(int b)
{
	return is_blank(b) || b == '\r' || b == '\n';
}

static bool is_digit(int b)
{
	return b >= '0' && b <= '9';
}

static struct mm_slice trim(struct mm_slice s)
{
	while (is_space(mm_at(s, 0)))
		s = mm_after(s, 1);
	while (s.len != 0 && is_space(mm_at(s, s.len - 1)))
		s = mm_first(s, s.len - 1);
	return s;
}

static bool is_word(struct mm_slice s, const char *word)
{
	return mm_str_ieq(
	        (struct mm_str){ (const char *)s.p, s.len }, (struct mm_str){ word, strlen(word) });
}

/* The line at the front of s without its line end: CRLF, or the bare LF of section 2.2. */
static struct mm_slice first_line(struct mm_slice s)
{
	struct mm_slice line = mm_first(s, mm_find8(s, 0, '\n'));
	if (line.len != 0 && mm_at(line, line.len - 1) == '\r')
		line = mm_first(line, line.len - 1);
	return line;
}

/* Length of the method at the front of s: upper-case letters, and what extensions add to them. */
static size_t method_length(struct mm_slice s)
{
	size_t n = 0;
	for (int b = mm_at(s, n);
	        n <= METHOD_MAX && ((b >= 'A' && b <= 'Z') || is_digit(b) || b == '-' || b == '_');
	        b = mm_at(s, n))
		n++;
	return n;
}

static bool is_version(struct mm_slice s)
{
	return s.len == VERSION_LEN && mm_slice_eq(mm_first(s, 7), mm_slice_str("HTTP/1.")) &&
	       is_digit(mm_at(s, 7));
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ]; 0 when it is none. */
static unsigned status_of(struct mm_slice line)
{
	if (line.len < STATUS_LINE_MIN || !is_version(mm_first(line, VERSION_LEN)) ||
	        !is_blank(mm_at(line, VERSION_LEN)))
		return 0;
	struct mm_cursor c = mm_cursor(mm_after(line, VERSION_LEN + 1));
	unsigned status = 0;
	for (unsigned i = 0; i < 3; i++) {
		if (!is_digit(mm_peek8(&c)))
			return 0;
		status = status * 10 + mm_u8(&c) - '0';
	}
	return c.len == 0 || is_blank(mm_peek8(&c)) ? status : 0;
}

/* request-line = method SP request-target SP HTTP-version. */
static bool read_request_line(
        struct mm_slice line, struct mm_slice *method, struct mm_slice *target)
{
	size_t n = method_length(line);
	if (n == 0 || n > METHOD_MAX || !is_blank(mm_at(line, n)) || line.len < n + VERSION_LEN ||
	        !is_version(mm_after(line, line.len - VERSION_LEN)))
		return false;
	*method = mm_first(line, n);
	*target = trim(mm_first(mm_after(line, n), line.len - n - VERSION_LEN));
	return target->len != 0;
}

static bool is_start_line(struct mm_slice line, enum mm_dir dir)
{
	struct mm_slice method, target;
	return dir == MM_TO_SERVER ? read_request_line(line, &method, &target)
	                           : status_of(line) != 0;
}

/* Could s be the beginning of a message? For framing: cheap, and wrong only in saying yes. */
static bool may_start(struct mm_slice s, enum mm_dir dir)
{
	if (dir == MM_TO_CLIENT) {
		struct mm_slice name = mm_slice_str("HTTP/1.");
		return mm_slice_eq(mm_first(s, name.len), mm_first(name, s.len));
	}
	size_t n = method_length(s);
	return n <= METHOD_MAX && (n == s.len || (n != 0 && is_blank(mm_at(s, n))));
}

/* For probe and resync: a start line when it is all there; what there is of it otherwise, down to a method
 * everybody knows and a path, or a status. */
static bool starts_message(struct mm_slice s, enum mm_dir dir)
{
	static const char *const methods[] = { "GET /", "POST /", "HEAD /", "PUT /", "OPTIONS /",
		"DELETE /", "PATCH /", "PROPFIND /", "GET http://", "POST http://", "CONNECT " };
	if (mm_find8(s, 0, '\n') != s.len)
		return is_start_line(first_line(s), dir);
	if (dir == MM_TO_CLIENT)
		return s.len > STATUS_LINE_MIN && status_of(s) != 0;
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		struct mm_slice method = mm_slice_str(methods[i]);
		if (mm_slice_eq(mm_first(s, method.len), method))
			return true;
	}
	return false;
}

static bool http_probe(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	return transport == MM_TCP && starts_message(head, dir);
}

static size_t http_resync(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	for (size_t i = 0; i < avail.len; i = mm_find8(avail, i, '\n') + 1)
		if (may_start(mm_first(mm_after(avail, i), METHOD_MAX + 1), dir) &&
		        starts_message(mm_after(avail, i), dir))
			return i;
	return avail.len;
}

/* The next header field, continuation lines included (obs-fold, section 5.2). False at the end. */
static bool next_field(struct mm_cursor *c, struct mm_slice *name, struct mm_slice *value)
{
	if (c->len == 0)
		return false;
	struct mm_slice left = mm_left(c);
	size_t end = mm_find8(left, 0, '\n');
	while (end > 1 && end < left.len && is_blank(mm_at(left, end + 1)))
		end = mm_find8(left, end + 1, '\n');
	struct mm_slice field = mm_take(c, end);
	if (c->len != 0)
		mm_skip(c, 1);
	size_t colon = mm_find8(field, 0, ':');
	*name = trim(mm_first(field, colon));
	*value = trim(mm_after(field, colon + 1));
	return true;
}

/* What a header block says that matters here. [0]: of the origin server, [1]: of a proxy. */
struct fields {
	bool has_length, bad_length, transfer_coding, chunked;
	uint64_t length;
	struct mm_slice host, user_agent;
	struct mm_slice scheme[2], token[2];
};

/* Content-Length; the same number several times is one (section 6.3). */
static void read_length(struct fields *f, struct mm_slice value)
{
	struct mm_cursor c = mm_cursor(value);
	while (c.len != 0) {
		struct mm_slice item = trim(mm_take(&c, mm_find8(mm_left(&c), 0, ',')));
		uint64_t n = 0;
		if (c.len != 0)
			mm_skip(&c, 1);
		bool bad = item.len == 0;
		for (size_t i = 0; i < item.len && !bad; i++) {
			int b = mm_at(item, i);
			bad = !is_digit(b) || n > (SIZE_MAX / 2 - 9) / 10;
			n = n * 10 + (unsigned)(b - '0');
		}
		f->bad_length |= bad || (f->has_length && f->length != n);
		f->length = n;
		f->has_length = true;
	}
}

/* Is chunked the last transfer coding? Only then does the message say where it ends. */
static void read_transfer_encoding(struct fields *f, struct mm_slice value)
{
	size_t at = 0;
	for (size_t comma = mm_find8(value, 0, ','); comma < value.len;
	        comma = mm_find8(value, at, ','))
		at = comma + 1;
	f->transfer_coding = true;
	f->chunked = is_word(trim(mm_after(value, at)), "chunked");
}

/* challenge or credentials = auth-scheme [ 1*SP token68 ], RFC 9110 section 11.3; a list of them in a
 * challenge. The first token of a scheme that carries Kerberos is kept. */
static void read_negotiate(struct fields *f, bool proxy, struct mm_slice value)
{
	struct mm_cursor c = mm_cursor(value);
	while (c.len != 0 && f->token[proxy].len == 0) {
		struct mm_slice item = trim(mm_take(&c, mm_find8(mm_left(&c), 0, ',')));
		size_t n = 0;
		if (c.len != 0)
			mm_skip(&c, 1);
		while (n < item.len && !is_space(mm_at(item, n)))
			n++;
		struct mm_slice scheme = mm_first(item, n);
		if (!is_word(scheme, "Negotiate") && !is_word(scheme, "Kerberos"))
			continue;
		f->scheme[proxy] = scheme;
		f->token[proxy] = trim(mm_after(item, n));
	}
}

static void read_fields(struct mm_cursor *c, enum mm_dir dir, struct fields *f)
{
	struct mm_slice name, value;
	bool request = dir == MM_TO_SERVER;
	while (next_field(c, &name, &value)) {
		if (is_word(name, "Content-Length"))
			read_length(f, value);
		else if (is_word(name, "Transfer-Encoding"))
			read_transfer_encoding(f, value);
		else if (is_word(name, request ? "Authorization" : "WWW-Authenticate"))
			read_negotiate(f, false, value);
		else if (is_word(name, request ? "Proxy-Authorization" : "Proxy-Authenticate"))
			read_negotiate(f, true, value);
		else if (request && is_word(name, "Host"))
			f->host = value;
		else if (request && is_word(name, "User-Agent"))
			f->user_agent = value;
	}
}

/* Where the body ends, section 6.3. What cannot be told is passed over until the connection closes. */
static void expect_body(struct http_dir *side, const struct fields *f, bool until_close)
{
	side->expect = EXPECT_BODY;
	if (f->chunked)
		side->expect = EXPECT_CHUNK;
	else if (f->transfer_coding || (f->has_length && f->bad_length))
		side->body = SIZE_MAX;
	else if (f->has_length)
		side->body = (size_t)f->length;
	else
		side->body = until_close ? SIZE_MAX : 0;
	if (side->expect == EXPECT_BODY && side->body == 0)
		side->expect = EXPECT_HEADERS;
}

/* Emit what a slot holds with outcome unknown. */
static void release(struct mm_dissect *d, struct http_shown *slot)
{
	const struct http_state *st = d->state;
	if (slot->shown.ev != NULL) {
		if (!st->dirs[MM_TO_CLIENT].seen)
			slot->shown.ev->flags |= MM_EVF_ONE_SIDED;
		mm_gss_end(d, &slot->shown);
	}
	*slot = (struct http_shown){ 0 };
}

static void release_all(struct mm_dissect *d)
{
	struct http_state *st = d->state;
	for (size_t i = 0; i < SHOWN_MAX; i++)
		release(d, &st->shown[i]);
}

/* The slot for a token: that of the negotiation it goes on with, a free one, or the oldest, which is then
 * given up. */
static struct http_shown *slot_for(struct mm_dissect *d, bool proxy)
{
	struct http_state *st = d->state;
	struct http_shown *best = &st->shown[0];
	for (size_t i = 0; i < SHOWN_MAX; i++) {
		struct http_shown *slot = &st->shown[i];
		if (slot->carried && slot->proxy == proxy)
			return slot;
		if (best->shown.ev == NULL)
			continue;
		if (slot->shown.ev == NULL ||
		        st->n_requests - slot->request > st->n_requests - best->request)
			best = slot;
	}
	release(d, best);
	return best;
}

/* The path of a request-target (section 3.2): no authority, which may hold a password, and no parameters or
 * query, which may hold a token. */
static struct mm_slice path_of(struct mm_slice target)
{
	struct mm_slice mark = mm_slice_str("://");
	size_t n = 0;
	while (n < target.len && mm_at(target, n) != '?' && mm_at(target, n) != '#' &&
	        mm_at(target, n) != ';')
		n++;
	target = mm_first(target, n);
	if (mm_at(target, 0) == '/')
		return target;
	size_t authority = mm_find(target, 0, mark) + mark.len;
	return mm_after(target, mm_find8(target, authority, '/'));
}

/* The Host field without user information and port. */
static struct mm_slice host_of(struct mm_slice host)
{
	size_t userinfo = mm_find8(host, 0, '@');
	if (userinfo != host.len)
		host = mm_after(host, userinfo + 1);
	size_t from = mm_at(host, 0) == '[' ? mm_find8(host, 0, ']') : 0; /* an IPv6 address */
	return mm_first(host, mm_find8(host, from, ':'));
}

struct request {
	struct mm_slice method, target;
	struct fields f;
};

static void put_request(struct mm_event *ev, const struct request *req, bool proxy)
{
	struct mm_slice path = path_of(req->target);
	struct mm_slice host = host_of(req->f.host);
	mm_event_put_str(ev, &attrs[ATTR_METHOD], req->method);
	if (path.len != 0)
		mm_event_put_str(ev, &attrs[ATTR_PATH], path);
	if (host.len != 0)
		mm_event_put_str(ev, &attrs[ATTR_HOST], host);
	if (req->f.user_agent.len != 0)
		mm_event_put_str(ev, &attrs[ATTR_USER_AGENT], req->f.user_agent);
	mm_event_put_str(ev, &attrs[ATTR_SCHEME], req->f.scheme[proxy]);
	if (proxy)
		mm_event_put_bool(ev, &attrs[ATTR_PROXY], true);
}

static void request_token(
        struct mm_dissect *d, const struct request *req, bool proxy, bool answered)
{
	struct http_state *st = d->state;
	uint8_t token[HEADERS_MAX / 4 * 3]; /* a header block holds no more */
	size_t n;
	if (req->f.token[proxy].len == 0 ||
	        !mm_base64_decode(req->f.token[proxy], token, sizeof token, &n))
		return;
	struct http_shown *slot = slot_for(d, proxy);
	struct mm_event *ev = mm_gss_request(d, &slot->shown, mm_slice(token, n), "http-negotiate");
	explicit_bzero(token, n);
	if (ev != NULL)
		put_request(ev, req, proxy);
	slot->request = st->n_requests;
	slot->proxy = proxy;
	slot->carried = false;
	if (slot->shown.ev == NULL || answered)
		release(d, slot);
}

/* Requests and responses count on from here: what is outstanding cannot be paired any more. */
static void forget_pairs(struct mm_dissect *d)
{
	struct http_state *st = d->state;
	release_all(d);
	st->n_responses = st->n_requests;
	st->head = st->connect = 0;
}

static void parse_request(struct mm_dissect *d, struct mm_slice msg)
{
	struct http_state *st = d->state;
	struct request req = { 0 };
	struct mm_cursor c = mm_cursor(msg);
	struct mm_slice line = first_line(msg);
	if (!read_request_line(line, &req.method, &req.target))
		return;
	mm_skip(&c, mm_find8(msg, 0, '\n'));
	mm_skip(&c, c.len != 0);
	read_fields(&c, MM_TO_SERVER, &req.f);
	expect_body(&st->dirs[MM_TO_SERVER], &req.f, false);
	/* Where bytes were lost a response may be among them: nobody pipelines, so what is outstanding when
	 * the client goes on will not be answered. */
	if (d->lossy && st->n_responses != st->n_requests)
		forget_pairs(d);
	/* The capture may bring a response before its request; it was let pass, so don't wait for it. */
	bool answered = st->n_responses == st->n_requests && st->unasked_ns != 0 &&
	                d->time_ns < st->unasked_ns;
	for (unsigned proxy = 0; proxy < 2; proxy++)
		request_token(d, &req, proxy != 0, answered);
	if (answered)
		return;
	uint64_t bit = UINT64_C(1) << st->n_requests % PIPELINE;
	if (st->n_requests - st->n_responses < PIPELINE) {
		if (mm_slice_eq(req.method, mm_slice_str("HEAD")))
			st->head |= bit;
		if (mm_slice_eq(req.method, mm_slice_str("CONNECT")))
			st->connect |= bit;
	}
	st->n_requests++;
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
static void judge(
        struct mm_dissect *d, struct http_shown *slot, unsigned status, struct mm_slice text)
{
	uint8_t token[HEADERS_MAX / 4 * 3];
	size_t n = 0;
	unsigned refusal = slot->proxy ? PROXY_AUTHENTICATION_REQUIRED : UNAUTHORIZED;
	enum mm_verdict verdict = says_nothing(status) ? MM_VERDICT_UNKNOWN : MM_VERDICT_ACCEPTED;
	if (status == PROXY_AUTHENTICATION_REQUIRED && !slot->proxy) {
		release(d, slot); /* the origin server was never asked */
		return;
	}
	if (!mm_base64_decode(text, token, sizeof token, &n))
		n = 0;
	if (status == refusal)
		verdict = n != 0 ? MM_VERDICT_CONTINUE : MM_VERDICT_REFUSED;
	mm_gss_response(d, &slot->shown, mm_slice(token, n), verdict,
	        (struct mm_status){ MM_STATUS_HTTP, status });
	explicit_bzero(token, n);
	slot->carried = slot->shown.ev != NULL;
	if (!slot->carried)
		release(d, slot);
}

static void parse_response(struct mm_dissect *d, struct mm_slice msg)
{
	struct http_state *st = d->state;
	struct http_dir *side = &st->dirs[MM_TO_CLIENT];
	struct fields f = { 0 };
	struct mm_cursor c = mm_cursor(msg);
	unsigned status = status_of(first_line(msg));
	if (status == 0)
		return;
	if (status < OK && status != SWITCHING_PROTOCOLS)
		return; /* an interim response: the final one follows */
	mm_skip(&c, mm_find8(msg, 0, '\n'));
	mm_skip(&c, c.len != 0);
	read_fields(&c, MM_TO_CLIENT, &f);
	bool head = false, connect = false;
	if (st->n_responses != st->n_requests) {
		uint32_t request = st->n_responses++;
		uint64_t bit = UINT64_C(1) << request % PIPELINE;
		head = (st->head & bit) != 0;
		connect = (st->connect & bit) != 0;
		st->head &= ~bit;
		st->connect &= ~bit;
		for (size_t i = 0; i < SHOWN_MAX; i++) {
			struct http_shown *slot = &st->shown[i];
			if (slot->shown.ev != NULL && !slot->carried && slot->request == request)
				judge(d, slot, status, f.token[slot->proxy]);
		}
	} else {
		st->unasked_ns = d->time_ns;
	}
	if (status == SWITCHING_PROTOCOLS || (connect && status < MULTIPLE_CHOICES)) {
		st->quit = true;
		release_all(d);
	} else if (!head && status != NO_CONTENT && status != NOT_MODIFIED) {
		expect_body(side, &f, true);
	}
}

static void http_parse(struct mm_dissect *d, struct mm_slice msg)
{
	struct http_state *st = d->state;
	st->dirs[d->dir].seen = true;
	if (d->dir == MM_TO_SERVER)
		parse_request(d, msg);
	else
		parse_response(d, msg);
}

/* Where the header block at the front of s ends; 0 when it does not yet. *searched spares the next search
 * what this one did. */
static size_t headers_end(struct mm_slice s, size_t *searched)
{
	size_t at = mm_find8(s, *searched, '\n');
	while (at < s.len) {
		*searched = at;
		int next = mm_at(s, at + 1);
		if (next == '\n')
			return at + 2;
		if (next == '\r' && mm_at(s, at + 2) == '\n')
			return at + 3;
		if (next < 0 || (next == '\r' && mm_at(s, at + 2) < 0))
			return 0;
		at = mm_find8(s, at + 1, '\n');
	}
	*searched = s.len;
	return 0;
}

static struct mm_frame frame_headers(struct http_state *st, enum mm_dir dir, struct mm_slice avail)
{
	struct http_dir *side = &st->dirs[dir];
	struct mm_slice preface = mm_slice_str("PRI * HTTP/2.0\r\n\r\n");
	size_t n = 0;
	if (side->searched > avail.len)
		side->searched = 0;
	if (side->searched == 0) {
		/* Empty lines before a message (section 2.2), and what is no HTTP/1 at all. */
		while (n < HEADERS_MAX && (mm_at(avail, n) == '\r' || mm_at(avail, n) == '\n'))
			n++;
		if (n != 0)
			return (struct mm_frame){ MM_FRAME_SKIP, n };
		if (!side->seen && mm_at(avail, 0) == TLS_HANDSHAKE && avail.len < 2)
			return (struct mm_frame){ MM_FRAME_MORE, 2 };
		if (!side->seen && mm_at(avail, 0) == TLS_HANDSHAKE && mm_at(avail, 1) == TLS_MAJOR)
			return (struct mm_frame){ MM_FRAME_QUIT, 0 };
		if (!may_start(avail, dir))
			return (struct mm_frame){ MM_FRAME_LOST, 0 };
	}
	n = headers_end(mm_first(avail, HEADERS_MAX), &side->searched);
	if (n == 0 && avail.len < HEADERS_MAX)
		return (struct mm_frame){ MM_FRAME_MORE, 0 };
	side->searched = 0;
	if (mm_slice_eq(mm_first(avail, n), preface)) /* HTTP/2, RFC 9113 section 3.4 */
		return (struct mm_frame){ MM_FRAME_QUIT, 0 };
	if (n == 0 || !is_start_line(first_line(mm_first(avail, n)), dir))
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	return (struct mm_frame){ MM_FRAME_DONE, n };
}

/* chunk-size, section 7.1: hexadecimal, before any extension. */
static bool chunk_size(struct mm_slice line, size_t *size)
{
	struct mm_cursor c = mm_cursor(trim(mm_first(line, mm_find8(line, 0, ';'))));
	if (c.len == 0 || c.len > CHUNK_DIGITS_MAX)
		return false;
	size_t n = 0;
	while (c.len != 0) {
		unsigned b = mm_u8(&c);
		unsigned lower = b | 0x20u;
		if (b >= '0' && b <= '9')
			n = n * 16 + (b - '0');
		else if (lower >= 'a' && lower <= 'f')
			n = n * 16 + (lower - 'a' + 10);
		else
			return false;
	}
	*size = n;
	return true;
}

/* The lines of the chunked coding; each with the data that follows it is passed over. */
static struct mm_frame frame_chunked(struct http_dir *side, struct mm_slice avail)
{
	size_t size = 0;
	size_t end = mm_find8(mm_first(avail, CHUNK_LINE_MAX), 0, '\n');
	if (end == CHUNK_LINE_MAX)
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	if (end >= avail.len)
		return (struct mm_frame){ MM_FRAME_MORE, 0 };
	struct mm_slice line = first_line(avail);
	size_t n = end + 1;
	switch (side->expect) {
	case EXPECT_CHUNK:
		if (!chunk_size(line, &size))
			return (struct mm_frame){ MM_FRAME_LOST, 0 };
		side->expect = size != 0 ? EXPECT_CHUNK_END : EXPECT_TRAILER;
		n += size;
		break;
	case EXPECT_CHUNK_END:
		if (line.len != 0)
			return (struct mm_frame){ MM_FRAME_LOST, 0 };
		side->expect = EXPECT_CHUNK;
		break;
	case EXPECT_TRAILER:
		if (line.len == 0)
			side->expect = EXPECT_HEADERS;
		break;
	case EXPECT_HEADERS:
	case EXPECT_BODY:
		break;
	}
	return (struct mm_frame){ MM_FRAME_SKIP, n };
}

static struct mm_frame http_frame(void *state, enum mm_dir dir, struct mm_slice avail)
{
	struct http_state *st = state;
	struct http_dir *side = &st->dirs[dir];
	if (st->quit)
		return (struct mm_frame){ MM_FRAME_QUIT, 0 };
	if (side->expect == EXPECT_HEADERS)
		return frame_headers(st, dir, avail);
	if (side->expect == EXPECT_BODY) {
		if (side->body != SIZE_MAX)
			side->expect = EXPECT_HEADERS;
		return (struct mm_frame){ MM_FRAME_SKIP, side->body };
	}
	struct mm_frame f = frame_chunked(side, avail);
	if (f.verdict == MM_FRAME_LOST)
		side->expect = EXPECT_HEADERS;
	return f;
}

static void http_gap(struct mm_dissect *d)
{
	struct http_state *st = d->state;
	struct http_dir *side = &st->dirs[d->dir];
	if (side->body != SIZE_MAX || side->expect != EXPECT_BODY)
		side->expect = EXPECT_HEADERS;
	side->searched = 0;
	forget_pairs(d);
}

static const uint16_t tcp_ports[] = { 80, 8080, 8000, 3128, 5985,
	0 }; /* 3128: proxies, 5985: WinRM */

static const char *const ndpi_hints[] = { "HTTP", "HTTP_Connect", "HTTP_Proxy", NULL };

const struct mm_dissector mm_http = {
	.name = "http",
	.spec = "RFC 9112",
	.help = "HTTP/1 Negotiate: tickets shown to web servers and proxies",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = tcp_ports,
	.ndpi_hints = ndpi_hints,
	.attrs = attrs,
	.n_attrs = N_ATTRS,
	.state_size = sizeof(struct http_state),
	.message_max = HEADERS_MAX,
	.probe = http_probe,
	.frame = http_frame,
	.resync = http_resync,
	.parse = http_parse,
	.gap = http_gap,
	.end = release_all,
};
