/* SPDX-License-Identifier: BSD-2-Clause */
/* One object a line. */
#include <errno.h>

#include "base/json_value.h"
#include "output/json.h"
#include "engine/output.h"

static int print_line(const struct uc_output *s, json_t *o)
{
	int err = 0;

	if (!o || json_dumpf(o, s->out, UC_JSON_DUMP) || fputc('\n', s->out) == EOF ||
	    fflush(s->out))
		err = o ? -errno : -ENOMEM;
	json_decref(o);
	return err;
}

static int connection(struct uc_output *s, const struct uc_judged *r)
{
	return print_line(s, uc_json_connection(r));
}

static int words(struct uc_output *s, const struct uc_log_event *ev)
{
	return print_line(s, uc_json_log_event(ev));
}

static int summary(struct uc_output *s, const struct uc_totals *t)
{
	return print_line(s, uc_json_summary(t));
}

const struct uc_output uc_output_json = { .connection = connection,
					  .words = words,
					  .summary = summary };
