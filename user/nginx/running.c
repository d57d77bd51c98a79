/* SPDX-License-Identifier: BSD-2-Clause */
#include "nginx/running.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "core/nginx/httpconf.h"

#define TITLE     "nginx: master process "
#define EXE_LIMIT (512LL << 20)

/* --- the program's file ------------------------------------------------------------ */

struct image {
	char *at;
	size_t len;
};

static bool map_image(const char *path, struct image *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	bool ok;

	if (fd < 0)
		return false;
	ok = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size < EXE_LIMIT;
	if (ok) {
		ret->len = st.st_size;
		ret->at = mmap(NULL, ret->len, PROT_READ, MAP_PRIVATE, fd, 0);
		ok = ret->at != MAP_FAILED;
	}
	close(fd);
	return ok;
}

/* The string constant that begins so, copied up to its end; false: there is none. */
static bool constant(const struct image *i, const char *begins, char *buf, size_t size)
{
	const char *at = memmem(i->at, i->len, begins, strlen(begins)), *end;
	size_t n;

	if (!at)
		return false;
	at += strlen(begins);
	end = memchr(at, '\0', i->len - (at - i->at));
	n = end ? (size_t)(end - at) : 0;
	if (n >= size)
		n = size - 1;
	memcpy(buf, at, n);
	buf[n] = '\0';
	return n > 0;
}

static bool version_in(const struct image *i, uint32_t *ret)
{
	char text[64];

	return constant(i, "nginx version: ", text, sizeof(text)) &&
	       uc_nginx_version_parse(text, ret);
}

bool uc_running_version(const char *exe, uint32_t *ret)
{
	struct image i;
	bool found;

	if (!map_image(exe, &i))
		return false;
	found = version_in(&i, ret);
	munmap(i.at, i.len);
	return found;
}

/* "--conf-path=/etc/nginx/nginx.conf" of the configure arguments */
static bool argument(const char *arguments, const char *name, char *buf, size_t size)
{
	const char *at = strstr(arguments, name);
	size_t n;

	if (!at)
		return false;
	at += strlen(name);
	n = strcspn(at, " \n");
	if (!n || n >= size)
		return false;
	memcpy(buf, at, n);
	buf[n] = '\0';
	return true;
}

/* --- the process --------------------------------------------------------------------- */

static size_t read_proc(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = uc_file_start(path, buf, size);
	return n > 0 ? n : 0;
}

static bool is_master(pid_t pid)
{
	char title[sizeof(TITLE)];

	return read_proc(pid, "cmdline", title, sizeof(title)) == strlen(TITLE) &&
	       !strcmp(title, TITLE);
}

static int find_master(pid_t *ret, char why[UC_RUNNING_WHY])
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	char pids[96] = "";
	unsigned count = 0;

	while (dir && (d = readdir(dir))) {
		pid_t pid = isdigit((unsigned char)d->d_name[0]) ?
				    (pid_t)strtol(d->d_name, NULL, 10) :
				    0;
		size_t used = strlen(pids);

		if (!pid || !is_master(pid))
			continue;
		*ret = pid;
		if (count++ < 8)
			snprintf(pids + used, sizeof(pids) - used, " %d", pid);
	}
	if (dir)
		closedir(dir);
	if (count > 1)
		snprintf(
			why, UC_RUNNING_WHY,
			"%u master processes of nginx run here (%s): choose one with --pid, or name "
			"a configuration file",
			count, pids + 1);
	if (!count)
		snprintf(why, UC_RUNNING_WHY,
			 "no master process of nginx runs here: name a configuration file, or give "
			 "the text of nginx -T with --nginx-t");
	return count == 1 ? 0 : count ? -EEXIST : -ENOENT;
}

/* Of the words behind the title: the value of -c or -p; options that have one are passed over. */
static bool option(const char *title, char letter, char *buf, size_t size)
{
	for (const char *at = title; *at; at += strspn(at, " ")) {
		size_t n = strcspn(at, " ");

		if (n >= 2 && at[0] == '-' && at[1] == letter) {
			const char *value = at + 2;

			if (n == 2)
				value = at + 2 + strspn(at + 2, " ");
			n = strcspn(value, " ");
			if (!n || n >= size)
				return false;
			memcpy(buf, value, n);
			buf[n] = '\0';
			return true;
		}
		at += n;
	}
	return false;
}

static void join(const char *folder, const char *path, char ret[UC_RUNNING_PATH])
{
	size_t n = strlen(folder);

	if (path[0] == '/' || !n)
		snprintf(ret, UC_RUNNING_PATH, "%s", path);
	else
		snprintf(ret, UC_RUNNING_PATH, "%s%s%s", folder, folder[n - 1] == '/' ? "" : "/",
			 path);
}

/* ngx_process_options(): -c is relative to the prefix, and that to where nginx was started. */
static void find_conf(struct uc_running *r, const char *title, const char *arguments)
{
	char prefix[512] = "/usr/local/nginx", conf[512] = "conf/nginx.conf", given[512];
	char path[64], cwd[UC_RUNNING_PATH], log[512] = "logs/error.log";
	ssize_t n;

	argument(arguments, "--prefix=", prefix, sizeof(prefix));
	argument(arguments, "--conf-path=", conf, sizeof(conf));
	argument(arguments, "--error-log-path=", log, sizeof(log));
	if (option(title, 'p', given, sizeof(given)))
		snprintf(prefix, sizeof(prefix), "%s", given);
	if (option(title, 'c', given, sizeof(given)))
		snprintf(conf, sizeof(conf), "%s", given);
	if (option(title, 'e', given, sizeof(given)))
		snprintf(log, sizeof(log), "%s", given);
	snprintf(path, sizeof(path), "/proc/%d/cwd", r->pid);
	n = readlink(path, cwd, sizeof(cwd) - 1);
	cwd[n > 0 ? n : 0] = '\0';
	join(cwd, prefix, r->prefix);
	join(r->prefix, conf, r->conf);
	join(r->prefix, log, r->error_log);
}

static bool same_root(const struct stat *its)
{
	struct stat ours;

	return !stat("/", &ours) && ours.st_dev == its->st_dev && ours.st_ino == its->st_ino;
}

static void read_program(struct uc_running *r, char *arguments, size_t size)
{
	char path[64];
	struct image i;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", r->pid);
	n = readlink(path, r->exe, sizeof(r->exe) - 1);
	r->exe[n > 0 ? n : 0] = '\0';
	if (!map_image(path, &i))
		return;
	version_in(&i, &r->version);
	constant(&i, "configure arguments:", arguments, size);
	munmap(i.at, i.len);
}

int uc_running_find(pid_t pid, struct uc_running *ret, char why[UC_RUNNING_WHY])
{
	char title[4096], arguments[8192] = "";
	struct stat root;
	int err;

	memset(ret, 0, sizeof(*ret));
	err = pid ? 0 : find_master(&pid, why);
	if (err)
		return err;
	ret->pid = pid;
	if (!is_master(pid)) {
		snprintf(why, UC_RUNNING_WHY, "process %d is no master process of nginx", pid);
		return -ESRCH;
	}
	for (size_t n = read_proc(pid, "cmdline", title, sizeof(title)); n--;)
		if (!title[n])
			title[n] = ' ';
	snprintf(ret->root, sizeof(ret->root), "/proc/%d/root", pid);
	/* not access(2): for who is not root it leaves out the capability that this needs */
	if (stat(ret->root, &root)) {
		snprintf(why, UC_RUNNING_WHY, "process %d of nginx may not be looked into: %s", pid,
			 errno == EACCES ? "be root, or name a configuration file" :
					   strerror(errno));
		return -EACCES;
	}
	if (same_root(&root))
		ret->root[0] = '\0';
	read_program(ret, arguments, sizeof(arguments));
	find_conf(ret, title + strlen(TITLE), arguments);
	return 0;
}
