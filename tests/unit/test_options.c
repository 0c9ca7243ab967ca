/* Options: defaults, units, limits, and what is told of a bad value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "capture/live.h"
#include "conf/options.h"
#include "score/weights.h"

static struct mm_config config;
static char why[256];

static int set_up(void **state)
{
	(void)state;
	why[0] = '\0';
	mm_config_init(&config);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mm_config_done(&config);
	return 0;
}

static int set(const char *name, const char *value)
{
	return mm_config_set(&config, name, value, why, sizeof why);
}

/* The defaults as their help texts and the table tell them. */
static void test_defaults(void **state)
{
	(void)state;
	assert_null(config.filter);
	assert_int_equal(config.capture_ring_b, 64 * 1024 * 1024);
	assert_int_equal(config.capture_snaplen_b, MM_CAPTURE_SNAPLEN);
	assert_int_equal(config.capture_promiscuous, 1);
	assert_int_equal(config.capture_timestamps, MM_LIVE_HOST);
	assert_int_equal(config.flow_max, 262144);
	assert_int_equal(config.flow_buffer_b, 1024 * 1024);
	assert_int_equal(config.flow_buffer_total_b, 256 * 1024 * 1024);
	assert_int_equal(config.flow_udp_timeout_s, 30);
	assert_int_equal(config.flow_tcp_timeout_s, 3600);
	assert_int_equal(config.flow_copy_window_ms, 50);
	assert_int_equal(config.ledger_ticket_lifetime_s, 36000);
	assert_int_equal(config.output_min_band, MM_BAND_MEDIUM);
	assert_int_equal(config.output_events, 1);
}

/* conf/ may not include capture/: its limits and its order of clocks are held together here. */
static void test_live_capture(void **state)
{
	(void)state;
	char bytes[32];
	static const struct {
		const char *name;
		enum mm_live_stamps stamps;
	} clocks[] = { { "host", MM_LIVE_HOST }, { "adapter", MM_LIVE_ADAPTER },
		{ "adapter_unsynced", MM_LIVE_ADAPTER_UNSYNCED } };
	for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
		assert_int_equal(set("capture.timestamps", clocks[i].name), MM_OK);
		assert_int_equal(config.capture_timestamps, clocks[i].stamps);
	}
	assert_int_equal(set("capture.timestamps", "sun"), MM_ERR_USAGE);
	assert_string_equal(
	        why, "capture.timestamps: \"sun\" is no clock (host, adapter, adapter_unsynced)");

	snprintf(bytes, sizeof bytes, "%d", MM_LIVE_RING_MAX);
	assert_int_equal(set("capture.ring", bytes), MM_OK);
	snprintf(bytes, sizeof bytes, "%d", MM_LIVE_RING_MAX + 1);
	assert_int_equal(set("capture.ring", bytes), MM_ERR_USAGE);
	snprintf(bytes, sizeof bytes, "%d", MM_LIVE_RING_MIN - 1);
	assert_int_equal(set("capture.ring", bytes), MM_ERR_USAGE);
	snprintf(bytes, sizeof bytes, "%d", MM_CAPTURE_SNAPLEN + 1);
	assert_int_equal(set("capture.snaplen", bytes), MM_ERR_USAGE);
}

/* Every default is a value that its own option takes: a typing error in the table would leave zero. */
static void test_every_default_is_valid(void **state)
{
	(void)state;
	for (const struct mm_option *o = mm_options; o->name != NULL; o++) {
		assert_non_null(strchr(o->name, '.'));
		assert_true(o->help != NULL && o->help[0] != '\0');
		if (o->value != NULL)
			assert_int_equal(set(o->name, o->value), MM_OK);
		assert_true(o->min <= o->max);
		for (const struct mm_option *p = o + 1; p->name != NULL; p++)
			assert_true(strcmp(o->name, p->name) != 0 && o->offset != p->offset);
	}
}

static void test_units(void **state)
{
	(void)state;
	assert_int_equal(set("flow.buffer", "64K"), MM_OK);
	assert_int_equal(config.flow_buffer_b, 65536);
	assert_int_equal(set("flow.buffer", "1G"), MM_OK);
	assert_int_equal(config.flow_buffer_b, 1073741824);
	assert_int_equal(set("flow.tcp_timeout", "2h"), MM_OK);
	assert_int_equal(config.flow_tcp_timeout_s, 7200);
	assert_int_equal(set("ledger.ticket_lifetime", "7d"), MM_OK);
	assert_int_equal(config.ledger_ticket_lifetime_s, 604800);
	assert_int_equal(set("flow.udp_timeout", "5m"), MM_OK);
	assert_int_equal(config.flow_udp_timeout_s, 300);
	assert_int_equal(set("flow.udp_timeout", "45"), MM_OK);
	assert_int_equal(config.flow_udp_timeout_s, 45);
	assert_int_equal(set("engine.merge_hold", "0"), MM_OK);
	assert_int_equal(config.merge_hold_ms, 0);
}

static void test_words(void **state)
{
	(void)state;
	assert_int_equal(set("output.min_band", "critical"), MM_OK);
	assert_int_equal(config.output_min_band, MM_BAND_CRITICAL);
	assert_int_equal(set("output.events", "no"), MM_OK);
	assert_int_equal(config.output_events, 0);
	assert_int_equal(set("output.events", "true"), MM_OK);
	assert_int_equal(config.output_events, 1);
	assert_int_equal(set("capture.filter", "port 88"), MM_OK);
	assert_int_equal(set("capture.filter", "port 445"), MM_OK); /* the first is freed */
	assert_string_equal(config.filter, "port 445");
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
	} bad[] = {
		{ "flow.max", "" },
		{ "flow.max", "abc" },
		{ "flow.max", "15" }, /* below the least */
		{ "flow.max", "1000000001" },
		{ "flow.max", "-1" },
		{ "flow.max", "1K" }, /* a count has no unit */
		{ "flow.max", "100 " },
		{ "flow.max", " 100" },
		{ "flow.max", "+100" },
		{ "flow.buffer", "1T" },
		{ "flow.buffer", "1KB" },
		{ "flow.buffer", "9223372036854775807G" }, /* overflows */
		{ "flow.buffer", "99999999999999999999" },
		{ "flow.udp_timeout", "0" },
		{ "flow.udp_timeout", "1w" },
		{ "output.min_band", "High" },
		{ "output.events", "maybe" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const struct mm_config before = config;
		why[0] = '\0';
		assert_int_equal(set(bad[i].name, bad[i].value), MM_ERR_USAGE);
		assert_non_null(strstr(why, bad[i].name)); /* which, and nothing changed */
		assert_memory_equal(&before, &config, sizeof config);
	}
}

static void test_unknown_name(void **state)
{
	(void)state;
	assert_int_equal(set("flow.maximum", "100"), MM_ERR_USAGE);
	assert_non_null(strstr(why, "flow.maximum"));
	assert_int_equal(set("", "1"), MM_ERR_USAGE);
}

static void test_what_was_meant(void **state)
{
	(void)state;
	static const struct {
		const char *name, *near;
	} words[] = {
		{ "flow.maximum", NULL },
		{ "flow.mx", "flow.max" },
		{ "flow.bufer", "flow.buffer" },
		{ "flwo.udp_timeout", "flow.udp_timeout" },
		{ "legder.rows", "ledger.rows" },
		{ "output.rows", "ledger.rows" },
		{ "flow.tcp-timeout", "flow.tcp_timeout" },
		{ "output.ticketlifetime", "ledger.ticket_lifetime" },
		{ "flow.", NULL },
		{ ".", NULL },
		{ "", NULL },
	};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		const struct mm_option *o = mm_option_near(words[i].name);
		if (words[i].near == NULL)
			assert_null(o);
		else
			assert_string_equal(o->name, words[i].near);
	}
	assert_int_equal(set("flow.mx", "100"), MM_ERR_USAGE);
	assert_string_equal(why, "no option flow.mx; did you mean flow.max?");
	assert_int_equal(mm_option_section_len(mm_option_near_section("outptu")), 6);
	assert_null(mm_option_near_section("kerberos"));
}

/* RFC 3629: what a YAML file could not hold is refused from the command line, too. */
static void test_text_is_utf8(void **state)
{
	(void)state;
	static const char *const bad[] = { "\xff", "a\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf",
		"\xed\xa0\x80", "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80" };
	static const char *const good[] = { "", "a", "\xc3\xbc", "\xe2\x82\xac", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(set("capture.filter", bad[i]), MM_ERR_USAGE);
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_int_equal(set("capture.filter", good[i]), MM_OK);
}

static void test_limits_are_told(void **state)
{
	(void)state;
	assert_int_equal(set("flow.udp_timeout", "100000"), MM_ERR_USAGE);
	assert_non_null(strstr(why, "86400"));
	assert_non_null(strstr(why, "100000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_live_capture, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_default_is_valid, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_units, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unknown_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_was_meant, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_text_is_utf8, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limits_are_told, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
