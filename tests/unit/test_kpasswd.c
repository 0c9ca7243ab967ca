/* kpasswd.c: requests, answers and errors of RFC 3244 over UDP and TCP, made by hand; the tokens are invented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissect/krb5.h"
#include "fake_gss.h"
#include "guard.h"

extern const struct mm_dissector mm_kpasswd;

/* length 18, version, AP-REQ length 8 */
static const char set_request[] = "\x00\x12\xff\x80\x00\x08\x6e\x06"
                                  "ticket"
                                  "\x75\x02"
                                  "ab";
static const char change_request[] = "\x00\x12\x00\x01\x00\x08\x6e\x06"
                                     "TICKET"
                                     "\x75\x02"
                                     "ab";
static const char good_reply[] = "\x00\x12\x00\x01\x00\x08\x6f\x06"
                                 "accept"
                                 "\x75\x02"
                                 "cd";
static const char error_reply[] = "\x00\x0d\x00\x01\x00\x00\x7e\x05"
                                  "\x00\x00\x00\x00\x25";
static const char tcp_request[] = "\x00\x00\x00\x12"
                                  "\x00\x12\xff\x80\x00\x08\x6e\x06"
                                  "ticket"
                                  "\x75\x02"
                                  "ab";
static const char tcp_reply[] = "\x00\x00\x00\x12"
                                "\x00\x12\x00\x01\x00\x08\x6f\x06"
                                "accept"
                                "\x75\x02"
                                "cd";
static const char tcp_error[] = "\x00\x00\x00\x0d"
                                "\x00\x0d\x00\x01\x00\x00\x7e\x05"
                                "\x00\x00\x00\x00\x25";

static const struct mm_flow_info udp = { .transport = MM_UDP };

#define BYTES(literal) mm_slice(literal, sizeof(literal) - 1)

/* In the place of krb5.c: the AP-REQ as it was handed over, and an error-code in a place of our own. */
static uint8_t ap_req_seen[64];
static size_t ap_req_len, n_ap_req;

bool mm_krb5_ap_req(struct mm_event *ev, struct mm_slice ap_req, enum mm_cred_role role)
{
	n_ap_req++;
	ap_req_len = ap_req.len;
	for (size_t i = 0; i < ap_req.len; i++)
		ap_req_seen[i % sizeof ap_req_seen] = (uint8_t)mm_at(ap_req, i);
	if (mm_at(ap_req, 0) != 0x6e) {
		ev->flags |= MM_EVF_MALFORMED;
		return false;
	}
	mm_event_cred(ev, role)->fp.b[0] = 1;
	return true;
}

bool mm_krb5_error_code(struct mm_slice krb_error, uint32_t *code)
{
	if (mm_at(krb_error, 0) != 0x7e || krb_error.len < 7)
		return false;
	*code = (uint32_t)mm_at(krb_error, 6);
	return true;
}

static struct mm_dissect start(bool over_udp)
{
	fake_reset();
	n_ap_req = ap_req_len = 0;
	struct mm_dissect d = fake_dissect(&mm_kpasswd);
	if (over_udp)
		d.flow = &udp;
	return d;
}

static void finish(struct mm_dissect *d)
{
	fake_end(d);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

static void datagram(struct mm_dissect *d, enum mm_dir dir, struct mm_slice msg)
{
	d->dir = dir;
	d->time_ns++;
	d->first = d->last = (struct mm_pkt){ 0, (uint64_t)d->time_ns };
	mm_kpasswd.parse(d, msg);
}

static void test_accepted(void **unused)
{
	(void)unused;
	struct mm_dissect d = start(true);
	datagram(&d, MM_TO_SERVER, BYTES(set_request));
	assert_int_equal(ap_req_len, 8);
	assert_memory_equal(ap_req_seen, "\x6e\x06ticket", 8);
	assert_int_equal(fake.n_emitted, 0);
	datagram(&d, MM_TO_CLIENT, BYTES(good_reply));
	assert_int_equal(fake.n_emitted, 1);
	const struct mm_event *ev = fake.emitted[0];
	assert_int_equal(ev->kind, MM_EV_PRESENT);
	assert_string_equal(ev->action, "kpasswd");
	assert_int_equal(ev->outcome, MM_SUCCESS);
	assert_int_equal(ev->flags, 0);
	assert_int_equal(ev->response_ns, 3);
	assert_non_null(mm_event_find_cred(ev, MM_ROLE_PRESENTED));
	assert_int_equal(ev->n_attrs, 1);
	assert_string_equal(ev->attrs[0].attr->name, "mintmark.kpasswd.version");
	assert_int_equal(ev->attrs[0].number, 0xff80);
	datagram(&d, MM_TO_CLIENT, BYTES(good_reply)); /* twice: nobody asked */
	assert_int_equal(fake.n_emitted, 1);
	finish(&d);
}

static void test_refused(void **unused)
{
	(void)unused;
	struct mm_dissect d = start(true);
	datagram(&d, MM_TO_SERVER, BYTES(change_request));
	datagram(&d, MM_TO_CLIENT, BYTES(error_reply));
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_FAILURE);
	assert_int_equal(fake.emitted[0]->status.domain, MM_STATUS_KRB5);
	assert_int_equal(fake.emitted[0]->status.code, 0x25); /* KRB_AP_ERR_SKEW */
	assert_int_equal(fake.emitted[0]->attrs[0].number, 1);
	finish(&d);
}

static void test_sent_again(void **unused)
{
	(void)unused;
	struct mm_dissect d = start(true);
	datagram(&d, MM_TO_SERVER, BYTES(set_request));
	datagram(&d, MM_TO_SERVER, BYTES(set_request));
	assert_int_equal(fake.n_made, 1);
	assert_int_equal(n_ap_req, 1);
	datagram(&d, MM_TO_SERVER, BYTES(change_request)); /* another attempt */
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
	assert_int_equal(
	        fake.emitted[0]->n_pkts, 1); /* of the second datagram: the fake notes no first */
	datagram(&d, MM_TO_CLIENT, BYTES(good_reply));
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(fake.emitted[1]->outcome, MM_SUCCESS);
	finish(&d);
}

static void test_never_answered(void **unused)
{
	(void)unused;
	struct mm_dissect d = start(true);
	datagram(&d, MM_TO_SERVER, BYTES(set_request));
	fake_end(&d);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_UNKNOWN);
	assert_true(fake.emitted[0]->flags & MM_EVF_ONE_SIDED);
	assert_int_equal(fake.n_live, 0);
	fake_reset();
}

static void test_malformed(void **unused)
{
	(void)unused;
	struct mm_dissect d = start(true);
	/* The AP-REQ reaches past the datagram: what is there is read. */
	datagram(&d, MM_TO_SERVER, BYTES("\x00\x12\xff\x80\x00\x08\x6e\x06tic"));
	datagram(&d, MM_TO_CLIENT, BYTES(good_reply));
	assert_int_equal(fake.n_emitted, 1);
	assert_true(fake.emitted[0]->flags & MM_EVF_MALFORMED);
	assert_int_equal(ap_req_len, 5);
	static const struct {
		const char *p;
		size_t len;
	} bad[] = {
		{ "\x00\x12\xff\x81\x00\x08\x6e\x06tick", 12 }, /* version */
		{ "\x00\x0d\xff\x80\x00\x08\x6e\x06tick", 12 }, /* AP-REQ longer than the message */
		{ "\x00\x05\xff\x80\x00\x00", 6 },
		{ "\x00\x12\xff\x80\x00", 5 },
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		datagram(&d, MM_TO_SERVER, mm_slice(bad[i].p, bad[i].len));
		assert_false(
		        mm_kpasswd.probe(mm_slice(bad[i].p, bad[i].len), MM_TO_SERVER, MM_UDP));
	}
	assert_int_equal(fake.n_made, 1);
	/* An answer that is neither. */
	datagram(&d, MM_TO_SERVER, BYTES(set_request));
	datagram(&d, MM_TO_CLIENT, BYTES("\x00\x06\x00\x01\x00\x00"));
	assert_int_equal(fake.n_emitted, 2);
	assert_int_equal(fake.emitted[1]->outcome, MM_FAILURE);
	assert_int_equal(fake.emitted[1]->status.domain, MM_STATUS_NONE);
	assert_true(fake.emitted[1]->flags & MM_EVF_MALFORMED);
	finish(&d);
}

static void test_tcp(void **unused)
{
	(void)unused;
	struct mm_dissect d = start(false);
	assert_int_equal(fake_stream(&d, MM_TO_SERVER, BYTES(tcp_request)), sizeof tcp_request - 1);
	assert_int_equal(ap_req_len, 8);
	assert_int_equal(fake_stream(&d, MM_TO_CLIENT, BYTES(tcp_reply)), sizeof tcp_reply - 1);
	assert_int_equal(fake.n_emitted, 1);
	assert_int_equal(fake.emitted[0]->outcome, MM_SUCCESS);
	assert_int_equal(fake.emitted[0]->flags, 0);
	assert_int_equal(fake_stream(&d, MM_TO_SERVER, BYTES(tcp_request)), sizeof tcp_request - 1);
	assert_int_equal(fake_stream(&d, MM_TO_CLIENT, BYTES(tcp_error)), sizeof tcp_error - 1);
	assert_int_equal(fake.emitted[1]->status.code, 0x25);
	for (size_t n = 1; n < sizeof tcp_request - 1; n++) {
		struct mm_frame f =
		        mm_kpasswd.frame(d.state, MM_TO_SERVER, mm_slice(tcp_request, n));
		assert_int_equal(f.verdict, MM_FRAME_MORE);
		assert_int_equal(f.n, n < 10 ? 10 : sizeof tcp_request - 1);
	}
	struct mm_frame f = mm_kpasswd.frame(
	        d.state, MM_TO_SERVER, BYTES("\x00\x00\x00\x13\x00\x12\xff\x80\x00\x08"));
	assert_int_equal(f.verdict, MM_FRAME_LOST);
	assert_true(mm_kpasswd.probe(BYTES(tcp_request), MM_TO_SERVER, MM_TCP));
	assert_false(mm_kpasswd.probe(BYTES(tcp_request), MM_TO_CLIENT, MM_TCP));
	assert_true(mm_kpasswd.probe(BYTES(tcp_error), MM_TO_CLIENT, MM_TCP));
	assert_true(mm_kpasswd.probe(BYTES(set_request), MM_TO_SERVER, MM_UDP));
	char stream[64] = { 0, 0, 7 };
	memcpy(stream + 3, tcp_reply, sizeof tcp_reply - 1);
	assert_int_equal(
	        mm_kpasswd.resync(d.state, MM_TO_CLIENT, mm_slice(stream, sizeof tcp_reply + 2)),
	        3);
	assert_int_equal(
	        mm_kpasswd.resync(d.state, MM_TO_SERVER, mm_slice(stream, sizeof tcp_reply + 2)),
	        sizeof tcp_reply + 2);
	finish(&d);
}

static void test_gap(void **unused)
{
	(void)unused;
	struct mm_dissect d = start(false);
	fake_stream(&d, MM_TO_SERVER, BYTES(tcp_request));
	mm_kpasswd.gap(&d);
	assert_int_equal(fake.n_emitted, 1);
	fake_stream(&d, MM_TO_CLIENT, BYTES(tcp_reply));
	assert_int_equal(fake.n_emitted, 1);
	fake.no_events = true;
	fake_stream(&d, MM_TO_SERVER, BYTES(tcp_request));
	fake_stream(&d, MM_TO_CLIENT, BYTES(tcp_reply));
	finish(&d);
}

static void feed_udp(void *arg, struct mm_slice input)
{
	enum mm_dir dir = *(enum mm_dir *)arg;
	struct mm_dissect d = start(true);
	datagram(&d, MM_TO_SERVER, BYTES(change_request));
	datagram(&d, dir, input);
	finish(&d);
}

static void feed_tcp(void *arg, struct mm_slice input)
{
	enum mm_dir dir = *(enum mm_dir *)arg;
	struct mm_dissect d = start(false);
	fake_stream(&d, MM_TO_SERVER, BYTES(tcp_request));
	d.dir = dir;
	mm_kpasswd.parse(&d, input);
	fake_stream(&d, dir, input);
	(void)mm_kpasswd.resync(d.state, dir, input);
	(void)mm_kpasswd.probe(input, dir, MM_TCP);
	finish(&d);
}

static void test_hostile(void **unused)
{
	(void)unused;
	enum mm_dir up = MM_TO_SERVER, down = MM_TO_CLIENT;
	const struct {
		const char *p;
		size_t len;
		guard_fn *fn;
		enum mm_dir *dir;
	} samples[] = {
		{ set_request, sizeof set_request - 1, feed_udp, &up },
		{ good_reply, sizeof good_reply - 1, feed_udp, &down },
		{ error_reply, sizeof error_reply - 1, feed_udp, &down },
		{ tcp_request, sizeof tcp_request - 1, feed_tcp, &up },
		{ tcp_reply, sizeof tcp_reply - 1, feed_tcp, &down },
		{ tcp_error, sizeof tcp_error - 1, feed_tcp, &down },
	};
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		const uint8_t *p = (const uint8_t *)samples[i].p;
		guard_every_prefix(p, samples[i].len, samples[i].fn, samples[i].dir);
		guard_every_bitflip(p, samples[i].len, samples[i].fn, samples[i].dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sent_again),
		cmocka_unit_test(test_never_answered),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
