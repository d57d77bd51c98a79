/* SPDX-License-Identifier: BSD-2-Clause */
/* What nginx repeats at another server, and what it cannot repeat. */
#include "check/edit.h"
#include "check/rule.h"

#include <stdio.h>

/* How many it would be without a limit. */
static int64_t servers_of(const struct uc_nginx_place *p)
{
	struct uc_nginx_place q = *p;

	q.values[UC_NGINX_NEXT_UPSTREAM_TRIES].n = 0;
	return uc_contract_attempts(&q);
}

void uc_rule_retry_multiplies(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	int64_t next = p->values[UC_NGINX_NEXT_UPSTREAM].n;
	bool answers = next & (UC_NGINX_NEXT_HTTP_5XX | UC_NGINX_NEXT_HTTP_429);
	const struct uc_nginx_value *tries = &p->values[UC_NGINX_NEXT_UPSTREAM_TRIES];
	uint32_t attempts = uc_contract_attempts(p);
	char line[UC_EDIT_TEXT];
	struct uc_finding *f;

	if (tries->n < 0 || (tries->n && tries->n < servers_of(p)) ||
	    p->values[UC_NGINX_NEXT_UPSTREAM_TIMEOUT].n || next < 0 || !answers || attempts < 2)
		return;
	f = uc_rule_found(j, attempts > 2 ? UC_SEVERITY_WARNING : UC_SEVERITY_NOTE,
			  p->values[UC_NGINX_NEXT_UPSTREAM].from, p, NULL);
	if (!f)
		return;
	uc_rule_say(
		f->message,
		"when the application answers with an error, each request is sent to up to %u servers, one "
		"after the other",
		attempts);
	uc_rule_figure(f, "nginx", attempts, false, "servers of upstream %s",
		       uc_group_text(p->group).s);
	uc_rule_setting_figure(j, f, p, UC_NGINX_NEXT_UPSTREAM_TRIES, false);
	uc_rule_say(
		f->why,
		"load grows %u-fold just when the servers fail; retrying on a status does not help with closed connections; the default (error timeout) retries those already",
		attempts);
	/* with two servers a limit of two changes nothing */
	if (attempts == 2) {
		uc_rule_say(f->change, "`%s_next_upstream error timeout;`, the default",
			    uc_nginx_protocol_name(p->protocol));
		return;
	}
	uc_rule_say(f->change, "`%s_next_upstream_tries 2;`, or no http_ reasons",
		    uc_nginx_protocol_name(p->protocol));
	snprintf(line, sizeof(line), "%s_next_upstream_tries 2;",
		 uc_nginx_protocol_name(p->protocol));
	if (tries->from)
		uc_edit_replace(f, tries->from, line);
	else
		uc_edit_behind(j->cfg.conf, f, p->values[UC_NGINX_NEXT_UPSTREAM].from, line);
}

void uc_rule_retry_non_idempotent(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *v = &p->values[UC_NGINX_NEXT_UPSTREAM];
	bool always = uc_nginx_http_version(j->cfg.http) < UC_NGINX_VERSION(1, 9, 13);
	struct uc_finding *f;

	/* without a reason to repeat beside it nothing is repeated */
	if (v->n < 0 || !(v->n & UC_NGINX_NEXT_NON_IDEMPOTENT) || v->n & UC_NGINX_NEXT_OFF ||
	    v->n == UC_NGINX_NEXT_NON_IDEMPOTENT)
		return;
	/* with one server and no pool there is nothing to repeat it on */
	if (uc_contract_attempts(p) < 2 && p->pool != UC_NGINX_POOL_KEPT)
		return;
	f = uc_rule_found(j, UC_SEVERITY_WARNING, v->from ? v->from : p->pass, p, NULL);
	if (!f)
		return;
	uc_rule_say(
		f->message,
		"nginx repeats a POST, LOCK or PATCH that a server may have carried out already");
	uc_rule_setting_figure(j, f, p, UC_NGINX_NEXT_UPSTREAM, false);
	f->figures[0].of = NULL;
	uc_rule_say(f->why, "%s",
		    always ? "before 1.9.13 nginx repeats every method" :
			     "non_idempotent takes away the guard that nginx has since 1.9.13; an "
			     "order may be placed twice");
	if (always)
		uc_rule_say(f->change,
			    "a newer nginx, or %s_next_upstream off for what must not repeat",
			    uc_nginx_protocol_name(p->protocol));
	else
		uc_rule_say(
			f->change,
			"remove non_idempotent, except in locations where repeating is harmless");
	if (!always && v->from)
		uc_edit_drop_word(j->cfg.conf, f, v->from, "non_idempotent");
}

void uc_rule_unbuffered_no_retry(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *v = &p->values[UC_NGINX_REQUEST_BUFFERING];
	bool several = uc_contract_attempts(p) > 1;
	char line[UC_EDIT_TEXT];
	struct uc_finding *f;

	if (v->n || !v->from || !(several || uc_rule_races(c->race)))
		return;
	f = uc_rule_found(j, uc_rule_races(c->race) ? UC_SEVERITY_WARNING : UC_SEVERITY_NOTE,
			  v->from, p, NULL);
	if (!f)
		return;
	uc_rule_say(
		f->message,
		"with request buffering off nginx cannot repeat a request whose body it did not read "
		"together with the header%s",
		several ? "; the further servers do not help there" : "");
	uc_rule_setting_figure(j, f, p, UC_NGINX_REQUEST_BUFFERING, false);
	uc_rule_say(f->why,
		    "a failed upload gets a 502 at once, PUT and DELETE with a body included%s",
		    uc_rule_races(c->race) ?
			    "; the idle race that is possible here makes such failures" :
			    "");
	snprintf(line, sizeof(line), "%s_request_buffering on;",
		 uc_nginx_protocol_name(p->protocol));
	uc_rule_say(
		f->change,
		"`%s`, which keeps a body in memory or on the disk until it is whole; where bodies "
		"must stream, a client that repeats, and a policy that accepts this",
		line);
	uc_edit_replace(f, v->from, line);
}
