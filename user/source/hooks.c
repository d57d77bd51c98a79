/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/hooks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

enum group {
	NONE,
	STATE,
	STATE_TOO,
	RESET,
	DESTROY,
	DESTROY_TOO,
	SEND,
	SENDFILE,
	RECEIVE,
	CALLER,
	PREEMPT,
	RETRANSMIT,
	EXIT,
	ADOPT,
	WALK,
	WORDS,
	BEGIN,
	ICMP,
	GROUPS
};

#define TRACEPOINT (1U << UC_PLAN_TRACEPOINT)
#define KPROBE     (1U << UC_PLAN_KPROBE)
#define FENTRY     (1U << UC_PLAN_FENTRY | 1U << UC_PLAN_FENTRY_OLD)
#define ANY        (UC_PLANS_UPCLOSE | UC_PLANS_LEGACY)

/* A tracepoint of every plan: both objects have its program, each in a section of its own kind. */
#define TRACEPOINT_ROWS(name, ...)                                               \
	{ .section = "tp_btf/" name, .plans = UC_PLANS_UPCLOSE, __VA_ARGS__ },   \
	{                                                                        \
		.section = "raw_tp/" name, .plans = UC_PLANS_LEGACY, __VA_ARGS__ \
	}

/*
 * The same for one that also comes in interrupts, while its program runs: the kernel
 * leaves out the program's second call, and another program for the same takes it.
 */
#define TWO_ROWS(hook, its_plans, runs, tells, serves, since, ...)                       \
	{ .facts = tells,                                                                \
	  .section = hook,                                                               \
	  .program = runs,                                                               \
	  .plans = its_plans,                                                            \
	  .group = serves,                                                               \
	  .required = true,                                                              \
	  .takes = { __VA_ARGS__ },                                                      \
	  .note = since },                                                               \
	{                                                                                \
		.facts = "the same, interrupted", .section = hook, .program = runs "_2", \
		.plans = its_plans, .group = serves##_TOO, .takes = { __VA_ARGS__ },     \
		.note = since "; takes what comes while the first one runs"              \
	}
#define TRACEPOINT_ROWS_TWICE(name, ...)                         \
	TWO_ROWS("tp_btf/" name, UC_PLANS_UPCLOSE, __VA_ARGS__), \
		TWO_ROWS("raw_tp/" name, UC_PLANS_LEGACY, __VA_ARGS__)

/* Debian's and Ubuntu's kernels know levels above 2, which CAP_PERFMON does not lift. */
#define KPROBE_NOTE \
	"where kprobes are allowed; kernel.perf_event_paranoid above 2 asks for CAP_SYS_ADMIN"

static struct uc_hook hooks[] = {
	TRACEPOINT_ROWS_TWICE("inet_sock_set_state", "uc_set_state", "open, FIN, close, far end",
			      STATE, "since 4.16", "sock", "int", "int"),
	TRACEPOINT_ROWS("tcp_receive_reset", .program = "uc_reset", .facts = "reset",
			.group = RESET, .required = true, .takes = { "sock" },
			.note = "since 4.15"),
	TRACEPOINT_ROWS_TWICE("tcp_destroy_sock", "uc_destroy", "close", DESTROY, "since 4.15",
			      "sock"),
	{ .facts = "send, payload",
	  .section = "tp_btf/sock_send_length",
	  .program = "uc_send",
	  .plans = TRACEPOINT,
	  .group = SEND,
	  .covers = SENDFILE,
	  .required = true,
	  .takes = { "sock", "int", "int" },
	  .note = "since 6.3" },
	{ .facts = "send, payload",
	  .section = "fexit/tcp_sendmsg",
	  .program = "uc_send_fexit",
	  .plans = FENTRY,
	  .group = SEND,
	  .required = true,
	  .takes = { "sock", "msghdr", "int" },
	  .note = "since 5.5 (arm64: 6.4), where BPF trampolines are allowed" },
	{ .facts = "send, payload",
	  .section = "kretprobe/tcp_sendmsg",
	  .program = "uc_send_return",
	  .companion = "uc_send_enter",
	  .plans = KPROBE,
	  .group = SEND,
	  .required = true,
	  .takes = { "sock", "msghdr", "int" },
	  .note = KPROBE_NOTE },
	{ .facts = "send (sendfile)",
	  .section = "fexit/tcp_sendpage",
	  .program = "uc_sendpage",
	  .plans = FENTRY,
	  .group = SENDFILE,
	  .takes = { "sock", "page" },
	  .note = "until 6.4; later sendfile is a send" },
	{ .facts = "send (sendfile)",
	  .section = "kretprobe/tcp_sendpage",
	  .program = "uc_page_return",
	  .companion = "uc_page_enter",
	  .plans = KPROBE,
	  .group = SENDFILE,
	  .takes = { "sock", "page" },
	  .note = "until 6.4; later sendfile is a send" },
	{ .facts = "receive, payload",
	  .section = "tp_btf/sock_recv_length",
	  .program = "uc_recv",
	  .plans = TRACEPOINT,
	  .group = RECEIVE,
	  .required = true,
	  .takes = { "sock", "int", "int" },
	  .note = "since 6.3" },
	{ .facts = "receive, payload",
	  .section = "fexit/tcp_recvmsg",
	  .program = "uc_recv_fexit",
	  .plans = FENTRY,
	  .group = RECEIVE,
	  .required = true,
	  .takes = { "sock", "msghdr", "int" },
	  .note = "since 5.5 (arm64: 6.4), where BPF trampolines are allowed" },
	{ .facts = "receive, payload",
	  .section = "kprobe/tcp_cleanup_rbuf",
	  .program = "uc_recv_probe",
	  .plans = KPROBE,
	  .group = RECEIVE,
	  .required = true,
	  .takes = { "sock", "int" },
	  .note = KPROBE_NOTE },
	{ .facts = "payload",
	  .section = "helper/bpf_task_pt_regs",
	  .plans = UC_PLANS_UPCLOSE,
	  .group = CALLER,
	  .required = true,
	  .note = "since 5.15; before, registers are found on the task's stack" },
	{ .facts = "no call left out",
	  .section = "kfunc/bpf_preempt_disable",
	  .plans = TRACEPOINT,
	  .group = PREEMPT,
	  .note = "since 6.10; before, tracepoints are not preempted" },
	TRACEPOINT_ROWS("tcp_retransmit_skb", .program = "uc_retransmit", .facts = "retransmits",
			.group = RETRANSMIT, .takes = { "sock" },
			.note = "since 4.15; without it no count of repeated segments"),
	TRACEPOINT_ROWS("sched_process_exit", .program = "uc_exit", .facts = "exit after a close",
			.group = EXIT, .takes = { "task_struct" },
			.note = "since 4.15; without it an end that follows a close is not seen"),
	{ .facts = "adoption",
	  .section = "iter/task_file",
	  .program = "uc_adopt",
	  .plans = ANY,
	  .group = ADOPT,
	  .note = "since 5.8, where the kernel has BTF" },
	{ .facts = "adoption",
	  .section = "kprobe/sock_show_fdinfo",
	  .program = "uc_adopt_fdinfo",
	  .plans = KPROBE,
	  .group = ADOPT,
	  .takes = { "seq_file", "file" },
	  .note = "since 5.7; without it only connections opened from now on are seen" },
	{ .facts = "open and waiting now",
	  .section = "iter/bpf_sk_storage_map",
	  .program = "uc_walk",
	  .plans = UC_PLANS_UPCLOSE,
	  .group = WALK,
	  .note = "since 5.9; without it the metrics lack open connections and waiting requests" },
	{ .facts = "open and waiting now",
	  .section = "iter/bpf_map_elem",
	  .program = "uc_walk",
	  .plans = UC_PLANS_LEGACY,
	  .group = WALK,
	  .note = "since 5.9; without it the metrics lack open connections and waiting requests" },
	{ .facts = "nginx's own words",
	  .section = "uprobe.s/ngx_log_error_core",
	  .program = "uc_words_wait",
	  .plans = ANY,
	  .group = WORDS,
	  .note = "since 6.0; kernels since July 2025 ask for CAP_SYS_ADMIN" },
	{ .facts = "nginx's own words",
	  .section = "uprobe/ngx_log_error_core",
	  .program = "uc_words",
	  .plans = ANY,
	  .group = WORDS,
	  .note = "since 5.10; without it what nginx decided is inferred, and likely at most" },
	TRACEPOINT_ROWS(
		"inet_sk_error_report", .program = "uc_error_report", .facts = "rejected by ICMP",
		.group = ICMP, .takes = { "sock" },
		.note = "since 5.15; without it such a connect() may end for no known reason"),
	TRACEPOINT_ROWS("sched_process_exec", .program = "uc_exec", .facts = "programs begun later",
			.group = BEGIN, .takes = { "task_struct" },
			.note = "since 4.15; without it their words are not heard"),
};

/* The first required hook of the plan whose facts no hook of the plan tells; NULL: none. */
static const struct uc_hook *plan_lacks(enum uc_plan plan)
{
	bool served[GROUPS] = { false };

	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (hooks[i].plans & 1U << plan && !hooks[i].err)
			served[hooks[i].group] = true;
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (hooks[i].plans & 1U << plan && hooks[i].required && !served[hooks[i].group])
			return &hooks[i];
	return NULL;
}

static enum uc_hook_use use_of(const struct uc_hook *h, enum uc_plan plan, bool served[GROUPS])
{
	if (h->err)
		return h->err == -ENOENT ? UC_HOOK_MISSING : UC_HOOK_REFUSED;
	if (!(h->plans & 1U << plan) || served[h->group])
		return UC_HOOK_SPARE;
	served[h->group] = true;
	served[h->covers] = true;
	return UC_HOOK_USED;
}

static void choose(struct uc_hooks *h, enum uc_plan plan)
{
	bool served[GROUPS] = { false };

	h->plan = plan;
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		hooks[i].use = use_of(&hooks[i], plan, served);
}

bool uc_hooks_next(struct uc_hooks *h, enum uc_plan wanted)
{
	for (enum uc_plan plan = h->plan + 1; plan < UC_PLAN_MAX; plan++) {
		if (h->lacks[plan] || !uc_plan_is(plan, wanted))
			continue;
		choose(h, plan);
		return true;
	}
	return false;
}

const struct uc_hook *uc_hooks_table(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(hooks);
	return hooks;
}

void uc_hooks_judge(int (*try)(void *ctx, struct uc_hook *h), void *ctx, enum uc_plan wanted,
		    struct uc_hooks *ret)
{
	*ret = (struct uc_hooks){ .hooks = hooks, .count = ARRAY_SIZE(hooks) };
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		hooks[i].err = try(ctx, &hooks[i]);
	for (enum uc_plan plan = UC_PLAN_AUTO + 1; plan < UC_PLAN_MAX; plan++)
		ret->lacks[plan] = plan_lacks(plan);
	choose(ret, UC_PLAN_AUTO);
	uc_hooks_next(ret, wanted);
}

bool uc_hooks_uses(const struct uc_hooks *h, const char *program)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct uc_hook *hook = &h->hooks[i];

		if (hook->use != UC_HOOK_USED || !hook->program)
			continue;
		if (!strcmp(hook->program, program) ||
		    (hook->companion && !strcmp(hook->companion, program)))
			return true;
	}
	return false;
}

/* Of include/linux/errno.h, and in no header for userspace: this architecture cannot do it. */
#define ENOTSUPP 524

const char *uc_hook_refusal(int err)
{
	if (err == -ENOTSUPP)
		return "not supported by this kernel (ENOTSUPP)";
	return err == -EPERM || err == -EACCES ? "refused by this host (EPERM)" : strerror(-err);
}

const char *uc_hook_lack(const struct uc_hook *lack, char *buf, size_t size)
{
	if (lack->err == -ENOENT)
		snprintf(buf, size, "%s is not in this kernel (%s)", lack->section, lack->note);
	else
		snprintf(buf, size, "%s is %s", lack->section, uc_hook_refusal(lack->err));
	return buf;
}
