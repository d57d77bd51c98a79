/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF objects that are built in: their skeletons, seen alike. */
#ifndef UPCLOSE_BPF_OBJECTS_H
#define UPCLOSE_BPF_OBJECTS_H

#include <bpf/libbpf.h>
#include <stddef.h>

#include "control.h"
#include "source/hooks.h"

/* The BPF objects have the same maps, programs by plan, and variables. */
struct uc_bpf {
	struct bpf_object *obj;
	struct bpf_object_skeleton *skeleton;
	struct uc_control *control; /* until it is loaded */
	volatile struct uc_selection *selection;
	struct uc_adoption *adoption;
	const __u32 *live_used;
	const __u64 *live_folded;
	void *owner;
	void (*destroy)(void *owner);
};

/*
 * Opens the object of the chosen plan, not loaded yet. btf_path: types of this kernel, in
 * place of its own BTF; NULL: its own. Returns 0 or a negative errno.
 */
int uc_bpf_open(const struct uc_hooks *h, const char *btf_path, struct uc_bpf *ret);
/* Detaches and unloads what is. An object that is closed, or all zero, stays so. */
void uc_bpf_close(struct uc_bpf *o);

/* By name; NULL: this object has none. */
struct bpf_map *uc_bpf_map(const struct uc_bpf *o, const char *name);
struct bpf_program *uc_bpf_program(const struct uc_bpf *o, const char *name);

#define UC_BPF_ELFS 2

/*
 * An object as it is built in: the file's bytes, and the plans that load it (1 << UC_PLAN_*).
 * preempt.bpf.c is not among them: it reads what the first reads.
 */
struct uc_bpf_elf {
	const void *bytes;
	size_t size;
	unsigned plans;
};

struct uc_bpf_elf uc_bpf_elf(unsigned index);

#endif
