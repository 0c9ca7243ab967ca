/* Feeds captures to libmintmark in another form than they were taken, and prints the NDJSON that gives. Says on
 * standard error how many packets that were.
 *
 * usage: replay FORM SEED FILE...
 *
 *   plain    as it is
 *   cut      every TCP segment in segments of one byte each
 *   reorder  TCP segments in another order, within windows of 3 to 5 of them, by SEED
 *   double   every packet twice
 *
 * Each packet, and each piece of one, keeps its number and its time, so that the output of all forms must be the
 * same bytes. FILE is what libpcap reads: uncompressed, one link type; several are fed one after the other. */
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mintmark/mintmark.h>

enum {
	ETHER_HEADER = 14,
	ETHER_TYPE_AT = 12,
	VLAN_TAG = 4,
	ETHER_IPV4 = 0x0800,
	ETHER_IPV6 = 0x86dd,
	ETHER_VLAN = 0x8100,
	ETHER_QINQ = 0x88a8,
	IPV6_HEADER = 40,
	TCP_HEADER = 20,
	PROTO_TCP = 6,
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	WINDOW_LEAST = 3,
	WINDOW_MOST = 5,
	FRAME_MAX = 262144,
};

/* Reordering on a wire is a matter of milliseconds; a hole that stays longer than flow.gap_patience is loss. */
#define WINDOW_NS (INT64_C(100) * 1000 * 1000)

struct frame {
	struct mintmark_packet packet;
	uint8_t *data;
	size_t tcp; /* offset of the TCP header; 0: no whole TCP segment */
	size_t ip;
	size_t payload; /* offset */
};

struct frames {
	struct frame *list;
	size_t n, room;
	size_t n_moved; /* by reordering */
};

static uint64_t n_fed;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "replay: %s: %s\n", what, why);
	exit(1);
}

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void put_be16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, v >> 16);
	put_be16(p + 2, v & 0xffff);
}

/* Where the IP header begins and what it is; 0 for none. */
static size_t find_ip(const struct frame *f, unsigned *type)
{
	size_t at = ETHER_TYPE_AT;
	if (f->packet.linktype != DLT_EN10MB || f->packet.len < ETHER_HEADER)
		return 0;
	for (*type = be16(f->data + at); *type == ETHER_VLAN || *type == ETHER_QINQ;
	        *type = be16(f->data + at)) {
		at += VLAN_TAG;
		if (f->packet.len < at + 2)
			return 0;
	}
	return at + 2;
}

/* Find the TCP segment of a frame, if it holds a whole one and nothing else. */
static void find_tcp(struct frame *f)
{
	unsigned type = 0;
	size_t ip = find_ip(f, &type), len = f->packet.len, tcp = 0, end = 0;
	const uint8_t *p = f->data;
	if (ip == 0)
		return;
	if (type == ETHER_IPV4 && len >= ip + 20 && p[ip + 9] == PROTO_TCP &&
	        (be16(p + ip + 6) & 0x3fff) == 0) { /* neither more fragments nor an offset */
		tcp = ip + 4 * (size_t)(p[ip] & 15);
		end = ip + be16(p + ip + 2);
	} else if (type == ETHER_IPV6 && len >= ip + IPV6_HEADER && p[ip + 6] == PROTO_TCP) {
		tcp = ip + IPV6_HEADER;
		end = tcp + be16(p + ip + 4);
	}
	if (tcp == 0 || end > len || tcp + TCP_HEADER > end)
		return;
	size_t payload = tcp + 4 * (size_t)(p[tcp + 12] >> 4);
	if (payload > end)
		return;
	f->ip = ip;
	f->tcp = tcp;
	f->payload = payload;
	f->packet.len = end; /* without the padding of short Ethernet frames */
}

static void read_frames(const char *path, int source, struct frames *frames)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *in = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	if (in == NULL)
		die(path, why);
	struct pcap_pkthdr *h;
	const uint8_t *data;
	int r;
	uint64_t number = 0;
	while ((r = pcap_next_ex(in, &h, &data)) == 1) {
		if (frames->n == frames->room) {
			frames->room = frames->room == 0 ? 1024 : 2 * frames->room;
			frames->list =
			        reallocarray(frames->list, frames->room, sizeof *frames->list);
			if (frames->list == NULL)
				die(path, "out of memory");
		}
		struct frame *f = &frames->list[frames->n++];
		*f = (struct frame){ .data = malloc(h->caplen + 1) };
		if (f->data == NULL)
			die(path, "out of memory");
		memcpy(f->data, data, h->caplen);
		f->packet = (struct mintmark_packet){ .source = source,
			.number = ++number,
			.time_ns = (int64_t)h->ts.tv_sec * 1000000000 + h->ts.tv_usec,
			.linktype = (uint32_t)pcap_datalink(in),
			.wire_len = h->len,
			.data = f->data,
			.len = h->caplen };
		size_t len = h->caplen;
		if (h->caplen == h->len)
			find_tcp(f);
		f->packet.wire_len -= (uint32_t)(len - f->packet.len);
	}
	if (r == -1)
		die(path, pcap_geterr(in));
	pcap_close(in);
}

static void feed(struct mintmark *m, const struct mintmark_packet *packet)
{
	n_fed++;
	if (mintmark_feed(m, packet) != 0)
		die("mintmark_feed", mintmark_error(m));
}

/* One segment in pieces of one byte. What ends a stream goes with the last one. */
static void feed_cut(struct mintmark *m, const struct frame *f)
{
	static uint8_t piece[FRAME_MAX];
	size_t n = f->packet.len - f->payload;
	uint32_t seq = be32(f->data + f->tcp + 4);
	memcpy(piece, f->data, f->payload);
	for (size_t i = 0; i < n; i++) {
		struct mintmark_packet packet = f->packet;
		packet.data = piece;
		packet.len = f->payload + 1;
		packet.wire_len = (uint32_t)packet.len;
		piece[f->payload] = f->data[f->payload + i];
		put_be32(piece + f->tcp + 4, seq + (uint32_t)i);
		piece[f->tcp + 13] = f->data[f->tcp + 13];
		if (i + 1 < n)
			piece[f->tcp + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
		if (piece[f->ip] >> 4 == 4)
			put_be16(piece + f->ip + 2, packet.len - f->ip);
		else
			put_be16(piece + f->ip + 4, packet.len - f->tcp);
		feed(m, &packet);
	}
}

/* xorshift64 of Marsaglia (2003), so that a seed means the same everywhere. */
static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Shuffle TCP segments within windows; the places between them stay as they are. */
static void reorder(struct frames *frames, uint64_t seed)
{
	uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	size_t window[WINDOW_MOST], n = 0;
	size_t want = WINDOW_LEAST;
	for (size_t i = 0; i <= frames->n; i++) {
		bool tcp = i < frames->n && frames->list[i].tcp != 0;
		bool far = tcp && n != 0 &&
		           frames->list[i].packet.time_ns - frames->list[window[0]].packet.time_ns >
		                   WINDOW_NS;
		if (n == want || far || i == frames->n) {
			for (size_t j = n; j > 1; j--) {
				size_t k = random_next(&state) % j;
				struct frame t = frames->list[window[j - 1]];
				frames->list[window[j - 1]] = frames->list[window[k]];
				frames->list[window[k]] = t;
				frames->n_moved += k != j - 1;
			}
			n = 0;
			want = WINDOW_LEAST +
			       random_next(&state) % (WINDOW_MOST - WINDOW_LEAST + 1);
		}
		if (tcp)
			window[n++] = i;
	}
}

static void feed_all(struct mintmark *m, const struct frames *frames, const char *form)
{
	bool cut = strcmp(form, "cut") == 0, twice = strcmp(form, "double") == 0;
	for (size_t i = 0; i < frames->n; i++) {
		const struct frame *f = &frames->list[i];
		if (cut && f->tcp != 0 && f->packet.len > f->payload + 1)
			feed_cut(m, f);
		else
			feed(m, &f->packet);
		if (twice)
			feed(m, &f->packet);
	}
}

int main(int argc, char **argv)
{
	static const char *const forms[] = { "plain", "cut", "reorder", "double" };
	bool known = false;
	for (size_t i = 0; argc > 3 && i < sizeof forms / sizeof forms[0]; i++)
		known = known || strcmp(argv[1], forms[i]) == 0;
	if (!known) {
		fprintf(stderr, "usage: replay plain|cut|reorder|double SEED FILE...\n");
		return 2;
	}
	struct frames frames = { 0 };
	struct mintmark *m = mintmark_new();
	if (m == NULL || mintmark_add_output(m, MINTMARK_NDJSON, stdout) != 0 ||
	        mintmark_start(m) != 0)
		die("mintmark", "no context");
	for (int i = 3; i < argc; i++)
		read_frames(argv[i], mintmark_add_source(m, argv[i]), &frames);
	if (strcmp(argv[1], "reorder") == 0)
		reorder(&frames, strtoull(argv[2], NULL, 10));
	feed_all(m, &frames, argv[1]);
	if (mintmark_finish(m) != 0)
		die("mintmark_finish", mintmark_error(m));
	mintmark_free(m);
	fprintf(stderr, "%" PRIu64 " fed, %zu moved\n", n_fed, frames.n_moved);
	for (size_t i = 0; i < frames.n; i++)
		free(frames.list[i].data);
	free(frames.list);
	return 0;
}
