/* HTTP/2, RFC 9113: frames, and the streams in them.
 *
 *	length 24, type 8, flags 8, R 1, stream identifier 31, payload (section 4.1)
 *
 *	client: preface, SETTINGS, HEADERS 1 (:method POST ...), DATA 1 (grant_type=..., END_STREAM)
 *	server: SETTINGS, HEADERS 1 (:status 200 ...), DATA 1, DATA 1 (END_STREAM)
 *
 * A header block with its CONTINUATION frames is one message to the engine, and so is a DATA frame of a body that is kept. All
 * other frames are passed over unread. */
#include "dissect/http2.h"

#include <stdlib.h>

#include "dissect/hpack.h"
#include "dissect/negotiate.h"

enum {
	FRAME_HEADER = 9,
	PREFACE_SURE = 14,      /* octets of it that nothing else begins with */
	STREAMS_MAX = 256,      /* followed at a time; the oldest gives way */
	CONTINUATIONS_MAX = 64, /* frames of one header block */
	DATA_MAX = 1 << 24,     /* SETTINGS_MAX_FRAME_SIZE, section 6.5.2 */
	OTHER_MAX = 16 * 1024,  /* of frames whose type is not known */
	SETTING = 6,            /* octets of one */
	SETTINGS_LIKELY = 32,   /* settings that a server may begin with */
	SETTING_LAST = 0x10,    /* the highest identifier likely among them */
	RESYNC_FRAMES = 3,      /* that must follow each other */
	RST_STREAM_LEN = 4,
	PING_LEN = 8,
	PRIORITY_LEN = 5,
	WINDOW_UPDATE_LEN = 4,
	GOAWAY_LEN = 8,
	OK = 200, /* RFC 9110 section 15 */
};

/* Section 6. */
enum {
	DATA = 0x0,
	HEADERS = 0x1,
	PRIORITY = 0x2,
	RST_STREAM = 0x3,
	SETTINGS = 0x4,
	PUSH_PROMISE = 0x5,
	PING = 0x6,
	GOAWAY = 0x7,
	WINDOW_UPDATE = 0x8,
	CONTINUATION = 0x9,
	LAST_KNOWN = CONTINUATION,
};

enum {
	END_STREAM = 0x01,
	ACK = 0x01,
	END_HEADERS = 0x04,
	PADDED = 0x08,
	HAS_PRIORITY = 0x20,
};

struct frame_head {
	size_t len;
	unsigned type, flags;
	uint32_t stream;
};

struct mm_h2_conn {
	struct mm_web_owned owned;
	struct mm_web *web;
	struct mm_hpack *tables[2];
	struct mm_web_conn streams;
	struct mm_negotiate negotiate;
	bool table_lost[2]; /* a block of this direction was passed over */
	size_t skip[2];     /* octets of a DATA frame that are not read */
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

bool mm_h2_is_preface(struct mm_slice s)
{
	struct mm_slice whole = mm_slice(preface, MM_H2_PREFACE);
	return mm_slice_eq(mm_first(s, MM_H2_PREFACE), mm_first(whole, s.len));
}

static struct frame_head read_head(struct mm_cursor *c)
{
	struct frame_head h;
	h.len = mm_be24(c);
	h.type = mm_u8(c);
	h.flags = mm_u8(c);
	h.stream = mm_be32(c) & 0x7fffffff;
	return h;
}

/* Could it be one? Lengths and streams as section 6 has them. */
static bool is_sound(const struct frame_head *h, enum mm_dir dir)
{
	switch (h->type) {
	case DATA:
		return h->stream != 0 && h->len <= DATA_MAX;
	case HEADERS:
		return h->stream != 0 && (dir == MM_TO_CLIENT || h->stream % 2 == 1);
	case CONTINUATION:
		return h->stream != 0;
	case PUSH_PROMISE:
		return h->stream != 0 && dir == MM_TO_CLIENT;
	case PRIORITY:
		return h->stream != 0 && h->len == PRIORITY_LEN;
	case RST_STREAM:
		return h->stream != 0 && h->len == RST_STREAM_LEN;
	case SETTINGS:
		return h->stream == 0 && h->len % SETTING == 0 &&
		       ((h->flags & ACK) == 0 || h->len == 0);
	case PING:
		return h->stream == 0 && h->len == PING_LEN;
	case GOAWAY:
		return h->stream == 0 && h->len >= GOAWAY_LEN;
	case WINDOW_UPDATE:
		return h->len == WINDOW_UPDATE_LEN;
	default:
		return h->len <= OTHER_MAX;
	}
}

/* The same where nothing tells that frames are there at all: flags that the type has not, and types that nobody knows, speak
 * against it. */
static bool is_likely(const struct frame_head *h, enum mm_dir dir)
{
	static const uint8_t flags[] = {
		[DATA] = END_STREAM | PADDED,
		[HEADERS] = END_STREAM | END_HEADERS | PADDED | HAS_PRIORITY,
		[PRIORITY] = 0,
		[RST_STREAM] = 0,
		[SETTINGS] = ACK,
		[PUSH_PROMISE] = END_HEADERS | PADDED,
		[PING] = ACK,
		[GOAWAY] = 0,
		[WINDOW_UPDATE] = 0,
		[CONTINUATION] = END_HEADERS,
	};
	return h->type <= LAST_KNOWN && (h->flags & ~(unsigned)flags[h->type]) == 0 &&
	       is_sound(h, dir);
}

/* Do frames follow each other from here on, as far as s goes? At least one whole, or all of s. */
static bool are_frames(struct mm_slice s, enum mm_dir dir)
{
	struct mm_cursor c = mm_cursor(s);
	for (unsigned i = 0; i < RESYNC_FRAMES; i++) {
		if (c.len < FRAME_HEADER)
			return i != 0;
		struct frame_head h = read_head(&c);
		if (!is_likely(&h, dir))
			return false;
		if (h.len >= c.len)
			return h.len == c.len || i != 0;
		mm_skip(&c, h.len);
	}
	return true;
}

/* A connection's first frame from the server, section 3.4. */
static bool is_first_settings(struct mm_slice s)
{
	struct mm_cursor c = mm_cursor(s);
	struct frame_head h = read_head(&c);
	if (c.err || h.type != SETTINGS || h.flags != 0 || h.len > SETTING * SETTINGS_LIKELY ||
	        !is_likely(&h, MM_TO_CLIENT))
		return false;
	for (size_t i = 0; i < h.len / SETTING && c.len >= SETTING; i++) {
		uint16_t id = mm_be16(&c);
		mm_skip(&c, SETTING - sizeof id);
		if (id == 0 || id > SETTING_LAST)
			return false;
	}
	return h.len != 0 || are_frames(s, MM_TO_CLIENT);
}

static bool http2_probe(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	if (transport != MM_TCP)
		return false;
	return dir == MM_TO_SERVER ? head.len >= PREFACE_SURE && mm_h2_is_preface(head)
	                           : is_first_settings(head);
}

size_t mm_h2_resync(enum mm_dir dir, struct mm_slice avail)
{
	size_t i = 0;
	while (i < avail.len && !are_frames(mm_after(avail, i), dir))
		i++;
	return i;
}

static bool is_kept(const struct mm_h2 *h2, enum mm_dir dir, uint32_t stream)
{
	const struct mm_web_live *l =
	        h2->conn == NULL ? NULL : mm_web_find(&h2->conn->streams, stream);
	return l != NULL && l->keep[dir];
}

/* A header block: this frame, and the CONTINUATION frames that follow it. One that is too long is passed over, and with it what it
 * adds to the table. */
static struct mm_frame frame_block(struct mm_h2 *h2, enum mm_dir dir, struct mm_slice avail)
{
	struct mm_cursor c = mm_cursor(avail);
	struct frame_head h = read_head(&c);
	size_t first = FRAME_HEADER + h.len, all = first;
	uint32_t stream = h.stream;
	for (unsigned n = 0; (h.flags & END_HEADERS) == 0; n++) {
		if (all > MM_WEB_HEADERS_MAX || n == CONTINUATIONS_MAX)
			break;
		if (avail.len < all + FRAME_HEADER)
			return (struct mm_frame){ MM_FRAME_MORE, all + FRAME_HEADER };
		c = mm_cursor(mm_after(avail, all));
		h = read_head(&c);
		if (h.type != CONTINUATION || h.stream != stream)
			return (struct mm_frame){ MM_FRAME_LOST, 0 };
		all += FRAME_HEADER + h.len;
	}
	if (all > MM_WEB_HEADERS_MAX || (h.flags & END_HEADERS) == 0) {
		h2->n_too_long++;
		if (h2->conn != NULL)
			h2->conn->table_lost[dir] = true;
		return (struct mm_frame){ MM_FRAME_SKIP, first };
	}
	return (struct mm_frame){ all > avail.len ? MM_FRAME_MORE : MM_FRAME_DONE, all };
}

static struct mm_frame next_frame(struct mm_h2 *h2, enum mm_dir dir, struct mm_slice avail)
{
	if (!h2->seen[dir] && dir == MM_TO_SERVER && mm_h2_is_preface(avail)) {
		if (avail.len < MM_H2_PREFACE)
			return (struct mm_frame){ MM_FRAME_MORE, MM_H2_PREFACE };
		h2->seen[dir] = true;
		return (struct mm_frame){ MM_FRAME_SKIP, MM_H2_PREFACE };
	}
	if (h2->conn != NULL && h2->conn->skip[dir] != 0) {
		size_t n = h2->conn->skip[dir];
		h2->conn->skip[dir] = 0;
		return (struct mm_frame){ MM_FRAME_SKIP, n };
	}
	if (avail.len < FRAME_HEADER)
		return (struct mm_frame){ MM_FRAME_MORE, FRAME_HEADER };
	struct mm_cursor c = mm_cursor(avail);
	struct frame_head h = read_head(&c);
	size_t n = FRAME_HEADER + h.len;
	if (!is_sound(&h, dir))
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	switch (h.type) {
	case HEADERS:
	case PUSH_PROMISE:
		return frame_block(h2, dir, avail);
	case DATA:
		if (!is_kept(h2, dir, h.stream))
			break;
		if (n > MM_H2_MESSAGE_MAX)
			n = FRAME_HEADER;
		return (struct mm_frame){ n > avail.len ? MM_FRAME_MORE : MM_FRAME_DONE, n };
	case RST_STREAM:
		if (h2->conn == NULL || mm_web_find(&h2->conn->streams, h.stream) == NULL)
			break;
		return (struct mm_frame){ n > avail.len ? MM_FRAME_MORE : MM_FRAME_DONE, n };
	default:
		break;
	}
	return (struct mm_frame){ MM_FRAME_SKIP, n };
}

struct mm_frame mm_h2_frame(struct mm_h2 *h2, enum mm_dir dir, struct mm_slice avail)
{
	struct mm_frame f = next_frame(h2, dir, avail);
	/* What is passed over until frames are found again may hold header blocks. */
	if (f.verdict == MM_FRAME_LOST && h2->conn != NULL)
		h2->conn->table_lost[dir] = true;
	return f;
}

static void conn_free(void *arg)
{
	struct mm_h2_conn *conn = arg;
	mm_hpack_free(conn->tables[MM_TO_SERVER]);
	mm_hpack_free(conn->tables[MM_TO_CLIENT]);
	free(conn);
}

static struct mm_h2_conn *conn_of(struct mm_dissect *d, struct mm_h2 *h2)
{
	if (h2->conn != NULL || (h2->conn = calloc(1, sizeof *h2->conn)) == NULL)
		return h2->conn;
	h2->conn->web = d->web;
	mm_web_own(d->web, &h2->conn->owned, conn_free, h2->conn);
	return h2->conn;
}

static struct mm_web_message *message_of(struct mm_web_live *l, enum mm_dir dir)
{
	return dir == MM_TO_SERVER ? &l->x.request : &l->x.response;
}

/* Hand a stream over: bodies that did not end are cut. */
static void finish(struct mm_dissect *d, struct mm_h2_conn *conn, struct mm_web_live *l)
{
	for (unsigned dir = 0; dir < 2; dir++)
		if (l->keep[dir])
			message_of(l, (enum mm_dir)dir)->flags |= MM_WEB_BODY_TRUNCATED;
	if (l->x.status == 0)
		mm_negotiate_end_one(d, &conn->negotiate, (uint32_t)l->x.number);
	mm_web_finish(d, l);
}

static void finish_all(struct mm_dissect *d, struct mm_h2_conn *conn)
{
	mm_negotiate_end(d, &conn->negotiate);
	while (conn->streams.oldest != NULL)
		finish(d, conn, conn->streams.oldest);
}

/* The oldest stream gives way to a new one, before the scratch memory that finishing it takes is in use. */
static void make_room(struct mm_dissect *d, struct mm_h2_conn *conn, uint32_t stream)
{
	if (conn->streams.n < STREAMS_MAX || mm_web_find(&conn->streams, stream) != NULL)
		return;
	mm_web_stats(d->web)->n_limit_streams++;
	finish(d, conn, conn->streams.oldest);
}

static struct mm_web_live *begin(struct mm_dissect *d, struct mm_h2_conn *conn, uint32_t stream)
{
	struct mm_web_live *l = mm_web_begin(d, &conn->streams, STREAMS_MAX);
	if (l == NULL)
		return NULL;
	l->order = stream;
	l->x.version = MM_WEB_HTTP_2;
	return l;
}

/* Pseudo-header fields come first (section 8.3). */
static bool is_pseudo(const struct mm_web_field *f)
{
	return mm_at(f->name, 0) == ':';
}

static struct mm_slice pseudo(const struct mm_hpack_block *b, const char *name)
{
	for (size_t i = 0; i < b->n && is_pseudo(&b->fields[i]); i++)
		if (mm_slice_eq(b->fields[i].name, mm_slice_str(name)))
			return b->fields[i].value;
	return mm_slice(NULL, 0);
}

static void add_fields(struct mm_dissect *d, struct mm_web_live *l, const struct mm_hpack_block *b)
{
	size_t first = 0;
	while (first < b->n && is_pseudo(&b->fields[first]))
		first++;
	mm_web_seen(d, l, d->dir);
	mm_web_add_fields(l, d->dir, b->fields + first, b->n - first);
	if (b->n_lost != 0 || b->cut)
		message_of(l, d->dir)->flags |= MM_WEB_FIELDS_CUT;
	mm_web_stats(d->web)->n_limit_headers += b->cut;
}

static size_t length_of(const struct mm_web_message *m)
{
	struct mm_slice value;
	size_t n = 0;
	if (!mm_web_header(m, "content-length", 0, &value) || value.len == 0)
		return SIZE_MAX;
	for (size_t i = 0; i < value.len; i++) {
		int b = mm_at(value, i);
		if (b < '0' || b > '9' || n > DATA_MAX)
			return SIZE_MAX;
		n = n * 10 + (unsigned)(b - '0');
	}
	return n;
}

static void request(struct mm_dissect *d, struct mm_h2_conn *conn, uint32_t stream, bool last,
        const struct mm_hpack_block *b)
{
	struct mm_web_live *l = mm_web_find(&conn->streams, stream);
	if (l != NULL && l->x.request.flags !=
	                         0) { /* trailers: no part of the fields, RFC 9110 section 6.5.1 */
		mm_web_seen(d, l, MM_TO_SERVER);
		l->keep[MM_TO_SERVER] = false;
		return;
	}
	/* Those of a stream that was answered and handed over already. */
	if (l == NULL && pseudo(b, ":method").len == 0 && pseudo(b, ":path").len == 0)
		return;
	if (l == NULL && (l = begin(d, conn, stream)) == NULL)
		return;
	add_fields(d, l, b);
	l->x.scheme = mm_web_copy(l, pseudo(b, ":scheme"));
	l->x.authority = mm_web_copy(l, pseudo(b, ":authority"));
	mm_web_set_request(d, l, pseudo(b, ":method"), pseudo(b, ":path"));
	mm_negotiate_request(d, &conn->negotiate, &l->x, (uint32_t)l->x.number, false);
	if (!last)
		(void)mm_web_wants_body(l, MM_TO_SERVER, length_of(&l->x.request));
	if (l->transient)
		finish(d, conn, l);
}

static unsigned status_of(const struct mm_hpack_block *b)
{
	struct mm_slice value = pseudo(b, ":status");
	unsigned status = 0;
	for (size_t i = 0; i < value.len && value.len == 3; i++) {
		int digit = mm_at(value, i);
		if (digit < '0' || digit > '9')
			return 0;
		status = status * 10 + (unsigned)(digit - '0');
	}
	return status;
}

static void response(struct mm_dissect *d, struct mm_h2_conn *conn, uint32_t stream, bool last,
        const struct mm_hpack_block *b)
{
	struct mm_web_live *l = mm_web_find(&conn->streams, stream);
	unsigned status = status_of(b);
	if (status != 0 && status < OK)
		return; /* an interim response: the final one follows */
	if (l != NULL && l->x.response.flags != 0) { /* the same */
		mm_web_seen(d, l, MM_TO_CLIENT);
		l->keep[MM_TO_CLIENT] = false;
		finish(d, conn, l);
		return;
	}
	if (l == NULL && status == 0)
		return; /* the same */
	if (l == NULL && (l = begin(d, conn, stream)) == NULL)
		return;
	add_fields(d, l, b);
	l->x.status = status;
	if (status != 0)
		mm_negotiate_response(d, &conn->negotiate, &l->x, (uint32_t)l->x.number);
	if (last || !mm_web_wants_body(l, MM_TO_CLIENT, length_of(&l->x.response)))
		finish(d, conn, l);
}

/* What padding and priority leave of a payload, sections 6.1 and 6.2. */
static struct mm_slice unpad(struct mm_cursor *c, const struct frame_head *h)
{
	struct mm_cursor payload = mm_cursor(mm_take(c, h->len));
	size_t pad = 0;
	if (h->type != CONTINUATION && (h->flags & PADDED) != 0)
		pad = mm_u8(&payload);
	if (h->type == HEADERS && (h->flags & HAS_PRIORITY) != 0)
		mm_skip(&payload, PRIORITY_LEN);
	if (h->type == PUSH_PROMISE)
		mm_skip(&payload, sizeof h->stream);
	return mm_first(mm_left(&payload), payload.len - (pad < payload.len ? pad : payload.len));
}

/* The fragments of a header block, put together. */
static struct mm_slice gather(struct mm_dissect *d, struct mm_slice msg)
{
	uint8_t *room = mm_web_room(d->web, 0);
	struct mm_cursor c = mm_cursor(msg);
	size_t n = 0;
	while (c.len != 0) {
		struct frame_head h = read_head(&c);
		struct mm_slice part = unpad(&c, &h);
		if (c.len == 0 && n == 0)
			return part;
		if (part.len > MM_WEB_BODY_MAX - n)
			break;
		memcpy(room + n, part.p, part.len);
		n += part.len;
	}
	return mm_slice(room, n);
}

static struct mm_hpack *table_of(struct mm_dissect *d, struct mm_h2_conn *conn)
{
	struct mm_hpack **table = &conn->tables[d->dir];
	if (conn->table_lost[d->dir]) {
		mm_hpack_free(*table);
		*table = NULL;
		conn->table_lost[d->dir] = false;
	}
	if (*table == NULL)
		*table = mm_hpack_new(mm_web_used(d->web), mm_web_max(d->web));
	return *table;
}

static void parse_block(struct mm_dissect *d, struct mm_h2_conn *conn, const struct frame_head *h,
        struct mm_slice msg)
{
	if (h->type == HEADERS)
		make_room(d, conn, h->stream);
	struct mm_hpack_block block = { .text = mm_web_room(d->web, 1) };
	struct mm_hpack *table = table_of(d, conn);
	struct mm_slice text = gather(d, msg);
	bool good = table != NULL && mm_hpack_read(table, text, &block);
	bool last = (h->flags & END_STREAM) != 0;
	mm_web_stats(d->web)->n_hpack_lost += !good || block.n_lost != 0;
	conn->table_lost[d->dir] = !good;
	if (!good)
		block.n_lost++; /* what was read before it broke is good */
	/* Nothing that was not asked for is followed. */
	if (h->type == HEADERS && d->dir == MM_TO_SERVER)
		request(d, conn, h->stream, last, &block);
	else if (h->type == HEADERS)
		response(d, conn, h->stream, last, &block);
	explicit_bzero(block.text, block.text_b);
	if (text.p == mm_web_room(d->web, 0))
		explicit_bzero(mm_web_room(d->web, 0), text.len);
}

static void parse_data(struct mm_dissect *d, struct mm_h2_conn *conn, const struct frame_head *h,
        struct mm_cursor *c)
{
	struct mm_web_live *l = mm_web_find(&conn->streams, h->stream);
	if (l == NULL || !l->keep[d->dir])
		return;
	mm_web_seen(d, l, d->dir);
	if (c->len < h->len) { /* a frame longer than any body kept */
		conn->skip[d->dir] = h->len - c->len;
		mm_web_cut_body(l, d->dir);
	} else {
		(void)mm_web_add_body(l, d->dir, unpad(c, h));
	}
	bool whole = (h->flags & END_STREAM) != 0, cut = !l->keep[d->dir];
	if (whole)
		l->keep[d->dir] = false;
	if ((whole || cut) && d->dir == MM_TO_CLIENT)
		finish(d, conn, l);
}

void mm_h2_parse(struct mm_dissect *d, struct mm_h2 *h2, struct mm_slice msg)
{
	struct mm_h2_conn *conn = conn_of(d, h2);
	if (conn == NULL)
		return;
	h2->seen[d->dir] = true;
	conn->negotiate.answers |= d->dir == MM_TO_CLIENT;
	struct mm_cursor c = mm_cursor(msg);
	struct frame_head h = read_head(&c);
	struct mm_web_live *l;
	switch (h.type) {
	case HEADERS:
	case PUSH_PROMISE:
		parse_block(d, conn, &h, msg);
		break;
	case DATA:
		parse_data(d, conn, &h, &c);
		break;
	case RST_STREAM:
		if ((l = mm_web_find(&conn->streams, h.stream)) != NULL)
			finish(d, conn, l);
		break;
	default:
		break;
	}
}

void mm_h2_gap(struct mm_dissect *d, struct mm_h2 *h2)
{
	h2->seen[d->dir] = true;
	if (h2->conn == NULL)
		return;
	h2->conn->table_lost[d->dir] = true;
	h2->conn->skip[d->dir] = 0;
	finish_all(d, h2->conn);
}

void mm_h2_end(struct mm_dissect *d, struct mm_h2 *h2)
{
	mm_web_stats(d->web)->n_limit_headers += h2->n_too_long;
	h2->n_too_long = 0;
	if (h2->conn == NULL)
		return;
	finish_all(d, h2->conn);
	mm_web_disown(d->web, &h2->conn->owned);
	conn_free(h2->conn);
	h2->conn = NULL;
}

void mm_h2_upgrade(struct mm_dissect *d, struct mm_h2 *h2, struct mm_web_live *l)
{
	struct mm_h2_conn *conn = conn_of(d, h2);
	if (conn == NULL)
		return;
	l->order = 1;
	mm_web_move(l, &conn->streams);
}

static struct mm_frame http2_frame(void *state, enum mm_dir dir, struct mm_slice avail)
{
	return mm_h2_frame(state, dir, avail);
}

static size_t http2_resync(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	return mm_h2_resync(dir, avail);
}

static void http2_parse(struct mm_dissect *d, struct mm_slice msg)
{
	mm_h2_parse(d, d->state, msg);
}

static void http2_gap(struct mm_dissect *d)
{
	mm_h2_gap(d, d->state);
}

static void http2_end(struct mm_dissect *d)
{
	mm_h2_end(d, d->state);
}

static const uint16_t tcp_ports[] = { 2379, 0 }; /* etcd: gRPC, whose metadata bear tokens */

const struct mm_dissector mm_http2 = {
	.name = "http2",
	.spec = "RFC 9113, RFC 7541",
	.help = "HTTP/2 in the clear or inside TLS: the same as in HTTP/1; its events are those of "
	        "http",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = tcp_ports,
	.state_size = sizeof(struct mm_h2),
	.message_max = MM_H2_MESSAGE_MAX,
	.probe = http2_probe,
	.frame = http2_frame,
	.resync = http2_resync,
	.parse = http2_parse,
	.gap = http2_gap,
	.end = http2_end,
};
