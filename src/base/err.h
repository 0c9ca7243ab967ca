/* Errors of the environment: what a function that can fail returns. Bad input is never one of these:
 * it is a sticky error in a cursor, an anomaly of an event, or a counter. */
#ifndef MM_BASE_ERR_H
#define MM_BASE_ERR_H

#define MM_MUST_CHECK __attribute__((warn_unused_result))

enum mm_err {
	MM_OK = 0,
	MM_ERR_NOMEM = -1,       /* out of memory */
	MM_ERR_IO = -2,          /* the system refused; errno holds why */
	MM_ERR_FORMAT = -3,      /* not a file of this kind */
	MM_ERR_TRUNCATED = -4,   /* the input ends inside a record */
	MM_ERR_CORRUPT = -5,     /* the input breaks its own format */
	MM_ERR_USAGE = -6,       /* the caller's argument is wrong */
	MM_ERR_UNSUPPORTED = -7, /* known, but not handled */
};

#endif
