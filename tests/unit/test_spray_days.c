/* Guessing among a thousand days of an office, drawn at random from a fixed seed: honest days stay quiet, each shape of
 * spray is found, and of findings made with a score about as many are right as the score says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "detect/detect.h"
#include "ledger_build.h"

#define MINUTE (60 * SECOND)
#define DAY    (24 * HOUR)
#define MONDAY (INT64_C(19996) * DAY)

enum {
	RUNS = 10,
	DAYS = 100, /* of each run */
	FINDINGS_MAX = 4096,
	QUEUE_MAX = 20000,

	DESKS = 120,   /* one user each */
	GATEWAY = 200, /* users behind one address */
	POOL = 60,     /* users of a VPN, with other addresses every day */
	TERMINAL = 40, /* users of one terminal server */
	PORTAL = 50,   /* users whose passwords an application checks by LDAP */
	STALE = 8,     /* devices with outdated passwords */
	USERS = DESKS + GATEWAY + POOL + TERMINAL + PORTAL,
	A_GATEWAY = 1000, /* addresses */
	A_TERMINAL,
	A_PORTAL,
	A_POOL = 2000,
	A_DEVICE = 3000,
	A_ATTACKER = 60000,
};

struct item {
	int64_t at_ns;
	uint32_t from;
	unsigned user;
	enum mm_meaning meaning;
	const char *protocol, *software;
	bool in_order;
};

static struct mm_ledger *l;
static struct mm_detect d;
static struct mm_event_room room;
static struct item queue[QUEUE_MAX];
static size_t n_queue;
static uint64_t seed;

static double uniform(void)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(seed >> 11) / 9007199254740992.0;
}

static void begin(void)
{
	static const struct mm_hash_key key = { 1, 2 };
	struct mm_ledger_config config;
	mm_ledger_config_default(&config);
	assert_int_equal(mm_ledger_new(&config, &l), MM_OK);
	mm_detect_init(&d, l, &key, FINDINGS_MAX);
}

static void finish(void)
{
	mm_detect_done(&d);
	mm_ledger_free(l);
}

static void add(
        int64_t at_ns, uint32_t from, unsigned user, enum mm_meaning meaning, const char *protocol)
{
	if (n_queue < QUEUE_MAX)
		queue[n_queue++] =
		        (struct item){ at_ns, from, user, meaning, protocol, NULL, false };
}

static int by_time(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->user < y->user ? -1 : x->user > y->user;
}

static void pass(const struct item *t)
{
	char name[32];
	unsigned shuffled = t->in_order ? t->user : t->user * 2654435761u >> 7;
	snprintf(name, sizeof name, "u%08u", shuffled);
	struct mm_event *ev = mm_event_init(&room);
	ev->kind = MM_EV_REQUEST;
	ev->protocol = t->protocol;
	ev->action = "logon";
	ev->transport = "tcp";
	ev->src = (struct mm_endpoint){
		{ 4, { 10, (uint8_t)(t->from >> 16), (uint8_t)(t->from >> 8), (uint8_t)t->from } },
		50000
	};
	ev->dst = (struct mm_endpoint){ host(KDC), KRB5_PORT };
	ev->user = text(name);
	if (strcmp(t->protocol, "kerberos") == 0) {
		ev->user_realm = text("LAB.TEST");
		ev->stack = 77;
	}
	ev->agent = text(t->software);
	ev->meaning = t->meaning;
	ev->outcome = t->meaning == MM_MEANING_PASSWORD_RIGHT ? MM_SUCCESS : MM_FAILURE;
	ev->request_ns = t->at_ns;
	ev->time_ns = ev->response_ns = ev->key_ns = t->at_ns + SECOND / 1000;
	struct mm_look look;
	mm_ledger_present(l, ev, &look);
	mm_ledger_settle(l, &look, mm_detect_look(&d, &look));
}

static void play(void)
{
	qsort(queue, n_queue, sizeof queue[0], by_time);
	for (size_t i = 0; i < n_queue; i++)
		pass(&queue[i]);
	n_queue = 0;
}

/* Where a user works, and over what. */
static uint32_t place_of(unsigned user, unsigned day, const char **protocol)
{
	*protocol = "kerberos";
	if (user < DESKS)
		return 10 + user;
	if (user < DESKS + GATEWAY)
		return A_GATEWAY;
	if (user < DESKS + GATEWAY + POOL)
		return A_POOL + (user * 31 + day * 17) % POOL;
	if (user < DESKS + GATEWAY + POOL + TERMINAL)
		return A_TERMINAL;
	*protocol = "ldap";
	return A_PORTAL;
}

/* One logon: mostly right at once, sometimes after a typo or several, seldom not at all that day. */
static void logon(int64_t at, uint32_t from, unsigned user, const char *protocol, double bad_day)
{
	const double typo = 0.05, gives_up = 0.004;
	if (uniform() < gives_up * bad_day) {
		for (unsigned n = 1 + (unsigned)(uniform() * 5); n > 0; n--)
			add(at + n * 15 * SECOND, from, user, MM_MEANING_BAD_PASSWORD, protocol);
		return;
	}
	while (uniform() < typo * bad_day) {
		add(at, from, user, MM_MEANING_BAD_PASSWORD, protocol);
		at += (int64_t)(10 + uniform() * 200) * SECOND;
	}
	if (uniform() < 0.01) /* another's name, or one mistyped */
		add(at, from, 5000 + (unsigned)(uniform() * 1000), MM_MEANING_NO_SUCH_USER,
		        protocol);
	add(at + SECOND, from, user, MM_MEANING_PASSWORD_RIGHT, protocol);
}

static void honest_day(unsigned day)
{
	int64_t morning = MONDAY + day * DAY + 8 * HOUR;
	bool weekend = day % 7 >= 5;
	/* Monday, and the day after passwords had to be changed, are worse; a few days worse still. */
	double bad_day =
	        (day % 7 == 0 ? 1.5 : 1) * (day % 30 == 21 ? 3 : 1) * (uniform() < 0.02 ? 3 : 1);
	for (unsigned user = 0; user < USERS; user++) {
		const char *protocol;
		uint32_t from = place_of(user, day, &protocol);
		if (uniform() < (weekend ? 0.95 : 0.1))
			continue;
		for (unsigned n = 0; n < 3; n++)
			logon(morning + (int64_t)((n * 4 + uniform()) * (double)HOUR), from, user,
			        protocol, bad_day);
		if (uniform() < 0.01) /* somewhere else: a meeting room, a colleague's desk */
			logon(morning + 5 * HOUR, 10 + (unsigned)(uniform() * DESKS), user,
			        "kerberos", 2);
	}
	/* Somebody forgot to tell a telephone, which asks all day. */
	for (unsigned i = 0; i < STALE; i++)
		for (unsigned n = 0; n < 40; n++)
			add(MONDAY + day * DAY + n * 36 * MINUTE + i, A_DEVICE + (i + day / 9) % 50,
			        (i * 37 + day / 9) % USERS, MM_MEANING_BAD_PASSWORD, "kerberos");
	/* The help desk tries what it is told. */
	for (unsigned i = 0; i < 3; i++)
		if (uniform() < 0.3)
			add(morning + (int64_t)(i * 2 + uniform()) * HOUR, 11,
			        (unsigned)(uniform() * USERS), MM_MEANING_BAD_PASSWORD, "kerberos");
}

/* Tenths of findings by score, and the same of those about attackers. */
enum { BINS = 8 };
static unsigned bins_all[BINS], bins_right[BINS];
static double brier;
static unsigned n_brier;

/* attacker: what of a subject tells that it is about one; NULL: there is none. */
static void calibrate(const char *attacker)
{
	for (struct mm_finding *f = mm_table_next(&d.findings, NULL); f != NULL;
	        f = mm_table_next(&d.findings, f)) {
		bool right = attacker != NULL && strstr(f->facts.subject, attacker) != NULL;
		int bin = (int)floor((f->score + 40) / 10);
		bin = bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
		bins_all[bin]++;
		bins_right[bin] += right;
		brier += (f->probability - right) * (f->probability - right);
		n_brier++;
	}
}

static double best(const struct mm_detector *detector)
{
	double score = -99;
	for (struct mm_finding *f = mm_table_next(&d.findings, NULL); f != NULL;
	        f = mm_table_next(&d.findings, f))
		if (f->detector == detector)
			score = fmax(score, f->score);
	return score;
}

static void test_honest_days(void **state)
{
	unsigned n_low = 0, n_loud = 0;
	double worst = -99;
	(void)state;
	for (unsigned run = 0; run < RUNS; run++) {
		seed = 1000 + run;
		begin();
		for (unsigned day = 0; day < DAYS; day++) {
			honest_day(day);
			play();
		}
		mm_detect_weigh_all(&d);
		for (struct mm_finding *f = mm_table_next(&d.findings, NULL); f != NULL;
		        f = mm_table_next(&d.findings, f)) {
			n_low += f->band == MM_BAND_LOW;
			n_loud += f->band != MM_BAND_LOW;
			worst = fmax(worst, f->score);
			if (f->band != MM_BAND_LOW && n_loud < 20)
				print_message("# run %u: %s %s: %.1f: %s\n", run, f->detector->name,
				        f->facts.subject, f->score, f->evidence[0].what);
		}
		calibrate(NULL);
		finish();
	}
	print_message("# %d honest days: %u findings below medium, %u others, worst %.1f\n",
	        RUNS * DAYS, n_low, n_loud, worst);
	assert_int_equal(n_loud, 0);
}

struct shape {
	const char *name;
	const struct mm_detector *detector;
	unsigned learn;   /* days before */
	unsigned n;       /* users */
	unsigned sources; /* 0: one of its own; else a new one for so many users each */
	int64_t gap_ns;   /* between users */
	uint32_t from;    /* when sources is 0 */
	bool in_order;
	const char *software;
	enum mm_band band; /* at least */
	unsigned found;    /* at least so many of ten */
};

static void attack(const struct shape *s, int64_t at)
{
	for (unsigned i = 0; i < s->n; i++) {
		uint32_t from = s->sources != 0 ? A_ATTACKER + i / s->sources : s->from;
		add(at, from, s->in_order ? i : (unsigned)(uniform() * USERS),
		        MM_MEANING_BAD_PASSWORD, "kerberos");
		queue[n_queue - 1].software = s->software;
		queue[n_queue - 1].in_order = s->in_order;
		at += (int64_t)((0.6 + 0.8 * uniform()) * (double)s->gap_ns);
	}
	if (s->detector != &mm_spray_success)
		return;
	add(at, s->from, 77, MM_MEANING_PASSWORD_RIGHT, "kerberos");
	queue[n_queue - 1].software = s->software;
}

static void try_shape(const struct shape *s)
{
	unsigned found = 0;
	double sum = 0;
	char attacker[32] = "many addresses";
	if (s->sources == 0)
		snprintf(attacker, sizeof attacker, "from 10.%u.%u.%u", s->from >> 16,
		        s->from >> 8 & 0xff, s->from & 0xff);
	for (unsigned run = 0; run < RUNS; run++) {
		seed = 5000 + run;
		begin();
		for (unsigned day = 0; day < s->learn; day++) {
			honest_day(day);
			play();
		}
		attack(s, MONDAY + s->learn * DAY + 9 * HOUR);
		unsigned days = (unsigned)(s->n * (uint64_t)s->gap_ns / (uint64_t)DAY) + 1;
		for (unsigned day = 0; day < days; day++)
			honest_day(s->learn + day);
		play();
		mm_detect_weigh_all(&d);
		double score = best(s->detector);
		found += score > -99 && mm_band_of(score) >= s->band;
		sum += score;
		calibrate(attacker);
		finish();
	}
	print_message("# %s: %u of %d at %s or above, mean score %.1f\n", s->name, found, RUNS,
	        mm_band_name(s->band), sum / RUNS);
	assert_true(found >= s->found);
}

static void test_sprays(void **state)
{
	/* clang-format off */
	static const struct shape shapes[] = {
		{ "10 users in half a minute, an hour after the start", &mm_password_spray, 0, 10, 0, 3 * SECOND, A_ATTACKER, false, NULL, MM_BAND_HIGH, 10 },
		{ "10 users in half a minute, after a day", &mm_password_spray, 1, 10, 0, 3 * SECOND, A_ATTACKER, false, NULL, MM_BAND_HIGH, 10 },
		{ "10 users in half a minute, after a fortnight", &mm_password_spray, 14, 10, 0, 3 * SECOND, A_ATTACKER, false, NULL, MM_BAND_HIGH, 10 },
		{ "20 users in a day, after a day", &mm_password_spray, 1, 20, 0, HOUR, A_ATTACKER, false, NULL, MM_BAND_MEDIUM, 10 },
		{ "20 users in a day, in order, after a week", &mm_password_spray, 7, 20, 0, HOUR, A_ATTACKER, true, NULL, MM_BAND_MEDIUM, 10 },
		{ "30 users in five days, after a fortnight", &mm_password_spray, 14, 30, 0, 4 * HOUR, A_ATTACKER, false, NULL, MM_BAND_MEDIUM, 0 },
		{ "30 users in a day from somebody's desk", &mm_password_spray, 7, 30, 0, 40 * MINUTE, 20, false, NULL, MM_BAND_MEDIUM, 10 },
		{ "150 users in an hour through the gateway", &mm_password_spray, 7, 150, 0, 24 * SECOND, A_GATEWAY, false, NULL, MM_BAND_MEDIUM, 10 },
		{ "40 users from 40 addresses with their own software", &mm_spray_distributed, 7, 40, 1, 20 * MINUTE, 0, false, "tool/1", MM_BAND_MEDIUM, 10 },
		{ "100 users from 50 addresses that look like all others", &mm_spray_distributed, 7, 100, 2, 10 * MINUTE, 0, false, NULL, MM_BAND_MEDIUM, 0 },
		{ "a password found after 12", &mm_spray_success, 1, 12, 0, 3 * SECOND, A_ATTACKER, false, NULL, MM_BAND_CRITICAL, 10 },
	};
	/* clang-format on */
	(void)state;
	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		try_shape(&shapes[i]);
}

/* What is said to be likely is. */
static void test_calibration(void **state)
{
	(void)state;
	for (int i = 0; i < BINS; i++)
		print_message("# score %4d to %4d: %u of %u about guessing\n", i * 10 - 40,
		        i * 10 - 30, bins_right[i], bins_all[i]);
	print_message(
	        "# Brier score %.4f of %u findings\n", n_brier != 0 ? brier / n_brier : 0, n_brier);
	for (int i = 4; i < BINS; i++)
		assert_true(bins_right[i] * 2 >= bins_all[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_honest_days),
		cmocka_unit_test(test_sprays),
		cmocka_unit_test(test_calibration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
