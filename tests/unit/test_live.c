/* Live capture, as far as it goes without an interface to read: what is refused, and in which words. The rest is in
 * tests/live/live.t. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/live.h"

enum { NOBODY = 65534 }; /* Debian's base-passwd */

static char why[256];

/* Must fail; out is then untouched. */
static int refused(const struct mm_live_config *config)
{
	struct mm_live *const none = NULL;
	struct mm_live *l = none;
	why[0] = '\0';
	errno = 0;
	int r = mm_live_open(config, 0, &l, why, sizeof why);
	assert_true(r < 0);
	assert_ptr_equal(l, none);
	return r;
}

static void test_unknown_interface(void **state)
{
	(void)state;
	assert_int_equal(refused(&(struct mm_live_config){ .interface = "mm-none7" }), MM_ERR_IO);
	assert_int_equal(errno, ENODEV);
	assert_string_equal(why, "mm-none7: no such interface");
}

/* Longer than the kernel's 15 characters; and what libpcap takes for a source, but is no interface. */
static void test_name_of_no_interface(void **state)
{
	(void)state;
	static const char *const names[] = { "", "an-interface-of-forty-characters-or-so-00",
		"any-interface-will-do", "nflog:5", "bluetooth-monitor", "rpcap://localhost/lo" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char want[256];
		snprintf(want, sizeof want, "%s: no such interface", names[i]);
		assert_int_equal(
		        refused(&(struct mm_live_config){ .interface = names[i] }), MM_ERR_IO);
		assert_string_equal(why, want);
	}
}

static void test_sizes_out_of_range(void **state)
{
	(void)state;
	struct mm_live_config config = { .interface = "any", .snaplen = MM_CAPTURE_SNAPLEN + 1 };
	assert_int_equal(refused(&config), MM_ERR_USAGE);
	assert_string_equal(why, "any: a packet has at most 262144 bytes");
	config = (struct mm_live_config){ .interface = "any",
		.ring_b = (uint64_t)MM_LIVE_RING_MAX + 1 };
	assert_int_equal(refused(&config), MM_ERR_USAGE);
	assert_string_equal(why, "any: a ring has at most 2146435072 bytes");
	config =
	        (struct mm_live_config){ .interface = "any", .n_members = MM_LIVE_MEMBERS_MAX + 1 };
	assert_int_equal(refused(&config), MM_ERR_USAGE);
	assert_string_equal(why, "any: at most 256 share an interface");
}

/* A why that is too short is cut, not overrun. */
static void test_short_why(void **state)
{
	(void)state;
	struct mm_live *l = NULL;
	char few[9] = "xxxxxxxx";
	const struct mm_live_config config = { .interface = "mm-none7" };
	assert_int_equal(mm_live_open(&config, 0, &l, few, 6), MM_ERR_IO);
	assert_memory_equal(few, "mm-no\0xx", sizeof few);
}

/* As the child of a test, without privileges: 0 when open and list say what they should. */
static int without_privileges(void)
{
	static const char want[] =
	        "no permission to capture: run as root or give the program cap_net_raw";
	char text[4096] = "";
	struct mm_live *l = NULL;
	const struct mm_live_config config = { .interface = "any" };
	if (getuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
		return 1;
	if (mm_live_open(&config, 0, &l, why, sizeof why) != MM_ERR_IO || errno != EPERM ||
	        strncmp(why, "any: ", 5) != 0 || strcmp(why + 5, want) != 0)
		return 2;
	FILE *out = fmemopen(text, sizeof text, "w");
	if (out == NULL || mm_live_list(out, why, sizeof why) != MM_OK || fclose(out) != 0)
		return 3;
	if (strcmp(why, want) != 0)
		return 4;
	if (strncmp(text, "interface\tlink type\tflags\tdescription\n", 38) != 0 ||
	        strstr(text, "\nany\tLinux cooked\t") == NULL)
		return 5;
	return 0;
}

static void test_no_permission(void **state)
{
	(void)state;
	int status;
	fflush(stdout);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(without_privileges());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_close_none(void **state)
{
	(void)state;
	mm_live_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_interface),
		cmocka_unit_test(test_name_of_no_interface),
		cmocka_unit_test(test_sizes_out_of_range),
		cmocka_unit_test(test_short_why),
		cmocka_unit_test(test_no_permission),
		cmocka_unit_test(test_close_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
