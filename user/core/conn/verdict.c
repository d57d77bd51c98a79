/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One table, read from the top: the first row whose condition holds is the
 * answer. A row may rely on every row above it having said no. New verdict, new row.
 */
#include "core/conn/verdict.h"

#include <errno.h>

#define MS 1000000ULL

typedef bool (*condition)(const struct uc_facts *f);

/* ---- no connection ---- */

static bool refused(const struct uc_facts *f)
{
	return !f->established && f->close == UC_CLOSE_REFUSED;
}

static bool connect_unreachable(const struct uc_facts *f)
{
	return !f->established && f->close == UC_CLOSE_UNREACHABLE;
}

static bool connect_nginx_exited(const struct uc_facts *f)
{
	return !f->established && f->closed_by == UC_CLOSED_BY_NGINX && f->nginx_exiting;
}

static bool connect_client_gone(const struct uc_facts *f)
{
	return !f->established && f->closed_by == UC_CLOSED_BY_NGINX && f->client_gone;
}

/* nginx's kernel gave up, or nothing but nginx's own timer can have ended the wait. */
static bool connect_timeout(const struct uc_facts *f)
{
	return !f->established && f->close == UC_CLOSE_TIMEOUT &&
	       (f->err == ETIMEDOUT || f->gave_up || f->client_quiet);
}

static bool connect_timeout_likely(const struct uc_facts *f)
{
	return !f->established && f->close == UC_CLOSE_TIMEOUT;
}

/* Set back to CLOSE within connect() without an error from the network: no free local port. */
static bool connect_local(const struct uc_facts *f)
{
	return !f->established && !f->err && f->nginx->open_ns &&
	       f->closed_by == UC_CLOSED_BY_UNKNOWN;
}

static bool never_established(const struct uc_facts *f)
{
	return !f->established;
}

/* ---- the peer ended ---- */

static bool by_upstream(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_UPSTREAM;
}

static bool before_any_request(const struct uc_facts *f)
{
	return by_upstream(f) && !f->exchange && !f->nginx->x.in_bytes;
}

static bool upstream_exited(const struct uc_facts *f)
{
	return by_upstream(f) && f->upstream && f->upstream_closed &&
	       f->upstream->closer.flags & UC_TASK_EXITING &&
	       !(f->upstream->closer.flags & UC_TASK_KTHREAD);
}

static bool open_exchange(const struct uc_facts *f)
{
	if (f->phase == UC_PHASE_TLS)
		return true;
	return f->exchange && f->response_state != UC_RESPONSE_COMPLETE &&
	       f->response_state != UC_RESPONSE_UPGRADED &&
	       f->response_state != UC_RESPONSE_UNKNOWN;
}

/* An opaque response was going on as far as anybody can tell, unless nginx had pooled the connection. */
static bool open_or_opaque(const struct uc_facts *f)
{
	return open_exchange(f) || (f->exchange && f->response_state == UC_RESPONSE_UNKNOWN);
}

static bool died(const struct uc_facts *f)
{
	return upstream_exited(f) && (open_or_opaque(f) || before_any_request(f));
}

static bool died_oom(const struct uc_facts *f)
{
	return died(f) && f->upstream->closer.flags & UC_TASK_OOM;
}

static bool died_signal(const struct uc_facts *f)
{
	return died(f) && (f->upstream->closer.exit_code & 0x7f);
}

/* ---- nothing was going on ---- */

/* Where the upstream closed behind a response that was seen in part, it may have cut it. */
static bool unseen_and_idle(const struct uc_facts *f)
{
	return f->adopted && !f->exchange &&
	       !(f->response_bytes && f->closed_by == UC_CLOSED_BY_UPSTREAM);
}

static bool pooled(const struct uc_facts *f)
{
	return f->pooled;
}

/* One of the two ends spoke TLS, the other plain HTTP. */
static bool tls_against_plain(const struct uc_facts *f)
{
	return f->plain_answer || f->tls_answer;
}

static bool never_used(const struct uc_facts *f)
{
	return !f->exchange && f->closed_by == UC_CLOSED_BY_NGINX && !f->nginx->x.in_bytes;
}

static bool upgraded(const struct uc_facts *f)
{
	return f->exchange && f->response_state == UC_RESPONSE_UPGRADED;
}

/* An early answer; nginx read it, and then the reset that the rest of the body met. */
static bool answered_and_reset(const struct uc_facts *f)
{
	return f->exchange && f->response_state == UC_RESPONSE_COMPLETE && f->read_error &&
	       f->closed_by == UC_CLOSED_BY_UPSTREAM && f->close == UC_CLOSE_RST;
}

static bool answered_body_unread(const struct uc_facts *f)
{
	return answered_and_reset(f) && f->upstream && f->upstream_closed && f->unread_bytes;
}

/* Reset while idle, and nginx noticed only when it had chosen it for a request, which it repeated. */
static bool reset_and_chosen(const struct uc_facts *f)
{
	return f->exchange && f->response_state == UC_RESPONSE_COMPLETE && f->persistent &&
	       f->closed_by == UC_CLOSED_BY_UPSTREAM && f->close == UC_CLOSE_RST && f->retried;
}

static bool complete_and_kept(const struct uc_facts *f)
{
	return f->exchange && f->response_state == UC_RESPONSE_COMPLETE && f->persistent;
}

static bool complete(const struct uc_facts *f)
{
	return f->exchange && f->response_state == UC_RESPONSE_COMPLETE;
}

/*
 * Bytes came that cannot be read (TLS's tickets and alerts are such, too), the
 * upstream closed, and nginx went on as after a failure.
 */
static bool opaque_failed(const struct uc_facts *f)
{
	return f->opaque && f->response_state == UC_RESPONSE_UNKNOWN &&
	       f->closed_by == UC_CLOSED_BY_UPSTREAM && (f->retried || f->gave_up_status == 502);
}

static bool opaque_closed(const struct uc_facts *f)
{
	return opaque_failed(f) && f->closed_alive;
}

/*
 * nginx waited for more of what cannot be read, and closed without having read
 * on; then it told its client, or tried again.
 */
static bool opaque_timeout(const struct uc_facts *f)
{
	return f->opaque && f->response_state == UC_RESPONSE_UNKNOWN && !f->pooled &&
	       f->closed_by == UC_CLOSED_BY_NGINX && !(f->nginx->flags & UC_CONN_AT_ONCE) &&
	       f->stalled_ns >= 50 * MS && (f->gave_up_status || f->retried);
}

/* Encrypted, or another protocol: an answer came, and where it ended cannot be read. */
static bool opaque_answered(const struct uc_facts *f)
{
	return f->opaque && f->response_state == UC_RESPONSE_UNKNOWN && f->response_bytes &&
	       f->phase != UC_PHASE_TLS;
}

static bool opaque_reset(const struct uc_facts *f)
{
	return f->exchange && f->response_state == UC_RESPONSE_UNKNOWN &&
	       f->closed_by == UC_CLOSED_BY_UPSTREAM && f->close == UC_CLOSE_RST;
}

/* nginx answered 502 to a whole header that was no 502: it was whole, and not acceptable. */
static bool rejected_as_502(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_NGINX && f->response_state != UC_RESPONSE_HEADER &&
	       f->nginx->flags & UC_CONN_AT_ONCE && f->gave_up_status == 502 &&
	       f->response.status && f->response.status != 502;
}

/* A header longer than what is kept of it, and no framing in the kept part that says otherwise. */
/* A complete response would have put the connection into nginx's idle pool. */
static bool long_header_unpooled(const struct uc_facts *f)
{
	return f->exchange && f->response_state == UC_RESPONSE_UNKNOWN && f->response.status &&
	       f->closed_by == UC_CLOSED_BY_UPSTREAM && f->persistent && !f->response_short;
}

static bool long_header(const struct uc_facts *f)
{
	return f->exchange && f->response_state == UC_RESPONSE_UNKNOWN && f->response.status &&
	       !f->response_short;
}

/* ---- nginx closed ---- */

static bool by_nginx(const struct uc_facts *f)
{
	return f->closed_by == UC_CLOSED_BY_NGINX;
}

static bool nginx_exited(const struct uc_facts *f)
{
	return by_nginx(f) && f->nginx_exiting;
}

static bool client_gone(const struct uc_facts *f)
{
	return by_nginx(f) && f->client_gone;
}

static bool client_gone_unused(const struct uc_facts *f)
{
	return by_nginx(f) && f->client_gone_likely && !f->nginx->x.out_bytes;
}

/* It passes them on as HTTP/0.9, and logs "no valid HTTP/1.0 header" (ngx_http_proxy_module.c). */
static bool not_http_passed_on(const struct uc_facts *f)
{
	return by_nginx(f) && f->response_state == UC_RESPONSE_NOT_HTTP && !f->tls;
}

static bool chunks_refused(const struct uc_facts *f)
{
	return by_nginx(f) && f->chunks_invalid && f->nginx->flags & UC_CONN_AT_ONCE;
}

static bool chunks_invalid(const struct uc_facts *f)
{
	return f->chunks_invalid;
}

/* nginx closed as soon as bytes had come that are no acceptable answer: no timer, no client. */
static bool response_rejected_likely(const struct uc_facts *f)
{
	if (!by_nginx(f) || f->stalled_ns >= 50 * MS)
		return false;
	if (f->phase == UC_PHASE_TLS)
		return f->response_bytes;
	return f->response_state == UC_RESPONSE_HEADER ||
	       f->response_state == UC_RESPONSE_NOT_HTTP ||
	       (f->response_state == UC_RESPONSE_BODY && f->gave_up);
}

static bool response_rejected(const struct uc_facts *f)
{
	return response_rejected_likely(f) && f->gave_up && f->gave_up_status == 502;
}

static bool body_rejected(const struct uc_facts *f)
{
	return by_nginx(f) && f->response_state == UC_RESPONSE_BODY && f->stalled_ns < 50 * MS &&
	       !f->gave_up && !f->client_gone_likely;
}

static bool stuck_sending(const struct uc_facts *f)
{
	return by_nginx(f) && f->response_state == UC_RESPONSE_NONE && f->stalled_ns >= 50 * MS &&
	       f->request_cut;
}

/*
 * Closing a connection in the middle of an exchange, nginx obeys a client or a
 * timer: its 504, its next attempt, or quiet clients leave the timer alone.
 */
static bool timer_alone(const struct uc_facts *f)
{
	if (f->gave_up_status)
		return f->gave_up_status == 504 || f->stalled_ns >= 50 * MS;
	return (f->gave_up || f->client_quiet) && f->stalled_ns >= 50 * MS;
}

static bool send_timeout(const struct uc_facts *f)
{
	return stuck_sending(f) && timer_alone(f);
}

/* Timeouts are set in whole seconds nearly always; a client's leaving knows no such rhythm. */
static bool in_whole_seconds(const struct uc_facts *f)
{
	return f->stalled_ns >= 990 * MS && (f->stalled_ns + 10 * MS) % (1000 * MS) < 60 * MS;
}

static bool send_timeout_likely(const struct uc_facts *f)
{
	return stuck_sending(f) && in_whole_seconds(f);
}

static bool read_timeout(const struct uc_facts *f)
{
	return by_nginx(f) && !f->request_cut && timer_alone(f);
}

static bool read_timeout_likely(const struct uc_facts *f)
{
	return by_nginx(f) && !f->request_cut && in_whole_seconds(f);
}

static bool client_gone_likely(const struct uc_facts *f)
{
	return by_nginx(f) && f->client_gone_likely;
}

static bool nginx_closed(const struct uc_facts *f)
{
	return by_nginx(f);
}

/* ---- the upstream closed in the middle of an exchange ---- */

static bool short_of_length(const struct uc_facts *f)
{
	return by_upstream(f) && f->response_state == UC_RESPONSE_BODY &&
	       f->response.framing == UC_FRAMING_LENGTH;
}

static bool short_of_last_chunk(const struct uc_facts *f)
{
	return by_upstream(f) && f->response_state == UC_RESPONSE_BODY &&
	       f->response.framing == UC_FRAMING_CHUNKED;
}

static bool short_of_end_request(const struct uc_facts *f)
{
	return by_upstream(f) && f->response_state == UC_RESPONSE_BODY && f->fastcgi;
}

static bool reset_in_body(const struct uc_facts *f)
{
	return by_upstream(f) && f->response_state == UC_RESPONSE_BODY;
}

static bool short_somewhere(const struct uc_facts *f)
{
	return by_upstream(f) && f->response_state == UC_RESPONSE_UNKNOWN && f->response_short;
}

static bool header_cut(const struct uc_facts *f)
{
	return by_upstream(f) && f->response_state == UC_RESPONSE_HEADER;
}

static bool not_http(const struct uc_facts *f)
{
	return by_upstream(f) && f->response_state == UC_RESPONSE_NOT_HTTP;
}

/* In a handshake bytes go both ways before there is a request to answer. */
static bool unanswered(const struct uc_facts *f)
{
	return by_upstream(f) && f->exchange &&
	       (f->response_state == UC_RESPONSE_NONE || f->phase == UC_PHASE_TLS);
}

static bool unanswered_unseen(const struct uc_facts *f)
{
	return unanswered(f) && f->exchange_unseen;
}

/*
 * A FIN carries the acknowledgement of all that the peer's kernel had; a reset
 * does not advance snd_una, so an unacknowledged request proves nothing there.
 */
static bool arrived_too_late(const struct uc_facts *f)
{
	if (f->upstream && f->upstream_closed && f->got_none)
		return true;
	return f->close == UC_CLOSE_FIN && f->unacked_known && f->request_bytes &&
	       f->unacked_bytes == f->request_bytes;
}

static bool left_unread(const struct uc_facts *f)
{
	return f->upstream && f->upstream_closed && f->read_none && !f->got_none;
}

static bool race_sent_after_fin(const struct uc_facts *f)
{
	return unanswered(f) && f->reused && f->sent_after_fin;
}

static bool race_unacked(const struct uc_facts *f)
{
	return unanswered(f) && f->reused && arrived_too_late(f);
}

static bool race_unread(const struct uc_facts *f)
{
	return unanswered(f) && f->reused && left_unread(f);
}

static bool fresh_sent_after_fin(const struct uc_facts *f)
{
	return unanswered(f) && f->sent_after_fin;
}

static bool fresh_unacked(const struct uc_facts *f)
{
	return unanswered(f) && arrived_too_late(f);
}

static bool fresh_unread(const struct uc_facts *f)
{
	return unanswered(f) && left_unread(f);
}

static bool body_unread(const struct uc_facts *f)
{
	return unanswered(f) && f->upstream && f->upstream_closed &&
	       (f->unread_bytes || f->request_cut) && !f->read_none;
}

static bool closed_by_living_task(const struct uc_facts *f)
{
	return unanswered(f) && f->closed_alive;
}

static bool body_unacked(const struct uc_facts *f)
{
	return unanswered(f) && f->close == UC_CLOSE_FIN && f->unacked_known && f->unacked_bytes &&
	       f->unacked_bytes < f->request_bytes;
}

static bool had_it_all(const struct uc_facts *f)
{
	return unanswered(f) && f->close == UC_CLOSE_FIN && f->unacked_known && !f->unacked_bytes;
}

static bool reset(const struct uc_facts *f)
{
	return unanswered(f) && f->close == UC_CLOSE_RST;
}

static bool closed_before_request(const struct uc_facts *f)
{
	return before_any_request(f) && f->closed_alive;
}

static bool unseen_start(const struct uc_facts *f)
{
	return f->adopted;
}

static bool always(const struct uc_facts *f)
{
	(void)f;
	return true;
}

/*
 * PEER: the upstream's record may change the answer, so where one should exist
 * and is not there, the row is no more than likely.
 */
enum { PEER = 1 };

#define PROVEN UC_CONFIDENCE_PROVEN
#define LIKELY UC_CONFIDENCE_LIKELY

static const struct rule {
	condition when;
	enum uc_verdict_id id;
	enum uc_proof proof;
	enum uc_confidence confidence;
	unsigned needs;
} rules[] = {
	{ refused, UC_VERDICT_CONNECT_FAILED, UC_PROOF_REFUSED, PROVEN, 0 },
	{ connect_unreachable, UC_VERDICT_CONNECT_FAILED, UC_PROOF_UNREACHABLE, PROVEN, 0 },
	{ connect_nginx_exited, UC_VERDICT_UNKNOWN, UC_PROOF_NGINX_EXITED, PROVEN, 0 },
	{ connect_client_gone, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, PROVEN, 0 },
	{ connect_timeout, UC_VERDICT_CONNECT_FAILED, UC_PROOF_TIMEOUT, PROVEN, 0 },
	{ connect_timeout_likely, UC_VERDICT_CONNECT_FAILED, UC_PROOF_TIMEOUT, LIKELY, 0 },
	{ connect_local, UC_VERDICT_CONNECT_FAILED, UC_PROOF_LOCAL, LIKELY, 0 },
	{ never_established, UC_VERDICT_UNKNOWN, UC_PROOF_NONE, 0, 0 },

	{ pooled, UC_VERDICT_IDLE_CLOSE, UC_PROOF_IDLE, PROVEN, 0 },
	{ unseen_and_idle, UC_VERDICT_IDLE_CLOSE, UC_PROOF_UNSEEN_START, LIKELY, 0 },
	{ upgraded, UC_VERDICT_COMPLETE, UC_PROOF_RESPONSE_COMPLETE, PROVEN, 0 },
	{ rejected_as_502, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED, LIKELY, 0 },
	{ answered_body_unread, UC_VERDICT_REQUEST_REJECTED, UC_PROOF_BODY_UNREAD, PROVEN, 0 },
	{ answered_and_reset, UC_VERDICT_UPSTREAM_RESET, UC_PROOF_RST, PROVEN, PEER },
	{ reset_and_chosen, UC_VERDICT_KEEPALIVE_RACE, UC_PROOF_RST, PROVEN, 0 },
	{ complete_and_kept, UC_VERDICT_IDLE_CLOSE, UC_PROOF_IDLE, PROVEN, 0 },
	{ complete, UC_VERDICT_COMPLETE, UC_PROOF_RESPONSE_COMPLETE, PROVEN, 0 },
	{ tls_against_plain, UC_VERDICT_PROTOCOL_MISMATCH, UC_PROOF_FIRST_BYTES, PROVEN, 0 },
	{ died_oom, UC_VERDICT_UPSTREAM_DIED, UC_PROOF_OOM, PROVEN, 0 },
	{ died_signal, UC_VERDICT_UPSTREAM_DIED, UC_PROOF_SIGNAL, PROVEN, 0 },
	{ died, UC_VERDICT_UPSTREAM_DIED, UC_PROOF_EXIT_CODE, PROVEN, 0 },
	{ opaque_reset, UC_VERDICT_UPSTREAM_RESET, UC_PROOF_RST, LIKELY, 0 },
	{ opaque_closed, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_DELIBERATE_CLOSE, LIKELY, 0 },
	{ opaque_failed, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_OPAQUE, LIKELY, PEER },
	{ opaque_timeout, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_READ_TIMEOUT, LIKELY, 0 },
	{ opaque_answered, UC_VERDICT_COMPLETE, UC_PROOF_OPAQUE, LIKELY, 0 },
	{ long_header_unpooled, UC_VERDICT_UNKNOWN, UC_PROOF_LOSSY, 0, 0 },
	{ long_header, UC_VERDICT_COMPLETE, UC_PROOF_RESPONSE_COMPLETE, LIKELY, 0 },

	{ nginx_exited, UC_VERDICT_UNKNOWN, UC_PROOF_NGINX_EXITED, 0, 0 },
	{ chunks_refused, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED, PROVEN, 0 },
	{ client_gone, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, PROVEN, 0 },
	{ client_gone_unused, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, LIKELY, 0 },
	{ never_used, UC_VERDICT_UNKNOWN, UC_PROOF_NONE, 0, 0 },
	{ not_http_passed_on, UC_VERDICT_PROTOCOL_MISMATCH, UC_PROOF_FIRST_BYTES, LIKELY, 0 },
	{ chunks_invalid, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED, LIKELY, 0 },
	{ response_rejected, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED, PROVEN, 0 },
	{ response_rejected_likely, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED,
	  LIKELY, 0 },
	{ body_rejected, UC_VERDICT_UNKNOWN, UC_PROOF_NGINX_CLOSED, 0, 0 },
	{ send_timeout, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_SEND_TIMEOUT, PROVEN, 0 },
	{ send_timeout_likely, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_SEND_TIMEOUT, LIKELY, 0 },
	{ read_timeout, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_READ_TIMEOUT, PROVEN, 0 },
	{ read_timeout_likely, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_READ_TIMEOUT, LIKELY, 0 },
	{ client_gone_likely, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, LIKELY, 0 },
	{ nginx_closed, UC_VERDICT_UNKNOWN, UC_PROOF_NGINX_CLOSED, 0, 0 },

	{ short_of_length, UC_VERDICT_BODY_TRUNCATED, UC_PROOF_CONTENT_LENGTH, PROVEN, PEER },
	{ short_of_last_chunk, UC_VERDICT_BODY_TRUNCATED, UC_PROOF_CHUNKED, PROVEN, PEER },
	{ short_of_end_request, UC_VERDICT_BODY_TRUNCATED, UC_PROOF_END_REQUEST, PROVEN, PEER },
	{ reset_in_body, UC_VERDICT_BODY_TRUNCATED, UC_PROOF_RST, PROVEN, PEER },
	{ short_somewhere, UC_VERDICT_BODY_TRUNCATED, UC_PROOF_CONTENT_LENGTH, LIKELY, PEER },
	{ header_cut, UC_VERDICT_PARTIAL_HEADER, UC_PROOF_HEADER_CUT, PROVEN, PEER },
	{ not_http, UC_VERDICT_PROTOCOL_MISMATCH, UC_PROOF_FIRST_BYTES, LIKELY, PEER },

	{ unanswered_unseen, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_UNSEEN_START, LIKELY, PEER },
	{ race_sent_after_fin, UC_VERDICT_KEEPALIVE_RACE, UC_PROOF_SENT_AFTER_FIN, PROVEN, PEER },
	{ race_unacked, UC_VERDICT_KEEPALIVE_RACE, UC_PROOF_REQUEST_UNACKED, PROVEN, PEER },
	{ race_unread, UC_VERDICT_KEEPALIVE_RACE, UC_PROOF_REQUEST_UNREAD, PROVEN, 0 },
	{ body_unread, UC_VERDICT_REQUEST_REJECTED, UC_PROOF_BODY_UNREAD, PROVEN, 0 },
	{ fresh_sent_after_fin, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_SENT_AFTER_FIN, PROVEN, PEER },
	{ fresh_unacked, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_REQUEST_UNACKED, PROVEN, PEER },
	{ fresh_unread, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_REQUEST_UNREAD, PROVEN, 0 },
	{ closed_by_living_task, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_DELIBERATE_CLOSE, PROVEN, 0 },
	{ body_unacked, UC_VERDICT_REQUEST_REJECTED, UC_PROOF_BODY_UNACKED, LIKELY, PEER },
	/* from nginx's side alone a death looks the same */
	{ had_it_all, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_REQUEST_ACKED, LIKELY, PEER },
	{ reset, UC_VERDICT_UPSTREAM_RESET, UC_PROOF_RST, PROVEN, PEER },
	{ closed_before_request, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_DELIBERATE_CLOSE, PROVEN, 0 },
	{ before_any_request, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_NONE, LIKELY, PEER },

	{ unseen_start, UC_VERDICT_UNKNOWN, UC_PROOF_UNSEEN_START, 0, 0 },
	{ always, UC_VERDICT_UNKNOWN, UC_PROOF_NONE, 0, 0 },
};

struct uc_verdict uc_verdict(const struct uc_facts *f)
{
	const struct rule *r = rules;
	struct uc_verdict v;

	while (!r->when(f))
		r++;
	v.id = r->id;
	v.proof = r->proof;
	v.confidence = r->id == UC_VERDICT_UNKNOWN ? UC_CONFIDENCE_UNKNOWN : r->confidence;
	v.flagged = uc_verdict_flagged(r->id);
	v.lossy = (f->upstream_missing && r->needs & PEER) || f->log_torn || f->unheard_bytes;
	if (v.confidence == UC_CONFIDENCE_PROVEN && v.lossy)
		v.confidence = UC_CONFIDENCE_LIKELY;
	if (v.confidence == UC_CONFIDENCE_PROVEN && v.id == UC_VERDICT_UPSTREAM_DIED &&
	    f->response_state == UC_RESPONSE_UNKNOWN && f->phase != UC_PHASE_TLS)
		v.confidence = UC_CONFIDENCE_LIKELY;
	if (v.confidence == UC_CONFIDENCE_PROVEN && f->exchange_unseen)
		v.confidence = UC_CONFIDENCE_LIKELY;
	return v;
}

void uc_exit_of(const struct uc_task *t, int *ret_status, int *ret_signal)
{
	*ret_status = -1;
	*ret_signal = -1;
	if (!(t->flags & UC_TASK_EXITING))
		return;
	if (t->exit_code & 0x7f)
		*ret_signal = t->exit_code & 0x7f;
	else
		*ret_status = t->exit_code >> 8 & 0xff;
}
