/* The names of captures and interfaces: FILE of FILE#N, by the number in struct mm_pkt.
 *
 * Those read by this run are numbered from 0. Those that an earlier run read, and of which a restored state still speaks,
 * are numbered from MM_FILES_EARLIER. A packet that an earlier run saw keeps the name it had there; where this run reads
 * something of the same name, which may be the same file, another one by now, or an interface whose packets are counted
 * anew, the earlier name is marked with the time at which that run ended: "eth0[until 2026-01-31T12:00:00Z]". */
#ifndef MM_BASE_FILES_H
#define MM_BASE_FILES_H

#include "base/addr.h"
#include "base/err.h"
#include "base/store.h"

enum {
	MM_FILES_EARLIER = 1 << 23,
	MM_FILE_NAME_MAX = 4096,
};

struct mm_files {
	char **names;
	size_t n;
	char **earlier;
	size_t n_earlier;
	char mark[64]; /* of an earlier name that this run uses, too */
};

/** The name of this number, borrowed; "?" when there is none. */
const char *mm_files_name(const struct mm_files *files, uint32_t number);

/** Add a name of this run: its number, or MM_ERR_NOMEM. */
int mm_files_add(struct mm_files *files, const char *name) MM_MUST_CHECK;
void mm_files_done(struct mm_files *files);

/** Write down all names. */
void mm_files_save(const struct mm_files *files, struct mm_store *out);

/** The names of a saved state, while it is read: each gets a new number when the first packet of it is met, so that names
 * nobody speaks of any more are left behind. */
struct mm_file_map {
	struct mm_slice *names; /* borrowed from what is read */
	uint32_t *to;           /* new numbers; 0: none yet */
	size_t n, n_first;      /* all; those that were read by the run that saved */
	uint32_t *used;         /* indexes, in order of their new numbers */
	uint32_t n_used;
};

/** Read what mm_files_save() wrote; what it was read from must outlive the map. MM_ERR_CORRUPT, MM_ERR_NOMEM. */
int mm_file_map_load(struct mm_file_map *map, struct mm_cursor *in) MM_MUST_CHECK;
void mm_file_map_done(struct mm_file_map *map);

/** Read a packet's name and give it its new number. */
struct mm_pkt mm_file_map_pkt(struct mm_file_map *map, struct mm_cursor *in);
void mm_store_pkt(struct mm_store *out, struct mm_pkt pkt);

/** Take over the names that were used, in the place of what was taken over before. until_ns: when the run that saved ended.
 * On MM_ERR_NOMEM some may be missing. */
int mm_files_adopt(
        struct mm_files *files, const struct mm_file_map *map, int64_t until_ns) MM_MUST_CHECK;

#endif
