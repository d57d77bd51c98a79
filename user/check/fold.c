/* SPDX-License-Identifier: BSD-2-Clause */
/* One cause, one finding: the others are listed with it. */
#include "check/rule.h"

#include <string.h>

static void list(struct uc_finding *f, const struct uc_nginx_directive *at,
		 const struct uc_nginx_server *server)
{
	if (f->also_count < UC_FINDING_ALSO)
		f->also[f->also_count] = (struct uc_finding_also){ at, server };
	f->also_count++;
}

void uc_rule_also(struct uc_finding *f, const struct uc_nginx_place *place)
{
	if (f->last == place)
		return;
	f->places++;
	f->last = place;
	list(f, place->pass, NULL);
}

static bool same_text(const struct uc_finding *a, const struct uc_finding *b)
{
	return !strcmp(a->why, b->why) && !strcmp(a->change, b->change);
}

static bool same_outcome(const struct uc_finding *a, const struct uc_finding *b)
{
	return a->rule == b->rule && a->severity == b->severity && a->accepted == b->accepted &&
	       a->expired == b->expired;
}

/* Servers of a group that one line of it is about. */
static bool same_line(const struct uc_finding *a, const struct uc_finding *b)
{
	return a->at == b->at && a->server && b->server && same_text(a, b) &&
	       a->figures[0].n == b->figures[0].n && a->figures[1].n == b->figures[1].n;
}

static bool same_cause(const struct uc_finding *a, const struct uc_finding *b)
{
	if (a->server || b->server)
		return false;
	return a->cause ? a->cause == b->cause :
			  !b->cause && same_text(a, b) && !strcmp(a->message, b->message);
}

static void fold_into(struct uc_finding *to, const struct uc_finding *f)
{
	bool servers = to->at == f->at;

	list(to, f->at, servers ? f->server : NULL);
	to->happened += f->happened;
	if (servers)
		return;
	to->places += f->places;
	for (size_t i = 0; i < f->also_count && i < UC_FINDING_ALSO; i++)
		list(to, f->also[i].at, f->also[i].server);
}

/* Findings stand by file and line, and those of one cause mostly close by. */
#define NEAR 256

void uc_judge_fold(struct uc_judge *j, bool places)
{
	size_t kept = 0;

	for (size_t i = 0; i < j->finding_count; i++) {
		struct uc_finding *f = &j->findings[i], *to = NULL;

		for (size_t k = kept; k-- > 0 && kept - k <= NEAR && !to;)
			if (same_outcome(&j->findings[k], f) &&
			    (same_line(&j->findings[k], f) ||
			     (places && same_cause(&j->findings[k], f))))
				to = &j->findings[k];
		if (to)
			fold_into(to, f);
		else
			j->findings[kept++] = *f;
	}
	j->finding_count = kept;
}
