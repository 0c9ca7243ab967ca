/* GSS-API tokens in every wrapping that peers use, and the life of a presentation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "dissect/gss.h"
#include "dissect/krb5.h"
#include "guard.h"
#include "krb5_build.h"

enum { EVENTS_MAX = 16 };

static struct mm_flow_info flow = { .transport = MM_TCP };
static struct mm_event_pool pool;
static struct mm_presentation p;
static const struct mm_bulk_key key;
static struct mm_dissect d;
static struct mm_event *events[EVENTS_MAX];
static size_t n_events;

static void take(void *sink, struct mm_event *ev)
{
	(void)sink;
	assert_true(n_events < EVENTS_MAX);
	events[n_events++] = ev;
}

static int set_up(void **state)
{
	(void)state;
	der_reset();
	mm_event_pool_init(&pool, EVENTS_MAX);
	d = (struct mm_dissect){ .self = &mm_kerberos,
		.key = &key,
		.flow = &flow,
		.pool = &pool,
		.emit = take,
		.time_ns = 5 };
	p.ev = NULL;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mm_gss_end(&d, &p);
	for (size_t i = 0; i < n_events; i++)
		mm_event_free(&pool, events[i]);
	n_events = 0;
	int left = (int)pool.n_live;
	mm_event_pool_done(&pool);
	return left;
}

/* Object identifiers: RFC 4121 section 1.1, MS-SPNG 3.1.5.2 (the wrong one), RFC 4178, MS-NLMP. */
static struct mm_slice krb5_oid(void)
{
	return EL(MM_DER_OID, BYTES(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2));
}

static struct mm_slice ms_krb5_oid(void)
{
	return EL(MM_DER_OID, BYTES(0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 1, 2, 2));
}

static struct mm_slice spnego_oid(void)
{
	return EL(MM_DER_OID, BYTES(0x2b, 6, 1, 5, 5, 2));
}

static struct mm_slice ap_req(uint8_t fill)
{
	return krb5_ap_req(
	        krb5_ticket("LAB.TEST", "cifs", "srv.lab.test", 18, 3, fill), 0x20000000);
}

/* RFC 4121 section 4.1: OID, TOK_ID, message. */
static struct mm_slice wrapped(uint8_t tok_id, struct mm_slice message)
{
	return APP(0, krb5_oid(), BYTES(tok_id, 0), message);
}

static struct mm_slice neg_init(struct mm_slice mech_token)
{
	return CTX(0, SEQ(CTX(0, SEQ(ms_krb5_oid(), krb5_oid())), CTX(2, der_octets(mech_token))));
}

/* RFC 4178 section 4.2.2; state below 0: none. */
static struct mm_slice neg_resp(int state, struct mm_slice token)
{
	return CTX(1,
	        SEQ(state < 0 ? NOTHING : CTX(0, EL(MM_DER_ENUMERATED, BYTES((uint8_t)state))),
	                CTX(1, krb5_oid()), token.len == 0 ? NOTHING : CTX(2, der_octets(token))));
}

static struct mm_token read_token(struct mm_slice s)
{
	struct mm_token t;
	mm_gss_read(s, &t);
	return t;
}

static void test_wrappings_of_ap_req(void **state)
{
	(void)state;
	struct mm_slice req = ap_req(1);
	struct mm_slice forms[] = {
		req, /* DCE style, HTTP "Kerberos" */
		wrapped(1, req), der_cat(2, (struct mm_slice[]){ BYTES(1, 0), req }),
		APP(0, spnego_oid(), neg_init(wrapped(1, req))),
		APP(0, spnego_oid(), neg_init(req)),
		neg_init(wrapped(1, req)),                       /* without the outer OID */
		neg_resp(1, wrapped(1, req)), neg_resp(-1, req), /* the third leg of DCE style */
	};
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		struct mm_token t = read_token(forms[i]);
		assert_int_equal(t.kind, MM_TOKEN_AP_REQ);
		assert_true(mm_slice_eq(t.inner, req));
		assert_int_equal(t.spnego, i >= 3);
		assert_int_equal(t.neg_state, i == 6 ? MM_NEG_ACCEPT_INCOMPLETE : MM_NEG_ABSENT);
		assert_false(t.malformed);
	}
}

static void test_answers(void **state)
{
	(void)state;
	struct mm_token t = read_token(neg_resp(0, wrapped(2, krb5_ap_rep())));
	assert_int_equal(t.kind, MM_TOKEN_AP_REP);
	assert_int_equal(t.neg_state, MM_NEG_ACCEPT_COMPLETED);
	t = read_token(wrapped(3, krb5_error(41, NOTHING)));
	assert_int_equal(t.kind, MM_TOKEN_KRB_ERROR);
	assert_int_equal(t.neg_state, MM_NEG_ABSENT);
	t = read_token(neg_resp(2, NOTHING));
	assert_int_equal(t.kind, MM_TOKEN_NONE);
	assert_int_equal(t.neg_state, MM_NEG_REJECT);
	assert_int_equal(read_token(krb5_ap_rep()).kind, MM_TOKEN_AP_REP);
}

static void test_ntlm(void **state)
{
	(void)state;
	struct mm_slice ntlm = mm_slice("NTLMSSP\0\1\0\0\0", 12);
	assert_int_equal(read_token(ntlm).kind, MM_TOKEN_NTLM);
	struct mm_token t = read_token(APP(0, spnego_oid(), neg_init(ntlm)));
	assert_int_equal(t.kind, MM_TOKEN_NTLM);
	assert_true(mm_slice_eq(t.inner, ntlm));
	assert_int_equal(read_token(mm_slice_str("NTLMSSP")).kind,
	        MM_TOKEN_OTHER); /* its NUL belongs to it */
}

static void test_other(void **state)
{
	(void)state;
	assert_int_equal(read_token(NOTHING).kind, MM_TOKEN_NONE);
	assert_int_equal(read_token(mm_slice_str("x")).kind, MM_TOKEN_OTHER);
	assert_int_equal(read_token(wrapped(2, ap_req(1))).kind,
	        MM_TOKEN_OTHER); /* TOK_ID of another message */
	struct mm_token t = read_token(mm_first(APP(0, spnego_oid(), neg_init(ap_req(1))), 30));
	assert_true(t.kind == MM_TOKEN_NONE || t.kind == MM_TOKEN_OTHER);
}

/* Wrappers in wrappers end somewhere: no recursion, no AP-REQ found at any depth. */
static void test_depth(void **state)
{
	(void)state;
	struct mm_slice s = ap_req(1);
	for (int i = 0; i < 3; i++)
		s = neg_init(s);
	assert_int_equal(read_token(s).kind, MM_TOKEN_AP_REQ);
	for (int i = 0; i < 100; i++)
		s = neg_init(s);
	assert_int_equal(read_token(s).kind, MM_TOKEN_OTHER);
}

static struct mm_event *request(uint8_t fill)
{
	return mm_gss_request(&d, &p, APP(0, spnego_oid(), neg_init(wrapped(1, ap_req(fill)))),
	        "smb2-session-setup");
}

static const struct mm_status none = { MM_STATUS_NONE, 0 }, nt_ok = { MM_STATUS_NT, 0 },
                              nt_failed = { MM_STATUS_NT, 0xc000006d };

static void test_accepted(void **state)
{
	(void)state;
	struct mm_event *ev = request(1);
	assert_non_null(ev);
	assert_int_equal(n_events, 0);
	assert_int_equal(ev->kind, MM_EV_PRESENT);
	assert_string_equal(ev->action, "smb2-session-setup");
	mm_gss_response(&d, &p, neg_resp(0, wrapped(2, krb5_ap_rep())), MM_VERDICT_ACCEPTED, nt_ok);
	assert_int_equal(n_events, 1);
	assert_int_equal(events[0]->outcome, MM_SUCCESS);
	assert_int_equal(events[0]->status.domain, MM_STATUS_NT);
	const struct mm_cred *cred = mm_event_find_cred(events[0], MM_ROLE_PRESENTED);
	assert_true(cred != NULL && cred->alg == 18 && cred->kvno == 3 && cred->length == 100);
	assert_null(p.ev);
}

/* An AP-REP proves that the service could read the ticket, whatever legs follow. */
static void test_ap_rep_is_acceptance(void **state)
{
	(void)state;
	(void)request(1);
	mm_gss_response(&d, &p, neg_resp(1, krb5_ap_rep()), MM_VERDICT_CONTINUE, none);
	assert_int_equal(n_events, 1);
	assert_int_equal(events[0]->outcome, MM_SUCCESS);
	(void)request(2); /* but the carrier may refuse for reasons of its own */
	mm_gss_response(&d, &p, neg_resp(1, krb5_ap_rep()), MM_VERDICT_REFUSED, nt_failed);
	assert_int_equal(events[1]->outcome, MM_FAILURE);
}

static void test_refused(void **state)
{
	(void)state;
	(void)request(1);
	mm_gss_response(&d, &p, NOTHING, MM_VERDICT_REFUSED, nt_failed);
	(void)request(2);
	mm_gss_response(&d, &p, wrapped(3, krb5_error(41, NOTHING)), MM_VERDICT_CONTINUE, nt_ok);
	(void)request(3);
	mm_gss_response(&d, &p, neg_resp(2, NOTHING), MM_VERDICT_CONTINUE, none);
	assert_int_equal(n_events, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(events[i]->outcome, MM_FAILURE);
	assert_true(
	        events[0]->status.domain == MM_STATUS_NT && events[0]->status.code == 0xc000006d);
	assert_true(events[1]->status.domain == MM_STATUS_KRB5 && events[1]->status.code == 41);
	assert_true(events[2]->status.domain == MM_STATUS_GSS &&
	            events[2]->status.code == MM_NEG_REJECT);
}

static void test_more_legs(void **state)
{
	(void)state;
	(void)request(1);
	mm_gss_response(&d, &p, neg_resp(1, NOTHING), MM_VERDICT_CONTINUE, none);
	assert_int_equal(n_events, 0);
	assert_null(mm_gss_request(
	        &d, &p, mm_slice_str("later"), "x")); /* no ticket: nothing changes */
	assert_int_equal(n_events, 0);
	mm_gss_response(&d, &p, NOTHING, MM_VERDICT_ACCEPTED, nt_ok);
	assert_int_equal(events[0]->outcome, MM_SUCCESS);
	mm_gss_response(&d, &p, NOTHING, MM_VERDICT_ACCEPTED, nt_ok); /* nothing outstanding */
	assert_int_equal(n_events, 1);
}

static void test_unanswered(void **state)
{
	(void)state;
	(void)request(1);
	(void)request(2); /* the first will never be answered */
	assert_int_equal(n_events, 1);
	assert_int_equal(events[0]->outcome, MM_UNKNOWN);
	mm_gss_end(&d, &p);
	mm_gss_end(&d, &p);
	assert_int_equal(n_events, 2);
	assert_int_equal(events[1]->outcome, MM_UNKNOWN);
}

/* The server chose NTLM and never looked at the ticket: its yes is no yes to the ticket. */
static void test_yes_to_another_mechanism(void **state)
{
	(void)state;
	(void)request(1);
	mm_gss_response(&d, &p, neg_resp(1, NOTHING), MM_VERDICT_CONTINUE, none);
	(void)mm_gss_request(&d, &p, neg_resp(1, mm_slice("NTLMSSP\0\3\0\0\0", 12)), "x");
	mm_gss_response(&d, &p, neg_resp(0, NOTHING), MM_VERDICT_ACCEPTED, nt_ok);
	mm_gss_end(&d, &p);
	assert_int_equal(n_events, 1);
	assert_int_equal(events[0]->outcome, MM_UNKNOWN);
}

/* Without an event for the second ticket, its verdict must not fall on the first. */
static void test_pool_exhausted(void **state)
{
	(void)state;
	(void)request(1);
	pool.max_live = 1;
	assert_null(request(2));
	pool.max_live = EVENTS_MAX;
	mm_gss_response(&d, &p, krb5_ap_rep(), MM_VERDICT_ACCEPTED, nt_ok);
	mm_gss_end(&d, &p);
	assert_int_equal(n_events, 1);
	assert_int_equal(events[0]->outcome, MM_UNKNOWN);
}

static void test_ap_req_without_ticket(void **state)
{
	(void)state;
	assert_null(mm_gss_request(&d, &p, APP(14, SEQ(CTX(0, der_integer(5)))), "x"));
	assert_int_equal(pool.n_live, 0);
}

static void read_all(void *arg, struct mm_slice input)
{
	(void)arg;
	struct mm_token t = read_token(input);
	assert_true(t.inner.len <= input.len);
	if (t.inner.len != 0)
		assert_true(t.inner.p >= input.p && t.inner.p + t.inner.len <= input.p + input.len);
}

static void test_hostile(void **state)
{
	(void)state;
	struct mm_slice s = APP(0, spnego_oid(), neg_init(wrapped(1, ap_req(1))));
	guard_every_prefix(s.p, s.len, read_all, NULL);
	guard_every_bitflip(s.p, s.len, read_all, NULL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_wrappings_of_ap_req),
		CASE(test_answers),
		CASE(test_ntlm),
		CASE(test_other),
		CASE(test_depth),
		CASE(test_accepted),
		CASE(test_ap_rep_is_acceptance),
		CASE(test_refused),
		CASE(test_more_legs),
		CASE(test_unanswered),
		CASE(test_yes_to_another_mechanism),
		CASE(test_pool_exhausted),
		CASE(test_ap_req_without_ticket),
		CASE(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
