/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heads of HTTP/1 messages, as far as a verdict needs them, from bytes that may
 * be cut anywhere and may be hostile. Nothing is allocated; results point into
 * the caller's buffer.
 */
#ifndef UPCLOSE_CORE_HTTP_H
#define UPCLOSE_CORE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum uc_framing {
	/* No body: 1xx, 204, 304, the answer to HEAD; a request without length. */
	UC_FRAMING_NONE,
	UC_FRAMING_LENGTH,  /* Content-Length */
	UC_FRAMING_CHUNKED, /* Transfer-Encoding: chunked */
	/* Until the connection ends (RFC 9112, section 6.3), or a PARTIAL head has not said yet. */
	UC_FRAMING_CLOSE,
	UC_FRAMING_UPGRADE, /* 101: no longer HTTP */
};

/*
 * More bytes turn EMPTY or PARTIAL into a later one of these; COMPLETE and INVALID
 * stay. A PARTIAL head says what its complete lines say, and of its first line what
 * is there. An INVALID one has the facts of its first line; where that line is the
 * reason, none.
 */
enum uc_head_state {
	UC_HEAD_EMPTY,    /* no bytes */
	UC_HEAD_PARTIAL,  /* valid so far, its end is not in the buffer */
	UC_HEAD_COMPLETE, /* the empty line was found */
	UC_HEAD_INVALID,  /* not HTTP/1, or a Content-Length that leaves the length open */
};

struct uc_request_head {
	enum uc_head_state state;
	const char *method; /* NULL when the request line is not there */
	size_t method_len;
	/*
	 * The path only: without the query, which may hold secrets. Any bytes but NUL,
	 * CR, LF, space, '?' and '#', so escape it before you show it.
	 */
	const char *target;
	size_t target_len;
	bool target_cut;  /* the buffer ended within that path */
	size_t query_len; /* from its '?' (or '#') on, as far as the buffer holds it; 0: none */
	bool line_whole;  /* the end of the request line was seen, behind its HTTP/1.x */
	unsigned minor;   /* HTTP/1.minor; 0 where not seen */
	size_t head_len;  /* bytes to the end of the empty line; 0 unless COMPLETE */
	enum uc_framing framing;
	uint64_t length; /* LENGTH: of the body */
	bool close;      /* Connection: close, or a COMPLETE HTTP/1.0 head without keep-alive */
};

struct uc_response_head {
	enum uc_head_state state;
	unsigned status; /* 0 where not seen; of the final response, interim 1xx ones are skipped */
	unsigned minor;
	size_t interim_len; /* bytes of the complete 1xx responses before it (never 101) */
	size_t head_len;    /* to the end of the empty line, with interim_len; 0 unless COMPLETE */
	enum uc_framing framing;
	uint64_t length;
	bool close;       /* as in a request, or a COMPLETE head whose framing is CLOSE */
	int keep_alive_s; /* Keep-Alive: timeout=N, or -1 */
};

/*
 * Parses the first bytes of a request. buf may hold body bytes after the head.
 * A request whose first line is not "TOKEN SP TARGET SP HTTP/1.x" is INVALID; a
 * prefix of one is PARTIAL. The query may have spaces in it. A Transfer-Encoding
 * that does not end in chunked makes the framing CLOSE.
 */
void uc_http_request(const void *buf, size_t len, struct uc_request_head *ret);

/*
 * Whether these first len bytes, of which no more than room are ever kept, are a
 * request of HTTP for certain. nginx writes a request line in one piece, so one that
 * has no end is the beginning of a long one, or no HTTP: `AUTH password` of another
 * protocol, with its newline yet to come. Such bytes may be secret, and what looks
 * like a method and a target in them is none.
 */
bool uc_http_request_certain(const struct uc_request_head *head, size_t len, size_t room);

/* Parses the first bytes of a response to a request with that method (NULL: not known). */
void uc_http_response(const void *buf, size_t len, const char *method, size_t method_len,
		      struct uc_response_head *ret);

/*
 * The value of the first header of this name (in lower case) in a message whose
 * first line begins at buf, without the blanks around it; a continuation line stays
 * in it with its line end. Only headers that are wholly there count. False: none.
 */
bool uc_http_field(const void *buf, size_t len, const char *name, const char **value,
		   size_t *value_len);

#endif
