/* SPDX-License-Identifier: BSD-2-Clause */
/* How connections end, and the verdict on each: what the tests of verdicts and of their sentences share. */
#ifndef UPCLOSE_TESTS_TALES_H
#define UPCLOSE_TESTS_TALES_H

#include "build.h"

#define SIGNAL(n) (n)
#define EXIT(n)   ((n) << 8)

/* nginx has read the end, and closes. */
static inline void end_by_fin(struct tale *t)
{
	tale_fin(t);
	tale_wait(t, 100 * US);
	tale_close(t);
}

static inline void end_by_rst(struct tale *t)
{
	tale_rst(t);
	tale_wait(t, 100 * US);
	tale_close(t);
}

/* A second request on a connection that served one before. */
static inline void begin_reused(struct tale *t)
{
	tale_begin(t);
	tale_exchange(t);
	tale_wait(t, 5 * S);
}

static inline void request_in_hand(struct tale *t)
{
	tale_begin(t);
	tale_write(t, GET);
	tale_arrive(t);
	tale_read_all(t);
	tale_wait(t, 300 * MS);
}

/* --- no connection ------------------------------------------------------------------ */

static inline void refused_by_error(struct tale *t)
{
	tale_connect(t);
	tale_wait(t, RTT_NS);
	tale_abort(t, ECONNREFUSED);
}

static inline void refused_by_reset(struct tale *t)
{
	tale_connect(t);
	tale_rst(t);
	ngx_conn(t)->peer.err = 0;
	tale_abort(t, 0);
}

static inline void no_route(struct tale *t)
{
	tale_connect(t);
	tale_abort(t, EHOSTUNREACH);
}

static inline void no_network(struct tale *t)
{
	tale_connect(t);
	tale_abort(t, ENETUNREACH);
}

static inline void firewall_refuses(struct tale *t)
{
	tale_connect(t);
	tale_abort(t, EACCES);
}

static inline void nginx_ends_connecting(struct tale *t)
{
	tale_connect(t);
	tale_wait(t, 300 * MS);
	tale_close(t);
	ngx_conn(t)->closer.flags = UC_TASK_EXITING;
}

/* What nginx's worker did next. */
static inline void tale_followup(struct tale *t, enum uc_followup what, bool client_gone,
				 unsigned status)
{
	t->pair.outcome.followup = what;
	t->pair.outcome.client_gone = client_gone;
	t->pair.outcome.client_status = status;
}

static inline void client_leaves_connecting(struct tale *t)
{
	tale_connect(t);
	tale_wait(t, 300 * MS);
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_CLOSED, true, 0);
}

static inline void connecting_answered_504(struct tale *t)
{
	tale_connect(t);
	tale_wait(t, 300 * MS);
	tale_close(t);
	tale_client_left(t, MS);
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 504);
}

static inline void syn_repeated(struct tale *t)
{
	tale_connect(t);
	tale_wait(t, 60 * S);
	tale_close(t);
	ngx_conn(t)->retransmits = 5;
	t->pair.nginx.clients.known = 0;
}

static inline void kernel_gives_up_connecting(struct tale *t)
{
	tale_connect(t);
	tale_wait(t, 130 * S);
	tale_abort(t, ETIMEDOUT);
}

static inline void connecting_in_quiet(struct tale *t)
{
	tale_connect(t);
	tale_wait(t, 500 * MS);
	tale_close(t);
}

static inline void connecting_clients_unseen(struct tale *t)
{
	tale_connect(t);
	tale_wait(t, 500 * MS);
	tale_close(t);
	t->pair.nginx.clients.known = 0;
}

static inline void no_local_port(struct tale *t)
{
	tale_connect(t);
	tale_abort(t, 0);
}

static inline void strange_error_connecting(struct tale *t)
{
	tale_connect(t);
	tale_abort(t, ENOBUFS);
}

/* --- nothing was going on ------------------------------------------------------------ */

static inline void adopted_idle(struct tale *t)
{
	tale_begin(t);
	tale_adopt(t, UC_CONN_REUSED);
	tale_wait(t, 5 * S);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void upgraded(struct tale *t)
{
	tale_begin(t);
	tale_write(t, GET);
	tale_arrive(t);
	tale_read_all(t);
	tale_answer(t,
		    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello");
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void idle_closed_by_upstream(struct tale *t)
{
	begin_reused(t);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void idle_closed_by_nginx(struct tale *t)
{
	begin_reused(t);
	tale_close(t);
}

static inline void idle_and_upstream_killed(struct tale *t)
{
	begin_reused(t);
	tale_peer_close(t, UC_TASK_EXITING, SIGNAL(9));
	end_by_fin(t);
}

static inline void complete_not_kept(struct tale *t)
{
	tale_begin(t);
	tale_write(t, "GET / HTTP/1.0\r\nConnection: close\r\n\r\n");
	tale_arrive(t);
	tale_read_all(t);
	tale_answer(t, OK);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void complete_until_close(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.0 200 OK\r\n\r\nbody");
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void complete_head(struct tale *t)
{
	tale_begin(t);
	tale_write(t, "HEAD / HTTP/1.1\r\nHost: u\r\n\r\n");
	tale_arrive(t);
	tale_read_all(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	end_by_fin(t);
}

/* nginx's ClientHello is out; the handshake is exchange 0. */
static inline void tls_hello(struct tale *t)
{
	tale_begin(t);
	ngx_conn(t)->flags |= UC_CONN_TLS;
	tale_write_bytes(t, "\x16\x03\x01\x02\x00\x01", 6, 517);
	ngx_conn(t)->x.number = 0;
	tale_arrive(t);
	tale_read_all(t);
}

static inline void tls_handshake(struct tale *t)
{
	tls_hello(t);
	tale_answer_bytes(t, "\x16\x03\x03\x00\x7a\x02", 6, 4000);
}

static inline void tls_request(struct tale *t)
{
	tls_handshake(t);
	tale_write_bytes(t, "\x14\x03\x03\x00\x01\x01\x17\x03\x03", 9, 400);
	tale_arrive(t);
	tale_read_all(t);
	tale_wait(t, MS);
}

static inline void encrypted_and_answered(struct tale *t)
{
	tls_request(t);
	tale_answer_bytes(t, "\x17\x03\x03\x00\x7a\x02", 6, 4000);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

/* Tickets and a close_notify are bytes, too; nginx answered its client with a 502. */
static inline void encrypted_alert_and_502(struct tale *t)
{
	encrypted_and_answered(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 502);
}

static inline void encrypted_alert_of_remote(struct tale *t)
{
	encrypted_and_answered(t);
	t->pair.has_upstream = false;
	tale_followup(t, UC_FOLLOWUP_RETRIED, false, 0);
}

static inline void encrypted_and_destroyed(struct tale *t)
{
	tls_request(t);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

/* nginx's timer fired in the middle of what cannot be read; its client gets the header that had waited for more. */
static inline void encrypted_and_stalled(struct tale *t)
{
	tls_request(t);
	tale_answer_bytes(t, "\x17\x03\x03\x00\x7a\x02", 6, 400);
	tale_wait(t, 400 * MS);
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 200);
}

/* Out of nginx's pool by its keepalive_timeout; a client's connection was closed by the same timer. */
static inline void encrypted_and_idle(struct tale *t)
{
	tls_request(t);
	tale_answer_bytes(t, "\x17\x03\x03\x00\x7a\x02", 6, 400);
	tale_wait(t, 60 * S);
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_CLOSED, false, 0);
}

/* Its FIN answers nginx's close_notify. */
static inline void encrypted_timeout_answered_by_fin(struct tale *t)
{
	tls_request(t);
	tale_wait(t, 400 * MS);
	tale_peer_close(t, 0, 0);
	tale_fin(t);
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_RETRIED, false, 0);
}

/* The same in the middle of a response. */
static inline void encrypted_stall_answered_by_fin(struct tale *t)
{
	uint64_t used;

	tls_request(t);
	tale_answer_bytes(t, "\x17\x03\x03\x00\x7a\x02", 6, 400);
	used = ngx_conn(t)->activity_ns;
	tale_wait(t, 400 * MS);
	tale_write_more(t, 24);
	ngx_conn(t)->activity_ns = used;
	tale_peer_close(t, 0, 0);
	tale_fin(t);
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 200);
}

/* The FIN comes as nginx's timer fires. */
static inline void timeout_met_by_fin(struct tale *t)
{
	request_in_hand(t);
	tale_peer_close(t, 0, 0);
	tale_fin(t);
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 504);
}

/* The same, but nginx has read the end, and an error_page says 504 of it. */
static inline void end_read_and_504(struct tale *t)
{
	request_in_hand(t);
	tale_peer_close(t, 0, 0);
	tale_fin(t);
	ngx_event(t, UC_EV_EOF, 0, 0);
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 504);
}

static inline void handshake_refused(struct tale *t)
{
	tls_hello(t);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void handshake_broken_off(struct tale *t)
{
	tls_handshake(t);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void killed_within_handshake(struct tale *t)
{
	tls_handshake(t);
	tale_peer_close(t, UC_TASK_EXITING, SIGNAL(9));
	end_by_fin(t);
}

static inline void tls_to_plain_port(struct tale *t)
{
	tls_hello(t);
	tale_answer(t, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	tale_close(t);
}

static inline void other_protocol_answered(struct tale *t)
{
	tale_begin(t);
	tale_write_bytes(t, "\x01\x01\x00\x01\x00\x08\x00\x00", 8, 600); /* FastCGI */
	tale_arrive(t);
	tale_read_all(t);
	tale_answer_bytes(t, "\x01\x06\x00\x01\x00\x20\x00\x00", 8, 100);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void other_protocol_unanswered(struct tale *t)
{
	tale_begin(t);
	tale_write_bytes(t, "\x01\x01\x00\x01\x00\x08\x00\x00", 8, 600);
	tale_arrive(t);
	tale_read_all(t);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void long_header(struct tale *t, const char *start)
{
	char head[UC_RESPONSE_HEAD];

	memset(head, 'x', sizeof(head));
	memcpy(head, start, strlen(start));
	request_in_hand(t);
	tale_answer_bytes(t, head, sizeof(head), 20000);
}

/* A complete response would have put the connection into nginx's idle pool. */
static inline void long_header_closed(struct tale *t)
{
	long_header(t, "HTTP/1.1 200 OK\r\nX-Long: ");
	end_by_fin(t);
}

static inline void long_header_not_kept(struct tale *t)
{
	long_header(t, "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Long: ");
	end_by_fin(t);
}

static inline void long_header_closed_in_pool(struct tale *t)
{
	long_header(t, "HTTP/1.1 200 OK\r\nX-Long: ");
	tale_wait(t, 5 * S);
	tale_fin(t);
	ngx_event(t, UC_EV_PEEK, 0, 0);
	tale_close(t);
}

static inline void closed_in_pool(struct tale *t)
{
	begin_reused(t);
	tale_peer_close(t, 0, 0);
	tale_fin(t);
	ngx_event(t, UC_EV_PEEK, 0, 0);
	tale_close(t);
}

/* That nginx looked at it in its pool once says nothing on a later exchange. */
static inline void destroyed_pooled_before(struct tale *t)
{
	begin_reused(t);
	ngx_event(t, UC_EV_PEEK, 0, 0);
	tale_write(t, GET);
	tale_arrive(t);
	tale_read_all(t);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

/* --- the upstream's process ended ------------------------------------------------------- */

static inline void killed_for_memory(struct tale *t)
{
	request_in_hand(t);
	tale_peer_close(t, UC_TASK_EXITING | UC_TASK_OOM | UC_TASK_GROUP_EXIT, SIGNAL(9));
	end_by_fin(t);
}

static inline void killed(struct tale *t)
{
	request_in_hand(t);
	tale_peer_close(t, UC_TASK_EXITING | UC_TASK_GROUP_EXIT, SIGNAL(9));
	end_by_fin(t);
}

static inline void dumped_core(struct tale *t)
{
	request_in_hand(t);
	tale_peer_close(t, UC_TASK_EXITING | UC_TASK_GROUP_EXIT, SIGNAL(11) | 0x80);
	end_by_fin(t);
}

static inline void uncaught(struct tale *t)
{
	request_in_hand(t);
	tale_peer_close(t, UC_TASK_EXITING, EXIT(1));
	end_by_fin(t);
}

static inline void exit_zero(struct tale *t)
{
	request_in_hand(t);
	tale_peer_close(t, UC_TASK_EXITING, 0);
	end_by_fin(t);
}

static inline void killed_within_header(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nContent-Le");
	tale_peer_close(t, UC_TASK_EXITING, SIGNAL(15));
	end_by_fin(t);
}

static inline void killed_within_body(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	tale_peer_close(t, UC_TASK_EXITING, SIGNAL(9));
	end_by_fin(t);
}

static inline void killed_request_unread(struct tale *t)
{
	begin_reused(t);
	tale_write(t, GET);
	tale_arrive(t);
	tale_peer_close(t, UC_TASK_EXITING, SIGNAL(9));
	end_by_rst(t);
}

/* The last reference of a socket may be dropped by a worker of the kernel: nobody's death. */
static inline void closed_by_kernel_thread(struct tale *t)
{
	request_in_hand(t);
	tale_peer_close(t, UC_TASK_KTHREAD | UC_TASK_EXITING, 0);
	end_by_fin(t);
}

/* nginx gave up before; that the process ended afterwards is no cause. */
static inline void killed_after_nginx_closed(struct tale *t)
{
	request_in_hand(t);
	tale_wait(t, 60 * S);
	tale_close(t);
	tale_peer_close(t, UC_TASK_EXITING, SIGNAL(9));
}

/* --- nginx closed ----------------------------------------------------------------------- */

static inline void nginx_ends(struct tale *t)
{
	request_in_hand(t);
	tale_close(t);
	ngx_conn(t)->closer.flags = UC_TASK_EXITING;
	tale_client_left(t, MS);
}

static inline void some_client_leaves(struct tale *t)
{
	request_in_hand(t);
	tale_close(t);
	tale_client_left(t, 5 * MS);
}

static inline void client_leaves(struct tale *t)
{
	some_client_leaves(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_CLOSED, true, 0);
}

/* The worker's other clients come and go; this request's own got a 504. */
static inline void timeout_as_another_leaves(struct tale *t)
{
	request_in_hand(t);
	tale_wait(t, 300 * MS);
	tale_close(t);
	tale_client_left(t, 5 * MS);
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 504);
}

static inline void timeout_tried_again(struct tale *t)
{
	request_in_hand(t);
	tale_wait(t, 300 * MS);
	tale_close(t);
	tale_client_left(t, 5 * MS);
	tale_followup(t, UC_FOLLOWUP_RETRIED, false, 0);
}

static inline void header_answered_502(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nX-Long: ");
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 502);
}

static inline void whole_response_answered_502(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 502);
	ngx_conn(t)->flags |= UC_CONN_AT_ONCE;
}

/* An idle connection that nginx put out of its pool, and then a client got another request's 502. */
static inline void evicted_before_a_502(struct tale *t)
{
	whole_response_answered_502(t);
	ngx_conn(t)->flags &= ~UC_CONN_AT_ONCE;
}

static inline void upstreams_own_502(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno");
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 502);
}

/* All of it had arrived, with the FIN; nginx stopped reading when it could not write to its client. */
static inline void client_leaves_most_unread(struct tale *t)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n";

	request_in_hand(t);
	tale_answer_bytes(t, head, strlen(head), 4096);
	t->up.write_seq += strlen(head) + 9000 - 4096;
	t->ngx.rcv_nxt = t->up.write_seq;
	tale_peer_close(t, 0, 0);
	tale_fin(t);
	tale_close(t);
	tale_client_left(t, MS);
}

/* nginx read a page of the header and would not have more; the upstream had sent all of it, and closed. */
static inline void header_too_big_all_sent(struct tale *t)
{
	char head[4000];

	memset(head, 'h', sizeof(head));
	memcpy(head, "HTTP/1.1 200 OK\r\nX: ", 20);
	request_in_hand(t);
	tale_answer_bytes(t, head, sizeof(head), 4096);
	t->up.write_seq += 5000;
	t->ngx.rcv_nxt = t->up.write_seq;
	tale_peer_close(t, 0, 0);
	tale_fin(t);
	tale_close(t);
	ngx_conn(t)->flags |= UC_CONN_AT_ONCE;
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 502);
}

/* All of it was read, and the FIN behind it was not; nginx would not have its header. */
static inline void whole_response_and_fin_answered_502(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, OK);
	tale_peer_close(t, 0, 0);
	tale_fin(t);
	tale_close(t);
	ngx_conn(t)->flags |= UC_CONN_AT_ONCE;
	tale_followup(t, UC_FOLLOWUP_CLIENT_SENT, false, 502);
}

static inline void client_leaves_within_body(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	tale_close(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_CLOSED, true, 0);
}

static inline void client_left_long_ago(struct tale *t)
{
	request_in_hand(t);
	tale_wait(t, 59700 * MS);
	tale_close(t);
	tale_client_left(t, 2 * S);
}

static inline void client_left_afterwards(struct tale *t)
{
	request_in_hand(t);
	tale_close(t);
	t->pair.nginx.clients.gone = 1;
	t->pair.nginx.clients.last_gone_ns = ngx_conn(t)->end.ts_ns + MS;
}

static inline void opened_for_nothing(struct tale *t)
{
	tale_begin(t);
	tale_wait(t, 10 * MS);
	tale_close(t);
}

static inline void header_not_accepted(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nBad\x01Header: 1\r\n");
	tale_wait(t, MS);
	tale_close(t);
}

static inline void no_header_not_accepted(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "SSH-2.0-OpenSSH_9.2\r\n");
	tale_wait(t, MS);
	tale_close(t);
}

/* nginx closed its client's connection next. */
static inline void chunks_not_accepted(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n");
	tale_wait(t, US);
	tale_close(t);
	ngx_conn(t)->flags |= UC_CONN_AT_ONCE;
	tale_followup(t, UC_FOLLOWUP_CLIENT_CLOSED, false, 0);
}

static inline void not_http_passed_on(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "SSH-2.0-OpenSSH_9.2\r\n");
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
	tale_followup(t, UC_FOLLOWUP_CLIENT_CLOSED, false, 0);
}

static inline void body_not_accepted(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell");
	tale_wait(t, MS);
	tale_close(t);
}

static inline void upload_stuck(struct tale *t, uint64_t waited)
{
	tale_begin(t);
	tale_write_bytes(t, POST_1000, strlen(POST_1000), 600);
	tale_wait(t, waited);
	tale_close(t);
}

static inline void upload_stuck_half_a_second(struct tale *t)
{
	upload_stuck(t, 500 * MS);
}

static inline void upload_stuck_clients_unseen(struct tale *t)
{
	upload_stuck(t, 60 * S + MS);
	t->pair.nginx.clients.known = 0;
}

static inline void upload_stuck_without_rhythm(struct tale *t)
{
	upload_stuck(t, 60 * S + 400 * MS);
	t->pair.nginx.clients.known = 0;
}

static inline void never_answered(struct tale *t, uint64_t waited)
{
	tale_begin(t);
	tale_write(t, GET);
	tale_arrive(t);
	tale_wait(t, waited);
	tale_close(t);
}

static inline void never_answered_half_a_second(struct tale *t)
{
	never_answered(t, 500 * MS);
}

static inline void never_answered_clients_unseen(struct tale *t)
{
	never_answered(t, 60 * S + 2 * MS);
	t->pair.nginx.clients.known = 0;
}

static inline void never_answered_without_rhythm(struct tale *t)
{
	never_answered(t, 7 * S + 400 * MS);
	t->pair.nginx.clients.known = 0;
}

static inline void never_answered_client_active(struct tale *t)
{
	never_answered(t, 7 * S + 400 * MS);
	t->pair.nginx.clients.last_recv_ns = ngx_conn(t)->end.ts_ns - MS;
}

static inline void closed_at_once(struct tale *t)
{
	never_answered(t, 10 * MS);
}

static inline void stalled_within_body(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	tale_wait(t, 500 * MS);
	tale_close(t);
}

static inline void stalled_within_header(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\n");
	tale_wait(t, 500 * MS);
	tale_close(t);
}

/* --- the upstream closed within an exchange ------------------------------------------------ */

static inline void body_cut(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void body_cut_by_reset(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	tale_remote(t);
	end_by_rst(t);
}

static inline void chunk_cut(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void reset_until_close(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.0 200 OK\r\n\r\nbody");
	tale_remote(t);
	end_by_rst(t);
}

static inline void header_cut(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\nContent-Le");
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void header_cut_by_reset(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 200 OK\r\n");
	tale_remote(t);
	end_by_rst(t);
}

static inline void interim_only(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void plain_to_tls_port(struct tale *t)
{
	request_in_hand(t);
	tale_answer_bytes(t, "\x15\x03\x01\x00\x02\x02\x16", 7, 7);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void not_http(struct tale *t)
{
	request_in_hand(t);
	tale_answer(t, "SSH-2.0-OpenSSH_9.2\r\n");
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void unseen_request(struct tale *t)
{
	tale_begin(t);
	tale_adopt(t, UC_CONN_WAITING | UC_CONN_REUSED);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

/* Its first response bytes were not seen, so there is no telling what was cut. */
static inline void unseen_response(struct tale *t)
{
	tale_begin(t);
	tale_adopt(t, UC_CONN_REUSED);
	tale_answer(t, "more");
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

/* The FIN is there, nginx has not looked. */
static inline void written_after_fin(struct tale *t)
{
	tale_peer_close(t, 0, 0);
	tale_fin(t);
	tale_write(t, GET);
	tale_wait(t, RTT_NS);
	ngx_event(t, UC_EV_RST, 0, 0);
	tale_close(t);
}

static inline void race_after_fin(struct tale *t)
{
	begin_reused(t);
	written_after_fin(t);
}

static inline void race_after_fin_remote(struct tale *t)
{
	begin_reused(t);
	written_after_fin(t);
	tale_remote(t);
}

static inline void race_after_fin_far_lost(struct tale *t)
{
	begin_reused(t);
	written_after_fin(t);
	tale_lose_peer(t);
}

static inline void fresh_after_fin(struct tale *t)
{
	tale_begin(t);
	written_after_fin(t);
}

/* FIN and request cross. */
static inline void crossed(struct tale *t)
{
	tale_peer_close(t, 0, 0);
	tale_write(t, GET);
	end_by_fin(t);
}

static inline void race_crossed(struct tale *t)
{
	begin_reused(t);
	crossed(t);
}

static inline void race_crossed_remote(struct tale *t)
{
	begin_reused(t);
	crossed(t);
	tale_remote(t);
}

static inline void race_crossed_far_lost(struct tale *t)
{
	begin_reused(t);
	crossed(t);
	tale_lose_peer(t);
}

/* nginx was half-way through writing a large request when the FIN came. */
static inline void race_crossed_half_written(struct tale *t)
{
	begin_reused(t);
	tale_remote(t);
	tale_write_bytes(t, POST_1000, strlen(POST_1000), 600);
	tale_fin(t);
	tale_write_more(t, strlen(POST_1000) + 1000 - 600);
	tale_wait(t, RTT_NS);
	tale_close(t);
}

static inline void fresh_crossed(struct tale *t)
{
	tale_begin(t);
	crossed(t);
}

/* Closed with a reset of its own will (SO_LINGER 0) before the request was there. */
static inline void race_crossed_reset(struct tale *t)
{
	begin_reused(t);
	tale_peer_close(t, 0, 0);
	tale_write(t, GET);
	end_by_rst(t);
}

static inline void unread(struct tale *t)
{
	tale_write(t, GET);
	tale_arrive(t);
	tale_peer_close(t, 0, 0);
	end_by_rst(t);
}

static inline void race_unread(struct tale *t)
{
	begin_reused(t);
	unread(t);
}

static inline void fresh_unread(struct tale *t)
{
	tale_begin(t);
	unread(t);
}

/* Nobody accepted it: the listener was closed with it waiting, by its process or by that process's end. */
static inline void unaccepted(struct tale *t, uint32_t task_flags, int exit_code)
{
	tale_begin(t);
	tale_write(t, GET);
	tale_arrive(t);
	tale_peer_close(t, task_flags, exit_code);
	up_conn(t)->flags |= UC_CONN_UNACCEPTED;
	memset(&up_conn(t)->owner, 0, sizeof(up_conn(t)->owner));
	memset(&t->pair.nginx.peer, 0, sizeof(t->pair.nginx.peer));
	end_by_rst(t);
}

static inline void killed_unaccepted(struct tale *t)
{
	unaccepted(t, UC_TASK_EXITING | UC_TASK_GROUP_EXIT, SIGNAL(9));
}

static inline void exited_unaccepted(struct tale *t)
{
	unaccepted(t, UC_TASK_EXITING | UC_TASK_GROUP_EXIT, EXIT(1));
}

static inline void listener_closed_unaccepted(struct tale *t)
{
	unaccepted(t, 0, 0);
}

static inline void upload_rejected(struct tale *t)
{
	tale_begin(t);
	tale_write_bytes(t, POST_1000, strlen(POST_1000), strlen(POST_1000) + 1000);
	tale_arrive(t);
	tale_read(t, 200);
	tale_peer_close(t, 0, 0);
	end_by_rst(t);
}

static inline void upload_rejected_reused(struct tale *t)
{
	begin_reused(t);
	tale_write_bytes(t, POST_1000, strlen(POST_1000), strlen(POST_1000) + 1000);
	tale_arrive(t);
	tale_read(t, 200);
	tale_peer_close(t, 0, 0);
	end_by_rst(t);
}

/* All that had come was read, and more was to come. */
static inline void upload_cut(struct tale *t)
{
	tale_begin(t);
	tale_write_bytes(t, POST_1000, strlen(POST_1000), 600);
	tale_arrive(t);
	tale_read_all(t);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void destroyed(struct tale *t)
{
	request_in_hand(t);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void destroyed_reused(struct tale *t)
{
	begin_reused(t);
	tale_write(t, GET);
	tale_arrive(t);
	tale_read_all(t);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void destroyed_by_reset(struct tale *t)
{
	request_in_hand(t);
	tale_peer_close(t, 0, 0);
	end_by_rst(t);
}

/* FIN and 0 < unacked < len, by nginx's side alone. */
static inline void upload_part_unacked(struct tale *t)
{
	tale_begin(t);
	tale_remote(t);
	tale_write_bytes(t, POST_1000, strlen(POST_1000), strlen(POST_1000) + 1000);
	tale_arrive_only(t, 400);
	end_by_fin(t);
}

/* The same, where what was written by the FIN was acknowledged, and the rest followed it. */
static inline void upload_rest_after_fin(struct tale *t)
{
	tale_begin(t);
	tale_remote(t);
	tale_write_bytes(t, POST_1000, strlen(POST_1000), 600);
	tale_arrive(t);
	tale_fin(t);
	tale_write_more(t, strlen(POST_1000) + 1000 - 600);
	tale_wait(t, RTT_NS);
	tale_close(t);
}

static inline void acked_then_fin(struct tale *t)
{
	request_in_hand(t);
	tale_remote(t);
	end_by_fin(t);
}

static inline void acked_then_fin_reused(struct tale *t)
{
	begin_reused(t);
	tale_write(t, GET);
	tale_arrive(t);
	tale_remote(t);
	end_by_fin(t);
}

static inline void acked_then_fin_far_lost(struct tale *t)
{
	request_in_hand(t);
	tale_lose_peer(t);
	end_by_fin(t);
}

static inline void reset_acked(struct tale *t)
{
	request_in_hand(t);
	tale_remote(t);
	end_by_rst(t);
}

static inline void reset_unacked(struct tale *t)
{
	begin_reused(t);
	tale_write(t, GET);
	tale_remote(t);
	end_by_rst(t);
}

static inline void reset_unacked_far_lost(struct tale *t)
{
	begin_reused(t);
	tale_write(t, GET);
	tale_lose_peer(t);
	end_by_rst(t);
}

static inline void closed_unasked(struct tale *t)
{
	tale_begin(t);
	tale_wait(t, MS);
	tale_remote(t);
	end_by_fin(t);
}

static inline void closed_by_code_unasked(struct tale *t)
{
	tale_begin(t);
	tale_wait(t, MS);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void killed_unasked(struct tale *t)
{
	tale_begin(t);
	tale_wait(t, MS);
	tale_peer_close(t, UC_TASK_EXITING | UC_TASK_GROUP_EXIT, SIGNAL(9));
	end_by_rst(t);
}

/* Its end is on this host, and an error ended it, not its process. */
static inline void reset_both(struct tale *t)
{
	tale_begin(t);
	tale_write(t, GET);
	tale_arrive(t);
	tale_read_all(t);
	up_conn(t)->end = snap_of(t, &t->up, ECONNABORTED);
	up_event(t, UC_EV_ABORT, 0, ECONNABORTED);
	end_by_rst(t);
}

/* More than 2 GiB were sent: half of the sequence space cannot tell before from after. */
static inline void huge_upload_then_fin(struct tale *t)
{
	static const char post[] =
		"POST /a HTTP/1.1\r\nHost: u\r\nContent-Length: 3000000000\r\n\r\n";

	begin_reused(t);
	tale_write_bytes(t, post, strlen(post), strlen(post) + 3000000000u);
	tale_arrive(t);
	tale_read_all(t);
	tale_peer_close(t, 0, 0);
	end_by_fin(t);
}

static inline void huge_upload_then_fin_remote(struct tale *t)
{
	huge_upload_then_fin(t);
	tale_remote(t);
}

/* --- none of them ------------------------------------------------------------------------- */

/* Its own retransmissions got no answer: neither end closed. */
static inline void nobody_answers(struct tale *t)
{
	request_in_hand(t);
	tale_remote(t);
	tale_wait(t, 900 * S);
	tale_abort(t, ETIMEDOUT);
}

static inline void nobody_answers_adopted(struct tale *t)
{
	tale_begin(t);
	tale_adopt(t, UC_CONN_WAITING);
	tale_remote(t);
	tale_wait(t, 900 * S);
	tale_abort(t, ETIMEDOUT);
}

#define V(name) UC_VERDICT_##name
#define P(name) UC_PROOF_##name
#define C(name) UC_CONFIDENCE_##name

static const struct told {
	const char *name;
	void (*tell)(struct tale *t);
	enum uc_verdict_id id;
	enum uc_proof proof;
	enum uc_confidence confidence;
} tales[] = {
#define ROW(tell, id, proof, confidence)                    \
	{                                                   \
#tell, tell, V(id), P(proof), C(confidence) \
	}
	ROW(refused_by_error, CONNECT_FAILED, REFUSED, PROVEN),
	ROW(refused_by_reset, CONNECT_FAILED, REFUSED, PROVEN),
	ROW(no_route, CONNECT_FAILED, UNREACHABLE, PROVEN),
	ROW(no_network, CONNECT_FAILED, UNREACHABLE, PROVEN),
	ROW(firewall_refuses, CONNECT_FAILED, UNREACHABLE, PROVEN),
	ROW(nginx_ends_connecting, WORKER_EXITED, NGINX_EXITED, PROVEN),
	ROW(client_leaves_connecting, CLIENT_GONE, CLIENT_CLOSED, PROVEN),
	ROW(syn_repeated, CONNECT_FAILED, TIMEOUT, LIKELY),
	ROW(connecting_answered_504, CONNECT_FAILED, TIMEOUT, PROVEN),
	ROW(kernel_gives_up_connecting, CONNECT_FAILED, TIMEOUT, PROVEN),
	ROW(connecting_in_quiet, UNKNOWN, NONE, UNKNOWN),
	ROW(connecting_clients_unseen, UNKNOWN, NONE, UNKNOWN),
	ROW(no_local_port, CONNECT_FAILED, LOCAL, LIKELY),
	ROW(strange_error_connecting, UNKNOWN, NONE, UNKNOWN),

	ROW(adopted_idle, IDLE_CLOSE, UNSEEN_START, LIKELY),
	ROW(upgraded, COMPLETE, RESPONSE_COMPLETE, PROVEN),
	ROW(idle_closed_by_upstream, IDLE_CLOSE, IDLE, PROVEN),
	ROW(idle_closed_by_nginx, IDLE_CLOSE, IDLE, PROVEN),
	ROW(idle_and_upstream_killed, IDLE_CLOSE, IDLE, PROVEN),
	ROW(complete_not_kept, COMPLETE, RESPONSE_COMPLETE, PROVEN),
	ROW(complete_until_close, COMPLETE, RESPONSE_COMPLETE, PROVEN),
	ROW(complete_head, IDLE_CLOSE, IDLE, PROVEN),
	ROW(encrypted_and_answered, COMPLETE, OPAQUE, LIKELY),
	ROW(encrypted_alert_and_502, UPSTREAM_CLOSED, DELIBERATE_CLOSE, LIKELY),
	ROW(encrypted_alert_of_remote, UPSTREAM_CLOSED, OPAQUE, LIKELY),
	ROW(encrypted_and_stalled, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY),
	ROW(encrypted_and_idle, COMPLETE, OPAQUE, LIKELY),
	ROW(encrypted_timeout_answered_by_fin, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY),
	ROW(encrypted_stall_answered_by_fin, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY),
	ROW(timeout_met_by_fin, NGINX_TIMEOUT, READ_TIMEOUT, PROVEN),
	ROW(end_read_and_504, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),
	ROW(encrypted_and_destroyed, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),
	ROW(handshake_refused, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),
	ROW(handshake_broken_off, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),
	ROW(killed_within_handshake, UPSTREAM_DIED, SIGNAL, PROVEN),
	ROW(tls_to_plain_port, PROTOCOL_MISMATCH, FIRST_BYTES, PROVEN),
	ROW(other_protocol_answered, COMPLETE, OPAQUE, LIKELY),
	ROW(other_protocol_unanswered, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),
	ROW(long_header_closed, UNKNOWN, LOSSY, UNKNOWN),
	ROW(long_header_not_kept, COMPLETE, RESPONSE_COMPLETE, LIKELY),
	ROW(long_header_closed_in_pool, IDLE_CLOSE, IDLE, PROVEN),
	ROW(closed_in_pool, IDLE_CLOSE, IDLE, PROVEN),
	ROW(destroyed_pooled_before, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),

	ROW(killed_for_memory, UPSTREAM_DIED, OOM, PROVEN),
	ROW(killed, UPSTREAM_DIED, SIGNAL, PROVEN),
	ROW(dumped_core, UPSTREAM_DIED, SIGNAL, PROVEN),
	ROW(uncaught, UPSTREAM_DIED, EXIT_CODE, PROVEN),
	ROW(exit_zero, UPSTREAM_DIED, EXIT_CODE, PROVEN),
	ROW(killed_within_header, UPSTREAM_DIED, SIGNAL, PROVEN),
	ROW(killed_within_body, UPSTREAM_DIED, SIGNAL, PROVEN),
	ROW(killed_request_unread, UPSTREAM_DIED, SIGNAL, PROVEN),
	ROW(killed_unasked, UPSTREAM_DIED, SIGNAL, PROVEN),
	ROW(killed_unaccepted, UPSTREAM_DIED, SIGNAL, PROVEN),
	ROW(exited_unaccepted, UPSTREAM_DIED, EXIT_CODE, PROVEN),
	ROW(closed_by_kernel_thread, UPSTREAM_CLOSED, REQUEST_ACKED, LIKELY),
	ROW(killed_after_nginx_closed, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY),

	ROW(nginx_ends, WORKER_EXITED, NGINX_EXITED, PROVEN),
	ROW(client_leaves, CLIENT_GONE, CLIENT_CLOSED, PROVEN),
	ROW(client_leaves_within_body, CLIENT_GONE, CLIENT_CLOSED, PROVEN),
	ROW(client_leaves_most_unread, CLIENT_GONE, CLIENT_CLOSED, LIKELY),
	ROW(whole_response_and_fin_answered_502, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, LIKELY),
	ROW(header_too_big_all_sent, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, LIKELY),
	ROW(some_client_leaves, CLIENT_GONE, CLIENT_CLOSED, LIKELY),
	ROW(timeout_as_another_leaves, NGINX_TIMEOUT, READ_TIMEOUT, PROVEN),
	ROW(timeout_tried_again, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY),
	ROW(header_answered_502, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, PROVEN),
	ROW(whole_response_answered_502, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, LIKELY),
	ROW(evicted_before_a_502, IDLE_CLOSE, IDLE, PROVEN),
	ROW(upstreams_own_502, IDLE_CLOSE, IDLE, PROVEN),
	ROW(client_left_long_ago, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY),
	ROW(client_left_afterwards, UNKNOWN, NGINX_CLOSED, UNKNOWN),
	ROW(opened_for_nothing, CLIENT_GONE, CLIENT_CLOSED, LIKELY),
	ROW(header_not_accepted, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, LIKELY),
	ROW(no_header_not_accepted, PROTOCOL_MISMATCH, FIRST_BYTES, LIKELY),
	ROW(chunks_not_accepted, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, PROVEN),
	ROW(not_http_passed_on, PROTOCOL_MISMATCH, FIRST_BYTES, LIKELY),
	ROW(body_not_accepted, UNKNOWN, NGINX_CLOSED, UNKNOWN),
	ROW(upload_stuck_half_a_second, NGINX_TIMEOUT, SEND_TIMEOUT, LIKELY),
	ROW(upload_stuck_clients_unseen, NGINX_TIMEOUT, SEND_TIMEOUT, LIKELY),
	ROW(upload_stuck_without_rhythm, UNKNOWN, NGINX_CLOSED, UNKNOWN),
	ROW(never_answered_half_a_second, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY),
	ROW(never_answered_clients_unseen, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY),
	ROW(never_answered_without_rhythm, UNKNOWN, NGINX_CLOSED, UNKNOWN),
	ROW(never_answered_client_active, UNKNOWN, NGINX_CLOSED, UNKNOWN),
	ROW(closed_at_once, UNKNOWN, NGINX_CLOSED, UNKNOWN),
	ROW(stalled_within_body, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY),
	ROW(stalled_within_header, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY),

	ROW(body_cut, BODY_TRUNCATED, CONTENT_LENGTH, PROVEN),
	ROW(body_cut_by_reset, BODY_TRUNCATED, CONTENT_LENGTH, PROVEN),
	ROW(chunk_cut, BODY_TRUNCATED, CHUNKED, PROVEN),
	ROW(reset_until_close, BODY_TRUNCATED, RST, PROVEN),
	ROW(header_cut, PARTIAL_HEADER, HEADER_CUT, PROVEN),
	ROW(header_cut_by_reset, PARTIAL_HEADER, HEADER_CUT, PROVEN),
	ROW(interim_only, PARTIAL_HEADER, HEADER_CUT, PROVEN),
	ROW(plain_to_tls_port, PROTOCOL_MISMATCH, FIRST_BYTES, PROVEN),
	ROW(not_http, PROTOCOL_MISMATCH, FIRST_BYTES, LIKELY),
	ROW(unseen_request, UPSTREAM_CLOSED, UNSEEN_START, LIKELY),
	ROW(unseen_response, UNKNOWN, UNSEEN_START, UNKNOWN),
	ROW(race_after_fin, KEEPALIVE_RACE, SENT_AFTER_FIN, PROVEN),
	ROW(race_after_fin_remote, KEEPALIVE_RACE, SENT_AFTER_FIN, PROVEN),
	ROW(race_after_fin_far_lost, KEEPALIVE_RACE, SENT_AFTER_FIN, LIKELY),
	ROW(race_crossed, KEEPALIVE_RACE, REQUEST_UNACKED, PROVEN),
	ROW(race_crossed_remote, KEEPALIVE_RACE, REQUEST_UNACKED, PROVEN),
	ROW(race_crossed_far_lost, KEEPALIVE_RACE, REQUEST_UNACKED, LIKELY),
	ROW(race_crossed_half_written, KEEPALIVE_RACE, REQUEST_UNACKED, PROVEN),
	ROW(race_crossed_reset, KEEPALIVE_RACE, REQUEST_UNACKED, PROVEN),
	ROW(race_unread, KEEPALIVE_RACE, REQUEST_UNREAD, PROVEN),
	ROW(upload_rejected, REQUEST_REJECTED, BODY_UNREAD, PROVEN),
	ROW(upload_rejected_reused, REQUEST_REJECTED, BODY_UNREAD, PROVEN),
	ROW(upload_cut, REQUEST_REJECTED, BODY_UNREAD, PROVEN),
	ROW(fresh_after_fin, UPSTREAM_CLOSED, SENT_AFTER_FIN, PROVEN),
	ROW(fresh_crossed, UPSTREAM_CLOSED, REQUEST_UNACKED, PROVEN),
	ROW(fresh_unread, UPSTREAM_CLOSED, REQUEST_UNREAD, PROVEN),
	ROW(listener_closed_unaccepted, UPSTREAM_CLOSED, REQUEST_UNREAD, PROVEN),
	ROW(destroyed, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),
	ROW(destroyed_reused, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),
	ROW(destroyed_by_reset, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),
	ROW(upload_part_unacked, REQUEST_REJECTED, BODY_UNACKED, LIKELY),
	ROW(upload_rest_after_fin, REQUEST_REJECTED, BODY_UNACKED, LIKELY),
	ROW(acked_then_fin, UPSTREAM_CLOSED, REQUEST_ACKED, LIKELY),
	ROW(acked_then_fin_reused, UPSTREAM_CLOSED, REQUEST_ACKED, LIKELY),
	ROW(acked_then_fin_far_lost, UPSTREAM_CLOSED, REQUEST_ACKED, LIKELY),
	ROW(reset_acked, UPSTREAM_RESET, RST, PROVEN),
	ROW(reset_unacked, UPSTREAM_RESET, RST, PROVEN),
	ROW(reset_unacked_far_lost, UPSTREAM_RESET, RST, LIKELY),
	ROW(reset_both, UPSTREAM_RESET, RST, PROVEN),
	ROW(closed_unasked, UPSTREAM_CLOSED, NONE, LIKELY),
	ROW(closed_by_code_unasked, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),
	ROW(huge_upload_then_fin, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN),
	ROW(huge_upload_then_fin_remote, UPSTREAM_CLOSED, REQUEST_ACKED, LIKELY),

	ROW(nobody_answers, UNKNOWN, NONE, UNKNOWN),
	ROW(nobody_answers_adopted, UNKNOWN, UNSEEN_START, UNKNOWN),
#undef ROW
};

#endif
