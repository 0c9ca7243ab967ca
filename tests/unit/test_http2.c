/* http2.c: streams as RFC 9113 has them, limits, connections joined midway, Negotiate, upgrades, hostile input. Header blocks are literals
 * without indexing (RFC 7541 section 6.2.2) but where the table matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_gss.h"
#include "fake_web.h"
#include "guard.h"

extern const struct mm_dissector mm_http, mm_http2;

enum {
	DATA = 0,
	HEADERS = 1,
	RST_STREAM = 3,
	SETTINGS = 4,
	PUSH_PROMISE = 5,
	CONTINUATION = 9,
	END_STREAM = 1,
	END_HEADERS = 4,
	PADDED = 8,
	HAS_PRIORITY = 0x20,
	BUILD_ROOM = 1 << 20,
};

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define FORM    "content-type: application/x-www-form-urlencoded\n"
#define JSON    "content-type: application/json\n"
#define POST    ":method: POST\n:scheme: https\n:authority: login.example:8443\n:path: /token?a=b\n"
#define GET     ":method: GET\n:scheme: https\n:authority: a.example\n:path: /x\n"
#define OK      ":status: 200\n"

static struct {
	uint8_t b[BUILD_ROOM];
	size_t len;
} out;

static void put(const void *p, size_t n)
{
	assert_true(n <= sizeof out.b - out.len);
	memcpy(out.b + out.len, p, n);
	out.len += n;
}

static void put_be(size_t n, uint64_t v)
{
	for (size_t i = n; i > 0; i--)
		put(&(uint8_t){ (uint8_t)(v >> 8 * (i - 1)) }, 1);
}

static void head(size_t len, unsigned type, unsigned flags, uint32_t stream)
{
	put_be(3, len);
	put_be(1, type);
	put_be(1, flags);
	put_be(4, stream);
}

static void frame(unsigned type, unsigned flags, uint32_t stream, const void *payload, size_t len)
{
	head(len, type, flags, stream);
	put(payload, len);
}

/* "name: value\n..." as literals; how many octets. */
static size_t block(const char *fields, uint8_t *to)
{
	size_t n = 0;
	while (*fields != '\0') {
		size_t name = strcspn(fields + 1, ":") + 1,
		       value = strcspn(fields + name + 2, "\n");
		assert_true(name < 127 && value < 127);
		to[n++] = 0;
		to[n++] = (uint8_t)name;
		memcpy(to + n, fields, name);
		n += name;
		to[n++] = (uint8_t)value;
		memcpy(to + n, fields + name + 2, value);
		n += value;
		fields += name + 2 + value + 1;
	}
	return n;
}

static void headers(unsigned flags, uint32_t stream, const char *fields)
{
	uint8_t b[4096];
	frame(HEADERS, flags | END_HEADERS, stream, b, block(fields, b));
}

static void data(unsigned flags, uint32_t stream, const char *text)
{
	frame(DATA, flags, stream, text, strlen(text));
}

/* Hand over what was built, as one packet. */
static void send(struct mm_dissect *d, enum mm_dir dir)
{
	d->first.number = ++d->last.number;
	assert_int_equal(fake_stream(d, dir, mm_slice(out.b, out.len)), out.len);
	assert_int_equal(fake.n_lost, 0);
	out.len = 0;
}

static struct mm_dissect start_as(const struct mm_dissector *self)
{
	struct mm_dissect d = web_start(self, 4 << 20);
	out.len = 0;
	return d;
}

static struct mm_dissect start(void)
{
	struct mm_dissect d = start_as(&mm_http2);
	put(PREFACE, strlen(PREFACE));
	frame(SETTINGS, 0, 0, "\0\4\0\0\xff\xff", 6);
	send(&d, MM_TO_SERVER);
	frame(SETTINGS, 0, 0, "", 0);
	send(&d, MM_TO_CLIENT);
	return d;
}

static void test_exchange(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	headers(0, 1, POST FORM "user-agent: t/1\n");
	send(&d, MM_TO_SERVER);
	data(0, 1, "grant_type=");
	send(&d, MM_TO_SERVER);
	data(END_STREAM, 1, "password");
	send(&d, MM_TO_SERVER);
	headers(0, 1, ":status: 100\n");
	headers(0, 1, OK JSON);
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 0);
	data(0, 1, "{\"a\":");
	data(END_STREAM, 1, "1}");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 1);
	const struct fake_exchange *x = &web.kept[0];
	assert_int_equal(x->version, 20);
	assert_string_equal(x->method, "POST");
	assert_string_equal(x->authority, "login.example:8443");
	assert_string_equal(x->host, "login.example");
	assert_string_equal(x->path, "/token");
	assert_string_equal(x->query, "a=b");
	assert_string_equal(x->request_body, "grant_type=password");
	assert_string_equal(x->response_body, "{\"a\":1}");
	assert_int_equal(x->status, 200);
	assert_int_equal(x->request_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT);
	assert_int_equal(x->response_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT);
	assert_string_equal(x->request_fields,
	        "content-type: application/x-www-form-urlencoded|user-agent: t/1|");
	assert_int_equal(x->request_first, 3);
	assert_int_equal(x->request_last, 5);
	assert_int_equal(x->response_first, 6);
	assert_int_equal(x->response_last, 7);
	web_finish(&d);
}

/* Padding, priority, and a block in three frames: sections 6.1, 6.2 and 6.10. */
static void test_pieces(void **unused)
{
	(void)unused;
	uint8_t b[512], first[600] = { 3, 0, 0, 0, 0, 16 };
	struct mm_dissect d = start();
	size_t n = block(POST FORM, b);
	memcpy(first + 6, b, 10);
	frame(HEADERS, PADDED | HAS_PRIORITY, 1, first, 6 + 10 + 3);
	frame(CONTINUATION, 0, 1, b + 10, 20);
	frame(CONTINUATION, END_HEADERS, 1, b + 30, n - 30);
	frame(DATA, END_STREAM | PADDED, 1, "\2abc\0\0", 6);
	send(&d, MM_TO_SERVER);
	headers(END_STREAM, 1, ":status: 401\n");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 1);
	assert_string_equal(web.kept[0].path, "/token");
	assert_string_equal(web.kept[0].request_body, "abc");
	assert_int_equal(web.kept[0].status, 401);
	web_finish(&d);
}

static void test_interleaved(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	headers(0, 1, POST FORM);
	headers(0, 3, POST FORM);
	data(0, 3, "three");
	data(0, 1, "one");
	data(END_STREAM, 3, "=3");
	data(END_STREAM, 1, "=1");
	send(&d, MM_TO_SERVER);
	headers(0, 3, OK JSON);
	headers(0, 1, OK JSON);
	data(0, 1, "[1");
	data(END_STREAM, 3, "[3]");
	data(END_STREAM, 1, "]");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 2);
	assert_string_equal(web.kept[0].request_body, "three=3");
	assert_string_equal(web.kept[0].response_body, "[3]");
	assert_string_equal(web.kept[1].request_body, "one=1");
	assert_string_equal(web.kept[1].response_body, "[1]");
	assert_int_equal(web.kept[1].number, 0);
	web_finish(&d);
}

/* Trailers end a body; of a stream that was handed over they are nothing new. */
static void test_trailers(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	headers(0, 1, POST FORM);
	data(0, 1, "a=b");
	/* RFC 9110 section 6.5.1: who sends a field so has not shown it. */
	headers(END_STREAM, 1, "authorization: Bearer another's\n");
	headers(END_STREAM, 3, GET);
	send(&d, MM_TO_SERVER);
	headers(0, 1, OK JSON);
	data(0, 1, "[]");
	headers(END_STREAM, 1, "content-encoding: gzip\n");
	headers(0, 3, OK "content-type: application/grpc\n");
	data(0, 3, "bulk");
	headers(END_STREAM, 3, "grpc-status: 0\n");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 2);
	assert_string_equal(
	        web.kept[0].request_fields, "content-type: application/x-www-form-urlencoded|");
	assert_string_equal(web.kept[0].response_fields, "content-type: application/json|");
	assert_int_equal(web.kept[0].request_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT);
	assert_int_equal(web.kept[0].response_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT);
	assert_string_equal(web.kept[1].path, "/x");
	assert_string_equal(web.kept[1].response_body, "");
	assert_int_equal(fake.n_skipped, 24 + 15 + 9 + 13); /* preface, SETTINGS, gRPC's DATA */
	web_finish(&d);
}

static void test_reset_and_end(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	headers(0, 1, POST FORM);
	data(0, 1, "a=");
	headers(END_STREAM, 3, GET);
	frame(RST_STREAM, 0, 1, "\0\0\0\10", 4);
	send(&d, MM_TO_SERVER);
	assert_int_equal(web.n, 1);
	assert_int_equal(web.kept[0].status, 0);
	assert_int_equal(
	        web.kept[0].request_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT | MM_WEB_BODY_TRUNCATED);
	assert_string_equal(web.kept[0].request_body, "a=");
	headers(0, 3, OK JSON);
	data(0, 3, "{");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 1);
	web_finish(&d);
	assert_int_equal(web.n, 2);
	assert_int_equal(
	        web.kept[1].response_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT | MM_WEB_BODY_TRUNCATED);
	assert_string_equal(web.kept[1].response_body, "{");
}

/* {"a":1} by zlib. */
static void test_coding(void **unused)
{
	(void)unused;
	static const uint8_t packed[] = { 0x78, 0x9c, 0xab, 0x56, 0x4a, 0x54, 0xb2, 0x32, 0xac,
		0x05, 0x00, 0x08, 0x2a, 0x02, 0x09 };
	struct mm_dissect d = start();
	headers(END_STREAM, 1, GET);
	send(&d, MM_TO_SERVER);
	headers(0, 1, OK JSON "content-encoding: deflate\n");
	frame(DATA, END_STREAM, 1, packed, sizeof packed);
	send(&d, MM_TO_CLIENT);
	assert_string_equal(web.kept[0].response_body, "{\"a\":1}");
	web_finish(&d);
}

/* A body beyond the limit: by its length, in many frames, in one. */
static void test_large_bodies(void **unused)
{
	(void)unused;
	static char piece[16001];
	memset(piece, 'x', sizeof piece - 1);
	struct mm_dissect d = start();
	headers(END_STREAM, 1, GET);
	headers(END_STREAM, 3, GET);
	headers(END_STREAM, 5, GET);
	send(&d, MM_TO_SERVER);
	headers(0, 1, OK JSON "content-length: 300000\n");
	assert_int_equal(fake_stream(&d, MM_TO_CLIENT, mm_slice(out.b, out.len)), out.len);
	out.len = 0;
	assert_int_equal(web.n, 1);
	assert_int_equal(web.kept[0].response_flags, MM_WEB_SEEN | MM_WEB_BODY_TRUNCATED);
	headers(0, 3, OK JSON);
	for (unsigned i = 0; i < 17; i++)
		data(0, 3, piece);
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 2);
	assert_int_equal(web.kept[1].response_body_b, 256000);
	assert_int_equal(
	        web.kept[1].response_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT | MM_WEB_BODY_TRUNCATED);
	headers(0, 5, OK JSON);
	head(400000, DATA, END_STREAM, 5);
	out.len += 400000;
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 3);
	assert_int_equal(web.counts.n_limit_body, 3);
	web_finish(&d);
}

static void test_many_streams(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	size_t most = 0;
	for (uint32_t i = 0; i < 100000; i++) {
		headers(END_STREAM, 2 * i + 1, GET);
		send(&d, MM_TO_SERVER);
		most = *mm_web_used(d.web) > most ? *mm_web_used(d.web) : most;
	}
	assert_int_equal(web.n, 100000 - 256);
	assert_int_equal(web.counts.n_limit_streams, 100000 - 256);
	assert_true(most <= 256 * 4096 + 16384);
	/* The last is answered, the first is long gone. */
	headers(END_STREAM, 199999, ":status: 204\n");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 100000 - 255);
	web_finish(&d);
	assert_int_equal(web.n, 100000);
	assert_int_equal(web.counts.n_unanswered, 100000 - 1);
}

/* 10 MB in one block: refused, in one frame or in CONTINUATIONs; later ones are read as far as they stand alone. */
static void test_large_headers(void **unused)
{
	(void)unused;
	static const uint8_t zeroes[16384];
	struct mm_dissect d = start();
	uint8_t indexed[] = { 0xbe, 0x82 };
	head(10 << 20, HEADERS, END_HEADERS, 1);
	send(&d, MM_TO_SERVER);
	fake_reset();
	d.dir = MM_TO_SERVER;
	d.self->gap(&d); /* where the engine would be after its octets */
	head(0, HEADERS, 0, 3);
	for (unsigned i = 0; i < 70; i++)
		frame(CONTINUATION, 0, 3, zeroes, 1000);
	frame(CONTINUATION, END_HEADERS, 3, zeroes, 1000);
	headers(END_STREAM, 5, GET);
	send(&d, MM_TO_SERVER);
	frame(HEADERS, END_HEADERS | END_STREAM, 7, indexed, sizeof indexed);
	send(&d, MM_TO_SERVER);
	web_finish(&d);
	assert_int_equal(web.n, 2);
	assert_string_equal(web.kept[0].path, "/x");
	assert_string_equal(web.kept[1].method, "GET");
	assert_true(web.kept[1].request_flags & MM_WEB_FIELDS_CUT);
	assert_int_equal(web.counts.n_limit_headers, 2);
	assert_int_equal(web.counts.n_hpack_lost, 1);
	/* A flood of empty ones. */
	d = start();
	head(0, HEADERS, 0, 1);
	for (unsigned i = 0; i < 65; i++)
		head(0, CONTINUATION, 0, 1);
	send(&d, MM_TO_SERVER);
	web_finish(&d);
	assert_int_equal(web.counts.n_limit_headers, 1);
}

static void test_joined_midway(void **unused)
{
	(void)unused;
	struct mm_dissect d = start_as(&mm_http2);
	/* :method GET, :scheme https, :path /, an entry that is not known. */
	frame(HEADERS, END_HEADERS | END_STREAM, 99, "\x82\x87\x84\xc0", 4);
	send(&d, MM_TO_SERVER);
	frame(HEADERS, END_HEADERS, 99, "\x88\xc0", 2);
	frame(HEADERS, END_HEADERS | END_STREAM, 101, "\x8d", 1); /* :status 404 */
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 2);
	assert_string_equal(web.kept[0].method, "GET");
	assert_int_equal(web.kept[0].status, 200);
	assert_true(web.kept[0].request_flags & MM_WEB_FIELDS_CUT);
	assert_int_equal(web.counts.n_hpack_lost, 2);
	assert_string_equal(web.kept[1].method, ""); /* its request was not seen */
	assert_int_equal(web.kept[1].status, 404);
	web_finish(&d);
}

static void test_gap(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	frame(HEADERS, END_HEADERS | END_STREAM, 1, "\x82\x87\x84\x40\1a\1b", 8);
	send(&d, MM_TO_SERVER);
	d.dir = MM_TO_SERVER;
	mm_http2.gap(&d);
	assert_int_equal(web.n, 1); /* its answer may be among what was lost */
	assert_int_equal(web.kept[0].status, 0);
	frame(HEADERS, END_HEADERS | END_STREAM, 5, "\x82\x87\x84\xbe", 4);
	send(&d, MM_TO_SERVER);
	web_finish(&d);
	assert_int_equal(web.n, 2);
	assert_int_equal(web.kept[1].n_request_fields, 0);
	assert_int_equal(web.counts.n_hpack_lost, 1);
}

static void test_negotiate(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	headers(END_STREAM, 1, GET "authorization: Negotiate YW5z\n");
	headers(END_STREAM, 3, GET "authorization: Negotiate YW5z\n");
	send(&d, MM_TO_SERVER);
	assert_int_equal(fake_count(FAKE_REQUEST), 2);
	headers(END_STREAM, 3, ":status: 401\nwww-authenticate: Negotiate\n");
	headers(END_STREAM, 1, OK "www-authenticate: Negotiate Zm9v\n");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(fake.emitted[0]->outcome, MM_FAILURE);
	assert_int_equal(fake.emitted[1]->outcome, MM_SUCCESS);
	assert_string_equal(fake.emitted[1]->protocol, "http");
	/* Two legs on streams of their own. */
	headers(END_STREAM, 5, GET "authorization: Negotiate YW5z\n");
	send(&d, MM_TO_SERVER);
	headers(END_STREAM, 5, ":status: 401\nwww-authenticate: Negotiate YWJj\n");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(fake.n_emitted, 2);
	headers(END_STREAM, 7, GET "authorization: Negotiate YWJj\n");
	send(&d, MM_TO_SERVER);
	headers(END_STREAM, 7, OK);
	send(&d, MM_TO_CLIENT);
	assert_int_equal(fake.n_emitted, 3);
	assert_int_equal(fake.emitted[2]->outcome, MM_SUCCESS);
	web_finish(&d);
}

/* RFC 7540 section 3.2: the request becomes stream 1. */
static void test_h2c(void **unused)
{
	(void)unused;
	struct mm_dissect d = start_as(&mm_http);
	const char *ask =
	        "POST /a HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade, HTTP2-Settings\r\n"
	        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
	        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
	put(ask, strlen(ask));
	send(&d, MM_TO_SERVER);
	const char *yes =
	        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
	put(yes, strlen(yes));
	frame(SETTINGS, 0, 0, "", 0);
	headers(END_STREAM, 1, ":status: 201\nx: y\n");
	send(&d, MM_TO_CLIENT);
	put(PREFACE, strlen(PREFACE));
	headers(END_STREAM, 3, GET);
	send(&d, MM_TO_SERVER);
	headers(END_STREAM, 3, ":status: 204\n");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 2);
	assert_string_equal(web.kept[0].path, "/a");
	assert_string_equal(web.kept[0].request_body, "{}");
	assert_string_equal(web.kept[0].response_fields, "x: y|");
	assert_int_equal(web.kept[0].status, 201);
	assert_int_equal(web.kept[1].status, 204);
	web_finish(&d);
	/* With prior knowledge, on a port of HTTP/1. */
	d = start_as(&mm_http);
	put(PREFACE, strlen(PREFACE));
	headers(END_STREAM, 1, GET);
	for (size_t i = 1; i < strlen(PREFACE); i++) /* however it is cut */
		assert_int_equal(mm_http.frame(d.state, MM_TO_SERVER, mm_slice(out.b, i)).verdict,
		        MM_FRAME_MORE);
	send(&d, MM_TO_SERVER);
	headers(END_STREAM, 1, OK);
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 1);
	assert_int_equal(web.kept[0].status, 200);
	web_finish(&d);
}

/* The 101 is forgotten, however many fields it had. */
static void test_h2c_many_fields(void **unused)
{
	(void)unused;
	struct mm_dissect d = start_as(&mm_http);
	const char *ask = "GET /a HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\n\r\n";
	put(ask, strlen(ask));
	send(&d, MM_TO_SERVER);
	const char *yes = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n";
	put(yes, strlen(yes));
	for (unsigned i = 0; i < 2 * MM_WEB_FEW; i++)
		put("a: b\r\n", 6);
	put("\r\n", 2);
	headers(END_STREAM, 1, ":status: 201\nx: y\n");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 1);
	assert_string_equal(web.kept[0].response_fields, "x: y|");
	web_finish(&d);
}

/* The oldest stream gives way, and its body is decoded, while another's header block is at hand. */
static void test_give_way(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	/* printf '{"%s":1}' $(head -c 600 /dev/zero | tr '\0' a), as one stored block of RFC 1951 */
	uint8_t body[1024] = { 0x01, 600 & 0xff, 600 >> 8, ~600 & 0xff, (~600 >> 8) & 0xff };
	memset(body + 5, 'a', 600);
	headers(END_STREAM, 1, GET);
	send(&d, MM_TO_SERVER);
	headers(0, 1, OK JSON "content-encoding: deflate\n");
	frame(DATA, 0, 1, body, 605);
	send(&d, MM_TO_CLIENT);
	for (uint32_t i = 1; i <= 256; i++)
		headers(END_STREAM, 2 * i + 1, GET "authorization: Bearer 0123456789\n");
	send(&d, MM_TO_SERVER);
	assert_int_equal(web.n, 1);
	assert_int_equal(web.kept[0].response_body_b, 600);
	headers(END_STREAM, 513, ":status: 204\n");
	send(&d, MM_TO_CLIENT);
	assert_int_equal(web.n, 2);
	assert_string_equal(web.kept[1].host, "a.example");
	assert_string_equal(web.kept[1].request_fields, "authorization: Bearer 0123456789|");
	web_finish(&d);
}

/* What is no frame may hide a header block: entries that it added are not known, and those before it have moved. */
static void test_lost_sync(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	static const uint8_t adds_a[] = { 0x40, 1, 'a', 1, '1' }, newest[] = { 0x88, 0xbe };
	headers(END_STREAM, 1, GET);
	send(&d, MM_TO_SERVER);
	frame(HEADERS, END_HEADERS, 1, adds_a, sizeof adds_a);
	/* PING of a length that it has not, with a block that adds another entry in it. */
	head(5, 6, 0, 0);
	put("\x40\1b\1"
	    "2",
	        5);
	frame(SETTINGS, 0, 0, "", 0);
	frame(HEADERS, END_STREAM | END_HEADERS, 3, newest, sizeof newest);
	frame(SETTINGS, 0, 0, "", 0);
	d.first.number = ++d.last.number;
	assert_int_equal(fake_stream(&d, MM_TO_CLIENT, mm_slice(out.b, out.len)), out.len);
	assert_true(fake.n_lost != 0);
	out.len = 0;
	assert_true(web.n >= 1);
	const struct fake_exchange *x = &web.kept[web.n - 1];
	assert_string_equal(x->response_fields, "");
	assert_true(x->response_flags & MM_WEB_FIELDS_CUT);
	fake.n_lost = 0;
	web_finish(&d);
}

#define BYTES(literal) mm_slice(literal, sizeof(literal) - 1)

static void test_probe_resync(void **unused)
{
	(void)unused;
	assert_true(mm_http2.probe(BYTES(PREFACE "\0"), MM_TO_SERVER, MM_TCP));
	assert_true(mm_http2.probe(BYTES("PRI * HTTP/2.0"), MM_TO_SERVER, MM_TCP));
	assert_false(mm_http2.probe(BYTES("PRI * HTTP"), MM_TO_SERVER, MM_TCP));
	assert_false(mm_http2.probe(BYTES("GET / HTTP/1.1\r\n"), MM_TO_SERVER, MM_TCP));
	assert_false(mm_http2.probe(BYTES(PREFACE), MM_TO_SERVER, MM_UDP));
	assert_true(
	        mm_http2.probe(BYTES("\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64"), MM_TO_CLIENT, MM_TCP));
	assert_true(mm_http2.probe(BYTES("\0\0\0\4\0\0\0\0\0"), MM_TO_CLIENT, MM_TCP));
	assert_false(
	        mm_http2.probe(BYTES("\0\0\6\4\0\0\0\0\0\0\x63\0\0\0\x64"), MM_TO_CLIENT, MM_TCP));
	assert_false(mm_http2.probe(BYTES("\0\0\0\4\0\0\0\0\0xxxxxxxxxx"), MM_TO_CLIENT, MM_TCP));
	assert_false(mm_http2.probe(BYTES("HTTP/1.1 200 OK\r\n"), MM_TO_CLIENT, MM_TCP));
	/* The rest of a frame, then whole ones. */
	struct mm_slice s = BYTES("some rest\0\0\4\x8\0\0\0\0\1\0\0\1\0\0\0\1\1\5\0\0\0\3\x82");
	assert_int_equal(mm_http2.resync(NULL, MM_TO_SERVER, s), 9);
	assert_int_equal(mm_http2.resync(NULL, MM_TO_SERVER, BYTES("nothing of the kind")), 19);
	struct mm_dissect d = start();
	assert_int_equal(mm_http2.frame(d.state, MM_TO_SERVER, BYTES("\0\0\5\4\0\0\0\0\0")).verdict,
	        MM_FRAME_LOST);
	assert_int_equal(mm_http2.frame(d.state, MM_TO_SERVER, BYTES("\0\0\5\1\4\0\0\0\2")).verdict,
	        MM_FRAME_LOST);
	web_finish(&d);
}

struct sample {
	uint8_t to_server[512], to_client[512];
	size_t n_to_server, n_to_client;
};

static struct sample sample;

static void walk_one(struct mm_slice server, struct mm_slice client)
{
	struct mm_dissect d = start_as(&mm_http2);
	(void)fake_stream(&d, MM_TO_SERVER, server);
	fake.quit = false;
	(void)fake_stream(&d, MM_TO_CLIENT, client);
	web_finish(&d);
}

static void as_server(void *arg, struct mm_slice input)
{
	(void)arg;
	walk_one(input, mm_slice(sample.to_client, sample.n_to_client));
}

static void as_client(void *arg, struct mm_slice input)
{
	(void)arg;
	walk_one(mm_slice(sample.to_server, sample.n_to_server), input);
}

static void test_hostile(void **unused)
{
	(void)unused;
	uint8_t b[256];
	out.len = 0;
	put(PREFACE, strlen(PREFACE));
	headers(0, 1, POST FORM);
	data(END_STREAM, 1, "a=b");
	frame(HEADERS, END_HEADERS | END_STREAM, 3, "\x82\x87\x84\x40\1a\1b\xbe", 9);
	sample.n_to_server = out.len;
	memcpy(sample.to_server, out.b, out.len);
	out.len = 0;
	frame(SETTINGS, 0, 0, "", 0);
	size_t n = block(OK JSON, b);
	frame(HEADERS, 0, 1, b, 5);
	frame(CONTINUATION, END_HEADERS, 1, b + 5, n - 5);
	frame(DATA, PADDED, 1, "\1{\0", 3);
	headers(END_STREAM, 1, "x: y\n");
	frame(PUSH_PROMISE, END_HEADERS, 3, "\0\0\0\2\x82\x84", 6);
	frame(RST_STREAM, 0, 3, "\0\0\0\0", 4);
	sample.n_to_client = out.len;
	memcpy(sample.to_client, out.b, out.len);
	guard_every_prefix(sample.to_server, sample.n_to_server, as_server, NULL);
	guard_every_bitflip(sample.to_server, sample.n_to_server, as_server, NULL);
	guard_every_prefix(sample.to_client, sample.n_to_client, as_client, NULL);
	guard_every_bitflip(sample.to_client, sample.n_to_client, as_client, NULL);
}

/* A flow that nobody ended is the worker's to free. */
static void test_not_ended(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	headers(0, 1, POST FORM);
	data(0, 1, "a=");
	send(&d, MM_TO_SERVER);
	mm_web_free(d.web);
	free(d.state);
	fake_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_interleaved),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_reset_and_end),
		cmocka_unit_test(test_coding),
		cmocka_unit_test(test_large_bodies),
		cmocka_unit_test(test_many_streams),
		cmocka_unit_test(test_large_headers),
		cmocka_unit_test(test_joined_midway),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_negotiate),
		cmocka_unit_test(test_h2c),
		cmocka_unit_test(test_h2c_many_fields),
		cmocka_unit_test(test_give_way),
		cmocka_unit_test(test_lost_sync),
		cmocka_unit_test(test_probe_resync),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_not_ended),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
