/* SPDX-License-Identifier: BSD-2-Clause */
#include "nginx/errorlevel.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/util.h"
#include "nginx/running.h"
#include "nginx/sources.h"
#include "nginx/trust.h"
#include "source/proc.h"

/* ngx_log_set_levels() of src/core/ngx_log.c; debug_core and the like are debug. */
static unsigned level_of(const struct uc_nginx_directive *d)
{
	static const char *const names[] = { "emerg", "alert",  "crit", "error",
					     "warn",  "notice", "info", "debug" };
	const struct uc_nginx_word *w = &d->words[d->count - 1];

	if (d->count < 3)
		return UC_LEVEL_ERROR;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (uc_nginx_word_is(w, names[i]))
			return i + 1;
	return w->len > 6 && !memcmp(w->p, "debug_", 6) ? UC_LEVEL_DEBUG : 0;
}

static const struct uc_nginx_directive *after(const struct uc_nginx_directive *d)
{
	if (d->child)
		return d->child;
	while (d && !d->next)
		d = d->parent;
	return d ? d->next : NULL;
}

unsigned uc_error_level_of(const struct uc_nginx_conf *conf)
{
	unsigned lowest = UC_LEVEL_DEBUG;
	bool any = false;

	for (const struct uc_nginx_directive *d = uc_nginx_conf_top(conf); d; d = after(d)) {
		unsigned level;

		if (!uc_nginx_named(d, "error_log"))
			continue;
		any = true;
		level = level_of(d);
		lowest = level < lowest ? level : lowest;
	}
	return any ? lowest : UC_LEVEL_ERROR;
}

/* A directive of the command line (-g) has the last word, and is not looked into. */
static bool said_otherwise(pid_t pid)
{
	char path[64], title[4096] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	n = uc_file_start(path, title, sizeof(title));
	return n < 0 || memmem(title, n, "error_log", strlen("error_log"));
}

static unsigned level_of_master(const struct uc_running *r)
{
	char why[UC_SOURCES_WHY], root[32];
	struct uc_sources *s;
	unsigned level;

	snprintf(root, sizeof(root), "/proc/%d/root", r->pid);
	s = said_otherwise(r->pid) ? NULL : uc_sources_read(r->conf, root, why);
	if (!s)
		return 0;
	level = s->skip_count ? 0 : uc_error_level_of(s->conf);
	uc_sources_free(s);
	return level;
}

static void take_lowest(void *ctx, pid_t pid)
{
	struct uc_running *r = malloc(sizeof(*r));
	char why[UC_RUNNING_WHY] = "";
	unsigned level = 0, *lowest = ctx;
	int err = r ? uc_running_find(pid, r, why) : 0;

	if (!err && r && uc_nginx_trusted(pid))
		level = level_of_master(r);
	/* a worker, or another program of that name */
	if (!err)
		*lowest = level < *lowest ? level : *lowest;
	free(r);
}

unsigned uc_error_level(const char *const *comms, size_t comm_count)
{
	unsigned lowest = UC_LEVEL_DEBUG + 1;

	uc_proc_each(comms, comm_count, take_lowest, &lowest);
	return lowest > UC_LEVEL_DEBUG ? 0 : lowest;
}
