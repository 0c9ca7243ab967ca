/* The configuration file: YAML in which each section of the options' table is a mapping of its keys.
 *
 *	flow:
 *	  max: 100000
 *	  udp_timeout: 1m
 *	capture:
 *	  filter: "port 88 or port 445"
 *
 * There is no schema beside the table: a new row there is a new key here. */
#ifndef MM_CONF_FILE_H
#define MM_CONF_FILE_H

#include <stdio.h>

#include "conf/options.h"

enum {
	MM_CONFIG_BYTES_MAX = 1 << 20, /* of one file */
	MM_CONFIG_DEPTH_MAX = 8,       /* of what is nested where nothing may be */
	MM_CONFIG_ERRORS_MAX = 20,     /* told of one file */
};

/** Told of one thing at a time, in one line without a newline and without control characters. */
typedef void mm_config_tell_fn(void *arg, const char *line);

/** Read a configuration file from where stream stands to its end; name: what messages call it. Afterwards
 * *config holds the defaults, what the file sets, and what the command line had set (mm_config_set()) before,
 * which wins. Errors in the file are told as "NAME:LINE: section.key: reason", each of them up to
 * MM_CONFIG_ERRORS_MAX unless the YAML itself is broken.
 * Returns MM_OK; MM_ERR_IO: could not be read; MM_ERR_USAGE: something in it is wrong; MM_ERR_NOMEM. All of these
 * are told, and then *config is as it was: all or nothing.
 * Opens nothing, so it can be used inside a sandbox on a stream that was handed in. YAML 1.1 as libyaml reads it,
 * of which a file needs mappings and scalars alone: anchors, aliases, tags, lists and further documents are
 * errors. */
int mm_config_read(struct mm_config *config, FILE *stream, const char *name,
        mm_config_tell_fn *tell, void *arg) MM_MUST_CHECK;

/** Told of each option whose values differ. */
typedef void mm_config_diff_fn(void *arg, const struct mm_option *o);

/** Compare two configurations in the table's order. Returns how many options differ. fn may be NULL. */
size_t mm_config_diff(
        const struct mm_config *a, const struct mm_config *b, mm_config_diff_fn *fn, void *arg);

/** Take over from next, which was read anew, what can change while the program runs; *next is used up: it holds
 * nothing to free afterwards. Each option that differs is told: "section.key: changed", or "section.key: changed,
 * takes effect after a restart"; then *config keeps the value in force. On MM_ERR_NOMEM, which is told, *config is
 * as it was.
 * Returns how many options took a new value, or a negative error. */
int mm_config_adopt(struct mm_config *config, struct mm_config *next, mm_config_tell_fn *tell,
        void *arg) MM_MUST_CHECK;

/** mm_config_read() into a copy, then mm_config_adopt(): what SIGHUP asks for. A bad file leaves the old one in
 * force. */
int mm_config_reload(struct mm_config *config, FILE *stream, const char *name,
        mm_config_tell_fn *tell, void *arg) MM_MUST_CHECK;

/** Write the configuration as a file that mm_config_read() reads back as the same, each key below what it means.
 * Texts that nobody set are commented out. */
void mm_config_dump(const struct mm_config *config, FILE *stream);

#endif
