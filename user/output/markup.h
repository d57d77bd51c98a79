/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page of headings, paragraphs, tables and lists, as Markdown (GitHub's, for
 * its tables) or as HTML that loads nothing. All text is of others: it is
 * escaped, and what is not printable ASCII is written as \xNN.
 */
#ifndef UPCLOSE_MARKUP_H
#define UPCLOSE_MARKUP_H

#include <stddef.h>
#include <stdio.h>

struct uc_markup;

/* name: "md" or "html"; NULL for another one. */
const struct uc_markup *uc_markup(const char *name);

struct uc_doc {
	const struct uc_markup *markup;
	FILE *out;
};

void uc_doc_begin(struct uc_doc *p, const char *title);
void uc_doc_end(struct uc_doc *p);
void uc_doc_heading(struct uc_doc *p, unsigned level, const char *text);
void uc_doc_paragraph(struct uc_doc *p, const char *text);
/* Rows that follow have as many cells. */
void uc_doc_table(struct uc_doc *p, const char *const *names, size_t count);
void uc_doc_row(struct uc_doc *p, const char *const *cells, size_t count);
void uc_doc_table_end(struct uc_doc *p);
void uc_doc_list(struct uc_doc *p);
void uc_doc_item(struct uc_doc *p, const char *text);
void uc_doc_list_end(struct uc_doc *p);
/* Lines as they are, in columns. */
void uc_doc_block(struct uc_doc *p);
void uc_doc_line(struct uc_doc *p, const char *text);
void uc_doc_block_end(struct uc_doc *p);

/* For a page of HTML with a layout of its own. Text may be content or an attribute in quotes. */
void uc_html_begin(FILE *out, const char *title, const char *style);
void uc_html_text(FILE *out, const char *text);
void uc_html_end(FILE *out);

#endif
