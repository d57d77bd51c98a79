/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc knows of processes. */
#ifndef UPCLOSE_PROC_H
#define UPCLOSE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "source/source.h"

/*
 * Fills exe from /proc/TGID/exe, and cgroup from /proc/TGID/cgroup: the unified
 * hierarchy's path, else systemd's; and the names of its container. "" when the
 * process has ended already, or may not be read.
 */
void uc_proc_resolve(struct uc_proc *p);

/* Calls one() for every process whose name is one of comms. */
void uc_proc_each(const char *const *comms, size_t comm_count, void (*one)(void *ctx, pid_t pid),
		  void *ctx);
/* How many those are. */
unsigned uc_proc_count(const char *const *comms, size_t comm_count);

/*
 * Reads /proc/PID/fdinfo/FD of every open socket of every process, so that the
 * kernel comes by each. -EACCES: not all could be read; what could be was.
 */
int uc_proc_show_sockets(void);

#endif
