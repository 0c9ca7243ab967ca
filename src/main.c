/* The command line: options in, an exit status out. All else is libmintmark's, used through its public header. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <mintmark/mintmark.h>

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_FOUND = 3, /* --fail-on */
};

/* Options without a letter. */
enum {
	OPT_CAPTURE = 1, /* getopt's own value for an argument that is no option */
	OPT_JSON = 256,
	OPT_MIN_BAND,
	OPT_FAIL_ON,
	OPT_METRICS_FILE,
	OPT_COUNTERS,
	OPT_TEST_CONFIG,
	OPT_DUMP_CONFIG,
	OPT_USER,
	OPT_STATE,
	OPT_WORKERS,
	OPT_KEYLOG,
	OPT_MAX_MEMORY,
	OPT_LIST_DETECTORS,
	OPT_LIST_PROTOCOLS,
	OPT_JWKS,
	OPT_LIST_FIELDS,
	OPT_LIST_OPTIONS,
	OPT_LIST_METRICS,
	OPT_VERSION,
};

/* The one table of options: getopt and --help are made from it. */
static const struct option_row {
	const char *name;
	int value;       /* its letter, or one of the above */
	const char *arg; /* NULL: takes none */
	const char *help;
	const char *setting; /* the option of -o that it sets; NULL: more is done */
} option_rows[] = {
	{ "read", 'r', "FILE...", "read captures; a directory: all in it; -: standard input",
	        NULL },
	{ "interface", 'i', "IFACE",
	        "watch this network interface; any: all there are; may be repeated", NULL },
	{ "filter", 'f', "EXPR", "only packets that match this pcap-filter(7) expression",
	        "capture.filter" },
	{ "write", 'w', "FILE", "write events and findings as NDJSON to FILE; -: as --json", NULL },
	{ "json", OPT_JSON, NULL, "write events and findings as NDJSON to standard output, no text",
	        NULL },
	{ "config", 'c', "FILE", "read the options in FILE, mintmark.conf(5)", NULL },
	{ "option", 'o', "SECTION.KEY=VALUE", "set an option; --list-options shows them", NULL },
	{ "min-band", OPT_MIN_BAND, "BAND",
	        "text: show findings from BAND up (low, medium, high, critical)", NULL },
	{ "fail-on", OPT_FAIL_ON, "BAND", "exit with 3 when a finding reaches BAND", NULL },
	{ "jwks", OPT_JWKS, "ISSUER=FILE",
	        "the keys of an issuer of tokens, a JSON Web Key Set; may be repeated", NULL },
	{ "metrics-file", OPT_METRICS_FILE, "FILE",
	        "keep the counters in FILE, as Prometheus reads them", NULL },
	{ "counters", OPT_COUNTERS, NULL, "print the counters on standard error at the end", NULL },
	{ "user", OPT_USER, "NAME", "as root: become this user once all is open", "process.user" },
	{ "workers", OPT_WORKERS, "N", "threads that share the work; 0: one does everything",
	        "engine.workers" },
	{ "keylog", OPT_KEYLOG, "FILE", "decrypt TLS with the secrets in FILE (SSLKEYLOGFILE)",
	        "keys.keylog" },
	{ "max-memory", OPT_MAX_MEMORY, "SIZE", "bytes for the whole process (K, M, G)",
	        "engine.max_memory" },
	{ "state", OPT_STATE, "DIR", "go on from what was learnt before, and keep it in DIR",
	        "state.dir" },
	{ "quiet", 'q', NULL, "no progress and no closing words on standard error", NULL },
	{ "list-interfaces", 'D', NULL, "print the network interfaces", NULL },
	{ "test-config", OPT_TEST_CONFIG, NULL, "check the configuration and end", NULL },
	{ "dump-config", OPT_DUMP_CONFIG, NULL,
	        "print the options in force as a configuration file", NULL },
	{ "list-detectors", OPT_LIST_DETECTORS, NULL, "print the detectors", NULL },
	{ "list-protocols", OPT_LIST_PROTOCOLS, NULL, "print the protocols", NULL },
	{ "list-fields", OPT_LIST_FIELDS, NULL, "print the fields of the NDJSON output", NULL },
	{ "list-options", OPT_LIST_OPTIONS, NULL, "print the options of -o", NULL },
	{ "list-metrics", OPT_LIST_METRICS, NULL, "print what is counted", NULL },
	{ "version", OPT_VERSION, NULL, "print the version", NULL },
	{ "help", 'h', NULL, "print this", NULL },
};

enum { N_OPTIONS = sizeof option_rows / sizeof option_rows[0] };

static const char *const band_names[] = { "low", "medium", "high", "critical" };

enum { N_BANDS = sizeof band_names / sizeof band_names[0] };

struct setting {
	const char *option, *value;
};

/* What the command line says. */
struct args {
	const char **captures;
	size_t n_captures;
	const char **interfaces;
	size_t n_interfaces;
	struct setting *settings;
	size_t n_settings;
	const char *write_path;   /* NULL: none */
	const char *config_path;  /* NULL: none */
	const char *metrics_path; /* NULL: none */
	char *jwks;               /* all of --jwks, with blanks between; NULL: none */
	bool counters, test_config, dump_config;
	bool json, quiet;
	bool fail_on_set;
	enum mintmark_band fail_on;
};

/* What is going on; told to the library's callbacks. */
struct run {
	struct mintmark *m;
	const struct args *args;
	FILE *file;      /* of -w; NULL: none */
	bool has_config; /* read from a file */
	bool failed, complained, show_progress, progress_shown;
	bool in_config;      /* complaints begin with the file's name, as an editor wants them */
	bool metrics_failed; /* it was told */
	bool save_due;       /* of --metrics-file */
	struct timespec start, shown, saved;
	uint64_t n_events, n_findings[N_BANDS];
	bool reached;     /* --fail-on */
	int output_errno; /* why an output broke */
};

static struct mintmark *running; /* for the signal handler */
static volatile sig_atomic_t stopped, counters_wanted, reload_wanted;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
	mintmark_stop(running);
}

static void on_usr1(int sig)
{
	(void)sig;
	counters_wanted = 1;
	mintmark_pause(running);
}

static void on_hangup(int sig)
{
	(void)sig;
	reload_wanted = 1;
	mintmark_pause(running);
}

/* The first one ends the run cleanly, the second one kills. SIGHUP is for whoever moves the output away or changes the
 * configuration; a run that has neither in a file it ends, as a closed terminal should. SIGUSR1 asks for the counters. */
static void catch_signals(struct mintmark *m, bool has_files)
{
	struct sigaction stop = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	/* A write to a slow reader goes on after it. */
	struct sigaction hangup = { .sa_handler = on_hangup, .sa_flags = SA_RESTART };
	struct sigaction usr1 = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	running = m;
	sigemptyset(&stop.sa_mask);
	sigemptyset(&hangup.sa_mask);
	sigemptyset(&usr1.sa_mask);
	sigemptyset(&ignore.sa_mask);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGUSR1, &usr1, NULL);
	if (has_files)
		sigaction(SIGHUP, &hangup, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static void print_help(void)
{
	enum { HELP_COLUMN = 32 };
	printf("Usage: mintmark [OPTION]... [-r] FILE...\n"
	       "       mintmark [OPTION]... -i IFACE\n"
	       "Finds forged tickets and tokens, and their abuse, in captures and as traffic "
	       "passes.\n\n");
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_row *row = &option_rows[i];
		char letter[8] = "    ";
		if (row->value < OPT_JSON)
			snprintf(letter, sizeof letter, "-%c, ", row->value);
		int n = printf("  %s--%s%s%s", letter, row->name, row->arg != NULL ? " " : "",
		        row->arg != NULL ? row->arg : "");
		if (n >= HELP_COLUMN)
			n = printf("\n") - 1;
		printf("%*s%s\n", HELP_COLUMN - n, "", row->help);
	}
	printf("\nExit status: 0 done, 1 failed, 2 wrong usage, 3 found (--fail-on).\n"
	       "More in mintmark(1), mintmark-events(5) and libmintmark(3).\n");
}

/* Data were printed to standard output: did they get there? */
static int finish_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_DONE;
	if (errno != EPIPE)
		fprintf(stderr, "mintmark: standard output: %s\n", strerror(errno));
	return EXIT_FAILED;
}

/* Print one of the tables and be done. */
static int list(enum mintmark_list what)
{
	mintmark_list(what, stdout);
	return finish_stdout();
}

static int list_interfaces(void)
{
	struct mintmark *m = mintmark_new();
	int status = EXIT_FAILED;
	if (m != NULL && mintmark_list_interfaces(m, stdout) == 0)
		status = finish_stdout();
	if (m == NULL || mintmark_error(m)[0] != '\0')
		fprintf(stderr, "mintmark: %s\n", m == NULL ? "out of memory" : mintmark_error(m));
	mintmark_free(m);
	return status;
}

static bool parse_band(const char *text, enum mintmark_band *band)
{
	for (size_t i = 0; i < N_BANDS; i++) {
		if (strcmp(text, band_names[i]) == 0) {
			*band = (enum mintmark_band)i;
			return true;
		}
	}
	fprintf(stderr, "mintmark: %s: not a band: low, medium, high or critical\n", text);
	return false;
}

static void add_setting(struct args *args, const char *option, const char *value)
{
	args->settings[args->n_settings++] = (struct setting){ option, value };
}

/* "section.key=value"; cut in place, as argv may be. */
static bool parse_setting(struct args *args, char *text)
{
	char *eq = strchr(text, '=');
	if (eq == NULL || eq == text) {
		fprintf(stderr, "mintmark: -o %s: not SECTION.KEY=VALUE\n", text);
		return false;
	}
	*eq = '\0';
	add_setting(args, text, eq + 1);
	return true;
}

/* One more ISSUER=FILE of option keys.jwks. */
static bool add_jwks(struct args *args, const char *text)
{
	size_t had = args->jwks != NULL ? strlen(args->jwks) : 0, more = strlen(text);
	char *list = realloc(args->jwks, had + more + 2);
	if (list == NULL) {
		fprintf(stderr, "mintmark: out of memory\n");
		return false;
	}
	snprintf(list + had, more + 2, "%s%s", had != 0 ? " " : "", text);
	args->jwks = list;
	return true;
}

static void add_input(struct args *args, int option)
{
	if (option == 'i')
		args->interfaces[args->n_interfaces++] = optarg;
	else
		args->captures[args->n_captures++] = optarg;
}

/* One option. Returns -1 to go on, else the exit status. */
static int take_option(struct args *args, int value)
{
	enum mintmark_band band;
	switch (value) {
	case OPT_CAPTURE:
	case 'r':
	case 'i':
		add_input(args, value);
		return -1;
	case 'D':
		return list_interfaces();
	case 'w':
		if (strcmp(optarg, "-") == 0)
			args->json = true;
		else
			args->write_path = optarg;
		return -1;
	case OPT_JSON:
		args->json = true;
		return -1;
	case 'c':
		if (args->config_path != NULL) {
			fprintf(stderr, "mintmark: -c %s: given twice, first %s\n", optarg,
			        args->config_path);
			return EXIT_USAGE;
		}
		args->config_path = optarg;
		return -1;
	case OPT_METRICS_FILE:
		args->metrics_path = optarg;
		return -1;
	case OPT_JWKS:
		return add_jwks(args, optarg) ? -1 : EXIT_FAILED;
	case OPT_COUNTERS:
		args->counters = true;
		return -1;
	case OPT_TEST_CONFIG:
		args->test_config = true;
		return -1;
	case OPT_DUMP_CONFIG:
		args->dump_config = true;
		return -1;
	case 'o':
		return parse_setting(args, optarg) ? -1 : EXIT_USAGE;
	case OPT_MIN_BAND:
		if (!parse_band(optarg, &band))
			return EXIT_USAGE;
		add_setting(args, "output.min_band", optarg);
		return -1;
	case OPT_FAIL_ON:
		args->fail_on_set = true;
		return parse_band(optarg, &args->fail_on) ? -1 : EXIT_USAGE;
	case 'q':
		args->quiet = true;
		return -1;
	case OPT_LIST_DETECTORS:
		return list(MINTMARK_LIST_DETECTORS);
	case OPT_LIST_PROTOCOLS:
		return list(MINTMARK_LIST_PROTOCOLS);
	case OPT_LIST_FIELDS:
		return list(MINTMARK_LIST_FIELDS);
	case OPT_LIST_OPTIONS:
		return list(MINTMARK_LIST_OPTIONS);
	case OPT_LIST_METRICS:
		return list(MINTMARK_LIST_METRICS);
	case OPT_VERSION:
		printf("mintmark %s\n", mintmark_version());
		return finish_stdout();
	case 'h':
		print_help();
		return finish_stdout();
	default: /* getopt has said why */
		fprintf(stderr, "Try 'mintmark --help'.\n");
		return EXIT_USAGE;
	}
}

/* Those that are short for -o. */
static bool set_option(struct args *args, int value)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (option_rows[i].value != value || option_rows[i].setting == NULL)
			continue;
		add_setting(args, option_rows[i].setting, optarg);
		return true;
	}
	return false;
}

/* Returns -1 to go on, else the exit status. */
static int parse_args(int argc, char **argv, struct args *args)
{
	struct option longs[N_OPTIONS + 1] = { 0 };
	char letters[1 + 2 * N_OPTIONS + 1] = "-"; /* captures come in their place */
	size_t n = 1;
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_row *row = &option_rows[i];
		longs[i] = (struct option){ row->name,
			row->arg != NULL ? required_argument : no_argument, NULL, row->value };
		if (row->value >= OPT_JSON)
			continue;
		letters[n++] = (char)row->value;
		if (row->arg != NULL)
			letters[n++] = ':';
	}
	int value;
	while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		int status = set_option(args, value) ? -1 : take_option(args, value);
		if (status >= 0)
			return status;
	}
	while (optind < argc)
		args->captures[args->n_captures++] = argv[optind++];
	if (args->jwks != NULL)
		add_setting(args, "keys.jwks", args->jwks);
	if (args->n_captures != 0 && args->n_interfaces != 0) {
		fprintf(stderr, "mintmark: either interfaces are watched or captures read\n");
		return EXIT_USAGE;
	}
	if (args->n_captures != 0 || args->n_interfaces != 0 || args->test_config ||
	        args->dump_config)
		return -1;
	fprintf(stderr, "mintmark: no capture to read: mintmark FILE..., or - for standard input\n"
	                "Try 'mintmark --help'.\n");
	return EXIT_USAGE;
}

static void erase_progress(struct run *run)
{
	if (run->progress_shown)
		fputs("\r\033[K", stderr);
	run->progress_shown = false;
}

static void on_complaint(void *arg, const char *line)
{
	struct run *run = arg;
	erase_progress(run);
	fprintf(stderr, "%s%s\n", run->in_config ? "" : "mintmark: ", line);
	run->complained = true;
}

static void on_record(void *arg, const struct mintmark_record *record)
{
	struct run *run = arg;
	if (!record->is_finding) {
		run->n_events++;
		return;
	}
	run->n_findings[record->band]++;
	run->reached |= run->args->fail_on_set && record->band >= run->args->fail_on;
}

static int64_t ms_since(const struct timespec *then, const struct timespec *now)
{
	return ((int64_t)now->tv_sec - then->tv_sec) * 1000 +
	       (now->tv_nsec - then->tv_nsec) / 1000000;
}

static void print_progress(const struct mintmark_progress *p)
{
	time_t s = (time_t)(p->time_ns / 1000000000);
	struct tm tm;
	char when[32] = "";
	if (gmtime_r(&s, &tm) != NULL)
		strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", &tm);
	fprintf(stderr, "\r\033[K%" PRIu64 " packets, %.1f MB", p->packets, (double)p->bytes / 1e6);
	if (p->bytes_total != 0)
		fprintf(stderr, " of %.1f MB (%.0f %%)", (double)p->bytes_total / 1e6,
		        100.0 * (double)p->bytes / (double)p->bytes_total);
	fprintf(stderr, ", at %s", when);
	fflush(stderr);
}

/* Why the last call failed; false, so that callers can return it. */
static bool complain(struct run *run)
{
	erase_progress(run);
	fprintf(stderr, "mintmark: %s\n", mintmark_error(run->m));
	run->failed = true;
	return false;
}

static void print_counters(struct run *run)
{
	erase_progress(run);
	counters_wanted = 0;
	if (mintmark_write_metrics(run->m, MINTMARK_METRICS_TEXT, stderr) != 0)
		(void)complain(run);
}

/* The file of --metrics-file. What fails is told once, and the run goes on. */
static bool save_metrics(struct run *run)
{
	clock_gettime(CLOCK_MONOTONIC, &run->saved);
	if (run->args->metrics_path == NULL)
		return true;
	if (mintmark_save_metrics(run->m) == 0)
		return true;
	if (!run->metrics_failed)
		(void)complain(run);
	run->metrics_failed = true;
	return false;
}

/* All is at rest: do what had to wait for it. */
static void at_rest(struct run *run)
{
	if (reload_wanted) {
		reload_wanted = 0;
		mintmark_reload(run->m);
		run->complained = false;
	}
	if (counters_wanted)
		print_counters(run);
	if (run->save_due)
		(void)save_metrics(run);
	run->save_due = false;
}

static void on_progress(void *arg, const struct mintmark_progress *p)
{
	enum { FIRST_MS = 1000, EVERY_MS = 200, SAVE_MS = 10000 };
	struct run *run = arg;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (run->args->metrics_path != NULL && ms_since(&run->saved, &now) >= SAVE_MS) {
		run->save_due = true;
		mintmark_pause(run->m);
	}
	if (!run->show_progress)
		return;
	if (ms_since(&run->start, &now) < FIRST_MS || ms_since(&run->shown, &now) < EVERY_MS)
		return;
	run->shown = now;
	run->progress_shown = true;
	print_progress(p);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool holds(const char *directory, const struct stat *file)
{
	struct stat each;
	bool found = false;
	DIR *dir = opendir(directory);
	if (dir == NULL)
		return false;
	for (const struct dirent *e = readdir(dir); e != NULL && !found; e = readdir(dir))
		found = fstatat(dirfd(dir), e->d_name, &each, 0) == 0 && same_file(&each, file);
	closedir(dir);
	return found;
}

/* NDJSON, as an earlier run left it: no capture begins so. */
static bool is_output(const char *path)
{
	FILE *f = fopen(path, "re");
	int first = f != NULL ? fgetc(f) : EOF;
	if (f != NULL)
		fclose(f);
	return first == '{';
}

/* A slip of the keyboard shall not overwrite the evidence. */
static bool is_capture(const struct args *args, const char *path)
{
	struct stat out, in;
	if (stat(path, &out) != 0 || !S_ISREG(out.st_mode) || out.st_size == 0)
		return false;
	for (size_t i = 0; i < args->n_captures; i++) {
		if (stat(args->captures[i], &in) != 0)
			continue;
		if (same_file(&in, &out))
			return true;
		if (S_ISDIR(in.st_mode) && holds(args->captures[i], &out) && !is_output(path))
			return true;
	}
	return false;
}

/* Records of a replay that nobody watches leave in large pieces: stdio's own are of a block of the file, two or three
 * events. Must come before anything is written. */
static void widen(const struct run *run, FILE *f)
{
	enum { OUTPUT_BUFFER = 256 * 1024 };
	/* Standard output, and the file of -w. They live as long as the streams, which exit() flushes. */
	static char buffers[2][OUTPUT_BUFFER];
	if (run->args->n_interfaces == 0 && !isatty(fileno(f)))
		(void)setvbuf(f, buffers[f == stdout], _IOFBF, OUTPUT_BUFFER);
}

static bool open_outputs(struct run *run)
{
	const struct args *args = run->args;
	if (args->metrics_path != NULL && is_capture(args, args->metrics_path)) {
		fprintf(stderr, "mintmark: %s: is one of the captures, not overwritten\n",
		        args->metrics_path);
		run->failed = true;
		return false;
	}
	if (args->write_path != NULL) {
		bool same = is_capture(args, args->write_path);
		if (!same)
			run->file = fopen(args->write_path, "we");
		if (run->file == NULL) {
			fprintf(stderr, "mintmark: %s: %s\n", args->write_path,
			        same ? "is one of the captures, not overwritten" : strerror(errno));
			run->failed = true;
			return false;
		}
		widen(run, run->file);
		if (mintmark_add_output_file(
		            run->m, MINTMARK_NDJSON, run->file, args->write_path) != 0)
			return complain(run);
	}
	bool color = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	enum mintmark_format format = args->json ? MINTMARK_NDJSON
	                              : color    ? MINTMARK_TEXT_COLOR
	                                         : MINTMARK_TEXT;
	widen(run, stdout);
	if (mintmark_add_output(run->m, format, stdout) != 0)
		return complain(run);
	return true;
}

/* The file of -c, or the default one if there is one. A replay gives the same on every machine: it has the
 * latter only when that is named. False after an error, which is told. */
static bool read_config(struct run *run, bool *usage)
{
	const struct args *args = run->args;
	const char *path = args->config_path;
	if (path == NULL && args->n_captures != 0)
		return true;
	FILE *f = fopen(path != NULL ? path : MINTMARK_CONF, "re");
	if (f == NULL && path == NULL && errno == ENOENT && !args->test_config)
		return true;
	path = path != NULL ? path : MINTMARK_CONF;
	if (f == NULL) {
		fprintf(stderr, "mintmark: %s: %s\n", path, strerror(errno));
		run->failed = true;
		return false;
	}
	run->in_config = true;
	int r = mintmark_read_config(run->m, f, path);
	run->in_config = run->complained = false;
	*usage = r != 0 && !ferror(f);
	fclose(f);
	if (r == 0 && mintmark_set_file(run->m, MINTMARK_FILE_CONFIG, path) != 0)
		r = complain(run) ? 0 : -1;
	run->has_config = r == 0;
	if (r == 0 && args->test_config && !args->quiet)
		fprintf(stderr, "mintmark: %s: no errors\n", path);
	run->failed |= r != 0;
	return r == 0;
}

static bool set_options(struct run *run, bool *usage)
{
	const struct args *args = run->args;
	for (size_t i = 0; i < args->n_settings; i++) {
		const struct setting *s = &args->settings[i];
		if (mintmark_set(run->m, s->option, s->value) != 0) {
			*usage = true;
			return complain(run);
		}
	}
	return read_config(run, usage);
}

/* Outputs and captures. False when the run can not begin. */
static bool configure(struct run *run)
{
	const struct args *args = run->args;
	/* Whatever is missing is told; the others are read. */
	size_t n_open = 0;
	for (size_t i = 0; i < args->n_interfaces; i++, n_open++)
		if (mintmark_add_interface(run->m, args->interfaces[i]) != 0)
			return complain(run);
	for (size_t i = 0; i < args->n_captures; i++) {
		run->complained = false;
		if (mintmark_add_capture(run->m, args->captures[i]) == 0 || run->complained)
			n_open++; /* complained: some captures of a directory */
		else
			(void)complain(run);
		run->failed |= run->complained;
	}
	run->complained = false;
	return n_open != 0 && open_outputs(run);
}

/* The last call failed: because an output broke, which flushed() tells once, or for a reason of its own. */
static void failed(struct run *run, int err)
{
	run->failed = true;
	if (ferror(stdout) || (run->file != NULL && ferror(run->file)))
		run->output_errno = err;
	else if (!run->complained)
		(void)complain(run);
}

static void analyse(struct run *run)
{
	mintmark_on_progress(run->m, on_progress, run);
	if (run->args->fail_on_set || run->args->json)
		mintmark_on_record(run->m, on_record, run);
	run->show_progress = !run->args->quiet && run->args->n_interfaces == 0 &&
	                     isatty(STDERR_FILENO) && !(run->args->json && isatty(STDOUT_FILENO));
	clock_gettime(CLOCK_MONOTONIC, &run->start);
	if (run->args->metrics_path != NULL &&
	        mintmark_set_file(run->m, MINTMARK_FILE_METRICS, run->args->metrics_path) != 0) {
		(void)complain(run);
		return;
	}
	catch_signals(run->m, run->file != NULL || run->has_config);
	uid_t before = getuid();
	/* Packets come after this, and with them who knows what. */
	if (mintmark_confine(run->m) != 0 || mintmark_start(run->m) != 0) {
		(void)complain(run);
		return;
	}
	if (getuid() != before && !run->args->quiet &&
	        (isatty(STDERR_FILENO) || run->args->n_interfaces != 0))
		fprintf(stderr, "mintmark: confined: %s\n", mintmark_confinement(run->m));
	run->complained = false;
	if (!save_metrics(run))
		return;
	errno = 0;
	int r;
	while ((r = mintmark_run(run->m)) == MINTMARK_PAUSED)
		at_rest(run);
	if (r != 0)
		failed(run, errno);
	at_rest(run); /* asked for while reading waited, which then ended */
	erase_progress(run);
	run->complained = false;
	errno = 0;
	if (mintmark_finish(run->m) != 0)
		failed(run, errno);
	(void)save_metrics(run);
	if (run->args->counters)
		print_counters(run);
	if (stopped && !run->args->quiet && run->args->n_interfaces == 0)
		fprintf(stderr, "mintmark: stopped early; what was read until then is analysed\n");
}

/* Did all that was written get there? A reader that went away is no news. */
static bool flushed(const struct run *run, FILE *f, const char *name)
{
	errno = run->output_errno;
	bool bad = ferror(f) != 0;
	if (fflush(f) == 0 && !bad)
		return true;
	if (errno != EPIPE)
		fprintf(stderr, "mintmark: %s: %s\n", name,
		        errno != 0 ? strerror(errno) : "write error");
	return false;
}

static void print_counts(const struct run *run)
{
	fprintf(stderr, "mintmark: %" PRIu64 " events; findings:", run->n_events);
	for (size_t i = N_BANDS; i > 0; i--)
		fprintf(stderr, " %" PRIu64 " %s%s", run->n_findings[i - 1], band_names[i - 1],
		        i > 1 ? "," : "\n");
}

/* Captures are merged by time, so all are open at once, and a directory may hold thousands. */
static void allow_many_files(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* what is too many then is told at opening */
}

static int run_all(const struct args *args)
{
	bool usage = false;
	struct run run = { .args = args, .m = mintmark_new() };
	if (run.m == NULL) {
		fprintf(stderr, "mintmark: out of memory\n");
		return EXIT_FAILED;
	}
	mintmark_on_complaint(run.m, on_complaint, &run);
	allow_many_files();
	bool ready = set_options(&run, &usage);
	if (ready && args->dump_config) {
		mintmark_dump_config(run.m, stdout);
		run.failed = !flushed(&run, stdout, "standard output");
	} else if (ready && !args->test_config && configure(&run)) {
		analyse(&run);
		if (!flushed(&run, stdout, "standard output"))
			run.failed = true;
		else if (args->json && !args->quiet)
			print_counts(&run);
	}
	mintmark_free(run.m);
	if (run.file != NULL) {
		run.failed |= !flushed(&run, run.file, args->write_path);
		if (fclose(run.file) != 0 && !run.failed) {
			fprintf(stderr, "mintmark: %s: %s\n", args->write_path, strerror(errno));
			run.failed = true;
		}
	}
	if (usage)
		return EXIT_USAGE;
	/* What was asked for is told even when part of the input could not be read. */
	if (run.reached)
		return EXIT_FOUND;
	return run.failed ? EXIT_FAILED : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct args args = { .captures = calloc((size_t)argc, sizeof *args.captures),
		.interfaces = calloc((size_t)argc, sizeof *args.interfaces),
		.settings = calloc((size_t)argc + 1, sizeof *args.settings) };
	static char self[] = "mintmark"; /* before getopt's errors, whatever it was called as */
	int status = EXIT_FAILED;
	if (argc > 0)
		argv[0] = self;
	if (args.captures == NULL || args.interfaces == NULL || args.settings == NULL)
		fprintf(stderr, "mintmark: out of memory\n");
	else if ((status = parse_args(argc, argv, &args)) < 0)
		status = run_all(&args);
	free(args.captures);
	free(args.interfaces);
	free(args.settings);
	free(args.jwks);
	return status;
}
