/* SPDX-License-Identifier: BSD-2-Clause */
/* systemd's journal by its native protocol, as documented in systemd's JOURNAL_NATIVE_PROTOCOL. */
#ifndef UPCLOSE_ALERT_JOURNALD_H
#define UPCLOSE_ALERT_JOURNALD_H

#include <stddef.h>
#include <sys/uio.h>

#define UC_JOURNALD_SOCKET "/run/systemd/journal/socket"

/* One entry of fields "NAME=value", whose values may hold any bytes. 0, or a negative errno: -ENOENT, nobody listens. */
int uc_journald_write(const struct iovec *fields, size_t count);

#endif
