/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/finding.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

const char *uc_severity_name(enum uc_severity s)
{
	static const char *const names[] = { "note", "warning", "error" };

	_Static_assert(ARRAY_SIZE(names) == UC_SEVERITY_MAX, "a name for each");
	return (unsigned)s < ARRAY_SIZE(names) ? names[s] : "invalid";
}

void uc_check_time(int64_t ms, char *buf, size_t size)
{
	if (ms == UC_NGINX_NEVER)
		snprintf(buf, size, "without end");
	else if (ms < 0)
		snprintf(buf, size, "unknown");
	else if (ms < 1000 && ms)
		snprintf(buf, size, "%d ms", (int)ms);
	else if (ms % 1000)
		snprintf(buf, size, "%.2f s", ms / 1e3);
	else
		snprintf(buf, size, "%lld s", (long long)ms / 1000);
}

void uc_check_place(const struct uc_nginx_conf *conf, const struct uc_nginx_directive *d, char *buf,
		    size_t size)
{
	const struct uc_nginx_file *f = uc_nginx_conf_file(conf, d->file);
	size_t used;

	uc_text_escape(f->path, strlen(f->path), buf, size);
	used = strlen(buf);
	snprintf(buf + used, size - used, ":%u:%u", d->line, uc_nginx_column(f, d->start));
}

void uc_check_version(uint32_t version, char *buf, size_t size)
{
	unsigned major = version / 1000000, minor = version / 1000 % 1000, patch = version % 1000;

	if (patch == 999)
		snprintf(buf, size, "nginx %u.%u", major, minor);
	else
		snprintf(buf, size, "nginx %u.%u.%u", major, minor, patch);
}
