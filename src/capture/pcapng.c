/* pcapng files (draft-ietf-opsawg-pcapng): blocks, in sections that each have a byte order and
 * interfaces.
 *
 *   block:  type u32, total length u32, body padded to 4 bytes, total length u32 again
 *
 * Packets come in enhanced, simple and (obsolete) packet blocks; their link type and the unit of
 * their times are those of their interface. Decryption secrets are handed on, other blocks
 * skipped. */
#include <stdlib.h>

#include "capture/file.h"

static const uint32_t byte_order_magic = 0x1a2b3c4d; /* section 4.1 */

/* Block types, section 10.1 */
enum {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* appendix A: obsolete */
	BLOCK_SIMPLE = 3,
	BLOCK_JOURNAL = 9, /* systemd journal export */
	BLOCK_ENHANCED = 6,
	BLOCK_SECRETS = 10,
	BLOCK_SYSDIG = 0x204,
	BLOCK_SYSDIG_2 = 0x216,
	BLOCK_SYSDIG_2_LARGE = 0x221,
	BLOCK_CUSTOM = 0xbad, /* section 4.8 */
	BLOCK_CUSTOM_NO_COPY = 0x40000bad,
	BLOCK_SECTION = 0x0a0d0d0a, /* the same in either byte order */
};

enum {
	HEADER_LEN = 8,
	TRAILER_LEN = 4,
	BLOCK_MIN = HEADER_LEN + TRAILER_LEN,
	BLOCK_ALIGN = 4,
	/* section header, section 4.1 */
	SECTION_MAGIC = 0,
	SECTION_MAJOR = 4,
	SECTION_LEN = 16,
	SECTION_VERSION = 1,
	/* interface description, section 4.2 */
	INTERFACE_LINKTYPE = 0,
	INTERFACE_SNAPLEN = 4,
	INTERFACE_LEN = 8,
	OPTION_LEN = 4,
	OPTION_END = 0,
	OPTION_TSRESOL = 9,
	OPTION_TSOFFSET = 14,
	TSRESOL_DEFAULT = 6,
	TSRESOL_BASE2 = 0x80, /* the exponent is of 2, else of 10 */
	/* enhanced packet, section 4.3; the obsolete one has a 16-bit interface and drop count
	 * in its place */
	PACKET_INTERFACE = 0,
	PACKET_TIME_HIGH = 4,
	PACKET_TIME_LOW = 8,
	PACKET_CAPTURED = 12,
	PACKET_ORIGINAL = 16,
	PACKET_LEN = 20,
	SIMPLE_LEN = 4, /* section 4.4: the original length */
	/* decryption secrets, section 4.7 */
	SECRETS_TYPE = 0,
	SECRETS_LENGTH = 4,
	SECRETS_LEN = 8,
};

static const uint64_t ns_per_s = 1000000000;
static const unsigned ns_exponent = 9;

/* A block in the input's buffer. */
struct block {
	uint32_t type;
	uint64_t at; /* where it begins */
	struct mm_slice body;
};

static bool pcapng_probe(struct mm_slice magic)
{
	static const uint8_t section[] = { 0x0a, 0x0d, 0x0d, 0x0a };
	return mm_slice_eq(mm_first(magic, sizeof section), mm_slice(section, sizeof section));
}

static int corrupt(struct mm_file *f, uint64_t at, const char *what)
{
	return mm_file_why(f, MM_ERR_CORRUPT, "%s after packet %llu, at byte %llu", what,
	        (unsigned long long)f->base.n_packets, (unsigned long long)at);
}

/** The next block, not yet dropped: 1; 0 at the end; negative on an error. */
static int block_peek(struct mm_file *f, struct block *b)
{
	struct mm_slice h;
	b->at = f->in.at;
	int r = mm_input_peek(&f->in, BLOCK_MIN, &h);
	if (r <= 0)
		return r == 0 ? 0 : mm_file_cut(f, f->base.n_packets + 1, b->at);
	if (mm_file_u32(f, h, 0) == BLOCK_SECTION) {
		/* Its magic, the first of its body, gives the byte order of all that follows. */
		uint32_t magic = mm_file_u32(f, h, HEADER_LEN + SECTION_MAGIC);
		if (magic == __builtin_bswap32(byte_order_magic))
			f->swap = !f->swap;
		else if (magic != byte_order_magic)
			return corrupt(f, b->at, "bad byte-order magic");
	}
	b->type = mm_file_u32(f, h, 0);
	uint32_t len = mm_file_u32(f, h, 4);
	if (len < BLOCK_MIN || len % BLOCK_ALIGN != 0 || len > MM_CAPTURE_BLOCK)
		return corrupt(f, b->at, "bad block length");
	r = mm_input_peek(&f->in, len, &h);
	if (r <= 0)
		return mm_file_cut(f, f->base.n_packets + 1, b->at);
	if (mm_file_u32(f, h, len - TRAILER_LEN) != len)
		return corrupt(f, b->at, "two lengths of a block that differ");
	(void)mm_sub(h, HEADER_LEN, len - BLOCK_MIN, &b->body);
	return 1;
}

static void block_drop(struct mm_file *f, const struct block *b)
{
	mm_input_drop(&f->in, b->body.len + BLOCK_MIN);
}

static int read_section(struct mm_file *f, const struct block *b)
{
	if (b->body.len < SECTION_LEN)
		return corrupt(f, b->at, "short section header");
	if (mm_file_u16(f, b->body, SECTION_MAJOR) != SECTION_VERSION)
		return corrupt(f, b->at, "pcapng version that is not known");
	f->n_interfaces = 0;
	return MM_OK;
}

/** if_tsresol: an exponent of ten, or with its high bit of two, by which a second is divided. */
static void set_resolution(struct mm_interface *i, unsigned resolution)
{
	unsigned exponent = resolution & ~(unsigned)TSRESOL_BASE2;
	i->mul = i->div = 1;
	i->shift = 0;
	if ((resolution & TSRESOL_BASE2) != 0) {
		i->mul = ns_per_s;
		i->shift = exponent;
		return;
	}
	for (; exponent < ns_exponent; exponent++)
		i->mul *= 10;
	/* Finer than 10^-28, every time that 64 bits can hold is below a nanosecond. */
	for (; exponent > ns_exponent && i->div != 0; exponent--)
		i->div = i->div > UINT64_MAX / 10 ? 0 : i->div * 10;
}

static void read_options(struct mm_file *f, struct mm_slice options, struct mm_interface *i)
{
	/* A list that breaks off is taken as far as it goes. */
	while (options.len >= OPTION_LEN) {
		uint16_t code = mm_file_u16(f, options, 0);
		uint16_t len = mm_file_u16(f, options, 2);
		struct mm_slice value;
		if (code == OPTION_END || !mm_sub(options, OPTION_LEN, len, &value))
			return;
		if (code == OPTION_TSRESOL && len == 1)
			set_resolution(i, (unsigned)mm_at(value, 0));
		else if (code == OPTION_TSOFFSET && len == sizeof i->offset_s)
			i->offset_s = (int64_t)mm_file_u64(f, value, 0);
		size_t padded = (len + (size_t)BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
		options = mm_after(options, OPTION_LEN + padded);
	}
}

static int read_interface(struct mm_file *f, const struct block *b)
{
	if (b->body.len < INTERFACE_LEN)
		return corrupt(f, b->at, "short interface description");
	if (f->n_interfaces == MM_CAPTURE_INTERFACES)
		return corrupt(f, b->at, "too many interfaces");
	if (f->n_interfaces == f->interfaces_room) {
		size_t room = f->interfaces_room == 0 ? 4 : 2 * f->interfaces_room;
		struct mm_interface *more = reallocarray(f->interfaces, room, sizeof *more);
		if (more == NULL)
			return mm_file_why(f, MM_ERR_NOMEM, "out of memory");
		f->interfaces = more;
		f->interfaces_room = room;
	}
	struct mm_interface *i = &f->interfaces[f->n_interfaces++];
	*i = (struct mm_interface){
		.linktype = mm_file_u16(f, b->body, INTERFACE_LINKTYPE),
		.snaplen = mm_file_u32(f, b->body, INTERFACE_SNAPLEN),
	};
	set_resolution(i, TSRESOL_DEFAULT);
	read_options(f, mm_after(b->body, INTERFACE_LEN), i);
	if (!f->has_linktype)
		f->linktype = i->linktype;
	f->has_linktype = true;
	return MM_OK;
}

static int64_t to_ns(const struct mm_interface *i, uint64_t time)
{
	uint64_t ns;
	if (i->shift == 0 && i->div == 1 && i->offset_s == 0 &&
	        !__builtin_mul_overflow(time, i->mul, &ns) && ns <= INT64_MAX)
		return (int64_t)ns;
	if (i->div == 0)
		time = 0;
	else if (i->div != 1)
		time /= i->div;
	/* At most 2^64 * 10^9, and 2^63 * 10^9 for the offset: 95 bits. */
	__int128 wide = (__int128)time * (__int128)i->mul;
	wide >>= i->shift;
	wide += (__int128)i->offset_s * (__int128)ns_per_s;
	if (wide > INT64_MAX)
		return INT64_MAX;
	return wide < INT64_MIN ? INT64_MIN : (int64_t)wide;
}

/** Fill *out with a packet of an interface; MM_OK or the error. */
static int put(struct mm_file *f, const struct block *b, uint32_t interface, size_t off,
        uint32_t captured, uint32_t original, struct mm_packet *out)
{
	unsigned long long n = f->base.n_packets + 1;
	struct mm_slice data;
	if (interface >= f->n_interfaces)
		return mm_file_why(f, MM_ERR_CORRUPT,
		        "packet %llu, at byte %llu, names interface %u of %zu", n,
		        (unsigned long long)b->at, interface, f->n_interfaces);
	if (captured > MM_CAPTURE_SNAPLEN)
		return mm_file_why(f, MM_ERR_CORRUPT,
		        "packet %llu, at byte %llu, claims %u bytes, more than %d", n,
		        (unsigned long long)b->at, captured, MM_CAPTURE_SNAPLEN);
	if (!mm_sub(b->body, off, captured, &data))
		return mm_file_why(f, MM_ERR_CORRUPT,
		        "packet %llu, at byte %llu, is larger than its block", n,
		        (unsigned long long)b->at);
	*out = (struct mm_packet){
		.time_ns = f->last_time_ns,
		.id = { .file = f->base.file, .number = n },
		.linktype = f->interfaces[interface].linktype,
		.wire_len = original < captured ? captured : original,
		.data = data,
		.block = f->in.block,
	};
	f->base.n_packets = n;
	return 1;
}

static int read_packet(struct mm_file *f, const struct block *b, struct mm_packet *out)
{
	if (b->body.len < PACKET_LEN)
		return corrupt(f, b->at, "short packet block");
	uint32_t interface = b->type == BLOCK_PACKET ? mm_file_u16(f, b->body, PACKET_INTERFACE)
	                                             : mm_file_u32(f, b->body, PACKET_INTERFACE);
	if (interface < f->n_interfaces) {
		uint64_t high = mm_file_u32(f, b->body, PACKET_TIME_HIGH);
		uint64_t time = high << 32 | mm_file_u32(f, b->body, PACKET_TIME_LOW);
		f->last_time_ns = to_ns(&f->interfaces[interface], time);
	}
	return put(f, b, interface, PACKET_LEN, mm_file_u32(f, b->body, PACKET_CAPTURED),
	        mm_file_u32(f, b->body, PACKET_ORIGINAL), out);
}

/** A simple packet is of the first interface, has no time, and is as long as its snaplen lets it
 * be. */
static int read_simple(struct mm_file *f, const struct block *b, struct mm_packet *out)
{
	if (b->body.len < SIMPLE_LEN)
		return corrupt(f, b->at, "short simple packet block");
	uint32_t original = mm_file_u32(f, b->body, 0);
	uint32_t captured = original;
	if (f->n_interfaces > 0 && f->interfaces[0].snaplen != 0 &&
	        f->interfaces[0].snaplen < captured)
		captured = f->interfaces[0].snaplen;
	return put(f, b, 0, SIMPLE_LEN, captured, original, out);
}

static int read_secrets(struct mm_file *f, const struct block *b)
{
	struct mm_slice secrets;
	if (b->body.len < SECRETS_LEN ||
	        !mm_sub(b->body, SECRETS_LEN, mm_file_u32(f, b->body, SECRETS_LENGTH), &secrets))
		return corrupt(f, b->at, "bad decryption secrets");
	if (f->base.on_secrets != NULL)
		f->base.on_secrets(
		        f->base.secrets_arg, mm_file_u32(f, b->body, SECRETS_TYPE), secrets);
	return MM_OK;
}

/** What a block says: 1 for a packet in *out; MM_OK for anything else; negative on an error. */
static int read_block(struct mm_file *f, const struct block *b, struct mm_packet *out)
{
	switch (b->type) {
	case BLOCK_SECTION:
		return read_section(f, b);
	case BLOCK_INTERFACE:
		return read_interface(f, b);
	case BLOCK_ENHANCED:
	case BLOCK_PACKET:
		return read_packet(f, b, out);
	case BLOCK_SIMPLE:
		return read_simple(f, b, out);
	case BLOCK_SECRETS:
		return read_secrets(f, b);
	case BLOCK_JOURNAL:
	case BLOCK_SYSDIG:
	case BLOCK_SYSDIG_2:
	case BLOCK_SYSDIG_2_LARGE:
	case BLOCK_CUSTOM:
	case BLOCK_CUSTOM_NO_COPY:
		/* No packets, but Wireshark numbers them among the packets (measured with tshark
		 * 4.0). */
		f->base.n_packets++;
		return MM_OK;
	default:
		return MM_OK;
	}
}

/** The section header and the interfaces that follow it at once, so that the link type is known
 * where it can be; nothing beyond, so that no secrets go by before someone listens. What is
 * broken beyond the section header is not dropped here, and met again by the first read. */
static int pcapng_open(struct mm_file *f)
{
	struct block b;
	int r = block_peek(f, &b);
	if (r != 1 || (r = read_section(f, &b)) != MM_OK)
		return r;
	block_drop(f, &b);
	while (block_peek(f, &b) == 1 && b.type == BLOCK_INTERFACE &&
	        read_interface(f, &b) == MM_OK)
		block_drop(f, &b);
	f->base.why[0] = '\0';
	return MM_OK;
}

static int pcapng_read(struct mm_file *f, struct mm_packet *out)
{
	struct block b;
	int r;
	while ((r = block_peek(f, &b)) == 1) {
		if ((r = read_block(f, &b, out)) < 0)
			return r;
		block_drop(f, &b);
		if (r == 1)
			return 1;
	}
	return r;
}

const struct mm_file_format mm_format_pcapng = {
	.ops = { .name = "pcapng", .next = mm_file_next, .close = mm_file_close },
	.probe = pcapng_probe,
	.open = pcapng_open,
	.read = pcapng_read,
};
