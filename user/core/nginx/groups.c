/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/groups.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "core/nginx/word.h"

static uint16_t port_of(const struct uc_nginx_word *w, uint32_t from, uint16_t otherwise)
{
	uint32_t n = 0;

	if (from == w->len)
		return otherwise;
	for (uint32_t i = from; i < w->len; i++) {
		if (w->p[i] < '0' || w->p[i] > '9' || n > 65535)
			return 0;
		n = n * 10 + (w->p[i] - '0');
	}
	return n <= 65535 ? n : 0;
}

struct uc_nginx_endpoint uc_nginx_endpoint(struct uc_nginx_word w, uint16_t port)
{
	struct uc_nginx_endpoint e = { .port = port };
	const char *close, *colon;

	if (uc_nginx_word_starts(&w, "unix:")) {
		e.host = uc_nginx_word_part(&w, 5, w.len);
		e.unix_socket = true;
		e.port = 0;
		return e;
	}
	close = w.len && w.p[0] == '[' ? memchr(w.p, ']', w.len) : NULL;
	if (close) {
		uint32_t behind = close - w.p + 1;

		e.host = uc_nginx_word_part(&w, 1, behind - 1);
		e.port = port_of(&w, behind + (behind < w.len && w.p[behind] == ':'), port);
		return e;
	}
	colon = w.len ? memchr(w.p, ':', w.len) : NULL;
	e.host = uc_nginx_word_part(&w, 0, colon ? colon - w.p : w.len);
	if (colon)
		e.port = port_of(&w, colon - w.p + 1, port);
	return e;
}

static int add_server(struct uc_nginx_group *g, const struct uc_nginx_directive *d)
{
	struct uc_nginx_server *s;

	/* full at each power of two */
	if (!(g->server_count & (g->server_count - 1))) {
		size_t room = g->server_count ? 2 * g->server_count : 1;
		struct uc_nginx_server *more = reallocarray(g->servers, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		g->servers = more;
	}
	s = &g->servers[g->server_count++];
	*s = (struct uc_nginx_server){ .at = uc_nginx_endpoint(d->words[1], 80), .from = d };
	for (uint32_t i = 2; i < d->count; i++) {
		s->backup |= uc_nginx_word_is(&d->words[i], "backup");
		s->down |= uc_nginx_word_is(&d->words[i], "down");
	}
	return 0;
}

/* Each sets how peers are chosen, and what came before is forgotten ("load balancing method redefined"). */
static bool is_method(const struct uc_nginx_directive *d)
{
	static const char *const names[] = { "least_conn", "ip_hash", "hash", "random",
					     "least_time" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (uc_nginx_named(d, names[i]))
			return true;
	return false;
}

int uc_nginx_groups_add(struct uc_list *groups, const struct uc_nginx_defaults *defaults,
			const struct uc_nginx_directive *block)
{
	const struct uc_nginx_directive *keepalive = NULL, *timeout = NULL, *requests = NULL,
					*time = NULL;
	struct uc_nginx_group *g;

	if (block->count != 2 || !block->body)
		return 0;
	g = uc_list_add(groups, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->block = block;
	g->name = block->words[1];
	g->unread = uc_nginx_unread(block->child);
	keepalive = timeout = requests = time = g->unread;
	for (const struct uc_nginx_directive *d = block->child; d; d = d->next) {
		if (uc_nginx_named(d, "server") && d->count > 1 && add_server(g, d))
			return -ENOMEM;
		keepalive = uc_nginx_named(d, "keepalive") ? d : keepalive;
		timeout = uc_nginx_named(d, "keepalive_timeout") ? d : timeout;
		requests = uc_nginx_named(d, "keepalive_requests") ? d : requests;
		time = uc_nginx_named(d, "keepalive_time") ? d : time;
		if (keepalive && keepalive != g->unread && is_method(d) && !defaults->any_order)
			g->overrides = d;
	}
	g->keepalive = uc_nginx_value_or(keepalive, UC_NGINX_FORM_NUMBER, defaults->keepalive);
	g->local = keepalive ? keepalive != g->unread && keepalive->count > 2 &&
				       uc_nginx_word_is(&keepalive->words[2], "local") :
			       defaults->local;
	g->timeout = uc_nginx_value_or(timeout, UC_NGINX_FORM_TIME, defaults->timeout);
	g->requests = uc_nginx_value_or(requests, UC_NGINX_FORM_NUMBER, defaults->requests);
	g->time = uc_nginx_value_or(time, UC_NGINX_FORM_TIME, defaults->time);
	return 0;
}

static int by_group(const void *a, const void *b)
{
	const struct uc_nginx_group *x = a, *y = b;
	int order = uc_nginx_word_order(&x->name, &y->name);

	/* the same name twice is refused by nginx; the order is then at least a steady one */
	return order ? order : (x->block > y->block) - (x->block < y->block);
}

static int by_group_name(const void *key, const void *item)
{
	return uc_nginx_word_order(key, &((const struct uc_nginx_group *)item)->name);
}

const struct uc_nginx_group *uc_nginx_groups_find(const struct uc_list *groups,
						  const struct uc_nginx_word *name)
{
	const struct uc_nginx_group *all = groups->at, *g;

	g = groups->count ? bsearch(name, all, groups->count, sizeof(*all), by_group_name) : NULL;
	while (g && g > all && uc_nginx_word_same(&g[-1].name, name))
		g--;
	return g;
}

void uc_nginx_groups_sort(struct uc_list *groups)
{
	uc_list_sort(groups, sizeof(struct uc_nginx_group), by_group);
}

void uc_nginx_groups_free(struct uc_list *groups)
{
	for (size_t i = 0; i < groups->count; i++)
		free(((struct uc_nginx_group *)groups->at)[i].servers);
	free(groups->at);
}
