/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs of nginx whose words are heard: a uprobe on ngx_log_error_core()
 * of every program that a process of nginx runs, found through /proc/PID/exe, so
 * also in another mount namespace. A program is one file, however many processes
 * run it and whatever they begin later.
 */
#ifndef UPCLOSE_SOURCE_HEARING_H
#define UPCLOSE_SOURCE_HEARING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct bpf_program;

struct uc_program {
	dev_t dev;
	ino_t ino;
	char path[256]; /* as its own process sees it */
	int err; /* 0: its words are heard; -ENOENT: it has no such function; else a refusal */
};

struct uc_hearing;

/* p: what is attached, loaded. -ENOMEM. */
int uc_hearing_new(const struct bpf_program *p, struct uc_hearing **ret);
void uc_hearing_free(struct uc_hearing *h);

/* Looks for programs of processes of these names, and hears those that are new. How many are. */
unsigned uc_hearing_scan(struct uc_hearing *h, const char *const *comms, size_t comm_count);

/*
 * From now on another process looks and attaches: this one is about to give up the
 * right to. confine(ctx) gives up in it what that does not need; nonzero: it ends.
 * Negative errno.
 */
int uc_hearing_delegate(struct uc_hearing *h, int (*confine)(void *ctx), void *ctx);

/* The words of every program that was found are heard, and there is one. */
bool uc_hearing_all(const struct uc_hearing *h);
const struct uc_program *uc_hearing_programs(const struct uc_hearing *h, size_t *ret_count);

#endif
