/* The bytes of a capture: read(2) in large blocks, gzip, zstd and xz undone. */
#include "capture/input.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

static const uint8_t gzip_magic[] = { 0x1f, 0x8b };                   /* RFC 1952 section 2.3.1 */
static const uint8_t zstd_magic[] = { 0x28, 0xb5, 0x2f, 0xfd };       /* RFC 8878 section 3.1.1 */
static const uint8_t xz_magic[] = { 0xfd, '7', 'z', 'X', 'Z', 0x00 }; /* .xz format 2.1.1.1 */

enum {
	GZIP_WINDOW_BITS = 15 + 16, /* zlib.h, inflateInit2: largest window, a gzip header */
	ZSTD_FRAME_START = 5,       /* RFC 8878 section 3.1.1: magic and frame header descriptor */
	WAIT_MS = 100,              /* between two looks at stop */
};

/* One decoder of whichever kind, and the stored bytes it has not used. */
struct mm_unpacker {
	struct mm_slice raw; /* the part of store not used yet */
	bool between;        /* at the end of a member or frame: the file may end here */
	z_stream gz;
	lzma_stream xz;
	ZSTD_DStream *zstd;
	size_t zstd_hint; /* bytes that take the frame to its next block */
	uint8_t store[MM_INPUT_FIRST];
};

static bool begins(struct mm_slice s, const uint8_t *magic, size_t n)
{
	return mm_slice_eq(mm_first(s, n), mm_slice(magic, n));
}

enum mm_codec mm_input_codec(struct mm_slice magic)
{
	if (begins(magic, gzip_magic, sizeof gzip_magic))
		return MM_CODEC_GZIP;
	if (begins(magic, zstd_magic, sizeof zstd_magic))
		return MM_CODEC_ZSTD;
	if (begins(magic, xz_magic, sizeof xz_magic))
		return MM_CODEC_XZ;
	return MM_CODEC_NONE;
}

static const char *codec_name(enum mm_codec codec)
{
	switch (codec) {
	case MM_CODEC_NONE:
		return "plain";
	case MM_CODEC_GZIP:
		return "gzip";
	case MM_CODEC_ZSTD:
		return "zstd";
	case MM_CODEC_XZ:
		return "xz";
	}
	return "unknown";
}

/** Nothing more comes: what is in the buffer is still good. Returns status. */
static int end_with(struct mm_input *in, int status, const char *why)
{
	in->ended = true;
	in->status = status;
	in->error = status == MM_ERR_IO ? errno : 0;
	snprintf(in->why, sizeof in->why, "%s", why);
	return status;
}

static int end_codec(struct mm_input *in, int status, const char *how)
{
	char why[sizeof in->why];
	snprintf(why, sizeof why, "%s %s data", how, codec_name(in->codec));
	return end_with(in, status, why);
}

static int end_nomem(struct mm_input *in)
{
	return end_with(in, MM_ERR_NOMEM, "out of memory");
}

static void close_fd(struct mm_input *in)
{
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	in->fd = -1;
}

/** Wait until read() would not. False when told to stop before that. A signal interrupts one thread, seldom the one that
 * reads, or comes before it waits: so stop is looked at again and again. */
static bool wait_for_bytes(const struct mm_input *in)
{
	if (!in->waits || in->stop == NULL)
		return true;
	struct pollfd fd = { .fd = in->fd, .events = POLLIN };
	while (!atomic_load_explicit(in->stop, memory_order_relaxed)) {
		int n = poll(&fd, 1, WAIT_MS);
		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
	}
	return false;
}

/** Up to room stored bytes: how many in *got; 0 at the end of the file. */
static int read_stored(struct mm_input *in, uint8_t *to, size_t room, size_t *got)
{
	*got = 0;
	if (in->fd < 0)
		return MM_OK;
	ssize_t n = 0; /* told to stop: what was read is all there is */
	if (wait_for_bytes(in))
		do
			n = read(in->fd, to, room);
		while (n < 0 && errno == EINTR);
	if (n < 0)
		return end_with(in, MM_ERR_IO, strerror(errno));
	if (n == 0)
		close_fd(in);
	*got = (size_t)n;
	in->stored += *got;
	return MM_OK;
}

/** Use d->raw to fill the buffer; sets d->between. */
static int step_gzip(struct mm_input *in, struct mm_unpacker *d)
{
	if (d->between) {
		/* tar and tapes pad with zeros, as gzip(1) knows; anything else is the next
		 * member. */
		while (mm_at(d->raw, 0) == 0)
			d->raw = mm_after(d->raw, 1);
		if (d->raw.len == 0)
			return MM_OK;
		inflateReset(&d->gz);
	}
	d->gz.next_in = d->raw.p;
	d->gz.avail_in = (uInt)d->raw.len;
	d->gz.next_out = in->buf + in->end;
	d->gz.avail_out = (uInt)(in->room - in->end);
	int r = inflate(&d->gz, Z_NO_FLUSH);
	in->end = in->room - d->gz.avail_out;
	d->raw = mm_after(d->raw, d->raw.len - d->gz.avail_in);
	d->between = r == Z_STREAM_END;
	if (r == Z_MEM_ERROR)
		return end_nomem(in);
	if (r != Z_OK && r != Z_BUF_ERROR && r != Z_STREAM_END)
		return end_codec(in, MM_ERR_CORRUPT, "corrupt");
	return MM_OK;
}

static int step_zstd(struct mm_input *in, struct mm_unpacker *d)
{
	/* On an error zstd does not tell what it has put out before, so it gets one block at a
	 * time. */
	struct mm_slice block = mm_first(d->raw, d->zstd_hint);
	ZSTD_inBuffer from = { block.p, block.len, 0 };
	ZSTD_outBuffer to = { in->buf, in->room, in->end };
	size_t r = ZSTD_decompressStream(d->zstd, &to, &from);
	in->end = to.pos;
	d->raw = mm_after(d->raw, from.pos);
	d->between = r == 0;
	d->zstd_hint = r == 0 ? ZSTD_FRAME_START : r;
	if (!ZSTD_isError(r))
		return MM_OK;
	ZSTD_ErrorCode code = ZSTD_getErrorCode(r);
	if (code == ZSTD_error_memory_allocation)
		return end_nomem(in);
	if (code == ZSTD_error_frameParameter_windowTooLarge)
		return end_codec(in, MM_ERR_UNSUPPORTED, "too large a window in");
	return end_codec(in, MM_ERR_CORRUPT, "corrupt");
}

static int step_xz(struct mm_input *in, struct mm_unpacker *d)
{
	d->xz.next_in = d->raw.p;
	d->xz.avail_in = d->raw.len;
	d->xz.next_out = in->buf + in->end;
	d->xz.avail_out = in->room - in->end;
	/* With LZMA_CONCATENATED the end is only told once LZMA_FINISH says that no stream
	 * follows. */
	lzma_ret r = lzma_code(&d->xz, d->raw.len == 0 && in->fd < 0 ? LZMA_FINISH : LZMA_RUN);
	in->end = in->room - d->xz.avail_out;
	d->raw = mm_after(d->raw, d->raw.len - d->xz.avail_in);
	d->between = r == LZMA_STREAM_END;
	if (r == LZMA_MEM_ERROR)
		return end_nomem(in);
	if (r == LZMA_MEMLIMIT_ERROR)
		return end_codec(in, MM_ERR_UNSUPPORTED, "too large a dictionary in");
	if (r != LZMA_OK && r != LZMA_BUF_ERROR && r != LZMA_STREAM_END)
		return end_codec(in, MM_ERR_CORRUPT, "corrupt");
	return MM_OK;
}

static int step(struct mm_input *in, struct mm_unpacker *d)
{
	if (in->codec == MM_CODEC_GZIP)
		return step_gzip(in, d);
	if (in->codec == MM_CODEC_ZSTD)
		return step_zstd(in, d);
	return step_xz(in, d);
}

/** At least one more decompressed byte in the buffer, or in->ended. */
static void read_packed(struct mm_input *in)
{
	struct mm_unpacker *d = in->decoder;
	for (size_t before = in->end; in->end == before && !in->ended;) {
		if (d->raw.len == 0) {
			size_t got;
			if (read_stored(in, d->store, sizeof d->store, &got) != MM_OK)
				return;
			d->raw = mm_slice(d->store, got);
		}
		bool last = d->raw.len == 0;
		if (last && d->between) {
			(void)end_with(in, MM_OK, "");
			return;
		}
		if (step(in, d) != MM_OK)
			return;
		if (last && !d->between && in->end == before)
			(void)end_codec(in, MM_ERR_TRUNCATED, "truncated");
	}
}

static void read_plain(struct mm_input *in)
{
	size_t got;
	if (read_stored(in, in->buf + in->end, in->room - in->end, &got) != MM_OK)
		return;
	in->end += got;
	if (got == 0)
		(void)end_with(in, MM_OK, "");
}

/** Room to read in, and for n bytes in one piece. */
static int make_room(struct mm_input *in, size_t n)
{
	size_t want = n > MM_INPUT_BLOCK ? n : MM_INPUT_BLOCK;
	struct mm_block *block = in->block;
	/* Where somebody still uses what lies in the block, reading goes on in another one. */
	if (!mm_block_is_mine(block) || in->room < want) {
		block = mm_spares_take(in->spares, want);
		if (block == NULL && (block = mm_block_new(want)) == NULL)
			return end_nomem(in);
	}
	memmove(block->bytes, in->buf + in->start, in->end - in->start);
	in->end -= in->start;
	in->start = 0;
	if (block == in->block)
		return MM_OK;
	/* One that was made for a large packet is not kept for small ones. */
	if (in->room == MM_INPUT_BLOCK)
		mm_spares_put(in->spares, in->block);
	else
		mm_block_drop(in->block);
	in->block = block;
	in->buf = block->bytes;
	in->room = block->room;
	return MM_OK;
}

int mm_input_fill(struct mm_input *in, size_t n, struct mm_slice *out)
{
	while (in->end - in->start < n && !in->ended) {
		/* Move only when the bytes asked for cannot lie where they are: a pipe brings
		 * few at a time. */
		if ((in->room - in->start < n || in->end == in->room) && make_room(in, n) != MM_OK)
			break;
		if (in->codec == MM_CODEC_NONE)
			read_plain(in);
		else
			read_packed(in);
	}
	if (in->end - in->start >= n) {
		*out = mm_slice(in->buf + in->start, n);
		return 1;
	}
	if (in->status != MM_OK) {
		errno = in->error;
		return in->status;
	}
	return in->end == in->start ? 0 : MM_ERR_TRUNCATED;
}

/** Start the decoder of in->codec on what has been read so far. */
static int open_decoder(struct mm_input *in)
{
	struct mm_unpacker *d = calloc(1, sizeof *d);
	if (d == NULL)
		return end_nomem(in);
	in->decoder = d;
	size_t n = in->end - in->start; /* at most MM_INPUT_FIRST, the first read */
	memcpy(d->store, in->buf + in->start, n);
	d->raw = mm_slice(d->store, n);
	in->start = in->end = 0;
	bool ok = true;
	if (in->codec == MM_CODEC_GZIP) {
		ok = inflateInit2(&d->gz, GZIP_WINDOW_BITS) == Z_OK;
	} else if (in->codec == MM_CODEC_ZSTD) {
		d->zstd = ZSTD_createDStream();
		d->zstd_hint = ZSTD_FRAME_START;
		ok = d->zstd != NULL && !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd,
		                                ZSTD_d_windowLogMax, MM_INPUT_ZSTD_WINDOW_LOG));
	} else {
		d->xz = (lzma_stream)LZMA_STREAM_INIT;
		ok = lzma_stream_decoder(&d->xz, MM_INPUT_XZ_MEMORY, LZMA_CONCATENATED) == LZMA_OK;
	}
	return ok ? MM_OK : end_nomem(in);
}

static int open_fd(struct mm_input *in, const char *path)
{
	struct stat st;
	in->fd =
	        strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (in->fd < 0 || fstat(in->fd, &st) != 0)
		return end_with(in, MM_ERR_IO, strerror(errno));
	in->waits = !S_ISREG(st.st_mode);
	if (S_ISREG(st.st_mode) && st.st_size > 0) {
		in->size = (uint64_t)st.st_size;
		/* Advice only: what it answers changes nothing. */
		(void)posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	return MM_OK;
}

int mm_input_open(
        struct mm_input *in, const char *path, const atomic_bool *stop, struct mm_spares *spares)
{
	struct mm_slice magic;
	*in = (struct mm_input){ .fd = -1, .stop = stop, .spares = spares };
	int r = open_fd(in, path);
	if (r != MM_OK)
		goto fail;
	in->block = mm_block_new(MM_INPUT_FIRST);
	if (in->block == NULL) {
		r = end_nomem(in);
		goto fail;
	}
	in->buf = in->block->bytes;
	in->room = MM_INPUT_FIRST;
	/* Fewer bytes than the magic are for the caller to judge. */
	r = mm_input_fill(in, MM_INPUT_MAGIC, &magic);
	if (r < 0 && in->status != MM_OK)
		goto fail;
	in->codec = mm_input_codec(mm_slice(in->buf, in->end));
	if (in->codec == MM_CODEC_NONE)
		return MM_OK;
	/* A file of a few bytes has met its end already; the decoder shall judge it. */
	in->ended = false;
	r = open_decoder(in);
	if (r == MM_OK)
		return MM_OK;
fail:
	mm_input_done(in);
	errno = in->error;
	return r;
}

void mm_input_done(struct mm_input *in)
{
	struct mm_unpacker *d = in->decoder;
	close_fd(in);
	if (d != NULL) {
		if (in->codec == MM_CODEC_GZIP)
			inflateEnd(&d->gz);
		ZSTD_freeDStream(d->zstd);
		if (in->codec == MM_CODEC_XZ)
			lzma_end(&d->xz);
	}
	free(d);
	mm_block_drop(in->block);
	in->block = NULL;
	in->decoder = NULL;
	in->buf = NULL;
	in->room = in->start = in->end = 0;
	if (!in->ended)
		(void)end_with(in, MM_OK, "");
}

uint64_t mm_input_offset(const struct mm_input *in)
{
	if (in->codec == MM_CODEC_NONE)
		return in->stored - (in->end - in->start);
	return in->stored - (in->decoder == NULL ? 0 : in->decoder->raw.len);
}
