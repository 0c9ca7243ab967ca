/* One HTTP request with its answer, whichever version carried it: what http.c and http2.c fill, and what those
 * who look for credentials in them read.
 *
 *	POST /token?tenant=a HTTP/1.1               HTTP/1.1 200 OK
 *	Host: login.example:8443                    Content-Type: application/json
 *	Content-Type: application/x-www-form-...    Content-Encoding: br
 *
 *	grant_type=refresh_token&...                {"access_token":"eyJ...
 *
 * is one exchange: method "POST", host "login.example", path "/token", query "tenant=a", request.body and
 * response.body without transfer and content codings, status 200. It is handed over once: when the answer is
 * complete as far as it is kept, or with status 0 when there will be none (the flow ended, bytes were lost). Slices are
 * valid until the consumer returns.
 *
 * Bodies are kept by their media type and up to a length; all others are passed over unread. */
#ifndef MM_DISSECT_WEB_H
#define MM_DISSECT_WEB_H

#include "dissect/dissect.h"

enum {
	MM_WEB_FIELDS_MAX = 128,        /* header fields kept of one message */
	MM_WEB_HEADERS_MAX = 64 * 1024, /* octets of a header block */
	MM_WEB_BODY_MAX = 256 * 1024,   /* octets of a body kept, before and after decoding */
	MM_WEB_PAGE_MAX = 64 * 1024,    /* the same of an HTML page */
	MM_WEB_PARAMS_MAX = 256,        /* parameters read of one form or query */
	MM_WEB_PARAM_ROOM =
	        64 * 1024, /* octets of one decoded parameter that suffice for all that matters */
	MM_WEB_PROXIES_MAX = 256,  /* networks in http.proxies */
	MM_WEB_FORWARDED_MAX = 32, /* addresses read of a chain of proxies */
};

enum mm_web_version {
	MM_WEB_HTTP_1_0 = 10,
	MM_WEB_HTTP_1_1 = 11,
	MM_WEB_HTTP_2 = 20,
};

/* Facts about one message, bits of mm_web_message.flags. */
enum {
	MM_WEB_SEEN = 1u << 0,      /* its header block was read */
	MM_WEB_BODY_KEPT = 1u << 1, /* body holds it, or the front of it */
	MM_WEB_BODY_TRUNCATED =
	        1u
	        << 2, /* part of the body is missing: too long, lost, or the flow ended within it */
	MM_WEB_BODY_OPAQUE =
	        1u
	        << 3, /* its content coding is unknown or broken, or expands too far: body is empty */
	MM_WEB_FIELDS_CUT = 1u << 4, /* there were more fields than are kept */
	MM_WEB_LOSSY = 1u << 5,      /* bytes of the flow were lost before */
};

struct mm_web_field {
	struct mm_slice name;  /* as spelled; in HTTP/2 lower case */
	struct mm_slice value; /* without surrounding blanks; folded lines joined */
};

struct mm_web_message {
	const struct mm_web_field *fields; /* in order; no pseudo-header fields, and no trailers */
	size_t n_fields;
	uint64_t names;       /* a sieve of their names, by mm_web_name_bit(); 0: not made */
	struct mm_slice body; /* decoded; empty when it is not kept */
	uint32_t flags;       /* MM_WEB_* */
	struct mm_pkt first,
	        last; /* packets with its first and last octet, as far as it is read: a body that is
	                              not kept is passed over; number 0: not seen */
	int64_t time_ns; /* of last; 0: not seen */
};

struct mm_web_exchange {
	uint64_t number; /* on its connection, from 0 */
	enum mm_web_version version;
	struct mm_slice method;
	struct mm_slice scheme;    /* of an absolute target or :scheme; empty: not told */
	struct mm_slice authority; /* Host, :authority or of the target, as spelled: with port */
	struct mm_slice host;      /* the same without user information and port */
	struct mm_slice path;      /* with parameters, without query; as spelled */
	struct mm_slice query;     /* without the '?'; as spelled */
	unsigned status;           /* 0: no answer seen */
	struct mm_web_message request, response;
	struct mm_addr client; /* whom a trusted proxy names, else the flow's client */
	bool forwarded;        /* client was named by a trusted proxy */
};

/** Its bit in a sieve: most names that are not there are told by it. */
static inline uint64_t mm_web_name_bit(struct mm_slice name)
{
	return UINT64_C(1) << ((name.len * 7 + ((unsigned)mm_at(name, 0) | 0x20)) & 63);
}

/** The exchange is complete: called by http.c and http2.c once for each. */
void mm_web_exchange(struct mm_dissect *d, struct mm_web_exchange *x);

/** Who reads it: tokens and logins. */
void mm_oauth_exchange(struct mm_dissect *d, struct mm_web_exchange *x);

/** A new event of this exchange: beyond what mm_dissect_event() fills in, the times and packets of request and answer
 * (instead of those at hand), client where a trusted proxy named it, and the attributes
 * http.request.method, url.path (without parameters), url.domain, http.response.status_code, user_agent.original,
 * http.version, mintmark.http.forwarded_for. Outcome and status are the caller's. NULL: none to be had. */
struct mm_event *mm_web_event(struct mm_dissect *d, const struct mm_web_exchange *x,
        enum mm_event_kind kind, const char *action);

/* Header fields. */

/** The value of the nth field (from 0) of this name, which is in lower case; false when there is none. */
bool mm_web_header(
        const struct mm_web_message *m, const char *lower_name, size_t nth, struct mm_slice *value);

/** Is the media type of the message this one, in lower case ("application/json"; RFC 9110 section 8.3)? Parameters
 * such as charset do not count. */
bool mm_web_is_type(const struct mm_web_message *m, const char *type);
/** application/json, or any type with the suffix +json (RFC 6839 section 3.1). */
bool mm_web_is_json(const struct mm_web_message *m);
/** application/x-www-form-urlencoded. */
bool mm_web_is_form(const struct mm_web_message *m);
/** text/xml, application/xml, or any type with the suffix +xml. */
bool mm_web_is_xml(const struct mm_web_message *m);

/** Split credentials or a challenge, auth-scheme [ 1*SP rest ] (RFC 9110 section 11): is the scheme this word, whatever its
 * case? *rest: what follows it, trimmed. */
bool mm_web_scheme(struct mm_slice value, const char *scheme, struct mm_slice *rest);

/* Parameters: application/x-www-form-urlencoded, of bodies, queries and fragments. */

struct mm_web_param {
	struct mm_slice name, value; /* decoded; valid until the next call */
	bool cut; /* did not fit into the room, or an escape was broken: value is empty or a part */
};

struct mm_web_params {
	struct mm_cursor left;
	uint8_t *room;
	size_t room_b, n;
};

/** Clear what may have been decoded of this exchange into a room: from its parameters, form and fields, each from the
 * room's beginning on. */
void mm_web_wipe(const struct mm_web_exchange *x, uint8_t *room, size_t room_b);

/** Read the parameters of text ("a=b&c=d"). What needs decoding is decoded into room, the caller's, room_b octets; what
 * does not is borrowed from text. */
struct mm_web_params mm_web_params(struct mm_slice text, uint8_t *room, size_t room_b);
/** The next one; false at the end and after MM_WEB_PARAMS_MAX. */
bool mm_web_param_next(struct mm_web_params *it, struct mm_web_param *p);
/** The first parameter of this name (case matters, RFC 6749 appendix B); false when there is none. */
bool mm_web_param_find(struct mm_slice text, const char *name, uint8_t *room, size_t room_b,
        struct mm_web_param *p);
/** The body, if it is a form that was kept; else an empty slice. */
struct mm_slice mm_web_form(const struct mm_web_message *m);

/** Decode %XX, and + to a space when plus, into room; false when it does not fit or an escape is broken. */
bool mm_web_unescape(
        struct mm_slice text, bool plus, uint8_t *room, size_t room_b, struct mm_slice *out);

/** Take a URI apart (RFC 3986 section 3), absolute or not: each part empty when it is not there. */
struct mm_web_uri {
	struct mm_slice scheme, authority, path, query, fragment;
};
void mm_web_uri(struct mm_slice text, struct mm_web_uri *out);
/** An authority without user information and port. */
struct mm_slice mm_web_host(struct mm_slice authority);

/* Cookies, RFC 6265. */

struct mm_web_cookies {
	const struct mm_web_message *m;
	size_t nth, n;
	struct mm_cursor left;
};

/** All cookies of a request (Cookie fields, several in HTTP/2), in order; of a response, those that Set-Cookie sets,
 * without attributes. */
struct mm_web_cookies mm_web_cookies(const struct mm_web_message *m);
bool mm_web_cookie_next(struct mm_web_cookies *it, struct mm_slice *name, struct mm_slice *value);

/* Who logs in, without the secret. */

/** The user of Basic credentials (RFC 7617; Proxy-Authorization with proxy), decoded into room up to the colon; what follows
 * it is wiped. */
bool mm_web_basic_user(const struct mm_web_exchange *x, bool proxy, uint8_t *room, size_t room_b,
        struct mm_slice *user);
/** Is the request a form with a field that by its name holds a password? *user: the value of the field that names the
 * user, empty when none does; the password is not in room afterwards. */
bool mm_web_login_user(
        const struct mm_web_exchange *x, uint8_t *room, size_t room_b, struct mm_slice *user);

#endif
