/* SPDX-License-Identifier: BSD-2-Clause */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "btfcheck.h"
#include "command.h"
#include "log.h"
#include "options.h"
#include "tracer.h"

static const char usage[] =
	"Usage: upclose hooks [-o text|json] [--hooks PLAN] [--btf FILE] [-v]\n\n"
	"For each fact that upclose needs, the kernel hooks that can tell it, whether this\n"
	"host has and allows each, and which is used. Needs the privilege that tracing needs.\n\n"
	"      --hooks PLAN  tracepoint, fentry, kprobe or auto (default), as for 'upclose trace'\n"
	"      --btf FILE    look only whether the types of a kernel, in its BTF, have all that is\n"
	"                    needed; name what they lack. Needs no privilege.\n\n"
	"Exit status: 0 tracing is possible here, 1 it is not, 2 wrong usage.\n";

int uc_cmd_hooks(int argc, char **argv)
{
	static const struct option longs[] = { { "output", required_argument, NULL, 'o' },
					       { "hooks", required_argument, NULL, 'H' },
					       { "btf", required_argument, NULL, 'B' },
					       { "verbose", no_argument, NULL, 'v' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	struct uc_tracer_config cfg = { 0 };
	bool json = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "o:vh", longs, NULL)) != -1) {
		switch (opt) {
		case 'o':
			json = !strcmp(optarg, "json");
			if (json || !strcmp(optarg, "text"))
				break;
			uc_error("output format '%s' is not valid: text or json", optarg);
			return UC_EXIT_USAGE;
		case 'H':
			if (uc_parse_plan(optarg, &cfg.plan))
				break;
			return UC_EXIT_USAGE;
		case 'B':
			cfg.btf_path = optarg;
			break;
		case 'v':
			uc_log_verbosity++;
			break;
		case 'h':
			fputs(usage, stdout);
			return UC_EXIT_DONE;
		default:
			uc_note("'upclose hooks --help' has the options");
			return UC_EXIT_USAGE;
		}
	}
	if (optind < argc) {
		uc_error("'%s' is one argument too many; see 'upclose hooks --help'", argv[optind]);
		return UC_EXIT_USAGE;
	}
	if (cfg.btf_path)
		return uc_btf_check(cfg.btf_path, cfg.plan, json) ? UC_EXIT_FAILED : UC_EXIT_DONE;
	return uc_tracer_print_hooks(&cfg, json) ? UC_EXIT_FAILED : UC_EXIT_DONE;
}
