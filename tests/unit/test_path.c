/* Paths: items in order, each id in its width, and what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "base/path.h"

static void assert_text(const struct mm_path *path, const char *want)
{
	char text[MM_PATH_TEXT];
	memset(text, 'x', sizeof text);
	assert_ptr_equal(mm_path_text(path, text), text);
	assert_string_equal(text, want);
}

/* Every kind with the largest id that it has. */
static void test_kinds(void **state)
{
	(void)state;
	static const struct {
		enum mm_path_kind kind;
		uint32_t id;
		const char *text;
	} kinds[] = {
		{ MM_PATH_VLAN, 4095, "vlan:4095" },
		{ MM_PATH_MPLS, 1048575, "mpls:1048575" },
		{ MM_PATH_PPPOE, 65535, "pppoe:65535" },
		{ MM_PATH_PBB, 16777215, "pbb:16777215" },
		{ MM_PATH_FABRICPATH, 1023, "fabricpath:1023" },
		{ MM_PATH_VNTAG, 16383, "vntag:16383" },
		{ MM_PATH_SGT, 65535, "sgt:65535" },
		{ MM_PATH_IP, 9, "ip" },
		{ MM_PATH_IP6, 9, "ip6" },
		{ MM_PATH_GRE, 9, "gre" },
		{ MM_PATH_GRE_KEY, 4294967295u, "gre:4294967295" },
		{ MM_PATH_PPTP, 65535, "pptp:65535" },
		{ MM_PATH_ERSPAN_I, 9, "erspan" },
		{ MM_PATH_ERSPAN, 1023, "erspan:1023" },
		{ MM_PATH_VXLAN, 16777215, "vxlan:16777215" },
		{ MM_PATH_GENEVE, 16777215, "geneve:16777215" },
		{ MM_PATH_GTP, 4294967295u, "gtp:4294967295" },
		{ MM_PATH_TEREDO, 9, "teredo" },
	};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		struct mm_path path;
		mm_path_clear(&path);
		mm_path_add(&path, kinds[i].kind, kinds[i].id);
		assert_text(&path, kinds[i].text);
	}
}

static void test_order(void **state)
{
	(void)state;
	struct mm_path path = { .len = 0 };
	assert_text(&path, "");
	mm_path_add(&path, MM_PATH_VLAN, 100);
	mm_path_add(&path, MM_PATH_IP, 0);
	mm_path_add(&path, MM_PATH_GRE, 0);
	mm_path_add(&path, MM_PATH_ERSPAN, 7);
	mm_path_add(&path, MM_PATH_VLAN, 12);
	assert_text(&path, "vlan:100/ip/gre/erspan:7/vlan:12");
}

/* What lay in the bytes of an empty path is of no account: paths with the same items are the same bytes. */
static void test_compare(void **state)
{
	(void)state;
	struct mm_path a, b, c;
	memset(&a, 0xa5, sizeof a);
	memset(&b, 0, sizeof b);
	mm_path_clear(&a);
	mm_path_copy(&c, &a);
	assert_int_equal(c.len, 0);
	assert_text(&a, "");
	mm_path_add(&a, MM_PATH_GTP, 5);
	mm_path_add(&b, MM_PATH_GTP, 5);
	mm_path_copy(&c, &a);
	assert_memory_equal(&a, &b, sizeof a);
	assert_memory_equal(&c, &b, sizeof c);
}

/* 30 bytes: ten tags, or six keys; the longest text; and nothing behind the place where it was cut. */
static void test_full(void **state)
{
	(void)state;
	struct mm_path path = { .len = 0 };
	for (uint32_t i = 1; i <= 10; i++)
		mm_path_add(&path, MM_PATH_VLAN, i);
	assert_text(
	        &path, "vlan:1/vlan:2/vlan:3/vlan:4/vlan:5/vlan:6/vlan:7/vlan:8/vlan:9/vlan:10");
	mm_path_add(&path, MM_PATH_IP, 0);
	assert_text(&path,
	        "vlan:1/vlan:2/vlan:3/vlan:4/vlan:5/vlan:6/vlan:7/vlan:8/vlan:9/vlan:10/...");
	mm_path_clear(&path);
	mm_path_add(&path, MM_PATH_IP, 0);
	for (uint32_t i = 1; i <= 6; i++)
		mm_path_add(&path, MM_PATH_GRE_KEY, i);
	mm_path_add(&path, MM_PATH_IP, 0); /* would fit */
	assert_text(&path, "ip/gre:1/gre:2/gre:3/gre:4/gre:5/...");
	mm_path_clear(&path);
	for (int i = 0; i < 31; i++)
		mm_path_add(&path, MM_PATH_TEREDO, 0);
	char text[MM_PATH_TEXT];
	assert_int_equal(strlen(mm_path_text(&path, text)), 30 * 7 - 1 + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_full),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
