/* Packets as they pass a network interface: libpcap over Linux's TPACKET_V3 ring.
 *
 * One mm_live is one socket with a ring of its own. Several on the same interface form a fanout
 * group, in which the kernel gives each flow, both directions of it, to one member: a worker reads
 * its own handle and shares nothing. The life of a handle:
 *
 *	mm_live_open	socket, ring, filter compiled, group joined: everything that needs privileges.
 *			The kernel still drops every packet, so that a group can fill up.
 *	mm_live_start	lets packets in; after all members are open.
 *	mm_live_read	whenever mm_live_fd() polls readable, and at least every second.
 *	mm_live_close
 *
 * After mm_live_open() no file and no socket is opened, so a sandbox may come down. What is called
 * then, beside memory: mm_live_start: setsockopt, fcntl, recvfrom, getsockopt; mm_live_read: poll,
 * getsockopt, getsockname, ioctl SIOCGIFNAME and SIOCGIFFLAGS on the own socket; mm_live_stats:
 * getsockopt, pread64; mm_live_close: setsockopt, close, munmap. */
#ifndef MM_CAPTURE_LIVE_H
#define MM_CAPTURE_LIVE_H

#include <stdio.h>

#include "capture/capture.h"

enum {
	/* The kernel hands a block on when it is full, or when a timer finds that it has stood
	 * open from one tick to the next: a packet waits for two ticks at most. */
	MM_LIVE_TICK_MS = 20,
	/* So every packet that is older than this was handed on, once mm_live_read() returned 0:
	 * two ticks, and their rounding to the kernel's clock of 4 ms or 10 ms. */
	MM_LIVE_DELAY_MS = 2 * MM_LIVE_TICK_MS + 10,
	MM_LIVE_RING_MIN = 256 * 1024, /* bytes: one block of libpcap's */
	MM_LIVE_RING_MAX = 2047 << 20, /* libpcap counts the ring's bytes in an int */
	MM_LIVE_MEMBERS_MAX = 256,     /* Linux, net/packet/internal.h: PACKET_FANOUT_MAX */
};

/* Whose clock stamps the packets. The words are those of tcpdump -j. */
enum mm_live_stamps {
	MM_LIVE_HOST,             /* the kernel's, when it gets the packet */
	MM_LIVE_ADAPTER,          /* the adapter's, kept in step with the kernel's */
	MM_LIVE_ADAPTER_UNSYNCED, /* the adapter's own, whatever it shows */
};

/* A line for the user that is no error: interface and what is with it, "eth0: is down, ...". */
typedef void mm_live_notice_fn(void *arg, const char *line);

struct mm_live_config {
	const char *interface; /* "any": all there are, those to come included */
	const char *filter;    /* pcap-filter(7), done in the kernel; NULL: everything */
	uint32_t snaplen;      /* bytes kept of a packet; 0: MM_CAPTURE_SNAPLEN */
	uint64_t ring_b;       /* of this handle, in whole blocks; 0: libpcap's own, 2 MiB */
	bool promiscuous;      /* also what is not meant for this machine; "any" cannot */
	enum mm_live_stamps stamps;
	uint16_t n_members; /* of the fanout group it is one of; 0 or 1: no group */
	/* Any member of the group to join; NULL founds one. No number is asked for: they are
	 * shared by all programs of the machine, so the kernel picks a free one. */
	const struct mm_live *join;
	mm_live_notice_fn *on_notice; /* may be NULL; of a group, all members tell the same */
	void *notice_arg;
};

struct mm_live_stats {
	uint64_t n_received;  /* passed the filter and went into the ring, read or not yet */
	uint64_t n_dropped;   /* passed the filter and found the ring full */
	uint64_t n_interface; /* lost by the interface since open; of all members the same number */
};

struct mm_live;

/** Open an interface for reading. What the caller does not get is told by on_notice, which is kept
 * for later: that the interface is down (it may come up at any time), that the adapter does not
 * stamp packets (the kernel does then).
 * file: what mm_packet.id.file of its packets says; their numbers count from 1 in each handle.
 * Needs CAP_NET_RAW, and CAP_NET_ADMIN for an adapter's stamps.
 * Link types: Ethernet with the VLAN tags that the kernel took off put back; Linux cooked (SLL) on
 * "any", also with its tags: libpcap loses them in SLL2, which would tell the interface instead.
 * Lost on "any" are frames with two tags: recent kernels name the protocol behind the second, and
 * leave that before it. The filter is run before a tag is put back, so "port 88" selects tagged
 * packets, too.
 * In a group IPv4 fragments reach a member whole, put together by the kernel, so that they go where
 * their flow goes; fragments of IPv6 go where their addresses point, which need not be there.
 * Kernels without a fix of 2023 (Linux, commit a5e2151ff9d5) also tear IPv6 flows of which only one
 * side sets a flow label.
 * Errors, with one line in why that names the interface: MM_ERR_IO (errno; EPERM: no permission;
 * ENODEV: no such interface), MM_ERR_USAGE (bad filter, bad sizes), MM_ERR_NOMEM. */
int mm_live_open(const struct mm_live_config *config, uint32_t file, struct mm_live **out,
        char *why, size_t why_len) MM_MUST_CHECK;

/** Let packets in. Once, after all members of a group are open: a flow that passes in between would
 * be torn. Errors: MM_ERR_IO, told by mm_live_why(). */
int mm_live_start(struct mm_live *l) MM_MUST_CHECK;

/** For poll(2), POLLIN: readable when packets are ready, or the interface's state changed. */
int mm_live_fd(const struct mm_live *l);

/** Hand on what is ready, at most max packets (> 0), in the order they came; never waits. The packet
 * and its data are the kernel's ring itself: borrowed until fn returns, which must not call into l.
 * Returns how many, 0 when none are ready; negative when this source has ended, as told by
 * mm_live_why(): MM_ERR_IO. A removed interface is such an end (errno ENODEV). One that goes down
 * is not: on_notice says so, and says when it is up again; the same socket goes on.
 * A removal of an interface that was down before makes no descriptor readable: call it at least
 * every second. */
int mm_live_read(struct mm_live *l, size_t max, void (*fn)(void *arg, struct mm_packet *pkt),
        void *arg) MM_MUST_CHECK;

/** Why the last call failed: one line that names the interface. */
const char *mm_live_why(const struct mm_live *l);

/** The counts since start. Call it at least every minute: the kernel's own have 32 bits. On "any",
 * what the loopback interface carries is received twice and handed on once. */
void mm_live_stats(struct mm_live *l, struct mm_live_stats *out);

void mm_live_close(struct mm_live *l); /* accepts NULL */

/** Print the interfaces, one a line after a heading: name, link type, flags, description, separated
 * by tabs. why: empty, or why nothing may be captured here, as for no permission.
 * Errors: MM_ERR_IO, why tells. */
int mm_live_list(FILE *out, char *why, size_t why_len) MM_MUST_CHECK;

#endif
