/* oauth-app-sweep (OAU-12): an application opens many mailboxes or users' data by itself.
 *
 * Distinct users in the paths that a token of the application's own (no user behind it) is shown for, as
 * /users/{id}/messages, counted and compared with its own past as password-spray does. ATT&CK T1114.002. Benign: backup,
 * archives, search for a court: they do so every day, which is learnt, or once. */
#include "detect/app.h"
#include "detect/guess.h"

#include <stdio.h>

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	const struct mm_guesser *sweep = seen->app.sweep;
	char subject[MM_SUBJECT_TEXT], issuer[MM_NAME_TEXT];
	if (sweep == NULL)
		return;
	struct mm_guess_count count = mm_attempts_count(&d->ledger->attempts, sweep);
	mm_name_copy(issuer, seen->app.issuer_name);
	snprintf(subject, sizeof subject, "application %s of %s", sweep->label, issuer);
	if (count.p > MM_GUESS_OPEN_P &&
	        mm_detect_find_about(d, &mm_oauth_app_sweep, subject) == NULL)
		return;
	struct mm_finding *f = mm_detect_open_about(d, &mm_oauth_app_sweep, seen->ev, subject);
	if (f == NULL)
		return;
	mm_guess_take(d, f, sweep, &count, NULL, seen->ev);
	f->facts.n_accepted++;
	memcpy(f->facts.issuer, issuer, sizeof issuer);
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	const double known = 3; /* windows of its own that tell what it is for */
	struct mm_guess_count count = mm_guess_kept(d, f);
	enum mm_weight_id id = count.past_tiles < known ? MM_W_APP_SWEEP_NEW : MM_W_APP_SWEEP;
	mm_app_begin(f);
	mm_finding_add(f, id, mm_weigh_p(id, count.p),
	        "it opened the data of %llu users within %s (%s); as a rule it is %.2g, from %.0f "
	        "such windows",
	        (unsigned long long)count.k, mm_attempts_window(count.window), f->facts.other,
	        count.mean, count.past_tiles);
}

static const char *const alternatives[] = {
	"a backup, an archive or a search for a court that is done for the first time",
	NULL,
};

const struct mm_detector mm_oauth_app_sweep = {
	.name = "oauth-app-sweep",
	.id = "OAU-12",
	.technique = "T1114.002",
	.technique_name = "Remote Email Collection",
	.help = "an application opens many users' mailboxes by itself, more than it used to",
	.meaning = "An application with rights over all mailboxes reads them one after the other.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
