/* What the main process and the monitor lock themselves up with; for the files of priv alone. */
#ifndef MM_PRIV_SANDBOX_H
#define MM_PRIV_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Sanitizers open files and clone tracers when they report, which no sandbox can tell from an intruder. */
#if !defined(MM_SANITIZED) && (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__))
#define MM_SANITIZED 1
#endif
#ifdef MM_SANITIZED
static const bool mm_sandbox_possible = false;
#else
static const bool mm_sandbox_possible = true;
#endif

/* A directory below which something stays allowed. */
struct mm_landlock_rule {
	int dir;
	uint64_t rights; /* LANDLOCK_ACCESS_FS_* */
};

/** Forbid this thread, and those it starts, all that Landlock can forbid, apart from the rules. Needs no_new_privs.
 * *abi: Landlock's version in this kernel, 0 for none: then nothing is done and that is no error.
 * Errors: MM_ERR_IO (errno). */
int mm_landlock_restrict(const struct mm_landlock_rule *rules, size_t n, int *abi) MM_MUST_CHECK;

/* The two ends of the conversation with the monitor, as the filter needs them. */
struct mm_filter_peer {
	int socket; /* -1: none */
	pid_t pid;
};

/** Put the main process, all threads, under its filter.
 * Errors: MM_ERR_NOMEM, MM_ERR_UNSUPPORTED (no seccomp), MM_ERR_IO (errno). */
int mm_filter_main(struct mm_filter_peer peer) MM_MUST_CHECK;

/** Put the monitor under its own. */
int mm_filter_monitor(void) MM_MUST_CHECK;

/** Give up all capabilities but those in keep, a mask of 1 << CAP_*, now and for any program that might be executed.
 * Errors: MM_ERR_IO. */
int mm_caps_keep(uint64_t keep) MM_MUST_CHECK;

struct mm_monitor;

/** How the filter of the main process knows its monitor. */
struct mm_filter_peer mm_monitor_peer(const struct mm_monitor *mon);

/** Print to why; returns r. */
int mm_priv_why(char *why, size_t why_len, int r, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

#endif
