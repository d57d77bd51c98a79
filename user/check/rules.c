/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is wrong by evidence gets a rule, what circulates gets none: a rule's
 * severity is error only where both numbers are known.
 */
#include "check/rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "check/edit.h"
#include "core/nginx/route.h"
#include "base/text.h"

#define CONTRACTS_MAX (1U << 18)

struct uc_judge {
	struct uc_judge_config cfg;
	struct uc_check_contract *contracts;
	size_t contract_count, contract_room;
	struct uc_finding *findings;
	size_t finding_count, finding_room, left_out;
	const struct uc_rule *rule; /* whose turn it is */
	bool no_memory;
};

/* --- words ------------------------------------------------------------------------------- */

void uc_check_time(int64_t ms, char *buf, size_t size)
{
	if (ms == UC_NGINX_NEVER)
		snprintf(buf, size, "without end");
	else if (ms < 0)
		snprintf(buf, size, "unknown");
	else if (ms < 1000 && ms)
		snprintf(buf, size, "%d ms", (int)ms);
	else if (ms % 1000)
		snprintf(buf, size, "%.2f s", ms / 1e3);
	else
		snprintf(buf, size, "%lld s", (long long)ms / 1000);
}

void uc_check_place(const struct uc_nginx_conf *conf, const struct uc_nginx_directive *d, char *buf,
		    size_t size)
{
	const struct uc_nginx_file *f = uc_nginx_conf_file(conf, d->file);
	size_t used;

	uc_text_escape(f->path, strlen(f->path), buf, size);
	used = strlen(buf);
	snprintf(buf + used, size - used, ":%u:%u", d->line, uc_nginx_column(f, d->start));
}

void uc_check_version(uint32_t version, char *buf, size_t size)
{
	unsigned major = version / 1000000, minor = version / 1000 % 1000, patch = version % 1000;

	if (patch == 999)
		snprintf(buf, size, "nginx %u.%u", major, minor);
	else
		snprintf(buf, size, "nginx %u.%u.%u", major, minor, patch);
}

struct text {
	char s[UC_TIMEOUTS_ADDR];
};

static struct text time_text(int64_t ms)
{
	struct text t = { "" };

	uc_check_time(ms, t.s, sizeof(t.s));
	return t;
}

static struct text addr_text(const struct uc_nginx_server *s)
{
	struct text t = { "" };

	uc_timeouts_addr(s, t.s);
	return t;
}

static struct text group_text(const struct uc_nginx_group *g)
{
	struct text t = { "" };

	uc_text_escape(g->name.p, g->name.len, t.s, sizeof(t.s));
	return t;
}

static struct text place_text(const struct uc_judge *j, const struct uc_nginx_directive *d)
{
	struct text t = { "" };

	uc_check_place(j->cfg.conf, d, t.s, sizeof(t.s));
	return t;
}

static struct text version_text(uint32_t version)
{
	struct text t = { "" };

	uc_check_version(version, t.s, sizeof(t.s));
	return t;
}

/* "keepalive_timeout at /etc/nginx/a.conf:3:5", "the default of nginx 1.22.1" */
static void source_of(const struct uc_judge *j, const struct uc_nginx_value *v, const char *what,
		      char *buf, size_t size)
{
	if (v->from)
		snprintf(buf, size, "%s at %s", what, place_text(j, v->from).s);
	else
		snprintf(buf, size, "%s by default in %s", what,
			 version_text(uc_nginx_http_version(j->cfg.http)).s);
}

/* --- findings ------------------------------------------------------------------------------ */

static struct uc_finding *known(struct uc_judge *j, const struct uc_nginx_directive *at,
				const struct uc_nginx_server *server)
{
	for (size_t i = 0; i < j->finding_count; i++) {
		struct uc_finding *f = &j->findings[i];

		if (f->rule == j->rule && f->at == at &&
		    (server ? server->from : NULL) == (f->server ? f->server->from : NULL))
			return f;
	}
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

/* NULL: the same was found already, at another place, or there is no room. */
static struct uc_finding *found(struct uc_judge *j, enum uc_severity severity,
				const struct uc_nginx_directive *at,
				const struct uc_nginx_place *place,
				const struct uc_nginx_server *server)
{
	struct uc_finding *f = known(j, at, server);

	if (f) {
		f->places += f->last != place;
		f->last = place;
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

__attribute__((format(printf, 2, 3))) static void say(char text[UC_FINDING_TEXT], const char *fmt,
						      ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(text + used, UC_FINDING_TEXT - used, fmt, args);
	va_end(args);
}

/* The next of the two numbers, with room for where it comes from. */
static char *figure(struct uc_finding *f, const char *of, int64_t n, bool time)
{
	struct uc_figure *to = &f->figures[f->figures[0].of ? 1 : 0];

	*to = (struct uc_figure){ .of = of, .n = n, .time = time };
	return to->source;
}

#define SOURCE sizeof(((struct uc_figure *)0)->source)

static void nginx_figure(const struct uc_judge *j, struct uc_finding *f,
			 const struct uc_nginx_value *v, const char *what, bool time)
{
	source_of(j, v, what, figure(f, "nginx", v->n, time), SOURCE);
}

static void setting_figure(const struct uc_judge *j, struct uc_finding *f,
			   const struct uc_nginx_place *p, enum uc_nginx_setting s, bool time)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%s", uc_nginx_protocol_name(p->protocol),
		 uc_nginx_setting_name(s));
	nginx_figure(j, f, &p->values[s], name, time);
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

/* --- changes --------------------------------------------------------------------------------- */

struct line {
	char s[UC_EDIT_TEXT];
};

/* "proxy_read_timeout 5s;" */
static struct line time_line(const char *prefix, const char *name, int64_t ms)
{
	bool whole = ms % 1000 == 0;
	struct line l;

	snprintf(l.s, sizeof(l.s), "%s%s%s %lld%s;", prefix, *prefix ? "_" : "", name,
		 (long long)(whole ? ms / 1000 : ms), whole ? "s" : "ms");
	return l;
}

static bool is_location(const struct uc_nginx_directive *d)
{
	return !d || uc_nginx_named(d, "location") || uc_nginx_named(d, "server");
}

static bool same_name(const struct uc_nginx_directive *a, const struct uc_nginx_directive *b)
{
	return a->words[0].len == b->words[0].len &&
	       !memcmp(a->words[0].p, b->words[0].p, a->words[0].len);
}

/*
 * What a new directive may stand behind. `if` and limit_except allow few, so that it goes to
 * their location; there to one place for all that pass on in it, as nginx takes none twice.
 */
static const struct uc_nginx_directive *location_anchor(const struct uc_nginx_place *p)
{
	const struct uc_nginx_directive *d = p->pass, *first;

	while (!is_location(d->parent))
		d = d->parent;
	if (!d->parent)
		return p->pass;
	first = d->parent->child;
	for (d = first; d; d = d->next)
		if (same_name(d, p->pass))
			return d;
	return first;
}

/* --- idle-race ------------------------------------------------------------------------------- */

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
	struct line line = time_line("", "keepalive_timeout", below);

	if (!has_upstream_timeout(j)) {
		say(f->change,
		    "raise the upstream's idle timeout, or take `keepalive` out: this version of nginx "
		    "has no keepalive_timeout for upstreams (1.15.3)");
		return;
	}
	say(f->change, "`%s` in upstream %s, or raise the upstream's idle timeout above %s", line.s,
	    group_text(g).s, time_text(g->timeout.n).s);
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

	nginx_figure(j, f, &g->timeout, "keepalive_timeout of upstream{}", true);
	snprintf(figure(f, "upstream", c->idle.ms, true), SOURCE, "%s", c->idle_source);
	say(f->why, "a request that nginx sends just as the upstream closes is lost; nginx %s",
	    next & UC_NGINX_NEXT_OFF || !(next & UC_NGINX_NEXT_ERROR) ?
		    "does not repeat it here (proxy_next_upstream), so its client gets a 502" :
		    "repeats it where it may, but a POST, LOCK or PATCH gets a 502");
	if (!g->timeout.from && c->place->client_keepalive.from)
		say(f->why, "; the keepalive_timeout at %s is for clients, not for upstreams",
		    place_text(j, c->place->client_keepalive.from).s);
	shorten_pool(j, f, g);
}

static enum uc_race race_before(const struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *now = uc_nginx_http_place(j->cfg.http, 0), *before;

	before = uc_nginx_http_place(j->cfg.from, c->place - now);
	return uc_contract_race(before->pool, uc_contract_nginx_idle(before), &c->idle);
}

static bool races(enum uc_race r)
{
	return r == UC_RACE_POSSIBLE || r == UC_RACE_NARROW;
}

static bool endless(const struct uc_check_contract *c)
{
	return uc_contract_nginx_idle(c->place) == UC_NGINX_NEVER;
}

static void idle_race(struct uc_judge *j, const struct uc_check_contract *c)
{
	struct uc_finding *f;

	if (!races(c->race) || (j->cfg.from && !races(race_before(j, c))))
		return;
	f = found(j, c->race == UC_RACE_POSSIBLE ? UC_SEVERITY_ERROR : UC_SEVERITY_WARNING,
		  pool_anchor(c->place->group), c->place, c->server);
	if (!f)
		return;
	if (c->race == UC_RACE_POSSIBLE)
		say(f->message,
		    "nginx may use an idle connection to %s%s %s, and the upstream closes it after %s",
		    addr_text(c->server).s, endless(c) ? "" : " for",
		    time_text(uc_contract_nginx_idle(c->place)).s, time_text(c->idle.min_ms).s);
	else
		say(f->message,
		    "nginx closes an idle connection to %s after %s, barely before the upstream does after "
		    "%s: a busy worker or a slow way is enough",
		    addr_text(c->server).s, time_text(uc_contract_nginx_idle(c->place)).s,
		    time_text(c->idle.min_ms).s);
	explain_race(j, f, c);
}

static void idle_race_after_upgrade(struct uc_judge *j, const struct uc_check_contract *c)
{
	bool known_race = races(c->race);
	enum uc_race before;
	struct uc_finding *f;

	if (!j->cfg.from || c->place->pool != UC_NGINX_POOL_KEPT || !c->server)
		return;
	before = race_before(j, c);
	if (before != UC_RACE_NONE || (!known_race && c->race != UC_RACE_UNKNOWN))
		return;
	f = found(j, c->race == UC_RACE_POSSIBLE ? UC_SEVERITY_ERROR : UC_SEVERITY_WARNING,
		  pool_anchor(c->place->group), c->place, c->server);
	if (!f)
		return;
	say(f->message,
	    "%s uses a connection to %s once, %s keeps it idle for %s, and the upstream closes it %s%s",
	    version_text(uc_nginx_http_version(j->cfg.from)).s, addr_text(c->server).s,
	    version_text(uc_nginx_http_version(j->cfg.http)).s,
	    time_text(uc_contract_nginx_idle(c->place)).s,
	    c->idle.origin ? "after " : "after a time that is not known",
	    c->idle.origin ? time_text(c->idle.min_ms).s : "");
	if (known_race) {
		explain_race(j, f, c);
		return;
	}
	nginx_figure(j, f, &c->place->group->timeout, "keepalive_timeout of upstream{}", true);
	snprintf(figure(f, "upstream", UC_NGINX_UNKNOWN, true), SOURCE, "not known");
	say(f->why, "since 1.29.7 nginx keeps connections to an upstream{} alive by default, and a "
		    "request that it sends just as the upstream closes is lost");
	say(f->change,
	    "tell the upstream's idle timeout: measure it with `upclose probe`, or --upstream %s=SECONDS, "
	    "or --kind %s=KIND; `keepalive 0;` in upstream %s keeps the old ways",
	    addr_text(c->server).s, addr_text(c->server).s, group_text(c->place->group).s);
}

/* --- keepalive-not-effective -------------------------------------------------------------------- */

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
		uc_edit_behind(j->cfg.conf, f, location_anchor(p),
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
		uc_edit_behind(j->cfg.conf, f, location_anchor(p), "proxy_http_version 1.1;");
}

/* What makes keep-alive effective must not make a race possible with it. */
static void keep_clear_of_race(const struct uc_judge *j, struct uc_finding *f,
			       const struct uc_nginx_place *p)
{
	int64_t least = shortest_idle(j, p->group);

	if (least == INT64_MAX)
		say(f->change,
		    "; then nginx's keepalive_timeout (%s) must stay below the upstream's idle timeout, "
		    "which is not known here",
		    time_text(p->group->timeout.n).s);
	else if (p->group->timeout.n > least - uc_contract_margin(least) ||
		 p->group->timeout.n == UC_NGINX_NEVER) {
		say(f->change, "; and against the race that this would bring, ");
		shorten_pool(j, f, p->group);
		/* nothing in such a configuration could mend it */
		if (!has_upstream_timeout(j))
			f->edit_count = 0;
	}
}

static void kept_none(const struct uc_judge *j, struct uc_finding *f,
		      const struct uc_nginx_place *p)
{
	const struct uc_nginx_value *version = &p->values[UC_NGINX_HTTP_VERSION];
	char *source = figure(f, "nginx", 0, false), http[320];

	source_of(j, version, "proxy_http_version", http, sizeof(http));
	if (p->pool == UC_NGINX_POOL_CLOSE && p->headers.from)
		snprintf(source, SOURCE, "of them kept: proxy_set_header at %s",
			 place_text(j, p->headers.from).s);
	else if (p->pool == UC_NGINX_POOL_CLOSE && p->headers.first)
		snprintf(source, SOURCE,
			 "of them kept: no Connection in the proxy_set_header from %s",
			 place_text(j, p->headers.first).s);
	else if (p->pool == UC_NGINX_POOL_CLOSE)
		snprintf(source, SOURCE, "of them kept: no proxy_set_header Connection");
	else
		snprintf(source, SOURCE, "of them kept: %.*s", (int)SOURCE - 32, http);
}

static void keepalive_closed(struct uc_judge *j, const struct uc_nginx_place *p)
{
	const struct uc_nginx_headers *h = &p->headers;
	bool old = p->values[UC_NGINX_HTTP_VERSION].n == 10;
	struct uc_finding *f = found(j, UC_SEVERITY_WARNING,
				     h->map_entry ? h->map_entry :
				     h->from      ? h->from :
						    p->pass,
				     p, NULL);

	if (!f)
		return;
	say(f->message,
	    "upstream %s has `keepalive`, but no connection is kept alive: this location sends ",
	    group_text(p->group).s);
	if (p->pool == UC_NGINX_POOL_CLOSE)
		say(f->message, "\"Connection: close\"%s%s", old ? " and speaks HTTP/1.0" : "",
		    h->map_entry ? " on requests without Upgrade" : "");
	else
		say(f->message, "HTTP/1.0 without \"Connection: keep-alive\"");
	snprintf(figure(f, "nginx", p->group->keepalive.n, false), SOURCE,
		 "idle connections: keepalive at %s", place_text(j, p->group->keepalive.from).s);
	kept_none(j, f, p);
	say(f->why, "each request opens a connection of its own, so the pool is never used%s",
	    h->from ? "" :
		      "; without a proxy_set_header Connection in force nginx before 1.29.7 sends "
		      "\"Connection: close\"");
	say(f->change, "%s%s%s", old ? "`proxy_http_version 1.1;`" : "",
	    old && p->pool == UC_NGINX_POOL_CLOSE ? " and " : "",
	    p->pool != UC_NGINX_POOL_CLOSE ? "" :
	    h->map_entry                   ? "'' in place of close in the map" :
					     "`proxy_set_header Connection \"\";`");
	if (p->pool == UC_NGINX_POOL_CLOSE)
		clear_connection(j, f, p);
	speak_http_1_1(j, f, p);
	keep_clear_of_race(j, f, p);
}

static void keepalive_fastcgi(struct uc_judge *j, const struct uc_nginx_place *p)
{
	struct uc_finding *f = found(j, UC_SEVERITY_WARNING, p->pass, p, NULL);

	if (!f)
		return;
	say(f->message,
	    "upstream %s has `keepalive`, but fastcgi_keep_conn is off: the application closes each "
	    "connection",
	    group_text(p->group).s);
	setting_figure(j, f, p, UC_NGINX_KEEP_CONN, false);
	say(f->why, "FastCGI keeps a connection only where nginx asks for it in each request");
	say(f->change, "`fastcgi_keep_conn on;`");
	if (p->values[UC_NGINX_KEEP_CONN].from)
		uc_edit_replace(f, p->values[UC_NGINX_KEEP_CONN].from, "fastcgi_keep_conn on;");
	else
		uc_edit_behind(j->cfg.conf, f, location_anchor(p), "fastcgi_keep_conn on;");
	keep_clear_of_race(j, f, p);
}

/* The two change places, so that nothing else of the upstream{} does. */
static void keepalive_overridden(struct uc_judge *j, const struct uc_nginx_place *p)
{
	const struct uc_nginx_directive *method = p->group->overrides,
					*keepalive = p->group->keepalive.from;
	struct uc_finding *f = found(j, UC_SEVERITY_WARNING, method, p, NULL);
	struct text name = { "" }, first, last;

	if (!f)
		return;
	uc_text_escape(method->words[0].p, method->words[0].len, name.s, sizeof(name.s));
	say(f->message,
	    "upstream %s has `keepalive`, but no connection is kept alive: `%s` behind it takes its place",
	    group_text(p->group).s, name.s);
	snprintf(figure(f, "nginx", p->group->keepalive.n, false), SOURCE,
		 "idle connections: keepalive at %s", place_text(j, keepalive).s);
	snprintf(figure(f, "nginx", 0, false), SOURCE, "of them kept: %s at %s", name.s,
		 place_text(j, method).s);
	say(f->why,
	    "before 1.29.7 nginx uses what stands last of the two, and warns at its start of a "
	    "\"load balancing method redefined\"");
	say(f->change, "`keepalive` behind `%s`", name.s);
	if (uc_edit_text(j->cfg.conf, method, first.s, sizeof(first.s)) &&
	    uc_edit_text(j->cfg.conf, keepalive, last.s, sizeof(last.s))) {
		uc_edit_replace(f, keepalive, first.s);
		uc_edit_replace(f, method, last.s);
	}
	keep_clear_of_race(j, f, p);
}

static void keepalive_of_protocol(struct uc_judge *j, const struct uc_nginx_place *p)
{
	struct uc_finding *f = found(j, UC_SEVERITY_WARNING, p->pass, p, NULL);
	const char *protocol = uc_nginx_protocol_name(p->protocol);

	if (!f)
		return;
	say(f->message, "upstream %s has `keepalive`, but nginx keeps no connection of %s_pass",
	    group_text(p->group).s, protocol);
	snprintf(figure(f, "nginx", p->group->keepalive.n, false), SOURCE,
		 "idle connections: keepalive at %s", place_text(j, p->group->keepalive.from).s);
	say(f->why, "each request opens a connection of its own, which is safe from the idle race");
	say(f->change, "take `keepalive` out; where connections must be kept, a server of HTTP and "
		       "proxy_pass");
}

static void keepalive_without_group(struct uc_judge *j, const struct uc_nginx_place *p)
{
	struct uc_finding *f;

	/* only where somebody has asked for it in so many words */
	if (!p->headers.from || p->headers.connection != UC_NGINX_CONNECTION_NONE || p->headers.map)
		return;
	f = found(j, UC_SEVERITY_NOTE, p->pass, p, NULL);
	if (!f)
		return;
	say(f->message,
	    "\"Connection\" is cleared for keep-alive, but proxy_pass names %s itself: nginx keeps "
	    "connections only to an upstream{}",
	    addr_text(&p->direct).s);
	say(f->why, "each request opens a connection of its own, which is safe from the idle race");
	say(f->change, "to keep them alive, name the server in an upstream{} and pass to that");
}

static bool keepalive_is_meant(const struct uc_nginx_place *p)
{
	return p->group && p->group->keepalive.from && p->group->keepalive.n > 0;
}

static void keepalive_not_effective(struct uc_judge *j, const struct uc_check_contract *c)
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

/* --- connection-upgrade-always --------------------------------------------------------------------- */

static void connection_upgrade_always(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	struct uc_finding *f;

	if (p->headers.connection != UC_NGINX_CONNECTION_UPGRADE || !keepalive_is_meant(p))
		return;
	f = found(j, UC_SEVERITY_WARNING,
		  p->headers.map_entry ? p->headers.map_entry : p->headers.from, p, NULL);
	if (!f)
		return;
	say(f->message, "\"Connection: upgrade\" is sent with every request, also with those that "
			"upgrade to nothing");
	say(f->why, "some servers close or refuse a request that says it upgrades and does not; "
		    "on others keep-alive works by luck");
	say(f->change,
	    "a map from $http_upgrade that gives upgrade by default and '' for '', and its "
	    "variable here; or a location of its own for what upgrades");
}

/* --- retries ------------------------------------------------------------------------------------------ */

static void retry_multiplies(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	int64_t next = p->values[UC_NGINX_NEXT_UPSTREAM].n;
	bool answers = next & (UC_NGINX_NEXT_HTTP_5XX | UC_NGINX_NEXT_HTTP_429);
	const struct uc_nginx_value *tries = &p->values[UC_NGINX_NEXT_UPSTREAM_TRIES];
	uint32_t attempts = uc_contract_attempts(p);
	char line[UC_EDIT_TEXT];
	struct uc_finding *f;

	if (tries->n > 0 || p->values[UC_NGINX_NEXT_UPSTREAM_TIMEOUT].n > 0 || !answers ||
	    attempts < 2)
		return;
	f = found(j, attempts > 2 ? UC_SEVERITY_WARNING : UC_SEVERITY_NOTE,
		  p->values[UC_NGINX_NEXT_UPSTREAM].from, p, NULL);
	if (!f)
		return;
	say(f->message,
	    "when the application answers with an error, each request is sent to up to %u servers, one "
	    "after the other",
	    attempts);
	snprintf(figure(f, "nginx", attempts, false), SOURCE, "servers of upstream %s",
		 group_text(p->group).s);
	setting_figure(j, f, p, UC_NGINX_NEXT_UPSTREAM_TRIES, false);
	say(f->why,
	    "load grows %u-fold just when the servers fail; a retry on a status is also no "
	    "mend for closed connections, which the default (error timeout) repeats already",
	    attempts);
	say(f->change, "`%s_next_upstream_tries 2;`, or no http_ reasons",
	    uc_nginx_protocol_name(p->protocol));
	snprintf(line, sizeof(line), "%s_next_upstream_tries 2;",
		 uc_nginx_protocol_name(p->protocol));
	if (tries->from)
		uc_edit_replace(f, tries->from, line);
	else
		uc_edit_behind(j->cfg.conf, f, p->values[UC_NGINX_NEXT_UPSTREAM].from, line);
}

static void retry_non_idempotent(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *v = &p->values[UC_NGINX_NEXT_UPSTREAM];
	bool always = uc_nginx_http_version(j->cfg.http) < UC_NGINX_VERSION(1, 9, 13);
	struct uc_finding *f;

	/* without a reason to repeat beside it nothing is repeated */
	if (!(v->n & UC_NGINX_NEXT_NON_IDEMPOTENT) || v->n & UC_NGINX_NEXT_OFF ||
	    v->n == UC_NGINX_NEXT_NON_IDEMPOTENT)
		return;
	/* with one server and no pool there is nothing to repeat it on */
	if (uc_contract_attempts(p) < 2 && p->pool != UC_NGINX_POOL_KEPT)
		return;
	f = found(j, UC_SEVERITY_WARNING, v->from ? v->from : p->pass, p, NULL);
	if (!f)
		return;
	say(f->message,
	    "nginx repeats a POST, LOCK or PATCH that a server may have carried out already");
	setting_figure(j, f, p, UC_NGINX_NEXT_UPSTREAM, false);
	f->figures[0].of = NULL;
	say(f->why, "%s",
	    always ? "before 1.9.13 nginx repeats every method" :
		     "non_idempotent takes away the guard that nginx has since 1.9.13; an "
		     "order may be placed twice");
	say(f->change, "%s",
	    always ? "a newer nginx, or proxy_next_upstream off for what must not repeat" :
		     "take non_idempotent out, but for locations where repeating is harmless");
	if (!always && v->from)
		uc_edit_drop_word(j->cfg.conf, f, v->from, "non_idempotent");
}

static void unbuffered_no_retry(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *v = &p->values[UC_NGINX_REQUEST_BUFFERING];
	bool several = uc_contract_attempts(p) > 1;
	char line[UC_EDIT_TEXT];
	struct uc_finding *f;

	if (v->n || !v->from || !(several || races(c->race)))
		return;
	f = found(j, races(c->race) ? UC_SEVERITY_WARNING : UC_SEVERITY_NOTE, v->from, p, NULL);
	if (!f)
		return;
	say(f->message,
	    "with request buffering off nginx cannot repeat a request whose body it did not read "
	    "together with the header%s",
	    several ? "; the further servers do not help there" : "");
	setting_figure(j, f, p, UC_NGINX_REQUEST_BUFFERING, false);
	say(f->why, "a failed upload gets a 502 at once, PUT and DELETE with a body included%s",
	    races(c->race) ? "; the idle race that is possible here makes such failures" : "");
	snprintf(line, sizeof(line), "%s_request_buffering on;",
		 uc_nginx_protocol_name(p->protocol));
	say(f->change,
	    "`%s`, which keeps a body in memory or on the disk until it is whole; where bodies "
	    "must stream, a client that repeats, and a policy that accepts this",
	    line);
	uc_edit_replace(f, v->from, line);
}

/* --- timeouts ---------------------------------------------------------------------------------------- */

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
	struct line line = time_line(uc_nginx_protocol_name(p->protocol), "read_timeout",
				     (measured_ms * 3 / 2 + 999) / 1000 * 1000);

	say(f->change, "`%s` for this location, or make that request faster", line.s);
	if (v->from && v->from->parent == p->block)
		uc_edit_replace(f, v->from, line.s);
	else
		uc_edit_behind(j->cfg.conf, f, location_anchor(p), line.s);
}

static void shorter_than_canary(struct uc_judge *j, const struct uc_check_contract *c,
				const struct uc_timeouts_canary *slow)
{
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *v = &p->values[UC_NGINX_READ_TIMEOUT];
	struct uc_finding *f;

	f = found(j, slow->ms >= v->n ? UC_SEVERITY_ERROR : UC_SEVERITY_WARNING,
		  v->from && v->from->parent == p->block ? v->from : p->pass, p, NULL);
	if (!f)
		return;
	say(f->message, "a request here took %s%s to answer, and nginx gives up after %s",
	    slow->gave_up ? "more than " : "", time_text(slow->ms).s, time_text(v->n).s);
	setting_figure(j, f, p, UC_NGINX_READ_TIMEOUT, true);
	snprintf(figure(f, "upstream", slow->ms, true), SOURCE, "%s through %s",
		 slow->gave_up ? "at least, when nginx gave up" : "measured", slow->url);
	say(f->why, "a response slower than the timeout is a 504, and its work is thrown away");
	if (slow->gave_up)
		say(f->change, "measure how long it takes with `upclose probe`, and raise "
			       "the timeout above it; or make that request faster");
	else
		lengthen(j, f, p, slow->ms);
}

static void timeout_shorter(struct uc_judge *j, const struct uc_check_contract *c)
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
	f = found(j, e->response_ms >= v->n ? UC_SEVERITY_ERROR : UC_SEVERITY_WARNING,
		  v->from ? v->from : p->pass, p, c->server);
	if (!f)
		return;
	say(f->message, "%s needed %s to answer, and nginx gives up after %s",
	    addr_text(c->server).s, time_text(e->response_ms).s, time_text(v->n).s);
	setting_figure(j, f, p, UC_NGINX_READ_TIMEOUT, true);
	snprintf(figure(f, "upstream", e->response_ms, true), SOURCE, "%s", e->response_source);
	say(f->why, "a response slower than the timeout is a 504, and its work is thrown away");
	say(f->change, "make that request faster, or raise %s_read_timeout for its location",
	    uc_nginx_protocol_name(p->protocol));
}

/* The value is made shorter where it stands, or set beside what the finding names. */
static void shorten(const struct uc_judge *j, struct uc_finding *f, const struct uc_nginx_place *p,
		    enum uc_nginx_setting s, int64_t ms)
{
	const struct uc_nginx_value *v = &p->values[s], *read = &p->values[UC_NGINX_READ_TIMEOUT];
	struct line line = time_line(uc_nginx_protocol_name(p->protocol), uc_nginx_setting_name(s),
				     ms);

	say(f->change, "%s`%s`", f->change[0] ? " and " : "", line.s);
	if (v->from)
		uc_edit_replace(f, v->from, line.s);
	else
		uc_edit_behind(j->cfg.conf, f, read->from ? read->from : location_anchor(p),
			       line.s);
}

/* An Upgrade may pass here: its connection is silent for longer than a response takes. */
static bool may_upgrade(const struct uc_nginx_place *p)
{
	enum uc_nginx_connection c = p->headers.connection;

	return p->headers.map || c == UC_NGINX_CONNECTION_UPGRADE ||
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
	say(f->change, ", or a longer timeout at the client");
}

/* A request's way: what waits at the client's end must be the longest. */
static void timeout_chain(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	int64_t client = j->cfg.client_timeout_ms, wait = uc_contract_longest_wait(p);
	const struct uc_nginx_value *read = &p->values[UC_NGINX_READ_TIMEOUT];
	uint32_t attempts = uc_contract_attempts(p);
	struct uc_finding *f;

	if (client < 0 || wait < 0 || wait < client)
		return;
	f = found(j, UC_SEVERITY_WARNING, read->from ? read->from : p->pass, p, NULL);
	if (!f)
		return;
	say(f->message, "the client gives up after %s, while nginx may wait %s",
	    time_text(client).s, time_text(wait).s);
	if (attempts > 1)
		say(f->message, " (%u attempts)", attempts);
	setting_figure(j, f, p, UC_NGINX_READ_TIMEOUT, true);
	snprintf(figure(f, "client", client, true), SOURCE, "as told by --client-timeout");
	say(f->why,
	    "a slow request ends as 499 in nginx's log, and nobody learns which server was slow; "
	    "timeouts must shrink from the client to the upstream");
	if (!may_upgrade(p))
		shorten_chain(j, f, p);
	else
		say(f->change,
		    "a location of its own for what upgrades, and a %s_read_timeout below %s for "
		    "the rest",
		    uc_nginx_protocol_name(p->protocol), time_text(client).s);
}

/* The same race, one hop nearer to the client: there nginx is the one that closes. */
static void balancer_race(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_value *v = &c->place->client_keepalive;
	int64_t balancer = j->cfg.balancer_idle_ms;
	struct uc_finding *f;
	char line[64];

	/* 0 closes after each response and says so */
	if (balancer < 0 || v->n <= 0 || v->n > balancer)
		return;
	f = found(j, UC_SEVERITY_ERROR,
		  v->from          ? v->from :
		  c->place->server ? c->place->server :
				     c->place->pass,
		  c->place, NULL);
	if (!f)
		return;
	say(f->message,
	    "nginx closes a client's idle connection after %s, and the balancer before it uses one for %s",
	    time_text(v->n).s, time_text(balancer).s);
	nginx_figure(j, f, v, "keepalive_timeout", true);
	snprintf(figure(f, "client", balancer, true), SOURCE, "as told by --balancer-idle");
	say(f->why,
	    "a request that the balancer sends just as nginx closes is a 502 that no log of nginx has");
	snprintf(line, sizeof(line), "keepalive_timeout %llds;",
		 (long long)(balancer + 10999) / 1000);
	say(f->change, "`%s` for this server, above the balancer's", line);
	if (v->from)
		uc_edit_replace(f, v->from, line);
	else if (c->place->server)
		uc_edit_first(j->cfg.conf, f, c->place->server, line);
}

/* --- header-buffer-small -------------------------------------------------------------------------------- */

static void header_buffer_small(struct uc_judge *j, const struct uc_check_contract *c)
{
	const struct uc_nginx_place *p = c->place;
	const struct uc_nginx_value *v = &p->values[UC_NGINX_BUFFER_SIZE];
	const struct uc_timeouts_of *e = c->server ? uc_timeouts_find(j->cfg.evidence, c->server) :
						     NULL;
	uint64_t refused = e ? e->happened[UC_VERDICT_NGINX_REJECTED_RESPONSE] : 0;
	bool small = v->from && v->n > 0 && v->n < 4096;
	char line[UC_EDIT_TEXT];
	struct uc_finding *f;

	if (!small && !refused)
		return;
	f = found(j, UC_SEVERITY_WARNING, v->from ? v->from : p->pass, p,
		  refused ? c->server : NULL);
	if (!f)
		return;
	if (refused)
		say(f->message,
		    "nginx refused %llu responses of %s, as it does with a header larger than its %lld byte "
		    "buffer",
		    (unsigned long long)refused, addr_text(c->server).s, (long long)v->n);
	else
		say(f->message,
		    "a response header must fit into %lld bytes here, less than the default of one page (4096 "
		    "or 8192)",
		    (long long)v->n);
	setting_figure(j, f, p, UC_NGINX_BUFFER_SIZE, false);
	say(f->why,
	    "a larger header is a 502, \"upstream sent too big header\": cookies and tokens grow; "
	    "an invalid header is refused likewise, so nginx's error log has to tell which it was");
	say(f->change, "`%s_buffer_size 8k;` or more, as large as the largest header",
	    uc_nginx_protocol_name(p->protocol));
	snprintf(line, sizeof(line), "%s_buffer_size 8k;", uc_nginx_protocol_name(p->protocol));
	/* nginx wants the three sizes to fit each other: where others are told, so is this by hand */
	if (p->values[UC_NGINX_BUFFERS].from || p->values[UC_NGINX_BUSY_BUFFERS_SIZE].from)
		say(f->change, ", with buffers and a busy_buffers_size that it fits to");
	else if (small)
		uc_edit_replace(f, v->from, line);
}

/* --- policy-required --------------------------------------------------------------------------------------- */

static void require_below(struct uc_judge *j, const struct uc_check_contract *c,
			  const struct uc_nginx_value *v, const char *what, int64_t max, bool time)
{
	struct uc_finding *f;

	if (max < 0 || v->n == UC_NGINX_UNKNOWN || (v->n >= 0 && v->n <= max))
		return;
	f = found(j, UC_SEVERITY_ERROR, v->from ? v->from : c->place->pass, c->place, NULL);
	if (!f)
		return;
	say(f->message, "%s is %s, and the policy allows at most %s", what, time_text(v->n).s,
	    time_text(max).s);
	nginx_figure(j, f, v, what, time);
	snprintf(figure(f, "policy", max, time), SOURCE, "the policy");
}

static void require_idle_known(struct uc_judge *j, const struct uc_check_contract *c)
{
	struct uc_finding *f;

	if (c->place->pool != UC_NGINX_POOL_KEPT || c->idle.origin || !c->server)
		return;
	f = found(j, UC_SEVERITY_ERROR, c->server->from, c->place, c->server);
	if (!f)
		return;
	say(f->message, "the policy wants the idle timeout of %s to be known, and it is not",
	    addr_text(c->server).s);
	say(f->change,
	    "measure it with `upclose probe`, or --upstream %s=SECONDS, or --kind %s=KIND",
	    addr_text(c->server).s, addr_text(c->server).s);
}

static void policy_required(struct uc_judge *j, const struct uc_check_contract *c)
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
		f = found(j, UC_SEVERITY_ERROR, read->from ? read->from : p->pass, p, NULL);
		if (f)
			say(f->message, "read_timeout is %s, and the policy wants at least %s",
			    time_text(read->n).s, time_text(q->read_timeout_min).s);
	}
	if (q->attempts_max >= 0 && uc_contract_attempts(p) > q->attempts_max) {
		f = found(j, UC_SEVERITY_ERROR, p->pass, p, NULL);
		if (f)
			say(f->message,
			    "a request may be sent to %u servers, and the policy allows %lld",
			    uc_contract_attempts(p), (long long)q->attempts_max);
	}
}

/* --- the table ---------------------------------------------------------------------------------------------- */

static const struct uc_rule rules[] = {
	{ "idle-race", UC_SEVERITY_ERROR, idle_race,
	  "nginx may use an idle connection that the upstream gives up",
	  UC_VERDICT_KEEPALIVE_RACE },
	{ "idle-race-after-upgrade", UC_SEVERITY_ERROR, idle_race_after_upgrade,
	  "an upgrade of nginx makes the idle race possible", UC_VERDICT_KEEPALIVE_RACE },
	{ "keepalive-not-effective", UC_SEVERITY_WARNING, keepalive_not_effective,
	  "keep-alive to the upstream is meant, but does not come about", UC_VERDICT_MAX },
	{ "connection-upgrade-always", UC_SEVERITY_WARNING, connection_upgrade_always,
	  "every request says that it upgrades", UC_VERDICT_MAX },
	{ "retry-multiplies", UC_SEVERITY_WARNING, retry_multiplies,
	  "retries multiply the load when servers fail", UC_VERDICT_MAX },
	{ "retry-non-idempotent", UC_SEVERITY_WARNING, retry_non_idempotent,
	  "requests that must not repeat are repeated", UC_VERDICT_MAX },
	{ "unbuffered-no-retry", UC_SEVERITY_WARNING, unbuffered_no_retry,
	  "request buffering is off, so a failed request is not repeated", UC_VERDICT_MAX },
	{ "timeout-shorter-than-response", UC_SEVERITY_ERROR, timeout_shorter,
	  "nginx gives up before the upstream answers", UC_VERDICT_NGINX_TIMEOUT },
	{ "timeout-chain", UC_SEVERITY_WARNING, timeout_chain,
	  "the client gives up before nginx does", UC_VERDICT_CLIENT_GONE },
	{ "balancer-race", UC_SEVERITY_ERROR, balancer_race,
	  "a balancer may use an idle connection that nginx gives up", UC_VERDICT_MAX },
	{ "header-buffer-small", UC_SEVERITY_WARNING, header_buffer_small,
	  "the buffer for response headers is small", UC_VERDICT_NGINX_REJECTED_RESPONSE },
	{ "policy-required", UC_SEVERITY_ERROR, policy_required,
	  "a number is not what the policy requires", UC_VERDICT_MAX },
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

const char *uc_severity_name(enum uc_severity s)
{
	static const char *const names[] = { "note", "warning", "error" };

	_Static_assert(ARRAY_SIZE(names) == UC_SEVERITY_MAX, "a name for each");
	return (unsigned)s < ARRAY_SIZE(names) ? names[s] : "invalid";
}

/* --- the whole ----------------------------------------------------------------------------------------------- */

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

static int judge_contract(struct uc_judge *j, const struct uc_nginx_place *p,
			  const struct uc_nginx_server *s)
{
	struct uc_check_contract c = { .place = p, .server = s, .places = 1, .idle_source = "" };
	struct uc_check_contract *same;

	if (s)
		c.idle = uc_timeouts_idle(j->cfg.evidence, s, p->group, &c.idle_source);
	c.race = uc_contract_race(p->pool, uc_contract_nginx_idle(p), &c.idle);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		j->rule = &rules[i];
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

		j->rule = plain;
		if (f->rule != upgrade || !known(j, f->at, f->server))
			j->findings[kept++] = *f;
	}
	j->finding_count = kept;
}

int uc_judge_new(const struct uc_judge_config *cfg, struct uc_judge **ret)
{
	struct uc_judge *j = calloc(1, sizeof(*j));
	int err = 0;

	if (!j)
		return -ENOMEM;
	j->cfg = *cfg;
	for (size_t i = 0; i < uc_nginx_http_places(cfg->http) && !err; i++)
		err = judge_place(j, uc_nginx_http_place(cfg->http, i));
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
	free(j->contracts);
	free(j->findings);
	free(j);
}

struct uc_finding *uc_judge_findings(struct uc_judge *j, size_t *count)
{
	*count = j->finding_count;
	return j->findings;
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
