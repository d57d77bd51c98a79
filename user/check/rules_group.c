/* SPDX-License-Identifier: BSD-2-Clause */
/* How a group finds out that a server is down, and shares that. */
#include "check/rule.h"

#include <string.h>

/* The value of "max_fails=0"; -1: not there. */
static int64_t option_of(const struct uc_nginx_directive *d, const char *name)
{
	size_t n = strlen(name);

	for (uint32_t i = 2; i < d->count; i++)
		if (d->words[i].len > n && !memcmp(d->words[i].p, name, n))
			return uc_nginx_size(d->words[i].p + n, d->words[i].len - n);
	return -1;
}

static bool has_option(const struct uc_nginx_directive *d, const char *name)
{
	size_t n = strlen(name);

	for (uint32_t i = 2; i < d->count; i++)
		if (d->words[i].len > n && !memcmp(d->words[i].p, name, n))
			return true;
	return false;
}

static size_t servers_up(const struct uc_nginx_group *g)
{
	size_t up = 0;

	for (size_t i = 0; i < g->server_count; i++)
		up += !g->servers[i].down;
	return up;
}

static void fails_ignored(struct uc_judge *j, const struct uc_nginx_group *g,
			  const struct uc_nginx_server *s)
{
	struct uc_finding *f;

	if (!has_option(s->from, "max_fails=") && !has_option(s->from, "fail_timeout="))
		return;
	f = uc_rule_found(j, UC_SEVERITY_NOTE, s->from, NULL, NULL);
	if (!f)
		return;
	uc_rule_say(f->message,
		    "upstream %s has one server, so that max_fails and fail_timeout do nothing",
		    uc_group_text(g).s);
	uc_rule_say(f->why, "nginx never takes the only server of a group for unavailable");
	uc_rule_say(f->change, "take them out, or add a server");
}

static void fails_not_counted(struct uc_judge *j, const struct uc_nginx_group *g,
			      const struct uc_nginx_server *s)
{
	struct uc_finding *f;

	if (s->down || option_of(s->from, "max_fails=") != 0)
		return;
	f = uc_rule_found(j, UC_SEVERITY_NOTE, s->from, NULL, NULL);
	if (!f)
		return;
	f->cause = g;
	uc_rule_say(f->message,
		    "with max_fails=0 nginx goes on sending requests to %s when it is down",
		    uc_addr_text(s).s);
	uc_rule_say(f->why,
		    "each of them waits for it to fail, up to the connect timeout, before the "
		    "next server has it");
	uc_rule_say(f->change, "take max_fails=0 out: the default is one failure in 10 s");
}

void uc_rule_max_fails(struct uc_judge *j)
{
	for (size_t i = 0; i < uc_nginx_http_groups(j->cfg.http); i++) {
		const struct uc_nginx_group *g = uc_nginx_http_group(j->cfg.http, i);

		if (g->unread)
			continue;
		if (servers_up(g) == 1 && g->server_count == 1)
			fails_ignored(j, g, &g->servers[0]);
		for (size_t k = 0; k < g->server_count && servers_up(g) > 1; k++)
			fails_not_counted(j, g, &g->servers[k]);
	}
}

/* --- zone ---------------------------------------------------------------------------------- */

/* The directive in the main part, and whether that says that there are several. */
static const struct uc_nginx_directive *several_workers(const struct uc_judge *j)
{
	const struct uc_nginx_directive *d = uc_nginx_conf_top(j->cfg.conf);

	for (; d; d = d->next)
		if (uc_nginx_named(d, "worker_processes") && d->count == 2)
			return uc_nginx_word_is(&d->words[1], "auto") ||
					       uc_nginx_size(d->words[1].p, d->words[1].len) > 1 ?
				       d :
				       NULL;
	return NULL;
}

static bool has_zone(const struct uc_nginx_group *g)
{
	for (const struct uc_nginx_directive *d = g->block->child; d; d = d->next)
		if (uc_nginx_named(d, "zone"))
			return true;
	return false;
}

void uc_rule_no_zone(struct uc_judge *j)
{
	const struct uc_nginx_directive *workers = several_workers(j);

	for (size_t i = 0; i < uc_nginx_http_groups(j->cfg.http) && workers; i++) {
		const struct uc_nginx_group *g = uc_nginx_http_group(j->cfg.http, i);
		struct uc_finding *f;

		if (g->unread || servers_up(g) < 2 || has_zone(g))
			continue;
		f = uc_rule_found(j, UC_SEVERITY_NOTE, g->block, NULL, NULL);
		if (!f)
			continue;
		f->cause = j->rule;
		uc_rule_say(
			f->message,
			"upstream %s has no zone: each worker balances and counts failures by itself",
			uc_group_text(g).s);
		uc_rule_say(f->why,
			    "with several workers (%s) each has to find out by failures of its own "
			    "that a server is down, and limits such as max_conns hold for each",
			    uc_place_text(j, workers).s);
		uc_rule_say(f->change, "`zone %s 64k;` in upstream{}", uc_group_text(g).s);
	}
}
