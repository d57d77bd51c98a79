/* SPDX-License-Identifier: BSD-2-Clause */
/* Where judged connections go. */
#ifndef UPCLOSE_OUTPUT_H
#define UPCLOSE_OUTPUT_H

#include <stdio.h>

#include "engine/judged.h"

struct uc_output {
	/* both return 0, or a negative errno when the output took no more */
	int (*connection)(struct uc_output *s, const struct uc_judged *r);
	int (*summary)(struct uc_output *s, const struct uc_totals *t);
	/* nginx made another attempt, at this address; may be NULL */
	void (*repeated)(struct uc_output *s, const struct uc_upstream_addr *addr);
	/*
	 * nginx said this of no connection that was followed (no live upstreams, a name that did
	 * not resolve, a connection that could not be opened); may be NULL. As connection().
	 */
	int (*words)(struct uc_output *s, const struct uc_log_event *e);
	bool all; /* it gets every end, not only the flagged ones */
	FILE *out;
	bool colour;
	bool header_due; /* table: print the column names first */
};

/* name: "text", "table" or "json"; -EINVAL for another one. */
int uc_output_init(struct uc_output *s, const char *name, FILE *out);

/* The totals in words; serves the table as well. */
int uc_output_text_summary(struct uc_output *s, const struct uc_totals *t);

extern const struct uc_output uc_output_text, uc_output_table, uc_output_json;

#endif
