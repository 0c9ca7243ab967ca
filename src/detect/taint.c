/* taint (LED-07): whatever was obtained with a credential under suspicion is part of the same finding.
 *
 * One root, one finding that grows: each credential obtained with it, and each use of those, is noted with
 * its root, down to the last action. ATT&CK T1550. Adds no weight: it tells how far the root reached. */
#include "detect/detect.h"

static void look(struct mm_detect *d, const struct mm_look *seen)
{
	for (size_t i = 0; i < seen->n_seen; i++) {
		const struct mm_sighting *s = &seen->seen[i];
		const struct mm_fp *root = &mm_ledger_lineage(d->ledger, s->row)->root;
		if (!mm_fp_is_set(root))
			continue;
		struct mm_finding *f = mm_detect_find(d, root);
		if (f != NULL)
			mm_finding_use(
			        f, seen->ev, s->cred, mm_event_find_cred(seen->ev, MM_ROLE_ISSUED));
	}
}

static void weigh(const struct mm_detect *d, struct mm_finding *f)
{
	(void)d;
	mm_finding_reset(f, MM_W_PRIOR_FORGED);
}

static const char *const alternatives[] = { NULL };

const struct mm_detector mm_taint = {
	.name = "taint",
	.id = "LED-07",
	.technique = "T1550",
	.technique_name = "Use Alternate Authentication Material",
	.help = "whatever was obtained with an orphan, added to the orphan's finding",
	.meaning = "What was obtained with a forged credential is the intruder's as well.",
	.alternatives = alternatives,
	.look = look,
	.weigh = weigh,
};
