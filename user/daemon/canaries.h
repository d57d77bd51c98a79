/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's canaries: driven by its event loop, counted for its metrics. */
#ifndef UPCLOSE_DAEMON_CANARIES_H
#define UPCLOSE_DAEMON_CANARIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "core/canary.h"
#include "config/canaries_config.h"

struct uc_canary_state {
	char name[UC_CANARY_NAME_LEN + 1];
	uint64_t by_outcome[UC_CANARY_OUTCOME_MAX];
	uint64_t total_ns; /* of all runs */
	/* of the newest run; last_wall_ns 0: there was none */
	uint64_t last_wall_ns;
	uint64_t last_ns;
	unsigned last_status; /* 0: no header */
	enum uc_canary_outcome last_outcome;
	bool answered;             /* it was */
	uint64_t answered_wall_ns; /* of the newest that was answered; 0: none */
};

struct uc_canary_watch;

/*
 * Sends nothing before the loop turns. Canaries of old (may be NULL) that have the
 * same name keep their counts. A negative errno, which was said.
 */
int uc_canary_watch_new(const struct uc_canary_config *cfg, size_t count, struct uc_loop *loop,
			const struct uc_canary_watch *old, struct uc_canary_watch **ret);
void uc_canary_watch_free(struct uc_canary_watch *w);

size_t uc_canary_watch_count(const struct uc_canary_watch *w);
const struct uc_canary_state *uc_canary_watch_at(const struct uc_canary_watch *w, size_t i);

#endif
