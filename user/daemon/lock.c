/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static void say_who(int fd, const char *path)
{
	char pid[16] = "";

	if (read(fd, pid, sizeof(pid) - 1) < 0)
		pid[0] = '\0';
	pid[strspn(pid, "0123456789")] = '\0';
	uc_error("another daemon runs here%s%s: it holds %s", *pid ? ", process " : "", pid, path);
}

/* A container's root may be read-only, and whoever starts it sees to that it is one. */
static int go_on_without(const char *folder)
{
	uc_note("note: %s cannot be written to; whether another daemon runs here is not known",
		folder);
	return 0;
}

int uc_lock(const char *folder, int *ret_fd)
{
	char path[PATH_MAX];
	int fd, err;

	if (mkdir(folder, 0755) && errno != EEXIST) {
		err = -errno;
		if (err == -EROFS)
			return go_on_without(folder);
		uc_error("cannot make %s: %s", folder, strerror(-err));
		return err;
	}
	snprintf(path, sizeof(path), "%s/daemon.lock", folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		err = -errno;
		if (err == -EROFS)
			return go_on_without(folder);
		uc_error("cannot open %s: %s", path, strerror(-err));
		return err;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		err = -errno;
		if (err == -EWOULDBLOCK)
			say_who(fd, path);
		else
			uc_error("cannot lock %s: %s", path, strerror(-err));
		close(fd);
		return err;
	}
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", getpid()) < 0)
		uc_note("note: cannot write to %s: %s", path, strerror(errno));
	*ret_fd = fd;
	return 0;
}
