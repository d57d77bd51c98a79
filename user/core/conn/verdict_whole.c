/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/verdict_rule.h"

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
	return uc_upstream_exited(f) && (open_or_opaque(f) || uc_before_any_request(f));
}

static bool died_oom(const struct uc_facts *f)
{
	return died(f) && f->upstream->closer.flags & UC_TASK_OOM;
}

static bool died_signal(const struct uc_facts *f)
{
	return died(f) && (f->upstream->closer.exit_code & 0x7f);
}

/* One of the two ends spoke TLS, the other plain HTTP. */
static bool tls_against_plain(const struct uc_facts *f)
{
	return (f->plain_answer || f->tls_answer) && !f->stream;
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
	       f->closed_by == UC_CLOSED_BY_UPSTREAM &&
	       (f->retried || f->gave_up_status == 502 || uc_said(f, UC_MEANS_CLOSED) ||
		uc_said(f, UC_MEANS_BROKEN));
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
	       f->stalled_ns >= 50 * MS && !f->silent && !f->timer_excluded &&
	       (f->gave_up_status || f->retried);
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
	return !f->silent && f->closed_by == UC_CLOSED_BY_NGINX &&
	       f->response_state != UC_RESPONSE_HEADER && f->nginx->flags & UC_CONN_AT_ONCE &&
	       f->gave_up_status == 502 && f->response.status && f->response.status != 502;
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

/* Where it ended cannot be read, but nginx could. */
static bool opaque_cut(const struct uc_facts *f)
{
	return f->opaque && f->response_state == UC_RESPONSE_UNKNOWN &&
	       (uc_said(f, UC_MEANS_CLOSED) || uc_said(f, UC_MEANS_BROKEN)) &&
	       (uc_acting(f, "reading upstream") || uc_acting(f, "sending to client"));
}

/* stream{} passes bytes on, and either end may be the one that has no more of them. */
static bool relayed(const struct uc_facts *f)
{
	return f->stream && !f->words;
}

/* http{} says of each upstream that closes too early; what it does not speak of is relayed by stream{}. */
static bool relayed_in_silence(const struct uc_facts *f)
{
	return f->silent && !f->remarked && f->closed_by == UC_CLOSED_BY_UPSTREAM &&
	       f->close == UC_CLOSE_FIN && !f->tls && !f->fastcgi && !f->http2 && !f->retried &&
	       !f->gave_up_status && (f->opaque || f->response_state == UC_RESPONSE_NOT_HTTP);
}

const struct uc_rule uc_rules_whole[] = {
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
	{ relayed, UC_VERDICT_COMPLETE, UC_PROOF_NGINX_LOG, PROVEN, 0 },
	{ relayed_in_silence, UC_VERDICT_COMPLETE, UC_PROOF_OPAQUE, LIKELY, 0 },
	{ opaque_cut, UC_VERDICT_BODY_TRUNCATED, UC_PROOF_NGINX_LOG, PROVEN, PEER },
	{ opaque_reset, UC_VERDICT_UPSTREAM_RESET, UC_PROOF_RST, LIKELY, 0 },
	{ opaque_closed, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_DELIBERATE_CLOSE, LIKELY, 0 },
	{ opaque_failed, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_OPAQUE, LIKELY, PEER },
	{ opaque_timeout, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_READ_TIMEOUT, LIKELY, 0 },
	{ opaque_answered, UC_VERDICT_COMPLETE, UC_PROOF_OPAQUE, LIKELY, 0 },
	{ long_header_unpooled, UC_VERDICT_UNKNOWN, UC_PROOF_LOSSY, 0, 0 },
	{ long_header, UC_VERDICT_COMPLETE, UC_PROOF_RESPONSE_COMPLETE, LIKELY, 0 },
	{ 0 },
};
