/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void uc_proc_resolve(struct uc_proc *p)
{
	static const char deleted[] = " (deleted)";
	char path[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", p->tgid);
	memset(p->exe, 0, sizeof(p->exe));
	n = readlink(path, p->exe, sizeof(p->exe) - 1);
	if (n < 0)
		p->exe[0] = '\0';
	/* upgraded while it runs: still the same program to the reader */
	if (n > (ssize_t)strlen(deleted) && !strcmp(p->exe + n - strlen(deleted), deleted))
		memset(p->exe + n - strlen(deleted), 0, strlen(deleted));
}

static bool comm_is(const char *pid, const char *const *comms, size_t comm_count)
{
	char path[300], comm[UC_COMM_LEN + 2] = "";
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fgets(comm, sizeof(comm), f)) {
		comm[strcspn(comm, "\n")] = '\0';
		for (size_t i = 0; i < comm_count; i++)
			found |= !strcmp(comm, comms[i]);
	}
	fclose(f);
	return found;
}

unsigned uc_proc_count(const char *const *comms, size_t comm_count)
{
	struct dirent *d;
	unsigned count = 0;
	DIR *dir = opendir("/proc");

	if (!dir)
		return 0;
	while ((d = readdir(dir)))
		if (isdigit((unsigned char)d->d_name[0]))
			count += comm_is(d->d_name, comms, comm_count);
	closedir(dir);
	return count;
}
