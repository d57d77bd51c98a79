/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose a process is, by its path in the cgroup tree: Docker, containerd, CRI-O and podman, with Kubernetes or
 * without, by either cgroup driver and hierarchy, also as seen from within a cgroup namespace ("/../..."); else
 * the unit of systemd.
 */
#ifndef UPCLOSE_CORE_CONTAINER_H
#define UPCLOSE_CORE_CONTAINER_H

#include <stdbool.h>

#define UC_CONTAINER_ID 65
#define UC_POD_UID      37
#define UC_UNIT_LEN     128

struct uc_container {
	const char *
		runtime; /* "docker", "containerd", "cri-o", "podman"; NULL: the path does not say */
	char id[UC_CONTAINER_ID]; /* 64 digits; "": in no container */
	char pod_uid[UC_POD_UID]; /* with dashes, or a static pod's 32 digits; "": in no pod */
	char unit[UC_UNIT_LEN];   /* "nginx.service"; "" for what is in a container */
};

/* The innermost container of nested ones. False, and all of it empty: the path says nothing. */
bool uc_container_parse(const char *cgroup, struct uc_container *ret);

#endif
