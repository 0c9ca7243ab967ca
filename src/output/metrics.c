/* Counters of every stage: the table, and its two ways to be written. */
#include "output/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FILE_MODE = 0644,  /* for node_exporter, which is another user */
	VALUE_COLUMN = 56, /* of the text */
	SECOND_DIGITS = 9,
};

#define NS_PER_S 1000000000u

#define PROCESS(field)  MM_METRIC_PROCESS, offsetof(struct mm_process_stats, field), NULL, NULL
#define DECODE(field)   MM_METRIC_DECODE, offsetof(struct mm_decode_stats, field), NULL, NULL, false
#define FLOW(field)     MM_METRIC_FLOW, offsetof(struct mm_flow_stats, field), NULL, NULL, false
#define EVENTS(field)   MM_METRIC_EVENTS, offsetof(struct mm_event_stats, field), NULL, NULL, false
#define LEDGER(field)   MM_METRIC_LEDGER, offsetof(struct mm_ledger_stats, field), NULL, NULL, false
#define TABLE(field, w) MM_METRIC_LEDGER, offsetof(struct mm_ledger_stats, field), "table", w, false
#define BAND(field, w)                                                                             \
	MM_METRIC_FINDINGS, offsetof(struct mm_finding_stats, field), "band", w, false
#define FINDING(field)                                                                             \
	MM_METRIC_FINDINGS, offsetof(struct mm_finding_stats, field), NULL, NULL, false
#define PROTO(field)                                                                               \
	MM_METRIC_PROTOCOL, offsetof(struct mm_flow_proto_stats, field), NULL, NULL, false
#define SOURCE(field) MM_METRIC_SOURCE, offsetof(struct mm_source_stats, field), NULL, NULL, false
#define WORKER(field) MM_METRIC_WORKER, offsetof(struct mm_worker_stats, field), NULL, NULL, false

#define TABLE_ROWS "entries of this table of the ledger"
#define TABLE_GONE "entries of this table of the ledger that gave way to newer ones"
#define BAND_HELP  "findings of this band, as weighed now"

/* clang-format off */
const struct mm_metric mm_metrics[] = {
	{ "mintmark_build_info", MM_GAUGE, MM_METRIC_BUILD, 0, NULL, NULL, false, "1, with the version" },
	{ "mintmark_packet_time_start_seconds", MM_GAUGE, PROCESS(start_ns), true,
		"time of the first packet, in seconds since 1970" },
	{ "mintmark_packet_time_seconds", MM_GAUGE, PROCESS(time_ns), true,
		"latest time of a packet, in seconds since 1970" },
	{ "mintmark_resident_max_bytes", MM_GAUGE, PROCESS(resident_max_b), false,
		"most memory that the process had in use" },

	{ "mintmark_capture_packets_total", MM_COUNTER, SOURCE(n_packets),
		"packets taken from this capture or interface" },
	{ "mintmark_capture_filtered_total", MM_COUNTER, SOURCE(n_filtered),
		"packets of it that the filter turned away after they were taken" },
	{ "mintmark_capture_read_bytes_total", MM_COUNTER, SOURCE(n_bytes),
		"bytes read of the capture file, as stored" },
	{ "mintmark_capture_size_bytes", MM_GAUGE, SOURCE(size),
		"size of the capture file, as stored; 0: not known" },
	{ "mintmark_capture_kernel_received_total", MM_COUNTER, SOURCE(n_received),
		"packets of the interface that passed the filter and that the kernel took in" },
	{ "mintmark_capture_kernel_dropped_total", MM_COUNTER, SOURCE(n_kernel_dropped),
		"packets of the interface that passed the filter and that the kernel had no room for" },
	{ "mintmark_capture_interface_dropped_total", MM_COUNTER, SOURCE(n_interface_dropped),
		"packets that the interface lost" },
	{ "mintmark_capture_dropped_total", MM_COUNTER, SOURCE(n_dropped),
		"packets that were taken and then dropped for want of room" },

	{ "mintmark_packets_total", MM_COUNTER, DECODE(n_packets), "packets decoded" },
	{ "mintmark_packet_bytes_total", MM_COUNTER, DECODE(n_bytes), "bytes of these, as captured" },
	{ "mintmark_packets_cut_total", MM_COUNTER, DECODE(n_cut), "packets shorter than on the wire" },
	{ "mintmark_packets_other_total", MM_COUNTER, DECODE(n_other), "packets without IP, TCP or UDP" },
	{ "mintmark_packets_malformed_total", MM_COUNTER, DECODE(n_malformed),
		"packets that contradict their own lengths" },
	{ "mintmark_packets_unsupported_total", MM_COUNTER, DECODE(n_unsupported),
		"packets of a link type that is not known" },
	{ "mintmark_packets_depth_limit_total", MM_COUNTER, DECODE(n_depth_limit),
		"packets with more headers than are read; they are malformed, too" },
	{ "mintmark_segments_total", MM_COUNTER, DECODE(n_segments), "TCP segments and UDP datagrams" },
	{ "mintmark_fragments_total", MM_COUNTER, DECODE(n_fragments), "IP fragments" },
	{ "mintmark_fragments_reassembled_total", MM_COUNTER, DECODE(n_reassembled),
		"datagrams made whole from fragments" },
	{ "mintmark_fragments_dropped_total", MM_COUNTER, DECODE(n_fragments_dropped),
		"fragmented datagrams given up" },
	{ "mintmark_fragments_limit_total", MM_COUNTER, DECODE(n_fragment_limit),
		"how often a limit on fragments was hit" },

	{ "mintmark_flows_total", MM_COUNTER, FLOW(n_flows), "flows begun" },
	{ "mintmark_flows_tcp_total", MM_COUNTER, FLOW(n_flows_tcp), "TCP connections begun" },
	{ "mintmark_flows_udp_total", MM_COUNTER, FLOW(n_flows_udp), "UDP flows begun" },
	{ "mintmark_flows_live", MM_GAUGE, FLOW(n_live), "flows followed now" },
	{ "mintmark_flows_evicted_total", MM_COUNTER, FLOW(n_evicted),
		"flows ended early to make room (flow.max, engine.events)" },
	{ "mintmark_flows_midstream_total", MM_COUNTER, FLOW(n_midstream),
		"TCP connections ended whose beginning was not seen" },
	{ "mintmark_flows_one_way_total", MM_COUNTER, FLOW(n_one_way),
		"flows ended with payload in one direction only" },
	{ "mintmark_flows_unread_total", MM_COUNTER, MM_METRIC_UNREAD, 0, NULL, NULL, false,
		"flows that no dissector read, by what they were held to be" },
	{ "mintmark_flows_probe_limit_total", MM_COUNTER, FLOW(n_probe_limit),
		"flows left before it was known what they are, to make room (flow.tracked, flow.buffer_total)" },
	{ "mintmark_ndpi_questions_total", MM_COUNTER, FLOW(n_asked), "connections and datagrams that nDPI was asked about" },
	{ "mintmark_ndpi_hints_total", MM_COUNTER, FLOW(n_hints), "its answers that named a protocol with a dissector" },
	{ "mintmark_ndpi_hints_refused_total", MM_COUNTER, FLOW(n_hints_refused),
		"those of them in which that dissector found no message" },
	{ "mintmark_stream_gaps_total", MM_COUNTER, FLOW(n_gaps), "holes in TCP streams given up" },
	{ "mintmark_stream_gap_bytes_total", MM_COUNTER, FLOW(n_gap_bytes), "bytes of these holes" },
	{ "mintmark_stream_retransmitted_total", MM_COUNTER, FLOW(n_retransmitted),
		"TCP segments that brought nothing new" },
	{ "mintmark_stream_out_of_order_total", MM_COUNTER, FLOW(n_out_of_order),
		"TCP segments that came out of order" },
	{ "mintmark_stream_conflict_bytes_total", MM_COUNTER, FLOW(n_overlap_conflict),
		"bytes of TCP streams seen twice with different values" },
	{ "mintmark_stream_buffer_limit_total", MM_COUNTER, FLOW(n_buffer_limit),
		"how often there was no room for stream data (flow.buffer, flow.buffer_total)" },
	{ "mintmark_stream_skipped_bytes_total", MM_COUNTER, FLOW(n_skipped_bytes),
		"bytes of TCP streams passed over as of no interest" },
	{ "mintmark_stream_lost_sync_total", MM_COUNTER, FLOW(n_lost_sync),
		"how often a stream was out of step with its protocol" },
	{ "mintmark_messages_oversized_total", MM_COUNTER, FLOW(n_oversized), "messages too long to be read" },
	{ "mintmark_flow_copies_total", MM_COUNTER, FLOW(n_copies),
		"datagrams that the capture showed twice (flow.copy_window)" },
	{ "mintmark_http_exchanges_total", MM_COUNTER, FLOW(web.n_exchanges), "HTTP requests with or without their answers" },
	{ "mintmark_http_unanswered_total", MM_COUNTER, FLOW(web.n_unanswered), "HTTP requests whose answer was not seen" },
	{ "mintmark_http_memory_limit_total", MM_COUNTER, FLOW(web.n_limit_memory),
		"HTTP requests for which there was no room to wait for their answer (http.memory)" },
	{ "mintmark_http_requests_limit_total", MM_COUNTER, FLOW(web.n_limit_requests),
		"HTTP requests beyond those that may wait for their answers on one connection" },
	{ "mintmark_http_streams_limit_total", MM_COUNTER, FLOW(web.n_limit_streams),
		"HTTP/2 streams beyond those followed on one connection" },
	{ "mintmark_http_headers_limit_total", MM_COUNTER, FLOW(web.n_limit_headers),
		"HTTP header blocks too long, or with too many lines or fields, to be read whole" },
	{ "mintmark_http_body_limit_total", MM_COUNTER, FLOW(web.n_limit_body),
		"HTTP bodies of interest that were too long to be kept" },
	{ "mintmark_http_coding_unknown_total", MM_COUNTER, FLOW(web.n_coding_unknown),
		"HTTP bodies of interest in an unknown content coding" },
	{ "mintmark_http_coding_broken_total", MM_COUNTER, FLOW(web.n_coding_broken),
		"HTTP bodies of interest that are not what their content coding says" },
	{ "mintmark_http_coding_bombs_total", MM_COUNTER, FLOW(web.n_coding_bombs),
		"HTTP bodies of interest that expand too far" },
	{ "mintmark_json_deep_total", MM_COUNTER, FLOW(web.n_json_deep),
		"JSON of interest refused for its nesting" },
	{ "mintmark_json_duplicate_total", MM_COUNTER, FLOW(web.n_json_duplicate),
		"JSON of interest refused for a name that stands twice in an object" },
	{ "mintmark_json_bad_total", MM_COUNTER, FLOW(web.n_json_bad),
		"JSON of interest that is none, or too long" },
	{ "mintmark_http_hpack_lost_total", MM_COUNTER, FLOW(web.n_hpack_lost),
		"HTTP/2 header blocks that could not be read, as their table was not seen from its beginning" },
	{ "mintmark_inner_streams_total", MM_COUNTER, FLOW(n_inner), "streams found inside others, as in TLS" },
	{ "mintmark_inner_unread_total", MM_COUNTER, FLOW(n_inner_unread), "those of them that no dissector knew" },
	{ "mintmark_inner_limit_total", MM_COUNTER, FLOW(n_inner_limit),
		"streams inside others that were not read for want of room, or too deep inside" },
	{ "mintmark_shed_flows_total", MM_COUNTER, FLOW(n_shed_flows),
		"flows on unknown ports not looked into because the sensor was behind" },
	{ "mintmark_shed_packets_total", MM_COUNTER, FLOW(n_shed_packets),
		"packets on unknown ports left aside because the sensor was far behind" },

	{ "mintmark_protocol_flows_total", MM_COUNTER, PROTO(n_flows), "flows of this protocol" },
	{ "mintmark_protocol_messages_total", MM_COUNTER, PROTO(n_messages), "messages of this protocol" },
	{ "mintmark_protocol_gaps_total", MM_COUNTER, PROTO(n_gaps), "holes in streams of this protocol" },
	{ "mintmark_protocol_lost_sync_total", MM_COUNTER, PROTO(n_lost_sync),
		"how often a stream was out of step with this protocol" },

	{ "mintmark_events_total", MM_COUNTER, EVENTS(n_events), "events analysed" },
	{ "mintmark_events_refused_total", MM_COUNTER, EVENTS(n_refused),
		"events, and segments, lost for want of room or memory (engine.events)" },
	{ "mintmark_events_early_total", MM_COUNTER, EVENTS(n_early),
		"events analysed before their time for want of memory (engine.event_memory)" },
	{ "mintmark_events_making", MM_GAUGE, EVENTS(n_making), "events in the making" },
	{ "mintmark_events_making_max", MM_GAUGE, EVENTS(making_max),
		"how many of them there may be (engine.events)" },
	{ "mintmark_events_waiting", MM_GAUGE, EVENTS(n_waiting), "events that wait to be put in order" },
	{ "mintmark_events_memory_bytes", MM_GAUGE, EVENTS(waiting_b), "memory taken for events that wait" },
	{ "mintmark_events_memory_max_bytes", MM_GAUGE, EVENTS(waiting_max_b),
		"how much that may be (engine.event_memory)" },

	{ "mintmark_tls_hidden_total", MM_COUNTER, EVENTS(n_hidden), "TLS connections that were not decrypted" },
	{ "mintmark_tls_secrets", MM_GAUGE, EVENTS(n_secrets), "secrets of TLS connections held (keys.keylog)" },
	{ "mintmark_tls_secrets_bad_total", MM_COUNTER, EVENTS(n_secrets_bad),
		"lines of key logs that are not of their format" },
	{ "mintmark_tls_secrets_limit_total", MM_COUNTER, EVENTS(n_secrets_limit),
		"secrets that there was no room for, or that gave way to newer ones (keys.secrets)" },

	{ "mintmark_credentials_issued_total", MM_COUNTER, LEDGER(n_issued), "credentials seen issued" },
	{ "mintmark_credentials_presented_total", MM_COUNTER, LEDGER(n_presented),
		"presentations of credentials" },
	{ "mintmark_credentials_reissued_total", MM_COUNTER, LEDGER(n_reissued),
		"credentials seen issued more than once" },
	{ "mintmark_tokens_verified_total", MM_COUNTER, LEDGER(n_tokens_verified),
	        "times a token was held against the keys that are known" },
	{ "mintmark_tokens_invalid_total", MM_COUNTER, LEDGER(n_tokens_invalid),
	        "tokens whose signature is not its issuer's" },
	{ "mintmark_token_copies_total", MM_COUNTER, LEDGER(n_token_copies),
	        "presentations that were another leg of one seen already, through a proxy" },
	{ "mintmark_tokens_keys_limit_total", MM_COUNTER, LEDGER(n_keys_limit),
	        "JWTs of which it cannot be told who signed them, as more keys come into question than are tried" },
	{ "mintmark_keys_published", MM_GAUGE, LEDGER(n_keys), "public keys of issuers remembered (keys.published)" },
	{ "mintmark_keys_published_evicted_total", MM_COUNTER, LEDGER(n_keys_evicted), "such keys that gave way to newer ones" },
	{ "mintmark_key_documents_total", MM_COUNTER, LEDGER(n_key_documents),
	        "key sets and discovery documents read" },
	{ "mintmark_password_attempts_total", MM_COUNTER, LEDGER(n_attempts),
	        "passwords tried, right or wrong" },
	{ "mintmark_ledger_rows_max", MM_GAUGE, LEDGER(rows_max), "credentials remembered at most (ledger.rows)" },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_rows, "rows"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_mints, "mints"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_parties, "parties"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_lineages, "lineages"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_issuers, "issuers"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_cells, "cells"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_latest, "latest"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_names, "names"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_counts, "counts"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_totals, "totals"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_lengths, "lengths"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_losses, "losses"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_tokens, "tokens"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_proofs, "proofs"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_guessers, "guessers"), TABLE_ROWS },
	{ "mintmark_ledger_entries", MM_GAUGE, TABLE(n_pairs, "pairs"), TABLE_ROWS },
	{ "mintmark_ledger_expired_total", MM_COUNTER, LEDGER(n_expired),
		"credentials that gave way after their end" },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_rows_evicted, "rows"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_issuers_evicted, "issuers"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_cells_evicted, "cells"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_latest_evicted, "latest"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_counts_evicted, "counts"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_totals_evicted, "totals"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_lengths_evicted, "lengths"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_losses_evicted, "losses"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_tokens_evicted, "tokens"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_proofs_evicted, "proofs"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_guessers_evicted, "guessers"), TABLE_GONE },
	{ "mintmark_ledger_evicted_total", MM_COUNTER, TABLE(n_pairs_evicted, "pairs"), TABLE_GONE },
	{ "mintmark_ledger_memory_bytes", MM_GAUGE, LEDGER(memory_b), "memory of these tables" },
	{ "mintmark_ledger_sensor_seen_total", MM_COUNTER, LEDGER(n_sensor_seen),
		"packets that the sensor said it saw where it told of losses" },
	{ "mintmark_ledger_sensor_lost_total", MM_COUNTER, LEDGER(n_sensor_lost),
		"packets lost by the sensor itself that count against coverage" },
	{ "mintmark_ledger_names_refused_total", MM_COUNTER, LEDGER(n_names_refused),
		"names not kept for want of room" },

	{ "mintmark_findings", MM_GAUGE, BAND(n[MM_BAND_LOW], "low"), BAND_HELP },
	{ "mintmark_findings", MM_GAUGE, BAND(n[MM_BAND_MEDIUM], "medium"), BAND_HELP },
	{ "mintmark_findings", MM_GAUGE, BAND(n[MM_BAND_HIGH], "high"), BAND_HELP },
	{ "mintmark_findings", MM_GAUGE, BAND(n[MM_BAND_CRITICAL], "critical"), BAND_HELP },
	{ "mintmark_findings_unscored", MM_GAUGE, FINDING(n_bare), "bare orphans, left unscored" },
	{ "mintmark_findings_dropped_total", MM_COUNTER, FINDING(n_dropped), "findings that gave way to others" },

	{ "mintmark_worker_segments_total", MM_COUNTER, WORKER(n_segments), "segments that this worker took" },
	{ "mintmark_worker_events_total", MM_COUNTER, WORKER(n_events), "events that this worker made" },
	{ "mintmark_worker_loads_most", MM_GAUGE, WORKER(most_loads),
		"most loads of segments that waited for this worker at a time" },
	{ "mintmark_worker_flows_live", MM_GAUGE, WORKER(n_live), "flows that this worker follows now" },
	{ "mintmark_worker_events_making", MM_GAUGE, WORKER(n_rooms), "events in the making by this worker" },
	{ NULL, MM_GAUGE, MM_METRIC_PROCESS, 0, NULL, NULL, false, NULL },
};
/* clang-format on */

/* The stats that a group's metrics are read from, and how often they come. */
struct rows {
	const char *first;
	size_t size, n;
};

static size_t n_dissectors(void)
{
	size_t n = 0;
	while (mm_dissectors[n] != NULL)
		n++;
	return n;
}

static struct rows rows_of(const struct mm_metrics_in *in, enum mm_metric_group group)
{
	switch (group) {
	case MM_METRIC_BUILD:
		return (struct rows){ in->version, 0, 1 };
	case MM_METRIC_PROCESS:
		return (struct rows){ (const char *)in->process, sizeof *in->process, 1 };
	case MM_METRIC_DECODE:
		return (struct rows){ (const char *)in->decode, sizeof *in->decode, 1 };
	case MM_METRIC_FLOW:
		return (struct rows){ (const char *)in->flow, sizeof *in->flow, 1 };
	case MM_METRIC_EVENTS:
		return (struct rows){ (const char *)in->events, sizeof *in->events, 1 };
	case MM_METRIC_LEDGER:
		return (struct rows){ (const char *)in->ledger, sizeof *in->ledger, 1 };
	case MM_METRIC_FINDINGS:
		return (struct rows){ (const char *)in->findings, sizeof *in->findings, 1 };
	case MM_METRIC_PROTOCOL:
		return (struct rows){ (const char *)in->protos, sizeof *in->protos,
			n_dissectors() };
	case MM_METRIC_UNREAD:
		if (in->flow == NULL)
			break;
		return (struct rows){ (const char *)in->flow->n_unread,
			sizeof in->flow->n_unread[0], MM_FLOW_NAMES };
	case MM_METRIC_SOURCE:
		return (struct rows){ (const char *)in->sources, sizeof *in->sources,
			in->n_sources };
	case MM_METRIC_WORKER:
		return (struct rows){ (const char *)in->workers, sizeof *in->workers,
			in->n_workers };
	}
	return (struct rows){ NULL, 0, 0 };
}

static void put_value(struct mm_buf *out, const struct mm_metric *m, uint64_t v)
{
	if (!m->nanoseconds) {
		mm_buf_u64(out, v);
		return;
	}
	mm_buf_printf(out, "%llu.%0*u", (unsigned long long)(v / NS_PER_S), SECOND_DIGITS,
	        (unsigned)(v % NS_PER_S));
}

/* name="value": '\\', '"' and the newline escaped, as the format wants; then what is no UTF-8 or would steer a
 * terminal becomes '?'. */
static void put_label(struct mm_buf *out, const char *name, const char *value)
{
	mm_buf_str(out, name);
	mm_buf_str(out, "=\"");
	for (const char *p = value; *p != '\0';) {
		size_t plain = strcspn(p, "\\\"\n");
		mm_buf_safe(out, p, plain);
		p += plain;
		if (*p == '\0')
			break;
		mm_buf_str(out, *p == '\n' ? "\\n" : *p == '"' ? "\\\"" : "\\\\");
		p++;
	}
	mm_buf_put(out, "\"", 1);
}

static void put_number_label(struct mm_buf *out, const char *name, size_t number)
{
	mm_buf_str(out, name);
	mm_buf_str(out, "=\"");
	mm_buf_u64(out, number);
	mm_buf_put(out, "\"", 1);
}

/* Name and labels of the i-th of its kind. */
static void put_name(
        struct mm_buf *out, const struct mm_metrics_in *in, const struct mm_metric *m, size_t i)
{
	mm_buf_str(out, m->name);
	if (*mm_metric_labels(m) == '\0')
		return;
	mm_buf_put(out, "{", 1);
	if (m->label != NULL) {
		put_label(out, m->label, m->word);
	} else if (m->group == MM_METRIC_BUILD) {
		put_label(out, "version", in->version);
	} else if (m->group == MM_METRIC_PROTOCOL) {
		put_label(out, "protocol", mm_dissectors[i]->name);
	} else if (m->group == MM_METRIC_UNREAD) {
		put_label(out, "protocol", mm_flow_name(i));
	} else if (m->group == MM_METRIC_SOURCE) {
		put_number_label(out, "index", i); /* a capture may be given twice */
		mm_buf_put(out, ",", 1);
		put_label(out, "source", in->source_names[i]);
	} else {
		put_number_label(out, "worker", i);
	}
	mm_buf_put(out, "}", 1);
}

static uint64_t value_at(const struct rows *rows, const struct mm_metric *m, size_t i)
{
	uint64_t v;
	if (m->group == MM_METRIC_BUILD)
		return 1;
	memcpy(&v, rows->first + i * rows->size + m->offset, sizeof v);
	return v;
}

static bool begins_family(const struct mm_metric *m)
{
	return m == mm_metrics || strcmp(m[-1].name, m->name) != 0;
}

static void put_head(struct mm_buf *out, const char *name, const char *type, const char *help)
{
	mm_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void mm_metrics_prometheus(struct mm_buf *out, const struct mm_metrics_in *in)
{
	for (const struct mm_metric *m = mm_metrics; m->name != NULL; m++) {
		struct rows rows = rows_of(in, m->group);
		if (rows.first == NULL || rows.n == 0)
			continue;
		if (begins_family(m))
			put_head(out, m->name, mm_metric_type_name(m->type), m->help);
		for (size_t i = 0; i < rows.n; i++) {
			put_name(out, in, m, i);
			mm_buf_put(out, " ", 1);
			put_value(out, m, value_at(&rows, m, i));
			mm_buf_put(out, "\n", 1);
		}
	}
}

void mm_metrics_text(struct mm_buf *out, const struct mm_metrics_in *in)
{
	for (const struct mm_metric *m = mm_metrics; m->name != NULL; m++) {
		struct rows rows = rows_of(in, m->group);
		for (size_t i = 0; i < rows.n && rows.first != NULL; i++) {
			size_t start = out->len;
			put_name(out, in, m, i);
			do
				mm_buf_put(out, " ", 1);
			while (!out->failed && out->len - start < VALUE_COLUMN);
			put_value(out, m, value_at(&rows, m, i));
			mm_buf_put(out, "\n", 1);
		}
	}
}

const char *mm_metric_labels(const struct mm_metric *row)
{
	if (row->label != NULL)
		return row->label;
	switch (row->group) {
	case MM_METRIC_BUILD:
		return "version";
	case MM_METRIC_PROCESS:
	case MM_METRIC_DECODE:
	case MM_METRIC_FLOW:
	case MM_METRIC_EVENTS:
	case MM_METRIC_LEDGER:
	case MM_METRIC_FINDINGS:
		return "";
	case MM_METRIC_PROTOCOL:
	case MM_METRIC_UNREAD:
		return "protocol";
	case MM_METRIC_SOURCE:
		return "index, source";
	case MM_METRIC_WORKER:
		return "worker";
	}
	return "";
}

const char *mm_metric_type_name(enum mm_metric_type type)
{
	return type == MM_COUNTER ? "counter" : "gauge";
}

void mm_ledger_stats_of(const struct mm_ledger *l, struct mm_ledger_stats *out)
{
	size_t n_issuers;
	*out = (struct mm_ledger_stats){
		.n_issued = l->n_issued,
		.n_presented = l->n_presented,
		.n_reissued = l->n_reissued,
		.n_rows = l->rows.n,
		.rows_max = l->rows.max,
		.n_rows_evicted = l->rows.n_evicted,
		.n_mints = l->mints.n,
		.n_parties = l->parties.n,
		.n_lineages = l->lineages.n,
		.n_expired = l->n_expired,
		.n_issuers = l->issuers.n,
		.n_issuers_evicted = l->issuers.n_evicted,
		.n_cells = l->cells.n,
		.n_cells_evicted = l->cells.n_evicted,
		.n_latest = l->latest.n,
		.n_latest_evicted = l->latest.n_evicted,
		.n_names = l->names.index.n,
		.n_names_refused = l->names.n_refused,
		.n_counts = l->baseline.counts.n,
		.n_counts_evicted = l->baseline.counts.n_evicted,
		.n_totals = l->baseline.totals.n,
		.n_totals_evicted = l->baseline.totals.n_evicted,
		.n_lengths = l->baseline.lengths.n,
		.n_lengths_evicted = l->baseline.lengths.n_evicted,
		.n_losses = l->losses.n,
		.n_losses_evicted = l->losses.n_evicted,
		.n_tokens = l->tokens.tokens.n,
		.n_tokens_evicted = l->tokens.tokens.n_evicted,
		.n_proofs = l->tokens.proofs.n,
		.n_proofs_evicted = l->tokens.proofs.n_evicted,
		.n_guessers = l->attempts.guessers.n,
		.n_guessers_evicted = l->attempts.guessers.n_evicted,
		.n_pairs = l->attempts.pairs.n,
		.n_pairs_evicted = l->attempts.pairs.n_evicted,
		.n_tokens_verified = l->tokens.n_verified,
		.n_tokens_invalid = l->tokens.n_invalid,
		.n_token_copies = l->tokens.n_copies,
		.n_key_documents = l->tokens.n_documents,
		.n_keys_limit = mm_keyring_cut(l->tokens.keys),
		.n_keys = mm_keyring_count(l->tokens.keys, &n_issuers),
		.n_keys_evicted = mm_keyring_evicted(l->tokens.keys),
		.n_attempts = l->attempts.n_attempts,
		.n_sensor_seen = l->sensor.n_seen,
		.n_sensor_lost = l->sensor.n_lost,
		.memory_b = mm_ledger_bytes(l),
	};
}

void mm_finding_stats_of(const struct mm_detect *d, struct mm_finding_stats *out)
{
	*out = (struct mm_finding_stats){ .n_dropped = d->n_dropped };
	for (const struct mm_finding *f = mm_table_next(&d->findings, NULL); f != NULL;
	        f = mm_table_next(&d->findings, f)) {
		if (f->bare)
			out->n_bare++;
		else
			out->n[f->band]++;
	}
}

/* Write all of it to a new file. */
static int write_new(const char *path, const struct mm_buf *text)
{
	(void)unlink(path); /* left by a run that was killed */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return MM_ERR_IO;
	int r = MM_OK;
	for (size_t i = 0; r == MM_OK && i < text->len;) {
		ssize_t n = write(fd, text->p + i, text->len - i);
		if (n > 0)
			i += (size_t)n;
		else if (errno != EINTR)
			r = MM_ERR_IO;
	}
	int saved = errno;
	if (close(fd) != 0 && r == MM_OK) {
		saved = errno;
		r = MM_ERR_IO;
	}
	if (r != MM_OK)
		(void)unlink(path);
	errno = saved;
	return r;
}

int mm_metrics_save(const char *path, const struct mm_buf *text)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	size_t room = strlen(path) + sizeof "..tmp";
	char *beside = malloc(room);
	if (beside == NULL || text->failed) {
		free(beside);
		return MM_ERR_NOMEM;
	}
	/* node_exporter reads "*.prom" alone, so not this. */
	snprintf(beside, room, "%.*s.%s.tmp", (int)(name - path), path, name);
	int r = write_new(beside, text);
	if (r == MM_OK && rename(beside, path) != 0) {
		int saved = errno;
		(void)unlink(beside);
		errno = saved;
		r = MM_ERR_IO;
	}
	free(beside);
	return r;
}
