/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_value.h"
#include "check/print.h"
#include "base/text.h"
#include "core/nginx/streamconf.h"

#define DUMP (JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII)

/* A path is bytes; what is no UTF-8 of it is lost, never the object. */
static json_t *path_json(const char *path)
{
	json_t *s = json_string(path);

	return s ? s : json_string("(a path that is not UTF-8)");
}

static void put_place(json_t *o, const struct uc_nginx_conf *conf,
		      const struct uc_nginx_directive *d)
{
	const struct uc_nginx_file *f = uc_nginx_conf_file(conf, d->file);

	json_object_set_new(o, "file", path_json(f->path));
	json_object_set_new(o, "line", json_integer(d->line));
	json_object_set_new(o, "column", json_integer(uc_nginx_column(f, d->start)));
}

static json_t *figure_json(const struct uc_figure *f)
{
	json_t *o = json_object();

	json_object_set_new(o, "of", json_string(f->of));
	json_object_set_new(o, f->time ? "value_ms" : "value", uc_json_integer_if(f->n >= 0, f->n));
	json_object_set_new(o, "endless", json_boolean(f->n == UC_NGINX_NEVER));
	json_object_set_new(o, "source", uc_json_text_if(f->source));
	return o;
}

static json_t *figures_json(const struct uc_finding *f)
{
	json_t *a = json_array();

	for (size_t i = 0; i < 2; i++)
		if (f->figures[i].of)
			json_array_append_new(a, figure_json(&f->figures[i]));
	return a;
}

static json_t *where_json(const struct uc_nginx_place *p)
{
	char where[400];

	uc_check_where(p, where, sizeof(where));
	return json_string(where);
}

static json_t *where_found_json(const struct uc_finding *f)
{
	char where[400];

	uc_check_where_found(f, where, sizeof(where));
	return json_string(where);
}

static json_t *addr_json(const struct uc_nginx_server *s)
{
	char addr[UC_TIMEOUTS_ADDR];

	if (!s)
		return json_null();
	uc_timeouts_addr(s, addr);
	return json_string(addr);
}

static json_t *also_json(const struct uc_nginx_conf *conf, const struct uc_finding *f)
{
	json_t *a = json_array();

	for (size_t i = 0; i < f->also_count && i < UC_FINDING_ALSO; i++) {
		json_t *o = json_object();

		put_place(o, conf, f->also[i].at);
		json_object_set_new(o, "upstream", addr_json(f->also[i].server));
		json_array_append_new(a, o);
	}
	return a;
}

static int print_line(FILE *out, json_t *o)
{
	int err = 0;

	if (!o || json_dumpf(o, out, DUMP) || fputc('\n', out) == EOF)
		err = o ? -EIO : -ENOMEM;
	json_decref(o);
	return err;
}

static int print_finding(FILE *out, const struct uc_check_report *r, const struct uc_finding *f)
{
	json_t *o = json_object();

	json_object_set_new(o, "schema", json_integer(1));
	json_object_set_new(o, "kind", json_string("finding"));
	json_object_set_new(o, "rule", json_string(f->rule->id));
	json_object_set_new(o, "severity", json_string(uc_severity_name(f->severity)));
	put_place(o, r->sources->conf, f->at);
	json_object_set_new(o, "where", where_found_json(f));
	json_object_set_new(o, "places", json_integer(f->places));
	json_object_set_new(o, "upstream", addr_json(f->server));
	json_object_set_new(o, "also", also_json(r->sources->conf, f));
	json_object_set_new(o, "message", json_string(f->message));
	json_object_set_new(o, "figures", figures_json(f));
	json_object_set_new(o, "why", uc_json_text_if(f->why));
	json_object_set_new(o, "change", uc_json_text_if(f->change));
	json_object_set_new(o, "fixable", json_boolean(f->edit_count));
	json_object_set_new(o, "happened", uc_json_integer_if(f->recorded, f->happened));
	json_object_set_new(o, "accepted", uc_json_text_if(f->accepted));
	json_object_set_new(o, "expired", uc_json_text_if(f->expired));
	return print_line(out, o);
}

static json_t *settings_json(const struct uc_nginx_place *p)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < UC_NGINX_SETTING_MAX; i++) {
		const struct uc_nginx_value *v = &p->values[i];

		if ((i == UC_NGINX_HTTP_VERSION && p->protocol != UC_NGINX_PROXY) ||
		    (i == UC_NGINX_KEEP_CONN && p->protocol != UC_NGINX_FASTCGI))
			continue;
		json_object_set_new(o, uc_nginx_setting_name(i),
				    uc_json_integer_if(v->n >= 0, v->n));
	}
	return o;
}

static json_t *idle_json(const struct uc_check_contract *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "source", json_string(uc_idle_origin_name(c->idle.origin)));
	json_object_set_new(o, "timeout_ms",
			    uc_json_integer_if(c->idle.origin && c->idle.ms >= 0, c->idle.ms));
	json_object_set_new(o, "min_ms",
			    uc_json_integer_if(c->idle.origin && c->idle.min_ms >= 0,
					       c->idle.min_ms));
	json_object_set_new(o, "endless",
			    json_boolean(c->idle.origin && c->idle.ms == UC_NGINX_NEVER));
	json_object_set_new(o, "at_least", json_boolean(c->idle.at_least));
	json_object_set_new(o, "told", uc_json_text_if(c->idle_source));
	return o;
}

static json_t *name_json(const struct uc_nginx_word *w)
{
	char name[UC_TIMEOUTS_ADDR];

	uc_text_escape(w->p, w->len, name, sizeof(name));
	return json_string(name);
}

static json_t *group_json(const struct uc_nginx_group *g)
{
	json_t *o;

	if (!g)
		return json_null();
	o = json_object();
	json_object_set_new(o, "name", name_json(&g->name));
	json_object_set_new(o, "keepalive",
			    uc_json_integer_if(g->keepalive.n >= 0, g->keepalive.n));
	json_object_set_new(o, "local", json_boolean(g->local));
	json_object_set_new(o, "keepalive_timeout_ms",
			    uc_json_integer_if(g->timeout.n >= 0, g->timeout.n));
	json_object_set_new(o, "keepalive_requests",
			    uc_json_integer_if(g->requests.n >= 0, g->requests.n));
	json_object_set_new(o, "keepalive_time_ms", uc_json_integer_if(g->time.n >= 0, g->time.n));
	return o;
}

static int print_contract(FILE *out, const struct uc_check_report *r,
			  const struct uc_check_contract *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "schema", json_integer(1));
	json_object_set_new(o, "kind", json_string("contract"));
	put_place(o, r->sources->conf, c->place->pass);
	json_object_set_new(o, "where", where_json(c->place));
	json_object_set_new(o, "places", json_integer(c->places));
	json_object_set_new(o, "protocol", json_string(uc_nginx_protocol_name(c->place->protocol)));
	json_object_set_new(o, "upstream", addr_json(c->server));
	json_object_set_new(o, "group", group_json(c->place->group));
	json_object_set_new(o, "keepalive", json_string(uc_nginx_pool_name(c->place->pool)));
	json_object_set_new(o, "settings", settings_json(c->place));
	json_object_set_new(o, "client_keepalive_timeout_ms",
			    uc_json_integer_if(c->place->client_keepalive.n >= 0,
					       c->place->client_keepalive.n));
	json_object_set_new(o, "attempts", json_integer(uc_contract_attempts(c->place)));
	json_object_set_new(o, "upstream_idle", idle_json(c));
	json_object_set_new(o, "race", json_string(uc_race_name(c->race)));
	return print_line(out, o);
}

static int print_stream(FILE *out, const struct uc_check_report *r, const struct uc_nginx_stream *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "schema", json_integer(1));
	json_object_set_new(o, "kind", json_string("stream"));
	put_place(o, r->sources->conf, s->pass);
	json_object_set_new(o, "target", name_json(&s->pass->words[1]));
	json_object_set_new(o, "timeout_ms", uc_json_integer_if(s->timeout.n >= 0, s->timeout.n));
	json_object_set_new(o, "connect_timeout_ms",
			    uc_json_integer_if(s->connect_timeout.n >= 0, s->connect_timeout.n));
	json_object_set_new(o, "proxy_protocol", json_boolean(s->proxy_protocol.n == 1));
	return print_line(out, o);
}

static json_t *skips_json(const struct uc_check_report *r)
{
	json_t *a = json_array();

	for (size_t i = 0; i < r->sources->skip_count; i++) {
		const struct uc_source_skip *s = &r->sources->skips[i];
		json_t *o = json_object();

		put_place(o, r->sources->conf, s->include);
		json_object_set_new(o, "why", json_string(s->why));
		json_array_append_new(a, o);
	}
	return a;
}

static int print_summary(FILE *out, const struct uc_check_report *r)
{
	size_t errors = uc_check_counted(r, UC_SEVERITY_ERROR),
	       warnings = uc_check_counted(r, UC_SEVERITY_WARNING),
	       notes = uc_check_counted(r, UC_SEVERITY_NOTE);
	int64_t recorded = uc_timeouts_recorded_ms(r->evidence);
	json_t *o = json_object();
	char version[32];

	uc_check_version(uc_nginx_http_version(r->http), version, sizeof(version));
	json_object_set_new(o, "schema", json_integer(1));
	json_object_set_new(o, "kind", json_string("check_summary"));
	json_object_set_new(o, "nginx", json_string(version));
	json_object_set_new(o, "nginx_source", json_string(r->version_source));
	json_object_set_new(o, "errors", json_integer((json_int_t)errors));
	json_object_set_new(o, "warnings", json_integer((json_int_t)(warnings - errors)));
	json_object_set_new(o, "notes", json_integer((json_int_t)(notes - warnings)));
	json_object_set_new(o, "accepted", json_integer((json_int_t)(r->finding_count - notes)));
	json_object_set_new(o, "left_out", json_integer((json_int_t)r->left_out));
	json_object_set_new(o, "files",
			    json_integer((json_int_t)uc_nginx_conf_files(r->sources->conf)));
	json_object_set_new(o, "skipped", skips_json(r));
	json_object_set_new(o, "recorded_ms", uc_json_integer_if(recorded > 0, recorded));
	return print_line(out, o);
}

int uc_check_print_json(FILE *out, const struct uc_check_report *r)
{
	int err = 0;

	for (size_t i = 0; i < r->finding_count && !err; i++)
		err = print_finding(out, r, &r->findings[i]);
	for (size_t i = 0; i < r->contract_count && !err; i++)
		err = print_contract(out, r, &r->contracts[i]);
	for (size_t i = 0; i < r->stream_count && !err; i++)
		err = print_stream(out, r, &r->streams[i]);
	err = err ? err : print_summary(out, r);
	return err ? err : fflush(out) ? -errno : 0;
}
