/* LDAP binds, RFC 4511: who shows a ticket to a directory, and what the directory says of it.
 *
 *	LDAPMessage ::= SEQUENCE {
 *		messageID   MessageID,      -- INTEGER (0 .. 2147483647)
 *		protocolOp  CHOICE { bindRequest BindRequest, bindResponse BindResponse, ... },
 *		controls    [0] Controls OPTIONAL }
 *	BindRequest ::= [APPLICATION 0] SEQUENCE {
 *		version         INTEGER (1 .. 127),
 *		name            LDAPDN,
 *		authentication  CHOICE {
 *			simple  [0] OCTET STRING,
 *			sasl    [3] SEQUENCE { mechanism LDAPString, credentials OCTET STRING OPTIONAL } } }
 *	BindResponse ::= [APPLICATION 1] SEQUENCE {
 *		resultCode         ENUMERATED,
 *		matchedDN          LDAPDN,
 *		diagnosticMessage  LDAPString,
 *		referral           [3] Referral OPTIONAL,
 *		serverSaslCreds    [7] OCTET STRING OPTIONAL }
 *
 * All other operations are passed over by their length. So are the SASL buffers (RFC 4422 section 3.7) that
 * follow a bind with a security layer. After StartTLS the flow is TLS's. */
#include "base/der.h"
#include "dissect/gss.h"

enum {
	/* protocolOp, RFC 4511 section 4.2 onwards; constructed [APPLICATION n] unless said otherwise. */
	OP_BIND_REQUEST = 0x60,
	OP_BIND_RESPONSE = 0x61,
	OP_UNBIND_REQUEST = 0x42, /* primitive */
	OP_SEARCH_REQUEST = 0x63,
	OP_SEARCH_ENTRY = 0x64,
	OP_SEARCH_DONE = 0x65,
	OP_MODIFY_REQUEST = 0x66,
	OP_MODIFY_RESPONSE = 0x67,
	OP_ADD_REQUEST = 0x68,
	OP_ADD_RESPONSE = 0x69,
	OP_DELETE_REQUEST = 0x4a, /* primitive */
	OP_DELETE_RESPONSE = 0x6b,
	OP_MODIFY_DN_REQUEST = 0x6c,
	OP_MODIFY_DN_RESPONSE = 0x6d,
	OP_COMPARE_REQUEST = 0x6e,
	OP_COMPARE_RESPONSE = 0x6f,
	OP_ABANDON_REQUEST = 0x50, /* primitive */
	OP_SEARCH_REFERENCE = 0x73,
	OP_EXTENDED_REQUEST = 0x77,
	OP_EXTENDED_RESPONSE = 0x78,
	OP_INTERMEDIATE_RESPONSE = 0x79,

	AUTH_SIMPLE = 0x80,       /* [0], section 4.2 */
	AUTH_SASL = 0xa3,         /* [3] */
	SERVER_SASL_CREDS = 0x87, /* [7], section 4.2.2 */
	REFERRAL = 0xa3,          /* [3], section 4.1.9 */
	REQUEST_NAME = 0x80,      /* [0], section 4.12 */

	/* resultCode, section 4.1.9. */
	RESULT_SUCCESS = 0,
	RESULT_SASL_BIND_IN_PROGRESS = 14,
	RESULT_INVALID_CREDENTIALS = 49,

	MESSAGE_ID_MAX_OCTETS = 4,        /* maxInt is 2^31 - 1, section 4.1.1 */
	LOOK = 3 + MESSAGE_ID_MAX_OCTETS, /* octets of messageID, and the protocolOp's identifier */
	/* Octets of a message that is believed: no directory sends 256 MiB at once. */
	TOTAL_MAX = 1 << 28,
	/* Octets of a message that is read; a Kerberos token stays below 64 KiB. */
	MESSAGE_MAX = 1 << 17,
	BINDS_MAX = 4,   /* binds outstanding on one connection; section 4.2.1 allows one */
	AD_DATA_MAX = 8, /* hexadecimal digits of a Windows error */

	SASL_LENGTH = 4,      /* octets before each SASL buffer */
	SASL_FIRST = 0x00,    /* of them: buffers stay below 16 MiB */
	TLS_HANDSHAKE = 0x16, /* ContentType, RFC 8446 section 5.1 */
	TLS_MAJOR = 0x03,
};

#define STARTTLS "1.3.6.1.4.1.1466.20037" /* RFC 4511 section 4.14.1 */

enum bind_kind {
	BIND_FREE, /* the slot holds nothing */
	BIND_SIMPLE,
	BIND_SASL,
};

struct ldap_bind {
	enum bind_kind kind;
	bool carried; /* answered by saslBindInProgress: the next leg has another messageID */
	int64_t id;
	uint64_t age;
	struct mm_event *simple;
	struct mm_presentation shown;
};

struct ldap_state {
	bool layered; /* a bind may have installed a security layer */
	bool seen[2];
	bool starttls; /* asked for, with this messageID */
	int64_t starttls_id;
	uint64_t n_binds;
	struct ldap_bind binds[BINDS_MAX];
};

enum {
	ATTR_MESSAGE_ID,
	ATTR_MECHANISM,
	ATTR_BIND_DN,
	ATTR_RESULT_CODE,
	ATTR_AD_DATA,
	ATTR_UNAUTHENTICATED,
	N_ATTRS,
};

static const struct mm_attr attrs[N_ATTRS] = {
	[ATTR_MESSAGE_ID] = { "mintmark.ldap.message_id", MM_ATTR_INT,
	        "LDAPMessage.messageID of the bind request, RFC 4511 section 4.1.1.1" },
	[ATTR_MECHANISM] = { "mintmark.ldap.mechanism", MM_ATTR_STR,
	        "SaslCredentials.mechanism of the bind request, RFC 4511 section 4.2" },
	[ATTR_BIND_DN] = { "mintmark.ldap.bind_dn", MM_ATTR_STR,
	        "BindRequest.name, RFC 4511 section 4.2" },
	[ATTR_RESULT_CODE] = { "mintmark.ldap.result_code", MM_ATTR_INT,
	        "LDAPResult.resultCode of the bind response, RFC 4511 section 4.1.9" },
	[ATTR_AD_DATA] = { "mintmark.ldap.ad_data", MM_ATTR_STR,
	        "Windows error in Active Directory's diagnosticMessage, hexadecimal (52e: wrong "
	        "password)" },
	[ATTR_UNAUTHENTICATED] = { "mintmark.ldap.unauthenticated", MM_ATTR_BOOL,
	        "A simple bind with a name and no password, RFC 4513 section 5.1.2" },
};

static bool request_op(int op)
{
	switch (op) {
	case OP_BIND_REQUEST:
	case OP_UNBIND_REQUEST:
	case OP_SEARCH_REQUEST:
	case OP_MODIFY_REQUEST:
	case OP_ADD_REQUEST:
	case OP_DELETE_REQUEST:
	case OP_MODIFY_DN_REQUEST:
	case OP_COMPARE_REQUEST:
	case OP_ABANDON_REQUEST:
	case OP_EXTENDED_REQUEST:
		return true;
	default:
		return false;
	}
}

static bool response_op(int op)
{
	switch (op) {
	case OP_BIND_RESPONSE:
	case OP_SEARCH_ENTRY:
	case OP_SEARCH_DONE:
	case OP_MODIFY_RESPONSE:
	case OP_ADD_RESPONSE:
	case OP_DELETE_RESPONSE:
	case OP_MODIFY_DN_RESPONSE:
	case OP_COMPARE_RESPONSE:
	case OP_SEARCH_REFERENCE:
	case OP_EXTENDED_RESPONSE:
	case OP_INTERMEDIATE_RESPONSE:
		return true;
	default:
		return false;
	}
}

static bool op_of(enum mm_dir dir, int op)
{
	return dir == MM_TO_SERVER ? request_op(op) : response_op(op);
}

static bool op_is_read(int op)
{
	return op == OP_BIND_REQUEST || op == OP_BIND_RESPONSE || op == OP_EXTENDED_REQUEST ||
	       op == OP_EXTENDED_RESPONSE;
}

/* The protocolOp's identifier of the message at the front of s and the message's length. 1, 0 when s ends
 * too early (*total is then how much is needed), -1 when it is no LDAPMessage. */
static int peek(struct mm_slice s, size_t *total, int *op)
{
	uint8_t tag;
	size_t header, body;
	int r = mm_at(s, 0) == MM_DER_SEQUENCE ? mm_der_header(s, &tag, &header, &body) : -1;
	if (r == 0)
		*total = s.len + 1;
	if (r != 1)
		return r;
	if (body > TOTAL_MAX)
		return -1;
	struct mm_cursor c = mm_cursor(mm_first(mm_after(s, header), body));
	if (c.len < LOOK && c.len < body) {
		*total = header + (body < LOOK ? body : LOOK);
		return 0;
	}
	struct mm_cursor id = mm_der_get(&c, MM_DER_INTEGER);
	if (c.err || id.len == 0 || id.len > MESSAGE_ID_MAX_OCTETS || (mm_peek8(&id) & 0x80) != 0)
		return -1;
	*op = mm_peek8(&c);
	*total = header + body;
	return 1;
}

/* Do the contents of a SASL buffer begin as those of Kerberos or NTLM do? Decides where no bind was seen. */
static bool wrapped(struct mm_slice s)
{
	struct mm_cursor c = mm_cursor(s);
	uint8_t first = mm_u8(&c), second = mm_u8(&c);
	if (first == 0x05 && second == 0x04) /* RFC 4121 section 4.2.6.2 */
		return (mm_u8(&c) & ~7u) == 0 && mm_u8(&c) == 0xff;
	if (first == 0x60) /* RFC 2743 section 3.1, as RFC 1964 section 1.2.2 uses it */
		return true;
	/* NTLMSSP_MESSAGE_SIGNATURE.Version, MS-NLMP section 2.2.2.9 */
	return first == 1 && second == 0 && mm_le16(&c) == 0 && !c.err;
}

static struct mm_frame frame_sasl(const struct ldap_state *st, struct mm_slice avail)
{
	enum { CONTENTS = 4 }; /* octets that wrapped() reads */
	struct mm_cursor c = mm_cursor(avail);
	size_t need = SASL_LENGTH + (st->layered ? 0 : CONTENTS);
	if (avail.len < need)
		return (struct mm_frame){ MM_FRAME_MORE, need };
	size_t len = mm_be32(&c);
	if (len == 0 || (!st->layered && !wrapped(mm_left(&c))))
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	return (struct mm_frame){ MM_FRAME_SKIP, SASL_LENGTH + len };
}

static struct mm_frame ldap_frame(void *state, enum mm_dir dir, struct mm_slice avail)
{
	struct ldap_state *st = state;
	st->seen[dir] = true;
	if (mm_at(avail, 0) == SASL_FIRST)
		return frame_sasl(st, avail);
	if (mm_at(avail, 0) == TLS_HANDSHAKE) {
		if (avail.len < 2)
			return (struct mm_frame){ MM_FRAME_MORE, 2 };
		bool tls = mm_at(avail, 1) == TLS_MAJOR; /* the StartTLS before it was not seen */
		return (struct mm_frame){ tls ? MM_FRAME_QUIT : MM_FRAME_LOST, 0 };
	}
	size_t total = 0;
	int op = 0;
	int r = peek(avail, &total, &op);
	if (r == 0)
		return (struct mm_frame){ MM_FRAME_MORE, total };
	if (r < 0 || (!request_op(op) && !response_op(op)))
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	if (!op_is_read(op) || !op_of(dir, op))
		return (struct mm_frame){ MM_FRAME_SKIP, total };
	/* One longer than MESSAGE_MAX is the engine's to pass over: it counts what was not read. */
	return (struct mm_frame){ avail.len < total ? MM_FRAME_MORE : MM_FRAME_DONE, total };
}

/* A message, by its beginning: its length, messageID, an operation of this direction that fits inside. */
static bool starts_message(enum mm_dir dir, struct mm_slice s)
{
	size_t total = 0, header, body;
	uint8_t tag;
	int op = 0;
	if (peek(s, &total, &op) != 1 || !op_of(dir, op))
		return false;
	struct mm_cursor c = mm_cursor(mm_first(s, total));
	int r = mm_der_header(mm_left(&c), &tag, &header, &body);
	size_t room = body;
	mm_skip(&c, header);
	size_t before = c.len;
	(void)mm_der_int(&c);
	if (r != 1 || c.err)
		return false;
	room -= before - c.len;
	r = mm_der_header(mm_left(&c), &tag, &header, &body);
	return r == 1 && header <= room && body <= room - header;
}

static bool starts_sasl(struct mm_slice s)
{
	struct mm_cursor c = mm_cursor(s);
	return mm_peek8(&c) == SASL_FIRST && mm_be32(&c) != 0 && mm_be16(&c) == 0x0504 &&
	       (mm_u8(&c) & ~7u) == 0 && mm_u8(&c) == 0xff;
}

static bool ldap_probe(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	return transport == MM_TCP && starts_message(dir, head);
}

static size_t ldap_resync(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	for (size_t i = 0; i < avail.len; i++) {
		int b = mm_at(avail, i);
		if ((b == MM_DER_SEQUENCE && starts_message(dir, mm_after(avail, i))) ||
		        (b == SASL_FIRST && starts_sasl(mm_after(avail, i))))
			return i;
	}
	return avail.len;
}

/* Emit what a slot holds with outcome unknown. */
static void release(struct mm_dissect *d, struct ldap_bind *bind)
{
	const struct ldap_state *st = d->state;
	struct mm_event *held[] = { bind->simple, bind->shown.ev };
	for (size_t i = 0; i < sizeof held / sizeof held[0]; i++)
		if (held[i] != NULL && !st->seen[MM_TO_CLIENT])
			held[i]->flags |= MM_EVF_ONE_SIDED;
	if (bind->simple != NULL)
		mm_dissect_emit(d, bind->simple);
	if (bind->shown.ev != NULL)
		mm_gss_end(d, &bind->shown);
	*bind = (struct ldap_bind){ .kind = BIND_FREE };
}

static void release_all(struct mm_dissect *d)
{
	struct ldap_state *st = d->state;
	for (size_t i = 0; i < BINDS_MAX; i++)
		release(d, &st->binds[i]);
}

/* The slot for a new request: that of the negotiation it goes on with, a free one, or the oldest, whose
 * binds are given up. So is what waits under the same messageID, and a negotiation not gone on with: the
 * server has forgotten them (RFC 4511 section 4.2.1). */
static struct ldap_bind *slot(struct mm_dissect *d, int64_t id, bool gss)
{
	struct ldap_state *st = d->state;
	struct ldap_bind *best = &st->binds[0];
	for (size_t i = 0; i < BINDS_MAX; i++) {
		struct ldap_bind *bind = &st->binds[i];
		if (bind->carried ? !gss : bind->id == id)
			release(d, bind);
		if (!best->carried && (bind->carried || bind->age < best->age))
			best = bind; /* a free slot has age 0 */
	}
	if (!best->carried)
		release(d, best);
	best->carried = false;
	best->id = id;
	best->age = ++st->n_binds;
	return best;
}

static void put_request(struct mm_event *ev, int64_t id, struct mm_slice name)
{
	mm_event_put_int(ev, &attrs[ATTR_MESSAGE_ID], id);
	if (name.len != 0)
		mm_event_put_str(ev, &attrs[ATTR_BIND_DN], name);
}

static void simple_request(
        struct mm_dissect *d, int64_t id, struct mm_slice name, bool empty_password)
{
	struct ldap_bind *bind = slot(d, id, false);
	bind->kind = BIND_SIMPLE;
	bind->simple = mm_dissect_event(d, MM_EV_REQUEST, "ldap-simple-bind");
	if (bind->simple == NULL)
		return;
	bind->simple->user = mm_event_str(bind->simple, name);
	put_request(bind->simple, id, name);
	if (name.len == 0)
		bind->simple->flags |= MM_EVF_ANONYMOUS; /* RFC 4513 section 5.1.1 */
	else if (empty_password)
		mm_event_put_bool(bind->simple, &attrs[ATTR_UNAUTHENTICATED], true);
}

static bool is_word(struct mm_slice s, const char *word)
{
	return mm_str_ieq(
	        (struct mm_str){ (const char *)s.p, s.len }, (struct mm_str){ word, strlen(word) });
}

static void sasl_request(
        struct mm_dissect *d, int64_t id, struct mm_slice name, struct mm_cursor *sasl)
{
	struct mm_cursor credentials = { 0 };
	struct mm_slice mechanism = mm_der_string(sasl, MM_DER_OCTET_STRING);
	(void)mm_der_opt(sasl, MM_DER_OCTET_STRING, &credentials);
	bool gss = is_word(mechanism, "GSSAPI") || is_word(mechanism, "GSS-SPNEGO");
	struct ldap_bind *bind = slot(d, id, gss);
	bind->kind = BIND_SASL;
	if (!gss)
		return;
	struct mm_event *ev = mm_gss_request(d, &bind->shown, mm_left(&credentials), "ldap-bind");
	if (ev == NULL)
		return;
	put_request(ev, id, name);
	mm_event_put_str(ev, &attrs[ATTR_MECHANISM], mechanism);
}

static void bind_request(struct mm_dissect *d, int64_t id, struct mm_cursor *op)
{
	struct mm_cursor auth = { 0 };
	(void)mm_der_int(op);
	struct mm_slice name = mm_der_string(op, MM_DER_OCTET_STRING);
	if (op->err)
		return;
	if (mm_der_opt(op, AUTH_SIMPLE, &auth)) {
		simple_request(d, id, name, auth.len == 0); /* the password is not looked at */
	} else if (mm_der_opt(op, AUTH_SASL, &auth)) {
		sasl_request(d, id, name, &auth);
	} else {
		/* Sicily (MS-ADTS section 5.1.1.1.3) and others: only their security layer matters here. */
		slot(d, id, false)->kind = BIND_SASL;
	}
}

/* "80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data 52e, v3839": the digits. */
static struct mm_slice ad_data(struct mm_slice diagnostic)
{
	struct mm_slice key = mm_slice_str("AcceptSecurityContext error, data ");
	struct mm_slice rest = mm_after(diagnostic, mm_find(diagnostic, 0, key) + key.len);
	size_t n = 0;
	for (int b = mm_at(rest, n);
	        (b >= '0' && b <= '9') || (b >= 'a' && b <= 'f') || (b >= 'A' && b <= 'F');
	        b = mm_at(rest, n))
		n++;
	return n <= AD_DATA_MAX ? mm_first(rest, n) : mm_first(rest, 0);
}

/* What a bind response says. */
struct bind_result {
	uint32_t code;
	struct mm_slice diagnostic, creds;
	bool malformed;
};

static bool read_result(struct mm_cursor *op, struct bind_result *result)
{
	struct mm_cursor code = mm_der_get(op, MM_DER_ENUMERATED);
	if (op->err || code.len == 0 || code.len > sizeof result->code)
		return false;
	*result = (struct bind_result){ .code = (uint32_t)mm_be(&code, code.len) };
	(void)mm_der_string(op, MM_DER_OCTET_STRING); /* matchedDN */
	result->diagnostic = mm_der_string(op, MM_DER_OCTET_STRING);
	struct mm_cursor referral, creds;
	(void)mm_der_opt(op, REFERRAL, &referral);
	if (mm_der_opt(op, SERVER_SASL_CREDS, &creds))
		result->creds = mm_left(&creds);
	result->malformed = op->err;
	return true;
}

static void put_result(struct mm_event *ev, const struct bind_result *result)
{
	struct mm_slice data = ad_data(result->diagnostic);
	mm_event_put_int(ev, &attrs[ATTR_RESULT_CODE], result->code);
	if (data.len != 0)
		mm_event_put_str(ev, &attrs[ATTR_AD_DATA], data);
	if (result->malformed)
		ev->flags |= MM_EVF_MALFORMED;
}

/* What a directory says of the password of a simple bind. Active Directory names the Windows error (system error
 * codes); some of them it gives only where the password is right. */
static enum mm_meaning meaning(const struct mm_event *ev, const struct bind_result *result)
{
	static const struct {
		const char *data;
		enum mm_meaning meaning;
	} errors[] = {
		{ "525", MM_MEANING_NO_SUCH_USER }, /* ERROR_NO_SUCH_USER */
		{ "52e", MM_MEANING_BAD_PASSWORD }, /* ERROR_LOGON_FAILURE */
		{ "530", MM_MEANING_RIGHT_BUT },    /* ERROR_INVALID_LOGON_HOURS */
		{ "531", MM_MEANING_RIGHT_BUT },    /* ERROR_INVALID_WORKSTATION */
		{ "532", MM_MEANING_RIGHT_BUT },    /* ERROR_PASSWORD_EXPIRED */
		{ "533", MM_MEANING_RIGHT_BUT },    /* ERROR_ACCOUNT_DISABLED */
		{ "701", MM_MEANING_RIGHT_BUT },    /* ERROR_ACCOUNT_EXPIRED */
		{ "773", MM_MEANING_RIGHT_BUT },    /* ERROR_PASSWORD_MUST_CHANGE */
		{ "775", MM_MEANING_LOCKED },       /* ERROR_ACCOUNT_LOCKED_OUT */
	};
	struct mm_slice data = ad_data(result->diagnostic);
	if ((ev->flags & MM_EVF_ANONYMOUS) || mm_event_get(ev, &attrs[ATTR_UNAUTHENTICATED]))
		return MM_MEANING_NONE;
	if (result->code == RESULT_SUCCESS)
		return MM_MEANING_PASSWORD_RIGHT;
	if (result->code != RESULT_INVALID_CREDENTIALS)
		return MM_MEANING_NONE;
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (is_word(data, errors[i].data))
			return errors[i].meaning;
	return MM_MEANING_REFUSED;
}

static void simple_response(
        struct mm_dissect *d, struct ldap_bind *bind, const struct bind_result *result)
{
	struct mm_event *ev = bind->simple;
	*bind = (struct ldap_bind){ .kind = BIND_FREE };
	if (ev == NULL)
		return;
	mm_dissect_response(d, ev);
	put_result(ev, result);
	ev->status = (struct mm_status){ MM_STATUS_LDAP, result->code };
	ev->outcome = result->code == RESULT_SUCCESS ? MM_SUCCESS : MM_FAILURE;
	ev->meaning = meaning(ev, result);
	mm_dissect_emit(d, ev);
}

static void sasl_response(
        struct mm_dissect *d, struct ldap_bind *bind, const struct bind_result *result)
{
	enum mm_verdict verdict = MM_VERDICT_REFUSED;
	if (result->code == RESULT_SUCCESS)
		verdict = MM_VERDICT_ACCEPTED;
	else if (result->code == RESULT_SASL_BIND_IN_PROGRESS)
		verdict = MM_VERDICT_CONTINUE;
	if (bind->shown.ev != NULL) {
		if (verdict != MM_VERDICT_CONTINUE)
			put_result(bind->shown.ev, result);
		mm_gss_response(d, &bind->shown, result->creds, verdict,
		        (struct mm_status){ MM_STATUS_LDAP, result->code });
	}
	bind->carried = verdict == MM_VERDICT_CONTINUE && bind->shown.ev != NULL;
	if (!bind->carried)
		release(d, bind);
}

static void bind_response(struct mm_dissect *d, int64_t id, struct mm_cursor *op)
{
	struct ldap_state *st = d->state;
	struct ldap_bind *bind = NULL;
	struct bind_result result;
	if (!read_result(op, &result))
		return;
	for (size_t i = 0; i < BINDS_MAX; i++)
		if (st->binds[i].kind != BIND_FREE && !st->binds[i].carried &&
		        st->binds[i].id == id)
			bind = &st->binds[i];
	if (result.code == RESULT_SUCCESS) /* a bind that was not seen may have been SASL */
		st->layered = bind == NULL || bind->kind == BIND_SASL;
	if (bind == NULL)
		return;
	if (bind->kind == BIND_SIMPLE)
		simple_response(d, bind, &result);
	else
		sasl_response(d, bind, &result);
}

static void extended_request(struct ldap_state *st, int64_t id, struct mm_cursor *op)
{
	struct mm_slice name = mm_der_string(op, REQUEST_NAME);
	if (op->err || !mm_slice_eq(name, mm_slice_str(STARTTLS)))
		return;
	st->starttls = true;
	st->starttls_id = id;
}

static void extended_response(struct mm_dissect *d, int64_t id, struct mm_cursor *op)
{
	struct ldap_state *st = d->state;
	struct bind_result result;
	if (!st->starttls || st->starttls_id != id || !read_result(op, &result))
		return;
	st->starttls = false;
	if (result.code != RESULT_SUCCESS)
		return;
	release_all(d);
	mm_dissect_become(d, "tls");
}

static void ldap_parse(struct mm_dissect *d, struct mm_slice msg)
{
	struct ldap_state *st = d->state;
	struct mm_cursor c = mm_cursor(msg);
	struct mm_cursor message = mm_der_get(&c, MM_DER_SEQUENCE);
	int64_t id = mm_der_int(&message);
	int tag = mm_peek8(&message);
	st->seen[d->dir] = true;
	if (message.err || !op_is_read(tag) || !op_of(d->dir, tag))
		return;
	struct mm_cursor op = mm_der_get(&message, (uint8_t)tag);
	if (message.err)
		return;
	switch (tag) {
	case OP_BIND_REQUEST:
		bind_request(d, id, &op);
		break;
	case OP_BIND_RESPONSE:
		bind_response(d, id, &op);
		break;
	case OP_EXTENDED_REQUEST:
		extended_request(st, id, &op);
		break;
	default:
		extended_response(d, id, &op);
		break;
	}
}

/* Lost requests spoil nothing: answers are paired by messageID. What waits for a lost answer would wait until
 * the flow ends, which for a directory is hours. */
static void ldap_gap(struct mm_dissect *d)
{
	if (d->dir == MM_TO_CLIENT)
		release_all(d);
}

static const uint16_t tcp_ports[] = { 389, 3268, 0 }; /* 3268: global catalog, MS-ADTS */

static const char *const ndpi_hints[] = { "LDAP", NULL };

const struct mm_dissector mm_ldap = {
	.name = "ldap",
	.spec = "RFC 4511",
	.help = "LDAP binds: tickets shown to a directory, and simple binds",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = tcp_ports,
	.ndpi_hints = ndpi_hints,
	.attrs = attrs,
	.n_attrs = N_ATTRS,
	.state_size = sizeof(struct ldap_state),
	.message_max = MESSAGE_MAX,
	.probe = ldap_probe,
	.frame = ldap_frame,
	.resync = ldap_resync,
	.parse = ldap_parse,
	.gap = ldap_gap,
	.end = release_all,
};
