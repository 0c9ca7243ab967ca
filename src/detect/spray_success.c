/* spray-success (SPR-12): a user is let in, for the first time, from where passwords were tried out.
 *
 * A right password (also one that is not enough: expired, or a second factor is asked for) from a source under a finding of
 * password-spray, or with the software of one of spray-distributed from a new address, of a user who was never let in from
 * there. Those let in before the guessing was found out are told of as soon as it is. ATT&CK T1078.
 *
 * Benign: a new user behind a gateway from which somebody else guesses. */
#include "detect/guess.h"

#include <math.h>
#include <stdio.h>

/* facts.counts: of the finding about the guesses, and of users let in from there before. */
enum {
	F_SCORE, /* tenths of a deciban above the prior */
	F_DISTRIBUTED,
	F_FIRST, /* thousandths */
	F_BUT,
};

static bool stands(const struct mm_finding *f)
{
	return f != NULL && f->score >= 0;
}

static void open_one(struct mm_detect *d, const struct mm_event *ev, const char *user, bool but,
        const struct mm_guesser *g, const char *guesses)
{
	char subject[MM_SUBJECT_TEXT], addr[MM_ADDR_TEXT];
	snprintf(subject, sizeof subject, "%s let in from %s", user,
	        mm_addr_text(mm_event_client(ev), addr));
	bool fresh = mm_detect_find_about(d, &mm_spray_success, subject) == NULL;
	struct mm_finding *f = mm_detect_open_about(d, &mm_spray_success, ev, subject);
	if (f == NULL || !fresh)
		return;
	mm_name_copy(f->facts.user, (struct mm_str){ user, strlen(user) });
	mm_name_copy(f->facts.other, (struct mm_str){ guesses, strlen(guesses) });
	f->facts.counts[F_DISTRIBUTED] = g->key.kind != MM_GUESS_SOURCE;
	/* Of those whom this is about no more than their number can be told. */
	double own = g->n_hits < MM_GUESS_HITS ? g->n_hits : MM_GUESS_HITS;
	double first = fmin(1e9, fmax(0, mm_attempts_first_rights(g) - own));
	f->facts.counts[F_FIRST] = (uint64_t)(first * 1000);
	f->facts.counts[F_BUT] = but;
	f->facts.n_accepted++;
	f->facts.n_uses++;
	mm_finding_use(f, ev, NULL, NULL);
}

/* Now that the guessing has been found out: who was let in while it went on? */
static void look_back(struct mm_detect *d, const struct mm_look *seen, const char *guesses)
{
	const struct mm_guesser *source = seen->attempt.source;
	const int64_t week_ns = (int64_t)mm_attempts_window_s(MM_GUESS_WINDOWS - 1) * 1000000000;
	for (size_t i = 0; i < MM_GUESS_HITS; i++)
		if (source->hits[i].name[0] != '\0' &&
		        seen->ev->time_ns - source->hits[i].at_ns < week_ns)
			open_one(d, seen->ev, source->hits[i].name, source->hits[i].but, source,
			        guesses);
}

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	char guesses[MM_SUBJECT_TEXT];
	const struct mm_attempt *attempt = &seen->attempt;
	if (attempt->source == NULL)
		return;
	mm_guess_subject_source(guesses, &attempt->source->key.addr);
	if (stands(mm_detect_find_about(d, &mm_password_spray, guesses))) {
		look_back(d, seen, guesses); /* which holds the present one as well */
		return;
	}
	if (!attempt->right || !attempt->stranger || attempt->target == NULL ||
	        attempt->software == NULL)
		return;
	mm_guess_subject_target(guesses, attempt->target);
	const struct mm_finding *f = mm_detect_find_about(d, &mm_spray_distributed, guesses);
	const struct mm_guesser *software = attempt->software;
	const uint32_t week_s = mm_attempts_window_s(MM_GUESS_WINDOWS - 1);
	if (!stands(f) || software->suspect_s == 0 ||
	        software->last_s - software->suspect_s > week_s)
		return;
	char user[MM_NAME_TEXT];
	mm_name_copy(user, seen->ev->user);
	open_one(d, seen->ev, user, seen->ev->meaning == MM_MEANING_RIGHT_BUT, software, guesses);
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	uint64_t *counts = f->facts.counts;
	const struct mm_finding *guesses = mm_detect_find_about(d,
	        counts[F_DISTRIBUTED] ? &mm_spray_distributed : &mm_password_spray, f->facts.other);
	double above = guesses != NULL ? (guesses->score - guesses->prior) * 10 : 0;
	if (above > (double)counts[F_SCORE])
		counts[F_SCORE] = (uint64_t)lround(above);
	mm_finding_reset(f, MM_W_PRIOR_GUESSING);
	mm_finding_add(f, MM_W_GUESS_USERS, fmin(1e4, (double)counts[F_SCORE]) / 10,
	        "%s: passwords are tried out, as the finding about that says", f->facts.other);
	double first = (double)counts[F_FIRST] / 1000;
	mm_finding_add(f, MM_W_GUESS_RIGHT, mm_weigh(MM_W_GUESS_RIGHT, first, 0),
	        "%s gave the right password%s, and was never let in from there before; in a week "
	        "%.2g others are, as a rule",
	        f->facts.user, counts[F_BUT] ? ", though something else was asked for" : "", first);
}

static const char *const alternatives[] = {
	"a user who is new behind a gateway from which somebody else tries out passwords",
	NULL,
};

const struct mm_detector mm_spray_success = {
	.name = "spray-success",
	.id = "SPR-12",
	.technique = "T1078",
	.technique_name = "Valid Accounts",
	.help = "a user is let in for the first time from where passwords were tried out",
	.meaning = "A password that is right after many that were wrong has been guessed.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
