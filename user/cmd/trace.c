/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "source/capture.h"
#include "cmd/command.h"
#include "cmd/command_line.h"
#include "nginx/directive.h"
#include "nginx/errorlevel.h"
#include "base/log.h"
#include "cmd/options.h"
#include "source/proc.h"
#include "source/recording.h"
#include "base/signals.h"

#define SECOND 1000000000ULL

static const char usage[] =
	"Usage: upclose trace [OPTIONS]\n\n"
	"Follows nginx's upstream connections and prints those that ended badly, as they end,\n"
	"with the cause, its proof and what to change. Ends with Ctrl-C; needs root, or CAP_BPF\n"
	"and CAP_PERFMON.\n\n"
	"  -d, --duration SECONDS  end after so long\n"
	"  -w, --write FILE        record too, for 'upclose replay FILE'\n"
	"      --hooks PLAN        tracepoint, fentry, kprobe or auto (default); 'upclose hooks'\n"
	"                          shows which of them this host allows\n"
	"      --btf FILE          types of this kernel, where it has no BTF of its own\n"
	"      --ring-mib N        size of the ring to userspace, a power of two (default 2)\n" UC_OUTPUT_HELP;

struct trace {
	struct uc_output_options out;
	uint64_t duration_ns; /* 0: until stopped */
	const char *write_path;
	uint64_t ring_mib;
	enum uc_plan plan;
	const char *btf_path;

	struct uc_capture *capture;
	struct uc_directives *directives;
	struct uc_engine *engine;
	struct uc_recorder *recorder;
	bool record_failed;
};

static void follow_recorder(struct trace *t)
{
	if (!t->recorder || t->record_failed || !uc_recorder_error(t->recorder))
		return;
	t->record_failed = true;
	uc_error("cannot write %s: %s; the recording ends here, the trace goes on", t->write_path,
		 strerror(-uc_recorder_error(t->recorder)));
}

static int wait_ms(const struct trace *t, uint64_t end_ns)
{
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC), due = now + SECOND;

	if (uc_engine_deadline(t->engine) < due)
		due = uc_engine_deadline(t->engine);
	if (end_ns && end_ns < due)
		due = end_ns;
	return due <= now ? 0 : (int)((due - now) / 1000000 + 1);
}

static int run(struct trace *t, int signals)
{
	struct pollfd fds[] = { { .fd = uc_capture_fd(t->capture), .events = POLLIN },
				{ .fd = signals, .events = POLLIN },
				/* the reader of our output went away */
				{ .fd = fileno(t->out.output.out), .events = 0 } };
	uint64_t now, start = uc_now_ns(CLOCK_MONOTONIC),
		      end = t->duration_ns ? start + t->duration_ns : 0;
	int err = 0;

	while (!err && !uc_engine_done(t->engine)) {
		if (poll(fds, 3, wait_ms(t, end)) < 0 && errno != EINTR)
			return -errno;
		err = uc_capture_poll(t->capture, &now);
		uc_engine_tick(t->engine, now);
		follow_recorder(t);
		if (fds[1].revents || (end && uc_now_ns(CLOCK_MONOTONIC) >= end))
			break;
		if (fds[2].revents & POLLERR) {
			uc_error("standard output was closed; the trace ends");
			return -EPIPE;
		}
	}
	return err;
}

static void finish(struct trace *t, uint64_t duration_ns)
{
	/* what ended before the signal is printed, not left in the ring */
	uc_capture_drain(t->capture);
	uc_capture_losses(t->capture);
	uc_engine_finish(t->engine, duration_ns, uc_now_ns(CLOCK_REALTIME));
}

static int start(struct trace *t)
{
	struct uc_tracer_config cfg = { .ring_bytes = t->ring_mib << 20,
					.plan = t->plan,
					.btf_path = t->btf_path,
					.error_level = uc_error_level };
	struct uc_frames takers[2];
	size_t count = 0;

	cfg.comm_count = t->out.engine.comm_count;
	memcpy(cfg.comms, t->out.engine.comms, sizeof(cfg.comms));
	cfg.port_count = t->out.engine.port_count;
	memcpy(cfg.ports, t->out.engine.ports, sizeof(cfg.ports));
	if (uc_output_options_open(&t->out, false))
		return -EINVAL;
	t->out.engine.directive_of = uc_directives_find;
	if (!uc_directives_new(&t->directives))
		t->out.engine.directive_ctx = t->directives;
	if (!t->directives || uc_engine_new(&t->out.engine, &t->engine)) {
		uc_error("out of memory");
		return -ENOMEM;
	}
	takers[count++] = uc_engine_frames(t->engine);
	if (t->write_path) {
		int err = uc_recorder_new(t->write_path, t->out.unredacted, &t->recorder);

		if (err) {
			uc_error("cannot create %s: %s", t->write_path, strerror(-err));
			return err;
		}
		takers[count++] = uc_recorder_frames(t->recorder);
	}
	return uc_capture_new(&cfg, takers, count, &t->capture);
}

static void greet(const struct trace *t)
{
	const struct uc_engine_config *e = &t->out.engine;
	unsigned running = uc_proc_count(e->comms, e->comm_count);

	if (!running)
		uc_note("no process named %s%s runs here: waiting for one (other names: --comm NAME)",
			e->comms[0], e->comm_count > 1 ? " or the others given" : "");
	uc_note("tracing %u processes of nginx, %u upstream connections that exist already; press Ctrl-C to stop",
		running, uc_tracer_adopted(uc_capture_tracer(t->capture)));
}

static int trace(struct trace *t)
{
	int signals = uc_signals_open(), err = start(t), record_err;
	uint64_t began = uc_now_ns(CLOCK_MONOTONIC), duration;
	bool flagged = false;

	if (!err) {
		greet(t);
		err = run(t, signals);
		duration = uc_now_ns(CLOCK_MONOTONIC) - began;
		finish(t, duration);
		flagged = uc_engine_totals(t->engine).flagged;
		if (!err && uc_engine_error(t->engine)) {
			err = uc_engine_error(t->engine);
			uc_error("cannot write to standard output: %s", strerror(-err));
		}
		follow_recorder(t);
		record_err = uc_recorder_finish(t->recorder, duration, uc_now_ns(CLOCK_REALTIME));
		t->recorder = NULL;
		if (record_err && !t->record_failed)
			uc_error("cannot write %s: %s", t->write_path, strerror(-record_err));
		err = err ? err : record_err;
	}
	uc_recorder_finish(t->recorder, 0, 0);
	uc_capture_free(t->capture);
	uc_engine_free(t->engine);
	uc_directives_free(t->directives);
	uc_output_options_close(&t->out);
	close(signals);
	if (err)
		return UC_EXIT_FAILED;
	return t->out.exit_code && flagged ? UC_EXIT_FOUND : UC_EXIT_DONE;
}

static int take_option(void *ctx, int option, const char *value)
{
	struct trace *t = ctx;

	switch (option) {
	case 'd':
		if (uc_parse_seconds(value, &t->duration_ns))
			return UC_GO_ON;
		uc_error("duration '%s' is not valid: seconds, more than 0", value);
		return UC_SEE_HELP;
	case 'w':
		t->write_path = value;
		return UC_GO_ON;
	case 'R':
		if (uc_parse_number(value, 1, 1024, &t->ring_mib) &&
		    !(t->ring_mib & (t->ring_mib - 1)))
			return UC_GO_ON;
		uc_error("ring size '%s' is not valid: MiB, a power of two from 1 to 1024", value);
		return UC_SEE_HELP;
	case 'B':
		t->btf_path = value;
		return UC_GO_ON;
	case 'H':
		return uc_plan_option(value, &t->plan);
	default:
		return uc_output_options_take(&t->out, option, value);
	}
}

int uc_cmd_trace(int argc, char **argv)
{
	static const struct option longs[] = { UC_OUTPUT_LONG,
					       { "duration", required_argument, NULL, 'd' },
					       { "write", required_argument, NULL, 'w' },
					       { "btf", required_argument, NULL, 'B' },
					       { "hooks", required_argument, NULL, 'H' },
					       { "ring-mib", required_argument, NULL, 'R' },
					       { 0 } };
	static const struct uc_command_line line = { .usage = usage,
						     .shorts = UC_OUTPUT_SHORT "d:w:",
						     .longs = longs,
						     .option = take_option };
	struct trace t = { 0 };
	int status;

	uc_output_options_init(&t.out);
	status = uc_command_line(&line, argc, argv, &t);
	if (status != UC_GO_ON)
		return status;
	if (!t.out.engine.comm_count)
		t.out.engine.comms[t.out.engine.comm_count++] = "nginx";
	return trace(&t);
}
