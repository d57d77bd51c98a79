/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/number.h"

#define BACKLOG 64

static int parse_unix(const char *path, struct uc_listen_addr *ret)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ret->addr;

	if (*path != '/' || strlen(path) >= sizeof(un->sun_path))
		return -EINVAL;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path));
	ret->len = sizeof(*un);
	return 0;
}

static int parse_inet(const char *host, uint16_t port, bool bracket, struct uc_listen_addr *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret->addr;
	struct sockaddr_in *in = (struct sockaddr_in *)&ret->addr;

	if (bracket) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		ret->len = sizeof(*in6);
		return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	ret->len = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -EINVAL;
}

int uc_listen_parse(const char *text, struct uc_listen_addr *ret)
{
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port;
	size_t len;

	memset(ret, 0, sizeof(*ret));
	if (!strcmp(text, "off")) {
		ret->off = true;
		return 0;
	}
	if (!strncmp(text, "unix:", 5))
		return parse_unix(text + 5, ret);
	if (!colon || !uc_parse_number(colon + 1, 1, 65535, &port))
		return -EINVAL;
	len = colon - text;
	if (!len || len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	if (*host != '[')
		return parse_inet(host, port, false, ret);
	if (host[len - 1] != ']')
		return -EINVAL;
	host[len - 1] = '\0';
	return parse_inet(host + 1, port, true, ret);
}

/* What an earlier daemon left there goes; a socket that somebody serves stays. */
static int make_room(const struct uc_listen_addr *addr)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&addr->addr;
	struct stat st;
	int fd, served;

	if (lstat(un->sun_path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	served = !connect(fd, (const struct sockaddr *)un, addr->len);
	close(fd);
	if (served)
		return -EADDRINUSE;
	return unlink(un->sun_path) ? -errno : 0;
}

static int bind_and_listen(int fd, const struct uc_listen_addr *addr)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&addr->addr;
	int yes = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)&addr->addr, addr->len) ||
	    (un->sun_family == AF_UNIX && chmod(un->sun_path, 0660)) || listen(fd, BACKLOG))
		return -errno;
	return 0;
}

int uc_listen_open(const struct uc_listen_addr *addr)
{
	int fd, err = addr->addr.ss_family == AF_UNIX ? make_room(addr) : 0;

	if (err)
		return err;
	fd = socket(addr->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = bind_and_listen(fd, addr);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}
