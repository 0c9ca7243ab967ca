/* spray-distributed (SPR-11): users fail from many addresses, each of which tries few.
 *
 * What password-spray counts of a source is counted here of a target, and of a kind of software (User-Agent, or the habits
 * of a Kerberos client), which stays the same when addresses change. Only failures from where that user was never let in
 * count, and few of each address. ATT&CK T1110.003.
 *
 * Nothing is said in the first day, when every address is new. Benign: users who travel, a fault of the directory that hits all of its users, a new version of a client with many users. */
#include "detect/guess.h"

enum { SOURCES_MIN = 5 };

/* The one that is less ordinary: the target, or the software used on it. */
static const struct mm_guesser *worse(
        const struct mm_detect *d, const struct mm_attempt *attempt, struct mm_guess_count *count)
{
	*count = mm_attempts_count(&d->ledger->attempts, attempt->target);
	if (attempt->software == NULL)
		return attempt->target;
	struct mm_guess_count software = mm_attempts_count(&d->ledger->attempts, attempt->software);
	if (software.p > count->p)
		return attempt->target;
	*count = software;
	return attempt->software;
}

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	char subject[MM_SUBJECT_TEXT];
	const struct mm_attempt *attempt = &seen->attempt;
	struct mm_guess_count count;
	if (!attempt->failed || attempt->target == NULL ||
	        !mm_attempts_watched(&d->ledger->attempts, attempt->target))
		return;
	const struct mm_guesser *g = worse(d, attempt, &count);
	mm_guess_subject_target(subject, attempt->target);
	if ((count.p > MM_GUESS_OPEN_P || mm_attempts_sources(g, count.window) < SOURCES_MIN) &&
	        mm_detect_find_about(d, &mm_spray_distributed, subject) == NULL)
		return;
	struct mm_finding *f = mm_detect_open_about(d, &mm_spray_distributed, seen->ev, subject);
	if (f != NULL)
		mm_guess_take(d, f, g, &count, attempt->software, seen->ev);
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	struct mm_guess_count count = mm_guess_kept(d, f);
	bool software = count.kind == MM_GUESS_SOFTWARE;
	mm_finding_reset(f, MM_W_PRIOR_GUESSING);
	mm_finding_add(f, MM_W_GUESS_WIDE, mm_weigh_p(MM_W_GUESS_WIDE, count.p),
	        "%llu users failed within %s%s%s from about %llu addresses from which none of them "
	        "was ever let in (%s); where %llu are let in, %.2g fail as a rule",
	        (unsigned long long)count.k, mm_attempts_window(count.window),
	        software ? " with " : "", software ? f->facts.service : "",
	        (unsigned long long)f->facts.counts[MM_GUESS_F_SOURCES], f->facts.other,
	        (unsigned long long)count.users, count.mean);
}

static const char *const alternatives[] = {
	"a fault of the directory or of the issuer, so that right passwords fail",
	"many users who are somewhere else that day",
	"a new kind of client that sends what the server does not take",
	NULL,
};

const struct mm_detector mm_spray_distributed = {
	.name = "spray-distributed",
	.id = "SPR-11",
	.technique = "T1110.003",
	.technique_name = "Password Spraying",
	.help = "users fail from many new addresses that each try few, at one target or by one "
	        "software",
	.meaning = "Passwords tried through many addresses escape every limit that is set for one "
	           "address.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
