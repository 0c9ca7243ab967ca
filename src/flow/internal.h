/* What the files of flow/ share: the flow entry, the track of a flow that is looked at, the table. */
#ifndef MM_FLOW_INTERNAL_H
#define MM_FLOW_INTERNAL_H

#include "flow/flow.h"
#include "flow/ndpi.h"
#include "flow/pool.h"
#include "flow/stream.h"

enum {
	MM_FLOW_SETTLE_MAX = 64, /* this many packets settle a flow whatever the time */
	MM_FLOW_LOOKS = 4, /* looks at the flows that wait, in the time of one gap_patience_ns */
	MM_FLOW_HEAD = MM_NDPI_HEAD, /* first bytes of a direction by which a flow must be known */
	MM_FLOW_HEAD_CLAIMED =
	        256, /* the same on a port of another protocol, which then gets it back */
	MM_FLOW_PROBING_MAX = 1024, /* flows being probed; the oldest is shunted first */
	MM_FLOW_RESYNC_KEEP =
	        512, /* bytes kept for the next resync(): a message header may be cut by a segment */
	MM_FLOW_LOST_MAX = 256, /* MM_FRAME_LOST without a message between, and the flow is left */
	MM_FLOW_RECENT = 4,     /* datagrams remembered per direction, to know copies */
	MM_FLOW_DEPTH = 3,      /* inner streams inside each other */
};

enum mm_flow_mode {
	MM_FLOW_NEW,     /* no payload yet */
	MM_FLOW_TRACKED, /* has a track */
	MM_FLOW_SHUNTED, /* of no interest: later packets cost one look-up */
};

/* Lists in order of last use, by time-out class; flows with a track and flows without apart. */
enum mm_flow_list {
	MM_LIST_TCP,
	MM_LIST_CLOSED,
	MM_LIST_UDP,
	MM_LIST_CLASSES,
	MM_LIST_TRACKED = MM_LIST_CLASSES, /* added for flows with a track */
	MM_LISTS = 2 * MM_LIST_CLASSES,
};

enum mm_track_mode {
	MM_TRACK_PROBE,   /* nobody claims the ports: waiting for a probe() to say yes */
	MM_TRACK_HOLD,    /* buffered until it is known where the streams start */
	MM_TRACK_CLAIMED, /* a dissector reads it */
};

/* Per side s of the flow: bit << s. */
enum {
	MM_SEEN = 1u << 0, /* packets */
	MM_SYN_SEEN = 1u << 2,
	MM_FIN_SEEN = 1u << 4,
	MM_PAYLOAD = 1u << 6,  /* packets with payload */
	MM_RST_SEEN = 1u << 8, /* either side */
};

struct mm_track;

/* What a packet of a shunted flow touches is in the first 64 bytes: one cache line, as flows are so aligned. */
struct mm_flow {
	struct mm_flow_key key;
	int64_t last_ns; /* latest packet */
	int64_t used_ns; /* last_ns when it was put at the head of its list */
	uint16_t bits;
	uint8_t mode, list;
	uint8_t client;   /* side of the client, as far as known */
	bool client_sure; /* by a SYN */
	uint8_t n_probed; /* datagrams shown to probe() */
	uint32_t hash;
	uint32_t prev, next; /* of its list; next: of the free list */
	uint32_t isn[2];     /* UDP: digest of the datagram last shown to probe() */
	struct mm_track *track;
	union {
		int64_t looked_ns[2]; /* UDP: time of that datagram */
		uint32_t fin[2];      /* TCP: sequence number of the first FIN, once seen */
	};
	uint8_t held_for; /* UDP without a dissector: MM_FLOW_NAME_*, by its first datagram */
} __attribute__((aligned(64)));

/* A datagram seen, to know its copies. */
struct mm_recent {
	int64_t time_ns;
	uint64_t hash;
	size_t len;
};

/* Two streams and who reads them: those of TCP, or those that a carrier finds inside another layer's. */
struct mm_flow_layer {
	const struct mm_dissector *self; /* NULL: not known yet */
	size_t proto;                    /* its index */
	void *state;
	struct mm_stream *s; /* of both sides; NULL: datagrams */
	struct mm_flow_layer *outer, *inner;
	uint32_t flow;                     /* index of the flow */
	const struct mm_dissector *hint;   /* who is to have the inner streams; NULL: not known */
	const struct mm_dissector *except; /* it was hinted at, and its first bytes did not fit */
	const struct mm_dissector
	        *next; /* becomes: who goes on; NULL: whoever knows the first bytes */
	bool becomes, turned;
	bool deaf;     /* of inner streams there is nobody who reads them */
	bool closed;   /* an inner layer that nobody reads any more */
	bool lossy;    /* bytes were lost */
	bool read_any; /* something was framed */
	uint8_t depth; /* 0: of TCP */
	uint32_t n_lost_run;
};

/* Layer and streams of what is inside. */
struct mm_inner {
	struct mm_flow_layer layer; /* .outer: also links the free ones */
	struct mm_stream s[2];
};

/* Of a flow that a dissector reads or may read. */
struct mm_track {
	enum mm_track_mode mode;
	struct mm_flow_layer
	        top; /* .self: MM_TRACK_CLAIMED; else the one that will have it, or NULL */
	const struct mm_dissector
	        *fallback; /* MM_TRACK_PROBE: claimed the port, but it is not its protocol */
	size_t fallback_proto;
	bool settled, tried; /* tried: other dissectors were asked already */
	bool lacking;        /* MM_TRACK_PROBE: first bytes are missing that later ones followed */
	uint32_t n_ticks;    /* packets with ascending times */
	int64_t first_ns, now_ns; /* earliest and latest time of its packets */
	int64_t known_ns; /* what is read from now on was not known before: the time of a decision */
	bool waiting;     /* in the list of those that packet time may decide something for */
	struct mm_track *wait_prev, *wait_next;
	struct mm_flow_info info;
	struct mm_track *older, *newer; /* MM_TRACK_PROBE: order of age; free list */
	uint32_t flow;                  /* index of its flow */
	uint8_t n_recent[2];
	struct mm_recent recent[2][MM_FLOW_RECENT];
	struct mm_stream s[2]; /* of UDP there are none, nor memory for them */
};

struct mm_slot {
	uint32_t hash;
	uint32_t flow; /* index + 1; 0: free */
};

struct mm_lru {
	uint32_t head, tail; /* most and least recently used; MM_NONE */
	int64_t timeout_ns;
	int64_t refresh_ns; /* a flow is moved to the head when it was put there longer ago than this */
};

#define MM_NONE UINT32_MAX

struct mm_class {
	const struct mm_dissector *const *list;
	size_t n;
	uint8_t tcp[65536], udp[65536]; /* by port: index in list + 1; 0: unclaimed */
};

struct mm_flow_table {
	struct mm_flow_config conf;
	struct mm_bulk_key bulk_key; /* from conf.key, as is: */
	struct mm_brief_key hash_key;
	struct mm_flow_stats stats;
	struct mm_flow_proto_stats *proto;
	struct mm_class class;
	struct mm_slot *slots;
	uint32_t mask;
	struct mm_flow *flows;
	uint32_t n_used, free_flow;
	struct mm_lru lru[MM_LISTS];
	int64_t now_ns, next_expiry_ns;
	int64_t retimed_ns; /* when the time-outs changed: no flow runs out before that */
	struct mm_pool pool;
	struct mm_track *free_tracks[2]; /* by is_tcp() */
	size_t n_tracks;
	void **free_state; /* per dissector; the first bytes of a free state link to the next */
	struct mm_web *web;
	size_t held_b; /* by dissectors: mm_dissect.held_b */
	struct mm_flow_layer *free_inner;
	size_t n_inner;
	struct mm_ndpi *ndpi; /* made when first needed */
	bool ndpi_failed;
	struct mm_track *probing_oldest, *probing_newest;
	size_t n_probing;
	struct mm_track *waiting, *look_next; /* look_next: where a look goes on */
	int64_t next_look_ns;
	uint64_t seq;
	unsigned shed;
};

static inline enum mm_dir mm_flow_dir(const struct mm_flow *f, unsigned side)
{
	return side == f->client ? MM_TO_SERVER : MM_TO_CLIENT;
}

/* classify.c */

int mm_class_init(struct mm_class *c) MM_MUST_CHECK;
/** The dissector of this name, or that an ALPN protocol ID stands for; NULL: there is none that reads TCP. */
const struct mm_dissector *mm_class_name(const struct mm_class *c, const char *name);
/** The dissector that claims the port; NULL and untouched *proto when none does. */
const struct mm_dissector *mm_class_port(
        const struct mm_class *c, uint8_t ip_proto, uint16_t port, size_t *proto);
/** The dissector that claims the flow by the server's port, else by the client's. */
const struct mm_dissector *mm_class_flow(
        const struct mm_class *c, const struct mm_flow *f, size_t *proto);
/** The first dissector other than except whose probe() says yes. */
const struct mm_dissector *mm_class_probe(const struct mm_class *c, struct mm_slice head,
        enum mm_dir dir, enum mm_transport transport, const struct mm_dissector *except,
        size_t *proto);
/** What is told by a few bytes and read by nobody here: MM_FLOW_NAME_TLS, _QUIC or _DNS, else
 * MM_FLOW_NAME_UNKNOWN. These are most of the unknown flows of a network, and nDPI would take 2 to 4 us for
 * each. No message of ours begins like them. */
uint8_t mm_class_signature(const struct mm_flow *f, struct mm_slice head);
/** Ask nDPI what a flow is whose ports and probe()s told nothing, and count what it says if no dissector is to look.
 * heads: the first bytes, by side. The dissector that is hinted at and finds messages in them; NULL: none. */
const struct mm_dissector *mm_class_ask(struct mm_flow_table *t, const struct mm_flow *f,
        const struct mm_slice heads[2], size_t *proto);
/** The same for a datagram, on which nobody can be tried, and without counting: f->held_for is set. False when nDPI
 * knows it for something that is not ours. */
bool mm_class_ask_datagram(
        struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_slice payload);
/** Decide who is the client when no SYN told. first: side of the first packet. */
uint8_t mm_class_client(const struct mm_class *c, const struct mm_flow_key *key, unsigned first);

/* framing.c: what a claimed flow's streams are fed to. */

/** Fill in what is the same for all calls of the flow's dissector. */
void mm_frame_context(
        struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_dissect *d);
/** Run frame() and parse() over bytes at the stream's start, of which deliv is the end. direct: their mark, when
 * they are not in the stream's buffer. */
void mm_frame_run(struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_slice avail,
        const struct mm_mark *direct);
/** The stream's bytes [deliv, to) are lost. */
void mm_frame_gap(struct mm_flow_table *t, struct mm_flow *f, unsigned side, uint64_t to);
/** Let the ledger know of n losses. */
void mm_frame_report_loss(struct mm_flow_table *t, struct mm_flow *f, uint64_t n, int64_t time_ns);
/** Tell the dissector of a loss, without moving. */
void mm_frame_tell_gap(struct mm_flow_table *t, struct mm_flow *f, unsigned side, int64_t time_ns);
/** A whole datagram. */
void mm_frame_datagram(struct mm_flow_table *t, struct mm_flow *f, unsigned side,
        const struct mm_packet *pkt, const struct mm_segment *seg, const struct mm_id *id);
/** Call end(), from the innermost layer outwards. */
void mm_frame_end(struct mm_flow_table *t, struct mm_flow *f, int64_t now_ns);

/* layer.c: who reads a layer, and the layers inside. */

/** Let the dissector read the layer. False when memory for its state is out. */
bool mm_layer_claim(struct mm_flow_table *t, struct mm_flow_layer *l,
        const struct mm_dissector *self, size_t proto);
/** Free the dissector's state, without calling end(). */
void mm_layer_free_state(struct mm_flow_table *t, struct mm_flow_layer *l);
/** The layer inside, made if there is none; NULL: there can be none. */
struct mm_flow_layer *mm_layer_inner(struct mm_flow_table *t, struct mm_flow_layer *l);
/** Free what is inside, without calling end(). */
void mm_layer_free_inner(struct mm_flow_table *t, struct mm_flow_layer *l);
/** Free the memory of layers that are not in use. */
void mm_layer_done(struct mm_flow_table *t);

/* tcp.c */

/** The sequence number behind the segment's bytes: of its FIN, if it has one. */
static inline uint32_t mm_tcp_after(const struct mm_segment *seg)
{
	return seg->seq + ((seg->tcp_flags & MM_TCP_SYN) != 0) +
	       (uint32_t)(seg->payload.len + seg->missing);
}

void mm_tcp_segment(struct mm_flow_table *t, struct mm_flow *f, unsigned side,
        const struct mm_packet *pkt, const struct mm_segment *seg);
/** Decide what packet time has decided for the flows that wait. */
void mm_tcp_look(struct mm_flow_table *t);
/** Count the track among those that wait, or no longer. */
void mm_tcp_wait(struct mm_flow_table *t, struct mm_track *tr, bool waiting);
/** Deliver everything that is buffered, giving up all holes. */
void mm_tcp_flush(struct mm_flow_table *t, struct mm_flow *f, int64_t now_ns);

/* flow.c */

/** Give the flow a track, for this segment's sake; NULL when memory is out. */
struct mm_track *mm_track_new(
        struct mm_flow_table *t, struct mm_flow *f, const struct mm_segment *seg);
/** Let the dissector have the flow. False when memory for its state is out. */
bool mm_track_claim(
        struct mm_flow_table *t, struct mm_flow *f, const struct mm_dissector *self, size_t proto);
/** Start or stop counting the flow among those that are probed. */
void mm_track_probe(struct mm_flow_table *t, struct mm_flow *f);
void mm_track_probe_stop(struct mm_flow_table *t, struct mm_track *tr);
/** Leave the flow that has been probed longest, for want of room. */
void mm_track_probe_give_way(struct mm_flow_table *t);
/** Drop the flow's track: later packets cost a look-up. end() is the caller's. */
void mm_flow_shunt(struct mm_flow_table *t, struct mm_flow *f);

#endif
