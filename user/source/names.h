/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of containers and pods, from what their runtimes keep in files; no runtime is asked, nothing is needed. */
#ifndef UPCLOSE_SOURCE_NAMES_H
#define UPCLOSE_SOURCE_NAMES_H

#include "core/container.h"
#include "source/source.h"

/*
 * By /var/log/containers, /var/log/pods (kubelet), /var/lib/containers/storage (podman) and /var/lib/docker below
 * root, which is "" for this host's own. Whatever is not there, or may not be read, is "".
 */
void uc_names_resolve(const char *root, const struct uc_container *c, struct uc_names *ret);

#endif
