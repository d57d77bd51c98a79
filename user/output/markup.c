/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/markup.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/util.h"

#define HTML_END "</body>\n</html>\n"

struct uc_markup {
	const char *name;
	void (*text)(FILE *out, const char *text);
	void (*verbatim)(FILE *out, const char *text);
	void (*table)(struct uc_doc *p, const char *const *names, size_t count);
	void (*begin)(FILE *out, const char *title); /* what a page has before its title; or NULL */
	const char *end;
	const char *heading[3], *heading_end[3];
	const char *paragraph, *paragraph_end;
	const char *row, *cell, *cell_end, *row_end, *table_end;
	const char *list, *item, *item_end, *list_end;
	const char *block, *line, *line_end, *block_end;
};

static void put(FILE *out, char c)
{
	if ((unsigned char)c < 0x20 || (unsigned char)c > 0x7e)
		fprintf(out, "\\x%02x", (unsigned char)c);
	else
		fputc(c, out);
}

/* An underscore between two letters is no emphasis (CommonMark 0.31, section 6.2). */
static bool within_word(const char *text, const char *at)
{
	return at > text && isalnum((unsigned char)at[-1]) && isalnum((unsigned char)at[1]);
}

static void markdown_text(FILE *out, const char *text)
{
	for (const char *c = text; *c; c++) {
		if (strchr("\\`*<>|[]&~", *c) || (*c == '_' && !within_word(text, c)) ||
		    (c == text && strchr("#+-=", *c)))
			fputc('\\', out);
		put(out, *c);
	}
}

void uc_html_text(FILE *out, const char *text)
{
	for (const char *c = text; *c; c++) {
		switch (*c) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			put(out, *c);
		}
	}
}

void uc_html_begin(FILE *out, const char *title, const char *style)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	      "style-src 'unsafe-inline'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n",
	      out);
	fputs(style, out);
	fputs("</style>\n<title>", out);
	uc_html_text(out, title);
	fputs("</title>\n</head>\n<body>\n", out);
}

void uc_html_end(FILE *out)
{
	fputs(HTML_END, out);
}

static void html_begin(FILE *out, const char *title)
{
	uc_html_begin(
		out, title,
		":root { color-scheme: light dark; }\n"
		"body { font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; "
		"padding: 0 1rem; }\n"
		"table { border-collapse: collapse; margin: 1rem 0; }\n"
		"th, td { border: 1px solid #8888; padding: .2rem .6rem; text-align: left; }\n"
		"pre { overflow-x: auto; padding: .6rem; border: 1px solid #8888; }\n");
}

/* An indented block ends with its indentation, whatever stands in it. */
static void markdown_verbatim(FILE *out, const char *text)
{
	for (; *text; text++)
		put(out, *text);
}

static void markdown_table(struct uc_doc *p, const char *const *names, size_t count)
{
	uc_doc_row(p, names, count);
	for (size_t i = 0; i < count; i++)
		fputs("|-", p->out);
	fputs("|\n", p->out);
}

static void html_table(struct uc_doc *p, const char *const *names, size_t count)
{
	fputs("<table>\n<tr>", p->out);
	for (size_t i = 0; i < count; i++) {
		fputs("<th>", p->out);
		uc_html_text(p->out, names[i]);
	}
	fputs("</tr>\n", p->out);
}

static const struct uc_markup markups[] = {
	{ .name = "md",
	  .text = markdown_text,
	  .verbatim = markdown_verbatim,
	  .table = markdown_table,
	  .end = "",
	  .heading = { "# ", "## ", "### " },
	  .heading_end = { "\n\n", "\n\n", "\n\n" },
	  .paragraph = "",
	  .paragraph_end = "\n\n",
	  .row = "",
	  .cell = "| ",
	  .cell_end = " ",
	  .row_end = "|\n",
	  .table_end = "\n",
	  .list = "",
	  .item = "- ",
	  .item_end = "\n",
	  .list_end = "\n",
	  .block = "",
	  .line = "    ",
	  .line_end = "\n",
	  .block_end = "\n" },
	{ .name = "html",
	  .text = uc_html_text,
	  .verbatim = uc_html_text,
	  .table = html_table,
	  .begin = html_begin,
	  .end = HTML_END,
	  .heading = { "<h1>", "<h2>", "<h3>" },
	  .heading_end = { "</h1>\n", "</h2>\n", "</h3>\n" },
	  .paragraph = "<p>",
	  .paragraph_end = "</p>\n",
	  .row = "<tr>",
	  .cell = "<td>",
	  .cell_end = "",
	  .row_end = "</tr>\n",
	  .table_end = "</table>\n",
	  .list = "<ul>\n",
	  .item = "<li>",
	  .item_end = "</li>\n",
	  .list_end = "</ul>\n",
	  .block = "<pre>",
	  .line = "",
	  .line_end = "\n",
	  .block_end = "</pre>\n" },
};

const struct uc_markup *uc_markup(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(markups); i++)
		if (!strcmp(markups[i].name, name))
			return &markups[i];
	return NULL;
}

static void wrapped(struct uc_doc *p, const char *before, const char *text, const char *after)
{
	fputs(before, p->out);
	p->markup->text(p->out, text);
	fputs(after, p->out);
}

void uc_doc_begin(struct uc_doc *p, const char *title)
{
	if (p->markup->begin)
		p->markup->begin(p->out, title);
	uc_doc_heading(p, 1, title);
}

void uc_doc_end(struct uc_doc *p)
{
	fputs(p->markup->end, p->out);
}

void uc_doc_heading(struct uc_doc *p, unsigned level, const char *text)
{
	wrapped(p, p->markup->heading[level - 1], text, p->markup->heading_end[level - 1]);
}

void uc_doc_paragraph(struct uc_doc *p, const char *text)
{
	wrapped(p, p->markup->paragraph, text, p->markup->paragraph_end);
}

void uc_doc_table(struct uc_doc *p, const char *const *names, size_t count)
{
	p->markup->table(p, names, count);
}

void uc_doc_row(struct uc_doc *p, const char *const *cells, size_t count)
{
	fputs(p->markup->row, p->out);
	for (size_t i = 0; i < count; i++)
		wrapped(p, p->markup->cell, cells[i], p->markup->cell_end);
	fputs(p->markup->row_end, p->out);
}

void uc_doc_table_end(struct uc_doc *p)
{
	fputs(p->markup->table_end, p->out);
}

void uc_doc_list(struct uc_doc *p)
{
	fputs(p->markup->list, p->out);
}

void uc_doc_item(struct uc_doc *p, const char *text)
{
	wrapped(p, p->markup->item, text, p->markup->item_end);
}

void uc_doc_list_end(struct uc_doc *p)
{
	fputs(p->markup->list_end, p->out);
}

void uc_doc_block(struct uc_doc *p)
{
	fputs(p->markup->block, p->out);
}

void uc_doc_line(struct uc_doc *p, const char *text)
{
	fputs(p->markup->line, p->out);
	p->markup->verbatim(p->out, text);
	fputs(p->markup->line_end, p->out);
}

void uc_doc_block_end(struct uc_doc *p)
{
	fputs(p->markup->block_end, p->out);
}
