/* OAuth 2.0 and OpenID Connect, as far as files of dissect/ share it. */
#ifndef MM_DISSECT_OAUTH_H
#define MM_DISSECT_OAUTH_H

#include "dissect/web.h"
#include "keys/json.h"

extern const struct mm_dissector mm_oauth;

/* token.c: one token becomes a credential. */

/** Count JSON that could not be read. */
void mm_oauth_fault(struct mm_dissect *d, enum mm_json_fault fault);

/** Put a token into the event: its fingerprint, and what it shows of itself. NULL when it is empty or there is no room. */
struct mm_cred *mm_oauth_cred(struct mm_dissect *d, struct mm_event *ev, enum mm_cred_role role,
        enum mm_cred_kind kind, struct mm_slice token);

/** The same for a token that is shown; *jti is what it calls itself, in room, empty when it does not. */
struct mm_cred *mm_oauth_shown(struct mm_dissect *d, struct mm_event *ev, enum mm_cred_kind kind,
        struct mm_slice token, uint8_t room[MM_STR_MAX + 1], struct mm_slice *jti);

/** The host and path of the request, for ev->place; its method, its software; status and outcome of the answer. */
void mm_oauth_place(struct mm_event *ev, const struct mm_web_exchange *x);

/* login.c */

/** Passwords shown in the request, by whatever means but grants: Basic, forms, WS-Trust. */
void mm_login_exchange(struct mm_dissect *d, struct mm_web_exchange *x);

/** What a token endpoint's error says of the password (RFC 6749 section 5.2; codes of Microsoft's in its description). */
enum mm_meaning mm_login_meaning(struct mm_slice error, struct mm_slice description);

#endif
