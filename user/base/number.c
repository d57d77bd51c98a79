/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

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

static const struct {
	const char *name, *word;
	uint64_t ns;
} units[] = {
	{ "ms", "ms", 1000000ULL },          { "s", "s", 1000000000ULL },
	{ "m", "min", 60 * 1000000000ULL },  { "h", "h", 3600000000000ULL },
	{ "d", "d", 24 * 3600000000000ULL },
};

bool uc_parse_duration(const char *text, uint64_t *ret_ns)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t n;

	if (!digits || digits > 9)
		return false;
	n = strtoull(text, NULL, 10);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(text + digits, units[i].name))
			continue;
		if (n > UINT64_MAX / units[i].ns)
			return false;
		*ret_ns = n * units[i].ns;
		return true;
	}
	return false;
}

/* The largest that is exact, else the smallest. */
static size_t unit_of(uint64_t ns)
{
	size_t i = ARRAY_SIZE(units) - 1;

	while (i && (ns % units[i].ns || !ns))
		i--;
	return i;
}

void uc_print_duration(uint64_t ns, char *buf, size_t size)
{
	size_t i = unit_of(ns);

	snprintf(buf, size, "%" PRIu64 "%s", ns / units[i].ns, units[i].name);
}

void uc_print_duration_words(uint64_t ns, char *buf, size_t size)
{
	size_t i = unit_of(ns);

	if (i)
		snprintf(buf, size, "%" PRIu64 " %s", ns / units[i].ns, units[i].word);
	else
		snprintf(buf, size, "%.3f s", ns / 1e9);
}
