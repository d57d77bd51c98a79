/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A connection end's log: filled by the hooks, sent once when the end is over.
 *
 * State changes run under the socket lock, often in a softirq of whatever task
 * was interrupted; sends and receives are traced after the lock was released,
 * in the caller's task. So an event takes its slot with an atomic, and only
 * events of the caller's task (SEND, RECV, RETRANSMIT) merge with their
 * predecessor.
 */
#ifndef UPCLOSE_CONN_BPF_H
#define UPCLOSE_CONN_BPF_H

#include <bpf/bpf_endian.h>

#include "join.bpf.h"
#include "kernel.bpf.h"
#include "live.bpf.h"
#include "maps.bpf.h"
#include "payload.bpf.h"
#include "followup.bpf.h"
#include "ship.bpf.h"
#include "storage.bpf.h"
#include "task.bpf.h"

#define AF_INET  2
#define AF_INET6 10

/* include/net/tcp_states.h and include/net/sock.h */
#define TCP_ESTABLISHED 1
#define TCP_SYN_SENT    2
#define TCP_SYN_RECV    3
#define TCP_FIN_WAIT1   4
#define TCP_CLOSE       7
#define TCP_CLOSE_WAIT  8
#define TCP_LAST_ACK    9
#define TCP_LISTEN      10
#define RCV_SHUTDOWN    1
#define SHUTDOWN_MASK   3

#define IPPROTO_TCP 6

static __always_inline void addr_v4(__u8 *dst, __be32 addr)
{
	u32 *w = (u32 *)dst;

	w[0] = 0;
	w[1] = 0;
	w[2] = bpf_htonl(0xffff);
	w[3] = addr;
}

static __always_inline void addr_v6(__u8 *dst, const struct in6_addr *addr)
{
	u32 *w = (u32 *)dst;

	w[0] = READ(addr, in6_u.u6_addr32[0]);
	w[1] = READ(addr, in6_u.u6_addr32[1]);
	w[2] = READ(addr, in6_u.u6_addr32[2]);
	w[3] = READ(addr, in6_u.u6_addr32[3]);
}

static __always_inline u32 netns_of(const struct sock *sk)
{
	const struct net *net = READ(sk, __sk_common.skc_net.net);

	return READ(net, ns.inum);
}

static __always_inline u16 local_port(const struct tcp_sock *tp)
{
	return bpf_ntohs(READ(tp, inet_conn.icsk_inet.inet_sport));
}

static __always_inline void tuple_fill(struct uc_tuple *t, const struct sock *sk,
				       const struct tcp_sock *tp)
{
	t->family = READ(sk, __sk_common.skc_family);
	t->netns = netns_of(sk);
	t->local_port = local_port(tp);
	t->remote_port = bpf_ntohs(READ(sk, __sk_common.skc_dport));
	if (t->family == AF_INET) {
		addr_v4(t->local_addr, READ(sk, __sk_common.skc_rcv_saddr));
		addr_v4(t->remote_addr, READ(sk, __sk_common.skc_daddr));
	} else {
		addr_v6(t->local_addr, &sk->__sk_common.skc_v6_rcv_saddr);
		addr_v6(t->remote_addr, &sk->__sk_common.skc_v6_daddr);
	}
}

static __always_inline void snap_fill(struct uc_snap *s, const struct sock *sk,
				      const struct tcp_sock *tp, u64 now)
{
	s->ts_ns = now;
	s->write_seq = READ(tp, write_seq);
	s->snd_una = READ(tp, snd_una);
	s->rcv_nxt = READ(tp, rcv_nxt);
	s->copied_seq = READ(tp, copied_seq);
	s->snd_wnd = READ(tp, snd_wnd);
	s->err = READ(sk, sk_err);
}

static __always_inline void event_add(struct uc_conn *c, const struct tcp_sock *tp, u8 kind,
				      u8 state, u32 bytes, s32 err, u64 now)
{
	struct uc_event *e = &c->ev[(c->events - 1) & (UC_EVENTS - 1)];

	log_enter(c);
	/* the newest event is seldom in the cache: what it was is first asked of what is */
	if (c->kernel_newest == kind && e->kind == kind && e->exchange == c->x.number &&
	    (kind == UC_EV_SEND || kind == UC_EV_RECV || kind == UC_EV_RETRANSMIT)) {
		e->bytes = e->bytes + bytes < bytes ? ~0U : e->bytes + bytes;
		if (e->count != 0xffff)
			e->count++;
	} else {
		e = log_slot(c);
		e->ts_ns = now;
		e->bytes = bytes;
		e->count = 1;
		e->kind = kind;
		e->exchange = c->x.number;
		c->kernel_newest = kind;
	}
	e->last_ns = now;
	e->write_seq = READ(tp, write_seq);
	e->snd_una = READ(tp, snd_una);
	e->rcv_nxt = READ(tp, rcv_nxt);
	e->copied_seq = READ(tp, copied_seq);
	e->state = state;
	e->err = err;
	log_leave(c);
}

static __always_inline bool port_followed(u16 port)
{
	if (!selection.port_count)
		return true;
	for (u32 i = 0; i < UC_MAX_PORTS && i < selection.port_count; i++)
		if (selection.ports[i] == port)
			return true;
	return false;
}

static __always_inline struct uc_conn *conn_new(const void *sk)
{
	struct uc_conn *c = storage_make(&uc_conns, sk);

	if (!c) {
		count_lost(UC_LOST_NO_STORAGE);
		return 0;
	}
	c->id = bpf_ktime_get_ns();
	if (client_of(sk))
		c->flags |= UC_CONN_CLIENT;
	return c;
}

/* nginx's end: its log, and the storage for its heads. */
static __always_inline struct uc_conn *conn_new_nginx(const void *sk)
{
	struct uc_conn *c;

	if (!storage_make(&uc_heads, sk)) {
		count_lost(UC_LOST_NO_STORAGE);
		return 0;
	}
	c = conn_new(sk);
	if (c)
		c->flags |= UC_CONN_NGINX;
	return c;
}

static __always_inline void exchange_begin(struct uc_conn *c, u64 now)
{
	/* a connection opened for a repeated attempt carries it to its first exchange */
	u32 number = c->x.number + 1, attempt = c->x.number ? 0 : c->x.attempt;
	u64 after_id = c->x.after_id;

	/* adopted within an exchange, and its response has come */
	if (!c->x.number && c->x.in_bytes && c->flags & UC_CONN_ADOPTED)
		c->flags |= UC_CONN_REUSED;
	__builtin_memset(&c->x, 0, sizeof(c->x));
	c->x.number = number;
	if (attempt) {
		c->x.attempt = attempt;
		c->x.after_id = after_id;
	}
	/* threads of an upstream may have come here in another order than their clock reads */
	c->x.idle_ns = c->activity_ns && now > c->activity_ns ? now - c->activity_ns : 0;
}

/* TLS record types (RFC 8446, section 5.1) */
#define TLS_CHANGE_CIPHER_SPEC 20
#define TLS_ALERT              21
#define TLS_HANDSHAKE          22
#define TLS_APPLICATION_DATA   23

/*
 * On a TLS connection the handshake is exchange 0. The first request comes with
 * the first application data: after a change_cipher_spec of six bytes in TLS 1.3,
 * where the client's Finished looks like data and goes out with the request.
 */
static __always_inline bool tls_request_begins(const struct uc_conn *c, const u8 *m)
{
	bool data = m[0] == TLS_APPLICATION_DATA ||
		    (m[0] == TLS_CHANGE_CIPHER_SPEC && m[6] == TLS_APPLICATION_DATA);

	return data && (!c->x.number || c->x.in_bytes);
}

/*
 * A send of nginx after response bytes is the next request, unless it goes on
 * with the body of a request that was answered early. Request lines begin with
 * a method of at least three capitals; on a connection that does not speak
 * HTTP/1 every turn is taken as an exchange.
 */
static __always_inline bool request_begins(struct uc_conn *c, const struct uc_heads *h,
					   const struct user_buf *b)
{
	u8 m[7] = {};

	if (b && bpf_probe_read_user(m, sizeof(m), (void *)b->base))
		b = 0;
	if (c->flags & UC_CONN_TLS)
		return b && tls_request_begins(c, m);
	if (!c->x.number) {
		/* "PRI * HTTP/2.0" (RFC 9113, section 3.4) */
		if (m[0] == 'P' && m[1] == 'R' && m[2] == 'I' && m[3] == ' ' && m[4] == '*')
			c->flags |= UC_CONN_HTTP2;
		if (c->x.out_bytes || m[1] != 3 ||
		    !(m[0] == TLS_HANDSHAKE ||
		      (m[0] == TLS_APPLICATION_DATA && c->flags & UC_CONN_ADOPTED)))
			return true;
		c->flags |= UC_CONN_TLS;
		return m[0] == TLS_APPLICATION_DATA;
	}
	if (c->flags & UC_CONN_HTTP2)
		return true;
	if (h->request_len && (h->request[0] < 'A' || h->request[0] > 'Z'))
		return true;
	return b && m[0] >= 'A' && m[0] <= 'Z' && m[1] >= 'A' && m[1] <= 'Z' && m[2] >= 'A' &&
	       m[2] <= 'Z';
}

/* A goodbye in TLS is counted, and begins nothing. */
static __always_inline void nginx_sent(struct sock *sk, struct uc_conn *c, struct tcp_sock *tp,
				       u32 n, bool goodbye, u64 now)
{
	struct uc_heads *h = heads_of(sk);
	struct user_buf b = {};
	bool readable;

	if (!h)
		return;
	/* within a request only its first send is looked at */
	if (c->x.number && !c->x.in_bytes)
		goto count;
	readable = !user_buf_get(&b);
	if (!goodbye && request_begins(c, h, readable ? &b : 0)) {
		exchange_begin(c, now);
		live_exchange(c);
		/* on a new connection the request waited for the handshake: its connect() was the act */
		if (c->x.number > 1 || c->flags & UC_CONN_ADOPTED)
			followup_retry(c);
		else
			followup_over(c->owner.tgid);
	}
	if (!c->x.out_bytes) {
		c->x.out_seq = READ(tp, write_seq) - n;
		c->x.out_first_ns = now;
		h->response_len = 0;
		h->response_gap = 0;
		h->tail_len = 0;
		/* the ClientHello says more than any record behind it */
		if (!(c->flags & UC_CONN_TLS) || !h->request_len) {
			h->request_len = 0;
			if (readable)
				request_head_read(h, &b, n);
			else
				count_lost(UC_LOST_REQUEST_HEAD);
		}
		if (c->x.attempt > 1)
			ship_attempt(c, h);
	}
count:
	c->x.out_bytes += n;
	c->x.out_last_ns = now;
}

/*
 * nginx says goodbye in TLS before it closes, which is no use of the connection: an
 * alert, which TLS 1.3 wraps into application data (RFC 8446, section 5.2): two
 * bytes, their type, and a tag of sixteen behind the record's header of five.
 */
static __always_inline bool tls_goodbye(const struct uc_conn *c, u32 n)
{
	struct user_buf b = {};
	u8 type = 0;

	if (!(c->flags & UC_CONN_TLS) || !c->x.number || n > 64)
		return false;
	if (n == 24)
		return true;
	return !user_buf_get(&b) && !bpf_probe_read_user(&type, 1, (void *)b.base) &&
	       type == TLS_ALERT;
}

static __always_inline void nginx_received(struct uc_conn *c, struct tcp_sock *tp, u32 n, u64 now)
{
	if (!c->x.in_bytes) {
		c->x.in_seq = READ(tp, copied_seq) - n;
		c->x.in_first_ns = now;
		live_first_byte(c, now);
	}
	followup_read(c);
	c->x.in_bytes += n;
	c->x.in_last_ns = now;
}

/* After the event is added: taking its place waits for all that was stored before. */
static __always_inline void response_keep(struct sock *sk, struct uc_conn *c, u32 n)
{
	struct uc_heads *h = heads_of(sk);

	if (!h)
		return;
	response_head_read(h, n);
	if (c->x.attempt && c->x.in_bytes == n)
		followup_answer(c, h);
}

static __always_inline void upstream_sent(struct uc_conn *c, struct tcp_sock *tp, u32 n, u64 now)
{
	if (!c->x.out_bytes) {
		c->x.out_seq = READ(tp, write_seq) - n;
		c->x.out_first_ns = now;
	}
	c->x.out_bytes += n;
	c->x.out_last_ns = now;
}

static __always_inline void upstream_received(struct uc_conn *c, struct tcp_sock *tp, u32 n,
					      u64 now)
{
	if (!c->x.number || c->x.out_bytes) {
		exchange_begin(c, now);
		c->x.in_seq = READ(tp, copied_seq) - n;
		c->x.in_first_ns = now;
	}
	c->x.in_bytes += n;
	c->x.in_last_ns = now;
}

/* The process that serves an upstream's socket is the one that reads and writes it. */
static __always_inline void upstream_owner(struct uc_conn *c)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (c->owner.tgid == tgid)
		return;
	task_fill_current(&c->owner);
	join_owner(c->key, &c->owner);
	proc_announce(&c->owner);
}

#endif
