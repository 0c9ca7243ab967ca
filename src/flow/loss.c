/* Losses per server: 8-way sets; a new server takes the place of the one in its set with the fewest segments. */
#include "flow/loss.h"

#include <stdlib.h>

enum {
	LOSS_WAYS = 8,
	LOSS_SETS = 2048, /* 16384 servers */
};

struct loss_row {
	struct mm_addr server; /* family 0: free */
	struct mm_flow_loss loss;
};

struct mm_loss_table {
	struct mm_hash_key key;
	struct loss_row rows[LOSS_SETS][LOSS_WAYS];
};

int mm_loss_new(const struct mm_hash_key *key, struct mm_loss_table **out)
{
	struct mm_loss_table *l = calloc(1, sizeof *l);
	if (l == NULL)
		return MM_ERR_NOMEM;
	l->key = *key;
	*out = l;
	return MM_OK;
}

void mm_loss_free(struct mm_loss_table *l)
{
	free(l);
}

uint64_t mm_loss_hash(const struct mm_loss_table *l, const struct mm_addr *server)
{
	return mm_siphash(&l->key, server->b, sizeof server->b);
}

void mm_loss_add(struct mm_loss_table *l, const struct mm_addr *server, uint64_t hash,
        const struct mm_flow_loss *add)
{
	struct loss_row *set = l->rows[hash % LOSS_SETS];
	struct loss_row *row = &set[0];
	for (size_t i = 0; i < LOSS_WAYS; i++) {
		if (mm_addr_eq(&set[i].server, server)) {
			row = &set[i];
			break;
		}
		if (set[i].loss.n_segments < row->loss.n_segments)
			row = &set[i];
	}
	if (!mm_addr_eq(&row->server, server))
		*row = (struct loss_row){ .server = *server };
	row->loss.n_segments += add->n_segments;
	row->loss.n_gaps += add->n_gaps;
	row->loss.n_gap_bytes += add->n_gap_bytes;
}

struct mm_flow_loss mm_loss_get(const struct mm_loss_table *l, const struct mm_addr *server)
{
	const struct loss_row *set = l->rows[mm_loss_hash(l, server) % LOSS_SETS];
	for (size_t i = 0; i < LOSS_WAYS; i++)
		if (mm_addr_eq(&set[i].server, server))
			return set[i].loss;
	return (struct mm_flow_loss){ 0 };
}
