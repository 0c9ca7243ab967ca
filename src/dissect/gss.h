/* What carriers hand to the GSS-API: tokens, and the life of a presentation inside a carrier.
 *
 * A carrier (SMB2, LDAP, HTTP, DCE/RPC) passes each client token to mm_gss_request() and each answer of the
 * server to mm_gss_response(); between them they find AP-REQ and AP-REP in whatever wrapping the peers
 * chose (RFC 2743 section 3.1 with OID, SPNEGO NegTokenInit and NegTokenResp of RFC 4178, Microsoft's raw
 * forms, MS-SPNG) and emit one PRESENT event per ticket shown, with the verifier's verdict. */
#ifndef MM_DISSECT_GSS_H
#define MM_DISSECT_GSS_H

#include "dissect/dissect.h"

enum mm_token_kind {
	MM_TOKEN_NONE,   /* empty, or SPNEGO without a mechToken */
	MM_TOKEN_AP_REQ, /* inner: the AP-REQ, from its [APPLICATION 14] */
	MM_TOKEN_AP_REP,
	MM_TOKEN_KRB_ERROR,
	MM_TOKEN_NTLM, /* inner: from "NTLMSSP\0" */
	MM_TOKEN_OTHER,
};

/* negState of NegTokenResp, RFC 4178 section 4.2.2. */
enum mm_neg_state {
	MM_NEG_ACCEPT_COMPLETED = 0,
	MM_NEG_ACCEPT_INCOMPLETE = 1,
	MM_NEG_REJECT = 2,
	MM_NEG_REQUEST_MIC = 3,
	MM_NEG_ABSENT = -1,
};

struct mm_token {
	enum mm_token_kind kind;
	struct mm_slice inner; /* borrowed from the token read */
	int neg_state;         /* enum mm_neg_state */
	bool spnego;
	bool malformed;
};

/** Read one token of any of the forms above. Never fails: what it cannot read is MM_TOKEN_OTHER. */
void mm_gss_read(struct mm_slice token, struct mm_token *out);

/** What the carrier's own answer says of the attempt. */
enum mm_verdict {
	MM_VERDICT_CONTINUE, /* more legs follow (SMB2 MORE_PROCESSING_REQUIRED, LDAP saslBindInProgress) */
	MM_VERDICT_ACCEPTED,
	MM_VERDICT_REFUSED,
	MM_VERDICT_UNKNOWN, /* answered, but not to the attempt: a redirection, a failure of the server */
};

/** A ticket shown, its verdict outstanding. Lives in the carrier's flow state; zero is none. */
struct mm_presentation {
	struct mm_event *ev;
};

/** The client sent a token. If it holds an AP-REQ, one outstanding before is emitted with outcome unknown and
 * this one becomes the outstanding one; an NTLM token, a change of mechanism, ends one too; any other leaves p as it is. action: "smb2-session-setup", ...
 * Returns the event of the AP-REQ, to which the carrier may add attributes, or NULL. */
struct mm_event *mm_gss_request(
        struct mm_dissect *d, struct mm_presentation *p, struct mm_slice token, const char *action);

/** The server answered, with a token or an empty slice. Emits the outstanding presentation, if any, as soon as
 * the verdict is known: an AP-REP in the token is acceptance whatever the carrier says of further legs, a
 * KRB-ERROR or negState reject is refusal; MM_VERDICT_CONTINUE without either leaves it outstanding. */
void mm_gss_response(struct mm_dissect *d, struct mm_presentation *p, struct mm_slice token,
        enum mm_verdict verdict, struct mm_status status);

/** The flow or the session ends, or what followed was lost: emit what is outstanding with outcome unknown. */
void mm_gss_end(struct mm_dissect *d, struct mm_presentation *p);

#endif
