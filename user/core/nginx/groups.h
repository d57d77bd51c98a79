/* SPDX-License-Identifier: BSD-2-Clause */
/* The servers of upstream{}, and how it keeps idle connections to them. */
#ifndef UPCLOSE_CORE_NGINX_GROUPS_H
#define UPCLOSE_CORE_NGINX_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/list.h"
#include "core/nginx/settings.h"

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
	bool kept; /* some place keeps connections to it: what it leaves there others take, unless local */
	/* what was not read of it, or NULL: it may have more servers, too */
	const struct uc_nginx_directive *unread;
	/* the balancing method behind `keepalive` that takes its place before 1.29.7, or NULL */
	const struct uc_nginx_directive *overrides;
};

/* "unix:/path", "[::1]:80", "host:80", "host"; port: where the text has none. */
struct uc_nginx_endpoint uc_nginx_endpoint(struct uc_nginx_word w, uint16_t port);

/* An upstream{}, where it is one. -ENOMEM. */
int uc_nginx_groups_add(struct uc_list *groups, const struct uc_nginx_defaults *defaults,
			const struct uc_nginx_directive *block);
/* When all are added, and before one is sought. */
void uc_nginx_groups_sort(struct uc_list *groups);
/* By its name, NULL: none. */
const struct uc_nginx_group *uc_nginx_groups_find(const struct uc_list *groups,
						  const struct uc_nginx_word *name);
void uc_nginx_groups_free(struct uc_list *groups);

#endif
