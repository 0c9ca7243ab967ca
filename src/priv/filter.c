/* The system calls that are left, for the main process and for its monitor; any other kills. Made by libseccomp,
 * which knows the numbers of each architecture and leaves out those that one does not have. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "priv/sandbox.h"

/* clang-format off */

/* What computing, and reading and writing what is open, needs. */
static const int main_calls[] = {
	/* descriptors that are open: captures, outputs, the eventfd by which libpcap is woken */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv),
	SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev),
	SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg),
	SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64),
	SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(fadvise64), SCMP_SYS(fadvise64_64),
	SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(close),
	/* drops of a packet socket, why it fell silent, and whether its interface is there */
	SCMP_SYS(getsockopt), SCMP_SYS(getsockname),
	/* waiting */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64), SCMP_SYS(select), SCMP_SYS(pselect6),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(timerfd_settime),
	SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_nanosleep_time64), SCMP_SYS(sched_yield),
	SCMP_SYS(restart_syscall),
	/* time, where it does not come from the vdso */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64), SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	/* memory; mmap and mprotect are below */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* threads that run already: locks, their first steps and their end */
	SCMP_SYS(futex), SCMP_SYS(futex_time64), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(gettid), SCMP_SYS(getpid), SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* signals of its own */
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigpending),
	/* who it is */
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
	/* malloc's and OpenSSL's randomness; the memory size that qsort() asks for; the program's own statistics */
	SCMP_SYS(getrandom), SCMP_SYS(sysinfo), SCMP_SYS(getrusage),
};

/* What serving the table needs. Which files is for the table, the user and Landlock to say: a filter sees no paths. */
static const int monitor_calls[] = {
	SCMP_SYS(recvfrom), SCMP_SYS(recv), SCMP_SYS(sendmsg), SCMP_SYS(openat), SCMP_SYS(fstat), SCMP_SYS(fstat64),
	SCMP_SYS(close), SCMP_SYS(fsync), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlinkat),
	SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit_group),
};

/* clang-format on */

static int allow_list(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, calls[i], 0, NULL);
	return r;
}

/* That these bits of an argument have this value. */
static struct scmp_arg_cmp bits_are(unsigned arg, uint64_t bits, uint64_t value)
{
	return (struct scmp_arg_cmp){
		.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = bits, .datum_b = value
	};
}

/* That an argument is this int: the kernel takes the low half of the register. */
static struct scmp_arg_cmp int_is(unsigned arg, int value)
{
	return bits_are(arg, UINT32_MAX, (uint32_t)value);
}

static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &condition);
}

/* fstat(3) of glibc 2.33 to 2.38 is newfstatat(fd, "", st, AT_EMPTY_PATH). The filter can not see whether the path
 * is empty; with another one the call tells whether a file exists, and opens none. */
static int allow_fstat(scmp_filter_ctx ctx)
{
	return allow_if(ctx, SCMP_SYS(newfstatat), int_is(3, AT_EMPTY_PATH));
}

/* Memory of every kind but that which can be executed. */
static int allow_memory(scmp_filter_ctx ctx)
{
	enum { ARG_PROT = 2 };
	const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect) };
	int r = 0;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0] && r == 0; i++)
		r = allow_if(ctx, calls[i], bits_are(ARG_PROT, PROT_EXEC, 0));
	return r;
}

/* Calls of which a few uses are harmless. */
static int allow_some(scmp_filter_ctx ctx)
{
	/* fdopen() asks for a descriptor's flags, stdio whether it is a terminal. capture/live.h: a filter is set and
	 * the socket's queue emptied at the start, the ring given back at the end; an interface is asked for its name
	 * and whether it is up. */
	static const int fcntls[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL };
	static const int ioctls[] = { TCGETS, TIOCGWINSZ, SIOCGIFNAME, SIOCGIFFLAGS };
	static const struct {
		int level, name;
	} options[] = { { SOL_PACKET, PACKET_RX_RING }, { SOL_SOCKET, SO_ATTACH_FILTER },
		{ SOL_SOCKET, SO_DETACH_FILTER } };
	int r = 0;
	for (size_t i = 0; i < sizeof fcntls / sizeof fcntls[0] && r == 0; i++)
		if ((r = allow_if(ctx, SCMP_SYS(fcntl), int_is(1, fcntls[i]))) == 0)
			r = allow_if(ctx, SCMP_SYS(fcntl64), int_is(1, fcntls[i]));
	for (size_t i = 0; i < sizeof ioctls / sizeof ioctls[0] && r == 0; i++)
		r = allow_if(ctx, SCMP_SYS(ioctl), int_is(1, ioctls[i]));
	for (size_t i = 0; i < sizeof options / sizeof options[0] && r == 0; i++) {
		const struct scmp_arg_cmp is[] = { int_is(1, options[i].level),
			int_is(2, options[i].name) };
		r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2, is);
	}
	/* Signals to itself: raise, abort. */
	if (r == 0)
		r = allow_if(ctx, SCMP_SYS(tgkill), int_is(0, getpid()));
	return r;
}

static int allow_peer(scmp_filter_ctx ctx, struct mm_filter_peer peer)
{
	if (peer.socket < 0)
		return 0;
	int r = allow_if(ctx, SCMP_SYS(sendmsg), int_is(0, peer.socket));
	return r == 0 ? allow_if(ctx, SCMP_SYS(wait4), int_is(0, peer.pid)) : r;
}

/* libseccomp returns negative errno. */
static int map(int r)
{
	if (r == 0)
		return MM_OK;
	errno = -r;
	if (r == -ENOMEM)
		return MM_ERR_NOMEM;
	return r == -EOPNOTSUPP || r == -ENOSYS || r == -EINVAL ? MM_ERR_UNSUPPORTED : MM_ERR_IO;
}

static scmp_filter_ctx new_filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (ctx == NULL)
		return NULL;
	/* The calls of another architecture, and of x32, would have other numbers. */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
	        seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) == 0)
		return ctx;
	seccomp_release(ctx);
	return NULL;
}

int mm_filter_main(struct mm_filter_peer peer)
{
	scmp_filter_ctx ctx = new_filter();
	if (ctx == NULL)
		return MM_ERR_UNSUPPORTED;
	int r;
	if ((r = allow_list(ctx, main_calls, sizeof main_calls / sizeof main_calls[0])) == 0 &&
	        (r = allow_fstat(ctx)) == 0 && (r = allow_memory(ctx)) == 0 &&
	        (r = allow_some(ctx)) == 0 && (r = allow_peer(ctx, peer)) == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return map(r);
}

int mm_filter_monitor(void)
{
	scmp_filter_ctx ctx = new_filter();
	if (ctx == NULL)
		return MM_ERR_UNSUPPORTED;
	int r;
	if ((r = allow_list(ctx, monitor_calls, sizeof monitor_calls / sizeof monitor_calls[0])) ==
	                0 &&
	        (r = allow_fstat(ctx)) == 0)
		r = seccomp_load(ctx);
	/* What releasing it would free can stay: unlike the main process, the monitor may not call munmap. */
	if (r != 0)
		seccomp_release(ctx);
	return map(r);
}
