/* Orphans: credentials presented, never seen issued, and what else speaks for or against forgery.
 *
 * Every P(E|H) is learnt from what this issuer was seen to issue; a feature that is everyday here weighs
 * nothing. Of features with one common cause the strongest counts: the etype of a ticket and of its session key (forged
 * with the NT hash); a wrong kvno and the KDC's refusal of it; what the client's software does. */
#include "detect/orphan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
	KVNO_IMPACKET_MIMIKATZ = 2,
	KVNO_RUBEUS = 3,
	/* RFC 4120 section 7.5.9 */
	KDC_ERR_C_PRINCIPAL_UNKNOWN = 6,
	KDC_ERR_TGT_REVOKED = 20,
	KRB_AP_ERR_BAD_INTEGRITY = 31,
	KRB_AP_ERR_TKT_EXPIRED = 32,
	KRB_AP_ERR_MODIFIED = 41,
	KRB_AP_ERR_BADKEYVER = 44,
};

static bool is_tgt(enum mm_cred_kind kind)
{
	return kind == MM_CRED_TGT || kind == MM_CRED_REFERRAL;
}

/* By who should hold its key. */
static bool unreadable(uint32_t code)
{
	return code == KRB_AP_ERR_BAD_INTEGRITY || code == KRB_AP_ERR_MODIFIED ||
	       code == KRB_AP_ERR_BADKEYVER;
}

static bool kdc_refusal(uint32_t code)
{
	return code == KDC_ERR_C_PRINCIPAL_UNKNOWN || code == KDC_ERR_TGT_REVOKED ||
	       unreadable(code);
}

/* Does the client hold a TGT from just before, and present this one instead? */
static bool latest_unused(
        const struct mm_detect *d, const struct mm_finding *f, const struct mm_sighting *s)
{
	const int64_t recent_ns = INT64_C(3600) * 1000000000; /* LED-03: within one hour */
	struct mm_str user = { f->facts.user, strlen(f->facts.user) };
	uint32_t issuer = mm_names_find_folded(&d->ledger->names, s->cred->issuer);
	const struct mm_latest *latest =
	        mm_ledger_latest(d->ledger, issuer, user, &f->facts.client);
	if (s->cred->kind != MM_CRED_TGT || latest == NULL ||
	        latest->issued_ns > f->facts.first_ns ||
	        f->facts.first_ns - latest->issued_ns > recent_ns)
		return false;
	const struct mm_row *row = mm_ledger_find(d->ledger, &latest->fp);
	return row != NULL && row->n_presented == 0;
}

static void note(const struct mm_detect *d, struct mm_finding *f, const struct mm_look *look,
        const struct mm_sighting *s)
{
	const struct mm_event *ev = look->ev;
	struct mm_facts *facts = &f->facts;
	bool tgt = is_tgt(s->cred->kind);
	facts->n_uses++;
	facts->n_accepted += ev->outcome == MM_SUCCESS ? 1 : 0;
	facts->n_refused += ev->outcome == MM_FAILURE ? 1 : 0;
	if (!tgt && ev->stack == 0 && ev->status.domain == MM_STATUS_KRB5 &&
	        unreadable(ev->status.code))
		facts->service_error = ev->status.code;
	if (s->cred->role != MM_ROLE_PRESENTED || ev->stack == 0)
		return;
	if (facts->stack == 0)
		facts->stack = ev->stack;
	if (facts->reply_alg == 0)
		facts->reply_alg = ev->reply_alg;
	/* Asked on another's behalf, the KDC speaks of the other. */
	bool own = !(ev->flags & (MM_EVF_S4U_SELF | MM_EVF_S4U_PROXY));
	if (facts->kdc_error == 0 && ev->status.domain == MM_STATUS_KRB5 && own)
		facts->kdc_error = ev->status.code;
	/* The reply to a TGT names its client, unless it was obtained for another or the name is hidden. */
	bool own_name = ev->kind == MM_EV_ISSUE &&
	                !(ev->flags & (MM_EVF_S4U_SELF | MM_EVF_S4U_PROXY | MM_EVF_ANONYMOUS));
	if (facts->user[0] == '\0' && own_name) {
		mm_name_copy(facts->user, ev->user);
		facts->latest_unused = latest_unused(d, f, s);
	}
}

/* The ticket as a credential again, for the scopes of what was learnt. */
static struct mm_cred as_cred(const struct mm_facts *facts)
{
	return (struct mm_cred){ .fp = facts->fp,
		.kind = facts->kind,
		.issuer = { facts->issuer, strlen(facts->issuer) },
		.service = { facts->service, strlen(facts->service) },
		.kvno = facts->kvno,
		.alg = facts->alg,
		.name_type = facts->name_type,
		.length = facts->length };
}

struct norm {
	const struct mm_baseline *baseline;
	struct mm_cred cred;
	uint32_t issuer;    /* folded name */
	uint32_t scopes[3]; /* the service, its machine, all of its kind */
	uint32_t host;      /* what its client does otherwise */
	const struct mm_names *names;
	struct mm_str user;
};

static struct norm norm_of(const struct mm_detect *d, const struct mm_finding *f)
{
	struct norm n = { .baseline = &d->ledger->baseline,
		.cred = as_cred(&f->facts),
		.names = &d->ledger->names,
		.user = { f->facts.user, strlen(f->facts.user) } };
	n.issuer = mm_names_find_folded(&d->ledger->names, n.cred.issuer);
	n.scopes[0] = mm_scope_service(d->ledger, &n.cred);
	n.scopes[1] = mm_scope_machine(d->ledger, &n.cred);
	n.scopes[2] = mm_scope_kind(&n.cred);
	n.host = mm_scope_host(d->ledger, &f->facts.client);
	return n;
}

/* The narrowest scope in which this trait was learnt at all; n is 0 when none. */
static struct mm_share narrowest(
        const struct norm *n, enum mm_trait trait, int64_t value, size_t widest)
{
	struct mm_share share = { 0 };
	for (size_t i = 0; i <= widest && share.n == 0; i++)
		if (n->scopes[i] != 0)
			share = mm_baseline_share(
			        n->baseline, trait, n->issuer, n->scopes[i], value);
	return share;
}

static void note_version(const struct mm_detect *d, struct mm_finding *f)
{
	struct norm n = norm_of(d, f);
	f->facts.n_versions = narrowest(&n, MM_TRAIT_KVNO, f->facts.kvno, 0).n;
}

void mm_orphan_look(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *look, bool tgt)
{
	for (size_t i = 0; i < look->n_seen; i++) {
		const struct mm_sighting *s = &look->seen[i];
		if (!s->orphan || mm_cred_is_token(s->cred->kind) || is_tgt(s->cred->kind) != tgt)
			continue;
		struct mm_finding *f = mm_detect_open(d, detector, look, s);
		if (f == NULL)
			continue;
		if (f->facts.n_uses == 0)
			note_version(d, f);
		note(d, f, look, s);
		mm_finding_use(f, look->ev, s->cred, mm_event_find_cred(look->ev, MM_ROLE_ISSUED));
	}
}

static enum mm_weight_id tgt_kvno_weight(int64_t kvno, bool neighbour)
{
	bool tools = kvno == KVNO_IMPACKET_MIMIKATZ || kvno == KVNO_RUBEUS;
	if (neighbour)
		return tools ? MM_W_KVNO_TGT_NEIGHBOUR : MM_W_KVNO_NEIGHBOUR;
	if (!tools)
		return MM_W_KVNO_OTHER;
	return kvno == KVNO_RUBEUS ? MM_W_KVNO_TGT_3 : MM_W_KVNO_TGT_2;
}

static enum mm_weight_id kvno_weight(
        enum mm_cred_kind kind, int64_t kvno, int64_t current, bool machine)
{
	bool neighbour = kvno >= 0 && current >= 0 && (current - kvno == 1 || kvno - current == 1);
	if (kind == MM_CRED_TGT)
		return tgt_kvno_weight(kvno, neighbour);
	if (neighbour)
		return kvno == KVNO_IMPACKET_MIMIKATZ ? MM_W_KVNO_NEIGHBOUR_2 : MM_W_KVNO_NEIGHBOUR;
	if (machine)
		return MM_W_KVNO_MACHINE;
	if (kvno == KVNO_IMPACKET_MIMIKATZ)
		return MM_W_KVNO_2;
	return kvno == KVNO_RUBEUS ? MM_W_KVNO_3 : MM_W_KVNO_OTHER;
}

/* Its version is the next one, and tickets that were issued after it was shown still carry the one before. */
static bool is_ahead(const struct mm_facts *facts, const struct mm_share *share)
{
	return facts->kvno > 0 && share->latest == facts->kvno - 1 && share->k == 0 &&
	       facts->n_versions != 0 && share->n > facts->n_versions;
}

static const char *number_or_none(int64_t v, char out[24])
{
	if (v < 0)
		return "none";
	snprintf(out, 24, "%lld", (long long)v);
	return out;
}

static const char *tool_words(enum mm_weight_id id, int64_t kvno)
{
	bool named = id != MM_W_KVNO_MACHINE && id != MM_W_KVNO_NEIGHBOUR;
	if (named && kvno == KVNO_IMPACKET_MIMIKATZ)
		return ", and 2 is what ticketer.py and mimikatz write";
	return named && kvno == KVNO_RUBEUS ? ", and 3 is what Rubeus writes" : "";
}

/* Returns the weight; 0 when the version is one that this issuer uses. */
static double weigh_kvno(struct mm_finding *f, const struct norm *n)
{
	char shown[24], usual[24];
	/* Versions belong to accounts: those of other services on the machine tell less, others nothing. */
	struct mm_share share = narrowest(n, MM_TRAIT_KVNO, f->facts.kvno, 0);
	bool machine = share.n == 0;
	if (machine)
		share = narrowest(n, MM_TRAIT_KVNO, f->facts.kvno, 1);
	if (share.n == 0 || share.k != 0)
		return 0;
	enum mm_weight_id id = kvno_weight(f->facts.kind, f->facts.kvno, share.latest, machine);
	if (!machine && is_ahead(&f->facts, &share))
		id = MM_W_KVNO_AHEAD;
	double db = mm_weigh(id, 0, (double)share.n);
	mm_finding_add(f, id, db,
	        "its key version is %s; the %llu seen issued for this %s carry %s%s%s",
	        number_or_none(f->facts.kvno, shown), (unsigned long long)share.n,
	        machine ? "machine" : "service", number_or_none(share.latest, usual),
	        id == MM_W_KVNO_AHEAD ? ", later ones too" : "", tool_words(id, f->facts.kvno));
	return db;
}

static bool weigh_etype(struct mm_finding *f, const struct norm *n)
{
	enum mm_weight_id id = f->facts.kind == MM_CRED_TGT ? MM_W_ETYPE_TGT : MM_W_ETYPE_SERVICE;
	struct mm_share share = narrowest(n, MM_TRAIT_ETYPE, f->facts.alg, 2);
	double db = share.n != 0 ? mm_weigh(id, (double)share.k, (double)share.n) : 0;
	if (db < MM_NOTABLE_DB)
		return false;
	mm_finding_add(f, id, db,
	        "it is encrypted with etype %d; %llu of the %llu seen issued like it are",
	        f->facts.alg, (unsigned long long)share.k, (unsigned long long)share.n);
	return true;
}

/* How usual something is for clients here: among all, or on this very host when it is more usual there. */
static struct mm_share habit(const struct norm *n, enum mm_trait trait, int64_t value)
{
	struct mm_share all = mm_baseline_share(n->baseline, trait, n->issuer, 0, value);
	struct mm_share own = { 0 };
	if (n->host != 0)
		own = mm_baseline_share(n->baseline, trait, n->issuer, n->host, value);
	return own.k != 0 && own.k * all.n > all.k * own.n ? own : all;
}

static bool weigh_reply_etype(struct mm_finding *f, const struct norm *n)
{
	struct mm_share share = habit(n, MM_TRAIT_REPLY_ETYPE, f->facts.reply_alg);
	if (share.n == 0 || f->facts.reply_alg == 0)
		return false;
	double db = mm_weigh(MM_W_REPLY_ETYPE, (double)share.k, (double)share.n);
	if (db < MM_NOTABLE_DB)
		return false;
	mm_finding_add(f, MM_W_REPLY_ETYPE, db,
	        "the KDC sealed its reply with session-key etype %d; %llu of %llu replies here are",
	        f->facts.reply_alg, (unsigned long long)share.k, (unsigned long long)share.n);
	return true;
}

/* Length of the encrypted part, confounder and checksum taken off, so that etypes compare. */
static bool weigh_length(struct mm_finding *f, const struct norm *n)
{
	enum { ENOUGH = 8 }; /* of this very service; else all of its kind */
	uint32_t length = mm_plain_length(&n->cred);
	struct mm_length_rank r = { 0 };
	struct mm_str user = { f->facts.user, strlen(f->facts.user) };
	uint32_t owner = mm_scope_owner(&n->cred, user);
	if (owner != n->scopes[2])
		r = mm_baseline_length_rank(n->baseline, n->issuer, owner, length);
	else if (n->scopes[0] != 0)
		r = mm_baseline_length_rank(n->baseline, n->issuer, n->scopes[0], length);
	if (r.n < ENOUGH && owner == n->scopes[2])
		r = mm_baseline_length_rank(n->baseline, n->issuer, n->scopes[2], length);
	/* Forged ones are short. Honest ones grow with groups and names: a long one says nothing. The further out, the
	 * rarer, as Chebyshev bounds it. */
	if (r.n == 0 || r.margins < 1 || length >= r.min)
		return false;
	double p_h = (r.n_beyond + 0.5) / ((double)r.n + 1) / (r.margins * r.margins);
	double db = mm_weigh_p(MM_W_LENGTH, p_h);
	if (db < MM_NOTABLE_DB)
		return false;
	mm_finding_add(f, MM_W_LENGTH, db,
	        "its encrypted part holds %u bytes; the %llu seen issued like it hold %u to %u",
	        length, (unsigned long long)r.n, r.min, r.max);
	return true;
}

static bool has(const struct mm_finding *f, enum mm_weight_id id)
{
	for (size_t i = 0; i < f->n_evidence; i++)
		if (f->evidence[i].weight_id == id)
			return true;
	return false;
}

/* How usual is such a difference in length? To a host that was shown forwarded TGTs all count; to another those that
 * were not forwarded, and the chance that this is the first one forwarded to it. */
static double chance_of_step(
        const struct norm *n, int64_t step, bool *forwarded_here, struct mm_share *share)
{
	const struct mm_baseline *b = n->baseline;
	struct mm_share all = mm_baseline_share(b, MM_TRAIT_TGT_STEP, n->issuer, 0, step);
	struct mm_share own = mm_baseline_share(b, MM_TRAIT_TGT_STEP_OWN, n->issuer, 0, step);
	struct mm_share here = { 0 };
	if (n->host != 0)
		here = mm_baseline_share(b, MM_TRAIT_FORWARDED_NTH, n->issuer, n->host, 0);
	*forwarded_here = here.n != 0;
	*share = *forwarded_here ? all : own;
	double p = ((double)share->k + 0.5) / ((double)share->n + 1);
	if (*forwarded_here || all.n <= own.n || all.k <= own.k)
		return p;
	struct mm_share first = mm_baseline_once(b, MM_TRAIT_FORWARDED_NTH, n->issuer, 0);
	double is_first = ((double)first.k + 0.5) / ((double)first.n + 1);
	return p + (double)(all.k - own.k) / (double)all.n * is_first;
}

/* Length against the same user's TGTs: what their requests ask for (renewable, forwarded, another session key) makes
 * them differ by the same few steps for all users; groups and names do not change from one to the next. */
static bool weigh_length_own(struct mm_finding *f, const struct norm *n)
{
	uint32_t user = mm_names_find_folded(n->names, n->user);
	int64_t length = mm_plain_length(&n->cred);
	if (f->facts.kind != MM_CRED_TGT || user == 0)
		return false;
	struct mm_share own =
	        mm_baseline_share(n->baseline, MM_TRAIT_TGT_LENGTH, n->issuer, user, length);
	struct mm_share step;
	bool forwarded;
	double p = chance_of_step(n, mm_step(own.latest, length), &forwarded, &step);
	if (own.n == 0 || step.n == 0)
		return false;
	double db = mm_weigh_p(MM_W_LENGTH_OWN, p);
	bool odd = own.k == 0 && db >= MM_NOTABLE_DB;
	if (!odd && has(f, MM_W_LATEST_TGT))
		return false; /* sealed anew it is as long as it was */
	if (!odd && ((own.k == 0 && (double)step.k < 0.3 * (double)step.n) || f->facts.miss.a > 0))
		return false;
	if (own.k != 0)
		mm_finding_add(f, MM_W_LENGTH_USUAL, mm_weigh(MM_W_LENGTH_USUAL, 0, 0),
		        "it holds %lld bytes, as do %llu of %s's TGTs seen issued",
		        (long long)length, (unsigned long long)own.k, f->facts.user);
	else
		mm_finding_add(f, odd ? MM_W_LENGTH_OWN : MM_W_LENGTH_USUAL,
		        odd ? db : mm_weigh(MM_W_LENGTH_USUAL, 0, 0),
		        "it holds %lld bytes, %s's last TGT seen issued %lld; %llu of %llu TGTs%s "
		        "differ so from their user's last",
		        (long long)length, f->facts.user, (long long)own.latest,
		        (unsigned long long)step.k, (unsigned long long)step.n,
		        forwarded ? " here" : " that were not forwarded (none was to this host)");
	return odd;
}

static bool weigh_name_type(struct mm_finding *f, const struct norm *n)
{
	enum mm_weight_id id =
	        f->facts.kind == MM_CRED_TGT ? MM_W_NAME_TYPE_TGT : MM_W_NAME_TYPE_SERVICE;
	struct mm_share share = narrowest(n, MM_TRAIT_NAME_TYPE, f->facts.name_type, 2);
	if (share.n == 0)
		return false;
	double db = mm_weigh(id, (double)share.k, (double)share.n);
	if (db < MM_NOTABLE_DB)
		return false;
	mm_finding_add(f, id, db,
	        "its sname has name-type %d; %llu of the %llu seen issued like it have",
	        f->facts.name_type, (unsigned long long)share.k, (unsigned long long)share.n);
	return true;
}

/* The name of the realm is typed once by a forger and stands twice: counted once. */
static bool weigh_realm_form(const struct mm_detect *d, struct mm_finding *f, const struct norm *n)
{
	static const struct {
		enum mm_weight_id id;
		enum mm_trait trait;
		const char *what;
	} forms[] = { { MM_W_REALM_FORM, MM_TRAIT_REALM_FORM, "realm" },
		{ MM_W_TGT_FORM, MM_TRAIT_TGT_FORM, "service" } };
	const struct mm_names *names = &d->ledger->names;
	size_t n_forms = f->facts.kind == MM_CRED_TGT ? 2 : 1;
	for (size_t i = 0; i < n_forms; i++) {
		struct mm_str form = i == 0 ? n->cred.issuer : n->cred.service;
		uint32_t spelled = mm_names_find(names, form);
		struct mm_share share =
		        mm_baseline_share(n->baseline, forms[i].trait, n->issuer, 0, spelled);
		if (share.n == 0 || share.k != 0)
			continue;
		char text[MM_NAME_TEXT], shown[MM_NAME_TEXT];
		mm_name_copy(text, mm_names_text(names, (uint32_t)share.latest));
		mm_name_copy(shown, form);
		mm_finding_add(f, forms[i].id, mm_weigh(forms[i].id, 0, (double)share.n),
		        "its %s is spelled %s; the %llu seen issued spell it %s", forms[i].what,
		        shown, (unsigned long long)share.n, text);
		return true;
	}
	return false;
}

static bool weigh_service_form(struct mm_finding *f, const struct norm *n)
{
	enum {
		ENOUGH = 5
	}; /* tickets for that machine, before an unheard-of service on it says anything */
	struct mm_share share = { 0 };
	if (n->scopes[1] != 0)
		share = mm_baseline_share(
		        n->baseline, MM_TRAIT_SERVICE_FORM, n->issuer, n->scopes[1], n->scopes[0]);
	if (share.n < ENOUGH || share.k != 0)
		return false;
	double db = mm_weigh(MM_W_SERVICE_FORM, 0, (double)share.n);
	if (db < MM_NOTABLE_DB)
		return false;
	mm_finding_add(f, MM_W_SERVICE_FORM, db,
	        "nobody was seen to ask for %s, though %llu tickets for that machine were issued",
	        f->facts.service, (unsigned long long)share.n);
	return true;
}

static bool weigh_stack(struct mm_finding *f, const struct norm *n)
{
	struct mm_share share = habit(n, MM_TRAIT_STACK, (int64_t)f->facts.stack);
	enum mm_weight_id id = f->facts.miss.a > 0 ? MM_W_STACK_WARM_UP : MM_W_STACK;
	if (share.n == 0 || f->facts.stack == 0)
		return false;
	double db = mm_weigh(id, (double)share.k, (double)share.n);
	if (db < MM_NOTABLE_DB)
		return false;
	mm_finding_add(f, id, db,
	        "the request that carried it was made by software that makes %llu of %llu requests "
	        "here",
	        (unsigned long long)share.k, (unsigned long long)share.n);
	return true;
}

static void weigh_latest(struct mm_finding *f, const struct norm *n)
{
	struct mm_share other =
	        mm_baseline_share(n->baseline, MM_TRAIT_LATEST_TGT, n->issuer, 0, 0);
	if (!f->facts.latest_unused || f->facts.miss.a > 0)
		return;
	double db = mm_weigh(MM_W_LATEST_TGT, (double)other.k, (double)other.n);
	if (db < MM_NOTABLE_DB)
		return;
	mm_finding_add(f, MM_W_LATEST_TGT, db,
	        "%s had just obtained another TGT on this host and did not use it: so it looks "
	        "when a TGT is "
	        "opened and sealed anew; %llu of %llu presentations here were not of the latest "
	        "TGT",
	        f->facts.user, (unsigned long long)other.k, (unsigned long long)other.n);
}

static bool weigh_refusal(struct mm_finding *f, const struct norm *n, double kvno_db)
{
	if (f->facts.kdc_error == KRB_AP_ERR_TKT_EXPIRED)
		mm_finding_add(f, MM_W_KDC_EXPIRED, mm_weigh(MM_W_KDC_EXPIRED, 0, 0),
		        "the KDC could read it and found it expired: it is old");
	if (!kdc_refusal(f->facts.kdc_error))
		return false;
	/* A KDC that has no key of that version must refuse: nothing new beyond the version itself. */
	if (kvno_db > 0 && f->facts.kdc_error == KRB_AP_ERR_BADKEYVER)
		return false;
	struct mm_share share = mm_baseline_share(
	        n->baseline, MM_TRAIT_TGS_ERROR, n->issuer, 0, f->facts.kdc_error);
	mm_finding_add(f, MM_W_KDC_REFUSED,
	        mm_weigh(MM_W_KDC_REFUSED, (double)share.k, (double)share.n),
	        "the KDC refused it with error %u, which %llu of %llu requests here got",
	        f->facts.kdc_error, (unsigned long long)share.k, (unsigned long long)share.n);
	return true;
}

/* A rekeyed service refuses honest old tickets: it counts where none but this version was ever issued for it. */
static bool weigh_service_refusal(struct mm_finding *f, const struct norm *n)
{
	struct mm_share share = narrowest(n, MM_TRAIT_KVNO, f->facts.kvno, 0);
	if (f->facts.service_error == 0 || share.n == 0 || share.k != share.n)
		return false;
	mm_finding_add(f, MM_W_SERVICE_REFUSED, mm_weigh(MM_W_SERVICE_REFUSED, 0, 0),
	        "the service had no key for it or could not read it (error %u), though all %llu "
	        "seen "
	        "issued for it carry its key version",
	        f->facts.service_error, (unsigned long long)share.n);
	return true;
}

/* The KDC writes the name as it knows it or as it was asked; a forger types it. */
static bool weigh_user_form(struct mm_finding *f, const struct norm *n)
{
	uint32_t user = mm_names_find_folded(n->names, n->user);
	uint32_t spelled = mm_names_find(n->names, n->user);
	if (f->facts.kind != MM_CRED_TGT || user == 0)
		return false;
	struct mm_share own =
	        mm_baseline_share(n->baseline, MM_TRAIT_USER_SPELLED, n->issuer, user, spelled);
	struct mm_share all = mm_baseline_share(n->baseline, MM_TRAIT_USER_FORM, n->issuer, 0, 1);
	double db = mm_weigh(MM_W_USER_FORM, (double)all.k, (double)all.n);
	if (own.n == 0 || own.k != 0 || db < MM_NOTABLE_DB)
		return false;
	char text[MM_NAME_TEXT];
	mm_name_copy(text, mm_names_text(n->names, (uint32_t)own.latest));
	mm_finding_add(f, MM_W_USER_FORM, db,
	        "its user is spelled %s, in the %llu TGTs of the same seen issued %s; %llu of %llu "
	        "TGTs here spell their user otherwise than before",
	        f->facts.user, (unsigned long long)own.n, text, (unsigned long long)all.k,
	        (unsigned long long)all.n);
	return true;
}

/* Where its user obtains TGTs in view. A TGT sealed anew is its user's, on the host where that was obtained. */
static void weigh_user(const struct mm_detect *d, struct mm_finding *f, const struct norm *n)
{
	uint32_t user = mm_names_find_folded(n->names, n->user);
	uint32_t here = mm_scope_here(d->ledger, n->user, &f->facts.client);
	char addr[MM_ADDR_TEXT];
	if (f->facts.kind != MM_CRED_TGT || n->user.len == 0 || has(f, MM_W_LATEST_TGT))
		return;
	struct mm_share had =
	        mm_baseline_share(n->baseline, MM_TRAIT_TGT_LENGTH, n->issuer, user, 0);
	struct mm_share had_here =
	        mm_baseline_share(n->baseline, MM_TRAIT_TGT_HERE, n->issuer, here, 0);
	(void)mm_addr_text(&f->facts.client, addr);
	if (here != 0 && had_here.n != 0) {
		mm_finding_add(f, MM_W_USER_KNOWN_HERE, mm_weigh(MM_W_USER_KNOWN_HERE, 0, 0),
		        "%s was seen to obtain %llu TGTs on %s", f->facts.user,
		        (unsigned long long)had_here.n, addr);
		return;
	}
	bool known = user != 0 && had.n != 0;
	enum mm_weight_id id = known ? MM_W_USER_NEW_HERE : MM_W_USER_NEW;
	struct mm_share once = mm_baseline_once(
	        n->baseline, known ? MM_TRAIT_HERE_NTH : MM_TRAIT_USER_NTH, n->issuer, 0);
	double db = mm_weigh(id, (double)once.k, (double)once.n);
	/* A forwarded TGT is longer and shown where its user obtains none: one cause, counted once. */
	if (has(f, MM_W_LENGTH_OWN) || once.n == 0 || db < MM_NOTABLE_DB)
		return;
	mm_finding_add(f, id, db,
	        "%s was never seen to obtain a TGT%s%s; %llu of %llu TGTs here are the only one of "
	        "their user%s",
	        f->facts.user, known ? " on " : "", known ? addr : "", (unsigned long long)once.k,
	        (unsigned long long)once.n, known ? " on a host" : "");
}

/* Only past the warm-up: before, a host may have obtained everything before the sensor began. */
static void weigh_host(const struct mm_detect *d, struct mm_finding *f, const struct norm *n)
{
	const struct mm_cell *host = mm_ledger_host(d->ledger, n->issuer, &f->facts.client);
	char addr[MM_ADDR_TEXT];
	bool obtains = host != NULL && host->n_obtained != 0;
	struct mm_share share =
	        mm_baseline_share(n->baseline, MM_TRAIT_HOST_OBTAINS, n->issuer, 0, obtains);
	if (f->facts.miss.a > 0 || f->facts.role == MM_ROLE_EVIDENCE)
		return;
	if (f->facts.latest_unused && obtains && host->n_obtained == 1)
		return; /* what was not used is all it obtained: neither a stranger nor at home */
	if (obtains) {
		weigh_user(d, f, n);
		mm_finding_add(f, MM_W_HOST_OBTAINS,
		        mm_weigh(MM_W_HOST_OBTAINS, (double)share.k, (double)share.n),
		        "%s obtains tickets from %s in the ordinary way, too",
		        mm_addr_text(&f->facts.client, addr), f->facts.issuer);
		return;
	}
	double db = mm_weigh(MM_W_NEVER_OBTAINED, (double)share.k, (double)share.n);
	if (db < MM_NOTABLE_DB)
		return;
	mm_finding_add(f, MM_W_NEVER_OBTAINED, db,
	        "%s was never seen to obtain anything from %s; of %llu other credentials shown "
	        "%llu came "
	        "from such a host",
	        mm_addr_text(&f->facts.client, addr), f->facts.issuer, (unsigned long long)share.n,
	        (unsigned long long)share.k);
}

static void weigh_orphan(struct mm_finding *f)
{
	const struct mm_miss *m = &f->facts.miss;
	double hours = (double)m->watched_ns / 3.6e12;
	if (f->facts.blind == MM_BLIND_ISSUER) {
		f->unscored = "issuer-not-in-view";
		mm_finding_add(f, MM_W_ORPHAN, 0,
		        "it was never seen issued, but neither was anything "
		        "else by %s: its KDC is out of sight",
		        f->facts.issuer);
		return;
	}
	if (f->facts.blind == MM_BLIND_LOCAL) {
		f->unscored = "issuer-itself";
		mm_finding_add(f, MM_W_ORPHAN, 0,
		        "it was never seen issued, but a KDC presents it: what "
		        "a KDC issues to itself is not on the wire");
		return;
	}
	if (m->a > 0)
		f->unscored = "warm-up";
	if (f->facts.claimed) {
		mm_finding_add(f, MM_W_CLAIMED, mm_weigh_p(MM_W_CLAIMED, m->m),
		        "it was issued by a host that nobody but its own client uses as a KDC of "
		        "%s",
		        f->facts.issuer);
		return;
	}
	mm_finding_add(f, MM_W_ORPHAN, mm_weigh_p(MM_W_ORPHAN, m->m),
	        "it was never seen issued; %s was watched for %.1f h (chance that an honest ticket "
	        "is older "
	        "%.2g), %llu other credentials of it were matched to their issuance (chance issued "
	        "out of "
	        "sight %.2g), chance lost %.2g: an honest one goes missing with chance %.2g",
	        f->facts.issuer, hours, m->a, (unsigned long long)m->n_hits, m->c, m->b, m->m);
}

/* Name-type, request, session-key etype, and how the user's TGT was asked for, are all the client software's: one odd
 * program shows in each. */
static bool is_habit(enum mm_weight_id id)
{
	return id == MM_W_NAME_TYPE_SERVICE || id == MM_W_STACK || id == MM_W_STACK_WARM_UP ||
	       id == MM_W_REPLY_ETYPE || id == MM_W_LENGTH_OWN;
}

static void keep_strongest_habit(struct mm_finding *f)
{
	double strongest = 0;
	size_t n = 0;
	for (size_t i = 0; i < f->n_evidence; i++)
		if (is_habit(f->evidence[i].weight_id))
			strongest = fmax(strongest, f->evidence[i].weight);
	for (size_t i = 0; i < f->n_evidence; i++) {
		bool habit = is_habit(f->evidence[i].weight_id);
		if (habit && f->evidence[i].weight < strongest)
			continue;
		f->evidence[n++] = f->evidence[i];
		strongest = habit ? INFINITY : strongest; /* of equals the first */
	}
	f->n_evidence = n;
}

void mm_orphan_weigh(const struct mm_detect *d, struct mm_finding *f)
{
	struct norm n = norm_of(d, f);
	mm_finding_reset(f, MM_W_PRIOR_FORGED);
	if (f->facts.blind == MM_BLIND_ISSUER && mm_ledger_issuer(d->ledger, n.issuer) != NULL)
		f->facts.blind = MM_SEEING; /* it came into view since */
	/* When it was first seen stays; what is known of coverage grows. */
	const struct mm_row *row = mm_ledger_find(d->ledger, &f->facts.fp);
	bool logon = f->facts.kind == MM_CRED_TGT && n.user.len != 0;
	f->facts.miss = mm_ledger_miss(d->ledger, n.issuer, &f->facts.client,
	        logon ? MM_MISS_LOGON : MM_MISS_ANY, f->facts.miss.watched_ns,
	        row != NULL ? (double)row->missed : 0);
	weigh_orphan(f);
	if (f->facts.blind == MM_BLIND_ISSUER) {
		f->bare = true;
		return;
	}
	double kvno_db = weigh_kvno(f, &n);
	bool odd = kvno_db > 0;
	bool etype = weigh_etype(f, &n);
	odd |= etype;
	weigh_latest(f, &n);
	bool length = weigh_length(f, &n);
	odd |= length;
	if (!length && !etype) /* a short one is short against its user's own, too */
		odd |= weigh_length_own(f, &n);
	odd |= weigh_name_type(f, &n);
	odd |= weigh_realm_form(d, f, &n);
	odd |= weigh_service_form(f, &n);
	odd |= weigh_user_form(f, &n);
	odd |= weigh_refusal(f, &n, kvno_db);
	odd |= weigh_service_refusal(f, &n);
	odd |= weigh_stack(f, &n);
	if (!etype) /* a ticket forged with the NT hash brings its session key with it */
		odd |= weigh_reply_etype(f, &n);
	keep_strongest_habit(f);
	weigh_host(d, f, &n);
	mm_finding_sum(f);
	f->bare = !odd && f->score < 0;
	if (!f->bare)
		f->unscored = NULL;
	else if (f->unscored == NULL)
		f->unscored = "no-odd-feature";
}
