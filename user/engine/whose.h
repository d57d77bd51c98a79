/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose the process at one end of a connection is: its container, its pod, its unit. */
#ifndef UPCLOSE_ENGINE_WHOSE_H
#define UPCLOSE_ENGINE_WHOSE_H

#include <stddef.h>

#include "core/container.h"
#include "source/source.h"

/* "NAMESPACE/POD" is the longest. */
#define UC_WHOSE_LEN 320

struct uc_whose {
	const struct uc_proc *proc; /* NULL: not known, or not on this host */
	struct uc_container in;
};

struct uc_whose uc_whose(const struct uc_proc *proc);

/* "shop/api-7d9f", "web", "podman 0123456789ab", "pod 12345678-..."; "" for what is in no container. */
void uc_whose_name(const struct uc_whose *w, char buf[UC_WHOSE_LEN]);

/* What it is one of many of: "shop/api" (see core/workload.h), else its container's name or its unit; "": not known. */
void uc_whose_workload(const struct uc_whose *w, char *buf, size_t size);

/* container: its name, or its id or the first 12 digits of it or more. */
bool uc_whose_container_is(const struct uc_whose *w, const char *container);
/* pod: POD, NAMESPACE/POD or the uid. */
bool uc_whose_pod_is(const struct uc_whose *w, const char *pod);

#endif
