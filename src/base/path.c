/* Paths: packed items, and their text. */
#include "base/path.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

static const struct kind {
	const char *name;
	uint8_t n_id; /* bytes of the id */
} kinds[] = {
	[MM_PATH_VLAN] = { "vlan", 2 },
	[MM_PATH_MPLS] = { "mpls", 3 },
	[MM_PATH_PPPOE] = { "pppoe", 2 },
	[MM_PATH_PBB] = { "pbb", 3 },
	[MM_PATH_FABRICPATH] = { "fabricpath", 2 },
	[MM_PATH_VNTAG] = { "vntag", 2 },
	[MM_PATH_SGT] = { "sgt", 2 },
	[MM_PATH_IP] = { "ip", 0 },
	[MM_PATH_IP6] = { "ip6", 0 },
	[MM_PATH_GRE] = { "gre", 0 },
	[MM_PATH_GRE_KEY] = { "gre", 4 },
	[MM_PATH_PPTP] = { "pptp", 2 },
	[MM_PATH_ERSPAN_I] = { "erspan", 0 },
	[MM_PATH_ERSPAN] = { "erspan", 2 },
	[MM_PATH_VXLAN] = { "vxlan", 3 },
	[MM_PATH_GENEVE] = { "geneve", 3 },
	[MM_PATH_GTP] = { "gtp", 4 },
	[MM_PATH_TEREDO] = { "teredo", 0 },
};

void mm_path_add(struct mm_path *path, enum mm_path_kind kind, uint32_t id)
{
	size_t n_id = kinds[kind].n_id;
	if (path->len == 0)
		*path = (struct mm_path){ .len = 0 };
	if (path->cut || 1 + n_id > (size_t)MM_PATH_BYTES - path->len) {
		path->cut = true;
		return;
	}
	path->b[path->len++] = (uint8_t)kind;
	for (size_t i = n_id; i > 0; i--)
		path->b[path->len++] = (uint8_t)(id >> 8 * (i - 1));
}

const char *mm_path_text(const struct mm_path *path, char out[MM_PATH_TEXT])
{
	size_t at = 0, n = 0;
	out[0] = '\0';
	while (at < path->len) {
		const struct kind *k = &kinds[path->b[at++]];
		uint32_t id = 0;
		for (size_t i = 0; i < k->n_id; i++)
			id = id << 8 | path->b[at++];
		n += (size_t)snprintf(
		        out + n, MM_PATH_TEXT - n, "%s%s", n == 0 ? "" : "/", k->name);
		if (k->n_id != 0)
			n += (size_t)snprintf(out + n, MM_PATH_TEXT - n, ":%" PRIu32, id);
	}
	if (n != 0 && path->cut)
		snprintf(out + n, MM_PATH_TEXT - n, "/...");
	return out;
}
