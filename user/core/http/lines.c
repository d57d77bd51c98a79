/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/http/lines.h"

#include <string.h>

#include "base/util.h"

static bool is_token_char(char c)
{
	if (uc_is_digit(c) || (uc_lower(c) >= 'a' && uc_lower(c) <= 'z'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

size_t uc_token_len(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && is_token_char(p[n]))
		n++;
	return n;
}

/* Not strncasecmp(): a locale must not change what a header is. */
bool uc_same_name(const char *p, size_t len, const char *name)
{
	size_t i;

	if (len != strlen(name))
		return false;
	for (i = 0; i < len; i++)
		if (uc_lower(p[i]) != name[i])
			return false;
	return true;
}

struct uc_line uc_take_line(struct uc_span *s)
{
	const char *lf = memchr(s->p, '\n', s->len);
	struct uc_line l = {
		.text = s->p,
		.len = lf ? (size_t)(lf - s->p) : s->len,
		.ended = lf != NULL,
	};

	uc_skip(s, l.len + l.ended);
	if (l.len > 0 && l.text[l.len - 1] == '\r')
		l.len--;
	return l;
}

struct uc_field uc_split_line(const struct uc_line *l)
{
	const char *colon = memchr(l->text, ':', l->len);
	size_t name_len = colon ? (size_t)(colon - l->text) : 0;
	size_t skipped = colon ? name_len + 1 : 0;

	return (struct uc_field){
		.name = l->text,
		.name_len = name_len,
		.value = l->text + skipped,
		.value_len = l->len - skipped,
	};
}

enum uc_field_kind uc_field_kind(const struct uc_field *f)
{
	static const struct {
		const char *name;
		enum uc_field_kind kind;
	} kinds[] = {
		{ "connection", UC_FIELD_CONNECTION },
		{ "content-length", UC_FIELD_CONTENT_LENGTH },
		{ "keep-alive", UC_FIELD_KEEP_ALIVE },
		{ "transfer-encoding", UC_FIELD_TRANSFER_ENCODING },
		{ "upgrade", UC_FIELD_UPGRADE },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (uc_same_name(f->name, f->name_len, kinds[i].name))
			return kinds[i].kind;
	return UC_FIELD_OTHER;
}
