/* Snapshots: what is saved is what is loaded, whatever is wrong with a file is refused, and a directory holds the old
 * snapshot or the new one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <sys/stat.h>

#include "geo/geo.h"
#include "guard.h"
#include "ledger_build.h"
#include "state/dir.h"
#include "state/state.h"

enum {
	VERSION_AT = 8,
	LENGTH_AT = 16,
	DIGEST = 32,
	ROWS = 1000,
};

/* A run: what a snapshot is made of. */
struct run {
	struct mm_ledger *ledger;
	struct mm_detect detect;
	struct mm_files files;
};

static struct mm_event_room room;

static void run_begin(struct run *r, size_t rows, const char *file)
{
	static uint64_t key;
	struct mm_ledger_config config;
	mm_ledger_config_default(&config);
	config.key = (struct mm_hash_key){ ++key, 7 }; /* no two runs have the same */
	config.rows_max = rows;
	*r = (struct run){ 0 };
	assert_int_equal(mm_ledger_new(&config, &r->ledger), MM_OK);
	mm_detect_init(&r->detect, r->ledger, &config.key, 64);
	assert_int_equal(mm_files_add(&r->files, file), 0);
}

static void run_end(struct run *r)
{
	mm_detect_done(&r->detect);
	mm_ledger_free(r->ledger);
	mm_files_done(&r->files);
}

static void pass(struct run *r)
{
	struct mm_look look;
	mm_ledger_present(r->ledger, &room.ev, &look);
	mm_ledger_settle(r->ledger, &look, mm_detect_look(&r->detect, &look));
}

static struct made tgt(uint8_t id)
{
	return (struct made){ .id = id, .principal = "alice" };
}

static struct made cifs(uint8_t id)
{
	return (struct made){ .id = id, .service = "cifs/srv.lab.test", .principal = "alice" };
}

/* Two clients at work, one of them with a forged ticket; a few rows have been evicted. */
static void live(struct run *r, int64_t from_ns, uint8_t first_id)
{
	for (uint8_t i = 0; i < 6; i++) {
		make_as(&room.ev, (uint8_t)(1 + i % 2), from_ns + i * SECOND,
		        tgt((uint8_t)(first_id + i)));
		pass(r);
		make_tgs(&room.ev, (uint8_t)(1 + i % 2), from_ns + i * SECOND + 5,
		        tgt((uint8_t)(first_id + i)), cifs((uint8_t)(first_id + 20 + i)));
		pass(r);
		make_ap(&room.ev, (uint8_t)(1 + i % 2), 20, from_ns + i * SECOND + 9,
		        cifs((uint8_t)(first_id + 20 + i)), MM_SUCCESS);
		pass(r);
	}
	struct made forged = { .id = 200, .principal = "alice", .kvno = 2, .length = 700 };
	make_tgs(&room.ev, 3, from_ns + 20 * HOUR, forged, cifs((uint8_t)(first_id + 50)));
	pass(r);
	make_ap(&room.ev, 3, 20, from_ns + 20 * HOUR + 9, cifs((uint8_t)(first_id + 50)),
	        MM_SUCCESS);
	pass(r);
}

static void serialise(struct run *r, struct mm_store *out)
{
	struct mm_state state = { r->ledger, &r->detect, &r->files, 1700000000 * SECOND };
	assert_int_equal(mm_state_serialise(&state, out), MM_OK);
}

static void put_digest(struct mm_store *s)
{
	SHA256(s->p, s->len - DIGEST, s->p + s->len - DIGEST);
}

/* As it stands in a file. */
static void save(struct run *r, struct mm_store *out)
{
	static const uint8_t blank[DIGEST];
	serialise(r, out);
	mm_store_bytes(out, blank, sizeof blank);
	assert_false(out->failed);
	put_digest(out);
}

static int load(struct run *r, struct mm_slice file)
{
	const char *why;
	struct mm_state state = { r->ledger, &r->detect, &r->files, 0 };
	return mm_state_parse(file, &state, &why);
}

static struct mm_slice bytes_of(const struct mm_store *s)
{
	return mm_slice(s->p, s->len);
}

/* Another process with other hash keys: it saves what it loaded, byte for byte, and goes on as the first one does. */
static void test_identity(void **state)
{
	(void)state;
	struct run a, b, c;
	struct mm_store first = { 0 }, second = { 0 }, third = { 0 };
	run_begin(&a, 24, "a.pcap");
	live(&a, HOUR, 1);
	assert_int_equal(a.detect.findings.n, 1);
	save(&a, &first);
	run_begin(&b, 24, "b.pcap");
	assert_int_equal(load(&b, bytes_of(&first)), MM_OK);
	save(&b, &second);
	run_begin(&c, 24, "b.pcap");
	assert_int_equal(load(&c, bytes_of(&second)), MM_OK);
	for (int i = 0; i < 4; i++) { /* full tables turn over alike */
		live(&b, (30 + 30 * i) * HOUR, (uint8_t)(1 + 10 * i));
		live(&c, (30 + 30 * i) * HOUR, (uint8_t)(1 + 10 * i));
	}
	assert_true(b.ledger->n_expired > 0);
	assert_int_equal(b.ledger->n_expired, c.ledger->n_expired);
	for (const struct mm_row *x = mm_table_next(&b.ledger->rows, NULL),
	                         *y = mm_table_next(&c.ledger->rows, NULL);
	        x != NULL || y != NULL;
	        x = mm_table_next(&b.ledger->rows, x), y = mm_table_next(&c.ledger->rows, y)) {
		assert_true(x != NULL && y != NULL && mm_fp_eq(&x->fp, &y->fp));
		assert_memory_equal(mm_ledger_lineage(b.ledger, x), mm_ledger_lineage(c.ledger, y),
		        sizeof(struct mm_lineage));
	}
	mm_store_done(&first);
	mm_store_done(&second);
	mm_store_done(&third);
	run_end(&a);
	run_end(&b);
	run_end(&c);
}

static void test_fixed_point(void **state)
{
	(void)state;
	struct run a, b, c;
	struct mm_store first = { 0 }, second = { 0 }, third = { 0 };
	run_begin(&a, ROWS, "a.pcap");
	live(&a, HOUR, 1);
	save(&a, &first);
	run_begin(&b, ROWS, "b.pcap");
	assert_int_equal(load(&b, bytes_of(&first)), MM_OK);
	save(&b, &second);
	run_begin(&c, ROWS, "b.pcap");
	assert_int_equal(load(&c, bytes_of(&second)), MM_OK);
	/* Only the list of names differs: what b itself reads is in it. */
	assert_int_equal(c.files.n_earlier, 1);
	save(&c, &third);
	assert_int_equal(second.len, third.len);
	assert_memory_equal(second.p, third.p, second.len);
	const struct mm_finding *f = mm_table_next(&a.detect.findings, NULL),
	                        *g = mm_table_next(&c.detect.findings, NULL);
	assert_memory_equal(&f->facts, &g->facts, sizeof f->facts);
	assert_string_equal(f->event_id, g->event_id);
	assert_true(fabs(f->score - g->score) < 1e-9 && f->n_uses == g->n_uses);
	assert_string_equal(f->uses[0].action, g->uses[0].action);
	mm_store_done(&first);
	mm_store_done(&second);
	mm_store_done(&third);
	run_end(&a);
	run_end(&b);
	run_end(&c);
}

/* Evidence keeps the name it had; a name that this run uses, too, is marked. */
static void test_names_of_captures(void **state)
{
	(void)state;
	struct run a, b, c;
	struct mm_store file = { 0 };
	run_begin(&a, ROWS, "eth0");
	assert_int_equal(mm_files_add(&a.files, "unused.pcap"), 1);
	live(&a, HOUR, 1);
	struct mm_finding *f = mm_table_next(&a.detect.findings, NULL);
	assert_string_equal(mm_files_name(&a.files, f->pkts[0].file), "eth0");
	save(&a, &file);
	run_begin(&b, ROWS, "b.pcap");
	assert_int_equal(load(&b, bytes_of(&file)), MM_OK);
	f = mm_table_next(&b.detect.findings, NULL);
	assert_string_equal(mm_files_name(&b.files, f->pkts[0].file), "eth0");
	assert_int_equal(b.files.n_earlier, 1); /* nobody speaks of unused.pcap */
	run_begin(&c, ROWS, "eth0");
	assert_int_equal(load(&c, bytes_of(&file)), MM_OK);
	f = mm_table_next(&c.detect.findings, NULL);
	assert_string_equal(
	        mm_files_name(&c.files, f->pkts[0].file), "eth0[until 2023-11-14T22:13:20Z]");
	assert_string_equal(mm_files_name(&c.files, 0), "eth0");
	assert_true(mm_files_add(&b.files, "eth0") > 0); /* it comes up later */
	f = mm_table_next(&b.detect.findings, NULL);
	assert_string_equal(
	        mm_files_name(&b.files, f->pkts[0].file), "eth0[until 2023-11-14T22:13:20Z]");
	assert_string_equal(mm_files_name(&c.files, 77), "?");
	mm_store_done(&file);
	run_end(&a);
	run_end(&b);
	run_end(&c);
}

/* A ledger of fewer rows keeps those used last. */
static void test_fewer_rows(void **state)
{
	(void)state;
	struct run a, b;
	struct mm_store file = { 0 };
	run_begin(&a, ROWS, "a.pcap");
	live(&a, HOUR, 1);
	size_t n = a.ledger->rows.n;
	save(&a, &file);
	run_begin(&b, 4, "b.pcap");
	assert_int_equal(load(&b, bytes_of(&file)), MM_OK);
	assert_int_equal(b.ledger->rows.n, 4);
	assert_int_equal(b.ledger->rows.n_evicted, n - 4);
	struct mm_fp forged = fp(200), last = fp(51);
	assert_non_null(mm_ledger_find(b.ledger, &last));
	assert_true(mm_fp_eq(
	        &mm_ledger_lineage(b.ledger, mm_ledger_find(b.ledger, &last))->root, &forged));
	live(&b, 100 * HOUR, 100);
	assert_int_equal(b.ledger->rows.n, 4);
	mm_store_done(&file);
	run_end(&a);
	run_end(&b);
}

static const struct mm_geo_place lulea = { .located = true,
	.lat = 65.58,
	.lon = 22.15,
	.radius_km = 20,
	.country = "SE",
	.city = "Lulea" },
                                 sydney = { .located = true,
	                                 .lat = -33.87,
	                                 .lon = 151.21,
	                                 .radius_km = 20,
	                                 .country = "AU",
	                                 .city = "Sydney" };

/* This user gives the right password, from this network. */
static void let_in(
        struct run *r, int64_t at, uint8_t user, uint8_t network, const struct mm_geo_place *geo)
{
	char name[16];
	struct mm_event *ev = mm_event_init(&room);
	snprintf(name, sizeof name, "user%u", user);
	ev->kind = MM_EV_RESULT;
	ev->protocol = "oauth";
	ev->action = "login";
	ev->transport = "tcp";
	ev->outcome = MM_SUCCESS;
	ev->meaning = MM_MEANING_PASSWORD_RIGHT;
	ev->src = (struct mm_endpoint){ { 4, { 203, 0, network, 1 } }, 50000 };
	ev->dst = (struct mm_endpoint){ host(KDC), 443 };
	ev->user = text(name);
	ev->user_realm = text("https://issuer.test");
	ev->geo = geo;
	ev->request_ns = at;
	ev->time_ns = ev->response_ns = ev->key_ns = at + 1;
	pass(r);
}

static const struct mm_finding *far_away(struct run *r, uint8_t user)
{
	char subject[64];
	snprintf(subject, sizeof subject, "user user%u of https://issuer.test", user);
	mm_detect_weigh_all(&r->detect);
	return mm_detect_find_about(&r->detect, &mm_impossible_travel, subject);
}

/* Every flip and every cut of a file that nobody sealed again is refused. */
static void must_refuse(void *arg, struct mm_slice input)
{
	struct run b;
	const struct mm_store *whole = arg;
	if (input.len == whole->len && memcmp(input.p, whole->p, input.len) == 0)
		return;
	run_begin(&b, ROWS, "b.pcap");
	assert_int_not_equal(load(&b, input), MM_OK);
	run_end(&b);
}

/* Sealed again: it is refused, or what it says can be lived with. */
static void must_survive(struct mm_store *s)
{
	struct run b;
	struct mm_store again = { 0 };
	put_digest(s);
	run_begin(&b, ROWS, "b.pcap");
	if (load(&b, bytes_of(s)) == MM_OK) {
		live(&b, 2 * HOUR, 1);
		let_in(&b, 30 * HOUR, 1, 2, &sydney);
		mm_detect_weigh_all(&b.detect);
		serialise(&b, &again);
	}
	mm_store_done(&again);
	run_end(&b);
}

static void small(struct mm_store *out)
{
	struct run a;
	run_begin(&a, ROWS, "a.pcap");
	make_as(&room.ev, 1, HOUR, tgt(1));
	pass(&a);
	make_tgs(&room.ev, 3, 12 * HOUR, (struct made){ .id = 66, .kvno = 2 }, cifs(2));
	pass(&a);
	let_in(&a, 13 * HOUR, 1, 1, &lulea);
	const uint8_t other[sizeof(struct mm_lineage)] = { 9 }; /* a free number, too */
	assert_non_null(mm_table_put(&a.ledger->lineages, other, NULL));
	mm_table_remove(&a.ledger->lineages, mm_table_find(&a.ledger->lineages, other));
	save(&a, out);
	run_end(&a);
}

static void test_damaged(void **state)
{
	(void)state;
	struct mm_store file = { 0 };
	small(&file);
	guard_every_prefix(file.p, file.len, must_refuse, &file);
	guard_every_bitflip(file.p, file.len, must_refuse, &file);
	mm_store_done(&file);
}

static void test_hostile(void **state)
{
	(void)state;
	struct mm_store file = { 0 }, cut = { 0 };
	small(&file);
	for (size_t bit = 0; bit < (file.len - DIGEST) * 8; bit++) {
		file.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		must_survive(&file);
		file.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* Numbers that are far too large, wherever they may be counts. */
	for (size_t at = VERSION_AT; at + sizeof(uint32_t) <= file.len - DIGEST; at++) {
		uint8_t kept[sizeof(uint32_t)];
		memcpy(kept, file.p + at, sizeof kept);
		memset(file.p + at, 0xff, sizeof kept);
		must_survive(&file);
		memcpy(file.p + at, "\xff\xff\xff\x7f", sizeof kept);
		must_survive(&file);
		memcpy(file.p + at, kept, sizeof kept);
	}
	for (size_t len = DIGEST + 24; len < file.len; len++) {
		cut.len = 0;
		mm_store_bytes(&cut, file.p, len);
		uint64_t length = htole64(len);
		memcpy(cut.p + LENGTH_AT, &length, sizeof length);
		must_survive(&cut);
	}
	mm_store_done(&file);
	mm_store_done(&cut);
}

/* Users at work, of whom three came back over a network far away; then another process: it says of the next what the first one
 * would have said, and saves what it loaded. */
static void test_travels(void **state)
{
	(void)state;
	enum { USERS = 40, VPN = 200 };
	struct run a, b, c;
	struct mm_store first = { 0 }, second = { 0 }, third = { 0 };
	run_begin(&a, ROWS, "a.pcap");
	int64_t at = HOUR;
	for (uint8_t i = 0; i < USERS; i++)
		let_in(&a, at += SECOND, i, 1, &lulea);
	for (uint8_t i = 0; i < USERS; i++)
		let_in(&a, at += SECOND, i, (uint8_t)(10 + i), &lulea);
	for (uint8_t i = 0; i < 3; i++)
		let_in(&a, at += SECOND, i, VPN, &sydney);
	save(&a, &first);
	run_begin(&b, ROWS, "b.pcap");
	assert_int_equal(load(&b, bytes_of(&first)), MM_OK);
	save(&b, &second);
	run_begin(&c, ROWS, "b.pcap");
	assert_int_equal(load(&c, bytes_of(&second)), MM_OK);
	save(&c, &third);
	assert_int_equal(second.len, third.len);
	assert_memory_equal(second.p, third.p, second.len);
	struct run *const runs[] = { &a, &c };
	const struct mm_finding *by_vpn[2], *alone[2];
	for (size_t i = 0; i < 2; i++) {
		let_in(runs[i], at + SECOND, 20, VPN, &sydney);
		let_in(runs[i], at + 2 * SECOND, 21, 201, &sydney);
		let_in(runs[i], at + 2 * SECOND, 22, 1, &lulea); /* where he was before */
		by_vpn[i] = far_away(runs[i], 20);
		alone[i] = far_away(runs[i], 21);
		assert_true(by_vpn[i] != NULL && alone[i] != NULL);
		assert_null(far_away(runs[i], 22));
		assert_true(alone[i]->score > by_vpn[i]->score + 6);
	}
	assert_true(fabs(by_vpn[0]->score - by_vpn[1]->score) < 1e-9);
	assert_true(fabs(alone[0]->score - alone[1]->score) < 1e-9);
	assert_string_equal(alone[0]->evidence[0].what, alone[1]->evidence[0].what);
	assert_non_null(strstr(alone[1]->evidence[0].what, "203.0.31.1 (Lulea, SE)"));
	mm_store_done(&first);
	mm_store_done(&second);
	mm_store_done(&third);
	run_end(&a);
	run_end(&b);
	run_end(&c);
}

/* What was learnt with more memory is loaded with less: those seen last are kept. */
static void test_less_memory(void **state)
{
	(void)state;
	struct run a, b = { 0 };
	struct mm_store file = { 0 };
	struct mm_ledger_config config;
	run_begin(&a, ROWS, "a.pcap");
	for (uint8_t i = 0; i < 250; i++)
		let_in(&a, HOUR + i * SECOND, i, i, &lulea);
	save(&a, &file);
	mm_ledger_config_default(&config);
	config.key = (struct mm_hash_key){ 77, 7 };
	config.learnt_b_max = 65536;
	assert_int_equal(mm_ledger_new(&config, &b.ledger), MM_OK);
	mm_detect_init(&b.detect, b.ledger, &config.key, 64);
	assert_int_equal(mm_files_add(&b.files, "b.pcap"), 0);
	assert_int_equal(load(&b, bytes_of(&file)), MM_OK);
	const struct mm_travels *t = &b.ledger->travels;
	assert_true(t->travellers.n == t->travellers.max && t->travellers.n < 250);
	assert_true(t->ways.n == t->ways.max && t->ways.n < 250);
	let_in(&b, HOUR + 250 * SECOND, 249, 250, &sydney);
	let_in(&b, HOUR + 251 * SECOND, 0, 251, &sydney);
	assert_non_null(far_away(&b, 249));
	assert_null(far_away(&b, 0));
	assert_int_equal(t->travellers.n, t->travellers.max);
	mm_store_done(&file);
	run_end(&a);
	run_end(&b);
}

static void test_verdicts(void **state)
{
	(void)state;
	struct run b;
	struct mm_store file = { 0 };
	small(&file);
	run_begin(&b, ROWS, "b.pcap");
	assert_int_equal(load(&b, mm_slice("", 0)), MM_ERR_FORMAT);
	assert_int_equal(load(&b, mm_slice_str("MINTMARX")), MM_ERR_FORMAT);
	file.p[VERSION_AT]++;
	assert_int_equal(load(&b, bytes_of(&file)), MM_ERR_UNSUPPORTED);
	file.p[VERSION_AT]--;
	file.p[file.len - 1] ^= 1;
	assert_int_equal(load(&b, bytes_of(&file)), MM_ERR_CORRUPT);
	file.p[file.len - 1] ^= 1;
	assert_int_equal(load(&b, bytes_of(&file)), MM_OK);
	mm_store_done(&file);
	run_end(&b);
}

static void test_directory(void **state)
{
	(void)state;
	char path[] = "/tmp/mintmark-state-XXXXXX", name[64], aside[96];
	struct mm_store out = { 0 };
	assert_non_null(mkdtemp(path));
	snprintf(name, sizeof name, "%s/s", path);
	int dir = mm_state_dir_open(name); /* made */
	assert_true(dir >= 0);
	assert_true(mm_state_dir_open(name) < 0 && errno == EBUSY);
	assert_int_equal(mm_state_dir_read(dir, 100, &out), 0);
	for (int i = 0; i < 2; i++) { /* the second takes the place of the first */
		int fd = mm_state_dir_begin(dir);
		assert_true(fd >= 0);
		assert_int_equal(mm_state_write(fd, mm_slice(i == 0 ? "old" : "new", 3)), MM_OK);
		close(fd);
		assert_int_equal(mm_state_dir_commit(dir), MM_OK);
	}
	int fd = mm_state_dir_begin(dir); /* killed while it wrote: the snapshot stands */
	assert_int_equal(mm_state_write(fd, mm_slice("x", 1)), MM_OK);
	close(fd);
	assert_int_equal(mm_state_dir_read(dir, 100, &out), 1);
	assert_int_equal(out.len, 3 + DIGEST);
	assert_memory_equal(out.p, "new", 3);
	uint8_t digest[DIGEST];
	SHA256((const uint8_t *)"new", 3, digest);
	assert_memory_equal(out.p + 3, digest, DIGEST);
	assert_true(mm_state_dir_read(dir, 3, &out) == MM_ERR_IO && errno == EFBIG);
	mm_state_dir_abandon(dir);
	assert_int_equal(mm_state_dir_set_aside(dir, "corrupt", 12), MM_OK);
	assert_int_equal(mm_state_dir_read(dir, 100, &out), 0);
	snprintf(aside, sizeof aside, "%s/mintmark.state.corrupt-12", name);
	assert_int_equal(unlink(aside), 0);
	close(dir);
	assert_int_equal(rmdir(name), 0); /* nothing else is left */
	assert_true(mm_state_dir_open("/dev/null/x") < 0);
	assert_int_equal(rmdir(path), 0);
	mm_store_done(&out);
}

static void test_full_disk(void **state)
{
	(void)state;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		skip();
	assert_int_equal(mm_state_write(fd, mm_slice("abc", 3)), MM_ERR_IO);
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_fixed_point),
		cmocka_unit_test(test_names_of_captures),
		cmocka_unit_test(test_fewer_rows),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_travels),
		cmocka_unit_test(test_less_memory),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_full_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
