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

/** The finding of this detector about the application that acts. fresh: it was opened now, and is to be filled. NULL when there
 * is no room. */
struct mm_finding *mm_app_open(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *seen, bool *fresh);

/** Begin to weigh: the prior. */
void mm_app_begin(struct mm_finding *f);

/** Add what its network says. */
void mm_app_weigh_network(struct mm_finding *f);

#endif
