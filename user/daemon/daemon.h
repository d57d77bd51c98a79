/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's life: start, loop, reload, end. */
#ifndef UPCLOSE_DAEMON_DAEMON_H
#define UPCLOSE_DAEMON_DAEMON_H

/* Runs until SIGTERM or SIGINT; 0, or a negative errno whose cause was said. */
int uc_daemon(const char *config_path);

#endif
