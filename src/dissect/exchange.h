/* Exchanges in the making: what http.c and http2.c put together, message by message, until mm_web_exchange() gets it.
 *
 * Their memory is bounded three ways: exchanges of one connection, bytes of one connection, bytes of a worker. One that does
 * not fit is handed over as soon as its request was read, without waiting for a body or an answer. */
#ifndef MM_DISSECT_EXCHANGE_H
#define MM_DISSECT_EXCHANGE_H

#include "dissect/web.h"

enum {
	MM_WEB_FEW = 16,               /* fields of a message that most do with */
	MM_WEB_FEW_TEXT = 1536,        /* octets of both messages' fields, likewise */
	MM_WEB_CONN_MAX = 1024 * 1024, /* bytes of the exchanges of one connection */
};

/* Attributes that events of HTTP share: all that http.c and http2.c declare. */
enum {
	MM_WEB_ATTR_METHOD,
	MM_WEB_ATTR_PATH,
	MM_WEB_ATTR_HOST,
	MM_WEB_ATTR_USER_AGENT,
	MM_WEB_ATTR_SCHEME,
	MM_WEB_ATTR_PROXY,
	MM_WEB_ATTR_STATUS,
	MM_WEB_ATTR_VERSION,
	MM_WEB_ATTR_FORWARDED_FOR,
	MM_WEB_ATTR_PROXIED_BY,
	MM_WEB_N_ATTRS,
};
extern const struct mm_attr mm_web_attrs[MM_WEB_N_ATTRS];

struct mm_web_stats { /* nothing but uint64_t: part of mm_flow_stats */
	uint64_t n_exchanges, n_unanswered;
	uint64_t n_limit_memory; /* exchanges that did not wait for their answer: no room */
	uint64_t
	        n_limit_headers; /* header blocks too long, with too many fields, or of unreadable form */
	uint64_t n_limit_body;    /* bodies of interest, too long to be kept */
	uint64_t n_limit_streams; /* HTTP/2 streams beyond those followed */
	uint64_t
	        n_limit_requests; /* requests of one connection beyond those that wait for an answer */
	uint64_t n_coding_unknown, n_coding_broken, n_coding_bombs;
	uint64_t n_json_deep, n_json_duplicate,
	        n_json_bad; /* documents and tokens refused for it */
	uint64_t
	        n_hpack_lost; /* header blocks that a table entry was missing for, or that are broken */
};

/** What a worker's dissectors of HTTP share. One thread. */
struct mm_web;

struct mm_web_config {
	size_t memory_max;            /* bytes of exchanges in the making */
	const struct mm_net *proxies; /* copied: whose word on the client is trusted */
	size_t n_proxies;
	struct mm_web_stats *stats; /* where to count */
};

/** NULL when memory is out. */
struct mm_web *mm_web_new(const struct mm_web_config *config);
/** Accepts NULL. Exchanges that were not finished are freed with it. */
void mm_web_free(struct mm_web *w);
struct mm_web_stats *mm_web_stats(struct mm_web *w);

/** Something of a connection's that the worker frees if the connection does not. */
struct mm_web_owned {
	struct mm_web_owned *prev, *next;
	void (*release)(void *arg);
	void *arg;
};
void mm_web_own(struct mm_web *w, struct mm_web_owned *o, void (*release)(void *), void *arg);
void mm_web_disown(struct mm_web *w, struct mm_web_owned *o);

/** Memory in use for exchanges and their tables, and how much may be. */
size_t *mm_web_used(struct mm_web *w);
size_t mm_web_max(const struct mm_web *w);

/** Scratch memory, 2 * MM_WEB_BODY_MAX octets, until an exchange is finished; i: 0 or 1. */
uint8_t *mm_web_room(struct mm_web *w, unsigned i);

/** One exchange in the making. x.request and x.response are complete but for their bodies. */
struct mm_web_live {
	struct mm_web_exchange x;
	uint32_t order; /* the carrier's: which request of the connection, or which stream */
	bool transient; /* there was no room: to be finished once the request was read */
	bool keep[2];   /* the body of this side is kept */
	size_t body_max[2];
	size_t body_b[2], body_room[2];
	uint8_t *body[2];
	struct mm_web_field *fields[2];
	void *reader[2]; /* the carrier's */
	void (*reader_free)(void *reader);
	struct web_chunk *chunks; /* of text */
	size_t bytes;
	struct mm_web *web;
	struct mm_web_conn *conn;
	struct mm_web_live *older, *newer; /* of its connection */
	struct mm_web_live *prev, *next;   /* of the worker */
	size_t text_b;
	/* What most exchanges find room in. */
	struct mm_web_field few[2][MM_WEB_FEW];
	uint8_t text[MM_WEB_FEW_TEXT];
};

/** The exchanges of one connection, in flow state; zero is none. */
struct mm_web_conn {
	struct mm_web_live *oldest, *newest;
	size_t n, bytes;
	uint64_t n_made;
};

/** A new exchange at the end of the connection's; NULL when memory is out. */
struct mm_web_live *mm_web_begin(struct mm_dissect *d, struct mm_web_conn *conn, size_t conn_max);
/** Let it belong to another connection of the same worker. */
void mm_web_move(struct mm_web_live *l, struct mm_web_conn *to);
/** The exchange of this order; NULL when there is none. */
struct mm_web_live *mm_web_find(const struct mm_web_conn *conn, uint32_t order);
/** The message at hand is part of this side's. */
void mm_web_seen(const struct mm_dissect *d, struct mm_web_live *l, enum mm_dir side);

/** Add header fields, which are copied. */
void mm_web_add_fields(
        struct mm_web_live *l, enum mm_dir side, const struct mm_web_field *fields, size_t n);
/** A copy that lives as long as the exchange; empty when memory is out. */
struct mm_slice mm_web_copy(struct mm_web_live *l, struct mm_slice text);
/** Forget what was read of this side. */
void mm_web_clear(struct mm_web_live *l, enum mm_dir side);

/** Method and target are known: copy them, and fill in what follows from them and from the fields. */
void mm_web_set_request(struct mm_dissect *d, struct mm_web_live *l, struct mm_slice method,
        struct mm_slice target);

/** The longest body kept of a message with these fields, which is this side's of x; 0: none is. */
size_t mm_web_keep_up_to(
        const struct mm_web_exchange *x, const struct mm_web_message *m, enum mm_dir side);

/** The header block of this side was read: is its body worth keeping? length: SIZE_MAX when not known. */
bool mm_web_wants_body(struct mm_web_live *l, enum mm_dir side, size_t length);
/** So many octets more (or less, of what was counted before) are in use for it elsewhere. */
void mm_web_charge(struct mm_web_live *l, size_t more);
/** Part of a body that is kept. False when there is no room for more: the body is then cut. */
bool mm_web_add_body(struct mm_web_live *l, enum mm_dir side, struct mm_slice part);

/** The rest of a body that is kept is too long for that. */
void mm_web_cut_body(struct mm_web_live *l, enum mm_dir side);

/** Hand it over and free it. */
void mm_web_finish(struct mm_dissect *d, struct mm_web_live *l);
/** The same for all of a connection, as they are. */
void mm_web_finish_all(struct mm_dissect *d, struct mm_web_conn *conn);

/* Shared by those who read exchanges. */

struct mm_slice mm_web_trim(struct mm_slice s);
bool mm_web_is_word(struct mm_slice s, const char *word);
struct mm_slice mm_web_media_type(const struct mm_web_message *m);

/** What a body's media type says of it. */
enum mm_web_interest {
	MM_WEB_NO_INTEREST,
	MM_WEB_OF_INTEREST, /* may bear a credential */
	MM_WEB_PAGE,        /* the same where the request is of that kind: form_post */
};
enum mm_web_interest mm_web_interest(const struct mm_web_message *m);
/** Method, path, host, user agent and client of the request. */
void mm_web_put_request(struct mm_event *ev, const struct mm_web_exchange *x);

/** Who a trusted proxy says the client is: X-Forwarded-For or Forwarded. False when nobody does. */
bool mm_web_forwarded(const struct mm_web *w, const struct mm_addr *peer,
        const struct mm_web_message *m, struct mm_addr *client);

/** MS-KKDCP: Kerberos messages in an exchange with a KDC proxy. */
bool mm_kkdcp_is_path(struct mm_slice path);
void mm_kkdcp_exchange(struct mm_dissect *d, struct mm_web_exchange *x);

/** What libhtp is set up with, kept for a worker; NULL, and freed by the second, in the first call. */
void **mm_web_reader_slot(struct mm_web *w, void (*done)(void *));

#endif
