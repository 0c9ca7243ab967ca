/* Attempts to log on: what is counted, and how the detectors that read the counts fare over invented days, honest and
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "detect_build.h"

#define MINUTE (60 * SECOND)
#define DAY    (24 * HOUR)
#define BEGIN  (INT64_C(20000) * DAY) /* a Monday would do as well */

enum {
	FINDINGS_MAX = 4096,
	LDAP_PORT = 389,
};

static struct mm_attempt attempt;

static int set_up(void **state)
{
	(void)state;
	detect_new(NULL, FINDINGS_MAX);
	return 0;
}

static struct mm_addr address(uint32_t n)
{
	return (struct mm_addr){ 4, { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n } };
}

/* One attempt; software NULL: a Kerberos client like all others. */
struct
try {
	uint32_t from;
	const char *user, *software;
	enum mm_meaning meaning;
	const char *protocol;
};

static void pass(int64_t at_ns, struct try t)
{
	struct mm_event *ev = mm_event_init(&room);
	ev->kind = MM_EV_REQUEST;
	ev->protocol = t.protocol != NULL ? t.protocol : "kerberos";
	ev->action = "as-exchange";
	ev->transport = "tcp";
	ev->src = (struct mm_endpoint){ address(t.from), 50000 };
	ev->dst = (struct mm_endpoint){ host(KDC),
		strcmp(ev->protocol, "ldap") == 0 ? LDAP_PORT : KRB5_PORT };
	ev->user = text(t.user);
	if (strcmp(ev->protocol, "kerberos") == 0) {
		ev->user_realm = text("LAB.TEST");
		ev->stack = 77;
	}
	ev->agent = text(t.software);
	ev->meaning = t.meaning;
	ev->outcome = t.meaning == MM_MEANING_PASSWORD_RIGHT ? MM_SUCCESS : MM_FAILURE;
	ev->request_ns = at_ns;
	ev->time_ns = ev->response_ns = ev->key_ns = at_ns + SECOND / 1000;
	struct mm_look look;
	mm_ledger_present(l, ev, &look);
	attempt = look.attempt;
	mm_ledger_settle(l, &look, mm_detect_look(&d, &look));
}

static void wrong(int64_t at_ns, uint32_t from, const char *user)
{
	pass(at_ns, (struct try){ from, user, NULL, MM_MEANING_BAD_PASSWORD, NULL });
}

static void enter(int64_t at_ns, uint32_t from, const char *user)
{
	pass(at_ns, (struct try){ from, user, NULL, MM_MEANING_PASSWORD_RIGHT, NULL });
}

static const char *user_name(char out[32], unsigned n)
{
	/* Not in the order of the numbers. */
	snprintf(out, 32, "%c%cuser%u", 'a' + (int)(n * 7 % 26), 'a' + (int)(n * 11 % 26), n);
	return out;
}

static struct mm_finding *strongest(const struct mm_detector *detector)
{
	struct mm_finding *best = NULL;
	mm_detect_weigh_all(&d);
	for (struct mm_finding *f = mm_table_next(&d.findings, NULL); f != NULL;
	        f = mm_table_next(&d.findings, f))
		if (f->detector == detector && (best == NULL || f->score > best->score))
			best = f;
	return best;
}

static double score(const struct mm_detector *detector)
{
	const struct mm_finding *f = strongest(detector);
	return f != NULL ? f->score : -99;
}

static bool has(const struct mm_finding *f, enum mm_weight_id id)
{
	for (size_t i = 0; f != NULL && i < f->n_evidence; i++)
		if (f->evidence[i].weight_id == id)
			return true;
	return false;
}

/* Some people log on. */
static void morning(int64_t at_ns)
{
	char name[32];
	for (unsigned i = 0; i < 20; i++)
		enter(at_ns + i * MINUTE, 100 + i, user_name(name, i));
}

static void test_counts_users_not_tries(void **state)
{
	(void)state;
	for (int i = 0; i < 500; i++)
		wrong(BEGIN + i * SECOND, 1, "alice"); /* a service with an outdated password */
	assert_int_equal(mm_attempts_count(&l->attempts, attempt.source).k, 1);
	wrong(BEGIN + HOUR, 1, "LAB\\Alice");
	wrong(BEGIN + HOUR, 1, "alice@lab.test");
	wrong(BEGIN + HOUR, 1, "CN=Alice,OU=people,DC=lab,DC=test");
	assert_int_equal(mm_attempts_count(&l->attempts, attempt.source).users, 1);
	assert_int_equal(d.findings.n, 0);
}

static void test_typo_is_cured(void **state)
{
	char name[32];
	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		wrong(BEGIN + i * MINUTE, 1, user_name(name, i));
		enter(BEGIN + i * MINUTE + 20 * SECOND, 1, user_name(name, i));
	}
	wrong(BEGIN + HOUR, 1, "zoe");
	assert_int_equal(mm_attempts_count(&l->attempts, attempt.source).k, 1);
	assert_int_equal(d.findings.n, 0);
}

static void test_fast_spray(void **state)
{
	char name[32];
	(void)state;
	morning(BEGIN);
	for (unsigned i = 0; i < 10; i++)
		wrong(BEGIN + HOUR + i * 3 * SECOND, 7, user_name(name, i));
	struct mm_finding *f = strongest(&mm_password_spray);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_HIGH);
	assert_string_equal(f->facts.subject, "guesses from 10.0.0.7");
	assert_true(has(f, MM_W_GUESS_USERS));
	assert_true(has(f, MM_W_GUESS_PACE)); /* every three seconds */
	assert_false(has(f, MM_W_GUESS_ORDER));
	assert_false(has(f, MM_W_GUESS_WAYS));
	assert_null(strongest(&mm_spray_distributed));
	assert_null(strongest(&mm_spray_success));
}

/* Two hundred people behind a gateway; in one hour of the morning one in twenty fails first, and is in after a while. */
static void gateway_morning(int64_t at_ns)
{
	char name[32];
	for (unsigned i = 0; i < 230; i++) {
		if (i < 200 && i % 20 == 7)
			wrong(at_ns + i * 18 * SECOND, 7, user_name(name, i));
		else if (i < 200)
			enter(at_ns + i * 18 * SECOND, 7, user_name(name, i));
		if (i >= 30 && (i - 30) % 20 == 7)
			enter(at_ns + i * 18 * SECOND + 1, 7, user_name(name, i - 30));
	}
}

/* The number that a desk cannot explain is behind a gateway a bad morning. */
static void test_gateway(void **state)
{
	char name[32];
	(void)state;
	for (unsigned day = 0; day < 5; day++)
		gateway_morning(BEGIN + day * DAY);
	assert_int_equal(d.findings.n, 0);
	for (unsigned i = 0; i < 8; i++)
		wrong(BEGIN + 5 * DAY + i * i * 9 * SECOND, 7, user_name(name, 10 * i));
	assert_true(score(&mm_password_spray) < 0);
	for (unsigned i = 0; i < 8; i++)
		wrong(BEGIN + 5 * DAY + i * i * 9 * SECOND, 8, user_name(name, 10 * i));
	assert_true(score(&mm_password_spray) > 0);
}

static void test_slow_spray_in_order(void **state)
{
	char name[32];
	(void)state;
	morning(BEGIN);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "user%03u", i);
		wrong(BEGIN + HOUR + i * (67 + i * i % 11) * MINUTE, 7, name);
	}
	struct mm_finding *f = strongest(&mm_password_spray);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_true(has(f, MM_W_GUESS_ORDER));
}

static void test_several_protocols(void **state)
{
	char name[32];
	(void)state;
	morning(BEGIN);
	for (unsigned i = 0; i < 12; i++)
		pass(BEGIN + HOUR + i * (5 + i * i % 7) * SECOND,
		        (struct try){ 7, user_name(name, i), NULL, MM_MEANING_REFUSED,
		                i % 2 ? "ldap" : "kerberos" });
	assert_true(has(strongest(&mm_password_spray), MM_W_GUESS_WAYS));
}

static void test_success_after(void **state)
{
	char name[32];
	(void)state;
	morning(BEGIN);
	for (unsigned i = 0; i < 12; i++)
		wrong(BEGIN + HOUR + i * 3 * SECOND, 7, user_name(name, i));
	enter(BEGIN + HOUR + MINUTE, 7, "bob");
	struct mm_finding *f = strongest(&mm_spray_success);
	assert_non_null(f);
	assert_int_equal(f->band, MM_BAND_CRITICAL);
	assert_string_equal(f->facts.subject, "bob let in from 10.0.0.7");
	enter(BEGIN + 2 * HOUR, 100, user_name(name, 0)); /* at home, elsewhere */
	size_t n = 0;
	for (f = mm_table_next(&d.findings, NULL); f != NULL; f = mm_table_next(&d.findings, f))
		n += f->detector == &mm_spray_success;
	assert_int_equal(n, 1);
}

/* Found out only after the right password was tried; expired counts as well. */
static void test_success_before_found_out(void **state)
{
	char name[32];
	(void)state;
	morning(BEGIN);
	for (unsigned i = 0; i < 12; i++) {
		if (i == 2)
			pass(BEGIN + HOUR + 3 * i * SECOND,
			        (struct try){ 7, "bob", NULL, MM_MEANING_RIGHT_BUT, "ldap" });
		wrong(BEGIN + HOUR + 3 * i * SECOND + 1, 7, user_name(name, i));
	}
	struct mm_finding *f = strongest(&mm_spray_success);
	assert_non_null(f);
	assert_int_equal(f->band, MM_BAND_CRITICAL);
	assert_string_equal(f->facts.user, "bob");
}

/* Of a host at which the user was at home before: nothing. */
static void test_own_user_of_sprayer(void **state)
{
	char name[32];
	(void)state;
	morning(BEGIN);
	for (unsigned i = 0; i < 12; i++)
		wrong(BEGIN + HOUR + i * 3 * SECOND, 105, user_name(name, 50 + i));
	enter(BEGIN + 2 * HOUR, 105, user_name(name, 5));
	assert_true(score(&mm_password_spray) > 0);
	assert_null(strongest(&mm_spray_success));
}

static void test_distributed(void **state)
{
	char name[32];
	(void)state;
	morning(BEGIN);
	for (unsigned i = 0; i < 40; i++)
		pass(BEGIN + DAY + i * 20 * MINUTE,
		        (struct try){ 5000 + i * 300, user_name(name, i), "tool/1",
		                MM_MEANING_BAD_PASSWORD, NULL });
	struct mm_finding *f = strongest(&mm_spray_distributed);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_null(strongest(&mm_password_spray));
	pass(BEGIN + DAY + 20 * HOUR,
	        (struct try){ 9999, "bob", "tool/1", MM_MEANING_PASSWORD_RIGHT, NULL });
	f = strongest(&mm_spray_success);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_HIGH);
}

static void test_enumeration(void **state)
{
	char name[32];
	(void)state;
	morning(BEGIN);
	for (unsigned i = 0; i < 50; i++)
		pass(BEGIN + HOUR + i * SECOND, (struct try){ 7, user_name(name, 900 + i), NULL,
		                                        MM_MEANING_NO_SUCH_USER, NULL });
	struct mm_finding *f = strongest(&mm_user_enumeration);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_null(strongest(&mm_password_spray));
	/* One user's typing: few names. */
	for (unsigned i = 0; i < 6; i++)
		pass(BEGIN + HOUR + i * SECOND, (struct try){ 100, user_name(name, 900 + i), NULL,
		                                        MM_MEANING_NO_SUCH_USER, NULL });
	assert_null(
	        mm_detect_find_about(&d, &mm_user_enumeration, "user names tried from 10.0.0.100"));
}

/* A portal that passes on what its users type: counted where they are, not where it is. */
static void test_both_legs(void **state)
{
	char name[32];
	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		int64_t at = BEGIN + i * MINUTE;
		struct mm_event *ev;
		pass(at + SECOND / 10, (struct try){ 9, user_name(name, i), NULL,
		                               MM_MEANING_BAD_PASSWORD, "ldap" });
		/* The front leg: longer on both sides. */
		ev = mm_event_init(&room);
		ev->kind = MM_EV_REQUEST;
		ev->protocol = "http";
		ev->action = "http-login";
		ev->transport = "tcp";
		ev->src = (struct mm_endpoint){ address(1000 + i), 50000 };
		ev->dst = (struct mm_endpoint){ address(9), 443 };
		ev->user = text(name);
		ev->meaning = MM_MEANING_BAD_PASSWORD;
		ev->request_ns = at;
		ev->time_ns = ev->response_ns = at + SECOND;
		struct mm_look look;
		mm_ledger_present(l, ev, &look);
		mm_ledger_settle(l, &look, mm_detect_look(&d, &look));
	}
	assert_null(strongest(&mm_password_spray));
}

/* 23 of a KDC that never asked for a proof says nothing; of one that did, that the password is right. */
static void expired(int64_t at_ns, bool asked)
{
	struct mm_event *ev;
	for (int i = asked ? 0 : 1; i < 2; i++) {
		ev = mm_event_init(&room);
		ev->protocol = "kerberos";
		ev->action = "as-exchange";
		ev->src.addr = address(7);
		ev->user = text("bob");
		ev->user_realm = text("LAB.TEST");
		ev->status = (struct mm_status){ MM_STATUS_KRB5, i == 0 ? 25 : 23 };
		ev->meaning = i == 0 ? MM_MEANING_NONE : MM_MEANING_RIGHT_BUT;
		ev->time_ns = at_ns + i;
		struct mm_look look;
		mm_ledger_present(l, ev, &look);
		attempt = look.attempt;
	}
}

static void test_expired(void **state)
{
	(void)state;
	expired(BEGIN, false);
	assert_false(attempt.right);
	expired(BEGIN + HOUR, true);
	assert_true(attempt.right);
}

static void test_kept_over_restart(void **state)
{
	char name[32];
	struct mm_store store = { 0 };
	struct mm_attempts other;
	const struct mm_hash_key other_key = { 3, 4 };
	(void)state;
	for (unsigned day = 0; day < 9; day++)
		morning(BEGIN + day * DAY);
	for (unsigned i = 0; i < 12; i++)
		wrong(BEGIN + 9 * DAY + i * SECOND, 7, user_name(name, i));
	struct mm_guess_count before = mm_attempts_count(&l->attempts, attempt.source);
	mm_attempts_save(&l->attempts, &store);
	mm_attempts_init(&other, &other_key);
	struct mm_cursor in = mm_cursor(mm_slice(store.p, store.len));
	assert_int_equal(mm_attempts_load(&other, &in), MM_OK);
	const struct mm_guesser *g = mm_table_find(&other.guessers, &attempt.source->key);
	assert_non_null(g);
	struct mm_guess_count after = mm_attempts_count(&other, g);
	assert_int_equal(after.k, before.k);
	assert_true(after.p <= before.p && after.p >= before.p && after.p < 1e-3);
	assert_string_equal(g->last_name, attempt.source->last_name);
	assert_int_equal(other.pairs.n, l->attempts.pairs.n);
	mm_attempts_done(&other);
	/* Cut anywhere, it is refused. */
	for (size_t n = 0; n < store.len; n += 97) {
		mm_attempts_init(&other, &other_key);
		in = mm_cursor(mm_slice(store.p, n));
		assert_int_not_equal(mm_attempts_load(&other, &in), MM_OK);
		mm_attempts_done(&other);
	}
	mm_store_done(&store);
}

/* Whatever is in a snapshot: it is refused, or what is made of it can be worked with. */
static void test_hostile_snapshot(void **state)
{
	char name[32];
	struct mm_store store = { 0 };
	const struct mm_hash_key other_key = { 3, 4 };
	(void)state;
	for (unsigned i = 0; i < 12; i++)
		wrong(BEGIN + i * SECOND, 7, user_name(name, i));
	mm_attempts_save(&l->attempts, &store);
	mm_attempts_done(&l->attempts);
	for (size_t bit = 0; bit < store.len * 8; bit++) {
		store.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		mm_attempts_init(&l->attempts, &other_key);
		struct mm_cursor in = mm_cursor(mm_slice(store.p, store.len));
		if (mm_attempts_load(&l->attempts, &in) == MM_OK) {
			wrong(BEGIN + DAY, 7, "bob");
			enter(BEGIN + DAY, 7, "bob");
		}
		mm_attempts_done(&l->attempts);
		store.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	mm_attempts_init(&l->attempts, &other_key);
	mm_store_done(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts_users_not_tries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_typo_is_cured, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fast_spray, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_gateway, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_slow_spray_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_several_protocols, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_success_after, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_success_before_found_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_own_user_of_sprayer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_distributed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_enumeration, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_both_legs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_expired, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kept_over_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hostile_snapshot, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
