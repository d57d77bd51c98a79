/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/var.h"

#include <errno.h>
#include <stdlib.h>

#include "core/list.h"
#include "core/nginx/word.h"

struct value {
	struct uc_nginx_word name;
	const struct uc_nginx_directive *server; /* of a `set`; NULL: in all */
	const struct uc_nginx_word *value;
	const struct uc_nginx_directive *from; /* the `set`, or the line of a table */
};

struct uc_nginx_vars {
	struct uc_list values; /* struct value, by name, server and place in the configuration */
};

static bool is_name(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       ch == '_';
}

bool uc_nginx_variable(const struct uc_nginx_word *w, struct uc_nginx_word *name,
		       struct uc_nginx_word *rest)
{
	uint32_t brace = w->len > 1 && w->p[1] == '{', from = 1 + brace, to = from;

	if (!w->len || w->p[0] != '$')
		return false;
	while (to < w->len && is_name(w->p[to]))
		to++;
	if (to == from || (brace && (to == w->len || w->p[to] != '}')))
		return false;
	*name = (struct uc_nginx_word){ w->p + from, to - from, w->at };
	to += brace;
	*rest = (struct uc_nginx_word){ w->p + to, w->len - to, w->at };
	return true;
}

static int by_name(const struct value *a, const struct value *b)
{
	int order = uc_nginx_word_order(&a->name, &b->name);

	return order ? order : (a->server > b->server) - (a->server < b->server);
}

static int by_place(const void *a, const void *b)
{
	const struct value *x = a, *y = b;
	int order = by_name(x, y);

	return order ? order : (x->from > y->from) - (x->from < y->from);
}

/* A variable that nothing tells. */
static const struct uc_nginx_word unread = { "$", 1, 0 };

static int add(struct uc_nginx_vars *v, const struct uc_nginx_word *variable,
	       const struct uc_nginx_directive *server, const struct uc_nginx_directive *from)
{
	struct value new = { .server = server, .from = from }, *added;
	struct uc_nginx_word rest;

	if (!uc_nginx_variable(variable, &new.name, &rest) || rest.len)
		return 0;
	new.value = from->unread ? &unread : &from->words[from->count - 1];
	added = uc_list_add(&v->values, sizeof(*added));
	if (!added)
		return -ENOMEM;
	*added = new;
	return 0;
}

/* "map $host $pool {", "geo $pool {", "geo $from $pool {", "split_clients KEY $pool {" */
static bool is_table(const struct uc_nginx_directive *d)
{
	return (d->count == 3 && (uc_nginx_named(d, "map") || uc_nginx_named(d, "geo") ||
				  uc_nginx_named(d, "split_clients"))) ||
	       (d->count == 2 && uc_nginx_named(d, "geo"));
}

static int collect(struct uc_nginx_vars *v, const struct uc_nginx_directive *first,
		   const struct uc_nginx_directive *server)
{
	int err = 0;

	for (const struct uc_nginx_directive *d = first; d && !err; d = d->next) {
		if (!d->body && d->count == 3 && uc_nginx_named(d, "set")) {
			err = add(v, &d->words[1], server, d);
		} else if (is_table(d)) {
			for (const struct uc_nginx_directive *e = d->child; e && !err; e = e->next)
				if (e->unread || (e->count == 2 && !uc_nginx_named(e, "include")))
					err = add(v, &d->words[d->count - 1], NULL, e);
		} else if (d->child) {
			err = collect(v, d->child, uc_nginx_named(d, "server") ? d : server);
		}
	}
	return err;
}

int uc_nginx_vars_new(const struct uc_nginx_directive *first, struct uc_nginx_vars **ret)
{
	struct uc_nginx_vars *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	if (collect(v, first, NULL)) {
		uc_nginx_vars_free(v);
		return -ENOMEM;
	}
	uc_list_sort(&v->values, sizeof(struct value), by_place);
	*ret = v;
	return 0;
}

void uc_nginx_vars_free(struct uc_nginx_vars *v)
{
	if (!v)
		return;
	free(v->values.at);
	free(v);
}

/* The first that is not before it. */
static size_t lower(const struct uc_nginx_vars *v, const struct value *key)
{
	const struct value *values = v->values.at;
	size_t from = 0, to = v->values.count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (by_name(&values[middle], key) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static const struct uc_nginx_directive *location_of(const struct uc_nginx_directive *d)
{
	while (d && !uc_nginx_named(d, "location"))
		d = d->parent;
	return d;
}

/* Of these, from the last on that holds without a condition; of nothing but the level's. */
static size_t of_level(const struct value *all, size_t count,
		       const struct uc_nginx_directive *level, const struct uc_nginx_word **values,
		       bool *always)
{
	size_t kept = 0;

	*always = false;
	for (size_t i = 0; i < count; i++) {
		if (location_of(all[i].from->parent) != level)
			continue;
		if (!uc_nginx_named(all[i].from->parent, "if")) {
			*always = true;
			kept = 0;
		}
		values[kept++] = all[i].value;
	}
	return kept;
}

/*
 * What requests of a block have, of the `set` of its server{}: the server's come first, and then
 * the location's. A location without them may be reached from another by a rewrite.
 */
static size_t narrow(const struct value *all, size_t count, const struct uc_nginx_directive *block,
		     const struct uc_nginx_word **values)
{
	const struct uc_nginx_directive *location = location_of(block);
	const struct uc_nginx_word *mine[UC_NGINX_VALUES_MAX];
	size_t own = 0, outer = 0;
	bool always = false, ignored;

	if (location)
		own = of_level(all, count, location, mine, &always);
	if (!always)
		outer = of_level(all, count, NULL, values, &ignored);
	for (size_t i = 0; i < own; i++)
		values[outer + i] = mine[i];
	if (block && own + outer)
		return own + outer;
	for (size_t i = 0; i < count; i++)
		values[i] = all[i].value;
	return count;
}

size_t uc_nginx_vars_values(const struct uc_nginx_vars *v, const struct uc_nginx_directive *server,
			    const struct uc_nginx_directive *block,
			    const struct uc_nginx_word *name,
			    const struct uc_nginx_word *values[UC_NGINX_VALUES_MAX])
{
	struct value keys[2] = { { .name = *name }, { .name = *name, .server = server } };
	const struct value *all = v->values.at;
	size_t count = 0;

	if (!v->values.count)
		return 0;
	for (size_t k = 0; k < (server ? 2 : 1); k++) {
		size_t from = lower(v, &keys[k]), to = from;

		while (to < v->values.count && !by_name(&all[to], &keys[k]))
			to++;
		if (count + (to - from) > UC_NGINX_VALUES_MAX)
			return 0;
		if (k)
			count += narrow(all + from, to - from, block, values + count);
		for (size_t i = from; i < to && !k; i++)
			values[count++] = all[i].value;
	}
	return count;
}
