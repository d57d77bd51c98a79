/* SPDX-License-Identifier: BSD-2-Clause */
/* What one request through nginx came to, as far as its client can tell. */
#ifndef UPCLOSE_CORE_CANARY_H
#define UPCLOSE_CORE_CANARY_H

#include <stdbool.h>
#include <stddef.h>

enum uc_canary_outcome {
	UC_CANARY_ANSWERED,       /* completely, with a status below 500 */
	UC_CANARY_ERROR_ANSWERED, /* with 500 or more, and it cannot be told by whom */
	UC_CANARY_NGINX_TIMEOUT,  /* nginx's own 504: it gave up waiting for its upstream */
	UC_CANARY_BAD_GATEWAY,    /* nginx's own 502: it got no answer that it could use */
	UC_CANARY_NGINX_ERROR,    /* another error page of nginx itself */
	UC_CANARY_BODY_TRUNCATED,
	UC_CANARY_NO_ANSWER, /* the connection was closed or reset before the header's end */
	UC_CANARY_GAVE_UP,   /* the canary did, after its longest wait */
	UC_CANARY_CONNECT_FAILED,
	UC_CANARY_OUTCOME_MAX
};

/* How the transfer itself ended. */
enum uc_canary_end {
	UC_CANARY_END_COMPLETE,
	UC_CANARY_END_CUT, /* the connection ended within the answer, or before it */
	UC_CANARY_END_TIMEOUT,
	UC_CANARY_END_UNCONNECTED, /* TLS and name resolution included */
};

/* status: 0 where there was no whole header; page: the first bytes of the body. */
enum uc_canary_outcome uc_canary_judge(enum uc_canary_end end, unsigned status, const char *page,
				       size_t page_len);

/* "nginx_timeout"; a static string, "invalid" out of range. */
const char *uc_canary_outcome_name(enum uc_canary_outcome o);
/* For a person: "nginx gave up waiting for its upstream". */
const char *uc_canary_outcome_text(enum uc_canary_outcome o);
/* "nginx", "canary", or NULL where it cannot be told, or nothing was ended. */
const char *uc_canary_ended_by(enum uc_canary_outcome o);

#endif
