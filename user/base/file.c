/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_READ 4096

ssize_t uc_file_fill(int fd, void *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, (char *)buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += n;
	}
	return len;
}

/* As much more as there is room for; NULL, with *err, after a failure. */
static char *read_more(int fd, char *bytes, size_t *len, size_t room, int *err)
{
	char *more = realloc(bytes, room + 1);
	ssize_t n = more ? uc_file_fill(fd, more + *len, room - *len) : -ENOMEM;

	if (n < 0) {
		*err = n;
		free(more ? more : bytes);
		return NULL;
	}
	*len += n;
	return more;
}

int uc_file_read_fd(int fd, size_t max, char **ret, size_t *ret_len)
{
	size_t len = 0, room = FIRST_READ;
	char *bytes = NULL;
	int err;

	do {
		room = room <= max ? 2 * room : max + 1;
		bytes = read_more(fd, bytes, &len, room, &err);
		if (!bytes)
			return err;
	} while (len == room && len <= max);
	if (len > max) {
		free(bytes);
		return -EFBIG;
	}
	bytes[len] = '\0';
	*ret = bytes;
	*ret_len = len;
	return 0;
}

int uc_file_read(const char *path, size_t max, char **ret, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = uc_file_read_fd(fd, max, ret, ret_len);
	close(fd);
	return err;
}

ssize_t uc_file_start(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : uc_file_fill(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n;
}

int uc_file_read_at(int fd, void *bytes, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pread(fd, bytes, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		bytes = (char *)bytes + n;
		len -= n;
		at += n;
	}
	return 0;
}

int uc_file_write_at(int fd, const void *bytes, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, bytes, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		bytes = (const char *)bytes + n;
		len -= n;
		at += n;
	}
	return 0;
}

FILE *uc_file_stream(const char *path)
{
	return strcmp(path, "-") ? fopen(path, "rbe") : stdin;
}
