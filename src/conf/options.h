/* Options as data: one table, from which the command line, the configuration file, the lists and the manual are
 * made. */
#ifndef MM_CONF_OPTIONS_H
#define MM_CONF_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum {
	MM_OPTIONS_MAX = 256,          /* rows of the table */
	MM_OPTION_TEXT_MAX = 64 << 10, /* bytes of one text: a filter over thousands of networks */
	MM_OPTION_WHY = 256,           /* room for what is told of a wrong value */
};

/** Who gave a value. What the command line says wins over the file, whichever comes first. */
enum mm_origin {
	MM_FROM_DEFAULT,
	MM_FROM_FILE,
	MM_FROM_COMMAND,
};

/** Every option's value. */
struct mm_config {
	uint8_t origins[MM_OPTIONS_MAX]; /* enum mm_origin, by row of the table */
	char *filter;                    /* owned; NULL: none */
	char *keylog;                    /* owned; NULL: none */
	uint64_t keys_max, keys_published_max;
	uint64_t tls_events; /* auto, yes, no: 0, 1, 2 */
	uint64_t capture_ring_b, capture_snaplen_b, capture_promiscuous, capture_timestamps;
	uint64_t flow_max, flow_tracked, flow_buffer_b, flow_buffer_total_b;
	int64_t flow_udp_timeout_s, flow_tcp_timeout_s, flow_gap_patience_ms, flow_copy_window_ms;
	uint64_t flow_ndpi; /* boolean */
	char *http_proxies; /* owned; NULL: none */
	uint64_t http_memory_b;
	char *keys_jwks, *keys_scope;   /* owned; NULL: none */
	char *geo_places, *geo_systems; /* owned; NULL: none */
	uint64_t ledger_rows_max, findings_max;
	uint64_t learnt_b_max; /* no option: a share of max_memory_b */
	uint64_t max_memory_b; /* 0: what the other limits add up to */
	int64_t ledger_ticket_lifetime_s;
	int64_t ledger_complete_since_s; /* 1970; 0: unknown */
	uint64_t workers;
	uint64_t events_max, event_memory_b;
	int64_t merge_hold_ms;
	uint64_t output_min_band; /* enum mm_band */
	char *state_dir;          /* owned; NULL: none */
	int64_t state_interval_s;
	uint64_t output_events;   /* boolean: NDJSON holds events, not findings alone */
	char *process_user;       /* owned; NULL: mm_confine_drop() chooses */
	uint64_t process_sandbox; /* boolean */
};

enum { MM_THREADS_AUTO = 1024 }; /* a value of MM_OPTION_THREADS */

enum mm_option_type {
	MM_OPTION_TEXT,
	MM_OPTION_COUNT,
	MM_OPTION_BYTES,   /* suffixes K, M, G: powers of 1024 */
	MM_OPTION_SECONDS, /* suffixes s, m, h, d */
	MM_OPTION_MILLIS,
	MM_OPTION_TIME, /* 2026-01-31T12:00:00Z, or seconds since 1970 */
	MM_OPTION_BAND,
	MM_OPTION_BOOL,
	MM_OPTION_CHOICE,  /* auto, yes, no: 0, 1, 2 */
	MM_OPTION_CLOCK,   /* host, adapter, adapter_unsynced: 0, 1, 2 */
	MM_OPTION_THREADS, /* a count, or auto */
};

/** When a changed value takes effect. */
enum mm_option_change {
	MM_RESTART, /* when the program starts again */
	MM_LIVE,    /* when the file is read again */
};

struct mm_option {
	const char *name; /* "section.key" */
	enum mm_option_type type;
	size_t offset; /* in struct mm_config */
	int64_t min, max;
	const char *value; /* default, as a user would write it; NULL: unset */
	const char *help;
	enum mm_option_change change;
};

/** The table, ended by a NULL name. */
extern const struct mm_option mm_options[];

/** All defaults. */
void mm_config_init(struct mm_config *config);
void mm_config_done(struct mm_config *config);

/** A copy with texts of its own. *to is overwritten, not freed; on MM_ERR_NOMEM it holds nothing to free. */
int mm_config_copy(struct mm_config *to, const struct mm_config *from) MM_MUST_CHECK;

/** Set one option from text, as the command line does. MM_ERR_USAGE: no such option or no such value;
 * why[why_len] then tells which, in one line without control characters. */
int mm_config_set(struct mm_config *config, const char *name, const char *value, char *why,
        size_t why_len) MM_MUST_CHECK;

/** The same for a row of the table and a text of any bytes. why: the reason alone, without the option's name. */
int mm_option_set(struct mm_config *config, const struct mm_option *o, const char *text, size_t len,
        enum mm_origin origin, char why[MM_OPTION_WHY]) MM_MUST_CHECK;

/** The row of this name; NULL when there is none. */
const struct mm_option *mm_option_find(const char *name);

/** The row whose name was most likely meant: a few letters off, or its key in another section. NULL when none is
 * near. */
const struct mm_option *mm_option_near(const char *name);

/** The same for the name of a section; a row of that section. */
const struct mm_option *mm_option_near_section(const char *section);

/** How long the part before the dot is. */
size_t mm_option_section_len(const struct mm_option *o);

/** Do both have the same value? */
bool mm_option_equal(
        const struct mm_option *o, const struct mm_config *a, const struct mm_config *b);

/** Take the value, and who gave it, from another configuration. */
int mm_option_take(const struct mm_option *o, struct mm_config *to,
        const struct mm_config *from) MM_MUST_CHECK;

/** Is it a text that nobody set? */
bool mm_option_is_unset(const struct mm_option *o, const struct mm_config *config);

/** Write the value as a YAML scalar that mm_option_set() reads back as the same; a text always in quotes. */
void mm_option_print(const struct mm_option *o, const struct mm_config *config, FILE *stream);

const char *mm_option_type_name(enum mm_option_type type);
const char *mm_option_change_name(enum mm_option_change change);

#endif
