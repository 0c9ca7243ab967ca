/* What a carrier calls to hand on a stream that it holds. */
#include "dissect/dissect.h"

bool mm_dissect_inner(struct mm_dissect *d, struct mm_slice bytes)
{
	return d->inner != NULL && d->inner->bytes(d, bytes);
}

void mm_dissect_inner_gap(struct mm_dissect *d)
{
	if (d->inner != NULL)
		d->inner->gap(d);
}

void mm_dissect_inner_name(struct mm_dissect *d, const char *name)
{
	if (d->inner != NULL)
		d->inner->name(d, name);
}

void mm_dissect_become(struct mm_dissect *d, const char *name)
{
	if (d->inner != NULL)
		d->inner->become(d, name);
}
