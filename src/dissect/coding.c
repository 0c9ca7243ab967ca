/* Content codings, undone by zlib, libbrotlidec and libzstd. Each works on one piece of input and one of output, both of
 * fixed size, so that a body that expands without end stops at the output's. */
#include "dissect/coding.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include "event/event.h"

enum coding {
	CODING_IDENTITY,
	CODING_GZIP,
	CODING_DEFLATE,
	CODING_BROTLI,
	CODING_ZSTD,
	CODING_UNKNOWN,
};

enum {
	WINDOW_ZLIB = 15,
	WINDOW_GZIP = 15 + 16, /* zlib: with the header of RFC 1952 */
	WINDOW_RAW = -15,      /* without any, as some servers send "deflate" */
	GZIP_HEADER = 10,      /* octets at least, RFC 1952 section 2.3 */
};

static struct mm_slice trim(struct mm_slice s)
{
	while (mm_at(s, 0) == ' ' || mm_at(s, 0) == '\t')
		s = mm_after(s, 1);
	while (s.len != 0 && (mm_at(s, s.len - 1) == ' ' || mm_at(s, s.len - 1) == '\t'))
		s = mm_first(s, s.len - 1);
	return s;
}

static enum coding coding_of(struct mm_slice name)
{
	static const struct {
		const char *name;
		enum coding coding;
	} names[] = {
		{ "identity", CODING_IDENTITY },
		{ "gzip", CODING_GZIP },
		{ "x-gzip", CODING_GZIP },
		{ "deflate", CODING_DEFLATE },
		{ "br", CODING_BROTLI },
		{ "zstd", CODING_ZSTD },
	};
	struct mm_str s = { (const char *)name.p, name.len };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (mm_str_ieq(s, (struct mm_str){ names[i].name, strlen(names[i].name) }))
			return names[i].coding;
	return CODING_UNKNOWN;
}

/* The codings of a list, in the order applied. False when one is unknown or there are too many. */
static bool read_list(struct mm_slice list, enum coding out[MM_CODING_LAYERS_MAX], size_t *n)
{
	struct mm_cursor c = mm_cursor(list);
	*n = 0;
	while (c.len != 0) {
		struct mm_slice name = trim(mm_take(&c, mm_find8(mm_left(&c), 0, ',')));
		if (c.len != 0)
			mm_skip(&c, 1);
		enum coding coding = name.len == 0 ? CODING_IDENTITY : coding_of(name);
		if (coding == CODING_IDENTITY)
			continue;
		if (coding == CODING_UNKNOWN || *n == MM_CODING_LAYERS_MAX)
			return false;
		out[(*n)++] = coding;
	}
	return true;
}

bool mm_coding_known(struct mm_slice list)
{
	enum coding codings[MM_CODING_LAYERS_MAX];
	size_t n;
	return read_list(list, codings, &n);
}

/* Members of a gzip file follow each other (RFC 1952 section 2.2). What follows the last and is none browsers pass over. */
static bool is_trailing(const z_stream *z, int r)
{
	return z->total_out == 0 &&
	       (r == Z_DATA_ERROR || (r != Z_STREAM_END && z->total_in < GZIP_HEADER));
}

static enum mm_coded inflate_with(
        int window, struct mm_slice in, uint8_t *room, size_t room_b, size_t *n)
{
	z_stream z = { 0 };
	if (inflateInit2(&z, window) != Z_OK)
		return MM_CODED_BROKEN;
	z.next_in = (z_const Bytef *)(uintptr_t)in.p;
	z.avail_in = (uInt)in.len;
	z.next_out = room;
	z.avail_out = (uInt)room_b;
	int r = inflate(&z, Z_NO_FLUSH);
	while (r == Z_STREAM_END && window == WINDOW_GZIP && z.avail_in != 0 &&
	        inflateReset(&z) == Z_OK) {
		r = inflate(&z, Z_NO_FLUSH);
		if (!is_trailing(&z, r))
			continue;
		r = Z_STREAM_END;
		break;
	}
	*n = room_b - z.avail_out;
	size_t left = z.avail_in;
	bool full = z.avail_out == 0;
	(void)inflateEnd(&z);
	if (r == Z_STREAM_END)
		return MM_CODED_DONE;
	if (full)
		return MM_CODED_BOMB;
	return left == 0 && (r == Z_OK || r == Z_BUF_ERROR) ? MM_CODED_SHORT : MM_CODED_BROKEN;
}

/* RFC 9110 section 8.4.1.2: the zlib format; some send the bare stream. */
static enum mm_coded undo_deflate(struct mm_slice in, uint8_t *room, size_t room_b, size_t *n)
{
	enum mm_coded r = inflate_with(WINDOW_ZLIB, in, room, room_b, n);
	return r != MM_CODED_BROKEN ? r : inflate_with(WINDOW_RAW, in, room, room_b, n);
}

static enum mm_coded undo_brotli(struct mm_slice in, uint8_t *room, size_t room_b, size_t *n)
{
	BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	if (state == NULL)
		return MM_CODED_BROKEN;
	size_t n_in = in.len, n_out = room_b;
	const uint8_t *next_in = in.p;
	uint8_t *next_out = room;
	BrotliDecoderResult r =
	        BrotliDecoderDecompressStream(state, &n_in, &next_in, &n_out, &next_out, NULL);
	BrotliDecoderDestroyInstance(state);
	*n = room_b - n_out;
	switch (r) {
	case BROTLI_DECODER_RESULT_SUCCESS:
		return MM_CODED_DONE;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
		return MM_CODED_SHORT;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
		return MM_CODED_BOMB;
	case BROTLI_DECODER_RESULT_ERROR:
		break;
	}
	return MM_CODED_BROKEN;
}

static enum mm_coded undo_zstd(struct mm_slice in, uint8_t *room, size_t room_b, size_t *n)
{
	ZSTD_DCtx *ctx = ZSTD_createDCtx();
	if (ctx == NULL)
		return MM_CODED_BROKEN;
	(void)ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, MM_CODING_WINDOW_LOG);
	ZSTD_inBuffer from = { in.p, in.len, 0 };
	ZSTD_outBuffer to = { room, room_b, 0 };
	size_t r = 1;
	while (from.pos < from.size && to.pos < to.size) {
		size_t was_in = from.pos, was_out = to.pos;
		r = ZSTD_decompressStream(ctx, &to, &from);
		if (ZSTD_isError(r) || (from.pos == was_in && to.pos == was_out))
			break;
	}
	ZSTD_freeDCtx(ctx);
	*n = to.pos;
	if (ZSTD_isError(r))
		return MM_CODED_BROKEN;
	if (r == 0 && from.pos == from.size)
		return MM_CODED_DONE;
	return to.pos == to.size ? MM_CODED_BOMB : MM_CODED_SHORT;
}

static enum mm_coded undo(
        enum coding coding, struct mm_slice in, uint8_t *room, size_t room_b, size_t *n)
{
	switch (coding) {
	case CODING_GZIP:
		return inflate_with(WINDOW_GZIP, in, room, room_b, n);
	case CODING_DEFLATE:
		return undo_deflate(in, room, room_b, n);
	case CODING_BROTLI:
		return undo_brotli(in, room, room_b, n);
	case CODING_ZSTD:
		return undo_zstd(in, room, room_b, n);
	case CODING_IDENTITY:
	case CODING_UNKNOWN:
		break;
	}
	return MM_CODED_UNKNOWN;
}

enum mm_coded mm_coding_undo(struct mm_slice list, struct mm_slice body, uint8_t *room,
        size_t room_b, struct mm_slice *out)
{
	enum coding codings[MM_CODING_LAYERS_MAX];
	size_t n_codings;
	bool cut = false;
	*out = mm_first(body, 0);
	if (!read_list(list, codings, &n_codings))
		return MM_CODED_UNKNOWN;
	struct mm_slice in = body;
	while (n_codings > 0 && in.len != 0) {
		uint8_t *half = n_codings % 2 != 0 ? room : room + room_b;
		size_t n = 0;
		enum mm_coded r = undo(codings[--n_codings], in, half, room_b, &n);
		if (n > MM_CODING_RATIO_FREE && n / MM_CODING_RATIO_MAX > body.len)
			r = MM_CODED_BOMB;
		if (in.p != body.p)
			explicit_bzero((uint8_t *)(uintptr_t)in.p, in.len);
		if (r != MM_CODED_DONE && r != MM_CODED_SHORT) {
			explicit_bzero(half, n);
			return r;
		}
		cut |= r == MM_CODED_SHORT;
		in = mm_slice(half, n);
	}
	*out = in;
	return cut ? MM_CODED_SHORT : MM_CODED_DONE;
}
