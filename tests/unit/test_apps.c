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

static void test_consent(void **state)
{
	(void)state;
	obtain((struct request){ .app = "evil",
	        .user = "anna",
	        .action = "oauth-authorize",
	        .prompt = "admin_consent" });
	const struct mm_finding *f = finding(&mm_oauth_consent);
	assert_non_null(f);
	assert_true(has(f, MM_W_APP_ADMIN_CONSENT));
	obtain((struct request){ .app = "shop",
	        .user = "anna",
	        .action = "oauth-authorize",
	        .prompt = "consent" }); /* known to everybody else */
	assert_null(mm_detect_find_about(
	        &d, &mm_oauth_consent, "application shop of https://issuer.test"));
}

static void test_device(void **state)
{
	(void)state;
	obtain((struct request){ .app = "tv", .user = "anna", .grant = MM_GRANT_DEVICE });
	const struct mm_finding *f = finding(&mm_oauth_consent);
	assert_non_null(f);
	assert_true(f->band >= MM_BAND_MEDIUM);
	/* Where televisions are usual. */
	for (unsigned i = 0; i < 300; i++) {
		char app[16];
		snprintf(app, sizeof app, "tv%u", i);
		obtain((struct request){ .app = app, .action = "oauth-device-authorization" });
		obtain((struct request){ .app = app, .user = "bert", .grant = MM_GRANT_DEVICE });
	}
	f = mm_detect_find_about(&d, &mm_oauth_consent, "application tv299 of https://issuer.test");
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
		CASE(test_device),
		CASE(test_sweep),
		CASE(test_backup),
		CASE(test_kept_over_restart),
		CASE(test_hostile_snapshot),
	};
	mm_json_init(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
