/* HTTP/1 messages, read by libhtp: the start line, header fields, and bodies without their transfer coding.
 *
 * http.c finds where messages end, as bulk must be passed over without being read, and libhtp gets one header block, with
 * the body that follows if it is kept. A parser lives no longer than its message, so that a connection that waits holds
 * none, and what one message does to it no other feels.
 *
 * Three things are done beside it:
 * - Only messages that bear credentials by their fields, or a body that is kept, are given to it. It takes 3 us for a plain
 *   request and its answer, which is half as much again as all else that is done with an office network's packets; the fields of all
 *   others are read here, a tenth of that.
 * - It joins fields of one name by commas, which Set-Cookie and Cookie do not bear (RFC 9110 section 5.3): those are taken
 *   from the block itself.
 * - It looks through all fields for each new one: a block of more than READER_LINES lines is not given to it. */
#ifndef MM_DISSECT_READER_H
#define MM_DISSECT_READER_H

#include "dissect/exchange.h"

/** Read a header block into the exchange: fields, and the request's method, target and version or the answer's status. */
void mm_reader_start(
        struct mm_dissect *d, struct mm_web_live *l, enum mm_dir side, struct mm_slice block);
/** Octets of the body as they are on the wire, chunk lines included: the body is added to the exchange. data: what is body of
 * them, for a message that libhtp was not given. */
void mm_reader_body(
        struct mm_web_live *l, enum mm_dir side, struct mm_slice part, struct mm_slice data);
/** The message is over. */
void mm_reader_end(struct mm_web_live *l, enum mm_dir side);

/** The next header field, continuation lines included (obs-fold, RFC 9112 section 5.2). False at the end. */
bool mm_reader_field(struct mm_cursor *c, struct mm_slice *name, struct mm_slice *value);
/** The line at the front of s without its line end: CRLF, or the bare LF of section 2.2. */
struct mm_slice mm_reader_line(struct mm_slice s);

/** method SP request-target SP HTTP-version, section 3; false when it is none. */
bool mm_reader_request_line(
        struct mm_slice line, struct mm_slice *method, struct mm_slice *target, unsigned *minor);
/** HTTP-version SP status-code SP [ reason-phrase ], section 4: the status; 0 when it is none. */
unsigned mm_reader_status(struct mm_slice line, unsigned *minor);
/** Length of the method at the front of s, at most one more than MM_METHOD_MAX. */
size_t mm_reader_method(struct mm_slice s);

enum { MM_METHOD_MAX = 24 }; /* octets of a method; the longest registered has 17 */

#endif
