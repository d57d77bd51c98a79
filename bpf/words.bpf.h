/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nginx's own words. Every line of its error log is made by
 * ngx_log_error_core(level, log, err, fmt, ...), which is called only where the
 * line is to be written: healthy traffic never comes here. What is read is
 * nginx's memory: bounded, and nothing follows from it but a record.
 */
#ifndef UPCLOSE_WORDS_BPF_H
#define UPCLOSE_WORDS_BPF_H

#include <bpf/bpf_tracing.h>

#include "kernel.bpf.h"
#include "maps.bpf.h"
#include "ship.bpf.h"
#include "task.bpf.h"
#include "worker.bpf.h"

/* NGX_LOG_INFO of src/core/ngx_log.h; debug lines come by the thousand */
#define NGX_LOG_INFO 7

#define PAGE_BYTES 4096

/* The beginning of struct ngx_log_s (src/core/ngx_log.h), the same since 1.9. */
struct ngx_log {
	u64 log_level;
	u64 file;
	u64 connection;
	u64 disk_full_time;
	u64 handler;
	u64 data;
	u64 writer;
	u64 wdata;
	u64 action;
};

/* Waiting: for a page that is not in memory, as that of a string at its first use. */
static __always_inline long copy_user(void *to, u32 size, u64 from, const bool waiting)
{
	if (waiting)
		return bpf_copy_from_user(to, size, (void *)from);
	return bpf_probe_read_user(to, size, (void *)from);
}

/* A string's end is looked for by userspace; it may lie just before memory that is not there. */
static __always_inline long copy_string(char *to, const u32 size, u64 from, const bool waiting)
{
	u32 left = PAGE_BYTES - (from & (PAGE_BYTES - 1));

	if (!copy_user(to, size, from, waiting))
		return 0;
	barrier_var(left);
	if (left >= size)
		return -1;
	return copy_user(to, left, from, waiting);
}

static __always_inline int on_words(u32 level, u64 from, s32 err, u64 fmt, const bool waiting)
{
	u64 id = bpf_get_current_pid_tgid();
	struct uc_rec_words rec = {};
	struct ngx_log log = {};
	struct worker *w;

	if (level > NGX_LOG_INFO || !task_is_nginx(current_task()))
		return 0;
	rec.hdr.version = UC_WIRE_VERSION;
	rec.hdr.kind = UC_REC_WORDS;
	rec.hdr.size = sizeof(rec);
	rec.hdr.ts_ns = bpf_ktime_get_ns();
	rec.worker = id >> 32;
	rec.tid = id;
	rec.level = level;
	rec.err = err;
	if (copy_user(&log, sizeof(log), from, waiting) ||
	    copy_string(rec.format, sizeof(rec.format), fmt, waiting) ||
	    (log.action && copy_string(rec.action, sizeof(rec.action), log.action, waiting)))
		count_lost(UC_LOST_WORDS);
	/* the flags of single debug messages are above */
	rec.log_level = log.log_level & 0xf;
	rec.client = log.connection;
	w = worker_of(rec.worker);
	rec.read_id = w ? w->read_id : 0;
	if (bpf_ringbuf_output(&uc_ring, &rec, sizeof(rec), 0))
		count_lost(UC_LOST_RING_FULL);
	return 0;
}

/* A program that may be nginx begins: userspace looks whether its words are heard. */
static __always_inline void on_exec(struct task_struct *task)
{
	struct uc_task t = {};

	if (!task_is_nginx(task))
		return;
	task_fill(&t, task);
	ship_proc(&t, UC_REC_EXEC);
}

SEC("uprobe.s")
int BPF_KPROBE(uc_words_wait, u64 level, u64 log, u64 err, u64 fmt)
{
	return on_words(level, log, err, fmt, true);
}

SEC("uprobe")
int BPF_KPROBE(uc_words, u64 level, u64 log, u64 err, u64 fmt)
{
	return on_words(level, log, err, fmt, false);
}

#endif
