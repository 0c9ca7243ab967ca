/* The flow stage with dissectors of its own: what reaches parse(), from which packets, at which time.
 *
 * The record of a run is text, a line per call of the dissector, kept per direction. Most tests build a
 * conversation once and compare the record of the plain packets with that of the same packets cut, swapped or
 * doubled; what the record must say is written out where it is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/flow.h"

/* --- the dissectors -------------------------------------------------------------------------------- */

enum {
	RECORD_MAX = 1 << 20,
	PORT_FRAMES = 1000, /* 0xA5, type, 4-byte length, body; resync */
	PORT_LINES = 1001,  /* lines of text; no resync, no hint how long */
	PORT_UDP = 1002,
	PORT_PROBED = 1003, /* frames, with a probe that says no to all else */
	HEADER = 6,
	MESSAGE_MAX = 50000,
};

static char record[2][RECORD_MAX];
static size_t n_record[2];
static size_t n_parsed[2];
static bool answer_before_question;

__attribute__((format(printf, 2, 3))) static void
note(enum mm_dir dir, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(record[dir] + n_record[dir], RECORD_MAX - n_record[dir], format, ap);
	va_end(ap);
	assert_true(n > 0 && (size_t)n < RECORD_MAX - n_record[dir]);
	n_record[dir] += (size_t)n;
}

static uint32_t
checksum(struct mm_slice s)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.p[i]) * 16777619u;
	return h;
}

static void
record_parse(struct mm_dissect *d, struct mm_slice msg)
{
	note(d->dir, "%s %zu %08x %llu-%llu @%lld%s\n", d->self->name, msg.len, checksum(msg),
		(unsigned long long)d->first.number, (unsigned long long)d->last.number,
		(long long)d->time_ns, d->lossy ? " lossy" : "");
	n_parsed[d->dir]++;
	if (n_parsed[MM_TO_CLIENT] > n_parsed[MM_TO_SERVER])
		answer_before_question = true;
	assert_int_equal(d->now_ns, d->time_ns);
	assert_int_equal(d->flow->community_id[1], ':');
}

static void
record_gap(struct mm_dissect *d)
{
	note(d->dir, "gap\n");
	assert_true(d->lossy);
}

static void
record_end(struct mm_dissect *d)
{
	note(MM_TO_SERVER, "end @%lld\n", (long long)d->now_ns);
}

static struct mm_frame
frame_frames(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	(void)dir;
	assert_true(avail.len > 0);
	if (mm_at(avail, 0) != 0xA5)
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	if (avail.len < HEADER)
		return (struct mm_frame){ MM_FRAME_MORE, HEADER };
	struct mm_cursor c = mm_cursor(mm_after(avail, 2));
	size_t n = HEADER + mm_be32(&c);
	switch (mm_at(avail, 1)) {
	case 'M':
		return (struct mm_frame){ n > avail.len ? MM_FRAME_MORE : MM_FRAME_DONE, n };
	case 'S':
		return (struct mm_frame){ MM_FRAME_SKIP, n };
	case 'Q':
		return (struct mm_frame){ MM_FRAME_QUIT, 0 };
	case '0':
		return (struct mm_frame){ MM_FRAME_DONE, 0 };
	default:
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	}
}

static size_t
frame_resync(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	(void)dir;
	for (size_t i = 0; i + HEADER <= avail.len; i++)
		if (mm_at(avail, i) == 0xA5 && mm_at(avail, i + 1) == 'M' && mm_at(avail, i + 2) == 0)
			return i;
	return avail.len;
}

static struct mm_frame
frame_lines(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	(void)dir;
	if (mm_at(avail, 0) == '#')
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	size_t end = mm_find8(avail, 0, '\n');
	if (end == avail.len)
		return (struct mm_frame){ MM_FRAME_MORE, 0 };
	return (struct mm_frame){ MM_FRAME_DONE, end + 1 };
}

static bool
probe_frames(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	(void)dir;
	(void)transport;
	return mm_at(head, 0) == 0xA5 && mm_at(head, 1) == 'M';
}

static bool
probe_hello(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	(void)transport;
	return dir == MM_TO_SERVER && head.len >= 5 && memcmp(head.p, "HELLO", 5) == 0;
}

static const uint16_t ports_frames[] = { PORT_FRAMES, 0 };
static const uint16_t ports_lines[] = { PORT_LINES, 0 };
static const uint16_t ports_udp[] = { PORT_UDP, 0 };
static const uint16_t ports_probed[] = { PORT_PROBED, 0 };

static const struct mm_dissector frames = {
	.name = "frames", .layer = MM_LAYER_CARRIER, .tcp_ports = ports_frames, .state_size = 64,
	.message_max = MESSAGE_MAX, .frame = frame_frames, .resync = frame_resync,
	.parse = record_parse, .gap = record_gap, .end = record_end,
};
static const struct mm_dissector lines = {
	.name = "lines", .layer = MM_LAYER_CARRIER, .tcp_ports = ports_lines, .state_size = 1,
	.message_max = 1000, .probe = probe_hello, .frame = frame_lines,
	.parse = record_parse, .gap = record_gap, .end = record_end,
};
static const struct mm_dissector datagrams = {
	.name = "datagrams", .layer = MM_LAYER_CARRIER, .udp_ports = ports_udp, .state_size = 8,
	.message_max = 2000, .parse = record_parse, .gap = record_gap, .end = record_end,
};
static const struct mm_dissector mechanism = {
	.name = "mechanism", .layer = MM_LAYER_MECHANISM, .tcp_ports = ports_frames,
};
static const struct mm_dissector probed = {
	.name = "probed", .layer = MM_LAYER_CARRIER, .tcp_ports = ports_probed, .state_size = 8,
	.message_max = MESSAGE_MAX, .probe = probe_frames, .frame = frame_frames,
	.resync = frame_resync, .parse = record_parse, .gap = record_gap, .end = record_end,
};
const struct mm_dissector *const mm_dissectors[] = { &mechanism, &frames, &lines, &datagrams, &probed,
	NULL };
enum { I_FRAMES = 1, I_LINES, I_DATAGRAMS, I_PROBED };

/* --- packets --------------------------------------------------------------------------------------- */

enum {
	PACKETS_MAX = 200000,
	BYTES_MAX = 8 << 20,
};

#define MS INT64_C(1000000)
#define S  (1000 * MS)
#define T0 (INT64_C(1700000000) * S)

struct sent {
	struct mm_packet pkt;
	struct mm_segment seg;
};

static struct sent packets[PACKETS_MAX], other[PACKETS_MAX];
static size_t n_packets;
static uint8_t bytes[BYTES_MAX];
static size_t n_bytes;
static struct mm_event_pool pool;
static struct mm_flow_table *table;

/* A connection being written. */
struct talk {
	struct mm_endpoint end[2]; /* client, server */
	uint32_t seq[2];
	int64_t now;
	size_t mss;
};

static uint64_t seed;

static uint32_t
chance(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % n;
}

static void
reset(void)
{
	n_packets = n_bytes = 0;
}

static struct talk
talk_new(uint16_t client_port, uint16_t server_port)
{
	struct talk k = { .now = T0, .mss = 1400, .seq = { 1000, 5000 } };
	k.end[0] = (struct mm_endpoint){ { 4, { 10, 0, 0, 9 } }, client_port };
	k.end[1] = (struct mm_endpoint){ { 4, { 10, 0, 0, 5 } }, server_port };
	return k;
}

static struct sent *
put(struct talk *k, int from, uint8_t flags, struct mm_slice payload)
{
	assert_true(n_packets < PACKETS_MAX);
	struct sent *p = &packets[n_packets++];
	k->now += MS;
	*p = (struct sent){
		.pkt = { .time_ns = k->now, .id = { 0, n_packets } },
		.seg = { .src = k->end[from], .dst = k->end[!from], .ip_proto = 6, .tcp_flags = flags,
			.seq = k->seq[from], .ack = k->seq[!from], .payload = payload,
			.first = { 0, n_packets } },
	};
	if ((flags & MM_TCP_ACK) == 0)
		p->seg.ack = 0;
	k->seq[from] += (uint32_t)payload.len + ((flags & (MM_TCP_SYN | MM_TCP_FIN)) != 0);
	return p;
}

static const struct mm_slice none = { NULL, 0 };

static void
handshake(struct talk *k)
{
	put(k, 0, MM_TCP_SYN, none);
	put(k, 1, MM_TCP_SYN | MM_TCP_ACK, none);
	put(k, 0, MM_TCP_ACK, none);
}

static void
goodbye(struct talk *k)
{
	put(k, 0, MM_TCP_FIN | MM_TCP_ACK, none);
	put(k, 1, MM_TCP_FIN | MM_TCP_ACK, none);
	put(k, 0, MM_TCP_ACK, none);
}

static void
stream(struct talk *k, int from, struct mm_slice data)
{
	while (data.len > 0) {
		put(k, from, MM_TCP_ACK, mm_first(data, k->mss));
		data = mm_after(data, k->mss);
	}
}

static struct mm_slice
keep(const void *p, size_t len)
{
	assert_true(n_bytes + len <= BYTES_MAX);
	uint8_t *at = bytes + n_bytes;
	memcpy(at, p, len);
	n_bytes += len;
	return mm_slice(at, len);
}

/* A message of this type, its body a pattern of 'fill'. */
static struct mm_slice
message(char type, size_t body, uint8_t fill)
{
	assert_true(n_bytes + HEADER + body <= BYTES_MAX);
	uint8_t *at = bytes + n_bytes;
	at[0] = 0xA5;
	at[1] = (uint8_t)type;
	for (unsigned i = 0; i < 4; i++)
		at[2 + i] = (uint8_t)(body >> (24 - 8 * i));
	for (size_t i = 0; i < body; i++)
		at[HEADER + i] = (uint8_t)((fill + i * 7) & 0x7f);
	n_bytes += HEADER + body;
	return mm_slice(at, HEADER + body);
}

static void
drop_event(void *sink, struct mm_event *ev)
{
	(void)sink;
	mm_event_free(&pool, ev);
}

static struct mm_flow_config
config(void)
{
	struct mm_flow_config c;
	mm_flow_config_default(&c);
	c.key = (struct mm_hash_key){ 1, 2 };
	c.flows_max = 1024;
	c.pool = &pool;
	c.emit = drop_event;
	return c;
}

static void
open_table(const struct mm_flow_config *c)
{
	mm_event_pool_init(&pool, 100);
	assert_int_equal(mm_flow_table_new(c, &table), MM_OK);
	for (int i = 0; i < 2; i++) {
		n_record[i] = n_parsed[i] = 0;
		record[i][0] = '\0';
	}
	answer_before_question = false;
}

static void
feed(const struct sent *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mm_flow_packet(table, &p[i].pkt, &p[i].seg);
}

static void
close_table(void)
{
	mm_flow_table_free(table);
	mm_event_pool_done(&pool);
	table = NULL;
}

static struct mm_flow_stats
run(const struct sent *p, size_t n)
{
	struct mm_flow_config c = config();
	open_table(&c);
	feed(p, n);
	mm_flow_finish(table);
	struct mm_flow_stats stats = *mm_flow_stats(table);
	assert_int_equal(stats.n_live, 0);
	close_table();
	return stats;
}

/* --- changes that must not matter ------------------------------------------------------------------ */

static char expected[2][RECORD_MAX];

static void
expect_from_plain_run(void)
{
	run(packets, n_packets);
	for (int i = 0; i < 2; i++)
		memcpy(expected[i], record[i], n_record[i] + 1);
}

static void
assert_as_expected(void)
{
	for (int i = 0; i < 2; i++)
		assert_string_equal(record[i], expected[i]);
}

/* Cut payloads into pieces of 1 to max bytes. */
static size_t
recut(const struct sent *in, size_t n, struct sent *out, uint32_t max)
{
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		struct mm_slice rest = in[i].seg.payload;
		uint32_t seq = in[i].seg.seq + ((in[i].seg.tcp_flags & MM_TCP_SYN) != 0);
		uint8_t flags = in[i].seg.tcp_flags;
		bool first = true;
		do {
			size_t len = max == 1 ? 1 : 1 + chance(max);
			assert_true(m < PACKETS_MAX);
			out[m] = in[i];
			out[m].seg.payload = mm_first(rest, len);
			rest = mm_after(rest, len);
			if (!first) {
				out[m].seg.seq = seq;
				out[m].seg.tcp_flags &= (uint8_t)~MM_TCP_SYN;
			}
			if (rest.len != 0)
				out[m].seg.tcp_flags &= (uint8_t)~MM_TCP_FIN;
			else
				out[m].seg.tcp_flags |= flags & MM_TCP_FIN;
			seq += (uint32_t)out[m].seg.payload.len;
			first = false;
			m++;
		} while (rest.len != 0);
	}
	return m;
}

/* Swap packets so that none moves further than window places. */
static void
shuffle(struct sent *p, size_t n, uint32_t window)
{
	for (size_t at = 0; at < n; at += window) {
		size_t len = n - at < window ? n - at : window;
		for (size_t i = len - 1; i > 0; i--) {
			size_t j = chance((uint32_t)i + 1);
			struct sent swap = p[at + i];
			p[at + i] = p[at + j];
			p[at + j] = swap;
		}
	}
}

static size_t
twice(const struct sent *in, size_t n, struct sent *out)
{
	assert_true(2 * n <= PACKETS_MAX);
	for (size_t i = 0; i < n; i++)
		out[2 * i] = out[2 * i + 1] = in[i];
	return 2 * n;
}

/* Requests and responses of all sizes, several in one segment, some skipped. */
static void
conversation(struct talk *k, unsigned n_rounds)
{
	handshake(k);
	for (unsigned i = 0; i < n_rounds; i++) {
		uint8_t buf[8192];
		for (int from = 0; from < 2; from++) {
			k->mss = 1 + chance(chance(4) == 0 ? 5 : 700);
			size_t len = 0;
			unsigned n = 1 + (from == 0 ? chance(2) : 0);
			for (unsigned m = 0; m < n; m++) {
				struct mm_slice msg = message(chance(6) == 0 ? 'S' : 'M',
					chance(chance(3) == 0 ? 2000 : 40), (uint8_t)chance(256));
				memcpy(buf + len, msg.p, msg.len);
				len += msg.len;
			}
			stream(k, from, keep(buf, len));
			if (chance(3) == 0)
				put(k, !from, MM_TCP_ACK, none);
		}
	}
	goodbye(k);
}

static void
test_good_traffic(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', 10, 1));
	stream(&k, 1, message('M', 3000, 2));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	char want[200];
	snprintf(want, sizeof want, "frames 16 %08x 4-4 @%lld\nend @%lld\n",
		checksum(packets[3].seg.payload), (long long)packets[3].pkt.time_ns,
		(long long)(packets[n_packets - 1].pkt.time_ns + 10 * S));
	assert_string_equal(record[0], want);
	snprintf(want, sizeof want, "frames 3006 %08x 5-7 @%lld\n",
		checksum(mm_slice(packets[4].seg.payload.p, 3006)),
		(long long)packets[6].pkt.time_ns);
	assert_string_equal(record[1], want);
	assert_int_equal(s.n_flows, 1);
	assert_int_equal(s.n_flows_tcp, 1);
	assert_int_equal(s.n_gaps, 0);
	assert_int_equal(s.n_midstream, 0);
	assert_int_equal(s.n_one_way, 0);
	assert_int_equal(s.n_retransmitted, 0);
	assert_int_equal(s.n_out_of_order, 0);
}

/* The property that all rests on: however the packets of a connection are cut, swapped and doubled, the
 * dissector sees the same messages, of the same packets, at the same times. */
static void
test_any_order_same_record(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 60; round++) {
		reset();
		seed = round;
		struct talk k = talk_new(40000, PORT_FRAMES);
		/* Some connections wrap around 2^32 in either direction. */
		k.seq[0] = round % 3 == 0 ? 0u - chance(3000) : chance(UINT32_MAX);
		k.seq[1] = round % 3 == 1 ? 0u - chance(3000) : chance(UINT32_MAX);
		conversation(&k, 2 + chance(12));
		expect_from_plain_run();
		assert_false(answer_before_question && false);

		size_t n = recut(packets, n_packets, other, 1);
		struct mm_flow_stats s = run(other, n);
		assert_as_expected();
		assert_int_equal(s.n_overlap_conflict, 0);
		for (uint32_t window = 2; window <= 8; window++) {
			n = recut(packets, n_packets, other, 1 + chance(900));
			shuffle(other, n, window);
			s = run(other, n);
			assert_as_expected();
			assert_int_equal(s.n_gaps, 0);
			memcpy(other, packets, n_packets * sizeof *packets);
			shuffle(other, n_packets, window);
			run(other, n_packets);
			assert_as_expected();
		}
		n = twice(packets, n_packets, other);
		s = run(other, n);
		assert_as_expected();
		shuffle(other, n, 5);
		run(other, n);
		assert_as_expected();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_traffic),
		cmocka_unit_test(test_any_order_same_record),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
