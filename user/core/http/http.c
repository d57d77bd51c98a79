/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>
#include <string.h>

#include "base/util.h"
#include "core/http/http.h"

/* What is left to read. */
struct span {
	const char *p;
	size_t len;
};

/* text: without its line end; ended: the LF is in the buffer. */
struct line {
	const char *text;
	size_t len;
	bool ended;
};

/* A header with its continuation lines; the value of a folded one holds their line ends. */
struct field {
	const char *name;
	size_t name_len;
	const char *value;
	size_t value_len;
};

enum field_step {
	FIELD_TAKEN,
	FIELD_OPEN, /* the buffer ends behind it, a continuation line may follow */
	FIELD_CUT,
	FIELD_END, /* the empty line */
};

enum field_kind {
	FIELD_OTHER,
	FIELD_CONNECTION,
	FIELD_CONTENT_LENGTH,
	FIELD_KEEP_ALIVE,
	FIELD_TRANSFER_ENCODING,
	FIELD_UPGRADE,
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

enum chunk_place {
	CHUNK_AT_SIZE,
	CHUNK_AT_DATA,
	CHUNK_AT_DATA_END,
	CHUNK_AT_TRAILER,
};

enum chunk_step {
	CHUNK_MORE,
	CHUNK_CUT, /* the buffer ends within the body */
	CHUNK_BAD,
	CHUNK_END, /* behind the last line end of the body */
};

struct chunks {
	struct span left;
	enum chunk_place place;
	uint64_t size;      /* data of this chunk that is still to come */
	struct span hidden; /* what the newest step met that is no framing */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* RFC 9110, section 5.6.2 */
static bool is_token_char(char c)
{
	if (is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

static size_t token_len(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && is_token_char(p[n]))
		n++;
	return n;
}

/* Not strncasecmp(): a locale must not change what a header is. */
static bool same_name(const char *p, size_t len, const char *name)
{
	size_t i;

	if (len != strlen(name))
		return false;
	for (i = 0; i < len; i++)
		if (lower(p[i]) != name[i])
			return false;
	return true;
}

static void skip(struct span *s, size_t n)
{
	s->p += n;
	s->len -= n;
}

/* A CR at the end of the buffer is taken for the first half of a line end. */
static struct line take_line(struct span *s)
{
	const char *lf = memchr(s->p, '\n', s->len);
	struct line l = {
		.text = s->p,
		.len = lf ? (size_t)(lf - s->p) : s->len,
		.ended = lf != NULL,
	};

	skip(s, l.len + l.ended);
	if (l.len > 0 && l.text[l.len - 1] == '\r')
		l.len--;
	return l;
}

static bool is_folded(const struct span *s)
{
	return s->len > 0 && is_blank(s->p[0]);
}

static struct field split_line(const struct line *l)
{
	const char *colon = memchr(l->text, ':', l->len);
	size_t name_len = colon ? (size_t)(colon - l->text) : 0;
	size_t skipped = colon ? name_len + 1 : 0;

	return (struct field){
		.name = l->text,
		.name_len = name_len,
		.value = l->text + skipped,
		.value_len = l->len - skipped,
	};
}

static enum field_step take_field(struct span *s, struct field *f)
{
	struct line l = take_line(s);

	if (!l.ended)
		return FIELD_CUT;
	if (l.len == 0)
		return FIELD_END;
	*f = split_line(&l);
	while (is_folded(s)) {
		l = take_line(s);
		if (!l.ended)
			return FIELD_CUT;
		f->value_len = (size_t)(l.text + l.len - f->value);
	}
	return s->len > 0 ? FIELD_TAKEN : FIELD_OPEN;
}

/* A blank before the colon makes another name: nginx does not take such a header either. */
static enum field_kind field_kind(const struct field *f)
{
	static const struct {
		const char *name;
		enum field_kind kind;
	} kinds[] = {
		{ "connection", FIELD_CONNECTION },
		{ "content-length", FIELD_CONTENT_LENGTH },
		{ "keep-alive", FIELD_KEEP_ALIVE },
		{ "transfer-encoding", FIELD_TRANSFER_ENCODING },
		{ "upgrade", FIELD_UPGRADE },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (same_name(f->name, f->name_len, kinds[i].name))
			return kinds[i].kind;
	return FIELD_OTHER;
}

static struct span trim(struct span s)
{
	while (s.len > 0 && is_space(s.p[0]))
		skip(&s, 1);
	while (s.len > 0 && is_space(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* The items of a comma list, empty ones too; list->p becomes NULL behind the last. */
static bool take_item(struct span *list, struct span *item)
{
	const char *comma;

	if (!list->p)
		return false;
	comma = memchr(list->p, ',', list->len);
	item->p = list->p;
	item->len = comma ? (size_t)(comma - list->p) : list->len;
	if (comma)
		skip(list, item->len + 1);
	else
		list->p = NULL;
	*item = trim(*item);
	return true;
}

static bool parse_decimal(const struct span *s, uint64_t *ret)
{
	uint64_t value = 0;
	size_t i;

	if (s->len == 0)
		return false;
	for (i = 0; i < s->len; i++) {
		if (!is_digit(s->p[i]) || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(s->p[i] - '0'), &value))
			return false;
	}
	*ret = value;
	return true;
}

static bool read_content_length(struct span list, struct claims *claims)
{
	uint64_t length = claims->length, value;
	bool has_length = claims->has_length;
	struct span item;

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

static void read_transfer_encoding(struct span list, struct claims *claims)
{
	struct span item;

	claims->coded = true;
	while (take_item(&list, &item))
		if (item.len > 0)
			claims->chunked = same_name(item.p, item.len, "chunked");
}

static void read_connection(struct span list, struct claims *claims)
{
	struct span item;

	while (take_item(&list, &item)) {
		if (same_name(item.p, item.len, "close"))
			claims->close = true;
		else if (same_name(item.p, item.len, "keep-alive"))
			claims->keep_alive = true;
	}
}

static void read_keep_alive(struct span list, struct claims *claims)
{
	struct span item, number;
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
		if (same_name(item.p, item.len, "timeout") && parse_decimal(&number, &value) &&
		    value <= INT_MAX && claims->keep_alive_s < 0)
			claims->keep_alive_s = (int)value;
	}
}

/* False: a Content-Length that leaves the length open. */
static bool read_field(const struct field *f, struct claims *claims)
{
	struct span value = { .p = f->value, .len = f->value_len };

	switch (field_kind(f)) {
	case FIELD_CONTENT_LENGTH:
		return read_content_length(value, claims);
	case FIELD_TRANSFER_ENCODING:
		read_transfer_encoding(value, claims);
		break;
	case FIELD_CONNECTION:
		read_connection(value, claims);
		break;
	case FIELD_KEEP_ALIVE:
		read_keep_alive(value, claims);
		break;
	case FIELD_UPGRADE:
	case FIELD_OTHER:
		break;
	}
	return true;
}

static enum uc_head_state read_fields(struct span *s, struct claims *claims)
{
	enum field_step step;
	struct field f;

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

static bool skip_fields(struct span *s)
{
	struct line l;

	do {
		l = take_line(s);
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
	       (len < VERSION_LEN || is_digit(p[VERSION_START_LEN]));
}

static bool may_be_version(const char *p, size_t len, bool ended)
{
	return (ended ? len == VERSION_LEN : len <= VERSION_LEN) && starts_like_version(p, len);
}

static void set_version(struct uc_request_head *ret, const struct line *l)
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
static size_t query_len(const char *p, const struct line *l)
{
	size_t len = (size_t)(l->text + l->len - p), n = len;

	while (n > 0 && p[n - 1] != ' ')
		n--;
	if (n > 0 && may_be_version(p + n, len - n, l->ended))
		return n - 1;
	return l->ended ? 0 : len;
}

static bool parse_target(const struct line *l, size_t at, struct uc_request_head *ret)
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

static bool parse_request_line(const struct line *l, struct uc_request_head *ret)
{
	size_t n = token_len(l->text, l->len);

	if (n == l->len)
		return !l->ended;
	if (n == 0 || l->text[n] != ' ')
		return false;
	ret->method = l->text;
	ret->method_len = n;
	return parse_target(l, n + 1, ret);
}

static void finish_request(struct span *s, size_t len, struct uc_request_head *ret)
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
	struct span s = { .p = buf, .len = len };
	struct line l;

	*ret = nothing;
	if (len == 0)
		return;
	l = take_line(&s);
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

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
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
static bool parse_status_line(const struct line *l, unsigned *status, unsigned *minor)
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
		if (!is_digit(l->text[n + i]))
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
static bool find_final(struct span *s, size_t len, struct uc_response_head *ret)
{
	struct line l;

	for (;;) {
		ret->interim_len = len - s->len;
		ret->state = len ? UC_HEAD_PARTIAL : UC_HEAD_EMPTY;
		if (s->len == 0)
			return false;
		l = take_line(s);
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
	struct span s = { .p = buf, .len = len };

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
	struct span s = { .p = buf, .len = len }, found;
	enum field_step step;
	struct field f;

	if (!len || !take_line(&s).ended)
		return false;
	while ((step = take_field(&s, &f)) == FIELD_TAKEN || step == FIELD_OPEN) {
		if (!same_name(f.name, f.name_len, name))
			continue;
		found = trim((struct span){ .p = f.value, .len = f.value_len });
		*value = found.p;
		*value_len = found.len;
		return true;
	}
	return false;
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
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
static enum chunk_step bad_chunk(struct chunks *c, const char *p)
{
	c->hidden.p = p;
	c->hidden.len = (size_t)(c->left.p + c->left.len - p);
	skip(&c->left, c->left.len);
	return CHUNK_BAD;
}

static enum chunk_step step_size(struct chunks *c)
{
	struct line l = take_line(&c->left);
	size_t n = parse_hex(l.text, l.len, &c->size);

	if (l.len == 0 && !l.ended)
		return CHUNK_CUT;
	if (n == 0 || (n < l.len && !is_blank(l.text[n]) && l.text[n] != ';'))
		return bad_chunk(c, l.text + n);
	if (n < l.len)
		c->hidden = (struct span){ .p = l.text + n + 1, .len = l.len - n - 1 };
	c->place = c->size ? CHUNK_AT_DATA : CHUNK_AT_TRAILER;
	return l.ended ? CHUNK_MORE : CHUNK_CUT;
}

static enum chunk_step step_data(struct chunks *c)
{
	size_t n = c->size < c->left.len ? (size_t)c->size : c->left.len;

	c->hidden = (struct span){ .p = c->left.p, .len = n };
	skip(&c->left, n);
	c->size -= n;
	if (c->size > 0)
		return CHUNK_CUT;
	c->place = CHUNK_AT_DATA_END;
	return CHUNK_MORE;
}

static enum chunk_step step_data_end(struct chunks *c)
{
	size_t cr = c->left.len > 0 && c->left.p[0] == '\r';

	if (c->left.len == cr)
		return CHUNK_CUT;
	if (c->left.p[cr] != '\n')
		return bad_chunk(c, c->left.p);
	skip(&c->left, cr + 1);
	c->place = CHUNK_AT_SIZE;
	return CHUNK_MORE;
}

static enum chunk_step step_trailer(struct chunks *c)
{
	struct line l = take_line(&c->left);

	c->hidden = (struct span){ .p = l.text, .len = l.len };
	if (!l.ended)
		return CHUNK_CUT;
	if (l.len > 0)
		return CHUNK_MORE;
	c->hidden = c->left;
	return CHUNK_END;
}

static enum chunk_step step_chunks(struct chunks *c)
{
	c->hidden = (struct span){ 0 };
	switch (c->place) {
	case CHUNK_AT_SIZE:
		return step_size(c);
	case CHUNK_AT_DATA:
		return step_data(c);
	case CHUNK_AT_DATA_END:
		return step_data_end(c);
	case CHUNK_AT_TRAILER:
		break;
	}
	return step_trailer(c);
}

/*
 * A chunk whose data goes on behind the buffer needs those bytes, a line end and
 * the last chunk, at least "\n" and "0\n\n". Where the buffer ends within the
 * size, the digits that are there give the least that it can be.
 */
static bool chunk_fits(const struct chunks *c, uint64_t unkept)
{
	return c->place != CHUNK_AT_DATA || (unkept >= 4 && unkept - 4 >= c->size);
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
	struct chunks c = { .left = { .p = body, .len = len } };
	enum chunk_step step;

	do {
		step = step_chunks(&c);
	} while (step == CHUNK_MORE);
	if (step == CHUNK_END)
		return UC_BODY_COMPLETE;
	if (step == CHUNK_BAD)
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
static const char *hidden_part(const struct line *l, bool *kept)
{
	struct field f = split_line(l);
	const char *p = l->text, *end = l->text + l->len;

	if (!is_blank(*p)) {
		*kept = field_kind(&f) != FIELD_OTHER;
		if (f.name_len == 0 || token_len(f.name, f.name_len) < f.name_len)
			return p;
		p = f.value;
	}
	while (p < end && is_blank(*p))
		p++;
	return *kept ? end : p;
}

/* False: the empty line is not there. */
static bool hide_fields(char *buf, struct span *s)
{
	bool kept = false;
	const char *from;
	struct line l;

	for (;;) {
		l = take_line(s);
		if (l.len == 0)
			return l.ended;
		from = hidden_part(&l, &kept);
		hide(buf, from, (size_t)(l.text + l.len - from));
		if (!l.ended)
			return false;
	}
}

static void hide_chunks(char *buf, const struct span *body)
{
	struct chunks c = { .left = *body };
	enum chunk_step step;

	do {
		step = step_chunks(&c);
		hide(buf, c.hidden.p, c.hidden.len);
	} while (step == CHUNK_MORE);
}

static void hide_fields_and_body(char *buf, struct span *s, bool chunked)
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
	struct span s = { .p = buf, .len = len };
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
	if (take_line(&s).ended)
		hide_fields_and_body(buf, &s, head.framing == UC_FRAMING_CHUNKED);
}

/* Leaves s behind the first line of the final response, as find_final() does. */
static bool hide_interim(char *buf, struct span *s, size_t interim_len)
{
	const char *final = s->p + interim_len;

	while (s->p < final) {
		take_line(s);
		hide_fields(buf, s);
	}
	return s->len > 0;
}

void uc_http_redact_response(void *buf, size_t len)
{
	struct span s = { .p = buf, .len = len };
	struct uc_response_head head;
	bool foreign;

	uc_http_response(buf, len, NULL, 0, &head);
	if (head.state == UC_HEAD_EMPTY || !hide_interim(buf, &s, head.interim_len))
		return;
	foreign = head.state == UC_HEAD_INVALID && head.status == 0;
	if (foreign)
		hide_invalid((char *)buf + head.interim_len, s.len);
	else if (take_line(&s).ended)
		hide_fields_and_body(buf, &s, head.framing == UC_FRAMING_CHUNKED);
}
