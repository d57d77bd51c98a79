/* SPDX-License-Identifier: BSD-2-Clause */
#include "hooks.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum group {
	NONE,
	STATE,
	RESET,
	DESTROY,
	SEND,
	SENDFILE,
	RECEIVE,
	CALLER,
	RETRANSMIT,
	EXIT,
	ADOPT,
	WALK,
	GROUPS
};

static struct uc_hook hooks[] = {
	{ .facts = "open, FIN, close, far end",
	  .section = "tp_btf/inet_sock_set_state",
	  .program = "uc_set_state",
	  .group = STATE,
	  .required = true,
	  .note = "since 4.16" },
	{ .facts = "reset",
	  .section = "tp_btf/tcp_receive_reset",
	  .program = "uc_reset",
	  .group = RESET,
	  .required = true,
	  .note = "since 4.15" },
	{ .facts = "close",
	  .section = "tp_btf/tcp_destroy_sock",
	  .program = "uc_destroy",
	  .group = DESTROY,
	  .required = true,
	  .note = "since 4.15" },
	{ .facts = "send, payload",
	  .section = "tp_btf/sock_send_length",
	  .program = "uc_send",
	  .group = SEND,
	  .covers = SENDFILE,
	  .required = true,
	  .note = "since 6.3" },
	{ .facts = "send, payload",
	  .section = "fexit/tcp_sendmsg",
	  .program = "uc_send_fexit",
	  .group = SEND,
	  .required = true,
	  .note = "since 5.5, where BPF trampolines are allowed" },
	{ .facts = "send (sendfile)",
	  .section = "fexit/tcp_sendpage",
	  .program = "uc_sendpage",
	  .group = SENDFILE,
	  .note = "until 6.4; later sendfile is a send" },
	{ .facts = "receive, payload",
	  .section = "tp_btf/sock_recv_length",
	  .program = "uc_recv",
	  .group = RECEIVE,
	  .required = true,
	  .note = "since 6.3" },
	{ .facts = "receive, payload",
	  .section = "fexit/tcp_recvmsg",
	  .program = "uc_recv_fexit",
	  .group = RECEIVE,
	  .required = true,
	  .note = "since 5.5, where BPF trampolines are allowed" },
	{ .facts = "payload",
	  .section = "helper/bpf_task_pt_regs",
	  .group = CALLER,
	  .required = true,
	  .note = "since 5.15" },
	{ .facts = "retransmits",
	  .section = "tp_btf/tcp_retransmit_skb",
	  .program = "uc_retransmit",
	  .group = RETRANSMIT,
	  .note = "since 4.15; without it no count of repeated segments" },
	{ .facts = "exit after a close",
	  .section = "tp_btf/sched_process_exit",
	  .program = "uc_exit",
	  .group = EXIT,
	  .note = "since 4.15; without it an end that follows a close is not seen" },
	{ .facts = "adoption",
	  .section = "iter/task_file",
	  .program = "uc_adopt",
	  .group = ADOPT,
	  .note = "since 5.8; without it only connections opened from now on are seen" },
	{ .facts = "open and waiting now",
	  .section = "iter/bpf_sk_storage_map",
	  .program = "uc_walk",
	  .group = WALK,
	  .note = "since 5.9; without it the metrics lack open connections and waiting requests" },
};

#define COUNT (sizeof(hooks) / sizeof(hooks[0]))

static const struct {
	const char *prefix;     /* of the section */
	const char *btf_prefix; /* of the kernel's type */
	int btf_kind;
	enum bpf_attach_type attach;
} kinds[] = {
	{ "tp_btf/", "btf_trace_", BTF_KIND_TYPEDEF, BPF_TRACE_RAW_TP },
	{ "fexit/", "", BTF_KIND_FUNC, BPF_TRACE_FEXIT },
	{ "iter/", "bpf_iter_", BTF_KIND_FUNC, BPF_TRACE_ITER },
	{ "helper/", "", BTF_KIND_FUNC, 0 },
};

/* 0, -ENOENT: the kernel lacks it, or how the host refused it. */
static int try_attach(int type_id, enum bpf_attach_type attach)
{
	/* r0 = 0; exit */
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach,
		    .attach_btf_id = type_id);
	int prog, link;

	prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "uc_try", "GPL", insns, 2, &opts);
	if (prog < 0)
		return prog;
	if (attach == BPF_TRACE_ITER)
		link = bpf_link_create(prog, 0, attach, NULL);
	else
		link = bpf_raw_tracepoint_open(NULL, prog);
	close(prog);
	/* bpf_iter_attach_map() says so where it only lacked the map */
	if (link == -EBADF && attach == BPF_TRACE_ITER)
		return 0;
	if (link < 0)
		return link;
	close(link);
	return 0;
}

static unsigned arg_count(const struct btf *btf, int func_id)
{
	return btf_vlen(btf__type_by_id(btf, btf__type_by_id(btf, func_id)->type));
}

static int try_hook(const struct btf *btf, struct uc_hook *h)
{
	char name[128];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i].prefix);
		int id;

		if (strncmp(h->section, kinds[i].prefix, n))
			continue;
		snprintf(name, sizeof(name), "%s%s", kinds[i].btf_prefix, h->section + n);
		id = btf ? btf__find_by_name_kind(btf, name, kinds[i].btf_kind) : -ENOENT;
		if (id < 0)
			return -ENOENT;
		if (kinds[i].btf_kind == BTF_KIND_FUNC)
			h->args = arg_count(btf, id);
		return h->program ? try_attach(id, kinds[i].attach) : 0;
	}
	return -ENOENT;
}

const struct uc_hook *uc_hooks_plan(const struct btf *kernel_btf, size_t *ret_count)
{
	bool served[GROUPS] = { false };

	for (size_t i = 0; i < COUNT; i++) {
		struct uc_hook *h = &hooks[i];

		h->err = try_hook(kernel_btf, h);
		if (h->err) {
			h->use = h->err == -ENOENT ? UC_HOOK_MISSING : UC_HOOK_REFUSED;
			continue;
		}
		h->use = served[h->group] ? UC_HOOK_SPARE : UC_HOOK_USED;
		served[h->group] = true;
		served[h->covers] = true;
	}
	*ret_count = COUNT;
	return hooks;
}
