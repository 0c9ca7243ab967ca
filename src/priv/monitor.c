/* The monitor: a process that opens the files of a table, and the calls by which the main process asks it to.
 *
 * A request is one message, struct request; the answer is one, struct answer, with the descriptor as SCM_RIGHTS
 * (unix(7)). A message of another size, or one that names what is not in the table, ends the monitor: the main process
 * does not send such, so it is no longer itself. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "priv/priv.h"
#include "priv/sandbox.h"

enum {
	SOCKET = 3,                  /* the monitor's end, after its standard descriptors */
	LANDLOCK_TRUNCATE = 1 << 14, /* LANDLOCK_ACCESS_FS_TRUNCATE, which older headers lack */
};

struct mm_monitor {
	int socket;
	pid_t pid;
	size_t n; /* files in the table */
};

enum op {
	OP_OPEN,
	OP_COMMIT,
};

struct request {
	uint32_t op, i;
};

struct answer {
	int32_t r;      /* enum mm_err */
	int32_t error;  /* errno of MM_ERR_IO */
	char what[512]; /* at the start: what did not work */
};

/* A file of the table, in the monitor. */
struct entry {
	int dir;
	char name[NAME_MAX + 1], temp_name[NAME_MAX + 1];
	enum mm_monitor_kind kind;
	mode_t mode;
	int temp; /* the snapshot being written; -1: none */
};

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* Monitor: before it serves. */

static struct answer failure(int r, const char *what)
{
	struct answer a = { .r = r, .error = errno };
	snprintf(a.what, sizeof a.what, "%s", what);
	return a;
}

/* Cut a path into its directory, opened, and its name. What is a symbolic link now is followed now. */
static int locate(const struct mm_monitor_file *file, struct entry *e)
{
	char path[PATH_MAX];
	/* A missing file stays as it was named; its directory is not missing. */
	if (realpath(file->path, path) == NULL) {
		if (errno != ENOENT || strlen(file->path) >= sizeof path)
			return MM_ERR_IO;
		strncpy(path, file->path, sizeof path);
	}
	struct stat st;
	if (file->kind == MM_MONITOR_REPLACE && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return MM_ERR_IO;
	}
	char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	const char *dir = slash == NULL ? "." : slash == path ? "/" : path;
	int n = snprintf(e->name, sizeof e->name, "%s", name);
	int n_temp = snprintf(e->temp_name, sizeof e->temp_name, ".%s.tmp", name);
	errno = n == 0 ? EISDIR : ENAMETOOLONG;
	if (n == 0 || n >= (int)sizeof e->name ||
	        (file->kind == MM_MONITOR_REPLACE && n_temp >= (int)sizeof e->temp_name))
		return MM_ERR_IO;
	if (slash != NULL && slash != path)
		*slash = '\0';
	/* fsync() needs the directory open for reading, which takes a right that making a file does not. */
	int how = file->kind == MM_MONITOR_REPLACE ? O_RDONLY : O_PATH;
	e->dir = open(dir, how | O_DIRECTORY | O_CLOEXEC);
	e->kind = file->kind;
	e->mode = file->mode != 0 ? file->mode : (mode_t)MM_MONITOR_MODE;
	e->temp = -1;
	return e->dir < 0 ? MM_ERR_IO : MM_OK;
}

static uint64_t landlock_rights(enum mm_monitor_kind kind)
{
	switch (kind) {
	case MM_MONITOR_APPEND:
		return LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG;
	case MM_MONITOR_REPLACE:
		return LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
		       LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_TRUNCATE;
	case MM_MONITOR_READ:
		return LANDLOCK_ACCESS_FS_READ_FILE;
	}
	return 0;
}

static struct answer confine_monitor(const struct entry *entries, size_t n)
{
	struct mm_landlock_rule rules[MM_MONITOR_FILES];
	int abi, r;
	for (size_t i = 0; i < n; i++)
		rules[i] = (struct mm_landlock_rule){ entries[i].dir,
			landlock_rights(entries[i].kind) };
	if (mm_landlock_restrict(rules, n, &abi) != MM_OK)
		return failure(MM_ERR_IO, "Landlock");
	if ((r = mm_filter_monitor()) != MM_OK)
		return failure(r, "seccomp");
	return (struct answer){ .r = MM_OK };
}

/* Nothing of the main process is held open but the socket: a reader of its standard output is to see the end. */
static void close_inherited(int socket)
{
	/* A sanitizer's report shall be seen. */
	int last = mm_sandbox_possible ? STDERR_FILENO : STDOUT_FILENO;
	if (socket != SOCKET)
		dup2(socket, SOCKET);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; fd <= last; fd++)
		if (null != fd && (null < 0 || dup2(null, fd) < 0))
			close(fd);
	if (close_range(SOCKET + 1, ~0U, 0) == 0)
		return;
	for (int fd = SOCKET + 1; fd < getdtablesize(); fd++) /* before Linux 5.9 */
		close(fd);
}

/* Ctrl-C and a service manager's SIGTERM go to both processes; the monitor is needed until the main one is done. */
static void ignore_signals(void)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2,
		SIGALRM, SIGTSTP, SIGTTIN, SIGTTOU };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t none;
	sigemptyset(&ignore.sa_mask);
	sigemptyset(&none);
	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		sigaction(ignored[i], &ignore, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static struct answer prepare(
        const struct mm_monitor_file *files, size_t n, bool sandbox, struct entry *entries)
{
	for (size_t i = 0; i < n; i++)
		if (locate(&files[i], &entries[i]) != MM_OK)
			return failure(MM_ERR_IO, files[i].path);
	umask(0); /* the table has each file's mode */
	if (mm_caps_keep(UINT64_C(1) << CAP_DAC_OVERRIDE) != MM_OK)
		return failure(MM_ERR_IO, "capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	        prctl(PR_SET_NAME, "mintmark-files") != 0 ||
	        prctl(PR_SET_DUMPABLE, sandbox ? 0 : 1, 0, 0, 0) != 0)
		return failure(MM_ERR_IO, "prctl");
	return sandbox ? confine_monitor(entries, n) : (struct answer){ .r = MM_OK };
}

/* Monitor: serving. */

static void drop_temp(struct entry *e)
{
	if (e->temp < 0)
		return;
	close(e->temp);
	e->temp = -1;
	(void)unlinkat(e->dir, e->temp_name, 0);
}

/* The descriptor, or negative with errno. Not blocking, so that a FIFO in the file's place holds nobody up. */
static int open_entry(struct entry *e)
{
	const int always = O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
	struct stat st;
	int fd = -1;
	switch (e->kind) {
	case MM_MONITOR_APPEND:
		fd = openat(e->dir, e->name, O_WRONLY | O_APPEND | O_CREAT | always, e->mode);
		break;
	case MM_MONITOR_REPLACE:
		drop_temp(e);
		/* One that a killed run left behind, or that somebody else put there. */
		if (unlinkat(e->dir, e->temp_name, 0) != 0 && errno != ENOENT)
			return -1;
		fd = openat(e->dir, e->temp_name, O_WRONLY | O_CREAT | O_EXCL | always, e->mode);
		e->temp = fd;
		return fd;
	case MM_MONITOR_READ:
		fd = openat(e->dir, e->name, O_RDONLY | always);
		break;
	}
	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

static int commit_entry(struct entry *e)
{
	errno = EINVAL;
	if (e->temp < 0)
		return MM_ERR_IO;
	if (fsync(e->temp) != 0 || renameat(e->dir, e->temp_name, e->dir, e->name) != 0) {
		int saved = errno;
		drop_temp(e);
		errno = saved;
		return MM_ERR_IO;
	}
	close(e->temp);
	e->temp = -1;
	return fsync(e->dir) != 0 ? MM_ERR_IO : MM_OK;
}

/* fd: -1 for none. False when the main process is gone. */
static bool send_answer(const struct answer *a, int fd)
{
	struct answer copy = *a;
	struct iovec iov = { &copy, sizeof copy };
	union control control = { .bytes = { 0 } };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof control.bytes;
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	return sendmsg(SOCKET, &msg, MSG_NOSIGNAL) == (ssize_t)sizeof copy;
}

static bool serve(const struct request *q, struct entry *e)
{
	struct answer a = { .r = MM_OK };
	if (q->op == OP_COMMIT) {
		a.r = commit_entry(e);
		a.error = errno;
		return send_answer(&a, -1);
	}
	int fd = open_entry(e);
	a.r = fd < 0 ? MM_ERR_IO : MM_OK;
	a.error = errno;
	bool sent = send_answer(&a, fd);
	if (fd >= 0 && fd != e->temp)
		close(fd);
	return sent;
}

/* Until the main process ends or makes no sense. No room for descriptors is given: what it sends, the kernel drops. */
static void serve_all(struct entry *entries, size_t n)
{
	struct request q;
	ssize_t got;
	while ((got = recv(SOCKET, &q, sizeof q, MSG_TRUNC)) == (ssize_t)sizeof q ||
	        (got < 0 && errno == EINTR))
		if (got > 0 && (q.i >= n || q.op > OP_COMMIT || !serve(&q, &entries[q.i])))
			break;
	for (size_t i = 0; i < n; i++)
		drop_temp(&entries[i]);
}

static int monitor_main(int socket, const struct mm_monitor_file *files, size_t n, bool sandbox)
{
	struct entry entries[MM_MONITOR_FILES];
	ignore_signals();
	close_inherited(socket);
	struct answer ready = prepare(files, n, sandbox, entries);
	if (!send_answer(&ready, -1) || ready.r != MM_OK)
		return 1;
	serve_all(entries, n);
	return 0;
}

/* Main process. */

/* One message; the descriptor in it or -1 in *fd. False with errno EPIPE when the monitor is gone. */
static bool receive(int socket, struct answer *a, int *fd)
{
	struct iovec iov = { a, sizeof *a };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	ssize_t n;
	*fd = -1;
	do
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof *a) {
		errno = EPIPE;
		return false;
	}
	const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	        c->cmsg_len == CMSG_LEN(sizeof *fd))
		memcpy(fd, CMSG_DATA(c), sizeof *fd);
	return true;
}

/* Ask for one thing. *fd: -1 when none was given. */
static int ask(struct mm_monitor *mon, enum op op, size_t i, int *fd)
{
	struct request q = { op, (uint32_t)i };
	struct iovec iov = { &q, sizeof q };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct answer a = { .r = MM_OK };
	ssize_t n;
	*fd = -1;
	if (i >= mon->n)
		return MM_ERR_USAGE;
	do
		n = sendmsg(mon->socket, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 || !receive(mon->socket, &a, fd))
		return MM_ERR_IO;
	errno = a.error;
	return a.r;
}

int mm_monitor_open(struct mm_monitor *mon, size_t i, int *fd)
{
	int got;
	int r = ask(mon, OP_OPEN, i, &got);
	if (r != MM_OK)
		return r;
	if (got < 0) {
		errno = EMFILE; /* it was sent, and found no room here */
		return MM_ERR_IO;
	}
	*fd = got;
	return MM_OK;
}

int mm_monitor_commit(struct mm_monitor *mon, size_t i)
{
	int none;
	return ask(mon, OP_COMMIT, i, &none);
}

struct mm_filter_peer mm_monitor_peer(const struct mm_monitor *mon)
{
	if (mon == NULL)
		return (struct mm_filter_peer){ -1, -1 };
	return (struct mm_filter_peer){ mon->socket, mon->pid };
}

/* The child never returns: not even what is done at exit may be done twice. */
static pid_t fork_monitor(int ends[2], const struct mm_monitor_file *files, size_t n, bool sandbox)
{
	sigset_t all, old;
	/* Until the child ignores signals it has the handlers of the main process. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid_t pid = fork();
	if (pid == 0)
		_exit(monitor_main(ends[1], files, n, sandbox));
	int saved = errno;
	sigprocmask(SIG_SETMASK, &old, NULL);
	close(ends[1]);
	errno = saved;
	return pid;
}

int mm_monitor_start(const struct mm_monitor_file *files, size_t n, bool sandbox,
        struct mm_monitor **out, char *why, size_t why_len)
{
	struct answer ready = { .r = MM_OK };
	int ends[2], fd;
	if (n == 0 || n > MM_MONITOR_FILES)
		return mm_priv_why(why, why_len, MM_ERR_USAGE, "%zu files for the monitor", n);
	struct mm_monitor *mon = malloc(sizeof *mon);
	if (mon == NULL)
		return mm_priv_why(why, why_len, MM_ERR_NOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		free(mon);
		return mm_priv_why(why, why_len, MM_ERR_IO, "socketpair: %s", strerror(errno));
	}
	mon->socket = ends[0];
	mon->n = n;
	mon->pid = fork_monitor(ends, files, n, sandbox && mm_sandbox_possible);
	int r = MM_OK;
	if (mon->pid < 0) {
		r = mm_priv_why(why, why_len, MM_ERR_IO, "fork: %s", strerror(errno));
	} else if (!receive(mon->socket, &ready, &fd)) {
		r = mm_priv_why(why, why_len, MM_ERR_IO, "the monitor ended at its start");
	} else if (ready.r != MM_OK) {
		errno = ready.error;
		r = mm_priv_why(why, why_len, ready.r, "%s: %s", ready.what, strerror(errno));
	}
	if (r == MM_OK)
		*out = mon;
	else
		mm_monitor_stop(mon);
	return r;
}

void mm_monitor_stop(struct mm_monitor *mon)
{
	if (mon == NULL)
		return;
	int saved = errno;
	close(mon->socket);
	/* A pid below 1 would wait for any child. */
	if (mon->pid > 0)
		while (waitpid(mon->pid, NULL, 0) < 0 && errno == EINTR)
			;
	free(mon);
	errno = saved;
}
