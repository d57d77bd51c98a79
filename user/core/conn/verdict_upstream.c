/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/verdict_rule.h"

static bool chunks_invalid(const struct uc_facts *f)
{
	return f->chunks_invalid;
}

static bool short_of_length(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_BODY && f->response.framing == UC_FRAMING_LENGTH;
}

static bool short_of_last_chunk(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_BODY && f->response.framing == UC_FRAMING_CHUNKED;
}

static bool short_of_end_request(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_BODY && f->fastcgi;
}

static bool reset_in_body(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_BODY;
}

static bool short_somewhere(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_UNKNOWN && f->response_short;
}

static bool header_cut(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_HEADER;
}

static bool not_http(const struct uc_facts *f)
{
	return f->response_state == UC_RESPONSE_NOT_HTTP;
}

/* In a handshake bytes go both ways before there is a request to answer. */
static bool unanswered(const struct uc_facts *f)
{
	return f->exchange && (f->response_state == UC_RESPONSE_NONE || f->phase == UC_PHASE_TLS);
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
	return uc_before_any_request(f) && f->closed_alive;
}

const struct uc_rule uc_rules_upstream[] = {
	{ chunks_invalid, UC_VERDICT_NGINX_REJECTED_RESPONSE, UC_PROOF_NGINX_CLOSED, LIKELY, 0 },
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
	{ uc_before_any_request, UC_VERDICT_UPSTREAM_CLOSED, UC_PROOF_NONE, LIKELY, PEER },
	{ 0 },
};
