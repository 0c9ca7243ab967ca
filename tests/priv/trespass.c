/* For confine.t: a program that confines itself as mintmark does and then does one thing that it must not, or one that
 * it must be able to.
 *
 *	trespass MODE ACT		MODE: free, confined, dropped (without the filter), monitor (its filter)
 *	trespass list			the acts that must kill, then those of the monitor's filter; then those that must not
 *
 * Exit status: 0 the act was done, 1 it was refused (errno is printed), 2 wrong usage, 77 no sandbox in this build. */
#include <arpa/inet.h>
#include <assert.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_packet.h>
#include <malloc.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "priv/priv.h"
#include "priv/sandbox.h"

enum {
	NO_SANDBOX = 77,
	LIVE_PACKETS = 20,
	N_THREADS = 16, /* glibc counts the processors before it makes the ninth heap */
};

/* Opened before. */
static int dir_fd, udp_fd, event_fd;
static pthread_barrier_t confined;
static struct sockaddr_in nowhere;

/* Acts that must kill: what they return does not matter, a refusal is no kill. */

static long act_open(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static long act_open_raw(void)
{
#ifdef SYS_open
	return syscall(SYS_open, "/etc/passwd", O_RDONLY);
#else
	return act_open();
#endif
}

static long act_openat(void)
{
	return openat(dir_fd, "passwd", O_RDONLY);
}

static long act_openat2(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { O_RDONLY, 0, 0 };
	return syscall(SYS_openat2, dir_fd, "passwd", &how, sizeof how);
}

static long act_creat(void)
{
	return creat("/dev/null", 0600);
}

static long act_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long act_socketpair(void)
{
	int ends[2];
	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static long act_connect(void)
{
	return connect(udp_fd, (const struct sockaddr *)&nowhere, sizeof nowhere);
}

static long act_bind(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	return bind(udp_fd, (const struct sockaddr *)&any, sizeof any);
}

static long act_sendto(void)
{
	return sendto(udp_fd, "x", 1, 0, (const struct sockaddr *)&nowhere, sizeof nowhere);
}

static long act_sendmsg(void)
{
	char byte[] = "x";
	struct iovec iov = { byte, 1 };
	struct msghdr msg = { .msg_name = &nowhere,
		.msg_namelen = sizeof nowhere,
		.msg_iov = &iov,
		.msg_iovlen = 1 };
	return sendmsg(udp_fd, &msg, 0);
}

static long act_execve(void)
{
	char name[] = "true";
	char *argv[] = { name, NULL };
	return execve("/bin/true", argv, NULL);
}

static long act_execveat(void)
{
	char name[] = "true";
	char *argv[] = { name, NULL };
	return syscall(SYS_execveat, dir_fd, "/bin/true", argv, NULL, 0);
}

static long act_fork(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	return pid;
}

static long act_clone3(void)
{
	uint64_t args[8] = { 0 }; /* struct clone_args of CLONE_ARGS_SIZE_VER0 */
	args[4] = SIGCHLD;        /* exit_signal */
	long pid = syscall(SYS_clone3, args, sizeof args);
	if (pid == 0)
		_exit(0);
	return pid;
}

static void *no_work(void *arg)
{
	return arg;
}

static long act_thread(void)
{
	pthread_t t;
	return pthread_create(&t, NULL, no_work, NULL) == 0 ? pthread_join(t, NULL) : -1;
}

static long act_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long act_peek(void)
{
	char there = 'x', here;
	struct iovec to = { &here, 1 }, from = { &there, 1 };
	return process_vm_readv(getppid(), &to, 1, &from, 1, 0);
}

static long act_mmap_exec(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED;
}

static long act_mprotect_exec(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static long act_kill(void)
{
	return kill(getppid(), 0);
}

static long act_tgkill(void)
{
	return syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static long act_setuid(void)
{
	return setresuid(0, 0, 0);
}

static long act_unlink(void)
{
	return unlink("/nonexistent/file");
}

static long act_rename(void)
{
	return rename("/nonexistent/file", "/nonexistent/other");
}

static long act_chmod(void)
{
	return chmod("/nonexistent/file", 0777);
}

static long act_stat(void)
{
	struct stat st;
	return stat("/etc/passwd", &st);
}

static long act_prctl(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long act_tiocsti(void)
{
	return ioctl(STDIN_FILENO, TIOCSTI, "x");
}

static long act_memfd(void)
{
	return memfd_create("x", 0);
}

static long act_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}

static long act_io_uring(void)
{
	return syscall(SYS_io_uring_setup, 0, NULL);
}

static long act_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long act_unknown(void)
{
	return syscall(100000);
}

static long act_setsockopt(void)
{
	return setsockopt(udp_fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
}

/* Done by a thread that ran before the filter came. */
static long act_thread_opens(void)
{
	pthread_barrier_wait(&confined);
	sleep(1);
	return -1;
}

/* The main process may do these, the monitor must not. */

static long act_read(void)
{
	char byte;
	return read(event_fd, &byte, 1);
}

static long act_mmap(void)
{
	return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

/* What must work. */

static void *churn(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < 2000; i++) {
		void *small = malloc(i + 1), *big = malloc(i << 10);
		void *bigger = realloc(big, (i << 10) + (1 << 20));
		free(small);
		free(bigger != NULL ? bigger : big);
	}
	/* The heap grows and shrinks, by more than glibc's M_TRIM_THRESHOLD became by what was freed above. */
	enum { PIECES = 256, PIECE_B = 65536 };
	void *volatile pieces[PIECES];
	for (size_t i = 0; i < PIECES; i++)
		pieces[i] = malloc(PIECE_B);
	for (size_t i = PIECES; i > 0; i--)
		free(pieces[i - 1]);
	malloc_trim(0);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(int));
}

static long act_work(void)
{
	enum { N = 100000 }; /* glibc's qsort() asks how much memory there is */
	int *numbers = calloc(N, sizeof *numbers);
	time_t now = time(NULL);
	struct tm tm;
	char text[64];
	if (numbers == NULL)
		return -1;
	for (int i = 0; i < N; i++)
		numbers[i] = i * 7919;
	qsort(numbers, N, sizeof *numbers, compare);
	free(numbers);
	(void)churn(NULL);
	(void)mm_fp_of(mm_slice("abc", 3));
	gmtime_r(&now, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M %Z", &tm);
	localtime_r(&now, &tm);
	struct timespec ms = { .tv_nsec = 1000000 };
	nanosleep(&ms, NULL);
	struct pollfd wait = { .fd = event_fd, .events = POLLIN };
	poll(&wait, 1, 1);
	uint64_t one = 1;
	printf("%s %.17g %s\n", text, 1.0 / 3, strerror(ENOSPC));
	return write(event_fd, &one, sizeof one) == (ssize_t)sizeof one ? fflush(stdout) : -1;
}

/* The threads are started before the filter, and do their first work after it. */
static void *wait_and_churn(void *arg)
{
	pthread_barrier_wait(&confined);
	return churn(arg);
}

static void *wait_and_open(void *arg)
{
	pthread_barrier_wait(&confined);
	act_openat();
	return arg;
}

static long act_threads(void)
{
	pthread_barrier_wait(&confined);
	return 0;
}

static long act_abort(void)
{
	abort();
}

static long act_assert(void)
{
	assert(event_fd < 0);
	return 0;
}

static long act_double_free(void)
{
	char *volatile p = malloc(100);
	free(p);
	free(p);
	return 0;
}

static volatile sig_atomic_t got_signal;

static void on_signal(int sig)
{
	got_signal = sig;
}

static long act_signal(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigemptyset(&sa.sa_mask);
	sigaction(SIGHUP, &sa, NULL);
	raise(SIGHUP);
	return got_signal == SIGHUP ? 0 : -1;
}

/* Live: packets of a loopback of its own, read by an unprivileged user with CAP_NET_RAW alone. */

static pcap_t *live;

static void count(u_char *arg, const struct pcap_pkthdr *h, const u_char *data)
{
	unsigned n;
	(void)h;
	(void)data;
	memcpy(&n, arg, sizeof n);
	n++;
	memcpy(arg, &n, sizeof n);
}

static long act_live(void)
{
	unsigned n = 0;
	union {
		struct tpacket_stats v1;
		struct tpacket_stats_v3 v3;
	} stats;
	socklen_t len = sizeof stats;
	while (n < LIVE_PACKETS) {
		u_char counter[sizeof n];
		memcpy(counter, &n, sizeof n);
		if (pcap_dispatch(live, -1, count, counter) < 0)
			return -1;
		memcpy(&n, counter, sizeof n);
	}
	if (getsockopt(pcap_fileno(live), SOL_PACKET, PACKET_STATISTICS, &stats, &len) != 0)
		return -1;
	pcap_breakloop(live);
	pcap_close(live);
	return 0;
}

/* A loopback, and a child that sends over it until this process ends. */
static int open_live(void)
{
	char why[PCAP_ERRBUF_SIZE];
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	if (unshare(CLONE_NEWNET) != 0)
		return -1;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) }
	};
	if (ioctl(fd, SIOCSIFFLAGS, &ifr) != 0)
		return -1;
	pid_t parent = getpid();
	if (fork() == 0) {
		while (getppid() == parent) {
			sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof to);
			usleep(10000);
		}
		_exit(0);
	}
	close(fd);
	/* Now nobody, with one capability. */
	capng_clear(CAPNG_SELECT_ALL);
	capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_RAW);
	if (capng_change_id(65534, 65534, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) != 0)
		return -1;
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	live = pcap_create("lo", why);
	if (live == NULL || pcap_set_timeout(live, 100) != 0 || pcap_set_snaplen(live, 65535) != 0)
		return -1;
	if (pcap_activate(live) == 0)
		return 0;
	fprintf(stderr, "%s\n", pcap_geterr(live));
	return -1;
}

struct act {
	const char *name;
	long (*run)(void);
	const char *kind; /* kills, monitor (kills there), works */
};

static const struct act acts[] = {
	{ "open", act_open, "kills" },
	{ "open_raw", act_open_raw, "kills" },
	{ "openat", act_openat, "kills" },
	{ "openat2", act_openat2, "kills" },
	{ "creat", act_creat, "kills" },
	{ "socket", act_socket, "kills monitor" },
	{ "socketpair", act_socketpair, "kills monitor" },
	{ "connect", act_connect, "kills monitor" },
	{ "bind", act_bind, "kills" },
	{ "sendto", act_sendto, "kills monitor" },
	{ "sendmsg", act_sendmsg, "kills" },
	{ "execve", act_execve, "kills monitor" },
	{ "execveat", act_execveat, "kills monitor" },
	{ "fork", act_fork, "kills monitor" },
	{ "clone3", act_clone3, "kills monitor" },
	{ "thread", act_thread, "kills" },
	{ "ptrace", act_ptrace, "kills monitor" },
	{ "process_vm_readv", act_peek, "kills monitor" },
	{ "mmap_exec", act_mmap_exec, "kills monitor" },
	{ "mprotect_exec", act_mprotect_exec, "kills" },
	{ "kill", act_kill, "kills monitor" },
	{ "tgkill", act_tgkill, "kills monitor" },
	{ "setresuid", act_setuid, "kills monitor" },
	{ "unlink", act_unlink, "kills" },
	{ "rename", act_rename, "kills" },
	{ "chmod", act_chmod, "kills monitor" },
	{ "stat", act_stat, "kills" },
	{ "prctl", act_prctl, "kills monitor" },
	{ "ioctl_tiocsti", act_tiocsti, "kills monitor" },
	{ "memfd_create", act_memfd, "kills monitor" },
	{ "unshare", act_unshare, "kills monitor" },
	{ "io_uring_setup", act_io_uring, "kills monitor" },
	{ "bpf", act_bpf, "kills monitor" },
	{ "unknown", act_unknown, "kills monitor" },
	{ "setsockopt", act_setsockopt, "kills monitor" },
	{ "thread_opens", act_thread_opens, "kills" },
	{ "read", act_read, "monitor" },
	{ "mmap", act_mmap, "monitor" },
	{ "work", act_work, "works" },
	{ "threads", act_threads, "works" },
	{ "signal", act_signal, "works" },
	{ "abort", act_abort, "aborts" },
	{ "assert", act_assert, "aborts" },
	{ "double_free", act_double_free, "aborts" },
	{ "live", act_live, "live" },
};

static int list(void)
{
	for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
		printf("%s %s\n", acts[i].name, acts[i].kind);
	return fflush(stdout) != 0;
}

static bool open_all(const struct act *act)
{
	uint64_t one = 1;
	nowhere = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) }
	};
	dir_fd = open("/etc", O_RDONLY | O_DIRECTORY);
	udp_fd = socket(AF_INET, SOCK_DGRAM, 0);
	event_fd = eventfd(0, EFD_NONBLOCK);
	(void)mm_fp_of(mm_slice(NULL, 0));
	return dir_fd >= 0 && udp_fd >= 0 && write(event_fd, &one, sizeof one) > 0 &&
	       (strcmp(act->name, "live") != 0 || open_live() == 0);
}

/* In the order that priv.h asks for. */
static int confine(const char *mode, const struct act *act, pthread_t threads[N_THREADS])
{
	bool has_threads = strncmp(act->name, "thread", 6) == 0 && strcmp(act->name, "thread") != 0;
	struct mm_confine_config how = { .sandbox = true };
	struct mm_confine_status status = { .seccomp = false };
	char why[256] = "", words[MM_CONFINE_WORDS];
	int r = MM_OK;
	if (strcmp(mode, "monitor") == 0)
		return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? mm_filter_monitor()
		                                                   : MM_ERR_IO;
	if (strcmp(mode, "free") != 0)
		r = mm_confine_drop(&how, &status, why, sizeof why);
	pthread_barrier_init(&confined, NULL, N_THREADS + 1);
	for (size_t i = 0; has_threads && i < N_THREADS; i++)
		pthread_create(&threads[i], NULL,
		        act->run == act_thread_opens ? wait_and_open : wait_and_churn, NULL);
	if (r == MM_OK && strcmp(mode, "confined") == 0)
		r = mm_confine_filter(&how, &status, why, sizeof why);
	fprintf(stderr, "%s%s\n", why, r == MM_OK ? mm_confine_words(&status, words) : "");
	return r;
}

int main(int argc, char **argv)
{
	size_t i = 0, n = sizeof acts / sizeof acts[0];
	pthread_t threads[N_THREADS] = { 0 };
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	while (argc == 3 && i < n && strcmp(acts[i].name, argv[2]) != 0)
		i++;
	if (argc != 3 || i == n)
		return 2;
	if (!mm_sandbox_possible)
		return NO_SANDBOX;
	if (!open_all(&acts[i])) {
		fprintf(stderr, "%s: %s\n", acts[i].name, strerror(errno));
		return NO_SANDBOX;
	}
	int r = confine(argv[1], &acts[i], threads);
	if (r != MM_OK)
		return 2;
	errno = 0;
	long done = acts[i].run();
	int error = errno;
	for (i = 0; i < N_THREADS; i++)
		if (threads[i] != 0)
			pthread_join(threads[i], NULL);
	if (done >= 0)
		return 0;
	printf("%s\n", strerror(error));
	return 1;
}
