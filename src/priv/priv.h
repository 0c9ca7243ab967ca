/* Confinement: what the process may still do once hostile bytes are read.
 *
 * Two processes, as OpenSSH's monitor and its child. The main one opens all it needs, then gives up its user, its
 * capabilities and every system call it has no use for; from then on a program that was taken over through a packet
 * can compute, and read and write what is already open, and anything else kills it. What a long run has to open again
 * (an output after logrotate(8), a snapshot, the configuration) is opened by the monitor, a second small process
 * started before. It knows the files from a table given at its start, is asked for them by their index in that table,
 * and never takes a path or a descriptor from the other side.
 *
 *	mm_monitor_start()	while still privileged, and with a single thread
 *	open everything		sockets, outputs, databases; load what libraries load late
 *	mm_confine_drop()	user, capabilities, Landlock: of this thread and of those it will start
 *	start the workers
 *	mm_confine_filter()	seccomp: all threads at once; before the first packet
 *
 * mm_confine() is the last two for a program of one thread. The kernel keeps capabilities and Landlock by thread and
 * only seccomp reaches those that run already, hence the order.
 *
 * Under the filter a file can not be opened, so nothing may be loaded late: no dlopen() (and pthread_exit() and
 * pthread_cancel() load libgcc), no first use of an OpenSSL digest or provider, no pcap_stats() (it reads /sys; ask
 * getsockopt(PACKET_STATISTICS)), no sysconf(_SC_NPROCESSORS_ONLN). What the C library itself would
 * load late (the time zone, what malloc asks before it shrinks a heap) mm_confine_drop() loads.
 *
 * Programs built with a sanitizer drop their user and capabilities but enter neither Landlock nor seccomp: the
 * sanitizers' own code opens files and clones a tracer. */
#ifndef MM_PRIV_PRIV_H
#define MM_PRIV_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

enum {
	MM_MONITOR_FILES = 64,  /* of one monitor */
	MM_MONITOR_MODE = 0640, /* of a file made, unless told otherwise */
	MM_CONFINE_NAME = 64,   /* bytes of a user's name, with its end */
	MM_CONFINE_WORDS = 256, /* bytes that hold mm_confine_words() */
};

/* What is done with a file of the table. */
enum mm_monitor_kind {
	MM_MONITOR_APPEND, /* an output: opened for appending, made when missing */
	MM_MONITOR_REPLACE, /* a snapshot: written beside the file, renamed over it by mm_monitor_commit() */
	MM_MONITOR_READ, /* opened for reading */
};

struct mm_monitor_file {
	const char *path;
	enum mm_monitor_kind kind;
	mode_t mode; /* of a file that is made, not masked; 0: MM_MONITOR_MODE */
};

struct mm_monitor;

/** Start a monitor for these n files, to be named by their index.
 * files: borrowed until this returns. The directory of each must exist, it is opened here, and the file is looked for
 * in that directory from then on, wherever that is moved. A path that is a symbolic link now is followed now; one
 * that is put there later is not followed but an error.
 * The monitor ignores the signals of a terminal and of service managers and ends when the main process does. Of root
 * it keeps the right to write to any directory (CAP_DAC_OVERRIDE), nothing else; it may open files below the
 * directories of its table (where the kernel has Landlock) and has a system call filter of its own.
 * sandbox: false leaves Landlock and the filter out.
 * The calling process must have a single thread; no signal handler of it is run in the monitor.
 * Errors: MM_ERR_USAGE (n is 0 or above MM_MONITOR_FILES), MM_ERR_IO (errno), MM_ERR_NOMEM, MM_ERR_UNSUPPORTED (no
 * seccomp in this kernel); why[why_len] then says which in one line. */
int mm_monitor_start(const struct mm_monitor_file *files, size_t n, bool sandbox,
        struct mm_monitor **out, char *why, size_t why_len) MM_MUST_CHECK;

/** Have file number i opened: *fd, close-on-exec, is the caller's to close.
 * MM_MONITOR_REPLACE gives an empty file; one that was opened before and not committed is thrown away.
 * Errors: MM_ERR_USAGE (no such file), MM_ERR_IO (errno: as open(2); EPIPE when the monitor is gone; ELOOP for a
 * symbolic link; EINVAL for what is no regular file). Not to be called by two threads at a time. */
int mm_monitor_open(struct mm_monitor *mon, size_t i, int *fd) MM_MUST_CHECK;

/** Put what was written to file number i, MM_MONITOR_REPLACE, in its place: it, and the directory, are on disk when
 * this returns. A reader sees the old file or the new one, whole.
 * Errors: as above; MM_ERR_IO with EINVAL when it is not open. The old file then stands. */
int mm_monitor_commit(struct mm_monitor *mon, size_t i) MM_MUST_CHECK;

/** End the monitor and wait for it; what was not committed is removed. Accepts NULL. */
void mm_monitor_stop(struct mm_monitor *mon);

struct mm_confine_config {
	/* Become this user. NULL: as root, "mintmark" if there is such a user, else "nobody"; else stay. */
	const char *user;
	bool sandbox;                     /* false: no Landlock, no filter; for debugging */
	const struct mm_monitor *monitor; /* the filter leaves the way to it open; NULL: none */
};

/* What is in force. */
struct mm_confine_status {
	char user[MM_CONFINE_NAME]; /* by name, or by number when it has none */
	uid_t uid;
	gid_t gid;
	bool changed;     /* the user is another one than before */
	int landlock_abi; /* 0: this kernel has none */
	bool landlock;    /* no file can be opened, whatever the filter says */
	bool seccomp;
};

/** Give up the user, the groups, all capabilities and the way back to them (no_new_privs), core dumps and being
 * traced, and every right to files (Landlock; a kernel without it is told in *status).
 * With no user named, a root that may not change its user (a container without CAP_SETUID) stays root without
 * capabilities. The user must be named by the password database or be a number in it.
 * Holds for the calling thread and those started later; fails when others run already.
 * *status: filled when done. Errors: MM_ERR_USAGE (no such user; not root, yet another user is asked for; threads
 * run), MM_ERR_IO (errno); why[why_len] then holds one line, and the process is to end. */
int mm_confine_drop(const struct mm_confine_config *config, struct mm_confine_status *status,
        char *why, size_t why_len) MM_MUST_CHECK;

/** Put all threads under the filter: a system call that is not on the list kills the process (SIGSYS).
 * Errors: MM_ERR_NOMEM, MM_ERR_UNSUPPORTED (no seccomp in this kernel), MM_ERR_IO (errno); as above. */
int mm_confine_filter(const struct mm_confine_config *config, struct mm_confine_status *status,
        char *why, size_t why_len) MM_MUST_CHECK;

/** Both. */
int mm_confine(const struct mm_confine_config *config, struct mm_confine_status *status, char *why,
        size_t why_len) MM_MUST_CHECK;

/** What is in force, in words: "user nobody, no capabilities, Landlock, seccomp". Returns out. */
const char *mm_confine_words(const struct mm_confine_status *status, char out[MM_CONFINE_WORDS]);

#endif
