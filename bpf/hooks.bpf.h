/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What each hook does: it finds the socket's log and hands on. The same for every
 * way to hook in; an untracked socket costs the look-up.
 */
#ifndef UPCLOSE_HOOKS_BPF_H
#define UPCLOSE_HOOKS_BPF_H

#include "adopt.bpf.h"
#include "client.bpf.h"
#include "conn.bpf.h"

#define EAGAIN      11
#define ETIMEDOUT   110
#define ERESTARTSYS 512
#define MSG_PEEK    2

/* CLOSE to SYN_SENT: in the task that called connect(). */
static __always_inline void conn_open(const struct sock *sk, const struct tcp_sock *tp)
{
	struct uc_conn *c;
	u64 now;

	if (!task_is_nginx(current_task()) || conn_of(sk))
		return;
	if (!port_followed(bpf_ntohs(READ(sk, __sk_common.skc_dport)))) {
		followup_over(bpf_get_current_pid_tgid() >> 32);
		return;
	}
	c = conn_new_nginx(sk);
	if (!c)
		return;
	now = bpf_ktime_get_ns();
	c->open_ns = now;
	task_fill_current(&c->owner);
	proc_announce(&c->owner);
	tuple_fill(&c->tuple, sk, tp);
	live_open(c);
	followup_retry(c);
	event_add(c, tp, UC_EV_CONNECT, TCP_SYN_SENT, 0, 0, now);
}

/* SYN_SENT to ESTABLISHED: both initial sequence numbers plus one are in the socket. */
static __always_inline void conn_established(const struct sock *sk, const struct tcp_sock *tp)
{
	struct uc_conn *c = conn_of(sk);

	if (!c || c->established_ns)
		return;
	c->established_ns = bpf_ktime_get_ns();
	tuple_fill(&c->tuple, sk, tp);
	c->key = (u64)READ(tp, snd_una) << 32 | READ(tp, rcv_nxt);
	join_begin(c->key);
	event_add(c, tp, UC_EV_ESTABLISHED, TCP_ESTABLISHED, 0, 0, c->established_ns);
}

/* SYN_RECV to ESTABLISHED: the peer of a followed connection holds its pair swapped. */
static __always_inline void accept_established(const struct sock *sk, const struct tcp_sock *tp)
{
	u64 key = (u64)READ(tp, rcv_nxt) << 32 | READ(tp, snd_una);
	struct port_key k = { .netns = netns_of(sk), .port = local_port(tp) };
	struct uc_conn *c;

	if (join_track(key) && !conn_of(sk)) {
		c = conn_new(sk);
		if (c) {
			c->key = key;
			c->open_ns = c->established_ns = bpf_ktime_get_ns();
			tuple_fill(&c->tuple, sk, tp);
			event_add(c, tp, UC_EV_ESTABLISHED, TCP_ESTABLISHED, 0, 0, c->open_ns);
		}
	}
	if (bpf_map_lookup_elem(&uc_listen, &k))
		client_new(sk);
}

static __always_inline void listen_open(const struct sock *sk, const struct tcp_sock *tp)
{
	adopt_listen(sk, tp, current_task());
}

static __always_inline void peer_close(struct uc_conn *c, const struct sock *sk,
				       const struct tcp_sock *tp, u8 how, u8 state)
{
	u64 now = bpf_ktime_get_ns();

	if (!c->peer_closed) {
		c->peer_closed = how;
		snap_fill(&c->peer, sk, tp, now);
	}
	event_add(c, tp, how, state, 0, 0, now);
}

static __always_inline void client_leave(const struct sock *sk, int newstate, bool closed_here)
{
	struct client *cl = client_of(sk);

	/* what follows nginx's close is no act of nginx */
	if (!cl || cl->gone == 2)
		return;
	if (closed_here) {
		followup_client(cl, false);
		client_closed(cl);
	} else if (newstate == TCP_CLOSE_WAIT || newstate == TCP_CLOSE) {
		client_left(cl, bpf_ktime_get_ns());
	}
}

/*
 * Its listener is closed before anybody has accepted it: inet_csk_listen_stop(),
 * in the task that closes the listener. Errors and resets are noted in the
 * socket before it changes its state.
 */
static __always_inline bool left_unaccepted(const struct uc_conn *c, const struct sock *sk,
					    int newstate)
{
	return newstate == TCP_CLOSE && !READ(sk, sk_socket) && !READ(sk, sk_err) &&
	       !c->peer_closed && !(c->flags & UC_CONN_NGINX);
}

/*
 * Any other change. close() marks both directions as shut down before it
 * changes the state; tcp_done(), which serves resets and timeouts, does so after.
 */
static __always_inline void conn_leave(const struct sock *sk, const struct tcp_sock *tp,
				       int oldstate, int newstate)
{
	bool closed_here = newstate == TCP_FIN_WAIT1 || newstate == TCP_LAST_ACK ||
			   (newstate == TCP_CLOSE && READ(sk, sk_shutdown) == SHUTDOWN_MASK);
	struct uc_conn *c;
	u64 now;

	if (newstate != TCP_CLOSE_WAIT && newstate != TCP_CLOSE && !closed_here)
		return;
	c = conn_of(sk);
	if (!c || c->flags & UC_CONN_CLIENT)
		client_leave(sk, newstate, closed_here);
	if (!c || c->flags & UC_CONN_SHIPPED)
		return;
	if (newstate == TCP_CLOSE_WAIT ? c->peer_closed == UC_EV_FIN : c->end.ts_ns != 0)
		return;
	if (left_unaccepted(c, sk, newstate)) {
		c->flags |= UC_CONN_UNACCEPTED;
		closed_here = true;
	}
	if (newstate == TCP_CLOSE_WAIT) {
		peer_close(c, sk, tp, UC_EV_FIN, newstate);
		if (!(c->flags & UC_CONN_NGINX))
			ship_upstream(c);
		return;
	}
	now = bpf_ktime_get_ns();
	snap_fill(&c->end, sk, tp, now);
	/* connect() chooses the local port after the state is SYN_SENT */
	c->tuple.local_port = local_port(tp);
	if (closed_here) {
		c->end_state = oldstate;
		task_fill_current(&c->closer);
		if (!(c->flags & UC_CONN_NGINX) && !(c->closer.flags & UC_TASK_EXITING))
			proc_announce(&c->closer);
		event_add(c, tp, UC_EV_CLOSE, newstate, 0, 0, now);
	} else {
		event_add(c, tp, UC_EV_ABORT, newstate, 0, READ(sk, sk_err), now);
	}
	/* nginx still holds an aborted socket: what it does until it closes it belongs to the log */
	if (!(c->flags & UC_CONN_NGINX))
		ship_upstream(c);
	else if (closed_here)
		ship_nginx(sk, c);
}

/*
 * An interrupt may come while this runs, and bring a burst of packets with state
 * changes of their own; the kernel does not run a program within itself. So two
 * programs call this for every change, one of which always can, and what was
 * handled already is left alone.
 */
static __always_inline int on_set_state(const struct sock *sk, int oldstate, int newstate)
{
	struct tcp_sock *tp;

	if (READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	tp = tcp_sock_of(sk);
	if (!tp)
		return 0;
	if (newstate == TCP_SYN_SENT)
		conn_open(sk, tp);
	else if (newstate == TCP_ESTABLISHED && oldstate == TCP_SYN_SENT)
		conn_established(sk, tp);
	else if (newstate == TCP_ESTABLISHED && oldstate == TCP_SYN_RECV)
		accept_established(sk, tp);
	else if (newstate == TCP_LISTEN)
		listen_open(sk, tp);
	else if (!storage_empty(sk))
		conn_leave(sk, tp, oldstate, newstate);
	return 0;
}

/*
 * Also fires on an orphan that gets data after its close, where no reset came
 * from the peer: such an end was sent already and is left alone.
 */
static __always_inline int on_reset(struct sock *sk)
{
	struct uc_conn *c = conn_of(sk);
	struct tcp_sock *tp;

	if (!c || c->flags & UC_CONN_SHIPPED)
		return 0;
	tp = tcp_sock_of(sk);
	if (tp)
		peer_close(c, sk, tp, UC_EV_RST, READ(sk, __sk_common.skc_state));
	return 0;
}

/*
 * An ICMP message that rejects the connection. Where it comes within connect(), as on
 * the same node, the kernel leaves it to be asked for: nginx does, and closes.
 */
static __always_inline int on_error_report(const struct sock *sk)
{
	struct uc_conn *c;
	struct tcp_sock *tp;
	s32 err;

	if (storage_empty(sk))
		return 0;
	c = conn_of(sk);
	if (!c || !(c->flags & UC_CONN_NGINX) || c->established_ns || c->peer_closed ||
	    READ(sk, __sk_common.skc_state) != TCP_SYN_SENT)
		return 0;
	err = READ(sk, sk_err);
	if (!err)
		err = READ(sk, sk_err_soft);
	tp = tcp_sock_of(sk);
	if (!tp || !err || err == ETIMEDOUT)
		return 0;
	c->peer.err = err;
	event_add(c, tp, UC_EV_ICMP, TCP_SYN_SENT, 0, err, bpf_ktime_get_ns());
	return 0;
}

static __always_inline void conn_destroy(struct sock *sk, struct uc_conn *c)
{
	struct tcp_sock *tp;

	if (c->flags & UC_CONN_SHIPPED)
		return;
	if (!c->end.ts_ns) {
		tp = tcp_sock_of(sk);
		if (tp)
			snap_fill(&c->end, sk, tp, bpf_ktime_get_ns());
	}
	if (c->flags & UC_CONN_NGINX)
		ship_nginx(sk, c);
	else
		ship_upstream(c);
}

/* Called by two programs, as on_set_state(): the second finds nothing left. */
static __always_inline int on_destroy(struct sock *sk)
{
	struct uc_conn *c;
	struct client *cl;

	if (storage_empty(sk))
		return 0;
	c = conn_of(sk);
	cl = !c || c->flags & UC_CONN_CLIENT ? client_of(sk) : 0;
	if (cl && cl->gone != 2) {
		followup_client(cl, false);
		client_closed(cl);
	}
	if (c)
		conn_destroy(sk, c);
	storage_drop(sk);
	return 0;
}

static __always_inline int on_retransmit(const struct sock *sk)
{
	struct uc_conn *c = conn_of(sk);
	struct tcp_sock *tp;

	if (!c || c->flags & UC_CONN_SHIPPED)
		return 0;
	tp = tcp_sock_of(sk);
	if (!tp)
		return 0;
	c->retransmits++;
	event_add(c, tp, UC_EV_RETRANSMIT, READ(sk, __sk_common.skc_state), 0, 0,
		  bpf_ktime_get_ns());
	return 0;
}

/* A socket that nobody keeps anything of: a worker of nginx may have turned to it. */
static __always_inline int on_send_untracked(void)
{
	if (followups_awaited)
		followup_over(bpf_get_current_pid_tgid() >> 32);
	return 0;
}

static __always_inline int on_send(struct sock *sk, int ret)
{
	struct client *cl;
	struct tcp_sock *tp;
	bool goodbye = false;
	struct uc_conn *c;
	u64 now;

	if (storage_empty(sk))
		return on_send_untracked();
	c = conn_of(sk);
	if (!c) {
		cl = client_of(sk);
		/* nginx answers a client that had left, too, when it had not noticed */
		if (cl && ret && ret != -EAGAIN)
			followup_client(cl, true);
		else if (!cl)
			followup_over(bpf_get_current_pid_tgid() >> 32);
		return 0;
	}
	if (c->flags & UC_CONN_SHIPPED || !ret || ret == -EAGAIN)
		return 0;
	tp = tcp_sock_of(sk);
	if (!tp)
		return 0;
	now = bpf_ktime_get_ns();
	if (ret < 0) {
		if (ret > -ERESTARTSYS)
			event_add(c, tp, UC_EV_SEND_ERROR, READ(sk, __sk_common.skc_state), 0, -ret,
				  now);
		return 0;
	}
	if (c->flags & UC_CONN_NGINX) {
		goodbye = tls_goodbye(c, ret);
		nginx_sent(sk, c, tp, ret, goodbye, now);
	} else {
		upstream_owner(c);
		upstream_sent(c, tp, ret, now);
		cl = c->flags & UC_CONN_CLIENT ? client_of(sk) : 0;
		if (cl)
			followup_client(cl, true);
	}
	if (!goodbye)
		c->activity_ns = now;
	event_add(c, tp, UC_EV_SEND, READ(sk, __sk_common.skc_state), ret, 0, now);
	return 0;
}

static __always_inline int on_recv(struct sock *sk, int ret, int flags)
{
	struct client *cl;
	struct tcp_sock *tp;
	struct uc_conn *c;
	u64 now;

	if (storage_empty(sk))
		return 0;
	c = conn_of(sk);
	if (!c) {
		cl = client_of(sk);
		if (cl && ret > 0 && !(flags & MSG_PEEK))
			client_received(cl, bpf_ktime_get_ns());
		return 0;
	}
	if (c->flags & UC_CONN_SHIPPED || ret == -EAGAIN)
		return 0;
	tp = tcp_sock_of(sk);
	if (!tp)
		return 0;
	now = bpf_ktime_get_ns();
	if (flags & MSG_PEEK) {
		/* ngx_http_upstream_keepalive_close_handler() is the only one that peeks here */
		if (!(c->flags & UC_CONN_NGINX))
			return 0;
		c->flags |= UC_CONN_PEEKED;
		event_add(c, tp, UC_EV_PEEK, READ(sk, __sk_common.skc_state), 0, ret < 0 ? -ret : 0,
			  now);
		return 0;
	}
	if (ret <= 0) {
		if (!ret)
			event_add(c, tp, UC_EV_EOF, READ(sk, __sk_common.skc_state), 0, 0, now);
		else if (ret > -ERESTARTSYS)
			event_add(c, tp, UC_EV_RECV_ERROR, READ(sk, __sk_common.skc_state), 0, -ret,
				  now);
		return 0;
	}
	if (c->flags & UC_CONN_NGINX) {
		nginx_received(c, tp, ret, now);
	} else {
		upstream_owner(c);
		upstream_received(c, tp, ret, now);
		cl = c->flags & UC_CONN_CLIENT ? client_of(sk) : 0;
		if (cl)
			client_received(cl, now);
	}
	c->activity_ns = now;
	event_add(c, tp, UC_EV_RECV, READ(sk, __sk_common.skc_state), ret, 0, now);
	if (c->flags & UC_CONN_NGINX)
		response_keep(sk, c, ret);
	return 0;
}

#endif
