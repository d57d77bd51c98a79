/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts by upstream since the start, for metrics and the page: by its address, or
 * by a name that several addresses share. Bounded: what finds no place is counted in
 * the last one, "other". Counters of a place only grow. One that was quiet for long
 * gives its place to a newcomer, and its counts are added to those of the retired; an
 * upstream that comes back begins at 0, as a program that was started again does.
 */
#ifndef UPCLOSE_DAEMON_TALLY_H
#define UPCLOSE_DAEMON_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/conn/upstreams.h"
#include "core/vocabulary.h"
#include "live.h"
#include "engine/judged.h"
#include "base/text.h"

#define UC_TALLY_MINUTES 60
#define UC_TALLY_NAME    192
/* Of the addresses behind a name so many are known, the newest. */
#define UC_TALLY_ADDRS 16

struct uc_tally_upstream {
	char name[UC_TALLY_NAME]; /* "127.0.0.1:3000", "backend", "other" */
	struct uc_upstream_addr addr[UC_TALLY_ADDRS];
	uint64_t addrs; /* that were new so far; number n is at n % UC_TALLY_ADDRS; "other" has none */
	uint64_t used_ns;
	uint64_t ended;
	uint64_t repeated; /* attempts made here after one had failed */
	uint64_t flagged[UC_VERDICT_MAX][UC_OUTCOME_MAX];
	uint32_t minutes[UC_TALLY_MINUTES][UC_VERDICT_MAX]; /* flagged; minute m at m % 60 */
	struct uc_live live; /* as of the newest uc_tally_live calls; without an address */
};

struct uc_tally_config {
	size_t capacity;   /* places besides "other" */
	uint64_t quiet_ns; /* what was not used for so long may lose its place */
	bool named; /* by names that uc_tally_end gives; an address without one yet is "other" */
};

struct uc_tally;

/* -ENOMEM */
int uc_tally_new(const struct uc_tally_config *cfg, struct uc_tally **ret);
void uc_tally_free(struct uc_tally *t);

/* A connection ended. named: its upstream is called name from now on; NULL: as before, else by its address. */
void uc_tally_end(struct uc_tally *t, const struct uc_judged *r, const char *name, uint64_t now_ns);

void uc_tally_repeated(struct uc_tally *t, const struct uc_upstream_addr *addr, uint64_t now_ns);

/* Between two of uc_tally_live_begin the kernel's counts of each address are told once. */
void uc_tally_live_begin(struct uc_tally *t, uint64_t now_ns);
void uc_tally_live(struct uc_tally *t, const struct uc_live *l);

/* Places in use; "other" is the last of them once there is one. */
size_t uc_tally_count(const struct uc_tally *t);
const struct uc_tally_upstream *uc_tally_at(const struct uc_tally *t, size_t i);

/* Flagged connections of the last hour, by verdict. */
void uc_tally_hour(struct uc_tally *t, size_t i, uint64_t now_ns, uint64_t ret[UC_VERDICT_MAX]);

/* The shortest idle timeout that was learned of its addresses; false: of none. */
bool uc_tally_idle(const struct uc_tally_upstream *u, const struct uc_upstreams *upstreams,
		   struct uc_idle_learned *ret);

/* Connections that ended under "other". */
uint64_t uc_tally_folded(const struct uc_tally *t);

/* The sum of those that lost their places, which were so many. */
const struct uc_tally_upstream *uc_tally_retired(const struct uc_tally *t, uint64_t *ret_count);

#endif
