/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/proc.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "source/names.h"

static void resolve_exe(struct uc_proc *p)
{
	static const char deleted[] = " (deleted)";
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", p->tgid);
	memset(p->exe, 0, sizeof(p->exe));
	n = readlink(path, p->exe, sizeof(p->exe) - 1);
	if (n < 0)
		p->exe[0] = '\0';
	/* upgraded while it runs: still the same program to the reader */
	if (n > (ssize_t)strlen(deleted) && !strcmp(p->exe + n - strlen(deleted), deleted))
		memset(p->exe + n - strlen(deleted), 0, strlen(deleted));
}

/* Lines are "N:controllers:/path"; the unified one is "0::/path". */
static void resolve_cgroup(struct uc_proc *p)
{
	char path[32], line[512];
	FILE *f;

	memset(p->cgroup, 0, sizeof(p->cgroup));
	snprintf(path, sizeof(path), "/proc/%u/cgroup", p->tgid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		bool unified = !strncmp(line, "0::", 3);
		char *named = strstr(line, ":name=systemd:");
		const char *at = unified ? line + 3 : named ? named + 14 : NULL;

		line[strcspn(line, "\n")] = '\0';
		if (at && (unified || !p->cgroup[0]) && strlen(at) > 1)
			snprintf(p->cgroup, sizeof(p->cgroup), "%.*s", (int)sizeof(p->cgroup) - 1,
				 at);
	}
	fclose(f);
}

void uc_proc_resolve(struct uc_proc *p)
{
	struct uc_container in;

	resolve_exe(p);
	resolve_cgroup(p);
	uc_container_parse(p->cgroup, &in);
	uc_names_resolve("", &in, &p->names);
	/* in a container with the host's processes, the root of the first is the host's */
	if (!p->names.container[0] && !p->names.pod[0])
		uc_names_resolve("/proc/1/root", &in, &p->names);
}

static bool comm_is(const char *pid, const char *const *comms, size_t comm_count)
{
	char path[300], comm[UC_COMM_LEN + 2];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	uc_file_start(path, comm, sizeof(comm));
	comm[strcspn(comm, "\n")] = '\0';
	for (size_t i = 0; i < comm_count; i++)
		found |= !strcmp(comm, comms[i]);
	return found;
}

void uc_proc_each(const char *const *comms, size_t comm_count, void (*one)(void *ctx, pid_t pid),
		  void *ctx)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0]) && comm_is(d->d_name, comms, comm_count))
			one(ctx, (pid_t)strtol(d->d_name, NULL, 10));
	if (dir)
		closedir(dir);
}

static void count(void *ctx, pid_t pid)
{
	(void)pid;
	++*(unsigned *)ctx;
}

unsigned uc_proc_count(const char *const *comms, size_t comm_count)
{
	unsigned n = 0;

	uc_proc_each(comms, comm_count, count, &n);
	return n;
}

static int show_fd(const char *pid, const char *fd)
{
	char path[600], some[64];
	int file;

	snprintf(path, sizeof(path), "/proc/%s/fdinfo/%s", pid, fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	if (read(file, some, sizeof(some)) < 0) {
		int err = -errno;

		close(file);
		return err;
	}
	close(file);
	return 0;
}

/* Whatever ends meanwhile is no error. */
static int show_process(const char *pid)
{
	static const char socket[] = "socket:[";
	char path[300], target[sizeof(socket)];
	struct dirent *d;
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((d = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, target, strlen(socket));

		if (n < 0 && errno == EACCES)
			err = -EACCES;
		if (n == (ssize_t)strlen(socket) && !memcmp(target, socket, n) &&
		    show_fd(pid, d->d_name) == -EACCES)
			err = -EACCES;
	}
	closedir(dir);
	return err;
}

int uc_proc_show_sockets(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	int err = 0;

	if (!dir)
		return -errno;
	while ((d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0]) && show_process(d->d_name) == -EACCES)
			err = -EACCES;
	closedir(dir);
	return err;
}
