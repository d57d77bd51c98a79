/* SPDX-License-Identifier: BSD-2-Clause */
/* Values that stand outside the configuration, in files or the environment. */
#ifndef UPCLOSE_CONFIG_SECRET_H
#define UPCLOSE_CONFIG_SECRET_H

#include <stddef.h>

#define UC_SECRET_LEN 4096

/*
 * The first line of a file, or a variable of the environment; read anew each
 * time, so that it may be changed while the daemon runs. One of file and env is
 * NULL. -ENOENT and other errors of reading; -ENODATA: empty; -EBADMSG: longer
 * than UC_SECRET_LEN - 1, or with characters that a header may not have.
 */
int uc_secret_read(const char *file, const char *env, char buf[UC_SECRET_LEN]);

/* What is wrong with it, for a person: never its value. */
void uc_secret_fault(int err, const char *file, const char *env, char *buf, size_t size);

#endif
