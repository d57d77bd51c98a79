/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vocabulary.h"

#include <assert.h>
#include <stddef.h>

#include "base/util.h"
#include "wire.h"

static const struct {
	const char *name;
	bool flagged;
} verdicts[] = {
	[UC_VERDICT_UNKNOWN] = { "unknown", true },
	[UC_VERDICT_KEEPALIVE_RACE] = { "keepalive_race", true },
	[UC_VERDICT_UPSTREAM_CLOSED] = { "upstream_closed", true },
	[UC_VERDICT_UPSTREAM_DIED] = { "upstream_died", true },
	[UC_VERDICT_UPSTREAM_RESET] = { "upstream_reset", true },
	[UC_VERDICT_REQUEST_REJECTED] = { "request_rejected", true },
	[UC_VERDICT_PARTIAL_HEADER] = { "partial_header", true },
	[UC_VERDICT_PROTOCOL_MISMATCH] = { "protocol_mismatch", true },
	[UC_VERDICT_CONNECT_FAILED] = { "connect_failed", true },
	[UC_VERDICT_BODY_TRUNCATED] = { "body_truncated", true },
	[UC_VERDICT_NGINX_TIMEOUT] = { "nginx_timeout", true },
	[UC_VERDICT_NGINX_REJECTED_RESPONSE] = { "nginx_rejected_response", true },
	[UC_VERDICT_CLIENT_GONE] = { "client_gone", false },
	[UC_VERDICT_IDLE_CLOSE] = { "idle_close", false },
	[UC_VERDICT_COMPLETE] = { "complete", false },
};
static_assert(ARRAY_SIZE(verdicts) == UC_VERDICT_MAX, "a name for each verdict");

static const char *const proofs[] = {
	[UC_PROOF_NONE] = "none",
	[UC_PROOF_REQUEST_UNACKED] = "request_unacked",
	[UC_PROOF_REQUEST_UNREAD] = "request_unread",
	[UC_PROOF_SENT_AFTER_FIN] = "sent_after_fin",
	[UC_PROOF_DELIBERATE_CLOSE] = "deliberate_close",
	[UC_PROOF_REQUEST_ACKED] = "request_acked",
	[UC_PROOF_EXIT_CODE] = "exit_code",
	[UC_PROOF_SIGNAL] = "signal",
	[UC_PROOF_OOM] = "oom",
	[UC_PROOF_RST] = "rst",
	[UC_PROOF_BODY_UNREAD] = "body_unread",
	[UC_PROOF_BODY_UNACKED] = "body_unacked",
	[UC_PROOF_HEADER_CUT] = "header_cut",
	[UC_PROOF_FIRST_BYTES] = "first_bytes",
	[UC_PROOF_REFUSED] = "refused",
	[UC_PROOF_TIMEOUT] = "timeout",
	[UC_PROOF_UNREACHABLE] = "unreachable",
	[UC_PROOF_LOCAL] = "local",
	[UC_PROOF_CONTENT_LENGTH] = "content_length",
	[UC_PROOF_CHUNKED] = "chunked",
	[UC_PROOF_END_REQUEST] = "end_request",
	[UC_PROOF_READ_TIMEOUT] = "read_timeout",
	[UC_PROOF_SEND_TIMEOUT] = "send_timeout",
	[UC_PROOF_NGINX_CLOSED] = "nginx_closed",
	[UC_PROOF_NGINX_EXITED] = "nginx_exited",
	[UC_PROOF_CLIENT_CLOSED] = "client_closed",
	[UC_PROOF_IDLE] = "idle",
	[UC_PROOF_RESPONSE_COMPLETE] = "response_complete",
	[UC_PROOF_LOSSY] = "lossy",
	[UC_PROOF_UNSEEN_START] = "unseen_start",
	[UC_PROOF_OPAQUE] = "opaque",
};
static_assert(ARRAY_SIZE(proofs) == UC_PROOF_MAX, "a name for each proof");

static const char *const confidences[] = {
	[UC_CONFIDENCE_UNKNOWN] = "unknown",
	[UC_CONFIDENCE_LIKELY] = "likely",
	[UC_CONFIDENCE_PROVEN] = "proven",
};
static_assert(ARRAY_SIZE(confidences) == UC_CONFIDENCE_MAX, "a name for each confidence");

static const char *const closers[] = {
	[UC_CLOSED_BY_UNKNOWN] = "unknown",
	[UC_CLOSED_BY_UPSTREAM] = "upstream",
	[UC_CLOSED_BY_NGINX] = "nginx",
};
static_assert(ARRAY_SIZE(closers) == UC_CLOSED_BY_MAX, "a name for each closer");

static const char *const closes[] = {
	[UC_CLOSE_NONE] = "none",       [UC_CLOSE_FIN] = "fin",
	[UC_CLOSE_RST] = "rst",         [UC_CLOSE_REFUSED] = "refused",
	[UC_CLOSE_TIMEOUT] = "timeout", [UC_CLOSE_UNREACHABLE] = "unreachable",
};
static_assert(ARRAY_SIZE(closes) == UC_CLOSE_MAX, "a name for each close");

static const char *const phases[] = {
	[UC_PHASE_CONNECT] = "connect",
	[UC_PHASE_TLS] = "tls",
	[UC_PHASE_REQUEST] = "request",
	[UC_PHASE_RESPONSE_HEADER] = "response_header",
	[UC_PHASE_RESPONSE_BODY] = "response_body",
	[UC_PHASE_IDLE] = "idle",
};
static_assert(ARRAY_SIZE(phases) == UC_PHASE_MAX, "a name for each phase");

static const char *const outcomes[] = {
	[UC_OUTCOME_UNKNOWN] = "unknown",
	[UC_OUTCOME_RETRIED] = "retried",
	[UC_OUTCOME_CLIENT_ERROR] = "client_error",
};
static_assert(ARRAY_SIZE(outcomes) == UC_OUTCOME_MAX, "a name for each outcome");

#define NAMED(number, name) [number] = (name),

static const char *const events[] = { [UC_EV_NONE] = "none", UC_EVENT_KINDS(NAMED) };
static const char *const losses[] = { UC_LOST_REASONS(NAMED) };

#define NAME_OF(table, i) ((size_t)(i) < ARRAY_SIZE(table) ? (table)[i] : "invalid")

const char *uc_verdict_name(enum uc_verdict_id v)
{
	return (size_t)v < ARRAY_SIZE(verdicts) ? verdicts[v].name : "invalid";
}

bool uc_verdict_flagged(enum uc_verdict_id v)
{
	return (size_t)v >= ARRAY_SIZE(verdicts) || verdicts[v].flagged;
}

const char *uc_proof_name(enum uc_proof p)
{
	return NAME_OF(proofs, p);
}

const char *uc_confidence_name(enum uc_confidence c)
{
	return NAME_OF(confidences, c);
}

const char *uc_closed_by_name(enum uc_closed_by c)
{
	return NAME_OF(closers, c);
}

const char *uc_close_name(enum uc_close c)
{
	return NAME_OF(closes, c);
}

const char *uc_phase_name(enum uc_phase p)
{
	return NAME_OF(phases, p);
}

const char *uc_outcome_name(enum uc_outcome_id o)
{
	return NAME_OF(outcomes, o);
}

const char *uc_event_name(unsigned kind)
{
	return NAME_OF(events, kind);
}

const char *uc_lost_name(unsigned reason)
{
	return NAME_OF(losses, reason);
}
