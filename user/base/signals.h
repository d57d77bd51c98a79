/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UPCLOSE_SIGNALS_H
#define UPCLOSE_SIGNALS_H

/*
 * From here on SIGINT and SIGTERM do not end the process but make this descriptor, which is
 * the caller's, readable. -1: it cannot be opened, with errno.
 */
int uc_signals_open(void);

#endif
