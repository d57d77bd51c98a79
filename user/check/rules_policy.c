/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers that a policy requires. */
#include "check/rule.h"

static void require_below(struct uc_judge *j, const struct uc_check_contract *c,
			  const struct uc_nginx_value *v, const char *what, int64_t max, bool time)
{
	struct uc_finding *f;

	if (max < 0 || v->n == UC_NGINX_UNKNOWN || (v->n >= 0 && v->n <= max))
		return;
	f = uc_rule_found(j, UC_SEVERITY_ERROR, v->from ? v->from : c->place->pass, c->place, NULL);
	if (!f)
		return;
	uc_rule_say(f->message, "%s is %s, and the policy allows at most %s", what,
		    uc_time_text(v->n).s, uc_time_text(max).s);
	uc_rule_nginx_figure(j, f, v, what, time);
	uc_rule_figure(f, "policy", max, time, "the policy");
}

static void require_idle_known(struct uc_judge *j, const struct uc_check_contract *c)
{
	struct uc_finding *f;

	if (c->place->pool != UC_NGINX_POOL_KEPT || c->idle.origin || !c->server)
		return;
	f = uc_rule_found(j, UC_SEVERITY_ERROR, c->server->from, c->place, c->server);
	if (!f)
		return;
	uc_rule_say(f->message,
		    "the policy wants the idle timeout of %s to be known, and it is not",
		    uc_addr_text(c->server).s);
	uc_rule_say(f->change,
		    "measure it with `upclose probe`, or --upstream %s=SECONDS, or --kind %s=KIND",
		    uc_addr_text(c->server).s, uc_addr_text(c->server).s);
}

void uc_rule_policy_required(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_requirements *q = &j->cfg.require;
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *read = &p->values[UC_NGINX_READ_TIMEOUT];
	struct uc_finding *f;

	if (p->pool == UC_NGINX_POOL_KEPT)
		require_below(j, c, &p->group->timeout, "keepalive_timeout of upstream{}",
			      q->upstream_keepalive_timeout_max, true);
	require_below(j, c, read, "read_timeout", q->read_timeout_max, true);
	require_below(j, c, &p->values[UC_NGINX_CONNECT_TIMEOUT], "connect_timeout",
		      q->connect_timeout_max, true);
	if (q->upstream_idle_known)
		require_idle_known(j, c);
	if (q->read_timeout_min >= 0 && read->n >= 0 && read->n < q->read_timeout_min) {
		f = uc_rule_found(j, UC_SEVERITY_ERROR, read->from ? read->from : p->pass, p, NULL);
		if (f)
			uc_rule_say(f->message,
				    "read_timeout is %s, and the policy wants at least %s",
				    uc_time_text(read->n).s, uc_time_text(q->read_timeout_min).s);
	}
	if (q->attempts_max >= 0 && uc_contract_attempts(p) > q->attempts_max) {
		f = uc_rule_found(j, UC_SEVERITY_ERROR, p->pass, p, NULL);
		if (f)
			uc_rule_say(
				f->message,
				"a request may be sent to %u servers, and the policy allows %lld",
				uc_contract_attempts(p), (long long)q->attempts_max);
	}
}
