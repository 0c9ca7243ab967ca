/* Users' ways, and impossible-travel: who is let in too far away too soon; and beside it VPNs, aeroplanes and trains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/base64.h"
#include "detect/detect.h"
#include "geo/geo.h"
#include "ledger_build.h"

#define BEGIN  (INT64_C(20000) * 24 * HOUR)
#define MINUTE (60 * SECOND)

enum { STAFF = 120, HOMES = 8 };

static const struct mm_hash_key key = { 1, 2 };
static struct mm_ledger *l;
static struct mm_detect d;
static struct mm_event_room room;
static int64_t now;

static const struct mm_geo_place lulea = { .located = true,
	.lat = 65.58,
	.lon = 22.15,
	.radius_km = 20,
	.country = "SE",
	.city = "Lulea" },
                                 stockholm = { .located = true,
	                                 .lat = 59.33,
	                                 .lon = 18.07,
	                                 .radius_km = 20,
	                                 .country = "SE",
	                                 .city = "Stockholm" },
                                 sydney = { .located = true,
	                                 .lat = -33.87,
	                                 .lon = 151.21,
	                                 .radius_km = 20,
	                                 .country = "AU",
	                                 .city = "Sydney" };

static uint32_t number;    /* of the latest token */
static const char *claims; /* of all tokens that follow; NULL: opaque */

static void pass(void)
{
	struct mm_look look;
	mm_ledger_present(l, &room.ev, &look);
	mm_ledger_settle(l, &look, mm_detect_look(&d, &look));
}

static struct mm_str jwt(void)
{
	static char made[256];
	(void)mm_base64url_encode(mm_slice_str("{\"alg\":\"RS256\"}"), made);
	strcat(made, ".");
	(void)mm_base64url_encode(mm_slice_str(claims), made + strlen(made));
	strcat(made, ".c2lnbmF0dXJl");
	return text(made);
}

/* The latest token, of this user, in this role. */
static struct mm_event *begin(enum mm_event_kind kind, enum mm_cred_role role, unsigned user)
{
	static char name[16];
	struct mm_event *ev = mm_event_init(&room);
	snprintf(name, sizeof name, "user%u", user);
	ev->kind = kind;
	ev->protocol = "oauth";
	ev->action = role == MM_ROLE_ISSUED ? "oauth-token" : "bearer";
	ev->transport = "tcp";
	ev->outcome = MM_SUCCESS;
	ev->dst = (struct mm_endpoint){ host(KDC), 443 };
	ev->request_ns = now;
	ev->time_ns = ev->response_ns = ev->key_ns = now + 1;
	struct mm_cred *cred = mm_event_cred(ev, role);
	memcpy(cred->fp.b, &number, sizeof number);
	cred->fp.b[8] = 1;
	cred->kind = MM_CRED_ACCESS_TOKEN;
	cred->issuer = text("https://issuer.test");
	cred->principal = text(name);
	cred->client = text("mail");
	cred->jwt = claims != NULL;
	cred->raw = claims != NULL ? jwt() : cred->raw;
	return ev;
}

static void hand_out(unsigned user)
{
	number++;
	begin(MM_EV_ISSUE, MM_ROLE_ISSUED, user)->src =
	        (struct mm_endpoint){ { 4, { 10, 0, 0, 1 } }, 50000 };
	pass();
}

/* The latest token, this user's, is taken from this network (second and third byte), which is there. */
static void take(unsigned user, unsigned network, const struct mm_geo_place *geo, const char *agent)
{
	struct mm_event *ev = begin(MM_EV_PRESENT, MM_ROLE_PRESENTED, user);
	ev->src =
	        (struct mm_endpoint){ { 4, { 203, (uint8_t)(network >> 8), (uint8_t)network, 1 } },
		        50000 };
	ev->agent = text(agent);
	ev->geo = geo;
	pass();
}

static void let_in(
        unsigned user, unsigned network, const struct mm_geo_place *geo, const char *agent)
{
	now += MINUTE;
	hand_out(user);
	take(user, network, geo, agent);
}

/* The staff works in the office and then elsewhere in town, each in networks of his own. */
static int set_up(void **state)
{
	struct mm_ledger_config config;
	(void)state;
	mm_ledger_config_default(&config);
	assert_int_equal(mm_ledger_new(&config, &l), MM_OK);
	mm_detect_init(&d, l, &key, 4096);
	now = BEGIN;
	claims = NULL;
	for (unsigned i = 0; i < STAFF; i++)
		let_in(i, 1, &lulea, "browser/1.0");
	for (unsigned i = 0; i < STAFF * HOMES; i++)
		let_in(i % STAFF, 256 + i, &lulea, "browser/1.0");
	assert_int_equal(l->travels.n, STAFF * HOMES);
	assert_int_equal(l->travels.n_too_fast, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mm_detect_done(&d);
	mm_ledger_free(l);
	return 0;
}

static const struct mm_finding *finding(unsigned user)
{
	char subject[64];
	snprintf(subject, sizeof subject, "user user%u of https://issuer.test", user);
	mm_detect_weigh_all(&d);
	return mm_detect_find_about(&d, &mm_impossible_travel, subject);
}

static size_t n_findings(void)
{
	size_t n = 0;
	for (const struct mm_finding *f = mm_table_next(&d.findings, NULL); f != NULL;
	        f = mm_table_next(&d.findings, f))
		n += f->detector == &mm_impossible_travel;
	return n;
}

static void test_far_away(void **state)
{
	(void)state;
	let_in(3, 1, &lulea, "browser/1.1");
	let_in(3, 200, &sydney, "curl/8");
	const struct mm_finding *f = finding(3);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_non_null(strstr(f->evidence[0].what, "(Lulea, SE)"));
	assert_non_null(strstr(f->evidence[0].what, "(Sydney, AU)"));
	assert_non_null(strstr(f->evidence[0].what, "1 min later"));
}

/* A flight; a train; a network that he is known in; an address of which nothing is known. */
static void test_possible(void **state)
{
	(void)state;
	let_in(4, 1, &lulea, "browser/1.0");
	now += 20 * HOUR;
	let_in(4, 200, &sydney, "browser/1.0");
	let_in(4, 1, &lulea, "browser/1.0");
	now += HOUR;
	let_in(5, 201, &stockholm, "browser/1.0");
	let_in(6, 202, NULL, "curl/8");
	let_in(6, 203, &(struct mm_geo_place){ .as_number = 64500 }, "curl/8");
	assert_int_equal(n_findings(), 0);
	assert_int_equal(l->travels.n_too_fast, 0);
}

/* The first to use a VPN is told of as of little weight; of those that come after half of the others nothing is left. */
static void test_vpn(void **state)
{
	(void)state;
	for (unsigned i = 0; i < STAFF / 2; i++) {
		let_in(i, 1, &lulea, "browser/1.0");
		let_in(i, 210, &sydney, "browser/1.0");
	}
	const struct mm_finding *first = finding(0), *last = finding(STAFF / 2 - 1);
	assert_non_null(first);
	assert_true(first->band <= MM_BAND_MEDIUM);
	assert_non_null(last);
	assert_int_equal(last->band, MM_BAND_LOW);
	assert_true(last->score < -20);
	/* And it hides nobody who comes from elsewhere. */
	let_in(STAFF - 1, 1, &lulea, "browser/1.0");
	let_in(STAFF - 1, 220, &sydney, "curl/8");
	assert_non_null(finding(STAFF - 1));
	assert_true(finding(STAFF - 1)->score > last->score);
}

/* Tokens that nobody was seen to issue, taken by a server that looks at none: nothing is learnt of where their users are. */
static void test_made_up(void **state)
{
	(void)state;
	size_t ways = l->travels.ways.n;
	for (unsigned i = 0; i < 400; i++) {
		number++;
		now += MINUTE;
		take(1000 + i / 2, 230 + i % 2, i % 2 != 0 ? &sydney : &lulea, "curl/8");
	}
	assert_int_equal(l->travels.travellers.n, STAFF);
	assert_int_equal(l->travels.ways.n, ways);
	assert_int_equal(l->travels.n_too_fast, 0);
	assert_int_equal(n_findings(), 0);
}

/* An application whose subject is not its client_id, in two places at once; and a user's token with roles. */
static void test_whose(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		claims = i < 2 ? "{\"idtyp\":\"app\",\"roles\":[\"Mail.Read\"]}"
		               : "{\"roles\":[\"Mail.Read\"]}";
		let_in(2000, 230 + i % 2, i % 2 != 0 ? &sydney : &lulea, "curl/8");
	}
	assert_int_equal(n_findings(), 0);
	claims = "{\"roles\":[\"clerk\"],\"scope\":\"openid\"}"; /* RFC 9068 section 2.2.3 */
	let_in(2001, 230, &lulea, "curl/8");
	let_in(2001, 231, &sydney, "curl/8");
	assert_int_equal(n_findings(), 1);
}

/* A proxy elsewhere passes the request on before it is answered: the user is where he asked it. */
static void test_other_leg(void **state)
{
	(void)state;
	now += MINUTE;
	hand_out(7);
	struct mm_event *ev = begin(MM_EV_PRESENT, MM_ROLE_PRESENTED, 7);
	ev->src = (struct mm_endpoint){ { 4, { 203, 0, 1, 1 } }, 50000 };
	ev->dst.addr = (struct mm_addr){ 4, { 198, 51, 100, 1 } };
	ev->geo = &lulea;
	ev->response_ns = now + 10;
	pass();
	ev = begin(MM_EV_PRESENT, MM_ROLE_PRESENTED, 7);
	ev->src = (struct mm_endpoint){ { 4, { 198, 51, 100, 1 } }, 50001 };
	ev->geo = &sydney;
	ev->request_ns = now + 2;
	ev->response_ns = ev->time_ns = now + 9;
	pass();
	assert_int_equal(n_findings(), 0);
	assert_int_equal(l->travels.n_too_fast, 0);
}

/* A name that is cut is cut between two characters. */
static void test_long_name(void **state)
{
	(void)state;
	struct mm_geo_place far = sydney;
	for (unsigned i = 0; i < 31; i++)
		memcpy(far.city + 1 + 2 * i, "\xc3\xa5", 2);
	far.city[0] = 'x';
	let_in(8, 240, &far, "browser/1.0");
	const struct mm_traveller *who = mm_table_next(&l->travels.travellers, NULL);
	for (const struct mm_traveller *next = who; next != NULL;
	        next = mm_table_next(&l->travels.travellers, next))
		who = next;
	/* 39 octets: "x" and 19 characters of two */
	assert_int_equal(strlen(who->place), 39 + strlen(", AU"));
	assert_string_equal(who->place + 37, "\xc3\xa5, AU");
}

static void test_kept_over_restart(void **state)
{
	(void)state;
	struct mm_store store = { 0 };
	struct mm_travels again;
	mm_travels_save(&l->travels, &store);
	mm_travels_init(&again, &key);
	struct mm_cursor in = mm_cursor(mm_slice(store.p, store.len));
	assert_int_equal(mm_travels_load(&again, &in), MM_OK);
	assert_int_equal(again.travellers.n, STAFF);
	assert_int_equal(again.ways.n, STAFF * HOMES + 1);
	assert_int_equal(again.n, STAFF * HOMES);
	struct mm_traveller *who = mm_table_next(&again.travellers, NULL);
	assert_string_equal(who->place, "Lulea, SE");
	mm_travels_done(&again);
	for (size_t cut = 0; cut < 200; cut++) {
		mm_travels_init(&again, &key);
		in = mm_cursor(mm_slice(store.p, cut));
		assert_int_not_equal(mm_travels_load(&again, &in), MM_OK);
		mm_travels_done(&again);
	}
	mm_store_done(&store);
}

/* Great circles, by the coordinates of the airports: Lulea to Stockholm Arlanda 688 km, London to New York 5,540 km (Great Circle Mapper). */
static void test_distance(void **state)
{
	(void)state;
	assert_true(fabs(mm_geo_km(65.5438, 22.1220, 59.6519, 17.9186) - 688) < 4);
	assert_true(fabs(mm_geo_km(51.4706, -0.4619, 40.6398, -73.7789) - 5540) < 20);
	assert_true(mm_geo_km(10, 20, 10, 20) == 0);
	assert_true(fabs(mm_geo_km(0, 0, 0, 180) - 20015) < 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_far_away, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_possible, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_vpn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_made_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_whose, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_leg, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_kept_over_restart, set_up, tear_down),
		cmocka_unit_test(test_distance),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
