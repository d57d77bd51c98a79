// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The hooks of kernels before 5.15, and of hosts that refuse trampolines and have
 * no length tracepoints, or have no BTF. All state is told by raw tracepoints;
 * sends and receives by fexit or, as the last resort, by kprobes.
 */
#define UC_LEGACY
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "hooks.bpf.h"
#include "fexit.bpf.h"
#include "tracepoints.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The sockets that tasks are sending on: a function's return no longer knows its arguments. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64); /* bpf_get_current_pid_tgid() */
	__type(value, u64);
} uc_sends SEC(".maps");

static __always_inline int send_enter(struct sock *sk)
{
	u64 task = bpf_get_current_pid_tgid(), addr = (u64)sk;

	if (conn_of(sk) || client_of(sk) || followups_awaited)
		bpf_map_update_elem(&uc_sends, &task, &addr, BPF_ANY);
	return 0;
}

static __always_inline int send_return(int ret)
{
	u64 task = bpf_get_current_pid_tgid();
	u64 *addr = bpf_map_lookup_elem(&uc_sends, &task);
	struct sock *sk;

	if (!addr)
		return 0;
	sk = (struct sock *)*addr;
	bpf_map_delete_elem(&uc_sends, &task);
	return on_send(sk, ret);
}

SEC("kprobe/tcp_sendmsg")
int BPF_KPROBE(uc_send_enter, struct sock *sk)
{
	return send_enter(sk);
}

SEC("kretprobe/tcp_sendmsg")
int BPF_KRETPROBE(uc_send_return, int ret)
{
	return send_return(ret);
}

SEC("kprobe/tcp_sendpage")
int BPF_KPROBE(uc_page_enter, struct sock *sk)
{
	return send_enter(sk);
}

SEC("kretprobe/tcp_sendpage")
int BPF_KRETPROBE(uc_page_return, int ret)
{
	return send_return(ret);
}

/* A call that waits comes by more than once, each time with all that it has copied so far. */
static __always_inline int newly_received(struct uc_conn *c, const struct sock *sk, int copied)
{
	struct conn_entry *e = (struct conn_entry *)c;
	u32 seq = READ(tcp_sock_of(sk), copied_seq), fresh = seq - e->copied_seq;

	if (e->copied_known && fresh < (u32)copied)
		copied = fresh;
	e->copied_seq = seq;
	e->copied_known = 1;
	return copied;
}

/*
 * Every receive comes by here before it returns, with bytes or an error; calls that
 * block come by before they wait, too. There is no probe on the return of tcp_recvmsg()
 * as the kernel runs only so many of those at once, and each waiting reader holds one.
 */
SEC("kprobe/tcp_cleanup_rbuf")
int BPF_KPROBE(uc_recv_probe, struct sock *sk, int copied)
{
	struct uc_conn *c = conn_of(sk);
	u32 flags;

	if (!c && !client_of(sk))
		return 0;
	if (!copied && !(READ(sk, sk_shutdown) & RCV_SHUTDOWN))
		return 0;
	flags = user_recv_flags();
	if (c && copied > 0 && !(flags & MSG_PEEK)) {
		copied = newly_received(c, sk, copied);
		if (!copied)
			return 0;
	}
	return on_recv(sk, copied, flags);
}

/* include/linux/pid.h: the first of enum pid_type is a task itself */
#define PIDTYPE_PID 0

/* seq_show() of fs/proc/fd.c, as get_proc_task() */
static __always_inline struct task_struct *task_of_fdinfo(const struct seq_file *m)
{
	const void *inode = READ(m, private);
	const struct proc_inode *proc = inode - bpf_core_field_offset(struct proc_inode, vfs_inode);
	const struct pid *pid = READ(proc, pid);
	const void *link = READ(pid, tasks[PIDTYPE_PID].first);

	return link ? (void *)link - bpf_core_field_offset(struct task_struct, pid_links) : 0;
}

/* In place of the iterator: userspace reads /proc/PID/fdinfo of every socket. */
SEC("kprobe/sock_show_fdinfo")
int BPF_KPROBE(uc_adopt_fdinfo, struct seq_file *m, struct file *file)
{
	struct task_struct *task;

	if (adoption.pass >= UC_ADOPT_PASSES)
		return 0;
	task = task_of_fdinfo(m);
	if (task)
		adopt_file(task, file);
	return 0;
}

SEC("iter/bpf_map_elem")
int uc_walk(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct conn_entry *e = ctx->value;

	if (e)
		live_walk(&e->conn);
	return 0;
}
