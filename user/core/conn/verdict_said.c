/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/verdict_rule.h"

static bool said_timed_out_sending(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_TIMED_OUT) && uc_acting(f, "sending request");
}

static bool said_timed_out(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_TIMED_OUT);
}

/* Of a connection that stood; what was no answer to begin with has a name of its own. */
static bool said_rejected(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_REJECTED) && f->established && !f->plain_answer &&
	       !f->tls_answer;
}

/* nginx took it for HTTP/0.9, passed it on, and waited for its end. */
static bool not_http_and_waited(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_TIMED_OUT) && f->response_state == UC_RESPONSE_NOT_HTTP;
}

/* A client that leaves with the response whole does the upstream's connection no harm. */
static bool said_client_gone(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_CLIENT_GONE) && f->response_state != UC_RESPONSE_COMPLETE;
}

static bool said_client_slow_sending(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_CLIENT_SLOW) && uc_acting(f, "request body");
}

static bool said_client_slow(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_CLIENT_SLOW) && f->response_state != UC_RESPONSE_COMPLETE;
}

/* nginx itself would not go on with the handshake: the upstream's certificate, or its name. */
static bool said_tls_refused(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_TLS_FAILED) && f->closed_by == UC_CLOSED_BY_NGINX;
}

/* One stream of an HTTP/2 connection, which may go on. */
static bool said_stream_reset(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_STREAM_RESET) && f->words->kind != UC_WORDS_STREAM_CLOSED;
}

static bool said_stream_closed(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_STREAM_RESET);
}

/* What looks whole, as that of FastCGI does, and was not to nginx, which knows more of it. */
static bool said_closed_in_body(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_CLOSED) && f->response_state == UC_RESPONSE_COMPLETE &&
	       !uc_acting(f, "response header");
}

static bool said_closed(const struct uc_facts *f)
{
	return uc_said(f, UC_MEANS_CLOSED) && f->response_state == UC_RESPONSE_COMPLETE;
}

const struct uc_rule uc_rules_said[] = {
	{ not_http_and_waited, UC_VERDICT_PROTOCOL_MISMATCH, UC_PROOF_FIRST_BYTES, PROVEN, 0 },
	{ said_timed_out_sending, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_SEND_TIMEOUT, PROVEN, 0 },
	{ said_timed_out, UC_VERDICT_NGINX_TIMEOUT, UC_PROOF_READ_TIMEOUT, PROVEN, 0 },
	{ said_rejected, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED, PROVEN, 0 },
	{ said_tls_refused, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED, PROVEN, 0 },
	{ said_stream_reset, UC_VERDICT_UPSTREAM_RESET, UC_PROOF_STREAM_RESET, PROVEN, 0 },
	{ said_stream_closed, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_STREAM_RESET, PROVEN, 0 },
	{ said_closed_in_body, UC_VERDICT_BODY_TRUNCATED, UC_PROOF_NGINX_LOG, PROVEN, 0 },
	{ said_closed, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_NGINX_LOG, PROVEN, 0 },
	{ said_client_gone, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_CLOSED, PROVEN, 0 },
	{ said_client_slow_sending, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_BODY_TIMEOUT, PROVEN,
	  0 },
	{ said_client_slow, UC_VERDICT_CLIENT_GONE, UC_PROOF_CLIENT_SEND_TIMEOUT, PROVEN, 0 },
	{ 0 },
};
