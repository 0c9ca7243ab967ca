/* The list of detectors, and the table of their findings. */
#include "detect/detect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The one line that adds a detector. taint comes last: it extends what the others opened. */
const struct mm_detector *const mm_detectors[] = {
	&mm_orphan_tgt,
	&mm_orphan_service_ticket,
	&mm_spn_substitution,
	&mm_cname_break,
	&mm_jwt_key_scope,
	&mm_jwt_alg_abuse,
	&mm_jwt_bad_signature,
	&mm_jwt_retired_key,
	&mm_jwt_before_key,
	&mm_jwt_unknown_kid,
	&mm_jwt_claims,
	&mm_jwt_lifetime,
	&mm_jwt_template,
	&mm_jwt_outside_validity,
	&mm_token_binding,
	&mm_token_reuse,
	&mm_token_moved,
	&mm_token_orphan,
	&mm_accepted_invalid,
	&mm_jwks_drift,
	&mm_password_spray,
	&mm_spray_distributed,
	&mm_spray_success, /* after those that it reads */
	&mm_user_enumeration,
	&mm_oauth_app_power,
	&mm_oauth_app_dormant,
	&mm_oauth_app_sweep,
	&mm_oauth_new_credential,
	&mm_oauth_ropc,
	&mm_oauth_consent,
	&mm_oauth_device,
	&mm_impossible_travel,
	&mm_taint,
	NULL,
};

void mm_detect_init(struct mm_detect *d, const struct mm_ledger *ledger,
        const struct mm_hash_key *key, size_t findings_max)
{
	*d = (struct mm_detect){ .ledger = ledger, .findings_max = findings_max };
	mm_table_init(&d->findings, key, sizeof(((struct mm_finding *)0)->key),
	        sizeof(struct mm_finding), findings_max);
}

void mm_detect_done(struct mm_detect *d)
{
	mm_table_done(&d->findings);
	for (size_t i = 0; i < d->n_words; i++)
		free(d->words[i]);
	d->n_words = 0;
}

static uint32_t detector_index(const struct mm_detector *detector)
{
	uint32_t i = 0;
	while (mm_detectors[i] != NULL && mm_detectors[i] != detector)
		i++;
	return i;
}

static struct mm_finding_key finding_key(const struct mm_fp *root, uint32_t index)
{
	struct mm_finding_key key;
	memset(&key, 0, sizeof key); /* it is compared byte by byte */
	key.root = *root;
	key.detector = index;
	return key;
}

/* Where and when: of the first event. */
static void fill_place(struct mm_finding *f, const struct mm_event *ev)
{
	struct mm_facts *facts = &f->facts;
	facts->client = *mm_event_client(ev);
	facts->server = ev->dst.addr;
	facts->server_port = ev->dst.port;
	facts->first_ns = ev->request_ns != 0 ? ev->request_ns : ev->time_ns;
	facts->last_ns = ev->time_ns;
	facts->flags = ev->flags;
	f->protocol = ev->protocol;
	f->transport = ev->transport;
	f->src = ev->src;
	f->dst = ev->dst;
	memcpy(f->community_id, ev->community_id, sizeof f->community_id);
	char fp[MM_FP_TEXT];
	snprintf(f->event_id, sizeof f->event_id, "%.16s-%s", mm_fp_text(&facts->fp, fp),
	        f->detector->id);
}

static void fill_facts(
        struct mm_finding *f, const struct mm_look *look, const struct mm_sighting *s)
{
	struct mm_facts *facts = &f->facts;
	*facts = (struct mm_facts){ .fp = s->cred->fp,
		.kind = s->cred->kind,
		.role = s->cred->role,
		.kvno = s->cred->kvno,
		.alg = s->cred->alg,
		.name_type = s->cred->name_type,
		.length = s->cred->length,
		.miss = s->miss,
		.blind = s->blind,
		.claimed = s->claimed };
	if (s->token != NULL)
		facts->token = *s->token;
	mm_name_copy(facts->issuer, s->cred->issuer);
	mm_name_copy(facts->service, s->cred->service);
	fill_place(f, look->ev);
}

/* How many findings there are of this root, and of others that share its bits. */
static uint32_t *n_of_root(struct mm_detect *d, const struct mm_fp *root)
{
	return &d->roots[(root->b[0] | root->b[1] << 8) % MM_DETECT_ROOTS];
}

static struct mm_finding *put(struct mm_detect *d, const struct mm_finding_key *key, bool *fresh)
{
	struct mm_finding *f = mm_table_put(&d->findings, key, fresh);
	if (f != NULL && *fresh)
		++*n_of_root(d, &key->root);
	return f;
}

static void drop(struct mm_detect *d, struct mm_finding *f)
{
	--*n_of_root(d, &f->key.root);
	mm_table_remove(&d->findings, f);
}

void mm_detect_count_roots(struct mm_detect *d)
{
	memset(d->roots, 0, sizeof d->roots);
	for (struct mm_finding *f = mm_table_next(&d->findings, NULL); f != NULL;
	        f = mm_table_next(&d->findings, f))
		++*n_of_root(d, &f->key.root);
}

/* What no verifier accepted anybody can make up; beyond that the score decides. */
static bool matters_less(const struct mm_finding *a, const struct mm_finding *b)
{
	if ((a->facts.n_accepted == 0) != (b->facts.n_accepted == 0))
		return a->facts.n_accepted == 0;
	return a->score < b->score;
}

/* When all places are taken the least of the older findings gives way: whoever presents thousands of made-up
 * credentials shall not push out the one that matters. */
static void make_room(struct mm_detect *d)
{
	enum { OLDER = 64 };
	struct mm_finding *least = NULL, *f = NULL;
	if (d->findings.n < d->findings_max)
		return;
	for (int i = 0; i < OLDER && (f = mm_table_next(&d->findings, f)) != NULL; i++)
		if (least == NULL || matters_less(f, least))
			least = f;
	drop(d, least);
	d->n_dropped++;
}

struct mm_finding *mm_detect_open(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *look, const struct mm_sighting *s)
{
	bool fresh;
	struct mm_finding_key key = finding_key(&s->cred->fp, detector_index(detector));
	if (mm_table_find(&d->findings, &key) == NULL)
		make_room(d);
	struct mm_finding *f = put(d, &key, &fresh);
	if (f != NULL && fresh) {
		f->detector = detector;
		fill_facts(f, look, s);
	}
	return f;
}

struct mm_finding *mm_detect_find_about(
        const struct mm_detect *d, const struct mm_detector *detector, const char *subject)
{
	struct mm_fp root = mm_fp_of(mm_slice_str(subject));
	struct mm_finding_key key = finding_key(&root, detector_index(detector));
	return mm_table_find(&d->findings, &key);
}

struct mm_finding *mm_detect_open_about(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_event *ev, const char *subject)
{
	bool fresh;
	struct mm_fp root = mm_fp_of(mm_slice_str(subject));
	struct mm_finding_key key = finding_key(&root, detector_index(detector));
	if (mm_table_find(&d->findings, &key) == NULL)
		make_room(d);
	struct mm_finding *f = put(d, &key, &fresh);
	if (f != NULL && fresh) {
		f->detector = detector;
		f->facts = (struct mm_facts){ .fp = root, .kvno = -1 };
		snprintf(f->facts.subject, sizeof f->facts.subject, "%s", subject);
		fill_place(f, ev);
	}
	if (f != NULL && d->n_touched < MM_DETECT_TOUCHED)
		d->touched[d->n_touched++] = key;
	return f;
}

struct mm_finding *mm_detect_find(const struct mm_detect *d, const struct mm_fp *root)
{
	for (uint32_t i = 0; mm_detectors[i] != NULL; i++) {
		struct mm_finding_key key = finding_key(root, i);
		struct mm_finding *f = mm_table_find(&d->findings, &key);
		if (f != NULL)
			return f;
	}
	return NULL;
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	f->detector->weigh(d, f);
	mm_finding_sum(f);
}

/* A finding that stands: not bare, and not far below what would be reported. */
static bool stands(const struct mm_finding *f)
{
	const double doubt_db = -20; /* 1 in 100: enough not to learn from it */
	return f != NULL && !f->bare && f->score >= doubt_db;
}

static void tell(struct mm_detect *d, struct mm_finding *f)
{
	if (d->tell == NULL || f->bare || f->band < d->tell_band || f->told > (unsigned)f->band)
		return;
	f->told = (unsigned)f->band + 1;
	d->tell(d->tell_arg, f);
}

bool mm_detect_look(struct mm_detect *d, const struct mm_look *look)
{
	bool trusted = true;
	d->n_touched = 0;
	for (size_t i = 0; mm_detectors[i] != NULL; i++)
		if (mm_detectors[i]->look != NULL)
			mm_detectors[i]->look(d, look);
	for (size_t i = 0; i < d->n_touched; i++) {
		struct mm_finding *f = mm_table_find(&d->findings, &d->touched[i]);
		if (f == NULL)
			continue;
		weigh(d, f);
		tell(d, f);
	}
	for (size_t i = 0; i < look->n_seen; i++) {
		const struct mm_sighting *s = &look->seen[i];
		const struct mm_fp *root = &mm_ledger_lineage(d->ledger, s->row)->root;
		root = mm_fp_is_set(root) ? root : &s->cred->fp;
		if (*n_of_root(d, root) == 0)
			continue;
		for (uint32_t j = 0; mm_detectors[j] != NULL; j++) {
			struct mm_finding_key key = finding_key(root, j);
			struct mm_finding *f = mm_table_find(&d->findings, &key);
			if (f == NULL)
				continue;
			weigh(d, f);
			tell(d, f);
			trusted = trusted && !stands(f);
		}
	}
	return trusted;
}

void mm_detect_tell_all(struct mm_detect *d)
{
	for (struct mm_finding *f = mm_table_next(&d->findings, NULL); f != NULL;
	        f = mm_table_next(&d->findings, f)) {
		weigh(d, f);
		tell(d, f);
	}
}

/* What a host of its own issued to a client was seen issued after all: no orphan to be told of, unless more speaks
 * against it. And a KDC can turn out to be one after the first of its clients was seen. The answer that issued a credential may
 * become known a moment after its first use, where the flow that brought it was joined midway. */
static bool cleared(const struct mm_detect *d, const struct mm_finding *f)
{
	const struct mm_row *row = mm_ledger_find(d->ledger, &f->facts.fp);
	bool issued = row != NULL && mm_ledger_issued(d->ledger, row);
	if (f->facts.claimed)
		return !stands(f) || issued;
	return f->bare && issued;
}

void mm_detect_weigh_all(struct mm_detect *d)
{
	struct mm_finding *next;
	for (struct mm_finding *f = mm_table_next(&d->findings, NULL); f != NULL; f = next) {
		next = mm_table_next(&d->findings, f);
		weigh(d, f);
		if (cleared(d, f))
			drop(d, f);
	}
}
