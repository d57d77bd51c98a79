/* SPDX-License-Identifier: BSD-2-Clause */
/* What redaction must not change, for the unit tests and the fuzzer alike. */
#ifndef UPCLOSE_TESTS_HTTP_PROPERTY_H
#define UPCLOSE_TESTS_HTTP_PROPERTY_H

#include <string.h>

#include "core/http/body.h"
#include "core/http/redact.h"

static inline bool same_place(const char *a, const char *in_a, const char *b, const char *in_b)
{
	if (!in_a || !in_b)
		return in_a == in_b;
	return in_a - a == in_b - b;
}

static inline bool same_request(const char *a, const char *b, size_t len)
{
	struct uc_request_head x, y;

	uc_http_request(a, len, &x);
	uc_http_request(b, len, &y);
	return x.state == y.state && same_place(a, x.method, b, y.method) &&
	       x.method_len == y.method_len && same_place(a, x.target, b, y.target) &&
	       x.target_len == y.target_len && x.target_cut == y.target_cut &&
	       (!x.method || !memcmp(x.method, y.method, x.method_len)) &&
	       (!x.target || !memcmp(x.target, y.target, x.target_len)) &&
	       x.query_len == y.query_len && x.minor == y.minor && x.head_len == y.head_len &&
	       x.framing == y.framing && x.length == y.length && x.close == y.close;
}

static inline bool same_head(const struct uc_response_head *x, const struct uc_response_head *y)
{
	return x->state == y->state && x->status == y->status && x->minor == y->minor &&
	       x->interim_len == y->interim_len && x->head_len == y->head_len &&
	       x->framing == y->framing && x->length == y->length && x->close == y->close &&
	       x->keep_alive_s == y->keep_alive_s;
}

static inline bool same_body(const struct uc_response_head *head, const char *a, const char *b,
			     size_t len)
{
	static const char *const tails[] = { "", "\r\n0\r\n\r\n", "0\r\n\r\n", "ab\r\n\r\n",
					     "abcdefgh" };
	static const uint64_t unkept[] = { 0, 1, 4, 7, 1000, UINT64_MAX / 2 };
	uint64_t missing[2];
	size_t t, u;

	for (t = 0; t < sizeof(tails) / sizeof(tails[0]); t++)
		for (u = 0; u < sizeof(unkept) / sizeof(unkept[0]); u++)
			if (uc_http_body(head, a, len, len + unkept[u], tails[t], strlen(tails[t]),
					 &missing[0]) != uc_http_body(head, b, len, len + unkept[u],
								      tails[t], strlen(tails[t]),
								      &missing[1]) ||
			    missing[0] != missing[1])
				return false;
	return true;
}

static inline bool same_response(const char *a, const char *b, size_t len)
{
	static const char *const methods[] = { NULL, "GET", "HEAD" };
	struct uc_response_head x, y;
	size_t m;

	for (m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
		size_t method_len = methods[m] ? strlen(methods[m]) : 0;

		uc_http_response(a, len, methods[m], method_len, &x);
		uc_http_response(b, len, methods[m], method_len, &y);
		if (!same_head(&x, &y) || !same_body(&x, a, b, len))
			return false;
	}
	return true;
}

/* scratch and again: len bytes each. NULL: all is well. */
static inline const char *redaction_fault(const char *bytes, size_t len, char *scratch, char *again)
{
	if (len > 0)
		memcpy(scratch, bytes, len);
	uc_http_redact_request(scratch, len);
	if (!same_request(bytes, scratch, len))
		return "a redacted request is another one";
	if (len > 0)
		memcpy(again, scratch, len);
	uc_http_redact_request(again, len);
	if (len > 0 && memcmp(again, scratch, len) != 0)
		return "a request changes when it is redacted again";

	if (len > 0)
		memcpy(scratch, bytes, len);
	uc_http_redact_response(scratch, len);
	if (!same_response(bytes, scratch, len))
		return "a redacted response is another one";
	if (len > 0)
		memcpy(again, scratch, len);
	uc_http_redact_response(again, len);
	if (len > 0 && memcmp(again, scratch, len) != 0)
		return "a response changes when it is redacted again";
	return NULL;
}

#endif
