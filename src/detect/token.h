/* What the detectors about tokens share: one token, one finding, opened by the rule that says most, with all evidence. */
#ifndef MM_DETECT_TOKEN_H
#define MM_DETECT_TOKEN_H

#include "detect/detect.h"

/** Which facts make a rule: any of these bits. */
struct mm_token_rule {
	uint32_t proof, odd;
	bool orphan; /* or that it was never seen issued */
};

/** Open a finding for each token shown whose facts make this rule, unless another rule has one for the token; note the use. */
void mm_token_look(struct mm_detect *d, const struct mm_detector *detector,
        const struct mm_token_rule *rule, const struct mm_look *look);

/** Evidence of all kinds, and the ledger's. */
void mm_token_weigh(const struct mm_detect *d, struct mm_finding *f);

#endif
