/* SMB2, and SMB1 session setups: messages made by hand from MS-SMB2 section 2.2 and MS-SMB
 * section 2.2.4.6; read back with tshark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissect/dcerpc.h"

#include "fake_gss.h"
#include "guard.h"

extern const struct mm_dissector mm_smb2;

static const uint8_t ap_req[] = { FAKE_AP_REQ, 4, 'r', 'e', 'q', '!' };
static const uint8_t ap_rep[] = { FAKE_AP_REP, 3, 'r', 'e', 'p' };
static const uint8_t leg[] = { 'l', 'e', 'g' };

enum {
	NEGOTIATE = 0,
	SESSION_SETUP = 1,
	LOGOFF = 2,
	CREATE = 5,
	READ = 8,
	WRITE = 9,
	IOCTL = 11,
	RESPONSE = 1, /* SMB2_FLAGS_SERVER_TO_REDIR */
};

/* MS-ERREF section 2.3.1. */
#define PENDING         0x00000103u
#define MORE_PROCESSING 0xc0000016u
#define LOGON_FAILURE   0xc000006du

#define SESSION 0x0000400000000055u

/** Fill in the NBSS length of a finished message. */
static void close_nbss(struct fake_bytes *m)
{
	size_t len = m->len;
	m->len = 0;
	fake_be(m, 4, len - 4);
	m->len = len;
}

static void smb2_header(struct fake_bytes *m, unsigned command, uint32_t flags, uint32_t status,
        uint64_t message_id, uint64_t session_id)
{
	fake_be(m, 4, 0xfe534d42);
	fake_le(m, 2, 64);
	fake_le(m, 2, 1);
	fake_le(m, 4, status);
	fake_le(m, 2, command);
	fake_le(m, 2, 1);
	fake_le(m, 4, flags);
	fake_le(m, 4, 0); /* NextCommand */
	fake_le(m, 8, message_id);
	fake_le(m, 8, 0xfeff);
	fake_le(m, 8, session_id);
	fake_be(m, 8, 0);
	fake_be(m, 8, 0);
}

static void start(struct fake_bytes *m, unsigned command, uint32_t flags, uint32_t status,
        uint64_t message_id, uint64_t session_id)
{
	m->len = 0;
	fake_be(m, 4, 0);
	smb2_header(m, command, flags, status, message_id, session_id);
}

static void setup_request_body(struct fake_bytes *m, const void *token, size_t n)
{
	fake_le(m, 2, 25);
	fake_le(m, 1, 0);
	fake_le(m, 1, 2); /* signing required */
	fake_le(m, 4, 1);
	fake_le(m, 4, 0);
	fake_le(m, 2, 64 + 24);
	fake_le(m, 2, n);
	fake_le(m, 8, 0x1122334455667788);
	fake_put(m, token, n);
}

static void make_request(
        struct fake_bytes *m, uint64_t message_id, uint64_t session_id, const void *token, size_t n)
{
	start(m, SESSION_SETUP, 0, 0, message_id, session_id);
	setup_request_body(m, token, n);
	close_nbss(m);
}

static void make_response(
        struct fake_bytes *m, uint64_t message_id, uint32_t status, const void *token, size_t n)
{
	start(m, SESSION_SETUP, RESPONSE, status, message_id, SESSION);
	fake_le(m, 2, 9);
	fake_le(m, 2, 4); /* encrypt data */
	fake_le(m, 2, 64 + 8);
	fake_le(m, 2, n);
	fake_put(m, token, n);
	close_nbss(m);
}

static void make_error(struct fake_bytes *m, uint64_t message_id, uint32_t status)
{
	start(m, SESSION_SETUP, RESPONSE, status, message_id, 0);
	fake_le(m, 2, 9);
	fake_le(m, 2, 0);
	fake_le(m, 4, 0);
	fake_le(m, 1, 0);
	close_nbss(m);
}

static void make_negotiate(struct fake_bytes *m)
{
	start(m, NEGOTIATE, RESPONSE, 0, 1, 0);
	fake_le(m, 2, 65);
	fake_le(m, 2, 1);
	fake_le(m, 2, 0x0311);
	fake_le(m, 2, 0);
	for (size_t i = 0; i < 7; i++)
		fake_be(m, 8, 0);
	fake_le(m, 1, 0);
	close_nbss(m);
}

static void feed(struct mm_dissect *d, enum mm_dir dir, const struct fake_bytes *m)
{
	assert_int_equal(fake_stream(d, dir, fake_slice(m)), m->len);
}

static void send_request(struct mm_dissect *d, uint64_t message_id, uint64_t session_id)
{
	struct fake_bytes m;
	make_request(&m, message_id, session_id, ap_req, sizeof ap_req);
	feed(d, MM_TO_SERVER, &m);
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

/** End the flow: n events in all, none left behind. */
static void finish(struct mm_dissect *d, size_t n)
{
	fake_end(d);
	assert_int_equal(fake.n_emitted, n);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

static void test_accepted(void **state)
{
	struct fake_bytes m;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	make_negotiate(&m);
	feed(&d, MM_TO_CLIENT, &m);
	send_request(&d, 2, 0);
	const struct fake_call *call = fake_nth(FAKE_REQUEST, 0);
	assert_non_null(call);
	assert_string_equal(call->action, "smb2-session-setup");
	assert_int_equal(call->len, sizeof ap_req);
	assert_memory_equal(call->token, ap_req, sizeof ap_req);

	make_response(&m, 2, 0, leg, sizeof leg);
	feed(&d, MM_TO_CLIENT, &m);
	call = fake_nth(FAKE_RESPONSE, 0);
	assert_non_null(call);
	assert_int_equal(call->verdict, MM_VERDICT_ACCEPTED);
	assert_int_equal(call->len, sizeof leg);
	assert_memory_equal(call->token, leg, sizeof leg);
	assert_int_equal(call->status.domain, MM_STATUS_NT);
	assert_int_equal(call->status.code, 0);

	assert_int_equal(fake.n_emitted, 1);
	const struct mm_event *ev = fake.emitted[0];
	assert_int_equal(ev->outcome, MM_SUCCESS);
	assert_int_equal(attr(ev, "mintmark.smb2.dialect")->number, 0x0311);
	assert_int_equal(attr(ev, "mintmark.smb2.message_id")->number, 2);
	assert_str(ev, "mintmark.smb2.session_id", "0x0000400000000055");
	assert_str(ev, "mintmark.smb2.previous_session_id", "0x1122334455667788");
	assert_true(attr(ev, "mintmark.smb2.signing_required")->number);
	assert_false(attr(ev, "mintmark.smb2.binding")->number);
	assert_int_equal(attr(ev, "mintmark.smb2.session_flags")->number, 4);
	assert_int_equal(ev->n_attrs, mm_smb2.n_attrs);
	finish(&d, 1);
}

static void test_two_legs(void **state)
{
	struct fake_bytes m;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	send_request(&d, 2, 0);
	make_response(&m, 2, MORE_PROCESSING, leg, sizeof leg);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake_nth(FAKE_RESPONSE, 0)->verdict, MM_VERDICT_CONTINUE);
	assert_int_equal(fake.n_emitted, 0);
	make_request(&m, 3, SESSION, leg, sizeof leg);
	feed(&d, MM_TO_SERVER, &m);
	assert_ptr_equal(fake_nth(FAKE_REQUEST, 1)->p, fake_nth(FAKE_REQUEST, 0)->p);
	make_response(&m, 2, 0, leg, sizeof leg); /* not the answer to this leg */
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 0);
	make_response(&m, 3, 0, leg, sizeof leg);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_SUCCESS);
	finish(&d, 1);
}

static void test_refused(void **state)
{
	struct fake_bytes m;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	send_request(&d, 2, 0);
	make_error(&m, 2, PENDING);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake_count(FAKE_RESPONSE), 0);
	make_error(&m, 2, LOGON_FAILURE);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_FAILURE);
	assert_int_equal(fake.emitted[0]->status.domain, MM_STATUS_NT);
	assert_int_equal(fake.emitted[0]->status.code, LOGON_FAILURE);
	assert_int_equal(fake_nth(FAKE_RESPONSE, 0)->len, 0);
	finish(&d, 1);
}

static void test_several_outstanding(void **state)
{
	struct fake_bytes m;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	send_request(&d, 10, 0);
	send_request(&d, 11, 0);
	make_error(&m, 11, LOGON_FAILURE);
	feed(&d, MM_TO_CLIENT, &m);
	make_response(&m, 10, 0, leg, sizeof leg);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(attr(fake.emitted[0], "mintmark.smb2.message_id")->number, 11);
	assert_int_equal(fake.emitted[0]->outcome, MM_FAILURE);
	assert_int_equal(attr(fake.emitted[1], "mintmark.smb2.message_id")->number, 10);
	assert_int_equal(fake.emitted[1]->outcome, MM_SUCCESS);

	for (uint64_t i = 0; i < 9; i++) /* one more than there is room for: the oldest ends */
		send_request(&d, 20 + i, 0);
	assert_int_equal(fake.n_emitted, 3);
	assert_int_equal(attr(fake.emitted[2], "mintmark.smb2.message_id")->number, 20);
	assert_int_equal(fake.emitted[2]->outcome, MM_UNKNOWN);
	send_request(&d, 29, 0);
	assert_int_equal(attr(fake.emitted[3], "mintmark.smb2.message_id")->number, 21);
	finish(&d, 12);
}

static void test_reauthentication_and_logoff(void **state)
{
	struct fake_bytes m;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	send_request(&d, 5, SESSION);
	send_request(&d, 6, SESSION); /* a new ticket for the same session */
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
	start(&m, LOGOFF, 0, 0, 7, SESSION + 1);
	fake_le(&m, 4, 4);
	close_nbss(&m);
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake.n_emitted, 1);
	start(&m, LOGOFF, 0, 0, 7, SESSION);
	fake_le(&m, 4, 4);
	close_nbss(&m);
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake.n_emitted, 2);
	finish(&d, 2);
}

static void make_compound(struct fake_bytes *m)
{
	m->len = 0;
	fake_be(m, 4, 0);
	smb2_header(m, CREATE, 0, 0, 1, SESSION);
	fake_be(m, 8, 0);
	m->b[4 + 20] = 72; /* NextCommand */
	smb2_header(m, SESSION_SETUP, 0, 0, 2, SESSION);
	setup_request_body(m, ap_req, sizeof ap_req);
	fake_be(m, 2, 0);
	m->b[4 + 72 + 20] = 96;
	smb2_header(m, SESSION_SETUP, 0, 0, 3, 0);
	setup_request_body(m, ap_req, sizeof ap_req);
	close_nbss(m);
}

static void test_compound(void **state)
{
	struct fake_bytes m;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	make_compound(&m);
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake.n_made, 2);
	assert_memory_equal(fake_nth(FAKE_REQUEST, 1)->token, ap_req, sizeof ap_req);

	/* The token may not reach into the next command. */
	m.b[4 + 72 + 64 + 14] = 8 + 1;
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake_count(FAKE_REQUEST), 3);
	finish(&d, 3);
}

static void test_out_of_place(void **state)
{
	struct fake_bytes m;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	/* A buffer that ends one byte behind the message; one that starts there; a body cut
	 * short. */
	make_request(&m, 2, 0, ap_req, sizeof ap_req);
	m.b[4 + 64 + 14]++;
	feed(&d, MM_TO_SERVER, &m);
	make_request(&m, 2, 0, ap_req, sizeof ap_req);
	m.b[4 + 64 + 13] = 0xff;
	feed(&d, MM_TO_SERVER, &m);
	m.len = 4 + 64 + 23;
	close_nbss(&m);
	feed(&d, MM_TO_SERVER, &m);
	/* A request of the server's, an answer of the client's. */
	make_request(&m, 2, 0, ap_req, sizeof ap_req);
	feed(&d, MM_TO_CLIENT, &m);
	make_response(&m, 2, 0, leg, sizeof leg);
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake.n_calls, 0);

	send_request(&d, 3, 0);
	make_response(&m, 3, 0, leg, sizeof leg);
	m.b[4 + 64 + 6]++;
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_SUCCESS);
	assert_int_equal(fake.emitted[0]->flags, MM_EVF_MALFORMED);
	finish(&d, 1);
}

static void test_gap_and_end(void **state)
{
	struct fake_bytes m;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	send_request(&d, 2, 0);
	send_request(&d, 3, 0);
	d.dir = MM_TO_SERVER;
	mm_smb2.gap(&d);
	assert_int_equal(fake.n_emitted, 0);
	d.dir = MM_TO_CLIENT;
	mm_smb2.gap(&d);
	assert_int_equal(fake.n_emitted, 2);
	make_response(&m, 3, 0, leg, sizeof leg);
	feed(&d, MM_TO_CLIENT, &m);
	fake.no_events = true;
	send_request(&d, 4, 0);
	make_response(&m, 4, 0, leg, sizeof leg);
	feed(&d, MM_TO_CLIENT, &m);
	fake.no_events = false;
	send_request(&d, 5, 0);
	finish(&d, 3);
}

/* MS-SMB section 2.2.4.6. */
static void smb1_header(struct fake_bytes *m, unsigned command, uint32_t status, unsigned flags,
        unsigned uid, unsigned mid)
{
	m->len = 0;
	fake_be(m, 4, 0);
	fake_be(m, 4, 0xff534d42);
	fake_le(m, 1, command);
	fake_le(m, 4, status);
	fake_le(m, 1, flags);
	fake_le(m, 2, 0xc807); /* Unicode, NT status, extended security */
	fake_be(m, 8, 0);
	fake_be(m, 4, 0);
	fake_le(m, 4, 0xfeff0000);
	fake_le(m, 2, uid);
	fake_le(m, 2, mid);
}

static void make_smb1_request(struct fake_bytes *m)
{
	smb1_header(m, 0x73, 0, 0x18, 0, 64);
	fake_le(m, 1, 12);
	fake_le(m, 4, 0xff);
	fake_le(m, 2, 4356);
	fake_le(m, 2, 10);
	fake_le(m, 2, 1);
	fake_le(m, 4, 0);
	fake_le(m, 2, sizeof ap_req);
	fake_le(m, 4, 0);
	fake_le(m, 4, 0x800000d4);
	fake_le(m, 2, sizeof ap_req + 3);
	fake_put(m, ap_req, sizeof ap_req);
	fake_be(m, 3, 0);
	close_nbss(m);
}

static void make_smb1_response(struct fake_bytes *m, uint32_t status)
{
	smb1_header(m, 0x73, status, 0x98, 0x0800, 64);
	fake_le(m, 1, 4);
	fake_le(m, 4, 0xff);
	fake_le(m, 2, 0);
	fake_le(m, 2, sizeof leg);
	fake_le(m, 2, sizeof leg + 1);
	fake_put(m, leg, sizeof leg);
	fake_be(m, 1, 0);
	close_nbss(m);
}

static void test_smb1(void **state)
{
	struct fake_bytes m;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	make_smb1_request(&m);
	feed(&d, MM_TO_SERVER, &m);
	const struct fake_call *call = fake_nth(FAKE_REQUEST, 0);
	assert_non_null(call);
	assert_string_equal(call->action, "smb1-session-setup");
	assert_int_equal(call->len, sizeof ap_req);
	assert_memory_equal(call->token, ap_req, sizeof ap_req);
	make_response(
	        &m, 64, 0, leg, sizeof leg); /* an SMB2 message of the same number is no answer */
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 0);
	make_smb1_response(&m, MORE_PROCESSING);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake_nth(FAKE_RESPONSE, 0)->verdict, MM_VERDICT_CONTINUE);
	assert_memory_equal(fake_nth(FAKE_RESPONSE, 0)->token, leg, sizeof leg);
	assert_int_equal(fake_nth(FAKE_RESPONSE, 0)->len, sizeof leg);
	smb1_header(&m, 0x73, LOGON_FAILURE, 0x98, 0, 64);
	fake_be(&m, 3, 0);
	close_nbss(&m);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_FAILURE);
	assert_int_equal(fake.emitted[0]->status.code, LOGON_FAILURE);
	assert_str(fake.emitted[0], "mintmark.smb2.session_id", "0x0000000000000800");

	make_smb1_request(&m);
	m.b[4 + 32] = 13; /* without extended security */
	feed(&d, MM_TO_SERVER, &m);
	make_smb1_request(&m);
	m.b[4 + 32 + 1 + 15] = 1; /* a blob longer than the message */
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake_count(FAKE_REQUEST), 1);
	smb1_header(&m, 0x72, 0, 0x18, 0, 0); /* negotiate: passed over */
	fake_be(&m, 3, 0);
	close_nbss(&m);
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake.n_skipped, m.len);
	finish(&d, 1);
}

/* DCE/RPC, C706 section 12.6.4: as little as carries a token. */
static void put_rpc(
        struct fake_bytes *m, unsigned ptype, uint32_t call_id, const void *token, size_t n)
{
	size_t body = ptype == MM_DCERPC_FAULT ? 16 : 8;
	fake_be(m, 2, 0x0500);
	fake_be(m, 1, ptype);
	fake_be(m, 5, 0x0310000000);
	fake_le(m, 2, 16 + body + (n == 0 ? 0 : 8 + n));
	fake_le(m, 2, n);
	fake_le(m, 4, call_id);
	fake_be(m, 8, 0);
	if (ptype == MM_DCERPC_FAULT)
		fake_le(m, 8, 5); /* access denied */
	if (n == 0)
		return;
	fake_be(m, 4, 0x09060000); /* SPNEGO, privacy */
	fake_le(m, 4, 0);
	fake_put(m, token, n);
}

static void put_file_id(struct fake_bytes *m, unsigned file)
{
	fake_le(m, 8, file);
	fake_le(m, 8, 0xffffffff00000001);
}

static void make_write(struct fake_bytes *m, unsigned file, const struct fake_bytes *rpc)
{
	start(m, WRITE, 0, 0, 20, SESSION);
	fake_le(m, 2, 49);
	fake_le(m, 2, 64 + 48);
	fake_le(m, 4, rpc->len);
	fake_le(m, 8, 0);
	put_file_id(m, file);
	fake_be(m, 8, 0);
	fake_be(m, 8, 0);
	fake_put(m, rpc->b, rpc->len);
	close_nbss(m);
}

static void make_read(struct fake_bytes *m, unsigned file, uint64_t message_id)
{
	start(m, READ, 0, 0, message_id, SESSION);
	fake_le(m, 2, 49);
	fake_le(m, 2, 0);
	fake_le(m, 4, 1024);
	fake_le(m, 8, 0);
	put_file_id(m, file);
	for (size_t i = 0; i < 17; i++)
		fake_le(m, 1, 0);
	close_nbss(m);
}

static void make_read_response(
        struct fake_bytes *m, uint64_t message_id, const struct fake_bytes *rpc)
{
	start(m, READ, RESPONSE, 0, message_id, SESSION);
	fake_le(m, 2, 17);
	fake_le(m, 2, 64 + 16);
	fake_le(m, 4, rpc->len);
	fake_le(m, 8, 0);
	fake_put(m, rpc->b, rpc->len);
	close_nbss(m);
}

static void make_ioctl(struct fake_bytes *m, unsigned file, const struct fake_bytes *rpc)
{
	start(m, IOCTL, 0, 0, 21, SESSION);
	fake_le(m, 4, 57);
	fake_le(m, 4, 0x0011c017);
	put_file_id(m, file);
	fake_le(m, 4, 64 + 56);
	fake_le(m, 4, rpc->len);
	fake_le(m, 4, 0);
	fake_le(m, 8, 0);
	fake_le(m, 4, 1024);
	fake_le(m, 8, 1);
	fake_put(m, rpc->b, rpc->len);
	close_nbss(m);
}

static void make_ioctl_response(struct fake_bytes *m, unsigned file, const struct fake_bytes *rpc)
{
	start(m, IOCTL, RESPONSE, 0, 21, SESSION);
	fake_le(m, 4, 49);
	fake_le(m, 4, 0x0011c017);
	put_file_id(m, file);
	fake_le(m, 8, 64 + 48);
	fake_le(m, 4, 64 + 48);
	fake_le(m, 4, rpc->len);
	fake_le(m, 8, 0);
	fake_put(m, rpc->b, rpc->len);
	close_nbss(m);
}

static void test_pipe_write_read(void **state)
{
	struct fake_bytes m, bind = { .len = 0 }, ack = { .len = 0 };
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	put_rpc(&bind, MM_DCERPC_BIND, 1, ap_req, sizeof ap_req);
	put_rpc(&ack, MM_DCERPC_BIND_ACK, 1, ap_rep, sizeof ap_rep);
	make_write(&m, 7, &bind);
	feed(&d, MM_TO_SERVER, &m);
	const struct fake_call *call = fake_nth(FAKE_REQUEST, 0);
	assert_non_null(call);
	assert_string_equal(call->action, "dcerpc-bind");
	assert_memory_equal(call->token, ap_req, sizeof ap_req);
	/* Another file's READ, and an answer to none. */
	make_read(&m, 8, 30);
	feed(&d, MM_TO_SERVER, &m);
	make_read_response(&m, 30, &ack);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake_count(FAKE_RESPONSE), 0);
	make_read(&m, 7, 31);
	feed(&d, MM_TO_SERVER, &m);
	make_read_response(&m, 30, &ack);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake_count(FAKE_RESPONSE), 0);
	make_read_response(&m, 31, &ack);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_SUCCESS);
	finish(&d, 1);
}

static void test_pipe_transceive(void **state)
{
	struct fake_bytes m, rpc = { .len = 0 };
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	put_rpc(&rpc, MM_DCERPC_BIND, 1, leg, sizeof leg); /* two PDUs in one payload */
	put_rpc(&rpc, MM_DCERPC_AUTH3, 1, ap_req, sizeof ap_req);
	make_ioctl(&m, 7, &rpc);
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake_count(FAKE_REQUEST), 2);
	assert_string_equal(fake_nth(FAKE_REQUEST, 1)->action, "dcerpc-auth3");

	rpc.len = 0;
	put_rpc(&rpc, MM_DCERPC_FAULT, 2, NULL, 0);
	make_ioctl_response(&m, 8, &rpc);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 0);
	make_ioctl_response(&m, 7, &rpc);
	feed(&d, MM_TO_CLIENT, &m);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_FAILURE);
	assert_int_equal(fake.emitted[0]->status.domain, MM_STATUS_DCERPC);
	assert_int_equal(fake.emitted[0]->status.code, 5);

	/* One pipe is followed at a time: the next ends the one before. */
	rpc.len = 0;
	put_rpc(&rpc, MM_DCERPC_BIND, 1, ap_req, sizeof ap_req);
	make_ioctl(&m, 7, &rpc);
	feed(&d, MM_TO_SERVER, &m);
	make_ioctl(&m, 9, &rpc);
	feed(&d, MM_TO_SERVER, &m);
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(fake.emitted[1]->outcome, MM_UNKNOWN);
	finish(&d, 3);
}

static struct mm_frame frame_of(
        struct mm_dissect *d, enum mm_dir dir, const struct fake_bytes *m, size_t n)
{
	return mm_smb2.frame(d->state, dir, mm_slice(m->b, n));
}

static void test_frame_wanted(void **state)
{
	struct fake_bytes m;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	make_request(&m, 2, 0, ap_req, sizeof ap_req);
	for (size_t n = 1; n <= m.len; n++) {
		struct mm_frame f = frame_of(&d, MM_TO_SERVER, &m, n);
		assert_int_equal(f.verdict, n < m.len ? MM_FRAME_MORE : MM_FRAME_DONE);
		assert_int_equal(f.n, n < 4 ? 4 : n < 8 ? 8 : n < 68 ? 68 : m.len);
	}
	make_smb1_request(&m);
	for (size_t n = 1; n <= m.len; n++) {
		struct mm_frame f = frame_of(&d, MM_TO_SERVER, &m, n);
		assert_int_equal(f.verdict, n < m.len ? MM_FRAME_MORE : MM_FRAME_DONE);
		assert_true(f.n > n || (n == m.len && f.n == n));
	}
	fake_end(&d);
}

static void test_frame_skipped(void **state)
{
	struct fake_bytes m, data = { .len = 0 };
	struct mm_dissect d = fake_dissect(&mm_smb2);
	(void)state;

	/* A WRITE of a file of 1 MiB: passed over from what stands before its data and 16 bytes
	 * of it. */
	fake_put(&data, "not a DCE/RPC PDU", 17);
	make_write(&m, 7, &data);
	m.b[1] = 0x01; /* as long as an NBSS length of 64 KiB and more says */
	struct mm_frame f = frame_of(&d, MM_TO_SERVER, &m, 68);
	assert_int_equal(f.verdict, MM_FRAME_MORE);
	assert_int_equal(f.n, 68 + 48);
	f = frame_of(&d, MM_TO_SERVER, &m, f.n);
	assert_int_equal(f.verdict, MM_FRAME_MORE);
	assert_int_equal(f.n, 68 + 48 + 16);
	f = frame_of(&d, MM_TO_SERVER, &m, f.n);
	assert_int_equal(f.verdict, MM_FRAME_SKIP);
	assert_int_equal(f.n, 65536 + m.len);
	m.b[1] = 0x10;
	f = frame_of(&d, MM_TO_SERVER, &m, 68);
	assert_int_equal(f.verdict, MM_FRAME_SKIP);
	assert_int_equal(f.n, (16 << 16) + m.len);
	/* READ responses while no pipe waits; a CREATE; a compound of more than 128 KiB. */
	make_read_response(&m, 3, &data);
	assert_int_equal(frame_of(&d, MM_TO_CLIENT, &m, 68).verdict, MM_FRAME_SKIP);
	start(&m, CREATE, 0, 0, 1, SESSION);
	close_nbss(&m);
	assert_int_equal(frame_of(&d, MM_TO_SERVER, &m, 68).verdict, MM_FRAME_SKIP);
	make_compound(&m);
	assert_int_equal(frame_of(&d, MM_TO_SERVER, &m, 68).verdict, MM_FRAME_MORE);
	m.b[1] = 2;
	assert_int_equal(frame_of(&d, MM_TO_SERVER, &m, 68).verdict, MM_FRAME_SKIP);

	/* Encrypted and compressed messages; the session service's own; an empty message. */
	static const uint8_t others[][8] = { { 0, 1, 2, 3, 0xfd, 'S', 'M', 'B' },
		{ 0, 1, 2, 3, 0xfc, 'S', 'M', 'B' }, { 0x81, 0, 0, 68 }, { 0x82, 0, 0, 0 },
		{ 0x85, 0, 0, 0 }, { 0, 0, 0, 0 }, { 0, 0, 0, 3 },
		{ 0, 0, 0, 31, 0xff, 'S', 'M', 'B' }, { 0, 0, 0, 63, 0xfe, 'S', 'M', 'B' } };
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		const uint8_t *o = others[i];
		f = mm_smb2.frame(d.state, MM_TO_SERVER, mm_slice(o, 8));
		assert_int_equal(f.verdict, MM_FRAME_SKIP);
		assert_int_equal(f.n, 4 + (o[1] << 16 | o[2] << 8 | o[3]));
	}
	static const uint8_t lost[][8] = { { 0x80 }, { 0x86 }, { 0x81, 0, 1, 0 },
		{ 0, 0, 0, 80, 0xfb, 'S', 'M', 'B' }, { 0, 0, 0, 80, 0xfe, 'T', 'M', 'B' },
		{ 0, 0, 0, 80, 0xfe, 'S', 'M', 'C' }, { 0, 0, 0, 80, 0xff, 'S', 'N', 'B' } };
	for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++)
		assert_int_equal(mm_smb2.frame(d.state, MM_TO_SERVER, mm_slice(lost[i], 8)).verdict,
		        MM_FRAME_LOST);
	fake_end(&d);
}

static void test_probe_and_resync(void **state)
{
	struct fake_bytes m, stream = { .len = 0 };
	(void)state;

	make_request(&m, 2, 0, ap_req, sizeof ap_req);
	assert_true(mm_smb2.probe(fake_slice(&m), MM_TO_SERVER, MM_TCP));
	assert_true(mm_smb2.probe(mm_slice(m.b, 8), MM_TO_CLIENT, MM_TCP));
	assert_false(mm_smb2.probe(mm_slice(m.b, 7), MM_TO_SERVER, MM_TCP));
	assert_false(mm_smb2.probe(fake_slice(&m), MM_TO_SERVER, MM_UDP));
	m.b[4] = 0xfd;
	assert_false(mm_smb2.probe(fake_slice(&m), MM_TO_SERVER, MM_TCP));
	m.b[4] = 0xfe;

	fake_put(&stream, "SMB.\1\0\0\x9\xfeSMBx\0\0\0\x9\x53SMB", 21);
	fake_put(&stream, m.b, m.len);
	struct mm_slice s = fake_slice(&stream);
	assert_int_equal(mm_smb2.resync(NULL, MM_TO_SERVER, s), 21);
	assert_int_equal(mm_smb2.resync(NULL, MM_TO_SERVER, mm_after(s, 21)), 0);
	assert_int_equal(mm_smb2.resync(NULL, MM_TO_SERVER, mm_after(s, 22)), m.len - 1);
	assert_int_equal(mm_smb2.resync(NULL, MM_TO_SERVER, mm_after(s, s.len)), 0);
	struct mm_dissect d = fake_dissect(&mm_smb2);
	assert_int_equal(fake_stream(&d, MM_TO_SERVER, s), s.len);
	assert_int_equal(fake.n_lost, 1);
	assert_int_equal(fake.n_made, 1);
	finish(&d, 1);
}

/* The walks: a conversation whose i-th message is bent. */
enum { STEPS = 11 };

struct walk {
	struct fake_bytes m[STEPS];
	enum mm_dir dir[STEPS];
	size_t bent;
};

static void walk_one(void *arg, struct mm_slice input)
{
	const struct walk *w = arg;
	struct mm_dissect d = fake_dissect(&mm_smb2);
	for (size_t i = 0; i < STEPS; i++) {
		struct mm_slice msg = i == w->bent ? input : fake_slice(&w->m[i]);
		fake_stream(&d, w->dir[i], msg);
		if (i == w->bent) { /* what is cut, as the engine never would */
			d.dir = w->dir[i];
			mm_smb2.parse(&d, msg);
			mm_smb2.probe(msg, w->dir[i], MM_TCP);
			assert_true(mm_smb2.resync(NULL, w->dir[i], msg) <= msg.len);
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
	struct fake_bytes bind = { .len = 0 }, ack = { .len = 0 }, fault = { .len = 0 };
	(void)state;

	put_rpc(&bind, MM_DCERPC_BIND, 1, ap_req, sizeof ap_req);
	put_rpc(&ack, MM_DCERPC_BIND_ACK, 1, leg, sizeof leg);
	put_rpc(&fault, MM_DCERPC_FAULT, 2, NULL, 0);
	make_negotiate(&w.m[0]);
	make_request(&w.m[1], 2, 0, ap_req, sizeof ap_req);
	make_response(&w.m[2], 2, MORE_PROCESSING, leg, sizeof leg);
	make_compound(&w.m[3]);
	make_smb1_request(&w.m[4]);
	make_smb1_response(&w.m[5], 0);
	make_write(&w.m[6], 7, &bind);
	make_read(&w.m[7], 7, 31);
	make_read_response(&w.m[8], 31, &ack);
	make_ioctl(&w.m[9], 7, &bind);
	make_ioctl_response(&w.m[10], 7, &fault);
	static const enum mm_dir dirs[STEPS] = { MM_TO_CLIENT, MM_TO_SERVER, MM_TO_CLIENT,
		MM_TO_SERVER, MM_TO_SERVER, MM_TO_CLIENT, MM_TO_SERVER, MM_TO_SERVER, MM_TO_CLIENT,
		MM_TO_SERVER, MM_TO_CLIENT };
	memcpy(w.dir, dirs, sizeof dirs);
	for (w.bent = 0; w.bent < STEPS; w.bent++) {
		guard_every_prefix(w.m[w.bent].b, w.m[w.bent].len, walk_one, &w);
		guard_every_bitflip(w.m[w.bent].b, w.m[w.bent].len, walk_one, &w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_two_legs),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_several_outstanding),
		cmocka_unit_test(test_reauthentication_and_logoff),
		cmocka_unit_test(test_compound),
		cmocka_unit_test(test_out_of_place),
		cmocka_unit_test(test_gap_and_end),
		cmocka_unit_test(test_smb1),
		cmocka_unit_test(test_pipe_write_read),
		cmocka_unit_test(test_pipe_transceive),
		cmocka_unit_test(test_frame_wanted),
		cmocka_unit_test(test_frame_skipped),
		cmocka_unit_test(test_probe_and_resync),
		cmocka_unit_test(test_walks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
