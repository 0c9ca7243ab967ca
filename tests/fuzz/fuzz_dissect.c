/* All dissectors under fuzzing, through the stream interface of the public API.
 *
 * An input is text up to a newline, naming a protocol as --list-protocols does (any other first line chooses one by
 * its first byte); one byte of flags; then pieces, each two bytes (big-endian: bit 15 set is from the server, the
 * rest the length) and that many bytes. */
#include "fuzz.h"

enum {
	PROTOCOLS_MAX = 64,
	NAME_MAX_LEN = 32,
	FLAG_UDP = 1,
	FLAG_ONE_BYTE = 2, /* pieces are handed over byte by byte */
	FLAG_SEVEN = 4,    /* in cuts of 7 bytes */
	TO_CLIENT = 0x8000,
	SEVEN = 7,
};

struct protocols {
	char names[PROTOCOLS_MAX][NAME_MAX_LEN];
	size_t n;
};

struct input {
	const uint8_t *p;
	size_t len;
};

static const struct protocols *protocols(void)
{
	static struct protocols all;
	char *text = NULL, *rest = NULL;
	size_t size;
	if (all.n != 0)
		return &all;
	FILE *f = open_memstream(&text, &size);
	fuzz_expect(f != NULL, "memory suffices");
	mintmark_list(MINTMARK_LIST_PROTOCOLS, f);
	fclose(f);
	char *line = strtok_r(text, "\n", &rest); /* the header */
	while ((line = strtok_r(NULL, "\n", &rest)) != NULL && all.n < PROTOCOLS_MAX)
		snprintf(all.names[all.n++], NAME_MAX_LEN, "%.*s", (int)strcspn(line, "\t"), line);
	free(text);
	fuzz_expect(all.n != 0, "there are protocols");
	return &all;
}

static struct input take(struct input *in, size_t n)
{
	struct input taken = { in->p, n < in->len ? n : in->len };
	in->p += taken.len;
	in->len -= taken.len;
	return taken;
}

static unsigned byte(struct input *in)
{
	struct input b = take(in, 1);
	return b.len == 0 ? 0 : b.p[0];
}

static const char *choose(struct input *in)
{
	const struct protocols *all = protocols();
	const uint8_t *end = memchr(in->p, '\n', in->len);
	if (end != NULL) {
		struct input line = take(in, (size_t)(end - in->p) + 1);
		for (size_t i = 0; i < all->n; i++)
			if (strlen(all->names[i]) == line.len - 1 &&
			        memcmp(all->names[i], line.p, line.len - 1) == 0)
				return all->names[i];
		return all->names[line.p[0] % all->n];
	}
	return all->names[byte(in) % all->n];
}

/* The cut is in memory of its own, so that a read beyond it is seen. */
static void feed(
        struct mintmark *m, const char *protocol, bool udp, bool to_client, struct input cut)
{
	uint8_t *copy = malloc(cut.len + 1);
	fuzz_expect(copy != NULL, "memory suffices");
	uint8_t *at = copy + 1; /* and not aligned */
	if (cut.len != 0)
		memcpy(at, cut.p, cut.len);
	(void)mintmark_feed_stream(m, protocol, udp, to_client, at, cut.len); /* not all know UDP */
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct input in = { data, size };
	const char *protocol = choose(&in);
	unsigned flags = byte(&in);
	struct mintmark *m = fuzz_new();
	fuzz_expect(mintmark_add_source(m, "fuzz") >= 0, mintmark_error(m));
	fuzz_expect(mintmark_start(m) == 0, mintmark_error(m));
	while (in.len != 0) {
		unsigned head = byte(&in) << 8;
		head |= byte(&in);
		struct input piece = take(&in, head & ~(unsigned)TO_CLIENT);
		size_t step = flags & FLAG_ONE_BYTE ? 1 : flags & FLAG_SEVEN ? SEVEN : piece.len;
		if (flags & FLAG_UDP)
			step = piece.len; /* a datagram is whole */
		do
			feed(m, protocol, flags & FLAG_UDP, head & TO_CLIENT, take(&piece, step));
		while (piece.len != 0);
	}
	fuzz_end(m);
	return 0;
}
