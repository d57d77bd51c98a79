/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records as the kernel side would make them, told step by step: a connection
 * between nginx and an upstream, both of whose sockets' numbers are kept here.
 */
#ifndef UPCLOSE_TESTS_BUILD_H
#define UPCLOSE_TESTS_BUILD_H

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "core/conn/decode.h"
#include "core/conn/facts.h"
#include "core/conn/join.h"
#include "core/conn/timeline.h"
#include "core/conn/verdict.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define US 1000ULL
#define MS 1000000ULL
#define S  1000000000ULL

#define START_NS  (5000 * S) /* when a tale's connection is established */
#define RTT_NS    (200 * US)
#define WORKER    77    /* nginx's pid */
#define SERVER    18853 /* the upstream's */
#define NGX_ISN   1000u
#define UP_ISN    500000u
#define GET       "GET /a?q=1 HTTP/1.1\r\nHost: u\r\n\r\n"
#define POST_1000 "POST /a HTTP/1.1\r\nHost: u\r\nContent-Length: 1000\r\n\r\n"
#define OK        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

/* include/net/tcp_states.h */
enum { ST_ESTABLISHED = 1, ST_SYN_SENT = 2, ST_FIN_WAIT1 = 4, ST_CLOSE = 7, ST_CLOSE_WAIT = 8 };

/* One end's socket. */
struct socket_now {
	uint32_t write_seq, snd_una, rcv_nxt, copied_seq;
};

struct tale {
	struct uc_pair pair;
	struct uc_facts facts;
	struct uc_timeline timeline;
	uint64_t now;
	struct socket_now ngx, up;
	/* where both sequence spaces begin; set before tale_begin or left 0 for the usual */
	uint32_t ngx_isn, up_isn;
};

static inline struct uc_conn *ngx_conn(struct tale *t)
{
	return &t->pair.nginx.conn;
}

static inline struct uc_conn *up_conn(struct tale *t)
{
	return &t->pair.upstream.conn;
}

static inline void tale_event_of(struct tale *t, struct uc_conn *c, const struct socket_now *s,
				 enum uc_event_kind kind, uint32_t bytes, int err)
{
	c->ev[c->events++ % UC_EVENTS] = (struct uc_event){ .ts_ns = t->now,
							    .last_ns = t->now,
							    .write_seq = s->write_seq,
							    .snd_una = s->snd_una,
							    .rcv_nxt = s->rcv_nxt,
							    .copied_seq = s->copied_seq,
							    .bytes = bytes,
							    .count = 1,
							    .kind = kind,
							    .state = ST_ESTABLISHED,
							    .exchange = c->x.number,
							    .err = err };
}

static inline void ngx_event(struct tale *t, enum uc_event_kind kind, uint32_t bytes, int err)
{
	tale_event_of(t, ngx_conn(t), &t->ngx, kind, bytes, err);
}

static inline void up_event(struct tale *t, enum uc_event_kind kind, uint32_t bytes, int err)
{
	tale_event_of(t, up_conn(t), &t->up, kind, bytes, err);
}

static inline struct uc_snap snap_of(const struct tale *t, const struct socket_now *s, int err)
{
	return (struct uc_snap){ .ts_ns = t->now,
				 .write_seq = s->write_seq,
				 .snd_una = s->snd_una,
				 .rcv_nxt = s->rcv_nxt,
				 .copied_seq = s->copied_seq,
				 .snd_wnd = 65536,
				 .err = err };
}

static inline void tale_wait(struct tale *t, uint64_t ns)
{
	t->now += ns;
}

static inline void loopback(__u8 addr[16])
{
	static const __u8 v4[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };

	memcpy(addr, v4, sizeof(v4));
}

static inline void tale_tuple(struct uc_tuple *u, uint16_t local, uint16_t remote)
{
	loopback(u->local_addr);
	loopback(u->remote_addr);
	u->local_port = local;
	u->remote_port = remote;
	u->family = AF_INET;
	u->netns = 4026531840u;
}

static inline void tale_headers(struct tale *t)
{
	t->pair.nginx.hdr = (struct uc_rec_hdr){ UC_WIRE_VERSION, UC_REC_NGINX_END,
						 sizeof(struct uc_rec_nginx), t->now };
	t->pair.upstream.hdr = (struct uc_rec_hdr){ UC_WIRE_VERSION, UC_REC_UPSTREAM_END,
						    sizeof(struct uc_rec_upstream), t->now };
}

/* connect() was called; nobody answered yet, and no process is known over there. */
static inline void tale_connect(struct tale *t)
{
	struct uc_conn *c = ngx_conn(t);
	uint32_t ngx_isn = t->ngx_isn ? t->ngx_isn : NGX_ISN;
	uint32_t up_isn = t->up_isn ? t->up_isn : UP_ISN;

	memset(t, 0, sizeof(*t));
	t->ngx_isn = ngx_isn;
	t->up_isn = up_isn;
	t->now = START_NS - RTT_NS;
	tale_headers(t);
	tale_tuple(&c->tuple, 51742, 9401);
	c->flags = UC_CONN_NGINX | UC_CONN_SHIPPED;
	c->open_ns = t->now;
	c->owner = (struct uc_task){ .tgid = WORKER, .tid = WORKER, .comm = "nginx" };
	t->ngx.write_seq = t->ngx.snd_una = ngx_isn;
	ngx_event(t, UC_EV_CONNECT, 0, 0);
}

/* Both ends are seen, on one host. */
static inline void tale_begin(struct tale *t)
{
	struct uc_conn *c = ngx_conn(t), *u = up_conn(t);

	tale_connect(t);
	t->now = START_NS;
	t->ngx = (struct socket_now){ t->ngx_isn, t->ngx_isn, t->up_isn, t->up_isn };
	t->up = (struct socket_now){ t->up_isn, t->up_isn, t->ngx_isn, t->ngx_isn };
	c->key = u->key = (uint64_t)t->ngx_isn << 32 | t->up_isn;
	c->established_ns = u->established_ns = u->open_ns = t->now;
	c->flags |= UC_CONN_PEER_TRACKED;
	u->flags = UC_CONN_SHIPPED;
	u->owner = (struct uc_task){ .tgid = SERVER, .tid = SERVER, .comm = "node" };
	tale_tuple(&u->tuple, 9401, 51742);
	t->pair.nginx.peer = u->owner;
	t->pair.has_upstream = true;
	ngx_event(t, UC_EV_ESTABLISHED, 0, 0);
	up_event(t, UC_EV_ESTABLISHED, 0, 0);
}

/* The upstream is on another host: its end and its process are not seen. */
static inline void tale_remote(struct tale *t)
{
	t->pair.has_upstream = false;
	memset(&t->pair.nginx.peer, 0, sizeof(t->pair.nginx.peer));
	ngx_conn(t)->flags &= ~UC_CONN_PEER_TRACKED;
}

/* The upstream's end is on this host, and its record was lost. */
static inline void tale_lose_peer(struct tale *t)
{
	t->pair.has_upstream = false;
	t->pair.upstream_missing = true;
}

/* The connection is older than upclose: flags are UC_CONN_WAITING and UC_CONN_REUSED. */
static inline void tale_adopt(struct tale *t, uint32_t flags)
{
	struct uc_conn *ends[2] = { ngx_conn(t), up_conn(t) };

	for (size_t i = 0; i < COUNT(ends); i++) {
		ends[i]->events = 0;
		ends[i]->open_ns = ends[i]->established_ns = 0;
		ends[i]->flags |= UC_CONN_ADOPTED | flags;
		ends[i]->activity_ns = t->now - S;
	}
	ngx_event(t, UC_EV_ADOPTED, 0, 0);
	up_event(t, UC_EV_ADOPTED, 0, 0);
}

/* --- an exchange ------------------------------------------------------------------- */

/* nginx writes n more bytes of its request. */
static inline void tale_write_more(struct tale *t, uint64_t n)
{
	struct uc_exchange *x = &ngx_conn(t)->x;

	t->ngx.write_seq += (uint32_t)n;
	x->out_bytes += n;
	x->out_last_ns = t->now;
	ngx_conn(t)->activity_ns = t->now;
	ngx_event(t, UC_EV_SEND, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, 0);
}

/* nginx begins a request: n bytes, of which head are the first. */
static inline void tale_write_bytes(struct tale *t, const char *head, size_t head_len, uint64_t n)
{
	struct uc_heads *h = &t->pair.nginx.heads;
	struct uc_conn *c = ngx_conn(t);
	uint32_t number = c->x.number + 1;

	tale_wait(t, 10 * US);
	memset(h, 0, sizeof(*h));
	memset(&c->x, 0, sizeof(c->x));
	c->x.number = number;
	c->x.idle_ns = c->activity_ns ? t->now - c->activity_ns : 0;
	c->x.out_seq = t->ngx.write_seq;
	c->x.out_first_ns = t->now;
	h->request_len = head_len < UC_REQUEST_HEAD ? (uint32_t)head_len : UC_REQUEST_HEAD;
	memcpy(h->request, head, h->request_len);
	tale_write_more(t, n);
}

static inline void tale_write(struct tale *t, const char *request)
{
	tale_write_bytes(t, request, strlen(request), strlen(request));
}

/* Everything that nginx wrote reaches the upstream's kernel, whose ACK comes back. */
static inline void tale_arrive(struct tale *t)
{
	tale_wait(t, RTT_NS / 2);
	t->up.rcv_nxt = t->ngx.write_seq;
	t->ngx.snd_una = t->ngx.write_seq;
}

/* Only the oldest n bytes of it do. */
static inline void tale_arrive_only(struct tale *t, uint32_t n)
{
	tale_wait(t, RTT_NS / 2);
	t->up.rcv_nxt += n;
	t->ngx.snd_una = t->up.rcv_nxt;
}

/* The upstream's application reads n bytes. */
static inline void tale_read(struct tale *t, uint32_t n)
{
	struct uc_conn *u = up_conn(t);

	t->up.copied_seq += n;
	u->x.number = ngx_conn(t)->x.number;
	u->x.in_bytes += n;
	u->activity_ns = t->now;
	up_event(t, UC_EV_RECV, n, 0);
}

static inline void tale_read_all(struct tale *t)
{
	tale_read(t, t->up.rcv_nxt - t->up.copied_seq);
}

/* The upstream answers n bytes, of which head are the first, and nginx reads them. */
static inline void tale_answer_bytes(struct tale *t, const char *head, size_t head_len, uint64_t n)
{
	struct uc_heads *h = &t->pair.nginx.heads;
	struct uc_conn *c = ngx_conn(t);

	tale_wait(t, 10 * US);
	t->up.write_seq += (uint32_t)n;
	up_event(t, UC_EV_SEND, (uint32_t)n, 0);
	tale_wait(t, RTT_NS / 2);
	t->up.snd_una = t->up.write_seq;
	t->ngx.rcv_nxt = t->ngx.copied_seq = t->up.write_seq;
	if (head_len > UC_RESPONSE_HEAD - h->response_len)
		head_len = UC_RESPONSE_HEAD - h->response_len;
	memcpy(h->response + h->response_len, head, head_len);
	h->response_len += (uint32_t)head_len;
	h->response_gap |= head_len < n;
	if (!c->x.in_bytes)
		c->x.in_seq = t->ngx.copied_seq - (uint32_t)n;
	c->x.in_bytes += n;
	c->x.in_last_ns = c->activity_ns = t->now;
	ngx_event(t, UC_EV_RECV, (uint32_t)n, 0);
}

static inline void tale_answer(struct tale *t, const char *response)
{
	tale_answer_bytes(t, response, strlen(response), strlen(response));
}

static inline void tale_exchange(struct tale *t)
{
	tale_write(t, GET);
	tale_arrive(t);
	tale_read_all(t);
	tale_answer(t, OK);
}

/* --- ends -------------------------------------------------------------------------- */

/* close() of the upstream's end, by its process or by that process's end. */
static inline void tale_peer_close(struct tale *t, uint32_t task_flags, int exit_code)
{
	struct uc_conn *u = up_conn(t);

	u->closer = u->owner;
	u->closer.flags = task_flags;
	u->closer.exit_code = exit_code;
	u->end = snap_of(t, &t->up, 0);
	u->end_state = ST_ESTABLISHED;
	up_event(t, UC_EV_CLOSE, 0, 0);
}

static inline void tale_fin(struct tale *t)
{
	struct uc_conn *c = ngx_conn(t);

	tale_wait(t, RTT_NS / 2);
	t->ngx.rcv_nxt++;
	c->peer_closed = UC_EV_FIN;
	c->peer = snap_of(t, &t->ngx, 0);
	ngx_event(t, UC_EV_FIN, 0, 0);
}

static inline void tale_rst(struct tale *t)
{
	struct uc_conn *c = ngx_conn(t);

	tale_wait(t, RTT_NS / 2);
	c->peer_closed = UC_EV_RST;
	c->peer = snap_of(t, &t->ngx, ECONNRESET);
	ngx_event(t, UC_EV_RST, 0, ECONNRESET);
}

/* nginx's close, and what its clients did: nothing for long. */
static inline void tale_close(struct tale *t)
{
	struct uc_conn *c = ngx_conn(t);

	c->closer = c->owner;
	c->end = snap_of(t, &t->ngx, 0);
	c->end_state = c->established_ns || c->flags & UC_CONN_ADOPTED ?
			       (c->peer_closed ? ST_CLOSE_WAIT : ST_ESTABLISHED) :
			       ST_SYN_SENT;
	t->pair.nginx.clients.known = 1;
	t->pair.nginx.clients.last_recv_ns = t->now - S;
	ngx_event(t, UC_EV_CLOSE, 0, 0);
	tale_wait(t, US);
	tale_headers(t);
}

static inline void tale_client_left(struct tale *t, uint64_t before_ns)
{
	t->pair.nginx.clients.gone = 1;
	t->pair.nginx.clients.last_gone_ns = ngx_conn(t)->end.ts_ns - before_ns;
}

/* The kernel ended nginx's socket by itself. */
static inline void tale_abort(struct tale *t, int err)
{
	ngx_conn(t)->end = snap_of(t, &t->ngx, err);
	ngx_event(t, UC_EV_ABORT, 0, err);
	tale_wait(t, US);
	tale_headers(t);
}

static inline struct uc_verdict tale_judge(struct tale *t)
{
	uc_facts(&t->pair, &t->facts);
	uc_timeline(t->facts.nginx, t->facts.upstream, &t->timeline);
	return uc_verdict(&t->facts);
}

/* --- numbers that are the same in every run ------------------------------------------ */

static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
