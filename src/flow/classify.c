/* Which dissector a flow belongs to: by port, else by the first bytes, else by what nDPI makes of them. */
#include "flow/internal.h"

#include <stdlib.h>

static void claim_ports(uint8_t table[65536], const uint16_t *ports, size_t index)
{
	for (; ports != NULL && *ports != 0; ports++)
		if (table[*ports] == 0)
			table[*ports] = (uint8_t)(index + 1);
}

int mm_class_init(struct mm_class *c)
{
	*c = (struct mm_class){ .list = mm_dissectors };
	for (; mm_dissectors[c->n] != NULL; c->n++) {
		const struct mm_dissector *d = mm_dissectors[c->n];
		if (d->layer != MM_LAYER_CARRIER || d->parse == NULL)
			continue;
		if (c->n + 1 > UINT8_MAX)
			return MM_ERR_UNSUPPORTED;
		if (d->frame != NULL)
			claim_ports(c->tcp, d->tcp_ports, c->n);
		claim_ports(c->udp, d->udp_ports, c->n);
	}
	return MM_OK;
}

/* ALPN protocol IDs: RFC 7301 section 6 and IANA's registry. */
static const struct {
	const char *id, *name;
} alpn[] = {
	{ "http/1.1", "http" },
	{ "http/1.0", "http" },
	{ "h2", "http2" },
	{ "h2c", "http2" },
};

const struct mm_dissector *mm_class_name(const struct mm_class *c, const char *name)
{
	for (size_t i = 0; i < sizeof alpn / sizeof alpn[0]; i++)
		if (strcmp(alpn[i].id, name) == 0)
			name = alpn[i].name;
	for (size_t i = 0; i < c->n; i++) {
		const struct mm_dissector *d = c->list[i];
		if (strcmp(d->name, name) == 0 && d->layer == MM_LAYER_CARRIER &&
		        d->parse != NULL && d->frame != NULL)
			return d;
	}
	return NULL;
}

const struct mm_dissector *mm_class_port(
        const struct mm_class *c, uint8_t ip_proto, uint16_t port, size_t *proto)
{
	unsigned i = ip_proto == MM_TCP ? c->tcp[port] : c->udp[port];
	if (i == 0)
		return NULL;
	*proto = i - 1;
	return c->list[i - 1];
}

const struct mm_dissector *mm_class_flow(
        const struct mm_class *c, const struct mm_flow *f, size_t *proto)
{
	const struct mm_flow_key *k = &f->key;
	const struct mm_dissector *d = mm_class_port(c, k->proto, k->port[!f->client], proto);
	return d != NULL ? d : mm_class_port(c, k->proto, k->port[f->client], proto);
}

const struct mm_dissector *mm_class_probe(const struct mm_class *c, struct mm_slice head,
        enum mm_dir dir, enum mm_transport transport, const struct mm_dissector *except,
        size_t *proto)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct mm_dissector *d = c->list[i];
		if (d == except || d->layer != MM_LAYER_CARRIER || d->probe == NULL ||
		        d->parse == NULL)
			continue;
		if (transport == MM_TCP && d->frame == NULL)
			continue;
		if (d->probe(head, dir, transport)) {
			*proto = i;
			return d;
		}
	}
	return NULL;
}

uint8_t mm_class_client(const struct mm_class *c, const struct mm_flow_key *key, unsigned first)
{
	enum { EPHEMERAL_MIN = 32768 }; /* Linux; others begin at 49152 (RFC 6335 section 6) */
	size_t ignored;
	bool claimed[2];
	for (unsigned i = 0; i < 2; i++)
		claimed[i] = mm_class_port(c, key->proto, key->port[i], &ignored) != NULL;
	if (claimed[0] != claimed[1])
		return claimed[0] ? 1 : 0;
	bool tells = key->port[0] < EPHEMERAL_MIN || key->port[1] < EPHEMERAL_MIN;
	if (key->port[0] != key->port[1] && tells)
		return key->port[0] > key->port[1] ? 0 : 1;
	return (uint8_t)first;
}

/* --- neither ours nor nDPI's ----------------------------------------------------------------------- */

/* A record of TLS that begins a handshake: RFC 8446 sections 5.1 and 4, RFC 5246 section 6.2. */
static bool is_tls(struct mm_slice head)
{
	enum {
		HANDSHAKE = 22,
		MAJOR = 3,
		MINOR_MAX = 4,
		FRAGMENT_MAX = 16384 + 2048, /* of TLSCiphertext */
		CLIENT_HELLO = 1,
		SERVER_HELLO = 2,
	};
	struct mm_cursor c = mm_cursor(head);
	unsigned type = mm_u8(&c), major = mm_u8(&c), minor = mm_u8(&c), length = mm_be16(&c);
	unsigned message = mm_u8(&c);
	return !c.err && type == HANDSHAKE && major == MAJOR && minor <= MINOR_MAX &&
	       length <= FRAGMENT_MAX && (message == CLIENT_HELLO || message == SERVER_HELLO);
}

/* A QUIC long header: form and fixed bit, a version in use, a connection ID of at most 20 bytes. RFC 9000 section 17.2;
 * RFC 9369 for version 2. */
static bool is_quic(struct mm_slice head)
{
	enum { LONG_AND_FIXED = 0xc0, CONNECTION_ID_MAX = 20, HEADER = 6 };
	static const uint32_t version_1 = 1, version_2 = 0x6b3343cf, drafts = 0xff000000,
	                      draft_mask = 0xffffff00;
	struct mm_cursor c = mm_cursor(head);
	unsigned first = mm_u8(&c);
	uint32_t version = mm_be32(&c);
	unsigned id_len = mm_u8(&c);
	return !c.err && (first & LONG_AND_FIXED) == LONG_AND_FIXED &&
	       id_len <= CONNECTION_ID_MAX && head.len > HEADER + id_len &&
	       (version == version_1 || version == version_2 || (version & draft_mask) == drafts);
}

/* A query of DNS or its answer: one question, an opcode in use. RFC 1035 section 4.1.1. */
static bool is_dns(struct mm_slice head)
{
	enum { OPCODE = 0x78, OPCODE_MAX = 6 << 3, HEADER = 12, RECORDS_MAX = 255 };
	struct mm_cursor c = mm_cursor(head);
	mm_skip(&c, 2);
	unsigned flags = mm_u8(&c);
	mm_skip(&c, 1);
	unsigned questions = mm_be16(&c), answers = mm_be16(&c), authorities = mm_be16(&c);
	return !c.err && head.len > HEADER && (flags & OPCODE) <= OPCODE_MAX && questions == 1 &&
	       answers <= RECORDS_MAX && authorities <= RECORDS_MAX;
}

uint8_t mm_class_signature(const struct mm_flow *f, struct mm_slice head)
{
	enum { PORT_DNS = 53 };
	if (f->key.proto == MM_TCP)
		return is_tls(head) ? MM_FLOW_NAME_TLS : MM_FLOW_NAME_UNKNOWN;
	if ((f->key.port[0] == PORT_DNS || f->key.port[1] == PORT_DNS) && is_dns(head))
		return MM_FLOW_NAME_DNS;
	return is_quic(head) ? MM_FLOW_NAME_QUIC : MM_FLOW_NAME_UNKNOWN;
}

/* --- nDPI ------------------------------------------------------------------------------------------ */

static struct mm_ndpi_verdict ask(
        struct mm_flow_table *t, const struct mm_flow *f, const struct mm_slice heads[2])
{
	if (t->ndpi == NULL && !t->ndpi_failed && t->conf.ndpi) {
		t->ndpi = mm_ndpi_new(t->class.list);
		t->ndpi_failed = t->ndpi == NULL;
	}
	if (t->ndpi == NULL)
		return (struct mm_ndpi_verdict){ .name = MM_FLOW_NAME_UNKNOWN };
	t->stats.n_asked++;
	const struct mm_slice by_dir[2] = { heads[f->client], heads[!f->client] };
	const uint16_t ports[2] = { f->key.port[f->client], f->key.port[!f->client] };
	return mm_ndpi_ask(t->ndpi, f->key.proto == MM_TCP ? MM_TCP : MM_UDP, ports, by_dir);
}

/* Does the dissector find messages in the first bytes of every direction that has some? probe() said no, so frame()
 * is asked, and where that is at a loss whether a message begins further on. */
static bool agrees(
        const struct mm_dissector *d, const struct mm_flow *f, const struct mm_slice heads[2])
{
	bool any = false;
	for (unsigned side = 0; side < 2; side++) {
		if (heads[side].len == 0)
			continue;
		enum mm_dir dir = mm_flow_dir(f, side);
		void *state = calloc(1, d->state_size + 1);
		if (state == NULL)
			return false;
		struct mm_frame fr = d->frame(state, dir, heads[side]);
		any = fr.verdict == MM_FRAME_SKIP || fr.verdict == MM_FRAME_DONE ||
		      (fr.verdict == MM_FRAME_MORE && fr.n <= d->message_max);
		if (fr.verdict == MM_FRAME_LOST && d->resync != NULL)
			any = d->resync(state, dir, heads[side]) < heads[side].len;
		free(state);
		if (!any)
			return false;
	}
	return any;
}

const struct mm_dissector *mm_class_ask(struct mm_flow_table *t, const struct mm_flow *f,
        const struct mm_slice heads[2], size_t *proto)
{
	struct mm_ndpi_verdict v = { .name = MM_FLOW_NAME_UNKNOWN };
	if (heads[0].len + heads[1].len != 0)
		v = ask(t, f, heads);
	if (v.hint != NULL) {
		t->stats.n_hints++;
		if (v.hint->frame != NULL && v.hint->parse != NULL && agrees(v.hint, f, heads)) {
			*proto = v.proto;
			return v.hint;
		}
		t->stats.n_hints_refused++;
	}
	t->stats.n_unread[v.name]++;
	return NULL;
}

bool mm_class_ask_datagram(
        struct mm_flow_table *t, struct mm_flow *f, unsigned side, struct mm_slice payload)
{
	struct mm_slice heads[2] = { { NULL, 0 }, { NULL, 0 } };
	heads[side] = payload;
	struct mm_ndpi_verdict v = ask(t, f, heads);
	if (v.hint != NULL) {
		t->stats.n_hints++;
		t->stats.n_hints_refused++;
	}
	f->held_for = (uint8_t)v.name;
	return v.hint != NULL || v.name == MM_FLOW_NAME_UNKNOWN;
}
