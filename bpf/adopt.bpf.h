/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections that exist when upclose starts. Userspace lets the kernel go over
 * the open files of all tasks three times: what nginx listens on, nginx's
 * connections, and the peers of those. The hooks are on already; a socket
 * that has a log is left alone.
 */
#ifndef UPCLOSE_ADOPT_BPF_H
#define UPCLOSE_ADOPT_BPF_H

#include "client.bpf.h"
#include "conn.bpf.h"

struct uc_adoption adoption;

/*
 * Any other process that listens may be an upstream. It is announced now: one that
 * dies of its very first request could not be looked at any more.
 */
static __always_inline void adopt_listen(const struct sock *sk, const struct tcp_sock *tp,
					 struct task_struct *task)
{
	struct port_key k = { .netns = netns_of(sk), .port = local_port(tp) };
	struct uc_task t = {};
	u8 one = 1;

	if (task_is_nginx(task)) {
		bpf_map_update_elem(&uc_listen, &k, &one, BPF_ANY);
		return;
	}
	task_fill(&t, task);
	proc_announce(&t);
}

static __always_inline void adopt_common(struct uc_conn *c, const struct sock *sk,
					 const struct tcp_sock *tp, struct task_struct *task,
					 u64 now)
{
	tuple_fill(&c->tuple, sk, tp);
	task_fill(&c->owner, task);
	c->activity_ns = READ(tp, tcp_mstamp) * 1000;
	c->flags |= UC_CONN_ADOPTED;
	if (READ(tp, bytes_received))
		c->flags |= UC_CONN_REUSED;
	/* these times are jiffies, and both begin with the connection */
	if (READ(tp, bytes_received) ?
		    (s32)(READ(tp, lsndtime) - READ(tp, inet_conn.icsk_ack.lrcvtime)) > 0 :
		    READ(tp, bytes_sent) > 0)
		c->flags |= UC_CONN_WAITING;
	event_add(c, tp, UC_EV_ADOPTED, READ(sk, __sk_common.skc_state), 0, 0, now);
	if (READ(sk, __sk_common.skc_state) != TCP_ESTABLISHED) {
		c->peer_closed = UC_EV_FIN;
		snap_fill(&c->peer, sk, tp, now);
	}
}

static __always_inline void adopt_nginx(struct sock *sk, const struct tcp_sock *tp,
					struct task_struct *task, u64 now)
{
	struct port_key k = { .netns = netns_of(sk), .port = local_port(tp) };
	struct uc_tuple seen = {};
	struct uc_conn *c;

	if (bpf_map_lookup_elem(&uc_listen, &k)) {
		struct client *cl;

		client_new(sk);
		cl = client_of(sk);
		if (cl && !cl->worker)
			cl->worker = READ(task, tgid);
		return;
	}
	if (!port_followed(bpf_ntohs(READ(sk, __sk_common.skc_dport))))
		return;
	c = conn_new_nginx(sk);
	if (!c)
		return;
	adopt_common(c, sk, tp, task, now);
	proc_announce(&c->owner);
	live_open(c);
	c->key = (u64)READ(tp, snd_una) << 32 | READ(tp, rcv_nxt);
	join_begin(c->key);
	/* the same connection as its peer writes it */
	seen.family = c->tuple.family;
	seen.netns = c->tuple.netns;
	seen.local_port = c->tuple.remote_port;
	seen.remote_port = c->tuple.local_port;
	__builtin_memcpy(seen.local_addr, c->tuple.remote_addr, 16);
	__builtin_memcpy(seen.remote_addr, c->tuple.local_addr, 16);
	if (bpf_map_update_elem(&uc_adopted, &seen, &c->key, BPF_ANY))
		count_lost(UC_LOST_JOIN_FULL);
	__sync_fetch_and_add(&adoption.count, 1);
}

static __always_inline void adopt_peer(struct sock *sk, const struct tcp_sock *tp,
				       struct task_struct *task, u64 now)
{
	u64 key = (u64)READ(tp, rcv_nxt) << 32 | READ(tp, snd_una), *known;
	struct uc_tuple t = {};
	struct uc_conn *c;

	tuple_fill(&t, sk, tp);
	known = bpf_map_lookup_elem(&uc_adopted, &t);
	if (known)
		key = *known;
	else if (!bpf_map_lookup_elem(&uc_joins, &key))
		return;
	c = conn_new(sk);
	if (!c)
		return;
	adopt_common(c, sk, tp, task, now);
	c->key = key;
	join_adopt(key, &c->owner);
	proc_announce(&c->owner);
}

#ifdef UC_LEGACY
#define SOCKFS_MAGIC 0x534f434b /* include/uapi/linux/magic.h */

/* As bpf_sock_from_file(), which came with 5.11; a file opened by O_PATH has no private_data. */
static __always_inline struct socket *socket_of(const struct file *file)
{
	const struct inode *inode = READ(file, f_inode);
	const struct super_block *sb = READ(inode, i_sb);

	return READ(sb, s_magic) == SOCKFS_MAGIC ? READ(file, private_data) : 0;
}
#else
static __always_inline struct socket *socket_of(struct file *file)
{
	return bpf_sock_from_file(file);
}
#endif

static __always_inline void adopt_file(struct task_struct *task, struct file *file)
{
	struct socket *sock = socket_of(file);
	struct tcp_sock *tp;
	struct sock *sk;
	u16 family;
	u8 state;

	if (!sock)
		return;
	sk = READ(sock, sk);
	if (!sk || READ(sk, sk_protocol) != IPPROTO_TCP)
		return;
	family = READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return;
	tp = tcp_sock_of(sk);
	if (!tp || conn_of(sk))
		return;
	state = READ(sk, __sk_common.skc_state);
	if (adoption.pass == UC_ADOPT_LISTEN) {
		if (state == TCP_LISTEN)
			adopt_listen(sk, tp, task);
		return;
	}
	if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
		return;
	if (adoption.pass == UC_ADOPT_PEER)
		adopt_peer(sk, tp, task, bpf_ktime_get_ns());
	else if (task_is_nginx(task))
		adopt_nginx(sk, tp, task, bpf_ktime_get_ns());
}

#endif
