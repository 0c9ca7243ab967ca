/* web.c, exchange.c and coding.c: fields, parameters, cookies, logins, forwarded clients; codings made by the tools of zlib,
 * brotli and zstd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zlib.h>

#include "dissect/coding.h"
#include "dissect/exchange.h"
#include "guard.h"

#define TEXT(s) mm_slice_str(s)

static uint8_t room[2 * MM_WEB_BODY_MAX];

static void assert_slice(struct mm_slice s, const char *want)
{
	assert_int_equal(s.len, strlen(want));
	if (s.len != 0)
		assert_memory_equal(s.p, want, s.len);
}

static struct mm_web_message message(struct mm_web_field *fields, size_t n)
{
	return (struct mm_web_message){ .fields = fields, .n_fields = n };
}

static void test_fields(void **unused)
{
	(void)unused;
	struct mm_web_field fields[] = { { TEXT("Set-Cookie"), TEXT("a=1") },
		{ TEXT("CONTENT-TYPE"), TEXT("application/Problem+JSON ; charset=x") },
		{ TEXT("set-cookie"), TEXT("b=2") } };
	struct mm_web_message m = message(fields, 3);
	struct mm_slice value;
	assert_true(mm_web_header(&m, "set-cookie", 1, &value));
	assert_slice(value, "b=2");
	assert_false(mm_web_header(&m, "set-cookie", 2, &value));
	assert_true(mm_web_is_json(&m));
	assert_true(mm_web_is_type(&m, "application/problem+json"));
	assert_false(mm_web_is_form(&m));
	fields[1].value = TEXT("application/soap+xml");
	assert_true(mm_web_is_xml(&m));
	fields[1].value = TEXT("image/svg+xml");
	assert_false(mm_web_is_xml(&m));
	assert_true(mm_web_scheme(TEXT("bearer  abc "), "Bearer", &value));
	assert_slice(value, "abc");
	assert_true(mm_web_scheme(TEXT("Bearer"), "Bearer", &value));
	assert_slice(value, "");
	assert_false(mm_web_scheme(TEXT("BearerX abc"), "Bearer", &value));
}

static void test_params(void **unused)
{
	(void)unused;
	struct mm_web_params it =
	        mm_web_params(TEXT("a=1&&b%3d=x+y%26z&c&=d&e=%zz&f=1%"), room, sizeof room);
	static const char *const want[][2] = { { "a", "1" }, { "b=", "x y&z" }, { "c", "" },
		{ "", "d" }, { "e", "" }, { "f", "1" } };
	struct mm_web_param p;
	for (size_t i = 0; i < 6; i++) {
		assert_true(mm_web_param_next(&it, &p));
		assert_slice(p.name, want[i][0]);
		assert_slice(p.value, want[i][1]);
		assert_int_equal(p.cut, i >= 4);
	}
	assert_false(mm_web_param_next(&it, &p));
	assert_true(mm_web_param_find(TEXT("x=1&code=a%2Fb&code=c"), "code", room, 3, &p));
	assert_slice(p.value, "a/b");
	assert_false(p.cut);
	assert_true(mm_web_param_find(TEXT("code=a%2Fb"), "code", room, 2, &p));
	assert_true(p.cut);
	assert_false(mm_web_param_find(TEXT("Code=a"), "code", room, 2, &p));
	char many[4 * MM_WEB_PARAMS_MAX] = "";
	for (size_t i = 0; i < sizeof many - 2; i += 2)
		memcpy(many + i, "a&", 3);
	it = mm_web_params(TEXT(many), room, sizeof room);
	size_t n = 0;
	while (mm_web_param_next(&it, &p))
		n++;
	assert_int_equal(n, MM_WEB_PARAMS_MAX);
}

static void test_uris(void **unused)
{
	(void)unused;
	static const struct {
		const char *text, *scheme, *authority, *path, *query, *fragment;
	} cases[] = {
		{ "https://a.example:8/cb?code=1#access_token=2", "https", "a.example:8", "/cb",
		        "code=1", "access_token=2" },
		{ "/a:b?x#y", "", "", "/a:b", "x", "y" },
		{ "com.example.app:/cb#t", "com.example.app", "", "/cb", "", "t" },
		{ "//h/p", "", "h", "/p", "", "" },
		{ "http://u:p@[2001:db8::1]:80", "http", "u:p@[2001:db8::1]:80", "", "", "" },
		{ "", "", "", "", "", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mm_web_uri u;
		mm_web_uri(TEXT(cases[i].text), &u);
		assert_slice(u.scheme, cases[i].scheme);
		assert_slice(u.authority, cases[i].authority);
		assert_slice(u.path, cases[i].path);
		assert_slice(u.query, cases[i].query);
		assert_slice(u.fragment, cases[i].fragment);
	}
	assert_slice(mm_web_host(TEXT("u:p@[2001:db8::1]:80")), "[2001:db8::1]");
	assert_slice(mm_web_host(TEXT("a.example:8")), "a.example");
}

static void test_cookies(void **unused)
{
	(void)unused;
	struct mm_web_field fields[] = { { TEXT("cookie"), TEXT("a=1; b=\"x=y\"; ;c") },
		{ TEXT("cookie"), TEXT("d=4") } };
	struct mm_web_message m = message(fields, 2);
	struct mm_web_cookies it = mm_web_cookies(&m);
	struct mm_slice name, value;
	static const char *const want[][2] = { { "a", "1" }, { "b", "x=y" }, { "c", "" },
		{ "d", "4" } };
	for (size_t i = 0; i < 4; i++) {
		assert_true(mm_web_cookie_next(&it, &name, &value));
		assert_slice(name, want[i][0]);
		assert_slice(value, want[i][1]);
	}
	assert_false(mm_web_cookie_next(&it, &name, &value));
	fields[0] = (struct mm_web_field){ TEXT("Set-Cookie"), TEXT("s=1; Path=/; HttpOnly") };
	m.n_fields = 1;
	it = mm_web_cookies(&m);
	assert_true(mm_web_cookie_next(&it, &name, &value));
	assert_slice(name, "s");
	assert_slice(value, "1");
	assert_false(mm_web_cookie_next(&it, &name, &value));
}

/* RFC 7617 section 2: "Aladdin:open sesame". The password is nowhere afterwards. */
static void test_basic(void **unused)
{
	(void)unused;
	struct mm_web_field fields[] = { { TEXT("Authorization"),
		TEXT("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") } };
	struct mm_web_exchange x = { .request = message(fields, 1) };
	struct mm_slice user;
	memset(room, 0, sizeof room);
	assert_true(mm_web_basic_user(&x, false, room, 64, &user));
	assert_slice(user, "Aladdin");
	assert_null(memmem(room, 64, "sesame", 6));
	assert_false(mm_web_basic_user(&x, true, room, 64, &user));
	fields[0].value = TEXT("Basic QWxhZGRpbg=="); /* no colon */
	assert_false(mm_web_basic_user(&x, false, room, 64, &user));
	fields[0].value = TEXT("Bearer QWxhZGRpbjpvcGVu");
	assert_false(mm_web_basic_user(&x, false, room, 64, &user));
}

static void test_login(void **unused)
{
	(void)unused;
	static const struct {
		const char *form, *user; /* NULL: no login */
	} cases[] = {
		{ "user=alice%40a.example&password=s%33cret", "alice@a.example" },
		{ "password=s%33cret&csrf=1&loginfmt=bob", "bob" },
		{ "user%5Blogin%5D=carol&user%5Bpassword%5D=s3cret", "carol" },
		{ "ctl00%24UserName=dan&ctl00%24Password=s3cret", "dan" },
		{ "j_username=eve&j_password=s3cret", "eve" },
		{ "Passwd=s3cret", "" },
		{ "user=alice&compass=north", NULL },
		{ "user=alice", NULL },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct mm_web_field fields[] = { { TEXT("content-type"),
			TEXT("application/x-www-form-urlencoded") } };
		struct mm_web_exchange x = { .request = message(fields, 1) };
		struct mm_slice user;
		x.request.body = TEXT(cases[i].form);
		memset(room, 0, 256);
		assert_int_equal(mm_web_login_user(&x, room, 256, &user), cases[i].user != NULL);
		if (cases[i].user != NULL)
			assert_slice(user, cases[i].user);
		assert_null(memmem(room, 256, "s3cret", 6));
	}
}

static void assert_client(const struct mm_web *w, const char *peer, const char *name,
        const char *value, const char *want)
{
	struct mm_web_field fields[] = { { TEXT(name), TEXT(value) } };
	struct mm_web_message m = message(fields, 1);
	struct mm_addr from, client = { 0 };
	char text[MM_ADDR_TEXT];
	assert_true(mm_addr_parse(peer, strlen(peer), &from));
	assert_int_equal(mm_web_forwarded(w, &from, &m, &client), want != NULL);
	if (want != NULL)
		assert_string_equal(mm_addr_text(&client, text), want);
}

/* RFC 7239 section 4 and 6; the right-most that is no proxy of ours. */
static void test_forwarded(void **unused)
{
	(void)unused;
	struct mm_net nets[8];
	struct mm_web_stats counts = { 0 };
	struct mm_web_config config = { .memory_max = 1, .proxies = nets, .stats = &counts };
	assert_true(
	        mm_nets_parse("10.0.0.0/9, 192.0.2.1\t2001:db8::/32,", nets, 8, &config.n_proxies));
	assert_int_equal(config.n_proxies, 3);
	struct mm_web *w = mm_web_new(&config);
	assert_client(w, "10.1.2.3", "X-Forwarded-For", "198.51.100.7", "198.51.100.7");
	assert_client(w, "10.1.2.3", "x-forwarded-for", "203.0.113.9, 198.51.100.7 , 10.2.0.1",
	        "198.51.100.7");
	assert_client(
	        w, "10.1.2.3", "x-forwarded-for", "203.0.113.9:4711, 192.0.2.1", "203.0.113.9");
	assert_client(w, "2001:db8::5", "forwarded",
	        "for=203.0.113.9, for=\"[2001:dc8::17]:47\";proto=https;by=10.0.0.1",
	        "2001:dc8::17");
	assert_client(w, "10.1.2.3", "forwarded", "proto=http;For=198.51.100.7", "198.51.100.7");
	assert_client(w, "10.1.2.3", "forwarded", "for=203.0.113.9, for=_hidden", NULL);
	assert_client(w, "10.1.2.3", "x-forwarded-for", "10.0.0.1", NULL);
	/* A client that writes the field of the two which its proxy does not. */
	struct mm_web_field both[] = { { TEXT("Forwarded"), TEXT("for=203.0.113.66") },
		{ TEXT("X-Forwarded-For"), TEXT("198.51.100.7") } };
	struct mm_web_message m = message(both, 2);
	struct mm_addr proxy, client;
	char text[MM_ADDR_TEXT];
	assert_true(mm_addr_parse("10.1.2.3", 8, &proxy));
	assert_false(mm_web_forwarded(w, &proxy, &m, &client));
	both[0].value = TEXT("for=\"198.51.100.7:4711\"");
	assert_true(mm_web_forwarded(w, &proxy, &m, &client));
	assert_string_equal(mm_addr_text(&client, text), "198.51.100.7");
	both[0].value = TEXT("for=_hidden");
	assert_false(mm_web_forwarded(w, &proxy, &m, &client));
	assert_client(w, "10.128.0.1", "x-forwarded-for", "198.51.100.7", NULL); /* not ours */
	assert_client(w, "203.0.113.1", "x-forwarded-for", "198.51.100.7", NULL);
	mm_web_free(w);
	size_t n;
	assert_false(mm_nets_parse("10.0.0.0/33", nets, 8, &n));
	assert_false(mm_nets_parse("10.0.0.0/", nets, 8, &n));
	assert_false(mm_nets_parse("host.example", nets, 8, &n));
	assert_false(mm_nets_parse("10.0.0.1 10.0.0.2", nets, 1, &n));
}

/* The same text in each coding. */
#define PLAIN "{\"access_token\":\"eyJhbGciOiJub25lIn0\",\"n\":[1,1,1,1,1,1,1,1]}"
#define GZIP                                                                                       \
	"1f8b0800000000000003ab564a4c4e4e2d2e8e2fc9cf4ecd53b2524aadf4ca48724fcef4cff42a4d3232cdf1" \
	"cc3350d251ca53b28a36d44181b1b500a45d48e13c000000"

static size_t unhex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned byte;
	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		out[n++] = (uint8_t)byte;
	return n;
}

static enum mm_coded undo(const char *list, const char *hex, struct mm_slice *out)
{
	static uint8_t bytes[4096];
	return mm_coding_undo(
	        TEXT(list), mm_slice(bytes, unhex(hex, bytes)), room, MM_WEB_BODY_MAX, out);
}

static const struct {
	const char *list, *hex;
} coded[] = {
	{ "gzip", GZIP },
	{ "X-GZIP , identity", GZIP },
	{ "deflate", "789cab564a4c4e4e2d2e8e2fc9cf4ecd53b2524aadf4ca48724fcef4cff42a4d3232cdf1cc335"
	             "0d251ca53"
	             "b28a36d44181b1b5005ec811d1" },
	{ "deflate", /* without its header */
	        "ab564a4c4e4e2d2e8e2fc9cf4ecd53b2524aadf4ca48724fcef4cff42a4d3232cdf1cc3350d251ca53"
	        "b28a"
	        "36d44181b1b500" },
	{ "br", "1b3b00f88dd462cd19ee64ed9cf69b7f401966f945bba45eca977e334842a717918492aca4019adcd2"
	        "43"
	        "d0f70dcccb4bd2d0a27c24c49dcd8160a89ed83e" },
	{ "zstd", "28b52ffd243cb50100f4027b226163636573735f746f6b656e223a2265794a68624763694f694a75"
	          "6232"
	          "356c496e30222c226e223a5b312c5d7d0100ed7065c629c0ad" },
	{ "gzip,br", "8b21801f8b0800000000000003ab564a4c4e4e2d2e8e2fc9cf4ecd53b2524aadf4ca48724fcef"
	             "4cff42a4d"
	             "3232cdf1cc3350d251ca53b28a36d44181b1b500a45d48e13c00000003" },
};

static void test_codings(void **unused)
{
	(void)unused;
	struct mm_slice out;
	for (size_t i = 0; i < sizeof coded / sizeof coded[0]; i++) {
		char half[1024];
		assert_true(mm_coding_known(TEXT(coded[i].list)));
		assert_int_equal(undo(coded[i].list, coded[i].hex, &out), MM_CODED_DONE);
		assert_slice(out, PLAIN);
		snprintf(
		        half, sizeof half, "%.*s", (int)strlen(coded[i].hex) / 4 * 2, coded[i].hex);
		assert_int_equal(undo(coded[i].list, half, &out), MM_CODED_SHORT);
		assert_memory_equal(out.p, PLAIN, out.len);
		assert_int_equal(
		        undo(coded[i].list, "00ffee0102030405060708090a0b", &out), MM_CODED_BROKEN);
		assert_int_equal(out.len, 0);
	}
	assert_int_equal(undo("gzip", GZIP GZIP, &out), MM_CODED_DONE); /* two members */
	assert_slice(out, PLAIN PLAIN);
	assert_int_equal(undo("gzip", GZIP "00", &out), MM_CODED_DONE); /* and what is none */
	assert_slice(out, PLAIN);
	assert_int_equal(
	        undo("gzip", GZIP "0a6a756e6b206265796f6e6420697473", &out), MM_CODED_DONE);
	assert_slice(out, PLAIN);
	assert_int_equal(undo("compress", GZIP, &out), MM_CODED_UNKNOWN);
	assert_int_equal(undo("gzip,gzip,gzip,gzip", GZIP, &out), MM_CODED_UNKNOWN);
	assert_false(mm_coding_known(TEXT("gzip, exi")));
	assert_true(mm_coding_known(TEXT("")));
}

/* 10 MiB of zeroes, by each tool. */
static void test_bombs(void **unused)
{
	(void)unused;
	struct mm_slice out;
	assert_int_equal(undo("br", "cbffff3ff82700e2b14020f7fe2fffff3ff04f00c4611180eefd07", &out),
	        MM_CODED_BOMB);
	assert_int_equal(out.len, 0);
	assert_int_equal(
	        undo("zstd",
	                "28b52ffd84680000a0004c000008000100fcff391002020010000200100002001000020010"
	                "00020010000200100002001000020010000200100002001000020010000200100002001000"
	                "0200100002001000020010000200100002001000020010000200",
	                &out),
	        MM_CODED_BOMB);
	static uint8_t zeroes[1 << 20], packed[1 << 14];
	uLongf n = sizeof packed;
	assert_int_equal(compress(packed, &n, zeroes, sizeof zeroes), Z_OK);
	struct mm_slice body = mm_slice(packed, n);
	assert_int_equal(
	        mm_coding_undo(TEXT("deflate"), body, room, MM_WEB_BODY_MAX, &out), MM_CODED_BOMB);
	/* Within the room, but a thousand times as much as came in. */
	n = sizeof packed;
	assert_int_equal(compress(packed, &n, zeroes, 200 * 1024), Z_OK);
	body = mm_slice(packed, n);
	assert_int_equal(
	        mm_coding_undo(TEXT("deflate"), body, room, MM_WEB_BODY_MAX, &out), MM_CODED_BOMB);
	n = sizeof packed;
	assert_int_equal(compress(packed, &n, zeroes, 16 * 1024), Z_OK);
	body = mm_slice(packed, n);
	assert_int_equal(
	        mm_coding_undo(TEXT("deflate"), body, room, MM_WEB_BODY_MAX, &out), MM_CODED_DONE);
	assert_int_equal(out.len, 16 * 1024);
}

static const char *flip_list;

static void undo_hostile(void *arg, struct mm_slice input)
{
	(void)arg;
	struct mm_slice out;
	(void)mm_coding_undo(TEXT(flip_list), input, room, MM_WEB_BODY_MAX, &out);
	assert_true(out.len == 0 || mm_slice_holds(mm_slice(room, sizeof room), out));
}

static void read_hostile(void *arg, struct mm_slice input)
{
	(void)arg;
	struct mm_web_field fields[] = { { input, input }, { TEXT("cookie"), input },
		{ TEXT("content-type"), TEXT("application/x-www-form-urlencoded") },
		{ TEXT("authorization"), input }, { TEXT("forwarded"), input } };
	struct mm_web_exchange x = { .request = message(fields, 5) };
	struct mm_web_cookies it = mm_web_cookies(&x.request);
	struct mm_web_uri uri;
	struct mm_slice a, b;
	x.request.body = input;
	while (mm_web_cookie_next(&it, &a, &b))
		;
	(void)mm_web_login_user(&x, room, 8, &a);
	(void)mm_web_basic_user(&x, false, room, 8, &a);
	(void)mm_web_unescape(input, true, room, 8, &a);
	mm_web_uri(input, &uri);
	(void)mm_web_host(input);
}

static void test_hostile(void **unused)
{
	(void)unused;
	uint8_t bytes[512];
	for (size_t i = 0; i < sizeof coded / sizeof coded[0]; i++) {
		size_t n = unhex(coded[i].hex, bytes);
		flip_list = coded[i].list;
		guard_every_prefix(bytes, n, undo_hostile, NULL);
		guard_every_bitflip(bytes, n, undo_hostile, NULL);
	}
	static const char *const texts[] = { "user=a%40b&password=%73&&=;x",
		"Basic QWxhZGRpbjpvcGVu", "http://u@[::1]:80/a?b#c",
		"for=\"[2001:db8::1]:80\";by=x, for=1.2.3.4" };
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		guard_every_prefix(TEXT(texts[i]).p, strlen(texts[i]), read_hostile, NULL);
		guard_every_bitflip(TEXT(texts[i]).p, strlen(texts[i]), read_hostile, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_basic),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_codings),
		cmocka_unit_test(test_bombs),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
