/* The way a packet came: the tags, tunnels and outer IP headers that stood before its own IP
 * header.
 *
 * A path is a value of 32 bytes, so that it costs nothing to carry along: its items lie in one
 * array of bytes, from the outside in, each one byte for its kind and then as many bytes of its id
 * as the kind has, the highest first. Most packets have none: of an empty path nothing but its
 * length is written or read. Otherwise the bytes behind the last item are zero, so that paths
 * compare by memcmp. */
#ifndef MM_BASE_PATH_H
#define MM_BASE_PATH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum mm_path_kind {
	MM_PATH_VLAN,       /* VLAN id, IEEE 802.1Q */
	MM_PATH_MPLS,       /* label, RFC 3032 */
	MM_PATH_PPPOE,      /* session id, RFC 2516 */
	MM_PATH_PBB,        /* I-SID, IEEE 802.1ah */
	MM_PATH_FABRICPATH, /* forwarding tag */
	MM_PATH_VNTAG,      /* virtual interface */
	MM_PATH_SGT,        /* security group tag of Cisco metadata */
	MM_PATH_IP,         /* an outer IPv4 header */
	MM_PATH_IP6,        /* an outer IPv6 header */
	MM_PATH_GRE,        /* without key, RFC 2784 */
	MM_PATH_GRE_KEY,    /* key, RFC 2890 */
	MM_PATH_PPTP,       /* call id, RFC 2637 */
	MM_PATH_ERSPAN_I,   /* has no session id */
	MM_PATH_ERSPAN,     /* session id, of type II or III */
	MM_PATH_VXLAN,      /* VNI, RFC 7348 */
	MM_PATH_GENEVE,     /* VNI, RFC 8926 */
	MM_PATH_GTP,        /* TEID, 3GPP TS 29.281 */
	MM_PATH_TEREDO,     /* RFC 4380 */
};

enum {
	MM_PATH_BYTES = 30,
	MM_PATH_TEXT =
	        256, /* room for the text of any path: "/teredo" is the most that one byte can say */
};

struct mm_path {
	uint8_t len; /* bytes of its items; 0: neither tag nor tunnel */
	bool cut;    /* there were more items than fit; one always does */
	uint8_t b[MM_PATH_BYTES];
};

_Static_assert(sizeof(struct mm_path) == 32, "a path is compared as bytes: no padding");

static inline void mm_path_clear(struct mm_path *path)
{
	path->len = 0;
}

/** *to = *from, without its bytes when it is empty. */
static inline void mm_path_copy(struct mm_path *to, const struct mm_path *from)
{
	if (from->len == 0)
		mm_path_clear(to);
	else
		*to = *from;
}

/** Append an item; of id the low bytes that its kind has. Without room for it the path is cut, and
 * takes no more. */
void mm_path_add(struct mm_path *path, enum mm_path_kind kind, uint32_t id);

/** Write "vlan:100/ip/gre/erspan:7/vlan:12" to out: ids decimal, "..." last when it was cut,
 * nothing for an empty path. Returns out. */
const char *mm_path_text(const struct mm_path *path, char out[MM_PATH_TEXT]);

#endif
