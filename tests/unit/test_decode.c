/* Decoding of single packets and reassembly of fragments. Packets are written out from the layouts
 * of their RFCs; every one lies before a guard page, so that a read past its end ends the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "decode/decode.h"
#include "guard.h"

enum { ROOM = 70000 };

struct bench {
	struct guard guard;
	struct mm_decoder *d;
	uint64_t number; /* of the last packet */
	struct mm_segment seg;
};

static int setup(void **state)
{
	static struct bench b;
	struct mm_hash_key key = { 1, 2 };
	b = (struct bench){ .guard = guard_new(ROOM) };
	*state = &b;
	return mm_decoder_new(&key, &b.d);
}

static int teardown(void **state)
{
	struct bench *b = *state;
	mm_decoder_free(b->d);
	mm_decoder_free(NULL);
	guard_free(&b->guard);
	return 0;
}

struct bytes {
	size_t n;
	uint8_t b[ROOM];
};

/** Append what the hexadecimal digits say; blanks are passed over. */
static void put_hex(struct bytes *to, const char *hex)
{
	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		char pair[3] = { hex[0], hex[1], '\0' };
		to->b[to->n++] = (uint8_t)strtoul(pair, NULL, 16);
		hex++;
	}
}

static void put_be(struct bytes *to, size_t n, uint64_t v)
{
	while (n-- > 0)
		to->b[to->n++] = (uint8_t)(v >> 8 * n);
}

static void put_bytes(struct bytes *to, const uint8_t *p, size_t n)
{
	memcpy(to->b + to->n, p, n);
	to->n += n;
}

/** Decode the first caplen bytes of a packet that was that long on the wire, at a time in seconds.
 */
static enum mm_decode_verdict decode(
        struct bench *b, uint32_t linktype, const struct bytes *p, size_t caplen, int64_t time_s)
{
	struct mm_packet pkt = {
		.time_ns = time_s * 1000000000,
		.id = { 3, ++b->number },
		.linktype = linktype,
		.wire_len = (uint32_t)p->n,
		.data = mm_slice(guard_put(&b->guard, p->b, caplen), caplen),
	};
	return mm_decode(b->d, &pkt, &b->seg);
}

static enum mm_decode_verdict decode_hex(struct bench *b, uint32_t linktype, const char *hex)
{
	static struct bytes p;
	p.n = 0;
	put_hex(&p, hex);
	return decode(b, linktype, &p, p.n, 0);
}

#define MACS   "020000000002 020000000001"
#define ETH4   MACS "0800"
#define ETH6   MACS "86dd"
#define ADDRS4 "0a010203 c0a80102"
#define ADDRS6 "20010db8000000000000000000000001 fe80000000000000000000000000abcd"
/* 10.1.2.3:49153 -> 192.168.1.2:88, 20 + 20 + 5 bytes */
#define IP4(total, proto) "4500" total "0001 4000 40" proto "0000" ADDRS4
#define IP6(length, next) "60000000" length next "40" ADDRS6
#define TCP               "c001 0058 01020304 a5060708 5018 ffff 0000 0000"
#define UDP(length)       "c001 0058" length "0000"
#define HELLO             "68656c6c6f"
#define TCP4              IP4("002d", "06") TCP HELLO
#define TCP6              IP6("0019", "06") TCP HELLO
#define UDP4              IP4("0021", "11") UDP("000d") HELLO
#define UDP6              IP6("000d", "11") UDP("000d") HELLO

static void assert_addr(const struct mm_addr *a, uint8_t family, const char *hex)
{
	static struct bytes want;
	uint8_t b[16] = { 0 };
	want.n = 0;
	put_hex(&want, hex);
	memcpy(b, want.b, want.n);
	assert_int_equal(a->family, family);
	assert_memory_equal(a->b, b, sizeof b);
}

/** The segment is the one of TCP4, TCP6, UDP4 or UDP6. */
static void assert_hello(const struct bench *b, uint8_t family, uint8_t proto)
{
	const struct mm_segment *s = &b->seg;
	bool ipv4 = family == 4;
	assert_addr(&s->src.addr, family, ipv4 ? "0a010203" : "20010db8000000000000000000000001");
	assert_addr(&s->dst.addr, family, ipv4 ? "c0a80102" : "fe80000000000000000000000000abcd");
	assert_int_equal(s->src.port, 49153);
	assert_int_equal(s->dst.port, 88);
	assert_int_equal(s->ip_proto, proto);
	assert_int_equal(s->tcp_flags, proto == 6 ? MM_TCP_PSH | MM_TCP_ACK : 0);
	assert_int_equal(s->seq, proto == 6 ? 0x01020304 : 0);
	assert_int_equal(s->ack, proto == 6 ? 0xa5060708 : 0);
	assert_int_equal(s->payload.len, 5);
	assert_memory_equal(s->payload.p, "hello", 5);
	assert_int_equal(s->missing, 0);
	assert_int_equal(s->first.file, 3);
	assert_int_equal(s->first.number, b->number);
}

#define SNAP "aaaa03 000000"
#define SLL  "0000 0001 0006 0200000000010000"
#define SLL2 "0000 00000002 0001 00 06 0200000000010000"

/* An outer header: 192.0.2.1 to 192.0.2.2, 2001:db8:1::1 to ::2; and a UDP header from port 50000.
 */
#define OUT4(total, proto) "4500" total "0001 4000 40" proto "0000 c0000201 c0000202"
#define OUT6(length, next)                                                                         \
	"60000000" length next                                                                     \
	"40 20010db8000100000000000000000001 20010db8000100000000000000000002"
#define TO(port, length) "c350" port length "0000"

/* Packets that hold TCP4, TCP6, UDP4 or UDP6. */
static const struct {
	uint32_t linktype;
	const char *hex;
	uint8_t family, proto;
	const char *path;
} shapes[] = {
	{ MM_LINK_ETHERNET, ETH4 TCP4, 4, 6, "" },
	{ MM_LINK_ETHERNET, ETH4 UDP4, 4, 17, "" },
	{ MM_LINK_ETHERNET, ETH6 TCP6, 6, 6, "" },
	{ MM_LINK_ETHERNET, ETH6 UDP6, 6, 17, "" },
	/* Padding to 60 bytes, and a trailer */
	{ MM_LINK_ETHERNET, ETH4 TCP4 "00", 4, 6, "" },
	{ MM_LINK_ETHERNET, ETH4 UDP4 "00000000000000000000000000", 4, 17, "" },
	{ MM_LINK_ETHERNET, ETH6 TCP6 "deadbeef", 6, 6, "" },
	/* UDP shorter than the IP payload */
	{ MM_LINK_ETHERNET, ETH4 IP4("0024", "11") UDP("000d") HELLO "616161", 4, 17, "" },
	/* UDP length 0 */
	{ MM_LINK_ETHERNET, ETH4 IP4("0021", "11") UDP("0000") HELLO, 4, 17, "" },
	/* 802.3 with LLC and SNAP, and 802.1H: 8 + 45 = 53 bytes; then with padding */
	{ MM_LINK_ETHERNET, MACS "0035" SNAP "0800" TCP4, 4, 6, "" },
	{ MM_LINK_ETHERNET, MACS "0035 aaaa03 0000f8 0800" TCP4, 4, 6, "" },
	{ MM_LINK_ETHERNET, MACS "0049" SNAP "86dd" TCP6 "0000", 6, 6, "" },
	/* VLAN tags: one, a priority tag, two of each kind, and one in SNAP with a length */
	{ MM_LINK_ETHERNET, MACS "8100 e064 0800" TCP4, 4, 6, "vlan:100" },
	{ MM_LINK_ETHERNET, MACS "8100 e000 0800" TCP4, 4, 6, "" },
	{ MM_LINK_ETHERNET, MACS "88a8 0fff 8100 0064 0800" TCP4, 4, 6, "vlan:4095/vlan:100" },
	{ MM_LINK_ETHERNET, MACS "9100 0007 8100 0064 86dd" UDP6, 6, 17, "vlan:7/vlan:100" },
	{ MM_LINK_ETHERNET, MACS "8100 e000 8100 0064 86dd" UDP6, 6, 17, "vlan:100" },
	{ MM_LINK_ETHERNET, MACS "8100 0064 0035" SNAP "0800" TCP4, 4, 6, "vlan:100" },
	/* Linux cooked */
	{ MM_LINK_LINUX_SLL, SLL "0800" TCP4, 4, 6, "" },
	{ MM_LINK_LINUX_SLL, SLL "86dd" UDP6, 6, 17, "" },
	{ MM_LINK_LINUX_SLL, SLL "8100 0064 0800" TCP4, 4, 6, "vlan:100" },
	{ MM_LINK_LINUX_SLL, SLL "0004" SNAP "0800" TCP4, 4, 6, "" },
	{ MM_LINK_LINUX_SLL2, "0800" SLL2 TCP4, 4, 6, "" },
	{ MM_LINK_LINUX_SLL2, "86dd" SLL2 TCP6, 6, 6, "" },
	{ MM_LINK_LINUX_SLL2, "88a8" SLL2 "0064 0800" UDP4, 4, 17, "vlan:100" },
	/* BSD loopback, either order; IPv6 on Linux, BSD, FreeBSD, Darwin */
	{ MM_LINK_NULL, "02000000" TCP4, 4, 6, "" },
	{ MM_LINK_NULL, "00000002" TCP4, 4, 6, "" },
	{ MM_LINK_LOOP, "00000002" TCP4, 4, 6, "" },
	{ MM_LINK_NULL, "0a000000" TCP6, 6, 6, "" },
	{ MM_LINK_NULL, "0000000a" TCP6, 6, 6, "" },
	{ MM_LINK_NULL, "18000000" TCP6, 6, 6, "" },
	{ MM_LINK_LOOP, "00000018" TCP6, 6, 6, "" },
	{ MM_LINK_NULL, "1c000000" TCP6, 6, 6, "" },
	{ MM_LINK_NULL, "1e000000" UDP6, 6, 17, "" },
	{ MM_LINK_NULL, "0000001e" UDP6, 6, 17, "" },
	/* raw IP */
	{ MM_LINK_RAW, TCP4, 4, 6, "" },
	{ MM_LINK_RAW, UDP6, 6, 17, "" },
	{ MM_LINK_RAW_OLD, UDP4, 4, 17, "" },
	{ 14, TCP6, 6, 6, "" },
	{ MM_LINK_IPV4, TCP4, 4, 6, "" },
	{ MM_LINK_IPV6, TCP6, 6, 6, "" },
	/* IPv4: 4 bytes of options, total length 0, AH of 24 bytes */
	{ MM_LINK_IPV4, "4600 0031 0001 4000 40 06 0000" ADDRS4 "94040000" TCP HELLO, 4, 6, "" },
	{ MM_LINK_IPV4, IP4("0000", "06") TCP HELLO, 4, 6, "" },
	{ MM_LINK_IPV4,
	        IP4("0045", "33") "06 04 0000 00000100 00000001 0102030405060708090a0b0c" TCP HELLO,
	        4, 6, "" },
	/* TCP options: 4 bytes */
	{ MM_LINK_IPV4,
	        IP4("0031", "06") "c001 0058 01020304 a5060708 6018 ffff 0000 0000 02040218" HELLO,
	        4, 6, "" },
	/* IPv6: hop-by-hop, routing, destination options of 16 bytes, AH of 12; TSO; jumbo;
	 * atomic fragment */
	{ MM_LINK_IPV6,
	        IP6("0045", "00") "2b 00 0502 00000100"
	                          "3c 00 0000 00000000"
	                          "33 01 010c000000000000 000000000000"
	                          "06 01 0000 00000100 00000001" TCP HELLO,
	        6, 6, "" },
	{ MM_LINK_IPV6, IP6("0000", "06") TCP HELLO, 6, 6, "" },
	{ MM_LINK_IPV6, IP6("0000", "00") "06 00 c204 00000021" TCP HELLO, 6, 6, "" },
	{ MM_LINK_IPV6, IP6("0021", "2c") "06 00 0000 12345678" TCP HELLO, 6, 6, "" },
	/* MPLS, RFC 3032 section 2.1: label, class, bottom, time to live; two; multicast; padding
	 */
	{ MM_LINK_ETHERNET, MACS "8847 00010140" TCP4, 4, 6, "mpls:16" },
	{ MM_LINK_ETHERNET, MACS "8847 00064040 000c8140" UDP6, 6, 17, "mpls:100/mpls:200" },
	{ MM_LINK_ETHERNET, MACS "8848 00000140" TCP4, 4, 6, "mpls:0" },
	{ MM_LINK_ETHERNET, MACS "8847 fffff1ff" UDP4 "0000000000", 4, 17, "mpls:1048575" },
	/* RFC 6790 section 4.2: indicator 7, then a label of entropy */
	{ MM_LINK_ETHERNET, MACS "8847 00010040 00007040 12345140" TCP4, 4, 6, "mpls:16" },
	/* A frame under a label, without and with a control word (RFC 4448 section 4.6), tagged
	 * too; addresses of which the first nibble says IPv4, IPv6, control word */
	{ MM_LINK_ETHERNET, MACS "8847 00010140" ETH4 TCP4, 4, 6, "mpls:16" },
	{ MM_LINK_ETHERNET, MACS "8847 00010140 00000001" ETH6 TCP6, 6, 6, "mpls:16" },
	{ MM_LINK_ETHERNET, MACS "8847 00010140 00000000" MACS "8100 000c 0800" TCP4, 4, 6,
	        "mpls:16/vlan:12" },
	{ MM_LINK_ETHERNET, MACS "8847 00010140" MACS "8100 000c 0800" TCP4, 4, 6,
	        "mpls:16/vlan:12" },
	{ MM_LINK_ETHERNET, MACS "8847 00010140 460000280001 020000000001 0800" TCP4, 4, 6,
	        "mpls:16" },
	{ MM_LINK_ETHERNET, MACS "8847 00010140 6c0000000005 020000000001 86dd" UDP6, 6, 17,
	        "mpls:16" },
	/* PPPoE session, RFC 2516 section 4, with padding; in a tag */
	{ MM_LINK_ETHERNET, MACS "8864 11 00 0007 002f 0021" TCP4 "0000", 4, 6, "pppoe:7" },
	{ MM_LINK_ETHERNET, MACS "8100 0003 8864 11 00 ffff 0043 0057" TCP6, 6, 6,
	        "vlan:3/pppoe:65535" },
	/* 802.1ah: flags, service id 70000; FabricPath: tag 5, time to live 32 */
	{ MM_LINK_ETHERNET, MACS "88e7 e0011170" ETH4 TCP4, 4, 6, "pbb:70000" },
	{ MM_LINK_ETHERNET, MACS "8903 0160" ETH6 UDP6, 6, 17, "fabricpath:5" },
	/* VN-tag from interface 7, and to interface 5; Cisco metadata with group 300 */
	{ MM_LINK_ETHERNET, MACS "8926 1234 0007 0800" TCP4, 4, 6, "vntag:7" },
	{ MM_LINK_ETHERNET, MACS "8926 8005 0007 8100 0064 0800" TCP4, 4, 6, "vntag:5/vlan:100" },
	{ MM_LINK_ETHERNET, MACS "8909 01 01 0001 012c 0800" UDP4, 4, 17, "sgt:300" },
	/* LLC in a jumbo frame */
	{ MM_LINK_ETHERNET, MACS "8870" SNAP "0800" TCP4, 4, 6, "" },
	/* PPP: framed, bare, protocol of one byte (RFC 1661 section 6.5), both; MPLS in it */
	{ MM_LINK_PPP, "ff03 0021" TCP4, 4, 6, "" },
	{ MM_LINK_PPP, "0057" TCP6, 6, 6, "" },
	{ MM_LINK_PPP, "21" UDP4, 4, 17, "" },
	{ MM_LINK_PPP_HDLC, "ff03 57" UDP6, 6, 17, "" },
	{ MM_LINK_PPP, "ff03 0281 00010140" TCP4, 4, 6, "mpls:16" },
	{ MM_LINK_PPP_ETHER, "11 00 0007 002f 0021" TCP4, 4, 6, "pppoe:7" },
	{ MM_LINK_C_HDLC, "0f00 0800" TCP4, 4, 6, "" },
	{ MM_LINK_C_HDLC, "8f00 86dd" UDP6, 6, 17, "" },
	/* IP in IP */
	{ MM_LINK_RAW, OUT4("0041", "04") TCP4, 4, 6, "ip" },
	{ MM_LINK_RAW, OUT4("0049", "29") UDP6, 6, 17, "ip" },
	{ MM_LINK_RAW, OUT6("002d", "04") TCP4, 4, 6, "ip6" },
	{ MM_LINK_RAW, OUT6("0041", "29") TCP6, 6, 6, "ip6" },
	{ MM_LINK_RAW, OUT4("0045", "89") "00010140" TCP4, 4, 6, "ip/mpls:16" },
	/* GRE, RFC 2784 section 2.1; checksum, key and sequence number, RFC 2890 section 2 */
	{ MM_LINK_RAW, OUT4("0045", "2f") "0000 0800" TCP4, 4, 6, "ip/gre" },
	{ MM_LINK_RAW, OUT6("0045", "2f") "0000 86dd" TCP6, 6, 6, "ip6/gre" },
	{ MM_LINK_RAW, OUT4("0049", "2f") "8000 0800 12340000" TCP4, 4, 6, "ip/gre" },
	{ MM_LINK_RAW, OUT4("0049", "2f") "2000 0800 ffffffff" TCP4, 4, 6, "ip/gre:4294967295" },
	{ MM_LINK_RAW, OUT4("0051", "2f") "b000 0800 12340000 00000005 00000006" TCP4, 4, 6,
	        "ip/gre:5" },
	{ MM_LINK_RAW, OUT4("0053", "2f") "0000 6558" ETH4 TCP4, 4, 6, "ip/gre" },
	{ MM_LINK_RAW, OUT4("003d", "2f") "0000 8847 00010140" UDP4, 4, 17, "ip/gre/mpls:16" },
	/* PPTP, RFC 2637 section 4.1: call 9, sequence number; and acknowledgment */
	{ MM_LINK_RAW, OUT4("0051", "2f") "3001 880b 0031 0009 00000001 ff03 0021" TCP4, 4, 6,
	        "ip/pptp:9" },
	{ MM_LINK_RAW, OUT4("0052", "2f") "3081 880b 002e 0009 00000001 00000002 21" TCP4, 4, 6,
	        "ip/pptp:9" },
	/* ERSPAN, draft-foschiano-erspan-03 section 4: I; II with a tag it took (12), one in the
	 * frame, none; III, with the subheader, of an IP packet */
	{ MM_LINK_RAW, OUT4("0053", "2f") "0000 88be" ETH4 TCP4, 4, 6, "ip/gre/erspan" },
	{ MM_LINK_RAW, OUT4("005f", "2f") "1000 88be 00000009 100c 1007 00000005" ETH4 TCP4, 4, 6,
	        "ip/gre/erspan:7/vlan:12" },
	{ MM_LINK_RAW,
	        OUT4("0063", "2f") "1000 88be 00000009 100c 1fff 00000005" MACS
	                           "8100 000c 0800" TCP4,
	        4, 6, "ip/gre/erspan:1023/vlan:12" },
	{ MM_LINK_RAW, OUT4("0053", "2f") "1000 88be 00000009 1000 0007 00000005" ETH4 UDP4, 4, 17,
	        "ip/gre/erspan:7" },
	{ MM_LINK_RAW,
	        OUT4("0063", "2f") "1000 22eb 00000009 200c 0007 12345678 0000 0000" ETH4 TCP4, 4,
	        6, "ip/gre/erspan:7/vlan:12" },
	{ MM_LINK_RAW,
	        OUT4("006b", "2f") "1000 22eb 00000009 2000 0007 12345678 0000 0001"
	                           "0400000000000008" ETH4 TCP4,
	        4, 6, "ip/gre/erspan:7" },
	{ MM_LINK_RAW, OUT4("0055", "2f") "1000 22eb 00000009 2000 0007 12345678 0000 0800" TCP4, 4,
	        6, "ip/gre/erspan:7" },
	/* VXLAN, RFC 7348 section 5; with a group; on the old port; GPE with a frame and a packet
	 */
	{ MM_LINK_RAW, OUT4("005f", "11") TO("12b5", "004b") "08000000 00138900" ETH4 TCP4, 4, 6,
	        "ip/vxlan:5001" },
	{ MM_LINK_RAW, OUT6("003f", "11") TO("12b5", "003f") "88480009 ffffff00" ETH4 UDP4, 4, 17,
	        "ip6/vxlan:16777215" },
	{ MM_LINK_RAW, OUT4("0053", "11") TO("2118", "003f") "08000000 00000500" ETH4 UDP4, 4, 17,
	        "ip/vxlan:5" },
	{ MM_LINK_RAW, OUT4("0053", "11") TO("12b6", "003f") "0c000003 00000500" ETH4 UDP4, 4, 17,
	        "ip/vxlan:5" },
	{ MM_LINK_RAW, OUT4("0059", "11") TO("12b6", "0045") "0c000002 00000500" UDP6, 6, 17,
	        "ip/vxlan:5" },
	/* GENEVE, RFC 8926 section 3.4: without and with options; a packet */
	{ MM_LINK_RAW, OUT4("005f", "11") TO("17c1", "004b") "00 00 6558 00000500" ETH4 TCP4, 4, 6,
	        "ip/geneve:5" },
	{ MM_LINK_RAW,
	        OUT4("0067", "11")
	                TO("17c1", "0053") "02 40 6558 00000500 0102 80 01 deadbeef" ETH4 TCP4,
	        4, 6, "ip/geneve:5" },
	{ MM_LINK_RAW, OUT4("0051", "11") TO("17c1", "003d") "00 00 0800 00000500" TCP4, 4, 6,
	        "ip/geneve:5" },
	/* GTP-U, 3GPP TS 29.281 section 5: G-PDU; with sequence number; with an extension header */
	{ MM_LINK_RAW, OUT4("0051", "11") TO("0868", "003d") "30 ff 002d ffffffff" TCP4, 4, 6,
	        "ip/gtp:4294967295" },
	{ MM_LINK_RAW, OUT4("0055", "11") TO("0868", "0041") "32 ff 0031 00000005 0007 00 85" TCP4,
	        4, 6, "ip/gtp:5" },
	{ MM_LINK_RAW,
	        OUT4("0061", "11") TO("0868", "004d") "34 ff 003d 00000005 0000 00 85"
	                                              "01 00 05 00" UDP6,
	        6, 17, "ip/gtp:5" },
	/* One in the other */
	{ MM_LINK_ETHERNET,
	        MACS "8100 0064 0800" OUT4("0095",
	                "2f") "1000 88be 00000009 1000 0007 00000005" MACS
	                      "8100 000c 0800" OUT4("005f", "11")
	                              TO("12b5", "004b") "08000000 00000500" MACS
	                                                 "8100 0005 8864 11 00 0001 0023 0021" UDP4,
	        4, 17, "vlan:100/ip/gre/erspan:7/vlan:12/ip/vxlan:5/vlan:5/pppoe:1" },
};

enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

static void assert_path(const struct bench *b, const char *want)
{
	char text[MM_PATH_TEXT];
	assert_string_equal(mm_path_text(&b->seg.path, text), want);
}

static void test_shapes(void **state)
{
	struct bench *b = *state;
	for (size_t i = 0; i < N_SHAPES; i++) {
		memset(&b->seg, 0xa5, sizeof b->seg);
		assert_int_equal(
		        decode_hex(b, shapes[i].linktype, shapes[i].hex), MM_DECODE_SEGMENT);
		assert_hello(b, shapes[i].family, shapes[i].proto);
		assert_path(b, shapes[i].path);
	}
	const struct mm_decode_stats *st = mm_decoder_stats(b->d);
	assert_int_equal(st->n_packets, N_SHAPES);
	assert_int_equal(st->n_segments, N_SHAPES);
	assert_int_equal(st->n_fragments, 0);
	assert_int_equal(st->n_cut, 0);
}

static void test_tcp_flags(void **state)
{
	struct bench *b = *state;
	static const struct {
		const char *offset_flags;
		uint8_t flags;
	} cases[] = {
		{ "5002", MM_TCP_SYN }, { "5012", MM_TCP_SYN | MM_TCP_ACK },
		{ "5011", MM_TCP_FIN | MM_TCP_ACK }, { "5004", MM_TCP_RST },
		{ "5fc2", MM_TCP_SYN }, /* with reserved bits, AE, CWR and ECE */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		static struct bytes p;
		p.n = 0;
		put_hex(&p, IP4("0028", "06") "c001 0058 ffffffff 00000000");
		put_hex(&p, cases[i].offset_flags);
		put_hex(&p, "ffff 0000 0000");
		assert_int_equal(decode(b, MM_LINK_RAW, &p, p.n, 0), MM_DECODE_SEGMENT);
		assert_int_equal(b->seg.tcp_flags, cases[i].flags);
		assert_int_equal(b->seg.seq, 0xffffffff);
		assert_int_equal(b->seg.payload.len, 0);
	}
}

/* Packets that are none of TCP and UDP, and packets that contradict themselves. */
static const struct {
	enum mm_decode_verdict verdict;
	uint32_t linktype;
	const char *hex;
} refused[] = {
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "0806 00010800060400010200000000010a010203" },
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "05dd 4500" }, /* neither type nor length */
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "0007 424203 00000000" }, /* spanning tree */
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET,
	        MACS "0008"
	             "aaaa03 00000c 2000" }, /* CDP */
	{ MM_DECODE_OTHER, MM_LINK_LINUX_SLL, SLL "0001 ffff" },
	{ MM_DECODE_OTHER, MM_LINK_NULL, "00000007 4500" },
	{ MM_DECODE_OTHER, MM_LINK_NULL, "02000001 4500" },
	{ MM_DECODE_OTHER, MM_LINK_RAW, "50000000" },
	{ MM_DECODE_OTHER, MM_LINK_IPV4, IP4("001c", "01") "0800 0000 0001 0001" },
	{ MM_DECODE_OTHER, MM_LINK_IPV4, IP4("001c", "3c") "0600 0000 0001 0001" }, /* IPv6 only */
	{ MM_DECODE_OTHER, MM_LINK_IPV4, IP4("001c", "2c") "0600 0000 0001 0001" },
	{ MM_DECODE_OTHER, MM_LINK_IPV6, IP6("0008", "3a") "8000 0000 0001 0001" },
	{ MM_DECODE_OTHER, MM_LINK_IPV6, IP6("0008", "32") "00000001 00000001" }, /* ESP */
	{ MM_DECODE_OTHER, MM_LINK_IPV6, IP6("0000", "3b") },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, "" },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "08" },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "0036" SNAP "0800" TCP4 }, /* length */
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "0002" SNAP "0800" TCP4 },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "0007" SNAP "0800" TCP4 },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "8100 0064 08" },
	{ MM_DECODE_MALFORMED, MM_LINK_LINUX_SLL, SLL "08" },
	{ MM_DECODE_MALFORMED, MM_LINK_LINUX_SLL2,
	        "0800"
	        "0000 00000002 0001 00 06" },
	{ MM_DECODE_MALFORMED, MM_LINK_NULL, "020000" },
	{ MM_DECODE_MALFORMED, MM_LINK_RAW, "" },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, ETH4 TCP6 }, /* version */
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, ETH6 TCP4 "00000000" },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4, "4400 002d 0001 4000 40 06 0000" ADDRS4 TCP HELLO },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4, IP4("0013", "06") TCP HELLO },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4,
	        IP4("002e", "06") TCP HELLO }, /* longer than the wire */
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4,
	        IP4("0027", "06") TCP HELLO }, /* ends in TCP's header */
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4, "4f00 0031 0001 4000 40 06 0000" ADDRS4 TCP HELLO },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4, "4f00 0000 0001 4000 40 06 0000" ADDRS4 TCP },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV6, IP6("001a", "06") TCP HELLO },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV6, IP6("0007", "00") "06 00 0502 000001" },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV6, IP6("0001", "3c") "06" },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV6, IP6("0008", "2b") "06 01 0000 00000000" },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV6, IP6("0007", "2c") "06 00 0000 123456" },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV6, IP6("0001", "33") "06" },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV6, IP6("0008", "33") "06 01 0000 00000000" },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4, /* TCP data offset 4, then past the end */
	        IP4("0028", "06") "c001 0058 01020304 a5060708 4018 ffff 0000 0000" },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4,
	        IP4("0028", "06") "c001 0058 01020304 a5060708 6018 ffff 0000 0000" },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4, IP4("001b", "11") "c001 0058 000d 00" },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4, IP4("0021", "11") UDP("0007") HELLO },
	{ MM_DECODE_MALFORMED, MM_LINK_IPV4, IP4("0021", "11") UDP("000e") HELLO },
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "8847 00010140 1000 0021 00000000" }, /* ACH */
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "8847 00010140 f000" },
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "8847 00010140" },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "8847 00010040" }, /* no bottom */
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "8847 00007040 0001" },
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "8864 11 a7 0007 0000" }, /* PADT */
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "8864 21 00 0007 002f 0021" TCP4 },
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "8864 11 00 0007 0004 c021 0101" }, /* LCP */
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "8864 11 00 0007 0030 0021" TCP4 },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "8864 11 00 0007 0001 00" },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "8864 11 00 0007 00" },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "88e7 000111" },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "8903 01" },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "8926 1234 0007 08" },
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "8909 02 01 0001 012c 0800" TCP4 },
	{ MM_DECODE_OTHER, MM_LINK_ETHERNET, MACS "8909 01 01 0002 012c 0800" TCP4 },
	{ MM_DECODE_MALFORMED, MM_LINK_ETHERNET, MACS "8909 01 01 0001 012c 08" },
	{ MM_DECODE_MALFORMED, MM_LINK_PPP, "" },
	{ MM_DECODE_MALFORMED, MM_LINK_PPP, "ff03" },
	{ MM_DECODE_MALFORMED, MM_LINK_PPP, "00" },
	{ MM_DECODE_OTHER, MM_LINK_PPP, "ff03 c021 0101" },
	{ MM_DECODE_OTHER, MM_LINK_C_HDLC, "0f00 8035 00000002" }, /* SLARP */
	{ MM_DECODE_OTHER, MM_LINK_C_HDLC, "0f01 0800" TCP4 },
	{ MM_DECODE_MALFORMED, MM_LINK_C_HDLC, "0f00 08" },
	{ MM_DECODE_OTHER, MM_LINK_RAW, OUT4("0045", "2f") "0002 0800" TCP4 }, /* GRE version 2 */
	{ MM_DECODE_OTHER, MM_LINK_RAW, OUT4("0049", "2f") "4000 0800 00000000" TCP4 },
	{ MM_DECODE_OTHER, MM_LINK_RAW, OUT4("0045", "2f") "0800 0800" TCP4 },
	{ MM_DECODE_OTHER, MM_LINK_RAW, OUT4("0045", "2f") "0000 0806" TCP4 },
	{ MM_DECODE_MALFORMED, MM_LINK_RAW, OUT4("0017", "2f") "0000 08" },
	{ MM_DECODE_MALFORMED, MM_LINK_RAW, OUT4("001b", "2f") "2000 0800 000000" },
	{ MM_DECODE_OTHER, MM_LINK_RAW,
	        OUT4("0020", "2f") "2081 880b 0000 0009 00000001" }, /* ack */
	{ MM_DECODE_OTHER, MM_LINK_RAW,
	        OUT4("0051", "2f") "1001 880b 0031 0009 00000001 ff03 0021" TCP4 },
	{ MM_DECODE_OTHER, MM_LINK_RAW,
	        OUT4("0051", "2f") "3001 0800 0031 0009 00000001 ff03 0021" TCP4 },
	{ MM_DECODE_MALFORMED, MM_LINK_RAW,
	        OUT4("0051", "2f") "3001 880b 0032 0009 00000001 ff03 0021" TCP4 },
	{ MM_DECODE_OTHER, MM_LINK_RAW,
	        OUT4("005f", "2f") "1000 88be 00000009 000c 1007 00000005" ETH4 TCP4 },
	{ MM_DECODE_MALFORMED, MM_LINK_RAW,
	        OUT4("0023", "2f") "1000 88be 00000009 100c 1007 000000" },
	{ MM_DECODE_OTHER, MM_LINK_RAW,
	        OUT4("0063", "2f") "1000 22eb 00000009 100c 0007 12345678 0000 0000" ETH4 TCP4 },
	{ MM_DECODE_OTHER, MM_LINK_RAW,
	        OUT4("0063", "2f") "1000 22eb 00000009 200c 0007 12345678 0000 0400" ETH4 TCP4 },
	{ MM_DECODE_MALFORMED, MM_LINK_RAW,
	        OUT4("002b", "2f") "1000 22eb 00000009 200c 0007 12345678 0000 0001 000000" },
	{ MM_DECODE_MALFORMED, MM_LINK_RAW, OUT4("0041", "04") TCP6 },
	{ MM_DECODE_MALFORMED, MM_LINK_RAW,
	        OUT4("0055", "29") TCP4 "00000000 00000000 00000000 00000000" },
	{ MM_DECODE_MALFORMED, MM_LINK_RAW, OUT4("001c", "04") TCP4 },
	{ MM_DECODE_UNSUPPORTED, 105, ETH4 TCP4 }, /* IEEE 802.11 */
	{ MM_DECODE_UNSUPPORTED, UINT32_MAX, ETH4 TCP4 },
};

static void test_refused(void **state)
{
	struct bench *b = *state;
	struct mm_segment untouched;
	uint64_t n[MM_DECODE_UNSUPPORTED + 1] = { 0 };
	memset(&untouched, 0xa5, sizeof untouched);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		b->seg = untouched;
		assert_int_equal(
		        decode_hex(b, refused[i].linktype, refused[i].hex), refused[i].verdict);
		assert_memory_equal(&b->seg, &untouched, sizeof untouched);
		n[refused[i].verdict]++;
	}
	const struct mm_decode_stats *st = mm_decoder_stats(b->d);
	assert_int_equal(st->n_other, n[MM_DECODE_OTHER]);
	assert_int_equal(st->n_malformed, n[MM_DECODE_MALFORMED]);
	assert_int_equal(st->n_unsupported, n[MM_DECODE_UNSUPPORTED]);
	assert_int_equal(st->n_segments, 0);
	assert_int_equal(st->n_depth_limit, 0);
}

/* Ethernet, IPv4 and TCP are 3 of 16 headers: 13 tags fit, 14 do not. */
static void test_depth(void **state)
{
	struct bench *b = *state;
	for (int tags = 13; tags <= 14; tags++) {
		static struct bytes p;
		p.n = 0;
		put_hex(&p, MACS);
		for (int i = 0; i < tags; i++)
			put_hex(&p, "8100 0064");
		put_hex(&p, "0800" TCP4);
		assert_int_equal(decode(b, MM_LINK_ETHERNET, &p, p.n, 0),
		        tags == 13 ? MM_DECODE_SEGMENT : MM_DECODE_MALFORMED);
	}
	assert_int_equal(mm_decoder_stats(b->d)->n_depth_limit, 1);
	assert_int_equal(mm_decoder_stats(b->d)->n_malformed, 1);
}

/* Every length a snaplen can leave: headers 14 + 20 + 24 or 8, then the payload. */
static void test_snaplen(void **state)
{
	struct bench *b = *state;
	static struct bytes p;
	p.n = 0;
	put_hex(&p,
	        ETH4 IP4("0031", "06") "c001 0058 01020304 a5060708 6018 ffff 0000 0000 02040218");
	put_hex(&p, HELLO "00"); /* and padding */
	for (size_t n = 0; n < p.n; n++) {
		enum mm_decode_verdict v = decode(b, MM_LINK_ETHERNET, &p, n, 0);
		assert_int_equal(v, n < 14 + 20 + 20 ? MM_DECODE_OTHER : MM_DECODE_SEGMENT);
		if (v != MM_DECODE_SEGMENT)
			continue;
		size_t got = n < 58 ? 0 : n - 58;
		assert_int_equal(b->seg.payload.len, got);
		assert_int_equal(b->seg.missing, 5 - got);
		assert_int_equal(b->seg.seq, 0x01020304);
	}
	p.n = 0;
	put_hex(&p, ETH4 UDP4);
	for (size_t n = 42; n <= p.n; n++) {
		assert_int_equal(decode(b, MM_LINK_ETHERNET, &p, n, 0), MM_DECODE_SEGMENT);
		assert_int_equal(b->seg.payload.len, n - 42);
		assert_int_equal(b->seg.missing, 5 - (n - 42));
	}
	assert_int_equal(mm_decoder_stats(b->d)->n_cut, 64 + 5);
	assert_int_equal(mm_decoder_stats(b->d)->n_malformed, 0);
	assert_int_equal(mm_decoder_stats(b->d)->n_bytes, 64 * 63 / 2 + 5 * 42 + 10 + 47);
}

/** A datagram for cutting up: a UDP header, then n - 8 bytes that differ from their neighbours. */
static void make_datagram(struct bytes *p, size_t n)
{
	p->n = 0;
	put_hex(p, "c001 0058");
	put_be(p, 2, n);
	put_be(p, 2, 0);
	while (p->n < n)
		put_be(p, 1, p->n * 31 + p->n / 256);
}

struct fragment {
	uint32_t id;
	size_t offset, len;
	bool more;
	int64_t time_s;
};

/** Decode the fragment of the datagram as raw IPv4 from 10.1.2.3 to 192.168.1.2. */
static enum mm_decode_verdict send4(
        struct bench *b, const struct bytes *datagram, struct fragment f)
{
	static struct bytes p;
	p.n = 0;
	put_hex(&p, "4500");
	put_be(&p, 2, 20 + f.len);
	put_be(&p, 2, f.id);
	put_be(&p, 2, (f.more ? 0x2000u : 0) | f.offset / 8);
	put_hex(&p, "40 11 0000" ADDRS4);
	put_bytes(&p, datagram->b + f.offset, f.len);
	return decode(b, MM_LINK_RAW, &p, p.n, f.time_s);
}

/** The same as IPv6, with the next header that its fragment header names. */
static enum mm_decode_verdict send6(
        struct bench *b, const struct bytes *datagram, struct fragment f, uint8_t next)
{
	static struct bytes p;
	p.n = 0;
	put_hex(&p, "60000000");
	put_be(&p, 2, 8 + f.len);
	put_hex(&p, "2c 40" ADDRS6);
	put_be(&p, 1, next);
	put_be(&p, 1, 0);
	put_be(&p, 2, f.offset | (f.more ? 1 : 0));
	put_be(&p, 4, f.id);
	put_bytes(&p, datagram->b + f.offset, f.len);
	return decode(b, MM_LINK_RAW, &p, p.n, f.time_s);
}

/** The segment is the whole datagram. */
static void assert_datagram(const struct bench *b, const struct bytes *datagram, uint64_t first)
{
	assert_int_equal(b->seg.ip_proto, 17);
	assert_int_equal(b->seg.src.port, 49153);
	assert_int_equal(b->seg.dst.port, 88);
	assert_int_equal(b->seg.payload.len, datagram->n - 8);
	assert_memory_equal(b->seg.payload.p, datagram->b + 8, datagram->n - 8);
	assert_int_equal(b->seg.missing, 0);
	assert_int_equal(b->seg.first.number, first);
}

/* Four fragments in each of their 24 orders, in IPv4 and IPv6. */
static void test_fragment_orders(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	static const struct fragment cut[4] = {
		{ .offset = 0, .len = 8, .more = true },
		{ .offset = 8, .len = 16, .more = true },
		{ .offset = 24, .len = 1480, .more = true },
		{ .offset = 1504, .len = 3 },
	};
	make_datagram(&dg, 1507);
	for (unsigned order = 0; order < 256; order++) {
		unsigned at[4] = { order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6 & 3 };
		if ((1u << at[0] | 1u << at[1] | 1u << at[2] | 1u << at[3]) != 15)
			continue;
		for (int version = 4; version <= 6; version += 2) {
			uint64_t first = 0;
			for (int i = 0; i < 4; i++) {
				struct fragment f = cut[at[i]];
				enum mm_decode_verdict v =
				        version == 4 ? send4(b, &dg, f) : send6(b, &dg, f, 17);
				assert_int_equal(v, i < 3 ? MM_DECODE_FRAGMENT : MM_DECODE_SEGMENT);
				if (f.offset == 0)
					first = b->number;
			}
			assert_datagram(b, &dg, first);
			assert_int_equal(b->seg.src.addr.family, version);
		}
	}
	const struct mm_decode_stats *st = mm_decoder_stats(b->d);
	assert_int_equal(st->n_fragments, 4 * 48);
	assert_int_equal(st->n_reassembled, 48);
	assert_int_equal(st->n_segments, 48);
	assert_int_equal(st->n_fragments_dropped, 0);
	assert_int_equal(st->n_fragment_limit, 0);
}

/* Datagrams that differ in one part of their key do not mix. */
static void test_fragment_keys(void **state)
{
	struct bench *b = *state;
	static struct bytes dg, p;
	make_datagram(&dg, 24);
	assert_int_equal(send4(b, &dg, (struct fragment){ .id = 1, .len = 16, .more = true }),
	        MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, (struct fragment){ .id = 2, .offset = 16, .len = 8 }),
	        MM_DECODE_FRAGMENT);
	/* The same identification with another source, destination, protocol, VLAN. */
	static const char *const other[] = {
		"0800 4500 001c 0001 0002 40 11 0000 0a010204 c0a80102",
		"0800 4500 001c 0001 0002 40 11 0000 0a010203 c0a80103",
		"0800 4500 001c 0001 0002 40 06 0000 0a010203 c0a80102",
		"8100 0005 0800 4500 001c 0001 0002 40 11 0000 0a010203 c0a80102",
	};
	for (size_t i = 0; i < 4; i++) {
		p.n = 0;
		put_hex(&p, MACS);
		put_hex(&p, other[i]);
		put_bytes(&p, dg.b + 16, 8);
		assert_int_equal(decode(b, MM_LINK_ETHERNET, &p, p.n, 0), MM_DECODE_FRAGMENT);
	}
	assert_int_equal(send6(b, &dg, (struct fragment){ .id = 1, .offset = 16, .len = 8 }, 17),
	        MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, (struct fragment){ .id = 1, .offset = 16, .len = 8 }),
	        MM_DECODE_SEGMENT);
	assert_datagram(b, &dg, 1);
}

static void test_fragment_duplicates(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	make_datagram(&dg, 36);
	struct fragment head = { .len = 16, .more = true }, tail = { .offset = 24, .len = 12 };
	for (int i = 0; i < 3; i++) {
		assert_int_equal(send4(b, &dg, head), MM_DECODE_FRAGMENT);
		assert_int_equal(send4(b, &dg, tail), MM_DECODE_FRAGMENT);
	}
	/* Overlaps both others with the same bytes, and fills the hole. */
	assert_int_equal(send4(b, &dg, (struct fragment){ .offset = 8, .len = 24, .more = true }),
	        MM_DECODE_SEGMENT);
	assert_datagram(b, &dg, 1);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments, 7);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, 0);
}

/* Two packets with offset 0, the second one longer: the first copy of the first byte counts. */
static void test_fragment_first(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	make_datagram(&dg, 24);
	struct fragment a = { .len = 8, .more = true }, longer = { .len = 16, .more = true };
	assert_int_equal(send6(b, &dg, a, 17), MM_DECODE_FRAGMENT);
	assert_int_equal(send6(b, &dg, longer, 6), MM_DECODE_FRAGMENT);
	assert_int_equal(
	        send6(b, &dg, (struct fragment){ .offset = 16, .len = 8 }, 6), MM_DECODE_SEGMENT);
	assert_datagram(b, &dg, 1);
}

/* A contradiction gives the datagram up for good: the pieces that would complete it do not. */
static void assert_given_up(struct bench *b, const struct bytes *dg, uint64_t n_dropped)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(send4(b, dg, (struct fragment){ .len = 16, .more = true }),
		        MM_DECODE_FRAGMENT);
		assert_int_equal(send4(b, dg, (struct fragment){ .offset = 16, .len = 20 }),
		        MM_DECODE_FRAGMENT);
	}
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, n_dropped);
	assert_int_equal(mm_decoder_stats(b->d)->n_reassembled, 0);
}

static void test_fragment_conflict(void **state)
{
	struct bench *b = *state;
	static struct bytes dg, bad;
	make_datagram(&dg, 36);
	bad = dg;
	bad.b[15] ^= 1;
	assert_int_equal(
	        send4(b, &dg, (struct fragment){ .len = 16, .more = true }), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &bad, (struct fragment){ .offset = 8, .len = 16, .more = true }),
	        MM_DECODE_FRAGMENT);
	assert_given_up(b, &dg, 1);
}

/* A last byte that differs: in a unit of 4 bytes. */
static void test_fragment_conflict_tail(void **state)
{
	struct bench *b = *state;
	static struct bytes dg, bad;
	make_datagram(&dg, 36);
	bad = dg;
	bad.b[35] ^= 0x80;
	assert_int_equal(
	        send4(b, &bad, (struct fragment){ .offset = 24, .len = 12 }), MM_DECODE_FRAGMENT);
	assert_int_equal(
	        send4(b, &dg, (struct fragment){ .offset = 32, .len = 4 }), MM_DECODE_FRAGMENT);
	assert_given_up(b, &dg, 1);
}

/* Last fragments that disagree on the length, and pieces past the end, before and after it is
 * known. */
static void test_fragment_conflict_length(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	static const struct fragment pairs[][2] = {
		{ { .offset = 24, .len = 12 }, { .offset = 24, .len = 11 } },
		{ { .offset = 16, .len = 8 }, { .offset = 24, .len = 8, .more = true } },
		{ { .offset = 24, .len = 8, .more = true }, { .offset = 16, .len = 8 } },
		{ { .offset = 24, .len = 12 }, { .offset = 32, .len = 8, .more = true } },
	};
	make_datagram(&dg, 48);
	for (uint64_t i = 0; i < 4; i++) {
		struct fragment x = pairs[i][0], y = pairs[i][1];
		x.time_s = y.time_s = (int64_t)i * 1000; /* past the time-out of the one before */
		assert_int_equal(send4(b, &dg, x), MM_DECODE_FRAGMENT);
		assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, i);
		assert_int_equal(send4(b, &dg, y), MM_DECODE_FRAGMENT);
		assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, i + 1);
	}
}

static void test_fragment_cut(void **state)
{
	struct bench *b = *state;
	static struct bytes dg, p;
	make_datagram(&dg, 36);
	p.n = 0;
	put_hex(&p, "4500 0024 0000 2000 40 11 0000" ADDRS4);
	put_bytes(&p, dg.b, 16);
	assert_int_equal(decode(b, MM_LINK_RAW, &p, p.n - 8, 0), MM_DECODE_FRAGMENT);
	assert_int_equal(mm_decoder_stats(b->d)->n_cut, 1);
	assert_given_up(b, &dg, 1);
}

static void test_fragment_malformed(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	static const struct fragment bad[] = {
		{ .len = 12, .more = true }, /* not in units, and not the last */
		{ .len = 0, .more = true },  /* empty */
		{ .offset = 16, .len = 0 },
		{ .offset = 65528, .len = 8 }, /* past 65535 */
		{ .offset = 65528, .len = 1480, .more = true },
	};
	make_datagram(&dg, 65535 + 1480);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(send4(b, &dg, bad[i]), MM_DECODE_MALFORMED);
		assert_int_equal(send6(b, &dg, bad[i], 17), MM_DECODE_MALFORMED);
	}
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments, 0);
	assert_int_equal(mm_decoder_stats(b->d)->n_malformed, 10);
	/* A malformed one does no harm to the others. */
	make_datagram(&dg, 24);
	assert_int_equal(
	        send4(b, &dg, (struct fragment){ .len = 8, .more = true }), MM_DECODE_FRAGMENT);
	assert_int_equal(
	        send4(b, &dg, (struct fragment){ .len = 12, .more = true }), MM_DECODE_MALFORMED);
	assert_int_equal(
	        send4(b, &dg, (struct fragment){ .offset = 8, .len = 16 }), MM_DECODE_SEGMENT);
	assert_datagram(b, &dg, 11);
}

/* The largest datagram: 65535 bytes in 46 pieces, backwards. */
static void test_fragment_largest(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	make_datagram(&dg, 65535);
	for (size_t i = 46; i-- > 0;) {
		struct fragment f = { .offset = i * 1448, .len = 1448, .more = true };
		if (i == 45)
			f = (struct fragment){ .offset = 65160, .len = 375 };
		assert_int_equal(
		        send6(b, &dg, f, 17), i > 0 ? MM_DECODE_FRAGMENT : MM_DECODE_SEGMENT);
	}
	assert_datagram(b, &dg, 46);
}

/* 30 s after its first fragment, whenever the others came, a datagram is given up. */
static void test_fragment_timeout(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	make_datagram(&dg, 24);
	struct fragment a = { .id = 1, .len = 8, .more = true, .time_s = 1000 };
	struct fragment m = { .id = 1, .offset = 8, .len = 8, .more = true, .time_s = 1029 };
	struct fragment z = { .id = 1, .offset = 16, .len = 8, .time_s = 1030 };
	assert_int_equal(send4(b, &dg, a), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, m), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, z), MM_DECODE_SEGMENT);
	assert_datagram(b, &dg, 1);
	z.time_s = 1031;
	assert_int_equal(send4(b, &dg, a), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, m), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, z), MM_DECODE_FRAGMENT);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, 1);
	/* Another datagram's fragment sweeps it as well; times may go back, too. */
	z.id = 2;
	z.time_s = 2000;
	assert_int_equal(send4(b, &dg, z), MM_DECODE_FRAGMENT);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, 2);
	a.id = m.id = 2;
	assert_int_equal(send4(b, &dg, a), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, m), MM_DECODE_SEGMENT);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, 2);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragment_limit, 0);
}

/* A datagram that was added to lately times out all the same, and its identification starts
 * afresh. */
static void test_fragment_timeout_in_use(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	make_datagram(&dg, 24);
	struct fragment a = { .id = 1, .len = 8, .more = true };
	struct fragment m = { .id = 1, .offset = 8, .len = 8, .more = true, .time_s = 20 };
	struct fragment z = { .id = 1, .offset = 16, .len = 8, .time_s = 35 };
	struct fragment other = { .id = 2, .len = 8, .more = true, .time_s = 10 };
	assert_int_equal(send4(b, &dg, a), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, other), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, m), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, z), MM_DECODE_FRAGMENT);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, 1);
	a.time_s = m.time_s = 36;
	assert_int_equal(send4(b, &dg, a), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, m), MM_DECODE_SEGMENT);
	assert_datagram(b, &dg, 5);
}

/* The table holds 1024 datagrams; one more pushes out the least recently used, which is not the
 * oldest. */
static void test_fragment_table_limit(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	make_datagram(&dg, 24);
	struct fragment a = { .len = 8, .more = true }, m = { .offset = 8, .len = 8, .more = true };
	struct fragment z = { .offset = 16, .len = 8 };
	for (a.id = 1; a.id <= 1024; a.id++)
		assert_int_equal(send4(b, &dg, a), MM_DECODE_FRAGMENT);
	m.id = 1;
	assert_int_equal(send4(b, &dg, m), MM_DECODE_FRAGMENT);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragment_limit, 0);
	assert_int_equal(send4(b, &dg, a), MM_DECODE_FRAGMENT); /* 1025, instead of 2 */
	assert_int_equal(mm_decoder_stats(b->d)->n_fragment_limit, 1);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, 1);
	z.id = 1;
	assert_int_equal(send4(b, &dg, z), MM_DECODE_SEGMENT);
	assert_datagram(b, &dg, 1);
	for (m.id = z.id = 3; m.id <= 1025; m.id++, z.id++) {
		assert_int_equal(send4(b, &dg, z), MM_DECODE_FRAGMENT);
		assert_int_equal(send4(b, &dg, m), MM_DECODE_SEGMENT);
		assert_datagram(b, &dg, m.id == 1025 ? 1026 : m.id);
	}
	m.id = z.id = 2;
	assert_int_equal(send4(b, &dg, z), MM_DECODE_FRAGMENT);
	assert_int_equal(send4(b, &dg, m), MM_DECODE_FRAGMENT);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragment_limit, 1);
}

/* 8 MiB are 256 datagrams of 32 KiB: the 257th pushes out the first. */
static void test_fragment_bytes_limit(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	make_datagram(&dg, 32768);
	struct fragment a = { .len = 32760, .more = true };
	struct fragment z = { .offset = 32760, .len = 8 };
	for (a.id = 1; a.id <= 256; a.id++)
		assert_int_equal(send4(b, &dg, a), MM_DECODE_FRAGMENT);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragment_limit, 0);
	assert_int_equal(send4(b, &dg, a), MM_DECODE_FRAGMENT);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragment_limit, 1);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, 1);
	for (z.id = 257; z.id > 1; z.id--) {
		assert_int_equal(send4(b, &dg, z), MM_DECODE_SEGMENT);
		assert_datagram(b, &dg, z.id);
	}
	z.id = 1;
	assert_int_equal(send4(b, &dg, z), MM_DECODE_FRAGMENT);
}

/* 64 pieces are taken, duplicates not counted; a 65th gives the datagram up. */
static void test_fragment_pieces_limit(void **state)
{
	struct bench *b = *state;
	static struct bytes dg;
	make_datagram(&dg, 65 * 8);
	for (uint32_t id = 64; id <= 65; id++) {
		for (size_t i = 1; i < id; i++) {
			struct fragment f = {
				.id = id, .offset = i * 8, .len = 8, .more = i + 1 < id
			};
			assert_int_equal(send4(b, &dg, f), MM_DECODE_FRAGMENT);
			assert_int_equal(send4(b, &dg, f), MM_DECODE_FRAGMENT);
		}
		dg.b[4] = (uint8_t)(id * 8 >> 8);
		dg.b[5] = (uint8_t)(id * 8);
		assert_int_equal(
		        send4(b, &dg, (struct fragment){ .id = id, .len = 8, .more = true }),
		        id == 64 ? MM_DECODE_SEGMENT : MM_DECODE_FRAGMENT);
	}
	assert_int_equal(mm_decoder_stats(b->d)->n_reassembled, 1);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragment_limit, 1);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, 1);
}

/* RFC 8200: the first fragment's next header counts, extension headers may be inside, and RFC
 * 6946: an atomic fragment touches no datagram of the same identification. */
static void test_fragment_ipv6(void **state)
{
	struct bench *b = *state;
	static struct bytes udp, dg;
	make_datagram(&udp, 32);
	dg.n = 0;
	put_hex(&dg, "11 00 0104 00000000");
	put_bytes(&dg, udp.b, udp.n);
	struct fragment z = { .id = 7, .offset = 16, .len = 24 };
	assert_int_equal(send6(b, &dg, z, 6), MM_DECODE_FRAGMENT);
	assert_int_equal(
	        send6(b, &udp, (struct fragment){ .id = 7, .len = 32 }, 17), MM_DECODE_SEGMENT);
	assert_datagram(b, &udp, 2);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments, 1);
	struct fragment a = { .id = 7, .len = 16, .more = true };
	assert_int_equal(send6(b, &dg, a, 60), MM_DECODE_SEGMENT);
	assert_datagram(b, &udp, 3);
	assert_int_equal(mm_decoder_stats(b->d)->n_reassembled, 1);
	/* What is whole may be of no interest, or hold a fragment again: refused. */
	assert_int_equal(send6(b, &dg, z, 58), MM_DECODE_FRAGMENT);
	assert_int_equal(send6(b, &dg, a, 58), MM_DECODE_OTHER);
	dg.n = 0;
	put_hex(&dg, "11 00 0001 00000009");
	put_bytes(&dg, udp.b, udp.n);
	assert_int_equal(send6(b, &dg, z, 44), MM_DECODE_FRAGMENT);
	assert_int_equal(send6(b, &dg, a, 44), MM_DECODE_MALFORMED);
}

struct walk_arg {
	struct bench *b;
	uint32_t linktype;
	uint32_t wire_len; /* 0: as captured */
	size_t n_segments;
};

/** Whatever the bytes: a verdict, and a payload that lies inside the packet. */
static void survive(void *arg, struct mm_slice input)
{
	struct walk_arg *w = arg;
	struct mm_packet pkt = {
		.id = { 0, ++w->b->number },
		.linktype = w->linktype,
		.wire_len = w->wire_len == 0 ? (uint32_t)input.len : w->wire_len,
		.data = input,
	};
	struct mm_segment seg;
	enum mm_decode_verdict v = mm_decode(w->b->d, &pkt, &seg);
	assert_in_range(v, MM_DECODE_SEGMENT, MM_DECODE_MALFORMED);
	if (v != MM_DECODE_SEGMENT)
		return;
	char text[MM_PATH_TEXT];
	w->n_segments++;
	assert_true(strlen(mm_path_text(&seg.path, text)) < sizeof text);
	assert_true(seg.ip_proto == 6 || seg.ip_proto == 17);
	assert_true(seg.src.addr.family == 4 || seg.src.addr.family == 6);
	assert_int_equal(seg.src.addr.family, seg.dst.addr.family);
	assert_true(seg.payload.len + seg.missing <= pkt.wire_len);
	if (seg.first.number == w->b->number && seg.payload.len > 0) {
		assert_true(seg.payload.p >= input.p);
		assert_true(seg.payload.p + seg.payload.len <= input.p + input.len);
	}
}

static void test_every_prefix_and_bitflip(void **state)
{
	struct bench *b = *state;
	static struct bytes p;
	for (size_t i = 0; i < N_SHAPES; i++) {
		struct walk_arg w = { .b = b, .linktype = shapes[i].linktype };
		p.n = 0;
		put_hex(&p, shapes[i].hex);
		guard_every_prefix(p.b, p.n, survive, &w);
		assert_true(w.n_segments > 0);
		w.wire_len = (uint32_t)p.n;
		w.n_segments = 0;
		guard_every_prefix(p.b, p.n, survive, &w);
		assert_true(w.n_segments >= 6); /* all that hold the headers */
		guard_every_bitflip(p.b, p.n, survive, &w);
	}
	static const char *const fragments[] = {
		"4500 0024 0001 2000 40 11 0000" ADDRS4 "c001 0058 0018 0000 6162636465666768",
		"4500 001c 0001 0002 40 11 0000" ADDRS4 "7172737475767778",
		"60000000 0018 2c 40" ADDRS6
		"11 00 0001 00000001 c001 0058 0018 0000 6162636465666768",
		"60000000 0010 2c 40" ADDRS6 "11 00 0010 00000001 7172737475767778",
	};
	for (size_t i = 0; i < 4; i++) {
		struct walk_arg w = { .b = b, .linktype = MM_LINK_RAW };
		p.n = 0;
		put_hex(&p, fragments[i]);
		guard_every_prefix(p.b, p.n, survive, &w);
		guard_every_bitflip(p.b, p.n, survive, &w);
	}
	const struct mm_decode_stats *st = mm_decoder_stats(b->d);
	assert_int_equal(st->n_packets, b->number);
	assert_true(st->n_malformed > 0 && st->n_fragments > 0);
}

/* What a tunnel's port does not make a tunnel: it stays a datagram for whoever claims it. */
static const struct {
	const char *ports, *payload;
} plain[] = {
	/* The answer of a KDC to a client on such a port, 3 ways: AS-REP, KRB-ERROR, kpasswd */
	{ "0058 12b5", "6b820100 30820100 a0030201 05a10302 010b" ETH4 UDP4 },
	{ "0058 17c1", "7e820100 30820100 a0030201 05a10302 011e" ETH4 UDP4 },
	{ "0058 0868", "6b820100 30820100 a0030201 05a10302 010b" ETH4 UDP4 },
	{ "0058 0dd8", "6b820100 30820100 a0030201 05a10302 010b" ETH6 UDP6 },
	{ "01d0 12b5", "08000001 00000500" ETH4 UDP4 },
	/* VXLAN: no VNI; reserved bits and bytes; group bits without a group; other frames; too
	 * short */
	{ "c350 12b5", "00000000 00000500" ETH4 UDP4 },
	{ "c350 12b5", "09000000 00000500" ETH4 UDP4 },
	{ "c350 12b5", "08000100 00000500" ETH4 UDP4 },
	{ "c350 12b5", "08000000 00000501" ETH4 UDP4 },
	{ "c350 12b5", "08480009 00000500" ETH4 UDP4 },
	{ "c350 12b5", "88800009 00000500" ETH4 UDP4 },
	{ "c350 12b5", "08000000 00000500" MACS "0806 00010800060400010200000000010a010203" },
	{ "c350 12b5", "08000000 00000500" ETH4 UDP6 },
	{ "c350 12b5", "08000000 00000500" MACS "0005 aaaa02 0000" },
	{ "c350 12b5", "08000000 00000500" MACS "0006 aaaa03 0000" },
	{ "c350 12b5", "08000000 00000500" MACS "08" },
	{ "c350 12b5", "08000000 000005" },
	{ "12b5 c350", "08000000 00000500" ETH4 UDP4 }, /* from the port, not to it */
	{ "c350 12b6", "08000000 00000500" ETH4 UDP4 },
	{ "c350 12b6", "0c000001 00000500" UDP6 },
	{ "c350 12b6", "0c000003 00000500" UDP4 },
	/* GENEVE: version, control packet, reserved bits, reserved byte, unknown type, other
	 * packet, options past the end, too short */
	{ "c350 17c1", "40 00 0800 00000500" UDP4 },
	{ "c350 17c1", "00 80 0800 00000500" UDP4 },
	{ "c350 17c1", "00 01 0800 00000500" UDP4 },
	{ "c350 17c1", "00 00 0800 00000501" UDP4 },
	{ "c350 17c1", "00 00 0806 00000500" UDP4 },
	{ "c350 17c1", "00 00 86dd 00000500" UDP4 },
	{ "c350 17c1", "00 00 6558 00000500" UDP4 },
	{ "c350 17c1", "3f 00 0800 00000500" UDP4 },
	{ "c350 17c1", "00 00 0800 000005" },
	/* GTP: version 2, GTP', spare bit, an echo, other lengths, extensions without length and
	 * past the end, no IP */
	{ "c350 0868", "50 ff 0021 00000005" UDP4 },
	{ "c350 0868", "20 ff 0021 00000005" UDP4 },
	{ "c350 0868", "38 ff 0021 00000005" UDP4 },
	{ "c350 0868", "30 01 0021 00000005" UDP4 },
	{ "c350 0868", "30 ff 0020 00000005" UDP4 },
	{ "c350 0868", "30 ff 0022 00000005" UDP4 },
	{ "c350 0868", "34 ff 0029 00000005 0000 00 85 00 00 05 00" UDP4 },
	{ "c350 0868", "34 ff 0029 00000005 0000 00 85 7f 00 05 00" UDP4 },
	{ "c350 0868", "30 ff 0005 00000005" HELLO },
	{ "c350 0868", "30 ff 0000 00000005" },
	/* Teredo: no address of it; IPv4; longer than the datagram; indications past the end */
	{ "c350 0dd8", UDP6 },
	{ "c350 0dd8", UDP4 },
	{ "c350 0dd8", "60000000 000e 11 40 20010000000000000000000000000001 "
	               "fe80000000000000000000000000abcd" UDP("000d") HELLO },
	{ "0dd8 c350", "0001 ff ff 0000" },
	{ "0dd8 c350", "0000 3c50 3f" },
};

static void test_no_tunnel(void **state)
{
	struct bench *b = *state;
	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
		static struct bytes payload, p;
		payload.n = p.n = 0;
		put_hex(&payload, plain[i].payload);
		put_hex(&p, "4500");
		put_be(&p, 2, 28 + payload.n);
		put_hex(&p, "0001 4000 40 11 0000 c0000201 c0000202");
		size_t at = p.n;
		put_hex(&p, plain[i].ports);
		put_be(&p, 2, 8 + payload.n);
		put_be(&p, 2, 0);
		put_bytes(&p, payload.b, payload.n);
		assert_int_equal(decode(b, MM_LINK_RAW, &p, p.n, 0), MM_DECODE_SEGMENT);
		assert_addr(&b->seg.src.addr, 4, "c0000201");
		assert_int_equal(b->seg.src.port, p.b[at] << 8 | p.b[at + 1]);
		assert_int_equal(b->seg.dst.port, p.b[at + 2] << 8 | p.b[at + 3]);
		assert_int_equal(b->seg.payload.len, payload.n);
		assert_memory_equal(b->seg.payload.p, payload.b, payload.n);
		assert_path(b, "");
	}
}

/* RFC 4380 section 5.1.1: alone, behind an origin, an authentication, and both; either port; and a
 * router solicitation's kind of address. */
#define TEREDO_DST       "fe80000000000000000000000000abcd"
#define TEREDO(src)      "60000000 000d 11 40" src TEREDO_DST UDP("000d") HELLO
#define ADDRS6_TO_TEREDO "20010db8000000000000000000000001" OF_TEREDO
#define OF_TEREDO        "2001000041364378800063bf3ffffdd2"

static const char *const teredo[] = {
	TO("0dd8", "003d") TEREDO(OF_TEREDO),
	"0dd8 c350 003d 0000" TEREDO(OF_TEREDO),
	TO("0dd8", "003d") TEREDO("fe80000000000000ffffffffffffffff"),
	TO("0dd8", "0045") "0000 3c50 3ffffdfe" TEREDO(OF_TEREDO),
	TO("0dd8", "004a") "0001 00 00 0123456789abcdef 00" TEREDO(OF_TEREDO),
	TO("0dd8", "004f") "0001 02 03 6964 76616c 0123456789abcdef 00" TEREDO(OF_TEREDO),
	TO("0dd8", "0052") "0001 00 00 0123456789abcdef 00 0000 3c50 3ffffdfe" TEREDO(OF_TEREDO),
	/* RFC 6081 section 4: a nonce trailer */
	TO("0dd8", "0043") TEREDO(OF_TEREDO) "01 04 01234567",
};

static void test_teredo(void **state)
{
	struct bench *b = *state;
	/* A packet to a Teredo client from a host that is none. */
	assert_int_equal(
	        decode_hex(b, MM_LINK_RAW,
	                OUT4("0051", "11") TO("0dd8",
	                        "003d") "60000000 000d 11 40" ADDRS6_TO_TEREDO UDP("000d") HELLO),
	        MM_DECODE_SEGMENT);
	assert_path(b, "ip/teredo");
	for (size_t i = 0; i < sizeof teredo / sizeof teredo[0]; i++) {
		static struct bytes p;
		p.n = 0;
		put_hex(&p, "4500 0000 0001 4000 40 11 0000 c0000201 c0000202");
		put_hex(&p, teredo[i]);
		p.b[3] = (uint8_t)p.n;
		assert_int_equal(decode(b, MM_LINK_RAW, &p, p.n, 0), MM_DECODE_SEGMENT);
		assert_addr(&b->seg.dst.addr, 6, TEREDO_DST);
		assert_int_equal(b->seg.src.port, 49153);
		assert_int_equal(b->seg.dst.port, 88);
		assert_int_equal(b->seg.payload.len, 5);
		assert_memory_equal(b->seg.payload.p, "hello", 5);
		assert_path(b, "ip/teredo");
		struct walk_arg w = { .b = b, .linktype = MM_LINK_RAW };
		guard_every_prefix(p.b, p.n, survive, &w);
		guard_every_bitflip(p.b, p.n, survive, &w);
	}
}

/* 15 IPv4 headers and TCP's fit, 16 do not: no recursion has a depth of its own. */
static void test_depth_of_tunnels(void **state)
{
	struct bench *b = *state;
	for (unsigned n = 15; n <= 16; n++) {
		static struct bytes p;
		p.n = 0;
		for (unsigned i = n - 1; i > 0; i--) {
			put_hex(&p, "4500");
			put_be(&p, 2, 45 + i * 20);
			put_hex(&p, "0001 4000 40 04 0000 c0000201 c0000202");
		}
		put_hex(&p, TCP4);
		assert_int_equal(decode(b, MM_LINK_IPV4, &p, p.n, 0),
		        n == 15 ? MM_DECODE_SEGMENT : MM_DECODE_MALFORMED);
	}
	assert_int_equal(mm_decoder_stats(b->d)->n_depth_limit, 1);
}

/** Append an IPv4 header from 192.0.2.1 to 192.0.2.2 with a body of n bytes, a fragment of datagram
 * id. */
static void put_outer(
        struct bytes *to, size_t n, uint32_t id, size_t offset, bool more, uint8_t proto)
{
	put_hex(to, "4500");
	put_be(to, 2, 20 + n);
	put_be(to, 2, id);
	put_be(to, 2, (more ? 0x2000u : 0) | offset / 8);
	put_be(to, 1, 64);
	put_be(to, 1, proto);
	put_hex(to, "0000 c0000201 c0000202");
}

/* A datagram in two fragments, each in a GRE packet that itself comes in two: the last one makes
 * the datagram whole, and its addresses, which lie in what was put together first, are right.
 * Twice, so that both places for datagrams are used in either role. */
static void test_fragments_in_fragments(void **state)
{
	struct bench *b = *state;
	static struct bytes dg, inner, p;
	make_datagram(&dg, 1000);
	for (uint32_t round = 0; round < 2; round++) {
		uint64_t first = b->number + 1;
		for (uint32_t half = 0; half < 2; half++) {
			inner.n = 0;
			size_t len = half == 0 ? 496 : 504;
			put_hex(&inner, "0000 0800 4500");
			put_be(&inner, 2, 20 + len);
			put_be(&inner, 2, 77);
			put_be(&inner, 2, half == 0 ? 0x2000 : 496 / 8);
			put_hex(&inner, "40 11 0000" ADDRS4);
			put_bytes(&inner, dg.b + (half == 0 ? 0 : 496), len);
			for (uint32_t quarter = 0; quarter < 2; quarter++) {
				size_t at = quarter == 0 ? 0 : 16,
				       n = quarter == 0 ? 16 : inner.n - 16;
				p.n = 0;
				put_outer(&p, n, 100 + 2 * round + half, at, quarter == 0, 47);
				put_bytes(&p, inner.b + at, n);
				assert_int_equal(decode(b, MM_LINK_RAW, &p, p.n, 0),
				        half + quarter == 2 ? MM_DECODE_SEGMENT
				                            : MM_DECODE_FRAGMENT);
			}
		}
		assert_datagram(b, &dg, first);
		assert_addr(&b->seg.src.addr, 4, "0a010203");
		assert_addr(&b->seg.dst.addr, 4, "c0a80102");
		assert_path(b, "ip/gre");
	}
	assert_int_equal(mm_decoder_stats(b->d)->n_reassembled, 6);
	assert_int_equal(mm_decoder_stats(b->d)->n_fragments_dropped, 0);
}

/* Fragments that came through different tunnels are of different datagrams, whatever their header
 * says. */
static void test_fragments_of_tunnels(void **state)
{
	struct bench *b = *state;
	static struct bytes dg, p;
	make_datagram(&dg, 24);
	for (uint32_t i = 0; i < 3; i++) {
		size_t at = i == 0 ? 0 : 16, n = i == 0 ? 16 : 8;
		p.n = 0;
		put_outer(&p, 8 + 20 + n, 1, 0, false, 47);
		put_hex(&p, "2000 0800");
		put_be(&p, 4, i == 1 ? 7 : 6); /* the key */
		put_hex(&p, "4500");
		put_be(&p, 2, 20 + n);
		put_be(&p, 2, 9);
		put_be(&p, 2, i == 0 ? 0x2000 : 2);
		put_hex(&p, "40 11 0000" ADDRS4);
		put_bytes(&p, dg.b + at, n);
		assert_int_equal(decode(b, MM_LINK_RAW, &p, p.n, 0),
		        i == 2 ? MM_DECODE_SEGMENT : MM_DECODE_FRAGMENT);
	}
	assert_datagram(b, &dg, 1);
	assert_path(b, "ip/gre:6");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_shapes),
		TEST(test_tcp_flags),
		TEST(test_refused),
		TEST(test_depth),
		TEST(test_snaplen),
		TEST(test_fragment_orders),
		TEST(test_fragment_keys),
		TEST(test_fragment_duplicates),
		TEST(test_fragment_first),
		TEST(test_fragment_conflict),
		TEST(test_fragment_conflict_tail),
		TEST(test_fragment_conflict_length),
		TEST(test_fragment_cut),
		TEST(test_fragment_malformed),
		TEST(test_fragment_largest),
		TEST(test_fragment_timeout),
		TEST(test_fragment_timeout_in_use),
		TEST(test_fragment_table_limit),
		TEST(test_fragment_bytes_limit),
		TEST(test_fragment_pieces_limit),
		TEST(test_fragment_ipv6),
		TEST(test_every_prefix_and_bitflip),
		TEST(test_no_tunnel),
		TEST(test_teredo),
		TEST(test_depth_of_tunnels),
		TEST(test_fragments_in_fragments),
		TEST(test_fragments_of_tunnels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
