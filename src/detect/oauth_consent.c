/* oauth-consent (OAU-14): users are led to grant rights to an application that nobody here knows.
 *
 * An authorization with prompt=consent, or for an administrator's consent, of an application that was not seen before at an
 * issuer that is known, and then tokens for a user not seen with it. ATT&CK T1528. Benign: a new application taken
 * into use, which as a rule needs not ask for the prompt: the issuer asks its users by itself. */
#include "detect/app.h"

enum { F_K, F_N, F_CONSENT, F_ADMIN, F_PROMPT_K, F_PROMPT_N, F_POWER, F_USERS };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_app_facts *app = &seen->app;
	const int64_t day_ns = INT64_C(86400) * 1000000000;
	bool fresh;
	if (!app->obtained || !app->consent || !app->new_user || !mm_app_watched(seen))
		return;
	/* The next users of one that was unknown to the first. */
	bool known = app->app != NULL && app->app->n != 0 &&
	             seen->ev->time_ns - app->app->first_ns >= day_ns;
	if (known)
		return;
	struct mm_finding *f = mm_app_open(d, &mm_oauth_consent, seen, &fresh);
	if (f == NULL)
		return;
	uint64_t *counts = f->facts.counts;
	counts[F_USERS]++;
	if (app->power > counts[F_POWER]) {
		counts[F_POWER] = app->power;
		mm_name_copy(f->facts.service, (struct mm_str){ app->role, strlen(app->role) });
	}
	if (!fresh)
		return;
	struct mm_share share = mm_app_new_share(d, seen);
	counts[F_K] = share.k;
	counts[F_N] = share.n;
	counts[F_CONSENT] = app->consent;
	counts[F_ADMIN] = app->admin_consent;
	counts[F_PROMPT_K] = app->issuer->n_prompted;
	counts[F_PROMPT_N] = app->issuer->n_authorized;
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	double k = (double)counts[F_K], n = (double)counts[F_N];
	(void)d;
	mm_app_begin(f);
	mm_finding_add(f, MM_W_APP_FIRST, mm_weigh(MM_W_APP_FIRST, k, n),
	        "an application that nobody here used before was granted rights by %llu of its "
	        "users, %s first; applications seen once had %.0f of %.0f tokens",
	        (unsigned long long)counts[F_USERS], f->facts.user, k, n);
	if (counts[F_ADMIN])
		mm_finding_add(f, MM_W_APP_ADMIN_CONSENT, mm_weigh_p(MM_W_APP_ADMIN_CONSENT, 0),
		        "it asked for an administrator's consent for all users");
	else if (counts[F_CONSENT])
		mm_finding_add(f, MM_W_APP_CONSENT,
		        mm_weigh(MM_W_APP_CONSENT, (double)counts[F_PROMPT_K],
		                (double)counts[F_PROMPT_N]),
		        "it asked that users be asked for consent, as %llu of %llu authorizations "
		        "here",
		        (unsigned long long)counts[F_PROMPT_K],
		        (unsigned long long)counts[F_PROMPT_N]);
	if (counts[F_POWER] != MM_POWER_ORDINARY)
		mm_finding_add(f, MM_W_APP_CONSENT_POWER, mm_weigh_p(MM_W_APP_CONSENT_POWER, 0),
		        "it was granted %s, which opens mail, writes all or administers",
		        f->facts.service);
	mm_app_weigh_network(f);
}

static const char *const alternatives[] = {
	"a new application that is taken into use",
	NULL,
};

const struct mm_detector mm_oauth_consent = {
	.name = "oauth-consent",
	.id = "OAU-14",
	.technique = "T1528",
	.technique_name = "Steal Application Access Token",
	.help = "users are led to grant rights to an application that nobody here knows",
	.meaning =
	        "Who consents to a stranger's application hands over what it asks for, without a "
	        "password.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
