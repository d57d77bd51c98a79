/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/bpf_objects.h"

#include <errno.h>
#include <string.h>

#include "legacy.skel.h"
#include "preempt.skel.h"
#include "upclose.skel.h"

#define OPENER(name)                                                                        \
	static void name##_destroy(void *owner)                                             \
	{                                                                                   \
		name##_bpf__destroy(owner);                                                 \
	}                                                                                   \
	static int name##_open(const struct bpf_object_open_opts *opts, struct uc_bpf *ret) \
	{                                                                                   \
		struct name##_bpf *bpf = name##_bpf__open_opts(opts);                       \
                                                                                            \
		if (!bpf)                                                                   \
			return errno ? -errno : -ENOMEM;                                    \
		ret->obj = bpf->obj;                                                        \
		ret->skeleton = bpf->skeleton;                                              \
		ret->control = (struct uc_control *)&bpf->rodata->cfg;                      \
		ret->selection = &bpf->bss->selection;                                      \
		ret->adoption = &bpf->bss->adoption;                                        \
		ret->live_used = &bpf->bss->live_used;                                      \
		ret->live_folded = &bpf->bss->live_folded;                                  \
		ret->owner = bpf;                                                           \
		ret->destroy = name##_destroy;                                              \
		return 0;                                                                   \
	}

OPENER(upclose)
OPENER(preempt)
OPENER(legacy)

static bool holds_processor(const struct uc_hooks *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (!strcmp(h->hooks[i].section, "kfunc/bpf_preempt_disable"))
			return h->hooks[i].use == UC_HOOK_USED;
	return false;
}

int uc_bpf_open(const struct uc_hooks *h, const char *btf_path, struct uc_bpf *ret)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf_path);

	if (UC_PLANS_LEGACY & 1U << h->plan)
		return legacy_open(&opts, ret);
	return holds_processor(h) ? preempt_open(&opts, ret) : upclose_open(&opts, ret);
}

void uc_bpf_close(struct uc_bpf *o)
{
	if (o->owner)
		o->destroy(o->owner);
	*o = (struct uc_bpf){ 0 };
}

struct bpf_map *uc_bpf_map(const struct uc_bpf *o, const char *name)
{
	return bpf_object__find_map_by_name(o->obj, name);
}

struct bpf_program *uc_bpf_program(const struct uc_bpf *o, const char *name)
{
	return bpf_object__find_program_by_name(o->obj, name);
}

struct uc_bpf_elf uc_bpf_elf(unsigned index)
{
	struct uc_bpf_elf e = { 0 };

	if (index == 0) {
		e.bytes = upclose_bpf__elf_bytes(&e.size);
		e.plans = UC_PLANS_UPCLOSE;
	} else {
		e.bytes = legacy_bpf__elf_bytes(&e.size);
		e.plans = UC_PLANS_LEGACY;
	}
	return e;
}
