/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct uc_rule_text uc_time_text(int64_t ms)
{
	struct uc_rule_text t = { "" };

	uc_check_time(ms, t.s, sizeof(t.s));
	return t;
}

struct uc_rule_text uc_addr_text(const struct uc_nginx_server *s)
{
	struct uc_rule_text t = { "" };

	uc_timeouts_addr(s, t.s);
	return t;
}

struct uc_rule_text uc_group_text(const struct uc_nginx_group *g)
{
	struct uc_rule_text t = { "" };

	uc_text_escape(g->name.p, g->name.len, t.s, sizeof(t.s));
	return t;
}

struct uc_rule_text uc_place_text(const struct uc_judge *j, const struct uc_nginx_directive *d)
{
	struct uc_rule_text t = { "" };

	uc_check_place(j->cfg.conf, d, t.s, sizeof(t.s));
	return t;
}

struct uc_rule_text uc_version_text(uint32_t version)
{
	struct uc_rule_text t = { "" };

	uc_check_version(version, t.s, sizeof(t.s));
	return t;
}

struct uc_finding *uc_rule_known(struct uc_judge *j, const struct uc_rule *rule,
				 const struct uc_nginx_directive *at,
				 const struct uc_nginx_server *server)
{
	for (size_t i = 0; i < j->finding_count; i++) {
		struct uc_finding *f = &j->findings[i];

		if (f->rule == rule && f->at == at &&
		    (server ? server->from : NULL) == (f->server ? f->server->from : NULL))
			return f;
	}
	return NULL;
}

struct uc_finding *uc_rule_first(struct uc_judge *j)
{
	for (size_t i = 0; i < j->finding_count; i++)
		if (j->findings[i].rule == j->rule)
			return &j->findings[i];
	return NULL;
}

static bool grow(struct uc_judge *j)
{
	size_t room = j->finding_room ? 2 * j->finding_room : 16;
	struct uc_finding *more;

	if (j->finding_count < j->finding_room)
		return true;
	more = reallocarray(j->findings, room, sizeof(*more));
	if (!more)
		return false;
	j->findings = more;
	j->finding_room = room;
	return true;
}

struct uc_finding *uc_rule_found(struct uc_judge *j, enum uc_severity severity,
				 const struct uc_nginx_directive *at,
				 const struct uc_nginx_place *place,
				 const struct uc_nginx_server *server)
{
	struct uc_finding *f = uc_rule_known(j, j->rule, at, server);

	if (f) {
		uc_rule_also(f, place);
		return NULL;
	}
	if (j->finding_count == UC_FINDINGS_MAX) {
		j->left_out++;
		return NULL;
	}
	if (!grow(j)) {
		j->no_memory = true;
		return NULL;
	}
	f = &j->findings[j->finding_count++];
	*f = (struct uc_finding){ .rule = j->rule,
				  .severity = severity,
				  .at = at,
				  .place = place,
				  .last = place,
				  .server = server,
				  .places = 1 };
	return f;
}

void uc_rule_say(char text[UC_FINDING_TEXT], const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + used, UC_FINDING_TEXT - used, fmt, args);
	va_end(args);
}

void uc_rule_figure(struct uc_finding *f, const char *of, int64_t n, bool time, const char *fmt,
		    ...)
{
	struct uc_figure *to = &f->figures[f->figures[0].of ? 1 : 0];
	va_list args;

	*to = (struct uc_figure){ .of = of, .n = n, .time = time };
	va_start(args, fmt);
	vsnprintf(to->source, sizeof(to->source), fmt, args);
	va_end(args);
}

void uc_rule_nginx_figure(const struct uc_judge *j, struct uc_finding *f,
			  const struct uc_nginx_value *v, const char *what, bool time)
{
	if (v->from)
		uc_rule_figure(f, "nginx", v->n, time, "%s at %s", what,
			       uc_place_text(j, v->from).s);
	else
		uc_rule_figure(f, "nginx", v->n, time, "%s by default in %s", what,
			       uc_version_text(uc_nginx_http_version(j->cfg.http)).s);
}

void uc_rule_setting_figure(const struct uc_judge *j, struct uc_finding *f,
			    const struct uc_nginx_place *p, enum uc_nginx_setting s, bool time)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%s", uc_nginx_protocol_name(p->protocol),
		 uc_nginx_setting_name(s));
	uc_rule_nginx_figure(j, f, &p->values[s], name, time);
}

struct uc_edit_line uc_edit_time_line(const char *prefix, const char *name, int64_t ms)
{
	bool whole = ms % 1000 == 0;
	struct uc_edit_line l;

	snprintf(l.s, sizeof(l.s), "%s%s%s %lld%s;", prefix, *prefix ? "_" : "", name,
		 (long long)(whole ? ms / 1000 : ms), whole ? "s" : "ms");
	return l;
}

enum uc_race uc_rule_race(const struct uc_nginx_place *p, const struct uc_idle *idle)
{
	return uc_contract_race(p->shares ? UC_NGINX_POOL_KEPT : p->pool, uc_contract_nginx_idle(p),
				idle);
}

bool uc_rule_races(enum uc_race r)
{
	return r == UC_RACE_POSSIBLE || r == UC_RACE_NARROW;
}
