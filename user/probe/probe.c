/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probe/conn.h"
#include "base/text.h"

#define MS     1000000ULL
#define SECOND (1000 * MS)
#define TICK   (SECOND / 2)

/* More than one conn of a trial has only IDLE. */
#define CONNS_MAX (UC_SAMPLES_MAX + UC_TRIAL_COUNT)

/* A target and what is done to it. */
struct run {
	const struct uc_target *target;
	struct uc_probe_conn conn[CONNS_MAX];
	size_t count;
	uint64_t began_ns;
	bool answered; /* the first request */
	bool done;
	char addr[64];
	char error[sizeof(((struct uc_probe_conn *)0)->why) + 32];
	struct uc_probe_result result;
};

struct probe {
	const struct uc_probe_config *cfg;
	const struct uc_probe_events *events;
	struct run *run;
	size_t count;
	uint64_t began_ns, tick_ns;
	struct pollfd *fds; /* stop_fd, then those of all conns */
	size_t fd_count;
};

/* --- what to do -------------------------------------------------------------------- */

static bool is_wanted(const struct uc_probe_config *cfg, const struct uc_target *target,
		      const struct uc_trial_spec *plan)
{
	if (!(cfg->groups & 1U << plan->group) || (plan->posts && !cfg->body_tests))
		return false;
	/* a FIN inside TLS is an attack to the other end, not half a close */
	return plan->trial != UC_TRIAL_HALF_CLOSE || !target->tls;
}

static void add_conn(struct run *r, const struct uc_probe_config *cfg, enum uc_trial trial)
{
	struct uc_probe_conn *l = &r->conn[r->count++];

	l->cfg = cfg;
	l->target = r->target;
	l->spec = &uc_trials[trial];
	l->seen.trial = trial;
}

/* The first conn finds out whether there is anybody at all; its connection is a sample, too. */
static void plan_run(struct run *r, const struct uc_probe_config *cfg,
		     const struct uc_target *target, uint64_t now)
{
	unsigned idle = cfg->groups & 1U << UC_GROUP_IDLE ? cfg->samples : 1;

	r->target = r->result.target = target;
	r->result.keep_alive_s = -1;
	r->began_ns = now;
	for (unsigned i = 0; i < idle; i++)
		add_conn(r, cfg, UC_TRIAL_IDLE);
	for (size_t i = 0; i < UC_TRIAL_COUNT; i++)
		if (uc_trials[i].turn != UC_TURN_FIRST && is_wanted(cfg, target, &uc_trials[i]))
			add_conn(r, cfg, uc_trials[i].trial);
}

static bool is_open(const struct uc_probe_conn *l)
{
	return l->state != UC_PROBE_CONN_QUEUED && l->state != UC_PROBE_CONN_OVER;
}

/* Unequal steps, so that a server that looks at its timers now and then shows its spread. */
static uint64_t stagger(size_t i)
{
	return (i * 370 + i % 3 * 83) * MS;
}

/* Whether a conn before this one, of its turn or an earlier one, still has something to do. */
static bool must_wait(const struct run *r, const struct uc_probe_conn *l)
{
	for (const struct uc_probe_conn *other = r->conn; other < l; other++) {
		if (other->state == UC_PROBE_CONN_OVER)
			continue;
		if (other->spec->turn == UC_TURN_FIRST) {
			if (l->spec->turn == UC_TURN_LAST && other->state != UC_PROBE_CONN_WATCHING)
				return true;
		} else if (other->spec->turn == UC_TURN_NEXT) {
			return true;
		}
	}
	return false;
}

static unsigned open_conns(const struct run *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->count; i++)
		n += is_open(&r->conn[i]);
	return n;
}

static bool may_open(const struct run *r, const struct uc_probe_conn *l, uint64_t now)
{
	if (l->state != UC_PROBE_CONN_QUEUED || now < l->start_ns ||
	    open_conns(r) >= UC_PROBE_CONNS)
		return false;
	if (l == r->conn)
		return true;
	return r->answered && (l->spec->turn == UC_TURN_FIRST || !must_wait(r, l));
}

/* --- what was found ------------------------------------------------------------------ */

/* A server that ends each connection has no idle timeout to show; one look is enough. */
static void skip_samples(struct run *r, uint64_t now)
{
	for (size_t i = 1; i < r->count; i++)
		if (r->conn[i].spec->trial == UC_TRIAL_IDLE)
			uc_probe_conn_stop(&r->conn[i], now);
}

static void note_first(struct run *r, const struct uc_probe_conn *l, uint64_t now)
{
	struct uc_probe_result *res = &r->result;

	if (!res->reached && l->seen.opened_ns) {
		res->reached = true;
		res->connect_ns = l->seen.opened_ns - l->began_ns;
		snprintf(r->addr, sizeof(r->addr), "%s", uc_transport_addr(l->wire));
		res->port = uc_transport_port(l->wire);
	}
	if (r->answered || !l->seen.answers)
		return;
	r->answered = true;
	res->status = l->seen.status;
	res->minor = l->first.minor;
	res->said_close = l->seen.said_close;
	res->keep_alive_s = l->first.keep_alive_s;
	res->answer_ns = l->seen.answered_ns > l->seen.sent_ns ?
				 l->seen.answered_ns - l->seen.sent_ns :
				 0;
	res->answer_bytes = l->first.bytes;
	res->server = l->first.server;
	for (size_t i = 1; i < r->count; i++)
		if (r->conn[i].spec->trial == UC_TRIAL_IDLE)
			r->conn[i].start_ns = now + stagger(i);
	if (res->said_close)
		skip_samples(r, now);
}

static void finish(struct probe *p, struct run *r, uint64_t now)
{
	struct uc_observation seen[CONNS_MAX];
	struct uc_probe_result *res = &r->result;

	for (size_t i = 0; i < r->count; i++) {
		seen[i] = r->conn[i].seen;
		res->connections += seen[i].opened_ns != 0;
		res->requests += r->conn[i].requests;
	}
	uc_measure(seen, r->count, &res->measured);
	if (!(p->cfg->groups & 1U << UC_GROUP_IDLE))
		res->measured.idle.known = false;
	res->addr = r->addr;
	res->elapsed_ns = now - r->began_ns;
	if (!r->answered && !res->interrupted) {
		snprintf(r->error, sizeof(r->error), "%s", r->conn[0].why);
		res->error = r->error;
	}
	r->done = true;
	p->events->done(p->events->ctx, res);
}

/* --- running ---------------------------------------------------------------------------- */

static int open_due(struct run *r, uint64_t now)
{
	int err = 0;

	for (size_t i = 0; i < r->count && !err; i++)
		if (may_open(r, &r->conn[i], now))
			err = uc_probe_conn_open(&r->conn[i], r->addr, now);
	return err;
}

static void step_conn(struct run *r, struct uc_probe_conn *l, const struct pollfd *fds,
		      size_t count)
{
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);

	uc_probe_conn_step(l, fds, count, now);
	if (l == r->conn)
		note_first(r, l, now);
	if (l->state == UC_PROBE_CONN_OVER)
		uc_probe_conn_release(l);
}

/* Its first request got no answer, or nothing is left to do. */
static bool is_through(const struct run *r)
{
	if (!r->answered)
		return r->conn[0].state == UC_PROBE_CONN_OVER;
	for (size_t i = 0; i < r->count; i++)
		if (r->conn[i].state != UC_PROBE_CONN_OVER)
			return false;
	return true;
}

static void stop_run(struct run *r, uint64_t now)
{
	for (size_t i = 0; i < r->count; i++) {
		uc_probe_conn_stop(&r->conn[i], now);
		uc_probe_conn_release(&r->conn[i]);
	}
}

static uint64_t conn_due(const struct run *r, const struct uc_probe_conn *l)
{
	/* what waits for another conn is opened as that one ends; what waits for the clock says when */
	if (l->state == UC_PROBE_CONN_QUEUED && r->answered && l->start_ns)
		return l->start_ns;
	return uc_probe_conn_due(l);
}

static size_t fds_of(const struct uc_probe_conn *l, struct pollfd *fds)
{
	size_t n = uc_probe_conn_fds(l, fds);

	for (size_t i = 0; i < n; i++)
		fds[i].revents = 0;
	return n;
}

/* Fills p->fds behind the first; returns how long to wait for them. */
static int prepare(struct probe *p, uint64_t now)
{
	uint64_t due = p->tick_ns, conn;

	p->fd_count = 1;
	for (struct run *r = p->run; r < p->run + p->count; r++) {
		for (size_t i = 0; i < r->count; i++) {
			conn = conn_due(r, &r->conn[i]);
			/* a conn that all places are taken for waits for a place */
			if (conn < due && (is_open(&r->conn[i]) || conn > now))
				due = conn;
			p->fd_count += fds_of(&r->conn[i], p->fds + p->fd_count);
		}
	}
	return due <= now ? 0 : (int)((due - now + MS - 1) / MS);
}

/* The descriptors are in the order of the conns, as prepare() left them. */
static void step_all(struct probe *p)
{
	const struct pollfd *at = p->fds + 1;
	struct pollfd same[UC_TRANSPORT_FDS];

	for (struct run *r = p->run; r < p->run + p->count; r++) {
		for (size_t i = 0; i < r->count; i++) {
			size_t n = uc_probe_conn_fds(&r->conn[i], same);

			if (!is_open(&r->conn[i]))
				continue;
			step_conn(r, &r->conn[i], at, n);
			at += n;
		}
	}
}

static void tell_progress(struct probe *p, uint64_t now)
{
	struct uc_probe_progress g = { .targets = p->count, .elapsed_ns = now - p->began_ns };

	for (struct run *r = p->run; r < p->run + p->count; r++) {
		g.done += r->done;
		for (size_t i = 0; i < r->count; i++) {
			const struct uc_probe_conn *l = &r->conn[i];

			g.requests += l->requests;
			g.open += is_open(l);
			if (l->state != UC_PROBE_CONN_WATCHING)
				continue;
			g.waiting_idle += l->spec->trial == UC_TRIAL_IDLE;
			g.waiting_header += l->spec->turn == UC_TURN_LAST;
			if (l->deadline_ns > now && l->deadline_ns - now > g.left_ns)
				g.left_ns = l->deadline_ns - now;
		}
	}
	p->tick_ns = now + TICK;
	p->events->progress(p->events->ctx, &g);
}

static size_t runs_left(const struct probe *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += !p->run[i].done;
	return n;
}

static void end_runs(struct probe *p, bool stopped)
{
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);

	for (struct run *r = p->run; r < p->run + p->count; r++) {
		if (r->done || !(stopped || is_through(r)))
			continue;
		r->result.interrupted = stopped && !is_through(r);
		stop_run(r, now);
		finish(p, r, now);
	}
}

static int loop(struct probe *p)
{
	int err, timeout_ms;

	while (runs_left(p)) {
		uint64_t now = uc_now_ns(CLOCK_MONOTONIC);

		for (struct run *r = p->run; r < p->run + p->count; r++)
			if (!r->done && (err = open_due(r, now)))
				return err;
		if (now >= p->tick_ns)
			tell_progress(p, now);
		timeout_ms = prepare(p, uc_now_ns(CLOCK_MONOTONIC));
		if (poll(p->fds, p->fd_count, timeout_ms) < 0 && errno != EINTR)
			return -errno;
		if (p->fds[0].revents) {
			end_runs(p, true);
			return 0;
		}
		step_all(p);
		end_runs(p, false);
	}
	return 0;
}

int uc_probe_run(const struct uc_probe_config *cfg, const struct uc_target *targets, size_t count,
		 int stop_fd, const struct uc_probe_events *events)
{
	struct probe p = { .cfg = cfg,
			   .events = events,
			   .count = count,
			   .began_ns = uc_now_ns(CLOCK_MONOTONIC) };
	int err = -ENOMEM;

	p.run = calloc(count, sizeof(*p.run));
	p.fds = calloc(1 + count * UC_PROBE_CONNS * UC_TRANSPORT_FDS, sizeof(*p.fds));
	if (p.run && p.fds) {
		p.fds[0] = (struct pollfd){ .fd = stop_fd, .events = POLLIN };
		for (size_t i = 0; i < count; i++)
			plan_run(&p.run[i], cfg, &targets[i], p.began_ns);
		err = loop(&p);
		for (size_t i = 0; i < count; i++)
			stop_run(&p.run[i], uc_now_ns(CLOCK_MONOTONIC));
	}
	free(p.run);
	free(p.fds);
	return err;
}
