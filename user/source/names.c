/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/names.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* Larger lists of containers are not read. */
#define LIST_MAX (4 << 20)

/* --- Kubernetes --------------------------------------------------------------------- */

/* Names of Kubernetes have no '_', so it is between them; false where a piece does not fit. */
static bool piece(const char **at, const char *end, char *buf, size_t size)
{
	const char *stop = memchr(*at, '_', end - *at);
	size_t len = (stop ? stop : end) - *at;

	if (!len || len >= size)
		return false;
	memcpy(buf, *at, len);
	buf[len] = '\0';
	*at += len + !!stop;
	return true;
}

/* "POD_NAMESPACE_CONTAINER-ID.log" */
static bool take_container_log(const char *name, const char *key, struct uc_names *ret)
{
	struct uc_names n = { 0 };
	const char *end = strstr(name, key);

	if (!end || !piece(&name, end, n.pod, sizeof(n.pod)) ||
	    !piece(&name, end, n.pod_namespace, sizeof(n.pod_namespace)) ||
	    !piece(&name, end, n.container, sizeof(n.container)))
		return false;
	*ret = n;
	return true;
}

/* "NAMESPACE_POD_UID" */
static bool take_pod_folder(const char *name, const char *key, struct uc_names *ret)
{
	struct uc_names n = { 0 };
	const char *end = strstr(name, key);

	if (!end || end[strlen(key)] ||
	    !piece(&name, end, n.pod_namespace, sizeof(n.pod_namespace)) ||
	    !piece(&name, end, n.pod, sizeof(n.pod)))
		return false;
	*ret = n;
	return true;
}

static bool find_in(const char *root, const char *folder, const char *key,
		    bool (*take)(const char *name, const char *key, struct uc_names *ret),
		    struct uc_names *ret)
{
	char path[256];
	struct dirent *d;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s%s", root, folder);
	dir = opendir(path);
	while (dir && !found && (d = readdir(dir)))
		found = take(d->d_name, key, ret);
	if (dir)
		closedir(dir);
	return found;
}

static bool kubelet_names(const char *root, const struct uc_container *c, struct uc_names *ret)
{
	char key[UC_CONTAINER_ID + 8];

	snprintf(key, sizeof(key), "-%s.log", c->id);
	if (c->id[0] && find_in(root, "/var/log/containers", key, take_container_log, ret))
		return true;
	snprintf(key, sizeof(key), "_%s", c->pod_uid);
	return c->pod_uid[0] && find_in(root, "/var/log/pods", key, take_pod_folder, ret);
}

/* --- podman and Docker ---------------------------------------------------------------- */

static json_t *read_json(const char *root, const char *path)
{
	char whole[512], *text;
	json_t *o = NULL;
	size_t len;

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	if (uc_file_read(whole, LIST_MAX, &text, &len))
		return NULL;
	o = json_loadb(text, len, 0, NULL);
	free(text);
	return o;
}

static void set_name(const char *name, struct uc_names *ret)
{
	if (name && strlen(name) < sizeof(ret->container))
		snprintf(ret->container, sizeof(ret->container), "%s", name);
}

/* A list of all containers. */
static void podman_name(const char *root, const char *id, struct uc_names *ret)
{
	json_t *all = read_json(root,
				"/var/lib/containers/storage/overlay-containers/containers.json"),
	       *one;
	size_t i;

	json_array_foreach(all, i, one) {
		const char *its = json_string_value(json_object_get(one, "id"));

		if (its && !strcmp(its, id))
			set_name(
				json_string_value(json_array_get(json_object_get(one, "names"), 0)),
				ret);
	}
	json_decref(all);
}

/* A folder for each; names begin with a slash. */
static void docker_name(const char *root, const char *id, struct uc_names *ret)
{
	char path[UC_CONTAINER_ID + 64];
	const char *name;
	json_t *o;

	snprintf(path, sizeof(path), "/var/lib/docker/containers/%s/config.v2.json", id);
	o = read_json(root, path);
	name = json_string_value(json_object_get(o, "Name"));
	set_name(name && *name == '/' ? name + 1 : name, ret);
	json_decref(o);
}

void uc_names_resolve(const char *root, const struct uc_container *c, struct uc_names *ret)
{
	*ret = (struct uc_names){ 0 };
	if ((!c->id[0] && !c->pod_uid[0]) || kubelet_names(root, c, ret) || !c->id[0])
		return;
	podman_name(root, c->id, ret);
	if (!ret->container[0])
		docker_name(root, c->id, ret);
}
