/* SPDX-License-Identifier: BSD-2-Clause */
/* Names the cause of one connection's end. Total: it always answers. */
#ifndef UPCLOSE_CORE_VERDICT_H
#define UPCLOSE_CORE_VERDICT_H

#include <stdbool.h>

#include "core/conn/facts.h"
#include "core/vocabulary.h"

struct uc_verdict {
	enum uc_verdict_id id;
	enum uc_proof proof;
	enum uc_confidence confidence;
	bool flagged;
	bool lossy; /* something that could change the answer was lost or not seen */
};

struct uc_verdict uc_verdict(const struct uc_facts *f);

/* Exit status and signal of a process that ended: both -1 when they are not known. */
void uc_exit_of(const struct uc_task *t, int *ret_status, int *ret_signal);

#endif
