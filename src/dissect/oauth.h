/* OAuth 2.0 and OpenID Connect, as far as files of dissect/ share it. */
#ifndef MM_DISSECT_OAUTH_H
#define MM_DISSECT_OAUTH_H

#include "dissect/web.h"
#include "keys/json.h"

extern const struct mm_dissector mm_oauth;

/** Its attributes, mm_oauth_attrs[]. */
enum {
	MM_OAUTH_ERROR,
	MM_OAUTH_SCOPE,
	MM_OAUTH_RESPONSE_TYPE,
	MM_OAUTH_CHALLENGE,
	MM_OAUTH_PROMPT,
	MM_OAUTH_JTI,
	MM_OAUTH_ACTIVE,
	MM_OAUTH_WHERE,
	MM_OAUTH_KEYS,
	MM_OAUTH_AUTHORIZATION,
	MM_OAUTH_ATTRS,
};
extern const struct mm_attr mm_oauth_attrs[MM_OAUTH_ATTRS];

/** A new event of this exchange, with its place, software and client certificate. */
struct mm_event *mm_oauth_event(struct mm_dissect *d, const struct mm_web_exchange *x,
        enum mm_event_kind kind, const char *action);

/** A parameter of the form or, without one, of the query; room: of MM_WEB_PARAM_ROOM octets. */
bool mm_oauth_param(
        const struct mm_web_exchange *x, const char *name, uint8_t *room, struct mm_slice *value);

/** The same as an attribute, when it is there. */
void mm_oauth_put_param(struct mm_event *ev, const struct mm_web_exchange *x, const char *name,
        size_t attr, uint8_t *room);

/** Of whom the tokens that were issued speak. */
void mm_oauth_put_user(struct mm_event *ev);

/* authorize.c */

/** Authorizations: asked for, and answered with a code or tokens. */
void mm_oauth_authorization(struct mm_dissect *d, const struct mm_web_exchange *x, uint8_t *room);

/** The code that a user types in elsewhere, as what joins these messages. */
void mm_oauth_put_user_code(struct mm_event *ev, struct mm_slice user_code);

/* token.c: one token becomes a credential. */

/** Count JSON that could not be read. */
void mm_oauth_fault(struct mm_dissect *d, enum mm_json_fault fault);

/** Put a token into the event: its fingerprint, and what it shows of itself. NULL when it is empty or there is no room. */
struct mm_cred *mm_oauth_cred(struct mm_dissect *d, struct mm_event *ev, enum mm_cred_role role,
        enum mm_cred_kind kind, struct mm_slice token);

/** The host and path of the request, for ev->place; its method, its software; status and outcome of the answer. */
void mm_oauth_place(struct mm_event *ev, const struct mm_web_exchange *x);

/* login.c */

/** Passwords shown in the request, by whatever means but grants: Basic, forms, WS-Trust. */
void mm_login_exchange(struct mm_dissect *d, struct mm_web_exchange *x);

/** What a token endpoint's error says of the password (RFC 6749 section 5.2; codes of Microsoft's in its description). */
enum mm_meaning mm_login_meaning(struct mm_slice error, struct mm_slice description);

#endif
