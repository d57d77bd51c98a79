// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The length tracepoints, for kernels that may preempt a program on a tracepoint and
 * leave out its calls by the task that comes instead: they have bpf_preempt_disable(),
 * since 6.10. An object of its own, for libbpf before 1.3 seeks a function that the
 * kernel lacks in its modules, too, even a weak one, and that takes CAP_SYS_ADMIN.
 */
#define UC_PREEMPT
#include "upclose.bpf.c"
