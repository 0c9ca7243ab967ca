/* DCE/RPC: PDUs made by hand from C706 section 12.6.4 and MS-RPCE section 2.2.2; read back with
 * tshark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissect/dcerpc.h"

#include "fake_gss.h"
#include "guard.h"

/* Invented tokens: the fake finds an AP-REQ in one and an AP-REP in the other. */
static const uint8_t ap_req[] = { FAKE_AP_REQ, 4, 'r', 'e', 'q', '!' };
static const uint8_t ap_rep[] = { FAKE_AP_REP, 3, 'r', 'e', 'p' };
static const uint8_t leg[] = { 'l', 'e', 'g' };

/* drsuapi, MS-DRSR section 1.9: e3514235-4b06-11d1-ab04-00c04fc2dcd2 version 4.0; its first
 * three fields as numbers, since they follow drep. */
static const char drsuapi[] = "e3514235-4b06-11d1-ab04-00c04fc2dcd2";

enum { SPNEGO = 9, NTLM = 10, KERBEROS = 16, NETLOGON = 68 };

struct maker {
	bool big_endian;
	struct fake_bytes m;
};

static void num(struct maker *k, size_t n, uint64_t v)
{
	if (k->big_endian)
		fake_be(&k->m, n, v);
	else
		fake_le(&k->m, n, v);
}

static void header(struct maker *k, unsigned ptype, uint32_t call_id)
{
	k->m.len = 0;
	fake_be(&k->m, 2, 0x0500);
	fake_be(&k->m, 1, ptype);
	fake_be(&k->m, 1, 0x03); /* first and last fragment */
	fake_be(&k->m, 4, k->big_endian ? 0 : 0x10000000);
	num(k, 2, 0); /* frag_length, auth_length: finish() */
	num(k, 2, 0);
	num(k, 4, call_id);
}

static void finish(struct maker *k, size_t auth_length)
{
	struct maker lengths = { .big_endian = k->big_endian };
	num(&lengths, 2, k->m.len);
	num(&lengths, 2, auth_length);
	memcpy(k->m.b + 8, lengths.m.b, 4);
}

static void verifier(struct maker *k, unsigned auth_type, const void *token, size_t n)
{
	while (k->m.len % 4 != 0)
		fake_be(&k->m, 1, 0);
	fake_be(&k->m, 1, auth_type);
	fake_be(&k->m, 1, 6); /* privacy */
	fake_be(&k->m, 2, 0);
	num(k, 4, 79231);
	fake_put(&k->m, token, n);
	finish(k, n);
}

static void bind_body(struct maker *k)
{
	num(k, 2, 5840);
	num(k, 2, 5840);
	num(k, 4, 0);
	fake_be(&k->m, 4, 0x01000000); /* one context */
	num(k, 2, 0);
	fake_be(&k->m, 2, 0x0100); /* one transfer syntax */
	num(k, 4, 0xe3514235);
	num(k, 2, 0x4b06);
	num(k, 2, 0x11d1);
	fake_be(&k->m, 8, 0xab0400c04fc2dcd2);
	num(k, 4, 4);          /* 4.0: the minor version in the upper half */
	num(k, 4, 0x8a885d04); /* NDR */
	num(k, 2, 0x1ceb);
	num(k, 2, 0x11c9);
	fake_be(&k->m, 8, 0x9fe808002b104860);
	num(k, 4, 2);
}

static void make_bind(struct maker *k, unsigned ptype, uint32_t call_id, unsigned auth_type,
        const void *token, size_t n)
{
	header(k, ptype, call_id);
	bind_body(k);
	verifier(k, auth_type, token, n);
}

/** An ack whose results are each { result, reason }, without a verifier. */
static void make_ack(
        struct maker *k, unsigned ptype, uint32_t call_id, const uint16_t (*results)[2], size_t n)
{
	header(k, ptype, call_id);
	num(k, 2, 5840);
	num(k, 2, 5840);
	num(k, 4, 0x5396);
	num(k, 2, 4);
	fake_put(&k->m, "135", 4); /* sec_addr, NUL included; two bytes of padding follow */
	while (k->m.len % 4 != 0)
		fake_be(&k->m, 1, 0);
	fake_be(&k->m, 4, (uint64_t)n << 24);
	for (size_t i = 0; i < n; i++) {
		num(k, 2, results[i][0]);
		num(k, 2, results[i][1]);
		for (size_t z = 0; z < 20; z++)
			fake_be(&k->m, 1, 0);
	}
	finish(k, 0);
}

static const uint16_t accepted[1][2] = { { 0, 0 } };

static void make_fault(struct maker *k, uint32_t call_id, uint32_t status)
{
	header(k, MM_DCERPC_FAULT, call_id);
	num(k, 4, 32);
	num(k, 2, 0);
	num(k, 2, 0);
	num(k, 4, status);
	num(k, 4, 0);
	finish(k, 0);
}

static void make_call(struct maker *k, unsigned ptype, uint32_t call_id)
{
	header(k, ptype, call_id);
	num(k, 4, 4);
	num(k, 2, 0);
	num(k, 2, 0);
	fake_put(&k->m, "data", 4);
	finish(k, 0);
}

static void make_auth3(struct maker *k, uint32_t call_id, const void *token, size_t n)
{
	header(k, MM_DCERPC_AUTH3, call_id);
	num(k, 4, 0);
	verifier(k, SPNEGO, token, n);
}

static void feed(struct mm_dissect *d, enum mm_dir dir, const struct maker *k)
{
	assert_int_equal(fake_stream(d, dir, fake_slice(&k->m)), k->m.len);
}

static const struct mm_attr_value *attr(const struct mm_event *ev, const char *name)
{
	for (size_t i = 0; i < ev->n_attrs; i++)
		if (strcmp(ev->attrs[i].attr->name, name) == 0)
			return &ev->attrs[i];
	fail_msg("no attribute %s", name);
	return NULL;
}

static void assert_str(const struct mm_event *ev, const char *name, const char *want)
{
	struct mm_str s = attr(ev, name)->str;
	assert_int_equal(s.len, strlen(want));
	assert_memory_equal(s.p, want, s.len);
}

static void check_bind(bool big_endian)
{
	struct maker k = { .big_endian = big_endian };
	struct mm_dissect d = fake_dissect(&mm_dcerpc);

	make_bind(&k, MM_DCERPC_BIND, 2, SPNEGO, ap_req, sizeof ap_req);
	feed(&d, MM_TO_SERVER, &k);
	const struct fake_call *call = fake_nth(FAKE_REQUEST, 0);
	assert_non_null(call);
	assert_string_equal(call->action, "dcerpc-bind");
	assert_int_equal(call->len, sizeof ap_req);
	assert_memory_equal(call->token, ap_req, sizeof ap_req);
	assert_int_equal(fake.n_emitted, 0);

	make_ack(&k, MM_DCERPC_BIND_ACK, 2, accepted, 1);
	verifier(&k, SPNEGO, ap_rep, sizeof ap_rep);
	feed(&d, MM_TO_CLIENT, &k);
	call = fake_nth(FAKE_RESPONSE, 0);
	assert_non_null(call);
	assert_int_equal(call->verdict, MM_VERDICT_CONTINUE);
	assert_int_equal(call->len, sizeof ap_rep);
	assert_memory_equal(call->token, ap_rep, sizeof ap_rep);

	assert_int_equal(fake.n_emitted, 1);
	const struct mm_event *ev = fake.emitted[0];
	assert_int_equal(ev->outcome, MM_SUCCESS);
	assert_str(ev, "mintmark.dcerpc.interface", drsuapi);
	assert_str(ev, "mintmark.dcerpc.interface_version", "4.0");
	assert_int_equal(attr(ev, "mintmark.dcerpc.call_id")->number, 2);
	assert_int_equal(attr(ev, "mintmark.dcerpc.auth_type")->number, SPNEGO);
	assert_int_equal(attr(ev, "mintmark.dcerpc.auth_level")->number, 6);
	assert_int_equal(attr(ev, "mintmark.dcerpc.auth_context_id")->number, 79231);
	assert_int_equal(ev->n_attrs, 6);
	assert_true(mm_dcerpc.n_attrs == 6);

	fake_end(&d);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

static void test_bind_little_endian(void **state)
{
	(void)state;
	check_bind(false);
}

static void test_bind_big_endian(void **state)
{
	(void)state;
	check_bind(true);
}

/** A bind with a ticket, then the PDU in k: the outcome and status of the only event. */
static void check_answer(const struct maker *k, enum mm_outcome outcome, uint32_t code)
{
	struct maker bind = { 0 };
	struct mm_dissect d = fake_dissect(&mm_dcerpc);

	make_bind(&bind, MM_DCERPC_ALTER_CONTEXT, 7, KERBEROS, ap_req, sizeof ap_req);
	feed(&d, MM_TO_SERVER, &bind);
	assert_string_equal(fake_nth(FAKE_REQUEST, 0)->action, "dcerpc-alter-context");
	feed(&d, MM_TO_CLIENT, k);
	if (outcome != MM_UNKNOWN) {
		assert_int_equal(fake.n_emitted, 1);
		assert_int_equal(fake.emitted[0]->outcome, outcome);
		assert_int_equal(fake.emitted[0]->status.domain, MM_STATUS_DCERPC);
		assert_int_equal(fake.emitted[0]->status.code, code);
	} else {
		assert_int_equal(fake.n_emitted, 0);
	}
	fake_end(&d);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

static void test_bind_refused(void **state)
{
	struct maker k = { 0 };
	(void)state;

	header(&k, MM_DCERPC_BIND_NAK, 7);
	num(&k, 2, 8); /* authentication_type_not_recognized, MS-RPCE section 2.2.2.5 */
	fake_be(&k.m, 3, 0x010500);
	finish(&k, 0);
	check_answer(&k, MM_FAILURE, 8);

	make_fault(&k, 7, 0x1c01000b); /* nca_s_proto_error in place of an ack */
	check_answer(&k, MM_FAILURE, 0x1c01000b);

	static const uint16_t refused[2][2] = { { 2, 1 }, { 3, 3 } };
	make_ack(&k, MM_DCERPC_ALTER_CONTEXT_RESP, 7, refused, 2);
	check_answer(&k, MM_FAILURE, 1);
}

static void test_bind_undecided(void **state)
{
	struct maker k = { 0 };
	(void)state;

	static const uint16_t one_of_two[2][2] = { { 2, 1 }, { 0, 0 } };
	make_ack(&k, MM_DCERPC_ALTER_CONTEXT_RESP, 7, one_of_two, 2);
	check_answer(&k, MM_UNKNOWN, 0);

	make_ack(&k, MM_DCERPC_ALTER_CONTEXT_RESP, 7, accepted, 1);
	verifier(&k, KERBEROS, leg, sizeof leg);
	check_answer(&k, MM_UNKNOWN, 0);

	/* Answers to other calls. */
	header(&k, MM_DCERPC_BIND_NAK, 6);
	num(&k, 2, 8);
	finish(&k, 0);
	check_answer(&k, MM_UNKNOWN, 0);
	make_fault(&k, 6, 5);
	check_answer(&k, MM_UNKNOWN, 0);
	make_call(&k, MM_DCERPC_RESPONSE, 7);
	check_answer(&k, MM_UNKNOWN, 0);

	/* While the ack is awaited, responses are not even buffered. */
	struct mm_dissect d = fake_dissect(&mm_dcerpc);
	make_bind(&k, MM_DCERPC_BIND, 7, SPNEGO, ap_req, sizeof ap_req);
	feed(&d, MM_TO_SERVER, &k);
	make_call(&k, MM_DCERPC_RESPONSE, 7);
	feed(&d, MM_TO_CLIENT, &k);
	assert_int_equal(fake.n_skipped, k.m.len);
	fake_end(&d);
	fake_reset();
}

/** bind without a ticket, auth3 with one, then the PDU in k. */
static void check_auth3(const struct maker *k, enum mm_outcome outcome, uint32_t code)
{
	struct maker m = { 0 };
	struct mm_dissect d = fake_dissect(&mm_dcerpc);

	make_bind(&m, MM_DCERPC_BIND, 4, SPNEGO, leg, sizeof leg);
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake.n_made, 0);
	make_auth3(&m, 4, ap_req, sizeof ap_req);
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake.n_made, 1);
	assert_string_equal(fake_nth(FAKE_REQUEST, 1)->action, "dcerpc-auth3");

	make_call(&m, MM_DCERPC_RESPONSE, 3); /* of a call made before */
	feed(&d, MM_TO_CLIENT, &m);
	make_fault(&m, 3, 5);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 0);

	feed(&d, MM_TO_CLIENT, k);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, outcome);
	assert_int_equal(fake.emitted[0]->status.code, code);
	assert_str(fake.emitted[0], "mintmark.dcerpc.interface", drsuapi); /* its bind's */
	fake_end(&d);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

static void test_auth3(void **state)
{
	struct maker k = { 0 };
	(void)state;

	make_call(&k, MM_DCERPC_RESPONSE, 5);
	check_auth3(&k, MM_SUCCESS, 0);
	make_fault(&k, 5, 5);
	check_auth3(&k, MM_FAILURE, 5);
	make_fault(&k, 4, 0x721);
	check_auth3(&k, MM_FAILURE, 0x721);
	make_fault(&k, 5, 0x1c00001a); /* nca_s_fault_context_mismatch: the application ran */
	check_auth3(&k, MM_SUCCESS, 0x1c00001a);
}

static void test_call_id_wraps(void **state)
{
	struct maker k = { 0 };
	struct mm_dissect d = fake_dissect(&mm_dcerpc);
	(void)state;

	make_auth3(&k, 0xffffffff, ap_req, sizeof ap_req);
	feed(&d, MM_TO_SERVER, &k);
	make_call(&k, MM_DCERPC_RESPONSE, 0xfffffffe);
	feed(&d, MM_TO_CLIENT, &k);
	assert_int_equal(fake.n_emitted, 0);
	make_call(&k, MM_DCERPC_RESPONSE, 1);
	feed(&d, MM_TO_CLIENT, &k);
	assert_int_equal(fake.n_emitted, 1);
	fake_end(&d);
	fake_reset();
}

static void test_auth_types(void **state)
{
	struct maker k = { 0 };
	struct mm_dissect d = fake_dissect(&mm_dcerpc);
	(void)state;

	make_bind(&k, MM_DCERPC_BIND, 1, NETLOGON, ap_req, sizeof ap_req);
	feed(&d, MM_TO_SERVER, &k);
	assert_int_equal(fake.n_calls, 0);
	make_bind(&k, MM_DCERPC_BIND, 2, NTLM, "NTLMSSP", 8);
	feed(&d, MM_TO_SERVER, &k);
	assert_int_equal(fake.n_calls, 1);
	assert_int_equal(fake.n_made, 0);
	make_bind(&k, MM_DCERPC_BIND, 3, KERBEROS, ap_req, sizeof ap_req);
	feed(&d, MM_TO_SERVER, &k);
	assert_int_equal(fake.n_made, 1);
	/* Another ticket before the answer: the first ends without a verdict. */
	make_bind(&k, MM_DCERPC_ALTER_CONTEXT, 4, KERBEROS, ap_req, sizeof ap_req);
	feed(&d, MM_TO_SERVER, &k);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
	fake_end(&d);
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

static void test_verifier_outside(void **state)
{
	struct maker k = { 0 };
	struct mm_dissect d = fake_dissect(&mm_dcerpc);
	(void)state;

	/* The sec_trailer would begin inside the header, at the last byte of call_id: SPNEGO. */
	make_bind(&k, MM_DCERPC_BIND, 0x09000000, SPNEGO, ap_req, sizeof ap_req);
	finish(&k, k.m.len - 16 - 8 + 1);
	feed(&d, MM_TO_SERVER, &k);
	assert_int_equal(fake.n_calls, 0);
	finish(&k, 0xffff);
	feed(&d, MM_TO_SERVER, &k);
	assert_int_equal(fake.n_calls, 0);
	finish(&k, k.m.len - 16 - 8); /* as far as it goes */
	feed(&d, MM_TO_SERVER, &k);
	header(&k, MM_DCERPC_BIND, 1);
	finish(&k, 9);
	feed(&d, MM_TO_SERVER, &k);
	fake_end(&d);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

static void test_gap_and_end(void **state)
{
	struct maker k = { 0 };
	struct mm_dissect d = fake_dissect(&mm_dcerpc);
	(void)state;

	make_bind(&k, MM_DCERPC_BIND, 2, SPNEGO, ap_req, sizeof ap_req);
	feed(&d, MM_TO_SERVER, &k);
	d.dir = MM_TO_SERVER;
	mm_dcerpc.gap(&d);
	assert_int_equal(fake.n_emitted, 0); /* the answer can still come */
	d.dir = MM_TO_CLIENT;
	mm_dcerpc.gap(&d);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
	make_fault(&k, 2, 5);
	assert_int_equal(
	        mm_dcerpc.frame(d.state, MM_TO_CLIENT, fake_slice(&k.m)).verdict, MM_FRAME_SKIP);
	fake.no_events = true;
	make_bind(&k, MM_DCERPC_BIND, 3, SPNEGO, ap_req, sizeof ap_req);
	feed(&d, MM_TO_SERVER, &k);
	make_fault(&k, 3, 5);
	feed(&d, MM_TO_CLIENT, &k);
	fake_end(&d);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

static void test_frame(void **state)
{
	struct maker k = { 0 };
	struct mm_dissect d = fake_dissect(&mm_dcerpc);
	(void)state;

	make_bind(&k, MM_DCERPC_BIND, 2, SPNEGO, ap_req, sizeof ap_req);
	for (size_t n = 1; n <= k.m.len; n++) {
		struct mm_frame f = mm_dcerpc.frame(d.state, MM_TO_SERVER, mm_slice(k.m.b, n));
		assert_int_equal(f.verdict, n < k.m.len ? MM_FRAME_MORE : MM_FRAME_DONE);
		assert_int_equal(f.n, n < 16 ? 16 : k.m.len);
	}
	/* Calls are passed over as soon as the header is there. */
	make_call(&k, MM_DCERPC_REQUEST, 3);
	struct mm_frame f = mm_dcerpc.frame(d.state, MM_TO_SERVER, mm_slice(k.m.b, 16));
	assert_int_equal(f.verdict, MM_FRAME_SKIP);
	assert_int_equal(f.n, k.m.len);
	f = mm_dcerpc.frame(d.state, MM_TO_SERVER, mm_slice(k.m.b, 15));
	assert_int_equal(f.verdict, MM_FRAME_MORE);
	make_call(&k, MM_DCERPC_RESPONSE, 3);
	f = mm_dcerpc.frame(d.state, MM_TO_CLIENT, fake_slice(&k.m));
	assert_int_equal(f.verdict, MM_FRAME_SKIP);

	/* Each byte of the header that can be wrong: version, minor, ptype, drep, frag_length
	 * below 16. */
	static const uint8_t bad[][2] = { { 0, 4 }, { 1, 2 }, { 2, 4 }, { 2, 21 }, { 4, 0x20 },
		{ 4, 0x12 }, { 5, 4 }, { 8, 15 } };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		make_call(&k, MM_DCERPC_REQUEST, 3);
		k.m.b[bad[i][0]] = bad[i][1];
		f = mm_dcerpc.frame(d.state, MM_TO_SERVER, fake_slice(&k.m));
		assert_int_equal(f.verdict, MM_FRAME_LOST);
	}
	fake_end(&d);
	fake_reset();
}

static void test_probe_and_resync(void **state)
{
	struct maker k = { 0 };
	uint8_t stream[256] = { 5, 0, 11, 3, 0x10, 0, 0, 1, 5 };
	(void)state;

	make_bind(&k, MM_DCERPC_BIND, 2, SPNEGO, ap_req, sizeof ap_req);
	assert_true(mm_dcerpc.probe(fake_slice(&k.m), MM_TO_SERVER, MM_TCP));
	assert_false(mm_dcerpc.probe(fake_slice(&k.m), MM_TO_CLIENT, MM_TCP));
	assert_false(mm_dcerpc.probe(fake_slice(&k.m), MM_TO_SERVER, MM_UDP));
	assert_false(mm_dcerpc.probe(mm_slice(k.m.b, 15), MM_TO_SERVER, MM_TCP));
	memcpy(stream + 9, k.m.b, k.m.len);
	struct mm_slice avail = mm_slice(stream, 9 + k.m.len);
	assert_int_equal(mm_dcerpc.resync(NULL, MM_TO_SERVER, avail), 9);
	assert_int_equal(mm_dcerpc.resync(NULL, MM_TO_CLIENT, avail), avail.len);
	assert_int_equal(mm_dcerpc.resync(NULL, MM_TO_SERVER, mm_after(avail, 9)), 0);
	assert_int_equal(mm_dcerpc.resync(NULL, MM_TO_SERVER, mm_after(avail, avail.len)), 0);
	finish(&k, k.m.len - 23); /* a verifier that does not fit */
	assert_false(mm_dcerpc.probe(fake_slice(&k.m), MM_TO_SERVER, MM_TCP));
	header(&k, MM_DCERPC_BIND, 2); /* a bind without a context */
	finish(&k, 0);
	assert_false(mm_dcerpc.probe(fake_slice(&k.m), MM_TO_SERVER, MM_TCP));
	make_ack(&k, MM_DCERPC_BIND_ACK, 2, accepted, 1);
	assert_true(mm_dcerpc.probe(fake_slice(&k.m), MM_TO_CLIENT, MM_TCP));
	assert_false(mm_dcerpc.probe(fake_slice(&k.m), MM_TO_SERVER, MM_TCP));

	/* After garbage the next PDU is found and read. */
	struct mm_dissect d = fake_dissect(&mm_dcerpc);
	stream[0] = 'x';
	assert_int_equal(fake_stream(&d, MM_TO_SERVER, avail), avail.len);
	assert_int_equal(fake.n_lost, 1);
	assert_int_equal(fake.n_made, 1);
	fake_end(&d);
	fake_reset();
}

/* The walks: a conversation whose i-th message is bent. */
enum { STEPS = 5 };

struct walk {
	struct maker k[STEPS];
	enum mm_dir dir[STEPS];
	size_t bent;
};

static void walk_one(void *arg, struct mm_slice input)
{
	const struct walk *w = arg;
	struct mm_dissect d = fake_dissect(&mm_dcerpc);
	for (size_t i = 0; i < STEPS; i++) {
		struct mm_slice msg = i == w->bent ? input : fake_slice(&w->k[i].m);
		fake_stream(&d, w->dir[i], msg);
		if (i == w->bent) { /* what is cut, as the engine never would */
			d.dir = w->dir[i];
			mm_dcerpc.parse(&d, msg);
			mm_dcerpc.probe(msg, w->dir[i], MM_TCP);
			assert_true(mm_dcerpc.resync(NULL, w->dir[i], msg) <= msg.len);
		}
	}
	fake_end(&d);
	assert_int_equal(fake.n_live, 0);
	assert_int_equal(fake.n_made, fake.n_emitted + fake.n_dropped);
	fake_reset();
}

static void test_walks(void **state)
{
	static struct walk w;
	(void)state;

	static const enum mm_dir dirs[STEPS] = { MM_TO_SERVER, MM_TO_CLIENT, MM_TO_SERVER,
		MM_TO_SERVER, MM_TO_CLIENT };
	memcpy(w.dir, dirs, sizeof dirs);
	for (int big = 0; big < 2; big++) {
		for (size_t i = 0; i < STEPS; i++)
			w.k[i].big_endian = big;
		make_bind(&w.k[0], MM_DCERPC_BIND, 1, SPNEGO, ap_req, sizeof ap_req);
		make_ack(&w.k[1], MM_DCERPC_BIND_ACK, 1, accepted, 1);
		make_auth3(&w.k[2], 1, ap_req, sizeof ap_req);
		make_call(&w.k[3], MM_DCERPC_REQUEST, 2);
		make_fault(&w.k[4], 2, 5);
		for (w.bent = 0; w.bent < STEPS; w.bent++) {
			const struct fake_bytes *m = &w.k[w.bent].m;
			guard_every_prefix(m->b, m->len, walk_one, &w);
			guard_every_bitflip(m->b, m->len, walk_one, &w);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind_little_endian),
		cmocka_unit_test(test_bind_big_endian),
		cmocka_unit_test(test_bind_refused),
		cmocka_unit_test(test_bind_undecided),
		cmocka_unit_test(test_auth3),
		cmocka_unit_test(test_call_id_wraps),
		cmocka_unit_test(test_auth_types),
		cmocka_unit_test(test_verifier_outside),
		cmocka_unit_test(test_gap_and_end),
		cmocka_unit_test(test_frame),
		cmocka_unit_test(test_probe_and_resync),
		cmocka_unit_test(test_walks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
