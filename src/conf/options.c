/* Options as data: the table, and what a text means to each type. */
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

/* What a suffix is worth, the greatest first. */
struct unit {
	char suffix;
	int64_t factor;
};

static const struct unit byte_units[] = { { 'G', 1 << 30 }, { 'M', 1 << 20 }, { 'K', 1 << 10 },
	{ '\0', 1 } };
static const struct unit second_units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 },
	{ '\0', 1 } };
static const struct unit no_units[] = { { '\0', 1 } };

/* clang-format off */
const struct mm_option mm_options[] = {
	{ "capture.filter", MM_OPTION_TEXT, AT(filter), 0, 0, NULL,
		"pcap-filter(7) expression: only packets it selects are analysed", MM_RESTART },
	{ "capture.ring", MM_OPTION_BYTES, AT(capture_ring_b), 256 * 1024, INT64_C(2047) << 20, "64M",
		"of an interface: memory in which each worker's packets wait to be read; too small, it loses some", MM_RESTART },
	{ "capture.snaplen", MM_OPTION_BYTES, AT(capture_snaplen_b), 64, 256 * 1024, "256K",
		"of an interface: what is kept of a packet; a ticket that is cut can not be recognised", MM_RESTART },
	{ "capture.promiscuous", MM_OPTION_BOOL, AT(capture_promiscuous), 0, 0, "yes",
		"of an interface: also packets that are not for this machine, as on a mirror port", MM_RESTART },
	{ "capture.timestamps", MM_OPTION_CLOCK, AT(capture_timestamps), 0, 0, "host",
		"of an interface: whose clock stamps packets; the kernel's where the adapter does not", MM_RESTART },
	{ "flow.max", MM_OPTION_COUNT, AT(flow_max), 16, MAX_COUNT, "262144",
		"flows followed at a time; the least recently used gives way", MM_RESTART },
	{ "flow.tracked", MM_OPTION_COUNT, AT(flow_tracked), 16, MAX_COUNT, "65536",
		"flows looked into at a time, of about 1.5 KiB each; the oldest gives way", MM_RESTART },
	{ "flow.buffer", MM_OPTION_BYTES, AT(flow_buffer_b), 4096, MAX_BYTES, "1M",
		"bytes kept per direction of a TCP connection until they make whole messages", MM_RESTART },
	{ "flow.buffer_total", MM_OPTION_BYTES, AT(flow_buffer_total_b), 65536, MAX_BYTES, "256M",
		"the same for all connections together", MM_RESTART },
	{ "flow.udp_timeout", MM_OPTION_SECONDS, AT(flow_udp_timeout_s), 1, 86400, "30s",
		"a UDP flow ends after this long without a packet", MM_LIVE },
	{ "flow.tcp_timeout", MM_OPTION_SECONDS, AT(flow_tcp_timeout_s), 1, 864000, "1h",
		"a TCP connection ends after this long without a packet", MM_LIVE },
	{ "flow.gap_patience", MM_OPTION_MILLIS, AT(flow_gap_patience_ms), 0, 60000, "150",
		"milliseconds by which packets may change places; a hole in a stream may be filled for twice that", MM_RESTART },
	{ "flow.copy_window", MM_OPTION_MILLIS, AT(flow_copy_window_ms), 0, 900, "50",
		"milliseconds within which the same UDP datagram again is a copy that the capture shows, not one sent again", MM_RESTART },
	{ "flow.ndpi", MM_OPTION_BOOL, AT(flow_ndpi), 0, 0, "yes",
		"ask nDPI what flows are that neither their ports nor their first bytes tell", MM_RESTART },
	{ "http.memory", MM_OPTION_BYTES, AT(http_memory_b), 65536, MAX_BYTES, "64M",
		"bytes of HTTP requests and answers that wait until they are complete", MM_RESTART },
	{ "http.proxies", MM_OPTION_TEXT, AT(http_proxies), 0, 0, NULL,
		"networks of proxies whose Forwarded or X-Forwarded-For names the client: 192.0.2.0/24, 2001:db8::7", MM_RESTART },
	{ "keys.jwks", MM_OPTION_TEXT, AT(keys_jwks), 0, 0, NULL,
		"keys of issuers of tokens: ISSUER=FILE ISSUER=FILE ..., each file a JSON Web Key Set", MM_RESTART },
	{ "keys.scope", MM_OPTION_TEXT, AT(keys_scope), 0, 0, NULL,
		"issuers of tokens that share keys: ISSUER=SCOPE ISSUER=SCOPE ..., those of one scope are one", MM_RESTART },
	{ "geo.places", MM_OPTION_TEXT, AT(geo_places), 0, 0, NULL,
		"database in MaxMind's format of where addresses are, as GeoLite2-City.mmdb", MM_RESTART },
	{ "geo.systems", MM_OPTION_TEXT, AT(geo_systems), 0, 0, NULL,
		"database in MaxMind's format of autonomous systems, as GeoLite2-ASN.mmdb", MM_RESTART },
	{ "ledger.rows", MM_OPTION_COUNT, AT(ledger_rows_max), 16, MAX_COUNT, "1000000",
		"credentials remembered; the least recently used gives way", MM_RESTART },
	{ "ledger.ticket_lifetime", MM_OPTION_SECONDS, AT(ledger_ticket_lifetime_s), 60, 31536000, "10h",
		"longest life of a Kerberos ticket: how long a sensor must watch before none can be older than it", MM_LIVE },
	{ "ledger.complete_since", MM_OPTION_TIME, AT(ledger_complete_since_s), 0, INT64_C(9000000000), "0",
		"the captures are known to hold all that was issued from then on; 0: not known", MM_LIVE },
	{ "detect.findings", MM_OPTION_COUNT, AT(findings_max), 16, 100000, "4096",
		"findings kept, of about 18 KiB each; the least of the older ones gives way", MM_RESTART },
	{ "engine.max_memory", MM_OPTION_BYTES, AT(max_memory_b), 0, MAX_BYTES, "0",
		"bytes for the whole process: every other limit is lowered to its share; 0: they stand as they are", MM_RESTART },
	{ "engine.events", MM_OPTION_COUNT, AT(events_max), 64, MAX_COUNT, "32768",
		"events in the making: requests whose answer is outstanding, mostly", MM_RESTART },
	{ "engine.event_memory", MM_OPTION_BYTES, AT(event_memory_b), 65536, MAX_BYTES, "64M",
		"bytes of events that wait to be put in order; what does not fit leaves before its time", MM_RESTART },
	{ "engine.workers", MM_OPTION_THREADS, AT(workers), 0, 64, "auto",
		"threads that share the work; 0: everything on one; auto: one per core where interfaces are watched, 0 for captures", MM_RESTART },
	{ "engine.merge_hold", MM_OPTION_MILLIS, AT(merge_hold_ms), 0, 10000, "600",
		"milliseconds of packet time that events wait to be put in order; or 4 times flow.gap_patience if that is more", MM_RESTART },
	{ "keys.keylog", MM_OPTION_TEXT, AT(keylog), 0, 0, NULL,
		"key log of TLS connections (SSLKEYLOGFILE), read at the start and followed while interfaces are watched", MM_RESTART },
	{ "keys.secrets", MM_OPTION_COUNT, AT(keys_max), 16, MAX_COUNT, "262144",
		"secrets of TLS connections held at a time; about 128 bytes each", MM_RESTART },
	{ "keys.published", MM_OPTION_COUNT, AT(keys_published_max), 64, 4096, "4096",
		"public keys of issuers remembered, of about 4 KiB each; the one not seen for longest gives way", MM_RESTART },
	{ "tls.events", MM_OPTION_CHOICE, AT(tls_events), 0, 0, "auto",
		"an event for each TLS handshake: auto: of connections that were decrypted; yes: of all; no", MM_RESTART },
	{ "state.dir", MM_OPTION_TEXT, AT(state_dir), 0, 0, NULL,
		"directory in which what was learnt is kept from run to run", MM_RESTART },
	{ "state.interval", MM_OPTION_SECONDS, AT(state_interval_s), 1, 86400, "1m",
		"time between two snapshots in state.dir", MM_LIVE },
	{ "output.min_band", MM_OPTION_BAND, AT(output_min_band), 0, 0, "medium",
		"findings below this band are counted, not shown, in text", MM_LIVE },
	{ "output.events", MM_OPTION_BOOL, AT(output_events), 0, 0, "yes",
		"NDJSON holds all events; with no, findings alone", MM_LIVE },
	{ "process.user", MM_OPTION_TEXT, AT(process_user), 0, 0, NULL,
		"user to become once all is open; by default root becomes mintmark, or nobody where there is no such user", MM_RESTART },
	{ "process.sandbox", MM_OPTION_BOOL, AT(process_sandbox), 0, 0, "yes",
		"give up opening files and sockets before the first packet; no is for debugging", MM_RESTART },
	{ NULL, MM_OPTION_TEXT, 0, 0, 0, NULL, NULL, MM_RESTART },
};
/* clang-format on */

/* Digits, then one of the suffixes. */
static bool number(const char *text, const struct unit *units, int64_t *out)
{
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9')
		return false;
	const struct unit *u = units;
	while (u->suffix != '\0' && u->suffix != *end)
		u++;
	if (u->suffix != *end || (*end != '\0' && end[1] != '\0'))
		return false;
	return !__builtin_mul_overflow(v, u->factor, out);
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

/* In the order of enum mm_live_stamps. */
static const char *const clock_names[] = { "host", "adapter", "adapter_unsynced" };

static bool clock_name(const char *text, int64_t *out)
{
	for (size_t i = 0; i < sizeof clock_names / sizeof clock_names[0]; i++) {
		if (strcmp(text, clock_names[i]) == 0) {
			*out = (int64_t)i;
			return true;
		}
	}
	return false;
}

/* In the order of mm_dissect_conf.tls_events. */
static const char *const choice_names[] = { "auto", "yes", "no" };

static bool choice(const char *text, int64_t *out)
{
	for (size_t i = 0; i < sizeof choice_names / sizeof choice_names[0]; i++) {
		if (strcmp(text, choice_names[i]) == 0) {
			*out = (int64_t)i;
			return true;
		}
	}
	return false;
}

static bool boolean(const char *text, int64_t *out)
{
	*out = strcmp(text, "yes") == 0 || strcmp(text, "true") == 0 || strcmp(text, "on") == 0;
	return *out || strcmp(text, "no") == 0 || strcmp(text, "false") == 0 ||
	       strcmp(text, "off") == 0;
}

static bool instant(const char *text, int64_t *out)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (end == NULL || *end != '\0')
		return number(text, no_units, out);
	*out = timegm(&tm);
	return true;
}

static bool parse(const struct mm_option *o, const char *text, int64_t *out)
{
	switch (o->type) {
	case MM_OPTION_TEXT:
		return false;
	case MM_OPTION_COUNT:
	case MM_OPTION_MILLIS:
		return number(text, no_units, out) && *out >= o->min && *out <= o->max;
	case MM_OPTION_THREADS:
		if (strcmp(text, "auto") != 0)
			return number(text, no_units, out) && *out >= o->min && *out <= o->max;
		*out = MM_THREADS_AUTO;
		return true;
	case MM_OPTION_BYTES:
		return number(text, byte_units, out) && *out >= o->min && *out <= o->max;
	case MM_OPTION_SECONDS:
		return number(text, second_units, out) && *out >= o->min && *out <= o->max;
	case MM_OPTION_TIME:
		return instant(text, out) && *out >= o->min && *out <= o->max;
	case MM_OPTION_BAND:
		return band(text, out);
	case MM_OPTION_BOOL:
		return boolean(text, out);
	case MM_OPTION_CHOICE:
		return choice(text, out);
	case MM_OPTION_CLOCK:
		return clock_name(text, out);
	}
	return false;
}

/* RFC 3629 section 4: how long the character at p is; 0 when there is none. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] > 0xf4 || len == 0 || len > left)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0; /* shorter would have done */
	if (p[0] == 0xed)
		high = 0x9f; /* a surrogate */
	if (p[0] == 0xf0)
		low = 0x90;
	if (p[0] == 0xf4)
		high = 0x8f; /* beyond U+10FFFF */
	if (len > 1 && (p[1] < low || p[1] > high))
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

static bool is_utf8(const char *text, size_t len)
{
	size_t n = 1;
	for (size_t i = 0; i < len && n != 0; i += n)
		n = utf8_len((const unsigned char *)text + i, len - i);
	return n != 0;
}

static char **text_at(const struct mm_option *o, struct mm_config *config)
{
	return (char **)(void *)((char *)config + o->offset);
}

static const char *text_of(const struct mm_option *o, const struct mm_config *config)
{
	return *(const char *const *)(const void *)((const char *)config + o->offset);
}

static int64_t value_of(const struct mm_option *o, const struct mm_config *config)
{
	int64_t v;
	memcpy(&v, (const char *)config + o->offset, sizeof v);
	return v;
}

static int set_text(struct mm_config *config, const struct mm_option *o, const char *text)
{
	char **at = text_at(o, config);
	char *copy = text != NULL ? strdup(text) : NULL;
	if (copy == NULL && text != NULL)
		return MM_ERR_NOMEM;
	free(*at);
	*at = copy;
	return MM_OK;
}

/* For a message: what is not printable ASCII becomes '?', what is long is cut. */
static const char *shown(const char *text, char out[MM_OPTION_WHY / 4])
{
	size_t n = 0;
	for (; n < MM_OPTION_WHY / 4 - 4 && text[n] != '\0'; n++) {
		out[n] = text[n];
		if (out[n] < ' ' || out[n] > '~')
			out[n] = '?';
	}
	snprintf(out + n, 4, "%s", text[n] != '\0' ? "..." : "");
	return out;
}

int mm_option_set(struct mm_config *config, const struct mm_option *o, const char *text, size_t len,
        enum mm_origin origin, char why[MM_OPTION_WHY])
{
	char quoted[MM_OPTION_WHY / 4];
	int64_t v;
	if (memchr(text, '\0', len) != NULL || !is_utf8(text, len) || len > MM_OPTION_TEXT_MAX) {
		snprintf(why, MM_OPTION_WHY, "%s",
		        len > MM_OPTION_TEXT_MAX          ? "too long"
		        : memchr(text, '\0', len) != NULL ? "holds a NUL character"
		                                          : "is not UTF-8");
		return MM_ERR_USAGE;
	}
	if (o->type == MM_OPTION_TEXT) {
		int r = set_text(config, o, text);
		if (r != MM_OK) {
			snprintf(why, MM_OPTION_WHY, "out of memory");
			return r;
		}
	} else if (parse(o, text, &v)) {
		memcpy((char *)config + o->offset, &v, sizeof v);
	} else {
		int n = snprintf(why, MM_OPTION_WHY, "\"%s\" is no %s", shown(text, quoted),
		        mm_option_type_name(o->type));
		if (o->max != 0)
			snprintf(why + n, MM_OPTION_WHY - (size_t)n,
			        " from %" PRId64 " to %" PRId64, o->min, o->max);
		return MM_ERR_USAGE;
	}
	config->origins[o - mm_options] = (uint8_t)origin;
	return MM_OK;
}

int mm_config_set(
        struct mm_config *config, const char *name, const char *value, char *why, size_t why_len)
{
	char reason[MM_OPTION_WHY], quoted[MM_OPTION_WHY / 4];
	const struct mm_option *o = mm_option_find(name);
	if (o == NULL) {
		const struct mm_option *near = mm_option_near(name);
		snprintf(why, why_len, "no option %s%s%s%s", shown(name, quoted),
		        near != NULL ? "; did you mean " : "", near != NULL ? near->name : "",
		        near != NULL ? "?" : "");
		return MM_ERR_USAGE;
	}
	int r = mm_option_set(config, o, value, strlen(value), MM_FROM_COMMAND, reason);
	if (r != MM_OK)
		snprintf(why, why_len, "%s: %s", name, reason);
	return r;
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
	for (const struct mm_option *o = mm_options; o->name != NULL; o++) {
		if (o->type != MM_OPTION_TEXT)
			continue;
		free(*text_at(o, config));
		*text_at(o, config) = NULL;
	}
}

int mm_config_copy(struct mm_config *to, const struct mm_config *from)
{
	int r = MM_OK;
	mm_config_init(to);
	for (const struct mm_option *o = mm_options; o->name != NULL && r == MM_OK; o++)
		r = mm_option_take(o, to, from);
	if (r != MM_OK)
		mm_config_done(to);
	return r;
}

bool mm_option_equal(
        const struct mm_option *o, const struct mm_config *a, const struct mm_config *b)
{
	if (o->type != MM_OPTION_TEXT)
		return value_of(o, a) == value_of(o, b);
	const char *x = text_of(o, a), *y = text_of(o, b);
	return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

int mm_option_take(const struct mm_option *o, struct mm_config *to, const struct mm_config *from)
{
	int64_t v = 0;
	if (o->type == MM_OPTION_TEXT) {
		int r = set_text(to, o, text_of(o, from));
		if (r != MM_OK)
			return r;
	} else {
		v = value_of(o, from);
		memcpy((char *)to + o->offset, &v, sizeof v);
	}
	to->origins[o - mm_options] = from->origins[o - mm_options];
	return MM_OK;
}

const struct mm_option *mm_option_find(const char *name)
{
	const struct mm_option *o = mm_options;
	while (o->name != NULL && strcmp(o->name, name) != 0)
		o++;
	return o->name != NULL ? o : NULL;
}

size_t mm_option_section_len(const struct mm_option *o)
{
	return strcspn(o->name, ".");
}

/* How many letters must be put in, left out, or changed to make one of the other (Levenshtein's distance). */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	enum { NAME_MAX_NEAR = 64 };
	size_t row[NAME_MAX_NEAR + 1];
	if (a_len > NAME_MAX_NEAR || b_len > NAME_MAX_NEAR)
		return NAME_MAX_NEAR;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1] ? 1 : 0);
			corner = row[j];
			best = best < row[j] + 1 ? best : row[j] + 1;
			row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
		}
	}
	return row[b_len];
}

/* A word further off than this is another word. */
static size_t far(size_t len)
{
	return len / 3 + 2;
}

const struct mm_option *mm_option_near(const char *name)
{
	const char *dot = strchr(name, '.');
	size_t len = strlen(name), head = dot != NULL ? (size_t)(dot - name) + 1 : 0,
	       best = SIZE_MAX;
	const struct mm_option *found = NULL;
	for (const struct mm_option *o = mm_options; o->name != NULL; o++) {
		/* In the same section keys are compared, without what they share anyway. */
		size_t same = strncmp(o->name, name, head) == 0 ? head : 0;
		size_t d =
		        distance(name + same, len - same, o->name + same, strlen(o->name) - same);
		if (dot != NULL && strcmp(o->name + mm_option_section_len(o), dot) == 0)
			d = 0; /* the same key elsewhere */
		if (d < best && d < far(len - same)) {
			best = d;
			found = o;
		}
	}
	return found;
}

const struct mm_option *mm_option_near_section(const char *section)
{
	size_t len = strlen(section), best = far(len);
	const struct mm_option *found = NULL;
	for (const struct mm_option *o = mm_options; o->name != NULL; o++) {
		size_t d = distance(section, len, o->name, mm_option_section_len(o));
		if (d < best) {
			best = d;
			found = o;
		}
	}
	return found;
}

bool mm_option_is_unset(const struct mm_option *o, const struct mm_config *config)
{
	return o->type == MM_OPTION_TEXT && text_of(o, config) == NULL;
}

/* In the greatest unit that divides it. */
static void print_units(int64_t v, const struct unit *units, FILE *stream)
{
	const struct unit *u = units;
	while (u->suffix != '\0' && (v % u->factor != 0 || v == 0))
		u++;
	fprintf(stream, "%" PRId64, v / u->factor);
	if (u->suffix != '\0')
		putc(u->suffix, stream);
}

/* Characters that YAML 1.1 has only as escapes, or that would break the line (sections 5.1 and 5.4). */
static bool must_escape(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
	       c == 0xfffe || c == 0xffff;
}

/* A double-quoted scalar (YAML 1.1 section 9.1.1) of UTF-8. */
static void print_quoted(const char *text, FILE *stream)
{
	size_t len = strlen(text), n;
	putc('"', stream);
	for (size_t i = 0; i < len; i += n) {
		const unsigned char *p = (const unsigned char *)text + i;
		n = utf8_len(p, len - i);
		n = n != 0 ? n : 1;
		uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
		for (size_t k = 1; k < n; k++)
			c = c << 6 | (p[k] & 0x3fu);
		if (c == '"' || c == '\\')
			fprintf(stream, "\\%c", (char)c);
		else if (must_escape(c))
			fprintf(stream, "\\u%04x", (unsigned)c);
		else
			fwrite(p, 1, n, stream);
	}
	putc('"', stream);
}

static void print_time(int64_t v, FILE *stream)
{
	time_t t = (time_t)v;
	struct tm tm;
	char text[32] = "";
	if (v != 0 && gmtime_r(&t, &tm) != NULL)
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	fprintf(stream, "%s", text[0] != '\0' ? text : "0");
}

void mm_option_print(const struct mm_option *o, const struct mm_config *config, FILE *stream)
{
	switch (o->type) {
	case MM_OPTION_TEXT:
		print_quoted(text_of(o, config) != NULL ? text_of(o, config) : "", stream);
		break;
	case MM_OPTION_COUNT:
	case MM_OPTION_MILLIS:
		print_units(value_of(o, config), no_units, stream);
		break;
	case MM_OPTION_THREADS:
		if (value_of(o, config) == MM_THREADS_AUTO)
			fputs("auto", stream);
		else
			print_units(value_of(o, config), no_units, stream);
		break;
	case MM_OPTION_BYTES:
		print_units(value_of(o, config), byte_units, stream);
		break;
	case MM_OPTION_SECONDS:
		print_units(value_of(o, config), second_units, stream);
		break;
	case MM_OPTION_TIME:
		print_time(value_of(o, config), stream);
		break;
	case MM_OPTION_BAND:
		fputs(mm_band_name((enum mm_band)value_of(o, config)), stream);
		break;
	case MM_OPTION_BOOL:
		fputs(value_of(o, config) != 0 ? "yes" : "no", stream);
		break;
	case MM_OPTION_CHOICE:
		fputs(choice_names[value_of(o, config)], stream);
		break;
	case MM_OPTION_CLOCK:
		fputs(clock_names[value_of(o, config)], stream);
		break;
	}
}

const char *mm_option_type_name(enum mm_option_type type)
{
	static const char *const names[] = { "text", "count", "size (K, M, G)",
		"time (s, m, h, d) in seconds", "number of milliseconds",
		"time (2026-01-31T12:00:00Z) in seconds since 1970",
		"band (low, medium, high, critical)", "yes or no", "auto, yes or no",
		"clock (host, adapter, adapter_unsynced)", "count, or auto" };
	return names[type];
}

const char *mm_option_change_name(enum mm_option_change change)
{
	return change == MM_LIVE ? "live" : "restart";
}
