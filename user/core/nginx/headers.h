/* SPDX-License-Identifier: BSD-2-Clause */
/* The Connection header that a request is sent on with, by proxy_set_header and map{}. */
#ifndef UPCLOSE_CORE_NGINX_HEADERS_H
#define UPCLOSE_CORE_NGINX_HEADERS_H

#include <stdbool.h>

#include "core/list.h"
#include "core/nginx/conf.h"

/* The Connection header of a request without Upgrade, as nginx sends it on. */
enum uc_nginx_connection {
	UC_NGINX_CONNECTION_UNKNOWN, /* made of variables that cannot be told from here */
	UC_NGINX_CONNECTION_UNREAD,  /* what may set it could not be read */
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
	bool some; /* by a variable: of some requests, and others have another one */
	const struct uc_nginx_directive *first; /* proxy_set_header of the block in force, or NULL */
};

/* map $http_upgrade $name { ... }, and what it gives to a request without Upgrade. */
struct uc_nginx_map {
	struct uc_nginx_word name; /* without its "$" */
	const struct uc_nginx_directive *block;
	const struct uc_nginx_directive *entry; /* NULL: none, so the empty string */
	enum uc_nginx_connection connection;
};

/* A map{}, where it is one. -ENOMEM. */
int uc_nginx_maps_add(struct uc_list *maps, const struct uc_nginx_directive *block);
/* When all are added, and before headers are asked for. */
void uc_nginx_maps_sort(struct uc_list *maps);
/* Of one block from `first` on: a level's own list replaces that of all levels above. */
struct uc_nginx_headers uc_nginx_headers(const struct uc_list *maps, bool close_by_default,
					 const struct uc_nginx_directive *first);

/*
 * Of a header that is a variable with these values: one that keeps the connection, as long as some
 * requests have it; else what all have. Stays unknown where neither is told.
 */
void uc_nginx_headers_decide(struct uc_nginx_headers *h, const struct uc_nginx_word *const *values,
			     size_t count);

#endif
