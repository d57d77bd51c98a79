/* SPDX-License-Identifier: BSD-2-Clause */
/* How a subcommand reads its command line. */
#ifndef UPCLOSE_COMMAND_LINE_H
#define UPCLOSE_COMMAND_LINE_H

#include <getopt.h>

/* Beside the exit statuses; after UC_SEE_HELP it is said how to come to the options. */
enum { UC_GO_ON = -1, UC_SEE_HELP = -2 };

struct uc_command_line {
	const char *usage, *shorts;
	const struct option *longs;
	/* Both return UC_GO_ON, or say what is wrong. -h and -v do not come here. */
	int (*option)(void *ctx, int option, const char *value);
	int (*operands)(void *ctx, int count, char **operands);
	/* In place of operands(): one is needed, and this is said of none and of several. */
	const char *none, *several;
};

/* UC_GO_ON, with the operands at optind, or the exit status to end with. */
int uc_command_line(const struct uc_command_line *line, int argc, char **argv, void *ctx);

/* The status to exit with: what was printed is there, or it says that it is not. */
int uc_printed(int status);

#endif
