/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/delegate.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

/* It has to walk over /proc, and to attach. */
#define PATIENCE_S 5

#define MESSAGE 65536

struct uc_delegate {
	pid_t pid;
	int fd;
};

/* A lock, a listening socket, the kernel's records: all of that is the other process's. */
static void close_others(int a, int b)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		int fd = atoi(d->d_name);

		if (fd > STDERR_FILENO && fd != a && fd != b && fd != dirfd(dir))
			close(fd);
	}
	if (dir)
		closedir(dir);
}

static void answer(const struct uc_delegate_config *cfg, int fd)
{
	static char request[MESSAGE], reply[MESSAGE];
	ssize_t n;

	while ((n = recv(fd, request, sizeof(request), 0)) > 0 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		n = cfg->answer(cfg->answer_ctx, request, n, reply, sizeof(reply));
		if (send(fd, reply, n, MSG_NOSIGNAL) != n)
			break;
	}
}

/* Signals are for the process that asks; its end is this one's. */
static void serve(const struct uc_delegate_config *cfg, int fd, pid_t parent)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	close_others(fd, cfg->fd);
	prctl(PR_SET_NAME, cfg->name);
	if (cfg->confine(cfg->confine_ctx) || prctl(PR_SET_PDEATHSIG, SIGKILL) ||
	    getppid() != parent || send(fd, "", 1, MSG_NOSIGNAL) != 1)
		return;
	answer(cfg, fd);
}

int uc_delegate_new(const struct uc_delegate_config *cfg, struct uc_delegate **ret)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct uc_delegate *d = calloc(1, sizeof(*d));
	const pid_t parent = getpid();
	int pair[2], err;
	char ready;

	if (!d)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		free(d);
		return -errno;
	}
	d->pid = fork();
	if (!d->pid) {
		serve(cfg, pair[1], parent);
		_exit(0);
	}
	close(pair[1]);
	d->fd = pair[0];
	err = d->pid < 0 ? -errno : 0;
	if (!err && setsockopt(d->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		err = -errno;
	/* it has given up what it does not need */
	if (!err && recv(d->fd, &ready, sizeof(ready), 0) != sizeof(ready))
		err = -ECHILD;
	if (err)
		uc_delegate_free(d);
	else
		*ret = d;
	return err;
}

void uc_delegate_free(struct uc_delegate *d)
{
	if (!d)
		return;
	close(d->fd);
	if (d->pid > 0)
		waitpid(d->pid, NULL, 0);
	free(d);
}

ssize_t uc_delegate_ask(struct uc_delegate *d, const void *request, size_t len, void *reply,
			size_t size)
{
	ssize_t n;

	if (send(d->fd, request, len, MSG_NOSIGNAL) < 0)
		return -errno;
	do
		n = recv(d->fd, reply, size, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? n : -EPIPE;
}
