/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/btfcheck.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <gelf.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "source/bpf_objects.h"

/* Documentation/bpf/btf.rst, "The .BTF.ext section" */
struct ext_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint32_t hdr_len;
	uint32_t func_info_off;
	uint32_t func_info_len;
	uint32_t line_info_off;
	uint32_t line_info_len;
	uint32_t core_relo_off;
	uint32_t core_relo_len;
};

struct ext_section {
	uint32_t name_off;
	uint32_t records;
};

struct check {
	const struct btf *kernel;
	struct uc_btf_check *found;
};

/* A file may say anything: names that are none, types that lead back to themselves. */
#define MAX_DEPTH 16

static const char *name_at(const struct btf *btf, uint32_t offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name ? name : "";
}

static const struct btf_type *resolve(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	for (int depth = 0; t && (btf_is_mod(t) || btf_is_typedef(t)); depth++)
		t = depth < MAX_DEPTH ? btf__type_by_id(btf, t->type) : NULL;
	return t;
}

static void missing(struct uc_btf_check *c, unsigned plans, bool fatal, const char *name)
{
	for (size_t i = 0; i < c->count; i++) {
		struct uc_btf_need *n = &c->missing[i];

		if (strcmp(n->name, name))
			continue;
		n->plans |= plans;
		n->fatal |= fatal;
		return;
	}
	if (c->count == UC_BTF_NEEDS)
		return;
	snprintf(c->missing[c->count].name, UC_BTF_NEED_SIZE, "%s", name);
	c->missing[c->count].plans = plans;
	c->missing[c->count++].fatal = fatal;
}

/* --- fields --------------------------------------------------------------------- */

/* The member of this name, also within members without a name. */
static const struct btf_type *member_type(const struct btf *btf, const struct btf_type *t,
					  const char *name, int depth)
{
	const struct btf_member *m = btf_members(t);

	for (int i = 0; i < btf_vlen(t); i++) {
		const char *have = name_at(btf, m[i].name_off);
		const struct btf_type *type = resolve(btf, m[i].type), *found;

		if (type && !strcmp(have, name))
			return type;
		if (*have || !type || !btf_is_composite(type) || depth == MAX_DEPTH)
			continue;
		found = member_type(btf, type, name, depth + 1);
		if (found)
			return found;
	}
	return NULL;
}

/* Numbers, pointers and aggregates do not stand for each other. */
static int shape(const struct btf_type *t)
{
	if (btf_is_int(t) || btf_is_any_enum(t))
		return BTF_KIND_INT;
	return btf_is_composite(t) ? BTF_KIND_STRUCT : btf_kind(t);
}

/* Follows an access string as bpf_core_relo has it; names what is not as the program takes it. */
static bool field_there(const struct check *c, const struct btf *local,
			const struct bpf_core_relo *r, char name[UC_BTF_NEED_SIZE])
{
	const struct btf_type *mine = resolve(local, r->type_id), *theirs = NULL;
	const char *spec = name_at(local, r->access_str_off), *part;
	const char *root = mine ? name_at(local, mine->name_off) : "";
	size_t used = snprintf(name, UC_BTF_NEED_SIZE, "struct %s", root);
	int id;

	if (!mine || !btf_is_composite(mine))
		return true;
	id = btf__find_by_name_kind(c->kernel, root, btf_kind(mine));
	if (id < 0)
		return false;
	theirs = resolve(c->kernel, id);
	/* the first number is an index into an array of the whole */
	for (spec = strchr(spec, ':'); spec && r->kind != BPF_CORE_TYPE_SIZE;
	     spec = strchr(spec + 1, ':')) {
		unsigned index = strtoul(spec + 1, NULL, 10);

		if (btf_is_array(mine)) {
			mine = resolve(local, btf_array(mine)->type);
			theirs = btf_is_array(theirs) ?
					 resolve(c->kernel, btf_array(theirs)->type) :
					 NULL;
		} else if (btf_is_composite(mine) && index < btf_vlen(mine)) {
			const struct btf_member *m = btf_members(mine) + index;

			part = name_at(local, m->name_off);
			mine = resolve(local, m->type);
			if (!*part)
				continue;
			used += snprintf(name + used, UC_BTF_NEED_SIZE - used, ".%s", part);
			theirs = btf_is_composite(theirs) ?
					 member_type(c->kernel, theirs, part, 0) :
					 NULL;
		}
		if (!mine || !theirs || used >= UC_BTF_NEED_SIZE)
			return false;
	}
	return shape(mine) == shape(theirs);
}

static const struct uc_hook *hook_of_section(const char *section, unsigned plans)
{
	size_t count;
	const struct uc_hook *hooks = uc_hooks_table(&count);

	for (size_t i = 0; i < count; i++)
		if (hooks[i].plans & plans && !strcmp(hooks[i].section, section))
			return &hooks[i];
	return NULL;
}

/* A kprobe at entry is its kretprobe's companion and reads no field of its own. */
static void check_section(struct check *c, const struct btf *local, const char *section,
			  const uint8_t *records, size_t size, uint32_t count, unsigned plans)
{
	const struct uc_hook *h = hook_of_section(section, plans);

	for (uint32_t i = 0; h && i < count; i++) {
		struct bpf_core_relo r;
		char name[UC_BTF_NEED_SIZE];

		memcpy(&r, records + i * size, sizeof(r));
		if (r.kind == BPF_CORE_FIELD_EXISTS || r.kind == BPF_CORE_TYPE_EXISTS)
			continue;
		c->found->examined++;
		if (!field_there(c, local, &r, name))
			missing(c->found, h->plans & plans, h->required, name);
	}
}

static int check_fields(struct check *c, const struct btf *local, const uint8_t *ext, size_t size,
			unsigned plans)
{
	struct ext_header h;
	const uint8_t *at, *end;
	uint32_t record;

	if (size < sizeof(h))
		return -EINVAL;
	memcpy(&h, ext, sizeof(h));
	if (h.hdr_len < sizeof(h) || (uint64_t)h.hdr_len + h.core_relo_off + h.core_relo_len > size)
		return -EINVAL;
	at = ext + h.hdr_len + h.core_relo_off;
	end = at + h.core_relo_len;
	if (end - at < (ptrdiff_t)sizeof(record))
		return -EINVAL;
	memcpy(&record, at, sizeof(record));
	at += sizeof(record);
	while (end - at >= (ptrdiff_t)sizeof(struct ext_section)) {
		struct ext_section s;

		memcpy(&s, at, sizeof(s));
		at += sizeof(s);
		if (record < sizeof(struct bpf_core_relo) ||
		    (uint64_t)s.records * record > (uint64_t)(end - at))
			return -EINVAL;
		check_section(c, local, name_at(local, s.name_off), at, record, s.records, plans);
		at += (size_t)s.records * record;
	}
	return 0;
}

static Elf_Data *elf_section(Elf *elf, const char *name)
{
	Elf_Scn *section = NULL;
	size_t names;
	GElf_Shdr sh;

	if (elf_getshdrstrndx(elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf, section)))
		if (gelf_getshdr(section, &sh) && !strcmp(elf_strptr(elf, names, sh.sh_name), name))
			return elf_getdata(section, NULL);
	return NULL;
}

static int check_object(struct check *c, const struct uc_bpf_elf *o)
{
	Elf_Data *types, *ext;
	struct btf *local;
	int err = -EINVAL;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_memory((char *)o->bytes, o->size);
	types = elf ? elf_section(elf, ".BTF") : NULL;
	ext = elf ? elf_section(elf, ".BTF.ext") : NULL;
	local = types && ext ? btf__new(types->d_buf, types->d_size) : NULL;
	if (local)
		err = check_fields(c, local, ext->d_buf, ext->d_size, o->plans);
	btf__free(local);
	elf_end(elf);
	return err;
}

/* --- functions and tracepoints ------------------------------------------------------ */

static bool arg_is(const struct btf *btf, const struct btf_type *t, const char *want)
{
	if (!t)
		return false;
	if (!strcmp(want, "int"))
		return btf_is_int(t) || btf_is_any_enum(t);
	t = btf_is_ptr(t) ? resolve(btf, t->type) : NULL;
	return t && !strcmp(name_at(btf, t->name_off), want);
}

/* The prototype's arguments from `skip` on are those that the hook takes; name gets the first that is not. */
static bool args_there(const struct btf *btf, const struct btf_type *proto, const struct uc_hook *h,
		       int skip, char name[UC_BTF_NEED_SIZE])
{
	for (int arg = 0; arg < UC_HOOK_TAKES && h->takes[arg]; arg++) {
		const char *want = h->takes[arg];
		const struct btf_param *p = btf_params(proto) + skip + arg;

		if (skip + arg < btf_vlen(proto) && arg_is(btf, resolve(btf, p->type), want))
			continue;
		snprintf(name, UC_BTF_NEED_SIZE, "argument %d of %s, %s%s", arg + 1,
			 strchr(h->section, '/') + 1,
			 strcmp(want, "int") ? "a pointer to struct " : "an integer",
			 strcmp(want, "int") ? want : "");
		return false;
	}
	return true;
}

static bool hook_there(const struct btf *btf, const struct uc_hook *h, char name[UC_BTF_NEED_SIZE])
{
	const char *function = strchr(h->section, '/') + 1;
	bool tracepoint = !strncmp(h->section, "tp_btf", 6) || !strncmp(h->section, "raw_tp", 6);
	const char *prefix = tracepoint                      ? "btf_trace_" :
			     !strncmp(h->section, "iter", 4) ? "bpf_iter_" :
							       "";
	const struct btf_type *t;
	char type[UC_BTF_NEED_SIZE];
	int id;

	snprintf(name, UC_BTF_NEED_SIZE, "%s %s", tracepoint ? "tracepoint" : "function", function);
	snprintf(type, sizeof(type), "%s%s", prefix, function);
	id = btf__find_by_name_kind(btf, type, tracepoint ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC);
	if (id < 0)
		return false;
	t = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
	/* a tracepoint's type is a pointer to a function whose first argument is the probe's own */
	if (tracepoint && t && btf_is_ptr(t))
		t = resolve(btf, t->type);
	return t && btf_is_func_proto(t) && args_there(btf, t, h, tracepoint, name);
}

static int try_by_types(void *ctx, struct uc_hook *h)
{
	struct check *c = ctx;
	char name[UC_BTF_NEED_SIZE];

	c->found->examined++;
	if (hook_there(c->kernel, h, name))
		return 0;
	missing(c->found, h->plans, false, name);
	return -ENOENT;
}

/* --- what it comes to ------------------------------------------------------------------ */

unsigned uc_btf_forbidden(const struct uc_btf_check *c)
{
	unsigned plans = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->missing[i].fatal)
			plans |= c->missing[i].plans;
	return plans;
}

static struct btf *read_types(const char *path, int *ret_err)
{
	struct btf *btf = btf__parse(path, NULL);

	if (btf)
		return btf;
	*ret_err = errno ? -errno : -EINVAL;
	uc_error(
		"cannot read BTF from %s: %s; give a copy of /sys/kernel/btf/vmlinux, a vmlinux with "
		"a .BTF section, or a file of BTFHub (" UC_BTFHUB ")",
		path, access(path, R_OK) ? strerror(-*ret_err) : "it has none");
	return NULL;
}

static int check_objects(struct check *c)
{
	int err = 0;

	for (unsigned i = 0; !err && i < UC_BPF_ELFS; i++) {
		struct uc_bpf_elf elf = uc_bpf_elf(i);

		err = check_object(c, &elf);
	}
	if (err)
		uc_error("the types of upclose's own BPF programs cannot be read: %s",
			 strerror(-err));
	return err;
}

int uc_btf_check(const char *path, struct uc_btf_check *ret)
{
	struct btf *kernel;
	struct check c;
	int err = 0;

	libbpf_set_print(NULL);
	kernel = read_types(path, &err);
	if (!kernel)
		return err;
	*ret = (struct uc_btf_check){ 0 };
	c = (struct check){ .kernel = kernel, .found = ret };
	err = check_objects(&c);
	if (!err)
		uc_hooks_judge(try_by_types, &c, UC_PLAN_AUTO, &ret->hooks);
	btf__free(kernel);
	return err;
}
