/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/hooks.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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
	WHOLE,
	RETRANSMIT,
	EXIT,
	ADOPT,
	WALK,
	GROUPS
};

/* The plans of each object: upclose.bpf.c and legacy.bpf.c. */
#define TRACEPOINT (1U << UC_PLAN_TRACEPOINT)
#define KPROBE     (1U << UC_PLAN_KPROBE)
#define FENTRY     (1U << UC_PLAN_FENTRY | 1U << UC_PLAN_FENTRY_OLD)
#define BTF_TYPED  (1U << UC_PLAN_TRACEPOINT | 1U << UC_PLAN_FENTRY)
#define PORTABLE   (1U << UC_PLAN_FENTRY_OLD | 1U << UC_PLAN_KPROBE)
#define ANY        (BTF_TYPED | PORTABLE)

/* Debian's and Ubuntu's kernels know levels above 2, which CAP_PERFMON does not lift. */
#define KPROBE_NOTE \
	"where kprobes are allowed; kernel.perf_event_paranoid above 2 asks for CAP_SYS_ADMIN"

static struct uc_hook hooks[] = {
	{ .facts = "open, FIN, close, far end",
	  .section = "tp_btf/inet_sock_set_state",
	  .program = "uc_set_state",
	  .plans = BTF_TYPED,
	  .group = STATE,
	  .required = true,
	  .note = "since 4.16" },
	{ .facts = "the same, interrupted",
	  .section = "tp_btf/inet_sock_set_state",
	  .program = "uc_set_state_2",
	  .plans = BTF_TYPED,
	  .group = STATE_TOO,
	  .note = "since 4.16; takes what comes while the first one runs" },
	{ .facts = "open, FIN, close, far end",
	  .section = "raw_tp/inet_sock_set_state",
	  .program = "uc_set_state",
	  .plans = PORTABLE,
	  .group = STATE,
	  .required = true,
	  .note = "since 4.16" },
	{ .facts = "the same, interrupted",
	  .section = "raw_tp/inet_sock_set_state",
	  .program = "uc_set_state_2",
	  .plans = PORTABLE,
	  .group = STATE_TOO,
	  .note = "since 4.16; takes what comes while the first one runs" },
	{ .facts = "reset",
	  .section = "tp_btf/tcp_receive_reset",
	  .program = "uc_reset",
	  .plans = BTF_TYPED,
	  .group = RESET,
	  .required = true,
	  .note = "since 4.15" },
	{ .facts = "reset",
	  .section = "raw_tp/tcp_receive_reset",
	  .program = "uc_reset",
	  .plans = PORTABLE,
	  .group = RESET,
	  .required = true,
	  .note = "since 4.15" },
	{ .facts = "close",
	  .section = "tp_btf/tcp_destroy_sock",
	  .program = "uc_destroy",
	  .plans = BTF_TYPED,
	  .group = DESTROY,
	  .required = true,
	  .note = "since 4.15" },
	{ .facts = "the same, interrupted",
	  .section = "tp_btf/tcp_destroy_sock",
	  .program = "uc_destroy_2",
	  .plans = BTF_TYPED,
	  .group = DESTROY_TOO,
	  .note = "since 4.15; takes what comes while the first one runs" },
	{ .facts = "close",
	  .section = "raw_tp/tcp_destroy_sock",
	  .program = "uc_destroy",
	  .plans = PORTABLE,
	  .group = DESTROY,
	  .required = true,
	  .note = "since 4.15" },
	{ .facts = "the same, interrupted",
	  .section = "raw_tp/tcp_destroy_sock",
	  .program = "uc_destroy_2",
	  .plans = PORTABLE,
	  .group = DESTROY_TOO,
	  .note = "since 4.15; takes what comes while the first one runs" },
	{ .facts = "send, payload",
	  .section = "tp_btf/sock_send_length",
	  .program = "uc_send",
	  .plans = TRACEPOINT,
	  .group = SEND,
	  .covers = SENDFILE,
	  .required = true,
	  .note = "since 6.3" },
	{ .facts = "send, payload",
	  .section = "fexit/tcp_sendmsg",
	  .program = "uc_send_fexit",
	  .plans = FENTRY,
	  .group = SEND,
	  .required = true,
	  .note = "since 5.5 (arm64: 6.4), where BPF trampolines are allowed" },
	{ .facts = "send, payload",
	  .section = "kretprobe/tcp_sendmsg",
	  .program = "uc_send_return",
	  .companion = "uc_send_enter",
	  .plans = KPROBE,
	  .group = SEND,
	  .required = true,
	  .note = KPROBE_NOTE },
	{ .facts = "send (sendfile)",
	  .section = "fexit/tcp_sendpage",
	  .program = "uc_sendpage",
	  .plans = FENTRY,
	  .group = SENDFILE,
	  .note = "until 6.4; later sendfile is a send" },
	{ .facts = "send (sendfile)",
	  .section = "kretprobe/tcp_sendpage",
	  .program = "uc_page_return",
	  .companion = "uc_page_enter",
	  .plans = KPROBE,
	  .group = SENDFILE,
	  .note = "until 6.4; later sendfile is a send" },
	{ .facts = "receive, payload",
	  .section = "tp_btf/sock_recv_length",
	  .program = "uc_recv",
	  .plans = TRACEPOINT,
	  .group = RECEIVE,
	  .required = true,
	  .note = "since 6.3" },
	{ .facts = "receive, payload",
	  .section = "fexit/tcp_recvmsg",
	  .program = "uc_recv_fexit",
	  .plans = FENTRY,
	  .group = RECEIVE,
	  .required = true,
	  .note = "since 5.5 (arm64: 6.4), where BPF trampolines are allowed" },
	{ .facts = "receive, payload",
	  .section = "kprobe/tcp_cleanup_rbuf",
	  .program = "uc_recv_probe",
	  .plans = KPROBE,
	  .group = RECEIVE,
	  .required = true,
	  .note = KPROBE_NOTE },
	{ .facts = "payload",
	  .section = "helper/bpf_task_pt_regs",
	  .plans = BTF_TYPED,
	  .group = CALLER,
	  .required = true,
	  .note = "since 5.15; before, registers are found on the task's stack" },
	{ .facts = "no call left out",
	  .section = "kfunc/bpf_preempt_disable",
	  .plans = TRACEPOINT,
	  .group = WHOLE,
	  .note = "since 6.10; before, tracepoints are not preempted" },
	{ .facts = "retransmits",
	  .section = "tp_btf/tcp_retransmit_skb",
	  .program = "uc_retransmit",
	  .plans = BTF_TYPED,
	  .group = RETRANSMIT,
	  .note = "since 4.15; without it no count of repeated segments" },
	{ .facts = "retransmits",
	  .section = "raw_tp/tcp_retransmit_skb",
	  .program = "uc_retransmit",
	  .plans = PORTABLE,
	  .group = RETRANSMIT,
	  .note = "since 4.15; without it no count of repeated segments" },
	{ .facts = "exit after a close",
	  .section = "tp_btf/sched_process_exit",
	  .program = "uc_exit",
	  .plans = BTF_TYPED,
	  .group = EXIT,
	  .note = "since 4.15; without it an end that follows a close is not seen" },
	{ .facts = "exit after a close",
	  .section = "raw_tp/sched_process_exit",
	  .program = "uc_exit",
	  .plans = PORTABLE,
	  .group = EXIT,
	  .note = "since 4.15; without it an end that follows a close is not seen" },
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
	  .note = "since 5.7; without it only connections opened from now on are seen" },
	{ .facts = "open and waiting now",
	  .section = "iter/bpf_sk_storage_map",
	  .program = "uc_walk",
	  .plans = BTF_TYPED,
	  .group = WALK,
	  .note = "since 5.9; without it the metrics lack open connections and waiting requests" },
	{ .facts = "open and waiting now",
	  .section = "iter/bpf_map_elem",
	  .program = "uc_walk",
	  .plans = PORTABLE,
	  .group = WALK,
	  .note = "since 5.9; without it the metrics lack open connections and waiting requests" },
};

/* r0 = 0; exit */
static int load_nothing(enum bpf_prog_type type, struct bpf_prog_load_opts *opts)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(type, "uc_try", "GPL", insns, 2, opts);
}

/* Closes both; what attaching came to. */
static int attached(int prog, int link)
{
	close(prog);
	if (link < 0)
		return link;
	close(link);
	return 0;
}

static unsigned arg_count(const struct btf *btf, int func_id)
{
	return btf_vlen(btf__type_by_id(btf, btf__type_by_id(btf, func_id)->type));
}

/* By a type of the kernel: its id is what the program is loaded for. */
static int try_typed(const struct btf *btf, struct uc_hook *h, const char *prefix, const char *name,
		     int kind, enum bpf_attach_type attach)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach);
	char type[128];
	int id, prog, link;

	snprintf(type, sizeof(type), "%s%s", prefix, name);
	id = btf ? btf__find_by_name_kind(btf, type, kind) : -ENOENT;
	if (id < 0)
		return -ENOENT;
	if (kind == BTF_KIND_FUNC)
		h->args = arg_count(btf, id);
	if (!h->program)
		return 0;
	opts.attach_btf_id = id;
	prog = load_nothing(BPF_PROG_TYPE_TRACING, &opts);
	if (prog < 0)
		return prog;
	if (attach != BPF_TRACE_ITER)
		return attached(prog, bpf_raw_tracepoint_open(NULL, prog));
	link = bpf_link_create(prog, 0, attach, NULL);
	/* what walks over a map says so where it only lacked the map */
	link = attached(prog, link);
	return link == -EBADF ? 0 : link;
}

static int try_tp_btf(const struct btf *btf, struct uc_hook *h, const char *name)
{
	return try_typed(btf, h, "btf_trace_", name, BTF_KIND_TYPEDEF, BPF_TRACE_RAW_TP);
}

static int try_fexit(const struct btf *btf, struct uc_hook *h, const char *name)
{
	return try_typed(btf, h, "", name, BTF_KIND_FUNC, BPF_TRACE_FEXIT);
}

static int try_iter(const struct btf *btf, struct uc_hook *h, const char *name)
{
	return try_typed(btf, h, "bpf_iter_", name, BTF_KIND_FUNC, BPF_TRACE_ITER);
}

static int try_raw_tp(const struct btf *btf, struct uc_hook *h, const char *name)
{
	int prog = load_nothing(BPF_PROG_TYPE_RAW_TRACEPOINT, NULL);

	(void)btf;
	(void)h;
	return prog < 0 ? prog : attached(prog, bpf_raw_tracepoint_open(name, prog));
}

/* The first number in a file of sysfs, or a negative errno. */
static int read_number(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[64] = "";
	const char *digits;

	if (!f)
		return -errno;
	digits = fgets(line, sizeof(line), f) ? strpbrk(line, "0123456789") : NULL;
	fclose(f);
	return digits ? (int)strtol(digits, NULL, 10) : -EINVAL;
}

static int perf_probe(const char *function, bool on_return)
{
	struct perf_event_attr attr = { .size = sizeof(attr) };
	int type = read_number("/sys/bus/event_source/devices/kprobe/type"), bit = 0, fd;

	if (on_return)
		bit = read_number("/sys/bus/event_source/devices/kprobe/format/retprobe");
	if (type < 0 || bit < 0)
		return type < 0 ? type : bit;
	attr.type = type;
	attr.config = on_return ? 1ULL << bit : 0;
	attr.kprobe_func = (uintptr_t)function;
	fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int try_probe(const char *function, bool on_return)
{
	int prog = load_nothing(BPF_PROG_TYPE_KPROBE, NULL);

	return prog < 0 ? prog : attached(prog, perf_probe(function, on_return));
}

static int try_kprobe(const struct btf *btf, struct uc_hook *h, const char *name)
{
	(void)btf;
	(void)h;
	return try_probe(name, false);
}

static int try_kretprobe(const struct btf *btf, struct uc_hook *h, const char *name)
{
	(void)btf;
	(void)h;
	return try_probe(name, true);
}

static int try_helper(const struct btf *btf, struct uc_hook *h, const char *name)
{
	return try_typed(btf, h, "", name, BTF_KIND_FUNC, 0);
}

static const struct {
	const char *prefix; /* of the section */
	int (*try)(const struct btf *btf, struct uc_hook *h, const char *name);
} kinds[] = {
	{ "tp_btf/", try_tp_btf },       { "raw_tp/", try_raw_tp }, { "fexit/", try_fexit },
	{ "kretprobe/", try_kretprobe }, { "kprobe/", try_kprobe }, { "iter/", try_iter },
	{ "helper/", try_helper },       { "kfunc/", try_helper },
};

static int try_hook(const struct btf *btf, struct uc_hook *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = strlen(kinds[i].prefix);

		if (!strncmp(h->section, kinds[i].prefix, n))
			return kinds[i].try(btf, h, h->section + n);
	}
	return -ENOENT;
}

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

static int try_here(void *ctx, struct uc_hook *h)
{
	return try_hook(ctx, h);
}

void uc_hooks_try(const struct btf *kernel_btf, enum uc_plan wanted, struct uc_hooks *ret)
{
	uc_hooks_judge(try_here, (void *)kernel_btf, wanted, ret);
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
