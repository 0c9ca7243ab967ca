/* Names seen on the wire (realms, services, principals), stored once and known by number. */
#ifndef MM_LEDGER_NAMES_H
#define MM_LEDGER_NAMES_H

#include "base/table.h"
#include "event/event.h"

struct mm_names {
	struct mm_hash_key key;
	struct mm_table index; /* by hash of the text */
	char **texts;          /* by number; 0 is the empty name */
	uint16_t *lengths;
	size_t n, room, max;
	uint32_t *near; /* numbers of names looked for lately, by a cheap hash; NULL: none yet */
	uint64_t n_refused; /* names not stored because max were */
};

void mm_names_init(struct mm_names *names, const struct mm_hash_key *key, size_t max);
void mm_names_done(struct mm_names *names);

/** The number of this name, stored if it is new; 0 when it is empty or there is no room. */
uint32_t mm_names_put(struct mm_names *names, struct mm_str text);

/** The same for the name in lower case: what compares as one. */
uint32_t mm_names_put_folded(struct mm_names *names, struct mm_str text);

/** The same without storing anything: 0 when the name is not known. */
uint32_t mm_names_find(const struct mm_names *names, struct mm_str text);
uint32_t mm_names_find_folded(const struct mm_names *names, struct mm_str text);

/** Copy to out in ASCII lower case; the copy, cut at MM_STR_MAX. */
struct mm_str mm_str_fold(struct mm_str text, char out[MM_STR_MAX]);

/** Its text, borrowed for the life of the table. */
struct mm_str mm_names_text(const struct mm_names *names, uint32_t number);

/** Write all names down; read them again into an empty table, by the same numbers. MM_ERR_CORRUPT, MM_ERR_NOMEM. */
void mm_names_save(const struct mm_names *names, struct mm_store *out);
int mm_names_load(struct mm_names *names, struct mm_cursor *in) MM_MUST_CHECK;

#endif
