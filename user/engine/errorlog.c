/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/errorlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

/* Lines that wait for their connection. */
#define WAITING 512
/* nginx's times are whole seconds of its cached clock; a blocked worker's are older. */
#define TOLERANCE_S 5

struct waiting {
	bool used;
	uint64_t order;
	time_t at;
	struct uc_error_line line;
};

struct uc_errorlog {
	char *path;
	int fd; /* -1: it is gone, until the path is there again */
	ino_t inode;
	dev_t dev;
	off_t offset;
	bool skipping; /* the rest of a line that was too long */
	size_t partial;
	char buf[4 * UC_ERROR_LINE_MAX];
	uint64_t count;
	struct uc_errorlog_stats stats;
	struct uc_error_line found;
	struct waiting waiting[WAITING];
};

static int open_log(struct uc_errorlog *log, bool from_start)
{
	struct stat st;

	log->fd = open(log->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (log->fd < 0)
		return -errno;
	if (fstat(log->fd, &st) || !S_ISREG(st.st_mode)) {
		close(log->fd);
		log->fd = -1;
		return -EINVAL;
	}
	log->inode = st.st_ino;
	log->dev = st.st_dev;
	log->offset = from_start ? 0 : st.st_size;
	log->partial = 0;
	log->skipping = false;
	return 0;
}

int uc_errorlog_new(const char *path, bool from_start, struct uc_errorlog **ret)
{
	struct uc_errorlog *log = calloc(1, sizeof(*log));
	int err = -ENOMEM;

	if (!log)
		return err;
	log->fd = -1;
	log->path = strdup(path);
	if (log->path)
		err = open_log(log, from_start);
	if (err) {
		uc_errorlog_free(log);
		return err;
	}
	*ret = log;
	return 0;
}

void uc_errorlog_free(struct uc_errorlog *log)
{
	if (!log)
		return;
	if (log->fd >= 0)
		close(log->fd);
	free(log->path);
	free(log);
}

static struct waiting *oldest_or_free(struct uc_errorlog *log)
{
	struct waiting *oldest = &log->waiting[0];

	for (size_t i = 0; i < WAITING; i++) {
		struct waiting *w = &log->waiting[i];

		if (!w->used)
			return w;
		if (w->order < oldest->order)
			oldest = w;
	}
	log->stats.dropped++;
	return oldest;
}

static void take_line(struct uc_errorlog *log, const char *line, size_t len)
{
	struct waiting *w;
	struct tm tm = { .tm_isdst = -1 };

	if (!uc_error_line_parse(line, len, &log->found))
		return;
	w = oldest_or_free(log);
	/* parsed once more, as its slices point into itself */
	uc_error_line_parse(line, len, &w->line);
	tm.tm_year = w->line.year - 1900;
	tm.tm_mon = w->line.month - 1;
	tm.tm_mday = w->line.day;
	tm.tm_hour = w->line.hour;
	tm.tm_min = w->line.minute;
	tm.tm_sec = w->line.second;
	w->at = mktime(&tm);
	w->used = true;
	w->order = log->count++;
	log->stats.lines++;
}

/* Takes whole lines out of the buffer; the rest of it waits for its newline. */
static void take_lines(struct uc_errorlog *log)
{
	char *start = log->buf, *end = log->buf + log->partial, *newline;

	while ((newline = memchr(start, '\n', end - start))) {
		if (!log->skipping)
			take_line(log, start, newline - start);
		log->skipping = false;
		start = newline + 1;
	}
	log->partial = end - start;
	memmove(log->buf, start, log->partial);
	if (log->partial == sizeof(log->buf)) {
		log->skipping = true;
		log->partial = 0;
	}
}

static void read_on(struct uc_errorlog *log)
{
	ssize_t n;

	while ((n = pread(log->fd, log->buf + log->partial, sizeof(log->buf) - log->partial,
			  log->offset)) > 0) {
		log->offset += n;
		log->partial += n;
		take_lines(log);
	}
}

void uc_errorlog_poll(struct uc_errorlog *log)
{
	struct stat st;

	if (log->fd >= 0) {
		/* truncated in place, as copytruncate does */
		if (!fstat(log->fd, &st) && st.st_size < log->offset) {
			log->offset = 0;
			log->partial = 0;
		}
		read_on(log);
		if (!stat(log->path, &st) && st.st_ino == log->inode && st.st_dev == log->dev)
			return;
		/* moved away: nginx writes to the old file until it has opened the new one */
		if (stat(log->path, &st) || !st.st_size)
			return;
		close(log->fd);
	}
	if (!open_log(log, true))
		read_on(log);
}

static bool slice_is(struct uc_slice s, const char *text, size_t len)
{
	return s.p && s.len == len && !memcmp(s.p, text, len);
}

static bool fits(const struct waiting *w, const struct uc_facts *f, const char *peer, time_t at)
{
	const struct uc_conn *c = f->nginx;

	if (!w->used || (w->line.pid != c->owner.tgid && w->line.pid != c->closer.tgid))
		return false;
	if (!slice_is(w->line.peer, peer, strlen(peer)))
		return false;
	if (w->at > at + TOLERANCE_S || w->at < at - TOLERANCE_S)
		return false;
	/* before there is a request on the connection, the peer has to do */
	return !f->request.target || f->request.target_cut ||
	       slice_is(w->line.path, f->request.target, f->request.target_len);
}

const struct uc_error_line *uc_errorlog_match(struct uc_errorlog *log, const struct uc_facts *f,
					      uint64_t wall_ns, bool expected)
{
	const struct uc_tuple *t = &f->nginx->tuple;
	struct waiting *first = NULL;
	char peer[UC_ADDR_LEN];

	uc_errorlog_poll(log);
	uc_text_endpoint(t->remote_addr, t->family, t->remote_port, peer);
	for (size_t i = 0; i < WAITING; i++) {
		struct waiting *w = &log->waiting[i];

		if (fits(w, f, peer, wall_ns / 1000000000) && (!first || w->order < first->order))
			first = w;
	}
	if (!first) {
		log->stats.without_line += expected;
		return NULL;
	}
	first->used = false;
	log->stats.matched++;
	uc_error_line_parse(first->line.text, first->line.len, &log->found);
	return &log->found;
}

struct uc_errorlog_stats uc_errorlog_stats(const struct uc_errorlog *log, uint64_t now_wall_ns)
{
	struct uc_errorlog_stats s = log->stats;

	s.without_connection = s.dropped;
	for (size_t i = 0; i < WAITING; i++)
		s.without_connection += log->waiting[i].used &&
					(uint64_t)log->waiting[i].at + TOLERANCE_S <=
						now_wall_ns / 1000000000;
	return s;
}
