/* SPDX-License-Identifier: BSD-2-Clause */
/* Follows a log that grows, line by line: a file through its rotations, a pipe, standard input. */
#ifndef UPCLOSE_FOLLOW_H
#define UPCLOSE_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>

struct uc_follow;

/*
 * path: "-" is standard input, which is left as it is. from_start: also what is in a
 * file already, and of a pipe all there will be, which is waited for. -EINVAL: a folder, a device, or upclose's own standard error, which
 * is what a link to /dev/stderr leads to.
 */
int uc_follow_new(const char *path, bool from_start, struct uc_follow **ret);
void uc_follow_free(struct uc_follow *f);

/* Calls one() with each line that is new and whole, without its newline. */
void uc_follow_poll(struct uc_follow *f, void (*one)(void *ctx, const char *line, size_t len),
		    void *ctx);

#endif
