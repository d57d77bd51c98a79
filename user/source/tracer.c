/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/tracer.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "source/btfcheck.h"
#include "control.h"
#include "source/hooks.h"
#include "base/log.h"
#include "source/proc.h"
#include "legacy.skel.h"
#include "upclose.skel.h"
#include "preempt.skel.h"

/* The BPF objects have the same maps, programs by plan, and variables. */
struct object {
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

struct uc_tracer {
	struct object bpf;
	struct uc_hooks hooks; /* as planned for this host */
	struct ring_buffer *ring;
	struct uc_live *lives; /* shared with the kernel; NULL until it is asked for */
	struct bpf_link *walk;
	struct uc_frames frames;
	struct bpf_link *adopt;
	int stats_fd; /* as long as it is open the kernel measures its programs; -1 */
};

__attribute__((format(printf, 2, 0))) static int libbpf_says(enum libbpf_print_level level,
							     const char *fmt, va_list args)
{
	if (uc_log_verbosity < 2 || (level == LIBBPF_DEBUG && uc_log_verbosity < 3))
		return 0;
	return vfprintf(stderr, fmt, args);
}

/* Of include/linux/errno.h, and in no header for userspace: this architecture cannot do it. */
#define ENOTSUPP 524

static const char *refusal(int err)
{
	if (err == -ENOTSUPP)
		return "not supported by this kernel (ENOTSUPP)";
	return err == -EPERM || err == -EACCES ? "refused by this host (EPERM)" : strerror(-err);
}

/* Why a plan is not possible, on one line. */
static const char *lack_text(const struct uc_hook *lack, char *buf, size_t size)
{
	if (lack->err == -ENOENT)
		snprintf(buf, size, "%s is not in this kernel (%s)", lack->section, lack->note);
	else
		snprintf(buf, size, "%s is %s", lack->section, refusal(lack->err));
	return buf;
}

/* Root in a container may lack it, too. */
static bool may_bpf(void)
{
	return geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_BPF) == 1;
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
	uc_error("this host allows no %s: %s; see 'upclose hooks'",
		 wanted == UC_PLAN_AUTO ? "set of hooks that tells enough" : "such plan",
		 lack_text(worst, text, sizeof(text)));
	if (!btf)
		uc_note("without BTF in the kernel only the plan 'kprobe' is possible");
	return worst->err == -ENOENT ? -ENOTSUP : worst->err;
}

/* Chooses a plan, or says why there is none. */
static int find_hooks(const struct uc_tracer_config *cfg, struct uc_hooks *ret)
{
	struct btf *btf = cfg->btf_path ? NULL : btf__load_vmlinux_btf();
	int err;

	if (!btf && !cfg->btf_path) {
		uc_error(
			"this kernel has no BTF (/sys/kernel/btf/vmlinux), as the kernels of Debian "
			"11, Ubuntu 20.10, RHEL 8.2 and later have");
		uc_note("give its types by --btf FILE: from BTFHub (" UC_BTFHUB
			"), or by 'pahole -J' "
			"from its debug package");
		return -ENOTSUP;
	}
	uc_hooks_try(btf, cfg->plan, ret);
	err = plan_check(ret, cfg->plan, btf);
	btf__free(btf);
	return err;
}

#define OPENER(name)                                                                        \
	static void name##_destroy(void *owner)                                             \
	{                                                                                   \
		name##_bpf__destroy(owner);                                                 \
	}                                                                                   \
	static int name##_open(const struct bpf_object_open_opts *opts, struct object *ret) \
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

struct uc_bpf_object uc_bpf_object(unsigned index)
{
	struct uc_bpf_object o = { 0 };

	if (index == 0) {
		o.elf = upclose_bpf__elf_bytes(&o.size);
		o.plans = 1U << UC_PLAN_TRACEPOINT | 1U << UC_PLAN_FENTRY;
	} else {
		o.elf = legacy_bpf__elf_bytes(&o.size);
		o.plans = 1U << UC_PLAN_FENTRY_OLD | 1U << UC_PLAN_KPROBE;
	}
	return o;
}

static void object_close(struct object *o)
{
	if (o->owner)
		o->destroy(o->owner);
	*o = (struct object){ 0 };
}

static struct bpf_map *map_of(const struct object *o, const char *name)
{
	return bpf_object__find_map_by_name(o->obj, name);
}

static struct bpf_program *program_of(const struct object *o, const char *name)
{
	return bpf_object__find_program_by_name(o->obj, name);
}

/* THREAD_SIZE of x86-64 and arm64, where the kernel's sanitizers do not enlarge it. */
static unsigned stack_bytes(void)
{
	long page = sysconf(_SC_PAGESIZE);

	return page > 16384 ? page : 16384;
}

/* Shared memory: also of programs that run. */
static void select_connections(const struct object *o, const struct uc_tracer_config *cfg)
{
	volatile struct uc_selection *sel = o->selection;

	for (size_t i = 0; i < cfg->comm_count; i++) {
		char comm[UC_COMM_LEN] = "";

		strncpy(comm, cfg->comms[i], UC_COMM_LEN - 1);
		memcpy((char *)sel->comms[i], comm, sizeof(comm));
	}
	for (size_t i = 0; i < cfg->port_count; i++)
		sel->ports[i] = cfg->ports[i];
	sel->comm_count = cfg->comm_count;
	sel->port_count = cfg->port_count;
}

static void configure(const struct object *o, const struct uc_tracer_config *cfg,
		      const struct uc_hooks *h)
{
	struct uc_control *control = o->control;

	select_connections(o, cfg);
	control->stack_bytes = stack_bytes();
	for (size_t i = 0; i < h->count; i++) {
		if (!strcmp(h->hooks[i].section, "helper/bpf_task_pt_regs"))
			control->task_pt_regs = !h->hooks[i].err;
		if (!strcmp(h->hooks[i].section, "fexit/tcp_recvmsg"))
			control->recvmsg_args = h->hooks[i].args;
	}
	if (cfg->ring_bytes)
		bpf_map__set_max_entries(map_of(o, "uc_ring"), cfg->ring_bytes);
}

static void select_programs(const struct object *o, const struct uc_hooks *h)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, o->obj)
		bpf_program__set_autoload(p, uc_hooks_uses(h, bpf_program__name(p)));
	/* adopt() and live_prepare() attach these */
	bpf_program__set_autoattach(program_of(o, "uc_adopt"), false);
	bpf_program__set_autoattach(program_of(o, "uc_walk"), false);
	p = program_of(o, "uc_adopt_fdinfo");
	if (p)
		bpf_program__set_autoattach(p, false);
}

static bool holds_processor(const struct uc_hooks *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (!strcmp(h->hooks[i].section, "kfunc/bpf_preempt_disable"))
			return h->hooks[i].use == UC_HOOK_USED;
	return false;
}

static int open_object(const struct bpf_object_open_opts *opts, const struct uc_hooks *h,
		       struct object *ret)
{
	if (uc_bpf_object(1).plans & 1U << h->plan)
		return legacy_open(opts, ret);
	return holds_processor(h) ? preempt_open(opts, ret) : upclose_open(opts, ret);
}

static int load(struct uc_tracer *t, const struct uc_tracer_config *cfg, const struct uc_hooks *h)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = cfg->btf_path);
	int err = open_object(&opts, h, &t->bpf);

	if (err)
		return err;
	configure(&t->bpf, cfg, h);
	select_programs(&t->bpf, h);
	err = bpf_object__load_skeleton(t->bpf.skeleton);
	if (!err)
		err = bpf_object__attach_skeleton(t->bpf.skeleton);
	if (err)
		object_close(&t->bpf);
	return err;
}

/* A kernel may refuse programs whose hooks it has: then the next plan is tried. */
static int load_any(struct uc_tracer *t, const struct uc_tracer_config *cfg, struct uc_hooks *h)
{
	int err = load(t, cfg, h);

	while (err) {
		enum uc_plan failed = h->plan;

		if (!uc_hooks_next(h, cfg->plan)) {
			uc_error(
				"the kernel did not take the BPF programs of the plan '%s', %s: %s "
				"(run with -vv to see why)",
				uc_plan_name(failed), uc_plan_about(failed), strerror(-err));
			return err;
		}
		uc_note("note: the kernel did not take the BPF programs of the plan '%s', %s (%s); "
			"trying '%s', %s",
			uc_plan_name(failed), uc_plan_about(failed), strerror(-err),
			uc_plan_name(h->plan), uc_plan_about(h->plan));
		err = load(t, cfg, h);
	}
	return 0;
}

/* One walk over every open file of the host. */
static int run_iterator(struct bpf_link *link)
{
	char buf[64];
	ssize_t n;
	int fd;

	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return fd;
	do
		n = read(fd, buf, sizeof(buf));
	while (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)));
	close(fd);
	return n < 0 ? -errno : 0;
}

/* A connection that is followed stays as it is. */
static int run_adoption(struct uc_tracer *t)
{
	struct bpf_program *iterator = program_of(&t->bpf, "uc_adopt"), *p = iterator;
	int err = 0;

	if (!bpf_program__autoload(p))
		p = program_of(&t->bpf, "uc_adopt_fdinfo");
	if (!p || !bpf_program__autoload(p))
		return -ENOTSUP;
	if (!t->adopt)
		t->adopt = bpf_program__attach(p);
	if (!t->adopt)
		return -errno;
	for (unsigned pass = 0; !err && pass < UC_ADOPT_PASSES; pass++) {
		t->bpf.adoption->pass = pass;
		err = p == iterator ? run_iterator(t->adopt) : uc_proc_show_sockets();
	}
	t->bpf.adoption->pass = UC_ADOPT_PASSES;
	return err;
}

static void empty(const struct uc_tracer *t, const char *map)
{
	int fd = bpf_map__fd(map_of(&t->bpf, map));
	char key[sizeof(struct uc_tuple)]; /* the largest */

	while (!bpf_map_get_next_key(fd, NULL, key))
		bpf_map_delete_elem(fd, key);
}

static void adopt(struct uc_tracer *t)
{
	int err = run_adoption(t);

	/* both ends have been found, or are not here */
	empty(t, "uc_adopted");
	if (!err)
		return;
	/* nginx's clients are known all or none: a verdict may rest on that none has left */
	empty(t, "uc_listen");
	uc_note("note: connections that exist already are not followed (%s)",
		err == -ENOTSUP ? "this host has no hook for them" : strerror(-err));
}

static int ring_record(void *ctx, void *data, size_t len)
{
	struct uc_tracer *t = ctx;

	t->frames.record(t->frames.ctx, data, len);
	return 0;
}

static int start(struct uc_tracer *t, const struct uc_tracer_config *cfg)
{
	int err = find_hooks(cfg, &t->hooks);

	if (!err)
		err = load_any(t, cfg, &t->hooks);
	if (err)
		return err;
	t->ring = ring_buffer__new(bpf_map__fd(map_of(&t->bpf, "uc_ring")), ring_record, t, NULL);
	if (!t->ring)
		return -errno;
	adopt(t);
	return 0;
}

int uc_tracer_new(const struct uc_tracer_config *cfg, const struct uc_frames *frames,
		  struct uc_tracer **ret)
{
	struct uc_tracer *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	libbpf_set_print(libbpf_says);
	t->frames = *frames;
	t->stats_fd = -1;
	err = start(t, cfg);
	if (err) {
		uc_tracer_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

void uc_tracer_free(struct uc_tracer *t)
{
	if (!t)
		return;
	if (t->lives)
		munmap(t->lives, UC_LIVE_SLOTS * sizeof(*t->lives));
	if (t->stats_fd >= 0)
		close(t->stats_fd);
	bpf_link__destroy(t->walk);
	bpf_link__destroy(t->adopt);
	ring_buffer__free(t->ring);
	object_close(&t->bpf);
	free(t);
}

int uc_tracer_fd(const struct uc_tracer *t)
{
	return ring_buffer__epoll_fd(t->ring);
}

int uc_tracer_poll(struct uc_tracer *t)
{
	return ring_buffer__consume(t->ring);
}

unsigned uc_tracer_adopted(const struct uc_tracer *t)
{
	return t->bpf.adoption->count;
}

/*
 * An interrupt within a program may lead to the same program again; the kernel
 * leaves it out then, and counts that itself (since 5.12).
 */
static uint64_t calls_left_out(const struct uc_tracer *t)
{
	struct bpf_program *p;
	uint64_t sum = 0;

	bpf_object__for_each_program(p, t->bpf.obj) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		/* of two for the same one always runs */
		if (!strncmp(bpf_program__name(p), "uc_set_state", strlen("uc_set_state")) ||
		    !strncmp(bpf_program__name(p), "uc_destroy", strlen("uc_destroy")))
			continue;
		if (bpf_program__fd(p) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
			sum += info.recursion_misses;
	}
	return sum;
}

struct uc_losses uc_tracer_losses(const struct uc_tracer *t)
{
	struct uc_losses sum = { 0 };
	int cpus = libbpf_num_possible_cpus(), fd = bpf_map__fd(map_of(&t->bpf, "uc_lost"));
	uint64_t *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;

	for (uint32_t reason = 0; values && reason < UC_LOST_MAX; reason++) {
		if (bpf_map_lookup_elem(fd, &reason, values))
			continue;
		for (int i = 0; i < cpus; i++)
			sum.by_reason[reason] += values[i];
	}
	free(values);
	sum.by_reason[UC_LOST_HOOK] = calls_left_out(t);
	return sum;
}

/* The counts are shared memory, and the walk is a link of its own; both are made at first use. */
static int live_prepare(struct uc_tracer *t)
{
	union bpf_iter_link_info info = { .map.map_fd = bpf_map__fd(map_of(&t->bpf, "uc_conns")) };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	void *shared;

	if (t->lives)
		return 0;
	shared = mmap(NULL, UC_LIVE_SLOTS * sizeof(*t->lives), PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(map_of(&t->bpf, "uc_lives")), 0);
	if (shared == MAP_FAILED)
		return -errno;
	t->lives = shared;
	if (bpf_program__autoload(program_of(&t->bpf, "uc_walk")))
		t->walk = bpf_program__attach_iter(program_of(&t->bpf, "uc_walk"), &opts);
	return 0;
}

static uint32_t live_slots(const struct uc_tracer *t)
{
	uint32_t used = *t->bpf.live_used + 1;

	return used < UC_LIVE_SLOTS ? used : UC_LIVE_SLOTS;
}

int uc_tracer_each_count(struct uc_tracer *t, void (*one)(void *ctx, const struct uc_live *l),
			 void *ctx)
{
	int err = live_prepare(t);

	for (uint32_t i = 0; !err && i < live_slots(t); i++)
		if (t->lives[i].connections)
			one(ctx, &t->lives[i]);
	return err;
}

int uc_tracer_each_live(struct uc_tracer *t, void (*one)(void *ctx, const struct uc_live *l),
			void *ctx)
{
	int err = live_prepare(t), walk_err;

	if (err)
		return err;
	for (uint32_t i = 0; i < live_slots(t); i++) {
		t->lives[i].open = t->lives[i].waiting = 0;
		t->lives[i].waiting_since_ns = 0;
	}
	walk_err = t->walk ? run_iterator(t->walk) : -ENOTSUP;
	err = uc_tracer_each_count(t, one, ctx);
	return walk_err ? walk_err : err;
}

void uc_tracer_select(struct uc_tracer *t, const struct uc_tracer_config *cfg)
{
	select_connections(&t->bpf, cfg);
	adopt(t);
}

const struct uc_hook *uc_tracer_hooks(const struct uc_tracer *t, size_t *ret_count)
{
	*ret_count = t->hooks.count;
	return t->hooks.hooks;
}

bool uc_tracer_readable(const struct uc_tracer *t)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;
	uint32_t key = 0;
	bool map, walk;

	map = values && !bpf_map_lookup_elem(bpf_map__fd(map_of(&t->bpf, "uc_lost")), &key, values);
	walk = !t->walk || !run_iterator(t->walk);
	free(values);
	return map && walk;
}

const char *uc_tracer_detached(const struct uc_tracer *t)
{
	const struct bpf_object_skeleton *s = t->bpf.skeleton;

	for (int i = 0; i < s->prog_cnt; i++) {
		const struct bpf_program *p = *s->progs[i].prog;
		const struct bpf_link *link = *s->progs[i].link;

		if (bpf_program__autoload(p) && bpf_program__autoattach(p) &&
		    (!link || fcntl(bpf_link__fd(link), F_GETFD) < 0))
			return bpf_program__section_name(p);
	}
	return NULL;
}

size_t uc_tracer_ring_bytes(const struct uc_tracer *t)
{
	return bpf_map__max_entries(map_of(&t->bpf, "uc_ring"));
}

/* Kernel, Documentation/bpf/ringbuf.rst: the consumer's position is a page, the producer's the next. */
int uc_tracer_ring_pending(const struct uc_tracer *t, size_t *ret)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = bpf_map__fd(map_of(&t->bpf, "uc_ring"));
	unsigned long *consumer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	unsigned long *producer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, page);
	bool mapped = consumer != MAP_FAILED && producer != MAP_FAILED;

	if (mapped)
		*ret = __atomic_load_n(producer, __ATOMIC_ACQUIRE) -
		       __atomic_load_n(consumer, __ATOMIC_ACQUIRE);
	if (consumer != MAP_FAILED)
		munmap(consumer, page);
	if (producer != MAP_FAILED)
		munmap(producer, page);
	return mapped ? 0 : -EIO;
}

int uc_tracer_measure(struct uc_tracer *t)
{
	t->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	return t->stats_fd < 0 ? -errno : 0;
}

void uc_tracer_each_program(const struct uc_tracer *t,
			    void (*one)(void *ctx, const char *name, uint64_t runs, uint64_t ns),
			    void *ctx)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, t->bpf.obj) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		if (bpf_program__fd(p) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
			one(ctx, bpf_program__name(p), info.run_cnt, info.run_time_ns);
	}
}

uint64_t uc_tracer_live_folded(const struct uc_tracer *t)
{
	return *t->bpf.live_folded;
}

static const char *const uses[] = {
	[UC_HOOK_USED] = "used",
	[UC_HOOK_SPARE] = "spare",
	[UC_HOOK_MISSING] = "missing",
	[UC_HOOK_REFUSED] = "refused",
};

static void json_line(json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(o);
}

static void hook_print(const struct uc_hook *h, bool json)
{
	const char *why = h->note;

	if (h->use == UC_HOOK_REFUSED)
		why = refusal(h->err);
	else if (h->use == UC_HOOK_MISSING)
		why = "not in this kernel";
	else if (h->use == UC_HOOK_SPARE)
		why = "works; not in the plan";
	if (json) {
		json_line(json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "schema", 1, "kind",
				    "hook", "facts", h->facts, "hook", h->section, "use",
				    uses[h->use], "reason", why, "required", h->required, "kernels",
				    h->note));
		return;
	}
	printf("%-26s %-30s %-8s %s%s%s\n", h->facts, h->section, uses[h->use], why,
	       h->use == UC_HOOK_USED ? "" : "; ", h->use == UC_HOOK_USED ? "" : h->note);
}

static void plan_print(const struct uc_hooks *h, enum uc_plan plan, bool json)
{
	const struct uc_hook *lack = h->lacks[plan];
	const char *use = uses[plan == h->plan ? UC_HOOK_USED : UC_HOOK_SPARE],
		   *why = uc_plan_about(plan);
	char text[256];

	if (lack) {
		use = uses[lack->err == -ENOENT ? UC_HOOK_MISSING : UC_HOOK_REFUSED];
		why = lack_text(lack, text, sizeof(text));
	}
	if (json)
		json_line(json_pack("{s:i, s:s, s:s, s:s, s:s}", "schema", 1, "kind", "plan",
				    "plan", uc_plan_name(plan), "use", use, "reason", why));
	else
		printf("%-12s %-8s %s\n", uc_plan_name(plan), use, why);
}

int uc_tracer_print_hooks(const struct uc_tracer_config *cfg, bool json)
{
	struct uc_hooks hooks = { 0 };
	int err;

	libbpf_set_print(libbpf_says);
	err = find_hooks(cfg, &hooks);
	if (!hooks.count)
		return err;
	if (!json)
		printf("%-12s %-8s %s\n", "PLAN", "USE", "WHY");
	for (enum uc_plan plan = UC_PLAN_AUTO + 1; plan < UC_PLAN_MAX; plan++) {
		/* the second of a name tells nothing unless it is possible where the first is not */
		if (plan == UC_PLAN_FENTRY_OLD &&
		    (hooks.lacks[plan] || !hooks.lacks[UC_PLAN_FENTRY]))
			continue;
		plan_print(&hooks, plan, json);
	}
	if (!json)
		printf("\n%-26s %-30s %-8s %s\n", "FACTS", "HOOK", "USE", "WHY");
	for (size_t i = 0; i < hooks.count; i++)
		hook_print(&hooks.hooks[i], json);
	fflush(stdout);
	return err;
}
