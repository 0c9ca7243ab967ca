/* Classic pcap files (draft-ietf-opsawg-pcap): a header of 24 bytes, then packets.
 *
 *   file:    magic u32, major u16, minor u16, reserved u32 x 2, snaplen u32, FCS and link type u32
 *   packet:  seconds u32, fraction u32, captured length u32, original length u32, data
 *
 * The magic tells the byte order of all numbers and the unit of the fraction. libpcap reads the
 * same; reading large blocks in place takes half of its time. */
#include "capture/file.h"

static const uint32_t magic_micro = 0xa1b2c3d4;
static const uint32_t magic_nano = 0xa1b23c4d;
static const uint32_t magic_modified =
        0xa1b2cd34; /* Kuznetzov's: interface and type follow the lengths */

enum {
	FILE_HEADER_LEN = 24,
	PACKET_HEADER_LEN = 16,
	MODIFIED_HEADER_LEN = 24,
	/* offsets in the headers */
	FILE_MAJOR = 4,
	FILE_MINOR = 6,
	FILE_LINKTYPE = 20,
	PACKET_SECONDS = 0,
	PACKET_FRACTION = 4,
	PACKET_CAPTURED = 8,
	PACKET_ORIGINAL = 12,
	LINKTYPE_MASK = 0xffff, /* above it: length and presence of the FCS */
	/* versions that libpcap writes (2.4), and the one of AIX */
	MAJOR = 2,
	MAJOR_AIX = 543,
	NS_PER_US = 1000,
};

static const int64_t ns_per_s = 1000000000;

static bool known_magic(uint32_t magic)
{
	return magic == magic_micro || magic == magic_nano || magic == magic_modified;
}

static uint32_t host_u32(struct mm_slice s)
{
	uint32_t v = 0;
	if (s.len >= sizeof v)
		memcpy(&v, s.p, sizeof v);
	return v;
}

static bool classic_probe(struct mm_slice magic)
{
	uint32_t v = host_u32(magic);
	return known_magic(v) || known_magic(__builtin_bswap32(v));
}

static int classic_open(struct mm_file *f)
{
	struct mm_slice h;
	int r = mm_input_peek(&f->in, FILE_HEADER_LEN, &h);
	if (r != 1)
		return mm_file_why(f, MM_ERR_TRUNCATED, "no capture file (%s in its header)",
		        f->in.status == MM_OK ? "ends" : f->in.why);
	f->swap = !known_magic(host_u32(h));
	uint32_t magic = mm_file_u32(f, h, 0);
	uint16_t major = mm_file_u16(f, h, FILE_MAJOR);
	if (major != MAJOR && major != MAJOR_AIX)
		return mm_file_why(f, MM_ERR_UNSUPPORTED, "pcap version %u.%u is not known", major,
		        mm_file_u16(f, h, FILE_MINOR));
	f->frac_ns = magic == magic_nano ? 1 : NS_PER_US;
	f->header_len = magic == magic_modified ? MODIFIED_HEADER_LEN : PACKET_HEADER_LEN;
	f->linktype = mm_file_u32(f, h, FILE_LINKTYPE) & LINKTYPE_MASK;
	f->has_linktype = true;
	mm_input_drop(&f->in, FILE_HEADER_LEN);
	return MM_OK;
}

static int classic_read(struct mm_file *f, struct mm_packet *out)
{
	struct mm_slice h, data;
	uint64_t n = f->base.n_packets + 1;
	uint64_t at = f->in.at;
	int r = mm_input_peek(&f->in, f->header_len, &h);
	if (r == 0)
		return 0;
	if (r < 0)
		return mm_file_cut(f, n, at);
	uint32_t captured = mm_file_u32(f, h, PACKET_CAPTURED);
	if (captured > MM_CAPTURE_SNAPLEN)
		return mm_file_why(f, MM_ERR_CORRUPT,
		        "packet %llu, at byte %llu, claims %u bytes, more than %d",
		        (unsigned long long)n, (unsigned long long)at, captured,
		        MM_CAPTURE_SNAPLEN);
	/* Header and data in one piece: a refill may have moved the header. */
	size_t len = f->header_len + captured;
	r = mm_input_peek(&f->in, len, &h);
	if (r <= 0)
		return mm_file_cut(f, n, at);
	data = mm_after(h, f->header_len);
	uint32_t original = mm_file_u32(f, h, PACKET_ORIGINAL);
	*out = (struct mm_packet){
		.time_ns = (int64_t)mm_file_u32(f, h, PACKET_SECONDS) * ns_per_s +
		           (int64_t)mm_file_u32(f, h, PACKET_FRACTION) * f->frac_ns,
		.id = { .file = f->base.file, .number = n },
		.linktype = f->linktype,
		.wire_len = original < captured ? captured : original,
		.data = data,
		.block = f->in.block,
	};
	mm_input_drop(&f->in, len);
	f->base.n_packets = n;
	return 1;
}

const struct mm_file_format mm_format_pcap = {
	.ops = { .name = "pcap", .next = mm_file_next, .close = mm_file_close },
	.probe = classic_probe,
	.open = classic_open,
	.read = classic_read,
};
