/* How much was lost per server address: a bounded table that forgets the least busy server first. */
#ifndef MM_FLOW_LOSS_H
#define MM_FLOW_LOSS_H

#include "flow/flow.h"

struct mm_loss_table;

int mm_loss_new(const struct mm_hash_key *key, struct mm_loss_table **out) MM_MUST_CHECK;
void mm_loss_free(struct mm_loss_table *l);

/** The hash by which mm_loss_add() finds the address; kept by the flow. */
uint64_t mm_loss_hash(const struct mm_loss_table *l, const struct mm_addr *server);

/** Add to the server's counters. */
void mm_loss_add(struct mm_loss_table *l, const struct mm_addr *server, uint64_t hash,
        const struct mm_flow_loss *add);

/** The server's counters; zeros when it is not in the table. */
struct mm_flow_loss mm_loss_get(const struct mm_loss_table *l, const struct mm_addr *server);

#endif
