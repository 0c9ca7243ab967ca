/* libmintmark: finding forged and abused credentials in authentication traffic.
 *
 * Two phases. Configure: mintmark_new(), options, outputs and callbacks, captures. Then mintmark_start(), and
 * either mintmark_run() over the captures or mintmark_feed() packet by packet; mintmark_finish() ends all
 * flows, weighs the findings and reports them. A context belongs to one thread; several contexts do not know of
 * each other. Functions that return int return 0 when done and a negative number when not; mintmark_error()
 * then tells why in one line. */
#ifndef MINTMARK_H
#define MINTMARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mintmark;

/** The version, "0.1.0". */
const char *mintmark_version(void);

/** A new context with default options; NULL when memory is out. */
struct mintmark *mintmark_new(void);

/** Free the context and all it holds; accepts NULL. Outputs given to it are flushed, not closed. */
void mintmark_free(struct mintmark *m);

/** Why the last call on this context failed; "" when none did. Borrowed until the next call. */
const char *mintmark_error(const struct mintmark *m);

/** Set an option, "section.key" as mintmark_list(MINTMARK_LIST_OPTIONS) names it, before mintmark_start(); those of section
 * capture hold for captures added afterwards.
 * Fails when there is no such option or the value is no such value. */
int mintmark_set(struct mintmark *m, const char *option, const char *value);

/** Read a configuration file, mintmark.conf(5), from where stream stands to its end; name is what messages call it.
 * Before mintmark_start(), and before the captures that it shall hold for are added. What mintmark_set() sets, before
 * or after, wins over the file. Each error is told to mintmark_on_complaint() as "NAME:LINE: section.key: reason";
 * the options then are as they were. */
int mintmark_read_config(struct mintmark *m, FILE *stream, const char *name);

/** Read it again after mintmark_start(), while mintmark_run() does not run: options that can change while running take their new
 * values, the others keep theirs until the program starts again. Which changed, and which wait, is told to
 * mintmark_on_complaint(), as errors are; after one the old options stay in force. No file is opened, so this works
 * inside a sandbox. Returns how many options took a new value, or a negative number. */
int mintmark_reload_config(struct mintmark *m, FILE *stream, const char *name);

enum mintmark_file {
	MINTMARK_FILE_CONFIG,  /* read again by mintmark_reload() */
	MINTMARK_FILE_METRICS, /* written by mintmark_save_metrics() */
	MINTMARK_FILES
};

/** Name a file that is opened while running. Before mintmark_confine(), which lets nothing else be opened. */
int mintmark_set_file(struct mintmark *m, enum mintmark_file which, const char *path);

/** Write the options in force as a configuration file. */
void mintmark_dump_config(const struct mintmark *m, FILE *stream);

/** Add a capture: a file, "-" for standard input, or a directory for all captures in it. Opened at once, so that a
 * missing file fails here; other captures are not affected. */
int mintmark_add_capture(struct mintmark *m, const char *path);

/** Watch a network interface, "any" for all there are. Opened by mintmark_start(), which needs the right to capture.
 * mintmark_run() then watches until mintmark_stop(); findings are delivered as they reach output.min_band, and again as
 * they reach a higher band. Not together with captures. */
int mintmark_add_interface(struct mintmark *m, const char *name);

/** Print the interfaces, one a line after a heading. Fails with a line in mintmark_error() when none may be captured on. */
int mintmark_list_interfaces(struct mintmark *m, FILE *stream);

enum mintmark_format {
	MINTMARK_TEXT, /* for people: findings, most serious first, and a closing summary, at the end */
	MINTMARK_TEXT_COLOR, /* the same with terminal escapes */
	MINTMARK_NDJSON, /* mintmark-events(5): every event as it happens, findings at the end */
};

/** Write to this stream, which stays the caller's. */
int mintmark_add_output(struct mintmark *m, enum mintmark_format format, FILE *stream);

/** The same for a stream that was opened for writing from this path, so that mintmark_reload() can open it again. */
int mintmark_add_output_file(
        struct mintmark *m, enum mintmark_format format, FILE *stream, const char *path);

enum mintmark_band {
	MINTMARK_LOW,
	MINTMARK_MEDIUM,
	MINTMARK_HIGH,
	MINTMARK_CRITICAL,
};

/** An event or a finding, valid while the callback runs. */
struct mintmark_record {
	bool is_finding;
	const char *json; /* one object of mintmark-events(5), NUL-terminated, without a newline */
	size_t json_len;
	/* of findings: */
	const char *rule; /* the detector's name */
	double score;     /* decibans */
	enum mintmark_band band;
	const char *fingerprint; /* of the credential it is rooted in, 32 hex digits */
};

typedef void mintmark_record_fn(void *arg, const struct mintmark_record *record);
void mintmark_on_record(struct mintmark *m, mintmark_record_fn *fn, void *arg);

/* Callbacks are called one at a time, but with engine.workers not always by the thread that called mintmark_run(). They may call
 * mintmark_stop(), mintmark_pause() and mintmark_error(), and nothing else of this context. */

/** Told of each input that broke off, and of what is wrong in a configuration file, one line: "FILE: truncated in packet 12, at byte 3400". */
typedef void mintmark_complaint_fn(void *arg, const char *line);
void mintmark_on_complaint(struct mintmark *m, mintmark_complaint_fn *fn, void *arg);

/** Told now and then how far mintmark_run() has come. bytes_total is 0 when an input's size is unknown. */
struct mintmark_progress {
	uint64_t packets, bytes, bytes_total;
	int64_t time_ns; /* of the packet last read */
};
typedef void mintmark_progress_fn(void *arg, const struct mintmark_progress *progress);
void mintmark_on_progress(struct mintmark *m, mintmark_progress_fn *fn, void *arg);

/** Ask mintmark_start() to give up, for the rest of this process, what reading packets does not need, once it has opened
 * what it watches: root becomes another user (option process.user), all capabilities go, and, unless option
 * process.sandbox is no, opening a file or a socket or executing a program kills the process (SIGSYS).
 * The last call before mintmark_start(), by a process that has started no threads, has no other work to do and has
 * loaded all it will load. Outputs that were added with a path are from then on opened by a child process, which is
 * started here and ends with this context. When mintmark_start() fails then, the process may have less than it had. */
int mintmark_confine(struct mintmark *m);

/** What is in force after mintmark_confine() and mintmark_start(), in words: "user nobody, no capabilities, Landlock,
 * seccomp"; "" before. */
const char *mintmark_confinement(const struct mintmark *m);

/** End of configuration: allocates what packets need. */
int mintmark_start(struct mintmark *m);

/** Read all captures to their ends, merged by time, or until mintmark_stop(). Fails when an input broke off, after
 * all that was readable has been analysed. Returns MINTMARK_PAUSED after mintmark_pause(): all is at rest then, and
 * the next call goes on. */
int mintmark_run(struct mintmark *m);

enum { MINTMARK_PAUSED = 1 };

/** Make mintmark_run() return soon. May be called from a signal handler and by other threads. */
void mintmark_stop(struct mintmark *m);

/** Make mintmark_run() return MINTMARK_PAUSED soon, before it reads another packet. May be called from a signal handler, by
 * other threads and from callbacks. */
void mintmark_pause(struct mintmark *m);

enum mintmark_metrics {
	MINTMARK_METRICS_TEXT,       /* for people: name, labels and value, one a line */
	MINTMARK_METRICS_PROMETHEUS, /* the text exposition format 0.0.4 of Prometheus */
};

/** Write the counters of all stages as they are now: after mintmark_start(), while mintmark_run() does not run. */
int mintmark_write_metrics(struct mintmark *m, enum mintmark_metrics format, FILE *stream);

/** Replace the file of MINTMARK_FILE_METRICS by the counters for Prometheus, so that a reader sees the old file or the new
 * one, whole. */
int mintmark_save_metrics(struct mintmark *m);

/** For SIGHUP, while mintmark_run() does not run: open again the outputs that were added with a path, and read
 * MINTMARK_FILE_CONFIG again as mintmark_reload_config() does, if there is one. What goes wrong is told to
 * mintmark_on_complaint(); the old outputs and options then stay in force. */
void mintmark_reload(struct mintmark *m);

/** Declare a source of packets that the caller feeds; its name appears in FILE#N. Returns its index, or negative. */
int mintmark_add_source(struct mintmark *m, const char *name);

struct mintmark_packet {
	int source;        /* from mintmark_add_source() */
	uint64_t number;   /* from 1; names the packet in evidence, may repeat */
	int64_t time_ns;   /* since 1970 UTC; the engine's only clock */
	uint32_t linktype; /* LINKTYPE_ as in captures: 1 Ethernet, 101 raw IP, ... */
	uint32_t wire_len; /* at least len */
	const uint8_t *data;
	size_t len;
};

/** Analyse one packet, on the caller's thread. Data are not kept. Fails when interfaces are watched. */
int mintmark_feed(struct mintmark *m, const struct mintmark_packet *packet);

/** Hand bytes to one dissector as the next bytes of a TCP stream, or as a datagram: for tests and fuzzing.
 * protocol: as mintmark_list(MINTMARK_LIST_PROTOCOLS) names it; to_client: direction. All calls of one
 * context belong to one connection per protocol and transport. */
int mintmark_feed_stream(struct mintmark *m, const char *protocol, bool udp, bool to_client,
        const uint8_t *data, size_t len);

/** End all flows, weigh all findings once more, report them and write the summary. The context can then only be
 * freed. */
int mintmark_finish(struct mintmark *m);

enum mintmark_list {
	MINTMARK_LIST_DETECTORS,
	MINTMARK_LIST_PROTOCOLS,
	MINTMARK_LIST_FIELDS,
	MINTMARK_LIST_OPTIONS,
	MINTMARK_LIST_METRICS,
};

/** Print one of the tables that the program is made of: tab-separated, one row a line, a header first. */
void mintmark_list(enum mintmark_list what, FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
