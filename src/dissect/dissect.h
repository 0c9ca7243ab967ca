/* The contract between the engine and a dissector.
 *
 * One story, from packet to event. A segment arrives on TCP port 88 from a client. flow/ finds its flow,
 * sees that kerberos claims port 88, and hands the stream's next bytes to kerberos.frame(), which reads the
 * 4-byte record mark and answers MM_FRAME_DONE with 4 + length once all is there. The engine then calls
 * kerberos.parse() with exactly that message: an AS-REQ. parse() makes an event with mm_dissect_event(),
 * fills what the request says and keeps it in the flow's state. When the AS-REP has been framed on the
 * other direction, parse() completes the same event (kind ISSUE, the ticket's fingerprint) and gives it away
 * with mm_dissect_emit(). Had the flow ended first, end() would have emitted it with outcome unknown.
 *
 * A carrier may hold another stream. tls.parse() gets a record, decrypts it, and hands what was in it back with
 * mm_dissect_inner(): bytes of the inner stream of that direction. The engine keeps a layer for them, finds out who
 * reads it as it does for a flow (a name that the carrier gave, else probe()), and runs the same framing loop there, so
 * that http.parse() gets a whole request whose packets and times are those of the records that brought it. Where
 * nobody reads it, mm_dissect_inner() says so, and the carrier need not go on. LDAP's StartTLS works the other
 * way: after the server's consent ldap calls mm_dissect_become(), and the bytes that follow are tls's. Layers end from
 * the innermost outwards.
 *
 * A dissector does no I/O, reads no clock, has no globals but const tables and keeps nothing but the
 * state the engine allots to the flow (zeroed at the start). It never sees part of a message: what is
 * short inside a whole message is malformed, and what was read before that is still emitted. */
#ifndef MM_DISSECT_DISSECT_H
#define MM_DISSECT_DISSECT_H

#include "event/event.h"

enum {
	MM_DISSECT_HELD_MAX = 64 << 20, /* what *held_b may grow to */
};

enum mm_dir {
	MM_TO_SERVER = 0,
	MM_TO_CLIENT = 1,
};

enum mm_layer {
	MM_LAYER_CARRIER,   /* found on a flow: has frame() and parse() */
	MM_LAYER_MECHANISM, /* found inside a carrier: called by it */
};

enum mm_frame_verdict {
	MM_FRAME_MORE, /* n: bytes needed in all before asking again makes sense (0: any more) */
	MM_FRAME_DONE, /* n: length of the message at the front; parse() gets it */
	MM_FRAME_SKIP, /* n: bytes without interest, possibly more than are there: passed over unbuffered */
	MM_FRAME_LOST, /* not a message of this protocol: the engine resynchronises */
	MM_FRAME_QUIT, /* nothing more of interest in this flow, in both directions; at its first byte the
	                  engine asks the others whether it is theirs */
};

struct mm_frame {
	enum mm_frame_verdict verdict;
	size_t n;
};

enum mm_transport {
	MM_TCP = 6, /* IP protocol numbers */
	MM_UDP = 17,
};

/** What a flow is. client is who sent the first SYN or, failing that, who has the higher port, or
 * sent the first packet when both could be a client's. */
struct mm_flow_info {
	struct mm_endpoint client, server;
	enum mm_transport transport;
	char community_id[MM_CID_TEXT];
	struct mm_path path; /* of its first packet with payload */
};

/** What is known of the TLS connection that a layer is inside of; in memory of the carrier, for as long as that is. */
struct mm_tls_seen {
	uint16_t
	        version; /* as on the wire: 0x0303 is TLS 1.2, RFC 8446 section 4.2.1; 0: not known */
	struct mm_slice
	        server_name; /* what the client asked for, RFC 6066 section 3; empty: nothing */
	bool has_client_cert;
	bool no_client_cert; /* the client's side of a full handshake was read, and it showed none */
	uint8_t client_cert_x5t[32]; /* SHA-256 of the client's certificate, RFC 8705 section 3.1 */
};

struct mm_keylog;

/** What the operator wants of the dissectors; the same for all flows. */
struct mm_dissect_conf {
	const struct mm_keylog *keylog; /* secrets of TLS connections; NULL: none */
	enum {
		MM_TLS_EVENTS_AUTO, /* where there are keys */
		MM_TLS_EVENTS_YES,
		MM_TLS_EVENTS_NO,
	} tls_events;
};

struct mm_dissector;
struct mm_web;
struct mm_dissect;

/* What the engine does for a carrier; called through mm_dissect_inner() and its kin. */
struct mm_inner_ops {
	bool (*bytes)(struct mm_dissect *d, struct mm_slice bytes);
	void (*gap)(struct mm_dissect *d);
	void (*name)(struct mm_dissect *d, const char *name);
	void (*become)(struct mm_dissect *d, const char *name);
	void (*dress)(struct mm_dissect *d, struct mm_event *ev);
};

/** What parse() and end() are told, and the way to give events away. */
struct mm_dissect {
	const struct mm_dissector *self;
	void *state; /* state_size bytes of this flow */
	const struct mm_flow_info *flow;
	enum mm_dir dir;               /* of this message */
	int64_t time_ns;               /* of the packet with the message's last byte */
	int64_t now_ns;                /* packet time at which it was known; not before time_ns */
	struct mm_pkt first, last;     /* packets with its first and last byte */
	bool lossy;                    /* bytes of this flow were lost earlier */
	const struct mm_bulk_key *key; /* of this run: for mm_dissect_id() */
	struct mm_id id; /* of a datagram's bytes; all zero where nobody asked for it */
	struct mm_event_pool *pool;
	void (*emit)(void *sink, struct mm_event *ev); /* takes the event */
	void *sink;
	struct mm_web *web; /* dissect/exchange.h: the worker's, for dissectors of HTTP */
	const struct mm_dissect_conf *conf; /* NULL: nothing is wanted */
	const struct mm_tls_seen
	        *tls; /* of the connection that this is inside of; NULL: in clear */
	const struct mm_inner_ops *inner; /* NULL: inner streams are not read */
	void *layer;                      /* the engine's, for inner */
	size_t *held_b; /* bytes that all flows of this worker hold back together; NULL: none may */
};

/** A dissector: a const struct, listed once in dissect/list.c. */
struct mm_dissector {
	const char *name; /* as in mintmark.protocol */
	const char *spec; /* "RFC 4120" */
	const char *help; /* one line for --list-protocols */
	enum mm_layer layer;
	const uint16_t *tcp_ports; /* ended by 0; NULL: none */
	const uint16_t *udp_ports;
	const char *const *
	        ndpi_hints; /* nDPI's names of it, ended by NULL; NULL: none. When nDPI says one of a flow whose
	                                  ports and first bytes told nothing, frame() and resync() are asked */
	const struct mm_attr *attrs;
	size_t n_attrs;
	size_t state_size;
	size_t message_max; /* longer messages are skipped and counted */

	/** Could the first bytes of one direction of a flow on an unclaimed port be this protocol? head holds
	 * at least one byte. Must be strict: a false yes costs another dissector the flow. NULL: never. */
	bool (*probe)(struct mm_slice head, enum mm_dir dir, enum mm_transport transport);

	/** How long is the message at the front of a TCP stream? avail holds at least one byte. A datagram is
	 * one message and is not framed. NULL: UDP only. */
	struct mm_frame (*frame)(void *state, enum mm_dir dir, struct mm_slice avail);

	/** After MM_FRAME_LOST or a gap: the offset in avail at which a message plausibly starts (0 is a valid
	 * answer after a gap); avail.len when there is none. NULL: wait for the start of the next segment. */
	size_t (*resync)(void *state, enum mm_dir dir, struct mm_slice avail);

	/** Read one whole message. */
	void (*parse)(struct mm_dissect *d, struct mm_slice msg);

	/** Bytes of this direction were lost, or a message was skipped for its size: forget what depended on
	 * them. NULL: nothing to forget. */
	void (*gap)(struct mm_dissect *d);

	/** The flow ends: emit or free what state holds. NULL when state owns nothing. Of an inner stream
	 * bytes are taken only if none were before: its layer has ended otherwise. */
	void (*end)(struct mm_dissect *d);

	/** Give back memory that state owns besides events: the last call, after end() or where a run is broken off in its
	 * place. NULL: there is none. */
	void (*done)(void *state);

	/** Put what this carrier knows into an event that is made inside of it. NULL: nothing. */
	void (*dress)(const void *state, struct mm_event *ev);

	/** What a layer inside this carrier is told as d->tls. NULL: it is not TLS. */
	const struct mm_tls_seen *(*seen)(const void *state);
};

/** All dissectors, ended by NULL. */
extern const struct mm_dissector *const mm_dissectors[];

/** A new event of this flow: protocol, endpoints, transport, Community ID, loss flag, time and the packets
 * of the current message are filled in. Owned by the caller until emitted or dropped. NULL: none to be had
 * (counted by the pool); the dissector then forgets the exchange. */
struct mm_event *mm_dissect_event(
        struct mm_dissect *d, enum mm_event_kind kind, const char *action);

/** Add the current message to an event as its response: time, packets. */
void mm_dissect_response(struct mm_dissect *d, struct mm_event *ev);

/** Which bytes this message is, among the messages of its flow. */
static inline struct mm_id mm_dissect_id(const struct mm_dissect *d, struct mm_slice msg)
{
	return d->id.h[0] != 0 ? d->id : mm_bulk_id_of(d->key, msg);
}

/** Give the event away. */
void mm_dissect_emit(struct mm_dissect *d, struct mm_event *ev);

/** The message brought these bytes of the inner stream of d->dir; they are read before this returns. Their packets and
 * time are the message's. False when nobody reads the inner stream, now or later; bytes are then not needed. */
bool mm_dissect_inner(struct mm_dissect *d, struct mm_slice bytes);

/** Bytes of d->dir's inner stream were lost after those handed over last. */
void mm_dissect_inner_gap(struct mm_dissect *d);

/** Before the first bytes: which dissector is likely to read them, by its name or an ALPN protocol ID (RFC 7301). One that
 * is not known says nothing; where its first bytes do not fit, others are asked. */
void mm_dissect_inner_name(struct mm_dissect *d, const char *name);

/** From the byte after this message on, both directions are read by the dissector of this name; NULL: by whoever knows
 * their first bytes. The present one ends when parse() returns. Not in end() or gap(). */
void mm_dissect_become(struct mm_dissect *d, const char *name);

/** Free an event that will not be emitted; accepts NULL. */
void mm_dissect_drop(struct mm_dissect *d, struct mm_event *ev);

#endif
