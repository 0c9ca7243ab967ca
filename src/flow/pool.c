/* Reassembly memory. */
#include "flow/pool.h"

#include <stdlib.h>

enum {
	POOL_CACHE_MAX =
	        16 * 1024 * 1024, /* free bytes kept; what comes back beyond goes to the system */
};

struct mm_pool_free {
	struct mm_pool_free *next;
};

static size_t class_of(size_t size)
{
	size_t c = 0;
	while (c < MM_POOL_CLASSES && ((size_t)1 << (c + MM_POOL_SHIFT)) < size)
		c++;
	return c;
}

void *mm_pool_get(struct mm_pool *p, size_t size, size_t *cap)
{
	size_t c = class_of(size);
	size_t bytes = (size_t)1 << (c + MM_POOL_SHIFT);
	if (c == MM_POOL_CLASSES || bytes > p->max || p->in_use > p->max - bytes)
		return NULL;
	void *buf = p->free_list[c];
	if (buf != NULL) {
		p->free_list[c] = p->free_list[c]->next;
		p->cached -= bytes;
	} else if ((buf = malloc(bytes)) == NULL) {
		return NULL;
	}
	p->in_use += bytes;
	*cap = bytes;
	return buf;
}

void mm_pool_put(struct mm_pool *p, void *buf, size_t cap)
{
	if (buf == NULL)
		return;
	p->in_use -= cap;
	if (p->cached + cap > POOL_CACHE_MAX) {
		free(buf);
		return;
	}
	struct mm_pool_free *f = buf;
	size_t c = class_of(cap);
	f->next = p->free_list[c];
	p->free_list[c] = f;
	p->cached += cap;
}

void mm_pool_done(struct mm_pool *p)
{
	for (size_t c = 0; c < MM_POOL_CLASSES; c++) {
		while (p->free_list[c] != NULL) {
			struct mm_pool_free *f = p->free_list[c];
			p->free_list[c] = f->next;
			free(f);
		}
	}
	p->cached = 0;
}
