/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "engine/logframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each byte of what is framed can be read. */
static void take(struct uc_logframe *f, const char *line, size_t len)
{
	struct uc_framed framed;

	if (uc_logframe_take(f, line, len, &framed) && framed.len)
		free(memcpy(malloc(framed.len), framed.text, framed.len));
	for (size_t i = 0; i < sizeof(f->parts) / sizeof(f->parts[0]); i++)
		if (f->parts[i].len > sizeof(f->parts[i].text))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct uc_logframe f;
	const char *at = (const char *)data, *end = at + size, *newline;

	memset(&f, 0, sizeof(f));
	while ((newline = at < end ? memchr(at, '\n', end - at) : NULL)) {
		take(&f, at, newline - at);
		at = newline + 1;
	}
	take(&f, at, end - at);
	return 0;
}
