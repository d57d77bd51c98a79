/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the daemon's HTTP server listens. */
#ifndef UPCLOSE_CONFIG_LISTEN_H
#define UPCLOSE_CONFIG_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

struct uc_listen_addr {
	bool off;
	struct sockaddr_storage addr;
	socklen_t len;
};

/* "ADDRESS:PORT", "[ADDRESS]:PORT", "unix:/PATH" or "off"; -EINVAL for anything else. */
int uc_listen_parse(const char *text, struct uc_listen_addr *ret);

/*
 * A listening socket, or a negative errno. A unix socket's file is replaced where
 * nobody listens on it any more, and is open to its owner and group.
 */
int uc_listen_open(const struct uc_listen_addr *addr);

#endif
