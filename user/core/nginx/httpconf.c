/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/httpconf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/nginx/target.h"
#include "core/nginx/var.h"
#include "core/nginx/word.h"

struct uc_nginx_http {
	struct uc_nginx_defaults defaults;
	uint32_t version;
	struct uc_list groups; /* struct uc_nginx_group, by name when all are known */
	struct uc_list maps;   /* struct uc_nginx_map, likewise */
	struct uc_list places;
	struct uc_nginx_vars *vars;
	struct uc_list texts; /* of targets that variables come to */
	bool whole;
	const struct uc_nginx_directive *unread; /* of its own level, or NULL */
};

/* What is in force within a block: pointers of the nearest level that has one. */
struct scope {
	const struct uc_nginx_directive *set[UC_NGINX_PROTOCOL_MAX][UC_NGINX_SETTING_MAX];
	struct uc_nginx_headers headers; /* of proxy_set_header: one level's, all or nothing */
	const struct uc_nginx_directive *client_keepalive;
	const struct uc_nginx_directive *resolver;
	const struct uc_nginx_directive *server;
	const struct uc_nginx_directive *block;
	const struct uc_nginx_directive *pass;   /* the block's own, or NULL */
	const struct uc_nginx_directive *unread; /* of this level or one above, or NULL */
};

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

/* An upstream{} may be chosen by a variable, but none where a port is behind it. */
static bool may_be_group(const struct uc_nginx_http *h, const struct uc_nginx_word *at)
{
	const struct uc_nginx_group *groups = h->groups.at;

	for (size_t i = 0; i < h->groups.count; i++)
		if (uc_nginx_authority_may_be(at, &groups[i].name))
			return true;
	return h->unread && (!at->len || at->p[at->len - 1] < '0' || at->p[at->len - 1] > '9');
}

static void aim(const struct uc_nginx_http *h, struct uc_nginx_place *p,
		const struct uc_nginx_word *target)
{
	struct uc_nginx_authority to = uc_nginx_authority(target);

	p->https = to.https;
	p->target = to.at;
	p->variable = uc_nginx_word_has_variable(&to.at);
	if (p->variable) {
		p->maybe_group = may_be_group(h, &to.at);
		return;
	}
	p->group = uc_nginx_groups_find(&h->groups, &to.at);
	p->maybe_group = !p->group && h->unread && is_name(&to.at);
	if (!p->group)
		p->direct = (struct uc_nginx_server){ .at = uc_nginx_endpoint(to.at,
									      p->https ? 443 : 80),
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

static bool same_target(const struct uc_nginx_place *a, const struct uc_nginx_place *b)
{
	if (a->group || b->group)
		return a->group == b->group;
	return a->https == b->https && uc_nginx_word_same(&a->target, &b->target);
}

static int add_choice(struct uc_nginx_http *h, const struct uc_nginx_place *p, size_t first)
{
	const struct uc_nginx_place *places = h->places.at;

	for (size_t i = first; i < h->places.count; i++)
		if (same_target(&places[i], p))
			return 0;
	return keep_place(h, p);
}

/* A place for each target that the variables may come to. */
static int add_choices(struct uc_nginx_http *h, const struct uc_nginx_place *p)
{
	size_t first = h->places.count, text = h->texts.count;
	int err = uc_nginx_targets(h->vars, p->server, p->block, &p->pass->words[1], &h->texts);

	if (!err && text == h->texts.count)
		return keep_place(h, p);
	for (; text < h->texts.count && !err; text++) {
		struct uc_nginx_place choice = *p;

		aim(h, &choice, (const struct uc_nginx_word *)h->texts.at + text);
		err = add_choice(h, &choice, first);
	}
	return err;
}

/* The header is a variable: what it has for some requests decides for these. */
static void decide_connection(const struct uc_nginx_http *h, struct uc_nginx_place *p)
{
	const struct uc_nginx_word *values[UC_NGINX_VALUES_MAX];
	const struct uc_nginx_directive *from = p->headers.from;
	struct uc_nginx_word name, rest;
	size_t count;

	if (p->headers.connection != UC_NGINX_CONNECTION_UNKNOWN || !from ||
	    !uc_nginx_variable(&from->words[2], &name, &rest) || rest.len)
		return;
	count = uc_nginx_vars_values(h->vars, p->server, p->block, &name, values);
	uc_nginx_headers_decide(&p->headers, values, count);
}

static int add_place(struct uc_nginx_http *h, const struct scope *s)
{
	struct uc_nginx_place p = { .pass = s->pass,
				    .protocol = protocol_of(s->pass),
				    .block = s->block,
				    .server = s->server,
				    .headers = s->headers,
				    .resolver = s->resolver,
				    .unread = s->unread };

	p.client_keepalive = uc_nginx_value_or(s->client_keepalive, UC_NGINX_FORM_TIME, 75000);
	for (unsigned i = 0; i < UC_NGINX_SETTING_MAX; i++)
		p.values[i] = uc_nginx_setting_value(i, s->set[p.protocol][i], &h->defaults);
	if (!h->defaults.guards_non_idempotent && p.values[UC_NGINX_NEXT_UPSTREAM].n >= 0)
		p.values[UC_NGINX_NEXT_UPSTREAM].n |= UC_NGINX_NEXT_NON_IDEMPOTENT;
	aim(h, &p, &p.pass->words[1]);
	decide_connection(h, &p);
	p.by_variable = p.variable;
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
	s->client_keepalive = s->resolver = unread;
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
	if (uc_nginx_named(d, "resolver"))
		s->resolver = d;
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

static void note_pools(struct uc_nginx_http *h)
{
	struct uc_nginx_place *places = h->places.at;

	for (size_t i = 0; i < h->places.count; i++)
		if (places[i].group && places[i].pool == UC_NGINX_POOL_KEPT)
			((struct uc_nginx_group *)places[i].group)->kept = true;
	for (size_t i = 0; i < h->places.count; i++)
		places[i].shares = (places[i].pool == UC_NGINX_POOL_CLOSE ||
				    places[i].pool == UC_NGINX_POOL_HTTP_1_0) &&
				   places[i].group->kept && !places[i].group->local;
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
	h->whole = first != uc_nginx_conf_top(conf);
	err = collect(h, first);
	if (!err)
		err = uc_nginx_vars_new(first, &h->vars);
	if (!err) {
		uc_nginx_groups_sort(&h->groups);
		uc_nginx_maps_sort(&h->maps);
		top.headers = uc_nginx_headers(&h->maps, h->defaults.connection_close, NULL);
		err = walk(h, first, NULL, &top);
		note_pools(h);
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
	uc_nginx_targets_free(&h->texts, 0);
	free(h->texts.at);
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

const struct uc_nginx_group *uc_nginx_http_find(const struct uc_nginx_http *h,
						const struct uc_nginx_word *name)
{
	return uc_nginx_groups_find(&h->groups, name);
}

bool uc_nginx_http_whole(const struct uc_nginx_http *h)
{
	return h->whole;
}

const struct uc_nginx_server *uc_nginx_place_servers(const struct uc_nginx_place *p, size_t *count)
{
	*count = p->variable ? 0 : p->group ? p->group->server_count : 1;
	return p->group ? p->group->servers : &p->direct;
}
