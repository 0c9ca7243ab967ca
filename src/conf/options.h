/* Options as data: one table, from which the command line, the lists and the manual are made. */
#ifndef MM_CONF_OPTIONS_H
#define MM_CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/** Every option's value. */
struct mm_config {
	char *filter; /* owned; NULL: none */
	uint64_t capture_ring_b, capture_snaplen_b, capture_promiscuous, capture_timestamps;
	uint64_t flow_max, flow_tracked, flow_buffer_b, flow_buffer_total_b;
	int64_t flow_udp_timeout_s, flow_tcp_timeout_s, flow_gap_patience_ms, flow_copy_window_ms;
	uint64_t ledger_rows_max, findings_max;
	uint64_t max_memory_b; /* 0: what the other limits add up to */
	int64_t ledger_ticket_lifetime_s;
	int64_t ledger_complete_since_s; /* 1970; 0: unknown */
	uint64_t workers;
	uint64_t events_max, event_memory_b;
	int64_t merge_hold_ms;
	uint64_t output_min_band; /* enum mm_band */
	uint64_t output_events;   /* boolean: NDJSON holds events, not findings alone */
};

enum mm_option_type {
	MM_OPTION_TEXT,
	MM_OPTION_COUNT,
	MM_OPTION_BYTES,   /* suffixes K, M, G: powers of 1024 */
	MM_OPTION_SECONDS, /* suffixes s, m, h, d */
	MM_OPTION_MILLIS,
	MM_OPTION_TIME, /* 2026-01-31T12:00:00Z, or seconds since 1970 */
	MM_OPTION_BAND,
	MM_OPTION_BOOL,
	MM_OPTION_CLOCK, /* host, adapter, adapter_unsynced: 0, 1, 2 */
};

struct mm_option {
	const char *name; /* "section.key" */
	enum mm_option_type type;
	size_t offset; /* in struct mm_config */
	int64_t min, max;
	const char *value; /* default, as a user would write it; NULL: unset */
	const char *help;
};

/** The table, ended by a NULL name. */
extern const struct mm_option mm_options[];

/** All defaults. */
void mm_config_init(struct mm_config *config);
void mm_config_done(struct mm_config *config);

/** Set one option from text. MM_ERR_USAGE: no such option or no such value; why[why_len] then tells which. */
int mm_config_set(struct mm_config *config, const char *name, const char *value, char *why,
        size_t why_len) MM_MUST_CHECK;

const char *mm_option_type_name(enum mm_option_type type);

#endif
