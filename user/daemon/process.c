/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

static double seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* proc(5): field 22 of stat is the start in clock ticks since boot. */
static double start_seconds(void)
{
	char stat[1024], *at;

	uc_file_start("/proc/self/stat", stat, sizeof(stat));
	at = strrchr(stat, ')'); /* ends field 2; the name may hold anything */
	for (unsigned field = 3; at && field <= 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return 0;
	return seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME) +
	       strtod(at, NULL) / sysconf(_SC_CLK_TCK);
}

static void read_memory(struct uc_process *p)
{
	char line[128], *resident;

	uc_file_start("/proc/self/statm", line, sizeof(line));
	p->virtual_bytes = strtoull(line, &resident, 10) * sysconf(_SC_PAGESIZE);
	p->resident_bytes = strtoull(resident, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static uint64_t count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;
	uint64_t n = 0;

	if (!dir)
		return 0;
	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n - 1; /* the folder's own */
}

struct uc_process uc_process_self(void)
{
	struct uc_process p = { .cpu_seconds = seconds(CLOCK_PROCESS_CPUTIME_ID),
				.open_fds = count_fds() };
	/* the difference of two clocks is never twice the same, the start is */
	static double started;
	struct rlimit limit;

	if (!started)
		started = start_seconds();
	p.start_seconds = started;
	if (!getrlimit(RLIMIT_NOFILE, &limit))
		p.max_fds = limit.rlim_cur;
	read_memory(&p);
	return p;
}
