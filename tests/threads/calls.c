/* libmintmark with workers, called in every order, and stopped, paused and broken in the middle: each case ends, and says what it
 * says without workers. Built with ThreadSanitizer it also shows that nobody touches what is another's; that build is the one that
 * finds most. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* fopencookie */
#endif
#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mintmark/mintmark.h>

enum { PATH_ROOM = 4096 };

static const char *const worker_counts[] = { "0", "1", "2", "3", "8" };
enum { N_COUNTS = sizeof worker_counts / sizeof worker_counts[0] };

static char hour[PATH_ROOM], day[PATH_ROOM], snaplen[PATH_ROOM];
static unsigned n_results;
static bool all_ok = true;

static void result(bool ok, const char *name, const char *workers)
{
	printf("%s %u - %s, %s workers\n", ok ? "ok" : "not ok", ++n_results, name, workers);
	all_ok = all_ok && ok;
}

/* What one context was told. */
struct told {
	char *text;
	size_t len;
	FILE *stream;
	atomic_int inside, n_records, n_complaints, n_progress;
	atomic_bool two_at_a_time;
	struct mintmark *m;
	int stop_at, pause_at; /* record at which; 0: never */
	bool call_back;        /* what is not allowed */
	int wrongly_allowed;
};

static void enter(struct told *t)
{
	if (atomic_fetch_add(&t->inside, 1) != 0)
		t->two_at_a_time = true;
}

static void leave(struct told *t)
{
	atomic_fetch_sub(&t->inside, 1);
}

static void on_record(void *arg, const struct mintmark_record *record)
{
	struct told *t = arg;
	static const struct mintmark_packet none = { .number = 1 };
	enter(t);
	(void)record;
	int n = ++t->n_records;
	if (n == t->stop_at)
		mintmark_stop(t->m);
	if (t->pause_at != 0 && n % t->pause_at == 0)
		mintmark_pause(t->m);
	if (t->call_back && n % 100 == 0)
		t->wrongly_allowed += mintmark_feed(t->m, &none) == 0 ||
		                      mintmark_finish(t->m) == 0 || mintmark_run(t->m) == 0;
	leave(t);
}

static void on_complaint(void *arg, const char *line)
{
	struct told *t = arg;
	enter(t);
	(void)line;
	t->n_complaints++;
	leave(t);
}

static void on_progress(void *arg, const struct mintmark_progress *progress)
{
	struct told *t = arg;
	enter(t);
	(void)progress;
	t->n_progress++;
	leave(t);
}

static struct mintmark *begin(struct told *t, const char *workers)
{
	*t = (struct told){ .m = mintmark_new() };
	t->stream = open_memstream(&t->text, &t->len);
	if (t->m == NULL || t->stream == NULL ||
	        mintmark_set(t->m, "engine.workers", workers) != 0 ||
	        mintmark_add_output(t->m, MINTMARK_NDJSON, t->stream) != 0)
		abort();
	mintmark_on_record(t->m, on_record, t);
	mintmark_on_complaint(t->m, on_complaint, t);
	mintmark_on_progress(t->m, on_progress, t);
	return t->m;
}

static void end(struct told *t)
{
	mintmark_free(t->m);
	fclose(t->stream);
	free(t->text);
}

static void start(struct mintmark *m, const char *path)
{
	if ((path != NULL && mintmark_add_capture(m, path) != 0) || mintmark_start(m) != 0)
		abort();
}

static bool same(const struct told *a, const struct told *b)
{
	fflush(a->stream);
	fflush(b->stream);
	return a->len != 0 && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* Every packet of benign-hour by mintmark_feed(). How many records came before the end. */
static int feed_all(struct told *t)
{
	char why[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *data;
	pcap_t *p = pcap_open_offline_with_tstamp_precision(hour, PCAP_TSTAMP_PRECISION_NANO, why);
	if (p == NULL)
		abort();
	struct mintmark_packet packet = { .source = mintmark_add_source(t->m, "fed") };
	start(t->m, NULL);
	while (pcap_next_ex(p, &head, &data) == 1) {
		packet.number++;
		packet.time_ns = head->ts.tv_sec * INT64_C(1000000000) + head->ts.tv_usec;
		packet.linktype = (uint32_t)pcap_datalink(p);
		packet.wire_len = head->len;
		packet.data = data;
		packet.len = head->caplen;
		if (mintmark_feed(t->m, &packet) != 0)
			abort();
	}
	pcap_close(p);
	int n = t->n_records;
	return mintmark_finish(t->m) == 0 ? n : -1;
}

/* A program that feeds packets is told of events as they are known, not at the end. */
static void test_feed(const char *workers)
{
	struct told alone, crew;
	begin(&alone, "0");
	begin(&crew, workers);
	int want = feed_all(&alone), got = feed_all(&crew);
	result(same(&alone, &crew), "packets that are fed give the same", workers);
	result(want > 0 && got == want, "and as soon", workers);
	end(&alone);
	end(&crew);
}

/* Time and again, while it runs, by whom the handle is not. */
static void *pause_often(void *arg)
{
	struct told *t = arg;
	for (int i = 0; i < 20; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
		mintmark_pause(t->m);
	}
	return NULL;
}

static void test_pause(const char *workers)
{
	struct told plain, paused;
	pthread_t thread;
	int n_pauses = 0, r;
	start(begin(&plain, "0"), day);
	bool ok = mintmark_run(plain.m) == 0 && mintmark_finish(plain.m) == 0;
	begin(&paused, workers);
	paused.pause_at = 100;
	start(paused.m, day);
	FILE *nowhere = fopen("/dev/null", "w");
	if (nowhere == NULL || pthread_create(&thread, NULL, pause_often, &paused) != 0)
		abort();
	while ((r = mintmark_run(paused.m)) == MINTMARK_PAUSED) {
		n_pauses++;
		ok = mintmark_write_metrics(paused.m, MINTMARK_METRICS_TEXT, nowhere) == 0 && ok;
	}
	pthread_join(thread, NULL);
	fclose(nowhere);
	ok = r == 0 && mintmark_finish(paused.m) == 0 && ok;
	result(ok && same(&plain, &paused), "pauses are not seen in the output", workers);
	result(n_pauses != 0, "and there were some", workers);
	end(&plain);
	end(&paused);
}

static void test_stop(const char *workers)
{
	struct told t;
	bool ok = true;
	for (int at = 1; at < 1000; at = at * 3) {
		begin(&t, workers);
		t.stop_at = at;
		start(t.m, day);
		ok = mintmark_run(t.m) == 0 && mintmark_finish(t.m) == 0 && ok;
		ok = t.n_records >= at && !t.two_at_a_time && ok;
		end(&t);
	}
	result(ok, "a stop ends the run, and what was read is told", workers);
}

/* What is not called, or not in order. */
static void test_orders(const char *workers)
{
	struct told t;
	begin(&t, workers);
	bool ok = mintmark_run(t.m) != 0 && mintmark_finish(t.m) != 0;
	end(&t);

	start(begin(&t, workers), day);
	end(&t); /* neither run nor finished */

	start(begin(&t, workers), day);
	ok = mintmark_finish(t.m) == 0 && mintmark_run(t.m) != 0 && mintmark_finish(t.m) != 0 && ok;
	end(&t);

	start(begin(&t, workers), day);
	ok = mintmark_run(t.m) == 0 && ok;
	end(&t); /* not finished */

	begin(&t, workers);
	t.stop_at = 1;
	start(t.m, day);
	ok = mintmark_run(t.m) == 0 && ok;
	end(&t);

	begin(&t, workers);
	t.pause_at = 50;
	start(t.m, day);
	ok = mintmark_run(t.m) == MINTMARK_PAUSED && ok;
	end(&t); /* not taken up again */

	start(begin(&t, workers), day);
	mintmark_stop(t.m);
	ok = mintmark_run(t.m) == 0 && mintmark_run(t.m) == 0 && mintmark_finish(t.m) == 0 && ok;
	ok = t.n_records == 0 && ok;
	end(&t);
	result(ok, "calls in every order", workers);
}

static ssize_t refuse(void *cookie, const char *buf, size_t size)
{
	(void)cookie;
	(void)buf;
	(void)size;
	errno = ENOSPC;
	return 0; /* as fopencookie(3) wants it */
}

/* The disk is full while others work. */
static void test_full(const char *workers)
{
	struct told t;
	FILE *full = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = refuse });
	begin(&t, workers);
	if (full == NULL || mintmark_add_output(t.m, MINTMARK_NDJSON, full) != 0)
		abort();
	start(t.m, day);
	bool ok = mintmark_run(t.m) < 0 && errno == ENOSPC;
	ok = strcmp(mintmark_error(t.m), "output: No space left on device") == 0 && ok;
	ok = mintmark_finish(t.m) < 0 && ok;
	end(&t);
	fclose(full);
	result(ok, "a full disk ends the run, and is told as such", workers);
}

/* Inputs that break off are told by whoever reads, while records are told by whoever analyses. */
static void test_callbacks(const char *workers)
{
	struct told t;
	char broken[] = "/tmp/mintmark-threads-XXXXXX";
	char block[65536];
	int fd = mkstemp(broken);
	FILE *in = fopen(hour, "r");
	size_t n = in == NULL ? 0 : fread(block, 1, sizeof block, in);
	if (fd < 0 || n != sizeof block || write(fd, block, n) != (ssize_t)n)
		abort();
	fclose(in);
	close(fd);
	begin(&t, workers);
	t.call_back = true;
	for (int i = 0; i < 8; i++)
		if (mintmark_add_capture(t.m, broken) != 0)
			abort();
	if (mintmark_add_capture(t.m, snaplen) != 0)
		abort();
	start(t.m, day);
	unlink(broken);
	bool ok = mintmark_run(t.m) < 0 && mintmark_finish(t.m) == 0;
	result(ok && t.n_complaints == 8, "each broken input is told", workers);
	result(!t.two_at_a_time, "callbacks come one at a time", workers);
	result(t.wrongly_allowed == 0, "and may not feed, run or finish", workers);
	end(&t);
}

/* Events at their least memory: most leave before their time, and none is lost. */
static void test_little_room(const char *workers)
{
	struct told plain, t;
	start(begin(&plain, "0"), day);
	bool ok = mintmark_run(plain.m) == 0 && mintmark_finish(plain.m) == 0;
	begin(&t, workers);
	if (mintmark_set(t.m, "engine.event_memory", "65536") != 0 ||
	        mintmark_set(t.m, "engine.merge_hold", "10000") != 0)
		abort();
	start(t.m, day);
	ok = mintmark_run(t.m) == 0 && mintmark_finish(t.m) == 0 && ok;
	result(ok && t.n_records >= plain.n_records, "no event is lost for want of room", workers);
	end(&plain);
	end(&t);
}

int main(void)
{
	const char *dir = getenv("top_srcdir");
	dir = dir == NULL ? "." : dir;
	snprintf(hour, sizeof hour, "%s/pcaps/benign-hour.pcapng", dir);
	snprintf(day, sizeof day, "%s/pcaps/benign-day.pcap.zst", dir);
	snprintf(snaplen, sizeof snaplen, "%s/pcaps/snaplen.pcap.zst", dir);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < N_COUNTS; i++) {
		test_feed(worker_counts[i]);
		test_pause(worker_counts[i]);
		test_stop(worker_counts[i]);
		test_orders(worker_counts[i]);
		test_full(worker_counts[i]);
		test_callbacks(worker_counts[i]);
		test_little_room(worker_counts[i]);
	}
	printf("1..%u\n", n_results);
	return all_ok ? 0 : 1;
}
