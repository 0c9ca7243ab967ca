/* Where packets come from: one ops table, one file per source, and a merge by time over several. */
#ifndef MM_CAPTURE_CAPTURE_H
#define MM_CAPTURE_CAPTURE_H

#include <stdatomic.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "base/err.h"

/* Link types as captures number them: https://www.tcpdump.org/linktypes.html */
enum mm_linktype {
	MM_LINK_NULL = 0,
	MM_LINK_ETHERNET = 1,
	MM_LINK_PPP = 9,
	MM_LINK_RAW_OLD = 12, /* DLT_RAW of most systems, found in old files */
	MM_LINK_PPP_HDLC = 50,
	MM_LINK_PPP_ETHER = 51, /* PPPoE without its frame */
	MM_LINK_RAW = 101,
	MM_LINK_C_HDLC = 104,
	MM_LINK_LOOP = 108,
	MM_LINK_LINUX_SLL = 113,
	MM_LINK_IPV4 = 228,
	MM_LINK_IPV6 = 229,
	MM_LINK_LINUX_SLL2 = 276,
};

struct mm_block;

struct mm_packet {
	int64_t time_ns;  /* since 1970 UTC */
	struct mm_pkt id; /* counts each record that tshark numbers, wanted by a filter or not */
	uint32_t linktype;
	uint32_t wire_len;    /* bytes it had on the wire; at least data.len */
	struct mm_slice data; /* borrowed until the next call on the same source */
	struct mm_block
	        *block; /* keep it (capture/block.h) to keep data; NULL: data cannot be kept */
};

struct mm_source;

/* pcapng decryption secrets (draft-ietf-opsawg-pcapng section 4.7) are handed to this as they
 * are met; type is the block's Secrets Type, the secrets are borrowed until it returns. */
typedef void mm_secrets_fn(void *arg, uint32_t type, struct mm_slice secrets);

/** One kind of source. */
struct mm_source_ops {
	const char *name;
	/** The next packet in *out: 1; 0 at the end; negative on an error, told by why. After an
	 * error no further packet comes: the same error is returned again. */
	int (*next)(struct mm_source *s, struct mm_packet *out);
	void (*close)(struct mm_source *s);
};

struct mm_source {
	const struct mm_source_ops *ops;
	char *path;    /* as the user named it; "-" is standard input */
	uint32_t file; /* index in the order opened */
	uint64_t n_packets;
	uint64_t n_filtered; /* packets the filter turned away: read and numbered, not handed out */
	uint64_t offset;     /* bytes read so far, of the file as stored (for progress) */
	uint64_t size;       /* of the file as stored; 0 when unknown */
	/* The last error, one line without path: "truncated in packet 12, at byte 3400"; the byte
	 * is where the broken record begins, in the decompressed data. */
	char why[256];
	mm_secrets_fn *on_secrets;
	void *secrets_arg;
};

/* Limits of what a record may claim; more is corrupt. */
enum {
	MM_CAPTURE_SNAPLEN = 262144,   /* bytes of one packet: libpcap's MAXIMUM_SNAPLEN */
	MM_CAPTURE_BLOCK = 16 << 20,   /* bytes of one pcapng block: Wireshark's MAX_BLOCK_SIZE */
	MM_CAPTURE_INTERFACES = 65536, /* of one pcapng section */
	MM_CAPTURE_FILTERS = 64,       /* link types in one file that a filter is compiled for */
};

struct mm_spares; /* capture/block.h */

/** Open a capture file: pcap (micro- or nanosecond, either byte order) or pcapng, plain or
 * compressed by gzip, zstd or xz, told by magic; "-" reads standard input.
 * filter: a pcap-filter(7) expression compiled for each link type met, or NULL. It must compile
 * for the first link type; packets of a later one for which it does not are turned away.
 * stop: once set, an input that has no bytes yet has ended; borrowed, may be NULL.
 * spares: shared by all captures that are read by one thread at a time; borrowed until the last of them is closed.
 * *out: owned by the caller, to be closed with mm_source_close().
 * The first 64 KiB are read here; later reads are of 256 KiB, in next(). At its end a source gives
 * its buffers and file descriptor back, also before it is closed.
 * Errors: MM_ERR_IO (errno), MM_ERR_FORMAT (no capture, empty, or broken in its header),
 * MM_ERR_USAGE (bad filter), MM_ERR_NOMEM; why[why_len] then holds one line that names the
 * reason, without the path. Its next() fails with MM_ERR_TRUNCATED, MM_ERR_CORRUPT, MM_ERR_IO
 * (errno), MM_ERR_NOMEM, or MM_ERR_UNSUPPORTED (compressed data that need too much memory; too
 * many link types to filter); all packets before the fault have then been given. */
int mm_source_open_file(const char *path, uint32_t file, const char *filter,
        const atomic_bool *stop, struct mm_spares *spares, struct mm_source **out, char *why,
        size_t why_len) MM_MUST_CHECK;

void mm_source_close(struct mm_source *s); /* accepts NULL */

/** Hand the secrets met from now on to fn; opening reads no secrets yet, so none are lost. fn may
 * be NULL. */
void mm_source_on_secrets(struct mm_source *s, mm_secrets_fn *fn, void *arg);

/** Several sources as one stream ordered by time; ties go to the source added first. */
struct mm_merge;
int mm_merge_new(struct mm_merge **out) MM_MUST_CHECK;
/** Takes the source, which stays readable (its counts, its why) until mm_merge_free();
 * on an error it stays the caller's. */
int mm_merge_add(struct mm_merge *m, struct mm_source *s) MM_MUST_CHECK;
/** The next packet of all: 1; 0 at the end. A source that fails is reported through on_error (its
 * why says where it broke) and left out; the others go on. Order inside one source is kept even
 * where its times step back. */
int mm_merge_next(struct mm_merge *m, struct mm_packet *out);
void mm_merge_on_error(
        struct mm_merge *m, void (*fn)(void *arg, const struct mm_source *s), void *arg);
void mm_merge_free(struct mm_merge *m);

/** The captures that a command-line argument means: the file itself, or for a directory all
 * regular files in it (not below) that begin like a capture or a compressed one, sorted by name.
 * *paths is an array of n strings, all owned by the caller (free each and the array); n is 0 for
 * a directory without captures. A file in the directory that may not be read is among them, so
 * that opening it says so.
 * Errors: MM_ERR_IO (errno: no such file), MM_ERR_NOMEM. */
int mm_capture_expand(const char *arg, char ***paths, size_t *n) MM_MUST_CHECK;

#endif
