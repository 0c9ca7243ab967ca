/* Reassembly memory: buffers of power-of-two sizes, bounded in all, kept for reuse. */
#ifndef MM_FLOW_POOL_H
#define MM_FLOW_POOL_H

#include <stddef.h>

enum {
	MM_POOL_CLASSES = 21, /* 2 KiB to 2 GiB */
	MM_POOL_SHIFT = 11,   /* the smallest buffer is 2 KiB */
};

struct mm_pool_free;

struct mm_pool {
	struct mm_pool_free *free_list[MM_POOL_CLASSES];
	size_t in_use, max; /* bytes handed out, and how many may be */
	size_t cached;      /* bytes on the free lists */
};

/** A buffer of at least size bytes; its real size in *cap. NULL when max would be passed or memory is out. */
void *mm_pool_get(struct mm_pool *p, size_t size, size_t *cap);
/** Give back a buffer with the cap that came with it; accepts NULL. */
void mm_pool_put(struct mm_pool *p, void *buf, size_t cap);
void mm_pool_done(struct mm_pool *p);

#endif
