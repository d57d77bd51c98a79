/* SPDX-License-Identifier: BSD-2-Clause */
/* How far a probe is: one line that is written over on a terminal, a line now and then elsewhere. */
#ifndef UPCLOSE_PROBE_PROGRESS_H
#define UPCLOSE_PROBE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "probe/probe.h"

struct uc_progress {
	FILE *out;
	bool terminal;
	bool shown;       /* there is a line to write over */
	uint64_t next_ns; /* elapsed time of the next line, where there is no terminal */
};

void uc_progress_init(struct uc_progress *p, FILE *out);
void uc_progress_show(struct uc_progress *p, const struct uc_probe_progress *g);
/* Takes the line away, for others to write. */
void uc_progress_clear(struct uc_progress *p);

#endif
