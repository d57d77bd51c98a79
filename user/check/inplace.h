/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a fix into the files themselves, as carefully as a file that nginx lives by deserves. */
#ifndef UPCLOSE_CHECK_INPLACE_H
#define UPCLOSE_CHECK_INPLACE_H

#include "check/fix.h"

struct uc_inplace {
	const char *nginx; /* the program for `nginx -t` */
	const char *conf;  /* the main file, for its -c */
};

#define UC_INPLACE_WHY 1024

/*
 * nginx -t must pass before and after; where it fails after, every file is put
 * back. A file keeps its mode and owner, a symbolic link stays one, and what was
 * there is kept beside it as .NAME.upclose-TIME, a name that no include of "*"
 * matches. Says which files it wrote. Negative errno with why filled: nothing
 * has changed.
 */
int uc_inplace_write(const struct uc_fix *x, const struct uc_inplace *how,
		     char why[UC_INPLACE_WHY]);

#endif
