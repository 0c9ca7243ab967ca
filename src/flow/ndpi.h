/* nDPI's opinion of a flow that no port and no probe() told: a hint, never a judgement.
 *
 * It is asked once per flow, about the first bytes of both directions as they are read in order, not about packets: so
 * that neither cutting nor order nor copies of packets change what it says, and nothing of it is kept per flow. What it
 * sees is one packet per direction, made up around those bytes: real ports, and addresses that are the same for all
 * flows and of IPv6, because its lists of networks and its memory of earlier flows (which would make a verdict hang on
 * what else a worker saw) are of IPv4 alone. Fragments, tunnels and link layers are gone by then. */
#ifndef MM_FLOW_NDPI_H
#define MM_FLOW_NDPI_H

#include "flow/flow.h"

enum {
	MM_NDPI_HEAD =
	        2048, /* bytes of a direction that are shown: a browser's ClientHello is up to 1.9 kB */
};

struct mm_ndpi;

struct mm_ndpi_verdict {
	const struct mm_dissector *hint; /* who should look; NULL: nobody of ours */
	size_t proto;                    /* its index in the list */
	unsigned name;                   /* for mm_flow_name(); MM_FLOW_NAME_UNKNOWN */
};

/** A detection module, for one thread at a time; takes about 15 ms and 7 MB, and opens no file. NULL when memory is
 * out. list: dissectors, ended by NULL, whose hints count. */
struct mm_ndpi *mm_ndpi_new(const struct mm_dissector *const *list);
void mm_ndpi_free(struct mm_ndpi *n);

/** What are these first bytes? ports: of client and server. heads: by enum mm_dir, either may be empty; for a datagram
 * one is. Bytes beyond MM_NDPI_HEAD are not looked at. */
struct mm_ndpi_verdict mm_ndpi_ask(struct mm_ndpi *n, enum mm_transport transport,
        const uint16_t ports[2], const struct mm_slice heads[2]);

#endif
