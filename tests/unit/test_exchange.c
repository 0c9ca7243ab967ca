/* http.c, reader.c and exchange.c: what of HTTP/1 is handed over as exchanges, and each limit on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>
#include <zlib.h>

#include "fake_gss.h"
#include "fake_web.h"
#include "guard.h"

extern const struct mm_dissector mm_http;

#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define JSON "Content-Type: application/json\r\n"
#define GET  "GET /a?b=c HTTP/1.1\r\nHost: a.example\r\n\r\n"
#define POST "POST /login HTTP/1.1\r\nHost: a.example:8080\r\n" FORM

static struct mm_dissect start(void)
{
	return web_start(&mm_http, 8 << 20);
}

/* One packet. */
static void say(struct mm_dissect *d, enum mm_dir dir, struct mm_slice s)
{
	d->first.number = ++d->last.number;
	assert_int_equal(fake_stream(d, dir, s), s.len);
	assert_int_equal(fake.n_lost, 0);
}

static void client(struct mm_dissect *d, const char *text)
{
	say(d, MM_TO_SERVER, mm_slice_str(text));
}

static void server(struct mm_dissect *d, const char *text)
{
	say(d, MM_TO_CLIENT, mm_slice_str(text));
}

static void test_plain(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	client(&d, POST "Content-Length: 7\r\n\r\n");
	client(&d, "a=b&c=d");
	server(&d, "HTTP/1.1 100 Continue\r\n\r\n");
	server(&d, "HTTP/1.0 200 OK\r\n" JSON "Content-Length: 2\r\nSet-Cookie: x=1, y\r\n"
	           "Set-Cookie: z=2\r\n\r\n");
	assert_int_equal(web.n, 0);
	server(&d, "[]");
	assert_int_equal(web.n, 1);
	const struct fake_exchange *x = &web.kept[0];
	assert_int_equal(x->version, 11);
	assert_string_equal(x->method, "POST");
	assert_string_equal(x->host, "a.example");
	assert_string_equal(x->path, "/login");
	assert_string_equal(x->query, "");
	assert_string_equal(x->request_body, "a=b&c=d");
	assert_string_equal(x->response_body, "[]");
	assert_string_equal(x->response_fields, "Content-Type: application/json|Content-Length: "
	                                        "2|Set-Cookie: x=1, y|Set-Cookie: z=2|");
	assert_int_equal(x->status, 200);
	assert_int_equal(x->request_first, 1);
	assert_int_equal(x->request_last, 2);
	assert_int_equal(x->response_first, 4);
	assert_int_equal(x->response_last, 5);
	client(&d, "GET http://u:p@ss@b.example/p;s=1?q HTTP/1.0\r\nHost: another.example\r\n\r\n");
	server(&d, "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n");
	assert_int_equal(web.n, 2);
	assert_string_equal(web.kept[1].host, "b.example");
	assert_string_equal(web.kept[1].path, "/p;s=1");
	assert_string_equal(web.kept[1].query, "q");
	assert_int_equal(web.kept[1].version, 10);
	assert_int_equal(web.kept[1].number, 1);
	web_finish(&d);
	assert_int_equal(web.n, 2);
}

#define CHUNKS "3;x=y\r\na=b\r\n04\r\n&c=d\r\n0\r\nTrailer: 1\r\n\r\n"

static void test_chunked(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	client(&d, POST "Transfer-Encoding: chunked\r\n\r\n" CHUNKS);
	server(&d, "HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n" CHUNKS);
	assert_int_equal(web.n, 1);
	assert_string_equal(web.kept[0].request_body, "a=b&c=d");
	assert_string_equal(web.kept[0].response_body, "a=b&c=d");
	assert_int_equal(web.kept[0].response_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT);
	/* 50,000 chunks of one octet, and then one too long to be kept. */
	client(&d, GET);
	server(&d, "HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n");
	for (unsigned i = 0; i < 50000; i++)
		server(&d, "1\r\nx\r\n");
	assert_int_equal(web.n, 1);
	server(&d, "7fffffff\r\n");
	assert_int_equal(web.n, 2);
	assert_int_equal(web.kept[1].response_body_b, 50000);
	assert_int_equal(
	        web.kept[1].response_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT | MM_WEB_BODY_TRUNCATED);
	assert_int_equal(web.counts.n_limit_body, 1);
	web_finish(&d);
	/* No chunk: what was read stands. */
	d = start();
	client(&d, GET);
	server(&d, "HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n");
	struct mm_slice junk = mm_slice_str("zz\r\nHTTP/1.1 204 x\r\n\r\n");
	assert_int_equal(fake_stream(&d, MM_TO_CLIENT, junk), junk.len);
	assert_int_equal(web.n, 2);
	assert_string_equal(web.kept[0].response_body, "[]");
	assert_true(web.kept[0].response_flags & MM_WEB_BODY_TRUNCATED);
	web_finish(&d);
}

static void test_until_close(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	client(&d, GET);
	server(&d, "HTTP/1.0 200 OK\r\n" JSON "\r\n{\"a\"");
	server(&d, ":1}");
	assert_int_equal(web.n, 0);
	web_finish(&d);
	assert_int_equal(web.n, 1);
	assert_string_equal(web.kept[0].response_body, "{\"a\":1}");
	assert_int_equal(web.kept[0].response_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT);
	/* Cut by the end. */
	d = start();
	client(&d, GET);
	server(&d, "HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n");
	web_finish(&d);
	assert_int_equal(
	        web.kept[0].response_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT | MM_WEB_BODY_TRUNCATED);
	assert_string_equal(web.kept[0].response_body, "{}");
}

/* Which bodies are kept. */
static void test_interest(void **unused)
{
	(void)unused;
	static const struct {
		const char *request, *type, *body;
	} cases[] = {
		{ GET, "application/json", "123" },
		{ GET, "application/problem+json; charset=utf-8", "123" },
		{ GET, "application/jwt", "123" },
		{ GET, "text/xml", "123" },
		{ GET, "application/soap+xml", "123" },
		{ GET, "application/kerberos", "123" },
		{ GET, "image/svg+xml", "" },
		{ GET, "text/html", "" },
		{ GET, "application/octet-stream", "" },
		{ "GET /authorize?response_type=code HTTP/1.1\r\n\r\n", "text/html", "123" },
		{ POST "Content-Length: 3\r\n\r\na=b", "text/html; charset=x", "123" },
		{ "POST /x HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc",
		        "text/html", "" },
		{ "POST /KdcProxy HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "text/plain", "123" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mm_dissect d = start();
		char answer[256];
		client(&d, cases[i].request);
		snprintf(answer, sizeof answer,
		        "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 3\r\n\r\n123",
		        cases[i].type);
		server(&d, answer);
		assert_int_equal(web.n, 1);
		assert_string_equal(web.kept[0].response_body, cases[i].body);
		web_finish(&d);
	}
}

static void test_coded(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	static uint8_t zeroes[1 << 20], packed[4096], text[8192];
	uLongf n = sizeof packed;
	client(&d, GET);
	assert_int_equal(compress(packed, &n, zeroes, sizeof zeroes), Z_OK);
	int len = snprintf((char *)text, sizeof text,
	        "HTTP/1.1 200 OK\r\n" JSON
	        "Content-Encoding: deflate\r\nContent-Length: %lu\r\n\r\n",
	        n);
	memcpy(text + len, packed, n);
	say(&d, MM_TO_CLIENT, mm_slice(text, (size_t)len + n));
	assert_int_equal(
	        web.kept[0].response_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT | MM_WEB_BODY_OPAQUE);
	assert_int_equal(web.kept[0].response_body_b, 0);
	assert_int_equal(web.counts.n_coding_bombs, 1);
	client(&d, GET);
	server(&d, "HTTP/1.1 200 OK\r\n" JSON
	           "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello");
	assert_int_equal(web.counts.n_coding_broken, 1);
	/* Nothing of a body is left where it was decoded. */
	static const char secret[] = "{\"password\":\"S3CRET\"}";
	n = sizeof packed;
	assert_int_equal(compress(packed, &n, (const Bytef *)secret, sizeof secret - 1), Z_OK);
	len = snprintf((char *)text, sizeof text,
	        "HTTP/1.1 200 OK\r\n" JSON
	        "Content-Encoding: deflate\r\nContent-Length: %lu\r\n\r\n",
	        n);
	memcpy(text + len, packed, n);
	client(&d, GET);
	say(&d, MM_TO_CLIENT, mm_slice(text, (size_t)len + n));
	assert_string_equal(web.kept[2].response_body, secret);
	assert_null(memmem(mm_web_room(d.web, 1), 2 * MM_WEB_BODY_MAX, "S3CRET", 6));
	client(&d, GET);
	server(&d, "HTTP/1.1 200 OK\r\n" JSON
	           "Content-Encoding: exi\r\nContent-Length: 5\r\n\r\nhello");
	assert_int_equal(web.counts.n_coding_unknown, 1);
	assert_int_equal(web.kept[3].response_flags, MM_WEB_SEEN | MM_WEB_BODY_OPAQUE);
	web_finish(&d);
}

static const char *became;

static void become(struct mm_dissect *d, const char *name)
{
	(void)d;
	became = name != NULL ? name : "whoever knows it";
}

/* What goes through a tunnel others read; what a WebSocket says, nobody. */
static void test_tunnel(void **unused)
{
	(void)unused;
	static const struct mm_inner_ops ops = { .become = become };
	static const struct {
		const char *request, *answer;
		bool quit, becomes;
	} cases[] = {
		{ "CONNECT a.example:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", true, true },
		{ "CONNECT a.example:443 HTTP/1.1\r\n\r\n",
		        "HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n", false, false },
		{ GET, "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n", true, false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mm_dissect d = start();
		d.inner = &ops;
		became = NULL;
		client(&d, cases[i].request);
		server(&d, cases[i].answer);
		assert_int_equal(web.n, 1);
		assert_int_equal(became != NULL, cases[i].becomes);
		struct mm_frame f = mm_http.frame(d.state, MM_TO_SERVER, mm_slice_str("GET / "));
		assert_int_equal(f.verdict == MM_FRAME_QUIT, cases[i].quit);
		web_finish(&d);
	}
}

/* The answer comes before all of the request has. */
static void test_early_answer(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	client(&d, POST "Transfer-Encoding: chunked\r\n\r\n3\r\na=b\r\n");
	server(&d, "HTTP/1.1 413 x\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(web.n, 1);
	assert_string_equal(web.kept[0].request_body, "a=b");
	assert_int_equal(
	        web.kept[0].request_flags, MM_WEB_SEEN | MM_WEB_BODY_KEPT | MM_WEB_BODY_TRUNCATED);
	client(&d, "4\r\n&c=d\r\n0\r\n\r\n" GET);
	server(&d, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(web.n, 2);
	assert_string_equal(web.kept[1].path, "/a");
	web_finish(&d);
}

static void test_gap(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	client(&d, GET);
	server(&d, "HTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n");
	d.dir = MM_TO_CLIENT;
	mm_http.gap(&d);
	assert_int_equal(web.n, 1);
	assert_int_equal(web.kept[0].status, 200);
	assert_true(web.kept[0].response_flags & MM_WEB_BODY_TRUNCATED);
	d.lossy = true;
	client(&d, GET);
	client(&d, GET);
	server(&d, "HTTP/1.1 204 x\r\n\r\n");
	assert_int_equal(web.n, 3);
	assert_int_equal(web.kept[1].status, 0);
	assert_int_equal(web.kept[2].status, 204);
	assert_int_equal(web.kept[2].request_flags, MM_WEB_SEEN | MM_WEB_LOSSY);
	web_finish(&d);
	assert_int_equal(web.n, 3);
}

/* An answer alone: the sensor sees one direction. */
static void test_unasked(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	server(&d, "HTTP/1.1 200 OK\r\n" JSON "Content-Length: 2\r\n\r\n[]");
	assert_int_equal(web.n, 1);
	assert_int_equal(web.kept[0].request_flags, 0);
	assert_string_equal(web.kept[0].response_body, "[]");
	web_finish(&d);
}

static void test_pipeline_limit(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	for (unsigned i = 0; i < 100; i++)
		client(&d, GET);
	assert_int_equal(web.n, 100 - 64);
	assert_int_equal(web.counts.n_limit_requests, 100 - 64);
	for (unsigned i = 0; i < 100; i++)
		server(&d, "HTTP/1.1 204 x\r\n\r\n");
	/* Those that did not wait have their answers handed over alone. */
	assert_int_equal(web.n, 100 + 36);
	web_finish(&d);
}

static void test_memory_limits(void **unused)
{
	(void)unused;
	static char body[200001];
	struct mm_dissect d = start();
	memset(body, 'x', sizeof body - 1);
	for (unsigned i = 0; i < 8; i++) {
		client(&d, POST "Content-Length: 200000\r\n\r\n");
		client(&d, body);
	}
	assert_true(*mm_web_used(d.web) <= MM_WEB_CONN_MAX + 8192);
	assert_true(web.counts.n_limit_body > 0);
	web_finish(&d);
	/* What libhtp keeps of a message whose body is to come counts as well. */
	d = start();
	memset(body, 'x', sizeof body - 1);
	memcpy(body, POST "Content-Length: 9\r\nX: ", strlen(POST "Content-Length: 9\r\nX: "));
	memcpy(body + 60000, "\r\n\r\n", 5);
	client(&d, body);
	assert_true(*mm_web_used(d.web) >= 3 * 60000);
	client(&d, "x=yyyyyyy");
	assert_true(*mm_web_used(d.web) < 2 * 60000);
	web_finish(&d);
	memset(body, 'x', sizeof body - 1);
	/* A worker without room: each is handed over as it is read. */
	d = web_start(&mm_http, 1);
	client(&d, GET);
	assert_int_equal(web.n, 0); /* nothing is in use yet */
	client(&d, POST "Content-Length: 3\r\n\r\na=b" GET);
	assert_int_equal(web.n, 2);
	assert_int_equal(web.counts.n_limit_memory, 2);
	assert_string_equal(web.kept[0].path, "/login");
	assert_int_equal(web.kept[0].request_flags, MM_WEB_SEEN | MM_WEB_BODY_TRUNCATED);
	web_finish(&d);
}

/* Blocks that libhtp is not given, or that hold more fields than are kept; none takes long. */
static void test_headers(void **unused)
{
	(void)unused;
	enum { ROOM = 65000 };
	static char text[ROOM + 64];
	struct mm_dissect d = start();
	size_t n = (size_t)snprintf(
	        text, sizeof text, "GET /many HTTP/1.1\r\nAuthorization: Bearer x\r\n");
	while (n < ROOM - 8)
		n += (size_t)snprintf(text + n, sizeof text - n, "a:\n");
	snprintf(text + n, sizeof text - n, "\r\n");
	clock_t before = clock();
	for (unsigned i = 0; i < 50; i++)
		client(&d, text);
	assert_true(clock() - before < 2 * CLOCKS_PER_SEC);
	assert_int_equal(web.counts.n_limit_headers, 100); /* by lines and by fields */
	server(&d, "HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n");
	assert_string_equal(web.kept[0].path, "/many");
	assert_int_equal(web.kept[0].n_request_fields, MM_WEB_FIELDS_MAX);
	assert_true(web.kept[0].request_flags & MM_WEB_FIELDS_CUT);
	web_finish(&d);
	/* 10 MB, as the engine would show it. */
	d = start();
	memset(text, 'a', sizeof text);
	memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
	static char all[MM_WEB_HEADERS_MAX];
	memset(all, 'a', sizeof all);
	memcpy(all, text, sizeof text);
	assert_int_equal(mm_http.frame(d.state, MM_TO_SERVER, mm_slice(all, sizeof all)).verdict,
	        MM_FRAME_LOST);
	web_finish(&d);
	assert_int_equal(web.counts.n_limit_headers, 1);
}

static void test_forwarded(void **unused)
{
	(void)unused;
	struct mm_net net;
	size_t n;
	struct mm_dissect d = start();
	mm_web_free(d.web);
	assert_true(mm_nets_parse("192.0.2.0/24", &net, 1, &n));
	const struct mm_web_config config = {
		.memory_max = 1 << 20, .proxies = &net, .n_proxies = 1, .stats = &web.counts
	};
	struct mm_flow_info flow = *d.flow;
	assert_true(mm_addr_parse("192.0.2.7", 9, &flow.client.addr));
	d.flow = &flow;
	d.web = mm_web_new(&config);
	client(&d, "GET / HTTP/1.1\r\nX-Forwarded-For: 198.51.100.1, 203.0.113.5\r\n\r\n" GET);
	server(&d, "HTTP/1.1 204 x\r\n\r\nHTTP/1.1 204 x\r\n\r\n");
	char text[MM_ADDR_TEXT];
	assert_true(web.kept[0].forwarded);
	assert_string_equal(mm_addr_text(&web.kept[0].client, text), "203.0.113.5");
	assert_false(web.kept[1].forwarded);
	assert_string_equal(mm_addr_text(&web.kept[1].client, text), "192.0.2.7");
	web_finish(&d);
}

/* Octet by octet, and at each split, the same exchanges come out. */
static const char requests[] =
        POST "Transfer-Encoding: chunked\r\n\r\n" CHUNKS GET POST "Content-Length: 3\r\n\r\na=b";
static const char answers[] =
        "HTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 OK\r\n" JSON "Transfer-Encoding: chunked\r\n\r\n" CHUNKS
        "HTTP/1.1 302 x\r\nLocation: /b\r\nContent-Length: 2\r\n\r\nxx"
        "HTTP/1.1 200 OK\r\n" JSON "\r\n{}";

static void assert_walked(void)
{
	assert_int_equal(web.n, 3);
	assert_string_equal(web.kept[0].request_body, "a=b&c=d");
	assert_string_equal(web.kept[0].response_body, "a=b&c=d");
	assert_int_equal(web.kept[1].status, 302);
	assert_string_equal(web.kept[2].request_body, "a=b");
	assert_string_equal(web.kept[2].response_body, "{}");
}

static void feed_cut(
        struct mm_dissect *d, enum mm_dir dir, const char *text, size_t len, size_t cut)
{
	size_t at = fake_stream(d, dir, mm_slice(text, cut));
	for (size_t end = cut + 1; end <= len; end++)
		at += fake_stream(d, dir, mm_slice(text + at, end - at));
	assert_int_equal(at, len);
	assert_int_equal(fake.n_lost, 0);
}

static void test_every_cut(void **unused)
{
	(void)unused;
	for (size_t cut = 1; cut < sizeof requests - 1; cut++) {
		struct mm_dissect d = start();
		/* A skip reaches beyond what is there: none of these bodies is passed over but the second's. */
		feed_cut(&d, MM_TO_SERVER, requests, sizeof requests - 1, cut);
		server(&d, answers);
		web_finish(&d);
		assert_walked();
	}
}

struct walk {
	enum mm_dir dir;
};

static void walk(void *arg, struct mm_slice input)
{
	const struct walk *w = arg;
	struct mm_dissect d = start();
	if (w->dir == MM_TO_CLIENT)
		(void)fake_stream(&d, MM_TO_SERVER, mm_slice_str(requests));
	(void)fake_stream(&d, w->dir, input);
	if (w->dir == MM_TO_SERVER && !fake.quit)
		(void)fake_stream(&d, MM_TO_CLIENT, mm_slice_str(answers));
	web_finish(&d);
}

/* A method may be called PRI: only all of the preface of HTTP/2 is one, however it is cut. */
static void test_no_preface(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	const char *text = "PRI * HTTP/1.1\r\nHost: a.example\r\n\r\n" GET;
	assert_int_equal(
	        mm_http.frame(d.state, MM_TO_SERVER, mm_slice(text, 9)).verdict, MM_FRAME_MORE);
	client(&d, text);
	server(&d, "HTTP/1.1 405 x\r\nContent-Length: 0\r\n\r\n"
	           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(web.n, 2);
	assert_string_equal(web.kept[1].path, "/a");
	assert_int_equal(web.kept[1].status, 200);
	web_finish(&d);
}

static void test_hostile(void **unused)
{
	(void)unused;
	struct walk w = { MM_TO_SERVER };
	const uint8_t *bytes = mm_slice_str(requests).p;
	guard_every_prefix(bytes, sizeof requests - 1, walk, &w);
	guard_every_bitflip(bytes, sizeof requests - 1, walk, &w);
	w.dir = MM_TO_CLIENT;
	bytes = mm_slice_str(answers).p;
	guard_every_prefix(bytes, sizeof answers - 1, walk, &w);
	guard_every_bitflip(bytes, sizeof answers - 1, walk, &w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_chunked),
		cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_interest),
		cmocka_unit_test(test_coded),
		cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_pipeline_limit),
		cmocka_unit_test(test_memory_limits),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_no_preface),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
