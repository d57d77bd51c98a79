/* SPDX-License-Identifier: BSD-2-Clause */
#include "nginx/trust.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t trusted[UC_TRUST_MAX];
static size_t trusted_count;

void uc_nginx_trust(const uint32_t *uids, size_t count)
{
	trusted_count = count < UC_TRUST_MAX ? count : UC_TRUST_MAX;
	if (trusted_count)
		memcpy(trusted, uids, trusted_count * sizeof(*uids));
}

bool uc_nginx_trusted(pid_t pid)
{
	char path[64];
	struct stat st;
	bool found;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (stat(path, &st))
		return false;
	found = st.st_uid == 0 || st.st_uid == geteuid();
	for (size_t i = 0; i < trusted_count; i++)
		found |= st.st_uid == trusted[i];
	return found;
}
