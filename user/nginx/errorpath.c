/* SPDX-License-Identifier: BSD-2-Clause */
#include "nginx/errorpath.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "nginx/sources.h"
#include "nginx/trust.h"

#define NEXT_STEP "name the file with --error-log PATH"

static bool begins(const struct uc_nginx_word *w, const char *with)
{
	size_t len = strlen(with);

	return w->len >= len && !memcmp(w->p, with, len);
}

static const struct uc_nginx_word *named_in(const struct uc_nginx_directive *first)
{
	for (const struct uc_nginx_directive *d = first; d; d = d->next)
		if (uc_nginx_named(d, "error_log") && d->count > 1 &&
		    !begins(&d->words[1], "syslog:") && !begins(&d->words[1], "memory:"))
			return &d->words[1];
	return NULL;
}

const struct uc_nginx_word *uc_error_log_named(const struct uc_nginx_conf *conf)
{
	static const char *const blocks[] = { "http", "stream" };
	const struct uc_nginx_directive *top = uc_nginx_conf_top(conf);
	const struct uc_nginx_word *found = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		for (const struct uc_nginx_directive *d = top; d && !found; d = d->next)
			if (uc_nginx_named(d, blocks[i]))
				found = named_in(d->child);
	return found ? found : named_in(top);
}

static bool is_stderr(const char *path)
{
	static const char *const names[] = { "stderr", "/dev/stderr", "/dev/fd/2",
					     "/proc/self/fd/2" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(path, names[i]))
			return true;
	return false;
}

/* Images of nginx link their log to /dev/stderr, which in here would be our own. */
static bool leads_to_stderr(const char *path)
{
	char target[64];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	return n > 0 && is_stderr(target);
}

/* A pipe has a reader already, whom each byte that we read would be taken from. */
static int refuse_pipe(const char *path, char why[UC_ERROR_PATH_WHY])
{
	struct stat st;

	if (!stat(path, &st) && S_ISREG(st.st_mode))
		return 0;
	snprintf(why, UC_ERROR_PATH_WHY,
		 "nginx writes it to %s, which is no file: name the file in which its container's "
		 "runtime keeps it with --error-log PATH",
		 path);
	return -EINVAL;
}

static int reachable(const struct uc_running *r, const char *name, char ret[UC_RUNNING_PATH],
		     char why[UC_ERROR_PATH_WHY])
{
	const char *between = name[0] == '/' ? "" : r->prefix;
	int n = snprintf(ret, UC_RUNNING_PATH, "%s%s%s%s", r->root, between, *between ? "/" : "",
			 name);

	if (n >= UC_RUNNING_PATH) {
		snprintf(why, UC_ERROR_PATH_WHY, "its path is too long: " NEXT_STEP);
		return -ENAMETOOLONG;
	}
	if (is_stderr(name) || leads_to_stderr(ret))
		snprintf(ret, UC_RUNNING_PATH, "/proc/%d/fd/2", r->pid);
	return refuse_pipe(ret, why);
}

static int path_of(const struct uc_running *r, char ret[UC_RUNNING_PATH],
		   char why[UC_ERROR_PATH_WHY])
{
	char name[UC_RUNNING_PATH], problem[UC_SOURCES_WHY];
	struct uc_sources *s = uc_sources_read(r->conf, *r->root ? r->root : NULL, problem);
	const struct uc_nginx_word *w;

	if (!s) {
		snprintf(why, UC_ERROR_PATH_WHY, "%s", problem);
		return -EINVAL;
	}
	w = uc_error_log_named(s->conf);
	if (w)
		snprintf(name, sizeof(name), "%.*s", (int)w->len, w->p);
	else
		snprintf(name, sizeof(name), "%s", r->error_log);
	uc_sources_free(s);
	return reachable(r, name, ret, why);
}

int uc_error_log_path(char ret[UC_RUNNING_PATH], char why[UC_ERROR_PATH_WHY])
{
	struct uc_running *r = malloc(sizeof(*r));
	char problem[UC_RUNNING_WHY] = "";
	int err = r ? uc_running_find(0, r, problem) : -ENOMEM;

	if (err == -ENOENT || err == -EEXIST)
		snprintf(why, UC_ERROR_PATH_WHY, "%s: " NEXT_STEP,
			 err == -ENOENT ? "no nginx runs here" : "more than one nginx runs here");
	else if (err)
		snprintf(why, UC_ERROR_PATH_WHY, "%s", *problem ? problem : strerror(-err));
	else if (!uc_nginx_trusted(r->pid)) {
		snprintf(why, UC_ERROR_PATH_WHY,
			 "nginx runs as another user than root or you: " NEXT_STEP);
		err = -EPERM;
	} else
		err = path_of(r, ret, why);
	free(r);
	return err;
}
