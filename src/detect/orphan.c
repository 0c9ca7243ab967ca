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

static bool kdc_refusal(uint32_t code)
{
	return code == KDC_ERR_C_PRINCIPAL_UNKNOWN || code == KDC_ERR_TGT_REVOKED ||
	       code == KRB_AP_ERR_BAD_INTEGRITY || code == KRB_AP_ERR_MODIFIED ||
	       code == KRB_AP_ERR_BADKEYVER;
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
	facts->n_uses++;
	facts->n_accepted += ev->outcome == MM_SUCCESS ? 1 : 0;
	facts->n_refused += ev->outcome == MM_FAILURE ? 1 : 0;
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

void mm_orphan_look(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *look, bool tgt)
{
	for (size_t i = 0; i < look->n_seen; i++) {
		const struct mm_sighting *s = &look->seen[i];
		if (!s->orphan || is_tgt(s->cred->kind) != tgt)
			continue;
		struct mm_finding *f = mm_detect_open(d, detector, look, s);
		if (f == NULL)
			continue;
		note(d, f, look, s);
		mm_finding_use(f, look->ev, s->cred, mm_event_find_cred(look->ev, MM_ROLE_ISSUED));
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
};

static struct norm norm_of(const struct mm_detect *d, const struct mm_finding *f)
{
	struct norm n = { .baseline = &d->ledger->baseline, .cred = as_cred(&f->facts) };
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

static enum mm_weight_id kvno_weight(int64_t kvno, int64_t current, bool machine)
{
	if (kvno >= 0 && current >= 0 && (current - kvno == 1 || kvno - current == 1))
		return kvno == KVNO_IMPACKET_MIMIKATZ ? MM_W_KVNO_NEIGHBOUR_2 : MM_W_KVNO_NEIGHBOUR;
	if (machine)
		return MM_W_KVNO_MACHINE;
	if (kvno == KVNO_IMPACKET_MIMIKATZ)
		return MM_W_KVNO_2;
	return kvno == KVNO_RUBEUS ? MM_W_KVNO_3 : MM_W_KVNO_OTHER;
}

static const char *number_or_none(int64_t v, char out[24])
{
	if (v < 0)
		return "none";
	snprintf(out, 24, "%lld", (long long)v);
	return out;
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
	enum mm_weight_id id = kvno_weight(f->facts.kvno, share.latest, machine);
	double db = mm_weigh(id, 0, (double)share.n);
	mm_finding_add(f, id, db,
	        "its key version is %s; the %llu seen issued for this %s carry %s%s",
	        number_or_none(f->facts.kvno, shown), (unsigned long long)share.n,
	        machine ? "machine" : "service", number_or_none(share.latest, usual),
	        id == MM_W_KVNO_2 || id == MM_W_KVNO_NEIGHBOUR_2
	                ? ", and 2 is what ticketer.py and mimikatz write"
	        : id == MM_W_KVNO_3 ? ", and 3 is what Rubeus writes"
	                            : "");
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

static bool weigh_realm_form(const struct mm_detect *d, struct mm_finding *f, const struct norm *n)
{
	uint32_t spelled = mm_names_find(&d->ledger->names, n->cred.issuer);
	struct mm_share share =
	        mm_baseline_share(n->baseline, MM_TRAIT_REALM_FORM, n->issuer, 0, spelled);
	if (share.n == 0 || share.k != 0)
		return false;
	double db = mm_weigh(MM_W_REALM_FORM, 0, (double)share.n);
	struct mm_str usual = mm_names_text(&d->ledger->names, (uint32_t)share.latest);
	char text[MM_NAME_TEXT];
	mm_name_copy(text, usual);
	mm_finding_add(f, MM_W_REALM_FORM, db,
	        "its realm is spelled %s; the %llu seen issued spell it %s", f->facts.issuer,
	        (unsigned long long)share.n, text);
	return true;
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
	if (obtains) {
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

/* Name-type, request and session-key etype are all the client software's: one odd program shows in each. */
static bool is_habit(enum mm_weight_id id)
{
	return id == MM_W_NAME_TYPE_SERVICE || id == MM_W_STACK || id == MM_W_STACK_WARM_UP ||
	       id == MM_W_REPLY_ETYPE;
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
	f->facts.miss = mm_ledger_miss(d->ledger, n.issuer, &f->facts.client,
	        f->facts.miss.watched_ns, row != NULL ? (double)row->missed : 0);
	weigh_orphan(f);
	if (f->facts.blind == MM_BLIND_ISSUER) {
		f->bare = true;
		return;
	}
	double kvno_db = weigh_kvno(f, &n);
	bool odd = kvno_db > 0;
	bool etype = weigh_etype(f, &n);
	odd |= etype;
	odd |= weigh_length(f, &n);
	odd |= weigh_name_type(f, &n);
	odd |= weigh_realm_form(d, f, &n);
	odd |= weigh_service_form(f, &n);
	odd |= weigh_refusal(f, &n, kvno_db);
	odd |= weigh_stack(f, &n);
	if (!etype) /* a ticket forged with the NT hash brings its session key with it */
		odd |= weigh_reply_etype(f, &n);
	keep_strongest_habit(f);
	weigh_latest(f, &n);
	weigh_host(d, f, &n);
	mm_finding_sum(f);
	f->bare = !odd && f->score < 0;
	if (!f->bare)
		f->unscored = NULL;
	else if (f->unscored == NULL)
		f->unscored = "no-odd-feature";
}
