/* SPDX-License-Identifier: BSD-2-Clause */
/* What a team requires of its configurations, and which findings it lives with, until when. */
#ifndef UPCLOSE_CHECK_POLICY_H
#define UPCLOSE_CHECK_POLICY_H

#include "check/rules.h"

struct uc_policy;

/* Negative errno; every fault of the file was said. */
int uc_policy_read(const char *path, struct uc_policy **ret);
void uc_policy_free(struct uc_policy *p);

struct uc_requirements uc_policy_requirements(const struct uc_policy *p);
/* The least severity that makes the exit status 3. */
enum uc_severity uc_policy_fail_on(const struct uc_policy *p);

/*
 * Marks the findings that are accepted on this day ("2026-11-22"), and those whose
 * acceptance has ended. Says which acceptances fit no finding.
 */
void uc_policy_accept(const struct uc_policy *p, const struct uc_nginx_conf *conf,
		      struct uc_finding *findings, size_t count, const char *today);

#endif
