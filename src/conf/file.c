/* The configuration file.
 *
 * libyaml reads the YAML, event by event; what the events mean is told by the table of options. libcyaml, which
 * stands on libyaml, is not used: as of 1.3 it stops at the first error, names lines only in words for a log, and
 * has none for a value that it took and the table refuses. With the events come their lines. */
#include "conf/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { LINE_ROOM = 512, KEY_ROOM = 64 };

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	bool has_event;
	const char *name;
	const unsigned char *text;
	size_t len;
	mm_config_tell_fn *tell;
	void *arg;
	struct mm_config *config; /* a copy, thrown away after an error */
	unsigned n_errors;
	bool out_of_memory;
	size_t key_lines[MM_OPTIONS_MAX];     /* by row: where it was set; 0: not yet */
	size_t section_lines[MM_OPTIONS_MAX]; /* by the first row of the section: where it began */
};

/* A mapping's key: printable, cut. */
struct key {
	char text[KEY_ROOM];
	size_t line;
	bool ok; /* as it stands in the file */
};

static void tell(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct reader *r, const char *fmt, ...)
{
	char line[LINE_ROOM];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	r->n_errors++;
	if (r->tell != NULL)
		r->tell(r->arg, line);
}

/* The line of the file in which this byte is, from 1. */
static size_t line_of(const struct reader *r, size_t offset)
{
	size_t line = 1;
	for (size_t i = 0; i < offset && i < r->len; i++)
		line += r->text[i] == '\n' ? 1 : 0;
	return line;
}

/* Does whitespace at the beginning of this line hold a tab? */
static bool is_tabbed(const struct reader *r, size_t line)
{
	size_t i = 0;
	for (size_t n = 1; n < line && i < r->len; i++)
		n += r->text[i] == '\n' ? 1 : 0;
	while (i < r->len && r->text[i] == ' ')
		i++;
	return i < r->len && r->text[i] == '\t';
}

/* What libyaml says of a file that is no YAML. */
static void tell_yaml(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	size_t line = p->problem_mark.line + 1;
	switch (p->error) {
	case YAML_READER_ERROR:
		tell(r, "%s:%zu: %s (byte 0x%02x)", r->name, line_of(r, p->problem_offset),
		        p->problem, (unsigned)(p->problem_value >= 0 ? p->problem_value : 0));
		break;
	case YAML_SCANNER_ERROR:
	case YAML_PARSER_ERROR:
		if (is_tabbed(r, line))
			tell(r, "%s:%zu: a tab: YAML is indented by spaces", r->name, line);
		else
			tell(r, "%s:%zu: %s%s%s", r->name, line, p->problem,
			        p->context != NULL ? ", " : "",
			        p->context != NULL ? p->context : "");
		break;
	case YAML_MEMORY_ERROR:
		r->out_of_memory = true;
		tell(r, "%s: out of memory", r->name);
		break;
	case YAML_NO_ERROR:
	case YAML_COMPOSER_ERROR:
	case YAML_WRITER_ERROR:
	case YAML_EMITTER_ERROR:
		tell(r, "%s: not YAML", r->name); /* no such error comes from a parser of events */
		break;
	}
}

/* The next event in r->event. False at an error, which is told. */
static bool next(struct reader *r)
{
	if (r->has_event)
		yaml_event_delete(&r->event);
	r->has_event = false;
	if (r->n_errors >= MM_CONFIG_ERRORS_MAX) {
		tell(r, "%s: too many errors, the rest is not looked at", r->name);
		return false;
	}
	if (!yaml_parser_parse(&r->parser, &r->event)) {
		tell_yaml(r);
		return false;
	}
	r->has_event = true;
	return true;
}

static size_t event_line(const struct reader *r)
{
	return r->event.start_mark.line + 1;
}

static bool begins_collection(yaml_event_type_t type)
{
	return type == YAML_MAPPING_START_EVENT || type == YAML_SEQUENCE_START_EVENT;
}

static bool ends_collection(yaml_event_type_t type)
{
	return type == YAML_MAPPING_END_EVENT || type == YAML_SEQUENCE_END_EVENT;
}

/* Pass over the rest of a value whose first event is at hand. */
static bool skip(struct reader *r)
{
	unsigned depth = begins_collection(r->event.type) ? 1 : 0;
	while (depth != 0) {
		if (!next(r))
			return false;
		if (ends_collection(r->event.type))
			depth--;
		if (!begins_collection(r->event.type))
			continue;
		if (++depth > MM_CONFIG_DEPTH_MAX) {
			tell(r, "%s:%zu: nested too deep", r->name, event_line(r));
			return false;
		}
	}
	return true;
}

/* Why the value at hand is not one that a file may hold; NULL when it may. */
static const char *refused(const struct reader *r)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	switch (r->event.type) {
	case YAML_ALIAS_EVENT:
		return "an alias (*): aliases are not taken";
	case YAML_SCALAR_EVENT:
		anchor = r->event.data.scalar.anchor;
		tag = r->event.data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = r->event.data.sequence_start.anchor;
		tag = r->event.data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = r->event.data.mapping_start.anchor;
		tag = r->event.data.mapping_start.tag;
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		break;
	}
	if (anchor != NULL)
		return "an anchor (&): anchors are not taken";
	return tag != NULL ? "a tag (!): tags are not taken" : NULL;
}

/* A plain scalar that stands for nothing (YAML 1.1, tag null). */
static bool is_null(const struct reader *r)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL" };
	if (r->event.type != YAML_SCALAR_EVENT ||
	        r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcmp((const char *)r->event.data.scalar.value, words[i]) == 0)
			return true;
	return false;
}

/* The key at hand; then the first event of its value is. False at an error. */
static bool take_key(struct reader *r, struct key *key)
{
	const char *why = refused(r);
	key->line = event_line(r);
	key->ok = why == NULL && r->event.type == YAML_SCALAR_EVENT;
	if (key->ok) {
		size_t len = r->event.data.scalar.length, n = len < KEY_ROOM ? len : KEY_ROOM - 1;
		memcpy(key->text, r->event.data.scalar.value, n);
		key->text[n] = '\0';
		for (size_t i = 0; i < n; i++)
			if (key->text[i] < ' ' || key->text[i] > '~')
				key->text[i] = '?'; /* no option's name has any of these */
	} else {
		tell(r, "%s:%zu: %s", r->name, key->line,
		        why != NULL ? why : "a key must be a word");
		if (!skip(r))
			return false;
	}
	return next(r);
}

/* One value of a section; its first event is at hand. */
static void take_value(struct reader *r, const struct mm_option *o, size_t line)
{
	char why[MM_OPTION_WHY];
	size_t *first = &r->key_lines[o - mm_options];
	const char *bad = refused(r);
	if (bad == NULL && begins_collection(r->event.type))
		bad = r->event.type == YAML_MAPPING_START_EVENT
		              ? "a mapping, where one value is wanted"
		              : "a list, where one value is wanted";
	if (bad == NULL && is_null(r))
		bad = "no value";
	if (bad == NULL && *first != 0) {
		tell(r, "%s:%zu: %s: given twice, first in line %zu", r->name, line, o->name,
		        *first);
		return;
	}
	if (bad != NULL) {
		tell(r, "%s:%zu: %s: %s", r->name, event_line(r), o->name, bad);
		return;
	}
	*first = line;
	int err = mm_option_set(r->config, o, (const char *)r->event.data.scalar.value,
	        r->event.data.scalar.length, MM_FROM_FILE, why);
	r->out_of_memory = r->out_of_memory || err == MM_ERR_NOMEM;
	if (err != MM_OK)
		tell(r, "%s:%zu: %s: %s", r->name, event_line(r), o->name, why);
}

/* One "key: value" of a section. */
static bool take_pair(struct reader *r, const char *section)
{
	struct key key;
	char name[2 * KEY_ROOM];
	if (!take_key(r, &key))
		return false;
	snprintf(name, sizeof name, "%s.%s", section, key.ok ? key.text : "");
	const struct mm_option *o = key.ok ? mm_option_find(name) : NULL;
	const struct mm_option *near = key.ok ? mm_option_near(name) : NULL;
	if (o != NULL)
		take_value(r, o, key.line);
	else if (key.ok)
		tell(r, "%s:%zu: %s: no such option%s%s%s", r->name, key.line, name,
		        near != NULL ? "; did you mean " : "", near != NULL ? near->name : "",
		        near != NULL ? "?" : "");
	return skip(r);
}

static const struct mm_option *find_section(const char *name)
{
	size_t len = strlen(name);
	for (const struct mm_option *o = mm_options; o->name != NULL; o++)
		if (mm_option_section_len(o) == len && memcmp(o->name, name, len) == 0)
			return o;
	return NULL;
}

/* There is no such section: say what was meant, if that can be told. */
static void tell_section(struct reader *r, const struct key *key)
{
	const struct mm_option *o = mm_option_find(key->text);
	const struct mm_option *near = mm_option_near_section(key->text);
	if (o != NULL)
		tell(r, "%s:%zu: %s: write it as a mapping, \"%.*s: { %s: ... }\"", r->name,
		        key->line, key->text, (int)mm_option_section_len(o), o->name,
		        o->name + mm_option_section_len(o) + 1);
	else if (near != NULL)
		tell(r, "%s:%zu: %s: no such section; did you mean %.*s?", r->name, key->line,
		        key->text, (int)mm_option_section_len(near), near->name);
	else
		tell(r, "%s:%zu: %s: no such section", r->name, key->line, key->text);
}

/* The mapping of a section, whose first event is at hand. */
static bool take_keys(struct reader *r, const char *section)
{
	if (!next(r))
		return false;
	while (r->event.type != YAML_MAPPING_END_EVENT)
		if (!take_pair(r, section) || !next(r))
			return false;
	return true;
}

/* One "section: { ... }". */
static bool take_section(struct reader *r)
{
	struct key key;
	if (!take_key(r, &key))
		return false;
	const struct mm_option *o = key.ok ? find_section(key.text) : NULL;
	const char *why = refused(r);
	if (!key.ok)
		return skip(r);
	if (o == NULL) {
		tell_section(r, &key);
		return skip(r);
	}
	size_t *first = &r->section_lines[o - mm_options];
	if (*first != 0) {
		tell(r, "%s:%zu: %s: given twice, first in line %zu", r->name, key.line, key.text,
		        *first);
		return skip(r);
	}
	*first = key.line;
	if (why == NULL && r->event.type == YAML_MAPPING_START_EVENT)
		return take_keys(r, key.text);
	if (!is_null(r) || why != NULL) /* a section may be empty: all of it is commented out */
		tell(r, "%s:%zu: %s: %s", r->name, event_line(r), key.text,
		        why != NULL ? why : "not a mapping of keys to values");
	return skip(r);
}

/* The whole stream. Errors are counted in r. */
static void take_stream(struct reader *r)
{
	if (!next(r) || !next(r)) /* the stream's start, then that of a document */
		return;
	if (r->event.type == YAML_STREAM_END_EVENT)
		return; /* nothing but comments */
	if (!next(r))
		return;
	const char *why = refused(r);
	if (why == NULL && is_null(r)) {
		if (!next(r) ||
		        !next(r)) /* "---" and nothing behind it: the document's end, and on */
			return;
	} else if (why != NULL || r->event.type != YAML_MAPPING_START_EVENT) {
		tell(r, "%s:%zu: %s", r->name, event_line(r),
		        why != NULL ? why : "not a mapping of sections");
		return;
	} else {
		if (!next(r))
			return;
		while (r->event.type != YAML_MAPPING_END_EVENT)
			if (!take_section(r) || !next(r))
				return;
		if (!next(r) || !next(r))
			return;
	}
	if (r->event.type != YAML_STREAM_END_EVENT)
		tell(r, "%s:%zu: a second document", r->name, event_line(r));
}

/* The rest of the stream, in memory of the caller's. Errors are told. */
static int slurp(struct reader *r, FILE *stream, unsigned char **out, size_t *len)
{
	unsigned char *text = malloc(MM_CONFIG_BYTES_MAX + 1);
	if (text == NULL) {
		tell(r, "%s: out of memory", r->name);
		return MM_ERR_NOMEM;
	}
	errno = 0;
	*len = fread(text, 1, MM_CONFIG_BYTES_MAX + 1, stream);
	int err = MM_OK;
	if (ferror(stream)) {
		tell(r, "%s: %s", r->name, strerror(errno));
		err = MM_ERR_IO;
	} else if (*len > MM_CONFIG_BYTES_MAX) {
		tell(r, "%s: longer than %d bytes", r->name, MM_CONFIG_BYTES_MAX);
		err = MM_ERR_USAGE;
	} else if (*len == 0) {
		/* As a full disk or a crash leaves it; who wants all defaults can say so in a comment. */
		tell(r, "%s: empty", r->name);
		err = MM_ERR_USAGE;
	}
	if (err != MM_OK) {
		free(text);
		return err;
	}
	*out = text;
	return MM_OK;
}

static int parse(struct reader *r)
{
	if (!yaml_parser_initialize(&r->parser)) {
		tell(r, "%s: out of memory", r->name);
		return MM_ERR_NOMEM;
	}
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, r->text, r->len);
	take_stream(r);
	if (r->has_event)
		yaml_event_delete(&r->event);
	yaml_parser_delete(&r->parser);
	if (r->out_of_memory)
		return MM_ERR_NOMEM;
	return r->n_errors == 0 ? MM_OK : MM_ERR_USAGE;
}

/* What the command line said goes over what the file said. */
static int take_commands(struct mm_config *to, const struct mm_config *from)
{
	int err = MM_OK;
	for (const struct mm_option *o = mm_options; o->name != NULL && err == MM_OK; o++)
		if (from->origins[o - mm_options] == MM_FROM_COMMAND)
			err = mm_option_take(o, to, from);
	return err;
}

int mm_config_read(struct mm_config *config, FILE *stream, const char *name,
        mm_config_tell_fn *told, void *arg)
{
	struct mm_config new;
	unsigned char *text = NULL;
	struct reader *r = calloc(1, sizeof *r);
	if (r == NULL)
		return MM_ERR_NOMEM;
	mm_config_init(&new);
	*r = (struct reader){ .name = name, .tell = told, .arg = arg, .config = &new };
	int err = slurp(r, stream, &text, &r->len);
	r->text = text;
	if (err == MM_OK)
		err = parse(r);
	if (err == MM_OK) {
		err = take_commands(&new, config);
		if (err != MM_OK)
			tell(r, "%s: out of memory", name);
	}
	if (err == MM_OK) {
		mm_config_done(config);
		*config = new;
	} else {
		mm_config_done(&new);
	}
	free(text);
	free(r);
	return err;
}

size_t mm_config_diff(
        const struct mm_config *a, const struct mm_config *b, mm_config_diff_fn *fn, void *arg)
{
	size_t n = 0;
	for (const struct mm_option *o = mm_options; o->name != NULL; o++) {
		if (mm_option_equal(o, a, b))
			continue;
		n++;
		if (fn != NULL)
			fn(arg, o);
	}
	return n;
}

int mm_config_adopt(
        struct mm_config *config, struct mm_config *next_one, mm_config_tell_fn *told, void *arg)
{
	struct mm_config merged;
	int n = 0, err = mm_config_copy(&merged, config);
	for (const struct mm_option *o = mm_options; o->name != NULL && err == MM_OK; o++) {
		if (o->change != MM_LIVE || mm_option_equal(o, config, next_one))
			continue;
		err = mm_option_take(o, &merged, next_one);
		n++;
		if (err != MM_OK)
			mm_config_done(&merged);
	}
	for (const struct mm_option *o = mm_options; o->name != NULL && err == MM_OK; o++) {
		char line[LINE_ROOM];
		if (told == NULL || mm_option_equal(o, config, next_one))
			continue;
		snprintf(line, sizeof line, "%s: changed%s", o->name,
		        o->change == MM_LIVE ? "" : ", takes effect after a restart");
		told(arg, line);
	}
	if (err == MM_OK) {
		mm_config_done(config);
		*config = merged;
	} else if (told != NULL) {
		told(arg, "out of memory");
	}
	mm_config_done(next_one);
	return err == MM_OK ? n : err;
}

int mm_config_reload(struct mm_config *config, FILE *stream, const char *name,
        mm_config_tell_fn *told, void *arg)
{
	struct mm_config new;
	int err = mm_config_copy(&new, config); /* for what the command line said */
	if (err != MM_OK) {
		if (told != NULL)
			told(arg, "out of memory");
		return err;
	}
	err = mm_config_read(&new, stream, name, told, arg);
	if (err == MM_OK)
		return mm_config_adopt(config, &new, told, arg);
	mm_config_done(&new);
	return err;
}

static void dump_option(const struct mm_option *o, const struct mm_config *config, FILE *stream)
{
	const char *key = o->name + mm_option_section_len(o) + 1;
	fprintf(stream, "  # %s (%s)\n", o->help, mm_option_type_name(o->type));
	if (mm_option_is_unset(o, config)) {
		fprintf(stream, "  # %s: not set\n", key);
		return;
	}
	fprintf(stream, "  %s: ", key);
	mm_option_print(o, config, stream);
	putc('\n', stream);
}

static bool same_section(const struct mm_option *a, const struct mm_option *b)
{
	size_t len = mm_option_section_len(a);
	return len == mm_option_section_len(b) && memcmp(a->name, b->name, len) == 0;
}

void mm_config_dump(const struct mm_config *config, FILE *stream)
{
	for (const struct mm_option *o = mm_options; o->name != NULL; o++) {
		const struct mm_option *first = mm_options;
		while (!same_section(first, o))
			first++;
		if (first != o)
			continue; /* stands with the others of its section */
		fprintf(stream, "%.*s:\n", (int)mm_option_section_len(o), o->name);
		for (const struct mm_option *each = o; each->name != NULL; each++)
			if (same_section(each, o))
				dump_option(each, config, stream);
	}
}
