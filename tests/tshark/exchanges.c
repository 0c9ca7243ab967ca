/* exchanges CAPTURE - HTTP as mintmark reads it, for http.t to compare with tshark: print_exchange.c says how. */
#include <stdio.h>

#include "mintmark/mintmark.h"

int main(int argc, char **argv)
{
	struct mintmark *m = mintmark_new();
	if (m == NULL || argc < 2)
		return 2;
	if (mintmark_set(m, "engine.workers", "0") != 0 || mintmark_add_capture(m, argv[1]) != 0 ||
	        mintmark_start(m) != 0 || mintmark_run(m) != 0 || mintmark_finish(m) != 0) {
		fprintf(stderr, "%s: %s\n", argv[1], mintmark_error(m));
		mintmark_free(m);
		return 1;
	}
	mintmark_free(m);
	return 0;
}
