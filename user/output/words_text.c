/* SPDX-License-Identifier: BSD-2-Clause */
#include "output/words_text.h"

#include <stdio.h>
#include <string.h>

/* Behind a conversion of ngx_vslprintf(): "%V", "%*s", "%02uz", "%.3f". */
static const char *behind(const char *s)
{
	s += strspn(s, "0123456789*.");
	s += strspn(s, "umxX");
	return *s ? s + 1 : s;
}

static void put(struct uc_words_line *l, const char *s, size_t len)
{
	size_t at = strlen(l->text), room = sizeof(l->text) - 1 - at;

	memcpy(l->text + at, s, len < room ? len : room);
}

/* Its text as it is, "..." for what varies. */
static void put_format(struct uc_words_line *l, const char *s)
{
	while (*s) {
		if (*s != '%') {
			put(l, *s >= 0x20 && *s < 0x7f ? s : "?", 1);
			s++;
		} else if (s[1] == '%') {
			put(l, "%", 1);
			s += 2;
		} else {
			put(l, "...", 3);
			s = behind(s + 1);
		}
	}
}

struct uc_words_line uc_words_text(const struct uc_words *w)
{
	struct uc_words_line l = { "" };
	char err[80];

	put_format(&l, w->format);
	if (w->err > 0) {
		snprintf(err, sizeof(err), " (%d: %s)", w->err, strerror(w->err));
		put(&l, err, strlen(err));
	}
	if (*w->action) {
		put(&l, " while ", 7);
		put_format(&l, w->action);
	}
	return l;
}
