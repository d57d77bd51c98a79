/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "capture.h"
#include "daemon/config.h"
#include "daemon/journal.h"
#include "daemon/lock.h"
#include "engine.h"
#include "log.h"
#include "proc.h"

/* The clock and the engine are looked after at least so often. */
#define TICK_US 1000000

struct daemon {
	const char *config_path;
	struct uc_config *cfg;
	int lock;
	sd_event *event;
	sd_event_source *tick;
	struct uc_log_sink log;
	struct uc_errorlog *error_log;
	struct uc_engine *engine;
	struct uc_capture *capture;
	uint64_t began_ns;
};

/* --- the loop ----------------------------------------------------------------------- */

static int take_records(struct daemon *d)
{
	uint64_t now;
	int err = uc_capture_poll(d->capture, &now);

	uc_engine_tick(d->engine, now);
	if (err) {
		uc_error("cannot read the ring: %s", strerror(-err));
		sd_event_exit(d->event, err);
	}
	return 0;
}

static int on_ring(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	(void)s;
	(void)fd;
	(void)events;
	return take_records(ctx);
}

static int on_tick(sd_event_source *s, uint64_t usec, void *ctx)
{
	(void)s;
	(void)usec;
	return take_records(ctx);
}

/* Before the loop sleeps: until the engine has something to give up. */
static int set_alarm(sd_event_source *s, void *ctx)
{
	struct daemon *d = ctx;
	uint64_t due = uc_now_ns(CLOCK_MONOTONIC) / 1000 + TICK_US;

	(void)s;
	if (uc_engine_deadline(d->engine) / 1000 + 1 < due)
		due = uc_engine_deadline(d->engine) / 1000 + 1;
	sd_event_source_set_time(d->tick, due);
	return sd_event_source_set_enabled(d->tick, SD_EVENT_ONESHOT);
}

static int on_end(sd_event_source *s, const struct signalfd_siginfo *info, void *ctx)
{
	struct daemon *d = ctx;

	(void)s;
	(void)info;
	return sd_event_exit(d->event, 0);
}

static int on_reload(sd_event_source *s, const struct signalfd_siginfo *info, void *ctx)
{
	(void)s;
	(void)info;
	(void)ctx;
	return 0;
}

static int open_loop(struct daemon *d)
{
	sd_event_source *ring;
	int r;

	r = sd_event_add_io(d->event, &ring, uc_capture_fd(d->capture), EPOLLIN, on_ring, d);
	if (r >= 0)
		r = sd_event_source_set_prepare(ring, set_alarm);
	if (r >= 0)
		r = sd_event_add_time(d->event, &d->tick, CLOCK_MONOTONIC, 0, 1000, on_tick, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGTERM, on_end, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGINT, on_end, d);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGHUP, on_reload, d);
	/* systemd restarts a daemon whose loop no longer turns */
	if (r >= 0)
		r = sd_event_set_watchdog(d->event, true);
	return r < 0 ? r : 0;
}

/* --- start and end ------------------------------------------------------------------ */

static int open_engine(struct daemon *d)
{
	struct uc_engine_config cfg = { .sinks = { &d->log.sink },
					.sink_count = 1,
					.show_query = d->cfg->tracing->show_query };
	const char *path = d->cfg->tracing->error_log;
	int err;

	if (path) {
		err = uc_errorlog_new(path, false, &d->error_log);
		if (err) {
			uc_error("cannot read nginx's error log %s: %s", path,
				 err == -EINVAL ? "not a file" : strerror(-err));
			return err;
		}
		cfg.error_log = d->error_log;
	}
	return uc_engine_new(&cfg, &d->engine);
}

static int open_capture(struct daemon *d)
{
	const struct uc_tracing_config *t = d->cfg->tracing;
	struct uc_tracer_config cfg = { .comm_count = t->comms_count,
					.port_count = t->ports_count,
					.ring_bytes = (size_t)t->ring_mib << 20 };
	struct uc_frames taker = uc_engine_frames(d->engine);

	for (uint32_t i = 0; i < t->comms_count; i++)
		cfg.comms[i] = t->comms[i];
	for (uint32_t i = 0; i < t->ports_count; i++)
		cfg.ports[i] = t->ports[i];
	return uc_capture_new(&cfg, &taker, 1, &d->capture);
}

static int start(struct daemon *d)
{
	int err;

	err = uc_lock(d->cfg->runtime_directory, &d->lock);
	if (!err)
		err = open_engine(d);
	if (!err)
		err = open_capture(d);
	if (!err)
		err = sd_event_new(&d->event);
	if (!err)
		err = open_loop(d);
	return err;
}

static void greet(const struct daemon *d)
{
	const struct uc_tracing_config *t = d->cfg->tracing;
	unsigned running = uc_proc_count((const char *const *)t->comms, t->comms_count);

	uc_note("tracing %u processes of nginx, %u upstream connections that exist already",
		running, uc_tracer_adopted(uc_capture_tracer(d->capture)));
	sd_notifyf(0, "READY=1\nSTATUS=tracing %u processes of nginx", running);
}

static void finish(struct daemon *d)
{
	uint64_t now;

	sd_notify(0, "STOPPING=1");
	/* what ended before the signal is told, not left in the ring */
	uc_capture_poll(d->capture, &now);
	uc_capture_losses(d->capture);
	uc_engine_finish(d->engine, uc_now_ns(CLOCK_MONOTONIC) - d->began_ns,
			 uc_now_ns(CLOCK_REALTIME));
}

static void close_all(struct daemon *d)
{
	sd_event_source_unref(d->tick);
	sd_event_unref(d->event);
	uc_capture_free(d->capture);
	uc_engine_free(d->engine);
	uc_errorlog_free(d->error_log);
	uc_config_free(d->cfg);
	if (d->lock >= 0)
		close(d->lock);
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int uc_daemon(const char *config_path)
{
	struct daemon d = { .config_path = config_path,
			    .lock = -1,
			    .began_ns = uc_now_ns(CLOCK_MONOTONIC) };
	int err = uc_config_load(config_path, &d.cfg);

	if (err)
		return err;
	block_signals();
	uc_log_sink_init(&d.log, d.cfg->log);
	err = start(&d);
	if (!err) {
		greet(&d);
		err = sd_event_loop(d.event);
		finish(&d);
	}
	close_all(&d);
	return err;
}
