/* The detectors over invented days: each abuse beside the honest thing that looks most like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "detect_build.h"

enum {
	CLIENTS = 6,
	SERVER = 20,
	FORGER = 77,
	FINDINGS_MAX = 4096,
};

#define MORNING (8 * HOUR)
#define EVENING (30 * HOUR) /* more than the longest ticket's life later */

static bool trusted;

static void pass(void)
{
	struct mm_look look;
	mm_ledger_present(l, &room.ev, &look);
	trusted = mm_detect_look(&d, &look);
	mm_ledger_settle(l, &look, trusted);
}

static struct made tgt(uint8_t id)
{
	return (struct made){ .id = id, .principal = "alice" };
}

static struct made cifs(uint8_t id)
{
	return (struct made){ .id = id,
		.service = "cifs/srv.lab.test",
		.principal = "alice",
		.kvno = 7,
		.length = 1100 };
}

/* Everybody logs on, fetches a ticket and uses it: ids from first on, two per client. */
static void honest_round(int64_t at_ns, uint8_t first)
{
	for (uint8_t i = 0; i < CLIENTS; i++) {
		uint8_t client = (uint8_t)(i + 1), t = (uint8_t)(first + 2 * i),
		        s = (uint8_t)(t + 1);
		int64_t at = at_ns + i * SECOND;
		make_as(&room.ev, client, at, tgt(t));
		pass();
		make_tgs(&room.ev, client, at + SECOND, tgt(t), cifs(s));
		pass();
		make_ap(&room.ev, client, SERVER, at + 2 * SECOND, cifs(s), MM_SUCCESS);
		pass();
	}
}

static int set_up(void **state)
{
	(void)state;
	struct mm_ledger_config config;
	mm_ledger_config_default(&config);
	config.lifetime_ns = 10 * HOUR;
	detect_new(&config, FINDINGS_MAX);
	for (uint8_t round = 0; round < 8; round++)
		honest_round(MORNING + round * 2 * HOUR, (uint8_t)(1 + round * 2 * CLIENTS));
	assert_int_equal(d.findings.n, 0);
	return 0;
}

/* Nothing that would be shown to anybody. */
static void assert_silent(void)
{
	mm_detect_weigh_all(&d);
	for (struct mm_finding *f = mm_table_next(&d.findings, NULL); f != NULL;
	        f = mm_table_next(&d.findings, f))
		assert_true(f->bare || f->band == MM_BAND_LOW);
}

static double weight_of(const struct mm_finding *f, enum mm_weight_id id)
{
	for (size_t i = 0; i < f->n_evidence; i++)
		if (f->evidence[i].weight_id == id)
			return f->evidence[i].weight;
	return 0;
}

static void test_honest_day(void **state)
{
	(void)state;
	honest_round(EVENING, 120);
	assert_int_equal(d.findings.n, 0);
	assert_true(trusted);
}

/* Another kvno than the issuer's, as tools write it, from a host that never logged on. */
static void test_golden(void **state)
{
	(void)state;
	struct made forged = { .id = 200, .kvno = 2, .name_type = 1, .length = 850 };
	make_tgs(&room.ev, FORGER, EVENING, forged, cifs(201));
	room.ev.user = text("administrator");
	pass();
	assert_false(trusted);
	struct mm_finding *f = finding(&mm_orphan_tgt);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_HIGH);
	assert_false(f->bare);
	struct mm_fp fingerprint = fp(200);
	assert_true(mm_fp_eq(&f->facts.fp, &fingerprint));
	assert_string_equal(f->facts.user, "administrator");
	assert_true(weight_of(f, MM_W_ORPHAN) > 0);
	assert_true(weight_of(f, MM_W_KVNO_TGT_2) > 0);
	assert_true(weight_of(f, MM_W_NAME_TYPE_TGT) > 0);
	double sum = f->prior;
	for (size_t i = 0; i < f->n_evidence; i++)
		sum += f->evidence[i].weight;
	assert_true(fabs(sum - f->score) < 1e-9); /* it prints its arithmetic */
}

/* A ticket without any odd feature, shown where people work: by whom they are it is told from an honest one whose
 * issuance was missed. */
static struct mm_finding *careful(const char *user)
{
	struct made forged = { .id = 200 };
	make_tgs(&room.ev, 1, EVENING, forged, cifs(201));
	room.ev.user = text(user);
	pass();
	return finding(&mm_orphan_tgt);
}

static void test_missed_logon(void **state)
{
	(void)state;
	struct mm_finding *f = careful("alice");
	assert_non_null(f);
	assert_true(f->bare && f->score < -10);
	assert_true(weight_of(f, MM_W_USER_KNOWN_HERE) < 0);
	assert_true(weight_of(f, MM_W_LENGTH_USUAL) < 0);
}

static void test_careful_golden(void **state)
{
	(void)state;
	struct mm_finding *f = careful("administrator");
	assert_non_null(f);
	assert_false(f->bare);
	assert_true(f->band >= MM_BAND_HIGH);
	/* no user of 48 TGTs was seen once: 0.4 / (0.5 / 49) is more than the cap */
	assert_true(fabs(weight_of(f, MM_W_USER_NEW) - 13) < 1e-9);
	assert_true(fabs(weight_of(f, MM_W_HOST_OBTAINS)) > 0);
}

/* The same user's TGTs are as long as each other; and the name is spelled as it was. */
static void test_user_own(void **state)
{
	(void)state;
	struct made forged = { .id = 200, .length = 1019 };
	make_tgs(&room.ev, FORGER, EVENING, forged, cifs(201));
	room.ev.user = text("Alice");
	pass();
	struct mm_finding *f = finding(&mm_orphan_tgt);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_HIGH);
	assert_true(weight_of(f, MM_W_LENGTH_OWN) > 10);
	/* 0 of 47 repeated TGTs: 0.2 / (0.5 / 48) */
	assert_true(fabs(weight_of(f, MM_W_USER_FORM) - 10) < 1e-9);
	assert_true(weight_of(f, MM_W_NEVER_OBTAINED) > 0);
}

/* The next key version: a rekey, unless others are issued with the old one afterwards. */
static void test_version_to_come(void **state)
{
	(void)state;
	struct made next = { .id = 200, .kvno = 6 };
	make_tgs(&room.ev, FORGER, EVENING, next, cifs(201));
	pass();
	assert_true(weight_of(finding(&mm_orphan_tgt), MM_W_KVNO_NEIGHBOUR) > 10);
	honest_round(EVENING + HOUR, 120);
	/* 0.2 / 1e-4 */
	struct mm_finding *f = finding(&mm_orphan_tgt);
	assert_true(fabs(weight_of(f, MM_W_KVNO_AHEAD) - 33) < 0.05);
	assert_true(weight_of(f, MM_W_KVNO_NEIGHBOUR) == 0);
}

/* krbtgt/ in other letters than the KDC writes. */
static void test_krbtgt_form(void **state)
{
	(void)state;
	struct made forged = { .id = 200, .service = "krbtgt/lab.test" };
	make_tgs(&room.ev, FORGER, EVENING, forged, cifs(201));
	pass();
	struct mm_finding *f = finding(&mm_orphan_tgt);
	assert_non_null(f);
	/* 0 of 48: 0.15 / (0.5 / 49) */
	assert_true(fabs(weight_of(f, MM_W_TGT_FORM) - 11.7) < 1e-9);
	assert_true(weight_of(f, MM_W_REALM_FORM) == 0);
}

/* What is obtained and never used does not make a host one that obtains in the ordinary way: diamond. */
static void test_diamond_elsewhere(void **state)
{
	(void)state;
	make_as(&room.ev, FORGER, EVENING, tgt(200));
	pass();
	make_tgs(&room.ev, FORGER, EVENING + SECOND, tgt(201), cifs(202));
	pass();
	struct mm_finding *f = finding(&mm_orphan_tgt);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_HIGH);
	assert_true(weight_of(f, MM_W_LATEST_TGT) > 10);
	assert_true(
	        weight_of(f, MM_W_HOST_OBTAINS) == 0 && weight_of(f, MM_W_USER_KNOWN_HERE) == 0);
}

/* The service has no key for a ticket of the very version that is issued for it. */
static void test_service_refuses(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 2; i++) {
		struct made forged = cifs((uint8_t)(200 + i));
		forged.kvno -= i; /* the second shows its age in its version: told once */
		make_ap(&room.ev, FORGER, SERVER, EVENING, forged, MM_FAILURE);
		room.ev.status = (struct mm_status){ .domain = MM_STATUS_KRB5, .code = 44 };
		pass();
		struct mm_finding *f = finding(&mm_orphan_service_ticket);
		assert_non_null(f);
		assert_true((weight_of(f, MM_W_SERVICE_REFUSED) > 10) == (i == 0));
		mm_table_remove(&d.findings, f);
	}
}

/* 11.8 + 21.4 + 6.8 - 40 is nothing below 0. */
static void test_sum_in_tenths(void **state)
{
	(void)state;
	struct mm_finding f = { 0 };
	mm_finding_reset(&f, MM_W_PRIOR_FORGED);
	mm_finding_add(&f, MM_W_KVNO_NEIGHBOUR, 11.8, "a");
	mm_finding_add(&f, MM_W_LENGTH, 21.4, "b");
	mm_finding_add(&f, MM_W_NAME_TYPE_SERVICE, 6.8, "c");
	mm_finding_sum(&f);
	assert_int_equal(f.band, MM_BAND_MEDIUM);
}

/* A host of the forger's own, answering on port 88, cannot make the forged ticket an issued one, nor teach that its
 * features are ordinary. */
static void test_staged_kdc(void **state)
{
	(void)state;
	struct made forged = { .id = 200, .kvno = 2, .name_type = 1, .length = 850 };
	for (uint8_t i = 0; i < 20; i++) {
		forged.id = (uint8_t)(200 + i);
		make_as(&room.ev, FORGER, EVENING, forged);
		room.ev.dst.addr = host(FORGER + 1);
		pass();
	}
	make_tgs(&room.ev, FORGER, EVENING + HOUR, forged, cifs(230));
	pass();
	mm_detect_weigh_all(&d);
	struct mm_finding *f = finding(&mm_orphan_tgt);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_HIGH);
	assert_true(weight_of(f, MM_W_KVNO_TGT_2) > 20);
	assert_true(weight_of(f, MM_W_CLAIMED) <= 10);
}

/* Nor can it be issued once it was used. */
static void test_issued_too_late(void **state)
{
	(void)state;
	struct made forged = { .id = 200, .kvno = 2, .name_type = 1, .length = 850 };
	make_tgs(&room.ev, FORGER, EVENING, forged, cifs(201));
	pass();
	make_as(&room.ev, FORGER, EVENING + HOUR, forged);
	pass();
	make_tgs(&room.ev, FORGER, EVENING + 2 * HOUR, forged, cifs(202));
	pass();
	assert_true(finding(&mm_orphan_tgt)->facts.n_uses == 2);
	assert_true(finding(&mm_orphan_tgt)->band >= MM_BAND_HIGH);
}

/* The benign twin: a second domain controller comes into view; its first client is no forger. */
static void test_second_kdc(void **state)
{
	(void)state;
	for (uint8_t client = 1; client <= 2; client++) {
		struct made t = tgt((uint8_t)(200 + 2 * client));
		make_as(&room.ev, client, EVENING, t);
		room.ev.dst.addr = host(KDC + 1);
		pass();
		make_tgs(&room.ev, client, EVENING + SECOND, t, cifs((uint8_t)(t.id + 1)));
		pass();
		for (const struct mm_finding *f = mm_table_next(&d.findings, NULL); f != NULL;
		        f = mm_table_next(&d.findings, f))
			assert_true(f->band == MM_BAND_LOW);
	}
	mm_detect_weigh_all(&d);
	assert_int_equal(d.findings.n, 0); /* vouched for by the second client */
}

/* Thousands of made-up tickets, all refused, push out neither the finding nor the coverage. */
static void test_flood(void **state)
{
	(void)state;
	struct made forged = { .id = 200, .kvno = 2, .name_type = 1, .length = 850 };
	make_tgs(&room.ev, FORGER, EVENING, forged, cifs(201));
	pass();
	double before = finding(&mm_orphan_tgt)->score;
	for (int i = 0; i < 2 * FINDINGS_MAX; i++) {
		make_ap(&room.ev, FORGER, SERVER, EVENING + i, cifs(202), MM_FAILURE);
		room.ev.creds[0].fp.b[2] = (uint8_t)(i & 0xff);
		room.ev.creds[0].fp.b[3] = (uint8_t)(i >> 8);
		pass();
	}
	assert_true(d.findings.n <= FINDINGS_MAX && d.n_dropped > 0);
	mm_detect_weigh_all(&d);
	assert_non_null(finding(&mm_orphan_tgt));
	assert_true(finding(&mm_orphan_tgt)->score >= before - 1);
}

/* What the forged TGT buys belongs to the finding, down to the last use; nothing is learnt from it. */
static void test_taint(void **state)
{
	(void)state;
	uint64_t hits =
	        mm_ledger_issuer(l, mm_names_find_folded(&l->names, text("lab.test")))->hits;
	make_tgs(&room.ev, FORGER, EVENING, (struct made){ .id = 200, .kvno = 2 }, cifs(201));
	pass();
	make_ap(&room.ev, FORGER, SERVER, EVENING + SECOND, cifs(201), MM_SUCCESS);
	pass();
	assert_false(trusted);
	struct mm_finding *f = finding(&mm_orphan_tgt);
	assert_int_equal(f->n_uses, 2);
	struct mm_fp bought = fp(201);
	assert_true(mm_fp_eq(&f->uses[0].obtained, &bought));
	assert_true(mm_fp_eq(&f->uses[1].shown, &bought));
	assert_int_equal(f->uses[1].outcome, MM_SUCCESS);
	assert_int_equal(
	        mm_ledger_issuer(l, mm_names_find_folded(&l->names, text("lab.test")))->hits, hits);
	assert_null(finding(&mm_orphan_service_ticket)); /* it was issued, for a forged TGT */
	make_ap(&room.ev, FORGER, SERVER, EVENING + 2 * SECOND, cifs(201), MM_SUCCESS);
	pass();
	assert_int_equal(f->n_uses, 2);
	assert_int_equal(f->uses[1].n, 2); /* the same again */
}

/* A TGT in every feature like the issuer's own, missing one issuance: said, not cried. */
static void test_bare_orphan(void **state)
{
	(void)state;
	make_tgs(&room.ev, 1, EVENING, tgt(200), cifs(201));
	pass();
	struct mm_finding *f = finding(&mm_orphan_tgt);
	assert_non_null(f);
	assert_true(f->bare);
	assert_string_equal(f->unscored, "no-odd-feature");
	assert_silent();
}

/* The sensor has watched for a minute: everybody's tickets are older. */
static void test_late_sensor(void **state)
{
	(void)state;
	(void)tear_down(NULL);
	detect_new(NULL, FINDINGS_MAX);
	make_as(&room.ev, 1, MORNING, tgt(1));
	pass();
	for (uint8_t i = 0; i < 10; i++) {
		make_tgs(&room.ev, (uint8_t)(i + 2), MORNING + 60 * SECOND, tgt((uint8_t)(100 + i)),
		        cifs((uint8_t)(150 + i)));
		pass();
		make_ap(&room.ev, (uint8_t)(i + 2), SERVER, MORNING + 61 * SECOND,
		        cifs((uint8_t)(200 + i)), MM_SUCCESS);
		pass();
	}
	struct mm_finding *f = finding(&mm_orphan_tgt);
	assert_non_null(f);
	assert_string_equal(f->unscored, "warm-up");
	assert_silent();
}

/* A realm whose KDC is out of sight says nothing, however odd its tickets are. */
static void test_issuer_out_of_sight(void **state)
{
	(void)state;
	make_ap(&room.ev, 3, SERVER, EVENING,
	        (struct made){ .id = 200,
	                .realm = "ELSEWHERE.TEST",
	                .service = "cifs/srv.lab.test",
	                .kvno = 2,
	                .alg = 23 },
	        MM_SUCCESS);
	pass();
	struct mm_finding *f = finding(&mm_orphan_service_ticket);
	assert_non_null(f);
	assert_string_equal(f->unscored, "issuer-not-in-view");
	assert_silent();
}

static void test_silver(void **state)
{
	(void)state;
	struct made forged = { .id = 200,
		.service = "cifs/srv.lab.test",
		.kvno = 2,
		.alg = 23,
		.name_type = 1,
		.length = 870 };
	make_ap(&room.ev, FORGER, SERVER, EVENING, forged, MM_SUCCESS);
	pass();
	struct mm_finding *f = finding(&mm_orphan_service_ticket);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_HIGH);
	assert_true(weight_of(f, MM_W_ETYPE_SERVICE) > 0);
	assert_true(weight_of(f, MM_W_KVNO_2) > 0);
	assert_int_equal(f->facts.n_accepted, 1);
	assert_null(finding(&mm_orphan_tgt));
}

/* Its key was changed an hour ago; a client still uses a ticket of before, issued while frames were lost. */
static void test_rekeyed_service(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 5; i++) {
		struct made after = cifs((uint8_t)(150 + i));
		after.kvno = 8;
		make_tgs(&room.ev, 2, EVENING - HOUR, tgt(1), after);
		pass();
	}
	make_ap(&room.ev, 1, SERVER, EVENING, cifs(200), MM_SUCCESS); /* kvno 7 */
	pass();
	assert_silent();
}

/* The same name in a ticket that was issued for another service: "altservice". */
static void test_spn_substitution(void **state)
{
	(void)state;
	make_tgs(&room.ev, 1, EVENING, tgt(1), cifs(200));
	pass();
	struct made changed = cifs(200);
	changed.service = "host/srv.lab.test";
	make_ap(&room.ev, 1, SERVER, EVENING + SECOND, changed, MM_SUCCESS);
	pass();
	struct mm_finding *f = finding(&mm_spn_substitution);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_HIGH);
	assert_string_equal(f->facts.other, "cifs/srv.lab.test");
	assert_string_equal(f->facts.service, "host/srv.lab.test");
}

static void test_spelling_is_no_substitution(void **state)
{
	(void)state;
	static const char *const forms[] = { "CIFS/SRV.LAB.TEST", "cifs/srv", "cifs/srv.lab.test" };
	make_tgs(&room.ev, 1, EVENING, tgt(1), cifs(200));
	pass();
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct made spelled = cifs(200);
		spelled.service = forms[i];
		spelled.realm = "lab.test";
		make_ap(&room.ev, 1, SERVER, EVENING + SECOND, spelled, MM_SUCCESS);
		pass();
	}
	assert_null(finding(&mm_spn_substitution));
}

static struct mm_finding *reply_for(uint32_t flags, const char *principal, const char *service)
{
	make_as(&room.ev, 1, EVENING, tgt(200));
	pass();
	make_tgs(&room.ev, 1, EVENING + SECOND, tgt(200),
	        (struct made){ .id = 201, .service = service, .principal = principal });
	room.ev.flags = flags;
	pass();
	return finding(&mm_cname_break);
}

static void test_cname_break(void **state)
{
	(void)state;
	struct mm_finding *f = reply_for(0, "administrator", "cifs/srv.lab.test");
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_HIGH);
	assert_string_equal(f->facts.other, "alice");
	assert_string_equal(f->facts.user, "administrator");
}

/* MS-SFU names another client by right; FAST hides it; spellings of one name are one name. */
static void test_cname_s4u2self(void **state)
{
	(void)state;
	assert_null(reply_for(MM_EVF_S4U_SELF, "bob", "srv$"));
}

static void test_cname_s4u2proxy(void **state)
{
	(void)state;
	assert_null(reply_for(MM_EVF_S4U_PROXY, "bob", "cifs/srv.lab.test"));
}

static void test_cname_hidden(void **state)
{
	(void)state;
	assert_null(reply_for(MM_EVF_ARMORED | MM_EVF_ANONYMOUS, "", "cifs/srv.lab.test"));
}

static void test_cname_armored_s4u2self(void **state)
{
	(void)state;
	make_as(&room.ev, 1, EVENING, (struct made){ .id = 210, .principal = "srv$" });
	pass();
	make_tgs(&room.ev, 1, EVENING + SECOND, tgt(210),
	        (struct made){ .id = 211, .service = "SRV$", .principal = "bob" });
	room.ev.flags =
	        MM_EVF_ARMORED; /* a service asks for a ticket to itself, the padata hidden */
	pass();
	assert_null(finding(&mm_cname_break));
}

static void test_cname_case(void **state)
{
	(void)state;
	assert_null(reply_for(0, "ALICE", "cifs/srv.lab.test"));
	assert_null(reply_for(0, "alice@LAB.TEST", "cifs/srv.lab.test"));
}

/* A renewed or forwarded TGT comes in a TGS-REP and is as good as the first. */
static void test_renewed_and_forwarded(void **state)
{
	(void)state;
	make_as(&room.ev, 1, EVENING, tgt(200));
	pass();
	make_tgs(&room.ev, 1, EVENING + HOUR, tgt(200), tgt(201));
	room.ev.flags = MM_EVF_RENEWAL;
	pass();
	make_tgs(&room.ev, 1, EVENING + HOUR, tgt(201), tgt(202));
	room.ev.flags = MM_EVF_FORWARDED;
	pass();
	make_tgs(&room.ev, SERVER, EVENING + 2 * HOUR, tgt(202),
	        cifs(203)); /* from the host it was forwarded to */
	pass();
	make_ap(&room.ev, SERVER, 21, EVENING + 2 * HOUR, cifs(203), MM_SUCCESS);
	pass();
	assert_int_equal(d.findings.n, 0);
}

/* Evidence and armor: other people's tickets, shown by right, known to the ledger. */
static void test_evidence_and_armor(void **state)
{
	(void)state;
	make_tgs(&room.ev, 2, EVENING, tgt(3),
	        (struct made){ .id = 200, .service = "http/web", .principal = "alice" });
	show(&room.ev, MM_ROLE_EVIDENCE, cifs(2));
	show(&room.ev, MM_ROLE_ARMOR, tgt(5));
	room.ev.flags = MM_EVF_S4U_PROXY;
	pass();
	assert_int_equal(d.findings.n, 0);
}

/* Nobody's words are printed raw. */
static void test_names_are_printable(void **state)
{
	(void)state;
	make_tgs(&room.ev, FORGER, EVENING, (struct made){ .id = 200, .kvno = 2 }, cifs(201));
	room.ev.user = text("a\x1b[31m\n\xff");
	pass();
	assert_string_equal(finding(&mm_orphan_tgt)->facts.user, "a?[31m??");
}

/* Most serious first. */
static void test_order(void **state)
{
	(void)state;
	make_tgs(&room.ev, FORGER, EVENING, (struct made){ .id = 200, .kvno = 2, .name_type = 1 },
	        cifs(201));
	pass();
	make_tgs(&room.ev, 1, EVENING, tgt(210), cifs(211));
	pass();
	mm_detect_weigh_all(&d);
	struct mm_finding *a = mm_table_next(&d.findings, NULL), *b = mm_table_next(&d.findings, a);
	assert_true(a->score > b->score);
	assert_true(mm_finding_cmp(&a, &b) < 0 && mm_finding_cmp(&b, &a) > 0);
	assert_int_equal(mm_finding_cmp(&a, &a), 0);
}

static void test_list(void **state)
{
	(void)state;
	for (size_t i = 0; mm_detectors[i] != NULL; i++) {
		const struct mm_detector *x = mm_detectors[i];
		assert_true(
		        x->name != NULL && x->id != NULL && x->help != NULL && x->meaning != NULL);
		assert_true(x->technique[0] == 'T' && x->alternatives != NULL && x->weigh != NULL);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(x->name, mm_detectors[k]->name);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_honest_day),
		CASE(test_golden),
		CASE(test_careful_golden),
		CASE(test_version_to_come),
		CASE(test_missed_logon),
		CASE(test_user_own),
		CASE(test_krbtgt_form),
		CASE(test_diamond_elsewhere),
		CASE(test_service_refuses),
		CASE(test_sum_in_tenths),
		CASE(test_staged_kdc),
		CASE(test_issued_too_late),
		CASE(test_second_kdc),
		CASE(test_flood),
		CASE(test_taint),
		CASE(test_bare_orphan),
		CASE(test_late_sensor),
		CASE(test_issuer_out_of_sight),
		CASE(test_silver),
		CASE(test_rekeyed_service),
		CASE(test_spn_substitution),
		CASE(test_spelling_is_no_substitution),
		CASE(test_cname_break),
		CASE(test_cname_s4u2self),
		CASE(test_cname_s4u2proxy),
		CASE(test_cname_hidden),
		CASE(test_cname_armored_s4u2self),
		CASE(test_cname_case),
		CASE(test_renewed_and_forwarded),
		CASE(test_evidence_and_armor),
		CASE(test_names_are_printable),
		CASE(test_order),
		cmocka_unit_test(test_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
