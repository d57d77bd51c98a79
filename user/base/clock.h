/* SPDX-License-Identifier: BSD-2-Clause */
/* The clocks, in ns; the core has none. */
#ifndef UPCLOSE_CLOCK_H
#define UPCLOSE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t uc_now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

#endif
