/* SPDX-License-Identifier: BSD-2-Clause */
#include "scenario.h"

#include "base/util.h"
#include "core/vocabulary.h"

/* What is behind a word: the text, and the number of its count or of the text itself. */
struct value {
	const char *text; /* NULL: none */
	size_t len;
	int64_t n;
};

/* --- the records ------------------------------------------------------------------- */

static void event_of(struct scenario *s, struct uc_conn *c, const struct socket_now *now,
		     enum uc_event_kind kind, uint32_t bytes, int err)
{
	c->ev[c->events++ % UC_EVENTS] = (struct uc_event){ .ts_ns = s->now,
							    .last_ns = s->now,
							    .write_seq = now->write_seq,
							    .snd_una = now->snd_una,
							    .rcv_nxt = now->rcv_nxt,
							    .copied_seq = now->copied_seq,
							    .bytes = bytes,
							    .count = 1,
							    .kind = kind,
							    .state = ST_ESTABLISHED,
							    .exchange = c->x.number,
							    .err = err };
}

static void ngx_event(struct scenario *s, enum uc_event_kind kind, uint32_t bytes, int err)
{
	event_of(s, ngx_conn(s), &s->ngx, kind, bytes, err);
}

static void up_event(struct scenario *s, enum uc_event_kind kind, uint32_t bytes, int err)
{
	event_of(s, up_conn(s), &s->up, kind, bytes, err);
}

static struct uc_snap snap_of(const struct scenario *s, const struct socket_now *now, int err)
{
	return (struct uc_snap){ .ts_ns = s->now,
				 .write_seq = now->write_seq,
				 .snd_una = now->snd_una,
				 .rcv_nxt = now->rcv_nxt,
				 .copied_seq = now->copied_seq,
				 .snd_wnd = 65536,
				 .err = err };
}

void loopback(__u8 addr[16])
{
	static const __u8 v4[16] = { [10] = 0xff, 0xff, 127, 0, 0, 1 };

	memcpy(addr, v4, sizeof(v4));
}

static void set_tuple(struct uc_tuple *u, uint16_t local, uint16_t remote)
{
	loopback(u->local_addr);
	loopback(u->remote_addr);
	u->local_port = local;
	u->remote_port = remote;
	u->family = AF_INET;
	u->netns = 4026531840u;
}

static void set_headers(struct scenario *s)
{
	s->pair.nginx.hdr = (struct uc_rec_hdr){ UC_WIRE_VERSION, UC_REC_NGINX_END,
						 sizeof(struct uc_rec_nginx), s->now };
	s->pair.upstream.hdr = (struct uc_rec_hdr){ UC_WIRE_VERSION, UC_REC_UPSTREAM_END,
						    sizeof(struct uc_rec_upstream), s->now };
}

static void end_records(struct scenario *s)
{
	s->now += US;
	set_headers(s);
}

/* --- values ------------------------------------------------------------------------ */

#define TEXT(name, bytes)                      \
	{                                      \
		name, bytes, sizeof(bytes) - 1 \
	}

static const struct {
	const char *name, *bytes;
	size_t len;
} texts[] = {
	TEXT("GET", GET),
	TEXT("POST", POST_1000),
	TEXT("OK", OK),
	TEXT("client_hello", "\x16\x03\x01\x02\x00\x01"),
	TEXT("server_hello", "\x16\x03\x03\x00\x7a\x02"),
	TEXT("encrypted_request", "\x14\x03\x03\x00\x01\x01\x17\x03\x03"),
	TEXT("encrypted", "\x17\x03\x03\x00\x7a\x02"),
	TEXT("alert", "\x15\x03\x01\x00\x02\x02\x16"),
	TEXT("fastcgi_begin", "\x01\x01\x00\x01\x00\x08\x00\x00"),
	TEXT("fastcgi_stdout", "\x01\x06\x00\x01\x00\x20\x00\x00"),
};

static bool is(const struct value *v, const char *word)
{
	return v->text && v->len == strlen(word) && !memcmp(v->text, word, v->len);
}

/* As it is, or in ns. */
static int64_t number(const char *p)
{
	char *unit;
	int64_t n = strtoll(p, &unit, 10);

	return !strncmp(unit, "us", 2) ? n * (int64_t)US :
	       !strncmp(unit, "ms", 2) ? n * (int64_t)MS :
	       *unit == 's'            ? n * (int64_t)S :
					 n;
}

static void look_up(struct value *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (is(v, texts[i].name)) {
			v->text = texts[i].bytes;
			v->len = texts[i].len;
			v->n = texts[i].len;
			return;
		}
	v->n = number(v->text);
}

/* p: behind the word; returns what is behind the value. */
static const char *take_value(const char *p, struct value *v)
{
	*v = (struct value){ 0 };
	if (*p != ':')
		return p;
	if (p[1] == '\'') {
		v->text = p + 2;
		v->n = v->len = strcspn(v->text, "'");
		p = v->text + v->len + 1;
	} else {
		v->text = p + 1;
		v->len = strcspn(v->text, ": ");
		p = v->text + v->len;
		look_up(v);
	}
	if (*p != ':')
		return p;
	v->n = p[1] == '+' ? (int64_t)v->len + number(p + 2) : number(p + 1);
	return p + strcspn(p, " ");
}

static int error_of(const struct value *v)
{
	static const struct {
		const char *name;
		int err;
	} errors[] = {
		{ "ECONNREFUSED", ECONNREFUSED }, { "ECONNABORTED", ECONNABORTED },
		{ "EHOSTUNREACH", EHOSTUNREACH }, { "ENETUNREACH", ENETUNREACH },
		{ "ETIMEDOUT", ETIMEDOUT },       { "EACCES", EACCES },
		{ "ENOBUFS", ENOBUFS },
	};

	for (size_t i = 0; v->text && i < ARRAY_SIZE(errors); i++)
		if (is(v, errors[i].name))
			return errors[i].err;
	if (v->text)
		fail_msg("no error %s", v->text);
	return 0;
}

static enum uc_event_kind kind_of(const struct value *v)
{
	for (unsigned kind = 0; kind < UC_EV_MAX; kind++)
		if (is(v, uc_event_name(kind)))
			return kind;
	fail_msg("no event %s", v->text);
	return UC_EV_NONE;
}

/* --- nginx ------------------------------------------------------------------------- */

/* No process is known over there. */
static void play_connect(struct scenario *s, const struct value *v)
{
	struct uc_conn *c = ngx_conn(s);
	uint32_t ngx_isn = s->ngx_isn ? s->ngx_isn : NGX_ISN;
	uint32_t up_isn = s->up_isn ? s->up_isn : UP_ISN;

	(void)v;
	memset(s, 0, sizeof(*s));
	s->ngx_isn = ngx_isn;
	s->up_isn = up_isn;
	s->now = START_NS - RTT_NS;
	set_headers(s);
	set_tuple(&c->tuple, 51742, 9401);
	c->flags = UC_CONN_NGINX | UC_CONN_SHIPPED;
	c->open_ns = s->now;
	c->owner = (struct uc_task){ .tgid = WORKER, .tid = WORKER, .comm = "nginx" };
	s->ngx.write_seq = s->ngx.snd_una = ngx_isn;
	ngx_event(s, UC_EV_CONNECT, 0, 0);
}

/* On one host. */
static void play_open(struct scenario *s, const struct value *v)
{
	struct uc_conn *c = ngx_conn(s), *u = up_conn(s);

	play_connect(s, v);
	s->now = START_NS;
	s->ngx = (struct socket_now){ s->ngx_isn, s->ngx_isn, s->up_isn, s->up_isn };
	s->up = (struct socket_now){ s->up_isn, s->up_isn, s->ngx_isn, s->ngx_isn };
	c->key = u->key = (uint64_t)s->ngx_isn << 32 | s->up_isn;
	c->established_ns = u->established_ns = u->open_ns = s->now;
	c->flags |= UC_CONN_PEER_TRACKED;
	u->flags = UC_CONN_SHIPPED;
	u->owner = (struct uc_task){ .tgid = SERVER, .tid = SERVER, .comm = "node" };
	set_tuple(&u->tuple, 9401, 51742);
	s->pair.nginx.peer = u->owner;
	s->pair.has_upstream = true;
	ngx_event(s, UC_EV_ESTABLISHED, 0, 0);
	up_event(s, UC_EV_ESTABLISHED, 0, 0);
}

static void play_more(struct scenario *s, const struct value *v)
{
	struct uc_exchange *x = &ngx_conn(s)->x;

	s->ngx.write_seq += (uint32_t)v->n;
	x->out_bytes += v->n;
	x->out_last_ns = s->now;
	ngx_conn(s)->activity_ns = s->now;
	ngx_event(s, UC_EV_SEND, v->n < UINT32_MAX ? (uint32_t)v->n : UINT32_MAX, 0);
}

/* TLS's goodbye is no use of the connection. */
static void play_close_notify(struct scenario *s, const struct value *v)
{
	uint64_t used = ngx_conn(s)->activity_ns;

	play_more(s, v);
	ngx_conn(s)->activity_ns = used;
}

static void play_request(struct scenario *s, const struct value *v)
{
	static const struct value get = { GET, sizeof(GET) - 1, sizeof(GET) - 1 };
	struct uc_heads *h = &s->pair.nginx.heads;
	struct uc_conn *c = ngx_conn(s);
	uint32_t number = c->x.number + 1;

	if (!v->text)
		v = &get;
	s->now += 10 * US;
	memset(h, 0, sizeof(*h));
	memset(&c->x, 0, sizeof(c->x));
	c->x.number = number;
	c->x.idle_ns = c->activity_ns ? s->now - c->activity_ns : 0;
	c->x.out_seq = s->ngx.write_seq;
	c->x.out_first_ns = s->now;
	h->request_len = v->len < UC_REQUEST_HEAD ? (uint32_t)v->len : UC_REQUEST_HEAD;
	memcpy(h->request, v->text, h->request_len);
	play_more(s, v);
}

/* Its clients did nothing for long. */
static void play_nginx_close(struct scenario *s, const struct value *v)
{
	struct uc_conn *c = ngx_conn(s);

	(void)v;
	c->closer = c->owner;
	c->end = snap_of(s, &s->ngx, 0);
	c->end_state = c->established_ns || c->flags & UC_CONN_ADOPTED ?
			       (c->peer_closed ? ST_CLOSE_WAIT : ST_ESTABLISHED) :
			       ST_SYN_SENT;
	s->pair.nginx.clients.known = 1;
	s->pair.nginx.clients.last_recv_ns = s->now - S;
	ngx_event(s, UC_EV_CLOSE, 0, 0);
	end_records(s);
}

static void play_by_exit(struct scenario *s, const struct value *v)
{
	(void)v;
	ngx_conn(s)->closer.flags = UC_TASK_EXITING;
}

static void play_nginx_abort(struct scenario *s, const struct value *v)
{
	ngx_conn(s)->end = snap_of(s, &s->ngx, error_of(v));
	ngx_event(s, UC_EV_ABORT, 0, error_of(v));
	end_records(s);
}

static void play_event(struct scenario *s, const struct value *v)
{
	ngx_event(s, kind_of(v), 0, 0);
}

/* --- the upstream ------------------------------------------------------------------ */

static void play_sip(struct scenario *s, const struct value *v)
{
	struct uc_conn *u = up_conn(s);

	s->up.copied_seq += (uint32_t)v->n;
	u->x.number = ngx_conn(s)->x.number;
	u->x.in_bytes += v->n;
	u->activity_ns = s->now;
	up_event(s, UC_EV_RECV, (uint32_t)v->n, 0);
}

static void play_read(struct scenario *s, const struct value *v)
{
	(void)v;
	play_sip(s, &(struct value){ .n = s->up.rcv_nxt - s->up.copied_seq });
}

/* As far as there is room for it. */
static void keep_response(struct uc_heads *h, const struct value *v)
{
	size_t len = UC_RESPONSE_HEAD - h->response_len;

	if (len > v->len)
		len = v->len;
	memcpy(h->response + h->response_len, v->text, len);
	h->response_len += (uint32_t)len;
	h->response_gap |= (int64_t)len < v->n;
}

/* And nginx reads it. */
static void play_send(struct scenario *s, const struct value *v)
{
	uint32_t n = (uint32_t)v->n;
	struct uc_conn *c = ngx_conn(s);

	s->now += 10 * US;
	s->up.write_seq += n;
	up_event(s, UC_EV_SEND, n, 0);
	s->now += RTT_NS / 2;
	s->up.snd_una = s->up.write_seq;
	s->ngx.rcv_nxt = s->ngx.copied_seq = s->up.write_seq;
	keep_response(&s->pair.nginx.heads, v);
	if (!c->x.in_bytes)
		c->x.in_seq = s->ngx.copied_seq - n;
	c->x.in_bytes += n;
	c->x.in_last_ns = c->activity_ns = s->now;
	ngx_event(s, UC_EV_RECV, n, 0);
}

static void play_fill(struct scenario *s, const struct value *v)
{
	char head[UC_RESPONSE_HEAD];

	memset(head, 'x', sizeof(head));
	memcpy(head, v->text, v->len);
	play_send(s, &(struct value){ head, sizeof(head), v->n });
}

static void play_reply(struct scenario *s, const struct value *v)
{
	(void)v;
	play_send(s, &(struct value){ OK, sizeof(OK) - 1, sizeof(OK) - 1 });
}

static void play_unread(struct scenario *s, const struct value *v)
{
	s->up.write_seq += (uint32_t)v->n;
	s->ngx.rcv_nxt = s->up.write_seq;
}

static void close_upstream(struct scenario *s, uint32_t task_flags, int exit_code)
{
	struct uc_conn *u = up_conn(s);

	u->closer = u->owner;
	u->closer.flags = task_flags;
	u->closer.exit_code = exit_code;
	u->end = snap_of(s, &s->up, 0);
	u->end_state = ST_ESTABLISHED;
	up_event(s, UC_EV_CLOSE, 0, 0);
}

static void play_close(struct scenario *s, const struct value *v)
{
	(void)v;
	close_upstream(s, 0, 0);
}

static void play_exit(struct scenario *s, const struct value *v)
{
	close_upstream(s, UC_TASK_EXITING, (int)v->n << 8);
}

static void play_signal(struct scenario *s, const struct value *v)
{
	close_upstream(s, UC_TASK_EXITING, (int)v->n);
}

static void play_core(struct scenario *s, const struct value *v)
{
	close_upstream(s, UC_TASK_EXITING, (int)v->n | 0x80);
}

static void play_group(struct scenario *s, const struct value *v)
{
	(void)v;
	up_conn(s)->closer.flags |= UC_TASK_GROUP_EXIT;
}

static void play_oom(struct scenario *s, const struct value *v)
{
	(void)v;
	up_conn(s)->closer.flags |= UC_TASK_OOM;
}

static void play_kthread(struct scenario *s, const struct value *v)
{
	(void)v;
	up_conn(s)->closer.flags |= UC_TASK_KTHREAD;
}

static void play_abort(struct scenario *s, const struct value *v)
{
	up_conn(s)->end = snap_of(s, &s->up, error_of(v));
	up_event(s, UC_EV_ABORT, 0, error_of(v));
}

/* The listener was closed with it waiting. */
static void play_unaccepted(struct scenario *s, const struct value *v)
{
	(void)v;
	up_conn(s)->flags |= UC_CONN_UNACCEPTED;
	memset(&up_conn(s)->owner, 0, sizeof(up_conn(s)->owner));
	memset(&s->pair.nginx.peer, 0, sizeof(s->pair.nginx.peer));
}

static void play_up_event(struct scenario *s, const struct value *v)
{
	up_event(s, kind_of(v), 0, 0);
}

/* --- the network ------------------------------------------------------------------- */

/* At the upstream's kernel, whose ACK comes back. */
static void play_arrive(struct scenario *s, const struct value *v)
{
	s->now += RTT_NS / 2;
	s->up.rcv_nxt = v->text ? s->up.rcv_nxt + (uint32_t)v->n : s->ngx.write_seq;
	s->ngx.snd_una = s->up.rcv_nxt;
}

static void close_peer(struct scenario *s, enum uc_event_kind kind, int err)
{
	struct uc_conn *c = ngx_conn(s);

	s->now += RTT_NS / 2;
	s->ngx.rcv_nxt += kind == UC_EV_FIN;
	c->peer_closed = kind;
	c->peer = snap_of(s, &s->ngx, err);
	ngx_event(s, kind, 0, err);
}

static void play_fin(struct scenario *s, const struct value *v)
{
	(void)v;
	close_peer(s, UC_EV_FIN, 0);
}

static void play_rst(struct scenario *s, const struct value *v)
{
	(void)v;
	close_peer(s, UC_EV_RST, ECONNRESET);
}

static void play_no_error(struct scenario *s, const struct value *v)
{
	(void)v;
	ngx_conn(s)->peer.err = 0;
}

static void play_sleep(struct scenario *s, const struct value *v)
{
	s->now += v->n;
}

/* --- what is seen ------------------------------------------------------------------ */

static void play_remote(struct scenario *s, const struct value *v)
{
	(void)v;
	s->pair.has_upstream = false;
	memset(&s->pair.nginx.peer, 0, sizeof(s->pair.nginx.peer));
	ngx_conn(s)->flags &= ~UC_CONN_PEER_TRACKED;
}

/* The upstream's end is on this host. */
static void play_peer_lost(struct scenario *s, const struct value *v)
{
	(void)v;
	s->pair.has_upstream = false;
	s->pair.upstream_missing = true;
}

static bool says(const struct value *v, const char *word)
{
	return v->text && memmem(v->text, v->len, word, strlen(word));
}

/* The connection is older than upclose. */
static void play_adopted(struct scenario *s, const struct value *v)
{
	struct uc_conn *ends[2] = { ngx_conn(s), up_conn(s) };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		ends[i]->events = 0;
		ends[i]->open_ns = ends[i]->established_ns = 0;
		ends[i]->flags |= UC_CONN_ADOPTED | (says(v, "waiting") ? UC_CONN_WAITING : 0) |
				  (says(v, "reused") ? UC_CONN_REUSED : 0);
		ends[i]->activity_ns = s->now - S;
	}
	ngx_event(s, UC_EV_ADOPTED, 0, 0);
	up_event(s, UC_EV_ADOPTED, 0, 0);
}

static void play_tls(struct scenario *s, const struct value *v)
{
	(void)v;
	ngx_conn(s)->flags |= UC_CONN_TLS;
}

static void play_handshake(struct scenario *s, const struct value *v)
{
	(void)v;
	ngx_conn(s)->x.number = 0;
}

static void play_at_once(struct scenario *s, const struct value *v)
{
	(void)v;
	ngx_conn(s)->flags |= UC_CONN_AT_ONCE;
}

static void play_retransmits(struct scenario *s, const struct value *v)
{
	ngx_conn(s)->retransmits = v->n;
}

/* --- the clients ------------------------------------------------------------------- */

static void play_client_left(struct scenario *s, const struct value *v)
{
	s->pair.nginx.clients.gone = 1;
	s->pair.nginx.clients.last_gone_ns = ngx_conn(s)->end.ts_ns - v->n;
}

static void play_client_sent(struct scenario *s, const struct value *v)
{
	s->pair.nginx.clients.last_recv_ns = ngx_conn(s)->end.ts_ns - v->n;
}

static void play_clients_unseen(struct scenario *s, const struct value *v)
{
	(void)v;
	s->pair.nginx.clients.known = 0;
}

/* What nginx's worker did next. */
static void play_then(struct scenario *s, const struct value *v)
{
	struct uc_outcome *o = &s->pair.outcome;

	o->client_gone = is(v, "client_gone");
	o->client_status = (unsigned)v->n;
	o->followup = is(v, "retried")                         ? UC_FOLLOWUP_RETRIED :
		      o->client_gone || is(v, "client_closed") ? UC_FOLLOWUP_CLIENT_CLOSED :
								 UC_FOLLOWUP_CLIENT_SENT;
}

/* --- steps ------------------------------------------------------------------------- */

typedef void play_fn(struct scenario *s, const struct value *v);

#define WORD(word)                 \
	{                          \
#word, play_##word \
	}

static const struct {
	const char *word;
	play_fn *play;
} words[] = {
	WORD(connect),      WORD(open),        WORD(request),     WORD(more),
	WORD(close_notify), WORD(nginx_close), WORD(by_exit),     WORD(nginx_abort),
	WORD(event),        WORD(read),        WORD(sip),         WORD(reply),
	WORD(send),         WORD(fill),        WORD(unread),      WORD(close),
	WORD(exit),         WORD(signal),      WORD(core),        WORD(group),
	WORD(oom),          WORD(kthread),     WORD(abort),       WORD(unaccepted),
	WORD(up_event),     WORD(arrive),      WORD(fin),         WORD(rst),
	WORD(no_error),     WORD(sleep),       WORD(remote),      WORD(peer_lost),
	WORD(adopted),      WORD(tls),         WORD(handshake),   WORD(at_once),
	WORD(retransmits),  WORD(client_left), WORD(client_sent), WORD(clients_unseen),
	WORD(then),
};

static play_fn *find_word(const char *p, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i].word) == len && !memcmp(words[i].word, p, len))
			return words[i].play;
	fail_msg("no step %.*s", (int)len, p);
	return NULL;
}

void scenario_play(struct scenario *s, const char *p)
{
	struct value v;
	size_t len;

	while (*(p += strspn(p, " "))) {
		len = strcspn(p, ": ");
		play_fn *play = find_word(p, len);

		p = take_value(p + len, &v);
		play(s, &v);
	}
}

void scenario_named(struct scenario *s, const char *name)
{
	for (size_t i = 0; i < scenario_count; i++)
		if (!strcmp(scenarios[i].name, name)) {
			scenario_play(s, scenarios[i].steps);
			return;
		}
	fail_msg("no scenario %s", name);
}

void scenario_event(struct scenario *s, enum uc_event_kind kind)
{
	ngx_event(s, kind, 0, 0);
}

void scenario_request(struct scenario *s, const char *bytes, size_t len, uint64_t n)
{
	play_request(s, &(struct value){ bytes, len, n });
}

void scenario_send(struct scenario *s, const char *bytes, size_t len, uint64_t n)
{
	play_send(s, &(struct value){ bytes, len, n });
}

struct uc_verdict scenario_judge(struct scenario *s)
{
	uc_facts(&s->pair, &s->facts);
	uc_timeline(s->facts.nginx, s->facts.upstream, &s->timeline);
	return uc_verdict(&s->facts);
}

/* --- the scenarios ----------------------------------------------------------------- */

/* nginx's ClientHello is out; the handshake is exchange 0. */
#define TLS_HELLO     "open tls request:client_hello:517 handshake arrive read "
#define TLS_HANDSHAKE TLS_HELLO "send:server_hello:4000 "
#define TLS_REQUEST   TLS_HANDSHAKE "request:encrypted_request:400 arrive read sleep:1ms "
#define UPLOAD        "request:POST:+1000 arrive sip:200"
#define HALF          "send:'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf' "
#define BANNER        "send:'SSH-2.0-OpenSSH_9.2\r\n' "
#define AFTER_FIN     "close fin request sleep:200us event:rst_received nginx_close"

#define ROW(name, id, proof, confidence, steps)              \
	{                                                    \
#name, steps, V(id), P(proof), C(confidence) \
	}

const struct scenario_row scenarios[] = {
	/* no connection */
	ROW(refused_by_error, CONNECT_FAILED, REFUSED, PROVEN,
	    "connect sleep:200us nginx_abort:ECONNREFUSED"),
	ROW(refused_by_reset, CONNECT_FAILED, REFUSED, PROVEN, "connect rst no_error nginx_abort"),
	ROW(no_route, CONNECT_FAILED, UNREACHABLE, PROVEN, "connect nginx_abort:EHOSTUNREACH"),
	ROW(no_network, CONNECT_FAILED, UNREACHABLE, PROVEN, "connect nginx_abort:ENETUNREACH"),
	ROW(firewall_refuses, CONNECT_FAILED, UNREACHABLE, PROVEN, "connect nginx_abort:EACCES"),
	ROW(nginx_ends_connecting, WORKER_EXITED, NGINX_EXITED, PROVEN,
	    "connect sleep:300ms nginx_close by_exit"),
	ROW(client_leaves_connecting, CLIENT_GONE, CLIENT_CLOSED, PROVEN,
	    "connect sleep:300ms nginx_close then:client_gone"),
	ROW(syn_repeated, CONNECT_FAILED, TIMEOUT, LIKELY,
	    "connect sleep:60s nginx_close retransmits:5 clients_unseen"),
	ROW(connecting_answered_504, CONNECT_FAILED, TIMEOUT, PROVEN,
	    "connect sleep:300ms nginx_close client_left:1ms then:504"),
	ROW(kernel_gives_up_connecting, CONNECT_FAILED, TIMEOUT, PROVEN,
	    "connect sleep:130s nginx_abort:ETIMEDOUT"),
	ROW(connecting_in_quiet, UNKNOWN, NONE, UNKNOWN, "connect sleep:500ms nginx_close"),
	ROW(connecting_clients_unseen, UNKNOWN, NONE, UNKNOWN,
	    "connect sleep:500ms nginx_close clients_unseen"),
	ROW(no_local_port, CONNECT_FAILED, LOCAL, LIKELY, "connect nginx_abort"),
	ROW(strange_error_connecting, UNKNOWN, NONE, UNKNOWN, "connect nginx_abort:ENOBUFS"),

	/* nothing was going on */
	ROW(adopted_idle, IDLE_CLOSE, UNSEEN_START, LIKELY,
	    "open adopted:reused sleep:5s close" END_FIN),
	ROW(upgraded, COMPLETE, RESPONSE_COMPLETE, PROVEN,
	    "open request arrive read send:'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05"
	    "hello' close" END_FIN),
	ROW(idle_closed_by_upstream, IDLE_CLOSE, IDLE, PROVEN, REUSED "close" END_FIN),
	ROW(idle_closed_by_nginx, IDLE_CLOSE, IDLE, PROVEN, REUSED "nginx_close"),
	ROW(idle_and_upstream_killed, IDLE_CLOSE, IDLE, PROVEN, REUSED "signal:9" END_FIN),
	ROW(complete_not_kept, COMPLETE, RESPONSE_COMPLETE, PROVEN,
	    "open request:'GET / HTTP/1.0\r\nConnection: close\r\n\r\n' arrive read reply close" END_FIN),
	ROW(complete_until_close, COMPLETE, RESPONSE_COMPLETE, PROVEN,
	    IN_HAND "send:'HTTP/1.0 200 OK\r\n\r\nbody' close" END_FIN),
	ROW(complete_head, IDLE_CLOSE, IDLE, PROVEN,
	    "open request:'HEAD / HTTP/1.1\r\nHost: u\r\n\r\n' arrive read send:'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n'" END_FIN),
	ROW(encrypted_and_answered, COMPLETE, OPAQUE, LIKELY,
	    TLS_REQUEST "send:encrypted:4000 close" END_FIN),
	/* Tickets and a close_notify are bytes, too; nginx answered its client with a 502. */
	ROW(encrypted_alert_and_502, UPSTREAM_CLOSED, DELIBERATE_CLOSE, LIKELY,
	    TLS_REQUEST "send:encrypted:4000 close" END_FIN " then:502"),
	ROW(encrypted_alert_of_remote, UPSTREAM_CLOSED, OPAQUE, LIKELY,
	    TLS_REQUEST "send:encrypted:4000 close" END_FIN " remote then:retried"),
	/* nginx's timer fired in the middle of what cannot be read; its client gets the header that had waited for more. */
	ROW(encrypted_and_stalled, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY,
	    TLS_REQUEST "send:encrypted:400 sleep:400ms nginx_close then:200"),
	/* Out of nginx's pool by its keepalive_timeout; a client's connection was closed by the same timer. */
	ROW(encrypted_and_idle, COMPLETE, OPAQUE, LIKELY,
	    TLS_REQUEST "send:encrypted:400 sleep:60s nginx_close then:client_closed"),
	/* Its FIN answers nginx's close_notify. */
	ROW(encrypted_timeout_answered_by_fin, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY,
	    TLS_REQUEST "sleep:400ms close fin nginx_close then:retried"),
	/* The same in the middle of a response. */
	ROW(encrypted_stall_answered_by_fin, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY,
	    TLS_REQUEST
	    "send:encrypted:400 sleep:400ms close_notify:24 close fin nginx_close then:200"),
	/* The FIN comes as nginx's timer fires. */
	ROW(timeout_met_by_fin, NGINX_TIMEOUT, READ_TIMEOUT, PROVEN,
	    IN_HAND "close fin nginx_close then:504"),
	/* The same, but nginx has read the end, and an error_page says 504 of it. */
	ROW(end_read_and_504, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN,
	    IN_HAND "close fin event:eof nginx_close then:504"),
	ROW(encrypted_and_destroyed, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN,
	    TLS_REQUEST "close" END_FIN),
	ROW(handshake_refused, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN,
	    TLS_HELLO "close" END_FIN),
	ROW(handshake_broken_off, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN,
	    TLS_HANDSHAKE "close" END_FIN),
	ROW(killed_within_handshake, UPSTREAM_DIED, SIGNAL, PROVEN,
	    TLS_HANDSHAKE "signal:9" END_FIN),
	ROW(tls_to_plain_port, PROTOCOL_MISMATCH, FIRST_BYTES, PROVEN,
	    TLS_HELLO "send:'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n' nginx_close"),
	ROW(other_protocol_answered, COMPLETE, OPAQUE, LIKELY,
	    "open request:fastcgi_begin:600 arrive read send:fastcgi_stdout:100 close" END_FIN),
	ROW(other_protocol_unanswered, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN,
	    "open request:fastcgi_begin:600 arrive read close" END_FIN),
	/* A complete response would have put the connection into nginx's idle pool. */
	ROW(long_header_closed, UNKNOWN, LOSSY, UNKNOWN,
	    IN_HAND "fill:'HTTP/1.1 200 OK\r\nX-Long: ':20000" END_FIN),
	ROW(long_header_not_kept, COMPLETE, RESPONSE_COMPLETE, LIKELY,
	    IN_HAND "fill:'HTTP/1.1 200 OK\r\nConnection: close\r\nX-Long: ':20000" END_FIN),
	ROW(long_header_closed_in_pool, IDLE_CLOSE, IDLE, PROVEN,
	    IN_HAND "fill:'HTTP/1.1 200 OK\r\nX-Long: ':20000 sleep:5s fin event:peek nginx_close"),
	ROW(closed_in_pool, IDLE_CLOSE, IDLE, PROVEN, REUSED "close fin event:peek nginx_close"),
	/* That nginx looked at it in its pool once says nothing on a later exchange. */
	ROW(destroyed_pooled_before, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN,
	    REUSED "event:peek request arrive read close" END_FIN),

	/* the upstream's process ended */
	ROW(killed_for_memory, UPSTREAM_DIED, OOM, PROVEN, IN_HAND "signal:9 group oom" END_FIN),
	ROW(killed, UPSTREAM_DIED, SIGNAL, PROVEN, IN_HAND "signal:9 group" END_FIN),
	ROW(dumped_core, UPSTREAM_DIED, SIGNAL, PROVEN, IN_HAND "core:11 group" END_FIN),
	ROW(uncaught, UPSTREAM_DIED, EXIT_CODE, PROVEN, IN_HAND "exit:1" END_FIN),
	ROW(exit_zero, UPSTREAM_DIED, EXIT_CODE, PROVEN, IN_HAND "exit:0" END_FIN),
	ROW(killed_within_header, UPSTREAM_DIED, SIGNAL, PROVEN,
	    IN_HAND "send:'HTTP/1.1 200 OK\r\nContent-Le' signal:15" END_FIN),
	ROW(killed_within_body, UPSTREAM_DIED, SIGNAL, PROVEN, IN_HAND HALF "signal:9" END_FIN),
	ROW(killed_request_unread, UPSTREAM_DIED, SIGNAL, PROVEN,
	    REUSED "request arrive signal:9" END_RST),
	ROW(killed_unasked, UPSTREAM_DIED, SIGNAL, PROVEN, "open sleep:1ms signal:9 group" END_RST),
	ROW(killed_unaccepted, UPSTREAM_DIED, SIGNAL, PROVEN,
	    "open request arrive signal:9 group unaccepted" END_RST),
	ROW(exited_unaccepted, UPSTREAM_DIED, EXIT_CODE, PROVEN,
	    "open request arrive exit:1 group unaccepted" END_RST),
	/* The last reference of a socket may be dropped by a worker of the kernel: nobody's death. */
	ROW(closed_by_kernel_thread, UPSTREAM_CLOSED, REQUEST_ACKED, LIKELY,
	    IN_HAND "exit:0 kthread" END_FIN),
	/* nginx gave up before; that the process ended afterwards is no cause. */
	ROW(killed_after_nginx_closed, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY,
	    IN_HAND "sleep:60s nginx_close signal:9"),

	/* nginx closed */
	ROW(nginx_ends, WORKER_EXITED, NGINX_EXITED, PROVEN,
	    IN_HAND "nginx_close by_exit client_left:1ms"),
	ROW(client_leaves, CLIENT_GONE, CLIENT_CLOSED, PROVEN,
	    IN_HAND "nginx_close client_left:5ms then:client_gone"),
	ROW(client_leaves_within_body, CLIENT_GONE, CLIENT_CLOSED, PROVEN,
	    IN_HAND HALF "nginx_close then:client_gone"),
	/* All of it had arrived, with the FIN; nginx stopped reading when it could not write to its client. */
	ROW(client_leaves_most_unread, CLIENT_GONE, CLIENT_CLOSED, LIKELY,
	    IN_HAND
	    "send:'HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n':4096 unread:4945 close fin nginx_close client_left:1ms"),
	/* All of it was read, and the FIN behind it was not; nginx would not have its header. */
	ROW(whole_response_and_fin_answered_502, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, LIKELY,
	    IN_HAND "reply close fin nginx_close at_once then:502"),
	/* nginx read a page of the header and would not have more; the upstream had sent all of it, and closed. */
	ROW(header_too_big_all_sent, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, LIKELY,
	    IN_HAND
	    "fill:'HTTP/1.1 200 OK\r\nX: ':4096 unread:5000 close fin nginx_close at_once then:502"),
	ROW(some_client_leaves, CLIENT_GONE, CLIENT_CLOSED, LIKELY,
	    IN_HAND "nginx_close client_left:5ms"),
	/* The worker's other clients come and go; this request's own got a 504. */
	ROW(timeout_as_another_leaves, NGINX_TIMEOUT, READ_TIMEOUT, PROVEN,
	    IN_HAND "sleep:300ms nginx_close client_left:5ms then:504"),
	ROW(timeout_tried_again, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY,
	    IN_HAND "sleep:300ms nginx_close client_left:5ms then:retried"),
	ROW(header_answered_502, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, PROVEN,
	    IN_HAND "send:'HTTP/1.1 200 OK\r\nX-Long: ' nginx_close then:502"),
	ROW(whole_response_answered_502, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, LIKELY,
	    IN_HAND
	    "send:'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' nginx_close then:502 at_once"),
	/* An idle connection that nginx put out of its pool, and then a client got another request's 502. */
	ROW(evicted_before_a_502, IDLE_CLOSE, IDLE, PROVEN,
	    IN_HAND "send:'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' nginx_close then:502"),
	ROW(upstreams_own_502, IDLE_CLOSE, IDLE, PROVEN,
	    IN_HAND
	    "send:'HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno' nginx_close then:502"),
	ROW(client_left_long_ago, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY,
	    IN_HAND "sleep:59700ms nginx_close client_left:2s"),
	ROW(client_left_afterwards, UNKNOWN, NGINX_CLOSED, UNKNOWN,
	    IN_HAND "nginx_close client_left:-1ms"),
	ROW(opened_for_nothing, CLIENT_GONE, CLIENT_CLOSED, LIKELY, "open sleep:10ms nginx_close"),
	ROW(header_not_accepted, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, LIKELY,
	    IN_HAND "send:'HTTP/1.1 200 OK\r\nBad\x01Header: 1\r\n' sleep:1ms nginx_close"),
	ROW(no_header_not_accepted, PROTOCOL_MISMATCH, FIRST_BYTES, LIKELY,
	    IN_HAND BANNER "sleep:1ms nginx_close"),
	/* nginx closed its client's connection next. */
	ROW(chunks_not_accepted, NGINX_REJECTED_RESPONSE, NGINX_CLOSED, PROVEN,
	    IN_HAND
	    "send:'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n' sleep:1us nginx_close at_once then:client_closed"),
	ROW(not_http_passed_on, PROTOCOL_MISMATCH, FIRST_BYTES, LIKELY,
	    IN_HAND BANNER "close" END_FIN " then:client_closed"),
	ROW(body_not_accepted, UNKNOWN, NGINX_CLOSED, UNKNOWN,
	    IN_HAND
	    "send:'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell' sleep:1ms nginx_close"),
	ROW(upload_stuck_half_a_second, NGINX_TIMEOUT, SEND_TIMEOUT, LIKELY,
	    "open request:POST:600 sleep:500ms nginx_close"),
	ROW(upload_stuck_clients_unseen, NGINX_TIMEOUT, SEND_TIMEOUT, LIKELY,
	    "open request:POST:600 sleep:60001ms nginx_close clients_unseen"),
	ROW(upload_stuck_without_rhythm, UNKNOWN, NGINX_CLOSED, UNKNOWN,
	    "open request:POST:600 sleep:60400ms nginx_close clients_unseen"),
	ROW(never_answered_half_a_second, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY,
	    "open request arrive sleep:500ms nginx_close"),
	ROW(never_answered_clients_unseen, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY,
	    "open request arrive sleep:60002ms nginx_close clients_unseen"),
	ROW(never_answered_without_rhythm, UNKNOWN, NGINX_CLOSED, UNKNOWN,
	    "open request arrive sleep:7400ms nginx_close clients_unseen"),
	ROW(never_answered_client_active, UNKNOWN, NGINX_CLOSED, UNKNOWN,
	    "open request arrive sleep:7400ms nginx_close client_sent:1ms"),
	ROW(closed_at_once, UNKNOWN, NGINX_CLOSED, UNKNOWN,
	    "open request arrive sleep:10ms nginx_close"),
	ROW(stalled_within_body, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY,
	    IN_HAND HALF "sleep:500ms nginx_close"),
	ROW(stalled_within_header, NGINX_TIMEOUT, READ_TIMEOUT, LIKELY,
	    IN_HAND "send:'HTTP/1.1 200 OK\r\n' sleep:500ms nginx_close"),

	/* the upstream closed within an exchange */
	ROW(body_cut, BODY_TRUNCATED, CONTENT_LENGTH, PROVEN, IN_HAND HALF "close" END_FIN),
	ROW(body_cut_by_reset, BODY_TRUNCATED, CONTENT_LENGTH, PROVEN,
	    IN_HAND HALF "remote" END_RST),
	ROW(chunk_cut, BODY_TRUNCATED, CHUNKED, PROVEN,
	    IN_HAND
	    "send:'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n' close" END_FIN),
	ROW(reset_until_close, BODY_TRUNCATED, RST, PROVEN,
	    IN_HAND "send:'HTTP/1.0 200 OK\r\n\r\nbody' remote" END_RST),
	ROW(header_cut, PARTIAL_HEADER, HEADER_CUT, PROVEN,
	    IN_HAND "send:'HTTP/1.1 200 OK\r\nContent-Le' close" END_FIN),
	ROW(header_cut_by_reset, PARTIAL_HEADER, HEADER_CUT, PROVEN,
	    IN_HAND "send:'HTTP/1.1 200 OK\r\n' remote" END_RST),
	ROW(interim_only, PARTIAL_HEADER, HEADER_CUT, PROVEN,
	    IN_HAND "send:'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' close" END_FIN),
	ROW(plain_to_tls_port, PROTOCOL_MISMATCH, FIRST_BYTES, PROVEN,
	    IN_HAND "send:alert close" END_FIN),
	ROW(not_http, PROTOCOL_MISMATCH, FIRST_BYTES, LIKELY, IN_HAND BANNER "close" END_FIN),
	ROW(unseen_request, UPSTREAM_CLOSED, UNSEEN_START, LIKELY,
	    "open adopted:waiting+reused close" END_FIN),
	/* Its first response bytes were not seen, so there is no telling what was cut. */
	ROW(unseen_response, UNKNOWN, UNSEEN_START, UNKNOWN,
	    "open adopted:reused send:'more' close" END_FIN),
	ROW(race_after_fin, KEEPALIVE_RACE, SENT_AFTER_FIN, PROVEN, REUSED AFTER_FIN),
	ROW(race_after_fin_remote, KEEPALIVE_RACE, SENT_AFTER_FIN, PROVEN,
	    REUSED AFTER_FIN " remote"),
	ROW(race_after_fin_far_lost, KEEPALIVE_RACE, SENT_AFTER_FIN, LIKELY,
	    REUSED AFTER_FIN " peer_lost"),
	ROW(race_crossed, KEEPALIVE_RACE, REQUEST_UNACKED, PROVEN, REUSED "close request" END_FIN),
	ROW(race_crossed_remote, KEEPALIVE_RACE, REQUEST_UNACKED, PROVEN,
	    REUSED "close request" END_FIN " remote"),
	ROW(race_crossed_far_lost, KEEPALIVE_RACE, REQUEST_UNACKED, LIKELY,
	    REUSED "close request" END_FIN " peer_lost"),
	/* nginx was half-way through writing a large request when the FIN came. */
	ROW(race_crossed_half_written, KEEPALIVE_RACE, REQUEST_UNACKED, PROVEN,
	    REUSED "remote request:POST:600 fin more:451 sleep:200us nginx_close"),
	/* Closed with a reset of its own will (SO_LINGER 0) before the request was there. */
	ROW(race_crossed_reset, KEEPALIVE_RACE, REQUEST_UNACKED, PROVEN,
	    REUSED "close request" END_RST),
	ROW(race_unread, KEEPALIVE_RACE, REQUEST_UNREAD, PROVEN,
	    REUSED "request arrive close" END_RST),
	ROW(upload_rejected, REQUEST_REJECTED, BODY_UNREAD, PROVEN,
	    "open " UPLOAD " close" END_RST),
	ROW(upload_rejected_reused, REQUEST_REJECTED, BODY_UNREAD, PROVEN,
	    REUSED UPLOAD " close" END_RST),
	/* All that had come was read, and more was to come. */
	ROW(upload_cut, REQUEST_REJECTED, BODY_UNREAD, PROVEN,
	    "open request:POST:600 arrive read close" END_FIN),
	ROW(fresh_after_fin, UPSTREAM_CLOSED, SENT_AFTER_FIN, PROVEN, "open " AFTER_FIN),
	ROW(fresh_crossed, UPSTREAM_CLOSED, REQUEST_UNACKED, PROVEN, "open close request" END_FIN),
	ROW(fresh_unread, UPSTREAM_CLOSED, REQUEST_UNREAD, PROVEN,
	    "open request arrive close" END_RST),
	ROW(listener_closed_unaccepted, UPSTREAM_CLOSED, REQUEST_UNREAD, PROVEN,
	    "open request arrive close unaccepted" END_RST),
	ROW(destroyed, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN, IN_HAND "close" END_FIN),
	ROW(destroyed_reused, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN,
	    REUSED "request arrive read close" END_FIN),
	ROW(destroyed_by_reset, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN, IN_HAND "close" END_RST),
	/* FIN and 0 < unacked < len, by nginx's side alone. */
	ROW(upload_part_unacked, REQUEST_REJECTED, BODY_UNACKED, LIKELY,
	    "open remote request:POST:+1000 arrive:400" END_FIN),
	/* The same, where what was written by the FIN was acknowledged, and the rest followed it. */
	ROW(upload_rest_after_fin, REQUEST_REJECTED, BODY_UNACKED, LIKELY,
	    "open remote request:POST:600 arrive fin more:451 sleep:200us nginx_close"),
	ROW(acked_then_fin, UPSTREAM_CLOSED, REQUEST_ACKED, LIKELY, IN_HAND "remote" END_FIN),
	ROW(acked_then_fin_reused, UPSTREAM_CLOSED, REQUEST_ACKED, LIKELY,
	    REUSED "request arrive remote" END_FIN),
	ROW(acked_then_fin_far_lost, UPSTREAM_CLOSED, REQUEST_ACKED, LIKELY,
	    IN_HAND "peer_lost" END_FIN),
	ROW(reset_acked, UPSTREAM_RESET, RST, PROVEN, IN_HAND "remote" END_RST),
	ROW(reset_unacked, UPSTREAM_RESET, RST, PROVEN, REUSED "request remote" END_RST),
	ROW(reset_unacked_far_lost, UPSTREAM_RESET, RST, LIKELY,
	    REUSED "request peer_lost" END_RST),
	/* Its end is on this host, and an error ended it, not its process. */
	ROW(reset_both, UPSTREAM_RESET, RST, PROVEN,
	    "open request arrive read abort:ECONNABORTED" END_RST),
	ROW(closed_unasked, UPSTREAM_CLOSED, NONE, LIKELY, "open sleep:1ms remote" END_FIN),
	ROW(closed_by_code_unasked, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN,
	    "open sleep:1ms close" END_FIN),
	/* More than 2 GiB were sent: half of the sequence space cannot tell before from after. */
	ROW(huge_upload_then_fin, UPSTREAM_CLOSED, DELIBERATE_CLOSE, PROVEN,
	    REUSED
	    "request:'POST /a HTTP/1.1\r\nHost: u\r\nContent-Length: 3000000000\r\n\r\n':+3000000000 arrive read close" END_FIN),
	ROW(huge_upload_then_fin_remote, UPSTREAM_CLOSED, REQUEST_ACKED, LIKELY,
	    REUSED
	    "request:'POST /a HTTP/1.1\r\nHost: u\r\nContent-Length: 3000000000\r\n\r\n':+3000000000 arrive read close" END_FIN
	    " remote"),

	/* none of them */
	/* Its own retransmissions got no answer: neither end closed. */
	ROW(nobody_answers, UNKNOWN, NONE, UNKNOWN,
	    IN_HAND "remote sleep:900s nginx_abort:ETIMEDOUT"),
	ROW(nobody_answers_adopted, UNKNOWN, UNSEEN_START, UNKNOWN,
	    "open adopted:waiting remote sleep:900s nginx_abort:ETIMEDOUT"),
};

const size_t scenario_count = ARRAY_SIZE(scenarios);
