/* oauth-device-code (OAU-15): tokens by a device code (RFC 8628) that somebody else may have been talked into typing.
 *
 * An application that did not do so before, or from a network where nobody worked, at an issuer that is known. Whoever
 * asks for the code holds the tokens; the user sits where the code was typed, which is compared. ATT&CK T1528 and, for how it
 * comes about, T1566. Benign: the first television; command lines on servers; both near where work is done. */
#include "detect/app.h"

enum { F_K, F_N, F_FIRST, F_FIRST_K, F_FIRST_N, F_BROWSER, F_USERS };

enum { BROWSER_UNSEEN, BROWSER_NEAR, BROWSER_FAR };

static unsigned browser_of(const struct mm_look *seen)
{
	const struct mm_addr *browser = &seen->app.browser;
	if (browser->family == 0)
		return BROWSER_UNSEEN;
	struct mm_addr theirs = mm_addr_network(browser),
	               own = mm_addr_network(mm_event_client(seen->ev));
	return mm_addr_eq(&theirs, &own) ? BROWSER_NEAR : BROWSER_FAR;
}

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_app_facts *app = &seen->app;
	bool fresh;
	if (!app->obtained || seen->ev->grant != MM_GRANT_DEVICE || !mm_app_watched(seen))
		return;
	bool first = app->app == NULL || app->app->grants[MM_GRANT_DEVICE] == 0;
	unsigned browser = browser_of(seen);
	if (browser == BROWSER_NEAR || (!first && !app->new_place && !app->new_user))
		return;
	struct mm_finding *f = mm_app_open_at(d, &mm_oauth_device, seen, &fresh);
	if (f == NULL)
		return;
	uint64_t *counts = f->facts.counts;
	counts[F_USERS] += app->new_user;
	if (browser > counts[F_BROWSER])
		counts[F_BROWSER] = browser;
	if (!fresh)
		return;
	counts[F_K] = app->issuer->n_device_tokens;
	counts[F_N] = app->issuer->n;
	counts[F_FIRST] = first;
	counts[F_FIRST_K] = app->issuer->n_device_first;
	counts[F_FIRST_N] = app->issuer->n_device_tokens;
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	(void)d;
	mm_app_begin(f);
	mm_finding_add(f, MM_W_APP_DEVICE,
	        mm_weigh(MM_W_APP_DEVICE, (double)counts[F_K], (double)counts[F_N]),
	        "a token for %s by a device code, which whoever asks for one can send to anybody; "
	        "so were %llu of %llu tokens here",
	        f->facts.user, (unsigned long long)counts[F_K], (unsigned long long)counts[F_N]);
	if (counts[F_FIRST])
		mm_finding_add(f, MM_W_APP_DEVICE_FIRST,
		        mm_weigh(MM_W_APP_DEVICE_FIRST, (double)counts[F_FIRST_K],
		                (double)counts[F_FIRST_N]),
		        "the application never did so in %llu tokens; so it was of %llu of %llu "
		        "such "
		        "tokens here",
		        (unsigned long long)counts[MM_APP_F_OWN],
		        (unsigned long long)counts[F_FIRST_K],
		        (unsigned long long)counts[F_FIRST_N]);
	if (counts[F_BROWSER] == BROWSER_FAR)
		mm_finding_add(f, MM_W_APP_DEVICE_FAR, mm_weigh_p(MM_W_APP_DEVICE_FAR, 0),
		        "the code was typed in another network than it was asked for in");
	if (counts[F_USERS] > 1)
		mm_finding_add(f, MM_W_APP_DEVICE_USERS, mm_weigh_p(MM_W_APP_DEVICE_USERS, 0),
		        "%llu users typed codes that this host had asked for",
		        (unsigned long long)counts[F_USERS]);
	mm_app_weigh_network(f);
}

static const char *const alternatives[] = {
	"a new device with little to type on, or a command line on a server",
	NULL,
};

const struct mm_detector mm_oauth_device = {
	.name = "oauth-device-code",
	.id = "OAU-15",
	.technique = "T1528",
	.technique_name = "Steal Application Access Token",
	.help = "a host obtains users' tokens by device codes where that is not done",
	.meaning = "Who types a stranger's device code signs the stranger in, with all proofs that "
	           "were "
	           "asked for.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
