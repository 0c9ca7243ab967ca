/* A snapshot of all that a run has learnt. */
#include "state/state.h"

#include <errno.h>
#include <openssl/evp.h>
#include <unistd.h>

#define BYTE_ORDER_MARK UINT32_C(0x01020304)

enum {
	TAG_FILES = 0x454c4946,  /* "FILE" */
	TAG_LEDGER = 0x4744454c, /* "LEDG" */
	TAG_DETECT = 0x45544544, /* "DETE" */
	LENGTH_AT = 16,
	PROGRAM_MAX = 64,
};

static const char magic[] = "MINTMARK";

static struct mm_slice magic_bytes(void)
{
	return mm_slice_str(magic);
}

int mm_state_serialise(const struct mm_state *state, struct mm_store *out)
{
	out->len = 0;
	out->failed = false;
	/* About as much as will be needed, at once: growing step by step takes longer. */
	(void)mm_store_reserve(out, mm_ledger_bytes(state->ledger));
	mm_store_bytes(out, magic_bytes().p, magic_bytes().len);
	mm_store_u32(out, MM_STATE_VERSION);
	mm_store_u32(out, BYTE_ORDER_MARK);
	mm_store_u64(out, 0);
	mm_store_u64(out, (uint64_t)state->now_ns);
	mm_store_text(out, MINTMARK_VERSION, strlen(MINTMARK_VERSION));
	size_t files = mm_store_begin(out, TAG_FILES);
	mm_files_save(state->files, out);
	mm_store_end(out, files);
	size_t ledger = mm_store_begin(out, TAG_LEDGER);
	mm_ledger_save(state->ledger, out);
	mm_store_end(out, ledger);
	size_t detect = mm_store_begin(out, TAG_DETECT);
	mm_detect_save(state->detect, out);
	mm_store_end(out, detect);
	if (out->failed)
		return MM_ERR_NOMEM;
	uint64_t length = htole64(out->len + MM_STATE_DIGEST);
	memcpy(out->p + LENGTH_AT, &length, sizeof length);
	return MM_OK;
}

static bool digest_of(struct mm_slice bytes, uint8_t digest[MM_STATE_DIGEST])
{
	return EVP_Digest(bytes.p, bytes.len, digest, NULL, EVP_sha256(), NULL) == 1;
}

static int write_all(int fd, struct mm_slice bytes)
{
	while (bytes.len != 0) {
		ssize_t n = write(fd, bytes.p, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return MM_ERR_IO;
		bytes = mm_after(bytes, (size_t)n);
	}
	return MM_OK;
}

int mm_state_write(int fd, struct mm_slice bytes)
{
	uint8_t digest[MM_STATE_DIGEST];
	if (!digest_of(bytes, digest)) {
		errno = ENOMEM;
		return MM_ERR_IO;
	}
	int r = write_all(fd, bytes);
	if (r == MM_OK)
		r = write_all(fd, mm_slice(digest, sizeof digest));
	if (r == MM_OK && fsync(fd) != 0)
		r = MM_ERR_IO;
	return r;
}

static int parse_sections(struct mm_cursor *in, struct mm_state *state, struct mm_file_map *map)
{
	int r;
	struct mm_cursor files = mm_load_section(in, TAG_FILES);
	if ((r = mm_file_map_load(map, &files)) != MM_OK)
		return r;
	struct mm_cursor ledger = mm_load_section(in, TAG_LEDGER);
	struct mm_cursor detect = mm_load_section(in, TAG_DETECT);
	if (!mm_end(&files) || !mm_end(in))
		return MM_ERR_CORRUPT;
	if ((r = mm_ledger_load(state->ledger, &ledger, map)) != MM_OK ||
	        (r = mm_detect_load(state->detect, &detect, map)) != MM_OK)
		return r;
	return mm_files_adopt(state->files, map, state->now_ns);
}

int mm_state_parse(struct mm_slice file, struct mm_state *state, const char **why)
{
	struct mm_cursor in = mm_cursor(file);
	struct mm_slice body, stored;
	struct mm_file_map map = { 0 };
	uint8_t digest[MM_STATE_DIGEST];
	*why = "is no snapshot of mintmark";
	if (!mm_slice_eq(mm_take(&in, magic_bytes().len), magic_bytes()))
		return MM_ERR_FORMAT;
	*why = "is a snapshot of another version of mintmark";
	if (mm_le32(&in) != MM_STATE_VERSION && !in.err)
		return MM_ERR_UNSUPPORTED;
	*why = "is damaged: not of the length it should have";
	if (mm_le32(&in) != BYTE_ORDER_MARK || mm_le64(&in) != file.len ||
	        file.len < MM_STATE_DIGEST || !mm_sub(file, 0, file.len - MM_STATE_DIGEST, &body) ||
	        !mm_sub(file, file.len - MM_STATE_DIGEST, MM_STATE_DIGEST, &stored))
		return MM_ERR_CORRUPT;
	*why = "is damaged: its SHA-256 is another one";
	if (!digest_of(body, digest) || !mm_slice_eq(stored, mm_slice(digest, sizeof digest)))
		return MM_ERR_CORRUPT;
	*why = "is damaged: it contradicts itself";
	struct mm_cursor inner = mm_cursor(mm_first(mm_left(&in), in.len - MM_STATE_DIGEST));
	state->now_ns = mm_load_time(&inner);
	(void)mm_load_text(&inner, PROGRAM_MAX);
	int r = parse_sections(&inner, state, &map);
	mm_file_map_done(&map);
	if (r == MM_ERR_NOMEM)
		*why = "does not fit into memory";
	return r;
}
