/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Alerts and the ways out of the host: takes judged connections and counts,
 * asks the rules, and hands documents to the sinks. Nothing here waits.
 */
#ifndef UPCLOSE_ALERT_ALERTING_H
#define UPCLOSE_ALERT_ALERTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/alerts.h"
#include "config/config.h"
#include "alert/delivery.h"
#include "live.h"
#include "engine/output.h"

struct uc_alerting;

/* -ENOMEM, which was said. */
int uc_alerting_new(const struct uc_config *cfg, struct uc_alerting **ret);
/*
 * Begins the threads of the sinks: after privileges were given up, since each
 * thread has its own. A negative errno, whose cause was said.
 */
int uc_alerting_start(struct uc_alerting *a, const struct uc_config *cfg);
/* The sinks may go on for so long; see uc_delivery_stop. */
void uc_alerting_free(struct uc_alerting *a, uint64_t patience_ns);

/*
 * Rules and sinks that did not change go on as they are; what fires by others
 * is resolved. -ENOMEM: all stays as it was.
 */
int uc_alerting_reload(struct uc_alerting *a, const struct uc_config *cfg);

/* For the engine; it stays the same over reloads. */
struct uc_output *uc_alerting_output(struct uc_alerting *a);

/*
 * The counts of one upstream, see uc_tracer_each_live; ctx is the uc_alerting.
 * To be called before uc_alerting_tick where uc_alerting_wants_counts.
 */
void uc_alerting_live(void *ctx, const struct uc_live *l);
bool uc_alerting_wants_counts(const struct uc_alerting *a, uint64_t mono_ns);

/* Lets the rules see that time has passed. */
void uc_alerting_tick(struct uc_alerting *a, uint64_t mono_ns);
/* When uc_alerting_tick has something to do, at the latest. */
uint64_t uc_alerting_deadline(const struct uc_alerting *a);

/* For metrics and the page. */
const struct uc_alerts *uc_alerting_alerts(const struct uc_alerting *a);
size_t uc_alerting_sinks(const struct uc_alerting *a);
struct uc_delivery *uc_alerting_sink_at(const struct uc_alerting *a, size_t i);

/*
 * Sends a test alert and its resolution through every sink of a configuration, as
 * the daemon's user, and prints what came of it. 0, or -EIO where one did not take
 * them, or another negative errno, whose cause was said.
 */
int uc_alerting_test(const struct uc_config *cfg);

#endif
