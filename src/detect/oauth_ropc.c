/* oauth-ropc (OAU-01): a token is obtained with a user's password where that is not done.
 *
 * The password grant (RFC 6749 section 4.3) by an application that never used it, at an issuer where few do. ATT&CK
 * T1078.004. Benign: old programs, tests. */
#include "detect/app.h"

enum { F_K, F_N, F_ONCE, F_TOKENS };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_app_facts *app = &seen->app;
	const uint64_t few = 20; /* tokens of an issuer from which nothing was learnt yet */
	bool fresh;
	if (!app->obtained || seen->ev->grant != MM_GRANT_PASSWORD || app->issuer == NULL ||
	        app->issuer->n < few ||
	        (app->app != NULL && app->app->grants[MM_GRANT_PASSWORD] != 0))
		return;
	struct mm_finding *f = mm_app_open(d, &mm_oauth_ropc, seen, &fresh);
	if (f == NULL || !fresh)
		return;
	f->facts.counts[F_K] = app->issuer->n_password;
	f->facts.counts[F_N] = app->issuer->n;
	if (!mm_app_watched(seen))
		return;
	struct mm_share share = mm_app_new_share(d, seen);
	f->facts.counts[F_ONCE] = share.k;
	f->facts.counts[F_TOKENS] = share.n;
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	double k = (double)counts[F_K], n = (double)counts[F_N];
	(void)d;
	mm_app_begin(f);
	mm_finding_add(f, MM_W_APP_PASSWORD, mm_weigh(MM_W_APP_PASSWORD, k, n),
	        "a token for %s by password, as %.0f of %.0f here", f->facts.user, k, n);
	if (counts[MM_APP_F_OWN] != 0)
		mm_finding_add(f, MM_W_APP_PASSWORD_OWN,
		        mm_weigh_p(MM_W_APP_PASSWORD_OWN, 1 / ((double)counts[MM_APP_F_OWN] + 1)),
		        "none of the %llu tokens that it had obtained before was",
		        (unsigned long long)counts[MM_APP_F_OWN]);
	else if (counts[F_TOKENS] != 0)
		mm_finding_add(f, MM_W_APP_UNKNOWN,
		        mm_weigh(
		                MM_W_APP_UNKNOWN, (double)counts[F_ONCE], (double)counts[F_TOKENS]),
		        "the application was not in use here; such as were seen once had %llu of "
		        "%llu tokens",
		        (unsigned long long)counts[F_ONCE], (unsigned long long)counts[F_TOKENS]);
	mm_app_weigh_network(f);
}

static const char *const alternatives[] = {
	"an old program or a test that has no other way",
	NULL,
};

const struct mm_detector mm_oauth_ropc = {
	.name = "oauth-ropc",
	.id = "OAU-01",
	.technique = "T1078.004",
	.technique_name = "Cloud Accounts",
	.help = "a token is obtained with a user's password where that is not done",
	.meaning = "Who has nothing but a password uses the grant that asks for nothing else.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
