/* SPDX-License-Identifier: BSD-2-Clause */
/* Directives that set a number: their forms, their units, and what holds where they are not there. */
#ifndef UPCLOSE_CORE_NGINX_SETTINGS_H
#define UPCLOSE_CORE_NGINX_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "core/nginx/conf.h"
#include "core/nginx/version.h"

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

/* Of the directives PROTOCOL_NAME; each row of the table in settings.c. */
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

/* How the words of a directive are one number. */
enum uc_nginx_form {
	UC_NGINX_FORM_TIME,
	UC_NGINX_FORM_SIZE,
	UC_NGINX_FORM_BUFFERS,
	UC_NGINX_FORM_NUMBER,
	UC_NGINX_FORM_FLAG,
	UC_NGINX_FORM_NEXT,
	UC_NGINX_FORM_HTTP
};

/* "proxy", "fastcgi"; "read_timeout", "next_upstream". */
const char *uc_nginx_protocol_name(enum uc_nginx_protocol p);
const char *uc_nginx_setting_name(enum uc_nginx_setting s);

/* nginx's own units: "60", "1m 30s", "500ms" in ms; "8k" in bytes; UC_NGINX_UNKNOWN otherwise. */
int64_t uc_nginx_time(const char *p, size_t len);
int64_t uc_nginx_size(const char *p, size_t len);

/*
 * What the directive sets, UC_NGINX_UNKNOWN where nginx would not take it, or where d is one that was
 * not read, which is then not told as the place; `otherwise` where d is NULL.
 */
struct uc_nginx_value uc_nginx_value_or(const struct uc_nginx_directive *d, enum uc_nginx_form form,
					int64_t otherwise);
/* The same for a setting, whose default is of the version. */
struct uc_nginx_value uc_nginx_setting_value(enum uc_nginx_setting s,
					     const struct uc_nginx_directive *d,
					     const struct uc_nginx_defaults *defaults);

#endif
