/* GSS-API and SPNEGO tokens, and the life of a presentation inside a carrier. */
#include "dissect/gss.h"

#include "base/der.h"
#include "dissect/krb5.h"

enum {
	GSS_INITIAL = 0x60,    /* [APPLICATION 0], RFC 2743 section 3.1 */
	NEG_TOKEN_INIT = 0xa0, /* RFC 4178 section 4.2 */
	NEG_TOKEN_RESP = 0xa1,
	KRB_AP_REQ = 0x6e,
	KRB_AP_REP = 0x6f,
	KRB_ERROR = 0x7e,
	TOK_ID_LEN = 2, /* RFC 4121 section 4.1 */
	WRAPPERS_MAX = 4,
};

/* NegTokenInit ::= SEQUENCE { mechTypes [0], reqFlags [1], mechToken [2] OCTET STRING, mechListMIC [3] }
 * NegTokenResp ::= SEQUENCE { negState [0] ENUMERATED, supportedMech [1] OID, responseToken [2] OCTET STRING,
 *                             mechListMIC [3] }; all OPTIONAL. */
static struct mm_slice spnego(struct mm_slice token, struct mm_token *out)
{
	uint8_t tag;
	struct mm_slice body, inner = { 0 };
	struct mm_cursor c = mm_cursor(token), f;
	out->spnego = true;
	if (!mm_der_next(&c, &tag, &body))
		return inner;
	struct mm_cursor choice = mm_cursor(body);
	struct mm_cursor seq = mm_der_get(&choice, MM_DER_SEQUENCE);
	if (mm_der_opt(&seq, mm_der_context(0), &f) && tag == NEG_TOKEN_RESP) {
		struct mm_slice state = mm_der_string(&f, MM_DER_ENUMERATED);
		out->neg_state = mm_at(state, 0);
	}
	(void)mm_der_opt(&seq, mm_der_context(1), &f);
	if (mm_der_opt(&seq, mm_der_context(2), &f))
		inner = mm_der_string(&f, MM_DER_OCTET_STRING);
	if (seq.err)
		out->malformed = true;
	return inner;
}

/* InitialContextToken ::= [APPLICATION 0] IMPLICIT SEQUENCE { thisMech OID, innerContextToken ANY } */
static struct mm_slice initial_token(struct mm_slice token, struct mm_token *out)
{
	struct mm_cursor c = mm_cursor(token);
	struct mm_cursor body = mm_der_get(&c, GSS_INITIAL);
	(void)mm_der_get(&body, MM_DER_OID);
	if (body.err)
		out->malformed = true;
	return mm_rest(&body);
}

/* Kerberos messages stand alone, or behind a TOK_ID: 01 00 AP-REQ, 02 00 AP-REP, 03 00 KRB-ERROR. */
static enum mm_token_kind kerberos(struct mm_slice token, struct mm_slice *inner)
{
	static const struct {
		int tag;
		int tok_id;
		enum mm_token_kind kind;
	} messages[] = {
		{ KRB_AP_REQ, 1, MM_TOKEN_AP_REQ },
		{ KRB_AP_REP, 2, MM_TOKEN_AP_REP },
		{ KRB_ERROR, 3, MM_TOKEN_KRB_ERROR },
	};
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
		bool bare = mm_at(token, 0) == messages[i].tag;
		bool marked = mm_at(token, 0) == messages[i].tok_id && mm_at(token, 1) == 0 &&
		              mm_at(token, TOK_ID_LEN) == messages[i].tag;
		if (bare || marked) {
			*inner = mm_after(token, marked ? TOK_ID_LEN : 0);
			return messages[i].kind;
		}
	}
	return MM_TOKEN_OTHER;
}

void mm_gss_read(struct mm_slice token, struct mm_token *out)
{
	*out = (struct mm_token){ .kind = MM_TOKEN_NONE, .neg_state = MM_NEG_ABSENT };
	for (unsigned i = 0; i < WRAPPERS_MAX; i++) {
		int tag = mm_at(token, 0);
		if (tag == GSS_INITIAL)
			token = initial_token(token, out);
		else if (tag == NEG_TOKEN_INIT || tag == NEG_TOKEN_RESP)
			token = spnego(token, out);
		else
			break;
	}
	if (token.len == 0)
		return;
	out->kind = kerberos(token, &out->inner);
	if (out->kind != MM_TOKEN_OTHER)
		return;
	out->inner = token;
	if (mm_slice_eq(mm_first(token, sizeof "NTLMSSP"), mm_slice("NTLMSSP", sizeof "NTLMSSP")))
		out->kind = MM_TOKEN_NTLM;
}

struct mm_event *mm_gss_request(
        struct mm_dissect *d, struct mm_presentation *p, struct mm_slice token, const char *action)
{
	struct mm_token t;
	mm_gss_read(token, &t);
	/* Another ticket or another mechanism: what is answered from now on is not the one before. */
	if (t.kind == MM_TOKEN_AP_REQ || t.kind == MM_TOKEN_NTLM)
		mm_gss_end(d, p);
	if (t.kind != MM_TOKEN_AP_REQ)
		return NULL;
	struct mm_event *ev = mm_dissect_event(d, MM_EV_PRESENT, action);
	if (ev == NULL)
		return NULL;
	if (!mm_krb5_ap_req(ev, t.inner, MM_ROLE_PRESENTED)) {
		mm_dissect_drop(d, ev);
		return NULL;
	}
	p->ev = ev;
	return ev;
}

void mm_gss_response(struct mm_dissect *d, struct mm_presentation *p, struct mm_slice token,
        enum mm_verdict verdict, struct mm_status status)
{
	struct mm_token t;
	struct mm_event *ev = p->ev;
	if (ev == NULL)
		return;
	mm_gss_read(token, &t);
	if (t.kind == MM_TOKEN_KRB_ERROR || t.neg_state == MM_NEG_REJECT)
		verdict = MM_VERDICT_REFUSED;
	else if (t.kind == MM_TOKEN_AP_REP && verdict != MM_VERDICT_REFUSED)
		verdict = MM_VERDICT_ACCEPTED;
	if (verdict == MM_VERDICT_CONTINUE)
		return;
	mm_dissect_response(d, ev);
	ev->status = status;
	if (t.kind == MM_TOKEN_KRB_ERROR) {
		uint32_t code;
		if (mm_krb5_error_code(t.inner, &code))
			ev->status = (struct mm_status){ MM_STATUS_KRB5, code };
	} else if (t.neg_state == MM_NEG_REJECT && status.domain == MM_STATUS_NONE) {
		ev->status = (struct mm_status){ MM_STATUS_GSS, MM_NEG_REJECT };
	}
	ev->outcome = verdict == MM_VERDICT_ACCEPTED  ? MM_SUCCESS
	              : verdict == MM_VERDICT_REFUSED ? MM_FAILURE
	                                              : MM_UNKNOWN;
	p->ev = NULL;
	mm_dissect_emit(d, ev);
}

void mm_gss_end(struct mm_dissect *d, struct mm_presentation *p)
{
	if (p->ev != NULL)
		mm_dissect_emit(d, p->ev);
	p->ev = NULL;
}
