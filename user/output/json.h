/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known, as JSON; the fields are a contract, see upclose(8). Absent facts are null. */
#ifndef UPCLOSE_JSON_H
#define UPCLOSE_JSON_H

#include <jansson.h>

#include "engine/judged.h"

/* The caller's; NULL: no memory. */
json_t *uc_json_connection(const struct uc_judged *r);
json_t *uc_json_log_event(const struct uc_log_event *ev);
json_t *uc_json_summary(const struct uc_totals *t);

#endif
