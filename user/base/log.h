/* SPDX-License-Identifier: BSD-2-Clause */
/* Talk to the person, on standard error; standard output is for data. */
#ifndef UPCLOSE_LOG_H
#define UPCLOSE_LOG_H

/* Set by -v: 0 errors and notes, 1 more, 2 libbpf's messages too. */
extern int uc_log_verbosity;

/* Where talk goes instead of standard error; priority is one of syslog(3). NULL: there. */
extern void (*uc_log_writer)(int priority, const char *text);

__attribute__((format(printf, 1, 2))) void uc_error(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void uc_note(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void uc_debug(const char *fmt, ...);

#endif
