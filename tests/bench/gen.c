/*
 * gen - makes the captures that tests/bench measures with.
 *
 *	gen --kind mix|auth|small|flood|web|rs256|es256 [--seed N] [--size BYTES | --packets N | --seconds N] [--loop N]
 *		[--tokens N] OUT.pcap
 *
 * The same kind, seed and limit give the same bytes on every machine. OUT is a classic pcap
 * (Ethernet, microseconds); "-" is standard output. What was made is told on standard error.
 *
 *	mix	an office network: 1 to 2 % of the packets bear authentication, the rest is TLS,
 *		HTTP, SMB2, LDAP and DNS; many flows at once, a tenth of them IPv6, and 9 % of the
 *		packets on ports that tell nothing
 *	auth	Kerberos to the KDCs and nothing else, over UDP and TCP: 5,000 requests in a
 *		second of packet time, each with its answer; every ticket is another
 *	small	60-byte frames (64 with the FCS): UDP datagrams and TCP ACKs of 100,000 flows
 *	flood	TCP SYNs, each from a random address
 *	web	HTTP/1.1 that is kept alive: pages, JSON (plain, gzip, chunked) and calls, half of all requests with a
 *		bearer token; three issuers whose discovery documents and keys come first; codes, refresh
 *		tokens and ID tokens; each access token is issued and then used 4 to 24 times
 *	rs256	documents and keys, then calls and nothing else, each with a token that was issued elsewhere: another
 *		one each time, or one of --tokens N
 *	es256	the same, by another algorithm
 *
 * --seconds is packet time. With --loop the same N packets come again and again, while time goes on.
 *
 * How it works: a fixed number of slots each play a script (a TLS session, a logon, ...) one packet
 * at a time, and each packet comes from a slot chosen at random, so the flows interleave. A script
 * opens connections one after the other; a connection asks its `next` function for one message at a
 * time and cuts it into segments. A logon is AS-REQ, KRB-ERROR 25, AS-REQ, AS-REP, then for each
 * service TGS-REQ with the ticket just issued, TGS-REP, and one or two presentations to the service
 * by SMB2, HTTP or LDAP. Everything is well-formed DER; only what would be encrypted is random
 * bytes. JWTs are really signed, by keys made of the seed (tokens.c); that takes 0.3 ms each, so no more than
 * SIGNED_MAX are made, after which everybody goes on with the last one. Names are invented.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "tokens.h"

/* clang-format off */
enum {
	/* pcap-savefile(5) */
	PCAP_FILE_HEADER	= 24,
	PCAP_RECORD_HEADER	= 16,
	PCAP_LINK_ETHERNET	= 1,
	PCAP_SNAPLEN		= 262144,

	/* IEEE 802.3, RFC 791, RFC 8200, RFC 768, RFC 9293 */
	ETH_HEADER		= 14,
	ETH_MIN			= 60,
	ETH_MTU			= 1500,
	ETHERTYPE_IPV4		= 0x0800,
	ETHERTYPE_IPV6		= 0x86dd,
	IPV4_HEADER		= 20,
	IPV6_HEADER		= 40,
	IPV4_DONT_FRAGMENT	= 0x4000,
	IP_TTL			= 64,
	IPPROTO_IS_TCP		= 6,
	IPPROTO_IS_UDP		= 17,
	UDP_HEADER		= 8,
	TCP_HEADER		= 20,
	TCP_MSS_OPTION		= 4,
	TCP_WINDOW		= 64240,
	TCP_FIN			= 0x01,
	TCP_SYN			= 0x02,
	TCP_PSH			= 0x08,
	TCP_ACK			= 0x10,

	PORT_DNS		= 53,
	PORT_HTTP		= 80,
	PORT_KERBEROS		= 88,
	PORT_LDAP		= 389,
	PORT_HTTPS		= 443,
	PORT_SMB		= 445,
	PORT_HTTP_ALT		= 8080,
	PORT_HTTPS_ALT		= 8443,

	/* X.690 section 8.1.2 */
	DER_BOOLEAN		= 0x01,
	DER_INTEGER		= 0x02,
	DER_BIT_STRING		= 0x03,
	DER_OCTET_STRING	= 0x04,
	DER_ENUMERATED		= 0x0a,
	DER_GENERALIZED_TIME	= 0x18,
	DER_GENERAL_STRING	= 0x1b,
	DER_SEQUENCE		= 0x30,
	DER_APPLICATION		= 0x60,
	DER_CONTEXT		= 0xa0,

	/* RFC 4120 sections 5.10 and 7.5, RFC 3962 */
	KRB_PVNO		= 5,
	KRB_TICKET		= 1,
	KRB_AS_REQ		= 10,
	KRB_AS_REP		= 11,
	KRB_TGS_REQ		= 12,
	KRB_TGS_REP		= 13,
	KRB_AP_REQ		= 14,
	KRB_AP_REP		= 15,
	KRB_ERROR		= 30,
	KDC_ERR_PREAUTH_REQUIRED = 25,
	PA_TGS_REQ		= 1,
	PA_ENC_TIMESTAMP	= 2,
	PA_ETYPE_INFO2		= 19,
	PA_PAC_REQUEST		= 128,	/* MS-KILE section 2.2.3 */
	PA_PAC_OPTIONS		= 167,	/* MS-KILE section 2.2.10 */
	NT_PRINCIPAL		= 1,
	NT_SRV_INST		= 2,
	ETYPE_RC4		= 23,
	ETYPE_AES128		= 17,
	ETYPE_AES256		= 18,
	ADDRESS_NETBIOS		= 20,
	NETBIOS_NAME		= 16,

	/* MS-SMB2 section 2.2.1 and the commands' own sections */
	SMB2_HEADER		= 64,
	SMB2_NEGOTIATE		= 0,
	SMB2_SESSION_SETUP	= 1,
	SMB2_TREE_CONNECT	= 3,
	SMB2_CREATE		= 5,
	SMB2_READ		= 8,
	SMB2_WRITE		= 9,
	SMB2_FLAG_RESPONSE	= 0x1,
	SMB2_FLAG_SIGNED	= 0x8,
	SMB2_DIALECT_302	= 0x0302,
	SMB2_FILE_ID		= 16,
	SMB2_MAX_IO		= 1 << 20,

	/* RFC 4511 */
	LDAP_BIND_REQUEST	= 0x60,
	LDAP_BIND_RESPONSE	= 0x61,
	LDAP_AUTH_SASL		= 0xa3,
	LDAP_SERVER_CREDS	= 0x87,

	/* RFC 8446, RFC 6066 */
	TLS_HANDSHAKE		= 22,
	TLS_APPLICATION		= 23,
	TLS_CLIENT_HELLO	= 1,
	TLS_SERVER_HELLO	= 2,
	TLS_RECORD_HEADER	= 5,
	TLS_RECORD_MAX		= 16384,
	TLS_HELLO_BYTES		= 512,	/* what browsers pad a ClientHello to */
};

/* The shape of the network and of the capture. */
enum {
	N_CLIENTS		= 12288,
	N_REALMS		= 4,
	N_KDCS			= 2,		/* of each realm */
	N_FILE_SERVERS		= 32,		/* of each realm */
	N_WEB_SERVERS		= 32,		/* of each realm */
	N_INTERNET		= 60000,
	N_RESOLVERS		= 4,
	PORT_FIRST		= 16384,	/* ephemeral ports of the clients */
	PORT_LAST		= 65535,
	SLOTS_MIN		= 32,
	SLOTS_MAX		= 4096,
	SLOTS_AUTH		= 256,		/* a KDC answers in milliseconds: few requests wait */
	PACKETS_PER_SLOT	= 900,		/* enough for a slot to play many scripts */
	MIX_GAP_US		= 20,
	AUTH_GAP_US		= 31,		/* 6.45 packets for a request, 5,000 requests a second */
	PORT_UNKNOWN_FIRST	= 9000,
	PORT_UNKNOWN_LAST	= 9999,
	N_SMALL_FLOWS		= 100000,
	N_FLOOD_TARGETS		= 16,
	WEB_GAP_US		= 30,
	N_ISSUERS		= 3,		/* of tokens: the first realms */
	ISSUER_ES256		= 2,		/* the others sign by RS256 */
	KEYS_OF_ISSUER		= 2,
	N_APIS			= 16,		/* of each issuer */
	N_APPS			= 24,
	TOKEN_LIFE		= 3600,
	SIGNED_MAX		= 100000,
	N_DOCS			= 512,
	DOC_ROOM		= 64 << 10,
	CHUNK_BYTES		= 4096,
	OUT_BYTES		= 4 << 20,
	POOL_BYTES		= 1 << 20,	/* payload is from a random place in a pool */
	BODY_MAX		= 128 << 10,
	HEAD_BYTES		= 4096,		/* longest message built byte by byte */
	DER_BYTES		= 4096,
	MEAN_MIX_FRAME		= 610,
};
/* clang-format on */

static const uint64_t EPOCH_US = 1767258000u * 1000000ull; /* 2026-01-01 09:00:00 UTC */

static const struct realm {
	const char *name;
	const char *domain;
	unsigned krbtgt_kvno;
} realms[N_REALMS] = {
	{ "CORP.EXAMPLE", "corp.example", 3 },
	{ "EAST.CORP.EXAMPLE", "east.corp.example", 5 },
	{ "PLANT.EXAMPLE", "plant.example", 4 },
	{ "LAB.EXAMPLE", "lab.example", 7 },
};

/* ---- byte order ---- */

static inline void put_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, v >> 16);
	put_be16(p + 2, v);
}

static inline void put_le16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, v);
	put_le16(p + 2, v >> 16);
}

/* ---- the output file ---- */

struct out {
	int fd;
	int err; /* errno of the write that failed, 0 while all is well */
	uint8_t *mem;
	size_t len;
	uint64_t n_bytes; /* of the whole file so far */
	uint64_t n_packets;
};

static void out_flush(struct out *o)
{
	size_t done = 0;

	while (done < o->len && o->err == 0) {
		ssize_t n = write(o->fd, o->mem + done, o->len - done);

		if (n < 0 && errno != EINTR)
			o->err = errno;
		else if (n > 0)
			done += (size_t)n;
	}
	o->len = 0;
}

/** Room for n bytes, which the caller fills. */
static inline uint8_t *out_room(struct out *o, size_t n)
{
	if (o->len + n > OUT_BYTES)
		out_flush(o);

	uint8_t *p = o->mem + o->len;

	o->len += n;
	o->n_bytes += n;
	return p;
}

static void out_file_header(struct out *o)
{
	uint8_t *p = out_room(o, PCAP_FILE_HEADER);

	memset(p, 0, PCAP_FILE_HEADER);
	put_le32(p, 0xa1b2c3d4);
	put_le16(p + 4, 2);
	put_le16(p + 6, 4);
	put_le32(p + 16, PCAP_SNAPLEN);
	put_le32(p + 20, PCAP_LINK_ETHERNET);
}

/* ---- the generator, its slots, connections and messages ---- */

enum role {
	ROLE_CLIENT = 1,
	ROLE_KDC,
	ROLE_FILE_SERVER,
	ROLE_WEB_SERVER,
	ROLE_RESOLVER,
	ROLE_INTERNET,
	ROLE_FLOOD,
	ROLE_ISSUER,
	ROLE_API,
};

enum { FROM_CLIENT, FROM_SERVER };

/* What the connection emits next. */
enum phase {
	PHASE_CLOSED,
	PHASE_SYN,
	PHASE_SYN_ACK,
	PHASE_ACK,
	PHASE_DATA,
	PHASE_DATA_ACK,
	PHASE_FIN_ACK,
	PHASE_LAST_ACK,
	PHASE_DATAGRAM,
};

struct conn {
	uint8_t mac[2][6];
	uint8_t addr[2][16]; /* IPv4: the first 4 bytes */
	uint16_t port[2];
	bool v6;
	bool tcp;
	uint16_t ip_id;
	uint32_t pseudo_sum; /* addresses and protocol, for the L4 checksum */
	uint32_t seq[2];     /* next to send, per direction */
	enum phase phase;
	unsigned n_unacked; /* segments since the other side last sent */
};

/* One message: bytes built in head, then body bytes borrowed from a pool. */
struct message {
	unsigned dir;
	bool auth; /* head is part of an authentication */
	size_t n_head;
	size_t n_body;
	size_t sent;
	const uint8_t *body;
	uint8_t head[HEAD_BYTES];
};

enum service {
	SERVICE_KRBTGT,
	SERVICE_CIFS,
	SERVICE_HTTP,
	SERVICE_LDAP,
};

struct ticket {
	enum service service;
	uint32_t server; /* index within the realm */
	uint32_t kvno;
	uint64_t seed; /* the cipher text is what rng_fill makes of it */
	size_t n_cipher;
};

enum stage { STAGE_AS_FIRST, STAGE_AS_SECOND, STAGE_TGS, STAGE_PRESENT };

struct gen;

struct slot {
	struct conn conn;
	bool (*plan)(
	        struct gen *, struct slot *); /* opens the script's next connection, or false */
	bool (*next)(
	        struct gen *, struct slot *); /* makes the connection's next message, or false */
	unsigned turn;                        /* messages of this connection so far */
	unsigned n_turns;
	uint32_t io_left; /* bytes still to come in this answer */
	uint32_t io_size;
	bool io_write;
	bool v6;
	bool udp; /* talks to the KDC by UDP */
	uint32_t user;
	uint32_t realm;
	enum stage stage;
	unsigned n_services; /* still to visit */
	unsigned n_present;  /* further presentations of this ticket */
	struct ticket tgt;
	struct ticket ticket;
	uint32_t peer; /* host of the running connection, for names */
	uint64_t session_id;
	bool chunked; /* the server has not sent its last chunk */
	const uint8_t *chunk;
	size_t n_chunk;
	struct message msg;
};

struct counts {
	uint64_t flows, auth_packets, kdc_packets, v6_packets, unknown_packets;
	uint64_t as_req, tgs_req, smb, http, ldap, tickets;
	uint64_t requests, bearer, tokens;
};

/* Writes DER from the end of mem to its start, so that each length is known when it is written. */
struct der {
	size_t pos;
	uint8_t mem[DER_BYTES];
};

struct gen {
	struct rng rng;
	struct out out;
	struct counts n;
	struct der der;
	uint64_t now_us;
	uint32_t gap_us; /* mean time between packets */
	bool kdc_only;
	struct web *web;   /* of kinds web, rs256, es256 */
	uint32_t n_tokens; /* --tokens */
	uint16_t next_port[N_CLIENTS];
	uint8_t *noise; /* POOL_BYTES + BODY_MAX of random bytes */
	uint8_t *text;  /* the same of words and line ends */
};

/* ---- frames ---- */

static inline size_t ip_header_len(const struct conn *c)
{
	return c->v6 ? IPV6_HEADER : IPV4_HEADER;
}

static inline size_t l4_header_len(const struct conn *c, unsigned flags)
{
	if (!c->tcp)
		return UDP_HEADER;
	return flags & TCP_SYN ? TCP_HEADER + TCP_MSS_OPTION : TCP_HEADER;
}

static inline size_t max_segment(const struct conn *c)
{
	return ETH_MTU - TCP_HEADER - ip_header_len(c);
}

/** The sum, not yet folded, of 16-bit words in the machine's own order (RFC 1071). */
static inline uint64_t sum_bytes(const uint8_t *p, size_t n)
{
	uint64_t sum = 0, more = 0;

	for (; n >= 16; n -= 16, p += 16) {
		uint64_t a, b;

		memcpy(&a, p, sizeof a);
		memcpy(&b, p + 8, sizeof b);
		sum += (a & 0xffffffffu) + (a >> 32);
		more += (b & 0xffffffffu) + (b >> 32);
	}
	for (; n >= 2; n -= 2, p += 2) {
		uint16_t a;

		memcpy(&a, p, sizeof a);
		sum += a;
	}
	if (n == 1) {
		uint8_t last[2] = { *p, 0 };
		uint16_t a;

		memcpy(&a, last, sizeof a);
		sum += a;
	}
	return sum + more;
}

static inline uint32_t sum_fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

static inline void put_checksum(uint8_t *p, uint64_t sum)
{
	uint16_t v = (uint16_t)~sum_fold(sum);

	memcpy(p, &v, sizeof v);
}

static inline uint8_t *put_ip(uint8_t *p, struct conn *c, unsigned dir, size_t n_segment)
{
	uint32_t protocol = c->tcp ? IPPROTO_IS_TCP : IPPROTO_IS_UDP;

	if (c->v6) {
		put_be32(p, 0x60000000);
		put_be16(p + 4, (uint32_t)n_segment);
		p[6] = (uint8_t)protocol;
		p[7] = IP_TTL;
		memcpy(p + 8, c->addr[dir], 16);
		memcpy(p + 24, c->addr[1 - dir], 16);
		return p + IPV6_HEADER;
	}
	put_be16(p, 0x4500);
	put_be16(p + 2, (uint32_t)(IPV4_HEADER + n_segment));
	put_be16(p + 4, c->ip_id++);
	put_be16(p + 6, IPV4_DONT_FRAGMENT);
	put_be16(p + 8, (uint32_t)IP_TTL << 8 | protocol);
	put_be16(p + 10, 0);
	memcpy(p + 12, c->addr[dir], 4);
	memcpy(p + 16, c->addr[1 - dir], 4);
	put_checksum(p + 10, sum_bytes(p, IPV4_HEADER));
	return p + IPV4_HEADER;
}

/** Writes the TCP or UDP header with a zero checksum, for n bytes of payload. */
static inline void put_l4(uint8_t *p, const struct conn *c, unsigned dir, unsigned flags, size_t n)
{
	put_be16(p, c->port[dir]);
	put_be16(p + 2, c->port[1 - dir]);
	if (!c->tcp) {
		put_be16(p + 4, (uint32_t)(UDP_HEADER + n));
		put_be16(p + 6, 0);
		return;
	}
	put_be32(p + 4, c->seq[dir]);
	put_be32(p + 8, flags & TCP_ACK ? c->seq[1 - dir] : 0);
	put_be16(p + 12, (uint32_t)(l4_header_len(c, flags) / 4) << 12 | flags);
	put_be16(p + 14, TCP_WINDOW);
	put_be32(p + 16, 0);
	if (flags & TCP_SYN)
		put_be32(p + TCP_HEADER, 0x02040000 | (uint32_t)max_segment(c));
}

/** Writes one packet of c and moves its sequence number. The payload is head, then body. */
static void emit(struct gen *g, struct conn *c, unsigned dir, unsigned flags, const uint8_t *head,
        size_t n_head, const uint8_t *body, size_t n_body)
{
	size_t n_payload = n_head + n_body;
	size_t n_l4 = l4_header_len(c, flags);
	size_t n_frame = ETH_HEADER + ip_header_len(c) + n_l4 + n_payload;
	size_t n_padded = n_frame < ETH_MIN ? ETH_MIN : n_frame;
	uint8_t *p = out_room(&g->out, PCAP_RECORD_HEADER + n_padded);
	size_t checksum_at = c->tcp ? 16 : 6;

	assert(n_frame <= ETH_HEADER + ETH_MTU);
	g->now_us += rng_range(&g->rng, 1, 2 * g->gap_us - 1);
	put_le32(p, (uint32_t)(g->now_us / 1000000));
	put_le32(p + 4, (uint32_t)(g->now_us % 1000000));
	put_le32(p + 8, (uint32_t)n_padded);
	put_le32(p + 12, (uint32_t)n_padded);
	p += PCAP_RECORD_HEADER;
	memset(p + n_frame, 0, n_padded - n_frame);

	memcpy(p, c->mac[1 - dir], 6);
	memcpy(p + 6, c->mac[dir], 6);
	put_be16(p + 12, c->v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4);
	p = put_ip(p + ETH_HEADER, c, dir, n_l4 + n_payload);
	put_l4(p, c, dir, flags, n_payload);
	if (n_head > 0)
		memcpy(p + n_l4, head, n_head);
	if (n_body > 0)
		memcpy(p + n_l4 + n_head, body, n_body);

	uint8_t length[2];

	put_be16(length, (uint32_t)(n_l4 + n_payload));
	put_checksum(p + checksum_at,
	        c->pseudo_sum + sum_bytes(length, 2) + sum_bytes(p, n_l4 + n_payload));
	if (!c->tcp && p[6] == 0 && p[7] == 0)
		put_be16(p + 6, 0xffff);

	if (c->tcp)
		c->seq[dir] += (uint32_t)n_payload + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
	g->out.n_packets++;
	g->n.v6_packets += c->v6;
}

/* ---- hosts and connections ---- */

static void conn_set_host(struct conn *c, unsigned side, enum role role, uint32_t n)
{
	uint8_t *a = c->addr[side], *m = c->mac[side];

	if (c->v6) {
		put_be32(a, 0x20010db8); /* RFC 3849 */
		put_be32(a + 4, (uint32_t)role);
		put_be32(a + 8, 0);
		put_be32(a + 12, n + 1);
	} else if (role == ROLE_INTERNET) {
		put_be32(a, 0xc6120000u + n + 1); /* 198.18.0.0/15, RFC 2544 */
	} else {
		put_be32(a, 0x0a000000u + ((uint32_t)role << 16) + n + 1);
	}
	/* the internet is behind one router; 02 marks a locally administered address */
	put_be16(m, 0x0200 + (uint32_t)role);
	put_be32(m + 2, role == ROLE_INTERNET ? 1 : n + 1);
}

static void conn_seal(struct conn *c)
{
	uint8_t protocol[2] = { 0, c->tcp ? IPPROTO_IS_TCP : IPPROTO_IS_UDP };
	size_t n = c->v6 ? 16 : 4;

	c->pseudo_sum = sum_fold(
	        sum_bytes(c->addr[0], n) + sum_bytes(c->addr[1], n) + sum_bytes(protocol, 2));
}

static uint16_t client_port(struct gen *g, uint32_t client)
{
	uint16_t *p = &g->next_port[client];

	*p = *p == 0 || *p == PORT_LAST ? PORT_FIRST : (uint16_t)(*p + 1);
	return *p;
}

/** Opens the next connection of s, from its user's host; next makes its messages. */
static void conn_open(struct gen *g, struct slot *s, bool tcp, enum role role, uint32_t server,
        uint32_t port, bool (*next)(struct gen *, struct slot *))
{
	struct conn *c = &s->conn;

	c->v6 = s->v6;
	c->tcp = tcp;
	c->port[FROM_CLIENT] = client_port(g, s->user % N_CLIENTS);
	c->port[FROM_SERVER] = (uint16_t)port;
	conn_set_host(c, FROM_CLIENT, ROLE_CLIENT, s->user % N_CLIENTS);
	conn_set_host(c, FROM_SERVER, role, server);
	conn_seal(c);
	c->ip_id = (uint16_t)rng_next(&g->rng);
	c->seq[0] = (uint32_t)rng_next(&g->rng);
	c->seq[1] = (uint32_t)rng_next(&g->rng);
	c->n_unacked = 0;
	s->peer = server;
	s->next = next;
	s->turn = 0;
	s->io_left = 0;
	g->n.flows++;
	c->phase = PHASE_SYN;
	if (!tcp)
		c->phase = next(g, s) ? PHASE_DATAGRAM : PHASE_CLOSED;
}

/* ---- messages ---- */

static void msg_begin(struct slot *s, unsigned dir)
{
	s->msg.dir = dir;
	s->msg.auth = false;
	s->msg.n_head = 0;
	s->msg.n_body = 0;
	s->msg.sent = 0;
}

static void msg_put(struct slot *s, const void *bytes, size_t n)
{
	assert(n <= HEAD_BYTES - s->msg.n_head);
	memcpy(s->msg.head + s->msg.n_head, bytes, n);
	s->msg.n_head += n;
}

static void msg_text(struct slot *s, const char *text)
{
	msg_put(s, text, strlen(text));
}

static void msg_be(struct slot *s, uint64_t v, unsigned n)
{
	uint8_t b[8];

	for (unsigned i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
	msg_put(s, b, n);
}

static void msg_le(struct slot *s, uint64_t v, unsigned n)
{
	uint8_t b[8];

	for (unsigned i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	msg_put(s, b, n);
}

static void msg_zero(struct slot *s, size_t n)
{
	assert(n <= HEAD_BYTES - s->msg.n_head);
	memset(s->msg.head + s->msg.n_head, 0, n);
	s->msg.n_head += n;
}

static void msg_noise(struct gen *g, struct slot *s, size_t n)
{
	assert(n <= HEAD_BYTES - s->msg.n_head);
	rng_fill(&g->rng, s->msg.head + s->msg.n_head, n);
	s->msg.n_head += n;
}

static void msg_body(struct gen *g, struct slot *s, const uint8_t *pool, size_t n)
{
	assert(n <= BODY_MAX);
	s->msg.body = pool + rng_below(&g->rng, POOL_BYTES);
	s->msg.n_body = n;
}

static void msg_base64(struct slot *s, const uint8_t *p, size_t n)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; n > 0; p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) |
		             (n > 2 ? (uint32_t)p[2] : 0);
		char quad[4] = { digits[v >> 18], digits[v >> 12 & 63],
			n > 1 ? digits[v >> 6 & 63] : '=', n > 2 ? digits[v & 63] : '=' };

		msg_put(s, quad, sizeof quad);
		n -= n > 3 ? 3 : n;
	}
}

/* ---- DER, back to front: the last field of a sequence is written first ---- */

static void der_begin(struct der *d)
{
	d->pos = DER_BYTES;
}

static const uint8_t *der_bytes(const struct der *d)
{
	return d->mem + d->pos;
}

static size_t der_len(const struct der *d)
{
	return DER_BYTES - d->pos;
}

static uint8_t *der_room(struct der *d, size_t n)
{
	assert(n <= d->pos);
	d->pos -= n;
	return d->mem + d->pos;
}

static void der_put(struct der *d, const void *bytes, size_t n)
{
	memcpy(der_room(d, n), bytes, n);
}

/** Puts tag and length before all that was written since pos was `end`. */
static void der_head(struct der *d, uint32_t tag, size_t end)
{
	size_t n = end - d->pos;

	if (n < 0x80) {
		*der_room(d, 1) = (uint8_t)n;
	} else if (n <= 0xff) {
		put_be16(der_room(d, 2), 0x8100 | (uint32_t)n);
	} else {
		put_be16(der_room(d, 2), (uint32_t)n);
		*der_room(d, 1) = 0x82;
	}
	*der_room(d, 1) = (uint8_t)tag;
}

/** Puts [n] before all that was written since pos was `end`. */
static void der_context(struct der *d, unsigned n, size_t end)
{
	der_head(d, DER_CONTEXT | n, end);
}

static void der_primitive(struct der *d, uint32_t tag, const void *bytes, size_t n)
{
	size_t end = d->pos;

	der_put(d, bytes, n);
	der_head(d, tag, end);
}

static void der_text(struct der *d, uint32_t tag, const char *text)
{
	der_primitive(d, tag, text, strlen(text));
}

static void der_integer(struct der *d, uint32_t v)
{
	size_t end = d->pos;

	do
		*der_room(d, 1) = (uint8_t)v;
	while ((v >>= 8) != 0);
	if (*der_bytes(d) & 0x80)
		*der_room(d, 1) = 0;
	der_head(d, DER_INTEGER, end);
}

static void der_context_integer(struct der *d, unsigned n, uint32_t v)
{
	size_t end = d->pos;

	der_integer(d, v);
	der_context(d, n, end);
}

static void der_context_text(struct der *d, unsigned n, uint32_t tag, const char *text)
{
	size_t end = d->pos;

	der_text(d, tag, text);
	der_context(d, n, end);
}

/** KerberosFlags: a BIT STRING of 32 bits. */
static void der_context_flags(struct der *d, unsigned n, uint32_t flags)
{
	size_t end = d->pos;

	put_be32(der_room(d, 4), flags);
	*der_room(d, 1) = 0;
	der_head(d, DER_BIT_STRING, end);
	der_context(d, n, end);
}

/* ---- Kerberos, RFC 4120 section 5 ---- */

/** EncryptedData; kvno 0 leaves it out. */
static void krb_encrypted(struct der *d, uint32_t kvno, struct rng *noise, size_t n_cipher)
{
	size_t end = d->pos;

	rng_fill(noise, der_room(d, n_cipher), n_cipher);
	der_head(d, DER_OCTET_STRING, end);
	der_context(d, 2, end);
	if (kvno != 0)
		der_context_integer(d, 1, kvno);
	der_context_integer(d, 0, ETYPE_AES256);
	der_head(d, DER_SEQUENCE, end);
}

/** PrincipalName of one or two (second not NULL) components, in [n]. */
static void krb_name(
        struct der *d, unsigned n, uint32_t type, const char *first, const char *second)
{
	size_t end = d->pos;

	if (second != NULL)
		der_text(d, DER_GENERAL_STRING, second);
	der_text(d, DER_GENERAL_STRING, first);
	der_head(d, DER_SEQUENCE, end);
	der_context(d, 1, end);
	der_context_integer(d, 0, type);
	der_head(d, DER_SEQUENCE, end);
	der_context(d, n, end);
}

static void krb_cname(struct der *d, unsigned n, const struct slot *s)
{
	char name[32];

	snprintf(name, sizeof name, "user%05" PRIu32, s->user);
	krb_name(d, n, NT_PRINCIPAL, name, NULL);
}

static void host_name(char *to, size_t size, enum service service, uint32_t server, uint32_t realm)
{
	const char *kind = service == SERVICE_CIFS   ? "files"
	                   : service == SERVICE_HTTP ? "web"
	                                             : "dc";

	snprintf(to, size, "%s%02" PRIu32 ".%s", kind, server + 1, realms[realm].domain);
}

static void krb_sname(struct der *d, unsigned n, const struct slot *s, const struct ticket *t)
{
	static const char *const first[] = {
		[SERVICE_KRBTGT] = "krbtgt",
		[SERVICE_CIFS] = "cifs",
		[SERVICE_HTTP] = "HTTP",
		[SERVICE_LDAP] = "ldap",
	};
	char host[64];

	host_name(host, sizeof host, t->service, t->server, s->realm);
	krb_name(d, n, NT_SRV_INST, first[t->service],
	        t->service == SERVICE_KRBTGT ? realms[s->realm].name : host);
}

static void krb_ticket(struct der *d, unsigned n, const struct slot *s, const struct ticket *t)
{
	struct rng noise = { t->seed };
	size_t end = d->pos;

	krb_encrypted(d, t->kvno, &noise, t->n_cipher);
	der_context(d, 3, end);
	krb_sname(d, 2, s, t);
	der_context_text(d, 1, DER_GENERAL_STRING, realms[s->realm].name);
	der_context_integer(d, 0, KRB_PVNO);
	der_head(d, DER_SEQUENCE, end);
	der_head(d, DER_APPLICATION | KRB_TICKET, end);
	der_context(d, n, end);
}

/** Makes `t` a ticket just issued: its cipher text is new. */
static void ticket_issue(struct gen *g, struct slot *s, struct ticket *t)
{
	t->seed = rng_next(&g->rng);
	g->n.tickets++;
	/* what goes by UDP must fit one datagram, reply and next request alike */
	t->n_cipher = s->udp ? rng_range(&g->rng, 880, 920) : rng_range(&g->rng, 1000, 2000);
	t->kvno = t->service == SERVICE_KRBTGT ? realms[s->realm].krbtgt_kvno
	          : t->service == SERVICE_LDAP ? 2 + s->realm
	                                       : 1 + t->server % 6;
}

/** AP-REQ with ticket `t`; mutual sets mutual-required in ap-options. */
static void krb_ap_req(struct gen *g, const struct slot *s, const struct ticket *t, bool mutual)
{
	struct der *d = &g->der;
	size_t end = d->pos;

	krb_encrypted(d, 0, &g->rng, rng_range(&g->rng, 120, s->udp ? 140 : 180));
	der_context(d, 4, end);
	krb_ticket(d, 3, s, t);
	der_context_flags(d, 2, mutual ? 0x20000000 : 0);
	der_context_integer(d, 1, KRB_AP_REQ);
	der_context_integer(d, 0, KRB_PVNO);
	der_head(d, DER_SEQUENCE, end);
	der_head(d, DER_APPLICATION | KRB_AP_REQ, end);
}

static void krb_ap_rep(struct gen *g)
{
	struct der *d = &g->der;
	size_t end = d->pos;

	krb_encrypted(d, 0, &g->rng, 108);
	der_context(d, 2, end);
	der_context_integer(d, 1, KRB_AP_REP);
	der_context_integer(d, 0, KRB_PVNO);
	der_head(d, DER_SEQUENCE, end);
	der_head(d, DER_APPLICATION | KRB_AP_REP, end);
}

/** Closes a PA-DATA whose padata-value was written since pos was `end`. */
static void krb_padata(struct der *d, uint32_t type, size_t end)
{
	der_head(d, DER_OCTET_STRING, end);
	der_context(d, 2, end);
	der_context_integer(d, 1, type);
	der_head(d, DER_SEQUENCE, end);
}

static void krb_pa_etype_info2(struct der *d, const struct slot *s)
{
	char salt[64];
	size_t end = d->pos;

	snprintf(salt, sizeof salt, "%suser%05" PRIu32, realms[s->realm].name, s->user);
	der_context_text(d, 1, DER_GENERAL_STRING, salt);
	der_context_integer(d, 0, ETYPE_AES256);
	der_head(d, DER_SEQUENCE, end);
	der_head(d, DER_SEQUENCE, end);
	krb_padata(d, PA_ETYPE_INFO2, end);
}

static void krb_pa_pac_request(struct der *d)
{
	static const uint8_t include_pac = 0xff;
	size_t end = d->pos;

	der_primitive(d, DER_BOOLEAN, &include_pac, 1);
	der_context(d, 0, end);
	der_head(d, DER_SEQUENCE, end);
	krb_padata(d, PA_PAC_REQUEST, end);
}

static void krb_addresses(struct der *d, const struct slot *s)
{
	char name[NETBIOS_NAME + 1];
	size_t end = d->pos;

	snprintf(name, sizeof name, "WS%05" PRIu32 "         ", s->user % N_CLIENTS);
	der_primitive(d, DER_OCTET_STRING, name, NETBIOS_NAME);
	der_context(d, 1, end);
	der_context_integer(d, 0, ADDRESS_NETBIOS);
	der_head(d, DER_SEQUENCE, end);
	der_head(d, DER_SEQUENCE, end);
	der_context(d, 9, end);
}

/** KDC-REQ-BODY in [4]; `t` is what is asked for. */
static void krb_req_body(struct gen *g, const struct slot *s, const struct ticket *t)
{
	static const uint32_t etypes[] = { ETYPE_RC4, ETYPE_AES128, ETYPE_AES256 };
	struct der *d = &g->der;
	bool as = t->service == SERVICE_KRBTGT;
	size_t end = d->pos;

	if (as)
		krb_addresses(d, s);

	size_t list_end = d->pos;

	for (size_t i = 0; i < sizeof etypes / sizeof etypes[0]; i++)
		der_integer(d, etypes[i]);
	der_head(d, DER_SEQUENCE, list_end);
	der_context(d, 8, list_end);
	der_context_integer(d, 7, (uint32_t)rng_next(&g->rng) >> 1);
	if (as)
		der_context_text(d, 6, DER_GENERALIZED_TIME, "20370913024805Z");
	der_context_text(d, 5, DER_GENERALIZED_TIME, "20370913024805Z");
	krb_sname(d, 3, s, t);
	der_context_text(d, 2, DER_GENERAL_STRING, realms[s->realm].name);
	if (as)
		krb_cname(d, 1, s);
	der_context_flags(d, 0, as ? 0x40810010 : 0x40810000);
	der_head(d, DER_SEQUENCE, end);
	der_context(d, 4, end);
}

/** Closes a KDC-REQ whose padata were written since pos was `pa_end` and its body before. */
static void krb_req_close(struct der *d, uint32_t type, size_t pa_end)
{
	der_head(d, DER_SEQUENCE, pa_end);
	der_context(d, 3, pa_end);
	der_context_integer(d, 2, type);
	der_context_integer(d, 1, KRB_PVNO);
	der_head(d, DER_SEQUENCE, DER_BYTES);
	der_head(d, DER_APPLICATION | type, DER_BYTES);
}

static void krb_as_req(struct gen *g, const struct slot *s, bool preauth)
{
	struct der *d = &g->der;

	der_begin(d);
	krb_req_body(g, s, &s->tgt);

	size_t pa_end = d->pos;

	krb_pa_pac_request(d);
	if (preauth) {
		size_t end = d->pos;

		krb_encrypted(d, 0, &g->rng, 56);
		krb_padata(d, PA_ENC_TIMESTAMP, end);
	}
	krb_req_close(d, KRB_AS_REQ, pa_end);
	g->n.as_req++;
}

static void krb_tgs_req(struct gen *g, const struct slot *s)
{
	struct der *d = &g->der;

	der_begin(d);
	krb_req_body(g, s, &s->ticket);

	size_t pa_end = d->pos;

	der_context_flags(d, 0, 0x40000000);
	der_head(d, DER_SEQUENCE, pa_end);
	krb_padata(d, PA_PAC_OPTIONS, pa_end);

	size_t end = d->pos;

	krb_ap_req(g, s, &s->tgt, false);
	krb_padata(d, PA_TGS_REQ, end);
	krb_req_close(d, KRB_TGS_REQ, pa_end);
	g->n.tgs_req++;
}

/** AS-REP or TGS-REP with ticket `t`. */
static void krb_rep(struct gen *g, const struct slot *s, const struct ticket *t)
{
	struct der *d = &g->der;
	bool as = t->service == SERVICE_KRBTGT;
	uint32_t type = as ? KRB_AS_REP : KRB_TGS_REP;

	der_begin(d);
	krb_encrypted(d, as ? 2 : 0, &g->rng, rng_range(&g->rng, 250, 280));
	der_context(d, 6, DER_BYTES);
	krb_ticket(d, 5, s, t);
	krb_cname(d, 4, s);
	der_context_text(d, 3, DER_GENERAL_STRING, realms[s->realm].name);
	if (as) {
		size_t end = d->pos;

		krb_pa_etype_info2(d, s);
		der_head(d, DER_SEQUENCE, end);
		der_context(d, 2, end);
	}
	der_context_integer(d, 1, type);
	der_context_integer(d, 0, KRB_PVNO);
	der_head(d, DER_SEQUENCE, DER_BYTES);
	der_head(d, DER_APPLICATION | type, DER_BYTES);
}

/** KRB-ERROR 25 with the METHOD-DATA that asks for an encrypted timestamp. */
static void krb_error(struct gen *g, const struct slot *s)
{
	struct der *d = &g->der;
	char stime[20];
	time_t now_s = (time_t)(g->now_us / 1000000);
	struct tm tm;

	der_begin(d);
	krb_padata(d, PA_ENC_TIMESTAMP, d->pos);
	krb_pa_etype_info2(d, s);
	der_head(d, DER_SEQUENCE, DER_BYTES);
	der_head(d, DER_OCTET_STRING, DER_BYTES);
	der_context(d, 12, DER_BYTES);
	krb_sname(d, 10, s, &s->tgt);
	der_context_text(d, 9, DER_GENERAL_STRING, realms[s->realm].name);
	der_context_integer(d, 6, KDC_ERR_PREAUTH_REQUIRED);
	der_context_integer(d, 5, (uint32_t)(g->now_us % 1000000));
	if (gmtime_r(&now_s, &tm) == NULL ||
	        strftime(stime, sizeof stime, "%Y%m%d%H%M%SZ", &tm) == 0)
		stime[0] = '\0';
	der_context_text(d, 4, DER_GENERALIZED_TIME, stime);
	der_context_integer(d, 1, KRB_ERROR);
	der_context_integer(d, 0, KRB_PVNO);
	der_head(d, DER_SEQUENCE, DER_BYTES);
	der_head(d, DER_APPLICATION | KRB_ERROR, DER_BYTES);
}

/* ---- GSS-API and SPNEGO, RFC 4121 and RFC 4178 ---- */

static const uint8_t oid_krb5[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02,
	0x02 };
static const uint8_t oid_ms_krb5[] = { 0x06, 0x09, 0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02,
	0x02 };
static const uint8_t oid_ntlmssp[] = { 0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02,
	0x02, 0x0a };
static const uint8_t oid_spnego[] = { 0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02 };

/** InitialContextToken of krb5 around what was written; token_id is 0x0100 or 0x0200. */
static void gss_krb5(struct der *d, uint32_t token_id)
{
	put_be16(der_room(d, 2), token_id);
	der_put(d, oid_krb5, sizeof oid_krb5);
	der_head(d, DER_APPLICATION, DER_BYTES);
	der_head(d, DER_OCTET_STRING, DER_BYTES);
	der_context(d, 2, DER_BYTES);
}

/** NegTokenInit around a mechToken already in place, or none. */
static void spnego_init_close(struct der *d)
{
	size_t end = d->pos;

	der_put(d, oid_ntlmssp, sizeof oid_ntlmssp);
	der_put(d, oid_krb5, sizeof oid_krb5);
	der_put(d, oid_ms_krb5, sizeof oid_ms_krb5);
	der_head(d, DER_SEQUENCE, end);
	der_context(d, 0, end);
	der_head(d, DER_SEQUENCE, DER_BYTES);
	der_context(d, 0, DER_BYTES);
	der_put(d, oid_spnego, sizeof oid_spnego);
	der_head(d, DER_APPLICATION, DER_BYTES);
}

/** The client's token: the service ticket of s presented. */
static void spnego_present(struct gen *g, const struct slot *s)
{
	der_begin(&g->der);
	krb_ap_req(g, s, &s->ticket, true);
	gss_krb5(&g->der, 0x0100);
	spnego_init_close(&g->der);
}

/** The server's token: accept-completed with an AP-REP. */
static void spnego_accept(struct gen *g)
{
	static const uint8_t accept_completed = 0;
	struct der *d = &g->der;

	der_begin(d);
	krb_ap_rep(g);
	gss_krb5(d, 0x0200);

	size_t end = d->pos;

	der_put(d, oid_krb5, sizeof oid_krb5);
	der_context(d, 1, end);
	end = d->pos;
	der_primitive(d, DER_ENUMERATED, &accept_completed, 1);
	der_context(d, 0, end);
	der_head(d, DER_SEQUENCE, DER_BYTES);
	der_context(d, 1, DER_BYTES);
}

/* ---- conversations with the KDC ---- */

/** Sends what is in g->der, after its length on TCP (RFC 4120 section 7.2.2). */
static void kdc_send(struct gen *g, struct slot *s, unsigned dir)
{
	msg_begin(s, dir);
	s->msg.auth = true;
	if (s->conn.tcp)
		msg_be(s, der_len(&g->der), 4);
	msg_put(s, der_bytes(&g->der), der_len(&g->der));
}

static bool next_as_first(struct gen *g, struct slot *s)
{
	if (s->turn == 2)
		return false;
	if (s->turn++ == 0) {
		krb_as_req(g, s, false);
		kdc_send(g, s, FROM_CLIENT);
	} else {
		krb_error(g, s);
		kdc_send(g, s, FROM_SERVER);
	}
	return true;
}

static bool next_as_second(struct gen *g, struct slot *s)
{
	if (s->turn == 2)
		return false;
	if (s->turn++ == 0) {
		krb_as_req(g, s, true);
		kdc_send(g, s, FROM_CLIENT);
	} else {
		ticket_issue(g, s, &s->tgt);
		krb_rep(g, s, &s->tgt);
		kdc_send(g, s, FROM_SERVER);
	}
	return true;
}

static bool next_tgs(struct gen *g, struct slot *s)
{
	if (s->turn == 2)
		return false;
	if (s->turn++ == 0) {
		krb_tgs_req(g, s);
		kdc_send(g, s, FROM_CLIENT);
	} else {
		ticket_issue(g, s, &s->ticket);
		krb_rep(g, s, &s->ticket);
		kdc_send(g, s, FROM_SERVER);
	}
	return true;
}

/* ---- SMB2, MS-SMB2 section 2.2 ---- */

/** NetBIOS session header and SMB2 header; n_rest bytes follow it. */
static void smb_header(struct gen *g, struct slot *s, unsigned dir, uint32_t command, size_t n_rest)
{
	bool established = command != SMB2_NEGOTIATE && command != SMB2_SESSION_SETUP;
	bool with_id = established || (command == SMB2_SESSION_SETUP && dir == FROM_SERVER);
	uint32_t flags = established ? SMB2_FLAG_SIGNED : 0;

	if (dir == FROM_SERVER)
		flags |= SMB2_FLAG_RESPONSE;

	msg_begin(s, dir);
	msg_be(s, SMB2_HEADER + n_rest, 4);
	msg_be(s, 0xfe534d42, 4);
	msg_le(s, SMB2_HEADER, 2);
	msg_le(s, command == SMB2_NEGOTIATE ? 0 : 1, 2); /* credit charge */
	msg_le(s, 0, 4);                                 /* status, channel sequence */
	msg_le(s, command, 2);
	msg_le(s, 32, 2); /* credits */
	msg_le(s, flags, 4);
	msg_le(s, 0, 4);           /* next command */
	msg_le(s, s->turn / 2, 8); /* message id */
	msg_le(s, 0xfeff, 4);
	msg_le(s, established ? 1 : 0, 4); /* tree id */
	msg_le(s, with_id ? s->session_id : 0, 8);
	if (established)
		msg_noise(g, s, 16);
	else
		msg_zero(s, 16);
}

static void smb_file_id(struct slot *s)
{
	msg_le(s, s->session_id ^ 0x5a5a5a5a, SMB2_FILE_ID / 2);
	msg_le(s, s->session_id ^ 0xa5a5a5a5, SMB2_FILE_ID / 2);
}

static void smb_negotiate(struct gen *g, struct slot *s, unsigned dir)
{
	static const uint16_t dialects[] = { 0x0202, 0x0210, 0x0300, SMB2_DIALECT_302 };
	const uint32_t n_dialects = sizeof dialects / sizeof dialects[0];

	if (dir == FROM_CLIENT) {
		smb_header(g, s, dir, SMB2_NEGOTIATE, 36 + 2 * n_dialects);
		msg_le(s, 36, 2);
		msg_le(s, n_dialects, 2);
		msg_le(s, 1, 4);    /* signing enabled */
		msg_le(s, 0x7f, 4); /* capabilities */
		msg_noise(g, s, 16);
		msg_zero(s, 8);
		for (uint32_t i = 0; i < n_dialects; i++)
			msg_le(s, dialects[i], 2);
		return;
	}
	der_begin(&g->der);
	spnego_init_close(&g->der);
	smb_header(g, s, dir, SMB2_NEGOTIATE, 64 + der_len(&g->der));
	msg_le(s, 65, 2);
	msg_le(s, 1, 2);
	msg_le(s, SMB2_DIALECT_302, 4);
	msg_noise(g, s, 16);
	msg_le(s, 0x2f, 4);
	for (unsigned i = 0; i < 3; i++)
		msg_le(s, SMB2_MAX_IO, 4);
	msg_le(s, (g->now_us + 11644473600000000u) * 10, 8); /* FILETIME */
	msg_zero(s, 8);
	msg_le(s, SMB2_HEADER + 64, 2);
	msg_le(s, der_len(&g->der), 2);
	msg_zero(s, 4);
	msg_put(s, der_bytes(&g->der), der_len(&g->der));
}

static void smb_session_setup(struct gen *g, struct slot *s, unsigned dir)
{
	const struct der *d = &g->der;

	if (dir == FROM_CLIENT) {
		spnego_present(g, s);
		smb_header(g, s, dir, SMB2_SESSION_SETUP, 24 + der_len(d));
		msg_le(s, 25, 2);
		msg_le(s, 0x0100, 2); /* flags 0, signing enabled */
		msg_le(s, 1, 4);
		msg_zero(s, 4);
		msg_le(s, SMB2_HEADER + 24, 2);
		msg_le(s, der_len(d), 2);
		msg_zero(s, 8);
		g->n.smb++;
	} else {
		spnego_accept(g);
		s->session_id = rng_next(&g->rng);
		smb_header(g, s, dir, SMB2_SESSION_SETUP, 8 + der_len(d));
		msg_le(s, 9, 2);
		msg_le(s, 0, 2);
		msg_le(s, SMB2_HEADER + 8, 2);
		msg_le(s, der_len(d), 2);
	}
	msg_put(s, der_bytes(d), der_len(d));
	s->msg.auth = true;
}

static void smb_utf16(struct slot *s, const char *text)
{
	for (; *text != '\0'; text++)
		msg_le(s, (uint8_t)*text, 2);
}

static void smb_tree_connect(struct gen *g, struct slot *s, unsigned dir)
{
	if (dir == FROM_SERVER) {
		smb_header(g, s, dir, SMB2_TREE_CONNECT, 16);
		msg_le(s, 16, 2);
		msg_le(s, 1, 2); /* a disk */
		msg_le(s, 0, 4);
		msg_le(s, 0, 4);
		msg_le(s, 0x001f01ff, 4);
		return;
	}

	char host[64], path[80];

	host_name(host, sizeof host, SERVICE_CIFS, s->peer % N_FILE_SERVERS, s->realm);
	snprintf(path, sizeof path, "\\\\%s\\share", host);
	smb_header(g, s, dir, SMB2_TREE_CONNECT, 8 + 2 * strlen(path));
	msg_le(s, 9, 2);
	msg_le(s, 0, 2);
	msg_le(s, SMB2_HEADER + 8, 2);
	msg_le(s, 2 * strlen(path), 2);
	smb_utf16(s, path);
}

static void smb_create(struct gen *g, struct slot *s, unsigned dir)
{
	char name[32];

	if (dir == FROM_SERVER) {
		smb_header(g, s, dir, SMB2_CREATE, 88);
		msg_le(s, 89, 2);
		msg_le(s, 0, 2);
		msg_le(s, 1, 4); /* opened */
		for (unsigned i = 0; i < 4; i++)
			msg_le(s, (g->now_us + 11644473600000000u) * 10, 8);
		msg_le(s, 1 << 28, 8);
		msg_le(s, 1 << 28, 8);
		msg_le(s, 0x20, 4);
		msg_zero(s, 4);
		smb_file_id(s);
		msg_zero(s, 8);
		return;
	}
	snprintf(name, sizeof name, "report-%05" PRIu32 ".dat", rng_below(&g->rng, 100000));
	smb_header(g, s, dir, SMB2_CREATE, 56 + 2 * strlen(name));
	msg_le(s, 57, 2);
	msg_zero(s, 2);
	msg_le(s, 2, 4); /* impersonation */
	msg_zero(s, 16);
	msg_le(s, 0x0012019f, 4);
	msg_le(s, 0x80, 4);
	msg_le(s, 7, 4);
	msg_le(s, 1, 4); /* open */
	msg_le(s, 0x40, 4);
	msg_le(s, SMB2_HEADER + 56, 2);
	msg_le(s, 2 * strlen(name), 2);
	msg_zero(s, 8);
	smb_utf16(s, name);
}

static void smb_read(struct gen *g, struct slot *s, unsigned dir)
{
	if (dir == FROM_CLIENT) {
		smb_header(g, s, dir, SMB2_READ, 49);
		msg_le(s, 49, 2);
		msg_le(s, 0x50, 2); /* where the data is wanted */
		msg_le(s, s->io_size, 4);
		msg_le(s, (uint64_t)s->turn * SMB2_MAX_IO, 8);
		smb_file_id(s);
		msg_zero(s, 17);
		return;
	}
	smb_header(g, s, dir, SMB2_READ, 16 + s->io_size);
	msg_le(s, 17, 2);
	msg_le(s, SMB2_HEADER + 16, 2);
	msg_le(s, s->io_size, 4);
	msg_zero(s, 8);
	msg_body(g, s, rng_percent(&g->rng, 50) ? g->text : g->noise, s->io_size);
}

static void smb_write(struct gen *g, struct slot *s, unsigned dir)
{
	if (dir == FROM_SERVER) {
		smb_header(g, s, dir, SMB2_WRITE, 16);
		msg_le(s, 17, 4);
		msg_le(s, s->io_size, 4);
		msg_zero(s, 8);
		return;
	}
	smb_header(g, s, dir, SMB2_WRITE, 48 + s->io_size);
	msg_le(s, 49, 2);
	msg_le(s, SMB2_HEADER + 48, 2);
	msg_le(s, s->io_size, 4);
	msg_le(s, (uint64_t)s->turn * SMB2_MAX_IO, 8);
	smb_file_id(s);
	msg_zero(s, 16);
	msg_body(g, s, g->noise, s->io_size);
}

static uint32_t smb_io_size(struct rng *r)
{
	uint32_t dice = rng_below(r, 100);

	if (dice < 74)
		return rng_range(r, 16, 700);
	if (dice < 95)
		return rng_range(r, 1, 2) * 4096;
	return rng_range(r, 1, 2) * 32768;
}

static bool next_smb(struct gen *g, struct slot *s)
{
	static void (*const opening[])(struct gen *, struct slot *, unsigned) = { smb_negotiate,
		smb_session_setup, smb_tree_connect, smb_create };
	unsigned dir = s->turn % 2 == 0 ? FROM_CLIENT : FROM_SERVER;
	unsigned pair = s->turn / 2;

	if (s->turn >= s->n_turns)
		return false;
	if (pair < sizeof opening / sizeof opening[0]) {
		opening[pair](g, s, dir);
	} else {
		if (dir == FROM_CLIENT) {
			s->io_write = rng_percent(&g->rng, 30);
			s->io_size = smb_io_size(&g->rng);
		}
		(s->io_write ? smb_write : smb_read)(g, s, dir);
	}
	s->turn++;
	return true;
}

/* ---- LDAP, RFC 4511 ---- */

static void ldap_close(struct gen *g, uint32_t operation)
{
	struct der *d = &g->der;

	der_head(d, operation, DER_BYTES);
	der_integer(d, 1);
	der_head(d, DER_SEQUENCE, DER_BYTES);
}

static void ldap_bind_request(struct gen *g, struct slot *s)
{
	struct der *d = &g->der;

	spnego_present(g, s);
	der_head(d, DER_OCTET_STRING, DER_BYTES);
	der_text(d, DER_OCTET_STRING, "GSS-SPNEGO");
	der_head(d, LDAP_AUTH_SASL, DER_BYTES);
	der_text(d, DER_OCTET_STRING, "");
	der_integer(d, 3);
	ldap_close(g, LDAP_BIND_REQUEST);
	g->n.ldap++;
}

static void ldap_bind_response(struct gen *g)
{
	static const uint8_t success = 0;
	struct der *d = &g->der;

	spnego_accept(g);
	der_head(d, LDAP_SERVER_CREDS, DER_BYTES);
	der_text(d, DER_OCTET_STRING, "");
	der_text(d, DER_OCTET_STRING, "");
	der_primitive(d, DER_ENUMERATED, &success, 1);
	ldap_close(g, LDAP_BIND_RESPONSE);
}

/** A sealed SASL buffer: its length, then a wrap token of RFC 4121 section 4.2.6.2. */
static void ldap_sealed(struct gen *g, struct slot *s, unsigned dir)
{
	uint32_t n =
	        dir == FROM_CLIENT ? rng_range(&g->rng, 150, 400) : rng_range(&g->rng, 200, 3000);

	msg_begin(s, dir);
	msg_be(s, 16 + n, 4);
	msg_be(s, 0x0504, 2);
	msg_be(s, dir == FROM_CLIENT ? 0x06 : 0x07, 1);
	msg_be(s, 0xff, 1);
	msg_be(s, 0, 2);
	msg_be(s, 28, 2);
	msg_be(s, 0x10000000 + s->turn / 2, 8);
	msg_body(g, s, g->noise, n);
}

static bool next_ldap(struct gen *g, struct slot *s)
{
	unsigned dir = s->turn % 2 == 0 ? FROM_CLIENT : FROM_SERVER;

	if (s->turn >= s->n_turns)
		return false;
	if (s->turn >= 2) {
		ldap_sealed(g, s, dir);
	} else {
		if (dir == FROM_CLIENT)
			ldap_bind_request(g, s);
		else
			ldap_bind_response(g);
		msg_begin(s, dir);
		s->msg.auth = true;
		msg_put(s, der_bytes(&g->der), der_len(&g->der));
	}
	s->turn++;
	return true;
}

/* ---- HTTP, RFC 9112 ---- */

/** The request line and the fields that every request has, without the empty line. */
static void http_request(struct gen *g, struct slot *s, const char *method, const char *host)
{
	char line[256];
	uint32_t page = rng_below(&g->rng, 1 << 20), item = rng_below(&g->rng, 1000000);

	msg_begin(s, FROM_CLIENT);
	snprintf(line, sizeof line,
	        "%s /app/%05" PRIx32 "/item?id=%" PRIu32 " HTTP/1.1\r\nHost: %s\r\n", method, page,
	        item, host);
	msg_text(s, line);
	msg_text(s, "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101\r\n"
	            "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\n"
	            "Accept-Language: en-GB,en;q=0.5\r\n"
	            "Connection: keep-alive\r\n");
}

/** Adds the length and the empty line; text says which pool the body is from. */
static void http_body(struct gen *g, struct slot *s, bool text, size_t n)
{
	char line[128];

	snprintf(line, sizeof line, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
	        text ? "text/html; charset=utf-8" : "application/octet-stream", n);
	msg_text(s, line);
	msg_body(g, s, text ? g->text : g->noise, n);
}

static void http_response(struct slot *s, const char *status)
{
	msg_begin(s, FROM_SERVER);
	msg_text(s, "HTTP/1.1 ");
	msg_text(s, status);
	msg_text(s, "\r\nServer: web\r\nDate: Thu, 01 Jan 2026 09:00:00 GMT\r\n");
}

static uint32_t http_size(struct rng *r)
{
	uint32_t dice = rng_below(r, 100);

	if (dice < 64)
		return rng_range(r, 20, 900);
	if (dice < 97)
		return rng_range(r, 1000, 9000);
	return rng_range(r, 15000, 90000);
}

/** One plain request or its answer. */
static void http_plain(struct gen *g, struct slot *s, unsigned dir, const char *host)
{
	bool text = rng_percent(&g->rng, 60);

	if (dir == FROM_SERVER) {
		http_response(s, "200 OK");
		http_body(g, s, text, http_size(&g->rng));
	} else if (rng_percent(&g->rng, 10)) {
		http_request(g, s, "POST", host);
		http_body(g, s, true, rng_range(&g->rng, 50, 4000));
	} else {
		http_request(g, s, "GET", host);
		msg_text(s, "\r\n");
	}
}

static bool next_http(struct gen *g, struct slot *s)
{
	char host[32];

	if (s->turn >= s->n_turns)
		return false;
	snprintf(host, sizeof host, "www%05" PRIu32 ".example.net", s->peer);
	http_plain(g, s, s->turn % 2 == 0 ? FROM_CLIENT : FROM_SERVER, host);
	s->turn++;
	return true;
}

/** HTTP Negotiate, RFC 4559: refused, asked again with the ticket, then plain. */
static bool next_http_negotiate(struct gen *g, struct slot *s)
{
	const struct der *d = &g->der;
	char host[64];

	if (s->turn >= s->n_turns)
		return false;
	host_name(host, sizeof host, SERVICE_HTTP, s->peer % N_WEB_SERVERS, s->realm);
	switch (s->turn++) {
	case 0:
		http_request(g, s, "GET", host);
		msg_text(s, "\r\n");
		break;
	case 1:
		http_response(s, "401 Unauthorized");
		msg_text(s, "WWW-Authenticate: Negotiate\r\n");
		s->msg.auth = true;
		http_body(g, s, true, 200);
		break;
	case 2:
		spnego_present(g, s);
		http_request(g, s, "GET", host);
		msg_text(s, "Authorization: Negotiate ");
		msg_base64(s, der_bytes(d), der_len(d));
		msg_text(s, "\r\n\r\n");
		s->msg.auth = true;
		g->n.http++;
		break;
	case 3:
		spnego_accept(g);
		http_response(s, "200 OK");
		msg_text(s, "WWW-Authenticate: Negotiate ");
		msg_base64(s, der_bytes(d), der_len(d));
		msg_text(s, "\r\n");
		s->msg.auth = true;
		http_body(g, s, true, http_size(&g->rng));
		break;
	default:
		http_plain(g, s, s->turn % 2 == 1 ? FROM_CLIENT : FROM_SERVER, host);
	}
	return true;
}

/* ---- TLS 1.3, RFC 8446 ---- */

static void tls_extension_head(struct slot *s, uint32_t type, size_t n)
{
	msg_be(s, type, 2);
	msg_be(s, n, 2);
}

static void tls_client_hello(struct gen *g, struct slot *s)
{
	char name[32];

	snprintf(name, sizeof name, "cdn%05" PRIu32 ".example.com", s->peer);
	msg_begin(s, FROM_CLIENT);
	msg_be(s, TLS_HANDSHAKE, 1);
	msg_be(s, 0x0301, 2);
	msg_be(s, TLS_HELLO_BYTES, 2);
	msg_be(s, (uint32_t)TLS_CLIENT_HELLO << 24 | (TLS_HELLO_BYTES - 4), 4);
	msg_be(s, 0x0303, 2);
	msg_noise(g, s, 32);
	msg_be(s, 32, 1);
	msg_noise(g, s, 32);
	msg_be(s, 6, 2);
	msg_be(s, 0x130113021303, 6);
	msg_be(s, 0x0100, 2); /* no compression */
	msg_be(s, TLS_RECORD_HEADER + TLS_HELLO_BYTES - s->msg.n_head - 2, 2);

	size_t n_name = strlen(name);

	tls_extension_head(s, 0, n_name + 5); /* server_name */
	msg_be(s, n_name + 3, 2);
	msg_be(s, 0, 1);
	msg_be(s, n_name, 2);
	msg_text(s, name);
	tls_extension_head(s, 10, 6); /* supported_groups */
	msg_be(s, 0x0004001d0017, 6);
	tls_extension_head(s, 13, 8); /* signature_algorithms */
	msg_be(s, 0x0006040308040401, 8);
	tls_extension_head(s, 16, 5); /* ALPN: h2 */
	msg_be(s, 0x0003026832, 5);
	tls_extension_head(s, 43, 3); /* supported_versions */
	msg_be(s, 0x020304, 3);
	tls_extension_head(s, 51, 38); /* key_share: x25519 */
	msg_be(s, 0x0024001d0020, 6);
	msg_noise(g, s, 32);

	size_t n_pad = TLS_RECORD_HEADER + TLS_HELLO_BYTES - s->msg.n_head - 4;

	tls_extension_head(s, 21, n_pad);
	msg_zero(s, n_pad);
}

static void tls_record(struct gen *g, struct slot *s, size_t n)
{
	msg_be(s, TLS_APPLICATION, 1);
	msg_be(s, 0x0303, 2);
	msg_be(s, n, 2);
	msg_body(g, s, g->noise, n);
}

static void tls_server_hello(struct gen *g, struct slot *s)
{
	const uint32_t n_hello = 2 + 32 + 33 + 2 + 1 + 2 + 46;

	msg_begin(s, FROM_SERVER);
	msg_be(s, TLS_HANDSHAKE, 1);
	msg_be(s, 0x0303, 2);
	msg_be(s, n_hello + 4, 2);
	msg_be(s, (uint32_t)TLS_SERVER_HELLO << 24 | n_hello, 4);
	msg_be(s, 0x0303, 2);
	msg_noise(g, s, 32);
	msg_be(s, 32, 1);
	msg_noise(g, s, 32);
	msg_be(s, 0x130100, 3);
	msg_be(s, 46, 2);
	tls_extension_head(s, 43, 2);
	msg_be(s, 0x0304, 2);
	tls_extension_head(s, 51, 36);
	msg_be(s, 0x001d0020, 4);
	msg_noise(g, s, 32);
	msg_be(s, 0x140303000101, 6); /* change_cipher_spec, for middleboxes */
	tls_record(g, s, rng_range(&g->rng, 2200, 4200));
}

static uint32_t tls_size(struct rng *r)
{
	uint32_t dice = rng_below(r, 100);

	if (dice < 64)
		return rng_range(r, 40, 700);
	if (dice < 97)
		return rng_range(r, 1000, 8000);
	return rng_range(r, 10000, 120000);
}

/** Requests of one record, answers of one or more; io_left is what remains of an answer. */
static bool next_tls(struct gen *g, struct slot *s)
{
	if (s->io_left == 0 && s->turn >= s->n_turns)
		return false;
	if (s->io_left == 0)
		s->turn++;
	if (s->turn == 1) {
		tls_client_hello(g, s);
	} else if (s->turn == 2) {
		tls_server_hello(g, s);
	} else if (s->turn % 2 == 1) {
		msg_begin(s, FROM_CLIENT);
		if (s->turn == 3) {
			msg_be(s, 0x140303000101, 6);
			msg_be(s, 0x1703030035, 5); /* Finished */
			msg_noise(g, s, 0x35);
		}
		tls_record(g, s, rng_range(&g->rng, 60, 900));
	} else {
		if (s->io_left == 0)
			s->io_left = tls_size(&g->rng);

		uint32_t n = s->io_left < TLS_RECORD_MAX ? s->io_left : TLS_RECORD_MAX;

		msg_begin(s, FROM_SERVER);
		tls_record(g, s, n);
		s->io_left -= n;
	}
	return true;
}

/* ---- DNS, RFC 1035 ---- */

static bool next_dns(struct gen *g, struct slot *s)
{
	uint32_t n_answers = s->turn == 0 ? 0 : 1 + s->io_size % 3;
	char label[8];

	if (s->turn == 2)
		return false;
	if (s->turn == 0)
		s->io_size = (uint32_t)rng_next(&g->rng); /* also the name and the id */
	snprintf(label, sizeof label, "h%06" PRIu32, s->io_size % 1000000);
	msg_begin(s, s->turn == 0 ? FROM_CLIENT : FROM_SERVER);
	msg_be(s, s->io_size >> 16, 2);
	msg_be(s, s->turn == 0 ? 0x0100 : 0x8180, 2);
	msg_be(s, 1, 2);
	msg_be(s, n_answers, 2);
	msg_zero(s, 4);
	msg_be(s, 7, 1);
	msg_text(s, label);
	msg_put(s, "\7example\3net", 13); /* with the root's zero */
	msg_be(s, 0x00010001, 4);         /* A, IN */
	for (uint32_t i = 0; i < n_answers; i++) {
		msg_be(s, 0xc00c, 2);
		msg_be(s, 0x00010001, 4);
		msg_be(s, 300, 4);
		msg_be(s, 4, 2);
		msg_be(s, 0xc6120000u + rng_below(&g->rng, N_INTERNET), 4);
	}
	s->turn++;
	return true;
}

/* ---- scripts ---- */

static bool plan_nothing(struct gen *g, struct slot *s)
{
	(void)g;
	(void)s;
	return false;
}

static void ticket_want(struct gen *g, struct slot *s)
{
	static const enum service services[] = { SERVICE_CIFS, SERVICE_HTTP, SERVICE_LDAP };
	static const uint32_t n_servers[] = { N_FILE_SERVERS, N_WEB_SERVERS, N_KDCS };
	uint32_t i = rng_below(&g->rng, 3);

	s->ticket.service = services[i];
	s->ticket.server = rng_below(&g->rng, n_servers[i]);
}

static void open_kdc(struct gen *g, struct slot *s, bool (*next)(struct gen *, struct slot *))
{
	uint32_t kdc = s->realm * N_KDCS + s->user % N_KDCS;

	conn_open(g, s, !s->udp, ROLE_KDC, kdc, PORT_KERBEROS, next);
}

static void open_service(struct gen *g, struct slot *s)
{
	uint32_t server = s->ticket.server, realm = s->realm;

	switch (s->ticket.service) {
	case SERVICE_CIFS:
		s->n_turns = 8 + 2 * rng_range(&g->rng, 5, 80);
		conn_open(g, s, true, ROLE_FILE_SERVER, realm * N_FILE_SERVERS + server, PORT_SMB,
		        next_smb);
		break;
	case SERVICE_HTTP:
		s->n_turns = 4 + 2 * rng_range(&g->rng, 0, 12);
		conn_open(g, s, true, ROLE_WEB_SERVER, realm * N_WEB_SERVERS + server, PORT_HTTP,
		        next_http_negotiate);
		break;
	case SERVICE_LDAP:
		s->n_turns = 2 + 2 * rng_range(&g->rng, 1, 10);
		conn_open(g, s, true, ROLE_KDC, realm * N_KDCS + server, PORT_LDAP, next_ldap);
		break;
	case SERVICE_KRBTGT:
		break;
	}
}

/** A logon: each stage is one connection. */
static bool plan_logon(struct gen *g, struct slot *s)
{
	switch (s->stage) {
	case STAGE_AS_FIRST:
		s->stage = STAGE_AS_SECOND;
		open_kdc(g, s, next_as_first);
		return true;
	case STAGE_AS_SECOND:
		s->stage = STAGE_TGS;
		open_kdc(g, s, next_as_second);
		return true;
	case STAGE_TGS:
		if (s->n_services == 0)
			return false;
		s->n_services--;
		ticket_want(g, s);
		s->n_present = g->kdc_only ? 0 : rng_range(&g->rng, 1, 2);
		s->stage = g->kdc_only ? STAGE_TGS : STAGE_PRESENT;
		open_kdc(g, s, next_tgs);
		return true;
	case STAGE_PRESENT:
		if (--s->n_present == 0)
			s->stage = STAGE_TGS;
		open_service(g, s);
		return true;
	}
	return false;
}

static void start_logon(struct gen *g, struct slot *s)
{
	s->realm = s->user % N_REALMS;
	s->udp = rng_percent(&g->rng, 50);
	s->stage = STAGE_AS_FIRST;
	s->n_services = rng_range(&g->rng, 1, 6);
	s->tgt = (struct ticket){ .service = SERVICE_KRBTGT };
	s->plan = plan_logon;
	(void)s->plan(g, s);
}

/** Usually the well-known port, else the alternative, now and then one that tells nothing. */
static uint32_t server_port(struct rng *r, uint32_t usual, uint32_t other)
{
	uint32_t dice = rng_below(r, 100);

	if (dice < 78)
		return usual;
	return dice < 88 ? other : rng_range(r, PORT_UNKNOWN_FIRST, PORT_UNKNOWN_LAST);
}

/* ---- the web of kinds web, rs256 and es256: pages, JSON, and tokens of RFC 6749, RFC 6750, RFC 7519 ---- */

/** One JSON document, as it travels. */
struct doc {
	const uint8_t *p;
	size_t n;
	bool gzip;
};

/** What a user's software holds. */
struct holder {
	size_t n_token;  /* 0 before the first */
	unsigned n_uses; /* that are left */
	uint64_t refresh;
};

struct web {
	uint32_t n_tokens; /* of calls_only: how many there are, 0: each call has another */
	unsigned first_issuer, n_issuers;
	bool calls_only;
	uint64_t n_signed;
	struct token_key *keys[N_ISSUERS][KEYS_OF_ISSUER];
	struct doc docs[N_DOCS];
	struct doc small; /* what is posted */
	uint8_t *doc_mem;
	struct holder holders[N_CLIENTS];
	char (*held)[TOKEN_TEXT]; /* the token of each */
};

static const char *issuer_domain(unsigned issuer)
{
	return realms[issuer].domain;
}

/** Letters and digits that say nothing, the same for the same seed: codes, refresh tokens, cookies, jti. */
static void opaque(char *text, uint64_t seed, size_t n)
{
	uint8_t bytes[64];
	struct rng r = { seed };

	assert(n <= sizeof bytes);
	rng_fill(&r, bytes, n);
	token_base64url(text, bytes, n);
}

/* -- documents -- */

static size_t doc_size(struct rng *r)
{
	uint32_t dice = rng_below(r, 100);

	if (dice < 60)
		return rng_range(r, 150, 1500);
	return dice < 93 ? rng_range(r, 1500, 8000) : rng_range(r, 8000, 48000);
}

/** A list of records of about `want` octets. Returns its length. */
static size_t doc_write(struct rng *r, char *to, size_t want)
{
	static const char *const states[] = { "open", "paid", "sent", "cancelled" };
	size_t n = (size_t)snprintf(to, DOC_ROOM, "{\"items\":[");

	do
		n += (size_t)snprintf(to + n, DOC_ROOM - n,
		        "%s{\"id\":%" PRIu32 ",\"name\":\"order %05" PRIx32 "\",\"total\":%" PRIu32
		        ".%02" PRIu32 ",\"state\":\"%s\",\"owner\":\"u%05" PRIu32 "\"}",
		        n > 16 ? "," : "", rng_below(r, 10000000), rng_below(r, 1 << 20),
		        rng_below(r, 5000), rng_below(r, 100), states[rng_below(r, 4)],
		        rng_below(r, N_CLIENTS));
	while (n < want);
	return n + (size_t)snprintf(to + n, DOC_ROOM - n, "],\"page\":1}");
}

/** gzip as zlib makes it: the only bytes that may differ with its version. Returns the length, 0 when it does not fit. */
static size_t doc_gzip(const char *text, size_t n, uint8_t *to, size_t room)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)text,
		.avail_in = (uInt)n,
		.next_out = to,
		.avail_out = (uInt)room };

	if (deflateInit2(&z, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;

	int r = deflate(&z, Z_FINISH);
	size_t out = z.total_out;

	(void)deflateEnd(&z);
	return r == Z_STREAM_END ? out : 0;
}

static int docs_init(struct web *w, struct rng *r)
{
	char *text = malloc(DOC_ROOM);
	size_t at = 0;

	w->doc_mem = malloc((size_t)N_DOCS * DOC_ROOM);
	if (text == NULL || w->doc_mem == NULL) {
		free(text);
		return -1;
	}
	for (unsigned i = 0; i < N_DOCS; i++) {
		struct doc *d = &w->docs[i];
		size_t n = doc_write(r, text, doc_size(r));

		d->p = w->doc_mem + at;
		d->n = n > 1000 && rng_percent(r, 60) ? doc_gzip(text, n, w->doc_mem + at, DOC_ROOM)
		                                      : 0;
		d->gzip = d->n != 0;
		if (!d->gzip) {
			memcpy(w->doc_mem + at, text, n);
			d->n = n;
		}
		at += d->n;
	}
	free(text);
	w->small = w->docs[0];
	for (unsigned i = 1; i < N_DOCS; i++)
		if (!w->docs[i].gzip && w->docs[i].n < w->small.n)
			w->small = w->docs[i];
	return 0;
}

static int web_init(struct gen *g)
{
	struct web *w = calloc(1, sizeof *w);
	struct rng r = g->rng;

	g->web = w;
	if (w == NULL || docs_init(w, &r) != 0 ||
	        (w->held = malloc(N_CLIENTS * sizeof *w->held)) == NULL)
		return -1;
	w->n_issuers = N_ISSUERS;
	for (unsigned i = 0; i < N_ISSUERS; i++)
		for (unsigned k = 0; k < KEYS_OF_ISSUER; k++)
			if ((w->keys[i][k] = token_key_new(&r, i == ISSUER_ES256)) == NULL)
				return -1;
	return 0;
}

static void web_free(struct web *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < N_ISSUERS; i++)
		for (unsigned k = 0; k < KEYS_OF_ISSUER; k++)
			token_key_free(w->keys[i][k]);
	free(w->held);
	free(w->doc_mem);
	free(w);
}

/* -- tokens -- */

static unsigned issuer_of(const struct web *w, uint32_t user)
{
	return w->first_issuer + user % w->n_issuers;
}

static uint32_t api_of(uint32_t user)
{
	return user / N_ISSUERS % N_APIS;
}

static uint32_t app_of(uint32_t user)
{
	return user / 7 % N_APPS;
}

/** Signs a token for user. Returns its length. */
static size_t mint(struct gen *g, uint32_t user, bool id_token, char text[TOKEN_TEXT])
{
	struct web *w = g->web;
	unsigned issuer = issuer_of(w, user);
	const char *domain = issuer_domain(issuer);
	uint64_t now = g->now_us / 1000000;
	char claims[1024], jti[32], oid[32], aud[64];

	opaque(jti, rng_next(&g->rng), 16);
	opaque(oid, user, 16);
	if (id_token)
		snprintf(aud, sizeof aud, "app%02" PRIu32, app_of(user));
	else
		snprintf(aud, sizeof aud, "https://api%02" PRIu32 ".%s", api_of(user), domain);

	int n = snprintf(claims, sizeof claims,
	        "{\"iss\":\"https://login.%s\",\"sub\":\"u%05" PRIu32
	        "\",\"aud\":\"%s\",\"iat\":%" PRIu64 ",\"nbf\":%" PRIu64 ",\"exp\":%" PRIu64
	        ",\"jti\":\"%s\",\"oid\":\"%s\",\"name\":\"User %05" PRIu32
	        "\",\"preferred_username\":\"u%05" PRIu32 "@%s\"",
	        domain, user, aud, now, now, now + TOKEN_LIFE, jti, oid, user, user, domain);

	if (!id_token)
		n += snprintf(claims + n, sizeof claims - (size_t)n,
		        ",\"client_id\":\"app%02" PRIu32
		        "\",\"scope\":\"openid profile orders.read orders.write\","
		        "\"roles\":[\"Orders.Read.All\",\"Orders.Write\",\"Reports.Read\"],"
		        "\"amr\":[\"pwd\",\"mfa\"],\"ver\":\"2.0\"",
		        app_of(user));
	snprintf(claims + n, sizeof claims - (size_t)n, "}");

	size_t n_token = token_sign(w->keys[issuer][user / 5 % KEYS_OF_ISSUER], &g->rng,
	        id_token ? "JWT" : "at+jwt", claims, text);

	if (n_token == 0)
		g->out.err = EIO;
	w->n_signed++;
	return n_token;
}

/** A new token in its user's hands, unless enough were signed: then the old one goes on. */
static void mint_access(struct gen *g, uint32_t user)
{
	struct holder *h = &g->web->holders[user];

	h->n_uses = rng_range(&g->rng, 4, 24);
	if (h->n_token != 0 && g->web->n_signed >= SIGNED_MAX)
		return;
	h->n_token = mint(g, user, false, g->web->held[user]);
	g->n.tokens++;
}

/* -- messages -- */

static void web_request(
        struct gen *g, struct slot *s, const char *method, const char *host, const char *path)
{
	static const char *const agents[] = {
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0",
		"okhttp/4.12.0", "python-requests/2.32.3"
	};

	msg_begin(s, FROM_CLIENT);
	msg_text(s, method);
	msg_text(s, " ");
	msg_text(s, path);
	msg_text(s, " HTTP/1.1\r\nHost: ");
	msg_text(s, host);
	msg_text(s, "\r\nUser-Agent: ");
	msg_text(s, agents[s->user / 3 % 4]);
	msg_text(s, "\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n"
	            "Connection: keep-alive\r\n");
	g->n.requests++;
}

/** The fields of the body and the empty line; all of the body, or its first chunk. */
static void web_document(struct slot *s, const struct doc *d, const char *type, bool chunked)
{
	char line[160];
	size_t n = chunked && d->n > CHUNK_BYTES ? CHUNK_BYTES : d->n;

	snprintf(line, sizeof line, "Content-Type: %s\r\n%s", type,
	        d->gzip ? "Content-Encoding: gzip\r\n" : "");
	msg_text(s, line);
	if (chunked)
		snprintf(line, sizeof line, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", n);
	else
		snprintf(line, sizeof line, "Content-Length: %zu\r\n\r\n", n);
	msg_text(s, line);
	s->msg.body = d->p;
	s->msg.n_body = n;
	s->chunked = chunked;
	s->chunk = d->p + n;
	s->n_chunk = d->n - n;
}

/** The next chunk of what the server sends, or the last and empty one. */
static void web_chunk(struct slot *s)
{
	char line[32];
	size_t n = s->n_chunk < CHUNK_BYTES ? s->n_chunk : CHUNK_BYTES;

	msg_begin(s, FROM_SERVER);
	snprintf(line, sizeof line, "\r\n%zx\r\n%s", n, n == 0 ? "\r\n" : "");
	msg_text(s, line);
	s->msg.body = s->chunk;
	s->msg.n_body = n;
	s->chunked = n != 0;
	s->chunk += n;
	s->n_chunk -= n;
}

/** A document of a given length in one piece. */
static void web_text(struct slot *s, const char *type, const char *text)
{
	char line[128];

	snprintf(line, sizeof line, "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", type,
	        strlen(text));
	msg_text(s, line);
	msg_text(s, text);
}

static const struct doc *any_doc(struct gen *g)
{
	return &g->web->docs[rng_below(&g->rng, N_DOCS)];
}

/* -- connections -- */

/** Pages and what belongs to them. */
static bool next_page(struct gen *g, struct slot *s)
{
	char host[32];

	if (s->chunked) {
		web_chunk(s);
		return true;
	}
	if (s->turn >= s->n_turns)
		return false;
	snprintf(host, sizeof host, "www%05" PRIu32 ".example.net", s->peer);
	if (s->turn % 2 == 1 && rng_percent(&g->rng, 30)) {
		struct doc page = { g->text + rng_below(&g->rng, POOL_BYTES), http_size(&g->rng),
			false };

		http_response(s, "200 OK");
		web_document(s, &page, "text/html; charset=utf-8", true);
	} else {
		http_plain(g, s, s->turn % 2 == 0 ? FROM_CLIENT : FROM_SERVER, host);
		g->n.requests += s->turn % 2 == 0;
	}
	s->turn++;
	return true;
}

/** The request of a call, with what shows who calls: a token, or a cookie in an application of its own. */
static void call_request(struct gen *g, struct slot *s, bool token)
{
	char path[64], host[48], cookie[80];
	bool post = rng_percent(&g->rng, 15);

	snprintf(host, sizeof host, "%s%02" PRIu32 ".%s", token ? "api" : "shop", api_of(s->user),
	        issuer_domain(issuer_of(g->web, s->user)));
	snprintf(path, sizeof path, "/v1/orders%s%" PRIu32, post ? "?batch=" : "/",
	        rng_below(&g->rng, 1000000));
	web_request(g, s, post ? "POST" : "GET", host, path);
	if (token) {
		msg_text(s, "Authorization: Bearer ");
		msg_put(s, g->web->held[s->user], g->web->holders[s->user].n_token);
		g->n.bearer++;
	} else {
		opaque(cookie, s->user, 32);
		msg_text(s, "Cookie: sid=");
		msg_text(s, cookie);
	}
	msg_text(s, "\r\n");
	s->msg.auth = token;
	if (post) {
		web_document(s, &g->web->small, "application/json", false);
	} else {
		msg_text(s, "\r\n");
	}
}

static void call_response(struct gen *g, struct slot *s)
{
	uint32_t dice = rng_below(&g->rng, 100);

	http_response(s, dice < 90 ? "200 OK" : dice < 95 ? "404 Not Found" : "304 Not Modified");
	msg_text(s, "Cache-Control: private, max-age=0\r\nX-Request-Id: 4bf92f3577b34da6\r\n");
	if (dice < 90)
		web_document(s, any_doc(g), "application/json", rng_percent(&g->rng, 30));
	else if (dice < 95)
		web_text(s, "application/json", "{\"error\":\"not found\",\"code\":404}");
	else
		msg_text(s, "\r\n");
}

/** Calls of an interface, each with its user's token. */
static bool next_call(struct gen *g, struct slot *s)
{
	struct holder *h = &g->web->holders[s->user];

	if (s->chunked) {
		web_chunk(s);
		return true;
	}
	if (s->turn >= s->n_turns || (s->turn % 2 == 0 && h->n_uses == 0))
		return false;
	if (s->turn++ % 2 == 1) {
		call_response(g, s);
		return true;
	}
	if (g->web->calls_only && (g->web->n_tokens == 0 || h->n_token == 0))
		mint_access(g, s->user);
	else if (!g->web->calls_only)
		h->n_uses--;
	call_request(g, s, true);
	return true;
}

static bool next_cookie_call(struct gen *g, struct slot *s)
{
	if (s->chunked) {
		web_chunk(s);
		return true;
	}
	if (s->turn >= s->n_turns)
		return false;
	if (s->turn++ % 2 == 0)
		call_request(g, s, false);
	else
		call_response(g, s);
	return true;
}

/** The answer of the token endpoint, RFC 6749 section 5.1. */
static void token_answer(struct gen *g, struct slot *s)
{
	struct holder *h = &g->web->holders[s->user];
	char text[2 * TOKEN_TEXT], refresh[48], id_token[TOKEN_TEXT];
	size_t n_id = rng_percent(&g->rng, 30) ? mint(g, s->user, true, id_token) : 0;

	mint_access(g, s->user);
	h->refresh = rng_next(&g->rng);
	opaque(refresh, h->refresh, 32);
	snprintf(text, sizeof text,
	        "{\"access_token\":\"%.*s\",\"token_type\":\"Bearer\",\"expires_in\":%d,"
	        "\"refresh_token\":\"%s\"%s%.*s%s}",
	        (int)h->n_token, g->web->held[s->user], TOKEN_LIFE, refresh,
	        n_id != 0 ? ",\"id_token\":\"" : "", (int)n_id, id_token, n_id != 0 ? "\"" : "");
	http_response(s, "200 OK");
	msg_text(s, "Cache-Control: no-store\r\n");
	web_text(s, "application/json", text);
	s->msg.auth = true;
}

/** POST /token with what there is: the code just given, or the refresh token of last time. */
static void token_request(struct gen *g, struct slot *s, const char *host)
{
	struct holder *h = &g->web->holders[s->user];
	char form[400], proof[48], verifier[64];
	bool fresh = h->n_token == 0;

	opaque(proof, fresh ? s->session_id : h->refresh, 32);
	opaque(verifier, s->session_id + 1, 32);
	snprintf(form, sizeof form, "grant_type=%s&client_id=app%02" PRIu32 "&%s=%s%s%s%s",
	        fresh ? "authorization_code" : "refresh_token", app_of(s->user),
	        fresh ? "code" : "refresh_token", proof,
	        fresh ? "&redirect_uri=https%3A%2F%2Fapp.corp.example%2Fcb&code_verifier=" : "",
	        fresh ? verifier : "", fresh ? "" : "&scope=openid%20orders.read");
	web_request(g, s, "POST", host, "/oauth2/token");
	web_text(s, "application/x-www-form-urlencoded", form);
	s->msg.auth = true;
}

/** RFC 6749 section 4.1: a code, which the next request on the connection shows. */
static void authorize(struct gen *g, struct slot *s, unsigned dir, const char *host)
{
	char code[48], line[512];

	if (dir == FROM_CLIENT) {
		s->session_id = rng_next(&g->rng);
		opaque(code, s->session_id + 2, 32);
		snprintf(line, sizeof line,
		        "/oauth2/authorize?response_type=code&client_id=app%02" PRIu32
		        "&redirect_uri=https%%3A%%2F%%2Fapp.corp.example%%2Fcb&scope=openid"
		        "&state=%" PRIx64 "&code_challenge_method=S256&code_challenge=%s",
		        app_of(s->user), s->session_id, code);
		web_request(g, s, "GET", host, line);
		msg_text(s, "\r\n");
		return;
	}
	opaque(code, s->session_id, 32);
	http_response(s, "302 Found");
	snprintf(line, sizeof line,
	        "Location: https://app.corp.example/cb?code=%s&state=%" PRIx64
	        "\r\nContent-Length: 0\r\n\r\n",
	        code, s->session_id);
	msg_text(s, line);
	s->msg.auth = true;
}

static bool next_issue(struct gen *g, struct slot *s)
{
	unsigned turn = s->turn + (g->web->holders[s->user].n_token != 0 && s->turn == 0 ? 2 : 0);
	char host[48];

	snprintf(host, sizeof host, "login.%s", issuer_domain(issuer_of(g->web, s->user)));
	s->turn = turn + 1;
	if (turn < 2)
		authorize(g, s, turn == 0 ? FROM_CLIENT : FROM_SERVER, host);
	else if (turn == 2)
		token_request(g, s, host);
	else if (turn == 3)
		token_answer(g, s);
	else
		return false;
	return true;
}

static void keys_answer(struct gen *g, struct slot *s, unsigned issuer)
{
	char text[KEYS_OF_ISSUER * (TOKEN_JWK + 1) + 16], jwk[TOKEN_JWK];
	size_t n = (size_t)snprintf(text, sizeof text, "{\"keys\":[");

	for (unsigned k = 0; k < KEYS_OF_ISSUER; k++) {
		token_jwk(g->web->keys[issuer][k], jwk);
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", k > 0 ? "," : "", jwk);
	}
	snprintf(text + n, sizeof text - n, "]}");
	web_text(s, "application/json", text);
}

/** OpenID Connect Discovery 1.0, then the keys. */
static bool next_documents(struct gen *g, struct slot *s)
{
	unsigned issuer = issuer_of(g->web, s->user);
	const char *domain = issuer_domain(issuer);
	char host[48], text[512];

	snprintf(host, sizeof host, "login.%s", domain);
	if (s->turn > 3)
		return false;
	switch (s->turn++) {
	case 0:
	case 2:
		web_request(g, s, "GET", host,
		        s->turn == 1 ? "/.well-known/openid-configuration" : "/oauth2/keys");
		msg_text(s, "\r\n");
		break;
	case 1:
		snprintf(text, sizeof text,
		        "{\"issuer\":\"https://login.%s\","
		        "\"authorization_endpoint\":\"https://login.%s/oauth2/authorize\","
		        "\"token_endpoint\":\"https://login.%s/oauth2/token\","
		        "\"jwks_uri\":\"https://login.%s/oauth2/keys\"}",
		        domain, domain, domain, domain);
		http_response(s, "200 OK");
		web_text(s, "application/json", text);
		break;
	default:
		http_response(s, "200 OK");
		keys_answer(g, s, issuer);
	}
	return true;
}

/* -- scripts -- */

static void open_issuer(struct gen *g, struct slot *s, bool (*next)(struct gen *, struct slot *))
{
	conn_open(g, s, true, ROLE_ISSUER, issuer_of(g->web, s->user), PORT_HTTP, next);
}

static bool plan_calls(struct gen *g, struct slot *s)
{
	uint32_t server = issuer_of(g->web, s->user) * N_APIS + api_of(s->user);

	s->plan = plan_nothing;
	s->n_turns = 2 * rng_range(&g->rng, 1, 10);
	conn_open(g, s, true, ROLE_API, server, PORT_HTTP_ALT, next_call);
	return true;
}

/** Another token where none is left to use, then calls. */
static void start_calls(struct gen *g, struct slot *s)
{
	if (g->web->holders[s->user].n_uses == 0 && !g->web->calls_only) {
		s->plan = plan_calls;
		open_issuer(g, s, next_issue);
		return;
	}
	(void)plan_calls(g, s);
}

static void start_web(struct gen *g, struct slot *s)
{
	uint32_t dice = rng_below(&g->rng, 1000);
	uint32_t server = rng_below(&g->rng, N_INTERNET);

	s->chunked = false;
	if (g->web->calls_only) {
		if (g->web->n_tokens != 0)
			s->user = s->user % g->web->n_tokens;
		s->v6 = s->user % 11 == 0;
		g->web->holders[s->user].n_uses = 1;
		start_calls(g, s);
	} else if (dice < 250) {
		s->n_turns = 2 * rng_range(&g->rng, 1, 8);
		conn_open(g, s, true, ROLE_INTERNET, server, PORT_HTTP, next_page);
	} else if (dice < 450) {
		s->n_turns = 2 * rng_range(&g->rng, 1, 10);
		server = N_ISSUERS * N_APIS + api_of(s->user);
		conn_open(g, s, true, ROLE_API, server, PORT_HTTP_ALT, next_cookie_call);
	} else if (dice < 455) {
		open_issuer(g, s, next_documents);
	} else {
		start_calls(g, s);
	}
}

/** Ends what the slot did before and begins a new script. */
static void slot_start(struct gen *g, struct slot *s)
{
	uint32_t dice = rng_below(&g->rng, 1000);
	uint32_t server = rng_below(&g->rng, N_INTERNET);
	uint32_t port;

	s->user = rng_below(&g->rng, N_CLIENTS);
	s->v6 = s->user % 11 == 0;
	s->plan = plan_nothing;
	if (g->web != NULL) {
		start_web(g, s);
	} else if (g->kdc_only || dice < 22) {
		start_logon(g, s);
	} else if (dice < 380) {
		conn_open(g, s, false, ROLE_RESOLVER, s->user % N_RESOLVERS, PORT_DNS, next_dns);
	} else if (dice < 580) {
		s->n_turns = 2 * rng_range(&g->rng, 1, 6);
		port = server_port(&g->rng, PORT_HTTP, PORT_HTTP_ALT);
		conn_open(g, s, true, ROLE_INTERNET, server, port, next_http);
	} else {
		s->n_turns = 4 + 2 * rng_range(&g->rng, 0, 12);
		port = server_port(&g->rng, PORT_HTTPS, PORT_HTTPS_ALT);
		conn_open(g, s, true, ROLE_INTERNET, server, port, next_tls);
	}
}

/* ---- playing a slot ---- */

/** Emits the next n bytes of the running message. */
static void emit_message(struct gen *g, struct slot *s, size_t n)
{
	struct message *m = &s->msg;
	size_t n_head = m->sent < m->n_head ? m->n_head - m->sent : 0;
	unsigned push = m->sent + n == m->n_head + m->n_body ? TCP_PSH : 0;

	if (n_head > n)
		n_head = n;

	const uint8_t *head = n_head > 0 ? m->head + m->sent : NULL;
	const uint8_t *body = n > n_head ? m->body + (m->sent + n_head - m->n_head) : NULL;

	emit(g, &s->conn, m->dir, TCP_ACK | push, head, n_head, body, n - n_head);
	g->n.auth_packets += m->auth && n_head > 0;
	m->sent += n;
}

/** Emits one segment; every second one, and some last ones, are acknowledged alone. */
static void emit_segment(struct gen *g, struct slot *s)
{
	struct conn *c = &s->conn;
	struct message *m = &s->msg;
	size_t mss = max_segment(c);
	size_t left = m->n_head + m->n_body - m->sent;

	if (m->sent == 0)
		c->n_unacked = 0;
	emit_message(g, s, left < mss ? left : mss);
	c->n_unacked++;
	if (c->n_unacked == 2 || (left <= mss && rng_percent(&g->rng, 50)))
		c->phase = PHASE_DATA_ACK;
}

static void emit_bare(struct gen *g, struct conn *c, unsigned dir, unsigned flags, enum phase then)
{
	emit(g, c, dir, flags, NULL, 0, NULL, 0);
	c->n_unacked = 0;
	c->phase = then;
}

static void slot_data(struct gen *g, struct slot *s)
{
	bool done = s->msg.sent == s->msg.n_head + s->msg.n_body;

	if (done && !s->next(g, s))
		emit_bare(g, &s->conn, FROM_CLIENT, TCP_FIN | TCP_ACK, PHASE_FIN_ACK);
	else
		emit_segment(g, s);
}

/** Emits exactly one packet. */
static void slot_step(struct gen *g, struct slot *s)
{
	struct conn *c = &s->conn;

	while (c->phase == PHASE_CLOSED)
		if (!s->plan(g, s))
			slot_start(g, s);
	g->n.kdc_packets += c->port[FROM_SERVER] == PORT_KERBEROS;
	g->n.unknown_packets += c->port[FROM_SERVER] >= PORT_UNKNOWN_FIRST &&
	                        c->port[FROM_SERVER] <= PORT_UNKNOWN_LAST;
	switch (c->phase) {
	case PHASE_SYN:
		msg_begin(s, FROM_CLIENT);
		emit_bare(g, c, FROM_CLIENT, TCP_SYN, PHASE_SYN_ACK);
		break;
	case PHASE_SYN_ACK:
		emit_bare(g, c, FROM_SERVER, TCP_SYN | TCP_ACK, PHASE_ACK);
		break;
	case PHASE_ACK:
		emit_bare(g, c, FROM_CLIENT, TCP_ACK, PHASE_DATA);
		break;
	case PHASE_DATA:
		slot_data(g, s);
		break;
	case PHASE_DATA_ACK:
		emit_bare(g, c, 1 - s->msg.dir, TCP_ACK, PHASE_DATA);
		break;
	case PHASE_FIN_ACK:
		emit_bare(g, c, FROM_SERVER, TCP_FIN | TCP_ACK, PHASE_LAST_ACK);
		break;
	case PHASE_LAST_ACK:
		emit_bare(g, c, FROM_CLIENT, TCP_ACK, PHASE_CLOSED);
		break;
	case PHASE_DATAGRAM:
		emit_message(g, s, s->msg.n_head);
		if (!s->next(g, s))
			c->phase = PHASE_CLOSED;
		break;
	case PHASE_CLOSED:
		break;
	}
}

/* ---- the kinds ---- */

struct limit {
	uint64_t n_packets;
	uint64_t n_bytes;
	uint64_t seconds; /* of packet time */
	uint64_t loop;    /* packets after which the same come again */
};

static bool limit_reached(const struct gen *g, const struct limit *limit)
{
	return g->out.n_packets >= limit->n_packets || g->out.n_bytes >= limit->n_bytes ||
	       (g->now_us - EPOCH_US) / 1000000 >= limit->seconds || g->out.err != 0;
}

/** What verifiers need comes first: of each issuer its documents, one after the other. */
static void play_documents(struct gen *g, struct slot *s)
{
	for (unsigned i = 0; i < g->web->n_issuers; i++) {
		s->user = i;
		open_issuer(g, s, next_documents);
		while (s->conn.phase != PHASE_CLOSED)
			slot_step(g, s);
	}
}

/** All but small and flood. Returns 0, or -1 when there is no memory. */
static int run_slots(struct gen *g, const struct limit *limit)
{
	uint64_t n_expected = limit->n_bytes / MEAN_MIX_FRAME;

	if (n_expected > limit->n_packets)
		n_expected = limit->n_packets;
	n_expected /= PACKETS_PER_SLOT;

	uint32_t n_most = g->kdc_only ? SLOTS_AUTH : SLOTS_MAX;
	uint32_t n_slots = n_expected < SLOTS_MIN ? SLOTS_MIN
	                   : n_expected > n_most  ? n_most
	                                          : (uint32_t)n_expected;
	struct slot *slots = calloc(n_slots, sizeof *slots);

	if (slots == NULL)
		return -1;
	for (uint32_t i = 0; i < n_slots; i++)
		slots[i].plan = plan_nothing;
	g->gap_us = g->kdc_only ? AUTH_GAP_US : g->web != NULL ? WEB_GAP_US : MIX_GAP_US;
	if (g->web != NULL)
		play_documents(g, &slots[0]);
	while (!limit_reached(g, limit)) {
		struct slot *s = &slots[rng_below(&g->rng, n_slots)];

		/* packets come in trains: half the time the same flow goes on */
		do
			slot_step(g, s);
		while ((rng_next(&g->rng) & 1) != 0 && !limit_reached(g, limit));
	}
	free(slots);
	return 0;
}

static void small_open(struct gen *g, struct conn *c, uint32_t i)
{
	c->tcp = i % 2 == 0;
	c->port[FROM_CLIENT] = client_port(g, i % N_CLIENTS);
	c->port[FROM_SERVER] = i % 4 == 0 ? PORT_HTTPS : (uint16_t)rng_range(&g->rng, 20000, 29999);
	conn_set_host(c, FROM_CLIENT, ROLE_CLIENT, i % N_CLIENTS);
	conn_set_host(c, FROM_SERVER, ROLE_INTERNET, rng_below(&g->rng, N_INTERNET));
	conn_seal(c);
	c->ip_id = (uint16_t)rng_next(&g->rng);
	c->seq[0] = (uint32_t)rng_next(&g->rng);
	c->seq[1] = (uint32_t)rng_next(&g->rng);
	c->phase = c->tcp ? PHASE_SYN : PHASE_DATAGRAM;
	g->n.flows++;
}

/** small: as much payload as fills the smallest frame, or a bare ACK. */
static int run_small(struct gen *g, const struct limit *limit)
{
	const size_t n_udp = ETH_MIN - ETH_HEADER - IPV4_HEADER - UDP_HEADER;
	const size_t n_tcp = ETH_MIN - ETH_HEADER - IPV4_HEADER - TCP_HEADER;
	struct conn *conns = calloc(N_SMALL_FLOWS, sizeof *conns);

	if (conns == NULL)
		return -1;
	g->gap_us = 1;
	while (!limit_reached(g, limit)) {
		uint32_t i = rng_below(&g->rng, N_SMALL_FLOWS);
		struct conn *c = &conns[i];
		uint64_t dice = rng_next(&g->rng);
		unsigned dir = (unsigned)(dice & 1);
		bool bare = (dice & 2) != 0;
		const uint8_t *payload = g->noise + rng_below(&g->rng, POOL_BYTES);

		if (c->phase == PHASE_CLOSED)
			small_open(g, c, i);
		if (c->phase == PHASE_SYN)
			emit_bare(g, c, FROM_CLIENT, TCP_SYN, PHASE_SYN_ACK);
		else if (c->phase == PHASE_SYN_ACK)
			emit_bare(g, c, FROM_SERVER, TCP_SYN | TCP_ACK, PHASE_ACK);
		else if (c->phase == PHASE_ACK)
			emit_bare(g, c, FROM_CLIENT, TCP_ACK, PHASE_DATA);
		else if (c->tcp && bare)
			emit_bare(g, c, dir, TCP_ACK, PHASE_DATA);
		else
			emit(g, c, dir, TCP_ACK | TCP_PSH, payload, c->tcp ? n_tcp : n_udp, NULL,
			        0);
	}
	free(conns);
	return 0;
}

static int run_flood(struct gen *g, const struct limit *limit)
{
	static const uint16_t ports[] = { PORT_HTTPS, PORT_HTTP, PORT_SMB, PORT_KERBEROS };
	struct conn c = { .tcp = true };

	g->gap_us = 1;
	while (!limit_reached(g, limit)) {
		uint64_t z = rng_next(&g->rng);
		uint32_t first = 1 + (uint32_t)(z >> 40) % 223;

		conn_set_host(&c, FROM_CLIENT, ROLE_INTERNET, 0);
		conn_set_host(&c, FROM_SERVER, ROLE_FLOOD, (uint32_t)(z & (N_FLOOD_TARGETS - 1)));
		put_be32(c.addr[FROM_CLIENT],
		        (first == 127 ? 128 : first) << 24 | (z >> 8 & 0xffffff));
		c.port[FROM_CLIENT] = (uint16_t)rng_range(&g->rng, 1024, PORT_LAST);
		c.port[FROM_SERVER] = ports[z >> 4 & 3];
		c.seq[FROM_CLIENT] = (uint32_t)rng_next(&g->rng);
		c.ip_id = (uint16_t)(z >> 32);
		conn_seal(&c);
		emit_bare(g, &c, FROM_CLIENT, TCP_SYN, PHASE_CLOSED);
		g->n.flows++;
	}
	return 0;
}

static int run_mix(struct gen *g, const struct limit *limit)
{
	return run_slots(g, limit);
}

static int run_auth(struct gen *g, const struct limit *limit)
{
	g->kdc_only = true;
	return run_slots(g, limit);
}

/** The same tokens come again with --loop, but their times are others. */
static int run_web(struct gen *g, const struct limit *limit)
{
	if (g->web == NULL && web_init(g) != 0)
		return -1;
	return run_slots(g, limit);
}

static int run_calls(struct gen *g, const struct limit *limit, unsigned issuer)
{
	if (g->web == NULL && web_init(g) != 0)
		return -1;
	g->web->calls_only = true;
	g->web->n_tokens = g->n_tokens;
	g->web->first_issuer = issuer;
	g->web->n_issuers = 1;
	return run_slots(g, limit);
}

static int run_rs256(struct gen *g, const struct limit *limit)
{
	return run_calls(g, limit, 0);
}

static int run_es256(struct gen *g, const struct limit *limit)
{
	return run_calls(g, limit, ISSUER_ES256);
}

static const struct kind {
	const char *name;
	int (*run)(struct gen *, const struct limit *);
	uint64_t n_packets; /* when neither --size nor --packets is given */
} kinds[] = {
	{ "mix", run_mix, 3500000 },
	{ "auth", run_auth, 5000000 },
	{ "small", run_small, 10000000 },
	{ "flood", run_flood, 10000000 },
	{ "web", run_web, 1500000 },
	{ "rs256", run_rs256, 100000 },
	{ "es256", run_es256, 100000 },
};

/* ---- set-up and command line ---- */

static void fill_text(struct rng *r, uint8_t *to, size_t n)
{
	static const char *const words[] = { "the ", "order ", "<td>", "</td>\r\n", "report ",
		"of ", "invoice: ", "page ", "<div class=\"row\">", "</div>\n", "and ", "customer ",
		"0.25, ", "total ", "&nbsp;", "\r\n" };

	for (size_t i = 0; i < n;) {
		const char *word = words[rng_below(r, sizeof words / sizeof words[0])];

		for (; *word != '\0' && i < n; i++)
			to[i] = (uint8_t)*word++;
	}
}

static int gen_init(struct gen *g, uint64_t seed, int fd)
{
	g->rng.state = seed * 0x2545f4914f6cdd1du;
	g->now_us = EPOCH_US;
	g->out.fd = fd;
	g->out.mem = malloc(OUT_BYTES);
	g->noise = malloc(POOL_BYTES + BODY_MAX);
	g->text = malloc(POOL_BYTES + BODY_MAX);
	if (g->out.mem == NULL || g->noise == NULL || g->text == NULL)
		return -1;
	rng_fill(&g->rng, g->noise, POOL_BYTES + BODY_MAX);
	fill_text(&g->rng, g->text, POOL_BYTES + BODY_MAX);
	out_file_header(&g->out);
	return 0;
}

static void gen_done(struct gen *g)
{
	free(g->out.mem);
	free(g->noise);
	free(g->text);
	web_free(g->web);
	free(g);
}

static void report(const struct gen *g, const char *kind)
{
	const struct counts *n = &g->n;
	uint64_t packets = g->out.n_packets == 0 ? 1 : g->out.n_packets;

	fprintf(stderr,
	        "gen: %s: %" PRIu64 " packets, %" PRIu64 " bytes, mean frame %" PRIu64 ", %" PRIu64
	        " flows, %.1f s\n",
	        kind, g->out.n_packets, g->out.n_bytes,
	        (g->out.n_bytes - PCAP_FILE_HEADER) / packets - PCAP_RECORD_HEADER, n->flows,
	        (double)(g->now_us - EPOCH_US) / 1e6);
	fprintf(stderr,
	        "gen: %.2f %% of packets bear authentication, %.2f %% are of port 88, %.1f %% on "
	        "ports that tell nothing, %.1f %% IPv6\n",
	        100.0 * (double)n->auth_packets / (double)packets,
	        100.0 * (double)n->kdc_packets / (double)packets,
	        100.0 * (double)n->unknown_packets / (double)packets,
	        100.0 * (double)n->v6_packets / (double)packets);
	if (g->web != NULL) {
		fprintf(stderr,
		        "gen: HTTP requests %" PRIu64 ", with a token %" PRIu64
		        "; access tokens %" PRIu64 ", signatures %" PRIu64 "\n",
		        n->requests, n->bearer, n->tokens, g->web->n_signed);
		return;
	}
	fprintf(stderr,
	        "gen: requests: AS %" PRIu64 ", TGS %" PRIu64 ", AP by SMB2 %" PRIu64
	        ", HTTP %" PRIu64 ", LDAP %" PRIu64 "; tickets issued %" PRIu64 "\n",
	        n->as_req, n->tgs_req, n->smb, n->http, n->ldap, n->tickets);
}

/** Reads a positive number with an optional K, M or G (powers of 1024). */
static bool parse_number(const char *text, uint64_t *v)
{
	char *end;
	unsigned shift;

	errno = 0;
	*v = strtoull(text, &end, 10);
	shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
	if (shift != 0)
		end++;
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || *v > UINT64_MAX >> shift)
		return false;
	*v <<= shift;
	return true;
}

static int usage(void)
{
	fputs("usage: gen --kind mix|auth|small|flood|web|rs256|es256 [--seed N] [--size BYTES | "
	      "--packets N | --seconds N] [--loop N] [--tokens N] OUT.pcap\n",
	        stderr);
	return 2;
}

/* Returns 0, or -1 when there is no memory. */
static int run_loop(struct gen *g, const struct kind *kind, const struct limit *limit)
{
	const struct rng first = g->rng;
	int r;

	do {
		struct limit once = *limit;
		if (limit->n_packets - g->out.n_packets > limit->loop)
			once.n_packets = g->out.n_packets + limit->loop;
		g->rng = first;
		memset(g->next_port, 0, sizeof g->next_port);
		r = kind->run(g, &once);
	} while (r == 0 && !limit_reached(g, limit));
	return r;
}

static int generate(const struct kind *kind, uint64_t seed, uint32_t n_tokens,
        const struct limit *limit, const char *path)
{
	bool to_stdout = strcmp(path, "-") == 0;
	int fd = to_stdout ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	struct gen *g = calloc(1, sizeof *g);
	int status = 1;

	if (fd < 0) {
		fprintf(stderr, "gen: %s: %s\n", path, strerror(errno));
		free(g);
		return 1;
	}
	if (g != NULL)
		g->n_tokens = n_tokens;
	if (g == NULL || gen_init(g, seed, fd) != 0 || run_loop(g, kind, limit) != 0) {
		fprintf(stderr, "gen: out of memory\n");
		goto out;
	}
	out_flush(&g->out);
	if (g->out.err == 0 && !to_stdout && close(fd) != 0)
		g->out.err = errno;
	if (g->out.err != 0) {
		fprintf(stderr, "gen: %s: %s\n", path, strerror(g->out.err));
		goto out;
	}
	report(g, kind->name);
	status = 0;
out:
	if (g != NULL)
		gen_done(g);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "kind", required_argument, NULL, 'k' },
		{ "seed", required_argument, NULL, 's' },
		{ "size", required_argument, NULL, 'b' },
		{ "packets", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 't' },
		{ "loop", required_argument, NULL, 'l' },
		{ "tokens", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	struct limit limit = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	const struct kind *kind = &kinds[0];
	uint64_t seed = 1, n_tokens = 0;
	bool valid = true;
	int opt;

	while (valid && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'k') {
			valid = false;
			for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && !valid; i++) {
				kind = &kinds[i];
				valid = strcmp(optarg, kind->name) == 0;
			}
		} else if (opt == 's') {
			valid = parse_number(optarg, &seed);
		} else if (opt == 'b') {
			valid = parse_number(optarg, &limit.n_bytes);
		} else if (opt == 'n') {
			valid = parse_number(optarg, &limit.n_packets);
		} else if (opt == 't') {
			valid = parse_number(optarg, &limit.seconds);
		} else if (opt == 'l') {
			valid = parse_number(optarg, &limit.loop) && limit.loop != 0;
		} else if (opt == 'o') {
			valid = parse_number(optarg, &n_tokens) && n_tokens <= N_CLIENTS;
		} else {
			valid = false;
		}
	}
	if (!valid || optind != argc - 1)
		return usage();
	if (limit.n_packets == UINT64_MAX && limit.n_bytes == UINT64_MAX &&
	        limit.seconds == UINT64_MAX)
		limit.n_packets = kind->n_packets;
	return generate(kind, seed, (uint32_t)n_tokens, &limit, argv[optind]);
}
