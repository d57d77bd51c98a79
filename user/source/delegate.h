/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process of our own that keeps a right which this one gives up, and does one
 * thing with it when it is asked. It ends with this process.
 */
#ifndef UPCLOSE_DELEGATE_H
#define UPCLOSE_DELEGATE_H

#include <stddef.h>
#include <sys/types.h>

struct uc_delegate_config {
	const char *name; /* as ps(1) shows it, at most 15 bytes */
	int fd;           /* what it keeps open beside standard error; or -1 */
	/* In the new process, before anything is asked: gives up what it does not need. Nonzero: it ends. */
	int (*confine)(void *ctx);
	void *confine_ctx;
	/* In the new process: the length of the reply, at most size. */
	size_t (*answer)(void *ctx, const void *request, size_t len, void *reply, size_t size);
	void *answer_ctx;
};

struct uc_delegate;

/* Returns when that process is confined; cfg is not read after it. Negative errno: *ret is left alone; -ECHILD: confine() failed. */
int uc_delegate_new(const struct uc_delegate_config *cfg, struct uc_delegate **ret);
void uc_delegate_free(struct uc_delegate *d);

/* The length of the reply, or a negative errno: -EPIPE once that process has ended. */
ssize_t uc_delegate_ask(struct uc_delegate *d, const void *request, size_t len, void *reply,
			size_t size);

#endif
