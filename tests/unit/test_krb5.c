/* Kerberos: what each message says, by the ASN.1 of RFC 4120, and which messages belong together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dissect/krb5.h"
#include "krb5_build.h"
#include "pkinit_sample.h"

enum {
	EVENTS_MAX = 32,
	FORWARDED = 1 << 29,         /* KDCOptions bit 2, section 5.4.1 */
	CNAME_IN_ADDL_TKT = 1 << 17, /* bit 14, MS-SFU 2.2.3 */
	ENC_TKT_IN_SKEY = 1 << 3,    /* bit 28 */
	RENEW = 1 << 1,              /* bit 30 */
};

static struct mm_flow_info flow;
static struct mm_event_pool pool;
static struct mm_bulk_key key;
static struct mm_dissect d;
static struct mm_event *events[EVENTS_MAX];
static size_t n_events;

static void take(void *sink, struct mm_event *ev)
{
	(void)sink;
	assert_true(n_events < EVENTS_MAX);
	events[n_events++] = ev;
}

static void begin(enum mm_transport transport)
{
	flow = (struct mm_flow_info){ .client = { { 4, { 192, 0, 2, 1 } }, 50000 },
		.server = { { 4, { 192, 0, 2, 2 } }, 88 },
		.transport = transport };
	mm_bulk_key_init(&key, &(struct mm_hash_key){ 1, 2 });
	d = (struct mm_dissect){
		.self = &mm_kerberos, .key = &key, .flow = &flow, .pool = &pool, .emit = take
	};
	d.state = calloc(1, mm_kerberos.state_size);
	assert_non_null(d.state);
}

static int set_up(void **state)
{
	(void)state;
	der_reset();
	mm_event_pool_init(&pool, EVENTS_MAX);
	begin(MM_UDP);
	return 0;
}

static void end(void)
{
	if (d.state != NULL)
		mm_kerberos.end(&d);
	free(d.state);
	d.state = NULL;
}

static int tear_down(void **state)
{
	(void)state;
	end();
	for (size_t i = 0; i < n_events; i++)
		mm_event_free(&pool, events[i]);
	n_events = 0;
	int left = (int)pool.n_live;
	mm_event_pool_done(&pool);
	return left;
}

static void send(enum mm_dir dir, struct mm_slice msg)
{
	d.dir = dir;
	d.now_ns = d.time_ns += 1000;
	d.first.number = ++d.last.number;
	if (flow.transport == MM_TCP) {
		uint8_t mark[4] = { 0, 0, (uint8_t)(msg.len >> 8), (uint8_t)msg.len };
		msg = der_cat(2, (const struct mm_slice[]){ mm_slice(mark, 4), msg });
	}
	mm_kerberos.parse(&d, msg);
}

static void ask(struct mm_slice msg)
{
	send(MM_TO_SERVER, msg);
}

static void answer(struct mm_slice msg)
{
	send(MM_TO_CLIENT, msg);
}

static const struct mm_attr_value *attr(const struct mm_event *ev, const char *name)
{
	for (size_t i = 0; i < ev->n_attrs; i++)
		if (strcmp(ev->attrs[i].attr->name + strlen("mintmark.kerberos."), name) == 0)
			return &ev->attrs[i];
	return NULL;
}

static int64_t number(const struct mm_event *ev, const char *name)
{
	const struct mm_attr_value *v = attr(ev, name);
	assert_non_null(v);
	return v->number;
}

static void assert_str(struct mm_str s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	if (s.len != 0)
		assert_memory_equal(s.p, expected, s.len);
}

static void assert_attr(const struct mm_event *ev, const char *name, const char *expected)
{
	const struct mm_attr_value *v = attr(ev, name);
	assert_non_null(v);
	assert_str(v->str, expected);
}

/* The fingerprint of a ticket of krb5_ticket(): of its 100 bytes of cipher. */
static void assert_fp(const struct mm_cred *cred, uint8_t fill)
{
	uint8_t cipher[100];
	for (size_t i = 0; i < sizeof cipher; i++)
		cipher[i] = (uint8_t)(fill + i);
	struct mm_fp fp = mm_fp_of(mm_slice(cipher, sizeof cipher));
	assert_non_null(cred);
	assert_true(mm_fp_eq(&cred->fp, &fp));
	assert_int_equal(cred->length, sizeof cipher);
}

static struct mm_slice tgt(uint8_t fill)
{
	return krb5_ticket("LAB.TEST", "krbtgt", "LAB.TEST", 18, 3, fill);
}

static struct mm_slice service(uint8_t fill)
{
	return krb5_ticket("LAB.TEST", "cifs", "srv.lab.test", 23, 7, fill);
}

static struct mm_slice alice(void)
{
	return krb5_name(1, "alice", NULL);
}

static struct mm_slice as_req(int64_t nonce)
{
	return krb5_kdc_req(&(struct krb5_req){ .type = 10,
	        .padata = krb5_padata(128, SEQ(CTX(0, EL(1, BYTES(0xff))))),
	        .options = 0x40800010,
	        .cname = "alice",
	        .sname = { "krbtgt", "LAB.TEST" },
	        .nonce = nonce,
	        .addresses =
	                SEQ(CTX(0, der_integer(20)), CTX(1, der_octets(mm_slice_str("WS1")))) });
}

static struct mm_slice tgs_req(
        int64_t nonce, uint32_t options, struct mm_slice more_padata, struct mm_slice tickets)
{
	struct mm_slice padata[] = { krb5_padata(1, krb5_ap_req(tgt(1), 0)), more_padata };
	return krb5_kdc_req(&(struct krb5_req){ .type = 12,
	        .padata = der_cat(2, padata),
	        .options = options,
	        .sname = { "cifs", "srv.lab.test" },
	        .nonce = nonce,
	        .tickets = tickets });
}

static struct mm_slice as_rep(uint8_t fill)
{
	return krb5_kdc_rep(11, alice(), tgt(fill), 18, 2);
}

static struct mm_slice tgs_rep(uint8_t fill)
{
	return krb5_kdc_rep(13, alice(), service(fill), 18, -1);
}

static const struct mm_event *only(void)
{
	assert_int_equal(n_events, 1);
	return events[0];
}

static void test_as_exchange(void **state)
{
	(void)state;
	ask(as_req(77));
	assert_int_equal(n_events, 0);
	answer(as_rep(1));
	const struct mm_event *ev = only();
	assert_int_equal(ev->kind, MM_EV_ISSUE);
	assert_int_equal(ev->outcome, MM_SUCCESS);
	assert_string_equal(ev->action, "as-exchange");
	assert_str(ev->user, "alice");
	assert_str(ev->user_realm, "LAB.TEST");
	assert_int_equal(ev->flags, 0);
	assert_int_equal(number(ev, "request_type"), 10);
	assert_int_equal(number(ev, "reply_type"), 11);
	assert_int_equal(number(ev, "kdc_options"), 0x40800010);
	assert_attr(ev, "cname", "alice");
	assert_int_equal(number(ev, "cname_type"), 1);
	assert_attr(ev, "sname", "krbtgt/LAB.TEST");
	assert_int_equal(number(ev, "sname_type"), 2);
	assert_int_equal(number(ev, "till"), 2136422885); /* date -u -d "2037-09-13 02:48:05" +%s */
	assert_int_equal(number(ev, "nonce"), 77);
	assert_int_equal(number(ev, "addresses"), 1);
	assert_int_equal(number(ev, "pac_request"), 1);
	assert_int_equal(number(ev, "reply_kvno"), 2);
	static const int64_t etypes[] = { 18, 17, -133 };
	assert_int_equal(attr(ev, "etypes")->n_numbers, 3);
	assert_memory_equal(attr(ev, "etypes")->numbers, etypes, sizeof etypes);
	assert_int_equal(ev->n_creds, 1);
	const struct mm_cred *cred = mm_event_find_cred(ev, MM_ROLE_ISSUED);
	assert_fp(cred, 1);
	assert_int_equal(cred->kind, MM_CRED_TGT);
	assert_str(cred->issuer, "LAB.TEST");
	assert_str(cred->service, "krbtgt/LAB.TEST");
	assert_str(cred->principal, "alice");
	assert_true(cred->alg == 18 && cred->kvno == 3 && cred->name_type == 2);
	assert_true(ev->request_ns == 1000 && ev->response_ns == 2000);
	assert_true(ev->n_pkts == 2 && ev->pkts[0].number == 1 && ev->pkts[1].number == 2);
}

static void test_tgs_exchange(void **state)
{
	(void)state;
	ask(tgs_req(1, 0, NOTHING, NOTHING));
	answer(tgs_rep(2));
	const struct mm_event *ev = only();
	assert_int_equal(ev->kind, MM_EV_ISSUE);
	assert_string_equal(ev->action, "tgs-exchange");
	const struct mm_cred *shown = mm_event_find_cred(ev, MM_ROLE_PRESENTED);
	const struct mm_cred *issued = mm_event_find_cred(ev, MM_ROLE_ISSUED);
	assert_fp(shown, 1);
	assert_fp(issued, 2);
	assert_int_equal(shown->kind, MM_CRED_TGT);
	assert_int_equal(issued->kind, MM_CRED_SERVICE);
	assert_true(issued->alg == 23 && issued->kvno == 7);
	assert_int_equal(number(ev, "authenticator_etype"), 17);
	assert_int_equal(number(ev, "authenticator_length"), 70);
	assert_int_equal(ev->reply_kvno, -1);
	assert_null(attr(ev, "reply_kvno"));
}

static void test_referral(void **state)
{
	(void)state;
	ask(tgs_req(1, 0, NOTHING, NOTHING));
	answer(krb5_kdc_rep(
	        13, alice(), krb5_ticket("LAB.TEST", "krbtgt", "OTHER.TEST", 18, 1, 4), 18, -1));
	assert_int_equal(mm_event_find_cred(only(), MM_ROLE_ISSUED)->kind, MM_CRED_REFERRAL);
}

/* Realms compare without case: what a KDC spells its own way is still its own TGT. */
static void test_tgt_in_other_case(void **state)
{
	(void)state;
	ask(as_req(1));
	answer(krb5_kdc_rep(
	        11, alice(), krb5_ticket("LAB.TEST", "krbtgt", "lab.test", 18, 1, 4), 18, -1));
	assert_int_equal(mm_event_find_cred(only(), MM_ROLE_ISSUED)->kind, MM_CRED_TGT);
}

/* Error 25 carries METHOD-DATA; its ETYPE-INFO2 (section 5.2.7.5) tells etypes and salt. */
static void test_challenge(void **state)
{
	(void)state;
	struct mm_slice info2 =
	        SEQ(SEQ(CTX(0, der_integer(18)), CTX(1, der_general("LAB.TESTalice"))),
	                SEQ(CTX(0, der_integer(23))));
	ask(as_req(1));
	answer(krb5_error(25,
	        SEQ(krb5_padata(136, NOTHING), krb5_padata(19, info2), krb5_padata(2, NOTHING))));
	ask(as_req(2));
	answer(as_rep(1));
	assert_int_equal(n_events, 2);
	const struct mm_event *ev = events[0];
	assert_int_equal(ev->kind, MM_EV_CHALLENGE);
	assert_int_equal(ev->outcome, MM_UNKNOWN);
	assert_int_equal(ev->status.domain, MM_STATUS_KRB5);
	assert_int_equal(ev->status.code, 25);
	assert_int_equal(number(ev, "error_code"), 25);
	assert_int_equal(number(ev, "error_time"), 1704164645); /* 2024-01-02 03:04:05 */
	assert_attr(ev, "error_text", "why");
	assert_attr(ev, "etype_info_salt", "LAB.TESTalice");
	assert_int_equal(attr(ev, "etype_info")->n_numbers, 2);
	assert_int_equal(attr(ev, "etype_info")->numbers[1], 23);
	static const int64_t types[] = { 136, 19, 2 };
	assert_memory_equal(attr(ev, "reply_padata")->numbers, types, sizeof types);
	assert_int_equal(events[1]->kind, MM_EV_ISSUE);
}

static void test_errors(void **state)
{
	(void)state;
	ask(as_req(1));
	answer(krb5_error(24, NOTHING));
	ask(tgs_req(1, 0, NOTHING, NOTHING));
	answer(krb5_error(20, NOTHING)); /* KDC_ERR_TGT_REVOKED */
	ask(as_req(2));
	answer(krb5_error(52, NOTHING)); /* the answer was too long for UDP: no verdict */
	assert_int_equal(n_events, 3);
	assert_int_equal(events[0]->kind, MM_EV_REQUEST);
	assert_int_equal(events[0]->outcome, MM_FAILURE);
	assert_int_equal(events[1]->kind, MM_EV_PRESENT); /* a TGT was shown all the same */
	assert_int_equal(events[1]->outcome, MM_FAILURE);
	assert_int_equal(events[1]->status.code, 20);
	assert_fp(mm_event_find_cred(events[1], MM_ROLE_PRESENTED), 1);
	assert_int_equal(events[2]->outcome, MM_UNKNOWN);
}

/* What the answer says of the password depends on whether a proof was sent. */
static void test_meanings(void **state)
{
	(void)state;
	static const struct {
		int64_t padata; /* of the request; 2: PA-ENC-TIMESTAMP, 16: PA-PK-AS-REQ, 136: PA-FX-FAST */
		int error; /* 0: a ticket */
		enum mm_meaning meaning;
	} all[] = {
		{ 2, 0, MM_MEANING_PASSWORD_RIGHT },
		{ 136, 0, MM_MEANING_PASSWORD_RIGHT },
		{ 16, 0, MM_MEANING_NONE },
		{ 128, 0, MM_MEANING_NONE },
		{ 2, 24, MM_MEANING_BAD_PASSWORD },
		{ 16, 24, MM_MEANING_NONE },
		{ 128, 6, MM_MEANING_NO_SUCH_USER },
		{ 2, 18, MM_MEANING_LOCKED },
		{ 2, 23, MM_MEANING_RIGHT_BUT },
		{ 128, 23, MM_MEANING_NONE }, /* MIT looks at it before the proof */
		{ 2, 12, MM_MEANING_RIGHT_BUT },
		{ 128, 25, MM_MEANING_NONE },
		{ 2, 52, MM_MEANING_NONE },
		{ 2, 37, MM_MEANING_NONE },
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		ask(krb5_kdc_req(&(struct krb5_req){ .type = 10,
		        .padata = krb5_padata(all[i].padata, NOTHING),
		        .cname = "alice",
		        .sname = { "krbtgt", "LAB.TEST" },
		        .nonce = 100 + (int64_t)i }));
		answer(all[i].error == 0 ? as_rep((uint8_t)(i + 1))
		                         : krb5_error(all[i].error, der_integer((int64_t)i)));
		assert_int_equal(n_events, i + 1);
		assert_int_equal(events[i]->meaning, all[i].meaning);
	}
}

/* The forms of e-data: KERB-ERROR-DATA and PA-PW-SALT with STATUS_NOT_SUPPORTED (MS-ERREF: 0xC00000BB), TYPED-DATA. */
static void test_error_data(void **state)
{
	(void)state;
	static const uint8_t ext[12] = { 0xbb, 0, 0, 0xc0, 0, 0, 0, 0, 1, 0, 0, 0 };
	struct mm_slice status = mm_slice(ext, sizeof ext);
	ask(as_req(1));
	answer(krb5_error(13, SEQ(CTX(1, der_integer(3)), CTX(2, der_octets(status)))));
	ask(as_req(2));
	answer(krb5_error(13, SEQ(krb5_padata(3, status))));
	ask(as_req(3));
	answer(krb5_error(63, SEQ(SEQ(CTX(0, der_integer(104)), CTX(1, der_octets(status))),
	                              SEQ(CTX(0, der_integer(105))))));
	assert_int_equal(n_events, 3);
	assert_int_equal(number(events[0], "nt_status"), 0xc00000bb);
	assert_int_equal(number(events[1], "nt_status"), 0xc00000bb);
	const struct mm_attr_value *typed = attr(events[2], "typed_data");
	assert_non_null(typed);
	assert_int_equal(typed->n_numbers, 2);
	assert_int_equal(typed->numbers[0], 104);
	assert_int_equal(typed->numbers[1], 105);
	for (size_t i = 0; i < 3; i++)
		assert_false(events[i]->flags & MM_EVF_MALFORMED);
}

static void test_error_code_alone(void **state)
{
	(void)state;
	uint32_t code = 7;
	assert_true(mm_krb5_error_code(krb5_error(41, NOTHING), &code));
	assert_int_equal(code, 41);
	assert_false(mm_krb5_error_code(mm_slice_str("x"), &code));
}

/* KDC-options of section 5.4.1 and MS-SFU, as facts about the exchange. */
static void test_options(void **state)
{
	(void)state;
	static const struct {
		uint32_t option, flag;
	} map[] = {
		{ FORWARDED, MM_EVF_FORWARDED }, { RENEW, MM_EVF_RENEWAL },
		{ ENC_TKT_IN_SKEY, MM_EVF_U2U }, { CNAME_IN_ADDL_TKT, MM_EVF_S4U_PROXY },
		{ 0x40810010, 0 }, /* forwardable, renewable, canonicalize, renewable-ok */
	};
	for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
		ask(tgs_req((int64_t)i, map[i].option, NOTHING, NOTHING));
		answer(tgs_rep((uint8_t)i));
		assert_int_equal(n_events, i + 1);
		assert_int_equal(events[i]->flags, map[i].flag);
	}
}

/* PA-FOR-USER, MS-SFU 2.2.1 */
static void test_s4u2self(void **state)
{
	(void)state;
	struct mm_slice for_user = SEQ(CTX(0, krb5_name(1, "bob", NULL)),
	        CTX(1, der_general("LAB.TEST")),
	        CTX(2, SEQ(CTX(0, der_integer(-138)), CTX(1, der_octets(mm_slice_str("sum"))))),
	        CTX(3, der_general("Kerberos")));
	ask(tgs_req(1, 0, krb5_padata(129, for_user), NOTHING));
	answer(krb5_kdc_rep(13, krb5_name(1, "bob", NULL), service(2), 18, -1));
	const struct mm_event *ev = only();
	assert_int_equal(ev->flags, MM_EVF_S4U_SELF);
	assert_attr(ev, "s4u_user", "bob");
	assert_attr(ev, "s4u_realm", "LAB.TEST");
	assert_str(ev->user, "bob");
}

/* PA-S4U-X509-USER, MS-SFU 2.2.2: nonce [0], cname [1], crealm [2] */
static void test_s4u_x509(void **state)
{
	(void)state;
	struct mm_slice id = SEQ(CTX(0, der_integer(9)),
	        CTX(1, krb5_name(10, "bob@LAB.TEST", NULL)), CTX(2, der_general("LAB.TEST")));
	ask(tgs_req(1, 0,
	        krb5_padata(130,
	                SEQ(CTX(0, id), CTX(1, SEQ(CTX(0, der_integer(16)),
	                                               CTX(1, der_octets(mm_slice_str("c"))))))),
	        NOTHING));
	answer(tgs_rep(2));
	assert_int_equal(only()->flags, MM_EVF_S4U_SELF);
	assert_attr(only(), "s4u_user", "bob@LAB.TEST");
	assert_attr(only(), "s4u_realm", "LAB.TEST");
}

static void test_additional_tickets(void **state)
{
	(void)state;
	struct mm_slice two[] = { service(40), tgt(50) };
	ask(tgs_req(1, CNAME_IN_ADDL_TKT, NOTHING, der_cat(2, two)));
	answer(tgs_rep(2));
	const struct mm_event *ev = only();
	assert_int_equal(ev->n_creds, 4);
	assert_int_equal(ev->creds[1].role, MM_ROLE_EVIDENCE);
	assert_fp(&ev->creds[1], 40);
	assert_int_equal(ev->creds[2].role, MM_ROLE_EVIDENCE);
	assert_fp(&ev->creds[2], 50);
	assert_int_equal(number(ev, "additional_tickets"), 2);
	assert_fp(mm_event_find_cred(ev, MM_ROLE_PRESENTED), 1);
}

/* RFC 6113 section 5.4: the armor is a ticket of its own, in clear. */
static void test_fast(void **state)
{
	(void)state;
	struct mm_slice armor =
	        SEQ(CTX(0, der_integer(1)), CTX(1, der_octets(krb5_ap_req(tgt(60), 0))));
	struct mm_slice req = CTX(0,
	        SEQ(CTX(0, armor),
	                CTX(1, SEQ(CTX(0, der_integer(16)), CTX(1, der_octets(mm_slice_str("c"))))),
	                CTX(2, krb5_encrypted(18, -1, 30, 1))));
	ask(krb5_kdc_req(&(struct krb5_req){ .type = 10,
	        .padata = krb5_padata(136, req),
	        .cname = "alice",
	        .sname = { "krbtgt", "LAB.TEST" } }));
	answer(krb5_kdc_rep(11, krb5_name(11, "WELLKNOWN", "ANONYMOUS"), tgt(2), 18, -1));
	const struct mm_event *ev = only();
	assert_int_equal(ev->flags, MM_EVF_ARMORED | MM_EVF_ANONYMOUS);
	assert_int_equal(number(ev, "armor_type"), 1);
	assert_fp(mm_event_find_cred(ev, MM_ROLE_ARMOR), 60);
	assert_null(mm_event_find_cred(ev, MM_ROLE_PRESENTED));
	assert_int_equal(
	        mm_event_find_cred(ev, MM_ROLE_ISSUED)->principal.len, 0); /* it names nobody */
	assert_str(ev->user, "alice"); /* whom the request named */
}

/* Whatever stands before PA-TGS-REQ, the names of its ticket have room: the KDC passes over padata it does not know. */
static void test_room_for_the_ticket(void **state)
{
	(void)state;
	char part[501];
	memset(part, 'x', sizeof part - 1);
	part[sizeof part - 1] = '\0';
	struct mm_slice parts = SEQ(der_general(part), der_general(part), der_general(part),
	        der_general(part), der_general(part));
	struct mm_slice user =
	        SEQ(CTX(0, SEQ(CTX(0, der_integer(1)), CTX(1, parts))), CTX(1, der_general("R")));
	struct mm_slice ap =
	        krb5_ap_req(krb5_ticket("LAB.TEST", "krbtgt", "LAB.TEST", 18, 2, 7), 0);
	const struct mm_slice list[] = { krb5_padata(129, user), krb5_padata(1, ap) };
	const struct krb5_req r = {
		.type = 12, .padata = der_cat(2, list), .sname = { "cifs", "fs" }, .nonce = 3
	};
	ask(krb5_kdc_req(&r));
	end();
	assert_int_equal(n_events, 1);
	const struct mm_cred *cred = mm_event_find_cred(events[0], MM_ROLE_PRESENTED);
	assert_non_null(cred);
	assert_int_equal(cred->kind, MM_CRED_TGT);
	assert_int_equal(cred->issuer.len, strlen("LAB.TEST"));
}

/* Padata repeated do not take the room of what the rest of the request says. */
static void test_repeated_padata(void **state)
{
	(void)state;
	struct mm_slice list[40];
	struct mm_slice options = SEQ(CTX(0, der_flags(1)));
	for (size_t i = 0; i < 40; i++)
		list[i] = krb5_padata(167, options);
	const struct krb5_req r = { .type = 10,
		.padata = der_cat(40, list),
		.cname = "alice",
		.sname = { "krbtgt", "LAB.TEST" },
		.nonce = 3 };
	ask(krb5_kdc_req(&r));
	end();
	assert_int_equal(n_events, 1);
	assert_non_null(attr(events[0], "kdc_options"));
	assert_non_null(attr(events[0], "etypes"));
}

/* Two requests that an unkeyed 64-bit hash (SipHash-1-3, key 0, lowest bit set) cannot tell apart, found by Pollard's
 * rho in a minute: the second one must not pass for a repetition of the first. Neither is more than a tag and
 * bytes without meaning. */
static void test_no_colliding_requests(void **state)
{
	(void)state;
	static const uint64_t ends[2] = { 0x42d3c61c27fb3a9f, 0x91d54dac0ecec37b };
	for (size_t i = 0; i < 2; i++) {
		uint8_t *msg = der_alloc(72);
		memset(msg, 'B', 64);
		msg[0] = 0x6a; /* AS-REQ, [APPLICATION 10] */
		for (size_t k = 0; k < 8; k++)
			msg[64 + k] = (uint8_t)(ends[i] >> (8 * k));
		ask(mm_slice(msg, 72));
	}
	end();
	assert_int_equal(n_events, 2);
}

static void test_pkinit(void **state)
{
	(void)state;
	struct mm_slice pk = SEQ(EL(0x80, mm_slice(pkinit_cms, sizeof pkinit_cms)));
	ask(krb5_kdc_req(&(struct krb5_req){ .type = 10,
	        .padata = krb5_padata(16, pk),
	        .cname = "alice",
	        .sname = { "krbtgt", "LAB.TEST" } }));
	answer(as_rep(1));
	assert_attr(only(), "certificate.subject", "CN=alice,DC=test");
	assert_attr(only(), "certificate.issuer", "CN=LAB CA");
	assert_attr(only(), "certificate.upn", "alice@lab.test");
	assert_int_equal(number(only(), "certificate.not_before"), 1704164645);
}

static void test_pac_options(void **state)
{
	(void)state;
	ask(tgs_req(1, 0, krb5_padata(167, SEQ(CTX(0, der_flags(0x10000000)))), NOTHING));
	end();
	assert_int_equal(number(only(), "pac_options"), 0x10000000);
}

static void test_unanswered(void **state)
{
	(void)state;
	ask(as_req(1));
	ask(tgs_req(2, 0, NOTHING, NOTHING));
	assert_int_equal(n_events, 0);
	end();
	assert_int_equal(n_events, 2);
	assert_int_equal(events[0]->kind, MM_EV_REQUEST); /* in the order asked */
	assert_int_equal(events[1]->kind, MM_EV_PRESENT);
	assert_int_equal(events[1]->outcome, MM_UNKNOWN);
	assert_int_equal(events[1]->response_ns, 0);
}

/* More than four outstanding: the oldest is given up, none is lost. */
static void test_many_unanswered(void **state)
{
	(void)state;
	for (int64_t i = 0; i < 7; i++)
		ask(as_req(i));
	assert_int_equal(n_events, 3);
	end();
	assert_int_equal(n_events, 7);
	for (int64_t i = 0; i < 7; i++)
		assert_int_equal(number(events[i], "nonce"), i);
}

static void test_reply_alone(void **state)
{
	(void)state;
	answer(as_rep(1));
	const struct mm_event *ev = only();
	assert_int_equal(ev->kind, MM_EV_ISSUE);
	assert_int_equal(ev->flags, MM_EVF_ONE_SIDED);
	assert_int_equal(ev->request_ns, 0);
	assert_int_equal(ev->response_ns, 1000);
	assert_fp(mm_event_find_cred(ev, MM_ROLE_ISSUED), 1);
	answer(as_rep(1)); /* seen twice */
	assert_int_equal(n_events, 1);
}

/* A client sends the same bytes again; a SPAN port shows everything twice. One event all the same. */
static void test_retransmission(void **state)
{
	(void)state;
	ask(as_req(1));
	ask(as_req(1));
	answer(as_rep(1));
	answer(as_rep(1));
	ask(as_req(1)); /* late, its answer known */
	answer(as_rep(1));
	end();
	assert_int_equal(only()->kind, MM_EV_ISSUE);
}

/* The KDC served the repetition anew: two tickets were issued. */
static void test_repetition_served_anew(void **state)
{
	(void)state;
	ask(as_req(1));
	answer(as_rep(1));
	ask(as_req(1));
	answer(as_rep(2));
	end();
	assert_int_equal(n_events, 2);
	assert_fp(mm_event_find_cred(events[0], MM_ROLE_ISSUED), 1);
	assert_fp(mm_event_find_cred(events[1], MM_ROLE_ISSUED), 2);
}

/* A datagram answers the newest request, a stream answers in order. */
static void test_pairing(void **state)
{
	(void)state;
	ask(as_req(1));
	ask(as_req(2));
	answer(as_rep(1));
	assert_int_equal(number(only(), "nonce"), 2);
	end();
	assert_int_equal(n_events, 2);
	begin(MM_TCP);
	ask(as_req(3));
	ask(as_req(4));
	answer(as_rep(2));
	assert_int_equal(n_events, 3);
	assert_int_equal(number(events[2], "nonce"), 3);
}

/* A TGS-REP answers no AS-REQ. */
static void test_pairing_by_type(void **state)
{
	(void)state;
	ask(tgs_req(1, 0, NOTHING, NOTHING));
	ask(as_req(2));
	answer(tgs_rep(1));
	assert_int_equal(number(only(), "request_type"), 12);
	answer(as_rep(1));
	assert_int_equal(n_events, 2);
	assert_int_equal(number(events[1], "request_type"), 10);
}

/* Only KDCs issue: whoever sends a reply towards the KDC's port wants a forged ticket to be taken for an issued
 * one. Nor does a KDC ask. */
static void test_wrong_way(void **state)
{
	(void)state;
	send(MM_TO_SERVER, as_rep(66));
	send(MM_TO_SERVER, tgs_rep(67));
	send(MM_TO_CLIENT, tgs_req(1, 0, NOTHING, NOTHING));
	end();
	for (size_t i = 0; i < n_events; i++)
		assert_null(mm_event_find_cred(events[i], MM_ROLE_ISSUED));
}

/* However many padata stand before it, the TGT shown is seen. */
static void test_tgt_behind_much_padata(void **state)
{
	(void)state;
	struct mm_slice padata = NOTHING;
	for (int i = 0; i < 40; i++)
		padata = der_cat(2, (const struct mm_slice[]){ padata, krb5_padata(999, NOTHING) });
	padata = der_cat(
	        2, (const struct mm_slice[]){ padata, krb5_padata(1, krb5_ap_req(tgt(1), 0)) });
	ask(krb5_kdc_req(
	        &(struct krb5_req){ .type = 12, .padata = padata, .sname = { "cifs", "srv" } }));
	end();
	assert_fp(mm_event_find_cred(only(), MM_ROLE_PRESENTED), 1);
	assert_true(only()->flags & MM_EVF_TRUNCATED); /* not all types were taken down */
}

/* What cannot be read marks the event; what was read before is kept. */
static void test_malformed(void **state)
{
	(void)state;
	struct mm_slice whole = tgs_req(1, 0, NOTHING, NOTHING);
	uint8_t *p = der_alloc(whole.len);
	memcpy(p, whole.p, whole.len);
	const uint8_t *time = memmem(p, whole.len, "20370913", 8);
	assert_non_null(time);
	p[time - p] = 'x';
	ask(mm_slice(p, whole.len));
	end();
	assert_fp(mm_event_find_cred(only(), MM_ROLE_PRESENTED), 1);
	assert_true(only()->flags & MM_EVF_MALFORMED);
	assert_null(attr(only(), "till")); /* no value was made up */
}

static void test_cut_short(void **state)
{
	(void)state;
	struct mm_slice whole = tgs_req(1, 0, NOTHING, NOTHING);
	ask(mm_first(whole, whole.len - 1));
	end();
	assert_int_equal(n_events, 1);
	assert_true(only()->flags & MM_EVF_MALFORMED);
}

static void test_foreign_messages(void **state)
{
	(void)state;
	ask(mm_slice_str("hello"));
	ask(NOTHING);
	ask(krb5_ap_req(tgt(1), 0)); /* no exchange with a KDC */
	end();
	assert_int_equal(n_events, 0);
}

/* Two requests outstanding on one UDP flow, answered in order: each answer goes to the request for its service. */
static void test_answers_by_service(void **state)
{
	(void)state;
	struct mm_slice padata = krb5_padata(1, krb5_ap_req(tgt(1), 0));
	ask(tgs_req(1, 0, NOTHING, NOTHING));
	ask(krb5_kdc_req(&(struct krb5_req){
	        .type = 12, .padata = padata, .sname = { "http", "web" }, .nonce = 2 }));
	answer(tgs_rep(9)); /* for cifs/srv.lab.test */
	end();
	assert_int_equal(n_events, 2);
	assert_int_equal(number(events[0], "nonce"), 1);
	assert_fp(mm_event_find_cred(events[0], MM_ROLE_ISSUED), 9);
	assert_int_equal(number(events[1], "nonce"), 2);
	assert_null(mm_event_find_cred(events[1], MM_ROLE_ISSUED));
}

static void test_pool_exhausted(void **state)
{
	(void)state;
	pool.max_live = 0;
	ask(as_req(1));
	answer(as_rep(1));
	pool.max_live = EVENTS_MAX;
	ask(as_req(2));
	answer(as_rep(2));
	assert_int_equal(number(only(), "nonce"), 2);
}

static void test_frame(void **state)
{
	(void)state;
	struct mm_slice msg = as_req(1);
	const uint8_t mark[4] = { 0, 0, (uint8_t)(msg.len >> 8), (uint8_t)msg.len };
	struct mm_slice s = der_cat(
	        3, (const struct mm_slice[]){ mm_slice(mark, 4), msg, mm_slice_str("next") });
	for (size_t n = 1; n < 4 + msg.len; n++) {
		struct mm_frame f = mm_kerberos.frame(d.state, MM_TO_SERVER, mm_first(s, n));
		assert_int_equal(f.verdict, MM_FRAME_MORE);
		assert_true(f.n > n && f.n <= 4 + msg.len);
	}
	struct mm_frame f = mm_kerberos.frame(d.state, MM_TO_SERVER, s);
	assert_int_equal(f.verdict, MM_FRAME_DONE);
	assert_int_equal(f.n, 4 + msg.len);
	assert_int_equal(
	        mm_kerberos.frame(d.state, MM_TO_SERVER, mm_slice_str("GET / HTTP")).verdict,
	        MM_FRAME_LOST);
	struct mm_slice noise = der_cat(2, (const struct mm_slice[]){ mm_slice_str("noise"), s });
	assert_int_equal(mm_kerberos.resync(d.state, MM_TO_SERVER, noise), 5);
	assert_int_equal(
	        mm_kerberos.resync(d.state, MM_TO_SERVER, mm_slice_str("nothing here")), 12);
}

static void test_probe(void **state)
{
	(void)state;
	struct mm_slice msg = as_req(1);
	const uint8_t mark[4] = { 0, 0, (uint8_t)(msg.len >> 8), (uint8_t)msg.len };
	struct mm_slice tcp = der_cat(2, (const struct mm_slice[]){ mm_slice(mark, 4), msg });
	assert_true(mm_kerberos.probe(msg, MM_TO_SERVER, MM_UDP));
	assert_true(mm_kerberos.probe(tcp, MM_TO_SERVER, MM_TCP));
	assert_true(mm_kerberos.probe(mm_first(tcp, 20), MM_TO_SERVER, MM_TCP));
	assert_false(mm_kerberos.probe(msg, MM_TO_SERVER, MM_TCP));
	assert_false(mm_kerberos.probe(mm_first(msg, msg.len - 1), MM_TO_SERVER, MM_UDP));
	assert_false(mm_kerberos.probe(mm_slice_str("j"), MM_TO_SERVER, MM_TCP));
	assert_false(mm_kerberos.probe(krb5_ap_req(tgt(1), 0), MM_TO_SERVER, MM_UDP));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_as_exchange),
		CASE(test_tgs_exchange),
		CASE(test_referral),
		CASE(test_tgt_in_other_case),
		CASE(test_challenge),
		CASE(test_errors),
		CASE(test_meanings),
		CASE(test_error_data),
		CASE(test_error_code_alone),
		CASE(test_options),
		CASE(test_s4u2self),
		CASE(test_s4u_x509),
		CASE(test_additional_tickets),
		CASE(test_fast),
		CASE(test_room_for_the_ticket),
		CASE(test_repeated_padata),
		CASE(test_no_colliding_requests),
		CASE(test_pkinit),
		CASE(test_pac_options),
		CASE(test_unanswered),
		CASE(test_many_unanswered),
		CASE(test_reply_alone),
		CASE(test_retransmission),
		CASE(test_repetition_served_anew),
		CASE(test_pairing),
		CASE(test_pairing_by_type),
		CASE(test_wrong_way),
		CASE(test_tgt_behind_much_padata),
		CASE(test_malformed),
		CASE(test_cut_short),
		CASE(test_foreign_messages),
		CASE(test_answers_by_service),
		CASE(test_pool_exhausted),
		CASE(test_frame),
		CASE(test_probe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
