/* The directory that holds a snapshot: one process at a time, and a new snapshot takes the place of the old one in
 * one step. */
#ifndef MM_STATE_DIR_H
#define MM_STATE_DIR_H

#include "base/err.h"
#include "base/store.h"

#define MM_STATE_NAME "mintmark.state"

/** Open the directory, made when it is missing, and lock it against other processes. Its file descriptor; MM_ERR_IO: errno tells
 * why, EBUSY: another process uses it. */
int mm_state_dir_open(const char *path) MM_MUST_CHECK;

/** Read the snapshot: 1; 0 when there is none. MM_ERR_IO; EFBIG: it is longer than max bytes. MM_ERR_NOMEM. */
int mm_state_dir_read(int dir, size_t max, struct mm_store *out) MM_MUST_CHECK;

/** A new empty file, beside the snapshot, to be written: its file descriptor. MM_ERR_IO. */
int mm_state_dir_begin(int dir) MM_MUST_CHECK;

/** It is written and on the disk: let it take the place of the snapshot. MM_ERR_IO: the old one is still there. */
int mm_state_dir_commit(int dir) MM_MUST_CHECK;

/** It could not be written: away with it. */
void mm_state_dir_abandon(int dir);

/** Rename the snapshot to "mintmark.state.WHAT-TIME", so that it is neither read nor lost. */
int mm_state_dir_set_aside(int dir, const char *what, int64_t time_s) MM_MUST_CHECK;

#endif
