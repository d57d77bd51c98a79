/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/fix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define CONTEXT 3

struct uc_fix {
	const struct uc_nginx_conf *conf;
	const struct uc_edit **edits; /* by file and offset */
	size_t count, dropped;
	struct {
		size_t first, count; /* of edits */
	} * files;
	size_t file_count;
};

/* --- which edits ------------------------------------------------------------------------ */

static int by_offset(const void *a, const void *b)
{
	const struct uc_edit *x = *(const struct uc_edit *const *)a,
			     *y = *(const struct uc_edit *const *)b;

	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return strcmp(x->text, y->text);
}

static bool equal(const struct uc_edit *a, const struct uc_edit *b)
{
	return a->file == b->file && a->from == b->from && a->to == b->to &&
	       !strcmp(a->text, b->text);
}

/* Two insertions at one place go together, one behind the other. */
static bool collide(const struct uc_edit *before, const struct uc_edit *e)
{
	return before->file == e->file && e->from < before->to;
}

static void settle(struct uc_fix *x)
{
	size_t kept = 0;

	for (size_t i = 0; i < x->count; i++) {
		const struct uc_edit *last = kept ? x->edits[kept - 1] : NULL;

		if (last && equal(last, x->edits[i]))
			continue;
		if (last && collide(last, x->edits[i])) {
			x->dropped++;
			continue;
		}
		x->edits[kept++] = x->edits[i];
	}
	x->count = kept;
}

static int group(struct uc_fix *x)
{
	x->files = calloc(x->count ? x->count : 1, sizeof(*x->files));
	if (!x->files)
		return -ENOMEM;
	for (size_t i = 0; i < x->count; i++) {
		if (!i || x->edits[i]->file != x->edits[i - 1]->file)
			x->files[x->file_count++].first = i;
		x->files[x->file_count - 1].count++;
	}
	return 0;
}

int uc_fix_new(const struct uc_nginx_conf *conf, const struct uc_finding *findings, size_t count,
	       struct uc_fix **ret)
{
	struct uc_fix *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->conf = conf;
	x->edits = calloc(count * UC_FINDING_EDITS + 1, sizeof(struct uc_edit *));
	if (!x->edits) {
		uc_fix_free(x);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < findings[i].edit_count && !findings[i].accepted; k++)
			x->edits[x->count++] = &findings[i].edits[k];
	qsort(x->edits, x->count, sizeof(struct uc_edit *), by_offset);
	settle(x);
	if (group(x)) {
		uc_fix_free(x);
		return -ENOMEM;
	}
	*ret = x;
	return 0;
}

void uc_fix_free(struct uc_fix *x)
{
	if (!x)
		return;
	free(x->edits);
	free(x->files);
	free(x);
}

size_t uc_fix_files(const struct uc_fix *x)
{
	return x->file_count;
}

size_t uc_fix_dropped(const struct uc_fix *x)
{
	return x->dropped;
}

const struct uc_nginx_file *uc_fix_file(const struct uc_fix *x, size_t i)
{
	return uc_nginx_conf_file(x->conf, x->edits[x->files[i].first]->file);
}

/* The bytes [from, to) of the old file with the edits within them made. */
static char *apply(const struct uc_fix *x, size_t file, uint32_t from, uint32_t to, size_t *len)
{
	const struct uc_nginx_file *f = uc_fix_file(x, file);
	const struct uc_edit **e = &x->edits[x->files[file].first];
	size_t count = x->files[file].count, room = to - from + count * UC_EDIT_TEXT + 1;
	char *bytes = malloc(room), *out = bytes;
	uint32_t at = from;

	if (!bytes)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (e[i]->from < from || e[i]->to > to)
			continue;
		memcpy(out, f->bytes + at, e[i]->from - at);
		out = stpcpy(out + (e[i]->from - at), e[i]->text);
		at = e[i]->to;
	}
	memcpy(out, f->bytes + at, to - at);
	out += to - at;
	*out = '\0';
	*len = out - bytes;
	return bytes;
}

char *uc_fix_bytes(const struct uc_fix *x, size_t i, size_t *len)
{
	return apply(x, i, 0, uc_fix_file(x, i)->len, len);
}

/* --- what may be shown -------------------------------------------------------------------------- */

/* Directives whose arguments are names, addresses, numbers and switches. */
static const char *const harmless[] = {
	"http",
	"events",
	"server",
	"location",
	"upstream",
	"map",
	"limit_except",
	"types",
	"listen",
	"server_name",
	"worker_connections",
	"worker_processes",
	"keepalive",
	"keepalive_timeout",
	"keepalive_requests",
	"keepalive_time",
	"zone",
	"least_conn",
	"ip_hash",
	"random",
	"hash",
	"sendfile",
	"tcp_nopush",
	"tcp_nodelay",
	"proxy_pass",
	"proxy_http_version",
	"proxy_buffering",
	"proxy_request_buffering",
	"proxy_buffer_size",
	"proxy_buffers",
	"proxy_busy_buffers_size",
	"proxy_connect_timeout",
	"proxy_send_timeout",
	"proxy_read_timeout",
	"proxy_next_upstream",
	"proxy_next_upstream_tries",
	"proxy_next_upstream_timeout",
	"client_max_body_size",
	"fastcgi_pass",
	"fastcgi_keep_conn",
	"fastcgi_read_timeout",
	"fastcgi_send_timeout",
	"fastcgi_connect_timeout",
	"fastcgi_index",
	"fastcgi_next_upstream",
	"fastcgi_buffer_size",
	"grpc_pass",
	"grpc_read_timeout",
	"uwsgi_pass",
	"scgi_pass",
	"root",
	"index",
	"gzip",
	/* entries of the map of $http_upgrade */
	"default",
	"''",
	"\"\"",
};

static const char *const harmless_headers[] = {
	"Connection",        "Upgrade",         "Host", "X-Real-IP", "X-Forwarded-For",
	"X-Forwarded-Proto", "X-Forwarded-Host"
};

static bool is_one_of(const char *word, size_t len, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == len && !strncasecmp(word, list[i], len))
			return true;
	return false;
}

static size_t next_word(const char **at, const char *end)
{
	const char *from;

	while (*at < end && strchr(" \t\r", **at))
		++*at;
	from = *at;
	while (*at < end && !strchr(" \t\r", **at))
		++*at;
	*at = from;
	while (from < end && !strchr(" \t\r", *from))
		from++;
	return from - *at;
}

static bool harmless_segment(const char *at, const char *end)
{
	size_t n = next_word(&at, end);

	if (!n)
		return true;
	if (n == strlen("proxy_set_header") && !strncmp(at, "proxy_set_header", n)) {
		at += n;
		n = next_word(&at, end);
		return is_one_of(at, n, harmless_headers, ARRAY_SIZE(harmless_headers));
	}
	return is_one_of(at, n, harmless, ARRAY_SIZE(harmless));
}

static bool plain(char ch)
{
	return (ch >= ' ' && ch <= '~') || ch == '\t' || ch == '\r';
}

/*
 * A comment may hold anything, and so may the part of an address before "@" and
 * behind "?". A quote with ";" in it splits wrong, and its rest is then no known name.
 */
bool uc_fix_harmless(const char *line, size_t len)
{
	const char *at = line, *end = line + len;

	for (size_t i = 0; i < len; i++)
		if (strchr("#@?\\", line[i]) || !plain(line[i]))
			return false;
	while (at < end) {
		const char *stop = at;

		while (stop < end && !strchr(";{}", *stop))
			stop++;
		if (!harmless_segment(at, stop))
			return false;
		at = stop + 1;
	}
	return true;
}

/* --- the diff -------------------------------------------------------------------------------------- */

/* A run of whole old lines and what they become. */
struct change {
	uint32_t from, to; /* offsets in the old file, at line starts */
	char *owned;
	const char *text; /* of owned */
	size_t len;
};

static uint32_t line_start(const struct uc_nginx_file *f, uint32_t at)
{
	while (at && f->bytes[at - 1] != '\n')
		at--;
	return at;
}

static uint32_t line_end(const struct uc_nginx_file *f, uint32_t at)
{
	const char *newline = at < f->len ? memchr(f->bytes + at, '\n', f->len - at) : NULL;

	return newline ? newline - f->bytes + 1 : f->len;
}

static uint32_t count_lines(const char *bytes, size_t len)
{
	uint32_t lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += bytes[i] == '\n';
	return lines + (len && bytes[len - 1] != '\n');
}

/* Equal lines at both ends are no part of a change. */
static void trim(const struct uc_nginx_file *f, struct change *c)
{
	while (c->from < c->to) {
		uint32_t next = line_end(f, c->from);
		size_t n = next - c->from;

		if (n > c->len || memcmp(f->bytes + c->from, c->text, n) ||
		    f->bytes[next - 1] != '\n')
			break;
		c->from = next;
		c->text += n;
		c->len -= n;
	}
	while (c->from < c->to) {
		uint32_t last = line_start(f, c->to - 1);
		size_t n = c->to - last;

		if (n > c->len || memcmp(f->bytes + last, c->text + c->len - n, n) ||
		    (c->len > n && c->text[c->len - n - 1] != '\n'))
			break;
		c->to = last;
		c->len -= n;
	}
}

static bool shown(const char *bytes, size_t len)
{
	while (len) {
		const char *newline = memchr(bytes, '\n', len);
		size_t n = newline ? (size_t)(newline - bytes) : len;

		if (!uc_fix_harmless(bytes, n))
			return false;
		n += newline != NULL;
		bytes += n;
		len -= n;
	}
	return true;
}

static void print_lines(FILE *out, char sign, const char *bytes, size_t len)
{
	while (len) {
		const char *newline = memchr(bytes, '\n', len);
		size_t n = newline ? (size_t)(newline - bytes) + 1 : len;

		fputc(sign, out);
		fwrite(bytes, 1, n, out);
		if (!newline)
			fputs("\n\\ No newline at end of file\n", out);
		bytes += n;
		len -= n;
	}
}

/* As far as that many harmless lines reach before at, and behind. */
static uint32_t context_from(const struct uc_nginx_file *f, uint32_t at, uint32_t limit,
			     unsigned lines)
{
	for (unsigned i = 0; i < lines && at > limit; i++) {
		uint32_t before = line_start(f, at - 1);

		if (before < limit || !shown(f->bytes + before, at - before))
			break;
		at = before;
	}
	return at;
}

static uint32_t context_to(const struct uc_nginx_file *f, uint32_t at, uint32_t limit,
			   unsigned lines)
{
	for (unsigned i = 0; i < lines && at < limit; i++) {
		uint32_t next = line_end(f, at);

		if (next > limit || !shown(f->bytes + at, next - at))
			break;
		at = next;
	}
	return at;
}

/* "12,3"; an empty range names the line before it. */
static void print_range(FILE *out, char sign, uint32_t first, uint32_t count)
{
	fprintf(out, " %c%u", sign, count ? first : first - 1);
	if (count != 1)
		fprintf(out, ",%u", count);
}

/* How many edits from e on touch the same lines; *c gets those lines. */
static size_t lines_of(const struct uc_nginx_file *f, const struct uc_edit **e, size_t count,
		       struct change *c)
{
	size_t n = 1;

	c->from = line_start(f, e[0]->from);
	c->to = line_end(f, e[0]->to);
	for (; n < count && e[n]->from < c->to; n++)
		if (line_end(f, e[n]->to) > c->to)
			c->to = line_end(f, e[n]->to);
	return n;
}

/* The file's changes that may be shown. Returns how many; the others are counted in *hidden. */
static int make_changes(const struct uc_fix *x, size_t file, struct change *changes, size_t *hidden)
{
	const struct uc_nginx_file *f = uc_fix_file(x, file);
	const struct uc_edit **e = &x->edits[x->files[file].first];
	size_t count = x->files[file].count, done = 0;
	int made = 0;

	while (done < count) {
		struct change *c = &changes[made];

		done += lines_of(f, &e[done], count - done, c);
		c->text = c->owned = apply(x, file, c->from, c->to, &c->len);
		if (!c->owned)
			return -ENOMEM;
		trim(f, c);
		if (shown(f->bytes + c->from, c->to - c->from) && shown(c->text, c->len)) {
			made++;
			continue;
		}
		free(c->owned);
		c->owned = NULL;
		++*hidden;
	}
	return made;
}

/* Changes whose lines of context would meet, with nothing secret between, are one hunk. */
static size_t hunk_of(const struct uc_nginx_file *f, const struct change *c, size_t count)
{
	size_t n = 1;

	for (; n < count; n++) {
		uint32_t between = c[n].from - c[n - 1].to;

		if (count_lines(f->bytes + c[n - 1].to, between) > 2 * CONTEXT ||
		    !shown(f->bytes + c[n - 1].to, between))
			break;
	}
	return n;
}

/* moved: lines that the file's hunks so far have added. */
static void print_hunk(const struct uc_nginx_file *f, const struct change *c, size_t n,
		       uint32_t from, uint32_t to, int32_t *moved, FILE *out)
{
	uint32_t first = count_lines(f->bytes, from) + 1, at = from,
		 olds = count_lines(f->bytes + from, to - from), news = olds;

	for (size_t i = 0; i < n; i++)
		news += count_lines(c[i].text, c[i].len) -
			count_lines(f->bytes + c[i].from, c[i].to - c[i].from);
	fputs("@@", out);
	print_range(out, '-', first, olds);
	print_range(out, '+', first + *moved, news);
	fputs(" @@\n", out);
	for (size_t i = 0; i < n; i++) {
		print_lines(out, ' ', f->bytes + at, c[i].from - at);
		print_lines(out, '-', f->bytes + c[i].from, c[i].to - c[i].from);
		print_lines(out, '+', c[i].text, c[i].len);
		at = c[i].to;
	}
	print_lines(out, ' ', f->bytes + at, to - at);
	*moved += (int32_t)(news - olds);
}

struct range {
	uint32_t from, to;
};

/*
 * patch takes a hunk with less context at one end for one that stands at that end
 * of the file, so that where secrets cut one side, the other is as short.
 */
static struct range frame(const struct uc_nginx_file *f, uint32_t first, uint32_t last,
			  uint32_t above, uint32_t below)
{
	struct range r = { context_from(f, first, above, CONTEXT),
			   context_to(f, last, below, CONTEXT) };
	uint32_t before = count_lines(f->bytes + r.from, first - r.from),
		 behind = count_lines(f->bytes + last, r.to - last);

	if (before < behind && r.from)
		r.to = context_to(f, last, below, before);
	if (behind < before && r.to < f->len)
		r.from = context_from(f, first, above, behind);
	return r;
}

static void print_changes(const struct uc_nginx_file *f, const struct change *c, size_t count,
			  FILE *out)
{
	const char *slash = f->path[0] == '/' ? "" : "/";
	uint32_t above = 0;
	int32_t moved = 0;

	if (count)
		fprintf(out, "--- a%s%s\n+++ b%s%s\n", slash, f->path, slash, f->path);
	for (size_t i = 0, n; i < count; i += n) {
		struct range r;

		n = hunk_of(f, c + i, count - i);
		r = frame(f, c[i].from, c[i + n - 1].to, above,
			  i + n < count ? c[i + n].from : f->len);
		print_hunk(f, c + i, n, r.from, r.to, &moved, out);
		above = r.to;
	}
}

static int print_file(const struct uc_fix *x, size_t file, FILE *out, size_t *hidden)
{
	size_t room = x->files[file].count;
	struct change *changes = calloc(room, sizeof(*changes));
	int made = changes ? make_changes(x, file, changes, hidden) : -ENOMEM;

	if (made > 0)
		print_changes(uc_fix_file(x, file), changes, made, out);
	for (size_t i = 0; changes && i < room; i++)
		free(changes[i].owned);
	free(changes);
	return made < 0 ? made : 0;
}

int uc_fix_print(const struct uc_fix *x, FILE *out, size_t *hidden)
{
	int err = 0;

	*hidden = 0;
	for (size_t i = 0; i < x->file_count && !err; i++)
		err = print_file(x, i, out, hidden);
	return err ? err : fflush(out) ? -errno : 0;
}
