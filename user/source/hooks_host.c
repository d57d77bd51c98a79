/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/hooks.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

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

/*
 * Whether uprobes are allowed, without one: the kernel asks for the right to them before it
 * finds that no file is named (perf_uprobe_event_init). Since 6.16, and in the stable
 * kernels of that time, that right is CAP_SYS_ADMIN (ba677dbe77af); before it was
 * CAP_PERFMON. Each program of nginx is another matter.
 */
static int try_uprobe_as(unsigned flags)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = flags);
	int prog, fd, type = read_number("/sys/bus/event_source/devices/uprobe/type");
	struct perf_event_attr nameless = { .size = sizeof(nameless), .type = type };

	if (type < 0)
		return type;
	prog = load_nothing(BPF_PROG_TYPE_KPROBE, &opts);
	if (prog < 0)
		return flags && prog == -EINVAL ? -ENOENT : prog;
	fd = syscall(SYS_perf_event_open, &nameless, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd >= 0)
		return attached(prog, fd);
	fd = -errno;
	close(prog);
	return fd == -EINVAL ? 0 : fd;
}

static int try_uprobe(const struct btf *btf, struct uc_hook *h, const char *name)
{
	(void)btf;
	(void)h;
	(void)name;
	return try_uprobe_as(0);
}

static int try_uprobe_waiting(const struct btf *btf, struct uc_hook *h, const char *name)
{
	(void)btf;
	(void)h;
	(void)name;
	return try_uprobe_as(BPF_F_SLEEPABLE);
}

static int try_helper(const struct btf *btf, struct uc_hook *h, const char *name)
{
	return try_typed(btf, h, "", name, BTF_KIND_FUNC, 0);
}

static const struct {
	const char *prefix; /* of the section */
	int (*try)(const struct btf *btf, struct uc_hook *h, const char *name);
} kinds[] = {
	{ "tp_btf/", try_tp_btf },           { "raw_tp/", try_raw_tp }, { "fexit/", try_fexit },
	{ "kretprobe/", try_kretprobe },     { "kprobe/", try_kprobe }, { "iter/", try_iter },
	{ "helper/", try_helper },           { "kfunc/", try_helper },  { "uprobe/", try_uprobe },
	{ "uprobe.s/", try_uprobe_waiting },
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

static int try_here(void *ctx, struct uc_hook *h)
{
	return try_hook(ctx, h);
}

/* Root in a container may lack it, too. */
static bool may_bpf(void)
{
	return geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_BPF) == 1;
}

/* With CAP_BPF the kernel knows no such command; whoever forbids it did not let the kernel look. */
static bool filtered(void)
{
	return may_bpf() && syscall(SYS_bpf, 0x7fffffff, NULL, 0) < 0 && errno == EPERM;
}

/* Says why tracing is impossible, and what to do; 0 when it is possible. */
static int plan_check(const struct uc_hooks *h, enum uc_plan wanted, bool btf)
{
	const struct uc_hook *worst = NULL;
	char text[256];

	if (h->plan != UC_PLAN_AUTO)
		return 0;
	for (enum uc_plan plan = UC_PLAN_AUTO + 1; plan < UC_PLAN_MAX; plan++)
		if (uc_plan_is(plan, wanted) && (!worst || worst->err == -ENOENT))
			worst = h->lacks[plan];
	if (worst->err == -EPERM && !may_bpf()) {
		uc_error("the kernel refused %s: run as root, or with CAP_BPF, CAP_PERFMON and "
			 "CAP_SYS_RESOURCE",
			 worst->section);
		return worst->err;
	}
	if (worst->err == -EPERM && filtered()) {
		uc_error(
			"a filter of system calls (seccomp) refuses bpf(2), as older runtimes of containers do: "
			"run with '--security-opt seccomp=unconfined', in Kubernetes with "
			"'seccompProfile: {type: Unconfined}', or with a profile that allows bpf and "
			"perf_event_open");
		return worst->err;
	}
	uc_error("this host allows no %s: %s; see 'upclose hooks'",
		 wanted == UC_PLAN_AUTO ? "usable set of hooks" : "such plan",
		 uc_hook_lack(worst, text, sizeof(text)));
	if (!btf)
		uc_note("without BTF in the kernel only the plan 'kprobe' is possible");
	return worst->err == -ENOENT ? -ENOTSUP : worst->err;
}

__attribute__((format(printf, 2, 0))) static int libbpf_says(enum libbpf_print_level level,
							     const char *fmt, va_list args)
{
	if (uc_log_verbosity < 2 || (level == LIBBPF_DEBUG && uc_log_verbosity < 3))
		return 0;
	return vfprintf(stderr, fmt, args);
}

int uc_hooks_find(const char *btf_path, enum uc_plan wanted, struct uc_hooks *ret)
{
	struct btf *btf;
	int err;

	libbpf_set_print(libbpf_says);
	btf = btf_path ? NULL : btf__load_vmlinux_btf();
	if (!btf && !btf_path) {
		uc_error(
			"this kernel has no BTF (/sys/kernel/btf/vmlinux), as the kernels of Debian "
			"11, Ubuntu 20.10, RHEL 8.2 and later have");
		uc_note("give its types by --btf FILE: from BTFHub (" UC_BTFHUB
			"), or by 'pahole -J' "
			"from its debug package");
		return -ENOTSUP;
	}
	uc_hooks_judge(try_here, btf, wanted, ret);
	err = plan_check(ret, wanted, btf);
	btf__free(btf);
	return err;
}
