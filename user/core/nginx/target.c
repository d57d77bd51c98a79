/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/target.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "core/nginx/word.h"

/* A variable within a variable within .. */
#define DEPTH_MAX 8

struct way {
	const struct uc_nginx_vars *vars;
	const struct uc_nginx_directive *server, *block;
	struct uc_list *texts;
	size_t first; /* of texts that are this target's */
	bool too_many;
};

/* Where the scheme ends, also one that is a variable; 0: there is none. */
static uint32_t behind_scheme(const struct uc_nginx_word *w)
{
	const char *mark = w->len ? memmem(w->p, w->len, "://", 3) : NULL;

	if (!mark || uc_nginx_word_starts(w, "unix:"))
		return 0;
	return mark + 3 - w->p;
}

/* The request's own path, behind the name of the server. */
static bool is_path(const struct uc_nginx_word *w)
{
	static const char *const names[] = { "uri", "request_uri", "document_uri", "is_args",
					     "args" };
	struct uc_nginx_word name, rest;

	if (!uc_nginx_variable(w, &name, &rest))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (uc_nginx_word_is_nocase(&name, names[i]))
			return true;
	return false;
}

/* The path of a unix socket ends with a colon: unix:/run/app.sock:/uri */
static uint32_t authority_end(const struct uc_nginx_word *w, uint32_t from)
{
	struct uc_nginx_word rest = uc_nginx_word_part(w, from, w->len);
	bool socket = uc_nginx_word_starts(&rest, "unix:");

	for (uint32_t i = from + (socket ? 5 : 0); i < w->len; i++) {
		rest = uc_nginx_word_part(w, i, w->len);
		if (w->p[i] == (socket ? ':' : '/') || is_path(&rest))
			return i;
	}
	return w->len;
}

struct uc_nginx_authority uc_nginx_authority(const struct uc_nginx_word *target)
{
	uint32_t from = behind_scheme(target);

	return (struct uc_nginx_authority){
		.at = uc_nginx_word_part(target, from, authority_end(target, from)),
		.https = uc_nginx_word_starts(target, "https://") ||
			 uc_nginx_word_starts(target, "grpcs://"),
	};
}

/* Takes text over. */
static int keep(struct way *way, char *text, uint32_t len)
{
	struct uc_nginx_word *word = NULL;

	way->too_many |= way->texts->count - way->first == UC_NGINX_VALUES_MAX;
	if (!way->too_many)
		word = uc_list_add(way->texts, sizeof(*word));
	if (word)
		*word = (struct uc_nginx_word){ text, len, 0 };
	else
		free(text);
	return word || way->too_many ? 0 : -ENOMEM;
}

/* The text with a value in the place of [at, behind). NULL: no memory. */
static char *replaced(const struct uc_nginx_word *text, uint32_t at, uint32_t behind,
		      const struct uc_nginx_word *value, uint32_t *len)
{
	char *new = malloc((size_t)text->len + value->len + 1);

	if (!new)
		return NULL;
	memcpy(new, text->p, at);
	if (value->len)
		memcpy(new + at, value->p, value->len);
	memcpy(new + at + value->len, text->p + behind, text->len - behind);
	*len = text->len - (behind - at) + value->len;
	return new;
}

static int expand(struct way *way, char *text, uint32_t len, unsigned depth);

/* One after the other in the place of the variable. */
static int expand_each(struct way *way, const struct uc_nginx_word *text, uint32_t at,
		       uint32_t behind, const struct uc_nginx_word *name, unsigned depth,
		       bool *known)
{
	const struct uc_nginx_word *values[UC_NGINX_VALUES_MAX];
	size_t count = uc_nginx_vars_values(way->vars, way->server, way->block, name, values);
	int err = 0;

	*known = count && depth < DEPTH_MAX;
	for (size_t i = 0; i < count && *known && !err && !way->too_many; i++) {
		uint32_t len;
		char *new = replaced(text, at, behind, values[i], &len);

		err = new ? expand(way, new, len, depth + 1) : -ENOMEM;
	}
	return err;
}

/* Takes text over. Recursion is bounded by DEPTH_MAX. */
static int expand(struct way *way, char *text, uint32_t len, unsigned depth)
{
	struct uc_nginx_word w = { text, len, 0 };
	uint32_t scheme = behind_scheme(&w), end = authority_end(&w, scheme);

	for (uint32_t i = 0; i < end; i++) {
		struct uc_nginx_word here = uc_nginx_word_part(&w, i, len), name, rest;
		bool known;
		int err;

		if (!uc_nginx_variable(&here, &name, &rest))
			continue;
		err = expand_each(way, &w, i, len - rest.len, &name, depth, &known);
		if (!known && !err)
			continue;
		free(text);
		return err;
	}
	return keep(way, text, end);
}

int uc_nginx_targets(const struct uc_nginx_vars *v, const struct uc_nginx_directive *server,
		     const struct uc_nginx_directive *block, const struct uc_nginx_word *target,
		     struct uc_list *texts)
{
	struct way way = { v, server, block, texts, texts->count, false };
	char *copy = malloc((size_t)target->len + 1);
	int err;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, target->p, target->len);
	err = expand(&way, copy, target->len, 0);
	if (err || way.too_many)
		uc_nginx_targets_free(texts, way.first);
	return err;
}

void uc_nginx_targets_free(struct uc_list *texts, size_t from)
{
	struct uc_nginx_word *all = texts->at;

	for (size_t i = from; i < texts->count; i++)
		free((char *)all[i].p);
	texts->count = from;
}

/* What is behind the last variable. */
static struct uc_nginx_word known_end(const struct uc_nginx_word *at)
{
	const char *last = memrchr(at->p, '$', at->len);
	struct uc_nginx_word from = uc_nginx_word_part(at, last - at->p, at->len), name, rest;

	return uc_nginx_variable(&from, &name, &rest) ? rest :
							uc_nginx_word_part(at, at->len, at->len);
}

bool uc_nginx_authority_may_be(const struct uc_nginx_word *at, const struct uc_nginx_word *name)
{
	uint32_t begin = (const char *)memchr(at->p, '$', at->len) - at->p;
	struct uc_nginx_word end = known_end(at);

	return name->len >= begin + end.len && !strncasecmp(name->p, at->p, begin) &&
	       !strncasecmp(name->p + name->len - end.len, end.p, end.len);
}

bool uc_nginx_authority_named(const struct uc_nginx_word *at)
{
	for (uint32_t i = 0; i < at->len && at->p[i] != ':'; i++) {
		struct uc_nginx_word here = uc_nginx_word_part(at, i, at->len), name, rest;
		char ch = at->p[i];

		if (ch == '[')
			return false;
		if (uc_nginx_variable(&here, &name, &rest)) {
			/* what clients send for a name seldom is an address */
			if (uc_nginx_word_is_nocase(&name, "host") ||
			    uc_nginx_word_is_nocase(&name, "http_host"))
				return true;
			i = at->len - rest.len - 1;
		} else if (ch != '.' && ch != '$' && (ch < '0' || ch > '9')) {
			return !uc_nginx_word_starts(at, "unix:");
		}
	}
	return false;
}
