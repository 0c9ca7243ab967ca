/* What leaves the program: numbers and times against the C library's, strings that must be safe JSON whatever the
 * wire sent, whole events and findings against lines written by hand, and the report for people. */
#include <iconv.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "geo/geo.h"
#include "guard.h"
#include "output/output.h"
#include "output/words.h"

enum { SECOND_NS = 1000000000 };

static void expect(struct mm_buf *b, const char *want)
{
	assert_false(b->failed);
	assert_non_null(b->p);
	assert_string_equal(b->p, want);
	assert_int_equal(b->len, strlen(want));
	mm_buf_reset(b);
}

static void test_integers(void **state)
{
	(void)state;
	static const int64_t values[] = { 0, 1, 9, 10, 99, 100, -1, -10, 4294967296, INT64_MAX,
		INT64_MIN };
	struct mm_buf b = { 0 };
	char want[32];
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		snprintf(want, sizeof want, "%" PRId64, values[i]);
		mm_buf_i64(&b, values[i]);
		expect(&b, want);
	}
	mm_buf_u64(&b, UINT64_MAX);
	expect(&b, "18446744073709551615");
	mm_buf_done(&b);
}

static void test_fixed(void **state)
{
	(void)state;
	static const double values[] = { 0, 1, -1, 12.345, -12.346, 99.999, 0.004, 0.006, 1e-9,
		123456.789, 1e12 };
	struct mm_buf b = { 0 };
	char want[64];
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		snprintf(want, sizeof want, "%.2f", values[i]);
		mm_buf_fixed(&b, values[i], 2);
		expect(&b, want);
	}
	mm_buf_fixed(&b, -0.001, 2); /* printf says -0.00 */
	expect(&b, "0.00");
	mm_buf_fixed(&b, 2.5, 0); /* half away from zero */
	expect(&b, "3");
	mm_buf_fixed(&b, -2.5, 0);
	expect(&b, "-3");
	mm_buf_fixed(&b, NAN, 2);
	expect(&b, "0.00");
	mm_buf_fixed(&b, INFINITY, 0);
	expect(&b, "9000000000000000000");
	mm_buf_fixed(&b, -INFINITY, 0);
	expect(&b, "-9000000000000000000");
	mm_buf_done(&b);
}

static void test_time(void **state)
{
	(void)state;
	struct mm_buf b = { 0 };
	/* Every leap rule, both sides of the epoch, both ends of what 64 bits of nanoseconds reach. */
	static const int64_t seconds[] = { 0, 951782399, 951782400, 951868800, 1709164800,
		4107542399, 4107542400, 1767225599, 1767225600, -1, -86400, -2208988800,
		-2203977600, INT64_MAX / SECOND_NS - 1, INT64_MIN / SECOND_NS + 1 };
	for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
		char want[64];
		struct tm tm;
		time_t t = (time_t)seconds[i];
		assert_non_null(gmtime_r(&t, &tm));
		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.000000042Z", &tm);
		mm_buf_time(&b, seconds[i] * SECOND_NS + 42);
		expect(&b, want);
	}
	mm_buf_time(&b, -1);
	expect(&b, "1969-12-31T23:59:59.999999999Z");
	for (int64_t day = -40000; day < 60000; day++) {
		char want[64];
		struct tm tm;
		time_t t = (time_t)(day * 86400 + 3599);
		gmtime_r(&t, &tm);
		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.000000000Z", &tm);
		mm_buf_time(&b, (int64_t)t * SECOND_NS);
		expect(&b, want);
	}
	mm_buf_done(&b);
}

static void test_growth(void **state)
{
	(void)state;
	enum { N = 300000 };
	struct mm_buf b = { 0 };
	for (size_t i = 0; i < N; i++)
		mm_buf_put(&b, "abcd", 4);
	mm_buf_printf(&b, "%s-%d", "end", 7);
	assert_false(b.failed);
	assert_int_equal(b.len, 4 * N + 5);
	assert_memory_equal(b.p + 4 * (N - 1), "abcdend-7", 10);
	mm_buf_reset(&b);
	assert_int_equal(b.len, 0);
	/* Larger than any memory: cut, and told. */
	mm_buf_str(&b, "x");
	volatile size_t too_much = SIZE_MAX / 2 + 2; /* the compiler, too, knows that it is */
	mm_buf_put(&b, "", too_much);
	assert_true(b.failed);
	mm_buf_str(&b, "y");
	assert_int_equal(b.len, 1);
	mm_buf_done(&b);
}

static void test_json_strings(void **state)
{
	(void)state;
#define TEXT(literal) literal, sizeof(literal) - 1
	static const struct {
		const char *in;
		size_t len;
		const char *want;
	} cases[] = {
		{ TEXT(""), "\"\"" },
		{ TEXT("host/srv.corp.test"), "\"host/srv.corp.test\"" },
		{ TEXT("a\"b\\c"), "\"a\\\"b\\\\c\"" },
		{ TEXT("\n\r\t"), "\"\\n\\r\\t\"" },
		{ TEXT("a\0b"), "\"a\\u0000b\"" },
		{ TEXT("\x1b[31m"), "\"\\u001b[31m\"" },
		{ TEXT("\x7f"), "\"\\u007f\"" },
		{ TEXT("\xc2\x9b"
		       "31m"),
		        "\"\\u009b31m\"" }, /* C1 CSI */
		{ TEXT("M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x94\x91"),
		        "\"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x94\x91\"" },
		{ TEXT("\xe2\x80\xaegpj"), "\"\\u202egpj\"" }, /* right-to-left override */
		{ TEXT("\xe2\x81\xa6"), "\"\\u2066\"" },
		{ TEXT("\xe2\x80\xa8"), "\"\\u2028\"" },
		{ TEXT("\xd8\x9c"), "\"\\u061c\"" },
#define BAD "\xef\xbf\xbd"
		{ TEXT("\x80"), "\"" BAD "\"" },
		{ TEXT("\xc0\xaf"), "\"" BAD BAD "\"" },                 /* overlong '/' */
		{ TEXT("\xe0\x80\xaf"), "\"" BAD BAD BAD "\"" },         /* overlong */
		{ TEXT("\xed\xa0\x80"), "\"" BAD BAD BAD "\"" },         /* surrogate */
		{ TEXT("\xf4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\"" }, /* above U+10FFFF */
		{ TEXT("\xe2\x82"), "\"" BAD BAD "\"" },                 /* cut */
		{ TEXT("\xe2(a"), "\"" BAD "(a\"" },
		{ TEXT("\xff\xfe"), "\"" BAD BAD "\"" },
	};
	struct mm_buf b = { 0 };
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		mm_buf_json(&b, cases[i].in, cases[i].len);
		expect(&b, cases[i].want);
	}
	mm_buf_safe(&b, TEXT("a\"\\\x1b[0m\xe2\x80\xae\xff M\xc3\xbc"));
	expect(&b, "a\"\\?[0m?? M\xc3\xbc");
	mm_buf_done(&b);
}

/* The C library's opinion. */
static bool is_utf8(const char *p, size_t len)
{
	char *in = malloc(len + 1), *out = malloc(4 * len + 1);
	assert_true(in != NULL && out != NULL);
	char *in_at = in, *out_at = out;
	size_t in_left = len, out_left = 4 * len;
	memcpy(in_at, p, len);
	iconv_t cd = iconv_open("UCS-4LE", "UTF-8");
	bool ok = iconv(cd, &in_at, &in_left, &out_at, &out_left) != (size_t)-1;
	iconv_close(cd);
	free(in);
	free(out);
	return ok;
}

static void json_any(void *arg, struct mm_slice input)
{
	struct mm_buf *b = arg;
	mm_buf_reset(b);
	mm_buf_json(b, (const char *)input.p, input.len);
	assert_false(b->failed);
	assert_true(b->len >= 2);
	assert_int_equal(b->p[0], '"');
	assert_int_equal(b->p[b->len - 1], '"');
	assert_true(is_utf8(b->p, b->len));
	for (size_t i = 1; i + 1 < b->len; i++) {
		unsigned char c = (unsigned char)b->p[i];
		assert_true(c >= 0x20 && c != 0x7f && c != '"');
		assert_false(c == 0xc2 && (unsigned char)b->p[i + 1] < 0xa0);
		if (c == '\\')
			i++;
	}
	mm_buf_reset(b);
	mm_buf_safe(b, (const char *)input.p, input.len);
	assert_true(b->len <= input.len);
	assert_true(is_utf8(b->p != NULL ? b->p : "", b->len));
}

static void test_hostile_strings(void **state)
{
	(void)state;
	static const uint8_t sample[] =
	        "cifs/\xc3\xa9\"\\\n\x1b[2J\xe2\x80\xae\xf0\x9f\x94\x91\xed\xa0\x80$@R";
	struct mm_buf b = { 0 };
	guard_every_prefix(sample, sizeof sample - 1, json_any, &b);
	guard_every_bitflip(sample, sizeof sample - 1, json_any, &b);
	uint8_t pairs[2];
	for (unsigned v = 0; v <= 0xffff; v++) {
		pairs[0] = (uint8_t)(v >> 8);
		pairs[1] = (uint8_t)v;
		json_any(&b, mm_slice(pairs, 2));
	}
	mm_buf_done(&b);
}

/* An event with everything in it. */

static const struct mm_attr attrs[] = {
	{ "mintmark.kerberos.sname", MM_ATTR_STR, "" },
	{ "mintmark.kerberos.nonce", MM_ATTR_INT, "" },
	{ "mintmark.kerberos.etypes", MM_ATTR_INTS, "" },
	{ "mintmark.kerberos.pac_request", MM_ATTR_BOOL, "" },
};

static struct mm_fp fp_of_byte(uint8_t v)
{
	struct mm_fp fp;
	memset(fp.b, v, sizeof fp.b);
	return fp;
}

static struct mm_str str(struct mm_event *ev, const char *s)
{
	return mm_event_str(ev, mm_slice_str(s));
}

static char name_a[] = "a.pcap", name_b[] = "dir/b \"2\".pcap";
static char *names[] = { name_a, name_b };
static const struct mm_files files = { .names = names, .n = 2 };

static const struct mm_endpoint client = { { 4, { 10, 0, 0, 50 } }, 50000 };
static const struct mm_endpoint server = {
	{ 6, { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 } }, 88
};

static struct mm_event *tgs_exchange(struct mm_event_pool *pool)
{
	struct mm_event *ev = mm_event_alloc(pool);
	assert_non_null(ev);
	ev->kind = MM_EV_ISSUE;
	ev->outcome = MM_SUCCESS;
	ev->protocol = "kerberos";
	ev->action = "tgs-exchange";
	ev->src = client;
	ev->dst = server;
	ev->transport = "tcp";
	memcpy(ev->community_id, "1:AAAA", 7);
	ev->time_ns = ev->response_ns = 1769860800 * (int64_t)SECOND_NS + 2;
	ev->request_ns = 1769860800 * (int64_t)SECOND_NS + 1;
	ev->user = str(ev, "al\"ice");
	ev->user_realm = str(ev, "CORP.TEST");
	ev->flags = MM_EVF_RENEWAL | MM_EVF_ARMORED | MM_EVF_TRUNCATED;
	ev->request_pkt = (struct mm_pkt){ 0, 12 };
	ev->response_pkt = (struct mm_pkt){ 1, 3 };
	mm_event_add_pkts(ev, ev->request_pkt, ev->response_pkt);
	struct mm_cred *shown = mm_event_cred(ev, MM_ROLE_PRESENTED);
	shown->fp = fp_of_byte(0x11);
	shown->kind = MM_CRED_TGT;
	shown->issuer = str(ev, "CORP.TEST");
	shown->service = str(ev, "krbtgt/CORP.TEST");
	shown->kvno = 2;
	shown->alg = 18;
	shown->name_type = 2;
	shown->length = 1000;
	struct mm_cred *issued = mm_event_cred(ev, MM_ROLE_ISSUED);
	issued->fp = fp_of_byte(0x22);
	issued->kind = MM_CRED_SERVICE;
	issued->issuer = str(ev, "CORP.TEST");
	issued->service = str(ev, "cifs/fs1");
	issued->principal = str(ev, "alice");
	issued->alg = 23;
	issued->name_type = 1;
	issued->length = 900;
	static const int64_t etypes[] = { 18, -135 };
	mm_event_put_str(ev, &attrs[0], mm_slice_str("cifs/fs1"));
	mm_event_put_int(ev, &attrs[1], -5);
	mm_event_put_ints(ev, &attrs[2], etypes, 2);
	mm_event_put_bool(ev, &attrs[3], true);
	mm_event_put_bool(ev, &attrs[3], false); /* said twice: the first one counts */
	return ev;
}

static const char tgs_line[] =
        "{\"@timestamp\":\"2026-01-31T12:00:00.000000002Z\",\"event.kind\":\"event\","
        "\"event.action\":\"tgs-exchange\",\"event.category\":[\"authentication\"],"
        "\"event.type\":[\"start\"],\"event.outcome\":\"success\","
        "\"source.ip\":\"10.0.0.50\",\"source.port\":50000,"
        "\"destination.ip\":\"2001:db8::1\",\"destination.port\":88,"
        "\"network.transport\":\"tcp\",\"network.protocol\":\"kerberos\","
        "\"network.community_id\":\"1:AAAA\","
        "\"user.name\":\"al\\\"ice\",\"user.domain\":\"CORP.TEST\","
        "\"mintmark.protocol\":\"kerberos\",\"mintmark.kind\":\"issue\","
        "\"mintmark.fingerprint\":\"22222222222222222222222222222222\","
        "\"mintmark.parent\":\"11111111111111111111111111111111\","
        "\"mintmark.credentials\":[{\"role\":\"presented\",\"kind\":\"tgt\","
        "\"fingerprint\":\"11111111111111111111111111111111\",\"issuer\":\"CORP.TEST\","
        "\"service\":\"krbtgt/CORP.TEST\",\"kvno\":2,\"etype\":18,\"name_type\":2,"
        "\"length\":1000},{\"role\":\"issued\",\"kind\":\"service\","
        "\"fingerprint\":\"22222222222222222222222222222222\",\"issuer\":\"CORP.TEST\","
        "\"service\":\"cifs/fs1\",\"principal\":\"alice\",\"etype\":23,\"name_type\":1,"
        "\"length\":900}],"
        "\"mintmark.flags\":[\"renewal\",\"armored\",\"truncated\"],"
        "\"mintmark.kerberos.sname\":\"cifs/fs1\",\"mintmark.kerberos.nonce\":-5,"
        "\"mintmark.kerberos.etypes\":[18,-135],\"mintmark.kerberos.pac_request\":true,"
        "\"mintmark.request.time\":\"2026-01-31T12:00:00.000000001Z\","
        "\"mintmark.response.time\":\"2026-01-31T12:00:00.000000002Z\","
        "\"event.id\":\"";

static const char tgs_line_end[] =
        "\",\"mintmark.request.packet\":\"a.pcap#12\","
        "\"mintmark.response.packet\":\"dir/b \\\"2\\\".pcap#3\","
        "\"mintmark.packets\":[\"a.pcap#12\",\"dir/b \\\"2\\\".pcap#3\"]}";

enum { ID_DIGITS = 16 };

static void test_event(void **state)
{
	(void)state;
	struct mm_event_pool pool;
	mm_event_pool_init(&pool, 8);
	struct mm_event *ev = tgs_exchange(&pool);
	struct mm_buf b = { 0 };
	mm_json_event(&b, ev, &files);
	assert_false(b.failed);
	size_t head = sizeof tgs_line - 1;
	assert_int_equal(b.len, head + ID_DIGITS + sizeof tgs_line_end - 1);
	assert_memory_equal(b.p, tgs_line, head);
	assert_int_equal(strspn(b.p + head, "0123456789abcdef"), ID_DIGITS);
	assert_string_equal(b.p + head + ID_DIGITS, tgs_line_end);
	mm_event_free(&pool, ev);
	mm_event_pool_done(&pool);
	mm_buf_done(&b);
}

/* The id of an event does not depend on where it was captured, but on all that was said. */
static void test_event_id(void **state)
{
	(void)state;
	struct mm_event_pool pool;
	mm_event_pool_init(&pool, 8);
	struct mm_event *ev = tgs_exchange(&pool);
	struct mm_buf one = { 0 }, two = { 0 };
	size_t head = sizeof tgs_line - 1;
	mm_json_event(&one, ev, &files);
	ev->request_pkt.number = ev->pkts[0].number = 99;
	mm_path_add(&ev->path, MM_PATH_VLAN, 7);
	mm_path_add(&ev->path, MM_PATH_IP, 0);
	mm_path_add(&ev->path, MM_PATH_VXLAN, 5001);
	mm_buf_str(&two, "something before\n");
	size_t before = two.len;
	mm_json_event(&two, ev, &files);
	assert_memory_equal(one.p + head, two.p + before + head, ID_DIGITS);
	static const char path[] =
	        "\",\"mintmark.path\":\"vlan:7/ip/vxlan:5001\",\"mintmark.request.packet\":";
	assert_memory_equal(two.p + before + head + ID_DIGITS, path, sizeof path - 1);
	ev->attrs[1].number = -6;
	mm_buf_reset(&two);
	mm_json_event(&two, ev, &files);
	assert_memory_not_equal(one.p + head, two.p + head, ID_DIGITS);
	mm_event_free(&pool, ev);
	mm_event_pool_done(&pool);
	mm_buf_done(&one);
	mm_buf_done(&two);
}

/* The same in whatever locale, and no zero below zero. */
static void test_places(void **state)
{
	(void)state;
	static const struct mm_geo_place place = {
		.located = true, .lat = -0.00004, .lon = -151.20931, .city = "Lule\xc3\xa5"
	};
	struct mm_event_pool pool;
	mm_event_pool_init(&pool, 8);
	struct mm_event *ev = tgs_exchange(&pool);
	ev->geo = &place;
	struct mm_buf b = { 0 };
	mm_json_event(&b, ev, &files);
	assert_non_null(strstr(b.p, "\"source.geo.city_name\":\"Lule\xc3\xa5\""));
	assert_non_null(strstr(b.p, "\"source.geo.location\":{\"lat\":0.0000,\"lon\":-151.2093}"));
	mm_event_free(&pool, ev);
	mm_event_pool_done(&pool);
	mm_buf_done(&b);
}

static void test_bare_event(void **state)
{
	(void)state;
	struct mm_event_pool pool;
	mm_event_pool_init(&pool, 8);
	struct mm_event *ev = mm_event_alloc(&pool);
	ev->kind = MM_EV_REQUEST;
	ev->protocol = "kerberos";
	ev->action = "as-exchange";
	ev->status = (struct mm_status){ MM_STATUS_KRB5, 25 };
	struct mm_buf b = { 0 };
	mm_json_event(&b, ev, &files);
	assert_memory_equal(b.p,
	        "{\"@timestamp\":\"1970-01-01T00:00:00.000000000Z\",\"event.kind\":\"event\","
	        "\"event.action\":\"as-exchange\",\"event.category\":[\"authentication\"],"
	        "\"event.type\":[\"info\"],\"event.outcome\":\"unknown\","
	        "\"network.protocol\":\"kerberos\",\"mintmark.protocol\":\"kerberos\","
	        "\"mintmark.kind\":\"request\",\"mintmark.status.domain\":\"kerberos\","
	        "\"mintmark.status.code\":25,\"event.id\":\"",
	        335);
	assert_non_null(strstr(b.p, "\",\"mintmark.packets\":[]}"));
	/* A presentation's fingerprint is the ticket shown; it has no parent. */
	struct mm_cred *shown = mm_event_cred(ev, MM_ROLE_PRESENTED);
	shown->fp = fp_of_byte(0x33);
	ev->kind = MM_EV_PRESENT;
	mm_buf_reset(&b);
	mm_json_event(&b, ev, &files);
	assert_non_null(
	        strstr(b.p, "\"mintmark.fingerprint\":\"33333333333333333333333333333333\""));
	assert_null(strstr(b.p, "mintmark.parent"));
	mm_event_free(&pool, ev);
	mm_event_pool_done(&pool);
	mm_buf_done(&b);
}

/* Findings. */

static const char *const alternatives[] = { "a lost reply", NULL };

static const struct mm_detector detector = {
	.name = "orphan-tgt",
	.id = "LED-01",
	.technique = "T1558.001",
	.technique_name = "Golden Ticket",
	.help = "TGT that no KDC issued",
	.meaning = "The key of the realm is stolen.",
	.alternatives = alternatives,
};

static void add_use(struct mm_finding *f, uint8_t shown, uint8_t obtained, const char *service)
{
	struct mm_use *u = &f->uses[f->n_uses++];
	*u = (struct mm_use){ .shown = fp_of_byte(shown),
		.time_ns = 1769860800 * (int64_t)SECOND_NS,
		.client = client.addr,
		.server = server.addr,
		.server_port = 88,
		.protocol = "kerberos",
		.action = "tgs-exchange",
		.outcome = MM_SUCCESS,
		.pkt = { 0, 12 },
		.n = 1 };
	u->obtained = fp_of_byte(obtained);
	snprintf(u->service, sizeof u->service, "%s", service);
}

static struct mm_finding *golden(void)
{
	struct mm_finding *f = calloc(1, sizeof *f);
	assert_non_null(f);
	f->detector = &detector;
	f->key.root = fp_of_byte(0x44);
	f->facts = (struct mm_facts){ .fp = fp_of_byte(0x44),
		.kind = MM_CRED_TGT,
		.role = MM_ROLE_PRESENTED,
		.issuer = "CORP.TEST",
		.service = "krbtgt/CORP.TEST",
		.user = "Administrator",
		.kvno = 2,
		.alg = 23,
		.name_type = 1,
		.length = 947,
		.client = client.addr,
		.server = server.addr,
		.server_port = 88,
		.first_ns = 1769860800 * (int64_t)SECOND_NS,
		.last_ns = 1769860860 * (int64_t)SECOND_NS,
		.miss = { .a = 0,
		        .b = 0.001,
		        .c = 0.002,
		        .m = 0.003,
		        .watched_ns = 90 * (int64_t)SECOND_NS,
		        .n_hits = 100,
		        .misses = 0.5 },
		.n_uses = 2,
		.n_accepted = 1,
		.n_refused = 1 };
	memcpy(f->event_id, "4444444444444444-LED-01", 24);
	memcpy(f->community_id, "1:AAAA", 7);
	f->protocol = "kerberos";
	f->transport = "tcp";
	f->src = client;
	f->dst = server;
	f->pkts[0] = (struct mm_pkt){ 0, 12 };
	f->pkts[1] = (struct mm_pkt){ 0, 14 };
	f->pkts[2] = (struct mm_pkt){ 1, 7 };
	f->n_pkts = 3;
	f->n_pkts_more = 2;
	mm_finding_reset(f, MM_W_PRIOR_FORGED);
	mm_finding_add(f, MM_W_ORPHAN, 25.5, "it was never seen issued");
	mm_finding_add(f, MM_W_KVNO_2, 30, "its key version is 2");
	mm_finding_sum(f);
	add_use(f, 0x44, 0x55, "cifs/fs1");
	add_use(f, 0x55, 0, "cifs/fs1");
	return f;
}

static void test_finding(void **state)
{
	(void)state;
	struct mm_finding *f = golden();
	struct mm_buf b = { 0 };
	mm_json_finding(&b, f, NULL, &files);
	expect(&b,
	        "{\"@timestamp\":\"2026-01-31T12:00:00.000000000Z\",\"event.kind\":\"alert\","
	        "\"event.action\":\"orphan-tgt\",\"event.category\":[\"authentication\"],"
	        "\"event.type\":[\"info\"],\"event.outcome\":\"success\",\"event.severity\":3,"
	        "\"event.start\":\"2026-01-31T12:00:00.000000000Z\","
	        "\"event.end\":\"2026-01-31T12:01:00.000000000Z\","
	        "\"source.ip\":\"10.0.0.50\",\"source.port\":50000,"
	        "\"destination.ip\":\"2001:db8::1\",\"destination.port\":88,"
	        "\"network.transport\":\"tcp\",\"network.protocol\":\"kerberos\","
	        "\"network.community_id\":\"1:AAAA\",\"user.name\":\"Administrator\","
	        "\"rule.name\":\"orphan-tgt\",\"rule.id\":\"LED-01\","
	        "\"rule.description\":\"TGT that no KDC issued\","
	        "\"threat.framework\":\"MITRE ATT&CK\",\"threat.technique.id\":[\"T1558.001\"],"
	        "\"threat.technique.name\":[\"Golden Ticket\"],\"mintmark.protocol\":\"kerberos\","
	        "\"mintmark.fingerprint\":\"44444444444444444444444444444444\","
	        "\"mintmark.score\":15.50,\"mintmark.probability\":0.972589,"
	        "\"mintmark.band\":\"high\",\"mintmark.prior\":-40.00,"
	        "\"mintmark.evidence\":[{\"id\":\"never-issued\",\"weight\":25.50,"
	        "\"what\":\"it was never seen issued\","
	        "\"packets\":[\"a.pcap#12\",\"a.pcap#14\",\"dir/b \\\"2\\\".pcap#7\"]},"
	        "{\"id\":\"kvno-tool-2\",\"weight\":30.00,\"what\":\"its key version is 2\","
	        "\"packets\":[\"a.pcap#12\",\"a.pcap#14\",\"dir/b \\\"2\\\".pcap#7\"]}],"
	        "\"mintmark.alternatives\":[\"a lost reply\"],"
	        "\"mintmark.credential\":{\"role\":\"presented\",\"kind\":\"tgt\","
	        "\"fingerprint\":\"44444444444444444444444444444444\",\"issuer\":\"CORP.TEST\","
	        "\"service\":\"krbtgt/CORP.TEST\",\"kvno\":2,\"etype\":23,\"name_type\":1,"
	        "\"length\":947},"
	        "\"mintmark.lineage\":[{\"time\":\"2026-01-31T12:00:00.000000000Z\","
	        "\"shown\":\"44444444444444444444444444444444\","
	        "\"obtained\":\"55555555555555555555555555555555\",\"service\":\"cifs/fs1\","
	        "\"client\":\"10.0.0.50\",\"server\":\"2001:db8::1\",\"port\":88,"
	        "\"protocol\":\"kerberos\",\"action\":\"tgs-exchange\",\"outcome\":\"success\","
	        "\"packet\":\"a.pcap#12\",\"times\":1},"
	        "{\"time\":\"2026-01-31T12:00:00.000000000Z\","
	        "\"shown\":\"55555555555555555555555555555555\",\"service\":\"cifs/fs1\","
	        "\"client\":\"10.0.0.50\",\"server\":\"2001:db8::1\",\"port\":88,"
	        "\"protocol\":\"kerberos\",\"action\":\"tgs-exchange\",\"outcome\":\"success\","
	        "\"packet\":\"a.pcap#12\",\"times\":1}],"
	        "\"mintmark.coverage\":{\"watched_s\":90.000,\"a\":0.000000,\"b\":0.001000,"
	        "\"c\":0.002000,\"m\":0.003000,\"hits\":100,\"misses\":0.50},"
	        "\"event.id\":\"4444444444444444-LED-01\","
	        "\"mintmark.packets\":[\"a.pcap#12\",\"a.pcap#14\",\"dir/b \\\"2\\\".pcap#7\"],"
	        "\"mintmark.packets_more\":2}");
	f->facts.n_accepted = 0;
	f->facts.n_refused = 2;
	mm_json_finding(&b, f, NULL, &files);
	assert_non_null(strstr(b.p, "\"event.outcome\":\"failure\""));
	mm_buf_reset(&b);
	f->facts.n_refused = 1;
	mm_json_finding(&b, f, NULL, &files);
	assert_non_null(strstr(b.p, "\"event.outcome\":\"unknown\""));
	mm_buf_done(&b);
	free(f);
}

static bool is_field(const char *name, size_t len)
{
	for (const struct mm_field *f = mm_fields; f->name != NULL; f++)
		if (strlen(f->name) == len && memcmp(f->name, name, len) == 0)
			return true;
	return len > 18 && memcmp(name, "mintmark.kerberos.", 18) == 0;
}

/* Every key of the object, those of inner objects as outer.inner, is in mm_fields. Knows JSON as we write it. */
static void check_keys(const char *p)
{
	char path[520] = "", key[512] = "", full[1024];
	for (; *p != '\0'; p++) {
		if (*p == '{' && key[0] != '\0')
			snprintf(path, sizeof path, "%s.", key);
		if (*p == '}')
			path[0] = '\0';
		if (*p != '"')
			continue;
		const char *start = ++p;
		for (; *p != '"'; p++)
			p += *p == '\\';
		if (p[1] != ':')
			continue;
		snprintf(full, sizeof full, "%s%.*s", path, (int)(p - start), start);
		if (!is_field(full, strlen(full)))
			fail_msg("%s is not in mm_fields", full);
		if (path[0] == '\0')
			memcpy(key, full, strlen(full) < sizeof key ? strlen(full) + 1 : 0);
	}
}

static void test_fields(void **state)
{
	(void)state;
	struct mm_event_pool pool;
	mm_event_pool_init(&pool, 8);
	struct mm_event *ev = tgs_exchange(&pool);
	ev->creds[1].principal_realm = str(ev, "CORP.TEST");
	ev->status = (struct mm_status){ MM_STATUS_NT, 1 };
	struct mm_finding *f = golden();
	f->n_uses_more = 1;
	f->facts.flags = MM_EVF_LOSSY;
	f->uses[0].status = ev->status;
	memcpy(f->facts.other, "x", 2);
	memcpy(f->uses[0].user, "x", 2);
	struct mm_buf b = { 0 };
	mm_json_event(&b, ev, &files);
	check_keys(b.p);
	mm_buf_reset(&b);
	mm_json_finding(&b, f, NULL, &files);
	check_keys(b.p);
	for (const struct mm_field *x = mm_fields; x->name != NULL; x++) {
		assert_true(strlen(x->help) > 1 && strchr(x->help, '\t') == NULL);
		for (const struct mm_field *y = mm_fields; y < x; y++)
			assert_string_not_equal(x->name, y->name);
	}
	free(f);
	mm_event_free(&pool, ev);
	mm_event_pool_done(&pool);
	mm_buf_done(&b);
}

/* The report for people. */

struct report {
	struct mm_decode_stats decode;
	struct mm_flow_stats flow;
	struct mm_flow_proto_stats protos[16];
	struct mm_ledger *ledger;
	struct mm_summary summary;
	struct mm_buf text;
};

static void report_init(struct report *r, struct mm_finding **findings, size_t n)
{
	struct mm_ledger_config config;
	mm_ledger_config_default(&config);
	*r = (struct report){ .decode = { .n_packets = 10, .n_bytes = 2500, .n_segments = 9 } };
	assert_int_equal(mm_ledger_new(&config, &r->ledger), MM_OK);
	r->protos[0].n_messages = 7;
	r->summary = (struct mm_summary){ .files = &files,
		.decode = &r->decode,
		.flow = &r->flow,
		.protos = r->protos,
		.ledger = r->ledger,
		.findings = findings,
		.n_findings = n,
		.first_ns = 1769860800 * (int64_t)SECOND_NS,
		.last_ns = 1769860890 * (int64_t)SECOND_NS,
		.text_band = MM_BAND_MEDIUM };
}

static const char *report_text(struct report *r, bool color)
{
	mm_buf_reset(&r->text);
	mm_text_report(&r->text, &r->summary, color);
	assert_false(r->text.failed);
	return r->text.p;
}

static void report_done(struct report *r)
{
	mm_ledger_free(r->ledger);
	mm_buf_done(&r->text);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;
	for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
		n++;
	return n;
}

#define assert_has(text, what)                                                                     \
	do {                                                                                       \
		if (strstr(text, what) == NULL)                                                    \
			fail_msg("no \"%s\" in:\n%s", what, text);                                 \
	} while (0)

#define assert_lacks(text, what)                                                                   \
	do {                                                                                       \
		if (strstr(text, what) != NULL)                                                    \
			fail_msg("\"%s\" in:\n%s", what, text);                                    \
	} while (0)

static void test_text_finding(void **state)
{
	(void)state;
	struct mm_finding *f = golden();
	struct report r;
	report_init(&r, &f, 1);
	const char *text = report_text(&r, false);
	assert_has(text, "HIGH  orphan-tgt  score +15.5 decibans, probability 97.26 %\n");
	assert_has(text,
	        "10.0.0.50 presented a ticket-granting ticket of CORP.TEST as Administrator to\n");
	assert_has(text, "2001:db8::1 port 88 (kerberos)");
	assert_has(text, "shown 2 times: 1 accepted, 1 refused.");
	assert_has(text, "krbtgt/CORP.TEST@CORP.TEST, kvno 2, etype 23 (rc4-hmac), 947 bytes\n");
	assert_has(text, "44444444444444444444444444444444\n");
	assert_has(text, "2026-01-31 12:00:00.000 UTC to 2026-01-31 12:01:00.000 UTC\n");
	assert_has(text, "a.pcap#12, #14, dir/b \"2\".pcap#7 and 2 more\n");
	assert_has(text, "The key of the realm is stolen.\n");
	assert_has(text, "\n       -40.0  before any evidence: odds of 1 to 10000\n");
	assert_has(text, "\n       +25.5  it was never seen issued [never-issued: a.pcap#12, #14,");
	assert_has(text, "\n       +30.0  its key version is 2 [kvno-tool-2: a.pcap#12, #14,");
	assert_has(text, "\n       +15.5  score: probability 97.26 %\n");
	assert_has(text, "- a lost reply\n");
	/* The session hangs below the ticket that it was opened with. */
	assert_has(text, "\n    - 2026-01-31 12:00:00.000 UTC 10.0.0.50 to 2001:db8::1 port 88 "
	                 "tgs-exchange:");
	assert_has(text, "\n       - 2026-01-31 12:00:00.000 UTC 10.0.0.50 to 2001:db8::1 port 88 "
	                 "tgs-exchange:");
	assert_has(text, "55555555555555555555555555555555 [a.pcap#12]\n");
	assert_has(text, "Findings     1 high\n");
	assert_has(text, "Messages     kerberos 7;");
	assert_has(text, "10 packets, 2.5 kB, 9 TCP or UDP\n");
	assert_lacks(text, "\033");
	assert_lacks(text, "could not see");
	assert_has(report_text(&r, true), "\033[1;31mHIGH\033[0m");
	report_done(&r);
	free(f);
}

static void test_text_bands(void **state)
{
	(void)state;
	struct mm_finding *list[2] = { golden(), golden() };
	struct report r;
	list[1]->band = MM_BAND_LOW;
	report_init(&r, list, 2);
	const char *text = report_text(&r, false);
	assert_int_equal(count(text, "Why it matters"), 1);
	assert_has(text, "1 high, 1 low; not shown, below medium: 1\n");
	r.summary.text_band = MM_BAND_LOW;
	assert_int_equal(count(report_text(&r, false), "Why it matters"), 2);
	r.summary.text_band = MM_BAND_CRITICAL;
	text = report_text(&r, false);
	assert_int_equal(count(text, "Why it matters"), 0);
	assert_has(text, "not shown, below critical: 2\n");
	report_done(&r);
	free(list[0]);
	free(list[1]);
}

/* Whatever hangs together in a circle, or on nothing at all, is told once. */
static void test_text_lineage(void **state)
{
	(void)state;
	struct mm_finding *f = golden();
	f->n_uses = 0;
	add_use(f, 0x44, 0x55, "one");
	add_use(f, 0x55, 0x44, "two");
	add_use(f, 0x77, 0x77, "three");
	for (uint8_t i = 0; f->n_uses < MM_FINDING_USES; i++)
		add_use(f, (uint8_t)(0x77 + i), (uint8_t)(0x78 + i), "deep");
	f->n_uses_more = 3;
	struct report r;
	report_init(&r, &f, 1);
	const char *text = report_text(&r, false);
	assert_int_equal(count(text, "obtained one,"), 1);
	assert_int_equal(count(text, "obtained two,"), 1);
	assert_int_equal(count(text, "obtained three,"), 1);
	assert_int_equal(count(text, "tgs-exchange:"), MM_FINDING_USES);
	assert_has(text, "- and 3 further uses\n");
	report_done(&r);
	free(f);
}

static void test_text_bare(void **state)
{
	(void)state;
	enum { N = 12 };
	struct mm_finding *list[N];
	struct report r;
	for (size_t i = 0; i < N; i++) {
		list[i] = golden();
		list[i]->bare = true;
		list[i]->unscored = i < 10 ? "warm-up" : "issuer-not-in-view";
		list[i]->facts.fp.b[0] = (uint8_t)i;
		if (i >= 10) {
			list[i]->facts.blind = MM_BLIND_ISSUER;
			memcpy(list[i]->facts.issuer, "OTHER.TEST", 11);
		}
	}
	list[9]->facts.first_ns--; /* the earliest is told first */
	report_init(&r, list, N);
	const char *text = report_text(&r, false);
	assert_int_equal(count(text, "Why it matters"), 0);
	assert_has(text, "Findings     none; 12 bare orphans left unscored\n");
	assert_has(text, "10 tickets of CORP.TEST: the issuer was not yet watched");
	assert_has(text,
	        "2 tickets of OTHER.TEST: its issuer had not been seen to issue anything\n "
	        "     - 0a44");
	assert_has(text, "else is odd\n      - 09444444444444444444444444444444 "
	                 "krbtgt/CORP.TEST, 10.0.0.50 to");
	assert_has(text, "      and 2 more\n");
	assert_lacks(text, "- 08444444");
	assert_has(text, "- the KDCs of OTHER.TEST: never seen to issue anything\n");
	report_done(&r);
	for (size_t i = 0; i < N; i++)
		free(list[i]);
}

/* A finding too low to be shown is an orphan still: it is listed, and why. */
static void test_text_low(void **state)
{
	(void)state;
	struct mm_finding *f = golden();
	f->detector = &mm_orphan_tgt;
	f->score = -5.2;
	f->band = MM_BAND_LOW;
	struct report r;
	report_init(&r, &f, 1);
	r.summary.text_band = MM_BAND_MEDIUM;
	const char *text = report_text(&r, false);
	assert_int_equal(count(text, "Why it matters"), 0);
	assert_has(
	        text, "1 ticket of CORP.TEST: low findings: what else is odd about it weighs too");
	assert_has(text, "score -5.2, never-issued ");
	report_done(&r);
	report_init(&r, &f, 1);
	r.summary.text_band = MM_BAND_LOW; /* told in full: not listed again */
	text = report_text(&r, false);
	assert_int_equal(count(text, "Why it matters"), 1);
	assert_lacks(text, "low findings");
	report_done(&r);
	free(f);
}

static void test_text_coverage(void **state)
{
	(void)state;
	struct report r;
	struct mm_event_pool pool;
	report_init(&r, NULL, 0);
	mm_event_pool_init(&pool, 8);
	struct mm_event *ev = tgs_exchange(&pool);
	struct mm_look look;
	mm_ledger_present(r.ledger, ev, &look);
	mm_ledger_settle(r.ledger, &look, true);
	const char *text = report_text(&r, false);
	assert_has(text, "Coverage: how well each issuer was seen\n");
	/* Watched for 90 s of 10 h: an orphan says next to nothing. */
	assert_has(text, "    CORP.TEST ");
	assert_has(text, " 1.5 min        1 ");
	assert_has(text, "Credentials  1 issued; shown 1 time\n");
	mm_event_free(&pool, ev);
	mm_event_pool_done(&pool);
	report_done(&r);
}

static void test_text_blind(void **state)
{
	(void)state;
	struct report r;
	report_init(&r, NULL, 0);
	assert_lacks(report_text(&r, false), "malformed");
	r.decode.n_malformed = 3;
	r.decode.n_cut = 4;
	r.decode.n_fragments = 5;
	r.flow.n_gaps = 1;
	r.flow.n_gap_bytes = 1460;
	r.flow.n_one_way = 6;
	r.flow.n_evicted = 7;
	r.summary.n_events_refused = 8;
	const char *text = report_text(&r, false);
	assert_has(text, "; 3 malformed");
	assert_has(text, "; 1 holes (1.5 kB lost)");
	assert_has(text, "    - 4 packets cut by the capture's snapshot length\n");
	assert_has(text, "    - 1 hole in connections");
	assert_has(text, "    - 6 flows of which only one direction was captured\n");
	assert_has(text, "    - 7 flows ended early to make room (option flow.max)\n");
	assert_has(text, "    - 8 events lost for want of room (option engine.events)\n");
	report_done(&r);
}

/* Names of the wire and of files can neither steer the terminal nor break the page. */
static void test_text_hostile(void **state)
{
	(void)state;
	static char bad_name[] = "\033]0;x\a\n\xe2\x80\xae.pcap";
	static char *bad_names[] = { bad_name, bad_name };
	static const struct mm_files bad_files = { .names = bad_names, .n = 2 };
	struct mm_finding *f = golden();
	struct report r;
	memset(f->facts.service, 'A', sizeof f->facts.service - 1);
	memcpy(f->facts.user, "\033[2J\r\n\xc2\x9b!", 10);
	memcpy(f->facts.issuer, "%s%n\xff", 6);
	memset(f->evidence[0].what, ' ', sizeof f->evidence[0].what - 1);
	memcpy(f->evidence[1].what, "\033[31m", 6);
	report_init(&r, &f, 1);
	r.summary.files = &bad_files;
	const char *text = report_text(&r, false);
	for (const char *p = text; *p != '\0'; p++)
		assert_true(((unsigned char)*p >= 0x20 && *p != 0x7f) || *p == '\n');
	assert_true(is_utf8(text, strlen(text)));
	assert_lacks(text, "\xc2\x9b");
	assert_lacks(text, "\xe2\x80\xae");
	/* No line is longer than the page unless one word is. */
	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, "\n");
		size_t blank = strspn(p, " -");
		assert_true(len <= MM_PAGE_WIDTH || memchr(p + blank, ' ', len - blank) == NULL ||
		            memchr(p, 'A', len) != NULL);
		p += len + (p[len] == '\n');
	}
	report_done(&r);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_hostile_strings),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_event_id),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_bare_event),
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_text_finding),
		cmocka_unit_test(test_text_bands),
		cmocka_unit_test(test_text_lineage),
		cmocka_unit_test(test_text_bare),
		cmocka_unit_test(test_text_low),
		cmocka_unit_test(test_text_coverage),
		cmocka_unit_test(test_text_blind),
		cmocka_unit_test(test_text_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
