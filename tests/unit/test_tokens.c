/* tokens.c, claims.c and the detectors of tokens over an invented day: an issuer A, an application, a service; each abuse
 * beside the honest thing that looks most like it. Tokens are signed by OpenSSL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissect/oauth.h"
#include "guard.h"
#include "jose_build.h"

#include "detect_build.h"

#define A       "https://a.example"
#define API     "https://api.example"
#define BROWSER "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"
#define N_OF(a) (sizeof(a) / sizeof((a)[0]))
#define AT(s)   ((DAY + (s)) * SECOND)

enum {
	DAY = 1700000000,
	CLIENTS = 6,
	ROUNDS = 30,
	EVENING = 12 * 3600,
	ISSUER = 30, /* hosts, 192.0.2.x */
	SERVICE = 31,
	PROXY = 40,
	FORGER = 77,
	FINDINGS_MAX = 256,
};

static struct signer own, foreign, device, other_device;
static bool trusted;

/* What makes a token; zero is filled in as an ordinary one. */
struct spec {
	const struct signer *by;
	const char *iss, *sub, *aud, *more;
	int64_t iat, life;
	bool bare; /* without jti and client_id, in another order */
};

static const char *mint(struct spec s)
{
	static char ring[16][JOSE_TEXT];
	static unsigned at, number;
	char claims[1024];
	char *out = ring[at++ % N_OF(ring)];
	const char *iss = s.iss != NULL ? s.iss : A, *sub = s.sub != NULL ? s.sub : "anna";
	const char *aud = s.aud != NULL ? s.aud : API, *more = s.more != NULL ? s.more : "";
	long long iat = DAY + s.iat, exp = iat + (s.life != 0 ? s.life : 3600);
	number++;
	if (s.bare)
		snprintf(claims, sizeof claims,
		        "{\"sub\":\"%s\",\"n\":%u,\"iss\":\"%s\",\"aud\":\"%s\",\"iat\":%lld,"
		        "\"exp\":"
		        "%lld%s}",
		        sub, number, iss, aud, iat, exp, more);
	else
		snprintf(claims, sizeof claims,
		        "{\"iss\":\"%s\",\"sub\":\"%s\",\"aud\":\"%s\",\"client_id\":\"shop\","
		        "\"iat\":"
		        "%lld,\"exp\":%lld,\"jti\":\"%u\"%s}",
		        iss, sub, aud, iat, exp, number, more);
	return jwt_make(s.by != NULL ? s.by : &own, claims, out);
}

static void pass(void)
{
	struct mm_look look;
	mm_tokens_prepare(l, &room.ev);
	mm_ledger_present(l, &room.ev, &look);
	trusted = mm_detect_look(&d, &look);
	mm_ledger_settle(l, &look, trusted);
}

static struct mm_event *begin(
        enum mm_event_kind kind, uint8_t from, uint8_t to, int64_t at, const char *place)
{
	struct mm_event *ev = &room.ev;
	clear(ev, kind, from, AT(at));
	ev->dst = (struct mm_endpoint){ host(to), 443 };
	ev->place = text(place);
	ev->method = text(kind == MM_EV_PRESENT ? "GET" : "POST");
	ev->agent = text(BROWSER);
	ev->outcome = MM_SUCCESS;
	ev->response_ns = ev->time_ns = AT(at) + SECOND / 10;
	return ev;
}

static struct mm_cred *put(enum mm_cred_role role, enum mm_cred_kind kind, const char *token)
{
	static struct mm_dissect nobody; /* counts */
	struct mm_cred *cred = mm_oauth_cred(&nobody, &room.ev, role, kind, mm_slice_str(token));
	assert_non_null(cred);
	return cred;
}

/* A set or a document is fetched by a client. */
static void document(uint8_t to, int64_t at, const char *place, const char *text_of)
{
	begin(MM_EV_KEY, to, ISSUER, at, place);
	room.ev.document = text(text_of);
	pass();
}

static const char *set_of(const struct signer *a, const struct signer *b)
{
	static char set[3 * JOSE_TEXT];
	char one[JOSE_TEXT], two[JOSE_TEXT] = "";
	snprintf(set, sizeof set, "{\"keys\":[%s%s%s]}", jwk_text(a, "", one), b != NULL ? "," : "",
	        b != NULL ? jwk_text(b, "", two) : "");
	return set;
}

/* A token request: what is shown for it, and what is handed out; NULL: nothing. */
static void ask(uint8_t from, int64_t at, enum mm_grant grant, const char *shown,
        const char *access, const char *refresh)
{
	begin(access != NULL ? MM_EV_ISSUE : MM_EV_REQUEST, from, ISSUER, at, "a.example/token");
	room.ev.grant = grant;
	room.ev.app = text("shop");
	if (shown != NULL)
		put(MM_ROLE_PRESENTED,
		        grant == MM_GRANT_CODE      ? MM_CRED_CODE
		        : grant == MM_GRANT_REFRESH ? MM_CRED_REFRESH_TOKEN
		                                    : MM_CRED_ACCESS_TOKEN,
		        shown);
	if (access != NULL)
		put(MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN, access)->client = room.ev.app;
	if (refresh != NULL)
		put(MM_ROLE_ISSUED, MM_CRED_REFRESH_TOKEN, refresh)->client = room.ev.app;
	if (access == NULL)
		room.ev.outcome = MM_FAILURE;
	pass();
}

/* A token is shown to the service; changed by the caller before pass(). */
static void show_token(uint8_t from, int64_t at, const char *token)
{
	begin(MM_EV_PRESENT, from, SERVICE, at, "api.example/orders");
	room.ev.scheme = MM_SCHEME_BEARER;
	const struct mm_cred *cred = put(MM_ROLE_PRESENTED, MM_CRED_ACCESS_TOKEN, token);
	room.ev.app = cred->client;
}

static void use(uint8_t from, int64_t at, const char *token)
{
	show_token(from, at, token);
	pass();
}

/* Issued to this client and used there once. */
static const char *honest(uint8_t client, int64_t at, struct spec s)
{
	char refresh[64];
	static unsigned number;
	s.iat = at;
	const char *token = mint(s);
	snprintf(refresh, sizeof refresh, "an opaque refresh token, %u", ++number);
	ask(client, at, MM_GRANT_CLIENT, NULL, token, refresh);
	use(client, at + 2, token);
	return token;
}

static int set_up(void **state)
{
	(void)state;
	struct mm_ledger_config config;
	mm_ledger_config_default(&config);
	config.key = key;
	detect_new(&config, FINDINGS_MAX);
	document(SERVICE, 0, "a.example/.well-known/openid-configuration",
	        "{\"issuer\":\"" A "\",\"jwks_uri\":\"" A "/jwks\"}");
	document(SERVICE, 1, "a.example/jwks", set_of(&own, NULL));
	for (int64_t round = 0; round < ROUNDS; round++)
		for (uint8_t i = 0; i < CLIENTS; i++)
			(void)honest(
			        (uint8_t)(i + 1), 10 + round * 600 + i * 60, (struct spec){ 0 });
	assert_int_equal(d.findings.n, 0);
	return 0;
}

static double weight_of(const struct mm_finding *f, enum mm_weight_id id)
{
	for (size_t i = 0; i < f->n_evidence; i++)
		if (f->evidence[i].weight_id == id)
			return f->evidence[i].weight;
	return 0;
}

/* Found by this rule with this evidence, and reported. */
static struct mm_finding *expect(const struct mm_detector *detector, enum mm_weight_id id)
{
	struct mm_finding *f = finding(detector);
	assert_non_null(f);
	assert_false(f->bare);
	assert_true(f->band >= MM_BAND_MEDIUM);
	assert_true(weight_of(f, id) > 0);
	return f;
}

static void assert_silent(void)
{
	mm_detect_weigh_all(&d);
	for (struct mm_finding *f = mm_table_next(&d.findings, NULL); f != NULL;
	        f = mm_table_next(&d.findings, f))
		assert_true(f->bare || f->band == MM_BAND_LOW);
}

static const struct mm_row *row_of(const char *token)
{
	struct mm_fp fp_of = mm_fp_of(mm_slice_str(token));
	const struct mm_row *row = mm_ledger_find(l, &fp_of);
	assert_non_null(row);
	return row;
}

static struct mm_token *token_of(const char *token)
{
	struct mm_fp fp_of = mm_fp_of(mm_slice_str(token));
	return mm_table_find(&l->tokens.tokens, &fp_of);
}

static void from_network(uint8_t third)
{
	room.ev.src.addr = (struct mm_addr){ 4, { 198, 51, third, 9 } };
}

/* --- who made it ----------------------------------------------------------------------------------- */

static void test_honest(void **state)
{
	(void)state;
	const char *token = honest(1, EVENING, (struct spec){ 0 });
	assert_int_equal(d.findings.n, 0);
	assert_true(trusted);
	assert_true(mm_ledger_issued(l, row_of(token)));
	const struct mm_issuer *issuer =
	        mm_ledger_issuer(l, mm_names_find_folded(&l->names, text(A)));
	assert_int_equal(issuer->n_matched, CLIENTS * ROUNDS + 1);
	assert_int_equal(issuer->n_orphans, 0);
	assert_int_equal(l->tokens.n_invalid, 0);
	/* Shown again it is looked up, not verified. */
	uint64_t before = l->tokens.n_verified;
	for (int64_t i = 0; i < 10; i++)
		use(1, EVENING + 10 + i, token);
	assert_int_equal(l->tokens.n_verified, before);
	assert_silent();
}

/* With the right key, but never issued. */
static void test_orphan(void **state)
{
	(void)state;
	const char *token = mint((struct spec){ .iat = EVENING - 60, .sub = "admin" });
	use(FORGER, EVENING, token);
	struct mm_finding *f = expect(&mm_token_orphan, MM_W_ORPHAN);
	struct mm_fp fp_of = mm_fp_of(mm_slice_str(token));
	assert_true(mm_fp_eq(&f->facts.fp, &fp_of));
	assert_string_equal(f->facts.user, "admin");
	assert_string_equal(f->facts.issuer, A);
	assert_int_equal(f->facts.n_accepted, 1);
	assert_int_equal(f->facts.token.verdict, MM_VALID);
	assert_false(trusted);
}

/* The twin: it says that it was made before the sensor began. */
static void test_orphan_older(void **state)
{
	(void)state;
	use(1, 3000, mint((struct spec){ .iat = -60 }));
	assert_silent();
	assert_null(finding(&mm_jwt_key_scope));
}

static void test_blind(void **state)
{
	(void)state;
	static const char c[] = "https://c.example";
	use(1, EVENING, mint((struct spec){ .iss = c, .by = &foreign, .iat = EVENING - 60 }));
	struct mm_finding *f = finding(&mm_token_orphan);
	assert_non_null(f);
	assert_true(f->bare);
	assert_string_equal(f->unscored, "issuer-not-in-view");
}

/* A key of B's under A's name, taken by a server that trusts both. */
static void test_key_scope(void **state)
{
	(void)state;
	document(SERVICE, EVENING, "b.example/.well-known/openid-configuration",
	        "{\"issuer\":\"https://b.example\",\"jwks_uri\":\"https://b.example/jwks\"}");
	document(SERVICE, EVENING + 1, "b.example/jwks", set_of(&foreign, NULL));
	const char *token = mint((struct spec){ .by = &foreign, .iat = EVENING, .sub = "admin" });
	use(FORGER, EVENING + 10, token);
	struct mm_finding *f = expect(&mm_jwt_key_scope, MM_W_KEY_SCOPE);
	assert_int_equal(f->band, MM_BAND_CRITICAL);
	assert_string_equal(f->facts.token.signer, "https://b.example");
	assert_string_equal(f->facts.issuer, A);
	assert_string_equal(f->facts.token.kid, "foreign");
	assert_true(weight_of(f, MM_W_ACCEPTED) > 0);
	/* One token, one finding; and one about the server that took it. */
	expect(&mm_accepted_invalid, MM_W_ACCEPTED_INVALID);
	assert_int_equal(d.findings.n, 2);
}

static void test_bad_signature(void **state)
{
	(void)state;
	struct signer forger = foreign;
	forger.kid = own.kid;
	const char *token = mint((struct spec){ .by = &forger, .iat = EVENING });
	show_token(FORGER, EVENING + 10, token);
	room.ev.outcome = MM_FAILURE;
	pass();
	struct mm_finding *f = expect(&mm_jwt_bad_signature, MM_W_BAD_SIGNATURE);
	assert_int_equal(f->facts.n_refused, 1);
	assert_null(finding(&mm_accepted_invalid));
	use(FORGER, EVENING + 20, token);
	f = expect(&mm_accepted_invalid, MM_W_ACCEPTED_INVALID);
	assert_int_equal(f->facts.counts[0], 0); /* not its first showing */
	assert_int_equal(d.findings.n, 2);
}

static void test_unsigned(void **state)
{
	(void)state;
	char part[JOSE_TEXT], token[JOSE_TEXT];
	jose_part("{\"alg\":\"nOnE\"}", "{\"iss\":\"" A "\",\"sub\":\"admin\",\"iat\":1700040000}",
	        part);
	use(FORGER, EVENING, jose_join(part, "", 0, token));
	expect(&mm_jwt_alg_abuse, MM_W_UNSIGNED);
	struct mm_finding *f = expect(&mm_accepted_invalid, MM_W_ACCEPTED_INVALID);
	assert_int_equal(f->facts.n_accepted, 1);
}

static void test_drift(void **state)
{
	(void)state;
	document(SERVICE, EVENING, "a.example/jwks", set_of(&own, NULL));
	document(1, EVENING + 10, "a.example/jwks", set_of(&own, NULL));
	document(SERVICE, EVENING + 20, "a.example/jwks", set_of(&own, &foreign));
	use(FORGER, EVENING + 25, mint((struct spec){ .by = &foreign, .iat = EVENING + 20 }));
	document(1, EVENING + 30, "a.example/jwks", set_of(&own, NULL));
	struct mm_finding *f = expect(&mm_jwks_drift, MM_W_JWKS_DRIFT);
	assert_non_null(strstr(f->facts.subject, "foreign"));
	assert_non_null(strstr(f->facts.subject, A));
}

static void test_template(void **state)
{
	(void)state;
	use(FORGER, EVENING, mint((struct spec){ .iat = EVENING - 60, .bare = true }));
	struct mm_finding *f = expect(&mm_jwt_template, MM_W_TEMPLATE);
	assert_true(f->facts.token.template_n >= 20);
	assert_string_equal(f->facts.token.differs, "lacks client_id, jti; adds n");
	assert_int_equal(d.findings.n, 1);
}

static void test_differ(void **state)
{
	(void)state;
	static const struct {
		const char *form, *usual, *words;
	} cases[] = {
		{ "typ=JWT,iss:s", "typ=JWT,iss:s,sub:s", "lacks sub" },
		{ "typ=JWT,iss:s,sub:s", "typ=JWT,iss:s", "adds sub" },
		{ "typ=JWT,sub:s,iss:s", "typ=JWT,iss:s,sub:s", "their order differs" },
		{ "typ=JWT,iss:s", "typ=at+jwt,iss:s", "lacks typ=at+jwt; adds typ=JWT" },
		{ "a:s", "b:s,c:s,d:s,e:s", "lacks b, c, d; adds a" },
		{ "a\xff\n:s", "b:s", "lacks b; adds a??" },
		{ "", "", "their order differs" },
	};
	for (size_t i = 0; i < N_OF(cases); i++) {
		char words[MM_TOKEN_TEXT];
		mm_claims_differ(cases[i].form, text(cases[i].usual), words);
		assert_string_equal(words, cases[i].words);
	}
	char form[512] = "", words[MM_TOKEN_TEXT];
	for (unsigned i = 0; i < 5; i++)
		snprintf(form + strlen(form), sizeof form - strlen(form), "%s%040u%c:s",
		        i != 0 ? "," : "", i, 'a' + (char)i);
	mm_claims_differ(form, text("b:s"), words);
	assert_true(strlen(words) < MM_TOKEN_TEXT);
	mm_claims_differ("b:s", text(form), words);
	assert_true(strlen(words) < MM_TOKEN_TEXT);
}

/* The twin: the issuer writes them so from now on. */
static void test_template_rolled_out(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < CLIENTS; i++)
		(void)honest((uint8_t)(i + 1), EVENING + i * 10, (struct spec){ .bare = true });
	assert_silent();
	assert_null(finding(&mm_jwt_template));
}

static void test_lifetime(void **state)
{
	(void)state;
	const char *token = mint((struct spec){ .iat = EVENING - 60, .life = 10 * 86400 });
	use(FORGER, EVENING, token);
	struct mm_finding *f = expect(&mm_jwt_lifetime, MM_W_TOKEN_LIFETIME);
	assert_int_equal(f->facts.token.lifetime_max_s, 3600);
	assert_true(weight_of(f, MM_W_ORPHAN) > 0);
	/* A little longer is nothing. */
	(void)honest(1, EVENING + 100, (struct spec){ .life = 4000 });
	assert_int_equal(d.findings.n, 1);
}

static void test_tenant(void **state)
{
	(void)state;
	static const char iss[] = "https://login.example/1b7a1b7a-0000-4000-8000-000000000001/v2.0";
	(void)honest(1, EVENING,
	        (struct spec){
	                .iss = iss, .more = ",\"tid\":\"1B7A1B7A-0000-4000-8000-000000000001\"" });
	(void)honest(1, EVENING + 10, (struct spec){ .iss = iss, .more = ",\"tid\":\"corp\"" });
	assert_null(finding(&mm_jwt_claims));
	use(FORGER, EVENING + 60,
	        mint((struct spec){ .iss = iss,
	                .iat = EVENING,
	                .more = ",\"tid\":\"2c8b2c8b-0000-4000-8000-000000000002\"" }));
	expect(&mm_jwt_claims, MM_W_TENANT);
}

/* --- where it is shown ----------------------------------------------------------------------------- */

static void test_audience(void **state)
{
	(void)state;
	struct spec s = { .iat = EVENING, .aud = "https://mail.example" };
	const char *token = mint(s);
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, token, NULL);
	show_token(1, EVENING + 10, token);
	room.ev.outcome = MM_FAILURE;
	pass();
	assert_null(finding(&mm_jwt_claims)); /* refused: as it should be */
	show_token(1, EVENING + 20, token);
	from_network(7);
	pass();
	struct mm_finding *f = expect(&mm_jwt_claims, MM_W_AUDIENCE);
	assert_string_equal(f->facts.token.usual, API);
}

/* The twins: a second name of the service, by whom the token was issued to; and several audiences. */
static void test_audience_own(void **state)
{
	(void)state;
	struct spec s = { .iat = EVENING, .aud = "https://mail.example" };
	const char *token = mint(s);
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, token, NULL);
	use(1, EVENING + 20, token);
	assert_true(weight_of(finding(&mm_jwt_claims), MM_W_AUDIENCE_OWN) > 0);
	assert_silent();
	const char *other = honest(2, EVENING + 30, s); /* it is known by now */
	assert_null(mm_detect_find(&d, &row_of(other)->fp));
}

static void test_audience_list(void **state)
{
	(void)state;
	const char *token =
	        mint((struct spec){ .iat = EVENING, .aud = "https://a.example/me " API });
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, token, NULL);
	show_token(1, EVENING + 20, token);
	from_network(7);
	pass();
	assert_int_equal(d.findings.n, 0);
}

/* Shown where it belongs, and then elsewhere. */
static void test_audience_later(void **state)
{
	(void)state;
	for (int64_t i = 0; i < 25; i++) {
		const char *mail =
		        mint((struct spec){ .iat = EVENING, .aud = "https://mail.example" });
		ask(1, EVENING + i, MM_GRANT_CLIENT, NULL, mail, NULL);
		show_token(1, EVENING + i + 1, mail);
		room.ev.dst.addr = host(SERVICE + 1);
		room.ev.place = text("mail.example/inbox");
		pass();
	}
	assert_int_equal(d.findings.n, 0);
	const char *token = honest(1, EVENING + 60, (struct spec){ 0 });
	use(1, EVENING + 70, token);
	show_token(1, EVENING + 80, token);
	from_network(7);
	room.ev.dst.addr = host(SERVICE + 1);
	room.ev.place = text("mail.example/inbox");
	pass();
	expect(&mm_jwt_claims, MM_W_AUDIENCE);
}

static void test_id_token(void **state)
{
	(void)state;
	const char *token = mint((struct spec){ .iat = EVENING, .aud = "shop" });
	begin(MM_EV_ISSUE, 1, ISSUER, EVENING, "a.example/token");
	room.ev.grant = MM_GRANT_CODE;
	put(MM_ROLE_ISSUED, MM_CRED_ID_TOKEN, token);
	pass();
	show_token(1, EVENING + 10, token);
	room.ev.outcome = MM_FAILURE;
	pass();
	assert_null(finding(&mm_jwt_claims));
	use(1, EVENING + 20, token);
	expect(&mm_jwt_claims, MM_W_ID_TOKEN);
}

static void test_expired(void **state)
{
	(void)state;
	const char *token = honest(1, EVENING, (struct spec){ 0 });
	use(1, EVENING + 3600 + 200, token); /* clocks differ */
	show_token(1, EVENING + 3600 + 400, token);
	room.ev.outcome = MM_FAILURE;
	pass();
	assert_null(finding(&mm_jwt_outside_validity));
	use(1, EVENING + 3600 + 410, token); /* by whom it was issued to: the server's fault */
	struct mm_finding *f = finding(&mm_jwt_outside_validity);
	assert_non_null(f);
	assert_int_equal(f->band, MM_BAND_LOW);
	assert_true(weight_of(f, MM_W_EXPIRED_OWN) > 0);
}

static void test_expired_elsewhere(void **state)
{
	(void)state;
	const char *token = honest(1, EVENING, (struct spec){ 0 });
	show_token(1, EVENING + 2 * 3600, token);
	from_network(7);
	pass();
	expect(&mm_jwt_outside_validity, MM_W_EXPIRED_ACCEPTED);
}

static void test_early(void **state)
{
	(void)state;
	char more[64];
	snprintf(more, sizeof more, ",\"nbf\":%lld", (long long)DAY + EVENING + 1000);
	const char *token = mint((struct spec){ .iat = EVENING, .more = more });
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, token, NULL);
	use(1, EVENING + 10, token);
	struct mm_finding *f = finding(&mm_jwt_outside_validity);
	assert_non_null(f);
	assert_true(weight_of(f, MM_W_EARLY_ACCEPTED) > 0);
	(void)honest(2, EVENING + 800, (struct spec){ .more = more }); /* 200 s: clocks */
	assert_int_equal(d.findings.n, 1);
}

static void test_moved(void **state)
{
	(void)state;
	const char *token = honest(1, EVENING, (struct spec){ 0 });
	show_token(1, EVENING + 60, token);
	from_network(7);
	room.ev.agent = text("python-requests/2.31");
	pass();
	struct mm_finding *f = expect(&mm_token_moved, MM_W_TOKEN_MOVED);
	assert_true(f->facts.token.other_agent);
	struct mm_addr before = host(1);
	assert_true(mm_addr_eq(&f->facts.token.from, &before));
	assert_int_equal(weight_of(f, MM_W_TO_AND_FRO), 0);
	use(1, EVENING + 120, token); /* and the owner goes on */
	expect(&mm_token_moved, MM_W_TO_AND_FRO);
	assert_int_equal(d.findings.n, 1);
}

/* The twin: a telephone that leaves the house, and a browser that was updated. */
static void test_mobile(void **state)
{
	(void)state;
	const char *token = honest(1, EVENING, (struct spec){ 0 });
	show_token(1, EVENING + 60, token);
	from_network(7);
	pass();
	show_token(1, EVENING + 120, token);
	from_network(8);
	room.ev.agent = text("Mozilla/5.0 (X11; Linux x86_64) Firefox/129.0.1");
	pass();
	show_token(1, EVENING + 180, token); /* other software on the same host */
	from_network(8);
	room.ev.agent = text("curl/8");
	pass();
	assert_int_equal(d.findings.n, 0);
	assert_true(trusted);
}

/* A laptop with IPv4 and IPv6, or a telephone at the door: in turns, by the same software. A thief is told all the same. */
static void test_in_turns(void **state)
{
	(void)state;
	const char *token = honest(1, EVENING, (struct spec){ 0 });
	for (int64_t i = 0; i < 6; i++) {
		show_token(1, EVENING + 60 + i * 60, token);
		if (i % 2 == 0)
			from_network(7);
		pass();
	}
	assert_non_null(finding(&mm_token_moved));
	assert_silent();
	show_token(1, EVENING + 600, token);
	from_network(9);
	room.ev.agent = text("python-requests/2.31");
	pass();
	struct mm_finding *f = expect(&mm_token_moved, MM_W_TOKEN_MOVED);
	assert_true(weight_of(f, MM_W_TO_AND_FRO) > 0);
	assert_int_equal(d.findings.n, 1);
}

/* One application, two kinds of software: each had shown it before. */
static void test_two_kinds(void **state)
{
	(void)state;
	const char *token = honest(1, EVENING, (struct spec){ 0 });
	show_token(1, EVENING + 60, token);
	room.ev.agent = text("okhttp/4.12.0");
	pass();
	show_token(1, EVENING + 120, token);
	from_network(7);
	pass();
	show_token(1, EVENING + 3900, token);
	from_network(8);
	room.ev.agent = text("okhttp/4.12.0");
	pass();
	assert_int_equal(d.findings.n, 0);
}

/* Of one application, many of whose tokens are shown by two kinds of software at once: what each moves to first is chance. */
static void test_kinds_of_many(void **state)
{
	(void)state;
	const char *token = honest(1, EVENING, (struct spec){ 0 });
	show_token(1, EVENING + 60, token);
	from_network(7);
	room.ev.agent = text("okhttp/4.12.0");
	pass();
	expect(&mm_token_moved, MM_W_TOKEN_MOVED);
	for (int64_t i = 0; i < 60; i++) {
		const char *other = honest(2, EVENING + 100 + i * 10, (struct spec){ 0 });
		show_token(2, EVENING + 104 + i * 10, other);
		room.ev.agent = text("okhttp/4.12.0");
		pass();
	}
	assert_silent();
	assert_true(weight_of(finding(&mm_token_moved), MM_W_TOKEN_MOVED) > 0);
}

/* The same, of an issuer whose own leg is out of sight. */
static void test_kinds_unseen(void **state)
{
	(void)state;
	static const char b[] = "https://b.example";
	document(50, EVENING, "b.example/.well-known/openid-configuration",
	        "{\"issuer\":\"https://b.example\",\"jwks_uri\":\"https://b.example/jwks\"}");
	document(50, EVENING, "b.example/jwks", set_of(&foreign, NULL));
	for (int64_t i = 0; i < 60; i++) {
		int64_t at = EVENING + 10 + i * 10;
		const char *token = mint((struct spec){ .iat = at, .iss = b, .by = &foreign });
		use(2, at + 4, token);
		show_token(2, at + 5, token);
		room.ev.agent = text("okhttp/4.12.0");
		if (i == 59)
			from_network(7);
		pass();
	}
	assert_silent();
	assert_int_equal(mm_tokens_of_kinds(l, text(b), MM_CRED_ACCESS_TOKEN, text("shop")).k, 59);
}

/* A service that passes it on, in an exchange, is not its holder. */
static void test_passed_on(void **state)
{
	(void)state;
	const char *token = honest(1, EVENING, (struct spec){ 0 });
	begin(MM_EV_ISSUE, 200, ISSUER, EVENING + 10, "a.example/token");
	from_network(9);
	room.ev.agent = text("backend/1");
	room.ev.grant = MM_GRANT_EXCHANGE;
	put(MM_ROLE_PRESENTED, MM_CRED_ACCESS_TOKEN, token);
	put(MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN, mint((struct spec){ .iat = EVENING + 10 }));
	pass();
	assert_int_equal(d.findings.n, 0);
}

/* --- behind a proxy -------------------------------------------------------------------------------- */

/* One request on both legs, the one that ends first known first, or the other. */
static void both_legs(uint8_t client, int64_t at, const char *token, bool back_first)
{
	for (unsigned i = 0; i < 2; i++) {
		bool back = (i == 0) == back_first;
		show_token(back ? PROXY : client, at, token);
		room.ev.dst.addr = host(back ? SERVICE : PROXY);
		room.ev.request_ns = AT(at) + (back ? 2 : 0) * SECOND / 1000;
		room.ev.response_ns = AT(at) + (back ? 8 : 10) * SECOND / 1000;
		room.ev.time_ns = room.ev.response_ns;
		pass();
	}
}

static void test_copies(void **state)
{
	(void)state;
	for (unsigned order = 0; order < 2; order++) {
		const char *token = mint((struct spec){ .iat = EVENING });
		uint64_t copies = l->tokens.n_copies;
		ask(1, EVENING, MM_GRANT_CLIENT, NULL, token, NULL);
		both_legs(1, EVENING + 5, token, order == 0);
		assert_int_equal(row_of(token)->n_presented, 1);
		assert_int_equal(l->tokens.n_copies, copies + 1);
		const struct mm_token *t = token_of(token);
		struct mm_addr client = host(1);
		assert_int_equal(t->n_places, 1);
		assert_true(mm_addr_eq(&t->places[0].client, &client));
		both_legs(1, EVENING + 60, token, order != 0);
		assert_int_equal(row_of(token)->n_presented, 2);
		assert_int_equal(token_of(token)->n_places, 1);
	}
	assert_int_equal(d.findings.n, 0);
}

/* Not one request: another time, another host. */
static void test_no_copies(void **state)
{
	(void)state;
	const char *token = honest(1, EVENING, (struct spec){ 0 });
	use(1, EVENING + 60, token);
	use(2, EVENING + 60, token);
	assert_int_equal(row_of(token)->n_presented, 3);
	assert_int_equal(l->tokens.n_copies, 0);
}

static void test_forger_behind_proxy(void **state)
{
	(void)state;
	for (unsigned order = 0; order < 2; order++) {
		const char *token =
		        mint((struct spec){ .iat = EVENING - 60, .sub = "admin", .bare = true });
		struct mm_fp fp_of = mm_fp_of(mm_slice_str(token));
		both_legs(FORGER, EVENING + order * 60, token, order == 0);
		struct mm_finding *f = mm_detect_find(&d, &fp_of);
		struct mm_addr client = host(FORGER);
		assert_non_null(f);
		assert_true(mm_addr_eq(&f->facts.client, &client));
		assert_int_equal(f->facts.n_uses, 1);
	}
}

/* --- codes and refresh tokens ---------------------------------------------------------------------- */

static void test_code(void **state)
{
	(void)state;
	static const char code[] = "SplxlOBeZQQYbYS6WxSbIA";
	begin(MM_EV_ISSUE, 1, ISSUER, EVENING, "a.example/authorize");
	put(MM_ROLE_ISSUED, MM_CRED_CODE, code);
	pass();
	ask(1, EVENING + 1, MM_GRANT_CODE, code, mint((struct spec){ .iat = EVENING + 1 }), NULL);
	ask(1, EVENING + 6, MM_GRANT_CODE, code, NULL, NULL); /* a retry */
	assert_int_equal(d.findings.n, 0);
	ask(1, EVENING + 60, MM_GRANT_CODE, code, NULL, NULL); /* the back button */
	struct mm_finding *f = finding(&mm_token_reuse);
	assert_non_null(f);
	assert_int_equal(f->band, MM_BAND_LOW);
	assert_true(weight_of(f, MM_W_CODE_REUSED_HERE) > 0);
}

/* What is seen issued does not tell what the rest is like, where most is issued out of sight. */
static void test_seen_in_part(void **state)
{
	(void)state;
	double before, now;
	use(FORGER, EVENING, mint((struct spec){ .iat = EVENING - 60, .bare = true }));
	before = weight_of(expect(&mm_jwt_template, MM_W_TEMPLATE), MM_W_TEMPLATE);
	for (int64_t i = 0; i < 100; i++)
		use((uint8_t)(i % CLIENTS + 1), EVENING + 10 + i,
		        mint((struct spec){ .iat = EVENING - 60 }));
	use(1, EVENING + 200, mint((struct spec){ .iat = EVENING - 60, .bare = true }));
	now = weight_of(finding(&mm_jwt_template), MM_W_TEMPLATE);
	assert_true(now < 10 && before > 2 * now);
}

/* Claims are compared within an application: so is counted how often an application has new ones. */
static void test_claims_once(void **state)
{
	(void)state;
	static const char *const apps[] = { "one", "two" };
	uint32_t issuer = mm_names_find_folded(&l->names, text(A));
	struct mm_share before = mm_baseline_once(&l->baseline, MM_TRAIT_CLAIMS_NTH, issuer, 0);
	for (size_t i = 0; i < N_OF(apps); i++) {
		int64_t at = EVENING + (int64_t)i;
		begin(MM_EV_ISSUE, 1, ISSUER, at, "a.example/token");
		room.ev.grant = MM_GRANT_CLIENT;
		room.ev.app = text(apps[i]);
		put(MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN,
		        mint((struct spec){ .iat = at, .bare = true }));
		pass();
	}
	struct mm_share after = mm_baseline_once(&l->baseline, MM_TRAIT_CLAIMS_NTH, issuer, 0);
	assert_int_equal(after.k, before.k + N_OF(apps));
	assert_int_equal(after.n, before.n + N_OF(apps));
}

/* What its issuer was seen to hand out is no forgery, though nothing is learnt of it: what it was given for is in doubt. */
static void test_issued_unusual(void **state)
{
	(void)state;
	static const char code[] = "SplxlOBeZQQYbYS6WxSbIA";
	const char *token = mint((struct spec){ .iat = EVENING + 60, .bare = true, .life = 86400 });
	ask(1, EVENING + 1, MM_GRANT_CODE, code, mint((struct spec){ .iat = EVENING + 1 }), NULL);
	ask(1, EVENING + 60, MM_GRANT_CODE, code, token, NULL);
	assert_false(trusted);
	use(1, EVENING + 70, token);
	assert_null(finding(&mm_jwt_template));
	assert_null(finding(&mm_jwt_lifetime));
	assert_silent();
}

static void test_code_elsewhere(void **state)
{
	(void)state;
	static const char code[] = "SplxlOBeZQQYbYS6WxSbIA";
	ask(1, EVENING + 1, MM_GRANT_CODE, code, mint((struct spec){ .iat = EVENING + 1 }), NULL);
	begin(MM_EV_ISSUE, 1, ISSUER, EVENING + 3, "a.example/token");
	from_network(7);
	room.ev.grant = MM_GRANT_CODE;
	put(MM_ROLE_PRESENTED, MM_CRED_CODE, code);
	put(MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN, mint((struct spec){ .iat = EVENING + 3 }));
	pass();
	struct mm_finding *f = expect(&mm_token_reuse, MM_W_CODE_REUSED);
	assert_false(f->facts.token.same_host);
}

/* By the same host, and then by another: the second counts. */
static void test_code_twice(void **state)
{
	(void)state;
	static const char code[] = "SplxlOBeZQQYbYS6WxSbIA";
	ask(1, EVENING + 1, MM_GRANT_CODE, code, mint((struct spec){ .iat = EVENING + 1 }), NULL);
	ask(1, EVENING + 60, MM_GRANT_CODE, code, NULL, NULL);
	begin(MM_EV_REQUEST, FORGER, ISSUER, EVENING + 90, "a.example/token");
	from_network(7);
	room.ev.grant = MM_GRANT_CODE;
	room.ev.outcome = MM_FAILURE;
	put(MM_ROLE_PRESENTED, MM_CRED_CODE, code);
	pass();
	expect(&mm_token_reuse, MM_W_CODE_REUSED);
	ask(1, EVENING + 120, MM_GRANT_CODE, code, NULL, NULL);
	expect(&mm_token_reuse, MM_W_CODE_REUSED);
}

static void test_refresh(void **state)
{
	(void)state;
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, mint((struct spec){ .iat = EVENING }), "refresh-1");
	/* Not rotated: it may be used again and again. */
	for (int64_t i = 1; i < 4; i++)
		ask(1, EVENING + i * 100, MM_GRANT_REFRESH, "refresh-1",
		        mint((struct spec){ .iat = EVENING + i * 100 }), NULL);
	ask(1, EVENING + 500, MM_GRANT_REFRESH, "refresh-1",
	        mint((struct spec){ .iat = EVENING + 500 }), "refresh-2");
	ask(1, EVENING + 505, MM_GRANT_REFRESH, "refresh-1",
	        mint((struct spec){ .iat = EVENING + 505 }), "refresh-3");
	assert_int_equal(d.findings.n, 0);
	begin(MM_EV_REQUEST, FORGER, ISSUER, EVENING + 700, "a.example/token");
	from_network(7);
	room.ev.grant = MM_GRANT_REFRESH;
	room.ev.outcome = MM_FAILURE;
	put(MM_ROLE_PRESENTED, MM_CRED_REFRESH_TOKEN, "refresh-1");
	room.ev.agent = text("curl/8");
	pass();
	expect(&mm_token_reuse, MM_W_ROTATED_ELSEWHERE);
}

/* The twin: an answer that was lost between two networks, so that the software asks again with what it has. */
static void test_refresh_lost(void **state)
{
	(void)state;
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, mint((struct spec){ .iat = EVENING }), "refresh-1");
	ask(1, EVENING + 500, MM_GRANT_REFRESH, "refresh-1",
	        mint((struct spec){ .iat = EVENING + 500 }), "refresh-2");
	begin(MM_EV_ISSUE, 1, ISSUER, EVENING + 540, "a.example/token");
	from_network(7);
	room.ev.grant = MM_GRANT_REFRESH;
	put(MM_ROLE_PRESENTED, MM_CRED_REFRESH_TOKEN, "refresh-1");
	put(MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN, mint((struct spec){ .iat = EVENING + 540 }));
	pass();
	assert_true(weight_of(finding(&mm_token_reuse), MM_W_ROTATED_ROAMED) > 0);
	assert_silent();
}

/* --- bound tokens ---------------------------------------------------------------------------------- */

static const char *thumbprint_of(const struct signer *s)
{
	/* RFC 7638: the required members of an EC key, in order. */
	char members[JOSE_TEXT], order[JOSE_TEXT + 16];
	uint8_t digest[32];
	jwk_members(s, members);
	const char *rest = strchr(members, ',') + 1, *x = strstr(rest, "\"x\"");
	snprintf(order, sizeof order, "{%.*s\"kty\":\"EC\",%s}", (int)(x - rest), rest, x);
	assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, order, strlen(order), digest, NULL), 1);
	return jose_b64(digest, sizeof digest);
}

struct proof_spec {
	const struct signer *by, *shown; /* whose key is in the header */
	const char *token, *htm, *htu, *alg, *typ;
	bool no_ath;
};

static const char *proof_of(struct proof_spec p)
{
	static char out[JOSE_TEXT];
	static unsigned number;
	char header[2 * JOSE_TEXT], claims[1024], members[JOSE_TEXT];
	uint8_t digest[32];
	p.by = p.by != NULL ? p.by : &device;
	p.shown = p.shown != NULL ? p.shown : p.by;
	(void)EVP_Q_digest(NULL, "SHA256", NULL, p.token, strlen(p.token), digest, NULL);
	snprintf(header, sizeof header, "{\"typ\":\"%s\",\"alg\":\"%s\",\"jwk\":{%s}}",
	        p.typ != NULL ? p.typ : "dpop+jwt", p.alg != NULL ? p.alg : p.by->alg,
	        jwk_members(p.shown, members));
	snprintf(claims, sizeof claims,
	        "{\"jti\":\"%u\",\"htm\":\"%s\",\"htu\":\"%s\",\"iat\":1700043200,\"%s\":\"%s\"}",
	        ++number, p.htm != NULL ? p.htm : "GET",
	        p.htu != NULL ? p.htu : "https://api.example/orders", p.no_ath ? "x" : "ath",
	        jose_b64(digest, sizeof digest));
	return jwt_with(p.by, header, claims, out);
}

static const char *bound_token(void)
{
	char more[256];
	snprintf(more, sizeof more, ",\"cnf\":{\"jkt\":\"%s\"}", thumbprint_of(&device));
	const char *token = mint((struct spec){ .iat = EVENING, .more = more });
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, token, NULL);
	return token;
}

static void show_bound(int64_t at, const char *token, const char *proof)
{
	show_token(1, EVENING + at, token);
	room.ev.scheme = MM_SCHEME_DPOP;
	room.ev.document = text(proof);
	pass();
}

static void test_proof(void **state)
{
	(void)state;
	const char *token = bound_token();
	show_bound(1, token, proof_of((struct proof_spec){ .token = token }));
	show_bound(1, token,
	        proof_of((struct proof_spec){ .token = token, .typ = "application/DPoP+JWT" }));
	/* A proxy put something before the path, or took it away. */
	show_bound(2, token,
	        proof_of((struct proof_spec){
	                .token = token, .htu = "https://www.example/api/orders?x=1" }));
	show_token(1, EVENING + 3, token);
	room.ev.place = text("10.0.0.1/internal/orders");
	room.ev.document = text(proof_of((struct proof_spec){ .token = token }));
	pass();
	assert_int_equal(d.findings.n, 0);
}

/* RFC 9449 sections 4.1 and 7.1. */
#define PROOF_HEAD                                                                                 \
	"eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0" \
	"V"                                                                                        \
	"jNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10N" \
	"n"                                                                                        \
	"Y5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"

static void test_proof_specification(void **state)
{
	(void)state;
	static const char first[] =
	        PROOF_HEAD ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi"
	                   "8vc2VydmVyLm"
	                   "V4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-"
	                   "FdWP0A0zdrj8igiML"
	                   "vqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
	static const char second[] =
	        PROOF_HEAD ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly"
	                   "9yZXNvdXJjZS"
	                   "5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoI"
	                   "joiZlVIeU8ycj"
	                   "JaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9."
	                   "2oW9RP35yRqzhrtNP86L-Ey71EOptxRim"
	                   "PPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
	struct mm_slice jkt = mm_slice_str("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
	struct mm_fp id,
	        token = mm_fp_of(mm_slice_str("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"));
	struct mm_str post = text("POST"), get = text("GET");
	struct mm_str server = text("server.example.com/token"),
	              resource = text("resource.example.org/protectedresource");
	assert_true(mm_proof_good(mm_slice_str(first), jkt, NULL, post, server, &id));
	/* A request for a token carries none; shown with one the hash is missing. */
	assert_false(mm_proof_good(mm_slice_str(first), jkt, &token, post, server, &id));
	assert_true(mm_proof_good(mm_slice_str(second), jkt, &token, get, resource, &id));
	assert_false(mm_proof_good(mm_slice_str(second), jkt, &token, post, resource, &id));
	assert_false(mm_proof_good(mm_slice_str(second), jkt, &token, get, server, &id));
	token.b[0] ^= 1;
	assert_false(mm_proof_good(mm_slice_str(second), jkt, &token, get, resource, &id));
}

static void test_bad_proofs(void **state)
{
	(void)state;
	const char *good = NULL, *others = mint((struct spec){ .iat = EVENING });
	char kept[JOSE_TEXT];
	for (unsigned i = 0; i < 11; i++) {
		const char *token = bound_token();
		struct proof_spec p = { .token = token };
		struct mm_fp fp_of = mm_fp_of(mm_slice_str(token));
		switch (i) {
		case 0:
			show_bound(1, token, NULL);
			break;
		case 1: /* the thief's own key */
			p.by = &other_device;
			break;
		case 2: /* the owner's key, signed by another */
			p.by = &other_device;
			p.shown = &device;
			break;
		case 3:
			p.token = others;
			break;
		case 4:
			p.htm = "DELETE";
			break;
		case 5:
			p.htu = "https://api.example/admin";
			break;
		case 6: /* RFC 9449 section 4.3: not none, and no HMAC */
			p.by = &other_device;
			p.shown = &device;
			p.alg = "none";
			break;
		case 7:
			p.by = &other_device;
			p.shown = &device;
			p.alg = "HS256";
			break;
		case 8: /* made for a request that asks for a token: section 4.3, check 11 */
			p.no_ath = true;
			break;
		case 9: /* any JWT by the key is not a proof */
			p.typ = "JWT";
			break;
		default: /* used before */
			good = proof_of(p);
			snprintf(kept, sizeof kept, "%s", good);
			show_bound(1, token, kept);
			assert_null(mm_detect_find(&d, &fp_of));
			show_bound(2, token, kept);
		}
		if (i > 0 && i < 10)
			show_bound(1, token, proof_of(p));
		struct mm_finding *f = mm_detect_find(&d, &fp_of);
		assert_non_null(f);
		assert_ptr_equal(f->detector, &mm_token_binding);
		assert_true(f->band >= MM_BAND_MEDIUM);
		assert_true(weight_of(f, i == 0 ? MM_W_NO_PROOF : MM_W_BAD_PROOF) > 0);
	}
}

/* Another server hands out tokens that name this issuer: by another key, of the same name or one that nobody knows. */
static void test_others_issue(void **state)
{
	(void)state;
	struct signer same = signer_new("RS256", own.kid), unknown = signer_new("RS256", "none");
	const struct signer *const by[] = { &same, &unknown, &own };
	size_t n_apps = l->apps.apps.n;
	for (size_t i = 0; i < sizeof by / sizeof by[0]; i++) {
		const char *token = mint((struct spec){ .by = by[i], .iat = EVENING });
		begin(MM_EV_ISSUE, 1, i < 2 ? FORGER : ISSUER, EVENING, "x.example/token");
		room.ev.grant = MM_GRANT_CODE;
		room.ev.app = text("evil");
		put(MM_ROLE_ISSUED, MM_CRED_ACCESS_TOKEN, token)->client = room.ev.app;
		pass();
		assert_int_equal(l->apps.apps.n, n_apps + (i == 2));
	}
	signer_done(&same);
	signer_done(&unknown);
}

static void test_certificate(void **state)
{
	(void)state;
	uint8_t digest[32];
	char more[256];
	memset(digest, 0x5a, sizeof digest);
	snprintf(more, sizeof more, ",\"cnf\":{\"x5t#S256\":\"%s\"}",
	        jose_b64(digest, sizeof digest));
	const char *token = mint((struct spec){ .iat = EVENING, .more = more });
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, token, NULL);
	use(1, EVENING + 1, token); /* TLS was not seen */
	show_token(1, EVENING + 2, token);
	memcpy(room.ev.cert.b, digest, sizeof room.ev.cert.b);
	pass();
	assert_int_equal(d.findings.n, 0);
	show_token(1, EVENING + 3, token);
	memset(room.ev.cert.b, 0x77, sizeof room.ev.cert.b);
	pass();
	expect(&mm_token_binding, MM_W_NO_CERT);
}

/* A certificate-bound token, shown with its certificate or where TLS is seen to have none; then without. */
static void show_certified(bool with)
{
	uint8_t digest[32];
	char more[256];
	memset(digest, 0x5a, sizeof digest);
	snprintf(more, sizeof more, ",\"cnf\":{\"x5t#S256\":\"%s\"}",
	        jose_b64(digest, sizeof digest));
	const char *token = mint((struct spec){ .iat = EVENING, .more = more });
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, token, NULL);
	show_token(1, EVENING + 2, token);
	room.ev.no_cert = !with;
	if (with)
		memcpy(room.ev.cert.b, digest, sizeof room.ev.cert.b);
	pass();
	show_token(1, EVENING + 3, token);
	room.ev.no_cert = true;
	pass();
}

static void test_certificate_missing(void **state)
{
	(void)state;
	show_certified(true);
	expect(&mm_token_binding, MM_W_NO_CERT);
}

/* The same application goes to a server as well before which a proxy ends TLS; and a thief to the first one. */
static void test_certificate_elsewhere(void **state)
{
	(void)state;
	uint8_t digest[32];
	char more[256];
	memset(digest, 0x5a, sizeof digest);
	snprintf(more, sizeof more, ",\"cnf\":{\"x5t#S256\":\"%s\"}",
	        jose_b64(digest, sizeof digest));
	const char *token = mint((struct spec){ .iat = EVENING, .more = more });
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, token, NULL);
	show_token(1, EVENING + 2, token);
	memcpy(room.ev.cert.b, digest, sizeof room.ev.cert.b);
	pass();
	show_token(1, EVENING + 3, token);
	room.ev.place = text("proxied.example/orders");
	room.ev.no_cert = true;
	pass();
	assert_int_equal(d.findings.n, 0);
	show_token(1, EVENING + 4, token);
	room.ev.no_cert = true;
	pass();
	expect(&mm_token_binding, MM_W_NO_CERT);
}

/* A proxy before the server ends TLS for its clients. */
static void test_certificate_at_proxy(void **state)
{
	(void)state;
	show_certified(false);
	assert_int_equal(d.findings.n, 0);
}

/* --- what came of it ------------------------------------------------------------------------------- */

static bool has_use(const struct mm_finding *f, const char *token)
{
	struct mm_fp fp_of = mm_fp_of(mm_slice_str(token));
	for (size_t i = 0; i < f->n_uses; i++)
		if (mm_fp_eq(&f->uses[i].shown, &fp_of))
			return true;
	return false;
}

static void test_taint(void **state)
{
	(void)state;
	const char *forged = mint((struct spec){ .iat = EVENING, .sub = "admin" });
	const char *derived = mint((struct spec){ .iat = EVENING + 10, .sub = "admin" });
	const char *later = mint((struct spec){ .iat = EVENING + 30, .sub = "admin" });
	ask(FORGER, EVENING + 10, MM_GRANT_EXCHANGE, forged, derived, "derived-refresh");
	use(FORGER, EVENING + 20, derived);
	ask(FORGER, EVENING + 30, MM_GRANT_REFRESH, "derived-refresh", later, NULL);
	use(FORGER, EVENING + 40, later);
	struct mm_finding *f = expect(&mm_token_orphan, MM_W_ORPHAN);
	assert_true(has_use(f, forged));
	assert_true(has_use(f, derived));
	assert_true(has_use(f, "derived-refresh"));
	assert_true(has_use(f, later));
	assert_int_equal(d.findings.n, 1);
	assert_false(trusted);
	/* And an honest one beside it is not. */
	(void)honest(1, EVENING + 50, (struct spec){ 0 });
	assert_true(trusted);
}

/* The issuer of an opaque token is known from where it was issued; of others nothing. */
static void test_opaque(void **state)
{
	(void)state;
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, "opaque-access-token", NULL);
	use(1, EVENING + 10, "opaque-access-token");
	assert_true(mm_ledger_issued(l, row_of("opaque-access-token")));
	assert_int_equal(d.findings.n, 0);
	const struct mm_mint *minted = mm_ledger_mint(l, row_of("opaque-access-token"));
	assert_true(mm_str_eq(mm_names_text(&l->names, minted->issuer), text(A)));
	use(FORGER, EVENING + 20, "another-opaque-token");
	assert_silent();
}

/* --- state ----------------------------------------------------------------------------------------- */

static int load_state(struct mm_slice bytes)
{
	struct mm_ledger_config config;
	struct mm_ledger *ledger;
	struct mm_file_map map = { 0 };
	struct mm_cursor c = mm_cursor(bytes);
	mm_ledger_config_default(&config);
	config.key = (struct mm_hash_key){ 9, 9 };
	assert_int_equal(mm_ledger_new(&config, &ledger), MM_OK);
	int r = mm_file_map_load(&map, &c);
	if (r == MM_OK)
		r = mm_ledger_load(ledger, &c, &map);
	mm_file_map_done(&map);
	mm_ledger_free(ledger);
	return r;
}

/* Cut or flipped anywhere it is refused, or it is another state that can be used. */
static void test_hostile_state(void **state)
{
	(void)state;
	enum { CUTS = 150, FLIPS = 600 };
	struct mm_files files = { 0 };
	struct mm_store out = { 0 };
	assert_int_equal(mm_files_add(&files, "a.pcap"), 0);
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, mint((struct spec){ .iat = EVENING }), "refresh-1");
	mm_files_save(&files, &out);
	mm_ledger_save(l, &out);
	assert_int_equal(load_state(mm_slice(out.p, out.len)), MM_OK);
	struct guard g = guard_new(out.len);
	for (size_t i = 0; i < CUTS; i++) {
		size_t len = out.len * i / CUTS;
		assert_int_not_equal(load_state(mm_slice(guard_put(&g, out.p, len), len)), MM_OK);
	}
	for (size_t i = 0; i < FLIPS; i++) {
		size_t bit = (out.len * 8 - 1) / FLIPS * i;
		out.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		(void)load_state(mm_slice(guard_put(&g, out.p, out.len), out.len));
		out.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	guard_free(&g);
	mm_store_done(&out);
	mm_files_done(&files);
}

static void test_state(void **state)
{
	(void)state;
	struct mm_ledger_config config;
	struct mm_ledger *again;
	struct mm_files files = { 0 };
	struct mm_store out = { 0 };
	struct mm_file_map map = { 0 };
	mm_ledger_config_default(&config);
	config.key = (struct mm_hash_key){ 9, 9 };
	assert_int_equal(mm_files_add(&files, "a.pcap"), 0);
	ask(1, EVENING, MM_GRANT_CLIENT, NULL, mint((struct spec){ .iat = EVENING }), "refresh-1");
	ask(1, EVENING + 5, MM_GRANT_REFRESH, "refresh-1",
	        mint((struct spec){ .iat = EVENING + 5 }), "refresh-2");
	const char *token = bound_token();
	char proof[JOSE_TEXT];
	snprintf(proof, sizeof proof, "%s", proof_of((struct proof_spec){ .token = token }));
	show_bound(10, token, proof);
	mm_files_save(&files, &out);
	mm_ledger_save(l, &out);
	struct mm_cursor c = mm_cursor(mm_slice(out.p, out.len));
	assert_int_equal(mm_file_map_load(&map, &c), MM_OK);
	assert_int_equal(mm_ledger_new(&config, &again), MM_OK);
	assert_int_equal(mm_ledger_load(again, &c, &map), MM_OK);
	assert_int_equal(again->tokens.tokens.n, l->tokens.tokens.n);
	assert_int_equal(again->tokens.servers.n, l->tokens.servers.n);
	mm_file_map_done(&map);
	mm_files_done(&files);
	mm_store_done(&out);
	mm_detect_done(&d);
	mm_ledger_free(l);
	l = again;
	mm_detect_init(&d, l, &key, FINDINGS_MAX);
	/* What was ordinary is ordinary, and what was used is used. */
	(void)honest(2, EVENING + 20, (struct spec){ 0 });
	assert_int_equal(d.findings.n, 0);
	show_bound(30, token, proof);
	expect(&mm_token_binding, MM_W_BAD_PROOF);
	begin(MM_EV_REQUEST, FORGER, ISSUER, EVENING + 700, "a.example/token");
	from_network(7);
	room.ev.grant = MM_GRANT_REFRESH;
	put(MM_ROLE_PRESENTED, MM_CRED_REFRESH_TOKEN, "refresh-1");
	room.ev.agent = text("curl/8");
	pass();
	expect(&mm_token_reuse, MM_W_ROTATED_ELSEWHERE);
	use(FORGER, EVENING + 800, mint((struct spec){ .iat = EVENING, .bare = true }));
	expect(&mm_jwt_template, MM_W_TEMPLATE);
}

/* Findings of each kind, written down and read again, say the same. */
static void test_saved_findings(void **state)
{
	(void)state;
	struct mm_detect again;
	struct mm_files files = { 0 };
	struct mm_store out = { 0 };
	struct mm_file_map map = { 0 };
	assert_int_equal(mm_files_add(&files, "a.pcap"), 0);
	document(SERVICE, EVENING, "b.example/.well-known/openid-configuration",
	        "{\"issuer\":\"https://b.example\",\"jwks_uri\":\"https://b.example/"
	        "jwks\"}");
	document(SERVICE, EVENING + 1, "b.example/jwks", set_of(&foreign, NULL));
	use(FORGER, EVENING + 10, mint((struct spec){ .by = &foreign, .iat = EVENING }));
	use(FORGER, EVENING + 20, mint((struct spec){ .iat = EVENING - 60, .bare = true }));
	use(FORGER, EVENING + 30, mint((struct spec){ .iat = EVENING - 60, .life = 864000 }));
	use(FORGER, EVENING + 40, mint((struct spec){ .iat = EVENING - 7200 }));
	const char *token = honest(1, EVENING + 50, (struct spec){ 0 });
	show_token(1, EVENING + 60, token);
	from_network(7);
	room.ev.agent = text("python-requests/2.31");
	pass();
	use(1, EVENING + 70, token);
	ask(1, EVENING + 80, MM_GRANT_CODE, "a-code", mint((struct spec){ .iat = EVENING }), NULL);
	ask(2, EVENING + 99, MM_GRANT_CODE, "a-code", NULL, NULL);
	token = bound_token();
	show_bound(100, token, NULL);
	mm_detect_weigh_all(&d);
	assert_true(d.findings.n >= 8);
	mm_files_save(&files, &out);
	mm_detect_save(&d, &out);
	struct mm_cursor c = mm_cursor(mm_slice(out.p, out.len));
	mm_detect_init(&again, l, &key, FINDINGS_MAX);
	assert_int_equal(mm_file_map_load(&map, &c), MM_OK);
	assert_int_equal(mm_detect_load(&again, &c, &map), MM_OK);
	mm_detect_weigh_all(&again);
	assert_int_equal(again.findings.n, d.findings.n);
	/* Counted one by one, some of them taken back since, and counted anew: what has a finding is known by it. */
	assert_memory_equal(again.roots, d.roots, sizeof d.roots);
	for (struct mm_finding *f = mm_table_next(&d.findings, NULL); f != NULL;
	        f = mm_table_next(&d.findings, f)) {
		const struct mm_finding *g = mm_detect_find(&again, &f->key.root);
		assert_non_null(g);
		assert_ptr_equal(g->detector, f->detector);
		assert_true(g->score >= f->score && g->score <= f->score);
		assert_int_equal(g->n_evidence, f->n_evidence);
		for (size_t i = 0; i < f->n_evidence; i++)
			assert_string_equal(g->evidence[i].what, f->evidence[i].what);
		assert_string_equal(g->facts.token.alg, f->facts.token.alg);
		assert_string_equal(g->facts.token.audience, f->facts.token.audience);
		assert_string_equal(g->facts.token.client, f->facts.token.client);
		assert_int_equal(g->facts.token.verdict, f->facts.token.verdict);
		assert_int_equal(g->facts.token.nbf_s, f->facts.token.nbf_s);
	}
	/* Cut anywhere it is refused. */
	for (size_t len = 0; len < out.len; len += 97) {
		struct mm_detect cut;
		struct mm_file_map cut_map = { 0 };
		struct mm_cursor part = mm_cursor(mm_slice(out.p, len));
		mm_detect_init(&cut, l, &key, FINDINGS_MAX);
		if (mm_file_map_load(&cut_map, &part) == MM_OK)
			assert_int_not_equal(mm_detect_load(&cut, &part, &cut_map), MM_OK);
		mm_file_map_done(&cut_map);
		mm_detect_done(&cut);
	}
	mm_detect_done(&again);
	mm_file_map_done(&map);
	mm_files_done(&files);
	mm_store_done(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_honest),
		TEST(test_orphan),
		TEST(test_orphan_older),
		TEST(test_blind),
		TEST(test_key_scope),
		TEST(test_bad_signature),
		TEST(test_unsigned),
		TEST(test_drift),
		TEST(test_template),
		TEST(test_differ),
		TEST(test_template_rolled_out),
		TEST(test_lifetime),
		TEST(test_tenant),
		TEST(test_audience),
		TEST(test_audience_own),
		TEST(test_audience_list),
		TEST(test_audience_later),
		TEST(test_id_token),
		TEST(test_expired),
		TEST(test_expired_elsewhere),
		TEST(test_early),
		TEST(test_moved),
		TEST(test_mobile),
		TEST(test_in_turns),
		TEST(test_two_kinds),
		TEST(test_kinds_of_many),
		TEST(test_kinds_unseen),
		TEST(test_passed_on),
		TEST(test_copies),
		TEST(test_no_copies),
		TEST(test_forger_behind_proxy),
		TEST(test_code),
		TEST(test_seen_in_part),
		TEST(test_claims_once),
		TEST(test_issued_unusual),
		TEST(test_code_elsewhere),
		TEST(test_code_twice),
		TEST(test_refresh),
		TEST(test_refresh_lost),
		TEST(test_proof),
		TEST(test_proof_specification),
		TEST(test_bad_proofs),
		TEST(test_others_issue),
		TEST(test_certificate),
		TEST(test_certificate_missing),
		TEST(test_certificate_elsewhere),
		TEST(test_certificate_at_proxy),
		TEST(test_taint),
		TEST(test_opaque),
		TEST(test_state),
		TEST(test_hostile_state),
		TEST(test_saved_findings),
	};
	mm_json_init(1);
	mm_jwk_init();
	own = signer_new("ES256", "own");
	foreign = signer_new("ES256", "foreign");
	device = signer_new("ES256", NULL);
	other_device = signer_new("ES256", NULL);
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	signer_done(&own);
	signer_done(&foreign);
	signer_done(&device);
	signer_done(&other_device);
	return r;
}
