/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line of nginx's error log about an upstream (ngx_http_log_error() and
 * ngx_stream_log_error() add the fields): hostile text, as clients choose parts of
 * it. What its message means is looked up in the table of nginx's words.
 */
#ifndef UPCLOSE_CORE_ERRORLINE_H
#define UPCLOSE_CORE_ERRORLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/conn/words.h"

/* NGX_MAX_ERROR_STR; longer lines are cut there by nginx itself. */
#define UC_ERROR_LINE_MAX 2048

/* Its slices point into its own text. */
struct uc_error_line {
	char text[UC_ERROR_LINE_MAX];
	size_t len;
	unsigned year, month, day, hour, minute, second; /* local time of nginx's host */
	struct uc_slice level;                           /* "error" */
	uint32_t pid;            /* as nginx sees itself, in its own namespace */
	uint64_t connection;     /* *N: nginx's number of its client's connection; 0: none */
	struct uc_slice message; /* up to ", client: " */
	enum uc_words_kind kind;
	int err;                /* errno, or 0 */
	struct uc_slice action; /* "reading response header from upstream" */
	/* of no TCP connection: no server was tried, or it is behind a unix socket */
	bool alone;
	struct uc_slice client;
	struct uc_slice server;
	struct uc_slice request; /* the client's request line, its query included */
	struct uc_slice host;
	struct uc_slice
		peer; /* of the upstream: "127.0.0.1:3000", "[::1]:3000"; if alone, as it is */
	struct uc_slice path; /* of the upstream's URI, without its query */
};

/*
 * False: not about a failed attempt at an upstream (another matter, a warning, a
 * remark, the text of an application behind FastCGI). *ret is then undefined. line
 * is without its newline; what is behind UC_ERROR_LINE_MAX is not looked at.
 */
bool uc_error_line_parse(const char *line, size_t len, struct uc_error_line *ret);

/* The part of a request line before its query; all of it where there is none. */
struct uc_slice uc_error_line_without_query(struct uc_slice request);

#endif
