// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The hooks of kernels since 5.15: tracepoints by BTF; sends and receives by tracepoints or fexit. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "hooks.bpf.h"
#include "fexit.bpf.h"
#include "tracepoints.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#ifdef UC_PREEMPT
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;
#else
#define bpf_preempt_disable()
#define bpf_preempt_enable()
#endif

SEC("tp_btf/sock_send_length")
int BPF_PROG(uc_send, struct sock *sk, int ret, int flags)
{
	if (storage_empty(sk))
		return on_send_untracked();
	bpf_preempt_disable();
	on_send(sk, ret);
	bpf_preempt_enable();
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(uc_recv, struct sock *sk, int ret, int flags)
{
	if (storage_empty(sk))
		return 0;
	bpf_preempt_disable();
	on_recv(sk, ret, flags);
	bpf_preempt_enable();
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int uc_walk(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	const struct uc_conn *c = ctx->value;

	if (c)
		live_walk(c);
	return 0;
}
