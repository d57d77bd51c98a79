/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the body of a response ends, and whether it came whole. */
#ifndef UPCLOSE_CORE_HTTP_BODY_H
#define UPCLOSE_CORE_HTTP_BODY_H

#include "core/http/http.h"

/* Where a response body stands when nothing more will come. */
enum uc_body_state {
	UC_BODY_COMPLETE,
	UC_BODY_SHORT,   /* bytes are missing */
	UC_BODY_UNKNOWN, /* the bytes that would tell were not kept */
	UC_BODY_INVALID, /* no valid chunks */
};

/*
 * buf/len: the kept first bytes of the response, as given to uc_http_response;
 * total: all bytes of the response that arrived; tail: its newest tail_len bytes
 * (up to 8), which matter when total > len. missing, where not NULL, gets the
 * bytes that a LENGTH body lacks (0 otherwise, and where the head is not COMPLETE:
 * nobody knows then). Bytes behind the body's end are no error.
 *
 * head COMPLETE: LENGTH counts. CHUNKED follows the chunks through buf; where they
 * leave it, SHORT if the bytes that arrived cannot hold the chunk that was begun and
 * the last one, and otherwise the tail decides: "\r\n0\r\n\r\n" (or as much of its end
 * as the tail holds, at least 5 bytes) is COMPLETE; another empty line may end trailers
 * or be data and is UNKNOWN; anything else is SHORT. CLOSE is COMPLETE, since only
 * the connection's end delimits it: whether that end was a clean one is the
 * caller's to tell. NONE and UPGRADE are COMPLETE.
 *
 * head EMPTY or PARTIAL: SHORT when nothing arrived behind buf. Otherwise the head
 * ends at an unknown place behind buf: CHUNKED goes by the tail, LENGTH is SHORT if
 * fewer bytes arrived behind buf than head and body still lack, and all else is
 * UNKNOWN; a LENGTH body can never be proven COMPLETE. head INVALID: UNKNOWN.
 */
enum uc_body_state uc_http_body(const struct uc_response_head *head, const void *buf, size_t len,
				uint64_t total, const void *tail, size_t tail_len,
				uint64_t *missing);

#endif
