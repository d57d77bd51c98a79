/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	const struct uc_sink *sink;
} sinks[] = {
	{ "text", &uc_sink_text },
	{ "table", &uc_sink_table },
	{ "json", &uc_sink_json },
};

int uc_sink_init(struct uc_sink *s, const char *name, FILE *out)
{
	const char *no_colour = getenv("NO_COLOR");

	for (size_t i = 0; i < sizeof(sinks) / sizeof(sinks[0]); i++) {
		if (strcmp(sinks[i].name, name))
			continue;
		*s = *sinks[i].sink;
		s->out = out;
		s->colour = isatty(fileno(out)) && !(no_colour && *no_colour);
		s->header_due = true;
		return 0;
	}
	return -EINVAL;
}
