/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"

#define MAGIC 0x314c4f4f50534355ULL /* "UCSPOOL1" */

struct head {
	uint64_t magic;
	uint64_t oldest; /* offset of the oldest record */
	uint32_t crc;    /* of the two */
	uint32_t reserved;
};

struct record {
	uint32_t len;
	uint32_t crc; /* of len and the bytes */
};

struct uc_spool {
	char *path;
	int fd;
	uint64_t max_bytes;
	uint64_t oldest, end; /* offsets */
	uint64_t count;
};

static uint32_t crc_of(uint32_t len, const void *bytes)
{
	return crc32(crc32(0, (const Bytef *)&len, sizeof(len)), bytes, len);
}

static uint32_t head_crc(const struct head *h)
{
	return crc32(0, (const Bytef *)h, offsetof(struct head, crc));
}

static int write_head(int fd, uint64_t oldest)
{
	struct head h = { .magic = MAGIC, .oldest = oldest };

	h.crc = head_crc(&h);
	return uc_file_write_at(fd, &h, sizeof(h), 0);
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

	return fd < 0 ? -errno : fd;
}

/* A rename is there after a crash only when the folder is written. */
static void sync_folder(const char *path)
{
	char folder[PATH_MAX];
	char *slash;
	int fd;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/* --- reading ---------------------------------------------------------------------- */

static int read_record(const struct uc_spool *s, uint64_t at, char **ret, struct record *rec)
{
	if (s->end - at < sizeof(*rec) || uc_file_read_at(s->fd, rec, sizeof(*rec), at) ||
	    rec->len > UC_SPOOL_RECORD_MAX || rec->len > s->end - at - sizeof(*rec))
		return -EBADMSG;
	*ret = malloc(rec->len + 1);
	if (!*ret)
		return -ENOMEM;
	if (uc_file_read_at(s->fd, *ret, rec->len, at + sizeof(*rec)) ||
	    crc_of(rec->len, *ret) != rec->crc) {
		free(*ret);
		*ret = NULL;
		return -EBADMSG;
	}
	(*ret)[rec->len] = '\0';
	return 0;
}

int uc_spool_read(const struct uc_spool *s, uint64_t *at, char **ret, size_t *ret_len)
{
	uint64_t from = *at ? *at : s->oldest;
	struct record rec;
	int err;

	if (from >= s->end)
		return -ENOENT;
	err = read_record(s, from, ret, &rec);
	if (err)
		return err;
	*ret_len = rec.len;
	*at = from + sizeof(rec) + rec.len;
	return 0;
}

/* Counts the whole records from the oldest; where the first damaged one begins, or the end. */
static int scan(struct uc_spool *s, uint64_t *ret_whole, uint64_t *ret_count)
{
	uint64_t at = s->oldest;
	struct record rec;
	char *bytes;
	int err = 0;

	*ret_count = 0;
	while (at < s->end) {
		err = read_record(s, at, &bytes, &rec);
		if (err)
			break;
		free(bytes);
		at += sizeof(rec) + rec.len;
		++*ret_count;
	}
	*ret_whole = at;
	return err == -ENOMEM ? err : 0;
}

/* --- a new file -------------------------------------------------------------------- */

static int copy(int from, uint64_t at, uint64_t end, int to, uint64_t to_at)
{
	char buf[65536];

	while (at < end) {
		size_t n = end - at < sizeof(buf) ? end - at : sizeof(buf);
		int err = uc_file_read_at(from, buf, n, at);

		err = err ? err : uc_file_write_at(to, buf, n, to_at);
		if (err)
			return err;
		at += n;
		to_at += n;
	}
	return 0;
}

/* Puts a file with what lies before `whole` in place of this one, which stays as .damaged if asked for. */
static int renew(struct uc_spool *s, uint64_t whole, bool keep_old)
{
	char new[PATH_MAX], old[PATH_MAX];
	int fd, err;

	if (snprintf(new, sizeof(new), "%s.new", s->path) >= (int)sizeof(new) ||
	    snprintf(old, sizeof(old), "%s.damaged", s->path) >= (int)sizeof(old))
		return -ENAMETOOLONG;
	fd = open_file(new, O_TRUNC);
	if (fd < 0)
		return fd;
	err = write_head(fd, sizeof(struct head));
	err = err ? err : copy(s->fd, s->oldest, whole, fd, sizeof(struct head));
	if (!err && fsync(fd))
		err = -errno;
	if (!err && keep_old && rename(s->path, old))
		err = -errno;
	if (!err && rename(new, s->path))
		err = -errno;
	if (err) {
		close(fd);
		unlink(new);
		return err;
	}
	sync_folder(s->path);
	close(s->fd);
	s->fd = fd;
	s->end = sizeof(struct head) + whole - s->oldest;
	s->oldest = sizeof(struct head);
	return 0;
}

int uc_spool_set_aside(struct uc_spool *s, uint64_t *ret_lost)
{
	uint64_t whole, count;
	int err = scan(s, &whole, &count);

	err = err ? err : renew(s, whole, true);
	if (err)
		return err;
	*ret_lost = s->count > count ? s->count - count : 0;
	s->count = count;
	return 0;
}

/* --- opening ------------------------------------------------------------------------- */

static int load(struct uc_spool *s, bool *ret_damaged)
{
	struct head h;
	struct stat st;
	uint64_t whole = 0;
	int err;

	if (fstat(s->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	s->oldest = sizeof(h);
	s->end = st.st_size;
	if (!st.st_size) {
		s->end = sizeof(h);
		return write_head(s->fd, sizeof(h));
	}
	if (s->end < sizeof(h) || uc_file_read_at(s->fd, &h, sizeof(h), 0) || h.magic != MAGIC) {
		/* nothing of it can be trusted */
		s->end = s->end < sizeof(h) ? sizeof(h) : s->end;
		*ret_damaged = true;
		return renew(s, s->oldest, true);
	}
	/* a head that is half written tells no offset: what was dropped already comes again */
	if (h.crc == head_crc(&h) && h.oldest >= sizeof(h) && h.oldest <= s->end)
		s->oldest = h.oldest;
	/* an offset behind the end must not come to lie within what is written next */
	err = write_head(s->fd, s->oldest);
	err = err ? err : scan(s, &whole, &s->count);
	if (err || whole == s->end)
		return err;
	*ret_damaged = true;
	return renew(s, whole, true);
}

int uc_spool_open(const char *path, uint64_t max_bytes, struct uc_spool **ret, bool *ret_damaged)
{
	struct uc_spool *s = calloc(1, sizeof(*s));
	int err;

	*ret_damaged = false;
	if (!s)
		return -ENOMEM;
	s->max_bytes = max_bytes;
	s->path = strdup(path);
	s->fd = s->path ? open_file(path, 0) : -ENOMEM;
	err = s->fd < 0 ? s->fd : load(s, ret_damaged);
	if (err) {
		uc_spool_close(s);
		return err;
	}
	*ret = s;
	return 0;
}

void uc_spool_close(struct uc_spool *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->path);
	free(s);
}

/* --- writing ------------------------------------------------------------------------- */

/* Whatever stood behind the end is no more. */
static void cut(struct uc_spool *s)
{
	if (ftruncate(s->fd, s->end))
		return; /* the next record is written over it */
}

int uc_spool_drop(struct uc_spool *s, uint64_t count)
{
	struct record rec;

	while (count-- && s->oldest < s->end) {
		if (uc_file_read_at(s->fd, &rec, sizeof(rec), s->oldest) ||
		    rec.len > s->end - s->oldest - sizeof(rec))
			return -EBADMSG;
		s->oldest += sizeof(rec) + rec.len;
		s->count--;
	}
	if (s->oldest == s->end) {
		/* first the records, then the head: a head that points behind the end is no harm */
		s->oldest = s->end = sizeof(struct head);
		cut(s);
	}
	return write_head(s->fd, s->oldest);
}

/* Room for a record of so many bytes, at the cost of the oldest. */
static int make_room(struct uc_spool *s, uint64_t bytes, uint64_t *ret_lost)
{
	uint64_t before = s->count;
	int err = 0;

	if (s->end + bytes <= s->max_bytes)
		return 0;
	/* a quarter at once, so that a full file is not written anew for each record */
	while (!err && s->count &&
	       sizeof(struct head) + s->end - s->oldest + bytes > s->max_bytes / 4 * 3)
		err = uc_spool_drop(s, 1);
	*ret_lost += before - s->count;
	if (!err && s->oldest > sizeof(struct head))
		err = renew(s, s->end, false);
	return err;
}

int uc_spool_push(struct uc_spool *s, const void *bytes, size_t len, bool durable,
		  uint64_t *ret_lost)
{
	struct record rec = { .len = len };
	uint64_t size = sizeof(rec) + len;
	char *buf;
	int err;

	*ret_lost = 0;
	if (len > UC_SPOOL_RECORD_MAX || sizeof(struct head) + size > s->max_bytes / 4 * 3)
		return -EMSGSIZE;
	err = make_room(s, size, ret_lost);
	if (err)
		return err;
	buf = malloc(size);
	if (!buf)
		return -ENOMEM;
	rec.crc = crc_of(rec.len, bytes);
	memcpy(buf, &rec, sizeof(rec));
	memcpy(buf + sizeof(rec), bytes, len);
	err = uc_file_write_at(s->fd, buf, size, s->end);
	free(buf);
	if (!err && durable && fdatasync(s->fd))
		err = -errno;
	if (err) {
		cut(s);
		return err;
	}
	s->end += size;
	s->count++;
	return 0;
}

uint64_t uc_spool_count(const struct uc_spool *s)
{
	return s->count;
}

uint64_t uc_spool_bytes(const struct uc_spool *s)
{
	return s->end - s->oldest;
}
