/* What findings about applications have in common. */
#include "detect/app.h"

#include <stdio.h>

struct mm_finding *mm_app_open(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *seen, bool *fresh)
{
	const struct mm_app_facts *app = &seen->app;
	char subject[MM_SUBJECT_TEXT], client[MM_NAME_TEXT], issuer[MM_NAME_TEXT];
	mm_name_copy(client, app->client);
	mm_name_copy(issuer, app->issuer_name);
	snprintf(subject, sizeof subject, "application %.100s of %.120s", client, issuer);
	*fresh = mm_detect_find_about(d, detector, subject) == NULL;
	struct mm_finding *f = mm_detect_open_about(d, detector, seen->ev, subject);
	if (f == NULL)
		return NULL;
	if (*fresh) {
		uint64_t *counts = f->facts.counts;
		memcpy(f->facts.issuer, issuer, sizeof issuer);
		mm_name_copy(f->facts.user, seen->ev->user);
		counts[MM_APP_F_OWN] = app->app != NULL ? app->app->n : 0;
		counts[MM_APP_F_NEW_NETWORK] = app->new_network;
		counts[MM_APP_F_NETWORK_K] = app->issuer != NULL ? app->issuer->n_new_network : 0;
		counts[MM_APP_F_NETWORK_N] = app->issuer != NULL ? app->issuer->n_known : 0;
	}
	f->facts.n_uses++;
	f->facts.n_accepted += seen->ev->outcome == MM_SUCCESS || seen->ev->kind == MM_EV_ISSUE;
	mm_finding_use(f, seen->ev, NULL, NULL);
	return f;
}

void mm_app_begin(struct mm_finding *f)
{
	mm_finding_reset(f, MM_W_PRIOR_GUESSING);
}

void mm_app_weigh_network(struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	char from[MM_ADDR_TEXT];
	if (!counts[MM_APP_F_NEW_NETWORK])
		return;
	double k = (double)counts[MM_APP_F_NETWORK_K], n = (double)counts[MM_APP_F_NETWORK_N];
	double w = mm_weigh(MM_W_APP_NEW_NETWORK, k, n);
	if (w >= MM_NOTABLE_DB)
		mm_finding_add(f, MM_W_APP_NEW_NETWORK, w,
		        "it asked from the network of %s for the first time, as %.0f of %.0f "
		        "tokens "
		        "of known applications here",
		        mm_addr_text(&f->facts.client, from), k, n);
}
