/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs that both objects have: the exits of functions, for kernels before
 * 6.3 without the length tracepoints, and the iterator. They need BPF trampolines
 * and BTF in the kernel.
 */
#ifndef UPCLOSE_FEXIT_BPF_H
#define UPCLOSE_FEXIT_BPF_H

#include <bpf/bpf_tracing.h>

#include "hooks.bpf.h"

#ifndef UC_PREEMPT

SEC("fexit/tcp_sendmsg")
int BPF_PROG(uc_send_fexit, struct sock *sk, struct msghdr *msg, size_t size, int ret)
{
	return on_send(sk, ret);
}

/* sendfile before 6.5 */
SEC("fexit/tcp_sendpage")
int BPF_PROG(uc_sendpage, struct sock *sk, struct page *page, int offset, size_t size, int flags,
	     int ret)
{
	return on_send(sk, ret);
}

/* By hand: a choice between two of them in C becomes arithmetic on ctx, which the verifier forbids. */
#define CTX_ARG(ctx, n)                                                                      \
	({                                                                                   \
		u64 arg;                                                                     \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(arg) : "r"(ctx), "i"(8 * (n))); \
		arg;                                                                         \
	})

/*
 * (sk, msg, len, flags), on older kernels with an addr_len behind them, and before
 * 5.19 also with a nonblock before flags.
 */
SEC("fexit/tcp_recvmsg")
int uc_recv_fexit(u64 *ctx)
{
	u64 flags, ret;

	if (cfg.recvmsg_args == 6) {
		flags = CTX_ARG(ctx, 4);
		ret = CTX_ARG(ctx, 6);
	} else {
		flags = CTX_ARG(ctx, 3);
		ret = cfg.recvmsg_args == 5 ? CTX_ARG(ctx, 5) : CTX_ARG(ctx, 4);
	}
	return on_recv((struct sock *)ctx[0], ret, flags);
}

#endif

SEC("iter/task_file")
int uc_adopt(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (task && file)
		adopt_file(task, file);
	return 0;
}

#endif
