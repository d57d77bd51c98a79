/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of any content, then work with it: what is read is what was pushed, or was whole before. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE 8192

static char folder[64];

static void remove_folder(void)
{
	static const char *const names[] = { "a", "a.damaged", "a.new" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

static void check(int ok)
{
	if (!ok)
		abort();
}

static const char *path_of_spool(void)
{
	static char path[128];

	if (!path[0]) {
		strcpy(folder, "/dev/shm/upclose-fuzz-XXXXXX");
		check(mkdtemp(folder) != NULL);
		atexit(remove_folder);
		snprintf(path, sizeof(path), "%s/a", folder);
	}
	return path;
}

static void put(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	check(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static uint64_t read_through(const struct uc_spool *s)
{
	uint64_t at = 0, n = 0;
	size_t len;
	char *bytes;

	while (!uc_spool_read(s, &at, &bytes, &len)) {
		check(len <= UC_SPOOL_RECORD_MAX && bytes[len] == '\0');
		free(bytes);
		n++;
	}
	return n;
}

static void work(struct uc_spool *s, const uint8_t *data, size_t size)
{
	uint64_t lost, before;

	for (size_t i = 0; i < size && i < 64; i++) {
		size_t len = data[i] * 16;

		before = uc_spool_count(s);
		if (data[i] & 1) {
			check(!uc_spool_push(s, data, len < size ? len : size, false, &lost));
			check(uc_spool_count(s) == before + 1 - lost);
		} else {
			check(!uc_spool_drop(s, data[i] / 32));
			check(uc_spool_count(s) <= before);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = path_of_spool();
	size_t half = size / 2;
	struct uc_spool *s;
	uint64_t count;
	bool damaged;

	if (size > 4096)
		return 0;
	put(path, data, half);
	check(!uc_spool_open(path, SIZE, &s, &damaged));
	check(read_through(s) == uc_spool_count(s));
	work(s, data + half, size - half);
	count = uc_spool_count(s);
	check(read_through(s) == count);
	uc_spool_close(s);
	/* whatever it was, it is whole now */
	check(!uc_spool_open(path, SIZE, &s, &damaged));
	check(!damaged && uc_spool_count(s) == count);
	uc_spool_close(s);
	return 0;
}
