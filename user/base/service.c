/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/service.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A variable that is meant for the process of this pid, as a number; 0 otherwise. */
static uint64_t ours(const char *name, const char *pid_name, bool pid_needed)
{
	const char *value = getenv(name), *pid = getenv(pid_name);

	if (!value || (pid_needed && !pid) || (pid && strtoul(pid, NULL, 10) != (unsigned)getpid()))
		return 0;
	return strtoull(value, NULL, 10);
}

/* '@' stands for the zero byte of an abstract name; its length, or 0 where it is no such address. */
static socklen_t address(struct sockaddr_un *addr)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(addr->sun_path) || (*path != '/' && *path != '@'))
		return 0;
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(addr->sun_path, path, len);
	if (*path == '@')
		addr->sun_path[0] = '\0';
	return offsetof(struct sockaddr_un, sun_path) + len + (*path == '/');
}

void uc_service_notify(const char *fmt, ...)
{
	struct sockaddr_un addr;
	socklen_t addr_len = address(&addr);
	char text[256];
	va_list args;
	int fd = addr_len ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;

	if (fd < 0)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&addr, addr_len);
	close(fd);
}

int uc_service_fds(void)
{
	uint64_t count = ours("LISTEN_FDS", "LISTEN_PID", true);

	if (count > (uint64_t)sysconf(_SC_OPEN_MAX))
		return 0;
	for (uint64_t i = 0; i < count; i++)
		fcntl(UC_SERVICE_FDS + i, F_SETFD, FD_CLOEXEC);
	return count;
}

uint64_t uc_service_watchdog_ns(void)
{
	return ours("WATCHDOG_USEC", "WATCHDOG_PID", false) * 1000;
}
