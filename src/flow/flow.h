/* Many packets: the flow table, TCP reassembly, framing, and which dissector a flow belongs to.
 *
 * Bounded everywhere: flows by number (the least recently used goes first), buffered bytes per direction and in
 * all, out-of-order pieces per direction. What is hit is counted. Times are packet times. */
#ifndef MM_FLOW_FLOW_H
#define MM_FLOW_FLOW_H

#include "decode/decode.h"
#include "dissect/dissect.h"
#include "dissect/exchange.h"

struct mm_flow_config {
	struct mm_hash_key key;
	size_t flows_max;   /* default 262144 */
	size_t tracked_max; /* of them, looked into at a time; default 65536 */
	size_t buffer_max; /* bytes buffered per direction; default 1 MiB, never below message_max in use */
	size_t buffer_total_max; /* default 256 MiB */
	int64_t udp_timeout_ns;  /* idle time that ends a flow; default 30 s */
	int64_t tcp_timeout_ns;  /* default 3600 s */
	int64_t closed_timeout_ns; /* a closed TCP flow is remembered, to absorb duplicates; default 10 s */
	int64_t gap_patience_ns; /* packets may change places by as much; twice as long a hole that was
	                            acknowledged may still be filled. Default 150 ms */
	int64_t copy_window_ns; /* a datagram like one before it by at most this is its copy; default 50 ms */
	size_t web_memory_max; /* bytes of HTTP exchanges that wait for their end; default 64 MiB */
	const struct mm_net *web_proxies; /* copied: who is believed on whom he forwards for */
	size_t n_web_proxies;
	struct mm_dissect_conf dissect;
	bool ndpi; /* ask nDPI about flows that ports and probe() do not tell; default yes */
	struct mm_event_pool *pool;
	void (*emit)(void *sink, struct mm_event *ev); /* takes the event; key_ns and seq are set */
	void *sink;
};

/** What flows that nobody read were held to be: indexes of mm_flow_stats.n_unread; mm_flow_name() has the others'. */
enum {
	MM_FLOW_NAME_UNKNOWN, /* nDPI did not know either, or was not asked */
	MM_FLOW_NAME_OTHER,   /* nDPI knows, but there is no counter for it alone */
	MM_FLOW_NAME_QUIC,
	MM_FLOW_NAME_TLS,
	MM_FLOW_NAME_DNS,
	MM_FLOW_NAMES = 91,
};

struct mm_flow_stats { /* nothing but uint64_t: mm_flow_stats_add() */
	uint64_t n_flows, n_live, n_flows_tcp, n_flows_udp;
	uint64_t
	        n_evicted; /* flows ended early by flows_max or tracked_max, or for the events they held */
	uint64_t n_midstream; /* TCP flows whose SYN was not seen */
	uint64_t n_one_way;   /* flows ended with payload in one direction only */
	uint64_t n_gaps,
	        n_gap_bytes; /* holes in sequence space given up on flows that have a dissector */
	uint64_t n_retransmitted; /* segments that brought nothing new */
	uint64_t n_copies;        /* datagrams shown again within copy_window_ns: not read */
	uint64_t n_out_of_order;
	uint64_t
	        n_overlap_conflict; /* bytes seen twice with different values: the first copy was kept */
	uint64_t n_buffer_limit;  /* buffer_max or buffer_total_max hit */
	uint64_t n_skipped_bytes; /* passed over by MM_FRAME_SKIP */
	uint64_t n_lost_sync;     /* MM_FRAME_LOST */
	uint64_t n_oversized;     /* messages over message_max */
	uint64_t n_shed_flows,
	        n_shed_packets; /* left aside: flows not looked into, packets of flows not followed */
	uint64_t
	        n_probe_limit; /* flows left, for want of room, before it was known what they are */
	uint64_t n_asked;      /* questions to nDPI */
	uint64_t n_hints;      /* answers that named a protocol of ours */
	uint64_t n_hints_refused; /* of these, those whose dissector found no message */
	struct mm_web_stats web;  /* exchanges of HTTP */
	uint64_t n_inner;         /* streams found inside others */
	uint64_t n_inner_unread;  /* of these, those that no dissector knew */
	uint64_t n_inner_limit;   /* not read for want of room, or too deep inside */
	/* Flows that no dissector had, by what they were held to be. */
	uint64_t n_unread[MM_FLOW_NAMES];
};

struct mm_flow_proto_stats {
	uint64_t n_flows, n_messages, n_gaps, n_lost_sync;
};

struct mm_flow_table;

struct mm_flow_key {
	uint8_t addr[2][16]; /* the lower endpoint first */
	uint16_t port[2];
	uint8_t proto;
	uint8_t family;
	uint8_t pad[2]; /* zero, so that keys compare by memcmp */
};

/** To which flow a segment belongs, and which end sent it. */
struct mm_flow_place {
	struct mm_flow_key key;
	uint32_t hash; /* of the key: the same for both directions, to spread flows over workers */
	uint8_t side;  /* the sender's index in key */
};

void mm_flow_config_default(struct mm_flow_config *config);
int mm_flow_table_new(
        const struct mm_flow_config *config, struct mm_flow_table **out) MM_MUST_CHECK;
/** Free the table; accepts NULL. Flows that were not ended are dropped without end(), and with them the events that
 * their dissectors hold: call mm_flow_finish() first. */
void mm_flow_table_free(struct mm_flow_table *t);

/** From now on flows end after these times without a packet. Between two packets. A flow that the new times would have ended earlier ends now. */
void mm_flow_retime(struct mm_flow_table *t, int64_t udp_timeout_ns, int64_t tcp_timeout_ns);

/** Take in one segment. A TCP flow whose SYN was not seen begins with the lowest byte that comes before both
 * twice gap_patience_ns is over, or 64 packets are; nothing of it is read before that. Dissectors run, and events are
 * emitted, before it returns.
 * Where bytes of a flow that has a dissector are lost, MM_EV_LOSS says so of its server.
 * Events carry key_ns (the packet time that made them known: of the last of their packets, of the ACK that showed what
 * was before them to be lost, or for a flow that ran out its last packet's time plus the timeout and a second) and seq (a number ascending within one run, 0-based, in order of emission). */
void mm_flow_packet(
        struct mm_flow_table *t, const struct mm_packet *pkt, const struct mm_segment *seg);

/** Packet time is at least this now: end the flows that ran out, decide what waited for it. mm_flow_packet() does so first.
 * Called before events up to this time are put in order. */
void mm_flow_advance(struct mm_flow_table *t, int64_t now_ns);

/** How much to leave aside because the worker is behind: 0 nothing; 1: flows on ports that nobody claims are not looked
 * into; 2: they are not even followed. */
void mm_flow_shed(struct mm_flow_table *t, unsigned level);

/** Where a segment belongs. key: made of the table's own. */
void mm_flow_place_of(
        const struct mm_brief_key *key, const struct mm_segment *seg, struct mm_flow_place *place);
/** mm_flow_packet() of a segment whose place is known. Some time before it the memory that it will touch may be fetched, in this
 * order. */
void mm_flow_packet_at(struct mm_flow_table *t, const struct mm_packet *pkt,
        const struct mm_segment *seg, const struct mm_flow_place *place);
void mm_flow_fetch_slot(const struct mm_flow_table *t, uint32_t hash);
void mm_flow_fetch(const struct mm_flow_table *t, uint32_t hash);
void mm_flow_fetch_track(const struct mm_flow_table *t, uint32_t hash);

/** End all flows: everything buffered is delivered, holes are given up, end() is called on each dissector, as if
 * their time ran out. */
void mm_flow_finish(struct mm_flow_table *t);

const struct mm_flow_stats *mm_flow_stats(const struct mm_flow_table *t);
/** The name of a counter of n_unread, as nDPI spells it; NULL: there is none of this index. */
const char *mm_flow_name(size_t i);
/** Add up what two tables counted. */
void mm_flow_stats_add(struct mm_flow_stats *sum, const struct mm_flow_stats *more);
/** Counters of one dissector, by its index in mm_dissectors. */
const struct mm_flow_proto_stats *mm_flow_proto_stats(const struct mm_flow_table *t, size_t i);
/** Community ID v1, https://github.com/corelight/community-id-spec: "1:" + base64(SHA-1(seed, addresses, proto, 0,
 * ports)), ordered by address then port. */
void mm_community_id(const struct mm_endpoint *a, const struct mm_endpoint *b, uint8_t ip_proto,
        uint16_t seed, char out[MM_CID_TEXT]);

#endif
