/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words that upclose answers with. A name is the same in code, JSON and the
 * manual; each enum has its strings in vocabulary.c, tied together at compile time.
 */
#ifndef UPCLOSE_CORE_VOCABULARY_H
#define UPCLOSE_CORE_VOCABULARY_H

#include <stdbool.h>

enum uc_verdict_id {
	UC_VERDICT_UNKNOWN,
	UC_VERDICT_KEEPALIVE_RACE,
	UC_VERDICT_UPSTREAM_CLOSED,
	UC_VERDICT_UPSTREAM_DIED,
	UC_VERDICT_UPSTREAM_RESET,
	UC_VERDICT_REQUEST_REJECTED,
	UC_VERDICT_PARTIAL_HEADER,
	UC_VERDICT_PROTOCOL_MISMATCH,
	UC_VERDICT_CONNECT_FAILED,
	UC_VERDICT_BODY_TRUNCATED,
	UC_VERDICT_NGINX_TIMEOUT,
	UC_VERDICT_NGINX_REJECTED_RESPONSE,
	UC_VERDICT_CLIENT_GONE,
	UC_VERDICT_IDLE_CLOSE,
	UC_VERDICT_COMPLETE,
	UC_VERDICT_MAX
};

enum uc_proof {
	UC_PROOF_NONE,
	UC_PROOF_REQUEST_UNACKED,
	UC_PROOF_REQUEST_UNREAD,
	UC_PROOF_SENT_AFTER_FIN,
	UC_PROOF_DELIBERATE_CLOSE,
	UC_PROOF_REQUEST_ACKED,
	UC_PROOF_EXIT_CODE,
	UC_PROOF_SIGNAL,
	UC_PROOF_OOM,
	UC_PROOF_RST,
	UC_PROOF_BODY_UNREAD,
	UC_PROOF_BODY_UNACKED,
	UC_PROOF_HEADER_CUT,
	UC_PROOF_FIRST_BYTES,
	UC_PROOF_REFUSED,
	UC_PROOF_TIMEOUT,
	UC_PROOF_UNREACHABLE,
	UC_PROOF_LOCAL,
	UC_PROOF_CONTENT_LENGTH,
	UC_PROOF_CHUNKED,
	UC_PROOF_END_REQUEST,
	UC_PROOF_READ_TIMEOUT,
	UC_PROOF_SEND_TIMEOUT,
	UC_PROOF_NGINX_CLOSED,
	UC_PROOF_NGINX_EXITED,
	UC_PROOF_CLIENT_CLOSED,
	UC_PROOF_IDLE,
	UC_PROOF_RESPONSE_COMPLETE,
	UC_PROOF_LOSSY,
	UC_PROOF_UNSEEN_START,
	UC_PROOF_OPAQUE,
	UC_PROOF_MAX
};

enum uc_confidence {
	UC_CONFIDENCE_UNKNOWN,
	UC_CONFIDENCE_LIKELY,
	UC_CONFIDENCE_PROVEN,
	UC_CONFIDENCE_MAX
};

enum uc_closed_by {
	UC_CLOSED_BY_UNKNOWN,
	UC_CLOSED_BY_UPSTREAM,
	UC_CLOSED_BY_NGINX,
	UC_CLOSED_BY_MAX
};

enum uc_close {
	UC_CLOSE_NONE,
	UC_CLOSE_FIN,
	UC_CLOSE_RST,
	UC_CLOSE_REFUSED,
	UC_CLOSE_TIMEOUT,
	UC_CLOSE_UNREACHABLE,
	UC_CLOSE_MAX
};

enum uc_phase {
	UC_PHASE_CONNECT,
	UC_PHASE_TLS,
	UC_PHASE_REQUEST,
	UC_PHASE_RESPONSE_HEADER,
	UC_PHASE_RESPONSE_BODY,
	UC_PHASE_IDLE,
	UC_PHASE_MAX
};

/* What a failed attempt came to for nginx's client. */
enum uc_outcome_id {
	UC_OUTCOME_UNKNOWN,
	UC_OUTCOME_RETRIED,
	UC_OUTCOME_CLIENT_ERROR,
	UC_OUTCOME_MAX
};

/* All return a static string, "invalid" for a number out of range. */
const char *uc_verdict_name(enum uc_verdict_id v);
const char *uc_proof_name(enum uc_proof p);
const char *uc_confidence_name(enum uc_confidence c);
const char *uc_closed_by_name(enum uc_closed_by c);
const char *uc_close_name(enum uc_close c);
const char *uc_phase_name(enum uc_phase p);
const char *uc_outcome_name(enum uc_outcome_id o);
const char *uc_event_name(unsigned kind);  /* enum uc_event_kind of wire.h */
const char *uc_lost_name(unsigned reason); /* enum uc_lost of wire.h */

/* True for a verdict that somebody should look at. */
bool uc_verdict_flagged(enum uc_verdict_id v);

#endif
