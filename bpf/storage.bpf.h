/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is kept of a socket: a connection end's log, the heads of nginx's ends,
 * a client's state. In the socket itself where the kernel's tracing programs
 * can reach its storage; otherwise in bounded hashes by the socket's address,
 * which tcp_destroy_sock empties before the address can be used again.
 */
#ifndef UPCLOSE_STORAGE_BPF_H
#define UPCLOSE_STORAGE_BPF_H

#include "maps.bpf.h"

/* A client's connection to nginx: only its end matters. */
struct client {
	u32 worker; /* tgid of the worker that read from it, 0 until then */
	u32 gone;   /* 1: the client left and nginx still holds the socket; 2: closed */
};

#ifdef UC_LEGACY

struct conn_entry {
	struct uc_conn conn;
	/* two hooks at once on one log are told by their difference: atomics that fetch came with 5.12 */
	u32 entered;
	u32 left;
	u32 copied_seq; /* at the newest receive, for legacy.bpf.c */
	u32 copied_known;
};

#define STORAGE(name_, entries_, value_)                      \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_HASH);              \
		__uint(max_entries, entries_);                \
		__type(key, u64); /* struct sock's address */ \
		__type(value, value_);                        \
	} name_ SEC(".maps")

STORAGE(uc_conns, 16384, struct conn_entry);
STORAGE(uc_heads, 8192, struct uc_heads);
STORAGE(uc_clients, 32768, struct client);

/* Zeros to begin an entry with: they do not fit a program's stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, u32);
	__type(
		value, struct { u8 zeros[sizeof(struct uc_heads)]; });
} uc_zeros SEC(".maps");

_Static_assert(sizeof(struct conn_entry) <= sizeof(struct uc_heads), "uc_zeros is large enough");

static __always_inline bool storage_empty(const struct sock *sk)
{
	return false;
}

static __always_inline void *storage_get(void *map, const void *sk)
{
	u64 key = (u64)sk;

	return bpf_map_lookup_elem(map, &key);
}

static __always_inline void *storage_make(void *map, const void *sk)
{
	void *zeros, *have = storage_get(map, sk);
	u64 key = (u64)sk;
	u32 first = 0;

	if (have)
		return have;
	zeros = bpf_map_lookup_elem(&uc_zeros, &first);
	if (zeros)
		bpf_map_update_elem(map, &key, zeros, BPF_NOEXIST);
	return storage_get(map, sk);
}

static __always_inline void storage_drop(const void *sk)
{
	u64 key = (u64)sk;

	bpf_map_delete_elem(&uc_conns, &key);
	bpf_map_delete_elem(&uc_heads, &key);
	bpf_map_delete_elem(&uc_clients, &key);
}

static __always_inline struct uc_event *log_slot(struct uc_conn *c)
{
	struct uc_event *e = &c->ev[c->events & (UC_EVENTS - 1)];

	__sync_fetch_and_add(&c->events, 1);
	return e;
}

/* What two wrote at once is marked, as it cannot be kept apart. */
static __always_inline void log_enter(struct uc_conn *c)
{
	volatile struct conn_entry *e = (struct conn_entry *)c;

	__sync_fetch_and_add(&((struct conn_entry *)c)->entered, 1);
	if (e->entered - e->left != 1)
		c->flags |= UC_CONN_TORN;
}

static __always_inline void log_leave(struct uc_conn *c)
{
	__sync_fetch_and_add(&((struct conn_entry *)c)->left, 1);
}

#else

#define STORAGE(name_, entries_, value_)               \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_SK_STORAGE); \
		__uint(map_flags, BPF_F_NO_PREALLOC);  \
		__type(key, int);                      \
		__type(value, value_);                 \
	} name_ SEC(".maps")

STORAGE(uc_conns, 0, struct uc_conn);
/* Only nginx's ends carry payload, so it has a storage of its own. */
STORAGE(uc_heads, 0, struct uc_heads);
STORAGE(uc_clients, 0, struct client);

/* Nobody keeps anything of this socket, which is so for nearly all of a host: no look-up is needed. */
static __always_inline bool storage_empty(const struct sock *sk)
{
	return !sk->sk_bpf_storage;
}

static __always_inline void *storage_get(void *map, const void *sk)
{
	return bpf_sk_storage_get(map, (void *)sk, 0, 0);
}

static __always_inline void *storage_make(void *map, const void *sk)
{
	return bpf_sk_storage_get(map, (void *)sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

/* The kernel frees it with the socket. */
static __always_inline void storage_drop(const void *sk)
{
}

static __always_inline struct uc_event *log_slot(struct uc_conn *c)
{
	return &c->ev[__sync_fetch_and_add(&c->events, 1) & (UC_EVENTS - 1)];
}

static __always_inline void log_enter(struct uc_conn *c)
{
}

static __always_inline void log_leave(struct uc_conn *c)
{
}

#endif

static __always_inline struct uc_conn *conn_of(const void *sk)
{
	return storage_get(&uc_conns, sk);
}

static __always_inline struct uc_heads *heads_of(const void *sk)
{
	return storage_get(&uc_heads, sk);
}

static __always_inline struct client *client_of(const void *sk)
{
	return storage_get(&uc_clients, sk);
}

#endif
