/* SPDX-License-Identifier: BSD-2-Clause */
#include "alert/journald.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const struct sockaddr_un journal = { .sun_family = AF_UNIX, .sun_path = UC_JOURNALD_SOCKET };

/* "NAME=value", or where the value has lines of its own the name, its length and it. */
static void put_field(FILE *out, const struct iovec *f)
{
	const char *text = f->iov_base, *value = memchr(text, '=', f->iov_len);
	uint64_t len;

	if (!value)
		return;
	len = f->iov_len - (++value - text);
	if (!memchr(value, '\n', len)) {
		fwrite(text, 1, f->iov_len, out);
	} else {
		fwrite(text, 1, value - text - 1, out);
		fputc('\n', out);
		fwrite(&(uint64_t){ htole64(len) }, 1, sizeof(len), out);
		fwrite(value, 1, len, out);
	}
	fputc('\n', out);
}

static char *entry_of(const struct iovec *fields, size_t count, size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < count; i++)
		put_field(out, &fields[i]);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static int send_file(int socket, int file)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct msghdr m = { .msg_name = (void *)&journal,
			    .msg_namelen = sizeof(journal),
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &file, sizeof(int));
	return sendmsg(socket, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* An entry too large for a datagram goes as a file that nobody changes any more. */
static int send_large(int socket, const char *entry, size_t len)
{
	int file = memfd_create("journal-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING), err;

	if (file < 0)
		return -errno;
	err = uc_file_write_at(file, entry, len, 0);
	if (!err && fcntl(file, F_ADD_SEALS, SEALS))
		err = -errno;
	if (!err)
		err = send_file(socket, file);
	close(file);
	return err;
}

int uc_journald_write(const struct iovec *fields, size_t count)
{
	size_t len;
	char *entry = entry_of(fields, count, &len);
	int fd = entry ? socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1, err = 0;

	if (fd < 0) {
		err = entry ? -errno : -ENOMEM;
		free(entry);
		return err;
	}
	if (sendto(fd, entry, len, MSG_NOSIGNAL, (struct sockaddr *)&journal, sizeof(journal)) < 0)
		err = errno == EMSGSIZE || errno == ENOBUFS ? send_large(fd, entry, len) : -errno;
	close(fd);
	free(entry);
	return err;
}
