/* SPDX-License-Identifier: BSD-2-Clause */
/* The newest flagged connections, kept as JSON for the page. */
#ifndef UPCLOSE_DAEMON_HISTORY_H
#define UPCLOSE_DAEMON_HISTORY_H

#include <jansson.h>
#include <stddef.h>

#include "engine/judged.h"

#define UC_HISTORY_KEPT 50

struct uc_history;

int uc_history_new(struct uc_history **ret); /* -ENOMEM */
void uc_history_free(struct uc_history *h);

/*
 * Under a flood only some of each second are kept, so that what came before it
 * stays, and making the JSON does not hold up the ring.
 */
void uc_history_add(struct uc_history *h, const struct uc_judged *r, uint64_t now_ns);

size_t uc_history_count(const struct uc_history *h);
/* i = 0 is the newest; the caller's; NULL: no memory. */
json_t *uc_history_at(const struct uc_history *h, size_t i);

#endif
