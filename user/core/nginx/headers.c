/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/headers.h"

#include <errno.h>
#include <stdlib.h>

#include "core/nginx/template.h"
#include "core/nginx/var.h"
#include "core/nginx/word.h"

static bool has_token(const struct uc_nginx_word *w, const char *token)
{
	size_t n = strlen(token);

	for (size_t i = 0; i + n <= w->len; i++)
		if (!strncasecmp(w->p + i, token, n))
			return true;
	return false;
}

static bool is_variable(const struct uc_nginx_word *w, struct uc_nginx_word *name)
{
	struct uc_nginx_word rest;

	return uc_nginx_variable(w, name, &rest) && !rest.len;
}

static enum uc_nginx_connection connection_of(const struct uc_nginx_word *w)
{
	struct uc_nginx_word name;

	if (!w->len)
		return UC_NGINX_CONNECTION_NONE;
	if (is_variable(w, &name) && uc_nginx_word_is_nocase(&name, "http_connection"))
		return UC_NGINX_CONNECTION_CLIENT;
	if (uc_nginx_template(w))
		return UC_NGINX_CONNECTION_UNREAD;
	if (uc_nginx_word_has_variable(w))
		return UC_NGINX_CONNECTION_UNKNOWN;
	return has_token(w, "close")      ? UC_NGINX_CONNECTION_CLOSE :
	       has_token(w, "keep-alive") ? UC_NGINX_CONNECTION_KEEP_ALIVE :
	       has_token(w, "upgrade")    ? UC_NGINX_CONNECTION_UPGRADE :
					    UC_NGINX_CONNECTION_OTHER;
}

/* Exact keys go before patterns, which might match the empty string; the default is last. */
static void judge_map(struct uc_nginx_map *m)
{
	const struct uc_nginx_directive *empty = NULL, *other = NULL;
	struct uc_nginx_word name;
	bool pattern = false;

	if (uc_nginx_unread(m->block->child)) {
		m->connection = UC_NGINX_CONNECTION_UNREAD;
		return;
	}
	for (const struct uc_nginx_directive *d = m->block->child; d; d = d->next) {
		const struct uc_nginx_word *key = &d->words[0];

		if (d->count != 2)
			continue;
		if (!key->len)
			empty = d;
		else if (uc_nginx_word_is(key, "default"))
			other = d;
		pattern |= key->len && key->p[0] == '~';
	}
	m->entry = empty ? empty : pattern ? NULL : other;
	if (!is_variable(&m->block->words[1], &name) ||
	    !uc_nginx_word_is_nocase(&name, "http_upgrade") || (pattern && !empty))
		m->connection = UC_NGINX_CONNECTION_UNKNOWN;
	else if (!m->entry)
		m->connection = UC_NGINX_CONNECTION_NONE;
	else
		m->connection = connection_of(&m->entry->words[1]);
}

int uc_nginx_maps_add(struct uc_list *maps, const struct uc_nginx_directive *block)
{
	struct uc_nginx_word name;
	struct uc_nginx_map *m;

	if (block->count != 3 || !block->body || !is_variable(&block->words[2], &name))
		return 0;
	m = uc_list_add(maps, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->name = name;
	m->block = block;
	judge_map(m);
	return 0;
}

static int by_map(const void *a, const void *b)
{
	return uc_nginx_word_order(&((const struct uc_nginx_map *)a)->name,
				   &((const struct uc_nginx_map *)b)->name);
}

static const struct uc_nginx_map *find_map(const struct uc_list *maps,
					   const struct uc_nginx_word *w)
{
	struct uc_nginx_map key = { 0 };

	if (!is_variable(w, &key.name))
		return NULL;
	return maps->count ? bsearch(&key, maps->at, maps->count, sizeof(key), by_map) : NULL;
}

struct uc_nginx_headers uc_nginx_headers(const struct uc_list *maps, bool close_by_default,
					 const struct uc_nginx_directive *first)
{
	struct uc_nginx_headers ret = { .connection = close_by_default ? UC_NGINX_CONNECTION_CLOSE :
									 UC_NGINX_CONNECTION_NONE,
					.first = first };

	for (const struct uc_nginx_directive *d = first; d; d = d->next) {
		const struct uc_nginx_map *m;

		if (!uc_nginx_named(d, "proxy_set_header") || d->count != 3 ||
		    !uc_nginx_word_is_nocase(&d->words[1], "Connection"))
			continue;
		m = find_map(maps, &d->words[2]);
		ret.from = d;
		ret.connection = m ? m->connection : connection_of(&d->words[2]);
		ret.map = m ? m->block : NULL;
		ret.map_entry = m ? m->entry : NULL;
	}
	return ret;
}

void uc_nginx_maps_sort(struct uc_list *maps)
{
	uc_list_sort(maps, sizeof(struct uc_nginx_map), by_map);
}

static bool keeps(enum uc_nginx_connection c)
{
	return c == UC_NGINX_CONNECTION_NONE || c == UC_NGINX_CONNECTION_KEEP_ALIVE ||
	       c == UC_NGINX_CONNECTION_CLIENT;
}

void uc_nginx_headers_decide(struct uc_nginx_headers *h, const struct uc_nginx_word *const *values,
			     size_t count)
{
	bool same = true;

	for (size_t i = 0; i < count; i++) {
		enum uc_nginx_connection c = connection_of(values[i]);

		same &= c == connection_of(values[0]);
		if (keeps(c) && !keeps(h->connection))
			h->connection = c;
	}
	if (count && same && !h->map)
		h->connection = connection_of(values[0]);
	h->some = !same && keeps(h->connection);
}
