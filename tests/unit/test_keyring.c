/* keyring.c, judge.c, save.c: whose keys are whose. Issuers A and B with key sets, rotation, and each way to sign for somebody
 * else, beside the honest thing that looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/x509.h>

#include "guard.h"
#include "jose_build.h"
#include "keys/ring.h"

#define A         "https://a.example"
#define B         "https://b.example"
#define WELL      "/.well-known/openid-configuration"
#define KNOWN     (MM_PROOF_SET_KNOWN | MM_PROOF_PUBLISHED)
#define N_OF(a)   (sizeof(a) / sizeof((a)[0]))
#define NS        INT64_C(1000000000)
#define AT(s)     ((NOON + (s)) * NS)
#define KEYS(...) set_of((const char *const[]){ __VA_ARGS__, NULL })

enum {
	NOON = 1700000000,
	HOURS = 3600,
	SET_ROOM = 64 * 1024,
};

static struct mm_keyring *k;
static struct signer one, two, three, four; /* ES256 */
static char key1[JOSE_TEXT], key2[JOSE_TEXT], key3[JOSE_TEXT], key4[JOSE_TEXT];
static uint32_t drift[MM_KEYSET_KEYS];
static size_t n_drift;

static int set_up(void **state)
{
	(void)state;
	k = mm_keyring_new(MM_KEYRING_KEYS);
	return k == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	mm_keyring_free(k);
	return 0;
}

static struct mm_addr host(uint8_t last)
{
	return (struct mm_addr){ 4, { 192, 0, 2, last } };
}

static struct mm_key_source from(uint8_t last, const char *name, const char *path)
{
	return (struct mm_key_source){ host(last), 443, mm_slice_str(name), mm_slice_str(path) };
}

static bool discover(uint8_t last, const char *name, const char *issuer, const char *uri)
{
	char doc[1024];
	struct mm_key_source source = from(last, name, WELL);
	snprintf(doc, sizeof doc, "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", issuer, uri);
	return mm_keyring_discovery(k, &source, mm_slice_str(doc));
}

static const char *set_of(const char *const *keys)
{
	static char set[SET_ROOM];
	size_t n = (size_t)snprintf(set, sizeof set, "{\"keys\":[");
	for (size_t i = 0; keys[i] != NULL; i++)
		n += (size_t)snprintf(set + n, sizeof set - n, "%s%s", i != 0 ? "," : "", keys[i]);
	n += (size_t)snprintf(set + n, sizeof set - n, "]}");
	assert_true(n < sizeof set);
	return set;
}

static bool publish_to(uint8_t client, struct mm_key_source source, const char *set, int64_t at_ns)
{
	static uint64_t number;
	struct mm_addr to = host(client);
	return mm_keyring_publish(k, &source, &to, mm_slice_str(set), at_ns,
	        (struct mm_pkt){ 0, ++number }, drift, &n_drift);
}

static void publish(struct mm_key_source source, const char *set, int64_t at_ns)
{
	assert_true(publish_to(100, source, set, at_ns));
	assert_int_equal(n_drift, 0);
}

static struct mm_proof judge_at(const char *token, int64_t now_ns)
{
	struct mm_jwt jwt;
	struct mm_proof proof;
	assert_true(mm_jwt_parse(mm_slice_str(token), &jwt));
	mm_keyring_judge(k, &jwt, now_ns, &proof);
	mm_jwt_done(&jwt);
	return proof;
}

static const char *token(const struct signer *s, const char *iss, int64_t iat)
{
	static char out[JOSE_TEXT];
	char claims[512];
	snprintf(claims, sizeof claims, "{\"iss\":\"%s\",\"sub\":\"anna\",\"iat\":%lld}", iss,
	        (long long)(NOON + iat));
	return jwt_make(s, claims, out);
}

static struct mm_proof judge(const struct signer *s, const char *iss, int64_t iat)
{
	return judge_at(token(s, iss, iat), AT(iat + 60));
}

static void expect(struct mm_proof p, enum mm_verdict3 verdict, uint32_t bits)
{
	assert_int_equal(p.verdict, verdict);
	assert_int_equal(p.bits & ~(uint32_t)MM_PROOF_SET_NEWER, bits);
}

/* A and B as most providers are: a document and a set each. */
static void issuers(void)
{
	assert_true(discover(1, "a.example", A, A "/jwks"));
	assert_true(discover(2, "b.example", B, B "/jwks?all"));
	publish(from(1, "a.example", "/jwks"), KEYS(key1), AT(0));
	publish(from(2, "b.example", "/jwks"), KEYS(key2), AT(0));
}

static void test_own(void **state)
{
	(void)state;
	size_t n_issuers;
	expect(judge(&one, A, 10), MM_CANNOT_TELL, 0);
	issuers();
	assert_int_equal(mm_keyring_count(k, &n_issuers), 2);
	assert_int_equal(n_issuers, 2);
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	expect(judge(&two, B, 10), MM_VALID, KNOWN);
	struct mm_proof p = judge(&one, A, 10);
	assert_string_equal(mm_keyring_owner(k, p.key), A);
	assert_string_equal(mm_keyring_key(k, p.key)->jwk.kid, "1");
	assert_null(mm_keyring_key(k, 0));
	assert_null(mm_keyring_key(k, 3));
	/* One letter of the claims. */
	char *text = strdup(token(&one, A, 10));
	char *bad = strchr(text, '.') + 30;
	*bad = *bad == 'A' ? 'B' : 'A';
	struct mm_jwt jwt;
	if (mm_jwt_parse(mm_slice_str(text), &jwt)) {
		assert_true(jwt.claims == NULL || judge_at(text, AT(60)).verdict != MM_VALID);
		mm_jwt_done(&jwt);
	}
	free(text);
	/* The kid of one key, the signature of another that nobody published. */
	struct signer forged = three;
	forged.kid = "1";
	expect(judge(&forged, A, 10), MM_INVALID, KNOWN | MM_PROOF_BAD);
}

static void test_set_before_document(void **state)
{
	(void)state;
	publish(from(1, "a.example", "/jwks"), KEYS(key1), AT(0));
	expect(judge(&one, A, 10), MM_CANNOT_TELL, 0);
	uint32_t generation = mm_keyring_generation(k);
	assert_true(discover(1, "a.example", A, A "/jwks"));
	assert_true(mm_keyring_generation(k) != generation);
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	generation = mm_keyring_generation(k);
	publish(from(1, "a.example", "/jwks"), KEYS(key1), AT(100));
	assert_true(discover(1, "a.example", A, A "/jwks"));
	assert_int_equal(mm_keyring_generation(k), generation); /* nothing new */
}

static void test_two_legs(void **state)
{
	(void)state;
	assert_true(discover(1, "a.example", A, A "/jwks"));
	publish(from(1, "a.example", "/jwks"), KEYS(key1), AT(0));
	publish(from(9, "a.example", "/jwks"), KEYS(key2), AT(0));     /* the name, behind */
	publish(from(1, "10.0.0.1", "/jwks"), KEYS(key3), AT(0));      /* perhaps another's there */
	publish(from(9, "other.example", "/jwks"), KEYS(key4), AT(0)); /* neither */
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	expect(judge(&two, A, 10), MM_VALID, KNOWN);
	expect(judge(&three, A, 10), MM_CANNOT_TELL, KNOWN);
	expect(judge(&four, A, 10), MM_CANNOT_TELL, KNOWN); /* nobody knows whose that is */
}

/* The address by another name, while the set is not known by its own. */
static void test_back_leg(void **state)
{
	(void)state;
	assert_true(discover(1, "10.0.0.1", A, A "/jwks"));
	publish(from(1, "10.0.0.1", "/jwks"), KEYS(key1), AT(0));
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	/* A document that is said to be somebody's, of a set at an address that is not his, changes nothing. */
	assert_true(discover(66, "evil.example", "https://evil.example", "http://10.0.0.1/jwks"));
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
}

/* Both orders of sets and documents: two names behind one address. */
static void test_one_address_sets_first(void **state)
{
	(void)state;
	publish(from(1, "a.example", "/jwks"), KEYS(key1), AT(0));
	publish(from(1, "b.example", "/jwks"), KEYS(key2), AT(0));
	assert_true(discover(1, "a.example", A, A "/jwks"));
	assert_true(discover(1, "b.example", B, B "/jwks"));
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	expect(judge(&two, B, 10), MM_VALID, KNOWN);
	expect(judge(&two, A, 10), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
	expect(judge(&one, B, 10), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
}

/* And where the other's set was taken for a back leg until its own document came. */
static void test_back_leg_taken_back(void **state)
{
	(void)state;
	assert_true(discover(1, "a.example", A, A "/jwks"));
	publish(from(1, "b.example", "/jwks"), KEYS(key2), AT(0));
	assert_int_equal(judge(&two, A, 10).verdict, MM_VALID);
	assert_true(discover(1, "b.example", B, B "/jwks"));
	assert_true(judge(&two, A, 10).verdict != MM_VALID);
	expect(judge(&two, B, 10), MM_VALID, KNOWN);
}

/* Somebody repeats A's key in a set of his own, as his, under another name and long after: A's tokens are A's. */
static void test_repeated_key(void **state)
{
	(void)state;
	char key[JOSE_TEXT], named[JOSE_TEXT];
	struct signer other = one;
	other.kid = "evil";
	jwk_text(&one, ",\"issuer\":\"https://evil.example\"", key);
	jwk_text(&other, "", named);
	struct mm_key_source evil = from(66, "evil.example", "/jwks"),
	                     a = from(1, "a.example", "/jwks");
	publish(evil, KEYS(named, key), AT(-10));
	assert_true(
	        discover(66, "evil.example", "https://evil.example", "https://evil.example/jwks"));
	issuers();
	size_t n_issuers, n = mm_keyring_count(k, &n_issuers);
	publish(a, KEYS(key1), AT(5));
	publish(evil, KEYS(named, key), AT(6));
	assert_int_equal(mm_keyring_count(k, &n_issuers), n);
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	expect(judge(&one, B, 10), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
	/* One answer with the key in it, between two without: no drift of A's. */
	publish(evil, KEYS(key3), AT(10));
	publish(evil, KEYS(key3), AT(11));
	(void)publish_to(101, evil, KEYS(key3, key), AT(12));
	(void)publish_to(100, evil, KEYS(key3), AT(13));
	expect(judge(&one, A, 20), MM_VALID, KNOWN);
	/* The key leaves A's set; his goes on. */
	publish(a, KEYS(key4), AT(1000));
	publish(evil, KEYS(named, key), AT(1100));
	expect(judge(&one, A, 1050), MM_VALID, KNOWN | MM_PROOF_RETIRED);
}

/* More sets of somebody's with A's key in them than are kept: A's stays. */
static void test_repeated_often(void **state)
{
	(void)state;
	static const char *const paths[] = { "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8" };
	for (size_t i = 0; i < N_OF(paths); i++)
		publish(from(66, "evil.example", paths[i]), KEYS(key1), AT(-10));
	issuers();
	for (size_t i = 0; i < N_OF(paths); i++)
		publish(from(66, "evil.example", paths[i]), KEYS(key1), AT(10));
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
}

/* Somebody speaks for A before A is heard: by a document, by a token that he issues, and for all hosts at once. */
static void test_hearsay(void **state)
{
	(void)state;
	struct mm_key_source evil = from(66, "evil.example", "/token");
	assert_true(discover(66, "evil.example", A, "https://evil.example/jwks"));
	assert_true(discover(66, "evil.example", "https://{any}", "https://evil.example/jwks"));
	publish(from(66, "evil.example", "/jwks"), KEYS(key3), AT(0));
	struct mm_proof p = judge(&three, A, 10);
	mm_keyring_issued(k, mm_slice_str(A), &p, &evil);
	issuers();
	assert_true(judge(&three, A, 10).verdict != MM_VALID);
	assert_true(judge(&three, B, 10).verdict != MM_VALID);
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	p = judge(&three, A, 10);
	mm_keyring_issued(k, mm_slice_str(A), &p, &evil);
	assert_true(judge(&three, A, 10).verdict != MM_VALID);
	assert_true(judge(&three, "https://c.example", 10).verdict != MM_VALID);
	/* The host alone differs. */
	assert_false(discover(66, "evil.example", A, "https://evil.example/jwks"));
	assert_true(judge(&three, A, 10).verdict != MM_VALID);
}

/* The operator has told A's keys: nobody adds to them by issuing in A's name. */
static void test_told(void **state)
{
	(void)state;
	struct mm_key_source evil = from(66, "evil.example", "/token");
	assert_int_equal(mm_keyring_tell(k, mm_slice_str(A), mm_slice_str(KEYS(key1))), MM_OK);
	publish(from(66, "evil.example", "/jwks"), KEYS(key3), AT(0));
	struct mm_proof p = judge(&three, A, 10);
	mm_keyring_issued(k, mm_slice_str(A), &p, &evil);
	assert_true(judge(&three, A, 10).verdict != MM_VALID);
	assert_int_equal(judge(&one, A, 10).verdict, MM_VALID);
}

/* A tenant with a document of its own, and keys that the set for all tenants has. */
static void test_tenant_document(void **state)
{
	(void)state;
	static const char tenant[] = "https://login.example/5f1c/v2.0";
	assert_true(discover(1, "login.example", "https://login.example/{tenantid}/v2.0",
	        "https://login.example/common/keys"));
	publish(from(1, "login.example", "/common/keys"), KEYS(key1), AT(0));
	assert_true(discover(1, "login.example", tenant, "https://login.example/5f1c/keys"));
	assert_int_equal(judge(&one, tenant, 10).verdict, MM_VALID);
	publish(from(1, "login.example", "/5f1c/keys"), KEYS(key2), AT(0));
	assert_int_equal(judge(&two, tenant, 10).verdict, MM_VALID);
	assert_true(judge(&two, "https://login.example/77/v2.0", 10).verdict != MM_VALID);
}

/* A token of no key that is known costs so many verifications and no more. */
static void test_many_tries(void **state)
{
	(void)state;
	struct signer nameless = one, unknown = two;
	issuers();
	for (unsigned i = 0; i < 2; i++) {
		const char *keys[MM_KEYSET_KEYS + 1] = { NULL };
		struct signer more[20];
		char text[20][JOSE_TEXT];
		for (size_t n = 0; n < 20; n++) {
			more[n] = signer_new("ES256", i == 0 ? "1" : "x");
			keys[n] = jwk_text(&more[n], "", text[n]);
		}
		publish(from(66, "evil.example", i == 0 ? "/1" : "/2"), set_of(keys), AT(0));
		for (size_t n = 0; n < 20; n++)
			signer_done(&more[n]);
	}
	expect(judge(&one, A, 10), MM_VALID, KNOWN); /* its own come first */
	nameless.kid = NULL;
	expect(judge(&nameless, A, 10), MM_VALID, KNOWN);
	unknown.kid = "1";
	assert_int_equal(mm_keyring_cut(k), 0);
	assert_true(judge(&three, A, 10).verdict == MM_CANNOT_TELL);
	assert_int_equal(mm_keyring_cut(k), 1);
	nameless = three;
	nameless.kid = NULL;
	expect(judge(&nameless, A, -10), MM_CANNOT_TELL, KNOWN); /* not all were tried */
	unknown = three;
	unknown.kid = "1"; /* but its own key was */
	expect(judge(&unknown, A, 10), MM_INVALID, KNOWN | MM_PROOF_BAD);
}

/* Two issuers behind one address, whose sets have the same path. */
static void test_one_address(void **state)
{
	(void)state;
	assert_true(discover(1, "a.example", A, A "/jwks"));
	assert_true(discover(1, "b.example", B, B "/jwks"));
	publish(from(1, "a.example", "/jwks"), KEYS(key1), AT(0));
	publish(from(1, "b.example", "/jwks"), KEYS(key2), AT(0));
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	expect(judge(&two, B, 10), MM_VALID, KNOWN);
	expect(judge(&two, A, 10), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
	expect(judge(&one, B, 10), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
}

/* Somebody else's document names A, and leads to a set of his own. */
static void test_false_document(void **state)
{
	(void)state;
	assert_true(discover(1, "a.example", A, A "/jwks"));
	publish(from(1, "a.example", "/jwks"), KEYS(key1), AT(0));
	assert_false(discover(66, "evil.example", A, "https://evil.example/jwks"));
	publish(from(66, "evil.example", "/jwks"), KEYS(key3), AT(0));
	assert_true(judge(&three, A, 10).verdict != MM_VALID);
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	static const char *const none[] = { "{}", "{\"issuer\":\"" A "\"}",
		"{\"jwks_uri\":\"" A "\"}", "{\"issuer\":\"\",\"jwks_uri\":\"x\"}", "[]", "" };
	for (size_t i = 0; i < N_OF(none); i++) {
		struct mm_key_source source = from(1, "a.example", WELL);
		assert_false(mm_keyring_discovery(k, &source, mm_slice_str(none[i])));
		assert_false(publish_to(1, source, none[i], AT(0)));
	}
}

/* One set for all tenants, in which each key says whose it is. */
static void test_tenants(void **state)
{
	(void)state;
	static const char all[] = "https://login.example/{tenantid}/v2.0",
	                  consumers[] = "https://login.example/9188040d/v2.0";
	char k1[JOSE_TEXT], k2[JOSE_TEXT];
	jwk_text(&one, ",\"issuer\":\"https://login.example/{tenantid}/v2.0\"", k1);
	jwk_text(&two, ",\"issuer\":\"https://login.example/9188040d/v2.0\"", k2);
	assert_true(discover(1, "login.example", all, "https://login.example/common/keys"));
	publish(from(1, "login.example", "/common/keys"), KEYS(k1, k2), AT(0));
	expect(judge(&one, "https://login.example/5f1c/v2.0", 10), MM_VALID, KNOWN);
	expect(judge(&two, consumers, 10), MM_VALID, KNOWN);
	struct mm_proof p = judge(&two, "https://login.example/5f1c/v2.0", 10);
	expect(p, MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
	assert_string_equal(p.signer, consumers);
	static const char *const others[] = { "https://login.example/a/b/v2.0",
		"https://login.example//v2.0", "https://login.example/v2.0",
		"https://login.example/x/v2.0/", "https://login.exampl/x/v2.0" };
	for (size_t i = 0; i < N_OF(others); i++)
		assert_true(judge(&one, others[i], 10).verdict != MM_VALID);
}

/* The same keys in the set of all tenants, in that of one tenant and in one of an older name, which say of them whose they
 * are in three ways. */
static void test_tenants_sets(void **state)
{
	(void)state;
	static const char all[] = "https://login.example/{tenantid}/v2.0",
	                  tenant[] = "https://login.example/5f1c/v2.0",
	                  other[] = "https://login.example/77aa/v2.0",
	                  older[] = "https://sts.example/5f1c/";
	char k1[JOSE_TEXT], k2[JOSE_TEXT];
	size_t n_issuers;
	jwk_text(&one, ",\"issuer\":\"https://login.example/5f1c/v2.0\"", k1);
	jwk_text(&one, ",\"issuer\":\"https://login.example/{tenantid}/v2.0\"", k2);
	assert_true(discover(1, "login.example", tenant, "https://login.example/5f1c/keys"));
	assert_true(discover(1, "login.example", all, "https://login.example/common/keys"));
	assert_true(discover(1, "login.example", older, "https://login.example/old/keys"));
	for (int64_t at = 0; at < 3; at++) {
		publish(from(1, "login.example", "/5f1c/keys"), KEYS(k1), AT(at));
		publish(from(1, "login.example", "/common/keys"), KEYS(k2), AT(at));
		publish(from(1, "login.example", "/old/keys"), KEYS(key1), AT(at));
	}
	assert_int_equal(mm_keyring_count(k, &n_issuers), 1);
	expect(judge(&one, tenant, 10), MM_VALID, KNOWN);
	expect(judge(&one, other, 10), MM_VALID, KNOWN);
	expect(judge(&one, older, 10), MM_VALID, KNOWN);
	assert_true(judge(&one, "https://sts.example/77aa/", 10).verdict != MM_VALID);
}

/* Two sets of one server whose requests were lost: what the one does not hold has left neither. */
static void test_lost_requests(void **state)
{
	(void)state;
	struct mm_key_source source = from(1, "", "");
	issuers();
	for (int64_t at = 60; at < 360; at += 120) {
		publish(source, KEYS(key1), AT(at));
		publish(source, KEYS(key2, key3), AT(at + 60));
	}
	expect(judge(&one, A, 400), MM_VALID, KNOWN);
}

/* A server that says of its keys whose they are, and issues with one of them under an older name as well. */
static void test_tenants_issued(void **state)
{
	(void)state;
	static const char all[] = "https://login.example/{tenantid}/v2.0",
	                  older[] = "https://sts.example/5f1c/";
	char k1[JOSE_TEXT], k2[JOSE_TEXT];
	struct mm_key_source source = from(1, "login.example", "/5f1c/token");
	jwk_text(&one, ",\"issuer\":\"https://login.example/{tenantid}/v2.0\"", k1);
	jwk_text(&two, ",\"issuer\":\"https://login.example/9188040d/v2.0\"", k2);
	assert_true(discover(1, "login.example", all, "https://login.example/common/keys"));
	publish(from(1, "login.example", "/common/keys"), KEYS(k1, k2), AT(0));
	struct mm_proof p = judge(&one, older, 10);
	expect(p, MM_CANNOT_TELL, MM_PROOF_FOREIGN);
	mm_keyring_issued(k, mm_slice_str(older), &p, &source);
	assert_int_equal(judge(&one, older, 20).verdict, MM_VALID);
	p = judge(&one, older, 20);
	mm_keyring_issued(k, mm_slice_str(older), &p, &source);
	expect(judge(&two, older, 30), MM_INVALID, MM_PROOF_SET_KNOWN | MM_PROOF_FOREIGN);
	/* To issue for one tenant makes nobody's key all tenants'. */
	p = judge(&two, "https://login.example/9188040d/v2.0", 40);
	mm_keyring_issued(k, mm_slice_str("https://login.example/9188040d/v2.0"), &p, &source);
	expect(judge(&two, "https://login.example/5f1c/v2.0", 50), MM_INVALID,
	        KNOWN | MM_PROOF_FOREIGN);
}

/* A nonce in the header, signed as its digest. The digest: printf %s n-0S6_WzA2Mj | openssl sha256 -binary | basenc --base64url */
static void test_digested_nonce(void **state)
{
	(void)state;
	static const char claims[] = "{\"iss\":\"" A "\",\"iat\":1700000010}";
#define HEADER(nonce) "{\"typ\":\"JWT\",\"nonce\":\"" nonce "\",\"alg\":\"ES256\",\"kid\":\"1\"}"
	static const char sent[] = HEADER("n-0S6_WzA2Mj"), other[] = HEADER("n-0S6_WzA2Mk"),
	                  made[] = HEADER("CCOgm1TLk4FWEGiwCq9OU5s_VGBGMdPmqCCHm2sEzBk");
#undef HEADER
	const struct {
		const struct signer *by;
		const char *header;
		enum mm_verdict3 verdict;
		uint32_t bits;
	} cases[] = {
		{ &one, sent, MM_VALID, KNOWN },
		{ &one, other, MM_INVALID, KNOWN | MM_PROOF_BAD },
		{ &two, sent, MM_INVALID, KNOWN | MM_PROOF_FOREIGN },
		{ &three, sent, MM_INVALID, KNOWN | MM_PROOF_BAD },
	};
	issuers();
	for (size_t i = 0; i < N_OF(cases); i++) {
		char text[JOSE_TEXT], part[JOSE_TEXT];
		uint8_t signature[JOSE_SIGNATURE];
		size_t n =
		        jose_sign(cases[i].by, jose_part(made, claims, part), 0, true, signature);
		jose_join(jose_part(cases[i].header, claims, part), signature, n, text);
		expect(judge_at(text, AT(60)), cases[i].verdict, cases[i].bits);
	}
}

/* Somebody publishes a key of his own and says that it is A's. */
static void test_false_key_issuer(void **state)
{
	(void)state;
	char key[JOSE_TEXT];
	issuers();
	publish(from(66, "evil.example", "/jwks"),
	        KEYS(jwk_text(&three, ",\"issuer\":\"" A "\"", key)), AT(0));
	assert_true(judge(&three, A, 10).verdict != MM_VALID);
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
}

static void test_scope(void **state)
{
	(void)state;
	issuers();
	struct mm_proof p = judge(&one, B, 10);
	expect(p, MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
	assert_string_equal(p.signer, A);
	mm_keyring_scope(k, mm_slice_str(A), mm_slice_str("house"));
	expect(judge(&one, B, 10), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
	mm_keyring_scope(k, mm_slice_str(B), mm_slice_str("house"));
	expect(judge(&one, B, 10), MM_VALID, KNOWN);
	expect(judge(&two, A, 10), MM_VALID, KNOWN);
}

/* An issuer of which no set is known: another name of the same, or not. */
static void test_unknown_issuer(void **state)
{
	(void)state;
	issuers();
	struct mm_proof p = judge(&one, "https://new.example", 10);
	expect(p, MM_CANNOT_TELL, MM_PROOF_FOREIGN);
	assert_string_equal(p.signer, A);
	expect(judge(&three, "https://new.example", 10), MM_CANNOT_TELL, 0);
}

static void test_alias(void **state)
{
	(void)state;
	static const char alias[] = "https://alias.example";
	issuers();
	struct mm_key_source own = from(1, "a.example", "/token"),
	                     other = from(3, "c.example", "/token");
	struct mm_proof p = judge(&one, alias, 10);
	mm_keyring_issued(k, mm_slice_str(alias), &p, &other);
	expect(judge(&one, alias, 10), MM_CANNOT_TELL, MM_PROOF_FOREIGN);
	mm_keyring_issued(k, mm_slice_str(alias), &p, &own);
	assert_int_equal(judge(&one, alias, 10).verdict, MM_VALID);
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	/* But B's key is not the alias's. */
	assert_true(judge(&two, alias, 10).verdict != MM_VALID);
}

/* A set on the server that issues, found without a document. */
static void test_issued_without_document(void **state)
{
	(void)state;
	struct mm_key_source server = from(1, "a.example", "/token");
	publish(from(1, "a.example", "/keys"), KEYS(key1), AT(0));
	struct mm_proof p = judge(&one, A, 10);
	expect(p, MM_CANNOT_TELL, 0);
	mm_keyring_issued(k, mm_slice_str(A), &p, &server);
	assert_int_equal(judge(&one, A, 10).verdict, MM_VALID);
	struct mm_addr addr = host(1), none = host(7);
	assert_string_equal(mm_keyring_issuer_at(k, &addr, 443, mm_slice_str("a.example")), A);
	assert_null(mm_keyring_issuer_at(k, &addr, 80, mm_slice_str("a.example")));
	assert_null(mm_keyring_issuer_at(k, &none, 443, mm_slice_str("a.example")));
}

/* The same kid in two sets: the name decides nothing. */
static void test_same_kid(void **state)
{
	(void)state;
	struct signer twin = three;
	char key[JOSE_TEXT];
	twin.kid = "1";
	assert_true(discover(1, "a.example", A, A "/jwks"));
	assert_true(discover(2, "b.example", B, B "/jwks"));
	publish(from(1, "a.example", "/jwks"), KEYS(key1), AT(0));
	publish(from(2, "b.example", "/jwks"), KEYS(jwk_text(&twin, "", key)), AT(0));
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	expect(judge(&twin, B, 10), MM_VALID, KNOWN);
	expect(judge(&twin, A, 10), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
	expect(judge(&one, B, 10), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
}

static void test_rotation(void **state)
{
	(void)state;
	struct mm_key_source a = from(1, "a.example", "/jwks");
	assert_true(discover(1, "a.example", A, A "/jwks"));
	publish(a, KEYS(key1), AT(0));
	publish(a, KEYS(key1, key2), AT(500));
	publish(a, KEYS(key1, key2), AT(1000));
	expect(judge(&one, A, 1500), MM_VALID, KNOWN);
	publish(a, KEYS(key2), AT(2000));
	/* Made before: honest until verifiers have forgotten the key. Between the last set with the key and the first without, the
	 * last hundredth counts as after. */
	struct mm_proof p = judge(&one, A, 900);
	expect(p, MM_VALID, KNOWN);
	assert_int_equal(p.gone_ns, AT(2000));
	assert_int_equal(p.last_ns, AT(1000));
	expect(judge(&one, A, 1980), MM_VALID, KNOWN);
	expect(judge(&one, A, 1995), MM_VALID, KNOWN | MM_PROOF_RETIRED);
	expect(judge(&one, A, 2100), MM_VALID, KNOWN | MM_PROOF_RETIRED);
	char *made_before = strdup(token(&one, A, 900));
	expect(judge_at(made_before, AT(2000 + 47 * HOURS)), MM_VALID, KNOWN);
	expect(judge_at(made_before, AT(2000 + 49 * HOURS)), MM_VALID, KNOWN | MM_PROOF_RETIRED);
	free(made_before);
	/* Before its key: five minutes of clocks apart are granted. */
	expect(judge(&two, A, 490), MM_VALID, KNOWN);
	expect(judge(&two, A, -290), MM_VALID, KNOWN);
	p = judge(&two, A, -310);
	expect(p, MM_VALID, KNOWN | MM_PROOF_BEFORE_KEY);
	assert_int_equal(p.absent_ns, AT(0));
	/* It comes back. */
	publish(a, KEYS(key1, key2), AT(3000));
	expect(judge(&one, A, 2100), MM_VALID, KNOWN);
}

/* A replica that lags behind: gone here, still there. */
static void test_replicas(void **state)
{
	(void)state;
	assert_true(discover(1, "a.example", A, A "/jwks"));
	publish(from(1, "a.example", "/jwks"), KEYS(key1, key2), AT(0));
	publish(from(9, "a.example", "/jwks"), KEYS(key1, key2), AT(10));
	publish(from(1, "a.example", "/jwks"), KEYS(key2), AT(1000));
	publish(from(9, "a.example", "/jwks"), KEYS(key1, key2), AT(2000));
	expect(judge(&one, A, 1500), MM_VALID, KNOWN);
	publish(from(9, "a.example", "/jwks"), KEYS(key2), AT(3000));
	expect(judge(&one, A, 3100), MM_VALID, KNOWN | MM_PROOF_RETIRED);
}

static void test_unknown_kid(void **state)
{
	(void)state;
	issuers();
	struct mm_proof p = judge(&three, A, 10);
	assert_int_equal(p.verdict, MM_CANNOT_TELL);
	assert_int_equal(p.bits, KNOWN | MM_PROOF_UNKNOWN_KID);
	p = judge(&three, A, -10); /* the set is newer than the token */
	assert_int_equal(p.verdict, MM_CANNOT_TELL);
	assert_int_equal(p.bits, KNOWN | MM_PROOF_UNKNOWN_KID | MM_PROOF_SET_NEWER);
	assert_int_equal(p.set_ns, AT(0));
	struct signer nameless = three;
	nameless.kid = NULL;
	expect(judge(&nameless, A, 10), MM_CANNOT_TELL, KNOWN);
	expect(judge(&nameless, A, -10), MM_INVALID, KNOWN | MM_PROOF_BAD);
	nameless = one;
	nameless.kid = NULL;
	expect(judge(&nameless, A, 10), MM_VALID, KNOWN);
	nameless.kid = "another"; /* names differ, the key is there */
	expect(judge(&nameless, A, 10), MM_VALID, KNOWN);
}

static size_t give(uint8_t client, const char *set, int64_t at)
{
	assert_true(publish_to(client, from(1, "a.example", "/jwks"), set, AT(at)));
	return n_drift;
}

static void test_drift(void **state)
{
	(void)state;
	assert_true(discover(1, "a.example", A, A "/jwks"));
	assert_int_equal(give(10, KEYS(key1), 0), 0);
	assert_int_equal(give(11, KEYS(key1), 10), 0);
	assert_int_equal(give(66, KEYS(key1, key3), 20), 0);
	expect(judge(&three, A, 25), MM_VALID, KNOWN);
	assert_int_equal(give(10, KEYS(key1), 30), 1);
	assert_string_equal(mm_keyring_key(k, drift[0])->jwk.kid, "3");
	assert_true(judge(&three, A, 25).bits & MM_PROOF_DRIFT);
	expect(judge(&one, A, 25), MM_VALID, KNOWN);
	/* It is told once. */
	assert_int_equal(give(66, KEYS(key1, key3), 40), 0);
	assert_int_equal(give(10, KEYS(key1), 50), 0);
}

static void test_no_drift(void **state)
{
	(void)state;
	/* A roll-out. */
	assert_int_equal(give(10, KEYS(key1), 0), 0);
	assert_int_equal(give(11, KEYS(key1), 10), 0);
	assert_int_equal(give(10, KEYS(key1, key2), 20), 0);
	assert_int_equal(give(11, KEYS(key1, key2), 30), 0);
	assert_int_equal(give(10, KEYS(key2), 40), 0);
	/* One taken back: two had it. */
	assert_int_equal(give(10, KEYS(key2, key3), 50), 0);
	assert_int_equal(give(11, KEYS(key2, key3), 60), 0);
	assert_int_equal(give(10, KEYS(key2), 70), 0);
	/* The order of keys says nothing, and a set without a key shows no new one. */
	assert_int_equal(give(10, KEYS(key1, key2), 80), 0);
	assert_int_equal(give(11, KEYS(key2, key1), 90), 0);
	assert_int_equal(give(12, KEYS(key2), 100), 0);
	assert_int_equal(give(10, KEYS(key1, key2), 110), 0);
}

/* An answer with a new key to one client only, but A was never given to anybody else either: a replica, or nothing. */
static void test_drift_unsure(void **state)
{
	(void)state;
	assert_int_equal(give(10, KEYS(key1), 0), 0);
	assert_int_equal(give(10, KEYS(key1, key3), 10), 0);
	assert_int_equal(give(10, KEYS(key1), 20), 0);
}

static struct mm_proof judge_header(const struct signer *s, const char *header)
{
	char out[JOSE_TEXT];
	return judge_at(jwt_with(s, header, "{\"iss\":\"" A "\",\"iat\":1700000010}", out), AT(20));
}

static void test_embedded(void **state)
{
	(void)state;
	char header[JOSE_TEXT + 64];
	issuers();
	snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"1\",\"jwk\":%s}", key3);
	expect(judge_header(&three, header), MM_INVALID, KNOWN | MM_PROOF_EMBEDDED);
	/* It verifies with another than the one embedded. */
	expect(judge_header(&four, header), MM_INVALID, KNOWN | MM_PROOF_BAD);
	/* Its issuer's own, embedded: ordinary for self-contained formats. */
	snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"1\",\"jwk\":%s}", key1);
	expect(judge_header(&one, header), MM_VALID, KNOWN);
	/* Another issuer's, embedded. */
	snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"2\",\"jwk\":%s}", key2);
	expect(judge_header(&two, header), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
}

/* RFC 7515 sections 4.1.7 and 4.1.8: without a kid the certificate names the key. */
static void test_x5t(void **state)
{
	(void)state;
	static const char *const headers[] = { "{\"alg\":\"ES256\",\"x5t\":\"YWJj\"}",
		"{\"alg\":\"ES256\",\"x5t#S256\":\"ZGVm\"}" };
	char key[JOSE_TEXT];
	assert_true(discover(1, "a.example", A, A "/jwks"));
	jwk_text(&one, ",\"x5t\":\"YWJj\",\"x5t#S256\":\"ZGVm\"", key);
	publish(from(1, "a.example", "/jwks"), KEYS(key, key2), AT(0));
	for (size_t i = 0; i < N_OF(headers); i++) {
		expect(judge_header(&one, headers[i]), MM_VALID, KNOWN);
		expect(judge_header(&three, headers[i]), MM_INVALID, KNOWN | MM_PROOF_BAD);
	}
	/* Another certificate of the same key, and a kid beside it, which comes first. */
	expect(judge_header(&one, "{\"alg\":\"ES256\",\"x5t\":\"bmV3\"}"), MM_VALID, KNOWN);
	expect(judge_header(&three, "{\"alg\":\"ES256\",\"x5t\":\"bmV3\"}"), MM_CANNOT_TELL, KNOWN);
	expect(judge_header(&two, "{\"alg\":\"ES256\",\"kid\":\"2\",\"x5t\":\"YWJj\"}"), MM_VALID,
	        KNOWN);
}

/* A certificate of the signer's own making, as x5c has it. */
static void cert_of(const struct signer *s, char out[JOSE_TEXT])
{
	X509 *cert = X509_new();
	unsigned char *der = NULL;
	assert_int_equal(X509_set_pubkey(cert, s->pkey), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), HOURS);
	assert_true(X509_sign(cert, s->pkey, EVP_sha256()) > 0);
	int len = i2d_X509(cert, &der);
	assert_in_range(len, 1, JOSE_TEXT / 2);
	(void)EVP_EncodeBlock((unsigned char *)out, der, len);
	OPENSSL_free(der);
	X509_free(cert);
}

/* RFC 7515 section 4.1.6: a chain is a key of the token's own, but for one that is published. */
static void test_embedded_chain(void **state)
{
	(void)state;
	char cert[JOSE_TEXT], header[2 * JOSE_TEXT];
	cert_of(&three, cert);
	snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"x5c\":[\"%s\"]}", cert);
	expect(judge_header(&three, header), MM_CANNOT_TELL, 0); /* its issuer is not known */
	issuers();
	expect(judge_header(&three, header), MM_INVALID, KNOWN | MM_PROOF_EMBEDDED);
	/* Signed by another than the certificate's: nothing is known of him. */
	expect(judge_header(&four, header), MM_CANNOT_TELL, KNOWN);
	/* The issuer's own key with its chain, as some providers send it. */
	cert_of(&one, cert);
	snprintf(header, sizeof header,
	        "{\"alg\":\"ES256\",\"kid\":\"1\",\"x5t\":\"1\",\"x5c\":[\"%s\"]}", cert);
	expect(judge_header(&one, header), MM_VALID, KNOWN);
	static const char *const bad[] = { "[]", "[1]", "\"x\"", "[\"\"]", "[\"AAAA\"]", "{}" };
	for (size_t i = 0; i < N_OF(bad); i++) {
		snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"x5c\":%s}", bad[i]);
		expect(judge_header(&three, header), MM_CANNOT_TELL, KNOWN);
	}
}

static void test_header(void **state)
{
	(void)state;
	static const struct {
		const char *more;
		uint32_t bits;
	} cases[] = {
		{ "", 0 },
		{ ",\"jku\":\"https://a.example/jwks\"", 0 },
		{ ",\"jku\":\"https://A.EXAMPLE:8443/jwks\"", 0 },
		{ ",\"jku\":\"https://keys.a.example/jwks\"", 0 },
		{ ",\"jku\":\"https://evil.example/jwks\"", MM_PROOF_FOREIGN_URL },
		{ ",\"jku\":\"https://a.example.evil.test/\"", MM_PROOF_FOREIGN_URL },
		{ ",\"jku\":\"https://evila.example/jwks\"", MM_PROOF_FOREIGN_URL },
		{ ",\"jku\":\"https://a.example@evil.test/jwks\"", MM_PROOF_FOREIGN_URL },
		{ ",\"x5u\":\"https://evil.example/c.pem\"", MM_PROOF_FOREIGN_URL },
		{ ",\"x5u\":17", 0 },
		{ ",\"kid\":\"../../dev/null\"", MM_PROOF_ODD_KID },
		{ ",\"kid\":\"x' UNION SELECT 'a\"", MM_PROOF_ODD_KID },
		{ ",\"kid\":\"k;touch /tmp/x\"", MM_PROOF_ODD_KID },
		{ ",\"kid\":\"k\\u0001\"", MM_PROOF_ODD_KID },
		{ ",\"kid\":\"https://a.example/keys/1#v2\"", 0 },
		{ ",\"kid\":\"nOo3ZDrODXEK1jKWhXslHR_KXEg=\"", 0 },
		{ ",\"kid\":\"a+b/c==\"", 0 },
		{ ",\"kid\":\"prod.signing:2026-01-31\"", 0 },
	};
	issuers();
	for (size_t i = 0; i < N_OF(cases); i++) {
		char header[512];
		snprintf(header, sizeof header, "{\"alg\":\"ES256\"%s}", cases[i].more);
		struct mm_proof p = judge_header(&one, header);
		assert_int_equal(p.bits, KNOWN | cases[i].bits);
		assert_int_equal(p.verdict, MM_VALID);
	}
}

static void test_unsigned(void **state)
{
	(void)state;
	static const char *const algs[] = { "none", "None", "NONE", "nOnE" };
	char part[JOSE_TEXT], header[64], out[JOSE_TEXT];
	issuers();
	for (size_t i = 0; i < N_OF(algs); i++) {
		snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algs[i]);
		jose_part(header, "{\"iss\":\"" A "\"}", part);
		expect(judge_at(jose_join(part, "", 0, out), AT(10)), MM_INVALID,
		        KNOWN | MM_PROOF_UNSIGNED);
		expect(judge_at(jose_join(part, "abc", 3, out), AT(10)), MM_INVALID,
		        KNOWN | MM_PROOF_UNSIGNED);
	}
	jose_part("{\"alg\":\"ES256\",\"kid\":\"1\"}", "{\"iss\":\"" A "\"}", part);
	expect(judge_at(jose_join(part, "", 0, out), AT(10)), MM_INVALID,
	        KNOWN | MM_PROOF_UNSIGNED);
	/* What is not known says nothing. */
	jose_part("{\"alg\":\"X\",\"kid\":\"1\"}", "{\"iss\":\"" A "\"}", part);
	expect(judge_at(jose_join(part, "", 0, out), AT(10)), MM_CANNOT_TELL, KNOWN);
	jose_part("{\"kid\":\"1\"}", "{\"iss\":\"" A "\"}", part);
	expect(judge_at(jose_join(part, "abc", 3, out), AT(10)), MM_CANNOT_TELL, KNOWN);
}

static void test_hmac(void **state)
{
	(void)state;
	struct signer secret = signer_new("HS256", "s"), other = signer_new("HS256", "s");
	struct signer forger = { .alg = "HS256", .kid = "1" };
	char key[JOSE_TEXT], part[JOSE_TEXT], out[JOSE_TEXT];
	uint8_t mac[JOSE_SIGNATURE];
	issuers();
	assert_int_equal(mm_keyring_tell(k, mm_slice_str("https://c.example"),
	                         mm_slice_str(KEYS(jwk_text(&secret, "", key)))),
	        MM_OK);
	assert_int_equal(judge(&secret, "https://c.example", 10).verdict, MM_VALID);
	assert_true(judge(&other, "https://c.example", 10).verdict != MM_VALID);
	expect(judge(&secret, A, 10), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
	/* The published key, as it stands in the set, is the secret. */
	jose_part("{\"alg\":\"HS256\",\"kid\":\"1\"}", "{\"iss\":\"" A "\"}", part);
	size_t n = jose_hmac(&forger, key1, strlen(key1), part, mac);
	struct mm_proof p = judge_at(jose_join(part, mac, n, out), AT(10));
	expect(p, MM_INVALID, KNOWN | MM_PROOF_CONFUSED);
	assert_string_equal(p.form, "JWK");
	assert_string_equal(mm_keyring_owner(k, p.key), A);
}

static void test_weak_key(void **state)
{
	(void)state;
	struct signer weak = signer_new("RS256", "w");
	char key[JOSE_TEXT];
	EVP_PKEY_free(weak.pkey);
	weak.pkey = EVP_RSA_gen(1024);
	assert_true(discover(1, "a.example", A, A "/jwks"));
	publish(from(1, "a.example", "/jwks"), KEYS(jwk_text(&weak, "", key), key1), AT(0));
	expect(judge(&weak, A, 10), MM_VALID, KNOWN | MM_PROOF_WEAK_KEY);
	signer_done(&weak);
}

/* --- limits ---------------------------------------------------------------------------------------- */

/* Many keys of which nobody knows the other half. */
static const char *many_keys(unsigned first, unsigned n)
{
	static char set[SET_ROOM];
	size_t len = (size_t)snprintf(set, sizeof set, "{\"keys\":[");
	for (unsigned i = 0; i < n; i++) {
		uint8_t modulus[64] = { 0xc0, (uint8_t)((first + i) >> 8), (uint8_t)(first + i) };
		modulus[63] = 1;
		len += (size_t)snprintf(set + len, sizeof set - len,
		        "%s{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"}", i != 0 ? "," : "",
		        jose_b64(modulus, sizeof modulus));
	}
	(void)snprintf(set + len, sizeof set - len, "]}");
	return set;
}

static void test_many_keys(void **state)
{
	(void)state;
	size_t n_issuers;
	char key[JOSE_TEXT];
	struct signer secret = signer_new("HS256", "s");
	assert_int_equal(mm_keyring_tell(k, mm_slice_str("https://c.example"),
	                         mm_slice_str(KEYS(jwk_text(&secret, "", key), key3))),
	        MM_OK);
	issuers();
	for (unsigned i = 0; i < 5000; i += 100) { /* 64 of each are read */
		publish(from(1, "a.example", "/jwks"), KEYS(key1), AT(i));
		assert_true(publish_to(
		        66, from(66, "evil.example", "/jwks"), many_keys(i, 100), AT(i)));
	}
	assert_true(mm_keyring_count(k, &n_issuers) <= 50 * MM_KEYSET_KEYS + 4);
	for (unsigned i = 5000; i < 15000; i += MM_KEYSET_KEYS) {
		publish(from(1, "a.example", "/jwks"), KEYS(key1), AT(i));
		assert_true(publish_to(66, from(66, "evil.example", "/jwks"),
		        many_keys(i, MM_KEYSET_KEYS), AT(i)));
	}
	assert_int_equal(mm_keyring_count(k, &n_issuers), MM_KEYRING_KEYS);
	assert_int_equal(n_issuers, 3);
	/* What is in use, and what the operator told, is not pushed out. */
	expect(judge(&one, A, 15000), MM_VALID, KNOWN);
	expect(judge(&three, "https://c.example", 15000), MM_VALID, KNOWN);
	expect(judge(&secret, "https://c.example", 15000), MM_VALID, KNOWN);
}

static void test_ten_thousand(void **state)
{
	(void)state;
	size_t n_issuers, len;
	char *set = malloc(MM_JSON_BYTES_MAX * 2);
	len = (size_t)sprintf(set, "{\"keys\":[");
	for (unsigned i = 0; i < 10000; i++)
		len += (size_t)sprintf(set + len, "%s{\"kty\":\"oct\",\"k\":\"%03u%c\"}",
		        i != 0 ? "," : "", i % 1000, "AQgw"[i % 4]);
	len += (size_t)sprintf(set + len, "]}");
	assert_true(len < MM_JSON_BYTES_MAX);
	assert_true(publish_to(1, from(1, "a.example", "/jwks"), set, AT(0)));
	assert_int_equal(mm_keyring_count(k, &n_issuers), MM_KEYSET_KEYS);
	/* Longer than is read. */
	memset(set + len - 2, ' ', MM_JSON_BYTES_MAX);
	strcpy(set + MM_JSON_BYTES_MAX, "]}");
	assert_false(publish_to(1, from(2, "a.example", "/jwks"), set, AT(0)));
	free(set);
}

/* Fewer than there could be: the latest stay, and what the operator told. */
static void test_fewer_keys(void **state)
{
	enum { FEW = 64 };
	(void)state;
	size_t n_issuers;
	char key[JOSE_TEXT];
	struct signer secret = signer_new("HS256", "s");
	mm_keyring_free(k);
	k = mm_keyring_new(FEW);
	assert_int_equal(mm_keyring_tell(k, mm_slice_str("https://c.example"),
	                         mm_slice_str(KEYS(jwk_text(&secret, "", key), key3))),
	        MM_OK);
	assert_true(publish_to(66, from(66, "evil.example", "/jwks"), many_keys(0, 60), AT(0)));
	assert_int_equal(mm_keyring_count(k, &n_issuers), 62);
	assert_int_equal(mm_keyring_evicted(k), 0);
	assert_true(publish_to(66, from(66, "evil.example", "/jwks"), many_keys(100, 60), AT(1)));
	assert_int_equal(mm_keyring_count(k, &n_issuers), FEW);
	assert_int_equal(mm_keyring_evicted(k), 58);
	expect(judge(&three, "https://c.example", 2), MM_VALID, KNOWN);
}

static void test_many_issuers(void **state)
{
	(void)state;
	char name[64], uri[64], path[64], longest[MM_URL_TEXT + 1];
	size_t n_issuers;
	issuers();
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "https://x%u.example", i);
		snprintf(uri, sizeof uri, "https://x%u.example/jwks", i);
		snprintf(path, sizeof path, "/jwks/%u", i);
		assert_int_equal(
		        discover(66, "evil.example", name, uri), i + 2 < MM_KEYRING_ISSUERS);
		assert_int_equal(publish_to(66, from(66, "evil.example", path), KEYS(key4), AT(i)),
		        i + 2 < MM_KEYRING_PLACES);
	}
	(void)mm_keyring_count(k, &n_issuers);
	assert_int_equal(n_issuers, MM_KEYRING_ISSUERS);
	assert_int_equal(k->n_places, MM_KEYRING_PLACES);
	for (size_t i = 0; i < k->n_keys; i++)
		assert_true(k->keys[i].n_uses <= MM_KEY_USES);
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	memset(longest, 'x', sizeof longest);
	longest[MM_URL_TEXT] = '\0';
	assert_false(discover(1, "a.example", longest, A));
	assert_int_equal(
	        mm_keyring_tell(k, mm_slice_str("https://y.example"), mm_slice_str(KEYS(key1))),
	        MM_ERR_FORMAT);
	assert_int_equal(mm_keyring_tell(k, mm_slice_str(A), mm_slice_str("{}")), MM_ERR_FORMAT);
}

/* More names for one key than are kept, and more sets for one issuer. */
static void test_many_places(void **state)
{
	(void)state;
	assert_true(discover(1, "a.example", A, A "/jwks"));
	for (uint8_t i = 1; i < 20; i++)
		publish(from(i, "a.example", "/jwks"), KEYS(key1), AT(i));
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	for (unsigned i = 0; i < 20; i++) {
		char alias[64];
		struct mm_key_source server = from(1, "a.example", "/token");
		snprintf(alias, sizeof alias, "https://alias%u.example", i);
		struct mm_proof p = judge(&one, alias, 10);
		mm_keyring_issued(k, mm_slice_str(alias), &p, &server);
	}
	assert_true(k->keys[0].n_issuers <= MM_KEY_ISSUERS);
	assert_true(k->keys[0].n_uses <= MM_KEY_USES);
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
}

/* --- saving ---------------------------------------------------------------------------------------- */

/* A run: a keyring, and the files of which its packets are. */
struct kept {
	struct mm_keyring *ring;
	struct mm_files files;
};

static struct mm_store saved(const struct kept *r)
{
	struct mm_store out = { 0 };
	mm_files_save(&r->files, &out);
	mm_keyring_save(r->ring, &out);
	assert_false(out.failed);
	return out;
}

/* Whatever was kept is there again, though the ring is made for one key. */
static int load(struct mm_slice bytes, struct kept *out)
{
	struct mm_cursor c = mm_cursor(bytes);
	struct mm_file_map map = { 0 };
	*out = (struct kept){ .ring = mm_keyring_new(1) };
	int r = mm_file_map_load(&map, &c);
	if (r == MM_OK)
		r = mm_keyring_load(out->ring, &c, &map);
	if (r == MM_OK)
		r = mm_files_adopt(&out->files, &map, 0);
	mm_file_map_done(&map);
	return r;
}

static void drop(struct kept *r)
{
	mm_keyring_free(r->ring);
	mm_files_done(&r->files);
}

static void full(void)
{
	char key[JOSE_TEXT];
	issuers();
	assert_int_equal(give(10, KEYS(key1), 10), 0);
	assert_int_equal(give(66, KEYS(key1, key3), 20), 0);
	assert_int_equal(give(10, KEYS(key1), 30), 1);
	jwk_text(&four, ",\"issuer\":\"https://login.example/{tenantid}\"", key);
	assert_true(discover(4, "login.example", "https://login.example/{tenantid}",
	        "https://login.example/keys"));
	publish(from(4, "login.example", "/keys"), KEYS(key), AT(0));
	struct mm_proof p = judge(&one, "https://alias.example", 10);
	struct mm_key_source own = from(1, "a.example", "/token");
	mm_keyring_issued(k, mm_slice_str("https://alias.example"), &p, &own);
}

static void test_save(void **state)
{
	(void)state;
	struct kept first = { .ring = k }, again, third;
	struct signer secret = signer_new("HS256", "s");
	char key[JOSE_TEXT];
	assert_int_equal(mm_files_add(&first.files, "a.pcap"), 0);
	full();
	struct mm_store out = saved(&first);
	assert_int_equal(load(mm_slice(out.p, out.len), &again), MM_OK);
	struct mm_store twice = saved(&again);
	assert_int_equal(load(mm_slice(twice.p, twice.len), &third), MM_OK);
	struct mm_store thrice = saved(&third);
	assert_int_equal(thrice.len, twice.len);
	assert_memory_equal(thrice.p, twice.p, twice.len);
	k = third.ring;
	expect(judge(&one, A, 10), MM_VALID, KNOWN);
	expect(judge(&two, A, 10), MM_INVALID, KNOWN | MM_PROOF_FOREIGN);
	assert_true(judge(&three, A, 25).bits & MM_PROOF_DRIFT);
	assert_true(judge(&three, A, 1000).bits & MM_PROOF_RETIRED);
	assert_true(judge(&three, A, -400).bits & MM_PROOF_BEFORE_KEY);
	assert_false(judge(&three, A, 25).bits & (MM_PROOF_RETIRED | MM_PROOF_BEFORE_KEY));
	assert_int_equal(judge(&one, "https://alias.example", 10).verdict, MM_VALID);
	assert_int_equal(judge(&four, "https://login.example/x", 10).verdict, MM_VALID);
	k = first.ring;
	drop(&again);
	drop(&third);
	mm_store_done(&twice);
	mm_store_done(&thrice);
	/* Secrets stay with the operator. */
	assert_int_equal(mm_keyring_tell(k, mm_slice_str("https://c.example"),
	                         mm_slice_str(KEYS(jwk_text(&secret, "", key)))),
	        MM_OK);
	twice = saved(&first);
	assert_null(memmem(twice.p, twice.len, secret.secret, strlen(secret.secret)));
	const char *text = jose_b64(secret.secret, strlen(secret.secret));
	assert_null(memmem(twice.p, twice.len, text, strlen(text)));
	assert_int_equal(load(mm_slice(twice.p, twice.len), &again), MM_OK);
	drop(&again);
	mm_store_done(&twice);
	mm_store_done(&out);
	mm_files_done(&first.files);
}

static size_t n_loaded;

static void check_numbers(const struct mm_keyring *ring)
{
	assert_true(ring->n_keys <= MM_KEYRING_KEYS);
	for (size_t i = 0; i < ring->n_issuers; i++)
		for (size_t p = 0; p < ring->issuers[i].n_places; p++)
			assert_in_range(ring->issuers[i].places[p], 1, ring->n_places);
	for (size_t i = 0; i < ring->n_keys; i++) {
		const struct mm_key *key = &ring->keys[i];
		assert_true(key->n_uses <= MM_KEY_USES);
		for (size_t u = 0; u < key->n_uses; u++)
			assert_in_range(key->uses[u].place, 1, ring->n_places);
		for (size_t u = 0; u < key->n_issuers; u++)
			assert_in_range(key->issuers[u], 1, ring->n_issuers);
		(void)mm_keyring_owner(ring, (uint32_t)i + 1);
	}
}

/* Refused, or all its numbers lead somewhere and it can be used and saved. */
static void load_any(void *arg, struct mm_slice input)
{
	struct kept r, again;
	(void)arg;
	if (load(input, &r) == MM_OK) {
		check_numbers(r.ring);
		if (n_loaded++ % 64 == 0) {
			struct mm_store out = saved(&r);
			assert_int_equal(load(mm_slice(out.p, out.len), &again), MM_OK);
			drop(&again);
			mm_store_done(&out);
		}
	}
	drop(&r);
}

static void test_hostile_state(void **state)
{
	(void)state;
	struct kept first = { .ring = k };
	assert_int_equal(mm_files_add(&first.files, "a.pcap"), 0);
	full();
	struct mm_store out = saved(&first);
	n_loaded = 0;
	guard_every_prefix(out.p, out.len, load_any, NULL);
	assert_int_equal(n_loaded, 1); /* all of it */
	guard_every_bitflip(out.p, out.len, load_any, NULL);
	assert_true(n_loaded > 100); /* a time, say, can be another */
	mm_store_done(&out);
	mm_files_done(&first.files);
}

/* Documents and tokens, cut and flipped. */
static void learn_any(void *arg, struct mm_slice input)
{
	struct mm_key_source source = from(1, "a.example", "/jwks");
	struct mm_addr to = host(10);
	struct mm_jwt jwt;
	struct mm_proof proof;
	(void)arg;
	(void)mm_keyring_discovery(k, &source, input);
	(void)mm_keyring_publish(
	        k, &source, &to, input, AT(100), (struct mm_pkt){ 0 }, drift, &n_drift);
	if (mm_jwt_parse(input, &jwt)) {
		mm_keyring_judge(k, &jwt, AT(100), &proof);
		mm_jwt_done(&jwt);
	}
}

static void test_hostile(void **state)
{
	(void)state;
	static const char doc[] = "{\"issuer\":\"" A "\",\"jwks_uri\":\"" A "/jwks\"}";
	issuers();
	const char *texts[] = { doc, token(&one, A, 10), KEYS(key1, key2) };
	for (size_t i = 0; i < N_OF(texts); i++) {
		guard_every_prefix((const uint8_t *)texts[i], strlen(texts[i]), learn_any, NULL);
		guard_every_bitflip((const uint8_t *)texts[i], strlen(texts[i]), learn_any, NULL);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_own),
		TEST(test_set_before_document),
		TEST(test_two_legs),
		TEST(test_back_leg),
		TEST(test_one_address),
		TEST(test_back_leg_taken_back),
		TEST(test_one_address_sets_first),
		TEST(test_false_document),
		TEST(test_told),
		TEST(test_hearsay),
		TEST(test_tenants),
		TEST(test_tenants_sets),
		TEST(test_tenants_issued),
		TEST(test_lost_requests),
		TEST(test_digested_nonce),
		TEST(test_tenant_document),
		TEST(test_false_key_issuer),
		TEST(test_repeated_often),
		TEST(test_repeated_key),
		TEST(test_scope),
		TEST(test_unknown_issuer),
		TEST(test_alias),
		TEST(test_issued_without_document),
		TEST(test_same_kid),
		TEST(test_rotation),
		TEST(test_replicas),
		TEST(test_unknown_kid),
		TEST(test_drift),
		TEST(test_no_drift),
		TEST(test_drift_unsure),
		TEST(test_embedded),
		TEST(test_x5t),
		TEST(test_embedded_chain),
		TEST(test_header),
		TEST(test_unsigned),
		TEST(test_hmac),
		TEST(test_weak_key),
		TEST(test_many_tries),
		TEST(test_many_keys),
		TEST(test_ten_thousand),
		TEST(test_fewer_keys),
		TEST(test_many_issuers),
		TEST(test_many_places),
		TEST(test_save),
		TEST(test_hostile_state),
		TEST(test_hostile),
	};
	mm_json_init(1);
	mm_jwk_init();
	one = signer_new("ES256", "1");
	two = signer_new("ES256", "2");
	three = signer_new("ES256", "3");
	four = signer_new("ES256", "4");
	jwk_text(&one, "", key1);
	jwk_text(&two, "", key2);
	jwk_text(&three, "", key3);
	jwk_text(&four, "", key4);
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	signer_done(&one);
	signer_done(&two);
	signer_done(&three);
	signer_done(&four);
	return r;
}
