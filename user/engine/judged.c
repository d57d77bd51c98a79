/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/judged.h"

uint64_t uc_totals_lost(const struct uc_totals *t)
{
	uint64_t sum = t->bad_records + t->evicted;

	for (unsigned i = 0; i < UC_LOST_MAX; i++)
		sum += t->losses.by_reason[i];
	return sum;
}

const char *uc_limit_name(enum uc_limit limit)
{
	static const char *const names[UC_LIMIT_MAX] = {
		[UC_LIMIT_UPSTREAMS] = "upstreams",
		[UC_LIMIT_OUTCOMES] = "outcomes",
		[UC_LIMIT_PROCESSES] = "processes",
		[UC_LIMIT_DEATHS] = "deaths",
	};

	return names[limit];
}
