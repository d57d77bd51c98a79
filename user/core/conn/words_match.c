/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Written messages: a format with its conversions filled in, by OpenSSL's own text
 * where there is one, the errno and what nginx was doing.
 *
 *	SSL_do_handshake() failed (SSL: error:...) (104: Connection reset by peer) while ...
 */
#include "core/conn/words.h"

#include <string.h>

#define ERRNO_MAX 4095

/* Behind a conversion of ngx_vslprintf(): "%V", "%*s", "%02xd", "%ui". */
static const char *behind_conversion(const char *s)
{
	s += strspn(s, "0123456789*.");
	s += strspn(s, "umxX");
	return *s ? s + 1 : s;
}

static size_t literal(const char *format)
{
	return strcspn(format, "%");
}

/* Takes what follows a conversion; the last literal has to be at the end. */
static bool eat_literal(struct uc_slice *s, const char *text, size_t len, bool last)
{
	const char *at;

	if (s->len < len)
		return false;
	if (last)
		return !len || !memcmp(s->p + s->len - len, text, len);
	at = len ? memmem(s->p, s->len, text, len) : s->p;
	if (!at)
		return false;
	s->len -= at + len - s->p;
	s->p = at + len;
	return true;
}

/* Whatever a conversion gave, even nothing: what is in it is another's choice. */
static bool filled(const char *format, struct uc_slice s)
{
	size_t len = literal(format);

	if (s.len < len || memcmp(s.p, format, len) != 0)
		return false;
	s.p += len;
	s.len -= len;
	format += len;
	if (!*format)
		return !s.len;
	while (*format) {
		format = behind_conversion(format + 1);
		len = literal(format);
		if (!eat_literal(&s, format, len, !format[len]))
			return false;
		format += len;
	}
	return true;
}

/* The number of a connection, which is before the message in a line. */
static const char *written(const struct uc_words_row *row)
{
	static const char number[] = "*%uA ";
	size_t len = sizeof(number) - 1;

	return row->format + (strncmp(row->format, number, len) ? 0 : len);
}

static size_t all_literals(const char *format)
{
	size_t sum = 0;

	while (*format) {
		size_t len = literal(format);

		sum += len;
		format += len;
		if (*format)
			format = behind_conversion(format + 1);
	}
	return sum;
}

/* The surer: with more text before what is another's choice, then with more text at all. */
static bool surer(const char *a, const char *b)
{
	size_t in_a = literal(a), in_b = literal(b);

	return in_a != in_b ? in_a > in_b : all_literals(a) > all_literals(b);
}

/* Of those with a text of their own: "%*s" and "%s %V" are what anything looks like. */
static const struct uc_words_row *best(struct uc_slice s)
{
	const struct uc_words_row *found = NULL;

	for (size_t i = 0; i < uc_words_row_count; i++) {
		const struct uc_words_row *row = &uc_words_rows[i];

		if (all_literals(row->format) > 1 && filled(written(row), s) &&
		    (!found || surer(written(row), written(found))))
			found = row;
	}
	return found;
}

static const char *last_of(struct uc_slice s, const char *what)
{
	size_t len = strlen(what);

	for (size_t at = s.len; at-- > 0;)
		if (s.len - at >= len && !memcmp(s.p + at, what, len))
			return s.p + at;
	return NULL;
}

static bool ends_with_bracket(struct uc_slice s)
{
	return s.len && s.p[s.len - 1] == ')';
}

/* " (110: Connection timed out)" */
static int cut_errno(struct uc_slice *s)
{
	const char *at = ends_with_bracket(*s) ? last_of(*s, " (") : NULL, *p, *end = s->p + s->len;
	int err = 0;

	if (!at)
		return 0;
	for (p = at + 2; p < end && *p >= '0' && *p <= '9' && err <= ERRNO_MAX; p++)
		err = err * 10 + (*p - '0');
	if (err > ERRNO_MAX || end - p < 2 || p[0] != ':' || p[1] != ' ')
		return 0;
	if (err)
		s->len = at - s->p;
	return err;
}

/* " (SSL: error:0A00010B:SSL routines::wrong version number)" */
static void cut_openssl(struct uc_slice *s)
{
	static const char mark[] = " (SSL:";
	const char *at = ends_with_bracket(*s) ? memmem(s->p, s->len, mark, sizeof(mark) - 1) :
						 NULL;

	if (at)
		s->len = at - s->p;
}

/* " while reading upstream" */
static struct uc_slice cut_action(struct uc_slice *s)
{
	static const char mark[] = " while ";
	const char *at = last_of(*s, mark);
	struct uc_slice action = { NULL, 0 };

	if (at) {
		action.p = at + sizeof(mark) - 1;
		action.len = s->p + s->len - action.p;
		s->len = at - s->p;
	}
	return action;
}

/* A message can end in brackets of its own: "x could not be resolved (3: Host not found)". */
static const struct uc_words_row *row_of(struct uc_slice s, int *ret_err)
{
	const struct uc_words_row *row;
	struct uc_slice rest = s;

	*ret_err = cut_errno(&rest);
	cut_openssl(&rest);
	row = best(rest);
	if (!row) {
		*ret_err = 0;
		row = best(s);
	}
	return row;
}

static enum uc_words_kind kind_of(const struct uc_words_row *row, struct uc_slice doing, int err)
{
	char action[UC_WORDS_ACTION] = "";

	if (!row)
		return UC_WORDS_OTHER;
	if (doing.p)
		memcpy(action, doing.p,
		       doing.len < sizeof(action) ? doing.len : sizeof(action) - 1);
	return uc_words_find(row->format, action, err);
}

enum uc_words_kind uc_words_match(const char *text, size_t len, int *ret_err,
				  struct uc_slice *ret_action)
{
	struct uc_slice whole = { text, len }, cut = whole, doing = cut_action(&cut);
	int err, whole_err;
	const struct uc_words_row *row = row_of(cut, &err), *other;

	/* a message with a " while " of its own */
	other = doing.p ? row_of(whole, &whole_err) : NULL;
	if (other && (!row || surer(written(other), written(row)))) {
		row = other;
		err = whole_err;
		doing = (struct uc_slice){ NULL, 0 };
	}
	*ret_err = row ? err : cut_errno(&cut);
	*ret_action = doing;
	return kind_of(row, doing, *ret_err);
}
