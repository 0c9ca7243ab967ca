/* Community ID against the published baseline: corelight/community-id-spec, baseline/baseline_deflt.json and
 * baseline_seed1.json (the entries of TCP and UDP). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "flow/flow.h"

struct vector {
	const char *src, *dst;
	uint16_t sport, dport;
	uint8_t proto;
	uint16_t seed;
	const char *id;
};

static const struct vector vectors[] = {
	{ "128.232.110.120", "66.35.250.204", 34855, 80, 6, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=" },
	{ "66.35.250.204", "128.232.110.120", 80, 34855, 6, 0, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=" },
	{ "192.168.1.52", "8.8.8.8", 54585, 53, 17, 0, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=" },
	{ "8.8.8.8", "192.168.1.52", 53, 54585, 17, 0, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=" },
	{ "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 63943, 25, 6, 0,
	        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=" },
	{ "2607:f8b0:400c:c03::1a", "2001:470:e5bf:dead:4957:2174:e82c:4887", 25, 63943, 6, 0,
	        "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=" },
	/* SCTP is not read by mintmark, but its entry is the only one with equal ports. */
	{ "192.168.170.8", "192.168.170.56", 7, 7, 132, 0, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=" },
	{ "192.168.170.56", "192.168.170.8", 7, 7, 132, 0, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=" },
	{ "128.232.110.120", "66.35.250.204", 34855, 80, 6, 1, "1:3V71V58M3Ksw/yuFALMcW0LAHvc=" },
	{ "8.8.8.8", "192.168.1.52", 53, 54585, 17, 1, "1:Q9We8WO3piVF8yEQBNJF4uiSVrI=" },
	{ "2607:f8b0:400c:c03::1a", "2001:470:e5bf:dead:4957:2174:e82c:4887", 25, 63943, 6, 1,
	        "1:eJYTW6AOzFLlSUoESovMjnu7rMw=" },
};

static struct mm_endpoint endpoint(const char *text, uint16_t port)
{
	struct mm_endpoint e = { .port = port };
	bool v6 = strchr(text, ':') != NULL;
	e.addr.family = v6 ? 6 : 4;
	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, text, e.addr.b), 1);
	return e;
}

static void test_baseline(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		const struct vector *v = &vectors[i];
		struct mm_endpoint a = endpoint(v->src, v->sport), b = endpoint(v->dst, v->dport);
		char id[MM_CID_TEXT];
		mm_community_id(&a, &b, v->proto, v->seed, id);
		assert_string_equal(id, v->id);
	}
}

/* Same address on both sides: the port decides the order, so that either direction has the same identifier. */
static void test_loopback_is_symmetric(void **state)
{
	(void)state;
	struct mm_endpoint a = endpoint("127.0.0.1", 40000), b = endpoint("127.0.0.1", 88);
	char ab[MM_CID_TEXT], ba[MM_CID_TEXT];
	mm_community_id(&a, &b, 6, 0, ab);
	mm_community_id(&b, &a, 6, 0, ba);
	assert_string_equal(ab, ba);
	/* printf '\0\0\x7f\0\0\1\x7f\0\0\1\6\0\0\x58\x9c\x40' | openssl sha1 -binary | base64 */
	assert_string_equal(ab, "1:vEW5qAkGp6do7wTU3Qlbm+ll6xc=");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_baseline),
		cmocka_unit_test(test_loopback_is_symmetric),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
