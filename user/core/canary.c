/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/canary.h"

#include <string.h>

#include "base/util.h"

static const struct {
	const char *name;
	const char *ended_by;
	const char *text;
} outcomes[UC_CANARY_OUTCOME_MAX] = {
	[UC_CANARY_ANSWERED] = { "answered", NULL, "answered" },
	[UC_CANARY_ERROR_ANSWERED] = { "error_answered", NULL,
				       "an error, by the upstream or by nginx with a page of its own" },
	[UC_CANARY_NGINX_TIMEOUT] = { "nginx_timeout", "nginx",
				      "nginx gave up waiting for its upstream (proxy_read_timeout, if "
				      "the connection was there)" },
	[UC_CANARY_BAD_GATEWAY] = { "bad_gateway", NULL,
				    "nginx got no answer that it could use: run upclose trace to see why" },
	[UC_CANARY_NGINX_ERROR] = { "nginx_error", "nginx", "an error page of nginx itself" },
	[UC_CANARY_BODY_TRUNCATED] = { "body_truncated", NULL,
				       "the answer was cut within its body" },
	[UC_CANARY_NO_ANSWER] = { "no_answer", "nginx", "the connection ended without an answer" },
	[UC_CANARY_GAVE_UP] = { "gave_up", "canary", "no complete answer within the longest wait" },
	[UC_CANARY_CONNECT_FAILED] = { "connect_failed", NULL, "nginx could not be connected to" },
};

/*
 * nginx ends its own pages with its name (ngx_http_special_response.c); its kin have
 * theirs in the same place.
 */
static bool is_own_page(const char *page, size_t len)
{
	static const char *const names[] = { "nginx", "openresty", "angie",
					     "Angie", "tengine",   "freenginx" };
	static const char mark[] = "<center>";
	const char *end = page + len, *at = page;

	while ((at = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1))) {
		at += sizeof(mark) - 1;
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if ((size_t)(end - at) >= strlen(names[i]) &&
			    !memcmp(at, names[i], strlen(names[i])))
				return true;
	}
	return false;
}

enum uc_canary_outcome uc_canary_judge(enum uc_canary_end end, unsigned status, const char *page,
				       size_t page_len)
{
	if (end == UC_CANARY_END_UNCONNECTED)
		return UC_CANARY_CONNECT_FAILED;
	if (end == UC_CANARY_END_TIMEOUT)
		return UC_CANARY_GAVE_UP;
	if (!status)
		return UC_CANARY_NO_ANSWER;
	if (end == UC_CANARY_END_CUT)
		return UC_CANARY_BODY_TRUNCATED;
	if (status < 500)
		return UC_CANARY_ANSWERED;
	if (!page_len || !is_own_page(page, page_len))
		return UC_CANARY_ERROR_ANSWERED;
	if (status == 504)
		return UC_CANARY_NGINX_TIMEOUT;
	return status == 502 ? UC_CANARY_BAD_GATEWAY : UC_CANARY_NGINX_ERROR;
}

const char *uc_canary_outcome_name(enum uc_canary_outcome o)
{
	return o < UC_CANARY_OUTCOME_MAX ? outcomes[o].name : "invalid";
}

const char *uc_canary_outcome_text(enum uc_canary_outcome o)
{
	return o < UC_CANARY_OUTCOME_MAX ? outcomes[o].text : "invalid";
}

const char *uc_canary_ended_by(enum uc_canary_outcome o)
{
	return o < UC_CANARY_OUTCOME_MAX ? outcomes[o].ended_by : NULL;
}
