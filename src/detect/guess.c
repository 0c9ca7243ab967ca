/* What findings about guessing have in common. */
#include "detect/guess.h"

#include <math.h>
#include <stdio.h>

void mm_guess_subject_source(char out[MM_SUBJECT_TEXT], const struct mm_addr *source)
{
	char text[MM_ADDR_TEXT];
	snprintf(out, MM_SUBJECT_TEXT, "guesses from %s", mm_addr_text(source, text));
}

void mm_guess_subject_target(char out[MM_SUBJECT_TEXT], const struct mm_guesser *target)
{
	snprintf(out, MM_SUBJECT_TEXT, "guesses at %s from many addresses", target->label);
}

struct mm_guess_count mm_guess_kept(const struct mm_detect *d, const struct mm_finding *f)
{
	const uint64_t *counts = f->facts.counts;
	const uint64_t k_max = 1000000;
	struct mm_guess_count count = { .kind = counts[MM_GUESS_F_KIND] % MM_GUESS_KINDS,
		.window = (unsigned)(counts[MM_GUESS_F_WINDOW] % MM_GUESS_WINDOWS),
		.k = counts[MM_GUESS_F_K] < k_max ? counts[MM_GUESS_F_K] : k_max,
		.users = counts[MM_GUESS_F_USERS] != 0 ? counts[MM_GUESS_F_USERS] : 1,
		.past_tiles = (double)counts[MM_GUESS_F_PAST_TILES],
		.past_x = (double)counts[MM_GUESS_F_PAST_X] / 1000,
		.past_users = (double)counts[MM_GUESS_F_PAST_USERS] / 1000 };
	mm_attempts_compare(&d->ledger->attempts, &count);
	return count;
}

/* Standard deviation of the gaps as thousandths of their mean. */
static uint64_t unevenness(const struct mm_guesser *g)
{
	const uint64_t most = 1000000;
	double mean = g->n_gaps != 0 ? g->gap_sum / g->n_gaps : 0;
	if (mean <= 0)
		return most;
	double variance = fmax(0, g->gap_squares / g->n_gaps - mean * mean);
	return (uint64_t)fmin((double)most, sqrt(variance) / mean * 1000);
}

static void name_users(struct mm_facts *facts, const struct mm_guesser *g)
{
	size_t n = g->n_names < MM_GUESS_NAMES_SHOWN ? g->n_names : MM_GUESS_NAMES_SHOWN;
	int len = 0;
	facts->other[0] = '\0';
	for (size_t i = 0; i < n && len >= 0 && len < MM_NAME_TEXT; i++)
		len += snprintf(facts->other + len, sizeof facts->other - (size_t)len, "%s%s",
		        i == 0 ? "" : ", ", g->names[i]);
}

void mm_guess_take(const struct mm_detect *d, struct mm_finding *f, const struct mm_guesser *g,
        const struct mm_guess_count *count, const struct mm_guesser *software,
        const struct mm_event *ev)
{
	const double most = 1e15;
	uint64_t *counts = f->facts.counts;
	mm_finding_use(f, ev, NULL, NULL);
	f->facts.n_uses++;
	f->facts.n_refused++;
	if (counts[MM_GUESS_F_K] != 0 && mm_guess_kept(d, f).p < count->p)
		return;
	counts[MM_GUESS_F_KIND] = count->kind;
	counts[MM_GUESS_F_WINDOW] = count->window;
	counts[MM_GUESS_F_K] = count->k;
	counts[MM_GUESS_F_USERS] = count->users;
	counts[MM_GUESS_F_PAST_TILES] = (uint64_t)fmin(most, count->past_tiles);
	counts[MM_GUESS_F_PAST_X] = (uint64_t)fmin(most, count->past_x * 1000);
	counts[MM_GUESS_F_PAST_USERS] = (uint64_t)fmin(most, count->past_users * 1000);
	counts[MM_GUESS_F_TRIES] = g->n_failed;
	counts[MM_GUESS_F_PROTOCOLS] = g->protocols;
	counts[MM_GUESS_F_NEW] = g->n_new;
	counts[MM_GUESS_F_ASCENDING] = g->n_ascending;
	counts[MM_GUESS_F_GAPS] = g->n_gaps;
	counts[MM_GUESS_F_UNEVEN] = unevenness(g);
	counts[MM_GUESS_F_SOURCES] = mm_attempts_sources(g, count->window);
	counts[MM_GUESS_F_LIKE] = software != NULL ? software->n_first_right : UINT64_MAX;
	counts[MM_GUESS_F_LIKE_OF] = d->ledger->attempts.n_first_right;
	name_users(&f->facts, g);
	mm_name_copy(f->facts.service, (struct mm_str){ g->label, strlen(g->label) });
}
