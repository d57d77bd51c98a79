/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An nginx that runs on this host, or in a container on it: where its
 * configuration lies, and its version. Nothing of it is executed; what its
 * program knows of itself is read from the program's file.
 */
#ifndef UPCLOSE_NGINX_RUNNING_H
#define UPCLOSE_NGINX_RUNNING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define UC_RUNNING_PATH 4096

struct uc_running {
	pid_t pid;
	char exe[UC_RUNNING_PATH];
	/* as seen from within its root */
	char conf[UC_RUNNING_PATH];
	char prefix[UC_RUNNING_PATH];    /* what relative names in the configuration begin at */
	char error_log[UC_RUNNING_PATH]; /* where it logs if no error_log says otherwise */
	char root[64];                   /* "/proc/PID/root" where that is not ours, else "" */
	uint32_t version;                /* 0: not to be told from the program */
};

#define UC_RUNNING_WHY 256

/*
 * pid 0: the one master process there is. -ENOENT none, -EEXIST several, others
 * for what cannot be read; why is then filled, with the next step.
 */
int uc_running_find(pid_t pid, struct uc_running *ret, char why[UC_RUNNING_WHY]);

/* The version that the program in this file prints for -v; false: none found. */
bool uc_running_version(const char *exe, uint32_t *ret);

#endif
