/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/verdict.h"

#include "core/conn/verdict_rule.h"
#include "base/util.h"

static bool not_established(const struct uc_facts *f)
{
	return !f->established;
}

/* Of a connection in its pool nginx had nothing more to say. */
static bool said_something(const struct uc_facts *f)
{
	return f->words && !f->pooled;
}

static bool upgraded(const struct uc_facts *f)
{
	return f->exchange && f->response_state == UC_RESPONSE_UPGRADED;
}

static bool by_nginx(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_NGINX;
}

static bool by_upstream(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_UPSTREAM;
}

static bool unseen_start(const struct uc_facts *f)
{
	return f->adopted;
}

static const struct uc_rule nothing_tells[] = {
	{ unseen_start, UC_VERDICT_UNKNOWN, UC_PROOF_UNSEEN_START, 0, 0 },
	{ uc_otherwise, UC_VERDICT_UNKNOWN, UC_PROOF_NONE, 0, 0 },
	{ 0 },
};

/* The last one holds an answer for everything. */
static const struct {
	uc_condition guard;
	const struct uc_rule *rules;
} sections[] = {
	{ not_established, uc_rules_connect }, { said_something, uc_rules_said },
	{ uc_otherwise, uc_rules_idle },       { upgraded, uc_rules_upgraded },
	{ uc_otherwise, uc_rules_whole },      { by_nginx, uc_rules_nginx },
	{ by_upstream, uc_rules_upstream },    { uc_otherwise, nothing_tells },
};

static const struct uc_rule *find(const struct uc_facts *f)
{
	const struct uc_rule *r = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(sections) && (!r || !r->when); i++) {
		if (!sections[i].guard(f))
			continue;
		for (r = sections[i].rules; r->when && !r->when(f);)
			r++;
	}
	return r;
}

struct uc_verdict uc_verdict(const struct uc_facts *f)
{
	const struct uc_rule *r = find(f);
	struct uc_verdict v;

	v.id = r->id;
	v.proof = r->proof;
	v.confidence = r->id == UC_VERDICT_UNKNOWN ? UC_CONFIDENCE_UNKNOWN : r->confidence;
	v.flagged = uc_verdict_flagged(r->id);
	v.lossy = (f->upstream_missing && r->needs & PEER) || f->log_torn || f->unheard_bytes;
	if (v.confidence == UC_CONFIDENCE_PROVEN && v.lossy)
		v.confidence = UC_CONFIDENCE_LIKELY;
	if (v.confidence == UC_CONFIDENCE_PROVEN && v.id == UC_VERDICT_UPSTREAM_DIED &&
	    f->response_state == UC_RESPONSE_UNKNOWN && f->phase != UC_PHASE_TLS)
		v.confidence = UC_CONFIDENCE_LIKELY;
	if (v.confidence == UC_CONFIDENCE_PROVEN && f->exchange_unseen)
		v.confidence = UC_CONFIDENCE_LIKELY;
	return v;
}

void uc_exit_of(const struct uc_task *t, int *ret_status, int *ret_signal)
{
	*ret_status = -1;
	*ret_signal = -1;
	if (!(t->flags & UC_TASK_EXITING))
		return;
	if (t->exit_code & 0x7f)
		*ret_signal = t->exit_code & 0x7f;
	else
		*ret_status = t->exit_code >> 8 & 0xff;
}
