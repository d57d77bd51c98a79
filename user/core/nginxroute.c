/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginxroute.h"

#include <string.h>

/* "80", "127.0.0.1:80", "[::]:80"; without a port it is 80. 0: no TCP port. */
static uint32_t port_of(const struct uc_nginx_word *w)
{
	uint32_t from = w->len, n = 0;

	if (w->len >= 5 && !memcmp(w->p, "unix:", 5))
		return 0;
	while (from && w->p[from - 1] >= '0' && w->p[from - 1] <= '9')
		from--;
	if (from == w->len || (from && w->p[from - 1] != ':'))
		return 80;
	for (; from < w->len && n < 65536; from++)
		n = n * 10 + (w->p[from] - '0');
	return n;
}

static bool listens(const struct uc_nginx_directive *server, uint16_t port)
{
	bool told = false;

	for (const struct uc_nginx_directive *d = server->child; d; d = d->next) {
		if (!uc_nginx_named(d, "listen") || d->count < 2)
			continue;
		told = true;
		if (port_of(&d->words[1]) == port)
			return true;
	}
	return !told && port == 80;
}

/* Of several servers at a port the Host header decides, which a URL does not tell. */
static bool alone_at(const struct uc_nginx_directive *first,
		     const struct uc_nginx_directive *server, uint16_t port)
{
	for (const struct uc_nginx_directive *d = server->parent ? server->parent->child : first; d;
	     d = d->next)
		if (d != server && uc_nginx_named(d, "server") && listens(d, port))
			return false;
	return listens(server, port);
}

/* What may lead a request to another place than its path says. */
static bool diverts(const struct uc_nginx_directive *block, bool locations)
{
	static const char *const names[] = { "if", "rewrite", "return", "try_files",
					     "limit_except" };

	for (const struct uc_nginx_directive *d = block->child; d; d = d->next) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (uc_nginx_named(d, names[i]))
				return true;
		if (locations && uc_nginx_named(d, "location"))
			return true;
	}
	return false;
}

enum match { PREFIX, PREFIX_ONLY, EXACT, PATTERN, NAMED };

/* "location = /x" and "location =/x" are the same. */
static enum match match_of(const struct uc_nginx_directive *d, struct uc_nginx_word *ret)
{
	struct uc_nginx_word w = d->count > 1 ? d->words[1] : (struct uc_nginx_word){ "", 0, 0 };
	enum match m = PREFIX;
	uint32_t skip = 0;

	if (w.len && w.p[0] == '@')
		m = NAMED;
	else if (w.len && w.p[0] == '~')
		m = PATTERN;
	else if (w.len && w.p[0] == '=')
		m = EXACT, skip = 1;
	else if (w.len > 1 && w.p[0] == '^' && w.p[1] == '~')
		m = PREFIX_ONLY, skip = 2;
	w.p += skip;
	w.len -= skip;
	*ret = d->count > 2 ? d->words[2] : w;
	return m;
}

static const struct uc_nginx_directive *location_of(const struct uc_nginx_directive *server,
						    const char *path)
{
	const struct uc_nginx_directive *best = NULL;
	uint32_t n = strlen(path), longest = 0;
	bool patterns = false, only = false;

	for (const struct uc_nginx_directive *d = server->child; d; d = d->next) {
		struct uc_nginx_word w;
		enum match m;

		if (!uc_nginx_named(d, "location"))
			continue;
		m = match_of(d, &w);
		if (m == EXACT && uc_nginx_word_is(&w, path))
			return d;
		patterns |= m == PATTERN;
		if ((m != PREFIX && m != PREFIX_ONLY) || w.len > n || memcmp(w.p, path, w.len) ||
		    (best && w.len <= longest))
			continue;
		best = d;
		longest = w.len;
		only = m == PREFIX_ONLY;
	}
	return patterns && !only ? NULL : best;
}

bool uc_nginx_route(const struct uc_nginx_directive *first, const struct uc_nginx_place *p,
		    uint16_t port, const char *path)
{
	/* nginx unescapes a path and resolves its dots and doubled slashes first */
	if (path[0] != '/' || strchr(path, '%') || strstr(path, "//") || strstr(path, "/."))
		return false;
	return p->server && p->block && alone_at(first, p->server, port) &&
	       !diverts(p->server, false) && location_of(p->server, path) == p->block &&
	       !diverts(p->block, true);
}
