/* SPDX-License-Identifier: BSD-2-Clause */
/* A verdict in sentences: what happened, by what it is known, what to change. */
#ifndef UPCLOSE_EXPLAIN_H
#define UPCLOSE_EXPLAIN_H

#include <stddef.h>

#include "engine/judged.h"

#define UC_EXPLAIN_LINES 8
#define UC_EXPLAIN_LEN   320

struct uc_lines {
	char line[UC_EXPLAIN_LINES][UC_EXPLAIN_LEN];
	size_t count;
};

struct uc_explanation {
	char summary[UC_EXPLAIN_LEN];
	char outcome[UC_EXPLAIN_LEN]; /* what nginx did about it; "" where that is not known */
	struct uc_lines advice;
	struct uc_lines evidence;
};

void uc_explain(const struct uc_judged *r, struct uc_explanation *ret);

/* What nginx said of no connection that is followed; outcome and evidence stay empty. */
void uc_explain_log_event(const struct uc_log_event *ev, struct uc_explanation *ret);

/* "node[18853]", or "the upstream" where the process is not known. */
void uc_explain_upstream(const struct uc_judged *r, char *buf, size_t len);

/* "SIGKILL"; "signal 40" where it has no name. */
void uc_signal_name(int signal, char *buf, size_t len);

#endif
