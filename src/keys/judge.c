/* What a token's signature says against the history of keys. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "keys/ring.h"

enum {
	TRIES_MAX = 24,        /* verifications for one token; after it nothing can be told */
	RSA_BITS_LEAST = 2048, /* RFC 7518 section 3.3 */
};

#define NS_PER_S INT64_C(1000000000)
/* Clocks of issuers, verifiers and sensor differ by so much; RFC 7519 section 4.1.4: "no more than a few minutes". */
#define SKEW_NS (300 * NS_PER_S)
/* Verifiers keep a key set for so long at most (assumed): until then a key that was withdrawn is still taken. */
#define CACHE_NS (48 * 3600 * NS_PER_S)

static bool same_scope(const struct mm_keyring *k, uint32_t a, uint32_t b)
{
	const char *scope = k->issuers[a - 1].scope;
	return a == b || (scope[0] != '\0' && strcmp(scope, k->issuers[b - 1].scope) == 0);
}

/* Do the keys of issuer i sign for the other one? A tenant's also are those of all tenants, where they say so themselves. */
static bool covers(const struct mm_keyring *k, uint32_t i, uint32_t issuer, struct mm_slice iss)
{
	const struct mm_key_issuer *all = &k->issuers[i - 1];
	return same_scope(k, i, issuer) ||
	       ((all->named || all->told) && mm_ring_matches(all->name, iss));
}

/* The places whose keys sign for this issuer. */
struct places {
	bool own[MM_KEYRING_PLACES], any[MM_KEYRING_PLACES];
};

static void find_places(
        const struct mm_keyring *k, uint32_t issuer, struct mm_slice iss, struct places *out)
{
	memset(out, 0, sizeof *out);
	for (uint32_t i = 1; i <= k->n_issuers; i++) {
		const struct mm_key_issuer *other = &k->issuers[i - 1];
		bool own = issuer != 0 && other->n_places != 0 && covers(k, i, issuer, iss);
		for (size_t p = 0; p < other->n_places; p++) {
			out->any[other->places[p] - 1] = true;
			out->own[other->places[p] - 1] |= own;
		}
	}
}

/* A set for all tenants says of each key whose it is. It says so of the key as it stands there: whose it is elsewhere
 * anybody could say in a set of his own. */
static bool use_belongs(
        const struct places *places, const struct mm_key_use *use, struct mm_slice iss)
{
	return places->own[use->place - 1] &&
	       (use->issuer[0] == '\0' || mm_ring_matches(use->issuer, iss));
}

static bool belongs(const struct mm_keyring *k, const struct places *places,
        const struct mm_key *key, uint32_t issuer, struct mm_slice iss)
{
	if (issuer == 0)
		return false;
	for (size_t u = 0; u < key->n_uses; u++)
		if (use_belongs(places, &key->uses[u], iss))
			return true;
	for (size_t u = 0; u < key->n_uses; u++)
		if (places->own[key->uses[u].place - 1])
			return false; /* its own set says that the key is another tenant's */
	for (size_t i = 0; i < key->n_issuers; i++)
		if (same_scope(k, key->issuers[i], issuer))
			return true;
	return false;
}

bool mm_ring_belongs(
        const struct mm_keyring *k, const struct mm_key *key, uint32_t issuer, struct mm_slice iss)
{
	struct places places;
	find_places(k, issuer, iss, &places);
	return belongs(k, &places, key, issuer, iss);
}

/* Was the key ever published where it can be told by whom? Without a document the host of the set can, if all sets agree. */
static bool has_owner(const struct mm_keyring *k, const struct places *places,
        const struct mm_key *key, struct mm_slice iss)
{
	bool agreed = key->n_uses != 0;
	for (size_t u = 0; u < key->n_uses; u++) {
		const struct mm_key_use *use = &key->uses[u];
		struct mm_slice host = mm_ring_host(mm_slice_str(use->issuer));
		const char *place = k->places[use->place - 1].host;
		if (places->any[use->place - 1])
			return true;
		agreed = agreed && host.len != 0 && host.len == strlen(place) &&
		         strncasecmp(place, (const char *)host.p, host.len) == 0 &&
		         !mm_ring_matches(use->issuer, iss);
	}
	return key->n_issuers != 0 || agreed;
}

struct trial {
	struct mm_keyring *k;
	const struct mm_jwt *jwt;
	struct mm_slice iss, kid, x5t, x5t_s256;
	uint32_t issuer; /* 0: not known */
	enum mm_alg alg;
	int64_t iat_ns, now_ns;
	struct mm_proof *out;
	struct places places;
	size_t n_tries;
	bool cut; /* TRIES_MAX was reached */
};

static bool is_own(const struct trial *t, const struct mm_key *key)
{
	return belongs(t->k, &t->places, key, t->issuer, t->iss);
}

static bool is_cert(const char *own, struct mm_slice x5t)
{
	return x5t.len != 0 && mm_slice_eq(mm_slice_str(own), x5t);
}

/* By its kid; a header without one may name its certificate (RFC 7515 sections 4.1.7 and 4.1.8). */
static bool is_named(const struct trial *t, const struct mm_key *key)
{
	if (t->kid.len != 0)
		return mm_slice_eq(mm_slice_str(key->jwk.kid), mm_first(t->kid, MM_KID_TEXT - 1));
	return is_cert(key->jwk.x5t, t->x5t) || is_cert(key->jwk.x5t_s256, t->x5t_s256);
}

/* What is known of its issuer's keys. */
static void note_set(struct trial *t)
{
	struct mm_proof *out = t->out;
	if (t->issuer == 0)
		return;
	const struct mm_key_issuer *i = &t->k->issuers[t->issuer - 1];
	for (size_t p = 0; p < i->n_places; p++) {
		const struct mm_publisher *place = &t->k->places[i->places[p] - 1];
		out->bits |= MM_PROOF_SET_KNOWN | MM_PROOF_PUBLISHED;
		out->set_ns = place->last_ns > out->set_ns ? place->last_ns : out->set_ns;
	}
	if (i->n_issued != 0)
		out->bits |= MM_PROOF_SET_KNOWN;
	if (out->set_ns > t->iat_ns && t->iat_ns != 0 && (out->bits & MM_PROOF_PUBLISHED))
		out->bits |= MM_PROOF_SET_NEWER;
}

/* Where it was seen last, and the first set without it after that, at any of its places. */
static void note_life(struct trial *t, const struct mm_key *key)
{
	struct mm_proof *out = t->out;
	int64_t last = 0, gone = INT64_MAX, absent = INT64_MAX;
	bool own = false, drifted = true;
	for (size_t u = 0; u < key->n_uses; u++)
		own = own || use_belongs(&t->places, &key->uses[u], t->iss);
	for (size_t u = 0; u < key->n_uses; u++)
		if (!own || use_belongs(&t->places, &key->uses[u], t->iss))
			last = key->uses[u].last_ns > last ? key->uses[u].last_ns : last;
	for (size_t u = 0; u < key->n_uses; u++) {
		const struct mm_key_use *use = &key->uses[u];
		if (own && !use_belongs(&t->places, use, t->iss))
			continue; /* how long others repeat it says nothing */
		drifted = drifted && use->drifted;
		gone = use->gone_ns > last && use->gone_ns < gone ? use->gone_ns : gone;
		absent = use->absent_ns < absent ? use->absent_ns : absent;
	}
	out->gone_ns = gone == INT64_MAX ? 0 : gone;
	out->absent_ns = absent == INT64_MAX ? 0 : absent;
	out->last_ns = last;
	/* It left the set between two that were seen: made in the last hundredth of that time is as good as after it. */
	int64_t late_ns = out->gone_ns - (out->gone_ns - last) / 100;
	bool late = t->iat_ns != 0 && t->iat_ns > late_ns;
	if (out->gone_ns != 0 && (late || t->now_ns > out->gone_ns + CACHE_NS))
		out->bits |= MM_PROOF_RETIRED;
	if (out->absent_ns != 0 && t->iat_ns != 0 && t->iat_ns < out->absent_ns - SKEW_NS)
		out->bits |= MM_PROOF_BEFORE_KEY;
	if (drifted && key->n_uses != 0)
		out->bits |= MM_PROOF_DRIFT;
	if (EVP_PKEY_get_base_id(key->jwk.pkey) == EVP_PKEY_RSA &&
	        EVP_PKEY_get_bits(key->jwk.pkey) < RSA_BITS_LEAST)
		out->bits |= MM_PROOF_WEAK_KEY;
}

/* A key verifies the token. */
static void verified(struct trial *t, uint32_t number)
{
	struct mm_proof *out = t->out;
	const struct mm_key *key = &t->k->keys[number - 1];
	out->key = number;
	if (key->jwk.pkey != NULL)
		note_life(t, key);
	if (is_own(t, key)) {
		out->verdict = MM_VALID;
		return;
	}
	if (!has_owner(t->k, &t->places, key, t->iss))
		return; /* it may well be its issuer's: nobody knows yet */
	(void)snprintf(out->signer, sizeof out->signer, "%s", mm_keyring_owner(t->k, number));
	/* Where its issuer's keys are known it is another's; else it may be another name of the same. */
	out->bits |= MM_PROOF_FOREIGN;
	if (out->bits & MM_PROOF_SET_KNOWN)
		out->verdict = MM_INVALID;
}

/* In this order keys are tried: who publishes many of his own does not use up the tries. */
enum rank {
	RANK_OWN,   /* its issuer's */
	RANK_OWNED, /* another issuer's */
	RANK_LOOSE, /* nobody's that is known */
	N_RANKS,
};

static enum rank rank_of(const struct trial *t, const struct mm_key *key)
{
	return is_own(t, key)                             ? RANK_OWN
	       : has_owner(t->k, &t->places, key, t->iss) ? RANK_OWNED
	                                                  : RANK_LOOSE;
}

static enum mm_verdict3 try_key(struct trial *t, const struct mm_key *key)
{
	if (t->n_tries == TRIES_MAX) {
		t->cut = true;
		return MM_CANNOT_TELL;
	}
	enum mm_verdict3 v = mm_jwk_verify(&key->jwk, t->alg, t->jwt);
	t->n_tries += v != MM_CANNOT_TELL;
	return v;
}

/* Keys that the header names, or all others. *named: one that is its issuer's does not verify. True when one verified. */
static bool try_keys(struct trial *t, bool by_name, bool *named)
{
	for (unsigned rank = RANK_OWN; rank < N_RANKS; rank++) {
		for (uint32_t i = 1; i <= t->k->n_keys && !t->cut; i++) {
			const struct mm_key *key = &t->k->keys[i - 1];
			if (is_named(t, key) != by_name || rank_of(t, key) != rank)
				continue;
			enum mm_verdict3 v = try_key(t, key);
			if (v == MM_VALID) {
				verified(t, i);
				return true;
			}
			if (by_name && rank == RANK_OWN && !t->cut) {
				*named = true;
				t->out->key = i;
			}
		}
	}
	return false;
}

static void judge_hmac(struct trial *t)
{
	struct mm_proof *out = t->out;
	for (uint32_t i = 1; i <= t->k->n_keys; i++) {
		struct mm_key *key = &t->k->keys[i - 1];
		bool own = is_own(t, key);
		if (!own && !is_named(t, key))
			continue;
		enum mm_verdict3 v = mm_jwk_verify(&key->jwk, t->alg, t->jwt);
		if (v == MM_VALID) {
			verified(t, i);
			return;
		}
		out->form = mm_jwk_confused(&key->jwk, key->text, t->alg, t->jwt);
		if (out->form != NULL) {
			out->key = i;
			out->bits |= MM_PROOF_CONFUSED;
			out->verdict = MM_INVALID;
			return;
		}
	}
}

/* The key that the token brings itself (RFC 7515 sections 4.1.3 and 4.1.6). A chain of certificates may lead to somebody whom the
 * verifier trusts: it counts where the issuer publishes its keys, and this is none of them. */
static bool read_embedded(const struct trial *t, struct mm_jwk *out)
{
	const json_t *json = json_object_get(t->jwt->header, "jwk");
	const json_t *leaf = json_array_get(json_object_get(t->jwt->header, "x5c"), 0);
	if (json_is_object(json))
		return mm_jwk_read(json, out);
	if (!json_is_string(leaf) || !(t->out->bits & MM_PROOF_PUBLISHED))
		return false;
	return mm_jwk_of_cert(mm_slice(json_string_value(leaf), json_string_length(leaf)), out);
}

static bool judge_embedded(struct trial *t)
{
	struct mm_jwk jwk;
	if (!read_embedded(t, &jwk))
		return false;
	bool good = mm_jwk_verify(&jwk, t->alg, t->jwt) == MM_VALID;
	for (size_t i = 0; i < t->k->n_keys && good; i++)
		if (t->k->keys[i].jwk.pkey != NULL && jwk.pkey != NULL &&
		        EVP_PKEY_eq(t->k->keys[i].jwk.pkey, jwk.pkey) == 1)
			good = false; /* published: judged like any other */
	mm_jwk_done(&jwk);
	if (!good)
		return false;
	t->out->bits |= MM_PROOF_EMBEDDED;
	t->out->verdict = MM_INVALID;
	return true;
}

/* Characters of identifiers and of base64 in either alphabet, and what URLs of keys are made of. A path upwards is none. */
static bool is_odd_kid(struct mm_slice kid)
{
	static const char bad[] = "'\"`;|<>$\\*&(){}\n\r";
	for (size_t i = 0; i < kid.len; i++)
		if (mm_at(kid, i) < 0x20 || memchr(bad, mm_at(kid, i), sizeof bad - 1) != NULL)
			return true;
	return mm_find(kid, 0, mm_slice_str("..")) != kid.len;
}

/* jku and x5u lead to the issuer's own host, or to one below or above it. */
static bool leads_away(struct mm_slice url, struct mm_slice iss)
{
	struct mm_slice a = mm_ring_host(url), b = mm_ring_host(iss);
	if (a.len == 0 || b.len == 0)
		return false;
	struct mm_slice longer = a.len > b.len ? a : b;
	size_t more = longer.len - (a.len > b.len ? b.len : a.len);
	if (more != 0 &&
	        mm_at(longer, more - 1) != '.') /* "evila.example" is not below "a.example" */
		return true;
	if (a.len > b.len)
		a = mm_after(a, more);
	else
		b = mm_after(b, more);
	return strncasecmp((const char *)a.p, (const char *)b.p, a.len) != 0;
}

static void note_header(struct trial *t)
{
	const json_t *header = t->jwt->header;
	if (is_odd_kid(t->kid))
		t->out->bits |= MM_PROOF_ODD_KID;
	if (leads_away(mm_json_str(header, "jku"), t->iss) ||
	        leads_away(mm_json_str(header, "x5u"), t->iss))
		t->out->bits |= MM_PROOF_FOREIGN_URL;
}

/* Is it signed with its nonce digested? */
static bool judge_digested(struct trial *t)
{
	size_t n = 0;
	bool named = false;
	uint8_t *text = mm_jwt_digested(t->jwt, &n);
	if (text == NULL)
		return false;
	struct mm_jwt digested = *t->jwt;
	struct trial other = *t;
	digested.signed_part = mm_slice(text, n);
	other.jwt = &digested;
	bool good = try_keys(&other, true, &named) || try_keys(&other, false, &named);
	free(text);
	return good;
}

static void judge_public(struct trial *t)
{
	struct mm_proof *out = t->out;
	bool named = false, known = (out->bits & MM_PROOF_SET_KNOWN) != 0;
	if (try_keys(t, true, &named) || try_keys(t, false, &named))
		return;
	t->k->n_cut += t->cut;
	if (judge_digested(t) || judge_embedded(t))
		return;
	if (named) {
		out->bits |= MM_PROOF_BAD;
		out->verdict = MM_INVALID;
	} else if (known && t->kid.len != 0) {
		out->bits |= MM_PROOF_UNKNOWN_KID;
	} else if (known && !t->cut && (out->bits & MM_PROOF_SET_NEWER)) {
		out->bits |= MM_PROOF_BAD; /* it names no key, and none of them all verifies it */
		out->verdict = MM_INVALID;
	}
}

void mm_keyring_judge(
        struct mm_keyring *k, const struct mm_jwt *jwt, int64_t now_ns, struct mm_proof *out)
{
	*out = (struct mm_proof){ .verdict = MM_CANNOT_TELL };
	if (jwt->encrypted || jwt->header == NULL || jwt->claims == NULL)
		return;
	struct trial t = { .k = k, .jwt = jwt, .now_ns = now_ns, .out = out };
	t.iss = mm_json_str(jwt->claims, "iss");
	t.kid = mm_json_str(jwt->header, "kid");
	t.x5t = mm_json_str(jwt->header, "x5t");
	t.x5t_s256 = mm_json_str(jwt->header, "x5t#S256");
	t.alg = mm_alg_of(mm_json_str(jwt->header, "alg"));
	t.iat_ns = mm_date_ns(mm_json_date(jwt->claims, "iat"));
	t.issuer = mm_ring_find_issuer(k, t.iss);
	find_places(k, t.issuer, t.iss, &t.places);
	note_set(&t);
	note_header(&t);
	if (t.alg == MM_ALG_NONE || (jwt->signature_len == 0 && t.alg != MM_ALG_UNKNOWN)) {
		out->bits |= MM_PROOF_UNSIGNED;
		out->verdict = MM_INVALID;
	} else if (mm_alg_is_hmac(t.alg)) {
		judge_hmac(&t);
	} else if (t.alg != MM_ALG_UNKNOWN) {
		judge_public(&t);
	}
}
