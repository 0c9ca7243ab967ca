/* oauth-app-power (OAU-10): an application is given a token with a role or scope that it never had.
 *
 * Roles and scopes are read in access tokens that are readable (roles, scp, scope). How strong one is follows from a list of
 * those that hand over mail, applications or a directory, else from its words. ATT&CK T1098.003.
 *
 * Benign: a new application (its first tokens say nothing), an administrator's change. */
#include "detect/app.h"

enum { F_K, F_N, F_POWER, F_KNOWN_K, F_KNOWN_N };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_app_facts *app = &seen->app;
	const uint64_t few = 3; /* tokens from which nothing was learnt yet */
	bool fresh;
	if (!app->obtained || app->role[0] == '\0' || app->app == NULL || app->issuer == NULL ||
	        app->app->n_read < few || app->app->n_powers == MM_APP_POWERS)
		return;
	struct mm_finding *f = mm_app_open(d, &mm_oauth_app_power, seen, &fresh);
	if (f == NULL)
		return;
	uint64_t *counts = f->facts.counts;
	if (!fresh && app->power <= counts[F_POWER])
		return;
	counts[F_K] = app->issuer->n_new_power;
	counts[F_N] = app->issuer->n_known;
	counts[F_POWER] = app->power;
	counts[F_KNOWN_K] = app->issuer->n_new_known_power;
	counts[F_KNOWN_N] = app->issuer->n_new_power;
	mm_name_copy(f->facts.service, (struct mm_str){ app->role, strlen(app->role) });
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	double k = (double)counts[F_K], n = (double)counts[F_N];
	(void)d;
	mm_app_begin(f);
	mm_finding_add(f, MM_W_APP_NEW_POWER, mm_weigh(MM_W_APP_NEW_POWER, k, n),
	        "its token holds %s, which none of %llu before did; such a thing came with %.0f of "
	        "%.0f tokens of known applications here",
	        f->facts.service, (unsigned long long)counts[MM_APP_F_OWN], k, n);
	if (counts[F_POWER] == MM_POWER_KNOWN)
		mm_finding_add(f, MM_W_APP_POWER_KNOWN,
		        mm_weigh(MM_W_APP_POWER_KNOWN, (double)counts[F_KNOWN_K],
		                (double)counts[F_KNOWN_N]),
		        "%s hands over mail, applications or a directory", f->facts.service);
	else if (counts[F_POWER] == MM_POWER_GENERIC)
		mm_finding_add(f, MM_W_APP_POWER_GENERIC, mm_weigh_p(MM_W_APP_POWER_GENERIC, 0),
		        "%s writes all or administers, by its name", f->facts.service);
	else
		mm_finding_add(f, MM_W_APP_POWER_ORDINARY, mm_weigh_p(MM_W_APP_POWER_ORDINARY, 1),
		        "%s says nothing of great power", f->facts.service);
	mm_app_weigh_network(f);
}

static const char *const alternatives[] = {
	"an administrator or a new version of the application that needs more",
	NULL,
};

const struct mm_detector mm_oauth_app_power = {
	.name = "oauth-app-power",
	.id = "OAU-10",
	.technique = "T1098.003",
	.technique_name = "Additional Cloud Roles",
	.help = "an application's token holds a role or scope that it never had",
	.meaning = "Whoever holds an application gives it the roles with which all can be reached.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
