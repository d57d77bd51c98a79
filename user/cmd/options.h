/* SPDX-License-Identifier: BSD-2-Clause */
/* The options that trace and replay share. */
#ifndef UPCLOSE_OPTIONS_H
#define UPCLOSE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/command_line.h"
#include "engine/engine.h"
#include "base/number.h"
#include "source/plan.h"
#include "engine/output.h"

struct uc_output_options {
	struct uc_output output;
	struct uc_engine_config engine;
	bool all;       /* print every end, not only the flagged ones */
	bool exit_code; /* status 3 when something was flagged */
	bool unredacted;
	const char *error_log; /* path, or NULL */
};

/* For the short options string, the table of long ones and the usage, with -v and -h. */
#define UC_OUTPUT_SHORT "o:c:p:vh"
#define UC_OUTPUT_LONG                                                                            \
	{ "output", required_argument, NULL, 'o' }, { "count", required_argument, NULL, 'c' },    \
		{ "port", required_argument, NULL, 'p' },                                         \
		{ "comm", required_argument, NULL, 'C' }, { "all", no_argument, NULL, 'a' },      \
		{ "container", required_argument, NULL, 'K' },                                    \
		{ "pod", required_argument, NULL, 'P' }, { "exit-code", no_argument, NULL, 'x' }, \
		{ "unredacted", no_argument, NULL, 'U' },                                         \
		{ "error-log", required_argument, NULL, 'E' },                                    \
		{ "verbose", no_argument, NULL, 'v' },                                            \
	{                                                                                         \
		"help", no_argument, NULL, 'h'                                                    \
	}
#define UC_OUTPUT_HELP                                                                           \
	"  -o, --output FORMAT   text (default), table or json (one object a line)\n"            \
	"  -c, --count N         end after N connections were printed\n"                         \
	"  -p, --port PORT       only upstreams on this port; may be given up to 16 times\n"     \
	"      --comm NAME       nginx's process name (default nginx); up to 8 times\n"          \
	"      --container NAME  only connections out of or into this container: its name, or\n" \
	"                        its id; up to 8 times\n"                                        \
	"      --pod POD         the same of a pod: POD or NAMESPACE/POD; up to 8 times\n"       \
	"      --all             print every connection that ends, healthy ones too\n"           \
	"      --error-log PATH  follow nginx's error log, and put its line beside each\n"       \
	"                        connection (replay: read it); - is standard input, and\n"       \
	"                        auto looks into the configuration of nginx here\n"              \
	"      --exit-code       exit with status 3 when something was flagged\n"                \
	"      --unredacted      print queries, and let a recording hold header values and\n"    \
	"                        the first bytes of bodies; they may be secret\n"                \
	"  -v, --verbose         more messages on standard error; -vv libbpf's too\n"            \
	"  -h, --help            this text\n"

void uc_output_options_init(struct uc_output_options *o);
/* Takes any of them for command_line.h; ctx is the struct uc_output_options. */
int uc_output_options_take(void *ctx, int option, const char *value);

/*
 * Completes o->engine, which then points into o, and opens the error log that was
 * named, if any; says why it cannot.
 */
int uc_output_options_open(struct uc_output_options *o, bool from_start);
void uc_output_options_close(struct uc_output_options *o);

/* The same of a hook plan. */
int uc_plan_option(const char *name, enum uc_plan *ret);

#endif
