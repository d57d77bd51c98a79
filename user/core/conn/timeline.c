/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/timeline.h"

static bool seq_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static void collect(const struct uc_conn *c, bool upstream, struct uc_timeline *t)
{
	uint32_t first = c->events > UC_EVENTS ? c->events - UC_EVENTS : 0;

	t->cut |= first != 0;
	for (uint32_t i = first; i != c->events; i++) {
		const struct uc_event *e = &c->ev[i & (UC_EVENTS - 1)];

		t->at[t->count++] = (struct uc_moment){ e, e->ts_ns, upstream };
	}
}

/* Before the handshake is over the numbers of a socket mean nothing to the other end. */
static bool numbers_count(const struct uc_event *e)
{
	return e->kind != UC_EV_CONNECT && e->kind != UC_EV_ESTABLISHED && e->kind != UC_EV_ADOPTED;
}

/* True when m could only come to be after the first byte of that send was written. */
static bool knows_of(const struct uc_moment *m, const struct uc_moment *send)
{
	uint32_t start = send->event->write_seq - send->event->bytes;

	if (m == send || !numbers_count(m->event))
		return false;
	if (m->upstream == send->upstream) {
		if (m->event->kind == UC_EV_SEND || m->event->kind == UC_EV_RECV)
			return false;
		return seq_after(m->event->write_seq, start);
	}
	return seq_after(m->event->rcv_nxt, start);
}

/* Of merged reads the first knew of the send if its own bytes were; else it is certain of the last. */
static uint64_t knew_at(const struct uc_moment *m, const struct uc_moment *send)
{
	uint32_t start = send->event->write_seq - send->event->bytes;
	const struct uc_event *e = m->event;

	if (e->kind == UC_EV_RECV && !seq_after(start, e->copied_seq - e->bytes))
		return e->ts_ns;
	return e->last_ns;
}

static bool goes_before(const struct uc_moment *a, const struct uc_moment *b)
{
	if (a->ts_ns != b->ts_ns)
		return a->ts_ns < b->ts_ns;
	/* moved before its effect: the cause goes first */
	return a->event->kind == UC_EV_SEND && b->event->kind != UC_EV_SEND;
}

/* Stable, which qsort() is not: what came at the same moment keeps the order of its log. */
static void sort(struct uc_timeline *t)
{
	for (size_t i = 1; i < t->count; i++) {
		struct uc_moment m = t->at[i];
		size_t k = i;

		for (; k && goes_before(&m, &t->at[k - 1]); k--)
			t->at[k] = t->at[k - 1];
		t->at[k] = m;
	}
}

void uc_timeline(const struct uc_conn *nginx, const struct uc_conn *upstream, struct uc_timeline *t)
{
	t->count = 0;
	t->cut = false;
	collect(nginx, false, t);
	if (upstream)
		collect(upstream, true, t);
	for (size_t i = 0; i < t->count; i++) {
		struct uc_moment *send = &t->at[i];

		if (send->event->kind != UC_EV_SEND)
			continue;
		for (size_t k = 0; k < t->count; k++) {
			uint64_t knew_ns = knew_at(&t->at[k], send);

			if (knew_ns < send->ts_ns && knows_of(&t->at[k], send))
				send->ts_ns = knew_ns;
		}
	}
	sort(t);
}
