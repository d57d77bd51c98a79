/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is wrong by evidence gets a rule, what circulates gets none: a rule's
 * severity is error only where both numbers are known.
 */
#include "check/rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/nginx/streamconf.h"

#define CONTRACTS_MAX (1U << 18)

static const struct uc_rule rules[] = {
	{ "idle-race", UC_SEVERITY_ERROR, uc_rule_idle_race, NULL,
	  "nginx may use an idle connection that the upstream gives up",
	  UC_VERDICT_KEEPALIVE_RACE },
	{ "idle-race-after-upgrade", UC_SEVERITY_ERROR, uc_rule_idle_race_after_upgrade, NULL,
	  "an upgrade of nginx makes the idle race possible", UC_VERDICT_KEEPALIVE_RACE },
	{ "keepalive-not-effective", UC_SEVERITY_WARNING, uc_rule_keepalive_not_effective, NULL,
	  "upstream keep-alive is configured but has no effect", UC_VERDICT_MAX },
	{ "connection-upgrade-always", UC_SEVERITY_WARNING, uc_rule_connection_upgrade_always, NULL,
	  "every request says that it upgrades", UC_VERDICT_MAX },
	{ "retry-multiplies", UC_SEVERITY_WARNING, uc_rule_retry_multiplies, NULL,
	  "retries multiply the load when servers fail", UC_VERDICT_MAX },
	{ "retry-non-idempotent", UC_SEVERITY_WARNING, uc_rule_retry_non_idempotent, NULL,
	  "requests that must not repeat are repeated", UC_VERDICT_MAX },
	{ "unbuffered-no-retry", UC_SEVERITY_WARNING, uc_rule_unbuffered_no_retry, NULL,
	  "request buffering is off, so a failed request is not repeated", UC_VERDICT_MAX },
	{ "timeout-shorter-than-response", UC_SEVERITY_ERROR, uc_rule_timeout_shorter, NULL,
	  "nginx gives up before the upstream answers", UC_VERDICT_NGINX_TIMEOUT },
	{ "timeout-chain", UC_SEVERITY_WARNING, uc_rule_timeout_chain, NULL,
	  "the client gives up before nginx does", UC_VERDICT_CLIENT_GONE },
	{ "balancer-race", UC_SEVERITY_ERROR, uc_rule_balancer_race, NULL,
	  "a balancer may use an idle connection that nginx gives up", UC_VERDICT_MAX },
	{ "header-buffer-small", UC_SEVERITY_WARNING, uc_rule_header_buffer_small, NULL,
	  "the buffer for response headers is small", UC_VERDICT_NGINX_REJECTED_RESPONSE },
	{ "policy-required", UC_SEVERITY_ERROR, uc_rule_policy_required, NULL,
	  "a number is not what the policy requires", UC_VERDICT_MAX },
	{ "no-resolver", UC_SEVERITY_ERROR, uc_rule_no_resolver, NULL,
	  "a variable names a host, and nothing looks it up", UC_VERDICT_MAX },
	{ "resolved-once", UC_SEVERITY_NOTE, NULL, uc_rule_resolved_once,
	  "a host's address is looked up once", UC_VERDICT_MAX },
	{ "upstream-port", UC_SEVERITY_ERROR, uc_rule_upstream_port, NULL,
	  "an upstream{} is named with a port", UC_VERDICT_MAX },
	{ "max-fails", UC_SEVERITY_NOTE, NULL, uc_rule_max_fails,
	  "failures of a server are not counted", UC_VERDICT_MAX },
	{ "no-zone", UC_SEVERITY_NOTE, NULL, uc_rule_no_zone,
	  "workers do not share what they know of servers", UC_VERDICT_MAX },
	{ "websocket-timeout", UC_SEVERITY_NOTE, uc_rule_websocket_timeout, NULL,
	  "an upgraded connection is closed when it is silent", UC_VERDICT_NGINX_TIMEOUT },
	{ "auth-request-body", UC_SEVERITY_WARNING, uc_rule_auth_request_body, NULL,
	  "a request for permission announces a body that it has not", UC_VERDICT_MAX },
	{ "stream-timeout", UC_SEVERITY_NOTE, NULL, uc_rule_stream_timeout,
	  "stream{} closes silent connections", UC_VERDICT_MAX },
	{ "proxy-protocol", UC_SEVERITY_ERROR, NULL, uc_rule_proxy_protocol,
	  "one side speaks the PROXY protocol and the other does not", UC_VERDICT_MAX },
	{ "template", UC_SEVERITY_ERROR, NULL, uc_rule_template,
	  "a template, not a configuration yet", UC_VERDICT_MAX },
	{ "value-invalid", UC_SEVERITY_ERROR, NULL, uc_rule_value_invalid,
	  "a value that nginx does not take", UC_VERDICT_MAX },
};

size_t uc_rules_count(void)
{
	return ARRAY_SIZE(rules);
}

const struct uc_rule *uc_rules_at(size_t i)
{
	return &rules[i];
}

const struct uc_rule *uc_rules_find(const char *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (!strcmp(rules[i].id, id))
			return &rules[i];
	return NULL;
}

static struct uc_check_contract *same_contract(const struct uc_judge *j,
					       const struct uc_check_contract *c)
{
	/* the same way of passing stands close by: this is for the reader, who is spared repeats */
	for (size_t i = j->contract_count; i-- > 0 && j->contract_count - i < 64;) {
		struct uc_check_contract *o = &j->contracts[i];

		if (o->server == c->server && o->place->pool == c->place->pool &&
		    o->place->group == c->place->group &&
		    o->place->protocol == c->place->protocol && c->server &&
		    !memcmp(o->place->values, c->place->values, sizeof(o->place->values)))
			return o;
	}
	return NULL;
}

static int add_contract(struct uc_judge *j, const struct uc_check_contract *c)
{
	if (j->contract_count == CONTRACTS_MAX)
		return -E2BIG;
	if (j->contract_count == j->contract_room) {
		size_t room = j->contract_room ? 2 * j->contract_room : 16;
		struct uc_check_contract *more = reallocarray(j->contracts, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		j->contracts = more;
		j->contract_room = room;
	}
	j->contracts[j->contract_count++] = *c;
	return 0;
}

/* The kinds' times were measured with HTTP/1.1. */
static bool speaks_http_1(const struct uc_nginx_place *p)
{
	return p->protocol == UC_NGINX_PROXY && p->values[UC_NGINX_HTTP_VERSION].n != 20;
}

static int judge_contract(struct uc_judge *j, const struct uc_nginx_place *p,
			  const struct uc_nginx_server *s)
{
	struct uc_check_contract c = { .place = p, .server = s, .places = 1, .idle_source = "" };
	struct uc_check_contract *same;

	if (s)
		c.idle = uc_timeouts_idle(j->cfg.evidence, s, p->group, &c.idle_source);
	if (c.idle.origin == UC_IDLE_KIND && !speaks_http_1(p)) {
		c.idle = (struct uc_idle){ .origin = UC_IDLE_UNKNOWN };
		c.idle_source = "";
	}
	c.race = uc_rule_race(p, &c.idle);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		j->rule = &rules[i];
		if (rules[i].judge)
			rules[i].judge(j, &c);
	}
	if (j->no_memory)
		return -ENOMEM;
	same = same_contract(j, &c);
	if (!same)
		return add_contract(j, &c);
	same->places++;
	return 0;
}

static int judge_place(struct uc_judge *j, const struct uc_nginx_place *p)
{
	size_t count;
	const struct uc_nginx_server *s = uc_nginx_place_servers(p, &count);
	int err = 0;

	if (!count)
		return judge_contract(j, p, NULL);
	for (size_t i = 0; i < count && !err; i++)
		if (!s[i].down)
			err = judge_contract(j, p, &s[i]);
	return err;
}

static void count_recorded(const struct uc_judge *j, struct uc_finding *f)
{
	const struct uc_timeouts_of *e = f->server ? uc_timeouts_find(j->cfg.evidence, f->server) :
						     NULL;

	if (!e || !e->recorded || f->rule->verdict == UC_VERDICT_MAX)
		return;
	f->recorded = true;
	f->happened = e->happened[f->rule->verdict];
}

static int by_place(const void *a, const void *b)
{
	const struct uc_finding *x = a, *y = b;

	if (x->at->file != y->at->file)
		return x->at->file < y->at->file ? -1 : 1;
	if (x->at->start != y->at->start)
		return x->at->start < y->at->start ? -1 : 1;
	return x->rule != y->rule ? (x->rule < y->rule ? -1 : 1) :
				    (x->server > y->server) - (x->server < y->server);
}

/* A race that there is anyway is not the upgrade's, whatever other place it brings it to. */
static void drop_known_races(struct uc_judge *j)
{
	const struct uc_rule *plain = uc_rules_find("idle-race"),
			     *upgrade = uc_rules_find("idle-race-after-upgrade");
	size_t kept = 0;

	for (size_t i = 0; i < j->finding_count; i++) {
		struct uc_finding *f = &j->findings[i];

		if (f->rule != upgrade || !uc_rule_known(j, plain, f->at, f->server))
			j->findings[kept++] = *f;
	}
	j->finding_count = kept;
}

static int judge_whole(struct uc_judge *j)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		j->rule = &rules[i];
		if (rules[i].whole)
			rules[i].whole(j);
	}
	return j->no_memory ? -ENOMEM : 0;
}

int uc_judge_new(const struct uc_judge_config *cfg, struct uc_judge **ret)
{
	struct uc_judge *j = calloc(1, sizeof(*j));
	struct uc_list streams = { 0 };
	int err = 0;

	if (!j)
		return -ENOMEM;
	j->cfg = *cfg;
	for (size_t i = 0; i < uc_nginx_http_places(cfg->http) && !err; i++)
		err = judge_place(j, uc_nginx_http_place(cfg->http, i));
	if (!err)
		err = uc_nginx_streams(cfg->conf, &streams);
	j->streams = streams.at;
	j->stream_count = streams.count;
	if (!err)
		err = judge_whole(j);
	if (err) {
		uc_judge_free(j);
		return err;
	}
	if (cfg->from)
		drop_known_races(j);
	for (size_t i = 0; i < j->finding_count; i++)
		count_recorded(j, &j->findings[i]);
	if (j->finding_count)
		qsort(j->findings, j->finding_count, sizeof(*j->findings), by_place);
	*ret = j;
	return 0;
}

void uc_judge_free(struct uc_judge *j)
{
	if (!j)
		return;
	free((void *)j->streams);
	free(j->contracts);
	free(j->findings);
	free(j);
}

struct uc_finding *uc_judge_findings(struct uc_judge *j, size_t *count)
{
	*count = j->finding_count;
	return j->findings;
}

const struct uc_nginx_stream *uc_judge_streams(const struct uc_judge *j, size_t *count)
{
	*count = j->stream_count;
	return j->streams;
}

size_t uc_judge_left_out(const struct uc_judge *j)
{
	return j->left_out;
}

const struct uc_check_contract *uc_judge_contracts(const struct uc_judge *j, size_t *count)
{
	*count = j->contract_count;
	return j->contracts;
}
