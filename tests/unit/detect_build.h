/* A ledger and the detectors behind it, for the tests of what they find. */
#ifndef MM_TESTS_DETECT_BUILD_H
#define MM_TESTS_DETECT_BUILD_H

#include "detect/detect.h"
#include "ledger_build.h"

static const struct mm_hash_key key = { 1, 2 };
static struct mm_ledger *l;
static struct mm_detect d;
static struct mm_event_room room;

/** Both anew; config NULL: as they are by default. */
static inline void detect_new(const struct mm_ledger_config *config, size_t findings_max)
{
	struct mm_ledger_config by_default;
	mm_ledger_config_default(&by_default);
	int r = mm_ledger_new(config != NULL ? config : &by_default, &l);
	assert(r == MM_OK);
	mm_detect_init(&d, l, &key, findings_max);
}

static inline int tear_down(void **state)
{
	(void)state;
	mm_detect_done(&d);
	mm_ledger_free(l);
	return 0;
}

/** The first finding of this detector, weighed; NULL: there is none. */
static inline struct mm_finding *finding(const struct mm_detector *detector)
{
	mm_detect_weigh_all(&d);
	for (struct mm_finding *f = mm_table_next(&d.findings, NULL); f != NULL;
	        f = mm_table_next(&d.findings, f))
		if (f->detector == detector)
			return f;
	return NULL;
}

#endif
