/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/output.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

static const struct {
	const char *name;
	const struct uc_output *output;
} outputs[] = {
	{ "text", &uc_output_text },
	{ "table", &uc_output_table },
	{ "json", &uc_output_json },
};

int uc_output_init(struct uc_output *s, const char *name, FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++) {
		if (strcmp(outputs[i].name, name))
			continue;
		*s = *outputs[i].output;
		s->out = out;
		s->colour = uc_text_colour(out);
		s->header_due = true;
		return 0;
	}
	return -EINVAL;
}
