/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "core/decode.h"
#include "log.h"
#include "options.h"
#include "proc.h"
#include "recording.h"
#include "tracer.h"

#define SECOND 1000000000ULL

static const char usage[] =
	"Usage: upclose trace [OPTIONS]\n\n"
	"Follows nginx's upstream connections and prints those that ended badly, as they end,\n"
	"with the cause, its proof and what to change. Ends with Ctrl-C; needs root, or CAP_BPF\n"
	"and CAP_PERFMON.\n\n"
	"  -d, --duration SECONDS  end after so long\n"
	"  -w, --write FILE        record too, for 'upclose replay FILE'\n"
	"      --ring-mib N        size of the ring to userspace, a power of two (default 16)\n";

struct trace {
	struct uc_output_options out;
	uint64_t duration_ns; /* 0: until stopped */
	const char *write_path;
	uint64_t ring_mib;

	struct uc_tracer *tracer;
	struct uc_engine *engine;
	struct uc_recorder *recorder;
	struct uc_frames sinks[2]; /* engine, and the recorder if there is one */
	size_t sink_count;
	int64_t wall_offset_ns;
	bool record_failed;
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * SECOND + ts.tv_nsec;
}

/* The engine sees a process before the connection ends that name it: it is read while it lives. */
static void announce(struct trace *t, const void *bytes, size_t len)
{
	struct uc_rec_proc rec;
	struct uc_proc p;

	if (len != sizeof(rec))
		return;
	memcpy(&rec, bytes, sizeof(rec));
	if (rec.hdr.kind != UC_REC_PROC)
		return;
	p.tgid = rec.task.tgid;
	p.start_ns = rec.task.start_ns;
	uc_proc_resolve(&p);
	for (size_t i = 0; i < t->sink_count; i++)
		t->sinks[i].proc(t->sinks[i].ctx, &p);
}

static void on_record(void *ctx, const void *bytes, size_t len)
{
	struct trace *t = ctx;

	announce(t, bytes, len);
	for (size_t i = 0; i < t->sink_count; i++)
		t->sinks[i].record(t->sinks[i].ctx, bytes, len);
}

/* Steps of the wall clock are followed; smaller drift than a millisecond is not worth a frame. */
static void follow_clock(struct trace *t)
{
	uint64_t mono = now_ns(CLOCK_MONOTONIC);
	int64_t offset = now_ns(CLOCK_REALTIME) - mono, moved = offset - t->wall_offset_ns;

	if (t->wall_offset_ns && moved < 1000000 && moved > -1000000)
		return;
	t->wall_offset_ns = offset;
	for (size_t i = 0; i < t->sink_count; i++)
		t->sinks[i].clock(t->sinks[i].ctx, offset, mono);
}

static void follow_recorder(struct trace *t)
{
	if (!t->recorder || t->record_failed || !uc_recorder_error(t->recorder))
		return;
	t->record_failed = true;
	uc_error("cannot write %s: %s; the recording ends here, the trace goes on", t->write_path,
		 strerror(-uc_recorder_error(t->recorder)));
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int wait_ms(const struct trace *t, uint64_t end_ns)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC), due = now + SECOND;

	if (uc_engine_deadline(t->engine) < due)
		due = uc_engine_deadline(t->engine);
	if (end_ns && end_ns < due)
		due = end_ns;
	return due <= now ? 0 : (int)((due - now) / 1000000 + 1);
}

static int run(struct trace *t, int signals)
{
	struct pollfd fds[] = { { .fd = uc_tracer_fd(t->tracer), .events = POLLIN },
				{ .fd = signals, .events = POLLIN },
				/* the reader of our output went away */
				{ .fd = fileno(t->out.sink.out), .events = 0 } };
	uint64_t now, start = now_ns(CLOCK_MONOTONIC),
		      end = t->duration_ns ? start + t->duration_ns : 0;
	int err = 0;

	while (!err && !uc_engine_done(t->engine)) {
		if (poll(fds, 3, wait_ms(t, end)) < 0 && errno != EINTR)
			return -errno;
		follow_clock(t);
		/* taken first: what the ring holds by now is not late */
		now = now_ns(CLOCK_MONOTONIC);
		err = uc_tracer_poll(t->tracer);
		uc_engine_tick(t->engine, now);
		follow_recorder(t);
		if (fds[1].revents || (end && now_ns(CLOCK_MONOTONIC) >= end))
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
	struct uc_losses lost;

	/* what ended before the signal is printed, not left in the ring */
	uc_tracer_poll(t->tracer);
	lost = uc_tracer_losses(t->tracer);
	for (size_t i = 0; i < t->sink_count; i++)
		t->sinks[i].losses(t->sinks[i].ctx, &lost);
	uc_engine_finish(t->engine, duration_ns, now_ns(CLOCK_REALTIME));
}

static int start(struct trace *t)
{
	struct uc_tracer_config cfg = { .ring_bytes = t->ring_mib << 20 };
	struct uc_frames frames = { .record = on_record, .ctx = t };

	cfg.comm_count = t->out.engine.comm_count;
	memcpy(cfg.comms, t->out.engine.comms, sizeof(cfg.comms));
	cfg.port_count = t->out.engine.port_count;
	memcpy(cfg.ports, t->out.engine.ports, sizeof(cfg.ports));
	if (uc_output_open(&t->out, false))
		return -EINVAL;
	if (uc_engine_new(&t->out.engine, &t->engine)) {
		uc_error("out of memory");
		return -ENOMEM;
	}
	t->sinks[t->sink_count++] = uc_engine_frames(t->engine);
	if (t->write_path) {
		int err = uc_recorder_new(t->write_path, t->out.unredacted, &t->recorder);

		if (err) {
			uc_error("cannot create %s: %s", t->write_path, strerror(-err));
			return err;
		}
		t->sinks[t->sink_count++] = uc_recorder_frames(t->recorder);
	}
	follow_clock(t);
	return uc_tracer_new(&cfg, &frames, &t->tracer);
}

static void greet(const struct trace *t)
{
	const struct uc_engine_config *e = &t->out.engine;
	unsigned running = uc_proc_count(e->comms, e->comm_count);

	if (!running)
		uc_note("no process named %s%s runs here: waiting for one (other names: --comm NAME)",
			e->comms[0], e->comm_count > 1 ? " or the others given" : "");
	uc_note("tracing %u processes of nginx, %u upstream connections that exist already; Ctrl-C ends",
		running, uc_tracer_adopted(t->tracer));
}

static int trace(struct trace *t)
{
	int signals = open_signals(), err = start(t), record_err;
	uint64_t began = now_ns(CLOCK_MONOTONIC), duration;
	bool flagged = false;

	if (!err) {
		greet(t);
		err = run(t, signals);
		duration = now_ns(CLOCK_MONOTONIC) - began;
		finish(t, duration);
		flagged = uc_engine_totals(t->engine).flagged;
		if (!err && uc_engine_error(t->engine)) {
			err = uc_engine_error(t->engine);
			uc_error("cannot write to standard output: %s", strerror(-err));
		}
		follow_recorder(t);
		record_err = uc_recorder_finish(t->recorder, duration, now_ns(CLOCK_REALTIME));
		t->recorder = NULL;
		if (record_err && !t->record_failed)
			uc_error("cannot write %s: %s", t->write_path, strerror(-record_err));
		err = err ? err : record_err;
	}
	uc_recorder_finish(t->recorder, 0, 0);
	uc_tracer_free(t->tracer);
	uc_engine_free(t->engine);
	uc_output_close(&t->out);
	close(signals);
	if (err)
		return UC_EXIT_FAILED;
	return t->out.exit_code && flagged ? UC_EXIT_FOUND : UC_EXIT_DONE;
}

/* 1: it was one of them; 0: not; -1: bad value, said. */
static int trace_option(struct trace *t, int option, const char *value)
{
	switch (option) {
	case 'd':
		if (uc_parse_seconds(value, &t->duration_ns))
			return 1;
		uc_error("duration '%s' is not valid: seconds, more than 0", value);
		return -1;
	case 'w':
		t->write_path = value;
		return 1;
	case 'R':
		if (uc_parse_number(value, 1, 1024, &t->ring_mib) &&
		    !(t->ring_mib & (t->ring_mib - 1)))
			return 1;
		uc_error("ring size '%s' is not valid: MiB, a power of two from 1 to 1024", value);
		return -1;
	default:
		return 0;
	}
}

int uc_cmd_trace(int argc, char **argv)
{
	static const struct option longs[] = { UC_OUTPUT_LONG,
					       { "duration", required_argument, NULL, 'd' },
					       { "write", required_argument, NULL, 'w' },
					       { "ring-mib", required_argument, NULL, 'R' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	struct trace t = { 0 };
	int opt;

	uc_output_init(&t.out);
	while ((opt = getopt_long(argc, argv, UC_OUTPUT_SHORT "d:w:h", longs, NULL)) != -1) {
		int known = uc_output_option(&t.out, opt, optarg);

		if (opt == 'h') {
			printf("%s%s", usage, uc_output_help);
			return UC_EXIT_DONE;
		}
		if (!known)
			known = trace_option(&t, opt, optarg);
		if (known > 0)
			continue;
		uc_note("'upclose trace --help' has the options");
		return UC_EXIT_USAGE;
	}
	if (optind < argc) {
		uc_error("'%s' is one argument too many; see 'upclose trace --help'", argv[optind]);
		return UC_EXIT_USAGE;
	}
	if (!t.out.engine.comm_count)
		t.out.engine.comms[t.out.engine.comm_count++] = "nginx";
	t.out.engine.sink = &t.out.sink;
	return trace(&t);
}
