/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of hosts: who looks them up, and when. */
#include "check/rule.h"

#include <string.h>

#include "base/text.h"
#include "core/nginx/target.h"

/* nginx finds what another place names as it is, without a resolver. */
static bool named_elsewhere(const struct uc_judge *j, const struct uc_nginx_place *p)
{
	for (size_t i = 0; i < uc_nginx_http_places(j->cfg.http); i++) {
		const struct uc_nginx_place *o = uc_nginx_http_place(j->cfg.http, i);

		if (!o->by_variable && !o->group && o->direct.at.port == p->direct.at.port &&
		    o->direct.at.host.len == p->direct.at.host.len &&
		    !strncasecmp(o->direct.at.host.p, p->direct.at.host.p, p->direct.at.host.len))
			return true;
	}
	return false;
}

static bool lacks_resolver(const struct uc_judge *j, const struct uc_nginx_place *p)
{
	return p->by_variable && !p->group && !p->maybe_group && !p->resolver &&
	       uc_nginx_http_whole(j->cfg.http) && uc_nginx_authority_named(&p->target) &&
	       (p->variable || !named_elsewhere(j, p));
}

void uc_rule_no_resolver(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	struct uc_rule_text target = { "" };
	struct uc_finding *f;

	if (!lacks_resolver(j, p))
		return;
	f = uc_rule_found(j, UC_SEVERITY_ERROR, p->pass, p, NULL);
	if (!f)
		return;
	f->cause = j->rule;
	uc_text_escape(p->target.p, p->target.len, target.s, sizeof(target.s));
	uc_rule_say(f->message,
		    "%s_pass names the host %s by a variable, and no resolver is in force: each "
		    "request is a 502",
		    uc_nginx_protocol_name(p->protocol), target.s);
	uc_rule_say(
		f->why,
		"nginx looks such a name up for each request, by a resolver of its own and not by "
		"the system's; its error log has \"no resolver defined to resolve\"");
	uc_rule_say(f->change, "`resolver ADDRESS;` in http{}, such as the nameserver of "
			       "/etc/resolv.conf (Docker's is 127.0.0.11)");
}

/* --- looked up once ------------------------------------------------------------------------ */

static bool looked_up_once(const struct uc_nginx_server *s)
{
	const struct uc_nginx_word *host = &s->at.host;

	if (s->at.unix_socket || s->down || !uc_nginx_authority_named(host) ||
	    memchr(host->p, ':', host->len) || memchr(host->p, '$', host->len) ||
	    uc_nginx_word_is(host, "localhost"))
		return false;
	for (uint32_t i = 2; i < s->from->count; i++)
		if (uc_nginx_word_is(&s->from->words[i], "resolve"))
			return false;
	return true;
}

static void tell_once(struct uc_judge *j, struct uc_finding *f)
{
	uc_rule_say(f->why,
		    "nginx looks a name up when it reads its configuration; after a change of "
		    "address its requests go to the old one until a reload");
	if (uc_nginx_http_version(j->cfg.http) >= UC_NGINX_VERSION(1, 27, 3))
		uc_rule_say(
			f->change,
			"where addresses change: `zone NAME 64k;`, `resolver ADDRESS;` and `server HOST "
			"resolve;` in upstream{}");
	else
		uc_rule_say(
			f->change,
			"where addresses change: reload nginx then, or nginx 1.27.3 with `server HOST "
			"resolve;`; a variable in proxy_pass with a resolver is never kept alive");
}

/* All of them are one finding, at the first, and it names some. */
static void found_once(struct uc_judge *j, const struct uc_nginx_server *s,
		       const struct uc_nginx_place *p)
{
	struct uc_finding *f = uc_rule_first(j);
	struct uc_rule_text name = { "" };

	uc_text_escape(s->at.host.p, s->at.host.len, name.s, sizeof(name.s));
	if (!f) {
		f = uc_rule_found(j, UC_SEVERITY_NOTE, s->from, p, NULL);
		if (!f)
			return;
		uc_rule_say(f->message, "looked up once, when nginx starts: %s", name.s);
		tell_once(j, f);
	} else if (!strstr(f->message, name.s)) {
		f->places++;
		if (f->places < 5)
			uc_rule_say(f->message, ", %s", name.s);
		else if (f->places == 5)
			uc_rule_say(f->message, " and others");
	}
}

void uc_rule_resolved_once(struct uc_judge *j)
{
	const struct uc_nginx_http *h = j->cfg.http;

	for (size_t i = 0; i < uc_nginx_http_groups(h); i++) {
		const struct uc_nginx_group *g = uc_nginx_http_group(h, i);

		for (size_t k = 0; k < g->server_count; k++)
			if (looked_up_once(&g->servers[k]))
				found_once(j, &g->servers[k], NULL);
	}
	for (size_t i = 0; i < uc_nginx_http_places(h); i++) {
		const struct uc_nginx_place *p = uc_nginx_http_place(h, i);

		if (!p->group && !p->variable && !p->by_variable && !p->maybe_group &&
		    looked_up_once(&p->direct))
			found_once(j, &p->direct, p);
	}
}

/* --- an upstream{} with a port ------------------------------------------------------------- */

void uc_rule_upstream_port(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	struct uc_rule_text name = { "" };
	struct uc_finding *f;

	if (p->group || p->by_variable || p->direct.at.unix_socket ||
	    !uc_nginx_http_find(j->cfg.http, &p->direct.at.host))
		return;
	f = uc_rule_found(j, UC_SEVERITY_ERROR, p->pass, p, NULL);
	if (!f)
		return;
	uc_text_escape(p->direct.at.host.p, p->direct.at.host.len, name.s, sizeof(name.s));
	uc_rule_say(f->message,
		    "upstream %s is named with a port, and nginx does not start with it", name.s);
	uc_rule_say(f->why, "the ports are those of its servers: \"upstream may not have port\"");
	uc_rule_say(f->change, "its name alone, or another name for the upstream{}");
}
