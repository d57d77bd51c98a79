/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nginx's own clients. When nginx closes an upstream connection in the middle
 * of an exchange, either its client left or its timer fired; which one it was
 * shows in whether a client of that worker had just gone or had just sent.
 */
#ifndef UPCLOSE_CLIENT_BPF_H
#define UPCLOSE_CLIENT_BPF_H

#include "maps.bpf.h"
#include "followup.bpf.h"
#include "storage.bpf.h"
#include "worker.bpf.h"

static __always_inline void client_new(const void *sk)
{
	struct uc_conn *c = conn_of(sk);

	if (!storage_make(&uc_clients, sk))
		count_lost(UC_LOST_NO_STORAGE);
	else if (c)
		c->flags |= UC_CONN_CLIENT;
}

static __always_inline void client_gone(struct worker *w, u64 now)
{
	w->clients.last_gone_ns = now;
	__sync_fetch_and_add(&w->clients.gone, 1);
}

static __always_inline void client_received(struct client *cl, u64 now)
{
	bool first = !cl->worker;
	struct worker *w;

	cl->worker = bpf_get_current_pid_tgid() >> 32;
	w = worker_new(cl->worker);
	if (!w)
		return;
	if (w->over) /* another process of that number */
		worker_begin(w, cl->worker);
	followup_forget(w);
	w->read_id = 0;
	w->clients.known = 1;
	w->clients.last_recv_ns = now;
	/* it had left before a worker read its request */
	if (first && cl->gone == 1)
		client_gone(w, now);
}

/* The client's FIN or reset arrived. */
static __always_inline void client_left(struct client *cl, u64 now)
{
	struct worker *w;

	if (cl->gone)
		return;
	cl->gone = 1;
	w = cl->worker ? worker_of(cl->worker) : 0;
	if (w)
		client_gone(w, now);
}

/* nginx closed the client's socket. */
static __always_inline void client_closed(struct client *cl)
{
	struct worker *w;

	if (cl->gone == 1 && cl->worker) {
		w = worker_of(cl->worker);
		if (w)
			__sync_fetch_and_add(&w->clients.gone, -1);
	}
	cl->gone = 2;
}

#endif
