/* password-spray (SPR-01, SPR-02, SPR-03, SPR-10): one source fails to log on as many users.
 *
 * What fails is told by meaning, not by protocol: a bad password, a locked account, a plain refusal, over Kerberos,
 * LDAP, password grants, login forms. Counted are distinct users that failed from the source and were not let in
 * since, in windows from ten minutes to a week, against what such a source usually shows for each user that it lets in.
 * Names tried in the order of a list, at even intervals, over several protocols, by software that nobody else uses, add to
 * it. ATT&CK T1110.003.
 *
 * Benign: NAT, VPN and terminal servers (many users fail, as many are let in), a stale password (one user, however
 * often), a directory that is broken for an hour (all fail: the count is real, the reason is not). */
#include <math.h>

#include "detect/guess.h"

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	char subject[MM_SUBJECT_TEXT];
	const struct mm_attempt *attempt = &seen->attempt;
	if (!attempt->failed || attempt->source == NULL)
		return;
	struct mm_guess_count count = mm_attempts_count(&d->ledger->attempts, attempt->source);
	mm_guess_subject_source(subject, &attempt->source->key.addr);
	if (count.p > MM_GUESS_OPEN_P &&
	        mm_detect_find_about(d, &mm_password_spray, subject) == NULL)
		return;
	struct mm_finding *f = mm_detect_open_about(d, &mm_password_spray, seen->ev, subject);
	if (f != NULL)
		mm_guess_take(d, f, attempt->source, &count, attempt->software, seen->ev);
}

/* k names in ascending order: one way in k!. */
static void weigh_order(struct mm_finding *f)
{
	const uint64_t few = 5;
	uint64_t n = f->facts.counts[MM_GUESS_F_NEW];
	if (n < few || f->facts.counts[MM_GUESS_F_ASCENDING] + 1 < n)
		return;
	double w = mm_weigh_p(MM_W_GUESS_ORDER, exp(-lgamma((double)n + 1)));
	mm_finding_add(f, MM_W_GUESS_ORDER, w, "%llu users failed in the order of the alphabet",
	        (unsigned long long)n);
}

static void weigh_pace(struct mm_finding *f)
{
	const uint64_t few = 8, even = 250; /* thousandths */
	const uint64_t *counts = f->facts.counts;
	if (counts[MM_GUESS_F_GAPS] < few || counts[MM_GUESS_F_UNEVEN] > even)
		return;
	mm_finding_add(f, MM_W_GUESS_PACE, mm_weigh_p(MM_W_GUESS_PACE, 0),
	        "they came at even intervals: the gaps between %llu users differ by %.0f %%",
	        (unsigned long long)counts[MM_GUESS_F_NEW], (double)counts[MM_GUESS_F_UNEVEN] / 10);
}

static void weigh_ways(struct mm_finding *f)
{
	char ways[MM_GUESS_WAYS_TEXT];
	unsigned n = mm_attempts_ways((uint32_t)f->facts.counts[MM_GUESS_F_PROTOCOLS], ways);
	if (n > 1)
		mm_finding_add(f, MM_W_GUESS_WAYS, mm_weigh_p(MM_W_GUESS_WAYS, 0), "by %u ways: %s",
		        n, ways);
}

static void weigh_software(struct mm_finding *f)
{
	uint64_t like = f->facts.counts[MM_GUESS_F_LIKE], of = f->facts.counts[MM_GUESS_F_LIKE_OF];
	if (like > of)
		return;
	double w = mm_weigh(MM_W_GUESS_SOFTWARE, (double)like, (double)of);
	if (w >= MM_NOTABLE_DB)
		mm_finding_add(f, MM_W_GUESS_SOFTWARE, w,
		        "of %llu users let in %llu used software like it", (unsigned long long)of,
		        (unsigned long long)like);
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	char ways[MM_GUESS_WAYS_TEXT];
	struct mm_guess_count count = mm_guess_kept(d, f);
	(void)mm_attempts_ways((uint32_t)f->facts.counts[MM_GUESS_F_PROTOCOLS], ways);
	mm_finding_reset(f, MM_W_PRIOR_GUESSING);
	mm_finding_add(f, MM_W_GUESS_USERS, mm_weigh_p(MM_W_GUESS_USERS, count.p),
	        "%llu users failed within %s over %s and were not let in since (%s); where %llu "
	        "are let in, %.2g fail as a rule",
	        (unsigned long long)count.k, mm_attempts_window(count.window), ways, f->facts.other,
	        (unsigned long long)count.users, count.mean);
	weigh_order(f);
	weigh_pace(f);
	weigh_ways(f);
	weigh_software(f);
}

static const char *const alternatives[] = {
	"a gateway, terminal server or portal that came into view behind which many users sit",
	"a directory or password synchronisation that is broken, so that right passwords fail",
	"a service that holds outdated passwords of many accounts",
	NULL,
};

const struct mm_detector mm_password_spray = {
	.name = "password-spray",
	.id = "SPR-01",
	.technique = "T1110.003",
	.technique_name = "Password Spraying",
	.help = "one source fails to log on as many users, in any protocol",
	.meaning = "People fail to log on as themselves; whoever fails as many others tries out "
	           "passwords.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
