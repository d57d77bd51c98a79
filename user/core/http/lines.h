/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines, names and fields of HTTP/1 in bytes that may be cut anywhere. Nothing is copied:
 * results point into the caller's buffer.
 */
#ifndef UPCLOSE_CORE_HTTP_LINES_H
#define UPCLOSE_CORE_HTTP_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* What is left to read. */
struct uc_span {
	const char *p;
	size_t len;
};

/* text: without its line end; ended: the LF is in the buffer. */
struct uc_line {
	const char *text;
	size_t len;
	bool ended;
};

/* A header with its continuation lines; the value of a folded one holds their line ends. */
struct uc_field {
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
};

enum uc_field_kind {
	UC_FIELD_OTHER,
	UC_FIELD_CONNECTION,
	UC_FIELD_CONTENT_LENGTH,
	UC_FIELD_KEEP_ALIVE,
	UC_FIELD_TRANSFER_ENCODING,
	UC_FIELD_UPGRADE,
};

static inline bool uc_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool uc_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static inline char uc_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline void uc_skip(struct uc_span *s, size_t n)
{
	s->p += n;
	s->len -= n;
}

/* How many of these bytes are of a token (RFC 9110, section 5.6.2). */
size_t uc_token_len(const char *p, size_t len);
/* The same name in either case; name is in lower case. */
bool uc_same_name(const char *p, size_t len, const char *name);
/* A CR at the end of the buffer is taken for the first half of a line end. */
struct uc_line uc_take_line(struct uc_span *s);
/* At its colon: without one it is all value, and has no name. */
struct uc_field uc_split_line(const struct uc_line *l);
/* A blank before the colon makes another name: nginx does not take such a header either. */
enum uc_field_kind uc_field_kind(const struct uc_field *f);

#endif
