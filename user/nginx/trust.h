/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whose nginx is believed: anybody can start a process under that name, and what its configuration names is not
 * worth root's reading.
 */
#ifndef UPCLOSE_NGINX_TRUST_H
#define UPCLOSE_NGINX_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define UC_TRUST_MAX 8

/* Besides root and the caller, from now on; no more than UC_TRUST_MAX. */
void uc_nginx_trust(const uint32_t *uids, size_t count);

bool uc_nginx_trusted(pid_t pid);

#endif
