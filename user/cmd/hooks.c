/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "source/btfcheck.h"
#include "cmd/command.h"
#include "cmd/command_line.h"
#include "base/log.h"
#include "cmd/options.h"
#include "source/tracer.h"

static const char usage[] =
	"Usage: upclose hooks [-o text|json] [--hooks PLAN] [--btf FILE] [-v]\n\n"
	"For each fact that upclose needs, the kernel hooks that can tell it, whether this\n"
	"host has and allows each, and which is used. Needs the privilege that tracing needs.\n\n"
	"      --hooks PLAN  tracepoint, fentry, kprobe or auto (default), as for 'upclose trace'\n"
	"      --btf FILE    look only whether the types of a kernel, in its BTF, have all that is\n"
	"                    needed; name what they lack. Needs no privilege.\n\n"
	"Exit status: 0 tracing is possible here, 1 it is not, 2 wrong usage.\n";

struct hooks_options {
	struct uc_tracer_config tracer;
	bool json;
};

static int take_option(void *ctx, int option, const char *value)
{
	struct hooks_options *o = ctx;

	switch (option) {
	case 'o':
		o->json = !strcmp(value, "json");
		if (o->json || !strcmp(value, "text"))
			return UC_GO_ON;
		uc_error("output format '%s' is not valid: text or json", value);
		return UC_EXIT_USAGE;
	case 'H':
		return uc_plan_option(value, &o->tracer.plan) == UC_GO_ON ? UC_GO_ON :
									    UC_EXIT_USAGE;
	default:
		o->tracer.btf_path = value;
		return UC_GO_ON;
	}
}

int uc_cmd_hooks(int argc, char **argv)
{
	static const struct option longs[] = { { "output", required_argument, NULL, 'o' },
					       { "hooks", required_argument, NULL, 'H' },
					       { "btf", required_argument, NULL, 'B' },
					       { "verbose", no_argument, NULL, 'v' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	static const struct uc_command_line line = { .usage = usage,
						     .shorts = "o:vh",
						     .longs = longs,
						     .option = take_option };
	struct hooks_options o = { 0 };
	int err, status = uc_command_line(&line, argc, argv, &o);

	if (status != UC_GO_ON)
		return status;
	err = o.tracer.btf_path ? uc_btf_check(o.tracer.btf_path, o.tracer.plan, o.json) :
				  uc_tracer_print_hooks(&o.tracer, o.json);
	return err ? UC_EXIT_FAILED : UC_EXIT_DONE;
}
