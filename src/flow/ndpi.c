/* The one file that knows nDPI. */
#include "flow/ndpi.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ndpi/ndpi_api.h>

enum {
	IPV6_HEADER = 40, /* RFC 8200 section 3 */
	IPV6_VERSION = 0x60,
	IPV6_UNIQUE_LOCAL = 0xfd, /* RFC 4193 section 3.1 */
	HOP_LIMIT = 64,
	TCP_HEADER = 20, /* RFC 9293 section 3.1 */
	TCP_OFFSET = 0x50,
	UDP_HEADER = 8, /* RFC 768 */
	PACKET_MAX = IPV6_HEADER + TCP_HEADER + MM_NDPI_HEAD,
	TIME_MS = 1000, /* of every made-up packet: verdicts know no clock */
	ID_NONE = 0,    /* NDPI_PROTOCOL_UNKNOWN */
	HINTED_MAX = UINT8_MAX,
};

/* By what nDPI calls them: those that are counted one by one. */
/* clang-format off */
static const char *const names[] = {
	[MM_FLOW_NAME_UNKNOWN] = "no known protocol",
	[MM_FLOW_NAME_OTHER] = "other protocols",
	[MM_FLOW_NAME_QUIC] = "QUIC",
	[MM_FLOW_NAME_TLS] = "TLS",
	[MM_FLOW_NAME_DNS] = "DNS",
	"DTLS", "MDNS", "LLMNR", "NetBIOS", "NTP", "DHCP", "DHCPV6", "SNMP", "Syslog", "SSDP",
	"WSD", "SSH", "Telnet", "RDP", "VNC", "TeamViewer", "AnyDesk", "FTP_CONTROL", "FTP_DATA",
	"TFTP", "RSYNC", "NFS", "AFP", "SMTP", "SMTPS", "POP3", "POPS", "IMAP", "IMAPS", "Jabber",
	"IRC", "MQTT", "AMQP", "COAP", "PostgreSQL", "MySQL", "MsSQL-TDS", "Oracle", "MongoDB",
	"Redis", "Memcached", "Cassandra", "LDAP", "Kerberos", "SMBv1", "SMBv23", "DCE_RPC",
	"HTTP", "HTTP_Connect", "HTTP_Proxy", "WebSocket", "Radius", "Diameter", "SIP", "RTP",
	"RTCP", "RTSP", "RTMP", "STUN", "H323", "BitTorrent", "Tor", "OpenVPN", "WireGuard",
	"IPsec", "CiscoVPN", "PPTP", "GTP_U", "Teredo", "SOCKS", "NetFlow", "sFlow", "BGP",
	"Modbus", "DNP3", "IEC60870", "s7comm", "EthernetIP", "Git", "Citrix", "IPP", "SAP",
	"Zabbix", "ZeroMQ", "Collectd", "Mining",
};
/* clang-format on */

_Static_assert(sizeof names / sizeof names[0] == MM_FLOW_NAMES, "every name has its counter");

/* What a protocol of nDPI means to us. */
struct meaning {
	uint8_t name; /* index of names */
	uint8_t hint; /* index of the dissector + 1; 0: none */
};

struct mm_ndpi {
	struct ndpi_detection_module_struct *module;
	struct ndpi_flow_struct *flow; /* zeroed for each question */
	size_t flow_size;
	const struct mm_dissector *const *list;
	struct meaning *meanings; /* by nDPI's number */
	size_t n_meanings;
	uint8_t packet[PACKET_MAX];
};

const char *mm_flow_name(size_t i)
{
	return i < sizeof names / sizeof names[0] ? names[i] : NULL;
}

/* --- what its numbers mean ------------------------------------------------------------------------- */

static uint8_t name_of(const char *ndpi_name)
{
	for (size_t i = MM_FLOW_NAME_OTHER + 1; i < sizeof names / sizeof names[0]; i++)
		if (strcasecmp(names[i], ndpi_name) == 0)
			return (uint8_t)i;
	return MM_FLOW_NAME_OTHER;
}

static uint8_t hint_of(const struct mm_dissector *const *list, const char *ndpi_name)
{
	for (size_t i = 0; i < HINTED_MAX && list[i] != NULL; i++)
		for (const char *const *h = list[i]->ndpi_hints; h != NULL && *h != NULL; h++)
			if (strcasecmp(*h, ndpi_name) == 0)
				return (uint8_t)(i + 1);
	return 0;
}

static bool learn_meanings(struct mm_ndpi *n)
{
	n->n_meanings = ndpi_get_num_supported_protocols(n->module);
	n->meanings = calloc(n->n_meanings, sizeof *n->meanings);
	if (n->meanings == NULL)
		return false;
	for (size_t id = ID_NONE + 1; id < n->n_meanings; id++) {
		const char *name = ndpi_get_proto_name(n->module, (uint16_t)id);
		n->meanings[id] = (struct meaning){ name_of(name), hint_of(n->list, name) };
	}
	return true;
}

/* --- the module ------------------------------------------------------------------------------------ */

/* "All these calls MUST NOT run in parallel", says ndpi_api.h of making a module, and workers make theirs when their
 * first unknown flow comes: for this alone there is a lock, taken twice in a worker's life. */
static pthread_mutex_t module_lock = PTHREAD_MUTEX_INITIALIZER;

static bool start_module(struct mm_ndpi *n)
{
	n->module = ndpi_init_detection_module(ndpi_dont_load_tor_hosts | ndpi_dont_init_libgcrypt);
	if (n->module == NULL || !learn_meanings(n))
		return false;
	/* What is counted by its name or hints at a dissector: a third of what nDPI knows, and of its time, and of its
	 * code that a hostile packet could meet. But not QUIC, which it would decrypt: libgcrypt opens files for
	 * that, which the sandbox does not allow, and mm_class_signature() knows it. */
	NDPI_PROTOCOL_BITMASK wanted;
	NDPI_BITMASK_RESET(wanted);
	for (size_t id = ID_NONE + 1; id < n->n_meanings && id < NDPI_NUM_BITS; id++) {
		const struct meaning *m = &n->meanings[id];
		bool told = m->name != MM_FLOW_NAME_OTHER || m->hint != 0;
		if (told && id != NDPI_PROTOCOL_QUIC)
			wanted.fds_bits[id / NDPI_BITS] |= (ndpi_ndpi_mask)1 << id % NDPI_BITS;
	}
	ndpi_set_protocol_detection_bitmask2(n->module, &wanted);
	ndpi_finalize_initialization(n->module);
	return true;
}

struct mm_ndpi *mm_ndpi_new(const struct mm_dissector *const *list)
{
	struct mm_ndpi *n = calloc(1, sizeof *n);
	if (n == NULL)
		return NULL;
	n->list = list;
	pthread_mutex_lock(&module_lock);
	bool started = start_module(n);
	pthread_mutex_unlock(&module_lock);
	n->flow_size = ndpi_detection_get_sizeof_ndpi_flow_struct();
	n->flow = calloc(1, n->flow_size);
	if (!started || n->flow == NULL) {
		mm_ndpi_free(n);
		return NULL;
	}
	return n;
}

void mm_ndpi_free(struct mm_ndpi *n)
{
	if (n == NULL)
		return;
	if (n->module != NULL) {
		pthread_mutex_lock(&module_lock);
		ndpi_exit_detection_module(n->module);
		pthread_mutex_unlock(&module_lock);
	}
	free(n->flow);
	free(n->meanings);
	free(n);
}

/* --- questions ------------------------------------------------------------------------------------- */

static void put_be16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put_be32(uint8_t *p, size_t v)
{
	put_be16(p, v >> 16);
	put_be16(p + 2, v & 0xffff);
}

/* The packet of one direction; n_before: bytes that the other one sent before. Its length. */
static uint16_t make_packet(struct mm_ndpi *n, enum mm_transport transport, unsigned dir,
        const uint16_t ports[2], struct mm_slice head, size_t n_before)
{
	uint8_t *ip = n->packet, *l4 = ip + IPV6_HEADER;
	size_t header = transport == MM_TCP ? TCP_HEADER : UDP_HEADER;
	memset(ip, 0, IPV6_HEADER + header);
	ip[0] = IPV6_VERSION;
	put_be16(ip + 4, header + head.len);
	ip[6] = (uint8_t)transport;
	ip[7] = HOP_LIMIT;
	ip[8] = ip[24] = IPV6_UNIQUE_LOCAL;
	ip[23] = (uint8_t)(1 + dir);
	ip[39] = (uint8_t)(2 - dir);
	put_be16(l4, ports[dir]);
	put_be16(l4 + 2, ports[!dir]);
	if (transport == MM_TCP) {
		put_be32(l4 + 4, 1);
		put_be32(l4 + 8, 1 + n_before);
		l4[12] = TCP_OFFSET;
		l4[13] = MM_TCP_PSH | MM_TCP_ACK;
		put_be16(l4 + 14, UINT16_MAX); /* window */
	} else {
		put_be16(l4 + 4, UDP_HEADER + head.len);
	}
	if (head.len != 0)
		memcpy(l4 + header, head.p, head.len);
	return (uint16_t)(IPV6_HEADER + header + head.len);
}

static struct mm_ndpi_verdict verdict(const struct mm_ndpi *n, ndpi_protocol p)
{
	struct mm_ndpi_verdict v = { .name = MM_FLOW_NAME_UNKNOWN };
	/* "TLS.Google" has a master, "TLS" alone is an application. */
	const uint16_t ids[] = { p.master_protocol, p.app_protocol };
	for (size_t i = 0; i < 2; i++) {
		if (ids[i] == ID_NONE || ids[i] >= n->n_meanings)
			continue;
		const struct meaning *m = &n->meanings[ids[i]];
		if (v.name <= MM_FLOW_NAME_OTHER)
			v.name = m->name;
		if (m->hint != 0 && v.hint == NULL) {
			v.proto = m->hint - 1u;
			v.hint = n->list[v.proto];
		}
	}
	return v;
}

struct mm_ndpi_verdict mm_ndpi_ask(struct mm_ndpi *n, enum mm_transport transport,
        const uint16_t ports[2], const struct mm_slice heads[2])
{
	struct mm_ndpi_verdict v = { .name = MM_FLOW_NAME_UNKNOWN };
	size_t n_before = 0;
	memset(n->flow, 0, n->flow_size);
	for (unsigned dir = 0; dir < 2 && v.name == MM_FLOW_NAME_UNKNOWN; dir++) {
		struct mm_slice head = mm_first(heads[dir], MM_NDPI_HEAD);
		if (head.len == 0)
			continue;
		uint16_t len = make_packet(n, transport, dir, ports, head, n_before);
		v = verdict(n,
		        ndpi_detection_process_packet(n->module, n->flow, n->packet, len, TIME_MS));
		n_before = head.len;
	}
	ndpi_free_flow_data(n->flow);
	return v;
}
