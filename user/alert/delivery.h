/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One sink: a thread of its own sends the documents that wait for it, again
 * and again with growing pauses, until they are taken or too old. Each arrives
 * at least once, in order; a document's id tells one that came twice.
 */
#ifndef UPCLOSE_ALERT_DELIVERY_H
#define UPCLOSE_ALERT_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert/backlog.h"
#include "config/sinks_config.h"

struct uc_delivery;

struct uc_delivery_stats {
	struct uc_backlog_stats backlog;
	uint64_t delivered; /* documents */
	uint64_t failed_attempts;
	uint64_t last_success_wall_ns; /* 0: never */
	uint64_t last_took_ns;         /* the newest attempt that succeeded */
	char last_error[256];          /* "" once an attempt succeeded */
};

/*
 * Begins its thread: after privileges were given up, which a thread inherits.
 * cfg is copied. Spools lie in state_directory/sinks; where that is NULL, or
 * cannot be written, documents wait in memory alone. A negative errno, whose
 * cause was said, where there is no memory or no thread.
 */
int uc_delivery_new(const struct uc_sink_config *cfg, const char *state_directory,
		    struct uc_delivery **ret);

/*
 * Has its thread end: when nothing waits any more, when an attempt fails and
 * there is a spool, and at the latest after patience_ns. What was not delivered
 * stays in the spool, or is dropped. Does not wait for it; may be left out.
 */
void uc_delivery_stop(struct uc_delivery *d, uint64_t patience_ns);
/* Waits for that end. */
void uc_delivery_free(struct uc_delivery *d);

/* Never waits. durable: on the disk before it is sent. False: dropped. */
bool uc_delivery_post(struct uc_delivery *d, const char *doc, bool durable);

struct uc_delivery_stats uc_delivery_stats(struct uc_delivery *d);
const struct uc_sink_config *uc_delivery_config(const struct uc_delivery *d);

#endif
