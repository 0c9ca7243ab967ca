/* Every dissector and the decoder against each prefix and each flipped bit of their samples.
 *
 * The samples are the seeds of the fuzz drivers; which dissectors there are comes from the list, so a new one
 * without a sample fails here. Buffers end at an inaccessible page. Asked of the results: no crash, frame() and
 * resync() keep their contract, events point nowhere but into themselves, and none is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decode/decode.h"
#include "dissect/dissect.h"
#include "dissect/exchange.h"
#include "event/batch.h"
#include "guard.h"
#include "mintmark/mintmark.h"

enum {
	SEED_ROOM = 64 * 1024,
	PIECES_MAX = 64,
	STREAM_ROOM = 64 * 1024,
	FLAG_UDP = 1, /* as fuzz_dissect.c has them */
	TO_CLIENT = 0x8000,
	PACKET_HEAD = 5,    /* as fuzz_packet.c */
	WORK_MAX = 5 << 20, /* bytes fed per seed: longer ones are flipped in strides */
	API_MUTANTS = 16,   /* per seed, through a whole context each */
	DISSECTORS_MAX = 64,
};

struct piece {
	bool to_client;
	size_t off, len; /* in the seed's bytes */
};

struct seed {
	char name[256];
	uint8_t bytes[SEED_ROOM];
	size_t len;
	bool udp;
	struct piece pieces[PIECES_MAX];
	size_t n_pieces;
};

/* One run over a seed: the state of a flow, and what waits of each direction. */
struct run {
	struct mm_flow_info flow;
	struct mm_event_pool pool;
	struct mm_dissect d;
	struct guard guard;
	struct mm_web_stats web;
	uint8_t wait[2][STREAM_ROOM];
	size_t n_wait[2];
	bool quit;
	size_t n_events;
};

static struct seed seed;
static struct run run;

static bool inside(const struct mm_event_room *room, struct mm_str s)
{
	return s.len == 0 || (s.p >= room->text && s.len <= room->n_text &&
	                             (size_t)(s.p - room->text) <= room->n_text - s.len);
}

static void take_event(void *sink, struct mm_event *ev)
{
	struct run *r = sink;
	const struct mm_event_room *room = (const struct mm_event_room *)ev;
	assert_true(ev->n_creds <= MM_EVENT_CREDS && ev->n_attrs <= MM_EVENT_ATTRS);
	assert_true(room->n_text <= MM_EVENT_TEXT && room->n_numbers <= MM_EVENT_NUMBERS);
	assert_true(inside(room, ev->user) && inside(room, ev->user_realm));
	assert_non_null(ev->action);
	for (size_t i = 0; i < ev->n_creds; i++) {
		const struct mm_cred *c = &ev->creds[i];
		assert_true(inside(room, c->issuer) && inside(room, c->service));
		assert_true(inside(room, c->principal) && inside(room, c->principal_realm));
		assert_true(mm_fp_is_set(&c->fp));
	}
	for (size_t i = 0; i < ev->n_attrs; i++) {
		const struct mm_attr_value *v = &ev->attrs[i];
		assert_true(v->attr->type != MM_ATTR_STR || inside(room, v->str));
		assert_true(v->attr->type != MM_ATTR_INTS || v->n_numbers == 0 ||
		            (v->numbers >= room->numbers &&
		                    (size_t)(v->numbers - room->numbers) + v->n_numbers <=
		                            room->n_numbers));
	}
	/* As it is handed on. */
	struct mm_batch *batch = mm_batch_new();
	assert_non_null(batch);
	struct mm_event *packed = mm_batch_add(batch, ev);
	assert_non_null(packed);
	assert_true(packed->packed_size <= MM_BATCH_ROOM);
	assert_null(mm_batch_next(batch, packed));
	free(batch);
	r->n_events++;
	mm_event_free(&r->pool, ev);
}

/* The framing loop of the engine, held to dissect.h. Returns how much of avail is done with. */
static size_t frames(struct run *r, enum mm_dir dir, struct mm_slice avail)
{
	const struct mm_dissector *self = r->d.self;
	size_t at = 0;
	while (at < avail.len && !r->quit) {
		struct mm_slice left = mm_after(avail, at);
		struct mm_frame f = self->frame(r->d.state, dir, left);
		switch (f.verdict) {
		case MM_FRAME_MORE:
			assert_true(f.n == 0 || f.n > left.len);
			return at;
		case MM_FRAME_DONE:
			assert_true(f.n > 0 && f.n <= left.len);
			self->parse(&r->d, mm_first(left, f.n));
			at += f.n;
			break;
		case MM_FRAME_SKIP:
			assert_true(f.n > 0);
			at += f.n < left.len ? f.n : left.len;
			break;
		case MM_FRAME_LOST: {
			size_t off = left.len;
			struct mm_slice next = mm_after(left, 1);
			if (self->resync != NULL && next.len != 0)
				off = 1 + self->resync(r->d.state, dir, next);
			assert_true(off > 0 && off <= left.len);
			if (self->gap != NULL)
				self->gap(&r->d);
			at += off;
			break;
		}
		case MM_FRAME_QUIT:
			r->quit = true;
			break;
		}
	}
	return at;
}

static void feed(struct run *r, bool to_client, const uint8_t *p, size_t len)
{
	r->d.dir = to_client ? MM_TO_CLIENT : MM_TO_SERVER;
	r->d.time_ns = ++r->d.now_ns;
	r->d.first.number = ++r->d.last.number;
	if (r->flow.transport == MM_UDP) {
		r->d.self->parse(&r->d, mm_slice(guard_put(&r->guard, p, len), len));
		return;
	}
	uint8_t *wait = r->wait[to_client];
	size_t n = r->n_wait[to_client];
	len = len < STREAM_ROOM - n ? len : STREAM_ROOM - n;
	if (len != 0)
		memcpy(wait + n, p, len);
	n += len;
	size_t done = frames(r, r->d.dir, mm_slice(guard_put(&r->guard, wait, n), n));
	memmove(wait, wait + done, n - done);
	r->n_wait[to_client] = n - done;
}

/* All pieces of the seed as it now stands, as one flow, up to the byte at cut. */
static void dissect(
        struct run *r, const struct mm_dissector *self, const struct seed *s, size_t cut)
{
	r->flow.transport = s->udp ? MM_UDP : MM_TCP;
	static const struct mm_bulk_key key;
	r->d = (struct mm_dissect){ .self = self,
		.key = &key,
		.flow = &r->flow,
		.now_ns = 1,
		.pool = &r->pool,
		.emit = take_event,
		.sink = r,
		.web = r->d.web };
	r->d.state = calloc(1, self->state_size + 1);
	assert_non_null(r->d.state);
	r->n_wait[0] = r->n_wait[1] = 0;
	r->quit = false;
	for (size_t i = 0; i < s->n_pieces && s->pieces[i].off < cut; i++) {
		const struct piece *p = &s->pieces[i];
		size_t len = p->len < cut - p->off ? p->len : cut - p->off;
		feed(r, p->to_client, s->bytes + p->off, len);
	}
	if (self->end != NULL)
		self->end(&r->d);
	if (self->done != NULL)
		self->done(r->d.state);
	free(r->d.state);
	assert_int_equal(r->pool.n_live, 0);
}

static size_t stride_of(size_t n_mutants, size_t len)
{
	size_t stride = n_mutants * len / WORK_MAX;
	return stride == 0 ? 1 : stride | 1; /* odd: all bits of a byte get their turn */
}

static void mutate(struct run *r, const struct mm_dissector *self, struct seed *s)
{
	size_t stride = stride_of(s->len, s->len);
	for (size_t cut = 0; cut <= s->len; cut += stride)
		dissect(r, self, s, cut);
	stride = stride_of(s->len * 8, s->len);
	for (size_t i = 0; i < s->n_pieces; i++) {
		const struct piece *p = &s->pieces[i];
		for (size_t bit = p->off * 8; bit < (p->off + p->len) * 8; bit += stride) {
			s->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			dissect(r, self, s, s->len);
			s->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* The same in the whole engine: a few mutants, spread over the seed. */
static void through_api(const struct mm_dissector *self, struct seed *s)
{
	for (size_t i = 0; i < API_MUTANTS; i++) {
		size_t bit = (s->len * 8 - 1) * i / API_MUTANTS;
		struct mintmark *m = mintmark_new();
		assert_non_null(m);
		assert_int_equal(mintmark_set(m, "flow.max", "16"), 0);
		assert_true(mintmark_add_source(m, "sample") >= 0);
		assert_int_equal(mintmark_start(m), 0);
		s->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		for (size_t k = 0; k < s->n_pieces; k++) {
			const struct piece *p = &s->pieces[k];
			assert_int_equal(
			        mintmark_feed_stream(m, self->name, s->udp, p->to_client,
			                guard_put(&run.guard, s->bytes + p->off, p->len), p->len),
			        0);
		}
		s->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(mintmark_finish(m), 0);
		mintmark_free(m);
	}
}

static size_t read_file(const char *folder, const char *name, uint8_t *out, size_t room)
{
	char path[4096];
	const char *top = getenv("top_srcdir");
	snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s/%s", top == NULL ? "." : top, folder,
	        name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	size_t n = fread(out, 1, room, f);
	fclose(f);
	return n;
}

static DIR *open_folder(const char *folder)
{
	char path[4096];
	const char *top = getenv("top_srcdir");
	snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top == NULL ? "." : top, folder);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	return dir;
}

/* A seed of this protocol; the layout is in fuzz_dissect.c. */
static bool read_seed(struct seed *s, const char *name, const char *protocol)
{
	size_t head = strlen(protocol);
	s->len = read_file("fuzz_dissect", name, s->bytes, sizeof s->bytes);
	if (s->len < head + 2 || memcmp(s->bytes, protocol, head) != 0 || s->bytes[head] != '\n')
		return false;
	s->udp = s->bytes[head + 1] & FLAG_UDP;
	s->n_pieces = 0;
	snprintf(s->name, sizeof s->name, "%s", name);
	for (size_t at = head + 2; at + 2 <= s->len && s->n_pieces < PIECES_MAX;) {
		unsigned mark = (unsigned)s->bytes[at] << 8 | s->bytes[at + 1];
		size_t len = mark & ~(unsigned)TO_CLIENT;
		at += 2;
		len = len < s->len - at ? len : s->len - at;
		s->pieces[s->n_pieces++] = (struct piece){ mark & TO_CLIENT, at, len };
		at += len;
	}
	return s->n_pieces != 0;
}

static void test_dissector(void **state)
{
	const struct mm_dissector *self = *state;
	size_t n_seeds = 0;
	struct dirent *e;
	DIR *dir = open_folder("fuzz_dissect");
	mm_event_pool_init(&run.pool, 64);
	run.guard = guard_new(STREAM_ROOM);
	run.n_events = 0;
	const struct mm_web_config web = { .memory_max = 1 << 20, .stats = &run.web };
	run.d.web = mm_web_new(&web);
	assert_non_null(run.d.web);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || !read_seed(&seed, e->d_name, self->name))
			continue;
		const uint16_t *ports = seed.udp ? self->udp_ports : self->tcp_ports;
		if (ports == NULL || (!seed.udp && self->frame == NULL))
			continue;
		n_seeds++;
		mutate(&run, self, &seed);
		through_api(self, &seed);
	}
	closedir(dir);
	guard_free(&run.guard);
	mm_event_pool_done(&run.pool);
	mm_web_free(run.d.web);
	assert_true(n_seeds != 0);
	assert_true(run.n_events != 0); /* the samples are no noise */
}

/* One record of a seed of fuzz_packet: each prefix and each flipped bit, exact-size. */
static void decode_record(
        struct mm_decoder *decoder, struct guard *g, uint32_t linktype, uint8_t *p, size_t len)
{
	struct mm_segment seg;
	struct mm_packet pkt = { .time_ns = 1, .linktype = linktype, .wire_len = (uint32_t)len };
	size_t stride = stride_of(len * 8, len);
	for (size_t n = 0; n <= len; n++) {
		pkt.id.number++;
		pkt.data = mm_slice(guard_put(g, p, n), n);
		(void)mm_decode(decoder, &pkt, &seg);
	}
	for (size_t bit = 0; bit < len * 8; bit += stride) {
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		pkt.id.number++;
		pkt.time_ns++;
		pkt.data = mm_slice(guard_put(g, p, len), len);
		if (mm_decode(decoder, &pkt, &seg) == MM_DECODE_SEGMENT)
			assert_true(seg.payload.len <= 65535);
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void test_decoder(void **state)
{
	static const uint32_t linktypes[] = { 1, 0, 12, 14, 101, 108, 113, 228, 229, 276, 147, 9,
		50, 51, 104 };
	static const struct mm_hash_key key = { 1, 2 };
	(void)state;
	struct mm_decoder *decoder;
	struct guard g = guard_new(SEED_ROOM);
	struct dirent *e;
	size_t n_records = 0;
	DIR *dir = open_folder("fuzz_packet");
	assert_int_equal(mm_decoder_new(&key, &decoder), MM_OK);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		size_t at = 0,
		       size = read_file("fuzz_packet", e->d_name, seed.bytes, sizeof seed.bytes);
		while (at + PACKET_HEAD <= size) {
			const uint8_t *head = seed.bytes + at;
			size_t len = (size_t)head[3] << 8 | head[4];
			uint32_t linktype = linktypes[(head[0] & 0x7f) %
			                              (sizeof linktypes / sizeof linktypes[0])];
			at += PACKET_HEAD;
			len = len < size - at ? len : size - at;
			decode_record(
			        decoder, &g, linktype, seed.bytes + at, len < 400 ? len : 400);
			at += len;
			n_records++;
		}
	}
	closedir(dir);
	mm_decoder_free(decoder);
	guard_free(&g);
	assert_true(n_records > 10);
}

int main(void)
{
	struct CMUnitTest tests[DISSECTORS_MAX + 1] = { { .name = "decoder",
		.test_func = test_decoder } };
	size_t n = 1;
	for (size_t i = 0; mm_dissectors[i] != NULL && n < DISSECTORS_MAX; i++)
		if (mm_dissectors[i]->layer == MM_LAYER_CARRIER)
			tests[n++] = (struct CMUnitTest){ .name = mm_dissectors[i]->name,
				.test_func = test_dissector,
				.initial_state = (void *)(uintptr_t)mm_dissectors[i] };
	return _cmocka_run_group_tests("hostile", tests, n, NULL, NULL);
}
