/* What leaves the program: NDJSON for machines (mintmark-events(5)), text for people. */
#ifndef MM_OUTPUT_OUTPUT_H
#define MM_OUTPUT_OUTPUT_H

#include <stdio.h>

#include "base/files.h"
#include "capture/capture.h"
#include "decode/decode.h"
#include "detect/detect.h"
#include "dissect/dissect.h"
#include "event/event.h"
#include "flow/flow.h"
#include "ledger/ledger.h"
#include "output/blind.h"
#include "output/buf.h"
#include "score/finding.h"

/** A field of an NDJSON object, for --list-fields and mintmark-events(5). */
struct mm_field {
	const char *name; /* "source.ip" */
	const char *type; /* "keyword", "ip", "long", "float", "date", "boolean", or "X[]" */
	const char *help;
};

/** The fields that all events and findings share, ended by a NULL name; attributes of dissectors come on top. */
extern const struct mm_field mm_fields[];

/** Append one event as a JSON object without a newline. */
void mm_json_event(struct mm_buf *out, const struct mm_event *ev, const struct mm_files *files);

/** Append one finding as a JSON object without a newline. */
void mm_json_finding(struct mm_buf *out, const struct mm_finding *f, const struct mm_ledger *ledger,
        const struct mm_files *files);

/** All that a run knows at its end. Everything is borrowed. */
struct mm_summary {
	const struct mm_files *files;
	const struct mm_decode_stats *decode;
	const struct mm_flow_stats *flow;
	const struct mm_flow_proto_stats *protos; /* parallel to mm_dissectors */
	const struct mm_ledger *ledger;
	struct mm_finding *const *findings; /* most serious first, bare ones too */
	size_t n_findings;
	uint64_t n_events;
	uint64_t n_events_refused; /* not made: the pool's limit was hit */
	uint64_t n_sensor_lost;    /* packets that the kernel or an interface dropped */
	uint64_t n_findings_evicted;
	const struct mm_blind_table *blind; /* NULL: nothing is known of it */
	int64_t first_ns, last_ns; /* times of the first and the last packet; 0: no packet */
	enum mm_band text_band;    /* text shows findings from this band up */
};

/** Append one finding, as mm_text_report() does; of summary, files and ledger are needed. */
void mm_text_finding(struct mm_buf *out, const struct mm_summary *summary,
        const struct mm_finding *f, bool color);

/** Append the findings, most serious first, then the closing summary. color: terminal escapes. */
void mm_text_report(struct mm_buf *out, const struct mm_summary *summary, bool color);

#endif
