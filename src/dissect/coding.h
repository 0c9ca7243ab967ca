/* Content codings, RFC 9110 section 8.4.1: gzip, deflate, br (RFC 7932) and zstd (RFC 8878), one inside the other. */
#ifndef MM_DISSECT_CODING_H
#define MM_DISSECT_CODING_H

#include "base/cursor.h"

enum {
	MM_CODING_LAYERS_MAX = 3, /* codings of one body */
	MM_CODING_RATIO_MAX =
	        256, /* octets out of one in, beyond MM_CODING_RATIO_FREE; JSON reaches 50 */
	MM_CODING_RATIO_FREE = 16 * 1024,
	MM_CODING_WINDOW_LOG = 23, /* zstd: 8 MiB, RFC 9659 section 3 */
};

enum mm_coded {
	MM_CODED_DONE,
	MM_CODED_SHORT,   /* the input ends early: what there was is decoded */
	MM_CODED_UNKNOWN, /* a coding that is not known, or more of them than are undone */
	MM_CODED_BROKEN,  /* not what its coding says */
	MM_CODED_BOMB,    /* expands to more than fits, or too many times */
};

/** Are the codings that Content-Encoding lists, in the order applied, known and few enough? */
bool mm_coding_known(struct mm_slice list);

/** Undo the codings in list. room, twice room_b octets and the caller's: where; out lies in it, or is body itself when
 * there is no coding. With any result but DONE and SHORT out is empty. */
enum mm_coded mm_coding_undo(struct mm_slice list, struct mm_slice body, uint8_t *room,
        size_t room_b, struct mm_slice *out);

#endif
