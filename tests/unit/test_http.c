/* http.c: tokens and verdicts, where bodies end, pairing, and hostile input. Messages as RFC 9112 and RFC 4559
 * show them; the tokens are invented: "YW5z" is "ans", with the 0x6e that the fake takes for an AP-REQ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "dissect/exchange.h"
#include "fake_gss.h"
#include "guard.h"

extern const struct mm_dissector mm_http;

#define BYTES(literal)  mm_slice(literal, sizeof(literal) - 1)
#define CLIENT(d, text) say(d, MM_TO_SERVER, text)
#define SERVER(d, text) say(d, MM_TO_CLIENT, text)
#define AP_REQ          "YW5z" /* "ans" */
#define AP_REP          "Zm9v" /* "foo": 0x6f */
#define OTHER           "YWJj" /* "abc" */
#define NO_BODY         "Content-Length: 0\r\n\r\n"
#define GET(path)       "GET " path " HTTP/1.1\r\nHost: web.example\r\n\r\n"
#define GET_AP_REQ                                                                                 \
	"GET / HTTP/1.1\r\nHost: web.example\r\nAuthorization: Negotiate " AP_REQ "\r\n\r\n"

static void say(struct mm_dissect *d, enum mm_dir dir, const char *text)
{
	assert_int_equal(fake_stream(d, dir, mm_slice_str(text)), strlen(text));
	assert_int_equal(fake.n_lost, 0);
}

static const struct mm_attr_value *attr(const struct mm_event *ev, const char *name)
{
	for (size_t i = 0; i < ev->n_attrs; i++)
		if (strcmp(ev->attrs[i].attr->name, name) == 0)
			return &ev->attrs[i];
	return NULL;
}

static void assert_str(const struct mm_event *ev, const char *name, const char *want)
{
	const struct mm_attr_value *v = attr(ev, name);
	assert_non_null(v);
	assert_int_equal(v->str.len, strlen(want));
	assert_memory_equal(v->str.p, want, v->str.len);
}

static struct mm_web_stats counts;

static struct mm_dissect start(void)
{
	const struct mm_web_config config = { .memory_max = 1 << 20, .stats = &counts };
	fake_reset();
	struct mm_dissect d = fake_dissect(&mm_http);
	d.web = mm_web_new(&config);
	assert_non_null(d.web);
	return d;
}

static void finish(struct mm_dissect *d)
{
	fake_end(d);
	mm_web_free(d->web);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

/* A server may redirect, or give up on a large request, before it looks at the ticket. */
static void test_says_nothing(void **unused)
{
	(void)unused;
	static const char *const answers[] = { "HTTP/1.1 301 Moved\r\n" NO_BODY,
		"HTTP/1.1 400 Bad Request\r\n" NO_BODY, "HTTP/1.1 503 Unavailable\r\n" NO_BODY };
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		struct mm_dissect d = start();
		CLIENT(&d, "GET / HTTP/1.1\r\nAuthorization: Negotiate " AP_REQ "\r\n" NO_BODY);
		SERVER(&d, answers[i]);
		assert_int_equal(fake_nth(FAKE_RESPONSE, 0)->verdict, MM_VERDICT_UNKNOWN);
		finish(&d);
	}
}

static void test_accepted(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, "POST http://u:secret@web.example/wsman;sid=secret?token=secret HTTP/1.1\r\n"
	           "HOST: web.example:5985\r\nUser-Agent: Microsoft WinRM Client\r\n"
	           "authorization:negotiate  " AP_REQ " \r\n" NO_BODY);
	const struct fake_call *call = fake_nth(FAKE_REQUEST, 0);
	assert_non_null(call);
	assert_string_equal(call->action, "http-negotiate");
	assert_int_equal(call->len, 3);
	assert_memory_equal(call->token, "ans", 3);
	SERVER(&d, "HTTP/1.1 200 OK\r\nWWW-Authenticate: Negotiate " AP_REP "\r\n" NO_BODY);
	call = fake_nth(FAKE_RESPONSE, 0);
	assert_int_equal(call->verdict, MM_VERDICT_ACCEPTED);
	assert_int_equal(call->status.domain, MM_STATUS_HTTP);
	assert_int_equal(call->status.code, 200);
	assert_memory_equal(call->token, "foo", 3);
	assert_int_equal(fake.n_emitted, 1);
	const struct mm_event *ev = fake.emitted[0];
	assert_str(ev, "http.request.method", "POST");
	assert_str(ev, "url.path", "/wsman");
	assert_str(ev, "url.domain", "web.example");
	assert_str(ev, "user_agent.original", "Microsoft WinRM Client");
	assert_str(ev, "mintmark.http.scheme", "negotiate");
	assert_null(attr(ev, "mintmark.http.proxy"));
	assert_null(memmem(((const struct mm_event_room *)ev)->text,
	        ((const struct mm_event_room *)ev)->n_text, "secret", 6));
	finish(&d);
}

/* What status codes say of the ticket, RFC 9110 section 15 and RFC 4559 section 4. */
static void test_verdicts(void **unused)
{
	(void)unused;
	static const struct {
		const char *head;
		enum mm_verdict verdict;
		unsigned code;
	} cases[] = {
		{ "HTTP/1.1 403 Forbidden\r\n", MM_VERDICT_ACCEPTED, 403 },
		{ "HTTP/1.1 404\r\n", MM_VERDICT_ACCEPTED, 404 },
		{ "HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\n", MM_VERDICT_REFUSED, 0 },
		{ "HTTP/1.1 401 x\r\nWWW-Authenticate: Negotiate\r\n", MM_VERDICT_REFUSED, 401 },
		{ "HTTP/1.1 401 x\r\n", MM_VERDICT_REFUSED, 401 },
		{ "HTTP/1.1 401 x\r\nWWW-Authenticate: Negotiate !!\r\n", MM_VERDICT_REFUSED, 401 },
		{ "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=x, Negotiate " OTHER
		  ", NTLM\r\n",
		        MM_VERDICT_CONTINUE, 401 },
		{ "HTTP/1.1 401 x\r\nWWW-Authenticate: NTLM\r\nWWW-Authenticate: Negotiate " OTHER
		  "\r\n",
		        MM_VERDICT_CONTINUE, 401 },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 x\r\n", MM_VERDICT_REFUSED, 401 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mm_dissect d = start();
		CLIENT(&d, GET_AP_REQ);
		char response[160];
		snprintf(response, sizeof response, "%s%s", cases[i].head, NO_BODY);
		SERVER(&d, response);
		const struct fake_call *call = fake_nth(FAKE_RESPONSE, 0);
		if (cases[i].code == 0) { /* the proxy's refusal says nothing of the server */
			assert_null(call);
			assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
		} else {
			assert_int_equal(call->verdict, cases[i].verdict);
			assert_int_equal(call->status.code, cases[i].code);
		}
		finish(&d);
	}
}

static void test_proxy(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, "CONNECT web.example:443 HTTP/1.1\r\nHost: web.example:443\r\n"
	           "Proxy-Authorization: Kerberos " AP_REQ "\r\n\r\n");
	SERVER(&d,
	        "HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 3\r\n\r\nabc");
	assert_int_equal(fake_nth(FAKE_RESPONSE, 0)->verdict, MM_VERDICT_REFUSED);
	assert_int_equal(attr(fake.emitted[0], "mintmark.http.proxy")->number, 1);
	assert_str(fake.emitted[0], "mintmark.http.scheme", "Kerberos");
	assert_null(attr(fake.emitted[0], "url.path"));
	CLIENT(&d, "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"
	           "Proxy-Authorization: Negotiate " AP_REQ "\r\nAuthorization: Negotiate " AP_REQ
	           "\r\n\r\n");
	SERVER(&d, "HTTP/1.1 200 established\r\n\r\n");
	assert_int_equal(fake.n_emitted, 3);
	assert_str(fake.emitted[1], "url.domain", "[2001:db8::1]");
	assert_int_equal(fake.emitted[1]->outcome, MM_SUCCESS);
	assert_int_equal(fake.emitted[2]->outcome, MM_SUCCESS);
	fake_stream(&d, MM_TO_SERVER, BYTES("\x16\x03\x01"));
	assert_true(fake.quit);
	finish(&d);
}

/* The second leg goes on with what the first has shown; a request between them does not disturb. */
static void test_two_legs(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, GET_AP_REQ);
	SERVER(&d, "HTTP/1.1 401 x\r\nWWW-Authenticate: Negotiate " OTHER "\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 0);
	CLIENT(&d, GET("/favicon.ico"));
	SERVER(&d, "HTTP/1.1 404 x\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 0);
	CLIENT(&d, "GET / HTTP/1.1\r\nAuthorization: Negotiate " OTHER "\r\n\r\n");
	SERVER(&d, "HTTP/1.1 200 OK\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_SUCCESS);
	assert_int_equal(fake_nth(FAKE_REQUEST, 0)->p, fake_nth(FAKE_REQUEST, 1)->p);
	finish(&d);
}

static void test_pipelining(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, GET("/1") GET_AP_REQ GET("/3") GET_AP_REQ);
	SERVER(&d, "HTTP/1.1 401 x\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 0);
	SERVER(&d, "HTTP/1.1 200 x\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_SUCCESS);
	SERVER(&d, "HTTP/1.1 200 x\r\n" NO_BODY "HTTP/1.1 401 x\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(fake.emitted[1]->outcome, MM_FAILURE);
	/* More than are kept: the oldest are given up. */
	CLIENT(&d, GET_AP_REQ GET_AP_REQ GET_AP_REQ GET_AP_REQ GET_AP_REQ GET_AP_REQ);
	assert_int_equal(fake.n_emitted, 4);
	assert_int_equal(fake.emitted[3]->outcome, MM_UNKNOWN);
	SERVER(&d, "HTTP/1.1 401 x\r\n" NO_BODY "HTTP/1.1 401 x\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 4);
	SERVER(&d, "HTTP/1.1 401 x\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 5);
	finish(&d);
}

/* A response that holds another in its body, in each way of saying where a body ends. */
#define TRAP "HTTP/1.1 401 x\r\n\r\n" /* 18 octets */

static void test_bodies(void **unused)
{
	(void)unused;
	static const struct {
		const char *request, *response;
	} cases[] = {
		{ GET("/"), "HTTP/1.1 200 x\r\nContent-Length: 18\r\n\r\n" TRAP },
		{ GET("/"), "HTTP/1.1 200 x\r\nContent-Length: 18, 18\r\nContent-Length: "
		            "18\r\n\r\n" TRAP },
		{ GET("/"), "HTTP/1.1 200 x\nContent-Length:18\n\n" TRAP },
		{ GET("/"), "HTTP/1.1 200 x\r\nContent-Length: 3\r\nTransfer-Encoding: gzip, "
		            "Chunked\r\n\r\n"
		            "12;x=y\r\n" TRAP "\r\n012\r\n" TRAP "\r\n0\r\nX: y\r\n\r\n" },
		{ "HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 x\r\nContent-Length: 18\r\n\r\n" },
		{ GET("/"), "HTTP/1.1 204 x\r\nContent-Length: 18\r\n\r\n" },
		{ GET("/"), "HTTP/1.1 304 x\r\nContent-Length: 18\r\n\r\n" },
		{ GET("/"), "HTTP/1.1 103 x\r\nContent-Length: 18\r\n\r\nHTTP/1.1 204 x\r\n\r\n" },
		{ "POST / HTTP/1.1\r\nContent-Length: 36\r\n\r\nGET / HTTP/1.1\r\nAuthorization: "
		  "x\r\n\r\n",
		        "HTTP/1.1 200 x\r\n" NO_BODY },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n24\r\n"
		  "GET / HTTP/1.1\r\nAuthorization: x\r\n\r\n\r\n0\r\n\r\n",
		        "HTTP/1.1 200 x\r\n" NO_BODY },
		{ "\r\n\r\n" GET("/"), "\r\nHTTP/1.1 200 x\r\n" NO_BODY },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mm_dissect d = start();
		CLIENT(&d, cases[i].request);
		CLIENT(&d, GET_AP_REQ);
		SERVER(&d, cases[i].response);
		assert_int_equal(fake.n_emitted, 0);
		SERVER(&d, "HTTP/1.1 200 x\r\n" NO_BODY);
		assert_int_equal(fake.n_emitted, 1);
		assert_int_equal(fake.emitted[0]->outcome, MM_SUCCESS);
		finish(&d);
	}
}

/* Where the end cannot be told, all that follows in this direction is body. */
static void test_until_close(void **unused)
{
	(void)unused;
	static const char *const heads[] = {
		"HTTP/1.0 200 x\r\n\r\n",
		"HTTP/1.1 200 x\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 x\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 x\r\nContent-Length: 99999999999999999999\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
		struct mm_dissect d = start();
		CLIENT(&d, GET("/") GET_AP_REQ);
		SERVER(&d, heads[i]);
		struct mm_frame f = mm_http.frame(d.state, MM_TO_CLIENT, BYTES(TRAP));
		assert_int_equal(f.verdict, MM_FRAME_SKIP);
		assert_true(f.n == SIZE_MAX);
		SERVER(&d, TRAP);
		assert_int_equal(fake.n_emitted, 0);
		finish(&d);
	}
}

static void test_upgrade(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, GET_AP_REQ);
	SERVER(&d, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_SUCCESS);
	fake_stream(&d, MM_TO_CLIENT, BYTES("\x81\x05"));
	assert_true(fake.quit);
	finish(&d);
	d = start();
	fake_stream(&d, MM_TO_SERVER, BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	assert_false(fake.quit);
	assert_int_equal(mm_http.frame(d.state, MM_TO_SERVER, BYTES("\0\0\6\4\0\0\0\0\0")).n, 15);
	finish(&d);
	d = start();
	assert_int_equal(mm_http.frame(d.state, MM_TO_SERVER, BYTES("\x16")).n, 2);
	fake_stream(&d, MM_TO_SERVER, BYTES("\x16\x03\x01"));
	assert_true(fake.quit);
	finish(&d);
}

static void test_fields(void **unused)
{
	(void)unused;
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nAuthorization: Negotiate\r\n " AP_REQ "\r\n\r\n", /* obs-fold */
		"GET / HTTP/1.1\r\nAuthorization: Negotiate YW\r\n\t5z\r\n\r\n",
		"GET / HTTP/1.1\r\nAuthorization : Negotiate " AP_REQ "\r\n\r\n",
		"GET / HTTP/1.1\nX: y\nAuthorization: Negotiate " AP_REQ "\n\n",
		"GET / HTTP/1.1\r\n \r\nAuthorization: Negotiate " AP_REQ "\r\n\r\n",
		"GET / HTTP/1.1\r\nAuthorization: Basic eDp5\r\nAuthorization: Negotiate " AP_REQ
		"\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		struct mm_dissect d = start();
		CLIENT(&d, requests[i]);
		assert_int_equal(fake_count(FAKE_REQUEST), 1);
		assert_memory_equal(fake_nth(FAKE_REQUEST, 0)->token, "ans", 3);
		finish(&d);
	}
	static const char *const none[] = {
		"GET /?Authorization:+Negotiate+" AP_REQ " HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nX-Authorization: Negotiate " AP_REQ "\r\n\r\n",
		"GET / HTTP/1.1\r\nAuthorization: Negotiated " AP_REQ "\r\n\r\n",
		"GET / HTTP/1.1\r\nAuthorization: Negotiate\r\n\r\n",
		"GET / HTTP/1.1\r\nAuthorization: Negotiate Y!\r\n\r\n",
		"GET / HTTP/1.1\r\nAuthorization: Basic eDp5\r\n\r\n",
		"GET / HTTP/1.1\r\nWWW-Authenticate: Negotiate " AP_REQ "\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		struct mm_dissect d = start();
		CLIENT(&d, none[i]);
		assert_int_equal(fake.n_calls, 0);
		finish(&d);
	}
}

/* A token of the size of a large PAC, whole and of one octet too many. */
static void test_large(void **unused)
{
	(void)unused;
	enum { LIMIT = 65536 };
	static const char head[] = "GET / HTTP/1.1\r\nAuthorization: Negotiate ";
	static char text[2 * LIMIT];
	struct mm_dissect d = start();
	memcpy(text, head, sizeof head - 1);
	memset(text + sizeof head - 1, 'b', LIMIT); /* "bbbb" is 0x6d 0xb6 0xdb */
	size_t n = (LIMIT - (sizeof head - 1) - 4) / 4 * 4;
	memcpy(text + sizeof head - 1 + n, "\r\n\r\n", 5); /* and its NUL */
	CLIENT(&d, text);
	assert_int_equal(fake_nth(FAKE_REQUEST, 0)->len, n / 4 * 3);
	finish(&d);
	d = start();
	memset(text + sizeof head - 1, 'b', LIMIT);
	struct mm_frame f = mm_http.frame(d.state, MM_TO_SERVER, mm_slice(text, LIMIT - 1));
	assert_int_equal(f.verdict, MM_FRAME_MORE);
	f = mm_http.frame(d.state, MM_TO_SERVER, mm_slice(text, LIMIT));
	assert_int_equal(f.verdict, MM_FRAME_LOST);
	finish(&d);
}

static void test_gap(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, GET_AP_REQ);
	fake_stream(&d, MM_TO_CLIENT, BYTES("HTTP/1.1 20"));
	d.dir = MM_TO_CLIENT;
	mm_http.gap(&d);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
	d.lossy = true;
	CLIENT(&d, GET_AP_REQ);
	CLIENT(&d, GET("/")); /* so the answer to the first was lost */
	assert_int_equal(fake.n_emitted, 2);
	SERVER(&d, "HTTP/1.1 401 x\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(fake.emitted[1]->outcome, MM_UNKNOWN);
	assert_true(fake.emitted[1]->flags & MM_EVF_ONE_SIDED);
	/* In the middle of chunks. */
	fake_stream(
	        &d, MM_TO_CLIENT, BYTES("HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\nff"));
	mm_http.gap(&d);
	CLIENT(&d, GET_AP_REQ);
	SERVER(&d, "HTTP/1.1 401 x\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 3);
	assert_int_equal(fake.emitted[2]->outcome, MM_FAILURE);
	finish(&d);
}

/* The capture brings an answer before its request. */
static void test_out_of_order(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	d.time_ns = 100;
	SERVER(&d, "HTTP/1.1 200 x\r\n" NO_BODY);
	d.time_ns = 50;
	CLIENT(&d, GET_AP_REQ);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
	d.time_ns = 200;
	CLIENT(&d, GET_AP_REQ);
	SERVER(&d, "HTTP/1.1 401 x\r\n" NO_BODY);
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(fake.emitted[1]->outcome, MM_FAILURE);
	finish(&d);
}

static void test_not_http(void **unused)
{
	(void)unused;
	static const struct {
		enum mm_dir dir;
		const char *text;
	} bad[] = {
		{ MM_TO_SERVER, "get / HTTP/1.1\r\n\r\n" },
		{ MM_TO_SERVER, "GET /\r\n\r\n" },
		{ MM_TO_SERVER, "OPTIONS rtsp://x RTSP/1.0\r\n\r\n" },
		{ MM_TO_SERVER, "GET / HTTP/2.0\r\n\r\n" },
		{ MM_TO_SERVER, "GET  HTTP/1.1\r\n\r\n" },
		{ MM_TO_SERVER, " GET / HTTP/1.1\r\n\r\n" },
		{ MM_TO_SERVER, "AMETHODOFMORETHANTWENTYFOURLETTERS / HTTP/1.1\r\n\r\n" },
		{ MM_TO_SERVER, "HTTP/1.1 200 OK\r\n\r\n" },
		{ MM_TO_CLIENT, "HTTP/1.1 2000 OK\r\n\r\n" },
		{ MM_TO_CLIENT, "HTTP/1.1 20\r\n\r\n" },
		{ MM_TO_CLIENT, "HTTP/1.x 200\r\n\r\n" },
		{ MM_TO_CLIENT, "220 mail.example ESMTP\r\n\r\n" },
		{ MM_TO_CLIENT, "GET / HTTP/1.1\r\n\r\n" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct mm_dissect d = start();
		struct mm_slice text = mm_slice_str(bad[i].text);
		assert_int_equal(mm_http.frame(d.state, bad[i].dir, text).verdict, MM_FRAME_LOST);
		assert_false(mm_http.probe(text, bad[i].dir, MM_TCP));
		assert_int_equal(mm_http.resync(d.state, bad[i].dir, text), text.len);
		finish(&d);
	}
	static char line[5000];
	struct mm_dissect long_line = start();
	SERVER(&long_line, "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n");
	memset(line, 'a', sizeof line);
	struct mm_frame f = mm_http.frame(long_line.state, MM_TO_CLIENT, mm_slice(line, 4095));
	assert_int_equal(f.verdict, MM_FRAME_MORE);
	f = mm_http.frame(long_line.state, MM_TO_CLIENT, mm_slice(line, sizeof line));
	assert_int_equal(f.verdict, MM_FRAME_LOST);
	finish(&long_line);
	static const char *const chunks[] = { "x\r\n", "\r\n", "1000000000000000\r\n",
		"1\r\nab\r\n" };
	for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
		struct mm_dissect d = start();
		SERVER(&d, "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n");
		fake_stream(&d, MM_TO_CLIENT, mm_slice_str(chunks[i]));
		assert_int_not_equal(fake.n_lost, 0);
		finish(&d);
	}
}

static void test_probe_resync(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	assert_true(mm_http.probe(BYTES("GET /a"), MM_TO_SERVER, MM_TCP));
	assert_true(mm_http.probe(BYTES("BREW /pot HTTP/1.0\r\n"), MM_TO_SERVER, MM_TCP));
	assert_false(mm_http.probe(BYTES("BREW /pot"), MM_TO_SERVER, MM_TCP));
	assert_false(mm_http.probe(BYTES("GET "), MM_TO_SERVER, MM_TCP));
	assert_false(mm_http.probe(BYTES("GET / HTTP/1.1\r\n"), MM_TO_SERVER, MM_UDP));
	assert_true(mm_http.probe(BYTES("HTTP/1.1 302 Found\r\n"), MM_TO_CLIENT, MM_TCP));
	assert_int_equal(mm_http.resync(d.state, MM_TO_SERVER, BYTES("half\r\n\r\n" GET("/"))), 8);
	assert_int_equal(mm_http.resync(d.state, MM_TO_SERVER, BYTES(GET("/"))), 0);
	assert_int_equal(
	        mm_http.resync(d.state, MM_TO_CLIENT, BYTES("ff\r\nHTTP/1.1 200 x\r\n")), 4);
	finish(&d);
}

struct sample {
	enum mm_dir dir;
	const char *text;
};

static const struct sample samples[] = {
	{ MM_TO_SERVER, GET_AP_REQ },
	{ MM_TO_SERVER,
	        "POST http://a@b/c;d?e#f HTTP/1.1\r\nProxy-Authorization: Negotiate\r\n " AP_REQ
	        "\r\nContent-Length: 2, 2\r\nHost: u@[::1]:80\r\nUser-Agent: x\r\n\r\n" },
	{ MM_TO_CLIENT,
	        "HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm=\"a, b\", Negotiate " AP_REP
	        ", NTLM\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" },
	{ MM_TO_CLIENT, "HTTP/1.0 200\nContent-Length: 18446744073709551615\n\n" },
};

/* frame() wants more until the block is there, byte by byte. */
static void test_every_split(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		struct mm_dissect d = start();
		struct mm_frame f = { MM_FRAME_LOST, 0 };
		size_t len = strlen(samples[i].text);
		for (size_t n = 1; n <= len; n++) {
			f = mm_http.frame(d.state, samples[i].dir, mm_slice(samples[i].text, n));
			assert_int_equal(f.verdict, n < len ? MM_FRAME_MORE : MM_FRAME_DONE);
		}
		assert_int_equal(f.n, len);
		finish(&d);
	}
	/* All of a chunked response, as one and as bytes. */
	static const char text[] = "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"
	                           "3\r\nabc\r\n0\r\nX: y\r\n\r\n";
	struct mm_dissect d = start();
	size_t at = 0;
	d.dir = MM_TO_CLIENT;
	for (size_t n = 1; n < sizeof text; n++) {
		while (at < n) {
			struct mm_slice avail = mm_slice(text + at, n - at);
			struct mm_frame f = mm_http.frame(d.state, d.dir, avail);
			if (f.verdict == MM_FRAME_MORE)
				break;
			assert_true(f.verdict == MM_FRAME_DONE || f.verdict == MM_FRAME_SKIP);
			if (f.verdict == MM_FRAME_DONE)
				mm_http.parse(&d, mm_first(avail, f.n));
			at += f.n;
		}
	}
	assert_int_equal(at, sizeof text - 1);
	SERVER(&d, "HTTP/1.1 204 x\r\n\r\n"); /* in step */
	finish(&d);
}

static void feed(void *arg, struct mm_slice input)
{
	enum mm_dir dir = *(enum mm_dir *)arg;
	struct mm_dissect d = start();
	CLIENT(&d, GET_AP_REQ);
	d.dir = dir;
	mm_http.parse(&d, input);
	fake_stream(&d, dir, input);
	(void)mm_http.resync(d.state, dir, input);
	if (input.len != 0)
		(void)mm_http.probe(input, dir, MM_TCP);
	finish(&d);
	d = start();
	SERVER(&d, "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n");
	fake_stream(&d, MM_TO_CLIENT, input);
	finish(&d);
}

static void test_hostile(void **unused)
{
	(void)unused;
	static const char chunks[] = "a;x\r\n0123456789\r\nAb\r\n";
	enum mm_dir down = MM_TO_CLIENT;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		enum mm_dir dir = samples[i].dir;
		const uint8_t *p = (const uint8_t *)samples[i].text;
		guard_every_prefix(p, strlen(samples[i].text), feed, &dir);
		guard_every_bitflip(p, strlen(samples[i].text), feed, &dir);
	}
	guard_every_prefix((const uint8_t *)chunks, sizeof chunks - 1, feed, &down);
	guard_every_bitflip((const uint8_t *)chunks, sizeof chunks - 1, feed, &down);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_says_nothing),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_two_legs),
		cmocka_unit_test(test_pipelining),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_until_close),
		cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_not_http),
		cmocka_unit_test(test_probe_resync),
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
