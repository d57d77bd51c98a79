/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel types that upclose reads, by hand: only the fields used, each with
 * the reader that needs it. libbpf relocates every access to the running
 * kernel's layout, so neither order nor padding matters here, and a build never
 * looks at the build host's kernel.
 */
#ifndef UPCLOSE_VMLINUX_H
#define UPCLOSE_VMLINUX_H

/* bpf_tracing.h: registers are named as the kernel names them */
#define __VMLINUX_H__

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __SIZE_TYPE__ size_t;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* conn.bpf.h: the namespace of a socket */
struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

/* conn.bpf.h: both ends of a connection */
struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct socket;

/* upclose.bpf.c: how a socket came to CLOSE */
struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	int sk_err;
	int sk_err_soft;
	u8 sk_shutdown;
	u16 sk_protocol;
	struct bpf_local_storage *sk_bpf_storage;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

/* adopt.bpf.h: what was the last segment with data, one that came or one that went */
struct inet_connection_sock {
	struct inet_sock icsk_inet;
	struct {
		u32 lrcvtime;
	} icsk_ack;
};

/* conn.bpf.h: struct uc_snap and struct uc_event; adopt.bpf.h: the last four */
struct tcp_sock {
	struct inet_connection_sock inet_conn;
	u32 write_seq;
	u32 snd_una;
	u32 rcv_nxt;
	u32 copied_seq;
	u32 snd_wnd;
	u32 lsndtime;
	u64 tcp_mstamp;
	u64 bytes_received;
	u64 bytes_sent;
};

/* adopt.bpf.h: from an open file to its socket */
struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct socket {
	struct sock *sk;
};

/* legacy.bpf.c: from a file of /proc/PID/fdinfo that is read to the task that it is about */
struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct pid {
	struct hlist_head tasks[4];
};

struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
};

struct seq_file {
	void *private;
};

/* task.bpf.h: who closed, and was it ending; conn.bpf.h: the last of its threads */
struct mm_struct;

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	unsigned int flags;
	int group_exit_code;
	struct mm_struct *oom_mm;
};

struct task_struct {
	unsigned int flags;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	u64 start_boottime;
	char comm[16];
	struct signal_struct *signal;
	void *stack; /* payload.bpf.h */
	struct hlist_node pid_links[4];
};

/*
 * payload.bpf.h: the system call's number and its arguments, and before 5.15 where
 * they lie; legacy.bpf.c: arguments and result of a function, by bpf_tracing.h.
 */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long ax;
	unsigned long r10;
	unsigned long orig_ax;
	unsigned long cs;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	u64 regs[31];
	u64 pstate;
	s32 syscallno;
};
#endif

/* upclose.bpf.c: arguments that are passed over */
struct msghdr;
struct page;

/* upclose.bpf.c: the iterator over open files */
struct bpf_iter_meta;
struct bpf_map;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

/* live.bpf.h: the iterators over a storage's sockets, and over a hash */
struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

#pragma clang attribute pop

#if defined(__TARGET_ARCH_arm64)
/* How bpf_tracing.h sees struct pt_regs there; fixed by the ABI. */
struct user_pt_regs {
	u64 regs[31];
	u64 sp;
	u64 pc;
	u64 pstate;
};
#endif

#endif
