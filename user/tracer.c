/* SPDX-License-Identifier: BSD-2-Clause */
#include "tracer.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hooks.h"
#include "log.h"
#include "upclose.skel.h"

struct uc_tracer {
	struct upclose_bpf *bpf;
	struct ring_buffer *ring;
	struct uc_live *lives; /* shared with the kernel; NULL until it is asked for */
	struct bpf_link *walk;
	struct uc_frames frames;
	const struct uc_hook *hooks; /* as planned for this host */
	size_t hook_count;
	int stats_fd; /* as long as it is open the kernel measures its programs; -1 */
};

__attribute__((format(printf, 2, 0))) static int libbpf_says(enum libbpf_print_level level,
							     const char *fmt, va_list args)
{
	if (uc_log_verbosity < 2 || (level == LIBBPF_DEBUG && uc_log_verbosity < 3))
		return 0;
	return vfprintf(stderr, fmt, args);
}

static struct btf *kernel_btf(void)
{
	struct btf *btf = btf__load_vmlinux_btf();

	return libbpf_get_error(btf) ? NULL : btf;
}

static const char *refusal(int err)
{
	return err == -EPERM || err == -EACCES ? "refused by this host (EPERM)" : strerror(-err);
}

static bool group_served(const struct uc_hook *hooks, size_t count, unsigned group)
{
	for (size_t i = 0; i < count; i++)
		if (hooks[i].group == group && hooks[i].use == UC_HOOK_USED)
			return true;
	return false;
}

/* The first reason why tracing is impossible, said with what to do; 0 when it is possible. */
static int plan_check(const struct btf *btf, const struct uc_hook *hooks, size_t count)
{
	if (!btf) {
		uc_error(
			"this kernel has no BTF (/sys/kernel/btf/vmlinux); upclose needs a kernel built with "
			"CONFIG_DEBUG_INFO_BTF, as the kernels of Debian 11, Ubuntu 20.10, RHEL 8.2 and later are");
		return -ENOTSUP;
	}
	for (size_t i = 0; i < count; i++) {
		if (!hooks[i].required || group_served(hooks, count, hooks[i].group))
			continue;
		if (hooks[i].err == -EPERM && geteuid() != 0)
			uc_error(
				"the kernel refused %s: run as root, or with CAP_BPF, CAP_PERFMON and "
				"CAP_SYS_RESOURCE",
				hooks[i].section);
		else if (hooks[i].use == UC_HOOK_REFUSED)
			uc_error(
				"this host refuses %s (%s), and nothing else can tell %s; see 'upclose hooks'",
				hooks[i].section, strerror(-hooks[i].err), hooks[i].facts);
		else
			uc_error(
				"this kernel has no hook that can tell %s (%s needs a kernel %s); see "
				"'upclose hooks'",
				hooks[i].facts, hooks[i].section, hooks[i].note);
		return hooks[i].use == UC_HOOK_REFUSED ? hooks[i].err : -ENOTSUP;
	}
	return 0;
}

/* Shared memory: also of programs that run. */
static void select_connections(struct upclose_bpf *bpf, const struct uc_tracer_config *cfg)
{
	for (size_t i = 0; i < cfg->comm_count; i++) {
		char comm[UC_COMM_LEN] = "";

		strncpy(comm, cfg->comms[i], UC_COMM_LEN - 1);
		memcpy((char *)bpf->bss->cfg_comms[i], comm, sizeof(comm));
	}
	for (size_t i = 0; i < cfg->port_count; i++)
		bpf->bss->cfg_ports[i] = cfg->ports[i];
	bpf->bss->cfg_comm_count = cfg->comm_count;
	bpf->bss->cfg_port_count = cfg->port_count;
}

static void configure(struct upclose_bpf *bpf, const struct uc_tracer_config *cfg)
{
	select_connections(bpf, cfg);
	if (cfg->ring_bytes)
		bpf_map__set_max_entries(bpf->maps.uc_ring, cfg->ring_bytes);
}

static void choose(struct upclose_bpf *bpf, const struct uc_hook *hooks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bpf_program *p;

		if (!hooks[i].program)
			continue;
		p = bpf_object__find_program_by_name(bpf->obj, hooks[i].program);
		bpf_program__set_autoload(p, hooks[i].use == UC_HOOK_USED);
		if (p == bpf->progs.uc_recv_fexit)
			bpf->rodata->cfg_recvmsg_args = hooks[i].args;
	}
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

/* The passes are those of bpf/adopt.bpf.h, in their order. A connection that is followed stays as it is. */
static void adopt(struct upclose_bpf *bpf)
{
	if (!bpf->links.uc_adopt)
		return;
	for (unsigned pass = 0; pass < 3; pass++) {
		int err;

		bpf->bss->adopt_pass = pass;
		err = run_iterator(bpf->links.uc_adopt);
		if (!err)
			continue;
		uc_note("note: connections that exist already are not followed (%s)",
			strerror(-err));
		return;
	}
}

static int ring_record(void *ctx, void *data, size_t len)
{
	struct uc_tracer *t = ctx;

	t->frames.record(t->frames.ctx, data, len);
	return 0;
}

static int start(struct uc_tracer *t, const struct uc_tracer_config *cfg)
{
	struct btf *btf = kernel_btf();
	int err;

	t->hooks = uc_hooks_plan(btf, &t->hook_count);
	err = plan_check(btf, t->hooks, t->hook_count);
	btf__free(btf);
	if (err)
		return err;
	t->bpf = upclose_bpf__open();
	if (!t->bpf)
		return -errno;
	configure(t->bpf, cfg);
	choose(t->bpf, t->hooks, t->hook_count);
	/* it needs a map to walk over: uc_tracer_each_live attaches it */
	bpf_program__set_autoattach(t->bpf->progs.uc_walk, false);
	err = upclose_bpf__load(t->bpf);
	if (!err)
		err = upclose_bpf__attach(t->bpf);
	if (err) {
		uc_error("the kernel did not take the BPF programs: %s (run with -vv to see why)",
			 strerror(-err));
		return err;
	}
	t->ring = ring_buffer__new(bpf_map__fd(t->bpf->maps.uc_ring), ring_record, t, NULL);
	if (!t->ring)
		return -errno;
	adopt(t->bpf);
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
	ring_buffer__free(t->ring);
	upclose_bpf__destroy(t->bpf);
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
	return t->bpf->bss->adopt_count;
}

struct uc_losses uc_tracer_losses(const struct uc_tracer *t)
{
	struct uc_losses sum = { 0 };
	int cpus = libbpf_num_possible_cpus(), fd = bpf_map__fd(t->bpf->maps.uc_lost);
	uint64_t *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;

	for (uint32_t reason = 0; values && reason < UC_LOST_MAX; reason++) {
		if (bpf_map_lookup_elem(fd, &reason, values))
			continue;
		for (int i = 0; i < cpus; i++)
			sum.by_reason[reason] += values[i];
	}
	free(values);
	return sum;
}

/* The counts are shared memory, and the walk is a link of its own; both are made at first use. */
static int live_prepare(struct uc_tracer *t)
{
	union bpf_iter_link_info info = { .map.map_fd = bpf_map__fd(t->bpf->maps.uc_conns) };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	void *shared;

	if (t->lives)
		return 0;
	shared = mmap(NULL, UC_LIVE_SLOTS * sizeof(*t->lives), PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(t->bpf->maps.uc_lives), 0);
	if (shared == MAP_FAILED)
		return -errno;
	t->lives = shared;
	if (bpf_program__autoload(t->bpf->progs.uc_walk))
		t->walk = bpf_program__attach_iter(t->bpf->progs.uc_walk, &opts);
	return 0;
}

int uc_tracer_each_live(struct uc_tracer *t, void (*one)(void *ctx, const struct uc_live *l),
			void *ctx)
{
	uint32_t used = t->bpf->bss->live_used + 1;
	int err = live_prepare(t);

	if (err)
		return err;
	if (used > UC_LIVE_SLOTS)
		used = UC_LIVE_SLOTS;
	for (uint32_t i = 0; i < used; i++) {
		t->lives[i].open = t->lives[i].waiting = 0;
		t->lives[i].waiting_since_ns = 0;
	}
	err = t->walk ? run_iterator(t->walk) : -ENOTSUP;
	for (uint32_t i = 0; i < used; i++)
		if (t->lives[i].connections)
			one(ctx, &t->lives[i]);
	return err;
}

void uc_tracer_select(struct uc_tracer *t, const struct uc_tracer_config *cfg)
{
	select_connections(t->bpf, cfg);
	adopt(t->bpf);
}

const struct uc_hook *uc_tracer_hooks(const struct uc_tracer *t, size_t *ret_count)
{
	*ret_count = t->hook_count;
	return t->hooks;
}

const char *uc_tracer_detached(const struct uc_tracer *t)
{
	const struct bpf_object_skeleton *s = t->bpf->skeleton;

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
	return bpf_map__max_entries(t->bpf->maps.uc_ring);
}

/* Kernel, Documentation/bpf/ringbuf.rst: the consumer's position is a page, the producer's the next. */
int uc_tracer_ring_pending(const struct uc_tracer *t, size_t *ret)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = bpf_map__fd(t->bpf->maps.uc_ring);
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

	bpf_object__for_each_program(p, t->bpf->obj) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		if (bpf_program__fd(p) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
			one(ctx, bpf_program__name(p), info.run_cnt, info.run_time_ns);
	}
}

uint64_t uc_tracer_live_folded(const struct uc_tracer *t)
{
	return t->bpf->bss->live_folded;
}

static const char *const uses[] = {
	[UC_HOOK_USED] = "used",
	[UC_HOOK_SPARE] = "spare",
	[UC_HOOK_MISSING] = "missing",
	[UC_HOOK_REFUSED] = "refused",
};

static void hook_print(const struct uc_hook *h, bool json)
{
	const char *why = h->note;

	if (h->use == UC_HOOK_REFUSED)
		why = refusal(h->err);
	else if (h->use == UC_HOOK_MISSING)
		why = "not in this kernel";
	else if (h->use == UC_HOOK_SPARE)
		why = "works; a better one serves";
	if (json) {
		json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "schema", 1,
				      "kind", "hook", "facts", h->facts, "hook", h->section, "use",
				      uses[h->use], "reason", why, "required", h->required,
				      "kernels", h->note);

		json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
		json_decref(o);
		return;
	}
	printf("%-26s %-28s %-8s %s%s%s\n", h->facts, h->section, uses[h->use], why,
	       h->use == UC_HOOK_USED ? "" : "; ", h->use == UC_HOOK_USED ? "" : h->note);
}

int uc_tracer_print_hooks(bool json)
{
	const struct uc_hook *hooks;
	struct btf *btf;
	size_t count;
	int err;

	libbpf_set_print(libbpf_says);
	btf = kernel_btf();
	hooks = uc_hooks_plan(btf, &count);
	if (!json)
		printf("%-26s %-28s %-8s %s\n", "FACTS", "HOOK", "USE", "WHY");
	for (size_t i = 0; i < count; i++)
		hook_print(&hooks[i], json);
	fflush(stdout);
	err = plan_check(btf, hooks, count);
	btf__free(btf);
	return err;
}
