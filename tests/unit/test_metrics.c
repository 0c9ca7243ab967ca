/* Metrics: each counter of each struct comes out once, names are what Prometheus takes, and the file is replaced whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output/metrics.h"

enum { FIRST = 1000000, PROTOS_MAX = 64, TWO = 2 };

static struct mm_buf out;
static struct mm_process_stats process;
static struct mm_decode_stats decode;
static struct mm_flow_stats flow;
static struct mm_event_stats events;
static struct mm_ledger_stats ledger;
static struct mm_finding_stats findings;
static struct mm_flow_proto_stats protos[PROTOS_MAX];
static struct mm_source_stats sources[TWO];
static struct mm_worker_stats workers[TWO];
static const char *names[TWO];
static uint64_t next_value;

static int tear_down(void **state)
{
	(void)state;
	mm_buf_done(&out);
	return 0;
}

/* Every word of the struct becomes a number that no other has. */
static void fill(void *p, size_t size)
{
	assert_int_equal(size % sizeof(uint64_t), 0);
	for (size_t i = 0; i < size / sizeof(uint64_t); i++, next_value++)
		memcpy((char *)p + i * sizeof next_value, &next_value, sizeof next_value);
}

static size_t n_protos(void)
{
	size_t n = 0;
	while (mm_dissectors[n] != NULL)
		n++;
	assert_true(n <= PROTOS_MAX);
	return n;
}

static struct mm_metrics_in all(void)
{
	next_value = FIRST;
	fill(&decode, sizeof decode);
	fill(&flow, sizeof flow);
	fill(&events, sizeof events);
	fill(&ledger, sizeof ledger);
	fill(&findings, sizeof findings);
	fill(protos, n_protos() * sizeof *protos);
	fill(sources, sizeof sources);
	fill(workers, sizeof workers);
	process = (struct mm_process_stats){ UINT64_C(1700000000123456789), 5, 77 };
	names[0] = "one.pcap";
	names[1] = "eth0";
	return (struct mm_metrics_in){ .version = "1.2.3",
		.process = &process,
		.decode = &decode,
		.flow = &flow,
		.events = &events,
		.ledger = &ledger,
		.findings = &findings,
		.protos = protos,
		.sources = sources,
		.source_names = names,
		.n_sources = TWO,
		.workers = workers,
		.n_workers = TWO };
}

static size_t count(const char *what)
{
	size_t n = 0;
	for (const char *p = out.p; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

/* A field without a row in the table would be missing, a row with a wrong field there twice. */
static void every_value_once(void)
{
	char line[32];
	for (uint64_t v = FIRST; v < next_value; v++) {
		snprintf(line, sizeof line, " %llu\n", (unsigned long long)v);
		assert_int_equal(count(line), 1);
	}
}

static void test_every_counter_prometheus(void **state)
{
	(void)state;
	struct mm_metrics_in in = all();
	mm_metrics_prometheus(&out, &in);
	assert_false(out.failed);
	every_value_once();
	assert_int_equal(count("mintmark_build_info{version=\"1.2.3\"} 1\n"), 1);
	assert_int_equal(count("_start_seconds 1700000000.123456789\n"), 1);
	assert_int_equal(count("mintmark_packet_time_seconds 0.000000005\n"), 1);
	assert_int_equal(count("mintmark_resident_max_bytes 77\n"), 1);
	assert_int_equal(count("{index=\"1\",source=\"eth0\"} "), 8);
	assert_int_equal(count("{worker=\"0\"} "), 5);
}

static void test_every_counter_text(void **state)
{
	(void)state;
	struct mm_metrics_in in = all();
	mm_metrics_text(&out, &in);
	every_value_once();
	assert_int_equal(count("#"), 0);
}

static void test_what_is_not_there(void **state)
{
	(void)state;
	const struct mm_metrics_in nothing = { .version = "1" };
	mm_metrics_prometheus(&out, &nothing);
	assert_string_equal(out.p, "# HELP mintmark_build_info 1, with the version\n"
	                           "# TYPE mintmark_build_info gauge\n"
	                           "mintmark_build_info{version=\"1\"} 1\n");
	mm_buf_reset(&out);
	struct mm_metrics_in in = all();
	in.n_workers = 0; /* no head without a sample */
	in.flow = NULL;
	mm_metrics_prometheus(&out, &in);
	assert_int_equal(count("mintmark_worker"), 0);
	assert_int_equal(count("mintmark_flows_total"), 0);
	assert_int_equal(
	        count("# TYPE mintmark_packets_total counter\nmintmark_packets_total "), 1);
}

static void test_label_escapes(void **state)
{
	(void)state;
	struct mm_metrics_in in = all();
	names[0] = "a\\b\"c\nd\te\xff\x1b[2J\xc3\xbc";
	names[1] = "";
	mm_metrics_prometheus(&out, &in);
	assert_int_equal(count("{index=\"0\",source=\"a\\\\b\\\"c\\nd?e??[2J\xc3\xbc\"} "), 8);
	assert_int_equal(count("{index=\"1\",source=\"\"} "), 8);
}

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);
	return n > m && strcmp(name + n - m, end) == 0;
}

/* https://prometheus.io/docs/practices/naming/ */
static void test_table(void **state)
{
	(void)state;
	for (const struct mm_metric *m = mm_metrics; m->name != NULL; m++) {
		assert_int_equal(strncmp(m->name, "mintmark_", 9), 0);
		assert_int_equal(
		        strspn(m->name, "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(m->name));
		assert_true(ends_in(m->name, "_total") == (m->type == MM_COUNTER));
		assert_true(!m->nanoseconds || ends_in(m->name, "_seconds"));
		assert_null(strpbrk(m->help, "\\\n\t"));
		bool same = m != mm_metrics && strcmp(m[-1].name, m->name) == 0;
		if (same) {
			assert_string_equal(m[-1].help, m->help);
			assert_string_equal(m[-1].label, m->label);
			assert_true(m[-1].type == m->type && m[-1].group == m->group);
		}
		for (const struct mm_metric *p = mm_metrics; p < m - 1 && !same; p++)
			assert_string_not_equal(p->name, m->name);
		for (const struct mm_metric *p = mm_metrics; p < m; p++)
			assert_true(strcmp(p->name, m->name) != 0 || strcmp(p->word, m->word) != 0);
	}
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void assert_file(const char *path, const char *text)
{
	char got[64] = "";
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	got[fread(got, 1, sizeof got - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(got, text);
}

static void test_save(void **state)
{
	(void)state;
	char dir[] = "/tmp/mintmark-test-XXXXXX";
	struct stat st;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	mm_buf_str(&out, "new\n");
	put_file("file", "old\n");
	put_file("other", "untouched\n");
	assert_int_equal(symlink("other", ".file.tmp"), 0); /* not followed */
	assert_int_equal(mm_metrics_save("file", &out), MM_OK);
	assert_file("file", "new\n");
	assert_file("other", "untouched\n");
	assert_int_equal(lstat(".file.tmp", &st), -1);
	assert_int_equal(mm_metrics_save("./second", &out), MM_OK);
	assert_file("second", "new\n");
	/* What fails leaves things as they were. */
	assert_int_equal(mkdir("directory", 0700), 0);
	assert_int_equal(mm_metrics_save("directory", &out), MM_ERR_IO);
	assert_int_equal(errno, EISDIR);
	assert_int_equal(lstat(".directory.tmp", &st), -1);
	assert_int_equal(mm_metrics_save("none/file", &out), MM_ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(mkdir(".file.tmp", 0700), 0); /* in the way */
	mm_buf_str(&out, "newer\n");
	assert_int_equal(mm_metrics_save("file", &out), MM_ERR_IO);
	assert_int_equal(errno, EEXIST);
	assert_file("file", "new\n");
	out.failed = true; /* cut: not to be written */
	assert_int_equal(mm_metrics_save("second", &out), MM_ERR_NOMEM);
	assert_file("second", "new\n");
	assert_true(unlink("file") == 0 && unlink("other") == 0 && unlink("second") == 0 &&
	            rmdir("directory") == 0 && rmdir(".file.tmp") == 0 && chdir("/") == 0 &&
	            rmdir(dir) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_every_counter_prometheus, tear_down),
		cmocka_unit_test_teardown(test_every_counter_text, tear_down),
		cmocka_unit_test_teardown(test_what_is_not_there, tear_down),
		cmocka_unit_test_teardown(test_label_escapes, tear_down),
		cmocka_unit_test_teardown(test_table, tear_down),
		cmocka_unit_test_teardown(test_save, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
