/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which hook serves which fact on this host. Every alternative is tried with a
 * program of two instructions, so that a refusal is known, and named, before
 * the real programs are loaded.
 */
#ifndef UPCLOSE_HOOKS_H
#define UPCLOSE_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

struct btf;

enum uc_hook_use {
	UC_HOOK_USED,
	UC_HOOK_SPARE,   /* works, and a better one serves the fact */
	UC_HOOK_MISSING, /* this kernel does not have it */
	UC_HOOK_REFUSED, /* the kernel has it and the host refuses it; err says how */
};

struct uc_hook {
	const char *facts;   /* what it tells, in words */
	const char *section; /* "tp_btf/inet_sock_set_state" */
	const char *program; /* name of the BPF program; NULL: a helper that they call */
	const char *note;    /* kernels, or what is lost without it */
	unsigned group;      /* the first that works of a group serves its facts */
	unsigned covers;     /* another group whose facts this hook tells, too */
	bool required;       /* of the group: without it there is no tracing */
	enum uc_hook_use use;
	unsigned args; /* of the kernel's function, where the hook is one */
	int err;       /* negative errno of REFUSED */
};

/* The table, tried on this host; count in *ret_count. kernel_btf may be NULL: all are MISSING. */
const struct uc_hook *uc_hooks_plan(const struct btf *kernel_btf, size_t *ret_count);

#endif
