/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon is allowed to do once its hooks are attached: an unprivileged
 * user with one capability, behind a system call filter.
 *
 * Kept is CAP_SYS_PTRACE, since /proc/PID/exe of another user's process cannot be
 * read without it; the filter takes from it what else it allows, and the memory
 * of other users' processes is closed to this user by its file's mode. CAP_BPF is
 * kept only where the kernel asks for it to read a map that is open already
 * (before 6.0 with kernel.unprivileged_bpf_disabled).
 *
 * A program of nginx that begins later is heard by a uprobe, and attaching one is
 * a right of its own: a second process keeps it, that reads nothing but /proc and
 * those programs, and listens to nobody but the daemon.
 */
#ifndef UPCLOSE_DAEMON_PRIVILEGE_H
#define UPCLOSE_DAEMON_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define UC_USER_GROUPS 32

struct uc_user {
	char name[33];
	uid_t uid;
	gid_t gid;
	gid_t groups[UC_USER_GROUPS]; /* supplementary */
	int group_count;
};

/* name NULL: upclose where the host has it, else nobody; it may be a number. Says why not; negative errno. */
int uc_user_find(const char *name, struct uc_user *ret);

/* Lets the user read this file later, by the file's group, where that may read it; as after a rotation. */
void uc_user_join_group_of(struct uc_user *u, const char *path);

/*
 * Makes the folder, for this user alone, where it is not there. As root: gives it
 * and what the daemon keeps in it to that user; systemd gives all of it to root
 * again before each start. Says why not; negative errno.
 */
int uc_user_own_folder(const struct uc_user *u, const char *folder);

/*
 * Becomes that user for good. works says whether everything still works without
 * CAP_BPF. Says why not; negative errno. Not as root: gives up capabilities only.
 */
int uc_privilege_drop(const struct uc_user *u, bool (*works)(void *ctx), void *ctx);

/*
 * The same for a process that attaches uprobes and does nothing else: that user,
 * with what kernels ask for that (CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN; and
 * CAP_SYS_PTRACE to find the programs), as far as it is there.
 */
int uc_privilege_keep_uprobes(const struct uc_user *u);

#endif
