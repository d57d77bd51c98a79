/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What both ends on this host know of each other while nginx's end lives, by the
 * connection's key. An entry that was deleted is given out again at once, even
 * while another processor writes to it; so what is written names its connection.
 */
#ifndef UPCLOSE_JOIN_BPF_H
#define UPCLOSE_JOIN_BPF_H

#include <bpf/bpf_helpers.h>

#include "maps.bpf.h"

struct join {
	u64 tracked_key; /* the upstream's end is on this host and has a log of its own */
	u64 owner_key;
	struct uc_task owner; /* who uses the upstream's end */
};

struct {
	PER_CONNECTION;
	__type(key, u64);
	__type(value, struct join);
} uc_joins SEC(".maps");

static __always_inline void join_write(u64 key, const struct join *j)
{
	if (bpf_map_update_elem(&uc_joins, &key, j, BPF_ANY))
		count_lost(UC_LOST_JOIN_FULL);
}

/* nginx's end is there. */
static __always_inline void join_begin(u64 key)
{
	struct join j = {};

	join_write(key, &j);
}

/* Both ends are there, and were before upclose. */
static __always_inline void join_adopt(u64 key, const struct uc_task *owner)
{
	struct join j = { .tracked_key = key, .owner_key = key, .owner = *owner };

	join_write(key, &j);
}

/* The upstream's end is there: true if nginx's is. */
static __always_inline bool join_track(u64 key)
{
	struct join *j = bpf_map_lookup_elem(&uc_joins, &key);

	if (!j)
		return false;
	j->tracked_key = key;
	return true;
}

static __always_inline void join_owner(u64 key, const struct uc_task *owner)
{
	/* nginx's end may be over already, and its entry with it */
	struct join *j = bpf_map_lookup_elem(&uc_joins, &key);

	if (!j)
		return;
	*(volatile u64 *)&j->owner_key = 0;
	j->owner = *owner;
	barrier();
	*(volatile u64 *)&j->owner_key = key;
}

/* nginx's end is over. ret_owner->tgid is 0 where it is not known. */
static __always_inline bool join_end(u64 key, struct uc_task *ret_owner)
{
	struct join *j = bpf_map_lookup_elem(&uc_joins, &key);
	bool tracked = false;

	if (j) {
		tracked = j->tracked_key == key;
		*ret_owner = j->owner;
		barrier();
		if (*(volatile u64 *)&j->owner_key != key)
			ret_owner->tgid = 0;
	}
	bpf_map_delete_elem(&uc_joins, &key);
	return tracked;
}

#endif
