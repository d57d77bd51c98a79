/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel's BTF, read as a file: has it every type, field, function, tracepoint
 * and argument that upclose needs? Fields are those that the BPF objects are
 * relocated for (their .BTF.ext), so none is listed by hand.
 */
#ifndef UPCLOSE_BTFCHECK_H
#define UPCLOSE_BTFCHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "source/hooks.h"

#define UC_BTF_NEEDS     256
#define UC_BTF_NEED_SIZE 160

/* One thing that is needed and not there. */
struct uc_btf_need {
	char name[UC_BTF_NEED_SIZE];
	unsigned plans; /* 1 << UC_PLAN_* of those that need it */
	bool fatal;     /* for these plans; otherwise they do without */
};

struct uc_btf_check {
	struct uc_hooks hooks;                    /* judged by these types */
	unsigned examined;                        /* fields, functions and tracepoints */
	size_t count;                             /* of missing */
	struct uc_btf_need missing[UC_BTF_NEEDS]; /* what is beyond is not named */
};

/* Returns 0, or a negative errno after an error was said: the types cannot be read. */
int uc_btf_check(const char *path, struct uc_btf_check *ret);
/* A plan (1 << UC_PLAN_*) that has its hooks may lack a field all the same. */
unsigned uc_btf_forbidden(const struct uc_btf_check *c);

#endif
