/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is sent to userspace: connection ends, once each, and processes. */
#ifndef UPCLOSE_SHIP_BPF_H
#define UPCLOSE_SHIP_BPF_H

#include "join.bpf.h"
#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "followup.bpf.h"
#include "storage.bpf.h"
#include "task.bpf.h"
#include "worker.bpf.h"

static __always_inline void ship_proc(const struct uc_task *t, u16 kind)
{
	struct uc_rec_proc *rec = bpf_ringbuf_reserve(&uc_ring, sizeof(*rec), 0);

	if (!rec) {
		count_lost(UC_LOST_RING_FULL);
		return;
	}
	rec->hdr.version = UC_WIRE_VERSION;
	rec->hdr.kind = kind;
	rec->hdr.size = sizeof(*rec);
	rec->hdr.ts_ns = bpf_ktime_get_ns();
	rec->task = *t;
	bpf_ringbuf_submit(rec, 0);
}

/* Tells userspace once of each process, so that it can look at it while it lives. */
static __always_inline void proc_announce(const struct uc_task *t)
{
	u32 tgid = t->tgid;
	u64 *known = bpf_map_lookup_elem(&uc_procs, &tgid), start = t->start_ns;

	if (known && *known == start)
		return;
	bpf_map_update_elem(&uc_procs, &tgid, &start, BPF_ANY);
	ship_proc(t, UC_REC_PROC);
}

/* Before its files are closed; of its threads, the last. */
static __always_inline void proc_exit(struct task_struct *task)
{
	struct signal_struct *sig = READ(task, signal);
	u32 tgid = READ(task, tgid);
	struct uc_task t = {};

	if (READ(sig, live.counter))
		return;
	/* of nginx's workers, too: one that is about to end closes what it still holds */
	if (!worker_over(tgid) && !bpf_map_lookup_elem(&uc_procs, &tgid))
		return;
	bpf_map_delete_elem(&uc_procs, &tgid);
	task_fill(&t, task);
	ship_proc(&t, UC_REC_EXIT);
}

/* The request of another attempt, so that it can be held against the one that failed. */
static __always_inline void ship_attempt(const struct uc_conn *c, const struct uc_heads *h)
{
	struct uc_rec_attempt *rec = bpf_ringbuf_reserve(&uc_ring, sizeof(*rec), 0);

	if (!rec) {
		count_lost(UC_LOST_RING_FULL);
		return;
	}
	rec->hdr.version = UC_WIRE_VERSION;
	rec->hdr.kind = UC_REC_ATTEMPT;
	rec->hdr.size = sizeof(*rec);
	rec->hdr.ts_ns = bpf_ktime_get_ns();
	rec->of_id = c->x.after_id;
	rec->next_id = c->id;
	__builtin_memcpy(rec->remote_addr, c->tuple.remote_addr, sizeof(rec->remote_addr));
	rec->remote_port = c->tuple.remote_port;
	rec->family = c->tuple.family;
	rec->head_len = h->request_len;
	__builtin_memcpy(rec->head, h->request, sizeof(rec->head));
	bpf_ringbuf_submit(rec, 0);
}

/* What a record of nginx's end has besides the log. */
struct nginx_more {
	const struct uc_heads *heads;
	struct uc_task peer;
	struct uc_clients clients;
};

static __always_inline u8 *ship_begin(const struct uc_conn *c, u16 kind, u32 size, u32 events)
{
	u8 *rec = bpf_ringbuf_reserve(&uc_ring, size, 0);
	struct uc_rec_hdr *hdr = (struct uc_rec_hdr *)rec;

	if (!rec) {
		count_lost(UC_LOST_RING_FULL);
		return 0;
	}
	hdr->version = UC_WIRE_VERSION;
	hdr->kind = kind;
	hdr->size = size;
	hdr->ts_ns = bpf_ktime_get_ns();
	bpf_probe_read_kernel(rec + sizeof(*hdr), UC_CONN_SIZE(events), c);
	return rec;
}

/* The sizes are constants for each form: that is what the verifier wants. */
static __always_inline void ship_upstream_as(const struct uc_conn *c, const u32 events)
{
	u8 *rec = ship_begin(c, UC_REC_UPSTREAM_END, UC_UPSTREAM_SIZE(events), events);

	if (rec)
		bpf_ringbuf_submit(rec, 0);
}

static __always_inline void ship_nginx_as(const struct uc_conn *c, const struct nginx_more *more,
					  const u32 events, const u32 request, const u32 response)
{
	u8 *rec = ship_begin(c, UC_REC_NGINX_END, UC_NGINX_SIZE(events, request, response), events);
	u8 *at = rec + UC_UPSTREAM_SIZE(events);

	if (!rec)
		return;
	*(struct uc_task *)at = more->peer;
	at += sizeof(more->peer);
	*(struct uc_clients *)at = more->clients;
	at += sizeof(more->clients);
	/* a NULL source zeroes the destination */
	bpf_probe_read_kernel(at, UC_HEADS_SIZE(request), more->heads);
	bpf_probe_read_kernel(at + UC_HEADS_SIZE(request), response,
			      more->heads ? more->heads->response : 0);
	bpf_ringbuf_submit(rec, 0);
}

#define FITS_UPSTREAM(e)                            \
	if (c->events <= (e) || (e) == UC_EVENTS) { \
		ship_upstream_as(c, e);             \
		return;                             \
	}

#define FITS_NGINX(e, q, r)                                                                        \
	if ((c->events <= (e) && request_len <= (q) && response_len <= (r)) || (e) == UC_EVENTS) { \
		ship_nginx_as(c, more, e, q, r);                                                   \
		return;                                                                            \
	}

static __always_inline void ship_upstream(struct uc_conn *c)
{
	c->flags |= UC_CONN_SHIPPED;
	UC_UPSTREAM_FORMS(FITS_UPSTREAM)
}

static __always_inline void ship_nginx_form(const struct uc_conn *c, const struct nginx_more *more)
{
	u32 request_len = more->heads ? more->heads->request_len : 0;
	u32 response_len = more->heads ? more->heads->response_len : 0;

	UC_NGINX_FORMS(FITS_NGINX)
}

static __always_inline void ship_nginx(const struct sock *sk, struct uc_conn *c)
{
	u32 tgid = c->closer.tgid ? c->closer.tgid : c->owner.tgid;
	struct nginx_more more = { .heads = heads_of(sk) };
	struct worker *w = worker_of(tgid);

	c->flags |= UC_CONN_SHIPPED;
	if (w && w->read_id == c->id)
		c->flags |= UC_CONN_AT_ONCE;
	followup_expect(c, tgid);
	if (c->key && join_end(c->key, &more.peer))
		c->flags |= UC_CONN_PEER_TRACKED;
	w = worker_of(tgid);
	if (w)
		more.clients = w->clients;
	ship_nginx_form(c, &more);
}

#endif
