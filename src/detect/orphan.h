/* What the detectors of orphans share: opening the finding, and the evidence that a ticket's own features give. */
#ifndef MM_DETECT_ORPHAN_H
#define MM_DETECT_ORPHAN_H

#include "detect/detect.h"

/** Open or extend a finding for each orphan of this kind that the event shows. */
void mm_orphan_look(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_look *look, bool tgt);

/** Weigh an orphan: the missing issuance, what the ticket looks like against the issuer's own, what the client and
 * the KDC did. Evidence of one cause is counted once. */
void mm_orphan_weigh(const struct mm_detect *d, struct mm_finding *f);

#endif
