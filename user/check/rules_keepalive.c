/* SPDX-License-Identifier: BSD-2-Clause */
/* Keep-alive to the upstream that is configured and has no effect. */
#include "base/text.h"
#include "check/edit.h"
#include "check/rule.h"

/* Where the proxy_set_header in force stand: a level's own list replaces that of the levels above. */
static void clear_connection(const struct uc_judge *j, struct uc_finding *f,
			     const struct uc_nginx_place *p)
{
	const struct uc_nginx_headers *h = &p->headers;

	if (h->map_entry)
		uc_edit_replace_word(j->cfg.conf, f, h->map_entry, 1, "''");
	else if (h->from)
		uc_edit_replace(f, h->from, "proxy_set_header Connection \"\";");
	else if (h->first)
		uc_edit_behind(j->cfg.conf, f, h->first, "proxy_set_header Connection \"\";");
	else
		uc_edit_behind(j->cfg.conf, f, uc_edit_anchor(p),
			       "proxy_set_header Connection \"\";");
}

static void speak_http_1_1(const struct uc_judge *j, struct uc_finding *f,
			   const struct uc_nginx_place *p)
{
	const struct uc_nginx_value *v = &p->values[UC_NGINX_HTTP_VERSION];

	if (v->n != 10)
		return;
	if (v->from)
		uc_edit_replace(f, v->from, "proxy_http_version 1.1;");
	else
		uc_edit_behind(j->cfg.conf, f, uc_edit_anchor(p), "proxy_http_version 1.1;");
}

/* The second of its numbers, and what makes it 0. */
static void kept_none(const struct uc_judge *j, struct uc_finding *f,
		      const struct uc_nginx_place *p)
{
	const struct uc_nginx_headers *h = &p->headers;
	const struct uc_nginx_value none = { 0, p->values[UC_NGINX_HTTP_VERSION].from };

	if (p->pool != UC_NGINX_POOL_CLOSE)
		uc_rule_nginx_figure(j, f, &none, "of them kept: proxy_http_version", false);
	else if (h->from)
		uc_rule_figure(f, "nginx", 0, false, "of them kept: proxy_set_header at %s",
			       uc_place_text(j, h->from).s);
	else if (h->first)
		uc_rule_figure(f, "nginx", 0, false,
			       "of them kept: no Connection in the proxy_set_header from %s",
			       uc_place_text(j, h->first).s);
	else
		uc_rule_figure(f, "nginx", 0, false,
			       "of them kept: no proxy_set_header Connection");
}

static void keepalive_closed(struct uc_judge *j, const struct uc_nginx_place *p)
{
	const struct uc_nginx_headers *h = &p->headers;
	bool old = p->values[UC_NGINX_HTTP_VERSION].n == 10;
	struct uc_finding *f = uc_rule_found(j, UC_SEVERITY_WARNING,
					     h->map_entry ? h->map_entry :
					     h->from      ? h->from :
							    p->pass,
					     p, NULL);

	if (!f)
		return;
	uc_rule_say(
		f->message,
		"upstream %s has `keepalive`, but no connection is kept alive: this location sends ",
		uc_group_text(p->group).s);
	if (p->pool == UC_NGINX_POOL_CLOSE)
		uc_rule_say(f->message, "\"Connection: close\"%s%s",
			    old ? " and speaks HTTP/1.0" : "",
			    h->map_entry ? " on requests without Upgrade" : "");
	else
		uc_rule_say(f->message, "HTTP/1.0 without \"Connection: keep-alive\"");
	uc_rule_figure(f, "nginx", p->group->keepalive.n, false,
		       "idle connections: keepalive at %s",
		       uc_place_text(j, p->group->keepalive.from).s);
	kept_none(j, f, p);
	uc_rule_say(
		f->why, "%s%s",
		p->shares ?
			"its requests take connections that other locations left in the pool, and "
			"close them" :
			"each request opens a connection of its own, so the pool is never used",
		h->from ?
			"" :
			"; without a proxy_set_header Connection in force nginx before 1.29.7 sends "
			"\"Connection: close\"");
	uc_rule_say(f->change, "%s%s%s", old ? "`proxy_http_version 1.1;`" : "",
		    old && p->pool == UC_NGINX_POOL_CLOSE ? " and " : "",
		    p->pool != UC_NGINX_POOL_CLOSE ? "" :
		    h->map_entry                   ? "'' in place of close in the map" :
						     "`proxy_set_header Connection \"\";`");
	if (p->pool == UC_NGINX_POOL_CLOSE)
		clear_connection(j, f, p);
	speak_http_1_1(j, f, p);
	uc_rule_keep_clear_of_race(j, f, p);
}

static void keepalive_fastcgi(struct uc_judge *j, const struct uc_nginx_place *p)
{
	struct uc_finding *f = uc_rule_found(j, UC_SEVERITY_WARNING, p->pass, p, NULL);

	if (!f)
		return;
	uc_rule_say(
		f->message,
		"upstream %s has `keepalive`, but fastcgi_keep_conn is off: the application closes each "
		"connection",
		uc_group_text(p->group).s);
	uc_rule_setting_figure(j, f, p, UC_NGINX_KEEP_CONN, false);
	uc_rule_say(f->why,
		    "FastCGI keeps a connection only where nginx asks for it in each request");
	uc_rule_say(f->change, "`fastcgi_keep_conn on;`");
	if (p->values[UC_NGINX_KEEP_CONN].from)
		uc_edit_replace(f, p->values[UC_NGINX_KEEP_CONN].from, "fastcgi_keep_conn on;");
	else
		uc_edit_behind(j->cfg.conf, f, uc_edit_anchor(p), "fastcgi_keep_conn on;");
	uc_rule_keep_clear_of_race(j, f, p);
}

/* The two change places, so that nothing else of the upstream{} does. */
static void keepalive_overridden(struct uc_judge *j, const struct uc_nginx_place *p)
{
	const struct uc_nginx_directive *method = p->group->overrides,
					*keepalive = p->group->keepalive.from;
	struct uc_finding *f = uc_rule_found(j, UC_SEVERITY_WARNING, method, p, NULL);
	struct uc_rule_text name = { "" }, first, last;

	if (!f)
		return;
	uc_text_escape(method->words[0].p, method->words[0].len, name.s, sizeof(name.s));
	uc_rule_say(
		f->message,
		"upstream %s has `keepalive`, but no connection is kept alive: `%s` behind it takes its place",
		uc_group_text(p->group).s, name.s);
	uc_rule_figure(f, "nginx", p->group->keepalive.n, false,
		       "idle connections: keepalive at %s", uc_place_text(j, keepalive).s);
	uc_rule_figure(f, "nginx", 0, false, "of them kept: %s at %s", name.s,
		       uc_place_text(j, method).s);
	uc_rule_say(
		f->why,
		"before 1.29.7 nginx uses what stands last of the two, and warns at its start of a "
		"\"load balancing method redefined\"");
	uc_rule_say(f->change, "`keepalive` behind `%s`", name.s);
	if (uc_edit_text(j->cfg.conf, method, first.s, sizeof(first.s)) &&
	    uc_edit_text(j->cfg.conf, keepalive, last.s, sizeof(last.s))) {
		uc_edit_replace(f, keepalive, first.s);
		uc_edit_replace(f, method, last.s);
	}
	uc_rule_keep_clear_of_race(j, f, p);
}

static void keepalive_of_protocol(struct uc_judge *j, const struct uc_nginx_place *p)
{
	struct uc_finding *f = uc_rule_found(j, UC_SEVERITY_WARNING, p->pass, p, NULL);
	const char *protocol = uc_nginx_protocol_name(p->protocol);

	if (!f)
		return;
	uc_rule_say(f->message,
		    "upstream %s has `keepalive`, but nginx keeps no connection of %s_pass",
		    uc_group_text(p->group).s, protocol);
	uc_rule_figure(f, "nginx", p->group->keepalive.n, false,
		       "idle connections: keepalive at %s",
		       uc_place_text(j, p->group->keepalive.from).s);
	uc_rule_say(f->why,
		    "each request opens a connection of its own, which is safe from the idle race");
	uc_rule_say(
		f->change,
		"remove `keepalive`; to reuse connections, serve the application over HTTP and use "
		"proxy_pass");
}

static void keepalive_without_group(struct uc_judge *j, const struct uc_nginx_place *p)
{
	struct uc_finding *f;

	/* only where somebody has asked for it in so many words */
	if (p->protocol != UC_NGINX_PROXY || !p->headers.from ||
	    p->headers.connection != UC_NGINX_CONNECTION_NONE || p->headers.map)
		return;
	f = uc_rule_found(j, UC_SEVERITY_NOTE, p->pass, p, NULL);
	if (!f)
		return;
	uc_rule_say(
		f->message,
		"\"Connection\" is cleared for keep-alive, but proxy_pass names %s itself: nginx keeps "
		"connections only to an upstream{}",
		uc_addr_text(&p->direct).s);
	uc_rule_say(f->why,
		    "each request opens a connection of its own, which is safe from the idle race");
	uc_rule_say(f->change,
		    "to keep them alive, name the server in an upstream{} and pass to that");
	f->cause = p->headers.from;
}

static bool keepalive_is_meant(const struct uc_nginx_place *p)
{
	return p->group && p->group->keepalive.from && p->group->keepalive.n > 0;
}

void uc_rule_keepalive_not_effective(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;

	if (p->pool == UC_NGINX_POOL_NO_GROUP)
		keepalive_without_group(j, p);
	else if (!keepalive_is_meant(p))
		return;
	else if (p->pool == UC_NGINX_POOL_CLOSE || p->pool == UC_NGINX_POOL_HTTP_1_0)
		keepalive_closed(j, p);
	else if (p->pool == UC_NGINX_POOL_KEEP_CONN)
		keepalive_fastcgi(j, p);
	else if (p->pool == UC_NGINX_POOL_OVERRIDDEN)
		keepalive_overridden(j, p);
	else if (p->pool == UC_NGINX_POOL_NO_KEEPALIVE)
		keepalive_of_protocol(j, p);
}

void uc_rule_connection_upgrade_always(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	struct uc_finding *f;

	if (p->protocol != UC_NGINX_PROXY || p->values[UC_NGINX_HTTP_VERSION].n == 20 ||
	    p->headers.connection != UC_NGINX_CONNECTION_UPGRADE || !keepalive_is_meant(p))
		return;
	f = uc_rule_found(j, UC_SEVERITY_WARNING,
			  p->headers.map_entry ? p->headers.map_entry : p->headers.from, p, NULL);
	if (!f)
		return;
	uc_rule_say(
		f->message,
		"\"Connection: upgrade\" is sent with every request, even with those that are no upgrade");
	uc_rule_say(f->why,
		    "some servers close or refuse a request that says it upgrades and does not; "
		    "others ignore it, so keep-alive happens to work");
	uc_rule_say(f->change,
		    "a map from $http_upgrade that gives upgrade by default and '' for '', and its "
		    "variable here; or a location of its own for what upgrades");
}
