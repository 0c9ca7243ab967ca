/* Tokens of the web: one finding for each that is not what it should be.
 *
 * A token that breaks several rules is one finding. It is named by the first rule in the list of detectors that it breaks,
 * and what else is odd about it is evidence in it. */
#include "detect/token.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Facts that say something only when the verifier took the token all the same: honest clients show such tokens, and are
 * refused. */
#define IF_ACCEPTED                                                                                \
	(MM_TOKEN_EXPIRED | MM_TOKEN_EARLY | MM_TOKEN_AUDIENCE | MM_TOKEN_AUDIENCE_OWN |           \
	        MM_TOKEN_ID_TOKEN | MM_TOKEN_MOVED)

/* Replicas of an issuer, and verifiers, lag so much behind a rotation. */
#define LAG_NS 6e10

/* Facts about who made the token; the others are about who has it. */
#define MADE_PROOF                                                                                 \
	(MM_PROOF_UNSIGNED | MM_PROOF_CONFUSED | MM_PROOF_EMBEDDED | MM_PROOF_FOREIGN |            \
	        MM_PROOF_BAD | MM_PROOF_UNKNOWN_KID | MM_PROOF_RETIRED | MM_PROOF_BEFORE_KEY |     \
	        MM_PROOF_DRIFT | MM_PROOF_FOREIGN_URL | MM_PROOF_ODD_KID)
#define MADE_ODD                                                                                   \
	(MM_TOKEN_TEMPLATE | MM_TOKEN_LIFETIME | MM_TOKEN_TENANT | MM_TOKEN_ALG |                  \
	        MM_TOKEN_AUDIENCE | MM_TOKEN_AUDIENCE_OWN | MM_TOKEN_ID_TOKEN | MM_TOKEN_EXPIRED | \
	        MM_TOKEN_EARLY)

/* What a key that was learnt later refutes. */
#define BY_WANT_OF_KEYS (MM_PROOF_FOREIGN | MM_PROOF_BAD | MM_PROOF_UNKNOWN_KID)

/* Other software says more than the same elsewhere, and that more than reuse by the same host. */
static unsigned weight_of_move(const struct mm_token_facts *t)
{
	return t->same_host ? 0 : t->other_agent ? 2 : 1;
}

static bool says_more(const struct mm_token_facts *t, const struct mm_token_facts *than)
{
	return weight_of_move(t) > weight_of_move(than);
}

static void take_move(struct mm_token_facts *out, const struct mm_token_facts *from)
{
	out->from = from->from;
	out->to = from->to;
	out->other_agent = from->other_agent;
	out->same_host = from->same_host;
	out->since_ns = from->since_ns;
	out->moved_k = from->moved_k;
	out->moved_n = from->moved_n;
}

/* What this use adds to what is known of the token. */
static void absorb(struct mm_finding *f, const struct mm_token_facts *t, uint32_t odd)
{
	struct mm_token_facts *own = &f->facts.token;
	bool first = f->facts.n_uses == 0;
	struct mm_token_facts before = *own;
	if (first || t->verdict == MM_INVALID || (t->odd & ~own->odd & odd) != 0)
		*own = *t;
	own->proof |= before.proof * !first;
	if (t->verdict == MM_VALID)
		own->proof &= ~(uint32_t)BY_WANT_OF_KEYS;
	own->odd = odd | (first ? 0 : before.odd);
	if (!first && before.from.family != 0 && (t->from.family == 0 || !says_more(t, &before)))
		take_move(own, &before);
	else if (!first && t->from.family != 0)
		take_move(own, t);
	own->to_and_fro = own->to_and_fro || t->to_and_fro || (!first && before.to_and_fro);
}

static void note(
        struct mm_finding *f, const struct mm_look *look, const struct mm_sighting *s, uint32_t odd)
{
	const struct mm_event *ev = look->ev;
	absorb(f, s->token, odd);
	f->facts.n_uses++;
	f->facts.n_accepted += ev->outcome == MM_SUCCESS;
	f->facts.n_refused += ev->outcome == MM_FAILURE;
	if (f->facts.user[0] == '\0')
		mm_name_copy(f->facts.user, s->cred->principal);
	mm_finding_use(f, ev, s->cred, mm_event_find_cred(ev, MM_ROLE_ISSUED));
}

/* The other leg of what was noted: who showed it is whom the proxy served. */
static void note_copy(struct mm_detect *d, const struct mm_look *look, const struct mm_sighting *s)
{
	struct mm_finding *f = mm_detect_find(d, &s->cred->fp);
	if (f == NULL || !mm_addr_eq(&f->facts.client, &look->ev->dst.addr))
		return;
	f->facts.client = *mm_event_client(look->ev);
	f->src = look->ev->src;
}

/* An ID token that a browser brings to an application was as a rule handed to it on a page nobody reads here. */
static bool can_be_told(const struct mm_sighting *s)
{
	return s->cred->role == MM_ROLE_PRESENTED || s->cred->kind == MM_CRED_ACCESS_TOKEN;
}

void mm_token_look(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_token_rule *rule, const struct mm_look *look)
{
	for (size_t i = 0; i < look->n_seen; i++) {
		const struct mm_sighting *s = &look->seen[i];
		if (s->token == NULL)
			continue;
		if (s->copy) {
			note_copy(d, look, s);
			continue;
		}
		uint32_t odd = s->token->odd;
		if (look->ev->outcome != MM_SUCCESS)
			odd &= ~(uint32_t)IF_ACCEPTED;
		bool breaks = (s->token->proof & rule->proof) != 0 || (odd & rule->odd) != 0 ||
		              (rule->orphan && s->orphan && can_be_told(s));
		struct mm_finding *f = mm_detect_find(d, &s->cred->fp);
		/* What another rule opened is told of its uses by the first one that looks. */
		if (f != NULL && f->detector != detector)
			continue;
		if (f == NULL && !breaks)
			continue;
		f = mm_detect_open(d, detector, look, s);
		if (f != NULL)
			note(f, look, s, odd);
	}
}

/* --- evidence -------------------------------------------------------------------------------------- */

static void time_words(char out[40], int64_t time_ns)
{
	time_t s = (time_t)(time_ns / 1000000000);
	struct tm tm;
	if (gmtime_r(&s, &tm) == NULL || strftime(out, 40, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(out, 40, "?");
}

static void add(struct mm_finding *f, enum mm_weight_id id, const char *what)
{
	mm_finding_add(f, id, mm_weigh_p(id, mm_weight(id)->h_min), "%s", what);
}

static void weigh_key(struct mm_finding *f)
{
	const struct mm_token_facts *t = &f->facts.token;
	uint32_t p = t->proof;
	if (p & MM_PROOF_FOREIGN) {
		enum mm_weight_id id = !(p & MM_PROOF_SET_KNOWN)  ? MM_W_KEY_UNSCOPED
		                       : (p & MM_PROOF_PUBLISHED) ? MM_W_KEY_SCOPE
		                                                  : MM_W_KEY_SCOPE_UNSURE;
		mm_finding_add(f, id, mm_weigh_p(id, mm_weight(id)->h_min),
		        "it says it is issued by %s, but its signature verifies with key %s of %s, "
		        "which is not %s %s's",
		        f->facts.issuer, t->kid[0] != '\0' ? t->kid : "(not named)", t->signer,
		        p & MM_PROOF_SET_KNOWN ? "among" : "known to be among", f->facts.issuer);
	}
	if (p & MM_PROOF_BAD)
		mm_finding_add(f, MM_W_BAD_SIGNATURE, mm_weigh_p(MM_W_BAD_SIGNATURE, 0),
		        "its signature (%s) does not verify with %s%s of %s", t->alg,
		        t->kid[0] != '\0' ? "key " : "any key", t->kid, f->facts.issuer);
	if (p & MM_PROOF_UNSIGNED)
		mm_finding_add(f, MM_W_UNSIGNED, mm_weigh_p(MM_W_UNSIGNED, 0),
		        "it is not signed: alg is %s", t->alg);
	if (p & MM_PROOF_CONFUSED)
		mm_finding_add(f, MM_W_CONFUSED, mm_weigh_p(MM_W_CONFUSED, 0),
		        "its %s verifies with the public key of %s (%s) taken for a secret: "
		        "whoever made "
		        "it needed no secret",
		        t->alg, f->facts.issuer, t->form);
	if (p & MM_PROOF_EMBEDDED)
		add(f, MM_W_EMBEDDED,
		        "its signature verifies with the key in its own header, which no issuer "
		        "published");
	if (p & MM_PROOF_FOREIGN_URL)
		add(f, MM_W_FOREIGN_URL,
		        "its header sends the verifier to a key at another host than its issuer's");
	if (p & MM_PROOF_ODD_KID)
		mm_finding_add(f, MM_W_ODD_KID, mm_weigh_p(MM_W_ODD_KID, 0),
		        "no key is called as its kid says: %s", t->kid);
}

static void weigh_key_life(struct mm_finding *f)
{
	const struct mm_token_facts *t = &f->facts.token;
	char gone[40], absent[40], made[40], set[40], last[40];
	time_words(gone, t->gone_ns);
	time_words(absent, t->absent_ns);
	time_words(made, mm_date_ns(t->iat_s));
	time_words(set, t->set_ns);
	if (t->proof & MM_PROOF_RETIRED) {
		/* It left at some time after it was last seen there: as likely at one as at another. */
		double from = (double)t->last_ns, to = (double)t->gone_ns,
		       at = (double)mm_date_ns(t->iat_s);
		double p = (fmax(0, to - at) + LAG_NS) / (fmax(0, to - from) + LAG_NS);
		time_words(last, t->last_ns);
		mm_finding_add(f, MM_W_RETIRED_KEY,
		        mm_weigh_p(MM_W_RETIRED_KEY, at > to + LAG_NS ? 0 : p),
		        "its key %s was published until %s at least and had left the set by %s; it "
		        "was made "
		        "at %s",
		        t->kid, last, gone, made);
	}
	if (t->proof & MM_PROOF_BEFORE_KEY)
		mm_finding_add(f, MM_W_BEFORE_KEY, mm_weigh_p(MM_W_BEFORE_KEY, 0),
		        "it says it was made at %s, but its key %s was not yet published at %s",
		        made, t->kid, absent);
	if (t->proof & MM_PROOF_DRIFT)
		mm_finding_add(f, MM_W_DRIFT_KEY, mm_weigh_p(MM_W_DRIFT_KEY, 0),
		        "its key %s stood in one answer only, and in none before or after", t->kid);
	if (t->proof & MM_PROOF_WEAK_KEY)
		add(f, MM_W_WEAK_KEY, "it is signed with an RSA key of less than 2048 bits");
	if (!(t->proof & MM_PROOF_UNKNOWN_KID))
		return;
	bool newer = t->proof & MM_PROOF_SET_NEWER;
	enum mm_weight_id id = newer ? MM_W_UNKNOWN_KID_NEWER : MM_W_UNKNOWN_KID;
	mm_finding_add(f, id, mm_weigh_p(id, 0), "%s published no key %s%s%s", f->facts.issuer,
	        t->kid,
	        newer ? "; its set was seen at "
	              : "; its set was not seen since the token was made",
	        newer ? set : "");
}

enum sight {
	ISSUED, /* or what cannot be an orphan */
	MISSED, /* never seen issued: facts.miss */
	BLIND,  /* nor is anything else of its issuer */
};

/* Was it seen issued, and else, how often are honest ones not? */
static enum sight find_issued(const struct mm_detect *d, struct mm_finding *f)
{
	const struct mm_row *row = mm_ledger_find(d->ledger, &f->facts.fp);
	if (f->facts.issuer[0] == '\0' && row != NULL) /* it came to be known since */
		mm_name_copy(f->facts.issuer,
		        mm_names_text(&d->ledger->names, mm_ledger_mint(d->ledger, row)->issuer));
	struct mm_str name = { f->facts.issuer, strlen(f->facts.issuer) };
	uint32_t issuer = mm_names_find_folded(&d->ledger->names, name);
	bool can = f->facts.kind == MM_CRED_ACCESS_TOKEN || f->facts.kind == MM_CRED_ID_TOKEN ||
	           f->facts.kind == MM_CRED_REFRESH_TOKEN;
	if (!can || (row != NULL && mm_ledger_issued(d->ledger, row)))
		return ISSUED;
	const struct mm_issuer *seen = mm_ledger_issuer(d->ledger, issuer);
	if (seen == NULL || seen->n_issued == 0)
		return BLIND;
	/* A stranger's other orphans do not speak for this one: what others miss does. */
	const struct mm_cell *host = mm_ledger_host(d->ledger, issuer, &f->facts.client);
	double own = row != NULL ? (double)row->missed : 0;
	if (host != NULL && host->hits == 0 && host->n_obtained == 0)
		own = fmax(own, host->misses);
	f->facts.blind = MM_SEEING;
	f->facts.miss = mm_ledger_miss(
	        d->ledger, issuer, &f->facts.client, MM_MISS_TOKEN, f->facts.miss.watched_ns, own);
	return MISSED;
}

/* Where much is issued out of sight, what is seen issued does not tell what the rest is like. */
static double at_most(enum mm_weight_id id, double w, const struct mm_finding *f, enum sight sight)
{
	const double in_part = 0.05, of = 1000;
	double c = f->facts.miss.c;
	return sight == MISSED && c > in_part ? fmin(w, fmax(0, mm_weigh(id, c * of, of))) : w;
}

static void weigh_claims(const struct mm_detect *d, struct mm_finding *f, enum sight sight)
{
	const struct mm_token_facts *t = &f->facts.token;
	struct mm_str name = { f->facts.issuer, strlen(f->facts.issuer) };
	uint32_t issuer = mm_names_find_folded(&d->ledger->names, name);
	if (t->odd & MM_TOKEN_TENANT)
		mm_finding_add(f, MM_W_TENANT, mm_weigh_p(MM_W_TENANT, 0),
		        "its tid, %s, is not the tenant in its iss, %s", t->tenant,
		        f->facts.issuer);
	if (t->odd & MM_TOKEN_TEMPLATE) {
		struct mm_share once =
		        mm_baseline_once(&d->ledger->baseline, MM_TRAIT_CLAIMS_NTH, issuer, 0);
		mm_finding_add(f, MM_W_TEMPLATE,
		        at_most(MM_W_TEMPLATE,
		                mm_weigh(MM_W_TEMPLATE, (double)once.k, (double)once.n), f, sight),
		        "its claims are not those of the %llu tokens like it seen issued (%s); "
		        "%llu of "
		        "%llu tokens of this issuer have claims seen once",
		        (unsigned long long)t->template_n, t->differs, (unsigned long long)once.k,
		        (unsigned long long)once.n);
	}
	if (t->odd & MM_TOKEN_ALG)
		mm_finding_add(f, MM_W_TOKEN_ALG,
		        at_most(MM_W_TOKEN_ALG, mm_weigh(MM_W_TOKEN_ALG, 0, (double)t->alg_n), f,
		                sight),
		        "it is signed with %s, none of the %llu tokens seen issued is", t->alg,
		        (unsigned long long)t->alg_n);
	if (t->odd & MM_TOKEN_LIFETIME)
		mm_finding_add(f, MM_W_TOKEN_LIFETIME,
		        at_most(MM_W_TOKEN_LIFETIME, mm_weigh_p(MM_W_TOKEN_LIFETIME, 0), f, sight),
		        "it lives for %lld s; the %llu tokens like it seen issued live for %u s at "
		        "most",
		        (long long)(t->exp_s - t->iat_s), (unsigned long long)t->lifetime_n,
		        t->lifetime_max_s);
	bool elsewhere = t->odd & MM_TOKEN_AUDIENCE;
	enum mm_weight_id audience = elsewhere ? MM_W_AUDIENCE : MM_W_AUDIENCE_OWN;
	if (elsewhere || (t->odd & MM_TOKEN_AUDIENCE_OWN))
		mm_finding_add(f, audience,
		        mm_weigh_p(audience, 0.5 / ((double)t->audience_n * 50)),
		        "it is for %s and was accepted where the %llu tokens before were for %s",
		        t->audience, (unsigned long long)t->audience_n, t->usual);
	if (t->odd & MM_TOKEN_ID_TOKEN)
		add(f, MM_W_ID_TOKEN,
		        "an ID token, which tells an application who logged on, was "
		        "accepted as an access token");
}

/* A server that does not look at dates is seen to take expired tokens from those to whom they were issued. */
static void weigh_expired(const struct mm_detect *d, struct mm_finding *f, const char *date)
{
	const struct mm_token_facts *t = &f->facts.token;
	struct mm_str at = { t->usual_place, strlen(t->usual_place) };
	struct mm_share share = mm_baseline_share(&d->ledger->baseline, MM_TRAIT_EXPIRED_AT, 0,
	        mm_names_find_folded(&d->ledger->names, at), 1);
	uint64_t others = share.k - (t->own && share.k != 0);
	enum mm_weight_id id = t->own ? MM_W_EXPIRED_OWN : MM_W_EXPIRED_ACCEPTED;
	mm_finding_add(f, id, mm_weigh(id, (double)others, (double)share.n),
	        "it was accepted more than 5 min after it had expired at %s%s; of %llu other "
	        "tokens "
	        "accepted there %llu were taken so",
	        date, t->own ? ", from its owner" : "", (unsigned long long)share.n,
	        (unsigned long long)others);
}

static void weigh_dates(const struct mm_detect *d, struct mm_finding *f)
{
	const struct mm_token_facts *t = &f->facts.token;
	char date[40];
	if (t->odd & MM_TOKEN_EXPIRED) {
		time_words(date, mm_date_ns(t->exp_s));
		weigh_expired(d, f, date);
	}
	if (t->odd & MM_TOKEN_EARLY) {
		time_words(date, mm_date_ns(t->nbf_s));
		mm_finding_add(f, MM_W_EARLY_ACCEPTED, mm_weigh_p(MM_W_EARLY_ACCEPTED, 0),
		        "it was accepted more than 5 min before it is valid from %s", date);
	}
}

/* Where one token is shown by several kinds of software, another one elsewhere is as ordinary. Of what was learnt since, too. */
static struct mm_share count_moves(const struct mm_detect *d, const struct mm_finding *f)
{
	const struct mm_token_facts *t = &f->facts.token;
	struct mm_str issuer = { f->facts.issuer, strlen(f->facts.issuer) },
	              client = { t->client, strlen(t->client) };
	struct mm_share share = { .k = t->moved_k, .n = t->moved_n };
	if (!t->other_agent || client.len == 0)
		return share;
	struct mm_share kinds = mm_tokens_of_kinds(d->ledger, issuer, f->facts.kind, client);
	share.k += kinds.k;
	share.n = kinds.n > share.n ? kinds.n : share.n;
	return share;
}

static void weigh_use(const struct mm_detect *d, struct mm_finding *f)
{
	const struct mm_token_facts *t = &f->facts.token;
	char from[MM_ADDR_TEXT] = "?", to[MM_ADDR_TEXT] = "?";
	double minutes = (double)t->since_ns / 6e10;
	if (t->from.family != 0) {
		(void)mm_addr_text(&t->from, from);
		(void)mm_addr_text(&t->to, to);
	}
	struct mm_share share = count_moves(d, f);
	enum mm_weight_id moved = t->other_agent ? MM_W_TOKEN_MOVED : MM_W_TOKEN_MOVED_SAME;
	if (t->odd & MM_TOKEN_MOVED)
		mm_finding_add(f, moved, mm_weigh(moved, (double)share.k, (double)share.n),
		        "shown from %s, %.1f min later from %s%s; %llu of %llu tokens of its "
		        "application "
		        "did so, or are shown by several kinds of software",
		        from, minutes, to, t->other_agent ? " by other software" : "",
		        (unsigned long long)share.k, (unsigned long long)share.n);
	if ((t->odd & MM_TOKEN_MOVED) && t->to_and_fro && t->other_agent)
		add(f, MM_W_TO_AND_FRO, "and both go on showing it in turns");
	bool code = t->odd & MM_TOKEN_USED_CODE;
	if (!(t->odd & (MM_TOKEN_ROTATED | MM_TOKEN_USED_CODE)))
		return;
	enum mm_weight_id id = code ? (t->same_host ? MM_W_CODE_REUSED_HERE : MM_W_CODE_REUSED)
	                       : t->same_host   ? MM_W_ROTATED_HERE
	                       : t->other_agent ? MM_W_ROTATED_ELSEWHERE
	                                        : MM_W_ROTATED_ROAMED;
	mm_finding_add(f, id, mm_weigh_p(id, 0), "%s by %s, and shown again %.1f min later by %s%s",
	        code ? "redeemed" : "another took its place when it was used", from, minutes, to,
	        t->other_agent ? " with other software" : "");
}

static void weigh_binding(struct mm_finding *f)
{
	const struct mm_token_facts *t = &f->facts.token;
	if (t->odd & MM_TOKEN_NO_PROOF)
		add(f, MM_W_NO_PROOF,
		        "it is bound to a key (cnf.jkt) and was shown without a proof of it");
	if (t->odd & MM_TOKEN_BAD_PROOF)
		add(f, MM_W_BAD_PROOF,
		        "it is bound to a key, and the proof shown with it is of another "
		        "key, token or request, or was used before");
	if (t->odd & MM_TOKEN_NO_CERT)
		add(f, MM_W_NO_CERT,
		        t->cert_missing
		                ? "it is bound to a certificate (cnf.x5t#S256) and was "
		                  "shown over TLS "
		                  "without any, at a server that saw one with each such token"
		                : "it is bound to a certificate (cnf.x5t#S256) and was "
		                  "shown over TLS "
		                  "with another one");
}

/* The verifier's word: on a token that is wrong, or in wrong hands. */
static void weigh_answer(struct mm_finding *f)
{
	const struct mm_facts *facts = &f->facts;
	if (facts->n_accepted != 0)
		add(f, MM_W_ACCEPTED, "the server accepted it");
	else if (facts->n_refused != 0)
		add(f, MM_W_REFUSED, "the server refused it");
}

static void weigh_host(const struct mm_detect *d, struct mm_finding *f, uint32_t issuer)
{
	const struct mm_cell *host = mm_ledger_host(d->ledger, issuer, &f->facts.client);
	bool obtains = host != NULL && host->n_obtained != 0;
	char addr[MM_ADDR_TEXT];
	struct mm_share share =
	        mm_baseline_share(&d->ledger->baseline, MM_TRAIT_HOST_OBTAINS, issuer, 0, obtains);
	enum mm_weight_id id = obtains ? MM_W_HOST_OBTAINS : MM_W_NEVER_OBTAINED;
	double db = mm_weigh(id, (double)share.k, (double)share.n);
	if (f->facts.miss.a > 0 || f->facts.role == MM_ROLE_EVIDENCE ||
	        (!obtains && db < MM_NOTABLE_DB))
		return;
	(void)mm_addr_text(&f->facts.client, addr);
	if (obtains)
		mm_finding_add(f, id, db, "%s obtains tokens of %s in the ordinary way, too", addr,
		        f->facts.issuer);
	else
		mm_finding_add(f, id, db,
		        "%s was never seen to obtain anything from %s; of %llu other tokens shown "
		        "%llu "
		        "came from such a host",
		        addr, f->facts.issuer, (unsigned long long)share.n,
		        (unsigned long long)share.k);
}

/* What the ledger says: was it ever issued? */
static void weigh_orphan(const struct mm_detect *d, struct mm_finding *f, enum sight sight)
{
	const struct mm_miss *m = &f->facts.miss;
	struct mm_str name = { f->facts.issuer, strlen(f->facts.issuer) };
	if (sight == BLIND) {
		f->unscored = "issuer-not-in-view";
		mm_finding_add(f, MM_W_ORPHAN, 0,
		        "it was never seen issued, but neither was anything else by %s: what it "
		        "issues is "
		        "out of sight",
		        f->facts.issuer[0] != '\0' ? f->facts.issuer : "its issuer");
	}
	if (sight != MISSED)
		return;
	if (m->a > 0)
		f->unscored = "warm-up";
	mm_finding_add(f, MM_W_ORPHAN, mm_weigh_p(MM_W_ORPHAN, m->m),
	        "it was never seen issued; chance that an honest one is older than what was "
	        "watched "
	        "%.2g, issued out of sight %.2g (%llu others were matched to their issuance), lost "
	        "%.2g: an honest one goes missing with chance %.2g",
	        m->a, m->c, (unsigned long long)m->n_hits, m->b, m->m);
	weigh_host(d, f, mm_names_find_folded(&d->ledger->names, name));
}

void mm_token_weigh(const struct mm_detect *d, struct mm_finding *f)
{
	const struct mm_token_facts *t = &f->facts.token;
	bool made = (t->proof & MADE_PROOF) != 0 || (t->odd & MADE_ODD) != 0;
	bool used = (t->odd & ~(uint32_t)MADE_ODD) != 0;
	enum sight sight = find_issued(d, f);
	mm_finding_reset(f, made || !used ? MM_W_PRIOR_FORGED : MM_W_PRIOR_STOLEN);
	weigh_key(f);
	weigh_key_life(f);
	weigh_claims(d, f, sight);
	weigh_dates(d, f);
	weigh_use(d, f);
	weigh_binding(f);
	if (made || used)
		weigh_answer(f);
	weigh_orphan(d, f, sight);
	mm_finding_sum(f);
	f->bare = !made && !used && f->score < 0;
	if (!f->bare)
		f->unscored = NULL;
	else if (f->unscored == NULL)
		f->unscored = "no-odd-feature";
}
