/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

int uc_log_verbosity;
void (*uc_log_writer)(int priority, const char *text);

__attribute__((format(printf, 3, 0))) static void say(int priority, const char *prefix,
						      const char *fmt, va_list args)
{
	char line[1024];

	/* one write, so that lines of several processes do not mix */
	vsnprintf(line, sizeof(line), fmt, args);
	if (uc_log_writer)
		uc_log_writer(priority, line);
	else
		fprintf(stderr, "%s%s\n", prefix, line);
}

void uc_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(LOG_ERR, "upclose: ", fmt, args);
	va_end(args);
}

void uc_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(LOG_INFO, "", fmt, args);
	va_end(args);
}

void uc_debug(const char *fmt, ...)
{
	va_list args;

	if (!uc_log_verbosity)
		return;
	va_start(args, fmt);
	say(LOG_DEBUG, "", fmt, args);
	va_end(args);
}
