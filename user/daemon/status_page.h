/* SPDX-License-Identifier: BSD-2-Clause */
/* The page for a person: alerts, upstreams, the last hour's verdicts, the newest flagged connections. */
#ifndef UPCLOSE_STATUS_PAGE_H
#define UPCLOSE_STATUS_PAGE_H

#include <stddef.h>

#include "daemon/metrics.h"

/* HTML without anything to load or to run, malloc'ed; NULL: no memory. */
char *uc_status_page_write(const struct uc_view *v, size_t *ret_len);

#endif
