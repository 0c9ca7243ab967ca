/* A source that is a file: what source.c shares with the readers of the two formats. */
#ifndef MM_CAPTURE_FILE_H
#define MM_CAPTURE_FILE_H

#include <pcap/pcap.h>

#include "capture/capture.h"
#include "capture/input.h"

enum { MM_FILE_MAGIC = 4 }; /* bytes that tell pcap from pcapng */

struct mm_file;

/** One format of capture files. */
struct mm_file_format {
	struct mm_source_ops ops; /* .next = mm_file_next, .close = mm_file_close */
	/** Whether a file of this format begins so. */
	bool (*probe)(struct mm_slice magic);
	/** Read the file's header, up to but without the first packet; f->linktype when it tells
	 * one. Errors are told by mm_file_why(). */
	int (*open)(struct mm_file *f);
	/** The next packet, numbered: 1; 0 at the end; negative on an error, told by
	 * mm_file_why(). */
	int (*read)(struct mm_file *f, struct mm_packet *out);
};

/* The filter as compiled for one link type. */
struct mm_file_filter {
	uint32_t linktype;
	bool usable; /* false: it cannot be compiled for this link type */
	struct bpf_program program;
};

/* One pcapng interface: what a packet's units and type are. */
struct mm_interface {
	uint32_t linktype;
	uint32_t snaplen; /* 0: unlimited */
	/* time_ns = (time / div * mul >> shift) + offset_s * 10^9; div 0 stands for beyond 64
	 * bits */
	uint64_t mul, div;
	unsigned shift;
	int64_t offset_s;
};

struct mm_file {
	struct mm_source base; /* first, so that ops get from one to the other */
	const struct mm_file_format *format;
	struct mm_input in;
	int status; /* what next() said last: 1 until the end or an error */

	char *filter; /* the expression; NULL: none */
	struct mm_file_filter filters[MM_CAPTURE_FILTERS];
	size_t n_filters;

	/* Of the file, or of the section being read. */
	bool swap; /* numbers are not in this machine's byte order */
	bool has_linktype;
	uint32_t linktype; /* the only one of pcap, the first of pcapng */

	/* pcap */
	size_t header_len; /* of a packet */
	uint32_t frac_ns;  /* nanoseconds that a fraction counts */

	/* pcapng */
	struct mm_interface *interfaces;
	size_t n_interfaces, interfaces_room;
	int64_t last_time_ns; /* for packets without one */
};

extern const struct mm_file_format mm_format_pcap;
extern const struct mm_file_format mm_format_pcapng;

/** The format that the first MM_FILE_MAGIC bytes of the decompressed file tell; NULL for none. */
const struct mm_file_format *mm_file_format(struct mm_slice magic);

int mm_file_next(struct mm_source *s, struct mm_packet *out);
void mm_file_close(struct mm_source *s);

/** Set base.why; returns r. */
int mm_file_why(struct mm_file *f, int r, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/** What to return, and why, when a peek failed or ended in packet number n, which begins at byte
 * at. */
int mm_file_cut(struct mm_file *f, uint64_t n, uint64_t at);

/** The number at off in the byte order of the file; 0 when it is not all inside. */
static inline uint32_t mm_file_u32(const struct mm_file *f, struct mm_slice s, size_t off)
{
	struct mm_slice at;
	uint32_t v;
	if (!mm_sub(s, off, sizeof v, &at))
		return 0;
	memcpy(&v, at.p, sizeof v);
	return f->swap ? __builtin_bswap32(v) : v;
}

static inline uint16_t mm_file_u16(const struct mm_file *f, struct mm_slice s, size_t off)
{
	struct mm_slice at;
	uint16_t v;
	if (!mm_sub(s, off, sizeof v, &at))
		return 0;
	memcpy(&v, at.p, sizeof v);
	return f->swap ? __builtin_bswap16(v) : v;
}

static inline uint64_t mm_file_u64(const struct mm_file *f, struct mm_slice s, size_t off)
{
	struct mm_slice at;
	uint64_t v;
	if (!mm_sub(s, off, sizeof v, &at))
		return 0;
	memcpy(&v, at.p, sizeof v);
	return f->swap ? __builtin_bswap64(v) : v;
}

#endif
