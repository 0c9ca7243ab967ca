/* Live capture on Linux: libpcap opens the socket, makes the ring and walks it; what it does not do
 * is done on its socket: the group, the counts, and to outlive an interface that goes down. */
#include "capture/live.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	/* As the protocol to bind to: libpcap takes 0 for all of them, and cuts what it is given
	 * to the 16 bits of the kernel's field. There 0 is none, so that activating lets no packet
	 * in before the group is joined, and an interface that is down is no error yet. */
	PROTOCOL_NONE = 0x10000,
	FANOUT_SHIFT = 16,     /* packet(7), PACKET_FANOUT: type and flags above the group's id */
	FANOUT_ID = 0xffff,    /* the same */
	COUNT_EVERY = 1 << 30, /* packets, so that the kernel's counts do not go round */
	COUNTERS = 2,
	COUNTER_TEXT = 32,   /* room for a number of 64 bits */
	INTERFACE_TEXT = 64, /* room for a name, and for one that is too long to be one */
};

static const char any[] = "any";
static const char no_permission[] =
        "no permission to capture: run as root or give the program cap_net_raw";
static const int64_t ns_per_s = 1000000000;

/* Packets lost by the interface, as libpcap counts them: no room in the adapter. */
static const char *const counter_names[COUNTERS] = { "rx_missed_errors", "rx_fifo_errors" };

struct mm_live {
	char interface[INTERFACE_TEXT];
	uint32_t file;
	pcap_t *pcap;
	struct bpf_program filter;
	bool has_filter;
	int ifindex; /* 0: all interfaces */
	uint32_t linktype;
	mm_live_notice_fn *on_notice;
	void *notice_arg;

	bool down;
	bool ended;
	bool exact; /* what the kernel counts as received is handed on to the last packet */
	char why[256];

	uint64_t n_handed;         /* packets handed on */
	uint64_t n_handed_counted; /* the same at the last look at the kernel's counts */
	uint64_t n_received, n_dropped;
	int counter_fds[COUNTERS]; /* -1: none */
	uint64_t counters_base, n_interface;
};

/* What a dispatch is given. */
struct reading {
	struct mm_live *l;
	void (*fn)(void *arg, struct mm_packet *pkt);
	void *arg;
};

static void notice(const struct mm_live *l, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));

static void notice(const struct mm_live *l, const char *fmt, ...)
{
	char line[512];
	int n = snprintf(line, sizeof line, "%s: ", l->interface);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	va_end(ap);
	if (l->on_notice != NULL)
		l->on_notice(l->notice_arg, line);
}

static int fail(struct mm_live *l, int r, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/** Set why, with the interface; keeps errno; returns r. */
static int fail(struct mm_live *l, int r, const char *fmt, ...)
{
	int err = errno;
	int n = snprintf(l->why, sizeof l->why, "%s: ", l->interface);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(l->why + n, sizeof l->why - (size_t)n, fmt, ap);
	va_end(ap);
	errno = err;
	return r;
}

/* An option of the system refused. */
static int refused(struct mm_live *l, const char *what)
{
	return fail(l, MM_ERR_IO, "%s: %s", what, strerror(errno));
}

/** Why libpcap did not open it; text is its own word. */
static int not_opened(struct mm_live *l, int status, const char *text)
{
	switch (status) {
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		errno = EPERM;
		return fail(l, MM_ERR_IO, "%s", no_permission);
	case PCAP_ERROR_NO_SUCH_DEVICE:
		errno = ENODEV;
		return fail(l, MM_ERR_IO, "no such interface");
	default:
		if (text[0] == '\0')
			text = pcap_statustostr(status);
		return fail(l, MM_ERR_IO, "%.*s", (int)strcspn(text, "\n"), text);
	}
}

static int pcap_stamps(enum mm_live_stamps stamps)
{
	switch (stamps) {
	case MM_LIVE_HOST:
		return PCAP_TSTAMP_HOST;
	case MM_LIVE_ADAPTER:
		return PCAP_TSTAMP_ADAPTER;
	case MM_LIVE_ADAPTER_UNSYNCED:
		return PCAP_TSTAMP_ADAPTER_UNSYNCED;
	}
	return PCAP_TSTAMP_HOST;
}

/** Make the socket and its ring. An error is one of libpcap's; errbuf is its text. */
static int activate(struct mm_live *l, const struct mm_live_config *config,
        enum mm_live_stamps stamps, char errbuf[PCAP_ERRBUF_SIZE])
{
	errbuf[0] = '\0';
	pcap_t *p = pcap_create(l->interface, errbuf);
	if (p == NULL)
		return PCAP_ERROR;
	int r = 0;
	if (stamps != MM_LIVE_HOST && (r = pcap_set_tstamp_type(p, pcap_stamps(stamps))) != 0) {
		/* A warning goes on with the host's: the caller falls back, and says so. */
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s", pcap_statustostr(r));
		pcap_close(p);
		return PCAP_ERROR;
	}
	/* None of these fails before the handle is activated. */
	(void)pcap_set_snaplen(p, (int)config->snaplen);
	(void)pcap_set_promisc(p, config->promiscuous && strcmp(l->interface, any) != 0);
	(void)pcap_set_timeout(p, MM_LIVE_TICK_MS);
	(void)pcap_set_buffer_size(p, (int)config->ring_b);
	(void)pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO);
	(void)pcap_set_protocol_linux(p, PROTOCOL_NONE);
	r = pcap_activate(p);
	snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(p));
	if (r < 0 || (r == PCAP_WARNING_TSTAMP_TYPE_NOTSUP && stamps != MM_LIVE_HOST)) {
		if (r > 0)
			snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s", pcap_statustostr(r));
		pcap_close(p);
		return r < 0 ? r : PCAP_ERROR;
	}
	if (r > 0 && errbuf[0] != '\0')
		notice(l, "%s", errbuf);
	l->pcap = p;
	return 0;
}

/** The same, and with the kernel's time stamps when the adapter's can not be had. */
static int activate_somehow(struct mm_live *l, const struct mm_live_config *config)
{
	char errbuf[PCAP_ERRBUF_SIZE], first[PCAP_ERRBUF_SIZE] = "";
	int r = activate(l, config, config->stamps, errbuf);
	if (r != 0 && config->stamps != MM_LIVE_HOST) {
		memcpy(first, errbuf, sizeof first);
		r = activate(l, config, MM_LIVE_HOST, errbuf);
	}
	if (r != 0)
		return not_opened(l, r, errbuf);
	if (first[0] != '\0')
		notice(l, "no time stamps of the adapter, the kernel's are used: %s", first);
	if (pcap_setnonblock(l->pcap, 1, errbuf) != 0)
		return fail(l, MM_ERR_IO, "%s", errbuf);
	int dlt = pcap_datalink(l->pcap);
	l->linktype = dlt == DLT_RAW ? MM_LINK_RAW : (uint32_t)dlt;
	return MM_OK;
}

static int compile_filter(struct mm_live *l, const char *filter)
{
	/* No filter is one that takes all: without one the kernel keeps more than snaplen. */
	if (filter == NULL)
		filter = "";
	if (pcap_compile(l->pcap, &l->filter, filter, 1, PCAP_NETMASK_UNKNOWN) != 0)
		return fail(l, MM_ERR_USAGE, "filter: %s", pcap_geterr(l->pcap));
	l->has_filter = true;
	return MM_OK;
}

/** Has the interface gone down since the last look? MM_ERR_IO for any other error of the socket. */
static int look_for_down(struct mm_live *l)
{
	int err = 0;
	socklen_t len = sizeof err;
	if (getsockopt(mm_live_fd(l), SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		err = errno;
	if (err == 0)
		return MM_OK;
	if (err != ENETDOWN) {
		errno = err;
		return refused(l, "capture");
	}
	if (!l->down)
		notice(l, "is down, waiting for it to come up");
	l->down = true;
	return MM_OK;
}

/** Let the kernel offer packets, all of which are dropped for now. */
static int bind_closed(struct mm_live *l)
{
	struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { 1, &drop_all };
	if (setsockopt(mm_live_fd(l), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
		return refused(l, "filter");
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = l->ifindex
	};
	if (bind(mm_live_fd(l), (const struct sockaddr *)&to, sizeof to) != 0)
		return refused(l, "bind");
	return look_for_down(l);
}

static int join_group(struct mm_live *l, const struct mm_live_config *config)
{
	int type = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG;
	int group = 0;
	if (config->join == NULL) {
		type |= PACKET_FANOUT_FLAG_UNIQUEID;
	} else {
		socklen_t len = sizeof group;
		if (getsockopt(mm_live_fd(config->join), SOL_PACKET, PACKET_FANOUT, &group, &len) !=
		        0)
			return refused(l, "fanout group");
		group &= FANOUT_ID;
	}
	int arg = (int)((unsigned)group | (unsigned)type << FANOUT_SHIFT);
	if (setsockopt(mm_live_fd(l), SOL_PACKET, PACKET_FANOUT, &arg, sizeof arg) == 0)
		return MM_OK;
	/* Older kernels take only a socket that receives already. */
	if (errno == EINVAL && l->down)
		return fail(l, MM_ERR_IO,
		        "is down: this kernel shares out an interface only while it is up");
	return refused(l, "fanout group");
}

/** The counters of the interface, kept open for a sandbox. They are there when sysfs shows the same
 * network namespace as ours. */
static void open_counters(struct mm_live *l)
{
	char path[128], text[COUNTER_TEXT] = "";
	snprintf(path, sizeof path, "/sys/class/net/%s/ifindex", l->interface);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	bool same = read(fd, text, sizeof text - 1) > 0 && atoi(text) == l->ifindex;
	close(fd);
	for (size_t i = 0; i < COUNTERS && same; i++) {
		snprintf(path, sizeof path, "/sys/class/net/%s/statistics/%s", l->interface,
		        counter_names[i]);
		l->counter_fds[i] = open(path, O_RDONLY | O_CLOEXEC);
	}
}

/** What the counters say; false when the interface is gone, or has none. */
static bool read_counters(const struct mm_live *l, uint64_t *out)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < COUNTERS; i++) {
		char text[COUNTER_TEXT] = "";
		if (l->counter_fds[i] < 0 ||
		        pread(l->counter_fds[i], text, sizeof text - 1, 0) <= 0)
			return false;
		sum += strtoull(text, NULL, 10);
	}
	*out = sum;
	return true;
}

/** Add up the kernel's counts, which each look sets to zero. */
static void count(struct mm_live *l)
{
	struct tpacket_stats_v3 stats = { 0 };
	socklen_t len = sizeof stats;
	if (getsockopt(mm_live_fd(l), SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0) {
		l->n_received += stats.tp_packets - stats.tp_drops; /* the one holds the other */
		l->n_dropped += stats.tp_drops;
	}
	l->n_handed_counted = l->n_handed;
}

static int check_config(struct mm_live *l, const struct mm_live_config *config)
{
	if (config->snaplen > MM_CAPTURE_SNAPLEN)
		return fail(l, MM_ERR_USAGE, "a packet has at most %d bytes", MM_CAPTURE_SNAPLEN);
	if (config->ring_b > MM_LIVE_RING_MAX)
		return fail(l, MM_ERR_USAGE, "a ring has at most %d bytes", MM_LIVE_RING_MAX);
	if (config->n_members > MM_LIVE_MEMBERS_MAX)
		return fail(l, MM_ERR_USAGE, "at most %d share an interface", MM_LIVE_MEMBERS_MAX);
	if (strcmp(l->interface, any) == 0)
		return MM_OK;
	/* libpcap takes other names, too: of buses, of the firewall's log, of remote machines. */
	l->ifindex = (int)if_nametoindex(config->interface);
	if (l->ifindex != 0)
		return MM_OK;
	errno = ENODEV;
	return fail(l, MM_ERR_IO, "no such interface");
}

static int open_steps(struct mm_live *l, const struct mm_live_config *config)
{
	int r;
	if ((r = check_config(l, config)) != MM_OK || (r = activate_somehow(l, config)) != MM_OK ||
	        (r = compile_filter(l, config->filter)) != MM_OK)
		return r;
	/* The loopback interface shows each packet on its way out and on its way in. libpcap skips
	 * the one, after it took its room in the ring. Kernels before 4.20 can not. */
	const int yes = 1;
	if (strcmp(l->interface, "lo") == 0)
		(void)setsockopt(
		        mm_live_fd(l), SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes);
	if ((r = bind_closed(l)) != MM_OK)
		return r;
	if (config->n_members > 1 && (r = join_group(l, config)) != MM_OK)
		return r;
	if (l->ifindex != 0)
		open_counters(l);
	(void)read_counters(l, &l->counters_base);
	return MM_OK;
}

int mm_live_open(const struct mm_live_config *config, uint32_t file, struct mm_live **out,
        char *why, size_t why_len)
{
	struct mm_live *l = calloc(1, sizeof *l);
	if (l == NULL) {
		snprintf(why, why_len, "%s: out of memory", config->interface);
		return MM_ERR_NOMEM;
	}
	l->file = file;
	l->on_notice = config->on_notice;
	l->notice_arg = config->notice_arg;
	for (size_t i = 0; i < COUNTERS; i++)
		l->counter_fds[i] = -1;
	snprintf(l->interface, sizeof l->interface, "%s", config->interface);
	int r = open_steps(l, config);
	if (r == MM_OK) {
		*out = l;
		return MM_OK;
	}
	int err = errno;
	snprintf(why, why_len, "%s", l->why);
	mm_live_close(l);
	errno = err;
	return r;
}

int mm_live_start(struct mm_live *l)
{
	/* libpcap empties the socket's queue on the way, which fails when the interface has just
	 * gone down, and can not fail so twice. */
	int r = look_for_down(l);
	if (r == MM_OK && pcap_setfilter(l->pcap, &l->filter) != 0 &&
	        ((r = look_for_down(l)) != MM_OK || pcap_setfilter(l->pcap, &l->filter) != 0))
		r = fail(l, MM_ERR_IO, "filter: %s", pcap_geterr(l->pcap));
	if (r != MM_OK)
		return r;
	/* A filter that is too long for the kernel is run by libpcap. */
	socklen_t n_instructions = 0;
	l->exact =
	        getsockopt(mm_live_fd(l), SOL_SOCKET, SO_GET_FILTER, NULL, &n_instructions) == 0 &&
	        n_instructions > 0;
	if (!l->exact)
		notice(l, "the kernel did not take the filter: packets are filtered after it");
	return MM_OK;
}

int mm_live_fd(const struct mm_live *l)
{
	return pcap_get_selectable_fd(l->pcap);
}

const char *mm_live_why(const struct mm_live *l)
{
	return l->why;
}

static void hand_on(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
	struct reading *to = (struct reading *)(void *)user;
	struct mm_live *l = to->l;
	struct mm_packet pkt = {
		/* The precision asked for makes them nanoseconds, whatever their name. */
		.time_ns = h->ts.tv_sec * ns_per_s + h->ts.tv_usec,
		.id = { .file = l->file, .number = ++l->n_handed },
		.linktype = l->linktype,
		.wire_len = h->len < h->caplen ? h->caplen : h->len,
		.data = mm_slice(bytes, h->caplen),
	};
	to->fn(to->arg, &pkt);
}

/** Is the interface no more? The kernel unbinds the socket then. */
static bool is_gone(const struct mm_live *l)
{
	struct sockaddr_ll at = { 0 };
	socklen_t len = sizeof at;
	return l->ifindex != 0 && getsockname(mm_live_fd(l), (struct sockaddr *)&at, &len) == 0 &&
	       at.sll_ifindex < 0;
}

/** Found by its number, as it may have been renamed while it was down. */
static bool is_up(const struct mm_live *l)
{
	struct ifreq req = { .ifr_ifindex = l->ifindex };
	return ioctl(mm_live_fd(l), SIOCGIFNAME, &req) == 0 &&
	       ioctl(mm_live_fd(l), SIOCGIFFLAGS, &req) == 0 && (req.ifr_flags & IFF_UP) != 0;
}

/** After n packets were handed on of an interface that is down: it may be up again; it may be gone,
 * which ends the source once nothing is left in the ring. */
static int still_down(struct mm_live *l, int n)
{
	if (is_gone(l)) {
		if (n > 0)
			return n;
		count(l);
		if (l->exact && l->n_handed < l->n_received)
			return 0; /* the last block is closed by the kernel's tick */
		l->ended = true;
		errno = ENODEV;
		return fail(l, MM_ERR_IO, "the interface was removed");
	}
	if (is_up(l)) {
		l->down = false;
		notice(l, "is up again");
	}
	return n;
}

int mm_live_read(
        struct mm_live *l, size_t max, void (*fn)(void *arg, struct mm_packet *pkt), void *arg)
{
	struct reading to = { .l = l, .fn = fn, .arg = arg };
	assert(max > 0); /* for libpcap, 0 is no limit */
	if (l->ended)
		return MM_ERR_IO;
	/* Before libpcap looks, so that it does not keep a state of its own: it knows the interface
	 * by a name that may change. */
	int r = look_for_down(l);
	if (r != MM_OK) {
		l->ended = true;
		return r;
	}
	int n = pcap_dispatch(
	        l->pcap, max < INT_MAX ? (int)max : INT_MAX, hand_on, (u_char *)(void *)&to);
	if (l->n_handed - l->n_handed_counted >= COUNT_EVERY)
		count(l);
	if (n < 0 && !is_gone(l)) {
		l->ended = true;
		errno = EIO;
		return fail(l, MM_ERR_IO, "%s", pcap_geterr(l->pcap));
	}
	l->down |= n < 0;
	return l->down ? still_down(l, n < 0 ? 0 : n) : n;
}

void mm_live_stats(struct mm_live *l, struct mm_live_stats *out)
{
	count(l);
	uint64_t now;
	/* A counter that steps back was reset by the driver: what was lost until then is known. */
	if (read_counters(l, &now) && now >= l->counters_base + l->n_interface)
		l->n_interface = now - l->counters_base;
	*out = (struct mm_live_stats){ l->n_received, l->n_dropped, l->n_interface };
}

void mm_live_close(struct mm_live *l)
{
	if (l == NULL)
		return;
	if (l->has_filter)
		pcap_freecode(&l->filter);
	if (l->pcap != NULL)
		pcap_close(l->pcap);
	for (size_t i = 0; i < COUNTERS; i++) {
		if (l->counter_fds[i] >= 0)
			close(l->counter_fds[i]);
	}
	free(l);
}

/* What an interface carries, by the number the kernel has for its hardware. */
static const char *link_name(const struct ifreq *req)
{
	switch (req->ifr_hwaddr.sa_family) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return "Ethernet";
	case ARPHRD_NONE:
		return "raw IP";
	case ARPHRD_PPP:
		return "Linux cooked";
	case ARPHRD_IEEE80211:
	case ARPHRD_IEEE80211_PRISM:
	case ARPHRD_IEEE80211_RADIOTAP:
		return "802.11";
	default:
		return "other";
	}
}

/** Whoever makes an interface names it: no control characters to a terminal. */
static void print_plain(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		fputc(*text >= ' ' && *text <= '~' ? *text : '?', out);
}

/** One line of the list. fd: any socket. */
static void list_one(FILE *out, const pcap_if_t *i, int fd)
{
	static const struct {
		bpf_u_int32 bit;
		const char *name;
	} flags[] = { { PCAP_IF_UP, "up" }, { PCAP_IF_RUNNING, "running" },
		{ PCAP_IF_LOOPBACK, "loopback" }, { PCAP_IF_WIRELESS, "wireless" } };
	bool is_any = strcmp(i->name, any) == 0;
	/* libpcap's list has buses and queues, too. */
	if (!is_any && if_nametoindex(i->name) == 0)
		return;
	struct ifreq req = { 0 };
	snprintf(req.ifr_name, sizeof req.ifr_name, "%.*s", IF_NAMESIZE - 1, i->name);
	const char *link = "-";
	if (is_any)
		link = "Linux cooked";
	else if (fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &req) == 0)
		link = link_name(&req);
	print_plain(out, i->name);
	fprintf(out, "\t%s\t", link);
	const char *before = "";
	for (size_t f = 0; f < sizeof flags / sizeof flags[0]; f++) {
		if ((i->flags & flags[f].bit) != 0) {
			fprintf(out, "%s%s", before, flags[f].name);
			before = ",";
		}
	}
	fputs(before[0] == '\0' ? "down\t" : "\t", out);
	print_plain(out, i->description != NULL ? i->description : "-");
	fputc('\n', out);
}

int mm_live_list(FILE *out, char *why, size_t why_len)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_if_t *all;
	if (pcap_findalldevs(&all, errbuf) != 0) {
		snprintf(why, why_len, "%s", errbuf);
		return MM_ERR_IO;
	}
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fputs("interface\tlink type\tflags\tdescription\n", out);
	for (const pcap_if_t *i = all; i != NULL; i = i->next)
		list_one(out, i, fd);
	pcap_freealldevs(all);
	if (fd >= 0)
		close(fd);

	why[0] = '\0';
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	else if (errno == EPERM || errno == EACCES)
		snprintf(why, why_len, "%s", no_permission);
	else
		snprintf(why, why_len, "no packet sockets: %s", strerror(errno));
	return MM_OK;
}
