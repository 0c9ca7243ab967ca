/* ldap.c: binds and their answers, what is passed over, and hostile input. The messages are made by hand from
 * RFC 4511 and read the same in tshark; the tokens in them are invented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>

#include "fake_gss.h"
#include "guard.h"

extern const struct mm_dissector mm_ldap;

static const char simple_request[] = "\x30\x21\x02\x01\x01\x60\x1c\x02\x01\x03\x04\x13"
                                     "cn=alice,dc=example"
                                     "\x80\x02\x70\x77";
static const char anonymous_request[] = "\x30\x0c\x02\x01\x02\x60\x07\x02\x01\x03\x04\x00\x80\x00";
static const char unauthenticated_request[] = "\x30\x14\x02\x01\x02\x60\x0f\x02\x01\x03\x04\x08"
                                              "cn=alice"
                                              "\x80\x00";
static const char success_1[] = "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00";
static const char refused_1[] =
        "\x30\x84\x00\x00\x00\x68\x02\x01\x01\x61\x84\x00\x00\x00\x5f\x0a\x01\x31"
        "\x04\x00\x04"
        "X80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data 52e, v3839"
        "\x00";
static const char gssapi_request_1[] =
        "\x30\x2d\x02\x01\x01\x60\x28\x02\x01\x03\x04\x00\xa3\x21\x04\x06"
        "GSSAPI"
        "\x04\x17\x60\x15\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00\x6e"
        "\x06"
        "ticket";
static const char gssapi_continue_1[] =
        "\x30\x25\x02\x01\x01\x61\x20\x0a\x01\x0e\x04\x00\x04\x00\x87\x17\x60\x15"
        "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x02\x00\x6f\x06"
        "accept";
static const char gssapi_request_2[] =
        "\x30\x16\x02\x01\x02\x60\x11\x02\x01\x03\x04\x00\xa3\x0a\x04\x06"
        "GSSAPI"
        "\x04\x00";
static const char gssapi_continue_2[] =
        "\x30\x2e\x02\x01\x02\x61\x29\x0a\x01\x0e\x04\x00\x04\x00\x87\x20\x05\x04"
        "\x05\xff\x00\x0c\x00\x00\x00\x00\x00\x00\x11\x22\x33\x44\x07\x00\x40\x00"
        "\x11\x22"
        "3DUfw"
        "\x88\x99\x00\xaa\xbb";
static const char gssapi_request_3[] =
        "\x30\x36\x02\x01\x03\x60\x31\x02\x01\x03\x04\x00\xa3\x2a\x04\x06"
        "GSSAPI"
        "\x04\x20\x05\x04\x04\xff\x00\x0c\x00\x00\x00\x00\x00\x00\x11\x22\x33\x44"
        "\x07\x00\x40\x00\x11\x22"
        "3DUfw"
        "\x88\x99\x00\xaa\xbb";
static const char success_3[] = "\x30\x0c\x02\x01\x03\x61\x07\x0a\x01\x00\x04\x00\x04\x00";
static const char spnego_request_5[] =
        "\x30\x31\x02\x01\x05\x60\x2c\x02\x01\x03\x04\x00\xa3\x25\x04\x0a"
        "GSS-SPNEGO"
        "\x04\x17\x60\x15\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00\x6e"
        "\x06"
        "ticket";
static const char spnego_refused_5[] =
        "\x30\x7e\x02\x01\x05\x61\x79\x0a\x01\x31\x04\x00\x04"
        "X80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data 52e, v3839"
        "\x00\x87\x18\x60\x16\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x03\x00"
        "\x7e\x07"
        "refusal";
static const char spnego_success_5[] =
        "\x30\x25\x02\x01\x05\x61\x20\x0a\x01\x00\x04\x00\x04\x00\x87\x17\x60\x15"
        "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x02\x00\x6f\x06"
        "accept";
static const char continue_bare_1[] = "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x0e\x04\x00\x04\x00";
static const char search_request[] =
        "\x30\x2f\x02\x01\x04\x63\x2a\x04\x0a"
        "dc=example"
        "\x0a\x01\x02\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x0b"
        "objectClass0"
        "\x00";
static const char search_done[] = "\x30\x0c\x02\x01\x04\x65\x07\x0a\x01\x00\x04\x00\x04\x00";
static const char unbind[] = "\x30\x05\x02\x01\x06\x42\x00";
static const char starttls_request[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
                                       "1.3.6.1.4.1.1466.20037";
static const char starttls_success[] =
        "\x30\x24\x02\x01\x01\x78\x1f\x0a\x01\x00\x04\x00\x04\x00\x8a\x16"
        "1.3.6.1.4.1.1466.20037";
static const char starttls_refused[] = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00";

/* Both tokens of a SASL buffer: RFC 4121 section 4.2.6.2 inside RFC 4422 section 3.7. */
static const char wrapped_buffer[] =
        "\x00\x00\x00\x14\x05\x04\x07\xff\x00\x00\x00\x1c\x00\x00\x00\x00\x00\x00\x00\x01"
        "\x30\x0c\x02\x01";
static const char odd_buffer[] = "\x00\x00\x00\x02\xaa\xbb";

#define BYTES(literal) mm_slice(literal, sizeof(literal) - 1)
#define CLIENT(d, literal)                                                                         \
	assert_int_equal(fake_stream(d, MM_TO_SERVER, BYTES(literal)), sizeof(literal) - 1)
#define SERVER(d, literal)                                                                         \
	assert_int_equal(fake_stream(d, MM_TO_CLIENT, BYTES(literal)), sizeof(literal) - 1)

static const struct mm_attr_value *attr(const struct mm_event *ev, const char *name)
{
	for (size_t i = 0; i < ev->n_attrs; i++)
		if (strcmp(ev->attrs[i].attr->name, name) == 0)
			return &ev->attrs[i];
	return NULL;
}

static void assert_str(const struct mm_event *ev, const char *name, const char *want)
{
	const struct mm_attr_value *v = attr(ev, name);
	assert_non_null(v);
	assert_int_equal(v->str.len, strlen(want));
	assert_memory_equal(v->str.p, want, v->str.len);
}

static struct mm_dissect start(void)
{
	fake_reset();
	return fake_dissect(&mm_ldap);
}

static void finish(struct mm_dissect *d)
{
	fake_end(d);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

static void test_simple_accepted(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, simple_request);
	assert_int_equal(fake.n_emitted, 0);
	SERVER(&d, success_1);
	assert_int_equal(fake.n_emitted, 1);
	const struct mm_event *ev = fake.emitted[0];
	assert_int_equal(ev->kind, MM_EV_REQUEST);
	assert_string_equal(ev->action, "ldap-simple-bind");
	assert_int_equal(ev->outcome, MM_SUCCESS);
	assert_int_equal(ev->user.len, 19);
	assert_memory_equal(ev->user.p, "cn=alice,dc=example", 19);
	assert_str(ev, "mintmark.ldap.bind_dn", "cn=alice,dc=example");
	assert_int_equal(attr(ev, "mintmark.ldap.message_id")->number, 1);
	assert_int_equal(attr(ev, "mintmark.ldap.result_code")->number, 0);
	assert_null(attr(ev, "mintmark.ldap.unauthenticated"));
	assert_null(memmem(((const struct mm_event_room *)ev)->text,
	        ((const struct mm_event_room *)ev)->n_text, "pw", 2));
	finish(&d);
}

static void test_simple_refused(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, simple_request);
	SERVER(&d, refused_1);
	assert_int_equal(fake.n_emitted, 1);
	const struct mm_event *ev = fake.emitted[0];
	assert_int_equal(ev->outcome, MM_FAILURE);
	assert_int_equal(ev->status.domain, MM_STATUS_LDAP);
	assert_int_equal(ev->status.code, 49);
	assert_str(ev, "mintmark.ldap.ad_data", "52e");
	finish(&d);
}

/* The errors of Active Directory, by the names of system error codes. */
static void test_meanings(void **unused)
{
	(void)unused;
	static const struct {
		const char *data;
		enum mm_meaning meaning;
	} all[] = {
		{ "525", MM_MEANING_NO_SUCH_USER },
		{ "52e", MM_MEANING_BAD_PASSWORD },
		{ "52E", MM_MEANING_BAD_PASSWORD },
		{ "533", MM_MEANING_RIGHT_BUT }, /* disabled, told only to who has the password */
		{ "773", MM_MEANING_RIGHT_BUT },
		{ "775", MM_MEANING_LOCKED },
		{ "57 ", MM_MEANING_REFUSED },
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct mm_dissect d = start();
		char answer[sizeof refused_1];
		memcpy(answer, refused_1, sizeof answer);
		memcpy(memmem(answer, sizeof answer, "52e", 3), all[i].data, 3);
		CLIENT(&d, simple_request);
		SERVER(&d, answer);
		assert_int_equal(fake.emitted[0]->meaning, all[i].meaning);
		finish(&d);
	}
	struct mm_dissect d = start();
	CLIENT(&d, simple_request);
	SERVER(&d, success_1);
	assert_int_equal(fake.emitted[0]->meaning, MM_MEANING_PASSWORD_RIGHT);
	finish(&d);
	d = start();
	CLIENT(&d, unauthenticated_request);
	SERVER(&d, "\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00");
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->meaning, MM_MEANING_NONE);
	finish(&d);
}

static void test_simple_without_password(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, anonymous_request);
	CLIENT(&d, unauthenticated_request); /* the same messageID: the first is given up */
	assert_int_equal(fake.n_emitted, 1);
	assert_true(fake.emitted[0]->flags & MM_EVF_ANONYMOUS);
	assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
	fake_end(&d);
	assert_int_equal(fake.n_emitted, 2);
	assert_false(fake.emitted[1]->flags & MM_EVF_ANONYMOUS);
	assert_true(fake.emitted[1]->flags & MM_EVF_ONE_SIDED);
	assert_int_equal(attr(fake.emitted[1], "mintmark.ldap.unauthenticated")->number, 1);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

/* RFC 4752: the ticket is accepted by the first answer; two more legs settle the security layer. */
static void test_gssapi(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, gssapi_request_1);
	const struct fake_call *call = fake_nth(FAKE_REQUEST, 0);
	assert_non_null(call);
	assert_string_equal(call->action, "ldap-bind");
	assert_int_equal(call->len, 23);
	assert_int_equal(call->token[0], 0x60);
	SERVER(&d, gssapi_continue_1);
	call = fake_nth(FAKE_RESPONSE, 0);
	assert_int_equal(call->verdict, MM_VERDICT_CONTINUE);
	assert_int_equal(call->status.code, 14);
	assert_int_equal(call->len, 23);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_SUCCESS);
	assert_str(fake.emitted[0], "mintmark.ldap.mechanism", "GSSAPI");
	assert_int_equal(attr(fake.emitted[0], "mintmark.ldap.message_id")->number, 1);
	CLIENT(&d, gssapi_request_2);
	SERVER(&d, gssapi_continue_2);
	CLIENT(&d, gssapi_request_3);
	SERVER(&d, success_3);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake_count(FAKE_RESPONSE), 1);
	/* What follows is wrapped, and passed over whole even when its mechanism is not known. */
	CLIENT(&d, wrapped_buffer);
	SERVER(&d, odd_buffer);
	assert_int_equal(fake.n_lost, 0);
	CLIENT(&d, spnego_request_5); /* another bind on the connection */
	SERVER(&d, spnego_success_5);
	assert_int_equal(fake.n_emitted, 2);
	finish(&d);
}

static void test_continued_without_ap_rep(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, gssapi_request_1);
	SERVER(&d, continue_bare_1);
	assert_int_equal(fake.n_emitted, 0);
	CLIENT(&d, gssapi_request_3);
	SERVER(&d, success_1); /* an answer to nothing */
	assert_int_equal(fake.n_emitted, 0);
	SERVER(&d, success_3);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_SUCCESS);
	finish(&d);
}

static void test_negotiation_given_up(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, gssapi_request_1);
	SERVER(&d, continue_bare_1);
	CLIENT(&d, simple_request);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
	SERVER(&d, success_1);
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(fake.emitted[1]->kind, MM_EV_REQUEST);
	finish(&d);
}

static void test_spnego_refused(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, spnego_request_5);
	SERVER(&d, spnego_refused_5);
	const struct fake_call *call = fake_nth(FAKE_RESPONSE, 0);
	assert_int_equal(call->verdict, MM_VERDICT_REFUSED);
	assert_int_equal(call->status.domain, MM_STATUS_LDAP);
	assert_int_equal(call->status.code, 49);
	assert_non_null(memchr(call->token, FAKE_KRB_ERROR, call->len));
	assert_str(fake.emitted[0], "mintmark.ldap.ad_data", "52e");
	assert_str(fake.emitted[0], "mintmark.ldap.mechanism", "GSS-SPNEGO");
	assert_int_equal(attr(fake.emitted[0], "mintmark.ldap.result_code")->number, 49);
	finish(&d);
}

/* Answers pair by messageID, whatever their order. */
static void test_pairing(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, spnego_request_5);
	CLIENT(&d, simple_request);
	SERVER(&d, refused_1);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->kind, MM_EV_REQUEST);
	SERVER(&d, spnego_success_5);
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(fake.emitted[1]->outcome, MM_SUCCESS);
	finish(&d);
}

static void test_too_many_outstanding(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	char request[sizeof simple_request];
	memcpy(request, simple_request, sizeof request);
	for (char id = 1; id <= 9; id++) {
		request[4] = id;
		fake_stream(&d, MM_TO_SERVER, mm_slice(request, sizeof request - 1));
	}
	assert_int_equal(fake.n_emitted, 5);
	assert_int_equal(attr(fake.emitted[0], "mintmark.ldap.message_id")->number, 1);
	assert_int_equal(attr(fake.emitted[4], "mintmark.ldap.message_id")->number, 5);
	finish(&d);
}

static char became[32];

static void note_become(struct mm_dissect *d, const char *name)
{
	(void)d;
	snprintf(became, sizeof became, "%s", name);
}

static void test_starttls(void **unused)
{
	(void)unused;
	static const struct mm_inner_ops ops = { .become = note_become };
	struct mm_dissect d = start();
	d.inner = &ops;
	CLIENT(&d, starttls_request);
	SERVER(&d, starttls_refused);
	CLIENT(&d, simple_request);
	SERVER(&d, starttls_success); /* to nothing that was asked */
	assert_string_equal(became, "");
	CLIENT(&d, starttls_request);
	char other[sizeof starttls_success];
	memcpy(other, starttls_success, sizeof other);
	other[4] = 2; /* the messageID of something else */
	fake_stream(&d, MM_TO_CLIENT, mm_slice(other, sizeof other - 1));
	SERVER(&d, search_done);
	assert_string_equal(became, "");
	assert_int_equal(fake.n_emitted, 0);
	SERVER(&d, starttls_success);
	assert_int_equal(fake.n_emitted, 1);
	assert_string_equal(became, "tls");
	finish(&d);

	d = start();
	assert_int_equal(mm_ldap.frame(d.state, MM_TO_SERVER, BYTES("\x16")).n, 2);
	fake_stream(&d, MM_TO_SERVER, BYTES("\x16\x03\x01\x02"));
	assert_true(fake.quit);
	finish(&d);
}

static void test_passed_over(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, search_request);
	SERVER(&d, search_done);
	CLIENT(&d, unbind);
	assert_int_equal(
	        fake.n_skipped, sizeof search_request + sizeof search_done + sizeof unbind - 3);
	/* Wrapped by Kerberos as RFC 1964 does it, and by NTLM, in a flow whose bind was not seen. */
	SERVER(&d, "\x00\x00\x00\x05\x60\x03\x06\x01\x2a");
	SERVER(&d, "\x00\x00\x00\x05\x01\x00\x00\x00\xaa");
	/* An entry of 16 MiB is known from its first octets. */
	struct mm_slice entry =
	        BYTES("\x30\x84\x01\x00\x00\x00\x02\x04\x00\x00\x00\x05\x64\x84\x00\xff");
	struct mm_frame f = mm_ldap.frame(d.state, MM_TO_CLIENT, mm_first(entry, 12));
	assert_int_equal(f.verdict, MM_FRAME_MORE);
	assert_int_equal(f.n, 13);
	f = mm_ldap.frame(d.state, MM_TO_CLIENT, entry);
	assert_int_equal(f.verdict, MM_FRAME_SKIP);
	assert_int_equal(f.n, 0x1000006);
	/* A bind request longer than any token, by controls say, is not passed over in silence: the engine, which
	 * does not wait for it, counts it. */
	f = mm_ldap.frame(d.state, MM_TO_SERVER,
	        BYTES("\x30\x84\x00\x10\x00\x00\x02\x01\x05\x60\x84\x00\x0f"));
	assert_int_equal(f.verdict, MM_FRAME_MORE);
	assert_true(f.n > mm_ldap.message_max);
	assert_int_equal(f.n, 0x100006);
	finish(&d);
}

static void test_not_ldap(void **unused)
{
	(void)unused;
	static const struct {
		const char *p;
		size_t len;
	} bad[] = {
		{ "\x31\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 14 },
		{ "\x30\x80\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 14 }, /* indefinite */
		{ "\x30\x0c\x04\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 14 },
		{ "\x30\x0c\x02\x01\xff\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
		        14 }, /* negative id */
		{ "\x30\x0c\x02\x01\x01\x04\x07\x0a\x01\x00\x04\x00\x04\x00", 14 },
		{ "\x30\x84\x7f\xff\xff\xff\x02\x01\x01\x61\x07\x0a\x01\x00", 14 },
		{ "\x00\x00\x00\x00\x05\x04\x07\xff", 8 },
		{ "\x00\x00\x00\x20\x47\x45\x54\x20", 8 },
		{ "GET / HTTP/1.0", 14 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct mm_dissect d = start();
		struct mm_frame f =
		        mm_ldap.frame(d.state, MM_TO_CLIENT, mm_slice(bad[i].p, bad[i].len));
		assert_int_equal(f.verdict, MM_FRAME_LOST);
		assert_false(mm_ldap.probe(mm_slice(bad[i].p, bad[i].len), MM_TO_CLIENT, MM_TCP));
		finish(&d);
	}
	assert_true(mm_ldap.probe(BYTES(success_1), MM_TO_CLIENT, MM_TCP));
	assert_true(mm_ldap.probe(BYTES(refused_1), MM_TO_CLIENT, MM_TCP));
	assert_false(mm_ldap.probe(BYTES(success_1), MM_TO_SERVER, MM_TCP));
	assert_false(mm_ldap.probe(BYTES(success_1), MM_TO_CLIENT, MM_UDP));
	assert_true(mm_ldap.probe(BYTES(simple_request), MM_TO_SERVER, MM_TCP));
	assert_true(mm_ldap.probe(BYTES(unbind), MM_TO_SERVER, MM_TCP));
	/* The operation does not fit into its message. */
	assert_false(
	        mm_ldap.probe(BYTES("\x30\x0c\x02\x01\x01\x61\x08\x0a\x01\x00\x04\x00\x04\x00"),
	                MM_TO_CLIENT, MM_TCP));
}

static void test_resync(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	assert_int_equal(mm_ldap.resync(d.state, MM_TO_CLIENT,
	                         BYTES("\x30\x30\x0c\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00")),
	        3);
	assert_int_equal(
	        mm_ldap.resync(d.state, MM_TO_SERVER, BYTES("ab\x00\x00\x00\x40\x05\x04\x06\xff")),
	        2);
	assert_int_equal(mm_ldap.resync(d.state, MM_TO_SERVER, BYTES("nothing here")), 12);
	finish(&d);
}

static void test_gap(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	CLIENT(&d, simple_request);
	d.dir = MM_TO_SERVER;
	mm_ldap.gap(&d);
	assert_int_equal(fake.n_emitted, 0);
	d.dir = MM_TO_CLIENT;
	mm_ldap.gap(&d);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
	SERVER(&d, success_1);
	assert_int_equal(fake.n_emitted, 1);
	finish(&d);
}

/* The credentials' length reaches past their sequence. */
static void test_malformed(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	char request[sizeof gssapi_request_1];
	memcpy(request, gssapi_request_1, sizeof request);
	request[23] = 0x18;
	fake_stream(&d, MM_TO_SERVER, mm_slice(request, sizeof request - 1));
	assert_int_equal(fake_count(FAKE_REQUEST), 1);
	assert_int_equal(fake_nth(FAKE_REQUEST, 0)->len, 0);
	/* An answer that ends after its code still is one. */
	CLIENT(&d, simple_request);
	SERVER(&d, "\x30\x08\x02\x01\x01\x61\x03\x0a\x01\x31");
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_FAILURE);
	assert_true(fake.emitted[0]->flags & MM_EVF_MALFORMED);
	finish(&d);
}

static void test_no_events(void **unused)
{
	(void)unused;
	struct mm_dissect d = start();
	fake.no_events = true;
	CLIENT(&d, simple_request);
	SERVER(&d, success_1);
	CLIENT(&d, gssapi_request_1);
	SERVER(&d, gssapi_continue_1);
	assert_int_equal(fake.n_emitted, 0);
	finish(&d);
}

struct sample {
	enum mm_dir dir;
	const char *p;
	size_t len;
};

#define SAMPLE(dir, literal)                                                                       \
	{                                                                                          \
		dir, literal, sizeof(literal) - 1                                                  \
	}

static const struct sample samples[] = {
	SAMPLE(MM_TO_SERVER, simple_request),
	SAMPLE(MM_TO_CLIENT, success_1),
	SAMPLE(MM_TO_SERVER, anonymous_request),
	SAMPLE(MM_TO_CLIENT, refused_1),
	SAMPLE(MM_TO_SERVER, gssapi_request_1),
	SAMPLE(MM_TO_CLIENT, gssapi_continue_1),
	SAMPLE(MM_TO_SERVER, gssapi_request_3),
	SAMPLE(MM_TO_CLIENT, gssapi_continue_2),
	SAMPLE(MM_TO_SERVER, spnego_request_5),
	SAMPLE(MM_TO_CLIENT, spnego_refused_5),
	SAMPLE(MM_TO_SERVER, search_request),
	SAMPLE(MM_TO_SERVER, wrapped_buffer),
	SAMPLE(MM_TO_SERVER, starttls_request),
	SAMPLE(MM_TO_CLIENT, starttls_success),
};

/* frame() wants more until the message is there, and never says what it will take back. */
static void test_every_split(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		struct mm_dissect d = start();
		struct mm_frame f = { MM_FRAME_MORE, 0 };
		for (size_t n = 1; n <= samples[i].len; n++) {
			f = mm_ldap.frame(d.state, samples[i].dir, mm_slice(samples[i].p, n));
			if (f.verdict == MM_FRAME_SKIP)
				break;
			if (n < samples[i].len) {
				assert_int_equal(f.verdict, MM_FRAME_MORE);
				assert_true(f.n > n && f.n <= samples[i].len);
			}
		}
		assert_true(f.verdict == MM_FRAME_DONE || f.verdict == MM_FRAME_SKIP);
		assert_int_equal(f.n, samples[i].len);
		finish(&d);
	}
}

/* The input as a stream of its own, as a message behind good requests, and under resync and probe. */
static void feed(void *arg, struct mm_slice input)
{
	enum mm_dir dir = *(enum mm_dir *)arg;
	struct mm_dissect d = start();
	CLIENT(&d, simple_request);
	CLIENT(&d, spnego_request_5);
	d.dir = dir;
	mm_ldap.parse(&d, input);
	fake_stream(&d, dir, input);
	(void)mm_ldap.resync(d.state, dir, input);
	if (input.len != 0)
		(void)mm_ldap.probe(input, dir, MM_TCP);
	finish(&d);
}

static void test_hostile(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		enum mm_dir dir = samples[i].dir;
		const uint8_t *p = (const uint8_t *)samples[i].p;
		guard_every_prefix(p, samples[i].len, feed, &dir);
		guard_every_bitflip(p, samples[i].len, feed, &dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple_accepted),
		cmocka_unit_test(test_simple_refused),
		cmocka_unit_test(test_meanings),
		cmocka_unit_test(test_simple_without_password),
		cmocka_unit_test(test_gssapi),
		cmocka_unit_test(test_continued_without_ap_rep),
		cmocka_unit_test(test_negotiation_given_up),
		cmocka_unit_test(test_spnego_refused),
		cmocka_unit_test(test_pairing),
		cmocka_unit_test(test_too_many_outstanding),
		cmocka_unit_test(test_starttls),
		cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_not_ldap),
		cmocka_unit_test(test_resync),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_no_events),
		cmocka_unit_test(test_every_split),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
