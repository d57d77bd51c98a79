/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers that users type. */
#ifndef UPCLOSE_NUMBER_H
#define UPCLOSE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* A whole number within [min, max] and nothing behind it. */
bool uc_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);
/* Seconds with an optional fraction, more than 0, at most ten years; in ns. */
bool uc_parse_seconds(const char *text, uint64_t *ret_ns);

#endif
