/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The metrics in Prometheus' text format. A metric is a row of the table in
 * metrics.c: its name, type and help, what it is counted by and which field of that
 * it is. One with several labels has a function that writes its samples.
 */
#ifndef UPCLOSE_DAEMON_METRICS_H
#define UPCLOSE_DAEMON_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/alerting.h"
#include "config/config.h"
#include "daemon/canaries.h"
#include "daemon/tally.h"
#include "engine/engine.h"
#include "source/tracer.h"

/* All that metrics, health and the page are made of. */
struct uc_view {
	const struct uc_config *cfg; /* in use */
	struct uc_tally *tally;
	const struct uc_engine *engine;
	struct uc_tracer *tracer;
	struct uc_history *history;
	const struct uc_alerting *alerting;
	const struct uc_canary_watch *canaries; /* NULL: not yet */
	uint64_t began_ns;                      /* CLOCK_MONOTONIC, as all of these */
	uint64_t ring_read_ns; /* when the ring was read last without an error; 0: never */
	uint64_t now_ns;
	bool reload_ok;          /* the newest configuration was taken */
	uint64_t reload_wall_ns; /* when the one in use was taken, since the epoch */
	int walk_err;            /* of uc_tracer_each_live */
};

/* Reads the kernel's counts into the tally. */
void uc_view_refresh(struct uc_view *v);

/* The whole exposition, malloc'ed; NULL: no memory. */
char *uc_metrics_write(const struct uc_view *v, size_t *ret_len);

#endif
