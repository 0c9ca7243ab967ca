/*
 * cpu - runs a command and tells what it cost.
 *
 *	cpu OUT COMMAND [ARGUMENT]...
 *
 * Writes one line to OUT: user seconds, system seconds, wall seconds, peak memory in KiB; of the command and
 * of the children it waited for. Exits as the command did (128 + signal when it was killed), 127 when it
 * cannot be run. For systems whose shell has no better clock than hundredths of a second.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* wait4 */
#endif

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_NOT_RUN = 127, EXIT_SIGNAL = 128 };

static double timeval_s(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;

	if (argc < 3) {
		fputs("usage: cpu OUT COMMAND [ARGUMENT]...\n", stderr);
		return EXIT_USAGE;
	}

	double start_s = now_s();
	pid_t pid = fork();

	if (pid == 0) {
		(void)execvp(argv[2], argv + 2);
		fprintf(stderr, "cpu: %s: %s\n", argv[2], strerror(errno));
		_exit(EXIT_NOT_RUN);
	}
	if (pid < 0) {
		fprintf(stderr, "cpu: fork: %s\n", strerror(errno));
		return EXIT_NOT_RUN;
	}
	while (wait4(pid, &status, 0, &usage) < 0) {
		if (errno != EINTR) {
			fprintf(stderr, "cpu: wait4: %s\n", strerror(errno));
			return EXIT_NOT_RUN;
		}
	}

	double wall_s = now_s() - start_s;
	FILE *out = fopen(argv[1], "w");

	if (out == NULL ||
	        fprintf(out, "%.6f %.6f %.6f %ld\n", timeval_s(usage.ru_utime),
	                timeval_s(usage.ru_stime), wall_s, usage.ru_maxrss) < 0 ||
	        fclose(out) != 0) {
		fprintf(stderr, "cpu: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
}
