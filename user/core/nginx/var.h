/* SPDX-License-Identifier: BSD-2-Clause */
/* The values that a variable may have, as far as map, geo, split_clients and set tell them. */
#ifndef UPCLOSE_CORE_NGINX_VAR_H
#define UPCLOSE_CORE_NGINX_VAR_H

#include "core/nginx/conf.h"

#define UC_NGINX_VALUES_MAX 64

struct uc_nginx_vars;

/* first: of http{}. -ENOMEM. Points into the configuration. */
int uc_nginx_vars_new(const struct uc_nginx_directive *first, struct uc_nginx_vars **ret);
void uc_nginx_vars_free(struct uc_nginx_vars *v);

/*
 * Those of a variable within a server{} (or NULL), in the order of its name's tables
 * and sets; of a block (or NULL) within it those that its requests have. name is without "$". 0: nothing tells them, or they are too many.
 */
size_t uc_nginx_vars_values(const struct uc_nginx_vars *v, const struct uc_nginx_directive *server,
			    const struct uc_nginx_directive *block,
			    const struct uc_nginx_word *name,
			    const struct uc_nginx_word *values[UC_NGINX_VALUES_MAX]);

/* The variable that a word begins with, "$pool" or "${pool}", and what is behind it. False: none. */
bool uc_nginx_variable(const struct uc_nginx_word *w, struct uc_nginx_word *name,
		       struct uc_nginx_word *rest);

#endif
