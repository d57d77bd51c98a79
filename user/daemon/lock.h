/* SPDX-License-Identifier: BSD-2-Clause */
/* One daemon at a time. */
#ifndef UPCLOSE_DAEMON_LOCK_H
#define UPCLOSE_DAEMON_LOCK_H

/*
 * Makes the folder if need be and takes the lock in it, which the kernel gives
 * back when the descriptor is closed, however that comes. Negative errno, whose
 * cause was said.
 */
int uc_lock(const char *folder, int *ret_fd);

#endif
