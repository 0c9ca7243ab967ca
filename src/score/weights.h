/* The numbers of the house: priors, what forgers do, and how honest life is bounded. No detector holds one.
 *
 * The weight of a piece of evidence is 10 log10(P(E|F) / P(E|H)) decibans. P(E|F) stands in this table. P(E|H)
 * is learnt from the traffic; before much is learnt it is held between h_min and h_max, which say
 * what the protocol itself makes rare. */
#ifndef MM_SCORE_WEIGHTS_H
#define MM_SCORE_WEIGHTS_H

#include <stddef.h>

enum mm_weight_id {
	MM_W_PRIOR_FORGED,
	MM_W_ORPHAN,
	MM_W_CLAIMED,
	MM_W_KVNO_2,
	MM_W_KVNO_3,
	MM_W_KVNO_OTHER,
	MM_W_KVNO_NEIGHBOUR,
	MM_W_KVNO_NEIGHBOUR_2,
	MM_W_KVNO_MACHINE,
	MM_W_KVNO_TGT_2,
	MM_W_KVNO_TGT_3,
	MM_W_KVNO_TGT_NEIGHBOUR,
	MM_W_KVNO_AHEAD,
	MM_W_ETYPE_TGT,
	MM_W_ETYPE_SERVICE,
	MM_W_LENGTH,
	MM_W_LENGTH_OWN,
	MM_W_LENGTH_USUAL,
	MM_W_NAME_TYPE_TGT,
	MM_W_NAME_TYPE_SERVICE,
	MM_W_REALM_FORM,
	MM_W_TGT_FORM,
	MM_W_SERVICE_FORM,
	MM_W_REPLY_ETYPE,
	MM_W_STACK,
	MM_W_STACK_WARM_UP,
	MM_W_NEVER_OBTAINED,
	MM_W_HOST_OBTAINS,
	MM_W_USER_FORM,
	MM_W_USER_NEW,
	MM_W_USER_NEW_HERE,
	MM_W_USER_KNOWN_HERE,
	MM_W_LATEST_TGT,
	MM_W_KDC_REFUSED,
	MM_W_KDC_EXPIRED,
	MM_W_SERVICE_REFUSED,
	MM_W_SPN_SUBSTITUTION,
	MM_W_CNAME_BREAK,
	MM_W_CNAME_BREAK_ARMORED,
	MM_W_PRIOR_STOLEN,
	MM_W_KEY_SCOPE,
	MM_W_KEY_SCOPE_UNSURE,
	MM_W_KEY_UNSCOPED,
	MM_W_BAD_SIGNATURE,
	MM_W_UNSIGNED,
	MM_W_CONFUSED,
	MM_W_EMBEDDED,
	MM_W_FOREIGN_URL,
	MM_W_ODD_KID,
	MM_W_RETIRED_KEY,
	MM_W_UNKNOWN_KID,
	MM_W_UNKNOWN_KID_NEWER,
	MM_W_BEFORE_KEY,
	MM_W_DRIFT_KEY,
	MM_W_WEAK_KEY,
	MM_W_TEMPLATE,
	MM_W_TOKEN_ALG,
	MM_W_TOKEN_LIFETIME,
	MM_W_TENANT,
	MM_W_AUDIENCE,
	MM_W_AUDIENCE_OWN,
	MM_W_ID_TOKEN,
	MM_W_EXPIRED_ACCEPTED,
	MM_W_EXPIRED_OWN,
	MM_W_EARLY_ACCEPTED,
	MM_W_TOKEN_MOVED,
	MM_W_TOKEN_MOVED_SAME,
	MM_W_TO_AND_FRO,
	MM_W_ROTATED_ELSEWHERE,
	MM_W_ROTATED_ROAMED,
	MM_W_ROTATED_HERE,
	MM_W_CODE_REUSED,
	MM_W_CODE_REUSED_HERE,
	MM_W_NO_PROOF,
	MM_W_BAD_PROOF,
	MM_W_NO_CERT,
	MM_W_ACCEPTED,
	MM_W_REFUSED,
	MM_W_ACCEPTED_INVALID,
	MM_W_JWKS_DRIFT,
	MM_W_PRIOR_GUESSING,
	MM_W_GUESS_USERS,
	MM_W_GUESS_NAMES,
	MM_W_GUESS_WIDE,
	MM_W_GUESS_ORDER,
	MM_W_GUESS_PACE,
	MM_W_GUESS_WAYS,
	MM_W_GUESS_SOFTWARE,
	MM_W_GUESS_RIGHT,
	MM_W_PRIOR_APP,
	MM_W_APP_NEW_POWER,
	MM_W_APP_POWER_KNOWN,
	MM_W_APP_POWER_GENERIC,
	MM_W_APP_POWER_ORDINARY,
	MM_W_APP_NEW_NETWORK,
	MM_W_APP_NEW_PLACE,
	MM_W_APP_AWAKE,
	MM_W_APP_SWEEP,
	MM_W_APP_SWEEP_NEW,
	MM_W_APP_OTHER_AUTH,
	MM_W_APP_WEAKER_AUTH,
	MM_W_APP_OTHER_KEY,
	MM_W_APP_PASSWORD,
	MM_W_APP_PASSWORD_OWN,
	MM_W_APP_UNKNOWN,
	MM_W_APP_FIRST,
	MM_W_APP_DEVICE,
	MM_W_APP_DEVICE_FIRST,
	MM_W_APP_DEVICE_FAR,
	MM_W_APP_DEVICE_USERS,
	MM_W_APP_ADMIN_CONSENT,
	MM_W_APP_CONSENT,
	MM_W_APP_CONSENT_POWER,
	MM_W_TRAVEL,
	MM_W_TRAVEL_NEW,
	MM_W_TRAVEL_AGENT,
	MM_W_N,
};

struct mm_weight {
	const char *id;      /* stable name, as printed */
	double p_f;          /* P(E|F) */
	double h_min, h_max; /* bounds of P(E|H) */
	double max_db; /* most it may weigh: what it shares with other evidence is not counted twice */
	const char *source; /* where the numbers come from */
};

/** Evidence below this (a factor of two) is noise: it is not listed, and makes no feature odd. */
#define MM_NOTABLE_DB 3.0

/** A row of the table. For a prior, max_db is the prior itself. */
const struct mm_weight *mm_weight(enum mm_weight_id id);

/** Decibans of evidence seen k times among n honest ones: P(E|H) is (k + 0.5) / (n + 1); where it was never seen,
 * within the row's bounds. */
double mm_weigh(enum mm_weight_id id, double k, double n);

/** Decibans for a P(E|H) that was worked out otherwise. */
double mm_weigh_p(enum mm_weight_id id, double p_h);

/** 1 / (1 + 10^(-score / 10)). */
double mm_probability(double score_db);

enum mm_band {
	MM_BAND_LOW,      /* below 0 */
	MM_BAND_MEDIUM,   /* 0 to 10 */
	MM_BAND_HIGH,     /* 10 to 20 */
	MM_BAND_CRITICAL, /* above 20 */
};

enum mm_band mm_band_of(double score_db);
const char *mm_band_name(enum mm_band band);

#endif
