/* SPDX-License-Identifier: BSD-2-Clause */
/* Each test gives up its privilege in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "build.h"
#include "daemon/privilege.h"
#include "base/log.h"

int uc_log_verbosity;
static unsigned said;

void uc_error(const char *fmt, ...)
{
	assert_true(*fmt);
	said++;
}

void uc_note(const char *fmt, ...)
{
	assert_true(*fmt);
	said++;
}

static bool yes(void *ctx)
{
	(void)ctx;
	return true;
}

static bool no(void *ctx)
{
	(void)ctx;
	return false;
}

/* The first of the expectations that does not hold, by its line; 0: all do. */
#define EXPECT(x)                        \
	do {                             \
		if (!(x))                \
			return __LINE__; \
	} while (0)

static bool refused(long nr, long a, long b)
{
	errno = 0;
	return syscall(nr, a, b, 0, 0, 0, 0) == -1 && errno == EPERM;
}

static int drop(bool (*works)(void *ctx))
{
	struct uc_user u;

	EXPECT(!uc_user_find("nobody", &u));
	EXPECT(!uc_privilege_drop(&u, works, NULL));
	return 0;
}

static unsigned long long capabilities(const char *field)
{
	unsigned long long caps = ~0ULL;
	char line[128];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)))
			caps = strtoull(line + strlen(field), NULL, 16);
	if (f)
		fclose(f);
	return caps;
}

static int calls(void)
{
	int r = drop(yes);

	EXPECT(!r);
	EXPECT(refused(SYS_ptrace, PTRACE_ATTACH, getppid()));
	EXPECT(refused(SYS_process_vm_readv, getppid(), 0));
	EXPECT(refused(SYS_perf_event_open, 0, 0));
	EXPECT(refused(SYS_unshare, CLONE_NEWUSER, 0));
	EXPECT(refused(SYS_mount, 0, 0));
	EXPECT(refused(SYS_bpf, BPF_PROG_LOAD, 0));
	EXPECT(refused(SYS_bpf, BPF_MAP_CREATE, 0));
	EXPECT(refused(SYS_bpf, BPF_MAP_UPDATE_ELEM, 0));
	EXPECT(refused(SYS_bpf, 1000, 0));
	/* reading what is open is not refused by the filter: the argument is looked at */
	EXPECT(syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, 0, 0) < 0 && errno != EPERM);
	EXPECT(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	EXPECT(open("/proc/self/stat", O_RDONLY) >= 0);
	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	return 0;
}

static int identity(void)
{
	struct rlimit core;
	int r = drop(yes);

	EXPECT(!r);
	EXPECT(getuid() == 65534 && geteuid() == 65534 && getgid() == 65534);
	EXPECT(setuid(0) == -1 && errno == EPERM);
	EXPECT(!(capabilities("CapPrm:") & ~(1ULL << 19)));
	EXPECT(!capabilities("CapBnd:") && !capabilities("CapInh:"));
	EXPECT(open("/etc/shadow", O_RDONLY) < 0);
	EXPECT(!getrlimit(RLIMIT_CORE, &core) && !core.rlim_max);
	return 0;
}

/* Where the kernel asks for CAP_BPF, it is kept, and nothing else. */
static int old_kernel(void)
{
	unsigned long long had = capabilities("CapPrm:");
	int r = drop(no);

	EXPECT(!r);
	EXPECT(capabilities("CapEff:") == (had & (1ULL << 19 | 1ULL << 39)));
	return 0;
}

static void in_child(int (*test)(void))
{
	int status;
	pid_t pid;

	if (geteuid())
		skip();
	pid = fork();
	if (!pid)
		_exit(test() & 255);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("status %x; the line modulo 256 is %d", status, WEXITSTATUS(status));
}

static void test_calls(void **state)
{
	(void)state;
	in_child(calls);
}

static void test_identity(void **state)
{
	(void)state;
	in_child(identity);
}

static void test_old_kernel(void **state)
{
	(void)state;
	in_child(old_kernel);
}

static void test_users(void **state)
{
	struct uc_user u;

	(void)state;
	said = 0;
	assert_int_equal(uc_user_find("no-such-user", &u), -ENOENT);
	assert_int_equal(said, 1);
	assert_int_equal(uc_user_find(NULL, &u), 0);
	assert_true(u.uid != 0);
	assert_true(!strcmp(u.name, "upclose") || !strcmp(u.name, "nobody"));
	assert_int_equal(uc_user_find("root", &u), 0);
	assert_int_equal(u.uid, 0);
}

static void test_group_of_file(void **state)
{
	char path[] = "/tmp/upclose-test-XXXXXX";
	struct uc_user u = { .uid = 1 };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	uc_user_join_group_of(&u, "/nowhere");
	assert_int_equal(u.group_count, 0);
	if (!geteuid()) {
		assert_int_equal(fchown(fd, 0, 4), 0);
		assert_int_equal(fchmod(fd, 0600), 0);
		uc_user_join_group_of(&u, path);
		assert_int_equal(u.group_count, 0); /* the group may not read it */
		assert_int_equal(fchmod(fd, 0640), 0);
		uc_user_join_group_of(&u, path);
		uc_user_join_group_of(&u, path);
		assert_int_equal(u.group_count, 1);
		assert_int_equal(u.groups[0], 4);
		assert_int_equal(fchown(fd, 0, 0), 0);
		uc_user_join_group_of(&u, path);
		assert_int_equal(u.group_count, 1); /* never root's */
	}
	close(fd);
	unlink(path);
}

static void test_folder(void **state)
{
	char path[] = "/tmp/upclose-test-XXXXXX", folder[64], link[64];
	struct uc_user u = { .uid = getuid() ? getuid() : 65534, .gid = getgid() };
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(folder, sizeof(folder), "%s/state", path);
	snprintf(link, sizeof(link), "%s/link", path);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(uc_user_own_folder(&u, folder), 0);
		assert_int_equal(stat(folder, &st), 0);
		assert_int_equal(st.st_uid, u.uid);
		assert_int_equal(st.st_mode & 0777, 0700);
	}
	/* not through a link that somebody left there */
	said = 0;
	assert_int_equal(symlink(folder, link), 0);
	assert_int_not_equal(uc_user_own_folder(&u, link), 0);
	assert_int_not_equal(uc_user_own_folder(&u, "/nowhere/at/all"), 0);
	assert_int_equal(said, 2);
	unlink(link);
	rmdir(folder);
	rmdir(path);
}

static uid_t owner(int folder, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_uid;
}

static void make_file(int folder, const char *name)
{
	int fd = openat(folder, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/* systemd gives all of a StateDirectory= to root before each start: what the daemon keeps there is its user's again. */
static void test_what_is_kept(void **state)
{
	static const char *const files[] = { "firing", "sinks/a.spool", "sinks/deep/file",
					     "twice" };
	char path[] = "/tmp/upclose-test-XXXXXX";
	struct uc_user u = { .uid = 65534, .gid = 65534 };
	int fd;

	(void)state;
	if (getuid())
		skip();
	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(fd, "sinks", 0700), 0);
	assert_int_equal(mkdirat(fd, "sinks/deep", 0700), 0);
	for (size_t i = 0; i < COUNT(files); i++)
		make_file(fd, files[i]);
	assert_int_equal(linkat(fd, "twice", fd, "another", 0), 0);
	assert_int_equal(symlinkat("firing", fd, "link"), 0);

	assert_int_equal(uc_user_own_folder(&u, path), 0);
	assert_int_equal(owner(fd, "."), u.uid);
	assert_int_equal(owner(fd, "firing"), u.uid);
	assert_int_equal(owner(fd, "sinks"), u.uid);
	assert_int_equal(owner(fd, "sinks/a.spool"), u.uid);
	/* what may be somebody else's, and what the daemon never made */
	assert_int_equal(owner(fd, "twice"), 0);
	assert_int_equal(owner(fd, "link"), 0);
	assert_int_equal(owner(fd, "sinks/deep"), 0);
	assert_int_equal(owner(fd, "sinks/deep/file"), 0);

	for (size_t i = 0; i < COUNT(files); i++)
		unlinkat(fd, files[i], 0);
	unlinkat(fd, "another", 0);
	unlinkat(fd, "link", 0);
	unlinkat(fd, "sinks/deep", AT_REMOVEDIR);
	unlinkat(fd, "sinks", AT_REMOVEDIR);
	close(fd);
	assert_int_equal(rmdir(path), 0);
}

static void test_users_by_number(void **state)
{
	struct uc_user u;

	(void)state;
	assert_int_equal(uc_user_find("65532", &u), 0);
	assert_string_equal(u.name, "65532");
	assert_true(u.uid == 65532 && u.gid == 65532);
	assert_int_equal(uc_user_find("no-such-user", &u), -ENOENT);
	assert_int_equal(uc_user_find("4294967295", &u), -ENOENT); /* no user: setresuid(2) */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),         cmocka_unit_test(test_identity),
		cmocka_unit_test(test_old_kernel),    cmocka_unit_test(test_users),
		cmocka_unit_test(test_group_of_file), cmocka_unit_test(test_folder),
		cmocka_unit_test(test_what_is_kept),  cmocka_unit_test(test_users_by_number),
	};

	return cmocka_run_group_tests_name("privilege", tests, NULL, NULL);
}
