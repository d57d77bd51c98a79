/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/nginx/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/nginx/template.h"

#define CHUNK_BYTES (256U << 10)

struct chunk {
	struct chunk *next;
	size_t used, size;
	_Alignas(max_align_t) char bytes[];
};

struct words {
	struct uc_nginx_word *at;
	uint32_t count, room;
};

/* Where the next directive goes: behind the newest of the block that is open. */
struct level {
	struct uc_nginx_directive *parent, **tail;
	uint32_t depth;
};

struct uc_nginx_conf {
	uc_nginx_include_fn include;
	void *ctx;
	struct chunk *chunks;
	struct uc_nginx_directive *top;
	struct level level;
	struct words words; /* of the directive that is being read */
	size_t directives, bytes, parses;
	struct uc_nginx_file *files;
	size_t file_count, file_room;
	uint32_t open[UC_NGINX_MAX_INCLUDES]; /* files that include each other */
	size_t open_count;
	struct uc_nginx_error error;
};

struct reader {
	struct uc_nginx_conf *c;
	const struct uc_nginx_file *f;
	const char *bytes;
	uint32_t len, at, line, file;
};

enum token { DIRECTIVE, BLOCK, CLOSE, END, BAD };

static void *take(struct uc_nginx_conf *c, size_t size)
{
	struct chunk *k = c->chunks;
	void *at;

	size = (size + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	if (!k || k->size - k->used < size) {
		size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;

		k = malloc(sizeof(*k) + room);
		if (!k)
			return NULL;
		k->next = c->chunks;
		k->used = 0;
		k->size = room;
		c->chunks = k;
	}
	at = k->bytes + k->used;
	k->used += size;
	return at;
}

uint32_t uc_nginx_column(const struct uc_nginx_file *f, uint32_t at)
{
	uint32_t column = 1;

	while (at && f->bytes[at - 1] != '\n') {
		at--;
		column++;
	}
	return column;
}

/* Sets the first problem only: it is the one to mend. */
static int refuse(struct reader *r, enum uc_nginx_problem problem, uint32_t at, uint32_t line)
{
	struct uc_nginx_error *e = &r->c->error;

	if (e->problem)
		return -EINVAL;
	e->problem = problem;
	e->path = r->f->path;
	e->line = line;
	e->column = uc_nginx_column(r->f, at);
	e->at = at < r->len ? r->bytes[at] : '\0';
	return -EINVAL;
}

static enum token bad(struct reader *r, enum uc_nginx_problem problem, uint32_t at, uint32_t line)
{
	refuse(r, problem, at, line);
	return BAD;
}

static bool blank(char ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

static void advance(struct reader *r)
{
	if (r->bytes[r->at] == '\n')
		r->line++;
	r->at++;
}

static void skip_blank(struct reader *r)
{
	while (r->at < r->len) {
		if (r->bytes[r->at] == '#')
			while (r->at < r->len && r->bytes[r->at] != '\n')
				r->at++;
		else if (blank(r->bytes[r->at]))
			advance(r);
		else
			return;
	}
}

/* What a backslash and this character stand for; '\0': both stay. */
static char escaped(char ch)
{
	switch (ch) {
	case '"':
	case '\'':
	case '\\':
		return ch;
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	default:
		return '\0';
	}
}

/* NULL: no memory. Without a backslash the file's own bytes serve. */
static const char *unescape(struct uc_nginx_conf *c, const char *from, uint32_t *len)
{
	char *to, *out;
	uint32_t n = *len;

	if (!n || !memchr(from, '\\', n))
		return from;
	out = to = take(c, n);
	if (!out)
		return NULL;
	for (uint32_t i = 0; i < n; i++) {
		char meant = from[i] == '\\' && i + 1 < n ? escaped(from[i + 1]) : '\0';

		*to++ = meant ? meant : from[i];
		i += meant != '\0';
	}
	*len = to - out;
	return out;
}

static int add_word(struct reader *r, uint32_t from, uint32_t to, uint32_t at, uint32_t line)
{
	struct words *w = &r->c->words;
	uint32_t len = to - from;
	const char *p = unescape(r->c, r->bytes + from, &len);

	if (w->count == w->room) {
		uint32_t room = w->room ? 2 * w->room : 16;
		struct uc_nginx_word *more = reallocarray(w->at, room, sizeof(*more));

		if (!more)
			return refuse(r, UC_NGINX_MEMORY, at, line);
		w->at = more;
		w->room = room;
	}
	if (!p)
		return refuse(r, UC_NGINX_MEMORY, at, line);
	w->at[w->count++] = (struct uc_nginx_word){ p, len, at };
	return 0;
}

static int quoted_word(struct reader *r)
{
	uint32_t open = r->at, line = r->line;
	char quote = r->bytes[r->at], ch;
	int err;

	r->at++;
	while (r->at < r->len && r->bytes[r->at] != quote) {
		if (r->bytes[r->at] == '\\' && r->at + 1 < r->len)
			advance(r);
		advance(r);
	}
	if (r->at >= r->len)
		return refuse(r, UC_NGINX_QUOTE, open, line);
	err = add_word(r, open + 1, r->at, open, line);
	r->at++;
	if (err || r->at == r->len)
		return err;
	ch = r->bytes[r->at];
	/* `if ($x = "y")` has the bracket right behind */
	if (!blank(ch) && ch != ';' && ch != '{' && ch != ')')
		return refuse(r, UC_NGINX_AFTER_QUOTE, r->at, r->line);
	return 0;
}

static int plain_word(struct reader *r)
{
	uint32_t from = r->at, line = r->line;
	bool variable = false;

	while (r->at < r->len) {
		char ch = r->bytes[r->at];

		if (blank(ch) || ch == ';' || (ch == '{' && !variable))
			break;
		variable = ch == '$';
		if (ch == '\\' && r->at + 1 < r->len)
			advance(r);
		advance(r);
	}
	return add_word(r, from, r->at, from, line);
}

/* Up to what ends a directive, which is consumed. */
static enum token read_directive(struct reader *r, uint32_t *start_line)
{
	struct words *w = &r->c->words;

	for (w->count = 0;;) {
		char ch;

		skip_blank(r);
		if (r->at == r->len)
			return w->count ? bad(r, UC_NGINX_NOT_ENDED, w->at[0].at, *start_line) :
					  END;
		ch = r->bytes[r->at];
		if ((ch == ';' || ch == '{') && !w->count)
			return bad(r, UC_NGINX_UNEXPECTED, r->at, r->line);
		if (ch == '}' && w->count)
			return bad(r, UC_NGINX_NOT_ENDED, w->at[0].at, *start_line);
		if (ch == ';' || ch == '{' || ch == '}') {
			r->at++;
			return ch == ';' ? DIRECTIVE : ch == '{' ? BLOCK : CLOSE;
		}
		if (!w->count)
			*start_line = r->line;
		if (ch == '"' || ch == '\'' ? quoted_word(r) : plain_word(r))
			return BAD;
	}
}

static struct uc_nginx_directive *add_directive(struct reader *r, enum token t, uint32_t line)
{
	struct uc_nginx_conf *c = r->c;
	struct uc_nginx_word *words = NULL;
	struct uc_nginx_directive *d = NULL;

	if (c->directives == UC_NGINX_MAX_DIRECTIVES) {
		refuse(r, UC_NGINX_DIRECTIVES, c->words.at[0].at, line);
		return NULL;
	}
	d = take(c, sizeof(*d));
	words = take(c, c->words.count * sizeof(*words));
	if (!d || !words) {
		refuse(r, UC_NGINX_MEMORY, c->words.at[0].at, line);
		return NULL;
	}
	memcpy(words, c->words.at, c->words.count * sizeof(*words));
	*d = (struct uc_nginx_directive){ .words = words,
					  .count = c->words.count,
					  .parent = c->level.parent,
					  .file = r->file,
					  .line = line,
					  .start = words[0].at,
					  .body = t == BLOCK ? r->at : 0,
					  .unread = uc_nginx_template(&words[0]),
					  .end = r->at };
	*c->level.tail = d;
	c->level.tail = &d->next;
	c->directives++;
	return d;
}

/* --- Lua ----------------------------------------------------------------------- */

static bool ends_with(const struct uc_nginx_word *w, const char *end)
{
	size_t n = strlen(end);

	return w->len >= n && !memcmp(w->p + w->len - n, end, n);
}

/* "[[", "[=[": its level; -1: none. */
static int long_bracket(const struct reader *r, uint32_t at)
{
	uint32_t from = at + 1, i = from;

	if (at >= r->len || r->bytes[at] != '[')
		return -1;
	while (i < r->len && r->bytes[i] == '=')
		i++;
	return i < r->len && r->bytes[i] == '[' ? (int)(i - from) : -1;
}

static void skip_long_bracket(struct reader *r, int level)
{
	r->at += level + 2;
	for (; r->at < r->len; advance(r)) {
		uint32_t i = r->at + 1;

		if (r->bytes[r->at] != ']')
			continue;
		while (i < r->len && r->bytes[i] == '=' && (int)(i - r->at - 1) < level)
			i++;
		if ((int)(i - r->at - 1) == level && i < r->len && r->bytes[i] == ']') {
			r->at = i + 1;
			return;
		}
	}
}

static void skip_lua_string(struct reader *r)
{
	char quote = r->bytes[r->at++];

	while (r->at < r->len && r->bytes[r->at] != quote && r->bytes[r->at] != '\n') {
		if (r->bytes[r->at] == '\\' && r->at + 1 < r->len)
			advance(r);
		advance(r);
	}
	if (r->at < r->len)
		advance(r);
}

static void skip_lua_comment(struct reader *r)
{
	int level = long_bracket(r, r->at + 2);

	r->at += 2;
	if (level >= 0) {
		skip_long_bracket(r, level);
		return;
	}
	while (r->at < r->len && r->bytes[r->at] != '\n')
		r->at++;
}

/* Behind the "}" that belongs to a "{" already read; braces in strings and comments do not count. */
static int skip_lua(struct reader *r, const struct uc_nginx_directive *d)
{
	uint32_t depth = 1;

	while (r->at < r->len) {
		char ch = r->bytes[r->at];

		if (ch == '\'' || ch == '"') {
			skip_lua_string(r);
		} else if (ch == '-' && r->at + 1 < r->len && r->bytes[r->at + 1] == '-') {
			skip_lua_comment(r);
		} else if (long_bracket(r, r->at) >= 0) {
			skip_long_bracket(r, long_bracket(r, r->at));
		} else {
			depth += (ch == '{') - (ch == '}');
			advance(r);
			if (!depth)
				return 0;
		}
	}
	return refuse(r, UC_NGINX_NOT_CLOSED, d->start, d->line);
}

/* --- files ----------------------------------------------------------------------- */

static int open_block(struct reader *r, struct uc_nginx_directive *d)
{
	struct uc_nginx_conf *c = r->c;
	int err;

	if (ends_with(&d->words[0], "_by_lua_block")) {
		d->opaque = true;
		err = skip_lua(r, d);
		d->end = r->at;
		return err;
	}
	if (c->level.depth == UC_NGINX_MAX_DEPTH)
		return refuse(r, UC_NGINX_DEPTH, d->start, d->line);
	c->level = (struct level){ d, &d->child, c->level.depth + 1 };
	return 0;
}

static void close_block(struct reader *r)
{
	struct level *l = &r->c->level;
	struct uc_nginx_directive *d = l->parent;

	d->end = r->at;
	*l = (struct level){ d->parent, &d->next, l->depth - 1 };
}

/* What is in these is known: types and parameters, and nothing of what passes requests on. */
static bool ships_with_nginx(const struct uc_nginx_word *path)
{
	static const char *const names[] = { "mime.types",   "fastcgi_params", "fastcgi.conf",
					     "uwsgi_params", "scgi_params",    "koi-utf",
					     "koi-win",      "win-utf" };
	const char *slash = path->len ? memrchr(path->p, '/', path->len) : NULL;
	struct uc_nginx_word name = *path;

	if (slash)
		name = (struct uc_nginx_word){ slash + 1, path->p + path->len - slash - 1, 0 };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (uc_nginx_word_is(&name, names[i]))
			return true;
	return false;
}

static int read_file(struct reader *r)
{
	struct uc_nginx_conf *c = r->c;
	uint32_t base = c->level.depth, line = 1;

	for (;;) {
		enum token t = read_directive(r, &line);
		struct uc_nginx_directive *d;
		int err = 0;

		if (t == BAD)
			return -EINVAL;
		if (t == END && c->level.depth > base)
			return refuse(r, UC_NGINX_NOT_CLOSED, c->level.parent->start,
				      c->level.parent->line);
		if (t == END)
			return 0;
		if (t == CLOSE && c->level.depth == base)
			return refuse(r, UC_NGINX_NOT_OPENED, r->at - 1, r->line);
		if (t == CLOSE) {
			close_block(r);
			continue;
		}
		d = add_directive(r, t, line);
		if (!d)
			return -EINVAL;
		if (t == BLOCK)
			err = open_block(r, d);
		else if (uc_nginx_named(d, "include") && d->count == 2)
			err = c->include(c->ctx, c, d);
		d->unread |= err == UC_NGINX_LEFT_OUT && !ships_with_nginx(&d->words[1]);
		if (err && err != UC_NGINX_LEFT_OUT)
			return err;
		/* the callback may have moved the table of files */
		r->f = &c->files[r->file];
	}
}

/* The index of a file by its path; the number of files where it is new. */
static size_t find_file(const struct uc_nginx_conf *c, const char *path)
{
	size_t i = 0;

	while (i < c->file_count && strcmp(c->files[i].path, path))
		i++;
	return i;
}

static int new_file(struct uc_nginx_conf *c, const char *path, const char *bytes, size_t len)
{
	if (c->file_count == c->file_room) {
		size_t room = c->file_room ? 2 * c->file_room : 16;
		struct uc_nginx_file *more = reallocarray(c->files, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->files = more;
		c->file_room = room;
	}
	c->files[c->file_count++] = (struct uc_nginx_file){ path, bytes, len };
	return 0;
}

static bool is_open(const struct uc_nginx_conf *c, uint32_t file)
{
	for (size_t i = 0; i < c->open_count; i++)
		if (c->open[i] == file)
			return true;
	return false;
}

static int fail(struct uc_nginx_conf *c, enum uc_nginx_problem problem, const char *path)
{
	if (!c->error.problem)
		c->error = (struct uc_nginx_error){ .problem = problem,
						    .path = path,
						    .line = 1,
						    .column = 1 };
	return -EINVAL;
}

static enum uc_nginx_problem admit(const struct uc_nginx_conf *c, size_t file, size_t len)
{
	if (is_open(c, file))
		return UC_NGINX_INCLUDE_LOOP;
	if (c->open_count == UC_NGINX_MAX_INCLUDES)
		return UC_NGINX_INCLUDE_DEPTH;
	if (file == UC_NGINX_MAX_FILES || c->parses == UC_NGINX_MAX_PARSES)
		return UC_NGINX_FILES;
	if (len > UC_NGINX_MAX_BYTES - c->bytes)
		return UC_NGINX_LARGE;
	return UC_NGINX_OK;
}

static const char *find_nul(const struct uc_nginx_file *f)
{
	return f->len ? memchr(f->bytes, '\0', f->len) : NULL;
}

static uint32_t line_of(const struct uc_nginx_file *f, uint32_t at)
{
	uint32_t line = 1;

	for (uint32_t i = 0; i < at; i++)
		line += f->bytes[i] == '\n';
	return line;
}

int uc_nginx_conf_parse(struct uc_nginx_conf *c, const char *path, const char *bytes, size_t len)
{
	size_t file = find_file(c, path);
	enum uc_nginx_problem problem = admit(c, file, len);
	struct reader r = { .c = c, .bytes = bytes, .len = len, .line = 1, .file = file };
	const char *nul;
	int err;

	if (problem)
		return fail(c, problem, path);
	if (file == c->file_count && new_file(c, path, bytes, len))
		return fail(c, UC_NGINX_MEMORY, path);
	r.f = &c->files[file];
	r.bytes = r.f->bytes;
	r.len = r.f->len;
	nul = find_nul(r.f);
	if (nul)
		return refuse(&r, UC_NGINX_BINARY, nul - r.bytes, line_of(r.f, nul - r.bytes));
	c->bytes += len;
	c->parses++;
	c->open[c->open_count++] = file;
	err = read_file(&r);
	c->open_count--;
	return err;
}

/* --- the rest ---------------------------------------------------------------------- */

int uc_nginx_conf_new(uc_nginx_include_fn include, void *ctx, struct uc_nginx_conf **ret)
{
	struct uc_nginx_conf *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->include = include;
	c->ctx = ctx;
	c->level.tail = &c->top;
	*ret = c;
	return 0;
}

void uc_nginx_conf_free(struct uc_nginx_conf *c)
{
	if (!c)
		return;
	while (c->chunks) {
		struct chunk *next = c->chunks->next;

		free(c->chunks);
		c->chunks = next;
	}
	free(c->words.at);
	free(c->files);
	free(c);
}

const struct uc_nginx_error *uc_nginx_conf_error(const struct uc_nginx_conf *c)
{
	return &c->error;
}

const struct uc_nginx_directive *uc_nginx_conf_top(const struct uc_nginx_conf *c)
{
	return c->top;
}

size_t uc_nginx_conf_count(const struct uc_nginx_conf *c)
{
	return c->directives;
}

size_t uc_nginx_conf_files(const struct uc_nginx_conf *c)
{
	return c->file_count;
}

const struct uc_nginx_file *uc_nginx_conf_file(const struct uc_nginx_conf *c, uint32_t file)
{
	return &c->files[file];
}

bool uc_nginx_word_is(const struct uc_nginx_word *w, const char *text)
{
	return w->len == strlen(text) && !memcmp(w->p, text, w->len);
}

const struct uc_nginx_directive *uc_nginx_unread(const struct uc_nginx_directive *first)
{
	while (first && !first->unread)
		first = first->next;
	return first;
}

bool uc_nginx_named(const struct uc_nginx_directive *d, const char *name)
{
	return uc_nginx_word_is(&d->words[0], name);
}

const char *uc_nginx_problem_text(enum uc_nginx_problem p)
{
	static const char *const texts[] = {
		[UC_NGINX_OK] = "no problem",
		[UC_NGINX_UNEXPECTED] = "a directive must begin with its name",
		[UC_NGINX_NOT_ENDED] = "this directive is not ended by \";\"",
		[UC_NGINX_NOT_CLOSED] = "this block is not closed by \"}\"",
		[UC_NGINX_NOT_OPENED] = "a \"}\" that closes no block",
		[UC_NGINX_QUOTE] = "this quote is not closed",
		[UC_NGINX_AFTER_QUOTE] = "behind a closing quote a space or \";\" is needed",
		[UC_NGINX_BINARY] = "a NUL byte: this is no text",
		[UC_NGINX_DEPTH] = "more than 64 blocks within each other",
		[UC_NGINX_DIRECTIVES] = "more than 1048576 directives",
		[UC_NGINX_FILES] = "more than 4096 files, or 65536 includes",
		[UC_NGINX_INCLUDE_LOOP] = "this file includes itself",
		[UC_NGINX_INCLUDE_DEPTH] = "more than 32 includes within each other",
		[UC_NGINX_LARGE] = "more than 64 MiB of configuration",
		[UC_NGINX_MEMORY] = "out of memory",
	};

	return (unsigned)p < UC_NGINX_PROBLEM_MAX ? texts[p] : "invalid";
}
