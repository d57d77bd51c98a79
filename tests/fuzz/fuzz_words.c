/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "core/conn/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void written(const char *text, size_t len)
{
	struct uc_slice action;
	int err;
	enum uc_words_kind k = uc_words_match(text, len, &err, &action);

	if ((unsigned)k >= UC_WORDS_KIND_MAX || err < 0)
		abort();
	if (action.p && (action.p < text || action.p + action.len > text + len))
		abort();
}

static void said(const uint8_t *data, size_t size)
{
	struct uc_rec_words rec;
	struct uc_words w;

	memset(&rec, 'x', sizeof(rec));
	memcpy(&rec, data, size < sizeof(rec) ? size : sizeof(rec));
	uc_words_read(&rec, &w);
	if ((unsigned)w.kind >= UC_WORDS_KIND_MAX || !uc_words_kind_name(w.kind) ||
	    strlen(w.format) >= sizeof(w.format) || strlen(w.action) >= sizeof(w.action))
		abort();
	uc_words_about_upstream(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	written((const char *)data, size);
	said(data, size);
	return 0;
}
