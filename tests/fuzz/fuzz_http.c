/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/http_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz_http: %s\n", what);
	abort();
}

/* A copy as long as it is, so that ASan sees every step outside it. */
static char *copy_of(const char *p, size_t len)
{
	char *copy = malloc(len ? len : 1);

	require(copy != NULL, "no memory");
	if (len > 0)
		memcpy(copy, p, len);
	return copy;
}

static bool may_follow(enum uc_head_state before, enum uc_head_state after)
{
	if (before == UC_HEAD_COMPLETE || before == UC_HEAD_INVALID)
		return after == before;
	return after >= before;
}

static void check_request(const struct uc_request_head *h, const char *p, size_t len)
{
	const char *end = p + len;

	require(h->head_len <= len, "request: the head ends outside");
	require((h->head_len > 0) == (h->state == UC_HEAD_COMPLETE), "request: head_len");
	require(!h->method || (h->method == p && h->method_len < len), "request: method");
	require(!h->method == !h->target, "request: a method without a target");
	if (!h->target)
		return;
	require(h->target > p && h->target <= end, "request: target");
	require(h->target_len <= (size_t)(end - h->target), "request: target_len");
	require(h->query_len <= (size_t)(end - h->target) - h->target_len, "request: query_len");
}

static void check_response(const struct uc_response_head *h, size_t len)
{
	require(h->head_len <= len && h->interim_len <= len, "response: the head ends outside");
	require((h->head_len > 0) == (h->state == UC_HEAD_COMPLETE), "response: head_len");
	require(h->state != UC_HEAD_COMPLETE || h->head_len > h->interim_len, "response: interim");
	require(h->state != UC_HEAD_COMPLETE || h->status >= 100, "response: no status");
	require(h->status == 0 || (h->status >= 100 && h->status <= 999), "response: status");
	require(h->framing == UC_FRAMING_LENGTH || h->length == 0, "response: length");
}

static enum uc_body_state body_of(const struct uc_response_head *h, const char *p, size_t kept,
				  size_t len)
{
	size_t tail_len = len < 8 ? len : 8;
	uint64_t missing;
	enum uc_body_state state = uc_http_body(h, p, kept, len, p + len - tail_len, tail_len,
						&missing);

	require(missing == 0 || (state == UC_BODY_SHORT && h->framing == UC_FRAMING_LENGTH),
		"body: missing bytes of a body that is not short");
	return state;
}

/* What is said of a response whose end was not kept must hold once it is all there. */
static void check_cut(const char *p, size_t kept, size_t len)
{
	struct uc_request_head request, cut_request;
	struct uc_response_head whole, cut;
	enum uc_body_state of_whole, of_cut;
	char *start = copy_of(p, kept);

	uc_http_request(p, len, &request);
	uc_http_request(start, kept, &cut_request);
	check_request(&cut_request, start, kept);
	require(may_follow(cut_request.state, request.state), "request: states go back");

	uc_http_response(p, len, NULL, 0, &whole);
	uc_http_response(start, kept, NULL, 0, &cut);
	check_response(&cut, kept);
	require(may_follow(cut.state, whole.state), "response: states go back");
	require(cut.status == 0 || cut.status == whole.status, "response: the status changes");
	require(cut.state != UC_HEAD_COMPLETE || same_head(&cut, &whole), "response: it changes");
	free(start);

	of_whole = body_of(&whole, p, len, len);
	of_cut = body_of(&cut, p, kept, len);
	if (whole.state == UC_HEAD_COMPLETE && whole.framing == UC_FRAMING_LENGTH &&
	    cut.framing == UC_FRAMING_LENGTH)
		require(of_cut == UC_BODY_UNKNOWN || of_cut == of_whole, "body: it changes");
}

static void check_redaction(const char *p, size_t len)
{
	char *scratch = copy_of(p, len), *again = copy_of(p, len);
	const char *fault = redaction_fault(p, len, scratch, again);

	require(!fault, fault);
	free(scratch);
	free(again);
}

static bool is_hidden(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != 'x')
			return false;
	return true;
}

static void check_hidden(const char *p, size_t len)
{
	struct uc_request_head request;
	struct uc_response_head response;
	char *hidden = copy_of(p, len);

	uc_http_redact_request(hidden, len);
	uc_http_request(hidden, len, &request);
	if (request.query_len > 0)
		require(is_hidden(request.target + request.target_len + 1, request.query_len - 1),
			"redaction: a query is left");
	if (request.head_len > 0 && request.framing != UC_FRAMING_CHUNKED)
		require(is_hidden(hidden + request.head_len, len - request.head_len),
			"redaction: the body of a request is left");
	free(hidden);

	hidden = copy_of(p, len);
	uc_http_redact_response(hidden, len);
	uc_http_response(hidden, len, NULL, 0, &response);
	if (response.head_len > 0 && response.framing != UC_FRAMING_CHUNKED)
		require(is_hidden(hidden + response.head_len, len - response.head_len),
			"redaction: the body of a response is left");
	free(hidden);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct uc_request_head request;
	struct uc_response_head response;

	uc_http_request(p, size, &request);
	check_request(&request, p, size);
	uc_http_response(p, size, "HEAD", 4, &response);
	check_response(&response, size);
	if (size > 0) {
		check_cut(p, size - 1, size);
		check_cut(p, size / 2, size);
		/* Where the fuzzer likes: it learns which bytes move the cut. */
		check_cut(p, data[size - 1] % size, size);
	}
	check_redaction(p, size);
	check_hidden(p, size);
	return 0;
}
