/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which hooks tell which facts on this host. Every alternative is tried with a
 * program of two instructions, so that a refusal is known, and named, before
 * the real programs are loaded. A plan is a set of hooks that fit together.
 */
#ifndef UPCLOSE_HOOKS_H
#define UPCLOSE_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "source/plan.h"

struct btf;

enum uc_hook_use {
	UC_HOOK_USED,
	UC_HOOK_SPARE,   /* works, and belongs to another plan */
	UC_HOOK_MISSING, /* this kernel does not have it */
	UC_HOOK_REFUSED, /* the kernel has it and the host refuses it; err says how */
};

struct uc_hook {
	const char *facts;     /* what it tells, in words */
	const char *section;   /* "tp_btf/inet_sock_set_state" */
	const char *program;   /* name of the BPF program; NULL: something that they call */
	const char *companion; /* another program that it needs, or NULL */
	const char *note;      /* kernels, or what is lost without it */
	unsigned plans;        /* 1 << UC_PLAN_* of those that use it */
	unsigned group;        /* hooks that tell the same facts */
	unsigned covers;       /* another group whose facts this hook tells, too */
	bool required;         /* of the group: without it there is no tracing */
	enum uc_hook_use use;  /* for the chosen plan */
	unsigned args;         /* of the kernel's function, where the hook is one */
	int err;               /* 0: it works; -ENOENT: missing; else a refusal */
};

struct uc_hooks {
	const struct uc_hook *hooks;
	size_t count;
	enum uc_plan plan; /* UC_PLAN_AUTO: none that was wanted is possible */
	const struct uc_hook
		*lacks[UC_PLAN_MAX]; /* what keeps a plan from being possible; NULL: nothing */
};

/* The table as it is, before it was tried. */
const struct uc_hook *uc_hooks_table(size_t *ret_count);
/* Chooses as uc_hooks_try(); whether a hook works (0, or a negative errno) is asked of `try`. */
void uc_hooks_judge(int (*try)(void *ctx, struct uc_hook *h), void *ctx, enum uc_plan wanted,
		    struct uc_hooks *ret);

/*
 * Tries the table on this host and chooses the plan that was wanted, or the first
 * that is possible. kernel_btf NULL: what needs BTF in the kernel is missing.
 */
void uc_hooks_try(const struct btf *kernel_btf, enum uc_plan wanted, struct uc_hooks *ret);
/* Goes on to the next possible plan in the order of preference; false when there is none. */
bool uc_hooks_next(struct uc_hooks *h, enum uc_plan wanted);
/* The hook that serves a group of the chosen plan has this program. */
bool uc_hooks_uses(const struct uc_hooks *h, const char *program);

#endif
