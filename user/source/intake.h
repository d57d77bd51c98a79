/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records taken out of the ring that nobody has judged yet. The ring is small,
 * as all of it is resident; a process that dies with thousands of requests
 * fills it faster than they can be judged and printed.
 */
#ifndef UPCLOSE_INTAKE_H
#define UPCLOSE_INTAKE_H

#include <stdbool.h>
#include <stddef.h>

struct uc_intake;

/* max_bytes: it is full with more, a little more may come in. -ENOMEM. */
int uc_intake_new(size_t max_bytes, struct uc_intake **ret);
void uc_intake_free(struct uc_intake *b);

/* Copies; -ENOMEM. */
int uc_intake_put(struct uc_intake *b, const void *bytes, size_t len);

/* The oldest record, valid until the next call of any of these; NULL: there is none. */
const void *uc_intake_take(struct uc_intake *b, size_t *ret_len);

bool uc_intake_empty(const struct uc_intake *b);
bool uc_intake_full(const struct uc_intake *b);

#endif
