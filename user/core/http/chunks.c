/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/http/chunks.h"

static int hex_value(char c)
{
	if (uc_is_digit(c))
		return c - '0';
	c = uc_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Stops before the digit that would not fit. */
static size_t parse_hex(const char *p, size_t len, uint64_t *value)
{
	size_t n;

	*value = 0;
	for (n = 0; n < len && hex_value(p[n]) >= 0 && *value >> 60 == 0; n++)
		*value = *value << 4 | (uint64_t)hex_value(p[n]);
	return n;
}

/* Nothing behind p can be read as chunks. */
static enum uc_chunk_step bad_chunk(struct uc_chunks *c, const char *p)
{
	c->hidden.p = p;
	c->hidden.len = (size_t)(c->left.p + c->left.len - p);
	uc_skip(&c->left, c->left.len);
	return UC_CHUNK_BAD;
}

static enum uc_chunk_step step_size(struct uc_chunks *c)
{
	struct uc_line l = uc_take_line(&c->left);
	size_t n = parse_hex(l.text, l.len, &c->size);

	if (l.len == 0 && !l.ended)
		return UC_CHUNK_CUT;
	if (n == 0 || (n < l.len && !uc_is_blank(l.text[n]) && l.text[n] != ';'))
		return bad_chunk(c, l.text + n);
	if (n < l.len)
		c->hidden = (struct uc_span){ .p = l.text + n + 1, .len = l.len - n - 1 };
	c->place = c->size ? UC_CHUNK_AT_DATA : UC_CHUNK_AT_TRAILER;
	return l.ended ? UC_CHUNK_MORE : UC_CHUNK_CUT;
}

static enum uc_chunk_step step_data(struct uc_chunks *c)
{
	size_t n = c->size < c->left.len ? (size_t)c->size : c->left.len;

	c->hidden = (struct uc_span){ .p = c->left.p, .len = n };
	uc_skip(&c->left, n);
	c->size -= n;
	if (c->size > 0)
		return UC_CHUNK_CUT;
	c->place = UC_CHUNK_AT_DATA_END;
	return UC_CHUNK_MORE;
}

static enum uc_chunk_step step_data_end(struct uc_chunks *c)
{
	size_t cr = c->left.len > 0 && c->left.p[0] == '\r';

	if (c->left.len == cr)
		return UC_CHUNK_CUT;
	if (c->left.p[cr] != '\n')
		return bad_chunk(c, c->left.p);
	uc_skip(&c->left, cr + 1);
	c->place = UC_CHUNK_AT_SIZE;
	return UC_CHUNK_MORE;
}

static enum uc_chunk_step step_trailer(struct uc_chunks *c)
{
	struct uc_line l = uc_take_line(&c->left);

	c->hidden = (struct uc_span){ .p = l.text, .len = l.len };
	if (!l.ended)
		return UC_CHUNK_CUT;
	if (l.len > 0)
		return UC_CHUNK_MORE;
	c->hidden = c->left;
	return UC_CHUNK_END;
}

enum uc_chunk_step uc_step_chunks(struct uc_chunks *c)
{
	c->hidden = (struct uc_span){ 0 };
	switch (c->place) {
	case UC_CHUNK_AT_SIZE:
		return step_size(c);
	case UC_CHUNK_AT_DATA:
		return step_data(c);
	case UC_CHUNK_AT_DATA_END:
		return step_data_end(c);
	case UC_CHUNK_AT_TRAILER:
		break;
	}
	return step_trailer(c);
}
