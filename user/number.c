/* SPDX-License-Identifier: BSD-2-Clause */
#include "number.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool uc_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	unsigned long long n;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || n < min || n > max)
		return false;
	*ret = n;
	return true;
}

bool uc_parse_seconds(const char *text, uint64_t *ret_ns)
{
	double s;
	char *end;

	if ((*text < '0' || *text > '9') && *text != '.')
		return false;
	if (strpbrk(text, "xXpPeEnNiI"))
		return false;
	s = strtod(text, &end);
	if (*end || !(s >= 1e-9) || s > 315360000.0)
		return false;
	*ret_ns = s * 1e9;
	return true;
}
