/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/route.h"

#include <string.h>

#include "base/util.h"

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

/* --- the server ----------------------------------------------------------------- */

/* How well a server_name fits; the best wins, of several the longest (ngx_hash_find_combined()). */
enum fit { NO_FIT, FITS_PATTERN, FITS_TAIL, FITS_HEAD, FITS_EXACTLY };

struct search {
	uint16_t port;
	const char *host; /* without port and last dot */
	uint32_t host_len;
};

static bool digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

/* "example.org:8080", "[::1]:80", "127.0.0.1" */
static struct search search_of(uint16_t port, const char *host)
{
	const char *close = host[0] == '[' ? strchr(host, ']') : NULL;
	struct search s = { .port = port, .host = host };

	s.host_len = close ? (uint32_t)(close - host) + 1 : (uint32_t)strcspn(host, ":");
	if (s.host_len && host[s.host_len - 1] == '.')
		s.host_len--;
	return s;
}

/* The address of "127.0.0.1:80"; "" for all of them: "80", "*:80", "[::]:80". */
static struct uc_nginx_word address_of(struct uc_nginx_word w)
{
	uint32_t at = w.len;

	while (at && digit(w.p[at - 1]))
		at--;
	if (!at)
		w.len = 0;
	else if (w.p[at - 1] == ':' && (w.p[0] != '[' || (at > 1 && w.p[at - 2] == ']')))
		w.len = at - 1;
	if (uc_nginx_word_is(&w, "*") || uc_nginx_word_is(&w, "0.0.0.0") ||
	    uc_nginx_word_is(&w, "[::]"))
		w.len = 0;
	return w;
}

static bool is_host(const struct search *s, const struct uc_nginx_word *w)
{
	return w->len == s->host_len && !strncasecmp(w->p, s->host, w->len);
}

/* Where servers listen at a port: a name does not tell which of several addresses it came to. */
struct addresses {
	struct uc_nginx_word first;
	bool any, several;
};

static void note_address(struct addresses *a, struct uc_nginx_word w)
{
	a->several |= a->any && (a->first.len != w.len || memcmp(a->first.p, w.p, w.len));
	if (!a->any)
		a->first = w;
	a->any = true;
}

/* The first `listen` of this port, or the server itself, which without any has port 80; NULL: none. */
static const struct uc_nginx_directive *listens(const struct uc_nginx_directive *server,
						uint16_t port, struct addresses *a)
{
	const struct uc_nginx_directive *found = NULL;
	bool told = false;

	for (const struct uc_nginx_directive *d = server->child; d; d = d->next) {
		if (!uc_nginx_named(d, "listen") || d->count < 2)
			continue;
		told = true;
		if (port_of(&d->words[1]) != port)
			continue;
		note_address(a, address_of(d->words[1]));
		found = found ? found : d;
	}
	if (told || port != 80)
		return found;
	note_address(a, (struct uc_nginx_word){ "", 0, 0 });
	return server;
}

static bool is_default(const struct uc_nginx_directive *listen)
{
	for (uint32_t i = 2; uc_nginx_named(listen, "listen") && i < listen->count; i++)
		if (uc_nginx_word_is(&listen->words[i], "default_server") ||
		    uc_nginx_word_is(&listen->words[i], "default"))
			return true;
	return false;
}

static enum fit fit_of(const struct search *s, const struct uc_nginx_word *w)
{
	const char *end = s->host + s->host_len;
	uint32_t n;

	if (is_host(s, w))
		return FITS_EXACTLY;
	/* ".example.org" is both example.org and *.example.org */
	if (w->len > 1 && w->p[0] == '.' && w->len - 1 == s->host_len &&
	    !strncasecmp(w->p + 1, s->host, s->host_len))
		return FITS_EXACTLY;
	n = w->len && w->p[0] == '.' ? 0 : w->len > 2 && w->p[0] == '*' && w->p[1] == '.';
	if ((n || (w->len > 1 && w->p[0] == '.')) && s->host_len > w->len - n &&
	    !strncasecmp(end - (w->len - n), w->p + n, w->len - n))
		return FITS_HEAD;
	if (w->len > 2 && w->p[w->len - 1] == '*' && w->p[w->len - 2] == '.' &&
	    s->host_len >= w->len && !strncasecmp(s->host, w->p, w->len - 1))
		return FITS_TAIL;
	/* nothing but running it tells what an expression matches */
	return w->len && (w->p[0] == '~' || w->p[0] == '$') ? FITS_PATTERN : NO_FIT;
}

static enum fit best_fit(const struct uc_nginx_directive *server, const struct search *s,
			 uint32_t *len)
{
	enum fit best = NO_FIT;

	*len = 0;
	for (const struct uc_nginx_directive *d = server->child; d; d = d->next)
		for (uint32_t i = 1; uc_nginx_named(d, "server_name") && i < d->count; i++) {
			enum fit fit = fit_of(s, &d->words[i]);

			if (fit < best || (fit == best && d->words[i].len <= *len))
				continue;
			best = fit;
			*len = d->words[i].len;
		}
	return best;
}

/*
 * The server that nginx takes for a request; NULL where an expression has a say, or where
 * which address it came to: a name does not tell that.
 */
static const struct uc_nginx_directive *server_of(const struct uc_nginx_directive *first,
						  const struct search *s)
{
	const struct uc_nginx_directive *found = NULL, *otherwise = NULL;
	struct addresses addresses = { .any = false };
	bool by_default = false;
	enum fit best = NO_FIT;
	uint32_t longest = 0;
	size_t count = 0;

	for (const struct uc_nginx_directive *d = first; d; d = d->next) {
		const struct uc_nginx_directive *listen = uc_nginx_named(d, "server") ?
								  listens(d, s->port, &addresses) :
								  NULL;
		uint32_t len;
		enum fit fit;

		if (!listen)
			continue;
		count++;
		if (!otherwise || (!by_default && is_default(listen)))
			otherwise = d;
		by_default |= is_default(listen);
		fit = best_fit(d, s, &len);
		/* of the same name twice nginx takes the first */
		if (fit < best || (fit == best && len <= longest))
			continue;
		best = fit;
		longest = len;
		found = d;
	}
	if (count > 1 && (addresses.several || best == FITS_PATTERN))
		return NULL;
	return count == 1 || best == NO_FIT ? otherwise : found;
}

/* --- the location ------------------------------------------------------------------- */

/* What may lead a request to another place than its path says. */
static bool diverts(const struct uc_nginx_directive *block)
{
	static const char *const names[] = { "if", "rewrite", "return", "try_files",
					     "limit_except" };

	for (const struct uc_nginx_directive *d = block->child; d; d = d->next)
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (uc_nginx_named(d, names[i]))
				return true;
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

enum found { NOWHERE, FOUND, EXACTLY, UNSURE };

/*
 * The longest prefix, within it the locations nested there, and behind them the
 * expressions of each level. Recursion is bounded by the depth of blocks that the
 * parser allows.
 */
static enum found location_of(const struct uc_nginx_directive *block, const char *path,
			      const struct uc_nginx_directive **ret)
{
	const struct uc_nginx_directive *best = NULL;
	uint32_t n = strlen(path), longest = 0;
	bool patterns = false, only = false;
	enum found nested = NOWHERE;

	for (const struct uc_nginx_directive *d = block->child; d; d = d->next) {
		struct uc_nginx_word w;
		enum match m;

		if (!uc_nginx_named(d, "location"))
			continue;
		m = match_of(d, &w);
		if (m == EXACT && uc_nginx_word_is(&w, path)) {
			*ret = d;
			return EXACTLY;
		}
		patterns |= m == PATTERN;
		if ((m != PREFIX && m != PREFIX_ONLY) || w.len > n || memcmp(w.p, path, w.len) ||
		    (best && w.len <= longest))
			continue;
		best = d;
		longest = w.len;
		only = m == PREFIX_ONLY;
	}
	if (best) {
		*ret = best;
		nested = location_of(best, path, ret);
	}
	if (nested == EXACTLY || nested == UNSURE)
		return nested;
	return patterns && !only ? UNSURE : best ? FOUND : NOWHERE;
}

bool uc_nginx_route(const struct uc_nginx_directive *first, const struct uc_nginx_place *p,
		    uint16_t port, const char *host, const char *path)
{
	const struct uc_nginx_directive *at = NULL;
	struct search s = search_of(port, host);
	enum found found;

	/* nginx unescapes a path and resolves its dots and doubled slashes first */
	if (path[0] != '/' || strchr(path, '%') || strstr(path, "//") || strstr(path, "/."))
		return false;
	if (!p->server || !p->block || diverts(p->server) || diverts(p->block))
		return false;
	if (server_of(p->server->parent ? p->server->parent->child : first, &s) != p->server)
		return false;
	found = location_of(p->server, path, &at);
	return (found == FOUND || found == EXACTLY) && at == p->block;
}
