/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The directive in nginx's own configuration that a verdict is about: that of the
 * nginx whose worker held the connection, as it was when that worker began. Read
 * when a verdict needs it, and again after nginx reloaded; never for others than
 * root or the caller, and never waited for on the network.
 */
#ifndef UPCLOSE_DIRECTIVE_H
#define UPCLOSE_DIRECTIVE_H

#include <stdbool.h>

#include "engine/judged.h"

struct uc_directives;

/* -ENOMEM */
int uc_directives_new(struct uc_directives **ret);
void uc_directives_free(struct uc_directives *d);

/*
 * False: the verdict is about none, or it cannot be told for certain: the
 * configuration cannot be read, has changed since the worker began, or passes
 * requests to that address in ways that differ. The engine's uc_directive_fn.
 */
bool uc_directives_find(void *directives, const struct uc_judged *r, struct uc_directive_at *ret);

/*
 * The name of the upstream{} that the connection's address is a server of. False, and buf
 * untouched, where no group or more than one has it, and where that cannot be told for certain.
 */
bool uc_directives_group(struct uc_directives *d, const struct uc_judged *r, char *buf,
			 size_t size);

#endif
