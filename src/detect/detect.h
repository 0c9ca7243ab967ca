/* The contract between the engine and a detector.
 *
 * One story. A TGS-REQ shows a TGT whose fingerprint the ledger does not hold. The engine calls
 * mm_ledger_present(), which says so in the look (orphan), then each detector's look(). orphan-tgt sees
 * that the credential is a TGT and an orphan and opens a finding rooted in it with mm_detect_open(), which takes
 * down the facts: realm, kvno, etype, length, who and where. The reply, in the same event, issued a
 * service ticket: taint notes it as a use. Then the engine weighs the finding: weigh() clears it to the prior
 * and adds each piece of evidence that the facts give against what the ledger knows to be ordinary. Once
 * all has been read it is weighed again, and reported or listed as bare.
 *
 * A detector is a const struct and pure: no state of its own, no clock, no I/O, no numbers (they are in
 * score/weights.c). It names a behaviour, not a tool. */
#ifndef MM_DETECT_DETECT_H
#define MM_DETECT_DETECT_H

#include "ledger/ledger.h"
#include "score/finding.h"

enum {
	MM_DETECT_WORDS = 256,
	MM_DETECT_TOUCHED = 16,
};

/** The findings so far, and what detectors may look at. */
enum { MM_DETECT_ROOTS = 4096 }; /* a power of two */

struct mm_detect {
	const struct mm_ledger *ledger;
	struct mm_table findings; /* changed by detect.c and save.c alone */
	size_t findings_max;
	/* Findings by bits of their root: nearly all credentials have none, and one look tells it. */
	uint32_t roots[MM_DETECT_ROOTS];
	uint64_t n_dropped; /* findings that gave way to others */
	/** Live: told of each finding that reaches tell_band, and again as it reaches a higher one. NULL: nobody is. */
	void (*tell)(void *arg, const struct mm_finding *f);
	void *tell_arg;
	enum mm_band tell_band;
	struct mm_finding_key
	        touched[MM_DETECT_TOUCHED]; /* by the event looked at: about no credential of it */
	size_t n_touched;
	char *words[MM_DETECT_WORDS]; /* which findings of a restored state borrow */
	size_t n_words;
};

struct mm_detector {
	const char *name;      /* rule.name */
	const char *id;        /* of its card: "LED-01" */
	const char *technique; /* ATT&CK: "T1558.001" */
	const char *technique_name;
	const char *help;                /* one line for --list-detectors */
	const char *meaning;             /* why it matters: one sentence for the finding */
	const char *const *alternatives; /* what else could explain it, ended by NULL */

	/** Look at one event; open or extend findings. */
	void (*look)(struct mm_detect *d, const struct mm_look *look);

	/** Work out the evidence of one of its findings from its facts. */
	void (*weigh)(const struct mm_detect *d, struct mm_finding *f);
};

/** All detectors, ended by NULL. */
extern const struct mm_detector *const mm_detectors[];
extern const struct mm_detector mm_orphan_tgt, mm_orphan_service_ticket, mm_spn_substitution,
        mm_cname_break, mm_oauth_app_dormant, mm_oauth_app_power, mm_oauth_app_sweep,
        mm_oauth_consent, mm_oauth_device, mm_oauth_new_credential, mm_oauth_ropc,
        mm_password_spray, mm_spray_distributed, mm_spray_success, mm_user_enumeration, mm_taint;
extern const struct mm_detector mm_jwt_key_scope, mm_jwt_alg_abuse, mm_jwt_bad_signature,
        mm_jwt_retired_key, mm_jwt_before_key, mm_jwt_unknown_kid, mm_jwt_claims, mm_jwt_lifetime,
        mm_jwt_template, mm_jwt_outside_validity, mm_token_binding, mm_token_reuse, mm_token_moved,
        mm_token_orphan, mm_accepted_invalid, mm_impossible_travel, mm_jwks_drift;

/** findings_max: how many are kept. */
void mm_detect_init(struct mm_detect *d, const struct mm_ledger *ledger,
        const struct mm_hash_key *key, size_t findings_max);
void mm_detect_done(struct mm_detect *d);

/** Show the event to every detector, and weigh what it touched. Returns false when it used a credential against
 * which a finding stands (so that nothing be learnt from it). */
bool mm_detect_look(struct mm_detect *d, const struct mm_look *look);

/** Weigh all findings again, against all that is known by now, and tell of those that are to be told. */
void mm_detect_tell_all(struct mm_detect *d);

/** The findings were read from a state: count their roots anew. */
void mm_detect_count_roots(struct mm_detect *d);

/** Weigh all findings for the last time: those that came to nothing are forgotten. */
void mm_detect_weigh_all(struct mm_detect *d);

/** The finding of this detector about this sighting, opened with its facts when there was none; NULL when there is no
 * room. */
struct mm_finding *mm_detect_open(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *look, const struct mm_sighting *s);

/** The finding of this detector about somebody or something that is no credential: an application, a source of guesses, a
 * server. subject: what it is, for people, and its identity; the event first shows it. NULL when there is no room. */
struct mm_finding *mm_detect_open_about(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_event *ev, const char *subject);
/** The same, when it is open. */
struct mm_finding *mm_detect_find_about(
        const struct mm_detect *d, const struct mm_detector *detector, const char *subject);

/** Any finding rooted in this credential; NULL when there is none. */
struct mm_finding *mm_detect_find(const struct mm_detect *d, const struct mm_fp *root);

/** Write down all findings. */
void mm_detect_save(const struct mm_detect *d, struct mm_store *out);

/** Read them again where there are none yet. MM_ERR_CORRUPT, MM_ERR_NOMEM: it is then good for nothing but
 * mm_detect_done(). */
int mm_detect_load(
        struct mm_detect *d, struct mm_cursor *in, struct mm_file_map *files) MM_MUST_CHECK;

#endif
