/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/known_idle.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char table_text[] =
#include "base/util.h"
#include "idle-timeouts.inc"
	;

static json_t *list(const char *name)
{
	static json_t *lists;

	if (!lists)
		lists = json_loads(table_text, 0, NULL);
	return json_object_get(lists, name);
}

static json_t *table(void)
{
	return list("servers");
}

/* "python3.11" is a python, "node" is not a "nodejs". */
static bool program_is(const char *base, const char *known)
{
	size_t n = strlen(known);

	if (strncmp(base, known, n))
		return false;
	return !base[n + strspn(base + n, "0123456789.-")];
}

static bool runs_as(json_t *row, const char *exe)
{
	const char *slash = strrchr(exe, '/'), *base = slash ? slash + 1 : exe;
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(row, "exe"), i, name)
		if (program_is(base, json_string_value(name)))
			return true;
	return false;
}

/* "nginx/1.22.1" is "nginx", "Apache" is "Apache". */
static bool answers_as(json_t *row, const char *server)
{
	const char *known = json_string_value(json_object_get(row, "server"));
	size_t n = known ? strlen(known) : 0;

	return known && !strncasecmp(server, known, n) && !isalnum((unsigned char)server[n]);
}

typedef bool (*is_it)(json_t *row, const char *what);

static bool is_known(is_it is, const char *what)
{
	json_t *row;
	size_t i;

	json_array_foreach(table(), i, row)
		if (is(row, what))
			return true;
	return false;
}

/* Distance in seconds, negative where it does not fit. */
static double distance(json_t *row, double idle_s)
{
	static const char *const keys[] = { "observed_s", "idle_s" };
	/* some look at their timers now and then only */
	double late = json_number_value(json_object_get(row, "late_s")), best = -1;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		json_t *value = json_object_get(row, keys[i]);
		double d;

		if (!json_is_number(value) || json_number_value(value) <= 0)
			continue;
		d = idle_s - json_number_value(value);
		if (d >= -0.1 && d <= late + 0.3 && (best < 0 || fabs(d) < best))
			best = fabs(d);
	}
	return best;
}

/* The same for "closes after each answer". */
static double keeps_none(json_t *row, double idle_s)
{
	json_t *value = json_object_get(row, "idle_s");

	return idle_s <= 0 && json_is_number(value) && json_number_value(value) <= 0 ? 0 : -1;
}

typedef double (*distance_fn)(json_t *row, double idle_s);

static size_t find(uint64_t idle_ns, distance_fn distance_of, is_it is, const char *what,
		   struct uc_known_idle ret[UC_KNOWN_IDLE_MAX])
{
	bool narrowed = what && is_known(is, what);
	double far[UC_KNOWN_IDLE_MAX];
	size_t count = 0, i;
	json_t *row;

	json_array_foreach(table(), i, row) {
		double d = distance_of(row, idle_ns / 1e9);
		size_t at = count;

		if (d < 0 || (narrowed && !is(row, what)))
			continue;
		while (at && far[at - 1] > d)
			at--;
		if (at == UC_KNOWN_IDLE_MAX)
			continue;
		if (count < UC_KNOWN_IDLE_MAX)
			count++;
		memmove(&far[at + 1], &far[at], (count - at - 1) * sizeof(far[0]));
		memmove(&ret[at + 1], &ret[at], (count - at - 1) * sizeof(ret[0]));
		far[at] = d;
		ret[at].name = json_string_value(json_object_get(row, "name"));
		ret[at].setting = json_string_value(json_object_get(row, "setting"));
		ret[at].set = json_string_value(json_object_get(row, "set"));
	}
	return count;
}

size_t uc_known_idle(uint64_t idle_ns, const char *exe, struct uc_known_idle ret[UC_KNOWN_IDLE_MAX])
{
	return find(idle_ns, distance, runs_as, exe, ret);
}

size_t uc_known_idle_of_server(uint64_t idle_ns, const char *server,
			       struct uc_known_idle ret[UC_KNOWN_IDLE_MAX])
{
	return find(idle_ns, idle_ns ? distance : keeps_none, answers_as, server, ret);
}

/* "22.8" as a number that orders versions, major and minor; a missing minor is 0. */
static double version_of(const char *text)
{
	char *end;
	unsigned long major = strtoul(text, &end, 10);

	return (double)major * 1000 + (*end == '.' ? strtoul(end + 1, NULL, 10) : 0);
}

/* versions: [from, below] pairs, the last may have no end; a row without is for all. */
static bool has_version(json_t *row, const char *version)
{
	json_t *versions = json_object_get(row, "versions"), *range;
	size_t i;

	if (!versions)
		return true;
	json_array_foreach(versions, i, range) {
		const char *below = json_string_value(json_array_get(range, 1));

		if (version_of(version) >=
			    version_of(json_string_value(json_array_get(range, 0))) &&
		    (!below || version_of(version) < version_of(below)))
			return true;
	}
	return false;
}

static bool is_kind(json_t *row, const char *kind, size_t len)
{
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(row, "kind"), i, name)
		if (json_string_length(name) == len && !memcmp(json_string_value(name), kind, len))
			return true;
	return false;
}

/* "node22.8" is node of version 22.8; of "node" alone the shortest timeout is taken. */
static json_t *row_of_kind(json_t *rows, const char *kind)
{
	size_t len = strcspn(kind, "0123456789"), i;
	json_t *row, *found = NULL;

	if (kind[len + strspn(kind + len, "0123456789.")])
		return NULL;
	json_array_foreach(rows, i, row) {
		json_t *idle = json_object_get(row, "idle_s");

		if (!is_kind(row, kind, len) || (kind[len] && !has_version(row, kind + len)))
			continue;
		if (!found ||
		    json_number_value(idle) < json_number_value(json_object_get(found, "idle_s")))
			found = row;
	}
	return found;
}

bool uc_known_idle_kind(const char *kind, struct uc_known_kind *ret)
{
	json_t *row = row_of_kind(table(), kind), *idle, *observed;

	if (!row)
		return false;
	idle = json_object_get(row, "idle_s");
	observed = json_object_get(row, "observed_s");
	ret->name = json_string_value(json_object_get(row, "name"));
	ret->setting = json_string_value(json_object_get(row, "setting"));
	ret->set = json_string_value(json_object_get(row, "set"));
	ret->closes = json_is_number(idle);
	ret->idle_ms = (int64_t)(json_number_value(idle) * 1000);
	ret->min_ms = ret->idle_ms;
	if (json_is_number(observed) && json_number_value(observed) * 1000 < ret->min_ms)
		ret->min_ms = (int64_t)(json_number_value(observed) * 1000);
	return true;
}

bool uc_known_balancer(const char *kind, int64_t *ret_ms)
{
	json_t *row = row_of_kind(list("balancers"), kind);

	if (row)
		*ret_ms = (int64_t)(json_number_value(json_object_get(row, "idle_s")) * 1000);
	return row;
}

static const char *kind_at(json_t *rows, size_t at)
{
	const char *last = "";
	json_t *row, *name;
	size_t i, k;

	json_array_foreach(rows, i, row) {
		json_array_foreach(json_object_get(row, "kind"), k, name) {
			/* the versions of one stand side by side */
			if (!strcmp(last, json_string_value(name)))
				continue;
			last = json_string_value(name);
			if (!at--)
				return last;
		}
	}
	return NULL;
}

const char *uc_known_idle_kind_at(size_t i)
{
	return kind_at(table(), i);
}

const char *uc_known_balancer_at(size_t i)
{
	return kind_at(list("balancers"), i);
}
