/* SPDX-License-Identifier: BSD-2-Clause */
/* What this process itself costs, as Prometheus' client libraries tell it. */
#ifndef UPCLOSE_DAEMON_PROCESS_H
#define UPCLOSE_DAEMON_PROCESS_H

#include <stdint.h>

struct uc_process {
	double cpu_seconds;
	double start_seconds; /* since the epoch */
	uint64_t resident_bytes;
	uint64_t virtual_bytes;
	uint64_t open_fds;
	uint64_t max_fds;
};

/* What cannot be read is 0. */
struct uc_process uc_process_self(void);

#endif
