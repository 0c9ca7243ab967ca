/* HTTP/2 on a connection, RFC 9113: a dissector of its own, and what http.c goes on as after an upgrade (h2c) or at a
 * client's preface. */
#ifndef MM_DISSECT_HTTP2_H
#define MM_DISSECT_HTTP2_H

#include "dissect/exchange.h"

enum {
	MM_H2_MESSAGE_MAX =
	        MM_WEB_BODY_MAX + 4096, /* octets of a frame, or of a header block's frames */
	MM_H2_PREFACE = 24,             /* octets of the client's preface */
};

struct mm_h2_conn;

/** Of one connection; zero at its start. */
struct mm_h2 {
	struct mm_h2_conn *conn; /* made when the first message is read */
	bool seen[2];
	uint32_t n_too_long; /* header blocks */
};

/** Do these bytes begin with the client's preface (section 3.4), as far as they go? */
bool mm_h2_is_preface(struct mm_slice s);

/* As in struct mm_dissector. */
struct mm_frame mm_h2_frame(struct mm_h2 *h2, enum mm_dir dir, struct mm_slice avail);
size_t mm_h2_resync(enum mm_dir dir, struct mm_slice avail);
void mm_h2_parse(struct mm_dissect *d, struct mm_h2 *h2, struct mm_slice msg);
void mm_h2_gap(struct mm_dissect *d, struct mm_h2 *h2);
void mm_h2_end(struct mm_dissect *d, struct mm_h2 *h2);

/** The request that asked for the upgrade is stream 1 (RFC 7540 section 3.2). */
void mm_h2_upgrade(struct mm_dissect *d, struct mm_h2 *h2, struct mm_web_live *l);

#endif
