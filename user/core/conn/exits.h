/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The newest ends of processes that serve upstream sockets. Code that closes a
 * connection and exits right after was on its way out when it closed.
 */
#ifndef UPCLOSE_CORE_EXITS_H
#define UPCLOSE_CORE_EXITS_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* Ends that are remembered. */
#define UC_EXITS 64

struct uc_exit {
	struct uc_task task; /* flags and exit_code say how it ended */
	uint64_t ts_ns;
};

/* All zero: none yet. */
struct uc_exits {
	struct uc_exit at[UC_EXITS];
	size_t count; /* ever */
};

void uc_exits_note(struct uc_exits *x, const struct uc_rec_proc *rec);

/* The end of this very process, the newest first; NULL: not seen. */
const struct uc_exit *uc_exits_of(const struct uc_exits *x, const struct uc_task *t);

#endif
