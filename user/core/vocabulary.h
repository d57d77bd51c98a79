/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words that upclose answers with. A name is the same in code, JSON and the
 * manual, and the lists here are the only code that has it: enum, UC_..._MAX, name
 * and the words of the configuration are made from them. What else must be said of
 * a new word, the compiler or a test names, see user/README.md.
 */
#ifndef UPCLOSE_CORE_VOCABULARY_H
#define UPCLOSE_CORE_VOCABULARY_H

#include <stdbool.h>

#define UC_WORD(word, ...) word,

/* VERDICT(number, name, whether somebody should look at it) */
#define UC_VERDICTS(VERDICT)                                                         \
	VERDICT(UC_VERDICT_UNKNOWN, "unknown", true)                                 \
	VERDICT(UC_VERDICT_KEEPALIVE_RACE, "keepalive_race", true)                   \
	VERDICT(UC_VERDICT_UPSTREAM_CLOSED, "upstream_closed", true)                 \
	VERDICT(UC_VERDICT_UPSTREAM_DIED, "upstream_died", true)                     \
	VERDICT(UC_VERDICT_UPSTREAM_RESET, "upstream_reset", true)                   \
	VERDICT(UC_VERDICT_REQUEST_REJECTED, "request_rejected", true)               \
	VERDICT(UC_VERDICT_PARTIAL_HEADER, "partial_header", true)                   \
	VERDICT(UC_VERDICT_PROTOCOL_MISMATCH, "protocol_mismatch", true)             \
	VERDICT(UC_VERDICT_CONNECT_FAILED, "connect_failed", true)                   \
	VERDICT(UC_VERDICT_BODY_TRUNCATED, "body_truncated", true)                   \
	VERDICT(UC_VERDICT_NGINX_TIMEOUT, "nginx_timeout", true)                     \
	VERDICT(UC_VERDICT_NGINX_REJECTED_RESPONSE, "nginx_rejected_response", true) \
	VERDICT(UC_VERDICT_WORKER_EXITED, "worker_exited", true)                     \
	VERDICT(UC_VERDICT_CLIENT_GONE, "client_gone", false)                        \
	VERDICT(UC_VERDICT_IDLE_CLOSE, "idle_close", false)                          \
	VERDICT(UC_VERDICT_COMPLETE, "complete", false)

enum uc_verdict_id { UC_VERDICTS(UC_WORD) UC_VERDICT_MAX };

/* WORD(number, name): this list and those below */
#define UC_PROOFS(WORD)                                           \
	WORD(UC_PROOF_NONE, "none")                               \
	WORD(UC_PROOF_REQUEST_UNACKED, "request_unacked")         \
	WORD(UC_PROOF_REQUEST_UNREAD, "request_unread")           \
	WORD(UC_PROOF_SENT_AFTER_FIN, "sent_after_fin")           \
	WORD(UC_PROOF_DELIBERATE_CLOSE, "deliberate_close")       \
	WORD(UC_PROOF_REQUEST_ACKED, "request_acked")             \
	WORD(UC_PROOF_EXIT_CODE, "exit_code")                     \
	WORD(UC_PROOF_SIGNAL, "signal")                           \
	WORD(UC_PROOF_OOM, "oom")                                 \
	WORD(UC_PROOF_RST, "rst")                                 \
	WORD(UC_PROOF_STREAM_RESET, "stream_reset")               \
	WORD(UC_PROOF_BODY_UNREAD, "body_unread")                 \
	WORD(UC_PROOF_BODY_UNACKED, "body_unacked")               \
	WORD(UC_PROOF_HEADER_CUT, "header_cut")                   \
	WORD(UC_PROOF_FIRST_BYTES, "first_bytes")                 \
	WORD(UC_PROOF_REFUSED, "refused")                         \
	WORD(UC_PROOF_TIMEOUT, "timeout")                         \
	WORD(UC_PROOF_UNREACHABLE, "unreachable")                 \
	WORD(UC_PROOF_LOCAL, "local")                             \
	WORD(UC_PROOF_CONTENT_LENGTH, "content_length")           \
	WORD(UC_PROOF_CHUNKED, "chunked")                         \
	WORD(UC_PROOF_END_REQUEST, "end_request")                 \
	WORD(UC_PROOF_READ_TIMEOUT, "read_timeout")               \
	WORD(UC_PROOF_SEND_TIMEOUT, "send_timeout")               \
	WORD(UC_PROOF_NGINX_CLOSED, "nginx_closed")               \
	WORD(UC_PROOF_NGINX_EXITED, "nginx_exited")               \
	WORD(UC_PROOF_CLIENT_CLOSED, "client_closed")             \
	WORD(UC_PROOF_CLIENT_BODY_TIMEOUT, "client_body_timeout") \
	WORD(UC_PROOF_CLIENT_SEND_TIMEOUT, "client_send_timeout") \
	WORD(UC_PROOF_IDLE, "idle")                               \
	WORD(UC_PROOF_RESPONSE_COMPLETE, "response_complete")     \
	WORD(UC_PROOF_LOSSY, "lossy")                             \
	WORD(UC_PROOF_UNSEEN_START, "unseen_start")               \
	WORD(UC_PROOF_OPAQUE, "opaque")                           \
	WORD(UC_PROOF_NGINX_LOG, "nginx_log")

enum uc_proof { UC_PROOFS(UC_WORD) UC_PROOF_MAX };

#define UC_CONFIDENCES(WORD)                   \
	WORD(UC_CONFIDENCE_UNKNOWN, "unknown") \
	WORD(UC_CONFIDENCE_LIKELY, "likely")   \
	WORD(UC_CONFIDENCE_PROVEN, "proven")

enum uc_confidence { UC_CONFIDENCES(UC_WORD) UC_CONFIDENCE_MAX };

#define UC_CLOSERS(WORD)                        \
	WORD(UC_CLOSED_BY_UNKNOWN, "unknown")   \
	WORD(UC_CLOSED_BY_UPSTREAM, "upstream") \
	WORD(UC_CLOSED_BY_NGINX, "nginx")

enum uc_closed_by { UC_CLOSERS(UC_WORD) UC_CLOSED_BY_MAX };

#define UC_CLOSES(WORD)                   \
	WORD(UC_CLOSE_NONE, "none")       \
	WORD(UC_CLOSE_FIN, "fin")         \
	WORD(UC_CLOSE_RST, "rst")         \
	WORD(UC_CLOSE_REFUSED, "refused") \
	WORD(UC_CLOSE_TIMEOUT, "timeout") \
	WORD(UC_CLOSE_UNREACHABLE, "unreachable")

enum uc_close { UC_CLOSES(UC_WORD) UC_CLOSE_MAX };

#define UC_PHASES(WORD)                                   \
	WORD(UC_PHASE_CONNECT, "connect")                 \
	WORD(UC_PHASE_TLS, "tls")                         \
	WORD(UC_PHASE_REQUEST, "request")                 \
	WORD(UC_PHASE_RESPONSE_HEADER, "response_header") \
	WORD(UC_PHASE_RESPONSE_BODY, "response_body")     \
	WORD(UC_PHASE_UPGRADED, "upgraded")               \
	WORD(UC_PHASE_IDLE, "idle")

enum uc_phase { UC_PHASES(UC_WORD) UC_PHASE_MAX };

/* What a failed attempt came to for nginx's client. */
#define UC_OUTCOMES(WORD)                   \
	WORD(UC_OUTCOME_UNKNOWN, "unknown") \
	WORD(UC_OUTCOME_RETRIED, "retried") \
	WORD(UC_OUTCOME_CLIENT_ERROR, "client_error")

enum uc_outcome_id { UC_OUTCOMES(UC_WORD) UC_OUTCOME_MAX };

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
