/* SPDX-License-Identifier: BSD-2-Clause */
/* Does the daemon do its work? */
#ifndef UPCLOSE_DAEMON_HEALTH_H
#define UPCLOSE_DAEMON_HEALTH_H

#include <stdbool.h>

#include "daemon/metrics.h"

#define UC_HEALTH_WHY 160

/* False: why says what is wrong, in words of ours. */
bool uc_healthy(const struct uc_view *v, char why[UC_HEALTH_WHY]);

#endif
