/* SPDX-License-Identifier: BSD-2-Clause */
/* upclose probe --through: canaries in the foreground, a line for each run. */
#ifndef UPCLOSE_PROBE_THROUGH_H
#define UPCLOSE_PROBE_THROUGH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "probe/canary.h"

struct uc_through_config {
	bool json;
	struct uc_requests requests;
	uint64_t every_ns; /* 0: one run of each */
	uint64_t timeout_ns;
	uint64_t count;       /* runs of each; 0: no end */
	uint64_t duration_ns; /* 0: no end */
};

struct uc_through_end {
	uint64_t runs, failed; /* failed: all but answered */
	uint64_t unconnected;
};

/* Until all is done, its time is up or stop_fd is readable. Negative errno; output errors too. */
int uc_through(const struct uc_through_config *cfg, const struct uc_target *targets, size_t count,
	       int stop_fd, FILE *out, struct uc_through_end *end);

#endif
