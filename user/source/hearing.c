/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/hearing.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "source/proc.h"

#define FUNCTION "ngx_log_error_core"

/* More programs of nginx on one host are not heard, and that is said. */
#define PROGRAMS 64

struct uc_hearing {
	const struct bpf_program *program;
	struct uc_program programs[PROGRAMS];
	struct bpf_link *links[PROGRAMS]; /* NULL where that failed */
	bool running[PROGRAMS];           /* at the newest scan */
	size_t count;
	unsigned fresh; /* of the scan that goes on */
	bool full;
};

int uc_hearing_new(const struct bpf_program *p, struct uc_hearing **ret)
{
	struct uc_hearing *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->program = p;
	*ret = h;
	return 0;
}

void uc_hearing_free(struct uc_hearing *h)
{
	for (size_t i = 0; h && i < h->count; i++)
		bpf_link__destroy(h->links[i]);
	free(h);
}

static bool known(struct uc_hearing *h, const struct stat *st)
{
	for (size_t i = 0; i < h->count; i++) {
		if (h->programs[i].dev != st->st_dev || h->programs[i].ino != st->st_ino)
			continue;
		h->running[i] = true;
		return true;
	}
	return false;
}

/* A shell script by nginx's name, or an nginx without symbols, counts for as long as it runs. */
static void forget_failed(struct uc_hearing *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->count; i++) {
		if (h->programs[i].err && !h->running[i])
			continue;
		h->programs[kept] = h->programs[i];
		h->links[kept] = h->links[i];
		h->running[kept++] = h->running[i];
	}
	h->count = kept;
}

static int attach(struct uc_hearing *h, const char *exe)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .func_name = FUNCTION);
	struct bpf_link *link = bpf_program__attach_uprobe_opts(h->program, -1, exe, 0, &opts);

	h->links[h->count] = link;
	return link ? 0 : -errno;
}

static void hear(void *ctx, pid_t pid)
{
	struct uc_hearing *h = ctx;
	struct uc_program *p;
	struct stat st;
	char exe[64];
	ssize_t n;

	snprintf(exe, sizeof(exe), "/proc/%d/exe", pid);
	if (stat(exe, &st) || known(h, &st))
		return;
	if (h->count == PROGRAMS) {
		if (!h->full)
			uc_note("note: more than %d programs of nginx; the words of the others are not heard",
				PROGRAMS);
		h->full = true;
		return;
	}
	p = &h->programs[h->count];
	*p = (struct uc_program){ .dev = st.st_dev, .ino = st.st_ino };
	n = readlink(exe, p->path, sizeof(p->path) - 1);
	p->path[n > 0 ? n : 0] = '\0';
	p->err = attach(h, exe);
	if (p->err)
		uc_debug("the words of %s are not heard: %s", p->path,
			 p->err == -ENOENT ? "it has no " FUNCTION "()" : strerror(-p->err));
	h->running[h->count++] = true;
	h->fresh++;
}

unsigned uc_hearing_scan(struct uc_hearing *h, const char *const *comms, size_t comm_count)
{
	h->fresh = 0;
	memset(h->running, 0, sizeof(h->running));
	uc_proc_each(comms, comm_count, hear, h);
	forget_failed(h);
	return h->fresh;
}

bool uc_hearing_all(const struct uc_hearing *h)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->programs[i].err)
			return false;
	return h->count && !h->full;
}

const struct uc_program *uc_hearing_programs(const struct uc_hearing *h, size_t *ret_count)
{
	*ret_count = h->count;
	return h->programs;
}
