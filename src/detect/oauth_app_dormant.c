/* oauth-app-dormant (OAU-11): an application that was silent for a month obtains a token from a new network.
 *
 * Silence is measured between tokens obtained, over restarts where there is a state; one that is used to such pauses (its
 * longest was nearly as long) is left alone. ATT&CK T1078.004. Benign: quarterly jobs, a move to another network. */
#include "detect/app.h"

#define DAY_NS (INT64_C(86400) * 1000000000)

enum { F_K, F_N, F_DAYS };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_app_facts *app = &seen->app;
	const int64_t silent_ns = 30 * DAY_NS;
	bool fresh;
	if (!app->obtained || app->app == NULL || app->issuer == NULL || app->app->n == 0 ||
	        app->silent_ns < silent_ns || !app->new_network ||
	        app->silent_ns / 3 * 2 < app->app->gap_ns)
		return;
	struct mm_finding *f = mm_app_open(d, &mm_oauth_app_dormant, seen, &fresh);
	if (f == NULL || !fresh)
		return;
	f->facts.counts[F_K] = app->issuer->n_awaking;
	f->facts.counts[F_N] = app->issuer->n_known;
	f->facts.counts[F_DAYS] = (uint64_t)(app->silent_ns / DAY_NS);
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	double k = (double)counts[F_K], n = (double)counts[F_N];
	(void)d;
	mm_app_begin(f);
	mm_finding_add(f, MM_W_APP_AWAKE, mm_weigh(MM_W_APP_AWAKE, k, n),
	        "it obtained a token after %llu days without any; after a month %.0f of %.0f "
	        "tokens "
	        "were obtained here",
	        (unsigned long long)counts[F_DAYS], k, n);
	mm_app_weigh_network(f);
}

static const char *const alternatives[] = {
	"a job that runs once in a quarter",
	"an application that was moved and taken into use again",
	NULL,
};

const struct mm_detector mm_oauth_app_dormant = {
	.name = "oauth-app-dormant",
	.id = "OAU-11",
	.technique = "T1078.004",
	.technique_name = "Cloud Accounts",
	.help = "an application silent for a month obtains a token from a new network",
	.meaning = "Forgotten applications keep their rights, and nobody misses their secrets.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
