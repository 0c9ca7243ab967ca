/* oauth-consent: a user is led to grant rights to an application that nobody here knows.
 *
 * An authorization with prompt=consent or an administrator's consent, or tokens by a device code (RFC 8628), of an application
 * that was not seen before at an issuer watched for a day, for a user not seen with it. ATT&CK T1528. Benign: a new
 * application taken into use, the first television. */
#include "detect/app.h"

enum { F_K, F_N, F_DEVICE, F_DEVICE_K, F_DEVICE_N, F_CONSENT, F_ADMIN, F_PROMPT_K };

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_app_facts *app = &seen->app;
	const int64_t day_ns = INT64_C(86400) * 1000000000;
	bool device = app->obtained && seen->ev->grant == MM_GRANT_DEVICE;
	bool consent = app->authorized && app->consent;
	bool known = app->app != NULL && app->app->n != 0 &&
	             (!device || app->app->grants[MM_GRANT_DEVICE] != 0);
	bool fresh;
	if ((!device && !consent) || known || !app->new_user || app->issuer == NULL ||
	        seen->ev->time_ns - app->issuer->first_ns < day_ns)
		return;
	struct mm_finding *f = mm_app_open(d, &mm_oauth_consent, seen, &fresh);
	if (f == NULL || !fresh)
		return;
	uint64_t *counts = f->facts.counts;
	counts[F_K] = app->issuer->n_apps;
	counts[F_N] = app->issuer->n + app->issuer->n_authorized;
	counts[F_DEVICE] = device;
	counts[F_DEVICE_K] = app->issuer->n_device;
	counts[F_DEVICE_N] = app->issuer->n;
	counts[F_CONSENT] = consent;
	counts[F_ADMIN] = app->admin_consent;
	counts[F_PROMPT_K] = app->issuer->n_prompted;
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	double k = (double)counts[F_K], n = (double)counts[F_N];
	(void)d;
	mm_app_begin(f);
	mm_finding_add(f, MM_W_APP_FIRST, mm_weigh(MM_W_APP_FIRST, k, n),
	        "%s, a user not seen with it, was led to an application that obtained %llu tokens "
	        "before; %.0f applications are known here, from %.0f exchanges",
	        f->facts.user, (unsigned long long)counts[MM_APP_F_OWN], k, n);
	if (counts[F_DEVICE])
		mm_finding_add(f, MM_W_APP_DEVICE,
		        mm_weigh(MM_W_APP_DEVICE, (double)counts[F_DEVICE_K],
		                (double)counts[F_DEVICE_N]),
		        "by a device code, which whoever made it can send to anybody; so were %llu "
		        "of "
		        "%llu tokens here",
		        (unsigned long long)counts[F_DEVICE_K],
		        (unsigned long long)counts[F_DEVICE_N]);
	if (counts[F_ADMIN])
		mm_finding_add(f, MM_W_APP_ADMIN_CONSENT, mm_weigh_p(MM_W_APP_ADMIN_CONSENT, 0),
		        "it asked for an administrator's consent for all users");
	else if (counts[F_CONSENT])
		mm_finding_add(f, MM_W_APP_CONSENT,
		        mm_weigh(MM_W_APP_CONSENT, (double)counts[F_PROMPT_K], n),
		        "it asked for consent, as %llu of %.0f exchanges here",
		        (unsigned long long)counts[F_PROMPT_K], n);
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
	.help = "a user is led to consent, or to a device code, for an application nobody here "
	        "knows",
	.meaning =
	        "Who consents to a stranger's application hands over what it asks for, without a "
	        "password.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
