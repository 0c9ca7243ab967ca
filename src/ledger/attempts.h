/* What is known of attempts to log on: who guesses, from where, at what, and with which software.
 *
 * One thing is counted: distinct users that failed and were not let in since. A typo is gone as soon as its user is in; a
 * stale password or a retry loop is one user, however often it fails. It is counted of each source, of each
 * target, and of each kind of software, in windows from minutes to days, and compared with what such a source (target,
 * software) usually shows: a Gamma-Poisson model of failing users for each user who is let in from there, with
 * parameters learnt over all of them and sharpened by each one's own past.
 *
 * Of a target and of software only those failures count that come from where the user was never let in, and no
 * source counts for more than a few: one busy guesser is a matter of its own. */
#ifndef MM_LEDGER_ATTEMPTS_H
#define MM_LEDGER_ATTEMPTS_H

#include "base/store.h"
#include "base/table.h"
#include "event/event.h"

enum mm_guess_kind {
	MM_GUESS_SOURCE,   /* users that failed from one address */
	MM_GUESS_NAMES,    /* users that are not there, asked for from one address */
	MM_GUESS_TARGET,   /* users that failed at one issuer or server */
	MM_GUESS_SOFTWARE, /* users that failed with one kind of software */
	MM_GUESS_SWEEP,    /* no guessing: mailboxes that one application opened by itself */
	MM_GUESS_KINDS,
};

enum {
	MM_GUESS_WINDOWS = 4,
	MM_GUESS_BUCKETS = 256,
	MM_GUESS_SOURCES = 64,
	MM_GUESS_HITS = 4,
	MM_GUESS_NAMES_SHOWN = 4,
	MM_GUESS_NAME = 48,
	MM_GUESSERS_MAX = 8192,
	MM_PAIRS_MAX = 262144,
	MM_RECENT_MAX = 16,
};

/** A set of users of which it is known when each was last seen: one bucket each, by hash; how many were seen since any moment
 * follows from how many buckets were (linear counting with time stamps). */
struct mm_user_set {
	uint32_t at_s[MM_GUESS_BUCKETS]; /* 0: empty */
};

/** Its own past in one length of window. */
struct mm_guess_past {
	uint32_t begin_s;       /* of the tile that is open */
	uint32_t peak;          /* users that failed, at most */
	double tiles, x, users; /* closed ones: how many, users that failed, users let in */
};

/** Who or what is guessed from, at or with. */
struct mm_guesser {
	struct {
		uint64_t id; /* of a target and of software: hash */
		struct mm_addr addr;
		uint8_t kind, unused[6];
	} key;
	struct mm_user_set failed; /* and not let in since */
	struct mm_user_set right;
	uint32_t sources_s[MM_GUESS_SOURCES]; /* from where users failed, as a set */
	struct mm_guess_past past[MM_GUESS_WINDOWS];
	uint32_t first_s, last_s;
	uint32_t suspect_s; /* when its count last was out of all proportion; 0: never */
	uint64_t n_failed, n_right, n_first_right;
	double first_week; /* users let in that never were before, lately: decays by e in a week */
	uint32_t first_week_s;
	uint32_t protocols; /* with which users failed: bits */
	/* Of users as they come to be new in `failed`: */
	uint32_t n_new, n_ascending, n_gaps;
	double gap_sum, gap_squares; /* seconds between them */
	int64_t new_ns;
	uint32_t n_names, n_hits;
	char label[MM_GUESS_NAME]; /* of a target and of software */
	char last_name[MM_GUESS_NAME];
	char names[MM_GUESS_NAMES_SHOWN][MM_GUESS_NAME]; /* some that failed last */
	/* Users let in for the first time from where others failed. */
	struct {
		char name[MM_GUESS_NAME];
		struct mm_addr from;
		int64_t at_ns;
		bool but; /* MM_MEANING_RIGHT_BUT */
	} hits[MM_GUESS_HITS];
};

/** One user from one address. */
struct mm_pair {
	struct {
		uint64_t user;
		struct mm_addr addr;
		uint8_t unused[7];
	} key;
	uint32_t failed_first_s, failed_s; /* since the user was last let in; 0: not */
	uint32_t right_first_s, right_s;   /* 0: never */
	uint32_t asked_s; /* the KDC asked this user for a proof: it would let the account in */
};

/** How many users fail, over all of a kind. */
struct mm_guess_norm {
	double n, x, users, users2,
	        pairs; /* tiles; sums of failed, let in, let in squared, x (x - 1) */
};

/** Which guessers an attempt counts for. */
struct mm_guess_ids {
	uint64_t user, target, software; /* hashes; software 0: not told */
	struct mm_addr source;
	struct mm_addr target_addr; /* family 0: the target is an issuer */
};

/** A failed attempt whose front leg may still come: one that a proxy or a portal passed on. */
struct mm_recent {
	struct mm_guess_ids ids;
	int64_t request_ns, response_ns;
};

struct mm_attempts {
	struct mm_hash_key key; /* of users' hashes; kept with the state */
	struct mm_table guessers, pairs;
	struct mm_guess_norm norms[MM_GUESS_KINDS][MM_GUESS_WINDOWS];
	struct mm_recent recent[MM_RECENT_MAX];
	uint32_t n_recent;
	uint64_t n_attempts, n_first_right, n_right;
};

/** What the attempt in an event is, for detectors. Guessers: NULL where it is of no interest to them. */
struct mm_attempt {
	bool failed, right;
	bool stranger; /* never let in from there before */
	const struct mm_guesser *source, *names, *target, *software;
};

/** A count beside what is ordinary. */
struct mm_guess_count {
	enum mm_guess_kind kind;
	unsigned window;
	uint64_t k, users; /* failed in the window, let in during the last days */
	double past_tiles, past_x, past_users;
	double mean; /* ordinary */
	double p;    /* P(k | honest) / P(k | guessing) */
};

void mm_attempts_init(struct mm_attempts *a, const struct mm_hash_key *key);
void mm_attempts_done(struct mm_attempts *a);

/** Take down the attempt that the event shows; *out is valid until the next call. */
void mm_attempts_note(struct mm_attempts *a, const struct mm_event *ev, struct mm_attempt *out);

/** An application opened this mailbox, that had obtained so many tokens before without opening any; what is known of it, borrowed until the next call. NULL when memory is out. */
const struct mm_guesser *mm_attempts_sweep(struct mm_attempts *a, uint64_t application,
        struct mm_str name, struct mm_str mailbox, uint64_t n_before, int64_t at_ns);

/** The window in which its count is least ordinary, as of the last time it was seen. */
struct mm_guess_count mm_attempts_count(const struct mm_attempts *a, const struct mm_guesser *g);

/** Compare again, with what is ordinary by now: sets mean and p. */
void mm_attempts_compare(const struct mm_attempts *a, struct mm_guess_count *count);

/** How many users are let in there for the first time in a week, as a rule. */
double mm_attempts_first_rights(const struct mm_guesser *g);

/** From how many addresses users failed at it or with it in this window, about. */
uint64_t mm_attempts_sources(const struct mm_guesser *g, unsigned window);

/** "10 minutes", "an hour", "a day", "a week". */
const char *mm_attempts_window(unsigned window);

enum { MM_GUESS_WAYS_TEXT = 96 };

/** The protocols that these bits stand for, as a list: "Kerberos, LDAP". Returns how many. */
unsigned mm_attempts_ways(uint32_t protocols, char out[MM_GUESS_WAYS_TEXT]);

/** Seconds of a window. */
uint32_t mm_attempts_window_s(unsigned window);

void mm_attempts_save(const struct mm_attempts *a, struct mm_store *out);
int mm_attempts_load(struct mm_attempts *a, struct mm_cursor *in) MM_MUST_CHECK;

#endif
