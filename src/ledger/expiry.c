/* Which numbered thing ends first. */
#include "ledger/expiry.h"

#include <stdlib.h>

enum {
	GROUP = 128,
	GROUPS_MIN = 64, /* a power of two */
};

void mm_expiry_done(struct mm_expiry *e)
{
	free(e->tree);
	e->tree = NULL;
	e->n_groups = 0;
}

static void set_group(struct mm_expiry *e, size_t group, int64_t end_ns)
{
	size_t i = e->n_groups + group;
	e->tree[i] = end_ns;
	for (i /= 2; i != 0; i /= 2) {
		int64_t left = e->tree[2 * i], right = e->tree[2 * i + 1];
		e->tree[i] = left < right ? left : right;
	}
}

static bool make_room(struct mm_expiry *e, size_t group)
{
	size_t n_groups = e->n_groups == 0 ? GROUPS_MIN : e->n_groups;
	while (n_groups <= group)
		n_groups *= 2;
	if (n_groups == e->n_groups)
		return true;
	int64_t *tree = malloc(2 * n_groups * sizeof *tree), *old = e->tree;
	size_t n_old = e->n_groups;
	if (tree == NULL)
		return false;
	for (size_t i = 0; i < 2 * n_groups; i++)
		tree[i] = MM_EXPIRY_NEVER;
	e->tree = tree;
	e->n_groups = n_groups;
	for (size_t i = 0; i < n_old; i++)
		set_group(e, i, old[n_old + i]);
	free(old);
	return true;
}

void mm_expiry_note(struct mm_expiry *e, uint32_t number, int64_t end_ns)
{
	size_t group = (number - 1) / GROUP;
	if (make_room(e, group) && end_ns < e->tree[e->n_groups + group])
		set_group(e, group, end_ns);
}

/* The member that ends first; *end_ns: when. */
static uint32_t first_of_group(const struct mm_expiry *e, size_t group, int64_t *end_ns)
{
	uint32_t first = 0;
	*end_ns = MM_EXPIRY_NEVER;
	for (uint32_t i = 0; i < GROUP; i++) {
		uint32_t number = (uint32_t)(group * GROUP) + i + 1;
		int64_t end = e->end(e->arg, number);
		if (end >= *end_ns)
			continue;
		first = number;
		*end_ns = end;
	}
	return first;
}

uint32_t mm_expiry_first(struct mm_expiry *e, int64_t now_ns)
{
	while (e->n_groups != 0 && e->tree[1] < now_ns) {
		size_t i = 1;
		while (i < e->n_groups)
			i = e->tree[2 * i] <= e->tree[2 * i + 1] ? 2 * i : 2 * i + 1;
		int64_t end_ns, bound_ns = e->tree[i];
		uint32_t first = first_of_group(e, i - e->n_groups, &end_ns);
		if (end_ns == bound_ns)
			return first;
		set_group(e, i - e->n_groups, end_ns); /* it was but a bound: look again */
	}
	return 0;
}
