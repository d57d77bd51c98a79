/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/whose.h"

#include <stdio.h>
#include <string.h>

#include "core/workload.h"

/* As runtimes print them. */
#define SHORT_ID 12

struct uc_whose uc_whose(const struct uc_proc *proc)
{
	struct uc_whose w = { .proc = proc };

	if (proc)
		uc_container_parse(proc->cgroup, &w.in);
	return w;
}

void uc_whose_name(const struct uc_whose *w, char buf[UC_WHOSE_LEN])
{
	const struct uc_names *n = w->proc ? &w->proc->names : NULL;

	buf[0] = '\0';
	if (n && n->pod[0])
		snprintf(buf, UC_WHOSE_LEN, "%s/%s", n->pod_namespace, n->pod);
	else if (n && n->container[0])
		snprintf(buf, UC_WHOSE_LEN, "%s", n->container);
	else if (w->in.id[0])
		snprintf(buf, UC_WHOSE_LEN, "%s %.*s", w->in.runtime ? w->in.runtime : "container",
			 SHORT_ID, w->in.id);
	else if (w->in.pod_uid[0])
		snprintf(buf, UC_WHOSE_LEN, "pod %s", w->in.pod_uid);
}

void uc_whose_workload(const struct uc_whose *w, char *buf, size_t size)
{
	const struct uc_names *n = w->proc ? &w->proc->names : NULL;
	char workload[sizeof(n->pod)];

	if (!n || !n->pod[0]) {
		snprintf(buf, size, "%s", n && n->container[0] ? n->container : w->in.unit);
		return;
	}
	uc_workload_of(n->pod, workload, sizeof(workload));
	snprintf(buf, size, "%s/%s", n->pod_namespace, workload);
}

bool uc_whose_container_is(const struct uc_whose *w, const char *container)
{
	size_t len = strlen(container);

	if (!w->in.id[0])
		return false;
	return !strcmp(w->proc->names.container, container) ||
	       (len >= SHORT_ID && !strncmp(w->in.id, container, len));
}

bool uc_whose_pod_is(const struct uc_whose *w, const char *pod)
{
	const struct uc_names *n = w->proc ? &w->proc->names : NULL;
	const char *slash = strchr(pod, '/'), *name = slash ? slash + 1 : pod;

	if (w->in.pod_uid[0] && !strcmp(w->in.pod_uid, pod))
		return true;
	if (!n || !n->pod[0] || strcmp(n->pod, name))
		return false;
	return !slash || (strlen(n->pod_namespace) == (size_t)(slash - pod) &&
			  !memcmp(n->pod_namespace, pod, slash - pod));
}
