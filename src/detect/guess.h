/* Findings about guessing, of whatever kind: their facts are counts (ledger/attempts.h) as they were at their least
 * ordinary. */
#ifndef MM_DETECT_GUESS_H
#define MM_DETECT_GUESS_H

#include "detect/detect.h"

/** A finding is opened when guessing explains the count this much better: below it is left alone. */
#define MM_GUESS_OPEN_P 0.01

/** facts.counts of such findings. */
enum {
	MM_GUESS_F_KIND,
	MM_GUESS_F_WINDOW,
	MM_GUESS_F_K,
	MM_GUESS_F_USERS,
	MM_GUESS_F_PAST_TILES,
	MM_GUESS_F_PAST_X, /* thousandths, as the next */
	MM_GUESS_F_PAST_USERS,
	MM_GUESS_F_TRIES,
	MM_GUESS_F_PROTOCOLS,
	MM_GUESS_F_NEW, /* users in the order in which they failed */
	MM_GUESS_F_ASCENDING,
	MM_GUESS_F_GAPS,
	MM_GUESS_F_UNEVEN, /* of the gaps between them: deviation as thousandths of the mean */
	MM_GUESS_F_SOURCES,
	MM_GUESS_F_LIKE,    /* users let in with the same software */
	MM_GUESS_F_LIKE_OF, /* users let in */
};

/** The subjects of findings: into a text of MM_SUBJECT_TEXT bytes. */
void mm_guess_subject_source(char out[MM_SUBJECT_TEXT], const struct mm_addr *source);
void mm_guess_subject_target(char out[MM_SUBJECT_TEXT], const struct mm_guesser *target);

/** Take down the count and the use, when the count is further from the ordinary than what the finding has. software: with which it was
 * done; may be NULL. */
void mm_guess_take(const struct mm_detect *d, struct mm_finding *f, const struct mm_guesser *g,
        const struct mm_guess_count *count, const struct mm_guesser *software,
        const struct mm_event *ev);

/** The count kept, compared with what is ordinary by now. */
struct mm_guess_count mm_guess_kept(const struct mm_detect *d, const struct mm_finding *f);

#endif
