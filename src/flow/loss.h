/* How much was lost per server address: a bounded table that forgets the least recently used server first. */
#ifndef MM_FLOW_LOSS_H
#define MM_FLOW_LOSS_H

#include "base/table.h"
#include "flow/flow.h"

void mm_loss_init(struct mm_table *t, const struct mm_hash_key *key);

/** Add to the server's counters. */
void mm_loss_add(struct mm_table *t, const struct mm_addr *server, const struct mm_flow_loss *add);

/** The server's counters; zeros when it is not in the table. */
struct mm_flow_loss mm_loss_get(const struct mm_table *t, const struct mm_addr *server);

#endif
