/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conn/exits.h"

void uc_exits_note(struct uc_exits *x, const struct uc_rec_proc *rec)
{
	x->at[x->count++ % UC_EXITS] = (struct uc_exit){ .task = rec->task,
							 .ts_ns = rec->hdr.ts_ns };
}

const struct uc_exit *uc_exits_of(const struct uc_exits *x, const struct uc_task *t)
{
	size_t kept = x->count < UC_EXITS ? x->count : UC_EXITS;

	for (size_t i = 1; t->tgid && i <= kept; i++) {
		const struct uc_exit *e = &x->at[(x->count - i) % UC_EXITS];

		if (e->task.tgid == t->tgid && e->task.start_ns == t->start_ns)
			return e;
	}
	return NULL;
}
