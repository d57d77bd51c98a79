/* SPDX-License-Identifier: BSD-2-Clause */
/* Which place a request's URL comes to, where plain rules of servers and locations alone say so. */
#ifndef UPCLOSE_CORE_NGINXROUTE_H
#define UPCLOSE_CORE_NGINXROUTE_H

#include "core/nginxhttp.h"

/*
 * A request for path, without query, at this port is passed on at this place for
 * certain. False where a name, a regular expression, a rewrite or a block within
 * the location has a say. first: the top of the configuration, uc_nginx_conf_top().
 * Source: ngx_http_core_find_location() of src/http/ngx_http_core_module.c.
 */
bool uc_nginx_route(const struct uc_nginx_directive *first, const struct uc_nginx_place *p,
		    uint16_t port, const char *path);

#endif
