/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * upclose-net, which 'upclose daemon' and 'upclose probe' run: HTTP and TLS are
 * loaded for these two commands and for no other.
 */
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "cmd/command.h"
#include "cmd/command_line.h"

static int run(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "daemon"))
		return uc_cmd_daemon(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "probe"))
		return uc_cmd_probe(argc - 1, argv + 1);
	uc_error("this is a part of upclose: run 'upclose daemon' or 'upclose probe'");
	return UC_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	/* a closed pipe is an error of a write, which is reported */
	signal(SIGPIPE, SIG_IGN);
	return uc_printed(run(argc, argv));
}
