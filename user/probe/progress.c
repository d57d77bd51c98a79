/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/progress.h"

#include <unistd.h>

#define SECOND  1000000000ULL
#define EVERY_S 5

void uc_progress_init(struct uc_progress *p, FILE *out)
{
	*p = (struct uc_progress){ .out = out,
				   .terminal = isatty(fileno(out)),
				   .next_ns = EVERY_S * SECOND };
}

static void put(FILE *out, const struct uc_probe_progress *g)
{
	fprintf(out, "%llu s, %zu of %zu done: %llu requests sent",
		(unsigned long long)(g->elapsed_ns / SECOND), g->done, g->targets,
		(unsigned long long)g->requests);
	if (g->waiting_idle)
		fprintf(out, ", %u idle connections", g->waiting_idle);
	if (g->waiting_header)
		fprintf(out, ", %u half requests", g->waiting_header);
	if (g->left_ns)
		fprintf(out, ", at most %llu s more",
			(unsigned long long)(g->left_ns / SECOND + 1));
}

void uc_progress_show(struct uc_progress *p, const struct uc_probe_progress *g)
{
	if (p->terminal) {
		fputs("\r\033[K", p->out);
		put(p->out, g);
		fflush(p->out);
		p->shown = true;
	} else if (g->elapsed_ns >= p->next_ns) {
		put(p->out, g);
		fputs("\n", p->out);
		p->next_ns = g->elapsed_ns + EVERY_S * SECOND;
	}
}

void uc_progress_clear(struct uc_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", p->out);
	p->shown = false;
}
