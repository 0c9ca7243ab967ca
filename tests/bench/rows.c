/* What a row of the ledger costs: bytes of the allocator and of RSS, nanoseconds to make, find and replace one.
 *
 * And what a snapshot of it takes.
 *
 * A day of a large site, simulated: each user obtains one TGT from his own host, and with it SERVICES_EACH service
 * tickets; then every ticket is presented. The same events pass through a ledger of few rows in another process: it
 * learns the same names, coverage and baselines, so what the first one takes beyond that is what rows take: the rows
 * themselves, their index, their LRU links, the order in which they end, and whatever they share. */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "state/state.h"

enum {
	FINDINGS_MAX = 4096, /* kept, as by default */
	ROWS = 1000000,
	SERVICES_EACH = 15,
	USERS = ROWS / (SERVICES_EACH + 1),
	SERVICES = 500,
	FEW = 16,
};

#define SECOND INT64_C(1000000000)

static struct mm_str name(char out[64], const char *before, uint32_t i, const char *after)
{
	int n = snprintf(out, 64, "%s%u%s", before, i, after);
	return (struct mm_str){ out, (size_t)n };
}

static struct mm_fp fp_of(uint32_t i)
{
	return mm_fp_of(mm_slice(&i, sizeof i));
}

static struct mm_endpoint host(uint32_t i)
{
	return (struct mm_endpoint){
		{ 4, { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } }, 50000
	};
}

static struct mm_event *begin(struct mm_event_room *room, uint32_t user, int64_t at_ns)
{
	struct mm_event *ev = mm_event_init(room);
	ev->protocol = ev->action = ev->transport = "bench";
	ev->src = host(user);
	ev->dst = host(0xfffffe);
	ev->request_ns = at_ns;
	ev->time_ns = ev->response_ns = ev->key_ns = at_ns + 1000;
	ev->response_pkt = (struct mm_pkt){ 0, (uint64_t)at_ns };
	ev->outcome = MM_SUCCESS;
	ev->reply_kvno = -1;
	return ev;
}

static struct mm_cred *show(struct mm_event *ev, enum mm_cred_role role, uint32_t user, uint32_t i,
        char service[64], char principal[64])
{
	struct mm_cred *cred = mm_event_cred(ev, role);
	cred->fp = fp_of(user * (SERVICES_EACH + 1) + i);
	cred->issuer = (struct mm_str){ "BENCH.TEST", 10 };
	cred->service = (struct mm_str){ "krbtgt/BENCH.TEST", 17 };
	cred->kind = MM_CRED_TGT;
	if (i != 0) {
		cred->service =
		        name(service, "cifs/server", (user * 7 + i * 13) % SERVICES, ".bench.test");
		cred->kind = MM_CRED_SERVICE;
	}
	cred->kvno = 3;
	cred->alg = 18;
	cred->name_type = 2;
	cred->length = 1000 + user % 200;
	if (role == MM_ROLE_ISSUED) {
		cred->principal = name(principal, "user", user, "");
		cred->principal_realm = (struct mm_str){ "BENCH.TEST", 10 };
	}
	return cred;
}

static void pass(struct mm_ledger *l, const struct mm_event *ev)
{
	struct mm_look look;
	mm_ledger_present(l, ev, &look);
	mm_ledger_settle(l, &look, true);
}

/* Everybody's tickets are issued, then all are presented, in another order. */
static void day(struct mm_ledger *l, struct mm_event_room *room)
{
	char service[2][64], principal[64];
	int64_t at_ns = 1000 * SECOND;
	for (uint32_t i = 0; i <= SERVICES_EACH; i++) {
		for (uint32_t user = 0; user < USERS; user++) {
			struct mm_event *ev = begin(room, user, at_ns += SECOND / 100);
			ev->kind = MM_EV_ISSUE;
			ev->stack = 1;
			ev->reply_alg = 18;
			if (i != 0)
				(void)show(ev, MM_ROLE_PRESENTED, user, 0, service[0], principal);
			(void)show(ev, MM_ROLE_ISSUED, user, i, service[1], principal);
			pass(l, ev);
		}
	}
	for (uint32_t user = 0; user < USERS; user++) {
		for (uint32_t i = 1; i <= SERVICES_EACH; i++) {
			struct mm_event *ev = begin(room, user, at_ns += SECOND / 100);
			ev->kind = MM_EV_PRESENT;
			(void)show(ev, MM_ROLE_PRESENTED, user, i, service[0], principal);
			pass(l, ev);
		}
	}
}

static size_t allocated(void)
{
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

static size_t resident(void)
{
	size_t pages = 0, all = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f != NULL && fscanf(f, "%zu %zu", &all, &pages) != 2)
		pages = 0;
	if (f != NULL)
		fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static double clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static double cpu_ms(void)
{
	return cpu_ns() / 1e6;
}

struct cost {
	size_t rows, allocated, resident;
	double pause_ms[2], write_ms, load_ms, snapshot_mb;
};

static struct mm_ledger *make(size_t rows)
{
	struct mm_ledger *l;
	struct mm_ledger_config config;
	mm_ledger_config_default(&config);
	config.key = (struct mm_hash_key){ 1, 2 };
	config.rows_max = rows;
	if (mm_ledger_new(&config, &l) != MM_OK)
		exit(1);
	return l;
}

/* A snapshot of it: how long packets wait while it is made, the first time and when the buffer is used again; what the
 * file takes, which nobody waits for. */
static void snapshot(struct mm_ledger *l, struct cost *cost)
{
	struct mm_hash_key key = { 3, 4 };
	struct mm_files files = { 0 };
	struct mm_store out = { 0 };
	struct mm_detect detect;
	const char *why;
	mm_detect_init(&detect, l, &key, FINDINGS_MAX);
	struct mm_state state = { l, &detect, &files, 0 };
	if (mm_files_add(&files, "bench") < 0)
		exit(1);
	for (size_t i = 0; i < 2; i++) {
		double start = cpu_ms();
		if (mm_state_serialise(&state, &out) != MM_OK)
			exit(1);
		cost->pause_ms[i] = cpu_ms() - start;
	}
	cost->snapshot_mb = (double)out.len / 1e6;
	FILE *f = tmpfile();
	double start = cpu_ms();
	if (f == NULL || mm_state_write(fileno(f), mm_slice(out.p, out.len)) != MM_OK)
		exit(1);
	cost->write_ms = cpu_ms() - start;
	size_t len = out.len + MM_STATE_DIGEST;
	uint8_t *bytes = malloc(len);
	if (bytes == NULL || pread(fileno(f), bytes, len, 0) != (ssize_t)len)
		exit(1);
	state.ledger = make(ROWS);
	start = cpu_ms();
	if (mm_state_parse(mm_slice(bytes, len), &state, &why) != MM_OK)
		exit(1);
	cost->load_ms = cpu_ms() - start;
}

/* What a day costs in a process of its own. */
static struct cost cost_of(size_t rows)
{
	struct cost cost = { 0 };
	int ends[2];
	if (pipe(ends) != 0)
		exit(1);
	pid_t child = fork();
	if (child == 0) {
		struct mm_event_room *room = calloc(1, sizeof *room);
		struct mm_ledger *l = make(rows);
		cost = (struct cost){ .allocated = allocated(), .resident = resident() };
		if (room == NULL)
			exit(1);
		day(l, room);
		cost = (struct cost){ .rows = l->rows.n,
			.allocated = allocated() - cost.allocated,
			.resident = resident() - cost.resident };
		if (rows != FEW)
			snapshot(l, &cost);
		exit(write(ends[1], &cost, sizeof cost) != (ssize_t)sizeof cost);
	}
	close(ends[1]);
	if (read(ends[0], &cost, sizeof cost) != (ssize_t)sizeof cost)
		exit(1);
	close(ends[0]);
	waitpid(child, NULL, 0);
	return cost;
}

/* A table as that of rows: make ROWS, find each in an order that no cache foresees, replace each by another. */
static void time_table(void)
{
	struct mm_table t;
	struct mm_hash_key key = { 1, 2 };
	struct mm_fp *fps = calloc(2 * ROWS, sizeof *fps);
	uint32_t at = 0, found = 0;
	if (fps == NULL)
		exit(1);
	for (uint32_t i = 0; i < 2 * ROWS; i++)
		fps[i] = fp_of(i);
	mm_table_init(&t, &key, sizeof *fps, sizeof(struct mm_row), ROWS);
	double start = cpu_ns();
	for (uint32_t i = 0; i < ROWS; i++)
		found += mm_table_put(&t, &fps[i], NULL) != NULL;
	double made = cpu_ns();
	for (uint32_t i = 0; i < ROWS; i++) {
		at = (at + 618033) % ROWS;
		found += mm_table_find(&t, &fps[at]) != NULL;
	}
	double looked = cpu_ns();
	for (uint32_t i = ROWS; i < 2 * ROWS; i++)
		found += mm_table_put(&t, &fps[i], NULL) != NULL;
	double replaced = cpu_ns();
	printf("ns to make a row             %.0f\n"
	       "ns to find one               %.0f\n"
	       "ns to replace the oldest     %.0f\n",
	        (made - start) / ROWS, (looked - made) / ROWS, (replaced - looked) / ROWS);
	if (found != 3 * ROWS)
		exit(1);
	mm_table_done(&t);
	free(fps);
}

int main(void)
{
	struct cost few = cost_of(FEW), full = cost_of(ROWS);
	double n = (double)full.rows;
	printf("rows                         %zu\n"
	       "bytes a row, allocated       %.1f\n"
	       "bytes a row, resident        %.1f\n",
	        full.rows, (double)(full.allocated - few.allocated) / n,
	        (double)full.resident / n - (double)few.resident / n);
	time_table();
	printf("snapshot, MB                 %.0f\n"
	       "CPU ms to put it in a buffer   %.0f, and when its buffer is there already %.0f\n"
	       "CPU ms to write it           %.0f\n"
	       "CPU ms to load it            %.0f\n",
	        full.snapshot_mb, full.pause_ms[0], full.pause_ms[1], full.write_ms, full.load_ms);
	return 0;
}
