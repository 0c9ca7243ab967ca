/* Applications: what each usually does, and the detectors that say when one does something else; each beside the honest
 * thing that looks most like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/base64.h"
#include "keys/json.h"

#include "detect_build.h"

#define DAY   (24 * HOUR)
#define BEGIN (INT64_C(20000) * DAY)

enum { FINDINGS_MAX = 4096, APPS = 6 };

static const struct mm_attr prompt = { "mintmark.oauth.prompt", MM_ATTR_STR, "" };
static int64_t now;

/* A request for a token, or a use of one; zero is what all do. */
struct request {
	const char *app, *user, *claims, *place, *prompt, *kid, *action;
	uint8_t from;
	uint8_t network; /* third byte of its address */
	enum mm_grant grant;
	enum mm_client_auth auth;
};

static char *part(const char *json, char *out)
{
	(void)mm_base64url_encode(mm_slice_str(json), out);
	return out + strlen(out);
}

static struct mm_str jwt(const char *claims)
{
	static char text[2048];
	char *p = part("{\"alg\":\"RS256\"}", text);
	*p++ = '.';
	p = part(claims, p);
	*p++ = '.';
	p = part("signature", p);
	return (struct mm_str){ text, (size_t)(p - text) };
}

static void pass(void)
{
	struct mm_look look;
	mm_ledger_present(l, &room.ev, &look);
	mm_ledger_settle(l, &look, mm_detect_look(&d, &look));
}

static struct mm_cred *put(struct mm_event *ev, enum mm_cred_role role, const struct request *r)
{
	static uint32_t number;
	struct mm_cred *cred = mm_event_cred(ev, role);
	number++;
	memcpy(cred->fp.b, &number, sizeof number);
	cred->fp.b[8] = 1;
	cred->kind = MM_CRED_ACCESS_TOKEN;
	cred->issuer = text("https://issuer.test");
	cred->client = text(r->app);
	cred->principal = text(r->user != NULL ? r->user : r->app);
	cred->jwt = true;
	cred->raw = jwt(r->claims != NULL ? r->claims : "{\"scope\":\"orders.read openid\"}");
	return cred;
}

static struct mm_event *start(enum mm_event_kind kind, const struct request *r)
{
	struct mm_event *ev = mm_event_init(&room);
	now += 60 * SECOND;
	ev->kind = kind;
	ev->protocol = "oauth";
	ev->action = r->action != NULL ? r->action : "oauth-token";
	ev->transport = "tcp";
	ev->src = (struct mm_endpoint){ { 4, { 10, 0, r->network, r->from } }, 50000 };
	ev->dst = (struct mm_endpoint){ host(KDC), 443 };
	ev->app = text(r->app);
	ev->user = text(r->user);
	ev->place = text(r->place);
	ev->outcome = MM_SUCCESS;
	ev->request_ns = now;
	ev->time_ns = ev->response_ns = ev->key_ns = now + 1;
	return ev;
}

static void obtain(struct request r)
{
	struct mm_event *ev = start(MM_EV_ISSUE, &r);
	ev->grant = r.grant != MM_GRANT_NONE ? r.grant : MM_GRANT_CLIENT;
	ev->client_auth =
	        r.auth != MM_CLIENT_AUTH_UNKNOWN ? r.auth : MM_CLIENT_AUTH_PRIVATE_KEY_JWT;
	if (r.prompt != NULL)
		mm_event_put_str(ev, &prompt, mm_slice_str(r.prompt));
	if (r.kid != NULL) {
		struct mm_cred *assertion = put(ev, MM_ROLE_EVIDENCE, &r);
		assertion->kind = MM_CRED_CLIENT_ASSERTION;
		assertion->kid = text(r.kid);
	}
	put(ev, MM_ROLE_ISSUED, &r);
	pass();
}

static void use(struct request r)
{
	put(start(MM_EV_PRESENT, &r), MM_ROLE_PRESENTED, &r);
	pass();
}

static const char *const names[APPS] = { "shop", "mail", "stock", "wiki", "time", "old" };

/* Applications obtain tokens, each from its own network; the last one early on only. */
static int set_up(void **state)
{
	(void)state;
	detect_new(NULL, FINDINGS_MAX);
	now = BEGIN;
	for (unsigned i = 0; i < 1200; i++) {
		unsigned app = i % (i < 60 ? APPS : APPS - 1);
		now += i < 60 ? 0 : HOUR;
		obtain((struct request){ .app = names[app], .network = (uint8_t)app });
	}
	assert_int_equal(d.findings.n, 0);
	return 0;
}

static bool has(const struct mm_finding *f, enum mm_weight_id id)
{
	for (size_t i = 0; f != NULL && i < f->n_evidence; i++)
		if (f->evidence[i].weight_id == id)
			return true;
	return false;
}

static void test_power(void **state)
{
	(void)state;
	obtain((struct request){ .app = "shop", .claims = "{\"roles\":[\"full_access_as_app\"]}" });
	const struct mm_finding *f = finding(&mm_oauth_app_power);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_true(has(f, MM_W_APP_POWER_KNOWN));
	assert_false(has(f, MM_W_APP_NEW_NETWORK));
	assert_string_equal(f->facts.subject, "application shop of https://issuer.test");
	assert_string_equal(f->facts.service, "full_access_as_app");
}

/* A role like others, however new. */
static void test_ordinary_role(void **state)
{
	(void)state;
	obtain((struct request){ .app = "shop", .claims = "{\"scope\":\"orders.read invoices\"}" });
	const struct mm_finding *f = finding(&mm_oauth_app_power);
	assert_non_null(f);
	assert_int_equal(f->band, MM_BAND_LOW);
}

/* What a new application may do from the beginning is no jump; nor what one has always had. */
static void test_power_from_the_start(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		obtain((struct request){ .app = "backup",
		        .network = 9,
		        .claims = "{\"roles\":[\"full_access_as_app\",\"Mail.Read\"]}" });
	assert_null(finding(&mm_oauth_app_power));
}

static void test_dormant(void **state)
{
	(void)state;
	now += 40 * DAY;
	obtain((struct request){ .app = "old", .network = 99 });
	const struct mm_finding *f = finding(&mm_oauth_app_dormant);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
}

/* From where it always worked; and one that is used to such pauses. */
static void test_quarterly(void **state)
{
	(void)state;
	now += 40 * DAY;
	obtain((struct request){ .app = "old", .network = APPS - 1 });
	now += 90 * DAY;
	obtain((struct request){ .app = "old", .network = APPS - 1 });
	now += 91 * DAY;
	obtain((struct request){ .app = "old", .network = 99 });
	assert_null(finding(&mm_oauth_app_dormant));
}

static void test_new_credential(void **state)
{
	(void)state;
	obtain((struct request){
	        .app = "mail", .network = 99, .auth = MM_CLIENT_AUTH_SECRET_POST });
	const struct mm_finding *f = finding(&mm_oauth_new_credential);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_true(has(f, MM_W_APP_WEAKER_AUTH));
}

/* Its key is changed as planned. */
static void test_rollover(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		obtain((struct request){
		        .app = "mail", .network = 1, .kid = i < 30 ? "2025" : "2026" });
	const struct mm_finding *f = finding(&mm_oauth_new_credential);
	assert_non_null(f);
	assert_true(has(f, MM_W_APP_OTHER_KEY));
	assert_int_equal(f->band, MM_BAND_LOW);
}

static void test_ropc(void **state)
{
	(void)state;
	obtain((struct request){
	        .app = "shop", .user = "anna", .network = 99, .grant = MM_GRANT_PASSWORD });
	const struct mm_finding *f = finding(&mm_oauth_ropc);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_true(has(f, MM_W_APP_PASSWORD_OWN));
	/* One that has used it for long. */
	for (unsigned i = 0; i < 400; i++)
		obtain((struct request){
		        .app = "phone", .user = "anna", .grant = MM_GRANT_PASSWORD });
	obtain((struct request){ .app = "tablet", .user = "anna", .grant = MM_GRANT_PASSWORD });
	f = mm_detect_find_about(&d, &mm_oauth_ropc, "application tablet of https://issuer.test");
	assert_non_null(f);
	assert_int_equal(f->band, MM_BAND_LOW);
}

/* A message of the authorization joined by this number; code: issued by it or shown in it, 0 for none. */
static struct mm_event *authorization(enum mm_event_kind kind, struct request r, uint8_t number,
        enum mm_cred_role role, uint8_t code)
{
	struct mm_event *ev = start(kind, &r);
	if (number != 0)
		memset(ev->authorization.b, number, sizeof ev->authorization.b);
	if (r.prompt != NULL)
		mm_event_put_str(ev, &prompt, mm_slice_str(r.prompt));
	if (code != 0) {
		struct mm_cred *cred = mm_event_cred(ev, role);
		cred->kind = MM_CRED_CODE;
		cred->issuer = text("https://issuer.test");
		memset(cred->fp.b, code, sizeof cred->fp.b);
	}
	return ev;
}

/* The user's browser in one network, the application in another. */
struct grant {
	const char *app, *user, *prompt, *claims;
	const char *told; /* the user, by an ID token beside the code */
	uint8_t number, browser, network;
};

static void by_code(struct grant g)
{
	struct request browser = { .app = g.app,
		.network = g.browser,
		.prompt = g.prompt,
		.action = "oauth-authorization-request" };
	(void)authorization(MM_EV_REQUEST, browser, g.number, MM_ROLE_ISSUED, 0);
	pass();
	browser = (struct request){
		.user = g.told, .network = g.browser, .action = "oauth-authorize"
	};
	(void)authorization(MM_EV_ISSUE, browser, g.number, MM_ROLE_ISSUED, g.number + 100);
	pass();
	struct request r = {
		.app = g.app, .user = g.user, .network = g.network, .claims = g.claims
	};
	struct mm_event *ev = authorization(MM_EV_ISSUE, r, 0, MM_ROLE_PRESENTED, g.number + 100);
	ev->grant = MM_GRANT_CODE;
	put(ev, MM_ROLE_ISSUED, &r);
	pass();
}

static void by_device(struct grant g)
{
	struct request r = {
		.app = g.app, .network = g.network, .action = "oauth-device-authorization"
	};
	(void)authorization(MM_EV_ISSUE, r, g.number, MM_ROLE_ISSUED, g.number + 100);
	pass();
	if (g.browser != 0) {
		struct request typed = { .network = g.browser,
			.action = "oauth-device-verification" };
		(void)authorization(MM_EV_REQUEST, typed, g.number, MM_ROLE_ISSUED, 0);
		pass();
	}
	r.action = "oauth-token";
	r.user = g.user;
	struct mm_event *ev = authorization(MM_EV_ISSUE, r, 0, MM_ROLE_PRESENTED, g.number + 100);
	ev->grant = MM_GRANT_DEVICE;
	put(ev, MM_ROLE_ISSUED, &r);
	pass();
}

static void test_consent(void **state)
{
	(void)state;
	struct grant g = { .app = "evil",
		.user = "anna",
		.prompt = "consent",
		.claims = "{\"scope\":\"openid Mail.Read\"}",
		.number = 1,
		.browser = 1,
		.network = 99 };
	by_code(g);
	const struct mm_finding *f = finding(&mm_oauth_consent);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_string_equal(f->facts.subject, "application evil of https://issuer.test");
	assert_true(has(f, MM_W_APP_CONSENT) && has(f, MM_W_APP_CONSENT_POWER));
	assert_true(has(f, MM_W_APP_NEW_PLACE));
	g.user = "bert";
	g.number = 2;
	by_code(g);
	assert_non_null(strstr(finding(&mm_oauth_consent)->evidence[0].what, "2 of its users"));
}

/* By the implicit grant (RFC 6749 section 4.2) the token comes with the answer, to the browser. */
static void test_consent_implicit(void **state)
{
	(void)state;
	struct request r = { .app = "evil",
		.network = 99,
		.prompt = "consent",
		.action = "oauth-authorization-request" };
	(void)authorization(MM_EV_REQUEST, r, 1, MM_ROLE_ISSUED, 0);
	pass();
	r = (struct request){ .network = 99,
		.user = "anna",
		.action = "oauth-authorize",
		.claims = "{\"scope\":\"Mail.Read\"}" };
	struct mm_event *ev = authorization(MM_EV_ISSUE, r, 1, MM_ROLE_ISSUED, 0);
	ev->grant = MM_GRANT_IMPLICIT;
	r.app = "evil";
	put(ev, MM_ROLE_ISSUED, &r);
	pass();
	assert_non_null(finding(&mm_oauth_consent));
}

/* The same application without the prompt, which the issuer then shows by itself; one that is known to everybody else; one of
 * the house, from where others work. */
static void test_consent_benign(void **state)
{
	(void)state;
	by_code((struct grant){
	        .app = "new", .user = "anna", .number = 1, .browser = 1, .network = 99 });
	by_code((struct grant){ .app = "shop",
	        .user = "anna",
	        .prompt = "consent",
	        .number = 2,
	        .browser = 1,
	        .network = 0 });
	assert_null(finding(&mm_oauth_consent));
	by_code((struct grant){ .app = "canteen",
	        .user = "anna",
	        .prompt = "consent",
	        .number = 3,
	        .browser = 1,
	        .network = 1 });
	const struct mm_finding *f = finding(&mm_oauth_consent);
	assert_non_null(f);
	assert_int_equal(f->band, MM_BAND_LOW);
}

static void test_device(void **state)
{
	(void)state;
	struct grant g = {
		.app = "mail", .user = "anna", .number = 1, .browser = 1, .network = 99
	};
	by_device(g);
	const struct mm_finding *f = finding(&mm_oauth_device);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_true(has(f, MM_W_APP_DEVICE_FAR) && has(f, MM_W_APP_NEW_PLACE));
	assert_false(has(f, MM_W_APP_DEVICE_USERS));
	double one = f->score;
	g.user = "bert";
	g.number = 2;
	by_device(g);
	f = finding(&mm_oauth_device);
	assert_true(has(f, MM_W_APP_DEVICE_USERS));
	assert_true(f->score > one);
}

static void type(uint8_t number, uint8_t browser)
{
	struct request typed = { .network = browser, .action = "oauth-device-verification" };
	(void)authorization(MM_EV_REQUEST, typed, number, MM_ROLE_ISSUED, 0);
	pass();
}

/* Whoever asked for the code types it as well, before or behind the user; and where no browser was seen, what was seen before
 * of others stays. */
static void test_device_typed_twice(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct request r = { .app = "mail",
			.network = (uint8_t)(98 + i),
			.action = "oauth-device-authorization" };
		(void)authorization(
		        MM_EV_ISSUE, r, (uint8_t)(1 + i), MM_ROLE_ISSUED, (uint8_t)(101 + i));
		pass();
		type((uint8_t)(1 + i), i == 0 ? 98 : 1);
		type((uint8_t)(1 + i), i == 0 ? 1 : 99);
		r.action = "oauth-token";
		r.user = "anna";
		struct mm_event *ev =
		        authorization(MM_EV_ISSUE, r, 0, MM_ROLE_PRESENTED, (uint8_t)(101 + i));
		ev->grant = MM_GRANT_DEVICE;
		put(ev, MM_ROLE_ISSUED, &r);
		pass();
		mm_detect_weigh_all(&d);
		char subject[64];
		snprintf(subject, sizeof subject,
		        "application mail of https://issuer.test at 10.0.%u.0", 98 + i);
		const struct mm_finding *f = mm_detect_find_about(&d, &mm_oauth_device, subject);
		assert_true(has(f, MM_W_APP_DEVICE_FAR));
	}
	by_device((struct grant){ .app = "mail", .user = "bert", .number = 3, .network = 99 });
	mm_detect_weigh_all(&d);
	assert_true(has(mm_detect_find_about(&d, &mm_oauth_device,
	                        "application mail of https://issuer.test at 10.0.99.0"),
	        MM_W_APP_DEVICE_FAR));
}

/* Beside the code comes an ID token (response_type=code id_token): its user is no user of the application yet. */
static void test_consent_hybrid(void **state)
{
	(void)state;
	by_code((struct grant){ .app = "evil",
	        .user = "anna",
	        .told = "anna",
	        .prompt = "consent",
	        .number = 1,
	        .browser = 1,
	        .network = 99 });
	assert_non_null(finding(&mm_oauth_consent));
}

/* Applications of which each calls all its authorizations the same: one asked for consent, another did not; and the request
 * comes again, without prompt, when the user has signed in. */
static void test_same_state(void **state)
{
	(void)state;
	struct grant g = { .app = "evil",
		.user = "anna",
		.prompt = "consent",
		.number = 1,
		.browser = 1,
		.network = 99 };
	by_code(g);
	assert_non_null(finding(&mm_oauth_consent));
	g.app = "new";
	g.prompt = NULL;
	by_code(g);
	assert_null(mm_detect_find_about(
	        &d, &mm_oauth_consent, "application new of https://issuer.test"));
	struct request browser = { .app = "other",
		.network = 1,
		.prompt = "consent",
		.action = "oauth-authorization-request" };
	(void)authorization(MM_EV_REQUEST, browser, 2, MM_ROLE_ISSUED, 0);
	pass();
	by_code((struct grant){
	        .app = "other", .user = "anna", .number = 2, .browser = 1, .network = 99 });
	assert_non_null(mm_detect_find_about(
	        &d, &mm_oauth_consent, "application other of https://issuer.test"));
}

/* Anybody may ask for codes, as often as he likes: that makes nothing usual. Nor does it make an application old. */
static void test_asked_often(void **state)
{
	(void)state;
	struct grant g = {
		.app = "mail", .user = "anna", .number = 1, .browser = 1, .network = 98
	};
	by_device(g);
	double before = finding(&mm_oauth_device)->score;
	for (unsigned i = 0; i < 2000; i++) {
		struct request r = {
			.app = "evil", .network = 99, .action = "oauth-device-authorization"
		};
		(void)authorization(MM_EV_ISSUE, r, 2, MM_ROLE_ISSUED, 102);
		pass();
	}
	now += 2 * DAY;
	g = (struct grant){
		.app = "stock", .user = "anna", .number = 3, .browser = 1, .network = 99
	};
	by_device(g);
	mm_detect_weigh_all(&d);
	const struct mm_finding *f = mm_detect_find_about(
	        &d, &mm_oauth_device, "application stock of https://issuer.test at 10.0.99.0");
	assert_true(f->score > before - 6);
	g = (struct grant){ .app = "evil",
		.user = "anna",
		.prompt = "consent",
		.number = 4,
		.browser = 1,
		.network = 99 };
	by_code(g);
	g.user = "bert";
	g.number = 5;
	by_code(g);
	assert_non_null(strstr(finding(&mm_oauth_consent)->evidence[0].what, "2 of its users"));
}

/* Nobody's requests fill the names that are kept. */
static void test_asked_by_anybody(void **state)
{
	(void)state;
	size_t before = l->names.n;
	for (unsigned i = 0; i < 1000; i++) {
		char app[16];
		snprintf(app, sizeof app, "made-up %u", i);
		struct request r = {
			.app = app, .network = 1, .action = "oauth-authorization-request"
		};
		struct mm_event *ev = authorization(MM_EV_REQUEST, r, 1, MM_ROLE_ISSUED, 0);
		memcpy(ev->authorization.b, &i, sizeof i);
		pass();
	}
	assert_int_equal(l->apps.asks.n, 1000);
	assert_int_equal(l->names.n, before);
}

/* The first screen on a wall, where others work; one whose code is typed beside it; and where televisions are usual. */
static void test_device_benign(void **state)
{
	(void)state;
	by_device((struct grant){
	        .app = "wall", .user = "anna", .number = 1, .browser = 1, .network = 2 });
	const struct mm_finding *f = finding(&mm_oauth_device);
	assert_non_null(f);
	assert_int_equal(f->band, MM_BAND_LOW);
	by_device((struct grant){
	        .app = "tv", .user = "carl", .number = 2, .browser = 98, .network = 98 });
	assert_int_equal(d.findings.n, 1);
	for (unsigned i = 0; i < 120; i++) {
		char app[16];
		snprintf(app, sizeof app, "tv%u", i);
		by_device((struct grant){ .app = app,
		        .user = app,
		        .number = (uint8_t)(3 + i % 90),
		        .browser = 1,
		        .network = (uint8_t)(100 + i) });
	}
	mm_detect_weigh_all(&d);
	f = mm_detect_find_about(
	        &d, &mm_oauth_device, "application tv119 of https://issuer.test at 10.0.219.0");
	assert_non_null(f);
	assert_int_equal(f->band, MM_BAND_LOW);
}

static void read_mail(const char *app, unsigned n, int64_t gap_ns)
{
	char place[64];
	for (unsigned i = 0; i < n; i++) {
		snprintf(place, sizeof place, "graph.test/v1.0/users/user%u/messages", i);
		use((struct request){
		        .app = app, .place = place, .claims = "{\"idtyp\":\"app\"}" });
		now += gap_ns;
	}
}

static void test_sweep(void **state)
{
	(void)state;
	for (unsigned day = 0; day < 10; day++, now += DAY)
		read_mail("shop", 3, 0);
	read_mail("shop", 200, SECOND);
	const struct mm_finding *f = finding(&mm_oauth_app_sweep);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_string_equal(f->facts.subject, "application shop of https://issuer.test");
}

/* What reads all of them every night; and users who each read their own. */
static void test_backup(void **state)
{
	char place[64];
	(void)state;
	for (unsigned day = 0; day < 20; day++, now += DAY)
		read_mail("backup", 200, SECOND);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(place, sizeof place, "graph.test/v1.0/users/user%u/messages", i);
		use((struct request){ .app = "outlook",
		        .user = "anna",
		        .place = place,
		        .claims = "{\"idtyp\":\"user\"}" });
	}
	const struct mm_finding *f = finding(&mm_oauth_app_sweep);
	assert_true(f == NULL || f->band == MM_BAND_LOW);
	assert_null(mm_detect_find_about(
	        &d, &mm_oauth_app_sweep, "application outlook of https://issuer.test"));
}

static void test_kept_over_restart(void **state)
{
	struct mm_store store = { 0 };
	struct mm_apps other;
	const struct mm_hash_key other_key = { 3, 4 };
	(void)state;
	mm_apps_save(&l->apps, &store);
	mm_apps_init(&other, &other_key);
	struct mm_cursor in = mm_cursor(mm_slice(store.p, store.len));
	assert_int_equal(mm_apps_load(&other, &in), MM_OK);
	assert_int_equal(other.apps.n, APPS);
	for (struct mm_app *app = mm_table_next(&other.apps, NULL); app != NULL;
	        app = mm_table_next(&other.apps, app))
		assert_memory_equal(app, mm_table_find(&l->apps.apps, &app->key), sizeof *app);
	for (struct mm_app_issuer *i = mm_table_next(&other.issuers, NULL); i != NULL;
	        i = mm_table_next(&other.issuers, i))
		assert_memory_equal(i, mm_table_find(&l->apps.issuers, i), sizeof *i);
	mm_apps_done(&other);
	for (size_t n = 0; n < store.len; n += 7) {
		mm_apps_init(&other, &other_key);
		in = mm_cursor(mm_slice(store.p, n));
		assert_int_not_equal(mm_apps_load(&other, &in), MM_OK);
		mm_apps_done(&other);
	}
	mm_store_done(&store);
}

/* Whatever is in a snapshot: it is refused, or what is made of it can be worked with. */
static void test_hostile_snapshot(void **state)
{
	struct mm_store store = { 0 };
	(void)state;
	mm_apps_save(&l->apps, &store);
	mm_apps_done(&l->apps);
	for (size_t bit = 0; bit < store.len * 8; bit++) {
		store.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		mm_apps_init(&l->apps, &key);
		struct mm_cursor in = mm_cursor(mm_slice(store.p, store.len));
		if (mm_apps_load(&l->apps, &in) == MM_OK)
			obtain((struct request){ .app = "shop",
			        .user = "anna",
			        .network = 77,
			        .grant = MM_GRANT_PASSWORD,
			        .claims = "{\"roles\":[\"full_access_as_app\"]}" });
		mm_apps_done(&l->apps);
		store.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	mm_apps_init(&l->apps, &key);
	mm_detect_weigh_all(&d);
	mm_store_done(&store);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_power),
		CASE(test_ordinary_role),
		CASE(test_power_from_the_start),
		CASE(test_dormant),
		CASE(test_quarterly),
		CASE(test_new_credential),
		CASE(test_rollover),
		CASE(test_ropc),
		CASE(test_consent),
		CASE(test_consent_implicit),
		CASE(test_consent_benign),
		CASE(test_device),
		CASE(test_device_typed_twice),
		CASE(test_consent_hybrid),
		CASE(test_same_state),
		CASE(test_asked_by_anybody),
		CASE(test_asked_often),
		CASE(test_device_benign),
		CASE(test_sweep),
		CASE(test_backup),
		CASE(test_kept_over_restart),
		CASE(test_hostile_snapshot),
	};
	mm_json_init(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
