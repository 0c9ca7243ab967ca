/* The crew: the workers that turn packets into events, and the order in which events leave them.
 *
 * Workers share nothing: each has its own flows, and a flow stays with its worker. Two jobs are for one thread at a
 * time, whichever is free: reading (the captures, decoding, handing each segment to the worker of its flow) and analysing (events in
 * order, into ledger, detectors and outputs). So n threads do all the work there is, and none waits for a slower
 * one.
 *
 *     read, decode --loads--> worker k: flow, framing, dissect --batches--> merge by time --> analyse
 *
 * Live, reading is every worker's own: each has a socket on each interface, which the kernel gives whole flows to, and the
 * caller's thread analyses.
 *
 * Events leave by (time known, packet), once every worker's packet time is hold_ns beyond it: the order depends
 * on nothing but the packets, so that any number of workers gives the same output. */
#ifndef MM_CREW_H
#define MM_CREW_H

#include "capture/live.h"
#include "decode/decode.h"
#include "flow/flow.h"
#include "output/metrics.h"

enum { MM_CREW_LIVES_MAX = 64 }; /* interfaces watched at a time */

/* Called back. Each is called by one thread at a time, but not always by the same one. */
struct mm_crew_ops {
	/** The next packet of all captures: 1; 0 at the end. Its data hold until the next call, or as long as its block is kept. */
	int (*read)(void *arg, struct mm_packet *out);
	/** A packet of unknown link type. While reading. */
	void (*unsupported)(void *arg, const struct mm_packet *pkt);
	/** An event, in order; it is dropped after this. Negative ends the run. */
	int (*analyse)(void *arg, struct mm_event *ev);
	/** Live: an interface that can be read no more; why: one line that names it. */
	void (*ended)(void *arg, const char *why);
	/** Live, some times a second, on the thread that analyses: wall_ns is the time of day. False ends the run. */
	bool (*housekeeping)(void *arg, int64_t wall_ns);
};

struct mm_crew_config {
	const struct mm_crew_ops *ops;
	void *arg;
	struct mm_hash_key key;
	struct mm_flow_config
	        flow;     /* of all workers together; pool, emit and sink are the crew's */
	size_t n_workers; /* threads; of captures, 0 and 1 are the caller's alone */
	struct mm_live **
	        lives; /* n_lives per worker, worker by worker: now the crew's. NULL: captures are read */
	size_t n_lives;
	size_t rooms_max; /* events in the making, of all workers */
	size_t events_b;  /* bytes of events that wait to be put in order */
	int64_t hold_ns;
	bool prompt; /* packets come as they are made: none waits for the next */
};

/** What the workers counted, summed. */
struct mm_crew_stats {
	struct mm_decode_stats decode;
	struct mm_flow_stats flow;
	uint64_t n_packets;
	uint64_t n_received, n_dropped,
	        n_interface;       /* live, of all interfaces: struct mm_live_stats */
	int64_t first_ns, now_ns;  /* of the first packet; the latest of all */
	uint64_t n_events_refused; /* for want of room or memory */
	uint64_t
	        n_events_early; /* analysed before their time, for want of memory for those that wait */
	uint64_t n_rooms;       /* events in the making */
	uint64_t n_waiting, waiting_b, waiting_max_b; /* events that wait; memory for them, limit */
};

struct mm_crew;

/** Start the threads, which wait. Errors: MM_ERR_NOMEM, MM_ERR_USAGE, MM_ERR_IO (no thread; errno). */
int mm_crew_new(const struct mm_crew_config *config, struct mm_crew **out) MM_MUST_CHECK;
void mm_crew_free(struct mm_crew *c); /* accepts NULL */

/** Read until the end of the input, with all threads. Returns what analyse() returned when it failed. */
int mm_crew_run(struct mm_crew *c);

/** Watch until housekeeping() says no or no interface is left. Returns what analyse() returned when it failed. Packets are
 * taken on until mm_crew_finish(), but nothing is analysed before this is called again. */
int mm_crew_watch(struct mm_crew *c);

/** One packet, on the caller's thread, which analyses as well; not while mm_crew_run() runs, and not live. */
int mm_crew_packet(struct mm_crew *c, const struct mm_packet *pkt);
/** One segment, as if decoded. */
int mm_crew_segment(struct mm_crew *c, const struct mm_packet *pkt, const struct mm_segment *seg);

/** Other time-outs for flows from now on; not while mm_crew_run() or mm_crew_watch() runs. */
void mm_crew_retime(struct mm_crew *c, int64_t udp_timeout_ns, int64_t tcp_timeout_ns);

/** End all flows and analyse all events. */
int mm_crew_finish(struct mm_crew *c);

/** From housekeeping(), counts of other threads may be a little old. Not while mm_crew_run() runs. */
void mm_crew_stats(struct mm_crew *c, struct mm_crew_stats *out);
size_t mm_crew_workers(const struct mm_crew *c);
void mm_crew_worker_stats(struct mm_crew *c, size_t worker, struct mm_worker_stats *out);
struct mm_flow_proto_stats mm_crew_proto_stats(struct mm_crew *c, size_t proto);

/** Of one worker's handle on one interface. */
struct mm_live_stats mm_crew_live_stats(struct mm_crew *c, size_t worker, size_t live);

#endif
