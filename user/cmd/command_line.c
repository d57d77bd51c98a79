/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/command_line.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/command.h"

static int take_option(const struct uc_command_line *line, int option, void *ctx)
{
	switch (option) {
	case 'h':
		fputs(line->usage, stdout);
		return UC_EXIT_DONE;
	case 'v':
		uc_log_verbosity++;
		return UC_GO_ON;
	case '?': /* getopt_long said why */
		return UC_SEE_HELP;
	default:
		return line->option(ctx, option, optarg);
	}
}

static int take_operands(const struct uc_command_line *line, int count, char **argv, void *ctx)
{
	const char *command = argv[0];

	argv += optind;
	if (line->operands)
		return line->operands(ctx, count, argv);
	if (count == !!line->none)
		return UC_GO_ON;
	if (line->none)
		uc_error("%s; see 'upclose %s --help'", count ? line->several : line->none,
			 command);
	else
		uc_error("'%s' is one argument too many; see 'upclose %s --help'", *argv, command);
	return UC_EXIT_USAGE;
}

int uc_command_line(const struct uc_command_line *line, int argc, char **argv, void *ctx)
{
	int opt, status = UC_GO_ON;

	while (status == UC_GO_ON &&
	       (opt = getopt_long(argc, argv, line->shorts, line->longs, NULL)) != -1)
		status = take_option(line, opt, ctx);
	if (status == UC_GO_ON)
		status = take_operands(line, argc - optind, argv, ctx);
	if (status != UC_SEE_HELP)
		return status;
	uc_note("'upclose %s --help' has the options", argv[0]);
	return UC_EXIT_USAGE;
}

int uc_printed(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	if (status == UC_EXIT_DONE)
		uc_error("cannot write to standard output: %s", strerror(errno));
	return status == UC_EXIT_DONE ? UC_EXIT_FAILED : status;
}
