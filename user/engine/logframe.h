/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of a program as container runtimes keep them, one a line:
 *
 *	2026-01-01T00:00:00.1Z stderr F TEXT                     Kubernetes (CRI); P: to be continued
 *	{"log":"TEXT\n","stream":"stderr","time":"2026-01-01T00:00:00.1Z"}      Docker's json-file
 *
 * All of it is hostile, as the program's text is.
 */
#ifndef UPCLOSE_LOGFRAME_H
#define UPCLOSE_LOGFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "core/conn/errorline.h"

/* Parts that wait for their end, of standard output and of standard error. */
struct uc_logframe {
	struct uc_logframe_part {
		size_t len;
		char text[UC_ERROR_LINE_MAX]; /* what is longer is cut */
	} parts[2];
};

struct uc_framed {
	const char *text; /* valid until the next call, or as long as the line */
	size_t len;
	time_t at; /* by the runtime; 0: it says none, as around a plain line */
};

/* False: there is more of it to come, or it is damaged. */
bool uc_logframe_take(struct uc_logframe *f, const char *line, size_t len, struct uc_framed *ret);

/* RFC 3339: "2026-01-01T00:00:00.1Z", "...+02:00"; 0: it is not. */
time_t uc_logframe_time(const char *text, size_t len);

#endif
