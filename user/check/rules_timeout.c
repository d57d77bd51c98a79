/* SPDX-License-Identifier: BSD-2-Clause */
/* Timeouts that are shorter than what they are to wait for. */
#include "check/edit.h"
#include "check/rule.h"
#include "core/nginx/route.h"

static const struct uc_timeouts_canary *slowest_canary(const struct uc_judge *j,
						       const struct uc_nginx_place *p)
{
	const struct uc_timeouts_canary *slowest = NULL, *all;
	size_t count;

	all = uc_timeouts_canaries(j->cfg.evidence, &count);
	for (size_t i = 0; i < count; i++)
		if ((!slowest || all[i].ms > slowest->ms) &&
		    uc_nginx_route(uc_nginx_conf_top(j->cfg.conf), p, all[i].port, all[i].host,
				   all[i].path))
			slowest = &all[i];
	return slowest;
}

/* Half as much again as was measured, in this location alone. */
static void lengthen(const struct uc_judge *j, struct uc_finding *f, const struct uc_nginx_place *p,
		     int64_t measured_ms)
{
	const struct uc_nginx_value *v = &p->values[UC_NGINX_READ_TIMEOUT];
	struct uc_edit_line line = uc_edit_time_line(uc_nginx_protocol_name(p->protocol),
						     "read_timeout",
						     (measured_ms * 3 / 2 + 999) / 1000 * 1000);

	uc_rule_say(f->change, "`%s` for this location, or make that request faster", line.s);
	if (v->from && v->from->parent == p->block)
		uc_edit_replace(f, v->from, line.s);
	else
		uc_edit_behind(j->cfg.conf, f, uc_edit_anchor(p), line.s);
}

static void shorter_than_canary(struct uc_judge *j, const struct uc_check_contract *c,
				const struct uc_timeouts_canary *slow)
{
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *v = &p->values[UC_NGINX_READ_TIMEOUT];
	struct uc_finding *f;

	f = uc_rule_found(j, slow->ms >= v->n ? UC_SEVERITY_ERROR : UC_SEVERITY_WARNING,
			  v->from && v->from->parent == p->block ? v->from : p->pass, p, NULL);
	if (!f)
		return;
	uc_rule_say(f->message, "a request here took %s%s to answer, and nginx gives up after %s",
		    slow->gave_up ? "more than " : "", uc_time_text(slow->ms).s,
		    uc_time_text(v->n).s);
	uc_rule_setting_figure(j, f, p, UC_NGINX_READ_TIMEOUT, true);
	uc_rule_figure(f, "upstream", slow->ms, true, "%s through %s",
		       slow->gave_up ? "at least, when nginx gave up" : "measured", slow->url);
	uc_rule_say(
		f->why,
		"a response slower than the timeout is a 504, and the upstream's work is wasted");
	if (slow->gave_up)
		uc_rule_say(f->change, "measure how long it takes with `upclose probe`, and raise "
				       "the timeout above it; or make that request faster");
	else
		lengthen(j, f, p, slow->ms);
}

void uc_rule_timeout_shorter(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_timeouts_canary *slow = slowest_canary(j, c->place);

	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *v = &p->values[UC_NGINX_READ_TIMEOUT];
	const struct uc_timeouts_of *e = c->server ? uc_timeouts_find(j->cfg.evidence, c->server) :
						     NULL;
	struct uc_finding *f;

	if (slow && v->n >= 0 && slow->ms >= v->n * 9 / 10) {
		shorter_than_canary(j, c, slow);
		return;
	}
	/* a response that took longer than the timeout cannot be seen through this location */
	if (!e || v->n < 0 || e->response_ms < v->n * 9 / 10)
		return;
	f = uc_rule_found(j, e->response_ms >= v->n ? UC_SEVERITY_ERROR : UC_SEVERITY_WARNING,
			  v->from ? v->from : p->pass, p, c->server);
	if (!f)
		return;
	uc_rule_say(f->message, "%s needed %s to answer, and nginx gives up after %s",
		    uc_addr_text(c->server).s, uc_time_text(e->response_ms).s,
		    uc_time_text(v->n).s);
	uc_rule_setting_figure(j, f, p, UC_NGINX_READ_TIMEOUT, true);
	uc_rule_figure(f, "upstream", e->response_ms, true, "%s", e->response_source);
	uc_rule_say(
		f->why,
		"a response slower than the timeout is a 504, and the upstream's work is wasted");
	uc_rule_say(f->change,
		    "make that request faster, or raise %s_read_timeout for its location",
		    uc_nginx_protocol_name(p->protocol));
}

/* The value is made shorter where it stands, or set beside what the finding names. */
static void shorten(const struct uc_judge *j, struct uc_finding *f, const struct uc_nginx_place *p,
		    enum uc_nginx_setting s, int64_t ms)
{
	const struct uc_nginx_value *v = &p->values[s], *read = &p->values[UC_NGINX_READ_TIMEOUT];
	struct uc_edit_line line = uc_edit_time_line(uc_nginx_protocol_name(p->protocol),
						     uc_nginx_setting_name(s), ms);

	uc_rule_say(f->change, "%s`%s`", f->change[0] ? " and " : "", line.s);
	if (v->from)
		uc_edit_replace(f, v->from, line.s);
	else
		uc_edit_behind(j->cfg.conf, f, read->from ? read->from : uc_edit_anchor(p), line.s);
}

/* An Upgrade may pass here: its connection is silent for longer than a response takes. */
static bool may_upgrade(const struct uc_nginx_place *p)
{
	enum uc_nginx_connection c = p->headers.connection;

	return p->headers.map || p->headers.some || c == UC_NGINX_CONNECTION_UPGRADE ||
	       c == UC_NGINX_CONNECTION_CLIENT || c == UC_NGINX_CONNECTION_UNKNOWN;
}

/* One attempt stays below the client's time, and so do all of them together. */
static void shorten_chain(const struct uc_judge *j, struct uc_finding *f,
			  const struct uc_nginx_place *p)
{
	int64_t client = j->cfg.client_timeout_ms, connect = p->values[UC_NGINX_CONNECT_TIMEOUT].n,
		read = p->values[UC_NGINX_READ_TIMEOUT].n,
		longest = connect > read ? connect : read;
	bool repeats = uc_contract_attempts(p) > 1 &&
		       p->values[UC_NGINX_NEXT_UPSTREAM].n & UC_NGINX_NEXT_TIMEOUT;
	int64_t one = uc_contract_below(repeats && longest >= client ? client / 2 : client);

	if (read > one)
		shorten(j, f, p, UC_NGINX_READ_TIMEOUT, one);
	if (connect > one)
		shorten(j, f, p, UC_NGINX_CONNECT_TIMEOUT, one);
	longest = longest > one ? one : longest;
	if (repeats)
		shorten(j, f, p, UC_NGINX_NEXT_UPSTREAM_TIMEOUT,
			uc_contract_below(client - longest));
	uc_rule_say(f->change, ", or a longer timeout at the client");
}

/* A request's way: what waits at the client's end must be the longest. */
void uc_rule_timeout_chain(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	int64_t client = j->cfg.client_timeout_ms, wait = uc_contract_longest_wait(p);
	const struct uc_nginx_value *read = &p->values[UC_NGINX_READ_TIMEOUT];
	uint32_t attempts = uc_contract_attempts(p);
	struct uc_finding *f;

	if (client < 0 || wait < 0 || wait < client)
		return;
	f = uc_rule_found(j, UC_SEVERITY_WARNING, read->from ? read->from : p->pass, p, NULL);
	if (!f)
		return;
	uc_rule_say(f->message, "the client gives up after %s, while nginx may wait %s",
		    uc_time_text(client).s, uc_time_text(wait).s);
	if (attempts > 1)
		uc_rule_say(f->message, " (%u attempts)", attempts);
	uc_rule_setting_figure(j, f, p, UC_NGINX_READ_TIMEOUT, true);
	uc_rule_figure(f, "client", client, true, "from --client-timeout");
	uc_rule_say(
		f->why,
		"a slow request ends as 499 in nginx's log, which looks like the client's fault; "
		"timeouts must shrink from the client to the upstream");
	if (!may_upgrade(p))
		shorten_chain(j, f, p);
	else
		uc_rule_say(
			f->change,
			"a location of its own for what upgrades, and a %s_read_timeout below %s for "
			"the rest",
			uc_nginx_protocol_name(p->protocol), uc_time_text(client).s);
}
