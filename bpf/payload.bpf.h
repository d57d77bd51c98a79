/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The first and last bytes of what a system call sent or received, from the
 * caller's own buffer: the length tracepoints fire inside the call, where the
 * task's saved user registers still hold the call's number and arguments.
 */
#ifndef UPCLOSE_PAYLOAD_BPF_H
#define UPCLOSE_PAYLOAD_BPF_H

#include "kernel.bpf.h"
#include "maps.bpf.h"

#if defined(__TARGET_ARCH_x86)
enum {
	NR_READ = 0,
	NR_WRITE = 1,
	NR_READV = 19,
	NR_WRITEV = 20,
	NR_SENDTO = 44,
	NR_RECVFROM = 45,
	NR_SENDMSG = 46,
	NR_RECVMSG = 47
};
#define REGS_NR(r)      ((u32)READ(r, orig_ax))
#define REGS_ARG2(r)    READ(r, si)
#define REGS_ARG3(r)    READ(r, dx)
#define REGS_ARG4(r)    READ(r, r10)
#define REGS_OF_USER(r) ((READ(r, cs) & 3) == 3)
#elif defined(__TARGET_ARCH_arm64)
enum {
	NR_READ = 63,
	NR_WRITE = 64,
	NR_READV = 65,
	NR_WRITEV = 66,
	NR_SENDTO = 206,
	NR_RECVFROM = 207,
	NR_SENDMSG = 211,
	NR_RECVMSG = 212
};
#define REGS_NR(r)      ((u32)READ(r, syscallno))
#define REGS_ARG2(r)    READ(r, regs[1])
#define REGS_ARG3(r)    READ(r, regs[2])
#define REGS_ARG4(r)    READ(r, regs[3])
#define REGS_OF_USER(r) (!(READ(r, pstate) & 0xf)) /* EL0 */
#else
#error "system call numbers and registers are known for x86 and arm64"
#endif

#define STACK_PADDING 16 /* above the registers, on x86 kernels with CONFIG_X86_FRED (6.9) */
#define MAX_IOVECS    16

/* The user's layouts, fixed by the ABI. */
struct user_iovec {
	u64 base;
	u64 len;
};

struct user_msghdr {
	u64 name;
	u64 namelen;
	u64 iov;
	u64 iovlen;
};

/* Either one buffer (iovecs == 0) or an array of them. */
struct user_buf {
	u64 base;
	u64 len;
	u64 iov;
	u32 iovecs;
};

#ifdef UC_LEGACY
/*
 * bpf_task_pt_regs() came with 5.15. What it answers is the end of the task's kernel
 * stack on both architectures; where that is not so, the registers are not a user's.
 */
static __always_inline struct pt_regs *user_regs(void)
{
	struct task_struct *task;
	struct pt_regs *regs;

	if (cfg.task_pt_regs)
		return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	task = current_task();
	regs = READ(task, stack) + cfg.stack_bytes - bpf_core_type_size(struct pt_regs);
	if (!REGS_OF_USER(regs))
		regs = (void *)regs - STACK_PADDING;
	return REGS_OF_USER(regs) ? regs : 0;
}
#else
static __always_inline struct pt_regs *user_regs(void)
{
	return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}
#endif

/* The flags of the receiving call of the current task. */
static __always_inline u32 user_recv_flags(void)
{
	struct pt_regs *regs = user_regs();

	switch (regs ? REGS_NR(regs) : ~0U) {
	case NR_RECVFROM:
		return REGS_ARG4(regs);
	case NR_RECVMSG:
		return REGS_ARG3(regs);
	default:
		return 0;
	}
}

static __always_inline int user_buf_get(struct user_buf *b)
{
	struct pt_regs *regs = user_regs();
	struct user_msghdr msg;
	u64 arg2, arg3;

	if (!regs)
		return -1;
	arg2 = REGS_ARG2(regs);
	arg3 = REGS_ARG3(regs);
	b->iovecs = 0;
	switch (REGS_NR(regs)) {
	case NR_READ:
	case NR_WRITE:
	case NR_SENDTO:
	case NR_RECVFROM:
		b->base = arg2;
		b->len = arg3;
		return 0;
	case NR_READV:
	case NR_WRITEV:
		b->iov = arg2;
		b->iovecs = arg3;
		break;
	case NR_SENDMSG:
	case NR_RECVMSG:
		if (bpf_probe_read_user(&msg, sizeof(msg), (void *)arg2))
			return -1;
		b->iov = msg.iov;
		b->iovecs = msg.iovlen;
		break;
	default: /* sendfile, splice, io_uring: no buffer of the caller's */
		return -1;
	}
	if (!b->iovecs)
		return -1;
	/* the first buffer that is not empty */
	for (u32 i = 0; i < 4 && i < b->iovecs; i++) {
		struct user_iovec v;

		if (bpf_probe_read_user(&v, sizeof(v), (void *)(b->iov + i * sizeof(v))))
			return -1;
		if (v.len) {
			b->base = v.base;
			b->len = v.len;
			return 0;
		}
	}
	return -1;
}

/* Where the last of n bytes lies, and how many bytes before it (itself included) lie with it. */
static __always_inline int user_buf_end(const struct user_buf *b, u32 n, u64 *ret_end, u32 *ret_run)
{
	u64 left = n;

	if (!b->iovecs) {
		*ret_end = b->base + n;
		*ret_run = n;
		return 0;
	}
	for (u32 i = 0; i < MAX_IOVECS && i < b->iovecs; i++) {
		struct user_iovec v;

		if (bpf_probe_read_user(&v, sizeof(v), (void *)(b->iov + i * sizeof(v))))
			return -1;
		if (left <= v.len) {
			*ret_end = v.base + left;
			*ret_run = left;
			return 0;
		}
		left -= v.len;
	}
	return -1;
}

/*
 * clang may test the lower half of a length and pass on the whole of it, and the
 * verifier of 6.1 loses the bound then: barrier_var() hides from clang that the
 * upper half is zero.
 */
static __always_inline void request_head_read(struct uc_heads *h, const struct user_buf *b, u32 n)
{
	u64 len = n;

	if (len > b->len)
		len = b->len;
	barrier_var(len);
	if (len > UC_REQUEST_HEAD)
		len = UC_REQUEST_HEAD;
	if (bpf_probe_read_user(h->request, len, (void *)b->base)) {
		count_lost(UC_LOST_REQUEST_HEAD);
		len = 0;
	}
	h->request_len = len;
}

static __always_inline void response_tail_read(struct uc_heads *h, const struct user_buf *b, u32 n)
{
	u64 end, old, new = 0;
	u32 run;

	if (user_buf_end(b, n, &end, &run)) {
		h->tail_len = 0;
		return;
	}
	if (run > UC_RESPONSE_TAIL)
		run = UC_RESPONSE_TAIL;
	if (!run || bpf_probe_read_user(&new, run, (void *)(end - run))) {
		h->tail_len = 0;
		return;
	}
	if (run == UC_RESPONSE_TAIL || run < n) {
		/* older bytes are overwritten, or are not its neighbours */
		*(u64 *)h->tail = new << (8 * (UC_RESPONSE_TAIL - run));
		h->tail_len = run;
		return;
	}
	old = *(u64 *)h->tail;
	*(u64 *)h->tail = (old >> (8 * run)) | (new << (8 * (UC_RESPONSE_TAIL - run)));
	h->tail_len += run;
	if (h->tail_len > UC_RESPONSE_TAIL)
		h->tail_len = UC_RESPONSE_TAIL;
}

/*
 * The verifier does not see that off + len stays below a sum, so each range of
 * off has a constant bound of its own.
 */
static __always_inline u32 response_room(u32 off)
{
	if (!off)
		return UC_RESPONSE_HEAD;
	if (off <= 512)
		return UC_RESPONSE_HEAD - 512;
	if (off <= 1024)
		return UC_RESPONSE_HEAD - 1024;
	if (off <= 1536)
		return UC_RESPONSE_HEAD - 1536;
	if (off <= 2048)
		return UC_RESPONSE_HEAD - 2048;
	if (off <= 2560)
		return UC_RESPONSE_HEAD - 2560;
	if (off <= 3072)
		return UC_RESPONSE_HEAD - 3072;
	return 0;
}

/* Appends to the kept head; once bytes were left out, only the tail moves on. */
static __always_inline void response_head_read(struct uc_heads *h, u32 n)
{
	struct user_buf b = {};
	u64 off = h->response_len, len = n;
	u32 room;

	if (user_buf_get(&b)) {
		count_lost(UC_LOST_RESPONSE_HEAD);
		h->response_gap = 1;
		h->tail_len = 0;
		return;
	}
	room = h->response_gap ? 0 : response_room(off);
	if (len > b.len)
		len = b.len;
	barrier_var(len);
	if (len > room)
		len = room;
	/* always true, and said again: what was known of off is lost where clang spilled it */
	barrier_var(off);
	if (len && off <= UC_RESPONSE_HEAD - room) {
		if (bpf_probe_read_user(&h->response[off], len, (void *)b.base)) {
			count_lost(UC_LOST_RESPONSE_HEAD);
			len = 0;
		}
		h->response_len += len;
	}
	if (len < n) {
		h->response_gap = 1;
		response_tail_read(h, &b, n);
	}
}

#endif
