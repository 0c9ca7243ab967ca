/* DCE/RPC, connection-oriented: what carriers of its PDUs (a TCP stream, a named pipe in SMB2)
 * share. C706 chapter 12, MS-RPCE. */
#ifndef MM_DISSECT_DCERPC_H
#define MM_DISSECT_DCERPC_H

#include "dissect/gss.h"

extern const struct mm_dissector mm_dcerpc;

enum {
	MM_DCERPC_HEADER = 16,    /* C706 section 12.6.3.1, the common header */
	MM_DCERPC_UUID_TEXT = 37, /* 36 characters and NUL */
};

/* PTYPE, C706 section 12.6.3.1 and 12.6.4.1; auth3 is MS-RPCE section 2.2.2.10, rts is MS-RPCH. */
enum mm_dcerpc_ptype {
	MM_DCERPC_REQUEST = 0,
	MM_DCERPC_RESPONSE = 2,
	MM_DCERPC_FAULT = 3,
	MM_DCERPC_BIND = 11,
	MM_DCERPC_BIND_ACK = 12,
	MM_DCERPC_BIND_NAK = 13,
	MM_DCERPC_ALTER_CONTEXT = 14,
	MM_DCERPC_ALTER_CONTEXT_RESP = 15,
	MM_DCERPC_AUTH3 = 16,
	MM_DCERPC_SHUTDOWN = 17,
	MM_DCERPC_CO_CANCEL = 18,
	MM_DCERPC_ORPHANED = 19,
	MM_DCERPC_RTS = 20,
};

/** The common header. 0 rpc_vers, 1 rpc_vers_minor, 2 PTYPE, 3 pfc_flags, 4 packed_drep[4],
 * 8 frag_length (2), 10 auth_length (2), 12 call_id (4); the last three in the order drep names. */
struct mm_dcerpc_header {
	uint8_t ptype, flags;
	bool big_endian;
	uint16_t frag_length, auth_length;
	uint32_t call_id;
};

enum mm_dcerpc_wait {
	MM_DCERPC_IDLE,
	MM_DCERPC_WAIT_ACK, /* a bind or alter_context was sent: its own answer tells */
	/* An auth3 was sent, which has no answer, or the answer was silent: the next call tells. */
	MM_DCERPC_WAIT_CALL,
};

/** One connection: a TCP flow, or an open pipe. Zero at the start. */
struct mm_dcerpc_conn {
	struct mm_presentation p;
	enum mm_dcerpc_wait wait;
	uint32_t call_id; /* of the PDU that carried the ticket */
	/* Abstract syntax of the last bind or alter_context; "": none. */
	char interface[MM_DCERPC_UUID_TEXT];
	uint16_t version_major, version_minor;
};

/** Read a common header at the front of s, which may be shorter: true when what is there can be
 * the start of one. h is filled when s holds all 16 bytes. */
bool mm_dcerpc_read_header(struct mm_slice s, struct mm_dcerpc_header *h);

/** Could this PDU say anything of a ticket, as things stand on this connection? */
bool mm_dcerpc_wanted(
        const struct mm_dcerpc_conn *conn, enum mm_dir dir, const struct mm_dcerpc_header *h);

/** Read one whole PDU, its length frag_length. */
void mm_dcerpc_read_pdu(struct mm_dissect *d, struct mm_dcerpc_conn *conn, struct mm_slice pdu);

/** The connection ends or its answers were lost. */
void mm_dcerpc_close(struct mm_dissect *d, struct mm_dcerpc_conn *conn);

#endif
