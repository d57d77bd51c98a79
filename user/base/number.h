/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that users type. */
#ifndef UPCLOSE_NUMBER_H
#define UPCLOSE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole number within [min, max] and nothing behind it. */
bool uc_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);
/* Seconds with an optional fraction, more than 0, at most ten years; in ns. */
bool uc_parse_seconds(const char *text, uint64_t *ret_ns);
/* "500ms", "30s", "5m", "1h", "2d": a whole number and its unit; in ns. */
bool uc_parse_duration(const char *text, uint64_t *ret_ns);
/* The same way round, in the largest unit that is exact. */
void uc_print_duration(uint64_t ns, char *buf, size_t size);
/* For sentences: "30 s", "5 min"; "0.500 s" where whole seconds are not exact. */
void uc_print_duration_words(uint64_t ns, char *buf, size_t size);

#endif
