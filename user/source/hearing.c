/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/hearing.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "control.h"
#include "source/delegate.h"
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
	struct uc_delegate *delegate; /* that scans; NULL: this process does */
};

/* What the delegate is asked. */
struct names {
	uint32_t count;
	char comm[UC_MAX_COMMS][UC_COMM_LEN];
};

/* What it answers, cut behind the last program. */
struct found {
	uint32_t fresh, full, count;
	struct uc_program programs[PROGRAMS];
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
	if (!h)
		return;
	uc_delegate_free(h->delegate);
	for (size_t i = 0; i < PROGRAMS; i++)
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
	for (size_t i = kept; i < h->count; i++)
		h->links[i] = NULL;
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

static unsigned scan(struct uc_hearing *h, const char *const *comms, size_t comm_count)
{
	h->fresh = 0;
	memset(h->running, 0, sizeof(h->running));
	uc_proc_each(comms, comm_count, hear, h);
	forget_failed(h);
	return h->fresh;
}

/* In the delegate. */
static size_t answer(void *ctx, const void *request, size_t len, void *reply, size_t size)
{
	const char *comms[UC_MAX_COMMS];
	struct uc_hearing *h = ctx;
	struct names n = { 0 };
	struct found f = { 0 };

	memcpy(&n, request, len < sizeof(n) ? len : sizeof(n));
	for (size_t i = 0; i < n.count; i++)
		comms[i] = n.comm[i];
	f.fresh = scan(h, comms, n.count);
	f.full = h->full;
	f.count = h->count;
	memcpy(f.programs, h->programs, sizeof(f.programs));
	len = offsetof(struct found, programs) + h->count * sizeof(f.programs[0]);
	memcpy(reply, &f, len < size ? len : size);
	return len;
}

/* -EPIPE and the like: what is known already is heard on. */
static unsigned ask(struct uc_hearing *h, const char *const *comms, size_t comm_count)
{
	struct names n = { .count = comm_count };
	struct found f;
	ssize_t len;

	for (size_t i = 0; i < comm_count; i++)
		strncpy(n.comm[i], comms[i], UC_COMM_LEN - 1);
	len = uc_delegate_ask(h->delegate, &n, sizeof(n), &f, sizeof(f));
	if (len < (ssize_t)offsetof(struct found, programs)) {
		uc_note("note: the words of programs of nginx that begin from now on are not heard (%s); "
			"restart upclose",
			len < 0 ? strerror(-len) : "no answer");
		uc_delegate_free(h->delegate);
		h->delegate = NULL;
		return scan(h, comms, comm_count);
	}
	h->full = f.full;
	h->count = f.count;
	memcpy(h->programs, f.programs, f.count * sizeof(f.programs[0]));
	return f.fresh;
}

unsigned uc_hearing_scan(struct uc_hearing *h, const char *const *comms, size_t comm_count)
{
	return h->delegate ? ask(h, comms, comm_count) : scan(h, comms, comm_count);
}

int uc_hearing_delegate(struct uc_hearing *h, int (*confine)(void *ctx), void *ctx)
{
	const struct uc_delegate_config cfg = { .name = "upclose-words",
						.fd = bpf_program__fd(h->program),
						.confine = confine,
						.confine_ctx = ctx,
						.answer = answer,
						.answer_ctx = h };

	return uc_delegate_new(&cfg, &h->delegate);
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
