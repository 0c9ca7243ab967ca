/* Whole packets under fuzzing: from the link layer to the detectors.
 *
 * An input is records: one byte of link type (an index into the table below; bit 7: the packet was cut by the snap
 * length), two bytes of time since the one before in milliseconds (65535: years), two bytes of length, big-endian,
 * and that many bytes. */
#include "fuzz.h"

enum {
	HEAD = 5,
	CUT = 0x80,
	CUT_BYTES = 100,
	NS_PER_MS = 1000000,
	LONG_AGO = 0xffff,
};

/* LINKTYPE_ values of https://www.tcpdump.org/linktypes.html; 147 is a user's own: unknown to everybody. */
static const uint32_t linktypes[] = { 1, 0, 12, 14, 101, 108, 113, 228, 229, 276, 147, 9, 50, 51,
	104 };

/* 2024-01-01; and a step that hostile captures take: about 30 years. */
static const int64_t begin_ns = INT64_C(1704067200) * 1000000000;
static const int64_t years_ns = INT64_C(946080000) * 1000000000;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mintmark *m = fuzz_new();
	int source = mintmark_add_source(m, "fuzz");
	struct mintmark_packet packet = { .source = source, .time_ns = begin_ns };
	fuzz_expect(source >= 0 && mintmark_start(m) == 0, mintmark_error(m));
	while (size >= HEAD) {
		size_t len = (size_t)data[3] << 8 | data[4];
		unsigned delta = (unsigned)data[1] << 8 | data[2];
		len = len < size - HEAD ? len : size - HEAD;
		uint8_t *copy = malloc(len + 1); /* so that a read beyond it is seen */
		fuzz_expect(copy != NULL, "memory suffices");
		if (len != 0)
			memcpy(copy + 1, data + HEAD, len);
		packet.number++;
		if (delta == LONG_AGO)
			(void)__builtin_add_overflow(packet.time_ns, years_ns, &packet.time_ns);
		else
			(void)__builtin_add_overflow(
			        packet.time_ns, (int64_t)delta * NS_PER_MS, &packet.time_ns);
		packet.linktype = linktypes[(data[0] & ~(unsigned)CUT) %
		                            (sizeof linktypes / sizeof linktypes[0])];
		packet.data = copy + 1;
		packet.len = len;
		packet.wire_len = (uint32_t)len + (data[0] & CUT ? CUT_BYTES : 0);
		fuzz_expect(mintmark_feed(m, &packet) == 0, mintmark_error(m));
		free(copy);
		data += HEAD + len;
		size -= HEAD + len;
	}
	fuzz_end(m);
	return 0;
}
