/* What the fuzz drivers share: a context with small limits, and a look at every record that leaves it. */
#ifndef MM_TESTS_FUZZ_H
#define MM_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mintmark/mintmark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold of the program's output whatever the input was: the run ends here when it does not. */
static inline void fuzz_expect(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "does not hold: %s\n", what);
		abort();
	}
}

/* One object on one line, and nothing in it that the input could have smuggled past the escaping. */
static inline void fuzz_record(void *arg, const struct mintmark_record *record)
{
	(void)arg;
	fuzz_expect(strlen(record->json) == record->json_len, "json_len is its length");
	fuzz_expect(record->json_len >= 2 && record->json[0] == '{' &&
	                    record->json[record->json_len - 1] == '}',
	        "a record is an object");
	for (size_t i = 0; i < record->json_len; i++)
		fuzz_expect((unsigned char)record->json[i] >= 0x20, "no control characters");
	if (record->is_finding)
		fuzz_expect(record->rule != NULL && strlen(record->fingerprint) == 32,
		        "a finding has its rule and fingerprint");
}

static inline void fuzz_complaint(void *arg, const char *line)
{
	(void)arg;
	fuzz_expect(line[0] != '\0' && strchr(line, '\n') == NULL, "a complaint is one line");
}

/* The text report of every run, thrown away. */
static inline FILE *fuzz_sink(void)
{
	static FILE *sink;
	if (sink == NULL)
		sink = fopen("/dev/null", "w");
	fuzz_expect(sink != NULL, "/dev/null opens");
	return sink;
}

/* A context whose limits are so small that short inputs reach them. */
static inline struct mintmark *fuzz_new(void)
{
	static const struct {
		const char *option, *value;
	} limits[] = {
		{ "flow.max", "16" },
		{ "flow.ndpi", "no" }, /* 15 ms for each input */
		{ "flow.buffer_total", "256K" },
		{ "ledger.rows", "16" },
		{ "engine.events", "64" },
		{ "engine.merge_hold", "5" },
		{ "output.min_band", "low" },
	};
	struct mintmark *m = mintmark_new();
	fuzz_expect(m != NULL, "memory suffices");
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
		fuzz_expect(
		        mintmark_set(m, limits[i].option, limits[i].value) == 0, mintmark_error(m));
	mintmark_on_record(m, fuzz_record, NULL);
	mintmark_on_complaint(m, fuzz_complaint, NULL);
	fuzz_expect(mintmark_add_output(m, MINTMARK_TEXT, fuzz_sink()) == 0, mintmark_error(m));
	fuzz_expect(mintmark_add_output(m, MINTMARK_NDJSON, fuzz_sink()) == 0, mintmark_error(m));
	return m;
}

static inline void fuzz_end(struct mintmark *m)
{
	fuzz_expect(mintmark_finish(m) == 0, mintmark_error(m));
	mintmark_free(m);
}

#endif
