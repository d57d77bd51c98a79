/* SPDX-License-Identifier: BSD-2-Clause */
/* What nginx would not start with: text of a template, and values that are none. */
#include "check/rule.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "core/nginx/streamconf.h"
#include "core/nginx/template.h"

/* A variable in capitals that the configuration itself makes is one of nginx's. */
static bool made_here(const struct uc_nginx_directive *first, const struct uc_nginx_word *name)
{
	for (const struct uc_nginx_directive *d = first; d; d = d->next) {
		for (uint32_t i = 1; i < d->count; i++)
			if (d->words[i].len == name->len + 1 && d->words[i].p[0] == '$' &&
			    !memcmp(d->words[i].p + 1, name->p, name->len))
				return true;
		if (d->child && made_here(d->child, name))
			return true;
	}
	return false;
}

/* "${PORT}" within a word: PORT. */
static struct uc_nginx_word environment_name(const struct uc_nginx_word *w)
{
	const char *from = memmem(w->p, w->len, "${", 2);
	const char *to = from ? memchr(from, '}', w->p + w->len - from) : NULL;

	return to ? (struct uc_nginx_word){ from + 2, to - from - 2, w->at } :
		    (struct uc_nginx_word){ 0 };
}

static enum uc_nginx_template template_of(const struct uc_judge *j,
					  const struct uc_nginx_directive *d)
{
	const struct uc_nginx_directive *top = uc_nginx_conf_top(j->cfg.conf);

	/* how a log line looks is no business of this */
	if (uc_nginx_named(d, "log_format"))
		return UC_NGINX_TEMPLATE_NONE;
	for (uint32_t i = 0; i < d->count; i++) {
		enum uc_nginx_template t = uc_nginx_template(&d->words[i]);
		struct uc_nginx_word name = environment_name(&d->words[i]);

		if (t == UC_NGINX_TEMPLATE_VARIABLE &&
		    (uc_nginx_http_unread(j->cfg.http) || made_here(top, &name)))
			continue;
		if (t)
			return t;
	}
	return UC_NGINX_TEMPLATE_NONE;
}

static struct uc_finding *found_in_file(struct uc_judge *j, uint32_t file)
{
	for (size_t i = 0; i < j->finding_count; i++)
		if (j->findings[i].rule == j->rule && j->findings[i].at->file == file)
			return &j->findings[i];
	return NULL;
}

/* The first of each file is told, the others with it. */
static void found_template(struct uc_judge *j, const struct uc_nginx_directive *d,
			   enum uc_nginx_template t)
{
	struct uc_finding *f = found_in_file(j, d->file);

	if (f) {
		if (d->line != f->at->line && strlen(f->message) < UC_FINDING_TEXT - 32)
			uc_rule_say(f->message, "%s%u",
				    strstr(f->message, "; also line ") ? ", " : "; also line ",
				    d->line);
		f->places++;
		return;
	}
	f = uc_rule_found(j, UC_SEVERITY_ERROR, d, NULL, NULL);
	if (!f)
		return;
	uc_rule_say(f->message, "text of a template (%s), not a configuration yet",
		    uc_nginx_template_name(t));
	uc_rule_say(f->why,
		    "what it is rendered to is unknown here, and nginx refuses it as it is");
	uc_rule_say(f->change, "check the rendered file, or the text of `nginx -T` where it runs");
}

static void look_for_templates(struct uc_judge *j, const struct uc_nginx_directive *first)
{
	for (const struct uc_nginx_directive *d = first; d; d = d->next) {
		enum uc_nginx_template t = template_of(j, d);

		if (t)
			found_template(j, d, t);
		if (d->child)
			look_for_templates(j, d->child);
	}
}

void uc_rule_template(struct uc_judge *j)
{
	look_for_templates(j, uc_nginx_conf_top(j->cfg.conf));
}

static void require_number(struct uc_judge *j, const struct uc_nginx_place *p,
			   const struct uc_nginx_value *v)
{
	const struct uc_nginx_directive *d = v->from;
	char name[64], value[128] = "";
	struct uc_finding *f;

	if (!d || v->n != UC_NGINX_UNKNOWN || (d->count > 1 && uc_nginx_template(&d->words[1])))
		return;
	f = uc_rule_found(j, UC_SEVERITY_ERROR, d, p, NULL);
	if (!f)
		return;
	uc_text_escape(d->words[0].p, d->words[0].len, name, sizeof(name));
	if (d->count > 1)
		uc_text_escape(d->words[1].p, d->words[1].len, value, sizeof(value));
	uc_rule_say(f->message, "%s %s%s%s that nginx takes", name,
		    d->count > 1 ? "'" : "has no value", value,
		    d->count > 1 ? "' is no value" : "");
	uc_rule_say(f->why, "nginx does not start with it, and what was meant is unknown here");
}

void uc_rule_value_invalid(struct uc_judge *j)
{
	const struct uc_nginx_http *h = j->cfg.http;

	for (size_t i = 0; i < uc_nginx_http_groups(h); i++) {
		const struct uc_nginx_group *g = uc_nginx_http_group(h, i);

		require_number(j, NULL, &g->keepalive);
		require_number(j, NULL, &g->timeout);
		require_number(j, NULL, &g->requests);
		require_number(j, NULL, &g->time);
	}
	for (size_t i = 0; i < j->stream_count; i++) {
		require_number(j, NULL, &j->streams[i].timeout);
		require_number(j, NULL, &j->streams[i].connect_timeout);
		require_number(j, NULL, &j->streams[i].proxy_protocol);
	}
	for (size_t i = 0; i < uc_nginx_http_places(h); i++) {
		const struct uc_nginx_place *p = uc_nginx_http_place(h, i);

		require_number(j, p, &p->client_keepalive);
		for (unsigned s = 0; s < UC_NGINX_SETTING_MAX; s++)
			require_number(j, p, &p->values[s]);
	}
}
