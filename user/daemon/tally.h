/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts by upstream address since the start, for metrics and the page. Bounded:
 * addresses beyond the capacity share the last place, "other". An address keeps
 * its place, so that counters only grow.
 */
#ifndef UPCLOSE_DAEMON_TALLY_H
#define UPCLOSE_DAEMON_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "core/conn/upstreams.h"
#include "core/vocabulary.h"
#include "live.h"
#include "engine/judged.h"
#include "base/text.h"

#define UC_TALLY_MINUTES 60

struct uc_tally_upstream {
	char name[UC_ADDR_LEN]; /* "127.0.0.1:3000", "other" */
	struct uc_upstream_addr addr;
	uint64_t ended;
	uint64_t repeated; /* attempts made here after one had failed */
	uint64_t flagged[UC_VERDICT_MAX][UC_OUTCOME_MAX];
	uint32_t minutes[UC_TALLY_MINUTES][UC_VERDICT_MAX]; /* flagged; minute m at m % 60 */
	struct uc_live live; /* as of the newest uc_tally_live calls */
};

struct uc_tally;

/* -ENOMEM. capacity: addresses with a place of their own. */
int uc_tally_new(size_t capacity, struct uc_tally **ret);
void uc_tally_free(struct uc_tally *t);

/* A connection ended. */
void uc_tally_end(struct uc_tally *t, const struct uc_judged *r, uint64_t now_ns);

void uc_tally_repeated(struct uc_tally *t, const struct uc_upstream_addr *addr);

/* Between two of uc_tally_live_begin the kernel's counts of each address are told once. */
void uc_tally_live_begin(struct uc_tally *t);
void uc_tally_live(struct uc_tally *t, const struct uc_live *l);

/* Places in use; "other" is the last of them once there is one. */
size_t uc_tally_count(const struct uc_tally *t);
const struct uc_tally_upstream *uc_tally_at(const struct uc_tally *t, size_t i);

/* Flagged connections of the last hour, by verdict. */
void uc_tally_hour(struct uc_tally *t, size_t i, uint64_t now_ns, uint64_t ret[UC_VERDICT_MAX]);

/* Connections that ended under "other". */
uint64_t uc_tally_folded(const struct uc_tally *t);

#endif
