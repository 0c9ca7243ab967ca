/* A snapshot of all that a run has learnt, so that a restart goes on where it was: ledger, names, baselines, findings and
 * the names of the captures that evidence speaks of. Not kept: packets and connections in flight, and the counters of
 * the closing summary that tell what one run has read.
 *
 * One story. Between two packets the engine puts everything into a buffer with mm_state_serialise(): that is the only time
 * that packets wait. The buffer is then written to a new file beside the old snapshot with mm_state_write(), by whoever has the
 * time, and mm_state_dir_commit() puts it in the place of the old one. Whenever the power fails, the old snapshot or the
 * new one is there, whole. The next run hands the file to mm_state_parse().
 *
 * The file, all numbers little-endian:
 *
 *	offset  size
 *	     0     8  "MINTMARK"
 *	     8     4  version of this format: MM_STATE_VERSION; another one is not read
 *	    12     4  0x01020304
 *	    16     8  bytes of the whole file
 *	    24     8  packet time of the snapshot, nanoseconds since 1970
 *	    32     2  length of the program's version, which follows
 *	           -  sections, each tag (4), length (8), contents: FILE, LEDG, DETE
 *	  last    32  SHA-256 of all before
 *
 * Whatever is read is hostile: the digest tells of accidents, not of forgers. Every count is held against what is left of
 * the file and against the limits of the run before memory is taken, every number against its range, every link against
 * the others. */
#ifndef MM_STATE_STATE_H
#define MM_STATE_STATE_H

#include "base/files.h"
#include "detect/detect.h"
#include "ledger/ledger.h"

enum {
	MM_STATE_VERSION = 6,
	MM_STATE_DIGEST = 32,
};

/** What a snapshot holds; all borrowed. */
struct mm_state {
	struct mm_ledger *ledger;
	struct mm_detect *detect;
	struct mm_files *files;
	int64_t now_ns; /* packet time */
};

/** Put everything into out, which is emptied first and may be used again and again. Changes nothing else.
 * MM_ERR_NOMEM. */
int mm_state_serialise(const struct mm_state *state, struct mm_store *out) MM_MUST_CHECK;

/** Write what mm_state_serialise() made, and its digest, and wait until the disk has it. fd: open for writing, empty, stays
 * the caller's. MM_ERR_IO: errno tells why. May run in another thread than what made the bytes. */
int mm_state_write(int fd, struct mm_slice bytes) MM_MUST_CHECK;

/** Read a snapshot into a new ledger, a new detect and the names of this run's captures. now_ns becomes that of the
 * snapshot. MM_ERR_FORMAT: no snapshot; MM_ERR_UNSUPPORTED: of another version; MM_ERR_CORRUPT; MM_ERR_NOMEM: ledger and
 * detect are then good for nothing but being freed. why tells in words. */
int mm_state_parse(struct mm_slice file, struct mm_state *state, const char **why) MM_MUST_CHECK;

#endif
