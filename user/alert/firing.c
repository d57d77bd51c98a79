/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/firing.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_value.h"

#define NAME "firing.json"

static void path_of(const char *folder, const char *name, char buf[PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s/%s", folder, name);
}

/* --- writing ------------------------------------------------------------------------------ */

static json_t *entry_of(const struct uc_alert *alert)
{
	return json_pack("{s:s,s:s,s:s,s:I,s:I}", "name", alert->rule->name, "upstream",
			 alert->upstream, "severity", uc_alert_severity_name(alert->rule->severity),
			 "verdicts", (json_int_t)alert->rule->verdicts, "since_ns",
			 (json_int_t)alert->fired_wall_ns);
}

static char *listed(const struct uc_alerts *a)
{
	json_t *list = json_array(), *o;
	struct uc_alert alert;
	size_t at = 0;
	char *text;

	while (uc_alerts_active(a, &at, &alert))
		if (alert.state == UC_ALERT_FIRING)
			json_array_append_new(list, entry_of(&alert));
	o = json_pack("{s:i,s:o}", "schema", 1, "firing", list);
	text = o ? json_dumps(o, UC_JSON_DUMP) : NULL;
	json_decref(o);
	return text;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), err;

	if (fd < 0)
		return -errno;
	/* not waited for: after a crash of the machine there may be an older one */
	err = uc_file_write_at(fd, text, strlen(text), 0);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int uc_firing_save(const char *folder, const struct uc_alerts *a)
{
	char path[PATH_MAX], new[PATH_MAX], *text = listed(a);
	int err;

	if (!text)
		return -ENOMEM;
	path_of(folder, NAME, path);
	path_of(folder, NAME ".new", new);
	err = write_file(new, text);
	free(text);
	if (!err && rename(new, path))
		err = -errno;
	if (err)
		unlink(new);
	return err;
}

/* --- reading -------------------------------------------------------------------------------- */

static bool take_text(const json_t *o, const char *key, char *buf, size_t size)
{
	const char *text = json_string_value(json_object_get(o, key));

	if (!text || !*text || strlen(text) >= size)
		return false;
	memcpy(buf, text, strlen(text) + 1);
	return true;
}

static enum uc_alert_severity severity_of(const json_t *o)
{
	const char *text = json_string_value(json_object_get(o, "severity"));

	for (unsigned s = 0; text && s < UC_ALERT_SEVERITIES; s++)
		if (!strcmp(text, uc_alert_severity_name(s)))
			return s;
	return UC_ALERT_WARNING;
}

static bool take(const json_t *o, struct uc_firing *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->rule.severity = severity_of(o);
	ret->rule.verdicts = json_integer_value(json_object_get(o, "verdicts"));
	ret->rule.window_ns = UC_ALERT_WINDOW_MIN_NS;
	ret->fired_wall_ns = json_integer_value(json_object_get(o, "since_ns"));
	return ret->fired_wall_ns < INT64_MAX &&
	       take_text(o, "name", ret->rule.name, sizeof(ret->rule.name)) &&
	       take_text(o, "upstream", ret->upstream, sizeof(ret->upstream));
}

size_t uc_firing_load(const char *folder, struct uc_firing *ret, size_t max)
{
	char path[PATH_MAX];
	json_t *o, *list;
	size_t count = 0;

	path_of(folder, NAME, path);
	o = json_load_file(path, 0, NULL);
	list = json_object_get(o, "firing");
	for (size_t i = 0; i < json_array_size(list) && count < max; i++)
		count += take(json_array_get(list, i), &ret[count]);
	json_decref(o);
	return count;
}
