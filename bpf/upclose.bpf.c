// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The hooks. Each finds the socket's log and hands on; an untracked socket costs the look-up. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "adopt.bpf.h"
#include "client.bpf.h"
#include "conn.bpf.h"

#define EAGAIN      11
#define ERESTARTSYS 512
#define MSG_PEEK    2

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* CLOSE to SYN_SENT: in the task that called connect(). */
static __always_inline void conn_open(const struct sock *sk, const struct tcp_sock *tp)
{
	struct uc_conn *c;
	u64 now;

	if (!task_is_nginx(bpf_get_current_task_btf()))
		return;
	if (!port_followed(bpf_ntohs(sk->__sk_common.skc_dport))) {
		sequel_over(bpf_get_current_pid_tgid() >> 32);
		return;
	}
	c = conn_new_nginx(sk);
	if (!c)
		return;
	now = bpf_ktime_get_ns();
	c->open_ns = now;
	task_fill_current(&c->owner);
	tuple_fill(&c->tuple, sk, tp);
	live_open(c);
	sequel_retry(c);
	event_add(c, tp, UC_EV_CONNECT, TCP_SYN_SENT, 0, 0, now);
}

/* SYN_SENT to ESTABLISHED: both initial sequence numbers plus one are in the socket. */
static __always_inline void conn_established(const struct sock *sk, const struct tcp_sock *tp)
{
	struct uc_conn *c = conn_of(sk);
	struct join j = {};

	if (!c)
		return;
	c->established_ns = bpf_ktime_get_ns();
	tuple_fill(&c->tuple, sk, tp);
	c->key = (u64)tp->snd_una << 32 | tp->rcv_nxt;
	if (bpf_map_update_elem(&uc_joins, &c->key, &j, BPF_ANY))
		count_lost(UC_LOST_JOIN_FULL);
	event_add(c, tp, UC_EV_ESTABLISHED, TCP_ESTABLISHED, 0, 0, c->established_ns);
}

/* SYN_RECV to ESTABLISHED: the far end of a followed connection holds its pair swapped. */
static __always_inline void accept_established(const struct sock *sk, const struct tcp_sock *tp)
{
	u64 key = (u64)tp->rcv_nxt << 32 | tp->snd_una;
	struct port_key k = { .netns = netns_of(sk), .port = local_port(tp) };
	struct join *j = bpf_map_lookup_elem(&uc_joins, &key);
	struct uc_conn *c;

	if (j) {
		j->tracked = 1;
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
	adopt_listen(sk, tp, bpf_get_current_task_btf());
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
		sequel_client(cl, false);
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
	return newstate == TCP_CLOSE && !sk->sk_socket && !sk->sk_err && !c->peer_closed &&
	       !(c->flags & UC_CONN_NGINX);
}

/*
 * Any other change. close() marks both directions as shut down before it
 * changes the state; tcp_done(), which serves resets and timeouts, does so after.
 */
static __always_inline void conn_leave(const struct sock *sk, const struct tcp_sock *tp,
				       int oldstate, int newstate)
{
	struct uc_conn *c = conn_of(sk);
	bool closed_here = newstate == TCP_FIN_WAIT1 || newstate == TCP_LAST_ACK ||
			   (newstate == TCP_CLOSE && sk->sk_shutdown == SHUTDOWN_MASK);
	u64 now;

	client_leave(sk, newstate, closed_here);
	if (!c || c->flags & UC_CONN_SHIPPED)
		return;
	if (newstate != TCP_CLOSE_WAIT && newstate != TCP_CLOSE && !closed_here)
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
		event_add(c, tp, UC_EV_ABORT, newstate, 0, sk->sk_err, now);
	}
	/* nginx still holds an aborted socket: what it does until it closes it belongs to the log */
	if (!(c->flags & UC_CONN_NGINX))
		ship_upstream(c);
	else if (closed_here)
		ship_nginx(sk, c);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(uc_set_state, const struct sock *sk, int oldstate, int newstate)
{
	struct tcp_sock *tp;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	tp = bpf_skc_to_tcp_sock((void *)sk);
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
	else
		conn_leave(sk, tp, oldstate, newstate);
	return 0;
}

/*
 * Also fires on an orphan that gets data after its close, where no reset came
 * from the peer: such an end was sent already and is left alone.
 */
SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(uc_reset, struct sock *sk)
{
	struct uc_conn *c = conn_of(sk);
	struct tcp_sock *tp;

	if (!c || c->flags & UC_CONN_SHIPPED)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp)
		peer_close(c, sk, tp, UC_EV_RST, sk->__sk_common.skc_state);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(uc_destroy, struct sock *sk)
{
	struct client *cl = client_of(sk);
	struct uc_conn *c = conn_of(sk);
	struct tcp_sock *tp;

	if (cl && cl->gone != 2) {
		sequel_client(cl, false);
		client_closed(cl);
	}
	if (!c || c->flags & UC_CONN_SHIPPED)
		return 0;
	if (!c->end.ts_ns) {
		tp = bpf_skc_to_tcp_sock(sk);
		if (tp)
			snap_fill(&c->end, sk, tp, bpf_ktime_get_ns());
	}
	if (c->flags & UC_CONN_NGINX)
		ship_nginx(sk, c);
	else
		ship_upstream(c);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(uc_retransmit, const struct sock *sk)
{
	struct uc_conn *c = conn_of(sk);
	struct tcp_sock *tp;

	if (!c || c->flags & UC_CONN_SHIPPED)
		return 0;
	tp = bpf_skc_to_tcp_sock((void *)sk);
	if (!tp)
		return 0;
	c->retransmits++;
	event_add(c, tp, UC_EV_RETRANSMIT, sk->__sk_common.skc_state, 0, 0, bpf_ktime_get_ns());
	return 0;
}

static __always_inline int on_send(struct sock *sk, int ret)
{
	struct uc_conn *c = conn_of(sk);
	struct client *cl;
	struct tcp_sock *tp;
	u64 now;

	if (!c) {
		cl = client_of(sk);
		/* nginx answers a client that had left, too, when it had not noticed */
		if (cl && ret && ret != -EAGAIN)
			sequel_client(cl, true);
		else if (!cl)
			sequel_over(bpf_get_current_pid_tgid() >> 32);
		return 0;
	}
	if (c->flags & UC_CONN_SHIPPED || !ret || ret == -EAGAIN)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	now = bpf_ktime_get_ns();
	if (ret < 0) {
		if (ret > -ERESTARTSYS)
			event_add(c, tp, UC_EV_SEND_ERROR, sk->__sk_common.skc_state, 0, -ret, now);
		return 0;
	}
	if (c->flags & UC_CONN_NGINX) {
		nginx_sent(sk, c, tp, ret, now);
	} else {
		upstream_owner(c);
		upstream_sent(c, tp, ret, now);
		cl = client_of(sk); /* nginx behind nginx is both */
		if (cl)
			sequel_client(cl, true);
	}
	c->activity_ns = now;
	event_add(c, tp, UC_EV_SEND, sk->__sk_common.skc_state, ret, 0, now);
	return 0;
}

static __always_inline int on_recv(struct sock *sk, int ret, int flags)
{
	struct uc_conn *c = conn_of(sk);
	struct client *cl;
	struct tcp_sock *tp;
	u64 now;

	if (!c) {
		cl = client_of(sk);
		if (cl && ret > 0 && !(flags & MSG_PEEK))
			client_received(cl, bpf_ktime_get_ns());
		return 0;
	}
	if (c->flags & UC_CONN_SHIPPED || ret == -EAGAIN)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	now = bpf_ktime_get_ns();
	if (flags & MSG_PEEK) {
		/* ngx_http_upstream_keepalive_close_handler() is the only one that peeks here */
		if (!(c->flags & UC_CONN_NGINX))
			return 0;
		c->flags |= UC_CONN_PEEKED;
		event_add(c, tp, UC_EV_PEEK, sk->__sk_common.skc_state, 0, ret < 0 ? -ret : 0, now);
		return 0;
	}
	if (ret <= 0) {
		if (!ret)
			event_add(c, tp, UC_EV_EOF, sk->__sk_common.skc_state, 0, 0, now);
		else if (ret > -ERESTARTSYS)
			event_add(c, tp, UC_EV_RECV_ERROR, sk->__sk_common.skc_state, 0, -ret, now);
		return 0;
	}
	if (c->flags & UC_CONN_NGINX) {
		nginx_received(sk, c, tp, ret, now);
	} else {
		upstream_owner(c);
		upstream_received(c, tp, ret, now);
		cl = client_of(sk);
		if (cl)
			client_received(cl, now);
	}
	c->activity_ns = now;
	event_add(c, tp, UC_EV_RECV, sk->__sk_common.skc_state, ret, 0, now);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(uc_send, struct sock *sk, int ret, int flags)
{
	return on_send(sk, ret);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(uc_recv, struct sock *sk, int ret, int flags)
{
	return on_recv(sk, ret, flags);
}

/* Before 6.3, where the length tracepoints do not exist; fexit needs BPF trampolines. */

SEC("fexit/tcp_sendmsg")
int BPF_PROG(uc_send_fexit, struct sock *sk, struct msghdr *msg, size_t size, int ret)
{
	return on_send(sk, ret);
}

/* sendfile before 6.5 */
SEC("fexit/tcp_sendpage")
int BPF_PROG(uc_sendpage, struct sock *sk, struct page *page, int offset, size_t size, int flags,
	     int ret)
{
	return on_send(sk, ret);
}

/* By hand: a choice between two of them in C becomes arithmetic on ctx, which the verifier forbids. */
#define CTX_ARG(ctx, n)                                                                      \
	({                                                                                   \
		u64 arg;                                                                     \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(arg) : "r"(ctx), "i"(8 * (n))); \
		arg;                                                                         \
	})

/*
 * (sk, msg, len, flags), on older kernels with an addr_len behind them, and before
 * 5.19 also with a nonblock before flags.
 */
SEC("fexit/tcp_recvmsg")
int uc_recv_fexit(u64 *ctx)
{
	u64 flags, ret;

	if (cfg_recvmsg_args == 6) {
		flags = CTX_ARG(ctx, 4);
		ret = CTX_ARG(ctx, 6);
	} else {
		flags = CTX_ARG(ctx, 3);
		ret = cfg_recvmsg_args == 5 ? CTX_ARG(ctx, 5) : CTX_ARG(ctx, 4);
	}
	return on_recv((struct sock *)ctx[0], ret, flags);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(uc_exit, struct task_struct *task)
{
	proc_exit(task);
	return 0;
}

SEC("iter/task_file")
int uc_adopt(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (task && file)
		adopt_file(task, file);
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int uc_walk(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	const struct uc_conn *c = ctx->value;

	if (c)
		live_walk(c);
	return 0;
}
