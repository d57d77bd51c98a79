/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cmd/command.h"
#include "cmd/command_line.h"
#include "base/log.h"
#include "cmd/options.h"
#include "source/recording.h"

static const char usage[] =
	"Usage: upclose replay [OPTIONS] FILE\n\n"
	"Judges and prints what 'upclose trace -w FILE' recorded; '-' reads standard input.\n\n" UC_OUTPUT_HELP;

static bool enough(void *ctx)
{
	return uc_engine_done(ctx);
}

static int replay(FILE *in, const char *name, const struct uc_output_options *o)
{
	struct uc_engine *engine = NULL;
	struct uc_replay_end end;
	struct uc_frames frames;
	char why[UC_REPLAY_WHY];
	bool flagged;
	int err;

	if (uc_engine_new(&o->engine, &engine)) {
		uc_error("out of memory");
		return UC_EXIT_FAILED;
	}
	frames = uc_engine_frames(engine);
	err = uc_replay(in, &frames, enough, engine, &end, why);
	if (end.begun)
		uc_engine_finish(engine, end.duration_ns, end.end_wall_ns);
	if (uc_engine_error(engine))
		uc_error("cannot write to standard output: %s", strerror(-uc_engine_error(engine)));
	if (err)
		uc_error("%s: %s", name, err == -EBADMSG ? why : strerror(-err));
	err = err ? err : uc_engine_error(engine);
	flagged = uc_engine_totals(engine).flagged;
	uc_engine_free(engine);
	if (err)
		return UC_EXIT_FAILED;
	return o->exit_code && flagged ? UC_EXIT_FOUND : UC_EXIT_DONE;
}

int uc_cmd_replay(int argc, char **argv)
{
	static const struct option longs[] = { UC_OUTPUT_LONG, { 0 } };
	static const struct uc_command_line line = {
		.usage = usage,
		.shorts = UC_OUTPUT_SHORT,
		.longs = longs,
		.option = uc_output_options_take,
		.none = "which recording? Name a file made with 'upclose trace -w FILE'",
		.several = "one recording at a time",
	};
	struct uc_output_options o;
	int status;
	FILE *in;

	uc_output_options_init(&o);
	status = uc_command_line(&line, argc, argv, &o);
	if (status != UC_GO_ON)
		return status;
	in = uc_file_stream(argv[optind]);
	if (!in) {
		uc_error("%s: %s", argv[optind], strerror(errno));
		return UC_EXIT_FAILED;
	}
	status = uc_output_options_open(&o, true) ? UC_EXIT_FAILED : replay(in, argv[optind], &o);
	uc_output_options_close(&o);
	fclose(in);
	return status;
}
