/* Events: the one vocabulary that all protocols share, and the attributes that each declares.
 *
 * A dissector makes an event with mm_dissect_event(), fills the common fields, puts protocol detail into
 * attributes, and emits it once what it speaks of is known. Strings are copied into the event here and
 * nowhere else, so an event outlives the packet. The ledger and the detectors read the common fields.
 *
 * An event is made in a room that has space for the longest; what is emitted is packed into as many bytes as it
 * needs, since thousands may wait to be put in order. */
#ifndef MM_EVENT_EVENT_H
#define MM_EVENT_EVENT_H

#include "base/addr.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "base/path.h"

struct mm_geo_place;

enum mm_event_kind {
	MM_EV_REQUEST,   /* a credential was asked for, and none was given (yet) */
	MM_EV_CHALLENGE, /* the verifier asks for proof */
	MM_EV_ISSUE,     /* an issuer handed out a credential */
	MM_EV_PRESENT,   /* a credential was shown to a verifier */
	MM_EV_RESULT,    /* a verdict that stands alone */
	MM_EV_KEY,       /* a key was published */
	MM_EV_ACTION,    /* something done inside an authenticated session */
	MM_EV_BLIND, /* a connection with dst could not be read; user: the name the client has for it. Leaves no record */
	MM_EV_LOSS, /* what dst sends and is sent was lost in part; dst unset: of all hosts. Leaves no record */
};

enum mm_outcome {
	MM_UNKNOWN, /* the answer was not seen, or says nothing */
	MM_SUCCESS,
	MM_FAILURE,
};

/** A string inside an event: its bytes as they were on the wire, not NUL-terminated. */
struct mm_str {
	const char *p;
	size_t len;
};

enum mm_cred_kind {
	MM_CRED_NONE,
	MM_CRED_TGT,      /* krbtgt/R@R: presented to the KDC that issued it */
	MM_CRED_REFERRAL, /* krbtgt/S@R, S not R: presented to the KDC of S (RFC 6806 section 8) */
	MM_CRED_SERVICE,  /* any other ticket */
	/* RFC 6749, RFC 7519, OpenID Connect: */
	MM_CRED_CODE,          /* authorization code, device code or pushed request_uri */
	MM_CRED_ACCESS_TOKEN,  /* shown to a resource server */
	MM_CRED_REFRESH_TOKEN, /* shown to the token endpoint that issued it */
	MM_CRED_ID_TOKEN,      /* tells a client who its user is */
	MM_CRED_ASSERTION,     /* authorization grant: JWT or SAML bearer, RFC 7521 section 4.1 */
	MM_CRED_CLIENT_ASSERTION, /* signed by a client to name itself, RFC 7521 section 4.2 */
};

enum { MM_CRED_KINDS = MM_CRED_CLIENT_ASSERTION + 1 };

/** Is it a token of the web, which its holder needs no key to show? */
static inline bool mm_cred_is_token(enum mm_cred_kind kind)
{
	return kind >= MM_CRED_CODE;
}

enum mm_cred_role {
	MM_ROLE_ISSUED,    /* handed to the client */
	MM_ROLE_PRESENTED, /* the client proves possession: the ticket of an AP-REQ */
	MM_ROLE_ARMOR,     /* the same, protecting a request (FAST armor, RFC 6113 section 5.4.1) */
	MM_ROLE_EVIDENCE, /* somebody else's credential, shown without its key: additional-tickets */
};

/** A credential as the wire shows it: what is outside its encryption. */
struct mm_cred {
	struct mm_fp fp;
	enum mm_cred_kind kind;
	enum mm_cred_role role;
	struct mm_str issuer;    /* Ticket.realm, as spelled */
	struct mm_str service;   /* Ticket.sname, components joined by '/', as spelled */
	struct mm_str principal; /* KDC-REP.cname; empty when the wire hides it */
	struct mm_str principal_realm;
	int64_t kvno;      /* EncryptedData.kvno; -1 when absent */
	int32_t alg;       /* EncryptedData.etype */
	int32_t name_type; /* Ticket.sname.name-type */
	uint32_t length;   /* bytes of EncryptedData.cipher; of a token: of its serialisation */

	/* Of tokens. issuer is iss, service aud, principal sub, principal_realm tid, as far as the token shows them. */
	struct mm_str
	        raw; /* a JWT's compact serialisation, for its verification alone: neither stored nor written */
	struct mm_str client;        /* client_id, azp or appid */
	struct mm_str kid, alg_name; /* JOSE header */
	int64_t iat_s, nbf_s, exp_s; /* NumericDate, RFC 7519 section 2; 0: absent */
	bool jwt;                    /* it is one; false: opaque */
};

/* Facts about an exchange, enum bits of mm_event.flags. */
enum {
	MM_EVF_RENEWAL = 1u << 0, /* kdc-options renew */
	MM_EVF_FORWARDED =
	        1u << 1, /* kdc-options forwarded: the ticket will appear from another host */
	MM_EVF_S4U_SELF =
	        1u << 2, /* PA-FOR-USER or PA-S4U-X509-USER: the reply names another client */
	MM_EVF_S4U_PROXY = 1u << 3,  /* kdc-options cname-in-addl-tkt */
	MM_EVF_U2U = 1u << 4,        /* kdc-options enc-tkt-in-skey */
	MM_EVF_ARMORED = 1u << 5,    /* FAST: inner padata and parts of the answer are hidden */
	MM_EVF_ANONYMOUS = 1u << 6,  /* the client's name is hidden on purpose */
	MM_EVF_MALFORMED = 1u << 7,  /* part of the message could not be read */
	MM_EVF_ONE_SIDED = 1u << 8,  /* only one direction of the exchange was seen */
	MM_EVF_LOSSY = 1u << 9,      /* bytes of this flow were lost before this event */
	MM_EVF_TRUNCATED = 1u << 10, /* a list or text did not fit and was cut */
	/* What the ledger says of the credential presented: */
	MM_EVF_ORPHAN = 1u << 11,  /* never seen issued */
	MM_EVF_TAINTED = 1u << 12, /* obtained with an orphan */
	MM_EVF_COPY =
	        1u
	        << 13, /* another leg of a request that was counted: shown again behind a proxy */
};

/** What an attempt to authenticate came to, whatever the protocol says it with. */
enum mm_meaning {
	MM_MEANING_NONE,
	MM_MEANING_BAD_PASSWORD,
	MM_MEANING_NO_SUCH_USER,
	MM_MEANING_LOCKED,         /* or disabled, or revoked */
	MM_MEANING_PASSWORD_RIGHT, /* and let in */
	MM_MEANING_RIGHT_BUT, /* the password is right, but something else is asked for: a new one, MFA, other hours */
	MM_MEANING_REFUSED, /* user or password: the answer does not tell which */
	MM_MEANING_N,
};

/** With what a token was asked for: RFC 6749 section 4, RFC 7523, RFC 8628, RFC 8693. */
enum mm_grant {
	MM_GRANT_NONE,
	MM_GRANT_CODE,
	MM_GRANT_IMPLICIT,
	MM_GRANT_REFRESH,
	MM_GRANT_CLIENT, /* client_credentials */
	MM_GRANT_PASSWORD,
	MM_GRANT_DEVICE,
	MM_GRANT_EXCHANGE,
	MM_GRANT_JWT_BEARER,
	MM_GRANT_SAML_BEARER,
	MM_GRANT_CIBA,
	MM_GRANT_OTHER,
	MM_GRANT_N,
};

/** How a client names itself at the token endpoint: OpenID Connect Core 1.0 section 9, RFC 8705. */
enum mm_client_auth {
	MM_CLIENT_AUTH_UNKNOWN,
	MM_CLIENT_AUTH_NONE, /* public */
	MM_CLIENT_AUTH_SECRET_BASIC,
	MM_CLIENT_AUTH_SECRET_POST,
	MM_CLIENT_AUTH_SECRET_JWT,
	MM_CLIENT_AUTH_PRIVATE_KEY_JWT,
	MM_CLIENT_AUTH_TLS,
	MM_CLIENT_AUTH_N,
};

/** By which scheme a token was shown: RFC 6750, RFC 9449. */
enum mm_scheme {
	MM_SCHEME_NONE,
	MM_SCHEME_BEARER,
	MM_SCHEME_DPOP,
};

enum mm_status_domain {
	MM_STATUS_NONE,
	MM_STATUS_KRB5,   /* RFC 4120 section 7.5.9 */
	MM_STATUS_NT,     /* MS-ERREF section 2.3.1 */
	MM_STATUS_LDAP,   /* RFC 4511 section 4.1.9 */
	MM_STATUS_HTTP,   /* RFC 9110 section 15 */
	MM_STATUS_DCERPC, /* C706 chapter 12: fault status or provider reject reason */
	MM_STATUS_GSS,    /* SPNEGO negState, RFC 4178 section 4.2.2 */
};

struct mm_status {
	enum mm_status_domain domain;
	uint32_t code;
};

enum mm_attr_type {
	MM_ATTR_INT,
	MM_ATTR_STR,
	MM_ATTR_INTS, /* list of int64_t */
	MM_ATTR_BOOL,
};

/** A declared attribute of a protocol. Events refer to it by address. */
struct mm_attr {
	const char *name; /* as it leaves the program: "mintmark.kerberos.msg_type" */
	enum mm_attr_type type;
	const char *help; /* one line, with the specification's name and section */
};

struct mm_attr_value {
	const struct mm_attr *attr;
	union { /* by attr->type */
		int64_t number;
		struct mm_str str;
		struct {
			const int64_t *numbers;
			size_t n_numbers;
		};
	};
};

enum {
	MM_EVENT_CREDS = 6,
	MM_EVENT_ATTRS = 32,
	MM_EVENT_PKTS = 8,
	MM_EVENT_TEXT = 6144, /* bytes of its strings: long names asked leave room for the answer */
	MM_EVENT_NUMBERS = 96,    /* numbers of all lists of one event */
	MM_EVENT_RAW = 40 * 1024, /* bytes of all raw tokens and documents of one event */
	MM_RAW_MAX = 16 * 1024,   /* a longer token is known by its fingerprint alone */
	MM_STR_MAX = 512,         /* longer strings are cut and MM_EVF_TRUNCATED set */
	MM_CID_TEXT = 31,         /* "1:" + base64 of 20 bytes + NUL */
};

struct mm_event {
	int64_t time_ns; /* of the packet that ended the message which made the event, since 1970 UTC */
	int64_t key_ns; /* order of events: packet time at which it was known, then seq; set at emit */
	uint64_t seq;
	enum mm_event_kind kind;
	enum mm_outcome outcome;
	const char *protocol;        /* name of the dissector that made it */
	const char *action;          /* "as-exchange", "tgs-exchange", "smb2-session-setup", ... */
	struct mm_endpoint src, dst; /* client and server of the flow */
	const char *transport;       /* "tcp" or "udp" */
	char community_id[MM_CID_TEXT];
	struct mm_path path; /* of the flow */
	struct mm_str user;  /* the principal who acts, as best known */
	struct mm_str user_realm;
	struct mm_addr
	        client; /* who acts, where a trusted proxy names another than src; family 0: src does */
	struct mm_str app;    /* client_id of the application that acts */
	struct mm_str agent;  /* User-Agent: the software that acts */
	struct mm_str method; /* of HTTP */
	struct mm_str place;  /* what of the server was asked for: host and path */
	struct mm_str
	        document; /* raw: of MM_EV_KEY what was published, of others a proof (RFC 9449): not written */
	enum mm_meaning meaning;
	enum mm_grant grant;
	enum mm_client_auth client_auth;
	enum mm_scheme scheme;
	struct mm_fp
	        authorization; /* what joins the messages of one: state (RFC 6749) or user_code (RFC 8628); zero: none */
	struct mm_fp cert; /* SHA-256 of the client's TLS certificate, cut; zero: none seen */
	bool no_cert;      /* the client showed none in a TLS handshake that was read */
	struct mm_status status;
	uint32_t flags;
	uint32_t n_lost,
	        n_seen; /* MM_EV_LOSS: how often, of how often it could have been; n_seen 0: not known */
	uint64_t
	        stack; /* hash of the client's habits in this request; 0: none. Same software, same value */
	int32_t reply_alg; /* etype of the reply's own enc-part; 0: none */
	int64_t reply_kvno; /* kvno of the same; -1: none. In an AS-REP: the client account's key version */
	int64_t request_ns; /* packet time of the request; 0: not seen */
	int64_t response_ns;
	struct mm_pkt request_pkt,
	        response_pkt; /* packets that complete each message; number 0: not seen */
	struct mm_pkt pkts[MM_EVENT_PKTS]; /* all packets of both messages, ascending, no repeats */
	size_t n_pkts;
	struct mm_cred *creds;
	size_t n_creds;
	struct mm_attr_value *attrs;
	size_t n_attrs;
	const struct mm_geo_place *
	        geo; /* where who acts is, as far as a database knows; set while it is analysed, NULL else */
	const char *
	        signature; /* of the JWT that is shown: "valid", "invalid", "unknown"; set while it is analysed, NULL else */
	void *holder; /* for whoever holds it */
	uint32_t
	        packed_size; /* bytes it takes with all it points to; 0: not packed, more can be added */
};

/** Where an event is made. */
struct mm_event_room {
	struct mm_event ev;
	size_t n_text, n_numbers, n_raw;
	struct mm_cred creds[MM_EVENT_CREDS];
	struct mm_attr_value attrs[MM_EVENT_ATTRS];
	int64_t numbers[MM_EVENT_NUMBERS];
	char text[MM_EVENT_TEXT];
	char raw[MM_EVENT_RAW]; /* most events have none: its pages are not touched */
};

/** An empty event in this room. */
struct mm_event *mm_event_init(struct mm_event_room *room);

/** Bytes that mm_event_pack() needs for the event. */
size_t mm_event_packed_size(const struct mm_event *ev);

/** Copy an event that is not packed into this memory, aligned for any type and of at least mm_event_packed_size() bytes. The
 * copy holds all it points to. */
struct mm_event *mm_event_pack(const struct mm_event *ev, void *to);

/** Copy bytes into the event; cut at MM_STR_MAX or when its text is full (then MM_EVF_TRUNCATED). */
struct mm_str mm_event_str(struct mm_event *ev, struct mm_slice s);

/** Copy bytes that never leave the program. Empty when they are more than max or there is no room (then MM_EVF_TRUNCATED). */
struct mm_str mm_event_raw(struct mm_event *ev, struct mm_slice s, size_t max);

/** The address of who acts. */
static inline const struct mm_addr *mm_event_client(const struct mm_event *ev)
{
	return ev->client.family != 0 ? &ev->client : &ev->src.addr;
}

/** Copy the concatenation a, sep, b (no sep when a is empty). */
struct mm_str mm_event_join(struct mm_event *ev, struct mm_str a, char sep, struct mm_slice b);

/* Each attribute is put once: a later value is left out, so that no repetition takes the room of others. */
void mm_event_put_int(struct mm_event *ev, const struct mm_attr *attr, int64_t v);
void mm_event_put_bool(struct mm_event *ev, const struct mm_attr *attr, bool v);
void mm_event_put_str(struct mm_event *ev, const struct mm_attr *attr, struct mm_slice s);
void mm_event_put_ints(struct mm_event *ev, const struct mm_attr *attr, const int64_t *v, size_t n);

/** The value of an attribute; NULL when the event has none. Borrowed. */
const struct mm_attr_value *mm_event_get(const struct mm_event *ev, const struct mm_attr *attr);

/** A new credential slot in this role, or NULL when all are taken (then MM_EVF_TRUNCATED). */
struct mm_cred *mm_event_cred(struct mm_event *ev, enum mm_cred_role role);

/** The first credential in this role; NULL when there is none. */
const struct mm_cred *mm_event_find_cred(const struct mm_event *ev, enum mm_cred_role role);

/** Note the packets first..last of a message as part of this event's evidence. */
void mm_event_add_pkts(struct mm_event *ev, struct mm_pkt first, struct mm_pkt last);

bool mm_str_eq(struct mm_str a, struct mm_str b);
/** ASCII case-insensitive: realms, host names and Windows account names. */
bool mm_str_ieq(struct mm_str a, struct mm_str b);
/** Does the word stand in it somewhere, in whatever case? */
bool mm_str_iholds(struct mm_str s, const char *word);

static inline struct mm_slice mm_str_slice(struct mm_str s)
{
	return mm_slice(s.p, s.len);
}

/* A pool of rooms: no allocation on the packet path once it is warm. */
struct mm_event_pool {
	struct mm_event *free_list; /* linked by holder */
	size_t n_live, max_live;
	uint64_t n_refused; /* how often max_live was hit */
};

void mm_event_pool_init(struct mm_event_pool *pool, size_t max_live);
void mm_event_pool_done(struct mm_event_pool *pool);

/** A cleared event, owned by the caller until mm_event_free or until it is emitted; NULL when max_live
 * events are out or memory is. */
struct mm_event *mm_event_alloc(struct mm_event_pool *pool);
void mm_event_free(struct mm_event_pool *pool, struct mm_event *ev);

/* Names as they leave the program. */
const char *mm_event_kind_name(enum mm_event_kind kind);
const char *mm_outcome_name(enum mm_outcome outcome);
const char *mm_grant_name(enum mm_grant grant);
const char *mm_client_auth_name(enum mm_client_auth auth);
const char *mm_meaning_name(enum mm_meaning meaning);
const char *mm_cred_kind_name(enum mm_cred_kind kind);
const char *mm_cred_role_name(enum mm_cred_role role);
const char *mm_attr_type_name(enum mm_attr_type type);
const char *mm_status_domain_name(enum mm_status_domain domain);

#endif
