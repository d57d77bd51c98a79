/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A line of a container's log holds 16 KiB, in JSON with its escapes. */
#define LINE_MAX_BYTES (64 << 10)

struct uc_follow {
	char *path;
	int fd;      /* -1: it is gone, until the path is there again */
	bool whole;  /* a stream is read to its end at once */
	bool stream; /* without a position, and without another that takes its place */
	ino_t inode;
	dev_t dev;
	off_t offset;
	bool skipping; /* the rest of a line that was too long */
	size_t partial;
	char buf[LINE_MAX_BYTES];
};

static bool is_own_stderr(const struct stat *st)
{
	struct stat own;

	return !fstat(STDERR_FILENO, &own) && own.st_ino == st->st_ino && own.st_dev == st->st_dev;
}

static int take_file(struct uc_follow *f, bool from_start)
{
	struct stat st;

	if (fstat(f->fd, &st))
		return -errno;
	if ((!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) || is_own_stderr(&st))
		return -EINVAL;
	f->stream = S_ISFIFO(st.st_mode);
	f->inode = st.st_ino;
	f->dev = st.st_dev;
	f->offset = from_start ? 0 : st.st_size;
	f->partial = 0;
	f->skipping = false;
	return 0;
}

static int open_path(struct uc_follow *f, bool from_start)
{
	int err;

	f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0)
		return -errno;
	err = take_file(f, from_start);
	if (err) {
		close(f->fd);
		f->fd = -1;
	}
	return err;
}

static int open_stdin(struct uc_follow *f)
{
	f->stream = true;
	f->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	return f->fd < 0 ? -errno : 0;
}

int uc_follow_new(const char *path, bool from_start, struct uc_follow **ret)
{
	struct uc_follow *f = calloc(1, sizeof(*f));
	int err = -ENOMEM;

	if (!f)
		return err;
	f->fd = -1;
	f->whole = from_start;
	f->path = strdup(path);
	if (f->path)
		err = strcmp(path, "-") ? open_path(f, from_start) : open_stdin(f);
	if (err) {
		uc_follow_free(f);
		return err;
	}
	*ret = f;
	return 0;
}

void uc_follow_free(struct uc_follow *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f);
}

/* Takes whole lines out of the buffer; the rest of it waits for its newline. */
static void take_lines(struct uc_follow *f, void (*one)(void *, const char *, size_t), void *ctx)
{
	char *start = f->buf, *end = f->buf + f->partial, *newline;

	while ((newline = memchr(start, '\n', end - start))) {
		if (!f->skipping)
			one(ctx, start, newline - start);
		f->skipping = false;
		start = newline + 1;
	}
	f->partial = end - start;
	memmove(f->buf, start, f->partial);
	if (f->partial == sizeof(f->buf)) {
		f->skipping = true;
		f->partial = 0;
	}
}

/* Standard input is shared with others and not to be made non-blocking: it is asked first. */
static ssize_t read_some(struct uc_follow *f)
{
	char *at = f->buf + f->partial;
	size_t room = sizeof(f->buf) - f->partial;
	struct pollfd fd = { .fd = f->fd, .events = POLLIN };
	ssize_t n;

	if (f->stream)
		return poll(&fd, 1, f->whole ? -1 : 0) > 0 && (fd.revents & POLLIN) ?
			       read(f->fd, at, room) :
			       0;
	n = pread(f->fd, at, room, f->offset);
	if (n > 0)
		f->offset += n;
	return n;
}

static void read_on(struct uc_follow *f, void (*one)(void *, const char *, size_t), void *ctx)
{
	ssize_t n;

	while ((n = read_some(f)) > 0) {
		f->partial += n;
		take_lines(f, one, ctx);
	}
}

/* Truncated in place, as copytruncate does. */
static void see_truncation(struct uc_follow *f)
{
	struct stat st;

	if (fstat(f->fd, &st) || st.st_size >= f->offset)
		return;
	f->offset = 0;
	f->partial = 0;
}

/* Moved away: nginx writes to the old file until it has opened the new one. */
static bool has_successor(const struct uc_follow *f)
{
	struct stat st;

	return !stat(f->path, &st) && (st.st_ino != f->inode || st.st_dev != f->dev) &&
	       (st.st_size || S_ISFIFO(st.st_mode));
}

void uc_follow_poll(struct uc_follow *f, void (*one)(void *ctx, const char *line, size_t len),
		    void *ctx)
{
	if (f->fd >= 0) {
		if (!f->stream)
			see_truncation(f);
		read_on(f, one, ctx);
		if (f->stream || !has_successor(f))
			return;
		close(f->fd);
		f->fd = -1;
	}
	if (!open_path(f, true))
		read_on(f, one, ctx);
}
