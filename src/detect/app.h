/* Findings about an application: what they have in common. */
#ifndef MM_DETECT_APP_H
#define MM_DETECT_APP_H

#include "detect/detect.h"

/** facts.counts of such findings: how often, of how many, at the time. Others may use those up to MM_APP_F_OWN. */
enum {
	MM_APP_F_OWN = 12, /* tokens that the application had obtained before */
	MM_APP_F_NEW_NETWORK,
	MM_APP_F_NETWORK_K,
	MM_APP_F_NETWORK_N,
};

/** facts.counts[MM_APP_F_NEW_NETWORK]. */
enum {
	MM_APP_NEW_NETWORK = 1, /* new for the application */
	MM_APP_NEW_PLACE,       /* new for all that have to do with its issuer */
};

/** Was its issuer watched for 18 hours? Whenever that began, most of a working day is in it: only then is it known which
 * applications and networks are in use. */
bool mm_app_watched(const struct mm_look *seen);

/** The finding of this detector about the application that acts. fresh: it was opened now, and is to be filled. NULL when there
 * is no room. */
struct mm_finding *mm_app_open(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *seen, bool *fresh);

/** The same about the application as one host uses it. */
struct mm_finding *mm_app_open_at(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *seen, bool *fresh);

/** The chance that the next token of its issuer is of an application that was not known: those seen once (Good-Turing). */
struct mm_share mm_app_new_share(const struct mm_detect *d, const struct mm_look *seen);

/** Begin to weigh: the prior. */
void mm_app_begin(struct mm_finding *f);

/** Add what the network says from which it asked. */
void mm_app_weigh_network(struct mm_finding *f);

#endif
