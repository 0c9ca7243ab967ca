/* The bytes of a capture file, pipe or standard input, decompressed on the way.
 *
 * One buffer slides over the input: a reader asks for the next n bytes in one piece, looks at
 * them in place, and drops them. What is asked for again after a refill may have moved, so a
 * slice holds until the next mm_input_peek(), or as long as somebody keeps the block it lies in. */
#ifndef MM_CAPTURE_INPUT_H
#define MM_CAPTURE_INPUT_H

#include <stdatomic.h>

#include "base/cursor.h"
#include "base/err.h"
#include "capture/block.h"

enum mm_codec {
	MM_CODEC_NONE,
	MM_CODEC_GZIP, /* RFC 1952, members concatenated or padded with zeros */
	MM_CODEC_ZSTD, /* RFC 8878, frames concatenated */
	MM_CODEC_XZ,   /* the .xz file format 1.2, streams concatenated */
};

/* The first read is small, so that a thousand open captures stay cheap; later ones are large, but what is copied
 * stays in the second-level cache. */
enum {
	MM_INPUT_FIRST = 64 * 1024,
	MM_INPUT_BLOCK = 256 * 1024,
	MM_INPUT_MAGIC = 6, /* bytes that tell the codec: the longest magic, of xz */
};

/* Memory that hostile compressed data may make a decoder take. */
enum {
	MM_INPUT_ZSTD_WINDOW_LOG = 27,          /* zstd's own default for decoders: 128 MiB */
	MM_INPUT_XZ_MEMORY = 256 * 1024 * 1024, /* xz -9 needs 65 MiB */
};

struct mm_unpacker;

struct mm_input {
	int fd;                  /* -1 once the stored file has ended */
	const atomic_bool *stop; /* set: waiting is over, as if at the end; may be NULL */
	bool waits;              /* no file: bytes come when they come */
	enum mm_codec codec;
	bool ended;      /* nothing comes after the bytes in the buffer; status tells why */
	int status;      /* MM_OK: a clean end */
	int error;       /* errno of MM_ERR_IO */
	char why[96];    /* the reason of a status that is not MM_OK */
	uint64_t stored; /* bytes read of the stored file */
	uint64_t size;   /* of the stored file; 0 when unknown */
	uint64_t at;     /* where, in the decompressed data, the first byte not dropped lies */
	struct mm_block *block;
	struct mm_spares *spares; /* of all inputs of the run; borrowed */
	uint8_t *buf;             /* block->bytes */
	size_t room, start, end;  /* buf[start, end) is not dropped yet */
	struct mm_unpacker *decoder;
};

/** Which compression the first MM_INPUT_MAGIC bytes of a file tell. */
enum mm_codec mm_input_codec(struct mm_slice magic);

/** Open path, "-" for standard input, and read its first bytes. stop, spares: see above, borrowed.
 * Errors: MM_ERR_IO (errno), MM_ERR_NOMEM; in->why then holds the reason and in needs no
 * mm_input_done(). */
int mm_input_open(struct mm_input *in, const char *path, const atomic_bool *stop,
        struct mm_spares *spares) MM_MUST_CHECK;

/** Give the file descriptor and all memory back; harmless on one that is done, or is all zero but
 * fd -1. */
void mm_input_done(struct mm_input *in);

/** mm_input_peek() when the buffer holds fewer than n bytes. */
int mm_input_fill(struct mm_input *in, size_t n, struct mm_slice *out) MM_MUST_CHECK;

/** The next n > 0 bytes in *out without dropping them: 1; 0 when the input ended cleanly before
 * them.
 * Errors: MM_ERR_TRUNCATED with in->status MM_OK when the input ends cleanly inside them; else
 * what in->why
 * says: MM_ERR_IO (errno), MM_ERR_TRUNCATED, MM_ERR_CORRUPT or MM_ERR_UNSUPPORTED (of compressed
 * data), MM_ERR_NOMEM. */
static inline int mm_input_peek(struct mm_input *in, size_t n, struct mm_slice *out)
{
	if (in->end - in->start < n)
		return mm_input_fill(in, n, out);
	*out = mm_slice(in->buf + in->start, n);
	return 1;
}

/** Drop n bytes that were peeked at; slices of them stay good until the next peek. */
static inline void mm_input_drop(struct mm_input *in, size_t n)
{
	in->start += n;
	in->at += n;
}

/** Bytes of the stored file that have been used, within a decoder's read-ahead. */
uint64_t mm_input_offset(const struct mm_input *in);

#endif
