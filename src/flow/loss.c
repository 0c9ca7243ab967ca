/* Losses per server. */
#include "flow/loss.h"

enum { LOSS_SERVERS_MAX = 16384 };

struct loss_row {
	struct mm_addr server; /* key */
	struct mm_flow_loss loss;
};

void mm_loss_init(struct mm_table *t, const struct mm_hash_key *key)
{
	mm_table_init(t, key, sizeof(struct mm_addr), sizeof(struct loss_row), LOSS_SERVERS_MAX);
}

void mm_loss_add(struct mm_table *t, const struct mm_addr *server, const struct mm_flow_loss *add)
{
	struct loss_row *row = mm_table_put(t, server, NULL);
	if (row == NULL)
		return;
	row->loss.n_segments += add->n_segments;
	row->loss.n_gaps += add->n_gaps;
	row->loss.n_gap_bytes += add->n_gap_bytes;
}

struct mm_flow_loss mm_loss_get(const struct mm_table *t, const struct mm_addr *server)
{
	const struct loss_row *row = mm_table_find(t, server);
	return row != NULL ? row->loss : (struct mm_flow_loss){ 0 };
}
