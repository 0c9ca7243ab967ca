/* HPACK, RFC 7541, read by nghttp2's inflater, whatever was missed before.
 *
 * A table is indexed from its newest entry, so one that begins empty in the middle of a connection is right in all that was added
 * since; what lies behind that is not known. nghttp2 gives a connection up at such an index. So the
 * representations of a block are told apart here (section 6), and given to it one by one: a field whose name or value is not known
 * is left out and counted, and where it would have been added to the table, one without a name is. Where a whole block is missing, its
 * entries are, too, and the table begins anew. */
#ifndef MM_DISSECT_HPACK_H
#define MM_DISSECT_HPACK_H

#include "dissect/web.h"

enum {
	MM_HPACK_TABLE_MAX = 64 * 1024, /* octets of a dynamic table; browsers ask for as much */
	MM_HPACK_NAMELESS = '?',        /* the name of an entry whose name is not known */
};

/** One direction's table. */
struct mm_hpack;

/** What a block says. */
struct mm_hpack_block {
	struct mm_web_field fields[MM_WEB_FIELDS_MAX + 1]; /* in text */
	size_t n;
	uint8_t *text; /* the caller's, MM_WEB_HEADERS_MAX octets */
	size_t text_b;
	uint32_t n_lost; /* fields that are not known */
	bool cut;        /* more than fits: left out, but for their effect on the table */
};

/** NULL when memory is out. used: where its memory is counted; no more than max is taken. */
struct mm_hpack *mm_hpack_new(size_t *used, size_t max);
void mm_hpack_free(struct mm_hpack *h);

/** Read a whole header block; out->text is set. False when it is none: the table is then of no use any more. */
bool mm_hpack_read(struct mm_hpack *h, struct mm_slice block, struct mm_hpack_block *out);

#endif
