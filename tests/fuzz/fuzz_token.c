/* Keys, tokens and proofs under fuzzing, beneath the dissectors.
 *
 * An input is lines. The first byte of each says what the rest is: 'd' a discovery document, 'k' a key set, 'o' a key set that
 * the operator tells, 't' a token that is shown, 'i' one that is issued, 'p' a proof of possession (RFC 9449) for the last
 * token; the byte after it, less '0', is the host that gives it. A second passes with each line. At the end the keyring is
 * saved and read again. */
#include "fuzz.h"
#include "keys/ring.h"
#include "ledger/tokens.h"

#define NOON (INT64_C(1700000000) * 1000000000)

struct run {
	struct mm_keyring *ring;
	int64_t now_ns;
	struct mm_fp token;
	char form[512];
};

static struct mm_key_source source_of(unsigned who)
{
	static const char *const names[] = { "a.example", "b.example", "10.0.0.1", "" };
	return (struct mm_key_source){ .addr = { 4, { 192, 0, 2, (uint8_t)(1 + who % 3) } },
		.port = 443,
		.host = mm_slice_str(names[who % 4]),
		.path = mm_slice_str("/jwks") };
}

static void publish(struct run *r, unsigned who, struct mm_slice rest)
{
	uint32_t drift[MM_KEYSET_KEYS];
	size_t n_drift = 0, n_issuers;
	struct mm_key_source from = source_of(who);
	const struct mm_addr client = { 4, { 192, 0, 2, (uint8_t)(100 + who % 2) } };
	(void)mm_keyring_publish(
	        r->ring, &from, &client, rest, r->now_ns, (struct mm_pkt){ 0, 1 }, drift, &n_drift);
	fuzz_expect(n_drift <= MM_KEYSET_KEYS, "drift fits");
	size_t n_keys = mm_keyring_count(r->ring, &n_issuers);
	for (size_t i = 0; i < n_drift; i++)
		fuzz_expect(drift[i] != 0 && drift[i] <= n_keys, "drift names keys");
	fuzz_expect(n_keys <= MM_KEYRING_KEYS && n_issuers <= MM_KEYRING_ISSUERS, "limits hold");
}

static void show(struct run *r, unsigned who, struct mm_slice rest, bool issued)
{
	struct mm_claims c;
	struct mm_proof proof;
	struct mm_jwt jwt;
	char words[MM_TOKEN_TEXT];
	r->token = mm_fp_of(rest);
	if (mm_jwt_parse(rest, &jwt)) {
		fuzz_expect(jwt.header != NULL && mm_jwt_looks(rest), "a token has a header");
		fuzz_expect(jwt.signature_len <= MM_JWT_SIGNATURE_MAX, "its signature fits");
		mm_keyring_judge(r->ring, &jwt, r->now_ns, &proof);
		fuzz_expect(proof.verdict != MM_VALID || (proof.key != 0 && jwt.signature_len != 0),
		        "what is valid was verified");
		fuzz_expect(proof.verdict != MM_VALID || !(proof.bits & MM_PROOF_FOREIGN),
		        "what is another's is not valid");
		mm_jwt_done(&jwt);
	}
	if (!mm_claims_read(rest, &c))
		return;
	fuzz_expect(memchr(c.form, '\0', sizeof c.form) != NULL, "a form ends");
	fuzz_expect(memchr(c.aud, '\0', sizeof c.aud) != NULL, "an audience ends");
	(void)mm_claims_tenant_differs(&c);
	mm_claims_differ(c.form, (struct mm_str){ r->form, strlen(r->form) }, words);
	for (const char *p = words; *p != '\0'; p++)
		fuzz_expect(*p >= 0x20 && *p < 0x7f, "words can be printed");
	memcpy(r->form, c.form, sizeof r->form);
	mm_keyring_judge(r->ring, &c.jwt, r->now_ns, &proof);
	struct mm_key_source from = source_of(who);
	if (issued)
		mm_keyring_issued(r->ring, c.iss, &proof, &from);
	(void)mm_keyring_owner(r->ring, proof.key);
	mm_jwt_done(&c.jwt);
}

static void prove(struct run *r, struct mm_slice rest)
{
	static const char method[] = "POST", place[] = "server.example.com/token";
	struct mm_fp id;
	/* RFC 9449 section 6.1 */
	struct mm_slice jkt = mm_slice_str("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
	(void)mm_proof_good(rest, jkt, &r->token, (struct mm_str){ method, strlen(method) },
	        (struct mm_str){ place, strlen(place) }, &id);
	fuzz_expect(mm_fp_is_set(&id), "a proof has an identity");
}

static void line(struct run *r, struct mm_slice text)
{
	unsigned who = (unsigned)mm_at(text, 1) - '0';
	struct mm_slice rest = mm_after(text, 2);
	struct mm_key_source from = source_of(who);
	r->now_ns += INT64_C(1000000000);
	switch (mm_at(text, 0)) {
	case 'd':
		(void)mm_keyring_discovery(r->ring, &from, rest);
		break;
	case 'k':
		publish(r, who, rest);
		break;
	case 'o':
		if (mm_keyring_tell(r->ring, mm_slice_str("https://a.example"), rest) == MM_OK)
			mm_keyring_scope(
			        r->ring, mm_slice_str("https://a.example"), mm_slice_str("s"));
		break;
	case 't':
	case 'i':
		show(r, who, rest, mm_at(text, 0) == 'i');
		break;
	case 'p':
		prove(r, rest);
		break;
	default:
		break;
	}
}

/* What was learnt can be kept. */
static void save(const struct run *r)
{
	struct mm_store out = { 0 };
	struct mm_files files = { 0 };
	struct mm_file_map map = { 0 };
	struct mm_keyring *again = mm_keyring_new(MM_KEYRING_KEYS);
	fuzz_expect(again != NULL && mm_files_add(&files, "fuzz") == 0, "memory suffices");
	mm_files_save(&files, &out);
	mm_keyring_save(r->ring, &out);
	struct mm_cursor c = mm_cursor(mm_slice(out.p, out.len));
	fuzz_expect(mm_file_map_load(&map, &c) == MM_OK, "files can be read again");
	fuzz_expect(mm_keyring_load(again, &c, &map) == MM_OK && c.len == 0,
	        "a keyring can be read again");
	mm_keyring_free(again);
	mm_file_map_done(&map);
	mm_files_done(&files);
	mm_store_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	if (!ready) {
		mm_json_init(1);
		mm_jwk_init();
		ready = true;
	}
	struct run r = { .ring = mm_keyring_new(MM_KEYRING_KEYS), .now_ns = NOON };
	fuzz_expect(r.ring != NULL, "memory suffices");
	struct mm_cursor c = mm_cursor(mm_slice(data, size));
	while (c.len != 0) {
		line(&r, mm_take(&c, mm_find8(mm_left(&c), 0, '\n')));
		if (c.len != 0)
			mm_skip(&c, 1);
	}
	save(&r);
	mm_keyring_free(r.ring);
	return 0;
}
