/* Which numbered thing ends first: so that what has expired gives way before what is still of use.
 *
 * The least end of each group of numbers, and a tree of least ends above the groups: 0.13 bytes a number. The
 * groups' ends are lower bounds; that of the first group is made exact before it is answered. */
#ifndef MM_LEDGER_EXPIRY_H
#define MM_LEDGER_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MM_EXPIRY_NEVER INT64_MAX

struct mm_expiry {
	int64_t *
	        tree; /* 1 is the root, 2 i and 2 i + 1 are below i, the groups at n_groups and up */
	size_t n_groups;
	/** When does this number end? MM_EXPIRY_NEVER when it is not in use. */
	int64_t (*end)(const void *arg, uint32_t number);
	const void *arg;
};

void mm_expiry_done(struct mm_expiry *e);

/** This number (from 1) ends then. When memory is out nothing is noted: it will not be found. */
void mm_expiry_note(struct mm_expiry *e, uint32_t number, int64_t end_ns);

/** The number that ended first, and before now_ns; 0 when none did. Of several the lowest. */
uint32_t mm_expiry_first(struct mm_expiry *e, int64_t now_ns);

#endif
