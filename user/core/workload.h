/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The workload that a pod is of, by the pod's name alone: what controllers of Kubernetes append to a workload's
 * name has a form of its own. A pod that somebody named in such a form by hand is taken for one of theirs.
 */
#ifndef UPCLOSE_CORE_WORKLOAD_H
#define UPCLOSE_CORE_WORKLOAD_H

#include <stddef.h>

/*
 * "api-7d9f8b6c5-x2x4z" (Deployment), "api-x2x4z" (DaemonSet, Job), "api-0" (StatefulSet) and
 * "api-29384756-x2x4z" (CronJob) are "api"; any other name is its own. Cut where it does not fit.
 */
void uc_workload_of(const char *pod, char *buf, size_t size);

#endif
