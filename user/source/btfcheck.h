/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel's BTF, read as a file: has it every type, field, function, tracepoint
 * and argument that upclose needs? Fields are those that the BPF objects are
 * relocated for (their .BTF.ext), so none is listed by hand.
 */
#ifndef UPCLOSE_BTFCHECK_H
#define UPCLOSE_BTFCHECK_H

#include <stdbool.h>

#include "source/plan.h"

/* Types of kernels that were built without them. */
#define UC_BTFHUB "https://github.com/aquasecurity/btfhub-archive"

/*
 * Prints what is missing, and by it the plans, on standard output. 0: the plan that was
 * wanted, or any, is possible by these types; -ENOTSUP: not; another negative errno,
 * after an error was said: the file cannot be read.
 */
int uc_btf_check(const char *path, enum uc_plan wanted, bool json);

#endif
