/* oauth-new-credential (OAU-13): an application names itself by another method, or with another key, than it used to.
 *
 * Methods of OpenID Connect Core section 9: a secret where there was a key, and so on; or another kid of its assertions.
 * ATT&CK T1098.001. Benign: planned changes of keys and methods. */
#include "detect/app.h"

enum { F_AUTH_K, F_AUTH_N, F_KEY_K, F_KEY_N, F_OTHER_AUTH, F_OTHER_KEY, F_FROM, F_TO };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_app_facts *app = &seen->app;
	const uint64_t few = 3;
	bool fresh;
	if (!app->obtained || app->app == NULL || app->issuer == NULL || app->app->n < few ||
	        (!app->other_auth && !app->other_kid))
		return;
	struct mm_finding *f = mm_app_open(d, &mm_oauth_new_credential, seen, &fresh);
	if (f == NULL || (!fresh && (!app->other_auth || f->facts.counts[F_OTHER_AUTH])))
		return;
	uint64_t *counts = f->facts.counts;
	counts[F_AUTH_K] = app->issuer->n_other_auth;
	counts[F_AUTH_N] = app->issuer->n_known;
	counts[F_KEY_K] = app->issuer->n_other_kid;
	counts[F_KEY_N] = app->issuer->n_kids;
	counts[F_OTHER_AUTH] = app->other_auth;
	counts[F_OTHER_KEY] = app->other_kid;
	counts[F_FROM] = app->usual_auth;
	counts[F_TO] = seen->ev->client_auth;
}

static bool by_secret(uint64_t auth)
{
	return auth == MM_CLIENT_AUTH_SECRET_BASIC || auth == MM_CLIENT_AUTH_SECRET_POST ||
	       auth == MM_CLIENT_AUTH_SECRET_JWT;
}

static bool by_key(uint64_t auth)
{
	return auth == MM_CLIENT_AUTH_PRIVATE_KEY_JWT || auth == MM_CLIENT_AUTH_TLS;
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	(void)d;
	mm_app_begin(f);
	if (counts[F_OTHER_AUTH])
		mm_finding_add(f, MM_W_APP_OTHER_AUTH,
		        mm_weigh(MM_W_APP_OTHER_AUTH, (double)counts[F_AUTH_K],
		                (double)counts[F_AUTH_N]),
		        "it named itself by %s for the first time in %llu tokens, until then by "
		        "%s; "
		        "so did %llu of %llu here",
		        mm_client_auth_name(counts[F_TO] % MM_CLIENT_AUTH_N),
		        (unsigned long long)counts[MM_APP_F_OWN],
		        mm_client_auth_name(counts[F_FROM] % MM_CLIENT_AUTH_N),
		        (unsigned long long)counts[F_AUTH_K], (unsigned long long)counts[F_AUTH_N]);
	if (counts[F_OTHER_AUTH] && by_key(counts[F_FROM]) && by_secret(counts[F_TO]))
		mm_finding_add(f, MM_W_APP_WEAKER_AUTH, mm_weigh_p(MM_W_APP_WEAKER_AUTH, 0),
		        "a secret took the place of a key");
	if (!counts[F_OTHER_AUTH] && counts[F_OTHER_KEY])
		mm_finding_add(f, MM_W_APP_OTHER_KEY,
		        mm_weigh(MM_W_APP_OTHER_KEY, (double)counts[F_KEY_K],
		                (double)counts[F_KEY_N]),
		        "its assertion is signed with a key that it did not use before, as %llu of "
		        "%llu here",
		        (unsigned long long)counts[F_KEY_K], (unsigned long long)counts[F_KEY_N]);
	mm_app_weigh_network(f);
}

static const char *const alternatives[] = {
	"a planned change of the application's key or method",
	NULL,
};

const struct mm_detector mm_oauth_new_credential = {
	.name = "oauth-new-credential",
	.id = "OAU-13",
	.technique = "T1098.001",
	.technique_name = "Additional Cloud Credentials",
	.help = "an application names itself by another method or key than it used to",
	.meaning = "A secret of one's own, added to an application, opens all that the application "
	           "may "
	           "do.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
