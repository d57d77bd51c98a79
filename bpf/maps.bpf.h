/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What userspace sets, and every map but the storage of sockets. */
#ifndef UPCLOSE_MAPS_BPF_H
#define UPCLOSE_MAPS_BPF_H

#include <bpf/bpf_helpers.h>

#include "control.h"
#include "wire.h"

const volatile struct uc_control cfg;
volatile struct uc_selection selection;

/* A worker of nginx: its clients, and the failed attempt that it has just left behind. */
struct worker {
	struct uc_clients clients;
	u64 failed_id; /* 0: none */
	u64 failed_ns; /* when that was */
	u64 read_id; /* the connection whose response it read last, and it has not turned to a client since */
	u32 failed_attempt;
	u32 tgid; /* 0: the place is free */
	u32 over; /* its process has begun to end: only its closes are still to come */
	u32 reserved;
};

struct port_key {
	u32 netns;
	u32 port;
};

/* Userspace maps it twice in a row, and all of it counts as resident there. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, UC_RING_MIB << 20);
} uc_ring SEC(".maps");

/*
 * Tables with an entry for each open connection. They grow with their use and
 * refuse at their end, which is counted; older kernels warn of allocations in a
 * probe, and there they are taken at once and push out the oldest.
 */
#ifdef UC_LEGACY
#define PER_CONNECTION                       \
	__uint(type, BPF_MAP_TYPE_LRU_HASH); \
	__uint(max_entries, 32768)
#else
#define PER_CONNECTION                        \
	__uint(type, BPF_MAP_TYPE_HASH);      \
	__uint(map_flags, BPF_F_NO_PREALLOC); \
	__uint(max_entries, 131072)
#endif

/*
 * Workers are looked up for nearly every send and receive of theirs, for which a
 * hash is too slow: one lies in one of UC_WORKER_PROBES places that its tgid gives.
 */
#define UC_WORKERS       1024
#define UC_WORKER_PROBES 4

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, UC_WORKERS);
	__type(key, u32);
	__type(value, struct worker);
} uc_workers SEC(".maps");

/* Processes that userspace has been told of: tgid to start time. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u64);
} uc_procs SEC(".maps");

/* Where nginx listens: an accepted socket on such a port is a client's. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct port_key);
	__type(value, u8);
} uc_listen SEC(".maps");

/* Adopted connections of nginx, as the peer would see them, to their key; emptied after the adoption. */
struct {
	PER_CONNECTION;
	__type(key, struct uc_tuple);
	__type(value, u64);
} uc_adopted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, UC_LOST_MAX);
	__type(key, u32);
	__type(value, u64);
} uc_lost SEC(".maps");

static __always_inline void count_lost(u32 reason)
{
	u64 *n = bpf_map_lookup_elem(&uc_lost, &reason);

	if (n)
		(*n)++;
}

#endif
