/* The monitor, asked as the main process asks it, and as an intruder in there would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "priv/priv.h"
#include "priv/sandbox.h"

/* The table of these tests, in a directory of their own. */
enum { LOG, SNAPSHOT, CONF, N_FILES };

struct fixture {
	char dir[32], log[64], snapshot[64], conf[64], other[64];
	struct mm_monitor *mon;
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void assert_file(const char *path, const char *want)
{
	char got[256] = "";
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	got[fread(got, 1, sizeof got - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(got, want);
}

static int setup(void **state)
{
	char why[256] = "";
	struct fixture *f = calloc(1, sizeof *f);
	assert_non_null(f);
	strcpy(f->dir, "/tmp/test_monitor_XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->log, sizeof f->log, "%s/log", f->dir);
	snprintf(f->snapshot, sizeof f->snapshot, "%s/snapshot", f->dir);
	snprintf(f->conf, sizeof f->conf, "%s/conf", f->dir);
	snprintf(f->other, sizeof f->other, "%s/other", f->dir);
	write_file(f->log, "one\n");
	write_file(f->conf, "a: 1\n");
	struct mm_monitor_file files[N_FILES] = { { f->log, MM_MONITOR_APPEND, 0 },
		{ f->snapshot, MM_MONITOR_REPLACE, 0644 }, { f->conf, MM_MONITOR_READ, 0 } };
	if (mm_monitor_start(files, N_FILES, true, &f->mon, why, sizeof why) != MM_OK)
		fail_msg("%s", why);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char path[80];
	mm_monitor_stop(f->mon);
	snprintf(path, sizeof path, "%s/.snapshot.tmp", f->dir);
	int left = access(path, F_OK) == 0;
	unlink(path);
	unlink(f->log);
	unlink(f->snapshot);
	unlink(f->conf);
	unlink(f->other);
	left |= rmdir(f->dir);
	free(f);
	return left; /* nothing of a snapshot stays behind */
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* After a rotation: a new file of the mode in the table; without one, the old one, at its end. */
static void test_append(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int fd;
	assert_int_equal(mm_monitor_open(f->mon, LOG, &fd), MM_OK);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	put(fd, "two\n");
	assert_file(f->log, "one\ntwo\n");
	assert_int_equal(rename(f->log, f->other), 0);
	assert_int_equal(mm_monitor_open(f->mon, LOG, &fd), MM_OK);
	put(fd, "three\n");
	assert_file(f->log, "three\n");
	assert_file(f->other, "one\ntwo\n");
	assert_int_equal(stat(f->log, &st), 0);
	assert_int_equal(st.st_mode & 07777, MM_MONITOR_MODE);
}

/* The old snapshot stands until the new one is whole. */
static void test_replace(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int fd;
	for (int i = 0; i < 3; i++) {
		char text[16], before[16];
		snprintf(text, sizeof text, "state %d\n", i);
		snprintf(before, sizeof before, "state %d\n", i - 1);
		assert_int_equal(mm_monitor_open(f->mon, SNAPSHOT, &fd), MM_OK);
		put(fd, text);
		if (i > 0)
			assert_file(f->snapshot, before);
		assert_int_equal(mm_monitor_commit(f->mon, SNAPSHOT), MM_OK);
		assert_file(f->snapshot, text);
	}
	assert_int_equal(stat(f->snapshot, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	/* Thrown away: by the next one, and by the end (teardown looks). */
	assert_int_equal(mm_monitor_open(f->mon, SNAPSHOT, &fd), MM_OK);
	put(fd, "lost\n");
	assert_int_equal(mm_monitor_open(f->mon, SNAPSHOT, &fd), MM_OK);
	put(fd, "lost, too\n");
	assert_file(f->snapshot, "state 2\n");
}

static void test_read(void **state)
{
	struct fixture *f = *state;
	char got[16];
	int fd;
	assert_int_equal(mm_monitor_open(f->mon, CONF, &fd), MM_OK);
	assert_int_equal(read(fd, got, sizeof got), 5);
	assert_memory_equal(got, "a: 1\n", 5);
	assert_int_equal(write(fd, "x", 1), -1);
	close(fd);
	/* An editor puts a new file in its place. */
	write_file(f->other, "a: 2\n");
	assert_int_equal(rename(f->other, f->conf), 0);
	assert_int_equal(mm_monitor_open(f->mon, CONF, &fd), MM_OK);
	assert_int_equal(read(fd, got, sizeof got), 5);
	assert_memory_equal(got, "a: 2\n", 5);
	close(fd);
}

static void assert_refused(struct mm_monitor *mon, size_t i, int error)
{
	int fd = -7;
	errno = 0;
	assert_int_equal(mm_monitor_open(mon, i, &fd), MM_ERR_IO);
	assert_int_equal(errno, error);
	assert_int_equal(fd, -7);
}

/* What stands in a file's place and is none. */
static void test_no_file(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(unlink(f->log), 0);
	assert_int_equal(symlink(f->other, f->log), 0);
	assert_refused(f->mon, LOG, ELOOP);
	assert_int_equal(access(f->other, F_OK), -1);
	assert_int_equal(unlink(f->log), 0);
	assert_int_equal(mkfifo(f->log, 0600), 0);
	assert_refused(f->mon, LOG, ENXIO); /* open(2): a FIFO without a reader, not waited for */
	int reader = open(f->log, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_refused(f->mon, LOG, EINVAL);
	close(reader);
	assert_int_equal(unlink(f->log), 0);
	assert_int_equal(mkdir(f->log, 0700), 0);
	assert_refused(f->mon, LOG, EISDIR);
	assert_int_equal(rmdir(f->log), 0);
	assert_int_equal(unlink(f->conf), 0);
	assert_refused(f->mon, CONF, ENOENT);
	int fd;
	assert_int_equal(mm_monitor_open(f->mon, LOG, &fd), MM_OK); /* it goes on */
	close(fd);
}

static void test_usage(void **state)
{
	struct fixture *f = *state;
	int fd;
	assert_int_equal(mm_monitor_open(f->mon, N_FILES, &fd), MM_ERR_USAGE);
	assert_int_equal(mm_monitor_open(f->mon, SIZE_MAX, &fd), MM_ERR_USAGE);
	assert_int_equal(mm_monitor_commit(f->mon, N_FILES), MM_ERR_USAGE);
	assert_int_equal(mm_monitor_commit(f->mon, SNAPSHOT), MM_ERR_IO);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(mm_monitor_commit(f->mon, LOG), MM_ERR_IO);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(mm_monitor_open(f->mon, LOG, &fd), MM_OK);
	close(fd);
}

/* The socket as an intruder has it: messages that mm_monitor_open() would not send end the monitor. */
static void test_intruder(void **state)
{
	static const struct {
		uint32_t words[3];
		size_t len;
	} messages[] = {
		{ { 0, N_FILES }, 8 }, /* past the table */
		{ { 0, UINT32_MAX }, 8 },
		{ { 2, LOG }, 8 }, /* no such call */
		{ { UINT32_MAX, LOG }, 8 },
		{ { 0 }, 4 },          /* short */
		{ { 0, LOG, 0 }, 12 }, /* long */
		{ { 0, LOG, 0 }, 1 },
	};
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		struct fixture *f = *state;
		int socket = mm_monitor_peer(f->mon).socket;
		assert_int_equal(send(socket, messages[i].words, messages[i].len, MSG_NOSIGNAL),
		        (ssize_t)messages[i].len);
		assert_refused(f->mon, LOG, EPIPE);
		assert_int_equal(mm_monitor_commit(f->mon, SNAPSHOT), MM_ERR_IO);
		assert_int_equal(errno, EPIPE);
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
	}
}

/* What a terminal and a service manager send to all processes; SIGKILL it can not ignore. */
static void test_signals(void **state)
{
	static const int sent[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTERM, SIGPIPE, SIGUSR1 };
	struct fixture *f = *state;
	pid_t pid = mm_monitor_peer(f->mon).pid;
	int fd;
	for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
		assert_int_equal(kill(pid, sent[i]), 0);
		assert_int_equal(mm_monitor_open(f->mon, LOG, &fd), MM_OK);
		close(fd);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_refused(f->mon, LOG, EPIPE);
}

/* A descriptor sent to it does not arrive: the table's file is still what is opened. */
static void test_sent_descriptor(void **state)
{
	struct fixture *f = *state;
	struct mm_filter_peer peer = mm_monitor_peer(f->mon);
	uint32_t words[2] = { 0, CONF };
	struct iovec iov = { words, sizeof words };
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)),
		              .cmsg_level = SOL_SOCKET,
		              .cmsg_type = SCM_RIGHTS } };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes };
	int mine = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;
	char path[64], answer[128];
	memcpy(CMSG_DATA(&control.head), &mine, sizeof mine);
	assert_int_equal(sendmsg(peer.socket, &msg, MSG_NOSIGNAL), (ssize_t)sizeof words);
	assert_true(recv(peer.socket, answer, sizeof answer, 0) >
	            0); /* without room for what it gives */
	assert_int_equal(
	        mm_monitor_commit(f->mon, CONF), MM_ERR_IO); /* by now it has closed what it gave */
	/* No descriptor above the monitor's socket and its directories. */
	snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)peer.pid, 4 + N_FILES);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(mm_monitor_open(f->mon, CONF, &fd), MM_OK);
	close(fd);
	close(mine);
}

static void test_start_refused(void **state)
{
	struct fixture *f = *state;
	struct mm_monitor *mon = NULL;
	struct mm_monitor_file many[MM_MONITOR_FILES + 1];
	char why[256], path[128], long_name[NAME_MAX + 1];
	for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
		many[i] = (struct mm_monitor_file){ f->log, MM_MONITOR_APPEND, 0 };
	assert_int_equal(mm_monitor_start(many, 0, true, &mon, why, sizeof why), MM_ERR_USAGE);
	assert_int_equal(mm_monitor_start(many, MM_MONITOR_FILES + 1, true, &mon, why, sizeof why),
	        MM_ERR_USAGE);
	snprintf(path, sizeof path, "%s/missing/log", f->dir);
	many[1].path = path;
	assert_int_equal(mm_monitor_start(many, 2, true, &mon, why, sizeof why), MM_ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(why, "missing/log"));
	many[1] = (struct mm_monitor_file){ f->dir, MM_MONITOR_REPLACE, 0 };
	assert_int_equal(mm_monitor_start(many, 2, true, &mon, why, sizeof why), MM_ERR_IO);
	assert_int_equal(errno, EISDIR);
	/* No room for the name of its temporary file. */
	memset(long_name, 'n', NAME_MAX);
	long_name[NAME_MAX] = '\0';
	many[1] = (struct mm_monitor_file){ long_name, MM_MONITOR_REPLACE, 0 };
	assert_int_equal(mm_monitor_start(many, 2, true, &mon, why, sizeof why), MM_ERR_IO);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_null(mon);
	many[1].path = f->log;
	assert_int_equal(
	        mm_monitor_start(many, MM_MONITOR_FILES, true, &mon, why, sizeof why), MM_OK);
	mm_monitor_stop(mon);
	mm_monitor_stop(NULL);
}

/* A link that is there at the start is the operator's: what it leads to is the file. */
static void test_link_at_start(void **state)
{
	struct fixture *f = *state;
	struct mm_monitor *mon = NULL;
	char why[256];
	int fd;
	assert_int_equal(symlink(f->log, f->other), 0);
	struct mm_monitor_file file = { f->other, MM_MONITOR_APPEND, 0 };
	assert_int_equal(mm_monitor_start(&file, 1, true, &mon, why, sizeof why), MM_OK);
	assert_int_equal(mm_monitor_open(mon, 0, &fd), MM_OK);
	put(fd, "two\n");
	assert_file(f->log, "one\ntwo\n");
	mm_monitor_stop(mon);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_append, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_usage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_intruder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_signals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sent_descriptor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_link_at_start, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
