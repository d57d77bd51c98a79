/* SPDX-License-Identifier: BSD-2-Clause */
#include "capture.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "proc.h"

/* Smaller drift of the wall clock than this is not worth a frame. */
#define CLOCK_STEP_NS 1000000

/*
 * After records the ring is left alone for so long. The kernel wakes a reader for
 * each record that finds the ring empty: on a busy host that would be every one,
 * and it costs more than all the rest.
 */
#define QUIET_NS 10000000

struct uc_capture {
	struct uc_tracer *tracer;
	int epoll_fd; /* the ring, and the timer that ends a quiet time */
	int timer_fd;
	struct uc_frames taker[UC_CAPTURE_TAKERS];
	size_t taker_count;
	int64_t wall_offset_ns; /* as told last; 0: not yet */
};

/* The engine sees a process before the connection ends that name it: it is read while it lives. */
static void announce(struct uc_capture *c, const void *bytes, size_t len)
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
	for (size_t i = 0; i < c->taker_count; i++)
		c->taker[i].proc(c->taker[i].ctx, &p);
}

static void on_record(void *ctx, const void *bytes, size_t len)
{
	struct uc_capture *c = ctx;

	announce(c, bytes, len);
	for (size_t i = 0; i < c->taker_count; i++)
		c->taker[i].record(c->taker[i].ctx, bytes, len);
}

static void follow_clock(struct uc_capture *c)
{
	uint64_t mono = uc_now_ns(CLOCK_MONOTONIC);
	int64_t offset = uc_now_ns(CLOCK_REALTIME) - mono, moved = offset - c->wall_offset_ns;

	if (c->wall_offset_ns && moved < CLOCK_STEP_NS && moved > -CLOCK_STEP_NS)
		return;
	c->wall_offset_ns = offset;
	for (size_t i = 0; i < c->taker_count; i++)
		c->taker[i].clock(c->taker[i].ctx, offset, mono);
}

/* The ring's readiness is told once for each call. */
static int hear_ring(struct uc_capture *c, int op)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };

	return epoll_ctl(c->epoll_fd, op, uc_tracer_fd(c->tracer), &ev) ? -errno : 0;
}

static int open_fds(struct uc_capture *c)
{
	struct epoll_event ev = { .events = EPOLLIN };

	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	c->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->epoll_fd < 0 || c->timer_fd < 0 ||
	    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->timer_fd, &ev))
		return -errno;
	return hear_ring(c, EPOLL_CTL_ADD);
}

/* Nothing of the ring is heard until the timer; setting it takes back its earlier readiness. */
static int be_quiet(struct uc_capture *c)
{
	struct itimerspec when = { .it_value = { .tv_nsec = QUIET_NS } };
	struct epoll_event ev = { 0 };

	if (epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, uc_tracer_fd(c->tracer), &ev))
		return -errno;
	return timerfd_settime(c->timer_fd, 0, &when, NULL) ? -errno : 0;
}

static int hear_again(struct uc_capture *c)
{
	uint64_t expirations;

	if (read(c->timer_fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		return -errno;
	return hear_ring(c, EPOLL_CTL_MOD);
}

int uc_capture_new(const struct uc_tracer_config *cfg, const struct uc_frames *takers, size_t count,
		   struct uc_capture **ret)
{
	struct uc_capture *c = calloc(1, sizeof(*c));
	struct uc_frames frames = { .record = on_record, .ctx = c };
	int err;

	if (!c)
		return -ENOMEM;
	assert(count <= UC_CAPTURE_TAKERS);
	c->epoll_fd = c->timer_fd = -1;
	memcpy(c->taker, takers, count * sizeof(*takers));
	c->taker_count = count;
	follow_clock(c);
	err = uc_tracer_new(cfg, &frames, &c->tracer);
	if (!err)
		err = open_fds(c);
	/* the processes that adoption announced are looked at before they can die */
	if (!err)
		err = uc_tracer_poll(c->tracer);
	if (err < 0) {
		uc_capture_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

void uc_capture_free(struct uc_capture *c)
{
	if (!c)
		return;
	uc_tracer_free(c->tracer);
	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
	if (c->timer_fd >= 0)
		close(c->timer_fd);
	free(c);
}

int uc_capture_fd(const struct uc_capture *c)
{
	return c->epoll_fd;
}

int uc_capture_poll(struct uc_capture *c, uint64_t *ret_now_ns)
{
	int n;

	follow_clock(c);
	/* taken first: what the ring holds by now is not late */
	*ret_now_ns = uc_now_ns(CLOCK_MONOTONIC);
	n = uc_tracer_poll(c->tracer);
	if (n < 0)
		return n;
	return n ? be_quiet(c) : hear_again(c);
}

void uc_capture_losses(struct uc_capture *c)
{
	struct uc_losses lost = uc_tracer_losses(c->tracer);

	for (size_t i = 0; i < c->taker_count; i++)
		c->taker[i].losses(c->taker[i].ctx, &lost);
}

struct uc_tracer *uc_capture_tracer(struct uc_capture *c)
{
	return c->tracer;
}
