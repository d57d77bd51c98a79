/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page of headings, paragraphs, tables and lists, as Markdown (GitHub's, for
 * its tables) or as HTML that loads nothing. All text is of others: it is
 * escaped, and what is not printable ASCII is written as \xNN.
 */
#ifndef UPCLOSE_INCIDENT_MARKUP_H
#define UPCLOSE_INCIDENT_MARKUP_H

#include <stddef.h>
#include <stdio.h>

struct uc_markup;

/* name: "md" or "html"; NULL for another one. */
const struct uc_markup *uc_markup(const char *name);

struct uc_page {
	const struct uc_markup *markup;
	FILE *out;
};

void uc_page_begin(struct uc_page *p, const char *title);
void uc_page_end(struct uc_page *p);
void uc_page_heading(struct uc_page *p, unsigned level, const char *text);
void uc_page_paragraph(struct uc_page *p, const char *text);
/* Rows that follow have as many cells. */
void uc_page_table(struct uc_page *p, const char *const *names, size_t count);
void uc_page_row(struct uc_page *p, const char *const *cells, size_t count);
void uc_page_table_end(struct uc_page *p);
void uc_page_list(struct uc_page *p);
void uc_page_item(struct uc_page *p, const char *text);
void uc_page_list_end(struct uc_page *p);
/* Lines as they are, in columns. */
void uc_page_block(struct uc_page *p);
void uc_page_line(struct uc_page *p, const char *text);
void uc_page_block_end(struct uc_page *p);

#endif
