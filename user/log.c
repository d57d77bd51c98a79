/* SPDX-License-Identifier: BSD-2-Clause */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

int uc_log_verbosity;

__attribute__((format(printf, 2, 0))) static void say(const char *prefix, const char *fmt,
						      va_list args)
{
	char line[1024];

	/* one write, so that lines of several processes do not mix */
	vsnprintf(line, sizeof(line), fmt, args);
	fprintf(stderr, "%s%s\n", prefix, line);
}

void uc_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("upclose: ", fmt, args);
	va_end(args);
}

void uc_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("", fmt, args);
	va_end(args);
}

void uc_debug(const char *fmt, ...)
{
	va_list args;

	if (!uc_log_verbosity)
		return;
	va_start(args, fmt);
	say("", fmt, args);
	va_end(args);
}
