/* Findings: facts gathered, evidence summed. */
#include "score/finding.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mm_finding_reset(struct mm_finding *f, enum mm_weight_id prior)
{
	f->n_evidence = 0;
	f->prior = mm_weight(prior)->max_db;
	f->bare = false;
	f->unscored = NULL;
}

void mm_finding_add(
        struct mm_finding *f, enum mm_weight_id id, double weight_db, const char *what, ...)
{
	if (f->n_evidence == MM_FINDING_EVIDENCE)
		return;
	struct mm_evidence *e = &f->evidence[f->n_evidence++];
	*e = (struct mm_evidence){ .weight_id = id, .weight = round(weight_db * 10) / 10 };
	va_list ap;
	va_start(ap, what);
	vsnprintf(e->what, sizeof e->what, what, ap);
	va_end(ap);
	e->n_pkts = f->n_pkts < MM_EVIDENCE_PKTS ? f->n_pkts : MM_EVIDENCE_PKTS;
	memcpy(e->pkts, f->pkts, e->n_pkts * sizeof e->pkts[0]);
}

void mm_finding_sum(struct mm_finding *f)
{
	f->score = f->prior;
	for (size_t i = 0; i < f->n_evidence; i++)
		f->score += f->evidence[i].weight;
	f->score = round(f->score * 10) / 10; /* weights are tenths: 0 is 0, not just below */
	f->probability = mm_probability(f->score);
	f->band = mm_band_of(f->score);
}

static void add_pkt(struct mm_finding *f, struct mm_pkt pkt)
{
	for (size_t i = 0; i < f->n_pkts; i++)
		if (f->pkts[i].file == pkt.file && f->pkts[i].number == pkt.number)
			return;
	if (f->n_pkts < MM_FINDING_PKTS)
		f->pkts[f->n_pkts++] = pkt;
	else
		f->n_pkts_more++;
}

static void fill_use(struct mm_use *use, const struct mm_event *ev, const struct mm_cred *shown,
        const struct mm_cred *obtained)
{
	*use = (struct mm_use){ .time_ns = ev->request_ns != 0 ? ev->request_ns : ev->time_ns,
		.client = *mm_event_client(ev),
		.server = ev->dst.addr,
		.server_port = ev->dst.port,
		.protocol = ev->protocol,
		.action = ev->action,
		.outcome = ev->outcome,
		.status = ev->status,
		.pkt = ev->request_pkt.number != 0 ? ev->request_pkt : ev->response_pkt,
		.n = 1 };
	if (shown != NULL)
		use->shown = shown->fp;
	if (obtained != NULL)
		use->obtained = obtained->fp;
	/* A token says for whom it is meant, the request where it went. */
	const struct mm_cred *named = obtained != NULL ? obtained : shown;
	bool token = named == NULL || mm_cred_is_token(named->kind);
	mm_name_copy(use->service, token && ev->place.len != 0 ? ev->place
	                           : named != NULL             ? named->service
	                                                       : ev->place);
	if (ev->kind == MM_EV_ISSUE)
		mm_name_copy(use->user, ev->user);
}

static bool same_use(const struct mm_use *a, const struct mm_use *b)
{
	return mm_fp_eq(&a->shown, &b->shown) && mm_fp_eq(&a->obtained, &b->obtained) &&
	       mm_addr_eq(&a->client, &b->client) && mm_addr_eq(&a->server, &b->server) &&
	       a->outcome == b->outcome && a->status.code == b->status.code &&
	       strcmp(a->action, b->action) == 0 && strcmp(a->service, b->service) == 0;
}

void mm_finding_use(struct mm_finding *f, const struct mm_event *ev, const struct mm_cred *shown,
        const struct mm_cred *obtained)
{
	struct mm_use use;
	fill_use(&use, ev, shown, obtained);
	for (size_t i = 0; i < ev->n_pkts; i++)
		add_pkt(f, ev->pkts[i]);
	f->facts.last_ns = ev->time_ns > f->facts.last_ns ? ev->time_ns : f->facts.last_ns;
	for (size_t i = 0; i < f->n_uses; i++) {
		if (same_use(&f->uses[i], &use)) {
			f->uses[i].n++;
			return;
		}
	}
	if (f->n_uses < MM_FINDING_USES)
		f->uses[f->n_uses++] = use;
	else
		f->n_uses_more++;
}

int mm_finding_cmp(const void *a, const void *b)
{
	const struct mm_finding *x = *(const struct mm_finding *const *)a;
	const struct mm_finding *y = *(const struct mm_finding *const *)b;
	if (x->score > y->score || x->score < y->score)
		return x->score > y->score ? -1 : 1;
	if (x->facts.first_ns != y->facts.first_ns)
		return x->facts.first_ns < y->facts.first_ns ? -1 : 1;
	return memcmp(&x->key, &y->key, sizeof x->key);
}

void mm_name_copy(char out[MM_NAME_TEXT], struct mm_str s)
{
	/* Quotes, controls and everything beyond ASCII become '?': names here are printed to terminals. */
	size_t n = s.len < MM_NAME_TEXT - 1 ? s.len : MM_NAME_TEXT - 1;
	for (size_t i = 0; i < n; i++)
		out[i] = s.p[i] >= 0x20 && s.p[i] < 0x7f ? s.p[i] : '?';
	out[n] = '\0';
}
