/* What findings about applications have in common. */
#include "detect/app.h"

#include <stdio.h>

bool mm_app_watched(const struct mm_look *seen)
{
	const int64_t long_ns = INT64_C(18 * 3600) * 1000000000;
	const struct mm_app_issuer *issuer = seen->app.issuer;
	return issuer != NULL && seen->ev->time_ns - issuer->first_ns >= long_ns;
}

struct mm_share mm_app_new_share(const struct mm_detect *d, const struct mm_look *seen)
{
	return mm_baseline_once(&d->ledger->baseline, MM_TRAIT_APP_NTH, seen->app.issuer->name, 0);
}

static void fill(const struct mm_detect *d, struct mm_finding *f, const struct mm_look *seen)
{
	const struct mm_app_facts *app = &seen->app;
	uint64_t *counts = f->facts.counts;
	mm_name_copy(f->facts.issuer, app->issuer_name);
	mm_name_copy(f->facts.user, seen->ev->user);
	counts[MM_APP_F_OWN] = app->app != NULL ? app->app->n : 0;
	if (app->issuer == NULL)
		return;
	if (app->new_place && mm_app_watched(seen)) {
		struct mm_share share = mm_baseline_once(
		        &d->ledger->baseline, MM_TRAIT_PLACE_NTH, app->issuer->name, 0);
		counts[MM_APP_F_NEW_NETWORK] = MM_APP_NEW_PLACE;
		counts[MM_APP_F_NETWORK_K] = share.k;
		counts[MM_APP_F_NETWORK_N] = share.n;
	} else if (app->new_network) {
		counts[MM_APP_F_NEW_NETWORK] = MM_APP_NEW_NETWORK;
		counts[MM_APP_F_NETWORK_K] = app->issuer->n_new_network;
		counts[MM_APP_F_NETWORK_N] = app->issuer->n_known;
	}
}

static struct mm_finding *open_about(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *seen, const char *subject, bool *fresh)
{
	*fresh = mm_detect_find_about(d, detector, subject) == NULL;
	struct mm_finding *f = mm_detect_open_about(d, detector, seen->ev, subject);
	if (f == NULL)
		return NULL;
	if (*fresh)
		fill(d, f, seen);
	f->facts.n_uses++;
	f->facts.n_accepted += seen->ev->outcome == MM_SUCCESS || seen->ev->kind == MM_EV_ISSUE;
	mm_finding_use(f, seen->ev, NULL, NULL);
	return f;
}

struct mm_finding *mm_app_open(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *seen, bool *fresh)
{
	char subject[MM_SUBJECT_TEXT], client[MM_NAME_TEXT], issuer[MM_NAME_TEXT];
	mm_name_copy(client, seen->app.client);
	mm_name_copy(issuer, seen->app.issuer_name);
	snprintf(subject, sizeof subject, "application %.100s of %.120s", client, issuer);
	return open_about(d, detector, seen, subject, fresh);
}

struct mm_finding *mm_app_open_at(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *seen, bool *fresh)
{
	char subject[MM_SUBJECT_TEXT], client[MM_NAME_TEXT], issuer[MM_NAME_TEXT],
	        from[MM_ADDR_TEXT];
	mm_name_copy(client, seen->app.client);
	mm_name_copy(issuer, seen->app.issuer_name);
	snprintf(subject, sizeof subject, "application %.80s of %.100s at %s", client, issuer,
	        mm_addr_text(mm_event_client(seen->ev), from));
	return open_about(d, detector, seen, subject, fresh);
}

void mm_app_begin(struct mm_finding *f)
{
	mm_finding_reset(f, MM_W_PRIOR_APP);
}

void mm_app_weigh_network(struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	char from[MM_ADDR_TEXT];
	double k = (double)counts[MM_APP_F_NETWORK_K], n = (double)counts[MM_APP_F_NETWORK_N];
	if (counts[MM_APP_F_NEW_NETWORK] == 0)
		return;
	bool new_place = counts[MM_APP_F_NEW_NETWORK] == MM_APP_NEW_PLACE;
	enum mm_weight_id id = new_place ? MM_W_APP_NEW_PLACE : MM_W_APP_NEW_NETWORK;
	double w = mm_weigh(id, k, n);
	if (w < MM_NOTABLE_DB)
		return;
	if (new_place)
		mm_finding_add(f, id, w,
		        "nobody had obtained or shown a token of this issuer in the network of %s; "
		        "networks seen once had %.0f of %.0f tokens",
		        mm_addr_text(&f->facts.client, from), k, n);
	else
		mm_finding_add(f, id, w,
		        "it asked from the network of %s for the first time, as %.0f of %.0f "
		        "tokens "
		        "of known applications here",
		        mm_addr_text(&f->facts.client, from), k, n);
}
