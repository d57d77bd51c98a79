/* SPDX-License-Identifier: BSD-2-Clause */
/* What the stream{} part of a configuration comes to: the servers that pass connections on. */
#ifndef UPCLOSE_CORE_NGINX_STREAMCONF_H
#define UPCLOSE_CORE_NGINX_STREAMCONF_H

#include "core/list.h"
#include "core/nginx/settings.h"

struct uc_nginx_stream {
	const struct uc_nginx_directive *pass, *server;
	struct uc_nginx_value timeout;         /* proxy_timeout: without data either way, ms */
	struct uc_nginx_value connect_timeout; /* ms */
	struct uc_nginx_value proxy_protocol;  /* whether it sends the PROXY protocol: 0 or 1 */
};

/* Adds a struct uc_nginx_stream for each; free .at in the end. -ENOMEM. */
int uc_nginx_streams(const struct uc_nginx_conf *conf, struct uc_list *streams);

#endif
