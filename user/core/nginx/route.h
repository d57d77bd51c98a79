/* SPDX-License-Identifier: BSD-2-Clause */
/* Which place a request's URL comes to, where plain rules of servers and locations alone say so. */
#ifndef UPCLOSE_CORE_NGINX_ROUTE_H
#define UPCLOSE_CORE_NGINX_ROUTE_H

#include "core/nginx/httpconf.h"

/*
 * A request for path, without query, at this port and for this host (its Host header)
 * is passed on at this place for certain. False where a regular expression, a rewrite
 * or an `if` has a say, and where servers of the port listen at different addresses.
 * first: the top of the configuration, uc_nginx_conf_top(). Source:
 * ngx_http_find_virtual_server() of src/http/ngx_http_request.c and
 * ngx_http_core_find_location() of src/http/ngx_http_core_module.c.
 */
bool uc_nginx_route(const struct uc_nginx_directive *first, const struct uc_nginx_place *p,
		    uint16_t port, const char *host, const char *path);

#endif
