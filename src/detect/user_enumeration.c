/* user-enumeration (SPR-04): one source asks for many users that are not there.
 *
 * Distinct names that the KDC, directory or issuer does not know, counted and compared as password-spray does. A typo is one
 * name. ATT&CK T1087.002. Benign: scanners that are meant to do so, a migration that leaves the old names behind. */
#include "detect/guess.h"

#include <stdio.h>

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	char subject[MM_SUBJECT_TEXT], addr[MM_ADDR_TEXT];
	const struct mm_guesser *names = seen->attempt.names;
	if (!seen->attempt.failed || names == NULL)
		return;
	struct mm_guess_count count = mm_attempts_count(&d->ledger->attempts, names);
	snprintf(subject, sizeof subject, "user names tried from %s",
	        mm_addr_text(&names->key.addr, addr));
	if (count.p > MM_GUESS_OPEN_P &&
	        mm_detect_find_about(d, &mm_user_enumeration, subject) == NULL)
		return;
	struct mm_finding *f = mm_detect_open_about(d, &mm_user_enumeration, seen->ev, subject);
	if (f != NULL)
		mm_guess_take(d, f, names, &count, NULL, seen->ev);
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	char ways[MM_GUESS_WAYS_TEXT];
	struct mm_guess_count count = mm_guess_kept(d, f);
	(void)mm_attempts_ways((uint32_t)f->facts.counts[MM_GUESS_F_PROTOCOLS], ways);
	mm_finding_reset(f, MM_W_PRIOR_GUESSING);
	mm_finding_add(f, MM_W_GUESS_NAMES, mm_weigh_p(MM_W_GUESS_NAMES, count.p),
	        "%llu users that are not there were tried within %s over %s (%s); where %llu are "
	        "let in, %.2g are as a rule",
	        (unsigned long long)count.k, mm_attempts_window(count.window), ways, f->facts.other,
	        (unsigned long long)count.users, count.mean);
}

static const char *const alternatives[] = {
	"a scanner that is meant to look for accounts",
	"a migration or a clean-up after which software still asks for old accounts",
	NULL,
};

const struct mm_detector mm_user_enumeration = {
	.name = "user-enumeration",
	.id = "SPR-04",
	.technique = "T1087.002",
	.technique_name = "Account Discovery: Domain Account",
	.help = "one source asks for many users that are not there",
	.meaning = "Whoever asks for many users that do not exist looks for those that do.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
