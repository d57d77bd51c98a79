/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/privilege.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "base/log.h"
#include "base/number.h"
#include "base/util.h"

/* linux/capability.h of older systems ends before it. */
#ifndef CAP_BPF
#define CAP_PERFMON 38
#define CAP_BPF     39
#endif

/* Files, sockets, clients and what alerts need. */
#define FILES 1024

/* In a container of one program there is no file of users; the kernel calls nobody so, too. */
#define NOBODY 65534

#define FOLDER (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* --- who ---------------------------------------------------------------------------- */

/* A user that no file names: uid and group are the same number. */
static void unnamed(uint64_t id, struct uc_user *ret)
{
	snprintf(ret->name, sizeof(ret->name), "%u", (unsigned)id);
	ret->uid = ret->gid = id;
}

/* A container's root need not have them. */
static bool may_become_another(void)
{
	return !geteuid() && !capng_get_caps_process() &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID);
}

int uc_user_find(const char *name, struct uc_user *ret)
{
	const char *wanted = name ? name : "upclose";
	struct passwd *pw = getpwnam(wanted);
	uint64_t id = NOBODY;

	memset(ret, 0, sizeof(*ret));
	if (!name && !geteuid() && !may_become_another()) {
		uc_note("note: without CAP_SETUID and CAP_SETGID it stays root, who can do nothing but what its "
			"capabilities say");
		unnamed(0, ret);
		return 0;
	}
	if (!pw && !name)
		pw = getpwnam("nobody");
	if (!pw && (!name || uc_parse_number(name, 0, UINT32_MAX - 1, &id))) {
		unnamed(id, ret);
		return 0;
	}
	if (!pw) {
		uc_error("cannot become user '%s': no such user; create it or set 'user'", wanted);
		return -ENOENT;
	}
	snprintf(ret->name, sizeof(ret->name), "%s", pw->pw_name);
	ret->uid = pw->pw_uid;
	ret->gid = pw->pw_gid;
	ret->group_count = UC_USER_GROUPS;
	if (getgrouplist(ret->name, ret->gid, ret->groups, &ret->group_count) < 0)
		ret->group_count = UC_USER_GROUPS;
	return 0;
}

void uc_user_join_group_of(struct uc_user *u, const char *path)
{
	struct stat st;

	if (stat(path, &st) || !(st.st_mode & S_IRGRP) || st.st_gid == 0)
		return;
	for (int i = 0; i < u->group_count; i++)
		if (u->groups[i] == st.st_gid)
			return;
	if (u->group_count < UC_USER_GROUPS)
		u->groups[u->group_count++] = st.st_gid;
}

/* A file of more than one name may be somebody else's. */
static int own_file(const struct uc_user *u, int folder, const char *name)
{
	int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    fchownat(fd, "", u->uid, u->gid, AT_EMPTY_PATH))
		err = -errno;
	close(fd);
	return err;
}

/* Takes fd over. What lies in folders below `depth` is not ours. */
static int own_tree(const struct uc_user *u, int fd, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *d;
	int err;

	if (!dir) {
		err = -errno;
		close(fd);
		return err;
	}
	err = fchown(fd, u->uid, u->gid) ? -errno : 0;
	while (!err && (d = readdir(dir))) {
		int below;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		below = openat(fd, d->d_name, FOLDER);
		if (below >= 0 && depth)
			err = own_tree(u, below, depth - 1);
		else if (below >= 0)
			close(below);
		else if (errno == ENOTDIR || errno == ELOOP)
			err = own_file(u, fd, d->d_name);
		else
			err = -errno;
	}
	closedir(dir);
	return err;
}

int uc_user_own_folder(const struct uc_user *u, const char *folder)
{
	int fd, err = 0;

	if (mkdir(folder, 0700) && errno != EEXIST)
		err = -errno;
	fd = err ? -1 : open(folder, FOLDER);
	if (!err && fd < 0)
		err = -errno;
	if (!err && !geteuid() && u->uid)
		err = own_tree(u, fd, 1);
	else if (fd >= 0)
		close(fd);
	if (err == -EROFS) {
		uc_note("note: %s cannot be written to; what fires and what waits is forgotten at the end",
			folder);
		err = 0;
	}
	if (err)
		uc_error("cannot use the folder %s: %s", folder, strerror(-err));
	return err;
}

/* --- capabilities ------------------------------------------------------------------- */

/* What was put together, for this thread; libcap-ng tells no errno. */
static int apply_capabilities(void)
{
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

static int keep_capabilities(bool (*works)(void *ctx), void *ctx)
{
	bool ptrace, bpf;
	int err;

	if (capng_get_caps_process())
		return -EPERM;
	ptrace = capng_have_capability(CAPNG_PERMITTED, CAP_SYS_PTRACE);
	bpf = capng_have_capability(CAPNG_PERMITTED, CAP_BPF);
	capng_clear(CAPNG_SELECT_CAPS);
	if (ptrace)
		capng_update(CAPNG_ADD, CAPNG_PERMITTED | CAPNG_EFFECTIVE, CAP_SYS_PTRACE);
	if (bpf)
		capng_update(CAPNG_ADD, CAPNG_PERMITTED, CAP_BPF);
	err = apply_capabilities();
	if (err || !bpf)
		return err;
	if (works(ctx))
		capng_update(CAPNG_DROP, CAPNG_PERMITTED, CAP_BPF);
	else
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, CAP_BPF);
	return apply_capabilities();
}

static int keep_uprobe_capabilities(void)
{
	static const unsigned wanted[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_SYS_ADMIN };
	bool have[ARRAY_SIZE(wanted)];

	if (capng_get_caps_process())
		return -EPERM;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		have[i] = capng_have_capability(CAPNG_PERMITTED, wanted[i]);
	capng_clear(CAPNG_SELECT_CAPS);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (have[i])
			capng_update(CAPNG_ADD, CAPNG_PERMITTED | CAPNG_EFFECTIVE, wanted[i]);
	return apply_capabilities();
}

/* What a program that is started later could get at most. */
static void empty_bounding_set(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	/* without CAP_SETPCAP it stays; nor is there much to get then */
	capng_apply(CAPNG_SELECT_BOUNDS);
	capng_apply(CAPNG_SELECT_AMBIENT);
}

static int become(const struct uc_user *u)
{
	int death_signal = 0;

	/* a change of user forgets what whoever started us asked for */
	prctl(PR_GET_PDEATHSIG, &death_signal);
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(u->group_count, u->groups) ||
	    setresgid(u->gid, u->gid, u->gid) || setresuid(u->uid, u->uid, u->uid) ||
	    prctl(PR_SET_KEEPCAPS, 0))
		return -errno;
	if (death_signal)
		prctl(PR_SET_PDEATHSIG, death_signal);
	return 0;
}

/* --- system calls ------------------------------------------------------------------- */

/*
 * A list of what is refused, not of what is allowed: libcurl, the resolver's
 * modules and commands that alerts start need more than anybody could list.
 */
static const char *const refused[] = {
	/* what CAP_SYS_PTRACE would allow besides reading links */
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"process_madvise",
	"pidfd_getfd",
	"kcmp",
	"perf_event_open",
	/* the kernel itself, and the machine */
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"acct",
	"quotactl",
	"swapon",
	"swapoff",
	"syslog",
	"iopl",
	"ioperm",
	"sethostname",
	"setdomainname",
	"settimeofday",
	"clock_settime",
	"clock_settime64",
	"clock_adjtime",
	"clock_adjtime64",
	"adjtimex",
	/* other views of the system */
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"setns",
	"unshare",
	"open_by_handle_at",
	"fanotify_init",
	"personality",
	/* large surfaces that nothing here uses */
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"userfaultfd",
	"add_key",
	"request_key",
	"keyctl",
	"modify_ldt",
	"vmsplice",
	"lookup_dcookie",
};

/* uprobes: but for what attaches them. */
static int refuse_calls(scmp_filter_ctx filter, bool uprobes)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		int nr = seccomp_syscall_resolve_name(refused[i]), r;

		/* not all architectures and versions have all of them */
		if (nr == __NR_SCMP_ERROR || (uprobes && nr == SCMP_SYS(perf_event_open)))
			continue;
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), nr, 0);
		if (r)
			return r;
	}
	return 0;
}

/* Of bpf(2) what reads the objects that are open, or attaches one. */
static int refuse_bpf(scmp_filter_ctx filter, bool uprobes)
{
	static const unsigned reads[] = { BPF_MAP_LOOKUP_ELEM, BPF_OBJ_GET_INFO_BY_FD,
					  BPF_ITER_CREATE };
	static const unsigned attaches[] = { BPF_LINK_CREATE };
	const unsigned *allowed = uprobes ? attaches : reads, last = BPF_ITER_CREATE;
	const size_t count = uprobes ? ARRAY_SIZE(attaches) : ARRAY_SIZE(reads);
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(bpf), 1,
				 SCMP_A0(SCMP_CMP_GT, last));

	for (unsigned cmd = 0; !r && cmd <= last; cmd++) {
		bool needed = false;

		for (size_t i = 0; i < count; i++)
			needed |= allowed[i] == cmd;
		if (!needed)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(bpf), 1,
					     SCMP_A0(SCMP_CMP_EQ, cmd));
	}
	return r;
}

static int load_filter(bool uprobes)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (!filter)
		return -ENOMEM;
	r = refuse_calls(filter, uprobes);
	if (!r)
		r = refuse_bpf(filter, uprobes);
	/* sets no_new_privs, too: nothing that is started gets more than this */
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

static int filter_calls(bool uprobes)
{
	int err = load_filter(uprobes);

	if (err == -EINVAL || err == -EFAULT || err == -ENOSYS) {
		if (!uprobes)
			uc_note("note: this kernel has no system call filter (seccomp)");
		err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
	}
	if (err)
		uc_error("cannot load the system call filter: %s", strerror(-err));
	return err;
}

/* --- all of it ---------------------------------------------------------------------- */

static void limit_resources(void)
{
	const struct rlimit files = { FILES, FILES }, core = { 0, 0 };

	setrlimit(RLIMIT_NOFILE, &files);
	/* its memory holds parts of requests */
	setrlimit(RLIMIT_CORE, &core);
}

int uc_privilege_drop(const struct uc_user *u, bool (*works)(void *ctx), void *ctx)
{
	int err = 0;

	limit_resources();
	empty_bounding_set();
	if (!geteuid() && u->uid)
		err = become(u);
	if (!err)
		err = keep_capabilities(works, ctx);
	if (err) {
		uc_error("cannot give up privilege and become %s: %s", u->name, strerror(-err));
		return err;
	}
	return filter_calls(false);
}

int uc_privilege_keep_uprobes(const struct uc_user *u)
{
	int err = 0;

	limit_resources();
	empty_bounding_set();
	if (!geteuid() && u->uid)
		err = become(u);
	if (!err)
		err = keep_uprobe_capabilities();
	if (err)
		uc_error("cannot give up privilege to attach uprobes alone: %s", strerror(-err));
	return err ? err : filter_calls(true);
}
