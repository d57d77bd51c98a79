/* SPDX-License-Identifier: BSD-2-Clause */
/* An event loop: what is readable, and what is due. */
#ifndef UPCLOSE_BASE_LOOP_H
#define UPCLOSE_BASE_LOOP_H

#include <stddef.h>
#include <stdint.h>

#define UC_LOOP_SOURCES 16

/* From run(): the loop ends, and nothing failed. */
#define UC_LOOP_END 1

/* The caller's; it stays where it is until it is removed. */
struct uc_loop_source {
	int fd; /* -1: none */
	/* When run() is due with nothing to read: CLOCK_MONOTONIC in ns, UINT64_MAX never. Asked before each sleep. */
	uint64_t (*due_ns)(void *ctx);
	/* 0, UC_LOOP_END, or a negative errno with which the loop ends. It may add and remove sources. */
	int (*run)(void *ctx);
	void *ctx;
};

struct uc_loop {
	struct uc_loop_source *source[UC_LOOP_SOURCES];
	size_t count;
	uint64_t changes;
};

/* -ENOSPC: there are UC_LOOP_SOURCES already. */
int uc_loop_add(struct uc_loop *loop, struct uc_loop_source *source);
/* One that was never added is no error. */
void uc_loop_remove(struct uc_loop *loop, const struct uc_loop_source *source);

/* Until a source ends it: 0, or the negative errno. */
int uc_loop_run(struct uc_loop *loop);

#endif
