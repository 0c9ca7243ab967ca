/* DCE/RPC over TCP: tickets in the authentication verifiers of bind, alter_context and auth3 PDUs.
 *
 * C706 (DCE 1.1: Remote Procedure Call) chapter 12 and section 13.2; MS-RPCE section 2.2.2. */
#include <stdio.h>

#include "dissect/dcerpc.h"

enum {
	RPC_VERS = 5,
	RPC_VERS_MINOR_MAX = 1,
	DREP_BIG_ENDIAN = 0x00, /* high nibble of packed_drep[0], C706 section 14.1 */
	DREP_LITTLE_ENDIAN = 0x10,
	DREP_CHAR_MAX = 1,  /* its low nibble: 0 ASCII, 1 EBCDIC */
	DREP_FLOAT_MAX = 3, /* packed_drep[1]: IEEE, VAX, Cray, IBM */
	SEC_TRAILER = 8,    /* MS-RPCE section 2.2.2.11 */
	UUID_SIZE = 16,
	SYNTAX_SIZE = 20, /* p_syntax_id_t: UUID and version */
	BIND_BODY = 8,    /* max_xmit_frag, max_recv_frag, assoc_group_id */
	FAULT_STATUS_AT = 24,
	MESSAGE_MAX = 65535, /* frag_length has 16 bits */
};

/* auth_type, MS-RPCE section 2.2.1.1.7: those whose auth_value is a GSS-API token. */
enum {
	AUTH_GSS_NEGOTIATE = 9,
	AUTH_WINNT = 10,
	AUTH_GSS_KERBEROS = 16,
};

/* p_cont_def_result_t, C706 section 12.6.3.1. */
enum {
	RESULT_ACCEPTANCE = 0,
	RESULT_NEGOTIATE_ACK =
	        3, /* MS-RPCE section 2.2.2.4: answers bind time feature negotiation */
};

/* Fault status that speaks of the caller's authentication: MS-RPCE section 3.3.3.5.1 and
 * MS-ERREF section 2.2 (Win32), C706 appendix E (nca_s_*). */
enum {
	FAULT_ACCESS_DENIED = 0x00000005,         /* ERROR_ACCESS_DENIED */
	FAULT_UNKNOWN_AUTHN_SERVICE = 0x000006d3, /* RPC_S_UNKNOWN_AUTHN_SERVICE */
	FAULT_UNKNOWN_AUTHN_LEVEL = 0x000006d4,   /* RPC_S_UNKNOWN_AUTHN_LEVEL */
	FAULT_SEC_PKG_ERROR = 0x00000721,         /* RPC_S_SEC_PKG_ERROR */
	FAULT_UNSUPPORTED_AUTHN_LEVEL = 0x1c00001d,
	FAULT_INVALID_CHECKSUM = 0x1c00001f,
};

/* clang-format off */
enum {
	AT_CALL_ID, AT_INTERFACE, AT_INTERFACE_VERSION, AT_AUTH_TYPE, AT_AUTH_LEVEL,
	AT_AUTH_CONTEXT_ID,
	N_ATTRS,
};

static const struct mm_attr attrs[N_ATTRS] = {
	[AT_CALL_ID] = { "mintmark.dcerpc.call_id", MM_ATTR_INT,
		"call_id of the PDU with the token (C706 12.6.3.1)" },
	[AT_INTERFACE] = { "mintmark.dcerpc.interface", MM_ATTR_STR,
		"abstract_syntax UUID of the first presentation context (C706 12.6.3.1)" },
	[AT_INTERFACE_VERSION] = { "mintmark.dcerpc.interface_version", MM_ATTR_STR,
		"major.minor of abstract_syntax.if_version (C706 12.6.3.1)" },
	[AT_AUTH_TYPE] = { "mintmark.dcerpc.auth_type", MM_ATTR_INT,
		"auth_type: 9 SPNEGO, 16 Kerberos (MS-RPCE 2.2.1.1.7)" },
	[AT_AUTH_LEVEL] = { "mintmark.dcerpc.auth_level", MM_ATTR_INT,
		"auth_level: 2 connect, 5 integrity, 6 privacy (MS-RPCE 2.2.1.1.8)" },
	[AT_AUTH_CONTEXT_ID] = { "mintmark.dcerpc.auth_context_id", MM_ATTR_INT,
		"auth_context_id (MS-RPCE 2.2.2.11)" },
};
/* clang-format on */

struct verifier {
	uint8_t type, level;
	uint32_t context_id;
	struct mm_slice value; /* empty: none, or not inside the PDU */
};

static bool known_ptype(int ptype)
{
	return ptype == MM_DCERPC_REQUEST || ptype == MM_DCERPC_RESPONSE ||
	       ptype == MM_DCERPC_FAULT || (ptype >= MM_DCERPC_BIND && ptype <= MM_DCERPC_RTS);
}

static uint16_t get16(struct mm_cursor *c, bool big_endian)
{
	return big_endian ? mm_be16(c) : mm_le16(c);
}

static uint32_t get32(struct mm_cursor *c, bool big_endian)
{
	return big_endian ? mm_be32(c) : mm_le32(c);
}

bool mm_dcerpc_read_header(struct mm_slice s, struct mm_dcerpc_header *h)
{
	struct mm_slice head = mm_first(s, MM_DCERPC_HEADER);
	int order = mm_at(head, 4);

	/* mm_at() is -1 past the end: nothing said against it yet. */
	if ((head.len > 0 && mm_at(head, 0) != RPC_VERS) || mm_at(head, 1) > RPC_VERS_MINOR_MAX ||
	        (head.len > 2 && !known_ptype(mm_at(head, 2))))
		return false;
	if (head.len > 4 && (order & 0xf0) != DREP_LITTLE_ENDIAN &&
	        (order & 0xf0) != DREP_BIG_ENDIAN)
		return false;
	if ((head.len > 4 && (order & 0x0f) > DREP_CHAR_MAX) || mm_at(head, 5) > DREP_FLOAT_MAX)
		return false;
	if (head.len < MM_DCERPC_HEADER)
		return true;

	struct mm_cursor c = mm_cursor(head);
	mm_skip(&c, 2);
	h->ptype = mm_u8(&c);
	h->flags = mm_u8(&c);
	mm_skip(&c, 4);
	h->big_endian = (order & 0xf0) == DREP_BIG_ENDIAN;
	h->frag_length = get16(&c, h->big_endian);
	h->auth_length = get16(&c, h->big_endian);
	h->call_id = get32(&c, h->big_endian);
	return h->frag_length >= MM_DCERPC_HEADER;
}

bool mm_dcerpc_wanted(
        const struct mm_dcerpc_conn *conn, enum mm_dir dir, const struct mm_dcerpc_header *h)
{
	switch (h->ptype) {
	case MM_DCERPC_BIND:
	case MM_DCERPC_ALTER_CONTEXT:
	case MM_DCERPC_AUTH3:
		return dir == MM_TO_SERVER;
	case MM_DCERPC_BIND_ACK:
	case MM_DCERPC_BIND_NAK:
	case MM_DCERPC_ALTER_CONTEXT_RESP:
		return dir == MM_TO_CLIENT && conn->wait == MM_DCERPC_WAIT_ACK;
	case MM_DCERPC_RESPONSE:
		return dir == MM_TO_CLIENT && conn->wait == MM_DCERPC_WAIT_CALL;
	case MM_DCERPC_FAULT:
		return dir == MM_TO_CLIENT && conn->wait != MM_DCERPC_IDLE;
	default:
		return false;
	}
}

/** The sec_trailer and auth_value at the PDU's end. False when there is none or it does not fit. */
static bool read_verifier(
        const struct mm_dcerpc_header *h, struct mm_slice pdu, struct verifier *out)
{
	struct mm_slice trailer, value;
	if (h->auth_length == 0 || pdu.len < MM_DCERPC_HEADER + SEC_TRAILER ||
	        h->auth_length > pdu.len - MM_DCERPC_HEADER - SEC_TRAILER)
		return false;
	size_t at = pdu.len - h->auth_length - SEC_TRAILER;
	if (!mm_sub(pdu, at, SEC_TRAILER, &trailer) ||
	        !mm_sub(pdu, at + SEC_TRAILER, h->auth_length, &value))
		return false;
	struct mm_cursor c = mm_cursor(trailer);
	out->type = mm_u8(&c);
	out->level = mm_u8(&c);
	mm_skip(&c, 2); /* auth_pad_length, auth_reserved */
	out->context_id = get32(&c, h->big_endian);
	out->value = value;
	return true;
}

/** The abstract syntax of the first presentation context: p_context_elem { n_context_elem u8,
 * reserved[3] }, p_cont_elem { p_cont_id u16, n_transfer_syn u8, reserved u8, abstract_syntax
 * }. */
static void read_interface(
        struct mm_dcerpc_conn *conn, const struct mm_dcerpc_header *h, struct mm_slice pdu)
{
	struct mm_cursor c = mm_cursor(pdu);
	mm_skip(&c, MM_DCERPC_HEADER + BIND_BODY);
	uint8_t n_context_elem = mm_u8(&c);
	mm_skip(&c, 3 + 4);
	uint32_t time_low = get32(&c, h->big_endian);
	uint16_t time_mid = get16(&c, h->big_endian);
	uint16_t time_hi = get16(&c, h->big_endian);
	uint16_t clock_seq = mm_be16(&c); /* two single bytes: no byte order */
	uint64_t node = mm_be(&c, 6);
	uint32_t version = get32(&c, h->big_endian);

	conn->interface[0] = '\0';
	if (c.err || n_context_elem == 0)
		return;
	snprintf(conn->interface, sizeof conn->interface, "%08x-%04x-%04x-%04x-%012llx", time_low,
	        time_mid, time_hi, clock_seq, (unsigned long long)node);
	conn->version_major = version & 0xffff; /* C706 section 12.6.3.1: minor in the upper half */
	conn->version_minor = (uint16_t)(version >> 16);
}

static void describe(struct mm_event *ev, const struct mm_dcerpc_conn *conn,
        const struct mm_dcerpc_header *h, const struct verifier *v)
{
	char version[sizeof "65535.65535"];

	mm_event_put_int(ev, &attrs[AT_CALL_ID], h->call_id);
	if (conn->interface[0] != '\0') {
		snprintf(version, sizeof version, "%u.%u", (unsigned)conn->version_major,
		        (unsigned)conn->version_minor);
		mm_event_put_str(ev, &attrs[AT_INTERFACE], mm_slice_str(conn->interface));
		mm_event_put_str(ev, &attrs[AT_INTERFACE_VERSION], mm_slice_str(version));
	}
	mm_event_put_int(ev, &attrs[AT_AUTH_TYPE], v->type);
	mm_event_put_int(ev, &attrs[AT_AUTH_LEVEL], v->level);
	mm_event_put_int(ev, &attrs[AT_AUTH_CONTEXT_ID], v->context_id);
}

/** bind, alter_context or auth3. */
static void read_token(struct mm_dissect *d, struct mm_dcerpc_conn *conn,
        const struct mm_dcerpc_header *h, struct mm_slice pdu)
{
	const char *action = "dcerpc-auth3";
	struct verifier v;

	if (h->ptype == MM_DCERPC_BIND)
		action = "dcerpc-bind";
	else if (h->ptype == MM_DCERPC_ALTER_CONTEXT)
		action = "dcerpc-alter-context";
	if (h->ptype != MM_DCERPC_AUTH3)
		read_interface(conn, h, pdu);
	if (!read_verifier(h, pdu, &v))
		return;
	if (v.type != AUTH_GSS_NEGOTIATE && v.type != AUTH_GSS_KERBEROS && v.type != AUTH_WINNT)
		return;

	struct mm_event *ev = mm_gss_request(d, &conn->p, v.value, action);
	if (ev != NULL)
		describe(ev, conn, h, &v);
	if (conn->p.ev == NULL) {
		conn->wait = MM_DCERPC_IDLE;
		return;
	}
	/* A later leg of the same ticket's exchange is answered in its own right. */
	conn->wait = h->ptype == MM_DCERPC_AUTH3 ? MM_DCERPC_WAIT_CALL : MM_DCERPC_WAIT_ACK;
	conn->call_id = h->call_id;
}

/** Whether bind_ack's p_result_list refuses every context; the first one's reason then. sec_addr
 * is a counted string, after which the list is aligned to 4 bytes from the PDU's start. */
static bool all_refused(const struct mm_dcerpc_header *h, struct mm_slice pdu, uint32_t *reason)
{
	struct mm_cursor c = mm_cursor(pdu);
	mm_skip(&c, MM_DCERPC_HEADER + BIND_BODY);
	mm_skip(&c, get16(&c, h->big_endian));
	mm_skip(&c, (4 - (pdu.len - c.len) % 4) % 4);
	unsigned n_results = mm_u8(&c);
	mm_skip(&c, 3);
	for (unsigned i = 0; i < n_results && !c.err; i++) {
		uint16_t result = get16(&c, h->big_endian);
		uint16_t why = get16(&c, h->big_endian);
		mm_skip(&c, SYNTAX_SIZE);
		if (result == RESULT_ACCEPTANCE)
			return false;
		if (i == 0)
			*reason = why;
	}
	return n_results > 0 && !c.err;
}

static struct mm_status rpc_status(uint32_t code)
{
	return (struct mm_status){ MM_STATUS_DCERPC, code };
}

static void answer(struct mm_dissect *d, struct mm_dcerpc_conn *conn, struct mm_slice token,
        enum mm_verdict verdict, struct mm_status status)
{
	mm_gss_response(d, &conn->p, token, verdict, status);
	conn->wait = conn->p.ev == NULL ? MM_DCERPC_IDLE : MM_DCERPC_WAIT_CALL;
}

/** bind_ack or alter_context_resp, bind_nak, or a fault in place of one: the answer to the PDU
 * that brought the ticket. */
static void read_ack(struct mm_dissect *d, struct mm_dcerpc_conn *conn,
        const struct mm_dcerpc_header *h, struct mm_slice pdu)
{
	const struct mm_status none = { MM_STATUS_NONE, 0 };
	struct mm_cursor c = mm_cursor(pdu);
	struct verifier v = { .value = mm_first(pdu, 0) };
	uint32_t reason = 0;

	if (h->call_id != conn->call_id)
		return;
	if (h->ptype == MM_DCERPC_BIND_NAK) {
		mm_skip(&c, MM_DCERPC_HEADER);
		reason = get16(&c, h->big_endian); /* provider_reject_reason */
		answer(d, conn, v.value, MM_VERDICT_REFUSED, rpc_status(reason));
	} else if (h->ptype == MM_DCERPC_FAULT) {
		mm_skip(&c, FAULT_STATUS_AT);
		reason = get32(&c, h->big_endian);
		answer(d, conn, v.value, MM_VERDICT_REFUSED, rpc_status(reason));
	} else if (read_verifier(h, pdu, &v)) {
		answer(d, conn, v.value, MM_VERDICT_CONTINUE, none);
	} else if (all_refused(h, pdu, &reason)) {
		answer(d, conn, v.value, MM_VERDICT_REFUSED, rpc_status(reason));
	} else {
		answer(d, conn, v.value, MM_VERDICT_CONTINUE, none);
	}
}

static bool is_auth_fault(uint32_t status)
{
	return status == FAULT_ACCESS_DENIED || status == FAULT_UNKNOWN_AUTHN_SERVICE ||
	       status == FAULT_UNKNOWN_AUTHN_LEVEL || status == FAULT_SEC_PKG_ERROR ||
	       status == FAULT_UNSUPPORTED_AUTHN_LEVEL || status == FAULT_INVALID_CHECKSUM;
}

/** response or fault to a call made after authentication: a server that had not accepted the
 * ticket would not have run it. */
static void read_call_answer(struct mm_dissect *d, struct mm_dcerpc_conn *conn,
        const struct mm_dcerpc_header *h, struct mm_slice pdu)
{
	struct mm_slice none = mm_first(pdu, 0);
	struct mm_cursor c = mm_cursor(pdu);

	/* The answer to a call made before: call_id ascends, modulo 2^32. */
	if ((int32_t)(h->call_id - conn->call_id) < 0)
		return;
	if (h->ptype == MM_DCERPC_RESPONSE) {
		answer(d, conn, none, MM_VERDICT_ACCEPTED, rpc_status(0));
		return;
	}
	mm_skip(&c, FAULT_STATUS_AT);
	uint32_t status = get32(&c, h->big_endian);
	if (c.err)
		return;
	answer(d, conn, none, is_auth_fault(status) ? MM_VERDICT_REFUSED : MM_VERDICT_ACCEPTED,
	        rpc_status(status));
}

void mm_dcerpc_read_pdu(struct mm_dissect *d, struct mm_dcerpc_conn *conn, struct mm_slice pdu)
{
	struct mm_dcerpc_header h;

	if (pdu.len < MM_DCERPC_HEADER || !mm_dcerpc_read_header(pdu, &h) ||
	        h.frag_length != pdu.len || !mm_dcerpc_wanted(conn, d->dir, &h))
		return;
	if (d->dir == MM_TO_SERVER)
		read_token(d, conn, &h, pdu);
	else if (conn->wait == MM_DCERPC_WAIT_ACK)
		read_ack(d, conn, &h, pdu);
	else
		read_call_answer(d, conn, &h, pdu);
}

void mm_dcerpc_close(struct mm_dissect *d, struct mm_dcerpc_conn *conn)
{
	mm_gss_end(d, &conn->p);
	conn->wait = MM_DCERPC_IDLE;
}

/** Strict: a first PDU in its direction, as every implementation sends it. */
static bool looks_like(struct mm_slice s, enum mm_dir dir)
{
	struct mm_dcerpc_header h;

	if (s.len < MM_DCERPC_HEADER || !mm_dcerpc_read_header(s, &h))
		return false;
	/* The reserved bytes of drep, ASCII, IEEE. */
	if ((mm_at(s, 4) & 0x0f) != 0 || mm_at(s, 5) != 0 || mm_at(s, 6) != 0 || mm_at(s, 7) != 0)
		return false;
	if (h.auth_length != 0 &&
	        (size_t)h.auth_length + MM_DCERPC_HEADER + SEC_TRAILER > h.frag_length)
		return false;
	switch (h.ptype) {
	case MM_DCERPC_BIND:
	case MM_DCERPC_ALTER_CONTEXT: /* one context with one transfer syntax at least */
		return dir == MM_TO_SERVER &&
		       h.frag_length >= MM_DCERPC_HEADER + BIND_BODY + 8 + 2 * SYNTAX_SIZE;
	case MM_DCERPC_AUTH3:
		return dir == MM_TO_SERVER && h.auth_length != 0;
	case MM_DCERPC_REQUEST: /* alloc_hint, p_cont_id, opnum */
		return dir == MM_TO_SERVER && h.frag_length >= MM_DCERPC_HEADER + 8;
	case MM_DCERPC_BIND_ACK:
	case MM_DCERPC_ALTER_CONTEXT_RESP: /* an empty sec_addr and an empty result list */
		return dir == MM_TO_CLIENT && h.frag_length >= MM_DCERPC_HEADER + BIND_BODY + 8;
	case MM_DCERPC_BIND_NAK:
		return dir == MM_TO_CLIENT && h.frag_length >= MM_DCERPC_HEADER + 2;
	case MM_DCERPC_RESPONSE: /* alloc_hint, p_cont_id, cancel_count, reserved */
		return dir == MM_TO_CLIENT && h.frag_length >= MM_DCERPC_HEADER + 8;
	case MM_DCERPC_FAULT:
		return dir == MM_TO_CLIENT && h.frag_length >= FAULT_STATUS_AT + 4;
	default:
		return false;
	}
}

static bool probe(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	return transport == MM_TCP && looks_like(head, dir);
}

static struct mm_frame frame(void *state, enum mm_dir dir, struct mm_slice avail)
{
	struct mm_dcerpc_header h;

	if (!mm_dcerpc_read_header(avail, &h))
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	if (avail.len < MM_DCERPC_HEADER)
		return (struct mm_frame){ MM_FRAME_MORE, MM_DCERPC_HEADER };
	if (!mm_dcerpc_wanted(state, dir, &h))
		return (struct mm_frame){ MM_FRAME_SKIP, h.frag_length };
	if (avail.len < h.frag_length)
		return (struct mm_frame){ MM_FRAME_MORE, h.frag_length };
	return (struct mm_frame){ MM_FRAME_DONE, h.frag_length };
}

static size_t resync(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	for (size_t at = mm_find8(avail, 0, RPC_VERS); at < avail.len;
	        at = mm_find8(avail, at + 1, RPC_VERS)) {
		if (looks_like(mm_after(avail, at), dir))
			return at;
	}
	return avail.len;
}

static void parse(struct mm_dissect *d, struct mm_slice msg)
{
	mm_dcerpc_read_pdu(d, d->state, msg);
}

/** Answers lost leave the ticket without a verdict. Lost requests do not: answers are matched by
 * call_id. */
static void gap(struct mm_dissect *d)
{
	if (d->dir == MM_TO_CLIENT)
		mm_dcerpc_close(d, d->state);
}

static void end(struct mm_dissect *d)
{
	mm_dcerpc_close(d, d->state);
}

static const uint16_t tcp_ports[] = { 135, 0 }; /* the endpoint mapper; others are dynamic */

static const char *const ndpi_hints[] = { "DCE_RPC", NULL };

const struct mm_dissector mm_dcerpc = {
	.name = "dcerpc",
	.spec = "C706",
	.help = "DCE/RPC over TCP: tickets in bind, alter_context and auth3 (MS-RPCE)",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = tcp_ports,
	.ndpi_hints = ndpi_hints,
	.attrs = attrs,
	.n_attrs = N_ATTRS,
	.state_size = sizeof(struct mm_dcerpc_conn),
	.message_max = MESSAGE_MAX,
	.probe = probe,
	.frame = frame,
	.resync = resync,
	.parse = parse,
	.gap = gap,
	.end = end,
};
