/* SPDX-License-Identifier: BSD-2-Clause */
/* What the engine is fed with, by the live ring as by a recording: the same frames. */
#ifndef UPCLOSE_SOURCE_H
#define UPCLOSE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* Of a container and its pod; each "" where it is not known. */
struct uc_names {
	char container[64];
	char pod_namespace[64];
	char pod[254];
};

/* A process at an end of a connection, as /proc showed it while it lived. */
struct uc_proc {
	uint32_t tgid;
	uint64_t start_ns;
	char exe[256];    /* "" where it could not be read */
	char cgroup[256]; /* its path in the cgroup tree; "" where it could not be read */
	struct uc_names names;
};

struct uc_losses {
	uint64_t by_reason[UC_LOST_MAX];
};

#define UC_HEARING_CHOSEN 0x100
#define UC_HEARING_LEVEL  0xff

struct uc_frames {
	void (*record)(void *ctx, const void *bytes, size_t len);
	void (*proc)(void *ctx, const struct uc_proc *proc);
	/* CLOCK_REALTIME minus CLOCK_MONOTONIC, and the monotonic time at which that was so */
	void (*clock)(void *ctx, int64_t offset_ns, uint64_t mono_ns);
	void (*losses)(void *ctx, const struct uc_losses *losses);
	/*
	 * From now on nginx's words up to this level are heard (src/core/ngx_log.h: 4 error,
	 * 7 info), from every program of it; 0: not so. What it does not say then, it
	 * had not to say. UC_HEARING_CHOSEN with it: only connections of chosen ports are
	 * followed, and words without a connection are of any.
	 */
	void (*hearing)(void *ctx, unsigned hearing);
	void *ctx;
};

#endif
