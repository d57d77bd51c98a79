/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/http/http.h"

#include <limits.h>
#include <string.h>

#include "base/util.h"
#include "core/http/lines.h"

enum field_step {
	FIELD_TAKEN,
	FIELD_OPEN, /* the buffer ends behind it, a continuation line may follow */
	FIELD_CUT,
	FIELD_END, /* the empty line */
};

/* What the headers say, before method and status have their say. */
struct claims {
	bool has_length;
	uint64_t length;
	bool coded;   /* a Transfer-Encoding */
	bool chunked; /* as its last coding */
	bool close;
	bool keep_alive;
	int keep_alive_s;
};

static bool is_space(char c)
{
	return uc_is_blank(c) || c == '\r' || c == '\n';
}

static bool is_folded(const struct uc_span *s)
{
	return s->len > 0 && uc_is_blank(s->p[0]);
}

static enum field_step take_field(struct uc_span *s, struct uc_field *f)
{
	struct uc_line l = uc_take_line(s);

	if (!l.ended)
		return FIELD_CUT;
	if (l.len == 0)
		return FIELD_END;
	*f = uc_split_line(&l);
	while (is_folded(s)) {
		l = uc_take_line(s);
		if (!l.ended)
			return FIELD_CUT;
		f->value_len = (size_t)(l.text + l.len - f->value);
	}
	return s->len > 0 ? FIELD_TAKEN : FIELD_OPEN;
}

static struct uc_span trim(struct uc_span s)
{
	while (s.len > 0 && is_space(s.p[0]))
		uc_skip(&s, 1);
	while (s.len > 0 && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* The items of a comma list, empty ones too; list->p becomes NULL behind the last. */
static bool take_item(struct uc_span *list, struct uc_span *item)
{
	const char *comma;

	if (!list->p)
		return false;
	comma = memchr(list->p, ',', list->len);
	item->p = list->p;
	item->len = comma ? (size_t)(comma - list->p) : list->len;
	if (comma)
		uc_skip(list, item->len + 1);
	else
		list->p = NULL;
	*item = trim(*item);
	return true;
}

static bool parse_decimal(const struct uc_span *s, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i;

	if (s->len == 0)
		return false;
	for (i = 0; i < s->len; i++) {
		if (!uc_is_digit(s->p[i]) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s->p[i] - '0'), &value))
			return false;
	}
	*ret = value;
	return true;
}

static bool read_content_length(struct uc_span list, struct claims *claims)
{
	uint64_t length = claims->length, value;
	bool has_length = claims->has_length;
	struct uc_span item;

	while (take_item(&list, &item)) {
		if (!parse_decimal(&item, &value) || (has_length && value != length))
			return false;
		length = value;
		has_length = true;
	}
	claims->length = length;
	claims->has_length = has_length;
	return true;
}

static void read_transfer_encoding(struct uc_span list, struct claims *claims)
{
	struct uc_span item;

	claims->coded = true;
	while (take_item(&list, &item))
		if (item.len > 0)
			claims->chunked = uc_same_name(item.p, item.len, "chunked");
}

static void read_connection(struct uc_span list, struct claims *claims)
{
	struct uc_span item;

	while (take_item(&list, &item)) {
		if (uc_same_name(item.p, item.len, "close"))
			claims->close = true;
		else if (uc_same_name(item.p, item.len, "keep-alive"))
			claims->keep_alive = true;
	}
}

static void read_keep_alive(struct uc_span list, struct claims *claims)
{
	struct uc_span item, number;
	const char *equals;
	uint64_t value;

	while (take_item(&list, &item)) {
		equals = memchr(item.p, '=', item.len);
		if (!equals)
			continue;
		number.p = equals + 1;
		number.len = (size_t)(item.p + item.len - number.p);
		number = trim(number);
		item.len = (size_t)(equals - item.p);
		item = trim(item);
		if (uc_same_name(item.p, item.len, "timeout") && parse_decimal(&number, &value) &&
		    value <= INT_MAX && claims->keep_alive_s < 0)
			claims->keep_alive_s = (int)value;
	}
}

/* False: a Content-Length that leaves the length open. */
static bool read_field(const struct uc_field *f, struct claims *claims)
{
	struct uc_span value = { .p = f->value, .len = f->value_len };

	switch (uc_field_kind(f)) {
	case UC_FIELD_CONTENT_LENGTH:
		return read_content_length(value, claims);
	case UC_FIELD_TRANSFER_ENCODING:
		read_transfer_encoding(value, claims);
		break;
	case UC_FIELD_CONNECTION:
		read_connection(value, claims);
		break;
	case UC_FIELD_KEEP_ALIVE:
		read_keep_alive(value, claims);
		break;
	case UC_FIELD_UPGRADE:
	case UC_FIELD_OTHER:
		break;
	}
	return true;
}

static enum uc_head_state read_fields(struct uc_span *s, struct claims *claims)
{
	enum field_step step;
	struct uc_field f;

	*claims = (struct claims){ .keep_alive_s = -1 };
	for (;;) {
		step = take_field(s, &f);
		if (step == FIELD_CUT)
			return UC_HEAD_PARTIAL;
		if (step == FIELD_END)
			return UC_HEAD_COMPLETE;
		/* "Content-Length:" alone is wrong only once no continuation can follow. */
		if (!read_field(&f, claims) && step != FIELD_OPEN)
			return UC_HEAD_INVALID;
	}
}

static bool skip_fields(struct uc_span *s)
{
	struct uc_line l;

	do {
		l = uc_take_line(s);
	} while (l.ended && l.len > 0);
	return l.ended;
}

static enum uc_framing framing(const struct claims *claims, enum uc_framing otherwise)
{
	if (claims->coded)
		return claims->chunked ? UC_FRAMING_CHUNKED : UC_FRAMING_CLOSE;
	return claims->has_length ? UC_FRAMING_LENGTH : otherwise;
}

/* Silence means something only once the head is complete. */
static bool will_close(const struct claims *claims, enum uc_head_state state, unsigned minor)
{
	if (claims->close)
		return true;
	return state == UC_HEAD_COMPLETE && minor == 0 && !claims->keep_alive;
}

static const char version_start[] = "HTTP/1.";
#define VERSION_START_LEN (sizeof(version_start) - 1)
#define VERSION_LEN       (VERSION_START_LEN + 1)

static bool starts_like_version(const char *p, size_t len)
{
	return memcmp(p, version_start, len < VERSION_START_LEN ? len : VERSION_START_LEN) == 0 &&
	       (len < VERSION_LEN || uc_is_digit(p[VERSION_START_LEN]));
}

static bool may_be_version(const char *p, size_t len, bool ended)
{
	return (ended ? len == VERSION_LEN : len <= VERSION_LEN) && starts_like_version(p, len);
}

static void set_version(struct uc_request_head *ret, const struct uc_line *l)
{
	if (l->ended)
		ret->minor = (unsigned)(l->text[l->len - 1] - '0');
}

/* NUL and CR: nginx never lets them through; other control bytes old versions do. */
static size_t path_len(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[n] != ' ' && p[n] != '?' && p[n] != '#' && p[n] != '\r' && p[n])
		n++;
	return n;
}

/*
 * Up to the last space: nginx before 1.21.1 forwards arguments that have spaces
 * in them. In a line that is cut, what follows that space may be query as well.
 */
static size_t query_len(const char *p, const struct uc_line *l)
{
	size_t len = (size_t)(l->text + l->len - p), n = len;

	while (n > 0 && p[n - 1] != ' ')
		n--;
	if (n > 0 && may_be_version(p + n, len - n, l->ended))
		return n - 1;
	return l->ended ? 0 : len;
}

static bool parse_target(const struct uc_line *l, size_t at, struct uc_request_head *ret)
{
	const char *end = l->text + l->len, *p;

	ret->target = l->text + at;
	ret->target_len = path_len(ret->target, l->len - at);
	p = ret->target + ret->target_len;
	if (p == end) {
		ret->target_cut = true;
		return !l->ended;
	}
	if (*p == ' ') {
		set_version(ret, l);
		return ret->target_len > 0 &&
		       may_be_version(p + 1, (size_t)(end - p) - 1, l->ended);
	}
	if (*p != '?' && *p != '#')
		return false;
	set_version(ret, l);
	ret->query_len = query_len(p, l);
	return ret->query_len > 0;
}

static bool parse_request_line(const struct uc_line *l, struct uc_request_head *ret)
{
	size_t n = uc_token_len(l->text, l->len);

	if (n == l->len)
		return !l->ended;
	if (n == 0 || l->text[n] != ' ')
		return false;
	ret->method = l->text;
	ret->method_len = n;
	return parse_target(l, n + 1, ret);
}

static void finish_request(struct uc_span *s, size_t len, struct uc_request_head *ret)
{
	enum uc_framing silent = UC_FRAMING_CLOSE;
	struct claims claims;

	ret->state = read_fields(s, &claims);
	if (ret->state == UC_HEAD_INVALID)
		return;
	if (ret->state == UC_HEAD_COMPLETE) {
		ret->head_len = len - s->len;
		silent = UC_FRAMING_NONE;
	}
	ret->framing = framing(&claims, silent);
	if (ret->framing == UC_FRAMING_LENGTH)
		ret->length = claims.length;
	ret->close = will_close(&claims, ret->state, ret->minor);
}

void uc_http_request(const void *buf, size_t len, struct uc_request_head *ret)
{
	static const struct uc_request_head nothing = { .framing = UC_FRAMING_CLOSE };
	struct uc_span s = { .p = buf, .len = len };
	struct uc_line l;

	*ret = nothing;
	if (len == 0)
		return;
	l = uc_take_line(&s);
	ret->state = UC_HEAD_PARTIAL;
	if (!parse_request_line(&l, ret)) {
		*ret = nothing;
		ret->state = UC_HEAD_INVALID;
		return;
	}
	ret->line_whole = l.ended;
	if (l.ended)
		finish_request(&s, len, ret);
}

/* Of the registry of RFC 9110 (section 16.1.1) those that a proxy passes on, and PURGE. */
static bool is_known_method(const char *p, size_t len)
{
	static const char *const known[] = {
		"GET",     "HEAD",  "POST",       "PUT",        "DELETE",    "CONNECT",
		"OPTIONS", "TRACE", "PATCH",      "PROPFIND",   "PROPPATCH", "MKCOL",
		"COPY",    "MOVE",  "LOCK",       "UNLOCK",     "SEARCH",    "REPORT",
		"ACL",     "BIND",  "MKCALENDAR", "MKACTIVITY", "CHECKOUT",  "VERSION-CONTROL",
		"PURGE",
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i]) == len && !memcmp(p, known[i], len))
			return true;
	return false;
}

bool uc_http_request_certain(const struct uc_request_head *h, size_t len, size_t room)
{
	if (!h->method)
		return false;
	if (h->line_whole)
		return true;
	return len >= room && is_known_method(h->method, h->method_len) && h->target_len &&
	       h->target[0] == '/';
}

/*
 * As tolerant as nginx (ngx_http_parse_status_line): several spaces before the
 * status, a '.' behind it (IIS), no reason. *status is 0 where not seen.
 */
static bool parse_status_line(const struct uc_line *l, unsigned *status, unsigned *minor)
{
	size_t n = VERSION_LEN, i;
	unsigned value = 0;

	*status = *minor = 0;
	if (!starts_like_version(l->text, l->len))
		return false;
	while (n < l->len && l->text[n] == ' ')
		n++;
	if (n >= l->len)
		return !l->ended;
	for (i = 0; i < 3 && n + i < l->len; i++) {
		if (!uc_is_digit(l->text[n + i]))
			return false;
		value = value * 10 + (unsigned)(l->text[n + i] - '0');
	}
	if (n == VERSION_LEN || l->text[n] == '0')
		return false;
	if (n + i == l->len && !l->ended)
		return true;
	if (i < 3 || (n + i < l->len && l->text[n + i] != ' ' && l->text[n + i] != '.'))
		return false;
	*status = value;
	*minor = (unsigned)(l->text[VERSION_START_LEN] - '0');
	return true;
}

static bool is_interim(unsigned status)
{
	return status >= 100 && status < 200 && status != 101;
}

/* Leaves s behind the first line of the final response; false: the state is decided. */
static bool find_final(struct uc_span *s, size_t len, struct uc_response_head *ret)
{
	struct uc_line l;

	for (;;) {
		ret->interim_len = len - s->len;
		ret->state = len ? UC_HEAD_PARTIAL : UC_HEAD_EMPTY;
		if (s->len == 0)
			return false;
		l = uc_take_line(s);
		if (!parse_status_line(&l, &ret->status, &ret->minor)) {
			ret->state = UC_HEAD_INVALID;
			return false;
		}
		if (!is_interim(ret->status))
			return l.ended;
		ret->status = ret->minor = 0;
		if (!l.ended || !skip_fields(s))
			return false;
	}
}

static enum uc_framing response_framing(const struct claims *claims, unsigned status, bool head)
{
	if (status == 101)
		return UC_FRAMING_UPGRADE;
	if (head || status == 204 || status == 304)
		return UC_FRAMING_NONE;
	return framing(claims, UC_FRAMING_CLOSE);
}

void uc_http_response(const void *buf, size_t len, const char *method, size_t method_len,
		      struct uc_response_head *ret)
{
	bool head = method && method_len == 4 && memcmp(method, "HEAD", 4) == 0;
	struct claims claims = { .keep_alive_s = -1 };
	struct uc_span s = { .p = buf, .len = len };

	*ret = (struct uc_response_head){ .framing = UC_FRAMING_CLOSE, .keep_alive_s = -1 };
	if (find_final(&s, len, ret))
		ret->state = read_fields(&s, &claims);
	if (ret->state == UC_HEAD_INVALID)
		return;
	if (ret->state == UC_HEAD_COMPLETE)
		ret->head_len = len - s.len;
	ret->framing = response_framing(&claims, ret->status, head);
	if (ret->framing == UC_FRAMING_LENGTH)
		ret->length = claims.length;
	ret->close = will_close(&claims, ret->state, ret->minor) ||
		     (ret->state == UC_HEAD_COMPLETE && ret->framing == UC_FRAMING_CLOSE);
	ret->keep_alive_s = claims.keep_alive_s;
}

bool uc_http_field(const void *buf, size_t len, const char *name, const char **value,
		   size_t *value_len)
{
	struct uc_span s = { .p = buf, .len = len }, found;
	enum field_step step;
	struct uc_field f;

	if (!len || !uc_take_line(&s).ended)
		return false;
	while ((step = take_field(&s, &f)) == FIELD_TAKEN || step == FIELD_OPEN) {
		if (!uc_same_name(f.name, f.name_len, name))
			continue;
		found = trim((struct uc_span){ .p = f.value, .len = f.value_len });
		*value = found.p;
		*value_len = found.len;
		return true;
	}
	return false;
}
