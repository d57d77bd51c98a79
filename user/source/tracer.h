/* SPDX-License-Identifier: BSD-2-Clause */
/* The live source. */
#ifndef UPCLOSE_TRACER_H
#define UPCLOSE_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.h"
#include "source/hearing.h"
#include "source/hooks.h"
#include "live.h"
#include "source/source.h"

#define UC_TRACER_MAX_COMMS UC_MAX_COMMS
#define UC_TRACER_MAX_PORTS UC_MAX_PORTS

struct uc_tracer_config {
	const char *comms[UC_TRACER_MAX_COMMS]; /* at most 15 bytes each */
	size_t comm_count;
	uint16_t ports[UC_TRACER_MAX_PORTS];
	size_t port_count;
	size_t ring_bytes; /* a power of two times the page size; 0: as built */
	enum uc_plan plan; /* that was asked for */
	/*
	 * The lowest level of the error logs of nginx under these names (4 error, 7 info), or
	 * 0: not known. Asked again for each program that begins. NULL: it is not known.
	 */
	unsigned (*error_level)(const char *const *comms, size_t comm_count);
	const char *btf_path; /* types of this kernel, in place of its own BTF; or NULL */
};

struct uc_tracer;

/*
 * Chooses hooks, loads, attaches, adopts. Says on standard error why it could
 * not, and what to do; returns a negative errno then and leaves *ret alone.
 * frames->record gets ring records from uc_tracer_poll.
 */
int uc_tracer_new(const struct uc_tracer_config *cfg, const struct uc_frames *frames,
		  struct uc_tracer **ret);
void uc_tracer_free(struct uc_tracer *t);

int uc_tracer_fd(const struct uc_tracer *t); /* readable when there are records */
int uc_tracer_poll(struct uc_tracer *t); /* hands on what is there: how many, or a negative errno */
/* As a source's hearing(): level 0 where it is not known of all programs. */
unsigned uc_tracer_hears(const struct uc_tracer *t);
/* Programs of nginx that were found, and whether their words are heard; NULL: no hook for them. */
const struct uc_program *uc_tracer_programs(const struct uc_tracer *t, size_t *ret_count);
/*
 * Keeps, in a process of its own, the right to hear programs that begin later; to
 * be called before this one gives it up. As uc_hearing_delegate(); 0 where nothing
 * is heard here.
 */
int uc_tracer_keep_hearing(struct uc_tracer *t, int (*confine)(void *ctx), void *ctx);
unsigned uc_tracer_adopted(const struct uc_tracer *t);
struct uc_losses uc_tracer_losses(const struct uc_tracer *t);

/*
 * Walks over the open connections and hands on the counts of each upstream
 * address, slot 0 (those without a slot of their own) included once it is in
 * use. *l is good during the call; the kernel side goes on counting in it.
 * Returns 0, or a negative errno where the walk is not possible: the counts
 * were handed on all the same, with open and waiting zero.
 */
int uc_tracer_each_live(struct uc_tracer *t, void (*one)(void *ctx, const struct uc_live *l),
			void *ctx);
/* The same without the walk: open and waiting are as old as the newest one. */
int uc_tracer_each_count(struct uc_tracer *t, void (*one)(void *ctx, const struct uc_live *l),
			 void *ctx);
uint64_t uc_tracer_live_folded(const struct uc_tracer *t); /* connections counted in slot 0 */

/*
 * Follows other processes and ports from now on (the rest of cfg is not read),
 * and adopts what they have open. Connections that are followed stay so.
 */
void uc_tracer_select(struct uc_tracer *t, const struct uc_tracer_config *cfg);

/* The plan of this host's hooks, with what became of each. */
const struct uc_hook *uc_tracer_hooks(const struct uc_tracer *t, size_t *ret_count);

/* May this process still read what it has opened? Capabilities may be gone meanwhile. */
bool uc_tracer_readable(const struct uc_tracer *t);

/* The name of a hook that should be attached and is not; NULL: all of them are. */
const char *uc_tracer_detached(const struct uc_tracer *t);

size_t uc_tracer_ring_bytes(const struct uc_tracer *t); /* its size */
/* Bytes in it that were not taken yet; 0 or a negative errno. */
int uc_tracer_ring_pending(const struct uc_tracer *t, size_t *ret);

/* Lets the kernel measure its BPF programs, all of them, until the tracer is freed. Negative errno. */
int uc_tracer_measure(struct uc_tracer *t);
/* Runs and their time are 0 where the kernel does not measure (kernel.bpf_stats_enabled). */
void uc_tracer_each_program(const struct uc_tracer *t,
			    void (*one)(void *ctx, const char *name, uint64_t runs, uint64_t ns),
			    void *ctx);

#endif
