/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/delivery.h"

#include <cap-ng.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "alert/sender.h"
#include "base/log.h"

#define SECOND 1000000000ULL
/* A sink that goes on failing is spoken of again after so long. */
#define SAY_AGAIN_NS (3600 * SECOND)
/* A thread that hangs beyond its patience is left to the end of the process. */
#define HANG_NS     (3 * SECOND)
#define STACK_BYTES (512u << 10)

struct uc_delivery {
	struct uc_sink_config *cfg;
	const struct uc_sender *sender;
	void *sender_self;
	struct uc_backlog *backlog;
	pthread_t thread;
	int wake; /* an eventfd */

	/* the thread's own */
	unsigned failures; /* in a row */
	uint64_t due_ns;   /* no attempt before */
	uint64_t said_ns;  /* when it was said that it fails; 0: it does not */
	size_t limit;      /* documents of the next batch */

	pthread_mutex_t lock; /* of all that follows */
	bool stop;
	uint64_t stop_by_ns;
	struct uc_delivery_stats stats;
};

static void wake_up(struct uc_delivery *d)
{
	uint64_t one = 1;

	if (write(d->wake, &one, sizeof(one)) < 0)
		return; /* full: it is awake */
}

bool uc_delivery_post(struct uc_delivery *d, const char *doc, bool durable)
{
	if (!uc_backlog_put(d->backlog, doc, durable))
		return false;
	wake_up(d);
	return true;
}

struct uc_delivery_stats uc_delivery_stats(struct uc_delivery *d)
{
	struct uc_delivery_stats s;

	pthread_mutex_lock(&d->lock);
	s = d->stats;
	pthread_mutex_unlock(&d->lock);
	s.backlog = uc_backlog_stats(d->backlog);
	return s;
}

const struct uc_sink_config *uc_delivery_config(const struct uc_delivery *d)
{
	return d->cfg;
}

/* --- what came of an attempt ----------------------------------------------------------------- */

/* Twice as long each time, and never the same for two that began together. */
static uint64_t pause_ns(const struct uc_delivery *d)
{
	uint64_t ns = d->cfg->retry_ns, random;

	for (unsigned i = 1; i < d->failures && ns < d->cfg->retry_max_ns; i++)
		ns *= 2;
	if (ns > d->cfg->retry_max_ns)
		ns = d->cfg->retry_max_ns;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = uc_now_ns(CLOCK_MONOTONIC);
	return ns / 2 + random % (ns / 2 + 1);
}

static void failed(struct uc_delivery *d, const char *why)
{
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);

	pthread_mutex_lock(&d->lock);
	d->stats.failed_attempts++;
	snprintf(d->stats.last_error, sizeof(d->stats.last_error), "%s", why);
	pthread_mutex_unlock(&d->lock);
	if (d->said_ns && now - d->said_ns < SAY_AGAIN_NS)
		return;
	d->said_ns = now;
	uc_error("sink %s (%s) does not deliver: %s", d->cfg->name, uc_sink_type_name(d->cfg->type),
		 why);
}

static void on_sent(struct uc_delivery *d, const struct uc_batch *b, const struct uc_send_result *c,
		    uint64_t took_ns)
{
	uint64_t count = json_array_size(b->docs);
	uint64_t rejected = c->rejected < count ? c->rejected : count;

	if (d->said_ns)
		uc_note("sink %s delivers again", d->cfg->name);
	d->failures = 0;
	d->said_ns = d->due_ns = 0;
	d->limit = d->limit * 2 < d->sender->batch ? d->limit * 2 : d->sender->batch;
	/* before they are forgotten: nothing waits, so all of it was counted */
	if (rejected)
		uc_backlog_drop(d->backlog, UC_DROP_REFUSED, rejected);
	pthread_mutex_lock(&d->lock);
	d->stats.delivered += count - rejected;
	d->stats.last_success_wall_ns = uc_now_ns(CLOCK_REALTIME);
	d->stats.last_took_ns = took_ns;
	d->stats.last_error[0] = '\0';
	pthread_mutex_unlock(&d->lock);
	uc_backlog_forget(d->backlog, b);
}

/* One bad document does not take the others with it: half of them next time. */
static void on_refused(struct uc_delivery *d, const struct uc_batch *b,
		       const struct uc_send_result *c)
{
	failed(d, c->why);
	if (b->count > 1) {
		d->limit = (b->count + 1) / 2;
		return;
	}
	uc_backlog_drop(d->backlog, UC_DROP_REFUSED, 1);
	uc_backlog_forget(d->backlog, b);
}

static void on_later(struct uc_delivery *d, const struct uc_send_result *c)
{
	uint64_t wait;

	d->failures++;
	failed(d, c->why);
	wait = pause_ns(d);
	d->due_ns = uc_now_ns(CLOCK_MONOTONIC) + (wait > c->after_ns ? wait : c->after_ns);
}

/* --- the thread --------------------------------------------------------------------------------- */

static bool stopping(struct uc_delivery *d)
{
	bool stop, now;

	pthread_mutex_lock(&d->lock);
	stop = d->stop;
	now = uc_now_ns(CLOCK_MONOTONIC) >= d->stop_by_ns;
	pthread_mutex_unlock(&d->lock);
	if (!stop || now)
		return stop;
	return (d->failures && uc_backlog_has_spool(d->backlog)) ||
	       !uc_backlog_stats(d->backlog).waiting;
}

/* While a sender waits: what comes meanwhile is brought to the disk at once. */
static bool look(void *ctx)
{
	struct uc_delivery *d = ctx;
	uint64_t count;
	bool stop;

	if (read(d->wake, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return false;
	stop = stopping(d);
	uc_backlog_save(d->backlog, stop || d->failures);
	return !stop;
}

static void attempt(struct uc_delivery *d)
{
	struct uc_meanwhile m = { .fd = d->wake, .look = look, .ctx = d };
	struct uc_send_result c = { .how = UC_SEND_LATER };
	uint64_t began = uc_now_ns(CLOCK_MONOTONIC);
	struct uc_batch b;

	uc_backlog_oldest(d->backlog, d->limit, &b);
	if (json_array_size(b.docs)) {
		d->sender->send(d->sender_self, b.docs, &m, &c);
		if (c.how == UC_SENT)
			on_sent(d, &b, &c, uc_now_ns(CLOCK_MONOTONIC) - began);
		else if (c.how == UC_SEND_NEVER)
			on_refused(d, &b, &c);
		else if (c.how == UC_SEND_LATER)
			on_later(d, &c);
	} else if (b.count) {
		uc_backlog_forget(d->backlog, &b);
	}
	json_decref(b.docs);
}

/* UINT64_MAX: there is nothing to send. */
static uint64_t next_attempt(struct uc_delivery *d)
{
	struct uc_backlog_stats s = uc_backlog_stats(d->backlog);
	uint64_t full = s.since_ns + d->sender->linger_ns;
	bool stop;

	if (!s.waiting)
		return UINT64_MAX;
	pthread_mutex_lock(&d->lock);
	stop = d->stop;
	pthread_mutex_unlock(&d->lock);
	return s.waiting < d->sender->batch && !stop && full > d->due_ns ? full : d->due_ns;
}

static void sleep_until(struct uc_delivery *d, uint64_t due_ns)
{
	struct pollfd fd = { .fd = d->wake, .events = POLLIN };
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC), left = due_ns > now ? due_ns - now : 0;

	/* a spool that could not be written is looked after, too */
	if (left > SECOND && due_ns != UINT64_MAX)
		left = SECOND;
	poll(&fd, 1, due_ns == UINT64_MAX ? -1 : (int)(left / 1000000) + 1);
}

/* The loop keeps a capability for itself; what talks to the world needs none. */
static void drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS))
		uc_error("cannot give up capabilities");
}

static void *work(void *ctx)
{
	struct uc_delivery *d = ctx;

	drop_capabilities();
	while (look(d)) {
		uint64_t due = next_attempt(d);

		if (due <= uc_now_ns(CLOCK_MONOTONIC))
			attempt(d);
		else
			sleep_until(d, due);
	}
	return NULL;
}

/* --- begin and end ---------------------------------------------------------------------------------- */

static bool make_folder(const struct uc_delivery *d, const char *path)
{
	if (!mkdir(path, 0700) || errno == EEXIST)
		return true;
	uc_error("sink %s: cannot make the folder %s: %s", d->cfg->name, path, strerror(errno));
	return false;
}

static int open_backlog(struct uc_delivery *d, const char *state_directory)
{
	struct uc_backlog_config cfg = { .name = d->cfg->name,
					 .spool_bytes = (uint64_t)d->cfg->spool_mib << 20,
					 .capacity = d->cfg->queue,
					 .give_up_ns = d->cfg->give_up_ns };
	char folder[PATH_MAX], path[PATH_MAX + 64];

	if (state_directory && d->cfg->spool_mib) {
		snprintf(folder, sizeof(folder), "%s/sinks", state_directory);
		snprintf(path, sizeof(path), "%s/%s.spool", folder, d->cfg->name);
		cfg.spool_path = path;
		if (make_folder(d, state_directory) && make_folder(d, folder) &&
		    !uc_backlog_new(&cfg, &d->backlog))
			return 0;
		/* a full disk is no reason to trace nothing */
		uc_note("sink %s: what waits is kept in memory alone", d->cfg->name);
		cfg.spool_path = NULL;
	}
	return uc_backlog_new(&cfg, &d->backlog);
}

static int start_thread(struct uc_delivery *d)
{
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	err = pthread_create(&d->thread, &attr, work, d);
	pthread_attr_destroy(&attr);
	if (err)
		uc_error("sink %s: cannot begin a thread: %s", d->cfg->name, strerror(err));
	return -err;
}

static void release(struct uc_delivery *d)
{
	if (d->sender_self)
		d->sender->close(d->sender_self);
	uc_backlog_free(d->backlog);
	uc_sink_config_free(d->cfg);
	if (d->wake >= 0)
		close(d->wake);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static int open_all(struct uc_delivery *d, const char *state_directory)
{
	int err;

	d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->wake < 0) {
		err = -errno;
		uc_error("sink %s: %s", d->cfg->name, strerror(errno));
		return err;
	}
	err = open_backlog(d, state_directory);
	if (err)
		return err;
	err = d->sender->open(d->cfg, &d->sender_self);
	if (err)
		uc_error("out of memory");
	return err ? err : start_thread(d);
}

int uc_delivery_new(const struct uc_sink_config *cfg, const char *state_directory,
		    struct uc_delivery **ret)
{
	struct uc_delivery *d = calloc(1, sizeof(*d));
	int err = -ENOMEM;

	if (!d || uc_sink_config_copy(cfg, &d->cfg)) {
		uc_error("out of memory");
		free(d);
		return -ENOMEM;
	}
	d->wake = -1;
	d->sender = &uc_senders[cfg->type];
	d->limit = d->sender->batch;
	pthread_mutex_init(&d->lock, NULL);
	err = open_all(d, state_directory);
	if (err) {
		release(d);
		return err;
	}
	*ret = d;
	return 0;
}

void uc_delivery_stop(struct uc_delivery *d, uint64_t patience_ns)
{
	pthread_mutex_lock(&d->lock);
	if (!d->stop)
		d->stop_by_ns = uc_now_ns(CLOCK_MONOTONIC) + patience_ns;
	d->stop = true;
	pthread_mutex_unlock(&d->lock);
	wake_up(d);
}

void uc_delivery_free(struct uc_delivery *d)
{
	struct timespec until;
	uint64_t end, lost;

	if (!d)
		return;
	uc_delivery_stop(d, 0);
	end = (d->stop_by_ns > uc_now_ns(CLOCK_MONOTONIC) ? d->stop_by_ns :
							    uc_now_ns(CLOCK_MONOTONIC)) +
	      HANG_NS;
	until = (struct timespec){ .tv_sec = end / SECOND, .tv_nsec = end % SECOND };
	if (pthread_clockjoin_np(d->thread, NULL, CLOCK_MONOTONIC, &until)) {
		uc_error("sink %s: its thread did not stop in time; abandoning it", d->cfg->name);
		pthread_detach(d->thread);
		return;
	}
	lost = uc_backlog_stats(d->backlog).waiting - uc_backlog_stats(d->backlog).spooled;
	if (lost)
		uc_error(
			"sink %s ends with %llu documents not delivered, and has no spool for them",
			d->cfg->name, (unsigned long long)lost);
	release(d);
}
