/* IP addresses, endpoints and packet references: the small values that every stage passes on. */
#ifndef MM_BASE_ADDR_H
#define MM_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** An IPv4 (family 4, first 4 bytes) or IPv6 (family 6) address in network order; family 0: none. */
struct mm_addr {
	uint8_t family;
	uint8_t b[16]; /* unused bytes are zero, so that values compare by memcmp */
};

struct mm_endpoint {
	struct mm_addr addr;
	uint16_t port; /* host order */
};

/** One packet of one capture: FILE#N. */
struct mm_pkt {
	uint32_t file;   /* index of the capture, in the order opened */
	uint64_t number; /* from 1, as tcpdump and tshark count */
};

enum { MM_ADDR_TEXT = 46 }; /* longest text of an address, NUL included */

/** Write the address in its usual text form (RFC 5952 for IPv6) to out; returns out. */
const char *mm_addr_text(const struct mm_addr *a, char out[MM_ADDR_TEXT]);

/** The network the address belongs to: /24 for IPv4, /64 for IPv6. */
struct mm_addr mm_addr_network(const struct mm_addr *a);

/** Read an address in text form, of len characters, nothing else among them; false and *out untouched when it is none. */
bool mm_addr_parse(const char *text, size_t len, struct mm_addr *out);

/** A network: the addresses whose first bits are those of addr. */
struct mm_net {
	struct mm_addr addr;
	unsigned bits;
};

bool mm_net_has(const struct mm_net *net, const struct mm_addr *a);

/** Read a list of networks, "192.0.2.0/24, 2001:db8::/32", separated by commas or blanks; an address alone is a network of
 * one. False when an item is none, or there are more than max; *n and out are then undefined. */
bool mm_nets_parse(const char *text, struct mm_net *out, size_t max, size_t *n);

bool mm_addr_eq(const struct mm_addr *a, const struct mm_addr *b);

/** memcmp order: by family, then by bytes. */
int mm_addr_cmp(const struct mm_addr *a, const struct mm_addr *b);

#endif
