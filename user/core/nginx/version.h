/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions of nginx, and the defaults that changed between them. */
#ifndef UPCLOSE_CORE_NGINX_VERSION_H
#define UPCLOSE_CORE_NGINX_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#define UC_NGINX_VERSION(major, minor, patch) ((major)*1000000U + (minor)*1000U + (patch))
/* What is known here; older and newer ones get the nearest defaults. */
#define UC_NGINX_OLDEST UC_NGINX_VERSION(1, 9, 0)
#define UC_NGINX_NEWEST UC_NGINX_VERSION(1, 31, 999)

/* "1.28" (its newest), "1.28.0", "nginx/1.22.1 (Debian)", "openresty/1.25.3.1". False: none of it. */
bool uc_nginx_version_parse(const char *text, uint32_t *ret);

struct uc_nginx_defaults {
	int64_t http_version;
	bool connection_close; /* is sent */
	int64_t keepalive;
	bool local;
	int64_t timeout, requests, time;
	bool guards_non_idempotent;
	bool any_order; /* of keepalive and the balancing method */
};

struct uc_nginx_defaults uc_nginx_defaults(uint32_t version);

#endif
