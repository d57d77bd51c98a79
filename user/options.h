/* SPDX-License-Identifier: BSD-2-Clause */
/* The options that trace and replay share. */
#ifndef UPCLOSE_OPTIONS_H
#define UPCLOSE_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine.h"
#include "number.h"
#include "plan.h"
#include "sink.h"

/* Exit statuses; the manual has them too. */
enum { UC_EXIT_DONE = 0, UC_EXIT_FAILED = 1, UC_EXIT_USAGE = 2, UC_EXIT_FOUND = 3 };

struct uc_output_options {
	struct uc_sink sink;
	struct uc_engine_config engine;
	bool all;       /* print every end, not only the flagged ones */
	bool exit_code; /* status 3 when something was flagged */
	bool unredacted;
	const char *error_log; /* path, or NULL */
};

/* For the short options string and the table of long ones. */
#define UC_OUTPUT_SHORT "o:c:p:v"
#define UC_OUTPUT_LONG                                                                             \
	{ "output", required_argument, NULL, 'o' }, { "count", required_argument, NULL, 'c' },     \
		{ "port", required_argument, NULL, 'p' },                                          \
		{ "comm", required_argument, NULL, 'C' }, { "all", no_argument, NULL, 'a' },       \
		{ "exit-code", no_argument, NULL, 'x' }, { "unredacted", no_argument, NULL, 'U' }, \
		{ "error-log", required_argument, NULL, 'E' },                                     \
	{                                                                                          \
		"verbose", no_argument, NULL, 'v'                                                  \
	}
extern const char uc_output_help[];

void uc_output_init(struct uc_output_options *o);
/* 1: it was one of them; 0: it was not; -1: its value is bad, which was said. */
int uc_output_option(struct uc_output_options *o, int option, const char *value);

/*
 * Completes o->engine, which then points into o, and opens the error log that was
 * named, if any; says why it cannot.
 */
int uc_output_open(struct uc_output_options *o, bool from_start);
void uc_output_close(struct uc_output_options *o);

/* A hook plan's name; says what is allowed when it is none. */
bool uc_parse_plan(const char *name, enum uc_plan *ret);

#endif
