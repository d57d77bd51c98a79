/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/fastcgi.h"

#include <string.h>

enum { BEGIN_REQUEST = 1, END_REQUEST = 3, STDOUT = 6, STDERR = 7 };

#define KEEP_CONN 1

#define HEADER_LEN 8
/* appStatus, protocolStatus, three reserved bytes */
#define END_BODY_LEN 8

bool uc_fastcgi_request(const void *buf, size_t len)
{
	const uint8_t *p = buf;

	/* version 1, type, request id (not 0), length of the body: 8 */
	return len >= HEADER_LEN && p[0] == 1 && p[1] == BEGIN_REQUEST && (p[2] || p[3]) &&
	       p[4] == 0 && p[5] == 8;
}

bool uc_fastcgi_keeps(const void *buf, size_t len)
{
	const uint8_t *p = buf;

	/* behind the record's header: two bytes of role */
	return uc_fastcgi_request(buf, len) && len > HEADER_LEN + 2 &&
	       p[HEADER_LEN + 2] & KEEP_CONN;
}

bool uc_uwsgi_request(const void *buf, size_t len, const char **ret_method, size_t *ret_len)
{
	static const char name[] = "REQUEST_METHOD";
	const uint8_t *p = buf, *at;
	size_t n;

	*ret_method = NULL;
	*ret_len = 0;
	/* modifier1 0, size (little endian), modifier2 0, then the first variable's name length */
	if (len < 6 || p[0] || p[3] || !(p[1] || p[2]) || p[5] || !p[4])
		return false;
	at = memmem(p, len, name, sizeof(name) - 1);
	if (!at || (size_t)(p + len - at) < sizeof(name) + 1)
		return true;
	at += sizeof(name) - 1;
	n = at[0] | at[1] << 8;
	if (n && n <= (size_t)(p + len - at) - 2) {
		*ret_method = (const char *)at + 2;
		*ret_len = n;
	}
	return true;
}

/* Does the header of a CGI response end within these bytes of stdout? seen carries the line ends over. */
static bool header_ends(const uint8_t *p, size_t len, unsigned *seen)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\n')
			(*seen)++;
		else if (p[i] != '\r')
			*seen = 0;
		if (*seen == 2)
			return true;
	}
	return false;
}

/* Is this the header of an empty record of stdout, which is the end of it? */
static bool stdout_ends(const uint8_t *p)
{
	return p[0] == 1 && p[1] == STDOUT && !p[4] && !p[5];
}

/* The newest bytes are END_REQUEST's body of zeros, as of a request that went well, or stdout's end. */
static bool tail_ends(const uint8_t *tail, size_t len, bool keeps)
{
	static const uint8_t zeros[END_BODY_LEN];

	if (len != END_BODY_LEN)
		return false;
	return !memcmp(tail, zeros, len) || (!keeps && stdout_ends(tail) && !tail[2]);
}

enum uc_fastcgi_state uc_fastcgi_response(const void *buf, size_t len, uint64_t total,
					  const void *tail, size_t tail_len, bool keeps)
{
	const uint8_t *p = buf;
	size_t at = 0;
	unsigned seen = 0;
	bool header = false;

	while (at + HEADER_LEN <= len) {
		size_t body = (size_t)p[at + 4] << 8 | p[at + 5], padding = p[at + 6];
		size_t have = len - at - HEADER_LEN < body ? len - at - HEADER_LEN : body;

		if (p[at] != 1)
			return UC_FASTCGI_UNKNOWN;
		if (p[at + 1] == END_REQUEST)
			return have == body ? UC_FASTCGI_COMPLETE : UC_FASTCGI_UNKNOWN;
		if (stdout_ends(p + at) && !keeps)
			return UC_FASTCGI_COMPLETE;
		if (p[at + 1] == STDOUT && !header)
			header = header_ends(p + at + HEADER_LEN, have, &seen);
		at += HEADER_LEN + body + padding;
	}
	if (total <= len)
		return header ? UC_FASTCGI_BODY : UC_FASTCGI_HEADER;
	return tail_ends(tail, tail_len, keeps) ? UC_FASTCGI_COMPLETE : UC_FASTCGI_UNKNOWN;
}
