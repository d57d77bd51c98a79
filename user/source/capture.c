/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/capture.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "source/intake.h"
#include "source/proc.h"

/* Smaller drift of the wall clock than this is not worth a frame. */
#define CLOCK_STEP_NS 1000000

/*
 * After records the ring is left alone for so long. The kernel wakes a reader for
 * each record that finds the ring empty: on a busy host that would be every one,
 * and it costs more than all the rest.
 */
#define QUIET_NS 10000000
/* With so many records at a time the ring might fill up meanwhile. */
#define BUSY          64
#define BUSY_QUIET_NS 1000000

/* What may wait to be judged, and how many records are before the ring is looked at again. */
#define INTAKE_BYTES (64 << 20)
#define TURN         64
/* After so long the caller gets its turn, as it has more to do than this. */
#define TURNS_NS 50000000

struct uc_capture {
	struct uc_tracer *tracer;
	struct uc_intake *intake;
	uint64_t handed_on_ns; /* everything before has been handed on */
	int epoll_fd;          /* the ring, and the timer that ends a quiet time */
	int timer_fd;
	struct uc_frames taker[UC_CAPTURE_TAKERS];
	size_t taker_count;
	int64_t wall_offset_ns; /* as told last; 0: not yet */
	unsigned hearing;       /* as told last */
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

static void hand_on(struct uc_capture *c, const void *bytes, size_t len)
{
	for (size_t i = 0; i < c->taker_count; i++)
		c->taker[i].record(c->taker[i].ctx, bytes, len);
}

static bool hand_on_oldest(struct uc_capture *c)
{
	size_t len;
	const void *bytes = uc_intake_take(c->intake, &len);

	if (bytes)
		hand_on(c, bytes, len);
	return bytes;
}

static void on_record(void *ctx, const void *bytes, size_t len)
{
	struct uc_capture *c = ctx;

	announce(c, bytes, len);
	if (!uc_intake_put(c->intake, bytes, len))
		return;
	while (hand_on_oldest(c))
		;
	hand_on(c, bytes, len);
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

/* Before the records that follow: what is silent in them depends on it. */
static void follow_hearing(struct uc_capture *c)
{
	unsigned level = uc_tracer_hears(c->tracer);

	if (level == c->hearing)
		return;
	c->hearing = level;
	for (size_t i = 0; i < c->taker_count; i++)
		c->taker[i].hearing(c->taker[i].ctx, level);
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
	c->handed_on_ns = uc_now_ns(CLOCK_MONOTONIC);
	if (c->epoll_fd < 0 || c->timer_fd < 0 ||
	    epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->timer_fd, &ev))
		return -errno;
	return hear_ring(c, EPOLL_CTL_ADD);
}

/* Nothing of the ring is heard until the timer; setting it takes back its earlier readiness. */
static int be_quiet(struct uc_capture *c, long ns)
{
	struct itimerspec when = { .it_value = { .tv_nsec = ns } };
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
	err = uc_intake_new(INTAKE_BYTES, &c->intake);
	if (!err)
		err = uc_tracer_new(cfg, &frames, &c->tracer);
	if (!err)
		err = open_fds(c);
	if (!err)
		follow_hearing(c);
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
	uc_intake_free(c->intake);
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

/* Out of the ring; how many, or a negative errno. */
static int take(struct uc_capture *c)
{
	return uc_intake_full(c->intake) ? 0 : uc_tracer_poll(c->tracer);
}

/* Some are handed on, then the ring is emptied again: it fills while they are judged. */
static int hand_on_in_turns(struct uc_capture *c, uint64_t until_ns)
{
	int n = take(c), any = n;

	while (n >= 0 && !uc_intake_empty(c->intake) && uc_now_ns(CLOCK_MONOTONIC) < until_ns) {
		for (unsigned i = 0; i < TURN && hand_on_oldest(c); i++)
			;
		n = take(c);
	}
	return n < 0 ? n : any;
}

int uc_capture_poll(struct uc_capture *c, uint64_t *ret_now_ns)
{
	/* taken first: what the ring holds by now is not late */
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC);
	int n;

	follow_clock(c);
	follow_hearing(c);
	n = hand_on_in_turns(c, now + TURNS_NS);
	if (uc_intake_empty(c->intake))
		c->handed_on_ns = now;
	*ret_now_ns = c->handed_on_ns;
	if (n < 0)
		return n;
	if (!uc_intake_empty(c->intake))
		return be_quiet(c, 1);
	if (n)
		return be_quiet(c, n < BUSY ? QUIET_NS : BUSY_QUIET_NS);
	return hear_again(c);
}

void uc_capture_drain(struct uc_capture *c)
{
	take(c);
	while (hand_on_oldest(c))
		;
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
