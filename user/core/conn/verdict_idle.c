/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/verdict_rule.h"

static bool by_nginx(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_NGINX;
}

/* Where the upstream closed behind a response that was seen in part, it may have cut it. */
static bool unseen_and_idle(const struct uc_facts *f)
{
	return f->adopted && !f->exchange &&
	       !(f->response_bytes && f->closed_by == UC_CLOSED_BY_UPSTREAM);
}

static bool pooled(const struct uc_facts *f)
{
	return f->pooled;
}

static bool worker_exited(const struct uc_facts *f)
{
	return by_nginx(f) && (f->nginx_exiting || f->nginx_exited);
}

static bool worker_killed(const struct uc_facts *f)
{
	return by_nginx(f) && f->nginx_exiting && (f->nginx->closer.exit_code & 0x7f);
}

/* In the middle of something; what idles, or cannot be read and was answered, is closed by the way. */
static bool worker_exited_in_use(const struct uc_facts *f)
{
	if (f->opaque && f->response_state == UC_RESPONSE_UNKNOWN)
		return false;
	return worker_exited(f) && !f->pooled && f->response_state != UC_RESPONSE_COMPLETE;
}

/* By its exit, or after it had said that it shuts down; else another reason is possible. */
static bool worker_ended_in_use(const struct uc_facts *f)
{
	return worker_exited_in_use(f) && (f->nginx_exiting || f->exit_announced);
}

static bool worker_killed_in_use(const struct uc_facts *f)
{
	return worker_killed(f) && worker_exited_in_use(f);
}

const struct uc_rule uc_rules_idle[] = {
	{ pooled, UC_VERDICT_IDLE_CLOSE, UC_PROOF_IDLE, PROVEN, 0 },
	{ worker_killed_in_use, UC_VERDICT_WORKER_EXITED, UC_PROOF_SIGNAL, PROVEN, 0 },
	{ worker_ended_in_use, UC_VERDICT_WORKER_EXITED, UC_PROOF_NGINX_EXITED, PROVEN, 0 },
	{ worker_exited_in_use, UC_VERDICT_WORKER_EXITED, UC_PROOF_NGINX_EXITED, LIKELY, 0 },
	{ unseen_and_idle, UC_VERDICT_IDLE_CLOSE, UC_PROOF_UNSEEN_START, LIKELY, 0 },
	{ 0 },
};
