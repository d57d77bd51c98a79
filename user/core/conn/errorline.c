/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/errorline.h"

#include <string.h>

struct cursor {
	const char *p, *end;
};

static bool eat(struct cursor *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n))
		return false;
	c->p += n;
	return true;
}

static bool number(struct cursor *c, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;
	const char *start = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
		n = n * 10 + (*c->p++ - '0');
		if (n > max)
			return false;
	}
	*ret = n;
	return c->p > start;
}

static bool field(struct cursor *c, unsigned max, const char *behind, unsigned *ret)
{
	uint64_t n;

	if (!number(c, max, &n) || !eat(c, behind))
		return false;
	*ret = n;
	return true;
}

/* "2026/11/22 10:26:07 [" */
static bool parse_time(struct cursor *c, struct uc_error_line *l)
{
	return field(c, 9999, "/", &l->year) && field(c, 12, "/", &l->month) &&
	       field(c, 31, " ", &l->day) && field(c, 23, ":", &l->hour) &&
	       field(c, 59, ":", &l->minute) && field(c, 60, " [", &l->second);
}

static const char *find(const char *from, const char *end, const char *what)
{
	return from < end ? memmem(from, end - from, what, strlen(what)) : NULL;
}

/* The last one: a client's request may hold the words, but comes before what nginx adds. */
static const char *find_last(const char *from, const char *end, const char *what)
{
	const char *last = NULL, *at = from;

	while ((at = find(at, end, what)))
		last = at++;
	return last;
}

/* "error] 19401#19401: *4 " */
static bool parse_origin(struct cursor *c, struct uc_error_line *l)
{
	const char *close = memchr(c->p, ']', c->end - c->p);
	uint64_t pid, tid;

	if (!close)
		return false;
	l->level = (struct uc_slice){ c->p, close - c->p };
	c->p = close;
	if (!eat(c, "] ") || !number(c, UINT32_MAX, &pid) || !eat(c, "#") ||
	    !number(c, UINT32_MAX, &tid) || !eat(c, ": "))
		return false;
	l->pid = pid;
	return eat(c, "*") && number(c, UINT64_MAX / 16, &l->connection) && eat(c, " ");
}

static bool level_is(const struct uc_error_line *l, const char *name)
{
	return l->level.len == strlen(name) && !memcmp(l->level.p, name, l->level.len);
}

/* Up to the next ", " for plain fields, to the closing quote for quoted ones. */
static struct uc_slice value_of(const char *from, const char *end, const char *name, bool quoted)
{
	const char *at = find(from, end, name), *stop;

	if (!at)
		return (struct uc_slice){ NULL, 0 };
	at += strlen(name);
	stop = quoted ? find(at, end, "\", ") : find(at, end, ", ");
	if (!stop)
		stop = quoted && end > at && end[-1] == '"' ? end - 1 : end;
	return (struct uc_slice){ at, stop - at };
}

/* upstream: "http://127.0.0.1:3000/uri?query", host: "..." */
static bool parse_upstream(struct uc_error_line *l, const char *from, const char *end)
{
	const char *at = find_last(from, end, ", upstream: \""), *stop, *slash, *query;

	if (!at)
		return false;
	at += strlen(", upstream: \"");
	stop = find(at, end, "\", ");
	if (!stop)
		stop = end[-1] == '"' ? end - 1 : end;
	slash = find(at, stop, "://");
	if (!slash)
		return false;
	at = slash + 3;
	if (at < stop && !strncmp(at, "unix:", stop - at < 5 ? stop - at : 5))
		return false;
	slash = memchr(at, '/', stop - at);
	l->peer = (struct uc_slice){ at, (slash ? slash : stop) - at };
	l->path = (struct uc_slice){ slash ? slash : stop, slash ? stop - slash : 0 };
	query = l->path.len ? memchr(l->path.p, '?', l->path.len) : NULL;
	if (query)
		l->path.len = query - l->path.p;
	/* a group's name has no port: no server of it was tried */
	return l->peer.len && memchr(l->peer.p, ':', l->peer.len);
}

bool uc_error_line_parse(const char *line, size_t len, struct uc_error_line *l)
{
	struct cursor c;
	const char *fields;

	l->len = len < sizeof(l->text) - 1 ? len : sizeof(l->text) - 1;
	memcpy(l->text, line, l->len);
	l->text[l->len] = '\0';
	c = (struct cursor){ l->text, l->text + l->len };
	if (!parse_time(&c, l) || !parse_origin(&c, l) || level_is(l, "warn") ||
	    level_is(l, "debug"))
		return false;
	fields = find(c.p, c.end, ", client: ");
	if (!fields)
		return false;
	l->message = (struct uc_slice){ c.p, fields - c.p };
	if (!parse_upstream(l, fields, c.end))
		return false;
	l->client = value_of(fields, c.end, ", client: ", false);
	l->server = value_of(fields, c.end, ", server: ", false);
	l->request = value_of(fields, c.end, ", request: \"", true);
	l->host = value_of(l->peer.p, c.end, ", host: \"", true);
	return true;
}

struct uc_slice uc_error_line_without_query(struct uc_slice request)
{
	const char *query = request.p ? memchr(request.p, '?', request.len) : NULL;

	if (query)
		request.len = query - request.p;
	return request;
}
