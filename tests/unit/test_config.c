/* The configuration file in memory: all or nothing, what reloading changes, and every prefix and flipped bit. What is
 * told of wrong files is in tests/golden/config.t. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conf/file.h"
#include "guard.h"
#include "mintmark/mintmark.h"
#include "score/weights.h"

enum { LINES_MAX = 32 };

static struct mm_config config, before;
static char lines[LINES_MAX][512];
static size_t n_lines;

static void take_line(void *arg, const char *line)
{
	assert_ptr_equal(arg, lines);
	assert_null(strchr(line, '\n'));
	assert_true(n_lines < LINES_MAX);
	snprintf(lines[n_lines++], sizeof lines[0], "%s", line);
}

static int set_up(void **state)
{
	(void)state;
	n_lines = 0;
	mm_config_init(&config);
	mm_config_init(&before);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mm_config_done(&config);
	mm_config_done(&before);
	return 0;
}

typedef int read_fn(struct mm_config *config, FILE *stream, const char *name,
        mm_config_tell_fn *tell, void *arg);

static int with(read_fn *fn, const char *text, size_t len)
{
	char nothing = 0;
	/* fmemopen() refuses a length of 0 in older C libraries. */
	FILE *f = fmemopen(len != 0 ? (void *)(uintptr_t)text : &nothing, len != 0 ? len : 1, "r");
	assert_non_null(f);
	if (len == 0)
		(void)fgetc(f);
	int r = fn(&config, f, "F", take_line, lines);
	fclose(f);
	return r;
}

static int read_text(const char *text)
{
	return with(mm_config_read, text, strlen(text));
}

static int reload(const char *text)
{
	return with(mm_config_reload, text, strlen(text));
}

static void set(struct mm_config *c, const char *name, const char *value)
{
	char why[MM_OPTION_WHY];
	assert_int_equal(mm_config_set(c, name, value, why, sizeof why), MM_OK);
}

static void test_reads(void **state)
{
	(void)state;
	assert_int_equal(read_text("flow: { max: 100, udp_timeout: 2m }\n"
	                           "capture:\n  filter: port 88\n"
	                           "output:\n  min_band: high\n"),
	        MM_OK);
	assert_int_equal(n_lines, 0);
	assert_int_equal(config.flow_max, 100);
	assert_int_equal(config.flow_udp_timeout_s, 120);
	assert_string_equal(config.filter, "port 88");
	assert_int_equal(config.output_min_band, MM_BAND_HIGH);
	assert_int_equal(config.flow_tcp_timeout_s, 3600); /* not in the file */
}

/* A second file starts from the defaults, not from the first one. */
static void test_reading_starts_over(void **state)
{
	(void)state;
	assert_int_equal(read_text("flow: { max: 100 }\ncapture: { filter: tcp }\n"), MM_OK);
	assert_int_equal(read_text("ledger: { rows: 100 }\n"), MM_OK);
	assert_int_equal(config.flow_max, 262144);
	assert_null(config.filter);
	assert_int_equal(config.ledger_rows_max, 100);
}

static void test_all_or_nothing(void **state)
{
	(void)state;
	set(&config, "capture.filter", "udp");
	set(&before, "capture.filter", "udp");
	assert_int_equal(read_text("flow: { max: 100 }\ncapture: { filter: tcp }\n"
	                           "ledger: { rows: none }\n"),
	        MM_ERR_USAGE);
	assert_int_equal(n_lines, 1);
	assert_string_equal(
	        lines[0], "F:3: ledger.rows: \"none\" is no count from 16 to 1000000000");
	assert_int_equal(mm_config_diff(&config, &before, NULL, NULL), 0);
	/* A file that breaks off behind what was right. */
	assert_int_equal(read_text("flow: { max: 100 }\noutput: { events: \"no\n"), MM_ERR_USAGE);
	assert_int_equal(mm_config_diff(&config, &before, NULL, NULL), 0);
}

static void test_command_line_wins(void **state)
{
	(void)state;
	set(&config, "flow.max", "200");
	set(&config, "capture.filter", "udp");
	assert_int_equal(
	        read_text("flow: { max: 100, buffer: 2M }\ncapture: { filter: tcp }\n"), MM_OK);
	assert_int_equal(config.flow_max, 200);
	assert_string_equal(config.filter, "udp");
	assert_int_equal(config.flow_buffer_b, 2 << 20);
	/* Also when it is read again. */
	assert_int_equal(reload("output: { events: no }\nflow: { max: 50, buffer: 2M }\n"), 1);
	assert_int_equal(config.flow_max, 200);
	assert_string_equal(config.filter, "udp");
	assert_int_equal(config.output_events, 0);
}

static void test_reload(void **state)
{
	(void)state;
	assert_int_equal(read_text("flow: { max: 100, udp_timeout: 2m }\n"), MM_OK);
	assert_int_equal(reload("flow: { max: 200, tcp_timeout: 10m }\noutput: { min_band: low }\n"
	                        "capture: { filter: tcp }\n"),
	        3);
	assert_int_equal(n_lines, 5);
	assert_string_equal(lines[0], "capture.filter: changed, takes effect after a restart");
	assert_string_equal(lines[1], "flow.max: changed, takes effect after a restart");
	assert_string_equal(lines[2], "flow.udp_timeout: changed");
	assert_string_equal(lines[3], "flow.tcp_timeout: changed");
	assert_string_equal(lines[4], "output.min_band: changed");
	assert_int_equal(config.flow_max, 100);          /* in force until a restart */
	assert_null(config.filter);                      /* the same */
	assert_int_equal(config.flow_udp_timeout_s, 30); /* back to its default */
	assert_int_equal(config.flow_tcp_timeout_s, 600);
	assert_int_equal(config.output_min_band, MM_BAND_LOW);
	/* What waits for a restart is told each time, for it is still so; what changed is not. */
	n_lines = 0;
	assert_int_equal(
	        reload("flow: { max: 200, tcp_timeout: 10m }\noutput: { min_band: low }\n"), 0);
	assert_int_equal(n_lines, 1);
	assert_string_equal(lines[0], "flow.max: changed, takes effect after a restart");
}

static void test_reload_of_a_bad_file(void **state)
{
	(void)state;
	assert_int_equal(read_text("flow: { max: 100, udp_timeout: 2m }\n"), MM_OK);
	assert_int_equal(reload("flow: { udp_timeout: 3m, max: 0 }\n"), MM_ERR_USAGE);
	assert_int_equal(n_lines, 1);
	assert_string_equal(lines[0], "F:1: flow.max: \"0\" is no count from 16 to 1000000000");
	assert_int_equal(config.flow_udp_timeout_s, 120);
	assert_int_equal(config.flow_max, 100);
	assert_int_equal(reload(""), MM_ERR_USAGE);
	assert_int_equal(config.flow_udp_timeout_s, 120);
}

static void test_unreadable(void **state)
{
	(void)state;
	FILE *f = fopen("/", "r");
	assert_non_null(f);
	assert_int_equal(mm_config_read(&config, f, "F", take_line, lines), MM_ERR_IO);
	fclose(f);
	assert_int_equal(n_lines, 1);
	assert_string_equal(lines[0], "F: Is a directory");
}

/* Every row of the table, with a value that is not its default, through what is dumped. */
static void test_dump_is_read_back(void **state)
{
	(void)state;
	static const char *const words[] = { "17", "77777", "12345", "301", "no", "low", "port 88",
		"2026-01-31T12:00:00Z", "1000000", "adapter" };
	char text[32768], why[MM_OPTION_WHY];
	for (const struct mm_option *o = mm_options; o->name != NULL; o++) {
		size_t i = 0;
		while (i < sizeof words / sizeof words[0] &&
		        (mm_config_set(&config, o->name, words[i], why, sizeof why) != MM_OK ||
		                mm_option_equal(o, &config, &before)))
			i++;
		assert_false(mm_option_equal(o, &config, &before)); /* no word suits: add one */
	}
	FILE *f = fmemopen(text, sizeof text, "w");
	assert_non_null(f);
	mm_config_dump(&config, f);
	assert_int_equal(fclose(f), 0);
	mm_config_done(&before);
	before = config;
	mm_config_init(&config);
	assert_int_equal(read_text(text), MM_OK);
	assert_int_equal(mm_config_diff(&config, &before, NULL, NULL), 0);
}

static void test_table_is_bounded(void **state)
{
	(void)state;
	size_t n = 0;
	while (mm_options[n].name != NULL) {
		assert_true(strlen(mm_options[n].name) < 64);
		n++;
	}
	assert_true(n <= MM_OPTIONS_MAX);
}

static int through(int (*fn)(struct mintmark *m, FILE *stream, const char *name),
        struct mintmark *m, const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	assert_non_null(f);
	int r = fn(m, f, "F");
	fclose(f);
	return r;
}

/* The same through the public API: what is told, and what is in force then. */
static void test_engine(void **state)
{
	(void)state;
	char text[32768];
	struct mintmark *m = mintmark_new();
	assert_non_null(m);
	mintmark_on_complaint(m, take_line, lines);
	assert_true(through(mintmark_reload_config, m, "flow: { max: 100 }\n") < 0);
	assert_int_equal(through(mintmark_read_config, m, "flow: { max: 100 }\n"), 0);
	assert_string_equal(mintmark_error(m), "");
	assert_true(through(mintmark_read_config, m, "flow: { max: 1 }\n") < 0);
	assert_string_equal(
	        mintmark_error(m), "F:1: flow.max: \"1\" is no count from 16 to 1000000000");
	assert_int_equal(n_lines, 1);
	assert_int_equal(mintmark_start(m), 0);
	assert_true(through(mintmark_read_config, m, "flow: { max: 100 }\n") < 0);
	assert_int_equal(
	        through(mintmark_reload_config, m, "flow: { udp_timeout: 7s, max: 200 }\n"), 1);
	assert_string_equal(mintmark_error(m), "");
	assert_int_equal(n_lines, 3);
	FILE *f = fmemopen(text, sizeof text, "w");
	assert_non_null(f);
	mintmark_dump_config(m, f);
	assert_int_equal(fclose(f), 0);
	assert_non_null(strstr(text, "\n  max: 100\n"));
	assert_non_null(strstr(text, "\n  udp_timeout: 7s\n"));
	mintmark_free(m);
}

/* What the engine lowers by itself did not change in the file. */
static void test_reload_under_a_memory_limit(void **state)
{
	(void)state;
	static const char text[] = "engine: { max_memory: 64M }\n";
	struct mintmark *m = mintmark_new();
	assert_non_null(m);
	mintmark_on_complaint(m, take_line, lines);
	assert_int_equal(through(mintmark_read_config, m, text), 0);
	assert_int_equal(mintmark_set(m, "process.sandbox", "no"), 0);
	assert_int_equal(mintmark_start(m), 0);
	assert_int_equal(through(mintmark_reload_config, m, text), 0);
	assert_int_equal(n_lines, 0);
	mintmark_free(m);
}

static const char sample[] = "%YAML 1.1\n---\n"
                             "flow: { max: 100, 'buffer': \"2M\" } # words\n"
                             "capture:\n  filter: |\n    port 88 or\n    port 445\n"
                             "ledger:\n  ? rows\n  : 100\n  complete_since: 2026-01-31T12:00:00Z\n"
                             "output: &a\n  events: !!bool no\n  min_band: *a\n"
                             "x: [[a, b], {c: \"\\u00fc\\x00\"}]\n...\n";

static void no_crash(void *arg, struct mm_slice input)
{
	(void)arg;
	n_lines = 0;
	int r = with(mm_config_read, (const char *)input.p, input.len);
	assert_true(r == MM_OK || (r == MM_ERR_USAGE && n_lines != 0));
	if (r != MM_OK)
		assert_int_equal(mm_config_diff(&config, &before, NULL, NULL), 0);
	mm_config_done(&config);
	mm_config_init(&config);
}

static void test_every_prefix(void **state)
{
	(void)state;
	guard_every_prefix((const uint8_t *)sample, sizeof sample - 1, no_crash, NULL);
}

static void test_every_bitflip(void **state)
{
	(void)state;
	guard_every_bitflip((const uint8_t *)sample, sizeof sample - 1, no_crash, NULL);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_reads),
		CASE(test_reading_starts_over),
		CASE(test_all_or_nothing),
		CASE(test_command_line_wins),
		CASE(test_reload),
		CASE(test_reload_of_a_bad_file),
		CASE(test_unreadable),
		CASE(test_dump_is_read_back),
		CASE(test_engine),
		CASE(test_reload_under_a_memory_limit),
		CASE(test_table_is_bounded),
		CASE(test_every_prefix),
		CASE(test_every_bitflip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
