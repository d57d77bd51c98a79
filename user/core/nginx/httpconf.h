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

#define UC_NGINX_VERSION(major, minor, patch) ((major)*1000000U + (minor)*1000U + (patch))
/* What is known here; older and newer ones get the nearest defaults. */
#define UC_NGINX_OLDEST UC_NGINX_VERSION(1, 9, 0)
#define UC_NGINX_NEWEST UC_NGINX_VERSION(1, 31, 999)

/* "1.28" (its newest), "1.28.0", "nginx/1.22.1 (Debian)", "openresty/1.25.3.1". False: none of it. */
bool uc_nginx_version_parse(const char *text, uint32_t *ret);

/* Places that pass requests on. */
#define UC_NGINX_MAX_PLACES (1U << 16)

/* Numbers that are none. */
enum {
	UC_NGINX_NEVER = -1,  /* a time that never ends */
	UC_NGINX_UNKNOWN = -2 /* a variable, or nothing that nginx would take */
};

struct uc_nginx_value {
	int64_t n;                             /* ms, bytes or a count */
	const struct uc_nginx_directive *from; /* NULL: the default of the version */
};

enum uc_nginx_protocol {
	UC_NGINX_PROXY,
	UC_NGINX_FASTCGI,
	UC_NGINX_UWSGI,
	UC_NGINX_SCGI,
	UC_NGINX_GRPC,
	UC_NGINX_MEMCACHED,
	UC_NGINX_PROTOCOL_MAX
};

/* Of the directives PROTOCOL_NAME; each row of the table in httpconf.c. */
enum uc_nginx_setting {
	UC_NGINX_CONNECT_TIMEOUT, /* ms */
	UC_NGINX_SEND_TIMEOUT,
	UC_NGINX_READ_TIMEOUT,
	UC_NGINX_NEXT_UPSTREAM,         /* bits of enum uc_nginx_next */
	UC_NGINX_NEXT_UPSTREAM_TRIES,   /* 0: as many as there are servers */
	UC_NGINX_NEXT_UPSTREAM_TIMEOUT, /* ms, 0: none */
	UC_NGINX_REQUEST_BUFFERING,     /* 0 or 1 */
	UC_NGINX_BUFFERING,             /* 0 or 1 */
	UC_NGINX_BUFFER_SIZE,           /* bytes; by default a page, here 4096 */
	UC_NGINX_BUFFERS,               /* bytes of all; by default 8 pages */
	UC_NGINX_BUSY_BUFFERS_SIZE, /* bytes; the default follows from the two above, and is not told */
	UC_NGINX_HTTP_VERSION,      /* 10, 11 or 20; proxy only */
	UC_NGINX_KEEP_CONN,         /* 0 or 1; fastcgi only */
	UC_NGINX_SETTING_MAX
};

enum uc_nginx_next {
	UC_NGINX_NEXT_ERROR = 1 << 0,
	UC_NGINX_NEXT_TIMEOUT = 1 << 1,
	UC_NGINX_NEXT_INVALID_HEADER = 1 << 2,
	UC_NGINX_NEXT_HTTP_5XX = 1 << 3, /* http_500, 502, 503 or 504 */
	UC_NGINX_NEXT_HTTP_429 = 1 << 4,
	UC_NGINX_NEXT_HTTP_4XX = 1 << 5,
	UC_NGINX_NEXT_NON_IDEMPOTENT = 1 << 6, /* before 1.9.13 always */
	UC_NGINX_NEXT_OFF = 1 << 7
};

/* The Connection header of a request without Upgrade, as nginx sends it on. */
enum uc_nginx_connection {
	UC_NGINX_CONNECTION_UNKNOWN, /* made of variables that cannot be told from here */
	UC_NGINX_CONNECTION_NONE,
	UC_NGINX_CONNECTION_CLOSE,
	UC_NGINX_CONNECTION_KEEP_ALIVE,
	UC_NGINX_CONNECTION_UPGRADE, /* said without an Upgrade to go with it */
	UC_NGINX_CONNECTION_CLIENT,  /* $http_connection: whatever the client wrote */
	UC_NGINX_CONNECTION_OTHER
};

struct uc_nginx_headers {
	enum uc_nginx_connection connection;
	const struct uc_nginx_directive
		*from; /* the proxy_set_header Connection; NULL: the default */
	const struct uc_nginx_directive *map; /* the map{} that the value comes from, or NULL */
	const struct uc_nginx_directive *map_entry; /* and its line for no Upgrade, or NULL */
	const struct uc_nginx_directive *first; /* proxy_set_header of the block in force, or NULL */
};

/* Why idle connections are kept or not. */
enum uc_nginx_pool {
	UC_NGINX_POOL_UNKNOWN,      /* the header or the target is a variable */
	UC_NGINX_POOL_KEPT,         /* kept alive */
	UC_NGINX_POOL_NO_GROUP,     /* no upstream{}: a connection for each request */
	UC_NGINX_POOL_NOT_SET,      /* no `keepalive`, and this version's default is none */
	UC_NGINX_POOL_OFF,          /* `keepalive 0`, or a limit that leaves nothing of it */
	UC_NGINX_POOL_OVERRIDDEN,   /* a balancing method behind `keepalive` took its place */
	UC_NGINX_POOL_HTTP_1_0,     /* and no "Connection: keep-alive" */
	UC_NGINX_POOL_CLOSE,        /* "Connection: close" is sent */
	UC_NGINX_POOL_KEEP_CONN,    /* fastcgi_keep_conn is off */
	UC_NGINX_POOL_NO_KEEPALIVE, /* uwsgi and scgi have none */
	UC_NGINX_POOL_MAX
};

struct uc_nginx_endpoint {
	struct uc_nginx_word host; /* without brackets, or the path of a unix socket */
	uint16_t port;             /* 0 for a unix socket */
	bool unix_socket;
};

struct uc_nginx_server {
	struct uc_nginx_endpoint at;
	const struct uc_nginx_directive *from;
	bool backup, down;
};

struct uc_nginx_group {
	const struct uc_nginx_directive *block;
	struct uc_nginx_word name;
	struct uc_nginx_server *servers;
	size_t server_count;
	struct uc_nginx_value keepalive; /* connections, 0: none */
	bool local;                      /* not shared between locations */
	struct uc_nginx_value timeout;   /* keepalive_timeout, ms; NEVER before 1.15.3 */
	struct uc_nginx_value requests;  /* keepalive_requests; 0: no limit */
	struct uc_nginx_value time;      /* keepalive_time, ms; NEVER before 1.19.10 */
	/* the balancing method behind `keepalive` that takes its place before 1.29.7, or NULL */
	const struct uc_nginx_directive *overrides;
};

/* A place that passes requests on. */
struct uc_nginx_place {
	enum uc_nginx_protocol protocol;
	const struct uc_nginx_directive *pass;   /* the proxy_pass */
	const struct uc_nginx_directive *block;  /* location, if or limit_except */
	const struct uc_nginx_directive *server; /* the server{}, or NULL */
	bool https;
	bool variable; /* the target is known only at run time; a place for each known one is beside it */
	const struct uc_nginx_group *group; /* or NULL */
	struct uc_nginx_server direct;      /* without a group and variables: the one server */
	struct uc_nginx_value values[UC_NGINX_SETTING_MAX];
	struct uc_nginx_headers headers;
	struct uc_nginx_value client_keepalive; /* keepalive_timeout toward clients, ms; 0: off */
	enum uc_nginx_pool pool;
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

/* The servers that a place may send to: its group's, or its direct one; *count 0 for a variable. */
const struct uc_nginx_server *uc_nginx_place_servers(const struct uc_nginx_place *p, size_t *count);

/* "proxy", "fastcgi"; "read_timeout", "next_upstream". */
const char *uc_nginx_protocol_name(enum uc_nginx_protocol p);
const char *uc_nginx_setting_name(enum uc_nginx_setting s);
/* "kept", "http_1_0": for JSON and the manual. */
const char *uc_nginx_pool_name(enum uc_nginx_pool p);

/* nginx's own units: "60", "1m 30s", "500ms" in ms; "8k" in bytes; UC_NGINX_UNKNOWN otherwise. */
int64_t uc_nginx_time(const char *p, size_t len);
int64_t uc_nginx_size(const char *p, size_t len);

#endif
