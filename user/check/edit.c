/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/edit.h"

#include <stdio.h>
#include <string.h>

#define INDENT_MAX 64

static struct uc_edit *add(struct uc_finding *f, uint32_t file, uint32_t from, uint32_t to)
{
	struct uc_edit *e;

	if (f->edit_count == UC_FINDING_EDITS)
		return NULL;
	e = &f->edits[f->edit_count++];
	*e = (struct uc_edit){ .file = file, .from = from, .to = to };
	return e;
}

/* The blanks before offset at on its line; -1: there is something else, too. */
static int indent_of(const struct uc_nginx_file *f, uint32_t at, char buf[INDENT_MAX])
{
	uint32_t from = at;

	while (from && (f->bytes[from - 1] == ' ' || f->bytes[from - 1] == '\t'))
		from--;
	if (from && f->bytes[from - 1] != '\n')
		return -1;
	if (at - from >= INDENT_MAX)
		return -1;
	memcpy(buf, f->bytes + from, at - from);
	buf[at - from] = '\0';
	return at - from;
}

/* As the line ends that has this offset. */
static const char *line_end(const struct uc_nginx_file *f, uint32_t at)
{
	const char *newline = memchr(f->bytes + at, '\n', f->len - at);

	return newline && newline > f->bytes && newline[-1] == '\r' ? "\r\n" : "\n";
}

/* The bytes that a word takes in its file, quotes and escapes included. */
static uint32_t word_end(const struct uc_nginx_file *f, uint32_t at, uint32_t limit)
{
	char quote = f->bytes[at] == '"' || f->bytes[at] == '\'' ? f->bytes[at] : '\0';
	uint32_t i = at + (quote != '\0');

	for (; i < limit; i++) {
		char ch = f->bytes[i];

		if (ch == '\\')
			i++;
		else if (quote ? ch == quote : !!strchr(" \t\r\n;{", ch))
			return quote ? i + 1 : i;
	}
	return limit;
}

bool uc_edit_text(const struct uc_nginx_conf *c, const struct uc_nginx_directive *d, char *buf,
		  size_t size)
{
	uint32_t len = d->end - d->start;

	if (len >= size)
		return false;
	memcpy(buf, uc_nginx_conf_file(c, d->file)->bytes + d->start, len);
	buf[len] = '\0';
	return true;
}

static bool is_location(const struct uc_nginx_directive *d)
{
	return !d || uc_nginx_named(d, "location") || uc_nginx_named(d, "server");
}

static bool same_name(const struct uc_nginx_directive *a, const struct uc_nginx_directive *b)
{
	return a->words[0].len == b->words[0].len &&
	       !memcmp(a->words[0].p, b->words[0].p, a->words[0].len);
}

const struct uc_nginx_directive *uc_edit_anchor(const struct uc_nginx_place *p)
{
	const struct uc_nginx_directive *d = p->pass, *first;

	while (!is_location(d->parent))
		d = d->parent;
	if (!d->parent)
		return p->pass;
	first = d->parent->child;
	for (d = first; d; d = d->next)
		if (same_name(d, p->pass))
			return d;
	return first;
}

void uc_edit_replace(struct uc_finding *f, const struct uc_nginx_directive *d, const char *text)
{
	struct uc_edit *e = add(f, d->file, d->start, d->end);

	if (e)
		snprintf(e->text, sizeof(e->text), "%s", text);
}

void uc_edit_behind(const struct uc_nginx_conf *c, struct uc_finding *f,
		    const struct uc_nginx_directive *d, const char *text)
{
	const struct uc_nginx_file *file = uc_nginx_conf_file(c, d->file);
	struct uc_edit *e = add(f, d->file, d->end, d->end);
	char indent[INDENT_MAX];

	if (!e)
		return;
	if (indent_of(file, d->start, indent) < 0)
		snprintf(e->text, sizeof(e->text), " %s", text);
	else
		snprintf(e->text, sizeof(e->text), "%s%s%s", line_end(file, e->from), indent, text);
}

void uc_edit_first(const struct uc_nginx_conf *c, struct uc_finding *f,
		   const struct uc_nginx_directive *block, const char *text)
{
	const struct uc_nginx_file *file = uc_nginx_conf_file(c, block->file);
	const struct uc_nginx_directive *child = block->child;
	char indent[INDENT_MAX];
	struct uc_edit *e;

	e = add(f, block->file, block->body, block->body);
	if (!e)
		return;
	if (child && child->file == block->file && indent_of(file, child->start, indent) >= 0)
		snprintf(e->text, sizeof(e->text), "%s%s%s", line_end(file, e->from), indent, text);
	else
		snprintf(e->text, sizeof(e->text), " %s", text);
}

void uc_edit_last(const struct uc_nginx_conf *c, struct uc_finding *f,
		  const struct uc_nginx_directive *block, const char *text)
{
	const struct uc_nginx_directive *last = NULL;

	for (const struct uc_nginx_directive *d = block->child; d; d = d->next)
		if (d->file == block->file)
			last = d;
	if (last)
		uc_edit_behind(c, f, last, text);
	else
		uc_edit_first(c, f, block, text);
}

void uc_edit_replace_word(const struct uc_nginx_conf *c, struct uc_finding *f,
			  const struct uc_nginx_directive *d, uint32_t word, const char *text)
{
	const struct uc_nginx_file *file = uc_nginx_conf_file(c, d->file);
	uint32_t from = d->words[word].at;
	struct uc_edit *e = add(f, d->file, from, word_end(file, from, d->end));

	if (e)
		snprintf(e->text, sizeof(e->text), "%s", text);
}

void uc_edit_drop_word(const struct uc_nginx_conf *c, struct uc_finding *f,
		       const struct uc_nginx_directive *d, const char *word)
{
	const struct uc_nginx_file *file = uc_nginx_conf_file(c, d->file);

	for (uint32_t i = 1; i < d->count; i++) {
		uint32_t from = d->words[i].at;

		if (!uc_nginx_word_is(&d->words[i], word))
			continue;
		/* the only reason that is left out leaves none: the default is then what was meant */
		if (d->count == 2)
			return;
		while (from && strchr(" \t", file->bytes[from - 1]))
			from--;
		add(f, d->file, from, word_end(file, d->words[i].at, d->end));
	}
}
