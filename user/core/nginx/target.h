/* SPDX-License-Identifier: BSD-2-Clause */
/* What the target of a pass comes to, as far as its variables can be followed. */
#ifndef UPCLOSE_CORE_NGINX_TARGET_H
#define UPCLOSE_CORE_NGINX_TARGET_H

#include "core/list.h"
#include "core/nginx/var.h"

struct uc_nginx_authority {
	struct uc_nginx_word at; /* "host:port", or with variables in it that nothing tells */
	bool https;
};

/* Of "http://host:port/uri"; of the protocols without a scheme the whole. */
struct uc_nginx_authority uc_nginx_authority(const struct uc_nginx_word *target);

/*
 * Adds a struct uc_nginx_word for each text that the target may be, up to where its path
 * begins. What no table and no `set` tells stays as it is written. Of a place in block of
 * server. None where they are too many to follow. -ENOMEM.
 */
int uc_nginx_targets(const struct uc_nginx_vars *v, const struct uc_nginx_directive *server,
		     const struct uc_nginx_directive *block, const struct uc_nginx_word *target,
		     struct uc_list *texts);
/* Frees the texts from the nth on. */
void uc_nginx_targets_free(struct uc_list *texts, size_t from);

/* Whether an authority with variables in it may be this name: its known parts do not speak against it. */
bool uc_nginx_authority_may_be(const struct uc_nginx_word *at, const struct uc_nginx_word *name);
/* Whether it is a host's name, whatever its variables are: what needs a resolver. */
bool uc_nginx_authority_named(const struct uc_nginx_word *at);

#endif
