/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "source/bpf_objects.h"
#include "source/hearing.h"
#include "control.h"
#include "source/hooks.h"
#include "base/log.h"
#include "source/proc.h"

struct uc_tracer {
	struct uc_bpf bpf;
	struct uc_hooks hooks; /* as planned for this host */
	struct ring_buffer *ring;
	struct uc_live *lives; /* shared with the kernel; NULL until it is asked for */
	struct bpf_link *walk;
	struct uc_frames frames;
	struct bpf_link *adopt;
	struct uc_hearing *hearing;                   /* NULL: nginx's words cannot be heard here */
	char names[UC_TRACER_MAX_COMMS][UC_COMM_LEN]; /* of nginx's processes */
	const char *comms[UC_TRACER_MAX_COMMS];       /* point into names */
	size_t comm_count;
	unsigned (*error_level)(const char *const *comms, size_t comm_count);
	unsigned level; /* as it was told last; or lower, as nginx's words say */
	int stats_fd;   /* as long as it is open the kernel measures its programs; -1 */
};

/* THREAD_SIZE of x86-64 and arm64, where the kernel's sanitizers do not enlarge it. */
static unsigned stack_bytes(void)
{
	long page = sysconf(_SC_PAGESIZE);

	return page > 16384 ? page : 16384;
}

/* Shared memory: also of programs that run. */
static void select_connections(const struct uc_bpf *o, const struct uc_tracer_config *cfg)
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

static void configure(const struct uc_bpf *o, const struct uc_tracer_config *cfg,
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
		bpf_map__set_max_entries(uc_bpf_map(o, "uc_ring"), cfg->ring_bytes);
}

static void select_programs(const struct uc_bpf *o, const struct uc_hooks *h)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, o->obj)
		bpf_program__set_autoload(p, uc_hooks_uses(h, bpf_program__name(p)));
	/* adopt() and live_prepare() attach these */
	bpf_program__set_autoattach(uc_bpf_program(o, "uc_adopt"), false);
	bpf_program__set_autoattach(uc_bpf_program(o, "uc_walk"), false);
	p = uc_bpf_program(o, "uc_adopt_fdinfo");
	if (p)
		bpf_program__set_autoattach(p, false);
	/* to each program of nginx, by hearing.c */
	bpf_program__set_autoattach(uc_bpf_program(o, "uc_words"), false);
	bpf_program__set_autoattach(uc_bpf_program(o, "uc_words_wait"), false);
}

static int load(struct uc_tracer *t, const struct uc_tracer_config *cfg, const struct uc_hooks *h)
{
	int err = uc_bpf_open(h, cfg->btf_path, &t->bpf);

	if (err)
		return err;
	configure(&t->bpf, cfg, h);
	select_programs(&t->bpf, h);
	err = bpf_object__load_skeleton(t->bpf.skeleton);
	if (!err)
		err = bpf_object__attach_skeleton(t->bpf.skeleton);
	if (err)
		uc_bpf_close(&t->bpf);
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
	struct bpf_program *iterator = uc_bpf_program(&t->bpf, "uc_adopt"), *p = iterator;
	int err = 0;

	if (!bpf_program__autoload(p))
		p = uc_bpf_program(&t->bpf, "uc_adopt_fdinfo");
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
	int fd = bpf_map__fd(uc_bpf_map(&t->bpf, map));
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

static void listen_to_nginx(struct uc_tracer *t)
{
	if (!t->hearing)
		return;
	uc_hearing_scan(t->hearing, t->comms, t->comm_count);
	t->level = t->error_level ? t->error_level(t->comms, t->comm_count) : 0;
}

static int open_hearing(struct uc_tracer *t)
{
	struct bpf_program *p = uc_bpf_program(&t->bpf, "uc_words_wait");

	if (!bpf_program__autoload(p))
		p = uc_bpf_program(&t->bpf, "uc_words");
	if (!bpf_program__autoload(p))
		return 0;
	return uc_hearing_new(p, &t->hearing);
}

static bool began(const void *data, size_t len)
{
	struct uc_rec_hdr hdr;

	if (len < sizeof(hdr))
		return false;
	memcpy(&hdr, data, sizeof(hdr));
	return hdr.kind == UC_REC_EXEC;
}

static int ring_record(void *ctx, void *data, size_t len)
{
	struct uc_tracer *t = ctx;

	if (began(data, len)) {
		listen_to_nginx(t);
		return 0;
	}
	t->frames.record(t->frames.ctx, data, len);
	return 0;
}

static void remember_names(struct uc_tracer *t, const struct uc_tracer_config *cfg)
{
	t->comm_count = cfg->comm_count;
	t->error_level = cfg->error_level;
	memset(t->names, 0, sizeof(t->names));
	for (size_t i = 0; i < cfg->comm_count; i++)
		t->comms[i] = strncpy(t->names[i], cfg->comms[i], UC_COMM_LEN - 1);
}

static int start(struct uc_tracer *t, const struct uc_tracer_config *cfg)
{
	int err = uc_hooks_find(cfg->btf_path, cfg->plan, &t->hooks);

	if (!err)
		err = load_any(t, cfg, &t->hooks);
	if (err)
		return err;
	t->ring = ring_buffer__new(bpf_map__fd(uc_bpf_map(&t->bpf, "uc_ring")), ring_record, t,
				   NULL);
	if (!t->ring)
		return -errno;
	remember_names(t, cfg);
	err = open_hearing(t);
	if (err)
		return err;
	listen_to_nginx(t);
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
	uc_hearing_free(t->hearing);
	bpf_link__destroy(t->walk);
	bpf_link__destroy(t->adopt);
	ring_buffer__free(t->ring);
	uc_bpf_close(&t->bpf);
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

unsigned uc_tracer_hears(const struct uc_tracer *t)
{
	const unsigned level = t->hearing && uc_hearing_all(t->hearing) ? t->level : 0;

	return level | (t->bpf.selection->port_count ? UC_HEARING_CHOSEN : 0);
}

const struct uc_program *uc_tracer_programs(const struct uc_tracer *t, size_t *ret_count)
{
	*ret_count = 0;
	return t->hearing ? uc_hearing_programs(t->hearing, ret_count) : NULL;
}

int uc_tracer_keep_hearing(struct uc_tracer *t, int (*confine)(void *ctx), void *ctx)
{
	return t->hearing ? uc_hearing_delegate(t->hearing, confine, ctx) : 0;
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
	int cpus = libbpf_num_possible_cpus(), fd = bpf_map__fd(uc_bpf_map(&t->bpf, "uc_lost"));
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
	union bpf_iter_link_info info = { .map.map_fd = bpf_map__fd(
						  uc_bpf_map(&t->bpf, "uc_conns")) };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	void *shared;

	if (t->lives)
		return 0;
	shared = mmap(NULL, UC_LIVE_SLOTS * sizeof(*t->lives), PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(uc_bpf_map(&t->bpf, "uc_lives")), 0);
	if (shared == MAP_FAILED)
		return -errno;
	t->lives = shared;
	if (bpf_program__autoload(uc_bpf_program(&t->bpf, "uc_walk")))
		t->walk = bpf_program__attach_iter(uc_bpf_program(&t->bpf, "uc_walk"), &opts);
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
	remember_names(t, cfg);
	listen_to_nginx(t);
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

	map = values &&
	      !bpf_map_lookup_elem(bpf_map__fd(uc_bpf_map(&t->bpf, "uc_lost")), &key, values);
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
	return bpf_map__max_entries(uc_bpf_map(&t->bpf, "uc_ring"));
}

/* Kernel, Documentation/bpf/ringbuf.rst: the consumer's position is a page, the producer's the next. */
int uc_tracer_ring_pending(const struct uc_tracer *t, size_t *ret)
{
	long page = sysconf(_SC_PAGESIZE);
	int fd = bpf_map__fd(uc_bpf_map(&t->bpf, "uc_ring"));
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
