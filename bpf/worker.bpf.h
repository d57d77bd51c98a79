/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Workers of nginx by their tgid. */
#ifndef UPCLOSE_WORKER_BPF_H
#define UPCLOSE_WORKER_BPF_H

#include "maps.bpf.h"

/* Workers that have just left a failed attempt behind: nearly always none, and then nothing is looked up. */
__u32 followups_awaited;

static __always_inline void followup_forget(struct worker *w)
{
	if (!w->failed_id)
		return;
	w->failed_id = 0;
	__sync_fetch_and_add(&followups_awaited, -1);
}

static __always_inline struct worker *worker_at(u32 tgid, u32 probe)
{
	/* far apart, as the workers of one nginx have neighbouring numbers */
	u32 place = (tgid + probe * (UC_WORKERS / UC_WORKER_PROBES + 1)) % UC_WORKERS;

	return bpf_map_lookup_elem(&uc_workers, &place);
}

static __always_inline struct worker *worker_of(u32 tgid)
{
	struct worker *w;

#pragma unroll
	for (u32 i = 0; i < UC_WORKER_PROBES; i++) {
		w = worker_at(tgid, i);
		if (w && w->tgid == tgid)
			return w;
	}
	return 0;
}

static __always_inline void worker_begin(struct worker *w, u32 tgid)
{
	followup_forget(w);
	__builtin_memset(w, 0, sizeof(*w));
	w->tgid = tgid;
}

/* Where live workers have all its places, the last one is forgotten, and what was known of its clients with it. */
static __always_inline struct worker *worker_new(u32 tgid)
{
	struct worker *w = worker_of(tgid);

	if (w)
		return w;
#pragma unroll
	for (u32 i = 0; i < UC_WORKER_PROBES; i++) {
		w = worker_at(tgid, i);
		if (!w || !w->tgid || w->over)
			break;
	}
	if (w)
		worker_begin(w, tgid);
	return w;
}

/* Its sockets are closed after this, and want to know of its clients. False: it is no worker. */
static __always_inline bool worker_over(u32 tgid)
{
	struct worker *w = worker_of(tgid);

	if (!w)
		return false;
	followup_forget(w);
	w->over = 1;
	return true;
}

#endif
