/* Tokens of the web: what is known of each, and where it was shown. */
#include "ledger/tokens.h"

#include <stdio.h>
#include <strings.h>

#include "base/base64.h"
#include "ledger/ledger.h"

#define NS_PER_S INT64_C(1000000000)
/* Clocks of issuers, verifiers and sensor differ by so much (RFC 7519 section 4.1.4: "no more than a few minutes"). */
#define SKEW_NS (300 * NS_PER_S)
/* A client that got no answer asks again at once. */
#define RETRY_NS (10 * NS_PER_S)
/* To and fro within so long: not somebody who travels. */
#define TURNS_NS (3600 * NS_PER_S)

enum {
	SERVERS_MAX = 16384,
	PROXIES_MAX = 4096,
	PROOFS_MAX = 65536,
	COMPARED = 20, /* tokens seen issued before one is held to be unlike them */
	/* MM_TRAIT_MOVED */
	MOVED_OTHER = 1,
	MOVED_SAME = 2,
	MOVED_KINDS = 3,
	SCOPE_ALL =
	        0xffffffc0, /* scopes that are no names: tokens of a kind, of all applications */
};

int mm_tokens_init(struct mm_tokens *t, const struct mm_hash_key *key, size_t max, size_t keys_max)
{
	*t = (struct mm_tokens){ .keys = mm_keyring_new(keys_max) };
	if (t->keys == NULL)
		return MM_ERR_NOMEM;
	mm_table_init(&t->tokens, key, sizeof(struct mm_fp), sizeof(struct mm_token), max);
	mm_table_init(&t->servers, key, sizeof(((struct mm_token_server *)0)->key),
	        sizeof(struct mm_token_server), SERVERS_MAX);
	mm_table_init(
	        &t->proxies, key, sizeof(struct mm_addr), sizeof(struct mm_addr), PROXIES_MAX);
	mm_table_init(&t->proofs, key, sizeof(struct mm_fp), sizeof(struct mm_fp), PROOFS_MAX);
	return MM_OK;
}

void mm_tokens_done(struct mm_tokens *t)
{
	mm_keyring_free(t->keys);
	mm_table_done(&t->tokens);
	mm_table_done(&t->servers);
	mm_table_done(&t->proxies);
	mm_table_done(&t->proofs);
}

static int64_t when(const struct mm_event *ev)
{
	return ev->request_ns != 0 ? ev->request_ns : ev->time_ns;
}

struct mm_key_source mm_token_source(const struct mm_event *ev)
{
	struct mm_slice place = mm_str_slice(ev->place);
	size_t slash = mm_find8(place, 0, '/');
	return (struct mm_key_source){ .addr = ev->dst.addr,
		.port = ev->dst.port,
		.host = mm_first(place, slash),
		.path = mm_after(place, slash) };
}

/* --- whose ----------------------------------------------------------------------------------------- */

static struct mm_token_server server_key(uint32_t host, const struct mm_event *ev)
{
	struct mm_token_server key;
	memset(&key, 0, sizeof key); /* compared byte by byte */
	key.key.addr = ev->dst.addr;
	key.key.port = ev->dst.port;
	key.key.host = host;
	return key;
}

static struct mm_str host_of(const struct mm_event *ev)
{
	struct mm_slice host = mm_token_source(ev).host;
	return (struct mm_str){ (const char *)host.p, host.len };
}

/* This server hands out tokens of that issuer. */
static void note_server(struct mm_ledger *l, const struct mm_event *ev, struct mm_str issuer)
{
	struct mm_token_server key = server_key(mm_names_put_folded(&l->names, host_of(ev)), ev);
	struct mm_token_server *server = mm_table_put(&l->tokens.servers, &key.key, NULL);
	if (server != NULL)
		server->issuer = mm_names_put(&l->names, issuer);
}

static struct mm_str issuer_of_server(struct mm_ledger *l, const struct mm_event *ev)
{
	struct mm_token_server key = server_key(mm_names_find_folded(&l->names, host_of(ev)), ev);
	const struct mm_token_server *server = mm_table_find(&l->tokens.servers, &key.key);
	if (server != NULL)
		return mm_names_text(&l->names, server->issuer);
	const char *name = mm_keyring_issuer_at(
	        l->tokens.keys, &ev->dst.addr, ev->dst.port, mm_token_source(ev).host);
	if (name == NULL)
		return host_of(ev); /* it has no other name yet */
	return mm_names_text(
	        &l->names, mm_names_put(&l->names, (struct mm_str){ name, strlen(name) }));
}

static bool names_issuer(const struct mm_cred *cred)
{
	return mm_cred_is_token(cred->kind) && cred->kind != MM_CRED_CLIENT_ASSERTION &&
	       cred->kind != MM_CRED_ASSERTION && cred->issuer.len != 0;
}

static void name_issuers(struct mm_ledger *l, struct mm_event *ev)
{
	struct mm_str own = { NULL, 0 };
	bool at_issuer = ev->grant != MM_GRANT_NONE || ev->kind == MM_EV_ISSUE;
	for (size_t i = 0; i < ev->n_creds; i++) {
		const struct mm_cred *c = &ev->creds[i];
		at_issuer = at_issuer || c->role == MM_ROLE_EVIDENCE;
		if (c->role == MM_ROLE_ISSUED && names_issuer(c) && own.len == 0)
			own = c->issuer;
	}
	if (own.len != 0)
		note_server(l, ev, own);
	for (size_t i = 0; i < ev->n_creds; i++) {
		struct mm_cred *c = &ev->creds[i];
		if (!mm_cred_is_token(c->kind) || c->issuer.len != 0)
			continue;
		const struct mm_row *row = mm_ledger_find(l, &c->fp);
		uint32_t issued = row != NULL ? mm_ledger_mint(l, row)->issuer : 0;
		if (issued != 0)
			c->issuer = mm_names_text(&l->names, issued);
		else if (at_issuer)
			c->issuer = own.len != 0 ? own : issuer_of_server(l, ev);
		/* What the token does not show, its issuance told. */
		if (row == NULL || c->role == MM_ROLE_ISSUED)
			continue;
		if (c->service.len == 0)
			c->service = mm_names_text(&l->names, mm_ledger_mint(l, row)->service);
		if (c->principal.len == 0)
			c->principal = mm_names_text(&l->names, mm_ledger_party(l, row)->principal);
	}
}

void mm_tokens_prepare(struct mm_ledger *l, struct mm_event *ev)
{
	struct mm_tokens *t = &l->tokens;
	t->n_drift = 0;
	if (ev->kind == MM_EV_KEY && ev->document.len != 0) {
		struct mm_key_source from = mm_token_source(ev);
		struct mm_slice doc = mm_str_slice(ev->document);
		t->n_documents++;
		if (!mm_keyring_discovery(t->keys, &from, doc))
			(void)mm_keyring_publish(t->keys, &from, mm_event_client(ev), doc,
			        ev->time_ns, ev->response_pkt, t->drift, &t->n_drift);
		return;
	}
	name_issuers(l, ev);
}

/* --- two legs of one request ----------------------------------------------------------------------- */

uint64_t mm_tokens_agent(const struct mm_event *ev)
{
	/* Its name without version: "Mozilla/5.0 (Windows...) ...": letters only, so that updates change nothing. */
	char family[128];
	size_t n = 0;
	for (size_t i = 0; i < ev->agent.len && n < sizeof family; i++) {
		char b = ev->agent.p[i];
		if ((b < '0' || b > '9') && b != '.' && b != '_')
			family[n++] = b;
	}
	/* The same in every run: it is kept with the state. */
	static const struct mm_hash_key fixed = { 0x7573657220616765, 0x6e742066616d696c };
	return n != 0 ? mm_siphash(&fixed, family, n) | 1 : 0;
}

static bool same_network(const struct mm_addr *a, const struct mm_addr *b)
{
	struct mm_addr x = mm_addr_network(a), y = mm_addr_network(b);
	return mm_addr_eq(&x, &y);
}

/* What a proxy showed in a user's name was shown by the user. */
static void take_back(struct mm_token *token, const struct mm_addr *proxy)
{
	for (size_t i = 0; i < token->n_places; i++) {
		struct mm_token_place *p = &token->places[i];
		if (!mm_addr_eq(&p->client, proxy) || --p->n != 0)
			continue;
		memmove(p, p + 1, (token->n_places - i - 1) * sizeof *p);
		token->n_places--;
		return;
	}
}

static struct mm_token_place *put_place(
        struct mm_token *token, const struct mm_addr *client, uint64_t agent, int64_t now_ns)
{
	struct mm_token_place *p = NULL;
	for (size_t i = 0; i < token->n_places && p == NULL; i++)
		if (same_network(&token->places[i].client, client) &&
		        token->places[i].agent == agent)
			p = &token->places[i];
	if (p == NULL && token->n_places < MM_TOKEN_PLACES) {
		p = &token->places[token->n_places++];
		*p = (struct mm_token_place){
			.client = *client, .agent = agent, .first_ns = now_ns
		};
	}
	if (p != NULL) {
		p->n++;
		p->last_ns = now_ns > p->last_ns ? now_ns : p->last_ns;
	}
	return p;
}

/* An application may show one token by software of several kinds. */
static bool has_agent(const struct mm_token *token, uint64_t agent)
{
	for (size_t i = 0; i < token->n_places; i++)
		if (token->places[i].agent == agent)
			return true;
	return false;
}

static bool is_second_kind(const struct mm_token *token, const struct mm_token_place *at)
{
	for (size_t i = 0; i < token->n_places; i++) {
		const struct mm_token_place *p = &token->places[i];
		if (same_network(&p->client, &at->client) && p->agent != at->agent &&
		        p->agent != 0 && at->agent != 0)
			return true;
	}
	return false;
}

static bool nested(int64_t from, int64_t to, int64_t in_from, int64_t in_to)
{
	return from <= in_from && (to == 0 || in_to == 0 || in_to <= to);
}

bool mm_tokens_copy(struct mm_ledger *l, const struct mm_event *ev, const struct mm_cred *cred)
{
	struct mm_token *token = mm_table_find(&l->tokens.tokens, &cred->fp);
	if (token == NULL || token->leg_src.family == 0 || ev->request_ns == 0 ||
	        cred->role !=
	                MM_ROLE_PRESENTED) /* who asks what a token is worth is no leg of its use */
		return false;
	bool front = mm_addr_eq(&ev->dst.addr, &token->leg_src) &&
	             nested(ev->request_ns, ev->response_ns, token->leg_request_ns,
	                     token->leg_response_ns);
	bool back = mm_addr_eq(&ev->src.addr, &token->leg_dst) &&
	            nested(token->leg_request_ns, token->leg_response_ns, ev->request_ns,
	                    ev->response_ns);
	if (!front && !back)
		return false;
	l->tokens.n_copies++;
	(void)mm_table_put(&l->tokens.proxies, front ? &token->leg_src : &token->leg_dst, NULL);
	if (front) {
		take_back(token, &token->leg_src);
		(void)put_place(token, mm_event_client(ev), mm_tokens_agent(ev), when(ev));
		token->leg_src = ev->src.addr;
		token->leg_request_ns = ev->request_ns;
		token->leg_response_ns = ev->response_ns;
		if (token->used_by.family != 0 && mm_addr_eq(&token->used_by, &ev->dst.addr))
			token->used_by = *mm_event_client(ev);
	}
	return true;
}

/* --- what a token says ----------------------------------------------------------------------------- */

static void copy_text(char *out, size_t room, struct mm_slice s)
{
	size_t n = s.len < room - 1 ? s.len : room - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(mm_at(s, i) >= 0x20 && mm_at(s, i) < 0x7f ? mm_at(s, i) : '?');
	out[n] = '\0';
}

static uint32_t kind_scope(const struct mm_cred *cred)
{
	return (uint32_t)SCOPE_ALL + (uint32_t)cred->kind;
}

/* Tokens of one kind for one application. */
static struct mm_str app_text(
        const struct mm_cred *cred, struct mm_slice client, char out[MM_STR_MAX])
{
	int n = snprintf(out, MM_STR_MAX, "%s of %.*s", mm_cred_kind_name(cred->kind),
	        (int)mm_first(client, 256).len, (const char *)client.p);
	return (struct mm_str){ out, n > 0 ? (size_t)n : 0 };
}

static struct mm_slice client_of(const struct mm_cred *cred, const struct mm_event *ev)
{
	return mm_str_slice(cred->client.len != 0 ? cred->client : ev->app);
}

static uint32_t find_app(
        const struct mm_ledger *l, const struct mm_cred *cred, const struct mm_event *ev)
{
	char text[MM_STR_MAX];
	struct mm_slice client = client_of(cred, ev);
	return client.len != 0 ? mm_names_find(&l->names, app_text(cred, client, text)) : 0;
}

/* In the narrowest scope in which enough were seen; n is 0 when in none. */
static struct mm_share share_of(const struct mm_ledger *l, enum mm_trait trait, uint32_t issuer,
        const uint32_t scopes[2], int64_t value)
{
	struct mm_share none = { 0 };
	for (size_t i = 0; i < 2; i++) {
		struct mm_share share =
		        mm_baseline_share(&l->baseline, trait, issuer, scopes[i], value);
		if (scopes[i] != 0 && share.n >= COMPARED)
			return share;
	}
	return none;
}

/* Is it like the tokens that its issuer was seen to issue? */
static void compare(const struct mm_ledger *l, const struct mm_event *ev,
        const struct mm_cred *cred, const struct mm_claims *c, struct mm_token_facts *f)
{
	struct mm_str iss = { (const char *)c->iss.p, c->iss.len };
	uint32_t issuer = mm_names_find_folded(&l->names, iss);
	uint32_t scopes[2] = { find_app(l, cred, ev), kind_scope(cred) };
	struct mm_str form = { c->form, strlen(c->form) };
	if (issuer == 0)
		return;
	struct mm_share share =
	        share_of(l, MM_TRAIT_CLAIMS, issuer, scopes, mm_names_find(&l->names, form));
	if (share.n != 0 && share.k == 0) {
		f->odd |= MM_TOKEN_TEMPLATE;
		f->template_n = share.n;
		mm_claims_differ(
		        c->form, mm_names_text(&l->names, (uint32_t)share.latest), f->differs);
	}
	share = mm_baseline_share(
	        &l->baseline, MM_TRAIT_ALG, issuer, 0, (int64_t)mm_alg_of(c->alg));
	if (share.n >= COMPARED && share.k == 0) {
		f->odd |= MM_TOKEN_ALG;
		f->alg_n = share.n;
	}
	if (c->iat_s == 0 || c->exp_s <= c->iat_s)
		return;
	uint32_t life =
	        c->exp_s - c->iat_s < UINT32_MAX ? (uint32_t)(c->exp_s - c->iat_s) : UINT32_MAX;
	for (size_t i = 0; i < 2; i++) {
		struct mm_length_rank rank =
		        mm_baseline_length_rank(&l->baseline, issuer, scopes[i], life);
		if (scopes[i] == 0 || rank.n < COMPARED)
			continue;
		if (life / 2 >
		        rank.max / 2 + rank.max / 4 + 30) { /* half as long again, and a minute */
			f->odd |= MM_TOKEN_LIFETIME;
			f->lifetime_n = rank.n;
			f->lifetime_max_s = rank.max;
		}
		break;
	}
}

static uint32_t place_scope(const struct mm_ledger *l, const struct mm_event *ev)
{
	return mm_names_find_folded(&l->names, host_of(ev));
}

/* What its issuer handed out is its own, however unusual. */
static bool was_issued(const struct mm_ledger *l, const struct mm_cred *cred)
{
	const struct mm_row *row = mm_ledger_find(l, &cred->fp);
	return row != NULL && mm_ledger_issued(l, row);
}

/* The values of aud, with blanks between. */
static bool next_audience(struct mm_slice *rest, struct mm_slice *one)
{
	size_t end = mm_find8(*rest, 0, ' ');
	*one = mm_first(*rest, end);
	*rest = mm_after(*rest, end + 1);
	return one->len != 0;
}

/* Does its owner show it? Of an issuer in view what was not seen issued has none. */
static bool is_owners(
        const struct mm_ledger *l, const struct mm_cred *cred, const struct mm_token_facts *f)
{
	const struct mm_issuer *issuer =
	        mm_ledger_issuer(l, mm_names_find_folded(&l->names, cred->issuer));
	bool in_view = issuer != NULL && issuer->n_issued != 0;
	return f->own && (!in_view || was_issued(l, cred));
}

/* Is it meant for this server? One of its audiences is enough (RFC 7519 section 4.1.3). */
static void compare_audience(const struct mm_ledger *l, const struct mm_event *ev,
        const struct mm_cred *cred, struct mm_token_facts *f)
{
	struct mm_str aud = cred->service;
	uint32_t issuer = mm_names_find_folded(&l->names, cred->issuer);
	if (cred->kind != MM_CRED_ACCESS_TOKEN || cred->role != MM_ROLE_PRESENTED || aud.len == 0 ||
	        ev->grant != MM_GRANT_NONE)
		return;
	uint64_t n = 0;
	uint32_t place = place_scope(l, ev), usual_aud = 0;
	struct mm_slice rest = mm_str_slice(aud), one;
	while (next_audience(&rest, &one)) {
		struct mm_str text = { (const char *)one.p, one.len };
		struct mm_share share = mm_baseline_share(&l->baseline, MM_TRAIT_AUD_AT, issuer,
		        place, mm_names_find(&l->names, text));
		if (share.n < COMPARED || share.k != 0)
			return;
		n = share.n;
		usual_aud = (uint32_t)share.latest;
	}
	if (n == 0)
		return;
	f->odd |= is_owners(l, cred, f) ? MM_TOKEN_AUDIENCE_OWN : MM_TOKEN_AUDIENCE;
	f->audience_n = n;
	struct mm_str usual = mm_names_text(&l->names, usual_aud);
	copy_text(f->usual, sizeof f->usual, mm_str_slice(usual));
}

static bool is_id_token(const struct mm_claims *c)
{
	/* OpenID Connect Core 1.0 section 2: claims that no access token has. */
	return json_object_get(c->jwt.claims, "nonce") != NULL ||
	       json_object_get(c->jwt.claims, "at_hash") != NULL;
}

static void copy_facts(const struct mm_claims *c, struct mm_token_facts *f)
{
	f->jwt = true;
	f->encrypted = c->jwt.encrypted;
	copy_text(f->kid, sizeof f->kid, c->kid);
	copy_text(f->alg, sizeof f->alg, c->alg);
	copy_text(f->client, sizeof f->client, c->client);
	copy_text(f->audience, sizeof f->audience, mm_slice_str(c->aud));
	copy_text(f->tenant, sizeof f->tenant, c->tid);
	f->iat_s = c->iat_s;
	f->nbf_s = c->nbf_s;
	f->exp_s = c->exp_s;
}

static void copy_proof(const struct mm_proof *proof, struct mm_token_facts *f)
{
	f->proof = proof->bits;
	f->verdict = proof->verdict;
	f->gone_ns = proof->gone_ns;
	f->absent_ns = proof->absent_ns;
	f->last_ns = proof->last_ns;
	f->set_ns = proof->set_ns;
	copy_text(f->signer, sizeof f->signer, mm_slice_str(proof->signer));
	if (proof->form != NULL)
		copy_text(f->form, sizeof f->form, mm_slice_str(proof->form));
}

static void judge(struct mm_ledger *l, struct mm_token *token, const struct mm_claims *c,
        int64_t now_ns, struct mm_proof *proof)
{
	mm_keyring_judge(l->tokens.keys, &c->jwt, now_ns, proof);
	l->tokens.n_verified++;
	l->tokens.n_invalid += proof->verdict == MM_INVALID && !token->judged;
	token->judged = true;
	token->generation = mm_keyring_generation(l->tokens.keys);
	token->proof = proof->bits;
	token->verdict = (uint8_t)proof->verdict;
	token->key = proof->key;
}

/* A token bound to a key or a certificate, and what was shown with it. */
static void check_binding(struct mm_ledger *l, const struct mm_event *ev,
        const struct mm_cred *cred, const struct mm_claims *c, struct mm_token_facts *f)
{
	const json_t *cnf = json_object_get(c->jwt.claims, "cnf");
	struct mm_slice jkt = mm_json_str(cnf, "jkt"), x5t = mm_json_str(cnf, "x5t#S256");
	struct mm_fp id;
	uint8_t digest[64];
	size_t n;
	if (cred->role != MM_ROLE_PRESENTED || cred->kind != MM_CRED_ACCESS_TOKEN ||
	        ev->scheme == MM_SCHEME_NONE)
		return;
	if (jkt.len != 0 && ev->document.len == 0 && !(ev->flags & MM_EVF_TRUNCATED)) {
		f->odd |= MM_TOKEN_NO_PROOF;
	} else if (jkt.len != 0 && ev->document.len != 0) {
		bool fresh = true;
		bool good = mm_proof_good(
		        mm_str_slice(ev->document), jkt, &cred->fp, ev->method, ev->place, &id);
		(void)mm_table_put(&l->tokens.proofs, &id, &fresh);
		if (!good || !fresh)
			f->odd |= MM_TOKEN_BAD_PROOF;
	}
	f->cert_bound = x5t.len != 0;
	if (x5t.len == 0)
		return;
	if (mm_fp_is_set(&ev->cert) &&
	        (!mm_base64url_decode(x5t, digest, sizeof digest, &n) || n < sizeof ev->cert.b ||
	                memcmp(digest, ev->cert.b, sizeof ev->cert.b) != 0))
		f->odd |= MM_TOKEN_NO_CERT;
	/* Where TLS ends at a proxy that has none of its own, none is ever shown, whatever its application does elsewhere. */
	struct mm_share share = mm_baseline_share(
	        &l->baseline, MM_TRAIT_CERT, 0, mm_names_find_folded(&l->names, host_of(ev)), 0);
	f->cert_missing = ev->no_cert && share.n != 0 && share.k == 0;
	if (f->cert_missing)
		f->odd |= MM_TOKEN_NO_CERT;
}

static void check_dates(
        const struct mm_event *ev, const struct mm_claims *c, struct mm_token_facts *f)
{
	int64_t now = when(ev);
	if (c->exp_s != 0 && now > mm_date_ns(c->exp_s) + SKEW_NS)
		f->odd |= MM_TOKEN_EXPIRED;
	if (c->nbf_s != 0 && now < mm_date_ns(c->nbf_s) - SKEW_NS)
		f->odd |= MM_TOKEN_EARLY;
}

/* Nothing is odd about it, and no key was learnt since: what there is to say of it was said. */
static bool is_plain(const struct mm_ledger *l, const struct mm_token *token)
{
	const uint32_t known = MM_PROOF_SET_KNOWN | MM_PROOF_PUBLISHED | MM_PROOF_SET_NEWER;
	return token->judged && token->looked && !token->bound && token->odd == 0 &&
	       (token->proof & ~known) == 0 && token->verdict != MM_INVALID &&
	       token->generation == mm_keyring_generation(l->tokens.keys);
}

static void look_plain(const struct mm_event *ev, const struct mm_cred *cred,
        const struct mm_token *token, struct mm_token_facts *f)
{
	int64_t now = when(ev);
	f->jwt = true;
	f->verdict = token->verdict;
	f->proof = token->proof;
	f->iat_s = cred->iat_s;
	f->nbf_s = cred->nbf_s;
	f->exp_s = cred->exp_s;
	copy_text(f->kid, sizeof f->kid, mm_str_slice(cred->kid));
	copy_text(f->alg, sizeof f->alg, mm_str_slice(cred->alg_name));
	copy_text(f->audience, sizeof f->audience, mm_str_slice(cred->service));
	if (cred->exp_s != 0 && now > mm_date_ns(cred->exp_s) + SKEW_NS)
		f->odd |= MM_TOKEN_EXPIRED;
}

static void look_jwt(struct mm_ledger *l, const struct mm_event *ev, const struct mm_cred *cred,
        struct mm_token *token, struct mm_token_facts *f)
{
	struct mm_claims c;
	struct mm_proof proof;
	if (cred->jwt && is_plain(l, token)) {
		look_plain(ev, cred, token, f);
		compare_audience(l, ev, cred, f); /* each server has its own */
		return;
	}
	if (cred->raw.len == 0 || !mm_claims_read(mm_str_slice(cred->raw), &c)) {
		f->jwt = cred->jwt;
		return;
	}
	copy_facts(&c, f);
	token->bound = json_object_get(c.jwt.claims, "cnf") != NULL;
	if (cred->kind != MM_CRED_CLIENT_ASSERTION) {
		/* Verified once, and again when keys were learnt since. What was valid stays so, but for keys withdrawn. */
		judge(l, token, &c, when(ev), &proof);
		copy_proof(&proof, f);
		if (!was_issued(l, cred) || proof.verdict == MM_INVALID)
			compare(l, ev, cred, &c, f);
		compare_audience(l, ev, cred, f);
		check_binding(l, ev, cred, &c, f);
		if (mm_claims_tenant_differs(&c))
			f->odd |= MM_TOKEN_TENANT;
		if (cred->kind == MM_CRED_ACCESS_TOKEN && cred->role == MM_ROLE_PRESENTED &&
		        is_id_token(&c))
			f->odd |= MM_TOKEN_ID_TOKEN;
	}
	check_dates(ev, &c, f);
	token->looked = token->looked || cred->role == MM_ROLE_PRESENTED;
	mm_jwt_done(&c.jwt);
}

/* --- where it is shown ----------------------------------------------------------------------------- */

bool mm_tokens_by_proxy(const struct mm_ledger *l, const struct mm_event *ev)
{
	return ev->client.family == 0 && mm_table_find(&l->tokens.proxies, &ev->src.addr) != NULL;
}

/* Services pass tokens on in exchanges and questions of their own: those are not its holder's uses. */
static bool is_holders(const struct mm_event *ev, const struct mm_cred *cred)
{
	bool passed = ev->grant == MM_GRANT_EXCHANGE || ev->grant == MM_GRANT_JWT_BEARER;
	return cred->kind == MM_CRED_ACCESS_TOKEN && cred->role == MM_ROLE_PRESENTED && !passed;
}

/* As MM_TRAIT_MOVED counts it. */
static int64_t moved_as(const struct mm_token_facts *f)
{
	return f->other_agent ? MOVED_OTHER : MOVED_SAME;
}

static void look_place(struct mm_ledger *l, const struct mm_event *ev, const struct mm_cred *cred,
        struct mm_token *token, struct mm_token_facts *f)
{
	if (!is_holders(ev, cred) || mm_tokens_by_proxy(l, ev))
		return;
	const struct mm_addr *client = mm_event_client(ev);
	uint64_t agent = mm_tokens_agent(ev);
	int64_t now = when(ev);
	size_t before = token->n_places;
	const struct mm_token_place *last = NULL;
	for (size_t i = 0; i < before; i++)
		if (last == NULL || token->places[i].last_ns > last->last_ns)
			last = &token->places[i];
	struct mm_token_place from = last != NULL ? *last : (struct mm_token_place){ 0 };
	bool other = from.agent != 0 && agent != 0 && !has_agent(token, agent);
	const struct mm_token_place *at = put_place(token, client, agent, now);
	f->second_kind = at != NULL && is_second_kind(token, at);
	if (last == NULL || same_network(&from.client, client))
		return;
	bool back = at != NULL && at->n > 1 && now - at->first_ns < TURNS_NS;
	if (!back && !other)
		return;
	f->odd |= MM_TOKEN_MOVED;
	f->from = from.client;
	f->to = *client;
	f->other_agent = other;
	f->to_and_fro = back;
	f->since_ns = now - from.last_ns;
	uint32_t issuer = mm_names_find_folded(&l->names, cred->issuer),
	         app = find_app(l, cred, ev);
	f->moved_k = mm_baseline_share(&l->baseline, MM_TRAIT_MOVED, issuer, app, moved_as(f)).k;
	f->moved_n = mm_baseline_share(&l->baseline, MM_TRAIT_MOVED, issuer, app, 0).k;
}

struct mm_share mm_tokens_of_kinds(const struct mm_ledger *l, struct mm_str issuer,
        enum mm_cred_kind kind, struct mm_str client)
{
	char text[MM_STR_MAX];
	const struct mm_cred cred = { .kind = kind };
	uint32_t name = mm_names_find_folded(&l->names, issuer);
	uint32_t app = mm_names_find(&l->names, app_text(&cred, mm_str_slice(client), text));
	struct mm_share share =
	        mm_baseline_share(&l->baseline, MM_TRAIT_MOVED, name, app, MOVED_KINDS);
	share.n = mm_baseline_share(&l->baseline, MM_TRAIT_MOVED, name, app, 0).k;
	return share;
}

/* Codes and refresh tokens serve once. */
static void look_once(const struct mm_event *ev, const struct mm_cred *cred, struct mm_token *token,
        struct mm_token_facts *f)
{
	bool code = cred->kind == MM_CRED_CODE && ev->grant == MM_GRANT_CODE;
	bool refresh = cred->kind == MM_CRED_REFRESH_TOKEN && ev->grant == MM_GRANT_REFRESH;
	if ((!code && !refresh) || cred->role != MM_ROLE_PRESENTED || token->used_ns == 0)
		return;
	uint64_t agent = mm_tokens_agent(ev);
	int64_t since = when(ev) - token->used_ns;
	bool same = same_network(&token->used_by, mm_event_client(ev)) &&
	            (agent == token->used_agent || agent == 0);
	if (same && since <= RETRY_NS)
		return;
	f->odd |= code ? MM_TOKEN_USED_CODE : MM_TOKEN_ROTATED;
	f->from = token->used_by;
	f->to = *mm_event_client(ev);
	f->other_agent = agent != token->used_agent;
	f->since_ns = since;
	f->same_host = same;
}

/* Was it first shown before it expired? Then who showed it is held to be its owner, where its issuance is out of sight. */
static bool was_valid(const struct mm_row *row, const struct mm_cred *cred)
{
	return row->issued_ns == 0 && cred->exp_s != 0 && row->first_ns != 0 &&
	       row->first_ns <= mm_date_ns(cred->exp_s);
}

void mm_tokens_look(struct mm_ledger *l, const struct mm_event *ev, const struct mm_cred *cred,
        struct mm_token_facts *f)
{
	memset(f, 0, sizeof *f);
	struct mm_token *token = mm_table_put(&l->tokens.tokens, &cred->fp, NULL);
	if (token == NULL)
		return;
	copy_text(f->client, sizeof f->client, client_of(cred, ev));
	copy_text(f->usual_place, sizeof f->usual_place, mm_str_slice(host_of(ev)));
	const struct mm_row *row = mm_ledger_find(l, &cred->fp);
	f->own = row != NULL && (mm_ledger_issued(l, row) || was_valid(row, cred)) &&
	         same_network(&mm_ledger_party(l, row)->host, mm_event_client(ev));
	look_jwt(l, ev, cred, token, f);
	if (row != NULL && cred->kind == MM_CRED_ACCESS_TOKEN &&
	        mm_ledger_mint(l, row)->kind == MM_CRED_ID_TOKEN && cred->role == MM_ROLE_PRESENTED)
		f->odd |= MM_TOKEN_ID_TOKEN;
	look_place(l, ev, cred, token, f);
	look_once(ev, cred, token, f);
	token->odd |= f->odd;
	if (cred->role != MM_ROLE_PRESENTED)
		return;
	token->leg_src = ev->src.addr;
	token->leg_dst = ev->dst.addr;
	token->leg_request_ns = ev->request_ns;
	token->leg_response_ns = ev->response_ns;
}

/* --- learning -------------------------------------------------------------------------------------- */

static int64_t nth(uint64_t before)
{
	return before < 2 ? (int64_t)before + 1 : 3;
}

static void learn_token(struct mm_ledger *l, const struct mm_event *ev, const struct mm_cred *cred,
        const struct mm_claims *c)
{
	char text[MM_STR_MAX];
	struct mm_baseline *b = &l->baseline;
	uint32_t issuer = mm_names_put_folded(&l->names, cred->issuer);
	struct mm_str form = { c->form, strlen(c->form) };
	struct mm_slice client = client_of(cred, ev);
	uint32_t scopes[2] = { 0, kind_scope(cred) };
	uint32_t value = mm_names_put(&l->names, form);
	if (client.len != 0)
		scopes[0] = mm_names_put(&l->names, app_text(cred, client, text));
	/* New to its application, as it is compared. */
	uint32_t narrow = scopes[0] != 0 ? scopes[0] : scopes[1];
	struct mm_share had = mm_baseline_share(b, MM_TRAIT_CLAIMS, issuer, narrow, value);
	mm_baseline_count(b, MM_TRAIT_CLAIMS_NTH, issuer, 0, nth(had.k));
	mm_baseline_count(b, MM_TRAIT_ALG, issuer, 0, (int64_t)mm_alg_of(c->alg));
	for (size_t i = 0; i < 2; i++) {
		if (scopes[i] == 0)
			continue;
		mm_baseline_count(b, MM_TRAIT_CLAIMS, issuer, scopes[i], value);
		if (c->iat_s != 0 && c->exp_s > c->iat_s && c->exp_s - c->iat_s < UINT32_MAX)
			mm_baseline_length(b, issuer, scopes[i], (uint32_t)(c->exp_s - c->iat_s));
	}
}

static void settle_issued(
        struct mm_ledger *l, const struct mm_event *ev, const struct mm_cred *cred, bool trusted)
{
	struct mm_claims c;
	struct mm_proof proof;
	const struct mm_row *row = mm_ledger_find(l, &cred->fp);
	struct mm_token *token = mm_table_put(&l->tokens.tokens, &cred->fp, NULL);
	if (token == NULL || cred->raw.len == 0 || !mm_claims_read(mm_str_slice(cred->raw), &c))
		return;
	judge(l, token, &c, when(ev), &proof);
	struct mm_key_source from = mm_token_source(ev);
	if (trusted && proof.key != 0 &&
	        (proof.verdict == MM_VALID || (proof.bits & MM_PROOF_FOREIGN)))
		mm_keyring_issued(l->tokens.keys, c.iss, &proof, &from);
	if (trusted && proof.verdict != MM_INVALID && row != NULL && !token->counted) {
		token->counted = true;
		learn_token(l, ev, cred, &c);
	}
	mm_jwt_done(&c.jwt);
}

/* Where an issuer's tokens are taken, and how its applications' tokens travel. */
static void settle_shown(
        struct mm_ledger *l, const struct mm_event *ev, const struct mm_sighting *s)
{
	const struct mm_cred *cred = s->cred;
	struct mm_token *token = mm_table_find(&l->tokens.tokens, &cred->fp);
	/* Names are kept of issuers that sign: anybody can make others up. */
	uint32_t issuer = s->token->verdict == MM_VALID
	                          ? mm_names_put_folded(&l->names, cred->issuer)
	                          : mm_names_find_folded(&l->names, cred->issuer);
	/* Where what an issuer hands out is out of sight, all of its tokens are orphans. */
	bool missing = s->orphan && s->blind != MM_BLIND_ISSUER;
	if (token == NULL || !is_holders(ev, cred) || issuer == 0 || missing)
		return;
	char text[MM_STR_MAX];
	struct mm_slice client = client_of(cred, ev);
	uint32_t app = client.len != 0 ? mm_names_put(&l->names, app_text(cred, client, text)) : 0;
	if (s->first)
		mm_baseline_count(&l->baseline, MM_TRAIT_MOVED, issuer, app, 0);
	if ((s->token->odd & MM_TOKEN_MOVED) && !token->moved) {
		token->moved = true;
		mm_baseline_count(&l->baseline, MM_TRAIT_MOVED, issuer, app, moved_as(s->token));
	}
	if (s->token->second_kind && !token->kinds) {
		token->kinds = true;
		mm_baseline_count(&l->baseline, MM_TRAIT_MOVED, issuer, app, MOVED_KINDS);
	}
	if (s->token->cert_bound && ev->outcome == MM_SUCCESS &&
	        (ev->no_cert || mm_fp_is_set(&ev->cert)))
		mm_baseline_count(&l->baseline, MM_TRAIT_CERT, 0,
		        mm_names_put_folded(&l->names, host_of(ev)), !ev->no_cert);
	if (!s->first || ev->outcome != MM_SUCCESS)
		return;
	uint32_t place = mm_names_put_folded(&l->names, host_of(ev));
	struct mm_slice rest = mm_str_slice(cred->service), one;
	while (next_audience(&rest, &one)) {
		struct mm_str value = { (const char *)one.p, one.len };
		mm_baseline_count(&l->baseline, MM_TRAIT_AUD_AT, issuer, place,
		        mm_names_put(&l->names, value));
	}
}

/* Which servers do not look at dates? Learnt of whoever shows what was issued to it, whatever stands against the token. */
static void settle_expired(
        struct mm_ledger *l, const struct mm_event *ev, const struct mm_sighting *s)
{
	struct mm_token *token = mm_table_find(&l->tokens.tokens, &s->cred->fp);
	bool late = s->token->odd & MM_TOKEN_EXPIRED;
	if (token == NULL || !s->token->own || s->cred->exp_s == 0 || ev->outcome != MM_SUCCESS ||
	        !is_holders(ev, s->cred) || (!s->first && (!late || token->late)))
		return;
	uint32_t place = mm_names_put_folded(&l->names, host_of(ev));
	if (s->first)
		mm_baseline_count(&l->baseline, MM_TRAIT_EXPIRED_AT, 0, place, 0);
	if (late)
		mm_baseline_count(&l->baseline, MM_TRAIT_EXPIRED_AT, 0, place, 1);
	token->late = late;
}

/* A code was redeemed; another refresh token was given in the place of one. */
static void settle_used(struct mm_ledger *l, const struct mm_look *look)
{
	const struct mm_event *ev = look->ev;
	const struct mm_cred *next = NULL, *shown = look->proof != NULL ? look->proof->cred : NULL;
	if (shown == NULL || ev->outcome != MM_SUCCESS)
		return;
	for (size_t i = 0; i < ev->n_creds; i++)
		if (ev->creds[i].role == MM_ROLE_ISSUED &&
		        ev->creds[i].kind == MM_CRED_REFRESH_TOKEN)
			next = &ev->creds[i];
	bool rotated = shown->kind == MM_CRED_REFRESH_TOKEN && next != NULL &&
	               !mm_fp_eq(&next->fp, &shown->fp);
	struct mm_token *token = mm_table_find(&l->tokens.tokens, &shown->fp);
	if (token == NULL || token->used_ns != 0 || (shown->kind != MM_CRED_CODE && !rotated))
		return;
	token->used_ns = when(ev);
	token->used_by = *mm_event_client(ev);
	token->used_agent = mm_tokens_agent(ev);
}

void mm_tokens_settle(struct mm_ledger *l, const struct mm_look *look, bool trusted)
{
	const struct mm_event *ev = look->ev;
	for (size_t i = 0; i < ev->n_creds; i++)
		if (ev->creds[i].role == MM_ROLE_ISSUED && mm_cred_is_token(ev->creds[i].kind))
			settle_issued(l, ev, &ev->creds[i], trusted);
	for (size_t i = 0; i < look->n_seen && trusted; i++)
		if (look->seen[i].token != NULL && !look->seen[i].copy)
			settle_shown(l, ev, &look->seen[i]);
	for (size_t i = 0; i < look->n_seen; i++)
		if (look->seen[i].token != NULL && !look->seen[i].copy)
			settle_expired(l, ev, &look->seen[i]);
	settle_used(l, look);
}
