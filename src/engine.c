/* The engine: wires the stages, owns their lifetimes, and is what the public API calls. The only file that knows
 * all stages. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture/block.h"
#include "capture/capture.h"
#include "conf/file.h"
#include "conf/options.h"
#include "crew.h"
#include "detect/detect.h"
#include "dissect/dissect.h"
#include "geo/geo.h"
#include "keys/keylog.h"
#include "keys/tell.h"
#include "keys/tls.h"
#include "ledger/ledger.h"
#include "mintmark/mintmark.h"
#include "output/blind.h"
#include "output/metrics.h"
#include "output/output.h"
#include "priv/priv.h"
#include "state/dir.h"
#include "state/state.h"

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

enum {
	OUTPUTS_MAX = 8,
	PROGRESS_PACKETS = 65536,
	STREAMS_MAX = 64, /* connections of mintmark_feed_stream */
};

struct output {
	enum mintmark_format format;
	FILE *stream;
	char *path; /* owned; NULL: it can not be opened again */
};

/* What mintmark_confine() set up. */
struct confinement {
	bool wanted; /* it was called: mintmark_start() closes the door */
	struct mm_confine_config config;
	struct mm_confine_status status;
	struct mm_monitor *monitor;   /* opens files; NULL: there are none */
	size_t outputs[OUTPUTS_MAX];  /* by the monitor's index */
	size_t files[MINTMARK_FILES]; /* the monitor's index of each */
	size_t state;                 /* and that of the snapshot */
	size_t n_outputs;
	char words[MM_CONFINE_WORDS];
};

/* The key log that is followed, and where secrets come from. */
struct keys {
	struct mm_keylog *log; /* NULL: none */
	int fd;                /* of the operator's file; negative: none */
	off_t at;              /* bytes read of it */
	int64_t *latest_ns;    /* by capture: of its packets */
};

/* A connection made up for mintmark_feed_stream: next sequence number of each direction. */
struct stream {
	uint32_t seq[2];
};

struct mintmark {
	struct mm_config config;
	char error[512];
	bool started, finished, running, tell_failed;
	atomic_bool stop, pause;
	struct mm_spares spares; /* whoever reads */
	pthread_mutex_t
	        words; /* error, broken; one callback at a time: reading and analysing are two threads */
	int output_errno; /* why an output broke; 0: none did */
	char *paths[MINTMARK_FILES];

	struct output outputs[OUTPUTS_MAX];
	size_t n_outputs;
	mintmark_record_fn *on_record;
	void *record_arg;
	mintmark_complaint_fn *on_complaint;
	void *complaint_arg;
	mintmark_progress_fn *on_progress;
	void *progress_arg;
	struct confinement confinement;

	struct mm_files files;
	char *interfaces[MM_CREW_LIVES_MAX];
	size_t n_interfaces;
	uint64_t events_max; /* of option engine.events, or its share of engine.max_memory */
	uint64_t n_workers;  /* of option engine.workers, or what auto stands for */
	bool live;
	int64_t weighed_ns;         /* wall time at which all findings were weighed last */
	struct mm_source **sources; /* owned by merge */
	size_t n_sources;
	struct mm_merge *merge;
	bool broken;       /* an input broke off, or could not be read for what it is */
	bool piped;        /* packets come as they are made: events leave as they are known */
	bool *unsupported; /* by capture: its link type was complained of */

	struct mm_hash_key key;
	struct mm_crew *crew;
	struct mm_ledger *ledger;
	struct mm_detect detect;
	struct mm_blind_table blind;
	struct mm_geo *geo;        /* NULL: no database */
	struct mm_geo_place place; /* of who acts in the event at hand */
	struct keys keys;
	struct secrets_of *secrets_of; /* by source */
	struct mm_buf json;
	uint64_t n_events, n_packets, n_fed;
	int64_t fed_ns;
	struct stream streams[STREAMS_MAX];

	int state_dir; /* negative: none */
	struct mm_store snapshot;
	int64_t restored_ns; /* packet time of the snapshot that this run began with */
	int64_t known_ns;    /* packet time up to which events have been analysed */
	int64_t snapshot_ns; /* that of the next one; live, time of day of the last; 0: not known yet */
	uint64_t snapshot_events; /* analysed until the last one */
	bool snapshot_failed;
};

const char *mintmark_version(void)
{
	return MINTMARK_VERSION;
}

static int fail(struct mintmark *m, int err, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

static int fail(struct mintmark *m, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	pthread_mutex_lock(&m->words);
	vsnprintf(m->error, sizeof m->error, fmt, ap);
	pthread_mutex_unlock(&m->words);
	va_end(ap);
	return err;
}

const char *mintmark_error(const struct mintmark *m)
{
	return m->error;
}

/* Recursive: a callback may well call something that fails. */
static void init_words(struct mintmark *m)
{
	pthread_mutexattr_t recursive;
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&m->words, &recursive);
	pthread_mutexattr_destroy(&recursive);
}

/* Tell what is no error of a call. */
static void pass_on(struct mintmark *m, const char *line)
{
	pthread_mutex_lock(&m->words);
	if (m->on_complaint != NULL)
		m->on_complaint(m->complaint_arg, line);
	pthread_mutex_unlock(&m->words);
}

struct mintmark *mintmark_new(void)
{
	struct mintmark *m = calloc(1, sizeof *m);
	if (m == NULL)
		return NULL;
	mm_config_init(&m->config);
	m->state_dir = -1;
	m->keys.fd = -1;
	init_words(m);
	/* Against floods of colliding keys only: no output depends on it. */
	if (getrandom(&m->key, sizeof m->key, 0) != (ssize_t)sizeof m->key ||
	        mm_merge_new(&m->merge) != MM_OK) {
		mm_config_done(&m->config);
		free(m);
		return NULL;
	}
	mm_json_init(m->key.k0);
	mm_jwk_init();
	mm_blind_init(&m->blind, &m->key);
	return m;
}

void mintmark_free(struct mintmark *m)
{
	if (m == NULL)
		return;
	mm_crew_free(m->crew); /* first: its threads use all the others */
	for (size_t i = 0; i < m->n_outputs; i++) {
		fflush(m->outputs[i].stream);
		free(m->outputs[i].path);
	}
	mm_monitor_stop(m->confinement.monitor);
	mm_keylog_free(m->keys.log);
	mm_geo_free(m->geo);
	if (m->keys.fd >= 0)
		close(m->keys.fd);
	free(m->keys.latest_ns);
	free(m->secrets_of);
	mm_blind_done(&m->blind);
	mm_detect_done(&m->detect);
	mm_ledger_free(m->ledger);
	mm_merge_free(m->merge);
	mm_spares_done(&m->spares);
	mm_buf_done(&m->json);
	for (size_t i = 0; i < m->n_interfaces; i++)
		free(m->interfaces[i]);
	for (size_t i = 0; i < MINTMARK_FILES; i++)
		free(m->paths[i]);
	mm_files_done(&m->files);
	mm_store_done(&m->snapshot);
	if (m->state_dir >= 0)
		close(m->state_dir);
	free(m->unsupported);
	free(m->sources);
	mm_config_done(&m->config);
	pthread_mutex_destroy(&m->words);
	free(m);
}

int mintmark_set(struct mintmark *m, const char *option, const char *value)
{
	m->error[0] = '\0';
	if (m->started)
		return fail(m, MM_ERR_USAGE, "%s: the engine has started", option);
	return mm_config_set(&m->config, option, value, m->error, sizeof m->error);
}

/* What conf/ has to tell: an error, or what a reload changed. The first of it is the error, if there is one. */
static void told(void *arg, const char *line)
{
	struct mintmark *m = arg;
	if (m->error[0] == '\0')
		(void)fail(m, MM_ERR_USAGE, "%s", line);
	pass_on(m, line);
}

int mintmark_read_config(struct mintmark *m, FILE *stream, const char *name)
{
	m->error[0] = '\0';
	if (m->started)
		return fail(m, MM_ERR_USAGE, "%s: the engine has started", name);
	int r = mm_config_read(&m->config, stream, name, told, m);
	if (r == MM_OK)
		m->error[0] = '\0';
	return r;
}

/* Hand what can change to the stages that keep a copy of it. */
static void apply_live(struct mintmark *m)
{
	const struct mm_config *c = &m->config;
	mm_crew_retime(m->crew, c->flow_udp_timeout_s * NS_PER_S, c->flow_tcp_timeout_s * NS_PER_S);
	m->ledger->config.lifetime_ns = c->ledger_ticket_lifetime_s * NS_PER_S;
	m->ledger->config.complete_since_ns = c->ledger_complete_since_s * NS_PER_S;
	m->detect.tell_band = (enum mm_band)c->output_min_band;
}

int mintmark_reload_config(struct mintmark *m, FILE *stream, const char *name)
{
	m->error[0] = '\0';
	if (!m->started || m->finished || m->running)
		return fail(m, MM_ERR_USAGE, "%s: not started, or finished, or running", name);
	int r = mm_config_reload(&m->config, stream, name, told, m);
	if (r >= 0)
		m->error[0] = '\0';
	if (r > 0)
		apply_live(m);
	return r;
}

void mintmark_dump_config(const struct mintmark *m, FILE *stream)
{
	fprintf(stream, "# mintmark %s: the options in force\n", MINTMARK_VERSION);
	mm_config_dump(&m->config, stream);
}

/* A name in FILE#N; its index, or negative. */
static int add_name(struct mintmark *m, const char *name)
{
	free(m->unsupported); /* it has one entry per name */
	m->unsupported = NULL;
	int number = mm_files_add(&m->files, name);
	return number >= 0 ? number : fail(m, number, "out of memory");
}

int mintmark_add_source(struct mintmark *m, const char *name)
{
	return add_name(m, name);
}

static int add_file(struct mintmark *m, const char *path)
{
	struct mm_source *s;
	char why[256] = "";
	uint32_t file = (uint32_t)m->files.n;
	int r = mm_source_open_file(
	        path, file, m->config.filter, &m->stop, &m->spares, &s, why, sizeof why);
	if (r != MM_OK)
		return fail(m, r, "%s: %s", path, why);
	struct mm_source **sources = realloc(m->sources, (m->n_sources + 1) * sizeof *sources);
	if (sources != NULL)
		m->sources = sources;
	if (sources == NULL || add_name(m, path) < 0 || mm_merge_add(m->merge, s) != MM_OK) {
		mm_source_close(s);
		return fail(m, MM_ERR_NOMEM, "%s: out of memory", path);
	}
	sources[m->n_sources++] = s;
	m->piped = m->piped || s->size == 0;
	return MM_OK;
}

int mintmark_add_capture(struct mintmark *m, const char *path)
{
	char **paths = NULL;
	size_t n = 0;
	m->error[0] = '\0';
	int r = strcmp(path, "-") == 0 ? MM_OK : mm_capture_expand(path, &paths, &n);
	if (r != MM_OK)
		return fail(
		        m, r, "%s: %s", path, r == MM_ERR_IO ? strerror(errno) : "out of memory");
	if (paths == NULL && strcmp(path, "-") == 0)
		return add_file(m, path);
	if (n == 0)
		r = fail(m, MM_ERR_FORMAT, "%s: no captures in this directory", path);
	for (size_t i = 0; i < n; i++) {
		int each = add_file(m, paths[i]);
		if (each != MM_OK && m->on_complaint != NULL && n > 1)
			m->on_complaint(m->complaint_arg, m->error);
		r = each != MM_OK ? each : r;
		free(paths[i]);
	}
	free(paths);
	return r;
}

int mintmark_add_interface(struct mintmark *m, const char *name)
{
	if (m->n_interfaces == MM_CREW_LIVES_MAX)
		return fail(
		        m, MM_ERR_USAGE, "%s: more than %d interfaces", name, MM_CREW_LIVES_MAX);
	char *copy = strdup(name);
	if (copy == NULL)
		return fail(m, MM_ERR_NOMEM, "out of memory");
	m->interfaces[m->n_interfaces++] = copy;
	m->live = m->piped = true;
	return MM_OK;
}

int mintmark_list_interfaces(struct mintmark *m, FILE *stream)
{
	m->error[0] = '\0';
	return mm_live_list(stream, m->error, sizeof m->error);
}

int mintmark_add_output(struct mintmark *m, enum mintmark_format format, FILE *stream)
{
	if (m->n_outputs == OUTPUTS_MAX)
		return fail(m, MM_ERR_USAGE, "more than %d outputs", OUTPUTS_MAX);
	m->outputs[m->n_outputs++] = (struct output){ format, stream, NULL };
	return MM_OK;
}

int mintmark_add_output_file(
        struct mintmark *m, enum mintmark_format format, FILE *stream, const char *path)
{
	char *copy = strdup(path);
	if (copy == NULL)
		return fail(m, MM_ERR_NOMEM, "%s: out of memory", path);
	int r = mintmark_add_output(m, format, stream);
	if (r == MM_OK)
		m->outputs[m->n_outputs - 1].path = copy;
	else
		free(copy);
	return r;
}

void mintmark_on_record(struct mintmark *m, mintmark_record_fn *fn, void *arg)
{
	m->on_record = fn;
	m->record_arg = arg;
}

void mintmark_on_complaint(struct mintmark *m, mintmark_complaint_fn *fn, void *arg)
{
	m->on_complaint = fn;
	m->complaint_arg = arg;
}

void mintmark_on_progress(struct mintmark *m, mintmark_progress_fn *fn, void *arg)
{
	m->on_progress = fn;
	m->progress_arg = arg;
}

static void complain(struct mintmark *m, const char *line)
{
	pthread_mutex_lock(&m->words);
	m->broken = true;
	(void)fail(m, MM_ERR_TRUNCATED, "%s", line);
	pass_on(m, line);
	pthread_mutex_unlock(&m->words);
}

static void source_broke(void *arg, const struct mm_source *s)
{
	char line[512];
	snprintf(line, sizeof line, "%s: %s", s->path, s->why);
	complain(arg, line);
}

/* Once for each capture. */
static void unsupported(void *arg, const struct mm_packet *pkt)
{
	struct mintmark *m = arg;
	char line[512];
	if (m->unsupported == NULL)
		m->unsupported = calloc(m->files.n, sizeof *m->unsupported);
	if (m->unsupported == NULL || pkt->id.file >= m->files.n || m->unsupported[pkt->id.file])
		return;
	m->unsupported[pkt->id.file] = true;
	snprintf(line, sizeof line,
	        "%s: link type %" PRIu32 " is not known, first in packet %" PRIu64,
	        m->files.names[pkt->id.file], pkt->linktype, pkt->id.number);
	complain(m, line);
}

/* The reason is kept: much is called until the run has ended. */
static int output_broke(struct mintmark *m)
{
	if (m->output_errno == 0)
		m->output_errno = errno;
	return fail(m, MM_ERR_IO, "output: %s", strerror(m->output_errno));
}

/* What r comes from, for the caller. */
static int with_errno(const struct mintmark *m, int r)
{
	if (r == MM_ERR_IO && m->output_errno != 0)
		errno = m->output_errno;
	return r;
}

/* One record to every NDJSON output and to the callback. */
static int deliver(struct mintmark *m, struct mintmark_record *record)
{
	int r = MM_OK;
	mm_buf_put(&m->json, "\n", 1);
	if (m->json.failed)
		return fail(m, MM_ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < m->n_outputs; i++) {
		FILE *stream = m->outputs[i].stream;
		if (m->outputs[i].format != MINTMARK_NDJSON)
			continue;
		/* Somebody watches what comes piped: it does not wait in a buffer. */
		if (fwrite(m->json.p, 1, m->json.len, stream) != m->json.len ||
		        (m->piped && fflush(stream) != 0))
			r = output_broke(m);
	}
	m->json.p[m->json.len - 1] = '\0';
	record->json = m->json.p;
	record->json_len = m->json.len - 1;
	if (m->on_record != NULL) {
		pthread_mutex_lock(&m->words);
		m->on_record(m->record_arg, record);
		pthread_mutex_unlock(&m->words);
	}
	return r;
}

static bool wants_events(const struct mintmark *m)
{
	if (!m->config.output_events)
		return false;
	for (size_t i = 0; i < m->n_outputs; i++)
		if (m->outputs[i].format == MINTMARK_NDJSON)
			return true;
	return m->on_record != NULL;
}

static int deliver_event(struct mintmark *m, const struct mm_event *ev)
{
	struct mintmark_record record = { .is_finding = false };
	if (!wants_events(m))
		return MM_OK;
	mm_buf_reset(&m->json);
	mm_json_event(&m->json, ev, &m->files);
	return deliver(m, &record);
}

static int deliver_finding(struct mintmark *m, const struct mm_finding *f)
{
	char fp[MM_FP_TEXT];
	struct mintmark_record record = { .is_finding = true,
		.rule = f->detector->name,
		.score = f->score,
		.band = (enum mintmark_band)f->band,
		.fingerprint = mm_fp_text(&f->facts.fp, fp) };
	mm_buf_reset(&m->json);
	mm_json_finding(&m->json, f, m->ledger, &m->files);
	return deliver(m, &record);
}

/* What the ledger knows of the credential presented: where it comes from, and who acts, which the ticket hides. */
static void enrich(const struct mintmark *m, struct mm_event *ev, const struct mm_look *look)
{
	if (look->proof == NULL)
		return;
	const struct mm_row *row = look->proof->row;
	if (look->proof->copy)
		ev->flags |= MM_EVF_COPY;
	if (look->proof->orphan && !look->proof->claimed)
		ev->flags |= MM_EVF_ORPHAN;
	const struct mm_token_facts *token = look->proof->token;
	if (token != NULL && token->jwt && !token->encrypted && !look->proof->copy)
		ev->signature = mm_verdict3_name(token->verdict);
	const struct mm_party *party = mm_ledger_party(m->ledger, row);
	if (mm_fp_is_set(&mm_ledger_lineage(m->ledger, row)->root))
		ev->flags |= MM_EVF_TAINTED;
	if (ev->kind == MM_EV_ISSUE || ev->user.len != 0 || party->principal == 0)
		return;
	ev->user = mm_names_text(&m->ledger->names, party->principal);
	ev->user_realm = mm_names_text(&m->ledger->names, party->principal_realm);
}

/* While watching: a finding has reached a band that is told. Its text follows the others' at once. */
static void tell(void *arg, const struct mm_finding *f)
{
	struct mintmark *m = arg;
	struct mm_summary summary = { .files = &m->files, .ledger = m->ledger };
	if (deliver_finding(m, f) != MM_OK)
		m->tell_failed = true;
	for (size_t i = 0; i < m->n_outputs; i++) {
		struct output *o = &m->outputs[i];
		if (o->format == MINTMARK_NDJSON)
			continue;
		mm_buf_reset(&m->json);
		mm_text_finding(&m->json, &summary, f, o->format == MINTMARK_TEXT_COLOR);
		if (m->json.failed || fwrite(m->json.p, 1, m->json.len, o->stream) != m->json.len ||
		        fflush(o->stream) != 0) {
			(void)output_broke(m);
			m->tell_failed = true;
		}
	}
}

/* A word that is no failure of this run's input. */
static void say(struct mintmark *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct mintmark *m, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	pass_on(m, line);
}

static int write_snapshot(struct mintmark *m)
{
	struct confinement *c = &m->confinement;
	int fd = -1, r = MM_OK;
	if (c->monitor != NULL)
		r = mm_monitor_open(c->monitor, c->state, &fd);
	else if ((fd = mm_state_dir_begin(m->state_dir)) < 0)
		r = fd;
	if (r != MM_OK)
		return r;
	r = mm_state_write(fd, mm_slice(m->snapshot.p, m->snapshot.len));
	int why = errno;
	close(fd);
	errno = why;
	if (r == MM_OK)
		r = c->monitor != NULL ? mm_monitor_commit(c->monitor, c->state)
		                       : mm_state_dir_commit(m->state_dir);
	else if (c->monitor == NULL)
		mm_state_dir_abandon(m->state_dir);
	return r;
}

/* Keep what is known by now. */
static int save_state(struct mintmark *m)
{
	int64_t now_ns = m->known_ns != 0 ? m->known_ns : m->restored_ns;
	struct mm_state state = { m->ledger, &m->detect, &m->files, now_ns };
	int r = mm_state_serialise(&state, &m->snapshot);
	if (r == MM_OK)
		r = write_snapshot(m);
	const char *why = r == MM_ERR_IO ? strerror(errno) : "out of memory";
	if (r != MM_OK)
		return fail(m, r, "state: %s: not saved: %s", m->config.state_dir, why);
	m->snapshot_events = m->n_events;
	m->snapshot_failed = false;
	return MM_OK;
}

static void save_or_say(struct mintmark *m)
{
	if (save_state(m) == MM_OK || m->snapshot_failed)
		return;
	say(m, "%s; tried again each interval", m->error);
	m->snapshot_failed = true;
}

/* Each interval of packet time. Captures are read far faster than they were made: there it is not done again before as
 * many events have come as there are credentials to be saved. */
static void save_in_time(struct mintmark *m)
{
	if (m->state_dir < 0 || m->live)
		return;
	bool due = m->snapshot_ns != 0 && m->known_ns >= m->snapshot_ns;
	if (due && !m->piped && m->n_events - m->snapshot_events < m->ledger->rows.n)
		return;
	if (due)
		save_or_say(m);
	if (due || m->snapshot_ns == 0)
		m->snapshot_ns = m->known_ns + m->config.state_interval_s * NS_PER_S;
}

/* Live, the time of day tells when: packets may be long in coming. */
static void save_live(struct mintmark *m, int64_t wall_ns)
{
	int64_t interval_ns = m->config.state_interval_s * NS_PER_S;
	if (m->state_dir < 0 ||
	        (wall_ns >= m->snapshot_ns && wall_ns - m->snapshot_ns < interval_ns))
		return;
	if (m->snapshot_ns != 0 && m->n_events != m->snapshot_events)
		save_or_say(m);
	m->snapshot_ns = wall_ns;
}

static int set_aside(struct mintmark *m, int err, const char *why)
{
	const char *what = err == MM_ERR_UNSUPPORTED ? "version" : "corrupt";
	int64_t now = time(NULL);
	if (mm_state_dir_set_aside(m->state_dir, what, now) != MM_OK)
		return fail(m, MM_ERR_IO, "state: %s/%s %s and cannot be renamed: %s",
		        m->config.state_dir, MM_STATE_NAME, why, strerror(errno));
	say(m, "state: %s/%s %s; renamed to %s.%s-%" PRId64 ", starting cold", m->config.state_dir,
	        MM_STATE_NAME, why, MM_STATE_NAME, what, now);
	return MM_OK;
}

/* Lower what takes memory to its share of what the process may take. */
static void share_memory(struct mm_config *c)
{
	/* In hundredths of what is left beside program, libraries and reading. Bytes of each: a flow with its place in the
	 * index; a track with its dissector's state; a credential with its names; a key; a secret; a finding. */
	const uint64_t fixed_b = UINT64_C(32) << 20;
	const struct {
		uint64_t *limit;
		uint64_t each_b, share, least;
	} parts[] = {
		{ &c->flow_max, 160, 9, 16 },
		{ &c->flow_tracked, 1536, 13, 16 },
		{ &c->flow_buffer_total_b, 1, 12, 65536 },
		{ &c->http_memory_b, 1, 2, 65536 },
		{ &c->events_max, offsetof(struct mm_event_room, raw), 9, 64 },
		{ &c->event_memory_b, 1, 9, 65536 },
		{ &c->ledger_rows_max, 240, 17, 16 },
		{ &c->learnt_b_max, 1, 18, 65536 },
		{ &c->keys_published_max, 6144, 2, 64 },
		{ &c->keys_max, 160, 1, 16 },
		{ &c->findings_max, 18 * 1024, 8, 16 },
	};
	c->learnt_b_max = SIZE_MAX;
	if (c->max_memory_b == 0)
		return;
	uint64_t rest_b = c->max_memory_b > fixed_b ? c->max_memory_b - fixed_b : 0;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		uint64_t most = rest_b / 100 * parts[i].share / parts[i].each_b;
		if (most < parts[i].least)
			most = parts[i].least;
		if (*parts[i].limit > most)
			*parts[i].limit = most;
	}
}

static int new_ledger(struct mintmark *m)
{
	struct mm_config shared = m->config;
	const struct mm_config *c = &shared;
	struct mm_ledger_config ledger;
	share_memory(&shared);
	mm_ledger_config_default(&ledger);
	ledger.key = m->key;
	ledger.rows_max = c->ledger_rows_max;
	ledger.keys_max = c->keys_published_max;
	if (ledger.names_max > ledger.rows_max)
		ledger.names_max = ledger.rows_max;
	ledger.learnt_b_max = c->learnt_b_max;
	ledger.lifetime_ns = c->ledger_ticket_lifetime_s * NS_PER_S;
	ledger.complete_since_ns = c->ledger_complete_since_s * NS_PER_S;
	if (mm_ledger_new(&ledger, &m->ledger) != MM_OK)
		return fail(m, MM_ERR_NOMEM, "out of memory");
	mm_detect_init(&m->detect, m->ledger, &m->key, c->findings_max);
	if (m->live) {
		m->detect.tell = tell;
		m->detect.tell_arg = m;
		m->detect.tell_band = (enum mm_band)m->config.output_min_band;
	}
	return MM_OK;
}

/* What the operator knows of issuers of tokens. */
static int read_keys(struct mintmark *m)
{
	char why[MM_TELL_WHY];
	struct mm_keyring *k = m->ledger->tokens.keys;
	int r = mm_keys_tell_sets(k, m->config.keys_jwks, why);
	if (r != MM_OK)
		return fail(m, r, "keys.jwks: %s", r == MM_ERR_NOMEM ? "out of memory" : why);
	r = mm_keys_tell_scopes(k, m->config.keys_scope, why);
	return r == MM_OK ? r : fail(m, r, "keys.scope: %s", why);
}

static int open_places(struct mintmark *m)
{
	char why[MM_GEO_WHY] = "out of memory";
	const struct mm_config *c = &m->config;
	if (c->geo_places == NULL && c->geo_systems == NULL)
		return MM_OK;
	int r = mm_geo_open(c->geo_places, c->geo_systems, &m->geo, why);
	return r == MM_OK ? r : fail(m, r, "geo: %s", why);
}

/* Once: the monitor needs the directory to be there before anything else is done. */
static int open_state(struct mintmark *m)
{
	if (m->state_dir < 0)
		m->state_dir = mm_state_dir_open(m->config.state_dir);
	if (m->state_dir >= 0)
		return MM_OK;
	return fail(m, MM_ERR_IO, "state: %s: %s", m->config.state_dir,
	        errno == EBUSY ? "in use by another process" : strerror(errno));
}

/* Go on from the snapshot, if there is one. */
static int restore_state(struct mintmark *m)
{
	const size_t bytes_max = ((size_t)1 << 30) + 256 * (size_t)m->config.ledger_rows_max;
	const char *dir = m->config.state_dir, *why = "";
	struct mm_store file = { 0 };
	struct mm_state state = { m->ledger, &m->detect, &m->files, 0 };
	int r = open_state(m);
	if (r != MM_OK)
		return r;
	r = mm_state_dir_read(m->state_dir, bytes_max, &file);
	if (r == MM_ERR_IO && errno == EFBIG) {
		why = "is larger than a snapshot can be here";
		r = MM_ERR_CORRUPT;
	} else if (r < 0) {
		r = fail(m, r, "state: %s/%s: %s", dir, MM_STATE_NAME,
		        r == MM_ERR_IO ? strerror(errno) : "out of memory");
		goto out;
	} else if (r == 1) {
		r = mm_state_parse(mm_slice(file.p, file.len), &state, &why);
	}
	if (r == MM_ERR_NOMEM) {
		r = fail(m, r, "state: %s/%s %s", dir, MM_STATE_NAME, why);
	} else if (r != MM_OK) {
		mm_detect_done(&m->detect);
		mm_ledger_free(m->ledger);
		m->ledger = NULL;
		int fresh = new_ledger(m);
		r = fresh == MM_OK ? set_aside(m, r, why) : fresh;
	}
	m->restored_ns = state.now_ns;
out:
	mm_store_done(&file);
	return r;
}

static int analyse(void *arg, struct mm_event *ev)
{
	struct mintmark *m = arg;
	struct mm_look look;
	if (ev->kind == MM_EV_BLIND) {
		mm_blind_note(&m->blind, ev);
		return MM_OK;
	}
	if (m->geo != NULL) {
		mm_geo_find(m->geo, mm_event_client(ev), &m->place);
		ev->geo = &m->place;
	}
	mm_tokens_prepare(m->ledger, ev);
	mm_ledger_present(m->ledger, ev, &look);
	enrich(m, ev, &look);
	bool trusted = mm_detect_look(&m->detect, &look);
	mm_ledger_settle(m->ledger, &look, trusted);
	if (m->tell_failed)
		return output_broke(m);
	if (ev->kind == MM_EV_LOSS)
		return MM_OK;
	m->n_events++;
	m->known_ns = ev->key_ns > m->known_ns ? ev->key_ns : m->known_ns;
	int r = deliver_event(m, ev);
	save_in_time(m);
	return r;
}

static void progress(struct mintmark *m, const struct mm_packet *pkt)
{
	struct mintmark_progress p = { .packets = m->n_packets, .time_ns = pkt->time_ns };
	bool known = true;
	for (size_t i = 0; i < m->n_sources; i++) {
		p.bytes += m->sources[i]->offset;
		p.bytes_total += m->sources[i]->size;
		known = known && m->sources[i]->size != 0;
	}
	p.bytes_total = known ? p.bytes_total : 0;
	pthread_mutex_lock(&m->words);
	m->on_progress(m->progress_arg, &p);
	pthread_mutex_unlock(&m->words);
}

/* What opens the outputs again, if there are any that are files. */
static int start_monitor(struct mintmark *m)
{
	static const enum mm_monitor_kind kinds[MINTMARK_FILES] = { MM_MONITOR_READ,
		MM_MONITOR_REPLACE };
	enum {
		METRICS_MODE = 0644, /* for those who collect them */
		STATE_MODE = 0600,
	};
	struct mm_monitor_file files[OUTPUTS_MAX + MINTMARK_FILES + 1];
	char snapshot[PATH_MAX];
	struct confinement *c = &m->confinement;
	struct stat st;
	char why[256];
	for (size_t i = 0; i < m->n_outputs; i++) {
		const struct output *o = &m->outputs[i];
		/* Devices and pipes are not rotated. */
		if (o->path == NULL || fstat(fileno(o->stream), &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		files[c->n_outputs] =
		        (struct mm_monitor_file){ o->path, MM_MONITOR_APPEND, st.st_mode & 0666 };
		c->outputs[c->n_outputs++] = i;
	}
	size_t n = c->n_outputs;
	for (size_t i = 0; i < MINTMARK_FILES; i++) {
		if (m->paths[i] == NULL)
			continue;
		files[n] = (struct mm_monitor_file){ m->paths[i], kinds[i], METRICS_MODE };
		c->files[i] = n++;
	}
	int r;
	if (m->config.state_dir != NULL) {
		if ((r = open_state(m)) != MM_OK)
			return r;
		snprintf(snapshot, sizeof snapshot, "%s/%s", m->config.state_dir, MM_STATE_NAME);
		files[n] = (struct mm_monitor_file){ snapshot, MM_MONITOR_REPLACE, STATE_MODE };
		c->state = n++;
	}
	if (n == 0)
		return MM_OK;
	r = mm_monitor_start(
	        files, n, m->config.process_sandbox != 0, &c->monitor, why, sizeof why);
	return r == MM_OK ? r : fail(m, r, "%s", why);
}

int mintmark_confine(struct mintmark *m)
{
	m->error[0] = '\0';
	if (m->started || m->confinement.wanted)
		return fail(m, MM_ERR_USAGE, "confined twice, or after the start");
	m->confinement.wanted = true;
	return start_monitor(m);
}

/* All is open, the interfaces too; the threads to come are born with as little. */
static int give_up(struct mintmark *m)
{
	struct confinement *c = &m->confinement;
	char why[256];
	if (!c->wanted)
		return MM_OK;
	/* OpenSSL reads its configuration when it is first used. */
	(void)mm_fp_of(mm_slice(NULL, 0));
	c->config = (struct mm_confine_config){ .user = m->config.process_user,
		.sandbox = m->config.process_sandbox != 0,
		.monitor = c->monitor };
	int r = mm_confine_drop(&c->config, &c->status, why, sizeof why);
	return r == MM_OK ? r : fail(m, r, "%s", why);
}

/* The workers run now, and the filter reaches them all. */
static int close_door(struct mintmark *m)
{
	struct confinement *c = &m->confinement;
	char why[256];
	if (!c->wanted)
		return MM_OK;
	int r = mm_confine_filter(&c->config, &c->status, why, sizeof why);
	if (r != MM_OK)
		return fail(m, r, "%s", why);
	(void)mm_confine_words(&c->status, c->words);
	return MM_OK;
}

const char *mintmark_confinement(const struct mintmark *m)
{
	return m->confinement.words;
}

/* In the stream's lock, so that no record is cut in two by an analyst who writes meanwhile. */
static int reopen_output(struct mintmark *m, size_t i)
{
	const struct output *o = &m->outputs[m->confinement.outputs[i]];
	int fd;
	int r = mm_monitor_open(m->confinement.monitor, i, &fd);
	if (r != MM_OK)
		return r;
	flockfile(o->stream);
	fflush(o->stream); /* what fails is told by the next write */
	r = dup3(fd, fileno(o->stream), O_CLOEXEC) < 0 ? MM_ERR_IO : MM_OK;
	funlockfile(o->stream);
	close(fd);
	return r;
}

/* An output that can not be opened again goes on in its old file. */
static void reopen_outputs(struct mintmark *m)
{
	char line[512];
	for (size_t i = 0; i < m->confinement.n_outputs; i++) {
		if (reopen_output(m, i) == MM_OK || m->on_complaint == NULL)
			continue;
		snprintf(line, sizeof line, "%s: not opened again: %s",
		        m->outputs[m->confinement.outputs[i]].path, strerror(errno));
		m->on_complaint(m->complaint_arg, line);
	}
}

/* --- keys ------------------------------------------------------------------------------------------ */

/* What the operator's file has more than it had. False when it can not be read. */
static bool follow_keylog(struct mintmark *m)
{
	struct keys *k = &m->keys;
	char piece[16384];
	struct stat st;
	ssize_t n = 0;
	if (k->fd < 0)
		return true;
	bool regular = fstat(k->fd, &st) == 0 && S_ISREG(st.st_mode);
	if (regular && st.st_size < k->at) /* it was begun anew */
		k->at = 0;
	while ((n = regular ? pread(k->fd, piece, sizeof piece, k->at)
	                    : read(k->fd, piece, sizeof piece)) > 0) {
		mm_keylog_feed(k->log, mm_slice(piece, (size_t)n));
		k->at += n;
	}
	explicit_bzero(piece, sizeof piece);
	return n == 0 || errno == EAGAIN || errno == EINTR;
}

/* A capture's own, in a block between two packets. */
struct secrets_of {
	struct mintmark *m;
	struct mm_source *source;
};

static void take_secrets(void *arg, uint32_t type, struct mm_slice secrets)
{
	enum { TLS_KEY_LOG = 0x544c534b }; /* draft-ietf-opsawg-pcapng section 4.7 */
	const struct secrets_of *of = arg;
	struct mintmark *m = of->m;
	if (type != TLS_KEY_LOG || m->keys.log == NULL)
		return;
	/* What the merge gives from now on is later than all that it gave of this capture. */
	const struct mm_key_since since = { .file = of->source->file,
		.number = of->source->n_packets,
		.time_ns = m->keys.latest_ns[of->source->file] };
	mm_keylog_read(m->keys.log, secrets, &since);
}

static int listen_for_secrets(struct mintmark *m)
{
	m->keys.latest_ns = calloc(m->files.n + 1, sizeof *m->keys.latest_ns);
	m->secrets_of = calloc(m->n_sources + 1, sizeof *m->secrets_of);
	if (m->keys.latest_ns == NULL || m->secrets_of == NULL)
		return fail(m, MM_ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < m->files.n; i++)
		m->keys.latest_ns[i] = INT64_MIN;
	for (size_t i = 0; i < m->n_sources; i++) {
		m->secrets_of[i] = (struct secrets_of){ m, m->sources[i] };
		mm_source_on_secrets(m->sources[i], take_secrets, &m->secrets_of[i]);
	}
	return MM_OK;
}

/* Can any of the captures hold secrets? Other formats have no place for them. */
static bool may_hold_secrets(const struct mintmark *m)
{
	for (size_t i = 0; i < m->n_sources; i++)
		if (strcmp(m->sources[i]->ops->name, "pcapng") == 0)
			return true;
	return false;
}

/* Before the sandbox closes. */
static int open_keys(struct mintmark *m)
{
	const char *path = m->config.keylog;
	bool inside = may_hold_secrets(m);
	struct keys *k = &m->keys;
	struct mm_config shared = m->config;
	if (path == NULL && !inside)
		return MM_OK;
	share_memory(&shared);
	int r = mm_keylog_new(&m->key, shared.keys_max, m->live, &k->log);
	if (r != MM_OK)
		return fail(m, r, "out of memory");
	mm_tls_warm();
	if (path != NULL && (k->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0)
		return fail(m, MM_ERR_IO, "%s: %s", path, strerror(errno));
	if (!follow_keylog(m))
		return fail(m, MM_ERR_IO, "%s: %s", path, strerror(errno));
	if (!m->live)
		mm_keylog_feed(k->log, mm_slice_str("\n")); /* the last line's end */
	if (m->live || inside)
		mm_keylog_expect(k->log);
	return inside ? listen_for_secrets(m) : MM_OK;
}

/* The next packet of all captures, for the crew. */
static int read_packet(void *arg, struct mm_packet *out)
{
	struct mintmark *m = arg;
	if (m->stop || m->pause || mm_merge_next(m->merge, out) <= 0)
		return 0;
	if (m->keys.latest_ns != NULL && out->time_ns > m->keys.latest_ns[out->id.file])
		m->keys.latest_ns[out->id.file] = out->time_ns;
	if (m->on_progress != NULL && ++m->n_packets % PROGRESS_PACKETS == 0)
		progress(m, out);
	return 1;
}

static void interface_ended(void *arg, const char *why)
{
	complain(arg, why);
}

static void notice(void *arg, const char *line)
{
	pass_on(arg, line);
}

/* Once in a while, between events. */
static bool housekeeping(void *arg, int64_t wall_ns)
{
	struct mintmark *m = arg;
	if (wall_ns - m->weighed_ns >= NS_PER_S || wall_ns < m->weighed_ns) {
		m->weighed_ns = wall_ns;
		mm_detect_tell_all(&m->detect);
	}
	save_live(m, wall_ns);
	(void)follow_keylog(m);
	if (m->on_progress != NULL) {
		struct mintmark_progress p = { .time_ns = wall_ns };
		pthread_mutex_lock(&m->words);
		m->on_progress(m->progress_arg, &p);
		pthread_mutex_unlock(&m->words);
	}
	return !m->stop && !m->pause;
}

static const struct mm_crew_ops crew_ops = { .read = read_packet,
	.unsupported = unsupported,
	.analyse = analyse,
	.ended = interface_ended,
	.housekeeping = housekeeping };

/* FILE of FILE#N: each handle counts its own packets. */
static int name_live(struct mintmark *m, const char *interface, size_t worker)
{
	char name[64];
	if (m->n_workers <= 1)
		return add_name(m, interface);
	snprintf(name, sizeof name, "%s/%zu", interface, worker + 1);
	return add_name(m, name);
}

static void close_lives(struct mm_crew_config *crew, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mm_live_close(crew->lives[i]);
	free(crew->lives);
	crew->lives = NULL;
}

/* Every worker's handle on every interface, worker by worker. */
static int open_lives(struct mintmark *m, struct mm_crew_config *crew)
{
	size_t n_workers = crew->n_workers > 1 ? crew->n_workers : 1;
	const struct mm_config *c = &m->config;
	char why[256] = "";
	crew->n_lives = m->n_interfaces;
	crew->lives = calloc(n_workers * crew->n_lives, sizeof(struct mm_live *));
	if (crew->lives == NULL)
		return fail(m, MM_ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n_workers * crew->n_lives; i++) {
		const char *interface = m->interfaces[i % crew->n_lives];
		struct mm_live_config live = { .interface = interface,
			.filter = c->filter,
			.snaplen = (uint32_t)c->capture_snaplen_b,
			.ring_b = c->capture_ring_b,
			.promiscuous = c->capture_promiscuous,
			.stamps = (enum mm_live_stamps)c->capture_timestamps,
			.n_members = (uint16_t)n_workers,
			.join = i < crew->n_lives ? NULL : crew->lives[i % crew->n_lives],
			.on_notice = i < crew->n_lives ? notice : NULL, /* one tells for all */
			.notice_arg = m };
		int file = name_live(m, interface, i / crew->n_lives);
		int r = file < 0 ? file
		                 : mm_live_open(
		                           &live, (uint32_t)file, &crew->lives[i], why, sizeof why);
		if (r == MM_OK)
			continue;
		close_lives(crew, i);
		return file < 0 ? r : fail(m, r, "%s", why);
	}
	return MM_OK;
}

/* How long events wait: whatever is set, for all that flow/ still decides about earlier packets. */
static int64_t hold_ns(const struct mintmark *m)
{
	enum {
		PATIENCES = 4
	}; /* twice until it is over, once for late packets, and the pause between two looks */
	int64_t least_ms = PATIENCES * m->config.flow_gap_patience_ms;
	return (m->config.merge_hold_ms > least_ms ? m->config.merge_hold_ms : least_ms) *
	       NS_PER_MS;
}

/* One thread reads captures faster than most disks deliver them; an interface does not wait. */
static uint64_t choose_workers(const struct mintmark *m)
{
	enum { WORKERS_MOST = 8 };
	cpu_set_t set;
	if (m->config.workers != MM_THREADS_AUTO)
		return m->config.workers;
	if (!m->live || sched_getaffinity(0, sizeof set, &set) != 0)
		return 0;
	int n = CPU_COUNT(&set);
	return n > WORKERS_MOST ? WORKERS_MOST : (uint64_t)n;
}

static int new_stages(struct mintmark *m)
{
	int r;
	/* Limits as they are lowered here; a file that is read again is held against what was asked for. */
	struct mm_config shared = m->config;
	const struct mm_config *c = &shared;
	share_memory(&shared);
	m->events_max = c->events_max;
	struct mm_crew_config crew = { .ops = &crew_ops,
		.arg = m,
		.key = m->key,
		.n_workers = m->n_workers,
		.rooms_max = c->events_max,
		.events_b = c->event_memory_b,
		.hold_ns = hold_ns(m),
		.prompt = m->piped };
	struct mm_flow_config flow;
	mm_flow_config_default(&flow);
	flow.flows_max = c->flow_max;
	flow.tracked_max = c->flow_tracked;
	flow.buffer_max = c->flow_buffer_b;
	flow.buffer_total_max = c->flow_buffer_total_b;
	flow.udp_timeout_ns = c->flow_udp_timeout_s * NS_PER_S;
	flow.tcp_timeout_ns = c->flow_tcp_timeout_s * NS_PER_S;
	flow.gap_patience_ns = c->flow_gap_patience_ms * NS_PER_MS;
	flow.copy_window_ns = c->flow_copy_window_ms * NS_PER_MS;
	flow.ndpi = c->flow_ndpi != 0;
	flow.web_memory_max = c->http_memory_b;
	static const size_t proxies_max = MM_WEB_PROXIES_MAX;
	struct mm_net proxies[MM_WEB_PROXIES_MAX];
	flow.web_proxies = proxies;
	if (c->http_proxies != NULL &&
	        !mm_nets_parse(c->http_proxies, proxies, proxies_max, &flow.n_web_proxies))
		return fail(m, MM_ERR_USAGE, "http.proxies: not a list of at most %zu networks",
		        proxies_max);
	crew.flow = flow;
	if ((r = new_ledger(m)) != MM_OK ||
	        (c->state_dir != NULL && (r = restore_state(m)) != MM_OK) ||
	        (r = read_keys(m)) != MM_OK || (r = open_places(m)) != MM_OK)
		return r;
	if ((r = open_keys(m)) != MM_OK)
		return r;
	crew.flow.dissect.keylog = m->keys.log;
	crew.flow.dissect.tls_events = (unsigned)c->tls_events;
	if (m->live && (r = open_lives(m, &crew)) != MM_OK)
		return r;
	if ((r = give_up(m)) != MM_OK) {
		if (m->live)
			close_lives(
			        &crew, crew.n_lives * (crew.n_workers > 1 ? crew.n_workers : 1));
		return r;
	}
	if ((r = mm_crew_new(&crew, &m->crew)) != MM_OK)
		return fail(m, r, "%s", r == MM_ERR_IO ? strerror(errno) : "out of memory");
	return MM_OK;
}

int mintmark_start(struct mintmark *m)
{
	m->error[0] = '\0';
	if (m->started)
		return fail(m, MM_ERR_USAGE, "started twice");
	if (m->live && m->n_sources != 0)
		return fail(m, MM_ERR_USAGE, "interfaces are watched or captures read, not both");
	mm_merge_on_error(m->merge, source_broke, m);
	m->n_workers = choose_workers(m);
	int r = new_stages(m);
	if (r != MM_OK)
		return r;
	r = close_door(m);
	m->started = r == MM_OK;
	return r;
}

int mintmark_run(struct mintmark *m)
{
	if (!m->started || m->finished || m->running)
		return fail(m, MM_ERR_USAGE, "not started, or finished, or running");
	m->error[0] = '\0';
	m->running = true;
	int r = m->live ? mm_crew_watch(m->crew) : mm_crew_run(m->crew);
	m->running = false;
	if (r == MM_OK && m->pause && !m->stop) {
		m->pause = false;
		return MINTMARK_PAUSED;
	}
	if (r == MM_ERR_NOMEM)
		return fail(m, r, "out of memory");
	pthread_mutex_lock(&m->words);
	bool broken = m->broken;
	pthread_mutex_unlock(&m->words);
	return r != MM_OK ? with_errno(m, r) : broken ? MM_ERR_TRUNCATED : MM_OK;
}

void mintmark_pause(struct mintmark *m)
{
	m->pause = true;
}

void mintmark_stop(struct mintmark *m)
{
	m->stop = true;
}

/* Workers that read or watch have the flows. */
static bool may_feed(const struct mintmark *m)
{
	return m->started && !m->finished && !m->running && !m->live;
}

int mintmark_feed(struct mintmark *m, const struct mintmark_packet *p)
{
	if (!may_feed(m) || p->source < 0 || (size_t)p->source >= m->files.n)
		return fail(m, MM_ERR_USAGE, "not started, or watching, or no such source");
	struct mm_packet pkt = { .time_ns = p->time_ns,
		.id = { (uint32_t)p->source, p->number },
		.linktype = p->linktype,
		.wire_len = p->wire_len > p->len ? p->wire_len : (uint32_t)p->len,
		.data = { p->data, p->len } };
	m->n_fed++;
	m->fed_ns = p->time_ns;
	return mm_crew_packet(m->crew, &pkt);
}

int mintmark_feed_stream(struct mintmark *m, const char *protocol, bool udp, bool to_client,
        const uint8_t *data, size_t len)
{
	size_t i = 0;
	while (mm_dissectors[i] != NULL && strcmp(mm_dissectors[i]->name, protocol) != 0)
		i++;
	const struct mm_dissector *dissector = mm_dissectors[i];
	const uint16_t *ports = NULL;
	if (dissector != NULL)
		ports = udp ? dissector->udp_ports : dissector->tcp_ports;
	if (!may_feed(m) || ports == NULL || 2 * i + 1 >= STREAMS_MAX)
		return fail(m, MM_ERR_USAGE, "not started, or no such protocol there");
	struct stream *stream = &m->streams[2 * i + udp];
	/* Documentation addresses, RFC 5737. */
	struct mm_endpoint client = { { 4, { 192, 0, 2, 1 } }, (uint16_t)(49152 + i) };
	struct mm_endpoint server = { { 4, { 192, 0, 2, 2 } }, ports[0] };
	struct mm_packet pkt = { .time_ns = m->fed_ns += NS_PER_MS,
		.id = { 0, ++m->n_fed },
		.wire_len = (uint32_t)len,
		.data = { data, len } };
	struct mm_segment seg = { .src = to_client ? server : client,
		.dst = to_client ? client : server,
		.ip_proto = udp ? MM_UDP : MM_TCP,
		.tcp_flags = MM_TCP_ACK,
		.seq = stream->seq[to_client],
		.ack = stream->seq[!to_client],
		.payload = { data, len },
		.first = pkt.id };
	stream->seq[to_client] += (uint32_t)len;
	return mm_crew_segment(m->crew, &pkt, &seg);
}

/* All findings, most serious first, in an array of the caller's. */
static struct mm_finding **sorted_findings(const struct mintmark *m, size_t *n)
{
	struct mm_finding **list = calloc(m->detect.findings.n + 1, sizeof(struct mm_finding *));
	*n = 0;
	if (list == NULL)
		return NULL;
	for (struct mm_finding *f = mm_table_next(&m->detect.findings, NULL); f != NULL;
	        f = mm_table_next(&m->detect.findings, f))
		list[(*n)++] = f;
	qsort(list, *n, sizeof(struct mm_finding *), mm_finding_cmp);
	return list;
}

static int report(struct mintmark *m, struct mm_finding **findings, size_t n)
{
	int r = MM_OK;
	struct mm_flow_proto_stats protos[STREAMS_MAX];
	struct mm_crew_stats stats;
	mm_crew_stats(m->crew, &stats);
	for (size_t i = 0; i < STREAMS_MAX && mm_dissectors[i] != NULL; i++)
		protos[i] = mm_crew_proto_stats(m->crew, i);
	struct mm_summary summary = { .files = &m->files,
		.decode = &stats.decode,
		.flow = &stats.flow,
		.protos = protos,
		.ledger = m->ledger,
		.findings = findings,
		.n_findings = n,
		.n_events = m->n_events,
		.n_events_refused = stats.n_events_refused,
		.n_sensor_lost = stats.n_dropped + stats.n_interface,
		.n_findings_evicted = m->detect.n_dropped,
		.blind = &m->blind,
		.first_ns = stats.first_ns,
		.last_ns = stats.now_ns,
		.text_band = (enum mm_band)m->config.output_min_band };
	for (size_t i = 0; i < m->n_outputs; i++) {
		struct output *o = &m->outputs[i];
		if (o->format == MINTMARK_NDJSON)
			continue;
		mm_buf_reset(&m->json);
		mm_text_report(&m->json, &summary, o->format == MINTMARK_TEXT_COLOR);
		if (m->json.failed)
			r = fail(m, MM_ERR_NOMEM, "out of memory");
		else if (fwrite(m->json.p, 1, m->json.len, o->stream) != m->json.len)
			r = output_broke(m);
	}
	return r;
}

int mintmark_finish(struct mintmark *m)
{
	size_t n;
	if (!m->started || m->finished || m->running)
		return fail(m, MM_ERR_USAGE, "not started, or running, or finished twice");
	m->finished = true;
	int r = mm_crew_finish(m->crew);
	/* Before the last weighing, which is of this run alone. */
	int saved = m->state_dir >= 0 ? save_state(m) : MM_OK;
	mm_detect_weigh_all(&m->detect);
	struct mm_finding **findings = sorted_findings(m, &n);
	if (findings == NULL)
		return fail(m, MM_ERR_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		bool again = findings[i]->told > (unsigned)findings[i]->band;
		int each = findings[i]->bare || again ? MM_OK : deliver_finding(m, findings[i]);
		r = each != MM_OK ? each : r;
	}
	int text = report(m, findings, n);
	free(findings);
	for (size_t i = 0; i < m->n_outputs; i++)
		if (fflush(m->outputs[i].stream) != 0)
			r = output_broke(m);
	r = r != MM_OK ? r : text;
	return with_errno(m, r != MM_OK ? r : saved);
}

/* The counters of all captures, and their names; false when memory is out. */
static struct mm_source_stats live_stats(struct mintmark *m, size_t i)
{
	struct mm_live_stats live =
	        mm_crew_live_stats(m->crew, i / m->n_interfaces, i % m->n_interfaces);
	return (struct mm_source_stats){ .n_packets = live.n_received,
		.n_received = live.n_received,
		.n_kernel_dropped = live.n_dropped,
		.n_interface_dropped = live.n_interface };
}

/* Of captures, or of all handles on interfaces. */
static bool source_stats(
        struct mintmark *m, struct mm_source_stats **stats, const char ***names, size_t *n)
{
	*n = m->live ? m->n_interfaces * mm_crew_workers(m->crew) : m->n_sources;
	*stats = calloc(*n + 1, sizeof **stats);
	*names = calloc(*n + 1, sizeof **names);
	if (*stats == NULL || *names == NULL)
		return false;
	for (size_t i = 0; i < *n && m->live; i++) {
		(*names)[i] = m->files.names[i];
		(*stats)[i] = live_stats(m, i);
	}
	for (size_t i = 0; i < *n && !m->live; i++) {
		const struct mm_source *s = m->sources[i];
		(*names)[i] = s->path;
		(*stats)[i] = (struct mm_source_stats){ .n_packets = s->n_packets,
			.n_filtered = s->n_filtered,
			.n_bytes = s->offset,
			.size = s->size };
	}
	return true;
}

static void process_stats(const struct mm_crew_stats *crew, struct mm_process_stats *out)
{
	struct rusage usage = { 0 };
	(void)getrusage(RUSAGE_SELF, &usage);
	*out = (struct mm_process_stats){ .start_ns = (uint64_t)crew->first_ns,
		.time_ns = (uint64_t)crew->now_ns,
		.resident_max_b = (uint64_t)usage.ru_maxrss * 1024 };
}

static void event_stats(
        const struct mintmark *m, const struct mm_crew_stats *crew, struct mm_event_stats *out)
{
	*out = (struct mm_event_stats){ .n_events = m->n_events,
		.n_refused = crew->n_events_refused,
		.n_early = crew->n_events_early,
		.n_making = crew->n_rooms,
		.making_max = m->events_max,
		.n_waiting = crew->n_waiting,
		.waiting_b = crew->waiting_b,
		.waiting_max_b = crew->waiting_max_b,
		.n_hidden = m->blind.n };
	if (m->keys.log == NULL)
		return;
	struct mm_keylog_stats keys;
	mm_keylog_stats_of(m->keys.log, &keys);
	out->n_secrets = keys.n_keys;
	out->n_secrets_bad = keys.n_bad;
	out->n_secrets_limit = keys.n_limit;
}

/* All counters, in m->json. */
static int render_metrics(struct mintmark *m, enum mintmark_metrics format)
{
	struct mm_process_stats process;
	struct mm_crew_stats crew;
	struct mm_event_stats events;
	struct mm_ledger_stats ledger;
	struct mm_finding_stats findings;
	struct mm_flow_proto_stats protos[STREAMS_MAX];
	struct mm_source_stats *sources;
	const char **names;
	if (!m->started || m->running)
		return fail(m, MM_ERR_USAGE, "not started, or running");
	mm_crew_stats(m->crew, &crew);
	process_stats(&crew, &process);
	event_stats(m, &crew, &events);
	mm_ledger_stats_of(m->ledger, &ledger);
	mm_finding_stats_of(&m->detect, &findings);
	for (size_t i = 0; i < STREAMS_MAX && mm_dissectors[i] != NULL; i++)
		protos[i] = mm_crew_proto_stats(m->crew, i);
	size_t n_workers = mm_crew_workers(m->crew), n_sources = 0;
	struct mm_worker_stats *workers = calloc(n_workers, sizeof *workers);
	bool ok = source_stats(m, &sources, &names, &n_sources) && workers != NULL;
	for (size_t i = 0; i < n_workers && ok; i++)
		mm_crew_worker_stats(m->crew, i, &workers[i]);
	const struct mm_metrics_in in = { .version = MINTMARK_VERSION,
		.process = &process,
		.decode = &crew.decode,
		.flow = &crew.flow,
		.events = &events,
		.ledger = &ledger,
		.findings = &findings,
		.protos = protos,
		.sources = sources,
		.source_names = names,
		.n_sources = n_sources,
		.workers = workers,
		.n_workers = n_workers };
	mm_buf_reset(&m->json);
	if (ok && format == MINTMARK_METRICS_PROMETHEUS)
		mm_metrics_prometheus(&m->json, &in);
	else if (ok)
		mm_metrics_text(&m->json, &in);
	free(workers);
	free(sources);
	free(names);
	return ok && !m->json.failed ? MM_OK : fail(m, MM_ERR_NOMEM, "out of memory");
}

int mintmark_write_metrics(struct mintmark *m, enum mintmark_metrics format, FILE *stream)
{
	int r = render_metrics(m, format);
	if (r != MM_OK)
		return r;
	if (fwrite(m->json.p, 1, m->json.len, stream) != m->json.len || fflush(stream) != 0)
		return fail(m, MM_ERR_IO, "%s", strerror(errno));
	return MM_OK;
}

static int write_whole(int fd, const struct mm_buf *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = write(fd, b->p + at, b->len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return MM_ERR_IO;
		at += (size_t)n;
	}
	return MM_OK;
}

/* Put m->json in the place of the file. */
static int replace_file(struct mintmark *m, enum mintmark_file which)
{
	struct confinement *c = &m->confinement;
	int fd = -1, r;
	if (c->monitor == NULL) {
		r = mm_metrics_save(m->paths[which], &m->json);
	} else if ((r = mm_monitor_open(c->monitor, c->files[which], &fd)) == MM_OK) {
		r = write_whole(fd, &m->json);
		int saved = errno;
		if (close(fd) != 0 && r == MM_OK)
			r = MM_ERR_IO;
		else
			errno = saved;
		if (r == MM_OK)
			r = mm_monitor_commit(c->monitor, c->files[which]);
	}
	if (r == MM_OK)
		return r;
	return fail(m, r, "%s: %s", m->paths[which],
	        r == MM_ERR_IO ? strerror(errno) : "out of memory");
}

int mintmark_save_metrics(struct mintmark *m)
{
	if (m->paths[MINTMARK_FILE_METRICS] == NULL)
		return fail(m, MM_ERR_USAGE, "no file for the counters");
	int r = render_metrics(m, MINTMARK_METRICS_PROMETHEUS);
	return r != MM_OK ? r : replace_file(m, MINTMARK_FILE_METRICS);
}

int mintmark_set_file(struct mintmark *m, enum mintmark_file which, const char *path)
{
	if (m->started || m->confinement.wanted)
		return fail(m, MM_ERR_USAGE, "%s: named after the start", path);
	char *copy = strdup(path);
	if (copy == NULL)
		return fail(m, MM_ERR_NOMEM, "out of memory");
	free(m->paths[which]);
	m->paths[which] = copy;
	return MM_OK;
}

static FILE *open_config(struct mintmark *m)
{
	struct confinement *c = &m->confinement;
	int fd = -1;
	if (c->monitor == NULL)
		return fopen(m->paths[MINTMARK_FILE_CONFIG], "re");
	if (mm_monitor_open(c->monitor, c->files[MINTMARK_FILE_CONFIG], &fd) != MM_OK)
		return NULL;
	FILE *f = fdopen(fd, "r");
	if (f == NULL)
		close(fd);
	return f;
}

void mintmark_reload(struct mintmark *m)
{
	const char *path = m->paths[MINTMARK_FILE_CONFIG];
	reopen_outputs(m);
	if (path == NULL)
		return;
	FILE *f = open_config(m);
	if (f == NULL && m->on_complaint != NULL) {
		(void)fail(m, MM_ERR_IO, "%s: %s; the options stay as they are", path,
		        strerror(errno));
		m->on_complaint(m->complaint_arg, m->error);
	}
	if (f == NULL)
		return;
	(void)mintmark_reload_config(m, f, path);
	fclose(f);
}

static void list_metrics(FILE *stream)
{
	fprintf(stream, "name\ttype\tlabels\tdescription\n");
	for (const struct mm_metric *row = mm_metrics; row->name != NULL; row++)
		if (row == mm_metrics || strcmp(row[-1].name, row->name) != 0)
			fprintf(stream, "%s\t%s\t%s\t%s\n", row->name,
			        mm_metric_type_name(row->type),
			        *mm_metric_labels(row) != '\0' ? mm_metric_labels(row) : "-",
			        row->help);
}

void mintmark_list(enum mintmark_list what, FILE *stream)
{
	switch (what) {
	case MINTMARK_LIST_DETECTORS:
		fprintf(stream, "name\tid\ttechnique\tdescription\n");
		for (size_t i = 0; mm_detectors[i] != NULL; i++)
			fprintf(stream, "%s\t%s\t%s\t%s\n", mm_detectors[i]->name,
			        mm_detectors[i]->id, mm_detectors[i]->technique,
			        mm_detectors[i]->help);
		break;
	case MINTMARK_LIST_PROTOCOLS:
		fprintf(stream, "name\tspecification\tdescription\n");
		for (size_t i = 0; mm_dissectors[i] != NULL; i++)
			fprintf(stream, "%s\t%s\t%s\n", mm_dissectors[i]->name,
			        mm_dissectors[i]->spec, mm_dissectors[i]->help);
		break;
	case MINTMARK_LIST_FIELDS:
		fprintf(stream, "name\ttype\tdescription\n");
		for (const struct mm_field *f = mm_fields; f->name != NULL; f++)
			fprintf(stream, "%s\t%s\t%s\n", f->name, f->type, f->help);
		for (size_t i = 0; mm_dissectors[i] != NULL; i++)
			for (size_t j = 0; j < mm_dissectors[i]->n_attrs; j++)
				fprintf(stream, "%s\t%s\t%s\n", mm_dissectors[i]->attrs[j].name,
				        mm_attr_type_name(mm_dissectors[i]->attrs[j].type),
				        mm_dissectors[i]->attrs[j].help);
		break;
	case MINTMARK_LIST_OPTIONS:
		fprintf(stream, "name\ttype\tdefault\tchange\tdescription\n");
		for (const struct mm_option *o = mm_options; o->name != NULL; o++)
			fprintf(stream, "%s\t%s\t%s\t%s\t%s\n", o->name,
			        mm_option_type_name(o->type), o->value != NULL ? o->value : "-",
			        mm_option_change_name(o->change), o->help);
		break;
	case MINTMARK_LIST_METRICS:
		list_metrics(stream);
		break;
	}
}
