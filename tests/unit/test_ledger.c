/* The ledger: issuances, presentations, parents and roots, and how well an issuer is covered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "ledger_build.h"

static struct mm_ledger *l;
static struct mm_look look;
static struct mm_event_room room;
static void make_ledger(size_t rows_max)
{
	struct mm_ledger_config config;
	mm_ledger_config_default(&config);
	config.rows_max = rows_max;
	config.lifetime_ns = 10 * HOUR;
	assert_int_equal(mm_ledger_new(&config, &l), MM_OK);
}

static int set_up(void **state)
{
	(void)state;
	make_ledger(1000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mm_ledger_free(l);
	return 0;
}

/* The event passes through the ledger as in the engine. */
static void pass(bool trusted)
{
	mm_ledger_present(l, &room.ev, &look);
	mm_ledger_settle(l, &look, trusted);
}

/* Of 100 times, n were lost between this server and its clients; 0: of all that the sensor should have seen. */
static void lose(uint8_t server, uint32_t n)
{
	clear(&room.ev, MM_EV_LOSS, server, HOUR);
	if (server != 0)
		room.ev.dst.addr = host(server);
	room.ev.n_lost = n;
	room.ev.n_seen = 100 - n;
	pass(true);
}

static const struct mm_row *row(uint8_t id)
{
	struct mm_fp f = fp(id);
	return mm_ledger_find(l, &f);
}

static const struct mm_lineage *lineage(uint8_t id)
{
	return mm_ledger_lineage(l, row(id));
}

static uint32_t realm(void)
{
	return mm_names_find_folded(&l->names, text("LAB.TEST"));
}

static void assert_name(uint32_t number, const char *expected)
{
	assert_true(mm_str_eq(mm_names_text(&l->names, number), text(expected)));
}

static void assert_near(double a, double b)
{
	assert_true(fabs(a - b) < 1e-9);
}

static struct made tgt(uint8_t id)
{
	return (struct made){ .id = id, .principal = "alice" };
}

static struct made cifs(uint8_t id)
{
	return (struct made){ .id = id, .service = "cifs/srv.lab.test", .principal = "alice" };
}

static void as(uint8_t from, int64_t at_ns, uint8_t id)
{
	make_as(&room.ev, from, at_ns, tgt(id));
	pass(true);
}

static void tgs(uint8_t from, int64_t at_ns, uint8_t shown, uint8_t issued)
{
	make_tgs(&room.ev, from, at_ns, tgt(shown), cifs(issued));
	pass(true);
}

static void ap(uint8_t from, int64_t at_ns, uint8_t id)
{
	make_ap(&room.ev, from, 20, at_ns, cifs(id), MM_SUCCESS);
	pass(true);
}

static void test_lineage(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	tgs(1, 2 * HOUR, 1, 2);
	assert_int_equal(look.n_seen, 1);
	assert_ptr_equal(look.proof, &look.seen[0]);
	assert_false(look.seen[0].orphan);
	assert_true(look.seen[0].first);
	ap(1, 3 * HOUR, 2);
	assert_false(look.seen[0].orphan);
	const struct mm_row *ticket = row(2), *parent = row(1);
	assert_true(mm_fp_eq(&lineage(2)->parent, &parent->fp));
	assert_false(mm_fp_is_set(&lineage(2)->root)); /* no orphan in its lineage */
	assert_name(mm_ledger_mint(l, ticket)->service, "cifs/srv.lab.test");
	assert_name(mm_ledger_party(l, ticket)->principal, "alice");
	assert_int_equal(ticket->flags, MM_ROW_ISSUED | MM_ROW_ACCEPTED);
	assert_int_equal(ticket->n_presented, 1);
	assert_true(ticket->issued_ns == 2 * HOUR + 1 && ticket->first_ns == 3 * HOUR);
	assert_int_equal(l->n_issued, 2);
	assert_int_equal(l->n_presented, 2);
	ap(1, 4 * HOUR, 2);
	assert_false(look.seen[0].first);
	assert_true(row(2)->first_ns == 3 * HOUR && row(2)->last_ns == 4 * HOUR);
}

static void test_orphan_and_root(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	tgs(2, 2 * HOUR, 66, 2); /* 66 was never issued */
	assert_true(look.seen[0].orphan && look.seen[0].first);
	assert_int_equal(look.seen[0].blind, MM_SEEING);
	struct mm_fp forged = fp(66);
	assert_true(mm_fp_eq(&lineage(2)->root, &forged));
	make_tgs(&room.ev, 2, 3 * HOUR, (struct made){ .id = 2 },
	        cifs(3)); /* what was obtained with it buys more */
	pass(true);
	assert_false(look.seen[0].orphan);
	assert_true(mm_fp_eq(&lineage(3)->root, &forged));
	struct mm_fp parent = fp(2);
	assert_true(mm_fp_eq(&lineage(3)->parent, &parent));
	assert_false(row(66)->flags & MM_ROW_ISSUED);
}

/* Evidence and armor are shown, but are not what the client is known by. */
static void test_roles(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	make_tgs(&room.ev, 1, 2 * HOUR, tgt(1), cifs(2));
	show(&room.ev, MM_ROLE_EVIDENCE, cifs(7));
	show(&room.ev, MM_ROLE_ARMOR, tgt(8));
	pass(true);
	assert_int_equal(look.n_seen, 3);
	assert_ptr_equal(look.proof, &look.seen[0]);
	assert_true(look.seen[1].orphan && look.seen[2].orphan);
	struct mm_fp parent = fp(1);
	assert_true(mm_fp_eq(&lineage(2)->parent, &parent));
	assert_false(row(8)->flags & MM_ROW_ACCEPTED);
}

static void test_flags(void **state)
{
	(void)state;
	static const struct {
		uint32_t event, row;
	} map[] = {
		{ MM_EVF_FORWARDED, MM_ROW_FORWARDED },
		{ MM_EVF_S4U_SELF, MM_ROW_S4U },
		{ MM_EVF_S4U_PROXY, MM_ROW_S4U },
		{ MM_EVF_ANONYMOUS, MM_ROW_HIDDEN },
		{ MM_EVF_RENEWAL, 0 },
	};
	as(1, HOUR, 1);
	for (uint8_t i = 0; i < sizeof map / sizeof map[0]; i++) {
		make_tgs(&room.ev, 1, 2 * HOUR, tgt(1), cifs((uint8_t)(20 + i)));
		room.ev.flags = map[i].event;
		pass(true);
		assert_int_equal(row((uint8_t)(20 + i))->flags, MM_ROW_ISSUED | map[i].row);
	}
}

/* FAST hides the client's name in the answer: it is the name of the ticket that bought it. */
static void test_hidden_name(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	make_tgs(&room.ev, 1, 2 * HOUR, tgt(1), (struct made){ .id = 2, .service = "cifs/srv" });
	room.ev.flags = MM_EVF_ANONYMOUS;
	pass(true);
	assert_name(mm_ledger_party(l, row(2))->principal, "alice");
}

static void test_reissued(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	make_as(&room.ev, 9, 2 * HOUR, (struct made){ .id = 1, .principal = "mallory" });
	pass(true);
	assert_name(mm_ledger_party(l, row(1))->principal, "alice"); /* the first stands */
	assert_int_equal(l->n_reissued, 1);
	assert_int_equal(l->n_issued, 1);
}

/* Blind: nothing was ever seen issued by that realm; or the KDC itself presents. */
static void test_blindness(void **state)
{
	(void)state;
	ap(1, HOUR, 1);
	assert_true(look.seen[0].orphan);
	assert_int_equal(look.seen[0].blind, MM_BLIND_ISSUER);
	assert_near(look.seen[0].miss.m, 1);
	as(1, 2 * HOUR, 2);
	ap(KDC, 3 * HOUR, 3);
	assert_int_equal(look.seen[0].blind, MM_BLIND_LOCAL);
	make_ap(&room.ev, 1, 20, 4 * HOUR,
	        (struct made){ .id = 4, .realm = "OTHER.TEST", .service = "cifs/x" }, MM_SUCCESS);
	pass(true);
	assert_int_equal(look.seen[0].blind, MM_BLIND_ISSUER);
	/* realms compare without case */
	make_ap(&room.ev, 1, 20, 4 * HOUR,
	        (struct made){ .id = 5, .realm = "lab.test", .service = "cifs/x" }, MM_SUCCESS);
	pass(true);
	assert_int_equal(look.seen[0].blind, MM_SEEING);
}

/* SCORING: a = max(0, 1 - watched / lifetime). The first issuance at 1 h, the lifetime 10 h. */
static void test_warm_up(void **state)
{
	(void)state;
	static const struct {
		int64_t at_h;
		double a;
	} points[] = { { 1, 1.0 }, { 2, 0.9 }, { 6, 0.5 }, { 11, 0 }, { 30, 0 } };
	as(1, HOUR, 1);
	for (uint8_t i = 0; i < sizeof points / sizeof points[0]; i++) {
		make_ap(&room.ev, 1, 20, points[i].at_h * HOUR, cifs((uint8_t)(40 + i)),
		        MM_FAILURE);
		pass(true);
		assert_near(look.seen[0].miss.a, points[i].a);
		assert_true(look.seen[0].miss.watched_ns == (points[i].at_h - 1) * HOUR);
	}
}

static struct mm_miss miss_at(uint8_t from, int64_t at_ns)
{
	make_ap(&room.ev, from, 20, at_ns, cifs(200), MM_FAILURE);
	pass(true);
	return look.seen[0].miss;
}

static void assert_b(uint8_t from, double b)
{
	assert_near(miss_at(from, 20 * HOUR).b, b);
}

/* b from what is known to be lost: of 10 that the KDC's flows held, one; other servers say nothing. */
static void test_loss_by_holes(void **state)
{
	(void)state;
	as(1, HOUR, 1); /* seen, too */
	assert_b(1, 0);
	lose(20, 50);
	assert_b(1, 0);
	lose(KDC, 10);
	assert_b(1, 10.0 / 101);
}

/* b from packets that the sensor lost, of any host: an exchange is four, each lost loses it: 1 - 0.9^4. */
static void test_loss_by_sensor(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	lose(0, 10);
	assert_b(1, 1 - 0.9 * 0.9 * 0.9 * 0.9);
}

/* b from requests: 3 of 9 went unanswered: 3 / (9 + 1); that says more than what is known to be lost. */
static void test_loss_by_silence(void **state)
{
	(void)state;
	for (uint8_t i = 1; i <= 6; i++)
		as(1, HOUR, i);
	for (uint8_t i = 0; i < 3; i++) {
		make_as(&room.ev, 1, HOUR, tgt(0));
		room.ev.n_creds = 0;
		room.ev.kind = MM_EV_REQUEST;
		room.ev.response_ns = 0;
		room.ev.reply_alg = 0;
		pass(true);
	}
	lose(KDC, 1);
	assert_b(2, 0.3);
	/* What the client itself asked in vain is left out: 1 lost beside 99 seen, and 9 events, remains. */
	assert_b(1, 1.0 / 109);
	const struct mm_issuer *issuer = mm_ledger_issuer(l, realm());
	assert_true(issuer->n_exchanges == 9 && issuer->n_unanswered == 3);
}

/* SCORING: 1 - m = (1 - a)(1 - b)(1 - c), m at least 1e-5. */
static void test_miss_combines(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	lose(KDC, 10);
	struct mm_miss m = miss_at(1, 6 * HOUR);
	assert_near(1 - m.m, 0.5 * (91.0 / 101) * (1 - m.c));
	mm_table_remove(&l->losses, mm_table_next(&l->losses, NULL));
	for (uint8_t i = 2; i < 100; i++) {
		as(1, 20 * HOUR, i);
		tgs(1, 20 * HOUR, i, (uint8_t)(i + 100));
	}
	m = miss_at(1, 21 * HOUR);
	assert_true(m.m >= 1e-5);
	assert_near(m.m, fmax(m.c, 1e-5));
}

/* c falls with every credential whose issuance was in view, and rises where one was not. */
static void test_out_of_sight(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	double before = miss_at(1, 20 * HOUR).c;
	for (uint8_t i = 2; i < 30; i++) {
		as(1, 20 * HOUR, i);
		tgs(1, 20 * HOUR, i, (uint8_t)(i + 100));
	}
	double covered = miss_at(1, 21 * HOUR).c;
	assert_true(covered < before && covered > 0);
	/* 28 found issued, none missed: by exact fractions from the prior in chance_unseen() */
	assert_near(covered, 0.0012107802343364936);
	for (uint8_t i = 150; i < 160; i++)
		ap(1, 22 * HOUR, i); /* accepted, never seen issued */
	assert_true(miss_at(1, 23 * HOUR).c > covered);
}

/* Anybody can present garbage that is refused, or repeat what was presented: neither changes coverage. Nor does
 * what a finding stands against. */
static void test_what_coverage_ignores(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	tgs(1, 20 * HOUR, 1, 2);
	double c = miss_at(1, 21 * HOUR).c;
	for (uint8_t i = 50; i < 60; i++) {
		make_ap(&room.ev, 1, 20, 21 * HOUR, cifs(i), MM_FAILURE);
		pass(true);
		make_ap(&room.ev, 1, 20, 21 * HOUR, cifs((uint8_t)(i + 20)), MM_SUCCESS);
		pass(false);
		tgs(1, 21 * HOUR, 1, 2); /* not the first presentation of 1 */
	}
	assert_near(miss_at(1, 21 * HOUR).c, c);
	assert_int_equal(mm_ledger_issuer(l, realm())->hits, 1);
}

static void test_issuer_counts(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	tgs(1, 2 * HOUR, 1, 2);
	ap(1, 3 * HOUR, 2);
	ap(1, 3 * HOUR, 9);
	ap(1, 3 * HOUR, 9);
	const struct mm_issuer *issuer = mm_ledger_issuer(l, realm());
	assert_true(issuer->n_issued == 2 && issuer->n_presented == 4 && issuer->n_matched == 2);
	assert_int_equal(issuer->n_orphans, 1); /* credentials, not presentations */
	assert_int_equal(issuer->n_kdcs, 1);
	assert_true(issuer->first_ns == HOUR);
	struct mm_addr one = host(1);
	assert_int_equal(mm_ledger_host(l, realm(), &one)->n_obtained, 2);
	struct mm_addr two = host(2);
	assert_null(mm_ledger_host(l, realm(), &two));
}

/* A realm that is only asked for makes no issuer: a client can make up any number of them. */
static void test_made_up_realm(void **state)
{
	(void)state;
	make_as(&room.ev, 1, HOUR, tgt(1));
	room.ev.n_creds = 0;
	room.ev.kind = MM_EV_REQUEST;
	room.ev.user_realm = text("NOWHERE");
	room.ev.reply_alg = 0;
	pass(true);
	assert_null(mm_ledger_issuer(l, mm_names_find_folded(&l->names, text("nowhere"))));
}

static void test_machine_account(void **state)
{
	(void)state;
	make_as(&room.ev, 3, HOUR, (struct made){ .id = 1, .principal = "WS3$" });
	pass(true);
	struct mm_addr three = host(3);
	assert_name(mm_ledger_host(l, realm(), &three)->machine, "WS3$");
}

/* Overheads: 28 bytes for AES with SHA-1 (RFC 3962: 16 + 12), 24 for RC4 (RFC 4757: 16 + 8), 40 for
 * aes256-cts-hmac-sha384-192 (RFC 8009: 16 + 24). */
static void test_plain_length(void **state)
{
	(void)state;
	assert_int_equal(mm_plain_length(&(struct mm_cred){ .alg = 18, .length = 128 }), 100);
	assert_int_equal(mm_plain_length(&(struct mm_cred){ .alg = 23, .length = 124 }), 100);
	assert_int_equal(mm_plain_length(&(struct mm_cred){ .alg = 20, .length = 140 }), 100);
	assert_int_equal(mm_plain_length(&(struct mm_cred){ .alg = 99, .length = 100 }), 100);
	assert_int_equal(mm_plain_length(&(struct mm_cred){ .alg = 18, .length = 28 }), 28);
}

static void test_scopes(void **state)
{
	(void)state;
	as(1, HOUR, 1);
	tgs(1, HOUR, 1, 2);
	struct mm_cred a = { .kind = MM_CRED_SERVICE, .service = text("cifs/srv.lab.test") };
	struct mm_cred b = { .kind = MM_CRED_SERVICE, .service = text("HOST/SRV") };
	struct mm_cred c = { .kind = MM_CRED_SERVICE, .service = text("cifs/other") };
	struct mm_cred t = { .kind = MM_CRED_TGT, .service = text("krbtgt/LAB.TEST") };
	assert_true(mm_scope_machine(l, &a) != 0);
	assert_int_equal(mm_scope_machine(l, &a), mm_scope_machine(l, &b)); /* one machine */
	assert_int_equal(mm_scope_machine(l, &c), 0);
	assert_true(mm_scope_service(l, &a) != 0 && mm_scope_service(l, &b) == 0);
	assert_int_equal(mm_scope_service(l, &t), mm_scope_kind(&t));
	assert_int_equal(mm_scope_machine(l, &t), 0);
	/* a ticket whose name could not be read */
	assert_int_equal(mm_scope_machine(l, &(struct mm_cred){ .kind = MM_CRED_SERVICE }), 0);
}

/* What does not fit gives way, oldest first, and the ledger stays whole. */
static void test_eviction(void **state)
{
	(void)state;
	mm_ledger_free(l);
	make_ledger(16);
	for (uint8_t i = 1; i <= 200; i++)
		as(1, HOUR + i, i);
	assert_int_equal(l->rows.n, 16);
	assert_int_equal(l->rows.n_evicted, 184);
	assert_null(row(1));
	assert_non_null(row(185));
	tgs(1, 2 * HOUR, 1, 201); /* forgotten: an orphan now */
	assert_true(look.seen[0].orphan);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* What has ended goes before what was not used for longest, and what is being shown never. */
static void test_expired_goes_first(void **state)
{
	(void)state;
	mm_ledger_free(l);
	make_ledger(16);
	as(1, HOUR, 2);
	as(1, 2 * HOUR, 1);
	ap(1, 3 * HOUR, 1);
	for (uint8_t i = 3; i <= 15; i++)
		as(1, 4 * HOUR + i, i);
	ap(1, 10 * HOUR, 2);  /* used last, ends first */
	ap(1, 10 * HOUR, 99); /* an orphan, whose end nobody knows: the sixteenth */
	as(1, 11 * HOUR + 2, 100);
	assert_null(row(2));
	assert_non_null(row(1));
	assert_int_equal(l->n_expired, 1);
	assert_int_equal(l->rows.n_evicted, 0);
	as(1, 11 * HOUR + 3, 101); /* nothing has ended: the one used longest ago */
	assert_null(row(1));
	assert_int_equal(l->rows.n_evicted, 1);
	tgs(1, 15 * HOUR, 3, 102); /* number 3 has ended, and is shown: 4 goes */
	assert_non_null(row(3));
	assert_null(row(4));
	assert_true(mm_fp_eq(&lineage(102)->parent, &row(3)->fp));
	assert_int_equal(l->n_expired, 2);
}

/* Tickets that live longer here than they should are not taken for ended. */
static void test_outlived(void **state)
{
	(void)state;
	mm_ledger_free(l);
	make_ledger(16);
	as(1, HOUR, 1);
	tgs(1, 12 * HOUR, 1, 2);
	assert_true(row(1)->flags & MM_ROW_OUTLIVED);
	for (uint8_t i = 3; i <= 16; i++)
		as(1, 13 * HOUR + i, i);
	as(1, 14 * HOUR, 17);
	assert_null(row(1)); /* used longest ago */
	assert_int_equal(l->n_expired, 0);
}

/* What rows share lives as long as one of them, whatever became of the rows it speaks of. */
static void test_shared(void **state)
{
	(void)state;
	mm_ledger_free(l);
	make_ledger(16);
	tgs(1, HOUR, 66, 1); /* 66 is an orphan */
	for (uint8_t i = 2; i <= 16; i++)
		tgs(1, HOUR + i, 1, i);
	assert_null(row(66));
	struct mm_fp forged = fp(66);
	assert_true(mm_fp_eq(&lineage(1)->parent, &forged) && mm_fp_eq(&lineage(9)->root, &forged));
	assert_int_equal(l->lineages.n, 2);
	assert_int_equal(l->mints.n, 1);
	assert_int_equal(l->parties.n, 1);
	for (uint8_t i = 100; i < 200; i++) {
		make_ap(&room.ev, i, 20, 2 * HOUR + i, cifs(i), MM_SUCCESS);
		pass(true);
	}
	assert_int_equal(l->rows.n, 16);
	assert_int_equal(l->lineages.n, 0);
	assert_int_equal(l->mints.n, 0);
	assert_int_equal(l->parties.n, 16);
}

/* Each byte at each place, in texts of each length around a word's. */
static void test_fold(void **state)
{
	(void)state;
	static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char small[] = "abcdefghijklmnopqrstuvwxyz";
	char in[20], out[MM_STR_MAX];
	for (size_t len = 1; len <= sizeof in; len++) {
		for (size_t at = 0; at < len; at++) {
			for (int c = 1; c < 256; c++) {
				memset(in, 'Z', sizeof in);
				in[at] = (char)c;
				const char *capital = strchr(capitals, c);
				char expected =
				        capital != NULL ? small[capital - capitals] : (char)c;
				struct mm_str folded = mm_str_fold((struct mm_str){ in, len }, out);
				assert_int_equal(folded.len, len);
				for (size_t i = 0; i < len; i++)
					assert_int_equal(folded.p[i], i == at ? expected : 'z');
			}
		}
	}
}

/* What is learnt from strangers without end takes no more than its share. */
static void test_learnt_bounded(void **state)
{
	(void)state;
	const size_t limit = 4 * 1024 * 1024;
	struct mm_ledger *own = l;
	for (unsigned limited = 0; limited < 2; limited++) {
		struct mm_ledger_config config;
		mm_ledger_config_default(&config);
		config.rows_max = 16;
		config.learnt_b_max = limited ? limit : 0;
		assert_int_equal(mm_ledger_new(&config, &l), MM_OK);
		for (unsigned i = 0; i < 20000; i++) {
			struct mm_event *ev = mm_event_init(&room);
			ev->kind = MM_EV_REQUEST;
			ev->protocol = "http";
			ev->action = "http-basic";
			ev->transport = "tcp";
			ev->meaning = MM_MEANING_BAD_PASSWORD;
			ev->outcome = MM_FAILURE;
			ev->user = text("anna");
			ev->src = (struct mm_endpoint){
				{ 4, { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } },
				50000
			};
			ev->dst = (struct mm_endpoint){ host(KDC), 443 };
			ev->time_ns = ev->request_ns = ev->key_ns = HOUR * 1000 + i * SECOND;
			pass(true);
		}
		size_t bytes = mm_ledger_bytes(l);
		assert_true(limited ? bytes < limit : bytes > 5 * limit);
		mm_ledger_free(l);
	}
	l = own;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_lineage),
		CASE(test_orphan_and_root),
		CASE(test_roles),
		CASE(test_flags),
		CASE(test_hidden_name),
		CASE(test_reissued),
		CASE(test_blindness),
		CASE(test_warm_up),
		CASE(test_loss_by_holes),
		CASE(test_loss_by_sensor),
		CASE(test_loss_by_silence),
		CASE(test_miss_combines),
		CASE(test_out_of_sight),
		CASE(test_what_coverage_ignores),
		CASE(test_issuer_counts),
		CASE(test_made_up_realm),
		CASE(test_machine_account),
		CASE(test_plain_length),
		CASE(test_scopes),
		CASE(test_eviction),
		CASE(test_expired_goes_first),
		CASE(test_fold),
		CASE(test_outlived),
		CASE(test_shared),
		CASE(test_learnt_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
