/* The time of day, for sources that are watched: the one clock there is. Everything else lives by packet time. */
#ifndef MM_CAPTURE_CLOCK_H
#define MM_CAPTURE_CLOCK_H

#include <stdint.h>

/** Nanoseconds since 1970 UTC. */
int64_t mm_clock_wall_ns(void);

/** Nanoseconds since some time or other; nobody sets this clock, so that it is the one to wait by. CLOCK_MONOTONIC. */
int64_t mm_clock_steady_ns(void);

#endif
