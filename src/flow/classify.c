/* Which dissector a flow belongs to: by port, else by the first bytes. */
#include "flow/internal.h"

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
	size_t ignored;
	bool claimed[2];
	for (unsigned i = 0; i < 2; i++)
		claimed[i] = mm_class_port(c, key->proto, key->port[i], &ignored) != NULL;
	if (claimed[0] != claimed[1])
		return claimed[0] ? 1 : 0;
	if (key->port[0] != key->port[1])
		return key->port[0] > key->port[1] ? 0 : 1;
	return (uint8_t)first;
}
