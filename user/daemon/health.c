/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/health.h"

#include <stdio.h>
#include <string.h>

/* The loop reads the ring at least once a second. */
#define RING_LATE_NS 10000000000ULL

static bool hooks_attached(const struct uc_view *v, char why[UC_HEALTH_WHY])
{
	const char *missing = uc_tracer_detached(v->tracer);

	if (missing)
		snprintf(why, UC_HEALTH_WHY, "the hook %s is no longer attached", missing);
	return !missing;
}

static bool ring_read(const struct uc_view *v, char why[UC_HEALTH_WHY])
{
	if (v->now_ns - v->ring_read_ns < RING_LATE_NS)
		return true;
	snprintf(why, UC_HEALTH_WHY, "the ring was not read for %llu s",
		 (unsigned long long)((v->now_ns - v->ring_read_ns) / 1000000000));
	return false;
}

static bool ring_has_room(const struct uc_view *v, char why[UC_HEALTH_WHY])
{
	size_t size = uc_tracer_ring_bytes(v->tracer), pending;

	if (uc_tracer_ring_pending(v->tracer, &pending)) {
		snprintf(why, UC_HEALTH_WHY, "the ring cannot be looked at");
		return false;
	}
	if (pending < size / 10 * 9)
		return true;
	snprintf(why, UC_HEALTH_WHY, "the ring is %zu %% full", pending / (size / 100));
	return false;
}

bool uc_healthy(const struct uc_view *v, char why[UC_HEALTH_WHY])
{
	return hooks_attached(v, why) && ring_read(v, why) && ring_has_room(v, why);
}
