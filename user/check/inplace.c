/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/inplace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

struct target {
	char path[PATH_MAX];   /* without links */
	char backup[PATH_MAX]; /* "" until it is there */
	struct stat st;
};

__attribute__((format(printf, 3, 4))) static int fail(char why[UC_INPLACE_WHY], int err,
						      const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, UC_INPLACE_WHY, fmt, args);
	va_end(args);
	return err;
}

/* --- nginx -t -------------------------------------------------------------------------- */

/* The end of what it said. */
static int run_test(const struct uc_inplace *how, char *said, size_t size)
{
	size_t used = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		execl(how->nginx, "nginx", "-t", "-c", how->conf, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	while (pid > 0 && (n = read(fds[0], said + used, size - 1 - used)) > 0) {
		used += n;
		/* the newest half stays */
		if (used == size - 1) {
			memmove(said, said + used / 2, used - used / 2);
			used -= used / 2;
		}
	}
	said[used] = '\0';
	close(fds[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EINVAL;
}

/* nginx names file and line; a value that it quotes may be secret, so only that much is passed on. */
static int test(const struct uc_inplace *how, char *place, size_t size)
{
	char said[4096];
	const char *at, *end;
	int err = run_test(how, said, sizeof(said));

	place[0] = '\0';
	at = err ? strstr(said, " in /") : NULL;
	end = at ? at + strcspn(at, "\n") : NULL;
	if (at)
		uc_text_escape(at, end - at, place, size);
	return err;
}

/* --- files -------------------------------------------------------------------------------- */

static int same_as_read(const struct uc_nginx_file *f, const struct target *t)
{
	char *bytes;
	size_t len;
	bool same;

	if (uc_file_read(t->path, f->len, &bytes, &len))
		return -ESTALE;
	same = len == f->len && !memcmp(bytes, f->bytes, len);
	free(bytes);
	return same ? 0 : -ESTALE;
}

/* A new file beside the target, with its owner and mode. */
static int create(const char *path, const struct target *t, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), err;

	if (fd < 0)
		return -errno;
	err = uc_file_write_at(fd, bytes, len, 0);
	if (!err && fsync(fd))
		err = -errno;
	if (!err && (fchown(fd, t->st.st_uid, t->st.st_gid) || fchmod(fd, t->st.st_mode & 07777)))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (err)
		unlink(path);
	return err;
}

/* "/dir/.NAME.upclose-WHAT" */
static int beside(const char *path, const char *what, char ret[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int n = snprintf(ret, PATH_MAX, "%.*s.%s.upclose-%s", (int)(slash + 1 - path), path,
			 slash + 1, what);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int replace(const struct uc_fix *x, size_t i, struct target *t, const char *stamp)
{
	const struct uc_nginx_file *f = uc_fix_file(x, i);
	char next[PATH_MAX], *bytes;
	size_t len;
	int err;

	bytes = uc_fix_bytes(x, i, &len);
	if (!bytes)
		return -ENOMEM;
	err = beside(t->path, stamp, t->backup);
	err = err ? err : beside(t->path, "new", next);
	err = err ? err : create(t->backup, t, f->bytes, f->len);
	if (err)
		t->backup[0] = '\0';
	err = err ? err : create(next, t, bytes, len);
	if (!err && rename(next, t->path)) {
		err = -errno;
		unlink(next);
	}
	free(bytes);
	return err;
}

/* Failing here is said at once: the backup is then all that there is. */
static void put_back(struct target *t, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (t[i].backup[0] && rename(t[i].backup, t[i].path))
			uc_error("cannot put %s back: %s; what it was is in %s", t[i].path,
				 strerror(errno), t[i].backup);
}

static int prepare(const struct uc_fix *x, struct target *t, char why[UC_INPLACE_WHY])
{
	for (size_t i = 0; i < uc_fix_files(x); i++) {
		const struct uc_nginx_file *f = uc_fix_file(x, i);

		if (!realpath(f->path, t[i].path) || stat(t[i].path, &t[i].st))
			return fail(why, -errno, "%s: %s", f->path, strerror(errno));
		if (same_as_read(f, &t[i]))
			return fail(why, -ESTALE, "%s has changed since it was read: check again",
				    f->path);
	}
	return 0;
}

static int write_all(const struct uc_fix *x, struct target *t, char why[UC_INPLACE_WHY])
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	for (size_t i = 0; i < uc_fix_files(x); i++) {
		int err = replace(x, i, &t[i], stamp);

		if (err)
			return fail(why, err, "%s cannot be written: %s", t[i].path,
				    strerror(-err));
	}
	return 0;
}

int uc_inplace_write(const struct uc_fix *x, const struct uc_inplace *how, char why[UC_INPLACE_WHY])
{
	size_t count = uc_fix_files(x);
	struct target *t = calloc(count ? count : 1, sizeof(*t));
	char place[256];
	int err;

	if (!t)
		return fail(why, -ENOMEM, "out of memory");
	err = prepare(x, t, why);
	if (!err && test(how, place, sizeof(place)))
		err = fail(
			why, -EINVAL,
			"`%s -t -c %s` fails before any change%s: correct that first; nothing was written",
			how->nginx, how->conf, place);
	if (!err) {
		err = write_all(x, t, why);
		if (!err && test(how, place, sizeof(place)))
			err = fail(why, -EINVAL,
				   "`%s -t -c %s` refuses the changed configuration%s: every file "
				   "was put back",
				   how->nginx, how->conf, place);
		if (err)
			put_back(t, count);
	}
	for (size_t i = 0; i < count && !err; i++)
		uc_note("wrote %s; what it was is in %s", t[i].path, t[i].backup);
	free(t);
	return err;
}
