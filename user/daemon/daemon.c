/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/service.h"
#include "base/util.h"
#include "source/capture.h"
#include "alert/alerting.h"
#include "daemon/canaries.h"
#include "config/config.h"
#include "daemon/history.h"
#include "daemon/httpd.h"
#include "alert/journal.h"
#include "daemon/lock.h"
#include "daemon/metrics.h"
#include "daemon/privilege.h"
#include "daemon/tally.h"
#include "nginx/directive.h"
#include "nginx/trust.h"
#include "nginx/errorlevel.h"
#include "engine/engine.h"
#include "base/log.h"
#include "source/proc.h"

/* The clock and the engine are looked after at least so often. */
#define TICK_NS 1000000000ULL
/* At the end the sinks may still deliver what waits for so long. */
#define SINKS_PATIENCE_NS 2000000000ULL

/* Feeds what metrics and page are made of. */
struct view_output {
	struct uc_output output;
	struct uc_view view;
	enum uc_metrics_label label;
	struct uc_directives *directives;
};

struct daemon {
	const char *config_path;
	struct uc_config *cfg;
	int lock;
	struct uc_loop loop;
	struct uc_loop_source records, signals, watchdog;
	uint64_t tick_ns, alive_ns; /* of the newest turn, and of its newest word to the manager */
	struct uc_log_output log;
	struct view_output view;
	struct uc_httpd *http;
	struct uc_alerting *alerting;
	struct uc_canary_watch *canaries;
	struct uc_errorlog *error_log;
	struct uc_directives *directives;
	struct uc_engine *engine;
	struct uc_capture *capture;
	uint64_t began_ns;
};

/* --- what the view is fed with ------------------------------------------------------ */

/* Of the upstream in metrics, where it is not its address; NULL: not known. */
static const char *name_of(struct uc_output *output, const struct uc_judged *r,
			   char buf[UC_TALLY_NAME])
{
	const struct view_output *o = (struct view_output *)output;

	*buf = '\0';
	if (o->label == UC_LABEL_NAME)
		uc_directives_group(o->directives, r, buf, UC_TALLY_NAME);
	else if (o->label == UC_LABEL_WORKLOAD)
		uc_whose_workload(&r->upstream_is, buf, UC_TALLY_NAME);
	return *buf ? buf : NULL;
}

static int view_connection(struct uc_output *output, const struct uc_judged *r)
{
	struct uc_view *v = &((struct view_output *)output)->view;
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);
	char name[UC_TALLY_NAME];

	uc_tally_end(v->tally, r, name_of(output, r, name), now);
	if (r->verdict.flagged)
		uc_history_add(v->history, r, now);
	return 0;
}

static void view_repeated(struct uc_output *output, const struct uc_upstream_addr *addr)
{
	uc_tally_repeated(((struct view_output *)output)->view.tally, addr,
			  uc_now_ns(CLOCK_MONOTONIC));
}

static int view_summary(struct uc_output *output, const struct uc_totals *t)
{
	(void)output;
	(void)t;
	return 0;
}

static int open_view(struct daemon *d)
{
	const struct uc_metrics_config *m = d->cfg->metrics;
	struct uc_tally_config tally = { .capacity = m->max_upstreams,
					 .quiet_ns = m->quiet_ns,
					 .named = m->label != UC_LABEL_ADDRESS };
	struct uc_view *v = &d->view.view;

	v->cfg = d->cfg;
	d->view.label = m->label;
	d->view.output = (struct uc_output){ .connection = view_connection,
					     .summary = view_summary,
					     .repeated = view_repeated,
					     .all = true };
	v->began_ns = d->began_ns;
	v->reload_ok = true;
	v->reload_wall_ns = uc_now_ns(CLOCK_REALTIME);
	if (uc_tally_new(&tally, &v->tally) || uc_history_new(&v->history))
		return -ENOMEM;
	return 0;
}

/* --- configuration ------------------------------------------------------------------ */

static struct uc_tracer_config tracer_config(const struct uc_tracing_config *t)
{
	struct uc_tracer_config cfg = { .comm_count = t->comms_count,
					.port_count = t->ports_count,
					.ring_bytes = (size_t)t->ring_mib << 20,
					.error_level = uc_error_level };

	for (uint32_t i = 0; i < t->comms_count; i++)
		cfg.comms[i] = t->comms[i];
	for (uint32_t i = 0; i < t->ports_count; i++)
		cfg.ports[i] = t->ports[i];
	return cfg;
}

static int open_error_log(const struct uc_config *cfg, struct uc_errorlog **ret)
{
	const char *path = cfg->tracing->error_log;
	int err = path ? uc_errorlog_new(path, false, ret) : 0;

	if (err)
		uc_error("cannot read nginx's error log %s: %s", path,
			 err == -EINVAL ? "not a file" : strerror(-err));
	return err;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static void say_what_waits(const struct uc_config *old, const struct uc_config *new)
{
	const struct {
		const char *key;
		bool same;
	} fixed[] = {
		{ "tracing.ring_mib", old->tracing->ring_mib == new->tracing->ring_mib },
		{ "metrics.max_upstreams",
		  old->metrics->max_upstreams == new->metrics->max_upstreams },
		{ "metrics.label", old->metrics->label == new->metrics->label },
		{ "metrics.quiet_after", old->metrics->quiet_ns == new->metrics->quiet_ns },
		{ "metrics.bpf_run_time",
		  old->metrics->bpf_run_time == new->metrics->bpf_run_time },
		{ "user", same_text(old->user, new->user) },
		{ "state_directory", same_text(old->state_directory, new->state_directory) },
		{ "runtime_directory", same_text(old->runtime_directory, new->runtime_directory) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (!fixed[i].same)
			uc_note("%s takes effect after a restart", fixed[i].key);
}

/* All of it or nothing: whatever can fail comes first. */
static int apply(struct daemon *d, struct uc_config *new)
{
	bool same_log = same_text(d->cfg->tracing->error_log, new->tracing->error_log);
	struct uc_tracer_config cfg = tracer_config(new->tracing);
	struct uc_errorlog *error_log = d->error_log;
	struct uc_canary_watch *canaries = NULL;
	struct uc_httpd *http = NULL;
	int err;

	if (!same_log) {
		error_log = NULL;
		err = open_error_log(new, &error_log);
		if (err)
			return err;
	}
	err = uc_canary_watch_new(new->canaries, new->canaries_count, &d->loop, d->canaries,
				  &canaries);
	if (!err)
		err = uc_httpd_new(new->metrics, &d->loop, &d->view.view, d->http, &http);
	if (!err) {
		err = uc_alerting_reload(d->alerting, new);
		if (err)
			uc_httpd_free(http);
	}
	if (err) {
		uc_canary_watch_free(canaries);
		if (!same_log)
			uc_errorlog_free(error_log);
		return err;
	}
	uc_httpd_free(d->http);
	d->http = http;
	uc_canary_watch_free(d->canaries);
	d->canaries = canaries;
	d->view.view.canaries = canaries;
	uc_engine_reconfigure(d->engine, error_log, new->tracing->show_query);
	if (!same_log)
		uc_errorlog_free(d->error_log);
	d->error_log = error_log;
	uc_log_output_init(&d->log, new->log);
	uc_tracer_select(uc_capture_tracer(d->capture), &cfg);
	uc_nginx_trust(new->tracing->trust_nginx_of, new->tracing->trust_nginx_of_count);
	say_what_waits(d->cfg, new);
	uc_config_free(d->cfg);
	d->view.view.cfg = d->cfg = new;
	return 0;
}

static void reload(struct daemon *d)
{
	struct uc_view *v = &d->view.view;
	struct uc_config *new = NULL;
	int err;

	uc_service_notify("RELOADING=1\nMONOTONIC_USEC=%llu",
			  (unsigned long long)uc_now_ns(CLOCK_MONOTONIC) / 1000);
	err = uc_config_load(d->config_path, &new);
	if (!err)
		err = apply(d, new);
	v->reload_ok = !err;
	if (err) {
		uc_config_free(new);
		uc_error("cannot apply the configuration %s; keeping the previous one",
			 d->config_path);
	} else {
		v->reload_wall_ns = uc_now_ns(CLOCK_REALTIME);
		uc_note("the configuration %s is in use now", d->config_path);
	}
	uc_service_notify("READY=1");
}

/* --- the loop ----------------------------------------------------------------------- */

static int take_records(void *ctx)
{
	struct daemon *d = ctx;
	uint64_t now;
	int err = uc_capture_poll(d->capture, &now);

	d->tick_ns = now;
	uc_engine_tick(d->engine, now);
	uc_log_output_tick(&d->log, now);
	if (uc_alerting_wants_counts(d->alerting, now))
		uc_tracer_each_count(d->view.view.tracer, uc_alerting_live, d->alerting);
	uc_alerting_tick(d->alerting, now);
	if (!err) {
		d->view.view.ring_read_ns = now;
		return 0;
	}
	uc_error("cannot read the ring: %s", strerror(-err));
	return err;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When the engine or an alert has something to give up. */
static uint64_t records_due_ns(void *ctx)
{
	const struct daemon *d = ctx;

	return earlier(d->tick_ns + TICK_NS,
		       earlier(uc_engine_deadline(d->engine), uc_alerting_deadline(d->alerting)));
}

static int take_signal(void *ctx)
{
	struct daemon *d = ctx;
	struct signalfd_siginfo info;

	if (read(d->signals.fd, &info, sizeof(info)) != sizeof(info))
		return errno == EAGAIN ? 0 : -errno;
	if (info.ssi_signo != SIGHUP)
		return UC_LOOP_END;
	reload(d);
	return 0;
}

/* systemd restarts a daemon whose loop no longer turns. */
static uint64_t watchdog_due_ns(void *ctx)
{
	const struct daemon *d = ctx;

	return d->alive_ns + uc_service_watchdog_ns() / 2;
}

static int stroke_watchdog(void *ctx)
{
	struct daemon *d = ctx;

	uc_service_notify("WATCHDOG=1");
	d->alive_ns = uc_now_ns(CLOCK_MONOTONIC);
	return 0;
}

static int open_loop(struct daemon *d)
{
	int err;

	d->records = (struct uc_loop_source){ .fd = uc_capture_fd(d->capture),
					      .due_ns = records_due_ns,
					      .run = take_records,
					      .ctx = d };
	d->signals.run = take_signal;
	d->signals.ctx = d;
	d->watchdog = (struct uc_loop_source){ .fd = -1,
					       .due_ns = watchdog_due_ns,
					       .run = stroke_watchdog,
					       .ctx = d };
	err = uc_loop_add(&d->loop, &d->records);
	if (!err)
		err = uc_loop_add(&d->loop, &d->signals);
	if (!err && uc_service_watchdog_ns())
		err = uc_loop_add(&d->loop, &d->watchdog);
	return err;
}

/* --- start and end ------------------------------------------------------------------ */

static int open_engine(struct daemon *d)
{
	struct uc_engine_config cfg = { .outputs = { &d->view.output, &d->log.output,
						     uc_alerting_output(d->alerting) },
					.output_count = 3,
					.directive_of = uc_directives_find,
					.show_query = d->cfg->tracing->show_query };
	int err = open_error_log(d->cfg, &d->error_log);

	cfg.error_log = d->error_log;
	if (!err)
		err = uc_directives_new(&d->directives);
	cfg.directive_ctx = d->view.directives = d->directives;
	if (!err)
		err = uc_engine_new(&cfg, &d->engine);
	d->view.view.engine = d->engine;
	return err;
}

static int open_capture(struct daemon *d)
{
	struct uc_tracer_config cfg = tracer_config(d->cfg->tracing);
	struct uc_frames taker = uc_engine_frames(d->engine);
	int err = uc_capture_new(&cfg, &taker, 1, &d->capture);

	if (err)
		return err;
	d->view.view.tracer = uc_capture_tracer(d->capture);
	/* what it needs is made at first use, which is now, with privilege */
	uc_view_refresh(&d->view.view);
	d->view.view.ring_read_ns = d->view.view.now_ns;
	err = d->cfg->metrics->bpf_run_time ? uc_tracer_measure(d->view.view.tracer) : 0;
	if (err)
		uc_note("note: the kernel does not measure its BPF programs: %s", strerror(-err));
	return 0;
}

static bool readable(void *ctx)
{
	return uc_tracer_readable(ctx);
}

static int confine_hearing(void *ctx)
{
	return uc_privilege_keep_uprobes(ctx);
}

static int drop_privilege(struct daemon *d, struct uc_user *user)
{
	int err = uc_tracer_keep_hearing(uc_capture_tracer(d->capture), confine_hearing, user);

	if (err)
		uc_note("note: programs of nginx that begin later are not heard: %s",
			strerror(-err));
	if (d->cfg->tracing->error_log)
		uc_user_join_group_of(user, d->cfg->tracing->error_log);
	err = uc_privilege_drop(user, readable, uc_capture_tracer(d->capture));
	if (!err && access(d->config_path, R_OK))
		uc_note("note: user %s cannot read %s (%s), so a reload will be refused",
			user->name, d->config_path, strerror(errno));
	return err;
}

static int start(struct daemon *d)
{
	struct uc_user user;
	int err;

	uc_nginx_trust(d->cfg->tracing->trust_nginx_of, d->cfg->tracing->trust_nginx_of_count);
	err = uc_user_find(d->cfg->user, &user);
	if (!err)
		err = uc_lock(d->cfg->runtime_directory, &d->lock);
	if (!err)
		err = uc_user_own_folder(&user, d->cfg->state_directory);
	if (!err)
		err = open_view(d);
	if (!err)
		err = uc_alerting_new(d->cfg, &d->alerting);
	d->view.view.alerting = d->alerting;
	if (!err)
		err = open_engine(d);
	/* before the hooks: an address in use is said at once */
	if (!err)
		err = uc_httpd_new(d->cfg->metrics, &d->loop, &d->view.view, NULL, &d->http);
	if (!err)
		err = open_capture(d);
	if (!err)
		err = drop_privilege(d, &user);
	if (!err)
		err = open_loop(d);
	if (!err)
		err = uc_alerting_start(d->alerting, d->cfg);
	if (!err)
		err = uc_canary_watch_new(d->cfg->canaries, d->cfg->canaries_count, &d->loop, NULL,
					  &d->canaries);
	d->view.view.canaries = d->canaries;
	return err;
}

static void greet(const struct daemon *d)
{
	const struct uc_tracing_config *t = d->cfg->tracing;
	unsigned running = uc_proc_count((const char *const *)t->comms, t->comms_count);

	uc_note("tracing %u processes of nginx, %u upstream connections that exist already",
		running, uc_tracer_adopted(uc_capture_tracer(d->capture)));
	uc_service_notify("READY=1\nSTATUS=tracing %u processes of nginx", running);
}

static void finish(struct daemon *d)
{
	uc_service_notify("STOPPING=1");
	/* what ended before the signal is told, not left in the ring */
	uc_capture_drain(d->capture);
	uc_capture_losses(d->capture);
	uc_engine_finish(d->engine, uc_now_ns(CLOCK_MONOTONIC) - d->began_ns,
			 uc_now_ns(CLOCK_REALTIME));
	uc_alerting_tick(d->alerting, uc_now_ns(CLOCK_MONOTONIC));
}

static void close_all(struct daemon *d)
{
	uc_canary_watch_free(d->canaries);
	uc_alerting_free(d->alerting, SINKS_PATIENCE_NS);
	uc_httpd_free(d->http);
	uc_capture_free(d->capture);
	uc_engine_free(d->engine);
	uc_directives_free(d->directives);
	uc_errorlog_free(d->error_log);
	uc_tally_free(d->view.view.tally);
	uc_history_free(d->view.view.history);
	uc_config_free(d->cfg);
	if (d->lock >= 0)
		close(d->lock);
	if (d->signals.fd >= 0)
		close(d->signals.fd);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int uc_daemon(const char *config_path)
{
	struct daemon d = { .config_path = config_path,
			    .lock = -1,
			    .began_ns = uc_now_ns(CLOCK_MONOTONIC) };
	int err = uc_config_load(config_path, &d.cfg);

	if (err)
		return err;
	d.signals.fd = open_signals();
	uc_log_output_init(&d.log, d.cfg->log);
	err = start(&d);
	if (!err) {
		greet(&d);
		err = uc_loop_run(&d.loop);
		finish(&d);
	}
	close_all(&d);
	return err;
}
