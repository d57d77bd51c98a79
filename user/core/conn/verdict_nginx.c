/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/verdict_rule.h"

static bool never_used(const struct uc_facts *f)
{
	return !f->exchange && f->closed_by == UC_CLOSED_BY_NGINX && !f->nginx->x.in_bytes;
}

/* Opened for a client that left without a word, as a balancer's look at a port of stream{} does. */
static bool never_used_and_left(const struct uc_facts *f)
{
	return never_used(f) && !f->tls && !f->words &&
	       (f->client_gone || f->silent || !f->gave_up);
}

static bool worker_exited(const struct uc_facts *f)
{
	return (f->nginx_exiting || f->nginx_exited);
}

static bool header_taken(const struct uc_facts *f)
{
	return f->exchange && f->phase != UC_PHASE_TLS && f->response_bytes &&
	       (f->response_state == UC_RESPONSE_BODY ||
		f->response_state == UC_RESPONSE_UNKNOWN) &&
	       (f->response.status || f->opaque) && !f->chunks_invalid;
}

/* X-Accel-Redirect (ngx_http_upstream.c, ngx_http_upstream_process_headers()): the body is another's. */
static bool accel_redirect(const struct uc_facts *f)
{
	return header_taken(f) && f->accel_redirect;
}

/* auth_request, mirror, error_page: the worker went on with another request, or said no error. */
static bool body_not_wanted(const struct uc_facts *f)
{
	return header_taken(f) && (f->silent || f->other_request) && !f->client_gone &&
	       f->stalled_ns < 1000 * MS;
}

/* proxy_intercept_errors answers in the upstream's place, at once and with the status or another one. */
static bool intercepted(const struct uc_facts *f)
{
	return header_taken(f) && f->response.state == UC_HEAD_COMPLETE &&
	       f->response.status >= 300 && f->gave_up_status != 502 && f->gave_up_status != 504 &&
	       !f->retried && f->stalled_ns < 50 * MS;
}

/* Errors are heard, and it said none: no timer fired, and no response was refused. */
static bool left_in_silence(const struct uc_facts *f)
{
	return f->silent && !f->silent_info && !f->client_quiet;
}

static bool ended_in_silence(const struct uc_facts *f)
{
	return f->silent && f->exchange && !f->gave_up_status;
}

static bool client_gone(const struct uc_facts *f)
{
	return f->client_gone;
}

static bool client_gone_unused(const struct uc_facts *f)
{
	return f->client_gone_likely && !f->nginx->x.out_bytes;
}

/* It passes them on as HTTP/0.9, and logs "no valid HTTP/1.0 header" (ngx_http_proxy_module.c). */
static bool not_http_passed_on(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_NOT_HTTP && !f->tls;
}

static bool chunks_refused(const struct uc_facts *f)
{
	return f->chunks_invalid && f->nginx->flags & UC_CONN_AT_ONCE;
}

static bool chunks_invalid(const struct uc_facts *f)
{
	return f->chunks_invalid;
}

/* nginx closed as soon as bytes had come that are no acceptable answer: no timer, no client. */
static bool response_rejected_likely(const struct uc_facts *f)
{
	if (f->silent || f->stalled_ns >= 50 * MS)
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
	return f->response_state == UC_RESPONSE_BODY && f->stalled_ns < 50 * MS && !f->gave_up &&
	       !f->client_gone_likely;
}

static bool stuck_sending(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_NONE && f->stalled_ns >= 50 * MS && f->request_cut;
}

/*
 * Closing a connection in the middle of an exchange, nginx obeys a client or a
 * timer: its 504, its next attempt, or quiet clients leave the timer alone.
 */
static bool timer_alone(const struct uc_facts *f)
{
	if (f->silent || f->timer_excluded)
		return false;
	if (f->gave_up_status)
		return f->gave_up_status == 504 ||
		       (f->gave_up_status != 408 && f->stalled_ns >= 50 * MS);
	return f->retried && f->stalled_ns >= 50 * MS;
}

/* nginx's own answer to its client, or the directive in force, is as good as its words. */
static bool timer_known(const struct uc_facts *f)
{
	return f->gave_up_status == 504 || f->timer_fits;
}

static bool send_timeout(const struct uc_facts *f)
{
	return stuck_sending(f) && f->out_stuck && timer_alone(f) && timer_known(f);
}

static bool send_timeout_likely(const struct uc_facts *f)
{
	return stuck_sending(f) && f->out_stuck && !f->silent && !f->timer_excluded &&
	       (timer_alone(f) || f->client_quiet || uc_in_whole_seconds(f));
}

/* All that nginx had written was sent and acknowledged: it waited for its client. */
static bool upload_stalled(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_NONE && f->request_cut && f->body_begun &&
	       !f->out_stuck && f->gave_up_status != 504 && !f->retried;
}

static bool upload_timed_out(const struct uc_facts *f)
{
	return upload_stalled(f) && f->gave_up_status == 408;
}

static bool upload_left(const struct uc_facts *f)
{
	return upload_stalled(f) && f->client_gone_likely;
}

static bool upload_timed_out_likely(const struct uc_facts *f)
{
	return upload_stalled(f) && uc_in_whole_seconds(f);
}

/* nginx read no more of the response, as it could not write what it had. */
static bool download_stalled(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_BODY && f->in_stuck;
}

/* A body that was announced, and of which nothing was written, is not waited for by nginx. */
static bool stuck_reading(const struct uc_facts *f)
{
	return (!f->request_cut || !f->body_begun);
}

static bool read_timeout(const struct uc_facts *f)
{
	return stuck_reading(f) && timer_alone(f) && timer_known(f);
}

/*
 * A browser's own timeout is in whole seconds, too, and a stream of HTTP/2 leaves no
 * trace in TCP when it is cancelled: what nginx did next has to speak for its timer.
 */
static bool read_timeout_likely(const struct uc_facts *f)
{
	if (!stuck_reading(f) || f->silent || f->timer_excluded)
		return false;
	if (timer_alone(f) || (f->client_quiet && !f->gave_up && f->stalled_ns >= 50 * MS))
		return true;
	return uc_in_whole_seconds(f) && (f->gave_up || !f->client_active);
}

static bool client_gone_likely(const struct uc_facts *f)
{
	return f->client_gone_likely;
}

const struct uc_rule uc_rules_nginx[] = {
	{ worker_exited, UC_VERDICT_IDLE_CLOSE, UC_PROOF_NGINX_EXITED, PROVEN, 0 },
	{ chunks_refused, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED, PROVEN, 0 },
	{ client_gone, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, PROVEN, 0 },
	{ client_gone_unused, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, LIKELY, 0 },
	{ never_used_and_left, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, LIKELY, 0 },
	{ never_used, UC_VERDICT_UNKNOWN, UC_PROOF_NONE, 0, 0 },
	{ not_http_passed_on, UC_VERDICT_PROTOCOL_MISMATCH, UC_PROOF_FIRST_BYTES, LIKELY, 0 },
	{ chunks_invalid, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED, LIKELY, 0 },
	{ accel_redirect, UC_VERDICT_COMPLETE, UC_PROOF_NGINX_CLOSED, PROVEN, 0 },
	{ body_not_wanted, UC_VERDICT_COMPLETE, UC_PROOF_NGINX_CLOSED, LIKELY, 0 },
	{ intercepted, UC_VERDICT_COMPLETE, UC_PROOF_NGINX_CLOSED, LIKELY, 0 },
	{ response_rejected, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED, PROVEN, 0 },
	{ response_rejected_likely, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED,
	  LIKELY, 0 },
	{ body_rejected, UC_VERDICT_UNKNOWN, UC_PROOF_NGINX_CLOSED, 0, 0 },
	{ upload_timed_out, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_BODY_TIMEOUT, PROVEN, 0 },
	{ upload_left, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, LIKELY, 0 },
	{ upload_timed_out_likely, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_BODY_TIMEOUT, LIKELY,
	  0 },
	{ upload_stalled, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, LIKELY, 0 },
	{ download_stalled, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_SEND_TIMEOUT, LIKELY, 0 },
	{ send_timeout, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_SEND_TIMEOUT, PROVEN, 0 },
	{ send_timeout_likely, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_SEND_TIMEOUT, LIKELY, 0 },
	{ read_timeout, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_READ_TIMEOUT, PROVEN, 0 },
	{ read_timeout_likely, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_READ_TIMEOUT, LIKELY, 0 },
	{ client_gone_likely, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, LIKELY, 0 },
	{ left_in_silence, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, LIKELY, 0 },
	{ ended_in_silence, UC_VERDICT_COMPLETE, UC_PROOF_NGINX_CLOSED, LIKELY, 0 },
	{ uc_otherwise, UC_VERDICT_UNKNOWN, UC_PROOF_NGINX_CLOSED, 0, 0 },
	{ 0 },
};
