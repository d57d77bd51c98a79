/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What userspace sets: before the BPF programs are loaded, and while they run. */
#ifndef UPCLOSE_CONTROL_H
#define UPCLOSE_CONTROL_H

#include "wire.h"

#define UC_MAX_COMMS 8
#define UC_MAX_PORTS 16
#define UC_RING_MIB  2 /* of the ring to userspace, unless asked otherwise */

/* Of the kernel; constant while the programs run. */
struct uc_control {
	__u32 recvmsg_args; /* arguments of tcp_recvmsg() */
	/* for legacy.bpf.c alone */
	__u32 task_pt_regs; /* bpf_task_pt_regs() can be called */
	__u32 stack_bytes;  /* of a task's kernel stack */
};

/* Which connections are followed; may change at any time. */
struct uc_selection {
	char comms[UC_MAX_COMMS][UC_COMM_LEN]; /* nginx's executables, padded with zeros */
	__u32 comm_count;
	__u32 port_count;          /* 0: all */
	__u16 ports[UC_MAX_PORTS]; /* of upstreams, host order */
} __attribute__((aligned(8)));

enum uc_adopt_pass { UC_ADOPT_LISTEN, UC_ADOPT_NGINX, UC_ADOPT_PEER, UC_ADOPT_PASSES };

struct uc_adoption {
	__u32 pass;  /* enum uc_adopt_pass, set before each; UC_ADOPT_PASSES: done */
	__u32 count; /* nginx's connections adopted */
};

#endif
