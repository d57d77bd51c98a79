/* SPDX-License-Identifier: BSD-2-Clause */
/* Races of an idle connection: with the upstream, and with a balancer before nginx. */
#include "check/edit.h"
#include "check/rule.h"

#include <stdio.h>

static const struct uc_nginx_directive *pool_anchor(const struct uc_nginx_group *g)
{
	return g->timeout.from ? g->timeout.from : g->keepalive.from ? g->keepalive.from : g->block;
}

/* Of all servers of the group: one keepalive_timeout serves them all. */
static int64_t shortest_idle(const struct uc_judge *j, const struct uc_nginx_group *g)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < g->server_count; i++) {
		const char *source;
		struct uc_idle idle = uc_timeouts_idle(j->cfg.evidence, &g->servers[i], g, &source);

		if (!g->servers[i].down && idle.origin && !idle.at_least && idle.min_ms > 0 &&
		    idle.min_ms < least)
			least = idle.min_ms;
	}
	return least;
}

static bool has_upstream_timeout(const struct uc_judge *j)
{
	return uc_nginx_http_version(j->cfg.http) >= UC_NGINX_VERSION(1, 15, 3);
}

static void shorten_pool(const struct uc_judge *j, struct uc_finding *f,
			 const struct uc_nginx_group *g)
{
	int64_t below = uc_contract_below(shortest_idle(j, g));
	struct uc_edit_line line = uc_edit_time_line("", "keepalive_timeout", below);

	if (!has_upstream_timeout(j)) {
		uc_rule_say(
			f->change,
			"raise the upstream's idle timeout, or remove `keepalive`: this version of nginx "
			"has no keepalive_timeout for upstreams (1.15.3)");
		return;
	}
	uc_rule_say(f->change, "`%s` in upstream %s, or raise the upstream's idle timeout above %s",
		    line.s, uc_group_text(g).s, uc_time_text(g->timeout.n).s);
	if (g->timeout.from)
		uc_edit_replace(f, g->timeout.from, line.s);
	else if (g->keepalive.from)
		uc_edit_behind(j->cfg.conf, f, g->keepalive.from, line.s);
	else
		uc_edit_last(j->cfg.conf, f, g->block, line.s);
}

static void explain_race(const struct uc_judge *j, struct uc_finding *f,
			 const struct uc_check_contract *c)
{
	const struct uc_nginx_group *g = c->place->group;
	int64_t next = c->place->values[UC_NGINX_NEXT_UPSTREAM].n;
	const char *protocol = uc_nginx_protocol_name(c->place->protocol);

	uc_rule_nginx_figure(j, f, &g->timeout, "keepalive_timeout of upstream{}", true);
	uc_rule_figure(f, "upstream", c->idle.ms, true, "%s", c->idle_source);
	uc_rule_say(f->why,
		    "a request that nginx sends just as the upstream closes is lost; nginx ");
	if (next < 0)
		uc_rule_say(f->why, "may repeat it or not: %s_next_upstream could not be read",
			    protocol);
	else if (next & UC_NGINX_NEXT_OFF || !(next & UC_NGINX_NEXT_ERROR))
		uc_rule_say(f->why,
			    "does not repeat it here (%s_next_upstream), so its client gets a 502",
			    protocol);
	else
		uc_rule_say(f->why,
			    "repeats it where it may, but a POST, LOCK or PATCH gets a 502");
	if (c->place->shares)
		uc_rule_say(f->why,
			    "; this location closes its own connections and still takes those that "
			    "others left idle");
	if (!g->timeout.from && c->place->client_keepalive.from)
		uc_rule_say(f->why,
			    "; the keepalive_timeout at %s is for clients, not for upstreams",
			    uc_place_text(j, c->place->client_keepalive.from).s);
	shorten_pool(j, f, g);
}

/* "6 s", or "6 s (5.95 s was seen)" where a race begins sooner than the timeout says */
static struct uc_rule_text upstream_text(const struct uc_check_contract *c)
{
	struct uc_rule_text t;

	snprintf(t.s, sizeof(t.s), c->idle.min_ms < c->idle.ms ? "%s (%s was seen)" : "%s",
		 uc_time_text(c->idle.ms).s, uc_time_text(c->idle.min_ms).s);
	return t;
}

static enum uc_race race_before(const struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *now = uc_nginx_http_place(j->cfg.http, 0), *before;

	before = uc_nginx_http_place(j->cfg.from, c->place - now);
	return uc_rule_race(before, &c->idle);
}

static bool endless(const struct uc_check_contract *c)
{
	return uc_contract_nginx_idle(c->place) == UC_NGINX_NEVER;
}

void uc_rule_idle_race(struct uc_judge *j, const struct uc_check_contract *c)
{
	struct uc_finding *f;

	if (!uc_rule_races(c->race) || (j->cfg.from && !uc_rule_races(race_before(j, c))))
		return;
	f = uc_rule_found(j, c->race == UC_RACE_POSSIBLE ? UC_SEVERITY_ERROR : UC_SEVERITY_WARNING,
			  pool_anchor(c->place->group), c->place, c->server);
	if (!f)
		return;
	if (c->race == UC_RACE_POSSIBLE)
		uc_rule_say(
			f->message,
			"nginx may use an idle connection to %s%s %s, and the upstream closes it after %s",
			uc_addr_text(c->server).s, endless(c) ? "" : " for",
			uc_time_text(uc_contract_nginx_idle(c->place)).s, upstream_text(c).s);
	else
		uc_rule_say(
			f->message,
			"nginx closes an idle connection to %s after %s, only just before the upstream does "
			"after %s: a busy worker or network delay is enough to lose a request",
			uc_addr_text(c->server).s, uc_time_text(uc_contract_nginx_idle(c->place)).s,
			upstream_text(c).s);
	explain_race(j, f, c);
}

void uc_rule_idle_race_after_upgrade(struct uc_judge *j, const struct uc_check_contract *c)
{
	bool known_race = uc_rule_races(c->race);
	enum uc_race before;
	struct uc_finding *f;

	if (!j->cfg.from || c->place->pool != UC_NGINX_POOL_KEPT || !c->server)
		return;
	before = race_before(j, c);
	if (before != UC_RACE_NONE || (!known_race && c->race != UC_RACE_UNKNOWN))
		return;
	f = uc_rule_found(j, c->race == UC_RACE_POSSIBLE ? UC_SEVERITY_ERROR : UC_SEVERITY_WARNING,
			  pool_anchor(c->place->group), c->place, c->server);
	if (!f)
		return;
	uc_rule_say(
		f->message,
		"%s uses a connection to %s once, %s keeps it idle for %s, and the upstream closes it %s%s",
		uc_version_text(uc_nginx_http_version(j->cfg.from)).s, uc_addr_text(c->server).s,
		uc_version_text(uc_nginx_http_version(j->cfg.http)).s,
		uc_time_text(uc_contract_nginx_idle(c->place)).s,
		c->idle.origin ? "after " : "after a time that is not known",
		c->idle.origin ? upstream_text(c).s : "");
	if (known_race) {
		explain_race(j, f, c);
		return;
	}
	uc_rule_nginx_figure(j, f, &c->place->group->timeout, "keepalive_timeout of upstream{}",
			     true);
	uc_rule_figure(f, "upstream", UC_NGINX_UNKNOWN, true, "not known");
	uc_rule_say(f->why,
		    "since 1.29.7 nginx keeps connections to an upstream{} alive by default, and a "
		    "request that it sends just as the upstream closes is lost");
	uc_rule_say(
		f->change,
		"state the upstream's idle timeout: measure it with `upclose probe`, or --upstream %s=SECONDS, "
		"or --kind %s=KIND; `keepalive 0;` in upstream %s restores the behaviour before 1.29.7",
		uc_addr_text(c->server).s, uc_addr_text(c->server).s,
		uc_group_text(c->place->group).s);
}

void uc_rule_keep_clear_of_race(const struct uc_judge *j, struct uc_finding *f,
				const struct uc_nginx_place *p)
{
	int64_t least = shortest_idle(j, p->group);

	if (least == INT64_MAX)
		uc_rule_say(
			f->change,
			"; then nginx's keepalive_timeout (%s) must stay below the upstream's idle timeout, "
			"which is not known here",
			uc_time_text(p->group->timeout.n).s);
	else if (p->group->timeout.n > least - uc_contract_margin(least) ||
		 p->group->timeout.n == UC_NGINX_NEVER) {
		uc_rule_say(f->change, "; and against the race that this would bring, ");
		shorten_pool(j, f, p->group);
		/* nothing in such a configuration could mend it */
		if (!has_upstream_timeout(j))
			f->edit_count = 0;
	}
}

/* The same race, one hop nearer to the client: there nginx is the one that closes. */
void uc_rule_balancer_race(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_value *v = &c->place->client_keepalive;
	int64_t balancer = j->cfg.balancer_idle_ms;
	struct uc_finding *f;
	char line[64];

	/* 0 closes after each response and says so */
	if (balancer < 0 || v->n <= 0 || v->n > balancer)
		return;
	f = uc_rule_found(j, UC_SEVERITY_ERROR,
			  v->from          ? v->from :
			  c->place->server ? c->place->server :
					     c->place->pass,
			  c->place, NULL);
	if (!f)
		return;
	uc_rule_say(
		f->message,
		"nginx closes a client's idle connection after %s, and the balancer before it uses one for %s",
		uc_time_text(v->n).s, uc_time_text(balancer).s);
	uc_rule_nginx_figure(j, f, v, "keepalive_timeout", true);
	uc_rule_figure(f, "client", balancer, true, "from --balancer-idle");
	uc_rule_say(
		f->why,
		"a request that the balancer sends just as nginx closes is a 502 that no log of nginx has");
	snprintf(line, sizeof(line), "keepalive_timeout %llds;",
		 (long long)(balancer + 10999) / 1000);
	uc_rule_say(f->change, "`%s` for this server, above the balancer's", line);
	if (v->from)
		uc_edit_replace(f, v->from, line);
	else if (c->place->server)
		uc_edit_first(j->cfg.conf, f, c->place->server, line);
}
