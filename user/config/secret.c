/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static int read_file(const char *path, char buf[UC_SECRET_LEN])
{
	/* not to wait for whoever opens the other end of a pipe */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len;

	if (fd < 0)
		return -errno;
	len = uc_file_fill(fd, buf, UC_SECRET_LEN);
	close(fd);
	if (len < 0)
		return len;
	if (len == UC_SECRET_LEN)
		return -EBADMSG;
	buf[len] = '\0';
	return 0;
}

int uc_secret_read(const char *file, const char *env, char buf[UC_SECRET_LEN])
{
	const char *value = env ? getenv(env) : NULL;
	int err = 0;

	buf[0] = '\0';
	if (file)
		err = read_file(file, buf);
	else if (!value)
		err = -ENOENT;
	else if (strlen(value) >= UC_SECRET_LEN)
		err = -EBADMSG;
	else
		memcpy(buf, value, strlen(value) + 1);
	if (err)
		return err;
	buf[strcspn(buf, "\r\n")] = '\0';
	if (!*buf)
		return -ENODATA;
	for (const char *c = buf; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return -EBADMSG;
	return 0;
}

void uc_secret_fault(int err, const char *file, const char *env, char *buf, size_t size)
{
	snprintf(buf, size, "%s %s: %s", file ? "the file" : "the environment's", file ? file : env,
		 err == -ENODATA         ? "is empty" :
		 err == -EBADMSG         ? "is too long, or has control characters" :
		 err == -ENOENT && !file ? "is not set" :
					   strerror(-err));
}
