/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of a word; names are compared in either case, as nginx does. */
#ifndef UPCLOSE_CORE_NGINX_WORD_H
#define UPCLOSE_CORE_NGINX_WORD_H

#include <string.h>
#include <strings.h>

#include "core/nginx/conf.h"

static inline int uc_nginx_word_order(const struct uc_nginx_word *a, const struct uc_nginx_word *b)
{
	uint32_t n = a->len < b->len ? a->len : b->len;
	int order = n ? strncasecmp(a->p, b->p, n) : 0;

	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static inline bool uc_nginx_word_same(const struct uc_nginx_word *a, const struct uc_nginx_word *b)
{
	return a->len == b->len && !strncasecmp(a->p, b->p, a->len);
}

static inline bool uc_nginx_word_is_nocase(const struct uc_nginx_word *w, const char *text)
{
	return w->len == strlen(text) && !strncasecmp(w->p, text, w->len);
}

static inline bool uc_nginx_word_starts(const struct uc_nginx_word *w, const char *text)
{
	return w->len >= strlen(text) && !strncasecmp(w->p, text, strlen(text));
}

static inline bool uc_nginx_word_has_variable(const struct uc_nginx_word *w)
{
	return w->len && memchr(w->p, '$', w->len);
}

static inline struct uc_nginx_word uc_nginx_word_part(const struct uc_nginx_word *w, uint32_t from,
						      uint32_t to)
{
	return (struct uc_nginx_word){ w->p + from, to - from, w->at };
}

#endif
