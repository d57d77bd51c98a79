/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/http/redact.h"

#include <string.h>

#include "core/http/chunks.h"
#include "core/http/http.h"

static void hide(char *buf, const char *from, size_t len)
{
	if (len > 0)
		memset(buf + (from - buf), 'x', len);
}

/* What is kept is as much as a protocol needs to be told by. */
#define FOREIGN_KEPT 8

static void hide_foreign(char *buf, size_t len)
{
	if (len > FOREIGN_KEPT)
		hide(buf, buf + FOREIGN_KEPT, len - FOREIGN_KEPT);
}

/* No first line of HTTP/1 is as short as that, so the LF keeps it from becoming one. */
static void hide_invalid(char *buf, size_t len)
{
	hide_foreign(buf, len);
	if (len > FOREIGN_KEPT)
		buf[FOREIGN_KEPT] = '\n';
}

/* A "name" that is no token may be anything, so it goes too. */
static const char *hidden_part(const struct uc_line *l, bool *kept)
{
	struct uc_field f = uc_split_line(l);
	const char *p = l->text, *end = l->text + l->len;

	if (!uc_is_blank(*p)) {
		*kept = uc_field_kind(&f) != UC_FIELD_OTHER;
		if (f.name_len == 0 || uc_token_len(f.name, f.name_len) < f.name_len)
			return p;
		p = f.value;
	}
	while (p < end && uc_is_blank(*p))
		p++;
	return *kept ? end : p;
}

/* False: the empty line is not there. */
static bool hide_fields(char *buf, struct uc_span *s)
{
	bool kept = false;
	const char *from;
	struct uc_line l;

	for (;;) {
		l = uc_take_line(s);
		if (l.len == 0)
			return l.ended;
		from = hidden_part(&l, &kept);
		hide(buf, from, (size_t)(l.text + l.len - from));
		if (!l.ended)
			return false;
	}
}

static void hide_chunks(char *buf, const struct uc_span *body)
{
	struct uc_chunks c = { .left = *body };
	enum uc_chunk_step step;

	do {
		step = uc_step_chunks(&c);
		hide(buf, c.hidden.p, c.hidden.len);
	} while (step == UC_CHUNK_MORE);
}

static void hide_fields_and_body(char *buf, struct uc_span *s, bool chunked)
{
	if (!hide_fields(buf, s))
		return;
	if (chunked)
		hide_chunks(buf, s);
	else
		hide(buf, s->p, s->len);
}

void uc_http_redact_foreign(void *buf, size_t len)
{
	char *p = buf;
	size_t n = 0;

	while (n < len && n < FOREIGN_KEPT && p[n] > ' ' && p[n] <= '~')
		n++;
	if (n == len || n == FOREIGN_KEPT || (p[n] != ' ' && p[n] != '\r' && p[n] != '\n')) {
		hide_invalid(p, len);
		return;
	}
	hide(p, p + n, len - n);
	p[n] = '\n';
}

void uc_http_redact_request(void *buf, size_t len)
{
	struct uc_span s = { .p = buf, .len = len };
	struct uc_request_head head;

	uc_http_request(buf, len, &head);
	if (head.state == UC_HEAD_EMPTY)
		return;
	if (!head.method) {
		if (head.state == UC_HEAD_INVALID)
			hide_invalid(buf, len);
		else
			hide_foreign(buf, len);
		return;
	}
	if (head.query_len > 0)
		hide(buf, head.target + head.target_len + 1, head.query_len - 1);
	if (uc_take_line(&s).ended)
		hide_fields_and_body(buf, &s, head.framing == UC_FRAMING_CHUNKED);
}

/* Leaves s behind the first line of the final response, as find_final() does. */
static bool hide_interim(char *buf, struct uc_span *s, size_t interim_len)
{
	const char *final = s->p + interim_len;

	while (s->p < final) {
		uc_take_line(s);
		hide_fields(buf, s);
	}
	return s->len > 0;
}

void uc_http_redact_response(void *buf, size_t len)
{
	struct uc_span s = { .p = buf, .len = len };
	struct uc_response_head head;
	bool foreign;

	uc_http_response(buf, len, NULL, 0, &head);
	if (head.state == UC_HEAD_EMPTY || !hide_interim(buf, &s, head.interim_len))
		return;
	foreign = head.state == UC_HEAD_INVALID && head.status == 0;
	if (foreign)
		hide_invalid((char *)buf + head.interim_len, s.len);
	else if (uc_take_line(&s).ended)
		hide_fields_and_body(buf, &s, head.framing == UC_FRAMING_CHUNKED);
}
