/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/workload.h"

#include <stdbool.h>
#include <string.h>

/* Of names that Kubernetes makes up: without vowels, so that no word comes out, and 0, 1 and 3. */
#define RANDOM "bcdfghjklmnpqrstvwxz2456789"
/* The hash of a pod's template is a decimal number, whose digits are written as these. */
#define HASH   "456789bcdf"
#define DIGITS "0123456789"

#define RANDOM_LEN 5
/* A number of 32 bits; one that has fewer digits than this is one in ten thousand. */
#define HASH_MIN 6
#define HASH_MAX 10
/* A CronJob's is the minute since 1970. */
#define MINUTE_LEN 8

/* The length without "-SUFFIX", where that is of such letters and lengths; else len itself. */
static size_t without(const char *name, size_t len, const char *letters, size_t min, size_t max)
{
	size_t n = 0;

	while (n < len && strchr(letters, name[len - n - 1]))
		n++;
	return n < min || n > max || n + 1 >= len || name[len - n - 1] != '-' ? len : len - n - 1;
}

void uc_workload_of(const char *pod, char *buf, size_t size)
{
	size_t all = strlen(pod), len = without(pod, all, RANDOM, RANDOM_LEN, RANDOM_LEN);
	bool random = len < all;

	if (random) {
		size_t before = without(pod, len, HASH, HASH_MIN, HASH_MAX);

		len = before < len ? before : without(pod, len, DIGITS, MINUTE_LEN, MINUTE_LEN);
	} else {
		len = without(pod, all, DIGITS, 1, 4);
	}
	if (len >= size)
		len = size - 1;
	memcpy(buf, pod, len);
	buf[len] = '\0';
}
