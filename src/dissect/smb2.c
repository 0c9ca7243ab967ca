/* SMB 2 and 3 (and SMB 1, which carries the same tokens): tickets in SESSION_SETUP, and in DCE/RPC
 * over named pipes while the session is not encrypted.
 *
 * MS-SMB2; MS-SMB section 2.2.4.6 for SMB 1 with extended security; framing by MS-SMB2 section
 * 2.1 (port 445) and RFC 1002 section 4.3 (port 139). Bulk data is never buffered: frame() looks
 * at a message's first header and passes over what cannot carry a token. */
#include <stdio.h>

#include "dissect/dcerpc.h"

enum {
	NBSS_HEADER = 4, /* RFC 1002 section 4.3.1: type u8, then the length; 24 bits on port 445 */
	NBSS_MESSAGE = 0x00, /* RFC 1002 section 4.3.1, TYPE */
	NBSS_FIRST_OTHER =
	        0x81, /* session request, positive and negative response, retarget, keep alive */
	NBSS_LAST_OTHER = 0x85,
	NBSS_OTHER_MAX = 255, /* two names of 34 bytes are the most any of them holds */
	MAGIC = 4,
	SMB2_HEADER = 64, /* MS-SMB2 section 2.2.1 */
	SMB1_HEADER = 32, /* MS-CIFS section 2.2.3.1 */
	SMB1_COMMAND_AT = 4,
	COMPOUND_MAX = 64,  /* commands read of one compound */
	PIPE_PDUS_MAX = 16, /* DCE/RPC PDUs read of one payload */
	SETUPS = 8,         /* session setups outstanding on one connection */
	FILE_ID = 16,
	HEX64 = 19, /* "0x", 16 digits, NUL */
	MESSAGE_MAX =
	        128 * 1024, /* tokens are at most 65535 bytes: SecurityBufferLength has 16 bits */
};

/* ProtocolId: its first byte says which, "SMB" follows in all of them. */
enum {
	FIRST_SMB1 = 0xff,
	FIRST_SMB2 = 0xfe,
	FIRST_ENCRYPTED = 0xfd,  /* SMB2 TRANSFORM_HEADER, MS-SMB2 section 2.2.41 */
	FIRST_COMPRESSED = 0xfc, /* SMB2 COMPRESSION_TRANSFORM_HEADER, section 2.2.42 */
};

/* Command, MS-SMB2 section 2.2.1.2. */
enum {
	SMB2_NEGOTIATE = 0,
	SMB2_SESSION_SETUP = 1,
	SMB2_LOGOFF = 2,
	SMB2_READ = 8,
	SMB2_WRITE = 9,
	SMB2_IOCTL = 11,

	SMB1_SESSION_SETUP_ANDX = 0x73, /* MS-CIFS section 2.2.2.1 */
	SMB1_LOGOFF_ANDX = 0x74,
};

enum {
	SMB2_FLAGS_SERVER_TO_REDIR = 0x00000001, /* MS-SMB2 section 2.2.1.2 */
	SESSION_FLAG_BINDING = 0x01,             /* section 2.2.5 */
	SIGNING_REQUIRED = 0x02,                 /* section 2.2.5, SecurityMode */
	FSCTL_PIPE_TRANSCEIVE = 0x0011c017,      /* section 2.2.31 */
	SMB1_FLAGS_REPLY = 0x80,                 /* MS-CIFS section 2.2.3.1 */
	SMB1_FLAGS2_NT_STATUS = 0x4000,
	SMB1_REQUEST_WORDS = 12, /* MS-SMB section 2.2.4.6.1: extended security */
	SMB1_RESPONSE_WORDS = 4, /* section 2.2.4.6.2 */
	/* Sizes of bodies up to their buffer. */
	WRITE_REQUEST_BODY = 48,  /* section 2.2.21 */
	READ_RESPONSE_BODY = 16,  /* section 2.2.20 */
	IOCTL_REQUEST_BODY = 56,  /* section 2.2.31 */
	IOCTL_RESPONSE_BODY = 48, /* section 2.2.32 */
};

/* MS-ERREF section 2.3.1. */
enum {
	STATUS_SUCCESS = 0,
	STATUS_PENDING = 0x00000103, /* an interim response, MS-SMB2 section 3.3.4.2 */
	STATUS_BUFFER_OVERFLOW =
	        0x80000005, /* a READ or IOCTL of a pipe with part of the message: more is there */
	STATUS_MORE_PROCESSING_REQUIRED = 0xc0000016,
};

/* clang-format off */
enum {
	AT_DIALECT, AT_MESSAGE_ID, AT_SESSION_ID, AT_PREVIOUS_SESSION_ID, AT_SIGNING_REQUIRED,
	AT_BINDING, AT_SESSION_FLAGS,
	N_ATTRS,
};

static const struct mm_attr attrs[N_ATTRS] = {
	[AT_DIALECT] = { "mintmark.smb2.dialect", MM_ATTR_INT,
		"DialectRevision of the connection, 785 is 3.1.1 (MS-SMB2 2.2.4)" },
	[AT_MESSAGE_ID] = { "mintmark.smb2.message_id", MM_ATTR_INT,
		"MessageId of the request (MS-SMB2 2.2.1), MID in SMB 1" },
	[AT_SESSION_ID] = { "mintmark.smb2.session_id", MM_ATTR_STR,
		"SessionId the server gave (MS-SMB2 2.2.1), UID in SMB 1" },
	[AT_PREVIOUS_SESSION_ID] = { "mintmark.smb2.previous_session_id", MM_ATTR_STR,
		"PreviousSessionId, when not zero (MS-SMB2 2.2.5)" },
	[AT_SIGNING_REQUIRED] = { "mintmark.smb2.signing_required", MM_ATTR_BOOL,
		"the client's SecurityMode requires signing (MS-SMB2 2.2.5)" },
	[AT_BINDING] = { "mintmark.smb2.binding", MM_ATTR_BOOL,
		"the request binds a session to another connection (MS-SMB2 2.2.5)" },
	[AT_SESSION_FLAGS] = { "mintmark.smb2.session_flags", MM_ATTR_INT,
		"SessionFlags: 1 guest, 2 null, 4 encrypt (MS-SMB2 2.2.6)" },
};
/* clang-format on */

/* A session setup whose verdict is outstanding; free when it holds no event. */
struct setup {
	struct mm_presentation p;
	bool smb1;
	uint64_t message_id; /* of its latest request */
	uint64_t session_id; /* 0 until the server gave one */
	uint64_t age;        /* when it was begun: the least is the oldest */
};

/* A pipe over which a ticket went, its verdict outstanding. One at a time. */
struct pipe {
	struct mm_dcerpc_conn rpc;
	uint8_t file_id[FILE_ID];
	bool reading; /* a READ of it is outstanding: READ responses do not name the file */
	uint64_t read_message_id;
};

struct smb2 {
	uint16_t dialect; /* 0: not seen */
	uint64_t n_begun;
	struct setup setups[SETUPS];
	struct pipe pipe;
};

/* SMB2 header, MS-SMB2 section 2.2.1.2: 4 StructureSize, 6 CreditCharge, 8 Status, 12 Command,
 * 14 Credits, 16 Flags, 20 NextCommand, 24 MessageId, 32 AsyncId or Reserved and TreeId, 40
 * SessionId, 48 Signature. */
struct smb2_header {
	uint32_t status, flags, next_command;
	uint16_t command;
	uint64_t message_id, session_id;
};

/** False when msg is shorter than a header. */
static bool read_header(struct mm_slice msg, struct smb2_header *h)
{
	struct mm_cursor c = mm_cursor(msg);
	mm_skip(&c, 8);
	h->status = mm_le32(&c);
	h->command = mm_le16(&c);
	mm_skip(&c, 2);
	h->flags = mm_le32(&c);
	h->next_command = mm_le32(&c);
	h->message_id = mm_le64(&c);
	mm_skip(&c, 8);
	h->session_id = mm_le64(&c);
	mm_skip(&c, 16);
	return !c.err;
}

static void put_hex64(struct mm_event *ev, const struct mm_attr *attr, uint64_t v)
{
	char text[HEX64];
	snprintf(text, sizeof text, "0x%016llx", (unsigned long long)v);
	mm_event_put_str(ev, attr, mm_slice_str(text));
}

/** The slot of an outstanding setup by MessageId; NULL when there is none. */
static struct setup *find_message(struct smb2 *s, bool smb1, uint64_t message_id)
{
	for (size_t i = 0; i < SETUPS; i++) {
		struct setup *t = &s->setups[i];
		if (t->p.ev != NULL && t->smb1 == smb1 && t->message_id == message_id)
			return t;
	}
	return NULL;
}

static struct setup *find_session(struct smb2 *s, bool smb1, uint64_t session_id)
{
	for (size_t i = 0; i < SETUPS; i++) {
		struct setup *t = &s->setups[i];
		if (t->p.ev != NULL && t->smb1 == smb1 && t->session_id == session_id)
			return t;
	}
	return NULL;
}

/** The slot for a request: that of its exchange, else a free one, else the oldest, which is
 * ended. */
static struct setup *begin(
        struct mm_dissect *d, bool smb1, uint64_t message_id, uint64_t session_id)
{
	struct smb2 *s = d->state;
	struct setup *t = find_message(s, smb1, message_id);
	if (t == NULL && session_id != 0)
		t = find_session(s, smb1, session_id);
	if (t == NULL) {
		t = &s->setups[0];
		for (size_t i = 0; i < SETUPS && t->p.ev != NULL; i++) {
			if (s->setups[i].p.ev == NULL || s->setups[i].age < t->age)
				t = &s->setups[i];
		}
		if (t->p.ev != NULL)
			mm_gss_end(d, &t->p);
		t->age = s->n_begun++;
	}
	t->smb1 = smb1;
	t->message_id = message_id;
	t->session_id = session_id;
	return t;
}

/** Body of a SESSION_SETUP request, MS-SMB2 section 2.2.5: StructureSize u16, Flags u8,
 * SecurityMode u8, Capabilities u32, Channel u32, SecurityBufferOffset u16 (from the SMB2
 * header), SecurityBufferLength u16, PreviousSessionId u64. */
static void setup_request(struct mm_dissect *d, const struct smb2_header *h, struct mm_slice msg)
{
	const struct smb2 *s = d->state;
	struct mm_cursor c = mm_cursor(mm_after(msg, SMB2_HEADER));
	mm_skip(&c, 2);
	uint8_t flags = mm_u8(&c);
	uint8_t security_mode = mm_u8(&c);
	mm_skip(&c, 8);
	uint16_t offset = mm_le16(&c);
	uint16_t length = mm_le16(&c);
	uint64_t previous_session_id = mm_le64(&c);
	struct mm_slice token;
	if (c.err || !mm_sub(msg, offset, length, &token))
		return;

	struct setup *t = begin(d, false, h->message_id, h->session_id);
	struct mm_event *ev = mm_gss_request(d, &t->p, token, "smb2-session-setup");
	if (ev == NULL)
		return;
	if (s->dialect != 0)
		mm_event_put_int(ev, &attrs[AT_DIALECT], s->dialect);
	mm_event_put_int(ev, &attrs[AT_MESSAGE_ID], (int64_t)h->message_id);
	if (previous_session_id != 0)
		put_hex64(ev, &attrs[AT_PREVIOUS_SESSION_ID], previous_session_id);
	mm_event_put_bool(ev, &attrs[AT_SIGNING_REQUIRED], (security_mode & SIGNING_REQUIRED) != 0);
	mm_event_put_bool(ev, &attrs[AT_BINDING], (flags & SESSION_FLAG_BINDING) != 0);
}

static void setup_answer(struct mm_dissect *d, struct setup *t, uint64_t session_id,
        struct mm_slice token, struct mm_status status)
{
	enum mm_verdict verdict = MM_VERDICT_REFUSED;
	if (status.code == STATUS_SUCCESS)
		verdict = MM_VERDICT_ACCEPTED;
	else if (status.domain == MM_STATUS_NT && status.code == STATUS_MORE_PROCESSING_REQUIRED)
		verdict = MM_VERDICT_CONTINUE;
	if (session_id != 0) {
		t->session_id = session_id;
		if (mm_event_get(t->p.ev, &attrs[AT_SESSION_ID]) == NULL)
			put_hex64(t->p.ev, &attrs[AT_SESSION_ID], session_id);
	}
	mm_gss_response(d, &t->p, token, verdict, status);
}

/** Body of a SESSION_SETUP response, section 2.2.6: StructureSize u16, SessionFlags u16,
 * SecurityBufferOffset u16 (from the SMB2 header), SecurityBufferLength u16. Of another status
 * it is an ERROR response (section 2.2.2). */
static void setup_response(struct mm_dissect *d, const struct smb2_header *h, struct mm_slice msg)
{
	struct setup *t = find_message(d->state, false, h->message_id);
	if (t == NULL || h->status == STATUS_PENDING)
		return;
	struct mm_slice token = mm_first(msg, 0);
	if (h->status == STATUS_SUCCESS || h->status == STATUS_MORE_PROCESSING_REQUIRED) {
		struct mm_cursor c = mm_cursor(mm_after(msg, SMB2_HEADER));
		mm_skip(&c, 2);
		uint16_t session_flags = mm_le16(&c);
		uint16_t offset = mm_le16(&c);
		uint16_t length = mm_le16(&c);
		if (c.err || !mm_sub(msg, offset, length, &token))
			t->p.ev->flags |= MM_EVF_MALFORMED;
		else if (h->status == STATUS_SUCCESS)
			mm_event_put_int(t->p.ev, &attrs[AT_SESSION_FLAGS], session_flags);
	}
	setup_answer(d, t, h->session_id, token, (struct mm_status){ MM_STATUS_NT, h->status });
}

/** Body of a NEGOTIATE response, section 2.2.4: StructureSize u16, SecurityMode u16,
 * DialectRevision u16. */
static void negotiate_response(struct smb2 *s, const struct smb2_header *h, struct mm_slice msg)
{
	struct mm_cursor c = mm_cursor(mm_after(msg, SMB2_HEADER));
	mm_skip(&c, 4);
	uint16_t dialect = mm_le16(&c);
	if (!c.err && h->status == STATUS_SUCCESS)
		s->dialect = dialect;
}

static void logoff(struct mm_dissect *d, bool smb1, uint64_t session_id)
{
	struct setup *t = find_session(d->state, smb1, session_id);
	if (t != NULL)
		mm_gss_end(d, &t->p);
}

/* What of an SMB2 command travels through a file: the file, and where in the message the bytes
 * are. */
struct payload {
	bool named; /* the message names its file */
	uint8_t file_id[FILE_ID];
	uint32_t offset, length; /* from the SMB2 header */
};

static void read_file_id(struct mm_cursor *c, struct payload *out)
{
	for (size_t i = 0; i < FILE_ID; i++)
		out->file_id[i] = mm_u8(c);
	out->named = true;
}

/** Find the payload of WRITE and IOCTL requests, READ requests (length 0), READ and IOCTL
 * responses. msg needs to hold the fixed part of the body only. False when it is none of these,
 * or too short. */
static bool read_payload(
        const struct smb2_header *h, enum mm_dir dir, struct mm_slice msg, struct payload *out)
{
	struct mm_cursor c = mm_cursor(mm_after(msg, SMB2_HEADER));
	*out = (struct payload){ .named = false };
	mm_skip(&c, 2); /* StructureSize */
	if (h->command == SMB2_WRITE && dir == MM_TO_SERVER) {
		out->offset = mm_le16(&c);
		out->length = mm_le32(&c);
		mm_skip(&c, 8); /* Offset */
		read_file_id(&c, out);
	} else if (h->command == SMB2_READ && dir == MM_TO_SERVER) {
		mm_skip(&c, 2 + 4 + 8); /* Padding, Flags, Length, Offset (section 2.2.19) */
		read_file_id(&c, out);
	} else if (h->command == SMB2_READ) {
		out->offset = mm_u8(&c);
		mm_skip(&c, 1);
		out->length = mm_le32(&c);
	} else if (h->command == SMB2_IOCTL) {
		mm_skip(&c, 2);
		if (mm_le32(&c) != FSCTL_PIPE_TRANSCEIVE)
			return false;
		read_file_id(&c, out);
		if (dir == MM_TO_CLIENT)
			mm_skip(&c, 4 + 4); /* InputOffset, InputCount */
		out->offset = mm_le32(&c);
		out->length = mm_le32(&c);
	} else {
		return false;
	}
	return !c.err;
}

/** Could the command be read for DCE/RPC at all, as things stand? */
static bool pipe_command(const struct smb2 *s, enum mm_dir dir, const struct smb2_header *h)
{
	bool waiting = s->pipe.rpc.p.ev != NULL;
	if (dir == MM_TO_SERVER)
		return h->command == SMB2_WRITE || h->command == SMB2_IOCTL ||
		       (h->command == SMB2_READ && waiting);
	return waiting && (h->command == SMB2_READ || h->command == SMB2_IOCTL);
}

/** Is it of the pipe that waits for its verdict? */
static bool pipe_is_ours(
        const struct pipe *pipe, const struct smb2_header *h, const struct payload *w)
{
	if (!w->named)
		return pipe->reading && pipe->read_message_id == h->message_id;
	return memcmp(pipe->file_id, w->file_id, FILE_ID) == 0;
}

static void pipe_message(struct mm_dissect *d, const struct smb2_header *h, struct mm_slice msg)
{
	struct smb2 *s = d->state;
	struct pipe *pipe = &s->pipe;
	struct payload w;
	struct mm_slice bytes;

	if (!pipe_command(s, d->dir, h) || !read_payload(h, d->dir, msg, &w))
		return;
	bool ours = pipe_is_ours(pipe, h, &w);
	if (h->command == SMB2_READ && d->dir == MM_TO_SERVER) {
		if (ours) {
			pipe->reading = true;
			pipe->read_message_id = h->message_id;
		}
		return;
	}
	if (d->dir == MM_TO_CLIENT &&
	        (!ours || (h->status != STATUS_SUCCESS && h->status != STATUS_BUFFER_OVERFLOW)))
		return;
	if (!mm_sub(msg, w.offset, w.length, &bytes))
		return;
	for (size_t i = 0; i < PIPE_PDUS_MAX && bytes.len >= MM_DCERPC_HEADER; i++) {
		struct mm_dcerpc_header rpc;
		struct mm_slice pdu;
		if (!mm_dcerpc_read_header(bytes, &rpc) || !mm_sub(bytes, 0, rpc.frag_length, &pdu))
			return;
		if (d->dir == MM_TO_SERVER && !ours && mm_dcerpc_wanted(&pipe->rpc, d->dir, &rpc)) {
			/* Another pipe's authentication begins: one is followed at a time. */
			mm_dcerpc_close(d, &pipe->rpc);
			*pipe = (struct pipe){ .reading = false };
			memcpy(pipe->file_id, w.file_id, FILE_ID);
			ours = true;
		}
		if (ours)
			mm_dcerpc_read_pdu(d, &pipe->rpc, pdu);
		bytes = mm_after(bytes, rpc.frag_length);
	}
}

/** One command of a message, from its SMB2 header to the next one. */
static void read_command(struct mm_dissect *d, const struct smb2_header *h, struct mm_slice msg)
{
	bool response = (h->flags & SMB2_FLAGS_SERVER_TO_REDIR) != 0;
	if (response != (d->dir == MM_TO_CLIENT))
		return;
	switch (h->command) {
	case SMB2_NEGOTIATE:
		if (response)
			negotiate_response(d->state, h, msg);
		break;
	case SMB2_SESSION_SETUP:
		if (response)
			setup_response(d, h, msg);
		else
			setup_request(d, h, msg);
		break;
	case SMB2_LOGOFF:
		if (!response)
			logoff(d, false, h->session_id);
		break;
	default:
		pipe_message(d, h, msg);
		break;
	}
}

static void read_compound(struct mm_dissect *d, struct mm_slice msg)
{
	for (size_t i = 0; i < COMPOUND_MAX; i++) {
		struct smb2_header h;
		if (mm_at(msg, 0) != FIRST_SMB2 || !read_header(msg, &h))
			return;
		read_command(d, &h, h.next_command == 0 ? msg : mm_first(msg, h.next_command));
		if (h.next_command < SMB2_HEADER)
			return;
		msg = mm_after(msg, h.next_command);
	}
}

/** SMB 1: header (MS-CIFS section 2.2.3.1) of Protocol u32, Command u8, Status u32, Flags u8,
 * Flags2 u16, PIDHigh u16, SecurityFeatures u64, Reserved u16, TID u16, PIDLow u16, UID u16,
 * MID u16; then WordCount u8 and words, ByteCount u16 and bytes, which begin with the security
 * blob (MS-SMB section 2.2.4.6). */
static void read_smb1(struct mm_dissect *d, struct mm_slice msg)
{
	struct mm_cursor c = mm_cursor(msg);
	mm_skip(&c, MAGIC);
	uint8_t command = mm_u8(&c);
	uint32_t status = mm_le32(&c);
	uint8_t flags = mm_u8(&c);
	uint16_t flags2 = mm_le16(&c);
	mm_skip(&c, 2 + 8 + 2 + 2 + 2);
	uint16_t uid = mm_le16(&c);
	uint16_t mid = mm_le16(&c);
	unsigned word_count = mm_u8(&c);
	bool response = (flags & SMB1_FLAGS_REPLY) != 0;
	if (c.err || response != (d->dir == MM_TO_CLIENT))
		return;
	if (command == SMB1_LOGOFF_ANDX && !response)
		logoff(d, true, uid);
	if (command != SMB1_SESSION_SETUP_ANDX)
		return;

	struct mm_slice token = mm_first(msg, 0);
	if (word_count == (response ? SMB1_RESPONSE_WORDS : SMB1_REQUEST_WORDS)) {
		/* AndXCommand, AndXReserved, AndXOffset, Action; or MaxBufferSize to SessionKey */
		mm_skip(&c, response ? 6 : 14);
		uint16_t length = mm_le16(&c);
		mm_skip(&c, response ? 2 : 8 + 2); /* Reserved, Capabilities; ByteCount */
		token = mm_take(&c, length);
	}
	if (response) {
		struct setup *t = find_message(d->state, true, mid);
		if (t == NULL)
			return;
		if (c.err)
			t->p.ev->flags |= MM_EVF_MALFORMED;
		bool nt = (flags2 & SMB1_FLAGS2_NT_STATUS) != 0;
		setup_answer(d, t, uid, token,
		        (struct mm_status){ nt ? MM_STATUS_NT : MM_STATUS_NONE, status });
	} else if (!c.err && token.len != 0) {
		struct setup *t = begin(d, true, mid, uid);
		struct mm_event *ev = mm_gss_request(d, &t->p, token, "smb1-session-setup");
		if (ev != NULL)
			mm_event_put_int(ev, &attrs[AT_MESSAGE_ID], mid);
	}
}

static void parse(struct mm_dissect *d, struct mm_slice msg)
{
	struct mm_slice smb = mm_after(msg, NBSS_HEADER);
	int first = mm_at(smb, 0);
	if (mm_at(msg, 0) != NBSS_MESSAGE)
		return;
	if (first == FIRST_SMB2)
		read_compound(d, smb);
	else if (first == FIRST_SMB1)
		read_smb1(d, smb);
}

/** What of a WRITE, READ or IOCTL must be there to see whether its payload is a PDU of interest.
 * smb holds the message as far as it came, length bytes in all. */
static struct mm_frame frame_pipe(const struct smb2 *s, enum mm_dir dir,
        const struct smb2_header *h, struct mm_slice smb, size_t length)
{
	const struct mm_frame skip = { MM_FRAME_SKIP, NBSS_HEADER + length };
	size_t body = dir == MM_TO_SERVER ? IOCTL_REQUEST_BODY : IOCTL_RESPONSE_BODY;
	if (h->command == SMB2_WRITE)
		body = WRITE_REQUEST_BODY;
	else if (h->command ==
	         SMB2_READ) /* a request's FileId ends there too, and READ has 48 bytes */
		body = dir == MM_TO_SERVER ? WRITE_REQUEST_BODY : READ_RESPONSE_BODY;
	if (length < SMB2_HEADER + body || NBSS_HEADER + length > MESSAGE_MAX)
		return skip;
	if (smb.len < SMB2_HEADER + body)
		return (struct mm_frame){ MM_FRAME_MORE, NBSS_HEADER + SMB2_HEADER + body };

	struct payload w;
	if (!read_payload(h, dir, smb, &w))
		return skip;
	bool ours = s->pipe.rpc.p.ev != NULL && pipe_is_ours(&s->pipe, h, &w);
	if (h->command == SMB2_READ && dir == MM_TO_SERVER)
		return ours ? (struct mm_frame){ MM_FRAME_DONE, NBSS_HEADER + length } : skip;
	if ((dir == MM_TO_CLIENT && !ours) || w.length < MM_DCERPC_HEADER || w.offset > length ||
	        w.length > length - w.offset)
		return skip;

	size_t need = (size_t)w.offset + MM_DCERPC_HEADER;
	if (smb.len < need)
		return (struct mm_frame){ MM_FRAME_MORE, NBSS_HEADER + need };
	struct mm_dcerpc_header rpc;
	struct mm_slice front = mm_first(mm_after(smb, w.offset), MM_DCERPC_HEADER);
	if (!mm_dcerpc_read_header(front, &rpc) || !mm_dcerpc_wanted(&s->pipe.rpc, dir, &rpc))
		return skip;
	return (struct mm_frame){ MM_FRAME_DONE, NBSS_HEADER + length };
}

static struct mm_frame frame_smb2(
        const struct smb2 *s, enum mm_dir dir, struct mm_slice smb, size_t length)
{
	struct smb2_header h;
	size_t whole = NBSS_HEADER + length;

	if (length < SMB2_HEADER)
		return (struct mm_frame){ MM_FRAME_SKIP, whole };
	if (!read_header(smb, &h))
		return (struct mm_frame){ MM_FRAME_MORE, NBSS_HEADER + SMB2_HEADER };
	if (h.command == SMB2_NEGOTIATE || h.command == SMB2_SESSION_SETUP ||
	        h.command == SMB2_LOGOFF)
		return (struct mm_frame){ MM_FRAME_DONE, whole };
	/* A compound may hold anything, but one too long to buffer holds bulk data. */
	if (h.next_command != 0)
		return (struct mm_frame){ whole > MESSAGE_MAX ? MM_FRAME_SKIP : MM_FRAME_DONE,
			whole };
	if (pipe_command(s, dir, &h))
		return frame_pipe(s, dir, &h, smb, length);
	return (struct mm_frame){ MM_FRAME_SKIP, whole };
}

static struct mm_frame frame_message(
        const struct smb2 *s, enum mm_dir dir, struct mm_slice smb, size_t length)
{
	size_t whole = NBSS_HEADER + length;
	int command;

	if (length < MAGIC)
		return (struct mm_frame){ MM_FRAME_SKIP, whole };
	struct mm_slice rest = mm_first(mm_after(smb, 1), MAGIC - 1);
	if (!mm_slice_eq(rest, mm_first(mm_slice_str("SMB"), rest.len)))
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	switch (mm_at(smb, 0)) {
	case FIRST_SMB2:
		if (smb.len < MAGIC)
			return (struct mm_frame){ MM_FRAME_MORE, NBSS_HEADER + MAGIC };
		return frame_smb2(s, dir, smb, length);
	case FIRST_SMB1:
		command = mm_at(smb, SMB1_COMMAND_AT);
		if (length < SMB1_HEADER)
			return (struct mm_frame){ MM_FRAME_SKIP, whole };
		if (command < 0)
			return (struct mm_frame){ MM_FRAME_MORE, NBSS_HEADER + SMB1_HEADER };
		if (command != SMB1_SESSION_SETUP_ANDX && command != SMB1_LOGOFF_ANDX)
			return (struct mm_frame){ MM_FRAME_SKIP, whole };
		return (struct mm_frame){ MM_FRAME_DONE, whole };
	case FIRST_ENCRYPTED:
	case FIRST_COMPRESSED:
		if (smb.len < MAGIC)
			return (struct mm_frame){ MM_FRAME_MORE, NBSS_HEADER + MAGIC };
		return (struct mm_frame){ MM_FRAME_SKIP, whole };
	case -1:
		return (struct mm_frame){ MM_FRAME_MORE, NBSS_HEADER + MAGIC };
	default:
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	}
}

static struct mm_frame frame(void *state, enum mm_dir dir, struct mm_slice avail)
{
	struct mm_cursor c = mm_cursor(avail);
	uint8_t type = mm_u8(&c);
	if (type != NBSS_MESSAGE && (type < NBSS_FIRST_OTHER || type > NBSS_LAST_OTHER))
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	size_t length = mm_be24(&c);
	if (c.err)
		return (struct mm_frame){ MM_FRAME_MORE, NBSS_HEADER };
	if (type == NBSS_MESSAGE) {
		struct mm_frame f = frame_message(state, dir, mm_left(&c), length);
		if (f.verdict == MM_FRAME_DONE && f.n > avail.len)
			f.verdict = MM_FRAME_MORE;
		return f;
	}
	if (length > NBSS_OTHER_MAX)
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	return (struct mm_frame){ MM_FRAME_SKIP, NBSS_HEADER + length };
}

static bool probe(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	(void)dir;
	int first = mm_at(head, NBSS_HEADER);
	struct mm_slice magic;
	return transport == MM_TCP && mm_at(head, 0) == NBSS_MESSAGE &&
	       (first == FIRST_SMB1 || first == FIRST_SMB2) &&
	       mm_sub(head, NBSS_HEADER + 1, MAGIC - 1, &magic) &&
	       mm_slice_eq(magic, mm_slice_str("SMB"));
}

/** 0x00, a length, 0xfc to 0xff, 'S' 'M' 'B'. */
static size_t resync(void *state, enum mm_dir dir, struct mm_slice avail)
{
	const struct mm_slice smb = mm_slice_str("SMB");
	(void)state;
	(void)dir;
	for (size_t at = mm_find(avail, NBSS_HEADER + 1, smb); at < avail.len;
	        at = mm_find(avail, at + 1, smb)) {
		size_t start = at - NBSS_HEADER - 1;
		if (mm_at(avail, start) == NBSS_MESSAGE && mm_at(avail, at - 1) >= FIRST_COMPRESSED)
			return start;
	}
	return avail.len;
}

static void end(struct mm_dissect *d)
{
	struct smb2 *s = d->state;
	for (size_t i = 0; i < SETUPS; i++) {
		if (s->setups[i].p.ev != NULL)
			mm_gss_end(d, &s->setups[i].p);
	}
	mm_dcerpc_close(d, &s->pipe.rpc);
}

/** Answers lost leave their requests without a verdict. Lost requests do not: answers are
 * matched by MessageId. */
static void gap(struct mm_dissect *d)
{
	if (d->dir == MM_TO_CLIENT)
		end(d);
}

static const uint16_t tcp_ports[] = { 445, 139, 0 };

static const char *const ndpi_hints[] = { "SMBv1", "SMBv23", NULL };

const struct mm_dissector mm_smb2 = {
	.name = "smb2",
	.spec = "MS-SMB2",
	.help = "SMB 1 to 3: tickets in SESSION_SETUP and in DCE/RPC over named pipes",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = tcp_ports,
	.ndpi_hints = ndpi_hints,
	.attrs = attrs,
	.n_attrs = N_ATTRS,
	.state_size = sizeof(struct smb2),
	.message_max = MESSAGE_MAX,
	.probe = probe,
	.frame = frame,
	.resync = resync,
	.parse = parse,
	.gap = gap,
	.end = end,
};
