/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/json_value.h"

json_t *uc_json_ms(int64_t ns)
{
	int64_t us = (ns + 500) / 1000;

	return json_real(us / 1e3);
}

json_t *uc_json_ms_if(bool known, int64_t ns)
{
	return known ? uc_json_ms(ns) : json_null();
}

json_t *uc_json_integer_if(bool known, json_int_t n)
{
	return known ? json_integer(n) : json_null();
}

json_t *uc_json_text_if(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}
