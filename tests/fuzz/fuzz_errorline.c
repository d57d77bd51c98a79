/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "core/conn/errorline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(const struct uc_error_line *l, struct uc_slice s)
{
	if (s.p && (s.p < l->text || s.p + s.len > l->text + l->len))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct uc_error_line l;

	if (!uc_error_line_parse((const char *)data, size, &l))
		return 0;
	within(&l, l.level);
	within(&l, l.message);
	within(&l, l.action);
	within(&l, l.client);
	within(&l, l.server);
	within(&l, l.request);
	within(&l, uc_error_line_without_query(l.request));
	within(&l, l.host);
	within(&l, l.peer);
	within(&l, l.path);
	return 0;
}
