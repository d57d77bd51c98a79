/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What fires, in a file that outlives the daemon: a receiver that was told of an
 * alert is told of its end, too, whatever happens to the daemon in between.
 */
#ifndef UPCLOSE_ALERT_FIRING_H
#define UPCLOSE_ALERT_FIRING_H

#include <stddef.h>
#include <stdint.h>

#include "core/alerts.h"

struct uc_firing {
	/* of its name, severity and verdicts; the rest is not kept */
	struct uc_alert_rule rule;
	char upstream[UC_ALERT_UPSTREAM_LEN];
	uint64_t fired_wall_ns;
};

/* Puts all that fires now into folder/firing.json, whole or not at all. A negative errno. */
int uc_firing_save(const char *folder, const struct uc_alerts *a);

/* Up to max of them; what is no such file has none. */
size_t uc_firing_load(const char *folder, struct uc_firing *ret, size_t max);

#endif
