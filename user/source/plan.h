/* SPDX-License-Identifier: BSD-2-Clause */
/* The sets of kernel hooks that fit together, and their names. */
#ifndef UPCLOSE_PLAN_H
#define UPCLOSE_PLAN_H

#include <stdbool.h>

/* In the order in which they are preferred. */
enum uc_plan {
	UC_PLAN_AUTO,       /* the first that is possible */
	UC_PLAN_TRACEPOINT, /* the length tracepoints of 6.3 */
	UC_PLAN_FENTRY,     /* exits of functions */
	UC_PLAN_FENTRY_OLD, /* the same before 5.15: no storage in sockets, no bpf_task_pt_regs() */
	UC_PLAN_KPROBE,     /* the last resort */
	UC_PLAN_MAX
};

/* The plans of each BPF object: upclose.bpf.c (and preempt.bpf.c), and legacy.bpf.c. */
#define UC_PLANS_UPCLOSE (1U << UC_PLAN_TRACEPOINT | 1U << UC_PLAN_FENTRY)
#define UC_PLANS_LEGACY  (1U << UC_PLAN_FENTRY_OLD | 1U << UC_PLAN_KPROBE)

/* UC_PLAN_FENTRY_OLD has the name of UC_PLAN_FENTRY. */
const char *uc_plan_name(enum uc_plan plan);
/* What it hooks into, in words; not of UC_PLAN_AUTO. */
const char *uc_plan_about(enum uc_plan plan);
/* A plan's name; a name of two plans stands for the first. */
bool uc_plan_parse(const char *name, enum uc_plan *ret);
/* A plan of the wanted name, or any plan is wanted. */
bool uc_plan_is(enum uc_plan plan, enum uc_plan wanted);

#endif
