/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	const char *no_colour = getenv("NO_COLOR");

	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
		if (strcmp(outputs[i].name, name))
			continue;
		*s = *outputs[i].output;
		s->out = out;
		s->colour = isatty(fileno(out)) && !(no_colour && *no_colour);
		s->header_due = true;
		return 0;
	}
	return -EINVAL;
}
