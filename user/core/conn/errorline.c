/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/errorline.h"

#include <string.h>

/* src/core/ngx_log.h */
#define LEVEL_WARN  5
#define LEVEL_DEBUG 8

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

/* "error] 19401#19401: *4 "; what belongs to no client has no number */
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
	l->connection = 0;
	return !eat(c, "*") || (number(c, UINT64_MAX / 16, &l->connection) && eat(c, " "));
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

static struct uc_slice until(struct uc_slice s, char c)
{
	const char *at = s.len ? memchr(s.p, c, s.len) : NULL;

	return (struct uc_slice){ s.p, at ? (size_t)(at - s.p) : s.len };
}

/* The last field of that name: a request, which comes before, may hold its words. */
static struct uc_slice upstream_of(const char *from, const char *end)
{
	const char *at = find_last(from, end, ", upstream: \""), *stop;

	if (!at)
		return (struct uc_slice){ NULL, 0 };
	at += strlen(", upstream: \"");
	stop = find(at, end, "\", ");
	if (!stop)
		stop = end > at && end[-1] == '"' ? end - 1 : end;
	return (struct uc_slice){ at, stop - at };
}

static bool on_unix_socket(struct uc_slice peer)
{
	return peer.len >= 5 && !memcmp(peer.p, "unix:", 5);
}

static struct uc_slice behind(struct uc_slice s, size_t len)
{
	return (struct uc_slice){ s.p + len, s.len - len };
}

/* "127.0.0.1:3000", "unix:/run/app.sock" */
static struct uc_slice peer_of(struct uc_slice s)
{
	if (!on_unix_socket(s))
		return until(s, '/');
	return (struct uc_slice){ s.p, 5 + until(behind(s, 5), ':').len };
}

/* "http://127.0.0.1:3000/uri?query"; of stream{} "127.0.0.1:3000" */
static void parse_upstream(struct uc_error_line *l, struct uc_slice url)
{
	const char *scheme;

	l->peer = l->path = (struct uc_slice){ NULL, 0 };
	if (!url.p)
		return;
	scheme = find(url.p, url.p + url.len, "://");
	if (scheme)
		url = behind(url, scheme + 3 - url.p);
	l->peer = peer_of(url);
	l->path = until(behind(url, l->peer.len), '?');
}

/* A group's name has no port. */
static bool on_connection(const struct uc_error_line *l)
{
	return l->peer.len && memchr(l->peer.p, ':', l->peer.len) && !on_unix_socket(l->peer) &&
	       uc_words_means(l->kind) != UC_MEANS_NO_CONNECTION;
}

/* Without a connection to belong to, it has to be known what it says. */
static bool says_enough(struct uc_error_line *l)
{
	switch (uc_words_means(l->kind)) {
	case UC_MEANS_NOTHING:
		return false;
	case UC_MEANS_NO_CONNECTION:
	case UC_MEANS_CONNECT_FAILED:
		return true;
	case UC_MEANS_CLIENT_GONE:
	case UC_MEANS_CLIENT_SLOW:
	case UC_MEANS_OTHER:
		return !l->alone;
	default:
		return l->peer.len;
	}
}

static bool parse_message(struct uc_error_line *l, const char *from, const char *to)
{
	unsigned level = uc_words_level(l->level.p, l->level.len);

	if (!level || level == LEVEL_WARN || level == LEVEL_DEBUG)
		return false;
	l->message = (struct uc_slice){ from, to - from };
	l->kind = uc_words_at_level(uc_words_match(from, to - from, &l->err, &l->action), level);
	return true;
}

bool uc_error_line_parse(const char *line, size_t len, struct uc_error_line *l)
{
	struct cursor c;
	const char *fields;

	l->len = len < sizeof(l->text) - 1 ? len : sizeof(l->text) - 1;
	memcpy(l->text, line, l->len);
	l->text[l->len] = '\0';
	c = (struct cursor){ l->text, l->text + l->len };
	if (!parse_time(&c, l) || !parse_origin(&c, l))
		return false;
	fields = find(c.p, c.end, ", client: ");
	if (!parse_message(l, c.p, fields ? fields : c.end))
		return false;
	fields = fields ? fields : c.end;
	parse_upstream(l, upstream_of(fields, c.end));
	l->alone = !on_connection(l);
	l->client = value_of(fields, c.end, ", client: ", false);
	l->server = value_of(fields, c.end, ", server: ", false);
	l->request = value_of(fields, c.end, ", request: \"", true);
	l->host = value_of(l->peer.p ? l->peer.p : fields, c.end, ", host: \"", true);
	return says_enough(l);
}

struct uc_slice uc_error_line_without_query(struct uc_slice request)
{
	const char *query = request.p ? memchr(request.p, '?', request.len) : NULL;

	if (query)
		request.len = query - request.p;
	return request;
}
