/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/facts.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "core/conn/fastcgi.h"

/* nginx handles a client's end within one turn of its event loop; a busy worker's turn is long. */
#define CLIENT_RECENT_NS 200000000ULL
/* A timer fires in a turn of its own; a client's bytes this shortly before may have caused the close. */
#define CLIENT_QUIET_NS 20000000ULL

/* Timeouts are set in whole seconds; a worker that is busy for that long has other troubles. */
#define LEFT_UNREAD_NS 900000000ULL

/* TCP_SYN_SENT of include/net/tcp_states.h */
#define STATE_SYN_SENT 2

/* a after b, in sequence space */
static bool seq_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

/*
 * True when seq lies behind the first byte of what was sent in the exchange. Of
 * 2 GiB and more sequence space cannot tell, but no socket holds that much back.
 */
static bool reaches(const struct uc_exchange *x, uint32_t seq)
{
	return x->out_bytes > INT32_MAX || seq_after(seq, x->out_seq);
}

static bool loopback(const uint8_t addr[16])
{
	static const uint8_t v4[] = { [10] = 0xff, [11] = 0xff, [12] = 127 }, v6[16] = { [15] = 1 };

	return !memcmp(addr, v4, sizeof(v4)) || !memcmp(addr, v6, sizeof(v6));
}

/* One address at both ends, or an address of the loopback network (RFC 1122, section 3.2.1.3). */
static bool own_host(const struct uc_tuple *t)
{
	return !memcmp(t->remote_addr, t->local_addr, sizeof(t->remote_addr)) ||
	       loopback(t->remote_addr);
}

/* What the kernel makes of ICMP messages (icmp_err_convert of net/ipv4/icmp.c, tab_unreach of net/ipv6/icmp.c). */
static bool of_icmp(int err)
{
	static const int converted[] = { ENETUNREACH,  EHOSTUNREACH, ENOPROTOOPT,
					 ECONNREFUSED, EOPNOTSUPP,   EHOSTDOWN,
					 ENONET,       EPROTO,       EACCES };

	for (size_t i = 0; i < ARRAY_SIZE(converted); i++)
		if (err == converted[i])
			return true;
	return false;
}

static void facts_end(struct uc_facts *f)
{
	const struct uc_conn *c = f->nginx;

	f->established = c->established_ns || f->adopted;
	f->own_host = own_host(&c->tuple);
	f->err = c->end.err ? c->end.err : c->peer.err;
	if (!f->err && !c->established_ns && f->means == UC_MEANS_CONNECT_FAILED)
		f->err = f->words->err;
	f->by_icmp = !c->established_ns && c->peer_closed != UC_EV_RST && of_icmp(f->err);
	f->nginx_exiting = c->closer.flags & UC_TASK_EXITING;
	f->end_ns = c->peer.ts_ns ? c->peer.ts_ns : c->end.ts_ns;
	if (!f->established) {
		f->closed_by = UC_CLOSED_BY_UNKNOWN;
		f->close = UC_CLOSE_NONE;
		if (f->err == ECONNREFUSED || c->peer_closed == UC_EV_RST) {
			f->closed_by = UC_CLOSED_BY_UPSTREAM;
			f->close = UC_CLOSE_REFUSED;
		} else if (f->err == ETIMEDOUT) {
			f->close = UC_CLOSE_TIMEOUT;
		} else if (f->err == EHOSTUNREACH || f->err == ENETUNREACH || f->err == EACCES ||
			   f->err == EPERM || f->by_icmp) {
			f->close = UC_CLOSE_UNREACHABLE;
		} else if (c->end_state == STATE_SYN_SENT) {
			f->closed_by = UC_CLOSED_BY_NGINX;
			f->close = UC_CLOSE_TIMEOUT;
		}
		return;
	}
	if (c->peer_closed) {
		f->closed_by = UC_CLOSED_BY_UPSTREAM;
		f->close = c->peer_closed == UC_EV_FIN ? UC_CLOSE_FIN : UC_CLOSE_RST;
	} else if (c->end_state) {
		f->closed_by = UC_CLOSED_BY_NGINX;
		/* close() with unread bytes answers with a reset (RFC 2525, section 2.17) */
		f->close = f->unread_by_nginx ? UC_CLOSE_RST : UC_CLOSE_FIN;
	} else if (f->err == ETIMEDOUT) {
		f->close = UC_CLOSE_TIMEOUT;
	} else if (f->err == EHOSTUNREACH || f->err == ENETUNREACH) {
		f->close = UC_CLOSE_UNREACHABLE;
	}
}

/* One name with an address of each family, as "localhost" has. */
static bool twin(const struct uc_tuple *t, const struct uc_outcome *o)
{
	return o->retry_known && o->retry_port == t->remote_port && o->retry_family != t->family &&
	       loopback(t->remote_addr) && loopback(o->retry_addr);
}

/* The followup is of this very request; what the worker's other clients did is only a hint. */
static void facts_followup(struct uc_facts *f, const struct uc_outcome *o)
{
	f->client_gone = o->followup == UC_FOLLOWUP_CLIENT_CLOSED && o->client_gone;
	f->gave_up = o->followup && !f->client_gone;
	f->other_request = o->other_request;
	f->retried = o->followup == UC_FOLLOWUP_RETRIED || o->followup == UC_FOLLOWUP_ANSWERED;
	f->localhost_twin = twin(&f->nginx->tuple, o);
	f->gave_up_status = o->client_status;
	if (o->followup)
		f->client_gone_likely = false;
}

/* HTTP has "proxying upgraded connection", stream{} all the others. */
static bool of_stream(const struct uc_words *w)
{
	return !strncmp(w->action, "proxying", 8) && !strstr(w->action, "upgraded");
}

static void facts_words(struct uc_facts *f, const struct uc_pair *p)
{
	f->means = UC_MEANS_NOTHING;
	f->remarked = p->said.count;
	for (size_t i = 0; i < p->said.count; i++) {
		const struct uc_words *w = &p->said.words[i];
		enum uc_words_means means = uc_words_means(w->kind);

		f->stream |= w->kind == UC_WORDS_STREAM_PROGRESS || of_stream(w);

		if (means == UC_MEANS_NOTHING)
			continue;
		f->words = w;
		f->means = means;
	}
	f->silent = !f->words && p->hearing >= UC_WORDS_ERROR;
	f->silent_info = !f->words && p->hearing >= UC_WORDS_INFO;
}

/* It had a reason of its own, whether or not the peer closed at the same time. */
static bool ended_by_nginx(enum uc_words_means means)
{
	return means == UC_MEANS_TIMED_OUT || means == UC_MEANS_REJECTED ||
	       means == UC_MEANS_CLIENT_GONE || means == UC_MEANS_CLIENT_SLOW;
}

static void facts_clients(struct uc_facts *f, const struct uc_clients *cl)
{
	uint64_t closed = f->nginx->end.ts_ns;

	if (!cl->known || !closed)
		return;
	f->client_gone_likely = cl->gone > 0 && cl->last_gone_ns <= closed &&
				closed - cl->last_gone_ns < CLIENT_RECENT_NS;
	f->client_quiet = cl->gone <= 0 && (cl->last_recv_ns > closed ||
					    closed - cl->last_recv_ns > CLIENT_QUIET_NS);
	f->client_active = cl->gone <= 0 && !f->client_quiet;
}

/* ALPN of a ClientHello that offers nothing but h2, as nginx does for grpcs:// (RFC 7301). */
static bool offers_http2(const struct uc_heads *h)
{
	static const uint8_t alpn[] = { 0, 16, 0, 5, 0, 3, 2, 'h', '2' };

	return memmem(h->request, h->request_len, alpn, sizeof(alpn));
}

static void facts_request(struct uc_facts *f, const struct uc_heads *h)
{
	const struct uc_exchange *x = &f->nginx->x;

	f->request_bytes = x->out_bytes;
	f->number = f->adopted ? 0 : x->number;
	f->reused = x->number > 1 || (f->adopted && f->nginx->flags & UC_CONN_REUSED) ||
		    (f->nginx->flags & UC_CONN_WAITING && x->number);
	/* two of the end's threads at once can make the difference of their times negative */
	f->idle_known = f->reused && x->idle_ns && !(x->idle_ns >> 60);
	f->idle_ns = f->idle_known ? x->idle_ns : 0;
	uc_http_request(h->request, h->request_len, &f->request);
	if (h->request_len &&
	    !uc_http_request_certain(&f->request, h->request_len, UC_REQUEST_HEAD))
		f->request = (struct uc_request_head){ .state = UC_HEAD_INVALID,
						       .framing = UC_FRAMING_CLOSE };
	f->tls = f->nginx->flags & UC_CONN_TLS;
	f->opaque = f->request.state == UC_HEAD_INVALID ||
		    (f->request.state == UC_HEAD_EMPTY && x->out_bytes);
	f->fastcgi = f->opaque && uc_fastcgi_request(h->request, h->request_len);
	f->http2 = f->nginx->flags & UC_CONN_HTTP2 || (f->tls && offers_http2(h));
	/* of another protocol, turns were counted, which need not be requests */
	if (f->opaque && !f->tls && !f->fastcgi)
		f->number = 0;
	if (f->http2) {
		f->number = 0;
		f->reused = false;
		f->idle_known = false;
	}
	f->body_begun = f->request.head_len && x->out_bytes > f->request.head_len;
	if (f->request.state == UC_HEAD_COMPLETE && f->request.framing != UC_FRAMING_CHUNKED)
		f->request_cut = x->out_bytes < f->request.head_len ||
				 x->out_bytes - f->request.head_len < f->request.length;
}

/* What had been acknowledged of the request when the peer closed, or when nginx did. */
static void facts_acknowledged(struct uc_facts *f)
{
	const struct uc_conn *c = f->nginx;
	const struct uc_snap *s = c->peer.ts_ns ? &c->peer : &c->end;
	uint32_t end = c->x.out_seq + (uint32_t)c->x.out_bytes;

	if (!s->ts_ns || !c->x.out_bytes)
		return;
	f->unacked_known = true;
	f->sent_after_fin = c->peer_closed == UC_EV_FIN && !reaches(&c->x, s->write_seq);
	/* what nginx wrote after the close counts too: none of it was acknowledged */
	if (seq_after(s->write_seq, end))
		end = s->write_seq;
	f->unacked_bytes = reaches(&c->x, s->snd_una) ? end - s->snd_una : c->x.out_bytes;
	f->out_stuck = f->unacked_bytes;
}

static enum uc_response_state body_state(struct uc_facts *f, const struct uc_heads *h)
{
	const uint8_t *tail = h->tail + UC_RESPONSE_TAIL - h->tail_len;

	switch (uc_http_body(&f->response, h->response, h->response_len, f->response_bytes, tail,
			     h->tail_len, &f->missing_bytes)) {
	case UC_BODY_COMPLETE:
		/* only a FIN ends it well (RFC 9112, section 6.3) */
		if (f->response.framing == UC_FRAMING_CLOSE && f->close != UC_CLOSE_FIN)
			return UC_RESPONSE_BODY;
		if (f->response.framing == UC_FRAMING_CLOSE &&
		    f->closed_by != UC_CLOSED_BY_UPSTREAM)
			return UC_RESPONSE_BODY;
		return UC_RESPONSE_COMPLETE;
	case UC_BODY_SHORT:
		return f->response.state == UC_HEAD_PARTIAL &&
				       f->response_bytes == h->response_len ?
			       UC_RESPONSE_HEADER :
			       UC_RESPONSE_BODY;
	case UC_BODY_INVALID:
		f->chunks_invalid = true;
		return UC_RESPONSE_BODY;
	case UC_BODY_UNKNOWN:
		break;
	}
	return UC_RESPONSE_UNKNOWN;
}

static enum uc_response_state fastcgi_state(struct uc_facts *f, const struct uc_heads *h)
{
	const uint8_t *tail = h->tail + UC_RESPONSE_TAIL - h->tail_len;

	switch (uc_fastcgi_response(h->response, h->response_len, f->response_bytes, tail,
				    h->tail_len, uc_fastcgi_keeps(h->request, h->request_len))) {
	case UC_FASTCGI_COMPLETE:
		return UC_RESPONSE_COMPLETE;
	case UC_FASTCGI_HEADER:
		return UC_RESPONSE_HEADER;
	case UC_FASTCGI_BODY:
		f->response_short = true;
		return UC_RESPONSE_BODY;
	case UC_FASTCGI_UNKNOWN:
		break;
	}
	return UC_RESPONSE_UNKNOWN;
}

/* uwsgi answers in HTTP/1; the method says whether there is a body to await. */
static bool uwsgi_method(struct uc_facts *f, const struct uc_heads *h)
{
	return h->response_len >= 5 &&
	       uc_uwsgi_request(h->request, h->request_len, &f->request.method,
				&f->request.method_len) &&
	       f->request.method;
}

static enum uc_response_state response_state(struct uc_facts *f, const struct uc_heads *h)
{
	if (!f->response_bytes)
		return UC_RESPONSE_NONE;
	/* adopted within a response: what was kept of it is not its beginning */
	if (!h->response_len || (f->adopted && !f->nginx->x.number && !f->exchange_unseen))
		return UC_RESPONSE_UNKNOWN;
	f->plain_answer = f->tls && h->response_len >= 5 && !memcmp(h->response, "HTTP/", 5);
	f->tls_answer = !f->tls && h->response_len >= 3 && h->response[0] >= 20 &&
			h->response[0] <= 23 && h->response[1] == 3;
	if (f->fastcgi)
		return fastcgi_state(f, h);
	if (f->opaque && !(uwsgi_method(f, h) && !memcmp(h->response, "HTTP/", 5)))
		return UC_RESPONSE_UNKNOWN;
	uc_http_response(h->response, h->response_len, f->request.method, f->request.method_len,
			 &f->response);
	if (f->response.state == UC_HEAD_INVALID) {
		f->status_malformed = h->response_len >= 5 && !f->response.status &&
				      !memcmp(h->response, "HTTP/", 5);
		return UC_RESPONSE_NOT_HTTP;
	}
	if (f->response.framing == UC_FRAMING_UPGRADE && f->response.state == UC_HEAD_COMPLETE)
		return UC_RESPONSE_UPGRADED;
	return body_state(f, h);
}

/* The last bytes of what came: a fatal alert, not yet encrypted (RFC 8446, section 6). */
static int tls_alert(const struct uc_heads *h)
{
	const uint8_t *end = h->tail_len >= 7 ? h->tail + UC_RESPONSE_TAIL :
						h->response + h->response_len;

	if (h->tail_len < 7 && h->response_len < 7)
		return -1;
	return end[-7] == 21 && end[-6] == 3 && !end[-4] && end[-3] == 2 && end[-2] == 2 ? end[-1] :
											   -1;
}

static void facts_response(struct uc_facts *f, const struct uc_heads *h)
{
	const char *value;
	size_t len;

	f->response_bytes = f->nginx->x.in_bytes;
	f->response_state = response_state(f, h);
	f->tls_alert = f->tls && !f->nginx->x.number && f->response_bytes ? tls_alert(h) : -1;
	f->accel_redirect = f->response.status &&
			    uc_http_field(h->response + f->response.interim_len,
					  h->response_len - f->response.interim_len,
					  "x-accel-redirect", &value, &len);
	f->in_stuck = f->unread_by_nginx && f->nginx->x.in_last_ns &&
		      f->nginx->end.ts_ns > f->nginx->x.in_last_ns + LEFT_UNREAD_NS;
	f->persistent = !f->request.close && !f->response.close && !(f->opaque && !f->tls);
}

static enum uc_phase phase_of(const struct uc_facts *f)
{
	if (!f->established)
		return UC_PHASE_CONNECT;
	if (f->tls && !f->nginx->x.number)
		return UC_PHASE_TLS;
	if (!f->exchange)
		return f->adopted || f->reused ? UC_PHASE_IDLE : UC_PHASE_REQUEST;
	switch (f->response_state) {
	case UC_RESPONSE_NONE:
		return f->request_cut ? UC_PHASE_REQUEST : UC_PHASE_RESPONSE_HEADER;
	case UC_RESPONSE_HEADER:
	case UC_RESPONSE_NOT_HTTP:
		return UC_PHASE_RESPONSE_HEADER;
	case UC_RESPONSE_UPGRADED:
		return UC_PHASE_UPGRADED;
	case UC_RESPONSE_BODY:
	case UC_RESPONSE_UNKNOWN:
		return UC_PHASE_RESPONSE_BODY;
	case UC_RESPONSE_COMPLETE:
		break;
	}
	return UC_PHASE_IDLE;
}

/* Where its bytes cannot be read, nginx's words have what it was doing. */
static enum uc_phase phase_said(const struct uc_facts *f)
{
	static const struct {
		const char *action;
		enum uc_phase phase;
	} phases[] = {
		{ "SSL handshaking to upstream", UC_PHASE_TLS },
		{ "sending request to upstream", UC_PHASE_REQUEST },
		{ "reading response header from upstream", UC_PHASE_RESPONSE_HEADER },
		{ "reading upstream", UC_PHASE_RESPONSE_BODY },
	};

	for (size_t i = 0; f->opaque && f->words && i < ARRAY_SIZE(phases); i++)
		if (!strcmp(f->words->action, phases[i].action))
			return phases[i].phase;
	return phase_of(f);
}

/* The FIN takes a sequence number of its own. */
static uint32_t unread_at(const struct uc_snap *s, bool fin)
{
	uint32_t n = s->rcv_nxt - s->copied_seq;

	if (!s->ts_ns || (int32_t)n <= 0)
		return 0;
	return fin ? n - 1 : n;
}

static void facts_upstream(struct uc_facts *f)
{
	const struct uc_conn *u = f->upstream;
	const struct uc_snap *s = u->end.ts_ns ? &u->end : &u->peer;

	f->upstream_closed = u->end_state;
	f->closed_alive = u->end_state && u->closer.tgid &&
			  !(u->closer.flags & (UC_TASK_EXITING | UC_TASK_KTHREAD));
	f->unaccepted = u->end_state && u->flags & UC_CONN_UNACCEPTED;
	f->unread_bytes = unread_at(s, u->peer_closed == UC_EV_FIN);
	f->window_shut = u->end.ts_ns && !u->end.snd_wnd && u->end.write_seq != u->end.snd_una;
	if (!f->exchange || f->exchange_unseen)
		return;
	f->got_none = !reaches(&f->nginx->x, s->rcv_nxt);
	f->read_none = !reaches(&f->nginx->x, s->copied_seq);
}

/* The log keeps the newest events, and a look at an idle connection is followed by its close. */
static bool peeked(const struct uc_conn *c)
{
	uint32_t kept = c->events < UC_EVENTS ? c->events : UC_EVENTS;

	for (uint32_t i = 0; i < kept; i++)
		if (c->ev[i].kind == UC_EV_PEEK && c->ev[i].exchange == c->x.number)
			return true;
	return false;
}

/* What nginx learned of its peer's end by a system call, in the newest exchange. */
static void facts_seen(struct uc_facts *f)
{
	const struct uc_conn *c = f->nginx;
	uint32_t kept = c->events < UC_EVENTS ? c->events : UC_EVENTS;
	bool seen = false;

	for (uint32_t i = 0; i < kept; i++) {
		const struct uc_event *e = &c->ev[i];

		if (e->exchange != c->x.number)
			continue;
		f->read_error |= e->kind == UC_EV_RECV_ERROR;
		seen |= e->kind == UC_EV_EOF || e->kind == UC_EV_RECV_ERROR ||
			e->kind == UC_EV_SEND_ERROR || e->kind == UC_EV_PEEK;
	}
	f->end_unseen = c->peer_closed && !seen;
}

/*
 * nginx had not looked at the peer's FIN when it went on: its timer had fired.
 * Over TLS such a FIN answers nginx's own close_notify, which is no activity.
 */
static bool gave_up_unaware(const struct uc_facts *f)
{
	const struct uc_conn *c = f->nginx;

	return f->close == UC_CLOSE_FIN && f->gave_up &&
	       (!c->x.in_bytes || f->gave_up_status == 504 || c->x.out_last_ns > c->activity_ns);
}

/*
 * A hook may miss a call: a return probe that the kernel had no room for, or a path
 * that it does not cover. The socket's own numbers know of the bytes all the same;
 * a FIN that was read takes one of them. More bytes than numbers are no loss: data
 * may be read after a reset.
 */
static uint32_t unheard(const struct uc_conn *c)
{
	const struct uc_exchange *x = &c->x;
	uint32_t out = c->end.write_seq - x->out_seq - (uint32_t)x->out_bytes;
	uint32_t in = c->end.copied_seq - x->in_seq - (uint32_t)x->in_bytes;
	uint32_t sum = 0;

	if (!c->end.ts_ns)
		return 0;
	if (x->out_bytes && (int32_t)out > 0)
		sum += out;
	if (x->in_bytes && (int32_t)in > 1)
		sum += in;
	return sum;
}

/* The upstream had closed behind its answer, which nginx did not look at: it had refused the answer. */
static bool refused_unaware(const struct uc_facts *f)
{
	return f->end_unseen && f->nginx->flags & UC_CONN_AT_ONCE && f->gave_up_status == 502 &&
	       f->response.status && f->response.status != 502;
}

void uc_facts(const struct uc_pair *pair, struct uc_facts *f)
{
	const struct uc_conn *c = &pair->nginx.conn;

	memset(f, 0, sizeof(*f));
	f->nginx = c;
	f->upstream = pair->has_upstream ? &pair->upstream.conn : NULL;
	f->upstream_missing = pair->upstream_missing;
	f->adopted = c->flags & UC_CONN_ADOPTED;
	f->log_wrapped = c->events > UC_EVENTS;
	f->log_torn = c->flags & UC_CONN_TORN;
	f->unheard_bytes = unheard(c);
	f->unread_by_nginx = unread_at(&c->end, c->peer_closed == UC_EV_FIN);
	facts_words(f, pair);
	facts_end(f);
	facts_clients(f, &pair->nginx.clients);
	facts_followup(f, &pair->outcome);
	f->exchange = c->x.number || (c->flags & UC_CONN_TLS && c->x.out_bytes);
	f->pooled = peeked(c);
	facts_seen(f);
	if (f->established && ended_by_nginx(f->means))
		f->closed_by = UC_CLOSED_BY_NGINX;
	if (f->end_unseen && (f->client_gone || f->unread_by_nginx || gave_up_unaware(f)))
		f->closed_by = UC_CLOSED_BY_NGINX;
	if (f->adopted && (!c->x.number || !c->x.out_bytes) && c->flags & UC_CONN_WAITING) {
		/* its request went out before; the response, if any came, was not asked for in sight */
		f->exchange = true;
		f->exchange_unseen = true;
	}
	facts_request(f, &pair->nginx.heads);
	facts_acknowledged(f);
	facts_response(f, &pair->nginx.heads);
	if (refused_unaware(f))
		f->closed_by = UC_CLOSED_BY_NGINX;
	f->phase = phase_said(f);
	/* nginx had chosen it for a request that it then never sent */
	if ((f->retried || (f->words && f->words->kind == UC_WORDS_RESET_UNSENT)) &&
	    f->close == UC_CLOSE_RST && f->response_state == UC_RESPONSE_COMPLETE)
		f->reused = true;
	if (f->upstream)
		facts_upstream(f);
	if (c->x.out_last_ns && f->end_ns > c->x.out_last_ns)
		f->waited_ns = f->end_ns - c->x.out_last_ns;
	if (c->activity_ns && f->end_ns > c->activity_ns)
		f->stalled_ns = f->end_ns - c->activity_ns;
}

/* It closes what it holds, and ends; what else it has to do meanwhile is little. */
#define EXIT_SOON_NS 10000000ULL

/* What it closed as a part of its work, and not since it ended. */
static bool closed_for_a_reason(const struct uc_facts *f)
{
	return f->retried || f->other_request || f->client_gone || f->words ||
	       f->nginx->flags & UC_CONN_AT_ONCE;
}

void uc_facts_exit(struct uc_facts *f, uint64_t exit_ns, uint64_t announced_ns)
{
	const uint64_t closed = f->nginx->end.ts_ns;

	f->nginx_exited = f->closed_by == UC_CLOSED_BY_NGINX && exit_ns >= closed &&
			  exit_ns - closed < EXIT_SOON_NS && announced_ns <= closed &&
			  !closed_for_a_reason(f);
	f->exit_announced = f->nginx_exited && announced_ns;
}

/* nginx's timers are late by as much as its worker is busy, and begin with what it did last. */
void uc_facts_timeout(struct uc_facts *f, int64_t timeout_ms)
{
	const uint64_t want = (uint64_t)timeout_ms * 1000000, have = f->stalled_ns;

	if (timeout_ms <= 0)
		return;
	f->timer_fits = have >= want - want / 20 && have <= want + want / 20 + 100000000;
	f->timer_excluded = have < want - want / 20 || have > want + want / 2 + 1000000000;
}

uint64_t uc_facts_upstream_idle(const struct uc_facts *f)
{
	const struct uc_conn *c = f->nginx, *u = f->upstream;
	uint64_t closed = f->end_ns, used = c->activity_ns;

	if (f->closed_by != UC_CLOSED_BY_UPSTREAM || f->close != UC_CLOSE_FIN)
		return 0;
	if (u && (!f->upstream_closed || u->closer.flags & (UC_TASK_EXITING | UC_TASK_KTHREAD)))
		return 0;
	if (u) {
		closed = u->end.ts_ns;
		used = u->activity_ns;
	} else if (f->response_state == UC_RESPONSE_NONE) {
		/* raced: nginx's own request does not count as use */
		used = c->x.idle_ns ? c->x.out_first_ns - c->x.idle_ns : 0;
	}
	return used && closed > used ? closed - used : 0;
}
