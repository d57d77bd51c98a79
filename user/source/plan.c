/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/plan.h"

#include <string.h>

static const char *const names[UC_PLAN_MAX] = {
	[UC_PLAN_AUTO] = "auto",     [UC_PLAN_TRACEPOINT] = "tracepoint",
	[UC_PLAN_FENTRY] = "fentry", [UC_PLAN_FENTRY_OLD] = "fentry",
	[UC_PLAN_KPROBE] = "kprobe",
};

const char *uc_plan_name(enum uc_plan plan)
{
	return names[plan];
}

static const char *const abouts[UC_PLAN_MAX] = {
	[UC_PLAN_TRACEPOINT] = "the length tracepoints of 6.3",
	[UC_PLAN_FENTRY] = "the exits of tcp_sendmsg() and tcp_recvmsg()",
	[UC_PLAN_FENTRY_OLD] =
		"the same exits, done as before 5.15: hashes in place of storage in sockets",
	[UC_PLAN_KPROBE] = "kprobes and raw tracepoints, with the same hashes",
};

const char *uc_plan_about(enum uc_plan plan)
{
	return abouts[plan];
}

bool uc_plan_parse(const char *name, enum uc_plan *ret)
{
	enum uc_plan plan = 0;

	while (plan < UC_PLAN_MAX && strcmp(name, names[plan]))
		plan++;
	*ret = plan;
	return plan < UC_PLAN_MAX;
}

bool uc_plan_is(enum uc_plan plan, enum uc_plan wanted)
{
	return wanted == UC_PLAN_AUTO || !strcmp(names[plan], names[wanted]);
}
