/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "base/version.h"
#include "cmd/command.h"
#include "cmd/command_line.h"
#include "base/log.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *does;
} commands[] = {
	{ "trace", uc_cmd_trace, "watch nginx's upstream connections and name why they ended" },
	{ "daemon", uc_cmd_daemon, "run continuously, with metrics and alerts" },
	{ "replay", uc_cmd_replay,
	  "judge and print a recording made with 'trace -w', without privilege" },
	{ "report", uc_cmd_report,
	  "write an incident report from a recording, as Markdown or HTML" },
	{ "check", uc_cmd_check,
	  "check an nginx configuration against its upstreams' idle timeouts" },
	{ "probe", uc_cmd_probe, "measure the timeouts of an upstream server" },
	{ "hooks", uc_cmd_hooks, "show which kernel hooks this host allows, and which are used" },
};

static void help(FILE *out)
{
	fputs("upclose shows why nginx's upstream hung up, from the kernel.\n\n"
	      "Usage: upclose COMMAND [OPTIONS]\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].does);
	fputs("\n'upclose COMMAND --help' has a command's options; upclose(8) is the manual.\n"
	      "  -V, --version   the version\n",
	      out);
}

static int run(int argc, char **argv)
{
	if (argc < 2 || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") ||
	    !strcmp(argv[1], "help")) {
		help(stdout);
		return UC_EXIT_DONE;
	}
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
		printf("upclose %s\n", uc_version);
		return UC_EXIT_DONE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	uc_error("'%s' is not a command; 'upclose --help' lists them", argv[1]);
	return UC_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	/* a closed pipe is an error of a write, which is reported */
	signal(SIGPIPE, SIG_IGN);
	return uc_printed(run(argc, argv));
}
