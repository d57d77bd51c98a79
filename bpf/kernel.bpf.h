/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How the kernel's memory is read. Programs that the verifier knows the types of
 * (tp_btf, fexit, since 5.15 with all they need) read it directly. With
 * UC_LEGACY every read goes through bpf_probe_read_kernel(): that works for
 * kprobes and raw tracepoints too, and needs no BTF in the kernel itself.
 */
#ifndef UPCLOSE_KERNEL_BPF_H
#define UPCLOSE_KERNEL_BPF_H

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#ifdef UC_LEGACY

/* A statement expression has the type of the field without its qualifiers. */
#define READ(p, field)                                                       \
	({                                                                   \
		__typeof__(({ (p)->field; })) read_value;                    \
		bpf_core_read(&read_value, sizeof(read_value), &(p)->field); \
		read_value;                                                  \
	})

static __always_inline struct task_struct *current_task(void)
{
	return (struct task_struct *)bpf_get_current_task();
}

/* Every hook's socket is a full TCP socket. */
static __always_inline struct tcp_sock *tcp_sock_of(const void *sk)
{
	return (struct tcp_sock *)sk;
}

#else

#define READ(p, field) ((p)->field)

static __always_inline struct task_struct *current_task(void)
{
	return bpf_get_current_task_btf();
}

static __always_inline struct tcp_sock *tcp_sock_of(const void *sk)
{
	return bpf_skc_to_tcp_sock((void *)sk);
}

#endif

#endif
