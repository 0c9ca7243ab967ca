/* segments - what decode makes of each packet of a capture, for tunnels.t to compare with tshark.
 *
 * segments CAPTURE: a line for each packet: its number, and of a segment protocol, source, port, destination, port,
 * bytes of payload and path, "-" when that is empty; of any other packet the verdict. */
#include <inttypes.h>
#include <stdio.h>

#include "capture/block.h"
#include "capture/capture.h"
#include "decode/decode.h"

static void tell(uint64_t number, const struct mm_segment *seg)
{
	char src[MM_ADDR_TEXT], dst[MM_ADDR_TEXT], path[MM_PATH_TEXT];
	mm_path_text(&seg->path, path);
	printf("%" PRIu64 " %u %s %u %s %u %zu %s\n", number, seg->ip_proto,
	        mm_addr_text(&seg->src.addr, src), seg->src.port, mm_addr_text(&seg->dst.addr, dst),
	        seg->dst.port, seg->payload.len + seg->missing, path[0] == '\0' ? "-" : path);
}

int main(int argc, char **argv)
{
	static const char *const verdicts[] = { "segment", "fragment", "other", "malformed",
		"unsupported" };
	static const struct mm_hash_key key = { 1, 2 };
	struct mm_decoder *d;
	struct mm_source *s;
	struct mm_packet pkt;
	struct mm_segment seg;
	struct mm_spares spares = { 0 };
	char why[256] = "out of memory";
	int r;
	if (argc != 2 || mm_decoder_new(&key, &d) != MM_OK)
		return 2;
	if (mm_source_open_file(argv[1], 0, NULL, NULL, &spares, &s, why, sizeof why) != MM_OK) {
		fprintf(stderr, "%s: %s\n", argv[1], why);
		mm_decoder_free(d);
		return 1;
	}
	while ((r = s->ops->next(s, &pkt)) > 0) {
		enum mm_decode_verdict v = mm_decode(d, &pkt, &seg);
		if (v == MM_DECODE_SEGMENT)
			tell(pkt.id.number, &seg);
		else
			printf("%" PRIu64 " %s\n", pkt.id.number, verdicts[v]);
	}
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[1], s->why);
	if (mm_decoder_stats(d)->n_depth_limit != 0)
		fprintf(stderr, "%s: too deep\n", argv[1]);
	mm_source_close(s);
	mm_spares_done(&spares);
	mm_decoder_free(d);
	return r < 0;
}
