/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Responses of FastCGI and uwsgi upstreams, as far as a verdict needs them
 * (FastCGI Specification 1.0, sections 3.3 and 5; uwsgi-protocol). Hostile bytes,
 * cut anywhere; nothing is allocated.
 */
#ifndef UPCLOSE_CORE_FASTCGI_H
#define UPCLOSE_CORE_FASTCGI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True: these are the first bytes of a FastCGI request (BEGIN_REQUEST). */
bool uc_fastcgi_request(const void *buf, size_t len);

/* True: that request asks to keep the connection (FCGI_KEEP_CONN). */
bool uc_fastcgi_keeps(const void *buf, size_t len);

/* True: these are the first bytes of a uwsgi request; its method is then in *ret_method, or NULL. */
bool uc_uwsgi_request(const void *buf, size_t len, const char **ret_method, size_t *ret_len);

enum uc_fastcgi_state {
	UC_FASTCGI_COMPLETE, /* END_REQUEST came, or what nginx takes for the end */
	UC_FASTCGI_HEADER,   /* cut within the response's header */
	UC_FASTCGI_BODY,     /* cut behind the header */
	UC_FASTCGI_UNKNOWN,  /* the bytes that would tell were not kept, or are none of FastCGI's */
};

/*
 * As uc_http_body: the kept first bytes, how many came in all, and the newest ones.
 * Where the connection is not kept, nginx has done with the end of stdout and does
 * not await END_REQUEST (ngx_http_fastcgi_input_filter()).
 */
enum uc_fastcgi_state uc_fastcgi_response(const void *buf, size_t len, uint64_t total,
					  const void *tail, size_t tail_len, bool keeps);

#endif
