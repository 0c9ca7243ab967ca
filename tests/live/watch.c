/*
 * watch - reads an interface through src/capture/live_linux.c and counts, for live.t.
 *
 *	watch [-gpx] [-b RING] [-f FILTER] [-j STAMPS] [-n MEMBERS] [-s SNAPLEN] [-w PREFIX] INTERFACE
 *	watch -D
 *
 * Prints "ready" when the interface is open, "started" when packets are let in, then what it is
 * told of the interface as "notice LINE", and at its end, which is SIGTERM or that of the last
 * source, what each member of the group got:
 *
 *	member K handed N received N dropped N interface N late N
 *
 * late is the longest time in milliseconds from a packet's time stamp until it was handed on.
 * Exits 1 after "error LINE" when a source failed, or could not be opened.
 *
 *	-D	lists the interfaces
 *	-g	waits for SIGUSR1 before packets are let in
 *	-p	is not promiscuous
 *	-w	writes the packets of member K to PREFIX.K as a capture
 *	-x	enters a sandbox once the interface is open, which kills at every system call that
 *		live.h does not name
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "capture/live.h"

enum {
	MEMBERS_MAX = 16,
	BATCH = 64,
	WAIT_MS = 500,
	NS_PER_MS = 1000000,
	EXIT_USAGE = 2,
	/* pcap-savefile(5) */
	PCAP_MAJOR = 2,
	PCAP_MINOR = 4,
	ALLOWED_MAX = 64,
};

struct member {
	struct mm_live *live;
	FILE *out;
	bool ended, headed;
	uint64_t n_handed;
	int64_t now_ns; /* when it was read */
	int64_t late_ns;
};

static struct member members[MEMBERS_MAX];
static volatile sig_atomic_t go, stop;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		go = 1;
	else
		stop = 1;
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000 * NS_PER_MS + t.tv_nsec;
}

static void on_notice(void *arg, const char *line)
{
	(void)arg;
	printf("notice %s\n", line);
	fflush(stdout);
}

static int failed(const char *line)
{
	printf("error %s\n", line);
	fflush(stdout);
	return EXIT_FAILURE;
}

/* All fields are of the machine's byte order, as the magic tells. */
static void write_packet(struct member *m, const struct mm_packet *pkt)
{
	if (!m->headed) {
		const uint32_t header[] = { 0xa1b23c4d, PCAP_MINOR << 16 | PCAP_MAJOR, 0, 0,
			MM_CAPTURE_SNAPLEN, pkt->linktype };
		fwrite(header, sizeof header, 1, m->out);
		m->headed = true;
	}
	const int64_t ns_per_s = INT64_C(1000) * NS_PER_MS;
	const uint32_t record[] = { (uint32_t)(pkt->time_ns / ns_per_s),
		(uint32_t)(pkt->time_ns % ns_per_s), (uint32_t)pkt->data.len, pkt->wire_len };
	fwrite(record, sizeof record, 1, m->out);
	fwrite(pkt->data.p, 1, pkt->data.len, m->out);
}

static void take(void *arg, struct mm_packet *pkt)
{
	struct member *m = arg;
	if (m->now_ns - pkt->time_ns > m->late_ns)
		m->late_ns = m->now_ns - pkt->time_ns;
	if (pkt->id.number != ++m->n_handed)
		printf("error packet %" PRIu64 " has number %" PRIu64 "\n", m->n_handed,
		        pkt->id.number);
	if (m->out != NULL)
		write_packet(m, pkt);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

#ifdef SANITIZED
/* A sanitizer calls the system on its own account. */
static bool enter_sandbox(void)
{
	return true;
}
#else
/* What live.h names, and what this program itself does. */
static const int allowed[] = { SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_fcntl,
	SYS_recvfrom, SYS_pread64, SYS_poll, SYS_close, SYS_munmap, SYS_mmap, SYS_brk, SYS_write,
	SYS_clock_gettime, SYS_rt_sigreturn, SYS_restart_syscall, SYS_exit_group };
static const unsigned allowed_ioctls[] = { SIOCGIFNAME, SIOCGIFFLAGS };

static bool enter_sandbox(void)
{
	struct sock_filter code[ALLOWED_MAX];
	unsigned short n = 0;
	code[n++] = (struct sock_filter)BPF_STMT(
	        BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(
		        BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[n++] = (struct sock_filter)BPF_STMT(
	        BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]));
	for (size_t i = 0; i < sizeof allowed_ioctls / sizeof allowed_ioctls[0]; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(
		        BPF_JMP | BPF_JEQ | BPF_K, allowed_ioctls[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	struct sock_fprog program = { n, code };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
#endif

/* What is ready of one member; false when it has ended with an error. */
static bool read_one(struct member *m, bool *idle)
{
	m->now_ns = now_ns(CLOCK_REALTIME);
	int r = mm_live_read(m->live, BATCH, take, m);
	*idle &= r <= 0;
	if (r >= 0)
		return true;
	m->ended = true;
	(void)failed(mm_live_why(m->live));
	return false;
}

/* Until the signal, and then until what was in the ring by then is read. */
static int run(size_t n_members)
{
	struct pollfd fds[MEMBERS_MAX];
	size_t n_ended = 0;
	int64_t last_ns = 0;
	for (size_t i = 0; i < n_members; i++)
		fds[i] = (struct pollfd){ .fd = mm_live_fd(members[i].live), .events = POLLIN };
	while (n_ended < n_members) {
		bool idle = true;
		(void)poll(fds, n_members, stop ? 1 : WAIT_MS);
		for (size_t i = 0; i < n_members; i++) {
			if (!members[i].ended && !read_one(&members[i], &idle)) {
				fds[i].fd = -1;
				n_ended++;
			}
		}
		if (stop && last_ns == 0)
			last_ns = now_ns(CLOCK_MONOTONIC) + MM_LIVE_DELAY_MS * NS_PER_MS;
		if (stop && idle && now_ns(CLOCK_MONOTONIC) > last_ns)
			break;
	}
	return n_ended == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void print_counts(size_t n_members)
{
	for (size_t i = 0; i < n_members; i++) {
		struct mm_live_stats s;
		mm_live_stats(members[i].live, &s);
		printf("member %zu handed %" PRIu64 " received %" PRIu64 " dropped %" PRIu64
		       " interface %" PRIu64 " late %" PRId64 "\n",
		        i, members[i].n_handed, s.n_received, s.n_dropped, s.n_interface,
		        members[i].late_ns / NS_PER_MS);
		if (members[i].out != NULL && fflush(members[i].out) != 0)
			(void)failed("the capture could not be written");
	}
}

static bool open_all(struct mm_live_config *config, size_t n_members, const char *prefix)
{
	for (size_t i = 0; i < n_members; i++) {
		char why[256], path[4096];
		if (mm_live_open(config, (uint32_t)i, &members[i].live, why, sizeof why) != MM_OK)
			return failed(why) == EXIT_SUCCESS;
		config->join = members[0].live;
		config->on_notice = NULL; /* each of them would tell the same */
		snprintf(path, sizeof path, "%s.%zu", prefix, i);
		if (prefix[0] != '\0' && (members[i].out = fopen(path, "we")) == NULL)
			return failed(strerror(errno)) == EXIT_SUCCESS;
		if (members[i].out != NULL)
			setvbuf(members[i].out, NULL, _IOFBF, 1 << 20);
	}
	return true;
}

static enum mm_live_stamps stamps(const char *word)
{
	return strcmp(word, "adapter") == 0            ? MM_LIVE_ADAPTER
	       : strcmp(word, "adapter_unsynced") == 0 ? MM_LIVE_ADAPTER_UNSYNCED
	                                               : MM_LIVE_HOST;
}

static int list(void)
{
	char why[256];
	if (mm_live_list(stdout, why, sizeof why) != MM_OK)
		return failed(why);
	if (why[0] != '\0')
		fprintf(stderr, "%s\n", why);
	return EXIT_SUCCESS;
}

/* What is asked for. */
struct request {
	struct mm_live_config config;
	const char *prefix;
	bool sandbox, list, wait;
};

static bool parse(int argc, char **argv, struct request *r)
{
	struct mm_live_config *config = &r->config;
	int c;
	while ((c = getopt(argc, argv, "b:Df:gj:n:ps:w:x")) != -1) {
		switch (c) {
		case 'b':
			config->ring_b = strtoull(optarg, NULL, 10);
			break;
		case 'D':
			r->list = true;
			break;
		case 'f':
			config->filter = optarg;
			break;
		case 'g':
			r->wait = true;
			break;
		case 'j':
			config->stamps = stamps(optarg);
			break;
		case 'n':
			config->n_members = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			config->promiscuous = false;
			break;
		case 's':
			config->snaplen = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			r->prefix = optarg;
			break;
		case 'x':
			r->sandbox = true;
			break;
		default:
			return false;
		}
	}
	config->interface = argv[optind];
	return optind + (r->list ? 0 : 1) == argc && config->n_members <= MEMBERS_MAX;
}

static int watch(const struct request *r)
{
	struct mm_live_config config = r->config;
	size_t n_members = config.n_members > 1 ? config.n_members : 1;
	if (!open_all(&config, n_members, r->prefix))
		return EXIT_FAILURE;
	printf("ready\n");
	fflush(stdout);
	if (r->sandbox && !enter_sandbox())
		return failed("no sandbox");
	while (r->wait && !go)
		(void)poll(NULL, 0, WAIT_MS);
	for (size_t i = 0; i < n_members; i++) {
		if (mm_live_start(members[i].live) != MM_OK)
			return failed(mm_live_why(members[i].live));
	}
	printf("started\n");
	fflush(stdout);
	int status = run(n_members);
	print_counts(n_members);
	for (size_t i = 0; i < n_members; i++) {
		mm_live_close(members[i].live);
		if (members[i].out != NULL)
			fclose(members[i].out);
	}
	return status;
}

int main(int argc, char **argv)
{
	struct request r = {
		.prefix = "",
		.config = { .promiscuous = true, .on_notice = on_notice, .ring_b = 8 << 20 },
	};
	struct sigaction action = { .sa_handler = on_signal };
	if (!parse(argc, argv, &r)) {
		fputs("usage: watch [OPTION]... INTERFACE\n", stderr);
		return EXIT_USAGE;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	return r.list ? list() : watch(&r);
}
