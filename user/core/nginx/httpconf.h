/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the http{} part of a configuration comes to: the upstream groups, and for
 * each place that passes requests on, the values that are in force there, by the
 * inheritance and the defaults of a version of nginx. Each value knows the
 * directive that it comes from. Sources: nginx's docs/xml/nginx/changes.xml and
 * the merge functions of src/http/modules/ngx_http_{proxy,fastcgi,grpc}_module.c,
 * ngx_http_upstream_keepalive_module.c and src/http/ngx_http_upstream.c.
 */
#ifndef UPCLOSE_CORE_NGINX_HTTPCONF_H
#define UPCLOSE_CORE_NGINX_HTTPCONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/nginx/conf.h"
#include "core/nginx/groups.h"
#include "core/nginx/headers.h"
#include "core/nginx/settings.h"

/* Places that pass requests on. */
#define UC_NGINX_MAX_PLACES (1U << 16)

/* Why idle connections are kept or not. */
enum uc_nginx_pool {
	UC_NGINX_POOL_UNKNOWN,      /* the header or the target is a variable */
	UC_NGINX_POOL_UNREAD,       /* what decides it could not be read */
	UC_NGINX_POOL_KEPT,         /* kept alive */
	UC_NGINX_POOL_NO_GROUP,     /* no upstream{}: a connection for each request */
	UC_NGINX_POOL_VARIABLE,     /* the same, by a variable that can name none */
	UC_NGINX_POOL_NOT_SET,      /* no `keepalive`, and this version's default is none */
	UC_NGINX_POOL_OFF,          /* `keepalive 0`, or a limit that leaves nothing of it */
	UC_NGINX_POOL_OVERRIDDEN,   /* a balancing method behind `keepalive` took its place */
	UC_NGINX_POOL_HTTP_1_0,     /* and no "Connection: keep-alive" */
	UC_NGINX_POOL_CLOSE,        /* "Connection: close" is sent */
	UC_NGINX_POOL_KEEP_CONN,    /* fastcgi_keep_conn is off */
	UC_NGINX_POOL_NO_KEEPALIVE, /* uwsgi and scgi have none */
	UC_NGINX_POOL_MAX
};

/* A place that passes requests on. */
struct uc_nginx_place {
	enum uc_nginx_protocol protocol;
	const struct uc_nginx_directive *pass;   /* the proxy_pass */
	const struct uc_nginx_directive *block;  /* location, if or limit_except */
	const struct uc_nginx_directive *server; /* the server{}, or NULL */
	bool https;
	/* the nearest that was not read of its levels, or NULL: it may set what has its default here */
	const struct uc_nginx_directive *unread;
	struct uc_nginx_word target; /* "host:port", as far as its variables are known */
	bool by_variable;            /* as nginx finds it out for each request */
	const struct uc_nginx_directive
		*resolver; /* in force, or one that was not read; NULL: none */
	bool maybe_group;  /* an upstream{} of this name may be where nothing was read */
	bool variable; /* no more than that is known of it; a place for each known one is beside it */
	const struct uc_nginx_group *group; /* or NULL */
	struct uc_nginx_server direct;      /* without a group and variables: the one server */
	struct uc_nginx_value values[UC_NGINX_SETTING_MAX];
	struct uc_nginx_headers headers;
	struct uc_nginx_value client_keepalive; /* keepalive_timeout toward clients, ms; 0: off */
	enum uc_nginx_pool pool;
	bool shares; /* keeps none, and uses up those that other places left in its group */
};

struct uc_nginx_http;

/* -ENOMEM; -E2BIG for more than UC_NGINX_MAX_PLACES. Points into conf, which must live on. */
int uc_nginx_http_new(const struct uc_nginx_conf *conf, uint32_t version,
		      struct uc_nginx_http **ret);
void uc_nginx_http_free(struct uc_nginx_http *h);

uint32_t uc_nginx_http_version(const struct uc_nginx_http *h);
size_t uc_nginx_http_places(const struct uc_nginx_http *h);
const struct uc_nginx_place *uc_nginx_http_place(const struct uc_nginx_http *h, size_t i);
size_t uc_nginx_http_groups(const struct uc_nginx_http *h);
const struct uc_nginx_group *uc_nginx_http_group(const struct uc_nginx_http *h, size_t i);

/* By its name, NULL: none. */
const struct uc_nginx_group *uc_nginx_http_find(const struct uc_nginx_http *h,
						const struct uc_nginx_word *name);
/* False: a file without the http{} around it, and what that sets is not known. */
bool uc_nginx_http_whole(const struct uc_nginx_http *h);
/* The first that was not read of what surrounds all places, or NULL. */
const struct uc_nginx_directive *uc_nginx_http_unread(const struct uc_nginx_http *h);

/* The servers that a place may send to: its group's, or its direct one; *count 0 for a variable. */
const struct uc_nginx_server *uc_nginx_place_servers(const struct uc_nginx_place *p, size_t *count);

/* "kept", "http_1_0": for JSON and the manual. */
const char *uc_nginx_pool_name(enum uc_nginx_pool p);
/* Of a place that has all but this. */
enum uc_nginx_pool uc_nginx_pool(const struct uc_nginx_place *p);

#endif
