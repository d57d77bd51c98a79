/* SPDX-License-Identifier: BSD-2-Clause */
/* What a service manager and its service tell each other, as documented in sd_notify(3) and sd_listen_fds(3). */
#ifndef UPCLOSE_BASE_SERVICE_H
#define UPCLOSE_BASE_SERVICE_H

#include <stdint.h>

/* The first of the sockets that were handed over. */
#define UC_SERVICE_FDS 3

/* Lines such as "READY=1". Without a manager, or one that does not listen, nothing happens. */
__attribute__((format(printf, 1, 2))) void uc_service_notify(const char *fmt, ...);

/* How many sockets were handed over to this process; they are closed on exec from now on. */
int uc_service_fds(void);

/* Within so long the manager wants to hear WATCHDOG=1, in ns; 0: it does not. */
uint64_t uc_service_watchdog_ns(void);

#endif
