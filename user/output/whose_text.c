/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/whose_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "output/incident.h"

/* Of an id, as runtimes print it. */
#define SHORT_ID 12

__attribute__((format(printf, 2, 3))) static void add(struct uc_whose_line *l, const char *fmt, ...)
{
	size_t used = strlen(l->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(l->text + used, sizeof(l->text) - used, fmt, args);
	va_end(args);
}

static const char *separator(const struct uc_whose_line *l)
{
	return *l->text ? ", " : "";
}

static void add_pod(struct uc_whose_line *l, const json_t *pod)
{
	const char *name = uc_incident_text(pod, "name"), *uid = uc_incident_text(pod, "uid");
	const char *workload = uc_incident_text(pod, "workload");

	if (*name)
		add(l, "pod %s/%s", uc_incident_text(pod, "namespace"), name);
	else if (*uid)
		add(l, "pod %s", uid);
	if (*workload && strcmp(workload, name))
		add(l, " (workload %s)", workload);
}

static void add_container(struct uc_whose_line *l, const json_t *container)
{
	const char *name = uc_incident_text(container, "name");
	const char *id = uc_incident_text(container, "id");
	const char *runtime = uc_incident_text(container, "runtime");

	if (*name)
		add(l, "%scontainer %s", separator(l), name);
	if (*id)
		add(l, "%s%s %.*s", separator(l), *runtime ? runtime : "container", SHORT_ID, id);
}

struct uc_whose_line uc_whose_text(const json_t *end)
{
	struct uc_whose_line l = { "" };
	const char *unit = uc_incident_text(end, "unit");

	add_pod(&l, json_object_get(end, "pod"));
	add_container(&l, json_object_get(end, "container"));
	if (*unit)
		add(&l, "%sunit %s", separator(&l), unit);
	return l;
}
