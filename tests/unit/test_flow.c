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
	PORT_PROBED = 1003,  /* frames, with a probe that says no to all else */
	PORT_CARRIER = 1004, /* frames whose bodies are other streams */
	HEADER = 6,
	MESSAGE_MAX = 50000,
};

static char record[2][RECORD_MAX];
static size_t n_record[2];
static size_t n_parsed[2];
static char order[4096]; /* 'q' or 'a' for each message, both directions */
static size_t n_order;
static int64_t known_ns;  /* as parse() or end() was told last */
static int64_t parsed_ns; /* as parse() was */

__attribute__((format(printf, 2, 3))) static void note(enum mm_dir dir, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(record[dir] + n_record[dir], RECORD_MAX - n_record[dir], format, ap);
	va_end(ap);
	assert_true(n > 0 && (size_t)n < RECORD_MAX - n_record[dir]);
	n_record[dir] += (size_t)n;
}

static char last_path[MM_PATH_TEXT]; /* of the flow of the last message */

static uint32_t checksum(struct mm_slice s)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.p[i]) * 16777619u;
	return h;
}

static void record_parse(struct mm_dissect *d, struct mm_slice msg)
{
	note(d->dir, "%s %zu %08x %llu-%llu @%lld%s\n", d->self->name, msg.len, checksum(msg),
	        (unsigned long long)d->first.number, (unsigned long long)d->last.number,
	        (long long)d->time_ns, d->lossy ? " lossy" : "");
	n_parsed[d->dir]++;
	if (n_order + 1 < sizeof order)
		order[n_order++] = d->dir == MM_TO_SERVER ? 'q' : 'a';
	order[n_order] = '\0';
	assert_true(d->now_ns >= d->time_ns);
	known_ns = parsed_ns = d->now_ns;
	assert_int_equal(d->flow->community_id[1], ':');
	mm_path_text(&d->flow->path, last_path);
}

static void record_gap(struct mm_dissect *d)
{
	note(d->dir, "gap\n");
	assert_true(d->lossy);
}

static void record_end(struct mm_dissect *d)
{
	note(MM_TO_SERVER, "end @%lld\n", (long long)d->time_ns);
	known_ns = d->now_ns;
}

static struct mm_frame frame_frames(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	(void)dir;
	assert_true(avail.len > 0);
	if (mm_slice_eq(mm_first(avail, 6), mm_slice_str("HELLO!")))
		return (struct mm_frame){ MM_FRAME_QUIT, 0 };
	if (mm_at(avail, 0) != 0xA5)
		return (struct mm_frame){ MM_FRAME_LOST, 0 };
	if (avail.len < HEADER)
		return (struct mm_frame){ MM_FRAME_MORE, HEADER };
	struct mm_cursor c = mm_cursor(mm_after(avail, 2));
	size_t n = HEADER + mm_be32(&c);
	switch (mm_at(avail, 1)) {
	case 'M':
	case 'G':
	case 'N':
	case 'B':
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

static size_t frame_resync(void *state, enum mm_dir dir, struct mm_slice avail)
{
	(void)state;
	(void)dir;
	for (size_t i = 0; i + HEADER <= avail.len; i++)
		if (mm_at(avail, i) == 0xA5 && mm_at(avail, i + 1) == 'M' &&
		        mm_at(avail, i + 2) == 0)
			return i;
	return avail.len;
}

static struct mm_frame frame_lines(void *state, enum mm_dir dir, struct mm_slice avail)
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

static bool probe_frames(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	(void)dir;
	(void)transport;
	return mm_at(head, 0) == 0xA5 && mm_at(head, 1) == 'M';
}

static bool probe_hello(struct mm_slice head, enum mm_dir dir, enum mm_transport transport)
{
	(void)transport;
	return dir == MM_TO_SERVER && head.len >= 5 && memcmp(head.p, "HELLO", 5) == 0;
}

static const uint16_t ports_frames[] = { PORT_FRAMES, 0 };
static const uint16_t ports_lines[] = { PORT_LINES, 0 };
static const uint16_t ports_udp[] = { PORT_UDP, 0 };
static const uint16_t ports_probed[] = { PORT_PROBED, 0 };

static const char *const hints_frames[] = { "BitTorrent", NULL };
static const char *const hints_lines[] = { "SSH", NULL };

static const struct mm_dissector frames = {
	.name = "frames",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = ports_frames,
	.ndpi_hints = hints_frames,
	.state_size = 64,
	.message_max = MESSAGE_MAX,
	.frame = frame_frames,
	.resync = frame_resync,
	.parse = record_parse,
	.gap = record_gap,
	.end = record_end,
};
static const struct mm_dissector lines = {
	.name = "lines",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = ports_lines,
	.ndpi_hints = hints_lines,
	.state_size = 1,
	.message_max = 1000,
	.probe = probe_hello,
	.frame = frame_lines,
	.parse = record_parse,
	.gap = record_gap,
	.end = record_end,
};
static const struct mm_dissector datagrams = {
	.name = "datagrams",
	.layer = MM_LAYER_CARRIER,
	.udp_ports = ports_udp,
	.state_size = 8,
	.message_max = 2000,
	.parse = record_parse,
	.gap = record_gap,
	.end = record_end,
};
static const struct mm_dissector mechanism = {
	.name = "mechanism",
	.layer = MM_LAYER_MECHANISM,
	.tcp_ports = ports_frames,
};
static const struct mm_dissector probed = {
	.name = "probed",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = ports_probed,
	.state_size = 8,
	.message_max = MESSAGE_MAX,
	.probe = probe_frames,
	.frame = frame_frames,
	.resync = frame_resync,
	.parse = record_parse,
	.gap = record_gap,
	.end = record_end,
};
/* M: bytes of the inner stream; G: some were lost; N: the name of who reads it; B: who goes on with this one. */
static void carry(struct mm_dissect *d, struct mm_slice msg)
{
	char name[16];
	struct mm_slice body = mm_after(msg, HEADER);
	snprintf(name, sizeof name, "%.*s", (int)(body.len < 15 ? body.len : 15), body.p);
	switch (mm_at(msg, 1)) {
	case 'M':
		if (!mm_dissect_inner(d, body))
			note(d->dir, "deaf\n");
		break;
	case 'G':
		mm_dissect_inner_gap(d);
		break;
	case 'N':
		mm_dissect_inner_name(d, name);
		break;
	default:
		mm_dissect_become(d, body.len != 0 ? name : NULL);
		break;
	}
}

static unsigned n_carrier_states;

static void carrier_done(void *state)
{
	(void)state;
	n_carrier_states++;
}

static const uint16_t ports_carrier[] = { PORT_CARRIER, 0 };

static const struct mm_dissector carrier = {
	.name = "carrier",
	.layer = MM_LAYER_CARRIER,
	.tcp_ports = ports_carrier,
	.state_size = 8,
	.message_max = MESSAGE_MAX,
	.frame = frame_frames,
	.resync = frame_resync,
	.parse = carry,
	.end = record_end,
	.done = carrier_done,
};
const struct mm_dissector *const mm_dissectors[] = { &mechanism, &frames, &lines, &datagrams,
	&probed, &carrier, NULL };
enum { I_FRAMES = 1, I_LINES, I_DATAGRAMS, I_PROBED, I_CARRIER };

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

static uint32_t chance(uint32_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(seed >> 33) % n;
}

static void reset(void)
{
	n_packets = n_bytes = 0;
}

static struct talk talk_new(uint16_t client_port, uint16_t server_port)
{
	struct talk k = { .now = T0, .mss = 1400, .seq = { 1000, 5000 } };
	k.end[0] = (struct mm_endpoint){ { 4, { 10, 0, 0, 9 } }, client_port };
	k.end[1] = (struct mm_endpoint){ { 4, { 10, 0, 0, 5 } }, server_port };
	return k;
}

static struct sent *put(struct talk *k, int from, uint8_t flags, struct mm_slice payload)
{
	assert_true(n_packets < PACKETS_MAX);
	struct sent *p = &packets[n_packets++];
	k->now += MS;
	*p = (struct sent){
		.pkt = { .time_ns = k->now, .id = { 0, n_packets } },
		.seg = { .src = k->end[from],
		        .dst = k->end[!from],
		        .ip_proto = 6,
		        .tcp_flags = flags,
		        .seq = k->seq[from],
		        .ack = k->seq[!from],
		        .payload = payload,
		        .first = { 0, n_packets } },
	};
	if ((flags & MM_TCP_ACK) == 0)
		p->seg.ack = 0;
	k->seq[from] += (uint32_t)payload.len + ((flags & (MM_TCP_SYN | MM_TCP_FIN)) != 0);
	return p;
}

static const struct mm_slice none = { NULL, 0 };

static struct sent *put_datagram(struct talk *k, int from, struct mm_slice payload)
{
	struct sent *p = put(k, from, 0, payload);
	p->seg.ip_proto = 17;
	p->seg.tcp_flags = 0;
	return p;
}

static void handshake(struct talk *k)
{
	put(k, 0, MM_TCP_SYN, none);
	put(k, 1, MM_TCP_SYN | MM_TCP_ACK, none);
	put(k, 0, MM_TCP_ACK, none);
}

static void goodbye(struct talk *k)
{
	put(k, 0, MM_TCP_FIN | MM_TCP_ACK, none);
	put(k, 1, MM_TCP_FIN | MM_TCP_ACK, none);
	put(k, 0, MM_TCP_ACK, none);
}

static void stream(struct talk *k, int from, struct mm_slice data)
{
	while (data.len > 0) {
		put(k, from, MM_TCP_ACK, mm_first(data, k->mss));
		data = mm_after(data, k->mss);
	}
}

static struct mm_slice keep(const void *p, size_t len)
{
	assert_true(n_bytes + len <= BYTES_MAX);
	uint8_t *at = bytes + n_bytes;
	memcpy(at, p, len);
	n_bytes += len;
	return mm_slice(at, len);
}

/* A message of this type, its body a pattern of 'fill'. */
static struct mm_slice message(char type, size_t body, uint8_t fill)
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

static uint64_t n_lost; /* of all MM_EV_LOSS */
static struct mm_addr lossy_server;

/* The dissectors here emit nothing. */
static void drop_event(void *sink, struct mm_event *ev)
{
	(void)sink;
	assert_int_equal(ev->kind, MM_EV_LOSS);
	assert_true(ev->dst.port != 0 && ev->n_lost != 0 && ev->key_ns >= ev->time_ns);
	n_lost += ev->n_lost;
	lossy_server = ev->dst.addr;
	mm_event_free(&pool, ev);
}

static struct mm_flow_config config(void)
{
	struct mm_flow_config c;
	mm_flow_config_default(&c);
	c.key = (struct mm_hash_key){ 1, 2 };
	c.flows_max = 1024;
	c.pool = &pool;
	c.emit = drop_event;
	return c;
}

static void open_table(const struct mm_flow_config *c)
{
	mm_event_pool_init(&pool, 100);
	assert_int_equal(mm_flow_table_new(c, &table), MM_OK);
	for (int i = 0; i < 2; i++) {
		n_record[i] = n_parsed[i] = 0;
		record[i][0] = '\0';
	}
	n_order = 0;
	n_lost = 0;
	order[0] = '\0';
}

static void feed(const struct sent *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mm_flow_packet(table, &p[i].pkt, &p[i].seg);
}

static void close_table(void)
{
	mm_flow_table_free(table);
	mm_event_pool_done(&pool);
	table = NULL;
}

static struct mm_flow_stats run(const struct sent *p, size_t n)
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

static void expect_the_same(void)
{
	for (int i = 0; i < 2; i++)
		memcpy(expected[i], record[i], n_record[i] + 1);
}

static void expect_from_plain_run(void)
{
	run(packets, n_packets);
	expect_the_same();
}

static void assert_as_expected(void)
{
	for (int i = 0; i < 2; i++)
		assert_string_equal(record[i], expected[i]);
}

/* Cut the payloads of TCP into pieces of 1 to max bytes. */
static size_t recut(const struct sent *in, size_t n, struct sent *out, uint32_t max)
{
	size_t m = 0;
	for (size_t i = 0; i < n; i++) {
		struct mm_slice rest = in[i].seg.payload;
		uint32_t seq = in[i].seg.seq + ((in[i].seg.tcp_flags & MM_TCP_SYN) != 0);
		uint8_t flags = in[i].seg.tcp_flags;
		bool first = true;
		do {
			size_t len = max == 1 ? 1 : 1 + chance(max);
			if (in[i].seg.ip_proto != 6)
				len = rest.len; /* a datagram is whole */
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
static void shuffle(struct sent *p, size_t n, uint32_t window)
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

static size_t twice(const struct sent *in, size_t n, struct sent *out)
{
	assert_true(2 * n <= PACKETS_MAX);
	for (size_t i = 0; i < n; i++)
		out[2 * i] = out[2 * i + 1] = in[i];
	return 2 * n;
}

/* Requests and responses of all sizes, several in one segment, some skipped. */
static void conversation(struct talk *k, unsigned n_rounds)
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

static void test_good_traffic(void **state)
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
static void test_any_order_same_record(void **state)
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

/* A request is read before its response, however the packets of both directions changed places. */
static void test_question_before_answer(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 100; round++) {
		reset();
		seed = round;
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		char want[41] = "";
		for (unsigned i = 0; i < 20; i++) {
			stream(&k, 0, message('M', chance(3000), 1));
			stream(&k, 1, message('M', chance(3000), 2));
			strcat(want, "qa");
		}
		goodbye(&k);
		shuffle(packets, n_packets, 2 + round % 12);
		run(packets, n_packets);
		assert_string_equal(order, want);
		size_t n = recut(packets, n_packets, other, 400);
		shuffle(other, n, 2 + round % 12);
		run(other, n);
		assert_string_equal(order, want);
	}
}

static void permute(struct sent *p, size_t n, size_t k)
{
	if (k == n) {
		run(p, n);
		assert_as_expected();
		assert_string_equal(order, "qqa");
		return;
	}
	for (size_t i = k; i < n; i++) {
		struct sent swap = p[k];
		p[k] = p[i];
		p[i] = swap;
		permute(p, n, k + 1);
		p[i] = p[k];
		p[k] = swap;
	}
}

/* All orders of a whole small connection: its SYN may come last. */
static void test_every_permutation(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	k.mss = 9;
	put(&k, 0, MM_TCP_SYN, none);
	put(&k, 1, MM_TCP_SYN | MM_TCP_ACK, none);
	stream(&k, 0, message('M', 8, 1));
	put(&k, 0, MM_TCP_ACK, message('M', 2, 2));
	put(&k, 1, MM_TCP_ACK, message('M', 3, 3));
	put(&k, 0, MM_TCP_ACK | MM_TCP_FIN, none);
	assert_int_equal(n_packets, 7);
	expect_from_plain_run();
	assert_string_equal(order, "qqa");
	memcpy(other, packets, n_packets * sizeof *packets);
	permute(other, n_packets, 0);
}

static void remove_packet(size_t i)
{
	memmove(&packets[i], &packets[i + 1], (n_packets - i - 1) * sizeof *packets);
	n_packets--;
}

/* Three messages to the server, a segment each; the second is never captured. The third is read, marked lossy. */
static void test_gap(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	for (unsigned i = 0; i < 3; i++)
		stream(&k, 0, message('M', 20, (uint8_t)i));
	stream(&k, 1, message('M', 20, 9)); /* acknowledges all */
	goodbye(&k);
	remove_packet(4);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(n_parsed[0], 2);
	assert_non_null(strstr(record[0], "gap\nframes 26"));
	assert_non_null(strstr(record[0], "6-6 @1700000000006000000 lossy\n"));
	assert_non_null(strstr(record[1], "lossy"));
	assert_int_equal(s.n_gaps, 1);
	assert_int_equal(s.n_gap_bytes, 26);
	expect_from_plain_run();
	size_t n = recut(packets, n_packets, other, 1);
	run(other, n);
	assert_as_expected();
	shuffle(packets, n_packets, 4);
	run(packets, n_packets);
	assert_as_expected();
}

/* A hole is not given up before the receiver acknowledged it, nor before its time; then it is, while the flow goes
 * on. */
static void test_gap_patience(void **state)
{
	(void)state;
	for (int acked = 0; acked < 2; acked++) {
		reset();
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		stream(&k, 0, message('M', 20, 1)); /* index 3: will be missing */
		for (unsigned i = 0; i < 60; i++) {
			stream(&k, 0, message('M', 20, 2));
			k.now += 5 * MS;
		}
		struct mm_flow_config c = config();
		open_table(&c);
		remove_packet(3);
		for (size_t i = 0; i < n_packets; i++) {
			struct sent *p = &packets[i];
			mm_flow_packet(table, &p->pkt, &p->seg);
			if (i != 10)
				continue;
			struct talk ack = k;
			ack.seq[0] = acked ? p->seg.seq : packets[2].seg.seq;
			struct sent *a = put(&ack, 1, MM_TCP_ACK, none);
			a->pkt.time_ns = p->pkt.time_ns;
			mm_flow_packet(table, &a->pkt, &a->seg);
			n_packets--;
		}
		/* Twice 150 ms after the hole was seen, of 6 ms per packet. */
		assert_int_equal(n_parsed[0], acked && 60 * 6 > 2 * 150 ? 60 : 0);
		for (unsigned i = 0; i < 10; i++) {
			k.now += 5 * MS;
			struct sent *p = put(&k, 0, MM_TCP_ACK, message('M', 20, 3));
			mm_flow_packet(table, &p->pkt, &p->seg);
		}
		assert_int_equal(n_parsed[0], acked ? 70 : 0);
		mm_flow_finish(table);
		assert_int_equal(n_parsed[0], 70);
		assert_int_equal(mm_flow_stats(table)->n_gaps, 1);
		close_table();
	}
}

/* Other flows' packets move time on, in steps or in one leap in which the flow runs out as well; what becomes known by an ACK
 * that came late is known as of that ACK, whichever packet comes next. */
static void test_gap_known_when(void **state)
{
	(void)state;
	for (int form = 0; form < 4; form++) {
		const int late_ms = form % 2 * 5000;
		const int64_t leap_ns = form / 2 * 86400 * 1000 * MS;
		reset();
		struct talk k = talk_new(40000, PORT_FRAMES), beside = talk_new(40001, PORT_UDP);
		handshake(&k);
		stream(&k, 0, message('M', 20, 1)); /* index 3: will be missing */
		struct sent *behind = &packets[n_packets];
		stream(&k, 0, message('M', 20, 2));
		int64_t behind_ns = behind->pkt.time_ns;
		k.now += late_ms * MS;
		int64_t ack_ns = put(&k, 1, MM_TCP_ACK, none)->pkt.time_ns;
		remove_packet(3);
		struct mm_flow_config c = config();
		open_table(&c);
		for (size_t i = 0; i < n_packets; i++)
			mm_flow_packet(table, &packets[i].pkt, &packets[i].seg);
		int64_t over_ns = late_ms == 0 ? behind_ns + 300 * MS : ack_ns + 150 * MS;
		for (int before = 1; before >= 0; before--) {
			beside.now = over_ns - before * 2 * MS + (40 * MS + leap_ns) * !before;
			struct sent *p = put_datagram(&beside, 0, none);
			mm_flow_packet(table, &p->pkt, &p->seg);
			assert_int_equal(n_parsed[0], !before);
		}
		assert_int_equal(parsed_ns, late_ms == 0 ? behind_ns : ack_ns);
		mm_flow_finish(table);
		close_table();
	}
}

/* A lost segment inside a message whose length is known: that message is lost, the next one is read. */
static void test_gap_inside_message(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	/* Four segments, indexes 3 to 6; in the last of them stands what looks like a message. */
	struct mm_slice outer = message('M', 5000, 1);
	memcpy(bytes + n_bytes - 100, "\xA5M\0\0\0\x4", HEADER);
	stream(&k, 0, outer);
	stream(&k, 0, message('M', 20, 2));
	goodbye(&k);
	remove_packet(4);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(n_parsed[0], 1);
	assert_non_null(strstr(record[0], "frames 26"));
	assert_non_null(strstr(record[0], "8-8"));
	assert_int_equal(s.n_gap_bytes, 1400);
	assert_int_equal(s.n_lost_sync, 0);
}

/* Garbage after a gap: resync finds the next message although its header is cut in every place. */
static void test_resync_across_segments(void **state)
{
	(void)state;
	for (size_t mss = 1; mss < 40; mss++) {
		reset();
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		stream(&k, 0, message('M', 5, 1));
		k.mss = mss;
		stream(&k, 0, mm_slice_str("0123456789012345678901234567890123456789"));
		stream(&k, 0, message('M', 30, 2));
		goodbye(&k);
		struct mm_flow_stats s = run(packets, n_packets);
		assert_int_equal(n_parsed[0], 2);
		assert_int_equal(s.n_lost_sync, 1);
		assert_int_equal(s.n_gaps, 0);
	}
}

/* The same with more garbage than is kept: the end of what is dropped falls on every byte of the header. */
static void test_resync_keeps_enough(void **state)
{
	(void)state;
	for (size_t garbage = 500; garbage < 530; garbage++) {
		reset();
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		stream(&k, 0, message('M', 5, 1));
		k.mss = 1;
		uint8_t zeros[530] = { 0 };
		stream(&k, 0, keep(zeros, garbage));
		stream(&k, 0, message('M', 30, 2));
		goodbye(&k);
		run(packets, n_packets);
		assert_int_equal(n_parsed[0], 2);
	}
}

/* Packets that changed places over almost all of the time that a hole has at least: none is given up. */
static void test_slow_and_swapped(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 30; round++) {
		reset();
		seed = round;
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		for (unsigned i = 0; i < 20; i++) {
			stream(&k, 0, message('M', 2000, 1));
			k.now += 10 * MS;
			stream(&k, 1, message('M', 2000, 2));
			k.now += 25 * MS;
		}
		goodbye(&k);
		expect_from_plain_run();
		shuffle(packets, n_packets, 8);
		struct mm_flow_stats st = run(packets, n_packets);
		assert_as_expected();
		assert_int_equal(st.n_gaps, 0);
	}
}

/* The SYN comes after a byte far behind it. */
static void test_late_syn(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	k.mss = 60000;
	handshake(&k);
	for (unsigned i = 0; i < 3; i++)
		stream(&k, 0, message('M', 40000, (uint8_t)i));
	expect_from_plain_run();
	static const size_t late[] = { 5, 0, 1, 2, 3, 4 };
	for (size_t i = 0; i < 6; i++)
		other[i] = packets[late[i]];
	run(other, 6);
	assert_as_expected();
	assert_int_equal(n_parsed[0], 3);
}

/* A SYN in the middle of a connection, which its server answers with a challenge ACK (RFC 5961 section 4), hides
 * nothing; nor does one that calls itself an answer. */
static void test_syn_inside_connection(void **state)
{
	(void)state;
	static const uint8_t flags[] = { MM_TCP_SYN, MM_TCP_SYN | MM_TCP_ACK };
	for (size_t i = 0; i < 2; i++) {
		reset();
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		stream(&k, 0, message('M', 100, 1));
		struct sent *bogus = put(&k, 0, flags[i], none);
		bogus->seg.seq += 0x70000000;
		k.seq[0]--;
		put(&k, 1, MM_TCP_ACK, none);
		stream(&k, 0, message('M', 100, 2));
		assert_int_equal(run(packets, n_packets).n_flows, 1);
		assert_int_equal(n_parsed[0], 2);
	}
}

/* Where the server answers it, it is another connection, whether the end of the first was seen or not. */
static void test_port_used_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		reset();
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		stream(&k, 0, message('M', 100, 1));
		if (i == 0)
			goodbye(&k);
		k.seq[0] += 0x70000000;
		k.seq[1] += 0x30000000;
		handshake(&k);
		stream(&k, 0, message('M', 100, 2));
		assert_int_equal(run(packets, n_packets).n_flows, 2);
		assert_int_equal(n_parsed[0], 2);
	}
}

/* One side is done, the other goes on: nothing waits for bytes after the FIN. */
static void test_half_closed(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', 10, 1));
	put(&k, 0, MM_TCP_ACK | MM_TCP_FIN, none);
	stream(&k, 1, message('M', 10, 1));
	stream(&k, 1, message('M', 10, 1));
	struct mm_flow_config c = config();
	open_table(&c);
	feed(packets, n_packets);
	assert_string_equal(order, "qaa");
	mm_flow_finish(table);
	close_table();
}

/* Flows come and go; those that stay are found. */
static void test_many_flows(void **state)
{
	(void)state;
	static struct talk talks[1000];
	struct mm_flow_config c = config();
	open_table(&c);
	for (unsigned i = 0; i < 1000; i++) {
		reset();
		talks[i] = talk_new((uint16_t)(2000 + i), PORT_UDP);
		feed(put_datagram(&talks[i], 0, mm_slice_str("x")), 1);
	}
	for (unsigned round = 1; round <= 10; round++) {
		for (unsigned i = 0; i < 1000; i++) {
			if (i % 3 == 0 && round % 5 != 0)
				continue; /* these run out */
			reset();
			talks[i].now = T0 + round * 20 * S;
			feed(put_datagram(&talks[i], 0, mm_slice_str("x")), 1);
		}
		n_record[0] = 0;
	}
	/* Every third flow was begun again twice. */
	assert_int_equal(mm_flow_stats(table)->n_flows, 1000 + 2 * 334);
	assert_int_equal(mm_flow_stats(table)->n_live, 1000);
	assert_int_equal(mm_flow_stats(table)->n_evicted, 0);
	mm_flow_finish(table);
	assert_int_equal(mm_flow_stats(table)->n_live, 0);
	close_table();
}

/* Without resync() the start of the next segment is waited for; its packet decides, not how it was cut. */
static void test_no_resync_waits_for_segment(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_LINES);
	handshake(&k);
	stream(&k, 0, mm_slice_str("one\n#junk\nnot this\n"));
	stream(&k, 0, mm_slice_str("two\n"));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(n_parsed[0], 2);
	assert_int_equal(s.n_lost_sync, 1);
	expect_from_plain_run();
	size_t n = recut(packets, n_packets, other, 1);
	run(other, n);
	assert_as_expected();
}

/* The first copy of a byte wins, and the others are counted. */
static void test_overlap(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_LINES);
	handshake(&k);
	uint32_t at = k.seq[0];
	put(&k, 0, MM_TCP_ACK, mm_slice_str("abc"));
	k.seq[0] = at + 6;
	put(&k, 0, MM_TCP_ACK, mm_slice_str("ghi\n")); /* beyond a hole */
	k.seq[0] = at + 1;
	put(&k, 0, MM_TCP_ACK, mm_slice_str("YYdefYYY")); /* fills it, and says otherwise twice */
	k.seq[0] = at + 10;
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	char want[100];
	snprintf(want, sizeof want, "lines 10 %08x 4-5 @%lld\n",
	        checksum(mm_slice_str("abcdefghi\n")), (long long)packets[4].pkt.time_ns);
	assert_memory_equal(record[0], want, strlen(want));
	assert_int_equal(s.n_overlap_conflict, 5);
	assert_int_equal(s.n_gaps, 0);
}

static void test_retransmission_counted(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	struct mm_slice msg = message('M', 100, 1);
	put(&k, 0, MM_TCP_ACK, msg);
	k.seq[0] -= (uint32_t)msg.len;
	put(&k, 0, MM_TCP_ACK, msg);
	/* A keep-alive: one byte before the next. */
	k.seq[0] -= 1;
	put(&k, 0, MM_TCP_ACK, mm_slice("", 1));
	stream(&k, 0, message('M', 10, 2));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(n_parsed[0], 2);
	assert_int_equal(s.n_retransmitted, 2);
	assert_int_equal(s.n_gaps, 0);
}

/* No SYN seen: both directions are read from the first byte on, the side of the claimed port is the server. */
static void test_midstream(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(999, PORT_FRAMES); /* a client port below the server's */
	for (unsigned i = 0; i < 3; i++) {
		stream(&k, 0, message('M', 30, (uint8_t)i));
		stream(&k, 1, message('M', 30, (uint8_t)i));
	}
	struct mm_flow_stats s = run(packets, n_packets);
	assert_string_equal(order, "qaqaqa");
	assert_int_equal(s.n_midstream, 1);
	assert_null(strstr(record[0], "gap"));

	/* Cut inside a message: what follows it is read. */
	reset();
	k = talk_new(40000, PORT_FRAMES);
	stream(&k, 0, mm_after(message('M', 100, 1), 50));
	stream(&k, 0, message('M', 30, 2));
	run(packets, n_packets);
	assert_int_equal(n_parsed[0], 1);

	/* A long flow is not held until its end. */
	reset();
	k = talk_new(40000, PORT_FRAMES);
	for (unsigned i = 0; i < 100; i++)
		stream(&k, 0, message('M', 30, 2));
	struct mm_flow_config c = config();
	open_table(&c);
	feed(packets, n_packets);
	assert_int_equal(n_parsed[0], 100);
	mm_flow_finish(table);
	close_table();
}

/* Only the server's packets were captured, with a hole that nobody here acknowledges. */
static void test_one_way(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	for (unsigned i = 0; i < 60; i++) {
		stream(&k, 0, message('M', 30, 1));
		stream(&k, 1, message('M', 30, 2));
		k.now += 10 * MS;
	}
	size_t n = 0;
	for (size_t i = 0; i < n_packets; i++)
		if (packets[i].seg.src.port == PORT_FRAMES && i != 30)
			other[n++] = packets[i];
	struct mm_flow_config c = config();
	open_table(&c);
	feed(other, n);
	assert_int_equal(n_parsed[1], n == 61 ? 60 : 59);
	assert_int_equal(mm_flow_stats(table)->n_gaps, n == 61 ? 0 : 1);
	mm_flow_finish(table);
	assert_int_equal(mm_flow_stats(table)->n_one_way, 1);
	close_table();
	assert_int_equal(n_parsed[0], 0);
}

/* SKIP beyond what is there: no buffer, and a hole inside it is none for the dissector. */
static void test_skip(void **state)
{
	(void)state;
	for (int hole = 0; hole < 2; hole++) {
		reset();
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		stream(&k, 0, message('S', 100000, 1));
		stream(&k, 0, message('M', 30, 2));
		stream(&k, 1, message('M', 30, 3));
		goodbye(&k);
		if (hole)
			remove_packet(20);
		struct mm_flow_config c = config();
		c.buffer_total_max = 0; /* nothing may be buffered */
		open_table(&c);
		feed(packets, n_packets);
		assert_string_equal(order, "qa");
		mm_flow_finish(table);
		const struct mm_flow_stats *s = mm_flow_stats(table);
		assert_null(strstr(record[0], "gap"));
		assert_null(strstr(record[0], "lossy"));
		assert_int_equal(s->n_skipped_bytes, 100006);
		assert_int_equal(s->n_gaps, hole);
		assert_int_equal(s->n_gap_bytes, hole ? 1400 : 0);
		assert_int_equal(s->n_buffer_limit, 0);
		close_table();
		expect_from_plain_run();
		shuffle(packets, n_packets, 6);
		struct mm_flow_stats swapped = run(packets, n_packets);
		assert_as_expected();
		assert_int_equal(swapped.n_gaps, hole);
	}
}

static void test_quit(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', 30, 1));
	stream(&k, 0, message('Q', 0, 1));
	stream(&k, 0, message('M', 30, 2));
	stream(&k, 1, message('M', 30, 3));
	goodbye(&k);
	run(packets, n_packets);
	assert_string_equal(order, "q");
	/* The end is told at once, and only once. */
	assert_non_null(strstr(record[0], "end @1700000000005000000\n"));
	assert_ptr_equal(strstr(record[0], "end"), strstr(record[0], "end @1700000000005"));
	assert_null(strstr(strstr(record[0], "end") + 1, "end"));
}

static void test_oversized(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', MESSAGE_MAX - HEADER, 1));
	stream(&k, 0, message('M', MESSAGE_MAX - HEADER + 1, 1));
	stream(&k, 0, message('M', 30, 2));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(n_parsed[0], 2);
	assert_int_equal(s.n_oversized, 1);
	assert_non_null(strstr(record[0], "gap\nframes 36"));
	expect_from_plain_run();
	run(other, recut(packets, n_packets, other, 1));
	assert_as_expected();

	/* A line that never ends. */
	reset();
	k = talk_new(40000, PORT_LINES);
	handshake(&k);
	uint8_t *x = malloc(10000);
	memset(x, 'x', 10000);
	stream(&k, 0, mm_slice(x, 10000));
	goodbye(&k);
	s = run(packets, n_packets);
	free(x);
	assert_int_equal(n_parsed[0], 0);
	assert_true(s.n_oversized >= 5);
}

/* A dissector that claims a message of no length is not believed. */
static void test_zero_length_is_lost(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', 5, 1));
	stream(&k, 0, message('0', 0, 1));
	stream(&k, 0, message('M', 30, 2));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(n_parsed[0], 2);
	assert_int_equal(s.n_lost_sync, 1);
}

/* The packet was cut by the snaplen: the hole is certain, no patience is needed. */
static void test_snaplen(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', 30, 1));
	stream(&k, 0, message('M', 500, 2));
	stream(&k, 0, message('M', 30, 3));
	packets[4].seg.missing = 400;
	packets[4].seg.payload.len -= 400;
	struct mm_flow_config c = config();
	open_table(&c);
	feed(packets, n_packets);
	assert_int_equal(n_parsed[0], 2);
	assert_non_null(strstr(record[0], "gap\nframes 36"));
	assert_int_equal(mm_flow_stats(table)->n_gap_bytes, 400);
	mm_flow_finish(table);
	close_table();
}

/* The last packets of a flow are missing: FIN and ACK numbers tell. */
static void test_tail_loss(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		reset();
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		stream(&k, 0, message('M', 30, 1));
		stream(&k, 1, message('M', 60, 2)); /* index 4: missing */
		put(&k, 0, MM_TCP_ACK, none);
		if (how == 0)
			put(&k, 1, MM_TCP_FIN | MM_TCP_ACK, none);
		remove_packet(4);
		struct mm_flow_stats s = run(packets, n_packets);
		assert_string_equal(order, "q");
		assert_int_equal(s.n_gaps, 1);
		assert_int_equal(s.n_gap_bytes, 66);
		assert_string_equal(record[1], "gap\n");
	}
}

/* A lost request, nothing after it: the answer waits for it, and is read in the end. */
static void test_lost_request(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', 30, 1)); /* index 3: missing */
	stream(&k, 1, message('M', 60, 2));
	goodbye(&k);
	remove_packet(3);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_string_equal(order, "a");
	assert_non_null(strstr(record[1], "5-5 @1700000000005000000 lossy"));
	assert_int_equal(s.n_gaps, 1);
	assert_int_equal(s.n_gap_bytes, 36);
}

static void test_port_reuse(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', 30, 1));
	goodbye(&k);
	k.seq[0] = 77;
	k.seq[1] = 99;
	handshake(&k);
	stream(&k, 0, message('M', 40, 2));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(s.n_flows, 2);
	assert_int_equal(n_parsed[0], 2);
	assert_int_equal(s.n_gaps, 0);
	/* The first connection ends when the second one begins. */
	assert_non_null(strstr(record[0], "end @1700000000008000000\nframes 46"));
	/* The same SYN again is the same connection. */
	expect_from_plain_run();
	size_t n = twice(packets, n_packets, other);
	s = run(other, n);
	assert_int_equal(s.n_flows, 2);
	assert_as_expected();
}

/* A request whose sender's FIN overtook it, with the SYNs and without. */
static void test_fin_before_data(void **state)
{
	(void)state;
	for (size_t from = 0; from <= 3; from += 3) {
		reset();
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		stream(&k, 0, message('M', 30, 1)); /* 4 */
		put(&k, 0, MM_TCP_FIN | MM_TCP_ACK, none);
		stream(&k, 1, message('M', 50, 2)); /* acknowledges the FIN */
		put(&k, 1, MM_TCP_FIN | MM_TCP_ACK, none);
		put(&k, 0, MM_TCP_ACK, none);
		(void)run(packets + from, n_packets - from);
		assert_int_equal(n_parsed[0], 1);
		assert_int_equal(n_parsed[1], 1);
		expect_the_same();
		const struct sent data = packets[3];
		packets[3] = packets[4];
		packets[4] = data;
		struct mm_flow_stats s = run(packets + from, n_packets - from);
		assert_int_equal(s.n_gaps, 0);
		assert_as_expected();
	}
}

/* Bytes that were not captured, overtaken by nothing, and then the SYN before them: there is nothing to move. */
static void test_syn_after_lost_bytes(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	k.seq[0]++;
	put(&k, 0, MM_TCP_ACK, none)->seg.missing = 36;
	k.seq[0]--;
	struct sent *syn = put(&k, 0, MM_TCP_SYN, none);
	syn->pkt.time_ns = packets[0].pkt.time_ns;
	put(&k, 1, MM_TCP_SYN | MM_TCP_ACK, none);
	k.seq[0] += 36;
	stream(&k, 0, message('M', 40, 2));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(s.n_flows, 1);
	assert_int_equal(s.n_gap_bytes, 36);
	assert_int_equal(n_parsed[0], 1);
}

static void test_syn_with_data(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	put(&k, 0, MM_TCP_SYN, message('M', 30, 1));
	put(&k, 1, MM_TCP_SYN | MM_TCP_ACK, none);
	k.seq[0] = 1001 + 36; /* put() counted the SYN already */
	stream(&k, 0, message('M', 30, 2));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(n_parsed[0], 2);
	assert_int_equal(s.n_gaps, 0);
}

/* The client of a flow is who sent the SYN, whatever the ports. */
static void test_syn_decides_client(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(PORT_FRAMES, 50); /* the client uses the claimed port */
	handshake(&k);
	stream(&k, 0, message('M', 30, 1));
	run(packets, n_packets);
	assert_string_equal(order, "q");
	/* The same without SYN: the claimed port is the server's. */
	for (int i = 0; i < 3; i++)
		remove_packet(0);
	run(packets, n_packets);
	assert_string_equal(order, "a");
}

/* Nobody claims the port; the first bytes tell, however they are cut. */
static void test_probe(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, 5555);
	handshake(&k);
	stream(&k, 0, mm_slice_str("HELLO\nyou\n"));
	stream(&k, 1, mm_slice_str("hi\n"));
	goodbye(&k);
	expect_from_plain_run();
	assert_string_equal(order, "qqa");
	size_t n = recut(packets, n_packets, other, 1);
	run(other, n);
	assert_as_expected();
	n = twice(packets, n_packets, other);
	run(other, n);
	assert_as_expected();

	/* The server speaks first, and nobody knows what. */
	reset();
	k = talk_new(40000, 5555);
	handshake(&k);
	stream(&k, 1, mm_slice_str("welcome\n"));
	stream(&k, 1, mm_slice_str("to all\n"));
	stream(&k, 0, mm_slice_str("HELLO\nyou\n"));
	run(packets, n_packets);
	assert_int_equal(n_parsed[0], 2);
	assert_int_equal(n_parsed[1], 2);

	/* Not known by its first packets: out, and nothing stays buffered. */
	reset();
	k = talk_new(40000, 5555);
	handshake(&k);
	for (int i = 0; i < 4; i++)
		stream(&k, i & 1, mm_slice_str("nothing that anybody knows"));
	stream(&k, 0, mm_slice_str("HELLO\nyou\n"));
	run(packets, n_packets);
	assert_string_equal(order, "");
}

/* Something else on a claimed port: who knows its first bytes has it; when nobody does, it stays where it was. */
static void test_other_protocol_on_claimed_port(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_PROBED);
	handshake(&k);
	stream(&k, 0, mm_slice_str("HELLO\nyou\n"));
	goodbye(&k);
	expect_from_plain_run();
	assert_string_equal(order, "qq");
	assert_memory_equal(strchr(record[0], '\n') + 1, "lines 6", 7);
	size_t n = recut(packets, n_packets, other, 1);
	run(other, n);
	assert_as_expected();

	/* Its own dissector sees at once that it is nothing for it; where the start is missing it stays so. */
	for (int joined = 0; joined < 2; joined++) {
		reset();
		k = talk_new(40000, PORT_PROBED);
		if (joined == 0)
			handshake(&k);
		stream(&k, 0, mm_slice_str("HELLO!\nyou\n"));
		goodbye(&k);
		run(packets, n_packets);
		assert_string_equal(order, joined == 0 ? "qq" : "");
		assert_int_equal(strstr(record[0], "lines 7") != NULL, joined == 0);
	}

	reset();
	k = talk_new(40000, PORT_PROBED);
	handshake(&k);
	stream(&k, 0, mm_slice_str("junk"));
	stream(&k, 0, message('M', 30, 1));
	stream(&k, 0, message('M', 30, 1));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_string_equal(order, "qq");
	assert_non_null(strstr(record[0], "probed 36"));
	assert_int_equal(s.n_lost_sync, 1);
	expect_from_plain_run();
	n = recut(packets, n_packets, other, 1);
	run(other, n);
	assert_as_expected();
}

static uint64_t n_unread(const struct mm_flow_stats *s, const char *name)
{
	size_t i = 0;
	while (strcmp(mm_flow_name(i), name) != 0)
		i++;
	return s->n_unread[i];
}

static uint64_t n_unread_all(const struct mm_flow_stats *s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < MM_FLOW_NAMES; i++)
		n += s->n_unread[i];
	return n;
}

/* The packets in every form that must not matter. What is read is the same; what else is in *want is, too. */
static void assert_same_in_all_forms(const struct mm_flow_stats *want)
{
	enum { FORMS = 40, WINDOW_MOST = 5 };
	for (int form = 0; form < FORMS; form++) {
		size_t n = n_packets;
		if (form == 0 || form == 3) {
			n = recut(packets, n_packets, other, form == 0 ? 1 : 7);
		} else if (form == 1) {
			n = twice(packets, n_packets, other);
		} else {
			memcpy(other, packets, n_packets * sizeof *packets);
			shuffle(other, n, 2 + (uint32_t)form % (WINDOW_MOST - 1));
		}
		struct mm_flow_stats s = run(other, n);
		assert_as_expected();
		assert_int_equal(s.n_asked, want->n_asked);
		assert_int_equal(s.n_hints, want->n_hints);
		assert_int_equal(s.n_hints_refused, want->n_hints_refused);
		assert_memory_equal(s.n_unread, want->n_unread, sizeof s.n_unread);
	}
}

/* No port, no probe(), but nDPI tells: whom it hints at reads from the first byte on, if he can. */
static void test_hint(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, 5555);
	handshake(&k);
	stream(&k, 1, mm_slice_str("SSH-2.0-server\r\n"));
	stream(&k, 0, mm_slice_str("SSH-2.0-client\r\n"));
	stream(&k, 0, mm_slice_str("more\n"));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(n_parsed[0], 2);
	assert_int_equal(n_parsed[1], 1);
	assert_memory_equal(record[0], "lines 16", 8);
	assert_int_equal(s.n_asked, 1);
	assert_int_equal(s.n_hints, 1);
	assert_int_equal(s.n_hints_refused, 0);
	assert_int_equal(n_unread_all(&s), 0);
	expect_from_plain_run();
	assert_same_in_all_forms(&s);

	/* The answer alone, which fills its head at once, would tell nothing. */
	reset();
	k = talk_new(40000, 5555);
	handshake(&k);
	stream(&k, 0, mm_slice_str("SSH-2.0-client\r\n"));
	uint8_t answer[4000];
	memset(answer, 'z', sizeof answer);
	stream(&k, 1, keep(answer, sizeof answer));
	goodbye(&k);
	s = run(packets, n_packets);
	assert_int_equal(n_parsed[0], 1);
	assert_int_equal(s.n_hints, 1);
	expect_from_plain_run();
	assert_same_in_all_forms(&s);

	struct mm_flow_config c = config();
	c.ndpi = false;
	open_table(&c);
	feed(packets, n_packets);
	mm_flow_finish(table);
	s = *mm_flow_stats(table);
	assert_string_equal(order, "");
	assert_int_equal(s.n_asked, 0);
	assert_int_equal(s.n_unread[MM_FLOW_NAME_UNKNOWN], 1);
	close_table();
}

/* Looks like what nDPI thinks of at first, and is not: frame() finds no message, so nobody reads it. */
static void test_hint_refused(void **state)
{
	(void)state;
	static const char handshake_of[] = "\x13"
	                                   "BitTorrent protocol\0\0\0\0\0\0\0\0"
	                                   "aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb";
	reset();
	struct talk k = talk_new(40000, 5555);
	handshake(&k);
	stream(&k, 0, mm_slice(handshake_of, sizeof handshake_of - 1));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_string_equal(order, "");
	assert_int_equal(s.n_hints, 1);
	assert_int_equal(s.n_hints_refused, 1);
	assert_int_equal(n_unread(&s, "BitTorrent"), 1);
	expect_from_plain_run();
	assert_same_in_all_forms(&s);

	/* With a message further on it is read from there: as after lost sync. */
	reset();
	k = talk_new(40000, 5555);
	handshake(&k);
	stream(&k, 0, mm_slice(handshake_of, sizeof handshake_of - 1));
	stream(&k, 0, message('M', 30, 1));
	stream(&k, 0, message('M', 20, 2));
	goodbye(&k);
	s = run(packets, n_packets);
	assert_string_equal(order, "qq");
	assert_int_equal(s.n_lost_sync, 1);
	assert_int_equal(n_unread_all(&s), 0);
	expect_from_plain_run();
	assert_same_in_all_forms(&s);
}

/* Garbage is left once a direction's head is full, whatever comes then; one question, one look-up a packet. */
static void test_unknown_is_left(void **state)
{
	(void)state;
	for (int who = 0; who < 2; who++) {
		reset();
		struct talk k = talk_new(40000, 5555);
		uint8_t junk[5000];
		for (size_t i = 0; i < sizeof junk; i++)
			junk[i] = (uint8_t)(i * 131 + (i >> 5) + 17);
		handshake(&k);
		stream(&k, 0, mm_slice_str("what is this?"));
		stream(&k, who, keep(junk, sizeof junk));
		stream(&k, 0, mm_slice_str("HELLO\nyou\n"));
		goodbye(&k);
		struct mm_flow_stats s = run(packets, n_packets);
		assert_string_equal(order, "");
		assert_int_equal(s.n_asked, 1);
		assert_int_equal(n_unread_all(&s), 1);
		expect_from_plain_run();
		assert_same_in_all_forms(&s);
	}
}

/* TLS and DNS are told without nDPI, TLS by its first six bytes. */
static void test_signature_is_left(void **state)
{
	(void)state;
	static const char hello[] = "\x16\x03\x01\x00\xc4\x01\x00\x00\xc0\x03\x03";
	static const char query[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	                            "\x03www\x00\x00\x01\x00\x01";
	reset();
	struct talk k = talk_new(40000, 443);
	handshake(&k);
	stream(&k, 0, mm_slice(hello, sizeof hello - 1));
	stream(&k, 0, mm_slice_str("HELLO\n"));
	k = talk_new(40001, 53);
	put_datagram(&k, 0, mm_slice(query, sizeof query - 1));
	put_datagram(&k, 1, mm_slice(query, sizeof query - 1));
	struct mm_flow_stats s = run(packets, n_packets);
	assert_string_equal(order, "");
	assert_int_equal(s.n_asked, 0);
	assert_int_equal(s.n_unread[MM_FLOW_NAME_TLS], 1);
	assert_int_equal(s.n_unread[MM_FLOW_NAME_DNS], 1);
	assert_int_equal(n_unread_all(&s), 2);
	assert_int_equal(s.n_one_way, 1);
	expect_from_plain_run();
	assert_same_in_all_forms(&s);
}

/* Datagrams on unknown ports: the first is asked about; a verdict ends it. */
static void test_unknown_datagrams(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, 5555);
	static const char *const nothing[] = { "nothing", "anybody", "knows", "of all", "that is",
		"said" };
	for (int i = 0; i < 3; i++)
		put_datagram(&k, i & 1, mm_slice_str(nothing[i]));
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(s.n_asked, 1);
	assert_int_equal(s.n_unread[MM_FLOW_NAME_UNKNOWN], 1);
	expect_from_plain_run();
	assert_same_in_all_forms(&s);
	for (int i = 0; i < 6; i++)
		put_datagram(&k, i & 1, mm_slice_str(nothing[i]));
	s = run(packets, n_packets);
	assert_int_equal(s.n_asked, 1);
	assert_int_equal(n_unread_all(&s), 1);

	reset();
	k = talk_new(40000, 5060);
	for (int i = 0; i < 6; i++)
		put_datagram(&k, 0, mm_slice_str("REGISTER sip:a.example SIP/2.0\r\n\r\n"));
	s = run(packets, n_packets);
	assert_int_equal(s.n_asked, 1);
	assert_int_equal(n_unread(&s, "SIP"), 1);
	assert_int_equal(n_unread_all(&s), 1);
}

/* Flows that nobody has claimed yet are bounded in number, and give way when memory is short. */
static void test_unknown_bounded(void **state)
{
	(void)state;
	enum { PROBING_MAX = 1024, MORE = 10, SMALL = 60 };
	reset();
	for (unsigned i = 0; i < PROBING_MAX + MORE; i++) {
		struct talk k = talk_new((uint16_t)(20000 + i), 5555);
		put(&k, 0, MM_TCP_SYN, none);
		put(&k, 0, MM_TCP_ACK, mm_slice_str("x"));
	}
	struct mm_flow_config c = config();
	c.flows_max = 16384;
	c.ndpi = false;
	open_table(&c);
	feed(packets, n_packets);
	assert_int_equal(mm_flow_stats(table)->n_probe_limit, MORE);
	close_table();

	reset();
	uint8_t junk[2000];
	memset(junk, 'z', sizeof junk);
	for (unsigned i = 0; i < SMALL; i++) {
		struct talk k = talk_new((uint16_t)(20000 + i), 5555);
		put(&k, 0, MM_TCP_SYN, none);
		put(&k, 0, MM_TCP_ACK, keep(junk, sizeof junk));
	}
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	struct mm_slice m = message('M', 20000, 1);
	stream(&k, 0, m);
	c = config();
	c.ndpi = false;
	c.buffer_max = MESSAGE_MAX + 100;
	c.buffer_total_max = SMALL * 2048;
	open_table(&c);
	feed(packets, n_packets);
	assert_int_equal(n_parsed[0], 1);
	assert_true(mm_flow_stats(table)->n_probe_limit > 0);
	assert_true(mm_flow_stats(table)->n_probe_limit < SMALL);
	assert_int_equal(mm_flow_stats(table)->n_buffer_limit, 0);
	close_table();
}

/* A flow of garbage on a claimed port is left after a while. */
static void test_garbage_is_left(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_LINES);
	handshake(&k);
	for (unsigned i = 0; i < 1000; i++)
		stream(&k, 0, mm_slice_str("####"));
	stream(&k, 0, mm_slice_str("line\n"));
	struct mm_flow_stats s = run(packets, n_packets);
	assert_int_equal(n_parsed[0], 0);
	assert_int_equal(s.n_lost_sync, 257);
}

static void test_udp(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_UDP);
	put_datagram(&k, 0, mm_slice_str("question"));
	k.now += 999 * MS;
	put_datagram(&k, 0, mm_slice_str("question")); /* again, later */
	put_datagram(&k, 1, mm_slice_str("answer"));
	put_datagram(&k, 1, mm_slice_str("cut"))->seg.missing = 100;
	struct mm_flow_stats s = run(packets, n_packets);
	assert_string_equal(order, "qqaa");
	assert_non_null(strstr(record[1], "4-4 @1700000001003000000 lossy\n"));
	assert_null(strstr(record[0], "lossy"));
	assert_non_null(strstr(record[0], "end @1700000031003000000\n"));
	assert_int_equal(s.n_flows_udp, 1);
	expect_from_plain_run();
	size_t n = twice(packets, n_packets, other);
	run(other, n);
	assert_as_expected();
	/* The copies of neighbours may change places. */
	shuffle(other, n, 4);
	run(other, n);
	assert_int_equal(n_order, 4);
}

/* A datagram seen again within the window is a copy, whatever other tags it has; later it was sent again. What another
 * payload or the other side says is no copy. */
static void test_copies(void **state)
{
	(void)state;
	static const struct {
		int64_t after; /* of the first */
		int from;
		const char *payload;
		size_t n_parsed; /* by then */
	} cases[] = {
		{ 0, 0, "question", 1 },
		{ 0, 0, "question", 1 },
		{ 3000, 0, "question", 1 },
		{ 5 * MS, 1, "question", 2 },
		{ 6 * MS, 0, "questioN", 3 },
		{ 7 * MS, 0, "questions", 4 },
		{ 50 * MS, 0, "question", 4 },
		{ -50 * MS, 0, "question", 4 }, /* the copy arrived first, with the earlier time */
		{ 50 * MS + 1, 0, "question", 5 },
		{ 100 * MS + 1, 0, "question", 5 },
		{ 100 * MS + 2, 0, "question", 6 },
	};
	struct mm_flow_config c = config();
	assert_int_equal(c.copy_window_ns, 50 * MS);
	open_table(&c);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		reset();
		struct talk k = talk_new(40000, PORT_UDP);
		struct sent *p = put_datagram(&k, cases[i].from, mm_slice_str(cases[i].payload));
		p->pkt.time_ns = T0 + cases[i].after;
		if (i != 0)
			mm_path_add(&p->seg.path, MM_PATH_VLAN, (uint32_t)i);
		feed(p, 1);
		assert_int_equal(n_parsed[0] + n_parsed[1], cases[i].n_parsed);
	}
	assert_int_equal(mm_flow_stats(table)->n_copies, 5);
	assert_int_equal(mm_flow_stats(table)->n_retransmitted, 0);
	close_table();
	c.copy_window_ns = 0;
	open_table(&c);
	for (int i = 0; i < 4; i++) {
		reset();
		struct talk k = talk_new(40000, PORT_UDP);
		k.now += i / 2;
		feed(put_datagram(&k, 0, mm_slice_str("question")), 1);
		assert_int_equal(n_parsed[0], 1 + i / 2);
	}
	close_table();
}

/* A flow's path is that of its first segment with payload: what came before made no track, what comes later may have
 * come another way. */
static void test_path(void **state)
{
	(void)state;
	for (int tcp = 0; tcp < 2; tcp++) {
		reset();
		struct talk k = talk_new(40000, tcp ? PORT_LINES : PORT_UDP);
		if (tcp)
			handshake(&k);
		size_t first = n_packets;
		for (int i = 0; i < 2; i++)
			if (tcp)
				put(&k, 0, MM_TCP_ACK, mm_slice_str("line\n"));
			else
				put_datagram(&k, 0, mm_slice_str(i == 0 ? "line" : "more"));
		mm_path_add(&packets[first].seg.path, MM_PATH_VLAN, 100);
		mm_path_add(&packets[first].seg.path, MM_PATH_MPLS, 16);
		mm_path_add(&packets[first + 1].seg.path, MM_PATH_VLAN, 7);
		run(packets, n_packets);
		assert_int_equal(n_parsed[0], 2);
		assert_string_equal(last_path, "vlan:100/mpls:16");
		memset(&packets[first].seg.path, 0xa5, sizeof packets[first].seg.path);
		mm_path_clear(&packets[first].seg.path);
		run(packets, n_packets);
		assert_string_equal(last_path, "");
	}
}

/* Idle flows end by their class; later packets begin another flow. */
static void test_timeouts(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES), u = talk_new(40000, PORT_UDP);
	handshake(&k);
	stream(&k, 0, message('M', 30, 1));
	u.now = k.now;
	put_datagram(&u, 0, mm_slice_str("x"));
	u.now += 30 * S - MS;
	put_datagram(&u, 0, mm_slice_str("y")); /* just out of time */
	u.now += 4000 * S;
	put_datagram(&u, 0, mm_slice_str("z"));
	struct mm_flow_config c = config();
	open_table(&c);
	feed(packets, 5);
	assert_int_equal(mm_flow_stats(table)->n_flows, 2);
	feed(packets + 5, 1);
	assert_int_equal(mm_flow_stats(table)->n_flows, 3);
	assert_non_null(strstr(record[0], "end @1700000030005000000\n"));
	assert_int_equal(mm_flow_stats(table)->n_live, 2);
	feed(packets + 6, 1);
	/* 3600 s after its last packet, though nothing else was seen of that flow. */
	assert_non_null(strstr(record[0], "end @1700003600004000000\n"));
	assert_int_equal(mm_flow_stats(table)->n_live, 1);
	mm_flow_finish(table);
	close_table();
}

/* A closed connection ends 10 s after its last packet. */
/* Other time-outs from now on: what had run out by them ends now, not in the past. */
static void test_retime(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES), u = talk_new(40000, PORT_UDP);
	handshake(&k);
	stream(&k, 0, message('M', 30, 1));
	u.now = k.now;
	put_datagram(&u, 0, mm_slice_str("x"));
	u.now += 20 * S - MS;
	put_datagram(&u, 0, mm_slice_str("y"));
	u.now += S - MS;
	put_datagram(&u, 0, mm_slice_str("z"));
	u.now += 50 * S;
	put_datagram(&u, 0, mm_slice_str("within the new time-out"));
	struct mm_flow_config c = config();
	open_table(&c);
	feed(packets, 6);
	assert_int_equal(mm_flow_stats(table)->n_live, 2);
	mm_flow_retime(table, 60 * S, 10 * S);
	feed(packets + 6, 1);
	assert_int_equal(mm_flow_stats(table)->n_live, 1);
	assert_non_null(strstr(record[0], "end @1700000020005000000\n"));
	feed(packets + 7, 1);
	assert_int_equal(mm_flow_stats(table)->n_flows, 2);
	mm_flow_finish(table);
	close_table();
}

static void test_closed(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		reset();
		struct talk k = talk_new(40000, PORT_FRAMES), u = talk_new(40000, PORT_UDP);
		handshake(&k);
		stream(&k, 0, message('M', 30, 1));
		if (how == 0)
			goodbye(&k);
		else
			put(&k, 1, MM_TCP_RST, none);
		u.now = k.now + 12 * S;
		put_datagram(&u, 0, mm_slice_str("x"));
		struct mm_flow_config c = config();
		open_table(&c);
		feed(packets, n_packets);
		assert_int_equal(mm_flow_stats(table)->n_live, 1);
		mm_flow_finish(table);
		close_table();
	}
}

/* The table is full: who nobody reads goes first, then who is closed, then the least recently used. */
static void test_eviction(void **state)
{
	(void)state;
	reset();
	struct talk a = talk_new(1, PORT_UDP), b = talk_new(2, 7777), c = talk_new(3, PORT_FRAMES),
	            d = talk_new(4, PORT_UDP), e = talk_new(5, PORT_UDP), f = talk_new(6, PORT_UDP);
	put_datagram(&a, 0, mm_slice_str("a"));
	handshake(&c);
	stream(&c, 0, message('M', 1, 1));
	put(&c, 0, MM_TCP_RST, none);
	put_datagram(&b, 0, mm_slice_str("b"));
	size_t n = n_packets;
	put_datagram(&d, 0, mm_slice_str("d"));
	put_datagram(&e, 0, mm_slice_str("e"));
	put_datagram(&f, 0, mm_slice_str("f"));
	struct mm_flow_config conf = config();
	conf.flows_max = 3;
	open_table(&conf);
	feed(packets, n);
	assert_int_equal(mm_flow_stats(table)->n_evicted, 0);
	feed(packets + n, 1); /* b goes, unread */
	assert_int_equal(mm_flow_stats(table)->n_evicted, 1);
	assert_null(strstr(record[0], "end"));
	feed(packets + n + 1, 1); /* c goes, closed */
	assert_non_null(strstr(record[0], "end"));
	feed(packets + n + 2, 1); /* a goes, the oldest */
	assert_int_equal(mm_flow_stats(table)->n_evicted, 3);
	assert_int_equal(mm_flow_stats(table)->n_live, 3);
	feed(packets + n, 1); /* d is still known: its copy is no new flow */
	assert_int_equal(mm_flow_stats(table)->n_flows, 6);
	mm_flow_finish(table);
	close_table();
}

/* A stream that runs against buffer_max gives its hole up; none can pass buffer_total_max. */
static void test_buffer_limits(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', 20, 1)); /* index 3: missing, and never acknowledged */
	for (unsigned i = 0; i < 100; i++)
		stream(&k, 0, message('M', 1000, 2));
	remove_packet(3);
	struct mm_flow_config c = config();
	c.buffer_max = 1; /* raised to the largest message */
	open_table(&c);
	feed(packets, n_packets);
	assert_int_equal(n_parsed[0], 100);
	assert_true(mm_flow_stats(table)->n_buffer_limit > 0);
	assert_int_equal(mm_flow_stats(table)->n_gaps, 1);
	mm_flow_finish(table);
	close_table();

	c.buffer_max = 1 << 20;
	c.buffer_total_max = 16384;
	open_table(&c);
	feed(packets, n_packets);
	mm_flow_finish(table);
	assert_true(mm_flow_stats(table)->n_buffer_limit > 0);
	assert_true(n_parsed[0] > 90);
	close_table();
}

/* No memory at all: what lies whole in a segment is read, the rest is lost and counted. */
static void test_no_memory(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', 30, 1));
	stream(&k, 0, message('M', 5000, 2));
	stream(&k, 0, message('M', 30, 3));
	goodbye(&k);
	struct mm_flow_config c = config();
	c.buffer_total_max = 0;
	open_table(&c);
	feed(packets, n_packets);
	assert_int_equal(n_parsed[0], 2);
	assert_non_null(strstr(record[0], "gap\nframes 36"));
	mm_flow_finish(table);
	assert_int_equal(mm_flow_stats(table)->n_gaps, 1);
	assert_int_equal(mm_flow_stats(table)->n_buffer_limit, 1);
	close_table();
}

/* A stray segment far ahead, acknowledged by nobody, must not blind us for what follows. */
static void test_stray_segment(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	stream(&k, 0, message('M', 20, 1));
	uint32_t at = k.seq[0];
	k.seq[0] += 500000000;
	put(&k, 0, MM_TCP_ACK, mm_slice_str("stray"));
	k.seq[0] = at;
	stream(&k, 0, message('M', 20, 2));
	stream(&k, 1, message('M', 20, 3));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_string_equal(order, "qqa");
	assert_int_equal(s.n_gaps, 0);
	assert_int_equal(s.n_buffer_limit, 1);
}

/* What is missing just before the end: too short for a credential, it lowers nobody's coverage. */
static void test_farewell_lost(void **state)
{
	(void)state;
	for (size_t length = 20; length < 100; length += 60) {
		reset();
		n_lost = 0;
		struct talk k = talk_new(40000, PORT_FRAMES);
		handshake(&k);
		stream(&k, 0, message('M', 20, 1));
		stream(&k, 1, message('M', 20, 1));
		size_t last = n_packets;
		stream(&k, 1, message('M', length, 1));
		goodbye(&k);
		remove_packet(last);
		struct mm_flow_stats s = run(packets, n_packets);
		assert_int_equal(s.n_gaps, 1);
		assert_int_equal(n_lost, length > 64);
	}
}

static void test_server_loss(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_FRAMES);
	handshake(&k);
	for (unsigned i = 0; i < 10; i++)
		stream(&k, 0, message('M', 20, 1));
	stream(&k, 1, message('M', 20, 1));
	goodbye(&k);
	remove_packet(5);
	struct mm_flow_config c = config();
	open_table(&c);
	feed(packets, n_packets);
	mm_flow_finish(table);
	assert_int_equal(n_lost, 1);
	assert_true(mm_addr_eq(&lossy_server, &k.end[1].addr));
	assert_int_equal(mm_flow_stats(table)->n_gap_bytes, 26);
	const struct mm_flow_proto_stats *p = mm_flow_proto_stats(table, I_FRAMES);
	assert_int_equal(p->n_flows, 1);
	assert_int_equal(p->n_messages, 10);
	assert_int_equal(p->n_gaps, 1);
	assert_int_equal(mm_flow_proto_stats(table, I_PROBED)->n_flows, 0);
	close_table();
}

/* --- dissect/context.c ----------------------------------------------------------------------------- */

static struct mm_event *emitted;

static void take_event(void *sink, struct mm_event *ev)
{
	(void)sink;
	emitted = ev;
}

static void test_events(void **state)
{
	(void)state;
	mm_event_pool_init(&pool, 1);
	struct mm_flow_info info = { .client = { { 4, { 10, 0, 0, 9 } }, 4000 },
		.server = { { 4, { 10, 0, 0, 5 } }, 88 },
		.transport = MM_TCP,
		.community_id = "1:abc" };
	struct mm_dissect d = { .self = &frames,
		.flow = &info,
		.dir = MM_TO_SERVER,
		.time_ns = 100,
		.now_ns = 100,
		.first = { 0, 3 },
		.last = { 0, 4 },
		.pool = &pool,
		.emit = take_event };
	struct mm_event *ev = mm_dissect_event(&d, MM_EV_ISSUE, "as-exchange");
	assert_non_null(ev);
	assert_null(mm_dissect_event(&d, MM_EV_ISSUE, "as-exchange")); /* the pool holds one */
	assert_string_equal(ev->protocol, "frames");
	assert_string_equal(ev->action, "as-exchange");
	assert_string_equal(ev->transport, "tcp");
	assert_string_equal(ev->community_id, "1:abc");
	assert_int_equal(ev->src.port, 4000);
	assert_int_equal(ev->dst.port, 88);
	assert_int_equal(ev->request_ns, 100);
	assert_int_equal(ev->request_pkt.number, 4);
	assert_int_equal(ev->response_pkt.number, 0);
	assert_int_equal(ev->n_pkts, 2);
	assert_int_equal(ev->flags, 0);

	d.dir = MM_TO_CLIENT;
	d.time_ns = d.now_ns = 90; /* the response's packet is stamped before the request's */
	d.first = d.last = (struct mm_pkt){ 0, 5 };
	d.lossy = true;
	mm_dissect_response(&d, ev);
	assert_int_equal(ev->response_ns, 90);
	assert_int_equal(ev->response_pkt.number, 5);
	assert_int_equal(ev->n_pkts, 3);
	assert_int_equal(ev->flags, MM_EVF_LOSSY);
	mm_dissect_emit(&d, ev);
	assert_ptr_equal(emitted, ev);
	assert_int_equal(ev->key_ns, 100);
	mm_dissect_drop(&d, ev);
	mm_dissect_drop(&d, NULL);
	assert_int_equal(pool.n_live, 0);
	mm_event_pool_done(&pool);
}

/* Anything at all: nothing but the sanitizers and the asserts judge. */
static void test_random_segments(void **state)
{
	(void)state;
	static const uint16_t ports[] = { PORT_FRAMES, PORT_LINES, PORT_PROBED, 5555 };
	for (unsigned round = 0; round < 12; round++) {
		seed = round;
		struct mm_flow_config c = config();
		c.flows_max = 2 + 3 * (round % 4);
		c.buffer_max = 1;
		c.buffer_total_max = 100000 * (round % 5);
		open_table(&c);
		reset();
		struct mm_slice all = message('M', 100000, 1);
		uint32_t spread = round % 2 == 0 ? 60000 : 200000;
		for (unsigned i = 0; i < 20000; i++) {
			struct talk k = talk_new((uint16_t)(40000 + chance(4)), ports[chance(4)]);
			int from = (int)chance(2);
			for (int side = 0; side < 2; side++)
				k.seq[side] = 1000 + chance(chance(20) == 0 ? UINT32_MAX : spread);
			size_t at = chance(10) == 0 ? 0 : chance(90000);
			struct mm_slice p = mm_first(mm_after(all, at), chance(5000));
			n_packets = 0;
			struct sent *s = put(
			        &k, from, (uint8_t)(chance(30) == 0 ? chance(32) : MM_TCP_ACK), p);
			s->pkt.time_ns = T0 + i * MS + chance(20) * MS;
			s->seg.missing = chance(10) == 0 ? chance(2000) : 0;
			n_record[0] = n_record[1] = 0;
			mm_flow_packet(table, &s->pkt, &s->seg);
		}
		n_record[0] = n_record[1] = 0;
		mm_flow_finish(table);
		assert_int_equal(mm_flow_stats(table)->n_live, 0);
		close_table();
	}
}

/* --- inner streams --------------------------------------------------------------------------------- */

/* A message of the carrier, with this in it. */
static struct mm_slice wrap(char type, const void *body, size_t len)
{
	struct mm_slice m = message(type, len, 0);
	memcpy(bytes + n_bytes - len, body, len);
	return m;
}

static struct mm_slice wrap_text(char type, const char *text)
{
	return wrap(type, text, strlen(text));
}

static void test_inner(void **state)
{
	(void)state;
	char want[400];
	reset();
	struct talk k = talk_new(40000, PORT_CARRIER);
	handshake(&k);
	stream(&k, 0, wrap_text('M', "HELLO one\nHEL")); /* 4: known by its first bytes */
	k.mss = 10;
	stream(&k, 0, wrap_text('M', "LO two\nthree\n")); /* 5 and 6 */
	k.mss = 1400;
	stream(&k, 1, wrap_text('M', "answer\n")); /* 8 */
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	const int64_t t4 = packets[3].pkt.time_ns, t6 = packets[5].pkt.time_ns,
	              t8 = packets[6].pkt.time_ns,
	              over = packets[n_packets - 1].pkt.time_ns + 10 * S;
	snprintf(want, sizeof want,
	        "lines 10 %08x 4-4 @%lld\nlines 10 %08x 4-6 @%lld\nlines 6 %08x 5-6 @%lld\n"
	        "end @%lld\nend @%lld\n",
	        checksum(mm_slice_str("HELLO one\n")), (long long)t4,
	        checksum(mm_slice_str("HELLO two\n")), (long long)t6,
	        checksum(mm_slice_str("three\n")), (long long)t6, (long long)over, (long long)over);
	assert_string_equal(record[0], want);
	snprintf(want, sizeof want, "lines 7 %08x 7-7 @%lld\n", checksum(mm_slice_str("answer\n")),
	        (long long)t8);
	assert_string_equal(record[1], want);
	assert_int_equal(s.n_inner, 1);
	assert_int_equal(s.n_inner_unread, 0);
}

/* By name; a name whose first bytes do not fit; one that nobody has; nobody at all. */
static void test_inner_reader(void **state)
{
	static const struct {
		const char *name, *text, *want;
		unsigned n_unread;
	} rows[] = {
		{ "lines", "one\n", "lines 4", 0 },
		{ "frames", "HELLO\n", "lines 6", 0 },
		{ "nobody", "HELLO\n", "lines 6", 0 },
		{ "datagrams", "HELLO\n", "lines 6", 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		reset();
		struct talk k = talk_new(40000, PORT_CARRIER);
		handshake(&k);
		stream(&k, 0, wrap_text('N', rows[i].name));
		stream(&k, 0, wrap_text('M', rows[i].text));
		goodbye(&k);
		struct mm_flow_stats s = run(packets, n_packets);
		assert_non_null(strstr(record[0], rows[i].want));
		assert_int_equal(s.n_inner_unread, rows[i].n_unread);
	}
	reset();
	struct talk k = talk_new(40000, PORT_CARRIER);
	static const char noise[3000];
	handshake(&k);
	stream(&k, 0, wrap('M', noise, 2000)); /* not enough to give up */
	stream(&k, 0, wrap('M', noise, 48));
	stream(&k, 0, wrap('M', noise, 1));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_memory_equal(record[0], "deaf\ndeaf\nend @", 15);
	assert_int_equal(s.n_inner_unread, 1);
}

/* What is longer than a message may be, skipped, and lost. */
static void test_inner_gap(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_CARRIER);
	char line[1500];
	memset(line, 'x', sizeof line);
	handshake(&k);
	stream(&k, 0, wrap_text('N', "lines"));
	stream(&k, 0, wrap_text('M', "one\ntw"));
	stream(&k, 0, wrap_text('G', ""));
	stream(&k, 0, wrap_text('M', "three\n"));
	stream(&k, 0, wrap('M', line, sizeof line)); /* 1000 at most */
	stream(&k, 0, wrap_text('M', "\nfour\n"));
	goodbye(&k);
	struct mm_flow_stats s = run(packets, n_packets);
	assert_memory_equal(record[0], "lines 4 ", 8);
	assert_non_null(strstr(record[0], "gap\nlines 6 "));
	assert_non_null(strstr(record[0], "lossy\ngap\n"));
	assert_non_null(strstr(record[0], "lines 5 "));
	assert_int_equal(s.n_oversized, 1);
}

/* Three deep, and no deeper. */
static void test_inner_depth(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_CARRIER);
	uint8_t in[256], out[256];
	size_t len = 0;
	for (int depth = 0; depth < 5; depth++) {
		/* A name and a message, in the message of the next. */
		struct mm_slice name = wrap_text('N', depth == 0 ? "lines" : "carrier");
		memcpy(out, name.p, name.len);
		struct mm_slice m = depth == 0 ? wrap_text('M', "one\n") : wrap('M', in, len);
		memcpy(out + name.len, m.p, m.len);
		len = name.len + m.len;
		memcpy(in, out, len);
		if (depth < 2)
			continue;
		size_t keep_packets = n_packets, keep_bytes = n_bytes;
		handshake(&k);
		stream(&k, 0, keep(in, len));
		goodbye(&k);
		n_carrier_states = 0;
		struct mm_flow_stats s = run(packets, n_packets);
		assert_int_equal(strstr(record[0], "lines 4") != NULL, depth == 2);
		assert_int_equal(strstr(record[0], "deaf") != NULL, depth > 2);
		assert_int_equal(s.n_inner, 3);
		assert_int_equal(s.n_inner_limit, depth > 2);
		assert_int_equal(n_carrier_states, depth == 2 ? 3 : 4);
		n_packets = keep_packets;
		n_bytes = keep_bytes;
		k = talk_new(40000, PORT_CARRIER);
	}
}

static void test_become(void **state)
{
	static const char *const names[] = { "lines", "" /* whoever knows it */, "nobody" };
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		reset();
		struct talk k = talk_new(40000, PORT_CARRIER);
		uint8_t both[64];
		struct mm_slice consent = wrap_text('B', names[i]);
		memcpy(both, consent.p, consent.len);
		memcpy(both + consent.len, "welcome\n", 8);
		handshake(&k);
		stream(&k, 0, wrap_text('N', "lines"));
		stream(&k, 1, keep(both, consent.len + (i == 0 ? 8 : 0))); /* and its first bytes */
		stream(&k, 0, mm_slice_str("HELLO\ntwo\n"));
		stream(&k, 1, mm_slice_str("good\n"));
		goodbye(&k);
		run(packets, n_packets);
		assert_int_equal(strstr(record[1], "lines 8") != NULL, i == 0);
		assert_memory_equal(record[0], "end @", 5);
		assert_non_null(strstr(record[0], "lines 6"));
		assert_non_null(strstr(record[0], "lines 4"));
		assert_non_null(strstr(record[1], "lines 5"));
	}
}

/* Inner streams of all sizes of message: whatever becomes of the packets on the way, the same comes out. */
static void test_inner_segments(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		reset();
		seed = 77 + round;
		struct talk k = talk_new(40000, PORT_CARRIER);
		handshake(&k);
		stream(&k, 0, wrap_text('N', "lines"));
		for (unsigned i = 0; i < 60; i++) {
			char text[600];
			size_t len = 1 + chance(sizeof text - 1);
			for (size_t b = 0; b < len; b++)
				text[b] = chance(50) == 0 ? '\n' : 'a';
			k.mss = 1 + chance(300);
			stream(&k, (int)chance(2), wrap('M', text, len));
		}
		goodbye(&k);
		expect_from_plain_run();
		assert_true(n_parsed[0] + n_parsed[1] > 50);
		size_t n = twice(packets, n_packets, other);
		run(other, n);
		assert_as_expected();
		memcpy(other, packets, n_packets * sizeof *other);
		shuffle(other + 3, n_packets - 3, 8);
		run(other, n_packets);
		assert_as_expected();
	}
}

/* A run that is broken off gives everything back; the leak checker says so. */
static void test_inner_broken_off(void **state)
{
	(void)state;
	reset();
	struct talk k = talk_new(40000, PORT_CARRIER);
	handshake(&k);
	stream(&k, 0, wrap_text('N', "carrier"));
	stream(&k, 0, wrap('M', wrap_text('M', "HELLO\nha").p, HEADER + 8));
	struct mm_flow_config c = config();
	n_carrier_states = 0;
	open_table(&c);
	feed(packets, n_packets);
	close_table();
	assert_int_equal(n_carrier_states, 2);
	assert_null(strstr(record[0], "end"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_traffic),
		cmocka_unit_test(test_any_order_same_record),
		cmocka_unit_test(test_question_before_answer),
		cmocka_unit_test(test_every_permutation),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_gap_patience),
		cmocka_unit_test(test_gap_known_when),
		cmocka_unit_test(test_gap_inside_message),
		cmocka_unit_test(test_resync_across_segments),
		cmocka_unit_test(test_resync_keeps_enough),
		cmocka_unit_test(test_slow_and_swapped),
		cmocka_unit_test(test_late_syn),
		cmocka_unit_test(test_syn_inside_connection),
		cmocka_unit_test(test_port_used_again),
		cmocka_unit_test(test_half_closed),
		cmocka_unit_test(test_many_flows),
		cmocka_unit_test(test_no_resync_waits_for_segment),
		cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_retransmission_counted),
		cmocka_unit_test(test_midstream),
		cmocka_unit_test(test_one_way),
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_quit),
		cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_zero_length_is_lost),
		cmocka_unit_test(test_snaplen),
		cmocka_unit_test(test_tail_loss),
		cmocka_unit_test(test_lost_request),
		cmocka_unit_test(test_port_reuse),
		cmocka_unit_test(test_fin_before_data),
		cmocka_unit_test(test_syn_after_lost_bytes),
		cmocka_unit_test(test_syn_with_data),
		cmocka_unit_test(test_syn_decides_client),
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_other_protocol_on_claimed_port),
		cmocka_unit_test(test_hint),
		cmocka_unit_test(test_hint_refused),
		cmocka_unit_test(test_unknown_is_left),
		cmocka_unit_test(test_signature_is_left),
		cmocka_unit_test(test_unknown_datagrams),
		cmocka_unit_test(test_unknown_bounded),
		cmocka_unit_test(test_garbage_is_left),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_retime),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_buffer_limits),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_stray_segment),
		cmocka_unit_test(test_farewell_lost),
		cmocka_unit_test(test_server_loss),
		cmocka_unit_test(test_inner),
		cmocka_unit_test(test_inner_reader),
		cmocka_unit_test(test_inner_gap),
		cmocka_unit_test(test_inner_depth),
		cmocka_unit_test(test_become),
		cmocka_unit_test(test_inner_segments),
		cmocka_unit_test(test_inner_broken_off),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_random_segments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
