/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON values as every document of upclose writes them; the caller's, NULL: no memory. */
#ifndef UPCLOSE_JSON_VALUE_H
#define UPCLOSE_JSON_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* 15 digits print every microsecond as it was written. */
#define UC_JSON_DUMP (JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15))

/* Milliseconds with three decimals. */
json_t *uc_json_ms(int64_t ns);
/* null where the value is not known. */
json_t *uc_json_ms_if(bool known, int64_t ns);
json_t *uc_json_integer_if(bool known, json_int_t n);
/* null for NULL and for "". */
json_t *uc_json_text_if(const char *text);

#endif
