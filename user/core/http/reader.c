/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/http/reader.h"

#include <string.h>

void uc_reader_init(struct uc_reader *r, bool to_head)
{
	r->state = UC_READER_HEAD;
	r->head = (struct uc_response_head){ .framing = UC_FRAMING_CLOSE, .keep_alive_s = -1 };
	r->to_head = to_head;
	r->place = UC_CHUNK_SIZE_START;
	r->left = 0;
	r->bytes = 0;
	r->kept = 0;
}

static enum uc_reader_state after_head(struct uc_reader *r)
{
	switch (r->head.framing) {
	case UC_FRAMING_LENGTH:
		r->left = r->head.length;
		return r->left ? UC_READER_BODY : UC_READER_DONE;
	case UC_FRAMING_CHUNKED:
	case UC_FRAMING_CLOSE:
		return UC_READER_BODY;
	case UC_FRAMING_NONE:
	case UC_FRAMING_UPGRADE:
		break;
	}
	return UC_READER_DONE;
}

static void read_head(struct uc_reader *r)
{
	uc_http_response(r->bytes_kept, r->kept, r->to_head ? "HEAD" : NULL, r->to_head ? 4 : 0,
			 &r->head);
	if (r->head.state == UC_HEAD_COMPLETE)
		r->state = after_head(r);
	else if (r->head.state == UC_HEAD_INVALID)
		r->state = UC_READER_NOT_HTTP;
	else if (r->kept == UC_READER_HEAD_MAX)
		r->state = UC_READER_TOO_LONG;
}

/*
 * A head ends with a line, and its first line is judged as it comes: between line
 * ends there is nothing to learn, so that a head of many small pieces costs no more.
 */
static size_t feed_head(struct uc_reader *r, const char *p, size_t len)
{
	size_t before = r->kept, room = UC_READER_HEAD_MAX - before, n = len < room ? len : room;
	bool first_line = !memchr(r->bytes_kept, '\n', before);

	memcpy(r->bytes_kept + before, p, n);
	r->kept += n;
	if (!first_line && !memchr(p, '\n', n) && r->kept < UC_READER_HEAD_MAX)
		return n;
	read_head(r);
	if (r->head.state != UC_HEAD_COMPLETE)
		return n;
	r->kept = r->head.head_len;
	return r->kept - before;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum uc_chunk_place bad(struct uc_reader *r)
{
	r->state = UC_READER_BAD_CHUNK;
	return r->place;
}

static enum uc_chunk_place after_size(const struct uc_reader *r)
{
	return r->left ? UC_CHUNK_DATA : UC_CHUNK_TRAILER;
}

static enum uc_chunk_place take_size(struct uc_reader *r, char c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (r->left >> 60)
			return bad(r);
		r->left = r->left << 4 | (unsigned)digit;
		return UC_CHUNK_SIZE;
	}
	if (r->place == UC_CHUNK_SIZE_START)
		return bad(r);
	if (c == '\n')
		return after_size(r);
	if (c == '\r')
		return UC_CHUNK_SIZE_CR;
	return c == ' ' || c == '\t' || c == ';' ? UC_CHUNK_EXTENSION : bad(r);
}

static enum uc_chunk_place take_trailer(struct uc_reader *r, char c)
{
	bool line_begun = r->place == UC_CHUNK_TRAILER_LINE;

	if (c == '\n') {
		if (!line_begun)
			r->state = UC_READER_DONE;
		return UC_CHUNK_TRAILER;
	}
	return c == '\r' && r->place == UC_CHUNK_TRAILER ? UC_CHUNK_TRAILER_CR :
							   UC_CHUNK_TRAILER_LINE;
}

static enum uc_chunk_place take_framing(struct uc_reader *r, char c)
{
	switch (r->place) {
	case UC_CHUNK_SIZE_START:
	case UC_CHUNK_SIZE:
		return take_size(r, c);
	case UC_CHUNK_SIZE_CR:
		return c == '\n' ? after_size(r) : bad(r);
	case UC_CHUNK_EXTENSION:
		return c == '\n' ? after_size(r) : UC_CHUNK_EXTENSION;
	case UC_CHUNK_DATA_END:
		if (c == '\r')
			return UC_CHUNK_DATA_CR;
		return c == '\n' ? UC_CHUNK_SIZE_START : bad(r);
	case UC_CHUNK_DATA_CR:
		return c == '\n' ? UC_CHUNK_SIZE_START : bad(r);
	case UC_CHUNK_TRAILER:
	case UC_CHUNK_TRAILER_CR:
	case UC_CHUNK_TRAILER_LINE:
	case UC_CHUNK_DATA:
		break;
	}
	return take_trailer(r, c);
}

/* Bytes of data that are here, of as many as are left. */
static size_t take_data(struct uc_reader *r, size_t len)
{
	size_t n = r->left < len ? (size_t)r->left : len;

	r->left -= n;
	return n;
}

static size_t feed_chunks(struct uc_reader *r, const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && r->state == UC_READER_BODY) {
		if (r->place == UC_CHUNK_DATA) {
			n += take_data(r, len - n);
			if (!r->left)
				r->place = UC_CHUNK_DATA_END;
		} else {
			r->place = take_framing(r, p[n++]);
		}
	}
	return n;
}

static size_t feed_body(struct uc_reader *r, const char *p, size_t len)
{
	size_t n;

	if (r->head.framing == UC_FRAMING_CHUNKED)
		return feed_chunks(r, p, len);
	if (r->head.framing != UC_FRAMING_LENGTH)
		return len;
	n = take_data(r, len);
	if (!r->left)
		r->state = UC_READER_DONE;
	return n;
}

size_t uc_reader_feed(struct uc_reader *r, const void *bytes, size_t len)
{
	const char *p = bytes;
	size_t n = 0;

	if (len && r->state == UC_READER_HEAD)
		n = feed_head(r, p, len);
	if (n < len && r->state == UC_READER_BODY)
		n += feed_body(r, p + n, len - n);
	r->bytes += n;
	return n;
}

void uc_reader_end(struct uc_reader *r)
{
	if (r->state == UC_READER_BODY && r->head.framing == UC_FRAMING_CLOSE)
		r->state = UC_READER_DONE;
}

bool uc_reader_field(const struct uc_reader *r, const char *name, const char **value, size_t *len)
{
	if (r->head.state != UC_HEAD_COMPLETE)
		return false;
	return uc_http_field(r->bytes_kept + r->head.interim_len,
			     r->head.head_len - r->head.interim_len, name, value, len);
}
