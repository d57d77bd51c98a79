/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tracepoints that both objects have. Those of upclose.bpf.c know their arguments'
 * types by the kernel's BTF; a raw one knows them by the program alone, and needs none.
 */
#ifndef UPCLOSE_TRACEPOINTS_BPF_H
#define UPCLOSE_TRACEPOINTS_BPF_H

#include <bpf/bpf_tracing.h>

#include "hooks.bpf.h"
#include "words.bpf.h"

#ifdef UC_LEGACY
#define TP "raw_tp/"
#else
#define TP "tp_btf/"
#endif

SEC(TP "inet_sock_set_state")
int BPF_PROG(uc_set_state, const struct sock *sk, int oldstate, int newstate)
{
	return on_set_state(sk, oldstate, newstate);
}

SEC(TP "inet_sock_set_state")
int BPF_PROG(uc_set_state_2, const struct sock *sk, int oldstate, int newstate)
{
	return on_set_state(sk, oldstate, newstate);
}

SEC(TP "tcp_receive_reset")
int BPF_PROG(uc_reset, struct sock *sk)
{
	return on_reset(sk);
}

SEC(TP "tcp_destroy_sock")
int BPF_PROG(uc_destroy, struct sock *sk)
{
	return on_destroy(sk);
}

SEC(TP "tcp_destroy_sock")
int BPF_PROG(uc_destroy_2, struct sock *sk)
{
	return on_destroy(sk);
}

SEC(TP "sched_process_exit")
int BPF_PROG(uc_exit, struct task_struct *task)
{
	proc_exit(task);
	return 0;
}

SEC(TP "tcp_retransmit_skb")
int BPF_PROG(uc_retransmit, const struct sock *sk)
{
	return on_retransmit(sk);
}

SEC(TP "inet_sk_error_report")
int BPF_PROG(uc_error_report, const struct sock *sk)
{
	return on_error_report(sk);
}

SEC(TP "sched_process_exec")
int BPF_PROG(uc_exec, struct task_struct *task)
{
	on_exec(task);
	return 0;
}

#endif
