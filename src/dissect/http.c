/* HTTP/1, RFC 9112: requests and responses, paired by their order.
 *
 *	POST /token HTTP/1.1                       HTTP/1.1 200 OK
 *	Host: login.example                        Content-Type: application/json
 *	Content-Length: 21                         Transfer-Encoding: chunked
 *
 *	grant_type=password&...                    1c
 *	                                           {"access_token":"eyJhbGciOi...
 *
 * This file finds where messages end (section 6.3); reader.c reads them. Header blocks are messages to the engine, and so
 * are the pieces of bodies that are kept; all other bodies are measured and passed over, so that they cost nothing and nothing in
 * them is ever taken for a header. */
#include "dissect/http2.h"
#include "dissect/negotiate.h"
#include "dissect/reader.h"

enum {
	CHUNK_LINE_MAX = 4096, /* octets of a chunk-size or trailer line */
	PIECE_MAX = 64 * 1024, /* of a body that ends with its connection, at a time */
	CHUNK_DIGITS_MAX = 15, /* hexadecimal digits of a chunk-size that cannot overflow */
	PIPELINE = 64,         /* requests without a response that are remembered */
	TLS_HANDSHAKE = 0x16,  /* ContentType, RFC 8446 section 5.1 */
	TLS_MAJOR = 0x03,
	STATUS_LINE_MIN = 12, /* "HTTP/1.1 200" */

	/* Status codes, RFC 9110 section 15. */
	SWITCHING_PROTOCOLS = 101,
	OK = 200,
	MULTIPLE_CHOICES = 300,
	NO_CONTENT = 204,
	NOT_MODIFIED = 304,
};

/* What comes next in one direction. */
enum expect {
	EXPECT_HEADERS,
	EXPECT_BODY,       /* body octets */
	EXPECT_CHUNK,      /* a chunk-size line */
	EXPECT_CHUNK_DATA, /* of a chunk whose line was read: passed over */
	EXPECT_CHUNK_END,  /* the line end after a chunk's data */
	EXPECT_TRAILER,    /* trailer fields and the empty line */
};

struct http_dir {
	enum expect expect;
	bool seen;
	size_t searched; /* octets at the front in which no header block ends */
	size_t body; /* SIZE_MAX: until the connection closes; of a chunk that is passed over: its data */
	struct mm_web_live *live; /* whose body is kept: it comes in messages */
};

struct http_state {
	struct http_dir dirs[2];
	bool quit;
	uint32_t n_too_long; /* header blocks */
	uint32_t n_requests, n_responses;
	uint64_t head, connect; /* requests of these methods, by their number modulo PIPELINE */
	int64_t unasked_ns;     /* time of the last response that came without a request */
	struct mm_negotiate negotiate;
	struct mm_web_conn conn;
	bool is_h2; /* from here on */
	struct mm_h2 h2;
};

static bool is_digit(int b)
{
	return b >= '0' && b <= '9';
}

static bool is_blank(int b)
{
	return b == ' ' || b == '\t';
}

static bool is_start_line(struct mm_slice line, enum mm_dir dir)
{
	struct mm_slice method, target;
	unsigned minor;
	return dir == MM_TO_SERVER ? mm_reader_request_line(line, &method, &target, &minor)
	                           : mm_reader_status(line, &minor) != 0;
}

/* Could s be the beginning of a message? For framing: cheap, and wrong only in saying yes. */
static bool may_start(struct mm_slice s, enum mm_dir dir)
{
	if (dir == MM_TO_CLIENT) {
		struct mm_slice name = mm_slice_str("HTTP/1.");
		return mm_slice_eq(mm_first(s, name.len), mm_first(name, s.len));
	}
	size_t n = mm_reader_method(s);
	return n <= MM_METHOD_MAX && (n == s.len || (n != 0 && is_blank(mm_at(s, n))));
}

/* For probe and resync: a start line when it is all there; what there is of it otherwise, down to a method
 * everybody knows and a path, or a status. */
static bool starts_message(struct mm_slice s, enum mm_dir dir)
{
	static const char *const methods[] = { "GET /", "POST /", "HEAD /", "PUT /", "OPTIONS /",
		"DELETE /", "PATCH /", "PROPFIND /", "GET http://", "POST http://", "CONNECT " };
	unsigned minor;
	if (mm_find8(s, 0, '\n') != s.len)
		return is_start_line(mm_reader_line(s), dir);
	if (dir == MM_TO_CLIENT)
		return s.len > STATUS_LINE_MIN && mm_reader_status(s, &minor) != 0;
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
	const struct http_state *st = state;
	if (st->is_h2)
		return mm_h2_resync(dir, avail);
	for (size_t i = 0; i < avail.len; i = mm_find8(avail, i, '\n') + 1)
		if (may_start(mm_first(mm_after(avail, i), MM_METHOD_MAX + 1), dir) &&
		        starts_message(mm_after(avail, i), dir))
			return i;
	return avail.len;
}

/* What a header block says of its body. */
struct length {
	bool known, bad, transfer_coding, chunked;
	bool coded; /* by a transfer coding other than chunked */
	uint64_t n;
};

/* Content-Length; the same number several times is one (section 6.3). */
static void read_length(struct length *f, struct mm_slice value)
{
	struct mm_cursor c = mm_cursor(value);
	while (c.len != 0) {
		struct mm_slice item = mm_web_trim(mm_take(&c, mm_find8(mm_left(&c), 0, ',')));
		uint64_t n = 0;
		if (c.len != 0)
			mm_skip(&c, 1);
		bool bad = item.len == 0;
		for (size_t i = 0; i < item.len && !bad; i++) {
			int b = mm_at(item, i);
			bad = !is_digit(b) || n > (SIZE_MAX / 2 - 9) / 10;
			n = n * 10 + (unsigned)(b - '0');
		}
		f->bad |= bad || (f->known && f->n != n);
		f->n = n;
		f->known = true;
	}
}

/* Is chunked the last transfer coding? Only then does the message say where it ends. */
static void read_transfer_encoding(struct length *f, struct mm_slice value)
{
	size_t at = 0;
	for (size_t comma = mm_find8(value, 0, ','); comma < value.len;
	        comma = mm_find8(value, at, ','))
		at = comma + 1;
	f->coded |= f->transfer_coding || at != 0;
	f->transfer_coding = true;
	f->chunked = mm_web_is_word(mm_web_trim(mm_after(value, at)), "chunked");
	f->coded |= !f->chunked;
}

/* Where the body ends, section 6.3. What cannot be told is passed over until the connection closes. False when it is not
 * plain enough to be kept. */
static bool expect_body(struct http_dir *side, const struct mm_web_message *m, bool until_close)
{
	struct length f = { 0 };
	struct mm_slice value;
	for (size_t i = 0; mm_web_header(m, "content-length", i, &value); i++)
		read_length(&f, value);
	for (size_t i = 0; mm_web_header(m, "transfer-encoding", i, &value); i++)
		read_transfer_encoding(&f, value);
	side->expect = EXPECT_BODY;
	if (f.chunked)
		side->expect = EXPECT_CHUNK;
	else if (f.transfer_coding || (f.known && f.bad))
		side->body = SIZE_MAX;
	else if (f.known)
		side->body = (size_t)f.n;
	else
		side->body = until_close ? SIZE_MAX : 0;
	if (side->expect == EXPECT_BODY && side->body == 0)
		side->expect = EXPECT_HEADERS;
	return side->expect != EXPECT_HEADERS && !f.coded && !f.bad;
}

/* Is the body that the header block announces to be kept? */
static bool want_body(struct http_dir *side, enum mm_dir dir, struct mm_web_live *l)
{
	if (!mm_web_wants_body(l, dir, side->expect == EXPECT_BODY ? side->body : SIZE_MAX))
		return false;
	side->live = l;
	return true;
}

static struct mm_web_message *message_of(struct mm_web_live *l, enum mm_dir dir)
{
	return dir == MM_TO_SERVER ? &l->x.request : &l->x.response;
}

/* Hand the exchange over; what is still to come of its bodies is passed over. */
static void finish(struct mm_dissect *d, struct mm_web_live *l)
{
	struct http_state *st = d->state;
	for (unsigned i = 0; i < 2; i++) {
		if (st->dirs[i].live != l)
			continue;
		message_of(l, (enum mm_dir)i)->flags |= MM_WEB_BODY_TRUNCATED;
		st->dirs[i].live = NULL;
	}
	mm_web_finish(d, l);
}

/* The same for all: what is being read of them is cut, but for a body that ends with its connection. */
static void finish_all(struct mm_dissect *d, bool end)
{
	struct http_state *st = d->state;
	for (unsigned i = 0; i < 2; i++) {
		struct http_dir *side = &st->dirs[i];
		struct mm_web_live *l = side->live;
		bool whole = end && side->expect == EXPECT_BODY && side->body == SIZE_MAX;
		if (l != NULL && !whole)
			message_of(l, (enum mm_dir)i)->flags |= MM_WEB_BODY_TRUNCATED;
		side->live = NULL;
	}
	mm_web_finish_all(d, &st->conn);
}

/* Nothing more of this body is read. */
static void end_body(struct mm_dissect *d, bool whole)
{
	struct http_state *st = d->state;
	struct http_dir *side = &st->dirs[d->dir];
	struct mm_web_live *l = side->live;
	if (!whole)
		message_of(l, d->dir)->flags |= MM_WEB_BODY_TRUNCATED;
	mm_reader_end(l, d->dir);
	side->live = NULL;
	if (d->dir == MM_TO_CLIENT)
		finish(d, l);
}

/* Requests and responses count on from here: what is outstanding cannot be paired any more. */
static void forget_pairs(struct mm_dissect *d)
{
	struct http_state *st = d->state;
	mm_negotiate_end(d, &st->negotiate);
	finish_all(d, false);
	st->n_responses = st->n_requests;
	st->head = st->connect = 0;
}

static void parse_request(struct mm_dissect *d, struct mm_slice msg)
{
	struct http_state *st = d->state;
	struct http_dir *side = &st->dirs[MM_TO_SERVER];
	/* Where bytes were lost a response may be among them: nobody pipelines, so what is outstanding when
	 * the client goes on will not be answered. */
	if (d->lossy && st->n_responses != st->n_requests)
		forget_pairs(d);
	struct mm_web_live *l = mm_web_begin(d, &st->conn, PIPELINE);
	if (l == NULL)
		return;
	l->order = st->n_requests;
	mm_web_seen(d, l, MM_TO_SERVER);
	mm_reader_start(d, l, MM_TO_SERVER, msg);
	bool keep = expect_body(side, &l->x.request, false);
	/* The capture may bring a response before its request; it was let pass, so don't wait for it. */
	bool answered = st->n_responses == st->n_requests && st->unasked_ns != 0 &&
	                d->time_ns < st->unasked_ns;
	mm_negotiate_request(d, &st->negotiate, &l->x, l->order, answered);
	if (!answered) {
		uint64_t bit = UINT64_C(1) << st->n_requests % PIPELINE;
		if (st->n_requests - st->n_responses < PIPELINE) {
			if (mm_slice_eq(l->x.method, mm_slice_str("HEAD")))
				st->head |= bit;
			if (mm_slice_eq(l->x.method, mm_slice_str("CONNECT")))
				st->connect |= bit;
		}
		st->n_requests++;
	}
	if (!keep || !want_body(side, MM_TO_SERVER, l))
		mm_reader_end(l, MM_TO_SERVER);
	if (answered || l->transient)
		finish(d, l);
}

/* The exchange that this response ends; one without a request where none was seen. */
static struct mm_web_live *answered_by(struct mm_dissect *d, bool *head, bool *connect)
{
	struct http_state *st = d->state;
	if (st->n_responses == st->n_requests) {
		st->unasked_ns = d->time_ns;
		struct mm_web_live *l = mm_web_begin(d, &st->conn, PIPELINE);
		if (l != NULL)
			l->order = st->n_requests - 1;
		return l;
	}
	uint64_t bit = UINT64_C(1) << st->n_responses % PIPELINE;
	*head = (st->head & bit) != 0;
	*connect = (st->connect & bit) != 0;
	st->head &= ~bit;
	st->connect &= ~bit;
	struct mm_web_live *l = mm_web_find(&st->conn, st->n_responses);
	return l != NULL ? l : mm_web_begin(d, &st->conn, PIPELINE);
}

static bool is_h2c(const struct mm_web_message *m)
{
	struct mm_slice value;
	return mm_web_header(m, "upgrade", 0, &value) && mm_web_is_word(value, "h2c");
}

/* The request that asked for it is answered in HTTP/2, RFC 7540 section 3.2. */
static void go_on_as_h2(struct mm_dissect *d, struct mm_web_live *l)
{
	struct http_state *st = d->state;
	for (unsigned i = 0; i < 2; i++)
		st->dirs[i] = (struct http_dir){ .seen = true };
	l->x.status = 0;
	mm_web_clear(l, MM_TO_CLIENT);
	mm_reader_end(l, MM_TO_SERVER);
	mm_h2_upgrade(d, &st->h2, l);
	finish_all(d, false);
	st->is_h2 = true;
}

static void parse_response(struct mm_dissect *d, struct mm_slice msg)
{
	struct http_state *st = d->state;
	struct http_dir *side = &st->dirs[MM_TO_CLIENT];
	unsigned minor, status = mm_reader_status(mm_reader_line(msg), &minor);
	st->negotiate.answers = true;
	if (status < OK && status != SWITCHING_PROTOCOLS)
		return; /* an interim response: the final one follows */
	bool head = false, connect = false, asked = st->n_responses != st->n_requests;
	struct mm_web_live *l = answered_by(d, &head, &connect);
	if (l == NULL)
		return;
	mm_web_seen(d, l, MM_TO_CLIENT);
	mm_reader_start(d, l, MM_TO_CLIENT, msg);
	if (asked)
		mm_negotiate_response(d, &st->negotiate, &l->x, st->n_responses++);
	if (status == SWITCHING_PROTOCOLS && is_h2c(&l->x.response)) {
		mm_negotiate_end(d, &st->negotiate);
		go_on_as_h2(d, l);
		return;
	}
	if (status == SWITCHING_PROTOCOLS || (connect && status < MULTIPLE_CHOICES)) {
		if (status != SWITCHING_PROTOCOLS)
			mm_dissect_become(d, NULL); /* a tunnel, RFC 9110 section 9.3.6 */
		st->quit = true;
		mm_negotiate_end(d, &st->negotiate);
		finish_all(d, false);
		return;
	}
	bool keep = false;
	if (!head && status != NO_CONTENT && status != NOT_MODIFIED)
		keep = expect_body(side, &l->x.response, true);
	if (!keep || !want_body(side, MM_TO_CLIENT, l))
		finish(d, l);
}

/* chunk-size, section 7.1: hexadecimal, before any extension. */
static bool chunk_size(struct mm_slice line, size_t *size)
{
	struct mm_cursor c = mm_cursor(mm_web_trim(mm_first(line, mm_find8(line, 0, ';'))));
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

/* A piece of a body that is kept. */
static void parse_body(struct mm_dissect *d, struct mm_slice msg)
{
	struct http_state *st = d->state;
	struct http_dir *side = &st->dirs[d->dir];
	struct mm_slice line = mm_reader_line(msg);
	size_t size = 0, line_b = mm_find8(msg, 0, '\n') + 1;
	struct mm_slice data = mm_first(msg, 0);
	bool whole = false;
	mm_web_seen(d, side->live, d->dir);
	switch (side->expect) {
	case EXPECT_BODY:
		whole = side->body != SIZE_MAX;
		data = msg;
		break;
	case EXPECT_CHUNK:
		(void)chunk_size(line, &size);
		data = mm_after(msg, line_b);
		side->body = size;
		side->expect = size == 0          ? EXPECT_TRAILER
		               : msg.len > line_b ? EXPECT_CHUNK_END
		                                  : EXPECT_CHUNK_DATA;
		break;
	case EXPECT_CHUNK_END:
		side->expect = EXPECT_CHUNK;
		break;
	case EXPECT_TRAILER:
		whole = line.len == 0;
		break;
	case EXPECT_CHUNK_DATA:
	case EXPECT_HEADERS:
		break;
	}
	mm_reader_body(side->live, d->dir, msg, data);
	if (side->expect == EXPECT_CHUNK_DATA)
		mm_web_cut_body(side->live, d->dir);
	if (whole)
		side->expect = EXPECT_HEADERS;
	if (whole || !side->live->keep[d->dir])
		end_body(d, whole);
}

static void http_parse(struct mm_dissect *d, struct mm_slice msg)
{
	struct http_state *st = d->state;
	struct http_dir *side = &st->dirs[d->dir];
	if (st->is_h2) {
		mm_h2_parse(d, &st->h2, msg);
		return;
	}
	side->seen = true;
	if (side->live != NULL && side->expect != EXPECT_HEADERS) {
		parse_body(d, msg);
		return;
	}
	if (side->live != NULL) /* its chunks were none */
		end_body(d, false);
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
	size_t n = 0;
	if (side->searched > avail.len)
		side->searched = 0;
	if (side->searched == 0) {
		/* Empty lines before a message (section 2.2), and what is no HTTP/1 at all. */
		while (n < MM_WEB_HEADERS_MAX &&
		        (mm_at(avail, n) == '\r' || mm_at(avail, n) == '\n'))
			n++;
		if (n != 0)
			return (struct mm_frame){ MM_FRAME_SKIP, n };
		if (!side->seen && mm_at(avail, 0) == TLS_HANDSHAKE && avail.len < 2)
			return (struct mm_frame){ MM_FRAME_MORE, 2 };
		if (!side->seen && mm_at(avail, 0) == TLS_HANDSHAKE && mm_at(avail, 1) == TLS_MAJOR)
			return (struct mm_frame){ MM_FRAME_QUIT, 0 };
		if (dir == MM_TO_SERVER && mm_h2_is_preface(avail)) {
			st->is_h2 = avail.len >=
			            MM_H2_PREFACE; /* with prior knowledge, RFC 9113 section 3.3 */
			return st->is_h2 ? mm_h2_frame(&st->h2, dir, avail)
			                 : (struct mm_frame){ MM_FRAME_MORE, 0 };
		}
		if (!may_start(avail, dir))
			return (struct mm_frame){ MM_FRAME_LOST, 0 };
	}
	n = headers_end(mm_first(avail, MM_WEB_HEADERS_MAX), &side->searched);
	if (n == 0 && avail.len < MM_WEB_HEADERS_MAX)
		return (struct mm_frame){ MM_FRAME_MORE, 0 };
	side->searched = 0;
	if (n == 0)
		st->n_too_long++;
	if (n == 0 || !is_start_line(mm_reader_line(mm_first(avail, n)), dir))
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	return (struct mm_frame){ MM_FRAME_DONE, n };
}

/* A line of the chunked coding: its octets, line end included. */
static struct mm_frame frame_line(struct mm_slice avail)
{
	size_t end = mm_find8(mm_first(avail, CHUNK_LINE_MAX), 0, '\n');
	if (end == CHUNK_LINE_MAX)
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	if (end >= avail.len)
		return (struct mm_frame){ MM_FRAME_MORE, 0 };
	return (struct mm_frame){ MM_FRAME_DONE, end + 1 };
}

/* The lines of the chunked coding; each with the data that follows it is passed over. */
static struct mm_frame frame_chunked(struct http_dir *side, struct mm_slice avail)
{
	struct mm_frame f = frame_line(avail);
	if (f.verdict != MM_FRAME_DONE)
		return f;
	struct mm_slice line = mm_reader_line(avail);
	size_t n = f.n, size = 0;
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
	case EXPECT_CHUNK_DATA:
	case EXPECT_HEADERS:
	case EXPECT_BODY:
		break;
	}
	return (struct mm_frame){ MM_FRAME_SKIP, n };
}

/* A piece of a body that is kept: all of it where its length is known, a line, or a line with the chunk behind it unless that is
 * longer than any body kept. */
static struct mm_frame frame_kept(const struct http_dir *side, struct mm_slice avail)
{
	if (side->expect == EXPECT_BODY) {
		size_t n = side->body;
		if (n == SIZE_MAX)
			n = avail.len < PIECE_MAX ? avail.len : PIECE_MAX;
		return (struct mm_frame){ n > avail.len ? MM_FRAME_MORE : MM_FRAME_DONE, n };
	}
	struct mm_frame f = frame_line(avail);
	if (f.verdict != MM_FRAME_DONE)
		return f;
	struct mm_slice line = mm_reader_line(avail);
	size_t n = f.n, size = 0;
	if (side->expect == EXPECT_CHUNK) {
		if (!chunk_size(line, &size))
			return (struct mm_frame){ MM_FRAME_LOST, 0 };
		n += size <= MM_WEB_BODY_MAX ? size : 0;
	} else if (side->expect == EXPECT_CHUNK_END && line.len != 0) {
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	}
	return (struct mm_frame){ n > avail.len ? MM_FRAME_MORE : MM_FRAME_DONE, n };
}

static struct mm_frame http_frame(void *state, enum mm_dir dir, struct mm_slice avail)
{
	struct http_state *st = state;
	struct http_dir *side = &st->dirs[dir];
	if (st->quit)
		return (struct mm_frame){ MM_FRAME_QUIT, 0 };
	if (st->is_h2)
		return mm_h2_frame(&st->h2, dir, avail);
	if (side->expect == EXPECT_HEADERS)
		return frame_headers(st, dir, avail);
	if (side->live == NULL && side->expect == EXPECT_BODY) {
		if (side->body != SIZE_MAX)
			side->expect = EXPECT_HEADERS;
		return (struct mm_frame){ MM_FRAME_SKIP, side->body };
	}
	if (side->expect == EXPECT_CHUNK_DATA) {
		side->expect = EXPECT_CHUNK_END;
		return (struct mm_frame){ MM_FRAME_SKIP, side->body };
	}
	struct mm_frame f =
	        side->live != NULL ? frame_kept(side, avail) : frame_chunked(side, avail);
	if (f.verdict == MM_FRAME_LOST)
		side->expect = EXPECT_HEADERS;
	return f;
}

static void http_gap(struct mm_dissect *d)
{
	struct http_state *st = d->state;
	struct http_dir *side = &st->dirs[d->dir];
	if (st->is_h2) {
		mm_h2_gap(d, &st->h2);
		return;
	}
	if (side->body != SIZE_MAX || side->expect != EXPECT_BODY)
		side->expect = EXPECT_HEADERS;
	side->searched = 0;
	forget_pairs(d);
}

static void http_end(struct mm_dissect *d)
{
	struct http_state *st = d->state;
	mm_negotiate_end(d, &st->negotiate);
	finish_all(d, true);
	mm_h2_end(d, &st->h2);
	mm_web_stats(d->web)->n_limit_headers += st->n_too_long;
	st->n_too_long = 0;
}

static const uint16_t tcp_ports[] = { 80, 8080, 8000, 3128, 5985,
	0 }; /* 3128: proxies, 5985: WinRM */

static const char *const ndpi_hints[] = { "HTTP", "HTTP_Connect", "HTTP_Proxy", NULL };

const struct mm_dissector mm_http = {
	.name = "http",
	.spec = "RFC 9112",
	.help = "HTTP/1: tickets and tokens shown to web servers and proxies, and handed out by "
	        "them",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = tcp_ports,
	.ndpi_hints = ndpi_hints,
	.attrs = mm_web_attrs,
	.n_attrs = MM_WEB_N_ATTRS,
	.state_size = sizeof(struct http_state),
	.message_max = MM_H2_MESSAGE_MAX,
	.probe = http_probe,
	.frame = http_frame,
	.resync = http_resync,
	.parse = http_parse,
	.gap = http_gap,
	.end = http_end,
};
