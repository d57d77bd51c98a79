/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counts for each upstream address; a connection keeps its slot, so that counting costs no look-up by address. */
#ifndef UPCLOSE_LIVE_BPF_H
#define UPCLOSE_LIVE_BPF_H

#include <bpf/bpf_helpers.h>

#include "live.h"
#include "wire.h"

struct live_key {
	__u8 addr[16];
	__u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UC_LIVE_SLOTS);
#ifndef UC_LEGACY /* older kernels warn of allocations in a probe */
	__uint(map_flags, BPF_F_NO_PREALLOC);
#endif
	__type(key, struct live_key);
	__type(value, u32);
} uc_live_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UC_LIVE_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct uc_live);
} uc_lives SEC(".maps");

__u32 live_used;   /* slots given out, slot 0 not counted */
__u64 live_folded; /* connections counted in slot 0 */

static __always_inline struct uc_live *live_of(const struct uc_conn *c)
{
	u32 slot = c->kernel_live;

	return bpf_map_lookup_elem(&uc_lives, &slot);
}

#ifdef UC_LEGACY

/* Atomics that fetch came with 5.12; a new entry of a hash is one's own, too. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UC_LIVE_SLOTS);
	__type(key, u32);
	__type(value, u8);
} uc_live_taken SEC(".maps");

static __always_inline u32 live_slot_take(void)
{
	u32 slot = live_used + 1;
	u8 one = 1;

	if (slot >= UC_LIVE_SLOTS || bpf_map_update_elem(&uc_live_taken, &slot, &one, BPF_NOEXIST))
		return 0;
	live_used = slot;
	return slot;
}

#else

static __always_inline u32 live_slot_take(void)
{
	return __sync_fetch_and_add(&live_used, 1) + 1;
}

#endif

static __always_inline u32 live_slot_new(const struct live_key *k)
{
	struct uc_live *l;
	u32 slot, *known;

	if (live_used >= UC_LIVE_SLOTS - 1)
		return 0;
	slot = live_slot_take();
	l = bpf_map_lookup_elem(&uc_lives, &slot);
	if (!slot || !l)
		return 0;
	/* another processor may have been first: then the slot stays empty */
	if (bpf_map_update_elem(&uc_live_slots, k, &slot, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&uc_live_slots, k);
		return known ? *known : 0;
	}
	__builtin_memcpy(l->addr, k->addr, sizeof(l->addr));
	l->port = k->port;
	return slot;
}

/* A connection of nginx's began, or was found. */
static __always_inline void live_open(struct uc_conn *c)
{
	struct live_key k = { .port = c->tuple.remote_port };
	struct uc_live *l;
	u32 *known;

	__builtin_memcpy(k.addr, c->tuple.remote_addr, sizeof(k.addr));
	known = bpf_map_lookup_elem(&uc_live_slots, &k);
	c->kernel_live = known ? *known : live_slot_new(&k);
	if (!c->kernel_live)
		__sync_fetch_and_add(&live_folded, 1);
	l = live_of(c);
	if (l)
		__sync_fetch_and_add(&l->connections, 1);
}

static __always_inline void live_observe(struct uc_live_histogram *h, u64 ns)
{
	static const u32 bounds[] = { UC_LIVE_BOUNDS_US };
	u64 us = ns / 1000;
	u32 bucket = 0;

#pragma unroll
	for (u32 i = 0; i < UC_LIVE_BUCKETS - 1; i++)
		bucket += us > bounds[i];
	__sync_fetch_and_add(&h->sum_ns, ns);
	__sync_fetch_and_add(&h->bucket[bucket & (UC_LIVE_BUCKETS - 1)], 1);
}

static __always_inline void live_exchange(const struct uc_conn *c)
{
	struct uc_live *l = live_of(c);

	if (!l)
		return;
	__sync_fetch_and_add(&l->exchanges, 1);
	if (c->x.idle_ns)
		live_observe(&l->idle, c->x.idle_ns);
}

static __always_inline void live_first_byte(const struct uc_conn *c, u64 now)
{
	struct uc_live *l = live_of(c);

	if (l && c->x.number && now > c->x.out_first_ns)
		live_observe(&l->first_byte, now - c->x.out_first_ns);
}

/* One walk over the connections; userspace has zeroed what it fills. */
static __always_inline void live_walk(const struct uc_conn *c)
{
	struct uc_live *l = live_of(c);

	if (!l || !(c->flags & UC_CONN_NGINX) || c->flags & UC_CONN_SHIPPED)
		return;
	l->open++;
	if (!c->x.number || !c->x.out_first_ns || c->x.in_bytes)
		return;
	l->waiting++;
	if (!l->waiting_since_ns || c->x.out_first_ns < l->waiting_since_ns)
		l->waiting_since_ns = c->x.out_first_ns;
}

#endif
