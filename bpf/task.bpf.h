/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes: who they are, and whether they are ending. */
#ifndef UPCLOSE_TASK_BPF_H
#define UPCLOSE_TASK_BPF_H

#include "kernel.bpf.h"
#include "maps.bpf.h"

/* include/linux/sched.h and sched/signal.h; not in BTF, unchanged since 5.10 */
#define PF_EXITING        0x00000004
#define PF_KTHREAD        0x00200000
#define SIGNAL_GROUP_EXIT 0x00000004

/* What follows the NUL is noise on older kernels: in 6.1 from bpf_get_current_comm(). */
static __always_inline bool task_is_nginx(const struct task_struct *task)
{
	u64 have[UC_COMM_LEN / sizeof(u64)] = {};

	bpf_probe_read_kernel_str(have, sizeof(have), task->comm);
	for (u32 i = 0; i < UC_MAX_COMMS && i < selection.comm_count; i++) {
		const volatile u64 *want = (const volatile u64 *)selection.comms[i];

		if (have[0] == want[0] && have[1] == want[1])
			return true;
	}
	return false;
}

/*
 * exit_code of the task is its own; when the whole group ends, only the first
 * thread's reason counts, and the last thread is the one that closes the files.
 */
static __always_inline void task_fill(struct uc_task *t, struct task_struct *task)
{
	struct task_struct *leader = READ(task, group_leader);
	struct signal_struct *sig = READ(task, signal);
	u32 flags = READ(task, flags);

	t->tgid = READ(task, tgid);
	t->tid = READ(task, pid);
	t->start_ns = READ(leader, start_boottime);
	bpf_probe_read_kernel(t->comm, sizeof(t->comm), leader->comm);
	t->flags = 0;
	t->exit_code = 0;
	if (flags & PF_KTHREAD)
		t->flags |= UC_TASK_KTHREAD;
	if (!(flags & PF_EXITING))
		return;
	t->flags |= UC_TASK_EXITING;
	t->exit_code = READ(task, exit_code);
	if (!sig)
		return;
	if (READ(sig, flags) & SIGNAL_GROUP_EXIT) {
		t->flags |= UC_TASK_GROUP_EXIT;
		t->exit_code = READ(sig, group_exit_code);
	}
	if (READ(sig, oom_mm))
		t->flags |= UC_TASK_OOM;
}

static __always_inline void task_fill_current(struct uc_task *t)
{
	task_fill(t, current_task());
	t->cgroup_id = bpf_get_current_cgroup_id();
}

#endif
