/* The Kerberos password protocol, RFC 3244: a ticket for kadmin/changepw shown to change or set a password.
 *
 *	offset  size  request                        reply                     (integers: most significant first)
 *	0       2     message length, header included
 *	2       2     0xff80, or 1 (change only)     1
 *	4       2     AP-REQ length                  AP-REP length, 0: a KRB-ERROR follows
 *	6       ..    AP-REQ, KRB-PRIV               AP-REP, KRB-PRIV or KRB-ERROR
 *
 * Over TCP each message follows its length in 4 bytes (RFC 4120 section 7.2.2). What was changed, and whether
 * the new password was liked, is inside KRB-PRIV: outcome success says that the ticket was accepted. */
#include "dissect/krb5.h"

enum {
	PREFIX = 4, /* octets before a message over TCP */
	HEADER = 6,
	VERSION_CHANGE = 1, /* also of every reply */
	VERSION_SET = 0xff80,
	AP_REQ_TAG = 0x6e, /* [APPLICATION 14], RFC 4120 section 5.5.1 */
	AP_REP_TAG = 0x6f,
	KRB_ERROR_TAG = 0x7e,
	LENGTH_MAX = 0xffff,
};

struct kpasswd_state {
	struct mm_event *ev;  /* the request without an answer */
	struct mm_id request; /* of its bytes, to know it when it is sent again */
	bool seen_reply;
};

enum {
	ATTR_VERSION,
	N_ATTRS,
};

static const struct mm_attr attrs[N_ATTRS] = {
	[ATTR_VERSION] = { "mintmark.kpasswd.version", MM_ATTR_INT,
	        "protocol version number of the request, RFC 3244 section 2: 65408 sets, 1 "
	        "changes" },
};

/* A message's header, and what follows it. */
struct header {
	size_t length, ap_length;
	unsigned version;
	struct mm_slice rest;
};

static bool read_header(struct mm_slice s, struct header *out)
{
	struct mm_cursor c = mm_cursor(s);
	struct header h;
	h.length = mm_be16(&c);
	h.version = mm_be16(&c);
	h.ap_length = mm_be16(&c);
	h.rest = mm_left(&c);
	if (c.err || h.length < HEADER || h.ap_length > h.length - HEADER ||
	        (h.version != VERSION_CHANGE && h.version != VERSION_SET))
		return false;
	*out = h;
	return true;
}

/* Strict: lengths that agree, and the tag that this direction must show when it is there to see. */
static bool starts_message(struct mm_slice s, enum mm_dir dir, enum mm_transport transport)
{
	struct header h;
	struct mm_cursor c = mm_cursor(s);
	size_t length = transport == MM_TCP ? mm_be32(&c) : s.len;
	if (c.err || !read_header(mm_left(&c), &h) || h.length != length)
		return false;
	int tag = mm_at(h.rest, 0);
	if (dir == MM_TO_SERVER)
		return tag == AP_REQ_TAG && h.ap_length != 0;
	return tag == (h.ap_length != 0 ? AP_REP_TAG : KRB_ERROR_TAG);
}

static bool kpasswd_probe(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	return starts_message(head, dir, transport);
}

static struct mm_frame kpasswd_frame(void *state, enum mm_dir dir, struct mm_slice avail)
{
	struct header h;
	(void)state;
	(void)dir;
	if (avail.len < PREFIX + HEADER)
		return (struct mm_frame){ MM_FRAME_MORE, PREFIX + HEADER };
	struct mm_cursor c = mm_cursor(avail);
	size_t length = mm_be32(&c);
	if (!read_header(mm_left(&c), &h) || h.length != length)
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	bool whole = avail.len >= PREFIX + length;
	return (struct mm_frame){ whole ? MM_FRAME_DONE : MM_FRAME_MORE, PREFIX + length };
}

static size_t kpasswd_resync(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	for (size_t i = 0; i < avail.len; i++)
		if (mm_at(avail, i) == 0 && starts_message(mm_after(avail, i), dir, MM_TCP))
			return i;
	return avail.len;
}

static void release(struct mm_dissect *d)
{
	struct kpasswd_state *st = d->state;
	if (st->ev == NULL)
		return;
	if (!st->seen_reply)
		st->ev->flags |= MM_EVF_ONE_SIDED;
	mm_dissect_emit(d, st->ev);
	st->ev = NULL;
}

static void request(struct mm_dissect *d, const struct header *h, struct mm_slice msg)
{
	struct kpasswd_state *st = d->state;
	struct mm_id id = mm_dissect_id(d, msg);
	struct mm_slice ap_req;
	if (st->ev != NULL && mm_id_eq(&id, &st->request)) {
		mm_event_add_pkts(st->ev, d->first, d->last);
		return;
	}
	release(d);
	st->ev = mm_dissect_event(d, MM_EV_PRESENT, "kpasswd");
	if (st->ev == NULL)
		return;
	st->request = id;
	mm_event_put_int(st->ev, &attrs[ATTR_VERSION], h->version);
	if (h->length != msg.len)
		st->ev->flags |= MM_EVF_MALFORMED;
	if (!mm_sub(h->rest, 0, h->ap_length, &ap_req)) {
		ap_req = h->rest;
		st->ev->flags |= MM_EVF_MALFORMED;
	}
	(void)mm_krb5_ap_req(st->ev, ap_req, MM_ROLE_PRESENTED);
}

static void reply(struct mm_dissect *d, const struct header *h, struct mm_slice msg)
{
	struct kpasswd_state *st = d->state;
	struct mm_event *ev = st->ev;
	st->seen_reply = true;
	if (ev == NULL)
		return;
	mm_dissect_response(d, ev);
	st->ev = NULL;
	if (h->length != msg.len)
		ev->flags |= MM_EVF_MALFORMED;
	if (h->ap_length != 0) {
		ev->outcome = MM_SUCCESS;
	} else {
		uint32_t code;
		ev->outcome = MM_FAILURE;
		if (mm_krb5_error_code(h->rest, &code))
			ev->status = (struct mm_status){ MM_STATUS_KRB5, code };
		else
			ev->flags |= MM_EVF_MALFORMED;
	}
	mm_dissect_emit(d, ev);
}

static void kpasswd_parse(struct mm_dissect *d, struct mm_slice msg)
{
	struct header h;
	if (d->flow->transport == MM_TCP)
		msg = mm_after(msg, PREFIX);
	if (!read_header(msg, &h))
		return;
	if (d->dir == MM_TO_SERVER && h.ap_length != 0)
		request(d, &h, msg);
	else if (d->dir == MM_TO_CLIENT)
		reply(d, &h, msg);
}

static const uint16_t ports[] = { 464, 0 };

const struct mm_dissector mm_kpasswd = {
	.name = "kpasswd",
	.spec = "RFC 3244",
	.help = "Kerberos password changes: the ticket shown, and whether it was accepted",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = ports,
	.udp_ports = ports,
	.attrs = attrs,
	.n_attrs = N_ATTRS,
	.state_size = sizeof(struct kpasswd_state),
	.message_max = PREFIX + LENGTH_MAX,
	.probe = kpasswd_probe,
	.frame = kpasswd_frame,
	.resync = kpasswd_resync,
	.parse = kpasswd_parse,
	.gap = release, /* once bytes are lost, an answer may be to another request */
	.end = release,
};
