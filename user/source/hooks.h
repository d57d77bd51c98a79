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

/* Types of kernels that were built without them. */
#define UC_BTFHUB "https://github.com/aquasecurity/btfhub-archive"

enum uc_hook_use {
	UC_HOOK_USED,
	UC_HOOK_SPARE,   /* works, and belongs to another plan */
	UC_HOOK_MISSING, /* this kernel does not have it */
	UC_HOOK_REFUSED, /* the kernel has it and the host refuses it; err says how */
};

#define UC_HOOK_TAKES 3

struct uc_hook {
	const char *facts;     /* what it tells, in words */
	const char *section;   /* "tp_btf/inet_sock_set_state" */
	const char *program;   /* name of the BPF program; NULL: something that they call */
	const char *companion; /* another program that it needs, or NULL */
	const char *note;      /* kernels, or what is lost without it */
	unsigned plans;        /* 1 << UC_PLAN_* of those that use it */
	unsigned group;        /* hooks that tell the same facts */
	unsigned covers;       /* another group whose facts this hook tells, too */
	/* the first arguments that it relies on: the struct that one points to, or "int" for any
	 * integer; NULL behind the last */
	const char *takes[UC_HOOK_TAKES];
	bool required;        /* of the group: without it there is no tracing */
	enum uc_hook_use use; /* for the chosen plan */
	unsigned args;        /* of the kernel's function, where the hook is one */
	int err;              /* 0: it works; -ENOENT: missing; else a refusal */
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
/*
 * Chooses the plan that was wanted, or the first that is possible. Whether a hook works
 * (0, -ENOENT where it is missing, or another negative errno) is asked of `try`.
 */
void uc_hooks_judge(int (*try)(void *ctx, struct uc_hook *h), void *ctx, enum uc_plan wanted,
		    struct uc_hooks *ret);
/*
 * The same by trying each on this host. Returns 0, or a negative errno after an error was
 * said: *ret is as it was where the host's types are not known, and tells of each hook where
 * no plan that was wanted is possible. btf_path: a file with types of this kernel, which has
 * no BTF of its own then: hooks that need it are missing; NULL: the kernel's own.
 */
int uc_hooks_find(const char *btf_path, enum uc_plan wanted, struct uc_hooks *ret);
/* Goes on to the next possible plan in the order of preference; false when there is none. */
bool uc_hooks_next(struct uc_hooks *h, enum uc_plan wanted);
/* The hook that serves a group of the chosen plan has this program. */
bool uc_hooks_uses(const struct uc_hooks *h, const char *program);

/* How the host refuses a hook whose err is neither 0 nor -ENOENT. */
const char *uc_hook_refusal(int err);
/* Why a plan is not possible that lacks this, on one line; returns buf. */
const char *uc_hook_lack(const struct uc_hook *lack, char *buf, size_t size);

#endif
