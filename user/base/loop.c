/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"

int uc_loop_add(struct uc_loop *loop, struct uc_loop_source *source)
{
	if (loop->count == UC_LOOP_SOURCES)
		return -ENOSPC;
	loop->source[loop->count++] = source;
	loop->changes++;
	return 0;
}

void uc_loop_remove(struct uc_loop *loop, const struct uc_loop_source *source)
{
	for (size_t i = 0; i < loop->count; i++) {
		if (loop->source[i] != source)
			continue;
		memmove(&loop->source[i], &loop->source[i + 1],
			(--loop->count - i) * sizeof(loop->source[0]));
		loop->changes++;
		return;
	}
}

/* Sleeps until something is readable or due. */
static int wait_for(struct pollfd *poll, size_t count, uint64_t due_ns)
{
	uint64_t now = uc_now_ns(CLOCK_MONOTONIC), left = due_ns > now ? due_ns - now : 0;
	struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };

	if (ppoll(poll, count, due_ns == UINT64_MAX ? NULL : &ts, NULL) < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return 0;
}

/* What a source adds or removes counts from the next turn on, when the rest is still readable or due. */
static int turn(struct uc_loop *loop)
{
	uint64_t due[UC_LOOP_SOURCES], first = UINT64_MAX, now, changes = loop->changes;
	struct pollfd poll[UC_LOOP_SOURCES];
	size_t count = loop->count;
	int r;

	for (size_t i = 0; i < count; i++) {
		const struct uc_loop_source *s = loop->source[i];

		poll[i] = (struct pollfd){ .fd = s->fd, .events = POLLIN };
		due[i] = s->due_ns ? s->due_ns(s->ctx) : UINT64_MAX;
		first = due[i] < first ? due[i] : first;
	}
	r = wait_for(poll, count, first);
	if (r)
		return r == -EAGAIN ? 0 : r;
	now = uc_now_ns(CLOCK_MONOTONIC);
	for (size_t i = 0; !r && i < count && changes == loop->changes; i++)
		if (poll[i].revents || due[i] <= now)
			r = loop->source[i]->run(loop->source[i]->ctx);
	return r;
}

int uc_loop_run(struct uc_loop *loop)
{
	int r;

	do
		r = turn(loop);
	while (!r);
	return r == UC_LOOP_END ? 0 : r;
}
