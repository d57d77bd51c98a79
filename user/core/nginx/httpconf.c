/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/httpconf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/nginx/var.h"
#include "core/nginx/word.h"

struct uc_nginx_http {
	struct uc_nginx_defaults defaults;
	uint32_t version;
	struct uc_list groups; /* struct uc_nginx_group, by name when all are known */
	struct uc_list maps;   /* struct uc_nginx_map, likewise */
	struct uc_list places;
	struct uc_nginx_vars *vars;
	const struct uc_nginx_directive *unread; /* of its own level, or NULL */
};

/* What is in force within a block: pointers of the nearest level that has one. */
struct scope {
	const struct uc_nginx_directive *set[UC_NGINX_PROTOCOL_MAX][UC_NGINX_SETTING_MAX];
	struct uc_nginx_headers headers; /* of proxy_set_header: one level's, all or nothing */
	const struct uc_nginx_directive *client_keepalive;
	const struct uc_nginx_directive *server;
	const struct uc_nginx_directive *block;
	const struct uc_nginx_directive *pass;   /* the block's own, or NULL */
	const struct uc_nginx_directive *unread; /* of this level or one above, or NULL */
};

/* The authority of "http://host:port/uri"; of the other protocols the whole. */
static struct uc_nginx_word authority_of(struct uc_nginx_place *p, const struct uc_nginx_word *w)
{
	static const char *const schemes[] = { "http://", "https://", "grpc://", "grpcs://" };
	struct uc_nginx_word rest = *w;

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (uc_nginx_word_starts(w, schemes[i])) {
			p->https = i & 1;
			rest = uc_nginx_word_part(w, strlen(schemes[i]), w->len);
		}
	/* the path of a unix socket ends with a colon: unix:/run/app.sock:/uri */
	for (uint32_t i = uc_nginx_word_starts(&rest, "unix:") ? 5 : 0; i < rest.len; i++)
		if (uc_nginx_word_starts(&rest, "unix:") ? rest.p[i] == ':' : rest.p[i] == '/')
			return uc_nginx_word_part(&rest, 0, i);
	return rest;
}

/* An upstream{} has a name without a port, and nobody gives it an address for one. */
static bool is_name(const struct uc_nginx_word *w)
{
	bool letters = false;

	for (uint32_t i = 0; i < w->len; i++) {
		if (w->p[i] == ':')
			return false;
		letters |= w->p[i] != '.' && (w->p[i] < '0' || w->p[i] > '9');
	}
	return letters;
}

static void aim(const struct uc_nginx_http *h, struct uc_nginx_place *p,
		const struct uc_nginx_word *target)
{
	struct uc_nginx_word authority = authority_of(p, target);
	uint16_t port = p->https ? 443 : 80;

	p->variable = uc_nginx_word_has_variable(&authority);
	if (p->variable)
		return;
	p->group = uc_nginx_groups_find(&h->groups, &authority);
	p->maybe_group = !p->group && h->unread && is_name(&authority);
	if (!p->group)
		p->direct = (struct uc_nginx_server){ .at = uc_nginx_endpoint(authority, port),
						      .from = p->pass };
}

static enum uc_nginx_protocol protocol_of(const struct uc_nginx_directive *pass)
{
	unsigned p = 0;

	while (p < UC_NGINX_PROTOCOL_MAX &&
	       !uc_nginx_word_starts(&pass->words[0], uc_nginx_protocol_name(p)))
		p++;
	return p;
}

static int keep_place(struct uc_nginx_http *h, const struct uc_nginx_place *p)
{
	struct uc_nginx_place *new;

	if (h->places.count == UC_NGINX_MAX_PLACES)
		return -E2BIG;
	new = uc_list_add(&h->places, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = *p;
	new->pool = uc_nginx_pool(new);
	return 0;
}

/* "$pool" as all of a target or as its name, as far as what is behind is but the request's own. */
static bool chooses(const struct uc_nginx_place *p, const struct uc_nginx_word *target,
		    struct uc_nginx_word *name)
{
	struct uc_nginx_place ignored = *p;
	struct uc_nginx_word authority = authority_of(&ignored, target), rest;

	return uc_nginx_variable(&authority, name, &rest) &&
	       (!rest.len || uc_nginx_word_starts(&rest, "$request_uri") ||
		uc_nginx_word_starts(&rest, "$uri"));
}

static bool has_group(const struct uc_nginx_group *const *groups, size_t count,
		      const struct uc_nginx_group *g)
{
	for (size_t i = 0; i < count; i++)
		if (groups[i] == g)
			return true;
	return false;
}

/* A place for each group that the variable may name, and one for what else it may be. */
static int add_choices(struct uc_nginx_http *h, const struct uc_nginx_place *p)
{
	const struct uc_nginx_word *values[UC_NGINX_VALUES_MAX], *target = &p->pass->words[1];
	const struct uc_nginx_group *groups[UC_NGINX_VALUES_MAX];
	size_t count = 0, known = 0;
	struct uc_nginx_word name;
	bool others = false;
	int err = 0;

	if (chooses(p, target, &name))
		count = uc_nginx_vars_values(h->vars, p->server, &name, values);
	for (size_t i = 0; i < count && !err; i++) {
		struct uc_nginx_place choice = *p;

		aim(h, &choice, values[i]);
		others |= !choice.group;
		if (!choice.group || has_group(groups, known, choice.group))
			continue;
		groups[known++] = choice.group;
		err = keep_place(h, &choice);
	}
	return !err && (others || !count) ? keep_place(h, p) : err;
}

static int add_place(struct uc_nginx_http *h, const struct scope *s)
{
	struct uc_nginx_place p = { .pass = s->pass,
				    .protocol = protocol_of(s->pass),
				    .block = s->block,
				    .server = s->server,
				    .headers = s->headers,
				    .unread = s->unread };

	p.client_keepalive = uc_nginx_value_or(s->client_keepalive, UC_NGINX_FORM_TIME, 75000);
	for (unsigned i = 0; i < UC_NGINX_SETTING_MAX; i++)
		p.values[i] = uc_nginx_setting_value(i, s->set[p.protocol][i], &h->defaults);
	if (!h->defaults.guards_non_idempotent && p.values[UC_NGINX_NEXT_UPSTREAM].n >= 0)
		p.values[UC_NGINX_NEXT_UPSTREAM].n |= UC_NGINX_NEXT_NON_IDEMPOTENT;
	aim(h, &p, &p.pass->words[1]);
	return p.variable ? add_choices(h, &p) : keep_place(h, &p);
}

/* PROTOCOL_SETTING or PROTOCOL_pass */
static void note_setting(struct scope *s, const struct uc_nginx_directive *d)
{
	const struct uc_nginx_word *name = &d->words[0];

	for (unsigned p = 0; p < UC_NGINX_PROTOCOL_MAX; p++) {
		const char *protocol = uc_nginx_protocol_name(p);
		uint32_t n = strlen(protocol);
		struct uc_nginx_word rest;

		if (!uc_nginx_word_starts(name, protocol) || name->len <= n || name->p[n] != '_')
			continue;
		rest = uc_nginx_word_part(name, n + 1, name->len);
		if (uc_nginx_word_is(&rest, "pass") && d->count == 2)
			s->pass = d;
		for (unsigned i = 0; i < UC_NGINX_SETTING_MAX; i++)
			if (uc_nginx_word_is(&rest, uc_nginx_setting_name(i)))
				s->set[p][i] = d;
	}
}

/*
 * What was not read at a level may set whatever the level does not set itself: nginx takes
 * no directive twice, so that what stands here is the level's.
 */
static void hide(struct scope *s, const struct uc_nginx_directive *unread)
{
	if (!unread)
		return;
	s->unread = unread;
	s->client_keepalive = unread;
	s->headers = (struct uc_nginx_headers){ .connection = UC_NGINX_CONNECTION_UNREAD };
	for (unsigned p = 0; p < UC_NGINX_PROTOCOL_MAX; p++)
		for (unsigned i = 0; i < UC_NGINX_SETTING_MAX; i++)
			s->set[p][i] = unread;
}

static void note(const struct uc_nginx_http *h, struct scope *s, const struct uc_nginx_directive *d,
		 bool *headers)
{
	note_setting(s, d);
	if (uc_nginx_named(d, "keepalive_timeout"))
		s->client_keepalive = d;
	if (uc_nginx_named(d, "proxy_set_header") && !*headers) {
		s->headers = uc_nginx_headers(&h->maps, h->defaults.connection_close, d);
		*headers = true;
	}
}

/*
 * No location inherits a pass. An `if` within a location may have its own, and
 * nothing else that counts here: nginx refuses the other directives there.
 */
static bool entered(const struct uc_nginx_directive *d)
{
	return d->child && (uc_nginx_named(d, "server") || uc_nginx_named(d, "location") ||
			    uc_nginx_named(d, "if") || uc_nginx_named(d, "limit_except"));
}

/* Recursion is bounded by the depth of blocks that the parser allows. */
static int walk(struct uc_nginx_http *h, const struct uc_nginx_directive *first,
		const struct uc_nginx_directive *block, const struct scope *above)
{
	struct scope s = *above;
	bool headers = false;
	int err = 0;

	s.block = block;
	s.pass = NULL;
	if (block && uc_nginx_named(block, "server"))
		s.server = block;
	hide(&s, uc_nginx_unread(first));
	for (const struct uc_nginx_directive *d = first; d; d = d->next)
		if (!d->body)
			note(h, &s, d, &headers);
	if (headers && !s.headers.from && uc_nginx_unread(first))
		s.headers.connection = UC_NGINX_CONNECTION_UNREAD;
	if (s.pass && block)
		err = add_place(h, &s);
	for (const struct uc_nginx_directive *d = first; d && !err; d = d->next)
		if (entered(d))
			err = walk(h, d->child, d, &s);
	return err;
}

static int collect(struct uc_nginx_http *h, const struct uc_nginx_directive *first)
{
	int err = 0;

	for (const struct uc_nginx_directive *d = first; d && !err; d = d->next) {
		if (uc_nginx_named(d, "upstream"))
			err = uc_nginx_groups_add(&h->groups, &h->defaults, d);
		else if (uc_nginx_named(d, "map"))
			err = uc_nginx_maps_add(&h->maps, d);
	}
	return err;
}

/* A file of conf.d/ alone has no http{} around it; its top is taken for one. */
static const struct uc_nginx_directive *http_of_conf(const struct uc_nginx_conf *conf)
{
	for (const struct uc_nginx_directive *d = uc_nginx_conf_top(conf); d; d = d->next)
		if (uc_nginx_named(d, "http") && d->body)
			return d->child;
	return uc_nginx_conf_top(conf);
}

int uc_nginx_http_new(const struct uc_nginx_conf *conf, uint32_t version,
		      struct uc_nginx_http **ret)
{
	const struct uc_nginx_directive *first = http_of_conf(conf);
	struct uc_nginx_http *h = calloc(1, sizeof(*h));
	struct scope top = { 0 };
	int err;

	if (!h)
		return -ENOMEM;
	h->version = version;
	h->defaults = uc_nginx_defaults(version);
	h->unread = uc_nginx_unread(first);
	err = collect(h, first);
	if (!err)
		err = uc_nginx_vars_new(first, &h->vars);
	if (!err) {
		uc_nginx_groups_sort(&h->groups);
		uc_nginx_maps_sort(&h->maps);
		top.headers = uc_nginx_headers(&h->maps, h->defaults.connection_close, NULL);
		err = walk(h, first, NULL, &top);
	}
	if (err) {
		uc_nginx_http_free(h);
		return err;
	}
	*ret = h;
	return 0;
}

void uc_nginx_http_free(struct uc_nginx_http *h)
{
	if (!h)
		return;
	uc_nginx_groups_free(&h->groups);
	free(h->maps.at);
	free(h->places.at);
	uc_nginx_vars_free(h->vars);
	free(h);
}

uint32_t uc_nginx_http_version(const struct uc_nginx_http *h)
{
	return h->version;
}

size_t uc_nginx_http_places(const struct uc_nginx_http *h)
{
	return h->places.count;
}

const struct uc_nginx_place *uc_nginx_http_place(const struct uc_nginx_http *h, size_t i)
{
	return (const struct uc_nginx_place *)h->places.at + i;
}

size_t uc_nginx_http_groups(const struct uc_nginx_http *h)
{
	return h->groups.count;
}

const struct uc_nginx_group *uc_nginx_http_group(const struct uc_nginx_http *h, size_t i)
{
	return (const struct uc_nginx_group *)h->groups.at + i;
}

const struct uc_nginx_directive *uc_nginx_http_unread(const struct uc_nginx_http *h)
{
	return h->unread;
}

const struct uc_nginx_server *uc_nginx_place_servers(const struct uc_nginx_place *p, size_t *count)
{
	*count = p->variable ? 0 : p->group ? p->group->server_count : 1;
	return p->group ? p->group->servers : &p->direct;
}
