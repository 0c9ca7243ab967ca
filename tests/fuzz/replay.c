/* Gives every file of a corpus to a fuzz driver once, without libFuzzer: one TAP case per directory of the
 * corpus. Linked with each driver, so that "make check" keeps old crashes dead with any compiler.
 *
 * The corpus is the argument or, without one, what lies under tests/fuzz/corpus/ with the driver's name: that
 * of the program with "replay_" for "fuzz_". */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/guard.h"

enum {
	INPUT_MAX = 1 << 20, /* libFuzzer's default -max_len for a corpus of large files */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

/* One file, its last byte just before an inaccessible page. True when it could be read. */
static bool replay_file(struct guard *g, uint8_t *buffer, const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return false;
	size_t len = fread(buffer, 1, INPUT_MAX, f);
	bool ok = ferror(f) == 0;
	fclose(f);
	if (ok)
		LLVMFuzzerTestOneInput(guard_put(g, buffer, len), len);
	return ok;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Walk the corpus; files come before the end of their directory, which is reported as one case. */
static int replay(char *corpus)
{
	static uint8_t buffer[INPUT_MAX];
	char *roots[] = { corpus, NULL };
	FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
	if (walk == NULL)
		return -1;
	struct guard g = guard_new(INPUT_MAX);
	unsigned n_cases = 0, n_inputs = 0, n_bad = 0, n_failed = 0;
	for (FTSENT *e = fts_read(walk); e != NULL; e = fts_read(walk)) {
		if (e->fts_info == FTS_F) {
			n_inputs++;
			printf("# %s\n", e->fts_path); /* so that a crash is known by its file */
			fflush(stdout);
			if (!replay_file(&g, buffer, e->fts_path))
				n_bad++;
		} else if (e->fts_info == FTS_DP && n_inputs != 0) {
			n_failed += n_bad != 0;
			printf("%sok %u - %s: %u inputs\n", n_bad == 0 ? "" : "not ", ++n_cases,
			        e->fts_name, n_inputs);
			n_inputs = n_bad = 0;
		} else if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR ||
		           e->fts_info == FTS_NS) {
			n_failed++;
			printf("not ok %u - %s: %s\n", ++n_cases, e->fts_path,
			        strerror(e->fts_errno));
		}
	}
	fts_close(walk);
	guard_free(&g);
	if (n_cases == 0) {
		n_failed++;
		printf("not ok %u - no inputs in %s\n", ++n_cases, corpus);
	}
	printf("1..%u\n", n_cases);
	return n_failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	char corpus[4096];
	const char *top = getenv("top_srcdir");
	const char *name = strrchr(argv[0], '/');
	name = name == NULL ? argv[0] : name + 1;
	if (strncmp(name, "replay_", 7) == 0)
		name += 7;
	if (argc > 1)
		snprintf(corpus, sizeof corpus, "%s", argv[1]);
	else
		snprintf(corpus, sizeof corpus, "%s/tests/fuzz/corpus/fuzz_%s",
		        top == NULL ? "." : top, name);
	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	return replay(corpus) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
