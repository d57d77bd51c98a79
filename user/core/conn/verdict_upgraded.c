/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/verdict_rule.h"

/* A process that ends by itself and well may end its connections so. */
static bool upgraded_died(const struct uc_facts *f)
{
	return uc_upstream_exited(f) &&
	       (f->upstream->closer.exit_code || f->upstream->closer.flags & UC_TASK_OOM);
}

static bool upgraded_died_oom(const struct uc_facts *f)
{
	return upgraded_died(f) && f->upstream->closer.flags & UC_TASK_OOM;
}

static bool upgraded_died_signal(const struct uc_facts *f)
{
	return upgraded_died(f) && (f->upstream->closer.exit_code & 0x7f);
}

static bool upgraded_reset(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_UPSTREAM && f->close == UC_CLOSE_RST;
}

/* Both ends had been silent, and nginx closed both connections. */
static bool upgraded_timeout(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_NGINX && !f->silent && !f->client_gone &&
	       !f->client_gone_likely && !f->timer_excluded && uc_in_whole_seconds(f);
}

const struct uc_rule uc_rules_upgraded[] = {
	{ upgraded_died_oom, UC_VERDICT_UPSTREAM_DIED, UC_PROOF_OOM, PROVEN, 0 },
	{ upgraded_died_signal, UC_VERDICT_UPSTREAM_DIED, UC_PROOF_SIGNAL, PROVEN, 0 },
	{ upgraded_died, UC_VERDICT_UPSTREAM_DIED, UC_PROOF_EXIT_CODE, PROVEN, 0 },
	{ upgraded_reset, UC_VERDICT_UPSTREAM_RESET, UC_PROOF_RST, PROVEN, PEER },
	{ upgraded_timeout, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_READ_TIMEOUT, LIKELY, 0 },
	{ uc_otherwise, UC_VERDICT_COMPLETE, UC_PROOF_RESPONSE_COMPLETE, PROVEN, 0 },
	{ 0 },
};
