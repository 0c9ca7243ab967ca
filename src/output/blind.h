/* Connections that nobody could read for want of keys, by server and the name it was called by: bounded, the least
 * recently seen gives way. */
#ifndef MM_OUTPUT_BLIND_H
#define MM_OUTPUT_BLIND_H

#include "base/table.h"
#include "event/event.h"

enum {
	MM_BLIND_NAME = 64, /* longer names are cut */
	MM_BLIND_ROWS = 4096,
};

struct mm_blind_key {
	struct mm_addr server;
	uint8_t pad;
	uint16_t port;
	struct mm_fp name; /* of the name */
};

struct mm_blind_row {
	struct mm_blind_key key;
	char name[MM_BLIND_NAME]; /* ends with NUL */
	uint64_t n;
};

struct mm_blind_table {
	struct mm_table rows;
	uint64_t n; /* connections, those of rows that gave way included */
};

void mm_blind_init(struct mm_blind_table *b, const struct mm_hash_key *key);
void mm_blind_done(struct mm_blind_table *b);

/** Count a connection: an event of kind MM_EV_BLIND. */
void mm_blind_note(struct mm_blind_table *b, const struct mm_event *ev);

#endif
