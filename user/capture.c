/* SPDX-License-Identifier: BSD-2-Clause */
#include "capture.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"

/* Smaller drift of the wall clock than this is not worth a frame. */
#define CLOCK_STEP_NS 1000000

struct uc_capture {
	struct uc_tracer *tracer;
	struct uc_frames taker[UC_CAPTURE_TAKERS];
	size_t taker_count;
	int64_t wall_offset_ns; /* as told last; 0: not yet */
};

uint64_t uc_now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

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

int uc_capture_new(const struct uc_tracer_config *cfg, const struct uc_frames *takers, size_t count,
		   struct uc_capture **ret)
{
	struct uc_capture *c = calloc(1, sizeof(*c));
	struct uc_frames frames = { .record = on_record, .ctx = c };
	int err;

	if (!c)
		return -ENOMEM;
	assert(count <= UC_CAPTURE_TAKERS);
	memcpy(c->taker, takers, count * sizeof(*takers));
	c->taker_count = count;
	follow_clock(c);
	err = uc_tracer_new(cfg, &frames, &c->tracer);
	if (err) {
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
	free(c);
}

int uc_capture_fd(const struct uc_capture *c)
{
	return uc_tracer_fd(c->tracer);
}

int uc_capture_poll(struct uc_capture *c, uint64_t *ret_now_ns)
{
	follow_clock(c);
	/* taken first: what the ring holds by now is not late */
	*ret_now_ns = uc_now_ns(CLOCK_MONOTONIC);
	return uc_tracer_poll(c->tracer);
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
