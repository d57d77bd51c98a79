/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/httpconf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/nginx/var.h"

/* --- versions ------------------------------------------------------------------- */

static bool digits(const char **p, unsigned max, unsigned *ret)
{
	unsigned n = 0;
	const char *at = *p;

	while (*at >= '0' && *at <= '9') {
		n = n * 10 + (*at++ - '0');
		if (n > max)
			return false;
	}
	if (at == *p)
		return false;
	*p = at;
	*ret = n;
	return true;
}

bool uc_nginx_version_parse(const char *text, uint32_t *ret)
{
	static const char *const names[] = { "nginx/", "openresty/", "freenginx/" };
	/* of a branch without its patch: the newest */
	unsigned major, minor, patch = 999;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(text, names[i], strlen(names[i])))
			text += strlen(names[i]);
	if (!digits(&text, 99, &major) || *text++ != '.' || !digits(&text, 999, &minor))
		return false;
	if (*text == '.') {
		text++;
		if (!digits(&text, 999, &patch))
			return false;
	}
	if (*text && *text != ' ' && *text != '\n' && *text != '.')
		return false;
	*ret = UC_NGINX_VERSION(major, minor, patch);
	return true;
}

struct defaults {
	int64_t http_version;
	bool connection_close; /* is sent */
	int64_t keepalive;
	bool local;
	int64_t timeout, requests, time;
	bool guards_non_idempotent;
	bool any_order; /* of keepalive and the balancing method */
};

/*
 * 1.9.13 no repeat of POST, LOCK, PATCH; 1.15.3 keepalive_timeout 60s and
 * keepalive_requests 100 in upstream{}; 1.19.10 the latter 1000, and
 * keepalive_time 1h; 1.29.7 keep-alive on, whatever stands behind it.
 */
static struct defaults defaults_of(uint32_t version)
{
	bool on = version >= UC_NGINX_VERSION(1, 29, 7);
	bool timeouts = version >= UC_NGINX_VERSION(1, 15, 3);
	bool thousand = version >= UC_NGINX_VERSION(1, 19, 10);

	return (struct defaults){
		.http_version = on ? 11 : 10,
		.connection_close = !on,
		.keepalive = on ? 32 : 0,
		.local = on,
		.timeout = timeouts ? 60000 : UC_NGINX_NEVER,
		.requests = thousand ? 1000 :
			    timeouts ? 100 :
				       0,
		.time = thousand ? 3600000 : UC_NGINX_NEVER,
		.guards_non_idempotent = version >= UC_NGINX_VERSION(1, 9, 13),
		.any_order = on,
	};
}

/* --- words ------------------------------------------------------------------------- */

struct unit {
	const char *name;
	int64_t is;
};

static int64_t unit_of(const char **p, const char *end, const struct unit *units, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(units[i].name);

		if ((size_t)(end - *p) < n || memcmp(*p, units[i].name, n))
			continue;
		*p += n;
		return units[i].is;
	}
	return UC_NGINX_UNKNOWN;
}

/* ngx_parse_time(): numbers with a unit each, a last one without is seconds. */
int64_t uc_nginx_time(const char *p, size_t len)
{
	static const struct unit units[] = {
		{ "ms", 1 },       { "y", 31536000000 }, { "M", 2592000000 }, { "w", 604800000 },
		{ "d", 86400000 }, { "h", 3600000 },     { "m", 60000 },      { "s", 1000 },
	};
	const char *end = p + len;
	int64_t sum = 0;

	if (!len)
		return UC_NGINX_UNKNOWN;
	while (p < end) {
		int64_t n = 0, unit = 1000;
		const char *from = p;

		while (p < end && *p >= '0' && *p <= '9' && n < INT32_MAX)
			n = n * 10 + (*p++ - '0');
		if (p == from)
			return UC_NGINX_UNKNOWN;
		if (p < end && *p != ' ')
			unit = unit_of(&p, end, units, ARRAY_SIZE(units));
		if (unit < 0 || n > INT32_MAX)
			return UC_NGINX_UNKNOWN;
		sum += n * unit;
		while (p < end && *p == ' ')
			p++;
	}
	return sum;
}

int64_t uc_nginx_size(const char *p, size_t len)
{
	static const struct unit units[] = { { "k", 1 << 10 }, { "K", 1 << 10 }, { "m", 1 << 20 },
					     { "M", 1 << 20 }, { "g", 1 << 30 }, { "G", 1 << 30 } };
	const char *end = p + len, *from = p;
	int64_t n = 0, unit = 1;

	while (p < end && *p >= '0' && *p <= '9' && n < INT32_MAX)
		n = n * 10 + (*p++ - '0');
	if (p == from || n > INT32_MAX)
		return UC_NGINX_UNKNOWN;
	if (p < end)
		unit = unit_of(&p, end, units, ARRAY_SIZE(units));
	return p == end && unit > 0 ? n * unit : UC_NGINX_UNKNOWN;
}

static bool same_word(const struct uc_nginx_word *a, const struct uc_nginx_word *b)
{
	return a->len == b->len && !strncasecmp(a->p, b->p, a->len);
}

static bool word_is_nocase(const struct uc_nginx_word *w, const char *text)
{
	return w->len == strlen(text) && !strncasecmp(w->p, text, w->len);
}

static bool has_variable(const struct uc_nginx_word *w)
{
	return w->len && memchr(w->p, '$', w->len);
}

static struct uc_nginx_word part(const struct uc_nginx_word *w, uint32_t from, uint32_t to)
{
	return (struct uc_nginx_word){ w->p + from, to - from, w->at };
}

/* --- settings ------------------------------------------------------------------------ */

enum form { TIME, SIZE, BUFFERS, NUMBER, FLAG, NEXT, HTTP };

static const struct {
	const char *name;
	enum form form;
	int64_t otherwise;
} settings[] = {
	[UC_NGINX_CONNECT_TIMEOUT] = { "connect_timeout", TIME, 60000 },
	[UC_NGINX_SEND_TIMEOUT] = { "send_timeout", TIME, 60000 },
	[UC_NGINX_READ_TIMEOUT] = { "read_timeout", TIME, 60000 },
	[UC_NGINX_NEXT_UPSTREAM] = { "next_upstream", NEXT,
				     UC_NGINX_NEXT_ERROR | UC_NGINX_NEXT_TIMEOUT },
	[UC_NGINX_NEXT_UPSTREAM_TRIES] = { "next_upstream_tries", NUMBER, 0 },
	[UC_NGINX_NEXT_UPSTREAM_TIMEOUT] = { "next_upstream_timeout", TIME, 0 },
	[UC_NGINX_REQUEST_BUFFERING] = { "request_buffering", FLAG, 1 },
	[UC_NGINX_BUFFERING] = { "buffering", FLAG, 1 },
	[UC_NGINX_BUFFER_SIZE] = { "buffer_size", SIZE, 4096 },
	[UC_NGINX_BUFFERS] = { "buffers", BUFFERS, 32768 },
	[UC_NGINX_BUSY_BUFFERS_SIZE] = { "busy_buffers_size", SIZE, UC_NGINX_UNKNOWN },
	[UC_NGINX_HTTP_VERSION] = { "http_version", HTTP, 10 },
	[UC_NGINX_KEEP_CONN] = { "keep_conn", FLAG, 0 },
};
_Static_assert(ARRAY_SIZE(settings) == UC_NGINX_SETTING_MAX, "a row for each setting");

static const char *const protocols[] = {
	[UC_NGINX_PROXY] = "proxy", [UC_NGINX_FASTCGI] = "fastcgi",
	[UC_NGINX_UWSGI] = "uwsgi", [UC_NGINX_SCGI] = "scgi",
	[UC_NGINX_GRPC] = "grpc",   [UC_NGINX_MEMCACHED] = "memcached",
};
_Static_assert(ARRAY_SIZE(protocols) == UC_NGINX_PROTOCOL_MAX, "a name for each protocol");

const char *uc_nginx_protocol_name(enum uc_nginx_protocol p)
{
	return (unsigned)p < ARRAY_SIZE(protocols) ? protocols[p] : "invalid";
}

const char *uc_nginx_setting_name(enum uc_nginx_setting s)
{
	return (unsigned)s < ARRAY_SIZE(settings) ? settings[s].name : "invalid";
}

const char *uc_nginx_pool_name(enum uc_nginx_pool p)
{
	static const char *const names[] = {
		[UC_NGINX_POOL_UNKNOWN] = "unknown",
		[UC_NGINX_POOL_KEPT] = "kept",
		[UC_NGINX_POOL_NO_GROUP] = "no_group",
		[UC_NGINX_POOL_NOT_SET] = "not_set",
		[UC_NGINX_POOL_OFF] = "off",
		[UC_NGINX_POOL_OVERRIDDEN] = "overridden",
		[UC_NGINX_POOL_HTTP_1_0] = "http_1_0",
		[UC_NGINX_POOL_CLOSE] = "connection_close",
		[UC_NGINX_POOL_KEEP_CONN] = "keep_conn_off",
		[UC_NGINX_POOL_NO_KEEPALIVE] = "protocol",
	};

	_Static_assert(ARRAY_SIZE(names) == UC_NGINX_POOL_MAX, "a name for each");
	return (unsigned)p < ARRAY_SIZE(names) ? names[p] : "invalid";
}

static int64_t next_of(const struct uc_nginx_directive *d)
{
	static const struct {
		const char *name;
		int64_t bit;
	} reasons[] = {
		{ "error", UC_NGINX_NEXT_ERROR },
		{ "timeout", UC_NGINX_NEXT_TIMEOUT },
		{ "invalid_header", UC_NGINX_NEXT_INVALID_HEADER },
		{ "http_500", UC_NGINX_NEXT_HTTP_5XX },
		{ "http_502", UC_NGINX_NEXT_HTTP_5XX },
		{ "http_503", UC_NGINX_NEXT_HTTP_5XX },
		{ "http_504", UC_NGINX_NEXT_HTTP_5XX },
		{ "http_429", UC_NGINX_NEXT_HTTP_429 },
		{ "http_403", UC_NGINX_NEXT_HTTP_4XX },
		{ "http_404", UC_NGINX_NEXT_HTTP_4XX },
		{ "non_idempotent", UC_NGINX_NEXT_NON_IDEMPOTENT },
		{ "off", UC_NGINX_NEXT_OFF },
	};
	int64_t bits = 0;

	for (uint32_t i = 1; i < d->count; i++)
		for (size_t k = 0; k < ARRAY_SIZE(reasons); k++)
			if (uc_nginx_word_is(&d->words[i], reasons[k].name))
				bits |= reasons[k].bit;
	return bits;
}

static int64_t http_of(const struct uc_nginx_word *w)
{
	return uc_nginx_word_is(w, "1.0") ? 10 :
	       uc_nginx_word_is(w, "1.1") ? 11 :
	       uc_nginx_word_is(w, "2")   ? 20 :
					    UC_NGINX_UNKNOWN;
}

static int64_t flag_of(const struct uc_nginx_word *w)
{
	return word_is_nocase(w, "on") ? 1 : word_is_nocase(w, "off") ? 0 : UC_NGINX_UNKNOWN;
}

/* "8 4k" */
static int64_t buffers_of(const struct uc_nginx_directive *d)
{
	int64_t count, size;

	if (d->count != 3)
		return UC_NGINX_UNKNOWN;
	count = uc_nginx_size(d->words[1].p, d->words[1].len);
	size = uc_nginx_size(d->words[2].p, d->words[2].len);
	return count > 0 && size > 0 && count < 65536 && size < INT32_MAX ? count * size :
									    UC_NGINX_UNKNOWN;
}

static int64_t number_of(const struct uc_nginx_directive *d, enum form form)
{
	const struct uc_nginx_word *w = &d->words[1];

	if (d->count < 2)
		return UC_NGINX_UNKNOWN;
	switch (form) {
	case TIME:
		return uc_nginx_time(w->p, w->len);
	case SIZE:
		return uc_nginx_size(w->p, w->len);
	case BUFFERS:
		return buffers_of(d);
	case NUMBER:
		return w->len && w->p[w->len - 1] >= '0' && w->p[w->len - 1] <= '9' ?
			       uc_nginx_size(w->p, w->len) :
			       UC_NGINX_UNKNOWN;
	case FLAG:
		return flag_of(w);
	case NEXT:
		return next_of(d);
	case HTTP:
		return http_of(w);
	}
	return UC_NGINX_UNKNOWN;
}

static struct uc_nginx_value value_or(const struct uc_nginx_directive *d, enum form form,
				      int64_t otherwise)
{
	return (struct uc_nginx_value){ d ? number_of(d, form) : otherwise, d };
}

/* --- the whole ------------------------------------------------------------------------- */

/* map $http_upgrade $name { ... }, and what it gives to a request without Upgrade. */
struct map {
	struct uc_nginx_word name; /* without its "$" */
	const struct uc_nginx_directive *block;
	const struct uc_nginx_directive *entry; /* NULL: none, so the empty string */
	enum uc_nginx_connection connection;
};

struct list {
	void *at;
	size_t count, room;
};

struct uc_nginx_http {
	struct defaults defaults;
	uint32_t version;
	struct list groups; /* struct uc_nginx_group, by name when all are known */
	struct list maps;   /* struct map, likewise */
	struct list places;
	struct uc_nginx_vars *vars;
};

/* What is in force within a block: pointers of the nearest level that has one. */
struct scope {
	const struct uc_nginx_directive *set[UC_NGINX_PROTOCOL_MAX][UC_NGINX_SETTING_MAX];
	struct uc_nginx_headers headers; /* of proxy_set_header: one level's, all or nothing */
	const struct uc_nginx_directive *client_keepalive;
	const struct uc_nginx_directive *server;
	const struct uc_nginx_directive *block;
	const struct uc_nginx_directive *pass; /* the block's own, or NULL */
};

static void *append(struct list *l, size_t size)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		void *more = reallocarray(l->at, room, size);

		if (!more)
			return NULL;
		l->at = more;
		l->room = room;
	}
	return memset((char *)l->at + size * l->count++, 0, size);
}

/* --- the Connection header ---------------------------------------------------------------- */

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
	if (is_variable(w, &name) && word_is_nocase(&name, "http_connection"))
		return UC_NGINX_CONNECTION_CLIENT;
	if (has_variable(w))
		return UC_NGINX_CONNECTION_UNKNOWN;
	return has_token(w, "close")      ? UC_NGINX_CONNECTION_CLOSE :
	       has_token(w, "keep-alive") ? UC_NGINX_CONNECTION_KEEP_ALIVE :
	       has_token(w, "upgrade")    ? UC_NGINX_CONNECTION_UPGRADE :
					    UC_NGINX_CONNECTION_OTHER;
}

/* Exact keys go before patterns, which might match the empty string; the default is last. */
static void judge_map(struct map *m)
{
	const struct uc_nginx_directive *empty = NULL, *other = NULL;
	struct uc_nginx_word name;
	bool pattern = false;

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
	if (!is_variable(&m->block->words[1], &name) || !word_is_nocase(&name, "http_upgrade") ||
	    (pattern && !empty))
		m->connection = UC_NGINX_CONNECTION_UNKNOWN;
	else if (!m->entry)
		m->connection = UC_NGINX_CONNECTION_NONE;
	else
		m->connection = connection_of(&m->entry->words[1]);
}

static int by_word(const struct uc_nginx_word *a, const struct uc_nginx_word *b)
{
	uint32_t n = a->len < b->len ? a->len : b->len;
	int order = n ? strncasecmp(a->p, b->p, n) : 0;

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int by_map(const void *a, const void *b)
{
	return by_word(&((const struct map *)a)->name, &((const struct map *)b)->name);
}

static int by_group(const void *a, const void *b)
{
	const struct uc_nginx_group *x = a, *y = b;
	int order = by_word(&x->name, &y->name);

	/* the same name twice is refused by nginx; the order is then at least a steady one */
	return order ? order : (x->block > y->block) - (x->block < y->block);
}

static int by_group_name(const void *key, const void *item)
{
	return by_word(key, &((const struct uc_nginx_group *)item)->name);
}

static const struct map *find_map(const struct uc_nginx_http *h, const struct uc_nginx_word *w)
{
	struct map key = { 0 };

	if (!is_variable(w, &key.name))
		return NULL;
	return h->maps.count ? bsearch(&key, h->maps.at, h->maps.count, sizeof(key), by_map) : NULL;
}

/* The values of one block: a level's own list replaces that of all levels above. */
static struct uc_nginx_headers headers_of(const struct uc_nginx_http *h,
					  const struct uc_nginx_directive *first)
{
	struct uc_nginx_headers ret = { .connection = h->defaults.connection_close ?
							      UC_NGINX_CONNECTION_CLOSE :
							      UC_NGINX_CONNECTION_NONE,
					.first = first };

	for (const struct uc_nginx_directive *d = first; d; d = d->next) {
		const struct map *m;

		if (!uc_nginx_named(d, "proxy_set_header") || d->count != 3 ||
		    !word_is_nocase(&d->words[1], "Connection"))
			continue;
		m = find_map(h, &d->words[2]);
		ret.from = d;
		ret.connection = m ? m->connection : connection_of(&d->words[2]);
		ret.map = m ? m->block : NULL;
		ret.map_entry = m ? m->entry : NULL;
	}
	return ret;
}

/* --- addresses --------------------------------------------------------------------------- */

static bool starts(const struct uc_nginx_word *w, const char *text)
{
	return w->len >= strlen(text) && !strncasecmp(w->p, text, strlen(text));
}

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

/* "unix:/path", "[::1]:80", "host:80", "host" */
static struct uc_nginx_endpoint endpoint_of(struct uc_nginx_word w, uint16_t port)
{
	struct uc_nginx_endpoint e = { .port = port };
	const char *close, *colon;

	if (starts(&w, "unix:")) {
		e.host = part(&w, 5, w.len);
		e.unix_socket = true;
		e.port = 0;
		return e;
	}
	close = w.len && w.p[0] == '[' ? memchr(w.p, ']', w.len) : NULL;
	if (close) {
		uint32_t behind = close - w.p + 1;

		e.host = part(&w, 1, behind - 1);
		e.port = port_of(&w, behind + (behind < w.len && w.p[behind] == ':'), port);
		return e;
	}
	colon = w.len ? memchr(w.p, ':', w.len) : NULL;
	e.host = part(&w, 0, colon ? colon - w.p : w.len);
	if (colon)
		e.port = port_of(&w, colon - w.p + 1, port);
	return e;
}

/* --- groups ---------------------------------------------------------------------------------- */

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
	*s = (struct uc_nginx_server){ .at = endpoint_of(d->words[1], 80), .from = d };
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

static int add_group(struct uc_nginx_http *h, const struct uc_nginx_directive *block)
{
	const struct uc_nginx_directive *keepalive = NULL, *timeout = NULL, *requests = NULL,
					*time = NULL;
	struct uc_nginx_group *g;

	if (block->count != 2 || !block->body)
		return 0;
	g = append(&h->groups, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->block = block;
	g->name = block->words[1];
	for (const struct uc_nginx_directive *d = block->child; d; d = d->next) {
		if (uc_nginx_named(d, "server") && d->count > 1 && add_server(g, d))
			return -ENOMEM;
		keepalive = uc_nginx_named(d, "keepalive") ? d : keepalive;
		timeout = uc_nginx_named(d, "keepalive_timeout") ? d : timeout;
		requests = uc_nginx_named(d, "keepalive_requests") ? d : requests;
		time = uc_nginx_named(d, "keepalive_time") ? d : time;
		if (keepalive && is_method(d) && !h->defaults.any_order)
			g->overrides = d;
	}
	g->keepalive = value_or(keepalive, NUMBER, h->defaults.keepalive);
	g->local = keepalive ?
			   keepalive->count > 2 && uc_nginx_word_is(&keepalive->words[2], "local") :
			   h->defaults.local;
	g->timeout = value_or(timeout, TIME, h->defaults.timeout);
	g->requests = value_or(requests, NUMBER, h->defaults.requests);
	g->time = value_or(time, TIME, h->defaults.time);
	return 0;
}

static int add_map(struct uc_nginx_http *h, const struct uc_nginx_directive *block)
{
	struct uc_nginx_word name;
	struct map *m;

	if (block->count != 3 || !block->body || !is_variable(&block->words[2], &name))
		return 0;
	m = append(&h->maps, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->name = name;
	m->block = block;
	judge_map(m);
	return 0;
}

/* --- places ------------------------------------------------------------------------------------ */

static const struct uc_nginx_group *find_group(const struct uc_nginx_http *h,
					       const struct uc_nginx_word *name)
{
	const struct uc_nginx_group *all = h->groups.at, *g;

	g = h->groups.count ? bsearch(name, all, h->groups.count, sizeof(*all), by_group_name) :
			      NULL;
	while (g && g > all && same_word(&g[-1].name, name))
		g--;
	return g;
}

/* The authority of "http://host:port/uri"; of the other protocols the whole. */
static struct uc_nginx_word authority_of(struct uc_nginx_place *p, const struct uc_nginx_word *w)
{
	static const char *const schemes[] = { "http://", "https://", "grpc://", "grpcs://" };
	struct uc_nginx_word rest = *w;

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (starts(w, schemes[i])) {
			p->https = i & 1;
			rest = part(w, strlen(schemes[i]), w->len);
		}
	/* the path of a unix socket ends with a colon: unix:/run/app.sock:/uri */
	for (uint32_t i = starts(&rest, "unix:") ? 5 : 0; i < rest.len; i++)
		if (starts(&rest, "unix:") ? rest.p[i] == ':' : rest.p[i] == '/')
			return part(&rest, 0, i);
	return rest;
}

static void aim(const struct uc_nginx_http *h, struct uc_nginx_place *p,
		const struct uc_nginx_word *target)
{
	struct uc_nginx_word authority = authority_of(p, target);
	uint16_t port = p->https ? 443 : 80;

	p->variable = has_variable(&authority);
	if (p->variable)
		return;
	p->group = find_group(h, &authority);
	if (!p->group)
		p->direct = (struct uc_nginx_server){ .at = endpoint_of(authority, port),
						      .from = p->pass };
}

static enum uc_nginx_pool pool_of_proxy(const struct uc_nginx_place *p)
{
	int64_t version = p->values[UC_NGINX_HTTP_VERSION].n;

	/* HTTP/2 has no Connection header */
	if (version == 20)
		return UC_NGINX_POOL_KEPT;
	if (version == UC_NGINX_UNKNOWN)
		return UC_NGINX_POOL_UNKNOWN;
	switch (p->headers.connection) {
	case UC_NGINX_CONNECTION_CLOSE:
		return UC_NGINX_POOL_CLOSE;
	case UC_NGINX_CONNECTION_UNKNOWN:
	case UC_NGINX_CONNECTION_CLIENT:
		return UC_NGINX_POOL_UNKNOWN;
	case UC_NGINX_CONNECTION_KEEP_ALIVE:
		return UC_NGINX_POOL_KEPT;
	default:
		return version == 10 ? UC_NGINX_POOL_HTTP_1_0 : UC_NGINX_POOL_KEPT;
	}
}

/* A connection has had one request before it could be kept. */
static bool leaves_none(const struct uc_nginx_group *g)
{
	return !g->timeout.n || (g->requests.from && g->requests.n >= 0 && g->requests.n <= 1);
}

static enum uc_nginx_pool pool_of(const struct uc_nginx_place *p)
{
	if (p->protocol == UC_NGINX_UWSGI || p->protocol == UC_NGINX_SCGI)
		return UC_NGINX_POOL_NO_KEEPALIVE;
	if (p->variable)
		return UC_NGINX_POOL_UNKNOWN;
	if (!p->group)
		return UC_NGINX_POOL_NO_GROUP;
	if (p->group->keepalive.n == UC_NGINX_UNKNOWN)
		return UC_NGINX_POOL_UNKNOWN;
	if (!p->group->keepalive.n && !p->group->keepalive.from)
		return UC_NGINX_POOL_NOT_SET;
	if (!p->group->keepalive.n || leaves_none(p->group))
		return UC_NGINX_POOL_OFF;
	if (p->group->overrides)
		return UC_NGINX_POOL_OVERRIDDEN;
	if (p->protocol == UC_NGINX_FASTCGI)
		return p->values[UC_NGINX_KEEP_CONN].n == 1 ? UC_NGINX_POOL_KEPT :
							      UC_NGINX_POOL_KEEP_CONN;
	return p->protocol == UC_NGINX_PROXY ? pool_of_proxy(p) : UC_NGINX_POOL_KEPT;
}

static enum uc_nginx_protocol protocol_of(const struct uc_nginx_directive *pass)
{
	unsigned p = 0;

	while (p < UC_NGINX_PROTOCOL_MAX && !starts(&pass->words[0], protocols[p]))
		p++;
	return p;
}

static int keep_place(struct uc_nginx_http *h, const struct uc_nginx_place *p)
{
	struct uc_nginx_place *new;

	if (h->places.count == UC_NGINX_MAX_PLACES)
		return -E2BIG;
	new = append(&h->places, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = *p;
	new->pool = pool_of(new);
	return 0;
}

/* "$pool" as all of a target or as its name, as far as what is behind is but the request's own. */
static bool chooses(const struct uc_nginx_place *p, const struct uc_nginx_word *target,
		    struct uc_nginx_word *name)
{
	struct uc_nginx_place ignored = *p;
	struct uc_nginx_word authority = authority_of(&ignored, target), rest;

	return uc_nginx_variable(&authority, name, &rest) &&
	       (!rest.len || starts(&rest, "$request_uri") || starts(&rest, "$uri"));
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
				    .headers = s->headers };

	p.client_keepalive = value_or(s->client_keepalive, TIME, 75000);
	for (unsigned i = 0; i < UC_NGINX_SETTING_MAX; i++)
		p.values[i] = value_or(s->set[p.protocol][i], settings[i].form,
				       i == UC_NGINX_HTTP_VERSION ? h->defaults.http_version :
								    settings[i].otherwise);
	if (!h->defaults.guards_non_idempotent)
		p.values[UC_NGINX_NEXT_UPSTREAM].n |= UC_NGINX_NEXT_NON_IDEMPOTENT;
	aim(h, &p, &p.pass->words[1]);
	return p.variable ? add_choices(h, &p) : keep_place(h, &p);
}

/* --- the walk ------------------------------------------------------------------------------------- */

/* PROTOCOL_SETTING or PROTOCOL_pass */
static void note_setting(struct scope *s, const struct uc_nginx_directive *d)
{
	const struct uc_nginx_word *name = &d->words[0];

	for (unsigned p = 0; p < UC_NGINX_PROTOCOL_MAX; p++) {
		uint32_t n = strlen(protocols[p]);
		struct uc_nginx_word rest;

		if (!starts(name, protocols[p]) || name->len <= n || name->p[n] != '_')
			continue;
		rest = part(name, n + 1, name->len);
		if (uc_nginx_word_is(&rest, "pass") && d->count == 2)
			s->pass = d;
		for (unsigned i = 0; i < UC_NGINX_SETTING_MAX; i++)
			if (uc_nginx_word_is(&rest, settings[i].name))
				s->set[p][i] = d;
	}
}

static void note(const struct uc_nginx_http *h, struct scope *s, const struct uc_nginx_directive *d,
		 bool *headers)
{
	note_setting(s, d);
	if (uc_nginx_named(d, "keepalive_timeout"))
		s->client_keepalive = d;
	if (uc_nginx_named(d, "proxy_set_header") && !*headers) {
		s->headers = headers_of(h, d);
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
	for (const struct uc_nginx_directive *d = first; d; d = d->next)
		if (!d->body)
			note(h, &s, d, &headers);
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
			err = add_group(h, d);
		else if (uc_nginx_named(d, "map"))
			err = add_map(h, d);
	}
	return err;
}

static void sort(struct list *l, size_t size, int (*order)(const void *, const void *))
{
	if (l->count)
		qsort(l->at, l->count, size, order);
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
	h->defaults = defaults_of(version);
	err = collect(h, first);
	if (!err)
		err = uc_nginx_vars_new(first, &h->vars);
	if (!err) {
		sort(&h->groups, sizeof(struct uc_nginx_group), by_group);
		sort(&h->maps, sizeof(struct map), by_map);
		top.headers = headers_of(h, NULL);
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
	for (size_t i = 0; i < h->groups.count; i++)
		free(((struct uc_nginx_group *)h->groups.at)[i].servers);
	free(h->groups.at);
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

const struct uc_nginx_server *uc_nginx_place_servers(const struct uc_nginx_place *p, size_t *count)
{
	*count = p->variable ? 0 : p->group ? p->group->server_count : 1;
	return p->group ? p->group->servers : &p->direct;
}
