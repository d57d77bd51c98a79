/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records as the kernel side would make them, of a connection between nginx and an
 * upstream that is played in steps: words with a blank between them, as the raw
 * upstream of tests/harness/rawup.py has them. WORD, WORD:VALUE or WORD:VALUE:COUNT. A
 * TEXT is 'in quotes', or a name of the table in scenario.c (GET, POST, OK, client_hello);
 * N behind it is how many bytes there are of which it is the first, +N how many follow
 * it. A TIME is 10us, 300ms or 5s.
 *
 * nginx        connect (nobody answered yet), open (both ends are established),
 *              request[:TEXT[:N]] (GET), more:N, close_notify:N, nginx_close, by_exit (of
 *              its worker), nginx_abort[:ERRNO] (by its kernel), event:KIND
 * the upstream read (what has arrived), sip:N, reply (OK), send:TEXT[:N], fill:TEXT:N (the
 *              text is continued as far as heads are kept), unread:N (sent, and not read
 *              by nginx), close, exit:N, signal:N, core:N, with group, oom or kthread
 *              behind it, abort:ERRNO, unaccepted, up_event:KIND
 * the network  arrive[:N] (what nginx wrote; the first N bytes), fin, rst, no_error (of
 *              that), sleep:TIME
 * what is seen remote (nothing of the upstream), peer_lost, adopted[:waiting+reused], tls,
 *              handshake (not yet an exchange), at_once, retransmits:N
 * the clients  client_left:TIME, client_sent:TIME (before nginx's close), clients_unseen,
 *              then:retried, then:client_closed, then:client_gone, then:STATUS
 */
#ifndef UPCLOSE_TESTS_SCENARIO_H
#define UPCLOSE_TESTS_SCENARIO_H

#include "build.h"

#define START_NS  (5000 * S) /* when the connection is established */
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

#define SIGNAL(n) (n)
#define EXIT(n)   ((n) << 8)
#define V(name)   UC_VERDICT_##name
#define P(name)   UC_PROOF_##name
#define C(name)   UC_CONFIDENCE_##name

/* Steps that many scenarios have. */
#define IN_HAND "open request arrive read sleep:300ms "
#define REUSED  "open request arrive read reply sleep:5s "
#define END_FIN " fin sleep:100us nginx_close"
#define END_RST " rst sleep:100us nginx_close"

/* One end's socket. */
struct socket_now {
	uint32_t write_seq, snd_una, rcv_nxt, copied_seq;
};

struct scenario {
	struct uc_pair pair;
	struct uc_facts facts;
	struct uc_timeline timeline;
	uint64_t now;
	struct socket_now ngx, up;
	/* where both sequence spaces begin; 0: the usual */
	uint32_t ngx_isn, up_isn;
};

/* How a connection ends, and the verdict on it: what the tests of verdicts and their sentences share. */
struct scenario_row {
	const char *name;
	const char *steps;
	enum uc_verdict_id id;
	enum uc_proof proof;
	enum uc_confidence confidence;
};

extern const struct scenario_row scenarios[];
extern const size_t scenario_count;

/* Plays steps, from where it is; connect and open begin anew, and keep the two isn. */
void scenario_play(struct scenario *s, const char *steps);
/* Plays the row of this name. */
void scenario_named(struct scenario *s, const char *name);
/* The step event. */
void scenario_event(struct scenario *s, enum uc_event_kind kind);
/* The steps request and send, with bytes at hand: n in all, of which these len are the first. */
void scenario_request(struct scenario *s, const char *bytes, size_t len, uint64_t n);
void scenario_send(struct scenario *s, const char *bytes, size_t len, uint64_t n);
/* Facts, timeline and verdict as of now. */
struct uc_verdict scenario_judge(struct scenario *s);

static inline struct uc_conn *ngx_conn(struct scenario *s)
{
	return &s->pair.nginx.conn;
}

static inline struct uc_conn *up_conn(struct scenario *s)
{
	return &s->pair.upstream.conn;
}

void loopback(__u8 addr[16]);

#endif
