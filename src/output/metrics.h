/* Counters of every stage, as one table: for Prometheus and for people.
 *
 * A counter is a field of a stage's stats, all of type uint64_t, and one row in metrics.c that names it. The rows' order
 * is that of the output. What is filled in is up to the caller: one worker's stats, or the sum of all. */
#ifndef MM_OUTPUT_METRICS_H
#define MM_OUTPUT_METRICS_H

#include "decode/decode.h"
#include "detect/detect.h"
#include "flow/flow.h"
#include "ledger/ledger.h"
#include "output/buf.h"

enum mm_metric_type {
	MM_COUNTER, /* only grows, but for a restart */
	MM_GAUGE,
};

/** Whose stats a metric is of; those of the last four come once for each of theirs. */
enum mm_metric_group {
	MM_METRIC_BUILD, /* no stats: always 1, label version */
	MM_METRIC_PROCESS,
	MM_METRIC_DECODE,
	MM_METRIC_FLOW,
	MM_METRIC_EVENTS,
	MM_METRIC_LEDGER,
	MM_METRIC_FINDINGS,
	MM_METRIC_PROTOCOL, /* label protocol */
	MM_METRIC_UNREAD,   /* label protocol, as mm_flow_name() has it */
	MM_METRIC_SOURCE,   /* labels index and source */
	MM_METRIC_WORKER,   /* label worker */
};

struct mm_metric {
	const char *name; /* "mintmark_packets_total"; rows of one name stand together */
	enum mm_metric_type type;
	enum mm_metric_group group;
	size_t offset;            /* of its uint64_t in the group's stats */
	const char *label, *word; /* a label of this row, "band", and its value; NULL: none */
	bool nanoseconds;         /* shown as seconds */
	const char *help;         /* the same in all rows of one name */
};

/** The table, ended by a NULL name. */
extern const struct mm_metric mm_metrics[];

/* Stats that no stage keeps as a struct of its own. */

struct mm_process_stats {
	uint64_t start_ns, time_ns; /* packet time of the first and the latest packet; 0: none */
	uint64_t resident_max_b;
};

struct mm_event_stats {
	uint64_t n_events;                 /* analysed */
	uint64_t n_refused;                /* lost for want of room or memory */
	uint64_t n_early;                  /* analysed before their time, for want of memory */
	uint64_t n_making, making_max;     /* events in the making; limit */
	uint64_t n_waiting;                /* to be put in order */
	uint64_t waiting_b, waiting_max_b; /* memory taken for these; limit */
	uint64_t n_hidden;                 /* TLS connections that were not decrypted */
	uint64_t n_secrets;                /* of TLS connections, held */
	uint64_t n_secrets_bad;            /* lines of key logs that are not of their format */
	uint64_t n_secrets_limit;          /* secrets that were left out or gave way */
};

struct mm_ledger_stats {
	uint64_t n_issued, n_presented, n_reissued;
	uint64_t n_rows, rows_max, n_rows_evicted, n_expired;
	uint64_t n_mints, n_parties, n_lineages; /* what rows share */
	uint64_t n_issuers, n_issuers_evicted;
	uint64_t n_cells, n_cells_evicted;
	uint64_t n_latest, n_latest_evicted;
	uint64_t n_names, n_names_refused;
	uint64_t n_counts, n_counts_evicted;
	uint64_t n_totals, n_totals_evicted;
	uint64_t n_lengths, n_lengths_evicted;
	uint64_t n_losses, n_losses_evicted;
	uint64_t n_tokens, n_tokens_evicted;
	uint64_t n_proofs, n_proofs_evicted;
	uint64_t n_guessers, n_guessers_evicted;
	uint64_t n_pairs, n_pairs_evicted;
	uint64_t n_tokens_verified, n_tokens_invalid, n_token_copies, n_key_documents, n_keys_limit;
	uint64_t n_keys, n_keys_evicted;
	uint64_t n_attempts;
	uint64_t n_sensor_seen,
	        n_sensor_lost; /* packets of the sensor itself, as the ledger was told */
	uint64_t memory_b;
};

struct mm_finding_stats {
	uint64_t n[MM_BAND_CRITICAL + 1]; /* by band, as weighed now */
	uint64_t n_bare;                  /* left unscored */
	uint64_t n_dropped;               /* gave way to others */
};

/** A capture, or an interface. Where several handles share an interface each is one, or their sum is. */
struct mm_source_stats {
	uint64_t n_packets;  /* taken from it */
	uint64_t n_filtered; /* of these, turned away by the filter here, not in the kernel */
	uint64_t n_bytes;    /* of a file as stored: read so far */
	uint64_t size;       /* of it in all; 0: not known */
	uint64_t n_received; /* of an interface: what the kernel took in for us */
	uint64_t n_kernel_dropped, n_interface_dropped;
	uint64_t n_dropped; /* by us, for want of room behind the capture */
};

/** What one worker counted. */
struct mm_worker_stats {
	uint64_t n_segments;
	uint64_t n_events;        /* made */
	uint64_t most_loads;      /* of segments that waited for it at a time */
	uint64_t n_live, n_rooms; /* flows; events in the making */
};

/** Everything is borrowed. A NULL pointer leaves out the metrics of its group. */
struct mm_metrics_in {
	const char *version;
	const struct mm_process_stats *process;
	const struct mm_decode_stats *decode;
	const struct mm_flow_stats *flow;
	const struct mm_event_stats *events;
	const struct mm_ledger_stats *ledger;
	const struct mm_finding_stats *findings;
	const struct mm_flow_proto_stats *protos; /* parallel to mm_dissectors */
	const struct mm_source_stats *sources;
	const char *const *source_names; /* parallel to sources */
	size_t n_sources;
	const struct mm_worker_stats *workers;
	size_t n_workers;
};

/** Take down the ledger's numbers. */
void mm_ledger_stats_of(const struct mm_ledger *l, struct mm_ledger_stats *out);

/** Count the findings. */
void mm_finding_stats_of(const struct mm_detect *d, struct mm_finding_stats *out);

/** Append all metrics in Prometheus' text exposition format 0.0.4. */
void mm_metrics_prometheus(struct mm_buf *out, const struct mm_metrics_in *in);

/** Append all metrics for people, one a line: name, labels and value. */
void mm_metrics_text(struct mm_buf *out, const struct mm_metrics_in *in);

/** Replace the file by the buffer's bytes: a reader sees the old file or the new one, whole. Made beside it, as
 * ".NAME.tmp", and put in its place. For a process that may open files; the monitor of priv/ does it for one that may
 * not. MM_ERR_IO: errno; the old file then stands. */
int mm_metrics_save(const char *path, const struct mm_buf *text) MM_MUST_CHECK;

/** The labels of a metric, as "index, source"; "" for none. */
const char *mm_metric_labels(const struct mm_metric *row);
const char *mm_metric_type_name(enum mm_metric_type type);

#endif
