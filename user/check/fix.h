/* SPDX-License-Identifier: BSD-2-Clause */
/* The edits of all findings together: each file's new bytes, and the unified diff. */
#ifndef UPCLOSE_CHECK_FIX_H
#define UPCLOSE_CHECK_FIX_H

#include <stdio.h>

#include "check/finding.h"

struct uc_fix;

/*
 * Of findings that are not accepted. Equal edits become one; of edits that touch
 * each other otherwise the first stays. -ENOMEM.
 */
int uc_fix_new(const struct uc_nginx_conf *conf, const struct uc_finding *findings, size_t count,
	       struct uc_fix **ret);
void uc_fix_free(struct uc_fix *x);

size_t uc_fix_files(const struct uc_fix *x);
size_t uc_fix_dropped(const struct uc_fix *x); /* edits that were in the way of others */
const struct uc_nginx_file *uc_fix_file(const struct uc_fix *x, size_t i);
/* A file as it will be; the caller frees it. NULL: no memory. */
char *uc_fix_bytes(const struct uc_fix *x, size_t i, size_t *len);

/*
 * For `patch -p1` or `git apply --unidiff-zero`. A line is printed only where all of it is
 * known to hold no secret: context ends before another one, and a change to such
 * a line is left out and counted in *hidden. Negative errno.
 */
int uc_fix_print(const struct uc_fix *x, FILE *out, size_t *hidden);

/* Nothing on this line can be a key, a password or the path of one. */
bool uc_fix_harmless(const char *line, size_t len);

#endif
