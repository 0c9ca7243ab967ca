/* Options as data. */
#include "conf/options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "score/weights.h"

#define AT(field) offsetof(struct mm_config, field)
#define MAX_COUNT INT64_C(1000000000)
#define MAX_BYTES (INT64_C(1) << 40)

/* clang-format off */
const struct mm_option mm_options[] = {
	{ "capture.filter", MM_OPTION_TEXT, AT(filter), 0, 0, NULL,
		"pcap-filter(7) expression: only packets it selects are analysed" },
	{ "capture.ring", MM_OPTION_BYTES, AT(capture_ring_b), 256 * 1024, INT64_C(2047) << 20, "64M",
		"of an interface: memory in which each worker's packets wait to be read; too small, it loses some" },
	{ "capture.snaplen", MM_OPTION_BYTES, AT(capture_snaplen_b), 64, 256 * 1024, "256K",
		"of an interface: what is kept of a packet; a ticket that is cut can not be recognised" },
	{ "capture.promiscuous", MM_OPTION_BOOL, AT(capture_promiscuous), 0, 0, "yes",
		"of an interface: also packets that are not for this machine, as on a mirror port" },
	{ "capture.timestamps", MM_OPTION_CLOCK, AT(capture_timestamps), 0, 0, "host",
		"of an interface: whose clock stamps packets; the kernel's where the adapter does not" },
	{ "flow.max", MM_OPTION_COUNT, AT(flow_max), 16, MAX_COUNT, "262144",
		"flows followed at a time; the least recently used gives way" },
	{ "flow.tracked", MM_OPTION_COUNT, AT(flow_tracked), 16, MAX_COUNT, "65536",
		"flows looked into at a time, of about 1.5 KiB each; the oldest gives way" },
	{ "flow.buffer", MM_OPTION_BYTES, AT(flow_buffer_b), 4096, MAX_BYTES, "1M",
		"bytes kept per direction of a TCP connection until they make whole messages" },
	{ "flow.buffer_total", MM_OPTION_BYTES, AT(flow_buffer_total_b), 65536, MAX_BYTES, "256M",
		"the same for all connections together" },
	{ "flow.udp_timeout", MM_OPTION_SECONDS, AT(flow_udp_timeout_s), 1, 86400, "30s",
		"a UDP flow ends after this long without a packet" },
	{ "flow.tcp_timeout", MM_OPTION_SECONDS, AT(flow_tcp_timeout_s), 1, 864000, "1h",
		"a TCP connection ends after this long without a packet" },
	{ "flow.gap_patience", MM_OPTION_MILLIS, AT(flow_gap_patience_ms), 0, 60000, "150",
		"milliseconds by which packets may change places; a hole in a stream may be filled for twice that" },
	{ "flow.copy_window", MM_OPTION_MILLIS, AT(flow_copy_window_ms), 0, 900, "50",
		"milliseconds within which the same UDP datagram again is a copy that the capture shows, not one sent again" },
	{ "ledger.rows", MM_OPTION_COUNT, AT(ledger_rows_max), 16, MAX_COUNT, "1000000",
		"credentials remembered; the least recently used gives way" },
	{ "ledger.ticket_lifetime", MM_OPTION_SECONDS, AT(ledger_ticket_lifetime_s), 60, 31536000, "10h",
		"longest life of a Kerberos ticket: how long a sensor must watch before none can be older than it" },
	{ "ledger.complete_since", MM_OPTION_TIME, AT(ledger_complete_since_s), 0, INT64_C(9000000000), "0",
		"the captures are known to hold all that was issued from then on; 0: not known" },
	{ "detect.findings", MM_OPTION_COUNT, AT(findings_max), 16, 100000, "4096",
		"findings kept, of about 18 KiB each; the least of the older ones gives way" },
	{ "engine.max_memory", MM_OPTION_BYTES, AT(max_memory_b), 0, MAX_BYTES, "0",
		"bytes for the whole process: every other limit is lowered to its share; 0: they stand as they are" },
	{ "engine.events", MM_OPTION_COUNT, AT(events_max), 64, MAX_COUNT, "32768",
		"events in the making: requests whose answer is outstanding, mostly" },
	{ "engine.event_memory", MM_OPTION_BYTES, AT(event_memory_b), 65536, MAX_BYTES, "64M",
		"bytes of events that wait to be put in order; what does not fit leaves before its time" },
	{ "engine.workers", MM_OPTION_COUNT, AT(workers), 0, 64, "0",
		"threads that share the work; 0: everything on one" },
	{ "engine.merge_hold", MM_OPTION_MILLIS, AT(merge_hold_ms), 0, 10000, "600",
		"milliseconds of packet time that events wait to be put in order; or 4 times flow.gap_patience if that is more" },
	{ "output.min_band", MM_OPTION_BAND, AT(output_min_band), 0, 0, "medium",
		"findings below this band are counted, not shown, in text" },
	{ "output.events", MM_OPTION_BOOL, AT(output_events), 0, 0, "yes",
		"NDJSON holds all events; with no, findings alone" },
	{ NULL, MM_OPTION_TEXT, 0, 0, 0, NULL, NULL },
};
/* clang-format on */

/* A number with one of the suffixes, each worth its factor. */
static bool number(const char *text, const char *suffixes, const int64_t *factors, int64_t *out)
{
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno != 0 || end == text || v < 0)
		return false;
	int64_t factor = 1;
	if (*end != '\0') {
		const char *suffix = strchr(suffixes, *end);
		if (suffix == NULL || end[1] != '\0')
			return false;
		factor = factors[suffix - suffixes];
	}
	return !__builtin_mul_overflow(v, factor, out);
}

static bool band(const char *text, int64_t *out)
{
	for (int b = MM_BAND_LOW; b <= MM_BAND_CRITICAL; b++) {
		if (strcmp(text, mm_band_name((enum mm_band)b)) == 0) {
			*out = b;
			return true;
		}
	}
	return false;
}

static bool clock_name(const char *text, int64_t *out)
{
	/* In the order of enum mm_live_stamps. */
	static const char *const names[] = { "host", "adapter", "adapter_unsynced" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = (int64_t)i;
			return true;
		}
	}
	return false;
}

static bool boolean(const char *text, int64_t *out)
{
	*out = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0;
	return *out || strcmp(text, "no") == 0 || strcmp(text, "false") == 0;
}

static bool instant(const char *text, int64_t *out)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (end == NULL || *end != '\0')
		return number(text, "", NULL, out);
	*out = timegm(&tm);
	return true;
}

static bool parse(const struct mm_option *o, const char *text, int64_t *out)
{
	static const int64_t bytes[] = { 1024, 1024 * 1024, 1024 * 1024 * 1024 };
	static const int64_t seconds[] = { 1, 60, 3600, 86400 };
	switch (o->type) {
	case MM_OPTION_TEXT:
		return false;
	case MM_OPTION_COUNT:
	case MM_OPTION_MILLIS:
		return number(text, "", NULL, out) && *out >= o->min && *out <= o->max;
	case MM_OPTION_BYTES:
		return number(text, "KMG", bytes, out) && *out >= o->min && *out <= o->max;
	case MM_OPTION_SECONDS:
		return number(text, "smhd", seconds, out) && *out >= o->min && *out <= o->max;
	case MM_OPTION_TIME:
		return instant(text, out) && *out >= o->min && *out <= o->max;
	case MM_OPTION_BAND:
		return band(text, out);
	case MM_OPTION_BOOL:
		return boolean(text, out);
	case MM_OPTION_CLOCK:
		return clock_name(text, out);
	}
	return false;
}

static int set_text(struct mm_config *config, const struct mm_option *o, const char *value)
{
	char **at = (char **)(void *)((char *)config + o->offset);
	char *copy = strdup(value);
	if (copy == NULL)
		return MM_ERR_NOMEM;
	free(*at);
	*at = copy;
	return MM_OK;
}

int mm_config_set(
        struct mm_config *config, const char *name, const char *value, char *why, size_t why_len)
{
	const struct mm_option *o = mm_options;
	while (o->name != NULL && strcmp(o->name, name) != 0)
		o++;
	if (o->name == NULL) {
		snprintf(why, why_len, "no option %s", name);
		return MM_ERR_USAGE;
	}
	if (o->type == MM_OPTION_TEXT)
		return set_text(config, o, value);
	int64_t v;
	if (!parse(o, value, &v)) {
		if (o->max != 0)
			snprintf(why, why_len, "%s: \"%s\" is no %s from %" PRId64 " to %" PRId64,
			        name, value, mm_option_type_name(o->type), o->min, o->max);
		else
			snprintf(why, why_len, "%s: \"%s\" is no %s", name, value,
			        mm_option_type_name(o->type));
		return MM_ERR_USAGE;
	}
	memcpy((char *)config + o->offset, &v, sizeof v);
	return MM_OK;
}

void mm_config_init(struct mm_config *config)
{
	*config = (struct mm_config){ 0 };
	for (const struct mm_option *o = mm_options; o->name != NULL; o++) {
		int64_t v;
		if (o->value != NULL && parse(o, o->value, &v))
			memcpy((char *)config + o->offset, &v, sizeof v);
	}
}

void mm_config_done(struct mm_config *config)
{
	free(config->filter);
	config->filter = NULL;
}

const char *mm_option_type_name(enum mm_option_type type)
{
	static const char *const names[] = { "text", "count", "size (K, M, G)",
		"time (s, m, h, d) in seconds", "number of milliseconds",
		"time (2026-01-31T12:00:00Z) in seconds since 1970",
		"band (low, medium, high, critical)", "yes or no",
		"clock (host, adapter, adapter_unsynced)" };
	return names[type];
}
