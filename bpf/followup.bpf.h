/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What nginx does after an attempt failed: another attempt, or an answer to its
 * client. nginx closes the failed connection and goes on within the same turn of
 * its event loop, so the worker's next act on a socket is the followup.
 */
#ifndef UPCLOSE_FOLLOWUP_BPF_H
#define UPCLOSE_FOLLOWUP_BPF_H

#include "maps.bpf.h"
#include "payload.bpf.h"
#include "storage.bpf.h"
#include "worker.bpf.h"

/* A header that was cut is at most this long; a whole response of that length costs a record. */
#define FOLLOWUP_SHORT_RESPONSE UC_RESPONSE_HEAD

/* nginx goes on at once; much later, something else set it going. */
#define FOLLOWUP_NS 50000000

static __always_inline void followup_await(struct worker *w, u64 id)
{
	if (!w->failed_id)
		__sync_fetch_and_add(&followups_awaited, 1);
	w->failed_id = id;
	w->failed_ns = bpf_ktime_get_ns();
}

/* The failed attempt that this act of the worker follows, or 0. */
static __always_inline u64 followup_take(struct worker *w)
{
	u64 id = w->failed_id;

	if (id && bpf_ktime_get_ns() - w->failed_ns > FOLLOWUP_NS)
		id = 0;
	followup_forget(w);
	return id;
}

/*
 * Could nginx have to try again, or to answer with an error? Where nginx closed
 * first, what it does to its client next also tells why it closed.
 */
static __always_inline bool followup_due(const struct uc_conn *c)
{
	if (c->flags & UC_CONN_PEEKED)
		return false;
	if (!c->established_ns && !(c->flags & UC_CONN_ADOPTED))
		return true;
	if (c->end_state && !c->peer_closed)
		return true;
	/* reset while idle: nginx notices when it wants to use it */
	if (c->peer_closed == UC_EV_RST)
		return true;
	/* it was closed before nginx had sent anything */
	if (!c->x.number && c->peer_closed)
		return true;
	if (!c->x.out_bytes)
		return false;
	/* it would not read what is there; the FIN counts as one byte */
	if (c->end_state && (s32)(c->end.rcv_nxt - c->end.copied_seq) > 1)
		return true;
	return !c->x.in_bytes || (c->peer_closed && c->x.in_bytes < FOLLOWUP_SHORT_RESPONSE);
}

static __always_inline void followup_expect(struct uc_conn *c, u32 tgid)
{
	struct worker *w;

	if (!followup_due(c))
		return;
	w = worker_new(tgid);
	if (!w || w->over)
		return;
	/* reset while idle and then chosen: its exchange, long over, was another request's */
	if (c->peer_closed == UC_EV_RST && c->x.in_bytes &&
	    c->ev[(c->events - 1) & (UC_EVENTS - 1)].kind == UC_EV_ABORT)
		c->x.attempt = w->failed_id ? w->failed_attempt + 1 : 1;
	followup_await(w, c->id);
	w->failed_attempt = c->x.attempt ? c->x.attempt : 1;
	c->flags |= UC_CONN_FOLLOWUP;
}

static __always_inline struct uc_rec_followup *followup_begin(u64 of_id, u32 tgid, u16 what)
{
	struct uc_rec_followup *rec = bpf_ringbuf_reserve(&uc_ring, sizeof(*rec), 0);

	if (!rec) {
		count_lost(UC_LOST_RING_FULL);
		return 0;
	}
	__builtin_memset(rec, 0, sizeof(*rec));
	rec->hdr.version = UC_WIRE_VERSION;
	rec->hdr.kind = UC_REC_FOLLOWUP;
	rec->hdr.size = sizeof(*rec);
	rec->hdr.ts_ns = bpf_ktime_get_ns();
	rec->of_id = of_id;
	rec->worker = tgid;
	rec->what = what;
	return rec;
}

static __always_inline void followup_next(struct uc_rec_followup *rec, const struct uc_conn *c)
{
	rec->next_id = c->id;
	rec->family = c->tuple.family;
	rec->remote_port = c->tuple.remote_port;
	__builtin_memcpy(rec->remote_addr, c->tuple.remote_addr, sizeof(rec->remote_addr));
}

/* This connection is what the worker turned to: by connect(), or by a request on an idle one. */
static __always_inline void followup_retry(struct uc_conn *c)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct worker *w = followups_awaited ? worker_of(tgid) : 0;
	struct uc_rec_followup *rec;
	u64 of_id = w ? followup_take(w) : 0;

	if (!of_id)
		return;
	c->x.attempt = w->failed_attempt + 1;
	c->x.after_id = of_id;
	rec = followup_begin(of_id, tgid, UC_FOLLOWUP_RETRIED);
	if (!rec)
		return;
	followup_next(rec, c);
	bpf_ringbuf_submit(rec, 0);
}

/* The worker turned to something else, or to a connection that is not followed. */
static __always_inline void followup_over(u32 tgid)
{
	struct worker *w = followups_awaited ? worker_of(tgid) : 0;

	if (w)
		followup_forget(w);
}

static __always_inline void followup_read(const struct uc_conn *c)
{
	struct worker *w = worker_of(c->owner.tgid);

	if (!w)
		return;
	followup_forget(w);
	w->read_id = c->id;
}

/* The first response bytes of a repeated attempt are in h. */
static __always_inline void followup_answer(const struct uc_conn *c, const struct uc_heads *h)
{
	struct uc_rec_followup *rec = followup_begin(c->x.after_id, c->owner.tgid,
						     UC_FOLLOWUP_ANSWERED);

	if (!rec)
		return;
	followup_next(rec, c);
	__builtin_memcpy(rec->head, h->response, sizeof(rec->head));
	rec->head_len = h->response_len < sizeof(rec->head) ? h->response_len : sizeof(rec->head);
	bpf_ringbuf_submit(rec, 0);
}

static __always_inline void followup_client(const struct client *cl, bool sent)
{
	struct worker *w = worker_of(cl->worker);
	struct uc_rec_followup *rec;
	struct user_buf b = {};
	u64 of_id;

	if (!w)
		return;
	w->read_id = 0;
	of_id = followup_take(w);
	if (!of_id)
		return;
	rec = followup_begin(of_id, cl->worker,
			     sent ? UC_FOLLOWUP_CLIENT_SENT : UC_FOLLOWUP_CLIENT_CLOSED);
	if (!rec)
		return;
	rec->client_gone = cl->gone == 1;
	if (sent && !user_buf_get(&b) && b.len >= sizeof(rec->head) &&
	    !bpf_probe_read_user(rec->head, sizeof(rec->head), (void *)b.base))
		rec->head_len = sizeof(rec->head);
	bpf_ringbuf_submit(rec, 0);
}

#endif
