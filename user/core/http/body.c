/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/http/body.h"

#include <string.h>

#include "core/http/chunks.h"

/*
 * A chunk whose data goes on behind the buffer needs those bytes, a line end and
 * the last chunk, at least "\n" and "0\n\n". Where the buffer ends within the
 * size, the digits that are there give the least that it can be.
 */
static bool chunk_fits(const struct uc_chunks *c, uint64_t unkept)
{
	return c->place != UC_CHUNK_AT_DATA || (unkept >= 4 && unkept - 4 >= c->size);
}

static bool ends_with(const char *p, size_t len, const char *end, size_t end_len)
{
	return len >= end_len && memcmp(p + len - end_len, end, end_len) == 0;
}

static enum uc_body_state judge_tail(const char *tail, size_t tail_len)
{
	static const char last[] = "\r\n0\r\n\r\n";
	size_t last_len = sizeof(last) - 1;
	size_t seen = tail_len < last_len ? tail_len : last_len;

	if (tail_len < 5)
		return UC_BODY_UNKNOWN;
	if (ends_with(tail, tail_len, last + last_len - seen, seen))
		return UC_BODY_COMPLETE;
	/* Trailers, or data that ends in an empty line; a last chunk with bare line feeds. */
	if (ends_with(tail, tail_len, "\r\n\r\n", 4) || ends_with(tail, tail_len, "\n0\n\n", 4))
		return UC_BODY_UNKNOWN;
	return UC_BODY_SHORT;
}

static enum uc_body_state judge_chunks(const char *body, size_t len, uint64_t unkept,
				       const char *tail, size_t tail_len)
{
	struct uc_chunks c = { .left = { .p = body, .len = len } };
	enum uc_chunk_step step;

	do {
		step = uc_step_chunks(&c);
	} while (step == UC_CHUNK_MORE);
	if (step == UC_CHUNK_END)
		return UC_BODY_COMPLETE;
	if (step == UC_CHUNK_BAD)
		return UC_BODY_INVALID;
	if (unkept == 0 || !chunk_fits(&c, unkept))
		return UC_BODY_SHORT;
	return judge_tail(tail, tail_len);
}

/* The head goes on behind the buffer, by at least one byte. */
static enum uc_body_state judge_cut_head(const struct uc_response_head *head, uint64_t unkept,
					 const char *tail, size_t tail_len)
{
	if (unkept == 0)
		return UC_BODY_SHORT;
	if (head->framing == UC_FRAMING_CHUNKED)
		return judge_tail(tail, tail_len);
	if (head->framing == UC_FRAMING_LENGTH && unkept <= head->length)
		return UC_BODY_SHORT;
	return UC_BODY_UNKNOWN;
}

enum uc_body_state uc_http_body(const struct uc_response_head *head, const void *buf, size_t len,
				uint64_t total, const void *tail, size_t tail_len,
				uint64_t *missing)
{
	uint64_t unkept = total > len ? total - len : 0, got;

	if (missing)
		*missing = 0;
	if (head->state == UC_HEAD_INVALID || head->head_len > len)
		return UC_BODY_UNKNOWN;
	if (head->state != UC_HEAD_COMPLETE)
		return judge_cut_head(head, unkept, tail, tail_len);
	if (head->framing == UC_FRAMING_CHUNKED)
		return judge_chunks((const char *)buf + head->head_len, len - head->head_len,
				    unkept, tail, tail_len);
	got = len - head->head_len + unkept;
	if (head->framing != UC_FRAMING_LENGTH || got >= head->length)
		return UC_BODY_COMPLETE;
	if (missing)
		*missing = head->length - got;
	return UC_BODY_SHORT;
}
