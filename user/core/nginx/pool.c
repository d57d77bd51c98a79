/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/httpconf.h"

#include "base/util.h"

const char *uc_nginx_pool_name(enum uc_nginx_pool p)
{
	static const char *const names[] = {
		[UC_NGINX_POOL_UNKNOWN] = "unknown",
		[UC_NGINX_POOL_UNREAD] = "unknown",
		[UC_NGINX_POOL_KEPT] = "kept",
		[UC_NGINX_POOL_NO_GROUP] = "no_group",
		[UC_NGINX_POOL_VARIABLE] = "no_group",
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

static enum uc_nginx_pool pool_of_proxy(const struct uc_nginx_place *p)
{
	int64_t version = p->values[UC_NGINX_HTTP_VERSION].n;

	/* HTTP/2 has no Connection header */
	if (version == 20)
		return UC_NGINX_POOL_KEPT;
	if (version == UC_NGINX_UNKNOWN)
		return UC_NGINX_POOL_UNREAD;
	switch (p->headers.connection) {
	case UC_NGINX_CONNECTION_CLOSE:
		return UC_NGINX_POOL_CLOSE;
	case UC_NGINX_CONNECTION_UNREAD:
		return UC_NGINX_POOL_UNREAD;
	case UC_NGINX_CONNECTION_UNKNOWN:
		return UC_NGINX_POOL_UNKNOWN;
	case UC_NGINX_CONNECTION_CLIENT:
		/* whoever sends none or keep-alive, and that is nearly everybody */
		return version == 10 ? UC_NGINX_POOL_UNKNOWN : UC_NGINX_POOL_KEPT;
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

enum uc_nginx_pool uc_nginx_pool(const struct uc_nginx_place *p)
{
	if (p->protocol == UC_NGINX_UWSGI || p->protocol == UC_NGINX_SCGI)
		return UC_NGINX_POOL_NO_KEEPALIVE;
	if (p->maybe_group)
		return p->variable ? UC_NGINX_POOL_UNKNOWN : UC_NGINX_POOL_UNREAD;
	if (!p->group)
		return p->by_variable ? UC_NGINX_POOL_VARIABLE : UC_NGINX_POOL_NO_GROUP;
	if (p->group->keepalive.n == UC_NGINX_UNKNOWN)
		return UC_NGINX_POOL_UNREAD;
	if (!p->group->keepalive.n && !p->group->keepalive.from)
		return UC_NGINX_POOL_NOT_SET;
	if (!p->group->keepalive.n || leaves_none(p->group))
		return UC_NGINX_POOL_OFF;
	if (p->group->overrides)
		return UC_NGINX_POOL_OVERRIDDEN;
	if (p->protocol == UC_NGINX_FASTCGI && p->values[UC_NGINX_KEEP_CONN].n < 0)
		return UC_NGINX_POOL_UNREAD;
	if (p->protocol == UC_NGINX_FASTCGI)
		return p->values[UC_NGINX_KEEP_CONN].n == 1 ? UC_NGINX_POOL_KEPT :
							      UC_NGINX_POOL_KEEP_CONN;
	return p->protocol == UC_NGINX_PROXY ? pool_of_proxy(p) : UC_NGINX_POOL_KEPT;
}
