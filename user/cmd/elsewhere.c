/* SPDX-License-Identifier: BSD-2-Clause */
/* Where upclose is two programs, the commands that are upclose-net's. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cmd/command.h"
#include "base/log.h"

#define NET "-net"

/* Beside this program, as where both were built, or where it was installed. */
static int run_net(char **argv)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof(NET));

	argv--; /* the command is not the whole line */
	if (n > 0) {
		memcpy(path + n, NET, sizeof(NET));
		execv(path, argv);
	}
	execv(UC_LIBEXECDIR "/upclose" NET, argv);
	uc_error("cannot run %s: %s; install upclose again", UC_LIBEXECDIR "/upclose" NET,
		 strerror(errno));
	return UC_EXIT_FAILED;
}

int uc_cmd_daemon(int argc, char **argv)
{
	(void)argc;
	return run_net(argv);
}

int uc_cmd_probe(int argc, char **argv)
{
	(void)argc;
	return run_net(argv);
}
